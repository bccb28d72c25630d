# SPDX-License-Identifier: BSD-2-Clause
"""The scenes of lab drain; see lab_drain.py. Each makes a world, acts as a person would, and notes figures."""
from __future__ import annotations

import collections
import contextlib
import itertools
import threading
import time
import typing

from net import Lab, LabError, comes_true, say, wait_until
from site_drain_faults import CASES, FAULTS_WISH, MEASURED_S, Case, give_all_back, large_disks, small_disks
from site_drain_world import (KEYS, RATE, SiteDrainWorld, Wish, drained_ppm, gone_ms, late_flows, own_flows, percentile,
                              resolver_address)
from site_operations import ENDED, HELD, MOVING, Operations, tell
from watch import failed, now_ms

if typing.TYPE_CHECKING:
    from report import Report
    from site_drain_figures import Figures
    from world import Node, Request

BEFORE_MS = 5000    # in which the flows before a drain are counted
NAMED_EVERY_S = 0.02
LATE_WANTED = 1000
QUICK_RATE = 200
DEFAULT_CHECK = 'type = "tcp"; interval = "1s"; timeout = "1s"; fall = 3;'  # of a service that names none
MAJORITY_ROUNDS = 3
RESUMES = 3  # of an operation whose former owner is dead: guards that lack what it knew are overridden


@contextlib.contextmanager
def world_of(wish: Wish, warm_s: float = 12, before_start: typing.Callable[[SiteDrainWorld], None] = lambda world: None) -> typing.Iterator[SiteDrainWorld]:
    """A world under its crowd."""
    with Lab("drain") as lab:
        world = SiteDrainWorld(lab, wish, before_start)
        world.begin(warm_s=warm_s)
        try:
            yield world
        finally:
            world.end()
            for node in world.nodes:
                node.kill_all()


def own_rate(world: SiteDrainWorld, site: str, end_ms: int) -> float:
    """New flows a second at a site's own backends in the last seconds before a time."""
    requests = world.requests(end_ms - BEFORE_MS, end_ms)
    return len(own_flows(requests, site)) * 1000 / BEFORE_MS


def refused(requests: typing.Iterable[Request]) -> list[Request]:
    """Requests that were not served; a client does not try again."""
    return failed(requests)


def watch_operation(world: SiteDrainWorld, operations: Operations, number: str, until: typing.Collection[str],
                    timeout_s: float) -> str:
    """Tell of an operation and its crowd every few seconds until its state is one of some; the state."""
    end, told = time.monotonic() + timeout_s, now_ms()
    while time.monotonic() < end:
        record = operations.get(number)
        if record.get("state") in until:
            say(tell(record))
            return str(record["state"])
        if now_ms() - told > 5000 and world.crowd:
            say(f"{tell(record)}; {world.crowd.line(told, now_ms() - 100)}")
            told = now_ms()
        time.sleep(0.1)  # the pace of looking
    raise LabError(f"not within {timeout_s} s {' or '.join(until)}: {tell(operations.get(number))}")


# a drain and its return

def scheduled(report: Report, figures: Figures) -> None:
    """The drain by the clock, without a backup."""
    with world_of(Wish()) as world:
        began = now_ms()
        status, answer = world.nodes[1].api("POST", "/v1/overrides", {
            "do": "drain", "target": {"site": "ams"}, "over": "40s", "until": "+1h", "now": True, "reason": "lab"})
        report.equal(status, 201, f"a scheduled drain is taken {answer if status != 201 else ''}")
        before = own_rate(world, "ams", began)
        comes_true(lambda: all(drained_ppm(n, "ams") == 1000000 for n in world.nodes), 60, 0.2)
        full = now_ms()
        time.sleep(10)  # one TTL, and what comes later still
        end = now_ms()
        world.site("ams").withdraw_vips()  # as a person would who believes the clock
        time.sleep(10)  # clients that still come find nothing
        after = world.requests(end, now_ms())
        left = len(own_flows(world.requests(end - BEFORE_MS, end), "ams")) * 1000 / BEFORE_MS
        say(f"{before:.0f}/s before; {(full - began) / 1000:.0f} s after the command, all is drained by the clock; 10 s later {left:.1f}/s come")
        report.check(left > before / 100, "the clock says drained, and clients still come", f"{left:.1f}/s")
        figures.put("scheduled_late_refused", len(refused(after)))


