# SPDX-License-Identifier: BSD-2-Clause
"""A server over UDP that answers each datagram with its name: name_udp.py NAME PORT ADDRESS..."""
from __future__ import annotations

import select
import socket
import sys


def main() -> None:
    name, port, addresses = sys.argv[1].encode(), int(sys.argv[2]), sys.argv[3:]
    sockets = []
    for address in addresses:
        s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        s.bind((address, port))
        sockets.append(s)
    while True:
        for s in select.select(sockets, [], [])[0]:
            data, client = s.recvfrom(512)
            s.sendto(name + b" " + data, client)


if __name__ == "__main__":
    main()
