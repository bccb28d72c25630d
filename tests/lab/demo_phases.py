# SPDX-License-Identifier: BSD-2-Clause
"""The demo's phases, in order. Each breaks or changes one thing under traffic and measures what follows."""
from __future__ import annotations

import datetime
import ipaddress
import os
import sys
import time
import typing

import plan as planning
from books import check_servers, check_wire
from net import say, wait_until
from watch import Answers, failed, is_excused, now_ms, sigma

if typing.TYPE_CHECKING:
    from demo import Demo
    from net import Process
    from world import Node, Site

CLIENTS = [ipaddress.ip_network(n) for n in (planning.CLIENTS4, planning.CLIENTS6)]
RING_TOLERANCE = 0.06  # of a share: how far a ring's shares may be from the weights
RESOLVER_ECS4, RESOLVER_ECS6 = "198.18.1.2", "2001:db8:53:1::2"


def behind_ecs(request: typing.Any) -> bool:
    """Whether a request's source is behind the resolver that sends ECS: every second prefix is."""
    ip = ipaddress.ip_address(request.source)
    return ip.packed[2 if ip.version == 4 else 6] % 2 == 0


def step(demo: Demo, what: str, expected: typing.Any, observed: float, tolerance: float) -> bool:
    """Note an expected share beside the one observed."""
    demo.result["steps"].append({"step": what, "expected": round(expected, 4), "observed": round(observed, 4),
                                 "tolerance": round(tolerance, 4)})
    return demo.report.check(abs(expected - observed) <= tolerance,
                             f"{what}: share {expected:.3f} ± {tolerance:.3f}", f"{observed:.3f}")


def check_site_shares(demo: Demo, phase: str, start_ms: int, end_ms: int, weights: dict[typing.Any, typing.Any]) -> None:
    """Behind the resolver with ECS, prefixes are spread over the sites by weight."""
    shares, n = demo.crowd.shares(start_ms, end_ms, behind_ecs)
    total = sum(weights.values())
    for site, weight in weights.items():
        share = weight / total
        step(demo, f"{phase}: site {site}", share, shares.get(site, 0), 3 * sigma(share, n) + 1e-9)


def check_backend_shares(demo: Demo, phase: str, start_ms: int, end_ms: int, site: Site,
                         weights: dict[typing.Any, typing.Any]) -> None:
    shares, n = demo.crowd.backends(start_ms, end_ms, site.name)
    total = sum(weights.values())
    for backend, weight in weights.items():
        share = weight / total
        step(demo, f"{phase}: backend {backend}", share, shares.get(backend, 0),
             3.5 * sigma(share, n) + RING_TOLERANCE * share)


def site_weights(demo: Demo, without: typing.Any = ()) -> dict[str, typing.Any]:
    return {s.name: s.weight for s in demo.plan.sites if s.name not in without}


def backend_weights(site: Site, without: typing.Collection[str] = ()) -> dict[str, typing.Any]:
    return {b.name: b.weight for b in site.plan.backends if b.name not in without}


def no_failures(demo: Demo, phase: str, start_ms: int, end_ms: int) -> bool:
    return demo.report.equal(demo.crowd.failures(start_ms, end_ms)[:5], [], f"{phase}: no request fails")


def client_syns(capture: typing.Any, outer: str, since_ms: int) -> list[typing.Any]:
    """Times of the clients' SYNs that were sent to a backend, since a time."""
    return [t for t, way, to, source, _, _ in capture.flows()
            if way == "in" and to == outer and t >= since_ms and
            any(ipaddress.ip_address(source) in n for n in CLIENTS)]


def probe_names(demo: Demo, log: str, servers: list[typing.Any], seconds: float, rate: int = 400,
                prefixes: int = 2 * planning.PREFIXES) -> tuple[Process, Answers]:
    """Start dns_probe.py; returns (process, Answers)."""
    path = os.path.join(demo.lab.dir, f"{log}.answers")
    command = [sys.executable, os.path.join(os.path.dirname(__file__), "dns_probe.py"), "--name", demo.plan.name,
               "--rate", str(rate), "--seconds", str(seconds), "--prefixes", str(prefixes), "--log", path]
    for server in servers:
        command += ["--server", server]
    return demo.world.client.start(log, command), Answers(path, demo.site_of)


def settle(demo: Demo, seconds: float) -> int:
    """Let what is under way end; returns the time from which all is new."""
    time.sleep(seconds)  # traffic of before must end: it is counted by time
    return now_ms()


