# SPDX-License-Identifier: BSD-2-Clause
"""README's own example made real: two sites, no `vip_check`, no controls; addresses as they stand there.

    router: br-ams 10.1.255.254/16, br-fra 10.2.255.254/16; a client and a spare host behind it
"""
from __future__ import annotations

import os
import re
import shutil
import time
import types
import typing

from net import ROOT, call, say, wait_until
from servers import Backend, pass_program
from store import Store, write_conf
from world import SITE_MTU, Node

if typing.TYPE_CHECKING:
    from net import Lab
    from report import Report
    from net import Host

NAME, SUBNETS = "www.shop.example", 32
NEW_VIP = "192.0.2.99"
ZONE = """$TTL 60
@ SOA ns hostmaster 1 3600 900 1209600 30
@ NS ns
ns A 192.0.2.53
"""
SITES: dict[str, dict[str, typing.Any]] = {
    "ams": {"index": 1, "node": "10.1.0.1", "vip": "203.0.113.10", "dns": "192.0.2.53",
            "backends": {"ams-b1": "10.1.1.11", "ams-b2": "10.1.1.12"}},
    "fra": {"index": 2, "node": "10.2.0.1", "vip": "198.51.100.10", "dns": "198.51.100.53",
            "backends": {"fra-b1": "10.2.1.11"}},
}


def readme_example() -> typing.Any:
    """The configuration that README shows."""
    with open(os.path.join(ROOT, "README.md")) as f:
        return re.search(r"```\n(schema = 1;.*?)```", f.read(), re.S)[1]


