/* SPDX-License-Identifier: MIT */
/*
 * memplan: where every byte of a language model will go, before it is loaded.
 *
 *     model  +  machine  +  request  ->  plan  ->  text in a dialect
 *
 * Glossary
 *   model     what has to be placed: tensors, grouped into units.
 *   unit      the atom of placement: an embedding, a layer, a norm, a head.
 *   machine   where it can be placed: devices, host memory, disk.
 *   device    a GPU or another accelerator with memory of its own, or a share
 *             of the host's.
 *   pool      one memory that a plan may spend: "0", "1", ... (devices),
 *             "cpu" (host memory), "disk".
 *   request   context, sequences, data types, budgets, engine.
 *   engine    the runtime whose rules count the bytes: "transformers",
 *             "llama.cpp".
 *   plan      a placement, its ledger, its speed, and its verdict.
 *   ledger    rows of bytes for each pool; each says how sure it is and why.
 *   dialect   a plan as somebody's input: "device_map", "max_memory", ...
 *   tokens    what a model reads and writes; context_tokens counts those that
 *             one sequence may hold.
 *
 * memplan/accelerate.h has what concerns modules of PyTorch and Accelerate.
 *
 * Five rules
 *   1. Ownership. What comes through an out-parameter is yours, and freed by
 *      the function that its comment names. What is returned, and every string
 *      in a row, is the parent handle's and lives as long as it.
 *   2. Errors. A function that can fail returns a memplan_status and fills the
 *      caller's memplan_error, which may be NULL. On failure the out-parameter
 *      is untouched. "Does not fit" is a plan, not an error.
 *   3. Threads. Handles never change once made: any number of threads may read
 *      one. The library has no globals, reads no environment variable, writes
 *      to no stream and never aborts.
 *   4. Units. Bytes are uint64_t, always. What is not known is
 *      MEMPLAN_UNKNOWN, never 0. A NULL handle is a programming error.
 *   5. Lists. What there are several of is asked for by its index, from 0 on;
 *      past the last one a row is MEMPLAN_E_ARGUMENT and a text is NULL.
 *
 * Structs that travel in either direction start with their own size, set by
 * the caller; each has an ..._INIT macro that does it. In options, zero means
 * the default. A struct to be filled whose size was forgotten, or is none that
 * a struct may have (8 to 4096, a multiple of 8), is left as it is, and the
 * call is MEMPLAN_E_ARGUMENT.
 */
#ifndef MEMPLAN_H
#define MEMPLAN_H

#include <stdint.h>

#if defined(_WIN32)
#define MEMPLAN_API
#else
#define MEMPLAN_API __attribute__((visibility("default")))
#endif

/* A struct with nothing set but its size. */
#ifdef __cplusplus
#define MEMPLAN_SIZED(type) { sizeof(type) }
#else
#define MEMPLAN_SIZED(type) { .size = sizeof(type) }
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Version ----------------------------------------------------------- */

#define MEMPLAN_VERSION_MAJOR 0
#define MEMPLAN_VERSION_MINOR 1
#define MEMPLAN_VERSION_PATCH 0
#define MEMPLAN_VERSION_STRING "0.1.0"

/**
 * The version of the library that is running, such as "0.1.0".
 *
 * @return A static string.
 *
 * Since 0.1.
 */
MEMPLAN_API const char *memplan_version(void);

/* ---- Status and errors ------------------------------------------------- */

/** A count of bytes, tokens or items that is not known. */
#define MEMPLAN_UNKNOWN UINT64_MAX

/** How a call ended. Values never change; new ones are appended. */
typedef enum memplan_status {
    MEMPLAN_OK = 0,
    MEMPLAN_E_ARGUMENT = -1,    /**< An argument is outside its range. */
    MEMPLAN_E_NO_MEMORY = -2,   /**< The host refused memory. */
    MEMPLAN_E_IO = -3,          /**< A file could not be opened or read. */
    MEMPLAN_E_CORRUPT = -4,     /**< The input breaks its format's rules. */
    MEMPLAN_E_UNSUPPORTED = -5, /**< The input is sound, but not known here. */
    MEMPLAN_E_TOO_LARGE = -6,   /**< A size passes 64 bits or a stated cap. */
    MEMPLAN_E_TOO_NEW = -7,     /**< A struct uses a later release's field. */
    MEMPLAN_E_NOT_FOUND = -8    /**< No such file, model, pool or unit. */
} memplan_status;

/**
 * What went wrong, and where in the user's input. 256 bytes, for ever.
 *
 * The message is one line of UTF-8, complete by itself: the file first, then
 * the offending value, then the rule. Lower case, no full stop.
 */
typedef struct memplan_error {
    int32_t status;    /**< A memplan_status. */
    uint32_t line;     /**< 1-based line of a text input, or 0. */
    uint64_t offset;   /**< Byte in the input, or MEMPLAN_UNKNOWN. */
    char message[240]; /**< Always terminated; cut at a character's end. */
} memplan_error;

