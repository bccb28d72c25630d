# SPDX-License-Identifier: BSD-2-Clause
"""Packets that are not like the others, on both drivers, IPv4 and IPv6: too big for the tunnel, so that their sender
is told; too big on the client's way, so that the backend is; too big on the tunnel's way, so that we are, honestly
or not; fragments; mode l2; a backend behind a second port.
"""
from __future__ import annotations

import os
import sys
import time
import typing

import peer
from forge import error_about, send
from lab_dpdk import as_dpdk
from books import check_node, weir_counts_by_now
from lab_forward import Stage
from net import Lab, entered, executable, say, wait_until
from report import Report

PEER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peer.py")
TUNNEL_MTU = 1400  # of the links 1,600 and 1,500
PATH_MTU = 1340    # of a link behind a router, before two backends
INNER_MIN = 1280   # what no error takes away
OVERHEAD = {"gue": 52, "ipip": 40}  # to a backend with an IPv6 address


class Packets(Stage):
    """A site whose backends send back what comes, on a way that carries little."""

    def __init__(self, report: Report, lab: Lab, mode: str, driver: str) -> None:
        super().__init__(report, lab, mode)
        self.mode, self.driver = mode, driver
        self.hop = self.site.add_router("hop", "10.1.1.99", "fd00:1:1::99")
        at = self.config.index("services = (") + len("services = (")
        pool, vip, name = self.site.plan.pool, self.site.plan.vip, self.site.plan.name
        self.config = (self.config[:at] + f'\n  {{ name = "names"; protocol = "udp"; port = 53; at = ( {{ site = "{name}"; '
                       f'vip = "{vip}"; pool = "{pool}"; }} ); }},' + self.config[at:])
        for backend in self.site.backends:
            backend.nginx.stop()
            backend.host.start("peer", ["python3", PEER, "serve", *self.site.plan.vips])

    def document(self, text: str) -> str:
        if self.mode != "l2":
            text = text.replace(f"mtu = {self.world.plan.node_mtu};", f"mtu = {TUNNEL_MTU};")
        return as_dpdk(text) if self.driver == "dpdk" else text

    def ask(self, how: str, address: str, count: int, size: int) -> typing.Any:
        """What came of `count` questions of `size` bytes from the client."""
        with entered(self.world.client.ns):
            return peer.ask(how, address, count, size)

    def counts(self) -> dict[str, int]:
        """By reason."""
        return weir_counts_by_now(self.node)["reasons"]

    def more(self, before: dict[str, int]) -> dict[str, int]:
        """What came in addition, by reason."""
        return {reason: n - before.get(reason, 0) for reason, n in self.counts().items()}


def known_mtu(stage: Packets, vip: str) -> int:
    """What the client's kernel has learned of the way to a VIP."""
    words = stage.world.client.run(["ip", "route", "get", vip]).split()
    return int(words[words.index("mtu") + 1]) if "mtu" in words else 0


def all_whole(report: Report, stage: Packets, how: str, vip: str, count: int, size: int, what: str) -> None:
    got = stage.ask(how, vip, count, size)
    report.equal((got["whole"], got["failed"]), (count, []), f"{what}: {vip}, {count} times {size} bytes, each byte")
    report.check(got["again"] <= len(stage.site.backends), "lost once: at most a first answer of each backend", got["again"])


def too_big(report: Report, stage: Packets) -> None:
    """A client behind 1,500 bytes sends more than the tunnel carries."""
    before = stage.counts()
    for vip in stage.site.plan.vips:
        all_whole(report, stage, "tcp", vip, 12, 200000, "up and down through a small tunnel")
        report.between(known_mtu(stage, vip), 1280, TUNNEL_MTU - 20, f"what the client was told for {vip}")
    report.equal(min(known_mtu(stage, vip) for vip in stage.site.plan.vips), TUNNEL_MTU - OVERHEAD[stage.mode],
                 "the least is what the longest outer header leaves")
    more = stage.more(before)
    report.check(more["too_big_told"] >= 2, "the senders were told", more["too_big_told"])
    report.equal(more["too_big"], 0, "none was dropped in silence")


def small_client(report: Report, stage: Packets) -> None:
    """What a backend sends meets a small link before the client: the router's error finds the backend."""
    # Of the routes, not of the link: a veth drops what comes in larger than its own MTU, and tells nobody.
    router = stage.world.router
    router.ip("route add 10.255.1.2/32 dev p-client mtu lock 1300",
              "-6 route add fd00:255:1::2/128 dev p-client mtu lock 1300")
    before = stage.counts()
    for vip in stage.site.plan.vips:
        all_whole(report, stage, "tcp", vip, 12, 200000, "down through a small link")
    relayed = stage.more(before)["icmp_relayed"]
    report.check(relayed >= 2, "routers' errors reached the backends", relayed)
    router.ip("route del 10.255.1.2/32", "-6 route del fd00:255:1::2/128")


