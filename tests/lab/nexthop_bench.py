# SPDX-License-Identifier: BSD-2-Clause
"""Situations of next hops, ports and tunnel probes in which the node must tell the truth.

Each is a function of a Bench (a site whose node runs at least weir-dataplane and weir-health) that makes the
situation, looks at what the node says and does, and undoes it.
"""
from __future__ import annotations

import time
import typing

import layout
from net import comes_true, say
from servers import pass_program

if typing.TYPE_CHECKING:
    from net import Host, Lab
    from report import Report
    from world import Node, Site, World

LEVELS = {"CONDITION_NOTE": "note", "CONDITION_DEGRADED": "degraded", "CONDITION_DOWN": "down"}
SEEN_S = 2.0  # status is correct so soon after the evidence
SLACK_S = 1.5  # of a busy machine


class Condition(typing.NamedTuple):
    code: str
    subject: str
    text: str
    level: str


def conditions(node: Node, process: str = "dataplane") -> list[typing.Any]:
    """What a process states, from its page: a list of Condition."""
    page = layout.payload(f"{node.run_dir}/conditions.{process}.page", "struct conditions_payload")
    bank = page.banks[page.sequence % 2]
    levels = {layout.constant(name): word for name, word in LEVELS.items()}
    return [Condition(c.code.decode(), c.subject.decode(), c.text.decode(), levels[c.level]) for c in bank.items[:bank.n]]


def has_condition(node: Node, code: str, subject: str = "") -> bool:
    return any(c.code == code and subject in c.subject for c in conditions(node))


class Bench:
    """A site, what its node says, and a report."""

    def __init__(self, report: Report, lab: Lab, world: World, site: Site) -> None:
        self.report, self.lab, self.world, self.site = report, lab, world, site
        self.node, self.host, self.router = site.node, site.node.host, world.router
        self.gateway: Host | None = None  # a further router of the site, in some situations

    def rows(self) -> dict[str, typing.Any]:
        """The checks' verdicts by backend."""
        try:
            answer = self.node.ctl("health", {"do": "list"})
        except (OSError, ValueError):
            return {}
        return {r["backend"]: r for r in answer["targets"] if "backend" in r}

    def all_are(self, fits: typing.Callable[[dict[str, typing.Any]], bool]) -> bool:
        """Whether all verdicts are so, and there are any."""
        rows = self.rows()
        return bool(rows) and all(map(fits, rows.values()))

    def all_up(self) -> bool:
        return self.all_are(lambda r: r["state"] == "up" and not r["in_doubt"] and not r["inconclusive"])

    def turned(self) -> int:
        return self.node.stats("health")[("weir_health_turned_down_total", "")]

    def none_turned(self, before: int) -> None:
        """No verdict has turned to down since; else the checks' own lines tell which and why."""
        n = self.turned() - before
        told = [line for line in self.node.processes["health"].log().splitlines() if "target-down" in line]
        self.report.check(n == 0, f"no verdict turned to down {told[-int(n):] if n else ''}", n)

    def backend(self, name: str) -> typing.Any:
        """The dataplane's view of a backend."""
        return next(b for b in self.node.ctl("dataplane", {"do": "backends"})["backends"] if b["backend"] == name)

    def stated(self) -> list[typing.Any] | OSError:
        try:
            return [c[:2] for c in conditions(self.node)]
        except OSError as error:
            return error

    def sees(self, condition: typing.Callable[..., typing.Any], what: str, timeout_s: float = SEEN_S + SLACK_S) -> float:
        """Note that `condition` comes to be so in time; returns the seconds that it took."""
        start = time.monotonic()
        if not comes_true(condition, timeout_s):
            self.report.check(False, what, self.stated())
            return timeout_s
        took = time.monotonic() - start
        self.report.check(True, what, f"{took:.2f} s")
        return took

    def states(self, code: str, subject: str = "") -> float:
        return self.sees(lambda: has_condition(self.node, code, subject), f"{code} is stated of {subject}")

    def states_none(self, *codes: str, timeout_s: float = SEEN_S + SLACK_S) -> float:
        return self.sees(lambda: not any(c.code in codes for c in conditions(self.node)),
                         f"{' '.join(codes)} is no longer stated", timeout_s)

    def well(self, timeout_s: float = 10) -> None:
        """All checks are good and count, and nothing is stated about ports and probes."""
        self.sees(self.all_up, "all backends are up, by checks that count", timeout_s)
        self.states_none("port-missing", "port-no-carrier", "port-not-attached", "probe-path-missing")


