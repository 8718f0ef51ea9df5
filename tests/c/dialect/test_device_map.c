/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "dialect/device_map.h"
#include "dialect/max_memory.h"
#include "dialect/sample_plan.h"

enum { MAX_UNITS = 32 };

/* Units from "name=pool …", pools by position; returns how many. */
static uint32_t read_units(mpl_plan_unit *units, char *text)
{
    uint32_t count = 0;
    for (char *word = strtok(text, " "); word != NULL;
         word = strtok(NULL, " ")) {
        char *const mark = strchr(word, '=');
        *mark = '\0';
        units[count++] =
            (mpl_plan_unit){.name = word, .pool = (uint32_t)(mark[1] - '0')};
    }
    return count;
}

/* The map of those units, on one line. */
static void expect_map(const char *given, const char *expected)
{
    char text[512];
    mpl_plan_unit units[MAX_UNITS];
    sample_plan sample;
    mpl_text out = {0};
    mpl_json_writer writer = {.text = &out, .is_inline = true};
    (void)snprintf(text, sizeof text, "%s", given);
    sample_plan_make(&sample, units, read_units(units, text));
    mpl_json_device_map(&writer, NULL, &sample.plan);
    cr_expect_str_eq(out.data, expected, "%s: %s, not %s", given, out.data,
                     expected);
    mpl_text_discard(&out);
}

Test(device_map, one_pool_is_the_empty_name)
{
    expect_map("model.embed=0 model.layers.0=0 lm_head=0", "{\"\": 0}");
    expect_map("model.embed=2 lm_head=2", "{\"\": \"cpu\"}");
}

Test(device_map, modules_stand_for_their_units)
{
    expect_map("vision.a.0=1 vision.a.1=1 text.layers.0=0 text.head=0",
               "{\"vision\": 1, \"text\": 0}");
    expect_map("m.layers.0=0 m.layers.1=0 m.layers.2=2 m.norm=2 head=3",
               "{\"m.layers.0\": 0, \"m.layers.1\": 0, \"m.layers.2\": "
               "\"cpu\", \"m.norm\": \"cpu\", \"head\": \"disk\"}");
}

Test(device_map, a_number_is_no_prefix_of_another)
{
    expect_map("m.1=0 m.10=2 m.11=2",
               "{\"m.1\": 0, \"m.10\": \"cpu\", \"m.11\": \"cpu\"}");
}

Test(device_map, a_unit_may_lie_below_another)
{
    expect_map("m=0 m.norm=2 m.norm.x=0",
               "{\"m\": 0, \"m.norm\": \"cpu\", \"m.norm.x\": 0}");
}

Test(device_map, keeps_the_order_of_execution)
{
    expect_map("z.a=0 b.a=2 z.b=0", "{\"z\": 0, \"b\": \"cpu\"}");
}

/* The entry that decides for a name: the longest that it is, or is below. */
static uint32_t resolve(const mpl_map_entry *map, uint32_t count,
                        const char *name)
{
    uint64_t longest = 0;
    uint32_t pool = MPL_NO_INDEX;
    for (uint32_t at = 0; at < count; at++) {
        const uint64_t length = map[at].length;
        const bool matches =
            length == 0 || (strncmp(name, map[at].name, length) == 0 &&
                            (name[length] == '\0' || name[length] == '.'));
        if (matches && (pool == MPL_NO_INDEX || length >= longest)) {
            longest = length;
            pool = map[at].pool;
        }
    }
    return pool;
}

/* Random trees: every unit resolves to its own pool, and no entry is longer
 * than the unit's name. */
Test(device_map, covers_every_unit)
{
    uint64_t seed = 12345;
    for (uint32_t round = 0; round < 3000; round++) {
        char names[MAX_UNITS][24];
        mpl_plan_unit units[MAX_UNITS];
        sample_plan sample;
        uint32_t count = 0;
        while (count < MAX_UNITS) {
            seed = seed * UINT64_C(6364136223846793005) + 1;
            const uint32_t roll = (uint32_t)(seed >> 33);
            char *const name = names[count];
            (void)snprintf(name, sizeof names[0], "%c.%u%s%s", "ab"[roll & 1],
                           (roll >> 1) & 15, (roll >> 5) & 1 ? ".x" : "",
                           (roll >> 6) & 1 ? ".y" : "");
            bool is_new = true;
            for (uint32_t at = 0; at < count; at++)
                is_new &= strcmp(names[at], name) != 0;
            /* Few changes of pool, so that modules do merge. */
            units[count] =
                (mpl_plan_unit){.name = name,
                                .pool = (roll >> 8) % 8 == 0 ? (roll >> 11) % 3
                                        : name[0] == 'a'     ? round % 3
                                                             : 1};
            count += is_new;
            if (!is_new && roll % 16 == 0)
                break;
        }
        sample_plan_make(&sample, units, count);
        uint32_t entries = 0;
        mpl_arena *const arena = mpl_arena_create();
        const mpl_map_entry *const map =
            mpl_device_map(arena, &sample.plan, &entries);
        cr_assert_leq(entries, count);
        for (uint32_t at = 0; at < count; at++)
            cr_assert_eq(resolve(map, entries, units[at].name), units[at].pool,
                         "round %u: %s", round, units[at].name);
        mpl_arena_free(arena);
    }
}

/* 20 GiB less 3 of cache and 2 of activations; staging is Accelerate's own. */
Test(max_memory, leaves_out_what_is_no_weight)
{
    sample_plan sample;
    sample_plan_make(&sample, NULL, 0);
    cr_expect_eq(mpl_max_memory_bytes(&sample.pools[0]), UINT64_C(15) << 30);
    cr_expect_eq(mpl_max_memory_bytes(&sample.pools[3]), MEMPLAN_UNKNOWN);
}

/* "auto" fills every device that has a key, and puts a cache there too. */
Test(max_memory, names_no_device_that_stays_empty)
{
    static const char *const CASES[][2] = {
        {"a=0 b=2", "{\"0\": 16106127360, \"cpu\": 64424509440}"},
        {"a=1 b=1", "{\"1\": 21474836480, \"cpu\": 64424509440}"},
        {"a=2 b=3", "{\"cpu\": 64424509440}"},
    };
    for (size_t at = 0; at < sizeof CASES / sizeof *CASES; at++) {
        char text[32];
        mpl_plan_unit units[MAX_UNITS];
        sample_plan sample;
        mpl_text out = {0};
        mpl_json_writer writer = {.text = &out, .is_inline = true};
        (void)snprintf(text, sizeof text, "%s", CASES[at][0]);
        sample_plan_make(&sample, units, read_units(units, text));
        cr_expect(mpl_json_max_memory(&writer, NULL, &sample.plan));
        cr_expect_str_eq(out.data, CASES[at][1]);
        mpl_text_discard(&out);
    }
}