def drain_and_measure(world: SiteDrainWorld, report: Report, operations: Operations, timeout_s: float,
                      **body: typing.Any) -> tuple[str, int, int | None]:
    """Drain ams, given at a node of its own: (operation, when it began, after how many ms 99 % of the own flows were gone)."""
    began = now_ms()
    record = operations.begin(do="drain", sites=["ams"], **body)
    number = record["id"]
    say(tell(record))
    wait_until(lambda: operations.state(number) not in ("", "starting"), 20, "it moves", 0.1)
    name = operations.get(number).get("owner")
    report.check(name != "ams-1", "the owner is not a node of the drained site", name)
    state = watch_operation(world, operations, number, (*ENDED, *HELD), timeout_s)
    report.check(state in ("drained", "empty"), "the operation ends as drained", state)
    time.sleep(3)  # flows that would come back show themselves
    end = now_ms()
    return number, began, gone_ms(world.requests(began, end), "ams", began, end, own_rate(world, "ams", began))


def judge_requests(world: SiteDrainWorld, report: Report, figures: Figures, began: int, end: int) -> None:
    requests = world.requests(began, end)
    bad = refused(requests)
    say(f"refused: {[(r.result, r.target, r.start_ms - began) for r in bad[:5]]}")
    late = late_flows(requests, world.plan.site("ams").vips, "ams")
    report.check(len({r.source for r in late}) > 20, "late clients are of many prefixes", len({r.source for r in late}))
    figures.put("requests", len(requests))
    figures.put("refused", len(bad))
    figures.put("late_served", len(late))
    connect = percentile((r.connect_us / 1000 for r in requests if r.result == "ok"), 0.99)
    figures.put("connect_p99_ms", round(connect, 2) if connect is not None else None)


def drain(report: Report, figures: Figures) -> None:
    """With a TTL of 5 s and a backup; then its return."""
    with world_of(Wish(backup=True)) as world:
        operations = Operations(world.nodes[0])
        number, began, gone = drain_and_measure(world, report, operations, 200)
        figures.put("site_drain_s", None if gone is None else round(gone / 1000, 1))

        def enough() -> bool:
            assert world.crowd
            ams = world.plan.site("ams").vips
            requests = world.crowd.between(began, now_ms())
            return len(requests) >= 30000 and len(late_flows(requests, ams, "ams")) >= LATE_WANTED
        comes_true(enough, 90, 1)
        judge_requests(world, report, figures, began, now_ms())
        report.step(come_back, world, report, figures, operations, number)


def come_back(world: SiteDrainWorld, report: Report, figures: Figures, operations: Operations, number: str) -> None:
    began, share = now_ms(), own_rate(world, "fra", now_ms())
    operations.insist("/v1/operations", {"do": "undrain", "sites": ["ams"]})
    watch_operation(world, operations, number, ("done", "failed", *HELD), 400)
    report.equal(operations.state(number), "done", "the operation's return ends")
    figures.put("return_s", round((now_ms() - began) / 1000, 1))
    time.sleep(10)  # one TTL, and what the return may have broken
    end = now_ms()
    figures.put("return_refused", len(refused(world.requests(began, end))))
    report.check(own_rate(world, "fra", end) < share, "clients are back at the site")


def default(report: Report, figures: Figures) -> None:
    """With the default TTLs."""
    with world_of(Wish(ttl=("5s", "60s"), backup=True)) as world:
        time.sleep(30)  # clients have answers of all ages
        _, began, gone = drain_and_measure(world, report, Operations(world.nodes[0]), 400)
        figures.put("site_drain_default_s", None if gone is None else round(gone / 1000, 1))
        report.equal([(r.result, r.target) for r in refused(world.requests(began, now_ms()))[:5]], [], "no request is refused meanwhile")


# what suffers

