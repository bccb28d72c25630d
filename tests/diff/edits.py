# SPDX-License-Identifier: BSD-2-Clause
"""Edits of objects in texts of many styles: all other bytes stay, and the document says what was asked for.

    edits.py [SEED ...] [--edits N] [--all] [--show]

The texts are those of tests/diff/edits, written by hand in as many ways as people have, and as many that are generated. Each
edit is made by the engine (edit_tool.c) and judged here by a reader of its own: what the new text says must be what the old one
said, changed as JSON would be (RFC 7396); what is not of the edited settings must be there byte by byte and in its order. A refusal
must be one of those that have a name, its reason must be there, and at most 1 % may be refused. --all makes 10,000 edits.
"""
from __future__ import annotations

import argparse
import copy
import ipaddress
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import typing

HERE = pathlib.Path(__file__).resolve().parent
ROOT = "weir.conf"
TOKEN = re.compile(r'(?P<blank>[ \t\r\n]+)|(?P<comment>#[^\n]*|//[^\n]*|/\*.*?\*/)|(?P<include>@include[ \t\r]*"(?P<file>[^"\n]*)"[^\n]*)'
                   r'|(?P<text>"(?:[^"\\\n]|\\.)*")|(?P<int>[-+]?[0-9]+)|(?P<word>[A-Za-z][A-Za-z0-9_-]*)|(?P<mark>[{}\[\]()=:,;])', re.DOTALL)
ESCAPE = re.compile(r'\\(x[0-9a-fA-F]{2}|.)')
LETTERS = {"n": "\n", "t": "\t", "r": "\r", "f": "\f"}
SHARE_REFUSED = 0.01

Json = typing.Any
Files = dict[str, str]


class Wrong(Exception):
    """What the engine gave is not what was asked for."""


class Token(typing.NamedTuple):
    source: int  # which reading of which file
    begin: int
    end: int
    kind: str
    text: str


class Node:
    """A value: its kind, what it holds, and its tokens."""

    def __init__(self, kind: str, name: str | None, first: int) -> None:
        self.kind, self.name, self.first, self.last = kind, name, first, first
        self.separator: int | None = None
        self.children: list[Node] = []
        self.value: Json = None

    def child(self, name: str) -> Node | None:
        return next((c for c in self.children if c.name == name), None)

    def json(self) -> Json:
        """As JSON, in the text's own form."""
        if self.kind == "{":
            return {c.name: c.json() for c in self.children}
        return [c.json() for c in self.children] if self.kind == "(" else self.value


class Document:
    """The files of a configuration, read by the grammar of docs/configuration.md."""

    def __init__(self, files: Files) -> None:
        self.files, self.tokens = files, list[Token]()
        self.names, self.comments = list[str](), list[Token]()
        self._scan(ROOT)
        self.at = 0
        self.top = Node("{", None, 0)
        self._settings(self.top, "")

    def _scan(self, name: str) -> None:
        source, text, at = len(self.names), self.files[name], 0
        self.names.append(name)
        while at < len(text):
            m = TOKEN.match(text, at)
            if not m:
                raise Wrong(f"{name}: nothing can be read at {text[at:at + 20]!r}")
            kind = "include" if m.group("include") else str(m.lastgroup)
            at = m.end()
            if kind == "include":
                self._scan(m.group("file"))
            elif kind != "blank":
                (self.comments if kind == "comment" else self.tokens).append(Token(source, m.start(), m.end(), kind, m.group()))

    def peek(self) -> str:
        return self.tokens[self.at].text if self.at < len(self.tokens) else ""

    def _settings(self, group: Node, close: str) -> None:
        while self.peek() != close:
            token = self.tokens[self.at]
            if token.kind != "word" or token.text in {c.name for c in group.children}:
                raise Wrong(f"found {token.text!r}, expected the name of a setting")
            first = self.at
            self.at += 1
            if self.peek() not in ("=", ":"):
                raise Wrong(f"no = behind {token.text}")
            self.at += 1
            group.children.append(self._value(token.text, first))
            if self.peek() in (",", ";"):
                group.children[-1].separator = self.at
                self.at += 1

    def _value(self, name: str | None, first: int) -> Node:
        token = self.tokens[self.at]
        self.at += 1
        node = Node({"[": "("}.get(token.text, token.text) if token.kind == "mark" else token.kind, name, first)
        if token.kind == "text":
            node.value = unquoted(token.text)
            while self.at < len(self.tokens) and self.tokens[self.at].kind == "text":
                node.value += unquoted(self.peek())
                self.at += 1
        elif token.kind == "int":
            node.value = int(token.text)
        elif token.kind == "word" and token.text.lower() in ("true", "false"):
            node.kind, node.value = "bool", token.text.lower() == "true"
        elif token.text == "{":
            self._settings(node, "}")
            self.at += 1
        elif token.text in ("(", "["):
            self._elements(node, ")" if token.text == "(" else "]")
        else:
            raise Wrong(f"found {token.text!r}, expected a value")
        node.last = self.at - 1
        return node

    def _elements(self, node: Node, close: str) -> None:
        while self.peek() != close:
            node.children.append(self._value(None, self.at))
            if self.peek() == ",":
                node.children[-1].separator = self.at
                self.at += 1
                if self.peek() == close:
                    raise Wrong("a comma before the end of a list")
            elif self.peek() != close:
                raise Wrong("no comma between elements")
        self.at += 1


