#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""weir-register against two real nodes with a real store: it renews, survives nodes, store and tokens that go, and leaves.

Usage: test_register.py WEIR_MGMT WEIR_REGISTER
"""
from __future__ import annotations

import http.server
import os
import signal
import socket
import ssl
import sys
import threading
import time
import typing
import unittest

from api_node import free_port, freeze, wait_for
from members_world import MEMBERS, Program, World

REGISTER = sys.argv.pop()
MGMT = sys.argv.pop()


class Register(unittest.TestCase):
    world: typing.ClassVar[World]

    @classmethod
    def setUpClass(cls) -> None:
        cls.world = World(MGMT)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.world.close()

    def setUp(self) -> None:
        self.addCleanup(self.world.clear)

    def begin(self, *words: str, options: list[str] | None = None, address: str = "10.1.3.1", env: dict[str, str] | None = None) -> Program:
        p = Program([REGISTER, "web", address, *(self.world.options() if options is None else options), *words], env={**os.environ, **(env or {})})
        self.addCleanup(p.close)
        return p

    def member(self, name: str = "p1", at: int = 0) -> typing.Any:
        return self.world.members(at).get(name)

    def test_it_registers_renews_and_leaves_at_sigterm(self) -> None:
        notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(notified.close)
        notified.bind(self.world.path("notify"))
        notified.settimeout(30)
        p = self.begin("--id", "p1", "--weight", "50", "--labels", "zone=a,rack=7", "--ttl", "6s", env={"NOTIFY_SOCKET": self.world.path("notify")})
        self.assertIn(b"READY=1", notified.recv(100))
        p.wait_said("web/p1 is registered with 10.1.3.1")
        m = self.member()
        self.assertEqual((m["address"], m["weight"], m["labels"], m["ttl_s"]), ("10.1.3.1", 50, {"rack": "7", "zone": "a"}, 6))
        time.sleep(14)  # more than a ttl and its grace: only renewals keep it
        self.assertEqual(self.member()["state"], "member")
        self.assertLessEqual(self.member()["renewed_s_ago"], 3)
        p.signal(signal.SIGTERM)
        self.assertEqual(p.end(), 0)
        self.assertTrue(p.said("web/p1 leaves") and p.said("web/p1 is gone"), p.lines)
        self.assertIsNone(self.member())
        self.assertEqual(len(p.lines), 3, p.lines)

    def test_sigint_ends_it_too_and_the_wait_is_bounded(self) -> None:
        p = self.begin("--id", "p1", "--wait", "500ms")
        p.wait_said("is registered")
        p.signal(signal.SIGINT)
        self.assertEqual(p.end(5), 5)
        self.assertTrue(p.said("still leaves"), p.lines)
        self.assertEqual(self.member()["state"], "leaving")

    def test_a_second_signal_ends_the_wait(self) -> None:
        p = self.begin("--id", "p1")
        p.wait_said("is registered")
        p.signal(signal.SIGTERM)
        p.wait_said("leaves")
        p.signal(signal.SIGTERM)
        self.assertEqual(p.end(2), 5)

    def test_its_name_is_the_hosts(self) -> None:
        p = self.begin()
        p.wait_said("is registered")
        host = "".join(c if c.isalnum() or c == "_" else "-" for c in socket.gethostname().partition(".")[0].lower()).lstrip("-_")[:63]
        self.assertEqual(list(self.world.members()), [host])

    def test_it_goes_on_at_the_next_address_when_a_node_dies(self) -> None:
        p = self.begin("--id", "p1", "--ttl", "6s")
        p.wait_said(f"by {self.world.apis[0]}")
        first = self.world.nodes[0]
        first.stop(signal.SIGKILL)
        try:
            wait_for("renewals at the other node", lambda: self.world.nodes[1].ask("GET", f"{MEMBERS}/p1").json["renewed_s_ago"] == 0, 10)
            time.sleep(13)  # a ttl and its grace
            self.assertEqual(self.member(at=1)["state"], "member")
            p.signal(signal.SIGTERM)
            self.assertEqual(p.end(), 0)
        finally:
            first.start()

    def test_it_goes_on_when_a_node_hangs(self) -> None:
        port = int(self.world.apis[0].rsplit(":", 1)[1])  # another case may just have started it again
        wait_for("the first API", lambda: not socket.socket().connect_ex(("127.0.0.1", port)), 30)
        p = self.begin("--id", "p1", "--ttl", "9s")
        p.wait_said(f"by {self.world.apis[0]}")
        node = self.world.nodes[0]
        assert node.process
        freeze(node.process)
        try:
            time.sleep(5)  # renewals go there meanwhile
            wait_for("renewals at the other node", lambda: self.world.nodes[1].ask("GET", f"{MEMBERS}/p1").json["renewed_s_ago"] == 0, 15)
        finally:
            node.process.send_signal(signal.SIGCONT)

    def test_it_waits_for_an_api_that_is_not_there_yet(self) -> None:
        node = self.world.nodes[1]
        node.stop()
        try:
            p = self.begin("--id", "p1", options=self.world.options(self.world.apis[1]))
            p.wait_said("does not answer")
        finally:
            node.start()
        p.wait_said("is registered")
        self.assertTrue(p.said("the API answers again"), p.lines)

    def test_without_the_store_it_waits_and_leaves_drained(self) -> None:
        p = self.begin("--id", "p1", "--wait", "30s")
        p.wait_said("is registered")
        etcd = self.world.etcd.members[0]
        etcd.stop()
        try:
            q = self.begin("--id", "p2", address="10.1.3.2")
            q.wait_said("store", 40)
            p.signal(signal.SIGTERM)
            p.wait_said("is drained; it leaves when the store is back", 40)
            self.assertIsNone(p.process.poll())
        finally:
            etcd.start("--initial-cluster-state", "existing")
        q.wait_said("web/p2 is registered", 40)
        self.assertEqual(p.end(), 0)
        for o in self.world.nodes[0].ask("GET", "/v1/overrides").json["items"]:
            self.world.nodes[0].ask("DELETE", f"/v1/overrides/{o['id']}?reason=x", headers={"If-Match": "*"})

    def test_a_token_that_may_not_ends_it(self) -> None:
        for token in ("poor", "vera"):
            p = self.begin("--id", "p1", options=self.world.options(token=token))
            self.assertEqual(p.end(), 7, p.lines)
        with open(self.world.path("nobody"), "w") as f:
            f.write("nobody" * 8)
        self.assertEqual(self.begin("--id", "p1", options=self.world.options(token="nobody")).end(), 7)
        self.assertEqual(self.world.members(), {})

    def test_a_token_that_one_node_lacks_is_no_end(self) -> None:
        self.world.write_tokens(self.world.nodes[0], "vera")
        try:
            p = self.begin("--id", "p1")
            p.wait_said(f"by {self.world.apis[1]}")
        finally:
            self.world.write_tokens(self.world.nodes[0], "rex", "poor", "vera")

    def test_a_token_is_read_again(self) -> None:
        with open(self.world.path("rex"), "w") as f:
            f.write("x" * 24)
        try:
            p = self.begin("--id", "p1", "--ttl", "6s", options=self.world.options())
            self.assertEqual(p.end(), 7)
        finally:
            with open(self.world.path("rex"), "w") as f:
                f.write("rex" * 8)
        p = self.begin("--id", "p1", "--ttl", "6s")
        p.wait_said("is registered")
        with open(self.world.path("rex"), "w") as f:
            f.write("x" * 24)
        p.wait_said("it is tried again")  # it was registered: a refusal is no end
        with open(self.world.path("rex"), "w") as f:
            f.write("rex" * 8)
        p.wait_said("the API answers again")

    def test_another_authority_gets_no_token(self) -> None:
        p = self.begin("--id", "p1", options=self.world.options()[:4])
        p.wait_said("does not answer")
        self.assertTrue(p.said("certificate"), p.lines)

    def test_an_address_that_is_in_use_is_waited_for(self) -> None:
        first = self.begin("--id", "p1")
        first.wait_said("is registered")
        second = self.begin("--id", "p2", "--ttl", "6s")
        second.wait_said("10.1.3.1 is the address of member p1")
        first.signal(signal.SIGTERM)
        second.wait_said("web/p2 is registered")

    def test_what_cannot_be_a_member_is_refused_before_anything_is_sent(self) -> None:
        for words, text in ((["--id", "P1"], "id"), (["--weight", "65536"], "weight"), (["--weight", "-1"], "weight"), (["--weight", ""], "weight"),
                            (["--ttl", "4s"], "ttl"), (["--labels", "a"], "labels"), (["--labels", "a=1,a=2"], "labels"), (["--labels", "=1"], "labels"),
                            (["--wait", "soon"], "--wait"), (["--port", "80"], "--port"), (["--id", "x" * 64], "id")):
            p = self.begin(*words)
            self.assertEqual(p.end(), 1, (words, p.lines))
            self.assertTrue(p.said(text), (words, p.lines))
        for options, text in ((["--api", "http://127.0.0.1:1", "--token-file", "/dev/null"], "https://"), (["--api", self.world.apis[0]], "--token-file"),
                              (["--api", self.world.apis[0], "--token-file", "/nonexistent"], "token"), (["--token-file", "/dev/null"], "--api"),
                              (["--api", self.world.apis[0] + "/x", "--token-file", "/dev/null"], "https://"),
                              (["--api", "https://user@host:1", "--token-file", "/dev/null"], "https://")):
            p = self.begin(options=options)
            self.assertEqual(p.end(), 1, (options, p.lines))
            self.assertTrue(p.said(text), (options, p.lines))
        for address, status in (("10.9.0.1", 1), ("10.1.1.11", None), ("no", 1)):
            p = self.begin("--id", "p1", address=address)
            if status:
                self.assertEqual(p.end(), status, p.lines)
            else:
                p.wait_said("address of backend b1")
                p.signal(signal.SIGTERM)
                self.assertEqual(p.end(), 0)  # it was never registered
        self.assertEqual(self.world.members(), {})

    def test_the_socket_of_a_node_on_this_host(self) -> None:
        p = self.begin("--id", "p1", "--run-dir", self.world.nodes[0].run, options=[])
        p.wait_said("by this node")
        p.signal(signal.SIGTERM)
        self.assertEqual(p.end(), 0)


class Answers(http.server.BaseHTTPRequestHandler):
    """What a server of these tests answers: the next of a list, and when it was asked."""
    protocol_version = "HTTP/1.1"
    rows: typing.ClassVar[list[tuple[int, dict[str, str], str]]] = []
    asked: typing.ClassVar[list[tuple[str, float]]] = []

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, headers, body = self.rows.pop(0) if len(self.rows) > 1 else self.rows[0]
        self.asked.append((self.command, time.monotonic()))
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    do_GET = do_PUT = do_DELETE = answer  # noqa: N815

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing."""