class Example:
    def __init__(self, lab: Lab) -> None:
        self.lab, self.config = lab, readme_example()
        self.nodes: dict[typing.Any, typing.Any] = {}
        self.backends: list[typing.Any] = []
        self.router = lab.host("router")
        self.router.forward()
        self._certificate()
        Store(lab, self.router)
        for name, site in SITES.items():
            self._site(name, site)
        self.client = self._host("client", "br-client", "10.99.0.2", "10.99.0.1/24", "10.99.0.1")
        self.spare = self._host("spare", "br-spare", "10.98.0.2", "10.98.0.1/24", "10.98.0.1")

    def _certificate(self) -> None:
        names = ",".join(f"IP:{s['node']}" for s in SITES.values())
        call(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
              "-days", "30", "-subj", "/CN=weir lab", "-addext", f"subjectAltName={names}",
              "-keyout", os.path.join(self.lab.dir, "tls.key"), "-out", os.path.join(self.lab.dir, "tls.crt")])

    def _host(self, name: str, switch: str, address: str, gateway: str | None = None, via: str | None = None) -> Host:
        """A host on a switch of the router's, made with it if @gateway is given."""
        if gateway:
            self.lab.bridge(self.router, switch, SITE_MTU)
            self.router.address(switch, gateway)
        host = self.lab.host(name)
        self.lab.port(self.router, switch, f"p-{name}", host, "eth0", SITE_MTU)
        host.address("eth0", f"{address}/{'24' if gateway else '16'}")
        host.route("default", via)
        return host

    def _site(self, name: str, site: dict[str, typing.Any]) -> None:
        switch, gateway = f"br-{name}", f"10.{site['index']}.255.254"
        self.lab.bridge(self.router, switch, SITE_MTU)
        self.router.address(switch, f"{gateway}/16")
        host = self.lab.host(f"{name}-1")
        self.lab.port(self.router, switch, f"p-{name}-1", host, "eth1", SITE_MTU)
        self.router.ip(f"link set dev p-{name}-1 xdp obj {pass_program()} sec xdp")
        host.address("eth1", f"{site['node']}/16")
        host.address("lo", f"{site['dns']}/32")
        host.route("default", gateway)
        self.router.route(f"{site['vip']}/32", site["node"])
        self.router.route(f"{site['dns']}/32", site["node"])
        self.router.ip(f"rule add iif {switch} from {site['node']} to {site['vip']} blackhole pref 8")
        self.nodes[name] = Node(types.SimpleNamespace(), types.SimpleNamespace(node=f"{name}-1"), host)  # type: ignore[arg-type]  # what is used of them
        for backend, address in site["backends"].items():
            machine = Backend(self._host(backend, switch, address, via=gateway), backend, [address], [site["vip"]])
            machine.start()
            machine.attach_agent([f"10.{site['index']}.255.0/24"])
            self.backends.append(machine)

    def write(self, config: typing.Any) -> None:
        for node in self.nodes.values():
            files = {"weir.conf": config, "shop.example.zone": ZONE,
                     "hash.key": "000102030405060708090a0b0c0d0e0f\n", "peer.token": "p" * 43 + "\n"}
            for name, text in files.items():
                path = os.path.join(node.conf, name)
                with open(path, "w") as f:
                    f.write(text)
                os.chmod(path, 0o600 if name in ("hash.key", "peer.token") else 0o644)
            for name, source in (("tls.crt", "tls.crt"), ("tls.key", "tls.key"), ("tls.ca", "tls.crt")):
                shutil.copy(os.path.join(self.lab.dir, source), os.path.join(node.conf, name))
            write_conf(node.conf)

    def named(self, site: str) -> set[typing.Any]:
        """The addresses that a site's server answers with, over many client prefixes."""
        questions = [w for i in range(SUBNETS) for w in ("-q", NAME, "-t", "A", f"+subnet=100.64.{i}.0/24")]
        return set(self.client.run(["kdig", f"@{SITES[site]['dns']}", "+short", "+timeout=1", "+retry=1", *questions],
                                   timeout=120, check=False).split())

    def blind(self, do: str) -> None:
        """What the nodes send to each other's VIPs is lost; all else works."""
        self.router.ip(*(f"rule {do} iif br-{a} to {SITES[b]['vip']} blackhole pref 7"
                         for a, b in (("ams", "fra"), ("fra", "ams"))))

    def codes(self, site: str) -> typing.Any:
        """The conditions that a node's status shows: {(code, subject)}, and its text."""
        text = self.nodes[site].weir("status", check=False)
        return text

    def unreachable(self, report: Report) -> None:
        """An upgrade: the node begins to check VIPs that it cannot reach."""
        both = {s["vip"] for s in SITES.values()}
        say("the nodes start, and cannot reach each other's VIPs")
        for name in SITES:
            wait_until(lambda s=name: self.named(s) == both, 60, f"{name} answers with both sites", 0.2)
        end, missed = time.monotonic() + 8, []
        while time.monotonic() < end:
            missed += [name for name in SITES if self.named(name) != both]
            time.sleep(0.3)  # looked at for eight seconds
        report.equal(missed, [], "a check that never succeeded takes no site out of any answer")
        for name, other in (("ams", "fra"), ("fra", "ams")):
            seen = self.nodes[name].weir_json("status")
            report.equal(seen.get("state"), "degraded", f"{name} is degraded meanwhile")
            report.check(SITES[other]["vip"] in self.codes(name), f"{name} names the path")

    def reachable(self, report: Report) -> None:
        say("the path is opened")
        self.blind("del")
        for name, other in (("ams", "fra"), ("fra", "ams")):
            report.wait(lambda n=name, o=other: SITES[o]["vip"] not in self.codes(n), 30,
                        f"with the path open the checks of {name} have a vote", 0.3)

    def unreachable_here(self, report: Report) -> None:
        """The routes of a node itself refuse the other site's VIP: that says nothing about the site."""
        say("fra's own routes refuse the VIP of ams")
        vip, missed = SITES["ams"]["vip"], 0
        fra = self.nodes["fra"].host
        fra.ip(f"route add unreachable {vip}")
        end = time.monotonic() + 5
        while time.monotonic() < end:
            missed += vip not in self.named("fra")
            time.sleep(0.3)  # looked at for five seconds
        fra.ip(f"route del unreachable {vip}")
        report.equal(missed, 0, "a site is not taken out for a route that the node itself refuses")
        wait_until(lambda: vip in self.named("fra"), 30, "ams is answered", 0.3)

    def effect_of_ams(self) -> tuple[str, int]:
        effect = self.nodes["fra"].weir_json("status")["sites"][0]["effect"]
        return effect["state"], effect["weight_share_ppm"]

    def withdrawn(self, report: Report) -> None:
        """The router has no route to a VIP any more, and says so to each packet."""
        say("the router withdraws the VIP of ams, and answers that the network is unreachable")
        vip = SITES["ams"]["vip"]
        self.router.sysctl({"net.ipv4.icmp_ratelimit": 0, "net.ipv4.icmp_msgs_per_sec": 100000})
        self.router.ip(f"route del {vip}/32")
        report.wait(lambda: vip not in self.named("fra"), 15, "a site whose VIP a router calls unreachable leaves the answers", 0.3)
        for name, node in self.nodes.items():
            wait_until(lambda n=node: "have taken site ams out of the answers" in n.weir("status", check=False), 5,
                       f"{name} says that ams is out", 0.3)
            report.equal(node.weir_json("status").get("state"), "degraded", f"{name} is degraded meanwhile")
        # the reason is read from a page, the share is asked of weir-dns: they may differ for a moment
        report.wait(lambda: self.effect_of_ams() == ("out", 0), 3, "the share of a site that is out is 0", 0.2)
        self.router.route(f"{vip}/32", SITES["ams"]["node"])
        report.wait(lambda: vip in self.named("fra"), 30, "and is answered again when the route is back", 0.3)

    def later_vip(self, report: Report) -> None:
        say("a version adds a site whose VIP nobody can reach")
        config = self.config.replace('{ name = "fra"; weight = 100; }', '{ name = "fra"; weight = 100; }, { name = "par"; weight = 100; }')
        config = config.replace('vips = (', f'vips = ( {{ name = "shop-par"; site = "par"; addresses = [ "{NEW_VIP}" ]; }},')
        config = config.replace('pools = (', 'pools = ( { name = "web-par"; site = "par"; backends = '
                                '( { name = "par-b1"; address = "10.98.0.2"; } ); },')
        config = config.replace('pool = "web-fra"; }', 'pool = "web-fra"; }, { site = "par"; vip = "shop-par"; pool = "web-par"; }')
        self.write(config)
        plan = self.nodes["ams"].weir("plan", check=False)
        report.check("VIP shop-par: 2 probes a second from 2 nodes of other sites (before: 0)" in plan,
                     "plan tells how many probes the VIP will receive")
        self.nodes["ams"].weir("apply", "--reason", "par", "--confirm-within", "none", check=False)
        both = {s["vip"] for s in SITES.values()}
        for node in self.nodes.values():
            wait_until(lambda n=node: "par" in [s["name"] for s in n.weir_json("status").get("sites", [])], 30,
                       f"{node.name} has the version", 0.3)
        end, wrong = time.monotonic() + 6, []
        while time.monotonic() < end:
            wrong += [name for name in SITES if self.named(name) != both]
            time.sleep(0.3)  # looked at for six seconds
        report.equal(wrong, [], "a VIP that nobody has seen up gets no traffic")
        self.spare.address("lo", f"{NEW_VIP}/32")
        self.router.route(f"{NEW_VIP}/32", "10.98.0.2")
        Backend(self.spare, "par-b1", ["10.98.0.2"]).start()
        for name in SITES:
            report.wait(lambda s=name: self.named(s) == both | {NEW_VIP}, 30, f"once it was seen up {name} answers with it", 0.2)

    def killed(self, report: Report) -> int | None:
        """Everything from and to ams is lost, in silence. Returns when the last answer named it, in ms."""
        say("ams is killed")
        vip = SITES["ams"]["vip"]
        self.router.ip("rule add iif br-ams blackhole pref 5",
                       *(f"rule add to {a} blackhole pref 5" for a in (vip, SITES["ams"]["dns"], "10.1.0.0/16")))
        began, last = time.monotonic(), 0.0
        while time.monotonic() < began + 15:
            asked_at = time.monotonic()
            if vip in self.named("fra"):
                last = asked_at
            elif last < asked_at - 3:
                break
            time.sleep(0.05)  # the time of the last such answer is measured
        report.check(last and time.monotonic() < began + 15, "the site that is left answers for both")
        return round((last - began) * 1000) if last else None

    def run(self, report: Report) -> int | None:
        self.write(self.config)
        self.blind("add")
        for node in self.nodes.values():
            node.start()
        self.unreachable(report)
        self.reachable(report)
        self.unreachable_here(report)
        self.withdrawn(report)
        self.later_vip(report)
        ms = self.killed(report)
        for node in self.nodes.values():
            node.kill_all()
        return ms
