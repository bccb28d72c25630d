#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""weir-announce as a process, with real routes in a network namespace of its own and a proof page that is played.

test_process.py WEIR_ANNOUNCE LAB_EFFECTIVE PROOF_TOOL
"""
from __future__ import annotations

import json
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

ADDRESSES = ("192.0.2.1", "2001:db8::1")
CONFIG = """schema = 1;
cluster = { name = "c"; hash_key_file = "hash.key"; hash_key_id = "k"; };
sites = ( { name = "ams"; } );
nodes = ( { name = "n"; site = "ams"; ports = ( { interface = "lo"; } ); tunnel_source = [ "10.255.0.0/24", "fd00:255::/64" ];
            announce = { daemon = "%(daemon)s"; socket = "/nonexistent/ctl"; table = %(table)d; }; }%(more)s );
pools = ( { name = "p"; site = "ams"; backends = ( { name = "b"; address = "10.0.0.1"; } ); } );
vips = ( { name = "v"; site = "ams"; addresses = [ %(addresses)s ]; }%(vips)s );
services = ( { name = "web"; protocol = "tcp"; port = 80; at = ( { site = "ams"; vip = "v"; pool = "p"; } ); }%(services)s );
"""
OTHER = """,
          { name = "o"; site = "ams"; ports = ( { interface = "lo"; } ); tunnel_source = [ "10.254.0.0/24", "fd00:254::/64" ];
            announce = { daemon = "bird"; }; }"""
# What a person asks of the node, as weir-mgmt writes it.
OVERRIDE = """  { id = "o1"; kind = "%s"; target = "node"; name = "n"; generation = "1"; created = "1970-01-01T00:00:00.000Z";
    from = "1970-01-01T00:00:00.000Z"; over = "0ms"; until = "never"; from_ppm = 0; ended = false; author = "me";
    reason = "upgrade"; node = "n"; }"""
PROGRAM, EFFECTIVE, PROOF = sys.argv[1:4]


def routes(table: int) -> set[str]:
    """Weir's routes in a table of this namespace."""
    found = set()
    for family in ("-4", "-6"):
        said = subprocess.run(["ip", family, "route", "show", "table", str(table), "proto", "177"], capture_output=True,
                              text=True, check=False).stdout
        found |= {line.split()[1] for line in said.splitlines() if line.startswith("blackhole ")}
    return found


