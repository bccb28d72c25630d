#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""From a request, a document, a backend's death and a start to the tables: 1,000 pools of 10 backends, and one pool of 10,000 in 2^20 slots.

    ./run bench change [PART]      PART: tables, request or start; the rows of the others stay as they were

`tables`: weir-dataplane alone runs with the XDP driver in a namespace; backends are behind a router, verdicts come from the health
page as weir-health would write them (change_tool.c). A packet stream to the VIPs goes on all the time; each
packet has a number, and what does not come back out of the node towards a backend is lost. Needs root.

`request` and `start`: all processes run (change_node.py); the reference is the limit of the machine that was measured with it.
The reference of an `apply` is the processor time that weir-dataplane spent on it, of all its threads: on a machine that has other
work, the times are longer than that. `same`: nothing changed; `one`: a weight in one pool; `all`: one in each; `first`: tables were empty.
"""
from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
import typing

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "lab"))

from change_node import Node, pins, request, request_row, start_row  # noqa: E402
from net import BUILD, Lab, executable, say, wait_until  # noqa: E402
from servers import pass_program  # noqa: E402
from verdict import is_met, said  # noqa: E402

if typing.TYPE_CHECKING:
    from net import Host

TRIALS = 3
STARTS = 2
CASES = {
    "pools1000": {"pools": 1000, "backends": 10, "max": 16, "target": 300, "request": 2300},
    "pool10000": {"pools": 1, "backends": 10000, "max": 10000, "target": 600, "request": 3000},
}
DEATH_TARGET = 10
START_TARGET = 5000
DELAYS = (0, 10, 30, 60, 100, 150, 200, 300, 400)


def address(pool: int, backend: int, per_pool: int) -> str:
    n = pool * per_pool + backend
    return f"10.{64 + n // 62500}.{n // 250 % 250}.{n % 250 + 1}"


def config(case: dict[str, int], pools: int, check: str = "") -> str:
    backends = [",".join(f'{{ name = "b{b}"; address = "{address(p, b, case["backends"])}"; weight = 100; }}'
                         for b in range(case["backends"])) for p in range(pools)]
    pool_rows = ",\n".join(f'{{ name = "p{p}"; site = "ams"; check = "web"; mode = "ipip"; max_backends = {case["max"]}; '
                           f'max_remove = "100%"; settle_time = "60s"; backends = ( {text} ); }}'
                           for p, text in enumerate(backends))
    vips = ",\n".join(f'{{ name = "v{p}"; site = "ams"; addresses = [ "{vip(p)}" ]; }}' for p in range(pools))
    services = ",\n".join(f'{{ name = "s{p}"; protocol = "tcp"; port = 80; on_all_down = "last_good"; '
                          f'at = ( {{ site = "ams"; vip = "v{p}"; pool = "p{p}"; }} ); }}' for p in range(pools))
    return f"""schema = 1;
cluster = {{ name = "bench"; hash_key_file = "hash.key"; hash_key_id = "k1"; }};
limits = {{ services = 4096; backends = 16384; slots = 4194304; exceptions = 262144; }};
sites = ( {{ name = "ams"; }} );
nodes = ( {{ name = "n1"; site = "ams"; driver = "xdp"; clock = "trusted"; ports = ( {{ interface = "eth1"; }} );
  tunnel_source = [ "10.1.1.128/25" ]; }} );
