# SPDX-License-Identifier: BSD-2-Clause
"""Bad input and faults during an operation on a site, on three nodes: each gets a clear answer, and no level goes back by itself.

One world; each case begins with all sites in service (give_all_back()). A case that takes part of the world away gives it back.
"""
from __future__ import annotations

import contextlib
import os
import threading
import time
import typing

from net import LabError, call, comes_true, executable, say, unmount, wait_until
from site_drain_world import SiteDrainWorld, Wish, drained_ppm
from site_operations import ENDED, HELD, Operations, Record, tell

if typing.TYPE_CHECKING:
    from report import Report
    from world import Node

FAULTS_WISH = Wish(ttl=("1s", "1s"), backup=True, rate=60, sources=600)
FIRST_PPM = 100000
MEASURED_S = 12  # new flows are means of the last ten seconds
OVER = ("done", "aborted", "failed")
Case = typing.Callable[[SiteDrainWorld, "Report"], None]


def ask(node: Node, path: str, **body: typing.Any) -> tuple[int, str, Record]:
    """(status, the whole answer as text, the answer) of a command, as it comes."""
    status, answer = node.api("POST", path, {"reason": "lab", **body}, timeout_s=30)
    return status, str(answer), answer if isinstance(answer, dict) else {}


def refused_for(report: Report, node: Node, claim: str, words: typing.Sequence[str], path: str = "/v1/operations",
                **body: typing.Any) -> None:
    """A command must be refused by the client's fault, in words that name what is wrong."""
    status, text, _ = ask(node, path, **body)
    report.check(400 <= status < 500 and all(w in text for w in words), claim, f"{status} {text[:220]}")


def begin_moving(world: SiteDrainWorld, **body: typing.Any) -> str:
    """A drain of ams whose first step is in force everywhere."""
    number = Operations(world.nodes[1]).begin(do="drain", sites=["ams"], **body)["id"]
    wait_until(lambda: all(drained_ppm(n, "ams") >= FIRST_PPM for n in world.nodes), 40, "the first step is in force", 0.1)
    return str(number)


def give_back(operations: Operations, number: str) -> None:
    """However an operation stands: abort or return it."""
    with contextlib.suppress(LabError):
        if operations.state(number) in ENDED:
            operations.insist("/v1/operations", {"do": "undrain", "sites": ["ams"], "now": True})
        else:
            operations.insist(f"/v1/operations/{number}/abort", {})
    comes_true(lambda: operations.state(number) in OVER, 60, 0.2)


def give_all_back(world: SiteDrainWorld) -> None:
    """However a case ended: no operation is left, and all sites are in service."""
    node = world.nodes[1]
    for record in node.api("GET", "/v1/operations")[1]["items"]:
        if record["state"] not in OVER:
            give_back(Operations(node), str(record["id"]))
    for override in node.api("GET", "/v1/overrides")[1]["items"]:
        node.api("POST", "/v1/overrides", {"do": "undrain", "target": override["target"], "now": True, "reason": "lab"})
    wait_until(lambda: all(drained_ppm(n, "ams") == 0 for n in world.nodes), 30, "ams is in service", 0.2)
    time.sleep(MEASURED_S)  # what the next one compares with has none of this


@contextlib.contextmanager
def moving(world: SiteDrainWorld, report: Report, **body: typing.Any) -> typing.Iterator[str]:
    """While a drain moves; at the end no level of any node has gone back."""
    number, began = begin_moving(world, **body), int(time.time() * 1000)
    try:
        yield number
    finally:
        assert world.levels
        back = [(n.name, levels) for n in world.nodes
                if (levels := [ppm for _, ppm in world.levels.changes("ams", n.name, began)]) != sorted(levels)]
        report.equal(back, [], "no level went back")


# bad input