def small_path(report: Report, stage: Packets) -> None:
    """A router before the first two backends, IPv4 and IPv6, has a small link behind it, of which the node knows nothing."""
    lab, node, site, hop = stage.lab, stage.node.host, stage.site, stage.hop
    hop.route(site.plan.tunnel4, site.plan.node4)  # what the network's routing has for tunnel sources
    hop.route(site.plan.tunnel6, site.plan.node6)
    routes = []
    for k, backend in enumerate(site.backends[:2]):
        lab.link(hop, f"small{k}", backend.host, "eth6", PATH_MTU)
        for host, name, n in ((hop, f"small{k}", 1), (backend.host, "eth6", 2)):
            host.offload(name, "tx off")
            host.address(name, f"10.78.{k}.{n}/24", f"fd00:78:{k}::{n}/64")
        bpf_dir = os.path.join(lab.bpf_dir, f"agent-small{k}")
        os.makedirs(bpf_dir)
        backend.host.run([executable("agent-tool"), "attach", "eth6", bpf_dir, site.plan.tunnel4, site.plan.tunnel6])
        six, address = ":" in backend.addresses[0], backend.addresses[0]
        hop.ip(f"-6 route add {address}/128 via fd00:78:{k}::2" if six else f"route add {address}/32 via 10.78.{k}.2")
        routes.append(f"-6 route {{}} {address}/128 via fd00:1:1::99" if six else f"route {{}} {address}/32 via 10.1.1.99")
    node.ip(*(r.format("add") for r in routes))
    time.sleep(1)  # the old way's packets are through
    wait_until(stage.ready, 10, "the way over the router")
    learn(report, stage, "told by a router on the tunnel's way")
    forge(report, stage)
    stage.node.kill("dataplane")
    stage.start()
    report.equal([b["path_mtu"] for b in stage.backends().values()], [0, 0, 0], "a new process knows nothing of it")
    learn(report, stage, "learned again")
    node.ip(*(r.format("del") for r in routes))
    time.sleep(1)  # the old way's packets are through
    wait_until(stage.ready, 10, "the way without the router")


def forgetful(report: Report, stage: Packets, count: int, size: int, what: str) -> int:
    """Transfers between ends that know of no small link, one after the other, so that each begins with packets of full
    size. Returns the least MTU that the client was told."""
    since, mtus = time.monotonic(), []
    for vip in stage.site.plan.vips:
        failed = []
        for _ in range(count):
            for host in (stage.world.client, *(b.host for b in stage.site.backends)):
                host.ip("-6 route flush cache" if ":" in vip else "route flush cache")
            failed += stage.ask("tcp", vip, 1, size)["failed"]
            mtus.append(known_mtu(stage, vip))
        report.equal(failed, [], f"{what}: {vip}, {count} times {size} bytes, each byte")
    say(f"in {time.monotonic() - since:.1f} s")
    return min(mtus)


def learn(report: Report, stage: Packets, what: str) -> None:
    """Transfers end whole, since the client is told by the VIP."""
    before = stage.counts()
    overheads = {b: OVERHEAD[stage.mode] - (0 if ":" in row["address"] else 20) for b, row in stage.backends().items()}
    learned = forgetful(report, stage, 12, 200000, what)
    seen = [(b["path_mtu"], b["inner_mtu"]) for b in stage.backends().values()]
    report.equal(seen, [(PATH_MTU if k < 2 else 0, (PATH_MTU if k < 2 else TUNNEL_MTU) - overhead)
                        for k, overhead in enumerate(overheads.values())],
                 "what two tunnels carry is lowered, and that of the third is not")
    report.equal(learned, PATH_MTU - OVERHEAD[stage.mode], "what the client was told is what is left in the tunnel")
    more = stage.more(before)
    report.check(more["tunnel_too_big"] >= 2, "errors about the tunnels were taken", more["tunnel_too_big"])
    report.equal(more["too_big"], 0, "none was dropped in silence")
    lowered = {name: value for (name, _), value in stage.node.stats("dataplane").items() if "path" in name}
    report.equal(lowered["weir_dataplane_paths_lowered"], 2, "counted")


