#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Members that programs register at one node: in force, refused, taken away, kept over a restart.

Usage: test_members.py WEIR_MGMT
"""
from __future__ import annotations

import datetime
import re
import signal
import sys
import threading
import time
import typing
import unittest

from api_node import Node, ZONE, wait_for

if typing.TYPE_CHECKING:
    from api_node import Answer

PROGRAM = sys.argv.pop(1)
CONFIG = """schema = 1;
cluster = { name = "shop"; hash_key_file = "hash.key"; hash_key_id = "k1"; };
sites = ( { name = "ams"; } );
nodes = ( { name = "ams-1"; site = "ams"; ports = ( { interface = "eth1"; } ); tunnel_source = [ "10.1.255.0/24" ]; } );
pools = ( { name = "web"; site = "ams"; max_backends = 40; settle_time = "3s";
  registration = { prefixes = [ "10.1.0.0/16" ]; };
  backends = ( { name = "b1"; address = "10.1.1.11"; } ); },
  { name = "still"; site = "ams"; backends = ( { name = "b1"; address = "10.1.2.11"; } ); } );
vips = ( { name = "v"; site = "ams"; addresses = [ "203.0.113.10" ]; } );
services = ( { name = "web"; protocol = "tcp"; port = 80; at = ( { site = "ams"; vip = "v"; pool = "web"; } ); },
  { name = "still"; protocol = "tcp"; port = 81; at = ( { site = "ams"; vip = "v"; pool = "still"; } ); } );
