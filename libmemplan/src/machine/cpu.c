/* SPDX-License-Identifier: MIT */
/*
 * The kernel writes a block of "key : value" lines for each processor; keys
 * differ by architecture ("flags" of x86, "Features" of Arm).
 */
#include "machine/cpu.h"

#include <string.h>

/* The kernel's word for a feature, and ours. */
static const struct {
    const char *flag;
    const char *name;
} FEATURES[] = {
    {"avx", "avx"},
    {"f16c", "f16c"},
    {"fma", "fma"},
    {"avx2", "avx2"},
    {"avx_vnni", "avx-vnni"},
    {"avx512f", "avx512f"},
    {"avx512bw", "avx512bw"},
    {"avx512_vnni", "avx512-vnni"},
    {"avx512_bf16", "avx512-bf16"},
    {"avx512_fp16", "avx512-fp16"},
    {"amx_tile", "amx"},
    {"amx_int8", "amx-int8"},
    {"amx_bf16", "amx-bf16"},
    {"asimd", "neon"},
    {"asimdhp", "neon-fp16"},
    {"asimddp", "dotprod"},
    {"i8mm", "i8mm"},
    {"bf16", "bf16"},
    {"sve", "sve"},
    {"sve2", "sve2"},
    {"sme", "sme"},
};
enum { FEATURE_COUNT = sizeof FEATURES / sizeof *FEATURES };

/* The first processor's block is enough, and comes first. */
enum { CPUINFO_BYTES = 16 * 1024 };

/* The rest of the first line that begins with one of the keys. */
static const char *find_line(const char *text, const char *const *keys,
                             size_t *out_length)
{
    for (; *keys != NULL; keys++) {
        const size_t length = strlen(*keys);
        for (const char *line = text; line != NULL;) {
            const char *const end = line + strcspn(line, "\n");
            const char *const colon =
                memchr(line, ':', (size_t)(end - line));
            const char after = line[length < (size_t)(end - line) ? length : 0];
            if (colon != NULL && strncmp(line, *keys, length) == 0 &&
                (after == ' ' || after == '\t' || after == ':')) {
                const char *at = colon + 1;
                at += strspn(at, " ");
                *out_length = (size_t)(end - at);
                return at;
            }
            line = *end == '\n' ? end + 1 : NULL;
        }
    }
    return NULL;
}

const char *mpl_cpu_model(mpl_arena *arena, const mpl_tree *tree)
{
    static const char *const KEYS[] = {"model name", "cpu", "Model", NULL};
    char text[CPUINFO_BYTES];
    size_t length;
    if (!mpl_tree_text(tree, text, sizeof text, "/proc/cpuinfo"))
        return "";
    const char *const found = find_line(text, KEYS, &length);
    if (found == NULL)
        return "";
    while (length > 0 && found[length - 1] == ' ')
        length--;
    return mpl_arena_copy(arena, found, length);
}

static bool has_flag(const char *flags, size_t length, const char *wanted)
{
    const size_t size = strlen(wanted);
    for (size_t at = 0; at < length;) {
        const size_t word = strcspn(flags + at, " \n");
        if (word == size && memcmp(flags + at, wanted, size) == 0)
            return true;
        at += word + 1;
    }
    return false;
}

bool mpl_cpu_read_isa(memplan_machine *machine, const mpl_tree *tree)
{
    static const char *const KEYS[] = {"flags", "Features", NULL};
    char text[CPUINFO_BYTES];
    size_t length;
    if (!mpl_tree_text(tree, text, sizeof text, "/proc/cpuinfo"))
        return true;
    const char *const flags = find_line(text, KEYS, &length);
    if (flags == NULL)
        return true;
    const char **const isa =
        mpl_arena_alloc(machine->arena, FEATURE_COUNT, sizeof *isa);
    if (isa == NULL)
        return false;
    for (size_t at = 0; at < FEATURE_COUNT; at++)
        if (has_flag(flags, length, FEATURES[at].flag))
            isa[machine->host.isa_count++] = FEATURES[at].name;
    machine->host.isa = isa;
    return true;
}
