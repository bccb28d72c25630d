#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Shared intent in etcd, at members that say what the test wants.

Usage: test_shared_etcd.py LAB_SHARED
"""
from __future__ import annotations

import base64
import json
import queue
import subprocess
import sys
import tempfile
import threading
import time
import typing
import unittest

import counted
from etcd_fake import CLOSE, CREATED, HEADER, Fake, Keys, Reply, events, kv
from etcd_cluster import Answer, wait_for

TOOL = sys.argv.pop(1)
PREFIX = "/weir/lab/"
VERSION = {"number": 1, "digest": "a" * 64}
OTHER = json.dumps({"change": "another's"})


class Node:
    """A node's part in a process."""

    def __init__(self, member: Fake, folder: str) -> None:
        self.process = subprocess.Popen([TOOL, folder, PREFIX, member.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lines: queue.Queue[Answer] = queue.Queue()
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self) -> None:
        for line in self.process.stdout:
            self.lines.put(json.loads(line))

    def hear(self, key: str) -> Answer:
        """The next line with @key; what is before it is of no interest."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            line = self.lines.get(timeout=30)
            if key in line:
                return line
        raise AssertionError(f"no {key}")

    def apply(self) -> Answer:
        self.process.stdin.write(json.dumps({"do": "apply", "within_ms": 0}) + "\n")
        self.process.stdin.flush()
        return self.hear("result")

    def close(self) -> None:
        self.process.stdin.close()  # which ends it
        try:
            status = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self.reader.join()
        self.process.stdout.close()
        if status:
            raise AssertionError(f"it ended with {status}")


class SharedEtcd(unittest.TestCase):
    def node(self, **replies: list[Reply]) -> tuple[Fake, Node]:
        member = Fake(**replies)
        self.addCleanup(member.close)
        node = Node(member, self.enterContext(tempfile.TemporaryDirectory(prefix="weir-shared-")))
        self.addCleanup(node.close)
        return member, node

    def apply_behind(self, write: typing.Callable[[Keys, Answer], None]) -> str:
        """A node applies its first version, and the answer is lost. Before it tries again, @write has changed the store.
        @return what the node says of its change"""
        keys = Keys()
        keys.revision = 7

        def refuse(body: Answer) -> Answer:
            keys.revision = 9
            write(keys, body)
            return keys.failure(body)

        member, node = self.node(range=[keys.range], txn=[CLOSE, refuse], watch=[[CREATED]])
        wait_for("it follows", lambda: member.bodies("watch"))
        result: str = node.apply()["result"]
        self.assertEqual(len(member.bodies("txn")), 2)
        return result

    def test_what_a_record_proves_after_a_lost_answer(self) -> None:
        """It was not there before. What another wrote there proves something only if it was the first."""
        def put(keys: Keys, version: int, text: typing.Callable[[str], str], body: Answer) -> None:
            for op in body["success"]:
                name, value = (base64.b64decode(op["request_put"][what]).decode() for what in ("key", "value"))
                keys.set(name, 8, text(value), version)

        for why, version, text, result in (("ours", 1, lambda ours: ours, "done"), ("ours, behind another's", 2, lambda ours: ours, "done"),
                                           ("another's is the first", 1, lambda _: OTHER, "refused"),
                                           ("another's, behind one that may be ours", 2, lambda _: OTHER, "unknown"),
                                           ("no record, behind one that may be ours", 2, lambda _: "x", "unknown")):
            with self.subTest(why):
                self.assertEqual(self.apply_behind(lambda keys, body: put(keys, version, text, body)), result)  # noqa: B023

    def test_a_change_that_is_not_kept_is_not_passed(self) -> None:
        """Nothing behind it is taken: all is listed, and followed from there."""
        keys = Keys()

        def follow(body: Answer) -> list[Answer]:
            if len(member.bodies("watch")) > 1:
                return [CREATED]
            # by the time of the list, another has written over it
            keys.revision = 12
            keys.set(PREFIX + "version/1", 12, json.dumps(VERSION))
            keys.set(PREFIX + "head", 12, json.dumps({"number": 1}))
            return [CREATED, events(kv(PREFIX + "version/1", 10, json.dumps({"number": 7}))),
                    events(kv(PREFIX + "version/1", 11, json.dumps({**VERSION, "digest": "b" * 64})), kv(PREFIX + "head", 11, json.dumps({"number": 1})))]

        member, node = self.node(range=[keys.range], watch=[follow])
        self.assertIn("the change of revision 10 could not be kept", node.hear("left")["left"])
        self.assertEqual(node.hear("in_force"), {"in_force": 1, "digest": "a" * 64})
        wait_for("it follows", lambda: len(member.bodies("watch")) > 1)
        self.assertEqual(member.bodies("watch")[1]["create_request"]["start_revision"], "13")

    def test_what_cannot_be_ours_is_not_listed(self) -> None:
        longest = json.dumps({"x": "y" * (16384 - len('{"x": ""}'))})
        for why, key, value, reason in (("the longest", "operation/1/x", longest, ""), ("too long", "operation/1/x", longest + " ", "x is not Weir's"),
                                        ("a member's, too long", "member/p/x", longest + " ", ""), ("a member's, no text", "member/p/x", "\0", ""),
                                        ("no text", "a\n\x1b[1mb", "\0", PREFIX + "a??[1mb is not Weir's")):
            with self.subTest(why):
                keys = Keys()
                keys.set(PREFIX + key, 5, value)
                member, node = self.node(range=[keys.range], watch=[[CREATED]])
                if reason:
                    self.assertIn(reason, node.hear("unlisted")["unlisted"])
                else:
                    wait_for("it follows", lambda: member.bodies("watch"))  # noqa: B023

    def test_a_page_without_keys_is_no_page(self) -> None:
        member, node = self.node(range=[{"header": HEADER, "count": "5", "more": True}])
        self.assertIn("is set without a key", node.hear("unlisted")["unlisted"])

    def test_a_change_below_what_was_known_is_in_another_store(self) -> None:
        for revision, result in (("9", "unknown"), ("8", "unknown"), ("10", "done")):
            with self.subTest(revision):
                done = {"header": {**HEADER, "revision": revision}, "succeeded": True, "responses": [{"response_put": {}}] * 2}
                member, node = self.node(range=[Keys().range], txn=[done], watch=[[CREATED]])
                wait_for("it follows", lambda: member.bodies("watch"))  # noqa: B023
                answer = node.apply()
                self.assertEqual(answer["result"], result, answer)
                self.assertEqual("but was at 9 before" in answer["reason"], result == "unknown")

    def test_a_store_that_went_back_is_not_pressed(self) -> None:
        keys = Keys()
        member, node = self.node(range=[keys.range, {"header": {**HEADER, "revision": "8"}}], watch=[[CREATED]])
        began = time.monotonic()
        for _ in range(4):
            self.assertIn("was at 9 before", node.hear("left")["left"])
        self.assertGreater(time.monotonic() - began, 0.6)


if __name__ == "__main__":
    counted.main()
