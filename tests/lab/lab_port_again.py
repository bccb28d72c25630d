# SPDX-License-Identifier: BSD-2-Clause
"""What packaging/weir.sysctl is for: a node's port is deleted and made again with another MAC address, and a neighbour
that goes on using the former one learns of it at once. Without the file it does not, which is shown first."""
from __future__ import annotations

import json
import sys
import typing

import packaged
from net import Lab, comes_true, say, wait_until
from report import Report

NODE4, NODE6 = "10.9.0.1", "fd09::1"
PEER4, PEER6 = "10.9.0.2", "fd09::2"
FORMER, PRESENT = "02:00:00:00:aa:01", "02:00:00:00:aa:02"
LEARNT_S = 10  # a second or two, for the kernel looks for duplicates first
SILENT_S = 4


def settings() -> dict[str, str]:
    return dict(line.split(" = ") for line in packaged.lines_of("weir.sysctl"))


class Link:
    """A switch with a node and a peer, whose port stays."""

    def __init__(self, lab: Lab, name: str) -> None:
        self.lab, self.n = lab, 0
        self.switch, self.node, self.peer = (lab.host(f"{name}-{part}") for part in ("sw", "node", "peer"))
        lab.bridge(self.switch, "br0")
        lab.port(self.switch, "br0", "p-peer", self.peer, "eth0")
        self.peer.address("eth0", f"{PEER4}/24", f"{PEER6}/64")
        self.node.sysctl({"net.ipv6.conf.default.accept_dad": 1, "net.ipv6.conf.all.accept_dad": 1})

    def make_port(self, mac: str) -> None:
        """As a network manager does: the link first, then its addresses, which the kernel checks for duplicates."""
        self.lab.link(self.switch, "p-node", self.node, "eth1")
        self.node.ip("link set eth1 down", f"link set eth1 address {mac}", "link set eth1 up")
        self.switch.ip("link set p-node master br0")
        wait_until(lambda: "forwarding" in self.switch.run(["bridge", "link", "show", "dev", "p-node"]), 10, "the switch's port")
        self.node.ip(f"addr add {NODE4}/24 dev eth1", f"addr add {NODE6}/64 dev eth1")

    def make_again(self) -> None:
        """A port that the peer knows is gone, and is there again with another address."""
        self.make_port(FORMER)
        for address in (NODE4, NODE6):
            wait_until(lambda: self.peer.run(["ping", "-c", "1", "-W", "1", address], False).find(" 0% packet loss") > 0, 20,
                       f"{address} answers")
        self.node.ip("link del eth1")
        self.make_port(PRESENT)

    def known(self, address: str) -> typing.Any:
        """The MAC address that the peer has for it."""
        rows = json.loads(self.peer.run(["ip", "-j", "neigh", "show", address]))
        return rows[0].get("lladdr") if rows else None

    def learns(self, address: str, within_s: float) -> typing.Any:
        comes_true(lambda: self.known(address) == PRESENT, within_s, 0.1)
        return self.known(address)


def run(report: Report) -> None:
    with Lab("port_again") as lab:
        say("a node without packaging/weir.sysctl")
        link = Link(lab, "bare")
        link.make_again()
        report.equal(link.learns(NODE6, SILENT_S), FORMER, "IPv6: the peer keeps the former MAC address")
        report.equal(link.known(NODE4), FORMER, "IPv4: it does, too")
        link.node.run(["ping", "-c", "1", "-W", "1", "10.9.0.77"], False)
        report.equal(link.learns(NODE4, LEARNT_S), PRESENT, "IPv4: until the node asks for any address of the link")
        say("a node with it")
        link = Link(lab, "set")
        link.node.sysctl(settings())
        link.make_again()
        report.equal(link.learns(NODE6, LEARNT_S), PRESENT, "IPv6: the peer learns the new one")
        link.node.ip(f"link set eth1 address {PRESENT}")
        report.equal(link.learns(NODE4, LEARNT_S), PRESENT, "IPv4: when the MAC address is set, be it the same")


if __name__ == "__main__":
    sys.exit(Report.main(run))
