# SPDX-License-Identifier: BSD-2-Clause
"""The dataplane alone, under traffic all the time: its process killed, its program replaced, its tables enlarged,
bad documents, a backend with another MAC address; IPv4 and IPv6, IPIP and GUE. Nothing is lost, and at the end
its counters equal the kernel's, packet for packet.
"""
from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import typing

import plan as planning
from books import check_drops, weir_counts
from net import Lab, executable, say, wait_until
from report import Report
from watch import Crowd, now_ms
from world import World

LIMITS = 'limits = {{ slots = {}; backends = {}; exceptions = {}; services = {}; }};\n'


class Stage:
    """A site whose node runs the dataplane alone, and two crowds: short requests and downloads of seconds."""
    keeps_syns = True  # a driver that reads a socket's ring loses some when its worker gets no CPU

    def __init__(self, report: Report, lab: Lab, mode: str) -> None:
        self.report, self.lab = report, lab
        self.spans: list[tuple[int, int, str, tuple[Crowd, ...], int]] = []  # of nothing_failed()
        plan = planning.simple(1, 3, api=False)
        plan.sites[0].mode = mode
        plan.check = plan.check.replace('via = "tunnel"', 'via = "direct"')
        self.world = World(lab, plan, resolvers=(), file_rate="200k")
        self.site, self.node = self.world.sites[0], self.world.sites[0].node
        self.node.write_config()
        with open(os.path.join(self.node.conf, "weir.conf")) as f:
            self.config = f.read()
        with open(os.path.join(self.world.files, "long"), "wb") as f:
            f.write(bytes(range(256)) * 3000)
        self.site.start_backends()

    def write(self, extra: str = "", edit: typing.Callable[..., typing.Any] = lambda text: text) -> None:
        """A new effective document."""
        with open(os.path.join(self.node.conf, "weir.conf"), "w") as f:
            f.write(edit(self.config) + extra)
        self.node.write_effective()

    def write_raw(self, text: str) -> None:
        """Something else in the place of the effective document, by rename as well."""
        path = os.path.join(self.node.state, "effective.conf")
        with open(path + ".bad", "w") as f:
            f.write(text)
        os.rename(path + ".bad", path)

    def status(self) -> typing.Any:
        return self.node.ctl("dataplane", {"do": "status"})

    def backends(self) -> dict[str, typing.Any]:
        return {b["backend"]: b for b in self.node.ctl("dataplane", {"do": "backends"})["backends"]}

    def ready(self) -> typing.Any:
        """The process is there, its program in the port, and the way to each backend known."""
        try:
            return self.status()["ports"] and all(b["next_hop"] == "known" for b in self.backends().values())
        except OSError:
            return False

    def start(self) -> None:
        self.node.start("dataplane")
        wait_until(self.ready, 15, "the dataplane forwards", 0.1)

    def crowds(self) -> None:
        targets = self.site.plan.vips
        self.short = Crowd(f"{self.lab.dir}/short.requests",
                           self.world.start_client("short", 200, targets=targets), {})
        self.long = Crowd(f"{self.lab.dir}/long.requests", self.world.start_client(
            "long", 6, "--path", "/files/long", "--timeout-ms", 20000, targets=targets), {})
        time.sleep(2)  # requests of before the first change

    def nothing_failed(self, since_ms: int, what: str, *crowds: Crowd, resets_max: int = 0) -> None:
        """Nothing that was started since then, up to now, but so many resets: judged by end_traffic(), for downloads under
        way take seconds."""
        self.spans.append((since_ms, now_ms(), what, crowds or (self.short, self.long), resets_max))

    def end_traffic(self) -> None:
        """Stop the crowds, which end what is under way, and judge all that was to go well."""
        for crowd in (self.short, self.long):
            crowd.process.signal(signal.SIGTERM)
        self.report.equal([crowd.process.stop(25) for crowd in (self.short, self.long)], [0, 0], "all that was under way has ended")
        for since_ms, end_ms, what, crowds, resets_max in self.spans:
            failed = [f for crowd in crowds for f in crowd.failures(since_ms, end_ms, self.keeps_syns)]
            resets = [f for f in failed if f[0] == "reset"][:resets_max]
            for reset in resets:
                failed.remove(reset)
                say(f"borne: {reset}: {what}")
            self.report.equal(failed[:5], [], f"nothing fails: {what}")
        self.spans.clear()


