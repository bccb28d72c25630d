#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The client of etcd's gateway against servers that say what no healthy etcd says, at the moment the test wants.

Usage: test_etcd_gateway.py LAB_ETCD
"""
from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import time
import typing
import unittest

import counted
from etcd_fake import CLOSE, CREATED, HANG, HEADER, Fake, Keys, Replies, Reply, events, kv

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "lab"))
from etcd_cluster import Answer, Client, b64, claim, free_ports, wait_for  # noqa: E402

TOOL = sys.argv.pop(1)
DONE: Answer = {"header": HEADER, "succeeded": True, "responses": [{"response_put": {}}]}
THERE: Answer = {"header": HEADER, "responses": [{"response_range": {"kvs": [kv("a", 8, "mine")], "count": "1"}}]}
FULL = (429, {"error": "etcdserver: mvcc: database space exceeded", "message": "etcdserver: mvcc: database space exceeded", "code": 8})
UNKNOWN = (500, {"error": "context deadline exceeded", "message": "context deadline exceeded", "code": 2})
KEYS: Answer = {"header": HEADER}


class Base(unittest.TestCase):
    def member(self, **replies: list[Reply]) -> Fake:
        fake = Fake(**replies)
        self.addCleanup(fake.close)
        return fake

    def client(self, *members: Fake, **settings: str) -> Client:
        client = Client(TOOL, [m.url for m in members], **settings)
        self.addCleanup(client.close)
        return client

    def write(self, client: Client, **more: typing.Any) -> Answer:
        return client.send(claim("a", "mine", 0, **more)).hear()


class Writes(Base):
    def test_what_an_unclear_try_leaves_open(self) -> None:
        for why, reply in (("closed", CLOSE), ("unknown", UNKNOWN), ("503", (503, {"code": 14, "message": "etcdserver: request timed out"})),
                           ("no answer", HANG), ("no JSON", "<html>"), ("no header", {"succeeded": True, "responses": [{"response_put": {}}]}),
                           ("another cluster's", {**DONE, "header": {**HEADER, "cluster_id": "8"}}),
                           ("other operations'", {**DONE, "responses": []}), ("a redirection", (307, ""))):
            with self.subTest(why):
                first, second = self.member(txn=[reply]), self.member(txn=[THERE])
                answer = self.write(self.client(first, second, cluster_id="7"))
                self.assertEqual((answer["result"], answer["error"]), ("refused-unsure", ""), answer)
                self.assertEqual([(k["value"], k["mod"]) for k in answer["kvs"]], [("mine", 8)])
                self.assertEqual(len(first.bodies("txn")), 1)
                self.assertEqual(first.bodies("txn"), second.bodies("txn"))

    def test_what_is_certain(self) -> None:
        for why, reply, result in (("a compare failed", THERE, "refused"), ("done", DONE, "done"),
                                   ("no right", (403, {"code": 7, "message": "etcdserver: permission denied"}), "not-written"),
                                   ("too large", (400, {"code": 3, "message": "etcdserver: request is too large"}), "not-written"),
                                   ("a dead lease", (404, {"code": 5, "message": "etcdserver: requested lease not found"}), "not-written")):
            with self.subTest(why):
                first, second = self.member(txn=[reply]), self.member(txn=[DONE])
                self.assertEqual(self.write(self.client(first, second))["result"], result)
                self.assertEqual(len(second.bodies("txn")), 0)

    def test_what_another_member_may_do(self) -> None:
        for why, reply in (("no gateway", (404, "404 page not found")), ("busy", (429, {"code": 8, "message": "etcdserver: too many requests"})),
                           ("a learner", (503, {"code": 14, "message": "etcdserver: rpc not supported for learner"}))):
            with self.subTest(why):
                first, second = self.member(txn=[reply]), self.member(txn=[THERE])
                self.assertEqual(self.write(self.client(first, second))["result"], "refused")

    def test_a_kept_connection_that_breaks_is_not_used_for_a_silent_repetition(self) -> None:
        """The member has carried out the second write, and its connection ends: a repetition by libcurl would look refused."""
        first = self.member(txn=[DONE, CLOSE, THERE])
        client = self.client(first)
        self.assertEqual(self.write(client)["result"], "done")
        self.assertEqual(self.write(client)["result"], "refused-unsure")
        self.assertEqual(len(first.bodies("txn")), 3)

    def test_a_member_is_asked_for_its_cluster_before_a_write(self) -> None:
        for why, reply in (("another cluster", {"header": {**HEADER, "cluster_id": "8"}, "version": "3"}), ("nothing", HANG), ("no JSON", "x"),
                           ("an error", (503, {"code": 14, "message": "x"})), ("no status", {"header": HEADER})):
            with self.subTest(why):
                first, second = self.member(status=[reply], txn=[DONE]), self.member(txn=[THERE])
                self.assertEqual(self.write(self.client(first, second, cluster_id="7"))["result"], "refused")
                self.assertEqual(len(first.bodies("txn")), 0)
        first = self.member(status=[{"header": HEADER, "version": "3"}, {"header": {**HEADER, "cluster_id": "8"}, "version": "3"}],
                            txn=[DONE, CLOSE, DONE])
        client = self.client(first, cluster_id="7")
        self.assertEqual(self.write(client)["result"], "done")
        self.assertEqual(self.write(client)["result"], "unknown")  # it is asked again after it has failed
        self.assertEqual(len(first.bodies("txn")), 2)

    def test_a_full_database(self) -> None:
        """Whether the write was the last that fitted is seen by its compares, sent with a read and without a write."""
        for why, reply, result, error in (("it was", THERE, "refused-unsure", ""),
                                          ("it was not", {"header": HEADER, "succeeded": True, "responses": [{"response_range": {"count": "1"}}]},
                                           "not-written", "ENOSPC")):
            with self.subTest(why):
                first = self.member(txn=[FULL, reply])
                answer = self.write(self.client(first))
                self.assertEqual((answer["result"], answer["error"]), (result, error))
                sent, verified = first.bodies("txn")
                self.assertEqual(verified["compare"], sent["compare"])
                self.assertEqual(verified["failure"], sent["failure"])
                self.assertEqual(verified["success"], [{"request_range": {"key": b64("a"), "count_only": True}}])
        self.assertEqual(self.write(self.client(self.member(txn=[FULL, CLOSE, THERE])))["result"], "refused-unsure")

    def test_what_cannot_be_repeated_is_not_sent(self) -> None:
        first = self.member(txn=[DONE])
        client = self.client(first)
        impossible: list[Answer] = [{"compares": []}, {"failure": [{"kind": "put", "key": "b"}]}, {"success": [{"kind": "put", "key": ""}]}]
        for more in impossible:
            answer = self.write(client, **more)
            self.assertEqual((answer["result"], answer["error"]), ("not-written", "EINVAL"))
            self.assertTrue(answer["reason"])
        self.assertEqual(first.requests, [])

    def test_the_stop_flag(self) -> None:
        rows: list[tuple[str, Replies, str]] = [("sent", {"txn": [HANG]}, "unknown"), ("not sent", {"status": [HANG]}, "not-written")]
        for why, replies, result in rows:
            with self.subTest(why):
                answer = self.write(self.client(self.member(**replies)), stop_after_ms=300)
                self.assertEqual((answer["result"], answer["error"]), (result, "ECANCELED"))
                self.assertIn(answer["took_ms"], range(290, 800))

    def test_no_member_at_all(self) -> None:
        client = Client(TOOL, [f"http://127.0.0.1:{port}" for port in free_ports(3)])
        self.addCleanup(client.close)
        answer = self.write(client)
        self.assertEqual((answer["result"], answer["error"]), ("not-written", "EHOSTUNREACH"))
        self.assertLess(answer["took_ms"], 2000)


class Reads(Base):
    def test_another_member_answers(self) -> None:
        for why, reply in (("closed", CLOSE), ("no answer", HANG), ("500", UNKNOWN), ("no JSON", "x"), ("another cluster", {"header": {**HEADER, "cluster_id": "8"}}),
                           ("keys that were not asked for", {"header": HEADER, "kvs": [kv("b", 8)], "count": "1"}),
                           ("too much", "x" * (9 << 20)), ("another status", (201, KEYS))):
            with self.subTest(why):
                first, second = self.member(range=[reply]), self.member(range=[KEYS])
                client = self.client(first, second, cluster_id="7")
                self.assertEqual(client.ask("range", key="a")["error"], "")
                self.assertEqual(client.ask("range", key="a")["member"], second.url)
                self.assertEqual((len(first.bodies("range")), len(second.bodies("range"))), (1, 2))

    def test_what_all_members_say(self) -> None:
        for reply, error in (("x", "EBADMSG"), ({"header": {**HEADER, "cluster_id": "8"}}, "EBADMSG"), (CLOSE, "EHOSTUNREACH"),
                             ((404, "404 page not found"), "EBADMSG"), ((403, {"code": 7, "message": "no"}), "EACCES"), (UNKNOWN, "EHOSTUNREACH")):
            with self.subTest(error):
                first = self.member(range=[reply])
                answer = self.client(first, cluster_id="7").ask("range", key="a")
                self.assertEqual(answer["error"], error)
                self.assertTrue(answer["reason"].startswith(first.url), answer)
        self.assertIn("too large", self.client(self.member(range=["x" * (9 << 20)])).ask("range", key="a")["reason"])

    def test_each_error_of_etcd_with_its_words(self) -> None:
        def said(status: int, code: int, message: str) -> Reply:
            return status, {"error": message, "message": message, "code": code}
        rows: list[tuple[Reply, str, str]] = [
            (said(400, 3, "etcdserver: key is not provided"), "EINVAL", "HTTP status 400: etcdserver: key is not provided"),
            (said(404, 5, "etcdserver: requested lease not found"), "ENOENT", "HTTP status 404: etcdserver: requested lease not found"),
            (said(403, 7, "etcdserver: permission denied"), "EACCES", "HTTP status 403: etcdserver: permission denied"),
            (said(429, 8, "etcdserver: mvcc: database space exceeded"), "ENOSPC", "HTTP status 429: etcdserver: mvcc: database space exceeded"),
            (said(429, 8, "etcdserver: too many requests"), "EHOSTUNREACH", "HTTP status 429: etcdserver: too many requests"),
            (said(400, 9, "etcdserver: not a learner"), "EINVAL", "HTTP status 400: etcdserver: not a learner"),
            (said(400, 11, "etcdserver: mvcc: required revision has been compacted"), "ESTALE",
             "HTTP status 400: etcdserver: mvcc: required revision has been compacted"),
            (said(400, 11, "etcdserver: mvcc: required revision is a future revision"), "EINVAL",
             "HTTP status 400: etcdserver: mvcc: required revision is a future revision"),
            (said(503, 14, "etcdserver: no leader"), "EHOSTUNREACH", "HTTP status 503: etcdserver: no leader"),
            (said(401, 16, "etcdserver: invalid auth token"), "EACCES", "HTTP status 401: etcdserver: invalid auth token"),
            ((404, "404 page not found"), "EBADMSG", "HTTP status 404: its JSON gateway is off, or this is no etcd: 404 page not found"),
            ((405, "no"), "EBADMSG", "HTTP status 405: no"),
            ({"header": {**HEADER, "cluster_id": "10"}}, "EBADMSG", "this is cluster a, not 7"),
            (said(503, 14, "a\x1b[2Jb\n"), "EHOSTUNREACH", "HTTP status 503: a?[2Jb?")]
        for reply, error, words in rows:
            with self.subTest(words):
                first = self.member(range=[reply])
                answer = self.client(first, cluster_id="7").ask("range", key="a")
                self.assertEqual((answer["error"], answer["reason"]), (error, f"{first.url}: {words}"))
                self.assertEqual(len(first.bodies("range")), 1)

    def test_what_is_wrong_of_a_passwords_file(self) -> None:
        first = self.member(authenticate=[{"header": HEADER, "token": "t"}], range=[KEYS])
        with tempfile.TemporaryDirectory(prefix="weir-etcd-") as folder:
            path, link = os.path.join(folder, "password"), os.path.join(folder, "link")
            os.symlink(path, link)
            rows = (("secret", 0o600, path, ""), ("x" * 255, 0o400, path, ""), ("x" * 256, 0o600, path, "is empty or too long"), ("", 0o600, path, "is empty or too long"),
                    ("\nsecret", 0o600, path, "is empty or too long"), ("secret", 0o640, path, "is readable by others, or no file"),
                    ("secret", 0o604, path, "is readable by others, or no file"), ("secret", 0o700, folder, "is readable by others, or no file"),
                    ("secret", 0o600, link, "Too many levels of symbolic links"), ("secret", 0o600, path + ".none", "No such file or directory"))
            for text, mode, used, fault in rows:
                with self.subTest(fault, text=text[:8]):
                    with open(path, "w", encoding="utf-8") as f:
                        f.write(text)
                    os.chmod(path, mode)
                    n_asked = len(first.bodies("authenticate"))
                    answer = self.client(first, user="weir", password_file=used).ask("range", key="a")
                    self.assertEqual((answer["error"], answer.get("reason", "")),
                                     ("EACCES", f"{first.url}: the password's file {used} {fault}") if fault else ("", ""))
                    self.assertEqual(len(first.bodies("authenticate")), n_asked + (not fault))
                    os.unlink(path)

    def test_a_token_goes_with_each_request_and_is_got_again(self) -> None:
        folder = self.enterContext(password_file(self))
        old = (401, {"code": 16, "message": "etcdserver: invalid auth token"})
        first = self.member(authenticate=[{"header": HEADER, "token": "t.1"}, {"header": HEADER, "token": "t.2"}], range=[KEYS, old, KEYS],
                            txn=[(400, {"code": 3, "message": "etcdserver: revision of auth store is old"}), DONE])
        client = self.client(first, user="weir", password_file=folder)
        self.assertEqual(client.ask("range", key="a")["error"], "")
        self.assertEqual(client.ask("range", key="a")["error"], "")
        self.assertEqual(self.write(client)["result"], "done")
        self.assertEqual(first.bodies("authenticate"), [{"name": "weir", "password": "secret"}] * 3)
        for reply in ({"header": HEADER, "token": "a\r\nX: y"}, {"header": {**HEADER, "cluster_id": "8"}, "token": "t"}, {"header": HEADER}):
            foreign = self.member(authenticate=[reply], range=[KEYS])
            self.assertEqual(self.client(foreign, user="weir", password_file=folder, cluster_id="7").ask("range", key="a")["error"], "EBADMSG")
            self.assertEqual(foreign.bodies("range"), [])

    def test_a_token_that_is_never_good(self) -> None:
        path = self.enterContext(password_file(self))
        first = self.member(authenticate=[{"header": HEADER, "token": "t"}], range=[(401, {"code": 16, "message": "invalid auth token"})])
        self.assertEqual(self.client(first, user="weir", password_file=path).ask("range", key="a")["error"], "EACCES")
        self.assertLess(len(first.bodies("range")), 6)
        self.assertEqual(self.client(first).ask("range", key="a")["error"], "EACCES")

    def test_what_is_not_repeated(self) -> None:
        for reply, error in ((CLOSE, "EINPROGRESS"), (UNKNOWN, "EINPROGRESS"), ((503, {"code": 14, "message": "etcdserver: unhealthy cluster"}), "EHOSTUNREACH")):
            first = self.member(add=[reply])
            self.assertEqual(self.client(first).ask("member-add", url="http://127.0.0.1:1")["error"], error)
            self.assertEqual(len(first.bodies("add")), 1)

    def test_the_stop_flag(self) -> None:
        answer = self.client(self.member(range=[HANG])).ask("range", key="a", stop_after_ms=300)
        self.assertEqual(answer["error"], "ECANCELED")
        self.assertIn(answer["took_ms"], range(290, 800))


@contextlib.contextmanager
def password_file(case: unittest.TestCase) -> typing.Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="weir-etcd-") as folder:
        path = os.path.join(folder, "password")
        with open(path, "w", encoding="utf-8") as f:
            f.write("secret\n")
        os.chmod(path, 0o400)
        yield path


class Watches(Base):
    def watch(self, *members: Fake, **more: typing.Any) -> Client:
        client = self.client(*members, cluster_id="7")
        client.begin_watch(next=5, **more)
        return client

    def has_left(self, client: Client, reason: str) -> None:
        wait_for(reason, lambda: any(reason in a.get("left", "") for a in client.watched()))

    def test_it_goes_on_behind_the_last_revision(self) -> None:
        for why, end in (("an error", {"error": {"grpc_code": 14, "message": "closing"}}), ("canceled", {"result": {"header": HEADER, "canceled": True}}),
                         ("no JSON", "x"), ("another cluster", {"result": {"header": {**HEADER, "cluster_id": "8"}}}),
                         ("an old revision", events(kv("w/a", 5)))):
            with self.subTest(why):
                first = self.member(range=[KEYS], watch=[[CREATED, events(kv("w/a", 5), kv("w/b", 5), kv("w/a", 7)), end]])
                second = self.member(range=[KEYS], watch=[[CREATED, events(kv("w/a", 8))]])
                client = self.watch(first, second)
                wait_for("all changes", lambda: len(client.changes()) == 3)
                self.assertEqual(client.changes(), [(5, ["w/a", "w/b"]), (7, ["w/a"]), (8, ["w/a"])])
                self.assertEqual([b["create_request"]["start_revision"] for f in (first, second) for b in f.bodies("watch")], ["5", "8"])
                ended = client.end_watch()
                self.assertEqual((ended["ended"], ended["next"], ended["revision"]), ("stopped", 9, 9))

    def test_a_silent_watch_at_a_member_that_answers(self) -> None:
        for why, stream in (("not created", []), ("a change is missing", [CREATED])):
            with self.subTest(why):
                keys = Keys()
                keys.set("w/head", 4, "v")
                keys.set("w/mark", 6, "v")
                first = self.member(range=[keys.range], watch=[stream])
                second = self.member(range=[keys.range], watch=[[CREATED, events(kv("w/mark", 6))]])
                client = self.watch(first, second)
                self.has_left(client, "silent, though")
                wait_for("the change", client.changes)
                client.end_watch()

    def test_a_member_sorts_its_keys_only_for_a_store_that_went_on(self) -> None:
        """With many versions that is dear, and nodes read every 2 s."""
        keys = Keys()
        keys.set("w/head", 4, "v")
        keys.revision = 4
        first = self.member(range=[keys.range], watch=[[CREATED]])
        client = self.watch(first)
        one: Answer = {"key": b64("w/"), "limit": "1", "keys_only": True}
        wait_for("two reads", lambda: len(first.bodies("range")) >= 2)
        self.assertEqual(first.bodies("range")[:2], [one, one])
        keys.revision = 5  # of a key that is not ours
        newest: Answer = {**one, "range_end": b64("w0"), "sort_order": "DESCEND", "sort_target": "MOD"}
        wait_for("the newest change", lambda: newest in first.bodies("range"))
        self.assertEqual(first.bodies("range")[2:4], [one, newest])
        self.assertEqual(client.end_watch()["revision"], 5)

    def test_all_nodes_read_at_the_same_time(self) -> None:
        """At even seconds of the clock, whenever they began: a member then asks the others once for all."""
        first = self.member(range=[KEYS], watch=[[CREATED]])
        time.sleep((3.0 - time.time() % 2) % 2)  # begin at an odd second
        client = self.watch(first)
        wait_for("the first read", lambda: first.bodies("range"))

        def reads_at_an_even_second() -> bool:
            n = len(first.bodies("range"))
            wait_for("one more", lambda: len(first.bodies("range")) > n)
            return time.time() % 2 < 0.5
        wait_for("a read at an even second", reads_at_an_even_second)
        client.end_watch()

    def test_what_ends_it(self) -> None:
        back = {"header": {**HEADER, "revision": "8"}}
        rows: list[tuple[str, Replies, Answer, str]] = [
                ("compacted", {"range": [KEYS], "watch": [[CREATED, {"result": {"header": HEADER, "canceled": True, "compact_revision": "8"}}]]}, {}, "list"),
                ("too long a line", {"range": [KEYS], "watch": [[CREATED, " " * (9 << 20)]]}, {}, "list"),
                ("lower than before", {"range": [KEYS], "watch": [[CREATED]]}, {"revision": 10}, "went-back"),
                ("lower than what is wanted", {"range": [{"header": {**HEADER, "revision": "3"}}], "watch": [[CREATED]]}, {}, "went-back"),
                ("it goes back meanwhile", {"range": [KEYS, back], "watch": [[CREATED]]}, {}, "went-back")]
        for why, replies, more, ended in rows:
            with self.subTest(why):
                client = self.watch(self.member(**replies), **more)
                self.assertEqual(wait_for("the end", lambda: client.has_said("ended"))["ended"], ended)
                self.assertEqual(client.changes(), [])

    def test_a_member_that_is_cut_off_is_left(self) -> None:
        """Its stream is open, and its reads fail."""
        first = self.member(range=[KEYS, UNKNOWN], watch=[[CREATED]])
        second = self.member(range=[KEYS], watch=[[CREATED, events(kv("w/a", 6))]])
        client = self.watch(first, second)
        wait_for("the change", client.changes)
        self.has_left(client, "context deadline")

    def test_who_refuses_the_token_gets_another(self) -> None:
        """Whichever words end the stream; what ends it for another reason leaves the token good."""
        path = self.enterContext(password_file(self))
        for why, end, renewed in (("the token is old", {"result": {"header": HEADER, "canceled": True, "cancel_reason": "etcdserver: invalid auth token"}}, 1),
                                  ("not permitted", {"result": {"header": HEADER, "canceled": True, "cancel_reason": "rpc error: permission denied"}}, 1),
                                  ("an error of the token", {"error": {"grpc_code": 16, "message": "etcdserver: no token"}}, 1),
                                  ("an error of the right", {"error": {"grpc_code": 7, "message": "etcdserver: permitted to nobody"}}, 1),
                                  ("closing", {"error": {"grpc_code": 14, "message": "etcdserver: closing"}}, 0),
                                  ("no reason", {"result": {"header": HEADER, "canceled": True, "cancel_reason": "etcdserver: no reason"}}, 0),
                                  ("another cluster", {"result": {"header": {**HEADER, "cluster_id": "8"}}}, 0)):
            with self.subTest(why):
                replies: Replies = {"authenticate": [{"header": HEADER, "token": "t"}], "range": [KEYS]}
                first = self.member(**replies, watch=[[CREATED, end]])
                second = self.member(**replies, watch=[[CREATED, events(kv("w/a", 6))]])
                client = self.client(first, second, cluster_id="7", user="weir", password_file=path)
                client.begin_watch(next=5)
                wait_for("the change", client.changes)
                self.assertEqual([len(f.bodies("authenticate")) for f in (first, second)], [1, renewed])
                self.assertEqual([len(f.bodies("watch")) for f in (first, second)], [1, 1])
                client.end_watch()

    def test_all_members_refuse(self) -> None:
        """They are not pressed: once a second each."""
        first = self.member(range=[(403, {"code": 7, "message": "etcdserver: permission denied"})])
        client = self.watch(first)
        wait_for("three tries", lambda: len(first.bodies("range")) >= 3)
        ended = client.end_watch()
        self.assertEqual(ended["ended"], "stopped")
        self.assertGreater(ended["took_ms"], 1900)

    def test_a_lease_that_is_lost(self) -> None:
        for reply, error in (({"result": {"header": HEADER, "ID": "5"}}, "ENOENT"), ({"result": {"header": HEADER, "ID": "6", "TTL": "9"}}, "EBADMSG"),
                             ({"error": {"grpc_code": 14, "message": "x"}}, "EHOSTUNREACH"), (CLOSE, "EHOSTUNREACH"),
                             ({"result": {"header": HEADER, "ID": "5", "TTL": "9"}}, "")):
            self.assertEqual(self.client(self.member(keepalive=[reply])).ask("keepalive", lease=5)["error"], error)


class Settings(unittest.TestCase):
    def test_what_is_impossible(self) -> None:
        good = "http://127.0.0.1:1"
        number, user, pair = "etcd needs 1 to 9 endpoints", "a user needs a password's file", "a client's certificate needs its key"
        first, second = (f'endpoint {i} is not "https://HOST:PORT" or "http://HOST:PORT"' for i in (0, 1))
        rows: list[tuple[list[str], dict[str, str], str]] = [
            ([], {}, number), ([good] * 10, {}, number), (["ftp://a"], {}, first), (["http://"], {}, first), (["https://"], {}, first), (["http://a/b"], {}, first),
            (["http://u@a"], {}, first), (["http://a b"], {}, first), ([good, "http:/a"], {}, second), (["http://" + "a" * 248], {}, first),
            ([good], {"user": "a"}, user), ([good], {"password_file": "/a"}, user), ([good], {"certificate": "/a"}, pair), ([good], {"private_key": "/a"}, pair)]
        for urls, settings, reason in rows:
            with self.subTest(reason, urls=str(urls)[:40]):
                with self.assertRaises(ValueError) as raised:
                    Client(TOOL, urls, **settings)
                self.assertEqual(str(raised.exception), reason)

    def test_what_just_fits(self) -> None:
        for urls in (["http://127.0.0.1:1"] * 9, ["http://" + "a" * 247], ["https://[fd00::1]:2379"], ["https://A.z-0:9"]):
            with self.subTest(str(urls)[:40]):
                Client(TOOL, urls).close()


if __name__ == "__main__":
    counted.main()
