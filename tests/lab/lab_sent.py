# SPDX-License-Identifier: BSD-2-Clause
"""What leaves is what left: a node whose driver does not take what is to leave says so, withdraws its VIPs, and comes back.

One node with BIRD, and a router with BIRD. With XDP, the far end of the node's pair of interfaces is made to take nothing, in
several ways and with several kinds of traffic; so are further ports (sent_ports.py), for a part of the backends and for all.
With DPDK, the ring of its device is made to fill. Each is done twice. In each situation the node's counters are compared with
the wire. A full ring of virtio is looked at in a guest (tests/vm/inside_sent.py).

    lab_sent.py [--quick] [--driver xdp|dpdk]

Writes build/lab/sent.json: `situations`, `wrong`, `seen_ms`, `withdrawn_ms` (the latest of all), `flaps` (VIPs that came back
while nothing left).
"""
from __future__ import annotations

import ipaddress
import json
import os
import signal
import sys
import time
import typing

import plan as planning
from books import reasons
from fib_watch import FibWatch
from net import BUILD, Lab, Process, comes_true, executable, say, wait_until
from report import Report
from sent_ports import DpdkPorts, Ports, XdpPorts
from speakers import Bird
from world import World

QUICK = "--quick" in sys.argv
DRIVER = sys.argv[sys.argv.index("--driver") + 1] if "--driver" in sys.argv else ""
HELD = 16  # frames that a far end may hold when it is switched amid packets
SEEN_MS, WITHDRAWN_MS = (4000, 6000) if QUICK else (2000, 3000)  # the short form has others beside it
TRIED_S = 40  # longer than the silence by which a port comes back that cannot be tried
NEVER_MS = 1e9  # longer than all limits, and a number that JSON has
AGAIN = ("", ", again")
OWN = ("192.0.2.11", "2001:db8::11")
ROUTER = ("192.0.2.1", "2001:db8::1")


