# SPDX-License-Identifier: BSD-2-Clause
"""Never the last one: three nodes of two sites announce one VIP, and causes that nodes can share withdraw it only with a confirmation.

weir-mgmt, weir-announce and BIRD are real, and so is the router, with kernel ECMP; a tool plays what weir-dataplane proves. The nodes'
management is a network of its own. Figures: build/lab/announce_peers.json, in ms until the router's kernel has changed, both families.

    lab_announce_peers.py [--quick]     without what waits for the end of promises and hold-downs
"""
from __future__ import annotations

import functools
import ipaddress
import json
import os
import re
import subprocess
import sys
import time
import typing

from fib_watch import FibWatch
from net import BUILD, Host, Lab, Process, call, comes_true, entered, executable, say, wait_until
from report import Report
from speakers import Bird

QUICK = "--quick" in sys.argv
VIPS = ("203.0.113.80", "2001:db8:80::80")
WANTED = {ipaddress.ip_address(a).packed for a in VIPS}
PROMISE_S, HOLD_S = 10, 30
# name: site, last number of the addresses. The names' order decides a tie.
NODES = {"ams-1": ("ams", 11), "ams-2": ("ams", 12), "fra-1": ("fra", 13)}

CONFIG = """schema = 1;
cluster = {{ name = "shop"; hash_key_file = "hash.key"; hash_key_id = "k"; }};
sites = ( {{ name = "ams"; }}, {{ name = "fra"; }} );
nodes = ( {nodes} );
pools = ( {{ name = "web-ams"; site = "ams"; backends = ( {{ name = "b"; address = "10.1.1.1"; }} ); }},
          {{ name = "web-fra"; site = "fra"; backends = ( {{ name = "b"; address = "10.2.1.1"; }} ); }} );
vips = ( {{ name = "web"; sites = [ "ams", "fra" ]; addresses = [ "{four}", "{six}" ]; }} );
services = ( {{ name = "web"; protocol = "tcp"; port = 80;
  at = ( {{ site = "ams"; vip = "web"; pool = "web-ams"; }}, {{ site = "fra"; vip = "web"; pool = "web-fra"; }} ); }} );
"""
NODE = """{{ name = "{name}"; site = "{site}"; ports = ( {{ interface = "eth0"; }} ); api = "https://10.9.0.{n}:8443";
            tunnel_source = [ "10.250.{n}.0/24", "fd00:250:{n}::/64" ]; announce = {{ daemon = "bird"; socket = "{socket}"; }}; }}"""


