# SPDX-License-Identifier: BSD-2-Clause
"""What a lab is to look like: names, addresses, weights; and the weir.conf that says so.

A plan is plain data, drawn from a seed or simple(); world.py makes hosts of it.

    site i:  10.i.1.0/24, fd00:i:1::/64; gateway .1, node .2, backends .11 and up
             tunnel sources 10.i.255.0/24, fd00:i:ff::/64
    clients: 100.64.0.0/14 (1,024 /24s), 2001:db8:8000::/46 (1,024 /56s)
    resolvers: 198.18.j.2, 2001:db8:53:j::2
"""
from __future__ import annotations

import copy
import dataclasses
import random
import typing

CLIENTS4, CLIENTS6 = "100.64.0.0/14", "2001:db8:8000::/46"
PREFIXES = 1024  # of each family


@dataclasses.dataclass
class BackendPlan:
    name: str
    address: str
    weight: int = 100


@dataclasses.dataclass
class SitePlan:
    name: str
    index: int
    weight: int = 100
    mode: str = "gue"
    backends: list[BackendPlan] = dataclasses.field(default_factory=list)
    vip4: str = ""
    vip6: str = ""
    ports: tuple[str, ...] = ("eth1",)
    driver: str = "auto"
    device: str = ""  # of DPDK's, for each port; {n} is the port's number
    more: str = ""  # further settings of its node, as text
    capacity: str = 'new_flows = "50k/s"; bits = "40Gbit";'
    backup: str = ""  # further settings of its services[].at[], as text

    def __post_init__(self) -> None:
        i = self.index
        self.node, self.pool, self.vip = f"{self.name}-1", f"web-{self.name}", f"shop-{self.name}"
        self.gateway4, self.gateway6 = f"10.{i}.1.1", f"fd00:{i}:1::1"
        self.node4, self.node6 = f"10.{i}.1.2", f"fd00:{i}:1::2"
        self.tunnel4, self.tunnel6 = f"10.{i}.255.0/24", f"fd00:{i}:ff::/64"
        self.dns4, self.dns6 = f"192.0.2.{50 + i}", f"2001:db8:{i}::53"
        self.vip4 = self.vip4 or f"203.0.113.{10 * i}"
        self.vip6 = self.vip6 or f"2001:db8:{i}::10"
        self.api = f"https://{self.node4}:8443"

    @property
    def ports_text(self) -> str:
        device = f' device = "{self.device}";' if self.device else ""
        return ", ".join(f'{{ interface = "{p}";{device.format(n=n)} }}' for n, p in enumerate(self.ports, 1))

    @property
    def vips(self) -> list[str]:
        return [self.vip4, self.vip6]


@dataclasses.dataclass
class Plan:
    sites: list[SitePlan]
    cluster: str = "shop"
    zone: str = "shop.example"
    host: str = "www"
    hash: str = "flow"
    ttl_min: str = "1s"
    ttl_max: str = "5s"
    settle_time: str = "60s"
    idle_time: str = "30s"
    max_backends: int = 16
    check: str = ('type = "http"; port = 80; path = "/healthz"; expect = 200; via = "tunnel"; '
                  'interval = "200ms"; fast_interval = "50ms"; timeout = "200ms"; rise = 2; fall = 2;')
    vip_check: str = ('type = "http"; port = 80; path = "/healthz"; expect = 200; '
                      'interval = "200ms"; fast_interval = "100ms"; timeout = "300ms"; rise = 3; fall = 3;')
    api: bool = True
    clock: str = "trusted"  # the machine that runs a lab may have no NTP
    seed: int = 0
    agent: bool = False
    node_mtu: int = 1500
    udp: dict[int, str] = dataclasses.field(default_factory=dict)  # services over UDP beside the other: {port: policy}
    udp_idle: str = "30s"
    more_nodes: list[SitePlan] = dataclasses.field(default_factory=list)  # further nodes of sites, as their plans
    announce: dict[str, str] = dataclasses.field(default_factory=dict)  # nodes[].announce of a node, as settings
    min_healthy: str = "10%"
    bare_sites: tuple[str, ...] = ()  # names of sites without services, for nodes that are peers and nothing else

    @property
    def name(self) -> str:
        return f"{self.host}.{self.zone}"

    @property
    def nodes(self) -> list[SitePlan]:
        """Every node's plan; those of the sites come first."""
        return [*self.sites, *self.more_nodes]

    def site(self, name: str) -> SitePlan:
        return next(s for s in self.sites if s.name == name)