def squeeze(report: Report, figures: Figures) -> None:
    """A receiver's capacity is cut during the drain, with guards and without."""
    figures.values["squeeze.failed_without_guard"] = None
    for guarded in (True, False):
        report.step(squeeze_once, report, figures, guarded)


SQUEEZED = "par"            # it gets the big resolver's clients of ams
BIG_GATE = (27.0, 48.0)     # in the step to AT_PPM
AT_PPM = 500000             # the level at which the capacity is cut
CUT_TO = 0.6                # of the capacity
SHARE_AT_CUT = 0.525        # of all clients, that SQUEEZED has at AT_PPM: seen. At the end it has 0.61
LOAD_TO_CAPACITY = 0.93     # of what is left: above the guard's limit, and nothing is lost yet
ARRIVED_S = 6               # after a step, with a TTL of 5 s
SQUEEZE_S = 90              # in which clients that do not get through show themselves
GUARDS_OFF = ["room", "receivers", "share"]


def cut_capacity(world: SiteDrainWorld, capacity: int) -> int:
    """To CUT_TO, in truth and in the configuration; when it was begun."""
    left, at = round(capacity * CUT_TO), now_ms()
    world.plan.site(SQUEEZED).capacity = f'new_flows = "{left}/s"; bits = "40Gbit";'
    node = world.nodes[1]
    node.write_config()
    world.squeeze(SQUEEZED, left)
    node.weir("apply", f"{node.conf}/weir.conf", "--reason", "lab", "--confirm-within", "none")
    return at


def squeeze_once(report: Report, figures: Figures, guarded: bool) -> None:
    capacity = round(RATE * SHARE_AT_CUT / LOAD_TO_CAPACITY / CUT_TO)
    wish = Wish(capacity=f'new_flows = "{capacity}/s"; bits = "40Gbit";', big_gate=BIG_GATE, big_to=SQUEEZED)
    with world_of(wish) as world:
        operations = Operations(world.nodes[1])
        body = {} if guarded else {"override_guards": GUARDS_OFF}
        number = operations.begin(do="drain", sites=["ams"], **body)["id"]
        wait_until(lambda: drained_ppm(world.nodes[1], "ams") >= AT_PPM, 90, f"level {AT_PPM}", 0.05)
        time.sleep(ARRIVED_S)  # clients have moved by then, and the step has not ended
        cut = cut_capacity(world, capacity)
        say(f"the capacity of {SQUEEZED} is {capacity * CUT_TO:.0f}/s from now on; {world.crowd_line(3000)}")
        if guarded:
            held = comes_true(lambda: operations.state(number) in HELD and now_ms(), 20, 0.02)
            say(tell(operations.get(number)))
            figures.put("squeeze.held_ms", held - cut if held else None)
            time.sleep(20)  # what a held operation leaves must not fail
        else:
            report.step(watch_operation, world, operations, number, ("late", *ENDED, *HELD), 200)
            time.sleep(SQUEEZE_S)  # clients that do not get through show themselves
        bad = refused(world.requests(cut, now_ms()))
        say(world.crowd_line(5000))
        figures.put("squeeze.failed" if guarded else "squeeze.failed_without_guard", len(bad))


HIDDEN_LOAD = 0.85   # of what is left of the backends' capacity: with checks just enough, and the next step is too much
SEES_LOSS_MS = 1000  # a client repeats a SYN after this
LOSS_PERCENT = 2     # of the new connections of LOSS_MS, from which on a receiver suffers: less is chance
LOSS_MS = 2000


def suffers_from(requests: list[Request], vips: typing.Collection[str]) -> int | None:
    """When SYNs to a site came again in such a number that it suffers."""
    own = sorted((r for r in requests if r.target in vips), key=lambda r: r.start_ms)
    first, bad = 0, 0
    for i, r in enumerate(own):
        bad += is_repeated(r)
        while own[first].start_ms < r.start_ms - LOSS_MS:
            bad -= is_repeated(own[first])
            first += 1
        if bad > 2 and bad * 100 > LOSS_PERCENT * (i + 1 - first):
            return r.start_ms + SEES_LOSS_MS
    return None


def is_repeated(r: Request) -> bool:
    return r.resent > 0 or "timeout" in r.result


