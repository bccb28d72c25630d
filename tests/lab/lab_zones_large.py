# SPDX-License-Identifier: BSD-2-Clause
"""What the documentation promises of zones: a million records in one, ten thousand of them (with the plan's own), on all nodes; how soon an override is
in the answers meanwhile (build/lab/zones_large.json: `override_ms`, the slowest); how long weir-dns takes when a small zone beside the large one
changes (`other_zone_ms`, the slowest) and when the large one does (`large_zone_ms`).

    lab_zones_large.py [--quick]    --quick: 100,000 records in as many bytes, 2,000 zones
"""
from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import time
import typing

import lab_zones
import plan as planning
from net import BUILD, Lab, executable, wait_until
from report import Report
from world import World

RECORDS, ZONES, PAD = (100_000, 2_000, " ;" + "-" * 180) if "--quick" in sys.argv else (1_000_000, 9_999, "")
OVERRIDE_MS = 2000 if "--quick" in sys.argv else 500  # the short form runs beside others
SMALL = "$TTL 300\n@ SOA ns.elsewhere.test. root 1 3600 900 1209600 30\n@ NS ns.elsewhere.test.\nhere TXT {n}\n"


def large_zone(serial: int, records: typing.Any = None) -> str:
    head = f"$TTL 300\n@ SOA ns root {serial} 3600 900 1209600 30\n@ NS ns\nns A 192.0.2.1\n"
    return head + "".join(f"host{i} A 10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}{PAD}\n" for i in range(records or RECORDS))


def head(z: lab_zones.Zones) -> tuple[typing.Any, typing.Any] | None:
    """(number, digest) of the version in force on a node, whose files it has; None while it does not answer."""
    try:
        listed = z.node.api("GET", "/v1/versions?limit=5")[1]  # a newer one may be known, and its files not here yet
        return next(((v["number"], v["digest"]) for v in listed["items"] if v["number"] == listed["head"]), None)
    except (OSError, ValueError, http.client.HTTPException):
        return None


def blobs(z: lab_zones.Zones) -> list[typing.Any]:
    folder = os.path.join(z.node.state, "blobs")
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return sorted(n for n in names if os.path.getsize(os.path.join(folder, n)) > 1 << 16 or n.endswith(".part"))


def timed(report: Report, what: str, call: typing.Callable[..., typing.Any], *arguments: str, **more: typing.Any) -> typing.Any:
    began = time.monotonic()
    code, text = call(*arguments, **more)
    report.check(code == 0, f"{what}: {time.monotonic() - began:.1f} s", text[-600:] if code else "")
    return code == 0


def one_large(report: Report, a: lab_zones.Zones, b: lab_zones.Zones) -> None:
    a.write("weir.conf", a.config(["large.test"]))
    a.write("zones/large.test.zone", large_zone(1))
    timed(report, f"a zone of {RECORDS} records is applied", a.apply, timeout=300)
    expected = ("NOERROR", [f"10.{RECORDS - 1 >> 16 & 255}.{RECORDS - 1 >> 8 & 255}.{RECORDS - 1 & 255}"])
    last = f"host{RECORDS - 1}.large.test"
    report.equal(a.answers(last, expected, "A", 60), expected, "and served there")
    report.equal(b.answers(last, expected, "A", 120), expected, "and by the other node, which fetched it")
    report.equal(head(b), head(a), "they have one version")
    report.equal((len(blobs(a)), blobs(a)), (1, blobs(b)), "the file is there once, by its digest")
    b.node.kill("mgmt")
    for path in os.listdir(os.path.join(b.node.state, "blobs")):
        full = os.path.join(b.node.state, "blobs", path)
        os.utime(full, (1, 1))
    b.node.start("mgmt")
    wait_until(lambda: head(b) and head(b) == head(a), 60, "after a restart it has it still", 0.2)
    report.equal(blobs(b), blobs(a), "a file that a version names is not taken away")


def overridden(report: Report, world: World, z: lab_zones.Zones) -> None:
    """A site goes out of the answers at once, however large the zones are and whatever they include: no zone is read for it."""
    z.write("zones/part.txt", "part TXT one\n")
    z.write("zones/large.test.zone", large_zone(2) + "$INCLUDE part.txt\n")
    timed(report, "with an included file", z.apply, timeout=300)
    report.equal(z.answers("part.large.test", ("NOERROR", ['"one"']), within_s=120), ("NOERROR", ['"one"']), "it is served")
    took_ms, site = [], next(s for s in world.sites if s.plan.vip4 in shown(z, world.plan.name))  # the asker's own
    for verb, there in (("disable", False), ("enable", True)) * 3:
        process = subprocess.Popen(["ip", "netns", "exec", z.node.host.ns, executable("weir"), *z.node.options, verb, "site", site.name, "--reason",
                                    "lab", *(["--until", "+1h"] if verb == "disable" else [])], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   text=True)
        began = time.monotonic()
        wait_until(lambda there=there: (site.plan.vip4 in shown(z, world.plan.name)) == there, 60, f"{verb}: the answer", 0.01)
        took_ms.append((time.monotonic() - began) * 1000)
        text = process.communicate(timeout=60)[0]
        report.check(process.returncode == 0, f"{verb}: the command", text[-300:] if process.returncode else "")
    note(records=RECORDS, override_ms=round(max(took_ms)))
    report.between(max(took_ms), 0, OVERRIDE_MS, f"an override is in the answers: {[round(t) for t in took_ms]} ms, from the command's start")


FIGURES: dict[str, int] = {}


