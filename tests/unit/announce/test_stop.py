#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A stop of Weir by a person, on a node that forwards by XDP: the addresses of DNS go before weir-dns, VIPs stay.

weir, weir-announce and weir-dns are real, in a network namespace; the other processes only wait, and what weir-dataplane
proves is played.

test_stop.py WEIR WEIR_ANNOUNCE WEIR_DNS LAB_EFFECTIVE PROOF_TOOL
"""
from __future__ import annotations

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import typing
import unittest

VIP, DNS = "192.0.2.1", "192.0.2.53"
CONFIG = """schema = 1;
cluster = { name = "c"; hash_key_file = "hash.key"; hash_key_id = "k"; };
sites = ( { name = "ams"; } );
nodes = ( { name = "n"; site = "ams"; ports = ( { interface = "lo"; } ); tunnel_source = [ "10.255.0.0/24" ];
            dns_listen = [ "192.0.2.53" ];
            announce = { daemon = "bird"; socket = "/nonexistent/ctl"; dns = [ "192.0.2.53" ]; }; } );
pools = ( { name = "p"; site = "ams"; backends = ( { name = "b"; address = "10.0.0.1"; } ); } );
vips = ( { name = "v"; site = "ams"; addresses = [ "192.0.2.1" ]; } );
services = ( { name = "web"; protocol = "tcp"; port = 80; at = ( { site = "ams"; vip = "v"; pool = "p"; } ); } );
"""
QUERY = b"\0\1\0\0\0\1\0\0\0\0\0\0\3www\4shop\7example\0\0\1\0\1"
PATIENCE_S = 60


def routes() -> set[str]:
    """Weir's routes in this namespace."""
    said = subprocess.run(["ip", "route", "show", "table", "177", "proto", "177"], capture_output=True, text=True, check=False).stdout
    return {line.split()[1] for line in said.splitlines() if line.startswith("blackhole ")}


def does_answer() -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.sendto(QUERY, (DNS, 53))
        try:
            return len(s.recv(512)) > 0
        except OSError:
            return False


def wait_for(what: str, condition: typing.Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"waited {PATIENCE_S} s for {what}")
        time.sleep(0.02)  # the pace of asking


class Stop(unittest.TestCase):
    def setUp(self) -> None:
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="weir-stop-"))
        for name in ("conf", "state", "run", "bpf", "bin"):
            (self.top / name).mkdir()
        (self.top / "conf/hash.key").write_text("000102030405060708090a0b0c0d0e0f\n")
        (self.top / "conf/weir.conf").write_text(CONFIG)
        new = self.top / "state/new.conf"
        subprocess.run([EFFECTIVE, self.top / "conf/weir.conf", "n", new], check=True)
        new.write_text(new.read_text().replace('document = "0"', 'document = "1"'))
        new.rename(self.top / "state/effective.conf")
        for name, program in (("announce", ANNOUNCE), ("dns", NAME_SERVER)):
            shutil.copy(program, self.top / f"bin/weir-{name}")
        for name in ("mgmt", "dataplane", "health"):
            path = self.top / f"bin/weir-{name}"
            path.write_text("#!/usr/bin/python3\nimport signal\nsignal.pause()\n")
            path.chmod(0o755)
        self.options = [f"--{n}-dir={self.top / n}" for n in ("conf", "state", "run", "bpf")] + ["--node", "n"]
        self.log = (self.top / "log").open("w")
        self.environment = {**os.environ, "WEIR_BIN_DIR": str(self.top / "bin")}
        self.supervisor = subprocess.Popen([WEIR, *self.options, "run"], stdout=self.log, stderr=self.log, env=self.environment)
        wait_for("the run directory", lambda: (self.top / "run/run.lock").exists())
        self.proof = subprocess.Popen([PROOF, self.top / "run", "1", "xdp", "v", VIP], stdin=subprocess.PIPE)
        wait_for("both addresses", lambda: routes() == {VIP, DNS})
        wait_for("answers", does_answer)

    def tearDown(self) -> None:
        self.proof.kill()
        self.proof.communicate()
        subprocess.run([WEIR, *self.options, "run", "--stop"], capture_output=True, check=False, env=self.environment)
        if self.supervisor.poll() is None:
            self.supervisor.kill()
        self.supervisor.wait()
        self.log.close()
        subprocess.run(["ip", "route", "flush", "table", "177"], capture_output=True, check=False)
        shutil.rmtree(self.top)

    def test_dns_addresses_go_while_their_queries_are_answered(self) -> None:
        self.supervisor.send_signal(signal.SIGTERM)
        wait_for("the withdrawal", lambda: routes() == {VIP} or self.supervisor.poll() is not None)
        self.assertEqual(routes(), {VIP})
        self.assertTrue(does_answer())
        self.assertEqual(self.supervisor.wait(PATIENCE_S), 0)
        self.assertEqual(routes(), {VIP})
        self.assertFalse(does_answer())

    def test_a_stop_after_a_dead_supervisor_withdraws_as_well(self) -> None:
        self.supervisor.kill()
        self.supervisor.wait()
        self.assertEqual(routes(), {VIP, DNS})
        subprocess.run([WEIR, *self.options, "run", "--stop"], capture_output=True, check=True, env=self.environment)
        self.assertEqual(routes(), {VIP})


if __name__ == "__main__":
    WEIR, ANNOUNCE, NAME_SERVER, EFFECTIVE, PROOF = sys.argv[1:6]
    os.environ["WEIR_USERS"] = "none"
    if os.environ.get("WEIR_IN_NAMESPACE") != "1":
        if os.geteuid() != 0:
            print("needs root, for a network namespace")
            sys.exit(77)
        os.environ["WEIR_IN_NAMESPACE"] = "1"
        os.execvp("unshare", ["unshare", "-n", "--", sys.executable, *sys.argv])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "address", "add", f"{DNS}/32", "dev", "lo"], check=True)
    result = unittest.main(argv=[sys.argv[0]], exit=False, verbosity=2).result
    bad = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - bad} passed, {bad} failed")
    sys.exit(1 if bad else 0)
