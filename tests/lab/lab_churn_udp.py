# SPDX-License-Identifier: BSD-2-Clause
"""Backends and load balancers change under 2,000 flows of datagrams, a third of them for each UDP policy.

The world and the changes are lab churn's. Flows are like QUIC's: an ID, numbered and checksummed datagrams that are
repeated until they are echoed, a third of the flows silent for half a minute and more at a time; a server that does not
know a flow says so, which ends it. One backend is drained for good at the beginning, over longer than settle_time.

    lab_churn_udp.py [--quick] [--seed N] [--backends] [--agents] [--balancers]

Three worlds, into build/lab/churn.json as `udp`: backends alone change; the same in a pool with agents; balancers change,
too. A flow that went to another backend either *moved*, as its policy says, or is *broken*; one that stayed where its
policy would have it go has *overstayed*. Judged by another policy than its own, each service must be found wrong.
"""
from __future__ import annotations

import argparse
import json
import os
import sys
import typing

from churn_events import KILLED_GRACE_MS, Size, check_balancers, check_paths, note_figures, run_events
from churn_world import ChurnWorld, make_plan
from net import Lab, say
from report import Report

if typing.TYPE_CHECKING:
    from churn_events import Run
    from churn_events import Flow

UDP = 17
PORTS = {"keep": 4431, "migrate": 4432, "reset": 4433}
WRONG = {"keep": 4433, "migrate": 4431, "reset": 4432}
WORLDS = {"backends": (False, False), "agents": (True, False), "balancers": (False, True)}
PLACES = {"backends": "backends_only", "agents": "backends_only_with_agents", "balancers": "with_balancers"}
FOLLOWS_MS = 3000  # nodes see a change, and a flow asks again, within
SWEEP_MS = 18000   # a pass over the remembered flows


class UdpSize(Size):
    """A flow's silences are shorter than udp_idle. It may leave a drained backend after settle_s, the one that is drained at
    the beginning after hold_s; unless its slot moved then: after udp_idle and some, too."""

    def __init__(self, quick: bool) -> None:
        super().__init__(quick)
        if quick:
            self.long, self.short, self.idle_ms, self.seconds = 600, 10, 4000, 36
        self.idle_s, self.settle_s, self.hold_s = (7, 8, 10) if quick else (45, 40, 75)
        self.silent_ms = self.idle_ms * 4 / 3


class Judge:
    """What became of a flow, by its policy."""

    def __init__(self, run: Run, size: UdpSize) -> None:
        self.run, self.size = run, size

    def owns(self, flow: Flow, name: str, back_ms: int = 0) -> bool:
        """Whether the flow's slot was the backend's when the flow ended, or so long before, as far as that can be told."""
        return name in self.run.slots.owned_by(flow.slot, flow.end - FOLLOWS_MS - back_ms, flow.end + 1000)

    def went_to(self, flow: Flow, policy: str) -> typing.Any:
        """Where its last datagram went: who did not know the flow, or whose server was killed just before. What is not
        remembered goes to a slot's earlier owner for a while."""
        back_ms = 0 if policy == "reset" else 1000 * (self.size.idle_s + 2)
        if flow.result != "refused":
            return flow.other
        return next((name for t, name in self.run.churn.deaths
                     if name != flow.backend and t <= flow.end <= t + KILLED_GRACE_MS and self.owns(flow, name, back_ms)), "-")

    def time_ms(self, name: str) -> typing.Any:
        """How long a drain lets a backend keep its flows."""
        return 1000 * self.run.churn.held.get(name, self.size.settle_s)

    def may_move(self, flow: Flow, policy: str, to: typing.Any) -> bool:
        if policy == "reset":
            return self.owns(flow, to)
        if policy == "keep":
            return False
        return any(a + self.time_ms(flow.backend) - FOLLOWS_MS <= flow.end <= b + self.size.silent_ms + FOLLOWS_MS
                   for a, b in self.run.churn.away(flow.backend))

    def overstays(self, flow: Flow, policy: str) -> bool:
        if policy == "reset":
            return not self.owns(flow, flow.backend)
        if policy == "keep":
            return False
        time_ms = max(self.time_ms(flow.backend), 1000 * (self.size.idle_s + 2))
        return any(a + time_ms + SWEEP_MS + FOLLOWS_MS < flow.end <= b for a, b in self.run.churn.away(flow.backend))

    def verdict(self, flow: Flow, policy: str) -> str:
        """ok, moved, overstayed, killed or broken."""
        if flow.result == "ok":
            return "overstayed" if not self.run.was_killed(flow) and self.overstays(flow, policy) else "ok"
        if self.run.was_killed(flow):
            return "killed"
        to = self.went_to(flow, policy)
        if to in ("-", flow.backend) or not self.may_move(flow, policy, to):
            return "broken"
        return "killed" if flow.result == "refused" else "moved"


