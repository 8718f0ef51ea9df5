/* SPDX-License-Identifier: MIT */
#include "plan/pins.h"

#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "base/nearest.h"

/* One pin, its parts still in the caller's text. */
typedef struct pin {
    const char *name;
    size_t name_length; /* before the range, with its dot */
    const char *key;
    size_t key_length;
    uint64_t first; /* of the range */
    uint64_t last;
    bool has_range;
} pin;

static const char *read_digits(const char *text, const char *end, uint64_t *out)
{
    uint64_t value = 0;
    const char *at = text;
    for (; at < end && *at >= '0' && *at <= '9' && value < UINT32_MAX; at++)
        value = value * 10 + (uint64_t)(*at - '0');
    *out = value;
    return at;
}

/* "model.layers.0..9": the name keeps "model.layers.". */
static bool read_range(pin *made)
{
    const char *const end = made->name + made->name_length;
    const char *start = end;
    for (const char *at = made->name; at + 1 < end; at++)
        if (at[0] == '.' && at[1] == '.') {
            start = at;
            break;
        }
    if (start == end)
        return true;
    const char *digits = start;
    while (digits > made->name && digits[-1] >= '0' && digits[-1] <= '9')
        digits--;
    if (digits == start || read_digits(digits, start, &made->first) != start ||
        start + 2 == end || read_digits(start + 2, end, &made->last) != end ||
        made->last < made->first)
        return false;
    made->name_length = (size_t)(digits - made->name);
    made->has_range = true;
    return true;
}

/* With a range, `*last` grows to the number of a unit that it covers. */
static bool covers(const pin *given, const char *unit, uint64_t *last)
{
    if (strncmp(unit, given->name, given->name_length) != 0)
        return false;
    const char *const rest = unit + given->name_length;
    if (!given->has_range)
        return *rest == '\0' || *rest == '.';
    uint64_t number;
    const char *const end = rest + strlen(rest);
    const char *const after = read_digits(rest, end, &number);
    if (after == rest || (*after != '\0' && *after != '.') ||
        number < given->first || number > given->last)
        return false;
    *last = mpl_max(*last, number);
    return true;
}

static uint32_t find_pool(const memplan_machine *machine, const pin *given)
{
    for (uint32_t at = 0; at < machine->pool_count; at++)
        if (strlen(machine->pools[at].key) == given->key_length &&
            memcmp(machine->pools[at].key, given->key, given->key_length) == 0)
            return at;
    return MPL_NO_INDEX;
}

static memplan_status fail_unit(const pin *given, const memplan_model *model,
                                memplan_error *error)
{
    char wanted[64];
    const size_t length = given->name_length < sizeof wanted
                              ? given->name_length
                              : sizeof wanted - 1;
    memcpy(wanted, given->name, length);
    wanted[length] = '\0';
    mpl_nearest nearest = {0};
    for (uint32_t at = 0; at < model->unit_count; at++)
        mpl_nearest_offer(&nearest, wanted, model->units[at].name);
    return mpl_fail(error, MEMPLAN_E_NOT_FOUND, MPL_NOWHERE,
                    "pins: no unit of this model is \"%s%s\"%s%.60s", wanted,
                    given->has_range ? "N\" in that range, or \"N" : "",
                    nearest.count != 0 ? "; the nearest is " : "",
                    nearest.count != 0 ? nearest.words[0] : "");
}

static memplan_status apply(uint32_t *pool_of_unit, const pin *given,
                            const memplan_model *model,
                            const memplan_machine *machine,
                            memplan_error *error)
{
    const uint32_t pool = find_pool(machine, given);
    uint64_t last = 0;
    bool is_used = false;
    if (pool == MPL_NO_INDEX)
        return mpl_fail(error, MEMPLAN_E_NOT_FOUND, MPL_NOWHERE,
                        "pins: this machine has no pool \"%.*s\"",
                        (int)(given->key_length < 40 ? given->key_length : 40),
                        given->key);
    for (uint32_t at = 0; at < model->unit_count; at++) {
        if (!covers(given, model->units[at].name, &last))
            continue;
        is_used = true;
        if (pool_of_unit[at] != MPL_NO_INDEX && pool_of_unit[at] != pool)
            return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                            "pins: \"%.80s\" goes to two pools, \"%s\" and "
                            "\"%s\"",
                            model->units[at].name,
                            machine->pools[pool_of_unit[at]].key,
                            machine->pools[pool].key);
        pool_of_unit[at] = pool;
    }
    if (!is_used)
        return fail_unit(given, model, error);
    if (given->has_range && last < given->last)
        return mpl_fail(
            error, MEMPLAN_E_NOT_FOUND, MPL_NOWHERE,
            "pins: a range ends with %llu, and the last unit in it "
            "is \"%.*s%llu\"",
            (unsigned long long)given->last,
            (int)(given->name_length < 60 ? given->name_length : 60),
            given->name, (unsigned long long)last);
    return MEMPLAN_OK;
}

memplan_status mpl_pins_read(uint32_t *pool_of_unit, const char *pins,
                             const memplan_model *model,
                             const memplan_machine *machine,
                             memplan_error *error)
{
    for (uint32_t at = 0; at < model->unit_count; at++)
        pool_of_unit[at] = MPL_NO_INDEX;
    const char *at = pins != NULL ? pins : "";
    while (*at != '\0') {
        const size_t length = strcspn(at, ",");
        const char *const equals = memchr(at, '=', length);
        if (equals == NULL || equals == at || equals + 1 == at + length)
            return mpl_fail(error, MEMPLAN_E_ARGUMENT, (uint64_t)(at - pins),
                            "pins: \"%.*s\": write unit=pool, such as "
                            "model.layers.0..9=0",
                            (int)(length < 60 ? length : 60), at);
        pin given = {.name = at,
                     .name_length = (size_t)(equals - at),
                     .key = equals + 1,
                     .key_length = (size_t)(at + length - equals - 1)};
        if (!read_range(&given))
            return mpl_fail(error, MEMPLAN_E_ARGUMENT, (uint64_t)(at - pins),
                            "pins: \"%.*s\": a range is two numbers, the "
                            "smaller first, at the end of a name",
                            (int)(length < 60 ? length : 60), at);
        const memplan_status status =
            apply(pool_of_unit, &given, model, machine, error);
        if (status != MEMPLAN_OK)
            return status;
        at += length;
        at += *at == ',';
    }
    return MEMPLAN_OK;
}
