/* SPDX-License-Identifier: MIT */
/*
 * Parameters: what a caller asks llama.cpp for, in llama.cpp's own words.
 *
 *     "c=8192,np=4,ngl=20,ts=3/1,ot=blk\.1\.=CPU,fa=on"
 *
 * Entries are separated by newlines; where there is none, by commas, and
 * "\," is then a comma inside a value. A name is a flag of llama.cpp, short or
 * long, with or without its dashes; a switch needs no value. Lists (ts, dev)
 * are separated by "/", ";" or ",". A later entry replaces an earlier one,
 * but for ot, which adds.
 */
#ifndef MPL_ENGINE_LLAMACPP_PARAMS_H
#define MPL_ENGINE_LLAMACPP_PARAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "engine/engine.h"
#include "engine/llamacpp/hparams.h"
#include "engine/request.h"
#include "memplan.h"

typedef enum mpl_llama_flash {
    MPL_FA_AUTO,
    MPL_FA_ON,
    MPL_FA_OFF
} mpl_llama_flash;

typedef enum mpl_llama_split {
    MPL_SPLIT_LAYER,
    MPL_SPLIT_NONE,
    MPL_SPLIT_ROW,
    MPL_SPLIT_TENSOR
} mpl_llama_split;

typedef enum mpl_llama_load {
    MPL_LOAD_AUTO,
    MPL_LOAD_NONE,
    MPL_LOAD_MMAP,
    MPL_LOAD_MLOCK,
    MPL_LOAD_MMAP_MLOCK,
    MPL_LOAD_DIO
} mpl_llama_load;

typedef enum mpl_llama_frontend {
    MPL_FRONTEND_SERVER,
    MPL_FRONTEND_CLI, /* llama-cli: a server of one slot inside */
    MPL_FRONTEND_TOOL
} mpl_llama_frontend;

typedef enum mpl_llama_measure {
    MPL_MEASURE_LOAD, /* as a load allocates */
    MPL_MEASURE_FIT   /* as llama.cpp's own fit measures */
} mpl_llama_measure;

/* What an override moves. The next three are what -cmoe, -ncmoe and -ncffn
 * stand for, patterns of llama.cpp's own; the last is a fit's. */
typedef enum mpl_llama_override_kind {
    MPL_OVERRIDE_PATTERN,
    MPL_OVERRIDE_EXPERTS,       /* of all layers */
    MPL_OVERRIDE_LAYER_EXPERTS, /* of layers below `layer_count` */
    MPL_OVERRIDE_LAYER_FFN,     /* the dense FFN of layers below it */
    MPL_OVERRIDE_LAYER_PARTS    /* some expert tensors of that one layer */
} mpl_llama_override_kind;

typedef struct mpl_llama_override {
    mpl_llama_override_kind kind;
    uint32_t layer_count;
    uint32_t parts;      /* bits of setup.h's mpl_llama_weight.expert_part */
    const char *pattern; /* "" unless the kind is PATTERN */
    const char *buffer;  /* a buffer type's name: "CPU", "CUDA0" */
} mpl_llama_override;

enum { MPL_LLAMA_NGL_AUTO = -1, MPL_LLAMA_NGL_ALL = -2 };

typedef struct mpl_llama_params {
    uint32_t n_ctx; /* 0: the model's */
    uint32_t n_batch;
    uint32_t n_ubatch;
    uint32_t n_seq;
    uint32_t n_outputs_max; /* 0: as the front end says */
    int32_t ngl;            /* or one of MPL_LLAMA_NGL_... */
    uint32_t main_gpu;
    uint32_t cache_ram_mib; /* UINT32_MAX: no limit */
    uint32_t checkpoint_count;
    uint32_t type_k; /* mpl_dtype */
    uint32_t type_v;
    mpl_llama_flash flash;
    mpl_llama_split split;
    mpl_llama_load load;
    mpl_llama_frontend frontend;
    mpl_llama_measure measure;
    bool kv_unified;
    bool no_kv_offload;
    bool swa_full;
    bool no_repack;
    bool no_host;
    bool no_op_offload;
    bool mtp;
    bool explain; /* notes say what compute buffers hold at their peaks */
    float splits[MPL_LLAMA_MAX_DEVICES]; /* float32, as llama.cpp's are */
    uint32_t split_count;
    mpl_llama_override *overrides;
    uint64_t override_count;
    uint64_t override_capacity;
    const char *device_names; /* -dev; NULL: all */
    const char *devices; /* "CUDA0:24GiB:22GiB/RPC0:…"; NULL: machine's */
    const char *backend; /* of the machine's devices; NULL: by vendor */
    const char *cpu_features; /* "avx2/avx512f/…"; NULL: the machine's */
    const char *mmproj;       /* a file, or NULL */
    const char *draft;        /* a model that drafts tokens, or NULL */
    const char *draft_devices; /* NULL: the model's */
    int32_t draft_ngl;        /* as ngl */
    uint32_t draft_type_k;    /* mpl_dtype */
    uint32_t draft_type_v;
    uint32_t draft_max;       /* tokens drafted at once, by it or by MTP */
    const char *rpc;          /* "HOST:PORT/…", or NULL: printed only */
    const char *margins;      /* "1024/512": MiB that fit keeps free */
    uint32_t fit_ctx;         /* fit does not go below this context */

    /* Which of them the caller pinned. */
    bool has_ctx;
    bool has_ngl;
    bool has_split;
    bool has_cache_ram;
} mpl_llama_params;

/* The defaults for a request without its settings, then `settings` (NULL:
 * none). MEMPLAN_OK, _ARGUMENT, _TOO_LARGE or _NO_MEMORY. */
memplan_status mpl_llama_params_read(mpl_llama_params *out, mpl_arena *arena,
                                     const mpl_request *request,
                                     const char *settings,
                                     memplan_error *error);

/* The rows of settings, and of what a cache may be kept in; false past the
 * last one. */
bool mpl_llama_setting_entry(uint32_t index, mpl_entry *out);
bool mpl_llama_cache_type_entry(uint32_t index, mpl_entry *out);

/* Adds settings to parameters. */
memplan_status mpl_llama_params_add(mpl_llama_params *out, mpl_arena *arena,
                                    const char *settings, memplan_error *error);

#endif
