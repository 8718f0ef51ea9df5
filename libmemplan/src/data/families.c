/* SPDX-License-Identifier: MIT */
/* The tables that family_compiler/ makes of families/: see model/family.h. Of
 * the file it writes each table takes its own rows, by the macro defined. */
#include "model/family.h"

/* One array a word, so that the compiler lays them out at their places. */
static const struct words {
    char nothing[1];
#define WORD(place, bytes, text) char at_##place[bytes];
#include "families.def"
#undef WORD
} WORDS = {
    "",
#define WORD(place, bytes, text) text,
#include "families.def"
#undef WORD
};

const char *mpl_word(uint32_t place)
{
    return place > 0 ? (const char *)&WORDS + place : NULL;
}

const mpl_expression mpl_expressions[] = {
    {0},
#define EXPRESSION(...) {__VA_ARGS__},
#include "families.def"
#undef EXPRESSION
};

const mpl_node mpl_nodes[] = {
    {0},
#define NODE(...) {__VA_ARGS__},
#include "families.def"
#undef NODE
};

const uint32_t mpl_arguments[] = {
    0,
#define ARGUMENT(expression) expression,
#include "families.def"
#undef ARGUMENT
};

const uint32_t mpl_paths[] = {
    0,
#define PATH(word) word,
#include "families.def"
#undef PATH
};

const mpl_key mpl_keys[] = {
    {0},
#define KEY(...) {__VA_ARGS__},
#include "families.def"
#undef KEY
};

const mpl_tree mpl_trees[] = {
    {0},
#define TREE(...) {__VA_ARGS__},
#include "families.def"
#undef TREE
};

const mpl_role mpl_roles[] = {
    {0},
#define ROLE(...) {__VA_ARGS__},
#include "families.def"
#undef ROLE
};

const mpl_absence mpl_absences[] = {
    {0},
#define ABSENCE(...) {__VA_ARGS__},
#include "families.def"
#undef ABSENCE
};

const mpl_family mpl_families[] = {
    {0},
#define FAMILY(...) {__VA_ARGS__},
#include "families.def"
#undef FAMILY
};

const mpl_family_name mpl_family_names[] = {
    {0},
#define NAME(...) {__VA_ARGS__},
#include "families.def"
#undef NAME
};

#define LAST_OF(rows) ((uint32_t)(sizeof(rows) / sizeof *(rows) - 1))

const uint32_t mpl_family_count = LAST_OF(mpl_families);
const uint32_t mpl_family_name_count = LAST_OF(mpl_family_names);
