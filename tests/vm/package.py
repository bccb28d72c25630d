# SPDX-License-Identifier: BSD-2-Clause
"""The Debian packages on a fresh Debian that systemd has booted: `./run test package`, after `./run package`.

    package.py            in namespaces of this machine (contained.py): a minute or two
    package.py --guest    under QEMU (booted.py), with Debian's kernel: half an hour where it is emulated

The former release's package is made from its commit: its programs, unit, users and directories in the new package, whose scripts
serve both. All lies in build/package-test; the tree and the former programs are made once.
"""
from __future__ import annotations

import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import typing

from booted import Booted, tree
from contained import Contained
from packages import BUILD, ROOT, Missing, kernel, run
from vm import SUMMARY

DIR = os.path.join(BUILD, "package-test")
FORMER, FORMER_VERSION = "336e8ac", "0.1.0-1"
PROGRAMS = {"weir-dataplane": "dataplane", "weir-health": "healthcheck", "weir-dns": "dns", "weir-mgmt": "mgmt/api", "weir": "mgmt/cli"}
FILES = {"weir.service": "lib/systemd/system/weir.service", "weir.sysusers": "usr/lib/sysusers.d/weir.conf",
         "weir.tmpfiles": "usr/lib/tmpfiles.d/weir.conf", "weir.sysctl": "usr/lib/sysctl.d/50-weir.conf"}
# Of DPDK: what the trial without a network card needs of the recommended packages.
MORE = ("librte-mempool-ring23", "librte-net-af-packet23", "librte-bus-vdev23", "librte-bus-pci23", "openssl")
FORMER_NEEDS = ("libconfig9", "libmicrohttpd12")  # which the new release does not link any more
BUILD_S, GUEST_S, CONTAINED_S = 1800, 3000, 1200  # on a busy machine an emulated one is late, not wrong


def find_deb(name: str) -> str:
    found = glob.glob(f"{BUILD}/package/{name}_*.deb")
    if len(found) != 1:
        sys.exit(f"package: {len(found)} packages {name} in {BUILD}/package; make them: ./run package")
    return found[0]


def field(deb: str, name: str) -> typing.Any:
    return run(["dpkg-deb", "-f", deb, name]).strip()


def former_programs() -> str:
    """The folder with the former release's tree, built."""
    folder = f"{DIR}/former-{FORMER}"
    if os.path.exists(f"{folder}/ready"):
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    if subprocess.run(["git", "-C", ROOT, "cat-file", "-e", f"{FORMER}^{{commit}}"], capture_output=True, check=False).returncode:
        raise Missing(f"this tree's history lacks {FORMER}, the former release")
    run(["sh", "-ec", f"git -C {ROOT} archive {FORMER} | tar -x -C {folder}"])
    environment = dict(os.environ, PATH=f"/usr/lib/ccache:{os.environ['PATH']}")
    run(["meson", "setup", f"{folder}/b", folder, "-Dwerror=false", "--prefix=/usr"], BUILD_S, env=environment)
    run(["nice", "ninja", "-C", f"{folder}/b", *(f"{where}/{name}" for name, where in PROGRAMS.items())], BUILD_S, env=environment)
    open(f"{folder}/ready", "w").close()
    return folder


def former_package(new: str) -> str:
    """The former release with this packaging; returns the package's path."""
    folder, inside, deb = former_programs(), f"{DIR}/former", f"{DIR}/weir_{FORMER_VERSION}.deb"
    shutil.rmtree(inside, ignore_errors=True)
    run(["dpkg-deb", "-R", new, inside])
    for name, where in PROGRAMS.items():
        shutil.copy(f"{folder}/b/{where}/{name}", f"{inside}/usr/sbin/{name}")
        run(["strip", f"{inside}/usr/sbin/{name}"])
    for name, where in FILES.items():
        if os.path.exists(f"{folder}/packaging/{name}"):  # else it is this packaging's own
            shutil.copy(f"{folder}/packaging/{name}", f"{inside}/{where}")
    with open(f"{inside}/DEBIAN/control") as f:
        text = re.sub(r"(?m)^Version: .*$", f"Version: {FORMER_VERSION}", f.read())
        text = re.sub(r"(?m)^Depends: ", f"Depends: {', '.join(FORMER_NEEDS)}, ", text)
    with open(f"{inside}/DEBIAN/control", "w") as f:
        f.write(text)
    os.unlink(f"{inside}/DEBIAN/md5sums")
    run(["dpkg-deb", "--root-owner-group", "-b", inside, deb])
    shutil.rmtree(inside)
    return deb


def play(emulated: bool) -> tuple[int, int]:
    new, agent = find_deb("weir"), find_deb("weir-agent")
    print(f"the former release, {FORMER}, and a fresh Debian", flush=True)
    former = former_package(new)
    folder = f"{DIR}/tree"
    tree(folder, (field(new, "Depends"), field(agent, "Depends"), *FORMER_NEEDS, *MORE))
    script = f"python3 /host{ROOT}/tests/vm/inside_package.py /host{new} /host{former} /host{agent}\n"
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
