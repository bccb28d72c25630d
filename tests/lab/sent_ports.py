# SPDX-License-Identifier: BSD-2-Clause
"""The node's ports for the lab of what leaves: each can send in its own way, and be kept from it in its own way.

XDP:
    eth1  a pair of interfaces; the far end is left without a program
    eth2  another one
    eth3  a bridge, whose driver takes no redirected frame at all
    eth4  a TAP that sent_relay.py reads: it stops (a full ring), or gives its only queue back (a queue too few)

DPDK:
    eth1  an AF_PACKET socket with a short ring, on nic1, whose qdisc lets next to nothing through: then the ring is full
    eth2  another one, on nic2
"""
from __future__ import annotations

import os
import signal
import socket
import sys
import time
import typing

from net import entered, wait_until
from world import SITE_MTU, pass_program

if typing.TYPE_CHECKING:
    from net import Host
    from plan import SitePlan
    from world import Capture, Site, World

QUEUE_LEN = 64
EXPERIMENTAL = bytes.fromhex("88b5")  # an Ethernet type that nobody reads


class Ports:
    """A node's ports, all on the site's switch, and which one its backends are reached by. begin() comes before the world is
    made, lay() when it is there."""
    driver: str
    back_s = 60  # in which the VIPs are back when a port takes frames again

    @staticmethod
    def begin(plan: SitePlan) -> None:
        raise NotImplementedError

    def __init__(self, world: World, site: Site, bgp_router: Host) -> None:
        self.world, self.site, self.host = world, site, site.node.host
        self.routes: dict[str, str] = {}  # of a backend's address: the interface
        self.link = self.lay(bgp_router)

    def lay(self, bgp_router: Host) -> str:
        """Make the further ports, and a link to the router that has BGP. Returns the node's interface of that link."""
        raise NotImplementedError

    def take_nothing(self) -> None:
        """eth1 takes no frame any more."""
        raise NotImplementedError

    def take_all(self) -> None:
        raise NotImplementedError

    def give_address(self, interface: str, k: int) -> None:
        """An address of its own, so that nobody learns the node's at another port."""
        self.host.sysctl({f"net.ipv4.conf.{interface}.arp_ignore": 1})
        self.host.ip(f"link set {interface} up", f"addr add 10.{self.site.plan.index}.1.{100 + k}/32 dev {interface}")

    def captures(self) -> list[Capture]:
        return [self.world.start_capture(port) for port in (self.site.node_port, *self.site.more_node_ports)]

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


class XdpPorts(Ports):
    driver = "xdp"

    @staticmethod
    def begin(plan: SitePlan) -> None:
        plan.ports = ("eth1", "eth2", "eth3", "eth4")

    def lay(self, bgp_router: Host) -> str:
        lab, site, router = self.world.lab, self.site, self.world.router
        site.more_node_ports = ("p-node-2", "p-node-3", "p-node-4")
        for port, end in zip(site.more_node_ports, ("eth2", "leg3", "leg4")):
            lab.port(router, site.switch, port, self.host, end, SITE_MTU)
        router.ip(f"link set dev p-node-2 xdp obj {pass_program()} sec xdp")
        self.host.ip(f"link add name eth3 mtu {SITE_MTU} type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
                     "link set leg3 master eth3", "link set leg4 promisc on")
        self.host.run(["ip", "tuntap", "add", "dev", "eth4", "mode", "tap", "multi_queue"])
        self.host.ip(f"link set eth4 mtu {SITE_MTU} txqueuelen {QUEUE_LEN}")
        self.relay = self.host.start("relay", [sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "sent_relay.py"), "eth4", "leg4"])
        for k, interface in enumerate(site.plan.ports[1:], 2):
            self.give_address(interface, k)
        wait_until(lambda: "LOWER_UP" in self.host.run(["ip", "link", "show", "eth4"]), 10, "the TAP is read")
        lab.port(router, site.switch, "p-router1", bgp_router, "eth0", SITE_MTU)
        return "eth1"

    def starve(self, far_end: str) -> None:
        """No program at the far end."""
        self.world.router.ip(f"link set dev {far_end} xdp off")

    def feed(self, far_end: str) -> None:
        self.world.router.ip(f"link set dev {far_end} xdp obj {pass_program()} sec xdp")

    def take_nothing(self) -> None:
        self.starve(self.site.node_port)

    def take_all(self) -> None:
        self.feed(self.site.node_port)

    def stop_reading(self) -> None:
        self.relay.signal(signal.SIGSTOP)

    def read_on(self) -> None:
        self.relay.signal(signal.SIGCONT)

    def drop_queue(self) -> None:
        """Packets come only when it is gone."""
        self.relay.signal(signal.SIGUSR1)
        wait_until(lambda: "numqueues 0" in self.host.run(["ip", "-d", "link", "show", "eth4"]), 10, "the TAP has no queue", 0.01)

    def add_queue(self) -> None:
        self.relay.signal(signal.SIGUSR2)


class DpdkPorts(Ports):
    """Nothing at all leaves by a port whose ring is full, so the router is behind an interface of the kernel: else it would
    not hear of a withdrawal."""
    driver = "dpdk"
    back_s = 90  # such a port cannot be tried: it is to be silent for 30 s, and for twice as long after a relapse

    @staticmethod
    def begin(plan: SitePlan) -> None:
        plan.ports, plan.driver = ("eth1", "eth2"), "dpdk"
        plan.device = "net_af_packet{n},iface=nic{n},framecnt=32,qdisc_bypass=0"
        plan.more = 'dpdk = { cores = "0"; hugepages = "no"; }; '

    def lay(self, bgp_router: Host) -> str:
        lab, node = self.world.lab, self.site.node
        node.give_tap()
        self.site.more_node_ports = ("p-node-2",)
        lab.port(self.world.router, self.site.switch, "p-node-2", self.host, "eth2", SITE_MTU)
        node.put_tap("eth2", "nic2")
        self.give_address("eth2", 2)
        lab.link(bgp_router, "eth0", self.host, "up0")
        return "up0"

    def set_rate(self, nic: str, rate: str, burst: int, length: int) -> None:
        """Of the qdisc, and give it a frame of ours, of this length."""
        self.host.run(["tc", "qdisc", "replace", "dev", nic, "root", "tbf", "rate", rate, "burst", str(burst), "limit", "10mb"])
        with entered(self.host.ns), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
            s.sendto(EXPERIMENTAL.rjust(14, b"\2").ljust(length, b"\0"), (nic, 0))

    def stop(self, nic: str) -> None:
        """Our frame takes the whole burst; the first one of others leaves a quarter of a minute later."""
        self.set_rate(nic, "48bit", SITE_MTU, SITE_MTU)

    def go_on(self, nic: str) -> None:
        """What the qdisc holds leaves when it gets another frame, which a full ring cannot give it."""
        self.set_rate(nic, "10gbit", 1 << 20, 60)

    def take_nothing(self) -> None:
        self.stop("nic1")

    def take_all(self) -> None:
        self.go_on("nic1")
