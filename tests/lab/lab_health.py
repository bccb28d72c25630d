# SPDX-License-Identifier: BSD-2-Clause
"""Health checks against real servers: refused, silent, unserved VIPs, lost probes, a cut-off checker, restarts.

One site, three nginx backends, no management: effective documents are written by hand.
"""
from __future__ import annotations

import os
import signal
import sys
import time
import typing

import plan as planning
from books import check_node, sum_of
from net import BUILD, Lab, LabError, executable, say, wait_until
from report import Report
from world import World

if typing.TYPE_CHECKING:
    from world import Node
    from net import Host
    from world import Site

HTTP = ('type = "http"; port = 80; path = "/healthz"; expect = 200; via = "{via}"; interval = "{ms}ms"; '
        'fast_interval = "50ms"; timeout = "{timeout}ms"; rise = 2; fall = 2;')
TUNNEL, DIRECT, QUICK = (HTTP.format(via="tunnel", ms=200, timeout=200), HTTP.format(via="direct", ms=200, timeout=200),
                         HTTP.format(via="tunnel", ms=50, timeout=100))
LOSS_S = int(os.environ.get("WEIR_LAB_LOSS_S", "20"))  # 600 for the whole ten minutes
WORST_MS = 200 + 2 * 200 + 200  # interval, timeouts, and the time that controls may take


class Loss:
    """A tc program of loss.bpf.c on a port of the router, for as long as the `with` block."""

    def __init__(self, router: Host, port: str, section: str) -> None:
        self.router, self.port, self.section = router, port, section

    def __enter__(self) -> Loss:
        program = os.path.join(BUILD, "tests", "lab", "loss.bpf.o")
        self.router.run(["tc", "qdisc", "replace", "dev", self.port, "clsact"])
        self.router.add_filter(self.port, "egress", program, self.section)
        return self

    def __exit__(self, *exception: typing.Any) -> None:
        self.router.run(["tc", "qdisc", "del", "dev", self.port, "clsact"])


class Watch:
    """What weir-health says on its control socket."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def rows(self) -> dict[typing.Any, typing.Any]:
        rows = {r["backend"]: r for r in self.node.ctl("health", {"do": "list"})["targets"] if "backend" in r}
        if len(rows) != len(self.node.plan.backends):
            raise LabError(f"weir-health lists {sorted(rows)}")
        return rows

    def state(self, name: str) -> typing.Any:
        return self.rows()[name]["state"]

    def wait(self, name: str, state: str, timeout_s: float, what: str) -> int:
        """Wait for a state; returns the milliseconds that it took."""
        start = time.monotonic()
        wait_until(lambda: self.state(name) == state, timeout_s, what, 0.005)
        return round((time.monotonic() - start) * 1000)

    def service(self) -> dict[typing.Any, typing.Any]:
        return {(s["service"], s["family"]): s["state"] for s in self.node.ctl("health", {"do": "list"})["services"]}

    def turned(self) -> int:
        stats = self.node.stats("health")
        return stats[("weir_health_turned_down_total", "")]


def take(node: Node, world: World, check: str) -> None:
    world.plan.check = check
    node.write_config()
    node.write_effective()


def all_up(watch: Watch) -> bool:
    return all(r["state"] == "up" and not r["in_doubt"] for r in watch.rows().values())


def refused_and_silent(report: Report, site: Site, watch: Watch, router: Host) -> None:
    b1 = site.backends[0]
    say("nginx of b1 is killed")
    b1.kill()
    took = watch.wait(b1.name, "down", 5, "b1 is down")
    report.between(took, 0, WORST_MS, "ms until a closed port is down")
    row = watch.rows()[b1.name]
    report.check(row["last"] == "refused", "the reason is told", row["last"])
    b1.start()
    watch.wait(b1.name, "up", 5, "b1 is up again")
    say("b1 says nothing any more")
    with Loss(router, f"p-{b1.name}", "silence"):
        took = watch.wait(b1.name, "down", 5, "b1 is down by silence")
        report.between(took, 0, WORST_MS, "ms until a silent backend is down")
        report.check(watch.rows()[b1.name]["last"] == "timeout", "the reason is told", watch.rows()[b1.name]["last"])
    watch.wait(b1.name, "up", 5, "b1 is up again")


def answers_come_from_the_vip(report: Report, site: Site, watch: Watch) -> None:
    """The tunnel check sees what users would: nginx's log names the VIP as the server, and the node as client."""
    lines = site.backends[0].log("health")[-5:]
    report.equal({x["server"] for x in lines}, set(site.plan.vips), "tunnel probes reach the VIPs themselves")
    report.check(all(x["client"] in (site.plan.node4, site.plan.node6) for x in lines), "from the node's own address")
    report.check(all(r["via"] == "tunnel" for r in watch.rows().values()), "all are probed through the tunnel")


