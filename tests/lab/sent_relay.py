# SPDX-License-Identifier: BSD-2-Clause
"""sent_relay.py TAP INTERFACE: carries frames between a TAP and an interface. SIGUSR1 gives the TAP's queue back, SIGUSR2 takes it again."""
from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import socket
import struct
import sys

TUNSETIFF, TUNSETQUEUE = 0x400454ca, 0x400454d9
TAP, NO_PI, MULTI_QUEUE, ATTACH, DETACH = 0x2, 0x1000, 0x100, 0x200, 0x400
PACKET, ALL, IGNORE_OUTGOING = 263, 3, 23


def change_queue(tap: int, flag: int) -> None:
    fcntl.ioctl(tap, TUNSETQUEUE, struct.pack("16sH22x", b"", flag))


def main() -> None:
    tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", sys.argv[1].encode(), TAP | NO_PI | MULTI_QUEUE))
    leg = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL))
    leg.setsockopt(PACKET, IGNORE_OUTGOING, 1)
    leg.bind((sys.argv[2], 0))

    def give_back() -> None:
        """What is in the queue would go with it, and was sent."""
        with contextlib.suppress(BlockingIOError):
            while True:
                leg.send(os.read(tap, 65536))
        change_queue(tap, DETACH)
    signal.signal(signal.SIGUSR1, lambda n, frame: give_back())
    signal.signal(signal.SIGUSR2, lambda n, frame: change_queue(tap, ATTACH))
    while True:
        for fd in select.select([tap, leg], [], [])[0]:
            try:
                if fd is leg:
                    os.write(tap, leg.recv(65536))
                else:
                    leg.send(os.read(tap, 65536))
            except OSError:
                pass  # the TAP has no queue, or no room: nothing that the node has sent


if __name__ == "__main__":
    main()
