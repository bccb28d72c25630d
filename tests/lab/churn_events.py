# SPDX-License-Identifier: BSD-2-Clause
"""What the labs of flows under change share: `Churn` does one thing after another from a seed, `Paths` follows the
router's choice, `run_events` lets flows of lab-stream live meanwhile, and `Run` says what became of them."""
from __future__ import annotations

import json
import os
import random
import re
import socket
import threading
import time
import typing

import layout
from books import check_node
from churn_world import N_SLOTS, Slots
from net import BUILD, LabError, comes_true, entered, executable, say, wait_until
from watch import now_ms

if typing.TYPE_CHECKING:
    from churn_world import ChurnWorld
    from report import Report
    from lab_churn_udp import UdpSize
    from churn_world import Balancer
    from plan import BackendPlan
    from world import Node

PROBES, PROBE_PORT = 40, 9
DEATHS_MAX = 20  # packets that meet a backend in the moment of its death, all deaths of a run together
KEY = "000102030405060708090a0b0c0d0e0f"
LEAST_SERVING = 5
KILLED_GRACE_MS = 12000  # until checks have taken a dead server out, new connections to it are refused
STALL_MS = layout.constant("FLOW_STALL_MS")  # without an answer for so long, a flow is broken
LATE_MS = 3000  # a busy machine looks at slots late
PORT_MS = 1000  # a flow whose segments were lost for longer may send the next one after STALL_MS: its waits double
LONGEST_START_MS = 20000


class Absence(threading.Thread):
    """The time in which a DPDK process that starts again has no port: a third of a second, longer on a busy machine."""

    def __init__(self, balancer: Balancer, since: int) -> None:
        super().__init__(daemon=True)
        self.balancer, self.since = balancer, since
        self.until: int | None = None
        self.start()

    def run(self) -> None:
        comes_true(self.balancer.is_on, LONGEST_START_MS / 1000)
        self.until = now_ms()

    def length(self) -> int:
        self.join()
        return self.until - self.since

    def explains(self, flow: Flow, via: typing.Any) -> bool:
        """Whether a flow that stalled lost its segments here."""
        return via in self.balancer.next_hops and self.length() > PORT_MS and \
            self.since <= flow.end and self.until >= flow.end - STALL_MS


