/* uncork.h: a device under `uncork conform exec`, protocol 1; docs/harness.md explains it. C11 and POSIX threads.
 * Fill in a struct uc_device, and call uc_main with it. Start each thread that uncork is to step with uc_thread, in
 * `setup`. It runs to its next uc_did or uc_waits, and stops there until it is stepped again: one thread at a time. */
#ifndef UNCORK_H
#define UNCORK_H
#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
enum { UC_CQ = -1 }; /* a queue: the number of an SQ, or this */
enum uc_word { UC_SHADOW, UC_EVENTIDX };

struct uc_device {
    const char *name;   /* for people: the device and its version */
    const char *events; /* what uc_did tells whenever it happens, separated by spaces */
    const char *(*setup)(int sqs, int sq_size, int cq_size); /* once, at first: NULL, or why it cannot be done */
    void (*reset)(void);                                     /* all queues as new, all words 0, no lock held */
    _Atomic uint32_t *(*word)(int queue, enum uc_word which);
    void (*entry)(int sq, int slot, int cid);   /* the guest writes a command into a slot */
    void (*ring)(int queue, uint32_t value);    /* the guest writes a doorbell */
    void (*cqe)(int slot, int phase_sq_cid[3]); /* what is in a slot of the CQ, read or not */
    void (*remove)(int sq), (*create)(int sq);  /* the guest deletes or creates an SQ; or NULL */
    void (*values)(void);                       /* tells more values by uc_value; or NULL */
};

struct uc_thread {
    const char *waits;
    void (*run)(int);
    int sq, turn, restart;
    char name[32], did[256];
    jmp_buf top;
    pthread_cond_t go;
};

static struct uc_thread uc_threads[64];
static const struct uc_device *uc_it;
static int uc_count, uc_sqs, uc_cq_size, uc_told;
static pthread_mutex_t uc_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t uc_stopped = PTHREAD_COND_INITIALIZER;
static _Thread_local struct uc_thread *uc_self;

/* -- in threads that are stepped; elsewhere uc_did does nothing ---------------------------------------------------- */
static void uc_stop(void)
{
    pthread_mutex_lock(&uc_lock);
    uc_self->turn = 0;
    pthread_cond_signal(&uc_stopped);
    while (!uc_self->turn)
        pthread_cond_wait(&uc_self->go, &uc_lock);
    pthread_mutex_unlock(&uc_lock);
    if (uc_self->restart)
        longjmp(uc_self->top, 1);
}

static inline void uc_did(const char *event) /* the thread has done this: here its step ends */
{
    if (uc_self)
        snprintf(uc_self->did, sizeof uc_self->did, "\"%s\"", event), uc_stop();
}

static inline void uc_waits(const char *why) /* it cannot go on: "sleep", or "lock". To be called in a loop. */
{
    if (!uc_self)
        fprintf(stderr, "a thread that uncork does not step waits for ever (%s)\n", why), exit(1);
    uc_self->waits = why;
    uc_stop();
}

static void *uc_body(void *self)
{
    uc_self = self;
    setjmp(uc_self->top); /* a reset comes back to here */
    uc_self->restart = 0;
    uc_stop();
    uc_self->run(uc_self->sq);
    return NULL; /* it never does */
}

static inline void uc_thread(const char *name, void (*run)(int), int sq) /* name: as in docs/harness.md, sq0.worker */
{
    struct uc_thread *t = &uc_threads[uc_count++];
    pthread_t id;
    *t = (struct uc_thread){.waits = "", .run = run, .sq = sq, .turn = 1};
    snprintf(t->name, sizeof t->name, "%s", name);
    if (pthread_cond_init(&t->go, NULL) || pthread_create(&id, NULL, uc_body, t))
        exit(1);
}

static const char *uc_name(int queue) /* cq, sq0, ... */
{
    static char name[16];
    return snprintf(name, sizeof name, queue < 0 ? "cq" : "sq%d", queue), name;
}

static inline void uc_value(int queue, const char *field, long value) /* as in cq.permits */
{
    printf("%s\"%s.%s\":%ld", uc_told++ ? "," : "", uc_name(queue), field, value);
}

/* -- the protocol -------------------------------------------------------------------------------------------------- */
static void uc_turn(struct uc_thread *t, int restart)
{
    pthread_mutex_lock(&uc_lock);
    while (t->turn) /* it has not come to its first stop */
        pthread_cond_wait(&uc_stopped, &uc_lock);
    t->did[0] = '\0', t->waits = "", t->restart = restart, t->turn = 1;
    pthread_cond_signal(&t->go);
    while (t->turn)
        pthread_cond_wait(&uc_stopped, &uc_lock);
    pthread_mutex_unlock(&uc_lock);
}

