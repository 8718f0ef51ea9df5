# SPDX-License-Identifier: MIT
"""Rules found in rows of values: sizes as sums of products of keys, and
presence as a condition on keys.

A row is one place in one sample: its `env` maps the names that a rule may
speak of to values there.
"""
import itertools

import numpy as np

WEIGHTS = np.random.default_rng(7).integers(1, 2**62, 4096, dtype=np.int64) | 1


class Unsolved(Exception):
    pass


def simple(value):
    return isinstance(value, int) and not isinstance(value, bool)


class SizeSolver:
    """Finds the shortest expression that gives a size in every row."""

    def __init__(self, envs):
        self.count = len(envs)
        self.weights = WEIGHTS[np.arange(self.count) % len(WEIGHTS)] \
            + np.arange(self.count)
        self.atoms = {}
        names = set.intersection(*(set(env) for env in envs)) if envs else ()
        for name in sorted(names):
            column = [env[name] for env in envs]
            if all(simple(value) for value in column) \
                    and any(value != column[0] for value in column) \
                    and all(0 <= value < 2**31 for value in column):
                self.atoms[name] = np.array(column, dtype=np.int64)
        for name in sorted(names):
            column = [env[name] for env in envs]
            if all(isinstance(v, (list, tuple)) for v in column) and \
                    any(len(v) != len(column[0]) for v in column):
                self.atoms[f"len({name})"] = np.array(
                    [len(v) for v in column], np.int64)
        reals = {}
        for name in sorted(names):
            column = [env[name] for env in envs]
            if all(isinstance(v, (int, float)) and not isinstance(v, bool)
                   for v in column) \
                    and any(isinstance(v, float) for v in column) \
                    and all(abs(v) < 2**31 for v in column) \
                    and any(v != column[0] for v in column):
                reals[name] = column
        for name, column in reals.items():
            for other, ints in list(self.atoms.items()):
                values = np.array([int(a * b) for a, b in
                                   zip(ints.tolist(), column)], np.int64)
                self.atoms[f"int({other} * {name})"] = values
        self.terms = None

    def _hash(self, values):
        with np.errstate(over="ignore"):
            return (values.astype(np.int64) * self.weights).sum(axis=-1)

    def _build_terms(self):
        texts, rows = [], []

        def add(text, values):
            texts.append(text)
            rows.append(values)

        plain = [(n, v) for n, v in self.atoms.items()]
        base = [(n, v) for n, v in plain if "(" not in n]
        for name, values in plain:
            add(name, values)
        for name, values in plain:
            for factor in (2, 3, 4, 8):
                add(f"{factor} * {name}", factor * values)
                add(f"{name} // {factor}", values // factor)
            add(f"({name} + 1) // 2", (values + 1) // 2)
            add(f"({name} // 2 + 1) // 2", (values // 2 + 1) // 2)
        for (n1, v1), (n2, v2) in itertools.combinations(base, 2):
            add(f"{n1} * {n2}", v1 * v2)
        for (n1, v1), (n2, v2) in itertools.permutations(base, 2):
            if (v2 > 0).all() and (v1 // v2 > 0).any():
                add(f"{n1} // {n2}", v1 // v2)
        for (n1, v1), (n2, v2) in itertools.combinations(base, 2):
            add(f"2 * {n1} * {n2}", 2 * v1 * v2)
        self.texts = texts
        matrix = np.array(rows, dtype=np.int64) if rows else \
            np.zeros((0, self.count), np.int64)
        self.rows = matrix
        self.hashes = self._hash(matrix) if len(texts) else np.zeros(0, np.int64)
        order = np.argsort(self.hashes, kind="stable")
        self.sorted = self.hashes[order]
        self.order = order
        self.terms = True

    def _find(self, values):
        """A term with exactly these values, the simplest."""
        if not len(self.texts):
            return None
        key = self._hash(values)
        at = np.searchsorted(self.sorted, key)
        best = None
        while at < len(self.sorted) and self.sorted[at] == key:
            index = self.order[at]
            if (self.rows[index] == values).all() and \
                    (best is None or index < best):
                best = index
            at += 1
        return None if best is None else self.texts[best]

    def solve(self, values, deep=True):
        target = np.array(values, dtype=np.int64)
        if (target == target[0]).all():
            return str(int(target[0]))
        if self.terms is None:
            self._build_terms()
        found = self._find(target)
        if found:
            return found
        for extra in (1, 2, -1, 3, 4, -2, 8):
            found = self._find(target - extra)
            if found:
                sign = "+" if extra > 0 else "-"
                return f"{found} {sign} {abs(extra)}"
        found = self._pairs(target)
        if found:
            return found
        for name, column in self.atoms.items():
            if (column > 0).all() and (target % column == 0).all():
                rest = target // column
                inner = None
                if (rest == rest[0]).all():
                    inner = str(int(rest[0]))
                else:
                    inner = self._find(rest) or self._pairs(rest) or \
                        self._offsets(rest)
                if inner:
                    return f"{name} * ({inner})"
        if not deep:
            raise Unsolved
        for factor in (2, 3, 4, 6, 8):
            if (target % factor == 0).all():
                rest = target // factor
                inner = self._find(rest) or self._pairs(rest)
                if inner:
                    return f"{factor} * ({inner})"
        found = self._quotients(target)
        if found:
            return found
        whole = [(n, v) for n, v in self.atoms.items()
                 if (v > 0).all() and (target % v == 0).all()]
        for (n1, v1), (n2, v2) in itertools.combinations(whole, 2):
            if (target % (v1 * v2) == 0).all():
                inner = self._quotients(target // (v1 * v2))
                if inner:
                    return f"{n1} * {n2} * ({inner})"
        found = self._offset_pairs(target)
        if found:
            return found
        if deep and len(self.texts) < 12000:
            found = self._triples(target)
            if found:
                return found
        raise Unsolved

    def _offsets(self, target):
        for extra in (1, 2, -1):
            found = self._find(target - extra)
            if found:
                return f"{found} {'+' if extra > 0 else '-'} {abs(extra)}"
        return None

    def _offset_pairs(self, target):
        for extra in (1, 2, -1):
            found = self._pairs(target - extra)
            if found:
                return f"{found} {'+' if extra > 0 else '-'} {abs(extra)}"
        return None

    def _quotients(self, target):
        """a * b // c, (a // b) ** 2, ceil(a / b), (a + b - 1) // b ..."""
        atoms = [(n, v) for n, v in self.atoms.items()
                 if "(" not in n]
        for (n1, v1), (n2, v2) in itertools.permutations(atoms, 2):
            if not (v2 > 0).all():
                continue
            part = v1 // v2
            if (part * part == target).all():
                return f"({n1} // {n2}) * ({n1} // {n2})"
            if (part * part + 1 == target).all():
                return f"({n1} // {n2}) * ({n1} // {n2}) + 1"
            if (-(-v1 // v2) == target).all():
                return f"ceil({n1} / {n2})"
            for const in (2, 3, 4, 8, 16):
                if (v1 * const // v2 == target).all():
                    return f"{n1} * {const} // {n2}"
                if (v1 // v2 // const == target).all():
                    return f"{n1} // {n2} // {const}"
        for name, values in atoms:
            for const in (16, 32, 64, 128):
                if (-(-values // const) == target).all():
                    return f"ceil({name} / {const})"
                if (-(-values // const) * const == target).all():
                    return f"ceil({name} / {const}) * {const}"
            root = np.sqrt(target).astype(np.int64)
            if (root * root == target).all() and (values == root).all():
                return f"{name} * {name}"
            if (values * values == target).all():
                return f"{name} * {name}"
        products = [(t, r) for t, r in zip(self.texts, self.rows)
                    if " * " in t and "//" not in t]
        for text, row in products:
            for name, values in atoms:
                if (values > 0).all() and (row % values == 0).all() \
                        and (row // values == target).all():
                    return f"{text} // {name}"
            for const in (2, 4):
                if (row // const == target).all():
                    return f"{text} // {const}"
        for (n1, v1), (n2, v2) in itertools.permutations(atoms, 2):
            low = np.minimum(v1, v2)
            if (low == target).all():
                return f"min({n1}, {n2})"
            if (np.maximum(v1, v2) == target).all():
                return f"max({n1}, {n2})"
        return None

    def _pairs(self, target):
        """A sum or a difference of two terms."""
        if not len(self.texts):
            return None
        with np.errstate(over="ignore"):
            key = self._hash(target)
            for sign, wanted in (("+", key - self.hashes),
                                 ("-", key + self.hashes)):
                at = np.searchsorted(self.sorted, wanted)
                at[at == len(self.sorted)] = 0
                hits = np.nonzero(self.sorted[at] == wanted)[0]
                best = None
                for first in hits:
                    second = self.order[at[first]]
                    a, b = self.rows[first], self.rows[second]
                    total = a + b if sign == "+" else b - a
                    if not (total == target).all():
                        continue
                    rank = (first + second, first, second)
                    if best is None or rank < best[0]:
                        left, right = (first, second) if sign == "+" else \
                            (second, first)
                        best = (rank, f"{self.texts[left]} {sign} "
                                f"{self.texts[right]}")
                if best:
                    return best[1]
        return None

    def _triples(self, target):
        with np.errstate(over="ignore"):
            key = self._hash(target)
            for first in range(len(self.texts)):
                if self.texts[first].count(" * ") > 1 or \
                        "//" in self.texts[first] or first > 400:
                    continue
                for sign in (1, -1):
                    rest = target - sign * self.rows[first]
                    wanted = key - sign * self.hashes[first] - self.hashes
                    at = np.searchsorted(self.sorted, wanted)
                    at[at == len(self.sorted)] = 0
                    for second in np.nonzero(self.sorted[at] == wanted)[0]:
                        third = self.order[at[second]]
                        if (self.rows[second] + self.rows[third]
                                == rest).all():
                            head = f"{self.texts[second]} + " \
                                   f"{self.texts[third]}"
                            return f"{head} {'+' if sign > 0 else '-'} " \
                                   f"{self.texts[first]}"
        return None


class ConditionSolver:
    """Finds the shortest condition that is true in exactly some rows."""

    def __init__(self, envs):
        self.count = len(envs)
        self.full = (1 << self.count) - 1
        self.atoms = {}
        self.pairs = {}
        names = set.intersection(*(set(env) for env in envs)) if envs else ()
        for name in sorted(names, key=lambda n: (n.count("."), n)):
            self._add_key(name, [env[name] for env in envs])
        depth = [n for n in ("i", "j", "k") if n in names]
        for index in depth:
            self._add_index(index, envs, names)
        sizes = [n for n in sorted(names) if n not in depth
                 and all(simple(env[n]) for env in envs)]
        for one, other in itertools.combinations(sizes, 2):
            for sign in ("!=", ">"):
                flags = [env[one] != env[other] if sign == "!=" else
                         env[one] > env[other] for env in envs]
                mask = sum(1 << at for at, flag in enumerate(flags) if flag)
                self.pairs.setdefault(mask, f"{one} {sign} {other}")
                self.pairs.setdefault(self.full & ~mask,
                                      negate(f"{one} {sign} {other}"))

    def _add(self, text, flags):
        mask = sum(1 << at for at, flag in enumerate(flags) if flag)
        if mask not in (0, self.full) and mask not in self.atoms:
            self.atoms[mask] = text
        other = self.full & ~mask
        if other not in (0, self.full) and other not in self.atoms:
            self.atoms[other] = negate(text)

    def _add_key(self, name, column):
        if name in ("i", "j", "k"):
            return
        if all(isinstance(v, bool) or v is None for v in column):
            self._add(name, column)
        if any(v is None for v in column):
            self._add(f"{name} is not None", [v is not None for v in column])
        if any(isinstance(v, str) for v in column):
            for value in sorted({v for v in column if isinstance(v, str)}):
                self._add(f'{name} == "{value}"', [v == value for v in column])
        if all(v is None or isinstance(v, (int, float)) for v in column):
            self._add(f"({name} or 0) > 0" if None in column else f"{name} > 0",
                      [(v or 0) > 0 for v in column])
            self._add(f"({name} or 0) > 1" if None in column else f"{name} > 1",
                      [(v or 0) > 1 for v in column])
            few = sorted({v for v in column if simple(v)})
            for value in few if len(few) <= 5 else ():
                self._add(f"{name} == {value}", [v == value for v in column])
        if all(isinstance(v, (list, tuple)) or v is None for v in column):
            for value in sorted({x for v in column if v for x in v
                                 if isinstance(x, str)}):
                self._add(f'"{value}" in {name}',
                          [v is not None and value in v for v in column])

    def _add_index(self, index, envs, names):
        at = [env[index] for env in envs]
        self._add(f"{index} > 0", [v > 0 for v in at])
        for step in (2, 3, 4, 5, 6, 8):
            for rest in range(step) if step < 5 else (0, step - 1):
                self._add(f"{index} % {step} == {rest}",
                          [v % step == rest for v in at])
        for name in sorted(names):
            column = [env[name] for env in envs]
            if all(simple(v) for v in column):
                self._add(f"{index} >= {name}",
                          [a >= v for a, v in zip(at, column)])
                self._add(f"{index} > {name}",
                          [a > v for a, v in zip(at, column)])
                self._add(f"{index} == {name} - 1",
                          [a == v - 1 for a, v in zip(at, column)])
                if all(v > 0 for v in column):
                    self._add(f"{index} % {name} == 0",
                              [a % v == 0 for a, v in zip(at, column)])
                    self._add(f"({index} + 1) % {name} == 0",
                              [(a + 1) % v == 0 for a, v in zip(at, column)])
                    for other in sorted(names):
                        if "offset" in other and "period" in name:
                            offs = [env[other] for env in envs]
                            if all(simple(v) for v in offs):
                                self._add(
                                    f"{index} % {name} == {other}",
                                    [a % v == o for a, v, o in
                                     zip(at, column, offs)])
            if all(isinstance(v, (list, tuple)) or v is None
                   for v in column) and \
                    all(simple(x) for v in column if v for x in v):
                self._add(f"{index} in {name}",
                          [v is not None and a in v
                           for a, v in zip(at, column)])

    def solve(self, flags):
        mask = sum(1 << at for at, flag in enumerate(flags) if flag)
        if mask == self.full:
            return None
        if mask in self.atoms:
            return self.atoms[mask]
        for a, text in self.atoms.items():
            if a & mask == mask:  # a and x
                for b, other in self.atoms.items():
                    if a & b == mask:
                        return f"{text} and {other}"
        for a, text in self.atoms.items():
            if a | mask == mask:  # a or x
                for b, other in self.atoms.items():
                    if a | b == mask:
                        return f"{text} or {other}"
        if mask in self.pairs:
            return self.pairs[mask]
        for b, other in self.pairs.items():
            if b & mask == mask:
                for a, text in self.atoms.items():
                    if a & b == mask:
                        return f"{text} and {other}"
        above = [(a, t) for a, t in self.atoms.items() if a & mask == mask]
        for (a, t), (b, u) in itertools.combinations(above, 2):
            for c, w in above:
                if a & b & c == mask:
                    return f"{t} and {u} and {w}"
        for a, t in above:
            want = mask
            for b, u in self.atoms.items():
                if (a & b) | mask != mask:
                    continue
                for c, w in self.atoms.items():
                    if a & (b | c) == want:
                        return f"{t} and ({u} or {w})"
        raise Unsolved


def negate(text):
    for plain, other in ((" is not None", " is None"), (" == ", " != "),
                         (" >= ", " < "), (" > ", " <= "),
                         (" not in ", " in ")):
        if text.count(plain) == 1 and " and " not in text:
            return text.replace(plain, other)
    if " in " in text:
        return text.replace(" in ", " not in ")
    return f"not {text}"
