#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What weir-mgmt says of its node's state, with pages as other processes write them: test_status.py WEIR-MGMT."""
import os
import struct
import subprocess
import sys
import time
import unittest

from api_node import Node, wait_for

PROGRAM = os.path.abspath(sys.argv.pop(1))


class Status(unittest.TestCase):
    def setUp(self):
        self.node = Node(PROGRAM).start()

    def tearDown(self):
        self.node.close()

    def test_the_state_is_the_same_in_status_events_and_metrics(self):
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
        told = [e for e in events if e["kind"] == "condition" and e["message"].startswith("peer-never-heard is so: ")]
        self.assertEqual([e["subject"] for e in told], ["fra-1"])

    def metrics(self):
        return self.node.ask("GET", "/metrics").raw.decode()

    def test_a_process_that_was_killed_is_silent_at_once(self):
        with open(os.path.join(self.node.run, "stats.mgmt.page"), "rb") as f:
            page = bytearray(f.read())
        gone = subprocess.Popen(["true"])
        gone.wait()
        struct.pack_into("Q", page, 40, gone.pid)  # writer_pid: base/page.h
        struct.pack_into("Q", page, 48, int(time.clock_gettime(time.CLOCK_MONOTONIC) * 1000) + 60000)
        with open(os.path.join(self.node.run, "stats.dns.page"), "wb") as f:
            f.write(page)
        states = {p["process"]: p["state"] for p in self.node.ask("GET", "/v1/status").json["processes"]}
        self.assertEqual((states["dns"], states["mgmt"]), ("silent", "running"))

    def test_what_a_dataplane_says_of_itself_is_told(self):
        with open(os.path.join(self.node.run, "stats.mgmt.page"), "rb") as f:
            page = f.read()
        at = page.index(b"weir_mgmt_")
        totals = b"".join(struct.pack("64s224xIIQ", b"weir_dataplane_" + name, 1, 1, 1)  # weir/stats.h
                          for name in (b"learning", b"document", b"dpdk"))
        with open(os.path.join(self.node.run, "stats.dataplane.page"), "wb") as f:
            f.write(page[:at] + totals + page[at + len(totals):])
        status = self.node.ask("GET", "/v1/status").json
        self.assertIn("waits for a peer's connection state", " ".join(status["why"]))
        reasons = {r["code"]: r for r in status["reasons"]}
        self.assertEqual((reasons["no-port"]["state"], status["state"]), ("down", "down"))
        self.assertEqual([r["text"] for r in status["reasons"]], status["why"])
        self.assertEqual([p.get("driver") for p in status["processes"]], ["dpdk", None, None, None])

    def test_a_drain_that_goes_on_is_not_called_held(self):
        for what, more in (("drain", {"until": "never", "over": "10m", "now": True, "reason": "x"}), ("hold", {"reason": "x"}),
                           ("drain", {"until": "never", "over": "10m", "now": True, "reason": "on"})):
            answer = self.node.command(what, {"site": "ams"}, **more)
            self.assertIn(answer.status, (200, 201, 202), answer.raw)
        events = self.node.ask("GET", "/v1/events?limit=100").json["items"]
        said = [e["message"] for e in events if e["kind"] == "override" and e["message"].startswith("drain of site ams")]
        self.assertNotIn("held", said[-1])
        self.assertIn(": on", said[-1])

    def test_a_guard_that_cannot_tell_says_so(self):
        answer = self.node.command("drain", {"site": "ams"}, "?dry_run=true", until="never", reason="x").json
        room = {g["guard"]: g for g in answer["guards"]}["room"]
        self.assertEqual((room["ok"], room["state"]), (True, "unknown"))

    def test_what_was_never_seen_is_not_since_1970(self):
        for item in self.node.ask("GET", "/v1/health").json["items"]:
            self.assertIsNone(item["observation"]["since"])


if __name__ == "__main__":
    result = unittest.main(exit=False, verbosity=2).result
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed} passed, {failed} failed")
    sys.exit(bool(failed))
