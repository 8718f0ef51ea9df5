# SPDX-License-Identifier: MIT
"""What the environment says: read here, passed to the library as options."""

from __future__ import annotations

import os
_MACHINE = {
    "cuda_visible_devices": "CUDA_VISIBLE_DEVICES",
    "cuda_device_order": "CUDA_DEVICE_ORDER",
    "hip_visible_devices": "HIP_VISIBLE_DEVICES",
    "rocr_visible_devices": "ROCR_VISIBLE_DEVICES",
}


def _home() -> str | None:
    home = os.path.expanduser("~")
    return home if home != "~" else None  # no HOME, and no entry for the user


def hub_cache() -> str | None:
    """The Hugging Face cache, as huggingface_hub finds it."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if os.environ.get(name):
            return os.path.expandvars(os.path.expanduser(os.environ[name]))
    if os.environ.get("HF_HOME"):
        home = os.path.expandvars(os.path.expanduser(os.environ["HF_HOME"]))
        return os.path.join(home, "hub")
    user = _home()
    cache = os.environ.get("XDG_CACHE_HOME") or (user and os.path.join(user, ".cache"))
    return os.path.join(cache, "huggingface", "hub") if cache else None


def ollama_store() -> str | None:
    """Ollama's folder of models."""
    if os.environ.get("OLLAMA_MODELS"):
        return os.environ["OLLAMA_MODELS"]
    user = _home()
    return os.path.join(user, ".ollama", "models") if user else None


def machine_options() -> dict[str, str | None]:
    """Which devices are visible, and in which order."""
    return {option: os.environ.get(name) for option, name in _MACHINE.items()}
