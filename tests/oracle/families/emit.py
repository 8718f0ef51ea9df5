# SPDX-License-Identifier: MIT
"""From trees to the text of a family: conditions and sizes are solved, names
are put in order, and each key that a rule speaks of is declared.
"""
import re
from collections import defaultdict

import torch

from keys import evaluate
from solving import ConditionSolver, SizeSolver, Unsolved
from trees import abstract, dtype_name, numbers, repeated_lists

MAX_ROWS = 160


class TreeWriter:
    def __init__(self, family, tree):
        self.family = family
        self.tree = tree
        self.repeated = repeated_lists(tree)
        self.lines = []
        self.pool = set()  # (rank, rule) of first dimensions
        self.solvers = {}
        self.collect()

    def collect(self):
        """Rows of each abstract path, and the order of children."""
        self.rows = defaultdict(dict)      # path -> {(s, idx): entry}
        self.places = defaultdict(dict)    # list item path -> {(s, idx): env}
        self.children = defaultdict(list)  # path -> [ordered names]
        self.lengths = defaultdict(dict)   # list path -> {(s, idx): length}
        self.blocks = set()
        self.ties = defaultdict(dict)
        for at, instance in enumerate(self.tree.instances):
            self.places[()][(at, ())] = instance.sample
            for path in instance.blocks:
                self.blocks.add(abstract(path, self.repeated))
            for path, length in instance.lengths.items():
                name = abstract(path, self.repeated)
                if name in self.repeated:
                    index = numbers(path, self.repeated)
                    self.lengths[name][(at, index)] = length
                    for item in range(length):
                        self.places[name + ("#",)][(at, index + (item,))] = \
                            instance.sample
            order = defaultdict(list)
            for entry in instance.entries:
                name = abstract(entry.path, self.repeated)
                index = numbers(entry.path, self.repeated)
                self.rows[name][(at, index)] = entry
                for depth in range(len(name)):
                    above = name[:depth]
                    hashes = above.count("#")
                    seen = order[(above, index[:hashes])]
                    if name[depth] not in seen:
                        seen.append(name[depth])
            for (above, _), seen in order.items():
                self.children[above].append(seen)
            for path, owner in instance.ties:
                key = (abstract(path, self.repeated),
                       abstract(owner, self.repeated))
                index = numbers(path, self.repeated)
                self.ties[key][(at, index)] = True

    def place_of(self, path):
        """The innermost repeated item that holds a path."""
        for length in range(len(path), 0, -1):
            if path[length - 1] == "#":
                return path[:length]
        return ()

    def envs(self, places):
        out = []
        for at, index in places:
            sample = self.tree.instances[at].sample
            cache = sample.__dict__.setdefault("row_envs", {})
            if index not in cache:
                cache[index] = self.family.row_env(sample, index)
            out.append(cache[index])
        return out

    def _solver(self, kind, places):
        key = (kind, tuple(places))
        if key not in self.solvers:
            self.solvers[key] = kind(self.envs(places))
        return self.solvers[key]

    def condition(self, path, present):
        """None where it is always there."""
        places = sorted(self.places[self.place_of(path)])
        flags = [place in present for place in places]
        if all(flags):
            return None
        try:
            text = self._solver(ConditionSolver, places).solve(flags)
        except Unsolved:
            self.family.problems.append(
                f"{self.tree.class_name}: {'.'.join(path)}: no condition "
                f"({sum(flags)} of {len(flags)})")
            text = "UNSOLVED"
        self.family.use_names(text) if text != "UNSOLVED" else None
        return text

    def size(self, path, rows, label):
        """An expression for one number in each row."""
        places = sorted(rows)
        if len(places) > MAX_ROWS:
            step = len(places) / MAX_ROWS
            places = [places[int(at * step)] for at in range(MAX_ROWS)]
        values = [rows[place] for place in places]
        try:
            text = self._solver(SizeSolver, places).solve(values)
            self.check(text, rows)
        except Unsolved:
            text = self._split(places, values, rows)
        if text is None:
            self.family.problems.append(
                f"{self.tree.class_name}: {'.'.join(path)}: {label}: no rule "
                f"for {sorted(set(values))[:8]}")
            return "UNSOLVED"
        self.family.use_names(text)
        return text

    def check(self, text, rows):
        for place, env in zip(rows, self.envs(list(rows))):
            try:
                if evaluate(text, env) != rows[place]:
                    raise Unsolved
            except (TypeError, KeyError, ZeroDivisionError):
                raise Unsolved

    def _split(self, places, values, rows, depth=0):
        """One rule on each side of a condition, or of two."""
        solver = self._solver(ConditionSolver, tuple(places))
        best = None
        halves = []
        for mask, text in list(solver.atoms.items())[:260]:
            yes = [p for at, p in enumerate(places) if mask >> at & 1]
            no = [p for at, p in enumerate(places) if not mask >> at & 1]
            left = self._try(yes, rows)
            right = self._try(no, rows) if left or depth == 0 else None
            if left and right:
                whole = f"{left} if {text} else {right}"
                try:
                    self.check(whole, {p: rows[p] for p in places})
                except Unsolved:
                    continue
                if best is None or len(whole) < len(best):
                    best = whole
            elif left and len(yes) * 5 > len(places):
                halves.append((text, left, no))
        if best is None and depth == 0:
            for text, left, no in halves[:12]:
                right = self._split(no, None, rows, 1)
                if right:
                    whole = f"{left} if {text} else ({right})"
                    try:
                        self.check(whole, rows)
                    except Unsolved:
                        continue
                    return whole
        return best

    def _try(self, places, rows):
        try:
            return self._solver(SizeSolver, tuple(places)).solve(
                [rows[p] for p in places], deep=False)
        except Unsolved:
            return None

    def leaf(self, path, name):
        """(condition, line) of one tensor or used tree."""
        rows = self.rows[path]
        entry = next(iter(rows.values()))
        condition = self.condition(path, rows)
        if entry.kind == "use":
            line = f"use {entry.target} {name}"
            if entry.config:
                line += f" of {entry.config} else {entry.fallback}"
            return condition, line
        ranks = {len(row.shape) for row in rows.values()}
        if len(ranks) > 1:
            self.family.problems.append(
                f"{self.tree.class_name}: {'.'.join(path)}: ranks {ranks}")
            return condition, f"UNSOLVED {name}"
        dims = [self.size(path, {p: row.shape[axis]
                                 for p, row in rows.items()}, f"axis {axis}")
                for axis in range(ranks.pop())]
        if dims and "#" in path and "UNSOLVED" not in dims[0]:
            likely = re.search(r"(^|\.|_)(k|kv|key|v)(_|\.|$)", name)
            self.pool.add((0 if likely else 1 + len(dims[0]), dims[0]))
        words = [entry.kind, name, f"[{', '.join(dims)}]"]
        if entry.dtype:
            words.append(entry.dtype)
        words += entry.flags
        return condition, " ".join(words)

    def merged(self, path):
        """Children in an order that no sample contradicts."""
        sequences = self.children[path]
        before = defaultdict(set)
        order = []
        for seen in sorted(sequences, key=len, reverse=True):
            for at, name in enumerate(seen):
                before[name].update(seen[:at])
                if name not in order:
                    order.append(name)
        out = []
        while len(out) < len(order):
            for name in order:
                if name not in out and not (before[name] - set(out)
                                            & set(order) - {name}):
                    out.append(name)
                    break
            else:
                out += [name for name in order if name not in out]
        return out

    def write(self, path=(), name="", indent=1):
        """Lines below a module; (indent, condition, text) each."""
        out = []
        for child in self.merged(path):
            below = path + (child,)
            label = f"{name}.{child}" if name else child
            if below in self.rows:
                condition, text = self.leaf(below, label)
                if below in self.blocks and text.startswith("use"):
                    text += ""
                out.append((indent, condition, text))
            elif below in self.repeated:
                out += self.write_list(below, label, indent)
            elif below in self.blocks and "#" not in below:
                out.append((indent, None, f"module {label} block"))
                out += self.write(below, "", indent + 1)
            else:
                out += self.write(below, label, indent)
        if path == () or path[-1] == "#":
            out += self.write_ties(path, indent)
        return out

    def write_list(self, path, label, indent):
        lengths = self.lengths[path]
        count = self.size(path, lengths, "length")
        item = path + ("#",)
        condition = self.condition(path, lengths)
        has_inner_block = any(block[:len(item)] == item and block != item
                              for block in self.blocks)
        is_inside = any(item[:len(block)] == block and block != item
                        for block in self.blocks) or "#" in path
        flag = "" if has_inner_block or is_inside else " layer"
        if item in self.blocks and "#" not in path:
            flag = " layer"
        head = f"list {label} [{count}]{flag}"
        body = self.write(item, "", indent + 1)
        if flag:
            body += self.write_state(path, indent + 1)
        return [(indent, condition, head)] + body

    def write_state(self, path, indent):
        """Lines of what the layers of this list keep, if it is the one."""
        if "encoder" in path or self.tree.class_name.endswith("Encoder") or \
                self.family.has_state:
            return []
        rows = {}
        has_cache = False
        for (at, index), length in self.lengths[path].items():
            cache = self.tree.instances[at].sample.cache
            if cache is None:
                continue
            if not cache:  # this one keeps nothing
                cache = [{"key": 0, "value": 0, "window": 0}] * length
            elif len(cache) != length:
                return []
            else:
                has_cache = True
            for layer, row in enumerate(cache):
                rows[(at, index + (layer,))] = row
        if not has_cache:
            return []
        if len({at for at, _ in rows}) < 8:
            self.family.problems.append(
                f"state of {len({at for at, _ in rows})} samples alone")
        self.family.has_state = True
        out = []
        item = path + ("#",)
        names = sorted({name for row in rows.values() for name in row})
        kept = {p for p, row in rows.items() if row["key"] or row["value"]}
        if kept:
            sizes = [self.state_size(item, {p: rows[p][name] for p in kept},
                                     name) for name in ("key", "value")]
            sizes.append(self.size(item, {p: rows[p]["window"] for p in kept},
                                   "window"))
            if sizes[2] == "0":
                sizes.pop()
            out.append((indent, self.state_condition(item, kept, rows),
                        f"cache [{', '.join(sizes)}]"))
        crossing = {p for p, row in rows.items() if row.get("cross_key")}
        if crossing:
            sizes = [self.state_size(item, {p: rows[p][name] for p in crossing},
                                     name)
                     for name in ("cross_key", "cross_value")]
            out.append((indent, self.state_condition(item, crossing, rows),
                        f"cross [{', '.join(sizes)}]"))
        for name in names:
            if "." not in name:
                continue
            there = {p for p, row in rows.items() if name in row}
            if name.startswith("token."):
                size = self.state_size(item, {p: rows[p][name]
                                              for p in there}, name)
                out.append((indent, self.state_condition(item, there, rows),
                            f"indexer [{size}]"))
                continue
            size = self.size(item, {p: rows[p][name][0] for p in there}, name)
            dtypes = {rows[p][name][1] for p in there}
            if len(dtypes) > 1:
                self.family.problems.append(f"{name}: {dtypes}")
            own = dtype_name(next(iter(dtypes)))
            out.append((indent, self.state_condition(item, there, rows),
                        f"fixed [{size}] {own}".rstrip()))
        return out

    def state_size(self, item, rows, name):
        """What is kept of a token is what a projection gives: such a rule
        goes before one that few samples of the state would allow."""
        for _, text in sorted(self.pool):
            try:
                self.check(text, rows)
            except Unsolved:
                continue
            self.family.use_names(text)
            return text
        return self.size(item, rows, name)

    def state_condition(self, item, there, rows):
        if len(there) == len(rows):
            return None
        places = sorted(rows)
        try:
            text = self._solver(ConditionSolver, places).solve(
                [place in there for place in places])
        except Unsolved:
            self.family.problems.append(f"{'.'.join(item)}: state: no "
                                        "condition")
            return "UNSOLVED"
        self.family.use_names(text)
        return text

    def write_ties(self, path, indent):
        out = []
        for (name, owner), present in sorted(self.ties.items()):
            if self.place_of(name) != path:
                continue
            if self.place_of(owner) not in ((), path):
                self.family.problems.append(f"tie {name} {owner}")
                continue
            if path and self.place_of(owner) == ():
                self.family.problems.append(f"tie across {name} {owner}")
                continue
            condition = self.condition(name, present)
            text = f"tie {'.'.join(name[len(path):])} " \
                   f"{'.'.join(owner[len(path):])}"
            out.append((indent, condition, text))
        return out


def layout(lines):
    """Text of lines: neighbours with one condition share a `when`."""
    out = []
    at = 0
    while at < len(lines):
        indent, condition, text = lines[at]
        end = at + 1
        while end < len(lines) and lines[end][0] > indent:
            end += 1
        if condition is None:
            out.append((indent, text))
            inner = lines[at + 1:end]
            out += layout(inner)
            at = end
            continue
        last, count = end, 1
        while last < len(lines) and lines[last][0] == indent and \
                lines[last][1] == condition:
            last += 1
            count += 1
            while last < len(lines) and lines[last][0] > indent:
                last += 1
        if count == 1:
            head = f"{text} if {condition}"
            out.append((indent, head))
            out += layout(lines[at + 1:end])
            at = end
            continue
        out.append((indent, f"when {condition}"))
        group = [(depth + 1, None if depth == indent else cond, body)
                 for depth, cond, body in lines[at:last]]
        out += layout(group)
        at = last
    return out
