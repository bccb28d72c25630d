#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""weir restart dataplane, with small stand-ins for the processes: who goes on, whoever dies.

Usage: test_run_successor.py WEIR
"""
from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time

import counted
from run_bed import PATIENCE_S, WEIR, Bed, wait_for


class Successor(Bed):
    def restart(self) -> subprocess.Popen[str]:
        """weir restart dataplane, begun."""
        return subprocess.Popen([WEIR, *self.options(), "restart", "dataplane"], text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def tell_successors(self, word: str, on: bool) -> None:
        path = os.path.join(self.bin, f"successor.{word}")
        if on:
            with open(path, "w"):
                pass
        else:
            os.unlink(path)

    def test_a_successor_is_ready_before_the_process_is_asked_to_end(self) -> None:
        self.document()
        self.start()
        self.all_started()
        before = self.starts("dataplane")[0][0]
        self.tell_successors("waits", True)
        command = self.restart()
        wait_for("a successor", lambda: len(self.starts("dataplane")) == 2)
        pid, _, arguments = self.starts("dataplane")[1]
        self.assertRegex(arguments, r"--successor \d+$")
        time.sleep(0.3)  # in which nobody may end
        self.assertTrue(self.alive(before) and self.alive(pid))
        self.assertIsNone(command.poll())
        self.tell_successors("waits", False)
        self.assertEqual(command.communicate(timeout=PATIENCE_S),
                         (f"weir-dataplane: process {pid} has taken over from {before}\n", ""))
        self.assertEqual(command.returncode, 0)
        self.assertFalse(self.alive(before))
        self.assertIn(f"process-ended process=dataplane pid={before} ", self.log())  # no death, which would delay a later start
        self.assertNotIn("process-died", self.log())
        os.kill(pid, signal.SIGKILL)  # the supervisor watches it like any other
        wait_for("the next", lambda: len(self.starts("dataplane")) == 3)
        self.assertNotIn("--successor", self.starts("dataplane")[2][2])

    def test_a_successor_that_cannot_start_changes_nothing(self) -> None:
        self.document()
        self.start()
        self.all_started()
        before = self.starts("dataplane")[0][0]
        self.tell_successors("fails", True)
        command = self.restart()
        out, err = command.communicate(timeout=PATIENCE_S)
        self.assertEqual((command.returncode, out), (8, ""))
        self.assertIn(f"process {before} goes on", err)
        self.assertTrue(self.alive(before))
        self.assertIn("successor-ended", self.log())
        self.assertNotIn("process-died", self.log())
        self.tell_successors("fails", False)
        command = self.restart()  # the next try is free
        command.communicate(timeout=PATIENCE_S)
        self.assertEqual(command.returncode, 0)
        self.assertEqual(len(self.starts("dataplane")), 3)

    def test_a_process_that_dies_meanwhile_is_followed_by_its_successor(self) -> None:
        self.document()
        self.start()
        self.all_started()
        self.tell_successors("waits", True)
        command = self.restart()
        wait_for("a successor", lambda: len(self.starts("dataplane")) == 2)
        os.kill(self.starts("dataplane")[0][0], signal.SIGKILL)
        wait_for("it takes over", lambda: "successor-took-over" in self.log())
        self.tell_successors("waits", False)
        self.assertEqual(command.wait(PATIENCE_S), 0)
        command.communicate()
        time.sleep(0.5)  # in which a third could be started
        self.assertEqual(len(self.starts("dataplane")), 2)
        self.assertTrue(self.alive(self.starts("dataplane")[1][0]))

    def test_a_successor_that_follows_before_it_is_ready_has_none_yet(self) -> None:
        """It is the child now, and still prepares. Twice, as a pipe of the first one must not be in the way of the second."""
        self.document()
        self.start()
        self.all_started()
        pipes = self.pipes()
        for n in (1, 2):
            before, starts = self.starts("dataplane")[-1][0], len(self.starts("dataplane"))
            self.tell_successors("waits", True)
            os.kill(self.supervisor.pid, signal.SIGUSR1)
            wait_for("a successor", lambda n=starts: len(self.starts("dataplane")) == n + 1)
            pid = self.starts("dataplane")[-1][0]
            os.kill(before, signal.SIGKILL)
            wait_for("it takes over", lambda n=n: self.log().count("successor-took-over") == 2 * n - 1)
            os.kill(self.supervisor.pid, signal.SIGUSR1)
            wait_for("the request", lambda n=n: self.log().count("successor-started") + self.log().count("successor-not-started") == 3 * n - 1)
            self.assertEqual(self.starts("dataplane")[-1][0], pid)
            self.tell_successors("waits", False)
            wait_for("it is ready", lambda: self.pipes() == pipes)
            command = self.restart()
            self.assertIn(f"has taken over from {pid}", command.communicate(timeout=PATIENCE_S)[0])

    def pipes(self) -> list[str]:
        """The pipes that weir run has open."""
        fds, found = f"/proc/{self.supervisor.pid}/fd", []
        for fd in os.listdir(fds):
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                found.append(os.readlink(os.path.join(fds, fd)))
        return sorted(to for to in found if to.startswith("pipe:"))

    def test_there_is_one_successor_and_a_stop_ends_it(self) -> None:
        self.document()
        self.start()
        self.all_started()
        self.tell_successors("waits", True)
        commands = [self.restart()]
        wait_for("a successor", lambda: len(self.starts("dataplane")) == 2)
        commands.append(self.restart())
        wait_for("the second request", lambda: "successor-not-started" in self.log())
        self.supervisor.terminate()
        self.assertEqual(self.supervisor.wait(PATIENCE_S), 0)
        for pid, _, _ in self.starts("dataplane"):
            self.assertFalse(self.alive(pid))
        self.assertEqual(len(self.starts("dataplane")), 2)
        for command in commands:
            command.kill()
            command.communicate()

    def lose_the_supervisor(self) -> list[int]:
        """The supervisor dies when it has asked a process to end whose successor is ready. @return both pids, the older first"""
        lingers = os.path.join(self.bin, "dataplane.lingers")
        self.document()
        self.start()
        self.all_started()
        with open(lingers, "w"):
            pass
        command = self.restart()
        wait_for("a process that is asked to end", lambda: os.path.exists(os.path.join(self.bin, "dataplane.asked")))
        self.supervisor.kill()
        self.supervisor.wait()
        command.kill()
        command.communicate()
        return [pid for pid, _, _ in self.starts("dataplane")]

    def let_it_end(self, pid: int) -> None:
        os.unlink(os.path.join(self.bin, "dataplane.lingers"))
        wait_for("the end of the process before", lambda: not self.alive(pid))

    def test_the_next_supervisor_adopts_the_successor_of_a_process_that_ends(self) -> None:
        before, successor = self.lose_the_supervisor()
        self.start()
        wait_for("it is adopted", lambda: f"process-adopted process=dataplane pid={before}\n" in self.log())
        self.let_it_end(before)
        wait_for("the successor, too", lambda: f"process-adopted process=dataplane pid={successor}\n" in self.log())
        time.sleep(0.5)  # in which a third could be started
        self.assertEqual(len(self.starts("dataplane")), 2)
        os.kill(successor, signal.SIGKILL)  # it is watched like any other
        wait_for("the next", lambda: len(self.starts("dataplane")) == 3)

    def test_what_a_dead_supervisor_left_is_stopped_with_its_successor(self) -> None:
        before, successor = self.lose_the_supervisor()
        stop = subprocess.Popen([WEIR, *self.options(), "run", "--stop"], stderr=subprocess.DEVNULL,
                                env={**os.environ, "WEIR_BIN_DIR": self.bin})
        self.let_it_end(before)
        self.assertEqual(stop.wait(PATIENCE_S), 0)
        self.assertFalse(self.alive(successor))

    def test_a_successor_that_brings_nothing_into_force_is_told(self) -> None:
        self.document()
        self.start()
        self.all_started()
        for answer, status, words in ((b'{"document": 0, "refused_why": "no hugepages"}', 8, "and has no document in force: no hugepages"),
                                      (b'{"document": 0, "refused_why": ""}', 8, "and has no document in force: see its log"),
                                      (b'{"document": 7, "ports": [], "ports_missing": [{"interface": "eth1", "why": "the device is in use"}]}', 8,
                                       "and drives no port, so nothing is forwarded: eth1: the device is in use"),
                                      (b'{"document": 7, "ports": [], "ports_missing": [{"interface": "eth1", "why": ""}]}', 8, "eth1: see weir why"),
                                      (b'{"document": 7, "ports": [], "ports_missing": [1]}', 8, "drives no port"),
                                      (b'{"document": 7, "ports": [{}], "ports_missing": [{"interface": "eth1", "why": ""}]}', 0, ""),
                                      (b'{"document": 7, "ports": [], "ports_missing": []}', 0, ""),
                                      (b'no json', 0, ""), (b'{"document": 7}', 0, "")):
            with open(os.path.join(self.bin, "answer"), "wb") as f:
                f.write(answer)
            command = self.restart()
            self.assertIn(words, command.communicate(timeout=PATIENCE_S)[1])
            self.assertEqual(command.returncode, status)

    def restart_with_an_old_note(self, dataplane_ends: bool) -> tuple[int, str]:
        """weir restart dataplane where weir run cannot write its note: here a process that does nothing stands for it."""
        os.makedirs(os.path.join(self.dir, "run"))
        sleeper = "import signal, time; signal.signal(signal.SIGUSR1, lambda *_: None); print(flush=True); time.sleep(600)"  # it is ended
        processes = [subprocess.Popen([sys.executable, "-c", sleeper], stdout=subprocess.PIPE) for _ in range(2)]
        with open(os.path.join(self.dir, "run", "run.state"), "w") as f:
            for name, process in zip(("run", "dataplane"), processes):
                process.stdout.readline()
                with open(f"/proc/{process.pid}/stat") as stat:
                    f.write(f"{name} {process.pid} {stat.read().rsplit(')', 1)[1].split()[19]}\n")
        command = self.restart()
        if dataplane_ends:
            time.sleep(2)  # the command has begun
            processes[1].kill()
            processes[1].wait()
        try:
            said = command.communicate(timeout=PATIENCE_S)[1]
        finally:
            command.kill()
            command.communicate()
            for process in processes:
                process.kill()
                process.communicate()
        return command.returncode, said.replace(str(processes[1].pid), "PID")

    def test_a_restart_that_nobody_notes_is_not_claimed_to_have_failed(self) -> None:
        status, said = self.restart_with_an_old_note(False)
        self.assertIn("process PID goes on so far, and weir run has noted no other one", said)
        self.assertEqual(status, 8)

    def test_a_restart_does_not_wait_for_ever_for_a_note(self) -> None:
        status, said = self.restart_with_an_old_note(True)
        self.assertIn("process PID has ended, and weir run has noted no other one for 10 s", said)
        self.assertEqual(status, 5)

    def test_a_busy_supervisor_is_waited_for(self) -> None:
        """It gets no CPU: before it takes the request, and again when the process before has ended. Twice, as each wait begins anew."""
        self.document()
        self.start()
        self.all_started()
        for n in (1, 2):
            before = self.starts("dataplane")[-1][0]
            self.supervisor.send_signal(signal.SIGSTOP)
            command = self.restart()
            time.sleep(4)  # longer than the request was waited for before
            self.assertIsNone(command.poll(), "the request waits for the supervisor")
            self.tell_successors("waits", True)
            self.supervisor.send_signal(signal.SIGCONT)
            wait_for("a successor", lambda n=n: len(self.starts("dataplane")) == n + 1)
            wait_for("it is noted", lambda: "successor" in self.note())
            self.supervisor.send_signal(signal.SIGSTOP)
            os.kill(before, signal.SIGKILL)
            time.sleep(11)  # longer than the next process was waited for before
            self.assertIsNone(command.poll(), "the successor lives")
            self.tell_successors("waits", False)
            self.supervisor.send_signal(signal.SIGCONT)
            self.assertIn("has taken over", "".join(command.communicate(timeout=PATIENCE_S)))
            self.assertEqual(command.returncode, 0)

    def note(self) -> str:
        with open(os.path.join(self.dir, "run", "run.state"), encoding="utf-8") as f:
            return f.read()

    def test_a_restart_without_a_supervisor_is_refused(self) -> None:
        os.makedirs(os.path.join(self.dir, "run"))
        command = self.restart()
        self.assertIn("no weir run uses", command.communicate(timeout=PATIENCE_S)[1])
        self.assertEqual(command.returncode, 3)


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("0 passed, 0 failed, 1 skipped")
        sys.exit(77)
    counted.main()
