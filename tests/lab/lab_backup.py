# SPDX-License-Identifier: BSD-2-Clause
"""Two sites whose pools back each other up: own backends die, and new flows go through the tunnel to the other site's.

    lab_backup.py [--quick] [--dpdk]     --quick leaves out what takes longest: the return, and backup_max

Clients of both families connect to the VIPs of ams, without DNS. What is shown:
- the nodes of ams probe the backends of fra through the tunnel to ams's VIPs
- all own backends die: after the last verdict every new connection is served by fra
- a connection that began at the backup goes on after own backends have returned
- what backup_max does not allow is dropped with a reason of its own
- a backup that does not serve this VIP is not used, and the node says why; nor is one that only small packets reach
- a drill: new connections of one prefix are served by fra, and nothing else changes (backup_drill.py)
- a drained site: late clients are served by the backup, and no connection fails
- both sites drained: neither uses the other
"""
from __future__ import annotations

import dataclasses
import json
import os
import socket
import sys
import time
import typing

import plan as planning
from backup_drill import drill_all
from net import Lab, entered, say, wait_until
from report import Report
from site_drain_world import BackupSite
from watch import now_ms
from world import World, read_requests

if typing.TYPE_CHECKING:
    from world import Node, Request

CHECK = ('type = "http"; port = 80; path = "/healthz"; expect = 200; via = "tunnel"; interval = "200ms"; '
         'fast_interval = "50ms"; timeout = "200ms"; rise = 2; fall = 2;')
BACKUP = 'backup = "web-{pool}"; backup_max = {{ new_flows = "{flows}"; bits = "1Gbit"; }}; '
OTHER = {"ams": "fra", "fra": "ams"}
SWITCH_MS = 200  # from the last verdict to the backup
RATE = 200.0


class BackupWorld(World):
    site_class = BackupSite

    def __init__(self, lab: Lab, driver: str) -> None:
        plan = planning.simple(2, 2, check=CHECK, min_healthy="50%", settle_time="60s", ttl_min="5s", ttl_max="5s")
        for planned in plan.sites:
            planned.driver = driver
        super().__init__(lab, plan, resolvers=())
        self.limit_flows("2k/s")
        for site in self.sites:
            typing.cast(BackupSite, site).serve_others()
        self.start_backends()
        for node in self.nodes:
            node.start()
        self.node = self.sites[0].node

    def limit_flows(self, flows: str) -> None:
        for site in self.plan.sites:
            site.backup = BACKUP.format(pool=OTHER[site.name], flows=flows)
        self.write_configs()


def targets(node: Node, site: str) -> list[dict[str, typing.Any]]:
    """What a node's weir-health says of the backends of a site."""
    try:
        return [t for t in node.ctl("health", {"do": "list"})["targets"] if str(t.get("backend", "")).startswith(site)]
    except (OSError, KeyError):
        return []


def all_are(node: Node, site: str, state: str) -> bool:
    rows = targets(node, site)
    return bool(rows) and all(t["state"] == state for t in rows)


def wait_for(node: Node, site: str, state: str, what: str, timeout_s: float = 20) -> int:
    """Wait until all backends of a site are in a state; returns the time."""
    wait_until(lambda: all_are(node, site, state), timeout_s, what, 0.005)
    return now_ms()


def gauge(node: Node, name: str) -> int:
    return int(node.stats("dataplane").get((f"weir_dataplane_pool_{name}", 'pool="web-ams"'), -1))


def dropped(node: Node) -> int:
    return sum(v for (name, labels), v in node.stats("dataplane").items() if 'reason="backup_full"' in labels)


def conditions(node: Node) -> str:
    """The conditions that a node's dataplane states, as text."""
    return json.dumps(node.weir_json("status"))


def measured(node: Node) -> dict[str, typing.Any]:
    """What a node says of its backup to the owner of an operation."""
    peer, cluster = node.api("GET", "/v1/peers")[1]["items"][0]["node"], node.api("GET", "/v1/node")[1]["cluster"]
    question = {"node": peer, "cluster": cluster, "query": "operations", "measure": True}
    said = (node.api("POST", "/v1/peer/exchange", question)[1] or {}).get("measure") or {}
    rows = said.get("backups") or [{}]
    return typing.cast("dict[str, typing.Any]", rows[0])


def drain_everywhere(world: BackupWorld, name: str) -> tuple[int, typing.Any]:
    """Drain a site at once, on each node: they are no peers here. All guards are overridden that are named."""
    answer: tuple[int, typing.Any] = (0, None)
    for node in world.nodes:
        body: dict[str, typing.Any] = {"do": "drain", "target": {"site": name}, "now": True, "until": "+1h", "reason": "lab"}
        answer = node.api("POST", "/v1/overrides", body)
        guards = [g["guard"] for g in answer[1].get("guards", [])] if answer[0] == 409 else []
        if guards:
            answer = node.api("POST", "/v1/overrides", {**body, "override_guards": guards})
    return answer


