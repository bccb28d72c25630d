# SPDX-License-Identifier: BSD-2-Clause
"""Hugepages of this machine for as long as a lab or a bench needs them."""
from __future__ import annotations

import contextlib
import os
import pwd
import signal
import typing

from net import LabError, call, say, unmount

if typing.TYPE_CHECKING:
    from report import Report
    from world import Node

DIR = "/sys/kernel/mm/hugepages/hugepages-2048kB"


def count(what: str) -> int:
    """nr_hugepages, free_hugepages, ... of 2 MiB."""
    with open(os.path.join(DIR, what)) as f:
        return int(f.read())


def add(n: int) -> int:
    """Ask for @n pages more, or fewer. Returns how many more there are."""
    before = count("nr_hugepages")
    with open(os.path.join(DIR, "nr_hugepages"), "w") as f:
        f.write(str(max(before + n, 0)))
    return count("nr_hugepages") - before


@contextlib.contextmanager
def reserved(pages: int, directory: str) -> typing.Iterator[None]:
    """Reserve pages of 2 MiB, with a hugetlbfs at @directory for tables; and return as many, whatever happens."""
    got = 0
    try:
        got = add(pages)
        if got < pages:
            raise LabError(f"{pages} pages of 2 MiB are needed, the kernel gave {got}")
        os.makedirs(directory)
        call(["mount", "-t", "hugetlbfs", "-o", "pagesize=2M", "none", directory])
        yield
    finally:
        unmount(directory)
        add(-got)


def check_directory(node: Node, report: Report) -> None:
    """A hugetlbfs that somebody mounts while Weir runs: the next weir-dataplane may make files there."""
    say("a hugetlbfs is mounted; weir-dataplane starts again")
    with open("/proc/mounts") as f:
        for path in [line.split()[1] for line in f if line.split()[2] == "hugetlbfs"]:
            unmount(path)  # in this namespace alone
    directory = os.path.join(node.host.lab.dir, "hugepages")
    os.makedirs(directory)
    call(["mount", "-t", "hugetlbfs", "none", directory])
    try:
        os.kill(node.pids("dataplane")[0], signal.SIGKILL)
        own = os.path.join(directory, "weir")
        report.wait(lambda: os.path.isdir(own), 10, "it has a directory there")
        report.equal((pwd.getpwuid(os.stat(own).st_uid).pw_name, os.stat(own).st_mode & 0o7777), ("weir-dataplane", 0o750), "of its own")
        node.wait_until_well()
    finally:
        unmount(directory)
