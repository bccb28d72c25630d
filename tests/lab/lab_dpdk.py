# SPDX-License-Identifier: BSD-2-Clause
"""The DPDK driver under real TCP, IPv4 and IPv6, IPIP and GUE: on a kernel interface (AF_PACKET) whose frames the
kernel sees as well, and with two workers on a device of one queue that the kernel sees by a TAP alone, packets and tables
in hugepages, which the lab reserves and returns. The node's own
ping and ARP go on, its tables are enlarged and taken over by the next process, and an idle worker sleeps.
"""
from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import time
import typing

import hugepages
from books import check_node, weir_counts, weir_counts_by_now
from intruder import check_threads
from lab_forward import LIMITS, Stage
from net import Lab, LabError, executable, say, wait_until
from report import Report
from watch import now_ms

if typing.TYPE_CHECKING:
    from world import Site


PAGES = 256  # of 2 MiB: for packets, and for tables
IDLE_SHARE = 0.10  # one that polls takes all; what is promised, bench idle measures
IDLE_LOOKS = 3  # on a busy machine, a turn costs more: caches are cold and sleeps end late. One that polls fails each look


def as_dpdk(text: str) -> str:
    return text.replace('driver = "auto"', 'driver = "dpdk"')


def on_tap(text: str) -> str:
    """The port's device is a socket on nic1, so that auto takes DPDK; two workers share its one queue."""
    return text.replace('interface = "eth1";', 'interface = "eth1"; device = "net_af_packet0,iface=nic1";') \
        .replace('driver = "auto";', 'driver = "auto"; dpdk = { cores = "0-1"; hugepages = "no"; };')


def on_tap_in_hugepages(text: str) -> str:
    return on_tap(text).replace('hugepages = "no";', 'hugepages = "yes"; memory = 128;')


def log_of(stage: Stage) -> str:
    with open(stage.node.processes["dataplane"].log_path) as f:
        return f.read()


def enlarge(report: Report, stage: Stage, edit: typing.Callable[..., typing.Any]) -> None:
    since = now_ms()
    before = weir_counts(stage.node)["received"]
    stage.write(LIMITS.format(262144, 8192, 131072, 512), edit)
    document = stage.status()["document"]
    wait_until(lambda: log_of(stage).count("document-in-force") > 1, 10, "larger tables in force")
    time.sleep(2.5)  # traffic must go on for this long
    stage.nothing_failed(since, "the tables are enlarged")
    report.check(not stage.status()["refused"], "they are in force", document)
    report.check(weir_counts(stage.node)["received"] > before, "the counters go on from where they were", before)


def restart(report: Report, stage: Stage) -> None:
    """Forwarding ends with the process, flows do not: TCP sends again."""
    say("the process is killed, then started again")
    since, before = now_ms(), weir_counts_by_now(stage.node)["received"]
    stage.node.kill("dataplane")
    stage.start()
    time.sleep(4)  # TCP sends again what was lost meanwhile
    stage.nothing_failed(since, "downloads by a restart", stage.long)
    report.check("taken over" in log_of(stage), "the next process takes the tables over")
    report.check(weir_counts(stage.node)["received"] >= before, "and counts on from where they were", before)


def carrier_changes(stage: Stage) -> int:
    return int(json.loads(stage.node.host.run(["ip", "-j", "-s", "-s", "link", "show", "eth1"]))[0]["stats64"]["tx"]["carrier_changes"])


def succeed(report: Report, stage: Stage, edit: typing.Callable[..., typing.Any]) -> None:
    """The next process starts beside the one that forwards. If it cannot, nothing changes."""
    say("the next process prepares itself beside the one that forwards")
    since, before, changes = now_ms(), weir_counts(stage.node)["received"], carrier_changes(stage)
    old = stage.node.processes["dataplane"]
    stage.write_raw("nodes = ( broken")
    report.check(gives_up(stage), "a successor without a document that is in order gives up")
    report.check(old.alive() and stage.node.processes["dataplane"] is old, "and the other one is there as before")
    stage.write("", edit)
    report.check(stage.node.succeed() is old, "one that can start is ready")
    report.equal(old.popen.wait(10), 0, "the other one ends in order")
    wait_until(stage.ready, 10, "the next process forwards")
    time.sleep(3)  # TCP sends again what was lost meanwhile
    stage.nothing_failed(since, "downloads by a successor", stage.long)
    report.equal(carrier_changes(stage), changes, "the kernel's interface kept its carrier")
    report.check(weir_counts(stage.node)["received"] >= before, "and the counters go on", before)


def gives_up(stage: Stage) -> bool:
    try:
        stage.node.succeed()
    except LabError as e:
        return "gave up (1)" in str(e)
    return False


