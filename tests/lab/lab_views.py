# SPDX-License-Identifier: BSD-2-Clause
"""Three sites vote: one that cannot see another removes nothing, two do; and what happens when views are missing.

Then what hangs on it: a drain returns only to a site that is up as seen from outside; and clocks that hold ramps.
"""
from __future__ import annotations

import os
import sys
import time
import typing

import plan as planning
from lab_intent import named_sites, text_of, weir, weir_json
from net import Lab, executable, say, wait_until
from report import Report
from world import World

if typing.TYPE_CHECKING:
    from world import Node

ALL = {"ams", "fra", "par"}
SECONDS = 60  # generous: a check takes one to detect, views are exchanged once a second


def blind(world: World, viewer: str, seen: str, do: str = "add") -> None:
    """A filter: what @viewer's node sends to @seen's VIPs is lost; management between them works."""
    site, plan = world.site(viewer), world.plan.site(seen)
    world.router.ip(f"rule {do} iif {site.switch} to {plan.vip4} blackhole pref 7",
                    f"-6 rule {do} iif {site.switch} to {plan.vip6} blackhole pref 7")


def seen_by(node: Node, site: str) -> tuple[tuple[typing.Any, typing.Any], dict[typing.Any, typing.Any]]:
    """What a node's DNS takes a site for in both families, and who sees it how: ((IPv4, IPv6), {node: view})."""
    services = weir_json(node, "status").get("services") or [{"at": []}]
    at: dict[str, typing.Any] = next((a for a in services[0]["at"] if a["site"] == site), {"effect": {}})
    effect = at["effect"]
    return (effect.get("ipv4"), effect.get("ipv6")), {v["node"]: v for v in effect.get("views", [])}


def explain(node: Node, world: World) -> str:
    return node.weir("dns", "explain", world.plan.name, "A", "--client", "100.64.9.1", check=False)


def wait_for(world: World, report: Report, named: set[str], what: str, nodes: set[str] | None = None,
             seconds: float = SECONDS) -> None:
    asked = [site for site in world.plan.sites if nodes is None or site.name in nodes]
    report.wait(lambda: all(named_sites(world, site) == named for site in asked), seconds, what, 0.1)


def never(world: World, report: Report, site: str, what: str, seconds: float = 4) -> None:
    """No server leaves @site out meanwhile."""
    end, missed = time.monotonic() + seconds, []
    while time.monotonic() < end:
        missed += [s.node for s in world.plan.sites if site not in named_sites(world, s)]
        time.sleep(0.2)  # looked at for so many seconds
    report.equal(missed, [], what)


def one_is_blind(world: World, report: Report) -> None:
    ams, fra, _ = world.nodes
    say("ams cannot reach the VIPs of par; all else works")
    blind(world, "ams", "par")
    wait_until(lambda: seen_by(fra, "par")[1].get("ams-1", {}).get("ipv4") == "down", 15, "fra hears of ams' view", 0.2)
    never(world, report, "par", "one of three sites that sees par down removes nothing")
    for node in (ams, fra):
        states, views = seen_by(node, "par")
        report.equal(states, ("up", "up"), f"{node.name} takes par for up")
        report.equal({n: (v["ipv4"], v["fresh"]) for n, v in views.items()},
                     {"ams-1": ("down", True), "fra-1": ("up", True), "par-1": ("up", True)},
                     f"{node.name} shows the three views")
    text = explain(ams, world)
    report.check("ams-1 at ams sees it down (timeout)" in text and "1 of 3 voting sites say down, 0 are lost: up" in text,
                 "explain tells who sees par how")
    report.check("seen by      par-1 at par: IPv4 up" in ams.weir("why", "service", "web", check=False), "so does why")


def two_are_blind(world: World, report: Report) -> None:
    say("fra cannot reach them either, then both again")
    blind(world, "fra", "par")
    wait_for(world, report, ALL - {"par"}, "two of three sites that see par down remove it everywhere")
    report.wait(lambda: "2 of 3 voting sites say down, 0 are lost: down" in explain(world.nodes[2], world), 10, "par itself explains why", 0.2)
    blind(world, "fra", "par", "del")
    wait_for(world, report, ALL, "with one of them healed par is back")
    blind(world, "ams", "par", "del")


