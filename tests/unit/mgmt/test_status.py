#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What weir-mgmt says of its node's state, with pages as other processes write them: test_status.py WEIR-MGMT."""
from __future__ import annotations

import os
import subprocess
import sys
import time
import typing
import unittest

from api_node import ZONE, Node, config, wait_for
import counted
from metrics_lint import lint, values

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "lab"))
import layout  # noqa: E402

PROGRAM = os.path.abspath(sys.argv.pop(1))


class Status(unittest.TestCase):
    def setUp(self) -> None:
        self.node = Node(PROGRAM).start()

    def tearDown(self) -> None:
        self.node.close()

    def test_the_state_is_the_same_in_status_events_and_metrics(self) -> None:
        wait_for("the observer has judged", lambda: "weir_status{" in self.metrics())
        status = self.node.ask("GET", "/v1/status?pool=web-ams").json
        self.assertEqual(status["state"], "degraded")
        codes = [r["code"] for r in status["reasons"]]
        self.assertIn("process-silent", codes)
        self.assertIn("peer-never-heard", codes)
        self.assertTrue(all(r["since"] for r in status["reasons"]))
        self.assertRegex(self.metrics(), r'weir_status\{process="mgmt"\} 1\n')
        silent = codes.count("process-silent")
        self.assertIn(f'weir_status_reasons{{process="mgmt",code="process-silent"}} {silent}\n', self.metrics())
        events = self.node.ask("GET", "/v1/events?limit=1000").json["items"]
        said = [e["message"] for e in events if e["kind"] == "status"]
        self.assertRegex(said[-1], "^degraded, was unknown: ")
        began = [e for e in events if e["kind"] == "condition" and e["message"].startswith("peer-never-heard began: ")]
        self.assertEqual([e["subject"] for e in began], ["fra-1"])

    def metrics(self) -> str:
        return self.node.ask("GET", "/metrics").raw.decode()

    def test_a_process_that_was_killed_is_silent_at_once(self) -> None:
        with open(os.path.join(self.node.run, "stats.mgmt.page"), "rb") as f:
            page = bytearray(f.read())
        gone = subprocess.Popen(["true"])
        gone.wait()
        header = layout.read("struct page_header").from_buffer(page)
        header.writer_pid, header.alive_ms = gone.pid, int(time.clock_gettime(time.CLOCK_MONOTONIC) * 1000) + 60000
        with open(os.path.join(self.node.run, "stats.dns.page"), "wb") as f:
            f.write(page)
        states = {p["process"]: p["state"] for p in self.node.ask("GET", "/v1/status").json["processes"]}
        self.assertEqual((states["dns"], states["mgmt"]), ("silent", "running"))

    def test_what_a_dataplane_says_of_itself_is_told(self) -> None:
        self.write_page("dataplane", [("weir_dataplane_" + name, "", 1) for name in ("learning", "document", "dpdk")])
        status = self.node.ask("GET", "/v1/status").json
        self.assertIn("waits for a peer's connection state", " ".join(status["why"]))
        reasons = {r["code"]: r for r in status["reasons"]}
        self.assertEqual((reasons["no-port"]["state"], status["state"]), ("down", "down"))
        self.assertEqual([r["text"] for r in status["reasons"]], status["why"])
        self.assertEqual([p.get("driver") for p in status["processes"]], ["dpdk", None, None, None])

    def test_a_drain_that_goes_on_is_not_called_held(self) -> None:
        drain: dict[str, typing.Any] = {"until": "never", "over": "10m", "now": True}
        hold: dict[str, typing.Any] = {"reason": "x"}
        for what, more in (("drain", {**drain, "reason": "x"}), ("hold", hold), ("drain", {**drain, "reason": "on"})):
            answer = self.node.command(what, {"site": "ams"}, **more)
            self.assertIn(answer.status, (200, 201, 202), answer.raw)
        events = self.node.ask("GET", "/v1/events?limit=100").json["items"]
        said = [e["message"] for e in events if e["kind"] == "override" and e["message"].startswith("drain of site ams")]
        self.assertNotIn("held", said[-1])
        self.assertIn(": on", said[-1])

    def test_a_guard_that_cannot_tell_says_so(self) -> None:
        answer = self.node.command("drain", {"site": "ams"}, "?dry_run=true", until="never", reason="x").json
        room = {g["guard"]: g for g in answer["guards"]}["room"]
        self.assertEqual((room["ok"], room["state"]), (True, "unknown"))

    def test_what_was_never_seen_is_not_since_1970(self) -> None:
        for item in self.node.ask("GET", "/v1/health").json["items"]:
            self.assertIsNone(item["observation"]["since"])

    def write_page(self, process: str, entries: list[tuple[str, str, int]], pid: int = None, age_s: int = 0) -> None:
        """A stats page as a process would write it (base/page.h, weir/stats.h)."""
        now_ms = int((time.clock_gettime(time.CLOCK_MONOTONIC) - age_s) * 1000)
        body = layout.stats_payload(entries)
        head = layout.page_header(os.path.join(self.node.run, "stats.mgmt.page"))  # its magic, kind and layout
        head.size_bytes, head.writer_pid, head.alive_ms = len(body), pid or os.getpid(), now_ms
        with open(os.path.join(self.node.run, f"stats.{process}.page"), "wb") as f:
            f.write(bytes(head) + body)

    def test_metrics_follow_the_conventions(self) -> None:
        times = [("weir_health_probe_duration_seconds_bucket", 'le="0.001"', 2), ("weir_health_probe_duration_seconds_bucket", 'le="+Inf"', 3),
                 ("weir_health_probe_duration_seconds_sum", "", 1500), ("weir_health_probe_duration_seconds_count", "", 3)]
        self.write_page("health", [("weir_health_lateness_ms_total", "", 2500), *times])
        text = self.metrics()
        self.assertEqual(lint(text), [])
        seen = values(text)
        self.assertEqual(seen[("weir_health_lateness_seconds_total", 'process="health"')], 2.5)
        self.assertEqual(seen[("weir_health_probe_duration_seconds_sum", 'process="health"')], 1.5)
        self.assertIn("# TYPE weir_health_probe_duration_seconds histogram\n", text)
        self.assertEqual([v for (n, labels), v in seen.items() if n == "weir_build_info" and 'process="mgmt"' in labels], [1])
        self.assertEqual(sum(v for (n, labels), v in seen.items() if n == "weir_backend_check_state" and 'state="unknown"' in labels), 2)
        self.assertNotIn("weir_health_lateness_ms_total", text)

    def test_the_metrics_of_a_dead_process_are_absent(self) -> None:
        self.write_page("dns", [("weir_dns_queries_total", "", 7)])
        seen = values(self.metrics())
        self.assertEqual((seen[("weir_dns_queries_total", 'process="dns"')], seen[("weir_process_up", 'process="dns"')]), (7, 1))
        self.write_page("dns", [("weir_dns_queries_total", "", 7)], age_s=5)
        seen = values(self.metrics())
        self.assertNotIn(("weir_dns_queries_total", 'process="dns"'), seen)
        self.assertEqual(seen[("weir_process_up", 'process="dns"')], 0)
        self.assertGreater(seen[("weir_process_age_seconds", 'process="dns"')], 4)


class Refused(unittest.TestCase):
    def test_a_first_file_with_an_error_is_named(self) -> None:
        node = Node(PROGRAM, text=config().replace('timeout = "500ms"', 'timeout = "5s"')).start()
        try:
            def reason() -> typing.Any:
                reasons = node.ask("GET", "/v1/status").json["reasons"]
                return next((r for r in reasons if r["code"] == "file-refused"), None)
            said = wait_for("the refusal", reason, 20)
            self.assertRegex(said["text"], r"line \d+: checks\[0\]\.timeout: 5000ms is more than twice the interval .*weir config check")
            files = {"weir.conf": config(), "shop.example.zone": ZONE}
            answer = node.ask("POST", "/v1/config/apply", {"files": files, "reason": "mended"}, {"If-Match": "*"})
            self.assertEqual(answer.status, 201, answer.raw)
            wait_for("it is over", lambda: not reason(), 20)
        finally:
            node.close()


if __name__ == "__main__":
    counted.main()
