#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Random persons, tokens and gates at a real weir-mgmt: nothing passes a gate unrecorded, and no gate keeps anybody from going back.

A sequence begins with a text that has a few gates (times in which nothing is changed, and gates that ask persons), and goes on with some
thirty acts of random tokens: edits, whole texts and zone files, with and without names of gates that are to be passed, proposals and what
becomes of them, drains, rollbacks, confirmations, changes of the gates themselves. A model that was written from docs/api.md and
docs/handbook.md says of each act for what reasons it is to be refused; without one it has to be done. What was made is read again: its
record names the gates that it passed, or the persons that approved it. At the end the audit log has a line of each change and refusal.

An act depends on the seed alone. Sequence i of a run has seed S + i, which is printed where it fails.

Usage: test_gates_random.py WEIR_MGMT WEIR [--sequences N] [--seed S]
"""
from __future__ import annotations

import collections
import dataclasses
import glob
import hashlib
import http.client
import json
import os
import random
import ssl
import subprocess
import sys
import time
import traceback
import typing

import counted
from api_node import ZONE, Node, config, free_port, wait_for

if typing.TYPE_CHECKING:
    from api_node import Answer

PATCH = "application/merge-patch+json"
PAST, FUTURE = "2020-01-01T00:00:00Z", "2098-01-01T00:00:00Z"
LATER = ["2099-01-01T00:00:00Z", "2099-06-01T00:00:00Z", "never"]  # in the order in which they come
N_ACTS = (24, 32)
Json = dict[str, typing.Any]
Objects = dict[str, Json]  # by their paths


@dataclasses.dataclass(frozen=True)
class Who:
    role: str
    person: str = ""
    scope: str | None = None  # None: all


WHO = {"eve": Who("viewer", "eve"), "olaf": Who("oncall", "olaf"), "ada1": Who("operator", "ada"), "ada2": Who("admin", "Ada"),
       "ada3": Who("operator", "ada"), "bob1": Who("operator", "bob"), "bob2": Who("operator", "BOB"),
       "carol": Who("operator", "carol"), "dora": Who("admin", "dora"),
       "hugo": Who("operator", "hugo"), "noone": Who("operator"), "nobody": Who("admin"), "pools": Who("operator", "fred", "pools:web-*"),
       "north": Who("operator", "gina", "label:region=north,vips:shop-ams"), "chief": Who("admin", "kim", "gates:*,pools:web-ams,sites:ams"),
       "empty": Who("operator", "ivy", "")}
LADDER = ["viewer", "oncall", "operator", "admin"]
AUTHORS = ["ada1"] * 4 + ["bob1"] * 3 + ["carol", "ada2", "dora", "noone", "nobody", "pools", "pools", "north", "chief", "empty", "eve", "olaf"]
ADMINS = ["ada2", "dora", "nobody", "chief"]
APPROVERS = ["bob1", "bob1", "bob1", "bob2", "bob2", "carol", "carol", "dora", "dora", "hugo", "ada1", "ada1", "ada2", "ada3",
             "noone", "nobody", "pools", "eve", "olaf"]
SCOPES = ["pools:web-*", "pools:web-ams", "vips:*", "vips:shop-ams", "label:region=north", "checks:web", "services:web", "dns/names:*",
          "dns/zones:shop.example", "gates:*", "sites:fra", "pools:web-fra"]
ZONE_PATH, LIMITS, COMMENT = "dns/zones/shop.example", "limits", "#"
# Not in the list: what is in no object, and no object's.
FIRST: Objects = {
    "pools/web-ams": {"max_remove": "30%"}, "pools/web-ams/backends/b1": {"weight": 100}, "pools/web-ams/backends/b2": {"weight": 100},
    "pools/web-fra/backends/b1": {"weight": 100}, "sites/ams": {"labels": {"region": "north"}}, "sites/fra": {"labels": {"region": "south"}},
    "vips/shop-ams": {"addresses": ["203.0.113.10"]}, "vips/shop-fra": {"addresses": ["198.51.100.10"]}, "checks/web": {"rise": 2},
    "services/web/at/ams": {"weight": 100}, "dns/names/www.shop.example": {"ttl": {"max": "2s"}}, ZONE_PATH: {"x": 60},
    LIMITS: {"services": 4096}, COMMENT: {"n": 0}}
NEW = "pools/web-ams/backends/b3"
# Of a sequence, at least, in a run of many: less says that the model, or the mix of acts, tests nothing.
LEAST = {"refused by a gate": 1.4, "made with approvals": 0.2, "made by passing gates": 0.3, "made beside gates": 0.6, "rollbacks during gates": 0.2,
         "rollbacks refused by a gate": 0.02,
         "drains during freezes": 0.25, "own approvals refused": 0.3, "approvals repeated": 0.12, "gates changed or removed": 0.15,
         "proposals refused": 0.4, "out of scope": 1.5}
ENOUGH = 30  # sequences, from which on LEAST is asked for


class Wrong(Exception):
    """weir-mgmt did what the model forbids, or did not what it asks for."""


def hold(condition: object, text: object) -> None:
    if not condition:
        raise Wrong(text)


def principal(name: str) -> str:
    return f"token:{name} ({WHO[name].person})" if WHO[name].person else f"token:{name}"


def token_line(name: str) -> str:
    who = WHO[name]
    words = [f"person={who.person}"] * bool(who.person) + [f"scope={who.scope}"] * (who.scope is not None)
    return " ".join([name, who.role, hashlib.sha256((name * 8).encode()).hexdigest(), *words]) + "\n"


def reaches(name: str, role: str) -> bool:
    return LADDER.index(WHO[name].role) >= LADDER.index(role)


# --- the text ---


def gate_text(name: str, gate: Json) -> str:
    words = [f'name = "{name}"'] + [f"{k} = {str(v).lower() if isinstance(v, bool) else json.dumps(v)}" for k, v in gate.items()]
    return "{ " + "; ".join(words) + "; }"


def text_of(o: Objects, port: int) -> str:
    """The whole, laid out in one way."""
    def new(path: str, name: str = "weight") -> str:
        return json.dumps(o[path][name])
    text = config(f"https://127.0.0.1:{port}")
    third = f',\n                 {{ name = "b3"; address = "10.1.1.13"; weight = {new(NEW)}; }}' if NEW in o else ""
    for old, put in (
            ("# two sites", f"# comment {o[COMMENT]['n']}"),
            ("sites = ( ", f"limits = {{ services = {new(LIMITS, 'services')}; }};\nsites = ( "),
            *((f'{{ name = "{s}"; }}', f'{{ name = "{s}"; labels = {{ region = "{o["sites/" + s]["labels"]["region"]}"; }}; }}')
              for s in ("ams", "fra")),
            ("rise = 2", f"rise = {new('checks/web', 'rise')}"),
            ('name = "web-ams"; site = "ams";', f'name = "web-ams"; site = "ams"; max_remove = {new("pools/web-ams", "max_remove")};'),
            ('"10.1.1.11"; weight = 100', f'"10.1.1.11"; weight = {new("pools/web-ams/backends/b1")}'),
            ('"10.1.1.12"; weight = 100; }', f'"10.1.1.12"; weight = {new("pools/web-ams/backends/b2")}; }}{third}'),
            ('"10.2.1.11"; weight = 100', f'"10.2.1.11"; weight = {new("pools/web-fra/backends/b1")}'),
            ('[ "203.0.113.10" ]', new("vips/shop-ams", "addresses")), ('[ "198.51.100.10" ]', new("vips/shop-fra", "addresses")),
            ('pool = "web-ams"; }', f'pool = "web-ams"; weight = {new("services/web/at/ams")}; }}'),
            ('pool = "web-fra"; }', 'pool = "web-fra"; weight = 100; }'),
            ('max = "2s"', f'max = "{o["dns/names/www.shop.example"]["ttl"]["max"]}"')):
        hold(text.count(old) == 1, f"{old} is not once in the text")
        text = text.replace(old, put)
    gates = gates_of(o)
    return text + ("gates = (\n  " + ",\n  ".join(gate_text(n, g) for n, g in gates.items()) + " );\n" if gates else "")


def zone_of(o: Objects) -> str:
    return ZONE + f"x A 192.0.2.{o[ZONE_PATH]['x']}\n"


def gates_of(o: Objects) -> Objects:
    return {path.removeprefix("gates/"): o[path] for path in sorted(o) if path.startswith("gates/")}


# --- the model: which objects, which gates ---


def difference(a: Objects, b: Objects) -> set[str]:
    return {path for path in a.keys() | b.keys() if a.get(path) != b.get(path)}


def in_scope(scope: str | None, path: str, o: Objects) -> bool:
    """Whether the object is in a scope, by the labels that @o has."""
    if scope is None:
        return True
    for word in filter(None, scope.split(",")):
        kind, _, name = word.partition(":")
        if kind == "label":
            if o.get(path, {}).get("labels") == dict([name.split("=")]):
                return True
        elif path.startswith(kind + "/"):
            own = path.removeprefix(kind + "/").split("/")[0]
            if own == name or name.endswith("*") and own.startswith(name[:-1]):
                return True
    return False


def is_outside(scope: str | None, paths: set[str], before: Objects, after: Objects) -> bool:
    """Whether a token's scope forbids it: an object has to be in it before and afterwards."""
    there = before.keys() | after.keys()
    return any(p == LIMITS and scope is not None
               or p not in (LIMITS, COMMENT) and not all(in_scope(scope, p, o) for o in (before, after) if p in o or p not in there) for p in paths)