/**
 * The name of a status: "OK", "ARGUMENT", "CORRUPT", ...
 *
 * @return A static string; "UNKNOWN" for a number that is no status.
 *
 * Since 0.1.
 */
MEMPLAN_API const char *memplan_status_name(int32_t status);

/**
 * Free a text that the library made. NULL is allowed.
 *
 * Since 0.1.
 */
MEMPLAN_API void memplan_text_free(char *text);

/* ---- Units ------------------------------------------------------------- */

/**
 * Read an amount of memory: "20GB", "60GiB", "1.5 GiB", "1000000".
 *
 * KB MB GB TB PB are powers of 1000; KiB MiB GiB TiB PiB powers of 1024; "B"
 * or a bare number is bytes. A fraction is rounded down to whole bytes.
 * Spellings that people read in two ways are refused with both readings:
 * "24G", "20gb" (gigabits to some tools), "8 Gib".
 *
 * @param out_bytes  Set to the amount.
 * @param text       Not NULL; spaces around it and before the unit allowed.
 * @return MEMPLAN_OK, MEMPLAN_E_ARGUMENT, or MEMPLAN_E_TOO_LARGE.
 *
 * Since 0.1.
 */
MEMPLAN_API memplan_status memplan_bytes_parse(uint64_t *out_bytes,
                                               const char *text,
                                               memplan_error *error);

/**
 * Write an amount of memory for a person: "7.9 GiB", "512 MiB", "0 B".
 *
 * Binary units, one space, at most one decimal (rounded to nearest);
 * MEMPLAN_UNKNOWN is "unknown". The same on every machine and in every locale.
 *
 * @param out_text   Receives the text; cut, but terminated, if it is short.
 * @param text_size  Its size; 16 is always enough. 0 writes nothing.
 * @return The length of the whole text, without its terminator.
 *
 * Since 0.1.
 */
MEMPLAN_API uint64_t memplan_bytes_format(char *out_text, uint64_t text_size,
                                          uint64_t bytes);

/**
 * The word that was probably meant: for messages about an unknown name.
 *
 * Letters count without case; an inserted, dropped, replaced or swapped letter
 * is one step. A third of the letters and one more may be wrong, of a word of
 * three or fewer one.
 *
 * @param words  `word_count` words, none NULL.
 * @return One of `words`, the first of equals; NULL when none is near.
 *
 * Since 0.1.
 */
MEMPLAN_API const char *memplan_word_nearest(const char *wanted,
                                             const char *const *words,
                                             uint64_t word_count);

/* ---- Models ------------------------------------------------------------ */

/** A model's tensors, units and state. Made from headers alone. */
typedef struct memplan_model memplan_model;

/** How to find and read a model. Zero in a field is its default. */
typedef struct memplan_model_options {
    uint64_t size;             /**< sizeof(memplan_model_options). */
    const char *hub_cache;     /**< Hugging Face cache ("…/hub"). NULL: none. */
    const char *hub_revision;  /**< Branch, tag or commit. NULL: "main". */
    const char *ollama_store;  /**< Ollama's "models" folder. NULL: none. */
    uint64_t header_max_bytes; /**< Refuse a longer header. 0: 1 GiB. */
} memplan_model_options;
#define MEMPLAN_MODEL_OPTIONS_INIT MEMPLAN_SIZED(memplan_model_options)

/** A model as a whole. */
typedef struct memplan_model_info {
    uint64_t size;            /**< sizeof(memplan_model_info). */
    const char *source;       /**< The path or name that was opened. */
    const char *name;         /**< A short name for people. */
    const char *format;       /**< "gguf", "safetensors", "config", "index",
                                   "catalogue" or "declared". */
    const char *architecture; /**< "llama", "qwen3_moe", ... */
    const char *dtype;        /**< Of most weight bytes: "fp16", "q4_k". */
    uint64_t parameter_count; /**< Elements of all parameters, tied once. */
    uint64_t weight_bytes;    /**< Bytes of all parameters, tied once. */
    uint64_t file_bytes;      /**< On disk, or MEMPLAN_UNKNOWN. */
    uint64_t tensor_count;
    uint64_t unit_count;
    uint64_t layer_count;     /**< Units that are layers. */
    uint64_t context_tokens;  /**< Trained length, or MEMPLAN_UNKNOWN. */
    uint64_t note_count;
} memplan_model_info;
#define MEMPLAN_MODEL_INFO_INIT MEMPLAN_SIZED(memplan_model_info)

