# SPDX-License-Identifier: BSD-2-Clause
"""Inside a guest: the XDP driver on a virtio NIC at slot 0x10 whose ring is emptied late, so that more packets come than it has
room for. Only the driver's statistics tell of them. What was counted as not sent, and what arrived at the other end of the
wire (slot 0x11, the router's), are together what was decided to be sent, to the packet.
"""
from __future__ import annotations

import glob
import os
import re
import socket
import sys
import time
import typing

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lab"))
import plan as planning
from books import reasons
from net import Lab, call, comes_true, entered, say, wait_until
from report import Report
from world import World

if typing.TYPE_CHECKING:
    from world import Capture, Node, Site

PORT, PACKETS, LOST_LEAST = 4431, 3000, 100
SLOW_S = 60  # nothing here is late before


def interface_at(slot: str) -> str:
    return os.path.basename(wait_until(lambda: glob.glob(f"/sys/bus/pci/devices/0000:00:{slot}.0/virtio*/net/*"), SLOW_S, "the interface")[0])


def rewire(world: World) -> None:
    """The guest's wire takes the place of the veth pair between the switch and the node."""
    site, host, router = world.sites[0], world.sites[0].node.host, world.router
    host.ip("link del eth1")
    for slot, end, name in (("10", host, "eth1"), ("11", router, site.node_port)):
        interface = interface_at(slot)
        call(["ip", "link", "set", interface, "netns", end.ns])
        end.ip(f"link set {interface} name {name}", f"link set {name} up")
    router.ip(f"link set {site.node_port} master {site.switch}")
    host.address("eth1", f"{site.plan.node4}/24", f"{site.plan.node6}/64")
    host.route("default", site.plan.gateway4)
    host.route("default", site.plan.gateway6)


def ready(node: Node) -> typing.Any:
    try:
        return [p["mode"] for p in node.ctl("dataplane", {"do": "status"})["ports"]] == ["native"] and \
            all(b["next_hop"] == "known" for b in node.ctl("dataplane", {"do": "backends"})["backends"])
    except OSError:
        return False


def flood(world: World) -> None:
    """Datagrams of some flows of both families."""
    with entered(world.client.ns):
        for vip, family in zip(world.sites[0].plan.vips, (socket.AF_INET, socket.AF_INET6)):
            for k in range(10):
                with socket.socket(family, socket.SOCK_DGRAM) as s:
                    for _ in range(PACKETS // 20):
                        s.sendto(b"x" * 40, (vip, PORT))


def drops(site: Site) -> int:
    """What the driver says of frames that it did not take."""
    return sum(map(int, re.findall(r"tx_queue_\d+_xdp_tx_drops: (\d+)", site.node.host.run(["ethtool", "-S", "eth1"]))))


def fill_ring(world: World) -> int:
    """Send until the driver does not take all. Returns how many it did not take."""
    site, end = world.sites[0], time.monotonic() + SLOW_S
    before = drops(site)
    while drops(site) - before < LOST_LEAST and time.monotonic() < end:
        flood(world)
    return drops(site) - before


def count(site: Site, capture: Capture) -> tuple[int, int, int, int]:
    """Packets that are counted as forwarded, those on the wire, those that are counted as not sent, and what the driver did not take."""
    counted = reasons(site)
    return counted.get("forwarded", 0), capture.counts("in", "tunnel"), counted.get("not_sent", 0), drops(site)


def is_balanced(site: Site, capture: Capture) -> bool:
    forwarded, arrived, not_sent, lost = count(site, capture)
    return forwarded == arrived and not_sent == lost


def run(report: Report) -> None:
    call(["modprobe", "virtio_net"])
    with Lab("vm") as lab:
        world = World(lab, planning.simple(1, 2, api=False, udp={PORT: "keep"}), resolvers=())
        site = world.sites[0]
        rewire(world)
        site.node.write_config()
        site.node.write_effective()
        capture = world.start_capture(site.node_port)
        site.node.start("dataplane")
        wait_until(lambda: ready(site.node), 2 * SLOW_S, "the program sits in the driver, and next hops are known", 0.2)
        for again in ("", ", again"):
            say(f"more packets than there is room for{again}")
            lost = fill_ring(world)
            report.check(lost >= LOST_LEAST, f"a full ring{again}: the driver does not take all", lost)
            balanced = comes_true(lambda: is_balanced(site, capture), SLOW_S, 1)
            report.check(balanced, f"a full ring{again}: forwarded on the node = on the wire, not sent = the driver's drops", count(site, capture))


if __name__ == "__main__":
    sys.exit(Report.main(run))