def losses_by_second(requests: list[Request], vips: typing.Collection[str], since_ms: int) -> dict[int, int]:
    """{second: connections to a site whose first SYN was lost}"""
    return dict(sorted(collections.Counter((r.start_ms - since_ms) // 1000 for r in requests
                                           if r.target in vips and is_repeated(r)).items()))


def squeeze_hidden(report: Report, figures: Figures) -> None:
    """A receiver's backends take 60 % of what they did, and no configuration says so: what they lose must hold the drain."""
    wish = Wish(big_gate=BIG_GATE, big_to=SQUEEZED)
    left = RATE * SHARE_AT_CUT / HIDDEN_LOAD
    with world_of(wish) as world:
        operations = Operations(world.nodes[1])
        number = operations.begin(do="drain", sites=["ams"])["id"]
        wait_until(lambda: drained_ppm(world.nodes[1], "ams") >= AT_PPM, 90, f"level {AT_PPM}", 0.05)
        time.sleep(ARRIVED_S)  # clients have moved by then, and the step has not ended
        cut = now_ms()
        world.squeeze_backends(SQUEEZED, left)
        say(f"the backends of {SQUEEZED} take {left:.0f}/s from now on, as if cut from {left / CUT_TO:.0f}/s; {world.crowd_line(3000)}")
        held = comes_true(lambda: operations.state(number) in (*HELD, *ENDED, "late") and now_ms(), 90, 0.02)
        record = operations.get(number)
        say(tell(record))
        report.equal((record.get("hold") or {}).get("code"), "receivers", "the receivers' suffering holds it")
        time.sleep(20)  # what a held operation leaves
        requests = world.requests(cut, now_ms())
        vips = world.plan.site(SQUEEZED).vips
        suffers = suffers_from(requests, vips)
        say(f"held after {held - cut} ms; SYNs lost by second: {losses_by_second(requests, vips, cut)}")
        bad = refused(requests)
        say(f"{len([r for r in requests if is_repeated(r)])} SYNs were repeated, {sum(r.start_ms < held for r in bad)} connections "
            f"failed before the hold, {sum(r.start_ms >= held for r in bad)} in the 20 s after it; {world.crowd_line(5000)}")
        figures.put("squeeze_hidden.held_ms", max(0, held - suffers) if held and suffers else None)
        figures.put("squeeze_hidden.failed", len(bad))


# the owner

def steps_again(world: SiteDrainWorld, site: str) -> int:
    """How many steps nodes went back, or made twice: levels only rise during a drain."""
    assert world.levels
    again = 0
    for node in world.nodes:
        levels = [ppm for _, ppm in world.levels.changes(site, node.name)]
        again += sum(b <= a for a, b in zip(levels, levels[1:]))
    return again


def repeated(record: dict[str, typing.Any]) -> int:
    """Steps that a record's history has twice."""
    levels = [s["level_ppm"] for s in record.get("steps", []) if s.get("level_ppm") is not None]
    return len(levels) - len(set(levels))


def node_named(world: SiteDrainWorld, name: str) -> Node:
    return next(n for n in world.nodes if n.name == name)


