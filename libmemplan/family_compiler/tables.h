/* SPDX-License-Identifier: MIT */
/* The tables of all families as they grow, and their text in the end. */
#ifndef MEMPLAN_FAMILY_COMPILER_TABLES_H
#define MEMPLAN_FAMILY_COMPILER_TABLES_H

#include <stdio.h>

#include "base/arena.h"
#include "model/family.h"

/* Rows of one size; the first of each table stands for none. */
typedef struct table {
    unsigned char *rows;
    size_t row_bytes;
    uint64_t count;
    uint64_t capacity;
} table;

/* Bytes that were met before, with where they are: open addressing. */
typedef struct known_bytes {
    const void *bytes;
    size_t length;
    uint32_t place;
} known_bytes;

typedef struct family_tables {
    mpl_arena *arena;
    table words; /* bytes */
    table expressions;
    table arguments;
    table nodes;
    table paths;
    table keys;
    table trees;
    table roles;
    table absences;
    table families;
    table names;
    known_bytes *known; /* words and expressions */
    uint64_t known_mask;
    uint64_t known_count;
} family_tables;

/* False when memory is refused, as it is below. */
bool tables_create(family_tables *out);

void tables_free(family_tables *tables);

/* The place of the next row. */
uint32_t table_end(const table *to);

void *table_row(const table *of, uint32_t place);

/* Adds a row at the end; 0 when memory is refused. */
uint32_t table_add(family_tables *tables, table *to, const void *row);

/* The place of a word, or of an expression, as it was before or at the end; 0
 * when memory is refused. */
uint32_t tables_word(family_tables *tables, const char *text, uint64_t length);
uint32_t tables_expression(family_tables *tables, const mpl_expression *row);

/* Names in the order of strcmp(). */
void tables_sort_names(family_tables *tables);

/* As data/families.c reads it. */
void tables_write(const family_tables *tables, FILE *out);

#endif