class Scene:
    def __init__(self, report: Report, lab: Lab, ports: type[Ports], results: list[dict[str, typing.Any]]) -> None:
        # checks go by the same ports, and are not what this is about
        plan = planning.simple(1, 3, check=planning.PATIENT.replace("fall = 5", "fall = 99"))
        ports.begin(plan.sites[0])
        name = plan.sites[0].node
        plan.announce[name] = f'daemon = "bird"; socket = "{lab.dir}/{name}/bird.ctl";'
        self.report, self.lab, self.world = report, lab, World(lab, plan, resolvers=())
        self.site, self.node = self.world.sites[0], self.world.sites[0].node
        self.host = self.node.host
        self.wanted = {ipaddress.ip_address(a).packed for a in self.site.plan.vips}
        self.router = lab.host("router1")
        self.ports = ports(self.world, self.site, self.router)
        self.router.address("eth0", f"{ROUTER[0]}/24", f"{ROUTER[1]}/64")
        # deprecated, so that checks do not come from it: backends know no way to it
        self.host.ip(f"addr add {OWN[0]} peer {ROUTER[0]}/32 dev {self.ports.link}",
                     f"-6 addr add {OWN[1]} peer {ROUTER[1]}/128 dev {self.ports.link} nodad preferred_lft 0")
        self.take_nothing, self.take_all = self.ports.take_nothing, self.ports.take_all  # what the situation is
        self.watch = FibWatch(self.router)
        self.birds = [Bird(lab, self.router, "router.conf"), Bird(lab, self.host, "bird.conf")]
        self.results = results
        self.routed = True  # whether packets for the VIPs come to the node
        self.thrown = 0  # frames that left, and that a far end threw away

    def start(self) -> None:
        self.node.write_config()
        self.site.start_backends()
        self.captures = self.ports.captures()
        self.node.start("mgmt", "health", "dns", "dataplane", "announce")
        self.wait_announced()

    def are_announced(self, there: bool = True) -> bool:
        hops = {ipaddress.ip_address(a).packed for a in OWN}
        return self.watch.all_are(hops, self.wanted, there)

    def wait_announced(self) -> None:
        wait_until(self.are_announced, 120, "the router has the VIPs", 0.1)
        wait_until(lambda: "frames-not-sent" not in self.codes(), 60, "all leaves", 0.2)

    def restart(self, meanwhile: typing.Callable[[], None] = lambda: None) -> None:
        """Kill weir-dataplane and start it again. What it knew of relapses is gone."""
        self.node.kill("dataplane")
        meanwhile()
        self.node.start("dataplane")

    def weir(self, *words: str) -> str:
        return self.host.run([executable("weir"), *words, *self.node.options], check=False)

    def codes(self) -> dict[str, str]:
        """Codes of the status's reasons, with their texts."""
        try:
            return {r["code"]: r.get("message", r.get("text", "")) for r in json.loads(self.weir("status", "--json")).get("reasons", [])}
        except ValueError:
            return {}

    def lost_ports(self) -> set[str]:
        """The ports of which the status says that frames do not leave by them."""
        try:
            return {r["subject"] for r in json.loads(self.weir("status", "--json")).get("reasons", []) if r["code"] == "frames-not-sent"}
        except ValueError:
            return set()

    def print_what_was_known(self) -> None:
        """How the node saw its ports and VIPs, for whoever looks for the cause of a failure."""
        for name in ("dataplane", "announce"):
            with open(os.path.join(self.lab.dir, f"{self.host.name}.weir-{name}.log"), errors="replace") as f:
                lines = [line.strip() for line in f if "frames-leave" in line or "announcement-changed" in line]
            for line in lines[-12:]:
                say(f"weir-{name}: {line}")
        say(json.dumps({c: n for c, n in reasons(self.site).items() if n}))

    def route(self, there: bool) -> None:
        """What a router does that learns: packets come no more."""
        if there != self.routed:
            (self.site.announce_vips if there else self.site.withdraw_vips)()
            self.routed = there

    def balance(self, held: int = 0) -> bool:
        """Wait until the counters say what the wire saw, to the packet. `held`: so many frames may have left that a far end threw away
        when it was switched; they stay away from the wire."""
        def are_balanced() -> bool:
            counted = reasons(self.site)
            forwarded = counted.get("forwarded", 0) + counted.get("icmp_relayed", 0)
            self.said = (forwarded, sum(c.counts("in", "tunnel") for c in self.captures), counted.get("not_sent", 0), self.thrown)
            return 0 <= self.said[0] - self.said[1] - self.thrown <= held
        if not comes_true(are_balanced, 20, 0.3):
            return False
        time.sleep(2)  # time: pages have all; on a busy machine they come later
        balanced = comes_true(are_balanced, 5, 0.3)
        self.thrown = self.said[0] - self.said[1]
        return balanced

    def late_ms(self, condition: typing.Callable[[], object], since_s: float, most_s: float = 15) -> float:
        comes_true(condition, most_s, 0.02)
        return (time.monotonic() - since_s) * 1000 if condition() else NEVER_MS


def begin_fault(client: Process, wrong: typing.Callable[[], None]) -> tuple[float, int, int]:
    """The fault begins while no packet is under way: what a far end holds when its program goes is thrown away there, and was sent.
    Returns when packets come again, (s, ns), and when the fault began (ns): on a busy machine the node's own frames show it before."""
    client.signal(signal.SIGSTOP)
    time.sleep(0.3)  # time: what is under way arrives
    fault_ns = time.monotonic_ns()
    wrong()
    client.signal(signal.SIGCONT)
    return time.monotonic(), time.monotonic_ns(), fault_ns


