#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Every route of the API with every role, from a table that is written down here and not taken from the code.

Usage: test_roles.py WEIR_MGMT
"""
from __future__ import annotations

import hashlib
import http.client
import json
import os
import ssl
import subprocess
import sys
import typing
import unittest

import counted
from api_node import Node, config, free_port, wait_for

if typing.TYPE_CHECKING:
    from api_node import Answer

PROGRAM = sys.argv.pop(1)
NOBODY_UID = 65534

# Who asks: by which token over TCP, or by which user over the UNIX socket.
TOKENS = {"metrics": "prom" * 8, "viewer": "vera" * 8, "oncall": "otto" * 8, "operator": "olga" * 8, "admin": "ada" * 8,
          "peer": "p" * 40}
OTHERS = {"no token": None, "a wrong token": "wrong" * 8, "the peer of another cluster": "q" * 40}
LADDER = ["viewer", "oncall", "operator", "admin"]
DRAIN = {"do": "drain", "target": {"site": "ams"}, "until": "never", "now": True, "reason": "a test"}
APPLY = {"files": {"weir.conf": "schema = 1;"}, "reason": "a test"}


def at_least(role: str) -> set[typing.Any]:
    """The roles that reach a route."""
    return set(LADDER[LADDER.index(role):])


EVERYBODY = {*TOKENS, "no token"}
METRICS = {"metrics", *at_least("viewer")}
PEER = {"peer", "admin"}
HEAD = {"If-Match": "*"}

# Route: method, pattern as in the description of the interface, path asked, body, headers; status of those who may; who may.
# What is asked changes nothing: it is a dry run, or refused for what it says after the role was judged.
TABLE: list[tuple[str, str, str, typing.Any, dict[str, str], int, typing.Collection[str]]] = [
    ("GET", "/", "/", None, {}, 200, at_least("viewer")),
    ("GET", "/healthz", "/healthz", None, {}, 200, EVERYBODY),
    ("GET", "/metrics", "/metrics", None, {}, 200, METRICS),
    ("GET", "/v1/config", "/v1/config", None, {}, 200, at_least("operator")),
    ("POST", "/v1/config/check", "/v1/config/check", {"files": APPLY["files"]}, {}, 422, at_least("viewer")),
    ("POST", "/v1/config/plan", "/v1/config/plan", {"files": APPLY["files"]}, {}, 422, at_least("viewer")),
    ("POST", "/v1/what-if", "/v1/what-if", {"files": APPLY["files"]}, {}, 422, at_least("operator")),
    ("POST", "/v1/config/apply", "/v1/config/apply?dry_run=true", APPLY, HEAD, 422, at_least("operator")),
    ("GET", "/v1/versions", "/v1/versions", None, {}, 200, at_least("viewer")),
    ("GET", "/v1/versions/{}", "/v1/versions/1", None, {}, 200, at_least("viewer")),
    ("GET", "/v1/versions/{}", "/v1/versions/1?files=true", None, {}, 200, at_least("operator")),
    ("GET", "/v1/versions/{}/diff/{}", "/v1/versions/1/diff/1", None, {}, 200, at_least("viewer")),
    ("POST", "/v1/versions/{}/rollback", "/v1/versions/7/rollback", {"reason": "x"}, HEAD, 404, at_least("oncall")),
    ("POST", "/v1/versions/{}/confirm", "/v1/versions/1/confirm", {"reason": "x"}, {}, 409, at_least("oncall")),
    ("GET", "/v1/overrides", "/v1/overrides", None, {}, 200, at_least("viewer")),
    ("GET", "/v1/overrides/{}", "/v1/overrides/none", None, {}, 404, at_least("viewer")),
    ("POST", "/v1/overrides", "/v1/overrides?dry_run=true", DRAIN, {}, 200, at_least("oncall")),
    ("GET", "/v1/operations", "/v1/operations", None, {}, 200, at_least("viewer")),
    ("GET", "/v1/operations/{}", "/v1/operations/none", None, {}, 404, at_least("viewer")),
    ("POST", "/v1/operations", "/v1/operations?dry_run=true", {"do": "drain", "sites": ["none"], "reason": "x"}, {}, 404, at_least("oncall")),
    ("POST", "/v1/operations/{}/hold", "/v1/operations/none/hold", {"reason": "x"}, {}, 404, at_least("oncall")),
    ("POST", "/v1/operations/{}/resume", "/v1/operations/none/resume", {"reason": "x"}, {}, 404, at_least("oncall")),
    ("POST", "/v1/operations/{}/abort", "/v1/operations/none/abort", {"reason": "x"}, {}, 404, at_least("oncall")),
    ("POST", "/v1/operations/{}/take", "/v1/operations/none/take", {"reason": "x"}, {}, 404, at_least("oncall")),
    ("GET", "/v1/drills", "/v1/drills", None, {}, 200, at_least("viewer")),
    ("GET", "/v1/drills/{}", "/v1/drills/none", None, {}, 404, at_least("viewer")),
    ("POST", "/v1/drills", "/v1/drills?dry_run=true", {"site": "none", "clients": "192.0.2.0/24", "reason": "x"}, {}, 404,
     at_least("oncall")),
    ("POST", "/v1/drills/{}/end", "/v1/drills/none/end", {"reason": "x"}, {}, 404, at_least("oncall")),
    ("GET", "/v1/sites/{}/arrivals", "/v1/sites/none/arrivals", None, {}, 404, at_least("viewer")),
    ("GET", "/v1/blame", "/v1/blame?path=pools/none", None, {}, 404, at_least("viewer")),
    ("GET", "/v1/proposals", "/v1/proposals", None, {}, 200, at_least("viewer")),
    ("GET", "/v1/proposals/{}", "/v1/proposals/none", None, {}, 404, at_least("viewer")),
    ("POST", "/v1/proposals/{}/approve", "/v1/proposals/none/approve", {"reason": "x"}, {}, 404, at_least("operator")),
    ("POST", "/v1/proposals/{}/withdraw", "/v1/proposals/none/withdraw", {"reason": "x"}, {}, 404, at_least("operator")),
    ("GET", "/v1/pools/{}/members", "/v1/pools/none/members", None, {}, 404, at_least("viewer")),
    ("GET", "/v1/pools/{}/members/{}", "/v1/pools/none/members/m", None, {}, 404, at_least("viewer")),
    ("POST", "/v1/pools/{}/members", "/v1/pools/none/members", {}, {}, 404, at_least("oncall")),
    ("PUT", "/v1/pools/{}/members/{}", "/v1/pools/none/members/m", {"address": "192.0.2.1"}, {}, 404, at_least("oncall")),
    ("DELETE", "/v1/pools/{}/members/{}", "/v1/pools/none/members/m", None, {}, 404, at_least("oncall")),
    ("GET", "/v1/verdicts", "/v1/verdicts", None, {}, 200, at_least("viewer")),
    ("GET", "/v1/verdicts/{}/{}", "/v1/verdicts/none/b", None, {}, 404, at_least("viewer")),
    ("PUT", "/v1/verdicts/{}/{}", "/v1/verdicts/none/b", {"verdict": "up", "ttl": "30s"}, {}, 404, at_least("oncall")),
    ("DELETE", "/v1/verdicts/{}/{}", "/v1/verdicts/none/b", None, {}, 404, at_least("oncall")),
    ("GET", "/v1/audit", "/v1/audit", None, {}, 200, at_least("admin")),
    ("GET", "/v1/audit/heads", "/v1/audit/heads", None, {}, 200, at_least("admin")),
    ("POST", "/v1/audit/rotate", "/v1/audit/rotate?dry_run=true", {"reason": "x"}, {}, 422, at_least("admin")),
    ("GET", "/v1/status", "/v1/status", None, {}, 200, at_least("viewer")),
    ("GET", "/v1/store", "/v1/store", None, {}, 200, at_least("viewer")),
    ("POST", "/v1/store/accept", "/v1/store/accept", {"reason": "x"}, {}, 409, at_least("admin")),
    ("POST", "/v1/store/rebuild", "/v1/store/rebuild", {"reason": "x"}, {}, 409, at_least("admin")),
    ("GET", "/v1/clock", "/v1/clock", None, {}, 200, at_least("viewer")),
    ("POST", "/v1/clock/accept", "/v1/clock/accept", {"author": "x"}, {}, 422, at_least("oncall")),
    ("GET", "/v1/node", "/v1/node", None, {}, 200, at_least("viewer")),
    ("GET", "/v1/openapi.json", "/v1/openapi.json", None, {}, 200, at_least("viewer")),
    ("GET", "/v1/processes", "/v1/processes", None, {}, 200, at_least("viewer")),
    ("GET", "/v1/dataplane", "/v1/dataplane", None, {}, 503, at_least("operator")),
    ("GET", "/v1/dataplane/backends", "/v1/dataplane/backends?pool=none", None, {}, 404, at_least("operator")),
    ("GET", "/v1/trace", "/v1/trace?source=192.0.2.1:7&destination=none", None, {}, 400, at_least("operator")),
    ("GET", "/v1/health/targets", "/v1/health/targets", None, {}, 503, at_least("operator")),
    ("POST", "/v1/health/check", "/v1/health/check", {"pool": "web-ams"}, {}, 422, at_least("operator")),
    ("GET", "/v1/dns/explain", "/v1/dns/explain?name=a..b", None, {}, 422, at_least("operator")),
    ("GET", "/v1/announcements", "/v1/announcements", None, {}, 200, at_least("viewer")),
    ("GET", "/v1/peers", "/v1/peers", None, {}, 200, at_least("viewer")),
    ("GET", "/v1/health", "/v1/health", None, {}, 200, at_least("viewer")),
    ("GET", "/v1/dns", "/v1/dns", None, {}, 503, at_least("viewer")),
    ("POST", "/v1/files", "/v1/files", {"parts": []}, {}, 200, at_least("operator")),
    ("POST", "/v1/zones/reload", "/v1/zones/reload", {"author": "x"}, {}, 422, at_least("operator")),
    ("GET", "/v1/events", "/v1/events", None, {}, 200, at_least("viewer")),
    ("POST", "/v1/peer/exchange", "/v1/peer/exchange", {}, {}, 400, PEER),
    ("POST", "/v1/peer/files", "/v1/peer/files", {}, {}, 200, PEER),
    ("GET", "/v1/peer/connections", "/v1/peer/connections", None, {}, 503, PEER),
    ("POST", "/v1/changes", "/v1/changes", {"edits": [], "reason": "x"}, {}, 422, at_least("operator")),
]
for kind in ("sites", "nodes", "checks", "pools", "pools/{}/backends", "vips", "services", "services/{}/at", "dns/zones", "dns/names", "gates"):
    there = "/v1/" + kind.replace("{}", "none")
    TABLE += [("GET", f"/v1/{kind}", there, None, {}, 404 if "{}" in kind else 200, at_least("viewer")),
              ("GET", f"/v1/{kind}/{{}}", f"{there}/none", None, {}, 404, at_least("viewer")),
              ("PUT", f"/v1/{kind}/{{}}", f"{there}/none?reason=x", {}, {"If-Match": "*"}, 404, at_least("operator")),
              ("PATCH", f"/v1/{kind}/{{}}", f"{there}/none?reason=x", {}, {"If-Match": "*"}, 415, at_least("operator")),
              ("DELETE", f"/v1/{kind}/{{}}", f"{there}/none?reason=x", None, {"If-Match": "*"}, 404, at_least("operator"))]


class Roles(unittest.TestCase):
    context: typing.Any
    node: Node
    port: typing.Any

    @classmethod
    def setUpClass(cls) -> None:
        cls.port = free_port()
        cls.node = Node(PROGRAM, text=config(ams_api=f"https://127.0.0.1:{cls.port}"))
        os.chmod(cls.node.dir.name, 0o755)
        cls.node.start()
        wait_for("TCP", lambda: "api-served" in cls.node.log())
        cls.context = ssl.create_default_context(cafile=os.path.join(cls.node.conf, "tls.crt"))

    @classmethod
    def tearDownClass(cls) -> None:
        cls.node.close()

    def tcp(self, token: str | None, method: str, path: str, body: dict[str, typing.Any] | None = None,
            headers: dict[str, str] | None = None, source: str = "127.0.0.1") -> Answer:
        c = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60, context=self.context, source_address=(source, 0))
        login = {"Authorization": f"Bearer {token}"} if token else {}
        return self.node.send(c, method, path, body, {**(headers or {}), **login}, None)

    def unix(self, uid: int, method: str, path: str, body: dict[str, typing.Any] | None = None, headers: typing.Any = None,
             node: Node | None = None) -> int:
        """The status that a user gets on the UNIX socket."""
        lines = [f"-H{k}: {v}" for k, v in {**(headers or {}), "Content-Type": "application/json"}.items()]
        done = subprocess.run(
            ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-m", "60", "-X", method, *lines, *(["-d", json.dumps(body)] if body is not None else []),
             "--unix-socket", os.path.join((node or self.node).run, "api.sock"), "http://weir" + path],
            user=uid, group=uid, extra_groups=[], capture_output=True, text=True, check=False, env={**os.environ, "HOME": "/"})
        return int(done.stdout or 0)

    def test_the_table_has_every_route_and_no_other(self) -> None:
        paths = self.node.ask("GET", "/v1/openapi.json").json["paths"]
        known = {(m.upper(), self.pattern(p)) for p, methods in paths.items() for m in methods}
        self.assertEqual({(row[0], row[1]) for row in TABLE}, known)

    @staticmethod
    def pattern(path: str) -> str:
        """"/v1/versions/{number}" as "/v1/versions/{}"."""
        return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))

    def test_each_route_answers_each_role_as_the_table_says(self) -> None:
        for i, (method, _, path, body, headers, status, may) in enumerate(TABLE):
            for role, token in TOKENS.items():
                with self.subTest(f"{role}: {method} {path} {body}"):
                    a = self.tcp(token, method, path, body, headers)
                    self.assertEqual(a.status, status if role in may else 403, a.raw[:200])
            for who, token in OTHERS.items():
                with self.subTest(f"{who}: {method} {path}"):
                    a = self.tcp(token, method, path, body, headers, f"127.3.{i}.{1 + (who == 'a wrong token')}")
                    self.assertEqual(a.status, status if who in may else 401, a.raw[:200])
                    self.assertEqual(a.headers["WWW-Authenticate"],
                                     None if who in may else f'{"Basic" if path == "/" else "Bearer"} realm="weir"')
        self.unchanged()

    def unchanged(self) -> None:
        status = self.node.ask("GET", "/v1/status").json
        self.assertEqual((status["version"]["number"], status["overrides"]), (1, []))

    def test_each_route_answers_each_user_of_the_socket_as_the_table_says(self) -> None:
        os.chmod(os.path.join(self.node.run, "api.sock"), 0o666)
        for method, _, path, body, headers, status, may in TABLE:
            with self.subTest(f"{method} {path} {body}"):
                self.assertEqual(self.node.ask(method, path, body, headers).status, status, "root is an admin")
                self.assertEqual(self.unix(NOBODY_UID, method, path, body, headers), status if "operator" in may else 403, "others are operators")
        self.unchanged()

    def test_the_other_processes_users_are_nobody_on_the_socket(self) -> None:
        siblings = {"weir-dataplane": 64001, "weir-health": 64002, "weir-dns": 64003}
        node = Node(PROGRAM)
        self.addCleanup(node.close)
        os.chmod(node.dir.name, 0o755)
        # a passwd file that has these users, in a mount namespace of the program's own
        passwd, wrapper = (os.path.join(node.dir.name, name) for name in ("passwd", "wrapper"))
        with open("/etc/passwd") as f, open(passwd, "w") as out:
            out.write("".join(line for line in f if not line.startswith("weir-")))
            out.writelines(f"{name}:x:{uid}:{uid}::/:/bin/false\n" for name, uid in siblings.items())
        with open(wrapper, "w") as f:
            f.write(f"#!/bin/sh\nexec unshare -m sh -ec 'mount --bind {passwd} /etc/passwd; exec {os.path.abspath(PROGRAM)} \"$@\"' sh \"$@\"\n")
        os.chmod(wrapper, 0o755)
        node.program = wrapper
        node.start()
        os.chmod(os.path.join(node.run, "api.sock"), 0o666)
        for uid in (*siblings.values(), 64004):
            for method, _, path, body, headers, status, may in TABLE:
                with self.subTest(f"{uid}: {method} {path}"):
                    self.assertEqual(self.unix(uid, method, path, body, headers, node),
                                     status if "no token" in may else 401 if uid != 64004 else status if "operator" in may else 403)

    def test_an_unknown_path_or_method_is_not_an_open_one(self) -> None:
        for method, path, status in (("GET", "/v1/none", 404), ("DELETE", "/v1/overrides", 405), ("PUT", "/v1/config", 405)):
            for i, token in enumerate((None, TOKENS["viewer"])):
                self.assertEqual(self.tcp(token, method, path, source=f"127.4.0.{i + 1}").status, status)

    def test_a_peer_of_another_cluster_is_not_believed_with_the_right_token(self) -> None:
        version = {"number": 2, "digest": "a" * 64}
        for cluster in ("shop", "other", "sho", "shop2", ""):
            with self.subTest(cluster):
                a = self.tcp(TOKENS["peer"], "POST", "/v1/peer/exchange", {
                    "node": "fra-1", "cluster": cluster, "query": "stage", "version": version, "files": {}})
                self.assertEqual((a.status, a.code), (409, "no-store" if cluster == "shop" else "other-cluster"), a.raw[:300])
        self.unchanged()

    def test_anonymous_has_the_role_that_its_line_gives_and_no_more(self) -> None:
        port = free_port()
        node = Node(PROGRAM, text=config(ams_api=f"https://127.0.0.1:{port}"))
        self.addCleanup(node.close)
        node.write("tokens", "anonymous viewer *\n")
        node.start()
        wait_for("TCP", lambda: "api-served" in node.log())
        for method, _, path, body, headers, status, may in TABLE:
            c = http.client.HTTPSConnection("127.0.0.1", port, timeout=60,
                                            context=ssl.create_default_context(cafile=os.path.join(node.conf, "tls.crt")))
            with self.subTest(f"{method} {path} {body}"):
                a = node.send(c, method, path, body, headers, None)
                self.assertEqual(a.status, status if "viewer" in may else 403, a.raw[:200])

    def test_the_text_of_files_is_shown_to_operators_alone(self) -> None:
        port = free_port()
        node = Node(PROGRAM, text=config(ams_api=f"https://127.0.0.1:{port}"))
        self.addCleanup(node.close)
        node.start()
        wait_for("TCP", lambda: "api-served" in node.log())
        files = node.files("weight = 100", "weight = 60")
        files["shop.example.zone"] += "a-secret-host A 10.9.9.9\n"
        self.assertEqual(node.apply(files).status, 201)
        items = self.text_of(node, port, "admin", "GET", "/v1/versions/2").json["files"]
        digests = {f["name"]: {k: f[k] for k in ("digest", "bytes")} for f in items}
        other = files["weir.conf"].replace('"shop.example"', '"other.example"').replace("www.shop", "www.other")
        for role in LADDER:
            with self.subTest(role):
                may = role in at_least("operator")
                a = self.text_of(node, port, role, "GET", "/v1/versions/1/diff/2")
                self.assertEqual((a.status, a.json["text"] is not None), (200, may))
                self.assertIn({"path": "pools/web-ams/backends/b1/weight", "kind": "changed", "from": "100", "to": "60"}, a.json["changes"])
                self.assertEqual(b"a-secret-host" in a.raw, may)
                # errors of a file quote it, and its digest is no secret
                a = self.text_of(node, port, role, "POST", "/v1/config/check",
                                 {"files": {"weir.conf": other, "shop.example.zone": digests["shop.example.zone"]}})
                self.assertEqual((a.status, b"a-secret-host" in a.raw), (422, may), a.raw[:500])

    def text_of(self, node: Node, port: int, role: str, method: str, path: str, body: dict[str, typing.Any] | None = None) -> Answer:
        c = http.client.HTTPSConnection("127.0.0.1", port, timeout=60,
                                        context=ssl.create_default_context(cafile=os.path.join(node.conf, "tls.crt")))
        return node.send(c, method, path, body, {"Authorization": f"Bearer {TOKENS[role]}"}, None)

    def test_idempotency_keys_are_not_shared_by_principals(self) -> None:
        node, key = self.node, {"Idempotency-Key": "the same"}
        with open(os.path.join(node.conf, "tokens"), "a") as f:
            f.write(f"root admin {hashlib.sha256(b'r' * 32).hexdigest()}\n")
        first = self.tcp(TOKENS["oncall"], "POST", "/v1/overrides", DRAIN, key)
        self.assertEqual((first.status, first.headers["Idempotent-Replay"]), (201, None))
        again = self.tcp(TOKENS["oncall"], "POST", "/v1/overrides", DRAIN, key)
        self.assertEqual((again.status, again.headers["Idempotent-Replay"]), (201, "true"))
        for who, ask in (("another token", lambda: self.tcp(TOKENS["admin"], "POST", "/v1/overrides", DRAIN, key)),
                         ("a token whose name is a user's", lambda: self.tcp("r" * 32, "POST", "/v1/overrides", DRAIN, key)),
                         ("that user", lambda: node.command("drain", {"site": "ams"}, headers=key, until="never", now=True))):
            a = ask()
            with self.subTest(who):
                self.assertIn(a.status, (200, 201), a.raw[:200])
                self.assertEqual(a.headers["Idempotent-Replay"], None, "it is carried out for this principal")
        viewer = self.tcp(TOKENS["viewer"], "POST", "/v1/overrides", DRAIN, key)
        self.assertEqual(viewer.status, 403, "a key gives nobody an answer that its role does not reach")
        node.command("undrain", {"site": "ams"}, now=True)


if __name__ == "__main__":
    counted.main()
