# SPDX-License-Identifier: BSD-2-Clause
"""Under attack, the part of the name server: clients over TCP that ask for much and read nothing, beside queries over UDP.

400 connections pipeline queries with answers of 4 kB; one that is stuck is opened again after a second. Meanwhile
dnsperf asks 10,000 times a second over UDP and notes each answer's time. weir-dns and Knot DNS take turns, each
with one thread for UDP and one for TCP on the same core.
"""
from __future__ import annotations

import os
import re
import select
import signal
import socket
import statistics
import struct
import subprocess
import sys
import time
import typing

DNS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "dns")
sys.path.append(DNS)
import message  # noqa: E402
import name_servers  # noqa: E402

if typing.TYPE_CHECKING:
    from report import Report

ZONE = "$TTL 60\n@ SOA ns root 1 3600 900 604800 60\n@ NS ns\nns A 192.0.2.1\n" \
       + "big TXT " + " ".join('"' + "x" * 200 + '"' for _ in range(20)) + "\n" \
       + "".join(f"h{i} A 192.0.2.{i % 250 + 1}\n" for i in range(1000))
CLIENTS, RATE, STUCK_S, TIMEOUT_S = 400, 10000, 1.0, 2
SERVER_CPU, LOAD_CPU = "0", "1"
FACTOR, ANSWERED = 1.5, 0.98
SHORT_MS = 10  # a wait this short is no attack's: what else runs on the machine makes as much


class Attacker:
    """A client that writes queries as long as it can, and reads nothing."""

    def __init__(self, poll: select.epoll, address: tuple[str, typing.Any], queries: bytes) -> None:
        self.poll, self.address, self.queries, self.moved = poll, address, queries, 0.0
        self.socket: socket.socket | None = None

    def open(self, by_fd: dict[typing.Any, typing.Any]) -> None:
        self.close(by_fd)
        s = socket.socket()
        s.setblocking(False)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closed by RST: no port waits
        s.connect_ex(self.address)
        self.socket, self.moved = s, time.monotonic()
        by_fd[s.fileno()] = self
        self.poll.register(s, select.EPOLLOUT | select.EPOLLET)

    def close(self, by_fd: dict[typing.Any, typing.Any]) -> None:
        if self.socket:
            del by_fd[self.socket.fileno()]
            self.socket.close()
        self.socket = None

    def write(self) -> int:
        """Returns the bytes written; raises OSError when the connection is gone."""
        n = 0
        try:
            n = self.socket.send(self.queries)
            self.moved = time.monotonic()
        except BlockingIOError:
            pass
        return n


def attack(port: int, seconds: float) -> None:
    """The process of the attackers; prints bytes written and connections opened."""
    wire = message.query("big.shop.test", "TXT")
    queries = (len(wire).to_bytes(2, "big") + wire) * 100
    by_fd: dict[typing.Any, typing.Any] = {}
    poll, written, opened = select.epoll(), 0, 0
    clients = [Attacker(poll, ("127.0.0.1", port), queries) for _ in range(CLIENTS)]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for c in clients:
            if not c.socket or time.monotonic() - c.moved > STUCK_S:
                c.open(by_fd)
                opened += 1
        for fd, _ in poll.poll(0.05):
            c = by_fd.get(fd)
            try:
                written += c.write() if c else 0
            except OSError:
                c.close(by_fd)
    print(written, opened)


def pinned(cpu: str, argv: list[typing.Any]) -> list[typing.Any]:
    return ["taskset", "-c", cpu, *argv]


def ask(server: name_servers.Server, seconds: float) -> tuple[list[float], int]:
    """Asks over UDP; (milliseconds of each answer, queries sent)."""
    server.write("queries", "".join(f"h{i}.shop.test A\n" for i in range(1000)))
    text = subprocess.run(pinned(LOAD_CPU, [
        "dnsperf", "-s", "127.0.0.1", "-p", str(server.port), "-d", server.path("queries"), "-l", str(seconds), "-Q",
        str(RATE), "-q", "5000", "-c", "50", "-T", "1", "-t",
        str(TIMEOUT_S), "-v"]), capture_output=True, text=True, check=True).stdout
    times = [float(t) * 1000 for t in re.findall(r"^> NOERROR \S+ A ([0-9.]+)$", text, re.M)]
    return times, int(re.search(r"Queries sent:\s+(\d+)", text)[1])


