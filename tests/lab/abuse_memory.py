# SPDX-License-Identifier: BSD-2-Clause
"""Each process of a node at a memory limit, with clients: bodies of 31 MiB and documents that take too much are refused, the old
document stays in force, and nobody else notices.

The limit is RLIMIT_AS: beyond it an allocation fails, which is what must end no process. (A cgroup's memory.max lets no
allocation fail; the kernel ends the process there.) It is set for processes that run, some MiB above what each has mapped.
"""
from __future__ import annotations

import http.client
import json
import os
import re
import resource
import socket
import threading
import time
import typing

import plan as planning
from books import check_node
from net import Lab, say, wait_until
from watch import Crowd, now_ms
from world import World

if typing.TYPE_CHECKING:
    from report import Report
    from world import Node

BODY = 31 << 20
# MiB above what is mapped: the bodies' budgets fit into the first of weir-mgmt, not into its second; the tables of 900 pools
# not into that of weir-dataplane.
ROOM = {"dataplane": 2, "health": 2, "dns": 2}
ROOM_MGMT, ROOM_MGMT_TIGHT = 768, 24
HARMLESS = 100
MORE_POOLS, PER_POOL = 900, 16


def mapped(pid: int) -> int:
    with open(f"/proc/{pid}/statm") as f:
        return int(f.read().split()[0]) * resource.getpagesize()


def pid_of(node: Node, process: str) -> int:
    pids = node.pids(process)
    return pids[0] if len(pids) == 1 else 0


def limit(node: Node, process: str, room_mb: int | None) -> None:
    """Set the limit of a process that runs; None: take it back."""
    pid = pid_of(node, process)
    most = resource.RLIM_INFINITY if room_mb is None else mapped(pid) + (room_mb << 20)
    resource.prlimit(pid, resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))


def in_force(node: Node, process: str) -> int:
    """The number of the document that the process has in force; 0: none, or it does not say."""
    _, answer = node.api("GET", "/v1/status")
    return next((p["document"] or 0 for p in answer["processes"] if p["process"] == process), 0)


