# SPDX-License-Identifier: BSD-2-Clause
"""Nodes that start without a version: README's own example at two nodes at once, reinstalled nodes, a network cut.

Then files and keys that differ, and no store.

Usage: lab_joining.py [--quick] [STEP...]: quick leaves out what other suites show, too, and the longest.
"""
from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import types
import typing

from net import ROOT, Lab, LabError, call, executable, say, wait_until
from report import Report
from store import Store, write_conf
from world import Node

if typing.TYPE_CHECKING:
    from net import Host

ADDRESSES = {"ams-1": ("10.1.0.1", "192.0.2.53"), "fra-1": ("10.2.0.1", "198.51.100.53")}
ZONE = """$ORIGIN shop.example.
@ 300 IN SOA ns1 hostmaster 1 3600 600 86400 60
@ 300 IN NS ns1
ns1 300 IN A 192.0.2.53
"""
KEYS = "000102030405060708090a0b0c0d0e0f", "f0e0d0c0b0a090807060504030201000"
SECONDS = 60  # of waiting; what takes seconds is claimed by its own times
JOINING_S = 6.5  # five, and what a process needs to start here
JOIN_FILES_S = 40  # thirty, and that


def example() -> typing.Any:
    """README's own configuration."""
    with open(os.path.join(ROOT, "README.md")) as f:
        return re.search(r"## A small configuration\n+```\n(.*?)```", f.read(), re.S)[1]


class Member:
    """A node of the example."""

    def __init__(self, lab: Lab, router: Host, store: Store, name: str) -> None:
        self.store, self.shares = store, True
        address, dns = ADDRESSES[name]
        self.name, self.lab, self.router, self.port = name, lab, router, f"p-{name}"
        host = lab.host(name)
        lab.link(router, self.port, host, "eth1")
        router.offload(self.port, "tx off")
        router.address(self.port, f"{address.rsplit('.', 1)[0]}.254/24")
        host.address("eth1", f"{address}/24")
        host.address("lo", f"{dns}/32")
        host.route("default", f"{address.rsplit('.', 1)[0]}.254")
        plan = types.SimpleNamespace(api=True, node=name)
        self.node = Node(types.SimpleNamespace(plan=plan), plan, host)  # type: ignore[arg-type]  # what is used of them
        self.started = 0.0

    def write(self, text: str, key: str = "000102030405060708090a0b0c0d0e0f") -> None:
        files = {"weir.conf": text, "shop.example.zone": ZONE, "hash.key": key + "\n", "peer.token": "p" * 43 + "\n"}
        for name, content in files.items():
            path = os.path.join(self.node.conf, name)
            with open(path + ".new", "w") as f:
                f.write(content)
            os.chmod(path + ".new", 0o600 if name in ("hash.key", "peer.token") else 0o644)
            os.rename(path + ".new", path)
        for name, source in (("tls.crt", "tls.crt"), ("tls.key", "tls.key"), ("tls.ca", "tls.crt")):
            shutil.copy(os.path.join(self.lab.dir, source), os.path.join(self.node.conf, name))
        if self.shares:
            write_conf(self.node.conf)

    def start(self, *more: str) -> None:
        """Start weir-mgmt alone."""
        self.started = time.monotonic()
        self.node.processes["mgmt"] = self.node.host.start("weir-mgmt", [executable("weir-mgmt"), *self.node.options, *more])

    def stop(self) -> None:
        self.node.processes.pop("mgmt").stop(20)

    def reinstall(self, text: str) -> None:
        """Nothing is left but the operator's files."""
        for directory in (self.node.state, self.node.run_dir):
            shutil.rmtree(directory, ignore_errors=True)
            os.makedirs(directory)
        self.write(text)

    def weir(self, *arguments: str, shell: typing.Any = None) -> tuple[int, str, str]:
        """The command line: (exit status, output, errors). @shell: a line as it was printed."""
        weir = [executable("weir"), *self.node.options]
        command = [*weir, *arguments]
        if shell:
            command = ["sh", "-c", 'weir() { ' + " ".join(weir) + ' "$@"; }\n' + shell]
        done = subprocess.run([*self.node.host.enter, *command], capture_output=True, text=True, timeout=90, check=False)
        return done.returncode, done.stdout, done.stderr

    def ask(self, *arguments: str) -> typing.Any:
        out = self.weir(*arguments, "--json")[1]
        return json.loads(out) if out else {}

    def head(self) -> typing.Any:
        """(number, digest) of the version in force, or None."""
        v = self.version()
        return v and (v["number"], v["digest"])

    def version(self) -> typing.Any:
        """The version in force, or None."""
        answer = self.ask("versions")
        return next((v for v in answer.get("items", []) if v["number"] == answer["head"]), None)

    def document(self) -> int | None:
        """The version that the effective document is made of, or None."""
        try:
            with open(os.path.join(self.node.state, "effective.conf")) as f:
                text = f.read()
        except OSError:
            return None
        return int(re.search(r'version = "?(\d+)', text)[1])

    def peer(self) -> typing.Any:
        """How the other one stands to it."""
        return (self.ask("status").get("peers") or [{}])[0].get("state")

    def events(self) -> str:
        return " ".join(e["message"] for e in self.node.api("GET", "/v1/events?limit=200")[1]["items"])

    def apply(self, text: str, *more: str) -> tuple[int, str, str]:
        path = os.path.join(self.node.conf, "weir.conf")
        with open(path, "w") as f:
            f.write(text)
        return self.weir("apply", "--reason", "lab", *more)


