# SPDX-License-Identifier: BSD-2-Clause
"""Members of lab automation: a pool that weir-sync keeps equal to a list, single programs, and backends that weir-register registers.

The list changes all the time; each program puts another weight of its own member. What was acknowledged is compared with what all
nodes have, and when it came into force is read from their effective documents: from the instant of the first set that has it, or
from when the document was written, if that is later.
"""
from __future__ import annotations

import contextlib
import datetime
import http.client
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
import typing

from net import BUILD

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "unit", "mgmt"))
from api_node import Node, UnixConnection, wait_for  # noqa: E402
from members_world import Program  # noqa: E402

POOL = "dyn"
SETTINGS = f"""{{ name = "{POOL}"; site = "ams"; max_backends = 1000; settle_time = "2s";
  registration = {{ prefixes = [ "10.77.0.0/16" ]; }}; }},
  """
MEMBERS = f"/v1/pools/{POOL}/members"
LISTED, LIST_STEP, LIST_S = 200, 90, 0.5  # members of the list; of them change in each list; between two lists
PROGRAMS, PUTS_A_S = 10, 20  # together
REGISTERED = 6
SETS = re.compile(rf'pool = "{POOL}"; from = "([^"]+)".*?members = \((.*?)\);', re.S)
MEMBER = re.compile(r'address = "([^"]+)"; port = 0; weight = (\d+);')


class Put(typing.NamedTuple):
    weight: int
    at: float  # answered: monotonic
    wall: float  # the same by the wall clock
    took_s: float
    status: int