def note(**figures: int) -> None:
    FIGURES.update(figures)
    with open(os.path.join(BUILD, "lab", "zones_large.json"), "w", encoding="utf-8") as f:
        json.dump(FIGURES, f)


def loads(z: lab_zones.Zones) -> list[tuple[int, int]]:
    """Of each generation that this process has loaded: the ms from weir-dns's look at the document on, and the zones that were compiled for it."""
    return [(int(ms), int(n)) for ms, n in re.findall(r"dns-generation .*took_ms=(\d+) .*zones_compiled=(\d+)", z.node.processes["dns"].log())]


def beside(report: Report, z: lab_zones.Zones) -> None:
    """A small zone changes, goes bad, is mended, all of it twice, and weir-dns is killed between: the large one is not compiled for it."""
    took: dict[str, list[int]] = {"small": [], "large": []}
    z.write("zones/small.test.zone", SMALL.format(n="0"))
    z.write("weir.conf", z.config(["large.test", "small.test"]))
    timed(report, "a small zone beside it", z.apply, timeout=300)
    for n in range(1, 5):
        if n == 3:
            z.node.kill("dns")
            z.node.start("dns")
        before = len(loads(z))
        z.write("zones/small.test.zone", SMALL.format(n=n % 2))
        if n == 4:
            z.write("zones/large.test.zone", large_zone(3 + n) + "$INCLUDE part.txt\n")
        timed(report, f"change {n}", z.apply, timeout=300)
        expected = ("NOERROR", [f'"{n % 2}"'])
        report.equal(z.answers("here.small.test", expected, within_s=120), expected, f"change {n} is served")
        report.equal(z.ask("part.large.test"), ("NOERROR", ['"one"']), "and the large zone as it was")
        # a document may come once more without a change, and is loaded in no time
        new = loads(z)[before:]
        took["large" if n == 4 else "small"].append(max((ms for ms, _ in new), default=0))
        report.equal(max((compiled for _, compiled in new), default=0), 2 if n == 4 else 1, f"change {n}: so many zones are compiled")
    note(other_zone_ms=max(took["small"]), large_zone_ms=max(took["large"]))


def shown(z: lab_zones.Zones, name: str) -> list[str]:
    return z.ask(name, "A")[1]


def interrupted(report: Report, a: lab_zones.Zones, b: lab_zones.Zones) -> None:
    """The peer's weir-mgmt is killed while it fetches, again and again."""
    a.write("zones/large.test.zone", large_zone(2))
    timed(report, "the next one is applied", a.apply, timeout=300)
    kills = 0
    for _ in range(4):
        time.sleep(0.3)  # the fetch is under way, at another point each time
        b.node.kill("mgmt")
        kills += 1
        b.node.start("mgmt")
    wait_until(lambda: head(b) and head(b) == head(a), 120, "the other node has it", 0.3)
    report.check(True, f"a fetch that is killed {kills} times comes to its end")
    parts = [p for p in blobs(b) if p.endswith(".part")]
    report.equal(parts, [], "nothing half is left")
    code, text = a.weir("rollback", str(head(a)[0] - 1), "--reason", "lab", "--confirm-within", "none", timeout=120)
    report.check(code == 0, "a rollback to the large zone before", text[-300:] if code else "")


def many(report: Report, a: lab_zones.Zones, b: lab_zones.Zones) -> None:
    names = [f"z{i}.test" for i in range(ZONES)]
    for i, name in enumerate(names):
        a.write(f"zones/{name}.zone", SMALL.format(n=i) + "; " + "x" * 1800 + "\n")
    a.write("weir.conf", a.config(names))
    code, text = a.weir("config", "check", a.path("weir.conf"), timeout=120)
    report.check(code == 0, f"config check takes {ZONES} zones", text[-300:] if code else "")
    timed(report, "they are applied", a.apply, timeout=300)
    name, expected = f"here.{names[-1]}", ("NOERROR", [f'"{ZONES - 1}"'])
    report.equal(a.answers(name, expected, within_s=60), expected, "and served there")
    report.equal(b.answers(name, expected, within_s=120), expected, "and by the other node")
    a.write(f"zones/{names[5]}.zone", SMALL.format(n='"changed"'))
    timed(report, "one of them changes: zone reload", a.weir, "zone", "reload", timeout=300)
    changed = f"here.{names[5]}", ("NOERROR", ['"changed"'])
    report.equal(a.answers(*changed, within_s=60), changed[1], "served there")
    report.equal(b.answers(*changed, within_s=120), changed[1], "and by the other node")
    a.write(f"zones/{names[7]}.zone", "bad\n")
    a.write(f"zones/{names[8]}.zone", SMALL.format(n='"too"'))
    code, text = a.weir("zone", "reload", timeout=120)
    report.check(code != 0 and f"zones/{names[7]}.zone:1" in text, "a bad one of them is named", text[-200:])
    timed(report, "and skipped", a.weir, "zone", "reload", "--skip-bad-zones", timeout=300)


def run(report: Report) -> None:
    with Lab("zones_large") as lab:
        world = World(lab, planning.simple(2, 2), resolvers=())
        a, b = (lab_zones.Zones(site.node, []) for site in world.sites)
        for z in (a, b):
            z.node.start("mgmt", "dns")
        zone = world.plan.zone
        for z in (a, b):
            wait_until(lambda z=z: z.ask(f"static.{zone}")[0] == "NOERROR", 60, "the first version is served", 0.2)
        one_large(report, a, b)
        overridden(report, world, a)
        beside(report, a)
        if "--override" in sys.argv:
            return
        interrupted(report, a, b)
        many(report, a, b)


if __name__ == "__main__":
    sys.exit(Report.main(run))
