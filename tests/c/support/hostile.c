/* SPDX-License-Identifier: MIT */
#include "support/hostile.h"

#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "memplan.h"
#include "model/model.h"
#include "support/folder.h"

/* True when the file opens; checks what either outcome promises. */
static bool opens(const folder *at, const char *name, const uint8_t *data,
                  size_t size)
{
    const char *const path = folder_write(at, name, data, size);
    memplan_model *model = NULL;
    memplan_error error = {0};
    const memplan_status status =
        memplan_model_open(&model, path, NULL, &error);
    if (status == MEMPLAN_OK) {
        cr_expect(mpl_model_is_valid(model));
        memplan_model_free(model);
        return true;
    }
    cr_expect_null(model);
    cr_expect_eq(error.status, status);
    cr_expect_neq(error.message[0], '\0');
    cr_expect(strncmp(error.message, path, strlen(path)) == 0, "%s",
              error.message);
    cr_expect_null(strpbrk(error.message, "\n\r\t\x1b"));
    cr_expect(error.offset == MEMPLAN_UNKNOWN || error.offset <= size,
              "%s: offset %llu of %zu", error.message,
              (unsigned long long)error.offset, size);
    return false;
}

void hostile_prefixes(const char *name, const uint8_t *data, size_t size,
                      size_t whole)
{
    folder at;
    folder_make(&at);
    for (size_t length = 0; length <= size; length++) {
        const bool is_open = opens(&at, name, data, length);
        cr_expect(!is_open || length >= whole, "%zu of %zu bytes open", length,
                  size);
        cr_expect(is_open || length < size, "the whole file is refused");
    }
    folder_remove(&at);
}

size_t hostile_bit_flips(const char *name, const uint8_t *data, size_t size,
                         size_t count)
{
    folder at;
    folder_make(&at);
    uint8_t *const copy = malloc(size);
    cr_assert_not_null(copy);
    memcpy(copy, data, size);
    size_t refused = 0;
    for (size_t bit = 0; bit < 8 * count; bit++) {
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
        refused += !opens(&at, name, copy, size);
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    free(copy);
    folder_remove(&at);
    return refused;
}
