/* SPDX-License-Identifier: MIT */
#include "support/safetensors_writer.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *safetensors_write(const folder *at, const char *name,
                              const char *header, uint64_t length,
                              uint64_t data_bytes)
{
    const size_t text = strlen(header);
    uint8_t *const bytes = malloc(8 + text);
    if (bytes == NULL)
        abort();
    if (length == SAFETENSORS_OWN_LENGTH)
        length = text;
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(length >> (8 * i));
    memcpy(bytes + 8, header, text);
    const char *const path = folder_write(at, name, bytes, 8 + text);
    free(bytes);
    if (truncate(path, (off_t)(8 + text + data_bytes)) != 0)
        abort();
    return path;
}