class Churn:
    """What happens, at random from a seed, one thing after another, each noted with its time."""

    def __init__(self, world: ChurnWorld, seed: int, with_balancers: bool) -> None:
        self.world, self.random, self.with_balancers = world, random.Random(seed), with_balancers
        self.weights = {b.name: 100 for b in world.plan.sites[0].backends}
        self.all = list(world.plan.sites[0].backends)
        self.drained: set[typing.Any] = set()
        self.held: dict[typing.Any, typing.Any] = {}
        self.dead: dict[typing.Any, typing.Any] = {}
        self.done: list[typing.Any] = []
        self.deaths: list[typing.Any] = []
        self.crashes: list[typing.Any] = []
        self.members: list[typing.Any] = []
        self.taking: list[typing.Any] = []
        self.boots = 0  # of balancers that had died
        self.absences: list[typing.Any] = []
        self.note_members()

    @property
    def node(self) -> Node:
        return self.world.balancers[0].node

    @property
    def configured(self) -> list[BackendPlan]:
        return self.world.plan.sites[0].backends

    def serving(self) -> list[typing.Any]:
        return [b for b in self.configured if b.name not in self.drained and b.name not in self.dead]

    def note_members(self) -> None:
        self.members.append((now_ms(), {b.name: b.weight if b.name not in self.drained else 0
                                        for b in self.configured if b.name not in self.dead}))
        self.note_taking()

    def note_taking(self) -> None:
        self.taking.append((now_ms(), {b.name for b in self.configured} - self.drained))

    def away(self, name: str) -> list[tuple[typing.Any, typing.Any]]:
        """When a backend was to take no new flows: [(from_ms, to_ms)], where a change is noted once it is in force."""
        found, since = [], None
        for t, names in [*self.taking, (now_ms(), {name})]:
            if name not in names and since is None:
                since = t
            elif name in names and since is not None:
                found.append((since, t))
                since = None
        return found

    # --- backends ---

    def free_to_return(self) -> list[typing.Any]:
        return sorted((self.drained - set(self.held)) & {b.name for b in self.configured})

    def operate(self, *arguments: str) -> None:
        """A command of the operator's. On a busy machine it may tell of a timeout; it goes on all the same."""
        try:
            self.node.weir(*arguments)
        except LabError as error:
            if ": exit 5:" not in str(error):
                raise

    def apply(self, what: str) -> str:
        self.node.write_config()
        self.operate("apply", os.path.join(self.node.conf, "weir.conf"), "--reason", what)
        return what

    def drain(self, *more: str) -> str:
        name = self.random.choice(self.serving()).name
        self.operate("drain", "backend", f"web-ams/{name}", *more, "--until", "+2h", "--reason", "churn")
        self.drained.add(name)
        return f"drain {name}"

    def hold(self, over_s: int) -> str:
        """Drain one that stays drained."""
        text = self.drain("--over", f"{over_s}s")
        self.held = {name: over_s for name in self.drained}
        return f"{text} over {over_s} s, for good"

    def undrain(self) -> str:
        name = self.random.choice(self.free_to_return())
        self.operate("undrain", "backend", f"web-ams/{name}")
        self.drained.discard(name)
        return f"undrain {name}"

    def remove(self) -> str:
        """One that was drained before."""
        name = self.random.choice(self.free_to_return())
        victim = next(b for b in self.configured if b.name == name)
        self.operate("undrain", "backend", f"web-ams/{victim.name}")
        self.drained.discard(victim.name)
        self.note_taking()  # it has its time anew
        self.configured.remove(victim)
        return self.apply(f"remove {victim.name}")

    def add(self) -> str:
        new = self.random.choice([b for b in self.all if b not in self.configured])
        self.configured.append(new)
        return self.apply(f"add {new.name}")

    def reweight(self) -> str:
        backend = self.random.choice(self.serving())
        backend.weight = self.random.choice([w for w in (50, 100, 150) if w != backend.weight])
        return self.apply(f"weight of {backend.name} {backend.weight}")

    def kill(self) -> str:
        name = self.random.choice(self.serving()).name
        self.dead[name] = time.monotonic()
        self.deaths.append((now_ms(), name))
        self.world.servers.pop(name).kill()
        return f"kill {name}"

    def revive(self) -> str:
        name = min(self.dead, key=self.dead.get)
        del self.dead[name]
        self.world.serve(name)
        return f"{name} is back"

    def backend_choices(self) -> list[typing.Callable[..., str]]:
        out = [n for n in self.all if n not in self.configured]
        choices = [self.reweight, self.reweight]
        if len(self.serving()) > LEAST_SERVING:
            choices += [self.drain, self.drain, self.kill]
        if self.free_to_return():
            choices += [self.undrain, self.remove]
        if out:
            choices += [self.add, self.add]
        if any(time.monotonic() - t > 8 for t in self.dead.values()):
            choices += [self.revive, self.revive]
        return choices

    # --- balancers ---

    def withdraw(self) -> str:
        b = self.random.choice(self.world.balancers)
        b.used = False
        self.world.spread()
        return f"{b.name} leaves the router's set"

    def announce(self) -> str:
        b = next(b for b in self.world.balancers if not b.used)
        b.used = True
        if not b.node.processes:
            b.come_back()
            wait_until(b.is_on, 60, f"{b.name} has its port", 0.1)
            wait_until(b.has_learned, 60, f"{b.name} has learned", 0.1)
            self.boots += 1
        self.world.spread()
        return f"{b.name} enters the router's set"

    def crash(self) -> str:
        """The first one is where the operator works, so it stays."""
        b = self.random.choice(self.world.balancers[1:])
        b.used = False
        self.crashes.append((now_ms(), b.next_hops))
        b.crash()
        time.sleep(0.3)  # until the router sees it
        self.world.spread()
        return f"{b.name} dies"

    def restart(self) -> str:
        b = self.random.choice([b for b in self.world.balancers if b.used])
        self.without_port(b, lambda: b.restart_dataplane(0.2))
        return f"{b.name}: dataplane killed and started"

    def upgrade(self) -> str:
        b = self.random.choice([b for b in self.world.balancers if b.used])
        self.without_port(b, b.upgrade)
        return f"{b.name} is upgraded"

    def without_port(self, balancer: Balancer, restart: typing.Callable[..., typing.Any]) -> None:
        """Note how long a DPDK process has no port. XDP forwards meanwhile."""
        since = now_ms()
        restart()
        if balancer.node.plan.driver == "dpdk":
            self.absences.append(Absence(balancer, since))

    def balancer_choices(self) -> list[typing.Any]:
        if not all(b.used for b in self.world.balancers):
            return [self.announce]
        return [self.withdraw, self.withdraw, self.crash, self.restart, self.upgrade]

    def step(self) -> None:
        so_far = sum(kind == "balancer" for _, kind, _ in self.done)
        balancers = self.with_balancers and so_far < 0.33 * len(self.done)
        self.do(self.random.choice(self.balancer_choices() if balancers else self.backend_choices()), balancers)

    def do(self, what: typing.Callable[..., typing.Any], balancers: bool = False) -> None:
        start = now_ms()
        text = what()
        self.note_members()
        self.done.append((start, "balancer" if balancers else "backend", text))
        say(text)