/** One tensor. Buffers (not trained) are tensors too. */
typedef struct memplan_tensor_info {
    uint64_t size;         /**< sizeof(memplan_tensor_info). */
    const char *name;      /**< As the running model names it. */
    const char *dtype;     /**< "fp16", "q4_k", "i64", ... */
    const uint64_t *shape; /**< Outermost first, as Python prints it. */
    uint64_t dimension_count;
    uint64_t bytes;
    uint64_t unit_index;
    uint64_t is_buffer;    /**< 1: a buffer, not a parameter. */
    const char *tied_to;   /**< The tensor that owns the bytes, or NULL. */
} memplan_tensor_info;
#define MEMPLAN_TENSOR_INFO_INIT MEMPLAN_SIZED(memplan_tensor_info)

/** One unit: what a plan places as a whole. */
typedef struct memplan_unit_info {
    uint64_t size;         /**< sizeof(memplan_unit_info). */
    const char *name;      /**< "model.layers.7", "blk.7", "lm_head". */
    const char *kind;      /**< "embedding", "layer", "norm", "head", ... */
    uint64_t weight_bytes; /**< In the model's own dtypes, tied once. */
    uint64_t parameter_count;
    uint64_t tensor_count;
} memplan_unit_info;
#define MEMPLAN_UNIT_INFO_INIT MEMPLAN_SIZED(memplan_unit_info)

/**
 * Open a model from its headers: nothing but headers is read.
 *
 * `source` is, in the order tried: a path (a .gguf, also the first of a split;
 * a .safetensors; a config.json; a weight index; a folder that holds one of
 * them), a name in the Hugging Face cache or the Ollama store that the options
 * name, or a name of the built-in catalogue ("llama-2-70b",
 * "meta-llama/Llama-2-70b-chat-hf").
 *
 * @param out      Set to the new model; free it with memplan_model_free().
 * @param source   Not NULL.
 * @param options  NULL for the defaults.
 * @param error    NULL, or filled on failure.
 * @return MEMPLAN_OK; MEMPLAN_E_NOT_FOUND (the message lists the nearest
 *         names), _IO, _CORRUPT, _UNSUPPORTED, _TOO_LARGE, _NO_MEMORY,
 *         _TOO_NEW.
 *
 * Since 0.1.
 */
MEMPLAN_API memplan_status
memplan_model_open(memplan_model **out, const char *source,
                   const memplan_model_options *options, memplan_error *error);

/** Free a model. NULL is allowed; plans made of it live on. Since 0.1. */
MEMPLAN_API void memplan_model_free(memplan_model *model);

/**
 * Fill `out_info` with a model's totals.
 *
 * @return MEMPLAN_OK, or MEMPLAN_E_ARGUMENT where its size is not set.
 *
 * Since 0.1.
 */
MEMPLAN_API memplan_status
memplan_model_describe(const memplan_model *model,
                       memplan_model_info *out_info);

/**
 * A note in plain words about how a model's bytes were found, where that is
 * not what one expects; NULL past the last one.
 *
 * Since 0.1.
 */
MEMPLAN_API const char *memplan_model_note(const memplan_model *model,
                                           uint64_t index);

/**
 * Fill `out_info` with the tensor at `index`.
 *
 * @return MEMPLAN_OK, or MEMPLAN_E_ARGUMENT past the last tensor.
 *
 * Since 0.1.
 */
MEMPLAN_API memplan_status memplan_model_tensor(const memplan_model *model,
                                                uint64_t index,
                                                memplan_tensor_info *out_info);

/**
 * Fill `out_info` with the unit at `index`, in execution order.
 *
 * @return MEMPLAN_OK, or MEMPLAN_E_ARGUMENT past the last unit.
 *
 * Since 0.1.
 */
MEMPLAN_API memplan_status memplan_model_unit(const memplan_model *model,
                                              uint64_t index,
                                              memplan_unit_info *out_info);

/* ---- Machines ---------------------------------------------------------- */

/** The memories of a machine, how fast they are, and what is free. */
typedef struct memplan_machine memplan_machine;

/** Where to look for this machine. Zero in a field is its default. */
typedef struct memplan_machine_options {
    uint64_t size;                    /**< sizeof(memplan_machine_options). */
    const char *root;                 /**< A recorded file tree that stands
                                           for "/". NULL: this machine. */
    const char *nvml_path;            /**< NVML's shared object. NULL: the
                                           system's; "": none. */
    const char *cuda_visible_devices; /**< As the variable; NULL: unset. */
    const char *cuda_device_order;    /**< As the variable; NULL: unset. */
    const char *hip_visible_devices;  /**< As the variable; NULL: unset. */
    const char *rocr_visible_devices; /**< As the variable; NULL: unset. */
    const char *disk_path;            /**< A path on the disk that may hold
                                           offloaded weights. NULL: no disk. */
} memplan_machine_options;
#define MEMPLAN_MACHINE_OPTIONS_INIT MEMPLAN_SIZED(memplan_machine_options)

