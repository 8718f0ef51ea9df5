# SPDX-License-Identifier: MIT
"""For scripts that load with Transformers."""

from __future__ import annotations

from memplan.transformers.accelerate import (
    check_device_map,
    clean_device_map,
    compute_module_sizes,
    get_balanced_memory,
    get_max_memory,
    infer_auto_device_map,
)

__all__ = [
    "check_device_map",
    "clean_device_map",
    "compute_module_sizes",
    "get_balanced_memory",
    "get_max_memory",
    "infer_auto_device_map",
]
