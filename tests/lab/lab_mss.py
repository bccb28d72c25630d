# SPDX-License-Identifier: BSD-2-Clause
"""A client behind a firewall that drops "packet too big" uploads through a tunnel, MTU 1500 everywhere: with the backends' agents,
and without them but with advmss on the backends' routes, each upload ends; with neither, each hangs.

Both drivers, IPIP and GUE (with lists of earlier owners, too), IPv4 and IPv6 outside and inside. "Without agents" is an agent that
leaves the MSS alone: the kernel's own tunnels, which not every kernel has, would take the tunnel off in its place.

Then with links of 1,600 bytes at the site, as docs/installation.md says: nodes fill tunnels up to nodes[].mtu, and agents know only
their own interface. So uploads hang until either nodes[].mtu is the links', or --mss is a number that fits nodes[].mtu.

Writes build/lab/mss.json: `transfers`, `hung`, and of those without either `bare`, `bare_hung`.
"""
from __future__ import annotations

import concurrent.futures
import dataclasses
import hashlib
import json
import os
import socket
import sys
import threading
import time
import typing

import plan as planning
from books import reasons
from net import BUILD, Lab, entered, say, wait_until
from report import Report
from world import Site, World

QUICK = "--quick" in sys.argv
MTU = 1500
LARGER = 1600
BYTES = 300_000
ENDS_S = 30.0  # an upload of these bytes takes some 0.1 s on an idle machine
HANGS_S = 4.0  # one that has not ended by then hangs: on the way nothing is slower than a round trip
PORT = 80
HANGING = ("neither", "larger links alone")


@dataclasses.dataclass(frozen=True)
class Tunnel:
    """A pool's mode, the family outside, and what docs/forwarding.md says that it takes."""
    mode: str
    six: bool
    takes: int
    agent: bool = False  # agent = true: room for a list of owners

    @property
    def name(self) -> str:
        return f"{self.mode}{' with a list' if self.agent else ''} over IPv{6 if self.six else 4}"


TUNNELS = (Tunnel("ipip", False, 20), Tunnel("ipip", True, 40), Tunnel("gue", False, 32), Tunnel("gue", True, 52),
           Tunnel("gue", False, 48, True), Tunnel("gue", True, 104, True))


class NarrowSite(Site):
    mtu = MTU


class NarrowWorld(World):
    site_class = NarrowSite


class LargerSite(Site):
    mtu = LARGER


class LargerWorld(World):
    site_class = LargerSite


