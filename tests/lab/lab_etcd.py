#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The client of etcd's gateway against real members: one and three on 127.0.0.1, stopped, killed, full, restored.

Usage: lab_etcd.py [TEST ...]      WEIR_BUILD says where lab-etcd is
"""
from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
import typing
import unittest

from etcd_cluster import Answer, Authority, Client, Cluster, Member, b64, claim, free_ports, running, wait_for

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "unit", "mgmt"))
import counted  # noqa: E402

TOOL = os.path.join(os.environ.get("WEIR_BUILD", "build"), "tests", "lab", "lab-etcd")


@contextlib.contextmanager
def clients(n: int, members: list[Member], **settings: str) -> typing.Iterator[list[Client]]:
    with contextlib.ExitStack() as stack:
        made = []
        for _ in range(n):
            made.append(Client(TOOL, [m.url for m in members], **settings))
            stack.callback(made[-1].close)
        yield made


@contextlib.contextmanager
def client(*members: Member, **settings: str) -> typing.Iterator[Client]:
    with clients(1, list(members), **settings) as made:
        yield made[0]


def cluster_id(member: Member) -> str:
    return member.status()["header"]["cluster_id"]


def revision(member: Member) -> int:
    return int(member.good("/v3/kv/range", {"key": b64("x")})["header"]["revision"])


class Lab(unittest.TestCase):
    def result(self, answer: Answer, result: str, error: str = "") -> Answer:
        self.assertEqual((answer.get("result"), answer["error"]), (result, error), answer)
        return answer


class One(Lab):
    """A single member."""

    def test_of_eight_clients_one_wins(self) -> None:
        with running(1) as c, clients(8, c.members) as racing:
            mod = 0
            for turn in range(25):
                for i, one in enumerate(racing):
                    one.send(claim("head", f"{turn}-{i}", mod))
                answers = [one.hear() for one in racing]
                won = [a for a in answers if a["result"] == "done"]
                self.assertEqual(len(won), 1, answers)
                mod = won[0]["revision"]
                winner = f"{turn}-{answers.index(won[0])}"
                for answer in answers:
                    if answer is not won[0]:
                        self.result(answer, "refused")
                        self.assertEqual([(k["value"], k["mod"]) for k in answer["kvs"]], [(winner, mod)])

    def test_a_transaction_writes_all_or_nothing(self) -> None:
        with running(1) as c, client(*c.members, cluster_id=cluster_id(c.members[0])) as one:
            put = [{"kind": "put", "key": f"v/{i}", "value": "x" * 8000} for i in range(127)]
            command = claim("head", "1", 0)
            command["success"] += put
            self.result(one.send(command).hear(), "done")
            self.assertEqual(one.ask("range", key="v/", prefix=True, count_only=True)["count"], 127)
            command["success"] = [{"kind": "put", "key": "v/0"}, {"kind": "put", "key": "v/0"}]
            self.result(one.send(command).hear(), "not-written", "EINVAL")
            command["compares"] = [{"key": "head", "mod_revision": one.ask("range", key="head")["kvs"][0]["mod"]}]
            command["success"] = [{"kind": "delete", "key": "v/", "prefix": True}, {"kind": "delete", "key": "head"}]
            self.result(one.send(command).hear(), "done")
            self.assertEqual(one.ask("range", key="v/", prefix=True)["count"], 0)

    def test_the_largest_transactions_are_taken(self) -> None:
        """What the client lets through, etcd does not refuse as too large."""
        with running(1) as c, client(*c.members) as one:
            for i, (first, second, result, error) in enumerate(((1 << 20, 390000, "done", ""), (700000, 741000, "done", ""),
                                                                (1 << 20, 393216, "not-written", "EINVAL"))):
                self.result(one.send({**claim(f"a{i}", "", 0), "success": [{"kind": "put", "key": f"a{i}", "value": "x" * first},
                                                                           {"kind": "put", "key": f"b{i}", "value": "y" * second}]}).hear(),
                            result, error)
            compares = [{"key": f"{'c' * 500}{i}", "mod_revision": 0} for i in range(128)]
            self.result(one.send({"do": "txn", "compares": compares,
                                  "success": [{"kind": "put", "key": f"{'d' * 500}{i}", "value": "z" * 9700} for i in range(128)],
                                  "failure": [{"kind": "range", "key": f"{'e' * 500}{i}"} for i in range(128)]}).hear(), "done")

    def test_keys_are_listed_by_pages(self) -> None:
        with running(1) as c, client(*c.members) as one:
            for i in range(10):
                c.members[0].put(f"v/{i}", str(i))
            first = one.ask("range", key="v/", prefix=True, limit=4)
            self.assertTrue(first["more"])
            c.members[0].put("v/5", "later")  # which the later pages do not show
            found, at = first["kvs"], first["revision"]
            while first["more"]:
                first = one.ask("range", key="v/", prefix=True, limit=4, after=found[-1]["key"], revision=at)
                found += first["kvs"]
            self.assertEqual([(k["key"], k["value"]) for k in found], [(f"v/{i}", str(i)) for i in range(10)])

    def test_a_lease_ends_and_its_keys_go(self) -> None:
        with running(1) as c, clients(2, c.members) as (one, watching):
            lease = one.ask("grant", ttl_s=2)["lease"]
            command = claim("w/owner", "me", 0)
            command["success"][0]["lease"] = lease
            self.result(one.send(command).hear(), "done")
            watching.begin_watch(next=revision(c.members[0]) + 1)
            self.assertEqual(one.ask("keepalive", lease=lease)["ttl_s"], 2)
            gone = wait_for("the key goes", watching.changes)
            self.assertEqual([keys for _, keys in gone], [["-w/owner"]])
            self.assertEqual(one.ask("keepalive", lease=lease)["error"], "ENOENT")
            self.result(one.send(command).hear(), "not-written", "ENOENT")
            self.assertEqual(one.ask("grant", ttl_s=0)["error"], "EINVAL")

    def test_compaction(self) -> None:
        """A watch that is not behind goes on; one that is has to list."""
        with running(1) as c, clients(2, c.members) as (one, late):
            member = c.members[0]
            one.begin_watch()
            for i in range(5):
                member.put("w/a", str(i))
            wait_for("five changes", lambda: len(one.changes()) == 5)
            member.good("/v3/kv/compaction", {"revision": revision(member)})
            self.assertEqual(late.ask("range", key="w/a", revision=2)["error"], "ESTALE")
            member.put("w/b", "after")
            wait_for("the sixth", lambda: len(one.changes()) == 6)
            self.assertEqual(one.changes()[-1], (revision(member), ["w/b"]))
            late.begin_watch(next=2)
            ended = wait_for("the end", lambda: late.has_said("ended"))
            self.assertEqual((ended["ended"], late.changes()), ("list", []))
            self.assertIn("compacted", ended["reason"])
            self.assertEqual(one.end_watch()["ended"], "stopped")

    def test_the_database_is_full(self) -> None:
        with running(1, "--quota-backend-bytes", str(16 << 20)) as c, client(*c.members) as one:
            mod, n = 0, 0
            while (answer := one.send(claim("big", "x" * 500000, mod)).hear())["result"] == "done":
                mod, n = answer["revision"], n + 1
            self.assertIn(n, range(10, 60))
            # the write that is refused as too much may be done: of etcd's answer alone that is not known
            self.assertIn(answer["result"], ("not-written", "refused-unsure"))
            answer = one.send(claim("big", "y", one.ask("range", key="big")["kvs"][0]["mod"])).hear()
            self.result(answer, "not-written", "ENOSPC")
            self.assertIn("space exceeded", answer["reason"])
            # a compare that does not hold is reported, though nothing could be written
            self.result(one.send(claim("big", "y", 1)).hear(), "refused-unsure")
            self.assertEqual(one.ask("grant", ttl_s=5)["error"], "ENOSPC")
            self.assertEqual(one.ask("alarms")["alarms"], ["NOSPACE"])
            self.assertGreater(one.ask("status", endpoint=0)["db_bytes"], 15 << 20)
            self.result(one.send({**claim("big", "", one.ask("range", key="big")["kvs"][0]["mod"]),
                                  "success": [{"kind": "delete", "key": "big"}]}).hear(), "done")
            self.clear(c.members[0], one)
            self.result(one.send(claim("big", "small", 0)).hear(), "done")

    def clear(self, member: Member, one: Client) -> None:
        """Neither compaction nor defragmentation clears it."""
        member.good("/v3/kv/compaction", {"revision": revision(member)})
        member.good("/v3/maintenance/defragment", {})
        self.result(one.send(claim("big", "small", 0)).hear(), "not-written", "ENOSPC")
        member.good("/v3/maintenance/alarm", {"action": "DEACTIVATE", "memberID": member.status()["header"]["member_id"], "alarm": "NOSPACE"})
        self.assertEqual(one.ask("alarms")["alarms"], [])

    def test_a_backup_is_restored(self) -> None:
        """The ids stay and the revision goes back: a watch that lives, and one that begins later, both see it."""
        with running(1) as c, clients(2, c.members) as (one, late):
            member = c.members[0]
            member.put("w/a", "1")
            member.stop(signal.SIGTERM)
            shutil.copytree(member.folder, member.folder + ".backup")
            member.start()
            wait_for("it is back", member.is_ready)
            for i in range(5):
                newest = member.put("w/a", str(i))
            one.begin_watch()
            wait_for("six changes", lambda: len(one.changes()) == 6)
            wait_for("the revision is heard", lambda: (one.has_said("heard") or {}).get("heard") == newest)
            identity = cluster_id(member)
            member.stop(signal.SIGTERM)
            shutil.rmtree(member.folder)
            os.rename(member.folder + ".backup", member.folder)
            member.start()
            ended = wait_for("the end", lambda: one.has_said("ended"))
            self.assertEqual((ended["ended"], ended["revision"], ended["next"]), ("went-back", newest, newest + 1))
            self.assertIn("was at", ended["reason"])
            self.assertEqual(cluster_id(member), identity)
            late.begin_watch(next=newest + 1, revision=newest)
            self.assertEqual(wait_for("the end", lambda: late.has_said("ended"))["ended"], "went-back")

    def test_without_the_gateway(self) -> None:
        cluster = Cluster(1, "--enable-grpc-gateway=false")
        try:
            cluster.start(wait=False)
            member = cluster.members[0]
            wait_for("it answers", lambda: member.ask("/v3/kv/range", {})[0] == 404)
            with client(member) as one:
                answer = one.ask("range", key="a")
                self.assertEqual(answer["error"], "EBADMSG")
                self.assertIn("gateway is off", answer["reason"])
                self.result(one.send(claim("a", "1", 0)).hear(), "not-written", "EBADMSG")
        finally:
            cluster.close()

    def test_a_foreign_cluster_is_never_written_to(self) -> None:
        with running(1) as ours, running(1) as other:
            identity = cluster_id(ours.members[0])
            with client(other.members[0], cluster_id=identity) as one:
                answer = self.result(one.send(claim("a", "1", 0)).hear(), "not-written", "EBADMSG")
                self.assertIn("this is cluster", answer["reason"])
                self.assertEqual(one.ask("range", key="a")["error"], "EBADMSG")
                self.assertEqual(one.ask("grant", ttl_s=5)["error"], "EBADMSG")
                self.assertIsNone(other.members[0].get("a"))
                one.begin_watch()
                wait_for("a reason", lambda: "this is cluster" in (one.has_said("left") or {}).get("left", ""))
                # no member of ours is there: whoever watches is told
                self.assertEqual(wait_for("the end", lambda: one.has_said("ended"))["ended"], "foreign")
                one.end_watch()
            with client(other.members[0], ours.members[0], cluster_id=identity) as one:
                one.begin_watch(key="a")
                wait_for("the other one is used", lambda: (one.has_said("left") or {}).get("left"))
                ours.members[0].put("a", "0")
                wait_for("it brings what changes", one.changes)
                self.assertEqual(one.end_watch()["ended"], "stopped")
                ours.members[0].good("/v3/kv/deleterange", {"key": b64("a")})
            with client(other.members[0], ours.members[0], cluster_id=identity) as one:
                self.result(one.send(claim("a", "1", 0)).hear(), "done")
                self.assertEqual((ours.members[0].get("a"), other.members[0].get("a")), ("1", None))

    def test_members_come_and_go(self) -> None:
        with running(1) as c:
            first = c.members[0]
            more = Member(c, "m1", *free_ports(2))
            with client(first) as one, client(more, first) as learner_first:
                added = one.ask("member-add", url=more.peer_url)
                self.assertEqual([m["is_learner"] for m in added["members"] if m["id"] == added["added"]], [True])
                c.members.append(more)
                more.start("--initial-cluster-state", "existing")
                wait_for("it learns", lambda: more.ask("/v3/maintenance/status", {})[1].get("isLearner"))
                # a learner answers neither reads nor writes: nothing unclear comes of asking it
                self.assertEqual(learner_first.ask("range", key="a")["error"], "")
            with client(more, first) as learner_first:
                self.result(learner_first.send(claim("a", "1", 0)).hear(), "done")
                self.result(learner_first.send(claim("a", "1", 0)).hear(), "refused")
            with client(first) as one:
                wait_for("it is promoted", lambda: one.ask("member-promote", member_id=added["added"])["error"] == "")
                wait_for("it answers", more.is_ready)
                gone = wait_for("it is removed", lambda: one.ask("member-remove", member_id=added["added"]).get("members"))
                self.assertEqual([m["name"] for m in gone], ["m0"])


class Users(Lab):
    """User and password."""

    def setUp(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="weir-etcd-users-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.file = os.path.join(self.folder, "password")
        self.write("secret")

    def write(self, password: str, mode: int = 0o400) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.file)
        with open(self.file, "w", encoding="utf-8") as f:
            f.write(password + "\n")
        os.chmod(self.file, mode)

    def make_users(self, member: Member) -> str:
        """@return root's token, which lives as long as it is used"""
        steps: list[tuple[str, Answer]] = [
                ("user/add", {"name": "root", "password": "r"}), ("role/add", {"name": "root"}),
                ("user/grant", {"user": "root", "role": "root"}), ("user/add", {"name": "weir", "password": "secret"}),
                ("role/add", {"name": "weir"}), ("user/grant", {"user": "weir", "role": "weir"}),
                ("role/grant", {"name": "weir", "perm": {"permType": "READWRITE", "key": b64("w/"), "range_end": b64("w0")}}),
                ("enable", {})]
        for path, body in steps:
            member.good("/v3/auth/" + path, body)
        return self.root(member)

    @staticmethod
    def root(member: Member) -> str:
        return member.good("/v3/auth/authenticate", {"name": "root", "password": "r"})["token"]

    def test_a_token_is_renewed(self) -> None:
        with running(1, "--auth-token-ttl", "1") as c:
            member = c.members[0]
            self.make_users(member)
            with clients(2, c.members, user="weir", password_file=self.file, cluster_id=cluster_id(member)) as (one, watching):
                self.result(one.send(claim("w/head", "1", 0)).hear(), "done")
                watching.begin_watch(next=2)
                wait_for("a change", watching.changes)
                time.sleep(3)  # etcd forgets a token that was not used for a second
                mod = one.ask("range", key="w/head")["kvs"][0]["mod"]
                time.sleep(3)  # the same for a write
                self.result(one.send(claim("w/head", "2", mod)).hear(), "done")
                wait_for("another change", lambda: len(watching.changes()) == 2)
                member.stop()  # a member that starts again knows no token
                member.start()
                wait_for("it is back", member.is_ready)
                self.assertEqual(one.ask("range", key="w/head")["error"], "")
                member.put("w/a", "3", self.root(member))
                wait_for("a third", lambda: len(watching.changes()) == 3)

    def test_what_is_refused(self) -> None:
        with running(1) as c:
            member = c.members[0]
            root = self.make_users(member)
            with client(member, user="weir", password_file=self.file) as one:
                self.assertEqual(one.ask("range", key="other")["error"], "EACCES")
                self.result(one.send(claim("other", "1", 0)).hear(), "not-written", "EACCES")
                one.begin_watch(key="other")
                wait_for("a reason", lambda: "permission denied" in (one.has_said("left") or {}).get("left", ""))
                self.assertEqual(one.end_watch()["ended"], "stopped")
                # a password that changes meanwhile
                member.good("/v3/auth/user/changepw", {"name": "weir", "password": "new"}, root)
                self.write("new")
                self.assertEqual(one.ask("range", key="w/a")["error"], "")
            for password, mode, reason in (("wrong", 0o400, "invalid user ID or password"), ("new", 0o440, "readable by others"),
                                           ("", 0o400, "empty"), ("x" * 300, 0o400, "too long")):
                self.write(password, mode)
                with client(member, user="weir", password_file=self.file) as one:
                    answer = one.ask("range", key="w/a")
                    self.assertEqual(answer["error"], "EACCES", answer)
                    self.assertIn(reason, answer["reason"])
                    self.result(one.send(claim("w/a", "1", 0)).hear(), "not-written", "EACCES")
            with client(member) as one:
                self.assertIn("user name is empty", one.ask("range", key="w/a")["reason"])

    def test_users_that_etcd_does_not_have(self) -> None:
        with running(1) as c, client(*c.members, user="weir", password_file=self.file) as one:
            answer = one.ask("range", key="w/a")
            self.assertEqual(answer["error"], "EACCES")
            self.assertIn("authentication is not enabled", answer["reason"])


