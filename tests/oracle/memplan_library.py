# SPDX-License-Identifier: MIT
"""libmemplan.so through ctypes, as far as the oracles need it."""
import ctypes
import json
import os

U64 = ctypes.c_uint64
TEXT = ctypes.c_char_p


class Error(ctypes.Structure):
    _fields_ = [("status", ctypes.c_int32), ("line", ctypes.c_uint32),
                ("offset", U64), ("message", ctypes.c_char * 240)]


class ModelInfo(ctypes.Structure):
    _fields_ = [("size", U64), ("source", TEXT), ("name", TEXT),
                ("format", TEXT), ("architecture", TEXT), ("dtype", TEXT),
                ("parameter_count", U64), ("weight_bytes", U64),
                ("file_bytes", U64), ("tensor_count", U64),
                ("unit_count", U64), ("layer_count", U64),
                ("context_tokens", U64)]


class TensorInfo(ctypes.Structure):
    _fields_ = [("size", U64), ("name", TEXT), ("dtype", TEXT),
                ("shape", ctypes.POINTER(U64)), ("dimension_count", U64),
                ("bytes", U64), ("unit_index", U64), ("is_buffer", U64),
                ("tied_to", TEXT)]


class UnitInfo(ctypes.Structure):
    _fields_ = [("size", U64), ("name", TEXT), ("kind", TEXT),
                ("weight_bytes", U64), ("parameter_count", U64),
                ("tensor_count", U64)]


class Request(ctypes.Structure):
    _fields_ = [("size", U64), ("engine", TEXT), ("context_tokens", U64),
                ("sequences", U64), ("prompt_tokens", U64), ("dtype", TEXT),
                ("kv_dtype", TEXT), ("settings", TEXT), ("pins", TEXT),
                ("reserve_bytes", U64), ("cache", TEXT),
                ("encoder_tokens", U64)]


class PoolInfo(ctypes.Structure):
    _fields_ = [("size", U64), ("name", TEXT), ("key", TEXT),
                ("capacity_bytes", U64), ("used_bytes", U64),
                ("short_bytes", U64), ("row_count", U64)]


class RowInfo(ctypes.Structure):
    _fields_ = [("size", U64), ("category", TEXT), ("certainty", TEXT),
                ("rule", TEXT), ("bytes", U64)]


class Refused(Exception):
    """memplan refuses the model or the request; the message says why."""


def default_path():
    here = os.path.dirname(os.path.abspath(__file__))
    return os.path.join(here, "..", "..", "build", "libmemplan",
                        "libmemplan.so")


class Library:
    def __init__(self, path=None):
        self.lib = ctypes.CDLL(path or default_path())
        for noun in ("model", "machine", "plan"):
            getattr(self.lib, f"memplan_{noun}_free").restype = None
        self.lib.memplan_model_describe.restype = None
        self.lib.memplan_text_free.restype = None

    def _call(self, function, *arguments):
        """What a constructor gives through its first argument."""
        out, error = ctypes.c_void_p(), Error()
        status = getattr(self.lib, function)(
            ctypes.byref(out), *arguments, ctypes.byref(error))
        if status != 0:
            raise Refused(error.message.decode(errors="replace"))
        return out

    def price(self, path, budgets, placement, **request):
        """Ledger rows (pool, category, certainty, rule, bytes) of one
        placement; `request` by the names of memplan_request."""
        asked = Request(size=ctypes.sizeof(Request), **{
            key: value.encode() if isinstance(value, str) else value
            for key, value in request.items()})
        made = []
        try:
            made.append((self._call("memplan_model_open", os.fsencode(path),
                                    None), "model"))
            made.append((self._call("memplan_machine_declare", None,
                                    budgets.encode()), "machine"))
            made.append((self._call(
                "memplan_plan_price", made[0][0], made[1][0],
                ctypes.byref(asked), placement.encode()), "plan"))
            return list(self._rows(made[2][0]))
        finally:
            for handle, noun in made:
                getattr(self.lib, f"memplan_{noun}_free")(handle)

    def _rows(self, plan):
        pool, row = PoolInfo(), RowInfo()
        pool.size, row.size = ctypes.sizeof(pool), ctypes.sizeof(row)
        at = 0
        while self.lib.memplan_plan_pool(plan, U64(at),
                                         ctypes.byref(pool)) == 0:
            for index in range(pool.row_count):
                row.size = ctypes.sizeof(row)
                self.lib.memplan_plan_row(plan, U64(at), U64(index),
                                          ctypes.byref(row))
                yield (pool.key.decode(), row.category.decode(),
                       row.certainty.decode(), row.rule.decode(), row.bytes)
            pool.size = ctypes.sizeof(pool)
            at += 1

    def read(self, path):
        """(info, tensors, units) of a model, as plain Python."""
        model = self._call("memplan_model_open", os.fsencode(path), None)
        try:
            info = ModelInfo(size=ctypes.sizeof(ModelInfo))
            self.lib.memplan_model_describe(model, ctypes.byref(info))
            tensors = {}
            for at in range(info.tensor_count):
                row = TensorInfo(size=ctypes.sizeof(TensorInfo))
                self.lib.memplan_model_tensor(model, U64(at),
                                              ctypes.byref(row))
                shape = tuple(row.shape[d] for d in range(row.dimension_count))
                tensors[row.name.decode()] = (
                    shape, row.dtype.decode(), row.bytes, bool(row.is_buffer),
                    row.tied_to.decode() if row.tied_to else None,
                    row.unit_index)
            units = []
            for at in range(info.unit_count):
                row = UnitInfo(size=ctypes.sizeof(UnitInfo))
                self.lib.memplan_model_unit(model, U64(at), ctypes.byref(row))
                units.append((row.name.decode(), row.kind.decode(),
                              row.weight_bytes))
            totals = {name: getattr(info, name)
                      for name, kind in ModelInfo._fields_ if kind is U64}
            totals["architecture"] = info.architecture.decode()
            return totals, tensors, units
        finally:
            self.lib.memplan_model_free(model)

    def render(self, path):
        """What the library's report of a model says, as JSON."""
        model = ctypes.c_void_p()
        text = ctypes.c_void_p()
        error = Error()
        status = self.lib.memplan_model_open(
            ctypes.byref(model), os.fsencode(path), None, ctypes.byref(error))
        if status == 0:
            status = self.lib.memplan_model_render(
                ctypes.byref(text), model, b"json", None, ctypes.byref(error))
            self.lib.memplan_model_free(model)
        if status != 0:
            raise Refused(error.message.decode(errors="replace"))
        try:
            return json.loads(ctypes.string_at(text.value))
        finally:
            self.lib.memplan_text_free(text)