def play(scene: Scene, name: str, targets: typing.Sequence[str], rate: float, goes_on: bool = False,
         restarts: bool = False, stays_s: int = 4) -> None:
    """Nothing leaves for a while. `goes_on`: packets come although the VIPs are withdrawn, as from a router that learns late.
    `restarts`: weir-dataplane is killed meanwhile, and its successor knows nothing but what is kept. `stays_s`: for so long at least."""
    report, lost = scene.report, reasons(scene.site).get("not_sent", 0)
    say(name)
    client = scene.world.start_client(f"c{len(scene.results)}", rate, targets=targets)
    time.sleep(2)  # time: packets have left before
    began, began_ns, fault_ns = begin_fault(client, scene.take_nothing)
    seen_ms = scene.late_ms(lambda: "frames-not-sent" in scene.codes(), began)
    hops = {ipaddress.ip_address(a).packed for a in OWN}
    scene.late_ms(lambda: scene.are_announced(False), began)
    left_ms = scene.watch.since(fault_ns, hops, scene.wanted, False)
    withdrawn_ms = NEVER_MS if left_ms is None else max(0.0, left_ms - (began_ns - fault_ns) / 1e6)
    if not goes_on:
        scene.route(False)
    said, why = scene.codes(), scene.weir("why", "vip", scene.site.plan.vip)
    if restarts:
        scene.restart()
    time.sleep(6 if restarts else stays_s)  # time itself: silence proves nothing
    stays = scene.are_announced(False)
    scene.take_all()
    back_s = time.monotonic()
    back_ms = scene.late_ms(scene.are_announced, back_s, scene.ports.back_s)
    scene.route(True)
    flaps = max(len([1 for at, prefix, left in scene.watch.events if at >= fault_ns and prefix == p and not left & hops])
                for p in scene.wanted) - 1
    time.sleep(1)  # time: packets leave again
    client.stop(10)
    balanced = scene.balance(HELD if goes_on else 0)
    if not (stays and balanced and withdrawn_ms < NEVER_MS):
        scene.print_what_was_known()
    ok = [report.between(seen_ms, 0, SEEN_MS, f"{name}: the status says it"),
          report.between(withdrawn_ms, 0, WITHDRAWN_MS, f"{name}: the router loses the VIPs"),
          report.check("frames-not-sent" in said, f"{name}: with the likely cause", list(said)),
          report.check("do not take" in why, f"{name}: weir why vip says why", why[-300:]),
          report.check(stays and flaps == 0, f"{name}: no VIP comes back while nothing leaves", flaps),
          report.between(back_ms, 0, scene.ports.back_s * 1000, f"{name}: the VIPs come back"),
          report.check(reasons(scene.site).get("not_sent", 0) > lost, f"{name}: the frames are counted as not sent"),
          report.check(balanced, f"{name}: forwarded on the node = on the wire, to the packet", scene.said)]
    scene.results.append({"name": name, "ok": all(ok), "seen_ms": round(seen_ms), "withdrawn_ms": round(withdrawn_ms), "back_ms": round(back_ms),
                          "flaps": flaps})
    scene.wait_announced()


def play_some(scene: Scene, name: str) -> None:
    """Some frames are lost: degraded, and nothing is withdrawn."""
    report = scene.report
    say(name)
    client = scene.world.start_client(f"c{len(scene.results)}", 100, targets=scene.site.plan.vips)
    time.sleep(2)  # time: packets have left before
    began, began_ns, seen_ms = time.monotonic(), time.monotonic_ns(), NEVER_MS
    while time.monotonic() - began < 8:
        scene.take_nothing()
        time.sleep(0.1)  # time itself: a part of each second
        scene.take_all()
        if seen_ms == NEVER_MS and "frames-not-sent" in scene.codes():
            seen_ms = (time.monotonic() - began) * 1000
        time.sleep(0.3)  # time itself, as above
    stays = not any(at >= began_ns and prefix in scene.wanted for at, prefix, _ in scene.watch.events)
    ends_ms = scene.late_ms(lambda: "frames-not-sent" not in scene.codes(), time.monotonic(), 20)
    client.stop(10)
    balanced = scene.balance(HELD)
    ok = [report.between(seen_ms, 0, 2 * SEEN_MS, f"{name}: the status says it"),
          report.check(stays, f"{name}: the VIPs stay announced"),
          report.between(ends_ms, 0, 8000, f"{name}: it ends"),
          report.check(balanced, f"{name}: forwarded on the node = on the wire, to the packet", scene.said)]
    scene.results.append({"name": name, "ok": all(ok), "seen_ms": round(seen_ms), "withdrawn_ms": 0, "flaps": 0})
    scene.wait_announced()


