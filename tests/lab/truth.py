# SPDX-License-Identifier: BSD-2-Clause
"""A bed for situations in which the node must tell the truth: one site, its node, a second node as a peer.

A situation is a function of a Bed; most are a fault, entered and left. A module truth_NAME.py holds a list
SITUATIONS; lab_truth.py runs them all. The state must be right within 2 s after the evidence (carrier, route,
process, verdict), the same in each place that shows it, and well again after the fault.
"""
from __future__ import annotations

import json
import re
import threading
import time
import typing
import urllib.parse

import plan as planning
from net import PATIENCE_S, LabError, comes_true, executable, say
from world import World

if typing.TYPE_CHECKING:
    from net import Lab
    from report import Report

SOON_S = 2.0  # the status is right so soon after the evidence
GIVE_UP_S = 30  # and a lab waits so long to see how late it is
WELL_AGAIN_S = 10  # after a fault: a process starts, its checks rise, peers are asked again
OFTEN = 20  # events of the state: those beyond wait for room, unless it is worse
EXIT = {"well": 0, "degraded": 10, "down": 11}
GAUGE = {"well": "0", "degraded": "1", "down": "2"}


class Situation(typing.NamedTuple):
    """What to do, on a bed that is well; it leaves it so."""
    name: str
    run: typing.Callable
    quick: bool = False  # part of the short form
    drivers: tuple = ("xdp",)


class Status(typing.NamedTuple):
    exit_status: int
    body: dict
    asked_s: float  # when the question was put, monotonic
    took_s: float

    @property
    def state(self) -> typing.Any:
        return self.body.get("state")

    def reason(self, code: str, subject: typing.Any) -> typing.Any:
        """The reason with this code ("": with any) about this subject."""
        return next((r for r in self.body.get("reasons", []) if code in ("", r["code"]) and subject in r["subject"]), None)

    def says(self, states: typing.Any, code: str, subject: typing.Any) -> bool:
        """Whether it says one of `states`, for this reason (code None: for none in particular)."""
        return self.state in states and (code is None or self.reason(code, subject) is not None)


def tell_state(body: dict) -> str:
    """A status in short."""
    return f"{body.get('state')} {[(r['code'], r['subject'], r['since']) for r in body.get('reasons', [])]}"


