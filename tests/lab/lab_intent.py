# SPDX-License-Identifier: BSD-2-Clause
"""Intent holds: drains over configurations, rollbacks, restarts, a cut, a lost or full store, and without management.

Two sites under `weir run`, each with its own weir-mgmt; all is asked through the command line.
"""
from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import typing

import plan as planning
from net import Lab, call, executable, say, wait_until
from report import Report
from world import World

if typing.TYPE_CHECKING:
    from world import Node

SUBNETS = 48
AGREE_S = 10  # from the healing of a cut


def weir(node: Node, *arguments: str, timeout: int = 90) -> tuple[int, str, str]:
    """The command line on a node: (exit status, output, errors)."""
    done = subprocess.run([*node.host.enter, executable("weir"), *node.options, *arguments], capture_output=True,
                          text=True, timeout=timeout, check=False)
    return done.returncode, done.stdout, done.stderr


def weir_json(node: Node, *arguments: str) -> typing.Any:
    status, out, errors = weir(node, *arguments, "--json")
    return json.loads(out) if out else {"exit": status, "errors": errors}


def site_of(node: Node, name: str) -> typing.Any:
    """A site as a node's status has it."""
    found = weir_json(node, "status").get("sites", [])
    return next((s for s in found if s["name"] == name), {"intent": {}, "effect": {}})


def is_drained(node: Node, name: str) -> typing.Any:
    site = site_of(node, name)
    return site["intent"].get("state") == "drain" and site["effect"].get("level_ppm") == 1000000


def named_sites(world: World, server: planning.SitePlan) -> set[str]:
    """The sites that a server's answers name, over many client prefixes of both families."""
    found = set()
    questions = []
    for i in range(SUBNETS):
        questions += ["-q", world.plan.name, "-t", ("A", "AAAA")[i % 2], f"+subnet=100.64.{i}.0/24"]
    answer = world.client.run(["kdig", f"@{server.dns4}", "+short", "+timeout=2", "+retry=1", *questions], timeout=60)
    for line in answer.split():
        found |= {s.name for s in world.plan.sites if line in s.vips}
    return found


def agreed(world: World) -> bool:
    """Whether all nodes have the same head and overrides and say so."""
    seen = [weir_json(n, "status") for n in world.nodes]
    return all(s.get("peers") and all(p["state"] == "agreed" for p in s["peers"]) for s in seen)


def start(world: World) -> None:
    for node in world.nodes:
        node.start_supervised()
    for node in world.nodes:
        node.wait_until_well()


def stop(world: World) -> None:
    for node in world.nodes:
        node.processes.pop("run").stop(30)


def text_of(node: Node) -> str:
    """The operator's configuration of a node."""
    with open(os.path.join(node.conf, "weir.conf")) as f:
        return f.read()


def drain_and_config(world: World, report: Report) -> None:
    ams, fra = world.nodes
    original = text_of(ams)
    say("drain fra from ams; then apply the original file, another, roll back, restart everything")
    report.equal(named_sites(world, world.plan.site("ams")), {"ams", "fra"}, "before, answers name both sites")
    status, out, errors = weir(ams, "drain", "site", "fra", "--scheduled", "--over", "2s", "--until", "+1h", "--reason", "lab", "--now",
                               "--all")
    report.equal(status, 0, f"the drain is in force on both nodes {errors}")
    report.check("undo: weir undrain site fra" in out, "the drain prints the line that undoes it")
    for node in world.nodes:
        report.equal(weir(node, "wait", "site", "fra", "drained", "--timeout", "15s")[0], 0,
                     f"{node.name} sees it drained")
    status, out, errors = weir(ams, "apply", "--reason", "the first", "--all")
    report.equal((status, "version 1" in out), (0, True), f"the file that both began with becomes version 1 of the store {errors}")
    status, out, _ = weir(ams, "apply", "--reason", "the same again")
    report.equal((status, "nothing changes" in out), (0, True), "applying the original file makes no version")
    with open(os.path.join(ams.conf, "weir.conf"), "w") as f:
        f.write(original.replace('max_remove = "100%"', 'max_remove = "90%"'))
    report.equal(weir(ams, "apply", "--reason", "another", "--all")[0], 0, "another configuration is applied")
    report.check(is_drained(ams, "fra") and is_drained(fra, "fra"), "still drained with version 2")
    status, _, errors = weir(ams, "rollback", "1", "--reason", "back", "--all")
    report.equal(status, 0, f"version 1 is rolled back to {errors}")
    versions = weir_json(fra, "versions")["items"]
    report.equal([v["number"] for v in versions], [3, 2, 1], "the rollback is a version of its own, on fra too")
    report.equal(versions[0]["digest"], versions[2]["digest"], "with exactly the files of version 1")
    report.check(is_drained(ams, "fra") and is_drained(fra, "fra"), "still drained after the rollback")
    with open(os.path.join(ams.conf, "weir.conf"), "w") as f:
        f.write(original)
    stop(world)
    start(world)
    for node in world.nodes:
        report.equal(weir(node, "wait", "site", "fra", "drained", "--timeout", "15s")[0], 0,
                     f"still drained on {node.name} after all was restarted")
    for site in world.plan.sites:
        report.equal(named_sites(world, site), {"ams"}, f"no answer of {site.node} names fra")
    report.equal(weir(fra, "undrain", "site", "fra", "--scheduled", "--now", "--all")[0], 0, "undrained from fra itself")
    report.wait(lambda: named_sites(world, world.plan.site("ams")) == {"ams", "fra"}, 15, "answers name both sites again", 0.5)


