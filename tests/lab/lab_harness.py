# SPDX-License-Identifier: BSD-2-Clause
"""The harness itself, without Weir: the router sends the VIP straight to a backend.

Clients of a thousand prefixes fetch from nginx, what they saw equals what nginx logged and what the wire
carried, a cut site is silent, and nothing is left at the end.
"""
from __future__ import annotations

import contextlib
import functools
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import types
import typing

import demo_stay
import net
import books
import layout
from books import BACKEND_COUNTER, FORWARD_COUNTER, RECEIVED_COUNTER, check_wire
from net import Lab, LabError, call, namespaces, say
from report import Report
from watch import WATCH, Crowd, is_excused, now_ms
from world import Request, World, read_requests
import plan as planning


def failures_are_seen(report: Report, world: World) -> None:
    """What is under way when a lab asks for failures can still fail, and a SYN that was lost counts."""
    site = world.sites[0]
    # so few that a short cut costs less than SYNS_MAX, also where to cut and to heal take half a second
    client = world.start_client("seen", 20, "--timeout-ms", 1500, targets=site.plan.vips)
    crowd = Crowd(f"{world.lab.dir}/seen.requests", client, {})
    time.sleep(1)  # requests are made for this long
    report.equal(crowd.failures(0), [], "a crowd without trouble has no failures")
    since = now_ms()
    site.cut()
    time.sleep(0.3)  # requests are made during the cut
    report.check("connect-timeout" in {f[0] for f in crowd.failures(since)}, "a request that fails later is waited for")
    site.heal()
    time.sleep(1)  # the flows of the cut end, so that the next one stands alone
    since = now_ms()
    site.cut()
    time.sleep(0.3)  # shorter than the time-out of a request
    site.heal()
    report.check("SYN lost" in {f[0] for f in crowd.failures(since)}, "a request that got through by its second SYN has failed")
    WATCH.stops.append((time.monotonic(), 30))
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        seen = crowd.failures(since)
    report.equal(seen, [], "but not if the machine stood still meanwhile")
    report.check(re.search(r"not counted: \d+ requests, for the machine stood still: SYN lost", told.getvalue()), "which is told")
    WATCH.stops.clear()
    crowd.dropped = lambda: 1000
    with contextlib.redirect_stdout(told):
        seen = crowd.failures(since)
    report.check("SYN lost" not in {f[0] for f in seen}, "nor does a lost SYN if the links dropped frames")
    crowd.dropped = lambda: crowd.excused
    report.check("SYN lost" in {f[0] for f in crowd.failures(since)}, "a dropped frame excuses one SYN, and once")
    crowd.dropped = lambda: 2000
    crowd.forget_dropped()
    report.check("SYN lost" in {f[0] for f in crowd.failures(since)}, "nor one that was lost after it")
    lost, crowd.excused = [("SYN lost", "203.0.113.10", "-")] * 30, 0
    with contextlib.redirect_stdout(told):
        report.equal(len(crowd.without_lost(lost)), 10, "however many the links drop, they excuse twenty")
    crowd.dropped = lambda: 0
    client.stop(10)
    since = now_ms()
    time.sleep(2.5)  # longer than a second without any request, even if the machine stands still for one
    report.equal([f[0] for f in crowd.failures(since)], ["no request was started"], "a crowd that has stopped shows nothing")


def long_stops_excuse(report: Report) -> None:
    """A timer that had time enough without the stop shows a failure."""
    now = now_ms()
    WATCH.stops.append((time.monotonic(), 0.8))
    for result, began, took, resent, excused, why in (
            ("connect-timeout", 1000, 1000, 1, True, "a request that had a fifth of its time is excused"),
            ("connect-timeout", 3000, 3000, 1, False, "but not one that had the most of it"),
            ("timeout", 20000, 20000, 0, False, "nor a long transfer"),
            ("reset", 900, 900, 0, False, "nor one that no timer ended"),
            ("ok", 900, 900, 1, True, "a SYN that was sent again at the end of a stop is excused"),
            ("ok", 5000, 5000, 1, False, "but not for a stop long after it"),
            ("ok", 900, 900, 0, False, "and there is nothing to excuse without one")):
        r = Request(1, now - began, now - began + took, "-", 0, "-", result, 0, "-", 0, "-", 0, took, resent)
        report.equal(is_excused(r), excused, why)
    WATCH.stops.clear()