def pool_gauge(stage: Stage, name: str) -> typing.Any:
    return sum(value for (metric, _), value in stage.node.stats("dataplane").items() if metric == name)


def change_driver(report: Report, stage: Stage) -> None:
    """To XDP and back, each time with flows under way that are bound to their slots' earlier owners."""
    def as_driver(driver: typing.Any, weight: typing.Any) -> typing.Callable[..., typing.Any]:
        return lambda text: text.replace('driver = "auto"', f'driver = "{driver}"') \
            .replace('weight = 100; },\n', f'weight = {weight}; }},\n', 1)

    for old, new, weight in (("dpdk", "xdp", 20), ("xdp", "dpdk", 300)):
        stage.write(edit=as_driver(old, weight))
        unsettled = wait_until(lambda: pool_gauge(stage, "weir_dataplane_pool_slots_unsettled"), 10, "unsettled slots")
        remembered = wait_until(lambda: pool_gauge(stage, "weir_dataplane_exceptions"), 10, "remembered flows")
        since, before = now_ms(), weir_counts(stage.node)["received"]
        say(f"driver {new} in place of {old}: {unsettled} slots unsettled, {remembered} flows remembered")
        stage.write(edit=as_driver(new, weight))
        wait_until(lambda: stage.status()["driver"] == new and stage.status()["ports"], 20, f"driver {new}", 0.1)
        time.sleep(4.5)  # traffic must go on for this long
        # a flow that begins in the very moment, its next packet sooner than the second copy (docs/decisions.md)
        stage.nothing_failed(since, f"driver {new} in place of {old}, with unsettled slots", resets_max=1)
        report.check(weir_counts(stage.node)["received"] > before + 1000, "counters go on", before)
        report.check(pool_gauge(stage, "weir_dataplane_pool_slots_unsettled") > unsettled / 2, "slots stay unsettled")
        took = re.findall(rf"driver-changed from={old} to={new} us=(\d+)", log_of(stage))
        report.check(len(took) == 1, "and what it took is told", f"{took} us")


def explains(report: Report, stage: Stage) -> None:
    """weir trace says the same whether the process lives or is dead, from DPDK's tables."""
    def trace() -> str:
        return stage.node.weir("trace", "100.64.1.1:1234", f"{stage.site.plan.vip4}:80/tcp")

    alive = trace()
    report.check("forwarded" in alive, "weir trace reads DPDK's tables", alive.splitlines()[-1:])
    stage.node.kill("dataplane")
    report.equal(trace(), alive, "weir trace says the same when the process is dead")
    stage.start()


def answers_for_itself(report: Report, stage: Stage) -> None:
    """What is not ours is the kernel's: ARP, neighbour discovery and ping of the node."""
    router, site = stage.world.router, stage.site.plan
    for family, address in (("-4", site.node4), ("-6", site.node6)):
        router.run(["ip", family, "neigh", "flush", "to", address])
        texts = [router.run(["ping", "-c", "5", "-i", "0.2", "-W", "1", address], check=False) for _ in range(2)]
        # the worker has only just started: of ten, a busy machine may lose one
        lost, twice = sum(text.count("icmp_seq=") for text in texts) < 9, any("duplicates" in text for text in texts)
        report.check(not lost and not twice, f"the node answers ping {family} once, after its neighbour entry was forgotten",
                     [text.splitlines()[-2] for text in texts])


def idle_shares(stage: Stage | Site, seconds: float = 5) -> list[typing.Any]:
    """The share of a core that each worker takes while nothing comes."""
    def on_cpu() -> dict[str, int]:
        """Nanoseconds by worker: threads that DPDK names so. Ticks would miss what is shorter than one."""
        found, tasks = {}, f"/proc/{stage.node.processes['dataplane'].pid}/task"
        for task in os.listdir(tasks):
            with open(f"{tasks}/{task}/comm") as comm, open(f"{tasks}/{task}/schedstat") as stat:
                if "worker" in comm.read():
                    found[task] = int(stat.read().split()[0])
        return found

    first, start = on_cpu(), time.monotonic_ns()
    time.sleep(seconds)  # the share of a CPU is measured over this time
    last, took = on_cpu(), time.monotonic_ns() - start
    return [(n - first[task]) / took for task, n in last.items()]


def wakes_up(report: Report, stage: Stage) -> None:
    """Echo requests to a VIP, which a worker answers itself, each after more than a second of rest."""
    answers = stage.world.router.run(["ping", "-c", "7", "-i", "1.1", "-W", "5", stage.site.plan.vip4])
    times = sorted(float(ms) for ms in re.findall(r"time=([\d.]+) ms", answers))
    report.check(len(times) == 7 and times[3] < 10, "the first packet after a rest is answered at once",
                 f"median {times[3] if len(times) > 3 else None} ms, longest {times[-1:]} ms")


