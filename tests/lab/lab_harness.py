# SPDX-License-Identifier: BSD-2-Clause
"""The harness itself, without Weir: the router sends the VIP straight to a backend.

Clients of a thousand prefixes fetch from nginx, what they saw equals what nginx logged and what the wire
carried, a cut site is silent, and nothing is left at the end.
"""
import sys

from net import Lab, call, namespaces, say
from report import Report
from world import World, read_requests
import plan as planning


def run(report):
    with Lab("harness") as lab:
        tag = lab.tag
        world = World(lab, planning.simple(1, 2), resolvers=())
        site, backend = world.sites[0], world.sites[0].backends[0]
        site.start_backends()
        for vip, via in ((site.plan.vip4 + "/32", "10.1.1.11"), (site.plan.vip6 + "/128", "fd00:1:1::11")):
            world.router.ip(f"{'-6 ' if ':' in via else ''}route replace {vip} via {via}")
        capture = world.start_capture(f"p-{backend.name}")
        say("clients for 3 s")
        client = world.start_client("steady", 250, "--seconds", 3, targets=site.plan.vips)
        report.check(client.popen.wait(20) == 0, "the client ends by itself")
        requests = read_requests(f"{lab.dir}/steady.requests")
        report.equal(sum(r.result != "ok" for r in requests), 0, "no request fails")
        report.check(len(requests) > 700, "at least 230 requests a second", len(requests))
        report.check(len({r.source for r in requests}) > 700, "each from a source of its own")
        logged = {line["agent"]: line for line in backend.log()}
        report.equal(sorted(logged), sorted(f"steady-{r.id}" for r in requests), "nginx logged the same requests")
        report.check(all(logged[f"steady-{r.id}"]["server"] == r.target and logged[f"steady-{r.id}"]["client"] == r.source
                         and logged[f"steady-{r.id}"]["client_port"] == r.port for r in requests),
                     "from the same addresses to the same VIPs")
        capture.stop()
        report.equal(capture.counts("out", "vip", what="syns"), len(requests), "the wire carried as many SYNs")
        say("site cut for a second")
        site.cut()
        cut = world.start_client("cut", 100, "--seconds", 1, "--timeout-ms", 500, targets=site.plan.vips)
        cut.popen.wait(10)
        report.equal({r.result for r in read_requests(f"{lab.dir}/cut.requests")}, {"connect-timeout"},
                     "a cut site is silent")
        site.heal()
        report.equal(site.node.host.run(["ping", "-c1", "-W1", "100.64.0.9"]).count("1 received"), 1, "it heals")
    report.equal([n for n in namespaces() if n.startswith(tag + "-")], [], "no namespace is left")
    report.check("build/lab/harness" not in call(["mount"]), "no mount is left")


if __name__ == "__main__":
    sys.exit(Report.main(run))
