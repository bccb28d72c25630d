# SPDX-License-Identifier: BSD-2-Clause
"""Processes that hang: each is seen by its missing sign of life, and restarted by `weir run`; no command is silent.

Two sites under `weir run`, one with XDP, one with DPDK. A process is stopped (SIGSTOP) as one that hangs; one in an
uninterruptible sleep is made with the freezer of cgroups. Writes build/lab/hung.json: an array with a row for each of the four,
{process, restart_s, works_s, cli_s, false_restarts}; the last is the number of processes that were restarted after the pause,
the same in each row.

Usage: lab_hung.py [--quick]   with --quick: `weir run --hang-time 5s`, a shorter pause, and no file
"""
from __future__ import annotations

import json
import os
import re
import resource
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
import typing

import layout
import plan as planning
from net import ROOT, Lab, executable, say, wait_until
from report import Report
from world import PROCESSES, World, read_requests

if typing.TYPE_CHECKING:
    from world import Node, Site
    from net import Process

RESTART_MOST_S = 12.0
SILENT_MOST_S = 10.0  # it speaks each 5 s, on a machine that has time
GAP_MS = 5000  # of the client of the XDP site: it makes 50 requests a second
QUICK = "--quick" in sys.argv
HANG_TIME = ("--hang-time", "5s") if QUICK else ()
PAUSE_S = 8 if QUICK else 15
FORWARDING_S = 12 if QUICK else 20
FOREVER_S = 999.0
TURNS = "weir_process_turns_total"
COMMANDS = (("status",), ("health",), ("why",), ("overrides",), ("versions",), ("events",), ("diff",),
            ("dns", "explain", "www.weir.example", "A", "--client", "100.64.1.7"),
            ("plan",), ("clock",), ("drain", "site", "fra", "--scheduled", "--until", "+1h", "--reason", "lab", "--dry-run"))


