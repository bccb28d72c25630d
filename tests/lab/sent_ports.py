# SPDX-License-Identifier: BSD-2-Clause
"""Further ports for the lab of what leaves: each can send in its own way, and be kept from it in its own way.

    eth2  a pair of interfaces; the far end is left without a program
    eth3  a bridge, whose driver takes no redirected frame at all
    eth4  a TAP that sent_relay.py reads: it stops (a full ring), or gives its only queue back (a queue too few)
"""
from __future__ import annotations

import os
import signal
import sys
import time
import typing

from net import wait_until
from world import SITE_MTU, pass_program

if typing.TYPE_CHECKING:
    from world import Capture, Site, World

INTERFACES = ("eth1", "eth2", "eth3", "eth4")
QUEUE_LEN = 64


class Ports:
    """The node's ports besides the first, on the same switch, and which one its backends are reached by."""

    def __init__(self, world: World, site: Site) -> None:
        self.world, self.site, self.host = world, site, site.node.host
        self.routes: dict[str, str] = {}  # of a backend's address: the interface
        lab, router = world.lab, world.router
        site.more_node_ports = ("p-node-2", "p-node-3", "p-node-4")
        for port, end in zip(site.more_node_ports, ("eth2", "leg3", "leg4")):
            lab.port(router, site.switch, port, self.host, end, SITE_MTU)
        router.ip(f"link set dev p-node-2 xdp obj {pass_program()} sec xdp")
        self.host.ip(f"link add name eth3 mtu {SITE_MTU} type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
                     "link set leg3 master eth3", "link set leg4 promisc on")
        self.host.run(["ip", "tuntap", "add", "dev", "eth4", "mode", "tap", "multi_queue"])
        self.host.ip(f"link set eth4 mtu {SITE_MTU} txqueuelen {QUEUE_LEN}")
        self.relay = self.host.start("relay", [sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "sent_relay.py"), "eth4", "leg4"])
        for k, interface in enumerate(INTERFACES[1:], 2):
            # an address of its own, so that nobody learns the node's at another port
            self.host.sysctl({f"net.ipv4.conf.{interface}.arp_ignore": 1})
            self.host.ip(f"link set {interface} up", f"addr add 10.{site.plan.index}.1.{100 + k}/32 dev {interface}")
        wait_until(lambda: "LOWER_UP" in self.host.run(["ip", "link", "show", "eth4"]), 10, "the TAP is read")

    def captures(self) -> list[Capture]:
        return [self.world.start_capture(port) for port in self.site.more_node_ports]

    def leave_by(self, interface: str, backends: int) -> None:
        """The first of the backends are reached by this port, and the others by the first port."""
        for i, backend in enumerate(self.site.backends):
            address, to = backend.addresses[0], interface if i < backends else "eth1"
            if self.routes.get(address, "eth1") == to:
                continue
            family = "-6 " if ":" in address else ""
            route = f"{address}/{128 if family else 32} dev {self.routes.get(address, to) if to == 'eth1' else to}"
            self.host.ip(f"{family}route {'del' if to == 'eth1' else 'replace'} {route}")
            self.routes[address] = to
        time.sleep(2)  # time: next hops are known by the new way, and packets have left by it

    def starve(self) -> None:
        """No program at the far end of eth2."""
        self.world.router.ip("link set dev p-node-2 xdp off")

    def feed(self) -> None:
        self.world.router.ip(f"link set dev p-node-2 xdp obj {pass_program()} sec xdp")

    def stop_reading(self) -> None:
        self.relay.signal(signal.SIGSTOP)

    def read_on(self) -> None:
        self.relay.signal(signal.SIGCONT)

    def drop_queue(self) -> None:
        self.relay.signal(signal.SIGUSR1)

    def add_queue(self) -> None:
        self.relay.signal(signal.SIGUSR2)
