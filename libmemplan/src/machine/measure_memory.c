/* SPDX-License-Identifier: MIT */
/*
 * How fast all allowed threads together read a node's memory.
 *
 * Each thread walks a buffer of its own on the node, adding up 64-bit words;
 * the rate is the bytes that all of them walk over the time from the first
 * start to the last end, the best of many short rounds, so that one round
 * without a disturbance is enough. A round walks a quarter of the buffers;
 * when it comes round again, the caches have forgotten it. No round starts
 * after a fifth of a second.
 */
#define _GNU_SOURCE /* cpu_set_t, mmap flags, syscall */
#include "machine/measure.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/checked.h"
#include "machine/bitmap.h"
#include "machine/tree.h"

enum {
    MAX_THREADS = 256,
    ROUNDS = 128,
    WINDOWS = 4,
    LONG_BITS = 8 * sizeof(long)
};
static const uint64_t THREAD_BYTES = UINT64_C(64) << 20;
static const uint64_t ALL_BYTES = UINT64_C(2) << 30;
static const uint64_t LEAST_BYTES = UINT64_C(4) << 20; /* a thread */
static const uint64_t BUDGET_NS = UINT64_C(200000000);

/* What the threads of one node share. Between two meetings one thread alone
 * writes what others read. */
typedef struct team {
    pthread_mutex_t gate; /* held until all threads are there */
    pthread_barrier_t meeting;
    uint64_t deadline_ns;
    uint64_t bytes; /* a thread */
    bool is_cancelled;
    bool is_over;
} team;

typedef struct member {
    team *of;
    pthread_t thread;
    uint32_t index;
    uint32_t cpu;
    uint64_t *words;
    uint64_t sum; /* kept, so that the reading is not optimised away */
    uint64_t begun_ns[ROUNDS];
    uint64_t ended_ns[ROUNDS];
    uint32_t round_count;
} member;

/* Four sums, so that adding does not wait for itself. */
static uint64_t read_words(const uint64_t *words, uint64_t count)
{
    uint64_t a = 0;
    uint64_t b = 0;
    uint64_t c = 0;
    uint64_t d = 0;
    for (uint64_t at = 0; at + 8 <= count; at += 8) {
        a += words[at] + words[at + 4];
        b += words[at + 1] + words[at + 5];
        c += words[at + 2] + words[at + 6];
        d += words[at + 3] + words[at + 7];
    }
    return a + b + c + d;
}

static void settle_on(uint32_t cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    (void)sched_setaffinity(0, sizeof set, &set);
}

static void *run_member(void *given)
{
    member *const self = given;
    team *const of = self->of;
    (void)pthread_mutex_lock(&of->gate);
    const bool is_cancelled = of->is_cancelled;
    (void)pthread_mutex_unlock(&of->gate);
    if (is_cancelled)
        return NULL;
    settle_on(self->cpu);
    memset(self->words, 1, (size_t)of->bytes);
    while (self->round_count < ROUNDS) {
        (void)pthread_barrier_wait(&of->meeting);
        self->begun_ns[self->round_count] = mpl_now_ns();
        const uint64_t window = of->bytes / 8 / WINDOWS;
        self->sum += read_words(
            self->words + window * (self->round_count % WINDOWS), window);
        self->ended_ns[self->round_count++] = mpl_now_ns();
        (void)pthread_barrier_wait(&of->meeting);
        if (self->index == 0)
            of->is_over = mpl_now_ns() > of->deadline_ns;
        (void)pthread_barrier_wait(&of->meeting);
        if (of->is_over)
            break;
    }
    return NULL;
}

static uint64_t faster(uint64_t a, uint64_t b)
{
    return a == MEMPLAN_UNKNOWN ? b : b == MEMPLAN_UNKNOWN ? a : mpl_max(a, b);
}

/*
 * The best round of all threads together; or of one thread, where that is
 * faster: on a machine that is busy with other work the threads hardly ever
 * run at the same time, and what one of them reads is still true.
 */