class Server:
    """Takes uploads on a backend: 8 bytes of length, then so many; answers with their SHA-256, once all have come."""

    def __init__(self, ns: str) -> None:
        with entered(ns):
            self.socket = socket.create_server(("::", PORT), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            connection, _ = self.socket.accept()
            threading.Thread(target=take_upload, args=(connection,), daemon=True).start()


def take_upload(connection: socket.socket) -> None:
    try:
        with connection, connection.makefile("rb") as f:
            n = int.from_bytes(f.read(8), "big")
            connection.sendall(hashlib.sha256(f.read(n)).digest())
    except OSError:
        pass  # the client has given up


class Upload(typing.NamedTuple):
    ended: bool
    mss: int  # the client's, by the kernel


def upload(ns: str, vip: str, limit_s: float) -> Upload:
    """Send BYTES. Ended: the server has had each of them within the time."""
    data = os.urandom(BYTES)
    with entered(ns):
        s = socket.socket(socket.AF_INET6 if ":" in vip else socket.AF_INET)
    with s:
        s.settimeout(limit_s)
        mss, got = 0, b""
        try:
            s.connect((vip, PORT))
            mss = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
            s.sendall(BYTES.to_bytes(8, "big") + data)
            got = s.recv(64)
        except OSError:
            pass  # time is up: what has come says the rest
        return Upload(got == hashlib.sha256(data).digest(), mss)


class Scene:
    """One driver's site: a client, a firewall before it, and two backends, of which a pool has one."""

    def __init__(self, report: Report, lab: Lab, driver: str, world: type[World] = NarrowWorld) -> None:
        plan = planning.simple(1, 2, api=False)
        plan.check = planning.PATIENT.replace('via = "tunnel"', 'via = "direct"')
        self.report, self.driver, self.world = report, driver, world(lab, plan, resolvers=())
        self.site, self.node = self.world.sites[0], self.world.sites[0].node
        self.client = self.world.client
        self.by_family = {":" in b.addresses[0]: b for b in self.site.backends}
        self.plans = {":" in b.address: b for b in self.site.plan.backends}
        self.servers = [Server(b.host.ns) for b in self.site.backends]
        firewall = os.path.join(BUILD, "tests/lab/firewall.bpf.o")
        self.world.router.run(["tc", "qdisc", "add", "dev", "p-client", "clsact"])
        self.world.router.run(["tc", "filter", "add", "dev", "p-client", "egress", "bpf", "da", "obj", firewall, "sec", "firewall"])
        # A kernel that probes for black holes by itself would end what hangs elsewhere, late.
        self.client.sysctl({"net.ipv4.tcp_mtu_probing": 0})
        if driver == "dpdk":
            self.node.give_tap()
            self.site.plan.device = "net_af_packet0,iface=nic1"
            self.site.plan.more = 'dpdk = { cores = "0"; hugepages = "no"; }; '
        self.results: list[dict[str, typing.Any]] = []

    def choose(self, tunnel: Tunnel) -> None:
        """A pool with this tunnel's backend alone, in force, and with all its slots."""
        self.site.plan.mode, self.world.plan.agent = tunnel.mode, tunnel.agent
        self.site.plan.backends = [self.plans[tunnel.six]]
        self.node.write_config()
        self.node.write_effective()
        if "dataplane" not in self.node.processes:
            self.node.start("dataplane")
        wait_until(lambda: self.is_in_force(tunnel), 30, f"{self.driver}: {tunnel.name} in force", 0.1)

    def is_in_force(self, tunnel: Tunnel) -> bool:
        name = self.plans[tunnel.six].name
        try:
            rows = self.node.ctl("dataplane", {"do": "backends"})["backends"]
            stats = self.node.stats("dataplane")
        except (OSError, KeyError):
            return False  # the process is starting
        owners = {labels.split('backend="', 1)[1].rstrip('"') for (metric, labels), n in stats.items()
                  if metric == "weir_dataplane_backend_slots" and n}
        return owners == {name} and [(r["next_hop"], r["inner_mtu"]) for r in rows if r["backend"] == name] == \
            [("known", self.world.plan.node_mtu - tunnel.takes)]

    def prepare(self, tunnel: Tunnel, way: str) -> None:
        """The backend as `way` says: with the agent's MSS (its own, or the number that fits nodes[].mtu), with advmss on its routes, or
        with neither."""
        mss = {"agents": "auto", "larger links alone": "auto", "--mss": str(self.world.plan.node_mtu - tunnel.takes - 60)}
        backend = self.by_family[tunnel.six]
        owners = [self.site.plan.gateway6 + "/128" if tunnel.six else self.site.plan.gateway4 + "/32"] if tunnel.agent else []
        backend.attach_agent(self.site.tunnels(), owners=owners, mss=mss.get(way, "off"))
        for family, gateway, headers in (("", self.site.plan.gateway4, 40), ("-6 ", self.site.plan.gateway6, 60)):
            advmss = f" advmss {MTU - tunnel.takes - headers}" if way == "advmss" else ""
            backend.host.ip(f"{family}route replace default via {gateway} dev eth0{advmss}")

    def transfer(self, tunnel: Tunnel, way: str) -> None:
        """Both families upload; what is to end has much time, what is to hang is given up early."""
        self.prepare(tunnel, way)
        hangs = way in HANGING
        limit_s = HANGS_S if hangs else ENDS_S
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor() as pool:
            ends = list(pool.map(lambda vip: upload(self.client.ns, vip, limit_s), self.site.plan.vips))
        for vip, end in zip(self.site.plan.vips, ends):
            self.results.append({"driver": self.driver, "tunnel": tunnel.name, "way": way, "vip": vip, **end._asdict()})
        took = f"MSS {', '.join(str(e.mss) for e in ends)}; {time.monotonic() - began:.1f} s"
        self.report.check([e.ended for e in ends] == [not hangs] * 2 and all(e.mss for e in ends),  # who cannot connect does not hang
                          f"{self.driver}, {tunnel.name}, {way}: {'both hang' if hangs else 'both end'}", took)

    def too_big(self) -> int:
        counted = reasons(self.site)
        return sum(n for reason, n in counted.items() if reason.startswith("too_big"))

    def why_names_advmss(self, tunnel: Tunnel) -> bool:
        """For the pool, and for its backend."""
        wanted = f"advmss {MTU - tunnel.takes - 40} (IPv4) and {MTU - tunnel.takes - 60} (IPv6)"
        pool = self.site.plan.pool
        return all(wanted in self.node.weir("why", *thing, check=False)
                   for thing in (("pool", pool), ("backend", f"{pool}/{self.plans[tunnel.six].name}")))

    def lowered(self, tunnel: Tunnel) -> int:
        return self.by_family[tunnel.six].agent_status()["mss-lowered"]


def play(report: Report, driver: str, tunnels: typing.Sequence[Tunnel], ways: typing.Sequence[str]) -> list[dict[str, typing.Any]]:
    with Lab(f"mss_{driver}") as lab:
        scene = Scene(report, lab, driver)
        for tunnel in tunnels:
            say(f"{driver}: {tunnel.name}")
            scene.choose(tunnel)
            for way in ways:
                scene.transfer(tunnel, way)
            if "agents" in ways:
                report.check(scene.lowered(tunnel) >= 2, "the agent counts what it has lowered", scene.lowered(tunnel))
        if "neither" in ways:
            report.wait(scene.too_big, 5, "the node said that packets were too big, and the firewall kept it from the client")
            scene.node.start("mgmt")
            report.wait(lambda: scene.why_names_advmss(tunnels[-1]), 20, "weir why names the advmss that fits", 0.5)
        return scene.results


def play_larger(report: Report) -> None:
    with Lab("mss_larger") as lab:
        scene = Scene(report, lab, "xdp", LargerWorld)
        for tunnel in TUNNELS[4:] if QUICK else TUNNELS:
            say(f"links of {LARGER}: {tunnel.name}")
            for mtu, ways in ((MTU, ("larger links alone", "--mss")), (LARGER, ("agents",))):
                scene.world.plan.node_mtu = mtu
                scene.choose(tunnel)
                for way in ways:
                    scene.transfer(tunnel, way)


def run(report: Report) -> None:
    results = []
    play_larger(report)
    for driver in ("xdp", "dpdk"):
        if QUICK:
            results += play(report, driver, TUNNELS[0:4:3], ("neither", "agents") if driver == "dpdk" else ("neither", "agents", "advmss"))
        else:
            results += play(report, driver, TUNNELS, ("neither", "agents", "advmss"))
    bare = [r for r in results if r["way"] == "neither"]
    done = [r for r in results if r["way"] != "neither"]
    summary: dict[str, typing.Any] = {"transfers": len(done), "hung": sum(not r["ended"] for r in done),
               "bare": len(bare), "bare_hung": sum(not r["ended"] for r in bare), "rows": results}
    with open(os.path.join(BUILD, "lab", "mss.json"), "w") as f:
        json.dump(summary, f, indent=1)
    report.check(summary["transfers"] >= (10 if QUICK else 24), "transfers", summary["transfers"])
    report.equal(summary["hung"], 0, "none of them hung")
    report.equal(summary["bare_hung"], summary["bare"], "with neither, all hung")


if __name__ == "__main__":
    sys.exit(Report.main(run))
