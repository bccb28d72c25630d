# SPDX-License-Identifier: BSD-2-Clause
"""The backend agent by `weir agent`: attached again under traffic, told other sources, detached; what it refuses; and
which frames it passes on: only those for the MAC address of its interface, whatever a bridge that floods shows it.

One site, one backend, a dataplane; new connections all the time.
"""
from __future__ import annotations

import json
import select
import struct
import sys
import time
import typing

import plan as planning
from books import check_node
from lab_bridge import ALL, GROUP, OTHER, PACKET_HOST, TCP, UDP, frame, ip_packet, listen, packed, segment
from net import Lab, LabError, executable, say, wait_until
from report import Report
from watch import Crowd, now_ms
from world import World

if typing.TYPE_CHECKING:
    from net import Host
    from world import Node
    from world import Site


class Agent:
    """`weir agent` on one host."""

    def __init__(self, host: Host, bpf_dir: str) -> None:
        self.host, self.bpf_dir = host, bpf_dir

    def run(self, *words: str, check: bool = True) -> str:
        return self.host.run([executable("weir"), "--bpf-dir", self.bpf_dir, "agent", *words], check)

    def attach(self, *prefixes: str) -> None:
        self.run("attach", "eth0", "--from", ",".join(prefixes))

    def status(self) -> typing.Any:
        return json.loads(self.run("status", "eth0", "--json"))

    def counts(self) -> dict[str, typing.Any]:
        return {c["reason"]: c["packets"] for c in self.status()["counts"]}

    def succeeds(self, *words: str) -> bool:
        try:
            self.run(*words)
            return True
        except LabError as e:
            if ": exit " not in str(e):
                raise
            return False


def replaced_under_traffic(report: Report, agent: typing.Any, crowd: typing.Any, prefixes: str) -> None:
    say("attached again twenty times under traffic")
    since, before, programs = now_ms(), agent.counts(), set()
    for _ in range(20):
        agent.attach(*prefixes)
        programs.add(agent.status()["program"])
        time.sleep(0.1)  # traffic passes each program for this long
    time.sleep(1)  # traffic must go on for this long
    report.equal(len(programs), 20, "each time another program")
    report.equal(crowd.failures(since)[:3], [], "no request fails")
    report.check(len(crowd.between(since, now_ms())) > 300, "requests meanwhile")
    after = agent.counts()
    report.check(after["gue"] > before["gue"] + 1000, "counters go on over replacements",
                 (before["gue"], after["gue"]))


def other_sources(report: Report, agent: typing.Any, prefixes: str, node: Node) -> None:
    say("told other sources, it drops the node's tunnels by name")
    before = agent.counts()["source-refused"]
    agent.attach("192.0.2.0/24")
    report.wait(lambda: agent.counts()["source-refused"] > before, 5, "tunnels from elsewhere are counted")
    state = wait_until(lambda: [r for r in node.ctl("health", {"do": "list"})["targets"] if r["state"] == "down"], 5,
                       "the tunnel check sees it")
    report.equal(state[0]["last"], "timeout", "and the check says so")
    agent.attach(*prefixes)
    wait_until(lambda: all(r["state"] == "up" for r in node.ctl("health", {"do": "list"})["targets"]), 5, "up again")
    report.equal(agent.status()["from"], sorted(prefixes), "status tells the sources in force")


def refusals(report: Report, agent: typing.Any, router: Host) -> None:
    report.check(not agent.succeeds("attach", "eth9", "--from", "10.1.255.0/24"), "no interface: refused")
    report.check(not agent.succeeds("attach", "eth0", "--from", "10.1.255.7/24"), "host bits in a prefix: refused")
    report.check(not agent.succeeds("attach", "eth0"), "no source: refused")
    # The router's namespace has no eth0, so give it one: the same name and pin, another interface.
    router.ip("link add eth0 type veth peer name eth0-peer")
    other = Agent(router, agent.bpf_dir)
    report.check(not other.succeeds("attach", "eth0", "--from", "10.1.255.0/24"),
                 "the pin of an interface in another namespace is not touched")
    report.check(not other.succeeds("detach", "eth0"), "nor removed")
    router.ip("link del eth0")