"""
MEMBERS = "/v1/pools/web/members"


class Members(unittest.TestCase):
    def setUp(self) -> None:
        self.node = Node(PROGRAM, text=CONFIG).start()
        wait_for("a version", lambda: self.node.ask("GET", "/v1/pools/web").status == 200)

    def tearDown(self) -> None:
        self.node.close()

    def put(self, name: str, address: str, **more: typing.Any) -> Answer:
        return self.node.ask("PUT", f"{MEMBERS}/{name}", {"address": address, **more})

    def in_force(self, address: str, weight: int) -> bool:
        """Whether the newest set whose instant has come has the address with that weight."""
        now, sets = time.time(), []
        for pool, begin, members in re.findall(r'pool = "(\w+)"; from = "([^"]+)".*?members = \((.*?)\);', self.node.effective(), re.S):
            at = time.mktime(time.strptime(begin[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone + float(begin[19:-1])
            if pool == "web" and at <= now:
                sets.append(members)
        found = re.findall(r'address = "([^"]+)"; port = 0; weight = (\d+);', sets[-1]) if sets else []
        return (address, str(weight)) in found

    def names(self) -> list[str]:
        return [m["id"] for m in self.node.ask("GET", MEMBERS).json["items"]]

    def test_a_member_is_in_force_within_three_seconds_then_leaves_and_is_gone(self) -> None:
        a = self.put("p1", "10.1.3.1", weight=50, labels={"zone": "a", "rack": "7"})
        self.assertEqual((a.status, a.json["state"], a.json["outcome"]), (201, "joining", "joins"))
        wait_for("it to be in force", lambda: self.in_force("10.1.3.1", 50), 3.5)
        self.assertIn('registered = true', self.node.effective())
        one = self.node.ask("GET", f"{MEMBERS}/p1").json
        self.assertEqual((one["state"], one["weight"], one["labels"]), ("member", 50, {"rack": "7", "zone": "a"}))
        pool = self.node.ask("GET", "/v1/pools/web").json
        self.assertEqual([b["name"] for b in pool["backends"]], ["b1"])
        shown = self.node.ask("GET", "/v1/status?pool=web").json
        self.assertEqual({b["name"]: b.get("member") for b in shown["pools"][0]["backends"]}, {"b1": None, "p1": "registered"})
        a = self.put("p1", "10.1.3.1", weight=0)
        self.assertEqual(a.json["outcome"], "changes")
        wait_for("its weight", lambda: self.in_force("10.1.3.1", 0), 3.5)
        a = self.node.ask("DELETE", f"{MEMBERS}/p1")
        self.assertEqual((a.status, a.json["outcome"], a.json["state"]), (200, "leaves", "leaving"))
        self.assertEqual(self.node.ask("DELETE", f"{MEMBERS}/p1").json["outcome"], "absent")
        wait_for("it to be gone", lambda: 'name = "p1"' not in self.node.effective(), 12)
        self.assertEqual(self.node.ask("GET", f"{MEMBERS}/p1").status, 404)
        self.assertEqual(self.names(), [])

    def test_who_is_gone_stays_gone_when_settle_time_grows(self) -> None:
        self.put("p1", "10.1.3.1")
        wait_for("it to be in force", lambda: self.in_force("10.1.3.1", 100), 3.5)
        self.node.ask("DELETE", f"{MEMBERS}/p1")
        wait_for("it to be gone", lambda: 'name = "p1"' not in self.node.effective(), 12)
        a = self.node.apply({"weir.conf": CONFIG.replace('settle_time = "3s"', 'settle_time = "15m"')}, confirm_within="none")
        self.assertEqual(a.status, 201, a.raw)
        time.sleep(1)  # nothing is to come of it
        self.assertEqual(self.node.ask("GET", f"{MEMBERS}/p1").status, 404)
        self.assertEqual(self.names(), [])
        self.assertNotIn('name = "p1"', self.node.effective())

    def test_what_changes_nothing_renews(self) -> None:
        self.put("p1", "10.1.3.1", ttl="30s")
        before = self.node.ask("GET", f"{MEMBERS}/p1").json
        a = self.put("p1", "10.1.3.1", ttl="30s")
        self.assertEqual((a.status, a.json["outcome"], a.json["since"]), (200, "renewed", before["since"]))
        self.assertEqual(a.json["ttl_s"], 30)

    def test_each_mistake_is_refused_by_name(self) -> None:
        self.put("p1", "10.1.3.1")
        for what, name, body, status, code, text in (
                ("outside", "p2", {"address": "10.2.0.1"}, 422, "invalid", "none of registration.prefixes"),
                ("a static address", "p2", {"address": "10.1.1.11"}, 409, "in-use", "address of backend b1"),
                ("a static name", "b1", {"address": "10.1.3.2"}, 409, "in-use", "has a backend b1"),
                ("a member's address", "p2", {"address": "10.1.3.1"}, 409, "in-use", "address of member p1"),
                ("another address", "p1", {"address": "10.1.3.9"}, 409, "in-use", "has the address 10.1.3.1"),
                ("no address", "p2", {}, 422, "invalid", "address"),
                ("a number as a text", "p2", {"address": "10.1.3.2", "weight": "5"}, 422, "invalid", "weight"),
                ("too much weight", "p2", {"address": "10.1.3.2", "weight": 65536}, 422, "invalid", "weight"),
                ("a ttl of 0", "p2", {"address": "10.1.3.2", "ttl": "0"}, 422, "invalid", "ttl"),
                ("a ttl of 4 s", "p2", {"address": "10.1.3.2", "ttl": "4s"}, 422, "invalid", "ttl"),
                ("a ttl of a year", "p2", {"address": "10.1.3.2", "ttl": "365d"}, 422, "invalid", "ttl"),
                ("an unknown member", "p2", {"address": "10.1.3.2", "wieght": 5}, 422, "invalid", "wieght"),
                ("five labels", "p2", {"address": "10.1.3.2", "labels": {k: "v" for k in "abcde"}}, 422, "invalid", "labels"),
                ("a long label", "p2", {"address": "10.1.3.2", "labels": {"a": "v" * 95}}, 422, "invalid", "labels"),
                ("a name", "P2", {"address": "10.1.3.2"}, 404, "not-found", "P2")):
            with self.subTest(what):
                a = self.node.ask("PUT", f"{MEMBERS}/{name}", body)
                self.assertEqual((a.status, a.code), (status, code), a.raw)
                self.assertIn(text, a.raw.decode())
        self.assertEqual(self.node.ask("PUT", "/v1/pools/still/members/p1", {"address": "10.1.3.2"}).status, 422)
        self.assertEqual(self.node.ask("PUT", "/v1/pools/none/members/p1", {"address": "10.1.3.2"}).status, 404)
        self.assertEqual(self.node.ask("DELETE", f"{MEMBERS}/b1").status, 404)
        raw = '{"address": "10.1.3.2", "address": "10.1.3.3"}'
        self.assertIn(self.node.ask("PUT", f"{MEMBERS}/p2", raw=raw).status, (400, 422))
        self.assertEqual(self.names(), ["p1"])

    def test_a_name_too_long_is_not_cut_to_anothers(self) -> None:
        longest = "n" * 63
        self.assertEqual(self.node.ask("PUT", f"{MEMBERS}/{longest}", {"address": "10.1.3.99"}).status, 201)
        self.assertEqual(self.node.ask("DELETE", f"{MEMBERS}/{longest}n").status, 404)
        self.assertEqual(self.node.ask("GET", f"{MEMBERS}/{longest}").json["leaves"], None)
        self.assertEqual(self.node.ask("DELETE", f"{MEMBERS}/{longest}").status, 200)

    def test_a_batch_is_done_whole_or_not(self) -> None:
        put = [{"id": f"p{i}", "address": f"10.1.4.{i + 1}"} for i in range(30)]
        a = self.node.ask("POST", MEMBERS, {"put": put})
        self.assertEqual(a.status, 200, a.raw)
        self.assertEqual({i["outcome"] for i in a.json["items"]}, {"joins"})
        more = [{"id": f"q{i}", "address": f"10.1.5.{i + 1}"} for i in range(10)]
        a = self.node.ask("POST", MEMBERS, {"put": more})
        self.assertEqual((a.status, a.code), (409, "too-many"))
        for bad in ({"id": "q9", "address": "10.2.0.1"}, {"id": "q0", "address": "10.1.5.99"}, {"id": "q8", "address": "10.1.5.1"}):
            a = self.node.ask("POST", MEMBERS, {"put": more[:3] + [bad]})
            self.assertEqual(a.status, 422, a.raw)
        self.assertEqual(len(self.names()), 30)
        a = self.node.ask("POST", MEMBERS, {"put": more[:2], "delete": ["p0", "nobody"]})
        self.assertEqual([i["outcome"] for i in a.json["items"]], ["joins", "joins", "leaves", "absent"])
        empty = self.node.ask("POST", MEMBERS, {})
        self.assertEqual((empty.status, empty.json), (200, {"items": []}))
        many = [{"id": f"m{i}", "address": f"10.1.{i // 250}.{i % 250}"} for i in range(100000)]
        self.assertIn(self.node.ask("POST", MEMBERS, {"put": many}).status, (413, 422))
        page = self.node.ask("GET", MEMBERS + "?limit=20").json
        rest = self.node.ask("GET", MEMBERS + "?limit=20&cursor=" + page["next"]).json
        self.assertEqual(len(page["items"]) + len(rest["items"]), 32)
        self.assertIsNone(rest["next"])
        self.assertEqual([m["id"] for m in self.node.ask("GET", MEMBERS + "?filter=state=leaving").json["items"]], ["p0"])
        for wrong in ("foo=1", "states=leaving", "label.zone=a"):
            a = self.node.ask("GET", MEMBERS + "?filter=" + wrong)
            self.assertEqual((a.status, a.code), (400, "bad-request"), a.raw)
        self.assertEqual(self.node.ask("GET", MEMBERS + "?filter=labels.zone=a").json["items"], [])

    def test_a_batch_that_others_write_too_says_how_much_is_written(self) -> None:
        a = self.node.apply({"weir.conf": CONFIG.replace("max_backends = 40", "max_backends = 1000")}, confirm_within="none")
        self.assertEqual(a.status, 201, a.raw)
        answers: list[Answer] = []

        def write(weight: int) -> None:
            put = [{"id": f"p{i}", "address": f"10.1.{4 + i // 200}.{i % 200 + 1}", "weight": weight} for i in range(250)]
            answers.append(self.node.ask("POST", MEMBERS, {"put": put}))
        threads = [threading.Thread(target=write, args=(weight,)) for weight in range(1, 9)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertIn(200, [a.status for a in answers])
        for a in answers:
            if a.status != 200:
                self.assertRegex(a.json["detail"], r"[0-9]+ of these (changes )?are written")

    def test_the_last_one_is_not_taken(self) -> None:
        a = self.node.command("drain", {"pool": "web", "backend": "b1"}, until="never", override_guards=["last-backend"])
        self.assertIn(a.status, (200, 201), a.raw)
        self.put("p1", "10.1.3.1")
        wait_for("it to be a backend", lambda: "10.1.3.1" in self.node.effective())
        a = self.node.ask("DELETE", f"{MEMBERS}/p1")
        self.assertEqual((a.status, a.code), (409, "guard"))
        a = self.node.ask("DELETE", f"{MEMBERS}/p1?override=last-backend")
        self.assertEqual(a.status, 200)

    def test_the_last_one_is_not_taken_by_requests_close_together(self) -> None:
        self.node.command("drain", {"pool": "web", "backend": "b1"}, until="never", override_guards=["last-backend"])
        names = ["p1", "p2", "p3"]
        for kind in ("one after the other", "together", "by weight"):
            with self.subTest(kind):
                for i, name in enumerate(names):
                    self.put(name, f"10.1.3.{i + 1}")
                wait_for("all to be in force", lambda: all(self.in_force(f"10.1.3.{i + 1}", 100) for i in range(3)))
                answers: list[int] = []

                def take(name: str, i: int, kind: str = kind, answers: list[int] = answers) -> None:
                    answers.append((self.put(name, f"10.1.3.{i + 1}", weight=0) if kind == "by weight" else
                                    self.node.ask("DELETE", f"{MEMBERS}/{name}")).status)
                threads = [threading.Thread(target=take, args=(name, i)) for i, name in enumerate(names)]
                for t in threads:
                    t.start()
                    if kind != "together":
                        t.join()
                for t in threads:
                    t.join()
                self.assertEqual(sorted(answers), [200, 200, 409])
                self.assertEqual(len([m for m in self.node.ask("GET", MEMBERS).json["items"] if m["weight"]]), 1)
        left = [m["id"] for m in self.node.ask("GET", MEMBERS).json["items"] if not m["weight"]]
        self.assertEqual({self.node.ask("DELETE", f"{MEMBERS}/{name}").status for name in left}, {200})

    def test_a_member_outlives_a_kill(self) -> None:
        for i in range(5):
            self.assertEqual(self.put(f"p{i}", f"10.1.3.{i + 1}", ttl="5s").status, 201)
        self.node.stop(signal.SIGKILL)
        self.node.start()
        self.assertEqual(self.names(), [f"p{i}" for i in range(5)])
        self.assertIn("10.1.3.5", self.node.effective())

    def test_a_ttl_that_ends_has_no_consequence_but_where_it_is_drained(self) -> None:
        self.put("p1", "10.1.3.1", ttl="5s")
        wait_for("its end", lambda: self.node.ask("GET", f"{MEMBERS}/p1").json["state"] == "expired", 20)
        time.sleep(2)  # nothing is to come of it
        self.assertEqual(self.node.ask("GET", f"{MEMBERS}/p1").json["state"], "expired")
        a = self.node.apply({"weir.conf": CONFIG.replace('"10.1.0.0/16" ]; }', '"10.1.0.0/16" ]; on_expiry = "drain"; }')}, confirm_within="none")
        self.assertEqual(a.status, 201, a.raw)
        wait_for("the leave", lambda: self.node.ask("GET", f"{MEMBERS}/p1").json["state"] == "leaving", 20)
        self.assertEqual(self.put("p1", "10.1.3.1", ttl="5s").json["outcome"], "joins")
        self.assertEqual(self.node.ask("DELETE", f"{MEMBERS}/p1").json["outcome"], "leaves")
        wait_for("its record to go", lambda: "members-forgotten" in self.node.log(), 30)

    def test_a_renewed_member_is_not_expired_and_a_restart_gives_a_whole_ttl(self) -> None:
        self.put("p1", "10.1.3.1", ttl="5s")
        for _ in range(7):
            time.sleep(2)  # the pace of the renewals
            self.assertEqual(self.put("p1", "10.1.3.1", ttl="5s").json["outcome"], "renewed")
        self.assertNotEqual(self.node.ask("GET", f"{MEMBERS}/p1").json["state"], "expired")
        time.sleep(8)  # most of a ttl and its grace
        self.node.stop(signal.SIGKILL)
        self.node.start()
        time.sleep(4)  # less than a whole one
        self.assertEqual(self.node.ask("GET", f"{MEMBERS}/p1").json["state"], "member")

    def test_a_drain_of_a_member_is_a_drain_of_a_backend(self) -> None:
        self.put("p1", "10.1.3.1")
        wait_for("it to be in force", lambda: self.in_force("10.1.3.1", 100), 3.5)
        a = self.node.command("drain", {"pool": "web", "backend": "p1"}, until="never")
        self.assertIn(a.status, (200, 201), a.raw)
        wait_for("the drain", lambda: self.in_force("10.1.3.1", 0), 3.5)

    def test_a_change_that_leaves_members_out_says_so(self) -> None:
        for i in range(4):
            self.put(f"p{i}", f"10.1.3.{i}")

        def risks(old: str, new: str) -> list[str]:
            a = self.node.apply({"weir.conf": CONFIG.replace(old, new)}, query="?dry_run=true")
            self.assertEqual(a.status, 200, a.raw)
            return [r for r in a.json["plan"]["risks"] if "have no place" in r]

        self.assertEqual(risks("max_backends = 40", "max_backends = 5"), [])
        for smaller, left in ((4, 1), (2, 3)):
            found = risks("max_backends = 40", f"max_backends = {smaller}")
            self.assertEqual(len(found), 1)
            self.assertIn(f"pool web: {left} of 4 registered backends", found[0])
        self.assertIn("4 of 4", risks('"10.1.0.0/16"', '"10.1.8.0/24"')[0])
        gone = max(self.node.ask("DELETE", f"{MEMBERS}/p{i}").json["gone"] for i in range(4))
        self.assertTrue(risks("max_backends = 40", "max_backends = 2"))  # they have flows still
        at = datetime.datetime.fromisoformat(gone.replace("Z", "+00:00")).timestamp()
        wait_for("all are gone, and still on record", lambda: time.time() > at + 0.3, 12)
        self.assertEqual(risks("max_backends = 40", "max_backends = 2"), [])

    def test_a_version_without_registration_ends_members(self) -> None:
        self.put("p1", "10.1.3.1")
        wait_for("it to be in force", lambda: self.in_force("10.1.3.1", 100), 3.5)
        files = {"weir.conf": CONFIG.replace('registration = { prefixes = [ "10.1.0.0/16" ]; };', "")}
        a = self.node.apply(files, confirm_within="none")
        self.assertEqual(a.status, 201, a.raw)
        self.assertIn("registration", str(a.json["plan"]))
        wait_for("it to be none", lambda: not self.in_force("10.1.3.1", 100), 4)
        self.assertEqual(self.node.ask("GET", f"{MEMBERS}/p1").json["state"], "left_out")
        again = self.node.apply({"weir.conf": CONFIG + "# again\n"}, confirm_within="none")
        self.assertEqual(again.status, 201, again.raw)
        wait_for("it to be back", lambda: self.in_force("10.1.3.1", 100), 4)
        both = CONFIG.replace('{ name = "b1"; address = "10.1.1.11"; }', '{ name = "b1"; address = "10.1.1.11"; }, { name = "p1"; address = "10.1.7.7"; }')
        a = self.node.apply({"weir.conf": both}, confirm_within="none")
        self.assertEqual((a.status, a.code), (422, "mistakes"), a.raw)
        self.assertIn("member", a.raw.decode())
        self.assertIn("DELETE", a.raw.decode())
        self.assertEqual(self.node.ask("DELETE", f"{MEMBERS}/p1").json["outcome"], "leaves")
        a = self.node.apply({"weir.conf": both}, confirm_within="none")
        self.assertEqual((a.status, a.code), (422, "mistakes"), a.raw)
        self.assertIn("it is gone at 20", a.raw.decode())
        self.assertNotIn("DELETE", a.raw.decode())

    def test_many_at_once_are_few_transactions(self) -> None:
        errors: list[bytes] = []

        def writer(k: int) -> None:
            for i in range(4):
                a = self.put(f"w{k}-{i}", f"10.1.{10 + k}.{i + 1}")
                if a.status != 201:
                    errors.append(a.raw)
        threads = [threading.Thread(target=writer, args=(k,)) for k in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(errors, [])
        self.assertEqual(len(self.names()), 32)


if __name__ == "__main__":
    unittest.main(verbosity=2)
