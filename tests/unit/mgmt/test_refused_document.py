#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""An upgrade, or a way back, to a weir-mgmt that refuses what is in force: test_refused_document.py [CLASS...] WEIR WEIR_MGMT.

The files are a real weir-mgmt's. Then a setting of version 2 gets a name that nobody knows, in its text and in the document.
"""
from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
import typing
import unittest

import counted
from api_node import Answer, Node, config, free_port, wait_for
from shared_store import shared

MGMT = os.path.abspath(sys.argv.pop())
WEIR = os.path.abspath(sys.argv.pop())
KNOWN, UNKNOWN = "settle_time", "settle_tame"
HOURS_MS = 3 * 3600 * 1000
REFUSED = ("document-refused", "effective.conf")


def sha256(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


class Files:
    """The files of a node that does not run."""

    def __init__(self, node: Node) -> None:
        self.node, self.document = node, os.path.join(node.state, "effective.conf")

    def read(self) -> bytes:
        with open(self.document, "rb") as f:
            return f.read()

    def number(self) -> int:
        return int(self.read().split(b'document = "')[1].split(b'"')[0])

    def replace_in_document(self, old: str, new: str) -> None:
        text = self.read().decode()
        assert old in text
        with open(self.document, "w") as f:
            f.write(text.replace(old, new))

    def replace_in_version(self, number: int, old: str, new: str) -> None:
        """In a version's text, with all that names its digest."""
        with contextlib.closing(sqlite3.connect(os.path.join(self.node.state, "store", "store.db"))) as db, db:
            rows = dict(db.execute("SELECT name, digest FROM version_files WHERE number=?", (number,)))
            text = db.execute("SELECT bytes FROM blobs WHERE digest=?", (rows["weir.conf"],)).fetchone()[0]
            assert old.encode() in text
            text = text.replace(old.encode(), new.encode())
            was = self.digest(rows)
            rows["weir.conf"] = sha256(text)
            now = self.digest(rows)
            db.execute("INSERT OR IGNORE INTO blobs VALUES(?, ?)", (rows["weir.conf"], text))
            db.execute("UPDATE version_files SET digest=? WHERE number=? AND name='weir.conf'", (rows["weir.conf"], number))
            for table in "versions", "shared":
                db.execute(f"UPDATE {table} SET text=replace(text, ?, ?)", (was, now))
            db.execute("UPDATE pending SET digest=replace(digest, ?, ?)", (was, now))
        laid_out = [os.path.join(self.node.state, "config", digest) for digest in (was, now)]
        os.rename(*laid_out)
        path = os.path.join(laid_out[1], "weir.conf")
        os.unlink(path)  # other versions may have it by a link
        with open(path, "wb") as f:
            f.write(text)
        self.replace_in_document(was, now)

    @staticmethod
    def digest(rows: dict[str, str]) -> str:
        return sha256("".join(f"{digest}  {name}\n" for name, digest in sorted(rows.items())).encode())

    def rename(self, old: str = KNOWN, new: str = UNKNOWN, version: int = 2) -> None:
        self.replace_in_version(version, old, new)
        self.replace_in_document(old, new)

    def make_older(self) -> None:
        """All versions were made hours ago."""
        with contextlib.closing(sqlite3.connect(os.path.join(self.node.state, "store", "store.db"))) as db, db:
            for table in "versions", "shared":
                for key, text in list(db.execute(f"SELECT rowid, text FROM {table}" if table == "versions"
                                                 else "SELECT name, text FROM shared")):
                    record = json.loads(text)
                    for name in "time_ms", "effective_ms":
                        if name in record:
                            record[name] -= HOURS_MS
                    column = "rowid" if table == "versions" else "name"
                    db.execute(f"UPDATE {table} SET text=? WHERE {column}=?", (json.dumps(record), key))


