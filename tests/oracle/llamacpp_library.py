# SPDX-License-Identifier: MIT
"""The part of libmemplan that the llama.cpp oracle needs, through ctypes."""

import ctypes
import os

from memplan_library import U64, Error, PoolInfo, Refused, Request, RowInfo

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def find_library(given=None):
    """The shared library: named, or that of the build folder."""
    path = given or os.environ.get("MEMPLAN_LIBRARY") or os.path.join(
        ROOT, "build", "libmemplan", "libmemplan.so")
    return ctypes.CDLL(path)


class Library:
    """Opens models, prices settings, and reads the rows of a plan."""

    def __init__(self, path=None):
        self._c = find_library(path)
        self._models = {}
        self._machines = {}
        self._c.memplan_model_free.argtypes = [ctypes.c_void_p]
        self._c.memplan_plan_free.argtypes = [ctypes.c_void_p]
        self._c.memplan_text_free.argtypes = [ctypes.c_void_p]

    def _check(self, status, error):
        if status != 0:
            raise Refused(error.message.decode())

    def model(self, path):
        if path not in self._models:
            error, out = Error(), ctypes.c_void_p()
            self._check(self._c.memplan_model_open(
                ctypes.byref(out), path.encode(), None, ctypes.byref(error)), error)
            self._models[path] = out
        return self._models[path]

    def forget_model(self, path):
        model = self._models.pop(path, None)
        if model is not None:
            self._c.memplan_model_free(model)

    def machine(self, budgets):
        if budgets not in self._machines:
            error, out = Error(), ctypes.c_void_p()
            self._check(self._c.memplan_machine_declare(
                ctypes.byref(out), None, budgets.encode(), ctypes.byref(error)), error)
            self._machines[budgets] = out
        return self._machines[budgets]

    def _rows(self, plan):
        rows, pool, row = [], PoolInfo(), RowInfo()
        at = 0
        pool.size = ctypes.sizeof(pool)
        while self._c.memplan_plan_pool(plan, U64(at), ctypes.byref(pool)) == 0:
            for index in range(pool.row_count):
                row.size = ctypes.sizeof(row)
                self._c.memplan_plan_row(plan, U64(at), U64(index), ctypes.byref(row))
                rows.append((pool.key.decode(), row.category.decode(),
                             row.certainty.decode(), row.rule.decode(), row.bytes))
            at += 1
            pool.size = ctypes.sizeof(pool)
        return rows

    def price(self, model_path, budgets, settings):
        """Rows (pool, category, certainty, rule, bytes) of exact settings."""
        return self._plan(model_path, budgets, settings, True)[0]

    def plan(self, model_path, budgets, settings):
        """Rows, and the settings that the plan chose."""
        return self._plan(model_path, budgets, settings, False)

    def _plan(self, model_path, budgets, settings, is_price):
        model, machine = self.model(model_path), self.machine(budgets)
        error, out, text = Error(), ctypes.c_void_p(), ctypes.c_char_p()
        request = Request(size=ctypes.sizeof(Request), engine=b"llama.cpp",
                          settings=settings.encode())
        if is_price:
            status = self._c.memplan_plan_price(
                ctypes.byref(out), model, machine, ctypes.byref(request), None,
                ctypes.byref(error))
        else:
            status = self._c.memplan_plan_create(
                ctypes.byref(out), model, machine, ctypes.byref(request),
                ctypes.byref(error))
        self._check(status, error)
        try:
            rows, chosen = self._rows(out), None
            if not is_price:
                self._check(self._c.memplan_plan_render(
                    ctypes.byref(text), out, b"json", None, ctypes.byref(error)), error)
                chosen = text.value.decode()
                self._c.memplan_text_free(text)
            return rows, chosen
        finally:
            self._c.memplan_plan_free(out)