/** The host: its memory, limits and processors. */
typedef struct memplan_machine_info {
    uint64_t size;            /**< sizeof(memplan_machine_info). */
    const char *name;         /**< For people: "this machine", a path, ... */
    uint64_t total_bytes;     /**< Physical memory. */
    uint64_t available_bytes; /**< What one may use now, limits included. */
    uint64_t limit_bytes;     /**< The tightest limit (cgroup, rlimit), or
                                   MEMPLAN_UNKNOWN: none known. */
    uint64_t swap_free_bytes;
    const char *cpu_model;
    uint64_t core_count;
    uint64_t thread_count;    /**< That this process may use. */
    uint64_t device_count;
    uint64_t numa_count;
    uint64_t note_count;
} memplan_machine_info;
#define MEMPLAN_MACHINE_INFO_INIT MEMPLAN_SIZED(memplan_machine_info)

/** One device. */
typedef struct memplan_device_info {
    uint64_t size;               /**< sizeof(memplan_device_info). */
    const char *name;            /**< "NVIDIA GeForce RTX 4090". */
    const char *vendor;          /**< "nvidia", "amd", "intel", "apple", or
                                      "". */
    const char *pci;             /**< "0000:01:00.0", or "". */
    uint64_t index;              /**< As the engine numbers it. */
    uint64_t total_bytes;
    uint64_t free_bytes;
    uint64_t is_unified;         /**< 1: its memory is the host's. */
    uint64_t numa_index;         /**< Or MEMPLAN_UNKNOWN. */
    uint64_t bandwidth_bytes_per_second;
    uint64_t link_bytes_per_second; /**< To and from the host, at most. */
} memplan_device_info;
#define MEMPLAN_DEVICE_INFO_INIT MEMPLAN_SIZED(memplan_device_info)

/**
 * Detect this machine: hwloc's topology joined with what the kernel and the
 * drivers say. No process is spawned, no device is woken.
 *
 * Under options->root the tree's own files tell all, and no driver is asked
 * unless nvml_path names its library.
 *
 * @param out      Set to the new machine; free it with memplan_machine_free().
 * @param options  NULL for the defaults.
 * @return MEMPLAN_OK, _ARGUMENT, _IO (also where disk_path is no path of this
 *         machine), _CORRUPT, _TOO_LARGE, _NO_MEMORY, _TOO_NEW.
 *         A machine without a device is no error.
 *
 * Since 0.1.
 */
MEMPLAN_API memplan_status
memplan_machine_detect(memplan_machine **out,
                       const memplan_machine_options *options,
                       memplan_error *error);

/**
 * Open a machine one is not on: an lstopo XML (formats 1 to 3), a JSON
 * profile (what memplan_machine_render(…, "json") writes), or, where `path`
 * names no file, a description as memplan_machine_parse() reads it.
 *
 * @param out   Set to the new machine; free it with memplan_machine_free().
 * @return MEMPLAN_OK, _IO, _CORRUPT, _UNSUPPORTED (XML of a later hwloc),
 *         _TOO_LARGE (a file above 64 MiB), _NO_MEMORY, _NOT_FOUND,
 *         _ARGUMENT.
 *
 * Since 0.1.
 */
MEMPLAN_API memplan_status
memplan_machine_open(memplan_machine **out, const char *path,
                     memplan_error *error);

/**
 * Measure this machine: how fast its memory is read (by node, all allowed
 * threads, under 300 ms each) and, where a path is given, its disk.
 *
 * What is measured takes the place of what was stated, in a copy of
 * `machine`, which must be this machine. Reading the disk takes about a
 * second; where the path is a folder a file of at most 256 MiB is made in it
 * and goes again.
 *
 * @param out        Set to the new machine; free it with
 *                   memplan_machine_free().
 * @param disk_path  NULL: no disk. Else a folder, or a file to read.
 * @return MEMPLAN_OK, _IO (no file can be made or read there), _NO_MEMORY.
 *
 * Since 0.1.
 */
MEMPLAN_API memplan_status memplan_machine_measure(
    memplan_machine **out, const memplan_machine *machine,
    const char *disk_path, memplan_error *error);

/**
 * Read a machine in words: "2x rtx-4090, 64GiB ram, 16 cores".
 *
 * Parts stand between commas, in any order: GPUs of the catalogue ("2x
 * rtx-4090", "rtx-4090 20GiB", "gb10 128GB" where its memory is the host's) or
 * of a size ("24GB gpu"); host memory ("64GiB ram", "64GiB ram 80GB/s"); a disk
 * ("500GB disk 3GB/s"); "16 cores", "32 threads"; a processor's name ("epyc
 * 9654"); the link of all GPUs ("pcie 4.0 x16"), and between them ("nvlink",
 * "nvlink 50GB/s" one way, "2x rtx-3090 nvlink"). What is said wins over the
 * catalogue; what neither says is unknown: such a host takes no part in plans.
 *
 * @param out   Set to the new machine; free it with memplan_machine_free().
 * @return MEMPLAN_OK, _ARGUMENT (also where no memory is said), _NOT_FOUND (a
 *         GPU that the catalogue does not have, or has several of), _TOO_LARGE,
 *         _NO_MEMORY.
 *
 * Since 0.1.
 */
