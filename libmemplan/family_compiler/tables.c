/* SPDX-License-Identifier: MIT */
#include "tables.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { KNOWN_SLOTS = 1 << 16 };

uint32_t table_end(const table *to)
{
    return (uint32_t)to->count;
}

void *table_row(const table *of, uint32_t place)
{
    return of->rows + place * of->row_bytes;
}

static bool add_rows(family_tables *tables, table *to, const void *rows,
                     uint64_t count)
{
    while (to->count + count > to->capacity) {
        to->rows = mpl_arena_grow(tables->arena, to->rows, to->capacity,
                                  &to->capacity, to->row_bytes);
        if (to->rows == NULL)
            return false;
    }
    memcpy(to->rows + to->count * to->row_bytes, rows,
           (size_t)count * to->row_bytes);
    to->count += count;
    return to->count <= UINT32_MAX;
}

uint32_t table_add(family_tables *tables, table *to, const void *row)
{
    const uint32_t place = table_end(to);
    return add_rows(tables, to, row, 1) ? place : 0;
}

bool tables_create(family_tables *out)
{
    static const mpl_node NO_NODE = {0}; /* the largest row */
    *out = (family_tables){
        .arena = mpl_arena_create(),
        .words = {.row_bytes = 1},
        .expressions = {.row_bytes = sizeof(mpl_expression)},
        .arguments = {.row_bytes = sizeof(uint32_t)},
        .nodes = {.row_bytes = sizeof(mpl_node)},
        .paths = {.row_bytes = sizeof(uint32_t)},
        .keys = {.row_bytes = sizeof(mpl_key)},
        .trees = {.row_bytes = sizeof(mpl_tree)},
        .roles = {.row_bytes = sizeof(mpl_role)},
        .absences = {.row_bytes = sizeof(mpl_absence)},
        .families = {.row_bytes = sizeof(mpl_family)},
        .names = {.row_bytes = sizeof(mpl_family_name)},
        .known_mask = KNOWN_SLOTS - 1,
    };
    _Static_assert(sizeof NO_NODE >= sizeof(mpl_expression) &&
                       sizeof NO_NODE >= sizeof(mpl_family),
                   "every first row is made of it");
    table *const all[] = {
        &out->words,    &out->expressions, &out->arguments, &out->nodes,
        &out->paths,    &out->keys,        &out->trees,     &out->roles,
        &out->absences, &out->families,    &out->names,
    };
    if (out->arena == NULL)
        return false;
    out->known = mpl_arena_alloc(out->arena, KNOWN_SLOTS, sizeof *out->known);
    bool is_made = out->known != NULL;
    for (size_t at = 0; is_made && at < sizeof all / sizeof *all; at++)
        is_made = add_rows(out, all[at], &NO_NODE, 1);
    return is_made;
}

void tables_free(family_tables *tables)
{
    mpl_arena_free(tables->arena);
}

/* The slot of some bytes, or the free one where they belong. */
static known_bytes *find_known(family_tables *tables, const void *bytes,
                               size_t length)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (size_t at = 0; at < length; at++)
        hash = (hash ^ ((const unsigned char *)bytes)[at]) *
               UINT64_C(1099511628211);
    uint64_t slot = (hash ^ (hash >> 29)) & tables->known_mask;
    while (tables->known[slot].bytes != NULL &&
           (tables->known[slot].length != length ||
            memcmp(tables->known[slot].bytes, bytes, length) != 0))
        slot = (slot + 1) & tables->known_mask;
    return &tables->known[slot];
}

/* The place of rows, as they were before or at the end. */
static uint32_t add_once(family_tables *tables, table *to, const void *bytes,
                         uint64_t count)
{
    const size_t length = (size_t)count * to->row_bytes;
    known_bytes *const known = find_known(tables, bytes, length);
    if (known->bytes != NULL)
        return known->place;
    const uint32_t place = table_end(to);
    if (tables->known_count * 2 > tables->known_mask ||
        !add_rows(tables, to, bytes, count))
        return 0;
    tables->known_count++;
    known->bytes = mpl_arena_copy(tables->arena, bytes, length);
    known->length = length;
    known->place = place;
    return known->bytes != NULL ? place : 0;
}

