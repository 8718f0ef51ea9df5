/* SPDX-License-Identifier: MIT */
/* Which builder draws the graph of which architecture. */
#include "engine/llamacpp/builders.h"

#include "engine/llamacpp/decoder.h"

static mpl_builder *const BUILDERS[MPL_LLAMA_ARCH_COUNT] = {
#define BUILDER(arch, function) [MPL_LLAMA_ARCH_##arch] = function,
#include "engine/llamacpp/builders.def"
#undef BUILDER
};

mpl_builder *mpl_builder_of(mpl_llama_arch arch)
{
    if (BUILDERS[arch] != NULL)
        return BUILDERS[arch];
    return mpl_decoder_of(arch) != NULL ? mpl_build_decoder : NULL;
}