def cut(members: list[Member], do: str = "add") -> None:
    """Nothing passes between the nodes, in silence."""
    router = members[0].router
    router.ip(*(f"rule {do} iif {m.port} blackhole pref 7" for m in members))


def agreed(members: list[Member]) -> typing.Any:
    heads = [m.head() for m in members]
    return heads[0] and heads[0] == heads[1] and all(m.peer() == "agreed" for m in members)


def wait_agreed(members: list[Member], report: Report, claim: str, seconds: float = SECONDS) -> None:
    report.wait(lambda: agreed(members), seconds, claim, 0.1)


def wait_head(member: Member, number: int, claim: str, report: Report = None) -> None:
    wait: typing.Callable[..., object] = report.wait if report else wait_until
    wait(lambda: (member.head() or (0,))[0] == number, SECONDS, claim, 0.05)


def start_together(members: list[Member], *texts: str) -> None:
    """Nothing is left of before: neither at a node nor in the store."""
    members[0].store.empty()
    for m, text in zip(members, texts if len(texts) > 1 else texts * 2):
        m.reinstall(text)
    for m in members:
        m.start()


def apply_first(members: list[Member], report: Report, text: str) -> None:
    """Version 1 of the store, which both have then."""
    start_together(members, text)
    wait_until(lambda: all(m.head() for m in members), SECONDS, "each has its own file", 0.1)
    status, _, errors = members[0].apply(text, "--all")
    if status:
        raise LabError(f"the first version: {status} {errors}")
    wait_agreed(members, report, "both have version 1 of the store")


def stop(members: list[Member]) -> None:
    for m in members:
        if "mgmt" in m.node.processes:
            m.stop()


def at_once(members: list[Member], report: Report, text: str) -> None:
    ams, fra = members
    say("README's own example starts at both nodes at once")
    start_together(members, text)
    wait_agreed(members, report, "two nodes from one file agree")
    report.equal(ams.head()[0], 1, "on version 1")
    report.check("provisional" in ams.events(), "which an event calls provisional")
    status, _, errors = ams.apply(text, "--all")
    report.equal(status, 0, f"applied as it is it becomes the store's {errors}")
    status, _, errors = fra.apply(text.replace("weight = 50", "weight = 60"), "--all")
    report.equal(status, 0, f"a change at the other node is taken by both {errors}")
    wait_agreed(members, report, "and both agree on it")
    report.equal(ams.head()[0], 2, "which is version 2")
    stop(members)


