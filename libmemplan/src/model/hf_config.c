/* SPDX-License-Identifier: MIT */
#include "model/hf_config.h"

#include <stddef.h>
#include <string.h>

#include "base/checked.h"
#include "base/ending.h"
#include "base/failure.h"
#include "model/architecture.h"
#include "model/stored_weights.h"

/* A whole number by any of its spellings, in the data first: the defaults are
 * there; then in the configuration itself. */
static uint64_t read_fact(mpl_scope *scope, const char *const *names)
{
    for (; *names != NULL; names++) {
        mpl_evaluation with = {.scope = scope};
        mpl_value value = mpl_scope_get(scope, *names, &with);
        if (value.kind == MPL_VALUE_NONE)
            value = mpl_value_of_json(mpl_json_get(scope->config, *names));
        if (value.kind == MPL_VALUE_INTEGER && value.integer >= 0)
            return (uint64_t)value.integer;
    }
    return MEMPLAN_UNKNOWN;
}

#define FACT(scope, ...)                                                       \
    read_fact(scope, (const char *const[]){__VA_ARGS__, NULL})

static uint64_t known_or(uint64_t value, uint64_t otherwise)
{
    return value != MEMPLAN_UNKNOWN ? value : otherwise;
}

/* Widths of the trunk; none of them takes part in a sum of weights. */
static void read_facts(mpl_facts *out, mpl_scope *trunk)
{
    out->context_tokens = FACT(trunk, "max_position_embeddings", "n_positions",
                               "n_ctx", "max_seq_len", "max_sequence_length",
                               "seq_length", "max_target_positions");
    out->hidden_elements =
        FACT(trunk, "hidden_size", "n_embd", "d_model", "dim", "n_embed");
    out->vocabulary_count = FACT(trunk, "vocab_size");
    out->head_count = FACT(trunk, "num_attention_heads", "n_head", "n_heads",
                           "num_heads", "encoder_attention_heads");
    out->kv_head_count = known_or(
        FACT(trunk, "num_key_value_heads", "num_kv_heads"), out->head_count);
    out->head_elements = FACT(trunk, "head_dim", "d_kv");
    if (out->head_elements == MEMPLAN_UNKNOWN && out->head_count > 0 &&
        out->head_count != MEMPLAN_UNKNOWN &&
        out->hidden_elements != MEMPLAN_UNKNOWN)
        out->head_elements = out->hidden_elements / out->head_count;
    out->expert_count = known_or(FACT(trunk, "num_experts", "num_local_experts",
                                      "n_routed_experts", "moe_num_experts"),
                                 0);
    out->experts_used = out->expert_count == 0
                            ? 0
                            : known_or(FACT(trunk, "num_experts_per_tok",
                                            "num_experts_per_token", "moe_k",
                                            "moe_topk", "top_k_experts"),
                                       0);
    const uint64_t dense = known_or(FACT(trunk, "intermediate_size", "n_inner",
                                         "ffn_dim", "d_ff", "encoder_ffn_dim"),
                                    0);
    uint64_t routed = known_or(
        FACT(trunk, "moe_intermediate_size", "expert_ffn_hidden_size"), dense);
    if (!mpl_mul(&routed, routed, out->experts_used))
        routed = MEMPLAN_UNKNOWN;
    out->ffn_elements = mpl_max(dense, routed);
    if (out->ffn_elements == 0 &&
        !mpl_mul(&out->ffn_elements, out->hidden_elements, 4))
        out->ffn_elements = MEMPLAN_UNKNOWN;
}

/* Of the whole, or where an older file has it, of the text model. */
static mpl_json_value quantization_of(mpl_json_value root)
{
    const mpl_json_value own = mpl_json_get(root, "quantization_config");
    return mpl_json_type_of(own) == MPL_JSON_OBJECT
               ? own
               : mpl_config_path(root, "text_config.quantization_config");
}

/* "dtype", or as it was called before; a nested one where the root is silent.
 */
static const char *const DTYPE_PATHS[] = {
    "dtype", "torch_dtype", "text_config.dtype", "text_config.torch_dtype"};
