# SPDX-License-Identifier: BSD-2-Clause
"""The routing daemon is killed, stopped, restarted, reconfigured, missing, of an unknown version, or none at all.

In each case: packets for the VIPs are forwarded as before, Weir's routes stay in their table, within 5 s weir-announce
shows what is so, or that it is unknown, and its control socket answers all the time. Figures: build/lab/daemon_faults.json.

    lab_daemon_faults.py [--quick]      quick: BIRD only, and fewer faults
"""
from __future__ import annotations

import functools
import json
import os
import signal
import sys
import threading
import time
import typing

import plan as planning
from fake_speaker import FakeSpeaker, fakes
from net import BUILD, Host, Lab, comes_true, executable, say, wait_until
from report import Report
from speakers import Bird, Frr, Speaker
from watch import Crowd, now_ms
from world import World

QUICK = "--quick" in sys.argv
SHOWN_MS = 5000
CTL_MS = 1000  # a machine that is busy with other things takes its time, too; blocked would be 2 s and more

Page = dict[str, typing.Any]


class Pulse:
    """Asks weir-announce's control socket all the time; remembers the slowest answer, and since when it waits for one."""

    def __init__(self, world: World) -> None:
        self.node, self.worst_ms, self.closed = world.sites[0].node, 0.0, False
        self.began = time.monotonic()
        threading.Thread(target=self.ask, daemon=True).start()

    def ask(self) -> None:
        while not self.closed:
            self.began = time.monotonic()
            try:
                self.node.ctl("announce", {"do": "nothing"}, 10)
            except (OSError, ValueError):  # the latter: it ended amid its answer
                self.worst_ms = 1e6
            self.worst_ms = max(self.worst_ms, (time.monotonic() - self.began) * 1000)
            time.sleep(0.05)  # the pace of asking

    def take(self) -> float:
        worst, self.worst_ms = max(self.worst_ms, (time.monotonic() - self.began) * 1000), 0.0
        return worst


class Scene:
    """One node with Weir and a routing daemon, and a router with BIRD."""

    def __init__(self, lab: Lab, kind: str) -> None:
        self.lab, self.kind = lab, kind
        self.world = World(lab, planning.simple(1, 2, api=False), resolvers=())
        self.site, self.node = self.world.sites[0], self.world.sites[0].node
        self.host, self.router = self.node.host, lab.host("router1")
        lab.link(self.router, "eth0", self.host, "eth2")
        self.router.address("eth0", "192.0.2.1/24", "2001:db8::1/64")
        self.host.address("eth2", "192.0.2.11/24", "2001:db8::11/64")
        self.far = Bird(lab, self.router, "router.conf")
        self.speaker: Speaker = Bird(lab, self.host, "bird.conf") if kind == "bird" else Frr(lab, self.host, "frr.conf")
        self.rows: list[dict[str, typing.Any]] = []

    def start(self) -> None:
        node, site = self.node, self.site
        node.write_config()
        path = os.path.join(node.conf, "weir.conf")
        with open(path) as f:
            text = f.read()
        with open(path, "w") as f:
            f.write(text.replace(f'name = "{node.name}";', f'name = "{node.name}"; announce = {{ daemon = "{self.kind}"; '
                                 f'socket = "{self.speaker.socket}"; }};', 1))
        node.write_effective()
        site.start_backends()
        wait_until(lambda: self.speaker.sessions() == 2, 60, "both sessions", 0.2)
        node.start("mgmt", "health", "dns", "dataplane", "announce")
        site.wait_until_forwarding()
        wait_until(lambda: self.routes() == set(site.plan.vips), 60, "the VIPs are announced", 0.2)
        wait_until(self.is_well, 30, "the routers get them", 0.2)
        client = self.world.start_client("crowd", 100, targets=site.plan.vips)
        self.crowd = Crowd(f"{self.lab.dir}/crowd.requests", client, {v: site.name for v in site.plan.vips})
        self.pulse = Pulse(self.world)

    def routes(self) -> set[str]:
        text = "".join(self.host.run(["ip", family, "route", "show", "table", "177"], check=False) for family in ("-4", "-6"))
        return {line.split()[1] for line in text.splitlines() if line.startswith("blackhole ")}

    def page(self) -> Page:
        answer: Page = json.loads(self.host.run([executable("lab-announced"), self.node.run_dir]))
        return answer

    def is_well(self) -> bool:
        """Imported from the normal table alone, and exported over the session of its family."""
        page = self.page()
        return bool(page["state"] == "answers" and page["age_ms"] < 2000 and len(page["addresses"]) == 2 and all(
            a["imported"] == 2 and a["exported"] for a in page["addresses"].values()))

    def is_unknown(self, state: str) -> bool:
        page = self.page()
        return bool(page["state"] == state and page["age_ms"] < 2000 and len(page["addresses"]) == 2 and not any(
            a["imported"] or a["exported"] for a in page["addresses"].values()))

    def is_lonely(self) -> bool:
        """No session is up, and nothing is exported."""
        page = self.page()
        return bool(page["state"] == "answers" and page["age_ms"] < 2000 and page["neighbours"] and len(page["addresses"]) == 2 and not any(
            [*page["neighbours"].values(), *(a["exported"] for a in page["addresses"].values())]))

    def far_has(self, vip: str) -> bool:
        """The router has a route for it from the node."""
        return "via " in self.router.run(["birdc", "-s", self.far.socket, "show", "route", "for", vip], check=False)

    def is_true(self) -> bool:
        """Shown as exported is what the router has, whatever that is."""
        page = self.page()
        return bool(page["state"] == "answers" and page["age_ms"] < 2000 and len(page["addresses"]) == 2 and all(
            bool(a["exported"]) == self.far_has(vip) for vip, a in page["addresses"].items()))

    def note(self, report: Report, fault: str, since_ms: int, began: float, shown: bool) -> None:
        """What a fault did, from its beginning until now."""
        took_ms = (time.monotonic() - began) * 1000
        stay = self.routes() == set(self.site.plan.vips)
        time.sleep(1)  # traffic must go on for this long
        failures, ctl_ms = self.crowd.failures(since_ms), self.pulse.take()
        what = f"{self.kind}, {fault}"
        report.check(shown and took_ms <= SHOWN_MS, f"{what}: shown within {SHOWN_MS} ms", f"{took_ms:.0f} ms")
        report.check(stay, f"{what}: the routes stay")
        report.equal(failures[:3], [], f"{what}: packets are forwarded as before")
        report.check(ctl_ms <= CTL_MS, f"{what}: weir-announce answers", f"{ctl_ms:.0f} ms")
        self.rows.append({"daemon": self.kind, "fault": fault, "forwarding_ok": stay and not failures,
                          "shown_ms": round(took_ms), "ctl_ms": round(ctl_ms)})

    def fault(self, report: Report, name: str, make: typing.Callable[[], object], shown: typing.Callable[[], bool]) -> None:
        say(f"{self.kind}: {name}")
        self.pulse.take()
        since_ms, began = now_ms(), time.monotonic()
        make()
        self.note(report, name, since_ms, began, comes_true(shown, 15, 0.1))

    # --- the daemon ---

    def process(self) -> typing.Any:
        return self.speaker.processes["bgpd"] if isinstance(self.speaker, Frr) else self.speaker.process

    def start_daemon(self) -> None:
        if isinstance(self.speaker, Frr):
            self.speaker.daemon("bgpd")
            self.speaker.configure()
        else:
            self.speaker.start()

    def return_daemon(self, report: Report, name: str) -> None:
        """Start it again; from the moment on at which its sessions are up, the truth must be shown."""
        self.start_daemon()
        wait_until(lambda: self.speaker.sessions() == 2, 60, "the sessions are back", 0.1)
        self.fault(report, name, lambda: None, self.is_well)


