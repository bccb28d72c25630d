# SPDX-License-Identifier: BSD-2-Clause
"""Situations of ports: carrier, names, interfaces that are not there."""
from __future__ import annotations

import time
import typing

from net import wait_until
from truth import fault
from world import pass_program

if typing.TYPE_CHECKING:
    from truth import Bed

BOTH = ("xdp", "dpdk")


def carrier_goes(bed: Bed) -> None:
    bed.router.link_down(bed.site.node_port)
    wait_until(lambda: "LOWER_UP" not in bed.host.run(["ip", "link", "show", "eth1"]), 5, "no carrier")


def carrier_comes(bed: Bed) -> None:
    bed.router.link_up(bed.site.node_port)


def port_is_set_down(bed: Bed) -> None:
    bed.host.link_down("eth1")


def port_is_set_up(bed: Bed) -> None:
    bed.host.link_up("eth1")
    routes_come_back(bed)


def routes_come_back(bed: Bed) -> None:
    """The kernel forgets routes with the link; an operator's network set-up brings them back."""
    p = bed.site_plan
    for prefix in (f"{p.node6}/64",):
        bed.host.run(["ip", "-6", "addr", "replace", prefix, "dev", "eth1", "nodad"], check=False)
    for family, gateway in (("-4", p.gateway4), ("-6", p.gateway6)):
        bed.host.run(["ip", family, "route", "replace", "default", "via", gateway], check=False)


def port_is_renamed(bed: Bed) -> float:
    bed.host.ip("link set eth1 down", "link set eth1 name eth9", "link set eth9 up")
    return time.monotonic()


def port_has_its_name(bed: Bed) -> None:
    bed.host.ip("link set eth9 down", "link set eth9 name eth1", "link set eth1 up")
    routes_come_back(bed)


def nothing_leaves(bed: Bed) -> float:
    """The other end of the port's pair runs no program, so the port's driver takes none of its frames. Clients go on trying."""
    bed.load = bed.world.start_client("load", 100, targets=bed.site_plan.vips)
    time.sleep(1)  # time: packets have left before
    bed.router.ip(f"link set dev {bed.site.node_port} xdp off")
    return time.monotonic()


def all_leaves(bed: Bed) -> None:
    bed.router.ip(f"link set dev {bed.site.node_port} xdp obj {pass_program()} sec xdp")
    bed.load.stop(10)


SITUATIONS = [
    fault("nothing that is to leave by the only port does", nothing_leaves, all_leaves, ("degraded", "down"), "frames-not-sent", "eth1",
          quick=True),
    fault("the only port has no carrier", carrier_goes, carrier_comes, "down", "port-no-carrier", "eth1", quick=True, drivers=BOTH),
    fault("the only port is set down", port_is_set_down, port_is_set_up, "down", "port-no-carrier", "eth1"),
    fault("the only port has another name", port_is_renamed, port_has_its_name, "down", "port-missing", "eth1"),
]