def judge(run: Run, size: UdpSize, ports: dict[str, int]) -> tuple[dict[str, dict[str, int]], list[typing.Any]]:
    """Figures by policy, and what broke or overstayed."""
    judged, figures, wrong = Judge(run, size), {}, []
    for policy, port in ports.items():
        flows = [f for f in run.flows if f.to_port == port]
        verdicts = [judged.verdict(f, policy) for f in flows]
        at_risk = [f for f in flows if run.at_risk(f)]
        figures[policy] = {"flows": len(flows), "at_risk": len(at_risk),
                           "also_balancer": sum(map(run.changed_balancer, at_risk)),
                           **{v: verdicts.count(v) for v in ("moved", "overstayed", "broken", "killed")}}
        wrong += [f for f, v in zip(flows, verdicts) if v in ("broken", "overstayed")]
    return figures, wrong


def play(name: str, options: argparse.Namespace, size: UdpSize, report: Report) -> typing.Any:
    """One world from beginning to end. Returns its figures."""
    agents, with_balancers = WORLDS[name]
    say(f"{name}: seed {options.seed}")
    services = {port: policy for policy, port in PORTS.items()}
    with Lab(f"churn-udp-{name}") as lab:
        world = ChurnWorld(lab, make_plan(agents, False, f"{size.settle_s}s", udp=services, udp_idle=f"{size.idle_s}s"))
        world.start()
        check_paths(report, world)
        run = run_events(world, size, options.seed, with_balancers, UDP, size.hold_s,
                         more=[w for port in PORTS.values() for w in ("--udp", str(port))])
        check_balancers(report, world)
        figures, wrong = judge(run, size, PORTS)
        for flow in wrong[:12]:
            run.tell(flow)
        figures.update(run.events(), answers=sum(f.answers for f in run.flows), seed=options.seed)
        for policy, f in judge(run, size, WRONG)[0].items():
            report.check(f["broken"] + f["overstayed"] > 5, f"{name}: another service's flows are not {policy}'s",
                         f["broken"] + f["overstayed"])
        say(f"{name}: {json.dumps(figures)}")
        return figures


def check(report: Report, name: str, figures: typing.Any, size: UdpSize) -> None:
    for policy in PORTS:
        f = figures[policy]
        report.check(f["at_risk"] > (20 if size.quick else 300), f"{name}, {policy}: flows whose slot moved", f["at_risk"])
        if name != "balancers":
            report.equal(f["broken"], 0, f"{name}, {policy}: flows that broke against their policy")
        if policy != "keep":
            report.check(f["moved"] > (5 if size.quick else 50), f"{name}, {policy}: flows that moved", f["moved"])
    report.equal(figures["reset"]["overstayed"], 0, f"{name}, reset: flows that stayed when their slot had moved")
    if name != "balancers":
        report.equal(figures["migrate"]["overstayed"], 0, f"{name}, migrate: flows that stayed when the drain was over")
    if not size.quick:
        report.check(figures["events"] >= 60, f"{name}: changes", figures["events"])


def main_run(options: argparse.Namespace) -> typing.Callable[..., None]:
    def run(report: Report) -> None:
        size = UdpSize(options.quick)
        chosen = [w for w in WORLDS if getattr(options, w)] or (["backends"] if options.quick else list(WORLDS))
        for name in chosen:
            figures = play(name, options, size, report)
            check(report, name, figures, size)
            note_figures(lambda known, name=name, figures=figures:
                         known.setdefault("udp", {}).update({PLACES[name]: figures}))
    return run


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="a short form of the first world")
    parser.add_argument("--seed", type=int, default=int(os.environ.get("LAB_SEED", "1")))
    for name in WORLDS:
        parser.add_argument(f"--{name}", action="store_true", help="play this world alone")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(Report.main(main_run(read_options())))
