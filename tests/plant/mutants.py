# SPDX-License-Identifier: BSD-2-Clause
"""Find the small changes that a C source allows, and write it with all of them asleep.

A mutant is one change that compiles: `<` for `<=`, one half of `a && b`, a condition turned round, a statement left out, a
number one larger. In the written source each asks mutant_awake(N) (mutant.h); lines stay where they are.
"""
from __future__ import annotations

import dataclasses
import pathlib
import re
import typing

from clang import cindex
from clang.cindex import CursorKind as K

SWAP = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "+": "-", "-": "+", "*": "+", "/": "*"}
QUIET = re.compile(r"free$|^log_|^memset$|^assert|_free$|^va_|^ldns_.*free")  # left out, no test of behaviour can see it
TURNED = {"true": "false", "false": "true"}


@dataclasses.dataclass
class Mutant:
    """A change of the text from `start` to `end`: `before` and `after` go round it, with N for the mutant's number."""
    start: int
    end: int
    before: str
    after: str
    line: int
    what: str
    other: str  # what stands there if it is awake


def bare(c: typing.Any) -> typing.Any:
    """An expression without the parentheses and conversions round it."""
    while c.kind in (K.PAREN_EXPR, K.UNEXPOSED_EXPR) and len(list(c.get_children())) == 1:
        c = next(c.get_children())
    return c


class Finder:
    def __init__(self, path: pathlib.Path, args: list[typing.Any]) -> None:
        self.text = path.read_bytes()
        unit = parse(path, args)
        self.mutants: list[typing.Any] = []
        self.here = str(path)
        top = [c for c in unit.cursor.get_children() if c.location.file and c.location.file.name == self.here]
        self.macros = [self.extent(c) for c in top if c.kind == K.MACRO_INSTANTIATION]
        for c in top:
            if c.kind == K.FUNCTION_DECL and c.is_definition():
                self.function(c)

    def extent(self, c: typing.Any) -> tuple[typing.Any, typing.Any]:
        return c.extent.start.offset, c.extent.end.offset

    def says(self, c: typing.Any) -> str:
        start, end = self.extent(c)
        return self.text[start:end].decode(errors="replace")

    def is_plain(self, start: typing.Any, end: typing.Any) -> bool:
        """Whether the text is as the compiler reads it: no part of a macro, no line for the preprocessor."""
        if start >= end or re.search(rb"\n\s*#|//", self.text[start:end]):
            return False
        return all(e <= start or end <= s or (start <= s and e <= end and (s, e) != (start, end)) for s, e in self.macros)

    def add(self, c: typing.Any, before: str, after: str, what: str, other: str) -> None:
        start, end = self.extent(c)
        if self.is_plain(start, end):
            self.mutants.append(Mutant(start, end, before.replace("\n", " "), after, c.extent.start.line, what, other))

    def instead(self, c: typing.Any, other: str, what: str | None = None) -> None:
        self.add(c, f"(mutant_awake(N) ? ({other}) : (", "))", what or f"{self.says(c)} -> {other}", other)

    def function(self, c: typing.Any) -> None:
        body = [x for x in c.get_children() if x.kind == K.COMPOUND_STMT]
        if body:
            self.is_bool = c.result_type.get_canonical().kind == cindex.TypeKind.BOOL
            parts = list(body[0].get_children())
            self.last = parts[-1] if parts else None
            self.block(body[0])

    def block(self, c: typing.Any) -> None:
        for x in c.get_children():
            self.statement(x)

    def statement(self, c: typing.Any) -> None:
        """A statement that could be left out."""
        if c.kind == K.CALL_EXPR and not QUIET.search(c.spelling or "free"):
            self.leave_out(c)
        elif c.kind in (K.COMPOUND_ASSIGNMENT_OPERATOR, K.UNARY_OPERATOR, K.BREAK_STMT, K.CONTINUE_STMT, K.GOTO_STMT):
            self.leave_out(c)
        elif c.kind == K.BINARY_OPERATOR and self.operator(c) == "=":
            self.leave_out(c)
        elif c.kind == K.RETURN_STMT and c != self.last:
            self.leave_out(c)
        self.inside(c)

    def leave_out(self, c: typing.Any) -> None:
        self.add(c, "if (mutant_awake(N)) {} else ", "", f"without: {self.says(c)}", "")

    def inside(self, c: typing.Any) -> typing.Any:
        parts = list(c.get_children())
        if c.kind in (K.COMPOUND_STMT, K.LABEL_STMT, K.DEFAULT_STMT):
            return self.block(c)
        if c.kind == K.CASE_STMT:
            return self.statement(parts[-1])
        if c.kind == K.IF_STMT:
            self.condition(parts[0])
            for x in parts[1:]:
                self.statement(x)
            return None
        if c.kind in (K.WHILE_STMT, K.FOR_STMT, K.SWITCH_STMT) and parts:
            for x in parts[:-1]:
                self.expression(x)
            return self.statement(parts[-1])
        if c.kind == K.DO_STMT:
            self.statement(parts[0])
            return self.expression(parts[1])
        return self.expression(c)

    def condition(self, c: typing.Any) -> None:
        """What decides: turned round, if it is no comparison, which has a change of its own."""
        if bare(c).kind != K.BINARY_OPERATOR:
            self.instead(c, f"!({self.says(c)})")
        self.expression(c)

    def expression(self, c: typing.Any) -> typing.Any:
        parts = list(c.get_children())
        if c.kind == K.CXX_UNARY_EXPR or (c.kind == K.VAR_DECL and c.storage_class == cindex.StorageClass.STATIC):
            return
        if c.kind == K.VAR_DECL and parts and c.type.kind in (cindex.TypeKind.CONSTANTARRAY, cindex.TypeKind.VARIABLEARRAY):
            parts = [x for x in parts if x.kind == K.INIT_LIST_EXPR]
        if c.kind == K.BINARY_OPERATOR and len(parts) == 2:
            self.binary(c, *parts)
        elif c.kind == K.RETURN_STMT and parts:
            self.returned(parts[0])
        elif c.kind == K.CONDITIONAL_OPERATOR:
            self.condition(parts[0])
            parts = parts[1:]
        if c.kind in (K.COMPOUND_STMT, K.IF_STMT, K.FOR_STMT, K.WHILE_STMT):
            return self.inside(c)
        for x in parts:
            self.expression(x)

    def operator(self, c: typing.Any) -> str:
        parts = list(c.get_children())
        if len(parts) != 2:
            return ""
        return self.text[self.extent(parts[0])[1]:self.extent(parts[1])[0]].decode(errors="replace").strip()

    def binary(self, c: typing.Any, left: typing.Any, right: typing.Any) -> None:
        word, a, b = self.operator(c), self.says(left), self.says(right)
        if not (self.is_plain(*self.extent(c)) and a and b):
            return
        if word in ("&&", "||"):
            self.instead(c, f"!!({a})", f"{a} {word} {b} -> {a}")
            if self.operator(bare(left)) != word:
                self.instead(c, f"!!({b})", f"{a} {word} {b} -> {b}")
        elif word in SWAP:
            self.instead(c, f"{a} {SWAP[word]} {b}")
            for part in left, right:
                if part.kind == K.INTEGER_LITERAL and self.says(part).strip("0").isdigit():
                    self.instead(part, f"{self.says(part)} + 1")
        elif word == "=" and b in TURNED:
            self.turn(right, b)

    def turn(self, c: typing.Any, says: str) -> None:
        """true and false are macros: they are their own text."""
        start, end = self.extent(c)
        if (start, end) in self.macros:
            line = c.extent.start.line
            self.mutants.append(Mutant(start, end, f"(mutant_awake(N) ? {TURNED[says]} : ", ")", line, f"{says} -> {TURNED[says]}",
                                       TURNED[says]))

    def returned(self, c: typing.Any) -> None:
        says = self.says(c)
        if says in TURNED:
            self.turn(c, says)
        elif says.isdigit():
            self.instead(c, f"{says} + 1")
        elif self.is_bool and bare(c).kind != K.BINARY_OPERATOR:
            self.instead(c, f"!({says})")


