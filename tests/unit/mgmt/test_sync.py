#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""weir-sync against two real nodes with a real store: lists come into force, hostile ones do not, and jq makes them of others' JSON.

Usage: test_sync.py WEIR_MGMT WEIR_SYNC SOURCE_DIR
"""
from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import typing
import unittest

from api_node import wait_for
from members_world import MEMBERS, Program, World

ROOT = sys.argv.pop()
SYNC = sys.argv.pop()
MGMT = sys.argv.pop()
List = list[dict[str, typing.Any]]


def numbered(*numbers: int, **more: typing.Any) -> List:
    return [{"id": f"s{i}", "address": f"10.1.{4 + i // 250}.{i % 250 + 1}", **more} for i in numbers]


class Sync(unittest.TestCase):
    world: typing.ClassVar[World]

    @classmethod
    def setUpClass(cls) -> None:
        cls.world = World(MGMT)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.world.close()

    def setUp(self) -> None:
        self.addCleanup(self.world.clear)

    def write(self, value: typing.Any, name: str = "list.json") -> str:
        path = self.world.path(name)
        with open(path + ".new", "w") as f:
            f.write(value if isinstance(value, str) else json.dumps(value))
        os.rename(path + ".new", path)
        return path

    def begin(self, *words: str, source: str = "k8s", options: list[str] | None = None, **more: typing.Any) -> Program:
        p = Program([SYNC, "web", *words, "--source", source, *(self.world.options() if options is None else options)], **more)
        self.addCleanup(p.close)
        return p

    def sync(self, value: typing.Any, *words: str, status: int = 0, **more: typing.Any) -> Program:
        """A list from a file, once."""
        p = self.begin(self.write(value), *words, **more)
        self.assertEqual(p.end(), status, p.lines)
        return p

    def stays(self, at: int = 0) -> dict[str, typing.Any]:
        return {name: m for name, m in self.world.members(at).items() if m["state"] != "leaving"}

    def names(self) -> list[str]:
        return sorted(self.stays())

    def test_a_list_comes_into_force_and_changes(self) -> None:
        p = self.sync(numbered(1, 2, 3, labels={"zone": "a"}))
        self.assertTrue(p.said("web: 3 put, 0 taken away, 0 as they were"), p.lines)
        self.assertEqual(self.names(), ["s1", "s2", "s3"])
        self.assertEqual(self.stays()["s1"]["labels"], {"source": "k8s", "zone": "a"})
        self.assertEqual(self.sync(numbered(1, 2, 3, labels={"zone": "a"})).lines, [])
        p = self.sync([*numbered(1, 2, labels={"zone": "a"}), *numbered(4, weight=7)])
        self.assertTrue(p.said("web: 1 put, 1 taken away, 2 as they were"), p.lines)
        self.assertEqual(self.names(), ["s1", "s2", "s4"])
        self.assertEqual(self.stays()["s4"]["weight"], 7)

    def test_others_are_never_touched(self) -> None:
        self.assertEqual(self.world.nodes[0].ask("PUT", f"{MEMBERS}/by-hand", {"address": "10.1.3.1", "labels": {"source": "k8s-2"}}).status, 201)
        self.assertEqual(self.world.nodes[0].ask("PUT", f"{MEMBERS}/plain", {"address": "10.1.3.2"}).status, 201)
        self.sync(numbered(1, 2))
        self.sync(numbered(5, 6), source="consul")
        self.sync(numbered(2))
        self.assertEqual(self.names(), ["by-hand", "plain", "s2", "s5", "s6"])
        for bad, text in (({"id": "plain", "address": "10.1.3.2"}, "plain is a backend, or a member, of others"),
                          ({"id": "s5", "address": "10.1.4.6"}, "s5 is a backend"), ({"id": "x", "address": "10.1.3.1"}, "is the address of by-hand"),
                          ({"id": "b1", "address": "10.1.3.9"}, "b1 is a backend"), ({"id": "x", "address": "10.1.1.11"}, "is the address of b1")):
            p = self.sync([*numbered(2, 3), bad], status=1)
            self.assertTrue(p.said(text), p.lines)
        self.assertEqual(self.names(), ["by-hand", "plain", "s2", "s5", "s6"])

    def test_a_wrong_list_is_refused_whole_before_anything_is_sent(self) -> None:
        self.sync(numbered(1, 2))
        many = numbered(*range(3000))
        for bad, text in (("", "line 1"), ([], "it is empty"), ({}, "no array"), ([*numbered(1, 2, 3), *numbered(3)], "s3 is there twice"),
                          ([*numbered(1, 2), {"id": "x", "address": "10.1.4.2"}], "10.1.4.2 is the address of"),
                          ([*numbered(1, 2), {"id": "x", "address": "10.2.0.1"}, {"id": "y", "address": "10.3.0.1"}], "y: 10.3.0.1 is in none"),
                          ([*numbered(1, 2), {"id": "x"}], "address"), (many, "max_backends is 3000"),
                          ('[{"id": "a", "id": "b", "address": "10.1.4.9"}]', "duplicate"), ("[" * 100000, "")):
            p = self.sync(bad, status=1)
            self.assertTrue(p.said("the list is refused, and nothing is changed"), p.lines)
            self.assertTrue(p.said(text), p.lines)
        self.assertEqual(self.names(), ["s1", "s2"])

    def test_a_list_that_lost_more_than_half_is_refused(self) -> None:
        self.sync(numbered(*range(10)))
        p = self.sync(numbered(0, 1, 2, 3), status=2)
        self.assertTrue(p.said("6 of the 10 members of k8s would leave; if that is right, give --allow-shrink"), p.lines)
        self.sync(numbered(*range(20, 30)), status=2)  # as many, but others
        self.assertEqual(len(self.names()), 10)
        self.sync(numbered(0, 1, 2, 3, 4))
        self.assertEqual(len(self.names()), 5)
        self.sync(numbered(0), "--allow-shrink")
        self.assertEqual(self.names(), ["s0"])

    def test_a_dry_run_changes_nothing(self) -> None:
        self.sync(numbered(1, 2))
        p = self.sync([*numbered(1, weight=5), *numbered(3)], "--dry-run")
        self.assertEqual(p.output, "+ s1 10.1.4.2\n+ s3 10.1.4.4\n- s2 10.1.4.3\n")
        p = self.sync([*numbered(1), *numbered(3)], "--dry-run", "--json")
        self.assertEqual(json.loads(p.output), {"put": [{"id": "s3", "address": "10.1.4.4", "weight": 100, "labels": {"source": "k8s"}}], "delete": ["s2"]})
        self.assertEqual(self.names(), ["s1", "s2"])
        self.sync(numbered(7), "--dry-run", status=2)

    def test_fifteen_hundred_members_in_one_list(self) -> None:
        began = time.monotonic()
        p = self.sync(numbered(*range(1500)))
        took_s = time.monotonic() - began
        self.assertTrue(p.said("web: 1500 put"), p.lines)
        self.assertLess(took_s, 60)  # some six seconds, and a sanitizer on a busy machine
        wait_for("the other node has them", lambda: len(self.stays(1)) == 1500, 10)
        began = time.monotonic()
        self.assertEqual(self.sync(numbered(*range(1500))).lines, [])
        self.assertLess(time.monotonic() - began, 5)
        p = self.sync(numbered(*range(1000, 2400)), "--allow-shrink")
        self.assertTrue(p.said("web: 900 put, 1000 taken away, 500 as they were"), p.lines)
        self.assertEqual(sorted(self.names()), sorted(f"s{i}" for i in range(1000, 2400)))

    def test_an_address_that_goes_to_another_name(self) -> None:
        self.sync(numbered(1, 2, 3))
        p = self.sync([*numbered(1, 2), {"id": "new", "address": "10.1.4.4"}])
        self.assertEqual(p.lines, ["weir-sync: web: 1 put, 1 taken away, 2 as they were"])
        self.assertEqual(self.names(), ["new", "s1", "s2"])

    def test_a_name_with_another_address_waits_until_it_is_gone(self) -> None:
        self.sync(numbered(1, 2, 3))
        wait_for("the first to be in force", lambda: self.stays()["s3"]["state"] == "member")
        moved = [*numbered(1, 2), {"id": "s3", "address": "10.1.4.77"}]
        self.sync(moved, "--wait", "0", status=6)
        self.assertEqual(self.names(), ["s1", "s2"])
        self.sync(moved, "--wait", "30s")
        self.assertEqual(self.stays()["s3"]["address"], "10.1.4.77")

    def test_lines_are_lists_and_the_newest_counts(self) -> None:
        p = self.begin(stdin=subprocess.PIPE)
        stdin = p.process.stdin
        assert stdin
        stdin.write(json.dumps(numbered(1, 2)) + "\n")
        stdin.flush()
        p.wait_said("2 put")
        stdin.write("".join(json.dumps(numbered(1, 2, *range(3, k))) + "\n" for k in range(4, 40)))
        stdin.flush()
        wait_for("the newest", lambda: len(self.names()) == 38)
        self.assertLess(len(p.lines), 20)
        stdin.write("nonsense\n")
        stdin.flush()
        p.wait_said("the list is refused")
        stdin.write(json.dumps(numbered(*range(1, 41))))  # without an end of line
        stdin.close()
        self.assertEqual(p.end(), 0, p.lines)
        self.assertEqual(len(self.names()), 40)
        p = self.begin(stdin=subprocess.PIPE)
        assert p.process.stdin
        p.process.stdin.write(json.dumps(numbered(1, 2)) + "\n[]\n")
        p.process.stdin.close()
        self.assertEqual(p.end(), 1, p.lines)  # of the last list

    def test_members_are_renewed_while_lists_may_come(self) -> None:
        p = self.begin("--ttl", "6s", stdin=subprocess.PIPE)
        assert p.process.stdin
        p.process.stdin.write(json.dumps(numbered(*range(1, 1201))) + "\n")
        p.process.stdin.flush()
        p.wait_said("1200 put")
        p.process.stdin.write("[]\n" + json.dumps(numbered(1)) + "\n")  # refused: the former is renewed
        p.process.stdin.flush()
        p.wait_said("1199 of the 1200")
        time.sleep(14)  # more than a ttl and its grace
        self.assertEqual({m["state"] for m in self.world.members().values()}, {"member"})
        self.assertEqual(self.world.nodes[0].ask("DELETE", f"{MEMBERS}/s7").status, 200)
        wait_for("it to be put again", lambda: "s7" in self.stays(), 10)
        p.signal(signal.SIGTERM)
        self.assertEqual(p.end(), 0)
        self.assertEqual(len(self.names()), 1200)

    def test_a_file_is_followed(self) -> None:
        path = self.write(numbered(1, 2))
        p = self.begin(path, "--follow")
        p.wait_said("2 put")
        self.write(numbered(1, 2, 3))
        p.wait_said("1 put")
        os.unlink(path)
        time.sleep(2.5)  # looks at a file that is not there
        self.write("[")
        p.wait_said("the list is refused")
        self.write(numbered(1, 3))
        p.wait_said("0 put, 1 taken away")
        p.signal(signal.SIGINT)
        self.assertEqual(p.end(), 0)
        self.assertEqual(self.names(), ["s1", "s3"])

    def test_a_node_dies_in_the_middle(self) -> None:
        p = self.begin(self.write(numbered(*range(800))))
        wait_for("some", lambda: len(self.stays(1)) > 100)
        self.world.nodes[0].stop(signal.SIGKILL)
        try:
            self.assertEqual(p.end(), 0, p.lines)
        finally:
            self.world.nodes[0].start()
        wait_for("all", lambda: len(self.stays(0)) == len(self.stays(1)) == 800)

    def test_the_store_is_away(self) -> None:
        self.sync(numbered(1, 2))
        etcd = self.world.etcd.members[0]
        etcd.stop()
        try:
            p = self.sync(numbered(1, 2, 3), "--wait", "3s", status=3)
            self.assertTrue(p.said("store"), p.lines)
            q = self.begin(self.write(numbered(1, 2, 4)), "--wait", "1m")
            q.wait_said("it is tried again", 40)
        finally:
            etcd.start("--initial-cluster-state", "existing")
        self.assertEqual(q.end(), 0)
        self.assertEqual(self.names(), ["s1", "s2", "s4"])

    def test_a_token_without_the_scope_is_denied(self) -> None:
        for token in ("poor", "vera"):
            self.sync(numbered(1), status=7, options=self.world.options(token=token))
        self.assertEqual(self.names(), [])

    def test_lists_that_the_filters_make(self) -> None:
        for name, answer, n in (("kubernetes", SLICES, 3), ("consul", CONSUL, 4), ("nomad", NOMAD, 2)):
            p = self.sync(Filters.made(name, answer), source=name)
            self.assertTrue(p.said(f"web: {n} put"), p.lines)
            self.world.clear()

    def test_options_that_are_wrong(self) -> None:
        path = self.write(numbered(1))
        for words, text in ((["--ttl", "1s"], "--ttl"), (["--source"], "--source"), (["--follow", "--wait", "x"], "--wait"), ([path, "more"], "one argument")):
            p = Program([SYNC, "web", path, "--source", "k8s", *words])
            self.addCleanup(p.close)
            self.assertEqual(p.end(), 1)
            self.assertTrue(p.said(text), p.lines)
        rows: list[list[str]] = [["web", path], ["web", path, "--source", "A"], ["../x", path, "--source", "a"], ["web", "--source", "a", "--follow"],
                      ["web", "/nonexistent", "--source", "a"], []]
        for wrong in rows:
            p = Program([SYNC, *wrong], stdin=subprocess.DEVNULL)
            self.addCleanup(p.close)
            self.assertEqual(p.end(), 1, wrong)
        shown = subprocess.run([SYNC, "--help"], capture_output=True, text=True, check=True).stdout
        self.assertTrue(shown.startswith("weir-sync POOL [FILE]\n"), shown)
        self.assertIn("Exit status: 0 done", shown)
        p = Program([SYNC, "nopool", path, "--source", "k8s", *self.world.options(token="rex")])
        self.addCleanup(p.close)
        self.assertEqual(p.end(), 1)
        p = Program([SYNC, "still", path, "--source", "k8s", *self.world.options(token="poor")])
        self.addCleanup(p.close)
        self.assertEqual(p.end(), 1)
        self.assertTrue(p.said("has no registration"), p.lines)


SLICES = {"apiVersion": "v1", "kind": "List", "items": [
    {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
     "metadata": {"name": "web-abc", "namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
     "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
     "endpoints": [
         {"addresses": ["10.1.8.1"], "conditions": {"ready": True, "serving": True, "terminating": False}, "nodeName": "n1", "zone": "eu-1a",
          "targetRef": {"kind": "Pod", "name": "web-7d9f-x2", "namespace": "shop", "uid": "5e0d"}},
         {"addresses": ["10.1.8.2"], "conditions": {"ready": False, "serving": True, "terminating": True}, "nodeName": "n2", "zone": "eu-1b"},
         {"addresses": ["10.1.8.3"], "conditions": {}}, {"addresses": ["10.1.8.4"]}]},
    {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4", "metadata": {"name": "web-def"}, "ports": None,
     "endpoints": [{"addresses": ["10.1.8.1"], "conditions": {"ready": True}, "zone": "eu-1a"}]},
    {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4", "metadata": {"name": "web-none"}, "endpoints": None},
    {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv6", "metadata": {"name": "web-6"},
     "endpoints": [{"addresses": ["fd00:1::1"], "conditions": {"ready": True}}]}]}


def instance(node: str, address: str, *states: str, **weights: int) -> dict[str, typing.Any]:
    return {"Node": {"ID": "40e4", "Node": "foobar", "Address": node, "Datacenter": "dc1", "TaggedAddresses": {"lan": node, "wan": node}, "Meta": {}},
            "Service": {"ID": "web", "Service": "web", "Tags": ["primary"], "Address": address, "Port": 8000, "Weights": weights or None, "Meta": {}},
            "Checks": [{"Node": "foobar", "CheckID": f"c{i}", "Name": "c", "Status": s, "ServiceID": "web"} for i, s in enumerate(states)]}


CONSUL = [instance("10.1.8.1", "", "passing", "passing", Passing=3, Warning=1), instance("10.1.9.9", "10.1.8.2", "passing", "warning", Passing=1, Warning=1),
          instance("10.1.8.3", "", "passing", "critical", Passing=1), instance("10.1.8.4", "", Passing=5000), instance("10.1.8.5", "", "passing")]
NOMAD = [{"Address": f"10.1.8.{i}", "AllocID": "17a4", "CreateIndex": 18, "Datacenter": "dc1", "ID": f"_nomad-task-{i}", "JobID": "web", "ModifyIndex": 18,
          "Namespace": "default", "NodeID": "7406", "Port": 29702 + k, "ServiceName": "web", "Tags": ["blue"]} for k, i in enumerate((1, 1, 2))]


class Filters(unittest.TestCase):
    """The filters of the handbook, run by jq over what the other systems answer."""

    @staticmethod
    def made(name: str, answer: typing.Any) -> List:
        with open(os.path.join(ROOT, "docs", "handbook.md")) as f:
            filters = dict(re.findall(r"```jq\n# (\w+)\.jq\n(.*?)```", f.read(), re.S))
        done = subprocess.run(["jq", "-c", filters[name]], input=json.dumps(answer), capture_output=True, text=True, check=True)
        assert done.stdout.count("\n") == 1  # a line
        return typing.cast(List, json.loads(done.stdout))

    def test_kubernetes(self) -> None:
        self.assertEqual(self.made("kubernetes", SLICES), [
            {"id": "ip-10-1-8-1", "address": "10.1.8.1", "labels": {"zone": "eu-1a"}}, {"id": "ip-10-1-8-3", "address": "10.1.8.3", "labels": {}},
            {"id": "ip-10-1-8-4", "address": "10.1.8.4", "labels": {}}])

    def test_consul(self) -> None:
        self.assertEqual([(m["address"], m["weight"], m["labels"]) for m in self.made("consul", CONSUL)],
                         [("10.1.8.1", 300, {"dc": "dc1"}), ("10.1.8.2", 100, {"dc": "dc1"}), ("10.1.8.4", 65535, {"dc": "dc1"}), ("10.1.8.5", 100, {"dc": "dc1"})])

    def test_nomad(self) -> None:
        self.assertEqual(self.made("nomad", NOMAD), [{"id": f"ip-10-1-8-{i}", "address": f"10.1.8.{i}", "labels": {"dc": "dc1"}} for i in (1, 2)])


if __name__ == "__main__":
    unittest.main(verbosity=2)