static uint64_t best_rate(const member *members, uint32_t count, uint64_t bytes)
{
    uint64_t best = MEMPLAN_UNKNOWN;
    for (uint32_t round = 0; round < members[0].round_count; round++) {
        uint64_t begun = UINT64_MAX;
        uint64_t ended = 0;
        for (uint32_t at = 0; at < count; at++) {
            const member *const one = &members[at];
            begun = mpl_min(begun, one->begun_ns[round]);
            ended = mpl_max(ended, one->ended_ns[round]);
            best = faster(best, mpl_rate_of(bytes, one->ended_ns[round] -
                                                       one->begun_ns[round]));
        }
        best = faster(best, mpl_rate_of(bytes * count, ended - begun));
    }
    return best;
}

/* Asks the kernel to take a buffer's pages from one node. */
static void bind_to_node(void *place, uint64_t bytes, uint32_t node)
{
    enum { BIND = 2 };
    unsigned long mask[16] = {0};
    if (node >= 16 * LONG_BITS)
        return;
    mask[node / LONG_BITS] = 1UL << (node % LONG_BITS);
    (void)syscall(SYS_mbind, place, (size_t)bytes, BIND, mask, 16UL * LONG_BITS,
                  0U);
}

static uint64_t run_team(team *of, member *members, uint32_t count)
{
    uint32_t started = 0;
    if (pthread_barrier_init(&of->meeting, NULL, count) != 0)
        return MEMPLAN_UNKNOWN;
    (void)pthread_mutex_init(&of->gate, NULL);
    (void)pthread_mutex_lock(&of->gate);
    while (started < count &&
           pthread_create(&members[started].thread, NULL, run_member,
                          &members[started]) == 0)
        started++;
    of->is_cancelled = started < count; /* a meeting needs all of them */
    of->deadline_ns = mpl_now_ns() + BUDGET_NS;
    (void)pthread_mutex_unlock(&of->gate);
    for (uint32_t at = 0; at < started; at++)
        (void)pthread_join(members[at].thread, NULL);
    (void)pthread_mutex_destroy(&of->gate);
    (void)pthread_barrier_destroy(&of->meeting);
    return of->is_cancelled ? MEMPLAN_UNKNOWN
                            : best_rate(members, count, of->bytes / WINDOWS);
}

/* The processors beside a node that this process may use; all that it may
 * use where none is beside it (HBM, CXL). */
static uint32_t find_cpus(uint32_t node, uint32_t *cpus)
{
    const mpl_tree here = {""};
    char list[1024];
    mpl_bitmap near;
    cpu_set_t allowed;
    uint32_t count = 0;
    CPU_ZERO(&allowed);
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        return 0;
    const bool has_near =
        mpl_tree_text(&here, list, sizeof list,
                      "/sys/devices/system/node/node%u/cpulist", node) &&
        mpl_bitmap_read_list(&near, list) && mpl_bitmap_count(&near) > 0;
    for (uint32_t cpu = 0; cpu < CPU_SETSIZE && count < MAX_THREADS; cpu++)
        if (CPU_ISSET(cpu, &allowed) &&
            (!has_near || mpl_bitmap_has(&near, cpu)))
            cpus[count++] = cpu;
    return count;
}

uint64_t mpl_measure_node(mpl_arena *arena, uint32_t node, uint64_t spare_bytes)
{
    uint32_t cpus[MAX_THREADS];
    const uint32_t count = find_cpus(node, cpus);
    member *const members = mpl_arena_alloc(arena, count, sizeof *members);
    if (count == 0 || members == NULL)
        return MEMPLAN_UNKNOWN;
    team of = {.bytes =
                   mpl_min(THREAD_BYTES, mpl_min(ALL_BYTES, spare_bytes / 4) /
                                             count / 4096 * 4096)};
    if (of.bytes < LEAST_BYTES)
        return MEMPLAN_UNKNOWN;
    const uint64_t all = of.bytes * count;
    void *const place = mmap(NULL, (size_t)all, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (place == MAP_FAILED)
        return MEMPLAN_UNKNOWN;
    bind_to_node(place, all, node);
    for (uint32_t at = 0; at < count; at++)
        members[at] = (member){.of = &of,
                               .index = at,
                               .cpu = cpus[at],
                               .words = (uint64_t *)place + of.bytes / 8 * at};
    const uint64_t rate = run_team(&of, members, count);
    (void)munmap(place, (size_t)all);
    return rate;
}
