#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Clients that are known by a certificate: which are taken, who they are in the record, and how that ends.

Usage: test_client_certificates.py WEIR_MGMT WEIR
"""
from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import typing
import unittest

import counted
from api_node import Answer, Node, config, free_port, wait_for

WEIR = sys.argv.pop()
PROGRAM = sys.argv.pop()
CI = "URI:spiffe://example.net/ci"


def openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=60)


class Authority:
    """Signs certificates for clients."""

    def __init__(self, folder: str, name: str) -> None:
        self.path = os.path.join(folder, name)
        self.make(self.path, "-x509", "-subj", f"/CN={name}")

    def make(self, path: str, *arguments: str) -> None:
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                "-keyout", path + ".key", "-out", path + ".crt", *arguments)

    def text(self) -> str:
        with open(self.path + ".crt", encoding="ascii") as f:
            return f.read()

    def sign(self, subject: str, names: str = "", usage: str = "clientAuth", days: int = 1) -> tuple[str, str]:
        """@return the files of a certificate and of its key"""
        path = tempfile.mkdtemp(dir=os.path.dirname(self.path)) + "/client"
        self.make(path, "-new", "-subj", subject)
        extensions = [f"extendedKeyUsage={usage}"] + ([f"subjectAltName={names}"] if names else [])
        with open(path + ".ext", "w", encoding="ascii") as f:
            f.write("\n".join(extensions) + "\n")
        openssl("x509", "-req", "-in", path + ".crt", "-CA", self.path + ".crt", "-CAkey", self.path + ".key", "-CAcreateserial",
                "-days", str(days), "-extfile", path + ".ext", "-out", path + ".pem")
        return path + ".pem", path + ".key"


class ClientCertificates(unittest.TestCase):
    ours: typing.ClassVar[Authority]
    others: typing.ClassVar[Authority]
    ci: typing.ClassVar[tuple[str, str]]

    @classmethod
    def setUpClass(cls) -> None:
        folder = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="weir-clients."))
        cls.ours, cls.others = Authority(folder, "ours"), Authority(folder, "others")
        cls.ci = cls.ours.sign("/CN=pipeline", "URI:spiffe://example.net/ci")

    def setUp(self) -> None:
        self.port = free_port()
        self.node = self.enterContext(contextlib.closing(Node(PROGRAM, text=config(ams_api=f"https://127.0.0.1:{self.port}"))))
        self.node.write("tls.clients", self.ours.text())
        self.node.write("tokens", "# none\n")
        self.node.start()
        wait_for("TCP", lambda: "api-served" in self.node.log())

    def add(self, name: str, role: str, certificate: str, *options: str) -> str:
        return subprocess.run([WEIR, "--conf-dir", self.node.conf, "token", "new", name, role, "--certificate", certificate, *options],
                              check=True, capture_output=True, text=True, timeout=60).stdout

    def context(self, files: tuple[str, str] | None) -> ssl.SSLContext:
        made = ssl.create_default_context(cafile=os.path.join(self.node.conf, "tls.crt"))
        if files:
            made.load_cert_chain(*files)
        return made

    def connect(self, files: tuple[str, str] | None) -> http.client.HTTPSConnection:
        c = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60, context=self.context(files))
        self.addCleanup(c.close)
        return c

    def ask(self, files: tuple[str, str] | None, token: str | None = None, method: str = "GET", path: str = "/v1/status",
            body: object = None) -> Answer:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self.node.send(self.connect(files), method, path, body, headers, None)

    def no_connection(self, files: tuple[str, str]) -> bool:
        """In TLS 1.3 a client learns it with the first answer."""
        try:
            self.ask(files)
        except (ssl.SSLError, ConnectionError, http.client.RemoteDisconnected):
            return True
        return False

    def test_whom_a_certificate_names_has_the_role_of_the_line(self) -> None:
        self.assertEqual(self.ask(self.ci).status, 401, "a certificate of ours gives nothing by itself")
        self.assertIn(CI, self.add("ci", "operator", CI, "--person", "ada"))
        self.assertEqual(self.ask(self.ci).status, 200)
        self.assertEqual(self.ask(None).status, 401, "without one")
        answer = self.ask(self.ci, None, "POST", "/v1/overrides", {
            "do": "drain", "target": {"site": "ams"}, "until": "never", "now": True, "reason": "by certificate"})
        self.assertEqual(answer.status, 201, answer.raw)
        self.assertIn('"principal": "cert:ci (ada)"', self.node.ask("GET", "/v1/overrides").raw.decode())
        lines = self.node.ask("GET", "/v1/audit?who=ci").json["items"]
        self.assertIn("cert:ci (ada)", {line["who"] for line in lines})
        self.assertIn("login", {line["kind"] for line in lines})
        shown = json.loads(subprocess.run([WEIR, "--json", "--conf-dir", self.node.conf, "token", "list"], check=True, capture_output=True,
                                          text=True, timeout=60).stdout)["items"]
        self.assertEqual([(row["name"], row["certificate"]) for row in shown], [("ci", CI)])

    def test_the_common_name_if_there_is_one(self) -> None:
        self.add("ops", "viewer", "CN:ops")
        self.add("boss", "admin", "CN:boss")
        self.assertEqual(self.ask(self.ours.sign("/CN=ops")).status, 200)
        self.assertEqual(self.ask(self.ours.sign("/CN=Ops")).status, 401)
        self.assertEqual(self.ask(self.ours.sign("/CN=ops/CN=boss")).status, 401, "two names are none")
        self.assertEqual(self.ask(self.ours.sign("/CN=ops x")).status, 401)
        self.assertEqual(self.ask(self.ours.sign("/O=x", "DNS:ops")).status, 401, "a name of a host is none")

    def test_who_is_not_signed_for_clients_of_ours_has_no_connection(self) -> None:
        self.add("ci", "admin", CI)
        for why, files in (("another authority", self.others.sign("/CN=x", "URI:spiffe://example.net/ci")),
                           ("for servers", self.ours.sign("/CN=x", "URI:spiffe://example.net/ci", "serverAuth")),
                           ("it has ended", self.ours.sign("/CN=x", "URI:spiffe://example.net/ci", days=-1))):
            self.assertTrue(self.no_connection(files), why)
        self.assertEqual(self.ask(self.ci).status, 200)

    def test_a_token_says_who_it_is_whatever_the_certificate(self) -> None:
        self.add("ci", "admin", CI)
        token = subprocess.run([WEIR, "--conf-dir", self.node.conf, "token", "new", "prom", "metrics"], check=True, capture_output=True, text=True,
                               timeout=60).stdout.strip()
        self.assertEqual(self.ask(self.ci, token).status, 403, "the token's role is smaller")
        self.assertEqual(self.ask(self.ci, "x" * 64).status, 401, "a wrong token is not made good")

    def test_without_its_line_it_ends_on_the_connection_that_is_open(self) -> None:
        self.add("ci", "viewer", CI)
        c = self.connect(self.ci)

        def status() -> int:
            c.request("GET", "/v1/status")
            answer = c.getresponse()
            answer.read()
            return answer.status
        self.assertEqual(status(), 200)
        subprocess.run([WEIR, "--conf-dir", self.node.conf, "token", "remove", "ci"], check=True, capture_output=True, timeout=60)
        self.assertEqual(status(), 401)
        self.node.write("tokens", "anonymous viewer *\n")
        self.assertEqual(self.ask(self.ci).status, 200, "who is not named may what all may")

    def test_a_ticket_brings_the_same_client_back(self) -> None:
        self.add("ci", "viewer", CI)
        context, session = self.context(self.ci), None
        for resumed in (False, True):
            c = self.connect(None)
            c.sock = context.wrap_socket(socket.create_connection(("127.0.0.1", self.port), 60), server_hostname="127.0.0.1", session=session)
            c.request("GET", "/v1/status")
            answer = c.getresponse()
            answer.read()
            self.assertEqual((answer.status, c.sock.session_reused), (200, resumed))
            session = c.sock.session

    def test_an_authority_that_is_taken_out_counts_on_open_connections_no_more(self) -> None:
        self.add("ci", "viewer", CI)
        for stay in (self.others.text(), ""):
            self.node.write("tls.clients", self.others.text() + self.ours.text())
            wait_for("both", lambda: not self.no_connection(self.ci) and self.ask(self.ci).status == 200)
            c = self.connect(self.ci)

            def status() -> int:
                c.request("GET", "/v1/status")
                answer = c.getresponse()
                answer.read()
                return answer.status
            self.assertEqual(status(), 200)
            self.node.write("tls.clients", self.ours.text() + self.others.text())  # another context, the same authorities
            time.sleep(2)  # it comes into force
            self.assertEqual(status(), 200)
            if stay:
                self.node.write("tls.clients", stay)
            else:
                os.unlink(os.path.join(self.node.conf, "tls.clients"))
            wait_for("the open connection is no one's", lambda: status() == 401)

    def test_who_signs_is_changed_without_a_restart(self) -> None:
        self.add("ci", "viewer", CI)
        theirs = self.others.sign("/CN=x", "URI:spiffe://example.net/ci")
        self.node.write("tls.clients", self.others.text())
        wait_for("the other authority", lambda: not self.no_connection(theirs))
        self.assertTrue(self.no_connection(self.ci))
        self.node.write("tls.clients", self.others.text() + self.ours.text())
        wait_for("both", lambda: not self.no_connection(self.ci))
        self.assertEqual(self.ask(theirs).status, 200)
        for text in ("hello\n", "", self.ours.text() + "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"):
            self.node.write("tls.clients", text)
            wait_for("the condition", lambda: "tls.clients has no PEM certificate" in str(self.node.ask("GET", "/v1/status").json["why"]))
            self.assertEqual(self.ask(theirs).status, 200, "the former ones stay")
        os.unlink(os.path.join(self.node.conf, "tls.clients"))
        wait_for("nobody is asked", lambda: self.ask(self.ci).status == 401)
        wait_for("no condition", lambda: "tls.clients" not in str(self.node.ask("GET", "/v1/status").json["why"]))


class Command(unittest.TestCase):
    def test_a_line_that_would_name_nobody_is_refused(self) -> None:
        with tempfile.TemporaryDirectory(prefix="weir-token.") as folder:
            for name in ("ci", "DNS:ci", "URI:", "CN:", "URI:a b", "uri:spiffe://x", "CN:" + "x" * 256, "CN:\x07", "CN:é"):
                done = subprocess.run([WEIR, "--conf-dir", folder, "token", "new", "ci", "viewer", "--certificate", name], capture_output=True,
                                      text=True, timeout=60, check=False)
                self.assertEqual((done.returncode, done.stdout), (1, ""), name)
                self.assertEqual(os.listdir(folder), [], name)
            done = subprocess.run([WEIR, "--conf-dir", folder, "token", "new", "ci", "viewer", "--certificate", CI, "--until", "+1h"],
                                  capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("tls.clients is not there", done.stderr)


if __name__ == "__main__":
    counted.main()
