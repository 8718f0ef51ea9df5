# SPDX-License-Identifier: MIT
"""Accelerate's behaviour, case by case: what its users rely on.

Expected values are by hand; each is also compared with Accelerate itself.
"""

import logging
from collections import OrderedDict, defaultdict
from unittest import mock

import pytest
from conftest import needs

torch, modeling = needs("torch", "accelerate.utils.modeling")
from torch import nn  # noqa: E402

import memplan.transformers as twins  # noqa: E402
from memplan.transformers import accelerate as module_under_test  # noqa: E402


class Small(nn.Module):
    """64 + 72 + 100 bytes; the norm has buffers of 40."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.norm = nn.BatchNorm1d(4)
        self.last = nn.Linear(4, 5)


class Two(nn.Module):
    """472 bytes."""

    def __init__(self):
        super().__init__()
        self.one, self.two = Small(), Small()


class Tied(nn.Module):
    """A head of 60 bytes whose weight is the embedding's."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(5, 3)
        self.body, self.tail = nn.Linear(3, 3), nn.Linear(3, 3)
        self.head = nn.Linear(3, 5, bias=False)
        self.head.weight = self.embed.weight


class Loose(nn.Module):
    """A layer tied to a parameter that stands beside a child."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 3)
        self.around = nn.Module()
        self.around.weight = self.layer.weight
        self.around.child = nn.Linear(3, 30)


class Buffers(nn.Module):
    """A tenth of parameters, the rest buffers, one of them not saved."""

    def __init__(self):
        super().__init__()
        self.body = nn.Linear(10, 10)
        self.register_buffer("table", torch.zeros(100))
        self.register_buffer("scratch", torch.zeros(7), persistent=False)
        self.register_buffer("mask", torch.zeros(12, dtype=torch.bool))


def same(name, *args, **kwargs):
    """Both give this."""
    copies = [dict(arg) if isinstance(arg, dict) else arg for arg in args]
    theirs = getattr(modeling, name)(*copies, **kwargs)
    ours = getattr(twins, name)(*args, **kwargs)
    assert ours == theirs and type(ours) is type(theirs)
    return ours


def test_sizes_count_each_module_around():
    sizes = same("compute_module_sizes", Small())
    assert (sizes[""], sizes["first"], sizes["norm"], sizes["last"]) == (236, 64, 72, 100)
    assert sizes["norm.num_batches_tracked"] == 8
    assert isinstance(sizes, defaultdict) and sizes["no.such"] == 0


def test_sizes_in_another_dtype():
    # Floats are halved; the counter of the norm is an integer and is not.
    assert same("compute_module_sizes", Small(), dtype="float16")[""] == 122
    assert same("compute_module_sizes", Small(), dtype=torch.float64)[""] == 236
    special = {"first.weight": torch.int8, "norm.running_mean": "float64"}
    sizes = same(
        "compute_module_sizes", Small(), dtype="torch.float16", special_dtypes=special
    )
    assert (sizes["first.weight"], sizes["norm.running_mean"]) == (12, 32)


def test_sizes_below_a_byte():
    from accelerate.utils import CustomDtype

    assert same("compute_module_sizes", Buffers())["mask"] == 1.5
    int4 = same("compute_module_sizes", Small(), dtype=CustomDtype.INT4)
    assert int4["first"] == 8.0 and isinstance(int4["first"], float)


def test_buffers_alone():
    assert same("compute_module_sizes", Buffers(), buffers_only=True)[""] == 429.5


@pytest.mark.parametrize(
    "budgets, expected",
    [
        ({0: 1000}, {"": 0}),
        # The largest layer, 100 bytes, stays free on device 0.
        ({0: 200, 1: 200}, {"first": 0, "norm": 1, "last": 1}),
        ({0: 350, "cpu": 10}, {"": 0}),
        ({0: 0, "cpu": "1KB"}, {"": "cpu"}),
        ({"cpu": 170, "disk": 0}, {"first": "cpu", "norm": "disk", "last": "disk"}),
    ],
)
def test_devices_fill_in_order(budgets, expected):
    assert same("infer_auto_device_map", Small(), budgets) == expected


def test_whole_classes_stay_whole():
    parts = same("infer_auto_device_map", Two(), {0: 450, "cpu": 2000})
    assert (parts["one"], parts["two.first"], parts["two.last"]) == (0, 0, "cpu")
    for classes in (["Small"], "Small"):
        whole = same(
            "infer_auto_device_map",
            Two(),
            {0: 450, "cpu": 2000},
            no_split_module_classes=classes,
        )
        # Beside the first, 236 bytes stay free for the second: too many.
        assert whole == {"": "cpu"}


def test_parts_may_stay_apart():
    device_map = same(
        "infer_auto_device_map", Small(), {0: 400}, clean_result=False
    )
    assert list(device_map) == ["first", "norm", "last"]
    assert isinstance(device_map, OrderedDict)


def test_tied_modules_go_together():
    assert same("infer_auto_device_map", Tied(), {0: 500}) == {"": 0}
    placed = same("infer_auto_device_map", Tied(), {0: 120, "cpu": 500})
    assert placed == {"embed": 0, "head": 0, "body": "cpu", "tail": "cpu"}


def test_tied_to_a_loose_parameter_breaks():
    for one in (modeling, twins):
        with pytest.raises(IndexError, match="list index out of range"):
            one.infer_auto_device_map(Loose(), {0: 560})


def test_a_smaller_module_is_sought():
    class Heavy(nn.Module):
        def __init__(self):
            super().__init__()
            self.big = nn.Linear(100, 100)
            self.middle = nn.Linear(20, 20)
            self.small = nn.Linear(4, 4)

    budgets = {0: 41_000, "cpu": 10**6}
    without = same("infer_auto_device_map", Heavy(), budgets)
    assert without == {"": "cpu"}
    found = same("infer_auto_device_map", Heavy(), budgets, fallback_allocation=True)
    assert found == {"small": 0, "big": "cpu", "middle": "cpu"}


def test_stranded_buffers_are_warned_of():
    class Stack(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = Buffers(), Buffers()

    messages = []
    for one in (modeling, twins):
        with pytest.warns(UserWarning, match="bytes of buffer") as caught:
            one.infer_auto_device_map(Stack(), {0: 450, "cpu": 10**5})
        messages.append([str(warning.message) for warning in caught])
    assert messages[0] == messages[1]
    same("infer_auto_device_map", Stack(), {0: 450, "cpu": 10**5}, offload_buffers=True)


def test_a_device_that_got_nothing_is_logged(caplog):
    with caplog.at_level(logging.INFO):
        same("infer_auto_device_map", Small(), {0: 50, 1: 60, "cpu": 10**4})
    said = [r.getMessage() for r in caplog.records if "bytes required" in r.getMessage()]
    assert len(said) == 2 and said[0] == said[1]
    assert "  - 0: 164 bytes required\n  - 1: 64 bytes required" in said[0]


def test_balanced():
    # 236 // 2 + int(1.25 * the mean of 64, 72 and 100)
    assert same("get_balanced_memory", Small(), {0: 300, 1: 500}) == {0: 215, 1: 500}
    assert same("get_balanced_memory", Small(), {0: 300}) == {0: 300}
    assert same("get_balanced_memory", Small(), {"cpu": 300}) == {"cpu": 300}
    low = same("get_balanced_memory", Small(), {0: 300, 1: 500}, low_zero=True)
    assert low == {0: 0, 1: 500}
    whole = same(
        "get_balanced_memory", Two(), {0: 900, 1: 900}, no_split_module_classes=["Small"]
    )
    assert whole == {0: 236 + 295, 1: 900}
    same("get_balanced_memory", Two(), {0: 300, 1: 0, 2: 300, "cpu": 100})


def test_low_zero_needs_its_devices():
    for one in (modeling, twins):
        with pytest.raises(KeyError, match="1"):
            one.get_balanced_memory(Two(), {0: 300, 2: 300}, low_zero=True)
        with pytest.raises(RuntimeError, match="disk"):
            one.get_balanced_memory(Two(), {0: 300, "disk": 300})


@pytest.mark.parametrize(
    "text",
    "20GB 20gb 1.5GiB 5MB 5mb 7Kb 7KIB 0.1GB 4.35GB 1e2MB 1_000KB .5GB 5.GB -0.0GB +3kb "
    "24 24G GB -1GB x.5GB 1__0GB infGB nanGB 1e400GB 007MB 12.5.MB 3 1e-3GB".split()
    + [" 3 GB", "3GB ", "0x10GB", "2.675gb", "1.1MiB", ""],
)
def test_byte_strings(text):
    results = []
    for one in (modeling, twins):
        budgets = {"cpu": text}
        try:
            results.append((one.get_max_memory(budgets), budgets))
        except Exception as error:
            results.append((type(error).__name__, str(error)))
    if "nan" in text or "inf" in text:  # their words for these differ in type alone
        results = [isinstance(result[0], str) for result in results]
    assert results[0] == results[1]


def test_budgets_are_sorted_and_keys_checked(caplog):
    given = {"disk": 1, "cpu": "1KB", 3: 5, 0: "2KB"}
    assert list(same("get_max_memory", given)) == [0, 3, "cpu", "disk"]
    assert given["cpu"] == 1000  # the caller's texts are replaced, as there
    messages = set()
    for one in (modeling, twins):
        with pytest.raises(ValueError) as caught:
            one.get_max_memory({"gpu": 5})
        messages.add(str(caught.value))
    assert len(messages) == 1
    assert caplog.text.count("Device 3 is not available") == 2


def test_free_memory_is_the_machines():
    ours, theirs = twins.get_max_memory(), modeling.get_max_memory()
    assert set(ours) == set(theirs)
    for device, amount in theirs.items():
        # Limits of this process count here, and memory moves in between.
        assert 0 < ours[device] <= amount * 1.05


def test_one_free_device_keeps_a_tenth():
    with mock.patch.object(
        module_under_test, "_free_memory", lambda: {0: 1001, "cpu": 5000}
    ):
        assert twins.get_balanced_memory(Small()) == {0: 1001 * 0.9, "cpu": 5000}


def test_checks():
    for device_map in ({"": 0}, {"first": 0, "norm": 1, "last": "disk"}):
        assert same("check_device_map", Small(), device_map) is None
    messages = set()
    for one in (modeling, twins):
        with pytest.raises(ValueError) as caught, pytest.warns(UserWarning, match="no.such"):
            one.check_device_map(Small(), {"first": 0, "no.such": 1})
        messages.add(str(caught.value))
    assert len(messages) == 1 and "norm.weight" in messages.pop()


@pytest.mark.parametrize(
    "device_map, expected",
    [
        ({"a": 0, "b": 0}, {"": 0}),
        ({"a.x": 0, "a.y": 0, "b": 1}, {"a": 0, "b": 1}),
        ({"a.x": 0, "a.y": 1, "b": 1}, {"a.x": 0, "a.y": 1, "b": 1}),
        ({"a.1": 0, "a.10": 0, "a1": 1}, {"a": 0, "a1": 1}),
        ({"a.x.p": 0, "a.x.q": 0, "a.y": 1}, {"a.x": 0, "a.y": 1}),
        ({"a": 0, "a.x": 1, "a.y": 1, "b": 0}, {"a": 1, "b": 0}),
        ({"": 0}, {"": 0}),
        ({"only": "cpu"}, {"only": "cpu"}),
        ({}, {}),
    ],
)
def test_cleaning(device_map, expected):
    assert same("clean_device_map", dict(device_map)) == expected


def test_cleaning_one_module():
    device_map = {"a.x": torch.device("cpu"), "a.y": torch.device("cpu"), "b": 0}
    copies = dict(device_map), dict(device_map)
    modeling.clean_device_map(copies[0], "a")
    assert twins.clean_device_map(copies[1], "a") is copies[1]
    assert copies[0] == copies[1] == {"a": torch.device("cpu"), "b": 0}
