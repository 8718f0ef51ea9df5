#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Writes tiny GGUF files of architectures that nobody else records.

    make_llamacpp_models.py FOLDER [ARCHITECTURE...]

Each has four layers (or six) of zeros in the shapes that llama.cpp demands, so
that record_llamacpp.py can record what a real llama.cpp makes of it. The
records of `more/` were made so.
"""

import os
import sys

import gguf
import numpy as np

EMBD, HEADS, KV_HEADS, HEAD, FF, VOCABULARY = 256, 4, 2, 64, 512, 320


class Model:
    """One file: metadata of every model first, then what its family adds."""

    def __init__(self, folder, arch, **changed):
        sizes = {"layers": 4, "heads": HEADS, "kv_heads": KV_HEADS, "head": HEAD,
                 "rope": None, "vocabulary": VOCABULARY, "name": arch, **changed}
        self.arch, self.sizes = arch, sizes
        self.writer = w = gguf.GGUFWriter(os.path.join(folder, sizes["name"] + ".gguf"), arch)
        w.add_block_count(sizes["layers"])
        w.add_context_length(1024)
        w.add_embedding_length(EMBD)
        w.add_feed_forward_length(FF)
        w.add_head_count(sizes["heads"])
        w.add_head_count_kv(sizes["kv_heads"])
        w.add_layer_norm_rms_eps(1e-5)
        w.add_layer_norm_eps(1e-5)
        w.add_vocab_size(sizes["vocabulary"])
        w.add_tokenizer_model("no_vocab")
        w.add_key_length(sizes["head"])
        w.add_value_length(sizes["head"])
        w.add_rope_dimension_count(sizes["rope"] or sizes["head"])

    def keys(self, **values):
        """`a__b` names ARCH.a.b."""
        for name, value in values.items():
            key = f"{self.arch}.{name.replace('__', '.')}"
            add = {bool: self.writer.add_bool, list: self.writer.add_array,
                   float: self.writer.add_float32}.get(type(value), self.writer.add_uint32)
            add(key, value)

    def tensor(self, name, *shape):
        self.writer.add_tensor(name, np.zeros(tuple(reversed(shape)), dtype=np.float32))

    def weights(self, prefix, **shapes):
        for name, shape in shapes.items():
            self.tensor(f"{prefix}{name}.weight", *(shape if isinstance(shape, tuple) else (shape,)))

    def ends(self, has_output=True, norm="output_norm"):
        self.weights("", token_embd=(EMBD, self.sizes["vocabulary"]), **{norm: EMBD})
        if has_output:
            self.weights("", output=(EMBD, self.sizes["vocabulary"]))

    def layers(self):
        return [f"blk.{i}." for i in range(self.sizes["layers"])]

    def attention(self, at):
        head, heads, kv_heads = (self.sizes[k] for k in ("head", "heads", "kv_heads"))
        self.weights(at, attn_q=(EMBD, head * heads), attn_k=(EMBD, head * kv_heads),
                     attn_v=(EMBD, head * kv_heads), attn_output=(head * heads, EMBD))

    def network(self, at, suffix="", width=FF, is_gated=True):
        self.weights(at, **{f"ffn_up{suffix}": (EMBD, width), f"ffn_down{suffix}": (width, EMBD)})
        if is_gated:
            self.weights(at, **{f"ffn_gate{suffix}": (EMBD, width)})

    def experts(self, at, count, width):
        self.weights(at, ffn_gate_inp=(EMBD, count), ffn_up_exps=(EMBD, width, count),
                     ffn_gate_exps=(EMBD, width, count), ffn_down_exps=(width, EMBD, count))

    def close(self):
        self.writer.write_header_to_file()
        self.writer.write_kv_data_to_file()
        self.writer.write_tensors_to_file()
        self.writer.close()


def apertus(folder):
    m = Model(folder, "apertus")
    m.ends()
    for name in ("alpha_n", "alpha_p", "beta", "eps"):
        m.writer.add_float32(f"xielu.{name}", 1.0)
    for at in m.layers():
        m.weights(at, attn_norm=EMBD, ffn_norm=EMBD, attn_q_norm=HEAD, attn_k_norm=HEAD)
        m.attention(at)
        m.network(at, is_gated=False)
    m.close()


def embedder(folder, arch, norm="output_norm", has_output=False):
    m = Model(folder, arch)
    m.ends(has_output, norm)
    m.keys(attention__causal=False)
    if arch == "gemma-embedding":
        m.keys(attention__sliding_window=256)
    for at in m.layers():
        m.weights(at, attn_norm=EMBD, ffn_norm=EMBD)
        if arch == "gemma-embedding":
            m.weights(at, post_attention_norm=EMBD, post_ffw_norm=EMBD,
                      attn_q_norm=HEAD, attn_k_norm=HEAD)
        m.attention(at)
        m.network(at)
    m.close()


def neo_bert(folder):
    m = Model(folder, "neo-bert", kv_heads=HEADS)
    m.ends(False, "enc.output_norm")
    m.keys(attention__causal=False)
    for at in m.layers():
        m.weights(at, attn_norm=EMBD, ffn_norm=EMBD, attn_qkv=(EMBD, 3 * EMBD),
                  attn_output=(EMBD, EMBD), ffn_up=(EMBD, 2 * FF), ffn_down=(FF, EMBD))
    m.close()


def step35(folder):
    m = Model(folder, "step35", layers=6)
    m.ends()
    m.keys(attention__sliding_window=128, expert_count=8, expert_used_count=2,
           attention__sliding_window_pattern=[True, True, False, True, True, False],
           expert_feed_forward_length=128, expert_shared_feed_forward_length=192,
           expert_weights_norm=True, expert_gating_func=2,
           swiglu_clamp_exp=[0.0] * 4 + [7.0] * 2, swiglu_clamp_shexp=[0.0] * 5 + [16.0])
    for i, at in enumerate(m.layers()):
        m.weights(at, attn_norm=EMBD, ffn_norm=EMBD, attn_q_norm=HEAD, attn_k_norm=HEAD,
                  attn_gate=(EMBD, HEADS))
        m.attention(at)
        if i < 2:
            m.network(at)
            continue
        m.experts(at, 8, 128)
        m.tensor(at + "exp_probs_b.bias", 8)
        m.network(at, "_shexp", 192)
    m.close()


def deepseek2_ocr(folder):
    m = Model(folder, "deepseek2-ocr", kv_heads=HEADS)
    m.ends()
    m.keys(leading_dense_block_count=1, expert_count=8, expert_used_count=2,
           expert_feed_forward_length=128, expert_shared_count=2)
    for i, at in enumerate(m.layers()):
        m.weights(at, attn_norm=EMBD, ffn_norm=EMBD)
        m.attention(at)
        if i == 0:
            m.network(at)
            continue
        m.experts(at, 8, 128)
        m.network(at, "_shexp", 256)
    m.close()


def bitnet(folder):
    m = Model(folder, "bitnet")
    m.ends(False)
    for at in m.layers():
        m.weights(at, attn_norm=EMBD, ffn_norm=EMBD, attn_sub_norm=EMBD, ffn_sub_norm=FF)
        m.attention(at)
        m.network(at)
        for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up",
                     "ffn_down"):
            m.tensor(f"{at}{name}.scale", 1)
    m.close()


def chameleon(folder, norms_outputs):
    m = Model(folder, "chameleon", vocabulary=9000,
              name="chameleon-swin" if norms_outputs else "chameleon")
    m.ends(not norms_outputs)
    m.keys(swin_norm=norms_outputs)
    for at in m.layers():
        m.weights(at, attn_norm=EMBD, ffn_norm=EMBD, attn_q_norm=(HEAD, HEADS),
                  attn_k_norm=(HEAD, KV_HEADS))
        m.tensor(at + "attn_q_norm.bias", HEAD, HEADS)
        m.tensor(at + "attn_k_norm.bias", HEAD, KV_HEADS)
        m.attention(at)
        m.network(at)
    m.close()


def plm(folder):
    m = Model(folder, "plm", kv_heads=HEADS, head=96, rope=32)
    m.ends(False)
    m.keys(attention__kv_lora_rank=64)
    for at in m.layers():
        m.weights(at, attn_norm=EMBD, ffn_norm=EMBD, attn_q=(EMBD, 96 * HEADS),
                  attn_kv_a_mqa=(EMBD, 64 + 32), attn_kv_a_norm=64,
                  attn_kv_b=(64, HEADS * (64 + 96)), attn_output=(96 * HEADS, EMBD))
        m.network(at, is_gated=False)
    m.close()


def t5_encoder(folder):
    m = Model(folder, "t5encoder", kv_heads=HEADS)
    m.ends(False, "enc.output_norm")
    m.keys(attention__relative_buckets_count=32)
    for i, at in enumerate(m.layers()):
        at = "enc." + at
        m.weights(at, attn_norm=EMBD, ffn_norm=EMBD, attn_q=(EMBD, EMBD), attn_k=(EMBD, EMBD),
                  attn_v=(EMBD, EMBD), attn_o=(EMBD, EMBD))
        if i == 0:
            m.weights(at, attn_rel_b=(HEADS, 32))
        m.network(at)
    m.close()


def time_mix6(m, at, kv_width, is_fused):
    m.weights(at, time_mix_w1=(EMBD, 160), time_mix_w2=(32, EMBD, 5),
              time_mix_lerp_x=(EMBD, 1, 1), time_mix_decay=EMBD,
              time_mix_decay_w1=(EMBD, 48), time_mix_decay_w2=(48, EMBD),
              time_mix_key=(EMBD, kv_width), time_mix_value=(EMBD, kv_width),
              time_mix_receptance=(EMBD, EMBD), time_mix_gate=(EMBD, EMBD),
              time_mix_output=(EMBD, EMBD))
    if is_fused:
        m.weights(at, time_mix_lerp_fused=(EMBD, 1, 1, 5))
    else:
        m.weights(at, **{f"time_mix_lerp_{name}": (EMBD, 1, 1) for name in "wkvrg"})


def rwkv6(folder, is_fused):
    m = Model(folder, "rwkv6", heads=0, kv_heads=0, name="rwkv6" if is_fused else "rwkv6-apart")
    m.ends()
    m.weights("", token_embd_norm=EMBD)
    m.tensor("token_embd_norm.bias", EMBD)
    m.tensor("output_norm.bias", EMBD)
    m.keys(wkv__head_size=64, time_mix_extra_dim=32, time_decay_extra_dim=48,
           rescale_every_n_layers=2)
    for at in m.layers():
        time_mix6(m, at, EMBD, is_fused)
        m.weights(at, attn_norm=EMBD, attn_norm_2=EMBD, time_mix_ln=EMBD,
                  time_mix_first=(64, EMBD // 64), channel_mix_lerp_k=(EMBD, 1, 1),
                  channel_mix_lerp_r=(EMBD, 1, 1), channel_mix_key=(EMBD, FF),
                  channel_mix_value=(FF, EMBD), channel_mix_receptance=(EMBD, EMBD))
        for name in ("attn_norm", "attn_norm_2", "time_mix_ln"):
            m.tensor(f"{at}{name}.bias", EMBD)
    m.close()


def qrwkv6(folder):
    m = Model(folder, "rwkv6qwen2")
    m.ends()
    m.keys(wkv__head_size=64, time_mix_extra_dim=32, time_decay_extra_dim=48,
           token_shift_count=1)
    for at in m.layers():
        time_mix6(m, at, HEAD * KV_HEADS, True)
        m.weights(at, attn_norm=EMBD, ffn_norm=EMBD)
        m.network(at)
        for name, width in (("key", 128), ("value", 128), ("receptance", EMBD)):
            m.tensor(f"{at}time_mix_{name}.bias", width)
    m.close()


def arwkv7(folder):
    m = Model(folder, "arwkv7", heads=0, kv_heads=0)
    m.ends()
    m.keys(wkv__head_size=64, attention__decay_lora_rank=32, attention__iclr_lora_rank=24,
           attention__value_residual_mix_lora_rank=16, attention__gate_lora_rank=40,
           token_shift_count=1)
    for i, at in enumerate(m.layers()):
        for name, rank in (("w", 32), ("a", 24), ("v", 16 if i else 24)):
            m.weights(at, **{f"time_mix_{name}0": EMBD, f"time_mix_{name}1": (EMBD, rank),
                             f"time_mix_{name}2": (rank, EMBD)})
        m.weights(at, attn_norm=EMBD, ffn_norm=EMBD, time_mix_g1=(EMBD, 40),
                  time_mix_g2=(40, EMBD), time_mix_lerp_fused=(EMBD, 1, 1, 6),
                  time_mix_k_k=EMBD, time_mix_k_a=EMBD, time_mix_r_k=EMBD, time_mix_ln=EMBD,
                  **{f"time_mix_{name}": (EMBD, EMBD)
                     for name in ("key", "value", "receptance", "output")})
        m.tensor(at + "time_mix_ln.bias", EMBD)
        m.network(at)
    m.close()


MAKERS = {
    "apertus": apertus,
    "eurobert": lambda folder: embedder(folder, "eurobert"),
    "neo-bert": neo_bert,
    "llama-embed": lambda folder: embedder(folder, "llama-embed", has_output=True),
    "gemma-embedding": lambda folder: embedder(folder, "gemma-embedding"),
    "step35": step35,
    "deepseek2-ocr": deepseek2_ocr,
    "bitnet": bitnet,
    "chameleon": lambda folder: chameleon(folder, False),
    "chameleon-swin": lambda folder: chameleon(folder, True),
    "plm": plm,
    "t5encoder": t5_encoder,
    "rwkv6": lambda folder: rwkv6(folder, True),
    "rwkv6-apart": lambda folder: rwkv6(folder, False),
    "rwkv6qwen2": qrwkv6,
    "arwkv7": arwkv7,
}


def main():
    folder, wanted = sys.argv[1], sys.argv[2:] or MAKERS
    os.makedirs(folder, exist_ok=True)
    for name in wanted:
        MAKERS[name](folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
