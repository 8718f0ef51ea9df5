/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target on the inputs of a corpus, with any compiler: files of
 * annotated hexadecimal ("47 47 55 46  # magic"). Each input is then cut and
 * turned bit by bit at the places that a fixed sequence gives.
 *
 *     replay FILE...
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target.h"

enum { MAX_BYTES = 1 << 16, CHANGES = 400 };

static size_t read_hex(const char *path, uint8_t bytes[MAX_BYTES])
{
    FILE *const file = fopen(path, "r");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    char line[4096];
    size_t size = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        unsigned value;
        int used;
        for (const char *at = line; *at != '#' && size < MAX_BYTES &&
                                    sscanf(at, " %2x%n", &value, &used) == 1;
             at += used)
            bytes[size++] = (uint8_t)value;
    }
    (void)fclose(file);
    return size;
}

/* The constants of Knuth's MMIX: the same places on every machine. */
static uint64_t next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

static void run(const uint8_t *bytes, size_t size)
{
    /* A buffer of its own: sanitizers see the first byte past it. */
    uint8_t *const copy = malloc(size > 0 ? size : 1);
    if (copy == NULL)
        exit(1);
    memcpy(copy, bytes, size);
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

int main(int count, char **paths)
{
    static uint8_t bytes[MAX_BYTES];
    for (int at = 1; at < count; at++) {
        const size_t size = read_hex(paths[at], bytes);
        uint64_t state = (uint64_t)at;
        if (size == 0) {
            (void)fprintf(stderr, "%s: no bytes\n", paths[at]);
            return 1;
        }
        run(bytes, size);
        for (int change = 0; change < CHANGES; change++) {
            const size_t place = (size_t)(next(&state) % size);
            const uint8_t before = bytes[place];
            bytes[place] = (uint8_t)next(&state);
            run(bytes, change % 4 == 0 ? place : size);
            bytes[place] = before;
        }
    }
    (void)printf("%d inputs\n", count - 1);
    return count > 1 ? 0 : 1;
}