class Paths:
    """Which balancer the router has for the flows of a protocol that live, whenever its set changes."""

    def __init__(self, world: ChurnWorld, protocol: int) -> None:
        self.rounds: list[typing.Any] = []
        self.world, self.protocol = world, protocol
        self.last: tuple[bool, ...] | None = None

    def look(self) -> None:
        """Note the set that is in use; paths are asked for at the end, set by set."""
        used = tuple(b.used for b in self.world.balancers)
        if used != self.last:
            self.rounds.append((now_ms(), used))
            self.last = used

    def of(self, flows: list[typing.Any]) -> dict[typing.Any, list[typing.Any]]:
        """{(source, port, target, to_port): [(from_ms, next hop)]} over the whole run."""
        known: dict[typing.Any, typing.Any] = {}
        found: dict[typing.Any, list[typing.Any]] = {f: [] for f in flows}
        for at, used in self.rounds:
            if used not in known:
                for b, u in zip(self.world.balancers, used):
                    b.used = u
                self.world.spread()
                known[used] = self.world.paths(flows, self.protocol)
            for flow, via in known[used].items():
                if not found[flow] or found[flow][-1][1] != via:
                    found[flow].append((at, via))
        return found


def probe(world: ChurnWorld) -> dict[typing.Any, tuple[str, str]]:
    """Send a datagram of each of some flows to a port that nobody serves; {flow: next hops of the balancer that it went to}."""
    dumps = [(b, world.router.start(f"probe-{b.name}", ["tcpdump", "-nli", f"p-{b.name}", "-Q", "out", f"udp port {PROBE_PORT}"]))
             for b in world.balancers]
    for _, dump in dumps:
        dump.wait_for_log("listening on")
    with entered(world.client.ns):
        flows = [probe_one(f"{prefix}{i}", vip) for vip, prefix in zip(world.only_site.plan.vips, ("100.64.7.", "2001:db8:8000::7:"))
                 for i in range(1, PROBES // 2 + 1)]
    wait_until(lambda: sum(dump.log().count(" > ") for _, dump in dumps) == len(flows), 10, "all probes are seen")
    found = {}
    for b, dump in dumps:
        dump.stop()
        for source, port in re.findall(r"IP6? (\S+)\.(\d+) > ", dump.log()):
            found.update({f: b.next_hops for f in flows if f[:2] == (source, int(port))})
    return found


def probe_one(source: str, target: str) -> tuple[str, typing.Any, typing.Any, int]:
    with socket.socket(socket.AF_INET6 if ":" in source else socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((source, 0))
        s.connect((target, PROBE_PORT))
        s.send(b"probe")
        return (source, s.getsockname()[1], target, PROBE_PORT)


def check_paths(report: Report, world: ChurnWorld) -> None:
    """What the router says of a flow is what it does with its packets."""
    seen = probe(world)
    said = world.paths(list(seen), socket.IPPROTO_UDP)
    report.equal(sum(said[f] in hops for f, hops in seen.items()), PROBES, "flows that go where the router says")


def check_balancers(report: Report, world: ChurnWorld) -> None:
    """The books of each node that has its counters still: one that was killed outright has lost them.

    A backend that dies is marked so before its slots have other owners: a packet that comes between is dropped."""
    for balancer in world.balancers:
        if os.path.exists(os.path.join(balancer.node.run_dir, "stats.dataplane.page")):
            report.step(check_node, report, balancer.node, {"no_service": PROBES, "backend_dead": DEATHS_MAX})


class Flow(typing.NamedTuple):
    """A line of lab-stream's log (stream.c)."""
    start: int
    end: int
    kind: str
    source: str
    port: int
    target: str
    to_port: int
    hash: int
    result: str
    backend: str
    answers: int
    other: str

    @property
    def key(self) -> tuple[str, int, str, int]:
        return (self.source, self.port, self.target, self.to_port)

    @property
    def slot(self) -> int:
        return self.hash % N_SLOTS


def read_log(path: str) -> list[typing.Any]:
    """The flows that have ended."""
    kinds = typing.get_type_hints(Flow).values()
    with open(path) as f:
        return [Flow(*(kind(word) for kind, word in zip(kinds, line.split()))) for line in f]


class Run:
    """A run that is over: what was done, what slots and router did, and the flows."""

    def __init__(self, churn: Churn, slots: Slots, paths: Paths, flows: list[typing.Any], seconds: float) -> None:
        self.churn, self.slots, self.flows, self.seconds = churn, slots, flows, seconds
        self.ways = paths.of(sorted({f.key for f in flows}))
        self.moved = slots.moves(churn.node)

    def at_risk(self, flow: Flow) -> bool:
        """Whether its slot moved in its life."""
        return any(flow.start < t < flow.end for t in self.moved.get(flow.slot, ()))

    def changed_balancer(self, flow: Flow) -> bool:
        return any(flow.start < t < flow.end for t, _ in self.ways[flow.key])

    def was_killed(self, flow: Flow) -> bool:
        """Whether the flow's backend was killed in its life, or it was with one that dies."""
        deaths = self.churn.deaths
        if flow.backend == "-":
            return any(flow.start - KILLED_GRACE_MS <= t <= flow.end for t, _ in deaths)
        return any(flow.start <= t <= flow.end for t, name in deaths if name == flow.backend)

    def waited_for_port(self, flow: Flow) -> bool:
        """Whether a flow stalled because its balancer had no port for longer than a restart may take."""
        via = next((via for t, via in reversed(self.ways[flow.key]) if t <= flow.end), None)
        return flow.result in ("stall", "connect") and any(a.explains(flow, via) for a in self.churn.absences)

    def events(self) -> dict[typing.Any, typing.Any]:
        """How many changes there were, of which kind."""
        done = self.churn.done
        starts = [t for t, _, _ in done]
        return {"events": len(done), "of_balancers": sum(kind == "balancer" for _, kind, _ in done),
                "overlapping": sum(b - a < 2000 for a, b in zip(starts, starts[1:])), "seconds": self.seconds}

    def tell(self, flow: Flow) -> None:
        """A flow that broke, its ways through the router, what each node held for its slot until it was looked at again,
        and what was done meanwhile."""
        ways, done = self.ways[flow.key], self.churn.done
        say(f"broken: {tuple(flow)} after {(flow.end - flow.start) / 1000:.1f} s, slot {flow.slot}, ways "
            + ", ".join(f"{(t - flow.start) / 1000:+.1f} s {via}" for t, via in ways if t < flow.end)
            + "\n" + self.slots.of(flow.slot, flow.start, flow.end + LATE_MS) + "".join(
                f"\n    {(t - flow.start) / 1000:+.1f} s: {what}" for t, _, what in done
                if flow.start - KILLED_GRACE_MS < t < flow.end))


def note_figures(change: typing.Callable[..., typing.Any]) -> None:
    """Let change() put figures into build/lab/churn.json; others stay as they are."""
    path = os.path.join(BUILD, "lab", "churn.json")
    try:
        with open(path) as f:
            known = json.load(f)
    except (OSError, ValueError):
        known = {}
    change(known)
    with open(path, "w") as f:
        json.dump(known, f, indent=2)
        f.write("\n")
    say(f"written: {path}")


class Size:
    """How many flows, for how long, and how much happens to them."""

    def __init__(self, quick: bool) -> None:
        self.quick = quick
        self.long, self.short, self.idle_ms = (300, 20, 12000) if quick else (2000, 30, 30000)
        self.seconds, self.events = (34, 14) if quick else (210, 66)
        self.warm_s, self.gap_s = (4, 2) if quick else (10, 4)


def stream_command(world: ChurnWorld, size: Size | UdpSize, seed: int, log: str) -> list[typing.Any]:
    """lab-stream to both VIPs, without what the protocol adds."""
    targets = [w for v in world.only_site.plan.vips for w in ("--target", v)]
    return [executable("lab-stream"), *targets, "--long", str(size.long), "--short", str(size.short), "--seconds",
            str(size.seconds), "--key", KEY, "--log", log, "--seed", str(seed), "--idle-ms", str(size.idle_ms)]


def run_events(world: ChurnWorld, size: Size | UdpSize, seed: int, with_balancers: bool, protocol: int, hold_s: int = 0,
               more: typing.Sequence[typing.Any] = (), paths: Paths | None = None) -> Run:
    """Let flows of lab-stream live under changes until both have ended. Returns the run.
    hold_s: the first change is a drain that lasts, and whose flows have so long.
    paths: where the router's choices are noted, if the caller knows its moments."""
    churn, slots = Churn(world, seed, with_balancers), Slots([b.node for b in world.balancers])
    paths = paths or Paths(world, protocol)
    paths.look()
    log = os.path.join(world.lab.dir, "stream.log")
    stream = world.client.start("stream", [*stream_command(world, size, seed, log), *more])
    begun = time.monotonic()
    time.sleep(size.warm_s)  # flows begin before the first event
    if hold_s:
        churn.do(lambda: churn.hold(hold_s))
    while time.monotonic() < begun + size.seconds - 4 and len(churn.done) < size.events:
        churn.step()
        paths.look()
        time.sleep(churn.random.choice((0.2, 0.4, 1, size.gap_s)))  # the pace of events is drawn by chance
    wait_until(lambda: not stream.alive(), size.seconds + 90, "the stream ends", 0.5)
    if stream.popen.returncode or json.loads(stream.log().splitlines()[-1])["open"]:
        raise LabError(f"the stream ended with {stream.popen.returncode}, amid flows of which nothing is known: {stream.log()[-500:]}")
    seconds = round(time.monotonic() - begun)
    slots.stop()
    with open(os.path.join(world.lab.dir, "slots.json"), "w") as f:
        json.dump({"changes": slots.changes, "ways": paths.rounds, "done": churn.done, "deaths": churn.deaths}, f)
    return Run(churn, slots, paths, read_log(log), seconds)
