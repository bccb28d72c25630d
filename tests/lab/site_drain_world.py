# SPDX-License-Identifier: BSD-2-Clause
"""The world of lab drain: three sites with a node each, and a crowd of thousands of clients whose habits are not in our hands.

- Clients are behind resolvers, and a resolver's prefix is what steering knows of them. KEYS resolvers of both families; the first
  one has a quarter of the clients, the others fewer and fewer.
- Every tenth resolver gives no answer less than 30 s of life, some of them a minute. One client of 16 resolves once, and never
  again.
- A client tries a request once. What has no answer after 3 s counts as refused.
- Where a site has a backup, the backup's backends have its VIPs and take its tunnels off.
"""
from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import random
import re
import signal
import socket
import struct
import threading
import time
import typing

import plan as planning
from dns_probe import answer, query
from net import BUILD, LabError, call, entered, wait_until
from store import Members, write_conf
from watch import Crowd, now_ms
from world import Site, World

if typing.TYPE_CHECKING:
    from net import Lab
    from world import Node, Request

KEYS = 300           # resolvers
BIG_SHARE = 0.25     # of the first one
SOURCES = 6000
RATE = 400           # new connections a second, of all clients
ONCE_EVERY = 16      # a client that never resolves again
API_PORT = 8443
LEVEL_EVERY_S = 0.2  # how often levels are read
SQUEEZE_BURST_S = 0.25  # what a squeezed port lets through at once: what comes in this time
WINDOW_MS = 2000     # in which the flows that are left are counted
NEXT_SITE = {"ams": "fra", "fra": "ams", "par": "fra"}  # who is whose backup


@dataclasses.dataclass
class Wish:
    """What a scene wants of its world."""
    ttl: tuple[str, str] = ("5s", "5s")
    capacity: str = ""
    backup: bool = False
    rate: float = RATE
    sources: int = SOURCES
    seed: int = 1
    big_gate: tuple[float, float] | None = None  # the big resolver's clients leave ams between these levels, in percent
    big_to: str = ""  # for this site
    vip_check: str = planning.PATIENT.replace('via = "tunnel"; ', "").replace("1s", "400ms").replace("900ms", "350ms").replace("fall = 5", "fall = 4")


def make_plan(wish: Wish) -> planning.Plan:
    plan = planning.simple(3, 2, ttl_min=wish.ttl[0], ttl_max=wish.ttl[1], min_healthy="50%", vip_check=wish.vip_check)
    for site in plan.sites:
        site.capacity = wish.capacity or site.capacity
        if wish.backup:
            site.backup = f'backup = "web-{NEXT_SITE[site.name]}"; backup_max = {{ new_flows = "2k/s"; bits = "1Gbit"; }}; '
    return plan


def prefix_of(k: int, six: bool) -> str:
    """The k-th resolver's prefix: a /24, or a /56."""
    return f"2001:db8:{0x8000 + k // 256:x}:{(k % 256) << 8:x}" if six else f"100.{64 + k // 256}.{k % 256}"


def resolver_address(k: int, six: bool) -> str:
    return prefix_of(k, six) + ("::53" if six else ".53")


class BackupSite(Site):
    """A site whose backends also serve the sites that it is the backup of."""

    def tunnels(self) -> list[str]:
        served = [s for s in self.world.plan.sites if s is self.plan or s.backup and NEXT_SITE[s.name] == self.name]
        return [t for s in served for t in (s.tunnel4, s.tunnel6)]

    def serve_others(self) -> None:
        for other in self.world.plan.sites:
            if other is not self.plan and other.backup and NEXT_SITE[other.name] == self.name:
                for backend in self.backends:
                    backend.host.address("lo", f"{other.vip4}/32", f"{other.vip6}/128")


