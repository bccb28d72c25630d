# SPDX-License-Identifier: BSD-2-Clause
"""Reads the logs of clients and probes while they grow, and answers questions about times and shares."""
from __future__ import annotations

import math
import os
import threading
import time
import typing

from net import Process, machine, say, wait_until
from world import REQUEST_KINDS as KINDS
from world import Request

Meant = typing.Callable[[Request], bool]

WATCH = machine.Watch()
STOP_MS = 500  # timers that expire meanwhile fire before what came meanwhile is read: a SYN is sent again, though none was lost
SYNS_MAX = 20  # that dropped frames excuse at a time; a program that lets its port overflow loses more
SYN_MS = 1000  # after this a SYN is sent again


def now_ms() -> int:
    return int(time.time() * 1000)


def stopped_ms(begin_ms: float, end_ms: float) -> float:
    """For how long the machine stood still in a time."""
    ago = time.time() - time.monotonic()
    return 1000 * WATCH.stopped_s(begin_ms / 1000 - ago, end_ms / 1000 - ago)


def stood_still(begin_ms: float, end_ms: float) -> bool:
    """Whether the machine stood still for at least half of a time, and for so long that what timers did then shows nothing."""
    return stopped_ms(begin_ms, end_ms) >= max(STOP_MS, (end_ms - begin_ms) / 2)


def is_excused(r: Request) -> bool:
    """Whether a timer of a request expired because the machine stood still: that of the whole, or that of its first SYN."""
    if r.result == "ok":
        return r.resent > 0 and stood_still(r.start_ms, min(r.end_ms, r.start_ms + SYN_MS))
    return "timeout" in r.result and stood_still(r.start_ms, r.end_ms)


def failed(requests: typing.Iterable[Request]) -> list[Request]:
    """Those of some requests that failed, without those that are excused, which are told."""
    bad = [r for r in requests if r.result != "ok"]
    excused = [r for r in bad if is_excused(r)]
    tell_excused(excused)
    return [r for r in bad if r not in excused]


def tell_excused(excused: typing.Sequence[Request]) -> None:
    if excused:
        first = [f"{'SYN lost' if r.result == 'ok' else r.result} {r.target} {r.backend}" for r in excused[:3]]
        say(f"not counted: {len(excused)} requests, for the machine stood still: {', '.join(first)}")