def site_is_cut(world: World, report: Report) -> None:
    say("par is cut off: it has no vote any more, and its own server keeps what it had")
    world.site("par").cut()
    others = {"ams", "fra"}
    wait_for(world, report, others, "the two that are left remove it", nodes=others)
    wait_until(lambda: not seen_by(world.nodes[0], "par")[1]["par-1"]["fresh"], 15, "its view is not fresh", 0.2)
    report.wait(lambda: "2 of 3 voting sites say down, 1 is lost: down" in explain(world.nodes[0], world), 5,
                "the cut site is counted, and its view is lost")
    states, _ = seen_by(world.nodes[2], "par")
    report.equal(states, ("up", "up"), "par's own server keeps its own site")
    world.site("par").heal()
    wait_for(world, report, ALL, "healed, it is back", seconds=20)


def management_is_dead(world: World, report: Report) -> None:
    ams = world.nodes[0]
    say("weir-mgmt of ams is dead: its views age, and nothing changes by that")
    ams.kill("mgmt")
    never(world, report, "par", "no site leaves the answers while views age", 7)
    report.check("fra-1 at fra sees it up (ok), not fresh" in explain(ams, world), "explain says that they are not fresh")
    blind(world, "ams", "par")
    wait_until(lambda: "ams-1 at ams sees it down" in explain(ams, world), 15, "ams sees par down", 0.2)
    never(world, report, "par", "the own view alone removes nothing")
    report.wait(lambda: "1 of 3 voting sites say down, 2 are lost (so the last state stays): up" in explain(ams, world), 10,
                "explain says that it is held", 0.5)
    report.check(weir(ams, "disable", "site", "par", "--until", "+1h", "--reason", "lab", "--offline")[0] == 0,
                 "a person decides, with management dead")
    wait_for(world, report, ALL - {"par"}, "and the site leaves the answers", nodes={"ams"})
    ams.start("mgmt")
    wait_until(lambda: weir(ams, "enable", "site", "par")[0] == 0, 20, "management is back", 0.5)
    wait_for(world, report, ALL, "the site is enabled again")
    blind(world, "ams", "par", "del")
    wait_until(lambda: "0 are lost: up" in explain(ams, world), 20, "with management back the others are heard", 0.2)


def drained(node: Node, site: str) -> typing.Any:
    """How much of a site a node's DNS has drained, in ppm."""
    sites = node.ctl("dns", {"do": "status"})["names"][0]["sites"]
    return next(s["drained_ppm"] for s in sites if s["site"] == site)


def state_of_drain(node: Node, site: str) -> typing.Any:
    return next((o["state"] for o in weir_json(node, "overrides")["items"] if o["target"].get("site") == site), "done")


def expired(world: World, report: Report) -> None:
    ams, fra, _ = world.nodes
    say("par is drained for some seconds, and cut off when they are over")
    report.equal(weir(ams, "drain", "site", "par", "--scheduled", "--over", "4s", "--until", "+12s", "--now", "--reason", "lab", "--all")[0],
                 0, "the drain is taken everywhere")
    wait_until(lambda: drained(ams, "par") == drained(fra, "par") == 1000000, SECONDS, "par is drained", 0.1)
    world.site("par").cut()
    wait_until(lambda: state_of_drain(ams, "par") == "expired_held", 15, "the drain is expired, held", 0.2)
    time.sleep(3)  # it must be held for this long
    for node in (ams, fra):
        report.equal((state_of_drain(node, "par"), drained(node, "par")), ("expired_held", 1000000),
                     f"past its return {node.name} holds it, by its own view")
    report.check("expired and is held" in ams.weir("status", check=False), "status says why")
    report.check("expired, held: the site is not up as seen from outside" in explain(ams, world), "so does explain")
    report.equal(ams.stats("dns")[("weir_dns_ramps_held", 'by="site"')], 1, "so does a metric")
    ams.kill("dns", "mgmt")
    ams.start("mgmt", "dns")
    wait_until(lambda: weir(ams, "overrides")[0] == 0, 20, "management is back", 0.2)
    wait_until(ams.serves, 20, "weir-dns is back", 0.1)
    report.equal((state_of_drain(ams, "par"), drained(ams, "par")), ("expired_held", 1000000), "over restarts too")
    world.site("par").heal()
    levels = {ams: [1000000], fra: [1000000]}
    end = time.monotonic() + 30
    while time.monotonic() < end and any(found[-1] for found in levels.values()):
        for node, found in levels.items():
            found.append(drained(node, "par"))
        time.sleep(0.05)  # each level on the way is noted
    for node, found in levels.items():
        report.check(found[-1] == 0 and found == sorted(found, reverse=True) and
                     len({level for level in found if 0 < level < 1000000}) >= 3,  # a busy machine has few looks
                     f"{node.name}: once it is up it returns by its ramp", f"{len(set(found))} levels")
    wait_until(lambda: state_of_drain(ams, "par") == "done", SECONDS, "the drain is done", 0.2)
    wait_for(world, report, ALL, "par is in the answers again", seconds=20)