def kernel_counts(host: typing.Any) -> dict[str, typing.Any]:
    """What the kernel counted on the port: {'packets': .., 'tx': .., 'drops': .., 'redirect': ..}."""
    text = host.run(["ethtool", "-S", "eth1"])
    return {what: sum(int(n) for n in re.findall(rf"rx_queue_\d+_xdp_{what}: (\d+)", text))
            for what in ("packets", "tx", "drops", "redirect", "tx_errors")}


def check_conservation(report: Report, stage: typing.Any, tolerated: typing.Any = None) -> None:
    """At rest: received = sent + passed + dropped, and each equals what the kernel counted; drops are bounded."""
    def at_rest() -> tuple[typing.Any, typing.Any] | None:
        """Both counts, once no packet came while the page was written, which is each second. Each next hop answers
        a question of the kernel every 10 s, so no rest is long."""
        before = kernel_counts(stage.node.host)
        time.sleep(1.2)  # the page is written each second
        weir = weir_counts(stage.node)
        is_written = weir["received"] == before["packets"] or time.monotonic() > written_by
        return (weir, before) if is_written and kernel_counts(stage.node.host) == before else None

    written_by = time.monotonic() + 20  # on a busy machine the page comes late
    weir, kernel = wait_until(at_rest, 120, "1.2 s without a packet")
    report.equal(weir["received"], weir["sent"] + weir["passed"] + weir["dropped"],
                 "received = sent + passed + dropped")
    report.equal(weir["received"], kernel["packets"], "received = what the kernel gave to the program")
    report.equal(weir["sent"], kernel["tx"] + kernel["redirect"], "sent = what the kernel was given to send")
    report.equal(weir["dropped"], kernel["drops"], "dropped = what the kernel dropped for us")
    report.equal(kernel["tx_errors"], 0, "none of them failed to be sent")
    check_drops(report, stage.node.name, weir["drops"], tolerated)


def check_shares(report: Report, stage: Stage) -> None:
    """Equal weights: each backend has its third of the short requests, within four standard deviations and the
    ring's own unevenness."""
    counts = {b.name: 0 for b in stage.site.backends}
    for r in stage.short.requests:
        if r.result == "ok":
            counts[r.backend] += 1
    total = sum(counts.values())
    for name, n in counts.items():
        report.between(n / total, 0.29, 0.375, f"{name}: its share of requests")


def kill_and_restart(report: Report, stage: Stage) -> None:
    for i in range(3):
        say("the process is killed, then started again")
        since = now_ms()
        stage.node.kill("dataplane")
        time.sleep(1.5)  # the process is dead for this long
        stage.start()
        time.sleep(1)  # traffic must go on for this long
        stage.nothing_failed(since, f"the process killed and started again, {i + 1}")


