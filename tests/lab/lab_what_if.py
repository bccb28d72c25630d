# SPDX-License-Identifier: BSD-2-Clause
"""What weir what-if says of a change is what then happens to the same clients.

    lab_what_if.py [--quick] [--only NAME,...]

1,500 prefixes ask weir-dns of ams; 100 requests a second come to its VIP. Then each change is asked about, and applied. The same prefixes
ask again, and 12,000 connections come from the same addresses and ports: each part that was said has to be within 2 points of what is measured.
Writes build/lab/what-if.json; --quick takes five changes, and writes what-if-quick.json.
"""
from __future__ import annotations

import argparse
import errno
import json
import os
import random
import re
import select
import socket
import struct
import sys
import time
import typing

from changes_world import ChangesWorld
from net import BUILD, Lab, LabError, entered, say, wait_until
from report import Report

PREFIXES, FLOWS, SOME, AT_ONCE, MOST_OFF = 1500, 12000, 600, 600, 0.02
ANSWER_S = 3.0  # that a connection has
NAME = "www.shop.example"
QUICK = ("a backend's weight", "a backend less", "a site's weight", "another pool", "another port")
Edit = tuple[str, str, str]


def conf(old: str, new: str) -> list[Edit]:
    return [("weir.conf", old, new)]


def changes(world: ChangesWorld) -> dict[str, list[Edit]]:
    ams, fra = world.plan.sites
    b = [f'name = "{x.name}"; address = "{x.address}"; weight = ' for x in ams.backends[:4]]
    fra_weight, at_fra = 'name = "fra"; weight = ', f'site = "fra"; vip = "{fra.vip}"; pool = "web-fra";'
    return {
        "a backend's weight": conf(f"{b[0]}100", f"{b[0]}300"),
        "less of a backend": conf(f"{b[1]}100", f"{b[1]}40"),
        "a backend without weight": conf(f"{b[2]}100", f"{b[2]}0"),
        "two backends' weights": conf(f"{b[0]}100", f"{b[0]}10") + conf(f"{b[1]}100", f"{b[1]}250"),
        "a backend less": conf(f',\n      {{ {b[3]}100; }} ); }},\n  {{ name = "udp-ams"', ' ); },\n  { name = "udp-ams"'),
        "a backend's address": conf(f"{b[1]}100", f"{b[1]}100".replace(ams.backends[1].address, ams.backends[4].address)),
        "a site's weight": conf(f"{fra_weight}20", f"{fra_weight}60"),
        "as much as the other": conf(f"{fra_weight}20", f"{fra_weight}100"),
        "less than before": conf(f"{fra_weight}20", f"{fra_weight}5"),
        "a site without weight": conf(f"{fra_weight}20", f"{fra_weight}0"),
        "a weight at a service": conf(at_fra, at_fra + " weight = 300;"),
        "the first site that is up": conf('service = "web"; policy = "weighted"', 'service = "web"; policy = "failover"'),
        "one site alone": conf(f',\n    {{ {at_fra} }} ); }}', " ); }"),
        "another pool": conf('pool = "web-ams"; }', 'pool = "spare-ams"; }'),
        "another port": conf('port = 80; hash = "flow"', 'port = 81; hash = "flow"'),
        "another address": conf(f'"{ams.vip4}"', '"203.0.113.77"'),
        "a name that goes": conf(f'name = "{NAME}"', 'name = "new.shop.example"'),
        "a pool of more room": conf("agent = false; max_backends = 16", "agent = false; max_backends = 400"),
        "a hash by source": conf('hash = "flow"', 'hash = "source"'),
        "a slower check": conf("rise = 2; fall = 4; damp_turns = 50", "rise = 2; fall = 5; damp_turns = 50"),
    }


def answers(world: ChangesWorld) -> list[str]:
    """The address that each prefix is given; "": none."""
    return [world.ask(world.plan.sites[0].dns4, NAME, f"100.{64 + i % 64}.{i // 64}.0")[1] or "" for i in range(PREFIXES)]


def is_bound(s: socket.socket, source: tuple[str, int]) -> bool:
    try:
        s.bind(source)
    except OSError as e:
        if e.errno != errno.EADDRINUSE:
            raise
        return False
    return True


def ask_some(world: ChangesWorld, sources: list[tuple[str, int]]) -> list[str]:
    """The backend that answers a connection from each of some addresses and ports; "": none does."""
    found, poller, open_now = [""] * len(sources), select.poll(), {}
    for i, source in enumerate(sources):
        s = socket.socket()
        s.setblocking(False)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # its port is free again at once
        wait_until(lambda s=s, source=source: is_bound(s, source), 10, f"{source} is free", 0.1)  # the crowd may have it
        s.connect_ex((world.plan.sites[0].vip4, 80))
        open_now[s.fileno()] = s, i
        poller.register(s, select.POLLOUT)
    end = time.monotonic() + ANSWER_S
    while open_now and (left := end - time.monotonic()) > 0:
        for fd, events in poller.poll(left * 1000):
            s, i = open_now[fd]
            try:
                if events & select.POLLOUT:
                    s.sendall(b"GET / HTTP/1.1\r\nHost: lab\r\n\r\n")
                    poller.modify(s, select.POLLIN)
                    continue
                match = re.search(rb"X-Backend: (\S+)", s.recv(4096))
                found[i] = match[1].decode() if match else ""
            except OSError:
                pass  # refused
            poller.unregister(s)
            open_now.pop(fd)[0].close()
    for s, _ in open_now.values():
        s.close()
    return found