def missing_vip(report: Report, world: World, site: Site, watch: Watch) -> None:
    b3, node = site.backends[2], site.node
    say("b3 loses its IPv6 VIP alone, then all")
    b3.host.ip(f"-6 addr del {site.plan.vip6}/128 dev lo")
    watch.wait(b3.name, "down", 5, "the tunnel check sees it")
    report.check(site.plan.vip6 in watch.rows()[b3.name]["why"], "and tells which", watch.rows()[b3.name]["why"])
    b3.host.address("lo", f"{site.plan.vip6}/128")
    watch.wait(b3.name, "up", 5, "b3 is up again")
    for vip in site.plan.vips:
        b3.host.ip(f"{'-6 ' if ':' in vip else ''}addr del {vip}/{128 if ':' in vip else 32} dev lo")
    report.wait(lambda: watch.state(b3.name) == "down", 5, "a backend without the VIP is down by the tunnel check")
    take(node, world, DIRECT)
    watch.wait(b3.name, "up", 5, "the direct check does not see it")
    report.check(watch.rows()[b3.name]["via"] == "direct", "and up by the direct one")
    b3.host.address("lo", *(f"{v}/{128 if ':' in v else 32}" for v in site.plan.vips))
    take(node, world, TUNNEL)
    wait_until(lambda: all_up(watch), 10, "all are up by the tunnel check again")


def two_ports(report: Report, lab: typing.Any, world: World, site: Site, watch: Watch) -> None:
    """A backend's next hop is behind another port than the VIP's: probes leave by that one."""
    b1, node = site.backends[0], site.node
    say("a second port, behind which b1 is")
    lab.bridge(world.router, "br-second")
    lab.port(world.router, "br-second", "p-second", node.host, "eth2")
    world.router.ip(f"link set p-{b1.name} master br-second")
    node.host.ip(f"route add {b1.addresses[0]}/32 dev eth2")
    node.host.address("eth2", f"{site.plan.node6}/128")  # b1 looks for it on its own link; for IPv4 any port answers
    b1.host.run(["ip", "neigh", "flush", "dev", "eth0"])
    site.plan.ports = ("eth1", "eth2")
    take(node, world, TUNNEL)
    wait_until(lambda: all_up(watch), 10, "all are up by two ports")
    before = node.host.counters("eth2")["tx"], watch.turned()
    time.sleep(2)  # probes of two seconds are counted
    report.check(node.host.counters("eth2")["tx"] - before[0] >= 10, "b1's probes leave by the second port",
                 node.host.counters("eth2")["tx"] - before[0])
    report.check(all_up(watch), "all are up", {n: r["why"] for n, r in watch.rows().items()})
    report.equal(watch.turned() - before[1], 0, "verdicts that turned to down")
    say("the route moves back")
    world.router.ip(f"link set p-{b1.name} master {site.switch}")
    node.host.ip(f"route del {b1.addresses[0]}/32 dev eth2", f"-6 addr del {site.plan.node6}/128 dev eth2")
    b1.host.run(["ip", "neigh", "flush", "dev", "eth0"])
    wait_until(lambda: all_up(watch), 10, "all are up by one port")
    sent = node.host.counters("eth2")["tx"]
    time.sleep(1)  # probes of one second are counted
    report.check(node.host.counters("eth2")["tx"] - sent < 5, "they leave by the first again",
                 node.host.counters("eth2")["tx"] - sent)
    report.check(all_up(watch), "all are up", {n: r["why"] for n, r in watch.rows().items()})