@dataclasses.dataclass
class Crowd:
    """Clients that connect to the VIPs of ams from now on."""
    world: BackupWorld
    tag: str
    process: typing.Any = None

    def __enter__(self) -> Crowd:
        self.process = self.world.start_client(self.tag, RATE, targets=self.world.plan.sites[0].vips)
        return self

    def __exit__(self, *exception: typing.Any) -> None:
        self.process.stop(10)

    def requests(self, since_ms: float = 0) -> list[Request]:
        return [r for r in read_requests(os.path.join(self.world.lab.dir, f"{self.tag}.requests")) if r.start_ms >= since_ms]


def failed(requests: list[Request]) -> list[Request]:
    return [r for r in requests if r.result != "ok"]


def served_by(requests: list[Request]) -> set[str]:
    return {r.backend.split("-")[0] for r in requests if r.result == "ok"}


def deaths(report: Report, world: BackupWorld) -> None:
    """All own backends die while clients of both families connect."""
    own, six = world.sites[0].backends, world.plan.sites[0].vip6
    with Crowd(world, "deaths") as crowd:
        time.sleep(2)  # connections to own backends
        for backend in own:
            backend.kill()
        verdict = wait_for(world.node, "ams", "down", "both own backends are down")
        time.sleep(4)  # connections to the backup
    after = crowd.requests(verdict + SWITCH_MS)
    late = [r.start_ms - verdict for r in failed(crowd.requests(verdict))]
    report.equal(served_by(crowd.requests(0)), {"ams", "fra"}, "first ams served, then fra")
    report.between(max(late, default=0), 0, SWITCH_MS, "ms from the last verdict to the last connection that failed")
    report.equal(failed(after)[:3], [], "every later connection is served")
    report.check(len(after) > 300 and served_by(after) == {"fra"}, "by fra", len(after))
    report.check(sum(r.target == six for r in after) > 100, "in both families")
    report.equal(gauge(world.node, "class"), 1, "the node says that the backup serves")
    report.check("backup-serves" in conditions(world.node), "status says so")


def drill(report: Report, world: BackupWorld) -> None:
    """New flows of one prefix go to the backup for a while, in both families."""
    drill_all(report, world, world.node)


def returns(report: Report, world: BackupWorld) -> None:
    """Own backends return; a connection that is with the backup stays there."""
    with entered(world.client.ns), socket.create_connection((world.plan.sites[0].vip4, 80), 5) as s:
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        report.check(b"200" in s.recv(4096), "a connection begins at the backup")
        for backend in world.sites[0].backends:
            backend.start()
        wait_for(world.node, "ams", "up", "own backends are up again")
        wait_until(lambda: gauge(world.node, "class") == 0, 20, "own backends take new flows again", 0.1)
        wait_until(lambda: gauge(world.node, "backup_slots") == 0, 10, "all slots are theirs", 0.1)
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        report.check(b"200" in s.recv(4096), "the connection goes on at the backup")
    with Crowd(world, "returns") as crowd:
        time.sleep(3)  # connections to own backends
    report.equal((served_by(crowd.requests()), failed(crowd.requests())[:3]), ({"ams"}, []), "new connections go to ams")


def limit(report: Report, world: BackupWorld) -> None:
    """backup_max is a part of what comes."""
    world.limit_flows("50/s")
    world.node.weir("apply", os.path.join(world.node.conf, "weir.conf"), "--reason", "lab", check=False)
    with Crowd(world, "limit") as crowd:
        time.sleep(4)  # the load of own backends is measured
        for backend in world.sites[0].backends:
            backend.kill()
        wait_for(world.node, "ams", "down", "both own backends are down")
        began = now_ms()
        time.sleep(6)  # what is allowed is served, the rest dropped
    served = [r for r in crowd.requests(began + SWITCH_MS) if r.result == "ok"]
    report.check(dropped(world.node) > 100, "packets are dropped with the reason backup_full", dropped(world.node))
    report.between(len(served) / 5.8, 15, 65, "connections a second that the backup got, of 50")
    report.equal(served_by(served), {"fra"}, "all of them from fra")
    for backend in world.sites[0].backends:
        backend.start()
    world.limit_flows("2k/s")
    world.node.weir("apply", os.path.join(world.node.conf, "weir.conf"), "--reason", "lab", check=False)
    wait_until(lambda: gauge(world.node, "class") == 0, 40, "own backends take new flows again", 0.1)


