# SPDX-License-Identifier: BSD-2-Clause
"""Two and three balancers on a bridge that floods: each of them sees each frame, and one frame in gives one frame out,
in every mode, with both drivers. Also: MAC addresses that change, that are stacked on a port or come from the document.

    lab_bridge.py [--full] [--driver xdp|dpdk]     without --full, fewer of the combinations

Writes build/lab/bridge.json: {"frames_in", "frames_out", "cases"}.
"""
from __future__ import annotations

import argparse
import errno
import json
import os
import select
import socket
import struct
import sys
import time
import typing

import plan as planning
from books import weir_counts_by_now
from net import BUILD, Lab, entered, executable, say, wait_until
from report import Report
from world import World

if typing.TYPE_CHECKING:
    from net import Host
    from world import Node

QUICK = (("xdp", 3, ("l2", "gue", "ipip")), ("dpdk", 2, ("l2",)))
FULL = (("xdp", 2, ("l2", "gue", "ipip")), ("xdp", 3, ("l2", "gue", "ipip")),
        ("dpdk", 2, ("l2", "gue", "ipip")), ("dpdk", 3, ("l2", "gue", "ipip")))
WORD = {"l2": "layer 2", "gue": "GUE", "ipip": "IPIP"}  # of the trace
FRAMES = 40          # of each family to each node
STORM = 20           # copies of a frame at which it is a storm, whatever comes still
TCP, UDP, PACKET_HOST, ETH_P_ALL = 6, 17, 0, 3
OTHER, GROUP, ALL = "02:00:00:00:77:77", "01:00:5e:00:00:09", "ff:ff:ff:ff:ff:ff"


def checksum(data: bytes) -> typing.Any:
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


def packed(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def ip_packet(source: str, target: str, protocol: int, payload: bytes, ttl: int = 9) -> bytes:
    if ":" in target:
        return struct.pack("!IHBB", 6 << 28, len(payload), protocol, ttl) + packed(source) + packed(target) + payload
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0x4000, ttl, protocol, 0) + packed(source) + packed(target)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def frame(mac: str, sender: str, target: str, packet: bytes) -> bytes:
    kind = 0x86dd if ":" in target else 0x0800
    return bytes.fromhex(mac.replace(":", "")) + bytes.fromhex(sender.replace(":", "")) + struct.pack("!H", kind) + packet


def segment(port: int, marker: bytes) -> bytes:
    """A TCP segment in the middle of a connection to port 80, with a marker."""
    return struct.pack("!HHIIBBHHH", port, 80, 1, 1, 5 << 4, 0x10, 8192, 0, 0) + marker


def echo(marker: typing.Any) -> typing.Any:
    body = struct.pack("!BBHHH", 8, 0, 0, 7, 1) + marker
    return body[:2] + struct.pack("!H", checksum(body)) + body[4:]


def listen(host: Host, interface: str) -> socket.socket:
    """All frames of an interface from now on."""
    with entered(host.ns):
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    s.bind((interface, ETH_P_ALL))
    s.setblocking(False)
    return s


