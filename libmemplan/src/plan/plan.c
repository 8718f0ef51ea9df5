/* SPDX-License-Identifier: MIT */
/* A plan from an outcome: copied, sorted, judged and explained. */
#include "plan/plan.h"

#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "plan/claim.h"
#include "plan/fixes.h"
#include "plan/notes.h"
#include "plan/place.h"
#include "plan/request.h"

static bool copy_text(const memplan_plan *plan, const char **out,
                      const char *text)
{
    *out = mpl_arena_strdup(plan->arena, text != NULL ? text : "");
    return *out != NULL;
}

static bool copy_facts(memplan_plan *plan, const memplan_model *model,
                       const memplan_machine *machine,
                       const mpl_request *request, const mpl_outcome *found)
{
    plan->parameter_count = model->parameter_count;
    plan->model_weight_bytes = model->weight_bytes;
    plan->model_context_tokens = model->facts.context_tokens;
    plan->engine = request->engine->name;
    plan->profile = request->engine->profile;
    plan->context_tokens = found->terms.context_tokens;
    plan->prompt_tokens = found->terms.prompt_tokens;
    plan->sequences = request->sequences;
    plan->fits = found->fits;
    plan->is_optimal = found->is_optimal;
    plan->decode_ps_per_token = found->timing.decode_ps_per_token;
    plan->is_per_pass = found->terms.keeps_nothing;
    /* A distance between times made of stand-ins would be a guess. */
    plan->gap_parts_per_million =
        found->is_optimal || plan->decode_ps_per_token != MEMPLAN_UNKNOWN
            ? found->gap_parts_per_million
            : MEMPLAN_UNKNOWN;
    plan->prompt_ps_per_token = found->timing.prompt_ps_per_token;
    return copy_text(plan, &plan->model_name, model->name) &&
           copy_text(plan, &plan->model_source, model->source) &&
           copy_text(plan, &plan->model_format, model->format) &&
           copy_text(plan, &plan->model_repository, model->repository) &&
           copy_text(plan, &plan->architecture, model->architecture) &&
           copy_text(plan, &plan->class_name, model->class_name) &&
           copy_text(plan, &plan->machine_name, machine->name) &&
           copy_text(plan, &plan->settings,
                     found->terms.settings != NULL
                         ? found->terms.settings
                         : found->placement.settings) &&
           copy_text(plan, &plan->dtype, found->terms.dtype) &&
           copy_text(plan, &plan->kv_dtype, found->terms.kv_dtype) &&
           copy_text(plan, &plan->cache, found->terms.cache) &&
           copy_text(plan, &plan->packages, "") &&
           copy_text(plan, &plan->packages_pip, found->terms.packages_pip) &&
           copy_text(plan, &plan->value_dtype,
                     found->terms.value_dtype != NULL ? found->terms.value_dtype
                                                      : found->terms.kv_dtype);
}

static bool comes_after(const mpl_row *row, const mpl_row *other)
{
    return row->pool > other->pool ||
           (row->pool == other->pool && row->category > other->category);
}

/* The ledger's rows by pool, in the order of categories; equal ones as they
 * came. Their rules are in the plan's arena, or static. */
static bool copy_rows(memplan_plan *plan, const mpl_ledger *ledger)
{
    mpl_row *const rows =
        mpl_arena_take(plan->arena, ledger->row_count, sizeof *rows);
    if (rows == NULL)
        return false;
    for (uint64_t at = 0; at < ledger->row_count; at++) {
        const mpl_row *const row = &ledger->rows[at];
        uint64_t place = at;
        for (; place > 0 && comes_after(&rows[place - 1], row); place--)
            rows[place] = rows[place - 1];
        rows[place] = *row;
    }
    for (uint32_t pool = 0; pool < plan->pool_count; pool++)
        plan->pools[pool].rows = rows;
    for (uint64_t at = ledger->row_count; at-- > 0;) {
        plan->pools[rows[at].pool].rows = &rows[at];
        plan->pools[rows[at].pool].row_count++;
    }
    return true;
}

