# SPDX-License-Identifier: BSD-2-Clause
"""Why packaging/ leaves graceful restart (RFC 4724) off: a router keeps the routes of a node that is gone.

Two nodes with BIRD, each with a router of its own. One pair has packaging's configurations, the other one the same with graceful
restart on and without BFD, which ends the routes that are kept only if its session was up. At both nodes BIRD dies, and the host with it.
"""
from __future__ import annotations

import re
import time

from net import Host, Lab, comes_true, wait_until
from report import Report
from speakers import Bird

VIP = "10.100.0.1"
KEPT_S = 5  # a router with packaging's configuration needs a tenth of a second


class Restarting(Bird):
    """With graceful restart, which must be on at both sides, and without BFD."""

    def start(self) -> None:
        with open(self.config) as f:
            text = f.read()
        with open(self.config, "w") as f:
            f.write(re.sub(r"^\tbfd on;", "\tbfd off;", re.sub(r"^\tgraceful restart off;", "\tgraceful restart on;", text, flags=re.M), flags=re.M))
        super().start()


class Pair:
    def __init__(self, lab: Lab, switch: Host, name: str, kind: type[Bird]) -> None:
        bridge = f"br-{name}"
        lab.bridge(switch, bridge)  # so the router's link stays up when the node is gone
        self.router, self.node = lab.host(f"router-{name}"), lab.host(f"node-{name}")
        for host, number in ((self.router, 1), (self.node, 11)):
            lab.port(switch, bridge, f"p-{host.name}", host, "eth0")
            host.address("eth0", f"192.0.2.{number}/24", f"2001:db8::{number}/64")
        self.far, self.near = kind(lab, self.router, "router.conf"), kind(lab, self.node, "bird.conf")
        self.node.ip(f"route add blackhole {VIP}/32 table 177 proto 177")

    def is_routed(self) -> bool:
        """Whether the router's kernel sends the VIP's packets to the node."""
        return "192.0.2.11" in self.router.run(["ip", "route", "show", VIP])

    def lose_node(self) -> None:
        self.near.process.kill()
        wait_until(lambda: self.far.sessions() == 0, 10, "the sessions end with the daemon", 0.01)  # before BFD tells of the link
        self.node.link_down("eth0")


def show_black_hole(report: Report) -> None:
    with Lab("announce_restart") as lab:
        switch = lab.host("switch")
        off, on = Pair(lab, switch, "off", Bird), Pair(lab, switch, "on", Restarting)
        for pair in (off, on):
            wait_until(lambda: pair.far.sessions() == 2 and pair.is_routed(), 60, "the router has the VIP", 0.2)
            pair.lose_node()
        report.check(comes_true(lambda: not off.is_routed(), 2), "without graceful restart the router leaves a node that is gone")
        time.sleep(KEPT_S)  # BFD and the hold time have no say any more
        report.equal(on.far.sessions(), 0, "with it, the router has no session, either")
        report.check(on.is_routed(), "and yet, without BFD, it sends the VIP's packets to a node that is gone: graceful restart stays off")