class Bed:
    """A world, what its node says, and a report; `node` is what is looked at."""

    def __init__(self, report: Report, lab: Lab, driver: str = "xdp", slack_s: int = 0) -> None:
        self.report, self.lab, self.driver, self.slack_s = report, lab, driver, slack_s
        plan = planning.simple(1, 3)
        self.site_plan = plan.sites[0]
        self.site_plan.driver = driver
        peer = planning.another_node(self.site_plan, 1)
        peer.name = "fra"  # a site of its own: of a node of the same site connection state would be expected
        plan.check += " damp_turns = 0;"  # backends die more often here than damping allows
        plan.more_nodes, plan.bare_sites = [peer], ("fra",)
        self.world = World(lab, plan, resolvers=())
        self.site = self.world.sites[0]
        self.node, self.host, self.router = self.site.node, self.site.node.host, self.world.router
        self.peer = self.site.node_of(plan.more_nodes[0])
        self.port_mac = ""  # kept while another is set
        self.kept = b""     # a document, while another is in force
        self.damaging, self.damager = threading.Event(), threading.Thread()  # of that document, while it is damaged
        self.wrong: list[typing.Any] = []
        self.results: list[typing.Any] = []
        self.load: typing.Any = None  # clients of a situation's

    def start(self) -> None:
        for node in self.site.all_nodes:
            node.write_config()
        self.site.start_backends()
        self.peer.start("mgmt")
        self.node.start()
        self.wait_until_well()

    def weir(self, *arguments: str, errors: bool = False) -> tuple[int, str]:
        """A command of the node: (exit status, standard output, with `errors` standard error too)."""
        script = '"$@" 2>&1; echo "#$?"' if errors else '"$@"; echo "#$?"'
        text = self.host.run(["sh", "-c", script, "sh", executable("weir"), *self.node.options, *arguments], check=False)
        body, _, status = text.rpartition("#")
        return int(status), body

    def status(self) -> Status:
        """What `weir status --json` says now."""
        asked = time.monotonic()
        code, text = self.weir("status", "--json")
        try:
            body = json.loads(text)
        except ValueError:
            body = {}
        return Status(code, body, asked, time.monotonic() - asked)

    def wait_until_well(self) -> None:
        last: list[typing.Any] = []

        def well() -> typing.Any:
            last[:] = [self.status()]
            return last[0].state == "well"
        if not comes_true(well, PATIENCE_S, 0.1):
            raise LabError(f"not well after {PATIENCE_S} s: {last[0].state} {last[0].body.get('why')}")

    def well_again(self, name: str) -> None:
        """Note that the node is well soon after a fault has gone; a lab that waits longer goes on with a bed that is well."""
        since_s = time.monotonic()
        self.wait_until_well()
        late_s = time.monotonic() - since_s
        if not self.report.check(late_s <= WELL_AGAIN_S, f"{name}: well again within {WELL_AGAIN_S} s", f"{late_s:.1f} s"):
            self.wrong.append(f"{name}: well again after {late_s:.1f} s")

    def expect(self, name: str, state: str | tuple[str, str], code: str, subject: str = "", since_s: float | None = None,
               soon_s: typing.Any = SOON_S) -> Status:
        """Note that the node comes to say `state` for the reason `code`; the evidence is there since `since_s`."""
        since_s = time.monotonic() if since_s is None else since_s
        states = state if isinstance(state, tuple) else (state,)
        seen = self._watch(states, code, subject, since_s)
        late_s = seen.asked_s - since_s
        true = seen.says(states, code, subject) and late_s <= soon_s + self.slack_s
        self.note(name, true, f"{late_s:.1f} s; {seen.state} {[(r['code'], r['subject']) for r in seen.body.get('reasons', [])]}",
                   late_s)
        return seen

    def _watch(self, states: tuple[typing.Any, ...], code: str, subject: str, since_s: float) -> Status:
        while not (seen := self.status()).says(states, code, subject) and time.monotonic() <= since_s + GIVE_UP_S:
            time.sleep(0.05)  # the pace of the wait for the condition above
        return seen

    def note(self, name: str, true: object, seen: str, late_s: float) -> None:
        self.report.check(true, name, seen)
        self.results.append({"name": name, "driver": self.driver, "ok": bool(true), "late_s": round(late_s, 2)})
        if not true:
            self.wrong.append(name)

    def same_everywhere(self, state: typing.Any) -> list[str]:
        """The state as the other places show it: exit status, wait, the API, metrics, events. @return what differs, each
        with when it was asked, since all is asked one after the other: a state that changes meanwhile differs, too"""
        began, seen, differs = time.monotonic(), self.status(), []

        def note(what: str) -> None:
            differs.append(f"{time.monotonic() - began:.2f} s {what}")
        if (seen.state, seen.exit_status) != (state, EXIT[state]):
            note(f"weir status: {tell_state(seen.body)}, exit {seen.exit_status}")
        if self.weir("wait", state, "--timeout", "3s")[0] != 0:
            note(f"weir wait {state}")
        if state != "well" and (code := self.weir("wait", "well", "--timeout", "200ms")[0]) != 5:
            note(f"weir wait well: exit {code}")
        body = self.node.api("GET", "/v1/status?" + urllib.parse.urlencode({"pool": self.site_plan.pool}))[1]
        if body["state"] != state:
            note(f"GET /v1/status?pool=: {tell_state(body)}")
        if not self._soon(lambda: f'weir_status{{process="mgmt"}} {GAUGE[state]}\n' in self.metrics()):
            note("metric weir_status")
        if not self._soon(lambda: self._is_told(state)):
            note(f"event: {self._status_events()[-1:]}")
        if differs:
            note(f"afterwards: {tell_state(self.status().body)}")
        return differs

    def rows(self) -> dict[str, typing.Any]:
        """The checks' verdicts by backend, as weir-health has them."""
        try:
            answer = self.node.ctl("health", {"do": "list"})
        except (OSError, ValueError):
            return {}
        return {r["backend"]: r for r in answer["targets"] if "backend" in r}

    def must(self, *arguments: str) -> str:
        """A command of the node that has to succeed."""
        code, text = self.weir(*arguments, errors=True)
        if code:
            raise LabError(f"weir {' '.join(arguments)}: exit {code}: {text}")
        return text

    @staticmethod
    def _soon(condition: typing.Callable[..., typing.Any]) -> typing.Any:
        return comes_true(condition, 3, 0.1)

    def _status_events(self) -> list[str]:
        items = self.node.api("GET", "/v1/events?limit=1000")[1]["items"]
        return [e["message"] for e in items if e["kind"] == "status"]

    def _is_told(self, state: str) -> bool:
        """Whether the last event says so. Of a state that changed often before, an event may wait that it is better."""
        told = self._status_events()
        last = told[-1].partition(",")[0] if told else ""
        return last == state or (len(told) >= OFTEN and last in EXIT and EXIT[last] > EXIT[state])

    def metrics(self) -> str:
        return self.host.run(["curl", "-s", "--unix-socket", f"{self.node.run_dir}/api.sock", "http://weir/metrics"])


def fault(name: str, enter: typing.Callable[..., typing.Any], leave: typing.Callable[..., typing.Any],
          state: str | tuple[str, str], code: str, subject: str = "", elsewhere: bool = True,
          **more: typing.Any) -> Situation:
    """A situation that is a fault: `enter` makes it and returns when the evidence was there (None: now), `leave` undoes it."""
    def run(bed: Bed) -> None:
        try:
            since_s = enter(bed)
            seen = bed.expect(name, state, code, subject, since_s)
            if elsewhere:
                differs = bed.same_everywhere(seen.state)
                if not bed.report.check(not differs, f"{name}: the same everywhere", "; ".join(differs)):
                    bed.wrong.append(f"{name}: {differs}")
        finally:
            leave(bed)
        bed.well_again(name)
    return Situation(name, run, **more)


def run_all(bed: Bed, situations: list[typing.Any]) -> None:
    """Run situations on a bed; one that fails with an exception is wrong, and the next one starts from a bed that is well."""
    for situation in situations:
        if bed.driver not in situation.drivers:
            continue
        say(f"{bed.driver}: {situation.name}")
        try:
            situation.run(bed)
        except (LabError, OSError, ValueError, KeyError, TypeError) as e:
            bed.report.check(False, situation.name, str(e)[:500])
            bed.wrong.append(f"{situation.name}: {str(e)[:200]}")
            bed.wait_until_well()
