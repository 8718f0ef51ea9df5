# SPDX-License-Identifier: MIT
"""Random trees of modules: memplan and Accelerate agree on all of them."""

import copy
import logging
import random
import warnings
from unittest import mock

import pytest
from conftest import needs

torch, hypothesis, modeling = needs("torch", "hypothesis", "accelerate.utils.modeling")

import memplan.transformers as twins  # noqa: E402
from random_modules import (  # noqa: E402
    random_budgets,
    random_model,
    random_options,
    seeds,
)

CASES, LONG_CASES = 400, 10_000


def first_names_first(model):
    """Accelerate's groups of tied parameters, in one order instead of a set's."""
    groups = ORIGINAL(model)
    order = {name: at for at, (name, _) in enumerate(model.named_parameters())}
    return sorted(groups, key=lambda group: min(order.get(n, 1 << 30) for n in group))


ORIGINAL = modeling.find_tied_parameters


class Heard(logging.Handler):
    """Log messages, whoever logs them."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.lines = []

    def emit(self, record):
        self.lines.append((record.levelname, record.getMessage()))


def outcome(logger_name, function, *args, **kwargs):
    """What a call gives: its value or exception, warnings, and log."""
    logger, heard = logging.getLogger(logger_name), Heard()
    logger.addHandler(heard)
    old, propagate = logger.level, logger.propagate
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                value = function(*args, **kwargs)
            except Exception as error:
                value = (type(error).__name__, str(error))
    finally:
        logger.removeHandler(heard)
        logger.setLevel(old)
        logger.propagate = propagate
    kinds = {}
    if isinstance(value, dict):
        kinds = {key: type(item).__name__ for key, item in value.items()}
    said = [(w.category.__name__, str(w.message)) for w in caught]
    return value, kinds, said, heard.lines


def both(name, model, *args, **kwargs):
    theirs = outcome(
        "accelerate.utils.modeling",
        getattr(modeling, name),
        model,
        *copy.deepcopy(args),
        **copy.deepcopy(kwargs),
    )
    ours = outcome(
        "memplan.transformers.accelerate", getattr(twins, name), model, *args, **kwargs
    )
    if kwargs.get("clean_result"):
        # Joined keys come in the order of a set there: another in each run.
        ours, theirs = (unordered(ours), unordered(theirs))
    assert ours == theirs, f"{name}: {args} {kwargs}\n{model}"
    return ours[0]


def unordered(result):
    value, *rest = result
    return (dict(value) if isinstance(value, dict) else value, *rest)


def compare(seed):
    chance = random.Random(seed)
    model = random_model(chance.random())
    options = random_options(chance)
    sizes = both(
        "compute_module_sizes",
        model,
        dtype=options["dtype"],
        special_dtypes=options["special_dtypes"],
        buffers_only=chance.random() < 0.2,
    )
    total = sizes.get("", 1) if isinstance(sizes, dict) else 1
    budgets = random_budgets(chance, total)
    if "disk" not in budgets or chance.random() < 0.1:
        low_zero = chance.random() < 0.4
        both("get_balanced_memory", model, budgets, low_zero=low_zero, **options)
    device_map = both(
        "infer_auto_device_map",
        model,
        budgets,
        clean_result=chance.random() < 0.7,
        offload_buffers=chance.random() < 0.3,
        fallback_allocation=chance.random() < 0.4,
        **options,
    )
    if isinstance(device_map, dict):
        clean = modeling.clean_device_map(dict(device_map))
        assert twins.clean_device_map(dict(device_map)) == clean
        for key in list(device_map)[:: chance.randint(2, 9)]:
            if chance.random() < 0.5:
                del device_map[key]
        device_map.update({"no.such": 0} if chance.random() < 0.2 else {})
        both("check_device_map", model, device_map)


@pytest.fixture(autouse=True)
def one_order():
    with mock.patch.object(modeling, "find_tied_parameters", first_names_first):
        yield


def test_random_trees(is_long):
    count = LONG_CASES if is_long else CASES

    @hypothesis.settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(seeds)
    def agree(seed):
        compare(seed)

    agree()