def bad_input(world: SiteDrainWorld, report: Report) -> None:
    """Requests that make no sense."""
    node = world.nodes[1]
    refused_for(report, node, "a site that does not exist is named", ["nowhere"], do="drain", sites=["nowhere"])
    refused_for(report, node, "a service that does not exist is named", ["nothing"], do="drain", sites=["ams"], service="nothing")
    refused_for(report, node, "until in the past is refused", ["until"], do="drain", sites=["ams"], until="2020-01-01T00:00:00Z")
    refused_for(report, node, "no site is refused", ["sites"], do="drain", sites=[])
    refused_for(report, node, "a label that no site has is refused", ["region=nowhere"], do="drain", label="region=nowhere")
    refused_for(report, node, "a shift without a level is refused", ["level"], do="shift", sites=["ams"])
    refused_for(report, node, "a level beyond all is refused", ["level"], do="shift", sites=["ams"], level="130%")
    refused_for(report, node, "a guard that does not exist is named", ["nonsense"], do="drain", sites=["ams"], override_guards=["nonsense"])
    refused_for(report, node, "an unknown field is named", ["colour"], do="drain", sites=["ams"], colour="red")
    refused_for(report, node, "all sites at once are refused", ["last-site"], do="drain", sites=["ams", "fra", "par"])
    status, text, _ = ask(node, "/v1/operations/nothing-like-it/hold")
    report.equal(status, 404, f"an operation that does not exist is not found {text[:100] if status != 404 else ''}")
    report.equal(node.api("GET", "/v1/operations/nothing-like-it")[0], 404, "nor shown")
    refused_for(report, node, "without a reason it is refused", ["reason"], do="drain", sites=["ams"], reason="")


def twice(world: SiteDrainWorld, report: Report) -> None:
    """Two persons at two nodes, at once; then once more."""
    answers: dict[str, tuple[int, str, Record]] = {}

    def give(node: Node, site: str) -> None:
        answers[node.name] = ask(node, "/v1/operations", do="drain", sites=[site])
    threads = [threading.Thread(target=give, args=(n, "ams")) for n in (world.nodes[1], world.nodes[2])]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    taken = {str(a.get("id")) for status, _, a in answers.values() if status in (200, 201, 202)}
    report.check(taken, "at least one of two is taken", [(s, t[:150]) for s, t, _ in answers.values()])
    time.sleep(5)  # nodes have told one another
    running = [o for o in world.nodes[1].api("GET", "/v1/operations")[1]["items"] if o["state"] in ("starting", "moving", "late")]
    report.check(len(running) <= 1, "one of them moves", [tell(o) for o in running])
    refused_for(report, world.nodes[2], "a third one is refused", [], do="drain", sites=["fra"])


def drained_already(world: SiteDrainWorld, report: Report) -> None:
    """A drain of what is drained."""
    node, operations = world.nodes[1], Operations(world.nodes[1])
    number = operations.begin(do="drain", sites=["ams"], now=True)["id"]
    operations.wait(number, (*ENDED, *HELD), 60)
    status, text, _ = ask(node, "/v1/operations", do="drain", sites=["ams"])
    report.check(status < 500, "a drain of a drained site gets a clear answer", f"{status} {text[:200]}")
    report.equal([drained_ppm(n, "ams") for n in world.nodes], [1000000] * 3, "and changes nothing")
    status, text, _ = ask(world.nodes[2], "/v1/operations", do="undrain", sites=["fra"])
    report.check(status < 500, "so does the return of a site that serves", f"{status} {text[:200]}")


# faults

def take_when_cut(world: SiteDrainWorld, report: Report) -> None:
    """`take` on a node that is cut off."""
    with moving(world, report) as number:
        owner = str(Operations(world.nodes[1]).get(number)["owner"])
        away = next(n for n in world.nodes if n.name != owner)
        world.part(away.name.split("-")[0])
        time.sleep(6)  # it hears nobody
        refused_for(report, away, "a node that is cut off cannot take it", ["majority"], path=f"/v1/operations/{number}/take")
        world.part(away.name.split("-")[0], "del")
        time.sleep(3)  # they hear one another again


def goes_on(world: SiteDrainWorld, report: Report, number: str, claim: str) -> None:
    """It ends drained."""
    record = Operations(world.nodes[1]).wait(number, (*ENDED, *HELD), 120)
    report.check(record["state"] in ("drained", "empty"), claim, tell(record))


