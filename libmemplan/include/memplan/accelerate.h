/* SPDX-License-Identifier: MIT */
/*
 * Modules of PyTorch that a program already has: as a model to plan for, and
 * what Accelerate 1 makes of them. The sizes, budgets and device maps are the
 * same as Accelerate's, for scripts that depend on them. A plan is better; this
 * is for being the same.
 *
 * The rules of memplan.h hold here.
 */
#ifndef MEMPLAN_ACCELERATE_H
#define MEMPLAN_ACCELERATE_H

#include <memplan.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A tree of modules and their tensors. Never changes once made. */
typedef struct memplan_modules memplan_modules;

/** Accelerate's options. Zero in a field is its default. */
typedef struct memplan_modules_options {
    uint64_t size;              /**< sizeof(memplan_modules_options). */
    const char *dtype;          /**< What floats become: "float16", or
                                     "CustomDtype.INT4". NULL: nothing. */
    const char *special_dtypes; /**< Of single tensors, as a JSON object:
                                     {"lm_head.weight": "float32"}. NULL. */
    const char *no_split;       /**< Classes that stay whole, as a JSON array
                                     of names. NULL: none. */
    uint64_t buffers_only;      /**< sizes: 1: count buffers alone. */
    uint64_t low_zero;          /**< balance: 1: device 0 gets the least. */
    uint64_t counts_mps;        /**< balance: 1: "mps" is a device here. */
    uint64_t offload_buffers;   /**< map: 1: buffers leave with their module,
                                     so none are warned of. */
    uint64_t fallback_allocation; /**< map: 1: an empty device gets the first
                                       module that fits. */
    uint64_t keeps_parts;       /**< map: 1: parts of one module on one device
                                     are not joined. */
} memplan_modules_options;
#define MEMPLAN_MODULES_OPTIONS_INIT MEMPLAN_SIZED(memplan_modules_options)

/**
 * Read a tree of modules:
 *
 *     {"modules": [[name, class, parent, first], ...],
 *      "tensors": [[name, class, module, kind, dtype, shape, first], ...]}
 *
 * Modules stand in the order of named_modules() with duplicates, the root
 * first with the name "" and the parent null; tensors in the order of their
 * modules. `first` is the index of the first row that is the same object, so
 * a tied tensor points back; kind is 0 for a parameter, 1 for a buffer, 2 for
 * a buffer that is not saved; dtype is PyTorch's, without "torch.".
 *
 * @param out   Set to the new tree; free it with memplan_modules_free().
 * @param json  `json_bytes` of UTF-8; not kept.
 * @return MEMPLAN_OK, _ARGUMENT, _CORRUPT, _TOO_LARGE, _NO_MEMORY.
 *
 * Since 0.1.
 */
MEMPLAN_API memplan_status memplan_modules_parse(memplan_modules **out,
                                                 const char *json,
                                                 uint64_t json_bytes,
                                                 memplan_error *error);

/** Free a tree. NULL is allowed. Since 0.1. */
MEMPLAN_API void memplan_modules_free(memplan_modules *tree);

/**
 * Make a model of the modules that a program already has.
 *
 * Tensors are as the tree has them; units, state and facts come from the
 * configuration where its family is known, and else from the modules' names,
 * without a cache.
 *
 * @param out     Set to the new model; free it with memplan_model_free().
 * @param name    For people.
 * @param config  The text of its config.json, or NULL.
 * @return MEMPLAN_OK, _ARGUMENT (no tensor), _CORRUPT (the configuration),
 *         _UNSUPPORTED (a dtype), _TOO_LARGE, _NO_MEMORY.
 *
 * Since 0.1.
 */
MEMPLAN_API memplan_status memplan_model_declare(memplan_model **out,
                                                 const memplan_modules *tree,
                                                 const char *name,
                                                 const char *config,
                                                 memplan_error *error);

/**
 * The bytes of each module and tensor by path, as a JSON object; "" is all.
 * A number with a point is a float in Python: a boolean takes an eighth of a
 * byte.
 *
 * @param out  Set to the text; free it with memplan_text_free().
 * @return MEMPLAN_OK, _ARGUMENT (no such dtype), _CORRUPT, _TOO_LARGE,
 *         _NO_MEMORY, _TOO_NEW.
 *
 * Since 0.1.
 */
MEMPLAN_API memplan_status
memplan_modules_sizes(char **out, const memplan_modules *tree,
                      const memplan_modules_options *options,
                      memplan_error *error);

/**
 * Budgets that spread a tree over its devices: a JSON object of those budgets
 * that change.
 *
 * @param out         Set to the text; free it with memplan_text_free().
 * @param max_memory  A JSON object: "0", "mps", "cpu" or "disk" to bytes, or
 *                    to a text that memplan_accelerate_bytes_parse() reads.
 * @return As memplan_modules_sizes(), and _NOT_FOUND where low_zero needs a
 *         device that has no budget.
 *
 * Since 0.1.
 */
MEMPLAN_API memplan_status
memplan_modules_balance(char **out, const memplan_modules *tree,
                        const char *max_memory,
                        const memplan_modules_options *options,
                        memplan_error *error);

/**
 * Place a tree within budgets: a JSON object of "device_map", "unassigned"
 * (bytes that a device which got nothing would have needed),
 * "has_ties" (some parameter has two names) and "stranded_buffer_bytes"
 * (buffers of offloaded modules that fit on no device, or null).
 *
 * @param out         Set to the text; free it with memplan_text_free().
 * @param max_memory  As for memplan_modules_balance().
 * @return As memplan_modules_sizes(); _NOT_FOUND where a tied parameter lies
 *         in no module still to be placed, and _UNSUPPORTED where the
 *         fallback meets a size that is no whole number: Accelerate raises
 *         there.
 *
 * Since 0.1.
 */
MEMPLAN_API memplan_status
memplan_modules_map(char **out, const memplan_modules *tree,
                    const char *max_memory,
                    const memplan_modules_options *options,
                    memplan_error *error);

/**
 * Check a device map: a JSON object of "unknown" (keys that name no module)
 * and "uncovered" (saved tensors that no key reaches).
 *
 * @param out    Set to the text; free it with memplan_text_free().
 * @param names  {"keys": [...], "state": [...]} as JSON: the map's keys, and
 *               the saved tensors' paths. Without "state": the tree's own.
 * @return MEMPLAN_OK, _CORRUPT, _NO_MEMORY.
 *
 * Since 0.1.
 */
MEMPLAN_API memplan_status memplan_modules_check(char **out,
                                                 const memplan_modules *tree,
                                                 const char *names,
                                                 memplan_error *error);

/**
 * Join the parts of a device map, {"path": device, ...} as JSON, that go to
 * one device.
 *
 * @param out  Set to the text; free it with memplan_text_free().
 * @return MEMPLAN_OK, _ARGUMENT, _CORRUPT, _TOO_LARGE, _NO_MEMORY.
 *
 * Since 0.1.
 */
MEMPLAN_API memplan_status memplan_device_map_clean(char **out,
                                                    const char *device_map,
                                                    memplan_error *error);

/**
 * Read an amount of memory as Accelerate does: "20GB" and "20GiB" as
 * memplan_bytes_parse(), but "20gb" is gigabits, an eighth of it.
 *
 * @return MEMPLAN_OK, _ARGUMENT, or _TOO_LARGE (infinite, or past 63 bits).
 *
 * Since 0.1.
 */
MEMPLAN_API memplan_status memplan_accelerate_bytes_parse(uint64_t *out_bytes,
                                                          const char *text,
                                                          memplan_error *error);

#ifdef __cplusplus
}
#endif

#endif
