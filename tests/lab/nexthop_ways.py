# SPDX-License-Identifier: BSD-2-Clause
"""Situations of next hops for lab_nexthop: routes that refuse, neighbours that do not answer, MAC addresses that change in silence.

Each is a function of a Bench (nexthop_bench.py) that undoes what it did.
"""
from __future__ import annotations

import json
import os
import time
import typing

from net import say

if typing.TYPE_CHECKING:
    from nexthop_bench import Bench
    from servers import Backend

ROUTES = (("unreachable", 0), ("blackhole", 2), ("prohibit", 0), ("blackhole", 1), ("unreachable", 1), ("prohibit", 1))
GATEWAY4, GATEWAY6 = "10.1.1.200", "fd00:1:1::c8"  # of single routes
FAILED_S, PROBE_S = 3.5, 10.5  # the kernel's questions to a neighbour; each is asked so often
SOON_S = 3.5  # 1.2 s until it counts, a second until it is shown, and a busy machine


def take(bench: Bench, check: bool = True, mode: str = "gue") -> None:
    """A document with or without a check, of a mode."""
    node, site = bench.node, bench.site
    site.plan.mode = mode
    node.write_config()
    path = os.path.join(node.conf, "weir.conf")
    with open(path) as f:
        text = f.read()
    if not check:
        with open(path, "w") as f:
            f.write(text.replace('check = "web"; mode', "mode"))
    node.write_effective()


def words(bench: Bench, backend: Backend) -> tuple[typing.Any, typing.Any]:
    """What the dataplane says of a backend: (in force, why)."""
    row = bench.backend(backend.name)
    return row["in_force"], row["why"]


def address_of(backend: Backend) -> str:
    return backend.addresses[0]


def family(address: str) -> str:
    return "-6 " if ":" in address else ""


def neighbour(bench: Bench, address: str) -> tuple[typing.Any, typing.Any]:
    """The node's neighbour entry of an address: (state, MAC address)."""
    rows = json.loads(bench.host.run(["ip", "-j", "neigh", "show", address, "dev", "eth1"]) or "[]")
    return (rows[0]["state"][0], rows[0].get("lladdr")) if rows else ("", None)


def refusing_routes(bench: Bench) -> None:
    """Routes to single backends that refuse, of both families: the backend is out, and back when the route is gone."""
    take(bench, check=False)
    backends = bench.site.backends
    bench.sees(lambda: all(words(bench, b) == (1, "unchecked") for b in backends), "all are in force unchecked", 5)
    for kind, i in ROUTES:
        address = address_of(backends[i])
        route = f"{family(address)}route %s {kind} {address}/{128 if ':' in address else 32}"
        bench.host.ip(route % "add")
        bench.sees(lambda: words(bench, backends[i]) == (0, "route says unreachable"), f"{kind} {address}: out", SOON_S)
        bench.states("next-hop-unusable", backends[i].name)
        bench.host.ip(route % "del")
        bench.sees(lambda: words(bench, backends[i]) == (1, "unchecked"), f"{address} is back", SOON_S)
    bench.states_none("next-hop-unusable", "next-hop-missing")


def routes_of_no_evidence(bench: Bench) -> None:
    """A backend to which there is no route at all, and one for a moment only: nothing speaks against it, but it is told."""
    take(bench, check=False)
    b2 = bench.site.backends[1]
    address, p = address_of(b2), bench.site.plan
    bench.host.ip(f"-6 route add unreachable {address}/128")
    time.sleep(0.3)  # the route refuses for this long
    bench.host.ip(f"-6 route del unreachable {address}/128")
    time.sleep(1.5)  # nothing may follow in this time
    bench.report.equal(words(bench, b2), (1, "unchecked"), "a route that refuses for 0.3 s takes nobody out")
    bench.host.ip(f"-6 addr del {p.node6}/64 dev eth1", "-6 route del default")
    bench.states("next-hop-missing", b2.name)
    bench.report.equal(words(bench, b2), (1, "unchecked"), "without any route it stays in force")
    bench.host.address("eth1", f"{p.node6}/64")
    bench.host.route("default", p.gateway6)
    bench.states_none("next-hop-missing")