class Refusing(unittest.TestCase):
    """Answers of nodes that have too much to do."""

    def serve(self, *rows: tuple[int, dict[str, str], str]) -> Program:
        from api_node import tls_files
        import tempfile
        folder = tempfile.TemporaryDirectory(prefix="weir-register-")
        self.addCleanup(folder.cleanup)
        key, crt = tls_files()
        for name, text in (("key", key), ("crt", crt), ("token", "t" * 32)):
            with open(os.path.join(folder.name, name), "w") as f:
                f.write(text)
        Answers.rows, Answers.asked = list(rows), []
        port = free_port()
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Answers)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(folder.name, "crt"), os.path.join(folder.name, "key"))
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        p = Program([REGISTER, "web", "10.1.3.1", "--id", "p1", "--ttl", "6s", "--api", f"https://127.0.0.1:{port}",
                     "--token-file", os.path.join(folder.name, "token"), "--ca", os.path.join(folder.name, "crt")])
        self.addCleanup(p.close)
        return p

    OK: typing.ClassVar[tuple[int, dict[str, str], str]] = (200, {}, '{"outcome": "joins"}')

    def test_retry_after_is_waited_for(self) -> None:
        for status in (429, 503):
            p = self.serve((status, {"Retry-After": "2"}, '{"title": "slowly", "code": "too-fast"}'), self.OK)
            p.wait_said("is registered")
            self.assertTrue(p.said("slowly"), p.lines)
            self.assertGreaterEqual(Answers.asked[1][1] - Answers.asked[0][1], 2)
            self.assertLess(Answers.asked[1][1] - Answers.asked[0][1], 4)
            p.close()

    def test_what_is_no_json_is_no_success(self) -> None:
        p = self.serve((200, {}, "<html>"), (502, {"Content-Type": "text/html"}, "<html>bad"), self.OK)
        p.wait_said("is registered")
        self.assertTrue(p.said("not JSON"), p.lines)
        self.assertTrue(p.said("HTTP status 502"), p.lines)

    def test_it_renews_at_a_third_of_the_ttl(self) -> None:
        p = self.serve(self.OK)
        wait_for("renewals", lambda: len(Answers.asked) >= 5)
        gaps = [b[1] - a[1] for a, b in zip(Answers.asked, Answers.asked[1:])]
        self.assertTrue(all(1.75 <= gap <= 5 for gap in gaps), gaps)  # before the 6 s are over, where the machine is busy
        self.assertGreater(len({round(gap, 2) for gap in gaps}), 1, "they differ")
        Answers.rows = [(404, {}, '{"title": "none", "code": "not-found"}')]
        p.signal(signal.SIGTERM)
        self.assertEqual(p.end(), 0)
        self.assertEqual([m for m, _ in Answers.asked[-2:]], ["DELETE", "GET"])

    def test_the_last_backend_stays(self) -> None:
        p = self.serve(self.OK)
        p.wait_said("is registered")
        Answers.rows = [(409, {}, '{"title": "refused by a guard", "detail": "no other backend takes new flows", "code": "guard"}')]
        p.signal(signal.SIGTERM)
        self.assertEqual(p.end(), 2)
        self.assertTrue(p.said("no other backend takes new flows"), p.lines)


if __name__ == "__main__":
    unittest.main(verbosity=2)
