/* SPDX-License-Identifier: MIT */
/* Where each family is in the text of all: families.cmake finds that out. */
#include "data/families.h"

#include <string.h>

/* No pointers: a table of them would be written to when the library loads. */
typedef struct family_row {
    char name[40];
    uint32_t first;
    uint32_t bytes;
} family_row;

typedef struct alias_row {
    char name[40];
    char family[40];
} alias_row;

static const family_row FAMILIES[] = {
#define FAMILY(name, first, bytes) {name, first, bytes},
#define FAMILY_ALIAS(name, family)
#include "families.def"
#undef FAMILY
#undef FAMILY_ALIAS
};

static const alias_row ALIASES[] = {
#define FAMILY(name, first, bytes)
#define FAMILY_ALIAS(name, family) {name, family},
#include "families.def"
#undef FAMILY
#undef FAMILY_ALIAS
};

static const char *resolve(const char *name)
{
    for (size_t at = 0; at < sizeof ALIASES / sizeof *ALIASES; at++)
        if (strcmp(ALIASES[at].name, name) == 0)
            return ALIASES[at].family;
    return NULL;
}

static const family_row *find(const char *name)
{
    for (size_t at = 0; at < sizeof FAMILIES / sizeof *FAMILIES; at++)
        if (strcmp(FAMILIES[at].name, name) == 0)
            return &FAMILIES[at];
    return NULL;
}

bool mpl_families_find(const char *name, const char **out_text,
                       uint64_t *out_bytes)
{
    const family_row *row = find(name);
    if (row == NULL) {
        const char *const family = resolve(name);
        row = family != NULL ? find(family) : NULL;
    }
    if (row == NULL)
        return false;
    *out_text = mpl_families_begin + row->first;
    *out_bytes = row->bytes;
    return true;
}