def backends(world: ChangesWorld, flows: int = FLOWS) -> list[str]:
    """The backend of each of the same flows, the first ones of all."""
    chosen, found = random.Random(7), []
    with entered(world.client.ns):
        for _ in range(flows // AT_ONCE):
            found += ask_some(world, [(f"100.64.{chosen.randrange(256)}.{chosen.randrange(1, 128)}", chosen.randrange(1024, 32768)) for _ in range(AT_ONCE)])
    return found


def parts(before: list[str], after: list[str]) -> tuple[float, float]:
    """(moved, lost) of those that had something."""
    pairs = [(a, b) for a, b in zip(before, after, strict=True) if a]
    return sum(1 for a, b in pairs if b and a != b) / len(pairs), sum(1 for _, b in pairs if not b) / len(pairs)


def said(world: ChangesWorld, files: dict[str, str]) -> typing.Any:
    status, found = world.ams.api("POST", "/v1/what-if", {"files": files})
    if status != 200:
        raise LabError(f"what-if: {status} {str(found)[:400]}")
    return found


def play(world: ChangesWorld, report: Report, name: str, edits: list[Edit], was: tuple[list[str], list[str]]) -> float:
    """One change, and back. Returns by how much the worst part was off."""
    files = world.files(edits)
    wait_until(lambda: backends(world, SOME) == was[1][:SOME] and answers(world) == was[0], 60, "flows and answers are those of before", 0.5)
    wait_until(lambda: (said(world, files)["queries"] or {}).get("all", 0) >= PREFIXES, 30, "weir-dns has told of all prefixes", 0.5)
    told = said(world, files)
    world.put(files)
    time.sleep(2.5)  # members change two seconds after a change was made
    moved, lost = parts(was[0], answers(world))
    to_others, to_none = parts(was[1], backends(world))
    rows = [(told["queries"]["moved_ppm"], moved), (told["queries"]["lost_ppm"], lost),
            (told["flows"]["moved_ppm"], to_others), (told["flows"]["lost_ppm"], to_none)]
    off = max(abs(ppm / 1e6 - measured) for ppm, measured in rows)
    report.check(off <= MOST_OFF, f"{name}: what was said is what happens", ", ".join(f"{ppm / 1e6:.3f} {measured:.3f}" for ppm, measured in rows))
    world.restore()
    return off


def run_all(world: ChangesWorld, report: Report, options: argparse.Namespace) -> dict[str, typing.Any]:
    chosen = changes(world)
    if options.quick or options.only:
        chosen = {k: v for k, v in chosen.items() if k in (options.only.split(",") if options.only else QUICK)}
    world.crowd.queries.clear()  # those of the prefixes alone
    wait_until(world.usual, 60, "all is as usual", 0.2)
    wait_until(lambda: (said(world, world.base)["flows"] or {}).get("all", 0) > 0, 90, "flows are sampled", 1)
    was = answers(world), backends(world)
    off = {name: round(play(world, report, name, edits, was), 4) for name, edits in chosen.items()}
    status, _, errors = world.weir(world.ams, "what-if", os.path.join(world.ams.conf, "weir.conf"), "--since", "-10m", "--show-clients")
    report.equal((status, errors), (0, ""), "weir what-if")
    without = world.files(conf('name = "ams-1"; site = "ams";', 'name = "ams-1"; site = "ams"; samples = "none";'))
    world.put(without)
    wait_until(lambda: said(world, without)["flows"] is None, 10, "flows that are not to be kept are forgotten", 0.2)
    world.restore()
    return {"changes": len(off), "worst_off": max(off.values()), "off": off}


def run(report: Report) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    name = "what-if-quick" if options.quick else "what-if"
    with Lab(name) as lab:
        world = ChangesWorld(lab, spare=1)
        world.crowd.rate = 100
        world.crowd.targets = [world.plan.sites[0].vip4]
        try:
            figures = run_all(world, report, options)
        finally:
            world.crowd.stop()
            for node in world.world.nodes:
                node.kill_all()
    say(json.dumps(figures))
    with open(os.path.join(BUILD, "lab", f"{name}.json"), "w") as f:
        json.dump(figures, f, indent=1)


if __name__ == "__main__":
    try:
        sys.exit(Report.main(run))
    except LabError as e:
        sys.exit(str(e))
