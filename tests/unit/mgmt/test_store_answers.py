#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A node and a real store of one member, beside a node that says what the test wants: whole answers about the store.

Usage: test_store_answers.py [Store|Missing|Refused|Members] WEIR_MGMT
"""
from __future__ import annotations

import contextlib
import json
import os
import pwd
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import typing
import unittest

import counted
from api_node import Answer, Node, config, free_port, wait_for
from etcd_fake import HEADER, Fake, Keys
from fake_peer import Peer
from shared_store import ID, shared
from etcd_cluster import Authority, b64, running

PROGRAM = sys.argv.pop()
Row = dict[str, typing.Any]


class Store(unittest.TestCase):
    maxDiff = None

    def setUp(self) -> None:
        ports = self.own_port, port = free_port(), free_port()
        text = config(*(f"https://127.0.0.1:{p}" for p in ports))
        self.node = Node(PROGRAM, text=text.replace('dns_listen = [ "192.0.2.53" ];', 'dns_listen = [ "192.0.2.53" ]; clock = "trusted";'))
        self.etcd = self.enterContext(shared(self.node))
        self.peer = Peer(port, self.node)
        self.peer.answers["/v1/peer/exchange stage"] = (200, {"state": "staged"})
        self.addCleanup(self.peer.close)
        self.addCleanup(self.node.close)
        self.node.start()
        wait_for("the store", lambda: self.node.ask("GET", "/v1/store").json["state"] == "ready")
        wait_for("a configuration", lambda: self.node.ask("GET", "/v1/config").status == 200)

        answer = self.node.apply(self.node.files())
        self.assertEqual((answer.status, answer.json["files_at"]), (201, ["fra-1"]), answer.raw)
        self.member = self.etcd.members[0]

    def store(self) -> typing.Any:
        return self.node.ask("GET", "/v1/store").json

    def wait_until(self, state: str) -> None:
        wait_for(state, lambda: self.store()["state"] == state)

    def problem(self, status: int, code: str, detail: str) -> tuple[int, typing.Any]:
        """The whole answer."""
        return status, {"type": f"urn:weir:problem:{code}", "title": code.replace("-", " ").capitalize(), "status": status, "code": code, "detail": detail}

    def recover(self, what: str, if_match: str = "", **body: str) -> Answer:
        return self.node.ask("POST", f"/v1/store/{what}", {"reason": "a look", **body}, {"If-Match": if_match} if if_match else {})

    def test_a_rebuild_says_what_the_other_nodes_have_and_makes_the_store(self) -> None:
        self.assertEqual(self.problem(409, "store-not-empty", "the store has 2 records, and its newest version is 1: only an empty store is rebuilt "
                                      "(weir store accept takes this one as it is)"), (self.recover("rebuild").status, self.recover("rebuild").json))
        self.member.good("/v3/kv/deleterange", {"key": b64("\0"), "range_end": b64("\0")})
        self.wait_until("went-back")
        here: Row = {"has_copy": True, "epoch": 0, "newest": 1, "revision": 2, "digest": "d", "versions": []}
        # (what the other node says, or whether a copy with these numbers is newer than this node's)
        said: tuple[tuple[tuple[int, typing.Any], Row], ...] = (
            *(((200, copied), {**copied, "is_newer": newer}) for copied, newer in (
                (here, False), ({**here, "revision": 3}, True), ({**here, "revision": 1}, False), ({**here, "newest": 2, "revision": 1}, True),
                ({**here, "newest": 0, "revision": 9}, False), ({**here, "epoch": 1, "newest": 0, "revision": 0}, True),
                ({**here, "versions": [{"number": 2, "author": "ada", "reason": "x", "time": "2026-11-20T08:07:00.000Z"}]}, False))),
            ((200, {**here, "node": "fra-1", "cluster": "shop"}), {**here, "is_newer": False}),  # each is of this one's cluster
            ((200, {"has_copy": False}), {"failure": "it has no copy"}),
            ((200, {**here, "has_copy": 1}), {"failure": "it has no copy"}),
            ((200, {}), {"failure": "it has no copy"}),
            ((404, {"code": "not-found"}), {"failure": "HTTP status 404"}),
            ((500, b""), {"failure": "HTTP status 500"}),
            ((200, b"nothing"), {"failure": "the answer is not JSON"}),
        )
        whole: Row = {"id": ID, "dry_run": True, "epoch": 1, "store": {"newest": 0, "revision": 3, "epoch": 0},
                 "here": {"newest": 1, "revision": 2, "epoch": 0}, "reason": "its newest version is 0, and this node has version 1"}
        route: typing.Any = self.node.ask("GET", "/v1/openapi.json").json["paths"]["/v1/store/rebuild"]["post"]
        described = route["responses"]["2XX"]["content"]["application/json"]["schema"]["properties"]["copies"]["items"]
        for answer, shown in said:
            self.peer.answers["/v1/peer/exchange store"] = answer
            n_asked = len(self.peer.requests)
            found = self.recover("rebuild?dry_run=true")
            with self.subTest(str(answer)):
                self.assertEqual((found.status, found.json), (200, {**whole, "copies": [{"node": "fra-1", **shown}]}))
                question = {"node": "ams-1", "cluster": "shop", "query": "store", "after": 1}
                self.assertIn(("/v1/peer/exchange store", question), self.peer.requests[n_asked:])  # among those of the exchange
                for copy in found.json["copies"]:
                    self.assertLessEqual(set(described["required"]), set(copy))
                    self.assertLessEqual(set(copy), set(described["properties"]))
        self.peer.close()
        etag = f'"{ID}-1-0"'
        dry, changed = self.recover("rebuild?dry_run=true"), self.recover("rebuild", '"x"')
        self.assertEqual((dry.json["copies"], dry.headers["ETag"]), ([{"node": "fra-1", "failure": "Couldn't connect to server"}], etag))
        self.assertEqual((changed.status, changed.json), self.problem(412, "store-changed", "the store is not as it was shown: its next epoch is 1 now"))
        empty = self.recover("accept")
        self.assertEqual((empty.status, empty.json), self.problem(
            409, "store-empty", "the store has no newest version: weir store rebuild puts this node's copy into it"))
        done = self.recover("rebuild", etag)
        self.assertEqual((done.status, done.json), (200, {**whole, "dry_run": False, "copies": dry.json["copies"], "followed": True}))
        again = self.recover("rebuild", "*")
        self.assertEqual((again.status, again.json["code"]), (409, "store-not-empty"))
        self.wait_until("ready")
        store = self.store()
        self.assertEqual({**store, "silent_ms": 0, "revision": 0}, {
            "state": "ready", "reason": "", "id": ID, "silent_ms": 0, "revision": 0, "epoch": 1, "newest": 1, "in_force": 1, "here": 1, "goes_back_to": None,
            "files_missing": False, "members": None, "members_needed": None})

    def test_a_store_that_lost_its_newest_version_is_rebuilt(self) -> None:
        """It has other records, as a snapshot from before the first version has commands. They may be somebody else's where it says no id."""
        self.member.good("/v3/kv/deleterange", {"key": b64("/weir/"), "range_end": b64("/weir0")})
        self.wait_until("went-back")
        self.member.put("/weir/command/site/fra", "{}")
        other = self.recover("rebuild?dry_run=true")
        self.assertEqual((other.status, other.json), self.problem(
            409, "store-not-empty", "the store has 1 records, and its newest version is 0: only an empty store is rebuilt (it says no id, so they may be "
                                    "somebody else's)"))
        self.member.put("/weir/store", json.dumps({"id": ID, "epoch": 1, "nonce": "0123456789abcdef", "how": "begun", "time_ms": 1}))
        accepted = self.recover("accept")
        self.assertEqual((accepted.status, accepted.json["code"]), (409, "store-empty"), accepted.raw)
        done = self.recover("rebuild")
        self.assertEqual((done.status, done.json.get("followed")), (200, True), done.raw)
        self.wait_until("ready")
        self.assertIsNone(self.member.get("/weir/command/site/fra"))
        self.assertEqual(json.loads(self.member.get("/weir/head") or "{}")["number"], 1)

    def test_what_is_not_weirs_is_not_taken_for_a_silent_store(self) -> None:
        """While it is followed, and after what nobody has followed."""
        for while_away in (False, True):
            if while_away:
                self.node.stop()
            self.member.put("/weir/stray/" + "x" * 256, "{}")
            if while_away:
                self.node.start()
            with self.subTest(while_away=while_away):
                self.wait_until("unkept")
                self.assertRegex(self.store()["reason"], "^the key /weir/stray/x.* is not Weir's$")
                self.remove("stray/" + "x" * 256)
                self.wait_until("ready")
        self.member.put("/weir/stray/" + "x" * 256, "{}")
        self.wait_until("unkept")
        self.member.stop()
        self.wait_until("cut-off")

    def own_copy(self, after: int) -> typing.Any:
        """What this node tells another one of its copy."""
        question = {"node": "fra-1", "cluster": "shop", "query": "store", "after": after}
        told = typing.cast(typing.Any, self.node.ask_tcp(self.own_port, "POST", "/v1/peer/exchange", "p" * 40, question).json)
        self.assertEqual((told.pop("node"), told.pop("cluster")), ("ams-1", "shop"))
        return told

    def remove(self, name: str) -> None:
        self.member.good("/v3/kv/deleterange", {"key": b64(f"/weir/{name}")})

    def test_what_an_acceptance_loses_is_shown_before_it_is_done(self) -> None:
        nothing = self.problem(409, "nothing-to-accept", "the store has all that this node has of it: there is nothing to accept")
        for query in ("", "?dry_run=true"):
            answer = self.recover(f"accept{query}")
            self.assertEqual((answer.status, answer.json), nothing)
        head = self.member.get("/weir/head") or ""
        changed = self.node.apply(self.node.files("# two sites", "# 2 sites"), author="ann")
        self.assertEqual(changed.status, 201, changed.raw)
        version = {"number": 2, "author": "ann", "reason": "a test", "time": changed.json["version"]["time"]}
        copied = self.own_copy(1)
        first = self.own_copy(0)["versions"][1]
        self.assertEqual(copied, {"has_copy": True, "epoch": 0, "newest": 2, "revision": 3, "digest": changed.json["version"]["digest"], "versions": [version]})
        self.assertEqual((self.own_copy(0), self.own_copy(2)), ({**copied, "versions": [version, first]}, {**copied, "versions": []}))
        for name in ("head", "version/2"):
            self.remove(name)
        self.wait_until("went-back")
        empty = self.recover("accept")
        self.assertEqual((empty.status, empty.json), self.problem(
            409, "store-empty", "the store has no newest version: weir store rebuild puts this node's copy into it"))
        self.member.put("/weir/head", head)
        self.member.put("/weir/version/3", "nonsense")
        foreign = self.recover("accept?dry_run=true")
        self.assertEqual((foreign.status, foreign.json), self.problem(
            409, "store-differs", "no node can take the record version/3 of the store, which is not Weir's: nothing was changed"))
        self.remove("version/3")
        whole: Row = {"id": ID, "dry_run": True, "epoch": 1, "store": {"newest": 1, "revision": 8, "epoch": 0}, "here": {"newest": 2, "revision": 3, "epoch": 0},
                 "reason": "its newest version is 1, and this node has version 2", "n_lost": 1, "lost": [{**version, "what": "version"}]}
        dry, stale = self.recover("accept?dry_run=true"), self.recover("accept", '"x"')
        self.assertEqual((dry.status, dry.json, dry.headers["ETag"]), (200, whole, f'"{ID}-1-0"'))
        self.assertEqual((stale.status, stale.json), self.problem(412, "store-changed", "the store is not as it was shown: its next epoch is 1 now"))
        self.assertEqual((self.member.get("/weir/store"), self.store()["state"]), (None, "went-back"))
        done = self.recover("accept", dry.headers["ETag"], author="ann")
        self.assertEqual((done.status, done.json), (200, {**whole, "dry_run": False, "followed": True}))
        claim = json.loads(self.member.get("/weir/store") or "")
        self.assertEqual({k: v for k, v in claim.items() if k not in ("change", "nonce", "time_ms")},
                         {"author": "ann", "epoch": 1, "how": "accepted", "id": ID, "node": "ams-1", "principal": pwd.getpwuid(os.geteuid()).pw_name, "reason": "a look"})
        self.wait_until("ready")
        self.assertEqual({**self.store(), "silent_ms": 0}, {
            "state": "ready", "reason": "", "id": ID, "silent_ms": 0, "revision": 9, "epoch": 1, "newest": 1, "in_force": 1, "here": 1, "goes_back_to": None,
            "files_missing": False, "members": None, "members_needed": None})
        again = self.recover("accept")
        self.assertEqual((again.status, again.json), nothing)

    def test_an_acceptance_is_written_to_the_etcd_that_was_compared_alone(self) -> None:
        """The members that store.conf names now are of another etcd, 8, and one of them is of a third by the time of the write."""
        keys = Keys()
        for name in ("/weir/head", "/weir/version/1"):
            keys.set(name, 5, self.member.get(name) or "")
        keys.set("/weir/store", 6, json.dumps({"id": ID, "epoch": 1, "nonce": "0123456789abcdef", "unfinished": False, "how": "begun", "node": "",
                                               "author": "", "reason": "", "principal": "", "time_ms": 1790000000000}))

        def of(cluster: str) -> dict[str, str]:
            return {**HEADER, "cluster_id": cluster}

        def recover(cluster: str) -> tuple[Answer, Answer, Fake]:
            """A dry run and an acceptance, with members that say at the write of which etcd they are."""
            fake = Fake(range=[lambda body: {**keys.range(body), "header": of("8")}], status=[{"header": of(cluster), "version": "3.4.23"}],
                        txn=[lambda body: {**keys.failure(body), "header": of(cluster)}])
            self.addCleanup(fake.close)
            self.node.write("store.conf", json.dumps({"id": ID, "endpoints": [fake.url]}))
            return self.recover("accept?dry_run=true"), self.recover("accept"), fake

        for cluster, status, code, text, n_written in (
                ("9", 503, "store-unavailable", "the store cannot be written (%s: this is cluster 9, not 8)", 0),
                ("8", 412, "store-changed", "another came first: the store's record is another now", 1)):
            dry, refused, fake = recover(cluster)
            with self.subTest(cluster):
                self.assertEqual((dry.status, {**dry.json, "reason": re.sub("cluster [0-9a-f]{9,16}", "cluster N", dry.json["reason"])}), (200, {
                    "id": ID, "dry_run": True, "epoch": 2, "store": {"newest": 1, "revision": 9, "epoch": 1}, "here": {"newest": 1, "revision": 2, "epoch": 0},
                    "reason": "the members are of cluster 8 (epoch 1), and this node has a copy of cluster N (epoch 0)", "n_lost": 0, "lost": []}))
                self.assertEqual((refused.status, refused.json), self.problem(status, code, text.replace("%s", fake.url)))
                self.assertEqual([path for path, _ in fake.requests], ["range"] * 4 + ["status"] + ["txn"] * n_written)

    def test_files_are_kept_as_they_were_offered_or_not_at_all(self) -> None:
        offer: typing.Any = {**self.peer.bodies("/v1/peer/exchange stage")[0], "node": "fra-1"}
        self.assertEqual(offer["files"], self.node.files())
        of, files = {"node": "ams-1", "cluster": "shop"}, offer["files"]
        good, bad = (200, {"state": "staged", **of}), (200, {"state": "refused", "why": "Invalid argument", **of})
        rows: tuple[tuple[str, Row, tuple[int, typing.Any]], ...] = (
            ("as they are", {}, good),
            ("one has another byte", {"files": {**files, "weir.conf": files["weir.conf"].replace("two", "TWO")}}, bad),
            ("one more", {"files": {**files, "other.zone": "x"}}, bad),
            ("one less", {"files": {"weir.conf": files["weir.conf"]}}, bad),
            ("none", {"files": {}}, bad),
            ("no files", {"files": ["weir.conf"]}, bad),
            ("another version", {"version": {**offer["version"], "digest": 64 * "a"}}, bad),
            ("no version", {"version": 7}, self.problem(400, "bad-request", "expected a version")),
            ("another cluster", {"cluster": "x"}, self.problem(409, "other-cluster", "this node belongs to another cluster or has no configuration yet")),
            ("as they are, again", {}, good),
        )
        for why, change, expected in rows:
            answer = self.node.ask_tcp(self.own_port, "POST", "/v1/peer/exchange", "p" * 40, {**offer, **change})
            with self.subTest(why):
                self.assertEqual((answer.status, answer.json), expected)

    def test_a_node_that_waits_for_its_first_version_does_not_say_that_a_document_lacks_who_asks(self) -> None:
        self.node.stop()
        shutil.rmtree(self.node.state)
        os.mkdir(self.node.state)
        self.node.write("weir.conf", self.node.files()["weir.conf"] + "# other files than the version's, which nobody gives it\n")
        self.node.start()
        self.assertEqual(self.node.ask("GET", "/v1/config").status, 404)
        rows: list[Row] = [{"query": "operations"}, {"query": "withdrawals", "incarnation": 16 * "0", "questions": []}]
        for body in rows:
            answer = self.node.ask("POST", "/v1/peer/exchange", {"node": "fra-1", "cluster": "shop", **body})
            with self.subTest(body):
                self.assertEqual((answer.status, answer.json), self.problem(
                    409, "other-cluster", "this node belongs to another cluster or has no configuration yet"))

    def test_who_asks_with_a_later_change_of_the_store_is_answered_once_it_is_here(self) -> None:
        asked: Row = {"node": "fra-1", "cluster": "shop", "query": "operations"}
        for revision, least_s in ((1, 0), (1000, 0.3)):
            began = time.monotonic()
            answer = self.node.ask("POST", "/v1/peer/exchange", {**asked, "revision": revision})
            with self.subTest(revision):
                self.assertEqual((answer.status, answer.json["levels"]), (200, []))
                self.assertGreaterEqual(time.monotonic() - began, least_s)

    def begin_operation(self) -> str:
        """A drain of the own site, which the other node owns. @return its id"""
        self.peer.answers["/v1/peer/exchange operations"] = (200, {"node": "fra-1", "cluster": "shop", "levels": [], "dns": True, "measure": {}})
        begun = self.node.ask("POST", "/v1/operations", {"do": "drain", "sites": ["ams"], "reason": "a look", "override_guards": [
            "last-site", "max-sites-out", "room", "receivers", "fresh", "share"]})
        self.assertEqual(begun.status, 201, begun.raw)
        id = str(begun.json["id"])
        wait_for("its owner", lambda: self.node.ask("GET", f"/v1/operations/{id}").json["owner"] == "fra-1")
        return id

    def test_operations_are_followed_while_the_disk_keeps_nothing(self) -> None:
        id = self.begin_operation()
        key = f"/weir/operation/{id}"
        record = json.loads(self.member.get(key) or "")
        assert self.node.process
        was = self.store()
        for number, state in enumerate(("moving", "held", "moving", "aborted")):
            if number == 1:
                resource.prlimit(self.node.process.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
            record.update(state=state, seq=record["seq"] + 1, change=f"{number:032x}")
            self.member.put(key, json.dumps(record))
            wait_for(state, lambda: self.node.ask("GET", f"/v1/operations/{id}").json["state"] == state)
            shown = self.node.ask("GET", f"/v1/operations/{id}").json
            self.assertEqual((shown["seq"], shown["owner"], shown["sites"]), (record["seq"], "fra-1", ["ams"]))
            if number:
                self.wait_until("unkept")
        wait_for("no copy", lambda: self.store()["revision"] is None)
        self.assertEqual({**self.store(), "silent_ms": 0}, {**was, "silent_ms": 0, "state": "unkept", "revision": None, "epoch": None,
                                                            "reason": "this node's disk cannot keep what the store holds"})
        refused = self.node.apply(self.node.files("# two sites", "# 2 sites"))
        self.assertEqual(refused.status, 503, refused.raw)
        for what in ("rebuild", "accept"):
            answer = self.recover(what)
            self.assertEqual((answer.status, answer.json), self.problem(
                503, "store", "this node's copy cannot be read (Read-only file system): nothing was changed"))
        resource.prlimit(self.node.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        self.wait_until("ready")
        self.assertEqual({**self.store(), "silent_ms": 0}, {**was, "silent_ms": 0, "revision": was["revision"] + 4})
        self.assertEqual(self.node.ask("GET", f"/v1/operations/{id}").json["state"], "aborted")

    def test_a_disk_that_failed_before_a_change_came(self) -> None:
        """An event that could not be kept has said so first: the copy is behind all the same."""
        id = self.begin_operation()
        key = f"/weir/operation/{id}"
        assert self.node.process
        resource.prlimit(self.node.process.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
        self.assertEqual(self.node.command("disable", {"pool": "web-ams", "backend": "b1"}, until="+1h").status, 202)
        wait_for("that is said", lambda: "store-failing" in str(self.node.ask("GET", "/v1/status").json["reasons"]))
        record = json.loads(self.member.get(key) or "")
        record.update(state="held", seq=record["seq"] + 1, change=f"{7:032x}")
        self.member.put(key, json.dumps(record))
        wait_for("it is held", lambda: self.node.ask("GET", f"/v1/operations/{id}").json["state"] == "held")
        self.wait_until("unkept")
        resource.prlimit(self.node.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        self.wait_until("ready")
        self.assertEqual(self.node.ask("GET", f"/v1/operations/{id}").json["state"], "held")

    def put_on_small_disk(self) -> str:
        """The state of the node, which was stopped. @return a file that fills the rest"""
        was = self.node.state + ".was"
        subprocess.run(["cp", "-a", self.node.state, was], check=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=0755", "none", self.node.state], check=True)
        self.addCleanup(lambda: subprocess.run(["umount", "-l", self.node.state], check=False))
        subprocess.run(["cp", "-a", was + "/.", self.node.state], check=True)
        return os.path.join(self.node.state, "junk")

    def test_a_node_that_started_with_a_full_disk_follows_once_there_is_room(self) -> None:
        self.node.stop()
        junk = self.put_on_small_disk()
        with open(junk, "wb", buffering=0) as f, contextlib.suppress(OSError):
            while True:
                f.write(bytes(4096))
        self.node.start()
        self.wait_until("unkept")
        self.assertEqual(self.store()["reason"], "this node's disk keeps nothing now")
        self.assertEqual(self.node.apply(self.node.files("# two sites", "# 2 sites")).status, 503)
        os.remove(junk)
        self.wait_until("ready")
        self.assertEqual(self.store()["reason"], "")  # the earlier one is over
        answer = self.node.apply(self.node.files("# two sites", "# 2 sites"))
        self.assertEqual((answer.status, self.store()["newest"]), (201, 2), answer.raw)

    def test_a_copy_of_another_store_is_named(self) -> None:
        self.node.stop()
        other = "f" * 32
        with open(os.path.join(self.node.conf, "store.conf"), encoding="utf-8") as f:
            self.node.write("store.conf", f.read().replace(ID, other))
        self.node.start()
        self.wait_until("other")
        self.assertEqual(self.store()["reason"], f"store.conf names the store {other} /weir/, and this node has a copy of {ID} /weir/")
        why = wait_for("the reason", lambda: [w for w in self.node.ask("GET", "/v1/status").json["reasons"] if w["code"] == "store-differs"])[0]
        self.assertTrue(why["text"].endswith(": this node keeps what it has, and takes no configuration; correct the wrong one (handbook)"), why)

    def test_an_operation_is_shown_as_of_then_while_the_store_is_silent(self) -> None:
        id = self.begin_operation()
        self.assertNotIn("warnings", self.node.ask("GET", f"/v1/operations/{id}").json)
        self.member.stop()
        self.wait_until("cut-off")
        self.assertEqual(self.node.ask("GET", f"/v1/operations/{id}").json["warnings"], [
            "the store is not reached: this is as it was known last, and no step begins until it is reached (weir store status). "
            "Without it: weir undrain site ams --scheduled --reason TEXT"])
        self.member.start()
        self.wait_until("ready")
        self.assertNotIn("warnings", self.node.ask("GET", f"/v1/operations/{id}").json)

    def test_a_dry_run_of_what_another_node_owns_needs_the_store_there_alone(self) -> None:
        id = self.begin_operation()
        key = f"/weir/operation/{id}"
        record = json.loads(self.member.get(key) or "")
        self.member.put(key, json.dumps({**record, "state": "resting", "seq": record["seq"] + 1, "change": f"{1:032x}"}))
        wait_for("its rest", lambda: self.node.ask("GET", f"/v1/operations/{id}").json["state"] == "resting")
        self.member.stop()
        self.wait_until("cut-off")
        body = {"do": "drain", "sites": ["ams"], "reason": "a look", "override_guards": ["last-site", "max-sites-out", "room", "receivers", "fresh", "share"]}
        dry = self.node.ask("POST", "/v1/operations?dry_run=true", body)
        self.assertEqual((dry.status, dry.json.get("id"), dry.json.get("preflight", {}).get("would_begin")), (200, id, True), dry.raw)
        order = "/v1/peer/exchange order"
        self.peer.answers["/v1/peer/exchange operations"][1]["boot_ms"] = 1000
        self.peer.answers[order] = (200, {"status": 200, "json": {"id": id}})
        real = self.node.ask("POST", "/v1/operations", body)
        self.assertEqual((real.status, real.json, [(b["id"], b["order"]) for b in self.peer.bodies(order)]), (200, {"id": id}, [(id, "further")]), real.raw)

    def dry_runs(self) -> list[tuple[str, Row]]:
        """All changes that the store decides; version 2 is not confirmed."""
        self.peer.answers["/v1/peer/exchange operations"] = (200, {"node": "fra-1", "cluster": "shop", "levels": [], "dns": True, "measure": {}})
        guards = ["last-site", "max-sites-out", "room", "receivers", "fresh", "share", "unconfirmed"]
        files = self.node.files("# two sites", "# two other sites")
        return [("/v1/config/apply", {"files": files, "pending": "confirm"}), ("/v1/versions/1/rollback", {"pending": "join"}),
                ("/v1/versions/2/confirm", {}), ("/v1/operations", {"do": "drain", "sites": ["ams"], "override_guards": guards}),
                ("/v1/operations", {"do": "shift", "sites": ["fra"], "level": "30%", "until": "never", "override_guards": guards})]

    def ask_change(self, path: str, body: Row) -> tuple[int, typing.Any]:
        a = self.node.ask("POST", path, {"reason": "a test", **body}, {"If-Match": "*"})
        return a.status, {**a.json, "detail": re.sub(r"\d+ ms", "N ms", a.json.get("detail", ""))}

    def test_a_dry_run_is_refused_as_the_change_itself_while_the_store_decides_nothing(self) -> None:
        changed = self.node.apply(self.node.files("# two sites", "# 2 sites"), confirm_within="1h")
        self.assertEqual(changed.status, 201, changed.raw)
        alarm = {"memberID": self.member.status()["header"]["member_id"], "alarm": "NOSPACE"}
        for state in ("full", "cut-off", "ready"):
            if state == "full":
                self.member.good("/v3/maintenance/alarm", {**alarm, "action": "ACTIVATE"})
            elif state == "cut-off":
                self.member.good("/v3/maintenance/alarm", {**alarm, "action": "DEACTIVATE"})
                self.member.stop()
            else:
                self.member.start()
            self.wait_until(state)
            for path, body in self.dry_runs():
                dry = self.ask_change(path + "?dry_run=true", body)
                with self.subTest((state, path)):
                    if state == "ready":
                        self.assertEqual((dry[0], dry[1]["dry_run"], dry[1].get("preflight", {}).get("would_begin", True)), (200, True, True), dry)
                        continue
                    self.assertEqual((dry[0], dry[1].get("code")), (503, "store-unavailable"), dry)
                    self.assertEqual(dry, self.ask_change(path, body))
            same = [self.ask_change("/v1/config/apply" + query, {"files": self.node.files("# two sites", "# 2 sites"), "pending": "join"})[0]
                    for query in ("?dry_run=true", "")]
            self.assertEqual(same, [503, 503] if state == "cut-off" else [200, 200], "nothing would change")
            plan = self.node.ask("POST", "/v1/config/plan", {"files": self.node.files()})  # what a document would do is no matter of the store
            self.assertEqual(plan.status, 200, plan.raw)
        self.assertEqual(self.node.ask("GET", "/v1/operations").json["items"], [])

    def test_a_deadline_that_is_over_while_the_store_is_silent_is_said(self) -> None:
        answer = self.node.apply(self.node.files("# two sites", "# 2 sites"), confirm_within="3s")
        self.assertEqual((answer.status, answer.json["version"]["state"]), (201, "unconfirmed"), answer.raw)
        self.member.stop()
        wait_for("it is back", lambda: [v["state"] for v in self.node.ask("GET", "/v1/versions").json["items"]] == ["waiting", "in_force"])
        events = [e["message"] for e in self.node.ask("GET", "/v1/events").json["items"] if e["kind"] == "version"]
        self.assertIn("version 2 was not confirmed in time: this node goes back to version 1 until the store says which", events)
        self.member.start()
        wait_for("its end", lambda: [v["state"] for v in self.node.ask("GET", "/v1/versions").json["items"]] == ["ended", "in_force"])

    def test_a_full_store_says_so_and_what_it_refuses(self) -> None:
        changed = self.node.apply(self.node.files("# two sites", "# 2 sites"), confirm_within="10m")
        self.assertEqual(changed.status, 201, changed.raw)
        alarm = {"memberID": self.member.status()["header"]["member_id"], "alarm": "NOSPACE"}
        reads = self.member.get("/weir/head")
        full: Row = {**self.store(), "state": "full", "silent_ms": 0}

        def told() -> list[str]:
            return [w["text"] for w in self.node.ask("GET", "/v1/status").json["reasons"] if w["code"] == "store-full"]

        for refused_first in (True, False):
            self.member.good("/v3/maintenance/alarm", {**alarm, "action": "ACTIVATE"})
            if refused_first:
                refused = self.node.ask("POST", "/v1/versions/2/confirm", {"reason": "x"})
                self.assertEqual((refused.status, refused.json), self.problem(
                    503, "store-unavailable", "the store is full: nothing was changed; weir store check shows how to make room"))
                self.assertEqual(self.store()["state"], "full")  # at once
            self.wait_until("full")  # by what a member says
            self.assertEqual({**self.store(), "silent_ms": 0}, full)
            self.assertEqual(wait_for("the reason", told), [
                "weir-mgmt: the store is full (etcd's alarm NOSPACE): apply, confirm, rollback and operations are refused, and a version that is not confirmed "
                "goes back at its deadline. Compact, defragment each member, disarm the alarm: weir store check (as root) shows the commands"])
            self.member.good("/v3/maintenance/alarm", {**alarm, "action": "DEACTIVATE"})
            wait_for("its end, which is looked for every ten seconds", lambda: self.store()["state"] == "ready", 25)
            wait_for("the end of the reason", lambda: not told())
        self.assertEqual(self.member.get("/weir/head"), reads)
        self.member.good("/v3/maintenance/alarm", {**alarm, "action": "ACTIVATE"})
        self.assertEqual(self.node.ask("POST", "/v1/versions/2/confirm", {"reason": "x"}).status, 503)
        self.member.good("/v3/maintenance/alarm", {**alarm, "action": "DEACTIVATE"})
        self.assertEqual((self.node.ask("POST", "/v1/versions/2/confirm", {"reason": "x"}).status, self.store()["state"]), (200, "ready"))  # a write ends it at once

    def test_a_store_that_is_silent_is_named_with_its_time(self) -> None:
        self.member.stop()
        self.wait_until("cut-off")  # after six seconds
        store = self.store()
        reason = f"{self.member.url}: Failed to connect to 127.0.0.1 port {self.member.client} after N ms: Couldn't connect to server"
        self.assertEqual({**store, "silent_ms": 0, "reason": re.sub(r"\d+ ms", "N ms", store["reason"])}, {
            "state": "cut-off", "reason": reason, "id": ID, "silent_ms": 0, "revision": 2, "epoch": 0, "newest": 1, "in_force": 1, "here": 1,
            "goes_back_to": None, "files_missing": False, "members": None, "members_needed": None})
        self.assertGreaterEqual(store["silent_ms"], 6000)
        why = wait_for("the reason", lambda: [w for w in self.node.ask("GET", "/v1/status").json["reasons"] if w["code"] == "store-cut-off"])[0]
        seconds = re.fullmatch(r"weir-mgmt: the store was not reached for (\d+) s \(http://127.*\): this node keeps what it has, and takes no configuration", why["text"])
        assert seconds, why
        self.assertIn(int(seconds[1]), range(6, self.store()["silent_ms"] // 1000 + 1))
        refused = self.node.apply(self.node.files("# two sites", "# 2 sites"))
        self.assertEqual((refused.status, refused.json["code"]), (503, "store-unavailable"))
        self.member.start()
        self.wait_until("ready")
        self.assertEqual(self.node.apply(self.node.files("# two sites", "# 2 sites")).status, 201)


class Missing(unittest.TestCase):
    """A configuration of two nodes, and no store.conf."""

    def test_a_dry_run_is_refused_as_the_change_itself(self) -> None:
        text = config(f"https://127.0.0.1:{free_port()}", "https://127.0.0.1:1")
        node = Node(PROGRAM, text=text.replace('dns_listen = [ "192.0.2.53" ];', 'dns_listen = [ "192.0.2.53" ]; clock = "trusted";'))
        self.addCleanup(node.close)
        node.start()
        wait_for("a configuration", lambda: node.ask("GET", "/v1/config").status == 200)
        guards = ["last-site", "max-sites-out", "room", "receivers", "fresh", "share"]
        changes: list[tuple[str, Row]] = [
            ("/v1/config/apply", {"files": node.files("# two sites", "# 2 sites")}), ("/v1/versions/1/rollback", {}),
            ("/v1/operations", {"do": "drain", "sites": ["ams"], "override_guards": guards, "without": ["fra-1"]})]
        for path, body in changes:
            with self.subTest(path):
                dry, real = (node.ask("POST", path + query, {"reason": "a test", **body}, {"If-Match": "*"}) for query in ("?dry_run=true", ""))
                self.assertEqual((dry.status, dry.json.get("code"), dry.json), (503, "store-unavailable", real.json), real.raw)


class Refused(unittest.TestCase):
    """A store.conf that is wrong: the node says what is wrong, takes no configuration, and stops as any other."""
    maxDiff = None
    GOOD: Row = {"id": ID, "endpoints": ["https://127.0.0.1:1"]}

    def test_what_is_wrong_is_said(self) -> None:
        endpoint = 'is not "https://HOST:PORT" or "http://HOST:PORT"'
        rows: list[tuple[Row | str, str, str]] = [
            ("{", "", "store.conf:1: string or '}' expected near end of file"),
            ({**self.GOOD, "id": ID[1:]}, "", "store.conf: id must have 32 digits 0-9 and a-f"),
            ({**self.GOOD, "endpoints": []}, "", "store.conf: endpoints must name at least one member of etcd"),
            ({**self.GOOD, "endpoints": ["etcd-1:2379"]}, ID, "endpoint 0 " + endpoint),
            ({**self.GOOD, "endpoints": ["https://127.0.0.1:1", "ftp://127.0.0.1:1"]}, ID, "endpoint 1 " + endpoint),
            ({**self.GOOD, "prefix": "weir"}, "", 'store.conf: prefix must begin and end with a slash, as "/weir/"'),
            ({**self.GOOD, "key": "tls.key"}, "", "store.conf: certificate and key need each other"),
            ({**self.GOOD, "user": "weir"}, "", "store.conf: user and password_file need each other"),
            ({**self.GOOD, "endpoint": "x"}, "", 'store.conf: there is no setting "endpoint"'),
        ]
        node = Node(PROGRAM, text=config("https://127.0.0.1:1", "https://127.0.0.1:2"))
        self.addCleanup(node.close)
        for conf, id, reason in rows:
            node.write("store.conf", conf if isinstance(conf, str) else json.dumps(conf))
            os.chmod(os.path.join(node.conf, "store.conf"), 0o640)
            node.start()
            with self.subTest(reason=reason):
                self.assertEqual({**node.ask("GET", "/v1/store").json, "silent_ms": 0}, {
                    "state": "refused", "reason": reason, "id": id, "silent_ms": 0, "revision": 0, "epoch": 0, "newest": None, "in_force": None,
                    "here": 1, "goes_back_to": None, "files_missing": False, "members": None, "members_needed": None})
                said = [r["text"] for r in node.ask("GET", "/v1/status").json["reasons"] if r["code"] == "store-cut-off"]
                self.assertEqual(said, [f"store.conf: {reason.removeprefix('store.conf: ')}: correct the file, then systemctl restart weir; "
                                        "until then this node keeps what it has, and takes no configuration"])
                self.assertEqual(node.ask("GET", "/v1/config").json["number"], 1)
                refused = node.apply(node.files("# two sites", "# 2 sites"))
                self.assertEqual((refused.status, refused.json["code"], refused.json["detail"]),
                                 (503, "store-unavailable", f"the store cannot be reached ({reason}): nothing was changed"))
                quoted = reason.replace('"', '\\"')
                self.assertEqual(node.log().count(f'store-conf-refused reason="{quoted}"\n'), 1)
            node.stop()


class Members(unittest.TestCase):
    """Three members that are reached by TLS."""
    maxDiff = None

    def test_a_member_that_does_not_answer_is_said_until_it_does(self) -> None:
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="weir-ca."))
        authority = Authority(os.path.join(folder, "ca"))
        etcd = self.enterContext(running(3, certificates=authority.folder))
        node = Node(PROGRAM, text=config("https://127.0.0.1:%d" % free_port()))
        self.addCleanup(node.close)
        node.write("store.conf", json.dumps({"id": ID, "endpoints": [m.url for m in etcd.members], "ca": authority.path("ca.crt"),
                                             "certificate": authority.path("client.crt"), "key": authority.path("client.key")}))
        os.chmod(os.path.join(node.conf, "store.conf"), 0o640)
        node.start()

        def members() -> dict[str, Row]:
            return {m["name"]: m for m in node.ask("GET", "/v1/store").json["members"] or []}

        def told() -> list[Row]:
            return [w for w in node.ask("GET", "/v1/status").json["reasons"] if w["code"] == "store-member-silent"]

        names = {m.name for m in etcd.members}
        wait_for("all are known", lambda: {n for n, m in members().items() if m["state"] == "answers"} == names)
        self.assertEqual(told(), [])
        lost = etcd.members[2]
        lost.stop()
        stopped = time.monotonic()
        wait_for("it is noticed", lambda: members()["m2"]["state"] == "unknown", 60)
        wait_for("it is said", lambda: members()["m2"]["state"] == "silent", 60)
        self.assertGreater(time.monotonic() - stopped, 30)
        found = members()
        self.assertEqual({n: m["state"] for n, m in found.items()}, {"m0": "answers", "m1": "answers", "m2": "silent"})
        self.assertEqual({k: found["m0"][k] for k in ("endpoint", "since", "reason")}, {"endpoint": etcd.members[0].url, "since": None, "reason": ""})
        self.assertRegex(found["m2"]["reason"], f"^{lost.url}: .*Couldn't connect")
        self.assertEqual((node.ask("GET", "/v1/store").json["state"], node.ask("GET", "/v1/store").json["members_needed"]), ("ready", 2))
        reason = wait_for("the condition", told)[0]
        self.assertEqual((node.ask("GET", "/v1/status").json["state"], reason["text"]), (
            "degraded", f"m2: no answer of this member of the store since {found['m2']['since']}: 2 of 3 are left, 2 are needed: with the next loss "
            "configuration is frozen. Start it; if its host is lost: weir store remove m2"))
        lost.start()
        wait_for("it answers", lambda: members()["m2"]["state"] == "answers")
        wait_for("the end of the condition", lambda: not told())


if __name__ == "__main__":
    if not shutil.which("etcd"):
        print("0 passed, 0 failed, 1 skipped")
        sys.exit(77)
    counted.main()
