/* SPDX-License-Identifier: MIT */
/* Names as text: what a module's last part is replaced by, and what stands at
 * the front of a checkpoint's names. */
#include "model/weight_names.h"

#include <string.h>

#include "base/ending.h"

bool mpl_is_joined_experts(const mpl_tensor *tensor)
{
    return (tensor->flags & MPL_TENSOR_EXPERT) != 0 &&
           tensor->dimension_count == 3;
}

uint64_t mpl_joined_parts(const mpl_tensor *tensor)
{
    return mpl_is_joined_experts(tensor) &&
                   mpl_ends_with(tensor->name, "gate_up_proj")
               ? 2
               : 1;
}

/* `module` with its last part replaced. */
static const char *sibling(mpl_arena *arena, const char *module,
                           const char *last)
{
    const char *const dot = strrchr(module, '.');
    const int length = dot != NULL ? (int)(dot - module) : 0;
    return last[0] == '\0'
               ? mpl_arena_copy(arena, module, (uint64_t)length)
               : mpl_arena_format(arena, "%.*s%s", length, module, last);
}

bool mpl_weight_names_of(mpl_weight_names *out, mpl_arena *arena,
                         const mpl_tensor *tensor, mpl_pattern_kind patterns)
{
    const size_t length = strlen(tensor->name);
    if (!mpl_is_joined_experts(tensor)) {
        out->names[0] = mpl_arena_copy(arena, tensor->name,
                                       mpl_ends_with(tensor->name, ".weight")
                                           ? length - strlen(".weight")
                                           : length);
        return out->names[0] != NULL;
    }
    const char *const last = strrchr(tensor->name, '.');
    out->names[0] = sibling(arena, tensor->name, "");
    if (patterns == MPL_PATTERN_HF)
        return out->names[0] != NULL;
    out->names[1] = tensor->name;
    out->names[2] = mpl_joined_parts(tensor) == 2
                        ? sibling(arena, tensor->name, ".0.gate_proj")
                        : mpl_arena_format(arena, "%s.0%s", out->names[0],
                                           last != NULL ? last : "");
    return out->names[0] != NULL && out->names[2] != NULL;
}

static bool has_module(const memplan_model *model, const char *start)
{
    const size_t length = strlen(start);
    for (uint32_t at = 0; at < model->tensor_count; at++)
        if (strncmp(model->tensors[at].name, start, length) == 0)
            return true;
    return false;
}

const char *mpl_weight_running_name(mpl_arena *arena,
                                    const memplan_model *model,
                                    const char *name)
{
    static const struct {
        const char *from;
        const char *to;
    } STARTS[] = {{"language_model.model.", "model.language_model."},
                  {"language_model.lm_head", "lm_head"},
                  {"backbone.", "model."},
                  {"layers.", "model.layers."}};
    for (size_t at = 0; at < sizeof STARTS / sizeof *STARTS; at++) {
        const size_t length = strlen(STARTS[at].from);
        if (strncmp(name, STARTS[at].from, length) == 0 &&
            !has_module(model, STARTS[at].from)) {
            name =
                mpl_arena_format(arena, "%s%s", STARTS[at].to, name + length);
            break;
        }
    }
    static const char SPARSE[] = ".block_sparse_moe";
    const char *const inner = name != NULL ? strstr(name, SPARSE) : NULL;
    return inner == NULL
               ? name
               : mpl_arena_format(arena, "%.*s.mlp%s", (int)(inner - name),
                                  name, inner + sizeof SPARSE - 1);
}
