#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The API's server itself: broken HTTP, limits, deadlines, logins, TLS.

Usage: test_http.py WEIR_MGMT
"""
from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import resource
import select
import socket
import ssl
import sys
import time
import typing
import unittest
import warnings

import counted
from api_node import Node, config, free_port, freeze, wait_for

PROGRAM = sys.argv.pop(1)
BODY_MAX = 32 << 20
HOST = b"Host: weir\r\n"
JSON = b"Content-Type: application/json\r\n"
CHECK = b'{"files": {"weir.conf": "schema = 1;"}}'


def chunked(*parts: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in parts) + end


# What is broken: why, bytes, status, code.
BROKEN = [
    ("no version", b"GET /healthz\r\n" + HOST + b"\r\n", 400, "bad-request"),
    ("no target", b"GET HTTP/1.1\r\n" + HOST + b"\r\n", 400, "bad-request"),
    ("a version that is none", b"GET /healthz HTTX/1.1\r\n" + HOST + b"\r\n", 400, "bad-request"),
    ("two spaces", b"GET  /healthz HTTP/1.1\r\n" + HOST + b"\r\n", 400, "bad-request"),
    ("HTTP/2", b"GET /healthz HTTP/2.0\r\n" + HOST + b"\r\n", 505, "http-version"),
    ("HTTP/1.2", b"GET /healthz HTTP/1.2\r\n" + HOST + b"\r\n", 505, "http-version"),
    ("HTTP/2's preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "http-version"),
    ("a method that is no word", b"G(T /healthz HTTP/1.1\r\n" + HOST + b"\r\n", 400, "bad-request"),
    ("a long method", b"PROPPATCH /healthz HTTP/1.1\r\n" + HOST + b"\r\n", 501, "not-implemented"),
    ("no Host", b"GET /healthz HTTP/1.1\r\n\r\n", 400, "bad-request"),
    ("Host twice", b"GET /healthz HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400, "bad-request"),
    ("Host with a space", b"GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "bad-request"),
    ("a bare LF", b"GET /healthz HTTP/1.1\nHost: weir\n\n", 400, "bad-request"),
    ("a bare LF amid", b"GET /healthz HTTP/1.1\r\nHost: weir\nX: y\r\n\r\n", 400, "bad-request"),
    ("a bare CR", b"GET /healthz HTTP/1.1\r\nHost: weir\rX: y\r\n\r\n", 400, "bad-request"),
    ("a NUL in a header", b"GET /healthz HTTP/1.1\r\nHost: we\0ir\r\n\r\n", 400, "bad-request"),
    ("a NUL in the target", b"GET /health\0z HTTP/1.1\r\n" + HOST + b"\r\n", 400, "bad-request"),
    ("a NUL, encoded", b"GET /healthz%00 HTTP/1.1\r\n" + HOST + b"\r\n", 400, "bad-request"),
    ("a newline, encoded", b"GET /health%0az HTTP/1.1\r\n" + HOST + b"\r\n", 400, "bad-request"),
    ("half an encoding", b"GET /healthz% HTTP/1.1\r\n" + HOST + b"\r\n", 400, "bad-request"),
    ("half an encoding", b"GET /healthz%4 HTTP/1.1\r\n" + HOST + b"\r\n", 400, "bad-request"),
    ("a bad encoding", b"GET /healthz%4g HTTP/1.1\r\n" + HOST + b"\r\n", 400, "bad-request"),
    ("a bad encoding in the query", b"GET /v1/events?limit=%zz HTTP/1.1\r\n" + HOST + b"\r\n", 400, "bad-request"),
    ("a fragment", b"GET /healthz#x HTTP/1.1\r\n" + HOST + b"\r\n", 400, "bad-request"),
    ("a target without /", b"GET healthz HTTP/1.1\r\n" + HOST + b"\r\n", 400, "bad-request"),
    ("the asterisk", b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", 400, "bad-request"),
    ("bytes above ASCII", b"GET /\xc3\xa4 HTTP/1.1\r\n" + HOST + b"\r\n", 400, "bad-request"),
    ("a folded header", b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: a\r\n b\r\n\r\n", 400, "bad-request"),
    ("a space before the colon", b"GET /healthz HTTP/1.1\r\nHost : weir\r\n\r\n", 400, "bad-request"),
    ("a header without a colon", b"GET /healthz HTTP/1.1\r\n" + HOST + b"X\r\n\r\n", 400, "bad-request"),
    ("a header without a name", b"GET /healthz HTTP/1.1\r\n" + HOST + b": x\r\n\r\n", 400, "bad-request"),
    ("a control character", b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: \x01\r\n\r\n", 400, "bad-request"),
    ("two lengths", b"POST /v1/config/check HTTP/1.1\r\n" + HOST + JSON + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
     400, "bad-request"),
    ("the same length twice", b"POST /v1/config/check HTTP/1.1\r\n" + HOST + JSON + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
     400, "bad-request"),
    ("two lengths in one", b"POST /v1/config/check HTTP/1.1\r\n" + HOST + JSON + b"Content-Length: 2, 2\r\n\r\n{}", 400, "bad-request"),
    ("a length with a sign", b"POST /v1/config/check HTTP/1.1\r\n" + HOST + JSON + b"Content-Length: +2\r\n\r\n{}", 400, "bad-request"),
    ("an empty length", b"POST /v1/config/check HTTP/1.1\r\n" + HOST + JSON + b"Content-Length:\r\n\r\n{}", 400, "bad-request"),
    ("a negative length", b"POST /v1/config/check HTTP/1.1\r\n" + HOST + JSON + b"Content-Length: -1\r\n\r\n", 400, "bad-request"),
    ("a length beyond 64 bits", b"POST /v1/config/check HTTP/1.1\r\n" + HOST + JSON + b"Content-Length: 18446744073709551618\r\n\r\n{}",
     413, "too-large"),
    ("a length and chunks", b"POST /v1/config/check HTTP/1.1\r\n" + HOST + JSON +
     b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(CHECK), 400, "bad-request"),
    ("chunks in HTTP/1.0", b"POST /v1/config/check HTTP/1.0\r\n" + JSON + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(CHECK),
     400, "bad-request"),
    ("chunked twice", b"POST /v1/config/check HTTP/1.1\r\n" + HOST + JSON +
     b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(CHECK), 400, "bad-request"),
    ("another coding", b"POST /v1/config/check HTTP/1.1\r\n" + HOST + JSON + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501,
     "not-implemented"),
    ("a chunk without a size", b"POST /v1/config/check HTTP/1.1\r\n" + HOST + JSON + b"Transfer-Encoding: chunked\r\n\r\n\r\n\r\n", 400,
     "bad-request"),
    ("a chunk of no hexadecimal size", b"POST /v1/config/check HTTP/1.1\r\n" + HOST + JSON +
     b"Transfer-Encoding: chunked\r\n\r\nx\r\n", 400, "bad-request"),
    ("a chunk of a vast size", b"POST /v1/config/check HTTP/1.1\r\n" + HOST + JSON +
     b"Transfer-Encoding: chunked\r\n\r\nfffffffff\r\n", 400, "bad-request"),
    ("a chunk longer than its size", b"POST /v1/config/check HTTP/1.1\r\n" + HOST + JSON +
     b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}x\r\n0\r\n\r\n", 400, "bad-request"),
    ("a body with a GET", b"GET /healthz HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\n\r\n{}", 400, "bad-request"),
    ("another expectation", b"POST /v1/config/check HTTP/1.1\r\n" + HOST + JSON + b"Expect: cookies\r\nContent-Length: 2\r\n\r\n{}",
     417, "bad-request"),
    ("a long request line", b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414, "too-long"),
    ("a request line without end", b"GET /" + b"x" * 9000, 414, "too-long"),
    ("a long header", b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: " + b"y" * 17000 + b"\r\n\r\n", 431, "too-long"),
    ("many headers", b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: y\r\n" * 64 + b"\r\n", 431, "too-long"),
    ("a long key", b"POST /v1/overrides HTTP/1.1\r\n" + HOST + JSON + b"Idempotency-Key: " + b"k" * 300 + b"\r\n\r\n", 431, "too-long"),
    ("an ETag twice", b"GET /v1/config HTTP/1.1\r\n" + HOST + b"If-None-Match: \"a\"\r\nIf-None-Match: \"b\"\r\n\r\n", 400, "bad-request"),
    ("a length that is too large", b"POST /v1/config/check HTTP/1.1\r\n" + HOST + JSON + b"Content-Length: %d\r\n\r\n" % (BODY_MAX + 1),
     413, "too-large"),
    ("a form", b"POST /v1/config/check HTTP/1.1\r\n" + HOST + b"Content-Type: application/x-www-form-urlencoded\r\n"
     b"Content-Length: 3\r\n\r\na=b", 415, "not-json"),
    ("a form without a body", b"POST /v1/versions/1/confirm HTTP/1.1\r\n" + HOST + b"Content-Type: application/x-www-form-urlencoded\r\n"
     b"Content-Length: 0\r\n\r\n", 415, "not-json"),
    ("plain text", b"POST /v1/versions/1/confirm HTTP/1.1\r\n" + HOST + b"Content-Type: text/plain\r\nContent-Length: 0\r\n\r\n", 415,
     "not-json"),
    ("no type and no body", b"POST /v1/versions/1/confirm HTTP/1.1\r\n" + HOST + b"\r\n", 415, "not-json"),
    ("nearly JSON", b"POST /v1/versions/1/confirm HTTP/1.1\r\n" + HOST + b"Content-Type: application/json5\r\n\r\n", 415, "not-json"),
]

# What is well: why, bytes, status.
WELL = [
    ("HTTP/1.0 without Host", b"GET /healthz HTTP/1.0\r\n\r\n", 200),
    ("the absolute form", b"GET http://weir/healthz HTTP/1.1\r\n" + HOST + b"\r\n", 200),
    ("an encoding", b"GET /health%7a HTTP/1.1\r\n" + HOST + b"\r\n", 200),
    ("names in any case", b"GET /healthz HTTP/1.1\r\nhOST:weir\t \r\n\r\n", 200),
    ("chunks", b"POST /v1/config/check HTTP/1.1\r\n" + HOST + JSON + b"Transfer-Encoding: chunked\r\n\r\n" +
     chunked(CHECK[:1], CHECK[1:]), 422),
    ("chunks with extensions and trailers", b"POST /v1/config/check HTTP/1.1\r\n" + HOST + JSON +
     b"Transfer-Encoding: chunked\r\n\r\n" + b"%X;a=b\r\n" % len(CHECK) + CHECK + b"\r\n000\r\nX: y\r\n\r\n", 422),
    ("JSON with a charset", b"POST /v1/config/check HTTP/1.1\r\n" + HOST + b"Content-Type: application/json; charset=utf-8\r\n"
     b"Content-Length: %d\r\n\r\n" % len(CHECK) + CHECK, 422),
]


def read_answers(s: socket.socket, n: int = 1, timeout_s: float = 30) -> tuple[list[tuple[int, dict[str, str], bytes]], bool]:
    """Read n answers, or fewer if the connection ends: [(status, headers, body)], and whether it has ended."""
    s.settimeout(timeout_s)
    answers: list[typing.Any] = []
    data = b""
    while len(answers) < n:
        head, mark, rest = data.partition(b"\r\n\r\n")
        if mark:
            lines = head.decode().split("\r\n")
            headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:])}
            length = int(headers.get("content-length", 0))
            if len(rest) >= length:
                answers.append((int(lines[0].split()[1]), headers, rest[:length]))
                data = rest[length:]
                continue
        more = s.recv(65536)
        if not more:
            return answers, True
        data += more
    return answers, False


def most_unread(port: int) -> typing.Any:
    """The most bytes that wait in the kernel for a connection's server."""
    with open("/proc/net/tcp") as f:
        rows = [line.split() for line in f if f":{port:04X} " in line]
    return max((int(r[4].split(":")[1], 16) for r in rows if r[1].endswith(f":{port:04X}") and r[3] == "01"), default=0)


