/* SPDX-License-Identifier: MIT */
#include "support/configs.h"

#include <stdlib.h>
#include <string.h>

memplan_status config_read_text(memplan_model **out, const char *text,
                                memplan_error *error)
{
    enum { PADDING_BYTES = 64 }; /* that the JSON reader may look at */
    const size_t length = strlen(text);
    mpl_json *json = NULL;
    uint8_t *const padded = calloc(1, length + PADDING_BYTES);
    memcpy(padded, text, length);
    const memplan_status status = mpl_json_parse(&json, padded, length, error);
    free(padded);
    return status == MEMPLAN_OK
               ? mpl_config_read(out, json, MPL_CONFIG_ALONE, "test", error)
               : status;
}