def ends_or_holds(world: SiteDrainWorld, report: Report, number: str, claim: str, *codes: str) -> Record:
    """It ends drained, or is held for one of some reasons."""
    record = Operations(world.nodes[1]).wait(number, (*ENDED, *HELD), 120)
    hold = record.get("hold") or {}
    report.check(record["state"] in ("drained", "empty") or record["state"] in HELD and hold.get("code") in codes, claim, tell(record))
    return record


def configuration_changes(world: SiteDrainWorld, report: Report) -> None:
    """A version is applied and rolled back during a drain."""
    node = world.nodes[1]
    apply(node)  # what nodes began with is the store's from now on, and can be gone back to
    before = node.api("GET", "/v1/config")[1]
    with moving(world, report) as number:
        world.plan.idle_time = "31s"
        node.write_config()
        apply(node)
        world.plan.idle_time = "30s"
        node.write_config()
        time.sleep(3)  # it is in force
        after = node.api("GET", "/v1/config")[1]["digest"]
        node.weir("rollback", str(before["number"]), "--reason", "lab", "--confirm-within", "none", check=False)
        report.equal((after != before["digest"], node.api("GET", "/v1/config")[1]["digest"]), (True, before["digest"]), "the version before is in force again")
        goes_on(world, report, number, "a version and a rollback do not disturb a drain")


def apply(node: Node) -> None:
    node.weir("apply", os.path.join(node.conf, "weir.conf"), "--reason", "lab", "--confirm-within", "none")


def site_is_removed(world: SiteDrainWorld, report: Report) -> None:
    """The drained site leaves the configuration of what it serves; then it is back."""
    node = world.nodes[1]
    with moving(world, report) as number:
        row = next(line for line in open_text(node).splitlines() if line.strip().startswith('{ site = "ams"; vip = "shop-ams";'))
        whole = open_text(node)
        with open(os.path.join(node.conf, "weir.conf"), "w") as f:
            f.write(whole.replace(row + "\n", "", 1))
        said = node.weir("apply", os.path.join(node.conf, "weir.conf"), "--reason", "lab", "--confirm-within", "none", check=False)
        report.check("web" in said, "the site serves nothing any more", f"{said[:200]!r}")
        record = Operations(node).wait(number, (*ENDED, *HELD), 60)
        report.check(record["state"] in HELD and (record.get("hold") or {}).get("detail"), "the drain holds, and says why", tell(record))
        node.write_config()
        node.weir("apply", os.path.join(node.conf, "weir.conf"), "--reason", "lab", "--confirm-within", "none", check=False)
        time.sleep(3)  # all nodes have it
        Operations(node).insist(f"/v1/operations/{number}/resume", {})
        goes_on(world, report, number, "the site is back: a resume goes on")


def open_text(node: Node) -> str:
    with open(os.path.join(node.conf, "weir.conf")) as f:
        return f.read()


def owner_restarts(world: SiteDrainWorld, report: Report) -> None:
    """weir-mgmt of the owner ends and starts again, as at an upgrade."""
    with moving(world, report) as number:
        name = str(Operations(world.nodes[1]).get(number)["owner"])
        node = next(n for n in world.nodes if n.name == name)
        node.kill("mgmt")
        time.sleep(1)  # it is away for this long
        node.start("mgmt")
        wait_until(lambda: Operations(node).get(number), 20, "it is back, with the record", 0.2)
        operations = Operations(node)
        record = ends_or_holds(world, report, number, "it goes on, or holds", "node-lost", "majority", "fresh")
        if record["state"] in HELD:
            operations.insist(f"/v1/operations/{number}/resume", {})
            goes_on(world, report, number, "a resume goes on")