static void uc_settle(void)
{
    for (int waiting = 0, k = 0; waiting < uc_count; k = (k + 1) % uc_count)
        uc_turn(&uc_threads[k], 0), waiting = *uc_threads[k].waits ? waiting + 1 : 0;
}

static const char *uc_text(const char *line, const char *key) /* what follows "key": in a request */
{
    char quoted[32];
    const char *at = strstr(line, (snprintf(quoted, sizeof quoted, "\"%s\"", key), quoted));
    return at ? at + strlen(quoted) + strspn(at + strlen(quoted), ": \"") : "";
}

static int uc_int(const char *line, const char *key) { return (int)strtoll(uc_text(line, key), NULL, 10); }
static int uc_is(const char *line, const char *key, const char *value)
{
    const char *at = uc_text(line, key);
    return !strncmp(at, value, strlen(value)) && at[strlen(value)] == '"';
}

static void uc_answer(const struct uc_thread *stepped)
{
    for (int q = UC_CQ; q < uc_sqs; q++)
        printf("%s\"%s.shadow\":%u,\"%s.eventidx\":%u", q == UC_CQ ? "\"words\":{" : ",", uc_name(q),
               *uc_it->word(q, UC_SHADOW), uc_name(q), *uc_it->word(q, UC_EVENTIDX));
    for (int slot = 0, e[3]; slot < uc_cq_size; slot++)
        uc_it->cqe(slot, e), printf("%s[%d,%d,%d]", slot ? "," : "},\"cqes\":[", e[0], e[1], e[2]);
    if (stepped)
        printf("],\"did\":[%s],\"waits\":\"%s\"", stepped->did, stepped->waits);
    uc_told = 0, printf("%s,\"values\":{", stepped ? "" : "]");
    if (uc_it->values)
        uc_it->values();
    printf("}}\n");
}

static void uc_hello(const char *line)
{
    uc_sqs = uc_int(line, "sqs"), uc_cq_size = uc_int(line, "cq_size");
    const char *why = uc_it->setup(uc_sqs, uc_int(line, "sq_size"), uc_cq_size), *at = uc_it->events;
    printf(why ? "\"error\":\"%s\"}\n" : "\"protocol\":1,\"name\":\"%s\",\"threads\":[", why ? why : uc_it->name);
    for (int k = 0; !why && k < uc_count; k++)
        printf("%s\"%s\"", k ? "," : "", uc_threads[k].name);
    for (; !why && *at; at += strcspn(at, " "), at += strspn(at, " "))
        printf("%s\"%.*s\"", at == uc_it->events ? "],\"events\":[" : ",", (int)strcspn(at, " "), at);
    printf(why ? "" : *uc_it->events ? "]}\n" : "],\"events\":[]}\n");
}

static inline int uc_main(const struct uc_device *device)
{
    static char line[4096];
    for (uc_it = device; fgets(line, sizeof line, stdin); fflush(stdout)) {
        const char *name = uc_text(line, "word"), *queue = uc_text(line, "queue");
        int sq = uc_int(line, "sq"), value = uc_int(line, "value"), known = 1;
        struct uc_thread *stepped = NULL;
        printf("{\"n\":%d,", uc_int(line, "n"));
        if (uc_is(line, "do", "hello")) {
            uc_hello(line);
            continue;
        } else if (uc_is(line, "do", "reset"))
            for (device->reset(), value = 0; value < uc_count; value++)
                uc_turn(&uc_threads[value], 1);
        else if (uc_is(line, "do", "entry"))
            device->entry(sq, uc_int(line, "slot"), uc_int(line, "cid"));
        else if (uc_is(line, "do", "store"))
            *device->word(*name == 'c' ? UC_CQ : atoi(name + 2), strchr(name, '.')[1] == 'e') = (uint32_t)value;
        else if (uc_is(line, "do", "ring"))
            device->ring(*queue == 'c' ? UC_CQ : atoi(queue + 2), (uint32_t)value);
        else if (uc_is(line, "do", "delete") && device->remove)
            device->remove(sq);
        else if (uc_is(line, "do", "create") && device->create)
            device->create(sq);
        else if (uc_is(line, "do", "settle"))
            uc_settle();
        else if (uc_is(line, "do", "step"))
            for (int k = 0; k < uc_count; k++)
                stepped = uc_is(line, "thread", uc_threads[k].name) ? &uc_threads[k] : stepped;
        else
            known = uc_is(line, "do", "look");
        if (stepped)
            uc_turn(stepped, 0);
        known ? uc_answer(stepped) : (void)printf("\"error\":\"this harness does not do that\"}\n");
    }
    return 0;
}
#endif