class Bridge:
    """Nodes, backends and a sender on one switch that learns nothing."""

    def __init__(self, report: Report, lab: Lab, driver: str, n: int) -> None:
        self.report, self.lab, self.driver, self.n_markers = report, lab, driver, 0
        plan = planning.simple(1, 2, api=False)
        site = plan.sites[0]
        site.driver = driver
        plan.more_nodes = [planning.another_node(site, k) for k in range(1, n)]
        self.plan, self.world = plan, World(lab, plan, resolvers=())
        self.site = self.world.sites[0]
        self.nodes = [self.site.node] + [self.site.node_of(p) for p in plan.more_nodes]
        self.sender = self.site._attach("sender", "eth0", "10.1.1.200", "fd00:1:1::200")
        self.flood()
        self.own = self.sender.mac("eth0")
        self.out = [listen(b.host, "eth0") for b in self.site.backends]
        self.back = listen(self.sender, "eth0")

    def flood(self) -> None:
        """An unknown unicast goes everywhere, and each one is unknown."""
        for line in json.loads(self.world.router.run(["bridge", "-j", "link"])):
            if line.get("master") == self.site.switch:
                self.world.router.run(["bridge", "link", "set", "dev", line["ifname"], "learning", "off", "flood", "on"])
        self.world.router.run(["ip", "link", "set", self.site.switch, "type", "bridge", "ageing_time", "0"])

    def write(self, mode: str, macs: str = "") -> None:
        for node in self.nodes:
            node.write_config()
            path = os.path.join(node.conf, "weir.conf")
            with open(path) as f:
                text = f.read()
            text = text.replace('mode = "gue"', f'mode = "{mode}"').replace('via = "tunnel"', 'via = "direct"')
            if self.driver == "dpdk":
                text = text.replace("mtu = 1500;", 'mtu = 1500; dpdk = { hugepages = "no"; memory = 64; };')
            text = text.replace('interface = "eth1";', f'interface = "eth1"; {macs}')
            with open(path, "w") as f:
                f.write(text)
            node.write_effective()

    def is_ready(self, node: Node, mode: str) -> typing.Any:
        try:
            status = node.ctl("dataplane", {"do": "status"})
            hops = [b["next_hop"] == "known" for b in node.ctl("dataplane", {"do": "backends"})["backends"]]
            trace = node.ctl("dataplane", {"do": "trace", "source": "198.51.100.9:1024",
                                           "destination": f"{self.site.plan.vip4}:80/tcp"})
        except OSError:
            return False
        return status["driver"] == self.driver and status["ports"] and all(hops) and WORD[mode] in json.dumps(trace)

    def use(self, mode: str) -> None:
        """All nodes forward in this mode."""
        self.write(mode)
        for node in self.nodes:
            if "dataplane" not in node.processes:
                node.start("dataplane")
        for node in self.nodes:
            wait_until(lambda: self.is_ready(node, mode), 40, f"{node.name} forwards by {self.driver}, {mode}", 0.2)

    def marker(self) -> bytes:
        self.n_markers += 1
        return f"WEIR-BRIDGE-{self.n_markers:08d}".encode()

    def send(self, mac: str, vip: str, payload: typing.Callable[..., tuple[int, typing.Any]]) -> bytes:
        """payload: marker to (protocol, bytes). Returns the marker."""
        marker = self.marker()
        protocol, data = payload(marker)
        source = "2001:db8:c::9" if ":" in vip else "198.51.100.9"
        for _ in range(20):
            try:
                self.back.send(frame(mac, self.own, vip, ip_packet(source, vip, protocol, data)))
                break
            except OSError as e:  # a storm fills the queues
                if e.errno not in (errno.ENOBUFS, errno.EAGAIN):
                    raise
                time.sleep(0.01)  # the queue drains
        return marker

    def collect(self, sockets: list[typing.Any], markers: list[typing.Any],
                taken: typing.Callable[..., typing.Any]) -> dict[typing.Any, int]:
        """How often each marker is seen, until nothing has come for a while or one is seen far too often."""
        seen = dict.fromkeys(markers, 0)
        quiet_s = 0.4 if self.driver == "xdp" else 1.0
        while True:
            readable = select.select(sockets, [], [], quiet_s)[0]
            if not readable or max(seen.values(), default=0) > STORM:
                return seen
            for s in readable:
                data, address = s.recvfrom(4096)
                at = data.find(b"WEIR-BRIDGE-")
                if at >= 0 and data[at:at + 20] in seen and taken(data, address):
                    seen[data[at:at + 20]] += 1

    def forwarded(self, macs: list[typing.Any], vips: list[str], count: int = FRAMES,
                  kind: typing.Any = segment) -> dict[typing.Any, int]:
        """Frames to each of these MAC addresses and VIPs: how many in, and how many backends' frames out."""
        markers = []
        for i in range(count):
            for mac in macs:
                for vip in vips:
                    markers.append(self.send(mac, vip, lambda m: (TCP, kind(1024 + i, m))))
            time.sleep(0.001)  # the pace of the frames
        return self.collect(self.out, markers, lambda data, address: address[2] == PACKET_HOST)

    def reasons(self) -> list[typing.Any]:
        """Of each node."""
        return [weir_counts_by_now(node)["reasons"] for node in self.nodes]


def one_for_one(bridge: Bridge, mode: str, n: int, cases: list[typing.Any]) -> None:
    """To each node's own address: as many out as in, each once."""
    seen = bridge.forwarded([node.host.mac("eth1") for node in bridge.nodes], bridge.site.plan.vips)
    wrong = {m.decode(): times for m, times in seen.items() if times != 1}
    bridge.report.equal(dict(list(wrong.items())[:3]), {},
                        f"{bridge.driver}, {mode}, {n} nodes: each of {len(seen)} frames leaves once")
    cases.append({"driver": bridge.driver, "mode": mode, "nodes": n, "frames_in": len(seen), "frames_out": sum(seen.values())})