uint32_t tables_word(family_tables *tables, const char *text, uint64_t length)
{
    const char *const word = mpl_arena_copy(tables->arena, text, length);
    return word != NULL ? add_once(tables, &tables->words, word, length + 1)
                        : 0;
}

uint32_t tables_expression(family_tables *tables, const mpl_expression *row)
{
    return add_once(tables, &tables->expressions, row, 1);
}

static const char *word_at(const family_tables *tables, uint32_t place)
{
    return (const char *)tables->words.rows + place;
}

/* By insertion: there are few, and most come in order. */
void tables_sort_names(family_tables *tables)
{
    mpl_family_name *const rows = (mpl_family_name *)tables->names.rows;
    for (uint64_t at = 2; at < tables->names.count; at++) {
        const mpl_family_name row = rows[at];
        uint64_t to = at;
        for (; to > 1 && strcmp(word_at(tables, rows[to - 1].name),
                                word_at(tables, row.name)) > 0;
             to--)
            rows[to] = rows[to - 1];
        rows[to] = row;
    }
}

/* The rows of one table are read where its macro is defined. */
static void begin(const char *macro, FILE *out)
{
    (void)fprintf(out, "#ifdef %s\n", macro);
}

static void end(FILE *out)
{
    (void)fputs("#endif\n", out);
}

static void write_words(const family_tables *tables, FILE *out)
{
    begin("WORD", out);
    for (uint64_t at = 1; at < tables->words.count;) {
        const char *const word = word_at(tables, (uint32_t)at);
        const size_t bytes = strlen(word) + 1;
        (void)fprintf(out, "WORD(%" PRIu64 ", %zu, \"%s\")\n", at, bytes, word);
        at += bytes;
    }
    end(out);
}

static void write_expressions(const family_tables *tables, FILE *out)
{
    begin("EXPRESSION", out);
    for (uint64_t at = 1; at < tables->expressions.count; at++) {
        const mpl_expression *const row =
            table_row(&tables->expressions, (uint32_t)at);
        (void)fprintf(out,
                      "EXPRESSION(INT64_C(%" PRId64 "), %a, %" PRIu32
                      ", %" PRIu32 ", %" PRIu32 ", %" PRIu32 ", %" PRIu32
                      ", %u, %u)\n",
                      row->integer, row->real, row->word, row->a, row->b,
                      row->c, row->slot, row->operation, row->kind);
    }
    end(out);
}

/* A table whose rows are numbers of 32 bits and nothing else. */
static void write_numbers(const table *of, const char *macro, FILE *out)
{
    const size_t width = of->row_bytes / sizeof(uint32_t);
    begin(macro, out);
    for (uint64_t at = 1; at < of->count; at++) {
        const uint32_t *const row = table_row(of, (uint32_t)at);
        (void)fprintf(out, "%s(%" PRIu32, macro, row[0]);
        for (size_t field = 1; field < width; field++)
            (void)fprintf(out, ", %" PRIu32, row[field]);
        (void)fputs(")\n", out);
    }
    end(out);
}

static void write_nodes(const family_tables *tables, FILE *out)
{
    begin("NODE", out);
    for (uint64_t at = 1; at < tables->nodes.count; at++) {
        const mpl_node *const row = table_row(&tables->nodes, (uint32_t)at);
        (void)fprintf(out,
                      "NODE(%" PRIu32 ", %u, %u, %" PRIu32 ", %" PRIu32
                      ", %" PRIu32 ", %" PRIu32 ", %" PRIu32 ", %" PRIu32
                      ", %" PRIu32 ", %" PRIu32 ")\n",
                      row->flags, row->kind, row->dtype, row->name, row->target,
                      row->config, row->fallback, row->first_argument,
                      row->argument_count, row->condition, row->end);
    }
    end(out);
}

void tables_write(const family_tables *tables, FILE *out)
{
    write_words(tables, out);
    write_expressions(tables, out);
    write_nodes(tables, out);
    write_numbers(&tables->arguments, "ARGUMENT", out);
    write_numbers(&tables->paths, "PATH", out);
    write_numbers(&tables->keys, "KEY", out);
    write_numbers(&tables->trees, "TREE", out);
    write_numbers(&tables->roles, "ROLE", out);
    write_numbers(&tables->absences, "ABSENCE", out);
    write_numbers(&tables->families, "FAMILY", out);
    write_numbers(&tables->names, "NAME", out);
}
