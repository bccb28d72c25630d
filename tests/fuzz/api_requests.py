#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Requests made from GET /v1/openapi.json, by a seed, to a real weir-mgmt: what the description allows, and what it forbids.

Each answer is as described (openapi_check.py) and never 500. What is allowed is not refused for its form. What is forbidden, in
one thing each, is refused. The process lives, and its memory is bounded. It knows no route: a new one is asked, too.

Usage: api_requests.py WEIR_MGMT [--requests N] [--seed N]
"""
from __future__ import annotations

import copy
import http.client
import json
import os
import random
import socket
import ssl
import sys
import time
import typing
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "unit", "mgmt"))
import api_node  # noqa: E402
import counted  # noqa: E402
import openapi_check  # noqa: E402

REQUESTS = 4000  # of the ordinary run
MEMORY_KIB = 96 << 10  # more than after the first requests; uploads and versions stay on disk
WARM = 300
PARTS = ["1", "2", "0", "none", "ams", "fra", "ams-1", "web-ams", "b1", "web", "shop-ams", "www.shop.example", "shop.example", "%2e", "a%20b", "99999999999999999999"]
TEXTS = ["", "a", "ams", "web-ams", "never", "+1h", "5m", "0", "10%", "region=eu", "1", "unknown", "é", "a b", "0" * 64, "ab" * 32, "aGVsbG8=", "~" * 300]
ROLES = {"metrics": "prom", "viewer": "vera", "oncall": "otto", "operator": "olga", "admin": "ada"}
LADDER = ["viewer", "oncall", "operator", "admin"]
# How an error begins that is between members: no schema says those.
BETWEEN_FIELDS = ("has the name of another one", "is for", "is required;", "is required,", "cannot be combined", '"none" cannot be combined', "must be longer than all nodes are to be well", "is not for", "expected either", "is in the past or after",
                  "is not the name that the path has", "expected that of an object", "expected a list of 1 to", "is given twice", "pool ")
CHANGES = ("query_unknown", "query_twice", "query_missing", "body_unknown", "body_missing", "body_twice", "body_no_form", "body_no_object",
           "body_type", "body_of_get", "method_other", "path_other", "role_missing")


class Request:
    def __init__(self, method: str, path: str, operation: dict[str, typing.Any]) -> None:
        self.method, self.path, self.operation = method, path, operation
        self.query: list[tuple[str, str]] = []
        self.headers: dict[str, str] = {}
        self.body: typing.Any = None  # JSON
        self.raw: bytes | None = None  # instead of it
        self.role: str | None = None  # over TLS; None: root, at the UNIX socket

    @property
    def target(self) -> str:
        return self.path + ("?" + urllib.parse.urlencode(self.query) if self.query else "")

    @property
    def payload(self) -> bytes | None:
        return self.raw if self.raw is not None else None if self.body is None else json.dumps(self.body).encode()


class Generator:
    def __init__(self, node: api_node.Node, port: int, seed: int) -> None:
        self.node, self.port, self.random = node, port, random.Random(seed)
        self.said = openapi_check.description
        self.operations = [(m.upper(), path, op) for path, item in self.said.whole["paths"].items() for m, op in item.items()]
        self.connections: dict[str | None, http.client.HTTPConnection] = {}
        self.counts: dict[str, int] = {}
        self.findings: list[str] = []
        self.warm_kib = 1 << 40  # until it is measured

    # --- what is allowed ---

    def values(self, schema: typing.Any, example: typing.Any = None) -> list[typing.Any]:
        """Some that the schema allows: its words, its limits, its examples. A text without a limit is what its examples say."""
        kind = schema.get("type", "object")
        tried: list[typing.Any] = schema.get("enum", [])
        if kind == "boolean":
            tried = [True, False]
        elif kind == "integer":
            least = schema.get("minimum", -5)
            tried = [least, least + 1, schema.get("maximum", 1 << 40)]
        elif kind == "string" and not tried:
            free = "pattern" in schema and schema["pattern"].startswith("^[^")  # any text, or any name
            made = [*TEXTS, "x" * schema.get("maxLength", 9)]
            tried = [*schema.get("examples", []), *(made if free or not schema.get("examples") else [])]
        elif kind == "array":
            items = self.values(schema["items"], example[0] if example else None)[:20]
            tried = [[], *([one] for one in items), *([items[:1] * min(2, schema.get("maxItems", 2))] if items else [])]
        elif kind == "object":
            tried = [example or {}]
            tried += [{**(example or {}), name: v} for name, of in schema.get("properties", {}).items() for v in self.values(of)]
        return [v for v in tried if not self.said.faults(schema, v)]

    def bad_values(self, schema: typing.Any, may_lack: bool) -> list[typing.Any]:
        """Another type, a limit and one, another word, a control character, null where it does not go."""
        bad: list[typing.Any] = [7, 1.5, "", "x\n", "\x7f", "no such word", [], [7], {}, {"no_such": 1}, True, -1]
        if "maxLength" in schema:
            bad.append("x" * (schema["maxLength"] + 1))
        if "maxItems" in schema and (one := self.values(schema["items"])):
            bad.append(one[:1] * (schema["maxItems"] + 1))
        return [v for v in [*bad, *([] if may_lack else [None])] if self.said.faults(schema, v)]

    def cases(self) -> list[tuple[int, str, typing.Any]]:
        """By the index of an operation: what is changed in its request, and to what."""
        found: list[tuple[int, str, typing.Any]] = []
        for i, (_, _, operation) in enumerate(self.operations):
            found += [(i, "allowed", None)] * 3 + [(i, change, None) for change in CHANGES]
            for p in (p for p in operation["parameters"] if p["in"] == "query" and p["name"] != "wait_ms"):
                found += [(i, "parameter", (p["name"], str(v))) for v in self.values(p["schema"]) if v != ""]
            for p in (p for p in operation["parameters"] if p["in"] == "query" and p["schema"].keys() & {"enum", "maximum"}):
                over = [str(p["schema"]["maximum"] + 1), str(p["schema"]["minimum"] - 1)] if "maximum" in p["schema"] else []
                found += [(i, "query_wrong", (p["name"], v)) for v in ["", "x", "-1", "1.5", "true ", "TRUE", *over]]
            content = self.content(operation)
            schema = content[1]["schema"] if content else {}
            self.findings += [f"{self.operations[i][:2]}: the example: {f}" for f in self.said.faults(schema, content[1]["example"])] if content else []
            found += [(i, "body_no_form", None)] * (20 if "oneOf" in schema else 0)  # few have forms
            for name, of in schema.get("properties", {}).items() if schema.get("additionalProperties") is False else []:
                example = content[1].get("example", {})
                found += [(i, "member", (name, v)) for v in self.values(of, example.get(name))
                          if not self.said.faults(schema, {**example, name: v})]
                if name in example and not self.said.faults(schema, {n: v for n, v in example.items() if n != name}):
                    found.append((i, "member_less", name))
                found += [(i, "body_value", (name, v)) for v in self.bad_values(of, name not in schema.get("required", []))]
        self.random.shuffle(found)
        return found

    def content(self, operation: dict[str, typing.Any]) -> tuple[str, dict[str, typing.Any]] | None:
        found = operation.get("requestBody", {}).get("content", {})
        for media, said in found.items():
            schema = self.said.resolve(said["schema"])
            return media, {"schema": schema, "example": said.get("example", schema.get("examples", [{}])[0])}
        return None

    def allowed(self, method: str, pattern: str, operation: dict[str, typing.Any]) -> Request:
        r = self.random
        path = "/".join(r.choice(PARTS) if part.startswith("{") else part for part in pattern.split("/"))
        request = Request(method, path, operation)
        for p in operation["parameters"]:
            if p["in"] == "header":
                if p["name"] == "If-Match" and r.random() < 0.9:
                    request.headers["If-Match"] = "*"
                if p["name"] == "Idempotency-Key" and r.random() < 0.2:
                    request.headers["Idempotency-Key"] = f"k{r.randrange(40)}"
            if p["in"] != "query":
                continue
            if p["name"] == "wait_ms":  # a request that waits would only take long
                request.query.append(("wait_ms", r.choice("012")))
            elif p["name"] == "dry_run" and r.random() < 0.8:
                request.query.append(("dry_run", "true"))
            elif p["required"] or r.random() < 0.3:
                values = [v for v in self.values(p["schema"]) if v != ""]
                if values:
                    request.query.append((p["name"], str(r.choice(values))))
        if found := self.content(operation):
            request.headers["Content-Type"] = found[0]
            request.body = copy.deepcopy(found[1].get("example", {}))
        return request

    # --- what is forbidden: each changes an allowed request, and says by which status it is refused; None: it has no such part ---

    def query_unknown(self, q: Request) -> int | None:
        q.query.append(("no_such_parameter", "1"))
        return 400

    def query_twice(self, q: Request) -> int | None:
        if not q.query:
            return None
        q.query.append(self.random.choice(q.query))
        return 400

    def query_missing(self, q: Request) -> int | None:
        needed = [p["name"] for p in q.operation["parameters"] if p["in"] == "query" and p["required"]]
        if not needed:
            return None
        name = self.random.choice(needed)
        q.query = [pair for pair in q.query if pair[0] != name]
        return 400

    def schema_of(self, q: Request) -> typing.Any:
        found = self.content(q.operation)
        return found[1]["schema"] if found and isinstance(q.body, dict) and found[1]["schema"].get("additionalProperties") is False else None

    def body_unknown(self, q: Request) -> int | None:
        if not self.schema_of(q):
            return None
        q.body[self.random.choice(["no_such_member", "Reason", "", "reason\u0000"])] = 1
        return 422

    def body_missing(self, q: Request) -> int | None:
        schema = self.schema_of(q)
        if not schema or not schema.get("required"):
            return None
        q.body.pop(self.random.choice(schema["required"]), None)
        return 422

    def body_twice(self, q: Request) -> int | None:
        if not self.schema_of(q) or not q.body:
            return None
        text = json.dumps(q.body)
        q.raw = (text[:-1] + ", " + text[1:]).encode()
        return 422

    def body_no_form(self, q: Request) -> int | None:
        schema = self.schema_of(q)
        if not schema or "oneOf" not in schema:
            return None
        names = sorted({name for form in schema["oneOf"] for name in (*form["required"], *form["properties"])})
        for name in names:
            q.body[name] = self.values(schema["properties"][name])[0]
        return 422 if self.said.faults(schema, q.body) else None

    def body_no_object(self, q: Request) -> int | None:
        if not self.content(q.operation):
            return None
        q.raw = self.random.choice([b"[]", b"7", b'"x"', b"null", b"{", b"{}{}", b'{"a": 1,}', b"\xff\xfe", b'{"reason": "\xff"}', b"[" * 3000])
        return 422

    def body_type(self, q: Request) -> int | None:
        if not self.content(q.operation):
            return None
        q.headers["Content-Type"] = self.random.choice(["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "json"])
        return 415

    def body_of_get(self, q: Request) -> int | None:
        if q.method != "GET":
            return None
        q.raw, q.headers["Content-Type"] = b"{}", "application/json"
        return 400

    def method_other(self, q: Request) -> int | None:
        defined = {m for m, path, _ in self.operations if self.said.find(q.path) == path} | {"HEAD"}
        others = sorted({"GET", "POST", "PUT", "PATCH", "DELETE"} - defined)
        q.method = self.random.choice([*others, "FOO"])
        if q.method in others and q.method != "GET":
            q.headers["Content-Type"] = "application/json"
        return 405

    def path_other(self, q: Request) -> int | None:
        q.path = self.random.choice([q.path.rstrip("/") + "/none/none/none", "/v1/none", "/v2/status", "/v1", "/v1/"])
        return 404

    def role_missing(self, q: Request) -> int | None:
        least = q.operation["x-role"]
        if least not in LADDER:
            return None
        q.role = self.random.choice(["", "metrics", *LADDER[:LADDER.index(least)]])
        return 403 if q.role else 401

    # --- asking ---

    def connect(self, role: str | None) -> http.client.HTTPConnection:
        if role not in self.connections:
            self.connections[role] = api_node.UnixConnection(os.path.join(self.node.run, "api.sock")) if role is None else \
                http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60, context=ssl.create_default_context(
                    cafile=os.path.join(self.node.conf, "tls.crt")))
        return self.connections[role]

    def ask(self, q: Request) -> api_node.Answer:
        headers = dict(q.headers)
        if q.role:
            headers["Authorization"] = f"Bearer {ROLES[q.role] * 8}"
        for again in (True, False):  # an idle connection may have been closed
            c = self.connect(q.role)
            try:
                c.request(q.method, q.target, body=q.payload, headers=headers)
                answer = api_node.Answer(c.getresponse())
                if answer.headers.get("Connection") == "close":
                    c.close()
                return answer
            except (http.client.RemoteDisconnected, ConnectionError, ssl.SSLError):
                c.close()
                if not again:
                    raise
        raise AssertionError

    def find(self, q: Request, answer: api_node.Answer, what: str) -> None:
        self.findings.append(f"{what}: {q.method} {q.target} {q.headers} {str(q.payload)[:300]} as {q.role}: {answer.status} {answer.raw[:300]!r}")

    def judge(self, q: Request, answer: api_node.Answer, expected: int | None) -> None:
        faults = self.said.answer_faults(q.method, q.target, answer.status, answer.headers.get("Content-Type"), answer.raw)
        if faults:
            self.find(q, answer, f"not as described ({'; '.join(faults[:3])})")
        if answer.status == 500:
            self.find(q, answer, "500")
        # A form is judged in no fixed order, and after whether there is what is named, and a store; never after a guard.
        by_form = expected in (400, 422) and (answer.status in (400, 404, 422, 428) or answer.code in ("no-store", "no-person"))
        if expected and answer.status != expected and not by_form:
            self.find(q, answer, f"forbidden ({expected})")
        if expected or q.operation["x-role"] == "peer":  # what nodes exchange is any object
            return
        errors = {e["field"]: e["detail"] for e in (answer.json or {}).get("errors", [])} if answer.status == 422 else {}
        wrong = {f for f, d in errors.items() if not d.startswith(BETWEEN_FIELDS)}
        is_unknown_setting = answer.status == 400 and answer.json["detail"].startswith("filter: there is no setting")
        if answer.status in (400, 401, 403, 405, 413, 415, 501) and answer.code not in ("store", "no-person") and not is_unknown_setting or wrong:
            self.find(q, answer, "allowed")

    def make(self, i: int, kind: str, change: typing.Any) -> tuple[Request, int | None]:
        """@return the request, and the status that refuses it; None: it is allowed"""
        q = self.allowed(*self.operations[i])
        if kind in ("parameter", "query_wrong"):
            q.query = [pair for pair in q.query if pair[0] != change[0]] + [change]
        elif kind in ("member", "body_value"):
            q.body[change[0]] = change[1]
        elif kind == "member_less":
            del q.body[change]
        elif kind != "allowed":
            return q, getattr(self, kind)(q)
        if kind != "allowed":  # a key that was used would hide what is asked
            q.headers.pop("Idempotency-Key", None)
        return q, {"query_wrong": 400, "body_value": 422}.get(kind)

    def run(self, n: int) -> None:
        """All cases, again and again with other paths and queries."""
        cases: list[tuple[int, str, typing.Any]] = []
        while sum(self.counts.values()) < n and len(self.findings) < 20:
            cases = cases or self.cases()
            i, kind, change = cases.pop()
            q, expected = self.make(i, kind, change)
            if expected is None and kind in CHANGES:
                continue  # the request has no such part
            self.counts[kind] = self.counts.get(kind, 0) + 1
            self.judge(q, self.ask(q), expected)
            if sum(self.counts.values()) == WARM:
                self.warm_kib = self.memory_kib()

    def memory_kib(self) -> int:
        with open(f"/proc/{self.node.process.pid}/status", encoding="ascii") as f:
            return int(next(line for line in f if line.startswith("VmRSS")).split()[1])


def listens(port: int) -> bool:
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def main() -> None:
    n, seed = counted.read_number("--requests", REQUESTS), counted.read_number("--seed", 1)
    port = api_node.free_port()
    node = api_node.Node(sys.argv[1], text=api_node.config(f"https://127.0.0.1:{port}")).start()
    api_node.wait_for("the API over TLS", lambda: listens(port))
    began = time.monotonic()
    g = Generator(node, port, seed)
    try:
        g.run(n)
        if node.process.poll() is not None:
            g.findings.append(f"weir-mgmt ended: {node.log()[-2000:]}")
        elif g.memory_kib() > g.warm_kib + MEMORY_KIB:
            g.findings.append(f"memory grew from {g.warm_kib} to {g.memory_kib()} KiB")
        if set(g.counts) != {"allowed", "parameter", "member", "member_less", "query_wrong", "body_value", *CHANGES}:
            g.findings.append(f"not each kind was asked: {g.counts}")
    finally:
        node.close()
    print(f"{sum(g.counts.values())} requests of {len(g.cases())} cases in {time.monotonic() - began:.1f} s, seed {seed}: {g.counts}")
    for finding in g.findings:
        print(f"FOUND {finding}")
    counted_n = sum(g.counts.values())
    print(f"{counted_n - len(g.findings)} passed, {len(g.findings)} failed")
    sys.exit(1 if g.findings else 0)


main()