def none_for_others(bridge: Bridge, mode: str) -> None:
    """To an address of none of them, to a group and to all: nothing leaves, and each node says why."""
    report, name = bridge.report, f"{bridge.driver}, {mode}"
    before = bridge.reasons()
    seen = bridge.forwarded([OTHER, GROUP, ALL], bridge.site.plan.vips, 10)
    report.equal(sum(seen.values()), 0, f"{name}: none of {len(seen)} frames to others or to a group is forwarded")
    markers = [bridge.send(mac, bridge.site.plan.vip4, lambda m: (1, echo(m))) for mac in (OTHER, GROUP, ALL) for _ in range(5)]
    replies = bridge.collect([bridge.back], markers, lambda data, address: data[34] == 0 and address[2] != 4)
    report.equal(sum(replies.values()), 0, f"{name}: no echo request to others or to a group is answered")
    for node, was, now in zip(bridge.nodes, before, bridge.reasons()):
        report.equal(now["group_mac"] - was["group_mac"], 2 * 20 + 10, f"{name}: {node.name} counts those to a group")
        report.check(now["other_mac"] - was["other_mac"] >= 20 + 5, f"{name}: {node.name} counts those to others",
                     now["other_mac"] - was["other_mac"])
    marker = bridge.send(bridge.nodes[0].host.mac("eth1"), bridge.site.plan.vip4, lambda m: (1, echo(m)))
    replies = bridge.collect([bridge.back], [marker], lambda data, address: data[34] == 0 and address[2] == PACKET_HOST)
    report.equal(replies[marker], 1, f"{name}: an echo request to one node is answered once")


def followed(bridge: Bridge, mode: str) -> None:
    """MAC addresses that come, change and go while the nodes run."""
    report, node, vips = bridge.report, bridge.nodes[0], bridge.site.plan.vips
    host, old = node.host, node.host.mac("eth1")
    stacked, changed, virtual = "02:00:00:00:05:01", "02:00:00:00:05:02", "00:00:5e:00:01:07"

    def expect_passed(mac: str, times: typing.Any, what: str, within_s: float = 3) -> bool:
        end = time.monotonic() + within_s
        while True:
            seen = bridge.forwarded([mac], vips, 5)
            if set(seen.values()) == {times} or time.monotonic() > end:
                return report.equal(sorted(set(seen.values())), [times], f"{bridge.driver}, {mode}: {what}")

    expect_passed(stacked, 0, "an address that nobody has")
    host.ip(f"link add name vrrp0 link eth1 address {stacked} type macvlan mode bridge", "link set vrrp0 up")
    expect_passed(stacked, 1, "the address of a macvlan on the port")
    host.ip("link del vrrp0")
    expect_passed(stacked, 0, "no longer when it is gone")
    host.ip(f"link set eth1 address {changed}")
    expect_passed(changed, 1, "the port's new address")
    expect_passed(old, 0, "not its old one")
    host.ip(f"link set eth1 address {old}")
    expect_passed(old, 1, "its old one again")
    expect_passed(virtual, 0, "a virtual address that the document does not name")
    bridge.write(mode, f'macs = [ "{virtual}" ];')
    expect_passed(virtual, len(bridge.nodes), "one that it names, at each node that it names it for", 8)
    bridge.write(mode)
    expect_passed(virtual, 0, "no longer when it is taken out", 8)


def play(report: Report, driver: str, n: int, modes: tuple[str, ...], cases: list[typing.Any]) -> None:
    with Lab(f"bridge-{driver}{n}") as lab:
        bridge = Bridge(report, lab, driver, n)
        for mode in modes:
            bridge.use(mode)
            say(f"{driver}, {n} nodes, {mode}")
            one_for_one(bridge, mode, n, cases)
            if mode == modes[0]:
                none_for_others(bridge, mode)
            if mode == "gue" and driver == "xdp" and n == 3:
                followed(bridge, mode)


def run(report: Report) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--driver", choices=("xdp", "dpdk"))
    arguments = parser.parse_args()
    cases: list[typing.Any] = []
    for driver, n, modes in FULL if arguments.full else QUICK:
        if arguments.driver not in (None, driver):
            continue
        if driver == "dpdk" and not has_dpdk():
            say("built without DPDK: left out")
            continue
        play(report, driver, n, modes, cases)
    frames = {key: sum(c[key] for c in cases) for key in ("frames_in", "frames_out")}
    with open(os.path.join(BUILD, "lab", "bridge.json"), "w") as f:
        json.dump({**frames, "cases": cases}, f, indent=1)
    say(f"{frames['frames_in']} frames in, {frames['frames_out']} out")
    report.equal(frames["frames_out"], frames["frames_in"], "one frame in gives one frame out")


def has_dpdk() -> bool:
    with open(executable("weir-dataplane"), "rb") as f:
        return b"rte_eal_init" in f.read()


if __name__ == "__main__":
    sys.exit(Report.main(run))