class Local(unittest.TestCase):
    """Over the UNIX socket."""
    node: Node
    @classmethod
    def setUpClass(cls) -> None:
        cls.node = Node(PROGRAM).start()

    @classmethod
    def tearDownClass(cls) -> None:
        cls.node.close()

    def connect(self) -> socket.socket:
        s = socket.socket(socket.AF_UNIX)
        self.addCleanup(s.close)
        s.connect(os.path.join(self.node.run, "api.sock"))
        return s

    def test_broken_http_is_refused_with_a_problem_and_the_connection_ends(self) -> None:
        for case, sent, status, code in BROKEN:
            with self.subTest(case):
                s = self.connect()
                s.sendall(sent)
                answers, _ = read_answers(s)
                self.assertEqual(len(answers), 1, "no answer")
                got, headers, body = answers[0]
                problem = json.loads(body)
                self.assertEqual((got, problem["code"], problem["status"]), (status, code, status), body)
                self.assertEqual(headers["content-type"], "application/problem+json")
                self.assertEqual(problem["type"], "urn:weir:problem:" + code)
        self.assertEqual(self.node.ask("GET", "/v1/status").json["version"]["number"], 1)

    def test_what_is_unusual_and_right_is_answered_also_byte_by_byte(self) -> None:
        for case, sent, status in WELL:
            for step in (len(sent), 1, 7):
                with self.subTest(f"{case}, {step} bytes at a time"):
                    s = self.connect()
                    for i in range(0, len(sent), step):
                        s.sendall(sent[i:i + step])
                    self.assertEqual([a[0] for a in read_answers(s)[0]], [status])

    def test_requests_in_one_segment_are_answered_in_their_order(self) -> None:
        s = self.connect()
        one = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"
        two = b"POST /v1/config/check HTTP/1.1\r\n" + HOST + JSON + b"Content-Length: %d\r\n\r\n" % len(CHECK) + CHECK
        three = b"GET /v1/none HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
        s.sendall(one + two + one + three + one)
        answers, ended = read_answers(s, 5)
        self.assertEqual([a[0] for a in answers], [200, 422, 200, 404])
        self.assertTrue(ended, "what follows a close is not answered")

    def test_a_client_that_expects_it_is_told_to_go_on(self) -> None:
        s = self.connect()
        s.sendall(b"POST /v1/config/check HTTP/1.1\r\n" + HOST + JSON + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(CHECK))
        self.assertEqual(read_answers(s)[0][0][0], 100)
        s.sendall(CHECK)
        self.assertEqual(read_answers(s)[0][0][0], 422)

    def test_a_slow_head_and_a_silent_client_end_in_time(self) -> None:
        slow, silent = self.connect(), self.connect()
        began = time.monotonic()
        slow.sendall(b"GET /healthz HTTP/1.1\r\n")
        while time.monotonic() < began + 40 and not select.select([slow], [], [], 0.5)[0]:
            slow.sendall(b"X: y\r\n")
        (status, _, body), = read_answers(slow)[0]
        self.assertEqual((status, json.loads(body)["code"]), (408, "timeout"))
        self.assertGreater(time.monotonic() - began, 5)
        self.assertEqual(read_answers(silent), ([], True), "a silent one is closed without a word")
        self.assertLess(time.monotonic() - began, 40)

    def test_nothing_is_done_for_a_client_that_has_hung_up_before_its_turn(self) -> None:
        import signal
        drain = json.dumps({"do": "drain", "target": {"site": "ams"}, "until": "never", "reason": "x"}).encode()
        freeze(self.node.process)
        s = self.connect()
        s.sendall(b"POST /v1/overrides HTTP/1.1\r\n" + HOST + JSON + b"Content-Length: %d\r\n\r\n" % len(drain) + drain)
        s.close()
        self.node.process.send_signal(signal.SIGCONT)
        wait_for("it goes on", self.node.answers)
        time.sleep(1)  # a request that was still carried out would show by then
        self.assertEqual(self.node.ask("GET", "/v1/overrides").json["items"], [])

    def poll_until_refused(self) -> tuple[list[socket.socket], list[socket.socket]]:
        """Wait for an event with one client more, until one is answered. @return all clients, those answered"""
        clients: list[socket.socket] = []
        answered: list[socket.socket] = []
        while not answered and len(clients) < 30:
            clients.append(self.connect())
            clients[-1].sendall(b"GET /v1/events?since=999999&wait_ms=30000 HTTP/1.1\r\n" + HOST + b"\r\n")
            answered = select.select(clients, [], [], 0.5)[0]
        return clients, answered

    def test_polls_end_with_their_clients_and_are_bounded(self) -> None:
        for n in range(3):
            deadline = time.monotonic() + 20
            clients, answered = self.poll_until_refused()
            while len(clients) <= 8 and n and time.monotonic() < deadline:  # those of the last round end one by one
                for s in clients:
                    s.close()
                clients, answered = self.poll_until_refused()
            self.assertGreater(len(clients), 8)
            self.assertTrue(answered, "no poll was refused")
            (status, headers, body), = read_answers(answered[0])[0]
            self.assertEqual((status, json.loads(body)["code"], headers["retry-after"]), (503, "busy", "1"))
            self.assertEqual(self.node.ask("GET", "/healthz").status, 200, "others are answered meanwhile")
            for s in clients:
                s.close()

    def test_a_stop_does_not_wait_for_polls(self) -> None:
        node = Node(PROGRAM).start()
        self.addCleanup(node.close)
        s = socket.socket(socket.AF_UNIX)
        self.addCleanup(s.close)
        s.connect(os.path.join(node.run, "api.sock"))
        s.sendall(b"GET /v1/events?since=999999&wait_ms=30000 HTTP/1.1\r\n" + HOST + b"\r\n")
        time.sleep(0.5)  # the request waits by then
        began = time.monotonic()
        node.stop()
        self.assertLess(time.monotonic() - began, 15)

    def test_without_descriptors_it_neither_spins_nor_dies(self) -> None:
        node = Node(PROGRAM)
        self.addCleanup(node.close)
        node.start()
        used = len(os.listdir(f"/proc/{node.process.pid}/fd"))
        resource.prlimit(node.process.pid, resource.RLIMIT_NOFILE, (used + 10, 4096))
        clients = []
        for _ in range(60):
            s = socket.socket(socket.AF_UNIX)
            s.connect(os.path.join(node.run, "api.sock"))
            clients.append(s)
        before = cpu_s(node.process.pid)
        time.sleep(3)  # CPU time is measured over this time
        self.assertLess(cpu_s(node.process.pid) - before, 1, "seconds of CPU in three")
        self.assertIn("api-accept-failed", node.log())
        for s in clients:
            s.close()
        wait_for("an answer again", node.answers, 20)


