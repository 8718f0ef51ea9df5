/* SPDX-License-Identifier: MIT */
/* Plans end to end: the verdict, pins, and pricing what was found. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "fixture.h"

static memplan_pool_info pool_at(const memplan_plan *plan, uint64_t index)
{
    memplan_pool_info pool = {sizeof pool};
    cr_assert_eq(memplan_plan_pool(plan, index, &pool), MEMPLAN_OK);
    return pool;
}

/* used = the sum of its rows; short = what passes the capacity. */
static void check_identities(const memplan_plan *plan, uint64_t pool_count)
{
    for (uint64_t index = 0; index < pool_count; index++) {
        const memplan_pool_info pool = pool_at(plan, index);
        uint64_t sum = 0;
        for (uint64_t row = 0; row < pool.row_count; row++) {
            memplan_row_info info = {sizeof info};
            cr_assert_eq(memplan_plan_row(plan, index, row, &info), MEMPLAN_OK);
            sum += info.bytes;
            cr_expect_gt(strlen(info.rule), 0);
        }
        cr_expect_eq(sum, pool.used_bytes, "%s", pool.key);
        cr_expect_eq(pool.short_bytes,
                     pool.used_bytes > pool.capacity_bytes
                         ? pool.used_bytes - pool.capacity_bytes
                         : 0,
                     "%s", pool.key);
    }
}

Test(plan, founding_example_in_fp16_needs_disk)
{
    memplan_request request = MEMPLAN_REQUEST_INIT;
    request.dtype = "fp16";
    fixture without = make("llama-2-70b", "0=20GB,cpu=60GB", &request);
    cr_expect_eq(without.info.fits, 0);
    cr_expect_gt(pool_at(without.plan, 1).short_bytes, 0);
    check_identities(without.plan, without.info.pool_count);
    drop(&without);
    fixture with = make("llama-2-70b", "0=20GB,cpu=60GB,disk=500GB", &request);
    cr_expect_eq(with.info.fits, 1);
    cr_expect_eq(with.info.is_optimal, 1);
    cr_expect_eq(with.info.decode_ns_per_token, MEMPLAN_UNKNOWN,
                 "nobody said how fast these memories are");
    check_identities(with.plan, with.info.pool_count);
    drop(&with);
}

Test(plan, founding_example_in_int4_fits)
{
    memplan_request request = MEMPLAN_REQUEST_INIT;
    request.dtype = "int4";
    fixture made = make("llama-2-70b", "0=20GB,cpu=60GB", &request);
    cr_expect_eq(made.info.fits, 1);
    cr_expect_eq(made.info.is_optimal, 1);
    cr_expect_eq(made.info.fix_count, 0);
    drop(&made);
}

Test(plan, pins_are_honoured)
{
    memplan_request request = MEMPLAN_REQUEST_INIT;
    request.dtype = "fp16";
    request.pins = "model.layers.0..9=cpu,lm_head=0";
    fixture made = make("llama-2-7b", "0=24GB,cpu=60GB", &request);
    cr_assert_eq(made.status, MEMPLAN_OK, "%s", made.error.message);
    cr_expect_eq(made.info.fits, 1);
    uint64_t on_host = 0;
    for (uint64_t index = 0; index < made.info.unit_count; index++) {
        memplan_placement_info unit = {sizeof unit};
        cr_assert_eq(memplan_plan_placement(made.plan, index, &unit),
                     MEMPLAN_OK);
        on_host += unit.pool_index == 1;
        if (strcmp(unit.unit, "model.layers.9") == 0)
            cr_expect_eq(unit.pool_index, 1);
        if (strcmp(unit.unit, "model.layers.10") == 0)
            cr_expect_eq(unit.pool_index, 0);
    }
    cr_expect_eq(on_host, 10);
    drop(&made);
}

