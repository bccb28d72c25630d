# SPDX-License-Identifier: BSD-2-Clause
"""Every pattern of lost, late and contradicting views of a site, shown to a real weir-dns by the pages that it reads.

A server of N sites has a service for each way in which N nodes can see the last site (up, down, or nothing that
counts), and a name that leads there first. So one step tries them all, once for each way in which nodes can be lost.
"""
from __future__ import annotations

import collections
import itertools
import os
import random
import subprocess
import time
import types
import typing

import layout
from net import LabError, executable, say, wait_until
from world import Node

if typing.TYPE_CHECKING:
    from net import Lab

NO_VOTE = "xvrp"  # unknown, inconclusive, from before a restart, never succeeded
ADDRESS = "10.9.0.1"


def config(n: typing.Any, services: int) -> str:
    """N sites with a node each; every service is at the last site first."""
    sites = ", ".join(f'{{ name = "s{k}"; }}' for k in range(n))
    nodes = ",\n".join(
        f'{{ name = "n{k}"; site = "s{k}"; ports = ( {{ interface = "lo"; }} ); tunnel_source = [ "10.{100 + k}.255.0/24" ]; '
        f'api = "https://10.{100 + k}.0.1:8443"; clock = "trusted"; ' + (f'dns_listen = [ "{ADDRESS}" ]; ' if k == 0 else "") + "}"
        for k in range(n))
    pools = ",\n".join(f'{{ name = "p{k}"; site = "s{k}"; backends = ( {{ name = "b"; address = "10.{100 + k}.1.1"; }} ); }}'
                       for k in range(n))
    vips = ",\n".join(f'{{ name = "v{k}"; site = "s{k}"; addresses = [ "203.0.113.{k + 1}" ]; }}' for k in range(n))
    at = ", ".join(f'{{ site = "s{k}"; vip = "v{k}"; pool = "p{k}"; }}' for k in reversed(range(n)))
    served = ",\n".join(f'{{ name = "w{i}"; protocol = "tcp"; port = {1000 + i}; at = ( {at} ); }}' for i in range(services))
    names = ",\n".join(f'{{ name = "w{i}.p.example"; service = "w{i}"; policy = "failover"; }}' for i in range(services))
    return f"""schema = 1;
cluster = {{ name = "patterns"; hash_key_file = "hash.key"; hash_key_id = "k1"; }};
sites = ( {sites} );
nodes = ( {nodes} );
pools = ( {pools} );
vips = ( {vips} );
services = ( {served} );
dns = {{ zones = ( {{ name = "p.example"; file = "p.example.zone"; }} ); names = ( {names} ); }};
"""


ZONE = """$TTL 60
@ SOA ns hostmaster 1 3600 900 1209600 30
@ NS ns
ns A 192.0.2.1
"""


