/* A small NVMe device: submission queues (SQs), one completion queue (CQ), and a doorbell buffer. Each SQ has a worker,
 * which runs its commands. It is driven by `uncork conform exec`; model.py says what it does.
 *
 *     cc -O1 -pthread -o ring ring.c
 *     uncork conform exec --device model.py:ring -- ./ring
 *
 * -DBUG_... builds a device with one mistake, as real devices have had them. The bugs are at their #ifdef. */
#include "uncork.h"
#include <stdbool.h>

enum { MOST_SQS = 8, MOST_ENTRIES = 64 };

typedef atomic_flag lock_t;
typedef _Atomic uint32_t word_t;

struct cqe { int phase, sq, cid; };

struct sq {
    lock_t lock;
    word_t shadow, eventidx;
    uint32_t head, tail;      /* the next entry to take; the tail as last read */
    int entries[MOST_ENTRIES]; /* the commands in its slots */
    int running, in_flight;
    unsigned generation, running_generation; /* how often it was deleted, and when the running command was taken */
    bool live, corked, notified, awake;
    bool rung;
    uint32_t told; /* what the doorbell register was written with, until the handler has run */
};

static struct {
    lock_t lock;
    word_t shadow, eventidx;
    uint32_t head, tail; /* how far the guest has consumed, as last read; the next slot */
    int phase, permits;  /* permits: free slots that no command counts on */
    struct cqe slots[MOST_ENTRIES];
    bool rung;
    uint32_t told;
} cq;

static struct sq sqs[MOST_SQS];
static uint32_t sq_count, sq_size, cq_size;

static bool try_lock(lock_t *lock) { return !atomic_flag_test_and_set(lock); }

static void lock(lock_t *lock)
{
    while (!try_lock(lock))
        uc_waits("lock");
}

static void unlock(lock_t *lock) { atomic_flag_clear(lock); }

/* -- waking workers ------------------------------------------------------------------------------------------------ */
static void notify(struct sq *q)
{
#ifdef BUG_NOTIFICATION_LOST /* a worker that is awake does not look once more before it sleeps */
    if (q->awake)
        return;
#endif
    q->notified = true;
}

/* There is room in the CQ: wakes every SQ that waits for it. The CQ is locked. */
static void kick(void)
{
    for (uint32_t k = 0; k < sq_count; k++) {
        if (!sqs[k].corked)
            continue;
        sqs[k].corked = false;
#ifdef BUG_WRONG_QUEUE_KICKED /* the worker of the next SQ is woken */
        notify(&sqs[(k + 1) % sq_count]);
#else
        notify(&sqs[k]);
#endif
    }
}

/* The guest has consumed the CQ up to `head`: gives permits for the slots. The CQ is locked. */
static uint32_t credit(uint32_t head)
{
    uint32_t freed = (head + cq_size - cq.head) % cq_size;
    cq.head = head;
    cq.permits += freed;
    return freed;
}

/* -- the worker of an SQ ------------------------------------------------------------------------------------------- */
/* Looks for a command, and takes it with a permit. */
static bool look(struct sq *q)
{
    for (;; uc_waits("lock")) {
        lock(&q->lock);
        if (!q->live) {
            unlock(&q->lock);
            uc_did("find_gone");
            return false;
        }
        if (try_lock(&cq.lock))
            break;
        unlock(&q->lock); /* never wait for the CQ with an SQ locked */
    }
    if (cq.permits > 0) {
        cq.permits--;
        unlock(&cq.lock);
        uc_did("reserve");
    } else if (credit(atomic_load(&cq.shadow))) {
        cq.permits--;
        kick();
        unlock(&cq.lock);
        uc_did("refresh");
    } else {
        q->corked = true;
        unlock(&cq.lock);
        unlock(&q->lock);
        uc_did("cork");
        return false;
    }
    for (;;) {
        q->tail = atomic_load(&q->shadow);
        if (q->head != q->tail) {
            q->running = q->entries[q->head];
            q->running_generation = q->generation;
            q->head = (q->head + 1) % sq_size;
            q->in_flight++;
            unlock(&q->lock);
            uc_did("fetch");
            return true;
        }
        uc_did("find_empty");
        atomic_store(&q->eventidx, q->head);
#ifdef BUG_NO_REREAD /* what the guest published before it could see EventIdx is not seen */
        unlock(&q->lock);
        uc_did("arm_sq");
        break;
#endif
        uc_did("arm_sq");
        q->tail = atomic_load(&q->shadow);
        if (q->head == q->tail) {
            unlock(&q->lock);
            uc_did("reread_sq");
            break;
        }
        uc_did("find_more");
    }
    lock(&cq.lock); /* gives the permit back */
    cq.permits++;
#ifndef BUG_KICK_DROPPED_AT_REMIT /* another SQ may have found no permit meanwhile */
    kick();
#endif
    unlock(&cq.lock);
    uc_did("remit");
    return false;
}