def neighbour_fails(bench: Bench) -> None:
    """A backend's machine is off: its next hop is asked within 10 s, and it is out when all questions are unanswered."""
    take(bench, check=False)
    b1, b3 = bench.site.backends[0], bench.site.backends[2]
    mac = neighbour(bench, address_of(b3))[1]
    bench.host.ip(f"neigh replace {address_of(b3)} lladdr {mac} dev eth1 nud permanent")
    bench.router.link_down(f"p-{b1.name}")
    bench.sees(lambda: neighbour(bench, address_of(b1))[0] in ("FAILED", "INCOMPLETE"), "the kernel gives it up",
               PROBE_S + FAILED_S + 2)
    bench.sees(lambda: words(bench, b1) == (0, "next hop does not answer"), "it is out", SOON_S)
    bench.states("next-hop-unusable", b1.name)
    bench.router.link_up(f"p-{b1.name}")
    bench.sees(lambda: words(bench, b1) == (1, "unchecked"), "it is back with its machine", 6)
    bench.report.equal(neighbour(bench, address_of(b3)), ("PERMANENT", mac), "an entry that is permanent stays so")
    bench.host.ip(f"neigh del {address_of(b3)} dev eth1")
    bench.states_none("next-hop-unusable")


def carrier_is_no_evidence(bench: Bench) -> None:
    """The node's port has no carrier for eight seconds: no backend is out for it, then or afterwards."""
    take(bench, check=False)
    backends = bench.site.backends
    bench.router.link_down(bench.site.node_port)
    bench.states("port-no-carrier", "eth1")
    for _ in range(8):
        time.sleep(1)  # looked at each second of the eight
        bench.report.check(all(words(bench, b)[0] for b in backends), "all are in force", [words(bench, b) for b in backends])
    bench.router.link_up(bench.site.node_port)
    for _ in range(6):
        time.sleep(0.5)  # looked at for three seconds
        if not all(words(bench, b) == (1, "unchecked") for b in backends):
            bench.report.check(False, "all stay in force", [words(bench, b) for b in backends])
    bench.states_none("port-no-carrier", "next-hop-missing", "next-hop-unusable")


def l2_behind_a_gateway(bench: Bench) -> None:
    """Mode l2 with a backend behind a router: out, and told; back when the mode fits."""
    b1 = bench.site.backends[0]
    bench.host.ip(f"route add {address_of(b1)}/32 via {bench.site.plan.gateway4}")
    take(bench, check=False, mode="l2")
    bench.sees(lambda: words(bench, b1) == (0, "l2 behind a gateway"), "it is out", SOON_S + 2)
    bench.states("next-hop-unusable", b1.name)
    take(bench, check=False)
    bench.sees(lambda: words(bench, b1) == (1, "unchecked"), "it is back in a tunnel", SOON_S + 2)
    bench.host.ip(f"route del {address_of(b1)}/32 via {bench.site.plan.gateway4}")
    bench.states_none("next-hop-unusable")


def returns_with_another_mac(bench: Bench) -> None:
    """A backend comes back with another MAC address, and says nothing of it."""
    take(bench)
    b1 = bench.site.backends[0]
    bench.well()
    old = b1.host.mac("eth0")
    say("b1 has another MAC address")
    b1.host.sysctl({"net.ipv4.conf.eth0.arp_notify": 0})
    b1.host.ip("link set eth0 address 02:00:00:00:77:01")
    bench.sees(lambda: not bench.all_up(), "its check is silent", 5)
    took = bench.sees(lambda: neighbour(bench, address_of(b1))[1] == "02:00:00:00:77:01", "the kernel has asked", 9)
    bench.well()
    bench.report.check(took < 9, "seconds until it is found", f"{took:.1f}")
    b1.host.ip(f"link set eth0 address {old}")
    bench.well(12)


def gateway_changes_in_silence(bench: Bench) -> None:
    """
    An IPv6 gateway gets another MAC address and says nothing, while TCP keeps confirming it: by answers to tunnel
    probes of backends on the link, whose VIP is routed by way of that gateway.
    """
    gateway, vip = bench.gateway, bench.site.plan.vip6
    bench.host.ip(f"-6 route replace {vip}/128 via {GATEWAY6}")
    take(bench)
    bench.well()
    old = gateway.mac("eth0")
    bench.sees(lambda: neighbour(bench, GATEWAY6) == ("REACHABLE", old), "the gateway is known", 10)
    say("the gateway has another MAC address")
    gateway.ip("link set eth0 address 02:00:00:00:77:02")
    bench.sees(lambda: neighbour(bench, GATEWAY6)[1] == "02:00:00:00:77:02", "the kernel has asked the gateway",
               PROBE_S + FAILED_S + 2)
    bench.host.ip(f"-6 route del {vip}/128 via {GATEWAY6}")
    gateway.ip(f"link set eth0 address {old}")
    bench.well(15)
