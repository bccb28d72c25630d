# SPDX-License-Identifier: BSD-2-Clause
"""Requests that the management API refuses, for test_api.py."""
from __future__ import annotations

import typing

# Why, method, path, body or bytes, headers, status, code.
BadRequest = tuple[str, str, str, typing.Any, dict[str, str], int, str]


def bad_questions() -> list[BadRequest]:
    """Questions about processes, packets and answers; no process but weir-mgmt runs."""
    return [
        ("ask the dead", "GET", "/v1/dns", None, {}, 503, "process-unreachable"),
        ("trace nothing", "GET", "/v1/trace", None, {}, 400, "bad-request"),
        ("trace between families", "GET", "/v1/trace?source=192.0.2.1:7&destination=[2001:db8::1]:80/tcp", None, {}, 400, "bad-request"),
        ("trace too short a packet", "GET", "/v1/trace?source=192.0.2.1:7&destination=192.0.2.2:80/tcp&length=39", None, {}, 400, "bad-request"),
        ("trace by the dead", "GET", "/v1/trace?source=192.0.2.1:7&destination=192.0.2.2:80/tcp", None, {}, 503, "process-unreachable"),
        ("backends of no pool", "GET", "/v1/dataplane/backends?pool=none", None, {}, 404, "not-found"),
        ("targets of no pool", "GET", "/v1/health/targets?pool=none", None, {}, 404, "not-found"),
        ("check nothing", "POST", "/v1/health/check", {}, {}, 422, "invalid"),
        ("check half a target", "POST", "/v1/health/check", {"pool": "web-ams", "site": "ams"}, {}, 422, "invalid"),
        ("check by the dead", "POST", "/v1/health/check", {"service": "web", "site": "fra"}, {}, 503, "process-unreachable"),
        ("explain nothing", "GET", "/v1/dns/explain", None, {}, 400, "bad-request"),
        ("explain to nobody", "GET", "/v1/dns/explain?name=shop.test&client=me", None, {}, 400, "bad-request"),
        ("explain no time", "GET", "/v1/dns/explain?name=shop.test&at=noon", None, {}, 400, "bad-request"),
        ("explain no type", "GET", "/v1/dns/explain?name=shop.test&type=NONE", None, {}, 422, "invalid"),
        ("explain over half TCP", "GET", "/v1/dns/explain?name=shop.test&tcp=half", None, {}, 400, "bad-request"),
    ]