def unquoted(text: str) -> str:
    return ESCAPE.sub(lambda m: chr(int(m.group(1)[1:], 16)) if m.group(1)[0] == "x" else LETTERS.get(m.group(1), m.group(1)), text[1:-1])


# What may be edited, written down from docs/configuration.md: the type of each setting, its default (None: it has none), and
# whether it is required ("!").
DURATION, LONG, PERCENT, RATE, BITS = "duration", "long", "percent", "rate", "bits"
SCHEMA: dict[str, dict[str, tuple[str, Json, str]]] = {
    "sites": {"name": ("name", None, "!"), "weight": ("int", 100, ""), "labels": ("labels", None, ""), "capacity": ("capacity", None, "")},
    "labels": {"region": ("name", None, "")},
    "capacity": {"new_flows": (RATE, None, ""), "bits": (BITS, None, "")},
    "nodes": {"name": ("name", None, "!"), "site": ("name", None, "!"), "driver": ("auto|xdp|dpdk", "auto", ""), "ports": ("*ports", None, "!"),
              "tunnel_source": ("prefixes", None, "!"), "mtu": ("mtu", 1500, ""), "dns_listen": ("addresses", [], ""), "api": ("url", "", ""),
              "controls": ("addresses", [], ""), "clock": ("synchronised|trusted", "synchronised", "")},
    "ports": {"interface": ("name", None, "!"), "device": ("text", "", "")},
    "checks": {"name": ("name", None, "!"), "type": ("tcp|http", None, "!"), "port": ("int", 0, ""), "path": ("text", "/", ""),
               "host": ("text", "", ""), "expect": ("code", 200, ""), "via": ("direct|tunnel", "direct", ""), "interval": (DURATION, "1s", ""),
               "fast_interval": (DURATION, "200ms", ""), "timeout": (DURATION, "500ms", ""), "rise": ("small", 2, ""), "fall": ("small", 3, "")},
    "pools": {"name": ("name", None, "!"), "site": ("name", None, "!"), "check": ("name", None, ""), "mode": ("ipip|gue|l2", "ipip", ""),
              "agent": ("bool", False, ""), "max_backends": ("count", 100, ""), "min_healthy": (PERCENT, "50%", ""), "max_remove": (PERCENT, "50%", ""),
              "settle_time": (LONG, "15m", ""), "idle_time": (LONG, "5m", ""), "backends": ("*backends", None, "!")},
    "backends": {"name": ("name", None, "!"), "address": ("address", None, "!"), "port": ("int", 0, ""), "weight": ("int", 100, "")},
    "vips": {"name": ("name", None, "!"), "sites": ("names", None, ""), "addresses": ("addresses", None, "!"), "announce_when": ("any|all", "any", "")},
    "services": {"name": ("name", None, "!"), "protocol": ("tcp|udp", None, "!"), "port": ("port", None, "!"), "hash": ("flow|source", "flow", ""),
                 "vip_check": ("name", None, ""), "on_all_down": ("last_good|fail_closed", "last_good", ""), "udp_idle": (LONG, "30s", ""),
                 "at": ("*at", None, "!")},
    "at": {"site": ("name", None, "!"), "vip": ("name", None, "!"), "pool": ("name", None, "!"), "weight": ("int", None, ""), "backup": ("name", None, "")},
    "dns/zones": {"name": ("domain", None, "!"), "file": ("text", None, "!")},
    "dns/names": {"name": ("domain", None, "!"), "service": ("name", None, "!"), "policy": ("weighted|failover", "weighted", ""), "ttl": ("ttl", None, "")},
    "ttl": {"min": (LONG, "5s", ""), "max": (LONG, "60s", "")},
}
GROUPS = ("labels", "capacity", "ttl")
LISTS = ("names", "addresses", "prefixes")
UNITS = {"ms": 1, "s": 1000, "m": 60000, "h": 3600000, "d": 86400000, "%": 1, "/s": 1, "k/s": 10**3, "M/s": 10**6, "G/s": 10**9,
         "bit": 1, "kbit": 10**3, "Mbit": 10**6, "Gbit": 10**9, "Tbit": 10**12}