def parse(path: pathlib.Path, args: list[str]) -> typing.Any:
    unit = cindex.Index.create().parse(str(path), args, options=cindex.TranslationUnit.PARSE_DETAILED_PROCESSING_RECORD)
    worst = [d for d in unit.diagnostics if d.severity >= cindex.Diagnostic.Error]
    if worst:
        raise ValueError(f"{path}: {worst[0]}")
    return unit


def as_copy(text: bytes, functions: list[typing.Any], old: bytes, new: bytes) -> Mutant | None:
    """
    A bug of a list as a mutant: a copy of its function with the bug stands before it, on one line, and is called if it is awake.
    None: it lies in no function of @functions, or in one that cannot be copied so.
    """
    at = text.find(old)
    for c in functions:
        start, end = c.extent.start.offset, c.extent.end.offset
        body = [x for x in c.get_children() if x.kind == K.COMPOUND_STMT]
        if not (body and start <= at and at + len(old.rstrip(b"\n")) <= end):
            continue
        if re.search(rb"\n\s*#|//", text[start:end]) or c.type.get_canonical().is_function_variadic():
            return None
        name, place, brace = c.spelling.encode(), c.location.offset, body[0].extent.start.offset
        copy = text[start:place] + name + b"__bug@N@" + text[place + len(name):brace] + text[brace:end].replace(old.rstrip(b"\n"), new.rstrip(b"\n"))
        call = f"{c.spelling}__bug@N@({', '.join(a.spelling for a in c.get_arguments())}); "
        is_void = c.result_type.get_canonical().kind == cindex.TypeKind.VOID
        call = "if (mutant_awake(@N@)) { " + (call + "return; } " if is_void else f"return {call}}} ")
        return Mutant(start, brace + 1, copy.decode().replace("\n", " ") + " ", " " + call, c.extent.start.line, f"{c.spelling}: {old.decode()}", "")
    return None


def change(text: bytes, m: Mutant) -> tuple[str, str]:
    """The whole lines that a mutant changes, as many as it takes to stand in @text once, and what takes their place."""
    begin, end = text.rfind(b"\n", 0, m.start) + 1, text.find(b"\n", m.end)
    while text.count(text[begin:end]) != 1:
        begin, end = text.rfind(b"\n", 0, max(begin - 1, 0)) + 1, text.find(b"\n", end + 1)
    old = text[begin:end]
    return old.decode(), (old[:m.start - begin] + m.other.encode() + old[m.end - begin:]).decode()


def write_asleep(text: str, mutants: typing.Any, first: typing.Any) -> bytes:
    """The source @text (bytes) with all of @mutants in it, None for one to leave out, the first numbered @first."""
    marks = []
    for i, m in enumerate(mutants):
        if not m:
            continue  # it did not compile
        number = str(first + i)
        is_copy = "__bug@N@" in m.before
        before = m.before.replace("@N@", number) if is_copy else m.before.replace("N)", number + ")", 1)
        marks.append((m.start, 1, -m.end, i, before))
        marks.append((m.end, 0, -m.start, -i, m.after.replace("@N@", number)))
    out, at = [], 0
    for where, _, _, _, what in sorted(marks):
        out += [text[at:where], what.encode()]
        at = where
    return b"".join(out + [text[at:]])
