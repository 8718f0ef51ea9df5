# SPDX-License-Identifier: MIT
"""The vectors that Criterion and busted read too: bytes, plans, refusals."""

import json

import pytest

import memplan
from conftest import ROOT


def load(name):
    """The cases of tests/vectors/NAME, as many as the file declares."""
    vectors = json.loads((ROOT / "tests/vectors" / name).read_text())
    assert len(vectors["cases"]) == vectors["cases_expected"], name
    assert all(case["why"] for case in vectors["cases"]), name
    return [pytest.param(case["given"], case["expect"], id=case["name"])
            for case in vectors["cases"]]


def plan_of(given):
    given = dict(given)
    return memplan.plan(given.pop("model"), **given)


@pytest.mark.parametrize("given, expect", load("bytes.json"))
def test_bytes(given, expect):
    if "format" in given:
        assert memplan.bytes_format(int(given["format"])) == expect["text"]
    elif "status" in expect:
        with pytest.raises(memplan.Error) as raised:
            memplan.bytes_parse(given["parse"])
        assert raised.value.status == expect["status"]
        assert expect["says"] in str(raised.value)
    else:
        assert memplan.bytes_parse(given["parse"]) == int(expect["bytes"])


@pytest.mark.parametrize("given, expect", load("plans.json"))
def test_plans(given, expect):
    plan = plan_of(given)
    assert plan.fits == expect["fits"]
    rows = [row for pool in plan.pools for row in pool.rows]
    for category in ("weights", "kv_cache"):
        if category in expect:
            assert int(expect[category]) == sum(
                row.bytes for row in rows if row.category == category)
    if "first_fix" in expect:
        assert plan.fixes[0].kind == expect["first_fix"]


@pytest.mark.parametrize("given, expect", load("errors.json"))
def test_errors(given, expect):
    with pytest.raises(memplan.Error) as raised:
        plan_of(given)
    assert raised.value.status == expect["status"]
    assert expect["says"] in str(raised.value)