def play_one_port(scene: Scene, name: str, interface: str, wrong: typing.Callable[[], None], right: typing.Callable[[], None],
                  ends_s: float = 9) -> None:
    """Nothing leaves by one of the ports by which the VIP leaves: degraded, at that port, and nothing is withdrawn."""
    report, lost = scene.report, reasons(scene.site).get("not_sent", 0)
    say(name)
    client = scene.world.start_client(f"c{len(scene.results)}", 100, targets=scene.site.plan.vips)
    time.sleep(1)  # time: packets have left before
    began, began_ns, _ = begin_fault(client, wrong)
    seen_ms = scene.late_ms(lambda: interface in scene.lost_ports(), began)
    time.sleep(3)  # time itself: it stays so
    said, blocked = scene.lost_ports(), "do not take" in scene.weir("why", "vip", scene.site.plan.vip)
    right()
    ends_ms = scene.late_ms(lambda: "frames-not-sent" not in scene.codes(), time.monotonic(), 2 * ends_s)
    stays = not any(at >= began_ns and prefix in scene.wanted for at, prefix, _ in scene.watch.events)
    client.stop(10)
    balanced = scene.balance(HELD)
    ok = [report.between(seen_ms, 0, SEEN_MS, f"{name}: the status says it"),
          report.check(said == {interface} and not blocked, f"{name}: of that port alone", f"{said} {blocked}"),
          report.check(stays, f"{name}: the VIPs stay announced"),
          report.between(ends_ms, 0, ends_s * 1000, f"{name}: it ends"),
          report.check(reasons(scene.site).get("not_sent", 0) > lost, f"{name}: the frames are counted as not sent"),
          report.check(balanced, f"{name}: forwarded on the node = on the wire, to the packet", scene.said)]
    scene.results.append({"name": name, "ok": all(ok), "seen_ms": round(seen_ms), "withdrawn_ms": 0, "flaps": 0})
    scene.wait_announced()


def play_little(scene: Scene, name: str) -> None:
    """So little is lost that nothing can be said of it: it is counted all the same."""
    report, lost = scene.report, reasons(scene.site).get("not_sent", 0)
    say(name)
    began_ns = time.monotonic_ns()
    scene.take_nothing()
    client = scene.world.start_client(f"c{len(scene.results)}", 2, targets=scene.site.plan.vips[:1])
    time.sleep(3)  # time itself
    client.stop(10)
    scene.take_all()
    balanced = scene.balance(HELD)
    ok = [report.check(not any(at >= began_ns and prefix in scene.wanted for at, prefix, _ in scene.watch.events), f"{name}: the VIPs stay announced"),
          report.check(reasons(scene.site).get("not_sent", 0) > lost, f"{name}: the frames are counted as not sent"),
          report.check(balanced, f"{name}: forwarded on the node = on the wire, to the packet", scene.said)]
    scene.results.append({"name": name, "ok": all(ok), "seen_ms": 0, "withdrawn_ms": 0, "flaps": 0})
    scene.wait_announced()


def play_without_process(scene: Scene, name: str) -> None:
    """While weir-dataplane is dead, the kernel counts on."""
    report = scene.report

    def lose_some() -> None:
        scene.take_nothing()
        time.sleep(2)  # time itself
        scene.take_all()
    say(name)
    client = scene.world.start_client(f"c{len(scene.results)}", 100, targets=scene.site.plan.vips)
    time.sleep(1)  # time: packets have left before
    lost = reasons(scene.site).get("not_sent", 0)
    scene.restart(lose_some)
    time.sleep(2)  # time: packets leave again
    client.stop(10)
    balanced = scene.balance(HELD)
    ok = [report.check(reasons(scene.site).get("not_sent", 0) > lost, f"{name}: the frames are counted as not sent"),
          report.check(balanced, f"{name}: forwarded on the node = on the wire, to the packet", scene.said)]
    scene.results.append({"name": name, "ok": all(ok), "seen_ms": 0, "withdrawn_ms": 0, "flaps": 0})
    scene.wait_announced()