def bad_changes(world: World, report: Report) -> None:
    ams, _ = world.nodes
    say("what must not be taken is refused, with its exit status")
    path = os.path.join(ams.conf, "weir.conf")
    with open(path) as f:
        original = f.read()
    head = weir_json(ams, "versions")["items"][0]["digest"]
    with open(path, "w") as f:
        f.write(original.replace('site = "ams"', 'site = "asm"', 1))
    status, _, errors = weir(ams, "apply", "--reason", "bad")
    report.equal((status, 'did you mean "ams"' in errors), (1, True), "a mistake is told with its near name")
    with open(path, "w") as f:
        f.write(original)
    zone = os.path.join(ams.conf, f"{world.plan.zone}.zone")
    with open(zone) as f:
        records = f.read()
    with open(zone, "w") as f:
        f.write(records + f"{world.plan.host} IN A 192.0.2.99\n")
    status, _, errors = weir(ams, "apply", "--reason", "bad zone")
    report.equal((status, f"{world.plan.zone}.zone:{records.count(chr(10)) + 1}: dns.zones: " in errors), (1, True),
                 "an address beside a dynamic name is a mistake with its line")
    report.equal(weir(ams, "zone", "reload")[0], 1, "a zone reload refuses it too")
    with open(zone, "w") as f:
        f.write(records)
    with open(path, "w") as f:
        f.write(re.sub(r'max_remove = "[0-9]+%"', 'max_remove = "70%"', original))
    report.equal(weir(ams, "apply", "--reason", "old", "--base", "v1-0000000000000000")[0], 4, "a stale base is a conflict")
    with open(path, "w") as f:
        f.write(original)
    report.equal(weir(ams, "apply", "--reason", "old", "--base", "v1-0000000000000000")[0], 0, "but not where nothing changes")
    report.equal(weir_json(ams, "versions")["items"][0]["digest"], head, "neither changed anything")
    with open(path, "w") as f:
        f.write(original.replace('{ interface = "eth1"; }', '{ interface = "eth1"; }, { interface = "eht2"; }', 1))
    status, out, errors = weir(ams, "apply", "--reason", "a port that is not there")
    report.equal((status, "eht2" in out + errors), (8, True), "a port that is not there is refused by its name")
    with open(path, "w") as f:
        f.write(original)
    report.equal(weir(ams, "apply", "--reason", "as before", "--all")[0], 0, "the port is gone again")
    report.equal(weir(ams, "confirm", "--reason", "as before")[0], 0, "a removed port is risky: it is confirmed")
    report.equal(weir(ams, "wait", "well", "--timeout", "10s")[0], 0, "and all is well")
    weir(ams, "drain", "site", "fra", "--scheduled", "--until", "+1h", "--reason", "lab", "--now")
    status, _, errors = weir(ams, "drain", "site", "ams", "--scheduled", "--until", "+1h", "--reason", "lab", "--now")
    report.equal((status, "last-site" in errors), (2, True), "the last site is not drained")
    report.equal(weir(ams, "undrain", "site", "fra", "--scheduled", "--now", "--all")[0], 0, "undrained")
    report.equal(weir(ams, "undrain", "site", "fra", "--scheduled", "--now")[0], 0, "undrained already: that is done")


