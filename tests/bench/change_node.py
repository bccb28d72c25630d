# SPDX-License-Identifier: BSD-2-Clause
"""A whole node for bench_change.py: `weir run`, backends that answer its checks, requests to its API, and what each part took.

The backends are one listening socket of the router for all of 10.64.0.0/10. It defers accepting until data comes, which no
check sends, so that a check costs the kernel a handshake and nobody else a process's time.
"""
from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import time
import typing

import layout
from net import LabError, entered, executable
from servers import pass_program
from verdict import is_met

if typing.TYPE_CHECKING:
    from net import Host, Lab, Process

LOOK_S = 0.6  # weir-mgmt judges the node twice a second: what it said must be from after the last step
ANNOUNCED_MS = 2000  # a version takes effect so long after it was made
# What says in the log that a start has come so far, in the order of a start.
STEPS = {"document": r"effective-written document=", "tables": r"document-in-force document=", "checks": r"document-taken document=",
         "peers": r"connection-state-applied", "well": r"\bstatus state=well"}

Row = dict[str, typing.Any]


def listen_for_checks(host: Host, backlog: int = 65535) -> socket.socket:
    """The socket that answers the checks of all backends."""
    host.sysctl({"net.core.somaxconn": backlog, "net.ipv4.tcp_max_syn_backlog": backlog, "net.ipv4.tcp_syncookies": 0})
    host.ip("route add local 10.64.0.0/10 dev lo")
    with entered(host.ns):
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 60)
    s.bind(("0.0.0.0", 80))
    s.listen(backlog)
    return s


def wall_ms(text: str) -> float:
    """Of RFC 3339 with milliseconds."""
    whole, milli = text.removesuffix("Z").split(".")
    return (time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) - time.timezone) * 1000 + int(milli)


class Node:
    """A node behind a router, with its processes under `weir run`."""

    def __init__(self, lab: Lab, name: str, config: str) -> None:
        self.lab, self.name, self.config = lab, name, config
        base = os.path.join(lab.dir, name)
        self.conf, self.state, self.run_dir = (os.path.join(base, d) for d in ("conf", "state", "run"))
        self.bpf = os.path.join(lab.bpf_dir, name)
        for directory in (self.conf, self.state, self.run_dir, self.bpf):
            os.makedirs(directory)
            os.chmod(directory, 0o777)
        self.router, self.node = lab.host(f"r{len(lab.hosts)}"), lab.host(f"n{len(lab.hosts)}")
        lab.link(self.router, "p-node", self.node, "eth1", mtu=1600)
        self.router.ip(f"link set p-node xdp object {pass_program()} section xdp")
        self.router.address("p-node", "10.1.1.1/24")
        self.node.address("eth1", "10.1.1.2/24")
        self.node.route("10.64.0.0/10", "10.1.1.1")
        self.backends = listen_for_checks(self.router)
        self.write("weir.conf", config)
        self.write("hash.key", "000102030405060708090a0b0c0d0e0f\n")
        self.process: Process | None = None

    def write(self, name: str, text: str) -> None:
        with open(os.path.join(self.conf, name), "w") as f:
            f.write(text)

    @property
    def options(self) -> list[str]:
        return ["--conf-dir", self.conf, "--state-dir", self.state, "--run-dir", self.run_dir, "--bpf-dir", self.bpf, "--node", "n1"]

    @property
    def document(self) -> str:
        return os.path.join(self.state, "effective.conf")

    def start(self, timeout_s: float = 60) -> dict[str, float]:
        """Start `weir run`. Returns the ms after which each of STEPS was reached; ends when the node says that it is well."""
        began, reached, at, rest = time.monotonic(), dict[str, float](), 0, ""
        self.process = self.node.start("weir-run", [executable("weir"), *self.options, "run"])
        with open(self.process.log_path, errors="replace") as log:
            log.seek(0, os.SEEK_END) if self.started_before else None
            while len(reached) < len(STEPS) or time.monotonic() - began < max(reached.values()) / 1000 + LOOK_S:
                rest += log.read()
                lines, rest = rest[:rest.rfind("\n") + 1], rest[rest.rfind("\n") + 1:]
                for step, pattern in STEPS.items():
                    if step not in reached and re.search(pattern, lines):
                        reached[step] = (time.monotonic() - began) * 1000
                if (states := re.findall(r"\bstatus state=(\w+)", lines)) and states[-1] != "well":
                    reached.pop("well", None)
                if time.monotonic() - began > timeout_s or not self.process.alive():
                    raise LabError(f"the node is not well after {timeout_s} s: reached {reached}")
                time.sleep(0.01)  # the pace of the look
        return {**reached, "well": max(reached.values())}  # it may say so before its tables are in force

    started_before = False

    def stop(self) -> None:
        """End it in good order, and wait for all of its processes."""
        assert self.process
        subprocess.run([*self.node.enter, executable("weir"), *self.options, "run", "--stop"], capture_output=True, check=False)
        self.process.stop(30)
        self.started_before = True

    def boot(self) -> None:
        """What a boot of the machine leaves: no run directory, no pinned tables."""
        for directory in (self.run_dir, self.bpf):
            for name in os.listdir(directory):
                path = os.path.join(directory, name)
                shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)

    def api(self, method: str, path: str, body: str = "") -> typing.Any:
        connection = http.client.HTTPConnection("weir", timeout=60)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(os.path.join(self.run_dir, "api.sock"))
        connection.request(method, path, body or None, {"Content-Type": "application/json", "If-Match": "*"})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status >= 300:
            raise LabError(f"{method} {path}: {answer.status} {text[:500]!r}")
        return json.loads(text)

    def stats(self, process: str) -> dict[tuple[str, str], int]:
        return layout.stats_of(os.path.join(self.run_dir, f"stats.{process}.page"))

    def cpu_ms(self) -> float:
        """Processor time of all its processes."""
        total = 0
        for pid in subprocess.run(["ip", "netns", "pids", self.node.ns], capture_output=True, text=True, check=False).stdout.split():
            with open(f"/proc/{pid}/stat") as f:
                fields = f.read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total * 1000 / os.sysconf("SC_CLK_TCK")


