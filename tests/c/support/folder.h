/* SPDX-License-Identifier: MIT */
/* A folder for one test's files; it goes with them. */
#ifndef MEMPLAN_TESTS_FOLDER_H
#define MEMPLAN_TESTS_FOLDER_H

#include <stddef.h>
#include <stdint.h>

typedef struct folder {
    char path[64];
} folder;

void folder_make(folder *out);

/* Removes the folder and all below it. */
void folder_remove(const folder *at);

/* Writes a file, with the folders that its name goes through, in place of
 * what it held; returns its path, which lives until the next call. */
const char *folder_write(const folder *at, const char *name, const void *data,
                         size_t size);

/* The same for a text. */
const char *folder_write_text(const folder *at, const char *name,
                              const char *text);

/* A path below the folder, which lives until the next call. */
const char *folder_path(const folder *at, const char *name);

#endif