ORDERED = ("at", "ports")  # lists of groups whose order says something
PARENT = {"backends": "pools", "at": "services"}
TOPS = ["sites", "nodes", "checks", "pools", "vips", "services", "dns/zones", "dns/names"]
REFERENCES = {"sites": ["site", "sites"], "checks": ["check", "vip_check"], "pools": ["pool", "backup"], "vips": ["vip", "vips"], "services": ["service"]}


def key_of(kind: str) -> str:
    return next(iter(SCHEMA[kind]))


def quantity(text: str) -> int:
    m = re.fullmatch(r"([0-9]+)(?:\.([0-9]+))?(.*)", text)
    if not m:
        raise Wrong(f"{text} is no quantity")
    whole, part, unit = m.group(1), m.group(2) or "", UNITS[m.group(3)]
    return int(whole + part) * unit // 10 ** len(part)


def canonical(type_: str, value: Json) -> Json:
    """A value in one form for all ways to write it."""
    if type_ in (DURATION, LONG, PERCENT, RATE, BITS):
        return quantity(value)
    if type_ == "address":
        return str(ipaddress.ip_address(value))
    if type_ == "domain":
        return value.lower().removesuffix(".")
    if type_ == "addresses":
        return [canonical("address", v) for v in value]
    if type_ == "names":
        return sorted(value)
    if type_ == "prefixes":
        return sorted(str(ipaddress.ip_network(v)) for v in value)
    return value


def default_of(kind: str, name: str, of: Json, weights: dict[str, int]) -> Json:
    """What is in force where NAME is not given; None: nothing is."""
    default = SCHEMA[kind][name][1]
    if kind == "checks" and name in ("fast_interval", "timeout"):
        return min((default, of.get("interval", "1s")), key=quantity)
    if kind == "at" and name == "weight":
        return weights.get(of.get("site"), 100)
    return default


def by_key(kind: str, elements: list[Json]) -> list[Json]:
    return sorted(elements, key=lambda e: str(e[key_of(kind)]))


def meaning(kind: str, of: Json, weights: dict[str, int]) -> Json:
    """An object, one of its groups, or an element of its lists, with all that is in force in one form."""
    given = dict(of)
    if kind == "vips" and "site" in given:
        given.setdefault("sites", [given.pop("site")])
    out: dict[str, Json] = {}
    for name, (type_, _, _) in SCHEMA[kind].items():
        value = given.pop(name, None)
        if type_ in GROUPS:
            out[name] = meaning(type_, value or {}, weights)
        elif type_[0] == "*":
            elements = [meaning(type_[1:], v, weights) for v in value or []]
            out[name] = elements if type_[1:] in ORDERED else by_key(type_[1:], elements)
        else:
            value = default_of(kind, name, of, weights) if value is None else value
            out[name] = None if value is None else canonical(type_, value)
    return {**out, **given}  # and what is not in the table, as it is


def list_in(tree: Json, kind: str) -> Json:
    for part in kind.split("/"):
        tree = tree.get(part, {}) if isinstance(tree, dict) else {}
    return tree if isinstance(tree, list) else []


def same_name(kind: str, a: str, b: str) -> bool:
    return canonical(SCHEMA[kind][key_of(kind)][0], a) == canonical(SCHEMA[kind][key_of(kind)][0], b)


def find_in(elements: Json, kind: str, name: str) -> Json:
    return next((e for e in elements if same_name(kind, e[key_of(kind)], name)), None)


class Edit(typing.NamedTuple):
    how: str
    kind: str  # of SCHEMA
    around: str  # the name of the object around it, or ""
    name: str
    value: Json

    @property
    def path(self) -> str:
        return f"{PARENT[self.kind]}/{self.around}/{self.kind}/{self.name}" if self.around else f"{self.kind}/{self.name}"

    def request(self) -> Json:
        request = {"how": self.how, "create": "in_any_case", "path": self.path}
        return {**request, "value": self.value} if self.how != "delete" else request


def merged(kind: str, old: Json, patch: Json) -> Json:
    """RFC 7396."""
    out = dict(old)
    for name, value in patch.items():
        if kind == "vips" and name in ("site", "sites"):
            out.pop("sites" if name == "site" else "site", None)
        if value is None:
            out.pop(name, None)
        elif isinstance(value, dict):
            out[name] = merged(SCHEMA[kind][name][0], out.get(name, {}), value)
        else:
            out[name] = value
    return out


