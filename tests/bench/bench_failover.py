#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""From a backend's death to the last packet sent to it, over the wire: port closed (nginx killed) and silent (a
rule swallows all that it would send). One node, three nginx backends, HTTP checks through the tunnel every 50 ms with fall = 2;
a client sends SYNs of new flows all the time. Needs root.

The reference is the check's schedule alone, had nothing else taken any time.

    bench_failover.py [LOAD]   beside LOAD processes that are always busy
"""
from __future__ import annotations

import json
import os
import random
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time
import typing

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "lab"))

import plan as planning  # noqa: E402
from net import BUILD, Lab, say, wait_until  # noqa: E402
from world import World  # noqa: E402

if typing.TYPE_CHECKING:
    from net import Host
    from world import Node

TRIALS, TARGET_MS = 20, 100
INTERVAL_MS, FAST_MS, TIMEOUT_MS, FALL = 50, 10, 15, 2
CHECK = (f'type = "http"; port = 80; path = "/healthz"; expect = 200; via = "tunnel"; interval = "{INTERVAL_MS}ms"; '
         f'fast_interval = "{FAST_MS}ms"; timeout = "{TIMEOUT_MS}ms"; rise = 2; fall = {FALL}; damp_turns = 0;')
SENDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "failover_sender.py")
ETH_P_ALL, SO_TIMESTAMPNS = 3, 35


class Wire:
    """The time of the last packet of a client's flow that went out of a port of the router."""

    def __init__(self, host: Host, port: str, node_addresses: list[typing.Any]) -> None:
        self.last_ns, self.n = 0, 0
        self.not_these = [socket.inet_pton(socket.AF_INET6 if ":" in a else socket.AF_INET, a) for a in node_addresses]
        self.socket = in_namespace(host, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                                                               socket.htons(ETH_P_ALL)))
        self.socket.bind((port, 0))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                data, control, _, address = self.socket.recvmsg(128, 64)
            except OSError:  # the port has gone: the bench is over
                return
            tunnel = len(data) > 60 and (data[12:14], data[23]) in ((b"\x08\0", 4), (b"\x08\0", 17)) or \
                data[12:14] == b"\x86\xdd" and data[20] in (4, 41, 17)
            if address[2] != socket.PACKET_OUTGOING or not tunnel or any(a in data for a in self.not_these):
                continue
            seconds, ns = struct.unpack("qq", control[0][2][:16])
            self.last_ns, self.n = seconds * 10**9 + ns, self.n + 1


def in_namespace(host: Host, make: typing.Callable[..., socket.socket]) -> socket.socket:
    """Call make() in a host's namespace (setns(2); this thread comes back)."""
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{host.ns}", os.O_RDONLY)
    try:
        if libc.setns(there, 0):
            raise OSError(ctypes.get_errno(), "setns")
        return make()
    finally:
        libc.setns(own, 0)
        os.close(own)
        os.close(there)


class Switch:
    """An `ip -batch` that waits for commands, so that one takes effect at once."""

    def __init__(self, host: Host) -> None:
        self.popen = subprocess.Popen([*host.enter, "ip", "-force", "-batch", "-"], stdin=subprocess.PIPE,
                                      text=True, bufsize=1)

    def do(self, command: str) -> None:
        self.popen.stdin.write(command + "\n")
        self.popen.stdin.flush()


def rows(node: Node) -> dict[str, typing.Any]:
    try:
        return {r["backend"]: r for r in node.ctl("health", {"do": "list"})["targets"] if "backend" in r}
    except (OSError, ValueError, KeyError):
        return {}


def all_up(node: Node, n: int) -> bool:
    found = rows(node)
    return len(found) == n and all(r["state"] == "up" and not r["in_doubt"] for r in found.values())


def wait_for_traffic(wire: Wire) -> None:
    n = wire.n
    wait_until(lambda: wire.n > n + 50, 20, "packets to the backend", 0.01)