def ask(node: Node, *arguments: str) -> tuple[int, str, float]:
    """Run a command: (exit status, its text, the longest time in which it said nothing)."""
    p = subprocess.Popen([*node.host.enter, executable("weir"), *node.options, *arguments], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    last, longest, text = time.monotonic(), 0.0, b""
    with selectors.DefaultSelector() as s:
        s.register(p.stdout, selectors.EVENT_READ)
        while True:
            ready = s.select(60)
            chunk = os.read(p.stdout.fileno(), 65536) if ready else b""
            now = time.monotonic()
            last, longest = now, max(longest, now - last)
            text += chunk
            if not chunk:
                break
    p.stdout.close()
    if p.poll() is None and not ready:
        p.kill()
    return p.wait(), text.decode(errors="replace"), longest


class Asker(threading.Thread):
    """All commands in turn, until it is told to end, and each at least once."""

    def __init__(self, node: Node) -> None:
        super().__init__(daemon=True)
        self.node, self.ending, self.longest, self.slowest = node, False, 0.0, ""

    def run(self) -> None:
        first = True
        while first or not self.ending:
            for command in COMMANDS:
                if self.ending and not first:
                    break
                _, _, silent = ask(self.node, *command)
                if silent > self.longest:
                    self.longest, self.slowest = silent, " ".join(command)
            first = False


def turns(node: Node, process: str) -> tuple[int, int]:
    """(pid of the page's writer, turns of its main loop) or (0, 0)."""
    try:
        header = layout.page_header(os.path.join(node.run_dir, f"stats.{process}.page"))
        return header.writer_pid, node.stats(process).get((TURNS, 'thread="main"'), 0)
    except (FileNotFoundError, KeyError, ValueError):  # there is none, or not all of it yet
        return 0, 0


class Watcher(threading.Thread):
    """When another process has signed its page, and when its main loop turns."""

    def __init__(self, node: Node, process: str, old: int) -> None:
        super().__init__(daemon=True)
        self.node, self.process, self.old, self.from_s = node, process, old, time.monotonic()
        self.restart_s = self.works_s = FOREVER_S

    def run(self) -> None:
        while time.monotonic() < self.from_s + 50:
            pid, n = turns(self.node, self.process)
            if pid not in (0, self.old):
                self.restart_s = min(self.restart_s, time.monotonic() - self.from_s)
                if n > 0:
                    self.works_s = time.monotonic() - self.from_s
                    return
            time.sleep(0.05)  # each poll notes a time


def works_anew(node: Node, process: str, old: int) -> bool:
    pid, n = turns(node, process)
    return pid not in (0, old) and n > 0 and node.pids(process) == [pid]


def has_reason(node: Node, code: str, subject: str) -> bool:
    return any(r["code"] == code and r["subject"] == subject for r in node.weir_json("status").get("reasons", []))


def notes(node: Node) -> typing.Any:
    return node.weir_json("status").get("notes", [])


def hurried(report: Report, node: Node) -> None:
    """Changes ask again until weir-mgmt is back, and say so; a wait says that it waits."""
    for command in (("drain", "site", "fra", "--scheduled", "--until", "+1h", "--reason", "lab", "--now"), ("undrain", "site", "fra", "--scheduled", "--now"),
                    ("wait", "well", "--timeout", "90s")):
        status, text, silent = ask(node, *command)
        report.check(status == 0 and silent <= SILENT_MOST_S, f"{command[0]} succeeds and is never silent for longer than {SILENT_MOST_S:.0f} s",
                     f"exit {status}, {silent:.1f} s {text if status else ''}")


def hang(report: Report, node: Node, process: str) -> dict[str, typing.Any]:
    """Stop a process; returns its row of hung.json."""
    say(f"weir-{process} hangs")
    pid, = node.pids(process)
    asker, watcher = Asker(node), Watcher(node, process, pid)
    os.kill(pid, signal.SIGSTOP)
    asker.start()
    watcher.start()
    if process == "mgmt":
        hurried(report, node)
    watcher.join(60)
    asker.ending = True
    asker.join(120)
    report.check(watcher.restart_s <= RESTART_MOST_S, f"another weir-{process} shows a sign of life within {RESTART_MOST_S:.0f} s",
                 f"{watcher.restart_s:.1f}, in its loop after {watcher.works_s:.1f}")
    report.check(watcher.works_s < FOREVER_S, "and it works")
    report.check(asker.longest <= SILENT_MOST_S, f"no command is silent for longer than {SILENT_MOST_S:.0f} s",
                 f"{asker.longest:.1f} s: {asker.slowest}")
    log = node.processes["run"].log()
    report.check(re.search(f"process-hangs process={process} pid={pid} thread=(main|dns-(tcp-)?[0-9])", log), "the log names process and thread")
    report.check(f"process-thread process={process} pid={pid} tid={pid} " in log and
                 f"process-thread process={process} pid={pid} address=0x" in log, "and where its threads are")
    node.wait_until_well()
    report.check(any(n["code"] == "process-restarted" and n["subject"] == f"weir-{process}" for n in notes(node)),
                 "status has a note of it")
    events = node.weir("events")
    report.check(f"restarted by weir run" in events and f"weir-{process}" in events, "and there is an event")
    return {"process": process, "restart_s": round(watcher.restart_s, 2), "works_s": round(watcher.works_s, 2),
            "cli_s": round(asker.longest, 2)}


def all_pids(node: Node) -> dict[str, typing.Any]:
    return {p: node.pids(p) for p in PROCESSES}


def pause(report: Report, node: Node) -> typing.Any:
    """The whole machine is paused: nobody hung, nobody is restarted. Returns the number of restarts."""
    say(f"everything is paused for {PAUSE_S} s")
    before = all_pids(node)
    everyone = [node.processes["run"].pid] + [p for pids in before.values() for p in pids]
    for pid in everyone:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(PAUSE_S)  # the pause itself
    for pid in everyone:  # the supervisor first: it sees the others silent
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.2)  # the order in which they go on is the test
    time.sleep(7 if QUICK else 12)  # no restart may follow in this time
    after = all_pids(node)
    restarts = sum(before[p] != after[p] for p in PROCESSES)
    report.equal(restarts, 0, "nothing is restarted")
    report.check("supervisor-was-late" in node.processes["run"].log(), "the supervisor says that it was late")
    node.wait_until_well()
    return restarts