class SiteDrainWorld(World):
    site_class = BackupSite

    def __init__(self, lab: Lab, wish: Wish, before_start: typing.Callable[[SiteDrainWorld], None] = lambda world: None) -> None:
        super().__init__(lab, make_plan(wish), resolvers=())
        self.wish, self.random = wish, random.Random(wish.seed)
        self.site_of = {v: s.name for s in self.plan.sites for v in s.vips}
        self.big = 0  # the number of the big resolver
        self.crowd: Crowd | None = None
        self.levels: Levels | None = None
        if wish.backup:
            for site in self.sites:
                typing.cast(BackupSite, site).serve_others()
        self.write_configs()
        before_start(self)
        self.start_backends()
        for site in self.sites:
            site.node.start()
        for node in self.nodes:
            node.wait_until_well()

    def place_members(self, *names: str) -> None:
        """Let the nodes share a store whose members are at these sites, in place of the one at no site."""
        assert self.store
        self.store.stop()
        members = Members([(self.site(name).node.host, self.site(name).plan.node4) for name in names])
        for node in self.nodes:
            write_conf(node.conf, members.endpoints)

    # who is behind which resolver

    def ask(self, server: str, address: str) -> str:
        """The site that a name server gives to a prefix, for its address' family."""
        six = ":" in address
        text = query(self.random.randrange(65536), self.plan.name, address, 56 if six else 24, want6=six)
        with entered(self.client.ns), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(2)
            s.connect((server, 53))
            s.send(text)
            return self.site_of.get(answer(s.recv(4096))[2], "?")

    def explain(self, address: str) -> str:
        return self.nodes[0].weir("dns", "explain", self.plan.name, "A", "--client", address, check=False)

    def choose_big(self) -> None:
        """The first resolver of ams is the big one; or the first one that goes where and when the scene wants."""
        def find() -> list[int]:
            return [k for k in range(KEYS) if self.ask(self.plan.sites[1].dns4, resolver_address(k, False)) == "ams"]
        of_ams = wait_until(find, 20, "fra's name server names ams", 0.2)
        self.big = of_ams[0]
        if self.wish.big_gate:
            with self.drained("ams"):
                self.big = next(k for k in of_ams if self.goes(k, *self.wish.big_gate, self.wish.big_to))

    def goes(self, k: int, above: float, below: float, to: str) -> bool:
        text = self.explain(resolver_address(k, False))
        gate, chosen = re.search(r"gate is at ([0-9.]+) %: turned away", text), re.search(r"^chosen +(\S+)$", text, re.M)
        return gate is not None and chosen is not None and above < float(gate[1]) < below and chosen[1] == to

    @contextlib.contextmanager
    def drained(self, site: str) -> typing.Iterator[None]:
        """A site drained by the clock, at once, as long as nobody is here yet."""
        def override(do: str, ppm: int, **more: str) -> None:
            status, said = self.nodes[0].api("POST", "/v1/overrides", {
                "do": do, "target": {"site": site}, "now": True, "reason": "to see gates", **more})
            if status not in (200, 201):
                raise LabError(f"{do} {site}: {status} {said}")
            wait_until(lambda: all(drained_ppm(n, site) == ppm for n in self.nodes), 20, f"{do} of {site}", 0.1)
        override("drain", 1000000, until="+1h")
        yield
        override("undrain", 0)

    def source_lines(self) -> list[str]:
        """The clients; see client.c. The big resolver first, then weights by 1 / sqrt(rank)."""
        r, n = self.random, self.wish.sources
        others = [k for k in range(KEYS) if k != self.big]
        weights = [1 / (i + 1) ** 0.5 for i in range(len(others))]
        servers = [(s.dns4, s.dns6) for s in self.plan.sites]
        keys = [self.big] * round(n * BIG_SHARE)
        keys += r.choices(others, weights, k=n - len(keys))
        return [self.source_line(i, k, servers) for i, k in enumerate(keys)]

    def source_line(self, i: int, k: int, servers: list[tuple[str, str]]) -> str:
        six = k != self.big and k % 2 == 1
        turn = [servers[(i + j) % len(servers)][six] for j in range(len(servers))]
        habits = []
        if k != self.big and k % 10 == 3:
            habits.append("min=60" if k % 50 == 3 else "min=30")
        if i % ONCE_EVERY == 5:
            habits.append("once")
        return " ".join([resolver_address(k, six), ",".join(turn), *habits])

    # running

    def begin(self, tag: str = "crowd", warm_s: float = 12) -> None:
        """Levels are read and clients connect from now on; returns when the crowd is at its pace."""
        self.choose_big()
        self.levels = Levels(self)
        process = self.start_client(tag, self.wish.rate)
        self.crowd = Crowd(os.path.join(self.lab.dir, f"{tag}.requests"), process, self.site_of)
        time.sleep(warm_s)  # what is before a drain is measured in this time

    def end(self) -> None:
        if self.crowd and self.crowd.process:
            self.crowd.process.stop(10)
            self.crowd.read()
        if self.levels:
            self.levels.stop()

    def crowd_line(self, last_ms: int) -> str:
        """What the crowd did in the last ms, as a line."""
        now = now_ms()
        return self.crowd.line(now - last_ms, now - 100) if self.crowd else ""

    def requests(self, begin_ms: float, end_ms: float) -> list[Request]:
        """What was started in a time, once all of it has ended. A crowd that has gone shows nothing."""
        assert self.crowd
        self.crowd.wait_ended(end_ms)
        if self.crowd.ended_ms < end_ms:
            raise LabError(f"the clients of {self.crowd.name} ended before")
        return self.crowd.between(begin_ms, end_ms)

    def squeeze(self, site: str, per_s: float) -> None:
        """From now on a site takes so many new connections a second: others are lost on the way to its node."""
        self.squeeze_port(self.site(site).node_port, per_s)

    def squeeze_backends(self, site: str, per_s: float) -> None:
        """From now on a site's backends take so many new connections a second together: others are lost on the way from its node,
        which nobody tells."""
        backends = self.site(site).backends
        for backend in backends:
            self.squeeze_port(f"p-{backend.name}", per_s / len(backends))

    def squeeze_port(self, port: str, per_s: float) -> None:
        """A port of the router lets so many SYNs through (squeeze.bpf.c)."""
        program = os.path.join(BUILD, "tests", "lab", "squeeze.bpf.o")
        self.router.run(["tc", "qdisc", "replace", "dev", port, "clsact"])
        self.router.add_filter(port, "egress", program, "squeeze")
        rows = json.loads(self.router.run(["tc", "-j", "filter", "show", "dev", port, "egress"]))
        number = next(r["options"]["prog"]["id"] for r in rows if "prog" in r.get("options", {}))
        shown = json.loads(call(["bpftool", "-j", "prog", "show", "id", str(number)]))
        value = struct.pack("=QQQ", round(1e9 / per_s), 0, round(per_s * SQUEEZE_BURST_S))
        call(["bpftool", "map", "update", "id", str(shown["map_ids"][0]), "key", "0", "0", "0", "0", "value", *map(str, value)])

    def part(self, name: str, do: str = "add") -> None:
        """A filter between the nodes: weir-mgmt of a node and of the others cannot reach one another. All else is as before. `do`:
        add, or del."""
        own = self.site(name)
        for a, b in ((a, b) for other in self.sites if other is not own for a, b in ((own, other), (other, own))):
            self.router.ip(f"rule {do} iif {a.switch} to {b.plan.node4} ipproto tcp dport {API_PORT} blackhole pref 6",
                           f"-6 rule {do} iif {a.switch} to {b.plan.node6} ipproto tcp dport {API_PORT} blackhole pref 6")

    def power_off(self, name: str) -> None:
        """Nothing of a site runs any more, and its addresses are silent."""
        site = self.site(name)
        site.node.kill_all()
        for backend in site.backends:
            backend.kill()
        site.cut()

    def kill_site(self, name: str) -> None:
        """All that runs on its hosts ends at one instant, a member of the store, too, and its addresses are silent."""
        site = self.site(name)
        hosts = [site.node.host, *(b.host for b in site.backends)]
        for pid in [int(pid) for host in hosts for pid in call(["ip", "netns", "pids", host.ns]).split()]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        site.cut()


