/* SPDX-License-Identifier: MIT */
#include "model/family.h"

#include <string.h>

#include "base/failure.h"
#include "base/nearest.h"

/* The row of a model_type, or NULL. */
static const mpl_family_name *find_name(const char *model_type)
{
    uint32_t first = 1;
    uint32_t end = mpl_family_name_count + 1;
    while (first < end) {
        const uint32_t middle = first + (end - first) / 2;
        const mpl_family_name *const row = &mpl_family_names[middle];
        const int order = strcmp(model_type, mpl_word(row->name));
        if (order == 0)
            return row;
        if (order < 0)
            end = middle;
        else
            first = middle + 1;
    }
    return NULL;
}

const mpl_family *mpl_family_find(const char *model_type)
{
    const mpl_family_name *const row = find_name(model_type);
    return row != NULL && row->family > 0 ? &mpl_families[row->family] : NULL;
}

const char *mpl_family_name_at(uint32_t index)
{
    for (uint32_t at = 1; at <= mpl_family_name_count; at++)
        if (mpl_family_names[at].family > 0 && index-- == 0)
            return mpl_word(mpl_family_names[at].name);
    return NULL;
}

bool mpl_family_is_remote(const char *model_type)
{
    const mpl_family_name *const row = find_name(model_type);
    return row != NULL && row->family == 0;
}

static memplan_status unknown_family(const char *model_type, const char *path,
                                     memplan_error *error)
{
    mpl_nearest nearest = {0};
    if (mpl_family_is_remote(model_type))
        return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                        "\"%smodel_type\" is \"%s\", which only the code "
                        "beside its weights can build; a GGUF of it can be "
                        "planned, where there is one",
                        path, model_type);
    for (uint32_t at = 1; at <= mpl_family_count; at++)
        mpl_nearest_offer(&nearest, model_type,
                          mpl_word(mpl_families[at].name));
    return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                    "\"%smodel_type\" is \"%s\", a family that is not known"
                    "%s%s%s",
                    path, model_type,
                    nearest.count > 0 ? "; the nearest is \"" : "",
                    nearest.count > 0 ? nearest.words[0] : "",
                    nearest.count > 0 ? "\"" : "");
}

memplan_status mpl_family_require(const mpl_family **out,
                                  const char *model_type, const char *path,
                                  memplan_error *error)
{
    *out = mpl_family_find(model_type);
    return *out != NULL ? MEMPLAN_OK : unknown_family(model_type, path, error);
}

const char *mpl_family_role(const mpl_family *family, const char *role)
{
    for (uint32_t at = 0; at < family->role_count; at++) {
        const mpl_role *const row = &mpl_roles[family->first_role + at];
        if (strcmp(mpl_word(row->role), role) == 0)
            return mpl_word(row->class_name);
    }
    return NULL;
}

const mpl_tree *mpl_family_class(const mpl_family *family, const char *name)
{
    for (uint32_t at = 0; at < family->tree_count; at++) {
        const mpl_tree *const row = &mpl_trees[family->first_tree + at];
        if (strcmp(mpl_word(row->class_name), name) == 0)
            return row;
    }
    return NULL;
}