def is_risky(paths: set[str]) -> bool:
    return any(p.startswith("vips/") for p in paths)  # an address that goes; the other changes are made to be harmless


def in_force(gate: Json) -> bool:
    return gate.get("from", PAST) == PAST and gate.get("until", FUTURE) != PAST


def binding(before: Objects, after: Objects) -> Objects:
    """The gates that a change, which is one, has to pass: by what it is made from."""
    paths = difference(before, after)
    bound = {}
    for name, gate in gates_of(before).items():
        scope = gate.get("scope")
        about = scope is None or LIMITS in paths or any(in_scope(scope, p, o) for p in paths for o in (before, after))
        if in_force(gate) and ("gates/" + name in paths or about and (is_risky(paths) or not gate.get("risky"))):
            bound[name] = gate
    return bound


@dataclasses.dataclass
class Version:
    number: int
    objects: Objects
    files: Json
    is_final: bool = True  # it needed no confirmation, or has it, or one that joined it


@dataclasses.dataclass
class Proposal:
    id: str
    author: str
    wish: Wish
    base: int
    after: Objects
    needed: int
    without: list[str]  # gates that were passed by name when it was proposed
    approved: list[str] = dataclasses.field(default_factory=list)  # persons, as they were first called
    withdrawn: bool = False

    def state(self, head: int) -> str:
        return "withdrawn" if self.withdrawn else "outdated" if self.base != head else "approved" if len(self.approved) >= self.needed else "waiting"

    def has(self, person: str) -> bool:
        return person.lower() in [p.lower() for p in self.approved]


@dataclasses.dataclass
class Wish:
    """What is to be changed, and by which way: one edit, several, a whole text or zone files."""
    way: str
    edits: list[tuple[str, Json | None]]

    def after(self, before: Objects) -> Objects:
        made = dict(before)
        for path, value in self.edits:
            if value is None:
                made.pop(path, None)
            else:
                made[path] = value
        return made


