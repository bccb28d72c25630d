# SPDX-License-Identifier: BSD-2-Clause
"""Inside a guest: inside_xdp.py [VLAN ...]. Weir as packaging/ leaves it, on the guest's kernel, with the XDP driver, the backends' agent and
the probes' egress program; real requests over IPv4 and IPv6, by GUE, then by IPIP.
"""
from __future__ import annotations

import os
import platform
import sys
import time
import typing

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lab"))
import packaged
import plan as planning
from books import PASSED, check_wire, reasons
from net import Lab, say, wait_until
from report import Report
from wire import tag
from watch import Crowd, now_ms
from world import PROCESSES, World

if typing.TYPE_CHECKING:
    from world import Capture, Node, Site

# An emulated machine on a busy one: a second may pass between two instructions.
PATIENT = ('type = "http"; port = 80; path = "/healthz"; expect = 200; {}interval = "2s"; fast_interval = "1s"; '
           'timeout = "4s"; rise = 1; fall = 2;')
RATE = 15
SLOW_S = 120  # a wait that only what never comes makes fail


def lay_out(node: Node) -> None:
    """The node at the paths of packaging/."""
    node.conf, node.state, node.run_dir, node.bpf = (f"{base}/weir" for base in ("/etc", "/var/lib", "/run", "/sys/fs/bpf"))
    packaged.make_paths()
    configure(node)


def configure(node: Node) -> None:
    """Its files, with the owners that packaging/ gives them."""
    node.write_config()
    packaged.make_paths()


def nothing_failed(report: Report, site: Site, crowd: Crowd, since_ms: int, what: str) -> None:
    """But for first SYNs: the links inside drop some when the guest gets no processor, and then as many may be lost."""
    wait_until(lambda: len(crowd.between(since_ms, now_ms())) >= RATE, SLOW_S, "a second's requests")
    failed, lost = crowd.failures(since_ms), site.lost_on_link() + site.lost_on_way_back()
    again = [f for f in failed if f[0] == "SYN lost"]
    report.check(len(failed) == len(again) <= lost, f"no request fails: {what}", f"{failed[:3]}, {lost} dropped by the links")


def shares(report: Report, world: World, crowd: Crowd, what: str) -> None:
    seen = {r.backend for r in crowd.read() if r.result == "ok"}
    report.equal(seen, {b.name for b in world.sites[0].backends}, f"{what}: each backend serves")


def ports(node: Node) -> list[typing.Any]:
    """The dataplane's ports: [(interface, mode)]; none while it is not there."""
    try:
        return [(p["interface"], p["mode"]) for p in node.ctl("dataplane", {"do": "status"})["ports"]]
    except OSError:
        return []


def changes(report: Report, world: World, crowd: Crowd) -> tuple[int, int]:
    node, site = world.sites[0].node, world.sites[0]
    say("mode ipip is applied")
    since = now_ms()
    site.plan.mode = "ipip"
    configure(node)
    node.weir("apply", "--reason", "ipip")
    wait_until(lambda: all(b.agent_status().get("ipip") for b in site.backends), SLOW_S, "IPIP at each backend", 0.2)
    nothing_failed(report, site, crowd, since, "GUE becomes IPIP")
    say("the dataplane is killed; the supervisor starts another")
    since, (pid,) = now_ms(), node.pids("dataplane")
    os.kill(pid, 9)
    wait_until(lambda: node.pids("dataplane") not in ([], [pid]) and ports(node), SLOW_S, "another dataplane", 0.2)
    nothing_failed(report, site, crowd, since, "the dataplane killed")
    say("a backend dies")
    victim = site.backends[0]
    killed = now_ms()
    victim.kill()
    wait_until(lambda: in_force(node) == {b.name for b in site.backends[1:]}, SLOW_S, "the tunnel check sees it, and it is out", 0.2)
    out = now_ms()
    nothing_failed(report, site, crowd, out, "a backend is out")
    report.equal({r.backend for r in crowd.between(out, now_ms())}, {b.name for b in site.backends[1:]}, "the others serve")
    victim.start()
    return killed, out


