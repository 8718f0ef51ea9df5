/* SPDX-License-Identifier: MIT */
/*
 * A tensor's bytes are added to its module and to each around it, up to the
 * root. Two walks go over the tensors in the order of their modules:
 * parameters, then buffers.
 */
#include "engine/accelerate/sizes.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "base/json.h"
#include "engine/accelerate/document.h"

static int by_name(const void *a, const void *b)
{
    const mpl_special *left = a;
    const mpl_special *right = b;
    return strcmp(left->name, right->name);
}

static memplan_status find_element(mpl_element *out, const char *dtype,
                                   memplan_error *error)
{
    if (mpl_element_find(dtype, out))
        return MEMPLAN_OK;
    return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                    "\"%s\" is no dtype: its name does not end in a width",
                    dtype);
}

static memplan_status read_specials(mpl_storage *out, mpl_arena *arena,
                                    mpl_json_value object, memplan_error *error)
{
    mpl_special *specials =
        mpl_arena_alloc(arena, mpl_json_count(object), sizeof *specials);
    if (specials == NULL)
        return mpl_fail_memory(error);
    mpl_json_walk walk = mpl_json_begin(object);
    while (mpl_json_next(&walk)) {
        const char *dtype = mpl_json_string(walk.value, NULL);
        if (dtype == NULL)
            return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                            "special_dtypes: \"%s\" must be a dtype's name",
                            walk.key);
        mpl_special *special = &specials[out->special_count++];
        const memplan_status status =
            find_element(&special->element, dtype, error);
        if (status != MEMPLAN_OK)
            return status;
        special->name = mpl_arena_strdup(arena, walk.key);
        if (special->name == NULL)
            return mpl_fail_memory(error);
    }
    if (out->special_count > 0)
        qsort(specials, out->special_count, sizeof *specials, by_name);
    out->specials = specials;
    return MEMPLAN_OK;
}

memplan_status mpl_storage_read(mpl_storage *out, mpl_arena *arena,
                                const char *dtype, const char *special_dtypes,
                                memplan_error *error)
{
    *out = (mpl_storage){.has_dtype = dtype != NULL};
    memplan_status status = MEMPLAN_OK;
    if (dtype != NULL)
        status = find_element(&out->dtype, dtype, error);
    if (status != MEMPLAN_OK || special_dtypes == NULL)
        return status;
    mpl_json *document = NULL;
    status = mpl_document_parse(&document, special_dtypes,
                                strlen(special_dtypes), error);
    if (status == MEMPLAN_OK)
        status = read_specials(out, arena, mpl_json_root(document), error);
    mpl_json_free(document);
    return status;
}

/* One tensor as stored; false past what is counted here (2^57 bytes). */
static bool amount_of(const mpl_storage *storage,
                      const mpl_module_tensor *tensor, const char *name,
                      mpl_amount *out)
{
    const mpl_special wanted = {.name = name};
    const mpl_special *special =
        storage->special_count == 0
            ? NULL
            : bsearch(&wanted, storage->specials, storage->special_count,
                      sizeof wanted, by_name);
    mpl_element element = {0};
    if (special != NULL) {
        element = special->element;
    } else {
        (void)mpl_element_find(tensor->dtype, &element);
        if (storage->has_dtype && !element.is_fixed &&
            storage->dtype.bits <= element.bits)
            element = storage->dtype;
    }
    uint64_t half_bits;
    if (!mpl_mul(&half_bits, tensor->element_count, element.bits * 2) ||
        half_bits > (uint64_t)MPL_AMOUNT_MAX)
        return false;
    *out = (mpl_amount){(int64_t)half_bits, element.is_real};
    return true;
}

/* Which tensors a walk is after. */
typedef enum wanted_kind { WANT_PARAMETERS, WANT_BUFFERS } wanted_kind;

static bool is_wanted(const mpl_module_tensor *tensor, wanted_kind wanted)
{
    return (tensor->kind == MPL_MODULE_PARAMETER) ==
           (wanted == WANT_PARAMETERS);
}

typedef struct counting {
    const memplan_modules *tree;
    const mpl_storage *storage;
    mpl_module_sizes *sizes;
    bool *has_size; /* by node */
    bool *seen;     /* by tensor */
} counting;

