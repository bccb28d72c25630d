# SPDX-License-Identifier: BSD-2-Clause
"""Versions on three nodes in namespaces: changes at once, makers that die, unconfirmed versions, network cuts.

    python3 lab_versions.py [--quick] [--rounds N] [--chaos N] [--seed N]

Each node runs its own weir-mgmt alone; all goes over the API. A change that a node has acknowledged must stay in the
history of every node, whatever was killed, stopped or cut (promise 6); of two changes at once one wins.
"""
from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import signal
import sys
import threading
import time
import typing

import plan as planning
from net import BUILD, Lab, say, wait_until
from report import Report
from world import World

if typing.TYPE_CHECKING:
    from world import Node



class Cluster:
    def __init__(self, world: World) -> None:
        self.world, self.nodes = world, world.nodes
        self.base = {}
        for node in self.nodes:
            node.write_config()
            node.start("mgmt")
        with open(os.path.join(self.nodes[0].conf, "weir.conf")) as f:
            self.base["weir.conf"] = f.read()
        with open(os.path.join(self.nodes[0].conf, f"{world.plan.zone}.zone")) as f:
            self.base[f"{world.plan.zone}.zone"] = f.read()

    def files(self, words: str, half: bool = False) -> dict[str, typing.Any]:
        """A configuration; half of them takes a backend away, which is risky."""
        text = f"# {words}\n" + self.base["weir.conf"]
        if half:
            name = self.world.plan.sites[0].backends[0].name
            text = "\n".join(line for line in text.split("\n") if f'"{name}"' not in line)
        return {**self.base, "weir.conf": text}

    @staticmethod
    def ask(node: Node, method: str, path: str, body: dict[typing.Any, typing.Any] | None = None,
            match: str | None = None) -> tuple[int, typing.Any]:
        """(status, answer), or (0, why) where the node does not answer."""
        try:
            return node.api(method, path, body, 60, {"If-Match": match} if match else None)
        except (OSError, ValueError, http.client.HTTPException) as e:
            return 0, {"why": str(e)}

    def apply(self, node: Node, words: str, match: str = "*", half: bool = False, **more: typing.Any) -> tuple[int, typing.Any]:
        return self.ask(node, "POST", "/v1/config/apply", {"files": self.files(words, half), "reason": words, **more}, match)

    def versions(self, node: Node) -> typing.Any:
        return self.ask(node, "GET", "/v1/versions?limit=1000")[1]

    def head(self, node: Node) -> tuple[typing.Any, typing.Any, typing.Any] | None:
        items = self.versions(node).get("items")
        return (items[0]["number"], items[0]["digest"], items[0]["state"]) if items else None

    def agree(self) -> bool:
        heads = [self.head(n) for n in self.nodes]
        return heads[0] is not None and len(set(heads)) == 1

    def settle(self, within_s: float = 40) -> None:
        wait_until(self.agree, within_s, "one head at all nodes", 0.05)

    def apply_until_taken(self, node: Node, words: str, within_s: float = 40, **more: typing.Any) -> typing.Any:
        def tried() -> typing.Any:
            status, answer = self.apply(node, words, **more)
            return answer if status in (200, 201, 202) else None
        return wait_until(tried, within_s, f"{words} is taken", 0.2)

    def missing(self, digests: list[typing.Any], nodes: typing.Any = None) -> list[str]:
        """Which of these acknowledged versions a node does not have."""
        found = []
        for node in nodes or self.nodes:
            kept = {v["digest"] for v in self.versions(node)["items"]}
            found += [f"{d[:8]} at {node.name}" for d in digests if d not in kept]
        return found

    def at_once(self, nodes: list[Node], words: str,
                act: typing.Callable[..., None] | None = None) -> list[tuple[int, typing.Any]]:
        """Changes from one parent at several nodes at once; act() runs meanwhile. Returns [(status, answer)]."""
        etag = f'"{self.versions(nodes[-1])["items"][0]["etag"]}"'
        barrier = threading.Barrier(len(nodes) + 1)
        answers: list[tuple[int, typing.Any]] = [(0, None)] * len(nodes)

        def run(k: typing.Any, node: Node) -> None:
            barrier.wait()
            answers[k] = self.apply(node, f"{words} of {node.name}", etag)
        threads = [threading.Thread(target=run, args=(k, n)) for k, n in enumerate(nodes)]
        for t in threads:
            t.start()
        barrier.wait()
        if act:
            act()
        for t in threads:
            t.join()
        return answers