def steady(demo: Demo) -> None:
    """Spread by weight; all name servers agree about every prefix."""
    demo.sabotage("dns")
    with demo.phase("steady", "traffic by weight; shares below are of the clients whose resolver sends ECS"):
        begin = settle(demo, 1)
        servers = [s.dns4 for s in demo.plan.sites]
        n = 300 * len(servers)
        process, answers = probe_names(demo, "agree", servers, n / 300, 300)
        time.sleep(demo.seconds(9, 25))  # the phase is measured for this long
        process.popen.wait(20)
        end = now_ms()
        no_failures(demo, "steady", begin, end)
        check_site_shares(demo, "steady", begin, end, site_weights(demo))
        for site in demo.world.sites:
            check_backend_shares(demo, "steady", begin, end, site, backend_weights(site))
        sites: dict[str, dict[str, str]] = {}  # by prefix and server
        for _, answered, server, prefix, _, name, _, _ in answers.read():
            if answered:
                sites.setdefault(prefix, {})[server] = name
        n_asked = sum(set(servers) == set(s) for s in sites.values())
        demo.report.check(n_asked >= 200, "steady: all name servers answered for 200 prefixes and more", n_asked)
        demo.report.equal(sorted(p for p, s in sites.items() if len(set(s.values())) > 1)[:3], [],
                          "steady: all name servers place each prefix alike")
        demo.report.equal(sorted(p for p, s in sites.items() if "-" in s.values())[:3], [], "steady: no answer is empty")


def kill(demo: Demo) -> None:
    """A backend's process dies."""
    demo.sabotage("health")
    site = demo.world.sites[0]
    victim = site.backends[0]
    capture = demo.captures[site.name]
    with demo.phase("kill", f"the server of backend {victim.name} is killed"):
        time.sleep(1)  # traffic before the death, to compare with
        killed = now_ms()
        victim.kill()
        demo.killed = (victim.name, killed)
        time.sleep(demo.seconds(6, 15))  # the phase is measured for this long
        end = now_ms()
        syns = client_syns(capture, victim.addresses[0], killed)
        out_ms = max(syns, default=killed) - killed
        demo.result["backend_out_ms"] = out_ms
        demo.report.between(out_ms, 0, 1000, "kill: ms to the last new flow sent to the dead backend")
        to_victim = {(source, port) for t, _, outer, source, port, _ in capture.flows()
                     if outer == victim.addresses[0] and t >= killed - 5000}
        demo.crowd.wait_ended(end)
        bad = failed(demo.crowd.between(killed - 1000, end))
        demo.report.equal([r for r in bad if (r.source, r.port) not in to_victim][:3], [],
                          "kill: only flows on the dead backend fail", )
        demo.report.equal([r for r in bad if r.start_ms > killed + out_ms][:3], [],
                          "kill: none that was started after the measured time")
        check_backend_shares(demo, "kill", killed + 1500, end, site, backend_weights(site, {victim.name}))
        no_failures(demo, "kill, once it is out", killed + max(1500, out_ms + 1), end)


def drain_backend(demo: Demo) -> None:
    """A backend is drained under long downloads: they all come whole, nothing new goes there."""
    site = demo.world.sites[-1]  # where none is dead: the guard keeps a pool's last one
    backend = site.backends[1]
    capture = demo.captures[site.name]
    over_s = demo.seconds(15, 30)
    with demo.phase("drain_backend", f"backend {backend.name} is drained under long downloads"):
        downloads = demo.start_crowd("downloads", "--path", "/files/long", "--seconds", 2, "--timeout-ms", 60000,
                                     targets=site.plan.vips, rate=20)
        time.sleep(2.5)  # downloads of two seconds' starts are under way
        started = {r for r in capture.flows() if r[2] == backend.addresses[0]}
        drained_at = now_ms()
        verb = "disable" if demo.options.broken == "drain" else "drain"
        over = [] if verb == "disable" else ["--over", f"{over_s}s"]
        say(site.node.weir(verb, "backend", f"{site.plan.pool}/{backend.name}", *over, "--until", "+1h",
                           "--reason", "demo").strip().splitlines()[0])
        time.sleep(demo.seconds(6, 12))  # the phase is measured for this long
        end = now_ms()
        syns = client_syns(capture, backend.addresses[0], drained_at)
        quiet_ms = max(syns, default=drained_at) - drained_at
        demo.result["backend_drain_ms"] = quiet_ms
        demo.report.between(quiet_ms, 0, 4000, "drain_backend: ms to the last new flow")
        demo.report.check(started, "drain_backend: it had flows before", len(started))
        downloads.process.popen.wait(60)
        done = downloads.read()
        demo.report.check(sum(r.backend == backend.name for r in done) >= 3, "drain_backend: downloads were on it",
                          sum(r.backend == backend.name for r in done))
        demo.report.equal({(r.result, r.fnv) for r in done}, {("ok", demo.long_fnv)},
                          "drain_backend: every download comes whole, with its checksum")
        no_failures(demo, "drain_backend", drained_at, end)
        demo.result["downloads"] = len(done)
        undo = "enable" if verb == "disable" else "undrain"
        site.node.weir(undo, "backend", f"{site.plan.pool}/{backend.name}", "--reason", "demo")


