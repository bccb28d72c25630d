# SPDX-License-Identifier: BSD-2-Clause
"""CPU time a query costs: weir-dns beside gdnsd, NSD and Knot DNS, each with one worker pinned to one core.

All answer the same number of the same queries over UDP on the loopback from dnsperf on the other core, in turns, so
that a busy machine hits them alike. CPU time is the scheduler's, over all threads of all processes of a server; its
user part is told apart by the kernel's ticks, of all rounds together. Queries come as fast as they are answered, so that a server
has many at once; in the cases named paced 10,000 come in a second, and each wakes the server. NSD's rate limit is off
and Knot's threads are pinned again after its start. There is no figure unless each answer has the response code that the case is about, unless
nearly all queries are answered, and unless all servers' answers are equally long: to refuse, to drop and to leave out is cheap.

The machine's limit is `dns-echo` in the same turns: datagrams of the same sizes through recvmmsg() and sendmmsg() in
batches of 32, which is our own; gdnsd's are of 16 (fixed), read without epoll by a thread for each address.

`dns-answer` measures answers without a socket: what client keys and a drain's step add to them.

    bench_dns.py [--rounds N] [--queries N] [--names N] [--case NAME]... [--beside WEIR-DNS] [--few]

With --case, the other cases' figures in build/bench/dns.json stay. --beside measures another build of weir-dns, too.
"""
from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
import typing

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "dns"))
import name_servers  # noqa: E402
from message import query  # noqa: E402
from verdict import is_met  # noqa: E402

HEAD = "$TTL 300\n@ SOA ns root 1 3600 900 604800 60\n@ NS ns\nns A 192.0.2.1\n"
SMALL = HEAD + "a A 192.0.2.10\nsub NS ns.sub\nns.sub A 192.0.2.30\n"
GDNSD_DYNAMIC = """service_types => {}
plugins => { weighted => { service_types = up, web => {
  addrs_v4 => { ams = [ 203.0.113.10, 100 ], fra = [ 198.51.100.10, 100 ] } } } }
"""
SERVER_CPU, SENDER_CPU = "0", "1"
RESULT = os.path.join(name_servers.BUILD, "bench/dns.json")
OURS, PEER = "weir-dns", "gdnsd"  # who is to cost at most what the other does
RCODES = {"NOERROR": 0, "NXDOMAIN": 3}
LOST_MOST = 0.01  # of the queries of a turn
TICKS_LEAST = 10  # in user mode, of all rounds: fewer say nothing

Row = dict[str, typing.Any]


class Turn(typing.NamedTuple):
    """What a server did in one turn."""
    us: float  # of CPU a query
    user_us: float  # of that in user mode, as far as ticks tell
    rate: float  # queries a second
    user_ticks: int


class Done(typing.NamedTuple):
    """What dnsperf says of one turn."""
    queries: int
    seconds: float
    answer_bytes: int  # on average


class Case:
    """One kind of query, and who can answer it."""

    def __init__(self, name: str, zones: dict[str, str], queries: list[str], dynamic: bool = False,
                 rcode: str = "NOERROR", address: str = "127.0.0.1", wanted: bool = False, paced: int = 0) -> None:
        self.name, self.zones, self.queries, self.dynamic, self.rcode = name, zones, queries, dynamic, rcode
        self.address, self.wanted = address, wanted  # wanted: at most what gdnsd costs
        self.paced = paced  # queries a second, for a second; 0: as fast as they are answered

    def sender(self, path: str) -> list[str]:
        """What sends each query of the file PATH once."""
        outstanding = ["-q", "200"] if not self.paced else ["-q", "20", "-Q", str(self.paced)]
        return ["taskset", "-c", SENDER_CPU, "dnsperf", "-d", path, "-n", "1", "-c", "4", "-T", "1", *outstanding]

    def servers(self, beside: str | None, few: bool) -> typing.Iterator[name_servers.Server]:
        """Those that take turns, not started. BESIDE: the path of another weir-dns. FEW: only it, ours and gdnsd."""
        names = ["www.shop.test"] if self.dynamic else []
        yield name_servers.Weir(self.zones, names=names, address=self.address)
        yield gdnsd_weighted(self.zones) if self.dynamic else name_servers.Gdnsd(self.zones, address=self.address)
        if beside:
            other = name_servers.Weir(self.zones, names=names, address=self.address)
            other.name, other.binary = "beside", beside
            yield other
        if not self.dynamic and not few:
            yield name_servers.Nsd(self.zones, address=self.address)
            yield name_servers.Knot(self.zones, address=self.address)


