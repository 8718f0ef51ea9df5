# SPDX-License-Identifier: MIT
"""README.md's Python does what it says, up to the load itself."""

import pytest
from conftest import ROOT, needs

needs("transformers", "torchao")


@pytest.fixture
def program():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (found,) = (part.split("\n```")[0] for part in text.split("```python\n")[1:])
    return found


def test_what_the_snippet_loads(program, monkeypatch):
    from transformers import AutoModelForCausalLM

    calls = []
    monkeypatch.setattr(
        AutoModelForCausalLM, "from_pretrained", lambda *at, **by: calls.append((at, by))
    )
    exec(compile(program, "README.md", "exec"), {})
    [((name,), kwargs)] = calls
    assert name == "meta-llama/Llama-2-70b-chat-hf"
    assert set(kwargs["device_map"].values()) == {0, "cpu"}
    assert kwargs["quantization_config"].quant_type.int4_packing_format == "tile_packed_to_4d"
    assert sum(kwargs["max_memory"].values()) < 80 * 10**9
