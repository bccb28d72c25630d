# SPDX-License-Identifier: BSD-2-Clause
"""Steps of an operation in the answers of a real weir-dns: who moves, over restarts and damaged documents."""
from __future__ import annotations

import os
import socket
import sys
import time
import typing

TESTS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TESTS, "dns"), os.path.join(TESTS, "lab")]
import message  # noqa: E402
import name_servers  # noqa: E402
from report import Report  # noqa: E402

ZONE = "$TTL 60\n@ SOA ns root 1 3600 900 604800 60\n@ NS ns\nns A 192.0.2.1\n"
AMS = "203.0.113.10"
CLIENTS = [f"10.{i // 250}.{i % 250}.0/24" for i in range(1000)]
EPOCH = 1 << 20
PERSON = 1 << 19


def time_text(ms: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ms // 1000)) + f".{ms % 1000:03}Z"


class World:
    """A weir-dns with a document whose overrides the test writes."""

    def __init__(self, server: name_servers.Weir) -> None:
        self.server = server
        with open(server.path("state/effective.conf"), encoding="utf-8") as f:
            self.document = f.read().replace('clock = "synchronised"', 'clock = "trusted"')

    def step(self, generation: int, from_ppm: int, to_ppm: int, over_ms: int = 0, more: str = "", ahead_ms: int = 300) -> None:
        now = int(time.time() * 1000)
        self.write(f'{{ id = "d1-1"; kind = "drain"; target = "site"; name = "ams"; generation = "{generation}"; '
                   f'created = "{time_text(now)}"; from = "{time_text(now + ahead_ms)}"; over = "{over_ms}ms"; until = "never"; '
                   f'from_ppm = {from_ppm}; ended = false; author = "a"; reason = "r"; node = "n"; to_ppm = {to_ppm}; '
                   f'operation = "d1"; {more} }}')

    def write(self, override: str) -> None:
        head, _, _ = self.document.partition("overrides = (")
        self.server.write("state/effective.conf", f"{head}overrides = (\n{override}\n);\n")

    def level(self) -> dict[str, typing.Any]:
        said = self.server.control(do="levels")
        return said["levels"][0] if said["levels"] else {}

    def arrived(self, generation: int) -> dict[str, typing.Any]:
        """The level of that generation, once it has arrived."""
        for _ in range(1000):
            level = self.level()
            if level.get("generation") == generation and level["arrived"]:
                return level
            time.sleep(0.01)  # the pace of the wait for the condition above
        raise RuntimeError(f"generation {generation} does not arrive: {level}\n{self.server.log()}")

    def deciding(self, n: int) -> list[str]:
        """The sites that decide whether others are dead, once there are N."""
        for _ in range(100):
            sites = list(self.server.control(do="status")["deciding"]["sites"])
            if len(sites) == n:
                break
            time.sleep(0.01)  # the pace of the wait for the condition above
        return sites

    def at_ams(self) -> set[str]:
        """The clients that are sent to ams."""
        return {c for c in CLIENTS if AMS in self.addresses(c)}

    def addresses(self, client: str) -> list[str]:
        wire = message.query("www.shop.test", "A", edns={"options": [message.subnet_option(client)]})
        rows = message.Answer(self.server.ask(wire)).answer
        return [socket.inet_ntoa(data[0]) for _, _, _, data in rows if isinstance(data[0], bytes)]


def part(some: set[str], of: set[str]) -> int:
    return round(100 * len(some) / len(of))


def rise(report: Report, world: World, home: set[str]) -> set[str]:
    world.step(1 * EPOCH, 0, 300000)
    first = world.arrived(1 * EPOCH)
    report.equal((first["level_ppm"], first["longest_ttl_s"]), (300000, 60), "a step is in force, after answers of 60 s")
    left = world.at_ams()
    report.check(left < home and 24 <= part(home - left, home) <= 36, "30 % of the clients have moved, nobody came", part(home - left, home))
    world.step(1 * EPOCH + 1, 200000, 500000)
    second = world.arrived(1 * EPOCH + 1)
    less = world.at_ams()
    report.check(less < left and 44 <= part(home - less, home) <= 56, "then half, and nobody moved back", part(home - less, home))
    report.check(second["longest_ttl_s"] >= 50, "soon after the first step its earlier answers are waited for", second["longest_ttl_s"])
    world.step(1 * EPOCH + 2, 99999, 100000)
    world.arrived(1 * EPOCH + 2)
    report.equal(world.at_ams(), less, "a hold at a lower level changes nothing")
    return less


def restart(report: Report, world: World, left: set[str]) -> set[str]:
    """It is killed in the middle of a step, which takes two seconds."""
    server = world.server
    world.step(1 * EPOCH + 3, 500000, 800000, over_ms=2000)
    while world.level()["level_ppm"] < 600000:
        time.sleep(0.01)  # the pace of the wait for the condition above
    moved = left - world.at_ams()
    server.kill()
    server.start()
    again = world.at_ams()
    report.check(again <= left - moved, "after a restart in the middle of a step nobody is back", len(again - (left - moved)))
    level = world.arrived(1 * EPOCH + 3)
    report.check(level["level_ppm"] == 800000 and level["longest_ttl_s"] >= 58, "it goes on to the step's level, and waits for what was answered", level)
    left = world.at_ams()
    server.kill()
    server.start()
    report.equal((world.level(), world.at_ams()), (level, left), "another restart finds it there, with the same time to wait")
    return left


def odd_documents(report: Report, world: World, left: set[str]) -> None:
    for more, why in (("to_ppm = 5;", "twice the same field"), ('service = "A B";', "a name that is none"), ("late_from = 5;", "no time"),
                      ("to = 5;", "a field of a later release")):
        world.step(5 * EPOCH, 0, 0, more=more)
        world.server.control(do="zone-reload")
        before = world.server.control(do="status")["load"]["started"]
        world.server.wait_load(before)
        level = world.level()
        report.check(level.get("generation") == 1 * EPOCH + 3 and world.at_ams() == left, f"a document with {why} changes nothing", level)


def one_service(report: Report, world: World, left: set[str]) -> None:
    world.step(1 * EPOCH + 4, 800000, 1000000, more='service = "mail";')
    world.arrived(1 * EPOCH + 4)
    back = world.at_ams()
    world.step(1 * EPOCH + 5, 1000000, 1000000, more='service = "web";')
    world.arrived(1 * EPOCH + 5)
    report.check(len(back) > len(left) and not world.at_ams(), "a step of one service moves that one's clients alone", len(back))


def fall(report: Report, world: World, home: set[str]) -> None:
    world.step(2 * EPOCH + PERSON, 1000000, 1000000)
    world.arrived(2 * EPOCH + PERSON)
    report.equal(world.at_ams(), set(), "all are away")
    report.equal(world.deciding(0), [], "a drained site does not decide whether others are dead")
    world.step(2 * EPOCH + PERSON + 1, 1000000, 900000)
    level = world.arrived(2 * EPOCH + PERSON + 1)
    some = world.at_ams()
    report.check(some < home and 5 <= part(some, home) <= 15, "10 % are back", part(some, home))
    report.equal(world.deciding(1), ["ams"], "once its return begins, it decides again")
    world.step(2 * EPOCH + PERSON + 2, 950001, 950000)
    world.arrived(2 * EPOCH + PERSON + 2)
    report.equal(world.at_ams(), some, "a hold of the return at a higher level sends nobody away")
    world.step(2 * EPOCH + PERSON + 3, 900000, 0)
    world.arrived(2 * EPOCH + PERSON + 3)
    report.equal(world.at_ams(), home, "and then all are home: the same clients as before")
    world.write("")
    for _ in range(500):
        if not world.level():
            break
        time.sleep(0.01)  # the pace of the wait for the condition above
    report.equal((world.level(), world.at_ams()), ({}, home), "without the override nothing is left of it")


def run(report: Report) -> None:
    with name_servers.Weir({"shop.test": ZONE}, names=["www.shop.test"]) as server:
        world = World(server)
        home = world.at_ams()
        report.check(400 < len(home) < 600, "half of the clients are at home at ams", len(home))
        left = rise(report, world, home)
        left = restart(report, world, left)
        odd_documents(report, world, left)
        one_service(report, world, left)
        fall(report, world, home)


if __name__ == "__main__":
    sys.exit(Report.main(run))