class Certificates(Lab):
    def test_tls(self) -> None:
        folder = tempfile.mkdtemp(prefix="weir-etcd-tls-")
        self.addCleanup(shutil.rmtree, folder)
        right, wrong = Authority(os.path.join(folder, "right")), Authority(os.path.join(folder, "wrong"))
        shown = {"certificate": right.path("client.crt"), "private_key": right.path("client.key")}
        with running(1, certificates=right.folder) as c:
            member = c.members[0]
            with client(member, ca=right.path("ca.crt"), **shown) as one:
                self.result(one.send(claim("a", "1", 0)).hear(), "done")
                one.begin_watch(key="a")
                wait_for("a change", one.changes)
            for why, settings in (("another CA", {"ca": wrong.path("ca.crt"), **shown}), ("the system's CAs", shown),
                                  ("no certificate", {"ca": right.path("ca.crt")}), ("no file", {"ca": folder + "/no", **shown}),
                                  ("another's certificate", {"ca": right.path("ca.crt"), "certificate": wrong.path("client.crt"),
                                                             "private_key": wrong.path("client.key")})):
                with self.subTest(why), client(member, **settings) as one:
                    self.assertEqual(one.ask("range", key="a")["error"], "EHOSTUNREACH")
                    answer = self.result(one.send(claim("a", "2", 2)).hear(), "not-written", "EHOSTUNREACH")
                    self.assertTrue(answer["reason"])
            self.assertEqual(member.get("a"), "1")

    def test_a_public_ca_is_not_trusted_beside_the_given_one(self) -> None:
        """The member's CA is among the system's: bound over /etc/ssl/certs in a mount namespace (root)."""
        folder = tempfile.mkdtemp(prefix="weir-etcd-tls-")
        self.addCleanup(shutil.rmtree, folder)
        public, given = Authority(os.path.join(folder, "public")), Authority(os.path.join(folder, "given"))
        within = ["unshare", "--mount", "sh", "-c", f'mount --bind {public.hashed()} /etc/ssl/certs && exec "$0"']
        shown = {"certificate": public.path("client.crt"), "private_key": public.path("client.key")}
        with running(1, certificates=public.folder) as c:
            for ca, error in ((given.path("ca.crt"), "EHOSTUNREACH"), ("", "")):
                one = Client(TOOL, [c.members[0].url], within, ca=ca, **shown)
                self.addCleanup(one.close)
                self.assertEqual(one.ask("range", key="a")["error"], error)

    def test_a_members_certificate_must_be_a_clients(self) -> None:
        folder = tempfile.mkdtemp(prefix="weir-etcd-tls-")
        self.addCleanup(shutil.rmtree, folder)
        authority = Authority(os.path.join(folder, "ca"))
        authority.issue("member", "serverAuth")
        cluster = Cluster(1, certificates=authority.folder)
        try:
            cluster.start(wait=False)
            member = cluster.members[0]
            with client(member, ca=authority.path("ca.crt"), certificate=authority.path("client.crt"),
                        private_key=authority.path("client.key")) as one:
                wait_for("it listens", lambda: member.ask("/v3/kv/range", {})[0] == 503)
                answer = self.result(one.send(claim("a", "1", 0)).hear(), "not-written", "EHOSTUNREACH")
                self.assertIn("HTTP status 503", answer["reason"])
        finally:
            cluster.close()


