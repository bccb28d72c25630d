# SPDX-License-Identifier: BSD-2-Clause
"""The kept image over restarts of a weir-dns, of the same program and of another one; and for who explains it."""
from __future__ import annotations

import os
import shutil
import subprocess
import sys

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", folder) for folder in ("dns", "lab")]
import message  # noqa: E402
import name_servers  # noqa: E402
from report import Report  # noqa: E402

ZONE = "$TTL 60\n@ SOA ns1 host 1 3600 900 604800 60\n@ NS ns1\nns1 A 192.0.2.1\n"


def restart(server: name_servers.Weir, loads: int = 1) -> int:
    """The inode of the kept image after so many loads: another one if zones were compiled."""
    server.stop()
    server.start()
    server.wait_load(loads)
    return os.stat(server.path("run/dns.image")).st_ino


def replace_program(server: name_servers.Weir) -> None:
    """As a package does it, though the new program is like the old one."""
    shutil.copy(server.binary, server.path("weir-dns.new"))
    os.rename(server.path("weir-dns.new"), server.path("weir-dns"))
    server.binary = server.path("weir-dns")


def explain(server: name_servers.Weir) -> str:
    """By a program that is not weir-dns, while a look at the zone's file would tell another address."""
    path = server.path("shop.test.zone")
    was = os.stat(path)
    with open(path, "r+", encoding="ascii") as zone:
        zone.write(ZONE.replace("192.0.2.1", "192.0.2.9"))
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    done = subprocess.run([os.path.join(name_servers.BUILD, "mgmt/cli/weir"), "--state-dir", server.path("state"), "--run-dir", server.path("run"),
                           "--node", "ams-1", "dns", "explain", "ns1.shop.test"], stdout=subprocess.PIPE, check=True, text=True)
    return done.stdout


def run(report: Report) -> None:
    with name_servers.Weir({"shop.test": ZONE}) as server:
        first = os.stat(server.path("run/dns.image")).st_ino
        report.check(restart(server) == first, "a restart serves from the kept image")
        report.check("192.0.2.1" in explain(server), "an explanation opens no zone file, either")
        replace_program(server)
        second = restart(server, 2)
        report.check(second != first, "another program compiles the zones")
        report.check(restart(server) == second, "once")
        replace_program(server)
        server.write("shop.test.zone", "nonsense\n")
        restart(server)
        report.check(message.Answer(server.ask(message.query("ns1.shop.test", "A"))).answer, "a bad zone is served from the image of the program before")
        report.check(server.control(do="status")["stale_image"], "and the status says so")


if __name__ == "__main__":
    sys.exit(Report.main(run))
