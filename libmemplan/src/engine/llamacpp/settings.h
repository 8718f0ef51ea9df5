/* SPDX-License-Identifier: MIT */
/* The parts of a settings text: entries, lists, overrides. */
#ifndef MPL_ENGINE_LLAMACPP_SETTINGS_H
#define MPL_ENGINE_LLAMACPP_SETTINGS_H

#include "base/checked.h"
#include "engine/llamacpp/params.h"

/* Ends the entry that starts at `text` and returns the next one, or NULL.
 * Unless entries are lines, "\," becomes ",". */
char *mpl_llama_entry_cut(char *text, bool has_lines);

/* Two settings texts as one whose entries are lines; NULL stands for an empty
 * one. NULL: no memory. */
const char *mpl_llama_settings_join(mpl_arena *arena, const char *first,
                                    const char *second);

/* The same for an item of a list; *next is NULL after the last. */
char *mpl_llama_item_cut(char *text, const char *separators);

/* "3/1": shares of devices. */
memplan_status mpl_llama_splits_read(mpl_llama_params *out, const char *text,
                                     memplan_error *error);

/* One more override. */
memplan_status mpl_llama_override_add(mpl_llama_params *out, mpl_arena *arena,
                                      const mpl_llama_override *override,
                                      memplan_error *error);

/* "PATTERN=BUFFER,PATTERN=BUFFER". */
memplan_status mpl_llama_overrides_add(mpl_llama_params *out, mpl_arena *arena,
                                       const char *text, memplan_error *error);

#endif
