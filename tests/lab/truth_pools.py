# SPDX-License-Identifier: BSD-2-Clause
"""Situations of pools: backends that die, drains, ways to backends, checks that know nothing."""
from __future__ import annotations

import os
import re
import signal
import time
import typing

from net import comes_true, wait_until
from truth import Situation, fault
from truth_ports import BOTH

if typing.TYPE_CHECKING:
    from truth import Bed

DOWN_S = 20


def is_seen(bed: Bed, names: list[typing.Any], state: str) -> dict[str, typing.Any] | bool:
    rows = bed.rows()
    return rows and all(rows[n]["state"] == state for n in names)


def backends_die(*which: int) -> typing.Callable[..., None]:
    def enter(bed: Bed) -> None:
        backends = [bed.site.backends[i] for i in which]
        for b in backends:
            b.kill()
        wait_until(lambda: is_seen(bed, [b.name for b in backends], "down"), DOWN_S, "a verdict")
    return enter


def backends_return(*which: int) -> typing.Callable[..., None]:
    def leave(bed: Bed) -> None:
        for i in which:
            bed.site.backends[i].start()
    return leave


def override(what: str, *which: int, undo: str) -> tuple[typing.Callable[..., None], typing.Callable[..., None]]:
    """An override of backends; the evidence is that it is in force (it is announced 2 s ahead)."""
    def enter(bed: Bed) -> None:
        for i in which:
            bed.must(what, "backend", f"{bed.site_plan.pool}/{bed.site.backends[i].name}", "--until", "never", "--reason", "lab",
                     "--override", "last-backend")
        time.sleep(2.5)  # an override is announced 2 s ahead

    def leave(bed: Bed) -> None:
        for i in which:
            bed.weir(undo, "backend", f"{bed.site_plan.pool}/{bed.site.backends[i].name}", "--reason", "lab")
    return enter, leave


def routes(kind: str, *which: int) -> tuple[typing.Callable[..., float], typing.Callable[..., None]]:
    def change(bed: Bed, do: typing.Any) -> None:
        for i in which:
            address = bed.site_plan.backends[i].address
            six = ":" in address
            bed.host.ip(f"{'-6 ' if six else ''}route {do} {kind} {address}/{128 if six else 32}")

    def enter(bed: Bed) -> float:
        change(bed, "add")
        return time.monotonic() + 1  # positively unusable for 1 s

    return enter, lambda bed: change(bed, "del")


def switch_dies(bed: Bed) -> None:
    """The port has carrier, and nothing beyond it answers: no check can tell."""
    bed.router.link_down(bed.site.switch)
    wait_until(lambda: bed.rows() and all(r["inconclusive"] for r in bed.rows().values()), DOWN_S, "inconclusive checks")


def switch_lives(bed: Bed) -> None:
    p, router = bed.site_plan, bed.router
    router.link_up(bed.site.switch)
    router.run(["ip", "-6", "addr", "replace", f"{p.gateway6}/64", "dev", bed.site.switch, "nodad"])
    for prefix, via in ((f"{p.vip4}/32", p.node4), (f"{p.dns4}/32", p.node4), (f"{p.vip6}/128", p.node6), (f"{p.dns6}/128", p.node6)):
        router.run(["ip", "-6" if ":" in via else "-4", "route", "replace", prefix, "via", via])


def one_is_drained(bed: Bed) -> None:
    """A drain that goes as intended is no trouble: the node is well, and why says what is in force."""
    enter, leave = override("drain", 0, undo="undrain")
    enter(bed)
    bed.expect("one backend is drained", "well", None)
    bed.report.check({state for state, _ in effects(bed)} & {"draining", "out"}, "and it is in force", effects(bed))
    leave(bed)
    bed.wait_until_well()


def hangs_unheard(bed: Bed) -> float:
    """A backend is silent, and so is the only control: nobody knows whether it lives, and it keeps its traffic."""
    bed.router.sysctl({"net.ipv4.icmp_echo_ignore_all": 1})
    bed.site.backends[1].nginx.signal(signal.SIGSTOP)
    name = bed.site.backends[1].name
    wait_until(lambda: bed.rows().get(name, {}).get("inconclusive"), DOWN_S, "a result without a vote", 0.05)
    return time.monotonic() + 1


def is_heard_again(bed: Bed) -> None:
    bed.site.backends[1].nginx.signal(signal.SIGCONT)
    bed.router.sysctl({"net.ipv4.icmp_echo_ignore_all": 0})