def owner(report: Report, figures: Figures) -> None:
    """The owner is killed during a drain, and another node goes on by itself."""
    with world_of(Wish(backup=True)) as world:
        number = Operations(world.nodes[0]).begin(do="drain", sites=["ams"])["id"]
        first = Operations(world.nodes[0])
        wait_until(lambda: drained_ppm(world.nodes[0], "ams") >= 250000, 90, "level 250000", 0.05)
        name = first.get(number)["owner"]
        say(f"{name}, the owner, is killed: all its processes")
        killed, rest = now_ms(), [n for n in world.nodes if n.name != name]
        node_named(world, name).kill_all()
        owned = comes_true(lambda: first.get(number)["owner"] != name and now_ms(), 40, 0.05)
        figures.put("owner_kill.owned_ms", owned - killed if owned else None)
        assert world.levels
        until = owned or now_ms()  # a step that was announced comes into force all the same
        meanwhile = sum(len(world.levels.changes("ams", n.name, min(killed + 4000, until - 2000), until)) - 1 for n in rest)
        figures.put("owner_kill.level_changes_meanwhile", meanwhile)
        other = Operations(next(n for n in rest if n is not world.nodes[0]))
        say(tell(other.get(number)))
        comes_true(lambda: (other.get(number).get("hold") or {}).get("code") != "taken", 40)  # it reads all levels, and goes on
        state = watch_operation(world, other, number, (*ENDED, *HELD), 200)
        for _ in range(RESUMES):
            if state not in HELD:
                break
            say(tell(other.get(number)))  # of the dead node's site no load is known
            other.insist(f"/v1/operations/{number}/resume", {"without": [name]})
            state = watch_operation(world, other, number, (*ENDED, *HELD), 200)
        figures.put("owner_kill.steps_twice", steps_again(world, "ams") + repeated(other.get(number)))
        figures.put("owner_kill.finished", state in ("drained", "empty"))


def cut(report: Report, figures: Figures) -> None:
    """A node that receives, then the owner, is cut off from the others' management."""
    with world_of(Wish(backup=True)) as world:
        assert world.levels
        operations = Operations(world.nodes[0])
        number = operations.begin(do="drain", sites=["ams"])["id"]
        began = now_ms()
        wait_until(lambda: drained_ppm(world.nodes[0], "ams") >= 100000, 90, "level 100000", 0.05)
        owner_name = operations.get(number)["owner"]
        away = next(n for n in world.nodes if n.name not in (owner_name, "ams-1"))
        spreads, moved, held = [], [], []
        for name in (away.name, owner_name):
            say(f"{name} is cut off")
            world.part(name.split("-")[0])
            own = Operations(node_named(world, owner_name))
            held.append(bool(comes_true(lambda: own.state(number) in HELD, 15, 0.1)))
            say(tell(own.get(number)))
            still = now_ms()
            time.sleep(8)  # levels are looked at for this long
            moved.append(sum(len(world.levels.changes("ams", n.name, still)) - 1 for n in world.nodes if n.name == name))
            near = {n.name for n in world.nodes if n.name != name}
            spreads.append(world.levels.spread("ams", near, began, now_ms()))
            world.part(name.split("-")[0], "del")
            if name == away.name:
                wait_until(lambda: all(drained_ppm(n, "ams") == drained_ppm(world.nodes[0], "ams") for n in world.nodes), 30, "equal levels", 0.2)
                time.sleep(3)  # peers are heard again
                own.insist(f"/v1/operations/{number}/resume", {})
                level = drained_ppm(world.nodes[0], "ams")
                wait_until(lambda: drained_ppm(world.nodes[0], "ams") > level, 60, "a further step", 0.05)
        figures.put("cut.level_spread_ppm", max(spreads))
        figures.put("cut.changes_of_the_cut_node", sum(moved))
        figures.put("cut.held", all(held))
        report.check(operations.state(number) in HELD or operations.state(number) in MOVING, "healed, all know the operation")


# deaths

class Named(threading.Thread):
    """When a name server named a site to a client of it for the last time, and when it last named another one."""

    def __init__(self, world: SiteDrainWorld, server: str, site: str) -> None:
        super().__init__(daemon=True)
        self.world, self.server, self.site = world, server, site
        self.address = next(a for a in (resolver_address(k, False) for k in range(300)) if world.ask(server, a) == site)
        self.last_ms, self.other_ms, self.ending = 0, 0, threading.Event()
        self.start()

    def run(self) -> None:
        while not self.ending.wait(NAMED_EVERY_S):
            try:
                named = self.world.ask(self.server, self.address)
            except OSError:
                continue
            if named == self.site:
                self.last_ms = now_ms()
            elif named in self.world.site_of.values():
                self.other_ms = now_ms()

    def stop(self) -> int:
        self.ending.set()
        self.join()
        return self.last_ms


