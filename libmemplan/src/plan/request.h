/* SPDX-License-Identifier: MIT */
/* A caller's request with its engine found and its defaults filled in. */
#ifndef MPL_PLAN_REQUEST_H
#define MPL_PLAN_REQUEST_H

#include "engine/engine.h"
#include "engine/request.h"

/* The caller's strings are not copied. MEMPLAN_OK, _UNSUPPORTED (no such
 * engine, or none for this model), _TOO_NEW, _ARGUMENT. */
memplan_status mpl_request_resolve(mpl_request *out, const memplan_model *model,
                                   const memplan_request *request,
                                   memplan_error *error);

#endif