def cpu_s(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS")) / 1024


class Tcp(unittest.TestCase):
    """Over TLS."""
    def setUp(self) -> None:
        self.port = free_port()
        self.node = Node(PROGRAM, text=config(ams_api=f"https://127.0.0.1:{self.port}"))
        self.addCleanup(self.node.close)
        self.node.start()
        wait_for("TCP", lambda: "api-served" in self.node.log())

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=os.path.join(self.node.conf, "tls.crt"))

    def connect(self, source: str = "127.0.0.1", context: ssl.SSLContext | None = None) -> socket.socket:
        s = socket.create_connection(("127.0.0.1", self.port), 30, (source, 0))
        self.addCleanup(s.close)
        s = (context or self.context()).wrap_socket(s, server_hostname="127.0.0.1")
        self.addCleanup(s.close)
        return s

    def ask(self, head: bytes, source: str = "127.0.0.1") -> tuple[int, dict[str, str], bytes]:
        s = self.connect(source)
        s.sendall(head)
        return read_answers(s)[0][0]

    def metric(self, name: str) -> typing.Any:
        text = self.node.ask("GET", "/metrics").raw.decode()
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))

    def test_old_versions_of_tls_are_refused(self) -> None:
        for version, ok in ((ssl.TLSVersion.TLSv1, False), (ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True),
                            (ssl.TLSVersion.TLSv1_3, True)):
            context = self.context()
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version = context.maximum_version = version
            with self.subTest(version.name):
                if not ok:
                    self.assertRaises((ssl.SSLError, OSError), self.connect, context=context)
                    continue
                s = self.connect(context=context)
                s.sendall(b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n")
                self.assertEqual(read_answers(s)[0][0][0], 200)

    def test_garbled_or_long_authorization_is_not_anonymous(self) -> None:
        self.node.write("tokens", "anonymous viewer *\n")
        self.assertEqual(self.ask(b"GET /v1/node HTTP/1.1\r\n" + HOST + b"\r\n")[0], 200)
        basic = base64.b64encode(b"x").decode()
        for i, value in enumerate(["", "Bearer", "Bearer ", "bearer  ", "Token x", "Basic", "Basic !", "Basic " + basic, "Basic Og==",
                                   "Bearer " + "x" * 300, "Bearer " + "x" * 5000, "x"]):
            with self.subTest(value[:30]):
                status, headers, body = self.ask(b"GET /v1/node HTTP/1.1\r\n" + HOST + f"Authorization: {value}\r\n\r\n".encode(),
                                                 f"127.0.2.{i + 1}")
                self.assertEqual((status, json.loads(body)["code"]), (401, "unauthorized"))
                self.assertEqual(headers["www-authenticate"], 'Bearer realm="weir"')

    def test_failed_logins_are_limited_counted_and_logged(self) -> None:
        wrong = b"GET /v1/node HTTP/1.1\r\n" + HOST + b"Authorization: Bearer wrong\r\n\r\n"
        right = b"GET /v1/node HTTP/1.1\r\n" + HOST + b"Authorization: Bearer " + b"ada" * 8 + b"\r\n\r\n"
        seen = [self.ask(wrong, "127.0.3.1")[0] for _ in range(10)]
        self.assertEqual(seen, [401] * 10)
        for _ in range(50):  # on a machine without time a second's allowance is back before the next request
            began = time.monotonic()
            status, headers, body = self.ask(wrong, "127.0.3.1")
            seen.append(status)
            if status == 401:
                continue
            self.assertEqual((status, json.loads(body)["code"], headers["retry-after"]), (429, "too-many-requests", "1"))
            status = self.ask(right, "127.0.3.1")[0]
            if status == 429 or time.monotonic() - began < 1:
                break
        self.assertEqual(status, 429, "a guess that is right is no guess")
        self.assertEqual(self.ask(right, "127.0.3.2")[0], 200, "another source is not limited")
        self.assertGreater(self.metric("weir_mgmt_logins_failed_total"), len(seen))
        self.assertIn("login-failed source=127.0.3.1", self.node.log())
        time.sleep(1.2)  # a second's allowance comes back
        self.assertEqual(self.ask(right, "127.0.3.1")[0], 200, "a second later it may try again")

    def test_a_body_is_not_read_before_its_sender_is_known(self) -> None:
        before = rss_mb(self.node.process.pid)
        head = b"POST /v1/config/apply HTTP/1.1\r\n" + HOST + JSON + b"Content-Length: %d\r\n\r\n" % (31 << 20)
        clients = [self.connect(f"127.0.4.{i + 1}") for i in range(60)]
        for s in clients:
            s.sendall(head)
            s.settimeout(5)
            try:
                s.sendall(b" " * (1 << 20))
            except OSError:
                pass
        for s in clients:
            try:
                self.assertEqual([a[0] for a in read_answers(s)[0]], [401])
            except ConnectionResetError:
                pass  # it went on sending for too long
        self.assertLess(rss_mb(self.node.process.pid) - before, 64)

    def test_what_is_sent_after_a_refusal_is_taken_at_a_bounded_rate(self) -> None:
        """A read of it opens the sender's window: without a bound, the kernel's work for it delays everybody else."""
        head = b"POST /v1/config/apply HTTP/1.1\r\n" + HOST + JSON + b"Content-Length: %d\r\n\r\n" % (31 << 20)
        clients = [self.connect("127.0.4.200") for _ in range(20)]
        for s in clients:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32 << 10)
            s.sendall(head)
            s.setblocking(False)
        began, taken, part, waiting = time.monotonic(), dict.fromkeys(clients, 0), b" " * (16 << 10), 0
        while time.monotonic() < began + 3 and clients:
            for s in select.select([], clients, [], 0.1)[1]:
                try:
                    taken[s] += s.send(part)
                except ssl.SSLWantWriteError:
                    pass
                except OSError:
                    clients.remove(s)
            waiting = max(waiting, most_unread(self.port))
        most = 16 * (time.monotonic() - began) + 2 + 20 * 0.5  # what may be taken at once, and what the sockets hold
        self.assertLess(sum(taken.values()) / (1 << 20), most)
        self.assertLess(waiting, 256 << 10, "bytes in the kernel for one connection")
        self.assertGreater(sum(taken.values()) / (1 << 20), 4, "they are drained: the test sees what it limits")

    def test_who_sends_all_before_reading_gets_the_refusal(self) -> None:
        s = self.connect("127.0.4.201")
        s.sendall(b"POST /v1/config/apply HTTP/1.1\r\n" + HOST + JSON + b"Content-Length: %d\r\n\r\n" % (8 << 20))
        s.sendall(b" " * (8 << 20))
        self.assertEqual([a[0] for a in read_answers(s)[0]], [401])

    def test_bodies_have_one_budget(self) -> None:
        head = (b"POST /v1/config/check HTTP/1.1\r\n" + HOST + JSON + b"Authorization: Bearer " + b"ada" * 8 +
                b"\r\nContent-Length: %d\r\n\r\n" % (31 << 20))
        first = self.connect("127.0.5.1")
        first.sendall(head + b" " * 100)
        time.sleep(0.5)  # the first request holds its room by then
        status, headers, body = self.ask(head, "127.0.5.2")
        self.assertEqual((status, json.loads(body)["code"], headers["retry-after"]), (503, "busy", "1"))
        small = b"POST /v1/config/check HTTP/1.1\r\n" + HOST + JSON + b"Authorization: Bearer " + b"ada" * 8
        self.assertEqual(self.ask(small + b"\r\nContent-Length: %d\r\n\r\n" % len(CHECK) + CHECK, "127.0.5.2")[0], 422)
        first.close()
        wait_for("room for a body", lambda: self.ask(head.replace(b"Content-Length: ", b"Expect: 100-continue\r\nContent-Length: "),
                                                     "127.0.5.2")[0] == 100, 10)

    def test_one_source_has_few_connections_and_others_are_answered(self) -> None:
        held = []
        for _ in range(200):
            s = socket.socket()
            self.addCleanup(s.close)
            s.bind(("127.0.6.1", 0))
            s.settimeout(10)
            with contextlib.suppress(ConnectionResetError):
                s.connect(("127.0.0.1", self.port))
                held.append(s)
        still = lambda: sum(1 for s in held if not select.select([s], [], [], 0)[0])
        wait_for("those beyond the limit are closed", lambda: still() <= 32, 10)
        self.assertEqual(still(), 32)
        began = time.monotonic()
        self.assertEqual(self.ask(b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n", "127.0.6.2")[0], 200)
        self.assertLess(time.monotonic() - began, 5)
        self.assertGreaterEqual(self.metric("weir_mgmt_connections_refused_total"), 168)
        self.assertIn("api-connections-refused", self.node.log())
        wait_for("silent ones are closed", lambda: still() == 0, 30)

    def test_many_sources_do_not_shut_out_one_more_nor_a_peer(self) -> None:
        held = []
        for i in range(600):
            s = socket.socket()
            self.addCleanup(s.close)
            s.bind((f"127.1.{i // 20}.1", 0))
            s.settimeout(10)
            with contextlib.suppress(ConnectionResetError):
                s.connect(("127.0.0.1", self.port))
                held.append(s)
        question = b'{"node": "fra-1", "cluster": "shop", "query": "overrides"}'
        head = b"POST /v1/peer/exchange HTTP/1.1\r\n" + HOST + JSON + b"Authorization: Bearer " + b"p" * 40
        head += b"\r\nContent-Length: %d\r\n\r\n" % len(question) + question
        time.sleep(1.5)  # those beyond the limit are closed by then
        self.assertEqual(self.ask(head, "127.0.7.1")[0], 200)
        self.assertEqual(self.ask(b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n", "127.0.7.2")[0], 200)

    def test_what_one_browser_keeps_open_serves_many_requests(self) -> None:
        c = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=self.context())
        c.connect()
        sock = c.sock
        for _ in range(50):
            c.request("GET", "/healthz")
            r = c.getresponse()
            self.assertEqual((r.status, r.read()), (200, b"ok\n"))
            self.assertIs(c.sock, sock)
        c.close()


if __name__ == "__main__":
    counted.main()
