# SPDX-License-Identifier: MIT
"""What generate() leaves in the cache of small models, byte for byte.

    python transformers_state.py [FAMILY...] [--long] [--library PATH]

The default configuration of each family that memplan has is shrunk to a model
of a few layers and odd sizes, which generates tokens on the CPU with random
weights and the cache class that generate() really makes. Every tensor that the
cache then holds is counted by its storage, once, and the sums are compared
with the rows of memplan's ledger for the same configuration: dynamic caches
with fewer tokens than their windows and with more, static ones, and where
Transformers allows them quantized ones. With --long each dtype and each
quantizer is tried; else bfloat16 and one of each. One line a family, and a last
line of totals. The exit code is 1 where one differs.
"""
import argparse
import contextlib
import io
import json
import logging
import os
import sys
import tempfile
import warnings

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
warnings.filterwarnings("ignore")

import torch  # noqa: E402
from transformers import CONFIG_MAPPING, GenerationMixin  # noqa: E402

from memplan_library import Library, Refused  # noqa: E402

FAMILIES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..",
                        "libmemplan", "src", "data", "families")
# Sizes of a small model, by the names that configurations have for them.
SMALL = {
    "vocab_size": 96, "hidden_size": 48, "d_model": 48, "n_embd": 48,
    "intermediate_size": 80, "n_inner": 80, "d_ff": 80, "ffn_dim": 80,
    "num_hidden_layers": 4, "n_layer": 4, "n_layers": 4, "num_layers": 4,
    "encoder_layers": 2, "decoder_layers": 3, "num_decoder_layers": 4,
    "num_attention_heads": 4, "n_head": 4, "n_heads": 4, "num_heads": 4,
    "encoder_attention_heads": 4, "decoder_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 20, "encoder_ffn_dim": 80,
    "decoder_ffn_dim": 80, "moe_intermediate_size": 24,
    "shared_expert_intermediate_size": 24, "num_experts": 4,
    "num_local_experts": 4, "n_routed_experts": 4, "num_experts_per_tok": 2,
    "n_positions": 64, "max_position_embeddings": 64, "sliding_window": 5,
    "attention_chunk_size": 5, "depth": 2, "n_group": 1, "topk_group": 1,
    "max_source_positions": 10, "kv_lora_rank": 24, "q_lora_rank": 16,
    "qk_rope_head_dim": 8, "qk_nope_head_dim": 12, "v_head_dim": 10,
    "index_head_dim": 14, "attention_heads": 4, "num_global_layers": 2,
}
# Lists that have an item for each layer: the class makes them anew.
BY_LAYER = {"layer_types", "mlp_layer_types", "layers_block_type",
            "no_rope_layers", "per_layer_config", "indexer_types",
            "attention_layers", "cross_attention_layers"}
LATENT = {"num_key_value_heads": 4, "head_dim": 8}
VISUAL = {"rope_parameters": {"rope_theta": 10000.0, "rope_type": "default",
                              "mrope_section": [4, 3, 3]}, "hidden_size": 80}
