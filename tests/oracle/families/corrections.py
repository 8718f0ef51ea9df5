# SPDX-License-Identifier: MIT
"""Defaults that the search for rules does not find, written by hand."""

# (model_type, key) -> (length of a list or None, rule)
DEFAULTS = {
    ("qwen2_moe", "layer_types"): (
        "num_hidden_layers",
        '"sliding_attention" if use_sliding_window and (i + 1) % 2 '
        'and i < max_window_layers else "full_attention"'),
}