MEMPLAN_API memplan_status memplan_machine_parse(memplan_machine **out,
                                                 const char *text,
                                                 memplan_error *error);

/**
 * Declare budgets: "0=20GB,1=20GB,cpu=60GB,disk=500GB".
 *
 * Keys are device indices, "cpu" and "disk", each at most once.
 *
 * @param out   Set to the new machine; free it with memplan_machine_free().
 * @param base  NULL: the budgets alone are the machine, and its speeds are
 *              unknown. Else a machine they are laid over: a key that is given
 *              replaces its free bytes; memories not named are not used.
 * @return MEMPLAN_OK, _ARGUMENT, _TOO_LARGE, _NO_MEMORY, _NOT_FOUND (a device
 *         that `base` does not have).
 *
 * Since 0.1.
 */
MEMPLAN_API memplan_status memplan_machine_declare(memplan_machine **out,
                                                   const memplan_machine *base,
                                                   const char *budgets,
                                                   memplan_error *error);

/** Free a machine. NULL is allowed; plans made of it live on. Since 0.1. */
MEMPLAN_API void memplan_machine_free(memplan_machine *machine);

/** Fill `out_info` with the host, as memplan_model_describe(). Since 0.1. */
MEMPLAN_API memplan_status
memplan_machine_describe(const memplan_machine *machine,
                         memplan_machine_info *out_info);

/**
 * Fill `out_info` with the device at `index`, in the order of the engine.
 *
 * @return MEMPLAN_OK, or MEMPLAN_E_ARGUMENT past the last device.
 *
 * Since 0.1.
 */
MEMPLAN_API memplan_status
memplan_machine_device(const memplan_machine *machine, uint64_t index,
                       memplan_device_info *out_info);

/**
 * A note in plain words about a disagreement that was found, or NULL past the
 * last one.
 *
 * Since 0.1.
 */
MEMPLAN_API const char *memplan_machine_note(const memplan_machine *machine,
                                             uint64_t index);

/* ---- Plans ------------------------------------------------------------- */

/** A placement with its ledger, its speed and its verdict. */
typedef struct memplan_plan memplan_plan;

/** What is asked for. Zero in a field is its default. */
typedef struct memplan_request {
    uint64_t size;           /**< sizeof(memplan_request). */
    const char *engine;      /**< NULL: "llama.cpp" for a GGUF, else
                                  "transformers". */
    uint64_t context_tokens; /**< Per sequence. 0: the model's own, but at
                                  most 4096. */
    uint64_t sequences;      /**< At once. 0: 1. */
    uint64_t prompt_tokens;  /**< Read in one step. 0: the engine's default. */
    const char *dtype;       /**< Of weights: "fp32", "fp16", "bf16", "int8",
                                  "int4" (torchao's), "nf4", "quanto-int8", ...
                                  of the list "dtypes". NULL: the file's. */
    const char *kv_dtype;    /**< Of the cache: of the list "kv_dtypes". NULL:
                                  the engine's default. */
    const char *settings;    /**< The engine's own parameters, see below:
                                  "ngl=20,ub=512". NULL: none. */
    const char *pins;        /**< "model.layers.0..9=0,lm_head=cpu": units
                                  fixed to pools. NULL: none. */
    uint64_t reserve_bytes;  /**< Kept free on each device, in place of the
                                  engine's own reserve. 0: the engine's. */
    const char *cache;       /**< transformers: generate()'s
                                  cache_implementation: "dynamic", "static",
                                  ... of the list "caches". NULL: "dynamic", or
                                  as kv_dtype asks. */
    uint64_t encoder_tokens; /**< transformers: what the encoder reads, for
                                  cross attention. 0: the model's own number,
                                  else a whole prompt. */
} memplan_request;
#define MEMPLAN_REQUEST_INIT MEMPLAN_SIZED(memplan_request)

/*
 * Settings are NAME=VALUE, separated by newlines; where there is none, by
 * commas, and "\," is then a comma inside a value. A later entry replaces an
 * earlier one. memplan_list_entry("settings") says which there are:
 *
 *     "c=8192,np=4,ngl=20,ts=3/1,fa=on,ctk=q8_0,ot=blk\.1\.=CPU"
 *
 * A name of llama.cpp is a flag of its command line, short or long, with or
 * without its dashes; a switch needs no value. Overrides add up, the first that
 * matches wins, and their patterns are ECMAScript's, searched anywhere in a
 * tensor's name. What is not set follows the request and llama.cpp 0.5.0's own
 * defaults. In a price every setting is as given; a plan chooses ngl, ts and
 * overrides, and the context where c=0, as far as they are not set. The rule
 * of a row starts with llama.cpp's name of the buffer: "CUDA0 model buffer: …".
 *
 * Of transformers, context_tokens are those that the cache holds: a static
 * cache of generate(max_length=N) has room for N - 1.
 */