def asked_for(tree: Json, edits: list[Edit]) -> Json:
    """What the document says afterwards."""
    tree = copy.deepcopy(tree)
    for e in edits:
        around = find_in(list_in(tree, PARENT[e.kind]), PARENT[e.kind], e.around) if e.around else tree
        parts = e.kind.split("/")
        for part in parts[:-1]:
            around = around.setdefault(part, {})
        elements = around.setdefault(parts[-1], [])
        old = find_in(elements, e.kind, e.name)
        if e.how == "delete":
            elements.remove(old)
            continue
        new = {key_of(e.kind): e.name, **(merged(e.kind, old, e.value) if e.how == "patch" else e.value)}
        if old is None:
            elements.append(new)
        else:
            elements[elements.index(old)] = new
    return tree


def whole_meaning(tree: Json) -> Json:
    weights = {s["name"]: s.get("weight", 100) for s in list_in(tree, "sites")}
    out = {kind: by_key(kind, [meaning(kind, e, weights) for e in list_in(tree, kind)]) for kind in TOPS}
    rest = {k: v for k, v in tree.items() if k not in TOPS and k != "dns"}
    return {**out, "": rest, "dns": {k: v for k, v in tree.get("dns", {}).items() if k not in ("zones", "names")}}


# The bytes. What is of an edited object, by the tokens of the old text.

def value_of(node: Node, name: str) -> str:
    child = node.child(name)
    return child.value if child else ""


def node_of(document: Document, e: Edit) -> Node | None:
    node: Node | None = document.top
    for kind, name in ([(PARENT[e.kind], e.around)] if e.around else []) + [(e.kind, e.name)]:
        for part in kind.split("/"):
            node = node.child(part) if node else None
        key = key_of(kind)
        node = next((c for c in node.children if same_name(kind, value_of(c, key), name)), None) if node else None
    return node


def differing(kind: str, node: Node, old: Json, new: Json) -> typing.Iterator[Node]:
    """The nodes of settings whose value is another one, as deep as they can be told apart."""
    for c in node.children:
        name = typing.cast(str, c.name)
        a, b = old.get(name), new.get(name)
        type_ = SCHEMA[kind].get(name, ("", None, ""))[0]
        if a == b:
            continue
        if type_ in GROUPS and isinstance(b, dict):
            yield from differing(type_, c, a, b)
        elif type_ and type_[0] == "*" and b is not None:
            moved = type_[1:] in ORDERED and [e[key_of(type_[1:])] for e in a] != [e[key_of(type_[1:])] for e in b][:len(a)]
            for element in c.children:
                was = element.json()
                now = find_in(b, type_[1:], was[key_of(type_[1:])])
                if now is None or moved:
                    yield element
                elif now != was:
                    yield from differing(type_[1:], element, was, now)
        elif type_ in LISTS and b is not None:
            yield from c.children
        else:
            yield c


def list_node(document: Document, e: Edit) -> Node:
    """The list of E's kind, or as much of the way there as the text has."""
    node = node_of(document, Edit("", PARENT[e.kind], "", e.around, None)) if e.around else document.top
    for part in e.kind.split("/"):
        node = (node and node.child(part)) or node
    assert node
    return node


def brackets_of(node: Node) -> set[int]:
    """Those of an empty list: between [ and ] there are no groups."""
    return {node.last - 1, node.last} if node.kind == "(" and not node.children else set()


def touched_tokens(document: Document, edits: list[Edit], after: Json) -> set[int]:
    """Ordinals of the tokens of the old text that edits may change."""
    out = set[int]()
    for e in edits:
        node = node_of(document, e)
        if not node:
            out |= brackets_of(list_node(document, e))
            continue
        around = find_in(list_in(after, PARENT[e.kind]), PARENT[e.kind], e.around) if e.around else after
        new = find_in(list_in(around or {}, e.kind), e.kind, e.name)
        for one in [node] if new is None else differing(e.kind, node, node.json(), new):
            out |= set(range(one.first, one.last + 1))
            out |= {i for i in (one.first - 1, one.last + 1) if i < len(document.tokens) and document.tokens[i].text in (",", ";")}
    return out


def stays(document: Document, touched: set[int], source: int) -> list[str]:
    """What must be in the new text in its order: tokens that are not touched, and comments that are not within what is removed."""
    tokens = [(t.begin, t.text, i in touched) for i, t in enumerate(document.tokens) if t.source == source]
    within = [(t.begin, t.end) for t in spans(document, touched, source)]
    comments = [(c.begin, c.text, any(b < c.begin < e for b, e in within)) for c in document.comments if c.source == source]
    return [text for _, text, gone in sorted(tokens + comments) if not gone]


def spans(document: Document, touched: set[int], source: int) -> list[Token]:
    """Runs of touched tokens, as one token each."""
    out: list[Token] = []
    last, new = -2, True
    for i in sorted(touched):
        token = document.tokens[i]
        new |= i != last + 1  # what is included in between is touched as well
        last = i
        if token.source == source:
            if new:
                out.append(token)
            out[-1] = out[-1]._replace(end=token.end)
            new = False
    return out


