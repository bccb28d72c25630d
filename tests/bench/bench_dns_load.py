# SPDX-License-Identifier: BSD-2-Clause
"""What a zone of a million records costs to load: weir-dns beside Knot DNS and NSD.

Each process starts, loads the same zone and answers; CPU time is user and system time of it and of its
children until its first right answer. The servers take turns, so that a busy machine hits them alike. Weir
compiles the zone in each turn and keeps the image on disk, whose size gives the bytes a record.

    bench_dns_load.py [--rounds N] [--records N]
"""
from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import typing

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "dns"))
import name_servers  # noqa: E402

BYTES_MOST = 110  # a record
ZONE = "shop.test"
HEAD = "$TTL 3600\n@ SOA ns1 root 1 3600 900 604800 60\n@ NS ns1\n@ NS ns2\nns1 A 192.0.2.1\nns2 A 192.0.2.2\n"
N_HEAD = 5
HOSTS_OF_TEN = (  # records of ten hosts of an ordinary large zone: 18
    ("A", "AAAA"), ("A", "AAAA"), ("A", "AAAA"), ("A", "AAAA"), ("A",), ("A",), ("A", "MX", "TXT"), ("A", "MX", "TXT"),
    ("CNAME",), ("CNAME",))


def data(kind: str, i: int) -> str:
    """Text of record data, other for each host."""
    low = f"{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}"
    return {"A": f"10.{low}", "AAAA": f"2001:db8:{i >> 16:x}::{i & 0xffff:x}", "MX": f"10 mx{i % 4}",
            "TXT": f'"v=spf1 ip4:10.{low} -all"', "CNAME": f"host{i * 7919 % 500000 // 10 * 10}"}[kind]


def addresses(records: typing.Any) -> str:
    """A zone of so many names with one address each: the most bytes a record."""
    return HEAD + "".join(f"host{i} A {data('A', i)}\n" for i in range(records - N_HEAD))


def mixed(records: typing.Any) -> str:
    """A zone of so many records: A, AAAA, MX, TXT and CNAME, with the TTL and class of some stated."""
    lines, n, i = [HEAD], N_HEAD, 0
    lines += [f"mx{k} A 192.0.2.{10 + k}\n" for k in range(4)]
    n += 4
    while n < records:
        for kind in HOSTS_OF_TEN[i % 10]:
            if n < records:
                head = " 300 IN" if i % 7 == 0 else " IN" if i % 3 == 0 else ""
                lines.append(f"host{i}{head} {kind} {data(kind, i)}\n")
                n += 1
        i += 1
    return "".join(lines)


def processes(pid: int) -> list[int]:
    """The process and all below it."""
    found = [pid]
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as children:
            for child in children.read().split():
                found += processes(int(child))
    return found


def cpu_s(pid: int) -> float:
    """Seconds on a CPU of a process, its ended threads and children, and all below it."""
    ticks = 0
    for each in processes(pid):
        with open(f"/proc/{each}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        ticks += sum(int(f) for f in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def load(maker: type, text: str) -> tuple[float, int | None]:
    """(CPU seconds until it serves, bytes of the image or None) of one start."""
    server = maker({ZONE: text})
    try:
        server.start()
        image = server.path("run/dns.image")
        return cpu_s(server.process.pid), os.path.getsize(image) if os.path.exists(image) else None
    finally:
        server.__exit__()


def bench(text: str, rounds: typing.Any) -> tuple[dict[typing.Any, typing.Any], int]:
    """({server name: CPU seconds}, bytes of the image)."""
    seen: dict[typing.Any, typing.Any] = {}
    image_bytes = 0
    for _ in range(rounds):
        for name, maker in (("weir-dns", name_servers.Weir), ("knot", name_servers.Knot), ("nsd", name_servers.Nsd)):
            spent, size = load(maker, text)
            seen.setdefault(name, []).append(spent)
            image_bytes = size or image_bytes
    return seen, image_bytes


def summary(values: typing.Any) -> tuple[typing.Any, typing.Any]:
    return round(min(values), 3), round(statistics.median(values), 3)


def row(name: str, unit: str, figure: tuple[typing.Any, typing.Any], reference: typing.Any = (None, None),
        target: int | None = None) -> dict[str, typing.Any]:
    """A JSON row; the medians decide."""
    return {"name": name, "unit": unit, "min": figure[0], "median": figure[1], "reference": reference[0],
            "reference_median": reference[1], "target": target, "met": None if target is None else figure[1] <= target}


def rows(kind: str, seen: dict[typing.Any, typing.Any], each: typing.Any) -> typing.Iterator[typing.Any]:
    """Ours beside Knot's, each of the others, and the bytes a record."""
    figures = {name: summary(values) for name, values in seen.items()}
    print(f"{kind:10}", "   ".join(f"{name} {least:.2f}/{median:.2f}" for name, (least, median) in figures.items()),
          f"  {each} bytes a record", flush=True)
    ours, knot = figures.pop("weir-dns"), figures["knot"]
    yield row(f"dns_load.{kind}", "s", ours, knot, knot[1])
    for name, figure in figures.items():
        yield row(f"dns_load.{kind}.{name}", "s", figure)
    yield row(f"dns_load.{kind}.bytes", "bytes/record", (each, each), target=BYTES_MOST)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--records", type=int, default=1000000)
    args = parser.parse_args()
    all_rows: list[typing.Any] = []
    print("CPU seconds until a zone is served, min/median")
    for kind, make in (("mixed", mixed), ("addresses", addresses)):
        seen, image_bytes = bench(make(args.records), args.rounds)
        all_rows += rows(kind, seen, round(image_bytes / args.records, 1))
    os.makedirs(os.path.join(name_servers.BUILD, "bench"), exist_ok=True)
    with open(os.path.join(name_servers.BUILD, "bench/dns_load.json"), "w", encoding="utf-8") as out:
        json.dump(all_rows, out, indent=1)


if __name__ == "__main__":
    main()
