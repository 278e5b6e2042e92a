//! The device of ring.c in Rust: SQs with a worker each, one CQ, and a doorbell buffer. model.py says what it does.
//!
//!     rustc -O -o ring ring.rs
//!     uncork conform exec --device model.py:ring -- ./ring
//!
//! --cfg bug_... builds a device with one mistake, as real devices have had them. The bugs are at their cfg!.
#![allow(unexpected_cfgs)]
mod uncork;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard};
use uncork::{Device, Reset, Run, Steps};

const MOST_SQS: usize = 8;
const MOST_ENTRIES: u32 = 64;

/// What the lock of an SQ guards.
#[derive(Default)]
struct Sq {
    head: u32, // the next entry to take
    live: bool,
}

/// What the lock of the CQ guards.
#[derive(Default)]
struct Cq {
    head: u32, // how far the guest has consumed, as last read
    tail: u32, // the next slot
    phase: u32,
    permits: i64, // free slots that no command counts on
    corked: Vec<bool>,
}

/// A doorbell register: what the guest has written, until the handler has run.
#[derive(Default)]
struct Doorbell {
    rung: AtomicBool,
    told: AtomicU32,
}

/// The words in the guest's memory, and a doorbell.
#[derive(Default)]
struct Shared {
    shadow: AtomicU32,
    eventidx: AtomicU32,
    doorbell: Doorbell,
}

struct Ring {
    sq_size: u32,
    cq_size: u32,
    sqs: Vec<(Mutex<Sq>, Shared)>,
    cq: (Mutex<Cq>, Shared),
    entries: Vec<Vec<AtomicU32>>,
    slots: Vec<[AtomicU32; 3]>,
    notified: Vec<AtomicBool>,
    awake: Vec<AtomicBool>,
    generation: Vec<AtomicU32>, // how often each SQ was deleted
}

fn lock<'a, T>(steps: &Steps, of: &'a Mutex<T>) -> Result<MutexGuard<'a, T>, Reset> {
    loop {
        match of.try_lock() {
            Ok(guard) => return Ok(guard),
            Err(_) => steps.waits("lock")?,
        }
    }
}

impl Ring {
    // -- waking workers -----------------------------------------------------------------------------------------------
    fn notify(&self, k: usize) {
        // lost: a worker that is awake does not look once more before it sleeps
        if !(cfg!(bug_notification_lost) && self.awake[k].load(SeqCst)) {
            self.notified[k].store(true, SeqCst);
        }
    }

    /// There is room in the CQ: wakes every SQ that waits for it.
    fn kick(&self, cq: &mut Cq) {
        for k in 0..cq.corked.len() {
            if std::mem::take(&mut cq.corked[k]) {
                self.notify(if cfg!(bug_wrong_queue_kicked) { (k + 1) % self.sqs.len() } else { k });
            }
        }
    }

    /// The guest has consumed the CQ up to `head`: gives permits for the slots.
    fn credit(&self, cq: &mut Cq, head: u32) -> u32 {
        let freed = (head + self.cq_size - cq.head) % self.cq_size;
        cq.head = head;
        cq.permits += i64::from(freed);
        freed
    }

    // -- the worker of an SQ ------------------------------------------------------------------------------------------
    fn worker(&self, steps: &Steps, k: usize) -> Result<(), Reset> {
        loop {
            self.awake[k].store(false, SeqCst);
            while !self.notified[k].swap(false, SeqCst) {
                steps.waits("sleep")?;
            }
            self.awake[k].store(true, SeqCst);
            steps.did("wake")?;
            while let Some((cid, generation)) = self.look(steps, k)? {
                self.post(steps, k, cid, generation)?;
            }
        }
    }