class Scene(unittest.TestCase):
    def setUp(self) -> None:
        self.node = Node(MGMT)
        self.files = Files(self.node)

    def tearDown(self) -> None:
        self.node.close()

    def second(self) -> dict[str, typing.Any]:
        return self.node.files('mode = "ipip";', f'mode = "ipip"; {KNOWN} = "15m";')

    def begin(self) -> None:
        """Version 2 is in force for good, CONF/weir.conf is another and was never applied, and nothing runs."""
        node = self.node.start()
        self.made(node.apply(self.second(), confirm_within="none"))
        node.write("weir.conf", config().replace("# two sites", "# never applied"))
        node.stop()
        shutil.rmtree(node.run)  # as after a boot
        os.mkdir(node.run)

    def made(self, answer: Answer) -> Answer:
        self.assertEqual(answer.status, 201, answer.raw)
        return answer

    def conditions(self) -> dict[tuple[str, str], str]:
        return {(r["code"], r["subject"]): r["text"] for r in self.node.ask("GET", "/v1/status").json["reasons"]}

    def check_refused(self, starts: int = 2, what: str = UNKNOWN) -> None:
        """Nothing takes the document's place, and the node says so."""
        before = self.files.read()
        for _ in range(starts):
            self.node.start()
            text = wait_for("the condition", lambda: self.conditions().get(REFUSED), 20)
            self.assertIn(f"document {self.files.number()} of version 2", text)
            self.assertIn(what, text)
            self.assertIn("weir rollback", text)
            status = self.node.ask("GET", "/v1/status").json
            self.assertEqual((status["state"], status["version"]), ("degraded", None))
            self.assertNotIn(("no-configuration", ""), self.conditions())
            self.assertNotIn("what was in force here stays", self.conditions().get(("version-refused", "version 2"), ""))
            self.assertEqual(self.files.read(), before)
            self.node.stop()
            self.assertEqual(self.files.read(), before)
        self.assertNotIn("effective-written", self.node.log().split("document-refused", 1)[1])

    def check_in_force(self, number: int, document: int) -> None:
        self.assertEqual(self.node.ask("GET", "/v1/status").json["version"]["number"], number)
        self.assertGreater(self.files.number(), document)
        wait_for("the condition's end", lambda: REFUSED not in self.conditions(), 20)


