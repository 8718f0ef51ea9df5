# SPDX-License-Identifier: MIT
"""What a model keeps between tokens, layer by layer: a forward pass on the
meta device fills the cache that the class makes, and its shapes are read.
"""
import re

import torch
from torch import nn
from transformers import masking_utils
from transformers.cache_utils import Cache

SEQUENCES = 2
TOKENS = 11  # no kernel and no count of heads is the same

# Whether a mask hides nothing needs data; as if it did, nothing is skipped.
masking_utils.fast_all = lambda mask: False



def answered(method, otherwise):
    """A cache of recurrent layers alone does not count tokens: it refuses."""
    def ask(self, *arguments, **named):
        try:
            return method(self, *arguments, **named)
        except ValueError:
            return otherwise
    return ask


Cache.get_seq_length = answered(Cache.get_seq_length, 0)
Cache.get_mask_sizes = answered(Cache.get_mask_sizes, (TOKENS, 0))



def parts(cache):
    """The caches of a cache: an encoder-decoder's has two."""
    own = getattr(cache, "self_attention_cache", None)
    if own is not None:
        return own, cache.cross_attention_cache
    return cache, None


def tensors_of(value):
    if torch.is_tensor(value):
        return [value]
    if isinstance(value, dict):
        return [t for v in value.values() for t in tensors_of(v)]
    if isinstance(value, (list, tuple)):
        return [t for v in value for t in tensors_of(v)]
    return []


def layer_row(layer):
    """Elements a token, the window, and states of a fixed size."""
    row = {"key": 0, "value": 0, "window": 0}
    for name, field in (("keys", "key"), ("values", "value")):
        tensor = getattr(layer, name, None)
        if torch.is_tensor(tensor) and tensor.numel():
            row[field] = tensor.numel() // (SEQUENCES * tensor.shape[-2])
    if row["key"] or row["value"]:
        row["window"] = getattr(layer, "sliding_window", None) or 0
    for name, value in vars(layer).items():
        if name in ("keys", "values"):
            continue
        for at, tensor in enumerate(tensors_of(value)):
            if tensor.dim() > 1 and tensor.shape[0] == SEQUENCES and \
                    TOKENS in tensor.shape[1:]:
                row[f"token.{name}.{at}"] = \
                    tensor.numel() // (SEQUENCES * TOKENS)
            elif tensor.dim() > 1 and tensor.shape[0] == SEQUENCES:
                row[f"{name}.{at}"] = (tensor.numel() // SEQUENCES,
                                       tensor.dtype)
    return row


# Modules that route tokens to experts: which one gets a token needs data.
ROUTERS = re.compile(r"(MoE|Moe|MOE|SparseMoeBlock|Experts|Router\w*)$")


def stand_in(hidden, *_, **__):
    """Keeps nothing, and leaves tokens as they are."""
    return hidden


def stand_in_pair(hidden, *_, **__):
    return hidden, None


def read_cache(model):
    """Rows of each layer, or None where the model keeps no cache. Experts
    keep nothing between tokens: where the meta device cannot route to them,
    something that gives its input back stands in for their module."""
    try:
        return run(model)
    except (NotImplementedError, RuntimeError):
        pass
    routed = [m for m in model.modules() if ROUTERS.search(type(m).__name__)
              and not isinstance(m, nn.ModuleList)]
    for forward in (stand_in, stand_in_pair):
        for module in routed:
            module.forward = forward
        try:
            return run(model)
        except Exception as error:
            failure = error
        finally:
            for module in routed:
                del module.forward
    raise failure


def run(model):
    tokens = torch.ones(SEQUENCES, TOKENS, dtype=torch.long, device="meta")
    inputs = {"input_ids": tokens, "use_cache": True}
    if getattr(model.config, "is_encoder_decoder", False):
        inputs["decoder_input_ids"] = tokens
    with torch.no_grad():
        out = model.eval()(**inputs)
    cache = getattr(out, "past_key_values", None)
    if cache is None:
        cache = getattr(out, "cache_params", None)
    if cache is None:
        return None
    own, cross = parts(cache)
    rows = [layer_row(layer) for layer in getattr(own, "layers", [])]
    for row, layer in zip(rows, getattr(cross, "layers", ())):
        seen = layer_row(layer)
        row["cross_key"], row["cross_value"] = seen["key"], seen["value"]
    return rows or None
