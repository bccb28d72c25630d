#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Tokens as people meet them: the command that makes one, and what weir-mgmt says of mistaken lines.

Usage: test_logins.py WEIR_MGMT WEIR SOURCE_ROOT
"""
from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import re
import ssl
import subprocess
import sys
import tempfile
import typing
import unittest

import counted
from api_node import Node, config, free_port, wait_for

ROOT = sys.argv.pop()
WEIR = sys.argv.pop()
PROGRAM = sys.argv.pop()


class Command(unittest.TestCase):
    def setUp(self) -> None:
        self.dir = tempfile.TemporaryDirectory(prefix="weir-token.")
        self.addCleanup(self.dir.cleanup)

    def weir(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([WEIR, "--conf-dir", self.dir.name, *arguments], capture_output=True, text=True, timeout=60,
                              check=False)

    def test_a_token_is_made_and_shown_once(self) -> None:
        path = os.path.join(self.dir.name, "tokens")
        done = self.weir("token", "new", "ci", "operator")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"^[0-9a-f]{64}\n$")
        self.assertIn("Authorization: Bearer", done.stderr)
        other = json.loads(self.weir("--json", "token", "new", "prom", "metrics").stdout)
        with open(path) as f:
            self.assertEqual(f.read(), "".join(f"{n} {r} {hashlib.sha256(t.encode()).hexdigest()}\n" for n, r, t in (
                ("ci", "operator", done.stdout.strip()), ("prom", "metrics", other["token"]))))
        self.assertEqual(os.stat(path).st_mode & 0o7777, 0o400)
        for role, path in (("metrics", "/metrics\n"), ("peer", "")):  # an example that the role may ask
            self.assertEqual(self.weir("token", "new", f"a-{role}", role).stderr.partition("https://NODE:8443")[2], path)
        for arguments, status, words in ((("ci", "viewer"), 4, "has a token named ci"), (("x", "root"), 1, "is no role"),
                                         (("a b", "viewer"), 1, "cannot be a token's name")):
            done = self.weir("token", "new", *arguments)
            self.assertEqual((done.returncode, done.stdout), (status, ""))
            self.assertIn(words, done.stderr)

    def test_the_token_in_the_documentation_is_one(self) -> None:
        with open(os.path.join(ROOT, "docs", "api.md")) as f:
            found = re.findall(r"^    ci +operator +(\S+)$", f.read(), re.M)
        self.assertEqual(found, [hashlib.sha256(b"password").hexdigest()])


class Logins(unittest.TestCase):
    def test_a_bad_line_of_tokens_is_degraded_and_named(self) -> None:
        node = self.enterContext(contextlib.closing(Node(PROGRAM))).start()

        def stated() -> dict[typing.Any, typing.Any]:
            return {(r["code"], r["subject"]): r["text"] for r in node.ask("GET", "/v1/status").json["reasons"]
                    if r["code"].startswith("tokens")}
        self.assertEqual(stated(), {}, "the tokens are good")
        secret = "c0ffee" * 10
        node.write("tokens", f"# names\nci operator {secret}\nprom metrics {hashlib.sha256(b'x').hexdigest()}\n{secret} {secret}\n")
        wait_for("both lines", lambda: len(stated()) == 2)
        found = stated()
        self.assertEqual(set(found), {("tokens-line-bad", "tokens:2"), ("tokens-line-bad", "tokens:4")})
        self.assertNotIn(secret, str(found), "what stands in a bad line may be a secret")
        self.assertEqual(node.ask("GET", "/v1/status").json["state"], "degraded")
        node.write("tokens", "x\n" * 20)
        wait_for("the others as a number", lambda: "12 more lines" in stated().get(("tokens-line-bad", "tokens"), ""))
        node.write("tokens", "# none\n")
        wait_for("no bad line", lambda: not stated())

    def test_a_new_token_works_at_once(self) -> None:
        port = free_port()
        node = self.enterContext(contextlib.closing(Node(PROGRAM, text=config(ams_api=f"https://127.0.0.1:{port}")))).start()
        wait_for("TCP", lambda: "api-served" in node.log())
        token = subprocess.run([WEIR, "--conf-dir", node.conf, "token", "new", "new", "viewer"], check=True,
                               capture_output=True, text=True).stdout.strip()
        self.assertEqual(node.ask_tcp(port, "GET", "/v1/status", token).status, 200)
        self.assertEqual(node.ask_tcp(port, "GET", "/v1/status", token[:-1]).status, 401)
        self.assertEqual(node.ask_tcp(port, "GET", "/v1/status", "vera" * 8).status, 200, "the others still do")

    def test_the_peers_token_changes_without_a_pause_as_the_handbook_says(self) -> None:
        with open(os.path.join(ROOT, "docs", "installation.md")) as f:
            lines = re.findall(r"^    (printf 'peer-.*)$", f.read(), re.M)
        self.assertEqual(len(lines), 2)
        port = free_port()
        node = self.enterContext(contextlib.closing(Node(PROGRAM, text=config(ams_api=f"https://127.0.0.1:{port}")))).start()
        wait_for("TCP", lambda: "api-served" in node.log())
        node.write("peer.token.new", "n" * 64 + "\n")

        def accepted() -> list[typing.Any]:
            return [node.ask_tcp(port, "POST", "/v1/peer/exchange", t, {"node": "fra-1", "cluster": "shop", "query": "overrides"}).status for t in ("p" * 40, "n" * 64)]
        self.assertEqual(accepted(), [200, 401])
        for line in lines:
            subprocess.run(["bash", "-euc", line.replace("/etc/weir/", "")], cwd=node.conf, check=True)
        self.assertEqual(accepted(), [200, 200], "both are accepted")
        node.write("peer.token", "n" * 64 + "\n")
        self.assertEqual(accepted(), [200, 200], "whichever a peer has")
        node.write("tokens", "# none\n")
        self.assertEqual(accepted(), [401, 200])


def make_pair() -> tuple[typing.Any, ...]:
    """A certificate for loopback and its key."""
    with tempfile.TemporaryDirectory() as d:
        paths = os.path.join(d, "crt"), os.path.join(d, "key")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                        "-subj", "/CN=weir", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", paths[1], "-out", paths[0]],
                       check=True, capture_output=True)
        return tuple(open(path).read() for path in paths)


def body(pem: str) -> str:
    """A certificate without what differs in how it is written."""
    return "".join(pem.split("-----")[2].split())


class Certificates(unittest.TestCase):
    def setUp(self) -> None:
        self.port = free_port()
        self.node = self.enterContext(contextlib.closing(
            Node(PROGRAM, text=config(ams_api=f"https://127.0.0.1:{self.port}")))).start()
        wait_for("TCP", lambda: "api-served" in self.node.log())

    def served(self) -> str:
        return body(ssl.get_server_certificate(("127.0.0.1", self.port)))

    def refused(self) -> list[typing.Any]:
        return [r["text"] for r in self.node.ask("GET", "/v1/status").json["reasons"] if r["code"] == "certificate-refused"]

    def test_a_changed_pair_is_served_without_a_restart(self) -> None:
        cert, key = make_pair()
        before, pid = self.served(), self.node.process.pid
        held = self.hold()
        self.node.write("tls.crt", cert)
        self.node.write("tls.key", key)
        wait_for("the new certificate", lambda: self.served() == body(cert))
        self.assertNotEqual(before, body(cert))
        self.assertEqual(self.node.ask_tcp(self.port, "GET", "/healthz").status, 200)
        held.request("GET", "/healthz")
        self.assertEqual(held.getresponse().status, 200, "a connection of before goes on")
        held.close()
        self.assertIsNone(self.node.process.poll())
        self.assertEqual(self.node.process.pid, pid)
        self.assertEqual(self.refused(), [])

    def hold(self) -> http.client.HTTPSConnection:
        context = ssl.create_default_context(cafile=os.path.join(self.node.conf, "tls.crt"))
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60, context=context)
        connection.request("GET", "/healthz")
        connection.getresponse().read()
        return connection

    def test_a_bad_pair_is_degraded_and_the_former_one_stays(self) -> None:
        former, (cert, key) = self.served(), make_pair()
        for name, text in (("tls.key", key), ("tls.crt", "no certificate\n"), ("tls.crt", "")):
            self.node.write(name, text)
            wait_for("the condition", self.refused)
            self.assertIn("weir-mgmt serves the previous pair", self.refused()[0])
            self.assertEqual(self.served(), former, name)
        self.assertEqual(self.node.ask("GET", "/v1/status").json["state"], "degraded")
        os.unlink(os.path.join(self.node.conf, "tls.crt"))
        wait_for("the other reason", lambda: "No such file" in str(self.refused()))
        self.assertEqual(self.served(), former)
        self.node.write("tls.crt", cert)
        wait_for("the new certificate", lambda: self.served() == body(cert))
        wait_for("no condition", lambda: not self.refused())


if __name__ == "__main__":
    counted.main()
