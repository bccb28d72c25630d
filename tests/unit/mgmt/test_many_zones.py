#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Ten thousand zones, as the documentation promises: applied by the command, served each, changed, and told by metrics.

Real weir-mgmt, weir-dns and weir, one node, no namespace. Times are bounded loosely; lab zones_large has two nodes.

Usage: test_many_zones.py WEIR_MGMT WEIR_DNS WEIR
"""
from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import time
import typing
import unittest

import counted
from api_node import Node, wait_for

MGMT, DNS, WEIR = (sys.argv.pop(1) for _ in range(3))
ZONES = 10_000
SERIALS = 2_000  # zones whose serial is a metric
ASKED_AT_ONCE = 64
SMALL = "$TTL 300\n@ SOA ns.elsewhere.test. root {serial} 3600 900 1209600 30\n@ NS ns.elsewhere.test.\nhere A {address}\n"
CONFIG = """schema = 1;
cluster = {{ name = "shop"; hash_key_file = "hash.key"; hash_key_id = "k1"; }};
sites = ( {{ name = "ams"; }} );
nodes = ( {{ name = "ams-1"; site = "ams"; ports = ( {{ interface = "eth1"; }} ); tunnel_source = [ "10.1.255.0/24" ];
            dns_listen = [ "127.0.0.1" ]; }} );
dns = {{ zones = ( {zones} ); names = ( ); }};
"""


def name_of(i: int) -> str:
    return f"z{i}.test"


def address_of(i: int) -> str:
    return f"10.0.{i >> 8}.{i & 255}"


def free_udp_port() -> typing.Any:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def query(number: int, name: str, kind: int = 1) -> bytes:
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return struct.pack(">HHHHHH", number, 0, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", kind, 1)


def ask_all(port: int, names: list[typing.Any]) -> dict[typing.Any, str]:
    """{index: address} of all names' A records, many questions under way at once; what is lost is asked again."""
    found, ask = {}, list(range(len(names)))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(("127.0.0.1", port))
        s.settimeout(2)
        for _ in range(5):
            for first in range(0, len(ask), ASKED_AT_ONCE):
                part = ask[first:first + ASKED_AT_ONCE]
                for i in part:
                    s.send(query(i, names[i]))
                try:
                    for _ in part:
                        answer = s.recv(4096)
                        if answer[3] & 15 == 0 and answer[6:8] == b"\0\1":
                            found[struct.unpack(">H", answer[:2])[0]] = socket.inet_ntoa(answer[-4:])
                except OSError:
                    pass
            ask = [i for i in range(len(names)) if i not in found]
            if not ask:
                break
    return found


