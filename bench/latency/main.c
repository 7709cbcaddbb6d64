// The same stores as main.medi, measured in the same way, on the Boehm collector.

#include <gc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { EVENTS_OF_A_PATIENT = 8, CHURN_BATCH = 64, ARRAY_BYTES = 1024, BUCKETS = 2048 };

static void *allocated(void *memory) {
    if (memory == NULL) {
        fprintf(stderr, "out of memory\n");
        exit(1);
    }
    return memory;
}

// ---- churn ----

typedef struct Event {
    int64_t time;
    int64_t code;
    double value;
    struct Event *next;
} Event;

static struct {
    Event **patients;
    int64_t count;
    int64_t time;
    uint32_t random;
    int64_t checksum;
} churn = {.random = 2463534242u};

// The next number of Marsaglia's xorshift with 32 bits.
static uint32_t draw(void) {
    uint32_t x = churn.random;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    churn.random = x;
    return x;
}

static Event *new_event(uint32_t drawn, Event *next) {
    Event *event = allocated(GC_MALLOC(sizeof(Event)));
    churn.time += 1;
    event->time = churn.time;
    event->code = drawn & 65535;
    event->value = event->code * 0.5;
    event->next = next;
    return event;
}

static void fill_churn(int64_t events) {
    churn.count = events / EVENTS_OF_A_PATIENT;
    churn.patients = allocated(GC_MALLOC(churn.count * sizeof(Event *)));
    for (int round = 0; round < EVENTS_OF_A_PATIENT; round++) {
        for (int64_t i = 0; i < churn.count; i++) {
            churn.patients[i] = new_event(draw(), churn.patients[i]);
        }
    }
}

static void replace_event(void) {
    uint32_t drawn = draw();
    int64_t slot = (drawn >> 1) % (churn.count * EVENTS_OF_A_PATIENT);
    int64_t patient = slot / EVENTS_OF_A_PATIENT, position = slot % EVENTS_OF_A_PATIENT;
    Event **link = &churn.patients[patient];
    for (int64_t i = 0; i < position; i++) {
        link = &(*link)->next;
    }
    Event *old = *link;
    *link = new_event(drawn, old->next);
    churn.checksum += old->code;
}

static void churn_batch(void) {
    for (int i = 0; i < CHURN_BATCH; i++) {
        replace_event();
    }
}

// ---- window ----

static struct {
    unsigned char **ring;
    int64_t count;
    int64_t pushed;
    int64_t checksum;
} window;

static unsigned char *new_array(void) {
    unsigned char *array = allocated(GC_MALLOC_ATOMIC(ARRAY_BYTES));
    window.pushed += 1;
    memset(array, (int)(window.pushed & 255), ARRAY_BYTES);
    return array;
}

static void fill_window(int64_t arrays) {
    window.count = arrays;
    window.ring = allocated(GC_MALLOC(arrays * sizeof(unsigned char *)));
    for (int64_t i = 0; i < arrays; i++) {
        window.ring[i] = new_array();
    }
}

static void push(void) {
    int64_t oldest = window.pushed % window.count;
    window.checksum += window.ring[oldest][ARRAY_BYTES - 1];
    window.ring[oldest] = new_array();
}

// ---- measuring ----

typedef struct {
    int64_t counts[BUCKETS];
    int64_t longest;
} Latencies;

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void add(Latencies *latencies, int64_t duration) {
    if (duration > latencies->longest) {
        latencies->longest = duration;
    }
    int bucket = 0;
    while (duration >= 64) {
        duration >>= 1;
        bucket += 32;
    }
    latencies->counts[bucket + duration] += 1;
}

static void time_batches(Latencies *latencies, void (*batch)(void), int64_t batches) {
    int64_t last = now();
    for (int64_t i = 0; i < batches; i++) {
        batch();
        int64_t t = now();
        add(latencies, t - last);
        last = t;
    }
}

static void measure(void (*batch)(void), int batch_len, int64_t operations) {
    static Latencies warm_up, latencies;
    if (operations == 0) {
        GC_gcollect();
        printf("live %zu\n", GC_get_heap_size() - GC_get_free_bytes());
        return;
    }
    int64_t batches = operations / batch_len;
    time_batches(&warm_up, batch, batches / 4);
    int64_t started = now();
    time_batches(&latencies, batch, batches);
    int64_t ended = now();
    printf("operations %ld\nnanoseconds %ld\n", batches * batch_len, ended - started);
    printf("longest %ld\n", latencies.longest);
    for (int bucket = 0; bucket < BUCKETS; bucket++) {
        if (latencies.counts[bucket] > 0) {
            printf("bucket %d %ld\n", bucket, latencies.counts[bucket]);
        }
    }
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: main churn|window SIZE OPERATIONS\n");
        return 2;
    }
    int64_t size = atoll(argv[2]), operations = atoll(argv[3]);
    GC_INIT();
    if (strcmp(argv[1], "churn") == 0) {
        fill_churn(size);
        measure(churn_batch, CHURN_BATCH, operations);
        printf("checksum %ld\n", churn.checksum);
    } else {
        fill_window(size);
        measure(push, 1, operations);
        printf("checksum %ld\n", window.checksum);
    }
    return 0;
}