class Server:
    """A weir-dns of N sites, and the pages that it reads."""

    def __init__(self, lab: Lab, n: typing.Any) -> None:
        self.n = n
        # of the own view, with two sites, alone "no vote" means "as before"; there the letter depends on the state
        self.words = list(itertools.product("ud-", repeat=n))
        host = lab.host(f"dns{n}")
        host.address("lo", f"{ADDRESS}/32")
        self.node = Node(types.SimpleNamespace(), types.SimpleNamespace(node="n0"), host)  # type: ignore[arg-type]  # what is used of them
        self.host = host
        files = {"weir.conf": config(n, len(self.words)), "p.example.zone": ZONE, "hash.key": "0" * 32 + "\n"}
        for name, text in files.items():
            with open(os.path.join(self.node.conf, name), "w") as f:
                f.write(text)
        self.node.write_effective()
        with open(os.path.join(lab.dir, f"views{n}.log"), "wb") as log:
            self.tool = subprocess.Popen(
                [executable("lab-views"), self.node.run_dir, str(n), str(len(self.words))], text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        self.show("1" * n, ["u" * n] * len(self.words))
        self.node.start("dns")
        wait_until(self.node.serves, 60, f"weir-dns of {n} sites", 0.1)
        wait_until(lambda: all(self.named()), 60, "all views are found", 0.2)

    def show(self, fresh: str, words: list[typing.Any]) -> None:
        self.tool.stdin.write(f"{fresh} {''.join(words)}\n")
        self.tool.stdin.flush()
        if self.tool.stdout.readline() != "done\n":
            raise LabError("lab-views has ended")

    def settle(self) -> None:
        """Wait until a whole tick of weir-dns began after now: it has seen what there is."""
        began_ms = time.clock_gettime(time.CLOCK_BOOTTIME) * 1000 + 1

        def alive_ms() -> int:
            return layout.page_header(os.path.join(self.node.run_dir, "stats.dns.page")).alive_ms
        wait_until(lambda: alive_ms() > began_ms, 30, "weir-dns ticks", 0.02)

    def named(self) -> list[typing.Any]:
        """Whether each service's name leads to the last site."""
        questions = [word for i in range(len(self.words)) for word in ("-q", f"w{i}.p.example")]
        answers = self.host.run(["kdig", f"@{ADDRESS}", "+short", "+timeout=2", "+retry=3", *questions], timeout=120).split()
        if len(answers) != len(self.words):
            raise LabError(f"{len(answers)} answers to {len(self.words)} questions")
        return [a == f"203.0.113.{self.n}" for a in answers]

    def letters(self, words: tuple[str, ...], was_up: bool, at: int) -> str:
        """The words to show for 'no vote': any of those that have none."""
        if self.n == 2:
            return "".join(c if c != "-" else "xvrp"[at % 4] if k else "vi"[was_up] for k, c in enumerate(words))
        return "".join(c if c != "-" else NO_VOTE[(at + k) % 4] for k, c in enumerate(words))

    def play(self, fresh: str, was_up: bool, counts: collections.defaultdict[str, typing.Any]) -> None:
        """All words, with some nodes lost, when the site was up (or down) before."""
        n = len(self.words)
        self.show("1" * self.n, ["u" * self.n if was_up else "d" * self.n] * n)
        self.settle()
        if self.named() != [was_up] * n:
            raise LabError(f"{self.n} sites do not agree on what all of them see")
        self.show(fresh, [self.letters(w, was_up, i) for i, w in enumerate(self.words)])
        self.settle()
        for words, named in zip(self.words, self.named()):
            self.judge(fresh, words, was_up, named, counts)

    def judge(self, fresh: str, words: tuple[str, ...], was_up: bool, named: typing.Any,
              counts: collections.defaultdict[str, typing.Any]) -> None:
        """By what a majority is: more than half of the sites, lost ones counted; two sites trust the own view."""
        seen = [c for c, f in zip(words, fresh) if f == "1"]
        down, up = seen.count("d"), seen.count("u")
        may_leave, may_return = 2 * down > self.n, 2 * up >= self.n
        if self.n == 2:
            may_leave, may_return = words[0] == "d", words[0] == "u"
        counts["patterns"] += 1
        wrong = None
        if was_up and not named and not may_leave:
            wrong = "wrong_removals"
        if was_up and named and may_leave:
            wrong = "missed_removals"
        if not was_up and named and not may_return:
            wrong = "wrong_returns"
        if not was_up and not named and may_return:
            wrong = "missed_returns"
        if wrong:
            counts[wrong] += 1
            counts["examples"].append(f"{wrong}: {self.n} sites, fresh {fresh}, words {''.join(words)}")

    def close(self) -> None:
        self.tool.stdin.close()
        self.tool.wait(10)
        self.node.kill("dns")


def masks(n: typing.Any, quick: bool) -> list[str]:
    """The ways in which nodes are lost: all of them, or a sample that always has none, all and each one."""
    found = ["".join(m) for m in itertools.product("10", repeat=n)]
    if quick and n == 5:
        few = ["11111", "00000"] + ["1" * k + "0" + "1" * (n - 1 - k) for k in range(n)]
        rest = [m for m in found if m not in few]
        seed = int(os.environ.get("LAB_SEED", time.time_ns()))
        say(f"patterns of five sites: LAB_SEED={seed}")
        random.Random(seed).shuffle(rest)
        return few + rest[:4]
    return found