    /// Looks for a command, and takes it with a permit.
    fn look(&self, steps: &Steps, k: usize) -> Result<Option<(u32, u32)>, Reset> {
        let shared = &self.sqs[k].1;
        let (mut sq, mut cq) = loop {
            let sq = lock(steps, &self.sqs[k].0)?;
            if !sq.live {
                drop(sq);
                steps.did("find_gone")?;
                return Ok(None);
            }
            if let Ok(cq) = self.cq.0.try_lock() {
                break (sq, cq);
            }
            drop(sq); // never wait for the CQ with an SQ locked
            steps.waits("lock")?;
        };
        if cq.permits > 0 {
            cq.permits -= 1;
            drop(cq);
            steps.did("reserve")?;
        } else if self.credit(&mut cq, self.cq.1.shadow.load(SeqCst)) > 0 {
            cq.permits -= 1;
            self.kick(&mut cq);
            drop(cq);
            steps.did("refresh")?;
        } else {
            cq.corked[k] = true;
            drop((cq, sq));
            steps.did("cork")?;
            return Ok(None);
        }
        loop {
            if sq.head != shared.shadow.load(SeqCst) {
                let cid = self.entries[k][sq.head as usize].load(SeqCst);
                sq.head = (sq.head + 1) % self.sq_size;
                let generation = self.generation[k].load(SeqCst);
                drop(sq);
                steps.did("fetch")?;
                return Ok(Some((cid, generation)));
            }
            steps.did("find_empty")?;
            shared.eventidx.store(sq.head, SeqCst);
            if cfg!(bug_no_reread) { // what the guest published before it could see EventIdx is not seen
                drop(sq);
                steps.did("arm_sq")?;
                break;
            }
            steps.did("arm_sq")?;
            if sq.head == shared.shadow.load(SeqCst) {
                drop(sq);
                steps.did("reread_sq")?;
                break;
            }
            steps.did("find_more")?;
        }
        let mut cq = lock(steps, &self.cq.0)?; // gives the permit back
        cq.permits += 1;
        if !cfg!(bug_kick_dropped_at_remit) { // another SQ may have found no permit meanwhile
            self.kick(&mut cq);
        }
        drop(cq);
        steps.did("remit")?;
        Ok(None)
    }

    /// The command is done: writes its completion, asks for a doorbell, and sees whether the guest has made room.
    fn post(&self, steps: &Steps, k: usize, cid: u32, generation: u32) -> Result<(), Reset> {
        let mut cq = lock(steps, &self.cq.0)?;
        if generation != self.generation[k].load(SeqCst) { // its SQ was deleted
            if !cfg!(bug_permit_leaked_at_delete) {
                cq.permits += 1;
                self.kick(&mut cq);
            }
            drop(cq);
            return steps.did("release");
        }
        for (word, value) in self.slots[cq.tail as usize].iter().zip([cq.phase, k as u32, cid]) {
            word.store(value, SeqCst);
        }
        cq.tail = (cq.tail + 1) % self.cq_size;
        cq.phase ^= u32::from(cq.tail == 0);
        steps.did("post")?;
        if cfg!(bug_read_before_arm) { // what the guest consumes in between is not seen, and EventIdx does not lag
            let freed = self.reads_head(&mut cq);
            steps.did(if freed > 0 { "post_credit" } else { "post_read" })?;
            self.cq.1.eventidx.store(cq.head, SeqCst);
            drop(cq);
            return steps.did("post_arm");
        }
        // at the tail: a guest that drains the CQ does not pass it, and does not ring
        self.cq.1.eventidx.store(if cfg!(bug_eventidx_at_tail) { cq.tail } else { cq.head }, SeqCst);
        steps.did("post_arm")?;
        let freed = self.reads_head(&mut cq);
        drop(cq);
        steps.did(if freed > 0 { "post_credit" } else { "post_read" })
    }

    fn reads_head(&self, cq: &mut Cq) -> u32 {
        let freed = self.credit(cq, self.cq.1.shadow.load(SeqCst));
        if freed > 0 {
            self.kick(cq);
        }
        freed
    }

    // -- the doorbells ------------------------------------------------------------------------------------------------
    fn sq_doorbell(&self, steps: &Steps, k: usize) -> Result<(), Reset> {
        let doorbell = &self.sqs[k].1.doorbell;
        loop {
            while !doorbell.rung.load(SeqCst) {
                steps.waits("sleep")?;
            }
            drop(lock(steps, &self.sqs[k].0)?); // not while its worker looks
            steps.did("notify_tail")?;
            self.notify(k);
            doorbell.rung.store(false, SeqCst);
            steps.did("notify")?;
        }
    }

    fn cq_doorbell(&self, steps: &Steps, _: usize) -> Result<(), Reset> {
        let doorbell = &self.cq.1.doorbell;
        loop {
            while !doorbell.rung.load(SeqCst) {
                steps.waits("sleep")?;
            }
            self.credit(&mut *lock(steps, &self.cq.0)?, doorbell.told.load(SeqCst));
            steps.did("notify_head")?;
            if !cfg!(bug_no_kick_at_doorbell) {
                self.kick(&mut *lock(steps, &self.cq.0)?);
            }
            doorbell.rung.store(false, SeqCst);
            steps.did("kick")?;
        }
    }
}

