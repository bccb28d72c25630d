# SPDX-License-Identifier: BSD-2-Clause
"""Situations of next hops, attachments and the path of tunnel probes."""
from __future__ import annotations

import json
import os
import re
import time
import typing

from net import executable, wait_until
from servers import pass_program
from truth import Situation, fault
from truth_ports import BOTH

if typing.TYPE_CHECKING:
    from truth import Bed
    from servers import Backend

FAILED_S = 16  # a next hop is asked within 10 s, and gives no answer for 3 s
UNANSWERED = ("FAILED", "INCOMPLETE")


def backend_of(bed: Bed, i: int) -> Backend:
    return bed.site.backends[i]


def family(address: str) -> str:
    return "-6 " if ":" in address else ""


def host_route(address: str) -> str:
    return f"{address}/{128 if ':' in address else 32}"


def refuse(kind: str, i: int) -> typing.Callable[..., float]:
    def enter(bed: Bed) -> float:
        address = backend_of(bed, i).addresses[0]
        bed.host.ip(f"{family(address)}route add {kind} {host_route(address)}")
        return time.monotonic() + 1  # positively unusable for 1 s
    return enter


def accept(kind: str, i: int) -> typing.Callable[..., None]:
    def leave(bed: Bed) -> None:
        address = backend_of(bed, i).addresses[0]
        bed.host.ip(f"{family(address)}route del {kind} {host_route(address)}")
    return leave


def refused(kind: str, i: int, **more: typing.Any) -> Situation:
    return fault(f"a route says {kind} (ams-b{i + 1})", refuse(kind, i), accept(kind, i), "degraded", "next-hop-unusable",
                 f"ams-b{i + 1}", **more)


def neighbour_state(bed: Bed, address: str) -> typing.Any:
    rows = json.loads(bed.host.run(["ip", "-j", "neigh", "show", address, "dev", "eth1"]) or "[]")
    return rows[0]["state"][0] if rows else ""


def switched_off(i: int) -> typing.Callable[..., float]:
    def enter(bed: Bed) -> float:
        backend = backend_of(bed, i)
        bed.router.link_down(f"p-{backend.name}")
        wait_until(lambda: neighbour_state(bed, backend.addresses[0]) in UNANSWERED, FAILED_S, "its neighbour entry fails", 0.05)
        wait_until(lambda: bed.status().reason("next-hop-unusable", backend.name) or
                   neighbour_state(bed, backend.addresses[0]) == "FAILED", 5, "it stays so", 0.05)
        return time.monotonic() + 1
    return enter


def switched_on(i: int) -> typing.Callable[..., typing.Any]:
    return lambda bed: bed.router.link_up(f"p-{backend_of(bed, i).name}")


def port_deleted(bed: Bed) -> None:
    bed.port_mac = bed.host.mac("eth1")
    bed.host.ip("link del eth1")


def port_made_again(bed: Bed) -> None:
    """As a driver's reload does: another interface with the old name and MAC address, then the host's addresses and routes."""
    p = bed.site_plan
    bed.lab.port(bed.router, bed.site.switch, bed.site.node_port, bed.host, "eth1", 1600)
    bed.host.ip(f"link set eth1 address {bed.port_mac}")
    bed.router.ip(f"link set dev {bed.site.node_port} xdp obj {pass_program()} sec xdp")
    bed.host.address("eth1", f"{p.node4}/24", f"{p.node6}/64")
    bed.host.route("default", p.gateway4)
    bed.host.route("default", p.gateway6)


def clsact_replaced(bed: Bed) -> float:
    """Another user of tc is faster than weir-dataplane, which would put clsact back at once: it is stopped meanwhile."""
    bed.node.freeze("dataplane")
    try:
        bed.host.run(["tc", "qdisc", "del", "dev", "eth1", "clsact"])
        bed.host.run(["tc", "qdisc", "add", "dev", "eth1", "ingress"])
    finally:
        bed.node.resume("dataplane")
    return time.monotonic()


def clsact_free(bed: Bed) -> None:
    bed.host.run(["tc", "qdisc", "del", "dev", "eth1", "ingress"], check=False)


def vip_elsewhere(bed: Bed) -> None:
    """The VIPs are routed by an interface that is no port: probes would not meet their program."""
    bed.lab.link(bed.router, "p-other", bed.host, "eth2")
    bed.host.address("eth2", "10.99.0.2/24")
    bed.router.address("p-other", "10.99.0.1/24")
    bed.host.ip(f"route add {bed.site_plan.vip4}/32 via 10.99.0.1")