def count_wrong(node: str, read: typing.Callable[[], dict[tuple[str, str], int]], packets: dict[tuple[str, str], int],
                lost: int = 0, killed: typing.Collection[str] = ()) -> int:
    """How many claims of check_wire() do not hold for a played node with one backend, b1 of the node, at whose link `lost` frames
    were lost on the way back; packets: {(way, kind): packets on the wire}."""
    site: typing.Any = types.SimpleNamespace(
        name=node, plan=types.SimpleNamespace(node=f"{node}-1"), node=types.SimpleNamespace(stats=lambda _: read()),
        backends=[types.SimpleNamespace(name=f"{node}-b1", addresses=["-"])], lost_on_link=lambda: 0, lost_on_way_back=lambda: lost)
    capture: typing.Any = types.SimpleNamespace(counts=lambda way, kind, **more: packets.get((way, kind), 0))
    report = Report()
    with contextlib.redirect_stdout(io.StringIO()):
        check_wire(report, typing.cast(typing.Any, types.SimpleNamespace(sites=[site])), {node: capture}, killed=killed)
    return report.failed


def counters(node: str, forwarded: int, backend: int, dropped: tuple[str, int] | None = None) -> dict[tuple[str, str], int]:
    """What a played node has counted; dropped: (reason, packets)."""
    stats = {(FORWARD_COUNTER, 'action="forwarded",reason="forwarded"'): forwarded, (BACKEND_COUNTER, f'backend="{node}-b1"'): backend}
    if dropped:
        stats[FORWARD_COUNTER, f'action="dropped",reason="{dropped[0]}"'] = dropped[1]
    return stats


def books_bear_the_dead(report: Report) -> None:
    """A killed backend excuses packets that its own node drops for it, and no other's."""
    for node, dropped, failed, why in (("ams", 1, 0, "the dead backend's node may drop its packets"),
                                       ("ams", 21, 1, "but twenty at most"), ("fra", 1, 1, "and no other node any")):
        read = functools.partial(counters, node, 9, 9, ("backend_dead", dropped))
        packets = {("in", "tunnel"): 9, ("out", "vip"): 9 + dropped}
        report.equal(count_wrong(node, read, packets, killed=("ams-b1",)), failed, why)


def books_bear_a_full_link(report: Report) -> None:
    """What Weir knows that the link did not take is the link's: as many as the link says, one in a hundred at most."""
    for not_sent, lost, wire, failed, why in ((1, 1, 900, 0, "a frame that the link says it did not take is the link's"),
                                              (1, 0, 900, 1, "but not one of which it does not say so"),
                                              (10, 10, 900, 1, "nor more than one in a hundred"),
                                              (1, 1, 899, 1, "nor does one excuse another that is counted as sent"),
                                              (0, 1, 899, 0, "the link may drop one that Weir cannot know of")):
        read = functools.partial(counters, "ams", 900, wire, ("not_sent", not_sent))
        packets = {("in", "tunnel"): wire, ("out", "vip"): 900 + not_sent}
        report.equal(count_wrong("ams", read, packets, lost), failed, why)


def books_wait_for_the_page(report: Report) -> None:
    """A dataplane that was started last may not have written its page yet: books of an old page show nothing."""
    reads: list[int] = []

    def read() -> dict[tuple[str, str], int]:
        reads.append(5 if len(reads) < 2 else 9)
        return counters("ams", reads[-1], reads[-1])
    failed = count_wrong("ams", read, {("in", "tunnel"): 9, ("out", "vip"): 9})
    report.equal((failed, reads[:2]), (0, [5, 5]), "a page that is written late is waited for")


