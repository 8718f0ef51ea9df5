# SPDX-License-Identifier: MIT
"""Defaults that the search for rules does not find, written by hand."""

# (model_type, key) -> (length of a list or None, rule)
DEFAULTS = {
    ("falcon", "new_decoder_architecture"): (
        None, "False if n_head_kv is None else True"),
    ("cohere2_moe", "layer_types"): (
        "num_hidden_layers",
        '"full_attention" if ((i + 1) % prefix_dense_sliding_window_pattern '
        "if i < first_k_dense_replace else (i + 1 - first_k_dense_replace) % "
        'sliding_window_pattern) == 0 else "sliding_attention"'),
    ("flint", "layer_types"): (
        "num_hidden_layers",
        '"full_attention" if i < 2 or i % 4 == 1 or '
        'i == num_hidden_layers - 1 else "sliding_attention"'),
    ("lfm3", "layer_types"): (
        "num_hidden_layers",
        '"full_attention" if i % 4 == 2 else "sliding_attention" '
        'if i % 4 == 0 and i > 0 else "conv"'),
    ("minimax_m2", "rotary_dim"): (None, "head_dim"),
    ("nemotron_h", "hybrid_override_pattern"): (None, '"ME*-"'),
    ("nemotron_h", "layers_block_type"): (
        "len(hybrid_override_pattern)",
        '"linear_attention" if hybrid_override_pattern[i] == "M" else '
        '"moe" if hybrid_override_pattern[i] == "E" else '
        '"full_attention" if hybrid_override_pattern[i] == "*" else "mlp"'),
    ("olmo_hybrid", "layer_types"): (
        "num_hidden_layers",
        '"full_attention" if i % 4 == 3 or num_hidden_layers < 4 and '
        'i == num_hidden_layers - 1 else "linear_attention"'),
    ("olmo_hybrid", "linear_key_head_dim"): (
        None, "int(0.75 * hidden_size / linear_num_key_heads)"),
    ("qwen2_moe", "layer_types"): (
        "num_hidden_layers",
        '"sliding_attention" if use_sliding_window and (i + 1) % 2 '
        'and i < max_window_layers else "full_attention"'),
}

# Spellings of code that was beside the weights before a type was native.
SPELLINGS = {
    ("falcon", "num_hidden_layers"): ["n_layer"],
    ("falcon", "num_attention_heads"): ["n_head"],
    ("falcon", "num_kv_heads"): ["n_head_kv"],
}

# model_type -> (pattern of a line's start, the line): states whose sizes too few
# samples tell apart.
_DELTA_NET = [
    (r"cache \[", 'cache [head_dim * num_key_value_heads, '
     'head_dim * num_key_value_heads] if layer_types[i] == "full_attention"'),
    (r"fixed \[.*\](?! fp32)", "fixed [linear_conv_kernel_dim * "
     "(linear_num_value_heads * linear_value_head_dim + 2 * "
     "linear_key_head_dim * linear_num_key_heads)]"),
    (r"fixed \[.*\] fp32", "fixed [linear_key_head_dim * "
     "(linear_num_value_heads * linear_value_head_dim)] fp32"),
]
LINES = {
    "axk2": [(r"param self_attn\.q_gate_proj", "param self_attn.q_gate_proj."
              "weight [num_attention_heads * (qk_nope_head_dim + "
              "qk_rope_head_dim + v_head_dim), 2 * q_lora_rank] linear")],
    "cpmant": [(r"param position_bias\.", "param position_bias."
                "relative_attention_bias [segment_types * segment_types + "
                "position_bias_num_buckets, num_attention_heads]")],
    "bailing_hybrid": [
        (r"cache \[", "cache [kv_lora_rank, qk_rope_head_dim] "
         'if layer_types[i] == "full_attention"'),
        (r"fixed \[.*\](?! fp32)", "fixed [short_conv_kernel_size * 3 * "
         "head_dim * num_attention_heads]"),
        (r"fixed \[.*\] fp32", "fixed [num_attention_heads * head_dim * "
         "head_dim] fp32")],
    "doge": [(r"param mlp\.router_gate\.weight", "param mlp.router_gate.weight "
              "[2 * isqrt(num_experts), hidden_size] linear")],
    "deepseek_v32": [(r"cache \[kv_lora_rank, 64",
                      "cache [kv_lora_rank, qk_rope_head_dim]")],
    "minimax_m2": [
    (r"buffer rotary_emb\." + name, f"buffer rotary_emb.{name} "
     "[(rotary_dim + 1) // 2] fp32 transient")
    for name in ("inv_freq", "original_inv_freq")],
    "qwen3_5_text": _DELTA_NET, "qwen3_5_moe_text": _DELTA_NET}
