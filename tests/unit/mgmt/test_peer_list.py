#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A real weir-mgmt whose peers leave the document and come back: what each of the others has said stays its own.

Usage: test_peer_list.py WEIR_MGMT
"""
from __future__ import annotations

import shutil
import sys
import time
import typing
import unittest

import counted
from api_node import Node, free_port, wait_for
from cluster3 import config, node_names
from fake_peer import Peer
from shared_store import shared

PROGRAM = sys.argv.pop()
TOKEN = "p" * 40


class PeerList(unittest.TestCase):
    maxDiff = None

    def setUp(self) -> None:
        names = node_names(7)
        ports = [free_port() for _ in names]
        self.node = Node(PROGRAM, names[0], config([f"https://127.0.0.1:{p}" for p in ports]))
        self.enterContext(shared(self.node))
        self.addCleanup(self.node.close)
        self.peers = {name: Peer(port, self.node) for name, port in zip(names[1:], ports[1:])}
        for peer in self.peers.values():
            self.addCleanup(peer.close)
        self.node.start()
        wait_for("the store", lambda: self.node.ask("GET", "/v1/store").json["state"] == "ready")
        wait_for("a configuration", lambda: self.node.ask("GET", "/v1/config").status == 200)
        question = {"node": "lon-9", "cluster": "shop", "site": False, "wait_ms": 0, "have": {}}

        def own_head() -> dict[str, typing.Any] | None:
            try:
                answer = self.node.ask_tcp(ports[0], "POST", "/v1/peer/exchange", TOKEN, question)
            except ConnectionError:  # it listens once it has a configuration
                return None
            said: dict[str, typing.Any] = answer.json["nodes"]["ams-1"][-1]["head"][1]
            return said if said["digest"] else None
        head = wait_for("a head with a version", own_head)
        for k, name in enumerate(self.peers):  # each has another version, and says the same all the time
            self.peers[name].answers["/v1/peer/exchange stage"] = (200, {"state": "staged"})
            self.peers[name].answers["/v1/peer/exchange"] = (200, {
                "node": name, "cluster": "shop", "waited_ms": 0, "clock_ms": int(time.time() * 1000),
                "nodes": {name: [0, {"head": ["00000000000000aa", {**head, "version": 100 + k}]}]}})

    def items(self) -> dict[str, typing.Any]:
        """All that is said of each peer, but for the age of it."""
        listed = typing.cast(typing.Any, self.node.ask("GET", "/v1/peers").json)["items"]
        return {p["node"]: {k: v for k, v in p.items() if k != "age_ms"} for p in listed}

    def configure(self, without: typing.Iterable[str]) -> dict[str, typing.Any]:
        """Take peers out of the document. @return what is said of the others"""
        files = self.node.files()
        rows = files["weir.conf"].split("\n")
        files["weir.conf"] = "\n".join(r for r in rows if not any(f'{{ name = "{name}";' in r and "tunnel_source" in r for name in without))
        a = self.node.apply(files, confirm_within="none")
        self.assertEqual(a.status, 201, a.raw)
        left = set(self.peers) - set(without)
        wait_for("the new list", lambda: set(self.items()) == left)
        return self.items()

    def test_each_keeps_what_it_has_said_when_others_leave_and_return(self) -> None:
        def all_ahead() -> dict[str, typing.Any] | None:
            items = self.items()
            return items if {p["state"] for p in items.values()} == {"ahead"} else None
        said = wait_for("words of all", all_ahead)
        self.assertEqual([said[name]["version"] for name in self.peers], [100, 101, 102, 103, 104, 105])
        before = set(said)
        for without in (["fra-1"], ["lon-1", "lon-2"], ["ams-2"]):
            now = self.configure(without)
            stayed = before & set(now)  # who comes back has said nothing yet
            self.assertEqual({name: now[name] for name in stayed}, {name: said[name] for name in stayed})
            self.assertEqual(wait_for("words of all", all_ahead), {name: said[name] for name in now})
            before = set(now)


if __name__ == "__main__":
    if not shutil.which("etcd"):
        print("0 passed, 0 failed, 1 skipped")
        sys.exit(77)
    counted.main()