def trial(world: World, wire: Wire, die: typing.Callable[..., None], live: typing.Callable[..., None]) -> float:
    """Milliseconds from death to the last packet."""
    node = world.sites[0].node
    wait_until(lambda: all_up(node, 3), 20, "all backends are up", 0.05)
    wait_for_traffic(wire)
    time.sleep(random.uniform(0, INTERVAL_MS / 1000))  # at any point of the checks' interval
    died_ns = time.time_ns()
    die()
    time.sleep(0.5)  # longer than the slowest detection
    took_ms = (wire.last_ns - died_ns) / 1e6
    live()
    return max(took_ms, 0.0)


def schedule(per_failure_ms: int) -> list[typing.Any]:
    """What the schedule alone takes, over deaths anywhere in the interval."""
    return [INTERVAL_MS * (i + 0.5) / 1000 + per_failure_ms for i in range(1000)]


def entry(name: str, times: list[typing.Any], reference: list[typing.Any]) -> dict[str, typing.Any]:
    median = statistics.median
    return {"name": name, "unit": "ms", "min": round(min(times), 1), "median": round(median(times), 1),
            "max": round(max(times), 1), "trials": len(times), "reference": round(min(reference), 1),
            "reference_median": round(median(reference), 1), "target": TARGET_MS,
            "met": max(times) < TARGET_MS}


def measure(world: World, load: Load) -> list[typing.Any]:
    site, router = world.sites[0], world.router
    victim = site.backends[0]
    wire = Wire(router, f"p-{victim.name}", [site.plan.node4, site.plan.node6])
    switch = Switch(victim.host)

    results = []
    for name, die, live, per_failure in (
            ("failover.closed", victim.kill, victim.start, FAST_MS),
            ("failover.silent", lambda: switch.do("rule add pref 0 blackhole"),
             lambda: switch.do("rule del pref 0 blackhole"), FALL * TIMEOUT_MS)):
        times = []
        for i in range(TRIALS):
            times.append(trial(world, wire, die, live))
            load.note()
            say(f"{name} {i + 1}/{TRIALS}: {times[-1]:.1f} ms")
        results.append(entry(name, times, schedule(per_failure)))
    return results


class Load:
    """Processes beside the bench that do nothing but run, of ordinary priority, until the load average shows them."""

    def __init__(self, n_busy: int) -> None:
        self.processes: list[typing.Any] = []
        self.seen: list[typing.Any] = []
        self.n_busy = n_busy

    def __enter__(self) -> Load:
        self.processes = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(self.n_busy)]
        end = time.monotonic() + 120
        while os.getloadavg()[0] < 0.9 * self.n_busy and time.monotonic() < end:
            time.sleep(1)  # the pace of the wait for the condition above
        return self

    def note(self) -> None:
        self.seen.append(os.getloadavg()[0])

    def __exit__(self, *exception: typing.Any) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


def main() -> int:
    n_busy = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    with Load(n_busy) as load, Lab("failover") as lab:
        world = World(lab, planning.simple(1, 3, api=False, check=CHECK), resolvers=())
        site = world.sites[0]
        site.node.write_config()
        site.node.write_effective()
        site.start_backends()
        site.node.start("dataplane", "health")
        world.client.start("syns", [sys.executable, SENDER, site.plan.vip4, "80", "2000"])
        results = measure(world, load)
    for r in results:
        r["load"] = {"busy": n_busy, "least": round(min(load.seen), 1), "most": round(max(load.seen), 1)}
    path = os.path.join(BUILD, "bench", "failover.json")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        json.dump(results, f, indent=1)
    print(f"{'name':18} {'min':>7} {'median':>7} {'max':>7} {'by schedule':>12} {'median':>7}  target")
    for r in results:
        print(f"{r['name']:18} {r['min']:7.1f} {r['median']:7.1f} {r['max']:7.1f} {r['reference']:12.1f} "
              f"{r['reference_median']:7.1f}  < {r['target']} ms {'met' if r['met'] else 'NOT met'}")
    print(f"{n_busy} busy processes beside it; load average of the machine: {min(load.seen):.1f} to {max(load.seen):.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