def at_rest(report: Report, stage: Stage) -> None:
    time.sleep(2.2)  # the counters are published each second
    weir = weir_counts(stage.node)
    report.equal(weir["received"], weir["sent"] + weir["passed"] + weir["dropped"],
                 "received = sent + passed + dropped")
    report.check(weir["sent"] > 10000, "packets were forwarded", weir["sent"])
    looks = [idle_shares(stage)]
    while max(looks[-1], default=0) >= IDLE_SHARE and len(looks) < IDLE_LOOKS:
        looks.append(idle_shares(stage))
    report.check(looks[-1] and max(looks[-1]) < IDLE_SHARE, f"idle workers sleep: less than {IDLE_SHARE:.0%} of a core each",
                 "; ".join(", ".join(f"{share:.3f}" for share in look) for look in looks))


def ends(report: Report, stage: Stage) -> None:
    """Forwarding ends with the process; its tables stay until they are told to go."""
    reasons = weir_counts(stage.node)["reasons"]
    report.equal((reasons["not_sent"], reasons["segmented"]), (0, 0), "all verdicts to send were sent")
    stage.node.processes.pop("dataplane").stop(10)
    tables = os.path.join(stage.node.run_dir, "tables", "tables")
    report.check(os.path.exists(tables), "the tables outlive the process")
    in_hugepages = os.path.islink(tables)
    free = hugepages.count("free_hugepages")
    stage.node.host.run([executable("weir-dataplane"), "--detach", *stage.node.options])
    report.check(not in_hugepages or hugepages.count("free_hugepages") > free, "--detach returns the tables' hugepages", free)
    report.check(not os.path.exists(os.path.dirname(tables)), "--detach removes them")


def answers_by_tap(report: Report, stage: Stage) -> None:
    """All that the kernel heard came by the TAP, and it has the device's MAC."""
    host = stage.node.host
    report.equal(host.mac("eth1"), host.mac("nic1"), "the TAP carries the device's MAC")
    report.check("auto: DPDK, because it can drive the device of each port" in log_of(stage), "why auto takes DPDK is said")
    report.check("worker" in log_of(stage) and "hand frames over" in log_of(stage),
                 "that two workers share a queue is said")
    page = stage.node.stats("dataplane")["weir_dataplane_tables_page_bytes", ""]
    report.check("page_kb=2048" in log_of(stage) and page == 2 << 20, "the tables lie in hugepages, as packets do", page)
    passed = weir_counts(stage.node)["passed"]
    report.check(0 < passed <= host.counters("eth1")["rx"] + 50, "what is passed goes to the TAP", passed)


def play(report: Report, mode: str, edit: typing.Callable[..., typing.Any], prepare: typing.Callable[..., typing.Any]) -> None:
    say(f"mode {mode}")
    with Lab(f"dpdk-{mode}") as lab, contextlib.ExitStack() as pages:
        if edit is on_tap_in_hugepages:
            pages.enter_context(hugepages.reserved(PAGES, os.path.join(lab.dir, "hugepages")))
        stage = Stage(report, lab, mode)
        stage.keeps_syns = False
        prepare(stage)
        stage.write(edit=edit)
        stage.start()
        report.equal(stage.status()["driver"], "dpdk", "the driver")
        stage.crowds()
        answers_for_itself(report, stage)
        since = now_ms()
        time.sleep(3)  # traffic must go on for this long
        stage.nothing_failed(since, "short requests and downloads, IPv4 and IPv6")
        if mode == "gue":
            enlarge(report, stage, edit)
            change_driver(report, stage)
        succeed(report, stage, edit)
        restart(report, stage)
        stage.end_traffic()
        report.check(len(stage.short.read()) > 800, "short requests", len(stage.short.requests))
        report.equal({r.bytes for r in stage.long.read() if r.result == "ok"}, {768000}, "each download came whole")
        if edit is on_tap_in_hugepages:
            answers_by_tap(report, stage)
        at_rest(report, stage)
        # with a TAP the kernel forgets next hops when the process ends, as its carrier goes
        report.step(check_node, report, stage.node, {"no_next_hop": 1500} if edit is on_tap_in_hugepages else None)
        wakes_up(report, stage)
        explains(report, stage)
        report.step(check_threads, stage.node, report, "dataplane")
        ends(report, stage)


def run(report: Report) -> None:
    play(report, "gue", as_dpdk, lambda stage: None)
    play(report, "ipip", on_tap_in_hugepages, lambda stage: stage.node.give_tap())


if __name__ == "__main__":
    sys.exit(Report.main(run))