def bodies(text: str) -> list[tuple[str, str, bytes]]:
    """Hostile requests: (what, path, body)."""
    def check(config: str) -> bytes:
        return json.dumps({"files": {"weir.conf": config}}).encode()
    empty = ",".join(["{}"] * 900000)
    return [
        ("spaces", "/v1/config/check", check(" " * (BODY - 100))),
        ("no JSON", "/v1/config/check", b"{" * BODY),
        ("many values", "/v1/config/plan", b'{"files": [' + b"1," * (BODY // 2 - 10) + b"1]}"),
        ("empty nodes", "/v1/config/check", check(text.replace("nodes = (", f"nodes = ({empty},", 1))),
        ("empty ports", "/v1/config/check", check(text.replace("ports = (", f"ports = ({empty},", 1))),
        ("empty backends", "/v1/config/plan", check("schema = 1; pools = (" + ",".join(
            ["{ backends = (" + ",".join(["{}"] * 9900) + "); }"] * 90) + ");")),
        ("a comment", "/v1/config/apply", json.dumps(
            {"reason": "lab", "files": {"weir.conf": "#" + "c" * (BODY - 200)}}).encode())]


class Hostile(threading.Thread):
    """Sends all bodies, one after the other; what each was answered."""

    def __init__(self, node: Node, requests: list[tuple[str, str, bytes]], first: int) -> None:
        super().__init__(daemon=True)
        self.node, self.requests = node, requests[first:] + requests[:first]
        self.answers: list[tuple[str, int]] = []

    def run(self) -> None:
        for what, path, body in self.requests:
            try:
                status = send(self.node, "POST", path, body)
            except (OSError, http.client.HTTPException):
                status = 0  # closed, which is a refusal, too
            self.answers.append((what, status))


def send(node: Node, method: str, path: str, body: bytes | None = None) -> int:
    c = http.client.HTTPConnection("weir", timeout=90)
    c.sock = socket.socket(socket.AF_UNIX)
    c.sock.settimeout(90)
    try:
        c.sock.connect(os.path.join(node.run_dir, "api.sock"))
        c.request(method, path, body, {"Content-Type": "application/json", "If-Match": "*"} if body else {})
        answer = c.getresponse()
        answer.read()
        return answer.status
    finally:
        c.close()


def ask_harmless(node: Node) -> dict[int, int]:
    """{status: how many} of 100 requests, 0 for one without an answer."""
    statuses: dict[int, int] = {}
    for i in range(HARMLESS):
        try:
            status = send(node, "GET", ("/v1/node", "/v1/status", "/v1/overrides", "/metrics")[i % 4])
        except (OSError, http.client.HTTPException):
            status = 0
        statuses[status] = statuses.get(status, 0) + 1
    return statuses


def lost_queries(world: World, server: str) -> int:
    """Of 100 queries."""
    answers = world.client.run(["kdig", f"@{server}", "+short", "+timeout=2", "+retry=0", *[world.plan.name] * HARMLESS], check=False,
                               timeout=240) or ""
    return HARMLESS - sum(bool(re.fullmatch(r"[0-9.]+", line)) for line in answers.splitlines())


def beside_hostile(report: Report, world: World, node: Node, what: str, all_answered: bool, at_a_time: int) -> None:
    text = planning.config_text(world.plan)
    before = {p: (pid_of(node, p), in_force(node, p)) for p in ROOM}
    mgmt = pid_of(node, "mgmt")
    hostile = [Hostile(node, bodies(text), i) for i in range(at_a_time)]
    for h in hostile:
        h.start()
    statuses: dict[int, int] = {}
    lost = 0
    while any(h.is_alive() for h in hostile) or not statuses:
        for status, n in ask_harmless(node).items():
            statuses[status] = statuses.get(status, 0) + n
        lost += lost_queries(world, world.sites[0].plan.dns4)
    say(f"{what}: harmless {statuses}; hostile {[h.answers for h in hostile]}")
    report.check(sum(statuses.values()) >= HARMLESS, f"{what}: harmless requests", statuses)
    if all_answered:
        report.equal(set(statuses), {200}, f"{what}: what harmless requests were answered")
    else:
        report.check(set(statuses) <= {200, 503}, f"{what}: harmless requests are answered, or refused for want of memory", statuses)
    report.equal([a for h in hostile for a in h.answers if 200 <= a[1] < 300], [], f"{what}: hostile requests that were taken")
    report.equal(lost, 0, f"{what}: queries without an answer")
    report.equal(pid_of(node, "mgmt"), mgmt, f"{what}: weir-mgmt lives")
    report.equal(ask_harmless(node), {200: HARMLESS}, f"{what}: harmless requests afterwards")
    report.equal({p: (pid_of(node, p), in_force(node, p)) for p in ROOM}, before, f"{what}: processes, and their documents")


def apply_large(report: Report, world: World, node: Node) -> None:
    """A good document that the other processes have no memory for: each keeps the old one, and takes it when there is memory again."""
    pools = ",\n".join(f'{{ name = "more-{i}"; site = "ams"; check = "web"; mode = "ipip"; max_backends = {PER_POOL}; backends = ('
                       + ", ".join(f'{{ name = "b{k}"; address = "10.{100 + i // 250}.{i % 250}.{k + 1}"; weight = 1; }}'
                                   for k in range(PER_POOL)) + "); }" for i in range(MORE_POOLS))
    text = planning.config_text(world.plan).replace("pools = (", f"limits = {{ slots = 8388608; }};\npools = (\n{pools},", 1)
    zone = planning.zone_text(world.plan)
    before = {p: (pid_of(node, p), in_force(node, p)) for p in ROOM}
    status, answer = node.api("POST", "/v1/config/apply", {"reason": "lab", "confirm_within": "none", "files": {
        "weir.conf": text, f"{world.plan.zone}.zone": zone}}, headers={"If-Match": "*"})
    report.check(status in (200, 201, 202), "a large document is applied", str(answer)[:300])

    def decided() -> dict[str, str]:
        """What each process has come to: "took it", or that it has no memory for it."""
        why = node.weir_json("status")["why"]
        newest = node.api("GET", "/v1/status")[1]["document"]
        return {p: "took it" if in_force(node, p) == newest else
                "no memory" if any(p in w and "memory" in w for w in why) else str(why) for p in ROOM}
    report.wait(lambda: set(decided().values()) <= {"took it", "no memory"}, 60, "each process took it, or says that it has no memory", 0.5)
    report.equal(decided()["dataplane"], "no memory", "weir-dataplane has none for the tables")
    report.equal(lost_queries(world, world.sites[0].plan.dns4), 0, "queries without an answer meanwhile")
    report.equal({p: pid_of(node, p) for p in ROOM}, {p: before[p][0] for p in ROOM}, "each lives")
    report.wait(lambda: in_force(node, "dataplane") == before["dataplane"][1], 20, "and has the old document in force", 0.2)
    for process in ROOM:
        limit(node, process, None)
    for process in ROOM:
        report.wait(lambda p=process: in_force(node, p) > before[p][1], 60, f"weir-{process} takes it when there is memory", 0.5)
    report.equal({p: pid_of(node, p) for p in ROOM}, {p: before[p][0] for p in ROOM}, "the same processes")


def run(report: Report, quick: bool) -> dict[str, typing.Any]:
    with Lab("abuse_memory") as lab:
        world = World(lab, planning.simple(1, 3), resolvers=())
        site, node = world.sites[0], world.sites[0].node
        node.write_config()
        site.start_backends()
        node.start_supervised()
        site.wait_until_forwarding()
        node.wait_until_well()
        client = world.start_client("crowd", 50 if quick else 200, targets=site.plan.vips)
        crowd = Crowd(f"{lab.dir}/crowd.requests", client, {v: "ams" for v in site.plan.vips})
        for process, room in ROOM.items():
            limit(node, process, room)
        limit(node, "mgmt", ROOM_MGMT)
        beside_hostile(report, world, node, "with room", True, 2 if quick else 3)
        limit(node, "mgmt", ROOM_MGMT_TIGHT)
        beside_hostile(report, world, node, "without room", False, 2 if quick else 3)
        limit(node, "mgmt", None)
        apply_large(report, world, node)
        crowd.wait_ended(now_ms())
        failed = [r for r in crowd.requests if r.result != "ok"]
        report.check(len(crowd.requests) > 200, "connections meanwhile", len(crowd.requests))
        report.equal(failed[:5], [], "connections that failed")
        client.signal(15)
        time.sleep(1)  # what is under way ends
        report.step(check_node, report, node)
        return {"connections": len(crowd.requests), "failed": len(failed)}