def instant_ms(text: str) -> float:
    return datetime.datetime.fromisoformat(text).timestamp() * 1000


def check_levels(demo: Demo, answers: Answers, site: str, share: float, operation: typing.Any) -> None:
    """While an operation waits at a level, the answers name the site for the rest of its share."""
    n_rows = 0
    for done in operation["steps"]:
        if not done["in_force"] or not done["ended"]:
            continue
        begin, end = instant_ms(done["in_force"]), instant_ms(done["ended"])
        rows = [at for _, answered, _, _, _, at, _, _ in answers.read() if begin <= answered < end]
        expected = share * (1 - done["level_ppm"] / 1e6)
        n_rows += len(rows)
        step(demo, f"drain_site: {done['level_ppm'] / 1e4:.0f} %", expected, sum(at == site for at in rows) / max(1, len(rows)),
             3 * sigma(max(0.02, expected), max(1, len(rows))) + share / 20)
    demo.report.check(n_rows > 100, "drain_site: answers at levels", n_rows)


def see_through(node: Node, identity: str) -> typing.Any:
    """The operation when it has ended. On a machine that stands still for seconds it holds, since something is not known for as long;
    then it is resumed once, as a person would who has read why."""
    operation = node.weir_json("operation", identity)
    if operation["state"] != "held":
        return operation
    say(f"{identity} is held by {operation['hold']['code']}: {operation['hold']['detail']}; it is resumed")
    node.weir("operation", identity, "resume", "--reason", "demo", "--watch", timeout=280, check=False)
    return node.weir_json("operation", identity)


def drain_site(demo: Demo) -> None:
    """A site is drained by an operation that measures each step, in the quick form in one step; then it is taken back at once.

    Half of the clients are behind a resolver without ECS, which asks once in a TTL for all of them: queries are not flows here.
    """
    site = demo.world.sites[-1]
    share = site.plan.weight / sum(site_weights(demo).values())
    pace = ["--now"] if demo.options.quick else []
    with demo.phase("drain_site", f"site {site.name} is drained {'in one step' if pace else 'step by step'}, then taken back"):
        # few: the projection goes by queries, and these are not the clients'
        process, answers = probe_names(demo, "drain", [s.dns4 for s in demo.plan.sites], 300, 40)
        time.sleep(1)  # answers from before the drain
        drained_at = now_ms()
        site.node.weir("drain", "site", site.name, *pace, "--reason", "demo", "--wait", timeout=280, check=False)
        identity = site.node.weir_json("operations", "--limit", "1")["items"][0]["id"]
        operation = see_through(site.node, identity)
        demo.report.check(operation["state"] in ("drained", "empty"), "drain_site: drained, confirmed by packets",
                          f"{operation['state']} {operation['hold'] or ''}")
        demo.report.check(operation["owner"] != site.node.name, "drain_site: a node of another site is the owner", operation["owner"])
        steps = len(operation["steps"])
        demo.report.check(steps == (1 if pace else 5) or operation["holds"] and steps > 1, "drain_site: steps", steps)
        check_levels(demo, answers, site.name, share, operation)
        process.stop(20)
        last = demo.crowd.last_start(site.name, drained_at)
        demo.result["site_drain_s"] = round(((last or drained_at) - drained_at) / 1000, 2)
        demo.report.between(demo.result["site_drain_s"], 1, 30 if pace else 120,
                            "drain_site: seconds to the last request there")
        say(f"{site.name} gets no new flows since {demo.result['site_drain_s']} s after the command ({operation['id']})")
        no_failures(demo, "drain_site", drained_at, now_ms())
        back = now_ms()
        site.node.weir("undrain", "site", site.name, "--now", "--reason", "demo", "--wait", timeout=180)
        wait_until(lambda: demo.crowd.shares(now_ms() - 1500, now_ms(), behind_ecs)[0].get(site.name, 0) > share / 2,
                   20, f"{site.name} takes traffic again", 0.3)
        say(f"{site.name} takes its share again after {(now_ms() - back) / 1000:.1f} s")
        no_failures(demo, "drain_site", back, now_ms())


