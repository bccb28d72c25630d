# SPDX-License-Identifier: BSD-2-Clause
"""Ports, probes' paths and next hops: what is lost with an interface comes back with it, and no backend suffers for it.

One site, three nginx backends, no management: effective documents are written by hand. The situations are those
of truth_nexthop.py; names on the command line choose among them.
"""
import sys

import plan as planning
import truth_nexthop as truth
from net import Lab, say
from report import Report
from world import World

TUNNEL = ('type = "http"; port = 80; path = "/healthz"; expect = 200; via = "tunnel"; interval = "100ms"; '
          'fast_interval = "50ms"; timeout = "100ms"; rise = 2; fall = 2; damp_turns = 0;')
SITUATIONS = [truth.port_deleted, truth.clsact_taken, truth.port_renamed, truth.dead_is_found]


def run(report, names):
    with Lab("nexthop") as lab:
        world = World(lab, planning.simple(1, 3, api=False, check=TUNNEL), resolvers=())
        site = world.sites[0]
        site.node.write_config()
        site.node.write_effective()
        site.start_backends()
        site.node.start("dataplane", "health")
        bench = truth.Bench(report, lab, world, site)
        bench.well(30)
        for situation in SITUATIONS:
            if not names or situation.__name__ in names:
                say(f"--- {situation.__name__}: {situation.__doc__.splitlines()[0]}")
                situation(bench)


if __name__ == "__main__":
    sys.exit(Report.main(lambda report: run(report, sys.argv[1:])))
