# SPDX-License-Identifier: BSD-2-Clause
"""No change hurts in silence: harmful changes do their harm and are called risky, harmless ones do none and are not.

    lab_changes.py [--quick] [--rounds N] [--only NAME,...]

1. Each harmful change (changes_harm.py) is applied under traffic until its harm is seen; `plan` must call it risky. What
   is done beside a change (a backend dies, a site is cut off) is done without the change, too, and must hurt no one.
2. 304 harmless changes are generated (changes_harmless.py); 76 of them, two of each kind, are applied under traffic, and
   nothing may break. `plan` may call 2 % of them risky.
3. In force: what does not exist is refused by name, exit status 8; risky changes that are refused are rolled back; a
   process that restarts is waited for; one that is stopped is no refusal. One that hangs is started again by the
   supervisor, and then the change is in force.
4. Two nodes apply at the same moment, N times (200): no acknowledged version may be lost.

Writes build/lab/changes.json. --quick takes a few of each, with all plans and lab store_gone, and writes changes-quick.json. --only plays
harmful changes by their names, and of the rest: plans, controls, harmless, missing, processes, two.
"""
from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
import typing

import changes_harm
import changes_harmless
from changes_world import ChangesWorld
from lab_store_gone import be_gone
from net import BUILD, Lab, LabError, comes_true, say, wait_until
from report import Report

if typing.TYPE_CHECKING:
    from world import Node

WATCH_S = 3.0    # of a harmless change: slots move two seconds after it
LEAST_GOOD = 15  # requests, and queries, in that time: 75 and 60 where nothing is slow
HARMLESS = 304
GONE_S = 20  # the store, in the quick form
QUICK_HARM = ("hash flow to source", "pool exchanged", "check's path", "guards off", "dns_listen empty", "name removed")
QUICK_HARMLESS = ("pool doubled", "site weight", "port added")


class Tally:
    """What goes into changes.json."""

    def __init__(self) -> None:
        self.harmful, self.flagged, self.harmless, self.executed, self.false_alarms = 0, 0, 0, 0, 0
        self.kinds: list[typing.Any] = []
        self.lost_updates: int | None = None
        self.rounds, self.both = 0, 0

    def write(self, name: str) -> None:
        with open(os.path.join(BUILD, "lab", f"{name}.json"), "w") as f:
            json.dump(vars(self), f, indent=1)
            f.write("\n")


def look_for(world: ChangesWorld, kind: typing.Any, since: float, limit_s: float) -> typing.Any:
    """The evidence of harm, or "" when the time is over."""
    return comes_true(lambda: kind.evidence(world, since), limit_s, 0.1)


def play(world: ChangesWorld, kind: typing.Any, changed: bool) -> tuple[typing.Any, typing.Any]:
    """A kind from the base and back to it. Returns (risky, evidence)."""
    if kind.base:
        world.restore(kind.files(world, changed=False))
    kind.before(world)
    try:
        files = kind.files(world, changed)
        risky = world.plan_of(files)[0] if changed else False
        since = world.put(files)
        if kind.act:
            time.sleep(0.3)  # the change and the act are told apart by time
            since = time.monotonic()
            kind.act.do(world)
        return risky, look_for(world, kind, since, kind.limit_s)
    finally:
        if kind.act:
            kind.act.undo(world)
        kind.after(world)
        world.restore()


def do_harm(world: ChangesWorld, report: Report, tally: Tally, kinds: list[typing.Any]) -> None:
    for kind in kinds:
        began = time.monotonic()
        risky, text = play(world, kind, True)
        for _ in range(kind.tries - 1):
            if not text:
                risky, text = play(world, kind, True)
        tally.harmful += bool(text)
        tally.flagged += bool(text and risky)
        tally.kinds.append({"kind": kind.name, "harm": text, "risky": risky})
        report.check(text and risky, f"{kind.name}: harms, and is called risky",
                     f"{text or 'no harm seen'}; {'risky' if risky else 'NOT RISKY'}; {time.monotonic() - began:.0f} s")


