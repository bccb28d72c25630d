# SPDX-License-Identifier: BSD-2-Clause
"""CPU time a query costs: weir-dns beside NSD, Knot DNS and gdnsd, each with one worker pinned to one core.

All answer the same queries over UDP on the loopback from dnsperf on the other core, in turns, so that a
busy machine hits them alike. CPU time is the scheduler's, over all threads; its user part is told apart by
the kernel's ticks. NSD's rate limit is off and Knot's threads are pinned again after its start.
Each answer must have the response code that the case is about, else there is no figure: refusing is cheap.

    bench_dns.py [--rounds N] [--seconds S] [--names N]
"""
from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import typing

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "dns"))
import name_servers  # noqa: E402

HEAD = "$TTL 300\n@ SOA ns root 1 3600 900 604800 60\n@ NS ns\nns A 192.0.2.1\n"
SMALL = HEAD + "a A 192.0.2.10\nsub NS ns.sub\nns.sub A 192.0.2.30\n"
GDNSD_DYNAMIC = """service_types => {}
plugins => { weighted => { service_types = up, web => {
  addrs_v4 => { ams = [ 203.0.113.10, 100 ], fra = [ 198.51.100.10, 100 ] } } } }
"""
SERVER_CPU, SENDER_CPU = "0", "1"


def large(names: typing.Any) -> str:
    return HEAD + "".join(f"h{i} A 10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}\n" for i in range(names))


class Case:
    """One kind of query, and who can answer it."""

    def __init__(self, name: str, zones: dict[str, str], queries: list[typing.Any], dynamic: bool = False,
                 rcode: str = "NOERROR") -> None:
        self.name, self.zones, self.queries, self.dynamic, self.rcode = name, zones, queries, dynamic, rcode

    def makers(self) -> list[typing.Any]:
        if not self.dynamic:
            return [name_servers.Weir, name_servers.Nsd, name_servers.Knot, name_servers.Gdnsd]
        return [lambda zones: name_servers.Weir(zones, names=["www.shop.test"]), gdnsd_weighted]


def gdnsd_weighted(zones: typing.Any) -> name_servers.Gdnsd:
    server = name_servers.Gdnsd({z: text + "www 60/5 DYNA weighted!web\n" for z, text in zones.items()})
    with open(server.path("etc/config"), "a", encoding="utf-8") as config:
        config.write(GDNSD_DYNAMIC)
    return server