def bad_documents(report: Report, stage: Stage) -> None:
    good = stage.status()["document"]
    backends = {name: b["index"] for name, b in stage.backends().items()}
    cases = (("no configuration at all", "this is = not { a document"),
             ("an empty file", ""),
             ("half a document", stage.config[:len(stage.config) // 2]))
    for case, text in cases:
        since = now_ms()
        stage.write_raw(text)
        wait_until(lambda: stage.status()["refused"], 5, f"{case}: refused", 0.05)
        time.sleep(0.7)  # traffic must go on for this long
        stage.nothing_failed(since, f"{case} is refused")
        report.equal(stage.status()["document"], good, f"{case}: the old one stays")
        stage.write()
        wait_until(lambda: not stage.status()["refused"], 5, "the good one is taken again", 0.05)
    report.equal({name: b["index"] for name, b in stage.backends().items()}, backends,
                 "each backend keeps its place in the tables")


def enlarge(report: Report, stage: Stage) -> None:
    say("tables are enlarged")
    since = now_ms()
    resizes = ("weir_dataplane_resizes_total", "")
    stage.write(LIMITS.format(2097152, 20000, 262144, 8192))
    wait_until(lambda: stage.node.stats("dataplane").get(resizes), 10, "the tables are larger", 0.1)
    time.sleep(1.5)  # traffic must go on for this long
    stage.nothing_failed(since, "larger tables")
    stage.write()
    time.sleep(1)  # no refusal may follow in this time
    report.equal(stage.status()["refused"], False, "the smaller limits are taken, the tables stay large")


def new_mac(report: Report, stage: Stage) -> None:
    backend = stage.site.backends[0]
    log = stage.node.processes["dataplane"]

    def changes() -> int:
        return log.log().count(f"address={backend.addresses[0]} ")
    say("a backend gets another MAC address")
    before = changes()
    backend.host.ip("link set eth0 address 02:00:00:00:77:01")
    backend.host.run(["ping", "-c1", "-W1", stage.site.plan.node4], check=False)  # it is heard of
    time.sleep(1)  # packets under way to the old address are lost by right
    since = now_ms()
    seen = stage.node.ctl("dataplane", {"do": "trace", "source": "100.64.0.9:1",
                                        "destination": f"{stage.site.plan.vip4}:80/tcp"})
    report.check(seen["ok"], "the trace runs on the tables in force")
    report.wait(lambda: changes() > before, 5, "its next hop was followed")
    time.sleep(2)  # traffic must go on for this long
    stage.nothing_failed(since, "a second after the change")


def strangers(report: Report, stage: Stage) -> None:
    client, plan = stage.world.client, stage.site.plan
    for address in (plan.node4, plan.node6, *plan.vips):
        text = client.run(["ping", "-c", "3", "-i", "0.1", "-W", "1", address], check=False)
        report.check("3 received" in text, f"ping {address}")
    before = weir_counts(stage.node)["reasons"]
    done = subprocess.run(client.enter + ["curl", "-s", "-m", "1", f"http://{plan.vip4}:81/"], capture_output=True)
    report.equal(done.returncode, 28, "a VIP's port without a service is silent: the kernel never hears of it")
    report.wait(lambda: weir_counts(stage.node)["reasons"]["no_service"] > before["no_service"], 5, "and counted by name")


def kernel_sees_no_vip(report: Report, dump: typing.Any) -> None:
    report.equal(dump.poll(), None, "tcpdump has looked all the while")
    dump.terminate()
    lines = [line for line in dump.communicate(timeout=5)[0].decode().splitlines() if line]
    report.equal(lines[:3], [], "no packet for a VIP reached the node's kernel")


def watch_kernel(stage: Stage) -> subprocess.Popen[bytes]:
    """tcpdump on the node's port sees what the program passes to the kernel, and nothing else."""
    vips = " or ".join(f"dst host {v}" for v in stage.site.plan.vips)
    return subprocess.Popen(stage.node.host.enter + ["tcpdump", "-ni", "eth1", "-l", "-Q", "in", f"tcp and ({vips})"],
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def pins_outlive_the_process(report: Report, stage: Stage) -> None:
    stage.node.kill("dataplane")
    pins = [os.path.join(d, f) for d, _, files in os.walk(stage.node.bpf) for f in files]
    report.check(any(p.endswith("/link-eth1") for p in pins), "the pins outlive the process", len(pins))
    traced = stage.node.weir("trace", "100.64.0.9:1234", f"{stage.site.plan.vip4}:80/tcp")
    report.check("verdict" in traced and "forward" in traced, "the trace works when the process is dead")
    stage.node.host.run([executable("weir-dataplane"), "--detach", *stage.node.options])
    left = [f for d, _, files in os.walk(stage.node.bpf) for f in files]
    report.equal(left, [], "--detach removes all pins")
    report.check("xdp" not in stage.node.host.run(["ip", "link", "show", "eth1"]), "and the program")


def run(report: Report) -> None:
    for mode in ("gue", "ipip"):
        say(f"mode {mode}")
        with Lab(f"forward-{mode}") as lab:
            stage = Stage(report, lab, mode)
            stage.write()
            stage.start()
            dump = watch_kernel(stage)
            stage.crowds()
            report.step(kill_and_restart, report, stage)
            if mode == "gue":
                report.step(bad_documents, report, stage)
                report.step(enlarge, report, stage)
                report.step(new_mac, report, stage)
            report.step(strangers, report, stage)
            since = now_ms()
            time.sleep(1)  # traffic must go on for this long
            stage.nothing_failed(since, "at the end")
            stage.end_traffic()
            report.check(len(stage.short.read()) > 1500, "short requests", len(stage.short.requests))
            report.check(len(stage.long.read()) > 30, "downloads of seconds", len(stage.long.requests))
            report.equal({r.bytes for r in stage.long.requests if r.result == "ok"}, {768000}, "each came whole")
            report.step(check_shares, report, stage)
            report.step(check_conservation, report, stage, {"no_service": 3})
            report.step(kernel_sees_no_vip, report, dump)
            report.step(pins_outlive_the_process, report, stage)


if __name__ == "__main__":
    sys.exit(Report.main(run))
