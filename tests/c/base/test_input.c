/* SPDX-License-Identifier: MIT */
#include "base/input.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"

/* A file of `size` bytes, each its offset modulo 251, in a fresh folder. */
static void make_file(char *path, size_t path_size, uint64_t size)
{
    char folder[] = "/tmp/memplan-input-XXXXXX";
    cr_assert_not_null(mkdtemp(folder));
    (void)snprintf(path, path_size, "%s/file", folder);
    FILE *const file = fopen(path, "wb");
    for (uint64_t at = 0; at < size; at++)
        (void)fputc((int)(at % 251), file);
    (void)fclose(file);
}

static void remove_file(char *path)
{
    (void)unlink(path);
    *strrchr(path, '/') = '\0';
    (void)rmdir(path);
}

Test(input, reads_no_further_than_asked)
{
    char path[64];
    make_file(path, sizeof path, 300000);
    mpl_input input;
    cr_assert_eq(mpl_input_open(&input, path, UINT64_MAX, NULL), MEMPLAN_OK);
    cr_expect_eq(input.size_bytes, 0);
    cr_expect(mpl_input_need(&input, 0, 1));
    cr_expect_leq(input.size_bytes, 65536);
    const uint8_t *const place = input.data;
    cr_expect(mpl_input_need(&input, 299999, 1));
    cr_expect_eq(input.data, place, "the window does not move");
    for (uint64_t at = 0; at < 300000; at++)
        cr_assert_eq(input.data[at], at % 251);
    cr_expect_not(mpl_input_need(&input, 299999, 2));
    cr_expect_not(mpl_input_need(&input, UINT64_MAX, 2));
    mpl_input_close(&input);
    mpl_input_close(&input);
    remove_file(path);
}

Test(input, the_cap_holds)
{
    char path[64];
    make_file(path, sizeof path, 1000);
    mpl_input input;
    cr_assert_eq(mpl_input_open(&input, path, 100, NULL), MEMPLAN_OK);
    cr_expect(mpl_input_need(&input, 0, 100));
    cr_expect_not(mpl_input_need(&input, 0, 101));
    mpl_input_close(&input);
    memplan_error error;
    cr_expect_eq(mpl_input_read_all(&input, path, 999, &error),
                 MEMPLAN_E_TOO_LARGE);
    cr_expect_not_null(strstr(error.message, path), "%s", error.message);
    remove_file(path);
}

Test(input, a_file_that_shrinks_is_a_short_read)
{
    char path[64];
    make_file(path, sizeof path, 200000);
    mpl_input input;
    cr_assert_eq(mpl_input_open(&input, path, UINT64_MAX, NULL), MEMPLAN_OK);
    cr_assert(mpl_input_need(&input, 0, 10));
    cr_assert_eq(truncate(path, 70000), 0);
    cr_expect_not(mpl_input_need(&input, 199990, 10));
    mpl_input_close(&input);
    remove_file(path);
}

Test(input, refuses_what_is_no_file)
{
    mpl_input input;
    memplan_error error;
    cr_expect_eq(mpl_input_open(&input, "/tmp", 1, &error), MEMPLAN_E_IO);
    cr_expect_not_null(strstr(error.message, "a folder"), "%s", error.message);
    cr_expect_eq(mpl_input_open(&input, "/dev/zero", 1, &error), MEMPLAN_E_IO);
    cr_expect_eq(mpl_input_open(&input, "/no/such", 1, &error),
                 MEMPLAN_E_NOT_FOUND);
    char path[64];
    make_file(path, sizeof path, 0);
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(mkfifo(path, 0600), 0);
    cr_expect_eq(mpl_input_open(&input, path, 1, &error), MEMPLAN_E_IO,
                 "a pipe must not block");
    remove_file(path);
}

Test(bytes, failure_is_sticky)
{
    const uint8_t data[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    mpl_input input;
    mpl_input_borrow(&input, data, sizeof data);
    mpl_bytes reader = {.input = &input};
    cr_expect_eq(mpl_bytes_u16(&reader), 0x0201);
    cr_expect_eq(mpl_bytes_u64(&reader), UINT64_C(0x0a09080706050403));
    cr_expect_eq(mpl_bytes_u32(&reader), 0, "short");
    cr_expect(reader.failed);
    cr_expect_eq(reader.at, 10, "where the short read began");
    cr_expect_eq(mpl_bytes_u8(&reader), 0, "though one byte is left");
}
