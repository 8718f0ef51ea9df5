/* SPDX-License-Identifier: MIT */
/*
 * A job of the transformers engine: what each unit of the model takes where,
 * worked out once from model, machine and request, then only added up.
 *
 *     rows.c         units that cost the same, taken together
 *     packed.c       what becomes of weights that a checkpoint has packed
 *     weights.c      bytes of a unit by scheme, on a device and offloaded
 *     loading.c      what is there while weights load
 *     settings.c     what the request sets by name
 *     cache_choice.c which cache generate() makes
 *     cache.c        its classes, and what quantized ones pack
 *     state.c        the cache at the requested context
 *     activations.c  an upper bound for what a forward pass allocates
 *     speed.c        bytes over bandwidth
 *     stand_ins.c    the unknown speeds that decide between placements
 *     problem.c      the space of placements
 *     price.c        the ledger of one placement
 *     price_list.c   what plans keep of it
 *     device_map.c   placements as JSON
 */
#ifndef MPL_ENGINE_TRANSFORMERS_JOB_H
#define MPL_ENGINE_TRANSFORMERS_JOB_H

#include "engine/engine.h"
#include "engine/transformers/cache.h"
#include "model/quantization.h"
#include "model/quantization_config.h"

/* Units that differ in names alone. */
typedef struct mpl_unit_row {
    uint32_t unit; /* the first of them */
    uint32_t unit_count;
} mpl_unit_row;

/* All bytes of one unit, for all sequences. */
typedef struct mpl_unit_cost {
    uint64_t device_bytes;      /* parameters where they execute */
    uint64_t offloaded_bytes;   /* parameters on cpu or disk */
    uint64_t buffer_bytes;      /* buffers: they stay where the unit executes */
    uint64_t leaf_bytes;        /* of the largest leaf module when offloaded */
    uint64_t stored_leaf_bytes; /* of the same, in the model's own dtypes */
    uint64_t joined_bytes;      /* of the largest that loading joins of parts */
    uint64_t read_bytes;        /* of parameters, to decode one token */
    uint64_t cache_bytes;       /* the KV cache at the context */
    uint64_t cross_bytes;       /* keys and values of the encoder's tokens */
    uint64_t away_bytes;        /* of an offloaded cache: in host memory */
    uint64_t state_bytes;       /* fixed states */
    uint64_t window_bytes;      /* a prompt beyond a sliding window */
    uint64_t widest_bytes;      /* keys and values of one sequence step, in the
                                   dtype of computation: copied by a step */
} mpl_unit_cost;

/* A bound of what one forward pass allocates, by part. */
typedef struct mpl_activations {
    uint64_t bytes[MPL_POOL_HOST + 1]; /* by the kind of pool */
    mpl_certainty certainty;
    const char *rule;
} mpl_activations;

/* What becomes of weights that the checkpoint has packed. */
typedef struct mpl_packed {
    mpl_loading loading;
    uint32_t capability; /* of the first device; 0: none, or not known */
    bool is_guess;       /* nobody knows what that device can do */
    bool is_on_host;
    const char *packages; /* as mpl_terms has them */
    const char *packages_pip;
    uint64_t packed_bytes; /* of the whole model */
    uint64_t dense_bytes;
} mpl_packed;