# A check that is slow to condemn: what a busy machine makes of a check is not what every lab is about.
PATIENT = ('type = "http"; port = 80; path = "/healthz"; expect = 200; via = "tunnel"; '
           'interval = "1s"; timeout = "900ms"; rise = 1; fall = 5;')


def simple(n_sites: int = 1, n_backends: int = 3, **more: typing.Any) -> Plan:
    """Equal sites ams, fra, ... with equal backends, IPv4 addresses for the odd ones."""
    names = ("ams", "fra", "par", "lon")
    sites = []
    for i in range(1, n_sites + 1):
        site = SitePlan(names[i - 1], i)
        site.backends = [backend_plan(site, k) for k in range(1, n_backends + 1)]
        sites.append(site)
    return Plan(sites, **more)


def another_node(site: SitePlan, k: int) -> SitePlan:
    """The k-th further node of a site: its own addresses, all else the site's."""
    node = copy.copy(site)
    i = site.index
    node.node = f"{site.name}-{k + 1}"
    node.node4, node.node6 = f"10.{i}.1.{k + 2}", f"fd00:{i}:1::{k + 2}"
    node.tunnel4, node.tunnel6 = f"10.{i}.{255 - k}.0/24", f"fd00:{i}:{0xff - k:x}::/64"
    node.dns4, node.dns6 = f"192.0.2.{50 + 16 * k + i}", f"2001:db8:{i}::{k:x}:53"
    node.api = f"https://{node.node4}:8443"
    return node


def backend_plan(site: SitePlan, k: int, weight: int = 100, six: bool | None = None) -> BackendPlan:
    """The k-th backend of a site; the even ones have IPv6 addresses unless said otherwise."""
    six = k % 2 == 0 if six is None else six
    address = f"fd00:{site.index}:1::{10 + k}" if six else f"10.{site.index}.1.{10 + k}"
    return BackendPlan(f"{site.name}-b{k}", address, weight)


def draw(seed: int, **more: typing.Any) -> Plan:
    """Names, addresses, weights, two to four sites and two to six backends, all from the seed."""
    r = random.Random(seed)
    names = ["ams", "fra"] + r.sample(["par", "lon", "waw", "mad"], 2)
    words = r.sample(["shop", "mail", "books", "tickets", "radio", "maps"], 1)[0]
    sites = []
    for i in range(1, r.choice((2, 2, 3, 4)) + 1):
        site = SitePlan(names[i - 1], i, weight=r.choice((60, 80, 100, 120)),
                        mode=r.choice(("gue", "ipip")),
                        vip4=f"203.0.113.{16 * i + r.randrange(16)}",
                        vip6=f"2001:db8:{i}::{r.randrange(0x100, 0xfff):x}")
        for k in range(1, r.randint(2, 6) + 1):
            site.backends.append(backend_plan(site, k, r.choice((50, 100, 150)), r.random() < 0.4))
        sites.append(site)
    return Plan(sites, zone=f"{words}.example", cluster=words, seed=seed, **more)


def issue(seed: int, **more: typing.Any) -> Plan:
    """Two sites, ams and fra, with three backends each; addresses and weights from the seed."""
    r = random.Random(seed)
    plan = simple(2, 3, seed=seed, **more)
    for site in plan.sites:
        site.mode = "gue" if site.index == 1 else "ipip"
        site.vip4 = f"203.0.113.{16 * site.index + r.randrange(16)}"
        site.backends = [backend_plan(site, k, r.choice((50, 100, 150))) for k in (1, 2, 3)]
    return plan


def quoted(items: typing.Iterable[str]) -> str:
    return ", ".join(f'"{i}"' for i in items)