def write_ms(path: str, text: str) -> float:
    """What the machine takes to write a file and to have it on the disk."""
    began = time.monotonic()
    with open(path, "w") as f:
        f.write(text)
        f.flush()
        os.fsync(f.fileno())
    took = (time.monotonic() - began) * 1000
    os.unlink(path)
    return took


def limit_ms(node: Node, body: str) -> float:
    """The machine's limit of a change: the announcement, and reading the request's JSON and writing its text once to the disk."""
    began = time.monotonic()
    text = json.loads(body)["files"]["weir.conf"]
    return ANNOUNCED_MS + (time.monotonic() - began) * 1000 + write_ms(os.path.join(node.state, "limit"), text)


def request(node: Node, tool: typing.Any, config: str) -> dict[str, float]:
    """Apply a configuration by the API. Returns the ms of the whole and of its parts, and of processor time."""
    body = json.dumps({"files": {"weir.conf": config}, "reason": "bench", "confirm_within": "none"})
    before, began = node.cpu_ms(), time.time() * 1000
    answer = node.api("POST", "/v1/config/apply?wait_ms=0", body)
    answered = time.time() * 1000
    version = answer["version"]
    made, effective = wall_ms(version["time"]), wall_ms(version["effective"])
    time.sleep(max(0.0, (effective - 800 - time.time() * 1000) / 1000))  # the tool's work is not to be in the way
    end = tool.do("await", node.document)[0]
    if end < effective:
        raise LabError(f"all slots were as wanted {effective - end:.0f} ms before the version took effect: it changed nothing")
    time.sleep(1.2)  # the processes write their gauges once a second
    mgmt, dataplane = node.stats("mgmt"), node.stats("dataplane")
    parts = {part: mgmt["weir_mgmt_change_microseconds", f'part="{part}"'] / 1000
             for part in ("read", "check", "plan", "store", "document")}
    for name, part in (("document_read", "read"), ("compile", "compile"), ("tables", "switch")):
        parts[name] = dataplane[f"weir_dataplane_document_{part}_microseconds", ""] / 1000
    return {"whole": end - began, "made": made - began, "answered": answered - began, "switch": end - effective, **parts,
            "cpu": node.cpu_ms() - before, "limit": limit_ms(node, body)}


def request_row(name: str, trials: list[dict[str, float]], target: int) -> Row:
    whole, limit = [t["whole"] for t in trials], [t["limit"] for t in trials]
    parts = {k: round(statistics.median(t[k] for t in trials), 1) for k in trials[0] if k not in ("whole", "limit")}
    return {"name": name, "unit": "ms", "min": round(min(whole), 1), "median": round(statistics.median(whole), 1),
            "max": round(max(whole), 1), "trials": len(trials), "reference": round(min(limit), 1),
            "reference_median": round(statistics.median(limit), 1), "target": target,
            "met": is_met(statistics.median(whole), target), "parts": parts}


def start_row(name: str, trials: list[dict[str, float]], limits: list[float], target: int) -> Row:
    well = [t["well"] for t in trials]
    parts = {k: round(statistics.median(t[k] for t in trials)) for k in STEPS}
    return {"name": name, "unit": "ms", "min": round(min(well)), "median": round(statistics.median(well)), "max": round(max(well)),
            "trials": len(trials), "reference": round(min(limits)), "reference_median": round(statistics.median(limits)),
            "target": target, "met": is_met(statistics.median(well), target), "parts": parts}


def pins(node: Node) -> str:
    """Where the tables are pinned."""
    return os.path.join(node.bpf, "bench", "n1")
