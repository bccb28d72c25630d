#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Steps of the wall clock, as weir-mgmt and weir-dns see it: real processes, whose clock_gettime() is preloaded.

Usage: test_clock.py WEIR_MGMT WEIR_DNS WEIR STEPPED_LIBRARY
"""
from __future__ import annotations

import datetime
import os
import signal
import subprocess
import sys
import time
import typing
import unittest

import counted
from api_node import PRELOAD_FIRST, Node, config, free_port, wait_for

MGMT, DNS, WEIR, STEPPED = (sys.argv.pop(1) for _ in range(4))
HOUR = 3600
STEPS = {"+1 h": HOUR, "+2 h": 2 * HOUR, "-2 h": -2 * HOUR, "+12 years": 12 * 365 * 24 * HOUR}
B1, B2 = ({"pool": "web-ams", "backend": b} for b in ("b1", "b2"))
SEEN_S = 2  # four ticks of weir-mgmt and some of weir-dns, on a busy machine


def seconds(text: str) -> float:
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Clocked:
    """A node with weir-mgmt and weir-dns; their wall clock is `step` seconds off the machine's."""

    def __init__(self, trusted: bool = False, synchronised: bool = True, **more: typing.Any) -> None:
        text = config(**more).replace('dns_listen = [ "192.0.2.53" ]', 'dns_listen = [ "127.0.0.1" ]')
        text = text.replace('{ name = "b2"; address = "10.1.1.12"; weight = 100; }',
                            '{ name = "b2"; address = "10.1.1.12"; weight = 100; },\n'
                            '{ name = "b3"; address = "10.1.1.13"; weight = 100; }')
        if trusted:
            text = text.replace('name = "ams-1";', 'name = "ams-1"; clock = "trusted";')
        self.node = Node(MGMT, text=text)
        self.file = os.path.join(self.node.dir.name, "step")
        self.dns: subprocess.Popen[bytes] | None = None
        self.set(0, synchronised)

    def set(self, step_s: int, synchronised: bool) -> None:
        with open(self.file + ".new", "w") as f:
            f.write(f"{step_s * 1000} {int(synchronised)}\n")
        os.rename(self.file + ".new", self.file)
        self.step_s = step_s

    def __enter__(self) -> Clocked:
        try:
            self.preloaded(self.node.start)
            self.start_dns()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_dns()
        self.node.close()

    def preloaded(self, start: typing.Callable[..., typing.Any]) -> None:
        os.environ.update(LD_PRELOAD=STEPPED, STEPPED_CLOCK=self.file, **PRELOAD_FIRST)
        try:
            start()
        finally:
            for name in ("LD_PRELOAD", "STEPPED_CLOCK", *PRELOAD_FIRST):
                del os.environ[name]

    def start_dns(self) -> None:
        n = self.node

        def start() -> None:
            with open(os.path.join(n.dir.name, "dns.log"), "a") as log:
                self.dns = subprocess.Popen(
                    [DNS, "--port", str(free_port()), "--conf-dir", n.conf, "--state-dir", n.state, "--run-dir", n.run,
                     "--bpf-dir", n.dir.name, "--node", n.name], stdout=log, stderr=log)
        self.preloaded(start)
        wait_for("weir-dns", lambda: self.dns_says("clock"), 30)

    def stop_dns(self) -> None:
        if self.dns:
            self.dns.terminate()
            self.dns.wait(60)
            self.dns = None

    def restart(self, how: signal.Signals = signal.SIGTERM) -> None:
        self.node.stop(how)
        self.preloaded(self.node.start)

    def dns_says(self, field: str) -> typing.Any:
        return self.node.ask("GET", "/v1/dns").json.get(field)

    def clock(self) -> typing.Any:
        return self.node.ask("GET", "/v1/clock").json

    def ahead_s(self) -> float:
        """How far the believed time is ahead of the machine's."""
        return seconds(self.clock()["believed"]) - time.time()

    def state(self, id: typing.Any) -> typing.Any:
        return self.node.ask("GET", f"/v1/overrides/{id}").json["state"]

    def level(self, id: typing.Any) -> typing.Any:
        return self.node.ask("GET", f"/v1/overrides/{id}").json["level_ppm"] / 1e6

    def make(self, what: str, target: dict[str, str], **more: typing.Any) -> typing.Any:
        words: dict[str, typing.Any] = {"until": "+30m", "reason": "a test", **more}
        r = self.node.command(what, target, **words)
        assert r.status in (201, 202), r.raw
        return r.json["override"]["id"]

    def events(self) -> list[typing.Any]:
        return [e["message"] for e in self.node.ask("GET", "/v1/events?since=0&limit=1000").json["items"]]


