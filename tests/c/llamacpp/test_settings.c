/* SPDX-License-Identifier: MIT */
/* Settings: llama.cpp's flags as one text. */
#include <criterion/criterion.h>
#include <string.h>

#include "engine/llamacpp/params.h"
#include "engine/llamacpp/settings.h"

static const mpl_request REQUEST = {
    .context_tokens = 4096, .sequences = 2, .reserve_bytes = MEMPLAN_UNKNOWN};

static memplan_status read_text(mpl_llama_params *out, mpl_arena *arena,
                                const char *text, memplan_error *error)
{
    return mpl_llama_params_read(out, arena, &REQUEST, text, error);
}

Test(settings, start_from_the_request)
{
    mpl_arena *const arena = mpl_arena_create();
    mpl_llama_params params;
    cr_assert_eq(read_text(&params, arena, NULL, NULL), MEMPLAN_OK);
    cr_expect_eq(params.n_ctx, 8192); /* 2 sequences of 4096 */
    cr_expect_eq(params.n_seq, 2);
    cr_expect_eq(params.n_batch, 2048);
    cr_expect_eq(params.n_ubatch, 512);
    cr_expect_eq(params.ngl, MPL_LLAMA_NGL_AUTO);
    mpl_arena_free(arena);
}

Test(settings, take_flags_short_and_long_with_and_without_dashes)
{
    mpl_arena *const arena = mpl_arena_create();
    mpl_llama_params params;
    memplan_error error = {0};
    cr_assert_eq(read_text(&params, arena,
                           "-c=1024,--ubatch-size=64,ngl=all,kvu,ctk=q8_0,"
                           "--cache-type-v=bf16,fa=on,nkvo=1,sm=none,mg=1,"
                           "no-mmap,cram=-1,ts=3/1.5",
                           &error),
                 MEMPLAN_OK, "%s", error.message);
    cr_expect_eq(params.n_ctx, 1024);
    cr_expect_eq(params.n_ubatch, 64);
    cr_expect_eq(params.ngl, MPL_LLAMA_NGL_ALL);
    cr_expect(params.kv_unified);
    cr_expect_eq(params.type_k, MPL_DTYPE_Q8_0);
    cr_expect_eq(params.type_v, MPL_DTYPE_BF16);
    cr_expect_eq(params.flash, MPL_FA_ON);
    cr_expect(params.no_kv_offload);
    cr_expect_eq(params.split, MPL_SPLIT_NONE);
    cr_expect_eq(params.main_gpu, 1);
    cr_expect_eq(params.load, MPL_LOAD_NONE);
    cr_expect_eq(params.cache_ram_mib, UINT32_MAX);
    cr_expect_eq(params.split_count, 2);
    cr_expect_eq(params.splits[1], 1.5F);
    mpl_arena_free(arena);
}

Test(settings, keep_overrides_in_order_and_commas_by_lines_or_escapes)
{
    static const char *const TEXTS[] = {
        "ot=attn=CPU\\,ffn_up=CUDA0,ncmoe=2,cmoe",
        "ot=attn=CPU,ffn_up=CUDA0\nncmoe=2\ncmoe\n",
    };
    mpl_arena *const arena = mpl_arena_create();
    for (size_t i = 0; i < 2; i++) {
        mpl_llama_params params;
        memplan_error error = {0};
        cr_assert_eq(read_text(&params, arena, TEXTS[i], &error), MEMPLAN_OK,
                     "%s", error.message);
        cr_assert_eq(params.override_count, 4);
        cr_expect_str_eq(params.overrides[0].pattern, "attn");
        cr_expect_str_eq(params.overrides[0].buffer, "CPU");
        cr_expect_str_eq(params.overrides[1].buffer, "CUDA0");
        cr_expect_eq(params.overrides[2].kind, MPL_OVERRIDE_LAYER_EXPERTS);
        cr_expect_eq(params.overrides[2].layer_count, 2);
        cr_expect_eq(params.overrides[3].kind, MPL_OVERRIDE_EXPERTS);
    }
    mpl_arena_free(arena);
}

Test(settings, say_what_is_wrong)
{
    static const char *const WRONG[][2] = {
        {"nlg=3", "none that memory depends on, perhaps \"ngl\""},
        {"c=many", "is not a whole number"},
        {"ngl=some", "is not a number of layers, auto or all"},
        {"ctk=q2_k", "is not a cache type of llama.cpp"},
        {"temp=1", "setting \"temp\": none that memory depends on"},
        {"fa=maybe", "\"maybe\" is not auto, on or off"},
        {"ot=attn", "is not PATTERN=BUFFER"},
        {"ts=a/b", "is not a list of at most 16 shares"},
        {"kvu=2", "is not 0 or 1"},
        {"c=99999999999", "is not a whole number below 2^31"},
    };
    mpl_arena *const arena = mpl_arena_create();
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        mpl_llama_params params;
        memplan_error error = {0};
        cr_expect_eq(read_text(&params, arena, WRONG[i][0], &error),
                     MEMPLAN_E_ARGUMENT, "%s", WRONG[i][0]);
        cr_expect(strstr(error.message, WRONG[i][1]) != NULL, "%s: %s",
                  WRONG[i][0], error.message);
    }
    mpl_arena_free(arena);
}

Test(settings, join_into_lines)
{
    mpl_arena *const arena = mpl_arena_create();
    cr_expect_str_eq(
        mpl_llama_settings_join(arena, "c=1,ot=a=CPU\\,b=CPU", "ngl=3\nub=4"),
        "c=1\not=a=CPU,b=CPU\nngl=3\nub=4\n");
    cr_expect_str_eq(mpl_llama_settings_join(arena, NULL, NULL), "");
    mpl_arena_free(arena);
}
