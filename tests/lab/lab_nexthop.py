# SPDX-License-Identifier: BSD-2-Clause
"""Ports, probes' paths and next hops: what is lost with an interface comes back with it, and no backend suffers for it;
a backend that cannot be reached by its next hop is out, and only such a one.

    lab_nexthop.py [--all] [NAME ...]    the short form, all situations, or those named

One site, three nginx backends, no management: effective documents are written by hand.
"""
from __future__ import annotations

import sys
import typing

import nexthop_bench as ports
import nexthop_ways as ways
import plan as planning
from books import check_node
from net import Lab, say
from report import Report
from world import World

TUNNEL = ('type = "http"; port = 80; path = "/healthz"; expect = 200; via = "tunnel"; interval = "100ms"; '
          'fast_interval = "50ms"; timeout = "100ms"; rise = 2; fall = 2; damp_turns = 0;')
SHORT: list[typing.Callable[[ports.Bench], None]] = [ports.port_deleted, ports.clsact_taken, ports.port_renamed, ports.dead_is_found, ways.gateway_changes_in_silence,
         ways.refusing_routes, ways.neighbour_fails]
LONG: list[typing.Callable[[ports.Bench], None]] = [ways.returns_with_another_mac, ways.routes_of_no_evidence, ways.l2_behind_a_gateway, ways.carrier_is_no_evidence]


def chosen(names: list[str]) -> list[typing.Callable[[ports.Bench], None]]:
    every = SHORT + LONG
    if "--all" in names:
        return every
    return [s for s in every if s.__name__ in names] if names else SHORT


def run(report: Report, names: list[str]) -> None:
    with Lab("nexthop") as lab:
        world = World(lab, planning.simple(1, 3, api=False, check=TUNNEL), resolvers=())
        site = world.sites[0]
        site.node.write_config()
        site.node.write_effective()
        gateway = site.add_router("gw", ways.GATEWAY4, ways.GATEWAY6)
        site.start_backends()
        site.node.start("dataplane", "health")
        bench = ports.Bench(report, lab, world, site)
        bench.gateway = gateway
        bench.well(30)
        for situation in chosen(names):
            say(f"--- {situation.__name__}: {(situation.__doc__.strip()).splitlines()[0]}")
            situation(bench)
        report.step(check_node, report, site.node)


if __name__ == "__main__":
    sys.exit(Report.main(lambda report: run(report, sys.argv[1:])))