def bad_requests(files: dict[str, str]) -> list[BadRequest]:
    """What is refused: why, method, path, body or bytes, headers, status, code."""
    drain: dict[str, typing.Any] = {"do": "drain", "target": {"site": "ams"}, "until": "never", "reason": "x"}
    return [
        ("no such path", "GET", "/v2/status", None, {}, 404, "not-found"),
        ("a path with an end too many", "GET", "/v1/status/", None, {}, 404, "not-found"),
        ("a path that is too long", "GET", "/v1/" + "x" * 600, None, {}, 400, "bad-request"),
        ("an escaped slash", "GET", "/v1/versions%2F1", None, {}, 404, "not-found"),
        ("another method", "DELETE", "/v1/overrides", None, {}, 405, "method-not-allowed"),
        ("unknown query", "GET", "/v1/status?x=1", None, {}, 400, "bad-request"),
        ("query without a name", "POST", "/v1/overrides?=1", drain, {}, 400, "bad-request"),
        ("query given twice", "GET", "/v1/events?since=1&since=2", None, {}, 400, "bad-request"),
        ("limit of nothing", "GET", "/v1/events?limit=0", None, {}, 400, "bad-request"),
        ("limit that is none", "GET", "/v1/events?limit=ten", None, {}, 400, "bad-request"),
        ("number beyond all bounds", "GET", "/v1/events?since=99999999999999999999", None, {}, 400, "bad-request"),
        ("no pool", "GET", "/v1/status?pool=none", None, {}, 404, "not-found"),
        ("version zero", "GET", "/v1/versions/0", None, {}, 404, "not-found"),
        ("version by name", "GET", "/v1/versions/first", None, {}, 404, "not-found"),
        ("a version that is not", "GET", "/v1/versions/99", None, {}, 404, "not-found"),
        ("not JSON", "POST", "/v1/overrides", b"{", {}, 422, "invalid"),
        ("an array", "POST", "/v1/overrides", b"[]", {}, 422, "invalid"),
        ("a number", "POST", "/v1/overrides", b"1", {}, 422, "invalid"),
        ("not UTF-8", "POST", "/v1/overrides", b'{"do":"\xff"}', {}, 422, "invalid"),
        ("nested without end", "POST", "/v1/overrides", b"[" * 100000, {}, 422, "invalid"),
        ("a field twice", "POST", "/v1/overrides", b'{"do":"drain","do":"drain"}', {}, 422, "invalid"),
        ("bytes after the end", "POST", "/v1/overrides", b"{} {}", {}, 422, "invalid"),
        ("another type", "POST", "/v1/overrides", b"{}", {"Content-Type": "text/plain"}, 415, "not-json"),
        ("too large", "POST", "/v1/overrides", b" " * (33 << 20), {}, 413, "too-large"),
        ("nothing", "POST", "/v1/overrides", {}, {}, 422, "invalid"),
        ("unknown field", "POST", "/v1/overrides", {**drain, "reson": "x"}, {}, 422, "invalid"),
        ("unknown word", "POST", "/v1/overrides", {**drain, "do": "explode"}, {}, 422, "invalid"),
        ("wrong type", "POST", "/v1/overrides", {**drain, "now": "yes"}, {}, 422, "invalid"),
        ("two targets", "POST", "/v1/overrides", {**drain, "target": {"site": "ams", "pool": "p"}}, {}, 422, "invalid"),
        ("target and id", "POST", "/v1/overrides", {**drain, "id": "x"}, {}, 422, "invalid"),
        ("no until", "POST", "/v1/overrides", {"do": "drain", "target": {"site": "ams"}}, {}, 422, "invalid"),
        ("until in the past", "POST", "/v1/overrides", {**drain, "until": "2020-01-01T00:00:00Z"}, {}, 422, "invalid"),
        ("until in words", "POST", "/v1/overrides", {**drain, "until": "tomorrow"}, {}, 422, "invalid"),
        ("over without unit", "POST", "/v1/overrides", {**drain, "over": "5"}, {}, 422, "invalid"),
        ("a newline in the reason", "POST", "/v1/overrides", {**drain, "reason": "a\nb"}, {}, 422, "invalid"),
        ("a long reason", "POST", "/v1/overrides", {**drain, "reason": "x" * 256}, {}, 422, "invalid"),
        ("no such guard", "POST", "/v1/overrides", {**drain, "override_guards": ["all"], "reason": "x"}, {}, 422, "invalid"),
        ("no reason", "POST", "/v1/overrides", {k: v for k, v in drain.items() if k != "reason"}, {}, 422, "invalid"),
        ("a blank reason", "POST", "/v1/overrides", {**drain, "reason": "  "}, {}, 422, "invalid"),
        ("undrain without reason", "POST", "/v1/overrides", {"do": "undrain", "target": {"site": "ams"}}, {}, 422, "invalid"),
        ("confirm without reason", "POST", "/v1/versions/1/confirm", {}, {}, 422, "invalid"),
        ("ended that is no boolean", "GET", "/v1/overrides?ended=maybe", None, {}, 400, "bad-request"),
        ("undrain a site that is not", "POST", "/v1/overrides", {"do": "undrain", "target": {"site": "lon"}, "reason": "x"}, {},
         404, "not-found"),
        ("no such site", "POST", "/v1/overrides", {**drain, "target": {"site": "lon"}}, {}, 404, "not-found"),
        ("no such pool", "POST", "/v1/overrides", {**drain, "target": {"pool": "p", "backend": "b"}}, {}, 404, "not-found"),
        ("force up a site", "POST", "/v1/overrides", {**drain, "do": "force_up"}, {}, 422, "invalid"),
        ("hold nothing", "POST", "/v1/overrides", {"do": "hold", "target": {"site": "ams"}, "reason": "x"}, {}, 409, "nothing-to-end"),
        ("no such override", "GET", "/v1/overrides/x", None, {}, 404, "not-found"),
        ("bad wait", "POST", "/v1/overrides?wait=some", drain, {}, 400, "bad-request"),
        ("bad dry_run", "POST", "/v1/overrides?dry_run=yes", drain, {}, 400, "bad-request"),
        ("no If-Match", "POST", "/v1/config/apply", {"files": files, "reason": "x"}, {}, 428, "if-match-required"),
        ("stale If-Match", "POST", "/v1/config/apply", {"files": files, "reason": "x"},
         {"If-Match": '"v9-0123456789abcdef"'}, 412, "stale"),
        ("no reason", "POST", "/v1/config/apply", {"files": files}, {"If-Match": "*"}, 422, "invalid"),
        ("no weir.conf", "POST", "/v1/config/apply", {"files": {"a": "b"}, "reason": "x"}, {"If-Match": "*"}, 422, "invalid"),
        ("a weir.conf of 17 MiB", "POST", "/v1/config/check", {"files": {**files, "weir.conf": "#" * (17 << 20)}}, {}, 422, "mistakes"),
        ("a file above", "POST", "/v1/config/check", {"files": {**files, "../x": "y"}}, {}, 422, "invalid"),
        ("an absolute file", "POST", "/v1/config/check", {"files": {**files, "/etc/x": "y"}}, {}, 422, "invalid"),
        ("a hidden file", "POST", "/v1/config/check", {"files": {**files, "d/.x": "y"}}, {}, 422, "invalid"),
        ("a file that is a number", "POST", "/v1/config/check", {"files": {**files, "x": 1}}, {}, 422, "invalid"),
        ("bad base64", "POST", "/v1/config/check", {"files": {**files, "x": {"base64": "!"}}}, {}, 422, "invalid"),
        ("32,769 files", "POST", "/v1/config/check", {"files": {**files, **{f"f{i}": "" for i in range(32767)}}}, {}, 422, "invalid"),
        ("a file that was not uploaded", "POST", "/v1/config/check", {"files": {**files, "x": {"digest": "a" * 64, "bytes": 3}}}, {}, 422,
         "invalid"),
        ("a part with other bytes", "POST", "/v1/files", {"parts": [{"digest": "a" * 64, "bytes": 3, "offset": 0, "data": "eHh4"}]}, {}, 422, "digest"),
        ("confirm within a year", "POST", "/v1/config/apply", {"files": files, "reason": "x", "confirm_within": "365d"},
         {"If-Match": "*"}, 422, "invalid"),
        ("force what is no digest", "POST", "/v1/config/apply", {"files": files, "reason": "x", "force": ["it"]},
         {"If-Match": "*"}, 422, "invalid"),
        ("confirm what does not wait", "POST", "/v1/versions/1/confirm", {"reason": "x"}, {}, 409, "not-pending"),
        ("roll back to nothing", "POST", "/v1/versions/7/rollback", {"reason": "x"}, {"If-Match": "*"}, 404, "not-found"),
        *bad_questions(),
    ]
