/* SPDX-License-Identifier: MIT */
/*
 * Well-known models by name, with nothing on disk: the rows of
 * data/models.def, each the keys of a published config.json.
 */
#ifndef MPL_MODEL_CATALOGUE_H
#define MPL_MODEL_CATALOGUE_H

#include <stdbool.h>

#include "base/json.h"
#include "memplan.h"

typedef struct mpl_catalogue_row {
    const char *name;   /* "llama-2-70b" */
    const char *source; /* the repository that published the config */
    const char *config; /* JSON */
} mpl_catalogue_row;

/* The row at an index, or NULL past the last one. */
const mpl_catalogue_row *mpl_catalogue_at(uint64_t index);

/* The row that a user's spelling means: letters of either case, an
 * organisation before a slash, and words such as "instruct" do not count.
 * MEMPLAN_E_NOT_FOUND lists the nearest names. */
memplan_status mpl_catalogue_find(const mpl_catalogue_row **out,
                                  const char *name, memplan_error *error);

/* Whether `name`, which found the row, is one of its own: its name, its
 * repository or an alias. Else it was found by likeness. */
bool mpl_catalogue_is_own(const mpl_catalogue_row *row, const char *name);

/* The row's config.json, parsed. MEMPLAN_OK or _NO_MEMORY. */
memplan_status mpl_catalogue_config(mpl_json **out,
                                    const mpl_catalogue_row *row,
                                    memplan_error *error);

#endif