/* The command is done: writes its completion, asks for a doorbell, and sees whether the guest has made room. */
static void post(struct sq *q)
{
    lock(&cq.lock);
    if (q->running_generation != q->generation) { /* its SQ was deleted */
#ifndef BUG_PERMIT_LEAKED_AT_DELETE
        cq.permits++;
        kick();
#endif
        unlock(&cq.lock);
        uc_did("release");
        return;
    }
    cq.slots[cq.tail] = (struct cqe){cq.phase, (int)(q - sqs), q->running};
    cq.tail = (cq.tail + 1) % cq_size;
    cq.phase ^= cq.tail == 0;
    q->in_flight--;
    uc_did("post");
    uint32_t freed;
#ifdef BUG_READ_BEFORE_ARM /* what the guest consumes in between is not seen, and EventIdx does not lag */
    freed = credit(atomic_load(&cq.shadow));
    if (freed)
        kick();
    uc_did(freed ? "post_credit" : "post_read");
    atomic_store(&cq.eventidx, cq.head);
    unlock(&cq.lock);
    uc_did("post_arm");
#else
#ifdef BUG_EVENTIDX_AT_TAIL /* a guest that drains the CQ does not pass the tail, and does not ring */
    atomic_store(&cq.eventidx, cq.tail);
#else
    atomic_store(&cq.eventidx, cq.head);
#endif
    uc_did("post_arm");
    freed = credit(atomic_load(&cq.shadow));
    if (freed)
        kick();
    unlock(&cq.lock);
    uc_did(freed ? "post_credit" : "post_read");
#endif
}

static void worker(int k)
{
    struct sq *q = &sqs[k];
    for (;;) {
        q->awake = false;
        while (!q->notified)
            uc_waits("sleep");
        q->notified = false;
        q->awake = true;
        uc_did("wake");
        while (look(q))
            post(q);
    }
}

/* -- the doorbells, and admin commands ----------------------------------------------------------------------------- */
static void sq_doorbell(int k)
{
    struct sq *q = &sqs[k];
    for (;;) {
        while (!q->rung)
            uc_waits("sleep");
        lock(&q->lock);
        q->tail = q->told;
        unlock(&q->lock);
        uc_did("notify_tail");
        notify(q);
        q->rung = false;
        uc_did("notify");
    }
}

static void cq_doorbell(int unused)
{
    (void)unused;
    for (;;) {
        while (!cq.rung)
            uc_waits("sleep");
        lock(&cq.lock);
        credit(cq.told);
        unlock(&cq.lock);
        uc_did("notify_head");
        lock(&cq.lock);
#ifndef BUG_NO_KICK_AT_DOORBELL
        kick();
#endif
        unlock(&cq.lock);
        cq.rung = false;
        uc_did("kick");
    }
}

static void delete_sq(int k)
{
    struct sq *q = &sqs[k];
    lock(&q->lock);
    q->generation++;
    q->head = q->tail = 0;
    q->in_flight = 0;
    q->live = q->corked = q->notified = false;
    unlock(&q->lock);
}

static void create_sq(int k)
{
    struct sq *q = &sqs[k];
    lock(&q->lock);
    q->live = true;
#ifndef BUG_STALE_WORDS_AT_CREATE /* they are those of the SQ that had this number before */
    atomic_store(&q->shadow, 0);
    atomic_store(&q->eventidx, 0);
#endif
    unlock(&q->lock);
}

/* -- the harness --------------------------------------------------------------------------------------------------- */
static const char *setup(int sqs_, int sq_size_, int cq_size_)
{
    if (sqs_ > MOST_SQS || sq_size_ > MOST_ENTRIES || cq_size_ > MOST_ENTRIES)
        return "it has at most 8 SQs, and 64 entries in a queue";
    sq_count = sqs_, sq_size = sq_size_, cq_size = cq_size_;
    for (int k = 0; k < sqs_; k++) {
        char name[32];
        snprintf(name, sizeof name, "sq%d.worker", k);
        uc_thread(name, worker, k);
        snprintf(name, sizeof name, "sq%d.doorbell", k);
        uc_thread(name, sq_doorbell, k);
    }
    uc_thread("cq.doorbell", cq_doorbell, 0);
    return NULL;
}

static void reset(void)
{
    memset(sqs, 0, sizeof sqs);
    memset(&cq, 0, sizeof cq);
    for (uint32_t k = 0; k < sq_count; k++)
        sqs[k].live = true;
    cq.phase = 1;
#ifdef BUG_OFF_BY_ONE /* a ring of so many slots holds one entry less */
    cq.permits = cq_size;
#else
    cq.permits = cq_size - 1;
#endif
}

static word_t *word(int queue, enum uc_word which)
{
    if (queue == UC_CQ)
        return which == UC_SHADOW ? &cq.shadow : &cq.eventidx;
    return which == UC_SHADOW ? &sqs[queue].shadow : &sqs[queue].eventidx;
}

static void entry(int sq, int slot, int cid) { sqs[sq].entries[slot] = cid; }

static void ring(int queue, uint32_t value)
{
    if (queue == UC_CQ)
        cq.told = value, cq.rung = true;
    else
        sqs[queue].told = value, sqs[queue].rung = true;
}

static void cqe(int slot, int out[3])
{
    out[0] = cq.slots[slot].phase, out[1] = cq.slots[slot].sq, out[2] = cq.slots[slot].cid;
}

static void values(void)
{
    uc_value(UC_CQ, "permits", cq.permits);
    uc_value(UC_CQ, "head", cq.head);
    for (uint32_t k = 0; k < sq_count; k++) {
        uc_value(k, "head", sqs[k].head);
        uc_value(k, "in_flight", sqs[k].in_flight);
        uc_value(k, "corked", sqs[k].corked);
    }
}

int main(void)
{
    static const struct uc_device device = {
        .name = "ring 1",
        .events = "wake find_gone reserve refresh cork fetch find_empty arm_sq reread_sq find_more remit release post "
                  "post_arm post_read post_credit notify_tail notify notify_head kick",
        .setup = setup, .reset = reset, .word = word, .entry = entry, .ring = ring, .cqe = cqe,
        .remove = delete_sq, .create = create_sq, .values = values,
    };
    return uc_main(&device);
}
