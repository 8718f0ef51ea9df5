/* SPDX-License-Identifier: MIT */
/*
 * Checks a device map: keys that name no module, and saved tensors that no
 * key reaches.
 */
#include <stdlib.h>
#include <string.h>

#include "base/failure.h"
#include "base/json_writer.h"
#include "engine/accelerate/document.h"
#include "engine/accelerate/modules.h"

typedef struct names {
    const char **items; /* sorted */
    uint64_t count;
} names;

typedef struct prefix {
    const char *text;
    size_t length;
} prefix;

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int by_prefix(const void *a, const void *b)
{
    const prefix *wanted = a;
    const char *name = *(const char *const *)b;
    const int order = strncmp(wanted->text, name, wanted->length);
    return order != 0 ? order : -(name[wanted->length] != '\0');
}

static bool holds(const names *in, const char *text, size_t length)
{
    const prefix wanted = {text, length};
    return in->count > 0 && bsearch(&wanted, in->items, in->count,
                                    sizeof *in->items, by_prefix) != NULL;
}

/* Some key is the name or a module around it; "" is around all. */
static bool is_reached(const names *keys, const char *name)
{
    const size_t length = strlen(name);
    for (size_t at = 0; at <= length; at++)
        if ((at == 0 || at == length || name[at] == '.') &&
            holds(keys, name, at))
            return true;
    return false;
}

static bool read_keys(names *out, mpl_arena *arena, mpl_json_value array)
{
    out->items =
        mpl_arena_alloc(arena, mpl_json_count(array), sizeof *out->items);
    if (out->items == NULL)
        return false;
    mpl_json_walk walk = mpl_json_begin(array);
    while (mpl_json_next(&walk)) {
        const char *name = mpl_json_string(walk.value, NULL);
        if (name != NULL)
            out->items[out->count++] = name;
    }
    if (out->count > 0)
        qsort(out->items, out->count, sizeof *out->items, by_text);
    return true;
}

static bool read_modules(names *out, mpl_arena *arena,
                         const memplan_modules *tree)
{
    out->items = mpl_arena_alloc(arena, tree->module_count, sizeof *out->items);
    if (out->items == NULL)
        return false;
    for (uint32_t at = 0; at < tree->module_count; at++)
        if (tree->modules[at].is_visited)
            out->items[out->count++] = tree->modules[at].name;
    qsort(out->items, out->count, sizeof *out->items, by_text);
    return true;
}

static void write_unknown(mpl_json_writer *out, const names *modules,
                          mpl_json_value keys)
{
    mpl_json_open_array(out, "unknown");
    mpl_json_walk walk = mpl_json_begin(keys);
    while (mpl_json_next(&walk)) {
        const char *name = mpl_json_string(walk.value, NULL);
        if (name != NULL && *name != '\0' &&
            !holds(modules, name, strlen(name)))
            mpl_json_text(out, NULL, name);
    }
    mpl_json_close(out);
}

static void write_own(mpl_json_writer *out, const memplan_modules *tree,
                      const names *keys, uint32_t module, bool are_parameters)
{
    const mpl_module *owner = &tree->modules[module];
    for (uint32_t i = 0; i < owner->tensor_count; i++) {
        const mpl_module_tensor *tensor =
            &tree->tensors[owner->first_tensor + i];
        if (tensor->kind != MPL_MODULE_TRANSIENT &&
            (tensor->kind == MPL_MODULE_PARAMETER) == are_parameters &&
            !is_reached(keys, tensor->name))
            mpl_json_text(out, NULL, tensor->name);
    }
}

/* In the order of state_dict(): parameters, then buffers, then children. */
static void write_uncovered(mpl_json_writer *out, const memplan_modules *tree,
                            const names *keys, mpl_json_value state)
{
    mpl_json_open_array(out, "uncovered");
    if (mpl_json_type_of(state) == MPL_JSON_ARRAY) {
        mpl_json_walk walk = mpl_json_begin(state);
        while (mpl_json_next(&walk)) {
            const char *name = mpl_json_string(walk.value, NULL);
            if (name != NULL && !is_reached(keys, name))
                mpl_json_text(out, NULL, name);
        }
    } else {
        for (uint32_t at = 0; at < tree->module_count; at++) {
            write_own(out, tree, keys, at, true);
            write_own(out, tree, keys, at, false);
        }
    }
    mpl_json_close(out);
}

memplan_status memplan_modules_check(char **out, const memplan_modules *tree,
                                     const char *names_json,
                                     memplan_error *error)
{
    mpl_json *document = NULL;
    memplan_status status =
        mpl_document_parse(&document, names_json, strlen(names_json), error);
    if (status != MEMPLAN_OK)
        return status;
    mpl_arena *arena = mpl_arena_create();
    const mpl_json_value root = mpl_json_root(document);
    const mpl_json_value given = mpl_json_get(root, "keys");
    names keys = {0};
    names modules = {0};
    if (arena == NULL || !read_keys(&keys, arena, given) ||
        !read_modules(&modules, arena, tree)) {
        status = mpl_fail_memory(error);
    } else {
        mpl_text text = {0};
        mpl_json_writer writer = {.text = &text};
        mpl_json_open_object(&writer, NULL);
        write_unknown(&writer, &modules, given);
        write_uncovered(&writer, tree, &keys, mpl_json_get(root, "state"));
        mpl_json_close(&writer);
        status = mpl_text_finish(&text, out, error);
    }
    mpl_arena_free(arena);
    mpl_json_free(document);
    return status;
}