class Steps(unittest.TestCase):
    maxDiff = None

    def test_no_step_ends_or_takes_back_what_runs(self) -> None:
        with Clocked() as c:
            site = c.make("drain", {"site": "fra"}, now=True, over="20m")
            backend = c.make("drain", B1, over="20m")
            later = c.make("drain", B2, **{"from": "+29m"})
            wait_for("the drains run", lambda: (c.state(site), c.state(backend)) == ("ramping", "ramping"))
            wait_for("the ramp is seen", lambda: c.level(site) > 0)
            for name, step_s in STEPS.items():
                with self.subTest(name):
                    before, at = c.level(site), time.monotonic()
                    c.set(step_s, False)
                    wait_for("the step is seen", lambda: c.clock()["state"] == "stepped")
                    time.sleep(SEEN_S)  # the level must not follow the clock for this long
                    self.assertAlmostEqual(c.ahead_s(), 0, delta=1.5)
                    self.assertAlmostEqual(c.clock()["off_by_ms"] / 1000, step_s, delta=1.5)
                    self.assertEqual([c.state(i) for i in (site, backend, later)], ["ramping", "ramping", "scheduled"])
                    # the ramp goes on by elapsed time: 20 min for all
                    wait_for("the ramp goes on", lambda: c.level(site) > before)
                    self.assertLess(c.level(site), before + (time.monotonic() - at + 2) / 1200)
                    self.assertFalse(c.dns_says("clock_held"))
                    c.set(0, False)
                    wait_for("it is good again", lambda: c.clock()["state"] == "good")
            self.assertTrue(any("stepped" in m for m in c.events()))

    def test_no_step_ends_or_prolongs_an_unconfirmed_version(self) -> None:
        for trusted in (True, False):  # believed at once, or not
            with self.subTest(trusted=trusted), Clocked(trusted=trusted) as c:
                def head(c: typing.Any = c) -> typing.Any:
                    return c.node.ask("GET", "/v1/config").json["number"]
                start = time.monotonic()
                half = c.node.files('{ name = "b1"; address = "10.1.1.11"; weight = 100; },', "")
                a = c.node.apply(half, confirm_within="15s")
                self.assertEqual((a.status // 100, a.json["version"]["state"]), (2, "unconfirmed"), a.raw)
                for step_s in (HOUR, -2 * HOUR):
                    c.set(step_s, True)
                    time.sleep(SEEN_S)  # the version must stay for this long
                    if time.monotonic() < start + 12:
                        self.assertEqual(head(), 2)
                wait_for("the rollback, by a clock that is far behind", lambda: head() == 1, 40)
                self.assertGreater(time.monotonic() - start, 14.5)

    def test_hourly_steps_move_nothing(self) -> None:
        with Clocked() as c:
            drain = c.make("drain", B1, until="+30m")
            wait_for("the drain runs", lambda: c.state(drain) == "drained")
            for i in range(12):
                c.set((HOUR, -HOUR, 2 * HOUR, 0)[i % 4], False)
                time.sleep(0.7)  # shorter than a step takes to be believed
                self.assertAlmostEqual(c.ahead_s(), 0, delta=1.5)
                self.assertEqual(c.state(drain), "drained")

    def test_what_is_scheduled_begins_by_elapsed_time_while_the_clock_is_off(self) -> None:
        with Clocked() as c:
            soon = c.make("drain", B1, **{"from": "+6s"})
            c.set(-2 * HOUR, False)
            time.sleep(1)  # it must not begin in this time
            self.assertEqual(c.state(soon), "scheduled")
            wait_for("it begins", lambda: c.state(soon) == "drained", 30)
            made = c.make("drain", B2)  # a new one too
            wait_for("the new one begins", lambda: c.state(made) == "drained", 30)

    def test_twelve_years_purge_nothing_also_after_a_restart(self) -> None:
        with Clocked() as c:
            drain = c.make("drain", B1)
            self.assertLess(c.node.command("undrain", B1, reason="over").status, 300)
            wait_for("it is over", lambda: c.state(drain) == "done", 30)
            c.set(STEPS["+12 years"], False)
            time.sleep(SEEN_S)  # it must stay done for this long
            for how in (signal.SIGTERM, signal.SIGKILL):
                c.restart(how)
                self.assertAlmostEqual(c.ahead_s(), 0, delta=1.5)
                self.assertEqual(c.state(drain), "done")
            # not even a person who accepts the wrong time loses what was there
            self.assertEqual(c.node.ask("POST", "/v1/clock/accept", {"reason": "a mistake"}).status // 100, 2)
            time.sleep(SEEN_S)  # it must stay done for this long
            c.restart()
            self.assertEqual(c.state(drain), "done")

    def test_a_synchronised_clock_without_peers_is_believed(self) -> None:
        with Clocked() as c:
            late = c.make("drain", B1, **{"from": "+1h", "until": "+10h"})
            c.set(2 * HOUR, True)
            wait_for("the new time is believed", lambda: abs(c.ahead_s() - 2 * HOUR) < 1.5, 30)
            wait_for("weir-dns has it too", lambda: c.dns_says("clock") == "good")
            wait_for("what is overdue begins", lambda: c.state(late) == "drained", 30)

    def test_with_a_peer_that_is_not_heard_the_kernel_s_word_is_not_enough(self) -> None:
        with Clocked(ams_api="https://127.0.0.1:9", fra_api="https://127.0.0.1:10") as c:
            wait_for("the peer is asked", lambda: c.node.ask("GET", "/v1/peers").json["items"])
            c.set(2 * HOUR, True)
            time.sleep(8)  # longer than a step takes to be believed
            self.assertEqual((c.clock()["state"], c.clock()["peers_say"]), ("stepped", "unheard"))
            self.assertAlmostEqual(c.ahead_s(), 0, delta=1.5)

    def test_a_trusted_clock_does_not_step_by_itself(self) -> None:
        with Clocked(trusted=True, synchronised=False) as c:
            c.set(2 * HOUR, False)
            time.sleep(8)  # longer than a step takes to be believed
            self.assertAlmostEqual(c.ahead_s(), 0, delta=1.5)

    def test_a_person_accepts_the_new_time_on_record(self) -> None:
        with Clocked() as c:
            late = c.make("drain", B1, **{"from": "+1h", "until": "+10h"})
            c.set(2 * HOUR, False)
            wait_for("the step is seen", lambda: c.clock()["state"] == "stepped")
            wait_for("status says so", lambda: any("weir clock accept" in w for w in c.node.ask("GET", "/v1/status").json["why"]))
            self.assertEqual(c.node.ask("POST", "/v1/clock/accept", {}).status, 422)
            out = subprocess.run([WEIR, "--run-dir", c.node.run, "--state-dir", c.node.state, "clock", "accept", "--reason",
                                  "the battery was empty", "--author", "ada"], capture_output=True, text=True, timeout=60)
            self.assertEqual(out.returncode, 0, out.stderr)
            self.assertIn("+7200", out.stdout)
            self.assertAlmostEqual(c.ahead_s(), 2 * HOUR, delta=1.5)
            wait_for("what is overdue begins", lambda: c.state(late) == "drained", 30)
            self.assertTrue(any("accepted by ada (user:" in m and m.endswith(": the battery was empty") for m in c.events()), c.events())

    def test_time_that_is_accepted_backwards_takes_no_drain_back(self) -> None:
        with Clocked() as c:
            over = c.make("drain", B2)
            c.node.command("undrain", B2, reason="over")
            drain = c.make("drain", B1, until="never")
            site = c.make("drain", {"site": "fra"}, now=True, until="never")
            wait_for("they are as they should", lambda: [c.state(i) for i in (over, drain, site)]
                     == ["done", "drained", "drained"], 30)
            c.set(-2 * HOUR, False)
            wait_for("the step is seen", lambda: c.clock()["state"] == "stepped")
            c.node.ask("POST", "/v1/clock/accept", {"reason": "it was two hours ahead"})
            for _ in range(20):
                self.assertEqual([c.state(i) for i in (over, drain, site)], ["done", "drained", "drained"])
                time.sleep(0.1)  # looked at for two seconds
            self.assertAlmostEqual(c.ahead_s(), -2 * HOUR, delta=1.5)

    def test_a_boot_goes_on_from_the_time_before_it(self) -> None:
        with Clocked() as c:
            c.stop_dns()
            c.node.stop()
            # as a machine that was switched off for three hours: another boot, no page, an hour on its clock
            with open(os.path.join(c.node.state, "clock")) as f:
                head, line = f.read().split("\n", 1)
            words = line.split()
            words[0], words[2] = "1234", str(int(words[2]) - 3 * HOUR * 1000)
            with open(os.path.join(c.node.state, "clock"), "w") as f:
                f.write(head + "\n" + " ".join(words) + "\n")
            for name in ("clock", "clock.lock"):
                if os.path.exists(os.path.join(c.node.run, name)):
                    os.unlink(os.path.join(c.node.run, name))
            c.set(0, False)
            c.restart()
            c.start_dns()
            self.assertEqual(c.clock()["state"], "booted")
            self.assertAlmostEqual(c.ahead_s(), -3 * HOUR, delta=2)
            wait_for("weir-dns holds ramps", lambda: c.dns_says("clock_held"), 30)
            c.set(0, True)
            wait_for("the kernel's word ends it", lambda: c.clock()["state"] == "good", 30)
            self.assertAlmostEqual(c.ahead_s(), 0, delta=1.5)

    def test_while_weir_mgmt_is_dead_no_step_is_believed(self) -> None:
        with Clocked() as c:
            c.node.stop(signal.SIGKILL)
            time.sleep(4)  # its page is stale
            c.set(2 * HOUR, True)
            time.sleep(8)  # longer than a step takes to be believed
            c.restart()
            wait_for("weir-dns is seen", lambda: c.dns_says("clock"), 30)
            self.assertAlmostEqual(c.ahead_s(), 0, delta=1.5)
            with open(os.path.join(c.node.dir.name, "dns.log")) as f:
                self.assertIn("state=stepped", f.read())


if __name__ == "__main__":
    counted.main()
