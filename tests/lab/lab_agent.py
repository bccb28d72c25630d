# SPDX-License-Identifier: BSD-2-Clause
"""The backend agent by `weir agent`: attached again under traffic, told other sources, detached; and what it refuses.

One site, one backend, a dataplane; new connections all the time.
"""
import json
import sys
import time

import plan as planning
from net import Lab, executable, say, wait_until
from report import Report
from watch import Crowd, now_ms
from world import World


class Agent:
    """`weir agent` on one host."""

    def __init__(self, host, bpf_dir):
        self.host, self.bpf_dir = host, bpf_dir

    def run(self, *words, check=True):
        return self.host.run([executable("weir"), "--bpf-dir", self.bpf_dir, "agent", *words], check)

    def attach(self, *prefixes):
        self.run("attach", "eth0", "--from", ",".join(prefixes))

    def status(self):
        return json.loads(self.run("status", "eth0", "--json"))

    def counts(self):
        return {c["reason"]: c["packets"] for c in self.status()["counts"]}

    def succeeds(self, *words):
        try:
            self.run(*words)
            return True
        except Exception:  # the harness's LabError
            return False


def replaced_under_traffic(report, agent, crowd, prefixes):
    say("attached again twenty times under traffic")
    since, before, programs = now_ms(), agent.counts(), set()
    for _ in range(20):
        agent.attach(*prefixes)
        programs.add(agent.status()["program"])
        time.sleep(0.1)
    time.sleep(1)
    report.equal(len(programs), 20, "each time another program")
    report.equal([r for r in crowd.between(since, now_ms() - 500) if r.result != "ok"][:3], [], "no request fails")
    report.check(len(crowd.between(since, now_ms())) > 300, "requests meanwhile")
    after = agent.counts()
    report.check(after["gue"] > before["gue"] + 1000, "counters go on over replacements",
                 (before["gue"], after["gue"]))


def other_sources(report, agent, prefixes, node):
    say("told other sources, it drops the node's tunnels by name")
    before = agent.counts()["source-refused"]
    agent.attach("192.0.2.0/24")
    time.sleep(0.5)
    after = agent.counts()["source-refused"]
    report.check(after > before, "tunnels from elsewhere are counted", after - before)
    state = wait_until(lambda: [r for r in node.ctl("health", {"do": "list"})["targets"] if r["state"] == "down"], 5,
                       "the tunnel check sees it")
    report.equal(state[0]["last"], "timeout", "and the check says so")
    agent.attach(*prefixes)
    wait_until(lambda: all(r["state"] == "up" for r in node.ctl("health", {"do": "list"})["targets"]), 5, "up again")
    report.equal(agent.status()["from"], sorted(prefixes), "status tells the sources in force")


def refusals(report, agent, router):
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


def run(report):
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
        targets = [site.plan.vip4]
        wait_until(lambda: world.client.run(["curl", "-s", "-m", "1", f"http://{site.plan.vip4}/healthz"], False), 20,
                   "the VIP answers", 0.2)
        time.sleep(1)
        client = world.start_client("crowd", 200, targets=targets)
        crowd = Crowd(f"{lab.dir}/crowd.requests", client, {site.plan.vip4: "ams"})
        time.sleep(1)
        replaced_under_traffic(report, agent, crowd, prefixes)
        client.stop(10)
        other_sources(report, agent, prefixes, site.node)
        refusals(report, agent, world.router)
        agent.run("detach", "eth0")
        report.check(not agent.succeeds("status", "eth0"), "detached: there is none")
        report.check("prog/xdp" not in backend.host.run(["ip", "link", "show", "eth0"]), "and no program on the port")
        report.check(not agent.succeeds("detach", "eth0"), "detaching again says so")


if __name__ == "__main__":
    sys.exit(Report.main(run))