def at_once(commands: list[tuple[Node, list[str]]]) -> list[int]:
    """Give each node its command in the same moment: their exit statuses."""
    running = [subprocess.Popen([*node.host.enter, executable("weir"), *node.options, *arguments],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for node, arguments in commands]
    return [p.wait(60) for p in running]


def race(world: World, report: Report) -> None:
    """The guards hold between nodes: a real store compares all that they rest on."""
    ams, fra = world.nodes
    say("both nodes are given, at once, what together leaves nothing")
    backends = [f"{world.plan.sites[1].pool}/fra-b{i}" for i in (1, 2)]
    pairs = [("disable", "enable", "site", ["ams", "fra"]), ("disable", "enable", "backend", backends),
             ("drain", "undrain", "site", ["ams", "fra"])]
    for i in range(6):
        do, undo, kind, targets = pairs[i % len(pairs)]
        how = ["--scheduled", "--now"] if do == "drain" else []
        statuses = at_once([(node, [do, kind, target, *how, "--until", "+1h", "--reason", "race"])
                            for node, target in zip((ams, fra), targets)])
        report.equal(sorted(s in (0, 5) for s in statuses), [False, True], f"of two that {do} the last {kind}s one is refused {statuses}")
        report.check(2 in statuses, "by a guard", statuses)
        back = ["--scheduled", "--now"] if do == "drain" else []
        for target in targets:
            weir(ams, undo, kind, target, *back, "--all")
        wait_until(lambda: agreed(world), AGREE_S, "all nodes agree", 0.2)


def cut(world: World, report: Report) -> None:
    ams, fra = world.nodes
    say("fra is cut off; it is drained from ams; healed")
    world.site("fra").cut()
    time.sleep(1)  # connections of before the cut are idle by then
    status, _, _ = weir(ams, "drain", "site", "fra", "--scheduled", "--until", "+1h", "--reason", "cut", "--now", "--all")
    report.check(status in (5, 6), "the drain is taken partly: fra cannot be asked", status)
    status, _, _ = weir(fra, "disable", "backend", f"{world.plan.sites[1].pool}/fra-b1", "--until", "+1h", "--reason", "mine")
    report.equal(status, 0, "meanwhile fra takes an override of its own")
    world.site("fra").heal()
    healed = time.monotonic()
    wait_until(lambda: agreed(world), AGREE_S + 5, "all nodes agree", 0.2)
    took = time.monotonic() - healed
    report.check(took <= AGREE_S, f"all nodes agree within {AGREE_S} s of healing", f"{took:.1f} s")
    wait_until(lambda: is_drained(fra, "fra"), 10, "fra follows the drain", 0.2)
    for node in world.nodes:
        kinds = sorted(o["do"] for o in weir_json(node, "overrides")["items"] if o["state"] != "done")
        report.equal(kinds, ["disable", "drain"], f"both overrides survive on {node.name}")
    for site in world.plan.sites:
        report.equal(named_sites(world, site), {"ams"}, f"no answer of {site.node} names fra")
    report.equal(weir(fra, "enable", "backend", f"{world.plan.sites[1].pool}/fra-b1", "--all")[0], 0, "enabled")
    report.equal(weir(ams, "undrain", "site", "fra", "--scheduled", "--now", "--all")[0], 0, "undrained")


def apply_in_cut(world: World, report: Report) -> None:
    ams, fra = world.nodes
    say("fra is cut off: what it is to change is refused there, and taken where the store is")
    original = {n: text_of(n) for n in world.nodes}
    world.site("fra").cut()
    time.sleep(1)  # connections of before the cut are idle by then
    for node, share, expected in ((fra, "70%", (3,)), (ams, "80%", (0, 5))):
        with open(os.path.join(node.conf, "weir.conf"), "w") as f:
            f.write(original[node].replace('max_remove = "100%"', f'max_remove = "{share}"'))
        status, _, errors = weir(node, "apply", "--reason", share)
        report.equal(status in expected, True, f"{node.name} says so {status} {errors}")
    world.site("fra").heal()
    wait_until(lambda: agreed(world), 20, "all agree", 0.3)
    heads = [weir_json(n, "versions")["items"][0]["digest"] for n in world.nodes]
    report.equal(heads[0], heads[1], "fra follows")


def store_lost(world: World, report: Report) -> None:
    ams, _ = world.nodes
    say("the store is corrupted; then its disk is full")
    ams.processes.pop("run").stop(30)
    with open(os.path.join(ams.state, "store/store.db"), "r+b") as f:
        f.write(os.urandom(8192))
    ams.start_supervised()
    wait_until(lambda: weir(ams, "versions")[0] == 0, 30, "management answers", 0.3)
    status, _, errors = weir(ams, "drain", "site", "fra", "--scheduled", "--until", "+1h", "--reason", "corrupt", "--now")
    report.equal(status in (0, 5), True, f"draining works after the store was lost {errors}")
    report.wait(lambda: named_sites(world, world.plan.site("ams")) == {"ams"}, 10, "and is in force", 0.3)
    report.check(any(n.startswith("store.db.corrupt") for n in os.listdir(os.path.join(ams.state, "store"))), "the corrupt store is kept aside")
    weir(ams, "undrain", "site", "fra", "--scheduled", "--now")


def head_number(node: Node) -> typing.Any:
    """The newest version's number; None while the store gives no answer."""
    items = weir_json(node, "versions").get("items")
    return items[0]["number"] if items else None


def disk_full(world: World, report: Report) -> None:
    ams, _ = world.nodes
    ams.processes.pop("run").stop(30)
    aside = ams.state + ".aside"
    os.rename(ams.state, aside)
    os.mkdir(ams.state)
    room_k = int(call(["du", "-sk", aside]).split()[0]) + 4096
    call(["mount", "-t", "tmpfs", "-o", f"size={room_k}k", "tmpfs", ams.state])
    try:
        call(["cp", "-a", aside + "/.", ams.state])
        ams.start_supervised()
        ams.wait_until_well()
        call(["dd", "if=/dev/zero", f"of={ams.state}/filler", "bs=4096"], check=False)
        stat = os.statvfs(ams.state)
        report.equal(stat.f_bavail, 0, "the disk is full")
        path = os.path.join(ams.conf, "weir.conf")
        with open(path) as f:
            original = f.read()
        with open(path, "w") as f:
            f.write(original.replace('max_remove = "80%"', 'max_remove = "60%"'))
        head = wait_until(lambda: head_number(ams), 20, "the versions are listed", 0.3)
        status, _, errors = weir(ams, "apply", "--reason", "full")
        report.equal((status, "overrides still work" in errors), (3, True), "a version is refused, and says so")
        if not report.wait(lambda: head_number(ams) == head, 20, f"it is not half taken: version {head} is the newest still", 0.3):
            say(f"versions: {weir(ams, 'versions')}, status: {weir(ams, 'status')}")
        status, _, errors = weir(ams, "drain", "site", "fra", "--scheduled", "--until", "+1h", "--reason", "full", "--now")
        report.equal(status in (0, 5), True, f"draining works with the disk full {errors}")
        report.wait(lambda: named_sites(world, world.plan.site("ams")) == {"ams"}, 10, "and is in force", 0.3)
        report.equal(head_number(ams), head, "versions are listed while nothing can be written")
        os.unlink(os.path.join(ams.state, "filler"))
        report.equal(weir(ams, "undrain", "site", "fra", "--scheduled", "--now")[0] in (0, 5), True, "undrained")
    finally:
        if "run" in ams.processes:
            ams.processes.pop("run").stop(30)
        call(["umount", ams.state])
        os.rmdir(ams.state)
        os.rename(aside, ams.state)


def offline(world: World, report: Report) -> None:
    ams, _ = world.nodes
    say("weir-mgmt is dead: drain --offline, and the others follow")
    ams.start("dataplane", "health", "dns")
    wait_until(lambda: named_sites(world, world.plan.site("ams")) == {"ams", "fra"}, 20, "answers name both", 0.3)
    report.equal(weir(ams, "drain", "site", "fra", "--scheduled", "--until", "+1h", "--reason", "x", "--now")[0], 3, "the API is down")
    status, out, errors = weir(ams, "drain", "site", "fra", "--until", "+1h", "--reason", "x", "--now", "--offline")
    report.equal((status, "undo: weir undrain site fra" in out), (0, True), f"taken offline {errors}")
    report.wait(lambda: named_sites(world, world.plan.site("ams")) == {"ams"}, 10, "and is in force without management", 0.3)
    report.equal(weir(ams, "status")[0], 10, "status from the pages says degraded")
    ams.start("mgmt")
    wait_until(lambda: weir(ams, "versions")[0] == 0, 20, "management is back", 0.3)
    report.equal(weir(ams, "drain", "site", "fra", "--until", "+1h", "--reason", "x", "--offline")[0], 4,
                 "with management there, --offline is refused")
    report.wait(lambda: is_drained(world.nodes[1], "fra"), 15, "the peer hears of it when management is back", 0.3)


def run(report: Report) -> None:
    with Lab("intent") as lab:
        world = World(lab, planning.simple(2, 2), resolvers=())
        for site in world.sites:
            site.node.write_config()
            site.start_backends()
        start(world)
        for step in (drain_and_config, bad_changes, race, cut, apply_in_cut, store_lost, disk_full, offline):
            report.step(step, world, report)
        for node in world.nodes:
            node.kill_all()


if __name__ == "__main__":
    sys.exit(Report.main(run))
