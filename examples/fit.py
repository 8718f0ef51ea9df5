#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Does a model fit into these budgets, and where does each part go?

    python fit.py llama-2-70b 0=20GB,cpu=60GB int4 4096

examples/fit.c and examples/fit.lua print the same bytes. Exit code: 0 it
fits, 1 it does not, 2 the request is wrong.
"""

import sys

import memplan


def fit(model, budgets, dtype=None, context="0"):
    plan = memplan.plan(model, max_memory=budgets, dtype=dtype, context=int(context))
    verdict = "fits" if plan.fits else "does not fit"
    print(f"{plan.dtype} at {plan.context_tokens} tokens: {verdict}")
    for pool in plan.pools:
        print(f"{pool.key}: {pool.used_bytes} of {pool.capacity_bytes} bytes")
    for row in plan.placement:
        print(f"{row.unit} -> {row.pool}")
    for fix in plan.fixes:
        print(f"to make it fit: {fix.text}")
    return 0 if plan.fits else 1


if __name__ == "__main__":
    if not 3 <= len(sys.argv) <= 5:
        print("usage: fit.py MODEL BUDGETS [DTYPE [CONTEXT]]", file=sys.stderr)
        sys.exit(2)
    try:
        sys.exit(fit(*sys.argv[1:]))
    except memplan.Error as error:
        print(f"fit: {error}", file=sys.stderr)
        sys.exit(2)
