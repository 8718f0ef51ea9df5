/* SPDX-License-Identifier: MIT */
/*
 * A family begins with a line "family NAME" and ends where the next begins.
 * Lines "alias OTHER NAME" and "remote NAME" stand before the first.
 */
#include "family.h"

#include <string.h>

#include "expression.h"
#include "line.h"
#include "model/model.h"
#include "tree.h"

/* Of names whose family is sought: the place of the family's name, from here
 * on. No table comes near. */
static const uint32_t ALIAS = UINT32_C(1) << 31;

/* One family: its row so far, and its text. */
typedef struct context {
    family_tables *tables;
    mpl_family family;
    const char *text;
    const char *end;
} context;

static uint32_t add_word(family_tables *tables, const line *word)
{
    return tables_word(tables, word->text, word->length);
}

/* A word that a line goes on with, in the table; 0 where there is none. */
static uint32_t take_word(family_tables *tables, line *from)
{
    line word;
    return line_word(from, &word) ? add_word(tables, &word) : 0;
}

/* The next line of the family that begins with a word; the rest of it stays
 * in `out`. */
static bool find_line(line *out, const char **at, const context *in,
                      const char *first)
{
    line word;
    while (line_next(out, at, in->end))
        if (out->indent == 0 && line_word(out, &word) && line_is(&word, first))
            return true;
    return false;
}

/* Takes "COUNT]" off a word "NAME[COUNT]". */
static void split_count(line *word, line *count)
{
    const char *const bracket = memchr(word->text, '[', word->length);
    if (bracket == NULL)
        return;
    const char *const end = word->text + word->length;
    *count = (line){bracket + 1, (uint64_t)(end - bracket) - 2, 0};
    word->length = (uint64_t)(bracket - word->text);
}

/* "NAME[COUNT] | OTHER | …" up to "=", "?=" or the end of the line. */
static bool read_spellings(mpl_key *key, line *count, const context *in,
                           line *from)
{
    line word;
    key->first_path = table_end(&in->tables->paths);
    while (line_word(from, &word)) {
        if (line_is(&word, "|"))
            continue;
        key->replaces_null = line_is(&word, "?=");
        if (key->replaces_null != 0 || line_is(&word, "="))
            break;
        split_count(&word, count);
        const uint32_t path = add_word(in->tables, &word);
        if (path == 0 || table_add(in->tables, &in->tables->paths, &path) == 0)
            return false;
        key->path_count++;
    }
    return key->path_count > 0;
}

static bool read_rule(uint32_t *out, const context *in, const line *from)
{
    *out = expression_read(in->tables, &in->family, from->text, from->length);
    return *out > 0;
}

/* Names first, so that a default may speak of any key. */
static const char *read_keys(context *in)
{
    line from;
    line count = {0};
    in->family.first_key = table_end(&in->tables->keys);
    for (const char *at = in->text; find_line(&from, &at, in, "key");) {
        mpl_key key = {0};
        if (!read_spellings(&key, &count, in, &from) ||
            table_add(in->tables, &in->tables->keys, &key) == 0)
            return from.text;
        in->family.key_count++;
    }
    uint32_t place = in->family.first_key;
    for (const char *at = in->text; find_line(&from, &at, in, "key"); place++) {
        mpl_key *const key = table_row(&in->tables->keys, place);
        line word;
        count = (line){0};
        bool has_rule = false;
        while (!has_rule && line_word(&from, &word)) {
            has_rule = line_is(&word, "=") || line_is(&word, "?=");
            split_count(&word, &count);
        }
        if ((has_rule && !read_rule(&key->value, in, &from)) ||
            (count.length > 0 && !read_rule(&key->count, in, &count)))
            return from.text;
    }
    return NULL;
}

static const char *read_roles(context *in)
{
    line from;
    in->family.first_role = table_end(&in->tables->roles);
    for (const char *at = in->text; find_line(&from, &at, in, "role");) {
        mpl_role row = {.role = take_word(in->tables, &from)};
        row.class_name = take_word(in->tables, &from);
        if (row.class_name == 0 ||
            table_add(in->tables, &in->tables->roles, &row) == 0)
            return from.text;
        in->family.role_count++;
    }
    return NULL;
}

/* "without PART NAME = RULE" */
static const char *read_absences(context *in)
{
    line from;
    line word;
    in->family.first_absence = table_end(&in->tables->absences);
    for (const char *at = in->text; find_line(&from, &at, in, "without");) {
        mpl_absence row = {.part = take_word(in->tables, &from)};
        row.key = take_word(in->tables, &from);
        if (row.key == 0 || !line_word(&from, &word) ||
            !read_rule(&row.value, in, &from) ||
            table_add(in->tables, &in->tables->absences, &row) == 0)
            return from.text;
        in->family.absence_count++;
    }
    return NULL;
}