def winners(answers: list[tuple[int, typing.Any]]) -> list[typing.Any]:
    return [answer["version"]["digest"] for status, answer in answers if status in (200, 201, 202)]


def two_at_once(c: Cluster, report: Report, rounds: typing.Any, seen: typing.Any) -> None:
    say(f"two of three nodes change something at once, {rounds} times")
    wrong, lost = [], []
    for i in range(rounds):
        c.settle()
        pair = [c.nodes[i % 3], c.nodes[(i + 1 + i // 3 % 2) % 3]]
        answers = c.at_once(pair, f"round {i}")
        won = winners(answers)
        if len(won) != 1 or sorted(s for s, _ in answers)[1:] != [412]:
            wrong.append((i, [(s, a.get("code"), a.get("detail")) for s, a in answers]))
        c.settle()
        lost += c.missing(won)
    seen.update(rounds=rounds, lost_updates=len(lost))
    report.equal(wrong[:3], [], f"in each of {rounds} rounds one wins and the other gets 412")
    report.equal(lost, [], "no acknowledged version is lost")


def die_at_random(c: Cluster, report: Report, rounds: typing.Any, seed: int, seen: typing.Any) -> None:
    say(f"makers are killed or stopped at random instants, {rounds} times")
    r, lost, gave_way = random.Random(seed), [], 0
    for i in range(rounds):
        c.settle()
        maker, other = r.sample(c.nodes, 2)
        how, after_s = r.choice((signal.SIGKILL, signal.SIGSTOP)), r.uniform(0, 0.08)

        def act() -> None:
            time.sleep(after_s)  # the moment of the death is drawn by chance
            if how == signal.SIGKILL:
                maker.kill("mgmt")
            else:
                maker.stop_for_good("mgmt")
        t0 = time.monotonic()
        answers: list[tuple[int, typing.Any]] = [(0, None), (0, None)]

        def first() -> None:
            answers[0] = c.at_once([maker], f"chaos {i}", act)[0]
        thread = threading.Thread(target=first)
        thread.start()
        time.sleep(0.1)  # the other change comes this much later
        answers[1] = (201, c.apply_until_taken(other, f"chaos {i} of the other"))
        time.sleep(max(0, r.choice((0, 0, 6)) - (time.monotonic() - t0)))  # the maker is away for this long
        if how == signal.SIGKILL:
            maker.start("mgmt")
        else:
            maker.resume("mgmt")
        thread.join()
        c.settle()
        lost += c.missing(winners(answers))
        gave_way += len([v for v in c.versions(maker).get("lost", []) if v["reason"] == f"chaos {i} of {maker.name}"])
    seen.update(chaos=rounds, gave_way=gave_way)
    report.equal(lost, [], f"no acknowledged version is lost in {rounds} rounds; {gave_way} made versions gave way")
    report.equal([n.name for n in c.nodes for p in c.ask(n, "GET", "/v1/peers")[1]["items"] if p["state"] == "diverged"], [],
                 "nothing has diverged")


def holder_dies_before_its_commit(c: Cluster, report: Report) -> None:
    ams, fra, par = c.nodes
    for how in ("killed", "stopped"):
        say(f"the holder of the reservation is {how} before its commit, while a third node hangs")
        c.settle()
        before = c.head(fra)
        par.stop_for_good("mgmt")
        answers: list[typing.Any] = []
        thread = threading.Thread(target=lambda answers=answers: answers.append(c.apply(ams, "of the holder")))
        thread.start()
        time.sleep(0.7)  # the holder waits for the third node for 1.5 s
        if how == "killed":
            ams.kill("mgmt")
        else:
            ams.stop_for_good("mgmt")
        par.resume("mgmt")
        report.equal(c.head(fra), before, "it has made nothing yet")
        start = time.monotonic()
        answer = c.apply_until_taken(fra, f"of the other, {how}")
        report.between(time.monotonic() - start, 0, 16, "another node goes on after the reservation's end, s")
        report.check("ams" in str(answer["unreserved"]), "the holder is named as one that was not asked")
        if how == "killed":
            ams.start("mgmt")
        else:
            ams.resume("mgmt")
        thread.join()
        if how == "stopped":
            report.equal((answers[0][0], answers[0][1].get("code")), (412, "stale"), "its own client is told stale")
        c.settle()
        report.equal(c.missing([answer["version"]["digest"]]), [], "the other's version is everywhere")


def first_node_is_dead(c: Cluster, report: Report) -> None:
    ams, fra, par = c.nodes
    say("the node that took a risky change dies; the others run the deadline, confirm and roll back")
    first = c.head(fra)[1]
    c.settle()
    answer = c.apply_until_taken(ams, "half", half=True, confirm_within="4s")
    report.equal(answer["version"]["state"], "unconfirmed", "the version waits to be confirmed")
    first = answer["version"]["parent"]
    wait_until(c.agree, 20, "all have it", 0.05)
    ams.kill("mgmt")
    for node in (fra, par):
        report.wait(lambda n=node: (c.head(n) or (0, 0, 0))[1] == first, 20, f"{node.name} rolls back by itself", 0.05)
    ams.start("mgmt")
    c.settle()
    answer = c.apply_until_taken(ams, "half again", half=True, confirm_within="8s")
    number, digest = answer["version"]["number"], answer["version"]["digest"]
    wait_until(c.agree, 20, "all have it", 0.05)
    ams.kill("mgmt")
    status, refused = c.apply(fra, "harmless")
    report.equal((status, refused.get("code")), (412, "unconfirmed"), "a later change is refused at another node")
    report.equal(c.ask(par, "POST", f"/v1/versions/{number}/confirm", {"reason": "lab"})[0], 200, "another node confirms it")
    time.sleep(9)  # longer than its deadline
    report.equal([c.head(n) for n in (fra, par)], [(number, digest, "in_force")] * 2, "it stays after its deadline")
    ams.start("mgmt")
    c.settle()
    report.equal(c.head(ams), (number, digest, "in_force"), "also at the first node, which comes back after the deadline")


def cut_and_confirmed(c: Cluster, report: Report) -> None:
    ams, fra, par = c.nodes
    say("the site that confirms is cut off; the others roll back; the cut heals")
    c.settle()
    c.apply_until_taken(ams, "whole")
    c.settle()
    answer = c.apply_until_taken(fra, "half once more", half=True, confirm_within="8s")
    number, digest = answer["version"]["number"], answer["version"]["digest"]
    wait_until(c.agree, 20, "all have it", 0.05)
    c.world.site("ams").cut()
    report.equal(c.ask(ams, "POST", f"/v1/versions/{number}/confirm", {"reason": "lab"})[0], 200, "it is confirmed at the site that is cut off")
    for node in (fra, par):
        wait_until(lambda n=node: c.head(n)[0] == number + 1, 30, f"{node.name} rolls back", 0.05)
    report.equal(c.head(fra)[:2], c.head(par)[:2], "their rollbacks are one version")
    c.world.site("ams").heal()
    c.settle()
    report.equal(c.head(par), (number, digest, "in_force"), "the confirmation wins")
    lost = [(v["number"], v["author"]) for v in c.versions(par)["lost"]]
    report.check((number + 1, "weir") in lost, "the rollback stays visible as a version that lost")


def run(report: Report) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--chaos", type=int)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    seen: dict[typing.Any, typing.Any] = {}
    with Lab("versions") as lab:
        c = Cluster(World(lab, planning.simple(3, 2), resolvers=()))
        wait_until(c.agree, 60, "all nodes start with one version", 0.2)
        report.step(two_at_once, c, report, options.rounds or (8 if options.quick else 200), seen)
        report.step(die_at_random, c, report, options.chaos or (1 if options.quick else 30), options.seed, seen)
        if not options.quick:
            report.step(holder_dies_before_its_commit, c, report)
        report.step(first_node_is_dead, c, report)
        if not options.quick:
            report.step(cut_and_confirmed, c, report)
        for node in c.nodes:
            node.kill_all()
    with open(os.path.join(BUILD, "lab", "versions.json"), "w") as f:
        json.dump({**seen, "passed": report.passed, "failed": report.failed}, f)


if __name__ == "__main__":
    sys.exit(Report.main(run))