checks = ( {{ name = "web"; type = "tcp"; port = 80; {check}}} );
pools = ( {pool_rows} );
vips = ( {vips} );
services = ( {services} );
"""


def vip(pool: int) -> str:
    return f"198.18.{pool // 250}.{pool % 250 + 1}"


class Tool:
    """A program of ours that answers each line with "ok NUMBER ..."."""

    def __init__(self, host: Host, name: str, *arguments: str) -> None:
        self.popen = subprocess.Popen([*host.enter, executable(name), *arguments], text=True,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=1)

    def do(self, *words: str | int) -> list[typing.Any]:
        self.popen.stdin.write(" ".join(map(str, words)) + "\n")
        answer = self.popen.stdout.readline().split()
        if not answer or answer[0] != "ok":
            raise RuntimeError(f"{words}: {answer}")
        return [float(x) for x in answer[1:]]

    def close(self) -> None:
        self.popen.stdin.close()
        self.popen.wait(10)


class Bench:
    """One node with its document, verdicts and traffic."""

    def __init__(self, lab: Lab, name: str, case: dict[str, int]) -> None:
        self.lab, self.name, self.case = lab, name, case
        base = os.path.join(lab.dir, name)
        self.conf, self.state, self.run_dir, self.bpf = dirs = [
            os.path.join(base, d) for d in ("conf", "state", "run")] + [os.path.join(lab.bpf_dir, name)]
        for directory in dirs:
            os.makedirs(directory)
            os.chmod(directory, 0o777)
        self.number, self.ready, self.sent = 0, "", 0.0
        self.router, self.node = lab.host(f"r{len(lab.hosts)}"), lab.host(f"n{len(lab.hosts)}")
        lab.link(self.router, "p-node", self.node, "eth1", mtu=1600)
        self.router.ip(f"link set p-node xdp object {pass_program()} section xdp")
        self.router.address("p-node", "10.1.1.1/24")
        self.node.address("eth1", "10.1.1.2/24")
        self.node.route("10.64.0.0/10", "10.1.1.1")
        for which, pools in (("small", 0), ("whole", case["pools"])):
            with open(os.path.join(self.conf, f"{which}.conf"), "w") as f:
                f.write(config(case, pools))
        with open(os.path.join(self.conf, "hash.key"), "w") as f:
            f.write("000102030405060708090a0b0c0d0e0f\n")
        self.tool = Tool(self.node, "change-tool", os.path.join(self.bpf, "bench", "n1"), self.run_dir)

    def document(self, which: str, changed_pools: int) -> tuple[str, str, int]:
        """Make the next document, not yet in its place; returns the words for `apply`."""
        self.number += 1
        self.ready = os.path.join(self.state, f"ready-{self.number}.conf")
        self.tool.do("document", os.path.join(self.conf, f"{which}.conf"), self.ready, self.number, changed_pools)
        return self.ready, self.effective, self.number

    @property
    def effective(self) -> str:
        return os.path.join(self.state, "effective.conf")

    def start(self) -> None:
        ready, to, _ = self.document("small", 0)
        os.rename(ready, to)
        self.process = self.node.start("weir-dataplane", [
            executable("weir-dataplane"), "--conf-dir", self.conf, "--state-dir", self.state, "--run-dir", self.run_dir,
            "--bpf-dir", self.bpf, "--node", "n1"])
        self.process.wait_for_log("document-in-force", 30)
        self.process.wait_for_log("port-attached", 30)
        self.tool.do("map")


    def load(self) -> tuple[typing.Any, float]:
        """The whole document for the first time, verdicts, and the stream."""
        took = self.apply("whole", 0)
        self.tool.do("health", self.effective)
        self.stream = Tool(self.router, "change-traffic", "p-node", self.node.mac("eth1"), str(self.case["pools"]))
        self.settle()
        return took

    def settle(self) -> None:
        """Warned slots move after a second and a half; then verdicts and members alone say whose each slot is."""
        wait_until(lambda: self.tool.do("verify", self.effective) == [0.0], 30, "slots as if built anew", 0.5)

    def cpu_ms(self) -> float:
        with open(f"/proc/{self.process.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")

    def apply(self, which: str, changed_pools: int) -> tuple[typing.Any, float]:
        """Milliseconds from the new document to the tables, and of processor time."""
        words = self.document(which, changed_pools)
        before = self.cpu_ms()
        took = self.tool.do("apply", *words)[0]
        return took, self.cpu_ms() - before

    def lost(self) -> typing.Any:
        """What the stream has lost by now; fails where it could not see, or where nothing was sent that could be lost."""
        time.sleep(0.3)  # the last packets come, or are lost
        sent, lost, unseen, _ = self.stream.do("lost?")
        if sent <= self.sent:
            raise RuntimeError(f"the stream has ended after {sent:.0f} packets: nothing can be said of losses")
        self.sent = sent
        if unseen:
            raise RuntimeError(f"the kernel hid {unseen:.0f} packets: nothing can be said of losses")
        return lost

    def victim(self, i: int) -> tuple[str, str]:
        return "p0", address(0, i % self.case["backends"], self.case["backends"])

    def death(self, i: int) -> typing.Any:
        """Milliseconds; only the dead one's slots may move, and as if built anew."""
        took, repaired, others = self.tool.do("down", *self.victim(i))
        if others or not repaired or self.tool.do("verify", self.effective) != [0.0]:
            raise RuntimeError(f"{repaired} slots repaired, {others} others moved, or not as if built anew")
        return took

    def during(self, i: int, delay_ms: int) -> typing.Any:
        """A death while a document is read that changes all: milliseconds to the tables."""
        took = self.tool.do("during", *self.document("whole", self.case["pools"] * (i % 2)), delay_ms, *self.victim(i))[1]
        return took

    def recover(self, i: int) -> None:
        self.tool.do("up", *self.victim(i))
        self.settle()

    def close(self) -> None:
        self.stream.close()
        self.tool.close()
        self.process.stop()


def entry(name: str, times: list[typing.Any], target: int, cpu: list[typing.Any] | None = None,
          lost: typing.Any = None) -> dict[str, typing.Any]:
    row = {"name": name, "unit": "ms", "min": round(min(times), 2), "median": round(statistics.median(times), 2),
           "max": round(max(times), 2), "trials": len(times), "reference": None, "reference_median": None,
           "target": target, "met": is_met(statistics.median(times), target) and not lost}
    if cpu:
        row["reference"], row["reference_median"] = round(min(cpu), 1), round(statistics.median(cpu), 1)
    if lost is not None:
        row["lost_max"] = lost
    say(f"{name}: min {row['min']} median {row['median']} max {row['max']} ms")
    return row