def play_controls(world: ChangesWorld, report: Report, kinds: typing.Any) -> None:
    """What is done beside a change must not hurt without it; once for each act, for as long as the evidence took."""
    seen = set()
    for kind in kinds:
        if not kind.act or (kind.act.name, kind.evidence.__qualname__) in seen or kind.name == "min_healthy 0 %":
            continue
        seen.add((kind.act.name, kind.evidence.__qualname__))
        _, text = play(world, kind, False)
        report.equal(text, "", f"without the change no harm: {kind.act.name} (of {kind.name})")


def judge_plans(world: ChangesWorld, report: Report, tally: Tally, changes: list[typing.Any]) -> None:
    alarms = []
    for name, files in changes:
        risky, texts = world.plan_of(files)
        if risky:
            alarms.append(f"{name}: {texts[0]}")
    tally.harmless, tally.false_alarms = len(changes), len(alarms)
    report.check(len(alarms) <= 0.02 * len(changes), f"of {len(changes)} harmless changes at most 2 % are called risky",
                 f"{len(alarms)} {alarms[:3]}")


def do_harmless(world: ChangesWorld, report: Report, tally: Tally, changes: list[typing.Any]) -> None:
    """One after another: each also takes back the one before."""
    world.restore()
    for name, files in changes:
        since = world.put(files, name)
        report.check(world.is_taken, f"{name}: in force")
        time.sleep(WATCH_S)  # a harmless change must stay harmless for this long
        crowd = world.crowd
        seen = {kind: crowd.failed(kind, since)[:2] for kind in ("held", "request", "flow", "query")}
        down = [key for key, b in world.dataplane().items() if key.startswith("web-ams/") and not b["in_force"]]
        few = {kind: n for kind in ("request", "query") if (n := len(crowd.good(kind, since))) < LEAST_GOOD}
        tally.executed += 1
        report.equal(({k: v for k, v in seen.items() if v}, down, few), ({}, [], {}), f"harmless: {name}")
        crowd.forget()
    world.restore()


# in force

def write_conf(node: Node, files: dict[str, str]) -> None:
    for name, text in files.items():
        with open(os.path.join(node.conf, name), "w") as f:
            f.write(text)


def apply_by_hand(world: ChangesWorld, files: dict[str, str], *options: str) -> tuple[int, str, float]:
    """As a person does: (exit status, output, seconds)."""
    write_conf(world.ams, files)
    began = time.monotonic()
    status, out, errors = world.weir(world.ams, "apply", "--replace", "--reason", "lab", *options)
    write_conf(world.ams, world.base)
    return status, out + errors, time.monotonic() - began


def versions(node: Node) -> typing.Any:
    return node.api("GET", "/v1/versions?limit=100")[1]["items"]


def head(node: Node) -> typing.Any:
    """The version in force, which is not the newest one after it was ended."""
    listed = node.api("GET", "/v1/versions?limit=100")[1]
    return next(v for v in listed["items"] if v["number"] == listed["head"])


def head_digest(node: Node) -> typing.Any:
    return head(node)["digest"]


def exchange_only_port(world: ChangesWorld, report: Report) -> None:
    """A mistyped name must not cut the node off."""
    eth1, since = changes_harm.AMS_PORT, time.monotonic()
    status, out, took = apply_by_hand(world, world.files([("weir.conf", eth1, eth1.replace("eth1", "eth9"))]))
    report.check(status == 8 and "weir-dataplane" in out and "eth9" in out and "rolled back" in out,
                 "the only port exchanged for it: exit 8, named, rolled back", f"{status}, {took:.1f} s: {out[-250:]!r}")
    report.equal(len(world.crowd.failed("request", since, born_since=since)), 0, "and the port went on carrying packets")