enum { DTYPE_PATH_COUNT = sizeof DTYPE_PATHS / sizeof *DTYPE_PATHS };

bool mpl_config_names_dtype(mpl_json_value root)
{
    for (size_t at = 0; at < DTYPE_PATH_COUNT; at++) {
        const char *const name =
            mpl_json_string(mpl_config_path(root, DTYPE_PATHS[at]), NULL);
        if (name != NULL && strcmp(name, "auto") != 0)
            return true;
    }
    return false;
}

/* A configuration that names none is loaded as its weights are; without these
 * it is fp32, as torch makes it. */
static memplan_status read_dtype(uint32_t *out, mpl_json_value root,
                                 uint32_t beside, memplan_error *error)
{
    const char *const method = mpl_json_string(
        mpl_json_get(quantization_of(root), "quant_method"), NULL);
    /* MXFP4 is loaded with all else in bfloat16. */
    *out = method != NULL && strcmp(method, "mxfp4") == 0 ? MPL_DTYPE_BF16
           : beside != MPL_DTYPE_COUNT                    ? beside
                                                          : MPL_DTYPE_FP32;
    for (size_t at = 0; at < DTYPE_PATH_COUNT; at++) {
        const mpl_json_value value = mpl_config_path(root, DTYPE_PATHS[at]);
        const char *const name = mpl_json_string(value, NULL);
        const mpl_json_type type = mpl_json_type_of(value);
        if (type == MPL_JSON_NONE || type == MPL_JSON_NULL)
            continue;
        *out = name != NULL ? mpl_dtype_from_name(name) : MPL_DTYPE_COUNT;
        if (*out == MPL_DTYPE_FP64 || *out == MPL_DTYPE_FP32 ||
            *out == MPL_DTYPE_FP16 || *out == MPL_DTYPE_BF16)
            return MEMPLAN_OK;
        if (name != NULL && strcmp(name, "auto") == 0) {
            *out = beside != MPL_DTYPE_COUNT ? beside : MPL_DTYPE_FP32;
            continue;
        }
        return mpl_fail(error, MEMPLAN_E_CORRUPT, MPL_NOWHERE,
                        "\"%s\" is %s%s%s, not one of float32, float16, "
                        "bfloat16, float64",
                        DTYPE_PATHS[at], name != NULL ? "\"" : "",
                        name != NULL ? name : mpl_json_type_name(value),
                        name != NULL ? "\"" : "");
    }
    return MEMPLAN_OK;
}

/* Configurations of some families move this key of theirs into
 * "quantization_config": those whose data has it. NULL: not given. */
static const char *read_expert_dtype(mpl_scope *scope)
{
    mpl_evaluation with = {.scope = scope};
    return mpl_scope_get(scope, "expert_dtype", &with).string;
}

/* Whether a class of code beside the weights has the modules that the
 * family's own has: both write text, or both fill masks. */
static bool is_twin(const char *wanted, const char *own)
{
    static const char *const WRITERS[] = {
        "ForCausalLM", "ForConditionalGeneration", "LMHeadModel"};
    bool writes = false;
    bool own_writes = false;
    for (size_t at = 0; at < sizeof WRITERS / sizeof *WRITERS; at++) {
        writes |= mpl_ends_with(wanted, WRITERS[at]);
        own_writes |= mpl_ends_with(own, WRITERS[at]);
    }
    return (writes && own_writes) || (mpl_ends_with(wanted, "ForMaskedLM") &&
                                      mpl_ends_with(own, "ForMaskedLM"));
}

/*
 * The class that the configuration asks for, if the family has it. A name
 * that the family never heard of belongs to code beside the weights, whose
 * native twin is the family's own class, or to a head that is not described.
 */
static memplan_status choose_class(const char **out, const mpl_family *family,
                                   mpl_json_value root, memplan_error *error)
{
    const char *const wanted = mpl_json_string(
        mpl_json_at(mpl_json_get(root, "architectures"), 0), NULL);
    const char *const own = mpl_family_role(family, "default");
    *out = "default";
    if (wanted == NULL || own == NULL)
        return MEMPLAN_OK;
    const mpl_tree *const tree = mpl_family_class(family, wanted);
    if (tree == NULL && is_twin(wanted, own))
        return MEMPLAN_OK;
    if (tree == NULL || tree->first == 0)
        return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                        "\"architectures\" is \"%s\", a class of family %s "
                        "that is not described",
                        wanted, mpl_word(family->name));
    *out = wanted;
    return MEMPLAN_OK;
}