def is_within(needle: list[str], hay: list[str]) -> str | None:
    """The first of NEEDLE that is not in HAY behind the ones before."""
    at = iter(hay)
    for one in needle:
        if not any(one == other for other in at):
            return one
    return None


def units(text: str) -> list[str]:
    return [m.group() for m in TOKEN.finditer(text) if not m.group("blank")]


def check_bytes(before: Document, after: Files, edits: list[Edit], asked: Json) -> None:
    touched = touched_tokens(before, edits, asked)
    for source, name in enumerate(before.names):
        if name not in after:
            continue
        old, new = before.files[name], after[name]
        lost = is_within(stays(before, touched, source), units(new))
        if lost is not None:
            raise Wrong(f"{name}: {lost!r} is lost, or elsewhere")
        check_region(before, touched, source, old, new, edits)
        if "\n" in old and old.count("\r\n") == old.count("\n") and new.count("\r\n") != new.count("\n"):
            raise Wrong(f"{name}: lines end in two ways")


def check_region(before: Document, touched: set[int], source: int, old: str, new: str, edits: list[Edit]) -> None:
    """Of one edit: what differs lies between the tokens around what it touches, or where the new object or setting comes."""
    if len(edits) > 1:
        return
    tokens = [(i, t) for i, t in enumerate(before.tokens) if t.source == source]
    own = region_of(before, edits[0], touched)
    begin = max([0] + [t.end for i, t in tokens if i < own[0] - 1])
    end = min([len(old)] + [t.begin for i, t in tokens if i > own[1] + 1])
    if not new.startswith(old[:begin]) or not new.endswith(old[end:]) or len(new) < begin + len(old) - end:
        raise Wrong(f"{before.names[source]}: bytes differ that are not from {begin} to {end}")


def region_of(before: Document, e: Edit, touched: set[int]) -> tuple[int, int]:
    """The first and last ordinal of the tokens of the edited object, or of the last one before a new object."""
    node = node_of(before, e)
    if node and e.how != "delete":
        return node.first, node.last
    if node:
        return min(touched), max(touched)
    group = list_node(before, e)
    if group.children:
        return group.children[-1].first, max(group.last, len(before.tokens)) if group is before.top else group.last
    return (group.first, group.last) if group is not before.top else (0, 0)


# The edits.

