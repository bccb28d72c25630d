# SPDX-License-Identifier: BSD-2-Clause
"""Backends and load balancers change at the same moment, again and again, under 2,000 long connections.

A router spreads by ECMP over three balancers in front of eight backends. Connections carry checksummed data, a third
of them are silent for half a minute and more at a time; a stream of short ones comes beside; IPv4 and IPv6. From a
printed seed, backends are drained, undrained, removed, added, reweighted, killed and return; balancers leave and
enter the router's set, die and come back, have their dataplane killed, are upgraded.

    lab_churn.py [--quick] [--seed N] [--six] [--agents | --backends | --balancers]

Three worlds, into build/lab/churn.json: agents (everything changes; none may break but on a killed backend), plain
without agents when backends alone change (none), and when balancers change, too (measured), beside Maglev with a
table of connections a balancer, simulated on the same events.
"""
import argparse
import json
import os
import random
import sys
import time

import churn_maglev
from churn_world import N_SLOTS, ChurnWorld, Slots, make_plan
from net import BUILD, Lab, LabError, executable, say, wait_until
from report import Report

KEY = "000102030405060708090a0b0c0d0e0f"
LEAST_SERVING, MOST_DEAD = 5, 2
KILLED_GRACE_MS = 12000  # until checks have taken a dead server out, new connections to it are refused


def now_ms():
    return int(time.time() * 1000)


