# SPDX-License-Identifier: BSD-2-Clause
"""What became of each request to nodes that share a store: what its client was told is compared with the store's own records.

Each request has an author of its own, which the records that it makes name: a version, a mark. So a record shows whose it is, whatever
number its client was told. The records are read past Weir, all the time, so that those that are removed later are known, too.
"""
from __future__ import annotations

import base64
import collections
import contextlib
import dataclasses
import http.client
import json
import threading
import time
import typing

from etcd_cluster import Cluster as Etcd
from etcd_cluster import b64

if typing.TYPE_CHECKING:
    from api_node import Node

PREFIX, AFTER = "/weir/", "/weir0"
KINDS = ("lost", "refused_in_force", "forks", "diverged", "stuck")
Wrong = dict[str, list[str]]


@dataclasses.dataclass
class Told:
    """What a client asked, and what it was told."""
    what: str
    author: str
    node: str
    status: int = 0  # 0: no answer
    code: str = ""
    number: int = 0
    line: str = ""  # the first of the file, where it is an apply
    is_alone: bool = False  # it was told that no other node has its files
    asked_s: float = dataclasses.field(default_factory=time.time)

    def is_unknown(self) -> bool:
        return not self.status or self.code == "outcome-unknown"

    def is_made(self) -> bool:
        """It was said that it is made, be it that nodes have not taken it yet. (Who goes back may find nothing to do.)"""
        return self.status == 201 or (self.status in (200, 202) and self.what != "back")


class Records:
    """Of versions and marks: all that were ever there, and the names of those that are there now."""

    def __init__(self, etcd: Etcd) -> None:
        self.etcd, self.seen, self.now = etcd, typing.cast(dict[str, dict[str, typing.Any]], {}), typing.cast(set[str], set())
        self.rewritten: list[str] = []

    def read(self) -> bool:
        """Of the first member that answers for the majority."""
        for member in self.etcd.members:
            status, answer = member.ask("/v3/kv/range", {"key": b64(PREFIX), "range_end": b64(AFTER)})
            if status == 200:
                self.take(answer.get("kvs", []))
                return True
        return False

    def take(self, kvs: list[dict[str, typing.Any]]) -> None:
        self.now = set()
        for kv in kvs:
            name = base64.b64decode(kv["key"]).decode().removeprefix(PREFIX)
            if not name.startswith(("version/", "mark/")):
                continue
            record = json.loads(base64.b64decode(kv["value"]))
            if self.seen.setdefault(name, record) != record or kv["version"] != "1":
                self.rewritten.append(f"{name}: {record} in the place of {self.seen[name]}")
            self.now.add(name)

    def follow(self, stop: threading.Event) -> None:
        while not stop.wait(1):
            self.read()

    def version(self, number: int) -> dict[str, typing.Any]:
        return self.seen.get(f"version/{number}", {})

    def mark(self, number: int) -> str:
        return str(self.seen.get(f"mark/{number}", {}).get("mark", "none"))

    def of(self, author: str) -> list[str]:
        return [name for name, record in self.seen.items() if record.get("author") == author]

    def numbers(self) -> list[int]:
        """Of the versions that are there, the newest first."""
        return sorted((int(name.removeprefix("version/")) for name in self.now if name.startswith("version/")), reverse=True)

    def in_force(self) -> int:
        """By confirmations and marks alone: what is open is taken as ended."""
        return next((n for n in self.numbers() if not self.version(n).get("confirm_within_ms") or self.mark(n) == "confirmed"), 0)


def judge_answers(told: list[Told], records: Records) -> Wrong:
    wrong: Wrong = collections.defaultdict(list)
    for t in told:
        made = records.of(t.author)
        if t.status >= 400 and not t.is_unknown() and made:
            wrong["refused_in_force"].append(f"{t}: {made}")
        if t.is_made() and (not made or (t.what == "apply" and f"version/{t.number}" not in made)):
            wrong["lost"].append(f"{t}: {made}, and version {t.number} is {records.version(t.number)}")
        if t.is_made() and t.what == "confirm" and (f"mark/{t.number}" not in made or records.mark(t.number) != "confirmed"):
            wrong["lost"].append(f"{t}: {made}, and its mark is {records.mark(t.number)}")
        if len([name for name in made if name.startswith("version/")]) > 1:
            wrong["forks"].append(f"{t} was carried out more than once: {made}")
    wrong["forks"] += records.rewritten
    return wrong


def judge_seen(seen: dict[int, set[str]], records: Records) -> list[str]:
    """What nodes had in force at any time. Number 1 is also what a node has that begins with its own file."""
    return [f"version {number} is {records.version(number).get('digest')}, and nodes had {digests}" for number, digests in seen.items()
            if number > 1 and digests != {records.version(number).get("digest")}]


def judge_nodes(nodes: list[Node], records: Records, head: tuple[int, str]) -> Wrong:
    """After all is healed. @head: number and digest that all nodes have"""
    wrong: Wrong = collections.defaultdict(list)
    numbers = records.numbers()
    if head[0] != records.in_force() or head[1] != records.version(head[0]).get("digest"):
        wrong["diverged"].append(f"nodes have {head}; by the store it is {records.in_force()} {records.version(records.in_force())}")
    wrong["diverged"] += [f"version {n} is over, and has no mark" for n in numbers if n > head[0] and records.mark(n) != "ended"]
    for node in nodes:
        listed = {v["number"]: v for v in node.ask("GET", "/v1/versions?limit=1000").json["items"]}
        if sorted(listed, reverse=True) != numbers:
            wrong["diverged"].append(f"{node.name} has not the store's versions: {sorted(set(listed) ^ set(numbers))}")
        wrong["diverged"] += [f"{node.name} has another version {n}: {v['digest']}" for n, v in listed.items() if n in numbers and
                             v["digest"] != records.version(n).get("digest")]
    return wrong


def judge_files(told: list[Told], nodes: list[Node], records: Records) -> list[str]:
    """What was acknowledged, and not as being at one node alone, has its files at a node at least."""
    lost = []
    for t in (t for t in told if t.what == "apply" and t.is_made() and not t.is_alone and f"version/{t.number}" in records.now):
        lines = []
        for node in nodes:
            with contextlib.suppress(OSError, http.client.HTTPException):
                answer = node.ask("GET", f"/v1/versions/{t.number}?files=true")
                lines.append(answer.json["files"]["weir.conf"].split("\n", 1)[0] if answer.status == 200 else answer.code)
            if lines[-1:] == [t.line]:
                break
        else:
            lost.append(f"the files of {t}: {lines}")
    return lost