class Crowd:
    """The requests of a running client, read as they end."""

    def __init__(self, path: str, process: Process | None, site_of: typing.Mapping[str, str]) -> None:
        self.path, self.process, self.site_of = path, process, site_of
        self.name = os.path.basename(path).removesuffix(".requests")
        self.requests: list[Request] = []
        self.rest, self.at = "", 0
        self.ended_ms = 0  # all requests that were started before have ended
        self.dropped: typing.Callable[[], int] = lambda: 0  # frames that the kernel's links have dropped so far
        self.excused = 0  # of these: a frame excuses one SYN, once, and none that was lost before or long after

    def read(self) -> list[Request]:
        """Read what has come; returns all requests so far."""
        try:
            with open(self.path) as f:
                f.seek(self.at)
                text = self.rest + f.read()
                self.at = f.tell()
        except FileNotFoundError:
            return self.requests
        lines = text.split("\n")
        self.rest = lines.pop()
        for line in lines:
            if line.startswith("#"):
                self.ended_ms = int(line.split()[2])
            else:
                self.requests.append(Request(*(kind(w) for kind, w in zip(KINDS, line.split()))))
        return self.requests

    def wait_ended(self, until_ms: float) -> None:
        """Wait until all requests that were started before a time have ended: what is under way can still fail."""
        if not self.process:
            return
        alive = self.process.alive

        def ended() -> bool:
            self.read()
            return self.ended_ms >= until_ms or not alive()
        wait_until(ended, 60, f"the requests of {self.name} end", 0.05)
        self.read()

    def failures(self, start_ms: float, end_ms: float | None = None, syns: bool = True) -> list[tuple[str, str, str]]:
        """What was started in a time (up to now, if no end is given) and went wrong, once all of it has ended: requests
        that failed, and with `syns` those whose first SYN was lost, though the one sent again got through. A second and more
        without any request shows nothing, and is a failure, too."""
        end_ms = end_ms or now_ms()
        self.wait_ended(end_ms)
        started = self.between(start_ms, end_ms)
        if not started and end_ms - start_ms - stopped_ms(start_ms, end_ms) >= 1000:
            return [("no request was started", self.name, "-")]
        bad = [r for r in started if r.result != "ok" or syns and r.resent]
        excused = [r for r in bad if is_excused(r)]
        tell_excused(excused)
        return self.without_lost([(r.result if r.result != "ok" else "SYN lost", r.target, r.backend)
                                  for r in bad if r not in excused])

    def forget_dropped(self) -> None:
        """What the links have dropped so far excuses nothing from now on."""
        self.excused = self.dropped()

    def without_lost(self, bad: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
        """These failures but as many lost SYNs as the kernel's links say that they dropped frames."""
        syns = sum(b[0] == "SYN lost" for b in bad)
        n = min(syns, self.dropped() - self.excused, SYNS_MAX) if syns else 0
        if n <= 0:
            return bad
        self.excused += n
        say(f"not counted: {n} lost SYNs of {self.name}, for the links dropped frames")
        return [b for b in bad if b[0] != "SYN lost"] + [b for b in bad if b[0] == "SYN lost"][n:]

    def between(self, start_ms: float, end_ms: float) -> list[Request]:
        """The requests that were started in a time."""
        return [r for r in self.read() if start_ms <= r.start_ms < end_ms]

    def site(self, request: Request) -> str:
        return self.site_of.get(request.target, "?")

    def shares(self, start_ms: float, end_ms: float, only: Meant = lambda r: True) -> tuple[dict[str, float], int]:
        """({site: share of the sources}, number of sources) by the last site each source went to in a time."""
        last = {r.source: self.site(r) for r in self.between(start_ms, end_ms) if only(r) and r.target != "::"}
        counts: dict[str, int] = {}
        for site in last.values():
            counts[site] = counts.get(site, 0) + 1
        return {s: n / len(last) for s, n in counts.items()}, len(last)

    def backends(self, start_ms: float, end_ms: float, site: str) -> tuple[dict[str, float], int]:
        """({backend: share of the requests}, number) at a site in a time."""
        counts: dict[str, int] = {}
        for r in self.between(start_ms, end_ms):
            if self.site(r) == site and r.backend != "-":
                counts[r.backend] = counts.get(r.backend, 0) + 1
        n = sum(counts.values())
        return {b: c / n for b, c in counts.items()}, n

    def last_start(self, site: str, since_ms: float) -> int | None:
        """When the last request to a site was started, since a time; None if none was."""
        return max((r.start_ms for r in self.read() if r.start_ms >= since_ms and self.site(r) == site),
                   default=None)

    def line(self, begin_ms: float, end_ms: float, only: Meant = lambda r: True) -> str:
        """One line of progress about a stretch of time; shares are those of the requests that are meant."""
        requests = self.between(begin_ms, end_ms)
        bad: dict[str, int] = {}
        for r in requests:
            if r.result != "ok":
                bad[r.result] = bad.get(r.result, 0) + 1
        sites: dict[str, int] = {}
        for r in filter(only, requests):
            sites[self.site(r)] = sites.get(self.site(r), 0) + 1
        total = sum(sites.values())
        share = "  ".join(f"{s} {100 * n / total:3.0f} %" for s, n in sorted(sites.items()) if s != "?")
        rate = len(requests) * 1000 / max(1, end_ms - begin_ms)
        return f"{rate:4.0f} requests/s  {share}  " + (
            "failed: " + ", ".join(f"{n} {reason}" for reason, n in sorted(bad.items())) if bad else "none failed")


class Progress:
    """Prints a line about a crowd every two seconds until stopped."""

    def __init__(self, crowd: Crowd, phase: str, only: Meant, every_s: float = 2.0) -> None:
        self.crowd, self.phase, self.only, self.every_s = crowd, phase, only, every_s
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        begin, own = now_ms(), Crowd(self.crowd.path, None, self.crowd.site_of)
        while not self.ending.wait(self.every_s):
            end = now_ms() - 100
            say(f"{self.phase:14} {own.line(begin, end, self.only)}")
            begin = end

    def stop(self) -> None:
        self.ending.set()
        self.thread.join()


def sigma(share: float, n: int) -> float:
    return math.sqrt(max(share * (1 - share), 1e-6) / max(1, n))


class Answers:
    """The log of dns_probe.py."""

    def __init__(self, path: str, site_of: typing.Mapping[str, str]) -> None:
        self.path, self.site_of = path, site_of

    def read(self) -> list[tuple[int, int, str, str, str, str, int, int]]:
        """[(sent_ms, answered_ms, server, prefix, rcode, site, ttl, scope)]; answered_ms 0: lost."""
        rows = []
        try:
            with open(self.path) as f:
                for line in f:
                    w = line.split()
                    if line.endswith("\n"):
                        rows.append((int(w[0]), int(w[1]), w[2], w[3], w[4], self.site_of.get(w[5], "-"), int(w[6]),
                                     int(w[7])))
        except FileNotFoundError:
            pass
        return rows

    def last_naming(self, site: str, since_ms: float) -> int | None:
        """When the last answer that names a site came, since a time; None if none did."""
        return max((a for _, a, _, _, _, s, _, _ in self.read() if s == site and a >= since_ms), default=None)
