/* SPDX-License-Identifier: MIT */
/* The JSON reader by itself: walks all that it accepts; and the same bytes as
 * a config.json and as a weight index. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "target.h"

static uint64_t walk_all(mpl_json_value value)
{
    uint64_t sum = 0;
    double real;
    if (mpl_json_real(value, &real))
        sum++;
    uint64_t length = 0;
    const char *const text = mpl_json_string(value, &length);
    for (uint64_t at = 0; text != NULL && at < length; at++)
        sum += (unsigned char)text[at];
    for (mpl_json_walk walk = mpl_json_begin(value); mpl_json_next(&walk);)
        sum += walk.key_length + walk_all(walk.value);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { PADDING_BYTES = 64 };
    uint8_t *const copy = calloc(1, size + PADDING_BYTES);
    if (copy == NULL)
        return 0;
    if (size > 0)
        memcpy(copy, data, size);
    mpl_json *json = NULL;
    if (mpl_json_parse(&json, copy, size, NULL) == MEMPLAN_OK)
        (void)walk_all(mpl_json_root(json));
    mpl_json_free(json);
    free(copy);
    fuzz_open(data, size, ".json");
    fuzz_open(data, size, ".index.json");
    return 0;
}