def both_reinstalled(members: list[Member], report: Report, text: str) -> None:
    say("both are reinstalled, with a file that is older than the last version")
    kept = members[0].store.latest()
    for m in members:
        m.reinstall(text)
    for m in members:
        m.start()
    report.wait(lambda: all("files-missing" in str(m.ask("status").get("reasons")) for m in members), SECONDS,
                "each says that nobody has the files of the store's version", 0.1)
    report.equal([m.document() for m in members], [None, None], "and waits for them")
    report.wait(lambda: all(m.head() for m in members), JOIN_FILES_S, "then each starts from its own file", 0.5)
    states = [v["state"] for v in members[0].ask("versions")["items"]]
    report.equal(states[0], "waiting", f"and says that the store's version waits for its files {states}")
    report.check(kept == members[0].store.latest(), "and the store's version is not replaced", kept)
    status, _, errors = members[0].apply(text)
    report.equal((status, "--replace" in errors), (4, True), f"nor built upon unseen {errors}")
    status, _, errors = members[0].apply(text, "--replace", "--all")
    report.equal(status, 0, f"until a person wants that {errors}")
    wait_agreed(members, report, "which both have")
    stop(members)


def one_reinstalled(members: list[Member], report: Report, text: str) -> None:
    ams, fra = members
    say("one is reinstalled, with an old file, beside a node that has applied versions")
    apply_first(members, report, text)
    report.equal(ams.apply(text.replace("weight = 50", "weight = 60"), "--all")[0], 0, "version 2 is applied")
    fra.stop()
    fra.reinstall(text)
    seen = set()
    fra.start()

    def joined() -> typing.Any:
        seen.add(fra.document())
        return (fra.head() or (0,))[0] == 2
    report.wait(joined, SECONDS, "a reinstalled node takes the store's version", 0.01)
    seen.add(fra.document())
    report.equal(seen - {None}, {2}, "its own old file was never in force")
    wait_agreed(members, report, "and both agree")
    report.equal([v["number"] for v in fra.ask("versions")["items"]], [2, 1], "with the history")
    report.equal(fra.weir("diff", "1")[0], 0, "an earlier version's files come from the other node")
    report.equal(ams.apply(text.replace("weight = 50", "weight = 70"), "--all")[0], 0, "changes go on")


def reinstalled_in_a_cut(members: list[Member], report: Report, text: str) -> None:
    ams, fra = members
    say("one is reinstalled inside a network cut")
    if "mgmt" not in fra.node.processes:  # asked for alone
        apply_first(members, report, text)
        ams.apply(text.replace("weight = 50", "weight = 60"), "--all")
        ams.apply(text.replace("weight = 50", "weight = 70"), "--all")
    files = [("an old file", text), ("the file in force", text.replace("weight = 50", "weight = 70"))]
    for name, own in files[:1] if "--quick" in sys.argv else files:
        fra.stop()
        cut(members)
        try:
            fra.reinstall(own)
            fra.start()
            wait_head(fra, 1, f"with {name} it starts alone")
            took = time.monotonic() - fra.started
            report.check(took <= JOINING_S, f"with {name} it starts alone after five seconds", f"{took:.1f} s")
        finally:
            cut(members, "del")
        wait_agreed(members, report, "after the cut it takes what was applied")
        report.equal(fra.head(), ams.head(), "which is the store's")
    stop(members)


def two_files(members: list[Member], report: Report, text: str) -> None:
    ams, fra = members
    say("both start from different files")
    start_together(members, text, text.replace("weight = 50", "weight = 77"))
    wait_until(lambda: all(m.peer() == "differs" for m in members), SECONDS, "each says that the other differs", 0.1)
    report.equal((ams.head()[0], fra.head()[0]), (1, 1), "each is on its own version 1")
    report.check("peer-differs" in str(ams.ask("status").get("reasons")), "which is a reason of status")
    status, out, _ = ams.weir("diff", "fra-1")
    report.check(status == 0 and "77" in out and "50" in out, "weir diff reads the peer's version", out[:80])
    status, _, errors = fra.apply(text.replace("weight = 50", "weight = 77"), "--all")
    report.equal(status, 0, f"the one that is applied first {errors}")
    wait_agreed(members, report, "is in force at both")
    cut(members)
    try:
        for m in members:
            before, (status, _, errors) = m.head(), m.apply(text.replace("weight = 50", "weight = 51"))
            report.equal((status, m.head()), (3, before), f"in a cut {m.name} takes no change {errors}")
    finally:
        cut(members, "del")
    wait_agreed(members, report, "so both have one version after it")
    stop(members)


