# SPDX-License-Identifier: MIT
"""For scripts that load with Transformers.

    from memplan.transformers import from_pretrained_kwargs

    kwargs = from_pretrained_kwargs("./llama", context=8192)
    model = AutoModelForCausalLM.from_pretrained("./llama", **kwargs)

max_memory(), device_map() and from_pretrained_kwargs() give what holds, also in
generate() at the context asked for; explain_oom() says why another map will
not. All take a path, a name, a configuration, or a live module, of which no
weight is touched.

get_max_memory(), get_balanced_memory(), infer_auto_device_map(),
compute_module_sizes(), check_device_map() and clean_device_map() are
Accelerate's, computed in C: a script may swap the import.
"""

from __future__ import annotations

from memplan.transformers.accelerate import (
    check_device_map,
    clean_device_map,
    compute_module_sizes,
    get_balanced_memory,
    get_max_memory,
    infer_auto_device_map,
)
from memplan.transformers.loading import (
    DoesNotFitError,
    device_map,
    from_pretrained_kwargs,
    max_memory,
    model_of,
)
from memplan.transformers.oom import Explanation, explain_oom

__all__ = [
    "DoesNotFitError",
    "Explanation",
    "check_device_map",
    "clean_device_map",
    "compute_module_sizes",
    "device_map",
    "explain_oom",
    "from_pretrained_kwargs",
    "get_balanced_memory",
    "get_max_memory",
    "infer_auto_device_map",
    "max_memory",
    "model_of",
]