def site_cut(demo: Demo) -> None:
    """A site is cut off in silence: others' answers stop naming it, clients go elsewhere."""
    site = demo.world.sites[-1]
    others = [s for s in demo.plan.sites if s.name != site.name]
    seconds = demo.seconds(14, 25)
    with demo.phase("site_cut", f"site {site.name} is cut off in silence"):
        process, answers = probe_names(demo, "cut", [s.dns4 for s in others], seconds + 1)
        time.sleep(1)  # answers from before the cut
        cut = now_ms()
        site.cut()
        time.sleep(seconds)  # the phase is measured for this long
        end = now_ms()
        process.popen.wait(20)
        last = answers.last_naming(site.name, cut)
        demo.report.check(any(a >= cut for _, a, *_ in answers.read()), "site_cut: the other name servers answer")
        demo.result["site_out_ms"] = (last or cut) - cut
        demo.report.between(demo.result["site_out_ms"], 0, 5000, "site_cut: ms to the last answer that names it")
        last = demo.crowd.last_start(site.name, cut)
        demo.result["client_out_ms"] = (last or cut) - cut
        demo.report.between(demo.result["client_out_ms"], 0, 11000, "site_cut: ms to the last request sent there")
        demo.crowd.wait_ended(end)
        bad = failed(demo.crowd.between(cut, end))
        demo.report.equal([r for r in bad if demo.crowd.site(r) not in (site.name, "?")][:3], [],
                          "site_cut: requests to other sites do not fail")
        lost = [r for r in bad if r.result.startswith("dns")]
        demo.report.equal([(r.result, r.source) for r in lost[:3]], [], "site_cut: names resolve all the time")


def come_back(demo: Demo) -> None:
    """The cut site and the dead backend return, and take their shares again."""
    site, first = demo.world.sites[-1], demo.world.sites[0]
    with demo.phase("return", f"site {site.name} is joined again, the server of {first.backends[0].name} is started"):
        site.heal()
        first.backends[0].start()
        back = now_ms()
        share = site.plan.weight / sum(site_weights(demo).values())
        wait_until(lambda: demo.crowd.shares(now_ms() - 1500, now_ms(), behind_ecs)[0].get(site.name, 0) > share / 2,
                   30, f"{site.name} takes traffic again", 0.3)
        demo.result["site_back_s"] = round((now_ms() - back) / 1000, 1)
        begin = settle(demo, 7)
        time.sleep(demo.seconds(8, 20))  # the phase is measured for this long
        end = now_ms()
        no_failures(demo, "return", begin, end)
        check_site_shares(demo, "return", begin, end, site_weights(demo))
        for each in (first, site):
            check_backend_shares(demo, "return", begin, end, each, backend_weights(each))


def fail_static(demo: Demo) -> None:
    """All Weir processes die; new connections work for a minute; then they start again."""
    stop_crowd(demo)
    vips = [v for s in demo.plan.sites for v in s.vips]
    say("killing every Weir process at every site")
    for node in demo.world.nodes:
        node.kill_all()
    static = demo.start_crowd("static", targets=vips)
    with demo.phase("all_dead", "every Weir process is dead; clients go to the VIPs", static):
        time.sleep(60)  # the promise is 60 s without any process
        bad = failed(static.read())
        demo.report.equal([(r.result, r.target) for r in bad[:5]], [], "all_dead: no new connection fails in 60 s")
    for node in demo.world.nodes:
        node.start_supervised()
    for node in demo.world.nodes:
        node.wait_until_well()
    static.process.stop(20)
    demo.report.equal([(r.result, r.target) for r in failed(static.read())[:5]], [],
                      "all_dead: nor while they start again")


def stop_crowd(demo: Demo) -> None:
    demo.crowd.process.stop(20)
    demo.crowd.read()


def balance(demo: Demo) -> None:
    """The counts at the end."""
    say("--- reconcile: logs, captures and counters are compared")
    for node in demo.world.nodes:
        node.stop_for_good("health")  # its checks of the other sites' VIPs are packets too
    time.sleep(3)  # counters are published each second
    times = [demo.times[phase] for phase in ("kill", "site_cut")]

    def tolerated(r: typing.Any) -> bool:
        return any(begin - 3000 <= r.start_ms <= end for begin, end in times) or is_excused(r)
    def unlogged(r: typing.Any) -> typing.Any:
        """nginx logs a request once it has answered it: one that is killed in between leaves no line."""
        return r.backend == demo.killed[0] and abs(r.end_ms - demo.killed[1]) < 50
    n = check_servers(demo.report, demo.world, demo.crowds, tolerated, unlogged)
    demo.report.check(n > 5000, "reconcile: requests, one by one", n)
    check_wire(demo.report, demo.world, demo.captures, killed=(demo.killed[0],))
    for node in demo.world.nodes:
        node.resume("health")


PHASES = (steady, kill, drain_backend, drain_site, site_cut, come_back, fail_static, balance)