static bool is_measured(const memplan_machine *machine, const mpl_pool *pool)
{
    static const char MEASURED[] = "measured";
    const char *const source = pool->kind == MPL_POOL_HOST
                                   ? machine->host.read_bytes_per_second.source
                               : pool->kind == MPL_POOL_DISK
                                   ? machine->disk.read_bytes_per_second.source
                                   : "";
    return source != NULL &&
           strncmp(source, MEASURED, sizeof MEASURED - 1) == 0;
}

/* free = min(capacity - used, budget - used by all who share it) */
static void find_free(memplan_plan *plan, const memplan_machine *machine)
{
    for (uint32_t at = 0; at < plan->pool_count; at++) {
        mpl_plan_pool *const pool = &plan->pools[at];
        uint64_t left = machine->budget_bytes[pool->budget];
        for (uint32_t other = 0;
             left != MEMPLAN_UNKNOWN && other < plan->pool_count; other++)
            if (plan->pools[other].budget == pool->budget)
                left = mpl_sub_floor(left, plan->pools[other].used_bytes);
        pool->free_bytes =
            pool->capacity_bytes == MEMPLAN_UNKNOWN
                ? MEMPLAN_UNKNOWN
                : mpl_min(left, mpl_sub_floor(pool->capacity_bytes,
                                              pool->used_bytes));
    }
}

static bool copy_pools(memplan_plan *plan, const memplan_machine *machine,
                       const mpl_outcome *found)
{
    plan->pool_count = machine->pool_count;
    plan->pools =
        mpl_arena_alloc(plan->arena, plan->pool_count, sizeof *plan->pools);
    if (plan->pools == NULL)
        return false;
    for (uint32_t at = 0; at < plan->pool_count; at++) {
        const mpl_pool *const from = &machine->pools[at];
        mpl_plan_pool *const into = &plan->pools[at];
        into->kind = from->kind;
        into->budget = from->budget;
        into->device_index = from->kind == MPL_POOL_DEVICE
                                 ? machine->devices[from->device].index
                                 : MPL_NO_INDEX;
        into->capacity_bytes = from->capacity_bytes;
        into->bandwidth_bytes_per_second = from->bandwidth_bytes_per_second;
        into->link_bytes_per_second = from->link_bytes_per_second;
        into->is_measured = is_measured(machine, from);
        into->is_measurable =
            machine->is_here && from->kind == MPL_POOL_HOST &&
            from->bandwidth_bytes_per_second == MEMPLAN_UNKNOWN;
        into->used_bytes = found->used_bytes[at];
        into->short_bytes = found->short_bytes[at];
        const bool is_device = from->kind == MPL_POOL_DEVICE;
        if (!copy_text(plan, &into->key, from->key) ||
            !copy_text(plan, &into->vendor,
                       is_device ? machine->devices[from->device].vendor
                                 : "") ||
            !copy_text(plan, &into->name, from->name))
            return false;
    }
    find_free(plan, machine);
    return true;
}

/* Packages matter to the verdict unless each pool in use has room for all that
 * weights would take more without them. */
static bool copy_packages(memplan_plan *plan, const mpl_terms *terms)
{
    bool has_room = true;
    for (uint32_t at = 0; at < plan->pool_count; at++) {
        const mpl_plan_pool *const pool = &plan->pools[at];
        const bool has_weights = pool->row_count > 0 &&
                                 pool->rows[0].category == MPL_ROW_WEIGHTS;
        has_room = has_room && (!has_weights ||
                                pool->free_bytes >= terms->more_bytes);
    }
    return has_room || copy_text(plan, &plan->packages, terms->packages);
}

/* One piece of memory for all names. */
static char *take_names(const memplan_plan *plan, const memplan_model *model)
{
    uint64_t bytes = 0;
    for (uint32_t at = 0; at < model->unit_count; at++)
        bytes += strlen(model->units[at].name) + 1;
    return mpl_arena_take(plan->arena, bytes, 1);
}