class Maker:
    """Values and edits from a seed."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def value(self, type_: str, old: Json = None) -> Json:
        r = self.rng
        simple: dict[str, typing.Callable[[], Json]] = {
            "int": lambda: r.choice([0, 1, 7, 99, 100, 1280, 9000]), "port": lambda: r.choice([1, 53, 443, 65535]), "code": lambda: r.choice([200, 204, 301]),
            "small": lambda: r.randrange(1, 9), "bool": lambda: r.random() < 0.5, "name": lambda: r.choice(["x", "new-1", "a.b_c"]),
            "text": lambda: r.choice(["/x", 'quo"te', "back\\slash", "#no comment", "/*", "a b", "\u00e9"]), "url": lambda: "https://[2001:db8::1]:8443",
            "domain": lambda: r.choice(["n.example", "N2.Example"]), "address": lambda: r.choice(["192.0.2.77", "2001:db8::77"]),
            "mtu": lambda: r.choice([1280, 1500, 9000]), "count": lambda: r.choice([1, 100, 10000]),
            DURATION: lambda: r.choice(["1s", "500ms", "0.5s", "1.5s", "200ms", "30s"]), LONG: lambda: r.choice(["1s", "60s", "1m", "5m", "15m", "0.5h"]), PERCENT: lambda: r.choice(["1%", "50%", "100%"]),
            RATE: lambda: r.choice(["50k/s", "7/s", "1M/s"]), BITS: lambda: r.choice(["40Gbit", "1kbit"]),
            "names": lambda: r.sample(["x", "y", "z"], r.randrange(1, 4)), "prefixes": lambda: ["10.9.0.0/16", "fd09::/64"][:r.randrange(1, 3)],
            "addresses": lambda: r.sample(["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:DB8::0:2"], r.randrange(1, 4))}
        if type_ in GROUPS:
            return {n: self.value(t) for n, (t, _, _) in SCHEMA[type_].items() if r.random() < 0.7}
        if type_[0] == "*":
            return self.elements(type_[1:], old or [])
        if "|" in type_:
            return r.choice(type_.split("|"))
        if type_ in LISTS and old and r.random() < 0.7:
            kept = [v for v in old if r.random() < 0.7] or old[:1]
            r.shuffle(kept)
            return (kept + [v for v in simple[type_]() if v not in kept][:1])[:2 if type_ == "prefixes" else 16]
        return simple[type_]()

    def elements(self, kind: str, old: Json) -> Json:
        r, key = self.rng, key_of(kind)
        out = [self.changed(kind, e) if r.random() < 0.3 else e for e in old if r.random() < 0.8]
        while not out or r.random() < 0.4:
            name = f"e{r.randrange(10**6)}"
            out.insert(r.randrange(len(out) + 1), {**self.fresh(kind), key: name})
        if r.random() < 0.3:
            r.shuffle(out)
        return out

    def fresh(self, kind: str) -> Json:
        """A new object without its key."""
        out = {n: self.value(t) for n, (t, _, required) in SCHEMA[kind].items() if n != key_of(kind) and (required or self.rng.random() < 0.3)}
        if kind == "vips":
            out.setdefault("sites", ["x"])
        return out

    def changed(self, kind: str, old: Json) -> Json:
        """An object with one or more settings changed, gone or new."""
        out = dict(old)
        names = [n for n in SCHEMA[kind] if n != key_of(kind)]
        for name in self.rng.sample(names, min(len(names), self.rng.choice([1, 1, 1, 2, 4]))):
            type_, _, required = SCHEMA[kind][name]
            if name in out and not required and self.rng.random() < 0.3:
                del out[name]
            else:
                if kind == "vips" and name == "sites":
                    out.pop("site", None)
                out[name] = self.value(type_, out.get(name))
        return out

    def patch(self, kind: str, old: Json) -> Json:
        new = self.changed(kind, old)
        out = {n: v for n, v in new.items() if v != old.get(n)}
        out.update({n: None for n in old if n not in new and not (kind == "vips" and n == "site" and "sites" in new)})
        for name, value in list(out.items()):
            if isinstance(value, dict) and isinstance(old.get(name), dict) and self.rng.random() < 0.5:
                out[name] = {**{n: None for n in old[name] if n not in value}, **value}
                out[name] = {n: v for n, v in out[name].items()}
        return out

    def edit(self, tree: Json) -> Edit | None:
        r = self.rng
        kind = r.choice(TOPS + ["backends", "at", "pools", "backends"])
        around = ""
        elements = list_in(tree, kind)
        if kind in PARENT:
            parents = list_in(tree, PARENT[kind])
            if not parents:
                return None
            parent = r.choice(parents)
            around, elements = parent["name"], parent.get(kind, [])
        dice = r.random()
        if dice < 0.15 or not elements:
            taken = [canonical(SCHEMA[kind][key_of(kind)][0], e[key_of(kind)]) for e in elements]
            name = next(n for n in ("new", "b-9", "x.1", "zz") if n not in taken)
            return Edit("put", kind, around, name, self.fresh(kind))
        old = r.choice(elements)
        name = canonical(SCHEMA[kind][key_of(kind)][0], old[key_of(kind)])
        if dice < 0.30:
            if len(elements) == 1 and kind in PARENT or is_named(tree, kind, old[key_of(kind)]):
                return None
            return Edit("delete", kind, around, name, None)
        if dice < 0.75:
            return Edit("patch", kind, around, name, self.patch(kind, old))
        return Edit("put", kind, around, name, self.changed(kind, old))


def is_named(tree: Json, kind: str, name: str) -> bool:
    """Whether a reference leads to an object."""
    if isinstance(tree, list):
        return any(is_named(v, kind, name) for v in tree)
    if not isinstance(tree, dict):
        return False
    return any(n in REFERENCES.get(kind, []) and (v == name or isinstance(v, list) and name in v) or is_named(v, kind, name) for n, v in tree.items())


# The texts.

def hand_written(path: pathlib.Path) -> Files:
    """The files of one text: `%% NAME WORD...` begins each, by words lines end with CRLF, are indented by tabs, or the last has no end."""
    files: Files = {}
    for part in path.read_text(encoding="latin-1").split("%% ")[1:]:
        head, body = part.split("\n", 1)
        name, *words = head.split()
        if "tabs" in words:
            body = re.sub(r"(?m)^( {2})+", lambda m: "\t" * (len(m.group()) // 2), body)
        if "open" in words:
            body = body.rstrip("\n")
        if "crlf" in words:
            body = body.replace("\n", "\r\n")
        files[name] = body
    return files


class Style:
    """How a generated text is written."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.newline = rng.choice(["\n", "\n", "\r\n"])
        self.step = rng.choice(["  ", "    ", "\t", " "])
        self.assign = rng.choice([" = ", "=", " : ", ": ", "\t=\t"])
        self.separator = rng.choice([";", ";", ",", "", " ;"])
        self.last = rng.random() < 0.6
        self.lines = rng.random() < 0.5
        self.comments = rng.random() < 0.6
        self.leading = rng.random() < 0.2
        self.inside = rng.choice([" ", "", " "])
        self.brackets = rng.choice(["[]", "()"])

    def comment(self) -> str:
        return self.rng.choice([" /* { x = 1; } */", " /* \" */", ""]) if self.comments and self.rng.random() < 0.15 else ""

    def scalar(self, value: Json) -> str:
        if isinstance(value, bool):
            return self.rng.choice(["true", "TRUE"]) if value else "false"
        if isinstance(value, int):
            return str(value)
        text = json.dumps(value, ensure_ascii=False)
        if len(value) > 3 and "\\" not in text and self.rng.random() < 0.1:
            return f'"{value[:2]}"{self.comment()} "{value[2:]}"'
        return text

    def value(self, value: Json, depth: int) -> str:
        if isinstance(value, dict):
            return self.group(value, depth, self.lines and self.rng.random() < 0.8)
        if not isinstance(value, list):
            return self.scalar(value)
        if value and isinstance(value[0], dict):
            return self.list([self.value(v, depth + 1) for v in value], depth)
        return self.brackets[0] + self.inside + ", ".join(self.scalar(v) + self.comment() for v in value) + self.inside + self.brackets[1]

    def list(self, elements: list[str], depth: int) -> str:
        if not self.lines and self.rng.random() < 0.5:
            return "(" + self.inside + (", " if self.inside else ",").join(elements) + self.inside + ")"
        start = self.newline + self.step * (depth + 1)
        note = f" # {self.rng.randrange(100)} }}" if self.comments else ""
        between = f"{note}{start}, " if self.leading else f",{note}{start}"
        return "(" + start + between.join(elements) + note + self.newline + self.step * depth + ")"

    def group(self, settings: Json, depth: int, lines: bool) -> str:
        start = self.newline + self.step * (depth + 1) if lines else " "
        parts = []
        for i, (name, value) in enumerate(settings.items()):
            end = self.separator if self.last or i + 1 < len(settings) else ""
            parts.append(f"{name}{self.comment()}{self.assign}{self.value(value, depth + 1)}{end}{self.comment() if lines else ''}")
        close = self.newline + self.step * depth if lines else self.inside
        return "{" + (start if lines else self.inside) + start.join(parts) + close + "}"

    def document(self, tree: Json) -> Files:
        files: Files = {}
        parts = []
        for name, value in tree.items():
            text = f"{name}{self.assign}{self.value(value, 0)}{self.separator}"
            if name in ("pools", "checks") and self.rng.random() < 0.2:
                files[f"{name}.conf"] = text + self.newline
                text = f'@include "{name}.conf"'
            parts.append(text)
        return {ROOT: self.newline.join(parts) + (self.newline if self.rng.random() < 0.8 else ""), **files}


