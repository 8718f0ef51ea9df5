#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write a small llama as GGUF: a true header, and data that is all zero.

    python3 make_gguf.py tiny.gguf [LAYERS]
"""

from __future__ import annotations

import struct
import sys

WIDTH, FFN, HEADS, KV_HEADS, VOCABULARY = 256, 1024, 8, 4, 512
F32, F16 = 0, 1
BYTES = {F32: 4, F16: 2}
TEXT, U32, ARRAY, FLOAT = 8, 4, 9, 6


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def key(name: str, kind: int, value: bytes) -> bytes:
    return text(name) + struct.pack("<I", kind) + value


def number(name: str, value: int) -> bytes:
    return key(name, U32, struct.pack("<I", value))


def tensors(layers: int) -> "list[tuple[str, list[int], int]]":
    """Name, sizes (the fastest first) and type of each tensor."""
    kv_width = WIDTH // HEADS * KV_HEADS
    made = [("token_embd.weight", [WIDTH, VOCABULARY], F16)]
    for layer in range(layers):
        block = f"blk.{layer}."
        made += [
            (block + "attn_norm.weight", [WIDTH], F32),
            (block + "attn_q.weight", [WIDTH, WIDTH], F16),
            (block + "attn_k.weight", [WIDTH, kv_width], F16),
            (block + "attn_v.weight", [WIDTH, kv_width], F16),
            (block + "attn_output.weight", [WIDTH, WIDTH], F16),
            (block + "ffn_norm.weight", [WIDTH], F32),
            (block + "ffn_gate.weight", [WIDTH, FFN], F16),
            (block + "ffn_up.weight", [WIDTH, FFN], F16),
            (block + "ffn_down.weight", [FFN, WIDTH], F16),
        ]
    return made + [("output_norm.weight", [WIDTH], F32),
                   ("output.weight", [WIDTH, VOCABULARY], F16)]


def metadata(layers: int) -> "list[bytes]":
    tokens = struct.pack("<IQ", TEXT, VOCABULARY)
    tokens += b"".join(text(f"t{token}") for token in range(VOCABULARY))
    return [
        key("general.architecture", TEXT, text("llama")),
        key("general.name", TEXT, text("tiny")),
        number("llama.context_length", 4096),
        number("llama.embedding_length", WIDTH),
        number("llama.block_count", layers),
        number("llama.feed_forward_length", FFN),
        number("llama.attention.head_count", HEADS),
        number("llama.attention.head_count_kv", KV_HEADS),
        number("llama.rope.dimension_count", WIDTH // HEADS),
        key("llama.attention.layer_norm_rms_epsilon", FLOAT,
            struct.pack("<f", 1e-5)),
        key("tokenizer.ggml.model", TEXT, text("llama")),
        key("tokenizer.ggml.tokens", ARRAY, tokens),
    ]


def main() -> None:
    layers = int(sys.argv[2]) if len(sys.argv) > 2 else 4
    infos = b""
    offset = 0
    for name, sizes, kind in tensors(layers):
        infos += text(name) + struct.pack("<I", len(sizes))
        infos += struct.pack(f"<{len(sizes)}Q", *sizes)
        infos += struct.pack("<IQ", kind, offset)
        elements = 1
        for size in sizes:
            elements *= size
        offset += (elements * BYTES[kind] + 31) // 32 * 32
    keys = metadata(layers)
    header = b"GGUF" + struct.pack("<IQQ", 3, len(tensors(layers)), len(keys))
    header += b"".join(keys) + infos
    header += b"\0" * (-len(header) % 32)
    with open(sys.argv[1], "wb") as file:
        file.write(header)
        file.truncate(len(header) + offset)


if __name__ == "__main__":
    main()
