/* SPDX-License-Identifier: MIT */
/* The sets of the few items, and what can be taken of each. */
#include <string.h>

#include "base/checked.h"
#include "plan/alike.h"

/* A set with one item more of the few class at `place`. */
static mpl_set with_item(const mpl_alike *at, const mpl_set *of, uint32_t place)
{
    const uint32_t index = at->few[place];
    const mpl_cell *const own = mpl_alike_cell(at, index, at->host);
    const mpl_cell *const guest = mpl_alike_cell(at, index, at->guest);
    mpl_set made = *of;
    made.digits += UINT64_C(1) << (8 * place);
    made.bytes += own->own_bytes;
    made.home_bytes += guest->home_bytes;
    made.rest_bytes += guest->own_bytes;
    made.staging_bytes = mpl_max(made.staging_bytes, guest->staging_bytes);
    made.guest_ps = guest->time_ps == MPL_TIME_FORBIDDEN ||
                            made.guest_ps == MPL_TIME_FORBIDDEN
                        ? MPL_TIME_FORBIDDEN
                        : made.guest_ps + (guest->time_ps - own->time_ps);
    made.ends +=
        index == at->space->first_class || index == at->space->last_class;
    made.sides |= index < at->many ? 1 : 2;
    return made;
}

/* Lists the parts of a set behind those of the sets before it: those of the set
 * with an item less, then those with as many items of its last class, which
 * are the parts of the set without these, `whole` more. */
static void list_parts(mpl_alike *at, uint32_t index, uint32_t less,
                       uint32_t without)
{
    const uint32_t whole = index - without;
    const uint32_t first = at->first_part[index];
    const uint32_t count = at->first_part[less + 1] - at->first_part[less];
    uint32_t end = first + count;
    memcpy(&at->parts[first], &at->parts[at->first_part[less]], count);
    for (uint32_t part = at->first_part[without];
         part < at->first_part[without + 1]; part++)
        at->parts[end++] = (uint8_t)(at->parts[part] + whole);
    at->first_part[index + 1] = end;
}

bool mpl_alike_make_sets(mpl_alike *at, mpl_arena *arena)
{
    uint32_t count = 1;
    at->sets = mpl_arena_take(arena, at->set_count, sizeof *at->sets);
    at->parts = mpl_arena_take(arena, at->part_count, sizeof *at->parts);
    at->first_part =
        mpl_arena_take(arena, at->set_count + 1, sizeof *at->first_part);
    if (at->sets == NULL || at->parts == NULL || at->first_part == NULL)
        return false;
    at->sets[0] = (mpl_set){0};
    at->parts[0] = 0;
    at->first_part[0] = 0;
    at->first_part[1] = 1;
    for (uint32_t place = 0; place < at->few_count; place++) {
        const uint32_t value = count;
        for (uint32_t size = at->space->class_size[at->few[place]]; size > 0;
             size--)
            for (uint32_t index = 0; index < value; index++, count++) {
                const uint32_t less = count - value;
                at->sets[count] = with_item(at, &at->sets[less], place);
                list_parts(at, count, less, index);
            }
    }
    return true;
}