class Scene(unittest.TestCase):
    def setUp(self) -> None:
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="weir-announce-"))
        self.processes: list[subprocess.Popen[str]] = []
        for name in ("conf", "state", "run", "bpf"):
            (self.top / name).mkdir()
        (self.top / "conf/hash.key").write_text("000102030405060708090a0b0c0d0e0f\n")

    def tearDown(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            for pipe in filter(None, (process.stdin, process.stdout)):
                pipe.close()
        for table in (100, 110, 177, 178):
            for family in ("-4", "-6"):
                subprocess.run(["ip", family, "route", "flush", "table", str(table)], capture_output=True, check=False)
        shutil.rmtree(self.top)

    def apply(self, daemon: str = "bird", addresses: typing.Sequence[str] = ADDRESSES, other: bool = False,
              asked: str = "", table: int = 177, many: int = 0, document: int = 1) -> None:
        """Write the effective document, as weir-mgmt does.

        @param asked  the kind of an override of the node
        @param many   further VIPs, of 16 addresses and a service each
        """
        vips = [f'{{ name = "v{i}"; site = "ams"; addresses = [ '
                + ", ".join(f'"198.18.{i}.{k}"' for k in range(16)) + " ]; }" for i in range(many)]
        services = [f'{{ name = "s{i}"; protocol = "tcp"; port = 80; at = ( {{ site = "ams"; vip = "v{i}"; pool = "p"; }} ); }}'
                    for i in range(many)]
        text = CONFIG % {"daemon": daemon, "more": OTHER if other else "", "table": table,
                         "vips": "".join(f",\n{v}" for v in vips), "services": "".join(f",\n{s}" for s in services),
                         "addresses": ", ".join(f'"{a}"' for a in addresses)}
        (self.top / "conf/weir.conf").write_text(text)
        new = self.top / "state/new.conf"
        subprocess.run([EFFECTIVE, self.top / "conf/weir.conf", "n", new], check=True)
        text = new.read_text().replace('document = "0"', f'document = "{document}"')
        if asked:
            text = text.replace("overrides = (\n);", f"overrides = (\n{OVERRIDE % asked}\n);")
            assert "upgrade" in text
        new.write_text(text)
        new.rename(self.top / "state/effective.conf")

    def start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen([PROGRAM, "--conf-dir", self.top / "conf", "--state-dir", self.top / "state", "--run-dir",
                                    self.top / "run", "--bpf-dir", self.top / "bpf", "--node", "n"],
                                   stderr=subprocess.DEVNULL, text=True)
        self.processes.append(process)
        return process

    def prove(self, driver: str = "xdp") -> subprocess.Popen[str]:
        process = subprocess.Popen([PROOF, self.top / "run", "1", driver, "v", *ADDRESSES], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True)
        self.processes.append(process)
        return process

    def say(self, process: subprocess.Popen[str], what: str) -> None:
        assert process.stdin
        process.stdin.write(what + "\n")
        process.stdin.flush()

    def expect(self, table: int, wanted: set[str], limit_s: float = 10) -> float:
        """Wait until a table has exactly these. @return how long it took"""
        began = time.monotonic()
        while routes(table) != wanted:
            if time.monotonic() - began > limit_s:
                self.fail(f"table {table} has {routes(table)}, not {wanted}")
            time.sleep(0.02)  # the pace of asking
        return time.monotonic() - began

    def stays(self, table: int, wanted: set[str], seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.assertEqual(routes(table), wanted)
            time.sleep(0.1)  # the pace of looking

    def request(self, line: dict[str, typing.Any]) -> typing.Any:
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(str(self.top / "run/announce.ctl"))
            s.sendall(json.dumps(line).encode() + b"\n")
            return json.loads(s.makefile().readline())

    def test_nothing_is_announced_before_it_is_proved(self) -> None:
        self.apply()
        self.start()
        self.stays(177, set(), 1.5)
        proof = self.prove()
        self.expect(177, set(ADDRESSES))
        self.assertEqual(routes(178), set())
        self.say(proof, "silent")
        self.stays(177, set(ADDRESSES), 3)

    def published(self, proof: subprocess.Popen[str], until: typing.Callable[[int, int, list[str]], bool]) -> tuple[int, int, list[str]]:
        """The first that is so of (document on the announce page, document of the conditions, their codes)."""
        end = time.monotonic() + 10
        while True:
            self.say(proof, "announced")
            assert proof.stdout
            page, conditions, *codes = proof.stdout.readline().split()
            if until(int(page), int(conditions), codes):
                return int(page), int(conditions), codes
            self.assertLess(time.monotonic(), end, f"{page} {conditions} {codes}")
            time.sleep(0.002)  # the pace of asking

    def test_what_a_document_changes_is_published_at_once(self) -> None:
        """weir-mgmt waits for it. Page and conditions are written by rounds, too, so only most of several tries show it."""
        self.apply()
        self.start()
        proof = self.prove()
        self.published(proof, lambda page, conditions, _: page == conditions == 1)
        at_once = 0
        for number in range(2, 14):
            if number % 2:
                (self.top / "state/effective.conf").write_text("no document")
                _, conditions, codes = self.published(proof, lambda page, conditions, codes: "document-refused" in codes)
                self.assertEqual(conditions, number - 1)
            self.apply(document=number)
            page, conditions, codes = self.published(proof, lambda page, conditions, _: number in (page, conditions))
            at_once += page == conditions
            self.assertFalse(conditions == number and "document-refused" in codes)
        self.assertGreaterEqual(at_once, 8)

    def test_a_port_that_is_down_withdraws_and_returns(self) -> None:
        self.apply()
        self.start()
        proof = self.prove()
        self.expect(177, set(ADDRESSES))
        self.say(proof, "port-down")
        self.expect(177, set())
        self.say(proof, "forwarded")  # no other node announces: no hold-down
        self.expect(177, set(ADDRESSES))

    def test_a_shared_cause_does_not_withdraw_the_last(self) -> None:
        self.apply()
        self.start()
        proof = self.prove()
        self.expect(177, set(ADDRESSES))
        for what in ("refused", "pools-down"):
            self.say(proof, what)
            self.stays(177, set(ADDRESSES), 1)

    def test_the_death_of_the_process_changes_nothing(self) -> None:
        self.apply()
        process = self.start()
        self.prove()
        self.expect(177, set(ADDRESSES))
        for number in (signal.SIGKILL, signal.SIGTERM):
            process.send_signal(number)
            process.wait()
            self.assertEqual(routes(177), set(ADDRESSES))
            process = self.start()
            self.stays(177, set(ADDRESSES), 1)

    def test_the_death_of_a_dpdk_dataplane_withdraws_within_200_ms(self) -> None:
        self.apply()
        self.start()
        proof = self.prove("dpdk")
        self.expect(177, set(ADDRESSES))
        proof.kill()
        proof.wait()
        took_s = self.expect(177, set())
        print(f"withdrawn {took_s * 1000:.0f} ms after the death", file=sys.stderr)
        self.assertLess(took_s, 2)  # 200 ms on an idle machine
        self.prove("dpdk")
        self.expect(177, set(ADDRESSES))

    def test_the_death_of_an_xdp_dataplane_changes_nothing(self) -> None:
        self.apply()
        self.start()
        proof = self.prove()
        self.expect(177, set(ADDRESSES))
        proof.kill()
        proof.wait()
        self.stays(177, set(ADDRESSES), 3)

    def test_the_death_of_an_xdp_dataplane_whose_ports_lost_the_program_withdraws(self) -> None:
        self.apply()
        self.start()
        for _ in range(2):
            proof = self.prove()
            self.say(proof, "bare")  # lo, which has no program: nothing is known against the living one
            self.expect(177, set(ADDRESSES), 60)
            self.stays(177, set(ADDRESSES), 1)
            proof.kill()
            proof.wait()
            self.assertLess(self.expect(177, set()), 4)

    def test_addresses_that_are_not_configured_any_more_go(self) -> None:
        self.apply()
        self.start()
        self.prove()
        self.expect(177, set(ADDRESSES))
        self.apply(addresses=ADDRESSES[:1])
        self.expect(177, set(ADDRESSES[:1]))
        self.apply(daemon="none")
        self.expect(177, set())

    def test_routes_of_former_tables_go(self) -> None:
        self.apply()
        process = self.start()
        proof = self.prove()
        self.expect(177, set(ADDRESSES))
        self.say(proof, "silent")
        self.apply(table=100)
        self.expect(100, set(ADDRESSES))  # without a new proof: nothing is withdrawn
        self.expect(177, set())
        process.kill()
        process.wait()
        self.apply(table=110)
        self.start()
        self.expect(110, set(ADDRESSES))
        self.expect(100, set())
        self.apply(daemon="none", table=177)
        self.expect(110, set())
        self.assertEqual(routes(177), set())

    def test_a_death_while_a_document_is_read_withdraws(self) -> None:
        self.apply(many=250)
        self.start()
        proof = self.prove("dpdk")
        self.expect(177, set(ADDRESSES), 30)
        document = self.top / "state/effective.conf"
        text = document.read_text()
        for n in range(20):  # each one is read after the one before
            (self.top / "state/new.conf").write_text(text)
            (self.top / "state/new.conf").rename(document)
            if n == 10:
                proof.kill()
                proof.wait()
                killed = time.monotonic()
        self.expect(177, set())
        took_s = time.monotonic() - killed
        print(f"withdrawn {took_s * 1000:.0f} ms after the death", file=sys.stderr)
        self.assertLess(took_s, 2)  # 200 ms on an idle machine

    def test_without_a_document_a_death_withdraws(self) -> None:
        self.apply()
        process = self.start()
        proof = self.prove("dpdk")
        self.expect(177, set(ADDRESSES))
        process.kill()
        process.wait()
        (self.top / "state/effective.conf").write_text("no document")
        self.start()
        self.stays(177, set(ADDRESSES), 1)
        proof.kill()
        proof.wait()
        self.expect(177, set())

    def test_a_hold_down_outlives_a_start_without_a_document(self) -> None:
        self.apply(other=True)
        process = self.start()
        proof = self.prove()
        self.expect(177, set(ADDRESSES))
        self.say(proof, "port-down")
        self.expect(177, set())
        process.kill()
        process.wait()
        document = self.top / "state/effective.conf"
        text = document.read_text()
        document.write_text("no document")
        self.say(proof, "forwarded")
        self.start()
        self.stays(177, set(), 1)
        (self.top / "state/new.conf").write_text(text)
        (self.top / "state/new.conf").rename(document)
        self.stays(177, set(), 2)

    def test_routes_of_others_stay(self) -> None:
        subprocess.run(["ip", "route", "add", "blackhole", "192.0.2.77/32", "table", "177", "proto", "99"], check=True)
        self.apply()
        self.start()
        self.prove()
        self.expect(177, set(ADDRESSES))
        said = subprocess.run(["ip", "route", "show", "table", "177"], capture_output=True, text=True, check=True).stdout
        self.assertIn("192.0.2.77", said)

    def test_without_a_document_nothing_is_touched(self) -> None:
        subprocess.run(["ip", "route", "add", "blackhole", "192.0.2.1/32", "table", "177", "proto", "177"], check=True)
        self.start()
        self.stays(177, {"192.0.2.1"}, 1.5)

    def test_a_person_drains_and_withdraws_the_node(self) -> None:
        self.apply()
        self.start()
        self.prove()
        self.expect(177, set(ADDRESSES))
        self.apply(asked="drain")
        self.expect(178, set(ADDRESSES))
        self.stays(177, set(ADDRESSES), 1)  # until the routing daemon shows the other route
        self.apply(asked="disable")
        self.expect(177, set())
        self.expect(178, set())
        self.apply()
        self.expect(177, set(ADDRESSES))
        self.assertEqual(routes(178), set())

    def test_a_stop_withdraws_all(self) -> None:
        self.apply()
        self.start()
        self.prove()
        self.expect(177, set(ADDRESSES))
        self.assertEqual(self.request({"do": "stop"}), {"ok": True, "left": 0})
        self.stays(177, set(), 1)

    def test_other_users_are_not_heard(self) -> None:
        self.apply()
        self.start()
        self.prove()
        self.expect(177, set(ADDRESSES))
        for path, mode in ((self.top, 0o711), (self.top / "run", 0o711), (self.top / "run/announce.ctl", 0o666)):
            path.chmod(mode)
        reads, writes = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.setuid(54321)
                os.write(writes, json.dumps(self.request({"do": "stop"})).encode())
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        os.close(writes)
        with os.fdopen(reads) as f:
            said = f.read()
        self.assertIn("only weir-mgmt and root", said)
        self.stays(177, set(ADDRESSES), 1)

    def test_questions_come_by_the_control_socket(self) -> None:
        self.apply(other=True)
        self.start()
        self.prove()
        self.expect(177, set(ADDRESSES))
        question = {"do": "question", "address": ADDRESSES[0], "from": "o", "incarnation": "0" * 16, "sent_ms": 1}
        # no neighbour is proved to get the route
        self.assertEqual(self.request(question), {"ok": True, "answer": "not-announced"})
        self.assertFalse(self.request({"do": "question"})["ok"])


if __name__ == "__main__":
    if os.environ.get("WEIR_IN_NAMESPACE") != "1":
        if os.geteuid() != 0:
            print("needs root, for a network namespace")
            sys.exit(77)
        os.environ["WEIR_IN_NAMESPACE"] = "1"
        os.execvp("unshare", ["unshare", "-n", "--", sys.executable, *sys.argv])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    result = unittest.main(argv=[sys.argv[0]], exit=False, verbosity=2).result
    bad = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - bad} passed, {bad} failed")
    sys.exit(1 if bad else 0)