def disk_is_full(world: SiteDrainWorld, report: Report) -> None:
    """The owner's disk is full during a drain."""
    with moving(world, report) as number:
        name = str(Operations(world.nodes[1]).get(number)["owner"])
        node = next(n for n in world.nodes if n.name == name)
        filler = os.path.join(node.state, "filler")
        with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as f:
            while True:
                f.write(b"\0" * 65536)
        try:
            goes_on(world, report, number, "with a full disk the drain goes on")
        finally:
            os.unlink(filler)


def key_changes(world: SiteDrainWorld, report: Report) -> None:
    """The cluster's hash key changes: which clients a level moves is another question then."""
    with moving(world, report) as number:
        for text, name in (("f" * 32, "k2"), ("000102030405060708090a0b0c0d0e0f", "k1")):
            for node in world.nodes:
                with open(os.path.join(node.conf, "hash.key"), "w") as f:
                    f.write(text + "\n")
            node = world.nodes[1]
            changed = open_text(node).replace('hash_key_id = "k1"', f'hash_key_id = "{name}"').replace('hash_key_id = "k2"', f'hash_key_id = "{name}"')
            with open(os.path.join(node.conf, "weir.conf"), "w") as f:
                f.write(changed)
            said = node.weir("apply", os.path.join(node.conf, "weir.conf"), "--reason", "lab", "--confirm-within", "none", check=False)
            if name == "k2":
                record = ends_or_holds(world, report, number, f"another key holds it {said[:60]!r}", "key-changed")
                report.check(record["state"] in HELD, "it has not ended meanwhile")
        time.sleep(3)  # all nodes have the first key again


def clock_steps(world: SiteDrainWorld, report: Report) -> None:
    """The wall clock of a node jumps by an hour during its operation, and back."""
    node, said = world.nodes[1], os.path.join(world.lab.dir, "clock")
    write_text(said, "0 1")
    node.kill("mgmt")
    node.start("mgmt", env={"LD_PRELOAD": executable("libstepped-clock.so"), "STEPPED_CLOCK": said})
    wait_until(lambda: answers(node), 20, "weir-mgmt answers", 0.2)
    time.sleep(4)  # peers hear it again
    with moving(world, report) as number:
        write_text(said, "3600000 1")
        ends_or_holds(world, report, number, "a clock that jumps ahead: an end, or a hold because of the clock", "clock")
        write_text(said, "0 1")
        time.sleep(3)  # it has jumped back
    node.kill("mgmt")
    node.start("mgmt")
    wait_until(lambda: answers(node), 20, "weir-mgmt answers", 0.2)


def answers(node: Node) -> bool:
    """Whether weir-mgmt of a node answers."""
    try:
        return node.api("GET", "/v1/operations", timeout_s=2)[0] == 200
    except OSError:
        return False


def write_text(path: str, text: str) -> None:
    with open(path + ".new", "w") as f:
        f.write(text)
    os.rename(path + ".new", path)


def person_overrides(world: SiteDrainWorld, report: Report) -> None:
    """A person's command on the site ends the automation."""
    with moving(world, report) as number:
        node = world.nodes[2]
        status, answer = node.api("POST", "/v1/overrides", {"do": "hold", "target": {"site": "ams"}, "reason": "lab"})
        held = (answer.get("override") or {}).get("level_ppm", 0)
        report.check(status < 300 and held >= FIRST_PPM, "a person holds the override where it is", f"{status} {str(answer)[:200]}")
        level = drained_ppm(node, "ams")
        time.sleep(12)  # longer than a step
        report.equal({drained_ppm(n, "ams") for n in world.nodes}, {level}, "the automation has ended: the level stays")
        say(tell(Operations(node).get(number)))


CASES: tuple[Case, ...] = (bad_input, twice, drained_already, take_when_cut, configuration_changes, person_overrides, owner_restarts,
                           disk_is_full, clock_steps, key_changes, site_is_removed)


def small_disks(world: SiteDrainWorld) -> None:
    """Before the nodes start: state directories of a few MiB, so that a full one fills nothing else."""
    for node in world.nodes:
        call(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", node.state])


def large_disks(world: SiteDrainWorld) -> None:
    for node in world.nodes:
        unmount(node.state)