def listed(items: typing.Iterable[str]) -> str:
    return ",\n".join("  " + i for i in items)


def config_text(plan: Plan) -> str:
    """The weir.conf of a plan."""
    sites = [f'{{ name = "{s.name}"; weight = {s.weight}; '
             f'capacity = {{ {s.capacity} }}; }}' for s in plan.sites]
    sites += [f'{{ name = "{name}"; }}' for name in plan.bare_sites]
    nodes = [f'{{ name = "{s.node}"; site = "{s.name}"; driver = "{s.driver}"; ports = ( {s.ports_text} ); {s.more}'
             f'tunnel_source = [ {quoted([s.tunnel4, s.tunnel6])} ]; dns_listen = [ {quoted([s.dns4, s.dns6])} ]; '
             + (f'api = "{s.api}"; ' if plan.api else "")
             + (f"announce = {{ {plan.announce[s.node]} }}; " if s.node in plan.announce else "")
             + f'mtu = {plan.node_mtu}; controls = [ {quoted([s.gateway4])} ]; clock = "{plan.clock}"; }}' for s in plan.nodes]
    pools = []
    for s in plan.sites:
        backends = ",\n      ".join(f'{{ name = "{b.name}"; address = "{b.address}"; weight = {b.weight}; }}'
                                    for b in s.backends)
        pools.append(f'{{ name = "{s.pool}"; site = "{s.name}"; check = "web"; mode = "{s.mode}"; '
                     f'max_backends = {plan.max_backends}; min_healthy = "{plan.min_healthy}"; max_remove = "100%"; '
                     f'settle_time = "{plan.settle_time}"; idle_time = "{plan.idle_time}"; '
                     f'agent = {"true" if plan.agent else "false"};\n'
                     f'    backends = (\n      {backends} ); }}')
    vips = [f'{{ name = "{s.vip}"; site = "{s.name}"; addresses = [ {quoted(s.vips)} ]; }}' for s in plan.sites]
    at = [f'{{ site = "{s.name}"; vip = "{s.vip}"; pool = "{s.pool}"; {s.backup}}}' for s in plan.sites]
    udp = "".join(f',\n  {{ name = "udp-{port}"; protocol = "udp"; port = {port}; udp_policy = "{policy}"; '
                  f'udp_idle = "{plan.udp_idle}"; at = (\n{listed(at)} ); }}' for port, policy in plan.udp.items())
    return f"""schema = 1;
cluster = {{ name = "{plan.cluster}"; hash_key_file = "hash.key"; hash_key_id = "k1"; }};
sites = (
{listed(sites)}
);
nodes = (
{listed(nodes)}
);
checks = (
  {{ name = "web"; {plan.check} }},
  {{ name = "web-vip"; {plan.vip_check} }}
);
pools = (
{listed(pools)}
);
vips = (
{listed(vips)}
);
services = (
  {{ name = "web"; protocol = "tcp"; port = 80; hash = "{plan.hash}"; vip_check = "web-vip"; on_all_down = "last_good";
    at = (
{listed(at)} ); }}{udp}
);
dns = {{
  zones = ( {{ name = "{plan.zone}"; file = "{plan.zone}.zone"; }} );
  names = ( {{ name = "{plan.name}"; service = "web"; policy = "weighted";
              ttl = {{ min = "{plan.ttl_min}"; max = "{plan.ttl_max}"; }}; }} );
}};
"""


def zone_text(plan: Plan) -> str:
    """The zone file of a plan: its name servers, and some ordinary names beside the dynamic one."""
    servers = "\n".join(f"@ 300 IN NS ns-{s.name}\nns-{s.name} 300 IN A {s.dns4}\nns-{s.name} 300 IN AAAA {s.dns6}"
                        for s in plan.sites)
    return f"""$ORIGIN {plan.zone}.
$TTL 300
@ IN SOA ns-{plan.sites[0].name} hostmaster 2026112001 3600 900 1209600 30
{servers}
mail IN A 192.0.2.25
@ IN MX 10 mail
static IN TXT "from the zone file"
"""
