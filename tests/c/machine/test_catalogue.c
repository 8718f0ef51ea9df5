/* SPDX-License-Identifier: MIT */
/* The tables of GPUs and their links. */
#include <criterion/criterion.h>
#include <string.h>

#include "data/gpu_catalogue.h"
#include "memplan.h"

#define GIGA UINT64_C(1000000000)

/* Every row can be named, and is found by what drivers call it. */
Test(catalogue, rows_are_sound)
{
    uint32_t count = 0;
    const mpl_gpu_model *model;
    for (; (model = mpl_gpu_at(count)) != NULL; count++) {
        mpl_nearest near = {.count = 0};
        bool is_several = false;
        cr_expect_eq(mpl_gpu_find(model->key, &near, &is_several), model,
                     "%s", model->key);
        cr_expect_gt(strlen(model->source), 4, "%s", model->key);
        cr_expect(model->memory >= MPL_GPU_UNIFIED ||
                      model->memory_bytes != MEMPLAN_UNKNOWN,
                  "%s", model->key);
        cr_expect((model->memory == MPL_GPU_MINOR &&
                   model->bandwidth_bytes_per_second == MEMPLAN_UNKNOWN) ||
                      (model->bandwidth_bytes_per_second >= 20 * GIGA &&
                       model->bandwidth_bytes_per_second <= 8000 * GIGA),
                  "%s", model->key);
    }
    cr_expect_geq(count, 150);
}

/* A letter of a name is none yet: nobody means a Titan by "x". */
Test(catalogue, letters_name_no_gpu)
{
    static const char *const WORDS[] = {"x", "v", "xp", "nx", "fe"};
    bool is_several = false;
    for (size_t at = 0; at < sizeof WORDS / sizeof *WORDS; at++)
        cr_expect_null(mpl_gpu_find(WORDS[at], NULL, &is_several), "%s",
                       WORDS[at]);
    cr_expect_not_null(mpl_gpu_find("titan x", NULL, &is_several));
    cr_expect_not_null(mpl_gpu_find("thor", NULL, &is_several));
    cr_expect_not_null(mpl_gpu_find("m2", NULL, &is_several));
}

/* Every key of an NVLink is a GPU's, once. */
Test(catalogue, nvlinks_are_of_gpus)
{
    uint32_t keys = 0;
    uint32_t linked = 0;
    const mpl_gpu_nvlink *link;
    for (uint32_t at = 0; (link = mpl_gpu_nvlink_at(at)) != NULL; at++)
        for (const char *key = link->keys; *key != '\0'; key++)
            keys += key == link->keys || key[-1] == ' ';
    const mpl_gpu_model *model;
    for (uint32_t at = 0; (model = mpl_gpu_at(at)) != NULL; at++)
        linked += mpl_gpu_nvlink_of(model->key) != NULL;
    cr_expect_eq(keys, linked, "%u keys for %u rows", keys, linked);
}

/* Every key of a link is a card's, once; cards without one are those that
 * hosts reach in several ways. */
Test(catalogue, links_are_of_cards)
{
    uint32_t keys = 0;
    uint32_t linked = 0;
    const mpl_gpu_link *link;
    for (uint32_t at = 0; (link = mpl_gpu_link_at(at)) != NULL; at++)
        for (const char *key = link->keys; *key != '\0'; key++)
            keys += key == link->keys || key[-1] == ' ';
    const mpl_gpu_model *model;
    for (uint32_t at = 0; (model = mpl_gpu_at(at)) != NULL; at++) {
        link = mpl_gpu_card_link(model);
        linked += link != NULL;
        cr_expect(link == NULL || model->memory == MPL_GPU_SEPARATE, "%s",
                  model->key);
    }
    cr_expect_eq(keys, linked, "%u keys for %u rows", keys, linked);
    cr_expect_geq(linked, 150);
}

/* All of NVIDIA's have one, between Maxwell's and the latest. */
Test(catalogue, capabilities)
{
    const mpl_gpu_model *model;
    for (uint32_t at = 0; (model = mpl_gpu_at(at)) != NULL; at++) {
        const uint32_t found = mpl_gpu_compute_capability(model);
        if (strcmp(model->vendor, "nvidia") == 0)
            cr_expect(found >= 50 && found <= 121, "%s: %u", model->key, found);
        else
            cr_expect_eq(found, 0, "%s", model->key);
        if (strcmp(model->key, "rtx-4090") == 0)
            cr_expect_eq(found, 89);
        if (strcmp(model->key, "t4") == 0)
            cr_expect_eq(found, 75);
    }
}