def percentile(times: list[float], part: float) -> float:
    ordered = sorted(times) or [float("inf")]
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def round_of(server: name_servers.Server, seconds: float) -> dict[str, typing.Any]:
    """One round under attack. p99_ms is of all queries: one that is lost took as long as it was waited for."""
    attackers = subprocess.Popen(pinned(LOAD_CPU, ["nice", sys.executable, os.path.abspath(__file__), str(server.port),
                                                   str(seconds + 2)]), stdout=subprocess.PIPE, text=True)
    time.sleep(1)  # the attackers reach their full rate
    times, sent = ask(server, seconds)
    written, opened = map(int, attackers.communicate(timeout=60)[0].split())
    lost = [TIMEOUT_S * 1000.0] * (sent - len(times))
    return {"p50_ms": percentile(times, 0.5), "p99_ms": percentile(times + lost, 0.99),
            "answered_p99_ms": percentile(times, 0.99), "answered": len(times) / max(sent, 1),
            "tcp_mb": written / 1e6, "opened": opened}


def pin(server: name_servers.Server) -> None:
    subprocess.run(["taskset", "-acp", SERVER_CPU, str(server.process.pid)], check=True, stdout=subprocess.DEVNULL)


def middle(rounds: list[typing.Any], key: str) -> typing.Any:
    return statistics.median(r[key] for r in rounds)


def is_met(rounds: dict[str, list[typing.Any]]) -> typing.Any:
    """The short form runs beside other suites: it measures for longer before it says no."""
    weir_p99, knot_p99 = (middle(rounds[name], "p99_ms") for name in ("weir", "knot"))
    return weir_p99 <= max(FACTOR * knot_p99, SHORT_MS)


def run(report: Report, quick: bool) -> dict[str, typing.Any]:
    rounds: dict[typing.Any, typing.Any] = {"weir": [], "knot": []}
    with name_servers.Weir({"shop.test": ZONE}) as weir, name_servers.Knot({"shop.test": ZONE}) as knot:
        for server in (weir, knot):
            pin(server)
        while len(rounds["weir"]) < (4 if quick else 15) or quick and len(rounds["weir"]) < 12 and not is_met(rounds):
            for name, server in (("weir", weir), ("knot", knot)):
                rounds[name].append(round_of(server, 2))
        weir.wait_ready()
        report.check(weir.process.poll() is None and knot.process.poll() is None, "both servers are alive")
    weir_p99, knot_p99 = (middle(rounds[name], "p99_ms") for name in ("weir", "knot"))
    quick_p99 = {name: round(middle(rounds[name], "answered_p99_ms"), 3) for name in ("weir", "knot")}
    answered = sum(r["answered"] for r in rounds["weir"]) / len(rounds["weir"])
    report.check(min(r["opened"] for r in rounds["weir"]) >= CLIENTS and min(r["tcp_mb"] for r in rounds["weir"]) > 1,
                 f"{CLIENTS} clients over TCP ask and read nothing", [round(r["tcp_mb"]) for r in rounds["weir"]])
    report.check(is_met(rounds), f"UDP's p99 is at most {FACTOR} times Knot's, or {SHORT_MS} ms",
                 f"{weir_p99:.2f} ms, {knot_p99:.2f} ms; of those that were answered {quick_p99}")
    report.check(answered >= ANSWERED, f"at least {ANSWERED} of UDP's queries are answered", round(answered, 4))
    return {"weir_p99_ms": round(weir_p99, 3), "knot_p99_ms": round(knot_p99, 3), "weir_answered": round(answered, 4),
            "knot_answered": round(middle(rounds["knot"], "answered"), 4),
            "answered_p99_ms": quick_p99,
            "weir_p50_ms": round(middle(rounds["weir"], "p50_ms"), 3),
            "knot_p50_ms": round(middle(rounds["knot"], "p50_ms"), 3), "rounds": rounds}


if __name__ == "__main__":
    signal.alarm(120)
    attack(int(sys.argv[1]), float(sys.argv[2]))
