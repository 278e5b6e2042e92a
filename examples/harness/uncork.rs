//! A device in Rust under `uncork conform exec`, protocol 1; docs/harness.md explains it. No crates.
//!
//! Implement `Device`, and call `main` with it. A thread that uncork is to step gets a `Steps`; it runs to its next
//! `did` or `waits`, and stops there until it is stepped again, one thread at a time. A reset ends it with `Err(Reset)`,
//! which the thread hands on with `?`, and starts it anew.
use std::io::{BufRead, Write};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};

/// The queues begin anew: a thread that gets this ends, and is started again.
pub struct Reset;

pub type Run<D> = fn(&D, &Steps, usize) -> Result<(), Reset>;

pub trait Device: Send + Sync + 'static {
    const NAME: &'static str;
    /// What the threads tell with `did` whenever it happens.
    const EVENTS: &'static [&'static str];
    /// A device with queues of these sizes, or why there is none.
    fn new(sqs: usize, sq_size: u32, cq_size: u32) -> Result<Self, String> where Self: Sized;
    /// All queues are as new, and all words are 0. No thread holds a lock.
    fn reset(&self);
    /// The threads that can be stepped: the name, what it runs, and of which SQ.
    fn threads(&self) -> Vec<(String, Run<Self>, usize)> where Self: Sized;
    /// A shared word of an SQ, or of the CQ (None): the shadow index or EventIdx.
    fn word(&self, sq: Option<usize>, eventidx: bool) -> &AtomicU32;
    fn entry(&self, sq: usize, slot: usize, cid: u32);
    fn ring(&self, sq: Option<usize>, value: u32);
    /// The phase tag, SQ and command in a slot of the CQ.
    fn cqe(&self, slot: usize) -> [u32; 3];
    fn delete(&self, sq: usize);
    fn create(&self, sq: usize);
    /// More values to compare; those that cannot be read now may be left out.
    fn values(&self) -> Vec<(String, i64)>;
}

struct Turn {
    stops: bool, // it is not the thread's turn
    reset: bool,
    did: &'static str,
    waits: &'static str,
}

/// The steps of one thread.
#[derive(Clone)]
pub struct Steps(Arc<(Mutex<Turn>, Condvar)>);

impl Steps {
    fn new() -> Self {
        let turn = Turn { stops: false, reset: false, did: "", waits: "" };
        Steps(Arc::new((Mutex::new(turn), Condvar::new())))
    }

    /// The thread has done this event: here its step ends.
    pub fn did(&self, event: &'static str) -> Result<(), Reset> {
        self.stop(event, "")
    }

    /// The thread cannot go on: "sleep", it has nothing to do; "lock", it waits for one. To be called in a loop.
    pub fn waits(&self, why: &'static str) -> Result<(), Reset> {
        self.stop("", why)
    }

    fn stop(&self, did: &'static str, waits: &'static str) -> Result<(), Reset> {
        let (turn, changed) = &*self.0;
        let mut turn = turn.lock().unwrap();
        (turn.did, turn.waits, turn.stops) = (did, waits, true);
        changed.notify_all();
        while turn.stops {
            turn = changed.wait(turn).unwrap();
        }
        if turn.reset { Err(Reset) } else { Ok(()) }
    }

    fn step(&self, reset: bool) -> (&'static str, &'static str) {
        let (turn, changed) = &*self.0;
        let mut turn = turn.lock().unwrap();
        while !turn.stops { // it has not come to its first stop
            turn = changed.wait(turn).unwrap();
        }
        (turn.reset, turn.stops) = (reset, false);
        changed.notify_all();
        while !turn.stops {
            turn = changed.wait(turn).unwrap();
        }
        (turn.did, turn.waits)
    }
}

fn start<D: Device>(device: &Arc<D>) -> Vec<(String, Steps)> {
    let mut threads = Vec::new();
    for (name, run, sq) in device.threads() {
        let (steps, device) = (Steps::new(), device.clone());
        threads.push((name, steps.clone()));
        std::thread::spawn(move || loop {
            if steps.stop("", "").is_ok() {
                let _ = run(&device, &steps, sq);
            }
        });
    }
    threads
}

fn settle(threads: &[(String, Steps)]) {
    let mut waiting = 0;
    for (_, steps) in threads.iter().cycle() {
        waiting = if steps.step(false).1.is_empty() { 0 } else { waiting + 1 };
        if waiting == threads.len() {
            return;
        }
    }
}

