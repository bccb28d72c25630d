# SPDX-License-Identifier: BSD-2-Clause
"""Benches refuse what is no figure: work that was not done, or other work than the reference's."""
from __future__ import annotations

import os
import struct
import sys
import tempfile
import typing

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests", "bench")]
import bench_dns  # noqa: E402
import bench_dpdk  # noqa: E402
import bench_restart  # noqa: E402

DNSPERF = """  Queries sent:         {sent}
  Queries completed:    {done} (100.00%)
  Queries lost:         0 (0.00%)
  Response codes:       {codes}
  Average packet size:  request 29, response 45
  Run time (s):         0.500000
"""


def refuses(what: typing.Callable[[], object]) -> bool:
    try:
        what()
    except SystemExit as reason:
        return bool(str(reason.code).startswith("bench "))
    return False


def dnsperf(sent: int, done: int, codes: str) -> typing.Any:
    return lambda: bench_dns.completed(DNSPERF.format(sent=sent, done=done, codes=codes), "NOERROR", "a")


def turns(ticks: int) -> list[bench_dns.Turn]:
    return [bench_dns.Turn(5.0, 0.25, 1000.0, ticks)] * 3


def dpdk_rows() -> dict[str, dict[str, typing.Any]]:
    """Rows of "huge" and of "large", in which the source of flows costs each program 3 ns a frame."""
    def readings(weir: float, swap: float, io: float) -> bench_dpdk.Readings:
        return {who: [bench_dpdk.Reading(1.0, ns, 1.0)] * 3 for who, ns in (("weir", weir), ("macswap", swap), ("io", io))}
    both = {"huge": readings(40, 20, 15), "large": readings(45, 23, 18)}
    return {name: bench_dpdk.cpu_row(name, both) for name in both}


def flows(written: int) -> typing.Callable[[], None]:
    def check() -> None:
        with tempfile.TemporaryDirectory() as directory:
            seen = os.path.join(directory, "seen")
            with open(seen, "wb") as f:
                f.write(struct.pack("=Q", written))
            bench_dpdk.check_flows(bench_dpdk.CASES["large"], seen, bench_dpdk.Reading(1000, 1, 1), "a")
    return check


class Silent(bench_dns.name_servers.Server):
    """It runs, and never answers."""

    def start(self) -> None:
        self.run(["sleep", "100"])
        raise RuntimeError("silent")


def leaves_something() -> bool:
    server = Silent("silent", {})
    try:
        with server:
            return True
    except RuntimeError:
        return server.process is not None or os.path.exists(server.dir)


def lost_most() -> object:
    seen: list[tuple[float, int, dict[str, float]]] = [(1.0, lost, {}) for lost in (0, 7, 2)]
    return bench_restart.row("xdp", "death", seen, seen)["lost_max"]


def claims() -> list[tuple[bool, str]]:
    large = dpdk_rows()["large"]
    return [
        (not refuses(dnsperf(1000, 1000, "NOERROR 1000 (100.00%)")), "dns: all answered"),
        (dnsperf(1000, 995, "NOERROR 995 (100.00%)")() == bench_dns.Done(995, 0.5, 45), "dns: what was done is read"),
        (refuses(dnsperf(1000, 980, "NOERROR 980 (100.00%)")), "dns: a server that drops queries has no figure"),
        (refuses(dnsperf(1000, 1000, "NOERROR 999 (99.90%), SERVFAIL 1 (0.10%)")), "dns: nor one that refuses"),
        (refuses(dnsperf(0, 0, "")), "dns: nor one that is not there"),
        (not refuses(lambda: bench_dns.check_sizes({"a": 45, "b": 46})), "dns: answers of one size"),
        (refuses(lambda: bench_dns.check_sizes({"a": 45, "b": 29})), "dns: an answer that says less has no figure"),
        (refuses(lambda: bench_dns.check_sizes({"a": 0, "b": 0})), "dns: nor one of which nothing is known"),
        (bench_dns.user_part(turns(1)) is None, "dns: few ticks say nothing"),
        (bench_dns.user_part(turns(4)) == 0.25, "dns: many ticks do"),
        (not leaves_something(), "dns: a server that does not answer is ended"),
        (large["median"] == 45 and large["reference_median"] == 23, "dpdk: the source of flows is in all figures of a row, or in none"),
        (large["target"] == bench_dpdk.LARGE_TIMES * 40 and large["met"] is False, "dpdk: nor is it taken off what shall be met"),
        (not refuses(flows(1000)), "dpdk: all frames had their flows"),
        (refuses(flows(999)), "dpdk: a frame without one is of another case"),
        (bench_dpdk.chosen([]) == list(bench_dpdk.CASES) and bench_dpdk.chosen(["4k", "huge"]) == ["huge", "4k"], "dpdk: cases by name"),
        (refuses(lambda: bench_dpdk.chosen(["huge", "pcap"])), "dpdk: an unknown case is refused, not left out"),
        (lost_most() == 7, "restart: the most that one trial lost is a figure"),
    ]


def main() -> int:
    found = claims()
    failed = [text for well, text in found if not well]
    for text in failed:
        print(f"FAIL {text}")
    print(f"{len(found) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
