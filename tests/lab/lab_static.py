# SPDX-License-Identifier: BSD-2-Clause
"""Fail static: each Weir process is killed in turn under traffic, then all; each starts again; nothing is lost.

One site, without management: the effective document is written once. New connections all the time.
"""
from __future__ import annotations

import re
import sys
import time
import typing

import plan as planning
from books import check_wire
from net import Lab, say, wait_until
from report import Report
from watch import Crowd, now_ms
from world import World

if typing.TYPE_CHECKING:
    from world import Node

PROCESSES = ("dataplane", "health", "dns")


def forwards(world: World) -> bool:
    """Whether each VIP answers."""
    site = world.sites[0]
    return all(world.client.run(["curl", "-s", "-m", "1", "-o", "/dev/null", "-w", "%{http_code}",
                                 f"http://{f'[{v}]' if ':' in v else v}/healthz"], check=False) == "200"
               for v in site.plan.vips)


def unseen_is_not_well(report: Report, node: Node) -> None:
    """Checks go through the tunnel, which needs the dataplane: nothing is known of a backend until the first checks have failed, and then it is down."""
    def unseen() -> bool:
        return any(re.fullmatch("3 of 3 backends of pool web-ams have no verdict.*|all backends of pool web-ams are down.*", w)
                   for w in node.weir_json("status")["why"])
    wait_until(unseen, 60, "status says that no backend is known to answer", 0.2)
    report.check(node.weir_json("status")["state"] in ("degraded", "down"), "what no check has seen is not well")


def run(report: Report) -> None:
    with Lab("static") as lab:
        world = World(lab, planning.simple(1, 3, api=False), resolvers=())
        site, node = world.sites[0], world.sites[0].node
        node.write_config()
        node.write_effective()
        site.start_backends()
        capture = world.start_capture(site.node_port)
        site.withdraw_vips()
        node.start("mgmt", "health", "dns")
        unseen_is_not_well(report, node)
        node.start("dataplane")
        site.wait_until_forwarding()
        site.announce_vips()
        wait_until(lambda: forwards(world), 20, "the VIPs answer", 0.2)
        client = world.start_client("crowd", 260, targets=site.plan.vips)
        crowd = Crowd(f"{lab.dir}/crowd.requests", client, {v: "ams" for v in site.plan.vips})
        time.sleep(2)  # requests of before the first death
        for name in PROCESSES:
            since = now_ms()
            say(f"{name} is killed")
            node.kill(name)
            time.sleep(3)  # traffic must go on for this long
            node.start(name)
            time.sleep(3)  # traffic must go on for this long
            report.equal(crowd.failures(since)[:5], [], f"nothing fails while {name} is dead, nor when it starts again")
            report.check(node.processes[name].alive(), f"{name} runs again")
        say("a backend dies, then health does: still no packet goes there")
        victim = site.backends[0]
        died = now_ms()
        victim.kill()
        time.sleep(2)  # longer than a check takes to detect the death
        node.kill("health")
        time.sleep(3)  # traffic must go on for this long
        node.kill("dataplane", "dns")
        since = now_ms()
        time.sleep(3)  # traffic must go on for this long
        report.equal(crowd.failures(died + 1500)[:5], [], "nothing fails once it is out, all processes dead")
        late = [f for f in capture.flows() if f[1] == "in" and f[2] == victim.addresses[0] and f[0] > died + 1500
                and f[3] not in (site.plan.node4, site.plan.node6)]
        report.equal(late[:3], [], "no new flow to the dead backend")
        node.start(*PROCESSES)
        time.sleep(3)  # traffic must go on for this long
        report.equal(crowd.failures(since)[:5], [], "nothing fails when all start again")
        client.stop(10)
        report.check(len(crowd.read()) > 5000, "requests in all", len(crowd.requests))
        time.sleep(2)  # counters are published each second
        check_wire(report, world, {"ams": capture}, killed=(victim.name,))


if __name__ == "__main__":
    sys.exit(Report.main(run))
