# SPDX-License-Identifier: MIT
"""What some types need beside their defaults, which they refuse to be built
of: keys with points are of nested configurations."""

NEEDED = {
    "dbrx": {"attn_config.rope_theta": 10000.0},
    "dots1": {"n_routed_experts": 128, "n_shared_experts": 2},
    "hunyuan_v1_dense": {"head_dim": 128},
    "hunyuan_v1_moe": {"head_dim": 128},
    "lfm2_moe": {"layer_types": ["conv", "conv", "full_attention", "conv"] * 8},
    "ministral": {"head_dim": 128},
    "nemotron": {"num_key_value_heads": 8},
}


def nest(flat):
    """Keys with points, as the nested objects they stand for."""
    out = {}
    for path, value in flat.items():
        at = out
        *above, last = path.split(".")
        for name in above:
            at = at.setdefault(name, {})
        at[last] = value
    return out
