# SPDX-License-Identifier: BSD-2-Clause
"""Zones as their files have them: mistakes, includes, files that cannot be read or that are damaged.

One bad zone must not touch another, whoever meets it first: apply, zone reload, weir-dns at a cold start.
"""
from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import typing

import plan as planning
from net import BUILD, Lab, wait_until
from report import Report
from world import World

if typing.TYPE_CHECKING:
    from world import Node

GOOD = "$TTL 300\n@ SOA ns root {serial} 3600 900 1209600 30\n@ NS ns\nns A 192.0.2.1\n"


class Zones:
    """One node with weir-mgmt and weir-dns, and zones beside the plan's own."""

    def __init__(self, node: Node, names: list[typing.Any]) -> None:
        self.node, self.names = node, names
        node.write_config()
        with open(self.path("weir.conf"), encoding="utf-8") as f:
            self.base = f.read()
        self.write("weir.conf", self.config(names))
        for name in names:
            self.write(f"zones/{name}.zone", GOOD.format(serial=1))

    def path(self, name: str) -> str:
        return os.path.join(self.node.conf, name)

    def config(self, names: list[str]) -> str:
        more = "".join(f', {{ name = "{n}"; file = "zones/{n}.zone"; }}' for n in names)
        return self.base.replace('.zone"; } );', f'.zone"; }}{more} );', 1)

    def write(self, name: str, text: str) -> None:
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)

    def weir(self, *arguments: str, timeout: int = 60) -> tuple[int, str]:
        """(exit status, all output)"""
        done = subprocess.run(["ip", "netns", "exec", self.node.host.ns, os.path.join(BUILD, "mgmt/cli/weir"),
                               *self.node.options, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=timeout, check=False)
        return done.returncode, done.stdout

    def apply(self, *more: str, timeout: int = 60) -> tuple[int, str]:
        return self.weir("apply", self.path("weir.conf"), "--reason", "lab", "--confirm-within", "none", *more,
                         timeout=timeout)

    def ask(self, name: str, kind: str = "TXT") -> tuple[str, list[str]]:
        """(rcode, [data]) as weir-dns answers."""
        server = self.node.plan.dns4 if hasattr(self.node.plan, "dns4") else "127.0.0.1"
        text = self.node.host.run(["kdig", f"@{server}", name, kind, "+timeout=2", "+retry=1"], check=False) or ""
        status = next((w.split(";")[0].strip() for line in text.splitlines() if "status:" in line
                       for w in [line.split("status:")[1]]), "silent")
        return status, [line.split(None, 4)[4] for line in text.splitlines()
                        if line and not line.startswith(";") and line.split()[3] == kind]

    def answers(self, name: str, expected: tuple[str, list[str]], kind: str = "TXT", within_s: float = 20) -> tuple[str,
                list[str]] | None:
        found = None

        def asked() -> bool:
            nonlocal found
            found = self.ask(name, kind)
            return found == expected
        try:
            wait_until(asked, within_s, f"{name} answers {expected}", 0.1)
        except Exception:  # the check that follows says what was found
            pass
        return found

    def conditions(self) -> list[typing.Any]:
        return [r for r in self.node.weir_json("status").get("reasons", []) if "zones-refused" in json.dumps(r)]


def refuse_errors(report: Report, z: Zones) -> None:
    z.write("zones/a.test.zone", GOOD.format(serial=2) + "new TXT a2\nbad A here\n")
    z.write("zones/b.test.zone", GOOD.format(serial=2) + "new TXT b2\n")
    code, text = z.apply()
    report.check(code != 0 and "zones/a.test.zone:6" in text, "apply refuses a mistake with file and line", text)
    report.equal(z.ask("new.b.test")[0], "NXDOMAIN", "and changes nothing")
    code, text = z.weir("zone", "reload")
    report.check(code != 0 and "zones/a.test.zone:6" in text, "so does zone reload", text)
    code, text = z.apply("--skip-bad-zones")
    report.check(code == 0 and "a.test" in text and "skipped" in text and "zones/a.test.zone:6" in text,
                 "with --skip-bad-zones it takes the others and says what it skips", text)
    report.equal(z.answers("new.b.test", ("NOERROR", ['"b2"'])), ("NOERROR", ['"b2"']), "the good zone is served")
    report.equal(z.ask("new.a.test")[0], "NXDOMAIN", "the bad one as it was")
    z.write("weir.conf", z.config([*z.names, "never.test"]))
    z.write("zones/never.test.zone", "nothing here\n")
    code, text = z.apply("--skip-bad-zones")
    report.check(code != 0 and "zones/never.test.zone: dns.zones: zone never.test cannot be skipped" in text
                 and "/config/" not in text, "a new zone that is bad cannot be skipped", text)
    z.write("weir.conf", z.config(z.names))
    z.write("zones/a.test.zone", GOOD.format(serial=3) + "new TXT a3\n")


def reload_files(report: Report, z: Zones) -> None:
    os.rename(z.path("zones/b.test.zone"), z.path("b.away"))
    code, text = z.weir("zone", "reload")
    report.check(code != 0 and "zones/b.test.zone" in text and "No such file" in text,
                 "zone reload of a file that is missing is an error that names it", text)
    report.equal(z.ask("new.a.test")[0], "NXDOMAIN", "and nothing is taken")
    code, text = z.weir("zone", "reload", "--skip-bad-zones")
    report.check(code == 0 and "b.test" in text, "with --skip-bad-zones the others are", text)
    report.equal(z.answers("new.a.test", ("NOERROR", ['"a3"'])), ("NOERROR", ['"a3"']), "served")
    report.equal(z.ask("new.b.test"), ("NOERROR", ['"b2"']), "and the zone of the missing file, too")
    os.rename(z.path("b.away"), z.path("zones/b.test.zone"))
    code, text = z.weir("zone", "reload")
    report.check(code == 0 and "no zone file changed" in text, "without a change it says so", text)


def includes(report: Report, z: Zones) -> None:
    z.write("zones/part/inc.txt", "part TXT one\n$INCLUDE part/deep.txt\n")
    z.write("zones/part/deep.txt", "deep TXT one\n")
    z.write("zones/b.test.zone", GOOD.format(serial=4) + "$INCLUDE part/inc.txt\n")
    code, text = z.apply()
    report.check(code == 0, "a zone with $INCLUDE is applied", text)
    report.equal(z.answers("deep.b.test", ("NOERROR", ['"one"'])), ("NOERROR", ['"one"']), "and served, nested ones too")
    z.write("zones/part/deep.txt", "deep TXT two\n")
    code, text = z.weir("zone", "reload")
    report.check(code == 0 and "in force at" in text, "zone reload sees that an included file changed", text)
    report.equal(z.answers("deep.b.test", ("NOERROR", ['"two"'])), ("NOERROR", ['"two"']), "it is served")
    z.write("zones/part/deep.txt", "deep TXT\n")
    code, text = z.weir("zone", "reload")
    report.check(code != 0 and "part/deep.txt:1" in text, "a mistake there is named with its file and line", text)
    z.write("zones/part/deep.txt", "deep TXT two\n")


def odd(report: Report, z: Zones) -> None:
    z.write("zones/a.test.zone", GOOD.format(serial=2) + "new TXT a3\nnew TXT a3\n@ MX 5 alias\nalias CNAME new\nd NS ns.d\n")
    code, text = z.apply()
    report.check(code == 0 and all(words in text for words in ("serial goes back from 3 to 2", "a.test.zone:6: new.a.test: line 5 has the same record",
                                                               "MX alias.a.test is an alias", "needs it as glue")),
                 "apply warns of a serial that goes back, duplicates, an MX to an alias, missing glue", text)
    z.write("zones/a.test.zone", GOOD.format(serial=5) + "new RRSIG TXT 8 3 60 20300101000000 20200101000000 1 a.test. YQ==\n")
    code, text = z.apply()
    report.check(code != 0 and "is signed" in text, "a signed zone is refused", text)
    z.write("zones/a.test.zone", GOOD.format(serial=5) + "new TXT a5\nold DNAME new2\nx.new2 TXT renamed\n")
    code, text = z.apply()
    report.check(code == 0, "the unsigned one is taken", text)
    report.equal(z.answers("x.old.a.test", ("NOERROR", ['"renamed"'])), ("NOERROR", ['"renamed"']), "a DNAME is answered")


def laid_out(z: Zones, name: str) -> str:
    version = json.loads(z.weir("versions", "--json")[1])["items"][0]["digest"]
    return os.path.join(z.node.state, "config", version, "zones", f"{name}.zone")


def damaged(report: Report, z: Zones) -> None:
    """The file in force goes bad under weir-dns, as a disk does it."""
    path = laid_out(z, "a.test")
    z.node.kill("dns")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    os.unlink(path)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text + "what is this\n")
    z.node.start("dns")
    report.equal(z.answers("new.a.test", ("NOERROR", ['"a5"'])), ("NOERROR", ['"a5"']), "the last good image of the zone serves")
    report.equal(z.ask("new.b.test")[0], "NXDOMAIN", "the others as their files have them")
    z.node.kill("dns")
    for name in os.listdir(z.node.run_dir):
        if name.startswith("dns.image"):
            os.unlink(os.path.join(z.node.run_dir, name))
    z.node.start("dns")
    report.equal(z.answers("new.a.test", ("SERVFAIL", [])), ("SERVFAIL", []), "at a cold start it answers SERVFAIL")
    report.equal(z.answers("deep.b.test", ("NOERROR", ['"two"'])), ("NOERROR", ['"two"']), "it alone")
    found = wait_until(z.conditions, 20, "a condition", 0.2)
    report.check(len(found) == 1 and all(words in json.dumps(found) for words in ("a.test", "SERVFAIL")) and "zones/a.test.zone:8" in json.dumps(found), "a condition names zone, file and line", found)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    z.weir("zone", "reload")
    report.equal(z.answers("new.a.test", ("NOERROR", ['"a5"'])), ("NOERROR", ['"a5"']), "mended and loaded again, it is served")


def run(report: Report) -> None:
    if not shutil.which("kdig"):
        report.check(False, "kdig is there")
        return
    with Lab("zones") as lab:
        world = World(lab, planning.simple(1, 2), resolvers=())
        node = world.sites[0].node
        z = Zones(node, ["a.test", "b.test"])
        node.start("mgmt", "dns")
        wait_until(lambda: z.ask("ns.a.test", "A")[0] == "NOERROR", 30, "the first version is served", 0.2)
        refuse_errors(report, z)
        reload_files(report, z)
        includes(report, z)
        odd(report, z)
        damaged(report, z)


if __name__ == "__main__":
    sys.exit(Report.main(run))
