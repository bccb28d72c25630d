#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What a real weir-mgmt answers, to the letter: the cases of api_shown_*.txt, each file with a node of its own.

Usage: test_api_shown.py CASES WEIR-MGMT [--write]

A case is a block of lines:
  # why
  * health JSON          the page of weir-health: {"POOL/BACKEND" or "SERVICE@SITE/FAMILY": [state, marks, reason, seconds since 1970]}
  * stale-health JSON    the same, of a weir-health that does not write any more
  * stats PROCESS JSON   the page of its counters: [[name, labels, value], ...]
  * ctl PROCESS JSON     what the process answers on its control socket, by the `do` of the request; all else it refuses, with
                         the request as the reason
  * config OLD => NEW    before the node starts (first case only): a change of its weir.conf, \\n for the end of a line
  $ METHOD PATH [HEADER=VALUE ...]     the request
  ~ OLD => NEW           a change of weir.conf in the request's FILES; with `zone: ` before it, of the zone's file
  < JSON                 the request's body; "FILES": the files of the configuration
  = STATUS [HEADER=VALUE ...]          the answer, without the headers that all answers have
  | TEXT                 its body; JSON in lines that are filled
What differs from run to run is a word: NOW and NOW+60m for times, ID1, ID2 ... for ids in the order of their first appearance
(a later request may say them), AGE, GENERATION and so on by the name of the field.
A GET, or what a node asks of another, is asked again until it is as expected, for PATIENCE_S at most: what the observer sees
comes a moment later.
--write puts what was seen in place of the answers; read the difference before you believe it.
"""
from __future__ import annotations

import datetime
import json
import os
import pathlib
import pwd
import re
import shlex
import socketserver
import sys
import threading
import time
import typing
import unittest

WRITE = sys.argv[-1] == "--write" and bool(sys.argv.pop())
CASES = pathlib.Path(sys.argv.pop(1))
PROGRAM = os.path.abspath(sys.argv.pop(1))

import openapi_check  # noqa: E402
from api_node import ZONE, Node  # noqa: E402  the arguments come first
import counted  # noqa: E402

openapi_check.holds = False  # what it shows is compared whole

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "lab"))
import layout  # noqa: E402

WIDTH = 140
PATIENCE_S = 20
READS = ("GET", "POST /v1/peer/exchange")
SETTLED_S = 1.5  # --write: a GET that stays the same so long will not change by itself; above the pace of the observer
CONFIG = """schema = 1;
cluster = { name = "shop"; hash_key_file = "hash.key"; hash_key_id = "k1"; };
sites = ( { name = "ams"; labels = { region = "eu"; }; capacity = { bits = "10Gbit"; }; }, { name = "fra"; weight = 50; } );
nodes = (
  { name = "ams-1"; site = "ams"; ports = ( { interface = "eth1"; } ); tunnel_source = [ "10.1.255.0/24", "fd00:1::/64" ];
    dns_listen = [ "192.0.2.53", "2001:db8::53" ]; clock = "trusted"; },
  { name = "fra-1"; site = "fra"; ports = ( { interface = "eth1"; } ); tunnel_source = [ "10.2.255.0/24", "fd00:2::/64" ];
    dns_listen = [ "198.51.100.53" ]; clock = "trusted"; } );
checks = ( { name = "web"; type = "tcp"; interval = "1s"; fast_interval = "200ms"; timeout = "500ms"; rise = 2; fall = 3; } );
pools = (
  { name = "web-ams"; site = "ams"; check = "web"; mode = "ipip"; max_backends = 10;
    backends = ( { name = "b1"; address = "10.1.1.11"; weight = 100; },
                 { name = "b2"; address = "10.1.1.12"; weight = 50; },
                 { name = "b3"; address = "fd00:1:1::13"; weight = 20; } ); },
  { name = "web-fra"; site = "fra"; check = "web"; mode = "ipip"; max_backends = 10;
    backends = ( { name = "b1"; address = "10.2.1.11"; weight = 100; } ); },
  { name = "mail-ams"; site = "ams"; mode = "l2"; max_backends = 4; idle_time = "5m";
    backends = ( { name = "m1"; address = "10.1.2.11"; } ); } );
vips = ( { name = "shop-ams"; site = "ams"; addresses = [ "203.0.113.10", "2001:db8:a::10" ]; },
         { name = "shop-fra"; site = "fra"; addresses = [ "198.51.100.10", "2001:db8:f::10" ]; },
         { name = "mail-ams"; site = "ams"; addresses = [ "203.0.113.25" ]; } );