def drained_ppm(node: Node, site: str) -> int:
    """How much of a site a node's DNS has drained, read back from weir-dns."""
    sites = node.ctl("dns", {"do": "status"}, timeout_s=2)["names"][0]["sites"]
    return next(s["drained_ppm"] for s in sites if s["site"] == site)


class Levels(threading.Thread):
    """The levels of all sites in force at all nodes, read all the time."""

    def __init__(self, world: SiteDrainWorld) -> None:
        super().__init__(daemon=True)
        self.world, self.ending = world, threading.Event()
        self.rows: list[tuple[int, dict[str, dict[str, int] | None]]] = []  # (time, {node: {site: ppm}})
        self.start()

    def look(self, node: Node) -> dict[str, int] | None:
        try:
            sites = node.ctl("dns", {"do": "status"}, timeout_s=2)["names"][0]["sites"]
            return {s["site"]: s["drained_ppm"] for s in sites}
        except (OSError, ValueError, KeyError, IndexError):
            return None

    def run(self) -> None:
        while not self.ending.wait(LEVEL_EVERY_S):
            at = now_ms()
            self.rows.append((at, {n.name: self.look(n) for n in self.world.nodes}))

    def stop(self) -> None:
        self.ending.set()
        self.join()

    def of(self, site: str, begin_ms: float = 0, end_ms: float = 1e15) -> list[tuple[int, dict[str, int]]]:
        """[(time, {node: ppm})] of a site; nodes that did not answer are left out, and those that do not choose it."""
        return [(at, {n: levels[site] for n, levels in row.items() if levels and site in levels})
                for at, row in list(self.rows) if begin_ms <= at <= end_ms]

    def changes(self, site: str, node: str, begin_ms: float = 0, end_ms: float = 1e15) -> list[tuple[int, int]]:
        """[(time, ppm)] whenever a node's level was another than before, the first one, too: one that nobody read shows nothing."""
        found: list[tuple[int, int]] = []
        for at, levels in self.of(site, begin_ms, end_ms):
            if node in levels and (not found or found[-1][1] != levels[node]):
                found.append((at, levels[node]))
        if not found:
            raise LabError(f"no level of {site} at {node} was read")
        return found

    def spread(self, site: str, nodes: typing.Collection[str], begin_ms: float, end_ms: float) -> int:
        """The largest difference between nodes that lasted for a whole second: steps reach nodes within some 100 ms."""
        worst = 0
        streak: list[tuple[int, int]] = []
        for node in nodes:
            self.changes(site, node, begin_ms, end_ms)
        for at, levels in self.of(site, begin_ms, end_ms):
            own = [v for n, v in levels.items() if n in nodes]
            streak = [(t, d) for t, d in streak if t >= at - 1000] + [(at, max(own) - min(own) if own else 0)]
            if streak[0][0] <= at - 800:
                worst = max(worst, min(d for _, d in streak))
        return worst