class Echo(name_servers.Server):
    """tests/bench/dns_echo.c, with the sizes of a case's answers."""

    def __init__(self, server: name_servers.Server, case: Case) -> None:
        """SERVER: which tells the size."""
        super().__init__("echo", {}, case.address)
        name, kind = case.queries[0].split()
        wire = query(name, kind)
        self.more, self.rcode = len(server.ask(wire)) - len(wire), RCODES[case.rcode]

    def start(self) -> None:
        self.run([os.path.join(name_servers.BUILD, "tests/bench/dns-echo"), self.address, str(self.port), str(self.more),
                  str(self.rcode)])
        for attempt in range(50):
            try:
                self.ask(query("a.shop.test", "A"), 0.2)
                return
            except OSError:
                if attempt == 49:
                    raise
                time.sleep(0.02)  # a refused question comes back at once


def large(names: int) -> str:
    return HEAD + "".join(f"h{i} A 10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}\n" for i in range(names))


def gdnsd_weighted(zones: dict[str, str]) -> name_servers.Gdnsd:
    server = name_servers.Gdnsd({z: text + "www 60/5 DYNA weighted!web\n" for z, text in zones.items()})
    with open(server.path("etc/config"), "a", encoding="utf-8") as config:
        config.write(GDNSD_DYNAMIC)
    return server