struct mpl_job {
    mpl_arena *arena;
    const memplan_model *model;
    const memplan_machine *machine;
    const mpl_request *request;
    mpl_scheme scheme;
    const mpl_scheme_row *loading;    /* of that scheme */
    const char *settings; /* as given, a line each */
    const mpl_cache_kind *cache_kind;
    const mpl_kv_loading *kv_loading; /* NULL: as computed */
    uint32_t compute_dtype;
    uint64_t prompt_tokens;
    uint64_t encoder_tokens;  /* that cross attention sees */
    uint64_t group_elements;  /* of a quantized cache */
    uint64_t residual_tokens; /* that it may leave as computed, and one */
    uint64_t away_bytes;      /* of an offloaded cache, all layers */
    uint64_t at_work_bytes;   /* of it, on each device that executes */
    bool is_eager; /* attention forms the whole score matrix */
    bool has_windows;
    bool has_cross;          /* some layer has cross attention */
    bool has_encoder;        /* beside attention of its own: a decoder's */
    bool is_encoder_assumed; /* nobody said how many tokens it sees */
    bool is_cache_bound;     /* its layers may keep less */
    bool has_own_cache;      /* of a class that generate() does not choose */
    const uint32_t *row_of_unit;
    mpl_unit_row *rows;
    mpl_unit_cost *costs; /* by row: its units cost the same anywhere */
    uint32_t row_count;
    bool *is_joined;   /* by row; NULL: none is */
    uint32_t *tied_to; /* by unit: an earlier unit, or MPL_NO_INDEX */
    mpl_activations activations;
    mpl_packed packed;
    uint32_t host_pool; /* MPL_NO_INDEX: none */
    uint32_t disk_pool;
    uint32_t device_pool_count;
};

/* The model's unit that stands for a row. */
static inline const mpl_unit *mpl_transformers_unit(const mpl_job *job,
                                                    uint32_t row)
{
    return &job->model->units[job->rows[row].unit];
}

/* Finds the rows; their costs are 0 yet. False: no memory. */
bool mpl_transformers_rows(mpl_job *job);

/* What a unit leaves where it executes, beside its parameters. */
bool mpl_transformers_resident(uint64_t *out, const mpl_unit_cost *cost);

/* Room where it executes for the largest leaf of a unit that rests on
 * `pool`: a leaf of a file that is cast is there in both dtypes. */
uint64_t mpl_transformers_staging(const mpl_job *job, const mpl_unit_cost *cost,
                                  uint32_t pool);

/* Decides what becomes of packed weights. MEMPLAN_OK, _UNSUPPORTED (no loader
 * takes them there), _TOO_LARGE. */
memplan_status mpl_transformers_packed(mpl_job *job, memplan_error *error);

/* Whether the first device is known to have no tensor cores that torchao's 4
 * bit tiles are made for: it asks CUDA for 8.0, which Metal and Level Zero are
 * not. */
bool mpl_transformers_lacks_tiles(const mpl_job *job);

/* mpl_quantized_bytes(), packed or not as decided. */
bool mpl_transformers_tensor_bytes(uint64_t *out, const mpl_job *job,
                                   uint32_t tensor, mpl_scheme scheme);

/* For the ledger of a model that has packed weights. */
mpl_certainty mpl_transformers_packed_certainty(const mpl_job *job);
const char *mpl_transformers_packed_rule(const mpl_job *job, mpl_arena *arena);
memplan_status mpl_transformers_packed_note(const mpl_job *job,
                                            mpl_ledger *ledger);

/* Each fills its part of the job's costs. */
memplan_status mpl_transformers_weights(mpl_job *job, memplan_error *error);
memplan_status mpl_transformers_settings(mpl_job *job, memplan_error *error);
memplan_status mpl_transformers_cache(mpl_job *job, memplan_error *error);
memplan_status mpl_transformers_state(mpl_job *job, memplan_error *error);
memplan_status mpl_transformers_activations(mpl_job *job, memplan_error *error);

/* Whether a checkpoint is quantized already: then it is not again. */
bool mpl_transformers_has_quantized(const mpl_job *job);

/* Whether generate() can keep this model's cache in a smaller dtype. */
bool mpl_transformers_may_quantize(const mpl_job *job, const char *kv_dtype);

/* The schemes that are smaller than the job's, the largest first. */
const char *const *mpl_transformers_smaller(const mpl_job *job,
                                            uint32_t *out_count);

/* Whether a loader lets units rest on `pool` where `main` executes. */
bool mpl_transformers_may_rest(const mpl_job *job, uint32_t pool,
                               uint32_t main);