fn text<'a>(line: &'a str, key: &str) -> &'a str {
    let quoted = format!("\"{key}\"");
    let rest = line.find(&quoted).map_or("", |at| &line[at + quoted.len()..]);
    let rest = rest.trim_start_matches([':', ' ', '"']);
    &rest[..rest.find(['"', ',', '}']).unwrap_or(rest.len())]
}

fn number(line: &str, key: &str) -> u32 {
    text(line, key).parse().unwrap_or(0)
}

/// The SQ that sq0, sq1.shadow, ... are of; None for the CQ.
fn queue(name: &str) -> Option<usize> {
    name.split('.').next()?.strip_prefix("sq")?.parse().ok()
}

fn list<T: AsRef<str>>(of: &[T]) -> String {
    let quoted: Vec<_> = of.iter().map(|each| format!("\"{}\"", each.as_ref())).collect();
    format!("[{}]", quoted.join(","))
}

fn seen<D: Device>(device: &D, sqs: usize, cq_size: usize) -> String {
    let words: Vec<_> = std::iter::once(None).chain((0..sqs).map(Some)).map(|sq| {
        let name = sq.map_or("cq".to_string(), |k| format!("sq{k}"));
        let [shadow, eventidx] = [false, true].map(|which| device.word(sq, which).load(SeqCst));
        format!("\"{name}.shadow\":{shadow},\"{name}.eventidx\":{eventidx}")
    }).collect();
    let cqes: Vec<_> = (0..cq_size).map(|slot| format!("{:?}", device.cqe(slot))).collect();
    let values: Vec<_> = device.values().iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    let (words, cqes, values) = (words.join(","), cqes.join(","), values.join(","));
    format!("\"words\":{{{words}}},\"cqes\":[{cqes}],\"values\":{{{values}}}")
}

/// Answers requests until there are no more.
pub fn main<D: Device>() {
    let (mut device, mut threads): (Option<Arc<D>>, _) = (None, Vec::new());
    let (mut sqs, mut cq_size) = (0, 0);
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let (line, mut more) = (line.as_str(), String::new());
        let (sq, value) = (number(line, "sq") as usize, number(line, "value"));
        let answer = match (text(line, "do"), &device) {
            ("hello", _) => {
                (sqs, cq_size) = (number(line, "sqs") as usize, number(line, "cq_size"));
                match D::new(sqs, number(line, "sq_size"), cq_size) {
                    Err(why) => format!("\"error\":\"{why}\""),
                    Ok(made) => {
                        threads = start(device.insert(Arc::new(made)));
                        let names: Vec<_> = threads.iter().map(|(name, _)| name).collect();
                        let (threads, events) = (list(&names), list(D::EVENTS));
                        let name = D::NAME;
                        format!("\"protocol\":1,\"name\":\"{name}\",\"threads\":{threads},\"events\":{events}")
                    }
                }
            }
            (what, Some(device)) => {
                match what {
                    "reset" => {
                        threads.iter().for_each(|(_, steps)| { steps.step(true); }); // they let go of their locks
                        device.reset();
                    }
                    "entry" => device.entry(sq, number(line, "slot") as usize, number(line, "cid")),
                    "store" => {
                        let word = text(line, "word");
                        device.word(queue(word), word.ends_with("eventidx")).store(value, SeqCst);
                    }
                    "ring" => device.ring(queue(text(line, "queue")), value),
                    "delete" => device.delete(sq),
                    "create" => device.create(sq),
                    "settle" => settle(&threads),
                    "step" => for (_, steps) in threads.iter().filter(|(name, _)| name == text(line, "thread")) {
                        let (did, waits) = steps.step(false);
                        let did = if did.is_empty() { String::new() } else { format!("\"{did}\"") };
                        more = format!(",\"did\":[{did}],\"waits\":\"{waits}\"");
                    },
                    "look" => (),
                    _ => more = ",\"error\":\"it does not do that\"".to_string(),
                }
                seen(&**device, sqs, cq_size as usize) + &more
            }
            (_, None) => "\"error\":\"first hello\"".to_string(),
        };
        println!("{{\"n\":{},{answer}}}", number(line, "n"));
        let _ = std::io::stdout().flush();
    }
}
