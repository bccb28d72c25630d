# SPDX-License-Identifier: BSD-2-Clause
"""What the checks read in C sources: code without comments and texts, the texts, and what a file defines.

A scanner, not a parser. It relies on what clang-format and the compilers' warnings already hold: balanced braces, no code
in front of a preprocessor line, prototypes everywhere.
"""
import re
import typing

# A comment, a text, a character: in this order of appearance none of them can hide within another.
PIECE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", re.M | re.S)
NAME = re.compile(r"[A-Za-z_]\w*")
TAG = re.compile(r"\b(struct|union|enum)\s+(\w+)\s*$")
ATTRIBUTE = re.compile(r"__attribute__\s*\(\((?:[^()]|\([^()]*\))*\)\)|\b(?:SEC|alignas|_Alignas)\s*\([^()]*\)")
STATIC = re.compile(r"\b(?:static|[A-Z]+_INLINE)\b")
CALLED = re.compile(r"(\w+)\s*\(")
VARIABLE = re.compile(r"(\w+)\s*(?:\[[^\]]*\]\s*)*$")


class Definition(typing.NamedTuple):
    """One thing that a file defines at its outermost level."""
    kind: str  # struct, function, variable
    name: str
    static: bool
    line: int


def blank(text: str) -> str:
    """As many lines, and nothing on them."""
    return "\n" * text.count("\n")


def code_of(text: str) -> str:
    """A file's code: comments are gone, texts are empty, lines keep their numbers."""
    def replace(piece: re.Match[str]) -> str:
        found = piece.group()
        return blank(found) + " " if found.startswith("/") else found[0] + found[0]
    return PIECE.sub(replace, text)


def texts_of(text: str) -> list[tuple[int, str]]:
    """(line, text) of each text between quotes; neighbours are joined, as the compiler does it."""
    found: list[tuple[int, str]] = []
    end = -1
    for piece in PIECE.finditer(DIRECTIVE.sub(lambda m: keep_texts(m.group()), text)):
        body = piece.group()
        if not body.startswith('"'):
            continue
        between = piece.string[end:piece.start()] if end >= 0 else "x"
        if between.strip(" \t\n\\") == "":
            found[-1] = (found[-1][0], found[-1][1] + body[1:-1])
        else:
            found.append((piece.string.count("\n", 0, piece.start()) + 1, body[1:-1]))
        end = piece.end()
    return found


def keep_texts(directive: str) -> str:
    """An #include names a file, which is no text; a macro's texts are."""
    return blank(directive) if re.match(r"\s*#\s*include", directive) else directive


def comments_of(text: str) -> list[tuple[int, str]]:
    """(line, words) of each line of a comment."""
    found = []
    for piece in PIECE.finditer(text):
        if piece.group().startswith("/"):
            first = text.count("\n", 0, piece.start()) + 1
            found += [(first + n, line) for n, line in enumerate(piece.group().splitlines())]
    return found


def names_of(text: str) -> set[str]:
    """All identifiers of a file, those of its macros too."""
    code = code_of(text)
    return set(NAME.findall(DIRECTIVE.sub(lambda m: keep_texts(m.group()), code)))


def definitions(text: str) -> list[Definition]:
    """What a file defines at its outermost level: functions, variables, and structs with their members."""
    code = DIRECTIVE.sub(lambda m: blank(m.group()), code_of(text))
    found: list[Definition] = []
    depth, begin = 0, 0
    for mark in re.finditer(r"[{};]", code):
        if mark.group() == "{":
            if depth == 0:
                found += opened(code[begin:mark.start()], code.count("\n", 0, mark.start()) + 1)
            depth += 1
        elif mark.group() == "}":
            depth -= 1
        if depth == 0 and mark.group() != "{":
            if mark.group() == ";":
                found += declared(code[begin:mark.start()], code.count("\n", 0, mark.start()) + 1)
            begin = mark.end()
    return found


def opened(head: str, line: int) -> list[Definition]:
    """What an opening brace at the outermost level begins."""
    head = ATTRIBUTE.sub(" ", head)
    tag = TAG.search(head)
    if tag:
        return [Definition("struct", tag.group(2), False, line)] if tag.group(1) == "struct" else []
    if "=" in head:
        return variable(head.split("=")[0], line)
    called = CALLED.search(head)
    return [Definition("function", called.group(1), bool(STATIC.search(head)), line)] if called else []


def declared(statement: str, line: int) -> list[Definition]:
    """What a statement without a block defines: a variable, or nothing."""
    statement = ATTRIBUTE.sub(" ", statement)
    if "{" in statement or re.search(r"\b(?:typedef|extern|_Static_assert)\b", statement):
        return []
    head = statement.split("=")[0]
    return variable(head, line) if "(" not in head else []


def variable(head: str, line: int) -> list[Definition]:
    name = VARIABLE.search(head.strip())
    words = NAME.findall(head)
    if not name or len(words) < 2 or words[-2] in ("struct", "union", "enum"):
        return []
    return [Definition("variable", name.group(1), "static" in words, line)]
