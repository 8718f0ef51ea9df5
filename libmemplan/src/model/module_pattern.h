/* SPDX-License-Identifier: MIT */
/*
 * Patterns by which quantizers name modules. Each has its own way:
 *
 *     HF       Transformers: a name's beginning or a regular expression up to
 *              the end of a module's name, or how a name ends
 *     EXACT    compressed-tensors: a whole name, or "re:" and a regular
 *              expression that a name begins with
 *     GLOB     modelopt: a whole name with * and ?
 */
#ifndef MPL_MODEL_MODULE_PATTERN_H
#define MPL_MODEL_MODULE_PATTERN_H

#include <regex.h>
#include <stdbool.h>

typedef enum mpl_pattern_kind {
    MPL_PATTERN_HF,
    MPL_PATTERN_EXACT,
    MPL_PATTERN_GLOB
} mpl_pattern_kind;

typedef struct mpl_module_pattern {
    mpl_pattern_kind kind;
    const char *text;
    bool is_compiled;
    bool is_readable; /* false: written in a way that is not understood */
    regex_t compiled;
} mpl_module_pattern;

/* `text` must outlive the pattern. Close it, whatever it is. */
void mpl_module_pattern_open(mpl_module_pattern *out, mpl_pattern_kind kind,
                             const char *text);
void mpl_module_pattern_close(mpl_module_pattern *pattern);

bool mpl_module_pattern_matches(const mpl_module_pattern *pattern,
                                const char *module);

#endif
