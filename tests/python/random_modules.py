# SPDX-License-Identifier: MIT
"""Random trees of modules, and budgets to place them in, for hypothesis."""

import random

import torch
from hypothesis import strategies as st
from torch import nn

FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
OTHERS = (torch.int8, torch.int64, torch.uint8, torch.bool, torch.float8_e4m3fn)


class Block(nn.Module):
    """A class that may stay whole."""


class Attention(nn.Module):
    """Another one."""


class Expert(nn.Module):
    """And one inside."""


KINDS = (nn.Module, Block, Attention, Expert, nn.Sequential)
# Digits beside letters: "1" also occurs in "10", as a name and as a text.
NAMES = ("a", "b", "0", "1", "10", "layers", "weight_x", "a_b")


def tensor(chance, dtypes):
    shape = [chance.randint(0, 9) for _ in range(chance.randint(0, 3))]
    return torch.empty(shape, dtype=chance.choice(dtypes), device="meta")


def fill(chance, module, made, wide, tie=0.0):
    """Give a module its own parameters and buffers; some are tied."""
    for name in ("weight", "bias", "scale")[: chance.choice((0, 1, 1, 2, 3))]:
        if made and chance.random() < tie:
            module.register_parameter(name, chance.choice(made))
        else:
            dtypes = FLOATS + OTHERS if wide else FLOATS
            made.append(nn.Parameter(tensor(chance, dtypes), requires_grad=False))
            module.register_parameter(name, made[-1])
    for name in ("mean", "count")[: chance.choice((0, 0, 0, 1, 2))]:
        kinds = FLOATS + (OTHERS if wide else OTHERS[:3])
        module.register_buffer(
            name, tensor(chance, kinds), persistent=chance.random() < 0.6
        )


def grow(chance, depth, made, modules, wide, tie):
    module = chance.choice(KINDS)()
    if modules and chance.random() < tie / 4:
        return chance.choice(modules)  # the same object in two places
    if depth < 4:
        for name in chance.sample(NAMES, chance.choice((0, 1, 2, 3, 4))):
            child = grow(chance, depth + 1, made, modules, wide, tie)
            module.add_module(name, child)
    fill(chance, module, made, wide, tie)
    modules.append(module)
    return module


def random_model(seed):
    """A tree that depends on the seed alone."""
    chance = random.Random(seed)
    root = nn.Module()
    made, modules = [], []
    # Half of the trees have no fractions of bytes, which end many runs early.
    wide = chance.random() < 0.4
    # Ties across modules end many runs of Accelerate's: most trees have few.
    tie = chance.choice((0.0, 0.0, 0.02, 0.1))
    for name in chance.sample(NAMES, chance.randint(1, 5)):
        root.add_module(name, grow(chance, 1, made, modules, wide, tie))
    if chance.random() < 0.3:
        fill(chance, root, made, wide, tie)
    return root


def random_budgets(chance, total):
    """Budgets for 0 to 8 devices, around what the model takes."""
    budgets = {}

    def amount():
        kind = chance.random()
        if kind < 0.1:
            return 0
        if kind < 0.2:
            return f"{chance.randint(1, 9)}KB"
        if kind < 0.3:
            return chance.uniform(0, total + 1)
        return chance.randint(0, max(1, int(total * chance.choice((0.2, 0.6, 1.5)))))

    for device in chance.sample(range(8), chance.choice((0, 1, 1, 2, 2, 3, 4, 8))):
        budgets[device] = amount()
    if chance.random() < 0.7:
        budgets["cpu"] = amount()
    if chance.random() < 0.2:
        budgets["disk"] = amount()
    items = list(budgets.items())
    chance.shuffle(items)
    return dict(items)


def random_options(chance):
    """Options of infer_auto_device_map(), also for the other functions."""
    classes = ["Block", "Attention", "Expert", "Sequential", "Module", "Missing"]
    dtype = chance.choice((None, None, "float16", "torch.bfloat16", torch.float32))
    special = None
    if chance.random() < 0.2:
        special = {
            f"{name}.{leaf}": chance.choice(("float32", torch.int8))
            for name in chance.sample(NAMES, 3)
            for leaf in ("weight", "mean")
        }
        special["mean"] = "float64"
    return {
        "no_split_module_classes": chance.choice(
            (None, [], "Block", chance.sample(classes, chance.randint(1, 3)))
        ),
        "dtype": dtype,
        "special_dtypes": special,
    }


seeds = st.integers(min_value=0, max_value=2**48)