def unserved(report: Report, world: BackupWorld) -> None:
    """The backup's backends do not have ams's VIPs."""
    site = world.plan.sites[0]
    for backend in world.sites[0].backends:
        if not (backend.nginx and backend.nginx.alive()):
            backend.start()
    wait_until(lambda: gauge(world.node, "class") == 0, 40, "own backends take new flows", 0.1)
    for backend in world.sites[1].backends:
        backend.host.ip(f"addr del {site.vip4}/32 dev lo", f"-6 addr del {site.vip6}/128 dev lo")
    wait_for(world.node, "fra", "down", "ams sees that fra does not serve its VIPs")
    report.check(all_are(world.sites[1].node, "fra", "up"), "fra's own check sees nothing of it")
    for backend in world.sites[0].backends:
        backend.kill()
    wait_for(world.node, "ams", "down", "both own backends are down")
    wait_until(lambda: "backup-unused" in conditions(world.node), 10, "status says that the backup is not used", 0.2)
    report.equal((gauge(world.node, "class"), gauge(world.node, "backup_slots")), (0, 0), "the backup gets nothing")
    row = measured(world.node)
    report.check(row.get("ready") is False and "loopback" in row.get("detail", ""), "an operation would learn why", row)
    report.check("backup=web-fra class=own" in world.node.weir("why", "service", "web", check=False), "weir why service says so")
    for backend in world.sites[1].backends:
        backend.host.address("lo", f"{site.vip4}/32", f"{site.vip6}/128")
    wait_until(lambda: gauge(world.node, "class") == 1, 20, "it serves as soon as it can", 0.1)
    for backend in world.sites[0].backends:
        backend.start()
    wait_until(lambda: gauge(world.node, "class") == 0, 40, "own backends take new flows again", 0.1)


def narrow(report: Report, world: BackupWorld) -> None:
    """On the way to fra only packets of 1,400 bytes get through."""
    for backend in world.sites[1].backends:
        world.router.ip(f"link set p-{backend.name} mtu 1400")
    wait_for(world.node, "fra", "down", "a packet of full size does not get through, so the backup is no use")
    report.check(all_are(world.sites[1].node, "fra", "up"), "fra's own check, with small packets, sees nothing of it")
    report.wait(lambda: any(text in measured(world.node).get("detail", "") for text in ("a smaller MTU", "fit in the tunnel")), 5,
                "an operation would learn why", 0.1)
    for backend in world.sites[1].backends:
        world.router.ip(f"link set p-{backend.name} mtu 1600")
    wait_for(world.node, "fra", "up", "the way is as wide as it should be")


def late(report: Report, world: BackupWorld) -> None:
    """The site is drained while its own backends are well: who still comes after a TTL is served by the backup."""
    for backend in world.sites[0].backends:
        if not (backend.nginx and backend.nginx.alive()):
            backend.start()
    wait_for(world.node, "ams", "up", "own backends are up")
    wait_until(lambda: gauge(world.node, "class") == 0, 40, "own backends take new flows", 0.1)
    with Crowd(world, "late") as crowd:
        began = now_ms()
        status, said = drain_everywhere(world, "ams")
        report.check(status in (200, 201), "ams is drained", status if status in (200, 201) else said)
        wait_until(lambda: gauge(world.node, "class") == 1, 20, "the backup takes new flows", 0.1)
        report.between(now_ms() - began, 5000, 9000, "ms from the drain to the backup: a TTL of 5 s")
        wait_until(lambda: gauge(world.node, "backup_slots") > 0, 5, "slots are announced first, and then moved", 0.05)
        time.sleep(1)  # all slots have moved
        moved = now_ms()
        time.sleep(3)  # late clients
    report.equal(failed(crowd.requests())[:3], [], "no connection fails, before, during or after")
    report.equal(served_by(crowd.requests(moved)), {"fra"}, "late clients are served by fra")


def mutual(report: Report, world: BackupWorld) -> None:
    """Both sites are drained: each is the other's backup, and neither is used."""
    status, said = drain_everywhere(world, "fra")  # as ams is
    report.check(status in (200, 201), "fra is drained, too", status if status in (200, 201) else said)
    for backend in world.sites[0].backends:
        backend.kill()
    wait_for(world.node, "ams", "down", "own backends are down")
    wait_until(lambda: "backup-unused" in conditions(world.node), 10, "the backup is needed and not used", 0.2)
    report.wait(lambda: gauge(world.node, "backup_slots") == 0, 5, "no new flow goes to a drained site", 0.05)


def run(report: Report) -> None:
    driver = "dpdk" if "--dpdk" in sys.argv else "xdp"
    with Lab(f"backup_{driver}") as lab:
        world = BackupWorld(lab, driver)
        wait_for(world.node, "ams", "up", "own backends are up", 60)
        wait_for(world.node, "fra", "up", "the backup is probed through the tunnel, and up", 60)
        report.check(all(t["via"] == "tunnel" for t in targets(world.node, "fra")), "through the tunnel")
        report.wait(lambda: measured(world.node).get("ready") is True, 10, "an operation would learn that it is ready", 0.1)
        scenes = (drill, narrow, deaths, unserved, late, mutual) if "--quick" in sys.argv else (drill, deaths, returns, limit, unserved, narrow, late, mutual)
        for scene in scenes:
            say(f"{scene.__name__}: {scene.__doc__}")
            report.step(scene, report, world)


if __name__ == "__main__":
    sys.exit(Report.main(run))