class Passing:
    """A sender of segments that name an earlier owner, and that owner, on the backend's switch."""

    COUNT = 10

    def __init__(self, site: Site) -> None:
        self.site, self.n = site, 0
        self.backend = site.backends[0].host
        self.sender = site._attach("sender", "eth0", "10.1.1.200", "fd00:1:1::200")
        self.owner = site._attach("owner", "eth0", "10.1.1.201", "fd00:1:1::201")
        self.out, self.seen = listen(self.sender, "eth0"), listen(self.owner, "eth0")

    def send(self, mac: str, six: bool, marker: bytes) -> None:
        """A segment of no connection, in GUE with one owner to be asked next."""
        source, target, owner = ("fd00:1:ff::9", "fd00:1:1::11", "fd00:1:1::201") if six else \
            ("10.1.255.9", "10.1.1.11", "10.1.1.201")
        inner = ip_packet("198.51.100.9", self.site.plan.vip4, TCP, segment(2000 + self.n, marker))
        gue = bytes([5 if six else 2, 4, 0, 0, 1, 1, 0, 0]) + packed(owner) + inner
        outer = struct.pack("!HHHH", 50123, 6080, 8 + len(gue), 0) + gue
        self.out.send(frame(mac, self.sender.mac("eth0"), target, ip_packet(source, target, UDP, outer)))

    def passed_on(self, mac: str, n_expected: typing.Any) -> int:
        """How many of COUNT segments of each family to this MAC address reach the owner, each counted as often as it does.
        Waits long only for those that should come."""
        found, markers = 0, set()
        for six in (False, True) * self.COUNT:
            self.n += 1
            markers.add(b"WEIR-AGENT-%08d" % self.n)
            self.send(mac, six, b"WEIR-AGENT-%08d" % self.n)
        while select.select([self.seen], [], [], 5 if found < n_expected else 0.7)[0]:
            data, address = self.seen.recvfrom(4096)
            at = data.find(b"WEIR-AGENT-")
            found += at >= 0 and data[at:at + 19] in markers and address[2] == PACKET_HOST
        return found


def frames_of_others(report: Report, site: Site, agent: typing.Any, prefixes: str) -> None:
    """What reaches an earlier owner by an agent, of frames that a bridge shows to all."""
    say("only frames for the interface's own MAC address are passed on")
    passing = Passing(site)
    host, every, stacked, changed = passing.backend, 2 * Passing.COUNT, "02:00:00:00:05:01", "02:00:00:00:05:02"
    own, owners = host.mac("eth0"), ("--owners", "10.1.1.0/24,fd00:1:1::/64")
    agent.run("attach", "eth0", "--from", ",".join(prefixes), *owners)

    def expect_passed(mac: str, times: typing.Any, what: str) -> None:
        report.equal(passing.passed_on(mac, times), times, f"passed on, {what}")

    expect_passed(own, every, "to the interface's address: each once")
    expect_passed(OTHER, 0, "to another host's: none")
    expect_passed(GROUP, 0, "to a group: none")
    expect_passed(ALL, 0, "to all: none")
    host.ip(f"link set eth0 address {changed}")
    expect_passed(changed, every, "to the address that the interface has now: each once")
    expect_passed(own, 0, "to the one that it had: none")
    host.ip(f"link set eth0 address {own}")
    expect_passed(own, every, "to the old one again: each once")
    host.ip(f"link add name vrrp0 link eth0 address {stacked} type macvlan mode bridge", "link set vrrp0 up")
    host.address("vrrp0", "10.1.1.12/24", "fd00:1:1::12/64")
    expect_passed(stacked, 0, "to an interface on top, by the agent below: none")
    agent.run("detach", "eth0")
    agent.run("attach", "vrrp0", "--from", ",".join(prefixes), *owners)
    expect_passed(stacked, every, "by the agent of the interface on top: each once")
    agent.run("detach", "vrrp0")
    host.ip("link del vrrp0")
    agent.attach(*prefixes)


def run(report: Report) -> None:
    with Lab("agent") as lab:
        world = World(lab, planning.simple(1, 1, api=False), resolvers=())
        site, backend = world.sites[0], world.sites[0].backends[0]
        prefixes = [site.plan.tunnel4, site.plan.tunnel6]
        site.node.write_config()
        site.node.write_effective()
        backend.start()
        agent = Agent(backend.host, f"{lab.bpf_dir}/agent-{backend.host.name}")
        report.check(not agent.succeeds("status", "eth0"), "status before: there is none")
        agent.attach(*prefixes)
        report.equal(agent.status()["mode"], "native", "native where the driver can")
        site.node.start("dataplane", "health")
        site.wait_until_forwarding()
        targets = [site.plan.vip4]
        wait_until(lambda: world.client.run(["curl", "-s", "-m", "1", f"http://{site.plan.vip4}/healthz"], False), 20,
                   "the VIP answers", 0.2)
        time.sleep(1)  # checks and neighbours are settled before the crowd begins
        client = world.start_client("crowd", 200, targets=targets)
        crowd = Crowd(f"{lab.dir}/crowd.requests", client, {site.plan.vip4: "ams"})
        time.sleep(1)  # requests of before the first replacement
        report.step(replaced_under_traffic, report, agent, crowd, prefixes)
        client.stop(10)
        report.step(other_sources, report, agent, prefixes, site.node)
        report.step(refusals, report, agent, world.router)
        report.step(frames_of_others, report, site, agent, prefixes)
        report.step(check_node, report, site.node)
        agent.run("detach", "eth0")
        report.check(not agent.succeeds("status", "eth0"), "detached: there is none")
        report.check("prog/xdp" not in backend.host.run(["ip", "link", "show", "eth0"]), "and no program on the port")
        report.check(not agent.succeeds("detach", "eth0"), "detaching again says so")


if __name__ == "__main__":
    sys.exit(Report.main(run))
