# SPDX-License-Identifier: MIT
"""Small random models of many families: real code, few bytes."""

from transformers import AutoConfig, AutoModelForCausalLM

COMMON = dict(
    hidden_size=256,
    intermediate_size=512,
    num_hidden_layers=4,
    num_attention_heads=8,
    num_key_value_heads=4,
    vocab_size=2048,
    max_position_embeddings=512,
    bos_token_id=1,
    eos_token_id=None,
    pad_token_id=0,
)
MOE = dict(num_experts_per_tok=2)

#: What a family's configuration has beside or instead of the common keys.
FAMILIES = {
    "llama": {},
    "mistral": dict(sliding_window=None),
    "mixtral": dict(MOE, num_local_experts=4),
    "qwen2": dict(tie_word_embeddings=True),
    "qwen3": dict(head_dim=48),
    "qwen3_moe": dict(MOE, num_experts=4, moe_intermediate_size=128, head_dim=32),
    "gemma": dict(head_dim=32),
    "gemma2": dict(head_dim=32, sliding_window=32, query_pre_attn_scalar=32),
    "gemma3_text": dict(head_dim=32, sliding_window=32, query_pre_attn_scalar=32),
    "phi3": dict(),
    "gpt_oss": dict(MOE, num_local_experts=4, head_dim=32, sliding_window=32),
    "deepseek_v3": dict(
        n_routed_experts=8,
        moe_intermediate_size=128,
        n_group=2,
        topk_group=1,
        num_experts_per_tok=2,
        num_key_value_heads=8,
        q_lora_rank=64,
        kv_lora_rank=32,
        qk_rope_head_dim=16,
        qk_nope_head_dim=32,
        v_head_dim=32,
        first_k_dense_replace=1,
    ),
}


def config_of(family, **changes):
    """A small configuration of a family."""
    fields = {**COMMON, **FAMILIES[family], **changes}
    config = AutoConfig.for_model(family, **fields)
    config.architectures = [type_of(config).__name__]
    return config


def type_of(config):
    """The class of causal language models of a configuration."""
    return AutoModelForCausalLM._model_mapping[type(config)]


def model_of(family, **changes):
    """A model with random weights, always the same."""
    import torch

    torch.manual_seed(7)
    return AutoModelForCausalLM.from_config(config_of(family, **changes)).eval()