/* What a pool holds as soon as it executes anything. */
uint64_t mpl_transformers_open(const mpl_job *job, uint32_t pool);

/* The most that is in a pool while weights load. */
typedef struct mpl_load_peak {
    uint64_t bytes;         /* 0: nothing is joined there */
    uint64_t joining_bytes; /* of these, beside the weights */
} mpl_load_peak;

/* Whether loading joins tensors of this model. */
static inline bool mpl_transformers_joins(const mpl_job *job)
{
    return job->is_joined != NULL;
}

/* `out` has an entry for each pool. */
void mpl_transformers_load_peaks(const mpl_job *job,
                                 const mpl_placement *placement,
                                 mpl_load_peak *out);

/* The engine's loading(). */
void mpl_transformers_loading(const mpl_job *job,
                              const mpl_placement *placement, uint64_t *out);

/* What a driver takes of a device, and what it is planned to, a reserve
 * included. */
#define MPL_DEVICE_RUNTIME_BYTES (UINT64_C(640) << 20)
uint64_t mpl_transformers_device_runtime(const mpl_job *job, uint32_t pool);

/* What a process with torch takes before a model is loaded; what of the host
 * no problem counts: that, and an offloaded cache. UINT64_MAX past 64 bits. */
uint64_t mpl_transformers_host_runtime(const mpl_job *job);
uint64_t mpl_transformers_host_gone(const mpl_job *job);

/*
 * Speeds in bytes a second. `is_known` turns false where a stand-in was
 * used: good to compare placements, never to be shown.
 */
uint64_t mpl_transformers_read_speed(const mpl_job *job, uint32_t pool,
                                     bool *is_known);
uint64_t mpl_transformers_link_speed(const mpl_job *job, uint32_t pool,
                                     bool *is_known);

/* Whether two pools are devices of the same speeds, known or not. */
bool mpl_transformers_are_alike(const mpl_job *job, uint32_t a, uint32_t b);

/* Picoseconds a token of a unit that rests on `pool` and executes on `main`.
 * At most MPL_TIME_MAX_PS. */
uint64_t mpl_transformers_unit_ps(const mpl_job *job, const mpl_unit_cost *cost,
                                  uint32_t pool, uint32_t main, bool *is_known);

/* Picoseconds that the hidden state takes over a pool's link, and from one
 * home to another: as long as over the slower link. */
uint64_t mpl_transformers_hand_ps(const mpl_job *job, uint32_t pool,
                                  bool *is_known);
uint64_t mpl_transformers_crossing_ps(uint64_t from_ps, uint64_t to_ps);

/* Who executes what rests on a pool: itself if it is a device, else `main`. */
uint32_t mpl_transformers_home(const mpl_job *job, uint32_t pool,
                               uint32_t main);

/* The device that executes what is offloaded: the lowest that holds a unit;
 * the host where none does. */
uint32_t mpl_transformers_main(const mpl_job *job,
                               const mpl_placement *placement);

uint32_t mpl_transformers_rank(const mpl_job *job, uint32_t index,
                               mpl_problem_rank *out);
memplan_status mpl_transformers_problem(mpl_job *job, uint32_t index,
                                        mpl_problem *out, memplan_error *error);
bool mpl_transformers_price_list(const mpl_job *job, mpl_arena *arena,
                                 mpl_price_list *out);
bool mpl_transformers_stand_ins(const mpl_job *job,
                                const mpl_placement *placement,
                                const char **out);
memplan_status mpl_transformers_price(mpl_job *job, mpl_placement *placement,
                                      mpl_ledger *ledger, mpl_timing *timing,
                                      memplan_error *error);
memplan_status mpl_transformers_read(mpl_job *job, const char *text,
                                     mpl_placement *out, memplan_error *error);
bool mpl_transformers_setting_entry(uint32_t index, mpl_entry *out);
bool mpl_transformers_entry(mpl_engine_list list, uint32_t index,
                            mpl_entry *out);

#endif
