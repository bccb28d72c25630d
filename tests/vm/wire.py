# SPDX-License-Identifier: BSD-2-Clause
"""The node's wire inside a guest, behind VLAN tags."""


from __future__ import annotations

import typing

if typing.TYPE_CHECKING:
    from world import World
    from net import Host
def protocol(place: int, count: int) -> str:
    """802.1ad outside of another tag, else 802.1Q."""
    return "802.1ad" if place + 1 < count else "802.1Q"


def add_vlans(host: Host, interface: str, ids: list[int]) -> str:
    """VLAN subinterfaces of an interface, each on the one before. Returns the last one's name."""
    under = interface
    for place, number in enumerate(ids):
        name = f"{interface}.{number}"
        host.ip(f"link add link {under} name {name} type vlan proto {protocol(place, len(ids))} id {number}", f"link set {name} up")
        under = name
    return under


def tag(world: World, ids: list[int]) -> None:
    """From now on the node and its site speak behind these tags alone, the outer one first: the node's addresses are
    those of its VLAN subinterface, and the router's is the switch's port. Nobody hears a frame without them."""
    site, host, router = world.sites[0], world.sites[0].node.host, world.router
    if not ids:
        return
    wire = site.node_port
    router.ip(f"link set {wire} nomaster")
    host.ip("addr flush dev eth1", "-6 addr flush dev eth1 scope global", "-6 route del default")
    site.node_port = add_vlans(router, wire, ids)
    router.ip(f"link set {site.node_port} master {site.switch}")
    inner = add_vlans(host, "eth1", ids)
    host.address(inner, f"{site.plan.node4}/24", f"{site.plan.node6}/64")
    host.route("default", site.plan.gateway4)
    host.route("default", site.plan.gateway6)
