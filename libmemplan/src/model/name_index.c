/* SPDX-License-Identifier: MIT */
#include "model/name_index.h"

#include <stddef.h>
#include <string.h>

#include "memplan.h"

/* Eight bytes at a time; the constants are odd and have no pattern. */
static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9e3779b97f4a7c15;
    return hash ^ hash >> 29;
}

static uint64_t hash_name(const char *name)
{
    uint64_t left = strlen(name);
    uint64_t hash = mix(0xd6e8feb86659fd93, left);
    for (; left >= 8; left -= 8, name += 8) {
        uint64_t word;
        memcpy(&word, name, 8);
        hash = mix(hash, word);
    }
    uint64_t tail = 0;
    memcpy(&tail, name, (size_t)left);
    hash = mix(hash, tail);
    return hash ^ hash >> 32;
}

static const char *name_at(const mpl_name_index *index, uint64_t position)
{
    const char *name;
    memcpy(&name,
           (const char *)index->first_name + position * index->stride_bytes,
           sizeof name);
    return name;
}

/* Sorts one run of equal hashes by name, then by position. Such runs are
 * duplicates, or made by an enemy: a heap sort never degrades. */
static bool is_before(const mpl_name_index *index, const mpl_sort_item *a,
                      const mpl_sort_item *b)
{
    const int order =
        strcmp(name_at(index, a->value), name_at(index, b->value));
    return order != 0 ? order < 0 : a->value < b->value;
}

static void sift(const mpl_name_index *index, mpl_sort_item *run, uint64_t root,
                 uint64_t count)
{
    for (uint64_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && is_before(index, &run[child], &run[child + 1]))
            child++;
        if (!is_before(index, &run[root], &run[child]))
            return;
        const mpl_sort_item swap = run[root];
        run[root] = run[child];
        run[child] = swap;
    }
}

static void sort_run(const mpl_name_index *index, mpl_sort_item *run,
                     uint64_t count)
{
    for (uint64_t root = count / 2; root-- > 0;)
        sift(index, run, root, count);
    for (uint64_t last = count; last-- > 1;) {
        const mpl_sort_item swap = run[0];
        run[0] = run[last];
        run[last] = swap;
        sift(index, run, 0, last);
    }
}

static void find_duplicate(mpl_name_index *index, const mpl_sort_item *run,
                           uint64_t count)
{
    for (uint64_t at = 1; at < count; at++)
        if (run[at].value < index->duplicate &&
            strcmp(name_at(index, run[at - 1].value),
                   name_at(index, run[at].value)) == 0)
            index->duplicate = run[at].value;
}

bool mpl_name_index_build(mpl_name_index *out, mpl_arena *arena,
                          const void *first_name, uint64_t stride_bytes,
                          uint64_t count)
{
    mpl_sort_item *const entries =
        mpl_arena_alloc(arena, count, sizeof *entries);
    mpl_sort_item *const scratch =
        mpl_arena_alloc(arena, count, sizeof *scratch);
    if (entries == NULL || scratch == NULL)
        return false;
    mpl_name_index made = {.entries = entries,
                           .first_name = first_name,
                           .stride_bytes = stride_bytes,
                           .count = count,
                           .duplicate = MEMPLAN_UNKNOWN};
    for (uint64_t at = 0; at < count; at++)
        entries[at] = (mpl_sort_item){hash_name(name_at(&made, at)), at};
    mpl_sort(entries, scratch, count);
    for (uint64_t begin = 0, end; begin < count; begin = end) {
        end = begin + 1;
        while (end < count && entries[end].key == entries[begin].key)
            end++;
        if (end - begin > 1) {
            sort_run(&made, entries + begin, end - begin);
            find_duplicate(&made, entries + begin, end - begin);
        }
    }
    *out = made;
    return true;
}

/* An open table of hashes, half empty, so a glance takes one or two steps; a
 * file made of colliding names uses up its steps and is sorted. */
bool mpl_names_are_distinct(mpl_arena *arena, const void *first_name,
                            uint64_t stride_bytes, uint64_t count)
{
    uint64_t slots = 16;
    while (slots < 2 * count)
        slots *= 2;
    uint64_t *const table = mpl_arena_alloc(arena, slots, sizeof *table);
    const mpl_name_index names = {.first_name = first_name,
                                  .stride_bytes = stride_bytes};
    uint64_t steps_left = 4 * slots;
    for (uint64_t at = 0; table != NULL && at < count; at++) {
        const uint64_t hash = hash_name(name_at(&names, at)) | 1; /* 0: free */
        uint64_t slot = (hash >> 20) & (slots - 1);
        for (; table[slot] != 0; slot = (slot + 1) & (slots - 1))
            if (table[slot] == hash || steps_left-- == 0)
                return false;
        table[slot] = hash;
    }
    return table != NULL;
}

uint64_t mpl_name_index_find(const mpl_name_index *index, const char *name)
{
    const uint64_t hash = hash_name(name);
    uint64_t low = 0;
    uint64_t high = index->count;
    while (low < high) { /* the first entry that is not before the name */
        const uint64_t middle = low + (high - low) / 2;
        const mpl_sort_item *const entry = &index->entries[middle];
        if (entry->key < hash ||
            (entry->key == hash &&
             strcmp(name_at(index, entry->value), name) < 0))
            low = middle + 1;
        else
            high = middle;
    }
    if (low < index->count && index->entries[low].key == hash &&
        strcmp(name_at(index, index->entries[low].value), name) == 0)
        return index->entries[low].value;
    return MEMPLAN_UNKNOWN;
}