def refuse_what_is_missing(world: ChangesWorld, report: Report) -> None:
    say("what does not exist is refused by name, and rolled back where the change is risky")
    world.restore()
    base = head_digest(world.ams)
    eth1 = changes_harm.AMS_PORT
    fra = eth1.replace("10.1.", "10.2.")
    added = eth1.replace('{ interface = "eth1"; }', '{ interface = "eth1"; }, { interface = "eth9"; }')
    status, out, _ = apply_by_hand(world, world.files([("weir.conf", eth1, added)]))
    report.check(status == 8 and "weir-dataplane" in out and "eth9" in out, "a port that does not exist: exit 8, named",
                 f"{status}: {out[-250:]!r}")
    world.restore()
    exchange_only_port(world, report)
    report.equal(head_digest(world.ams), base, "the version before is in force again")
    wait_until(world.usual, 30, "all is as usual after the rollback", 0.2)
    listen = [("weir.conf", '[ "192.0.2.51"', '[ "192.0.2.99", "192.0.2.51"')]
    status, out, _ = apply_by_hand(world, world.files(listen))
    report.check(status == 8 and "weir-dns" in out and "192.0.2.99" in out, "an address that is not there: exit 8, named",
                 f"{status}: {out[-250:]!r}")
    world.restore()
    api = [("weir.conf", "https://10.1.1.2:8443", "https://10.1.1.77:8443")]
    # the peer has the refused version's address of ams, and comes back by its own deadline
    status, out, _ = apply_by_hand(world, world.files(api), "--confirm-within", "12s")
    report.check(status == 8 and "weir-mgmt" in out and "10.1.1.77" in out and "rolled back" in out,
                 "an API address that is not there: exit 8, named, rolled back", f"{status}: {out[-250:]!r}")
    world.restore()
    wait_until(lambda: agreed(world), 30, "the nodes agree", 0.1)
    status, out, took = apply_by_hand(world, world.files([("weir.conf", fra, fra.replace("eth1", "eth9"))]), "--all")
    report.check(status == 8 and "fra-1" in out and "eth9" in out and "rolled back" in out, "a peer that refuses: exit 8, named",
                 f"{status}, {took:.1f} s: {out[-300:]!r}")
    report.wait(lambda: head_digest(world.ams) == base == head_digest(world.fra), 20, "and is rolled back at both nodes", 0.2)


def refuse_one_port(world: ChangesWorld, report: Report) -> None:
    """The short form of refuse_what_is_missing()."""
    say("a port that does not exist is refused by name, and rolled back")
    world.restore()
    base = head_digest(world.ams)
    exchange_only_port(world, report)
    report.equal(head_digest(world.ams), base, "the version before is in force again")
    wait_until(world.usual, 30, "all is as usual after the rollback", 0.2)


def confirm_what_is_well(world: ChangesWorld, report: Report) -> None:
    say("a change confirms itself where all nodes stay well, and goes back where one does not")
    world.restore()
    both = (world.ams, world.fra)
    report.wait(lambda: all(n.api("GET", "/v1/status")[1]["state"] == "well" for n in both), 60, "all nodes are well")
    status, out, took = apply_by_hand(world, less_healthy(world, 20), "--confirm-if", "well for 3s", "--confirm-within", "60s")
    report.check(status == 0 and "confirmed by itself once all nodes are well for 3s" in out, "a change is made", f"{status}: {out[-250:]!r}")
    state = head(world.ams)["state"]
    report.check(took >= 3 or state == "unconfirmed", "and waits", f"{state}, {took:.1f} s")
    for node in both:
        report.wait(lambda n=node: head(n)["state"] == "in_force", 30, f"{node.name} has it confirmed")
    report.equal(head(world.ams)["number"], head(world.fra)["number"], "as one version")
    world.restore()
    base = head_digest(world.ams)
    wrong = world.files([("weir.conf", 'name = "web"; type', 'name = "web"; port = 9; type')])
    status, out, _ = apply_by_hand(world, wrong, "--confirm-if", "well for 10s", "--confirm-within", "20s")
    report.check(status == 0, "a check of a port that is closed is taken", f"{status}: {out[-250:]!r}")
    report.wait(lambda: "once all nodes are well for 10s (now " in world.weir(world.ams, "status")[1], 15, "the status says what is not well")
    report.wait(lambda: head_digest(world.ams) == base == head_digest(world.fra), 40, "it goes back at both nodes", 0.2)
    wait_until(world.usual, 60, "all is as usual", 0.2)