class Single:
    """A program that puts its own member, each time with the next weight, at any node."""

    def __init__(self, number: int, nodes: list[Node], seed: int) -> None:
        self.name, self.address, self.nodes = f"single-{number}", f"10.77.9.{number + 1}", nodes
        self.random, self.weight, self.puts = random.Random(seed * 100 + number), 0, list[Put]()

    def put(self) -> None:
        c = UnixConnection(os.path.join(self.random.choice(self.nodes).run, "api.sock"))
        c.timeout = 15
        self.weight += 1
        began, status = time.monotonic(), 0
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
            c.request("PUT", f"{MEMBERS}/{self.name}", json.dumps({"address": self.address, "weight": self.weight}), {"Content-Type": "application/json"})
            answer = c.getresponse()
            answer.read()
            status = answer.status
        c.close()
        now = time.monotonic()
        self.puts.append(Put(self.weight, now, time.time(), now - began, status))

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(self.random.uniform(0, 2 * PROGRAMS / PUTS_A_S)):
            self.put()

    def acknowledged(self) -> list[Put]:
        return [p for p in self.puts if p.status // 100 == 2]


class Documents:
    """When each node had which weight of each single program's member in force, by the wall clock."""

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes, self.first = nodes, dict[tuple[str, str], list[tuple[int, float]]]()
        self.seen = dict[str, int]()

    def read(self, node: Node) -> None:
        path = os.path.join(node.state, "effective.conf")
        with contextlib.suppress(OSError):
            with open(path) as f:
                written, text = os.fstat(f.fileno()).st_mtime_ns, f.read()
            if self.seen.get(node.name) == written:
                return
            self.seen[node.name] = written
            for begin, members in SETS.findall(text):
                at = max(datetime.datetime.fromisoformat(begin.replace("Z", "+00:00")).timestamp(), written / 1e9)
                for address, weight in MEMBER.findall(members):
                    if address.startswith("10.77.9."):
                        known = self.first.setdefault((node.name, address), [(0, 0.0)])
                        if int(weight) > known[-1][0]:
                            known.append((int(weight), at))

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(0.05):
            for node in self.nodes:
                self.read(node)

    def late_s(self, s: Single, p: Put) -> float:
        """How long after its answer the last node had this weight, or a later one, in force; infinite: a node never had."""
        return max(min((at for weight, at in self.first.get((node.name, s.address), []) if weight >= p.weight), default=float("inf"))
                   for node in self.nodes) - p.wall


class List:
    """The list of weir-sync: it changes all the time, and the last one is known."""

    def __init__(self, apis: list[str], token: str, ca: str) -> None:
        self.entries = [{"id": f"listed-{i}", "address": f"10.77.{i // 250}.{i % 250 + 1}", "weight": 1} for i in range(LISTED)]
        self.at, self.changed = 0, list[tuple[float, int]]()
        self.sync = Program([os.path.join(BUILD, "mgmt", "cli", "members", "weir-sync"), POOL, "--source", "lab", "--ttl", "30s", "--wait", "1m",
                             "--api", ",".join(apis), "--token-file", token, "--ca", ca], stdin=subprocess.PIPE)

    def write(self) -> None:
        stdin = self.sync.process.stdin
        assert stdin
        stdin.write(json.dumps(self.entries) + "\n")
        stdin.flush()

    def run(self, stop: threading.Event) -> None:
        self.write()
        while not stop.wait(LIST_S):
            for _ in range(LIST_STEP):
                e = self.entries[self.at % LISTED]
                e["weight"] = typing.cast(int, e["weight"]) % 60000 + 1
                self.at += 1
            self.write()

    def read(self, stop: threading.Event) -> None:
        """When it said how many it changed."""
        done = 0
        while not stop.wait(0.05):
            lines = self.sync.lines[done:]
            done += len(lines)
            for line in lines:
                if found := re.search(r"(\d+) put, (\d+) taken away", line):
                    self.changed.append((time.monotonic(), int(found[1]) + int(found[2])))


class Members:
    """All of them together."""

    def __init__(self, nodes: list[Node], apis: list[str], folder: str, seed: int) -> None:
        token, ca = os.path.join(folder, "token"), os.path.join(nodes[0].conf, "tls.crt")
        with open(token, "w") as f:
            f.write("otto" * 8)
        self.nodes = nodes
        self.singles = [Single(i, nodes, seed) for i in range(PROGRAMS)]
        self.documents, self.list = Documents(nodes), List(apis, token, ca)
        self.registered = [Program([os.path.join(BUILD, "mgmt", "cli", "members", "weir-register"), POOL, f"10.77.8.{i + 1}", "--id", f"registered-{i}",
                                    "--ttl", "9s", "--wait", "1m", "--api", ",".join(apis[i % 3:] + apis[:i % 3]), "--token-file", token, "--ca", ca])
                           for i in range(REGISTERED)]
        self.writing = [self.list.run, *(s.run for s in self.singles)]
        self.watching = [self.documents.run, self.list.read]

    def shown(self, node: Node) -> dict[str, typing.Any]:
        return {m["id"]: m for m in node.ask("GET", MEMBERS + "?limit=1000").json["items"]}

    def end_list(self) -> int:
        stdin = self.list.sync.process.stdin
        assert stdin
        stdin.close()
        return self.list.sync.end(120)

    def lost(self) -> list[str]:
        """Acknowledged, and not there: of the list all of the last one, of the single programs the last acknowledged or a later one."""
        found = []
        for node in self.nodes:
            shown = self.shown(node)
            found += [f"{node.name}: {e['id']}" for e in self.list.entries if shown.get(str(e["id"]), {}).get("weight") != e["weight"]]
            found += [f"{node.name}: {s.name}" for s in self.singles
                      if s.acknowledged() and shown.get(s.name, {}).get("weight", -1) < s.acknowledged()[-1].weight]
        return found

    def end_registered(self) -> list[int]:
        for p in self.registered:
            p.signal(signal.SIGTERM)
        return [p.end(120) for p in self.registered]

    def close(self) -> None:
        for p in (self.list.sync, *self.registered):
            p.close()

    def figures(self, is_calm: typing.Callable[[float], bool]) -> dict[str, typing.Any]:
        calm = [(s, p) for s in self.singles for p in s.puts if is_calm(p.at) and is_calm(p.at - p.took_s)]
        took = sorted(p.took_s for _, p in calm)
        late = sorted(self.documents.late_s(s, p) for s, p in calm if p.status // 100 == 2)
        times = [at for at, _ in self.list.changed if is_calm(at)]
        # each said number is of the time since the one before
        calm_s = sum(b - a for a, b in zip([t for t, _ in self.list.changed], [t for t, _ in self.list.changed][1:]) if is_calm(a) and is_calm(b))
        listed = sum(n for (a, _), (b, n) in zip(self.list.changed, self.list.changed[1:]) if is_calm(a) and is_calm(b))
        singles = sum(1 for _, p in calm if p.status // 100 == 2 and times and times[0] <= p.at <= times[-1])
        return {"member_changes": sum(n for _, n in self.list.changed) + sum(len(s.acknowledged()) for s in self.singles),
                "member_changes_a_s": round((listed + singles) / calm_s, 1) if calm_s else 0,
                "member_p50_ms": round(took[len(took) // 2] * 1000, 1) if took else None, "member_p99_ms": round(took[int(len(took) * 0.99)] * 1000, 1) if took else None,
                "member_in_force_p50_s": round(late[len(late) // 2], 2) if late else None, "member_in_force_s": round(late[-1], 2) if late else None,
                "member_refused": sum(1 for _, p in calm if p.status // 100 != 2)}


def settle(members: Members) -> list[str]:
    with contextlib.suppress(AssertionError):
        wait_for("all nodes have all members", lambda: not members.lost(), 30)
    return members.lost()