@dataclasses.dataclass
class Terms:
    """How it is to be made."""
    without: list[str] = dataclasses.field(default_factory=list)
    confirm_within: str = "none"
    pending: str = ""
    dry_run: bool = False
    propose: bool = False
    proposal: Proposal | str | None = None


class Random:
    """What comes next, by the seed and the model."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(f"gates {seed}")

    def gate(self) -> Json:
        rng = self.rng
        gate: Json = {}
        if rng.random() < 0.8:
            gate["scope"] = ",".join(rng.sample(SCOPES, rng.choice([1, 1, 2])))
        if rng.random() < 0.2:
            gate["risky"] = True
        asks = rng.random() < 0.55
        if asks:
            gate["approvals"] = rng.choice([1, 1, 1, 2, 2, 3])
        if not asks or rng.random() < 0.25:
            times = rng.random()
            gate["from"] = FUTURE if times < 0.1 else PAST
            gate["until"] = rng.choice(LATER) if times < 0.85 else PAST
            if gate["until"] == PAST:
                gate["from"] = "2019-01-01T00:00:00Z"
        return gate

    def value(self, path: str) -> Json:
        rng = self.rng
        if path.startswith("gates/"):
            return self.gate()
        if path.startswith("vips/"):
            return {"addresses": [("203.0.113." if path.endswith("ams") else "198.51.100.") + str(rng.randint(10, 19))]}
        if path.startswith("sites/"):
            return {"labels": {"region": rng.choice(["north", "south"])}}
        if path == NEW:
            return {"address": "10.1.1.13", "weight": rng.randint(96, 104)}
        values: Objects = {"pools/web-ams": {"max_remove": f"{rng.randint(28, 32)}%"}, "checks/web": {"rise": rng.randint(2, 4)},
                           "dns/names/www.shop.example": {"ttl": {"max": f"{rng.randint(2, 4)}s"}}, ZONE_PATH: {"x": rng.randint(60, 250)},
                           LIMITS: {"services": rng.randint(4090, 4096)}, COMMENT: {"n": rng.randint(0, 9)}}
        return values.get(path, {"weight": rng.randint(96, 104)})

    def wish(self, o: Objects) -> Wish:
        rng = self.rng
        gates = ["gates/" + n for n in gates_of(o)]
        way = rng.choices(["edit", "edits", "whole", "reload"], [45, 20, 30, 5])[0]
        if way == "reload":
            return Wish(way, [(ZONE_PATH, self.value(ZONE_PATH))])
        of_texts = [LIMITS, COMMENT, ZONE_PATH] if way == "whole" else []
        paths: list[str] = []
        for _ in range(1 if way == "edit" else rng.choice([1, 1, 2, 3])):
            kind = rng.random()
            if kind < 0.12 and gates:
                paths.append(rng.choice(gates))
            elif kind < 0.17:
                paths.append(f"gates/g{rng.randint(1, 6)}")
            elif kind < 0.24:
                paths.append(NEW)
            elif kind < 0.5 and of_texts:
                paths.append(rng.choice(of_texts))
            else:
                paths.append(rng.choice([p for p in FIRST if p not in (LIMITS, COMMENT, ZONE_PATH)]))
        edits: list[tuple[str, Json | None]] = []
        for path in dict.fromkeys(paths):
            goes = path in o and (path == NEW or path.startswith("gates/")) and rng.random() < 0.4
            edits.append((path, None if goes else self.value(path)))
        return Wish(way, edits)

    def without(self, bound: Objects) -> list[str]:
        rng = self.rng
        names = [n for n in bound if rng.random() < 0.5] if rng.random() < 0.4 else list(bound)
        if rng.random() < 0.3 or not names:
            names.append(f"g{rng.randint(1, 6)}")
        return list(dict.fromkeys(names))


class World:
    """One weir-mgmt for many sequences."""

    def __init__(self, program: str, weir: str) -> None:
        self.weir, self.port = weir, free_port()
        self.node = Node(program, text=text_of(FIRST, self.port))
        self.node.write("shop.example.zone", zone_of(FIRST))
        self.node.write("tokens", "".join(map(token_line, WHO)))
        self.node.start()
        wait_for("TCP", lambda: "api-served" in self.node.log())
        self.context = ssl.create_default_context(cafile=os.path.join(self.node.conf, "tls.crt"))
        # what the audit log has to have: changes with what came of them, refusals
        self.changes: collections.Counter[tuple[object, ...]] = collections.Counter()
        self.spare: collections.Counter[tuple[object, ...]] = collections.Counter()  # what was done and changed nothing
        self.refusals: collections.Counter[tuple[object, ...]] = collections.Counter()

    def ask(self, name: str, method: str, path: str, query: dict[str, str], body: object, headers: dict[str, str] | None = None) -> Answer:
        own = f"127.2.0.{1 + list(WHO).index(name)}"  # or connections of all would have to wait for one another
        c = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60, context=self.context, source_address=(own, 0))
        whole = path + "?" + "&".join(f"{k}={v}" for k, v in query.items())
        answer = self.node.send(c, method, whole, body, {"Authorization": f"Bearer {name * 8}", **(headers or {})}, None)
        hold(answer.status < 500, f"{method} {whole} of {name}: {answer.raw!r}")
        key = (principal(name), method, path, answer.status)
        if answer.status >= 400:
            self.refusals[(principal(name), path, answer.status, answer.code)] += 1  # others of its path are like it
        elif "dry_run" not in query:
            found = answer.json
            number = found.get("version", {}).get("number") if not found.get("proposal") else None
            one = found.get("override") or found.get("proposal") or found
            words = [f"version {number}"] * (found.get("changed") is not False) + [f"confirmed {found.get('confirmed')}"] * ("confirmed" in found)
            is_made = number and "before" in found and number > (found["before"] or 0)  # else it is one of before, and its gates are another line's
            if is_made and "without_gates" in found["version"]:
                words.append(f"past gate {found['version']['without_gates']}")
            result = (", ".join(words) or None) if number else one.get("id")
            (self.spare if found.get("changed") is False else self.changes)[(*key, result)] += 1
        return answer

    def read(self, path: str) -> Json:
        answer = self.node.ask("GET", path)
        hold(answer.status == 200, answer.raw)
        return typing.cast(Json, json.loads(answer.raw.replace(b".000Z", b"Z")))  # times as gates are given them

    def head(self) -> Json:
        return self.read("/v1/config")

    def reset(self, o: Objects) -> Version:
        """Begin again: by root, past all gates."""
        for site in ("ams", "fra"):
            answer = self.node.command("undrain", {"site": site}, now=True)
            hold(answer.status == 200, answer.raw)
        text = text_of(o, self.port)
        files = {"weir.conf": text, "shop.example.zone": zone_of(o)}
        more: Json = {"confirm_within": "none", "replace": True, "pending": "confirm", "without_gates": ",".join(f"g{i}" for i in range(1, 7))}
        answer = self.node.apply(files, query="?wait_ms=0", **more)
        hold(answer.status in (200, 201, 202), answer.raw)
        head = self.head()
        hold(head["files"] == files, "the text of the beginning is not in force")
        return Version(head["number"], o, files)

    def close(self) -> None:
        self.node.close()

    def hold_log(self) -> None:
        """The audit log: as it was written, a line of each change, and each refusal in a line or a count."""
        self.node.stop()
        directories = ["--conf-dir", self.node.conf, "--state-dir", self.node.state, "--run-dir", self.node.run]
        done = subprocess.run([self.weir, *directories, "--json", "audit", "verify"], capture_output=True, text=True, timeout=120, check=False)
        hold(done.returncode == 0 and json.loads(done.stdout)["good"], done.stdout + done.stderr)
        changes: collections.Counter[tuple[object, ...]] = collections.Counter()
        refusals: collections.Counter[tuple[object, ...]] = collections.Counter()
        for path in sorted(glob.glob(f"{self.node.state}/audit/*.log")):
            with open(path, encoding="utf-8") as f:
                for line in map(json.loads, f):
                    key = (line.get("who"), line.get("method"), line.get("path"), line.get("status"))
                    if line["kind"] == "change" and line["who"] != "user:root":
                        changes[(*key, line.get("result"))] += line.get("count", 1)
                    elif line["kind"] == "refusal":
                        refusals[(line.get("who"), line.get("path"), line.get("status"), line.get("code"))] += line.get("count", 1)
        for change in changes.keys() | self.changes.keys():
            wanted, found = self.changes[change], changes[change]
            hold(wanted <= found <= wanted + self.spare[change], f"{found} lines, not {wanted}, of the change {change}")
        # Of many a minute some are counted together, by who met them or not.
        for refusal, n in self.refusals.items():
            rest = sum(k for other, k in refusals.items() if other[0] == "(others)" or other[:2] == (refusal[0], "(others)"))
            hold(n - rest <= refusals[refusal] <= n, f"{refusals[refusal]} lines and {rest} others, not {n}, of the refusal {refusal}")
        hold(refusals.total() == self.refusals.total(), f"the log has {refusals.total()} refusals, not {self.refusals.total()}")


class Sequence:
    def __init__(self, world: World, seed: int, counts: collections.Counter[str]) -> None:
        self.world, self.counts, self.random = world, counts, Random(seed)
        self.rng = self.random.rng
        self.said: list[str] = []
        self.proposals: list[Proposal] = []
        self.drained: set[str] = set()
        self.waits = False  # the head, to be confirmed
        first = dict(FIRST)
        for i in range(self.rng.choice([1, 2, 2, 3, 3, 4])):
            first[f"gates/g{i + 1}"] = self.random.gate()
        self.head = self.confirmed = world.reset(first)
        self.joined: list[Version] = []
        self.versions = {self.head.number: self.head}
        self.say("gates " + json.dumps(gates_of(first)))

    def say(self, text: str) -> None:
        self.said.append(text)

    @property
    def objects(self) -> Objects:
        return self.head.objects

    def run(self) -> None:
        for _ in range(self.rng.randint(*N_ACTS)):
            live = [p for p in self.proposals if p.state(self.head.number) in ("waiting", "approved")]
            acts: list[tuple[float, typing.Callable[[], None]]] = [
                (30, self.change), (14, self.propose), (9, self.override), (8, self.roll_back), (6 if self.waits else 1, self.confirm)]
            if self.proposals:
                acts += [(60 if live else 3, self.decide), (50 if any(p.state(self.head.number) == "approved" for p in live) else 6, self.use)]
            self.rng.choices([a for _, a in acts], [w for w, _ in acts])[0]()
            self.hold_head()
        self.hold_end()

    # --- what is in force ---

    def hold_head(self) -> None:
        found = self.world.head()
        hold(found["number"] == self.head.number, f"version {found['number']} is in force, not {self.head.number}")
        hold(found["files"] == self.head.files, "the files of the version in force are others")
        hold((found["confirm_by"] is not None) == self.waits, f"the version in force is to be confirmed by {found['confirm_by']}")

    def hold_end(self) -> None:
        listed = {p["id"]: p["state"] for p in self.world.read("/v1/proposals")["items"]}
        for p in self.proposals:
            state = p.state(self.head.number)
            swept = state in ("outdated", "withdrawn") and p.id not in listed
            hold(swept or listed.get(p.id) == state, f"proposal {p.id} is {listed.get(p.id)}, not {state}")
        for path, value in self.objects.items():
            if path in (COMMENT, LIMITS, ZONE_PATH):
                continue
            found = self.world.read("/v1/" + path)
            for name, v in value.items():
                same = v.items() <= found[name].items() if isinstance(v, dict) else found.get(name) == v
                hold(same, f"{path} has {found.get(name)} as {name}, not {v}")

    def judge(self, answer: Answer, must: set[str], may: set[str]) -> bool:
        """Whether it was done. It has to be, if there is no reason against it; else it is refused for one of them."""
        self.say(f"    -> {answer.status} {answer.code or ''}, by the model {sorted(must)} {sorted(may)}")
        if answer.status >= 400:
            hold(answer.code in must | may, f"refused, and not for one of {sorted(must | may)}: {answer.raw!r}")
            self.counts["out of scope"] += answer.code == "out-of-scope"
            return False
        hold(not must, f"not refused for {sorted(must)}: {answer.raw!r}")
        return True

    # --- changes ---

    def change(self) -> None:
        rng = self.rng
        wish = self.random.wish(self.objects)
        terms = Terms(confirm_within="10m" if rng.random() < 0.15 else "none")
        name = rng.choice(AUTHORS)
        bound = binding(self.objects, wish.after(self.objects))
        how = rng.random()
        if how < (0.3 if bound else 0.08):
            terms.without = self.random.without(bound)
            name = rng.choice(ADMINS) if rng.random() < 0.75 else name
        if how < 0.06 or 0.3 < how < 0.65:
            terms.propose = True
        elif how > 0.95:
            terms.dry_run = True
        self.end_pending(terms)
        self.make(name, wish, terms)

    def propose(self) -> None:
        """What a gate asks persons about, if it can be found, by one of them. Of several gates an admin may have passed some then."""
        rng = self.rng
        terms = Terms(propose=True, pending="join" if self.waits else "", confirm_within="10m")
        for _ in range(8):
            wish = self.random.wish(self.objects)
            bound = binding(self.objects, wish.after(self.objects))
            asking = sorted((g["approvals"], n) for n, g in bound.items() if g.get("approvals"))
            if asking and (len(asking) == len(bound) or rng.random() < 0.5):
                break
        name = rng.choice(["ada1", "ada1", "bob2", "carol", "hugo", "dora"])
        if asking and (len(asking) < len(bound) or len(asking) > 1 and rng.random() < 0.5):
            terms.without = [n for n in bound if n != asking[0][1]]
            name = rng.choice(["ada2", "dora"])
        self.make(name, wish, terms)

    def end_pending(self, terms: Terms) -> None:
        if self.rng.random() < (0.7 if self.waits else 0.05):
            terms.pending = self.rng.choice(["confirm", "join"])
        if terms.pending == "join":
            terms.confirm_within = "10m"

    def use(self) -> None:
        """A proposal, mostly as it was proposed."""
        rng = self.rng
        best = sorted(self.proposals, key=lambda p: ("approved", "waiting", "outdated", "withdrawn").index(p.state(self.head.number)))
        p = best[0] if rng.random() < 0.8 else rng.choice(self.proposals)
        terms = Terms(proposal=p, confirm_within=rng.choice(["none", "none", "10m"]))
        wish, name = p.wish, rng.choice([p.author, p.author, rng.choice(AUTHORS)])
        how = rng.random()
        if p.without and how > 0.6:
            terms.without, name = p.without, rng.choice(ADMINS)
        if how < 0.12:
            wish = self.random.wish(self.objects)
        elif how < 0.18:
            terms.proposal = "none"
        elif how < 0.28:
            terms.without, name = self.random.without(binding(self.objects, wish.after(self.objects))), rng.choice(ADMINS)
        terms.dry_run = rng.random() < 0.05
        self.end_pending(terms)
        self.make(name, wish, terms)

    def request(self, wish: Wish, terms: Terms) -> tuple[str, str, dict[str, str], Json | None, dict[str, str]]:
        """Method, path, query, body, headers."""
        query = {"wait_ms": "0"}
        said: Json = {"reason": "x", "confirm_within": terms.confirm_within}
        if terms.without:
            said["without_gates"] = ",".join(terms.without)
        if terms.pending:
            said["pending"] = terms.pending
        if terms.dry_run:
            query["dry_run"] = "true"
        if terms.propose:
            query["propose"] = "true"
        if terms.proposal:
            query["proposal"] = terms.proposal.id if isinstance(terms.proposal, Proposal) else terms.proposal
        edits = []
        for path, value in wish.edits:
            is_put = path == NEW or path.startswith("gates/")
            edits.append({"method": "DELETE" if value is None else "PUT" if is_put else "PATCH", "path": path, "value": value,
                          **({"if_match": "*"} if value is None or path in self.objects else {"if_none_match": "*"})})
        if wish.way == "edit":
            one = edits[0]
            headers = {"If-Match": "*"} if "if_match" in one else {"If-None-Match": "*"}
            if one["method"] == "PATCH":
                headers["Content-Type"] = PATCH
            return typing.cast(str, one["method"]), f"/v1/{one['path']}", {**query, **said}, wish.edits[0][1], headers
        if wish.way == "edits":
            return "POST", "/v1/changes", query, {"edits": [{k: v for k, v in e.items() if v is not None} for e in edits], **said}, {}
        after = wish.after(self.objects)
        if wish.way == "reload":
            self.world.node.write("shop.example.zone", zone_of(after))
            return "POST", "/v1/zones/reload", query, {"replace": True, **said}, {}
        return "POST", "/v1/config/apply", query, {"files": self.files(wish), "replace": True, **said}, {"If-Match": "*"}

    def files(self, wish: Wish) -> Json:
        """Those that it makes, as far as they are known: edits keep the text's layout."""
        after = wish.after(self.objects)
        text = text_of(after, self.world.port) if wish.way == "whole" else self.head.files["weir.conf"]
        return {"weir.conf": text, "shop.example.zone": zone_of(after)}

    def changes(self, wish: Wish) -> bool:
        if wish.way in ("edit", "edits"):
            return bool(difference(self.objects, wish.after(self.objects)))
        return self.files(wish) != self.head.files

    def returns(self, wish: Wish) -> bool:
        """Whether it goes back to what was confirmed last: no further change, and no gate's."""
        after = wish.after(self.objects)
        return self.waits and not difference(after, self.confirmed.objects) and (wish.way != "whole" or self.files(wish) == self.confirmed.files)

    def reasons(self, name: str, wish: Wish, terms: Terms) -> tuple[set[str], set[str], Objects]:
        """For which it must be refused, for which it may be, and the gates that are left in its way."""
        who, before, after = WHO[name], self.objects, wish.after(self.objects)
        must: set[str] = set()
        may: set[str] = set()
        paths = difference(before, after)
        changed = self.changes(wish)
        if not reaches(name, "operator"):
            must.add("forbidden")
        if terms.without and not reaches(name, "admin"):
            must.add("invalid")
        if terms.propose and not who.person:
            must.add("no-person")
        judged = {path for path, _ in wish.edits} if wish.way in ("edit", "edits") else paths
        if terms.pending == "join" and self.waits:
            judged |= difference(self.confirmed.objects, before)
        if is_outside(who.scope, judged, before, after) or who.scope == "" and changed:
            must.add("out-of-scope")
        if terms.pending == "join" and self.waits and is_outside(who.scope, judged, self.confirmed.objects, before):
            must.add("out-of-scope")
        if terms.pending == "confirm" and who.scope is not None:
            (must if self.waits else may).add("out-of-scope")
        if wish.way in ("edit", "edits") and any(value is None and path not in before for path, value in wish.edits):
            must.add("not-found")
        if self.waits and not terms.pending:
            (must if changed else may).add("unconfirmed")
        if not changed:
            must |= {"not-gated"} if terms.propose else set()
            may |= {"proposal"} if terms.proposal else set()
            return must, may, {}
        bound = binding(before, after)
        p = terms.proposal if isinstance(terms.proposal, Proposal) else None
        n_approved = len(p.approved) if p else 0
        left = {n: g for n, g in bound.items() if n not in terms.without and not 0 < g.get("approvals", 0) <= n_approved}
        if terms.propose:
            if any(not g.get("approvals") for g in left.values()):
                must.add("gate")
            elif not left:
                must.add("not-gated")
        elif left:
            must.add("gate")
        if terms.proposal and not p:
            must.add("proposal")
        elif p and (p.state(self.head.number) != "approved" or difference(p.after, after)):
            must.add("proposal")
        elif p and p.wish is not wish:
            may.add("proposal")  # the same meaning, and maybe another text
        return must, may, left

    def make(self, name: str, wish: Wish, terms: Terms) -> None:
        before, after, changed = self.objects, wish.after(self.objects), self.changes(wish)
        must, may, left = self.reasons(name, wish, terms)
        if self.returns(wish):
            must, may = set(), must | may
        self.say(f"{name}: {wish.way} {json.dumps(wish.edits)} {terms}")
        method, path, query, body, headers = self.request(wish, terms)
        answer = self.world.ask(name, method, path, query, body, headers)
        done = self.judge(answer, must, may)
        if answer.code == "gate":
            self.hold_refusal(answer, left)
        self.counts["proposals refused"] += answer.code == "proposal"
        if not done:
            return
        bound = binding(before, after) if changed else {}
        if "plan" in answer.json and changed:
            plan = answer.json["plan"]
            hold(plan["risky"] == is_risky(difference(before, after)), f"the plan says of what is risky {plan['risks']}")
        if terms.propose:
            self.proposed(answer, name, wish, terms, left)
        elif not terms.dry_run and not self.returned(answer):
            hold(answer.json["changed"] == changed, answer.raw)
            if answer.json["changed"]:
                self.made(answer, name, wish, terms, bound)
            else:
                self.changed_nothing(terms)

    def hold_refusal(self, answer: Answer, left: Objects) -> None:
        """It names the gate that is the hardest to pass."""
        self.counts["refused by a gate"] += 1
        gate = left.get(answer.json["gate"])
        hold(gate is not None, f"no gate of {sorted(left)}: {answer.raw!r}")
        shut = [LATER.index(g.get("until", "never")) for g in left.values() if not g.get("approvals")]
        if shut:
            hold(not gate.get("approvals") and LATER.index(gate["until"]) == max(shut) and "approvals" not in answer.json, answer.raw)
        else:
            hold(answer.json["approvals"] == gate["approvals"] == max(g["approvals"] for g in left.values()), answer.raw)

    def proposed(self, answer: Answer, name: str, wish: Wish, terms: Terms, left: Objects) -> None:
        said, needed = answer.json["proposal"], max(g["approvals"] for g in left.values())
        hold((answer.status, said["state"], said["needed"], said["person"], said["principal"], said["base"], said["approvals"])
             == (202, "waiting", needed, WHO[name].person, principal(name), self.head.number, []), answer.raw)
        hold(left[said["gate"]]["approvals"] == needed, answer.raw)
        self.proposals.append(Proposal(said["id"], name, wish, self.head.number, wish.after(self.objects), needed, terms.without))

    def returned(self, answer: Answer) -> bool:
        """The last confirmed version is in force again, by its own number."""
        if not self.waits or answer.json["version"]["number"] != self.confirmed.number:
            return False
        self.head, self.waits, self.joined = self.confirmed, False, []
        return True

    def made(self, answer: Answer, name: str, wish: Wish, terms: Terms, bound: Objects) -> None:
        """What a record says of a version that gates were in the way of."""
        number = answer.json["version"]["number"]
        record = self.world.read(f"/v1/versions/{number}")
        passed = set(filter(None, record.get("without_gates", "").split(",")))
        p = terms.proposal if isinstance(terms.proposal, Proposal) else None
        approvals = {person.lower() for person in p.approved} - {WHO[p.author].person.lower()} if p else set()
        for gate, g in bound.items():
            approved = 0 < g.get("approvals", 0) <= len(approvals)
            hold(approved or gate in passed, f"nothing says why gate {gate} was passed: {record}")
        hold(passed <= bound.keys() & set(terms.without), f"the record names gates that it did not pass: {record}")
        hold(not passed or reaches(name, "admin"), f"{name} passed gates: {record}")
        hold((record["principal"], record.get("proposal"), record.get("proposed_by"), record.get("approved_by"))
             == (principal(name), *((p.id, WHO[p.author].person, ", ".join(p.approved)) if p else (None, None, None))), record)
        if p:
            self.proposals.remove(p)
        self.counts["made with approvals"] += bool(p)
        self.counts["made by passing gates"] += bool(passed)
        self.counts["made beside gates"] += not bound and any(in_force(g) for g in gates_of(self.objects).values())
        self.counts["gates changed or removed"] += any("gates/" + g in difference(self.objects, wish.after(self.objects)) for g in bound)
        self.take(number, wish.after(self.objects), terms)

    def changed_nothing(self, terms: Terms) -> None:
        """It still decides about the version that waits."""
        if terms.pending == "confirm" and self.waits:
            self.keep_head()

    def take(self, number: int, objects: Objects, terms: Terms) -> None:
        """A new version is in force."""
        if not self.waits or terms.pending == "confirm":
            self.keep_head()
        elif terms.pending == "join":
            self.joined.append(self.head)
        found = self.world.head()
        self.head = Version(number, objects, found["files"], False)
        self.versions[number] = self.head
        self.waits = terms.confirm_within != "none"
        if not self.waits:
            self.keep_head()

    def keep_head(self) -> None:
        """It is in force for good, with what it joined."""
        for v in [self.head, *self.joined]:
            v.is_final = True
        self.confirmed, self.waits, self.joined = self.head, False, []

    # --- proposals ---

    def decide(self) -> None:
        rng = self.rng
        live = [p for p in self.proposals if p.state(self.head.number) in ("waiting", "approved")]
        p = rng.choice(live) if live and rng.random() < 0.9 else rng.choice(self.proposals)
        verb = "approve" if rng.random() < 0.88 else "withdraw"
        name = rng.choice(APPROVERS) if verb == "approve" else rng.choice([p.author, rng.choice(AUTHORS)])
        state, who, dry_run = p.state(self.head.number), WHO[name], rng.random() < 0.05
        is_own = who.person.lower() == WHO[p.author].person.lower()
        is_over = state in ("outdated", "withdrawn")
        must: set[str] = set()
        may: set[str] = {"not-found"} if is_over else set()
        if not reaches(name, "operator"):
            must.add("forbidden")
        if is_over:
            must.add("proposal")
        if who.scope is not None and not (verb == "withdraw" and is_own):
            must.add("out-of-scope")
        if verb == "approve":
            if not who.person:
                must.add("no-person")
            elif is_own:
                must.add("own-proposal")
            if len(p.approved) == 3 and not p.has(who.person):
                must.add("proposal")
        elif not is_own and not reaches(name, "admin"):
            must.add("forbidden")
        self.say(f"{name}: {verb} {p.id} of {p.author}, {state} {p.approved}, dry run {dry_run}")
        query = {"wait_ms": "0", **({"dry_run": "true"} if dry_run else {})}
        answer = self.world.ask(name, "POST", f"/v1/proposals/{p.id}/{verb}", query, {"reason": "read it"})
        self.counts["own approvals refused"] += answer.code == "own-proposal"
        if not self.judge(answer, must, may):
            return
        approved = p.approved + ([who.person] if verb == "approve" and not p.has(who.person) else [])
        withdrawn = verb == "withdraw"
        self.counts["approvals repeated"] += verb == "approve" and approved == p.approved
        said = dataclasses.replace(p, approved=approved, withdrawn=withdrawn)
        hold((answer.json["state"], [a["person"] for a in answer.json["approvals"]]) == (said.state(self.head.number), approved), answer.raw)
        if not dry_run:
            p.approved, p.withdrawn = approved, withdrawn

    # --- what no gate refuses ---

    def override(self) -> None:
        rng = self.rng
        site, name = rng.choice(["ams", "fra"]), rng.choice(["olaf", "ada1", "bob2", "dora", "noone", "nobody", "chief", "pools", "empty", "eve"])
        do = rng.choice(["drain", "undrain"]) if site not in self.drained else rng.choice(["drain", "undrain", "undrain"])
        must: set[str] = set()
        if not reaches(name, "oncall"):
            must.add("forbidden")
        if not in_scope(WHO[name].scope, "sites/" + site, self.objects):
            must.add("out-of-scope")
        if do == "drain" and self.drained - {site}:
            must.add("guard")
        self.say(f"{name}: {do} {site}")
        more = {"until": "never"} if do == "drain" else {}
        body = {"do": do, "target": {"site": site}, "reason": "x", "now": True, **more}
        answer = self.world.ask(name, "POST", "/v1/overrides", {"wait_ms": "0"}, body)
        if self.judge(answer, must, set()):
            frozen = any(in_force(g) and not g.get("approvals") for g in gates_of(self.objects).values())
            self.counts["drains during freezes"] += do == "drain" and frozen
            (self.drained.add if do == "drain" else self.drained.discard)(site)

    def roll_back(self) -> None:
        rng = self.rng
        others = [v for v in self.versions.values() if v is not self.head]
        stopped = [v for v in others if not v.is_final and binding(self.objects, v.objects)]
        to = rng.choice(stopped if stopped and rng.random() < 0.6 else others) if others and rng.random() < 0.9 else self.head
        name = rng.choice(["olaf", "olaf", "ada1", "bob1", "carol", "dora", "noone", "nobody", "chief", "pools", "north", "empty", "eve"])
        terms = Terms(confirm_within=rng.choice(["none", "none", "10m"]))
        self.end_pending(terms)
        must: set[str] = set()
        may: set[str] = set()
        changed = to.files != self.head.files
        goes_back = self.waits and to.files == self.confirmed.files
        bound = binding(self.objects, to.objects) if changed else {}
        stops = {} if to.is_final or goes_back else bound  # what never was in force for good is a change like others
        if stops and rng.random() < 0.5:
            terms.without, name = self.random.without(bound), rng.choice(ADMINS) if rng.random() < 0.8 else name
        if terms.without and not reaches(name, "admin"):
            must.add("invalid")
        if stops.keys() - set(terms.without):
            must.add("gate")
        scope, paths = WHO[name].scope, difference(self.objects, to.objects)
        if not reaches(name, "oncall"):
            must.add("forbidden")
        if is_outside(scope, paths, self.objects, to.objects) or scope == "" and changed:
            must.add("out-of-scope")
        waiting = difference(self.confirmed.objects, self.objects)
        if terms.pending == "join" and self.waits and is_outside(scope, waiting, self.confirmed.objects, self.objects):
            must.add("out-of-scope")
        if terms.pending == "confirm" and scope is not None:
            (must if self.waits else may).add("out-of-scope")
        if self.waits and not terms.pending and not goes_back:
            (must if changed else may).add("unconfirmed")
        self.say(f"{name}: roll back to {to.number} {terms}")
        body = {"reason": "x", "confirm_within": terms.confirm_within, **({"pending": terms.pending} if terms.pending else {})}
        if terms.without:
            body["without_gates"] = ",".join(terms.without)
        answer = self.world.ask(name, "POST", f"/v1/versions/{to.number}/rollback", {"wait_ms": "0"}, body, {"If-Match": "*"})
        self.counts["rollbacks refused by a gate"] += answer.code == "gate"
        if not self.judge(answer, must, may):
            return
        self.counts["rollbacks during gates"] += bool(bound) and not stops
        self.counts["rollbacks past gates"] += bool(stops)
        if self.returned(answer):
            return
        if not answer.json["changed"]:
            self.changed_nothing(terms)
            return
        record = self.world.read(f"/v1/versions/{answer.json['version']['number']}")
        passed = set(filter(None, record.get("without_gates", "").split(",")))
        hold((record["rolled_back_to"], passed) == (to.number, set(bound)), f"the record names other gates, or another version: {record}")
        self.take(answer.json["version"]["number"], to.objects, terms)
        hold(self.head.files == to.files, "a rollback made other files")

    def confirm(self) -> None:
        name = self.rng.choice(["olaf", "ada1", "bob1", "dora", "noone", "chief", "pools", "eve"])
        scope = WHO[name].scope
        must = set() if reaches(name, "oncall") else {"forbidden"}
        may: set[str] = set()
        if not self.waits:
            must.add("not-pending")
            may.add("out-of-scope")
        elif is_outside(scope, difference(self.confirmed.objects, self.objects), self.confirmed.objects, self.objects):
            must.add("out-of-scope")
        self.say(f"{name}: confirm {self.head.number}")
        answer = self.world.ask(name, "POST", f"/v1/versions/{self.head.number}/confirm", {"wait_ms": "0"}, {"reason": "x"})
        if self.judge(answer, must, may):
            self.keep_head()