def break_daemon(report: Report, scene: Scene) -> None:
    scene.fault(report, "killed", lambda: scene.process().kill(), lambda: scene.is_unknown("absent"))
    scene.return_daemon(report, "started again")
    scene.fault(report, "stopped", lambda: scene.process().signal(signal.SIGSTOP), lambda: scene.is_unknown("silent"))
    scene.process().signal(signal.SIGCONT)
    wait_until(lambda: scene.speaker.sessions() == 2, 60, "the sessions are back", 0.1)
    scene.fault(report, "continued", lambda: None, scene.is_well)
    scene.fault(report, "reconfigured", scene.speaker.reload, scene.is_well)
    if not QUICK:
        scene.process().stop()
        scene.return_daemon(report, "restarted")
    scene.fault(report, "router gone", lambda: scene.far.process.kill(), scene.is_lonely)
    scene.far.start()
    wait_until(lambda: scene.speaker.sessions() == 2, 60, "the sessions are back", 0.1)
    scene.fault(report, "router back", lambda: None, scene.is_well)


def break_zebra(report: Report, scene: Scene) -> None:
    """bgpd lives on, and keeps the routes that it has: the VIPs stay announced."""
    frr = scene.speaker
    assert isinstance(frr, Frr)
    zebra = frr.processes["zebra"]
    scene.fault(report, "zebra stopped", lambda: zebra.signal(signal.SIGSTOP), scene.is_true)
    scene.fault(report, "zebra continued", lambda: zebra.signal(signal.SIGCONT), scene.is_well)
    scene.fault(report, "zebra killed", zebra.kill, scene.is_true)
    frr.start_zebra()
    frr.configure("zebra")
    wait_until(lambda: all(map(scene.far_has, scene.site.plan.vips)), 60, "the router has the VIPs", 0.1)
    scene.fault(report, "zebra back", lambda: None, scene.is_well)


def fake_daemon(report: Report, scene: Scene) -> None:
    scene.process().kill()
    if os.path.lexists(scene.speaker.socket):
        os.unlink(scene.speaker.socket)
    scene.fault(report, "missing", lambda: None, lambda: scene.is_unknown("absent"))
    for name, (serve, state) in fakes(scene.kind).items():
        fake = FakeSpeaker(scene.speaker.socket, serve)
        scene.fault(report, f"fake: {name}", lambda: None, functools.partial(scene.is_unknown, state))
        fake.close()
    scene.return_daemon(report, "real again")


def run_kind(report: Report, kind: str) -> list[dict[str, typing.Any]]:
    with Lab(f"daemon_faults_{kind}") as lab:
        scene = Scene(lab, kind)
        scene.start()
        report.step(break_daemon, report, scene)
        if kind == "frr":
            report.step(break_zebra, report, scene)
        report.step(fake_daemon, report, scene)
        scene.pulse.closed = True
        log = scene.node.processes["announce"]
        report.check(log.alive(), f"{kind}: weir-announce runs")
        return scene.rows


def run(report: Report) -> None:
    rows = [row for kind in (("bird",) if QUICK else ("bird", "frr")) for row in run_kind(report, kind)]
    os.makedirs(os.path.join(BUILD, "lab"), exist_ok=True)
    with open(os.path.join(BUILD, "lab", "daemon_faults.json"), "w") as f:
        json.dump(rows, f, indent=1)


if __name__ == "__main__":
    sys.exit(Report.main(run))
