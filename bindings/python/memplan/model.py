# SPDX-License-Identifier: MIT
"""Models: what has to be placed."""

from __future__ import annotations

import os
from memplan import _environment, _library
from memplan._shown import Shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from memplan.rows import Tensor, Unit

__all__ = ["Model"]


class Model(Shown):
    """A model's tensors, units and state, from its headers alone.

    Open one by path or name; it is read-only and may be shared by threads.

        >>> model = memplan.Model.open("meta-llama/Llama-2-70b-chat-hf")
        >>> model.weight_bytes
        137953296384
    """

    __slots__ = ()
    _maker = "memplan.Model.open()"

    @classmethod
    def open(
        cls,
        source: str | os.PathLike[str],
        *,
        revision: str | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        header_max_bytes: int = 0,
    ) -> "Model":
        """Open a model. Nothing but headers is read, and no network is used.

        ``source`` is, in the order tried: a path (a ``.gguf``, also the first
        of a split; a ``.safetensors``; a ``config.json``; a weight index; a
        folder that holds one of them), a name in the local Hugging Face cache
        or in Ollama's store, or a name of the built-in catalogue.

        The cache is ``cache_dir``, else ``HF_HUB_CACHE``, else ``hub`` in
        ``HF_HOME``; Ollama's store is ``OLLAMA_MODELS``. ``revision`` is a
        branch, a tag or a commit. A header longer than ``header_max_bytes`` (0: 1
        GiB) is refused.
        """
        if not isinstance(source, (str, bytes, os.PathLike)):
            raise TypeError(f"{source!r} is no model: a path or a name is wanted")
        options: dict[str, object] = {}
        if header_max_bytes:
            options["header_max_bytes"] = header_max_bytes
        # A path from the root, or one that is there, is no name.
        if not (os.path.isabs(source) or os.path.exists(source)):
            options["hub_cache"] = (
                _environment.hub_cache() if cache_dir is None else os.fspath(cache_dir)
            )
            options["hub_revision"] = revision
            options["ollama_store"] = _environment.ollama_store()
        return cls(_library.open_model(source, options))

    @property
    def name(self) -> str:
        """A short name for people."""
        return str(self._handle.total("name"))

    @property
    def source(self) -> str:
        """The path or name that was opened."""
        return str(self._handle.total("source"))

    @property
    def format(self) -> str:
        """"gguf", "safetensors", "config", "index", "catalogue" or "declared"."""
        return str(self._handle.total("format"))

    @property
    def architecture(self) -> str:
        """"llama", "qwen3_moe", ..."""
        return str(self._handle.total("architecture"))

    @property
    def dtype(self) -> str:
        """The dtype of most weight bytes: "bf16", "q4_k", ..."""
        return str(self._handle.total("dtype"))

    @property
    def parameter_count(self) -> int:
        """Elements of all parameters; tied ones count once."""
        return int(self._handle.total("parameter_count"))

    @property
    def weight_bytes(self) -> int:
        """Bytes of all parameters; tied ones count once."""
        return int(self._handle.total("weight_bytes"))

    @property
    def file_bytes(self) -> int | None:
        """Bytes on disk, or None."""
        count: int | None = self._handle.total("file_bytes")
        return count

    @property
    def layer_count(self) -> int:
        """How many of its units are layers."""
        return int(self._handle.total("layer_count"))

    @property
    def context_tokens(self) -> int | None:
        """The length it was trained for, or None."""
        count: int | None = self._handle.total("context_tokens")
        return count

    @property
    def notes(self) -> tuple[str, ...]:
        """How its bytes were found, where that is not what one expects."""
        return self._handle.notes()

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All tensors, in the order of their units."""
        from memplan.rows import Tensor

        return tuple(
            Tensor(
                name=row["name"],
                dtype=row["dtype"],
                shape=row["shape"] or (),
                bytes=row["bytes"],
                unit=row["unit_index"],
                is_buffer=bool(row["is_buffer"]),
                tied_to=row["tied_to"],
            )
            for row in self._handle.rows("tensor")
        )

    @property
    def units(self) -> tuple[Unit, ...]:
        """All units, in the order in which they run."""
        from memplan.rows import Unit

        return tuple(Unit(**row) for row in self._handle.rows("unit"))

    def __repr__(self) -> str:
        if self._handle.closed:
            return "<memplan.Model, closed>"
        info = self._handle.describe()
        amount = _library.bytes_format(info["weight_bytes"])
        return f"<memplan.Model {info['name']}: {info['architecture']}, {amount}>"