Test(plan, pins_that_mean_nothing_are_refused)
{
    static const struct {
        const char *pins;
        memplan_status status;
        const char *says;
    } CASES[] = {
        {"model.layer.0=0", MEMPLAN_E_NOT_FOUND, "model.layers."},
        {"lm_head=7", MEMPLAN_E_NOT_FOUND, "\"7\""},
        {"lm_head", MEMPLAN_E_ARGUMENT, "unit=pool"},
        {"lm_head=0,lm_head=cpu", MEMPLAN_E_ARGUMENT, "two pools"},
        {"model.layers.9..0=0", MEMPLAN_E_ARGUMENT, "the smaller first"},
        {"model.layers.90..99=0", MEMPLAN_E_NOT_FOUND, "range"},
        {"model.layers.0..99=0", MEMPLAN_E_NOT_FOUND, "\"model.layers.31\""},
    };
    for (size_t at = 0; at < sizeof CASES / sizeof *CASES; at++) {
        memplan_request request = MEMPLAN_REQUEST_INIT;
        request.pins = CASES[at].pins;
        fixture made = make("llama-2-7b", "0=24GB,cpu=60GB", &request);
        cr_expect_eq(made.status, CASES[at].status, "%s: %s", CASES[at].pins,
                     made.error.message);
        cr_expect_not_null(strstr(made.error.message, CASES[at].says), "%s",
                           made.error.message);
        drop(&made);
    }
}

/* A searched plan and the price of its own device map are the same bytes. */
Test(plan, price_of_a_plan_is_the_plan)
{
    memplan_request request = MEMPLAN_REQUEST_INIT;
    request.dtype = "fp16";
    fixture made =
        make("llama-2-70b", "0=20GB,1=24GB,cpu=60GB,disk=500GB", &request);
    char *map = NULL;
    memplan_plan *priced = NULL;
    cr_assert_eq(
        memplan_plan_render(&map, made.plan, "device_map", NULL, &made.error),
        MEMPLAN_OK, "%s", made.error.message);
    cr_assert_eq(memplan_plan_price(&priced, made.model, made.machine, &request,
                                    map, &made.error),
                 MEMPLAN_OK, "%s", made.error.message);
    for (uint64_t index = 0; index < made.info.pool_count; index++)
        cr_expect_eq(pool_at(priced, index).used_bytes,
                     pool_at(made.plan, index).used_bytes);
    memplan_plan_free(priced);
    memplan_text_free(map);
    drop(&made);
}

Test(plan, device_maps_that_mean_nothing_are_refused)
{
    static const struct {
        const char *map;
        memplan_status status;
        const char *says;
    } CASES[] = {
        {"{\"model.layerz\": 0}", MEMPLAN_E_NOT_FOUND, "model.layers"},
        {"{\"model\": 0}", MEMPLAN_E_ARGUMENT, "lm_head"},
        {"{\"\": 3}", MEMPLAN_E_NOT_FOUND, "lacks"},
        {"[0]", MEMPLAN_E_ARGUMENT, "an array"},
        {"{\"\": 0", MEMPLAN_E_CORRUPT, ""},
        {"{\"\": 0, \"model.layers.3.mlp\": \"cpu\"}", MEMPLAN_E_ARGUMENT,
         "splits"},
        {"{\"\": null}", MEMPLAN_E_NOT_FOUND, "lacks"},
        {"{\"\": 0, \"model.norms\": \"cpu\"}", MEMPLAN_E_NOT_FOUND,
         "model.norm"},
        {"{\"\": 0, \"model.layers.32\": \"cpu\"}", MEMPLAN_E_NOT_FOUND,
         "model.layers.3"},
        {"{\"\": 0, \"other.pooler\": \"cpu\"}", MEMPLAN_E_NOT_FOUND, ""},
    };
    fixture made = make("llama-2-7b", "0=24GB,cpu=60GB", NULL);
    for (size_t at = 0; at < sizeof CASES / sizeof *CASES; at++) {
        memplan_plan *priced = NULL;
        cr_expect_eq(memplan_plan_price(&priced, made.model, made.machine, NULL,
                                        CASES[at].map, &made.error),
                     CASES[at].status, "%s: %s", CASES[at].map,
                     made.error.message);
        cr_expect_null(priced);
        cr_expect_not_null(strstr(made.error.message, CASES[at].says), "%s",
                           made.error.message);
    }
    drop(&made);
}

/* Of Gemma 4's vision tower, say: a map that Transformers made has a key for
 * it, and there is nothing in it to place. */