def vip_by_port(bed: Bed) -> None:
    bed.host.ip("link del eth2")


def vips_of(bed: Bed) -> list[typing.Any]:
    return [v for v in (bed.site_plan.vip4, bed.site_plan.vip6) if v]


def vips_refused(bed: Bed) -> None:
    """The node's own routes refuse the VIPs, as those that a routing daemon announces: that says nothing about backends."""
    bed.host.ip(*(f"{family(v)}route add unreachable {host_route(v)}" for v in vips_of(bed)))


def vips_routed(bed: Bed) -> None:
    bed.host.ip(*(f"{family(v)}route del unreachable {host_route(v)}" for v in vips_of(bed)))


def turned_down(bed: Bed) -> typing.Any:
    return bed.node.stats("health").get(("weir_health_turned_down_total", ""), 0)


def nobody_is_blamed(bed: Bed) -> None:
    """The port is deleted and made again, clsact taken away ten times: no check turns to down, and all are well."""
    before = turned_down(bed)
    for _ in range(10):
        bed.host.run(["tc", "qdisc", "del", "dev", "eth1", "clsact"], check=False)
        time.sleep(0.1)  # the attachment comes back between two blows, or does not
    port_deleted(bed)
    time.sleep(2)  # the port is gone for this long
    port_made_again(bed)
    bed.wait_until_well()
    bed.note("attachments come back, and no check turns to down", turned_down(bed) == before, turned_down(bed) - before, 0)


def no_way_to_any(bed: Bed) -> float:
    """Blackhole routes to all: the guard keeps the last good, and nothing is forwarded."""
    for i in range(3):
        refuse("blackhole", i)(bed)
    return time.monotonic() + 1


def ways_to_all(bed: Bed) -> None:
    for i in range(3):
        accept("blackhole", i)(bed)


def plan_warns(bed: Bed) -> None:
    """What can be known before a change is in force: routes that refuse, and l2 behind a gateway."""
    b1, b3 = (backend_of(bed, i).addresses[0] for i in (0, 2))
    path = os.path.join(bed.node.conf, "planned.conf")
    with open(os.path.join(bed.node.conf, "weir.conf")) as f, open(path, "w") as to:
        to.write(re.sub(r'mode = "\w+"', 'mode = "l2"', f.read().replace('via = "tunnel"', 'via = "direct"')))
    refuse("blackhole", 0)(bed)
    bed.host.ip(f"route add {b3}/32 via {bed.site_plan.gateway4}")
    try:
        text = bed.host.run(["sh", "-c", '"$@" 2>&1', "sh", executable("weir"), *bed.node.options, "plan", path], check=False)
        bed.note("plan warns of a route that refuses", re.search(rf"warning: .*ams-b1.*{b1}.*unreachable", text), text[:400], 0)
        bed.note("plan warns of l2 behind a gateway", re.search(rf"warning: .*ams-b3.*{b3} is behind a gateway", text), text[:400], 0)
        bed.note("plan warns of nobody else", "backend web-ams/ams-b2" not in text, "", 0)
    finally:
        accept("blackhole", 0)(bed)
        bed.host.ip(f"route del {b3}/32 via {bed.site_plan.gateway4}")
    bed.wait_until_well()


SITUATIONS = [
    refused("unreachable", 0, quick=True, drivers=BOTH),
    refused("blackhole", 1),
    refused("prohibit", 2),
    refused("unreachable", 1),
    fault("a backend's machine is off", switched_off(2), switched_on(2), "degraded", "next-hop-unusable", "ams-b3", drivers=BOTH),
    fault("the way to all backends is refused", no_way_to_any, ways_to_all, "down", ""),
    fault("the only port is deleted", port_deleted, port_made_again, "down", "port-missing", "eth1", drivers=BOTH),
    fault("an ingress qdisc is in the place of clsact", clsact_replaced, clsact_free, "degraded", "probe-path-missing", "eth1",
          quick=True),
    fault("a VIP is routed by an interface that is no port", vip_elsewhere, vip_by_port, "degraded", "probe-path-missing",
          "203.0.113"),
    fault("the node's own routes refuse all VIPs", vips_refused, vips_routed, "degraded", "probe-path-missing", ""),
    Situation("attachments come back, and no check turns to down", nobody_is_blamed, drivers=BOTH),
    Situation("plan warns of ways", plan_warns),
]