/* Adds an amount to a node and, outermost first, to those around it. */
static void add_upwards(counting *count, uint32_t node, mpl_amount amount)
{
    if (node == MPL_NO_NODE)
        return;
    const memplan_modules *tree = count->tree;
    uint32_t path[MPL_MODULE_DEPTH_MAX + 1]; /* modules, and the tensor */
    uint32_t length = 0;
    for (; node != MPL_NO_NODE; node = mpl_node_parent(tree, node))
        path[length++] = node;
    while (length-- > 0) {
        mpl_amount *to = &count->sizes->amounts[path[length]];
        *to = mpl_amount_add(*to, amount);
        if (!count->has_size[path[length]])
            count->sizes->order[count->sizes->order_count++] = path[length];
        count->has_size[path[length]] = true;
    }
}

static memplan_status count_kind(counting *count, wanted_kind wanted,
                                 memplan_error *error)
{
    const memplan_modules *tree = count->tree;
    memset(count->seen, 0, tree->tensor_count * sizeof *count->seen);
    for (uint32_t at = 0; at < tree->tensor_count; at++) {
        const mpl_module_tensor *tensor = &tree->tensors[at];
        if (!tree->modules[tensor->module].is_visited ||
            !is_wanted(tensor, wanted) || count->seen[tensor->first])
            continue;
        count->seen[tensor->first] = true;
        mpl_amount amount;
        if (!amount_of(count->storage, tensor, tensor->name, &amount))
            return mpl_fail(error, MEMPLAN_E_TOO_LARGE, MPL_NOWHERE,
                            "\"%s\": the tensor is larger than 2^57 bytes",
                            tensor->name);
        add_upwards(count, tree->module_count + at, amount);
    }
    return MEMPLAN_OK;
}

static memplan_status check_dtypes(const memplan_modules *tree,
                                   memplan_error *error)
{
    mpl_element element;
    for (uint32_t at = 0; at < tree->tensor_count; at++) {
        const memplan_status status =
            find_element(&element, tree->tensors[at].dtype, error);
        if (status != MEMPLAN_OK)
            return status;
    }
    return MEMPLAN_OK;
}

memplan_status mpl_module_sizes_find(mpl_module_sizes *out, mpl_arena *arena,
                                     const memplan_modules *tree,
                                     const mpl_storage *storage,
                                     bool buffers_only, memplan_error *error)
{
    const uint64_t node_count =
        (uint64_t)tree->module_count + tree->tensor_count;
    *out = (mpl_module_sizes){
        .amounts = mpl_arena_alloc(arena, node_count, sizeof *out->amounts),
        .order = mpl_arena_alloc(arena, node_count, sizeof *out->order),
    };
    counting count = {
        .tree = tree,
        .storage = storage,
        .sizes = out,
        .has_size = mpl_arena_alloc(arena, node_count, sizeof(bool)),
        .seen = mpl_arena_alloc(arena, tree->tensor_count, sizeof(bool)),
    };
    if (out->amounts == NULL || out->order == NULL || count.has_size == NULL ||
        count.seen == NULL)
        return mpl_fail_memory(error);
    memplan_status status = check_dtypes(tree, error);
    if (status == MEMPLAN_OK && !buffers_only)
        status = count_kind(&count, WANT_PARAMETERS, error);
    if (status == MEMPLAN_OK)
        status = count_kind(&count, WANT_BUFFERS, error);
    return status;
}

/*
 * `seen` holds the module that met an object last, plus one: first by module,
 * then by tensor, so that no call has to clear it.
 */
mpl_amount mpl_module_buffers(const memplan_modules *tree, uint32_t module,
                              const mpl_storage *storage, uint32_t *seen)
{
    const mpl_module *root = &tree->modules[module];
    uint32_t *seen_tensors = &seen[tree->module_count];
    const size_t prefix = *root->name == '\0' ? 0 : strlen(root->name) + 1;
    const uint32_t mark = module + 1;
    mpl_amount sum = {0};
    for (uint32_t at = module; at < root->end;) {
        const mpl_module *inside = &tree->modules[at];
        if (seen[inside->first] == mark) {
            at = inside->end;
            continue;
        }
        seen[inside->first] = mark;
        for (uint32_t i = 0; i < inside->tensor_count; i++) {
            const uint32_t index = inside->first_tensor + i;
            const mpl_module_tensor *tensor = &tree->tensors[index];
            mpl_amount amount = {0};
            if (tensor->kind == MPL_MODULE_PARAMETER ||
                seen_tensors[tensor->first] == mark)
                continue;
            seen_tensors[tensor->first] = mark;
            if (amount_of(storage, tensor, tensor->name + prefix, &amount))
                sum = mpl_amount_add(sum, amount);
        }
        at++;
    }
    return sum;
}
