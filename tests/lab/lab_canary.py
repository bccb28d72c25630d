#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Bad changes are taken back where they are tried, before they are anywhere else; good ones go on.

    lab_canary.py [--quick] [--rounds N] [--only NAME,...]

Two sites of one node each; 100 requests a second at site ams, fewer at fra. Each change is applied with --canary ams --hold 15s by the
node of fra, which has none of it. A bad one (a check that always fails, a mode that the backends do not take, ...) has to be back at
most 10 s after the evidence passed its margin, which the version's end says, and no request at fra may fail for it. A good one has to be
in force at both in the end. Adds to build/lab/canary.json:

bad, back       bad changes, and those that were taken back
late_s          the longest time from the first request that failed, or the version's start, until ams had the version before
good, went_on   good changes, and those that are in force at both
elsewhere       requests that failed at fra
"""
from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
import typing

from changes_crowd import Crowd
from changes_world import ChangesWorld
from lab_changes import head, write_conf
from net import BUILD, Lab, LabError, comes_true, say, wait_until
from report import Report

HOLD_S, RATE = 15, 100
BEFORE_S = 20  # a before: five seconds to settle, and enough of clients
TOO_LARGE = "another VIP"  # is refused at once
CHECK, AMS = 'name = "web"; type = "http"; path = "/healthz"', 'name = "web-ams"; site = "ams"; check = "web"; mode = "gue"'
Edit = tuple[str, str, str]


def conf(old: str, new: str) -> list[Edit]:
    return [("weir.conf", old, new)]


def addresses(world: ChangesWorld, which: typing.Iterable[int]) -> list[Edit]:
    """Backends of web-ams get addresses that no host has."""
    return [("weir.conf", f'name = "ams-b{k}"; address = "{b.address}"; weight = 100', f'name = "ams-b{k}"; address = "10.1.1.{200 + k}"; weight = 100')
            for k, b in enumerate(world.plan.sites[0].backends[:4], 1) if k in which]


def add_backend(world: ChangesWorld, address: str) -> list[Edit]:
    first = f'{{ name = "ams-b1"; address = "{world.plan.sites[0].backends[0].address}"'
    return conf(first, f'{{ name = "ams-b9"; address = "{address}"; weight = 100; }},\n      {first}')


def bad_changes(world: ChangesWorld) -> dict[str, list[Edit]]:
    return {
        "a check of a path that is not there": conf(CHECK, CHECK.replace("/healthz", "/nothere")),
        "a check that expects another status": conf("expect = 200; via", "expect = 204; via"),
        "a check of a closed port": conf(CHECK, CHECK.replace('type = "http"', 'port = 9; type = "http"')),
        "a check that has no time": conf('timeout = "350ms"; rise = 2; fall = 4; damp', 'timeout = "1ms"; rise = 2; fall = 4; damp'),
        "another check that fails": conf("checks = (", 'checks = ( { name = "bad"; type = "tcp"; port = 9; interval = "400ms"; timeout = "300ms"; },')
        + conf(AMS, AMS.replace('check = "web"', 'check = "bad"')),
        "a mode that the backends do not take": conf(AMS, AMS.replace('"gue"', '"ipip"')),
        "an address that no host has": addresses(world, (1,)),
        "addresses that no host has": addresses(world, (1, 2)),
        "all addresses wrong": addresses(world, (1, 2, 3, 4)),
        "a backend that is not there": add_backend(world, "10.1.1.209"),
        "a slow backend": add_backend(world, world.plan.sites[0].backends[4].address),
        TOO_LARGE: conf(f'"{world.plan.sites[0].vip4}"', '"192.0.2.99"'),
    }


def good_changes(world: ChangesWorld) -> dict[str, list[Edit]]:
    b = world.plan.sites[0].backends[:4]
    return {
        "a weight": conf(f'address = "{b[0].address}"; weight = 100', f'address = "{b[0].address}"; weight = 60'),
        "weights": [("weir.conf", f'address = "{x.address}"; weight = 100', f'address = "{x.address}"; weight = {80 + 10 * k}') for k, x in enumerate(b)],
        "a slower check": conf('interval = "400ms"; fast_interval = "200ms"; timeout = "350ms"; rise = 2; fall = 4; damp', 'interval = "500ms"; fast_interval = "200ms"; timeout = "350ms"; rise = 2; fall = 4; damp'),
        "a check of more patience": conf("rise = 2; fall = 4; damp_turns = 50", "rise = 2; fall = 5; damp_turns = 50"),
        "a check with more time": conf('timeout = "350ms"; rise = 2; fall = 4; damp', 'timeout = "390ms"; rise = 2; fall = 4; damp'),
        "a lower guard": conf('min_healthy = "50%"; max_remove = "30%"; settle_time = "60s"; idle_time = "30s";\n    backends = (\n      { name = "ams-b1"', 'min_healthy = "40%"; max_remove = "30%"; settle_time = "60s"; idle_time = "30s";\n    backends = (\n      { name = "ams-b1"'),
        "one backend less": conf(f'{{ name = "ams-b4"; address = "{b[3].address}"; weight = 100; }} ); }}', f'{{ name = "ams-b4"; address = "{b[3].address}"; weight = 90; }} ); }}'),
        "another pool": conf('pool = "web-ams";', 'pool = "spare-ams";'),
        "limits": conf("exceptions = 65536", "exceptions = 131072"),
        "control targets": conf(f'controls = [ "{world.plan.sites[0].gateway4}" ]', f'controls = [ "{world.plan.sites[0].gateway4}", "192.0.2.51" ]'),
        "more damping": conf("damp_turns = 50", "damp_turns = 40"),
        "a pool that nothing uses": conf("pools = (", f'pools = (\n  {{ name = "new-ams"; site = "ams"; mode = "gue"; backends = ( {{ name = "n1"; address = "{b[0].address}"; }} ); }},'),
    }


class CanaryWorld(ChangesWorld):
    """Traffic at both sites; the node of fra makes the changes."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab, spare=1)
        self.crowd.rate = RATE
        self.elsewhere = Crowd(self.client, [self.plan.sites[1].vip4])
        self.elsewhere.rate = 20
        for backend in self.site.backends[:4]:  # whose agents take every tunnel
            port = f"p-{backend.name}"
            self.router.run(["tc", "qdisc", "add", "dev", port, "clsact"])
            self.router.run(["tc", "filter", "add", "dev", port, "egress", "bpf", "da", "obj", os.path.join(BUILD, "tests/lab/firewall.bpf.o"), "sec", "no_ipip"])
        slow = self.site.backends[4].host  # its answers take longer than a check waits
        slow.run(["tc", "qdisc", "replace", "dev", "eth0", "root", "tbf", "rate", "4kbit", "burst", "1600", "limit", "100kb"])

    def attempt(self, edits: list[Edit]) -> tuple[int, str]:
        write_conf(self.fra, self.files(edits))
        status, out, errors = self.weir(self.fra, "apply", "--replace", "--reason", "lab", "--canary", "ams", "--hold", f"{HOLD_S}s", "--confirm-within", "60s")
        write_conf(self.fra, self.base)
        return status, out + errors

    def heads(self) -> tuple[typing.Any, typing.Any]:
        return head(self.ams), head(self.fra)

    def kill_health(self) -> None:
        for pid in self.ams.pids("health"):
            os.kill(pid, signal.SIGKILL)

    def agree(self) -> bool:
        ams, fra = self.heads()
        return bool(ams["digest"] == fra["digest"] and ams["state"] == fra["state"] == "in_force")