def cases(names: typing.Any) -> list[typing.Any]:
    """In the order of the table."""
    step = max(1, names // 50000)
    big = {"shop.test": large(names)}
    small = {"shop.test": SMALL}
    spread = [i * 7919 % names for i in range(0, names, step)]
    return [
        Case("small.a", small, ["a.shop.test A"]),
        Case("small.nxdomain", small, [f"n{i}.shop.test A" for i in range(50000)], rcode="NXDOMAIN"),
        Case("small.referral", small, [f"n{i}.sub.shop.test A" for i in range(50000)]),
        Case("small.weighted", small, ["www.shop.test A"], dynamic=True),
        Case("million.a", big, [f"h{i}.shop.test A" for i in spread]),
        Case("million.nxdomain", big, [f"n{i}.shop.test A" for i in range(50000)], rcode="NXDOMAIN"),
    ]


def processes(pid: int) -> list[int]:
    """The process and all below it."""
    found = [pid]
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as children:
            for child in children.read().split():
                found += processes(int(child))
    return found


def cpu(pid: int) -> tuple[int, int, int]:
    """(nanoseconds on a CPU, ticks in user mode, ticks in the kernel) of a process and all below it."""
    total, user, system = 0, 0, 0
    for each in processes(pid):
        for task in os.listdir(f"/proc/{each}/task"):
            with open(f"/proc/{each}/task/{task}/schedstat", encoding="ascii") as stat:
                total += int(stat.read().split()[0])
            with open(f"/proc/{each}/task/{task}/stat", encoding="ascii") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
                user, system = user + int(fields[11]), system + int(fields[12])
    return total, user, system


def pin(pid: int) -> None:
    for each in processes(pid):
        subprocess.run(["taskset", "-acp", SERVER_CPU, str(each)], check=True, stdout=subprocess.DEVNULL)


def completed(text: str, rcode: str, who: str) -> int:
    """Queries that dnsperf says were completed; all of them must have got RCODE."""
    done = int(re.search(r"Queries completed:\s+(\d+)", text)[1])
    codes = {code: int(n) for code, n in re.findall(r"([A-Z]+) (\d+) \(", re.search(r"Response codes:(.*)", text)[1])}
    if not done or codes != {rcode: done}:
        sys.exit(f"bench dns: {who} completed {done} queries with {codes}; all should be {rcode}")
    return done


def measure(server: typing.Any, path: str, seconds: float, rcode: str = "NOERROR") -> tuple[float, float, float]:
    """Microseconds a query: (in all, in user mode), and queries a second."""
    before = cpu(server.process.pid)
    text = subprocess.run(["taskset", "-c", SENDER_CPU, "dnsperf", "-s", "127.0.0.1", "-p", str(server.port), "-d",
                           path, "-l", str(seconds), "-c", "4", "-T", "1", "-q", "200", "-O", "suppress=timeouts"],
                          capture_output=True, text=True, check=True).stdout
    after = cpu(server.process.pid)
    done = completed(text, rcode, server.name)
    total, user, system = (b - a for a, b in zip(before, after))
    each = total / 1000 / done
    return each, each * user / max(user + system, 1), done / seconds


def bench(case: Case, rounds: typing.Any, seconds: float) -> dict[str, typing.Any]:
    """server name -> list of measurements."""
    seen: dict[typing.Any, typing.Any] = {}
    opened: list[typing.Any] = []
    try:
        for maker in case.makers():
            server = maker(case.zones)
            opened.append(server)
            server.start()
            pin(server.process.pid)
            server.write("queries", "\n".join(case.queries) + "\n")
        for _ in range(rounds):
            for server in opened:
                seen.setdefault(server.name, []).append(measure(server, server.path("queries"), seconds, case.rcode))
    finally:
        for server in opened:
            server.__exit__()
    return seen


THREADS_MOST = 1.1  # CPU time a query of two threads, in that of one
THREADS_RATE = 1.8  # queries a second of two threads, in those of one, where they have cores of their own


def measure_free(server: name_servers.Weir, path: str, seconds: float) -> tuple[float, float]:
    """As measure(), with server and sender on all CPUs; the sender has threads and ports enough for two threads."""
    before = cpu(server.process.pid)
    text = subprocess.run(["dnsperf", "-s", "127.0.0.1", "-p", str(server.port), "-d", path, "-l", str(seconds), "-c", "32",
                           "-T", "2", "-q", "400", "-O", "suppress=timeouts"], capture_output=True, text=True,
                          check=True).stdout
    done = completed(text, "NOERROR", server.name)
    return (cpu(server.process.pid)[0] - before[0]) / 1000 / done, done / seconds


def bench_threads(rounds: typing.Any, seconds: float) -> typing.Iterator[dict[str, typing.Any]]:
    """Rows of two threads beside one: CPU time a query, and queries a second where there are four cores."""
    opened: dict[typing.Any, typing.Any] = {}
    seen: dict[int, list[typing.Any]] = {1: [], 2: []}
    try:
        for n in seen:
            opened[n] = name_servers.Weir({"shop.test": SMALL}, threads=n)
            opened[n].start()
            opened[n].write("queries", "a.shop.test A\n")
        for _ in range(rounds):
            for n, server in opened.items():
                seen[n].append(measure_free(server, server.path("queries"), seconds))
    finally:
        for server in opened.values():
            server.__exit__()
    one, two = (summary([m[0] for m in seen[n]]) for n in (1, 2))
    rate = [max(m[1] for m in seen[n]) for n in (1, 2)]
    cores = len(os.sched_getaffinity(0))
    print(f"threads            one {one[0]:.2f}/{one[1]:.2f} {rate[0] / 1000:.0f}k   two {two[0]:.2f}/{two[1]:.2f} "
          f"{rate[1] / 1000:.0f}k", flush=True)
    yield {"name": "dns.threads.2", "unit": "us/query", "min": two[0], "median": two[1], "reference": one[0],
           "reference_median": one[1], "target": round(one[1] * THREADS_MOST, 3), "met": two[1] <= one[1] * THREADS_MOST}
    yield {"name": "dns.threads.2.rate", "unit": "queries/s", "min": round(rate[1]), "median": round(rate[1]),
           "reference": round(rate[0]), "reference_median": round(rate[0]),
           "target": round(rate[0] * THREADS_RATE) if cores >= 4 else None,
           "met": rate[1] >= rate[0] * THREADS_RATE if cores >= 4 else None}


def summary(values: list[typing.Any]) -> tuple[typing.Any, typing.Any]:
    return round(min(values), 3), round(statistics.median(values), 3)


def rows(case: Case, seen: dict[typing.Any, typing.Any]) -> typing.Iterator[dict[str, typing.Any]]:
    """JSON rows of one case: ours beside the best of the others, then each of the others."""
    for part, suffix in ((0, ""), (1, ".user")):
        figures = {name: summary([m[part] for m in list_]) for name, list_ in seen.items()}
        ours = figures.pop("weir-dns")
        best = min(figures.values(), key=lambda f: f[0])
        yield {"name": f"dns.{case.name}{suffix}", "unit": "us/query", "min": ours[0], "median": ours[1],
               "reference": best[0], "reference_median": best[1], "target": None, "met": None}
        for name, figure in figures.items():
            yield {"name": f"dns.{case.name}{suffix}.{name}", "unit": "us/query", "min": figure[0],
                   "median": figure[1], "reference": None, "reference_median": None, "target": None, "met": None}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--names", type=int, default=1000000)
    args = parser.parse_args()
    all_rows: list[typing.Any] = []
    print("CPU microseconds a query, min/median, user part in brackets; queries a second at best")
    for case in cases(args.names):
        seen = bench(case, args.rounds, args.seconds)
        print(f"{case.name:18}", "".join(
            f"{name} {summary([m[0] for m in s])[0]:.2f}/{summary([m[0] for m in s])[1]:.2f} "
            f"({summary([m[1] for m in s])[1]:.2f}) {max(m[2] for m in s) / 1000:.0f}k   " for name, s in seen.items()),
            flush=True)
        all_rows += rows(case, seen)
    all_rows += bench_threads(args.rounds, args.seconds)
    os.makedirs(os.path.join(name_servers.BUILD, "bench"), exist_ok=True)
    with open(os.path.join(name_servers.BUILD, "bench/dns.json"), "w", encoding="utf-8") as out:
        json.dump(all_rows, out, indent=1)


if __name__ == "__main__":
    main()
