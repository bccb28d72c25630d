# SPDX-License-Identifier: BSD-2-Clause
"""The world of lab changes: two sites, everything in the configuration that a change can hurt, and a crowd of users.

    ams: four backends; pool web-ams (b1..b4), udp-ams (b1, b2; no check), spare-ams (b4 alone); a second port, eth2
    fra: two backends; a fifth of the traffic
"""
from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import time
import typing

import plan as planning
from changes_crowd import Crowd
from dns_probe import answer, query
from net import ROOT, LabError, comes_true, entered, executable, wait_until
from world import World

if typing.TYPE_CHECKING:
    from net import Lab
    from servers import Backend
    from world import Node
    from net import Process

SERVICE_PORT = 443
KEY = "000102030405060708090a0b0c0d0e0f\n"
CHECK = ('type = "http"; path = "/healthz"; expect = 200; via = "tunnel"; interval = "400ms"; fast_interval = "200ms"; '
         'timeout = "350ms"; rise = 2; fall = 4; damp_turns = 50;')
VIP_CHECK = ('type = "http"; path = "/healthz"; expect = 200; interval = "400ms"; fast_interval = "200ms"; '
             'timeout = "350ms"; rise = 2; fall = 4;')


def make_plan(spare: int = 0) -> planning.Plan:
    """@param spare  backends of ams that the configuration does not name"""
    plan = planning.simple(2, 4)
    for site in plan.sites:
        site.backends = [planning.backend_plan(site, k, six=False) for k in range(1, 5 + spare if site.name == "ams" else 3)]
    plan.sites[1].weight = 20
    return plan


def config_text(plan: planning.Plan) -> str:
    """The configuration that all changes are made to."""
    ams, fra = plan.sites

    def backends(site: planning.SitePlan, which: typing.Any, weight: int = 100) -> str:
        return ",\n      ".join(f'{{ name = "{b.name}"; address = "{b.address}"; weight = {weight}; }}'
                                for b in site.backends if int(b.name[-1]) in which)

    def node(site: planning.SitePlan, ports: typing.Any) -> str:
        return (f'{{ name = "{site.node}"; site = "{site.name}"; driver = "xdp"; ports = ( {ports} ); mtu = 1500; '
                f'tunnel_source = [ "{site.tunnel4}", "{site.tunnel6}" ];\n'
                f'    dns_listen = [ "{site.dns4}", "{site.dns6}" ]; api = "{site.api}"; '
                f'controls = [ "{site.gateway4}" ]; clock = "trusted"; }}')

    def pool(name: str, site: planning.SitePlan, members: typing.Any, check: typing.Any) -> str:
        return (f'{{ name = "{name}"; site = "{site.name}"; {check}mode = "gue"; agent = false; max_backends = 16;\n'
                f'    min_healthy = "50%"; max_remove = "30%"; settle_time = "60s"; idle_time = "30s";\n'
                f'    backends = (\n      {members} ); }}')

    def at(site: planning.SitePlan, pool_name: typing.Any, more: str = "") -> str:
        return f'    {{ site = "{site.name}"; vip = "{site.vip}"; pool = "{pool_name}";{more} }}'
    return f"""# the lab's configuration
schema = 1;
cluster = {{ name = "shop"; hash_key_file = "hash.key"; hash_key_id = "k1"; }};
limits = {{ exceptions = 65536; slots = 1048576; }};
sites = (
  {{ name = "ams"; weight = 100; capacity = {{ bits = "40kbit"; }}; }},
  {{ name = "fra"; weight = 20; capacity = {{ bits = "40Gbit"; }}; }}
);
nodes = (
  {node(ams, '{ interface = "eth1"; }')},
  {node(fra, '{ interface = "eth1"; }')}
);
checks = (
  {{ name = "web"; {CHECK} }},
  {{ name = "vip"; {VIP_CHECK} }}
);
pools = (
  {pool("web-ams", ams, backends(ams, (1, 2, 3, 4)), 'check = "web"; ')},
  {pool("udp-ams", ams, backends(ams, (1, 2)), '')},
  {pool("spare-ams", ams, backends(ams, (4,)), '')},
  {pool("web-fra", fra, backends(fra, (1, 2)), 'check = "web"; ')}
);
vips = (
  {{ name = "{ams.vip}"; site = "ams"; addresses = [ "{ams.vip4}", "{ams.vip6}" ]; }},
  {{ name = "{fra.vip}"; site = "fra"; addresses = [ "{fra.vip4}", "{fra.vip6}" ]; }}
);
services = (
  {{ name = "web"; protocol = "tcp"; port = 80; hash = "flow"; vip_check = "vip"; on_all_down = "last_good"; at = (
{at(ams, "web-ams")},
{at(fra, "web-fra")} ); }},
  {{ name = "udp"; protocol = "udp"; port = {SERVICE_PORT}; udp_policy = "keep"; udp_idle = "20s"; at = (
{at(ams, "udp-ams")} ); }}
);
dns = {{
  zones = ( {{ name = "shop.example"; file = "shop.example.zone"; }}, {{ name = "blog.example"; file = "blog.example.zone"; }} );
  names = (
    {{ name = "www.shop.example"; service = "web"; policy = "weighted"; ttl = {{ min = "1s"; max = "5s"; }}; }},
    {{ name = "alt.shop.example"; service = "web"; policy = "failover"; ttl = {{ min = "1s"; max = "5s"; }}; }},
    {{ name = "udp.shop.example"; service = "udp"; policy = "weighted"; ttl = {{ min = "1s"; max = "5s"; }}; }} );
}};
"""


