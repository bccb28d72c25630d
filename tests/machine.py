# SPDX-License-Identifier: BSD-2-Clause
"""What the machine did to the suites: how long nothing ran on it, how much of it others had, and packets that it lost. And how many
of them it bears at once (Gate).

A virtual machine is stopped now and then, for milliseconds or for seconds. Every deadline that ends in that time is missed,
whatever the program does. A suite that fails says what the machine did meanwhile, so that its reader need not guess.
"""
from __future__ import annotations

import atexit
import collections
import contextlib
import fcntl
import os
import threading
import time
import typing

PERIOD_S = 0.1
STOP_S = 0.5  # a thread that wakes so late saw the machine stand still, or no processor was free for it
QUEUE = "/proc/sys/net/core/netdev_max_backlog"
ROOM = 20000  # packets; all namespaces share a processor's queue, and one lab's burst must not cost another's SYN
ROOMS = "/run/weir-test-rooms"  # how long they were before; gone after a boot, as the setting itself


class Moment(typing.NamedTuple):
    """The kernel's counters at a time."""

    at: float
    total: int  # ticks of all processors
    stolen: int  # of these, those in which the host ran others
    lost: int  # packets for which a processor's queue had no room


def look() -> Moment:
    with open("/proc/stat", encoding="ascii") as f:
        ticks = [int(n) for n in f.readline().split()[1:9]]
    with open("/proc/net/softnet_stat", encoding="ascii") as f:
        lost = sum(int(line.split()[1], 16) for line in f)
    return Moment(time.monotonic(), sum(ticks), ticks[7], lost)


class Watch:
    """Notes the times at which a thread of this process woke too late, until it is closed."""

    def __init__(self) -> None:
        self.stops: list[tuple[float, float]] = []  # (when it ended, seconds)
        self.end = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self) -> None:
        last = time.monotonic()
        while not self.end.wait(PERIOD_S):
            now = time.monotonic()
            if now - last > STOP_S:
                self.stops.append((now, now - last))
            last = now

    def close(self) -> None:
        self.end.set()
        self.thread.join()

    def stopped_s(self, begin: float, end: float) -> float:
        """For how long, in all, no thread ran in a time; both by time.monotonic()."""
        return sum(max(0.0, min(end, at) - max(begin, at - s)) for at, s in list(self.stops))

    def since(self, begin: Moment) -> str:
        """How busy the machine is, and what it did since @begin that is worth a word."""
        now = look()
        stops = [s for at, s in list(self.stops) if at > begin.at]
        stolen = (now.stolen - begin.stolen) / max(1, now.total - begin.total)
        said = [f"a load of {os.getloadavg()[0]:.0f}"]
        said += [f"no thread ran for {max(stops):.1f} s ({len(stops)} stops in all)"] if stops else []
        said += [f"the host had {100 * stolen:.0f} % of the processors"] if stolen >= 0.05 else []
        said += [f"{now.lost - begin.lost} packets found a processor's queue full"] if now.lost > begin.lost else []
        return "; ".join(said)


WORK_S = 0.02  # of a processor, each second
LOOKS, LOOK_S = 8, 1.0  # of which the mean counts: one look may be lucky
SLOW_LONG, SLOW = 2.5, 4.0  # a suite begins where such work takes up to so many times as long as on an idle machine
FEW = 2  # so many run however slow the machine is
SETTLE_S = 8.0  # after which a long suite's processes do what they will do


def slowness() -> float:
    """How many times as long as on an idle machine some work of this thread takes."""
    wall, own = time.monotonic(), time.thread_time()
    while time.thread_time() - own < WORK_S:
        pass
    return (time.monotonic() - wall) / (time.thread_time() - own)


class Gate:
    """Suites begin one after the other, and only while the machine is fast enough for the deadlines of those that run. Clients of labs
    send as long as their lab runs: too many at once take longer, and send more, until nothing is in time."""

    def __init__(self, look: typing.Callable[[], float] = slowness) -> None:
        self.look, self.seen = look, collections.deque[float](maxlen=LOOKS)
        self.turn, self.counting, self.running = threading.Lock(), threading.Lock(), 0
        self.end = threading.Event()
        threading.Thread(target=self.watch, daemon=True).start()

    def watch(self) -> None:
        while not self.end.wait(LOOK_S):
            self.seen.append(self.look())

    def close(self) -> None:
        self.end.set()

    def count(self, n: int) -> int:
        with self.counting:
            self.running += n
            return self.running

    def is_fast(self, most: float) -> bool:
        seen = list(self.seen)
        return sum(seen) <= most * len(seen)

    @contextlib.contextmanager
    def passed(self, is_long: bool) -> typing.Iterator[None]:
        """What runs inside began in its turn."""
        with self.turn:
            while self.count(0) >= FEW and not self.is_fast(SLOW_LONG if is_long else SLOW):
                time.sleep(LOOK_S)  # until there is another look
            self.count(1)
            time.sleep(SETTLE_S if is_long else 0)  # what it will do is not to be seen before
        try:
            yield
        finally:
            self.count(-1)


class Room:
    """Makes processors' queues of packets long, until the last of those that asked for it is closed, at the latest with its process.
    What they were before stands in ROOMS, locked by all that ask: if all were killed, the next one sets it back at its end.
    Without root the queues stay."""

    def __init__(self) -> None:
        self.rooms: int | None = None

    def open(self) -> None:
        with contextlib.suppress(OSError):
            rooms = os.open(ROOMS, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            fcntl.flock(rooms, fcntl.LOCK_SH)
            self.rooms = rooms
            atexit.register(self.close)
            if (before := queue()) < ROOM:
                os.pwrite(rooms, f"{before}\n".encode(), 0)
                set_queue(ROOM)

    def close(self) -> None:
        if self.rooms is None:
            return
        rooms, self.rooms = self.rooms, None
        with contextlib.suppress(BlockingIOError):  # others still want it
            fcntl.flock(rooms, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if before := os.pread(rooms, 20, 0).strip():
                set_queue(int(before))
                os.ftruncate(rooms, 0)
        os.close(rooms)


def queue() -> int:
    with open(QUEUE, encoding="ascii") as f:
        return int(f.read())


def set_queue(packets: int) -> None:
    with open(QUEUE, "w", encoding="ascii") as f:
        f.write(str(packets))
