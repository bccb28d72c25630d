#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Whole weir-mgmt whose store is lost, goes back, or is another one: what they refuse, and what a person makes good.

Usage: lab_fleet_recovery.py [--nodes N] [TEST ...]

Each test has three real members of etcd of its own, and N nodes at three sites (3).
"""
from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import typing
import unittest

from etcd_cluster import Cluster as Etcd
from etcd_cluster import b64, running

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "unit", "mgmt"))
import counted  # noqa: E402
from api_node import Answer, Node, free_port, freeze, wait_for  # noqa: E402
from cluster3 import config, node_names  # noqa: E402
from shared_store import ID  # noqa: E402

BUILD = os.environ.get("WEIR_BUILD", "build")
PROGRAM = os.path.join(BUILD, "mgmt", "api", "weir-mgmt")
WEIR = os.path.join(BUILD, "mgmt", "cli", "weir")
NODES = 3
PREFIX = "/weir/shop/"


def claim(epoch: int = 1, nonce: str = "00000000000000aa", **more: typing.Any) -> str:
    return json.dumps({"id": ID, "epoch": epoch, "nonce": nonce, "how": "begun", **more})


class Recovery(unittest.TestCase):
    def setUp(self) -> None:
        self.n_changes = 0
        self.etcd = self.enterContext(running(3))
        self.etcd.members[0].put(PREFIX + "store", claim())
        text = config([f"https://127.0.0.1:{free_port()}" for _ in range(NODES)])
        self.nodes = [Node(PROGRAM, name, text) for name in node_names(NODES)]
        conf = {"id": ID, "endpoints": [m.url for m in self.etcd.members], "prefix": PREFIX}
        for node in self.nodes:
            self.addCleanup(node.close)
            node.write("store.conf", json.dumps(conf))
            os.chmod(os.path.join(node.conf, "store.conf"), 0o640)
            node.start()
        self.wait_all("ready")
        self.first = self.change(self.nodes[0])

    # what is asked

    def head(self, node: Node) -> tuple[int, str]:
        v = node.ask("GET", "/v1/config").json
        return v.get("number", 0), v.get("digest", "")

    def store(self, node: Node) -> typing.Any:
        return node.ask("GET", "/v1/store").json

    def conditions(self, node: Node) -> dict[str, str]:
        return {r["code"]: r["text"] for r in node.ask("GET", "/v1/status").json["reasons"]}

    def apply(self, node: Node, **more: typing.Any) -> Answer:
        self.n_changes += 1
        return node.apply(node.files("weight = 100", f"weight = {100 + self.n_changes}"), replace=True, **more)

    def change(self, node: Node, **more: typing.Any) -> int:
        """A change that all nodes have. @return its number"""
        answer = self.apply(node, **more)
        self.assertEqual(answer.status, 201, answer.raw)
        return self.wait_equal(answer.json["version"]["number"])

    def change_often(self, times: int, **more: typing.Any) -> None:
        """Changes at one node, which all nodes have."""
        for _ in range(times):
            answer = self.apply(self.nodes[1], **more)
            self.assertEqual(answer.status, 201, answer.raw)
        self.wait_equal(self.head(self.nodes[1])[0])

    def wait_all(self, state: str) -> None:
        try:
            wait_for("", lambda: all(self.store(n)["state"] == state for n in self.nodes), 30)
        except AssertionError:
            raise AssertionError(f"not all {state}: {[self.store(n) for n in self.nodes]}") from None

    def wait_equal(self, number: int) -> int:
        try:
            wait_for("", lambda: {self.head(n)[0] for n in self.nodes} == {number} and len({self.head(n) for n in self.nodes}) == 1, 30)
        except AssertionError:
            raise AssertionError(f"not all at {number}: {[(self.head(n), self.store(n)) for n in self.nodes]}") from None
        return number

    def assert_refused(self, state: str) -> None:
        """What is in force stays; no change is taken, also after a restart of one."""
        self.nodes[0].stop()
        self.nodes[0].start()
        self.wait_all(state)
        for node in self.nodes:
            answer = self.apply(node)
            self.assertEqual((answer.status, answer.code), (503, "store-unavailable"), answer.raw)

    # what happens to members

    def stop_members(self) -> None:
        for member in self.etcd.members:
            member.stop()

    def start_members(self) -> None:
        self.etcd.start()

    def keep_backup(self) -> None:
        """All members' data, as it is now."""
        self.stop_members()
        for member in self.etcd.members:
            shutil.copytree(member.folder, member.folder + ".backup")
        self.start_members()
        self.wait_all("ready")

    def restore_backup(self) -> None:
        self.stop_members()
        for member in self.etcd.members:
            shutil.rmtree(member.folder)
            os.rename(member.folder + ".backup", member.folder)
        self.start_members()

    def lose_members(self, token: str = "") -> None:
        """Their data is gone; they begin anew, with another @token as another cluster."""
        self.stop_members()
        for member in self.etcd.members:
            shutil.rmtree(member.folder)
            member.start(*(("--initial-cluster-token", token) if token else ()))
        for member in self.etcd.members:
            wait_for("it answers", member.is_ready)

    # the tests

    def test_a_another_etcd_is_refused_by_all(self) -> None:
        """At the same endpoints, with a store of that id, more revisions and a higher version."""
        before = self.change(self.nodes[1])
        records = self.etcd.members[0].good("/v3/kv/range", {"key": b64(PREFIX), "range_end": b64(PREFIX[:-1] + "0")})
        own = int(records["header"]["cluster_id"])
        self.lose_members("another")
        member = self.etcd.members[0]
        for kv in records["kvs"]:
            member.good("/v3/kv/put", {"key": kv["key"], "value": kv["value"]})
        for i in range(int(records["header"]["revision"]) + 5):
            revision = member.put("/else", str(i))
        self.assertGreater(revision, int(records["header"]["revision"]))
        self.wait_all("other")
        foreign = int(member.status()["header"]["cluster_id"])
        for node in self.nodes:
            text = wait_for("it is said", lambda node=node: self.conditions(node).get("store-differs"))
            self.assertIn(f"cluster {foreign:x}", text)
            self.assertIn(f"cluster {own:x}", text)
        self.assert_refused("other")
        self.assertEqual({self.head(n)[0] for n in self.nodes}, {before})
        print(text)
        self.assertEqual(self.accept(self.nodes[1]).status, 200)  # a person says that it is right
        self.wait_all("ready")
        self.change(self.nodes[2])

    def test_b_a_store_that_went_back_is_refused_by_all(self) -> None:
        self.keep_backup()
        before = self.change(self.nodes[1])
        self.restore_backup()
        self.wait_all("went-back")
        self.assert_refused("went-back")
        self.assertEqual({self.head(n)[0] for n in self.nodes}, {before})
        # also of one that was started since, and of one that no member answered first
        for members in (False, True):
            if members:
                self.stop_members()
                self.nodes[0].stop()
                before = self.nodes[0].log().count("store-not-reached")
                self.nodes[0].start()
                wait_for("it has tried", lambda: self.nodes[0].log().count("store-not-reached") > before)
                self.start_members()
            text = wait_for("why is said", lambda: (t := self.conditions(self.nodes[0]).get("store-went-back", "")) and "is at revision" in t and t)
        print(text)

    def test_c_an_equal_epoch_of_another_nonce_is_refused(self) -> None:
        before = self.change(self.nodes[1])
        self.etcd.members[0].put(PREFIX + "store", claim(1, "00000000000000bb"))
        self.wait_all("other")
        text = wait_for("it is said", lambda: self.conditions(self.nodes[2]).get("store-differs"))
        self.assertIn("00000000000000bb", text)
        self.assertIn("00000000000000aa", text)
        self.assert_refused("other")
        self.assertEqual({self.head(n)[0] for n in self.nodes}, {before})
        self.etcd.members[0].put(PREFIX + "store", claim())  # the right one again
        self.wait_all("ready")
        self.change(self.nodes[0])

    def accept(self, node: Node, query: str = "", match: str = "") -> Answer:
        return node.ask("POST", "/v1/store/accept" + query, {"reason": "the backup is right"}, {"If-Match": match} if match else {})

    def rebuild(self, node: Node, query: str = "", match: str = "") -> Answer:
        return node.ask("POST", "/v1/store/rebuild" + query, {"reason": "all members are lost"}, {"If-Match": match} if match else {})

    def weir(self, node: Node, status: int, *words: str) -> str:
        """The command itself."""
        done = subprocess.run([WEIR, "--conf-dir", node.conf, "--state-dir", node.state, "--run-dir", node.run, "--node", node.name, "store",
                               *words, "--reason", "all members are lost"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                              check=False)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout

    def events(self, node: Node) -> list[str]:
        return [e["message"] for e in node.ask("GET", "/v1/events?limit=1000").json["items"] if e["kind"] == "store"]

    def test_d_a_backup_is_accepted(self) -> None:
        """Versions after it are listed before, and lost after; numbers are given again, to others."""
        kept = self.change(self.nodes[1])
        self.keep_backup()
        lost = [self.change(self.nodes[1], reason=f"change {i}") for i in range(3)]
        digest = self.head(self.nodes[0])[1]
        self.restore_backup()
        self.wait_all("went-back")
        refused = self.rebuild(self.nodes[0])
        self.assertEqual((refused.status, refused.code), (409, "store-not-empty"), refused.raw)
        plan = self.accept(self.nodes[0], "?dry_run=true")
        self.assertEqual(plan.status, 200, plan.raw)
        self.assertEqual([(v["number"], v["what"], v["reason"]) for v in plan.json["lost"]],
                         [(number, "version", f"change {i}") for i, number in reversed(list(enumerate(lost)))])
        self.assertEqual((plan.json["store"]["newest"], plan.json["here"]["newest"], plan.json["epoch"], plan.json["n_lost"]), (kept, lost[-1], 2, 3))
        self.wait_all("went-back")  # it has only been looked at
        stale = self.accept(self.nodes[0], match='"x"')
        self.assertEqual((stale.status, stale.code), (412, "store-changed"), stale.raw)
        print(said := self.weir(self.nodes[0], 0, "accept", "--yes"))
        for text in (f"version {lost[2]} by root", "change 2", f"this node has followed: its newest version is {kept}"):
            self.assertIn(text, said)
        self.wait_all("ready")
        self.wait_equal(kept)
        wait_for("nothing is said any more", lambda: not [c for n in self.nodes for c in self.conditions(n) if c.startswith("store-")])
        for node in self.nodes:
            self.assertIn("epoch 2 of the store: accepted as it is by", self.events(node)[-1])
            self.assertIn("3 versions and decisions of this node are not in it", self.events(node)[-1])
        again = self.accept(self.nodes[0])
        self.assertEqual((again.status, again.code), (409, "nothing-to-accept"), again.raw)
        self.assertEqual(self.change(self.nodes[2]), lost[0])  # its number, and another one
        self.assertEqual(self.change(self.nodes[0]), lost[1])
        self.assertEqual(self.change(self.nodes[1], confirm_within="60s"), lost[2])
        self.assertNotEqual(self.head(self.nodes[0])[1], digest)
        confirmed = self.nodes[0].ask("POST", f"/v1/versions/{lost[2]}/confirm", {"reason": "x"})
        self.assertEqual(confirmed.status, 200, confirmed.raw)
        self.nodes[0].stop()
        self.nodes[0].start()
        self.wait_all("ready")
        self.wait_equal(lost[2])
        print(self.events(self.nodes[1])[-1])

    def test_e_of_two_that_accept_at_once_one_wins(self) -> None:
        self.keep_backup()
        self.change(self.nodes[1])
        self.restore_backup()
        self.wait_all("went-back")
        answers: list[Answer] = []
        threads = [threading.Thread(target=lambda n=n: answers.append(self.accept(n))) for n in self.nodes]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual([a.status for a in answers].count(200), 1, [a.raw for a in answers])
        self.assertLessEqual({(a.status, a.code) for a in answers}, {(200, None), (412, "store-changed"), (409, "nothing-to-accept")}, [a.raw for a in answers])
        self.wait_all("ready")
        self.assertEqual({self.store(n)["epoch"] for n in self.nodes}, {2})
        self.wait_equal(self.first)
        self.change(self.nodes[0])

    def test_f_an_open_version_keeps_its_deadline(self) -> None:
        """It was made before the backup; nodes know how long it may still be confirmed."""
        number = self.change(self.nodes[0], confirm_within="40s")
        self.keep_backup()
        self.apply(self.nodes[1], confirm_within="40s", pending="join")
        self.restore_backup()
        self.wait_all("went-back")
        self.assertEqual(self.accept(self.nodes[1]).status, 200)
        self.wait_all("ready")
        self.wait_equal(number)
        self.assertEqual({self.store(n)["goes_back_to"] for n in self.nodes}, {self.first})
        wait_for("it ends", lambda: {self.head(n)[0] for n in self.nodes} == {self.first}, 50)

    def test_g_all_members_are_lost(self) -> None:
        """They begin anew, of the same cluster; a node's copy comes into them."""
        self.rebuild_lost("")

    def test_h_all_members_are_lost_and_others_come(self) -> None:
        self.rebuild_lost("others")

    def rebuild_lost(self, token: str) -> None:
        away = self.nodes[2]
        self.change_often(60, confirm_within="20s", pending="confirm")  # more than one transaction takes
        kept = self.change(self.nodes[0], pending="confirm")
        away.stop()
        newest = kept + 1
        self.assertEqual(self.apply(self.nodes[0]).json["version"]["number"], newest)
        wait_for("it is there", lambda: self.head(self.nodes[1])[0] == newest)
        self.lose_members(token)
        away.start()
        self.wait_all("other" if token else "went-back")
        refused = self.accept(self.nodes[0])
        self.assertEqual((refused.status, refused.code), (409, "store-empty"), refused.raw)
        plan = self.rebuild(away, "?dry_run=true")
        self.assertEqual((plan.status, plan.json["here"]["newest"]), (200, kept), plan.raw)
        for copy in plan.json["copies"]:
            self.assertTrue(copy["is_newer"], copy)
            self.assertEqual([v["number"] for v in copy["versions"]], [newest], copy)
        print(self.weir(away, 0, "rebuild", "--dry-run"))
        self.weir(away, 1, "rebuild")  # it needs an answer, and has no terminal
        print(said := self.weir(self.nodes[0], 0, "rebuild", "--yes"))
        self.assertIn(f"this node has followed: its newest version is {newest}", said)
        self.assertNotIn("it is newer", said)
        self.wait_all("ready")
        self.wait_equal(newest)
        self.assertEqual({self.store(n)["epoch"] for n in self.nodes}, {2})
        listed = [self.versions(n) for n in self.nodes]
        self.assertEqual(len(listed[0]), newest)
        self.assertTrue(listed[0] == listed[1] == listed[2], listed)
        self.assertEqual(self.change(away), newest + 1)
        again = self.rebuild(self.nodes[0])
        self.assertEqual((again.status, again.code), (409, "store-not-empty"), again.raw)
        print(self.events(away)[-1])

    def test_i_of_two_rebuilds_at_once_one_wins(self) -> None:
        self.change_often(20)
        newest = self.change(self.nodes[0])
        self.lose_members("others")
        self.wait_all("other")
        answers: list[Answer] = []
        threads = [threading.Thread(target=lambda n=n: answers.append(self.rebuild(n))) for n in self.nodes[:2]]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual([a.status for a in answers].count(200), 1, [a.raw for a in answers])
        other = next(a for a in answers if a.status != 200)
        self.assertIn((other.status, other.code), ((412, "store-changed"), (409, "rebuild-runs"), (409, "store-not-empty")), other.raw)
        print(other.raw.decode())
        self.wait_all("ready")
        self.wait_equal(newest)
        self.change(self.nodes[2])

    def test_j_a_rebuild_that_ended_in_the_middle(self) -> None:
        """Nobody takes what is unfinished; the same node makes it whole."""
        newest = self.change(self.nodes[0])
        self.lose_members("others")
        member = self.etcd.members[0]
        member.put(PREFIX + "store", claim(2, "00000000000000bb", how="rebuilt", unfinished=True, node="ams-1", time_ms=5))
        member.put(PREFIX + "version/1", '{"something": "else"}')
        member.put(PREFIX + "mark/77", '{"something": "else"}')
        self.wait_all("other")
        wait_for("it is said", lambda: "has not ended" in self.conditions(self.nodes[1]).get("store-differs", ""))
        self.assertEqual(self.apply(self.nodes[1]).status, 503)
        member.put(PREFIX + "store", claim(2, "00000000000000bb", how="rebuilt", unfinished=True, node="fra-1", time_ms=round(time.time() * 1000)))
        refused = self.rebuild(self.nodes[0])  # it may be at work
        self.assertEqual((refused.status, refused.code), (409, "rebuild-runs"), refused.raw)
        member.put(PREFIX + "store", claim(2, "00000000000000bb", how="rebuilt", unfinished=True, node="ams-1", time_ms=5))
        done = self.rebuild(self.nodes[0])
        self.assertEqual((done.status, done.json["followed"]), (200, True), done.raw)
        self.wait_all("ready")
        self.assertIsNone(member.get(PREFIX + "mark/77"))
        self.assertEqual({self.store(n)["epoch"] for n in self.nodes}, {3})
        self.wait_equal(newest)
        self.change(self.nodes[1])

    def test_k_nodes_that_were_away_for_all_of_it(self) -> None:
        """One was down, one stood still: the store has the revisions that they wait for, and they are others."""
        kept = self.change(self.nodes[1])
        self.keep_backup()
        lost = [self.change(self.nodes[1]) for _ in range(3)]
        read = self.store(self.nodes[1])["revision"]
        self.nodes[2].stop()
        process = self.nodes[1].process
        assert process
        freeze(process)
        self.restore_backup()
        wait_for("it is seen", lambda: self.store(self.nodes[0])["state"] == "went-back")
        self.assertEqual(self.accept(self.nodes[0]).status, 200)
        revision = 0
        while revision <= read:
            revision = self.etcd.members[0].put("/else", "x")
        for number in lost[:2]:
            answer = self.apply(self.nodes[0])
            self.assertEqual((answer.status, answer.json["version"]["number"]), (201, number), answer.raw)
        process.send_signal(signal.SIGCONT)
        self.nodes[2].start()
        self.wait_equal(lost[1])
        self.assertEqual({self.store(n)["epoch"] for n in self.nodes}, {2})
        listed = [self.versions(n) for n in self.nodes]
        self.assertTrue(listed[0] == listed[1] == listed[2], listed)
        self.assertGreater(len(listed[0]), kept)
        self.assertEqual(self.change(self.nodes[1]), lost[2])

    def test_l_what_is_not_ours_is_not_accepted(self) -> None:
        """No node could take it: nothing is written, and it is named."""
        member = self.etcd.members[0]
        self.keep_backup()
        self.change(self.nodes[1])
        self.restore_backup()
        self.wait_all("went-back")
        member.put(PREFIX + "version/77", '{"something": "else"}')
        for query in ("?dry_run=true", ""):
            refused = self.accept(self.nodes[0], query)
            self.assertEqual((refused.status, refused.code), (409, "store-differs"), refused.raw)
            self.assertIn("version/77", refused.json["detail"])
        print(refused.json["detail"])
        self.assertEqual(json.loads(member.get(PREFIX + "store") or "")["epoch"], 1)
        member.good("/v3/kv/deleterange", {"key": b64(PREFIX + "version/77")})
        last = claim(2**53 - 1, "00000000000000bb")
        member.put(PREFIX + "store", last)
        for refused in (self.accept(self.nodes[0]), self.accept(self.nodes[1], "?dry_run=true")):
            self.assertEqual((refused.status, refused.code), (409, "store-differs"), refused.raw)
            self.assertIn("9007199254740991", refused.json["detail"])
        self.assertEqual(member.get(PREFIX + "store"), last)
        member.put(PREFIX + "store", claim())
        self.assertEqual(self.accept(self.nodes[0]).status, 200)
        self.wait_all("ready")
        self.wait_equal(self.first)

    def test_m_a_copy_of_another_store_is_not_put_into_one(self) -> None:
        """store.conf was exchanged: it names an empty store, and the copy is of the former one."""
        other, node = ID[::-1], self.nodes[0]
        self.lose_members("others")
        self.etcd.members[0].put(PREFIX + "store", json.dumps({**json.loads(claim()), "id": other}))
        node.stop()
        node.write("store.conf", json.dumps({"id": other, "endpoints": [m.url for m in self.etcd.members], "prefix": PREFIX}))
        node.start()
        wait_for("it is refused", lambda: self.store(node)["state"] == "other")
        for answer in (self.rebuild(node), self.rebuild(node, "?dry_run=true"), self.accept(node)):
            self.assertEqual((answer.status, answer.code), (409, "store-differs"), answer.raw)
            self.assertIn("this node has a copy of " + ID, answer.json["detail"])
        self.assertIsNone(self.etcd.members[0].get(PREFIX + "head"))

    def test_m1_a_look_at_a_store_that_changes(self) -> None:
        """It has not gone back, whatever comes between the look at it and that at the copy."""
        ended, made = threading.Event(), list[int]()

        def change_on() -> None:
            while not ended.is_set():
                made.append(self.change(self.nodes[1], pending="confirm"))
        changing = threading.Thread(target=change_on)
        changing.start()
        try:
            said = [self.accept(self.nodes[0], "?dry_run=true") for _ in range(300)]
        finally:
            ended.set()
            went_on = changing.is_alive()
            changing.join()
        self.assertTrue(went_on and len(made) > 3, made)
        self.assertEqual({(a.status, a.code) for a in said}, {(409, "nothing-to-accept")}, next((a.raw for a in said if a.code != "nothing-to-accept"), b""))

    def test_n_a_rebuild_that_is_killed(self) -> None:
        """Wherever that is, the store is unfinished and no node takes it, or it is whole."""
        self.change_often(60, confirm_within="20s", pending="confirm")
        newest = self.change(self.nodes[0], pending="confirm")
        listed = self.versions(self.nodes[2])
        self.lose_members("others")
        self.wait_all("other")
        member, node, seen = self.etcd.members[0], self.nodes[0], []
        for again in range(8):
            before = member.get(PREFIX + "store")
            asked = threading.Thread(target=self.rebuild_killed, args=(node,))
            asked.start()
            while member.get(PREFIX + ("version/30" if again % 2 else "store")) == (None if again % 2 else before):
                self.assertTrue(asked.is_alive())
            node.stop(signal.SIGKILL)
            asked.join()
            record = json.loads(member.get(PREFIX + "store") or "")
            seen.append((record.get("unfinished", False), member.get(PREFIX + "head") is not None))
            node.start()
            if not seen[-1][0]:
                break
            for other in self.nodes[1:]:
                self.assertIn(self.store(other)["state"], ("other", "cut-off"))
                self.assertEqual(self.head(other)[0], newest)
        print(seen)
        self.assertLessEqual(set(seen), {(True, False), (False, True)})
        if seen[-1][0]:
            self.assertEqual(self.rebuild(node).status, 200)
        self.wait_all("ready")
        self.wait_equal(newest)
        self.assertTrue(all(self.versions(n) == listed for n in self.nodes))
        self.change(self.nodes[2])

    def rebuild_killed(self, node: Node) -> None:
        """It gives no answer, or one that came just before."""
        try:
            self.rebuild(node)
        except (OSError, http.client.HTTPException):
            pass

    def versions(self, node: Node) -> list[tuple[int, str, str]]:
        return [(v["number"], v["digest"], v["state"]) for v in node.ask("GET", "/v1/versions?limit=1000").json["items"]]


if __name__ == "__main__":
    NODES = counted.read_number("--nodes", NODES)
    counted.main()