def cases(names: int) -> list[Case]:
    """In the order of the table."""
    big, small = {"shop.test": large(names)}, {"shop.test": SMALL}
    spread = [i * 7919 % names for i in range(0, names, max(1, names // 50000))]
    missing = [f"n{i}.shop.test A" for i in range(50000)]
    below = [f"n{i}.sub.shop.test A" for i in range(50000)]
    return [
        *(Case(f"small.{kind}{suffix}", small, queries, rcode=rcode, address=address, wanted=True)
          for suffix, address in (("", "127.0.0.1"), (".ip6", "::1"))
          for kind, queries, rcode in (("a", ["a.shop.test A"], "NOERROR"), ("nxdomain", missing, "NXDOMAIN"),
                                       ("referral", below, "NOERROR"))),
        Case("small.a.paced", small, ["a.shop.test A"], paced=10000),
        Case("small.weighted", small, ["www.shop.test A"], dynamic=True),
        Case("million.a", big, [f"h{i}.shop.test A" for i in spread]),
        Case("million.nxdomain", big, missing, rcode="NXDOMAIN"),
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


def pid_of(server: name_servers.Server) -> int:
    assert server.process
    return server.process.pid


def pin(server: name_servers.Server) -> None:
    for each in processes(pid_of(server)):
        subprocess.run(["taskset", "-acp", SERVER_CPU, str(each)], check=True, stdout=subprocess.DEVNULL)


def completed(text: str, rcode: str, who: str) -> Done:
    """What dnsperf says was completed; all of it must have got RCODE, and it must be nearly all that was sent."""
    sent, done = (int(found(rf"Queries {word}:\s+(\d+)", text)) for word in ("sent", "completed"))
    codes = {code: int(n) for code, n in re.findall(r"([A-Z]+) (\d+) \(", found(r"Response codes:(.*)", text))}
    if not done or codes != {rcode: done}:
        sys.exit(f"bench dns: {who} completed {done} queries with {codes}; all should be {rcode}")
    if done < sent * (1 - LOST_MOST):
        sys.exit(f"bench dns: {who} answered {done} of {sent} queries")
    return Done(done, float(found(r"Run time \(s\):\s+([0-9.]+)", text)), int(found(r"Average packet size:.*response (\d+)", text)))


def check_sizes(sizes: dict[str, int]) -> None:
    """Who answers with more or less than the others does other work; a lost query may change an average by one."""
    if max(sizes.values()) - min(sizes.values()) > 1 or not min(sizes.values()):
        sys.exit(f"bench dns: bytes of an answer differ: {sizes}")


def found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    return match[1] if match else "0"


def send(server: name_servers.Server, argv: list[str], rcode: str) -> tuple[int, int, int, Done]:
    """Run dnsperf with ARGV. (nanoseconds, user and system ticks of the server, what was done)"""
    before = cpu(pid_of(server))
    text = subprocess.run([*argv, "-s", server.address, "-p", str(server.port), "-O", "suppress=timeouts"],
                          capture_output=True, text=True, check=True).stdout
    total, user, system = (b - a for a, b in zip(before, cpu(pid_of(server))))
    return total, user, system, completed(text, rcode, server.name)


def measure(case: Case, server: name_servers.Server, path: str) -> tuple[Turn, int]:
    """One turn, each query of the file PATH once; and the bytes of an answer."""
    total, user, system, done = send(server, case.sender(path), case.rcode)
    each = total / 1000 / done.queries
    return Turn(each, each * user / max(user + system, 1), done.queries / done.seconds, user), done.answer_bytes


def bench(case: Case, args: argparse.Namespace) -> dict[str, list[Turn]]:
    """server name -> its turns."""
    seen: dict[str, list[Turn]] = {}
    opened: list[name_servers.Server] = []
    try:
        for server in case.servers(args.beside, args.few):
            opened.append(server)
            server.start()
        opened.append(Echo(opened[0], case))
        opened[-1].start()
        for server in opened:
            pin(server)
        text = "".join(case.queries[i % len(case.queries)] + "\n" for i in range(case.paced or args.queries))
        opened[0].write("queries", text)
        for i in range(args.rounds):
            sizes: dict[str, int] = {}
            for server in opened[::1 if i % 2 else -1]:
                turn, sizes[server.name] = measure(case, server, opened[0].path("queries"))
                seen.setdefault(server.name, []).append(turn)
            check_sizes(sizes)
    finally:
        for server in opened:
            server.__exit__()
    return seen


THREADS_MOST = 1.1  # CPU time a query of two threads, in that of one
THREADS_RATE = 1.8  # queries a second of two threads, in those of one, where they have cores of their own


def measure_free(server: name_servers.Weir, path: str) -> tuple[float, float]:
    """As measure(), with server and sender on all CPUs; the sender has threads and ports enough for two threads."""
    total, _, _, done = send(server, ["dnsperf", "-d", path, "-n", "1", "-c", "32", "-T", "2", "-q", "400"], "NOERROR")
    return total / 1000 / done.queries, done.queries / done.seconds


def bench_threads(rounds: int, queries: int) -> typing.Iterator[Row]:
    """Rows of two threads beside one: CPU time a query, and queries a second where there are four cores."""
    opened: dict[int, name_servers.Weir] = {}
    seen: dict[int, list[tuple[float, float]]] = {1: [], 2: []}
    try:
        for n in seen:
            opened[n] = name_servers.Weir({"shop.test": SMALL}, threads=n)
            opened[n].start()
            opened[n].write("queries", "a.shop.test A\n" * queries)
        for _ in range(rounds):
            for n, server in opened.items():
                seen[n].append(measure_free(server, server.path("queries")))
    finally:
        for server in opened.values():
            server.__exit__()
    one, two = (summary([m[0] for m in seen[n]]) for n in (1, 2))
    rate = [max(m[1] for m in seen[n]) for n in (1, 2)]
    cores = len(os.sched_getaffinity(0))
    print(f"threads            one {one[0]:.2f}/{one[1]:.2f} {rate[0] / 1000:.0f}k   two {two[0]:.2f}/{two[1]:.2f} "
          f"{rate[1] / 1000:.0f}k", flush=True)
    yield {"name": "dns.threads.2", "unit": "us/query", "min": two[0], "median": two[1], "reference": one[0],
           "reference_median": one[1], "target": round(one[1] * THREADS_MOST, 3), "met": is_met(two[1], one[1] * THREADS_MOST)}
    yield {"name": "dns.threads.2.rate", "unit": "queries/s", "min": round(rate[1]), "median": round(rate[1]),
           "reference": round(rate[0]), "reference_median": round(rate[0]),
           "target": round(rate[0] * THREADS_RATE) if cores >= 4 else None,
           "met": rate[1] >= rate[0] * THREADS_RATE if cores >= 4 else None}


def summary(values: list[float]) -> tuple[float, float]:
    return round(min(values), 3), round(statistics.median(values), 3)


def row(name: str, figure: tuple[float, float], reference: tuple[float, float] | None = None,
        wanted: bool = False) -> Row:
    """A JSON row. WANTED: the median shall be at most the reference's."""
    of = reference or (None, None)
    target = of[1] if wanted else None
    return {"name": f"dns.{name}", "unit": "us/query", "min": figure[0], "median": figure[1], "reference": of[0],
            "reference_median": of[1], "target": target, "met": is_met(figure[1], target)}


def user_part(turns: list[Turn]) -> float | None:
    """Microseconds a query in user mode, of all rounds together; None: too few ticks."""
    return round(statistics.mean(t.user_us for t in turns), 2) if sum(t.user_ticks for t in turns) >= TICKS_LEAST else None


def rows(case: Case, seen: dict[str, list[Turn]]) -> typing.Iterator[Row]:
    """JSON rows of one case: ours beside gdnsd, then each of the others; the user part of these two."""
    figures = {name: summary([t.us for t in all_]) for name, all_ in seen.items()}
    yield row(case.name, figures.pop(OURS), figures[PEER], case.wanted)
    figures.pop("beside", None)
    for name, figure in figures.items():
        yield row(f"{case.name}.{name}", figure)
    yield {"name": f"dns.{case.name}.user", "unit": "us/query", "median": user_part(seen[OURS]), "reference_median": user_part(seen[PEER])}


def ratio(seen: dict[str, list[Turn]], of: str, to: str) -> float:
    """The median of what OF costs in units of what TO costs in the same round."""
    return statistics.median(a.us / b.us for a, b in zip(seen[of], seen[to]))


def line(case: Case, seen: dict[str, list[Turn]]) -> str:
    """What a person reads of one case."""
    text = f"{case.name:20}"
    for name, all_ in seen.items():
        least, median = summary([t.us for t in all_])
        text += f"{name} {least:.2f}/{median:.2f} ({user_part(all_) or '?'}) {max(t.rate for t in all_) / 1000:.0f}k   "
    beside = f", {ratio(seen, OURS, 'beside'):.3f} of beside" if "beside" in seen else ""
    return text + f"ours in the same rounds: {ratio(seen, OURS, PEER):.3f} of {PEER}{beside}"


def keep_rows(new: list[Row]) -> None:
    """Put rows into the result; rows of other names stay."""
    old: list[Row] = []
    if os.path.exists(RESULT):
        with open(RESULT, encoding="utf-8") as file:
            old = json.load(file)
    names = {r["name"] for r in new}
    os.makedirs(os.path.dirname(RESULT), exist_ok=True)
    with open(RESULT, "w", encoding="utf-8") as out:
        json.dump([r for r in old if r["name"] not in names] + new, out, indent=1)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--queries", type=int, default=200000)
    parser.add_argument("--names", type=int, default=1000000)
    parser.add_argument("--case", action="append", default=[], help="such as small.a; answer; threads")
    parser.add_argument("--beside", help="another weir-dns")
    parser.add_argument("--few", action="store_true", help="without NSD and Knot DNS")
    args = parser.parse_args()
    if not args.case and os.path.exists(RESULT):
        os.unlink(RESULT)
    print("CPU microseconds a query, min/median, user part in brackets; queries a second at best")
    for case in cases(args.names):
        if args.case and case.name not in args.case:
            continue
        seen = bench(case, args)
        print(line(case, seen), flush=True)
        keep_rows(list(rows(case, seen)))
    if not args.case or "answer" in args.case:
        answers = json.loads(subprocess.run([os.path.join(name_servers.BUILD, "tests/bench/dns-answer")], check=True,
                                            capture_output=True, text=True).stdout)
        print("without a socket, ns an answer:", ", ".join(f"{r['name'][11:]} {r['min']}/{r['median']}" for r in answers))
        keep_rows(answers)
    if not args.case or "threads" in args.case:
        keep_rows(list(bench_threads(args.rounds, args.queries)))


if __name__ == "__main__":
    main()