# What a family needs beside, at the root or in its part of the type.
ALSO = {
    "codegen": {"rotary_dim": 8},
    "gptj": {"rotary_dim": 8},
    "gpt_neo": {"attention_types": [[["global", "local"], 2]],
                "window_size": 5},
    "deepseek_v2": {**LATENT, "num_experts_per_tok": 2},
    "deepseek_v3": LATENT,
    "deepseek_v32": LATENT,
    "glm_moe_dsa": LATENT,
    "granitemoehybrid": {"mamba_n_heads": 6, "mamba_d_head": 16,
                         "layer_types": ["linear_attention", "full_attention",
                                         "linear_attention",
                                         "linear_attention"]},
    "stablelm": {"num_key_value_heads": 4, "hidden_size": 64},
    "mamba": {"intermediate_size": 96},
    "mamba2": {"num_heads": 6, "head_dim": 16, "n_groups": 2},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1},
    "hunyuan_v1_dense": {"head_dim": 12},
    "hunyuan_v1_moe": {"head_dim": 12},
    "falcon_mamba": {"intermediate_size": 96},
    "bamba": {"mamba_n_heads": 6, "mamba_d_head": 16,
              "attn_layer_indices": [1]},
    "axk1": LATENT,
    "glm4_moe_lite": LATENT,
    "minicpm3": LATENT,
    "youtu": LATENT,
    "bailing_hybrid": {"layer_group_size": 2},
    "kimi_linear": {"layer_types": ["linear_attention", "full_attention"] * 2,
                    "num_key_value_heads": 4, "head_dim": 8},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"] * 2},
    "laguna": {"num_attention_heads_per_layer": None},
    "recurrent_gemma": {"lru_width": 48, "head_dim": 12,
                        "attention_window_size": 5},
    "deepseek_v4": {"compress_rates": {"compressed_sparse_attention": 2,
                                       "heavily_compressed_attention": 3}},
    "ministral": {"head_dim": 12},
    "nemotron": {"head_dim": 12, "num_key_value_heads": 2},
    "helium": {"head_dim": 12},
    "qwen2_vl_text": VISUAL,
    "qwen2_5_vl_text": VISUAL,
    "longcat_flash": {"num_key_value_heads": 4, "head_dim": 8,
                      "qk_head_dim": 20},
    "rwkv": {"attention_hidden_size": 48},
    "nemotron_h": {"layers_block_type": ["linear_attention", "moe",
                                         "full_attention", "mlp"]},
    "mllama_text_model": {"cross_attention_layers": [1, 3]},
    "mllama_vision_model": {"image_size": 28, "intermediate_layers_indices":
                            [1], "vision_output_dim": 96},
}
DTYPES = {torch.float32: "fp32", torch.bfloat16: "bf16",
          torch.float16: "fp16"}
STATES = ("conv_states", "recurrent_states", "linear_cache")


def shrunk(values):
    """A configuration of the same kind, a few layers deep."""
    out = {}
    for key, value in values.items():
        if key in BY_LAYER:
            continue
        if isinstance(value, dict):
            out[key] = shrunk(value)
        elif key in SMALL and isinstance(value, int) and \
                not isinstance(value, bool):
            out[key] = SMALL[key]
        elif key.endswith("token_id"):
            out[key] = 3 if isinstance(value, int) else None
        else:
            out[key] = value
    out.update(ALSO.get(values.get("model_type"), {}))
    return out


def storages(value, seen):
    """Bytes of all tensors under a value, each storage once."""
    if torch.is_tensor(value):
        if hasattr(value, "__tensor_flatten__"):
            return sum(storages(getattr(value, name), seen)
                       for name in value.__tensor_flatten__()[0])
        storage = value.untyped_storage()
        if not storage.nbytes() or storage.data_ptr() in seen:
            return 0
        seen.add(storage.data_ptr())
        return storage.nbytes()
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return sum(storages(item, seen) for item in value)
    return 0


def held(cache):
    """(of tokens and of the encoder's, of states): bytes that a cache holds."""
    if isinstance(cache, (list, tuple)):  # RWKV's
        return 0, storages(cache, set())
    if hasattr(cache, "cross_attention_cache"):
        return (held(cache.self_attention_cache)[0] +
                held(cache.cross_attention_cache)[0], 0)
    tokens, seen = 0, set()
    states = storages(getattr(cache, "linear_cache", ()), seen)
    for layer in cache.layers:
        for name, value in vars(layer).items():
            if name in STATES:
                states += storages(value, seen)
            else:
                tokens += storages(value, seen)
    return tokens, states


def in_modules(model):
    """Bytes of states that modules keep themselves: RecurrentGemma's."""
    seen = set()
    return sum(storages(getattr(module, name, None), seen)
               for module in model.modules()
               for name in ("recurrent_states", "conv1d_state"))