def settle(world: CanaryWorld, digest: str) -> None:
    """Back to the base at both, with traffic as usual."""
    if head(world.ams)["digest"] != digest:
        world.restore()
    seen: list[typing.Any] = []

    def are_well() -> bool:
        seen[:] = [n.api("GET", "/v1/status")[1] for n in (world.ams, world.fra)]
        return world.agree() and all(s["state"] == "well" for s in seen)
    if not comes_true(are_well, 240, 0.3):  # addresses that nobody has are missed until the last flow to them is forgotten
        raise LabError(f"not well after 240 s: {[s.get('why') for s in seen]}")
    wait_until(world.usual, 60, "all is as usual", 0.2)


def refusal(world: CanaryWorld) -> str:
    """What the newest version went back for; "": its deadline, or a person."""
    items = world.fra.api("GET", "/v1/events?limit=10")[1]["items"]
    return next((e["message"].partition(" is refused on ")[2] for e in items if " is refused on " in e["message"]), "")


def play(world: CanaryWorld, report: Report, name: str, edits: list[Edit], is_bad: bool) -> tuple[bool, float, int]:
    """One change. Returns (as expected, seconds until it was back, requests that failed at fra)."""
    base = head(world.ams)["digest"]
    time.sleep(BEFORE_S)  # a before, of this base
    began = time.monotonic()
    status, out = world.attempt(edits)
    if name == TOO_LARGE:
        return status == 1 and "its smallest place is everywhere" in out, 0.0, 0
    tried = head(world.ams)["digest"]
    if status not in (0, 5, 8) or (tried == base and status != 8):
        report.check(False, f"{name}: it is tried", f"{status}: {out[-300:]!r}")
        return False, 0.0, 0
    wait_until(world.agree, HOLD_S + 75, f"{name}: it is decided", 0.1)
    ended = time.monotonic()
    is_back = head(world.ams)["digest"] == base
    bad = world.crowd.failed("request", began)
    since = began + min((s for s, _ in bad), default=0)
    lost = len(world.elsewhere.failed("request", began))
    evidence = refusal(world) if is_back else ""
    say(f"{name}: {'back' if is_back else 'everywhere'} after {ended - began:.1f} s, {len(bad)} requests failed at ams, {lost} at fra; {evidence}")
    return is_back == is_bad and (not is_bad or bool(evidence)), ended - since, lost


