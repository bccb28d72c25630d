# SPDX-License-Identifier: BSD-2-Clause
"""Errors about tunnels as a router would send them, from one that met no packet."""
from __future__ import annotations

import socket
import struct
import typing

if typing.TYPE_CHECKING:
    from world import World

SOURCE = "10.1.255.9"  # a tunnel source of the first site's node


def checksum(data: bytes) -> typing.Any:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


def error_about(mode: str, backend: str, mtu: int) -> bytes:
    """'Fragmentation needed' about a packet of 1,400 bytes to a backend's IPv4 address."""
    quoted = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 1400, 0, 0x4000, 60, 17 if mode == "gue" else 4, 0,
                         socket.inet_aton(SOURCE), socket.inet_aton(backend)) + struct.pack("!HHHH", 50000, 6080, 1380, 0)
    error = struct.pack("!BBHHH", 3, 4, 0, 0, mtu) + quoted
    return error[:2] + struct.pack("!H", checksum(error)) + error[4:]


def send(world: World, errors: list[typing.Any]) -> None:
    """Send them from the router to the node, one each millisecond."""
    script = "import socket, sys, time; s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)\n" \
        f"for line in sys.stdin: s.sendto(bytes.fromhex(line), ('{SOURCE}', 0)); time.sleep(0.001)"  # the sender's pace
    world.router.ip(f"route replace {world.sites[0].plan.tunnel4} via {world.sites[0].plan.node4}")
    world.router.run(["python3", "-c", script], input="\n".join(e.hex() for e in errors) + "\n")