def no_verdicts_are_left(bed: Bed) -> None:
    """weir-health ends and starts again: that it is away is seen, and that it is back."""
    bed.node.kill("health")
    bed.expect("weir-health is away", "degraded", "process-silent", "weir-health")
    bed.node.start("health")
    bed.wait_until_well()


def effects(bed: Bed) -> set[tuple[str, str]]:
    return {(b["effect"]["state"], b["effect"].get("why")) for b in bed.status().body["pools"][0]["backends"]}


def all_drained_say_why(bed: Bed) -> None:
    """All drained: they serve all the same, and each place says why."""
    enter, leave = override("drain", 0, 1, 2, undo="undrain")
    try:
        enter(bed)
        bed.expect("all backends are drained", "degraded", "pool-all-drained", bed.site_plan.pool)
        wanted = {("serving", "all backends of the pool are drained")}
        # the pool's reason is of what people ask, and is there before the last slots are
        comes_true(lambda: effects(bed) == wanted, 2, 0.1)
        bed.report.equal(effects(bed), wanted, "each backend says why it serves")
    finally:
        leave(bed)
    bed.wait_until_well()


def out_has_no_share(bed: Bed) -> None:
    """A backend without a way to it: no share, and why says so."""
    enter, leave = routes("unreachable", 0)
    try:
        since = enter(bed)
        bed.expect("a backend's route is unreachable", "degraded", "", bed.site.backends[0].name, since)
        backend = bed.status().body["pools"][0]["backends"][0]
        bed.report.equal((backend["effect"]["state"], backend["effect"]["share_ppm"]), ("out", 0), "it is out, with no share")
    finally:
        leave(bed)
    bed.wait_until_well()


def shares_of(bed: Bed) -> list[int]:
    return [b["effect"]["share_ppm"] for b in bed.node.api("GET", "/v1/status")[1]["pools"][0]["backends"]]


def applied_is_in_force(bed: Bed) -> None:
    """`weir apply` and a look at once, again and again: the shares are those of the change, and stay so."""
    path = os.path.join(bed.node.conf, "weir.conf")
    with open(path) as f:
        base = f.read()
    old = []
    for weight in (300, 50, 400, 100):
        with open(path, "w") as f:
            f.write(re.sub(r'(name = "ams-b1"; address = "[^"]+"; weight = )\d+', rf"\g<1>{weight}", base))
        bed.must("apply", "--reason", "lab", "--confirm-within", "none")
        at_once = shares_of(bed)
        time.sleep(2.5)  # after which the shares of a change are in the tables for sure
        later = shares_of(bed)
        due = 1e6 * weight / (weight + 200)
        if at_once != later or abs(later[0] - due) > 2e4:
            old.append((weight, at_once, later))
    bed.note("apply, and a look at once: the new shares", not old, str(old), 0)


BLACKHOLE = routes("blackhole", 2)
ALL_WAYS = routes("unreachable", 0, 1, 2)
DISABLED = override("disable", 0, 1, 2, undo="enable")

SITUATIONS = [
    Situation("apply, and a look at once", applied_is_in_force, drivers=BOTH),
    fault("a backend dies", backends_die(0), backends_return(0), "degraded", "backend-down", "ams-b1", quick=True),
    fault("two of three backends die", backends_die(0, 1), backends_return(0, 1), "degraded", "backend-down", "ams-b2"),
    fault("all backends die", backends_die(0, 1, 2), backends_return(0, 1, 2), "down", "pool-all-down", "web-ams", quick=True),
    Situation("one backend is drained", one_is_drained),
    Situation("all backends are drained", all_drained_say_why),
    fault("all backends are disabled", *DISABLED, "down", "pool-forwards-nothing", "web-ams"),
    Situation("a backend's route is unreachable", out_has_no_share),
    fault("a backend's route is a blackhole", *BLACKHOLE, "degraded", "", "ams-b3"),
    fault("no backend has a way to it", *ALL_WAYS, ("down", "degraded"), "", "ams"),
    fault("the switch is dead behind a port with carrier", switch_dies, switch_lives, ("degraded", "down"), "checks-inconclusive",
          "web-ams"),
    fault("a backend hangs while no control answers", hangs_unheard, is_heard_again, "degraded", "check-inconclusive", "ams-b2"),
    Situation("weir-health is away and comes back", no_verdicts_are_left),
]