class Churn:
    """What happens, at random from a seed, one thing after another, each noted with its time."""

    def __init__(self, world, seed, with_balancers):
        self.world, self.random, self.with_balancers = world, random.Random(seed), with_balancers
        self.weights = {b.name: 100 for b in world.plan.sites[0].backends}
        self.all = list(world.plan.sites[0].backends)
        self.drained, self.dead = set(), {}
        self.done, self.deaths, self.crashes, self.members = [], [], [], []
        self.note_members()

    @property
    def node(self):
        return self.world.balancers[0].node

    @property
    def configured(self):
        return self.world.plan.sites[0].backends

    def serving(self):
        return [b for b in self.configured if b.name not in self.drained and b.name not in self.dead]

    def note_members(self):
        self.members.append((now_ms(), {b.name: b.weight if b.name not in self.drained else 0
                                        for b in self.configured if b.name not in self.dead}))

    # --- backends ---

    def operate(self, *arguments):
        """A command of the operator's. On a busy machine it may tell of a timeout; it goes on all the same."""
        try:
            self.node.weir(*arguments)
        except LabError as error:
            if ": exit 5:" not in str(error):
                raise

    def apply(self, what):
        self.node.write_config()
        self.operate("apply", os.path.join(self.node.conf, "weir.conf"), "--reason", what)
        return what

    def drain(self):
        name = self.random.choice(self.serving()).name
        self.operate("drain", "backend", f"web-ams/{name}", "--until", "+2h", "--reason", "churn")
        self.drained.add(name)
        return f"drain {name}"

    def undrain(self):
        name = self.random.choice(sorted(self.drained & {b.name for b in self.configured}))
        self.operate("undrain", "backend", f"web-ams/{name}")
        self.drained.discard(name)
        return f"undrain {name}"

    def remove(self):
        """One that was drained before."""
        victim = self.random.choice([b for b in self.configured if b.name in self.drained])
        self.operate("undrain", "backend", f"web-ams/{victim.name}")
        self.drained.discard(victim.name)
        self.configured.remove(victim)
        return self.apply(f"remove {victim.name}")

    def add(self):
        new = self.random.choice([b for b in self.all if b not in self.configured])
        self.configured.append(new)
        return self.apply(f"add {new.name}")

    def reweight(self):
        backend = self.random.choice(self.serving())
        backend.weight = self.random.choice([w for w in (90, 100, 110) if w != backend.weight])
        return self.apply(f"weight of {backend.name} {backend.weight}")

    def kill(self):
        name = self.random.choice(self.serving()).name
        self.dead[name] = time.monotonic()
        self.deaths.append((now_ms(), name))
        self.world.servers.pop(name).kill()
        return f"kill {name}"

    def revive(self):
        name = min(self.dead, key=self.dead.get)
        del self.dead[name]
        self.world.serve(name)
        return f"{name} is back"

    def backend_choices(self):
        out = [n for n in self.all if n not in self.configured]
        choices = [self.reweight, self.reweight]
        if len(self.serving()) > LEAST_SERVING:
            choices += [self.drain, self.drain]
        if len(self.serving()) > LEAST_SERVING and len(self.dead) < MOST_DEAD:
            choices += [self.kill]
        if self.drained & {b.name for b in self.configured}:
            choices += [self.undrain, self.remove]
        if out:
            choices += [self.add, self.add]
        if any(time.monotonic() - t > 8 for t in self.dead.values()):
            choices += [self.revive, self.revive]
        return choices

    # --- balancers ---

    def withdraw(self):
        b = self.random.choice(self.world.balancers)
        b.used = False
        self.world.spread()
        return f"{b.name} leaves the router's set"

    def announce(self):
        b = next(b for b in self.world.balancers if not b.used)
        b.used = True
        if not b.node.processes:
            b.come_back()
            wait_until(b.is_on, 60, f"{b.name} has its port", 0.1)
            wait_until(lambda: self.world.owned(b), 60, f"{b.name} has tables", 0.1)
            time.sleep(2.5)  # its checks have seen each backend
        self.world.spread()
        return f"{b.name} enters the router's set"

    def crash(self):
        """The first one is where the operator works, so it stays."""
        b = self.random.choice(self.world.balancers[1:])
        b.used = False
        self.crashes.append((now_ms(), b.next_hops))
        b.crash()
        time.sleep(0.3)  # until the router sees it
        self.world.spread()
        return f"{b.name} dies"

    def restart(self):
        b = self.random.choice([b for b in self.world.balancers if b.used])
        b.restart_dataplane(0.2)
        return f"{b.name}: dataplane killed and started"

    def upgrade(self):
        b = self.random.choice([b for b in self.world.balancers if b.used])
        b.upgrade()
        return f"{b.name} is upgraded"

    def balancer_choices(self):
        if not all(b.used for b in self.world.balancers):
            return [self.announce]
        return [self.withdraw, self.withdraw, self.crash, self.restart, self.upgrade]

    def step(self):
        so_far = sum(kind == "balancer" for _, kind, _ in self.done)
        balancers = self.with_balancers and so_far < 0.33 * len(self.done)
        what = self.random.choice(self.balancer_choices() if balancers else self.backend_choices())
        start = now_ms()
        text = what()
        self.note_members()
        self.done.append((start, "balancer" if balancers else "backend", text))
        say(text)


class Paths:
    """Which balancer the router has for the connections that live, whenever its set changes."""

    def __init__(self, world):
        self.world, self.rounds, self.last = world, [], None

    def look(self):
        """Note the set that is in use; paths are asked for at the end, set by set."""
        used = tuple(b.used for b in self.world.balancers)
        if used != self.last:
            self.rounds.append((now_ms(), used))
            self.last = used

    def of(self, connections):
        """{(source, port, target): [(from_ms, next hop)]} over the whole run."""
        known, found = {}, {c: [] for c in connections}
        for at, used in self.rounds:
            if used not in known:
                for b, u in zip(self.world.balancers, used):
                    b.used = u
                self.world.spread()
                known[used] = self.world.paths(connections)
            for c, via in known[used].items():
                if not found[c] or found[c][-1][1] != via:
                    found[c].append((at, via))
        return found


def read_log(path):
    rows = []
    with open(path) as f:
        for line in f:
            start, end, kind, source, port, target, flow, result, backend, answers = line.split()
            rows.append((int(start), int(end), kind, source, int(port), target, int(flow, 16), result, backend,
                         int(answers)))
    return rows


