#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A node of 1,000 pools with 10,000 backends and 1,000 names: what the status costs, `weir status` and GET /v1/status, each with and
without `limit=40`, in time and in bytes. How long such a node takes to start is a row of `change`.

All four processes run, by `weir run`; every backend answers its checks through its tunnel on one host behind a router.
Answers are asked for in turn, by a connection of their own each. Parts and limits, of the same rounds:
- connection: GET /healthz, whose answer is a word; process: `weir help`, which asks nobody;
- cpu: the processor time of weir-mgmt for the request, of all its threads;
- jansson: reading and writing the same bytes, without anything else.
The last rows are of a node whose backends are all down, and of other requests whose answers grow with the configuration. Needs root.

    ./run bench status [--rounds N]
"""
from __future__ import annotations

import argparse
import glob
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import time
import typing

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "lab"))

from bench_change import config  # noqa: E402
from net import BUILD, Lab, LabError, call, comes_true, executable, say  # noqa: E402
from servers import Backend  # noqa: E402
from verdict import is_met  # noqa: E402

POOLS, BACKENDS, LIMIT = 1000, 10, 40
TUNNELS = "10.1.1.128/25"
TARGETS = {"cli.limit": 200, "api.limit": 200, "cli.limit.down": 200, "api.limit.down": 200}
BYTES_TARGET = 100_000
ZONE = "$ORIGIN shop.example.\n$TTL 60\n@ SOA ns1 host 1 60 60 60 60\n@ NS ns1\nns1 A 10.1.1.2\n"

Row = dict[str, typing.Any]


def names() -> str:
    """A name for each service."""
    rows = ",\n".join(f'{{ name = "s{p}.shop.example"; service = "s{p}"; policy = "weighted"; ttl = {{ min = "1s"; max = "5s"; }}; }}'
                      for p in range(POOLS))
    return f'dns = {{ zones = ( {{ name = "shop.example"; file = "shop.example.zone"; }} ); names = ( {rows} ); }};\n'


class Stage:
    """A router, the node, and one host that is every backend."""

    def __init__(self, lab: Lab, patience_s: float) -> None:
        self.lab, self.patience_s = lab, patience_s
        self.dirs = {d: os.path.join(lab.dir, d) for d in ("conf", "state", "run")} | {
            "bpf": os.path.join(lab.bpf_dir, "weir")}
        for directory in self.dirs.values():
            os.makedirs(directory)
        self.programs = os.path.join(lab.dir, "bin")  # weir run wants them in one directory
        os.makedirs(self.programs)
        for name in ("weir-mgmt", "weir-dataplane", "weir-health", "weir-dns", "weir-announce"):
            os.symlink(executable(name), os.path.join(self.programs, name))
        self.node, router, self.all = lab.host("node"), lab.host("router"), lab.host("backends")
        router.forward()
        for host, name, own, gateway in ((self.node, "p-node", "10.1.1.2", "10.1.1.1"),
                                         (self.all, "p-all", "10.2.1.2", "10.2.1.1")):
            lab.link(router, name, host, "eth1" if host is self.node else "eth0", mtu=1600)
            router.address(name, f"{gateway}/24")
            host.address("eth1" if host is self.node else "eth0", f"{own}/24")
            host.route("default", gateway)
        router.route("10.64.0.0/10", "10.2.1.2")
        self.all.ip("route add local 10.64.0.0/10 dev lo", "route add local 198.18.0.0/16 dev lo")
        self.backend = Backend(self.all, "all", ["10.2.1.2"])
        self.backend.start()
        self.backend.attach_agent([TUNNELS])
        self.write()
        self.run: typing.Any = None

    def write(self) -> None:
        text = config({"backends": BACKENDS, "max": 16}, POOLS).replace(
            'driver = "xdp";', 'driver = "xdp"; dns_listen = [ "10.1.1.2" ];') + names()
        for name, content in (("weir.conf", text), ("hash.key", "000102030405060708090a0b0c0d0e0f\n"), ("shop.example.zone", ZONE)):
            path = os.path.join(self.dirs["conf"], name)
            with open(path, "w") as f:
                f.write(content)
            os.chmod(path, 0o600)

    @property
    def options(self) -> list[str]:
        return [x for name, path in self.dirs.items() for x in (f"--{name}-dir", path)] + ["--node", "n1"]

    def weir(self, *words: str) -> int:
        """Run a command; the bytes that it prints. One that fails is quick, and no figure."""
        done = subprocess.run([*self.node.enter, executable("weir"), *self.options, *words], check=False, capture_output=True)
        if done.returncode not in ((0, 10, 11) if words[0] == "status" else (0,)) or not done.stdout:
            raise LabError(f"weir {' '.join(words)} ended with {done.returncode}: {done.stderr[-300:]!r}")
        return len(done.stdout)

    def start(self) -> None:
        """Start all processes; returns when the status is well, or after patience_s."""
        self.run = self.node.start("weir-run", [executable("weir"), *self.options, "run"], env={**os.environ, "WEIR_BIN_DIR": self.programs})
        if not comes_true(self.is_well, self.patience_s):
            say(f"not well after {self.patience_s:.0f} s: {self.get('/v1/status?limit=1')['why'][:5]}")

    def is_well(self) -> bool:
        try:
            return bool(self.get("/v1/status?limit=1")["state"] == "well")
        except (OSError, ValueError, KeyError, LabError, http.client.HTTPException):
            return False

    def fetch(self, path: str) -> bytes:
        """An answer, by a connection of its own. To refuse is quick, and no figure."""
        c = http.client.HTTPConnection("weir", timeout=30)
        c.sock = socket.socket(socket.AF_UNIX)
        c.sock.settimeout(30)
        c.sock.connect(os.path.join(self.dirs["run"], "api.sock"))
        c.request("GET", path)
        reply = c.getresponse()
        answer = reply.read()
        c.close()
        if reply.status != 200:
            raise LabError(f"GET {path}: {reply.status} {answer[:300]!r}")
        return answer

    def get(self, path: str) -> typing.Any:
        return json.loads(self.fetch(path))

    def mgmt_pid(self) -> int:
        for path in glob.glob("/proc/[0-9]*/cmdline"):
            with open(path, "rb") as f:
                words = f.read().split(b"\0")
            if os.path.basename(words[0]) == b"weir-mgmt" and os.fsencode(self.dirs["run"]) in words:
                return int(path.split("/")[2])
        raise LabError("weir-mgmt does not run")


def cpu_ms(pid: int) -> float:
    """Processor time of a process so far, of the threads that it has."""
    total = 0
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        with open(path) as f:
            total += int(f.read().split()[0])
    return total / 1e6


def row(name: str, values: list[float], unit: str = "ms", **more: typing.Any) -> Row:
    target = TARGETS.get(name)
    low, middle, high = (round(v, 2) for v in (min(values), statistics.median(values), max(values)))
    out = {"name": f"status.{name}", "unit": unit, "trials": len(values), "min": low, "median": middle, "max": high, "target": target,
           "met": is_met(middle, target), **more}
    if "limit" in name and "bytes" in more:
        out["bytes_target"] = BYTES_TARGET
        out["met"] = out["met"] and is_met(more["bytes"], BYTES_TARGET)
    return out


def jansson(stage: Stage, path: str) -> tuple[float, float]:
    """Milliseconds in which jansson alone writes and reads an answer."""
    answer = os.path.join(stage.lab.dir, "answer.json")
    with open(answer, "wb") as f:
        f.write(stage.fetch(path))
    write_us, read_us = map(float, call([executable("json-tool"), answer, "50"]).split())
    return write_us / 1e3, read_us / 1e3


def measure(stage: Stage, ways: dict[str, typing.Callable[[], int]], rounds: int) -> list[Row]:
    """Each way once a round: its time, its bytes, and the processor time of weir-mgmt meanwhile."""
    took: dict[str, list[float]] = {name: [] for name in ways}
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    sizes: dict[str, int] = {}
    pid = stage.mgmt_pid()
    for _ in range(rounds):
        for name, what in ways.items():
            cpu_before, began = cpu_ms(pid), time.monotonic()
            sizes[name] = what()
            took[name].append((time.monotonic() - began) * 1000)
            cpu[name].append(cpu_ms(pid) - cpu_before)
    rows = []
    for name, values in took.items():
        limit = took["process" if name.startswith("cli") else "connection"]
        rows.append(row(name, values, bytes=sizes[name], cpu_min=round(min(cpu[name]), 2), cpu_median=round(statistics.median(cpu[name]), 2),
                        reference=None if values is limit else "weir help" if name.startswith("cli") else "GET /healthz",
                        reference_median=None if values is limit else round(statistics.median(limit), 2)))
    return rows


def asks(stage: Stage, suffix: str = "") -> dict[str, typing.Callable[[], int]]:
    def get(path: str) -> typing.Callable[[], int]:
        return lambda: len(stage.fetch(path))

    def weir(*words: str) -> typing.Callable[[], int]:
        return lambda: stage.weir(*words)
    return {"connection": get("/healthz"), "process": weir("help"), f"api.limit{suffix}": get(f"/v1/status?limit={LIMIT}"),
            f"cli.limit{suffix}": weir("status")}


def others(stage: Stage) -> dict[str, typing.Callable[[], int]]:
    def get(path: str) -> typing.Callable[[], int]:
        return lambda: len(stage.fetch(path))

    def weir(*words: str) -> typing.Callable[[], int]:
        return lambda: stage.weir(*words)
    return {"connection": get("/healthz"), "process": weir("help"), "api.whole": get("/v1/status"), "api.pool": get("/v1/status?pool=p500"),
            "page": get("/"), "metrics": get("/metrics"), "api.health": get("/v1/health"), "api.dns": get("/v1/dns"),
            "api.dataplane": get("/v1/dataplane/backends?pool=p500"), "cli.all": weir("status", "--all"),
            "cli.why": weir("why"), "cli.why.pool": weir("why", "pool", "p500"), "cli.why.service": weir("why", "service", "s500"),
            "cli.health": weir("health"), "cli.plan": weir("plan")}


def measure_answers(stage: Stage, rounds: int) -> list[Row]:
    rows = measure(stage, asks(stage), rounds)
    write_ms, read_ms = jansson(stage, f"/v1/status?limit={LIMIT}")
    rows += [row("jansson.write", [write_ms]), row("jansson.read", [read_ms])]
    more = measure(stage, others(stage), max(1, rounds // 5))
    say("all backends go down")
    stage.backend.kill()
    are_down = comes_true(lambda: stage.get("/v1/status?limit=1")["backends"]["standing_out"] == POOLS * BACKENDS,
                          stage.patience_s, 0.5)
    if not are_down:
        say(f"after {stage.patience_s:.0f} s the checks have not seen all of them down: the rows below are of those that they have seen")
    down = measure(stage, asks(stage, ".down"), rounds)
    for r in down:
        r["met"] = r["met"] if are_down else None
    return rows + [r for r in down if r["name"].endswith("down")] + more[2:]


def show(rows: list[Row]) -> None:
    print(f"{'':24} {'min':>9} {'median':>9} {'max':>9} {'wanted':>7} {'met':>5} {'cpu min':>9} {'cpu med':>9} {'bytes':>11}")
    for r in rows:
        times = " ".join(f"{r[key]:>9}" for key in ("min", "median", "max"))
        print(f"{r['name']:24} {times} {r['target'] or '':>7} "
              f"{'' if r['met'] is None else 'yes' if r['met'] else 'NO':>5} {r.get('cpu_min', ''):>9} {r.get('cpu_median', ''):>9} "
              f"{r.get('bytes', ''):>11}")


def main() -> int:
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=20)
    options.add_argument("--patience", type=float, default=60, help="seconds for a start, and for the backends' death")
    chosen = options.parse_args()
    with Lab("status") as lab:
        stage = Stage(lab, chosen.patience)
        stage.start()
        rows = measure_answers(stage, chosen.rounds)
        stage.run.stop(30)
    path = os.path.join(BUILD, "bench", "status.json")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        json.dump(rows, f, indent=1)
    show(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