def zone_text(plan: planning.Plan) -> str:
    return planning.zone_text(plan) + "".join(f"host{i} A 192.0.2.{100 + i}\n" for i in range(12))


BLOG = "$ORIGIN blog.example.\n$TTL 60\n@ SOA ns1 host 1 60 60 60 60\n@ NS ns1\nns1 A 192.0.2.53\npost A 192.0.2.60\n"
SICK = "location = /healthz { access_log off; return 503; }"


class ChangesWorld:
    """The world, its configuration in force, and how changes are made to it."""

    def __init__(self, lab: Lab, spare: int = 0) -> None:
        plan = make_plan(spare)
        self.lab, self.world = lab, World(lab, plan, resolvers=())
        self.plan, self.client, self.router = plan, self.world.client, self.world.router
        self.ams, self.fra = self.world.nodes
        self.site, self.other = self.world.sites
        lab.link(self.router, "p-second", self.ams.host, "eth2")
        self.is_taken = False  # what was put last
        self.present = self.base = {"weir.conf": config_text(plan), "shop.example.zone": zone_text(plan), "blog.example.zone": BLOG}
        for node in self.world.nodes:
            node.write_config()
            for name, text in self.base.items():
                with open(os.path.join(node.conf, name), "w") as f:
                    f.write(text)
        self.world.start_backends()
        for k, backend in enumerate(self.site.backends, 1):  # a second address, for pools that grow
            backend.host.address("eth0", f"10.1.1.{20 + k}/24")
        self.ams.host.address("lo", "192.0.2.151/32")  # for a listener that is added
        self.servers = [self.serve_udp(b) for b in self.site.backends[:2]]
        for node in self.world.nodes:
            node.start_supervised()
        for node in self.world.nodes:
            node.wait_until_well()
        self.crowd = Crowd(self.client, [plan.sites[0].vip4, plan.sites[0].vip4, plan.sites[0].vip6])
        self.crowd.udp = (SERVICE_PORT, 0.4)
        self.crowd.held, self.crowd.quiet, self.crowd.flows, self.crowd.rate = 40, 24, 16, 25
        self.crowd.queries = [(n.dns4, name) for n in plan.sites for name in ("www.shop.example", "mail.shop.example")]

    def serve_udp(self, backend: Backend) -> Process:
        return backend.host.start("udp", [sys.executable, os.path.join(ROOT, "tests", "lab", "name_udp.py"), backend.name,
                                          str(SERVICE_PORT), *self.plan.sites[0].vips])

    # changes

    def files(self, edits: list[tuple[str, str, str]]) -> dict[str, str]:
        """The base with edits: [(file, from, to)]; all of `from` is replaced, and must be there."""
        files = dict(self.base)
        for name, old, new in edits:
            if old not in files[name]:
                raise LabError(f"not in {name}: {old}")
            files[name] = files[name].replace(old, new)
        return files

    def plan_of(self, files: typing.Any) -> tuple[typing.Any, typing.Any]:
        """What `plan` says of a change to the head: (risky, rules)."""
        status, answer = self.ams.api("POST", "/v1/config/plan", {"files": files})
        if status != 200:
            raise LabError(f"plan: {status} {str(answer)[:600]}")
        return answer["plan"]["risky"], answer["plan"]["risks"]

    def apply(self, files: dict[str, str], reason: str = "lab", node: Node = None, within: str = "none", wait_ms: int = 0,
              wait: str = "local", match: str = "*") -> tuple[int, typing.Any]:
        """Apply at a node, which takes no part of it back by itself: (status, answer)."""
        return (node or self.ams).api("POST", f"/v1/config/apply?wait={wait}&wait_ms={wait_ms}", {
            "files": files, "reason": reason, "confirm_within": within}, headers={"If-Match": match if match == "*" else f'"{match}"'})

    def in_force(self, node: Node, number: int) -> typing.Any:
        """Whether a node's processes have a version."""
        try:
            return node.ctl("dataplane", {"do": "status"})["version"] >= number and \
                node.ctl("dns", {"do": "status"}).get("version", 0) >= number
        except (OSError, ValueError, KeyError):
            return False

    def put(self, files: dict[str, str], reason: str = "lab", timeout_s: float = 15) -> float:
        """Apply; wait until this node's processes have it, as far as they take it. Returns when it began."""
        began, self.present = time.monotonic(), files
        status, answer = self.apply(files, reason)
        if status not in (200, 201, 202):
            raise LabError(f"apply: {status} {str(answer)[:600]}")
        number = answer["version"]["number"]
        self.is_taken = comes_true(lambda: self.in_force(self.ams, number), timeout_s)
        return began

    def weir(self, node: Node, *arguments: str) -> tuple[int, str, str]:
        """The command line: (exit status, output, errors)."""
        done = subprocess.run([*node.host.enter, executable("weir"), *node.options, *arguments], capture_output=True,
                              text=True, timeout=90, check=False)
        return done.returncode, done.stdout, done.stderr

    # seeing

    def dataplane(self) -> dict[str, typing.Any]:
        """The backends in the tables: {"web-ams/ams-b1": row}."""
        return {f'{b["pool"]}/{b["backend"]}': b for b in self.ams.ctl("dataplane", {"do": "backends"})["backends"]}

    def names(self, name: str = "www.shop.example", server: str | None = None, n: int = 24) -> dict[str, typing.Any]:
        """What a name server answers to n prefixes: {address: share}; lost answers are under None."""
        counts: dict[typing.Any, typing.Any] = {}
        server = server or self.plan.sites[0].dns4
        for i in range(n):
            seen = self.ask(server, name, f"100.{64 + i % 4}.{(i * 37) % 256}.0")
            counts[seen[1]] = counts.get(seen[1], 0) + 1 / n
        return counts

    def ask(self, server: str, name: str, prefix: str = "100.64.1.0", timeout_s: float = 1.0) -> tuple[typing.Any,
            typing.Any, typing.Any]:
        """(rcode, address or None, TTL) of one query."""
        with entered(self.client.ns), socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(timeout_s)
            s.connect((server, 53))
            for _ in range(2):
                try:
                    s.send(query(random.randrange(65536), name, prefix, 24))
                    _, rcode, address, ttl, _ = answer(s.recv(4096))
                    return rcode, address if address != "-" else None, ttl
                except OSError:
                    continue
        return None, None, 0

    def named_anywhere(self, address: str, name: str = "www.shop.example") -> bool:
        """Whether one of 20 answers holds an address, at any place."""
        with entered(self.client.ns), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(1)
            s.connect((self.plan.sites[0].dns4, 53))
            for i in range(20):
                s.send(query(i, name, f"100.64.{i}.0", 24))
                if socket.inet_aton(address) in s.recv(4096):
                    return True
        return False

    def usual(self) -> bool:
        """Whether users are served as in the beginning: all held connections, both sites in the answers, nothing lost."""
        now = time.monotonic()
        ams, fra = self.plan.sites
        return self.crowd.settled() and not self.crowd.failed("request", now - 1.0) and \
            not self.crowd.failed("query", now - 1.0) and len(self.crowd.good("request", now - 1.0)) > 3 and \
            all(self.up(b.name) for b in self.site.backends if f'"{b.name}"' in self.base["weir.conf"]) and \
            set(self.names(n=30)) == {ams.vip4, fra.vip4} == set(self.names(server=fra.dns4, n=30))

    def up(self, backend: str) -> typing.Any:
        b = self.dataplane().get(f"web-ams/{backend}")
        return b is not None and b["in_force"] and b["why"] == "up"

    def restore(self, base: typing.Any = None, timeout_s: float = 60) -> None:
        """Back to a base, until all is as usual, with new connections."""
        self.put(base or self.base, "base")
        time.sleep(0.3)  # flows of before end on the old slots first
        self.crowd.renew()
        wait_until(self.usual, timeout_s, "all is as usual again", 0.2)
        self.crowd.forget()

