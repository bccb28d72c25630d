#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A command taken with weir-mgmt dead says what the API would have said.

Usage: test_offline.py WEIR WEIR_MGMT
"""
from __future__ import annotations

import json
import os
import pwd
import re
import subprocess
import sys
import typing
import unittest

import counted
from api_node import Node, wait_for

MGMT = sys.argv.pop()
WEIR = sys.argv.pop()
FROM, UNTIL = "2035-11-20T12:00:00.000Z", "2036-11-20T12:00:00.000Z"


def lasting(answer: typing.Any) -> dict[str, typing.Any]:
    """An answer without what differs between two runs of one command: who made it when and how, and what only weir-mgmt sees."""
    override = {k: v for k, v in answer["override"].items() if k not in ("id", "created")}
    notes = [n for n in answer["notes"] if "offline" not in n]
    return {**{k: v for k, v in answer.items() if k not in ("document", "complete")}, "override": override,
            "undo": (answer["undo"] or "").partition(" --offline")[0], "notes": notes, "nodes": [{**n, "state": "", "processes": []} for n in answer.get("nodes", [])]}


class Offline(unittest.TestCase):
    def setUp(self) -> None:
        self.node = Node(MGMT).start()

    def tearDown(self) -> None:
        self.node.close()

    def weir(self, *arguments: str) -> typing.Any:
        n = self.node
        done = subprocess.run([WEIR, "--conf-dir", n.conf, "--state-dir", n.state, "--run-dir", n.run, "--node", n.name,
                               "--json", *arguments], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""), arguments)
        return json.loads(done.stdout)

    def test_a_socket_that_was_removed_is_made_again(self) -> None:
        n = self.node
        os.unlink(os.path.join(n.run, "api.sock"))
        done = subprocess.run([WEIR, "--conf-dir", n.conf, "--state-dir", n.state, "--run-dir", n.run, "--node", n.name,
                               "drain", "site", "ams", "--until", "never", "--reason", "x", "--offline"],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 4)
        self.assertIn("without --offline", done.stderr)
        wait_for("the socket", lambda: os.path.exists(os.path.join(n.run, "api.sock")), 20)
        self.weir("versions")

    def test_each_thing_is_found_and_not_the_first_of_its_kind_alone(self) -> None:
        for site, reason in (("ams", "one"), ("fra", "two")):
            self.weir("drain", "site", site, "--scheduled", "--until", UNTIL, "--reason", reason, "--override", "last-site,room")
        n = self.node
        for thing, shown in (("pool web-ams", ""), ("pool web-fra", ""), ("backend web-fra/b1", ""), ("site ams", ": one\n"), ("site fra", ": two\n"),
                             ("service web", ""), ("node ams-1", ""), ("node fra-1", "")):
            done = subprocess.run([WEIR, "--run-dir", n.run, "why", *thing.split()], capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""), thing)
            self.assertIn(shown, done.stdout)
            kind, name = thing.split()
            state = "serve" if kind in ("pool", "backend", "service") else "drain" if kind == "site" else "agreed"
            done = subprocess.run([WEIR, "--run-dir", n.run, "wait", kind, name, state, "--timeout", "1ms"],
                                  capture_output=True, text=True, timeout=60, check=False)
            self.assertNotIn("there is no", done.stderr)

    def test_a_configuration_is_shown_with_the_version_that_it_was_made_from(self) -> None:
        n = self.node
        places = ("--conf-dir", n.conf, "--state-dir", n.state, "--run-dir", n.run)

        def show(*arguments: typing.Any) -> str:
            done = subprocess.run([WEIR, *places, "config", "show", *arguments], capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            return done.stdout

        path, into = os.path.join(n.conf, "weir.conf"), os.path.join(n.conf, "..", "taken")
        with open(path) as f:
            given = f.read()
        line = f"# weir base {self.weir('versions')['items'][0]['etag']}\n"
        self.assertEqual(show().split("\n")[0] + "\n", line)
        self.assertEqual(show("--applied"), line + given)
        self.assertIn(f"now has the 2 files of version {line.split()[3]}; change them, then run weir plan {into}/weir.conf ",
                      show("--applied", "--into", into))
        with open(os.path.join(into, "weir.conf")) as f:
            self.assertEqual(f.read(), line + given)
        with open(os.path.join(into, "shop.example.zone")) as taken, open(os.path.join(n.conf, "shop.example.zone")) as zone:
            self.assertEqual(taken.read(), zone.read())
        self.assertEqual(os.stat(into).st_mode & 0o777, 0o700)
        with open(path, "a") as f:
            f.write("# another file\n")
        self.assertEqual(show().split("\n")[0], "schema = 1;")  # what it was made from is not known
        with open(path, "w") as f:
            f.write("# weir base v5-00\n" + given)  # what it says itself counts only where it is another file
        self.assertEqual(show().split("\n")[0] + "\n", line)
        with open(path, "a") as f:
            f.write("# another file\n")
        self.assertEqual(show().split("\n")[0], "# weir base v5-00")

    def test_online_and_offline_give_the_same_json(self) -> None:
        common = ("--until", UNTIL, "--author", "jäger", "--reason", "INC-7 ü")
        commands = (
            ("drain", "site", "ams", "--scheduled", "--from", FROM, "--over", "5m", *common),
            ("drain", "backend", "web-ams/b1", "--over", "90s", *common),
            ("disable", "backend", "web-ams/b2", *common),
            ("force-up", "backend", "web-fra/b1", *common),
            ("disable", "site", "fra", "--override", "room", *common))
        drain = commands[0]
        online = [self.weir(*c, "--dry-run") for c in commands]
        self.node.stop()
        offline = [self.weir(*c, "--dry-run", "--offline") for c in commands]
        taken_offline = self.weir(*drain, "--offline")
        self.weir("undrain", "site", "ams", "--now", "--offline")
        self.node.start()
        for command, one, other in zip(commands + (drain,), online + [self.weir(*drain)], offline + [taken_offline]):
            with self.subTest(command):
                self.assertEqual(self.same(one), self.same(other))

    def same(self, answer: typing.Any) -> typing.Any:
        """Of a command that begins at once, the instants are its own too."""
        answer = lasting(answer)
        override = answer["override"]
        if override["from"] != FROM:
            for name in ("from", "full"):
                self.assertRegex(override.pop(name), r"^20\d\d-")
        override.pop("etag"), override.pop("generation")
        return answer

    def test_what_was_taken_offline_is_told_alike_when_management_is_back(self) -> None:
        self.node.stop()
        drain = self.weir("drain", "backend", "web-ams/b1", "--until", UNTIL, "--reason", "x", "--offline")["override"]
        self.node.start()
        told = self.node.ask("GET", f"/v1/overrides/{drain['id']}").json
        begins = [(one.pop("state"), one.pop("level_ppm")) for one in (drain, told)]  # it begins two seconds later, as a start may last
        self.assertEqual(begins[0], ("scheduled", 0))
        self.assertIn(begins[1], (("scheduled", 0), ("drained", 1000000)))
        self.assertEqual(told, drain)
        self.assertTrue(os.path.exists(os.path.join(self.node.state, "store/store.db")))

    def test_a_guard_that_is_none_is_told_offline_too(self) -> None:
        self.node.stop()
        n = self.node
        done = subprocess.run([WEIR, "--conf-dir", n.conf, "--state-dir", n.state, "--run-dir", n.run, "--node", n.name,
                               "drain", "site", "ams", "--until", "+1h", "--reason", "x", "--override", "rom", "--offline"],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("last-site, last-backend, last-announcer, room or unsettled", done.stderr)

    def told_offline(self, *arguments: typing.Any, **more: typing.Any) -> tuple[int, str, str]:
        n = self.node
        environment = {k: v for k, v in os.environ.items() if k != "SUDO_USER"}
        done = subprocess.run([WEIR, "--conf-dir", n.conf, "--state-dir", n.state, "--run-dir", n.run, "--node", n.name, *arguments,
                               "--offline"], capture_output=True, text=True, timeout=60, env={**environment, **more}, check=False)
        return done.returncode, done.stdout, done.stderr

    def test_what_is_told_offline_is_for_people(self) -> None:
        self.node.stop()
        drain, begins, refused = ("drain", "site", "ams"), ("--until", "never", "--reason", "INC-1"), "weir: refused by a guard\n  to do it anyway (kept in the record): weir "
        until = 'weir: %s: found "soon", expected an instant such as "2026-11-20T12:00:00Z", "+4h", or "never"\n'
        scheduled = ("  starts    T\n  complete  T\n  returns   never\n  all back  never\nreceivers:\n"
                     "  fra              share  50.0 % -> 100.0 %, load not known\n"
                     "  guard last-site: ok, each service at ams has another site\n"
                     "  guard room: unknown, not checked: no receiving site states a capacity\n")
        where = f"--conf-dir {self.node.conf} --state-dir {self.node.state} --run-dir {self.node.run} --node {self.node.name}"
        written = "  note: written offline: the peers learn of it when weir-mgmt runs again\n  ams-1            written\n"
        for arguments, status, out, err in (
                ((*drain, "--until", "soon", "--reason", "x"), 1, "", until % "until"),
                ((*drain, *begins, "--from", "soon"), 1, "", until % "from"),
                ((*drain, *begins, "--over", "soon"), 1, "", 'weir: over: found "soon", expected a duration such as "5m"\n'),
                (("drain", "site", "nosuch", *begins), 1, "", "weir: target.site: there is no site nosuch\n"),
                (("disable", "backend", "web-fra/b1", *begins), 2, "", "  last-backend: pool web-fra has no other backend for new flows "
                 f"that is not down\n{refused}disable backend web-fra/b1 --until never --reason INC-1 --offline {where} --override last-backend\n"),
                (("undrain", "site", "ams"), 0, "nothing to end: the target has no drain\n", ""),
                (("hold", "site", "ams"), 4, "", "weir: there is nothing to end or hold\n"),
                ((*drain, *begins, "--dry-run"), 0, "dry run, nothing was changed:\ndrain site ams: scheduled (ID)\n" + scheduled, ""),
                ((*drain, *begins, "--now"), 0, "drain site ams: drained (ID)\n" + scheduled + written + f"undo: weir undrain site ams --scheduled --offline {where}\n", ""),
                (("undrain", "site", "ams", "--now"), 0, "drain site ams: done (ID)\n  returns   T\n  all back  T\n" + written +
                 f"undo: weir drain site ams --until never --scheduled --reason TEXT --offline {where}\n", "")):
            found = self.told_offline(*arguments, SUDO_USER="ann")
            plain = re.sub(r"\(ams-1-\w+\)", "(ID)", re.sub(r"20\d\d-\d\d-\d\dT[\d:.]+Z", "T", found[1]))
            self.assertEqual((found[0], plain, found[2]), (status, out, err), arguments)
        self.node.start()
        made = self.node.ask("GET", "/v1/overrides?ended=true").json["items"]
        self.assertEqual([(o["author"], o["reason"], o["principal"]) for o in made], [("ann", "INC-1", f"user:{pwd.getpwuid(os.getuid()).pw_name}")])

    def status_of(self, *arguments: typing.Any) -> int:
        n = self.node
        return subprocess.run([WEIR, "--conf-dir", n.conf, "--state-dir", n.state, "--run-dir", n.run, "--node", n.name,
                               *arguments], capture_output=True, text=True, timeout=60, check=False).returncode

    @unittest.skipUnless(os.geteuid() == 0 and "weir-mgmt" not in {p.pw_name for p in pwd.getpwall()}, "not root, or the user is there")
    def test_a_missing_user_is_no_missing_file(self) -> None:
        self.node.stop()
        status, _, told = self.told_offline("drain", "site", "ams", "--scheduled", "--until", UNTIL, "--reason", "x", WEIR_USERS="")
        self.assertEqual(status, 3, told)
        self.assertIn("weir: cannot go on as user weir-mgmt: the user or group weir does not exist (systemd-sysusers makes them)\n", told)
        self.assertNotIn("No such file", told)

    def test_a_refusal_ends_with_the_same_status_offline(self) -> None:
        common = ("--until", UNTIL, "--reason", "x")
        commands = (("disable", "backend", "web-fra/b1", *common), ("drain", "site", "nosuch", "--scheduled", *common),
                    ("drain", "backend", "web-ams/nosuch", *common), ("hold", "site", "ams", "--reason", "x"),
                    ("undrain", "site", "ams", "--scheduled", "--reason", "x"), ("enable", "backend", "web-ams/b1", "--reason", "x"),
                    ("drain", "site", "ams", "--scheduled", "--over", "5 minutes", *common),
                    ("drain", "site", "ams", "--scheduled", "--until", "2001-01-01T00:00:00Z", "--reason", "x"),
                    ("drain", "site", "ams", "--scheduled", "--until", UNTIL),
                    ("drain", "site", "a" * 64, "--scheduled", *common), ("drain", "backend", "web-ams/" + "b" * 64, *common),
                    ("drain", "site", "ams", "--scheduled", *common, "--author", "a" * 64), ("drain", "site", "ams", "--scheduled", *common, "--author", "a\nb"),
                    ("drain", "site", "ams", "--scheduled", "--until", UNTIL, "--reason", "r" * 256),
                    ("drain", "site", "ams", "--scheduled", *common, "--over", b"\xff"), ("undrain", "site", "ams", "--scheduled", "--reason", "a\tb"))
        online = [self.status_of(*c) for c in commands]
        self.node.stop()
        offline = [self.status_of(*c, "--offline") for c in commands]
        self.assertEqual(online, offline)
        self.assertEqual(online[0], 2)  # a guard
        self.assertEqual(set(online[9:]), {1})
        self.assertEqual(self.weir("drain", "backend", "web-ams/b1", *common, "--dry-run", "--offline")["dry_run"], True)
        self.node.start()
        self.assertEqual(self.node.ask("GET", "/v1/overrides").json["items"], [])


if __name__ == "__main__":
    counted.main()