Test(plan, device_maps_may_name_modules_without_tensors)
{
    fixture made = make("llama-2-7b", "0=24GB,cpu=60GB", NULL);
    memplan_plan *priced = NULL;
    cr_expect_eq(memplan_plan_price(&priced, made.model, made.machine, NULL,
                                    "{\"lm_head\": 0, \"model\": 0, "
                                    "\"model.pooler\": \"cpu\"}",
                                    &made.error),
                 MEMPLAN_OK, "%s", made.error.message);
    memplan_plan_free(priced);
    drop(&made);
}

Test(plan, more_context_never_needs_less)
{
    uint64_t before = 0;
    for (uint64_t tokens = 256; tokens <= 65536; tokens *= 4) {
        memplan_request request = MEMPLAN_REQUEST_INIT;
        request.context_tokens = tokens;
        fixture made = make("qwen2.5-0.5b", "cpu=64GB", &request);
        const uint64_t used = pool_at(made.plan, 0).used_bytes;
        cr_expect_gt(used, before);
        before = used;
        drop(&made);
    }
}

Test(plan, a_disk_alone_executes_nothing)
{
    fixture made = make("qwen2.5-0.5b", "disk=64GB", NULL);
    cr_expect_eq(made.status, MEMPLAN_E_ARGUMENT);
    drop(&made);
}

/* Nothing is offloaded where all fits: then nothing is staged either. */
Test(plan, staging_only_where_something_is_offloaded)
{
    fixture made = make("qwen2.5-0.5b", "0=24GB,cpu=64GB", NULL);
    const memplan_pool_info pool = pool_at(made.plan, 0);
    for (uint64_t row = 0; row < pool.row_count; row++) {
        memplan_row_info info = {sizeof info};
        cr_assert_eq(memplan_plan_row(made.plan, 0, row, &info), MEMPLAN_OK);
        cr_expect_neq(strcmp(info.category, "staging"), 0);
    }
    drop(&made);
}

static bool has_note(const fixture *made, const char *words)
{
    bool has = false;
    for (uint64_t at = 0; at < made->info.note_count; at++)
        has = has || strstr(memplan_plan_note(made->plan, at), words) != NULL;
    return has;
}

/* No placement that can be priced is faster than one that is called optimal:
 * all on the host, here, is one of them. */
Test(plan, what_is_optimal_is_no_slower_than_the_host)
{
    static const struct {
        const char *model;
        const char *dtype;
        bool is_host_faster;
    } CASES[] = {
        {"mixtral-8x7b", NULL, true},
        {"qwen3-30b-a3b", NULL, true},
        {"qwen2.5-32b", NULL, true},
        {"qwen2.5-7b", NULL, false},
    };
    for (size_t at = 0; at < sizeof CASES / sizeof *CASES; at++) {
        memplan_request request = MEMPLAN_REQUEST_INIT;
        memplan_plan_info host = {sizeof host};
        memplan_plan *priced = NULL;
        request.dtype = CASES[at].dtype;
        fixture made =
            make_on(CASES[at].model,
                    "rtx-4090, 128GiB ram 80GB/s, pcie 4.0 x16", &request);
        cr_assert_eq(made.info.is_optimal, 1);
        cr_expect_eq(made.info.gap_parts_per_million, 0);
        cr_expect_str_eq(made.info.claim,
                         "no placement is faster by bytes over bandwidth "
                         "(proven)");
        cr_assert_eq(memplan_plan_price(&priced, made.model, made.machine,
                                        &request, "{\"\": \"cpu\"}",
                                        &made.error),
                     MEMPLAN_OK, "%s", made.error.message);
        memplan_plan_describe(priced, &host);
        cr_expect_leq(made.info.decode_ns_per_token, host.decode_ns_per_token,
                      "%s", CASES[at].model);
        cr_expect_eq(made.info.decode_ns_per_token == host.decode_ns_per_token,
                     CASES[at].is_host_faster, "%s", CASES[at].model);
        cr_expect_eq(has_note(&made, "no GPU is used: copying"),
                     CASES[at].is_host_faster);
        memplan_plan_free(priced);
        drop(&made);
    }
}