# what a crowd's log says

def site_of_backend(name: str) -> str:
    return name.split("-", 1)[0]


def own_flows(requests: typing.Iterable[Request], site: str) -> list[Request]:
    """New flows that a site's own backends served."""
    return [r for r in requests if site_of_backend(r.backend) == site]


def late_flows(requests: typing.Iterable[Request], vips: typing.Collection[str], site: str) -> list[Request]:
    """Requests to a site's VIPs that another site's backends served."""
    return [r for r in requests if r.target in vips and r.backend != "-" and site_of_backend(r.backend) != site]


def gone_ms(requests: typing.Sequence[Request], site: str, begin_ms: int, end_ms: int, before_per_s: float) -> int | None:
    """After how many ms 99 % of a site's new flows at its own backends were gone for good; None: they are not gone."""
    starts = sorted(r.start_ms for r in own_flows(requests, site) if begin_ms <= r.start_ms < end_ms)
    most = before_per_s * WINDOW_MS / 1000 / 100
    last, first = None, 0
    for i, at in enumerate(starts):
        while starts[first] < at - WINDOW_MS:
            first += 1
        if i - first + 1 > most:
            last = at
    if last is None:
        return 0
    return None if last > end_ms - WINDOW_MS else last - begin_ms


def percentile(values: typing.Iterable[float], share: float) -> float | None:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None