def was_killed(row, deaths):
    """Whether the connection's backend was killed in its life, or it was with one that dies."""
    start, end, backend = row[0], row[1], row[8]
    if backend == "-":
        return any(start - KILLED_GRACE_MS <= t <= end for t, _ in deaths)
    return any(start <= t <= end for t, name in deaths if name == backend)


def judge(churn, slots, paths, rows):
    """The figures of a run."""
    keys = [(r[3], r[4], r[5]) for r in rows]
    ways = paths.of(sorted(set(keys)))
    moved = slots.moves(churn.node)
    at_risk = [r for r in rows if any(r[0] < t < r[1] for t in moved.get(r[6] % N_SLOTS, ()))]
    also = [r for r in at_risk if sum(r[0] < t < r[1] for t, _ in ways[(r[3], r[4], r[5])]) > 0]
    broken = [r for r in rows if r[7] != "ok" and not was_killed(r, churn.deaths)]
    killed = [r for r in rows if r[7] != "ok" and was_killed(r, churn.deaths)]
    maglev = churn_maglev.broken([(r[0], r[1], r[6], k) for r, k in zip(rows, keys)], churn.members,
                                 [(t, hop) for t, hops in churn.crashes for hop in hops], ways)
    starts = [t for t, _, _ in churn.done]
    return {"connections": len(rows), "broken": len(broken), "at_risk": len(at_risk), "also_balancer": len(also),
            "killed": len(killed), "stalls": sum(r[7] == "stall" for r in broken), "events": len(churn.done),
            "of_balancers": sum(k == "balancer" for _, k, _ in churn.done),
            "overlapping": sum(b - a < 2000 for a, b in zip(starts, starts[1:])),
            "answers": sum(r[9] for r in rows), "maglev_broken": maglev}, broken


def tell_broken(row, slots, paths):
    """A connection that broke, its ways through the router, and what each node held for its slot."""
    start, end, _, source, port, target, flow, _, _, _ = row
    ways = paths.of([(source, port, target)])[(source, port, target)]
    say(f"broken: {row} after {(end - start) / 1000:.1f} s, slot {flow % N_SLOTS}, ways "
        + ", ".join(f"{(t - start) / 1000:+.1f} s {via}" for t, via in ways if t < end)
        + "\n" + slots.of(flow % N_SLOTS, start, end))


def play(name, options, agents, with_balancers, size, report):
    """One world from beginning to end. Returns its figures."""
    seed = options.seed
    say(f"{name}: seed {seed}{', tunnels over IPv6' if agents and options.six else ''}")
    with Lab(f"churn-{name}") as lab:
        world = ChurnWorld(lab, make_plan(agents, options.six))
        world.start()
        churn, slots, paths = Churn(world, seed, with_balancers), Slots([b.node for b in world.balancers if b.node.plan.driver == "xdp"]), Paths(world)
        paths.look()
        log = os.path.join(lab.dir, "stream.log")
        targets = [w for v in world.site.plan.vips for w in ("--target", v)]
        stream = world.client.start("stream", [
            executable("lab-stream"), *targets, "--long", str(size.long), "--short", str(size.short), "--seconds",
            str(size.seconds), "--key", KEY, "--log", log, "--seed", str(seed), "--idle-ms", str(size.idle_ms)])
        begun, end = time.monotonic(), time.monotonic() + size.seconds - 4
        time.sleep(size.warm_s)
        while time.monotonic() < end and len(churn.done) < size.events:
            churn.step()
            paths.look()
            time.sleep(churn.random.choice((0.2, 0.4, 1, size.gap_s)))
        wait_until(lambda: not stream.alive(), size.seconds + 90, "the stream ends", 0.5)
        seconds = round(time.monotonic() - begun)
        if agents and not size.quick:
            plan_tells_what_waits(report, churn)
        slots.stop()
        with open(os.path.join(lab.dir, "slots.json"), "w") as f:
            json.dump({"changes": slots.changes, "ways": paths.rounds, "done": churn.done, "deaths": churn.deaths}, f)
        figures, broken = judge(churn, slots, paths, read_log(log))
        figures.update(seconds=seconds, seed=seed)
        for r in broken[:12]:
            tell_broken(r, slots, paths)
        say(f"{name}: {json.dumps(figures)}")
        if agents:
            passed = sum(b.agent_status().get("passed-on", 0) for b in world.site.backends)
            report.check(passed > 100, "segments found their owner by second chance", passed)
        return figures


