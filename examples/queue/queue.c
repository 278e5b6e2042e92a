/* An emulated NVMe device: one submission queue, its completion queue, and a doorbell buffer.
 * The guest writes its indices to *shadow, and rings a doorbell only if its index passes *eventidx. */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct queue { uint16_t head, tail, size; _Atomic uint16_t *shadow, *eventidx; };
struct device { struct queue sq, cq; uint16_t room; bool corked; };

void run(struct device *d, uint16_t slot);       /* runs a command to its end */
void write_cqe(struct device *d, uint16_t slot); /* writes a completion, which the guest sees at once */
void wake_worker(struct device *d);              /* sq_work runs again; once more, if it is running */

static uint16_t next(struct queue *q, uint16_t index) { return (index + 1) % q->size; }

static bool cq_free(struct device *d, uint16_t head) /* how far the guest has consumed: frees slots */
{
    uint16_t freed = (head + d->cq.size - d->cq.head) % d->cq.size;
    d->cq.head = head;
    d->room += freed;
    return freed > 0;
}

static void uncork(struct device *d)
{
    if (d->corked) {
        d->corked = false;
        wake_worker(d);
    }
}

static void cq_post(struct device *d)
{
    write_cqe(d, d->cq.tail);
    d->cq.tail = next(&d->cq, d->cq.tail);
    atomic_store(d->cq.eventidx, d->cq.head); /* ring when you consume */
    if (cq_free(d, atomic_load(d->cq.shadow)))
        uncork(d);
}

void sq_work(struct device *d)
{
    for (;;) {
        if (d->room == 0 && !cq_free(d, atomic_load(d->cq.shadow))) {
            d->corked = true; /* the CQ is full: sleep until there is room */
            return;
        }
        d->sq.tail = atomic_load(d->sq.shadow);
        if (d->sq.head == d->sq.tail) {
            atomic_store(d->sq.eventidx, d->sq.head); /* nothing to do: ring for the next entry */
            return;
        }
        d->room--;
        run(d, d->sq.head);
        d->sq.head = next(&d->sq, d->sq.head);
        cq_post(d);
    }
}

void sq_doorbell(struct device *d, uint16_t tail) { d->sq.tail = tail; wake_worker(d); }

void cq_doorbell(struct device *d, uint16_t head) { if (cq_free(d, head)) uncork(d); }