Test(plan, an_unknown_host_is_left_out_of_the_claim)
{
    fixture made =
        make_on("mixtral-8x7b", "rtx-4090, 128GiB ram, pcie 4.0 x16", NULL);
    cr_expect_eq(made.info.fits, 1);
    cr_expect_gt(pool_at(made.plan, 0).used_bytes, 0);
    cr_expect_str_eq(made.info.claim,
                     "no placement that executes on a GPU is faster by bytes "
                     "over bandwidth (proven)");
    cr_expect(has_note(&made, "computing on the host alone may be faster"));
    drop(&made);
}

Test(plan, a_pin_keeps_the_device)
{
    memplan_request request = MEMPLAN_REQUEST_INIT;
    request.pins = "model.embed_tokens=0";
    fixture made = make_on(
        "mixtral-8x7b", "rtx-4090, 128GiB ram 80GB/s, pcie 4.0 x16", &request);
    cr_expect_gt(pool_at(made.plan, 0).used_bytes, 0);
    cr_expect_eq(has_note(&made, "no GPU is used"), false);
    cr_expect_not_null(strstr(made.info.claim, "keeps the pins"));
    drop(&made);
}

/* Only the stand-ins that decide are named; where none does, the claim needs
 * no speed. */
Test(plan, stand_ins_are_named_where_they_decide)
{
    static const struct {
        const char *budgets;
        const char *says;
        const char *says_not;
    } CASES[] = {
        {"0=20GB,cpu=160GB", "(proven)", "stand-in"},
        {"0=200GB,1=20GB", "500 GB/s for the memory of GPU 0", "disk"},
        {"0=20GB,cpu=60GB,disk=500GB",
         "12 GB/s for the link of GPU 0, 2 GB/s for the disk", "memory of"},
        {"cpu=600GB", "(proven)", "GPU"},
    };
    memplan_request request = MEMPLAN_REQUEST_INIT;
    request.dtype = "fp16";
    for (size_t at = 0; at < sizeof CASES / sizeof *CASES; at++) {
        fixture made = make("llama-2-70b", CASES[at].budgets, &request);
        cr_expect_not_null(strstr(made.info.claim, CASES[at].says), "%s: %s",
                           CASES[at].budgets, made.info.claim);
        cr_expect_null(strstr(made.info.claim, CASES[at].says_not), "%s: %s",
                       CASES[at].budgets, made.info.claim);
        drop(&made);
    }
}

Test(plan, no_link_decides_where_all_is_on_the_fastest)
{
    fixture made = make_on("qwen2.5-7b", "2x rtx-4090, 64GiB ram 80GB/s", NULL);
    cr_expect_not_null(strstr(made.info.claim, "(proven)"), "%s",
                       made.info.claim);
    drop(&made);
}

/* What pools of one memory call free is there for each of them, and no more
 * than that memory has left. */
Test(plan, shared_memory_is_free_once)
{
    fixture made = make_on("qwen2.5-7b", "4x mi300a, 512GiB ram", NULL);
    uint64_t used = 0;
    uint64_t most = 0;
    for (uint64_t index = 0; index < made.info.pool_count; index++) {
        const memplan_pool_info pool = pool_at(made.plan, index);
        used += pool.used_bytes;
        most = pool.free_bytes > most ? pool.free_bytes : most;
        cr_expect_leq(pool.free_bytes + pool.used_bytes, pool.capacity_bytes);
    }
    const memplan_pool_info host = pool_at(made.plan, made.info.pool_count - 1);
    cr_assert_str_eq(host.key, "cpu");
    cr_expect_gt(used, host.used_bytes);
    cr_expect_leq(most + used, host.capacity_bytes,
                  "the host's capacity is all there is");
    drop(&made);
}

Test(plan, a_device_that_idles_says_so)
{
    memplan_request request = MEMPLAN_REQUEST_INIT;
    request.context_tokens = 8192;
    fixture made = make_on(
        "gemma-2-27b", "rtx-4090, 128GiB ram 80GB/s, pcie 4.0 x16", &request);
    cr_expect_eq(pool_at(made.plan, 0).used_bytes, 0);
    cr_expect(has_note(&made, "no GPU is used: no placement fits"));
    drop(&made);
}

Test(plan, what_a_driver_keeps_is_noted)
{
    fixture made = make_on("qwen2.5-7b", "rtx-4090, 64GiB ram", NULL);
    cr_expect(has_note(&made, "24 GiB for GPU 0; 23.6 GiB are planned on"));
    drop(&made);
}