def generated(seed: int) -> Files:
    rng = random.Random(f"text {seed}")
    maker, counts = Maker(rng), {k: rng.randrange(0, 5) for k in TOPS}
    tree: Json = {"schema": 1, "cluster": {"name": "c", "hash_key_file": "k", "hash_key_id": "k1"}}
    for kind in TOPS:
        elements = [{key_of(kind): f"{kind[-1]}{i}", **maker.fresh(kind)} for i in range(counts[kind])]
        parts = kind.split("/")
        if elements or rng.random() < 0.3:
            (tree if len(parts) == 1 else tree.setdefault(parts[0], {}))[parts[-1]] = elements
    return Style(rng).document(tree)


# One edit after the other.

class Engine:
    """edit-tool: the engine by its public header."""

    def __init__(self, tool: str) -> None:
        self.process = subprocess.Popen([tool], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, files: Files, edits: list[Edit]) -> Json:
        assert self.process.stdin and self.process.stdout
        print(json.dumps({"root": ROOT, "files": files, "edits": [e.request() for e in edits]}), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise Wrong("the engine died")
        return json.loads(line)


def utf8(value: Json) -> Json:
    """As the text has it: a character a byte."""
    if isinstance(value, dict):
        return {n: utf8(v) for n, v in value.items()}
    if isinstance(value, list):
        return [utf8(v) for v in value]
    return value.encode().decode("latin-1") if isinstance(value, str) else value


def check_refusal(before: Document, answer: Json, tree: Json, edits: list[Edit]) -> None:
    if answer["code"] == "shared-include":
        (file, line), (other, other_line) = answer["positions"]
        lines = [before.files[f].split("\n")[n - 1] for f, n in ((file, line), (other, other_line))]
        if not all("@include" in one for one in lines) or (file, line) == (other, other_line):
            raise Wrong(f"no two includes at {answer['positions']}")
    elif answer["code"] == "referenced":
        e = edits[answer["edit"]]
        if e.how != "delete" or not answer["referents"] or not is_named(asked_for(tree, edits), e.kind, e.name):
            raise Wrong("nothing names what was deleted")
    elif answer["code"] != "not-editable" or not answer["positions"]:
        raise Wrong(f"refused: {answer}")


def check_edits(engine: Engine, files: Files, edits: list[Edit]) -> Json:
    """Make EDITS and judge them. Returns the engine's answer."""
    before = Document(files)
    tree = before.top.json()
    answer = engine(files, edits)
    if "code" in answer:
        check_refusal(before, answer, tree, edits)
        return answer
    if not set(answer["files"]) <= set(before.names):
        raise Wrong("another file came out")
    after = {**files, **answer["files"]}
    asked = asked_for(tree, [e._replace(value=utf8(e.value)) for e in edits])
    said = Document(after).top.json()
    if whole_meaning(said) != whole_meaning(asked):
        raise Wrong("the text says " + first_difference(whole_meaning(said), whole_meaning(asked)))
    check_bytes(before, answer["files"], edits, said)
    if whole_meaning(asked) == whole_meaning(tree) and answer["files"]:
        check_untouched(edits, tree, said)
    return answer


def check_untouched(edits: list[Edit], tree: Json, said: Json) -> None:
    """A text that changes although nothing does: only a setting that now follows what it is derived from may go."""
    if tree != said and not any(e.kind in ("checks", "at", "services") for e in edits):
        raise Wrong("the text changed although all of it was in force")


def first_difference(a: Json, b: Json, path: str = "") -> str:
    if isinstance(a, dict) and isinstance(b, dict):
        for name in {**a, **b}:
            if a.get(name) != b.get(name):
                return first_difference(a.get(name), b.get(name), f"{path}/{name}")
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for i, (x, y) in enumerate(zip(a, b)):
            if x != y:
                return first_difference(x, y, f"{path}/{i}")
    return f"{path}: {a!r}, asked for was {b!r}"


def make_edits(maker: Maker, tree: Json) -> list[Edit]:
    """One edit, or a few of which none rests on another."""
    out: list[Edit] = []
    wanted = maker.rng.choice([1, 1, 1, 1, 3])
    for _ in range(60):
        e = maker.edit(tree)
        if e and not any((o.kind, o.name) == (e.kind, e.name) or o.around == e.name or e.around == o.name or "delete" in (o.how, e.how) for o in out):
            out.append(e)
        if len(out) == wanted:
            break
    return out


def run(engine: Engine, name: str, files: Files, rng: random.Random, n: int, show: bool) -> tuple[int, int, int]:
    """N edits of one text, each of the text as it is. Returns how many were made, refused and wrong, of which the first is the last."""
    maker, refused, made = Maker(rng), 0, 0
    tree = Document(files).top.json()
    for _ in range(n):
        edits = make_edits(maker, tree)
        if not edits:
            continue
        try:
            answer = check_edits(engine, files, edits)
        except Wrong as wrong:
            print(f"{name}: {wrong}\n  edits: {[e.request() for e in edits]}", file=sys.stderr)
            print(json.dumps({"files": files, "edits": [e.request() for e in edits]}) if show else "", file=sys.stderr)
            return made, refused, 1
        made += len(edits)
        refused += "code" in answer
    return made, refused, 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("seeds", nargs="*", type=int)
    parser.add_argument("--edits", type=int, default=6, help="of each text (default 6)")
    parser.add_argument("--all", action="store_true", help="10,000 edits of all")
    parser.add_argument("--show", action="store_true", help="the files of what fails")
    parser.add_argument("--tool", default=os.path.join(os.environ.get("WEIR_BUILD", "build"), "tests/diff/edit-tool"))
    args = parser.parse_args()
    engine, made, refused, wrong = Engine(args.tool), 0, 0, 0
    texts = [(p.name, hand_written(p)) for p in sorted((HERE / "edits").glob("*.txt"))]
    texts += [(f"generated {i}", generated(i)) for i in range(len(texts))]
    for seed in args.seeds or [1]:
        for name, files in texts:
            one = run(engine, name, files, random.Random(f"{seed} {name}"), 40 if args.all else args.edits, args.show)
            made, refused, wrong = made + one[0], refused + one[1], wrong + one[2]
    print(f"edits: {made} of {len(texts)} texts, {refused} refused, {wrong} wrong")
    if wrong:
        raise SystemExit(1)
    if refused > SHARE_REFUSED * made or not made:
        raise SystemExit(f"more than {SHARE_REFUSED:.0%} refused")


if __name__ == "__main__":
    main()
