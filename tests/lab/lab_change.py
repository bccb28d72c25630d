# SPDX-License-Identifier: BSD-2-Clause
"""Configurations change under traffic: backends come and go under 200 long transfers, a bad one is refused.

One site under `weir run`. Every transfer must come whole, with its checksum; no request may fail; and at the end
the wire and Weir's counters agree to the packet.
"""
from __future__ import annotations

import copy
import subprocess
import sys
import time
import typing

import plan as planning
from books import check_wire
from forge import error_about, send
from net import Lab, executable, say, wait_until
from report import Report
from servers import fnv1a, make_file
from watch import Crowd, now_ms
from world import World

if typing.TYPE_CHECKING:
    from servers import Backend
    from world import Node

TRANSFERS = 200


def weir(node: Node, *arguments: str) -> tuple[int, str]:
    """The command line: (exit status, output and errors)."""
    done = subprocess.run([*node.host.enter, executable("weir"), *node.options, *arguments], capture_output=True,
                          text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def apply(report: Report, node: Node, plan: planning.Plan, reason: str) -> None:
    """Apply a plan's configuration; it must come into force."""
    node.write_config(plan)
    status, text = weir(node, "apply", "--reason", reason)
    report.equal(status, 0, f"apply: {reason}")
    if status:
        print(text)


def changes(plan: planning.Plan, spare: list[planning.BackendPlan]) -> typing.Iterator[tuple[typing.Any, str]]:
    """Configurations one after the other, with what they change."""
    now = copy.deepcopy(plan)
    site = now.sites[0]
    site.backends.append(spare[0])
    yield copy.deepcopy(now), "a fourth backend"
    del site.backends[0]
    yield copy.deepcopy(now), "the first backend is gone"
    site.backends[0].weight = 30
    yield copy.deepcopy(now), "another weight"
    site.backends.append(spare[1])
    yield copy.deepcopy(now), "a fifth backend"


def refuse_bad(report: Report, node: Node, plan: planning.Plan) -> None:
    """A configuration with mistakes is refused as a whole, each mistake with its line."""
    bad = planning.config_text(plan).replace('weight = 30', 'weigth = 30').replace('check = "web"', 'check = "wep"')
    path = f"{node.conf}/bad.conf"
    with open(path, "w") as f:
        f.write(bad)
    before = node.api("GET", "/v1/config")[1]["number"]
    status, text = weir(node, "apply", path, "--reason", "bad")
    report.check(status not in (0, 3), "a bad configuration is refused", status)
    report.check("weigth" in text and "weight" in text and "wep" in text, "its mistakes are named, with near names")
    report.equal(node.api("GET", "/v1/config")[1]["number"], before, "the version in force stays")


def held_by_guard(report: Report, node: Node, plan: planning.Plan, victim: Backend) -> None:
    """A guard that keeps a dead backend is named by status and why, as the tables' process says."""
    path = f"{node.conf}/guarded.conf"
    with open(path, "w") as f:
        f.write(planning.config_text(plan).replace('min_healthy = "10%"', 'min_healthy = "90%"'))
    report.equal(weir(node, "apply", path, "--reason", "a guard")[0], 0, "apply: a guard")
    victim.kill()

    def effect() -> typing.Any:
        pools = node.api("GET", "/v1/status")[1]["pools"]
        return next((b["effect"] for p in pools for b in p["backends"]
                     if b["name"] == victim.name and b["observation"]["state"] == "down"), None)
    wait_until(effect, 20, f"{victim.name} is seen to be down", 0.2)

    def held() -> bool:
        seen = effect()
        return bool(seen) and (seen["state"], seen["why"]) == ("serving", "held by guard min_healthy")
    report.wait(held, 10, "status says which guard holds it", 0.2)
    name = f"{plan.sites[0].pool}/{victim.name}"
    text = weir(node, "why", "backend", name)[1]
    report.check("held by guard min_healthy" in text, "weir why says so, too", text[:400])
    text = weir(node, "status")[1]
    report.check("held by guard min_healthy" in text, "and weir status", text[:400])
    report.check("held" not in node.api("GET", "/v1/health")[1]["items"][0]["observation"], "a check's word knows of no guard")


def narrow_way(report: Report, world: World, node: Node, name: str) -> None:
    """A way that carries less than is configured, as a router says, is shown by status and why."""
    site = world.sites[0]
    backend = next(b for b in site.backends if b.name == name)
    send(world, [error_about(site.plan.mode, backend.addresses[0], 1390)])
    wait_until(lambda: "path_mtu=1390" in weir(node, "why", "backend", f"{site.plan.pool}/{name}")[1], 5,
               "weir why shows the path MTU", 0.3)
    text = weir(node, "status")[1]
    report.check("path MTU 1390" in text, "and so does weir status", text[:400])


def share_of(crowd: Crowd, name: str, since_ms: int) -> float:
    requests = crowd.between(since_ms, now_ms())
    return sum(r.backend == name for r in requests) / max(1, len(requests))


def run(report: Report) -> None:
    with Lab("change") as lab:
        plan = planning.simple(1, 3, api=False, settle_time="60s", check=planning.PATIENT)
        world = World(lab, plan, resolvers=(), file_rate="100k")
        site, node = world.sites[0], world.sites[0].node
        long_fnv = fnv1a(make_file(world.files, "long", 2400 << 10))  # 24 s long; more overruns the links
        spare = [planning.backend_plan(site.plan, k) for k in (4, 5)]
        site.backends += [site.add_backend(b) for b in spare]
        node.write_config()
        site.start_backends()
        capture = world.start_capture(site.node_port)
        site.withdraw_vips()
        node.start_supervised()
        site.wait_until_forwarding()
        site.announce_vips()
        node.wait_until_well()
        site_of = {v: "ams" for v in site.plan.vips}
        crowd = Crowd(f"{lab.dir}/crowd.requests", world.start_client("crowd", 220, targets=site.plan.vips), site_of)
        say(f"{TRANSFERS} transfers of 24 s")
        long = Crowd(f"{lab.dir}/long.requests",
                     world.start_client("long", 35, "--seconds", 6, "--path", "/files/long", "--timeout-ms", 90000,
                                        targets=site.plan.vips), site_of)
        time.sleep(6.5)  # longer than a transfer's first quarter: all 200 are under way
        for plan, reason in changes(world.plan, spare):
            say(reason)
            apply(report, node, plan, reason)
            time.sleep(4)  # traffic must go on for this long after each change
        refuse_bad(report, node, plan)
        since = now_ms()
        time.sleep(2)  # shares are counted over this time
        report.equal(share_of(crowd, "ams-b1", since), 0, "nothing new goes to the backend that is gone")
        for name in ("ams-b4", "ams-b5"):
            report.check(share_of(crowd, name, since) > 0.1, f"{name} takes its share", f"{share_of(crowd, name, since):.2f}")
        long.process.popen.wait(120)
        crowd.process.stop(10)
        done = long.read()
        report.check(len(done) >= TRANSFERS, f"{TRANSFERS} transfers and more", len(done))
        report.check(sum(r.backend == "ams-b1" for r in done) > 20, "many of them on the backend that went",
                     sum(r.backend == "ams-b1" for r in done))
        report.equal({(r.result, r.fnv) for r in done}, {("ok", long_fnv)}, "all come whole, with their checksum")
        failed = crowd.failures(0)
        report.equal([f for f in failed if f[0] != "SYN lost"][:3], [], "no other request fails")
        lost = site.lost_on_link() + site.lost_on_way_back()
        report.between(sum(f[0] == "SYN lost" for f in failed), 0, min(lost, 20), "SYNs are lost only where the link drops them")
        report.check(len(crowd.requests) > 4000, "other requests", len(crowd.requests))
        time.sleep(2.5)  # the counters are published each second
        check_wire(report, world, {"ams": capture}, gone=("ams-b1",))
        narrow_way(report, world, node, "ams-b5")
        held_by_guard(report, node, plan, site.backends[2])


if __name__ == "__main__":
    sys.exit(Report.main(run))