def wait_for_processes(world: ChangesWorld, report: Report) -> None:
    say("a process that restarts is waited for; one that is stopped is no refusal")
    base = world.base
    for pid in world.ams.pids("dns"):
        os.kill(pid, signal.SIGKILL)
    status, out, took = apply_by_hand(world, world.files([("weir.conf", 'max = "5s"', 'max = "6s"')]))
    report.equal(status, 0, f"weir-dns is killed, and restarts: in force after {took:.1f} s {out[-200:] if status else ''}")
    world.restore()
    a_stopped_process_is_late(world, report)
    a_hanging_process_is_started_again(world, report)


def less_healthy(world: ChangesWorld, percent: int) -> dict[str, str]:
    """A risky change that weir-health has to take."""
    return world.files([("weir.conf", 'min_healthy = "50%"', f'min_healthy = "{percent}%"')])


def a_stopped_process_is_late(world: ChangesWorld, report: Report) -> None:
    """Nothing brings weir-health back: whether the change is in force there is not known."""
    before = head_digest(world.ams)
    world.ams.stop_for_good("health")
    try:
        status, out, took = apply_by_hand(world, less_healthy(world, 20))
    finally:
        world.ams.resume("health")
    report.check(status == 5 and "weir-health" in out and 12 <= took <= 40, "a stopped weir-health: late, exit 5, named",
                 f"{status}, {took:.1f} s: {out[-250:]!r}")
    report.check(head_digest(world.ams) != before, "and no answer is no refusal: the version is there")
    report.equal(head(world.ams)["state"], "unconfirmed", "it waits to be confirmed")
    world.weir(world.ams, "confirm")
    world.restore()


def document_of(node: Node, process: str) -> tuple[int, int]:
    """The document that a process has, and the newest one; (0, 0) while they do not say."""
    body = node.api("GET", "/v1/status")[1]
    has = next((p["document"] for p in body.get("processes", []) if p["process"] == process), None)
    return has or 0, body.get("document", 0)


def a_hanging_process_is_started_again(world: ChangesWorld, report: Report) -> None:
    """The supervisor kills a process that hangs for 10 s and starts it again; the new one takes the change, and `apply` says so."""
    hung = world.ams.pids("health")
    world.ams.freeze("health")
    status, out, took = apply_by_hand(world, less_healthy(world, 30))
    now = world.ams.pids("health")
    has, newest = document_of(world.ams, "health")
    for pid in set(hung) & set(now):
        os.kill(pid, signal.SIGCONT)
    report.check(status == 0 and now and not set(hung) & set(now) and has == newest > 0,
                 "a hanging weir-health is started again: exit 0, and it has the document",
                 f"{status}, {took:.1f} s; pids {hung} {now}; document {has} of {newest} {out[-250:] if status else ''!r}")
    world.weir(world.ams, "confirm")
    world.restore()


# two at once

def agreed(world: ChangesWorld) -> typing.Any:
    try:
        a, b = (head(n) for n in world.world.nodes)
    except (OSError, ValueError, KeyError, StopIteration, TypeError):
        return False
    return (a["number"], a["digest"]) == (b["number"], b["digest"]) and a["state"] == b["state"] == "in_force"