static bool copy_units(memplan_plan *plan, const memplan_model *model,
                       const mpl_placement *placement)
{
    char *name = take_names(plan, model);
    plan->unit_count = model->unit_count;
    plan->units =
        mpl_arena_take(plan->arena, plan->unit_count, sizeof *plan->units);
    if (plan->units == NULL || name == NULL)
        return false;
    for (uint32_t at = 0; at < plan->unit_count; at++) {
        plan->units[at] = (mpl_plan_unit){
            .name = name,
            .kind = model->units[at].kind,
            .pool = placement->pool_of_unit[at],
            .weight_bytes = placement->unit_bytes[at],
        };
        name = stpcpy(name, model->units[at].name) + 1;
    }
    return true;
}

/* For other placements than the one that was found. */
static bool keep_prices(memplan_plan *plan, const mpl_engine *engine,
                        const mpl_job *job)
{
    if (!plan->fits || engine->price_list == NULL)
        return true;
    mpl_price_list *const kept = mpl_arena_alloc(plan->arena, 1, sizeof *kept);
    plan->prices = kept;
    return kept != NULL && engine->price_list(job, plan->arena, kept);
}

static memplan_plan *create_empty(void)
{
    mpl_arena *const arena = mpl_arena_create();
    memplan_plan *const plan =
        arena != NULL ? mpl_arena_alloc(arena, 1, sizeof *plan) : NULL;
    if (plan == NULL) {
        mpl_arena_free(arena);
        return NULL;
    }
    plan->arena = arena;
    return plan;
}

static memplan_status build(memplan_plan *plan, mpl_arena *scratch,
                            const memplan_model *model,
                            const memplan_machine *machine,
                            const mpl_request *request, bool is_search,
                            const char *text, memplan_error *error)
{
    mpl_outcome found = {.ledger = {.arena = plan->arena}};
    memplan_status status = mpl_place(&found, scratch, model, machine, request,
                                      is_search, text, error);
    if (status != MEMPLAN_OK)
        return status;
    plan->was_searched = is_search;
    if (!copy_facts(plan, model, machine, request, &found) ||
        !copy_pools(plan, machine, &found) || !copy_rows(plan, &found.ledger) ||
        !copy_packages(plan, &found.terms) ||
        !copy_units(plan, model, &found.placement) ||
        !keep_prices(plan, request->engine, found.job) ||
        !mpl_claim_write(plan, &found, request) ||
        mpl_notes_write(plan, &found, model, machine) != MEMPLAN_OK)
        return mpl_fail_memory(error);
    if (!plan->fits && is_search)
        status =
            mpl_fixes_find(plan, model, machine, request, &found.terms, error);
    return status;
}

static memplan_status make(memplan_plan **out, const memplan_model *model,
                           const memplan_machine *machine,
                           const memplan_request *request, bool is_search,
                           const char *text, memplan_error *error)
{
    mpl_request resolved;
    memplan_status status =
        mpl_request_resolve(&resolved, model, request, error);
    if (status == MEMPLAN_OK && machine->pool_count == 0)
        status = mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                          "machine %.100s: nobody says how much memory it has; "
                          "a budget does, such as cpu=64GiB",
                          machine->name);
    if (status != MEMPLAN_OK)
        return status;
    memplan_plan *const plan = create_empty();
    mpl_arena *const scratch = mpl_arena_create();
    status = plan != NULL && scratch != NULL
                 ? build(plan, scratch, model, machine, &resolved, is_search,
                         text, error)
                 : mpl_fail_memory(error);
    mpl_arena_free(scratch);
    if (status == MEMPLAN_OK)
        *out = plan;
    else
        memplan_plan_free(plan);
    return status;
}

memplan_status memplan_plan_create(memplan_plan **out,
                                   const memplan_model *model,
                                   const memplan_machine *machine,
                                   const memplan_request *request,
                                   memplan_error *error)
{
    return make(out, model, machine, request, true, NULL, error);
}

memplan_status memplan_plan_price(memplan_plan **out,
                                  const memplan_model *model,
                                  const memplan_machine *machine,
                                  const memplan_request *request,
                                  const char *placement, memplan_error *error)
{
    return make(out, model, machine, request, false, placement, error);
}

void memplan_plan_free(memplan_plan *plan)
{
    if (plan != NULL)
        mpl_arena_free(plan->arena); /* the plan itself lives in it */
}