def inputs_for(model, batch, prompt):
    """What generate() is given, and how many tokens an encoder makes of it."""
    config = model.config
    tokens = torch.randint(5, 90, (batch, prompt))
    if config.model_type == "whisper":
        frames = 2 * config.max_source_positions
        return {"input_features": torch.randn(
            batch, config.num_mel_bins, frames, dtype=model.dtype)}, 0
    if config.is_encoder_decoder:
        return {"input_ids": torch.randint(5, 90, (batch, 7))}, 7
    if config.model_type == "mllama":
        vision = config.vision_config
        size, tiles = vision.image_size, vision.max_num_tiles
        return {"input_ids": tokens, "pixel_values": torch.randn(
            batch, 1, tiles, 3, size, size, dtype=model.dtype),
            "aspect_ratio_ids": torch.ones(batch, 1, dtype=torch.long),
            "aspect_ratio_mask": torch.ones(batch, 1, tiles,
                                            dtype=torch.long),
            "cross_attention_mask": torch.ones(batch, prompt, 1, tiles,
                                               dtype=torch.long)}, 0
    return {"input_ids": tokens}, 0


def generated(model, batch, prompt, context, how):
    """What the cache holds after `context` tokens, and the encoder's."""
    inputs, encoder = inputs_for(model, batch, prompt)
    if model.config.is_encoder_decoder:
        prompt, how = 1, {**how, "decoder_start_token_id": 3}
    model._previous_max_cache_length = -1
    more = context - prompt + 1
    with torch.no_grad(), contextlib.redirect_stdout(io.StringIO()):
        out = GenerationMixin.generate(
            model, **inputs, max_new_tokens=more, min_new_tokens=more,
            do_sample=False, num_beams=1, return_dict_in_generate=True,
            use_cache=True, disable_compile=True, **how)
    for name in ("past_key_values", "cache_params", "state"):
        if out.get(name) is not None:
            tokens, states = held(out[name])
            return (tokens, states + in_modules(model)), prompt, encoder
    return (0, 0), prompt, encoder


def planned(library, path, **request):
    """The same sums, and what layers with a window hold for one step alone."""
    rows = library.price(path, "cpu=60TB", '{"": "cpu"}', **request)
    def total(category, is_step):
        return sum(row[4] for row in rows if row[1] == category and
                   row[3].startswith("layers with a window") == is_step)
    return (total("kv_cache", False), total("state", False)), \
        total("kv_cache", True)


GROUP, RESIDUAL = 4, 4


def packed(backend, bits):
    """A quantized cache: label, generate()'s settings, memplan's request."""
    name = {"quanto": f"int{bits}", "hqq": f"hqq-int{bits}",
            "fp8": "fp8"}[backend]
    settings = {} if backend == "fp8" else {
        "nbits": bits, "q_group_size": GROUP, "residual_length": RESIDUAL}
    return (name, {"cache_implementation": "quantized",
                   "cache_config": {"backend": backend, **settings}},
            {"kv_dtype": name, "settings":
             f"q_group_size={GROUP},residual_length={RESIDUAL}"})


DYNAMIC = ("dynamic", {}, {})
# Nothing casts what is kept: other dtypes than the computed one are refused.
PLAIN = [(name, {}, {"kv_dtype": name}) for name in DTYPES.values()]
STATIC = ("static", {"cache_implementation": "static"}, {"cache": "static"})
# Sequences, prompt, context: below windows of 5, and beyond them. A quantized
# cache is then as large as it gets: RESIDUAL - 1 tokens are not packed.
BELOW, BEYOND = (1, 1, 4), (3, 2, 13)


def cases(is_long):
    """What is compared: a cache, and a point."""
    if not is_long:
        return [(DYNAMIC, BELOW), (DYNAMIC, BEYOND), (STATIC, BEYOND),
                (packed("quanto", 4), BEYOND)]
    old = [(name, {"cache_implementation": name}, {"cache": name})
           for name in ("hybrid", "sliding_window")]
    caches = [DYNAMIC, STATIC, *PLAIN, *old, packed("fp8", 8)] + \
        [packed("quanto", bits) for bits in (4, 2)] + \
        [packed("hqq", bits) for bits in (8, 4, 3, 2)]
    return [(cache, point) for cache in caches
            for point in (BELOW, BEYOND, (2, 5, 5), (3, 9, 12))]


class Unbuildable(Exception):
    """No small model of the family runs; the text says why."""