/** The verdict. */
typedef struct memplan_plan_info {
    uint64_t size;                /**< sizeof(memplan_plan_info). */
    uint64_t fits;                /**< 1: every pool holds what it is given. */
    uint64_t is_optimal;          /**< 1: nothing that `claim` compares with
                                       is faster. */
    uint64_t gap_parts_per_million; /**< Of time above the bound of all that
                                         was compared, or MEMPLAN_UNKNOWN. */
    const char *engine;           /**< "transformers". */
    const char *profile;          /**< "transformers-5": whose rules. */
    const char *dtype;            /**< Weights as planned: "fp16", "nf4". */
    const char *kv_dtype;
    uint64_t context_tokens;      /**< As planned. */
    uint64_t sequences;
    uint64_t decode_ns_per_token; /**< A lower bound with the context full:
                                       bytes over bandwidth, nothing else; a
                                       token takes longer. Or
                                       MEMPLAN_UNKNOWN: also for encoders, which
                                       read all of their input at once. */
    uint64_t pool_count;
    uint64_t unit_count;
    uint64_t fix_count;
    uint64_t note_count;
    const char *claim;            /**< What is proven about the placement: "no
                                       placement that executes on a GPU is
                                       faster by bytes over bandwidth
                                       (proven)". Or "". */
    const char *cache;            /**< transformers: how it is kept: "dynamic",
                                       "static", "offloaded", ...; else "". */
} memplan_plan_info;
#define MEMPLAN_PLAN_INFO_INIT MEMPLAN_SIZED(memplan_plan_info)

/** One pool of a plan. used = the sum of its rows but those that are only
 * "mapped". */
typedef struct memplan_pool_info {
    uint64_t size;           /**< sizeof(memplan_pool_info). */
    const char *name;        /**< "GPU 0: Tesla T4", "host memory", "disk". */
    const char *key;         /**< "0", "cpu", "disk". */
    uint64_t capacity_bytes; /**< What the plan may spend. */
    uint64_t used_bytes;
    uint64_t short_bytes;    /**< used - capacity where it does not fit. */
    uint64_t row_count;
    uint64_t free_bytes;     /**< capacity - used; where pools are one memory,
                                  no more than is left of that, for all of
                                  them. MEMPLAN_UNKNOWN: no limit known. */
} memplan_pool_info;
#define MEMPLAN_POOL_INFO_INIT MEMPLAN_SIZED(memplan_pool_info)

/** One row of a pool's ledger. */
typedef struct memplan_row_info {
    uint64_t size;         /**< sizeof(memplan_row_info). */
    const char *category;  /**< "weights", "kv_cache", "state", "compute",
                                "activations", "staging", "loading", "output",
                                "host_cache", "runtime", "reserve",
                                "mapped". */
    const char *certainty; /**< "exact", "bound" (never less is needed than
                                stated) or "estimate". */
    const char *rule;      /**< Whose rule: one sentence. */
    uint64_t bytes;
} memplan_row_info;
#define MEMPLAN_ROW_INFO_INIT MEMPLAN_SIZED(memplan_row_info)

/** Where one unit goes. */
typedef struct memplan_placement_info {
    uint64_t size;        /**< sizeof(memplan_placement_info). */
    const char *unit;     /**< The unit's name. */
    uint64_t pool_index;
    uint64_t weight_bytes; /**< As placed. */
} memplan_placement_info;
#define MEMPLAN_PLACEMENT_INFO_INIT MEMPLAN_SIZED(memplan_placement_info)

/**
 * A change that would make the plan fit, cheapest first.
 *
 * `text` is words for a person and no option of any program: each caller has
 * its own spelling for `kind` and `value`. All kinds but "memory" are named as
 * the field of memplan_request (--kv-dtype int8 of the command, kv_dtype="int8"
 * in Python), "context" and "prompt" with "_tokens". For "memory" `value` is
 * the key of the pool, whether the machine has it yet or, "disk", not.
 */
typedef struct memplan_fix_info {
    uint64_t size;        /**< sizeof(memplan_fix_info). */
    const char *kind;     /**< "prompt", "context", "kv_dtype", "cache",
                               "dtype", "memory". */
    const char *text;     /**< Words: "keep the cache in int8". */
    const char *value;    /**< The value to set: "2048", "int8", "cpu". */
    uint64_t bytes;       /**< Memory to add, where kind is "memory". */
} memplan_fix_info;
#define MEMPLAN_FIX_INFO_INIT MEMPLAN_SIZED(memplan_fix_info)

