#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""How long nodes that share a store take, and what they cost at rest: whole weir-mgmt at three sites, three real members of etcd.

Usage: lab_fleet_times.py [--nodes N] [--rounds N] [TEST ...]

--nodes: how many there are (12). --rounds: of each measurement (10). Adds to build/lab/fleet.json, and prints each figure with its bar; a test fails
only where something does not happen at all.
"""
from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import statistics
import sys
import time
import typing
import unittest

import fleet_figures
from etcd_cluster import Cluster as Etcd
from etcd_cluster import Member
from fleet_ways import Loop

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "unit", "mgmt"))
import counted  # noqa: E402
from api_node import Node, free_port, wait_for  # noqa: E402
from cluster3 import SITES, UNMEASURED, Server, config, node_names  # noqa: E402

BUILD = os.environ.get("WEIR_BUILD", "build")
PROGRAM = os.path.join(BUILD, "mgmt", "api", "weir-mgmt")
DNS = os.path.join(BUILD, "dns", "weir-dns")
NODES, ROUNDS = 12, 10
ID = "0123456789abcdef0123456789abcdef"
AWAY_S = 0.020  # one way between sites
REST_S = 60
TICK = os.sysconf("SC_CLK_TCK")
VERSIONS, DRAINS, MEASURED = 1000, 100, 20  # of the drains so many are operations
BY_STEPS = 4  # each such one of them goes step by step, which takes a minute; the others have one step
AT_REST = ("drained", "drained_unconfirmed", "empty")
DAY_S = 86400


class Far(Loop):
    """Ways on which each byte takes AWAY_S, in the order of their bytes."""

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                self.loop.call_later(AWAY_S, writer.write, data)
        self.loop.call_later(AWAY_S, writer.close)

    def add(self, listens: int, port: int) -> None:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
                await asyncio.gather(self.carry(reader, far_writer), self.carry(far_reader, writer))
        self.serve(listens, accept)


class Fleet:
    """Nodes with a store of three members, or one node with its own. @far: members and nodes of other sites are AWAY_S away. @dns: each has a
    weir-dns, so that operations find their levels in force."""

    def __init__(self, n_nodes: int, far: bool = False, members: int = 3, dns: bool = False) -> None:
        self.far = Far() if far else None
        self.etcd = Etcd(members, "--heartbeat-interval", "100", "--election-timeout", "1000") if members else None
        self.text = config([f"https://127.0.0.1:{free_port()}" for _ in range(n_nodes)])
        self.nodes = [Node(PROGRAM, name, self.text) for name in node_names(n_nodes)]
        self.servers = [Server(DNS, n) for n in self.nodes] if dns else []
        self.n = 0

    def endpoints(self, site: int) -> list[str]:
        """Of the members, that of the node's own site first."""
        assert self.etcd
        urls = []
        for k in range(len(self.etcd.members)):
            m = self.etcd.members[(site + k) % len(self.etcd.members)]
            port = m.client
            if self.far and k:
                port = free_port()
                self.far.add(port, m.client)
            urls.append(f"http://127.0.0.1:{port}")
        return urls

    def begin(self) -> None:
        if self.etcd and self.far:
            for m in self.etcd.members:
                m.listens = free_port()
                self.far.add(m.peer, m.listens)
        if self.etcd:
            self.etcd.start()
        for i, node in enumerate(self.nodes):
            if self.etcd:
                node.write("store.conf", json.dumps({"id": ID, "endpoints": self.endpoints(i % len(SITES))}))
                os.chmod(os.path.join(node.conf, "store.conf"), 0o640)
            node.start()
        for server in self.servers:
            server.start()
        limit_s = 60 + 3 * len(self.nodes)
        wait_for("the first version", lambda: self.apply(self.nodes[0]) == 201, limit_s)  # members begin at the same time
        wait_for("all have the first version", lambda: len({n.ask("GET", "/v1/config").json.get("digest") for n in self.nodes}) == 1, limit_s)

    def apply(self, node: Node) -> int:
        self.n += 1
        return node.apply(node.files("weight = 100", f"weight = {100 + self.n}"), pending="confirm", confirm_within="none").status

    def time_applies(self, node: Node, n: int) -> list[float]:
        times = []
        for _ in range(n):
            began = time.monotonic()
            assert self.apply(node) == 201
            times.append(time.monotonic() - began)
        return times

    def close(self) -> None:
        for server in self.servers:
            server.stop()
        for node in self.nodes:
            node.close()
        if self.etcd:
            self.etcd.close()
        if self.far:
            self.far.close()