def flapping(report: Report, world: World, site: Site, watch: Watch) -> None:
    """A backend that dies and returns again and again is held down, its fellows are not; and as the last it is up."""
    b2, node = site.backends[1], site.node
    say("b2 dies and returns, until damping holds it")
    take(node, world, QUICK + ' damp_turns = 3; damp_half_life = "20s"; damp_max = "1m";')
    for _ in range(12):
        b2.kill()
        watch.wait(b2.name, "down", 5, "b2 is down")
        b2.start()
        wait_until(lambda: watch.state(b2.name) == "up" or watch.rows()[b2.name]["damped"], 5, "b2 answers", 0.01)
        if watch.rows()[b2.name]["damped"]:
            break
    time.sleep(1)  # it must stay down, though it answers
    row = watch.rows()[b2.name]
    report.check(row["state"] == "down" and row["last"] == "ok", "it answers and is held down", row["why"])
    text = node.host.run([executable("weir"), *node.options, "health"])
    report.check(any(b2.name in x and "held down until" in x for x in text.splitlines()), "weir health tells until when")
    say("the others die")
    for b in (site.backends[0], site.backends[2]):
        b.kill()
    watch.wait(b2.name, "up", 5, "the held one is up, being the last")
    for b in (site.backends[0], site.backends[2]):
        b.start()
    watch.wait(site.backends[0].name, "up", 5, "b1 is up")
    watch.wait(b2.name, "down", 5, "b2 is held again")
    take(node, world, TUNNEL + " damp_turns = 0;")
    wait_until(lambda: all_up(watch), 10, "without damping all are up")
    take(node, world, TUNNEL)


def bad_results(node: Node) -> int:
    """How many probes did not end well."""
    stats = node.stats("health")
    return sum_of(stats, "weir_health_results_total") - sum_of(stats, "weir_health_results_total", reason="ok")


def lost_probes(report: Report, world: World, site: Site, watch: Watch, router: Host) -> None:
    say("1 % of all packets between node and backends is lost, at a probe every 50 ms")
    take(site.node, world, QUICK)
    time.sleep(1)  # the new interval holds before it is measured
    before, probes = watch.turned(), site.node.stats("health")[("weir_health_probes_total", "")]
    bad = bad_results(site.node)
    with Loss(router, site.node_port, "loss1"):
        losses = [Loss(router, f"p-{b.name}", "loss1") for b in site.backends]
        for x in losses:
            x.__enter__()
        time.sleep(LOSS_S)  # verdicts must hold for this long
        for x in losses:
            x.__exit__()
    probes = site.node.stats("health")[("weir_health_probes_total", "")] - probes
    report.check(probes > 35 * LOSS_S, f"probes in {LOSS_S} s", probes)
    if LOSS_S >= 60:  # some four in 20 s: none at all would be no wonder
        report.check(bad_results(site.node) > bad, "some of them were lost", bad_results(site.node) - bad)
    # Of 1,200 probes in 20 s some four are lost, both connections of each; two in a row, which is a verdict, in one run of
    # sixty. Without the second connection it would be four verdicts in 20 s.
    report.between(watch.turned() - before, 0, 1 + LOSS_S // 300, "verdicts that turned to down")
    take(site.node, world, TUNNEL)


def cut_off_checker(report: Report, site: Site, watch: Watch, router: Host) -> None:
    say("nothing reaches the node any more: nothing that it does not see counts")
    before = watch.turned()
    with Loss(router, site.node_port, "silence"):
        time.sleep(3)  # verdicts must hold for this long
        rows = watch.rows()
        report.check(all(r["state"] == "up" and r["inconclusive"] for r in rows.values()),
                     "all stay up, and inconclusive", {r["no_vote"] for r in rows.values()})
        controls = site.node.ctl("health", {"do": "list"})["controls"]
        report.check(any(c["silent"] for c in controls), "the control is shown as silent")
    report.equal(watch.turned() - before, 0, "verdicts that turned to down")
    wait_until(lambda: all_up(watch), 5, "all is well again")


def restarts(report: Report, world: World, site: Site, watch: Watch, capture: typing.Any) -> None:
    b1, node = site.backends[0], site.node
    say("b1 dies, then weir-health")
    b1.kill()
    watch.wait(b1.name, "down", 5, "b1 is down")
    since = watch.rows()[b1.name]["since"]
    time.sleep(0.3)  # the verdict is some time old when the process dies
    node.kill("health")
    died_ms = int(time.time() * 1000)
    client = world.start_client("crowd", 200, targets=site.plan.vips)
    time.sleep(3)  # new flows are counted for this long
    client.stop(10)
    new = [f for f in capture.flows() if f[1] == "in" and f[0] > died_ms and f[3] not in (site.plan.node4, site.plan.node6)]
    report.check(len(new) > 300, "with weir-health dead, new flows", len(new))
    report.equal([f for f in new if f[2] == b1.addresses[0]][:3], [], "with weir-health dead, no new flow goes to the dead backend")
    node.start("health")
    wait_until(lambda: os.path.exists(os.path.join(node.run_dir, "health.ctl")), 5, "weir-health is back")
    wait_until(lambda: b1.name in _rows(watch), 5, "it has its targets")
    row = watch.rows()[b1.name]
    report.check(row["state"] == "down" and row["since"] == since, "the verdict is kept, with its time", row["state"])
    say("the run directory's page is lost as well, as by a reboot of the host")
    time.sleep(1.2)  # the state file is written each second
    node.kill("health")
    os.unlink(os.path.join(node.run_dir, "health.page"))
    node.start("health")
    wait_until(lambda: b1.name in _rows(watch), 5, "it has its targets")
    row = watch.rows()[b1.name]
    report.check(row["state"] == "down" and row["since"] == since, "the state directory kept it", row["state"])
    b1.start()
    watch.wait(b1.name, "up", 5, "b1 is up")


def stalled_checker(report: Report, site: Site, watch: Watch) -> None:
    say("weir-health stands still for two seconds, three times")
    before, late = watch.turned(), site.node.stats("health")[("weir_health_late_total", "")]
    for _ in range(3):
        pid = site.node.processes["health"].pid
        os.kill(pid, signal.SIGSTOP)
        time.sleep(2)  # the stall itself
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.5)  # the probes of after the stall come in
    report.equal(watch.turned() - before, 0, "verdicts that turned to down")
    late = site.node.stats("health")[("weir_health_late_total", "")] - late
    report.check(late >= 3, "probes without a vote, since late", late)
    wait_until(lambda: all_up(watch), 5, "all is well again")


