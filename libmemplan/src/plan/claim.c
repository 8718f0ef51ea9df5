/* SPDX-License-Identifier: MIT */
#include "plan/claim.h"

#include <stddef.h>

/* Indexed by whether the host's speed was left out, then by whether there are
 * pins. */
static const char *const SCOPES[2][2] = {
    {"", " that keeps the pins"},
    {" that executes on a GPU", " that executes on a GPU and keeps the pins"},
};

bool mpl_claim_write(memplan_plan *plan, const mpl_outcome *found,
                     const mpl_request *request)
{
    plan->scope = SCOPES[found->host_trial == MPL_HOST_UNTRIED]
                        [request->pins != NULL && request->pins[0] != '\0'];
    plan->claim = "";
    if (!plan->fits || !plan->was_searched || !plan->is_optimal)
        return true;
    if (found->stand_ins != NULL)
        plan->claim = mpl_arena_join(
            plan->arena, "no placement", plan->scope,
            " is faster by bytes over bandwidth, if these stand-ins hold: ",
            found->stand_ins, NULL);
    else
        plan->claim = mpl_arena_join(
            plan->arena, "no placement", plan->scope,
            plan->decode_ps_per_token == MEMPLAN_UNKNOWN
                ? " is faster, whatever the unknown bandwidths (proven)"
                : " is faster by bytes over bandwidth (proven)",
            NULL);
    return plan->claim != NULL;
}
