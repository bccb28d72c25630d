#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""weir run, with small stand-ins for the four processes: what dies comes back, sockets are held, nothing is left over.

Usage: test_run.py WEIR
"""
from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import counted
from run_bed import ADDRESS, NAMES, PATIENCE_S, WEIR, Bed, wait_for


class Supervisor(Bed):
    def test_a_second_supervisor_is_refused_and_the_first_goes_on(self) -> None:
        self.document()
        self.start()
        self.all_started()
        second = subprocess.run([WEIR, f"--run-dir={self.dir}/run", f"--state-dir={self.dir}/state", "run"],
                                capture_output=True, text=True, timeout=PATIENCE_S)
        self.assertEqual(second.returncode, 4)
        self.assertIn("another weir run", second.stderr)
        self.assertIsNone(self.supervisor.poll())

    def test_a_missing_program_is_named_at_once_and_nothing_is_started(self) -> None:
        self.document()
        os.unlink(os.path.join(self.bin, "weir-health"))
        self.start()
        self.assertEqual(self.supervisor.wait(PATIENCE_S), 3)
        self.assertIn(f"{self.bin}/weir-health cannot be run: No such file or directory", self.log())
        self.assertEqual([n for n in NAMES if self.starts(n)], [])

    def test_the_hang_time_has_limits(self) -> None:
        os.unlink(os.path.join(self.bin, "weir-health"))  # what is taken ends at that
        for text, status in (("3s", 3), ("2999ms", 1), ("10m", 3), ("600001ms", 1), ("off", 3), ("0s", 1), ("soon", 1), ("", 1)):
            done = subprocess.run([WEIR, f"--run-dir={self.dir}/run", f"--state-dir={self.dir}/state", "run", "--hang-time", text],
                                  capture_output=True, text=True, timeout=PATIENCE_S, env={**os.environ, "WEIR_BIN_DIR": self.bin})
            self.assertEqual(done.returncode, status, (text, done.stderr))
            self.assertIn("weir-health cannot be run" if status == 3 else "from 3s to 10m, or off", done.stderr)

    def test_a_program_that_goes_away_later_does_not_end_it(self) -> None:
        self.document()
        self.start()
        self.all_started()
        os.rename(os.path.join(self.bin, "weir-health"), os.path.join(self.bin, "away"))
        os.kill(self.starts("health")[0][0], signal.SIGKILL)
        wait_for("a second try", lambda: self.log().count("process-died process=health") >= 2)
        self.assertIsNone(self.supervisor.poll())
        self.assertIn(f"weir run: {self.bin}/weir-health: No such file or directory\n", self.log())  # and not only that it died
        os.rename(os.path.join(self.bin, "away"), os.path.join(self.bin, "weir-health"))
        wait_for("it is back", lambda: len(self.starts("health")) == 2)

    def test_signals_that_mean_nothing_end_nothing(self) -> None:
        self.document()
        self.start()
        self.all_started()
        for number in (signal.SIGUSR2, signal.SIGPIPE, signal.SIGALRM, signal.SIGTSTP, signal.SIGRTMIN + 3):
            self.supervisor.send_signal(number)
        time.sleep(0.3)  # no process may end in this time
        self.assertIsNone(self.supervisor.poll())
        pid = self.starts("mgmt")[0][0]
        os.kill(pid, signal.SIGKILL)
        wait_for("it still does its work", lambda: len(self.starts("mgmt")) == 2)

    def test_a_lost_note_does_not_hide_what_runs(self) -> None:
        self.document()
        self.start()
        self.all_started()
        wait_for("four notes", lambda: self.noted() == 4)
        before = {name: self.starts(name) for name in NAMES}
        self.supervisor.kill()
        self.supervisor.wait(PATIENCE_S)
        os.unlink(os.path.join(self.dir, "run", "run.state"))
        self.start()
        wait_for("adoption", lambda: self.log().count("process-adopted") == 4)
        time.sleep(0.3)  # no process may start in this time
        self.assertEqual({name: self.starts(name) for name in NAMES}, before)

    def test_a_note_that_could_not_be_written_is_written_later(self) -> None:
        note, saved = (os.path.join(self.dir, name) for name in ("run/run.state", "saved"))
        self.document()
        self.start()
        self.all_started()
        wait_for("four notes", lambda: self.noted() == 4)
        self.supervisor.send_signal(signal.SIGSTOP)
        os.rename(note, saved)
        os.makedirs(os.path.join(note, "in the way"))
        os.kill(self.starts("dataplane")[0][0], signal.SIGKILL)
        self.supervisor.send_signal(signal.SIGCONT)
        wait_for("a note that fails", lambda: "run-state-failed" in self.log() and len(self.starts("dataplane")) == 2)
        self.supervisor.send_signal(signal.SIGSTOP)
        shutil.rmtree(note)
        os.rename(saved, note)
        self.supervisor.send_signal(signal.SIGCONT)
        pid = self.starts("dataplane")[1][0]

        def is_noted() -> bool:
            with open(note) as f:
                return f"dataplane {pid} " in f.read()
        wait_for("the note of the process that runs now", is_noted)
        self.assertLessEqual(self.log().count("run-state-failed"), 2)  # it is said once, not with each try

    def test_a_process_of_another_run_directory_is_left_alone(self) -> None:
        self.document()
        other = [os.path.join(self.bin, "weir-health"), "--conf-dir", f"{self.dir}/conf", "--state-dir", f"{self.dir}/state",
                 "--run-dir", f"{self.dir}/elsewhere", "--bpf-dir", f"{self.dir}/bpf", "--node", "n1"]
        stranger = subprocess.Popen(other)
        try:
            wait_for("the stranger", lambda: self.starts("health"))
            self.start()
            wait_for("our own", lambda: len(self.starts("health")) == 2)
            self.assertNotIn("process-adopted", self.log())
            self.supervisor.terminate()
            self.supervisor.wait(PATIENCE_S)
            self.assertIsNone(stranger.poll())
        finally:
            stranger.kill()
            stranger.wait()

    def stop(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run([WEIR, *self.options(), "run", "--stop"], capture_output=True, text=True,
                              timeout=3 * PATIENCE_S, env={**os.environ, "WEIR_BIN_DIR": self.bin}, check=False)

    def test_stop_ends_a_supervisor_and_its_processes_in_order(self) -> None:
        self.document()
        self.start()
        self.all_started()
        stopped = self.stop()
        self.assertEqual(stopped.returncode, 0, stopped.stderr)
        self.assertEqual(self.supervisor.wait(PATIENCE_S), 0)
        with open(os.path.join(self.bin, "ends.log")) as f:
            self.assertEqual(f.read().split(), ["mgmt", "health", "dataplane", "dns"])

    def test_stop_ends_what_a_dead_or_a_hanging_supervisor_has_left(self) -> None:
        for signo in (signal.SIGKILL, signal.SIGSTOP):
            self.document()
            self.start()
            self.all_started()
            wait_for("four notes", lambda: self.noted() == 4)
            self.supervisor.send_signal(signo)
            stopped = self.stop()
            self.assertEqual(stopped.returncode, 0, stopped.stderr)
            self.supervisor.wait(PATIENCE_S)
            self.assertEqual([n for n in NAMES if self.alive(self.starts(n)[-1][0])], [])
            for name in NAMES:
                os.unlink(os.path.join(self.bin, f"{name}.log"))

    def test_a_process_that_ignores_the_request_to_end_is_killed(self) -> None:
        path = os.path.join(self.bin, "weir-dns")
        with open(path) as f:
            text = f.read()
        with open(path, "w") as f:
            f.write(text.replace("signal.signal(signal.SIGTERM, end)", "signal.signal(signal.SIGTERM, signal.SIG_IGN)"))
        self.document()
        self.start()
        self.all_started()

        def is_renewed() -> bool:
            """New sockets need another weir-dns. Documents that come all the time do not put the end of this one off."""
            self.document((ADDRESS[:-2] + "54", ADDRESS))
            return len(self.starts("dns")) == 2

        wait_for("another", is_renewed)
        self.assertIn("process-killed process=dns", self.log())

    def test_what_fails_at_once_is_tried_again_ever_later(self) -> None:
        self.document()
        with open(os.path.join(self.bin, "weir-health"), "w") as f:
            f.write("#!/bin/sh\nexit 3\n")
        self.start()
        wait_for("tries", lambda: "restart_in_ms=400" in self.log())
        died = [(int(lived), int(wait)) for lived, wait in
                re.findall(r"process=health .*lived_ms=(\d+) restart_in_ms=(\d+)", self.log())]
        deaths = 0
        for lived, wait in died:
            deaths = 1 if lived >= 2000 else deaths + 1  # a shell may take that long on a loaded machine
            self.assertEqual(wait, min(100 << (deaths - 1), 5000) if deaths > 1 else 0, died)
        self.assertIsNone(self.supervisor.poll())

    def test_each_process_that_is_killed_is_back_at_once(self) -> None:
        self.document()
        self.start()
        self.all_started()
        for name in NAMES:
            pid = self.starts(name)[-1][0]
            os.kill(pid, signal.SIGKILL)
            wait_for(f"{name} again", lambda: self.starts(name)[-1][0] != pid)
            self.assertRegex(self.log(), rf"process-died process={name} pid={pid} .* restart_in_ms=0\b")
            self.assertIsNone(self.supervisor.poll())

    def test_it_passes_the_directories_and_the_node_on(self) -> None:
        self.document()
        self.start(NOTIFY_SOCKET=f"{self.dir}/none", WATCHDOG_USEC="900000000", LISTEN_FDS="1", LISTEN_PID="1")
        self.all_started()
        for name in NAMES:  # what systemd tells the supervisor is not for its processes
            with open(os.path.join(self.bin, f"{name}.env")) as f:
                self.assertEqual(f.read().split(), ["LISTEN_FDNAMES", "LISTEN_FDS", "LISTEN_PID"] if name == "dns" else [])
        for name in NAMES:
            self.assertEqual(self.starts(name)[0][2],
                             f"--conf-dir {self.dir}/conf --state-dir {self.dir}/state --run-dir {self.dir}/run "
                             f"--bpf-dir {self.dir}/bpf --node n1")

    def test_a_query_waits_for_the_dns_server_that_was_killed(self) -> None:
        self.document()
        self.start()
        self.all_started()
        first = wait_for("an answer", self.ask_dns)
        for _ in range(3):
            pid = self.starts("dns")[-1][0]
            os.kill(pid, signal.SIGKILL)
            wait_for("its end", lambda: not self.alive(pid))
            self.assertNotEqual(self.ask_dns(), pid)
        self.assertNotEqual(self.ask_dns(), first)

    def test_dns_waits_for_a_document_and_follows_its_addresses(self) -> None:
        self.start()
        wait_for("the others", lambda: all(self.starts(n) for n in NAMES if n != "dns"))
        time.sleep(0.3)  # weir-dns may not start in this time
        self.assertEqual(self.starts("dns"), [])
        self.document()
        wait_for("dns", lambda: self.starts("dns"))
        self.assertEqual(self.starts("dns")[0][1].split(":")[:3], ["dns-udp-0", "dns-tcp-0", "dns-udp-0-1"])
        other = ADDRESS[:-2] + "54"
        self.document((other, ADDRESS))
        wait_for("dns again", lambda: len(self.starts("dns")) == 2)
        self.assertEqual(self.starts("dns")[1][1].split(":")[:4], ["dns-udp-0", "dns-tcp-0", "dns-udp-1", "dns-tcp-1"])
        self.assertEqual(self.ask_dns(address=other), self.starts("dns")[1][0])

    def test_what_ends_in_time_and_lives_long_is_as_new(self) -> None:
        self.document()
        self.start()
        self.all_started()
        os.kill(self.starts("mgmt")[0][0], signal.SIGKILL)
        wait_for("mgmt again", lambda: len(self.starts("mgmt")) == 2)
        self.document((ADDRESS[:-2] + "54", ADDRESS))  # weir-dns is asked to end, and does at once
        pid = wait_for("dns again", lambda: self.starts("dns")[1:])[0][0]
        time.sleep(5.5)  # when it would have been killed
        self.assertTrue(self.alive(pid))
        self.assertNotIn("process-killed", self.log())
        os.kill(pid, signal.SIGKILL)  # this end was asked for by nobody
        wait_for("dns once more", lambda: len(self.starts("dns")) == 3)
        self.assertRegex(self.log(), rf"process-died process=dns pid={pid} how=signal code=9")
        second = self.starts("mgmt")[1][0]
        os.kill(second, signal.SIGKILL)  # its second death, after a good run
        wait_for("mgmt once more", lambda: len(self.starts("mgmt")) == 3)
        self.assertRegex(self.log(), rf"process-died process=mgmt pid={second} .* restart_in_ms=0\b")

    def fds(self) -> int:
        return len(os.listdir(f"/proc/{self.supervisor.pid}/fd"))

    def test_a_document_with_the_same_addresses_leaves_dns_alone_and_another_order_opens_no_socket(self) -> None:
        other = ADDRESS[:-2] + "54"
        self.document((ADDRESS, other))
        self.start()
        self.all_started()
        wait_for("four notes", lambda: self.noted() == 4)
        before = self.fds()
        self.document((ADDRESS, other))
        time.sleep(0.5)  # weir-dns may not start again in this time
        self.assertEqual(len(self.starts("dns")), 1)
        self.document((other, ADDRESS))
        wait_for("dns again", lambda: len(self.starts("dns")) == 2)
        time.sleep(0.2)  # no descriptor may be opened in this time
        wait_for("as many descriptors as before", lambda: self.fds() == before)

    def test_another_process_that_has_a_noted_pid_is_left_alone(self) -> None:
        self.document()
        bystander = subprocess.Popen(["sleep", "60"])
        try:
            os.makedirs(os.path.join(self.dir, "run"), exist_ok=True)
            with open(os.path.join(self.dir, "run", "run.state"), "w") as f:
                f.write(f"health {bystander.pid} 12345\nmgmt nonsense\n")
            self.start()
            self.all_started()
            self.assertNotIn("process-adopted", self.log())
            self.supervisor.terminate()
            self.assertEqual(self.supervisor.wait(PATIENCE_S), 0)
            self.assertIsNone(bystander.poll())
        finally:
            bystander.kill()
            bystander.wait()

    def test_a_bad_document_changes_nothing(self) -> None:
        self.document()
        self.start()
        self.all_started()
        with open(os.path.join(self.dir, "state", "effective.conf"), "w") as f:
            f.write("schema = ")
        wait_for("the refusal", lambda: "document-refused" in self.log())
        self.assertEqual(len(self.starts("dns")), 1)
        self.assertEqual(self.ask_dns(), self.starts("dns")[0][0])

    def test_hang_up_reaches_those_that_take_it_and_ends_none(self) -> None:
        self.document()
        self.start()
        self.all_started()
        self.supervisor.send_signal(signal.SIGHUP)
        wait_for("two", lambda: all(os.path.exists(os.path.join(self.bin, f"{n}.hup")) for n in ("mgmt", "dataplane")))
        time.sleep(0.2)  # no process may start in this time
        self.assertTrue(all(len(self.starts(n)) == 1 for n in NAMES))

    def test_it_stops_what_changes_first_and_what_serves_last(self) -> None:
        self.document()
        self.start()
        self.all_started()
        wait_for("an answer", self.ask_dns)
        self.supervisor.terminate()
        self.assertEqual(self.supervisor.wait(PATIENCE_S), 0)
        with open(os.path.join(self.bin, "ends.log")) as f:
            self.assertEqual(f.read().split(), ["mgmt", "health", "dataplane", "dns"])

    def test_killed_itself_it_leaves_all_running_and_the_next_goes_on_with_them(self) -> None:
        self.document()
        self.start()
        self.all_started()
        wait_for("an answer", self.ask_dns)
        wait_for("four notes", lambda: self.noted() == 4)
        before = {name: self.starts(name) for name in NAMES}
        self.supervisor.kill()
        self.supervisor.wait(PATIENCE_S)
        self.assertTrue(all(self.alive(started[0][0]) for started in before.values()))
        self.start()
        wait_for("adoption", lambda: self.log().count("process-adopted") == 4)
        time.sleep(0.3)  # no process may start in this time
        self.assertEqual({name: self.starts(name) for name in NAMES}, before)
        pid = before["dns"][0][0]
        os.kill(pid, signal.SIGKILL)  # the sockets were taken over too
        wait_for("its end", lambda: not self.alive(pid))
        self.assertEqual(self.ask_dns(), wait_for("dns", lambda: self.starts("dns")[1:])[0][0])

    def test_a_port_that_another_server_holds_costs_the_next_supervisor_no_restart_of_dns(self) -> None:
        other = ADDRESS[:-2] + "54"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
            held.bind((other, 53))
            self.document((ADDRESS, other))
            self.start()
            self.all_started()
            wait_for("an answer", self.ask_dns)
            before = self.starts("dns")
            self.supervisor.kill()
            self.supervisor.wait(PATIENCE_S)
            tries = self.log().count("dns-socket-failed")
            self.start()
            wait_for("adoption", lambda: self.log().count("process-adopted") == 4)
            wait_for("two tries", lambda: self.log().count("dns-socket-failed") >= tries + 2)
            self.assertEqual(self.starts("dns"), before)
            self.assertEqual(self.ask_dns(), before[0][0])
        pid = wait_for("dns with the port", lambda: self.starts("dns")[1:])[0][0]
        self.assertEqual(self.ask_dns(), pid)


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("0 passed, 0 failed, 1 skipped")
        sys.exit(77)
    counted.main()