def no_store(members: list[Member], report: Report, text: str) -> None:
    ams = members[0]
    say("both start without a store")
    for m in members:
        m.shares = False
        os.unlink(os.path.join(m.node.conf, "store.conf"))
    start_together(members, text)
    wait_agreed(members, report, "each has its own file, which is the same")
    status, out, _ = ams.weir("status")
    report.check(status == 10 and "weir store init" in out, "status is degraded, and says what to do", out[:200])
    status, _, errors = ams.apply(text.replace("weight = 50", "weight = 51"))
    report.equal((status, ams.head()[0], "weir store init" in errors), (3, 1, True), f"a change is refused and says what to do {errors}")
    status, _, errors = ams.weir("drain", "site", "ams", "--scheduled", "--until", "+10m", "--reason", "lab", "--all")
    report.equal(status, 0, f"a drain works {errors}")
    report.wait(lambda: any(o["target"].get("site") == "ams" for o in members[1].ask("overrides")["items"]), SECONDS, "at both", 0.1)
    stop(members)
    for m in members:
        m.shares = True


def states(member: Member, subject: str = "hash.key") -> typing.Any:
    """Whether this node's status is degraded because a hash key does not match; @subject: what says so, or a peer."""
    status = member.ask("status")
    reasons = [(r["code"], r["subject"]) for r in status.get("reasons", [])]
    return status.get("state") != "well" and ("hash-key-mismatch", subject) in reasons


def key_of(member: Member) -> typing.Any:
    """The fingerprint that the version in force was made with."""
    return member.version()["hash_key"]


def placed(member: Member) -> list[typing.Any]:
    """How the tables in force place some connections: what trace says of them."""
    return [member.weir("trace", f"198.18.7.{i}:4{i:04}", "203.0.113.10:80/tcp")[1] for i in range(8)]


def write_key(member: Member, key: str, name: str = "hash.key") -> None:
    path = os.path.join(member.node.conf, name)
    with open(path + ".new", "w") as f:
        f.write(key + "\n")
    os.chmod(path + ".new", 0o600)
    os.rename(path + ".new", path)


def old_files(members: list[Member], report: Report, text: str) -> None:
    ams, fra = members
    say("files that were made from an old version")
    apply_first(members, report, text)
    with open(os.path.join(ams.node.conf, "colleague.conf"), "w") as f:
        f.write(text)  # made from version 1, kept in somebody's editor
    report.equal(ams.apply(text.replace("weight = 50", "weight = 60"), "--author", "ann", "--all")[0], 0, "ann changes a weight")
    status, _, errors = ams.weir("apply", os.path.join(ams.node.conf, "colleague.conf"), "--author", "bob", "--reason", "mine")
    report.equal(status, 4, "bob's old file is refused")
    for part in ("pools/web-ams/backends/ams-b2/weight", "60", "50", "version 2", "ann", "--replace"):
        report.check(part in errors, f"the refusal names {part}")
    report.equal(ams.head()[0], 2, "and nothing has changed")
    status, out, _ = ams.weir("plan", os.path.join(ams.node.conf, "colleague.conf"))
    report.check("takes back" in out and "ann" in out, "weir plan warns of it")
    status, out, errors = ams.weir("config", "show", "--applied")
    first, rest = out.split("\n", 1)
    report.check(re.fullmatch(r"# weir base v2-[0-9a-f]{16}", first), "config show --applied begins with its base", first)
    path = os.path.join(ams.node.conf, "next.conf")
    with open(path, "w") as f:
        f.write(out.replace("weight = 60", "weight = 61"))
    report.equal(ams.weir("apply", path, "--author", "bob", "--reason", "next")[0], 0, "what is made from that is taken")
    stored = ams.node.api("GET", "/v1/config")[1]["files"]["weir.conf"]
    report.equal(stored, rest.replace("weight = 60", "weight = 61"), "and stored without the line")
    report.equal(ams.apply(text.replace("weight = 50", "weight = 62"), "--author", "ann")[0], 0,
                 "another value on purpose is no taking back")
    status, _, errors = ams.weir("apply", path, "--author", "bob", "--reason", "again")
    report.equal((status, "version 4 by ann" in errors), (4, True), "bob's file of version 2 is refused by its line")
    report.equal(ams.weir("apply", path, "--author", "bob", "--reason", "base", "--base", "4")[0], 0, "--base overrides the line")
    status, _, errors = ams.apply(text.replace("weight = 50", "weight = 63"), "--author", "bob", "--base", "v1-0000000000000000")
    report.equal(status, 4, "a base that is not there is refused")
    status, _, errors = ams.weir("apply", os.path.join(ams.node.conf, "colleague.conf"), "--author", "eve", "--reason", "x", "--replace")
    report.equal(status, 0, f"--replace takes it back all the same {errors}")
    with open(os.path.join(ams.node.conf, "weir.conf"), "w") as f:
        f.write(text)
    first = ams.weir("config", "show")[1].split("\n", 1)[0]
    report.check(first.startswith(f"# weir base v{ams.head()[0]}-"), "config show names the version that its file is", first)
    whole = ams.weir("config", "show")[1].replace("weight = 50", "weight = 51")
    path = os.path.join(ams.node.conf, "whole.conf")
    with open(path, "w") as f:
        f.write(whole)
    status, _, errors = ams.weir("apply", path, "--author", "bob", "--reason", "whole")
    report.equal(status, 0, f"what config show prints can be applied {errors}")
    report.equal(os.path.exists(os.path.join(ams.node.state, "base")), False, "nothing is left of looking")
    stop(members)