def write_page(directory: str, alive_s: float, writer_pid: int, received: int, sent: int, passed: int, dropped: int) -> None:
    """A page of counters as a dataplane writes it."""
    header = layout.read("struct page_header")()
    header.alive_ms = int((time.monotonic() - alive_s) * 1000)
    header.writer_pid = writer_pid
    payload = layout.stats_payload(((RECEIVED_COUNTER, "", received), (FORWARD_COUNTER, 'action="sent",reason="forwarded"', sent),
                                    (FORWARD_COUNTER, 'action="passed",reason="not_ours"', passed),
                                    (FORWARD_COUNTER, 'action="dropped",reason="backend_dead"', dropped)))
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, books.PAGE), "wb") as f:
        f.write(bytes(header) + payload)


def every_lab_balances(report: Report, lab: Lab) -> None:
    """A packet that nobody counts fails a lab, whatever it looks at; what a dead dataplane wrote last does not."""
    was, books.REST_S = books.REST_S, 0.4
    top = os.path.join(lab.dir, "seeded")
    here, nobody = os.getpid(), 1 << 23  # no process has such a number
    for why, name, alive_s, writer_pid, counts, fails in (
            ("books that balance are fine", "a.weir/run", 0, here, (10, 6, 3, 1), False),
            ("a page of a dataplane that is stopped is no balance", "b.weir/run", 60, here, (11, 6, 3, 1), False),
            ("nor is one of a dataplane that ended a moment ago", "b.weir/run", 0, nobody, (11, 6, 3, 1), False),
            ("one packet that is lost uncounted is seen", "c.weir/run", 0, here, (11, 6, 3, 1), True),
            ("and one that is counted twice", "c.weir/run", 0, here, (10, 6, 4, 1), True)):
        write_page(os.path.join(top, name), alive_s, writer_pid, *counts)
        told = io.StringIO()
        seen = ""
        with contextlib.redirect_stdout(told):
            try:
                lab.balance()
            except LabError as e:
                seen = str(e)
        report.equal(("books of seeded/c do not balance" in seen, bool(seen)), (fails, fails), why)
    report.check("books of seeded/b: not read" in told.getvalue() and "10 received = 6 sent + 3 passed + 1 dropped" in told.getvalue(),
                 "each node's books are told, and whose were not read")
    shutil.rmtree(top)
    books.REST_S = was


def nothing_claimed_has_failed(report: Report) -> None:
    """As of a lab that is asked for a part that it does not have."""
    with contextlib.redirect_stdout(io.StringIO()):
        report.equal((Report.main(lambda r: None), Report.main(lambda r: r.check(True, ""))), (1, 0), "a lab that claims nothing has failed")


def a_crash_is_seen(report: Report, lab: Lab) -> None:
    """A process that dies of a fault fails its lab, though it is started again before anybody looks; one that the lab kills does not."""
    host = lab.host("crash")
    for number, seen in ((signal.SIGKILL, []), (signal.SIGSEGV, ["crash.echo"])):
        process = host.start("echo", [net.executable("lab-echo"), "b1", "80"])
        process.signal(number)
        process.popen.wait()
        report.equal(lab.crashes(), seen, f"a tool that dies by {number.name}")
    host.processes.clear()
    path = os.path.join(lab.dir, "crash.weir-run.log")
    for code, seen in ((9, []), (11, ["dns(7)"])):
        with open(path, "w") as f:
            f.write(f"warning process-died process=dns pid=7 how=signal code={code} lived_ms=5 restart_in_ms=0\n")
        report.equal(lab.crashes(), seen, f"a process that weir run starts again after signal {code}")
    os.unlink(path)