// -- the harness ------------------------------------------------------------------------------------------------------
impl Device for Ring {
    const NAME: &'static str = "ring 1 in Rust";
    const EVENTS: &'static [&'static str] = &[
        "wake", "find_gone", "reserve", "refresh", "cork", "fetch", "find_empty", "arm_sq", "reread_sq", "find_more",
        "remit", "release", "post", "post_arm", "post_read", "post_credit", "notify_tail", "notify", "notify_head", "kick",
    ];

    fn new(sqs: usize, sq_size: u32, cq_size: u32) -> Result<Self, String> {
        if sqs > MOST_SQS || sq_size > MOST_ENTRIES || cq_size > MOST_ENTRIES {
            return Err("it has at most 8 SQs, and 64 entries in a queue".to_string());
        }
        Ok(Ring {
            sq_size,
            cq_size,
            sqs: (0..sqs).map(|_| Default::default()).collect(),
            cq: Default::default(),
            entries: (0..sqs).map(|_| (0..sq_size).map(|_| AtomicU32::new(0)).collect()).collect(),
            slots: (0..cq_size).map(|_| Default::default()).collect(),
            notified: (0..sqs).map(|_| Default::default()).collect(),
            awake: (0..sqs).map(|_| Default::default()).collect(),
            generation: (0..sqs).map(|_| Default::default()).collect(),
        })
    }

    fn reset(&self) {
        for (sq, _) in &self.sqs {
            *sq.lock().unwrap() = Sq { head: 0, live: true };
        }
        for shared in self.sqs.iter().map(|(_, shared)| shared).chain([&self.cq.1]) {
            shared.shadow.store(0, SeqCst);
            shared.eventidx.store(0, SeqCst);
            shared.doorbell.rung.store(false, SeqCst);
        }
        self.notified.iter().chain(&self.awake).for_each(|each| each.store(false, SeqCst));
        self.slots.iter().flatten().for_each(|word| word.store(0, SeqCst));
        // off by one: a ring of so many slots holds one entry less
        let permits = i64::from(self.cq_size) - i64::from(!cfg!(bug_off_by_one));
        let corked = vec![false; self.sqs.len()];
        *self.cq.0.lock().unwrap() = Cq { phase: 1, permits, corked, ..Default::default() };
    }

    fn threads(&self) -> Vec<(String, Run<Self>, usize)> {
        let mut threads: Vec<(String, Run<Self>, usize)> = vec![("cq.doorbell".to_string(), Ring::cq_doorbell, 0)];
        for k in 0..self.sqs.len() {
            threads.push((format!("sq{k}.worker"), Ring::worker, k));
            threads.push((format!("sq{k}.doorbell"), Ring::sq_doorbell, k));
        }
        threads
    }

    fn word(&self, sq: Option<usize>, eventidx: bool) -> &AtomicU32 {
        let shared = sq.map_or(&self.cq.1, |k| &self.sqs[k].1);
        if eventidx { &shared.eventidx } else { &shared.shadow }
    }

    fn entry(&self, sq: usize, slot: usize, cid: u32) {
        self.entries[sq][slot].store(cid, SeqCst);
    }

    fn ring(&self, sq: Option<usize>, value: u32) {
        let doorbell = &sq.map_or(&self.cq.1, |k| &self.sqs[k].1).doorbell;
        doorbell.told.store(value, SeqCst);
        doorbell.rung.store(true, SeqCst);
    }

    fn cqe(&self, slot: usize) -> [u32; 3] {
        [0, 1, 2].map(|part: usize| self.slots[slot][part].load(SeqCst))
    }

    fn delete(&self, k: usize) {
        *self.sqs[k].0.lock().unwrap() = Sq { head: 0, live: false };
        self.cq.0.lock().unwrap().corked[k] = false;
        self.generation[k].fetch_add(1, SeqCst);
        self.notified[k].store(false, SeqCst);
    }

    fn create(&self, k: usize) {
        self.sqs[k].0.lock().unwrap().live = true;
        if !cfg!(bug_stale_words_at_create) { // they are those of the SQ that had this number before
            self.sqs[k].1.shadow.store(0, SeqCst);
            self.sqs[k].1.eventidx.store(0, SeqCst);
        }
    }

    fn values(&self) -> Vec<(String, i64)> {
        let mut values = Vec::new();
        if let Ok(cq) = self.cq.0.try_lock() {
            values.push(("cq.permits".to_string(), cq.permits));
            values.push(("cq.head".to_string(), i64::from(cq.head)));
            values.extend(cq.corked.iter().enumerate().map(|(k, &on)| (format!("sq{k}.corked"), i64::from(on))));
        }
        values
    }
}

fn main() {
    uncork::main::<Ring>();
}