def two_keys(members: list[Member], report: Report, text: str) -> None:
    ams, fra = members
    say("two nodes start from one file with two keys")
    members[0].store.empty()
    for m in members:
        m.reinstall(text)
    write_key(fra, KEYS[1])
    for m in members:
        m.start()
    wait_agreed(members, report, "they agree on the version")
    report.wait(lambda: (states(ams, "fra-1") and states(fra, "ams-1")) or states(ams) or states(fra), SECONDS, "and status tells that their keys differ: each of the other, or the one that took the other's version", 0.1)
    stop(members)


def swapped_key(members: list[Member], report: Report, text: str) -> None:
    ams, fra = members
    say("a key's file is swapped under a running node")
    apply_first(members, report, text)
    ams.node.start("dataplane")
    wait_until(lambda: "slot" in placed(ams)[0], SECONDS, "tables are in force", 0.2)
    before, fingerprint = placed(ams), key_of(ams)
    report.equal(len(fingerprint), 16, "the version has a fingerprint")
    report.equal(key_of(fra), fingerprint, "the same at both nodes")
    write_key(ams, KEYS[1])
    wait_until(lambda: states(ams), SECONDS, "ams says so", 0.1)
    report.check(not states(fra), "the node with the wrong file says so, the other does not")
    status, _, errors = ams.apply(text.replace("weight = 100; },", "weight = 90; },", 1), "--all", "--confirm-within", "none")
    report.equal(status in (0, 5, 6), True, f"another change is taken all the same {errors}")
    wait_until(lambda: ams.document() == 2 and states(ams, "weir-dataplane"), SECONDS, "the dataplane has it", 0.1)
    report.equal(key_of(ams), fingerprint, "its version has the key of the one before")
    report.check(placed(ams) == before, "connections are placed as before")
    say("its dataplane starts with only the wrong key")
    ams.node.kill("dataplane")
    ams.node.start("dataplane")
    ams.node.processes["dataplane"].wait_for_log("no hash key to compile tables with", SECONDS)
    report.check(placed(ams) == before, "it compiles nothing: connections are placed by the tables that are there")
    report.check("prog/xdp" in ams.node.host.run(["ip", "-d", "link", "show", "eth1"]), "which go on forwarding")
    write_key(ams, KEYS[0])
    wait_until(lambda: "document-in-force" in ams.node.processes["dataplane"].log().rsplit("no hash key", 1)[-1], SECONDS,
               "the dataplane compiles", 0.1)
    report.check(placed(ams) == before, "with the right file it compiles again, with the same places")


