#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""weir run, with small stand-ins for the four processes: what dies comes back, sockets are held, nothing is left over.

Usage: test_run.py WEIR
"""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

WEIR = sys.argv.pop(1)
NAMES = ("mgmt", "dataplane", "health", "dns")
ADDRESS = f"127.{os.getpid() % 200 + 20}.{os.getpid() // 200 % 250}.53"

STAND_IN = """#!/usr/bin/python3
import os, signal, socket, sys, time
name = os.path.basename(sys.argv[0])[5:]
base = os.path.dirname(os.path.abspath(sys.argv[0]))
if name != "health":
    signal.signal(signal.SIGHUP, lambda *_: open(base + "/" + name + ".hup", "w").close())
def end(*_):
    with open(base + "/ends.log", "a") as f:
        f.write(name + "\\n")
    os._exit(0)
signal.signal(signal.SIGTERM, end)
with open(base + "/" + name + ".log", "a") as f:  # from here on it takes every signal
    f.write("%d %s %s\\n" % (os.getpid(), os.environ.get("LISTEN_FDNAMES", "-"), " ".join(sys.argv[1:])))
if name == "dns" and os.environ.get("LISTEN_PID") == str(os.getpid()):
    fd = 3 + os.environ["LISTEN_FDNAMES"].split(":").index("dns-udp-0")
    s = socket.socket(fileno=fd)
    s.setblocking(True)
    while True:
        q, who = s.recvfrom(512)
        s.sendto(str(os.getpid()).encode(), who)
while True:
    time.sleep(1)
"""

CONFIG = """
effective = { version = "1"; digest = ""; document = "1"; written = "never"; };
schema = 1; cluster = { name = "c"; hash_key_file = "%(dir)s/hash.key"; hash_key_id = "k"; };
sites = ( { name = "s"; } );
nodes = ( { name = "n1"; site = "s"; ports = ( { interface = "e"; } ); tunnel_source = [ "10.0.0.0/24" ];
            dns_listen = [ %(listen)s ]; } );