class Node:
    """A host with weir-mgmt, weir-announce, BIRD, and the tool that proves."""

    def __init__(self, lab: Lab, name: str, host: Host) -> None:
        self.lab, self.name, self.host = lab, name, host
        self.base = os.path.join(lab.dir, f"{name}.weir")
        self.bird: Bird | None = None
        self.processes: dict[str, Process] = {}
        self.proof: subprocess.Popen[str] | None = None
        for directory in ("conf", "state", "run", "bpf"):
            os.makedirs(os.path.join(self.base, directory))

    def path(self, *parts: str) -> str:
        return os.path.join(self.base, *parts)

    def write_config(self, text: str) -> None:
        files = {"weir.conf": text, "hash.key": "000102030405060708090a0b0c0d0e0f\n", "peer.token": "p" * 43 + "\n"}
        for name in ("tls.crt", "tls.key", "tls.ca"):
            with open(os.path.join(self.lab.dir, name.replace("ca", "crt"))) as f:
                files[name] = f.read()
        for name, content in files.items():
            with open(self.path("conf", name), "w", opener=functools.partial(os.open, mode=0o600)) as f:
                f.write(content)

    def start(self, what: str) -> None:
        options = [f"--{d}-dir={self.path(d)}" for d in ("conf", "state", "run", "bpf")]
        self.processes[what] = self.host.start(f"weir-{what}", [executable(f"weir-{what}"), *options, "--node", self.name])

    def prove(self) -> None:
        """Play the dataplane, by the document that is in force."""
        with open(self.path("state", "effective.conf")) as f:
            found = re.search(r'document = "(\d+)"', f.read())
        assert found
        with entered(self.host.ns):
            self.proof = subprocess.Popen([executable("proof-tool"), self.path("run"), found.group(1), "xdp", "web", *VIPS],
                                          stdin=subprocess.PIPE, text=True)

    def say(self, what: str) -> int:
        """Change what is proved. Returns when, by the clock of time.monotonic_ns()."""
        assert self.proof and self.proof.stdin
        began = time.monotonic_ns()
        self.proof.stdin.write(what + "\n")
        self.proof.stdin.flush()
        return began

    @functools.cached_property
    def hops(self) -> set[bytes]:
        """This node's addresses, as next hops; a link that is down has none of IPv6 any more."""
        rows = json.loads(self.host.run(["ip", "-j", "addr", "show", "eth0"]))
        return {ipaddress.ip_address(a["local"]).packed for a in rows[0]["addr_info"]}

    def reasons(self) -> set[str]:
        """Why its addresses are in their tables, as it logged last."""
        found = re.findall(r"announcement-changed vip=web address=(\S+) table=\S+ reason=(\S+)", self.processes["announce"].log())
        return set(dict(found).values())

    def forget(self) -> None:
        """Start weir-announce without its hold-downs."""
        self.processes.pop("announce").stop()
        os.unlink(self.path("run", "announce.page"))
        self.start("announce")

    def die(self) -> None:
        """As a host does that loses its power."""
        self.host.link_down("eth0")
        self.host.link_down("eth1")
        for process in self.host.processes:
            process.kill()
        self.close()

    def close(self) -> None:
        if self.proof:
            self.proof.kill()
            self.proof.wait()
            if self.proof.stdin:
                self.proof.stdin.close()
            self.proof = None


class World:
    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.nodes: dict[str, Node] = {}
        self.switch = lab.host("switch")
        lab.bridge(self.switch, "br0")
        lab.bridge(self.switch, "br1")
        self.router = lab.host("router")
        lab.port(self.switch, "br0", "p-router", self.router, "eth0")
        self.router.address("eth0", "192.0.2.1/24", "2001:db8::1/64")
        self.router.forward()
        self.router.sysctl({"net.ipv4.fib_multipath_hash_policy": 1, "net.ipv6.fib_multipath_hash_policy": 1})
        for name, (_, n) in NODES.items():
            host = lab.host(name)
            lab.port(self.switch, "br0", f"p-{name}", host, "eth0")
            lab.port(self.switch, "br1", f"m-{name}", host, "eth1")
            host.address("eth0", f"192.0.2.{n}/24", f"2001:db8::{n}/64")
            host.address("eth1", f"10.9.0.{n}/24")
            self.nodes[name] = Node(lab, name, host)
        self.watch = FibWatch(self.router)
        Bird(lab, self.router, "router.conf")
        self.start()

    def start(self) -> None:
        names = ",".join(f"IP:10.9.0.{n}" for _, n in NODES.values())
        call(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj",
              "/CN=weir lab", "-addext", f"subjectAltName={names}", "-keyout", os.path.join(self.lab.dir, "tls.key"),
              "-out", os.path.join(self.lab.dir, "tls.crt")])
        for node in self.nodes.values():
            node.bird = Bird(self.lab, node.host, "bird.conf")
        text = CONFIG.format(four=VIPS[0], six=VIPS[1], nodes=",\n          ".join(
            NODE.format(name=name, site=site, n=n, socket=self.bird_socket(name)) for name, (site, n) in NODES.items()))
        for node in self.nodes.values():
            node.write_config(text)
            node.start("mgmt")
        for node in self.nodes.values():
            wait_until(functools.partial(os.path.exists, node.path("state", "effective.conf")), 60, f"{node.name}'s document")
        for node in self.nodes.values():
            node.prove()
            node.start("announce")
        self.wait_all_announced()

    def bird_socket(self, name: str) -> str:
        bird = self.nodes[name].bird
        assert bird
        return bird.socket

    def announced_by(self) -> set[str]:
        """The nodes that the router uses for both families."""
        return {name for name, node in self.nodes.items() if self.watch.all_are(node.hops, WANTED, True)}

    def wait_announced(self, names: typing.Iterable[str], timeout_s: float = 30) -> bool:
        return comes_true(lambda: self.announced_by() == set(names), timeout_s, 0.1)

    def wait_all_announced(self) -> None:
        wait_until(lambda: self.announced_by() == set(NODES), 60, "all nodes among the router's next hops", 0.1)
        time.sleep(PROMISE_S + 1)  # time: a weir-announce that starts may have promised to stay

    def fresh(self) -> None:
        """All nodes announce, and nothing is left of what was before."""
        for node in self.nodes.values():
            node.say("forwarded")
            node.forget()
        self.wait_all_announced()

    def cut(self, name: str, is_cut: bool) -> None:
        """A node's management network alone."""
        self.switch.ip(f"link set m-{name} {'down' if is_cut else 'up'}")

    def took_ms(self, name: str, began: int) -> float:
        """Until the router had no way over a node any more."""
        node = self.nodes[name]
        wait_until(lambda: self.watch.all_are(node.hops, WANTED, False), 20, f"{name} not among the router's next hops")
        value = self.watch.since(began, node.hops, WANTED, False)
        return round(value, 1) if value is not None else -1

    def close(self) -> None:
        for node in self.nodes.values():
            node.close()