def forge(report: Report, stage: Packets) -> None:
    """The same from someone who made it up: what does not fit what we send is left alone, and the rest bounded."""
    before, third = stage.counts(), stage.site.backends[2].addresses[0]
    path_mtus = [("10.1.1.77", 1000), (third, 500), (third, 1400), *((third, mtu) for mtu in range(1300, 600, -1))]
    send(stage.world, [error_about(stage.mode, backend, mtu) for backend, mtu in path_mtus])
    more = stage.more(before)
    report.equal(more["tunnel_too_big_refused"], 2, "an MTU that cannot be is refused")
    report.between(more["tunnel_too_big"], 600, 700, "others are counted, unless a socket lost them")
    report.equal(list(stage.backends().values())[2]["inner_mtu"], INNER_MIN, "and take no more than leaves IPv6 its due")
    forgetful(report, stage, 6, 100000, "in spite of forged errors")


def fragments(report: Report, stage: Packets) -> None:
    """Datagrams larger than any link: each fragment finds the backend of the first. On AF_PACKET the kernel
    puts IPv4's together before DPDK sees them."""
    before = stage.counts()
    vips = stage.site.plan.vips[1:] if stage.driver == "dpdk" else stage.site.plan.vips
    for vip in vips:
        for size in (1700, 8000):
            all_whole(report, stage, "udp", vip, 20, size, "fragments follow their first")
    more = stage.more(before)
    followed = more["fragment_followed"]
    report.check(followed >= len(vips) * 20 * (1 + 5), "later fragments were forwarded", followed)
    report.equal(more["fragment"], 0, "none of them before its first")


def second_port(report: Report, stage: Packets) -> None:
    """The way to the first backend leads by another port than the one that its packets come in on."""
    node, backend, plan = stage.node.host, stage.site.backends[0], stage.site.plan
    stage.lab.link(node, "eth2", backend.host, "eth5", 1600)
    for host, name, address in ((node, "eth2", "10.77.0.1/24"), (backend.host, "eth5", "10.77.0.2/24")):
        host.offload(name, "tx off")
        host.address(name, address)
    bpf_dir = os.path.join(stage.lab.bpf_dir, "agent-second")
    os.makedirs(bpf_dir)
    backend.host.run([executable("agent-tool"), "attach", "eth5", bpf_dir, plan.tunnel4, plan.tunnel6])
    node.ip(f"route add {backend.addresses[0]}/32 via 10.77.0.2 dev eth2")
    stage.write(edit=lambda text: stage.document(text).replace('{ interface = "eth1"; }', '{ interface = "eth1"; }, { interface = "eth2"; }'))
    wait_until(lambda: len(stage.status()["ports"]) == 2 and stage.ready(), 10, "two ports")
    time.sleep(1)  # the second port's neighbour is asked for each second
    before = backend.host.counters("eth5")["rx"]
    for vip in plan.vips:
        all_whole(report, stage, "tcp", vip, 12, 100000, "in by one port, out by another")
    more = backend.host.counters("eth5")["rx"] - before
    report.check(more > 200, "the first backend's came by the second port", more)


def layer2(report: Report, stage: Packets) -> None:
    """Direct return without a tunnel: packets of the whole MTU reach the VIPs on the backends' loopback."""
    before = stage.counts()
    for vip in stage.site.plan.vips:
        all_whole(report, stage, "tcp", vip, 12, 200000, "direct return")
    fragments(report, stage)
    forwarded = stage.more(before)["forwarded"]
    report.check(forwarded > 1000, "by the node", forwarded)
    tunnels = sum(b.agent_status()[mode] for b in stage.site.backends for mode in ("ipip", "gue"))
    report.equal(tunnels, 0, "and in no tunnel that an agent took off")


def run(report: Report) -> None:
    for driver in ("xdp", "dpdk"):
        say(f"driver {driver}, mode l2")
        with Lab(f"packets-l2-{driver}") as lab:
            stage = Packets(report, lab, "l2", driver)
            stage.write(edit=stage.document)
            stage.start()
            report.step(layer2, report, stage)
            report.step(check_node, report, stage.node)
    for driver, mode in (("xdp", "gue"), ("dpdk", "ipip")):
        say(f"driver {driver}, mode {mode}")
        with Lab(f"packets-{driver}") as lab:
            stage = Packets(report, lab, mode, driver)
            stage.write(edit=stage.document)
            stage.start()
            report.step(too_big, report, stage)
            report.step(small_client, report, stage)
            report.step(fragments, report, stage)
            report.step(small_path, report, stage)
            report.step(second_port, report, stage)
            report.step(check_node, report, stage.node, {"tunnel_too_big": 800, "tunnel_too_big_refused": 4})


if __name__ == "__main__":
    sys.exit(Report.main(run))