def play_ports(scene: Scene, p: XdpPorts, again: str) -> None:
    """A part of the backends, then all of them, are reached by each of the other ports."""
    both, all_of_them = scene.site.plan.vips, len(scene.site.backends)
    ways = (("eth2", "no program at the far end", lambda: p.starve("p-node-2"), lambda: p.feed("p-node-2")),
            ("eth4", "a full ring", p.stop_reading, p.read_on), ("eth4", "a queue too few", p.drop_queue, p.add_queue))
    for interface, name, wrong, right in ways:
        p.leave_by(interface, 2)
        play_one_port(scene, f"one of two ports: {name}{again}", interface, wrong, right)
        if QUICK:
            return p.leave_by("eth1", 0)
        p.leave_by(interface, all_of_them)
        scene.take_nothing, scene.take_all = wrong, right
        play(scene, f"another port: {name}{again}", both, 100)
        scene.take_nothing, scene.take_all = p.take_nothing, p.take_all
    p.leave_by("eth1", 0)
    bad, good = (lambda n: lambda: p.leave_by("eth3", n))(2), lambda: p.leave_by("eth1", 0)
    # it cannot be tried, so that it ends by 30 s of silence, and after a relapse by more
    play_one_port(scene, f"one of two ports cannot send{again}", "eth3", bad, good, 40)
    scene.restart()
    scene.wait_announced()
    scene.take_nothing, scene.take_all = lambda: p.leave_by("eth3", all_of_them), good
    play(scene, f"a port that cannot send{again}", both, 100)
    scene.restart()
    scene.wait_announced()
    scene.take_nothing, scene.take_all = p.take_nothing, p.take_all


def write(results: list[dict[str, typing.Any]]) -> None:
    os.makedirs(os.path.join(BUILD, "lab"), exist_ok=True)
    with open(os.path.join(BUILD, "lab", "sent.json"), "w") as f:
        json.dump({"situations": len(results), "wrong": sum(not r["ok"] for r in results),
                   "seen_ms": max((r["seen_ms"] for r in results), default=0), "withdrawn_ms": max((r["withdrawn_ms"] for r in results), default=0),
                   "flaps": sum(r["flaps"] for r in results), "results": results}, f, indent=1)


def play_xdp(scene: Scene, p: XdpPorts) -> None:
    both = scene.site.plan.vips
    for again in AGAIN:
        play(scene, f"the far end takes nothing{again}", both, 100, stays_s=4 if QUICK or again else TRIED_S)
        play_ports(scene, p, again)
        if QUICK:
            return
        play(scene, f"IPv4 alone{again}", both[:1], 100)
        play(scene, f"IPv6 alone{again}", both[1:], 100)
        play(scene, f"packets come although it is withdrawn{again}", both, 100, goes_on=True)
        play(scene, f"weir-dataplane is killed meanwhile{again}", both, 100, restarts=True)
        play_some(scene, f"some frames are lost{again}")
        play_little(scene, f"a few frames are lost{again}")
    play_without_process(scene, "weir-dataplane is dead meanwhile")


def play_dpdk(scene: Scene, p: DpdkPorts) -> None:
    """Those that end by silence are the first, each twice: a relapse of whatever kind has the next silence last longer."""
    both = scene.site.plan.vips
    for again in AGAIN[:0] if QUICK else AGAIN:
        play(scene, f"DPDK, a full ring{again}", both, 100)
        p.leave_by("eth2", 2)
        play_one_port(scene, f"DPDK, one of two ports: a full ring{again}", "eth2", lambda: p.stop("nic2"), lambda: p.go_on("nic2"))
        p.leave_by("eth1", 0)
    for again in AGAIN[:1] if QUICK else AGAIN:
        play(scene, f"DPDK, packets come although it is withdrawn{again}", both, 100, goes_on=True)


def run(report: Report) -> None:
    kinds: dict[type[Ports], typing.Callable[[Scene, typing.Any], None]] = {XdpPorts: play_xdp, DpdkPorts: play_dpdk}
    results: list[dict[str, typing.Any]] = []
    try:
        for kind, play_situations in kinds.items():
            if DRIVER not in (kind.driver, ""):
                continue
            with Lab(f"sent_{kind.driver}") as lab:
                scene = Scene(report, lab, kind, results)
                scene.start()
                play_situations(scene, scene.ports)
    finally:
        write(results)


if __name__ == "__main__":
    sys.exit(Report.main(run))