def kill_b(world: SiteDrainWorld, report: Report, figures: Figures) -> None:
    """ams is drained; it is powered off, then fra dies: par's name server leaves fra out."""
    world.power_off("ams")
    say("ams is off")
    time.sleep(4)  # its views are old, and it is not missed
    named = Named(world, world.plan.site("par").dns4, "fra")
    time.sleep(1)  # fra is named until it dies
    died = now_ms()
    report.check(named.last_ms > died - 500, "fra is in the answers until it dies")
    world.site("fra").cut()
    time.sleep(8)  # an answer that names it all the same shows itself
    last = named.stop()
    report.check(named.other_ms > now_ms() - 3000, "par's name server has answered until the end, with another site")
    out = max(0, last - died)
    figures.put("double.b_out_ms", out if last < now_ms() - 3000 else None)


def double(report: Report, figures: Figures) -> None:
    """A drained site is powered off, then another one dies."""
    with world_of(Wish(ttl=("1s", "1s"))) as world:
        operations = Operations(world.nodes[1])
        number = operations.begin(do="drain", sites=["ams"], now=True)["id"]
        watch_operation(world, operations, number, ("late", *ENDED, *HELD), 120)  # nobody serves the late ones
        kill_b(world, report, figures)


class Answers(threading.Thread):
    """What a name server answers to all resolvers, of both families, without a pause."""

    def __init__(self, world: SiteDrainWorld, server: str) -> None:
        super().__init__(daemon=True)
        self.world, self.server, self.ending = world, server, threading.Event()
        self.seen: list[tuple[int, str]] = []  # (when it was asked, the site)
        self.unanswered = 0
        self.start()

    def run(self) -> None:
        for k in itertools.cycle(range(2 * KEYS)):
            if self.ending.is_set():
                return
            at, named = now_ms(), "?"
            with contextlib.suppress(OSError):
                named = self.world.ask(self.server, resolver_address(k // 2, k % 2 == 1))
            if named == "?":
                self.unanswered += 1
            else:
                self.seen.append((at, named))

    def stop(self) -> None:
        self.ending.set()
        self.join()

    def last(self, site: str) -> int:
        """When it answered with @site for the last time."""
        return max((at for at, to in self.seen if to == site), default=0)


def majority(report: Report, figures: Figures) -> None:
    """The site that has two of the store's three members is killed: the others leave it out of their answers, without a store."""
    outs, unanswered, failures = [], 0, 0
    for _ in range(MAJORITY_ROUNDS):
        with world_of(Wish(vip_check=DEFAULT_CHECK), before_start=lambda world: world.place_members("ams", "ams", "fra")) as world:
            rest = [s for s in world.sites if s.name != "ams"]
            answers = [Answers(world, s.plan.dns4) for s in rest]
            time.sleep(3)  # ams is named until it dies
            died = now_ms()
            report.check(all(a.last("ams") > died - 500 for a in answers), "ams is in all answers until it dies")
            world.kill_site("ams")
            time.sleep(12)  # an answer that names it all the same shows itself
            for a in answers:
                a.stop()
            report.check(all(a.seen[-1][0] > now_ms() - 3000 for a in answers), "the others have answered until the end")
            report.equal([s.name for s in rest if "store-cut-off" not in {r["code"] for r in s.node.api("GET", "/v1/status")[1]["reasons"]}], [],
                         "the store has no quorum, and the nodes say so")
            out = max(a.last("ams") for a in answers) - died
            vips = {v for s in rest for v in s.plan.vips}
            lost = [r for r in refused(world.requests(died, now_ms() - 4000)) if r.target in vips]
            say(f"{out} ms; of {sum(len(a.seen) for a in answers)} queries {sum(a.unanswered for a in answers)} without an answer; "
                f"{len(lost)} requests to the other sites failed")
            outs.append(out)
            unanswered += sum(a.unanswered for a in answers)
            failures += len(lost)
    figures.put("majority.out_ms", max(outs))
    figures.put("majority.rounds", len(outs))
    figures.put("majority.unanswered", unanswered)
    figures.put("majority.failed_elsewhere", failures)


def quick(report: Report, figures: Figures) -> None:
    """A drain in one step whose late clients the backup serves, then the double death."""
    with world_of(Wish(ttl=("1s", "1s"), backup=True, rate=QUICK_RATE, sources=2000), 6) as world:
        operations = Operations(world.nodes[0])
        _, began, gone = drain_and_measure(world, report, operations, 60, now=True)
        report.check(gone is not None, "99 % of the new flows at own backends are gone", gone)
        requests = world.requests(began, now_ms())
        report.equal([(r.result, r.target) for r in refused(requests)[:5]], [], "no request is refused")
        late = late_flows(requests, world.plan.site("ams").vips, "ams")
        report.check(len(late) > 10, "late clients are served by the backup", len(late))
        kill_b(world, report, figures)


# backups

def backup(report: Report, figures: Figures) -> None:
    """All own backends of a site die at once."""
    with world_of(Wish(backup=True)) as world:
        site = world.site("ams")
        health = site.node
        killed = now_ms()
        for b in site.backends:
            b.kill()
        names = {b.name for b in site.backends}

        def all_down() -> int:
            rows = [r for r in health.ctl("health", {"do": "list"})["targets"] if r.get("backend") in names]
            return now_ms() if rows and all(r["state"] == "down" for r in rows) else 0
        verdict = wait_until(all_down, 10, "both are down", 0.005)
        say(f"the last verdict came {verdict - killed} ms after the death")
        time.sleep(10)  # what is served meanwhile
        requests = world.requests(killed, now_ms())
        to_ams = [r for r in requests if r.target in world.plan.site("ams").vips]
        bad = refused(to_ams)
        figures.put("backup.ms_to_backup", max(0, max((r.start_ms for r in bad), default=verdict) - verdict))
        figures.put("backup.failed_after", sum(r.start_ms > verdict + 200 for r in bad))
        report.check(len(late_flows(to_ams, world.plan.site("ams").vips, "ams")) > 100, "the backup serves its clients")


def mutual(report: Report, figures: Figures) -> None:
    """Two sites that back each other up are drained both."""
    with world_of(Wish(backup=True)) as world:
        captures = {s.name: world.start_capture(s.node_port) for s in world.sites}
        operations = Operations(world.nodes[2])
        record, _ = operations.insist("/v1/operations", {"do": "drain", "sites": ["ams", "fra"], "now": True})
        began = now_ms()
        watch_operation(world, operations, record["id"], (*ENDED, *HELD), 120)
        time.sleep(20)  # late clients come all this time
        ways: dict[tuple[str, int, str], set[str]] = {}
        for name, capture in captures.items():
            for at, way, _, source, port, vip in capture.flows():
                if way == "in" and at > began:  # out of the node, into the router
                    ways.setdefault((source, port, vip), set()).add(name)
        report.check(len(ways) > 1000, "flows were captured", len(ways))
        figures.put("mutual_loops", sum(len(nodes) > 1 for nodes in ways.values()))
        bad = refused(world.requests(began, now_ms()))
        report.equal([(r.result, r.target) for r in bad[:5]], [], "all late clients are served")


def faults(report: Report, _: Figures) -> None:
    """Bad input and faults during an operation."""
    play_faults(report, CASES)


def play_faults(report: Report, cases: typing.Iterable[Case]) -> None:
    with Lab("drain") as lab:
        world = SiteDrainWorld(lab, FAULTS_WISH, small_disks)
        world.begin(warm_s=MEASURED_S)
        try:
            for case in cases:
                say(f"{case.__name__}: {case.__doc__}")
                report.step(case, world, report)
                report.step(give_all_back, world)
        finally:
            world.end()
            for node in world.nodes:
                node.kill_all()
            large_disks(world)


def one_fault(name: str) -> typing.Callable[[Report, Figures], None]:
    """The scene `faults` with one of its cases."""
    cases = [c for c in CASES if c.__name__ == name]

    def fault(report: Report, _: Figures) -> None:
        """One case of the faults."""
        play_faults(report, cases)
    return fault


SCENES: dict[str, typing.Callable[[Report, Figures], None]] = {
    f.__name__: f for f in (scheduled, drain, default, squeeze, squeeze_hidden, owner, cut, double, majority, backup, mutual, faults)}
QUICK = (quick,)
assert RATE > QUICK_RATE