class ManyZones(unittest.TestCase):
    dns: typing.Any
    node: Node
    port: typing.Any

    @classmethod
    def setUpClass(cls) -> None:
        cls.node = Node(MGMT, text=CONFIG.format(zones='{ name = "shop.example"; file = "shop.example.zone"; }'))
        cls.addClassCleanup(cls.node.close)
        cls.port = free_udp_port()
        cls.node.start()
        wait_for("a document", lambda: os.path.exists(cls.node.state + "/effective.conf"))
        with open(cls.node.dir.name + "/dns.log", "wb") as log:
            cls.dns = subprocess.Popen([DNS, "--conf-dir", cls.node.conf, "--state-dir", cls.node.state, "--run-dir",
                                        cls.node.run, "--bpf-dir", cls.node.dir.name, "--node", "ams-1", "--port",
                                        str(cls.port)], stdout=log, stderr=log)
        cls.addClassCleanup(cls.dns.wait, 60)
        cls.addClassCleanup(cls.dns.terminate)

    def weir(self, *args: str, timeout: int = 300) -> tuple[int, typing.Any]:
        began = time.monotonic()
        done = subprocess.run([WEIR, "--conf-dir", self.node.conf, "--state-dir", self.node.state, "--run-dir", self.node.run,
                               "--node", "ams-1", *args], capture_output=True, text=True, timeout=timeout)
        print(f"  weir {args[0]}: {time.monotonic() - began:.1f} s", file=sys.stderr)
        text = done.stdout + done.stderr
        self.assertNotIn("broke off", text)  # management was not silent while it worked
        return done.returncode, text

    def zone(self, i: int, serial: int = 1, address: str | None = None) -> None:
        self.node.write(f"{name_of(i)}.zone", SMALL.format(serial=serial, address=address or address_of(i)))

    def served(self, wanted: dict[typing.Any, typing.Any]) -> None:
        """Wait until the name server gives all of @wanted: {index: address}."""
        last = max(wanted)
        names = {i: f"here.{name_of(i)}" for i in wanted}
        wait_for(f"{names[last]} is served", lambda: ask_all(self.port, [names[last]]) == {0: wanted[last]}, 120)
        self.assertEqual(ask_all(self.port, [names[i] for i in sorted(wanted)]),
                         dict(enumerate(wanted[i] for i in sorted(wanted))))

    def test_1_they_are_applied_and_each_is_served(self) -> None:
        for i in range(ZONES):
            self.zone(i)
        zones = ", ".join(f'{{ name = "{name_of(i)}"; file = "{name_of(i)}.zone"; }}' for i in range(ZONES))
        self.node.write("weir.conf", CONFIG.format(zones=zones))
        code, text = self.weir("apply", self.node.conf + "/weir.conf", "--reason", "a test", "--confirm-within", "none")
        self.assertEqual(code, 0, text[-2000:])
        self.served({i: address_of(i) for i in range(ZONES)})

    def test_2_one_of_them_changes(self) -> None:
        self.zone(77, 2, "192.0.2.77")
        code, text = self.weir("zone", "reload")
        self.assertEqual(code, 0, text[-2000:])
        self.served({77: "192.0.2.77"})

    def test_3_a_bad_one_is_named_and_skipped(self) -> None:
        self.node.write(f"{name_of(78)}.zone", "bad\n")
        self.zone(79, 2, "192.0.2.79")
        code, text = self.weir("zone", "reload")
        self.assertNotEqual(code, 0)
        self.assertIn(f"{name_of(78)}.zone:1", text)
        code, text = self.weir("zone", "reload", "--skip-bad-zones")
        self.assertEqual(code, 0, text[-2000:])
        self.served({79: "192.0.2.79", 78: address_of(78)})

    def metrics(self) -> dict[str, typing.Any]:
        """{name with labels: value} of what weir-dns counts."""
        lines = self.node.ask("GET", "/metrics").raw.decode().splitlines()
        return {key: float(value) for key, value in (line.rsplit(" ", 1) for line in lines if 'process="dns"' in line)}

    def test_4_no_metric_is_lost_to_serials(self) -> None:
        text = self.metrics()
        serials = [key for key in text if key.startswith("weir_dns_zone_serial{")]
        self.assertEqual(len(serials), SERIALS)
        self.assertEqual(text['weir_dns_zones{process="dns"}'], ZONES)
        self.assertEqual(text.get('weir_stats_overflow_total{process="dns"}', 0), 0)
        self.assertGreater(text['weir_dns_answers_total{process="dns",rcode="noerror"}'], ZONES)

    def test_5_serials_of_zones_that_are_gone_go(self) -> None:
        zones = ", ".join(f'{{ name = "{name_of(i)}"; file = "{name_of(i)}.zone"; }}' for i in (1, 2, 77))
        self.node.write("weir.conf", CONFIG.format(zones=zones))
        code, text = self.weir("apply", self.node.conf + "/weir.conf", "--reason", "a test", "--confirm-within", "none")
        self.assertEqual(code, 0, text[-2000:])
        wait_for("three zones", lambda: self.metrics()['weir_dns_zones{process="dns"}'] == 3, 120)
        serials = {key: value for key, value in self.metrics().items() if key.startswith("weir_dns_zone_serial{")}
        self.assertEqual(serials, {f'weir_dns_zone_serial{{process="dns",zone="{name_of(i)}"}}': serial
                                   for i, serial in ((1, 1), (2, 1), (77, 2))})


if __name__ == "__main__":
    counted.main()