/** How to draw a text. Zero in a field is its default. */
typedef struct memplan_render_options {
    uint64_t size;        /**< sizeof(memplan_render_options). */
    uint64_t width;       /**< Columns, 72 to 240. 0: 80. */
    uint64_t use_colour;  /**< 1: ANSI colours. */
    uint64_t use_unicode; /**< 1: block characters in bars. 0: ASCII. */
    uint64_t with_tensors; /**< 1: a model's tensors too. */
    uint64_t without_bars; /**< 1: figures only. */
    uint64_t with_rules;   /**< 1: every ledger row of a plan, and its rule. */
} memplan_render_options;
#define MEMPLAN_RENDER_OPTIONS_INIT MEMPLAN_SIZED(memplan_render_options)

/**
 * Plan where a model's memory goes on a machine: the fastest placement.
 *
 * A model that does not fit gives a plan that says so, not an error. `model`
 * and `machine` are only read, and may be freed before the plan. The same
 * input gives the same plan, bit for bit.
 *
 * @param out      Set to the new plan; free it with memplan_plan_free().
 * @param request  NULL for the defaults.
 * @param error    NULL, or filled on failure.
 * @return MEMPLAN_OK, _ARGUMENT, _UNSUPPORTED (an engine, dtype or model that
 *         this engine cannot run), _TOO_LARGE, _NO_MEMORY, _TOO_NEW,
 *         _NOT_FOUND (a pinned unit or pool).
 *
 * Since 0.1.
 */
MEMPLAN_API memplan_status memplan_plan_create(memplan_plan **out,
                                               const memplan_model *model,
                                               const memplan_machine *machine,
                                               const memplan_request *request,
                                               memplan_error *error);

/**
 * Price exactly one placement: no search, no change.
 *
 * @param placement  In the engine's own terms. transformers: a device_map as
 *                   JSON, such as {"": 0} or {"model.embed_tokens": 0, …}.
 *                   Or "auto": the map that Transformers 5 makes of what the
 *                   pools may spend, for device_map="auto".
 *                   llama.cpp: settings, as in request->settings; NULL: only
 *                   those of the request.
 *
 * The rest is as for memplan_plan_create().
 *
 * Since 0.1.
 */
MEMPLAN_API memplan_status memplan_plan_price(memplan_plan **out,
                                              const memplan_model *model,
                                              const memplan_machine *machine,
                                              const memplan_request *request,
                                              const char *placement,
                                              memplan_error *error);

/** Free a plan. NULL is allowed. Since 0.1. */
MEMPLAN_API void memplan_plan_free(memplan_plan *plan);

/** Fill `out_info` with the verdict, as memplan_model_describe(). Since 0.1. */
MEMPLAN_API memplan_status memplan_plan_describe(const memplan_plan *plan,
                                                 memplan_plan_info *out_info);

/**
 * Fill `out_info` with the pool at `index`: devices first, then cpu, disk.
 *
 * @return MEMPLAN_OK, or MEMPLAN_E_ARGUMENT past the last pool.
 *
 * Since 0.1.
 */
MEMPLAN_API memplan_status memplan_plan_pool(const memplan_plan *plan,
                                             uint64_t index,
                                             memplan_pool_info *out_info);

/**
 * Fill `out_info` with one ledger row of a pool.
 *
 * @return MEMPLAN_OK, or MEMPLAN_E_ARGUMENT past the last pool or row.
 *
 * Since 0.1.
 */
MEMPLAN_API memplan_status memplan_plan_row(const memplan_plan *plan,
                                            uint64_t pool_index,
                                            uint64_t row_index,
                                            memplan_row_info *out_info);

/**
 * Fill `out_info` with the unit at `index` and its pool, in execution order.
 *
 * @return MEMPLAN_OK, or MEMPLAN_E_ARGUMENT past the last unit.
 *
 * Since 0.1.
 */
MEMPLAN_API memplan_status
memplan_plan_placement(const memplan_plan *plan, uint64_t index,
                       memplan_placement_info *out_info);

/**
 * Fill `out_info` with the fix at `index`, the cheapest first.
 *
 * @return MEMPLAN_OK, or MEMPLAN_E_ARGUMENT past the last fix.
 *
 * Since 0.1.
 */
MEMPLAN_API memplan_status memplan_plan_fix(const memplan_plan *plan,
                                            uint64_t index,
                                            memplan_fix_info *out_info);

/**
 * A note in plain words about the plan, or NULL past the last one.
 *
 * Since 0.1.
 */
MEMPLAN_API const char *memplan_plan_note(const memplan_plan *plan,
                                          uint64_t index);

/* ---- Device maps ------------------------------------------------------- */

/** Transformers' device_map of a plan, for programs that read no JSON. */
typedef struct memplan_map memplan_map;