def a_degraded_node_is_told(report: Report) -> None:
    """The demo bears a degraded node only where the machine stood still, and says so."""
    node: typing.Any = types.SimpleNamespace(name="ams-1", wait_until_well=lambda: None)
    degraded = subprocess.CompletedProcess([], demo_stay.DEGRADED, "pool-all-down", "")
    run_line, told = demo_stay.run_line, io.StringIO()
    demo_stay.run_line = lambda *_: subprocess.CompletedProcess([], 0, "well", "")
    with contextlib.redirect_stdout(told):
        quiet = demo_stay.wait_and_repeat(node, "weir status", degraded).returncode
        WATCH.stops.append((time.monotonic(), 0.6))
        stopped = demo_stay.wait_and_repeat(node, "weir status", degraded).returncode
    demo_stay.run_line = run_line
    WATCH.stops.clear()
    report.equal((quiet, stopped), (demo_stay.DEGRADED, 0), "a degraded node fails the demo, but not where the machine stood still")
    report.check(told.getvalue().count("not counted: ams-1 was degraded") == 1 and "pool-all-down" in told.getvalue(), "which is told, with why")


def programs_are_the_builds(report: Report) -> None:
    for folder in ("lab", "package-test", "test-logs"):
        path = os.path.join(net.BUILD, folder, "harness-programs", "b", "weir-mgmt")
        os.makedirs(os.path.dirname(path))
        with open(path, "w") as f:
            os.fchmod(f.fileno(), 0o755)
        found = net.built.__wrapped__()["weir-mgmt"]
        shutil.rmtree(os.path.join(net.BUILD, folder, "harness-programs"))
        report.equal([p for p in found if f"/{folder}/" in p.removeprefix(net.BUILD)], [], f"no program of {folder} is taken for the build's")


def run(report: Report) -> None:
    programs_are_the_builds(report)
    long_stops_excuse(report)
    books_bear_the_dead(report)
    books_bear_a_full_link(report)
    books_wait_for_the_page(report)
    a_degraded_node_is_told(report)
    nothing_claimed_has_failed(report)
    with Lab("harness") as lab:
        tag = lab.tag
        every_lab_balances(report, lab)
        a_crash_is_seen(report, lab)
        world = World(lab, planning.simple(1, 2), resolvers=())
        site, backend = world.sites[0], world.sites[0].backends[0]
        site.start_backends()
        for vip, via in ((site.plan.vip4 + "/32", "10.1.1.11"), (site.plan.vip6 + "/128", "fd00:1:1::11")):
            world.router.ip(f"{'-6 ' if ':' in via else ''}route replace {vip} via {via}")
        capture = world.start_capture(f"p-{backend.name}")
        say("clients for 3 s")
        client = world.start_client("steady", 250, "--seconds", 3, targets=site.plan.vips)
        report.check(client.popen.wait(20) == 0, "the client ends by itself")
        requests = read_requests(f"{lab.dir}/steady.requests")
        report.equal(sum(r.result != "ok" for r in requests), 0, "no request fails")
        report.check(len(requests) > 300, "requests are made all the while: 250 a second where nothing else runs", len(requests))
        report.check(len({r.source for r in requests}) > 0.9 * len(requests), "each from a source of its own")
        logged = {line["agent"]: line for line in backend.log()}
        report.equal(sorted(logged), sorted(f"steady-{r.id}" for r in requests), "nginx logged the same requests")
        report.check(all(logged[f"steady-{r.id}"]["server"] == r.target and logged[f"steady-{r.id}"]["client"] == r.source
                         and logged[f"steady-{r.id}"]["client_port"] == r.port for r in requests),
                     "from the same addresses to the same VIPs")
        capture.stop()
        report.equal(capture.counts("out", "vip", what="syns"), len(requests), "the wire carried as many SYNs")
        say("site cut for a second")
        site.cut()
        cut = world.start_client("cut", 100, "--seconds", 1, "--timeout-ms", 500, targets=site.plan.vips)
        cut.popen.wait(10)
        report.equal({r.result for r in read_requests(f"{lab.dir}/cut.requests")}, {"connect-timeout"},
                     "a cut site is silent")
        site.heal()
        failures_are_seen(report, world)
        report.equal(site.node.host.run(["ping", "-c1", "-W1", "100.64.0.9"]).count("1 received"), 1, "it heals")
    report.equal([n for n in namespaces() if n.startswith(tag + "-")], [], "no namespace is left")
    report.check("build/lab/harness" not in call(["mount"]), "no mount is left")


if __name__ == "__main__":
    sys.exit(Report.main(run))