def make_port(bench: Bench, mac: str, name: str = "eth1") -> None:
    """Make the node's port: the interface, its addresses and routes. Its peer has a program, without which XDP_TX on veth loses frames."""
    host, router, port = bench.host, bench.router, bench.site.node_port
    bench.lab.port(router, bench.site.switch, port, host, name, 1600)
    host.ip(f"link set {name} address {mac}")
    set_up_port(bench, name)
    router.ip(f"link set dev {port} xdp obj {pass_program()} sec xdp")


def set_up_port(bench: Bench, name: str = "eth1") -> None:
    p, host = bench.site.plan, bench.host
    host.address(name, f"{p.node4}/24", f"{p.node6}/64")
    host.route("default", p.gateway4)
    host.route("default", p.gateway6)


def port_deleted(bench: Bench) -> None:
    """The port goes for three seconds and comes back as another interface of its name."""
    bench.well()
    before = bench.turned()
    say("the port is deleted")
    mac = bench.host.mac("eth1")
    bench.host.ip("link del eth1")
    bench.states("port-missing", "eth1")
    bench.states("probe-path-missing")
    time.sleep(1)  # no backend may be down after this time
    bench.report.check(bench.all_are(lambda r: r["state"] == "up"), "no backend is down for it")
    bench.report.check(bench.all_are(lambda r: r["inconclusive"]), "all checks are inconclusive")
    make_port(bench, mac)
    bench.well()
    bench.none_turned(before)


def clsact_taken(bench: Bench) -> None:
    """Another user of tc takes clsact away; then puts an ingress qdisc into its place."""
    bench.well()
    before = bench.turned()
    say("clsact is removed, again and again")
    for _ in range(20):
        bench.host.run(["tc", "qdisc", "del", "dev", "eth1", "clsact"], check=False)
        time.sleep(0.05)  # the attachment comes back between two blows, or does not
    bench.sees(lambda: "weir_probe" in bench.host.run(["tc", "filter", "show", "dev", "eth1", "egress"]),
               "the program is back")
    bench.well()
    bench.none_turned(before)
    say("its filters are removed")
    bench.host.run(["tc", "filter", "del", "dev", "eth1", "egress"])
    bench.well()
    bench.none_turned(before)
    say("an ingress qdisc is in its place")
    bench.host.run(["tc", "qdisc", "del", "dev", "eth1", "clsact"])
    bench.host.run(["sh", "-c", "until tc qdisc add dev eth1 ingress 2>/dev/null; do "
                                "tc qdisc del dev eth1 clsact 2>/dev/null; done"])
    bench.states("probe-path-missing", "eth1")
    time.sleep(1)  # no backend may be down after this time
    bench.report.check(bench.all_are(lambda r: r["state"] == "up" and r["inconclusive"]),
                       "all are up, and checks inconclusive")
    bench.host.run(["tc", "qdisc", "del", "dev", "eth1", "ingress"])
    bench.well()
    bench.none_turned(before)


def port_renamed(bench: Bench) -> None:
    """The port gets another name, then a new interface gets its name; then it is as before."""
    bench.well()
    before = bench.turned()
    say("the port is renamed")
    mac = bench.host.mac("eth1")
    bench.host.ip("link set eth1 down", "link set eth1 name old1", "link set old1 up")
    bench.states("port-missing", "eth1")
    bench.states("probe-path-missing", "eth1")
    say("another interface has its name")
    bench.router.ip(f"link set {bench.site.node_port} name p-old nomaster")
    bench.host.ip("addr flush dev old1", "-6 addr flush dev old1")
    bench.host.ip("link del old1")
    make_port(bench, mac)
    bench.well()
    bench.none_turned(before)


def dead_is_found(bench: Bench) -> None:
    """After all of this a dead backend is found, and comes back."""
    b1 = bench.site.backends[0]
    b1.kill()
    bench.sees(lambda: bench.rows()[b1.name]["state"] == "down", "a backend that dies is down", 5)
    b1.start()
    bench.well()