def plan_tells_what_waits(report, churn):
    """After so many changes there are slots with three earlier owners, and plan says how many do not move."""
    churn.configured[0].weight += 1
    churn.node.write_config()
    path = os.path.join(churn.node.conf, "weir.conf")
    body = churn.node.weir_json("plan", path)
    full = body["plan"]["pools"][0]["full_slots"]
    report.check(full > 0, "slots whose list is full", full)
    report.check(f"{full} slots wait" in churn.node.weir("plan", path), "plan says that they wait")


class Size:
    def __init__(self, quick):
        self.quick = quick
        self.long, self.short, self.idle_ms = (300, 20, 12000) if quick else (2000, 30, 30000)
        self.seconds, self.events = (34, 14) if quick else (210, 66)
        self.warm_s, self.gap_s = (4, 2) if quick else (10, 4)


def check_size(report, name, f, quick):
    if quick:
        report.check(f["at_risk"] > 20, f"{name}: connections whose slot moved", f["at_risk"])
        return
    report.check(f["at_risk"] > 500, f"{name}: connections at risk", f["at_risk"])
    report.check(f["events"] >= 60, f"{name}: changes", f["events"])
    report.check(f["overlapping"] >= 20, f"{name}: changes within two seconds of the one before", f["overlapping"])


def main_run(options):
    def run(report):
        size, result = Size(options.quick), {}
        worlds = {"agents": (True, True), "backends": (False, False), "balancers": (False, True)}
        chosen = [w for w in worlds if getattr(options, w)] or (["agents"] if options.quick else list(worlds))
        for name in chosen:
            agents, with_balancers = worlds[name]
            f = result[name] = play(name, options, agents, with_balancers, size, report)
            check_size(report, name, f, options.quick)
            if with_balancers:
                report.check(f["of_balancers"] >= (2 if options.quick else 15), f"{name}: changes of balancers",
                             f["of_balancers"])
            if name != "balancers":
                report.equal(f["broken"], 0, f"{name}: connections broken, but on killed backends")
        write(result)
    return run


def write(result):
    """build/lab/churn.json, of the worlds that were played; others stay as they are."""
    path = os.path.join(BUILD, "lab", "churn.json")
    try:
        with open(path) as f:
            known = json.load(f)
    except (OSError, ValueError):
        known = {"plain": {}}
    if "agents" in result:
        known["agents"] = result["agents"]
    for name, place in (("backends", "backends_only"), ("balancers", "with_balancers")):
        if name in result:
            known["plain"][place] = result[name]
    source = result.get("balancers") or result.get("agents")
    if source:
        known["maglev_table"] = {"connections": source["connections"], "broken": source["maglev_broken"],
                                 "seed": source["seed"], "events": source["events"], "seconds": source["seconds"]}
    with open(path, "w") as f:
        json.dump(known, f, indent=2)
        f.write("\n")
    say(f"written: {path}")


def read_options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="a short form of the first world")
    parser.add_argument("--seed", type=int, default=int(os.environ.get("LAB_SEED", "1")))
    parser.add_argument("--six", action="store_true", help="tunnels to agents over IPv6")
    for name in ("agents", "backends", "balancers"):
        parser.add_argument(f"--{name}", action="store_true", help="play this world alone")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(Report.main(main_run(read_options())))