def offline(report: Report, node: Node) -> None:
    """A hung weir-mgmt that wakes up does not undo what was written meanwhile."""
    say("weir-mgmt hangs; a drain is taken with --offline; weir-mgmt wakes up")
    pid, = node.pids("mgmt")
    os.kill(pid, signal.SIGSTOP)
    drain = ("drain", "site", "fra", "--until", "+1h", "--reason", "lab", "--now", "--offline")
    status, text, silent = ask(node, *drain)
    report.equal(status, 0, f"the drain is taken {text if status else ''}")
    report.check(silent <= SILENT_MOST_S, f"within {SILENT_MOST_S:.0f} s", f"{silent:.1f}")
    with open(os.path.join(node.state, "effective.conf")) as f:
        report.check('"drain"' in f.read(), "it is in the effective document")
    if node.pids("mgmt") == [pid]:
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: "fra" in node.weir("overrides", check=False), 40, "the drain is shown by weir-mgmt")
    time.sleep(2)  # weir-mgmt must keep it for this long
    with open(os.path.join(node.state, "effective.conf")) as f:
        report.check('"drain"' in f.read(), "weir-mgmt keeps it when it is back")
    report.equal(ask(node, "undrain", "site", "fra", "--scheduled", "--now")[0], 0, "and ends it when asked")
    node.wait_until_well()


def signals(report: Report, node: Node) -> None:
    """Every signal that means nothing leaves every process as it is."""
    say("signals that mean nothing")
    before = all_pids(node)
    for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE, signal.SIGALRM, signal.SIGTSTP, signal.SIGIO, signal.SIGXFSZ,
                   signal.SIGRTMIN + 5, signal.SIGHUP):
        for pid in [node.processes["run"].pid] + [p for pids in before.values() for p in pids]:
            if (pid, number) != (node.processes["run"].pid, signal.SIGUSR1):  # that asks for a restart (lab restart)
                os.kill(pid, number)
    time.sleep(2)  # no process may end in this time
    report.check(node.processes["run"].alive(), "weir run goes on")
    report.equal(all_pids(node), before, "and so do the four")
    node.wait_until_well()