def measure(b: Bench) -> list[typing.Any]:
    """All rows of one case."""
    name, case, rows = b.name, b.case, []
    first = b.load()
    rows.append(entry(f"{name}.apply.first", [first[0]], case["target"], [first[1]]))
    for what, pools in (("same", (0, 0)), ("one", (0, 1)), ("all", (0, case["pools"]))):
        if what == "all" and case["pools"] == 1:
            continue
        times, before = [], b.lost()
        for i in range(TRIALS):
            b.apply("whole", pools[0])
            b.settle()
            times.append(b.apply("whole", pools[1]))
            b.settle()
        rows.append(entry(f"{name}.apply.{what}", [t for t, _ in times], case["target"], [c for _, c in times],
                          b.lost() - before))
    times = []
    for i in range(TRIALS):
        times.append(b.death(i))
        b.recover(i)
    rows.append(entry(f"{name}.death", times, DEATH_TARGET))
    times = []
    for i, delay in enumerate(DELAYS):
        times.append(b.during(i, delay))
        b.recover(i)
    rows.append(entry(f"{name}.death.while_applying", times, DEATH_TARGET))
    return rows


def measure_tables(lab: Lab) -> list[typing.Any]:
    rows = []
    for name, case in CASES.items():
        b = Bench(lab, name, case)
        b.start()
        rows += measure(b)
        b.close()
    return rows


def weights(text: str, odd: bool) -> str:
    """The configuration with another weight of the first backend of each pool."""
    return text.replace("weight = 100; },{ name = \"b1\"", f"weight = {200 if odd else 100}; }},{{ name = \"b1\"")


def measure_requests(lab: Lab) -> list[typing.Any]:
    """From a request to the API until all slots have their new owners; all of a node's processes run."""
    rows = []
    for name, case in CASES.items():
        # Backends' side of their checks is on this machine, too: at the default interval it would take the most of a core.
        text = config(case, case["pools"], 'interval = "10s"; ')
        node = Node(lab, f"req-{name}", text)
        node.start()
        tool = Tool(node.node, "change-tool", pins(node), "-")
        tool.do("map")
        trials = []
        for i in range(TRIALS + 1):
            trials.append(request(node, tool, weights(text, i % 2 == 0)))
            say(f"request.{name}: {trials[-1]}")
        rows.append(request_row(f"request.{name}", trials[1:], case["request"]))
        tool.close()
        node.stop()
    return rows


def measure_starts(lab: Lab) -> list[typing.Any]:
    """From `weir run` to *well*: for the first time, and as after a boot. The reference is a node with one backend."""
    case = CASES["pools1000"]
    trials: dict[tuple[str, str], list[dict[str, float]]] = {}
    for i in range(STARTS):
        for size, pools in (("small", 1), ("large", case["pools"])):
            node = Node(lab, f"{size}{i}", config({**case, "backends": case["backends"] if pools > 1 else 1}, pools))
            for when in ("first", "again"):
                reached = node.start()
                trials.setdefault((size, when), []).append(reached)
                say(f"start.{when}, {size}: {reached}")
                node.stop()
                node.boot()
    return [start_row(f"start.{when}", trials["large", when], [t["well"] for t in trials["small", when]], START_TARGET)
            for when in ("first", "again")]


MEASURES = {"tables": measure_tables, "request": measure_requests, "start": measure_starts}


def write_rows(rows: list[typing.Any], parts: list[str]) -> None:
    """Write the rows of these parts; those of the others stay."""
    path = os.path.join(BUILD, "bench", "change.json")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    try:
        with open(path) as f:
            rows = [r for r in json.load(f) if part_of(r["name"]) not in parts] + rows
    except FileNotFoundError:
        pass
    with open(path, "w") as f:
        json.dump(rows, f, indent=1)


def part_of(name: str) -> str:
    return name.split(".")[0] if name.split(".")[0] in MEASURES else "tables"


def print_rows(rows: list[typing.Any]) -> None:
    print(f"{'name':34} {'min':>8} {'median':>8} {'max':>8}  {'ref ms':>7} {'lost':>5}  target")
    for r in rows:
        print(f"{r['name']:34} {r['min']:8.2f} {r['median']:8.2f} {r['max']:8.2f}  "
              f"{'' if r['reference_median'] is None else r['reference_median']:>7} {r.get('lost_max', ''):>5}  "
              f"< {r['target']} ms {said(r['met'])}")
        if "parts" in r:
            print("    " + ", ".join(f"{k} {v}" for k, v in r["parts"].items()))


def main() -> int:
    parts = sys.argv[1:] or list(MEASURES)
    rows: list[typing.Any] = []
    if any(p not in MEASURES for p in parts):
        print(f"expected one of {' '.join(MEASURES)}", file=sys.stderr)
        return 2
    for part in parts:
        with Lab("change-bench") as lab:
            rows += MEASURES[part](lab)
    write_rows(rows, parts)
    print_rows(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
