/* SPDX-License-Identifier: MIT */
/* Builders of graphs that are not the usual decoder's. */
#ifndef MPL_ENGINE_LLAMACPP_BUILDERS_H
#define MPL_ENGINE_LLAMACPP_BUILDERS_H

#include "engine/llamacpp/build.h"

#define BUILDER(arch, function) mpl_builder function;
#include "engine/llamacpp/builders.def"
#undef BUILDER

#endif
