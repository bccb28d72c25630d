#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Who changed what, and once: principals in every record, idempotency keys against races and crashes.

Usage: test_record.py WEIR_MGMT WEIR
"""
from __future__ import annotations

import concurrent.futures
import contextlib
import os
import pwd
import signal
import sqlite3
import subprocess
import sys
import typing
import unittest

import counted
from api_node import Node, config, free_port, wait_for, was_changed
from shared_store import shared

if typing.TYPE_CHECKING:
    from api_node import Answer

MGMT, WEIR = (sys.argv.pop(1) for _ in range(2))
ME = "user:" + pwd.getpwuid(os.getuid()).pw_name
SITE = {"site": "ams"}


@contextlib.contextmanager
def running(has_store: bool = False, **more: typing.Any) -> typing.Iterator[Node]:
    node = Node(MGMT, text=config(**more))
    with shared(node) if has_store else contextlib.nullcontext():
        try:
            node.start()
            wait_for("a version", lambda: node.ask("GET", "/v1/config").status == 200)
            yield node
        finally:
            node.close()


def weir(node: Node, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([WEIR, "--conf-dir", node.conf, "--state-dir", node.state, "--run-dir", node.run, "--node", node.name,
                           *args], capture_output=True, text=True, timeout=100)


def keyed(node: Node, key: str, body: dict[typing.Any, typing.Any], path: str = "/v1/overrides",
          **headers: typing.Any) -> Answer:
    return node.ask("POST", path, body, {"Idempotency-Key": key, **headers})


def drain(**more: typing.Any) -> dict[str, typing.Any]:
    return {"do": "drain", "target": SITE, "until": "never", "reason": "a test", **more}


class Principals(unittest.TestCase):
    def test_every_change_names_who_was_authenticated(self) -> None:
        port = free_port()
        with running(ams_api=f"https://127.0.0.1:{port}") as node:
            wait_for("TCP", lambda: os.path.exists(node.run + "/api.sock") and "api-served" in node.log())
            r = node.ask_tcp(port, "POST", "/v1/overrides?wait_ms=0", "otto" * 8, drain(author="somebody else"))
            self.assertIn(r.status, (201, 202), r.raw)
            o = node.ask("GET", "/v1/overrides").json["items"][0]
            self.assertEqual((o["author"], o["principal"]), ("somebody else", "token:otto"))
            node.command("undrain", SITE, now=True, author="a third", reason="it is over")
            o = node.ask("GET", "/v1/overrides?ended=true").json["items"][0]
            self.assertEqual(o["principal"], ME)
            self.assertLess(node.apply(node.files("weight = 100", "weight = 90"), author="ada").status, 300)
            self.assertEqual([v["principal"] for v in node.ask("GET", "/v1/versions").json["items"]], [ME, "weir"])
            events = [e["message"] for e in node.ask("GET", "/v1/events?since=0&limit=1000").json["items"]]
            for wanted in ("(token:otto)", f"by a third ({ME}): it is over", f"by ada ({ME})"):
                self.assertTrue(any(wanted in m for m in events), (wanted, events))
            self.assertIn(ME, weir(node, "versions").stdout)
            self.assertIn(ME, weir(node, "overrides", "--ended").stdout)
            node.stop(signal.SIGKILL)
            node.start()
            self.assertEqual(node.ask("GET", "/v1/versions").json["items"][0]["principal"], ME)
            self.assertEqual(node.ask("GET", "/v1/overrides?ended=true").json["items"][0]["principal"], ME)

    def test_peers_are_told_the_principal(self) -> None:
        with running() as node:
            node.drain(author="ada")
            items = node.ask("POST", "/v1/peer/exchange", {"node": "fra-1", "cluster": "shop", "query": "overrides"}).json["items"]
            self.assertEqual([i["principal"] for i in items], [ME])
            self.assertEqual(node.ask("GET", "/v1/versions/1").json["principal"], "weir")

    def test_ending_what_is_over_is_done(self) -> None:
        with running() as node:
            for what in ("undrain", "enable"):
                for target in (("site", "ams"), ("backend", "web-ams/b1")):
                    r = weir(node, what, *target)
                    self.assertEqual(r.returncode, 0, r.stderr)
                    self.assertIn("nothing to end", r.stdout)
                self.assertNotEqual(weir(node, what, "site", "amz").returncode, 0)
            node.stop()
            r = weir(node, "undrain", "site", "ams", "--offline")
            self.assertEqual(r.returncode, 0, r.stderr)

    def test_a_viewer_may_diff(self) -> None:
        port = free_port()
        with running(ams_api=f"https://127.0.0.1:{port}") as node:
            wait_for("TCP", lambda: "api-served" in node.log())
            node.apply(node.files("weight = 100", "weight = 90"))
            self.assertEqual(node.ask_tcp(port, "GET", "/v1/versions/1/diff/2", "vera" * 8).status, 200)


class Keys(unittest.TestCase):
    def test_of_sixteen_at_once_one_is_carried_out(self) -> None:
        with running() as node, concurrent.futures.ThreadPoolExecutor(16) as pool:
            for n in range(5):
                target = {"pool": "web-ams", "backend": "b1"}
                body = drain(target=target, over=f"{n + 1}m")
                answers = list(pool.map(lambda _: keyed(node, f"round {n}", body, "/v1/overrides?wait_ms=0"), range(16)))
                self.assertEqual({a.status for a in answers} - {200, 201, 202}, set(), [a.raw for a in answers][:2])
                made = {(a.json["override"]["id"], a.json["override"]["generation"]) for a in answers}
                self.assertEqual(len(made), 1, made)
                self.assertEqual(sum(a.headers.get("Idempotent-Replay") != "true" for a in answers), 1)
                items = node.ask("GET", "/v1/overrides").json["items"]
                self.assertEqual({(o["id"], o["generation"]) for o in items}, made)

    def test_of_sixteen_applies_at_once_one_makes_a_version(self) -> None:
        with running() as node, concurrent.futures.ThreadPoolExecutor(16) as pool:
            files = node.files("weight = 100", "weight = 90")
            answers = list(pool.map(lambda _: keyed(node, "k", {"files": files, "reason": "x"}, "/v1/config/apply?wait_ms=0",
                                                    **{"If-Match": "*"}), range(16)))
            self.assertEqual({a.json["version"]["number"] for a in answers}, {2})
            self.assertEqual(node.ask("GET", "/v1/versions").json["head"], 2)

    def test_a_key_with_another_request_is_refused(self) -> None:
        with running() as node:
            keyed(node, "k", drain())
            self.assertEqual(keyed(node, "k", drain(reason="another")).code, "key-reused")

    def test_a_key_belongs_to_one_principal(self) -> None:
        port = free_port()
        with running(ams_api=f"https://127.0.0.1:{port}") as node:
            wait_for("TCP", lambda: "api-served" in node.log())
            first = keyed(node, "k", drain())
            answer = self.ask_as(node, port, "otto", "k", drain())
            self.assertIsNone(answer.headers.get("Idempotent-Replay"))
            self.assertGreater(answer.json["override"]["generation"], first.json["override"]["generation"])
            again = self.ask_as(node, port, "otto", "k", drain())
            self.assertEqual(again.headers.get("Idempotent-Replay"), "true")

    @staticmethod
    def ask_as(node: Node, port: int, who: str, key: str, body: dict[typing.Any, typing.Any]) -> Answer:
        import http.client
        import ssl
        c = http.client.HTTPSConnection("127.0.0.1", port, timeout=60,
                                        context=ssl.create_default_context(cafile=os.path.join(node.conf, "tls.crt")))
        return node.send(c, "POST", "/v1/overrides", body, {"Authorization": f"Bearer {who * 8}", "Idempotency-Key": key}, None)

    def test_a_crash_between_change_and_answer_makes_no_second_change(self) -> None:
        for what in ("override", "version"):
            with self.subTest(what), running(what == "version", ams_api=f"https://127.0.0.1:{free_port()}", fra_api="https://127.0.0.1:9") as node:
                if what == "override":
                    path, body, headers = "/v1/overrides", drain(), {}
                else:
                    self.assertEqual(node.apply(node.files(), query="?wait_ms=0").json["version"]["number"], 1)
                    path, headers = "/v1/config/apply", {"If-Match": "*"}
                    body = {"files": node.files("weight = 100", "weight = 90"), "reason": "x"}
                # it is killed while it waits for its peer, which does not answer
                with concurrent.futures.ThreadPoolExecutor(1) as pool:
                    with contextlib.suppress(Exception):
                        answer = pool.submit(keyed, node, "k", body, path + "?wait=all&wait_ms=20000", **headers)
                        wait_for("the change", lambda: self.is_stored(node, what))
                        node.stop(signal.SIGKILL)
                        answer.result()
                node.start()
                wait_for("it has followed", lambda: node.ask("GET", "/v1/store").json["state"] in ("ready", "none"))
                r = keyed(node, "k", body, path + "?wait=all&wait_ms=20000", **headers)
                self.assertEqual((r.status, r.headers.get("Idempotent-Replay")), (200, "true"), r.raw)
                self.assertTrue(r.json["recovered"])
                if what == "override":
                    self.assertEqual(r.json["override"]["do"], "drain")
                    self.assertEqual([was_changed(o) for o in node.ask("GET", "/v1/overrides").json["items"]], [False])
                else:
                    self.assertEqual(r.json["version"]["number"], 2)
                    self.assertEqual(node.ask("GET", "/v1/versions").json["head"], 2)

    @staticmethod
    def is_stored(node: Node, what: str) -> typing.Any:
        with contextlib.closing(sqlite3.connect(f"file:{node.state}/store/store.db?mode=ro", uri=True, timeout=60)) as db:
            table = "overrides" if what == "override" else "versions WHERE number=2"
            return db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


if __name__ == "__main__":
    counted.main()