class Three(Lab):
    """Three members, of which some are stopped."""

    cluster: Cluster
    identity: str

    @classmethod
    def setUpClass(cls) -> None:
        cls.cluster = Cluster(3)
        cls.addClassCleanup(cls.cluster.close)
        cls.cluster.start()
        cls.identity = cluster_id(cls.cluster.members[0])

    def setUp(self) -> None:
        self.addCleanup(self.go_on)
        self.leader = self.cluster.leader()
        self.followers = [m for m in self.cluster.members if m is not self.leader]

    def go_on(self) -> None:
        for m in self.cluster.members:
            m.kill(signal.SIGCONT)
        for m in self.cluster.members:
            wait_for(f"{m.name} answers", m.is_ready)

    def test_a_stopped_leader(self) -> None:
        """The write goes on at another member, and is there once."""
        with client(self.leader, *self.followers) as one, client(self.leader, *self.followers, cluster_id=self.identity) as careful:
            self.result(one.send(claim("warm", "1", 0)).hear(), "done")
            self.assertEqual(careful.ask("range", key="a")["error"], "")
            self.leader.kill(signal.SIGSTOP)
            one.send(claim("stopped", "1", 0))
            careful.send(claim("careful", "1", 0))
            self.result(careful.hear(), "done")
            self.assertIn(one.hear()["result"], ("done", "refused-unsure"))
            self.assertEqual(one.ask("range", key="stopped")["kvs"][0]["version"], 1)
            began = time.monotonic()
            self.result(one.send(claim("again", "1", 0)).hear(), "done")
            self.assertLess(time.monotonic() - began, 1.9)  # the member that answered is remembered
            self.go_on()
            for m in self.cluster.members:
                self.assertEqual(m.get("stopped"), "1")

    def test_a_write_that_wins_late_is_not_called_refused(self) -> None:
        """The leader has proposed it, and cannot commit; when it can, the second try finds the first one's value."""
        with client(self.leader) as one:
            self.assertEqual(one.ask("range", key="a")["error"], "")
            for m in self.followers:
                m.kill(signal.SIGSTOP)
            began = time.monotonic()
            one.send(claim("late", "mine", 0))
            time.sleep(2.3)  # the first try gets no answer in 2 s
            for m in self.followers:
                m.kill(signal.SIGCONT)
            answer = one.hear()
            took_s = time.monotonic() - began
        self.assertLess(took_s, 10)
        self.assertIn(answer["result"], ("refused-unsure", "done"))
        self.assertEqual(wait_for("a value", lambda: self.leader.get("late")), "mine")
        if answer["result"] == "refused-unsure":
            self.assertEqual([k["value"] for k in answer["kvs"]], ["mine"])
        print(f"a late write: {answer['result']} after {took_s:.1f} s")

    def test_without_a_quorum_the_outcome_is_unknown(self) -> None:
        with client(self.leader, *self.followers) as one, client(self.leader, *self.followers) as other:
            lease = one.ask("grant", ttl_s=60)["lease"]
            for m in self.followers:
                m.kill(signal.SIGSTOP)
            answer = one.send(claim("nowhere", "1", 0)).hear()
            self.assertEqual(answer["result"], "unknown", answer)
            self.assertIn(answer["took_ms"], range(7000, 10000))
            alive = other.ask("keepalive", lease=lease)  # right after the cut, it would still be answered
            self.assertEqual(alive["error"], "EHOSTUNREACH", alive)
            stopped = one.send(claim("stop", "1", 0, stop_after_ms=500)).hear()
            self.assertIn((stopped["result"], stopped["error"]), (("unknown", "ECANCELED"), ("not-written", "ECANCELED")))
            self.assertIn(stopped["took_ms"], range(450, 1500))
            self.go_on()
            self.assertGreater(one.ask("keepalive", lease=lease)["ttl_s"], 50)
            found = one.ask("range", key="nowhere")["kvs"]
            self.assertIn([k["version"] for k in found], ([], [1]))

    def test_a_silent_watch_goes_on_elsewhere(self) -> None:
        watched = self.followers[0]
        first = revision(self.leader) + 1
        with client(watched, self.leader, self.followers[1]) as one:
            one.begin_watch(next=first)
            wait_for("a read", lambda: one.has_said("heard"))
            written = [self.leader.put("w/a", str(i)) for i in range(5)]
            wait_for("five changes", lambda: len(one.changes()) == 5)
            watched.kill(signal.SIGSTOP)
            began = time.monotonic()
            written += [self.leader.put("w/b", str(i)) for i in range(5)]
            wait_for("ten changes", lambda: len(one.changes()) >= 10)
            took_s = time.monotonic() - began
            self.assertLess(took_s, 10)
            watched.kill(signal.SIGCONT)
            written += [self.leader.put("w/c", "1")]
            wait_for("eleven changes", lambda: len(one.changes()) >= 11)
            self.assertEqual(one.changes(), [(r, [k]) for r, k in zip(written, 5 * ["w/a"] + 5 * ["w/b"] + ["w/c"])])
            self.assertIn(watched.url, one.has_said("left")["left"])
            self.assertEqual(one.end_watch()["ended"], "stopped")
            print(f"a silent watch: on at another member after {took_s:.1f} s")

    def test_a_member_that_was_killed(self) -> None:
        """Nothing was sent to it, so nothing is unclear."""
        gone = self.followers[0]
        with client(gone, *[m for m in self.cluster.members if m is not gone], cluster_id=self.identity) as one:
            self.result(one.send(claim("killed", "1", 0)).hear(), "done")
            gone.stop()
            self.assertEqual(one.ask("range", key="killed")["kvs"][0]["value"], "1")
            gone.start("--initial-cluster-state", "existing")
            wait_for("it is back", gone.is_ready)
        gone.stop()
        with client(gone, *[m for m in self.cluster.members if m is not gone]) as one:
            self.result(one.send(claim("killed", "1", 0)).hear(), "refused")
            self.assertLess(one.ask("range", key="killed")["took_ms"], 1000)
        gone.start("--initial-cluster-state", "existing")
        wait_for("it is back", gone.is_ready)


def interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, interrupt)
    counted.main()