def small_model(model_type, class_for, dtype):
    """The model, and the values of its config.json."""
    try:
        values = shrunk(json.loads(json.dumps(
            CONFIG_MAPPING[model_type]().to_dict(), default=str)))
        config = CONFIG_MAPPING[model_type].from_dict(values)
        with contextlib.redirect_stdout(None):
            model = class_for(config, None)._from_config(config, dtype=dtype)
        model.eval()
    except Exception as error:
        raise Unbuildable(f"{type(error).__name__}: {error}"[:150]) from error
    values = json.loads(json.dumps(config.to_dict(), default=str))
    return model, {**values, "model_type": model_type,
                   "dtype": DTYPES[dtype]}


def compare(library, path, model, cache, point):
    """A sentence where they differ, None where not, "" where Transformers
    and memplan both refuse."""
    label, how, request = cache
    batch, prompt, context = point
    refusal = None
    try:
        really, prompt, encoder = generated(model, batch, prompt, context, how)
    except (ValueError, KeyError, NotImplementedError,
            AttributeError) as error:
        if not how:
            raise
        refusal, encoder = error, 0
    try:
        ours, step = planned(library, path, context_tokens=context,
                             prompt_tokens=prompt, sequences=batch,
                             encoder_tokens=encoder, **request)
    except Refused as error:
        # A cache of its own stays as it is; groups must come out whole at
        # every length, not at this one alone; and an image's keys, once
        # packed, are not looked at again.
        is_stricter = any(part in str(error) for part in (
            "a cache of its own", "do not divide", "has cross attention",
            f"here in {DTYPES[model.dtype]}"))
        return "" if refusal or is_stricter else f"{label}: memplan: {error}"
    if refusal:
        return f"{label}: Transformers refuses: {refusal}"[:200]
    is_full = (context - prompt) % RESIDUAL == RESIDUAL - 1
    is_bound = "int" in label and not is_full
    if ours[0] == 0 and label == "static":  # counters that nothing moves
        really = (0, really[1])
    if model.config.model_type == "deepseek_v4":  # held in layers of its own
        is_bound, really, ours = True, sum(really), sum(ours) + step
    if not (really <= ours if is_bound else really == ours):
        return f"{label} at {point}: {ours}, and should be {really}"
    return None


def judge(library, model_type, class_for, is_long):
    """("exact", "different" or "unsupported", what there is to say)."""
    seen = {}
    try:
        for dtype in DTYPES if is_long else (torch.bfloat16,):
            torch.manual_seed(1)
            model, values = small_model(model_type, class_for, dtype)
            if not model.can_generate():
                return "exact", "no cache: it does not generate"
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "config.json")
                with open(path, "w") as out:
                    json.dump(values, out)
                for cache, point in cases(is_long):
                    said = compare(library, path, model, cache, point)
                    if said:
                        is_closed = "a family that is not known" in said
                        return "unsupported" if is_closed else "different", \
                            said
                    seen[cache[0]] = seen.get(cache[0]) or said is None
    except Unbuildable as error:
        return "unsupported", f"Transformers: {error}"
    except Exception as error:
        return "unsupported", f"no small model runs: {error!r:.160}"
    kept = ", ".join(name for name, is_there in seen.items() if is_there)
    refused = ", ".join(name for name, there in seen.items() if not there)
    return "exact", kept + (f"; refused: {refused}" if refused else "")


def main():
    from transformers_truth import class_for
    logging.disable(logging.CRITICAL)
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("families", nargs="*")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--library")
    options = parser.parse_args()
    library = Library(options.library)
    wanted = options.families or sorted(
        os.path.splitext(name)[0] for name in os.listdir(FAMILIES))
    counts = {"exact": 0, "different": 0, "unsupported": 0}
    for model_type in wanted:
        if model_type not in CONFIG_MAPPING:
            continue
        verdict, said = judge(library, model_type, class_for, options.long)
        counts[verdict] += 1
        print(f"cache {model_type}: {verdict}: {said}"[:400], flush=True)
    print(", ".join(f"{count} {kind}" for kind, count in counts.items()))
    return 1 if counts["different"] or not counts["exact"] else 0


if __name__ == "__main__":
    sys.exit(main())