class Refused(Scene):
    def test_nothing_takes_the_place_of_what_is_refused(self) -> None:
        for what, older in ((KNOWN, UNKNOWN), False), ((KNOWN, UNKNOWN), True), (("192.0.2.53", "0.0.0.0"), True):
            with self.subTest(what=what, older=older):
                self.tearDown()
                self.setUp()
                self.begin()
                self.files.rename(*what)
                if older:
                    self.files.make_older()
                self.check_refused(what=what[1])

    def test_the_program_that_knows_the_setting_goes_on_as_if_nothing_had_been(self) -> None:
        self.begin()
        before = self.files.number()
        self.files.rename()
        self.check_refused(1)
        self.files.rename(UNKNOWN, KNOWN)
        self.node.start()
        self.check_in_force(2, before)
        self.assertNotIn("version-recovered", self.node.log())

    def test_a_person_rolls_back_or_applies(self) -> None:
        for how in "rollback", "apply":
            with self.subTest(how=how):
                self.tearDown()
                self.setUp()
                self.begin()
                document = self.files.number()
                self.files.rename()
                node = self.node.start()
                unseen = node.apply(node.files())
                self.assertEqual((unseen.status, unseen.code), (412, "not-here"), unseen.raw)
                self.assertIn("weir status", unseen.json["detail"])
                if how == "rollback":
                    answer = node.ask("POST", "/v1/versions/1/rollback", {"reason": "x"}, {"If-Match": "*"})
                else:
                    answer = node.apply(node.files(), replace=True)
                self.assertEqual(self.made(answer).json["version"]["number"], 3)
                self.check_in_force(3, document)
                node.stop()
                self.node.start()
                self.check_in_force(3, document + 1)

    def test_a_version_that_waits_to_be_confirmed_may_be_replaced_or_ended(self) -> None:
        for how in "rollback", "apply":
            with self.subTest(how=how):
                self.tearDown()
                self.setUp()
                node = self.node.start()
                self.made(node.apply(self.second(), confirm_within="1h"))
                node.stop()
                document = self.files.number()
                self.files.rename()
                node.start()
                answer = node.apply(node.files("# two", "# three"), replace=True)
                self.assertEqual((answer.status, answer.code), (409, "unconfirmed"), answer.raw)
                self.assertRegex(answer.json["detail"], r"version 2 by \S+ is not confirmed yet and goes back to version 1 at 20")
                if how == "rollback":
                    self.made(node.ask("POST", "/v1/versions/1/rollback", {"reason": "x"}, {"If-Match": "*"}))
                else:
                    self.made(node.apply(node.files("# two", "# three"), replace=True, pending="confirm"))
                self.check_in_force(1 if how == "rollback" else 3, document)

    def test_the_command_line_has_the_way_back(self) -> None:
        self.begin()
        self.files.rename()
        self.node.start()
        wait_for("the condition", lambda: REFUSED in self.conditions(), 20)
        done = self.weir("status")
        self.assertIn("effective.conf: document 2 of version 2: line", done.stdout)
        done = self.weir("rollback", "1", "--reason", "x")
        self.assertEqual(done.returncode, 0, done)
        self.check_in_force(3, 2)
        self.node.stop()
        self.files.rename("max_backends", "max_backands", 3)
        self.node.start()
        done = self.weir("apply", os.path.join(self.node.conf, "weir.conf"), "--reason", "x", "--replace")
        self.assertEqual(done.returncode, 0, done)
        self.check_in_force(4, 3)

    def weir(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        n = self.node
        return subprocess.run([WEIR, "--conf-dir", n.conf, "--state-dir", n.state, "--run-dir", n.run, "--node", n.name,
                               *arguments], capture_output=True, text=True, timeout=60, check=False)

    def test_drains_stay_and_new_ones_are_refused_in_words(self) -> None:
        self.node.start()
        self.made(self.node.apply(self.second(), confirm_within="none"))
        self.node.stop()
        done = self.weir("drain", "site", "fra", "--until", "never", "--reason", "alone", "--offline")
        self.assertEqual(done.returncode, 0, done)
        with contextlib.closing(sqlite3.connect(os.path.join(self.node.state, "store", "store.db"))) as db, db:
            db.execute("DELETE FROM overrides")  # as where the store failed
        self.files.rename()
        before = self.files.read()
        done = self.weir("drain", "site", "ams", "--until", "never", "--reason", "x", "--offline")
        self.assertNotEqual(done.returncode, 0, done)
        self.assertIn("the effective document is refused", done.stderr)
        self.assertEqual(self.files.read(), before)
        node = self.node.start()
        for answer in node.drain("ams"), node.ask("POST", "/v1/operations", {"do": "drain", "sites": ["ams"], "reason": "x"}):
            self.assertEqual(answer.status, 404, answer.raw)
            self.assertIn("the effective document is refused", answer.raw.decode())
        self.assertEqual([o["target"] for o in node.ask("GET", "/v1/overrides").json["items"]], [{"site": "fra"}])
        undrained = node.command("undrain", {"site": "fra"})
        self.assertIn("the effective document is refused", undrained.raw.decode())
        self.assertEqual(self.files.read(), before)
        self.made(node.ask("POST", "/v1/versions/1/rollback", {"reason": "x"}, {"If-Match": "*"}))
        self.assertIn('name = "fra"; generation', node.effective())
        self.assertNotIn('name = "ams"; generation', node.effective())

    def test_without_its_store_the_node_starts_nothing_either(self) -> None:
        self.begin()
        self.files.rename()
        shutil.rmtree(os.path.join(self.node.state, "store"))
        self.check_refused()
        document = self.files.number()
        node = self.node.start()
        self.assertEqual(self.made(node.apply(node.files())).json["version"]["number"], 3)
        self.check_in_force(3, document)

    def test_a_version_that_is_refused_without_a_document_starts_nothing(self) -> None:
        self.begin()
        self.files.rename()
        os.unlink(self.files.document)
        self.node.start()
        text = wait_for("the condition", lambda: self.conditions().get(("version-refused", "version 2")), 20)
        self.assertIn("nothing is in force here", text)
        self.assertFalse(os.path.exists(self.files.document))
        self.made(self.node.ask("POST", "/v1/versions/1/rollback", {"reason": "x"}, {"If-Match": "*"}))
        self.assertEqual(self.node.ask("GET", "/v1/status").json["version"]["number"], 3)

    def test_what_the_store_has_in_force_replaces_a_document_that_alone_is_refused(self) -> None:
        for damage in ('udp_idle = "30s"', 'udp_adle = "30s"'), ("schema", "\0"):
            with self.subTest(damage=damage):
                self.tearDown()
                self.setUp()
                self.begin()
                number = self.files.number()
                self.files.replace_in_document(*damage)
                self.node.start()
                self.assertEqual(self.node.ask("GET", "/v1/status").json["version"]["number"], 2)
                self.assertNotIn(REFUSED, self.conditions())
                if damage[0] != "schema":
                    self.assertGreater(self.files.number(), number)

    def test_a_node_that_runs_its_own_file_reads_it_again(self) -> None:
        apis = [f"https://127.0.0.1:{free_port()}" for _ in range(2)]
        for is_emptied in False, True:
            with self.subTest(is_emptied=is_emptied):
                self.tearDown()
                self.setUp()
                self.node.write("weir.conf", config(*apis).replace('mode = "ipip";', f'mode = "ipip"; {KNOWN} = "15m";', 1))
                self.node.start().stop()
                document = self.files.number()
                if is_emptied:
                    os.truncate(self.files.document, 0)
                else:
                    self.files.replace_in_version(1, KNOWN, UNKNOWN)
                    self.files.replace_in_document(KNOWN, UNKNOWN)
                self.node.start()
                self.check_in_force(1, 0 if is_emptied else document)


class Shared(Scene):
    def test_while_the_shared_store_is_silent_the_own_file_is_not_used(self) -> None:
        with shared(self.node):
            self.node.start()
            wait_for("version 1", lambda: self.node.apply(self.node.files(), confirm_within="none").status == 201)
            self.made(self.node.apply(self.second(), confirm_within="none"))
            self.node.write("weir.conf", config().replace("# two sites", "# never applied"))
            self.node.stop()
        self.files.rename()
        before = self.files.read()
        self.node.start()
        began = time.monotonic()
        wait_for("longer than a node waits for the store", lambda: time.monotonic() > began + 5)
        self.assertIn(REFUSED, self.conditions())
        self.assertEqual(self.files.read(), before)

    def test_a_shared_store_takes_the_way_back(self) -> None:
        text = config()
        begin, end = text.index(',\n  { name = "fra-1"'), text.index(" );\nchecks")
        with shared(self.node):
            self.node.start()
            wait_for("version 1", lambda: self.node.apply(self.node.files(), confirm_within="none").status == 201)
            self.made(self.node.apply({**self.node.files(), "weir.conf": text[:begin] + text[end:]}, confirm_within="none"))
            self.node.stop()
            document, before = self.files.number(), self.files.read()
            self.node.name = "fra-1"  # to whom version 2 has an error
            self.node.start()
            wait_for("the condition", lambda: "there is no node" in self.conditions().get(REFUSED, ""))
            wait_for("the refusal", lambda: ("version-refused", "version 2") in self.conditions())
            self.assertEqual(self.files.read(), before)
            wait_for("version 3", lambda: self.node.ask("POST", "/v1/versions/1/rollback", {"reason": "x"},
                                                        {"If-Match": "*"}).status == 201)
            self.check_in_force(3, document)

    def test_a_node_that_joins_runs_its_own_file_while_nobody_has_what_is_not_confirmed(self) -> None:
        text = config(*[f"https://127.0.0.1:{free_port()}" for _ in range(2)])
        with contextlib.closing(Node(MGMT, "fra-1", text)) as first, shared(first, self.node):
            self.node.write("weir.conf", text.replace("# two sites", "# own file"))
            first.start()
            wait_for("version 1", lambda: first.apply(first.files(), confirm_within="none").status == 201)
            self.made(first.apply(first.files("# two sites", "# second"), confirm_within="1h"))
            first.stop()
            self.node.start()
            answer = wait_for("the store", lambda: next((a for a in [self.node.apply(self.node.files("# own", "# other"))] if a.status == 409), None))
            self.assertEqual(answer.code, "unconfirmed", answer.raw)
            self.assertIn("version 2 by", answer.json["detail"])
            self.assertRegex(answer.json["detail"], "goes back to version 1 at 20")
            wait_for("longer than a node waits for the files", lambda: self.node.ask("GET", "/v1/status").json["version"], 60)
            self.check_in_force(1, 0)


if __name__ == "__main__":
    counted.main()