def clock(world: World, report: Report) -> None:
    """The kernel's word about ams' clock is ours, so that both are seen on any machine."""
    ams = world.nodes[0]
    said = os.path.join(world.lab.dir, "clock")
    write_text(said, "0 0")
    ams.kill("dns", "mgmt")
    ams.start("mgmt", "dns", env={"LD_PRELOAD": executable("libstepped-clock.so"), "STEPPED_CLOCK": said})
    wait_until(lambda: weir(ams, "overrides")[0] == 0, 20, "management is back", 0.2)
    write_text(os.path.join(ams.conf, "weir.conf"), text_of(ams).replace('clock = "trusted"', 'clock = "synchronised"', 1))
    report.equal(weir(ams, "apply", "--reason", "clock", "--all")[0], 0, "ams trusts its clock only if it is synchronised")
    for synchronised in (False, True):
        say(f"the clock of ams is {'' if synchronised else 'not '}synchronised")
        write_text(said, f"0 {int(synchronised)}")
        ramp_by_the_clock(world, report, synchronised)


def write_text(path: str, text: str) -> None:
    with open(path, "w") as f:
        f.write(text)


def ramp_by_the_clock(world: World, report: Report, synchronised: bool) -> None:
    ams, fra, _ = world.nodes
    report.wait(lambda: ams.ctl("dns", {"do": "status"})["clock"] == ("good" if synchronised else "unsynchronised"), SECONDS,
                "weir-dns knows", 0.1)
    weir(ams, "drain", "site", "par", "--scheduled", "--over", "5s", "--until", "+1h", "--now", "--reason", "lab", "--all")
    report.wait(lambda: drained(fra, "par") == 1000000, SECONDS, "fra, whose clock is trusted, follows the ramp", 0.1)
    time.sleep(1)  # it would go on meanwhile
    level, drain_state = drained(ams, "par"), state_of_drain(ams, "par")
    if synchronised:
        report.equal((level, drain_state), (1000000, "drained"), "ams follows the ramp")
    else:  # where it was when weir-dns first saw it, some milliseconds into its ramp
        report.check(level < 500000 and drain_state == "held", "ams holds the ramp where it is", f"{level} {drain_state}")
    time.sleep(1)  # the level must stay for this long
    report.equal(drained(ams, "par"), level, "and there it stays")
    report.equal("no time server" in ams.weir("status", check=False), not synchronised, "status says so")
    report.equal(ams.stats("dns")[("weir_dns_clock_unsynchronised", "")], int(not synchronised), "and a metric")
    weir(ams, "undrain", "site", "par", "--scheduled", "--now", "--all")
    weir(ams, "drain", "site", "par", "--scheduled", "--until", "+1h", "--now", "--reason", "lab", "--all")
    report.wait(lambda: drained(ams, "par") == 1000000, SECONDS, "a drain without a ramp is not held by the clock", 0.1)
    weir(ams, "undrain", "site", "par", "--scheduled", "--now", "--all")
    report.wait(lambda: drained(ams, "par") == 0, SECONDS, "nor is its end", 0.1)


def run(report: Report) -> None:
    with Lab("views") as lab:
        world = World(lab, planning.simple(3, 1), resolvers=())
        for site in world.sites:
            site.node.write_config()
            site.start_backends()
            site.node.start()
        for node in world.nodes:
            node.wait_until_well()
        wait_for(world, report, ALL, "all sites are named", seconds=30)
        for step in (one_is_blind, two_are_blind, site_is_cut, management_is_dead, expired, clock):
            report.step(step, world, report)
        for node in world.nodes:
            node.kill_all()


if __name__ == "__main__":
    sys.exit(Report.main(run))