def cpu_s(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def answers(node: Node, process: str) -> bool:
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            return bool(node.ctl(process, {"do": "status"}, 5))
        except BlockingIOError:  # the queue of those that wait is full
            time.sleep(0.02)  # until the queue has room
        except (OSError, ValueError) as e:
            say(f"weir-{process}: {e!r}")
            return False
    return False


class Starved:
    """A process without a free descriptor, and clients that wait at its control socket."""

    def __init__(self, node: Node, process: str) -> None:
        self.node, self.process = node, process
        self.pid, = node.pids(process)
        self.limits = resource.prlimit(self.pid, resource.RLIMIT_NOFILE)
        highest = max(int(fd) for fd in os.listdir(f"/proc/{self.pid}/fd"))
        resource.prlimit(self.pid, resource.RLIMIT_NOFILE, (highest + 1, self.limits[1]))
        self.clients: list[socket.socket] = []
        for _ in range(80):  # numbers below the highest may be free
            s = socket.socket(socket.AF_UNIX)
            s.setblocking(False)
            try:
                s.connect(os.path.join(node.run_dir, f"{process}.ctl"))
            except BlockingIOError:  # the queue is full
                s.close()
                break
            self.clients.append(s)
        self.before, self.from_s = cpu_s(self.pid), time.monotonic()

    def judge(self, report: Report) -> None:
        share = (cpu_s(self.pid) - self.before) / (time.monotonic() - self.from_s)
        report.check(share < 0.5, f"weir-{self.process} does not spin", f"{100 * share:.0f} % of a CPU")
        report.check(answers(self.node, self.process), "and its control socket answers")

    def release(self) -> None:
        for s in self.clients:
            s.close()
        resource.prlimit(self.pid, resource.RLIMIT_NOFILE, self.limits)


def without_descriptors(report: Report, node: Node) -> None:
    """No free descriptor, and clients that wait: the control socket answers, and nothing spins. All at once."""
    say("processes without free file descriptors")
    starved: list[Starved] = []
    try:
        starved += (Starved(node, process) for process in PROCESSES)
        time.sleep(2)  # the share of a CPU is measured over this time
        for one in starved:
            one.judge(report)
    finally:
        for one in starved:
            one.release()
    for one in starved:
        report.equal(node.pids(one.process), [one.pid], f"weir-{one.process} goes on")
    node.wait_until_well()


def takeover(report: Report, node: Node) -> None:
    say("weir run is killed; the next one goes on with the same processes")
    before = all_pids(node)
    node.processes.pop("run").kill()
    time.sleep(1)  # no process may end in this time
    report.equal(all_pids(node), before, "its death ends no process")
    status, text, _ = ask(node, "status")
    report.check(status == 10 and "weir run" in text, "status says that nothing restarts a process now", status)
    os.unlink(os.path.join(node.run_dir, "run.state"))  # a note that was lost
    node.start_supervised(*HANG_TIME)
    node.processes["run"].wait_for_log("process-adopted process=dns")
    node.wait_until_well()
    report.equal(all_pids(node), before, "the next one has taken all over, also without notes")


class Frozen:
    """Threads or a process in an uninterruptible sleep (state D), as on a disk that does not answer. It takes the first
    version's freezer, which a machine with cgroup 2 alone has and does not mount."""

    def __init__(self, lab: Lab, name: str, tids: list[typing.Any]) -> None:
        self.freezer = os.path.join(lab.dir, "freezer")
        os.makedirs(self.freezer, exist_ok=True)
        subprocess.run(["mount", "-t", "cgroup", "-o", "freezer", "freezer", self.freezer], check=True)
        self.path = os.path.join(self.freezer, f"weir-lab-{os.getpid()}-{name}")
        os.mkdir(self.path)
        for tid in tids:
            with open(os.path.join(self.path, "tasks"), "w") as f:
                f.write(str(tid))
        self._set("FROZEN")

    def _set(self, state: str) -> None:
        with open(os.path.join(self.path, "freezer.state"), "w") as f:
            f.write(state)

    def thaw(self) -> None:
        self._set("THAWED")
        for tid in open(os.path.join(self.path, "tasks")).read().split():
            with open(os.path.join(self.freezer, "tasks"), "w") as f:
                f.write(tid)
        os.rmdir(self.path)
        subprocess.run(["umount", self.freezer], check=True)


def tids_of(pid: int) -> list[typing.Any]:
    return sorted(int(t) for t in os.listdir(f"/proc/{pid}/task"))


def blocked(report: Report, node: Node) -> None:
    """One in state D is named and waited for by nobody: another that hangs is restarted meanwhile."""
    say("weir-health is in an uninterruptible sleep, then weir-dns hangs")
    health, = node.pids("health")
    dns, = node.pids("dns")
    frozen = Frozen(node.host.lab, "health", tids_of(health))
    try:
        report.wait(lambda: has_reason(node, "process-blocked", "weir-health"), 30, "status names it as blocked", 0.5)
        os.kill(dns, signal.SIGSTOP)
        report.wait(lambda: works_anew(node, "dns", dns), 30, "another process that hangs is restarted meanwhile")
        report.equal(node.pids("health"), [health], "the blocked one is left alone")
    finally:
        frozen.thaw()
    node.wait_until_well()
    report.equal(node.pids("health"), [health], "and goes on when it can")


def failing(world: World, client: Process, name: str) -> tuple[int, int]:
    """(requests of a client that fail, requests), when it has ended"""
    client.popen.wait(FORWARDING_S + 60)
    requests = read_requests(f"{world.lab.dir}/{name}.requests")
    return sum(r.result != "ok" for r in requests), len(requests)


def ask_forwarding(world: World, node: Node, name: str) -> Process:
    return world.start_client(name, 100, "--seconds", FORWARDING_S, targets=node.plan.vips)


def forwarding(report: Report, world: World, node: Node, before: Process) -> None:
    """DPDK: the main thread hangs, workers forward. Nothing ends that process. `before`: a client of when all was well there."""
    say("the main thread of a DPDK process hangs while its workers forward")
    pid, = node.pids("dataplane")
    usual, of = failing(world, before, "before")
    client = ask_forwarding(world, node, "dpdk")
    frozen = Frozen(node.host.lab, "dpdk", [pid])
    try:
        report.wait(lambda: has_reason(node, "process-hangs", "weir-dataplane"), 30, "status says that it hangs", 0.5)
        report.equal(node.weir_json("status")["state"], "degraded", "the node is degraded, not down")
        failed, n = failing(world, client, "dpdk")
        report.equal(node.pids("dataplane"), [pid], "the process is not ended")
    finally:
        frozen.thaw()
    report.check(n > 500, "requests while it hangs", n)
    # The lab's ports, AF_PACKET on veth, lose bursts where other work has the CPU: as many as before.
    report.check(failed <= 3 + 3 * usual, f"no more of them fail than before it hung ({usual} of {of})", failed)
    node.wait_until_well()
    report.equal(node.pids("dataplane"), [pid], "it goes on when it can")
    say("the whole DPDK process hangs: nothing is forwarded")
    os.kill(pid, signal.SIGSTOP)
    report.wait(lambda: works_anew(node, "dataplane", pid), 60, "it is restarted")
    node.wait_until_well()

def steady(world: World, site: Site, seconds: float) -> Process:
    return world.start_client("steady", 50, "--seconds", seconds, targets=site.plan.vips)


def run(report: Report) -> None:
    with Lab("hung") as lab:
        plan = planning.simple(2, 2)
        plan.sites[1].driver = "dpdk"
        world = World(lab, plan, resolvers=())
        world.write_configs()
        for site in world.sites:
            site.start_backends()
            site.node.start_supervised(*HANG_TIME)
        for node in world.nodes:
            node.wait_until_well(90)
        ams, fra = world.nodes
        client = steady(world, world.sites[0], 3000)
        hung = [hang(report, ams, p) for p in PROCESSES]
        before = ask_forwarding(world, fra, "before")  # nothing happens at that site meanwhile
        result = {"hung": hung, "false_restarts": pause(report, ams)}
        if not QUICK:
            write(result)
        for part in (offline, signals, without_descriptors, takeover, blocked):
            report.step(part, report, ams)
        report.check(client.alive(), "the client asks to the end")
        client.stop()
        stopped_ms = int(time.time() * 1000)
        requests = read_requests(f"{lab.dir}/steady.requests")
        report.check(len(requests) > 1000, "requests to the XDP site all the while", len(requests))
        report.equal(sum(r.result != "ok" for r in requests), 0, "none of them fails")
        starts = [*sorted(r.start_ms for r in requests), stopped_ms]
        report.between(max(b - a for a, b in zip(starts, starts[1:])), 0, GAP_MS, "the longest time without a new request, in ms")
        report.step(forwarding, report, world, fra, before)
        for node in world.nodes:
            node.processes.pop("run").stop(60)
            report.equal(node.pids(), [], f"{node.name}: a stop of weir run ends them all")


def write(result: dict[str, typing.Any]) -> None:
    path = os.path.join(ROOT, "build", "lab", "hung.json")
    rows = [{**row, "false_restarts": result["false_restarts"]} for row in result["hung"]]
    with open(path + ".new", "w") as f:
        json.dump(rows, f, indent=1)
        f.write("\n")
    os.rename(path + ".new", path)


if __name__ == "__main__":
    sys.exit(Report.main(run))