"""


PATIENCE_S = 60  # the machine may be loaded; nothing here measures


def wait_for(what, condition, timeout_s=PATIENCE_S):
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"waited {timeout_s} s for {what}")


class Supervisor(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="weir-run.")
        self.bin = os.path.join(self.dir, "bin")
        os.mkdir(self.bin)
        for name in NAMES:
            path = os.path.join(self.bin, f"weir-{name}")
            with open(path, "w") as f:
                f.write(STAND_IN)
            os.chmod(path, 0o755)
        with open(os.path.join(self.dir, "hash.key"), "w") as f:
            f.write("0" * 32)
        self.run = None
        self.seen = set()

    def tearDown(self):
        if self.run and self.run.poll() is None:
            self.run.terminate()
            self.run.wait(PATIENCE_S)
        leftovers = [pid for pid in self.seen if self.alive(pid)]
        for pid in leftovers:
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.dir)
        self.assertEqual(leftovers, [])

    def alive(self, pid):
        """Whether a stand-in of this test runs as pid: others get the numbers of those that ended."""
        try:
            with open(f"/proc/{pid}/cmdline") as f:
                return self.bin in f.read()  # nothing is in it once it is dead and unreaped
        except (FileNotFoundError, ProcessLookupError):
            return False

    def document(self, listen=(ADDRESS,)):
        state = os.path.join(self.dir, "state")
        os.makedirs(state, exist_ok=True)
        with open(os.path.join(state, "new"), "w") as f:
            f.write(CONFIG % {"dir": self.dir, "listen": ", ".join(f'"{a}"' for a in listen)})
        os.rename(os.path.join(state, "new"), os.path.join(state, "effective.conf"))

    def start(self):
        options = [f"--{n}-dir={os.path.join(self.dir, n)}" for n in ("conf", "state", "run", "bpf")]
        with open(os.path.join(self.dir, "run.log"), "a") as log:
            self.run = subprocess.Popen([WEIR, *options, "--node", "n1", "run"], stderr=log,
                                        env={**os.environ, "WEIR_BIN_DIR": self.bin})
        return self.run

    def starts(self, name):
        """The (pid, LISTEN_FDNAMES, arguments) of each start of a process, oldest first."""
        try:
            with open(os.path.join(self.bin, f"{name}.log")) as f:
                found = [line.split(" ", 2) for line in f]
        except FileNotFoundError:
            return []
        self.seen.update(int(pid) for pid, _, _ in found)
        return [(int(pid), names, arguments.strip()) for pid, names, arguments in found]

    def log(self):
        with open(os.path.join(self.dir, "run.log")) as f:
            return f.read()

    def ask_dns(self, timeout_s=PATIENCE_S, address=ADDRESS):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(timeout_s)
            s.sendto(b"q", (address, 53))
            return int(s.recv(100))

    def all_started(self, n=1):
        return wait_for("all four", lambda: all(len(self.starts(name)) >= n for name in NAMES))

    def test_a_second_supervisor_is_refused_and_the_first_goes_on(self):
        self.document()
        self.start()
        self.all_started()
        second = subprocess.run([WEIR, f"--run-dir={self.dir}/run", f"--state-dir={self.dir}/state", "run"],
                                capture_output=True, text=True, timeout=PATIENCE_S)
        self.assertEqual(second.returncode, 4)
        self.assertIn("another weir run", second.stderr)
        self.assertIsNone(self.run.poll())

    def test_a_missing_program_does_not_end_it(self):
        self.document()
        os.unlink(os.path.join(self.bin, "weir-health"))
        self.start()
        wait_for("the others", lambda: all(self.starts(n) for n in NAMES if n != "health"))
        wait_for("a second try", lambda: self.log().count("process-died") >= 2)
        self.assertIsNone(self.run.poll())

    def test_what_fails_at_once_is_tried_again_ever_later(self):
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
        self.assertIsNone(self.run.poll())

    def test_each_process_that_is_killed_is_back_at_once(self):
        self.document()
        self.start()
        self.all_started()
        for name in NAMES:
            pid = self.starts(name)[-1][0]
            os.kill(pid, signal.SIGKILL)
            wait_for(f"{name} again", lambda: self.starts(name)[-1][0] != pid)
            self.assertRegex(self.log(), rf"process-died process={name} pid={pid} .* restart_in_ms=0\b")
            self.assertIsNone(self.run.poll())

    def test_it_passes_the_directories_and_the_node_on(self):
        self.document()
        self.start()
        self.all_started()
        for name in NAMES:
            self.assertEqual(self.starts(name)[0][2],
                             f"--conf-dir {self.dir}/conf --state-dir {self.dir}/state --run-dir {self.dir}/run "
                             f"--bpf-dir {self.dir}/bpf --node n1")

    def test_a_query_waits_for_the_dns_server_that_was_killed(self):
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

    def test_dns_waits_for_a_document_and_follows_its_addresses(self):
        self.start()
        wait_for("the others", lambda: all(self.starts(n) for n in NAMES if n != "dns"))
        time.sleep(0.3)
        self.assertEqual(self.starts("dns"), [])
        self.document()
        wait_for("dns", lambda: self.starts("dns"))
        self.assertEqual(self.starts("dns")[0][1], "dns-udp-0:dns-tcp-0")
        other = ADDRESS[:-2] + "54"
        self.document((other, ADDRESS))
        wait_for("dns again", lambda: len(self.starts("dns")) == 2)
        self.assertEqual(self.starts("dns")[1][1], "dns-udp-0:dns-tcp-0:dns-udp-1:dns-tcp-1")
        self.assertEqual(self.ask_dns(address=other), self.starts("dns")[1][0])

    def noted(self):
        """How many processes the supervisor has noted for the next one."""
        try:
            with open(os.path.join(self.dir, "run", "run.state")) as f:
                return len(f.readlines())
        except FileNotFoundError:
            return 0

    def fds(self):
        return len(os.listdir(f"/proc/{self.run.pid}/fd"))

    def test_a_document_with_the_same_addresses_leaves_dns_alone_and_another_order_opens_no_socket(self):
        other = ADDRESS[:-2] + "54"
        self.document((ADDRESS, other))
        self.start()
        self.all_started()
        wait_for("four notes", lambda: self.noted() == 4)
        before = self.fds()
        self.document((ADDRESS, other))
        time.sleep(0.5)
        self.assertEqual(len(self.starts("dns")), 1)
        self.document((other, ADDRESS))
        wait_for("dns again", lambda: len(self.starts("dns")) == 2)
        time.sleep(0.2)
        wait_for("as many descriptors as before", lambda: self.fds() == before)

    def test_another_process_that_has_a_noted_pid_is_left_alone(self):
        self.document()
        bystander = subprocess.Popen(["sleep", "60"])
        try:
            os.makedirs(os.path.join(self.dir, "run"), exist_ok=True)
            with open(os.path.join(self.dir, "run", "run.state"), "w") as f:
                f.write(f"health {bystander.pid} 12345\nmgmt nonsense\n")
            self.start()
            self.all_started()
            self.assertNotIn("process-adopted", self.log())
            self.run.terminate()
            self.assertEqual(self.run.wait(PATIENCE_S), 0)
            self.assertIsNone(bystander.poll())
        finally:
            bystander.kill()
            bystander.wait()

    def test_a_bad_document_changes_nothing(self):
        self.document()
        self.start()
        self.all_started()
        with open(os.path.join(self.dir, "state", "effective.conf"), "w") as f:
            f.write("schema = ")
        wait_for("the refusal", lambda: "document-refused" in self.log())
        self.assertEqual(len(self.starts("dns")), 1)
        self.assertEqual(self.ask_dns(), self.starts("dns")[0][0])

    def test_hang_up_reaches_those_that_take_it_and_ends_none(self):
        self.document()
        self.start()
        self.all_started()
        self.run.send_signal(signal.SIGHUP)
        wait_for("two", lambda: all(os.path.exists(os.path.join(self.bin, f"{n}.hup")) for n in ("mgmt", "dataplane")))
        time.sleep(0.2)
        self.assertTrue(all(len(self.starts(n)) == 1 for n in NAMES))

    def test_it_stops_what_changes_first_and_what_serves_last(self):
        self.document()
        self.start()
        self.all_started()
        wait_for("an answer", self.ask_dns)
        self.run.terminate()
        self.assertEqual(self.run.wait(PATIENCE_S), 0)
        with open(os.path.join(self.bin, "ends.log")) as f:
            self.assertEqual(f.read().split(), ["mgmt", "health", "dns", "dataplane"])

    def test_killed_itself_it_leaves_all_running_and_the_next_goes_on_with_them(self):
        self.document()
        self.start()
        self.all_started()
        wait_for("an answer", self.ask_dns)
        wait_for("four notes", lambda: self.noted() == 4)
        before = {name: self.starts(name) for name in NAMES}
        self.run.kill()
        self.run.wait(PATIENCE_S)
        self.assertTrue(all(self.alive(started[0][0]) for started in before.values()))
        self.start()
        wait_for("adoption", lambda: self.log().count("process-adopted") == 4)
        time.sleep(0.3)
        self.assertEqual({name: self.starts(name) for name in NAMES}, before)
        pid = before["dns"][0][0]
        os.kill(pid, signal.SIGKILL)  # the sockets were taken over too
        wait_for("its end", lambda: not self.alive(pid))
        self.assertEqual(self.ask_dns(), wait_for("dns", lambda: self.starts("dns")[1:])[0][0])


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("0 passed, 0 failed, 1 skipped")
        sys.exit(77)
    result = unittest.main(exit=False, verbosity=2).result
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed} passed, {failed} failed")
    sys.exit(bool(failed))
