#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What weir-mgmt and weir show of weir-announce, with real processes in a network namespace and a proof page that is played.

test_shown.py WEIR_ANNOUNCE PROOF_TOOL WEIR_MGMT WEIR
"""
from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import typing
import unittest

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "mgmt"))
from api_node import Node, wait_for  # noqa: E402
import counted  # noqa: E402
from metrics_lint import lint, values  # noqa: E402

ADDRESSES = ("192.0.2.1", "2001:db8::1")
CONFIG = """schema = 1;
cluster = { name = "c"; hash_key_file = "hash.key"; hash_key_id = "k"; };
sites = ( { name = "ams"; }, { name = "fra"; } );
nodes = ( { name = "ams-1"; site = "ams"; ports = ( { interface = "lo"; } ); tunnel_source = [ "10.255.0.0/24", "fd00:255::/64" ];
            announce = { daemon = "%s"; socket = "/nonexistent/ctl"; }; } );
pools = ( { name = "p"; site = "ams"; backends = ( { name = "b"; address = "10.0.0.1"; } ); } );
vips = ( { name = "v"; site = "ams"; addresses = [ "192.0.2.1", "2001:db8::1" ]; },
         { name = "far"; site = "fra"; addresses = [ "192.0.2.9" ]; } );
services = ( { name = "web"; protocol = "tcp"; port = 80; at = ( { site = "ams"; vip = "v"; pool = "p"; } ); } );
"""
ANNOUNCE, PROOF, MGMT, WEIR = (os.path.abspath(path) for path in sys.argv[1:5])
del sys.argv[1:5]
Json = dict[str, typing.Any]


class Scene(unittest.TestCase):
    daemon = "bird"

    def setUp(self) -> None:
        self.node = Node(MGMT, text=CONFIG % self.daemon).start()
        self.processes: list[subprocess.Popen[str]] = []

    def tearDown(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
            if process.stdin:
                process.stdin.close()
        self.node.close()
        for family in ("-4", "-6"):
            subprocess.run(["ip", family, "route", "flush", "table", "177"], capture_output=True, check=False)

    def begin(self, command: list[str]) -> subprocess.Popen[str]:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.processes.append(process)
        return process

    def directories(self) -> list[str]:
        return ["--conf-dir", self.node.conf, "--state-dir", self.node.state, "--run-dir", self.node.run, "--bpf-dir",
                self.node.dir.name, "--node", self.node.name]

    def start(self) -> subprocess.Popen[str]:
        return self.begin([ANNOUNCE, *self.directories()])

    def prove(self) -> subprocess.Popen[str]:
        return self.begin([PROOF, self.node.run, str(self.status()["document"]), "xdp", "v", *ADDRESSES])

    def weir(self, *words: str) -> str:
        return subprocess.run([WEIR, *words, *self.directories()], capture_output=True, text=True, check=False).stdout

    def status(self) -> Json:
        return self.node.ask("GET", "/v1/status").json

    def announcements(self, query: str = "") -> Json:
        return self.node.ask("GET", "/v1/announcements" + query).json

    def items(self) -> list[Json]:
        return self.announcements()["items"]

    def reasons(self) -> dict[str, Json]:
        return {f"{r['code']} {r['subject']}": r for r in self.status()["reasons"]}


class Announcing(Scene):
    def test_without_the_process_all_is_unknown(self) -> None:
        status = self.status()
        self.assertEqual([p["process"] for p in status["processes"]], ["dataplane", "health", "dns", "announce", "mgmt"])
        self.assertEqual({p["process"]: p["state"] for p in status["processes"]}["announce"], "absent")
        self.assertIn("process-silent weir-announce", self.reasons())
        announced = status["announcements"]
        self.assertEqual(announced["counts"], {"all": 2, "standing_out": 2, "normal": 0, "shutdown": 0, "none": 0, "unknown": 2})
        self.assertEqual(announced["daemon"]["state"], "unknown")
        for item in announced["items"]:
            self.assertEqual([item[key] for key in ("intended", "proved", "exported", "reason", "exported_to", "since")],
                             ["unknown", "unknown", "unknown", "unknown", None, None])
        self.assertIn("is in an unknown state", self.weir("why", "vip", "v"))

    def test_what_is_announced_is_shown_everywhere(self) -> None:
        self.start()
        waiting = wait_for("it waits", lambda: [i for i in self.items() if i["reason"] == "waiting"])
        self.assertEqual(len(waiting), 2)
        self.assertEqual((waiting[0]["intended"], waiting[0]["proved"]), ("none", "unknown"))
        self.assertIn("needs      probe-packet: not known; if it lasts: ", self.weir("why", "vip", "v"))
        proof = self.prove()
        wait_for("both are announced", lambda: [i["intended"] for i in self.items()] == ["normal"] * 2)
        item = self.announcements("?vip=v&limit=1")["items"][0]
        self.assertEqual((item["vip"], item["address"], item["proved"], item["needs"], item["held_ms"]), ("v", "192.0.2.1", "yes", [], 0))
        self.assertTrue(item["since"])
        # There is no daemon: what neighbours get is unknown, and that is said as long as it is so.
        self.assertEqual((item["exported"], item["exported_to"]), ("unknown", None))
        self.assertEqual(self.announcements()["daemon"]["state"], "absent")
        wait_for("the condition", lambda: "routing-daemon bird" in self.reasons())
        wait_for("its event", lambda: any(
            e["kind"] == "condition" and e["message"].startswith("routing-daemon began")
            for e in self.node.ask("GET", "/v1/events?limit=1000").json["items"]))
        self.assertIn("192.0.2.1 is announced (kernel table 177) since ", self.weir("why", "vip", "v"))
        self.assertIn("announces  bird absent", self.weir("status"))
        self.refuse(proof)

    def refuse(self, proof: subprocess.Popen[str]) -> None:
        """The last announcement stays, and the status says against what."""
        assert proof.stdin
        proof.stdin.write("refused\n")
        proof.stdin.flush()
        wait_for("it is kept", lambda: [i["reason"] for i in self.items()] == ["kept-unconfirmed"] * 2)
        item = self.items()[0]
        self.assertEqual((item["intended"], item["proved"]), ("normal", "no"))
        self.assertEqual([(n["fact"], n["state"]) for n in item["needs"]], [("probe-packet", "no")])
        wait_for("the condition", lambda: "announced-against-evidence v 192.0.2.1" in self.reasons())

    def test_metrics_have_each_address_and_the_process(self) -> None:
        self.start()
        self.prove()
        wait_for("both are announced", lambda: [i["intended"] for i in self.items()] == ["normal"] * 2)
        text = self.node.ask("GET", "/metrics").raw.decode()
        self.assertEqual(lint(text), [])
        seen = values(text)
        labels = 'vip="v",address="192.0.2.1"'
        self.assertEqual(seen[("weir_announcement_state", labels + ',state="normal"')], 1)
        self.assertEqual(seen[("weir_announcement_state", labels + ',state="unknown"')], 0)
        self.assertEqual(seen[("weir_announcement_reason", labels + ',reason="announced"')], 1)
        self.assertEqual(seen[("weir_announcement_proved", labels)], 1)
        self.assertNotIn(("weir_announcement_exported", labels), seen)  # it is not known
        self.assertEqual(seen[("weir_announce_daemon_answers", "")], 0)
        self.assertEqual(seen[("weir_process_up", 'process="announce"')], 1)
        self.assertEqual(seen[("weir_announce_addresses", 'process="announce",table="normal"')], 2)

    def test_a_dead_process_leaves_all_unknown_and_is_named(self) -> None:
        process = self.start()
        self.prove()
        wait_for("both are announced", lambda: [i["intended"] for i in self.items()] == ["normal"] * 2)
        process.kill()
        process.wait()
        wait_for("all is unknown", lambda: [i["intended"] for i in self.items()] == ["unknown"] * 2)
        self.assertIn("process-silent weir-announce", self.reasons())
        self.assertNotIn("weir_announce_daemon_answers", self.node.ask("GET", "/metrics").raw.decode())

    def test_what_does_not_exist_is_refused(self) -> None:
        self.assertEqual(self.node.ask("GET", "/v1/announcements?vip=none").status, 404)
        self.assertEqual(self.node.ask("GET", "/v1/announcements?limit=0").status, 400)
        self.assertEqual(self.announcements("?vip=far")["items"], [])
        self.assertIn("not configured to announce VIP far", self.weir("why", "vip", "far"))

    def test_status_without_management_shows_the_same(self) -> None:
        self.start()
        self.prove()
        wait_for("both are announced", lambda: [i["intended"] for i in self.items()] == ["normal"] * 2)
        self.node.stop()
        body = json.loads(self.weir("status", "--json"))
        self.assertEqual([i["intended"] for i in body["announcements"]["items"]], ["normal"] * 2)
        self.assertIn("announce", [p["process"] for p in body["processes"]])
        self.assertIn("announces  bird absent", self.weir("status"))


class Handbook(unittest.TestCase):
    def test_the_handbook_says_what_each_reason_and_condition_means(self) -> None:
        root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..")

        def read(path: str) -> str:
            with open(os.path.join(root, path)) as f:
                return f.read()
        header = read("include/weir/announce.h")
        reasons = re.findall(r'X\(\w+, "([a-z-]+)"', header[header.index("define ANNOUNCE_REASONS"):header.index("ANNOUNCE_REASON_ENUM")])
        codes = re.findall(r'conditions_add\(a->stats, "([a-z-]+)"', read("announce/published.c"))
        codes += re.findall(r'= \{ "([a-z-]+)",\s+CONDITION_', read("announce/published.c"))
        self.assertGreater(len(reasons), 15)
        self.assertGreater(len(codes), 3)
        handbook = read("docs/handbook.md")
        self.assertEqual([word for word in [*reasons, *codes] if f"| `{word}` |" not in handbook], [])


class NotAnnouncing(Scene):
    daemon = "none"

    def test_a_node_without_a_daemon_shows_nothing_new(self) -> None:
        status = self.status()
        self.assertEqual([p["process"] for p in status["processes"]], ["dataplane", "health", "dns", "mgmt"])
        self.assertNotIn("announcements", status)
        self.assertNotIn("process-silent weir-announce", self.reasons())
        self.assertNotIn("announce", self.node.ask("GET", "/metrics").raw.decode())
        self.assertNotIn("announces", self.weir("status"))
        self.assertEqual(self.announcements(), {"node": "ams-1", "document": None, "daemon": None, "counts": None, "items": []})
        self.assertIn("this node announces nothing", self.weir("why", "vip", "v"))
        self.assertNotIn("<h2>Announcements", self.node.ask("GET", "/").raw.decode())


if __name__ == "__main__":
    if os.environ.get("WEIR_IN_NAMESPACE") != "1":
        if os.geteuid() != 0:
            print("needs root, for a network namespace")
            sys.exit(77)
        os.environ["WEIR_IN_NAMESPACE"] = "1"
        os.execvp("unshare", ["unshare", "-n", "--", sys.executable, sys.argv[0], ANNOUNCE, PROOF, MGMT, WEIR, *sys.argv[1:]])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    counted.main()