def stays(world: World, names: typing.Iterable[str], seconds: float) -> bool:
    """Whether these nodes withdraw nothing, and the router has its ways over them. A machine that stalls may cost a BFD session, which
    comes back: the nodes' logs are what counts."""
    def withdrawals() -> int:
        return sum(world.nodes[n].processes["announce"].log().count("table=none") for n in names)
    before = withdrawals()
    time.sleep(seconds)  # time: what would happen has happened
    return withdrawals() == before and bool(comes_true(lambda: set(names) <= world.announced_by(), 10, 0.1))


def one_after_the_other(world: World, report: Report, figures: dict[str, float]) -> None:
    """Each with a confirmation while there is one; the last one stays."""
    one, two, three = world.nodes.values()
    figures["confirmed_ms"] = world.took_ms(one.name, one.say("pools-down"))
    report.between(figures["confirmed_ms"], 0, 2000, "one node's pools are down: withdrawn within 2 s")
    report.equal(one.reasons(), {"pools-down"}, "and says why")
    report.check(world.wait_announced([two.name, three.name], 10), "the others stay")
    if QUICK:
        return
    began = two.say("pools-down")
    report.check(stays(world, [two.name], PROMISE_S / 2), "who confirmed keeps its promise")
    report.equal(two.reasons(), {"kept-promised"}, "and says so")
    world.took_ms(two.name, began)
    report.check(world.wait_announced([three.name], 10), "after the promise it goes, too: another node has confirmed")
    three.say("pools-down")
    report.check(stays(world, [three.name], PROMISE_S + 5), "the last one keeps announcing")
    report.equal(three.reasons(), {"kept-unconfirmed"}, "and says why: nobody confirms")


def all_at_once(world: World, what: str) -> int:
    """The same evidence at all nodes before one of them can ask another. Returns since when they can."""
    world.fresh()
    for name in world.nodes:
        world.cut(name, True)
    for node in world.nodes.values():
        node.say(what)
    time.sleep(2)  # time: each has the evidence, and asks
    for name in world.nodes:
        world.cut(name, False)
    return time.monotonic_ns()


