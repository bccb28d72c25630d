# SPDX-License-Identifier: BSD-2-Clause
"""The Debian packages on a fresh Debian that systemd has booted: `./run test package`, after `./run package`.

    package.py            in namespaces of this machine (contained.py): a minute or two
    package.py --guest    under QEMU (booted.py), with Debian's kernel: half an hour where it is emulated

All lies in build/package-test; the tree is made once.
"""
from __future__ import annotations

import glob
import os
import signal
import sys
import time
import typing

from booted import Booted, tree
from contained import Contained
from packages import BUILD, ROOT, Missing, kernel, run
from vm import SUMMARY

DIR = os.path.join(BUILD, "package-test")
# Of DPDK: what the trial without a network card needs of the recommended packages.
MORE = ("librte-mempool-ring23", "librte-net-af-packet23", "librte-bus-vdev23", "librte-bus-pci23", "openssl")
GUEST_S, CONTAINED_S = 3000, 1200  # on a busy machine an emulated one is late, not wrong


def find_deb(name: str) -> str:
    found = glob.glob(f"{BUILD}/package/{name}_*.deb")
    if len(found) != 1:
        sys.exit(f"package: {len(found)} packages {name} in {BUILD}/package; make them: ./run package")
    return found[0]


def field(deb: str, name: str) -> typing.Any:
    return run(["dpkg-deb", "-f", deb, name]).strip()


def play(emulated: bool) -> tuple[int, int]:
    new, agent = find_deb("weir"), find_deb("weir-agent")
    print("a fresh Debian", flush=True)
    folder = f"{DIR}/tree"
    tree(folder, (field(new, "Depends"), field(agent, "Depends"), *MORE))
    script = f"python3 /host{ROOT}/tests/vm/inside_package.py /host{new} /host{agent}\n"
    counted = []

    def heard(line: typing.Any) -> None:
        count = SUMMARY.match(line)
        if count:
            counted.append((int(count[1]), int(count[2])))
        else:
            print(f"  {line}", flush=True)
    guest: Booted | Contained = Booted("package", kernel("6.1"), folder, memory_mb=3072) if emulated else Contained("package", folder)
    with guest as host:
        print("systemd boots", flush=True)
        limit_s = GUEST_S if emulated else CONTAINED_S
        status = host.run(script, limit_s, heard)
        if status is None or not counted:
            logs = "".join(map(host.log, ("console", "qemu", "start")))
            print(f"  FAIL  the host came to no end: {host.broke_down() or f'limit {limit_s} s'}\n{logs}")
            return 0, 1
        if counted[-1][1]:
            print(f"  the journal: {host.out}/journal.log")
    return counted[-1]


def main() -> int:
    started = time.monotonic()
    for number in (signal.SIGTERM, signal.SIGHUP):  # so that what was started ends, too
        signal.signal(number, lambda n, frame: sys.exit(128 + n))
    try:
        if os.geteuid() != 0:
            raise Missing("a Debian tree and a guest need root")
        passed, failed = play(sys.argv[1:] == ["--guest"])
    except Missing as reason:
        print(f"  skipped: {reason}\n0 passed, 0 failed, 1 skipped")
        return 0
    print(f"  {time.monotonic() - started:.0f} s\n{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