def run_all(world: CanaryWorld, report: Report, options: argparse.Namespace) -> dict[str, typing.Any]:
    bad, good = bad_changes(world), good_changes(world)
    if options.quick:
        bad = {k: bad[k] for k in ("a check of a path that is not there", "a mode that the backends do not take")}
        good = {k: good[k] for k in ("a weight",)}
    if options.only:
        bad, good = ({k: v for k, v in d.items() if k in options.only.split(",")} for d in (bad, good))
    figures = {"bad": 0, "back": 0, "late_s": 0.0, "good": 0, "went_on": 0, "elsewhere": 0}
    wait_until(world.usual, 30, "all is as usual", 0.2)
    world.restore()  # a version to go back to
    base = head(world.ams)["digest"]
    for _ in range(options.rounds or (1 if options.quick else 5)):
        for is_bad, changes in ((True, bad), (False, good)):
            for name, edits in changes.items():
                settle(world, base)
                fits, took_s, lost = play(world, report, name, edits, is_bad)
                figures["bad" if is_bad else "good"] += 1
                figures["back" if is_bad else "went_on"] += fits
                figures["elsewhere"] += lost
                if is_bad:
                    figures["late_s"] = round(max(figures["late_s"], took_s), 1)
                    report.check(fits, f"{name}: it is taken back, by what is measured")
    report.equal(figures["elsewhere"], 0, "no request fails elsewhere")
    report.check(figures["went_on"] >= figures["good"] * 58 // 60, "good changes go on", f"{figures['went_on']} of {figures['good']}")
    return figures


def end_by(world: CanaryWorld, report: Report, claim: str, evidence: str, *options: str, act: typing.Callable[[], object] = lambda: None,
           act_s: float = 7) -> None:
    """A good change that goes back, or on, for what happens meanwhile: its end says `evidence`. `act` comes when the apply began `act_s` ago, or
    as soon as it is over."""
    base = head(world.ams)["digest"]
    time.sleep(BEFORE_S)  # a before
    edits = next(iter(good_changes(world).values()))
    act_at = time.monotonic() + act_s  # of clients the first five seconds of a version do not count
    write_conf(world.fra, world.files(edits))
    status, out, errors = world.weir(world.fra, "apply", "--replace", "--reason", "lab", "--canary", "ams", "--hold", f"{HOLD_S}s", *options)
    write_conf(world.fra, world.base)
    report.check(status in (0, 5), f"{claim}: it is tried", (status, (out + errors)[-300:]) if status else "")
    time.sleep(max(0.0, act_at - time.monotonic()))  # when it comes is what is tried
    act()
    wait_until(world.agree, HOLD_S + 120, f"{claim}: it is decided", 0.1)
    report.equal(head(world.ams)["digest"] != base, "go" in options, claim)
    events = "\n".join(e["message"] for e in world.fra.api("GET", "/v1/events?limit=50")[1]["items"])
    report.check(evidence in events, f"{claim}: and says why", "" if evidence in events else events[-600:])


def scenes(world: CanaryWorld, report: Report, quick: bool) -> None:
    """What is no clients' fault, and no clients."""
    world.restore()
    base = head(world.ams)["digest"]
    restarted = "weir-health has started again since"
    end_by(world, report, "a process that dies as it loads it takes it back", restarted, act=world.kill_health, act_s=2)
    settle(world, base)
    if not quick:
        end_by(world, report, "a process that starts again takes it back", restarted, act=world.kill_health)
        settle(world, base)
    for crowd in (world.crowd, world.elsewhere):
        crowd.stop()
    time.sleep(5)  # flows of before end
    end_by(world, report, "without clients it goes back", "not comparable: too few clients at site/ams")
    if not quick:
        end_by(world, report, "without clients it goes on if that is wanted", "all nodes were well for 15s", "--if-quiet", "go")


def run(report: Report) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    name = "canary-quick" if options.quick else "canary"
    with Lab(name) as lab:
        world = CanaryWorld(lab)
        try:
            figures = run_all(world, report, options)
            scenes(world, report, options.quick)
        finally:
            world.crowd.stop()
            world.elsewhere.stop()
            for node in world.world.nodes:
                node.kill_all()
    say(json.dumps(figures))
    with open(os.path.join(BUILD, "lab", f"{name}.json"), "w") as f:
        json.dump(figures, f, indent=1)


if __name__ == "__main__":
    try:
        sys.exit(Report.main(run))
    except LabError as e:
        sys.exit(str(e))