def told(key: str, value: float | None, bar: str = "") -> None:
    fleet_figures.add({key: round(value, 3) if value is not None else None})
    print(f"  {key:34} {'not measured' if value is None else f'{value:.3f}':>14}  {bar}")


def processor_s(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


class Times(unittest.TestCase):
    def begin(self, *a: typing.Any, **more: typing.Any) -> Fleet:
        fleet = Fleet(*a, **more)
        self.addCleanup(fleet.close)
        fleet.begin()
        return fleet

    def test_a_distance_costs_an_apply_little(self) -> None:
        """At one node with its own store, at three with a store nearby, and at three with 40 ms between sites; in turns."""
        fleets = {"alone": self.begin(1, members=0), "near": self.begin(3), "far": self.begin(3, far=True)}
        times: dict[str, list[float]] = {name: [] for name in fleets}
        for _ in range(ROUNDS):
            for name, fleet in fleets.items():
                times[name] += fleet.time_applies(fleet.nodes[0], 1)
        for name, t in times.items():
            told(f"apply_{name}_s", statistics.median(t), "the median")
        told("apply_far_more_s", statistics.median(times["far"]) - statistics.median(times["alone"]), "<= 0.5")

    def next_change_s(self, fleet: Fleet, node: Node) -> float:
        """Until a change is acknowledged; whoever is refused tries again."""
        began = time.monotonic()
        wait_for("the next change", lambda: fleet.apply(node) == 201, 60)
        return time.monotonic() - began

    def test_b_the_leader_of_the_store_dies(self) -> None:
        fleet = self.begin(3)
        assert fleet.etcd
        for key, number in (("leader_killed_s", signal.SIGKILL), ("leader_stopped_s", signal.SIGSTOP)):
            times = []
            for i in range(max(ROUNDS // 3, 1)):
                leader: Member = fleet.etcd.leader()
                leader.kill(number)
                times.append(self.next_change_s(fleet, fleet.nodes[i % 3]))
                if number == signal.SIGKILL:
                    leader.stop()
                    leader.start()
                else:
                    leader.kill(signal.SIGCONT)
                wait_for("all members are there", lambda: all(m.is_ready() for m in fleet.etcd.members), 30)
            told(key, max(times), "<= 5, the longest")

    def drained_everywhere_s(self, fleet: Fleet, node: Node) -> tuple[float, int]:
        """Until the effective document of each node has it."""
        began = time.monotonic()
        answer = node.command("drain", {"site": "ams"}, until="never")
        assert answer.status in (200, 201, 202), answer.raw
        id = answer.json["override"]["id"]
        wait_for("all have the drain", lambda: all(id in n.effective() for n in fleet.nodes), 30)
        took = time.monotonic() - began
        assert node.command("undrain", {"site": "ams"}, now=True).status in (200, 202)
        wait_for("all have its end", lambda: not any(f'id = "{id}"' in n.effective() and "ended = false" in n.effective().partition(id)[2][:900] for n in fleet.nodes), 30)
        return took, answer.status

    def test_c_a_drain_comes_to_all_nodes(self) -> None:
        fleet = self.begin(NODES)
        assert fleet.etcd
        for key, bar in (("drain_everywhere_s", "<= 2, the longest"), ("drain_everywhere_without_store_s", "<= 3, the longest")):
            if key.endswith("store_s"):
                for m in fleet.etcd.members:
                    m.stop()
            told(key, max(self.drained_everywhere_s(fleet, fleet.nodes[i % NODES])[0] for i in range(ROUNDS)), bar)

    def test_d_what_rest_costs(self) -> None:
        fleet = self.begin(NODES)
        assert fleet.etcd
        time.sleep(10)  # what follows on the start takes so long
        pids = {n.name: n.process.pid for n in fleet.nodes if n.process}
        members = {m.name: m.process.pid for m in fleet.etcd.members if m.process}
        before = {name: processor_s(pid) for name, pid in {**pids, **members}.items()}
        time.sleep(REST_S)  # rest is what is measured
        share = {name: 100 * (processor_s(pid) - before[name]) / REST_S for name, pid in {**pids, **members}.items()}
        told("idle_mgmt_percent", max(share[n] for n in pids), f"of a core, the most of {NODES} nodes")
        told("idle_etcd_percent", max(share[n] for n in members), "<= 3")

    def operate(self, fleet: Fleet, node: Node, **how: typing.Any) -> None:
        """A drain by measurement; at its end a person takes the site back, which ends it."""
        answer = node.ask("POST", "/v1/operations", {"do": "drain", "sites": ["ams"], "reason": "a test", "override_guards": UNMEASURED, **how})
        assert answer.status == 201, answer.raw
        id = answer.json["id"]

        def record() -> typing.Any:
            return node.ask("GET", f"/v1/operations/{id}").json
        try:
            wait_for("", lambda: record()["state"] in AT_REST, 120)
        except AssertionError:
            raise AssertionError(f"it does not come to rest: {record()}") from None
        self.take_back(fleet, node)
        wait_for("it is over", lambda: record()["state"] == "aborted", 60)

    def take_back(self, fleet: Fleet, node: Node) -> None:
        answer = node.command("undrain", {"site": "ams"}, now=True)
        assert answer.status in (200, 202), answer.raw
        wait_for("all have it", lambda: not any(o["level_ppm"] for n in fleet.nodes for o in n.ask("GET", "/v1/overrides").json["items"]), 30)

    def drain_by_clock(self, fleet: Fleet, node: Node) -> None:
        answer = node.command("drain", {"site": "ams"}, until="+1h", now=True)
        assert answer.status in (200, 201, 202), answer.raw
        self.take_back(fleet, node)

    def test_e_what_the_store_holds_stays_small(self) -> None:
        """Nothing is compacted meanwhile: this is the most that it can be."""
        fleet = self.begin(3, dns=True)
        assert fleet.etcd
        part = min(ROUNDS, 10) / 10
        n, n_drains, n_measured = (round(count * part) for count in (VERSIONS, DRAINS, MEASURED))
        began = time.monotonic()
        fleet.time_applies(fleet.nodes[0], n)
        told("versions_made", n, f"in {time.monotonic() - began:.0f} s")
        self.tell_database(fleet, "versions_")
        for i in range(n_measured):
            how: dict[str, typing.Any] = {"now": True} if i % BY_STEPS else {"over": "10s"}
            self.operate(fleet, fleet.nodes[1 + i % 2], **how)
        for i in range(n_drains - n_measured):
            self.drain_by_clock(fleet, fleet.nodes[1 + i % 2])
        told("drains_made", n_drains, f"of which {n_measured} were operations, in {time.monotonic() - began:.0f} s")
        self.tell_database(fleet, "")
        before = fleet.etcd.leader().status()
        time.sleep(REST_S)  # what rest writes
        after = fleet.etcd.leader().status()
        writes = int(after["header"]["revision"]) - int(before["header"]["revision"])
        entries = int(after["raftIndex"]) - int(before["raftIndex"])
        told("idle_changes", writes, f"of keys, in {REST_S} s")
        told("idle_changes_a_day", writes * DAY_S / REST_S, "projected")
        told("idle_log_entries_a_day", entries * DAY_S / REST_S, "projected; they go to the log")
        grown = int(after["dbSize"]) - int(before["dbSize"])
        told("database_a_day_later_mib", (int(after["dbSize"]) + grown * DAY_S / REST_S) / 2 ** 20, "<= 32, projected")

    def tell_database(self, fleet: Fleet, when: str) -> None:
        """The largest of the members."""
        assert fleet.etcd
        status = [m.status() for m in fleet.etcd.members]
        told(f"database_{when}mib", max(int(s["dbSize"]) for s in status) / 2 ** 20, "<= 32")
        told(f"database_{when}in_use_mib", max(int(s["dbSizeInUse"]) for s in status) / 2 ** 20)
        told(f"revision_{when}".rstrip("_"), int(status[0]["header"]["revision"]))


if __name__ == "__main__":
    ROUNDS, NODES = counted.read_rounds(ROUNDS), counted.read_number("--nodes", NODES)
    counted.main()
