#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Edits of objects by many writers at once, through real sockets: of one node, and of two that share a store.

Usage: test_edits.py [Alone|Shared] WEIR_MGMT
"""
from __future__ import annotations

import concurrent.futures
import json
import os
import socket
import sys
import typing
import unittest

import counted
from api_node import Node, config, free_port, wait_for
from shared_store import shared

if typing.TYPE_CHECKING:
    from api_node import Answer

PROGRAM = sys.argv.pop()
WRITERS = 20
PATCH = "application/merge-patch+json"
POOL = "/v1/pools/web-ams"


def many_backends(text: str) -> str:
    """The configuration with a backend for each writer."""
    text = text.replace("max_backends = 10;", "max_backends = 100;", 1)
    first = text.index("backends = (") + len("backends = (")
    return text[:first] + "".join(f'\n      {{ name = "w{i}"; address = "10.1.2.{i + 1}"; weight = 100; }}, # of writer {i}'
                                  for i in range(WRITERS)) + "\n" + text[first:]


class Edits(unittest.TestCase):
    def patch(self, node: Node, path: str, value: typing.Any, match: str = "*", query: str = "") -> Answer:
        return node.ask("PATCH", f"{path}?reason=test&wait_ms=0{query}", value, {"If-Match": match, "Content-Type": PATCH})

    def weights(self, node: Node) -> dict[str, int]:
        return {b["name"]: b["weight"] for b in node.ask("GET", POOL).json["backends"]}

    @staticmethod
    def at_once(n: int, call: typing.Callable[[int], Answer]) -> list[Answer]:
        with concurrent.futures.ThreadPoolExecutor(n) as pool:
            return list(pool.map(call, range(n)))


class Alone(Edits):
    def setUp(self) -> None:
        self.node = Node(PROGRAM, "ams-1", many_backends(config()))
        self.addCleanup(self.node.close)
        self.node.start()

    def head(self) -> int:
        return self.node.ask("GET", "/v1/config").json["number"]

    def test_writers_of_different_objects_lose_nothing(self) -> None:
        before = self.node.ask("GET", "/v1/config").json["files"]["weir.conf"]
        etags = [self.node.ask("GET", f"{POOL}/backends/w{i}").headers["ETag"] for i in range(WRITERS)]
        answers = self.at_once(WRITERS, lambda i: self.patch(self.node, f"{POOL}/backends/w{i}", {"weight": 101 + i}, etags[i]))
        self.assertEqual({a.status // 100 for a in answers}, {2}, [a.raw for a in answers])
        self.assertEqual({a.json["version"]["number"] for a in answers}, set(range(2, WRITERS + 2)))
        weights = self.weights(self.node)
        self.assertEqual([weights[f"w{i}"] for i in range(WRITERS)], [101 + i for i in range(WRITERS)])
        for i in range(WRITERS):
            before = before.replace(f'"10.1.2.{i + 1}"; weight = 100;', f'"10.1.2.{i + 1}"; weight = {101 + i};')
        self.assertEqual(self.node.ask("GET", "/v1/config").json["files"]["weir.conf"], before)

    def test_of_writers_of_one_object_one_is_first(self) -> None:
        etag = self.node.ask("GET", f"{POOL}/backends/w0").headers["ETag"]
        answers = self.at_once(WRITERS, lambda i: self.patch(self.node, f"{POOL}/backends/w0", {"weight": 101 + i}, etag))
        won = [a for a in answers if a.status // 100 == 2]
        self.assertEqual(len(won), 1, [a.raw for a in answers])
        for a in answers:
            if a is not won[0]:
                self.assertEqual((a.status, a.code, a.json["head"], a.json["object"]),
                                 (412, "stale", won[0].headers["ETag"], won[0].json["object"]), a.raw)
        self.assertEqual(self.head(), 2)

    def test_an_unconfirmed_version_says_when_to_ask_again(self) -> None:
        self.assertEqual(self.patch(self.node, f"{POOL}/backends/w0", {"weight": 1}, query="&confirm_within=100s").status // 100, 2)
        refused = self.patch(self.node, f"{POOL}/backends/w1", {"weight": 1})
        self.assertEqual((refused.status, refused.code), (409, "unconfirmed"), refused.raw)
        self.assertTrue(50 < int(refused.headers["Retry-After"]) <= 101, refused.headers)
        self.assertEqual(self.node.ask("POST", "/v1/versions/2/confirm", {"reason": "x"}).status // 100, 2)
        self.assertEqual(self.patch(self.node, f"{POOL}/backends/w1", {"weight": 1}).status // 100, 2)

    def test_what_is_cut_off_changes_nothing(self) -> None:
        body = json.dumps({"weight": 7}).encode()
        head = f"PATCH {POOL}/backends/w0?reason=x HTTP/1.1\r\nHost: a\r\nContent-Type: {PATCH}\r\nIf-Match: *\r\nContent-Length: {len(body)}\r\n\r\n"
        whole = head.encode() + body
        for n in (10, len(head) - 1, len(head), len(whole) - 1):
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(os.path.join(self.node.run, "api.sock"))
                s.sendall(whole[:n])
        self.assertEqual((self.head(), self.weights(self.node)["w0"]), (1, 100))

    def test_types_bodies_and_paths(self) -> None:
        rows: list[tuple[str, str, str | None, dict[str, str], int, str]] = [
                ("PATCH", f"{POOL}/backends/w0", "{}", {"Content-Type": "application/json"}, 415, "not-json"),
                ("PUT", f"{POOL}/backends/w0", "{}", {"Content-Type": PATCH}, 415, "not-json"),
                ("DELETE", f"{POOL}/backends/w0", "{}", {}, 400, "bad-request"),
                ("PATCH", f"{POOL}/backends/w0", "null", {"Content-Type": PATCH}, 422, "invalid"),
                ("PATCH", f"{POOL}/backends/w0", "[" * 3000, {"Content-Type": PATCH}, 422, "invalid"),
                ("DELETE", f"{POOL}%2Fbackends%2Fw0", None, {}, 404, "not-found"),
                ("DELETE", f"{POOL}/backends/..%2fw0", None, {}, 404, "not-found"),
                ("DELETE", f"{POOL}/backends/%2e%2e", None, {}, 404, "not-found"),
                ("DELETE", f"{POOL}/backends/*", None, {}, 404, "not-found"),
                ("OPTIONS", f"{POOL}/backends/w0", None, {}, 405, "method-not-allowed"),
                ("DELETE", POOL, None, {}, 409, "referenced")]
        for method, path, raw, headers, status, code in rows:
            answer = self.node.ask(method, f"{path}?reason=x", None, {"If-Match": "*", **headers}, raw)
            self.assertEqual((answer.status, answer.code), (status, code), (method, path, answer.raw))
            self.assertEqual(answer.headers["Accept-Patch"], PATCH if method == "PATCH" and status == 415 else None)
        self.assertEqual(answer.json["referents"], ["services/web/at/ams"])
        self.assertEqual(self.head(), 1)
        head = self.node.ask("HEAD", f"{POOL}/backends/w0")
        self.assertEqual((head.status, head.raw), (200, b""))
        allowed = self.node.ask("OPTIONS", f"{POOL}/backends/w0").headers["Allow"]
        self.assertEqual(allowed, "GET, HEAD, PUT, PATCH, DELETE")


class Shared(Edits):
    def setUp(self) -> None:
        text = many_backends(config(*(f"https://127.0.0.1:{free_port()}" for _ in range(2))))
        self.nodes = Node(PROGRAM, "ams-1", text), Node(PROGRAM, "fra-1", text)
        self.enterContext(shared(*self.nodes))
        for node in self.nodes:
            self.addCleanup(node.close)
            node.start()
        answer = self.nodes[0].apply(self.nodes[0].files(), query="?wait=all", confirm_within="none")
        self.assertEqual((answer.status, answer.json["version"]["number"]), (201, 1), answer.raw)
        wait_for("both have it", lambda: all(n.ask("GET", "/v1/config").json["number"] == 1 for n in self.nodes))

    def writer(self, i: int) -> list[Answer]:
        """Three changes of the writer's own backend, each once more when the server is busy."""
        node, path = self.nodes[i % 2], f"{POOL}/backends/w{i}"
        answers: list[Answer] = []
        for weight in (201, 202, 203):
            while not answers or answers[-1].status != 201 or answers[-1].json["object"]["weight"] != weight:
                answers.append(self.patch(node, path, {"weight": weight}))
                if (answers[-1].status, answers[-1].code) not in ((201, None), (202, None), (503, "busy")):
                    return answers
                if answers[-1].status == 202:
                    break
        return answers

    def test_writers_at_two_nodes_lose_nothing(self) -> None:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = [a for f in [pool.submit(self.writer, i) for i in range(8)] for a in f.result()]
        self.assertLessEqual({(a.status, a.code) for a in answers}, {(201, None), (202, None), (503, "busy")}, [a.raw for a in answers])
        made = [a.json["version"]["number"] for a in answers if a.status != 503]
        self.assertEqual(sorted(made), list(range(2, 26)))
        for node in self.nodes:
            wait_for("all of it", lambda: all(self.weights(node)[f"w{i}"] == 203 for i in range(8)))  # noqa: B023

    def test_of_writers_of_one_object_at_two_nodes_one_is_first(self) -> None:
        etag = self.nodes[0].ask("GET", f"{POOL}/backends/w0").headers["ETag"]
        answers = self.at_once(6, lambda i: self.patch(self.nodes[i % 2], f"{POOL}/backends/w0", {"weight": 101 + i}, etag))
        self.assertEqual(len([a for a in answers if a.status // 100 == 2]), 1, [a.raw for a in answers])
        self.assertLessEqual({(a.status, a.code) for a in answers}, {(201, None), (202, None), (412, "stale")}, [a.raw for a in answers])


if __name__ == "__main__":
    counted.main()
