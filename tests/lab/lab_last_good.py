# SPDX-License-Identifier: BSD-2-Clause
"""on_all_down = "last_good": a pool whose members fail one after the other within a second. All that were good come
back, so that the load is spread as before; one that a person disabled and one that died long before do not.

    lab_last_good.py [--full]     without --full nobody dies long before, which takes a minute
"""
from __future__ import annotations

import sys
import time
import typing

import plan as planning
from books import check_node
from net import Lab, say, wait_until
from report import Report
from world import World

if typing.TYPE_CHECKING:
    from world import Node

CHECK = ('type = "http"; port = 80; path = "/healthz"; expect = 200; via = "direct"; interval = "200ms"; '
         'fast_interval = "50ms"; timeout = "400ms"; rise = 1; fall = 2;')
MEMBERS = 6
APART_S = 0.15   # between two deaths
LONG_S = 62      # longer than the minute that counts


def in_force(node: Node) -> dict[str, typing.Any]:
    """{backend: why} of those in force, as the dataplane has them."""
    try:
        return {b["backend"]: b["why"] for b in node.ctl("dataplane", {"do": "backends"})["backends"] if b["in_force"]}
    except (OSError, KeyError):
        return {}


def run(report: Report) -> None:
    with Lab("last_good") as lab:
        world = World(lab, planning.simple(1, MEMBERS, check=CHECK), resolvers=())
        site, node = world.sites[0], world.sites[0].node
        names = [b.name for b in site.backends]
        pool = site.plan.pool
        node.write_config()
        site.start_backends()
        node.start()
        wait_until(lambda: len(in_force(node)) == MEMBERS and set(in_force(node).values()) == {"up"}, 60, "all are up", 0.2)
        node.weir("disable", "backend", f"{pool}/{names[1]}", "--until", "+4h", "--reason", "lab")
        good = [n for n in names if n != names[1]]
        if "--full" in sys.argv:
            site.backends[0].kill()
            good.remove(names[0])
        report.wait(lambda: set(in_force(node)) == set(good), 30, "who was disabled, or died, serves no more; the others do", 0.2)
        if "--full" in sys.argv:
            say(f"{LONG_S} s later")
            time.sleep(LONG_S)  # longer than the minute that counts
        for backend in site.backends:
            if backend.name in good:
                backend.kill()
                time.sleep(APART_S)  # deaths come this far apart
        wait_until(lambda: set(in_force(node).values()) == {"held by guard on_all_down"}, 30, "all are down", 0.05)
        report.equal(sorted(in_force(node)), sorted(good), "all that were good are back")
        time.sleep(3)  # they must stay for this long
        report.equal(sorted(in_force(node)), sorted(good), "and stay; not who died before, nor whom a person disabled")
        site.backends[4].start()
        wait_until(lambda: in_force(node).get(names[4]) == "up", 30, "one is up again", 0.1)
        report.wait(lambda: set(in_force(node)) == {names[4]}, 60, "when one is up again, the others leave", 0.2)
        report.step(check_node, report, node)


if __name__ == "__main__":
    sys.exit(Report.main(run))