def tie(world: World, report: Report, figures: dict[str, float]) -> None:
    """The same bad evidence everywhere at once."""
    began = all_at_once(world, "pools-down")
    first, *others = world.nodes
    report.check(world.wait_announced([first], PROMISE_S + 10), "all pools down at once: the lowest name stays")
    figures["tie_ms"] = max(world.took_ms(name, began) for name in others)
    report.between(figures["tie_ms"], 0, PROMISE_S * 1000 + 5000, "the others go, at the latest when what they promised one another is over")
    report.check(stays(world, [first], 4 if QUICK else PROMISE_S + 3), "and it stays")
    report.check(world.nodes[first].reasons() <= {"kept-promised", "kept-unconfirmed"}, "and says why", world.nodes[first].reasons())
    all_at_once(world, "refused")
    report.check(stays(world, list(world.nodes), 5), "a version that refuses the probe packet everywhere withdraws nothing")


def cut_off(world: World, report: Report, figures: dict[str, float]) -> None:
    """Without the other nodes' words nothing goes but for a cause of the node's own."""
    world.fresh()
    one, two, _ = world.nodes.values()
    world.cut(one.name, True)
    one.say("pools-down")
    report.check(stays(world, [one.name], 6), "management cut: no shared cause withdraws")
    report.equal(one.reasons(), {"kept-unconfirmed"}, "and the node says why")
    world.cut(one.name, False)
    figures["healed_ms"] = world.took_ms(one.name, time.monotonic_ns())
    report.between(figures["healed_ms"], 0, 10000, "withdrawn once it can ask again")
    world.cut(two.name, True)
    figures["own_cause_ms"] = world.took_ms(two.name, two.say("port-down"))
    report.between(figures["own_cause_ms"], 0, 1000, "management cut: a cause of the node's own withdraws at once")
    world.cut(two.name, False)


def nobody_else(world: World, report: Report, figures: dict[str, float]) -> None:
    """Nodes tell each other who announces: the only one waits for no hold-down."""
    world.fresh()
    one, two, three = world.nodes.values()
    world.took_ms(one.name, one.say("pools-down"))
    one.say("forwarded")
    report.check(comes_true(lambda: one.reasons() == {"held-down"}, 5), "while others announce there is a hold-down", one.reasons())
    world.took_ms(two.name, two.say("port-down"))
    began = three.say("port-down")
    world.took_ms(three.name, began)
    report.check(world.wait_announced([one.name], 10), "once all others have withdrawn, the node returns at once")
    value = world.watch.since(began, one.hops, WANTED, True)
    figures["alone_ms"] = round(value, 1) if value is not None else -1
    report.between(figures["alone_ms"], 0, 5000, "within 5 s")


def confirmers_die(world: World, report: Report, figures: dict[str, float]) -> None:
    """What was relied on is gone: a node whose cause has ended comes back, if later."""
    world.fresh()
    one, two, three = world.nodes.values()
    world.took_ms(one.name, one.say("pools-down"))
    two.die()
    three.die()
    began = one.say("forwarded")
    report.check(world.wait_announced([one.name], HOLD_S + 10), "both that confirmed die: the node that relied on them returns")
    value = world.watch.since(began, one.hops, WANTED, True)
    figures["after_death_ms"] = round(value, 1) if value is not None else -1
    report.between(figures["after_death_ms"], 0, 10000, "their silence ends its hold-down")


def run(report: Report) -> None:
    figures: dict[str, float] = {}
    with Lab("announce_peers") as lab:
        world = World(lab)
        say("all nodes announce")
        try:
            for part in (one_after_the_other, tie, cut_off, nobody_else, *(() if QUICK else (confirmers_die,))):
                part(world, report, figures)
                say(f"{part.__name__}: {figures}")
        finally:
            world.close()
    with open(os.path.join(BUILD, "lab", "announce_peers.json"), "w") as f:
        json.dump(figures, f, indent=1)


if __name__ == "__main__":
    sys.exit(Report.main(run))