def in_force(node: Node) -> set[typing.Any]:
    """The names of the backends that get traffic."""
    return {b["backend"] for b in node.ctl("dataplane", {"do": "backends"})["backends"] if b["in_force"]}


def states(node: Node) -> set[typing.Any]:
    """The health of all targets, as a set."""
    return {t["state"] for t in node.ctl("health", {"do": "list"})["targets"]}


def names(report: Report, world: World) -> None:
    site = world.plan.sites[0]
    for server in (site.dns4, site.dns6):
        text = world.client.run(["kdig", f"@{server}", "+short", "+timeout=20", world.plan.name, "AAAA"], check=False)
        report.equal(text.strip(), site.vip6, f"{server} answers with the VIP")


def traffic(report: Report, world: World) -> None:
    site = world.sites[0]
    node = site.node
    report.equal(ports(node), [("eth1", "native")], "the program sits in the driver of the port")
    crowd = Crowd(f"{world.lab.dir}/crowd.requests",
                  world.start_client("crowd", RATE, "--timeout-ms", 20000, targets=site.plan.vips), {})
    nothing_failed(report, site, crowd, now_ms(), "GUE")
    report.check(all(b.agent_status().get("gue") for b in site.backends), "each agent took GUE off")
    killed, out = changes(report, world, crowd)
    names(report, world)
    crowd.process.stop(SLOW_S)
    failed = [r for r in crowd.read() if r.result != "ok" and not (r.start_ms < out and r.end_ms >= killed)]
    report.equal(failed[:3], [], "in all: no request fails but while the backend was dead and not yet out")
    shares(report, world, crowd, "in all")
    report.check(len(crowd.read()) > 3 * RATE, "requests", len(crowd.requests))


def settle(site: Site, capture: Capture) -> None:
    """Until the counters, which are published each second, have what the wire has; check_wire() says what lacks if they do not."""
    say("all is counted")
    end = time.monotonic() + SLOW_S
    while time.monotonic() < end:
        time.sleep(1)  # until the counters are published again
        counted = reasons(site)
        if capture.counts("out", "vip") == sum(n for reason, n in counted.items() if reason not in PASSED) and \
                capture.counts("in", "tunnel") == counted.get("forwarded", 0) + counted.get("icmp_relayed", 0):
            return


def run(report: Report) -> None:
    vlans = list(map(int, sys.argv[1:]))
    packaged.enter(own_etc=False)
    with Lab("vm") as lab:
        packaged.make_users()
        plan = planning.simple(1, 2, check=PATIENT.format('via = "tunnel"; '), vip_check=PATIENT.format(""))
        world = World(lab, plan, resolvers=())
        site = world.sites[0]
        world.router.offload(site.node_port, "txvlan off")  # a tag is in the frame, as on a wire
        tag(world, vlans)
        lay_out(site.node)
        site.start_backends()
        say(f"Linux {platform.release()}: world made, VLANs {vlans}")
        capture = world.start_capture(site.node_port)
        site.withdraw_vips()
        site.node.processes["run"] = site.node.host.start(
            "weir-run", [*packaged.limits(), *packaged.bounding_set(), f"{packaged.BIN}/weir", *site.node.options, "run"])
        site.wait_until_forwarding(SLOW_S)
        site.announce_vips()
        site.node.wait_until_well(SLOW_S)
        report.check(True, f"Linux {platform.release()}: all is well: {' '.join(PROCESSES)}")
        wait_until(lambda: states(site.node) == {"up"}, SLOW_S, "all targets up", 0.2)
        report.check(True, "all backends are up, by checks through their tunnels")
        traffic(report, world)
        settle(site, capture)
        check_wire(report, world, {site.name: capture})
        site.node.kill_all()


if __name__ == "__main__":
    sys.exit(Report.main(run))