/** A device_map as two lists, in the order in which its modules run. */
typedef struct memplan_map_info {
    uint64_t size;            /**< sizeof(memplan_map_info). */
    uint64_t module_count;
    uint64_t offloaded_count; /**< Of these, on no device. */
    const char *names;        /**< The modules' names one after the other, each
                                   with its terminator. "": the whole model. */
    uint64_t names_bytes;     /**< Of all names, terminators included. */
    const int64_t *devices;   /**< Of each module, the number of its device;
                                   -1: host memory ("cpu"), -2: "disk". */
} memplan_map_info;
#define MEMPLAN_MAP_INFO_INIT MEMPLAN_SIZED(memplan_map_info)

/**
 * The map that memplan_plan_render(…, "device_map") writes.
 *
 * `plan` is only read, and may be freed before the map.
 *
 * @param out    Set to the new map; free it with memplan_map_free().
 * @param error  NULL, or filled on failure.
 * @return MEMPLAN_OK, MEMPLAN_E_UNSUPPORTED (a plan for another engine than
 *         transformers), _NO_MEMORY.
 *
 * Since 0.1.
 */
MEMPLAN_API memplan_status memplan_plan_map(memplan_map **out,
                                            const memplan_plan *plan,
                                            memplan_error *error);

/** Free a map. NULL is allowed. Since 0.1. */
MEMPLAN_API void memplan_map_free(memplan_map *map);

/** Fill `out_info` with the lists, as memplan_model_describe(). Since 0.1. */
MEMPLAN_API memplan_status memplan_map_describe(const memplan_map *map,
                                                memplan_map_info *out_info);

/* ---- Texts ------------------------------------------------------------- */

/**
 * Write a model for a person ("table"), a program ("json") or a page ("svg").
 *
 * @param out      Set to the text; free it with memplan_text_free().
 * @param dialect  "table", "json" (schema memplan.model/1) or "svg" (for light
 *                 and dark pages alike).
 * @param options  NULL for the defaults.
 * @return MEMPLAN_OK, MEMPLAN_E_ARGUMENT (no such dialect), _NO_MEMORY,
 *         _TOO_NEW.
 *
 * Since 0.1.
 */
MEMPLAN_API memplan_status
memplan_model_render(char **out, const memplan_model *model,
                     const char *dialect,
                     const memplan_render_options *options,
                     memplan_error *error);

/**
 * Write a machine for a person ("table"), a program ("json", schema
 * memplan.machine/1; memplan_machine_open() reads it back) or a page ("svg").
 * "peers" lists the links between devices (NVLink, XGMI) beside those to the
 * host, each in one direction; plans do not count on them.
 * As memplan_model_render(). Since 0.1.
 */
MEMPLAN_API memplan_status
memplan_machine_render(char **out, const memplan_machine *machine,
                       const char *dialect,
                       const memplan_render_options *options,
                       memplan_error *error);

/**
 * Write a plan in a dialect: "table", "json" (schema memplan.plan/1),
 * "device_map", "max_memory", ... of the list "dialects".
 *
 * With the budgets of "max_memory" the map that Transformers 5 makes where
 * device_map="auto" holds too, though it may be slower; devices that it leaves
 * empty have no key. Where no such budgets are found it is refused
 * (MEMPLAN_E_UNSUPPORTED), and null in "json".
 *
 * As memplan_model_render(). Since 0.1.
 */
MEMPLAN_API memplan_status
memplan_plan_render(char **out, const memplan_plan *plan, const char *dialect,
                    const memplan_render_options *options,
                    memplan_error *error);

/* ---- What is known by name --------------------------------------------- */

/** One entry of a list. */
typedef struct memplan_entry_info {
    uint64_t size;          /**< sizeof(memplan_entry_info). */
    const char *name;       /**< As it is written: "rtx-4090". */
    const char *group;      /**< A GPU's vendor; the engine that takes a dtype,
                                 a cache or a setting; else "". */
    const char *text;       /**< What it is, in a few words, or "". */
    uint64_t bytes;         /**< Of a GPU's memory, or MEMPLAN_UNKNOWN. */
    uint64_t bytes_per_second; /**< At which it is read, or MEMPLAN_UNKNOWN. */
} memplan_entry_info;
#define MEMPLAN_ENTRY_INFO_INIT MEMPLAN_SIZED(memplan_entry_info)

/**
 * Fill `out_info` with the entry at `index` of a list of what is known.
 *
 * The lists are "models" (of the built-in catalogue), "gpus", "engines",
 * "architectures", "dtypes", "kv_dtypes", "caches", "settings", "dialects" (of
 * plans), and "lists", which are these. Names in them are static.
 *
 * @return MEMPLAN_OK, MEMPLAN_E_ARGUMENT past the last entry, or
 *         MEMPLAN_E_NOT_FOUND where there is no such list.
 *
 * Since 0.1.
 */
MEMPLAN_API memplan_status memplan_list_entry(const char *list, uint64_t index,
                                              memplan_entry_info *out_info);

#ifdef __cplusplus
}
#endif

#endif
