# SPDX-License-Identifier: BSD-2-Clause
"""What tests of weir run stand on: stand-ins for its processes, and a document. The first argument of the program is WEIR.
"""
from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import typing
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
    open(base + "/" + name + ".asked", "w").close()
    while os.path.exists(base + "/" + name + ".lingers"):
        time.sleep(0.02)  # until the test lets it end
    with open(base + "/ends.log", "a") as f:
        f.write(name + "\\n")
    os._exit(0)
signal.signal(signal.SIGTERM, end)
with open(base + "/" + name + ".env", "w") as f:
    f.write(" ".join(sorted(n for n in os.environ if n.startswith(("WATCHDOG_", "NOTIFY_", "LISTEN_")))))
with open(base + "/" + name + ".log", "a") as f:  # from here on it takes every signal
    f.write("%d %s %s\\n" % (os.getpid(), os.environ.get("LISTEN_FDNAMES", "-"), " ".join(sys.argv[1:])))
if "--successor" in sys.argv:
    while os.path.exists(base + "/successor.waits"):
        time.sleep(0.02)  # until the test lets it go on
    if os.path.exists(base + "/successor.fails"):
        os._exit(1)
    os.write(int(sys.argv[sys.argv.index("--successor") + 1]), b"1")
if name == "dataplane":
    path = sys.argv[sys.argv.index("--run-dir") + 1] + "/dataplane.ctl"
    if os.path.exists(path):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    while True:
        client, _ = listener.accept()
        client.recv(100)
        client.sendall(b"%s\\n" % (open(base + "/answer", "rb").read() if os.path.exists(base + "/answer") else b"{}"))
if name == "dns" and os.environ.get("LISTEN_PID") == str(os.getpid()):
    fd = 3 + os.environ["LISTEN_FDNAMES"].split(":").index("dns-udp-0")
    s = socket.socket(fileno=fd)
    s.setblocking(True)
    while True:
        q, who = s.recvfrom(512)
        s.sendto(str(os.getpid()).encode(), who)
while True:
    time.sleep(1)  # a stand-in that lives until it is ended
"""

CONFIG = """
effective = { version = "1"; digest = ""; document = "1"; written = "never"; };
schema = 1; cluster = { name = "c"; hash_key_file = "%(dir)s/hash.key"; hash_key_id = "k"; };
sites = ( { name = "s"; } );
nodes = ( { name = "n1"; site = "s"; ports = ( { interface = "e"; } ); tunnel_source = [ "10.0.0.0/24" ];
            dns_listen = [ %(listen)s ]; } );
dns = { threads = 1; };
"""


PATIENCE_S = 60  # the machine may be loaded; nothing here measures


def wait_for(what: str, condition: typing.Callable[..., typing.Any], timeout_s: float = PATIENCE_S) -> typing.Any:
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)  # the pace of every wait for a condition
    raise AssertionError(f"waited {timeout_s} s for {what}")


class Bed(unittest.TestCase):
    """A directory with stand-ins, and the supervisor that starts them."""

    def setUp(self) -> None:
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
        self.supervisor: subprocess.Popen[bytes] | None = None
        self.seen: set[typing.Any] = set()

    def tearDown(self) -> None:
        if self.supervisor and self.supervisor.poll() is None:
            self.supervisor.terminate()
            self.supervisor.wait(PATIENCE_S)
        leftovers = [pid for pid in self.seen if self.alive(pid)]
        for pid in leftovers:
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.dir)
        self.assertEqual(leftovers, [])

    def alive(self, pid: int) -> bool:
        """Whether a stand-in of this test runs as pid: others get the numbers of those that ended."""
        try:
            with open(f"/proc/{pid}/cmdline") as f:
                return self.bin in f.read()  # nothing is in it once it is dead and unreaped
        except (FileNotFoundError, ProcessLookupError):
            return False

    def document(self, listen: tuple[str, ...] = (ADDRESS,)) -> None:
        state = os.path.join(self.dir, "state")
        os.makedirs(state, exist_ok=True)
        with open(os.path.join(state, "new"), "w") as f:
            f.write(CONFIG % {"dir": self.dir, "listen": ", ".join(f'"{a}"' for a in listen)})
        os.rename(os.path.join(state, "new"), os.path.join(state, "effective.conf"))

    def options(self) -> list[str]:
        return [*(f"--{n}-dir={os.path.join(self.dir, n)}" for n in ("conf", "state", "run", "bpf")), "--node", "n1"]

    def start(self, **more: typing.Any) -> subprocess.Popen[bytes]:
        with open(os.path.join(self.dir, "run.log"), "a") as log:
            self.supervisor = subprocess.Popen([WEIR, *self.options(), "run"], stderr=log,
                                               env={**os.environ, "WEIR_BIN_DIR": self.bin, **more})
        return self.supervisor

    def starts(self, name: str) -> list[typing.Any]:
        """The (pid, LISTEN_FDNAMES, arguments) of each start of a process, oldest first."""
        try:
            with open(os.path.join(self.bin, f"{name}.log")) as f:
                found = [line.split(" ", 2) for line in f]
        except FileNotFoundError:
            return []
        self.seen.update(int(pid) for pid, _, _ in found)
        return [(int(pid), names, arguments.strip()) for pid, names, arguments in found]

    def log(self) -> str:
        with open(os.path.join(self.dir, "run.log")) as f:
            return f.read()

    def ask_dns(self, timeout_s: float = PATIENCE_S, address: str = ADDRESS) -> int:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(timeout_s)
            s.sendto(b"q", (address, 53))
            return int(s.recv(100))

    def all_started(self, n: int = 1) -> typing.Any:
        return wait_for("all four", lambda: all(len(self.starts(name)) >= n for name in NAMES))

    def noted(self) -> int:
        """How many processes the supervisor has noted for the next one."""
        try:
            with open(os.path.join(self.dir, "run", "run.state")) as f:
                return sum(not line.startswith("run ") for line in f)
        except FileNotFoundError:
            return 0