def one_round(world: ChangesWorld, i: int) -> tuple[int, list[str]]:
    """Two applies at once. Returns (number of acknowledged versions, texts of what is lost)."""
    etag = head(world.ams)["etag"]
    barrier = threading.Barrier(2)
    answers: list[tuple[int, typing.Any]] = [(0, None), (0, None)]

    def apply(k: typing.Any, node: Node) -> None:
        files = {**world.base, "weir.conf": f"# round {i} of {node.name}\n" + world.base["weir.conf"]}
        barrier.wait()
        try:
            answers[k] = world.apply(files, f"round {i}", node, match=etag)
        except OSError as e:
            answers[k] = (0, str(e))
    threads = [threading.Thread(target=apply, args=(k, n)) for k, n in enumerate(world.world.nodes)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if all(status >= 400 or not status for status, _ in answers):
        say(f"round {i}: none won: {[(s, str(a)[:200]) for s, a in answers]}")
    won = [answer["version"]["digest"] for status, answer in answers if status in (200, 201, 202)]
    lost = [] if comes_true(lambda: agreed(world), 8, 0.03) else ["the nodes do not agree"]
    for node in world.world.nodes:
        kept = {v["digest"] for v in versions(node) if v["state"] != "ended"}
        lost += [f"{d[:8]} is not at {node.name}" for d in won if d not in kept]
    if lost:
        wait_until(lambda: agreed(world), 30, "the nodes agree after a divergence", 0.1)
    return len(won), lost


def two_at_once(world: ChangesWorld, report: Report, tally: Tally, rounds: typing.Any) -> None:
    say(f"two nodes apply at the same moment, {rounds} times")
    world.restore()
    wait_until(lambda: agreed(world), 30, "the nodes agree", 0.1)
    tally.lost_updates, none = 0, 0
    for i in range(rounds):
        won, lost = one_round(world, i)
        tally.rounds += 1
        tally.both += won == 2
        none += won == 0
        tally.lost_updates += bool(lost)
        if lost and tally.lost_updates <= 3:
            say(f"round {i}: {won} acknowledged, {lost}")
    report.equal(tally.both, 0, "never do both win")
    report.check(none <= rounds // 10, "one wins, but for a tenth of the rounds at most", f"{none} of {rounds} without a winner")
    report.equal(tally.lost_updates, 0, f"no lost update in {rounds} rounds ({tally.both} with two winners, {none} with none)")


def play_only(world: ChangesWorld, report: Report, options: argparse.Namespace, tally: Tally) -> None:
    """What --only names."""
    kinds = changes_harm.all_kinds(world)
    changes = changes_harmless.generate(world.base, HARMLESS, options.seed)
    parts: dict[str, typing.Callable[[], None]] = {
        "plans": lambda: judge_plans(world, report, tally, changes),
        "controls": lambda: play_controls(world, report, kinds),
        "harmless": lambda: do_harmless(world, report, tally, changes[:2 * len(changes_harmless.KINDS)]),
        "missing": lambda: refuse_what_is_missing(world, report),
        "processes": lambda: wait_for_processes(world, report),
        "well": lambda: confirm_what_is_well(world, report),
        "two": lambda: two_at_once(world, report, tally, options.rounds or 200)}
    for name in options.only.split(","):
        named = [k for k in kinds if k.name == name]
        if name not in parts and not named:
            raise LabError(f"--only {name}: there is no such change or part")
        parts[name]() if name in parts else do_harm(world, report, tally, named)


def run_all(world: ChangesWorld, report: Report, options: argparse.Namespace, tally: Tally) -> None:
    kinds = changes_harm.all_kinds(world)
    changes = changes_harmless.generate(world.base, HARMLESS, options.seed)
    wait_until(world.usual, 30, "all is as usual", 0.2)
    if options.only:
        return play_only(world, report, options, tally)
    judge_plans(world, report, tally, changes)
    if options.quick:
        for kind in kinds:
            report.check(world.plan_of(kind.files(world))[0], f"{kind.name} is called risky")
        do_harm(world, report, tally, [k for k in kinds if k.name in QUICK_HARM])
        do_harmless(world, report, tally, [c for c in changes[:len(changes_harmless.KINDS)] if c[0] in QUICK_HARMLESS])
        be_gone(world, report, GONE_S)  # lab store_gone, in this world, after changes that broke nothing
        refuse_one_port(world, report)
        confirm_what_is_well(world, report)
        return two_at_once(world, report, tally, options.rounds or 3)
    do_harm(world, report, tally, kinds)
    play_controls(world, report, kinds)
    do_harmless(world, report, tally, changes[:2 * len(changes_harmless.KINDS)])
    refuse_what_is_missing(world, report)
    confirm_what_is_well(world, report)
    wait_for_processes(world, report)
    two_at_once(world, report, tally, options.rounds or 200)
    report.check(tally.harmful >= 45 and tally.flagged == tally.harmful, "at least 45 harmful changes, all called risky",
                 f"{tally.harmful}, {tally.flagged}")
    return None


def run(report: Report) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    tally, name = Tally(), "changes-quick" if options.quick else "changes"
    with Lab(name) as lab:
        world = ChangesWorld(lab)
        try:
            run_all(world, report, options, tally)
        except LabError:
            tally.write(name)
            raise
        finally:
            world.crowd.stop()
            for node in world.world.nodes:
                node.kill_all()
    tally.write(name)


if __name__ == "__main__":
    sys.exit(Report.main(run))
