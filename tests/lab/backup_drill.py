# SPDX-License-Identifier: BSD-2-Clause
"""The scene `drill` of lab_backup.py: new flows of one prefix go to the backup of ams, and nothing else does.

For each family: a connection of the prefix that is there before stays where it is, over the begin and the end of the drill; one
that begins during the drill is served by fra, also after it; another prefix notices nothing. The drill says that this proves the
backup; where replies to clients are filtered on the way from fra, it says that it does not.
"""
from __future__ import annotations

import contextlib
import socket
import subprocess
import typing

import plan as planning
from net import entered, executable, wait_until

if typing.TYPE_CHECKING:
    from report import Report
    from world import Node, World

FAMILIES = (("100.64.7.0/24", "100.64.7.", "100.64.8.", planning.CLIENTS4),
            ("2001:db8:8000:700::/56", "2001:db8:8000:700::", "2001:db8:8000:800::", planning.CLIENTS6))
FLOWS = 12


class Drill:
    """A drill of ams's backups, seen by a node."""

    def __init__(self, node: Node, clients: str, *more: str) -> None:
        self.node, self.clients = node, clients
        self.id = str(node.weir_json("drill", "backup", "ams", "--clients", clients, "--reason", "lab", *more)["id"])

    def shown(self) -> dict[str, typing.Any]:
        return typing.cast("dict[str, typing.Any]", self.node.api("GET", f"/v1/drills/{self.id}")[1])

    def is_sending(self) -> bool:
        return [n["state"] for n in self.shown()["counts"]] == ["sends"]

    def verdict(self) -> str:
        return str(self.shown()["verdict"])

    def end(self) -> None:
        self.node.weir("drill", "end", self.id, "--reason", "lab")


def connect(source: str, vip: str, timeout_s: float = 3) -> socket.socket:
    return socket.create_connection((vip, 80), timeout_s, source_address=(source, 0))


def ask(s: socket.socket) -> str:
    """A request on a connection; returns the backend that answers, such as ams-b1."""
    s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    head = s.recv(65536).decode(errors="replace")
    return next((line.split(": ")[1].strip() for line in head.split("\r\n") if line.lower().startswith("x-backend")), head[:60])


def served(prefix: str, vip: str) -> set[str]:
    """The sites that serve some new connections of a prefix."""
    sites = set()
    for i in range(1, FLOWS + 1):
        with connect(f"{prefix}{i}", vip) as s:
            sites.add(ask(s).split("-")[0])
    return sites


def one_family(report: Report, world: World, node: Node, family: tuple[str, str, str, str], vip: str) -> None:
    clients, inside, outside, _ = family
    with contextlib.ExitStack() as stack:
        stack.enter_context(entered(world.client.ns))
        before = stack.enter_context(connect(f"{inside}1", vip))
        first = ask(before)
        report.check(first.startswith("ams"), f"{clients}: a connection begins at ams", first)
        drill = Drill(node, clients, "--for", "2m")
        wait_until(drill.is_sending, 10, "the drill sends", 0.1)
        report.equal(served(inside, vip), {"fra"}, "new connections of the prefix are served by fra")
        report.equal(served(outside, vip), {"ams"}, "those of another prefix by ams")
        report.equal(ask(before), first, "the connection from before stays")
        during = stack.enter_context(connect(f"{inside}9", vip))
        second = ask(during)
        report.check(second.startswith("fra"), "a connection begins at fra", second)
        report.wait(lambda: drill.verdict() == "proved", 5, "the drill says: proved", 0.2)
        wait_until(lambda: drill.shown()["flows"]["begun"] > FLOWS, 5, "the last one is counted", 0.1)
        report.equal(drill.shown()["flows"]["begun"], FLOWS + 1, "it has counted the flows of the prefix, and no others")
        report.check("site ams, clients" in node.weir("status", check=False), "status shows it")
        drill.end()
        wait_until(lambda: drill.shown()["state"] == "over", 5, "the drill is over", 0.1)
        wait_until(lambda: served(inside, vip) == {"ams"}, 5, "new connections of the prefix are served by ams again", 0.1)
        report.equal((ask(before), ask(during)), (first, second), "both connections stay where they are")
        report.equal(drill.verdict(), "proved", "what it has proved can still be read")


def exit_status(node: Node, *arguments: str) -> int:
    with entered(node.host.ns):
        return subprocess.run([executable("weir"), *node.options, *arguments], capture_output=True, check=False).returncode


def refusals(report: Report, node: Node) -> None:
    """What a person may mistype, and what is not possible now."""
    drill = Drill(node, "100.64.9.0/24", "--for", "30s")
    for status, why, arguments in (
            (1, "no prefix", ("ams", "--clients", "100.64.9.1/24")), (1, "too wide", ("ams", "--clients", "100.0.0.0/7")),
            (1, "everything", ("ams", "--clients", "0.0.0.0/0")), (1, "no clients", ("ams", "--clients", "127.0.0.0/8")),
            (1, "no such site", ("nowhere", "--clients", "100.64.10.0/24")), (1, "too long", ("ams", "--clients", "100.64.10.0/24", "--for", "2h")),
            (1, "no such service", ("ams", "--clients", "100.64.10.0/24", "--service", "nothing")),
            (4, "it overlaps the one that runs", ("ams", "--clients", "100.64.9.128/25"))):
        report.equal(exit_status(node, "drill", "backup", *arguments, "--reason", "lab"), status, f"refused: {why}")
    drill.end()


def filtered(report: Report, world: World, node: Node, vip: str) -> None:
    """Replies from fra to clients are dropped on the way; those to the node's probes are not."""
    rule = f"pref 50 iif {world.sites[1].switch} from {vip} to {FAMILIES[0][3]} blackhole"
    world.router.ip(f"rule add {rule}")
    with entered(node.host.ns):
        command = [executable("weir"), *node.options, "drill", "backup", "ams", "--clients", FAMILIES[0][0], "--for", "10s", "--wait"]
        waits = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_until(lambda: any(n["state"] == "sends" for d in node.api("GET", "/v1/drills")[1]["items"] for n in d["counts"]), 10,
               "the drill sends", 0.1)
    with entered(world.client.ns):
        for i in range(1, 5):
            with contextlib.suppress(OSError), connect(f"{FAMILIES[0][1]}{i}", vip, 1.5):
                report.check(False, "a connection is made through the filter")
    text = waits.communicate(timeout=30)[0]
    report.equal(waits.returncode, 10, "the command that waits says so by its exit status")
    report.check("NOT PROVED" in text and "4 stayed silent" in text, "the drill says: not proved", text[-600:])
    report.check("VIP as source" in text, "and what may be the cause")
    world.router.ip(f"rule del {rule}")


def drill_all(report: Report, world: World, node: Node) -> None:
    site = world.plan.sites[0]
    for family, vip in zip(FAMILIES, (site.vip4, site.vip6)):
        one_family(report, world, node, family, vip)
    refusals(report, node)
    filtered(report, world, node, site.vip4)