services = (
  { name = "web"; protocol = "tcp"; port = 80; hash = "flow";
    at = ( { site = "ams"; vip = "shop-ams"; pool = "web-ams"; },
           { site = "fra"; vip = "shop-fra"; pool = "web-fra"; } ); },
  { name = "mail"; protocol = "udp"; port = 25; hash = "source"; at = ( { site = "ams"; vip = "mail-ams"; pool = "mail-ams"; } ); } );
dns = { zones = ( { name = "shop.example"; file = "shop.example.zone"; } );
  names = ( { name = "www.shop.example"; service = "web"; policy = "weighted"; ttl = { min = "1s"; max = "2s"; }; },
            { name = "mail.shop.example"; service = "mail"; policy = "failover"; } ); };
"""
USER = pwd.getpwuid(os.geteuid()).pw_name
COMMON = {"Date", "Content-Length", "Cache-Control", "X-Content-Type-Options", "Content-Security-Policy"}
# Fields whose values differ from run to run, and what is shown for them.
FIELDS = {"age_ms": "AGE", "boot_ms": "AGE", "uptime_ms": "AGE", "generation": "GENERATION", "prior": "GENERATION", "release": "RELEASE", "off_by_ms": "OFF",
          "moved_ms": "OFF"}
# Metrics whose values differ.
VALUES = re.compile(r"^(weir_\w*(?:seconds\w*|turns_total|bytes\w*|requests_total|document|time)(?:\{.*\})?) [0-9.e+-]+$")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
ID = re.compile(r"\bams-1-[0-9a-z]{9,}\b")
ETAG = re.compile(r"\bo[0-9a-f]*-?\d{8,}\b")


class Case:
    """A block of the file."""

    def __init__(self, block: list[str]) -> None:
        self.comments, self.given, self.changes, self.expected = [], [], [], []
        self.request, self.body = "", ""
        for line in block:
            mark, text = line[0], line[2:]
            if mark == "#":
                self.comments.append(text)
            elif mark == "*":
                self.given.append(text)
            elif mark == "$":
                self.request = text
            elif mark == "~":
                self.changes.append(text)
            elif mark == "<":
                self.body = text
            else:
                self.expected.append(line)

    def text(self) -> list[str]:
        """Its lines, without the answer."""
        lines = [f"# {c}" for c in self.comments] + [f"* {g}" for g in self.given] + [f"$ {self.request}"]
        return lines + [f"~ {c}" for c in self.changes] + ([f"< {self.body}"] if self.body else [])


def read_cases(path: pathlib.Path) -> list[Case]:
    return [Case(block.strip("\n").split("\n")) for block in path.read_text().split("\n\n") if block.strip()]


def exchange(text: str, change: str) -> str:
    old, new = (part.replace("\\n", "\n") for part in change.split(" => "))
    assert old in text, f"not in the file: {old}"
    return text.replace(old, new, 1)


def lay_out(value: typing.Any, before: str = "", behind: str = "") -> list[str]:
    """JSON, in lines that are filled: a thing that does not fit in one has lines of its own."""
    line = before + json.dumps(value, ensure_ascii=False) + behind
    if len(line) <= WIDTH or not isinstance(value, (dict, list)) or not value:
        return [line]
    start = len(before) - len(before.lstrip())
    blanks = " " * (start + 1)
    brackets = "{}" if isinstance(value, dict) else "[]"
    names = [json.dumps(k) + ": " for k in value] if isinstance(value, dict) else [""] * len(value)
    lines, is_open = [before + brackets[0]], False
    for i, item in enumerate(value.values() if isinstance(value, dict) else value):
        parts = lay_out(item, blanks + names[i], "," if i + 1 < len(value) else "")
        if is_open and len(parts) == 1 and len(lines[-1]) + len(parts[0]) - start <= WIDTH:
            lines[-1] += " " + parts[0].lstrip()
        else:
            lines += parts
        is_open = len(parts) == 1
    return lines + [" " * start + brackets[1] + behind]


def made_by_requests(events: dict[str, typing.Any]) -> dict[str, typing.Any]:
    """Events without those of the observer, which come when it looks; so their numbers differ, too."""
    items = [{**e, "id": "ID"} for e in events["items"] if e["kind"] in ("version", "override", "guard", "operation", "drill")]
    return {**events, "items": items, "last": "ID"}


class Process(socketserver.ThreadingUnixStreamServer):
    """Answers on a control socket as the process would."""
    daemon_threads = True

    def __init__(self, path: str, answers: dict[str, typing.Any]) -> None:
        self.answers = answers
        super().__init__(path, Line)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()


class Line(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        for line in self.rfile:
            asked = json.loads(line)
            server = typing.cast(Process, self.server)
            answer = server.answers.get(asked["do"], {"ok": False, "error": line.decode().strip()})
            self.wfile.write(json.dumps(answer).encode() + b"\n")


class World:
    """A node, and what is around it."""

    def __init__(self, cases: list[Case]) -> None:
        self.config = CONFIG
        for change in (g.split(maxsplit=1)[1] for g in cases[0].given if g.startswith("config ")):
            self.config = exchange(self.config, change)
        self.node = Node(PROGRAM, text=self.config)
        self.processes: dict[str, Process] = {}
        for given in cases[0].given:
            if given.startswith("ctl "):  # before the node's first look
                self.give(given)
        self.node.start()
        self.ids: dict[str, str] = {}
        self.moments: dict[float, str] = {}
        self.targets: dict[str, int] = {}
        self.began_s = 0.0

    def close(self) -> None:
        self.node.close()
        for process in self.processes.values():
            process.shutdown()
            process.server_close()

    # --- what other processes say ---

    def give(self, given: str) -> None:
        what, _, rest = given.partition(" ")
        if what in ("health", "stale-health"):
            self.write_health(json.loads(rest), what == "health")
        elif what == "stats":
            process, _, rows = rest.partition(" ")
            self.write_stats(process, json.loads(rows))
        elif what == "ctl":
            process, _, answers = rest.partition(" ")
            if process in self.processes:
                self.processes[process].answers = json.loads(answers)
            else:
                path = os.path.join(self.node.run, process + ".ctl")
                self.processes[process] = Process(path, json.loads(answers))
        else:
            assert what == "config", given

    def write_page(self, name: str, kind: str, number: int, payload: bytes, fresh: bool = True) -> None:
        head = layout.page_header(os.path.join(self.node.run, "stats.mgmt.page"))
        now_ms = int(time.clock_gettime(time.CLOCK_MONOTONIC) * 1000)
        head.kind, head.layout, head.size_bytes, head.writer_pid = kind.encode(), number, len(payload), os.getpid()
        head.alive_ms = now_ms + 3600000 if fresh else now_ms - 60000  # a page of the future is never old: no test waits so long
        path = os.path.join(self.node.run, name)
        pathlib.Path(path + ".new").write_bytes(bytes(head) + payload)
        os.rename(path + ".new", path)

    def write_health(self, words: dict[str, list[int]], fresh: bool) -> None:
        page = layout.read("struct health_page")()
        page.generation, page.n_entries, page.document = 2, len(words), 1
        for name, (state, marks, reason, since_s) in words.items():
            at = self.target(name) % len(page.entries)
            while page.entries[at].target:
                at = (at + 1) % len(page.entries)
            page.entries[at].target = self.target(name)
            page.entries[at].word = state | marks << 2 | reason << 8 | since_s << 32
        self.write_page("health.page", "health", layout.constant("HEALTH_PAGE_LAYOUT"), bytes(page), fresh)

    def target(self, name: str) -> int:
        if not self.targets:
            for item in self.node.ask("GET", "/v1/health?limit=1000").json["items"]:
                key = f"{item['pool']}/{item['backend']}" if "pool" in item else f"{item['service']}@{item['site']}/{item['family']}"
                self.targets[key] = int(item["target"], 16)
        return self.targets[name]

    def write_stats(self, process: str, rows: list[typing.Any]) -> None:
        own = os.path.join(self.node.run, "conditions.mgmt.page")
        head = layout.page_header(own)
        self.write_page(f"conditions.{process}.page", head.kind.decode(), head.layout, bytes(os.path.getsize(own) - len(bytes(head))))
        head = layout.page_header(os.path.join(self.node.run, "stats.mgmt.page"))
        self.write_page(f"stats.{process}.page", head.kind.decode(), head.layout, layout.stats_payload(rows))

    # --- requests ---

    def ask(self, case: Case) -> list[str]:
        method, path, *headers = shlex.split(self.meant(case.request))
        files = {"weir.conf": self.config, "shop.example.zone": ZONE}
        for change in case.changes:
            name = "shop.example.zone" if change.startswith("zone: ") else "weir.conf"
            files[name] = exchange(files[name], change.removeprefix("zone: "))
        raw = self.meant(case.body).replace('"FILES"', json.dumps(files)) or None
        self.began_s = time.time()
        answer = self.node.ask(method, path, None, dict(h.split("=", 1) for h in headers), raw)
        shown = [f"{k}={'SECONDS' if k == 'Retry-After' else self.shown(v)}" for k, v in answer.headers.items()
                 if k not in COMMON and (k, v) != ("Content-Type", "application/json")]
        lines = [" ".join([f"= {answer.status}", *shown])]
        if answer.json is None:
            shown = [VALUES.sub(r"\1 VALUE", self.shown(line)) for line in answer.raw.decode().splitlines()]
            reasons = sorted(line for line in shown if line.startswith("weir_status_reasons{"))  # in the order of their beginning
            shown = [reasons.pop(0) if line.startswith("weir_status_reasons{") else line for line in shown]
            return lines + [f"| {line}".rstrip() for line in shown]
        if path.startswith("/v1/events") and answer.status == 200:
            answer.json = made_by_requests(answer.json)
        return lines + [f"| {line}" for line in lay_out(self.masked(answer.json))]

    def meant(self, text: str) -> str:
        """A request, with the ids that its words stand for."""
        for real, word in self.ids.items():
            text = re.sub(rf"\b{word}\b", real, text)
        return text

    def masked(self, value: typing.Any, field: str = "") -> typing.Any:
        if isinstance(value, dict):
            return {k: self.masked(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [self.masked(v, field) for v in value]
        if field == "document" and isinstance(value, int) and value > 1:
            return "DOCUMENT"  # it counts what the node does by itself, too
        if field in ("level_ppm", "from_ppm") and isinstance(value, int):
            return 0 if value < 50000 else value  # a ramp that has just begun; one takes half an hour at least
        if field.startswith("weight_ppm_") and isinstance(value, int):
            return round(value, -4)
        if field in FIELDS and value is not None:
            return FIELDS[field]
        if field == "author" and value == USER:
            return "USER"
        if field.endswith("_ms") and isinstance(value, int) and 10**12 < value < 10**15:
            return self.moment(value / 1000)
        return self.shown(value) if isinstance(value, str) else value

    def shown(self, text: str) -> str:
        text = TIME.sub(lambda m: self.moment(datetime.datetime.fromisoformat(m[0].replace("Z", "+00:00")).timestamp(), m[0]), text)
        text = ETAG.sub("GENERATION", text)
        text = re.sub(r"reaches 0\.[23] %", "reaches 0.2 %", text)  # from where a ramp was that had just begun
        text = text.replace(f"user:{USER}", "user:USER").replace(f"by {USER} (", "by USER (")
        return ID.sub(lambda m: self.ids.setdefault(m[0], f"ID{len(self.ids) + 1}"), text)

    def moment(self, time_s: float, text: str = "") -> str:
        """NOW, NOW+60m, the same word whenever it is shown; times of other days are written in the case, and stay."""
        minutes = round((time_s - self.began_s) / 60)
        if minutes < -3 * 24 * 60:
            return text or str(time_s)
        return self.moments.setdefault(time_s, f"NOW+{minutes}m" if minutes > 0 else "NOW")

    def expect(self, case: Case, until_s: float) -> list[str]:
        seen = self.ask(case)
        while case.request.startswith(READS) and seen != case.expected and time.monotonic() < until_s:
            time.sleep(0.05)  # the pace of the wait for the observer
            seen = self.ask(case)
        return seen

    def settle(self, case: Case) -> list[str]:
        """--write: an answer that has stayed the same."""
        seen, since_s = self.ask(case), time.monotonic()
        end_s = since_s + 10
        while case.request.startswith(READS) and seen[0] < "= 4" and time.monotonic() < end_s and time.monotonic() < since_s + SETTLED_S:
            time.sleep(0.1)  # the pace of the wait for the observer
            again = self.ask(case)
            if again != seen:
                seen, since_s = again, time.monotonic()
        return seen


class Shown(unittest.TestCase):
    maxDiff = None

    def test_each_request_is_answered_to_the_letter(self) -> None:
        cases = read_cases(CASES)
        world = World(cases)
        until_s = time.monotonic() + PATIENCE_S
        try:
            for case in cases:
                for given in case.given:
                    world.give(given)
                with self.subTest(" ".join(case.comments), request=case.request):
                    self.assertEqual(case.expected, world.expect(case, until_s))
        finally:
            world.close()


def write_down() -> None:
    cases = read_cases(CASES)
    world = World(cases)
    blocks = []
    for case in cases:
        for given in case.given:
            world.give(given)
        blocks.append("\n".join(case.text() + world.settle(case)))
    CASES.write_text("\n\n".join(blocks) + "\n")
    world.close()


if __name__ == "__main__":
    if WRITE:
        write_down()
    else:
        counted.main()