/* The folder's name for a path to a config.json, else what was asked for. */
static const char *short_name(mpl_arena *arena, const char *source)
{
    const char *end = strrchr(source, '/');
    if (end == NULL || strcmp(end, "/config.json") != 0)
        return mpl_arena_strdup(arena, end != NULL && end[1] != '\0' ? end + 1
                                                                     : source);
    const char *start = end;
    while (start > source && start[-1] != '/')
        start--;
    return start < end ? mpl_arena_copy(arena, start, (uint64_t)(end - start))
                       : mpl_arena_strdup(arena, "config.json");
}

memplan_status mpl_config_fill(memplan_model *model, mpl_config_beside beside,
                               memplan_error *error)
{
    const mpl_json_value root = mpl_json_root(model->config);
    uint32_t dtype;
    const mpl_family *family;
    const char *class_name;
    mpl_architecture built;
    memplan_status status;
    if (mpl_json_type_of(root) != MPL_JSON_OBJECT)
        return mpl_fail(error, MEMPLAN_E_CORRUPT, 0,
                        "a configuration is an object, and this is %s",
                        mpl_json_type_name(root));
    const mpl_json_value type = mpl_json_get(root, "model_type");
    const char *const model_type = mpl_json_string(type, NULL);
    if (model_type == NULL)
        return mpl_json_type_of(type) == MPL_JSON_NONE
                   ? mpl_fail(error, MEMPLAN_E_CORRUPT, MPL_NOWHERE,
                              "\"model_type\" is missing")
                   : mpl_fail(error, MEMPLAN_E_CORRUPT, MPL_NOWHERE,
                              "\"model_type\" is %s, not a string",
                              mpl_json_type_name(type));
    if ((status = read_dtype(&dtype, root, beside.dtype, error)) !=
            MEMPLAN_OK ||
        (status = mpl_family_require(&family, model_type, "", error)) !=
            MEMPLAN_OK ||
        (status = choose_class(&class_name, family, root, error)) != MEMPLAN_OK)
        return status;
    model->architecture = mpl_word(family->name);
    model->format = "config";
    model->class_name = strcmp(class_name, "default") == 0
                            ? mpl_family_role(family, class_name)
                            : class_name;
    status = mpl_architecture_build(&built, model, family, root, class_name,
                                    dtype, error);
    if (status != MEMPLAN_OK)
        return status;
    read_facts(&model->facts, built.trunk);
    const mpl_json_value own = quantization_of(root);
    return mpl_stored_weights_apply(
        model,
        mpl_json_type_of(own) == MPL_JSON_OBJECT ? own : beside.quantization,
        read_expert_dtype(built.root), error);
}

memplan_status mpl_config_read(memplan_model **out, mpl_json *config,
                               mpl_config_beside beside, const char *source,
                               memplan_error *error)
{
    memplan_model *const model = mpl_model_create();
    if (model == NULL) {
        mpl_json_free(config);
        return mpl_fail_memory(error);
    }
    model->config = config;
    model->source = mpl_arena_strdup(model->arena, source);
    model->name = short_name(model->arena, source);
    memplan_status status = MEMPLAN_E_NO_MEMORY;
    if (model->source == NULL || model->name == NULL)
        mpl_fail_memory(error);
    else if ((status = mpl_config_fill(model, beside, error)) != MEMPLAN_OK ||
             (status = mpl_model_finish(model, error)) != MEMPLAN_OK)
        mpl_fail_in(error, source);
    /* Reading a family's rows does not tell why it stopped. */
    if (mpl_arena_has_failed(model->arena))
        status = mpl_fail_memory(error);
    if (status != MEMPLAN_OK) {
        memplan_model_free(model);
        return status;
    }
    *out = model;
    return MEMPLAN_OK;
}