def rotated_key(members: list[Member], report: Report, text: str) -> None:
    ams, fra = members
    say("the key is rotated: a version names another one")
    before, fingerprint = placed(ams), key_of(ams)
    write_key(ams, KEYS[1], "hash2.key")
    text = text.replace('hash_key_file = "hash.key"; hash_key_id = "k1"', 'hash_key_file = "hash2.key"; hash_key_id = "k2"')
    text = text.replace("weight = 100; },", "weight = 90; },", 1)
    status, out, errors = ams.apply(text, "--confirm-within", "5m", "--all")
    report.equal((status, "flows" in out and "k2" in out), (8, True), f"which is risky, and refused where the file is not {errors}")
    report.check(re.search(r"fra-1 +refused", out) and "hash2.key cannot be read" in out, "the node that refuses it is named, and why", out)
    wait_until(lambda: "ended by" in ams.events() and "refused on fra-1" in ams.events(), SECONDS, "the version is rolled back, as fra lacks the file", 0.1)
    wait_until(lambda: fra.head() == ams.head() and key_of(fra) == fingerprint, SECONDS, "both have the former key", 0.1)
    report.check("hash2.key cannot be read as a key" in fra.events(), "a peer that lacks the file refuses the version, and says why")
    wait_until(lambda: placed(ams) == before, SECONDS, "ams places by the former key", 0.2)
    write_key(fra, KEYS[1], "hash2.key")
    status, out, errors = ams.apply(text, "--confirm-within", "5m", "--replace")
    report.check(status in (0, 5, 6), f"with the file there it is applied again {errors}")
    wait_until(lambda: fra.head() == ams.head(), SECONDS, "fra takes the version", 0.1)
    report.check(key_of(ams) not in (fingerprint, ""), "the version has another fingerprint")
    report.equal(key_of(fra), key_of(ams), "the same at both nodes")
    report.wait(lambda: placed(ams) != before, SECONDS, "connections are placed anew", 0.2)
    report.wait(lambda: not states(fra), SECONDS, "fra has the key too, and says nothing", 0.1)
    secrets = [k for k in KEYS for m in members for d in (m.node.state, m.node.run_dir) if holds(d, k)]
    logs = [n for n in os.listdir(ams.lab.dir) if n.endswith(".log") and any(holds(os.path.join(ams.lab.dir, n), k) for k in KEYS)]
    report.equal(secrets + logs, [], "no key stands in any state, page or log")
    ams.node.kill("dataplane")
    stop(members)


def holds(directory: str, text: str) -> bool:
    return subprocess.run(["grep", "-rqs", text, directory], check=False).returncode == 0


def supervised(members: list[Member], report: Report, text: str) -> None:
    say("the same with all processes of both nodes, by weir run")
    members[0].store.empty()
    for m in members:
        m.reinstall(text)
    for m in members:
        m.node.start_supervised()
    wait_agreed(members, report, "two whole nodes agree", 30)
    report.wait(lambda: all(p["state"] == "running" for m in members for p in m.ask("status")["processes"]), 30, "and all their processes run", 0.2)
    for m in members:
        m.node.processes.pop("run").stop(30)


def make_certificate(lab: Lab) -> None:
    names = ",".join(f"IP:{address}" for address, _ in ADDRESSES.values())
    call(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
          "-subj", "/CN=weir lab", "-addext", f"subjectAltName={names}", "-keyout", os.path.join(lab.dir, "tls.key"),
          "-out", os.path.join(lab.dir, "tls.crt")])


def run(report: Report) -> None:
    text = example()
    with Lab("joining") as lab:
        make_certificate(lab)
        router = lab.host("router")
        router.forward()
        store = Store(lab, router)
        members = [Member(lab, router, store, name) for name in ADDRESSES]
        chosen = [a for a in sys.argv[1:] if a != "--quick"]
        steps = (at_once, both_reinstalled, one_reinstalled, reinstalled_in_a_cut, two_files, no_store, old_files, two_keys,
                 swapped_key, rotated_key, supervised)
        left_out = (both_reinstalled, supervised) if "--quick" in sys.argv and not chosen else ()
        for step in steps:
            if step not in left_out and (not chosen or step.__name__ in chosen):
                report.step(step, members, report, text)


if __name__ == "__main__":
    sys.exit(Report.main(run))