def without_the_key(report: Report, site: Site) -> None:
    """The next document, where the checker cannot read the cluster's key: it places nothing."""
    node = site.node
    path, key = (os.path.join(d, n) for d, n in ((node.state, "effective.conf"), (node.conf, "hash.key")))
    with open(path) as f:
        text = f.read()
    before = node.processes["health"].log().count("document-taken")
    os.rename(key, key + ".away")
    with open(path + ".new", "w") as f:
        f.write(text)
    os.rename(path + ".new", path)
    report.wait(lambda: node.processes["health"].log().count("document-taken") > before, 10,
                "weir-health takes a document without the key")
    os.rename(key + ".away", key)
    os.utime(path)


def _rows(watch: Watch) -> dict[typing.Any, typing.Any]:
    try:
        return watch.rows()
    except (LabError, OSError, ValueError, KeyError):
        return {}


def run(report: Report) -> None:
    with Lab("health") as lab:
        world = World(lab, planning.simple(1, 3, api=False, check=TUNNEL), resolvers=())
        site, router = world.sites[0], world.router
        node, watch = site.node, Watch(site.node)
        node.write_config()
        node.write_effective()
        site.start_backends()
        capture = world.start_capture(site.node_port)
        node.start("dataplane", "health")
        wait_until(lambda: _rows(watch) and all_up(watch), 20, "all backends are up", 0.1)
        report.equal(set(watch.service().values()), {"up"}, "the service's words follow")
        report.step(answers_come_from_the_vip, report, site, watch)
        report.step(refused_and_silent, report, site, watch, router)
        report.step(missing_vip, report, world, site, watch)
        report.step(two_ports, report, lab, world, site, watch)
        report.step(flapping, report, world, site, watch)
        report.step(lost_probes, report, world, site, watch, router)
        report.step(cut_off_checker, report, site, watch, router)
        report.step(stalled_checker, report, site, watch)
        report.step(restarts, report, world, site, watch, capture)
        report.step(check_node, report, node)
        report.step(without_the_key, report, site)


if __name__ == "__main__":
    sys.exit(Report.main(run))
