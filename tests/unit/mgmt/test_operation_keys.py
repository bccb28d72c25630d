#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Which keys ask, from three real weir-dns to the plan of a drain: nobody is told by a schedule alone.

Usage: test_operation_keys.py WEIR_MGMT WEIR_DNS
"""
from __future__ import annotations

import socket
import struct
import sys
import typing
import unittest

from api_node import wait_for
from cluster3 import UNMEASURED, Cluster

DNS = sys.argv.pop(2)
MGMT = sys.argv.pop(1)
NAME = b"\x03www\x04shop\x07example\x00"
HEAVY = bytes([198, 51, 100])


def query(number: int, prefix: bytes) -> bytes:
    """For www.shop.example A, with a client subnet of 24 bits."""
    option = struct.pack(">HHHBB", 8, 7, 1, 24, 0) + prefix
    return (struct.pack(">HHHHHH", number & 0xffff, 0x0100, 1, 0, 0, 1) + NAME + struct.pack(">HH", 1, 1) +
            b"\x00" + struct.pack(">HHIH", 41, 1232, 0, len(option)) + option)


class Keys(unittest.TestCase):
    def setUp(self) -> None:
        self.c = Cluster(MGMT, DNS)
        self.addCleanup(self.c.close)

    def ask(self, n: int) -> None:
        """All three servers in turn; each fourth query is of one resolver."""
        ports = [s.port for s in self.c.servers.values()]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(5)
            for i in range(n):
                s.sendto(query(i, HEAVY if i % 4 == 0 else bytes([10, i // 250, i % 250])), ("127.0.0.1", ports[i % 3]))
                s.recv(2000)

    def preflight(self, at: str, **more: typing.Any) -> typing.Any:
        a = self.c.begin(at, ["ams"], query="?dry_run=true", override_guards=UNMEASURED, **more)
        self.assertEqual(a.status, 200, a.raw)
        return a.json["preflight"]

    def plan(self, at: str, **more: typing.Any) -> typing.Any:
        return self.preflight(at, **more)["projection"]

    def test_a_plan_knows_the_resolver_with_a_quarter_of_the_queries(self) -> None:
        p = self.plan("fra")
        self.assertEqual((p["by_keys"], p["queries"]), (False, 0))
        self.ask(1200)
        wait_for("all queries in the plan", lambda: self.plan("fra")["queries"] == 1200)
        for at in ("ams", "lon"):
            p = self.plan(at)
            self.assertEqual((p["by_keys"], p["nodes"], p["queries"]), (True, 3, 1200))
            self.assertEqual(p["heaviest_ppm"], 250000)
        # without one server its clients are not none: nothing is projected unless it is named absent
        self.c.servers["lon"].stop()
        wait_for("a server that is not heard", lambda: self.preflight("fra").get("unheard") == "lon-1")
        self.assertNotIn("projection", self.preflight("fra"))
        p = self.plan("fra", without=["lon-1"])
        self.assertEqual((p["nodes"], p["queries"]), (2, 800))


if __name__ == "__main__":
    unittest.main()