/* "tree CLASS" with what is below it, or "class CLASS". */
static const char *read_trees(context *in)
{
    line from;
    line word;
    in->family.first_tree = table_end(&in->tables->trees);
    for (const char *at = in->text; line_next(&from, &at, in->end);) {
        mpl_tree tree = {0};
        if (from.indent > 0 || !line_word(&from, &word))
            continue;
        const bool is_tree = line_is(&word, "tree");
        if (!is_tree && !line_is(&word, "class"))
            continue;
        tree.class_name = take_word(in->tables, &from);
        tree.first = is_tree ? table_end(&in->tables->nodes) : 0;
        const char *const broken =
            is_tree ? tree_read(in->tables, &in->family, &at, in->end, 2)
                    : NULL;
        if (broken != NULL)
            return broken;
        tree.end = is_tree ? table_end(&in->tables->nodes) : 0;
        if (tree.class_name == 0 ||
            table_add(in->tables, &in->tables->trees, &tree) == 0)
            return from.text;
        in->family.tree_count++;
    }
    return NULL;
}

/* Whether a line at the margin begins as one of a family does. */
static const char *check_words(const context *in)
{
    static const char *const WORDS[] = {"family",  "role", "key",
                                        "without", "tree", "class"};
    line from;
    line word;
    for (const char *at = in->text; line_next(&from, &at, in->end);) {
        bool is_known = from.indent > 0;
        const char *const start = from.text;
        line_word(&from, &word);
        for (size_t row = 0; row < sizeof WORDS / sizeof *WORDS; row++)
            is_known = is_known || line_is(&word, WORDS[row]);
        if (!is_known)
            return start;
    }
    return NULL;
}

static const char *read_family(family_tables *tables, line name,
                               const char *text, const char *end)
{
    static const char *(*const PARTS[])(context *) = {
        read_keys, read_roles, read_absences, read_trees};
    context in = {.tables = tables, .text = text, .end = end};
    mpl_family_name row = {.name = add_word(tables, &name)};
    in.family.name = row.name;
    const char *broken = row.name == 0 ? name.text : check_words(&in);
    for (size_t at = 0; broken == NULL && at < sizeof PARTS / sizeof *PARTS;
         at++)
        broken = PARTS[at](&in);
    if (broken != NULL)
        return broken;
    row.family = table_add(tables, &tables->families, &in.family);
    return row.family > 0 && table_add(tables, &tables->names, &row) > 0
               ? NULL
               : name.text;
}

/* "alias OTHER NAME", or "remote NAME", whose family is none. */
static bool read_name(family_tables *tables, line from)
{
    mpl_family_name row = {0};
    line word;
    if (!line_word(&from, &word))
        return false;
    const bool is_alias = line_is(&word, "alias");
    if (!is_alias && !line_is(&word, "remote"))
        return false;
    row.name = take_word(tables, &from);
    if (is_alias) {
        const uint32_t family = take_word(tables, &from);
        row.family = family > 0 ? ALIAS + family : 0;
    }
    return row.name > 0 && (!is_alias || row.family > 0) &&
           table_add(tables, &tables->names, &row) > 0;
}

const char *families_read(family_tables *tables, const char *text,
                          uint64_t length)
{
    const char *const end = text + length;
    const char *at = text;
    line from;
    line word;
    line name;
    while (line_next(&from, &at, end)) {
        line rest = from;
        line_word(&rest, &word);
        if (from.indent > 0)
            return from.text;
        if (!line_is(&word, "family")) {
            if (!read_name(tables, from))
                return from.text;
            continue;
        }
        if (!line_word(&rest, &name))
            return from.text;
        const char *stop = at;
        const char *next = at;
        while (line_next(&rest, &next, end) &&
               (rest.indent > 0 || !line_word(&rest, &word) ||
                !line_is(&word, "family")))
            stop = next;
        const char *const broken = read_family(tables, name, at, stop);
        if (broken != NULL)
            return broken;
        at = stop;
    }
    return NULL;
}

const char *families_join(family_tables *tables)
{
    for (uint64_t at = 1; at < tables->names.count; at++) {
        mpl_family_name *const row = table_row(&tables->names, (uint32_t)at);
        const uint32_t sought = row->family - ALIAS;
        if (row->family < ALIAS)
            continue;
        row->family = 0;
        for (uint64_t family = 1; family < tables->families.count; family++)
            if (((mpl_family *)table_row(&tables->families, (uint32_t)family))
                    ->name == sought)
                row->family = (uint32_t)family;
        if (row->family == 0)
            return table_row(&tables->words, row->name);
    }
    tables_sort_names(tables);
    return NULL;
}