def run_one(world: World, seed: int, counts: collections.Counter[str]) -> bool:
    sequence = None
    try:
        sequence = Sequence(world, seed, counts)
        sequence.run()
    except Exception as e:  # also of a connection, where the process died
        print(f"FAILED sequence of seed {seed}:", *(sequence.said if sequence else []), sep="\n  ")
        print(f"  {e!r}" if isinstance(e, Wrong) else traceback.format_exc())
        return False
    return True


def hold_end(world: World) -> bool:
    try:
        world.hold_log()
    except Exception as e:
        print(f"FAILED at the end: {e!r}" if isinstance(e, Wrong) else traceback.format_exc())
        return False
    return True


def main() -> None:
    n, first = counted.read_number("--sequences", 40), counted.read_number("--seed", 1)
    began = time.monotonic()
    counts: collections.Counter[str] = collections.Counter()
    n_failed = 0
    world = World(sys.argv[1], sys.argv[2])
    try:
        for seed in range(first, first + n):
            if not run_one(world, seed, counts):
                n_failed += 1
                world.close()
                world = World(sys.argv[1], sys.argv[2])
        n_failed += not hold_end(world)
    finally:
        world.close()
    few = {what: counts[what] for what, least in LEAST.items() if n >= ENOUGH and counts[what] < least * n}
    print(f"{n} sequences from seed {first} in {time.monotonic() - began:.1f} s: {dict(sorted(counts.items()))}")
    if few:
        print(f"FAILED: too little of {few}")
    n_failed = min(n, n_failed + bool(few))
    print(f"{n - n_failed} passed, {n_failed} failed")
    sys.exit(bool(n_failed) or not n)


main()
