#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Two nodes with weir-mgmt and weir-dns: by whatever key clients are placed, both answer alike.

Usage: test_placement.py WEIR_MGMT WEIR_DNS
"""
from __future__ import annotations

import os
import socket
import subprocess
import sys
import typing
import unittest

import counted
from api_node import Node, config, free_port, wait_for
from shared_store import shared

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "dns"))
import message  # noqa: E402

DNS = sys.argv.pop(2)
MGMT = sys.argv.pop(1)
CLIENTS = [f"100.64.{i}.0/24" for i in range(200)]
KEY = "00112233445566778899aabbccddeeff"
OTHER_KEY = "ffeeddccbbaa99887766554433221100"


class Server:
    """A node's weir-dns."""

    def __init__(self, node: Node) -> None:
        self.node, self.port = node, free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        n = self.node
        with open(os.path.join(n.dir.name, "dns.log"), "a") as log:
            self.process = subprocess.Popen(
                [DNS, "--port", str(self.port), "--conf-dir", n.conf, "--state-dir", n.state, "--run-dir", n.run,
                 "--bpf-dir", n.dir.name, "--node", n.name], stdout=log, stderr=log)
        wait_for("weir-dns", lambda: self.site(CLIENTS[0]))

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(60)
            self.process = None

    def site(self, client: str) -> typing.Any:
        """The VIP that a client's resolver is sent to; None without an answer."""
        request = message.query("www.shop.example", "A", edns={"options": [message.subnet_option(client)]})
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(2)
            try:
                s.sendto(request, ("127.0.0.1", self.port))
                answer = s.recv(4096)
            except OSError:
                return None
        return next((vip for vip in ("203.0.113.10", "198.51.100.10") if socket.inet_aton(vip) in answer), None)

    def sites(self) -> list[typing.Any]:
        return [self.site(client) for client in CLIENTS]


class Placement(unittest.TestCase):
    def setUp(self) -> None:
        apis = [f"https://127.0.0.1:{free_port()}" for _ in range(2)]
        text = config(*apis).replace('"192.0.2.53"', '"127.0.0.1"').replace('"198.51.100.53"', '"127.0.0.1"')
        self.nodes = [Node(MGMT, name, text) for name in ("ams-1", "fra-1")]
        self.enterContext(shared(*self.nodes))
        self.servers = [Server(node) for node in self.nodes]
        for node, server in zip(self.nodes, self.servers):
            self.addCleanup(node.close)
            self.addCleanup(server.stop)
            node.start()
            server.start()
        first = self.nodes[0].apply(self.nodes[0].files(), query="?wait=all")  # the first version needs no confirmation
        self.assertEqual(first.status, 201, first.raw)

    def apply(self, *change: str) -> typing.Any:
        """Put a change in force on both nodes, for good."""
        a, b = self.nodes
        done = a.apply(a.files(*change), query="?wait=all", confirm_within="5m")
        self.assertIn(done.status, (200, 201, 202), done.raw)
        number = done.json["version"]["number"]
        self.assertEqual(a.ask("POST", f"/v1/versions/{number}/confirm", {"reason": "a test"}).status, 200)
        for node in (a, b):
            wait_for(f"version {number} on {node.name}", lambda node=node: f'version = "{number}"' in node.effective())
        a.write("weir.conf", a.files(*change)["weir.conf"])
        return done.json

    def assert_both(self, what: str) -> list[typing.Any]:
        """Both answer alike; returns their answers."""
        wait_for(what, lambda: self.servers[0].sites() == self.servers[1].sites())
        answers = self.servers[0].sites()
        self.assertEqual(set(answers), {"203.0.113.10", "198.51.100.10"})
        return answers

    def test_a_rotation_moves_clients_on_both_nodes(self) -> None:
        derived = self.assert_both("the first key")
        for node in self.nodes:
            self.assertNotIn(KEY, subprocess.run(["grep", "-rh", "weir-placement", node.state], capture_output=True, text=True,
                                                 check=True).stdout)
        # the hash key is of no use to weir-dns any more, also at a start
        os.rename(os.path.join(self.nodes[1].conf, "hash.key"), os.path.join(self.nodes[1].conf, "away"))
        self.servers[1].stop()
        self.servers[1].start()
        self.assertEqual(self.servers[1].sites(), derived)
        os.rename(os.path.join(self.nodes[1].conf, "away"), os.path.join(self.nodes[1].conf, "hash.key"))
        for node in self.nodes:
            node.write("hash2.key", OTHER_KEY + "\n")
        self.apply('hash_key_file = "hash.key"; hash_key_id = "k1"', 'hash_key_file = "hash2.key"; hash_key_id = "k2"')
        wait_for("the new key", lambda: self.servers[0].sites() != derived and self.servers[1].sites() != derived)
        self.assert_both("the new key")


if __name__ == "__main__":
    counted.main()
