#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Files that were made from an old version, versions compared, keys of requests: over the API of a weir-mgmt.

Usage: test_old_file.py WEIR_MGMT
"""
from __future__ import annotations

import concurrent.futures
import os
import sys
import typing
import unittest

import counted
from api_node import Node, wait_for, was_changed

PROGRAM = os.path.abspath(sys.argv.pop(1))
B2 = 'name = "b2"; address = "10.1.1.12"; weight = 100'


class OldFile(unittest.TestCase):
    def setUp(self) -> None:
        self.node = Node(PROGRAM).start()
        self.first = self.node.ask("GET", "/v1/versions").json["items"][0]["etag"].strip('"')
        self.old = self.node.files()

    def tearDown(self) -> None:
        self.node.close()

    def weighs(self, weight: int) -> dict[str, typing.Any]:
        """The configuration with another weight of b2."""
        return self.node.files(B2, B2.replace("100", str(weight)))

    def test_what_others_changed_since_is_not_taken_back_unseen(self) -> None:
        node = self.node
        self.assertEqual(node.apply(self.weighs(60), author="ada").status, 201)
        refused = node.apply(self.old | {"weir.conf": self.old["weir.conf"].replace("# two sites", "# mine")}, base=self.first, author="jw")
        self.assertEqual((refused.status, refused.code), (412, "old-file"))
        self.assertIn("the file takes back 1 setting changed since version", refused.json["detail"])
        self.assertIn("pools/web-ams/backends/b2/weight is 60 (version 2 by ada), the file has 100", refused.json["detail"])
        self.assertEqual((refused.json["certain"], refused.json["n_takes_back"], refused.json["base"]), (True, 1, self.first))
        taken = refused.json["takes_back"][0]
        self.assertEqual((taken["now"], taken["file"], taken["version"], taken["author"]), ("60", "100", 2, "ada"))
        plan = node.ask("POST", "/v1/config/plan", {"files": self.old, "base": self.first})
        self.assertEqual((plan.status, plan.json["old_file"]["n_takes_back"]), (200, 1))  # told, not refused
        replaced = node.apply(self.old, base=self.first, replace=True)
        self.assertEqual((replaced.status, replaced.json["version"]["number"]), (201, 3))

    def test_what_a_zone_includes_is_the_zone_s(self) -> None:
        """A change of an included file alone is shown, has its risks, and is not taken back unseen."""
        node = self.node
        zone = self.old["shop.example.zone"] + '$INCLUDE "sub.inc"\n'
        records = [f"h{i} A 192.0.2.{i}\n" for i in range(1, 101)]
        including = lambda count: {**self.old, "shop.example.zone": zone, "sub.inc": "".join(records[:count])}  # noqa: E731
        self.assertEqual(node.apply(including(100), author="jw").status, 201)
        fewer = node.apply(including(1), query="?dry_run=true").json["plan"]
        self.assertEqual([c["path"] for c in fewer["changes"]], ["dns/zones/shop.example/contents"])
        self.assertTrue(fewer["risky"])
        self.assertIn("99 of its 103 record sets are removed", " ".join(fewer["risks"]))
        base = node.ask("GET", "/v1/versions").json["items"][0]["etag"].strip('"')
        self.assertEqual(node.apply(including(99), author="ada", confirm_within="none").status, 201)
        self.assertEqual([c["path"] for c in node.ask("GET", "/v1/versions/2/diff/3").json["changes"]], ["dns/zones/shop.example/contents"])
        for path in ("dns/zones/shop.example", "dns/zones/shop.example/contents"):
            blamed = {b["path"]: b["version"] for b in node.ask("GET", "/v1/blame?path=" + path).json["items"]}
            self.assertEqual(blamed["dns/zones/shop.example/contents"], 3)
        mine = including(100)
        mine["weir.conf"] = mine["weir.conf"].replace("# two sites", "# mine")
        refused = node.apply(mine, base=base, author="jw")
        self.assertEqual((refused.status, refused.code), (412, "old-file"))
        self.assertEqual([(t["path"], t["author"]) for t in refused.json["takes_back"]], [("dns/zones/shop.example/contents", "ada")])

    def test_what_nobody_changed_since_may_change(self) -> None:
        node = self.node
        self.assertEqual(node.apply(self.weighs(60)).status, 201)
        mine = self.weighs(60)
        mine["weir.conf"] = mine["weir.conf"].replace('name = "b1"; address = "10.1.1.11"; weight = 100', 'name = "b1"; address = "10.1.1.11"; weight = 90')
        self.assertEqual(node.apply(mine, base=self.first).status, 201)  # the same change is in the file
        self.assertEqual(node.apply(self.weighs(70), base="2").code, "old-file")  # b1 is 90 since
        head = node.ask("GET", "/v1/versions").json["items"][0]["etag"].strip('"')
        self.assertEqual(node.apply(self.old, base=head).status, 201)  # made from what is in force: a person's own will

    def test_what_has_ended_is_nobody_s_change(self) -> None:
        """The same change again and again, which nobody confirms: in force is what the file was made from."""
        for number in (2, 3, 4):
            a = self.node.apply(self.weighs(60), base=self.first, confirm_within="1s", author="jw")
            self.assertEqual((a.status, a.json.get("detail"), a.json["version"]["number"]), (201, None, number))
            wait_for("its end", lambda: self.node.ask("GET", "/v1/config").json["number"] == 1)
        # a file that was made from one of these: as if it were made from what that was made from
        self.assertEqual(self.node.apply(self.weighs(70), base="3", author="jw").status, 201)
        refused = self.node.apply(self.weighs(60), base="3", author="ada")
        self.assertEqual(refused.status, 412, refused.raw)
        self.assertEqual(refused.code, "old-file", refused.raw)

    def test_a_base_that_is_not_here_is_named(self) -> None:
        answer = self.node.apply(self.weighs(60), base="7")
        self.assertEqual((answer.status, answer.code), (412, "base-unknown"))
        self.assertIn("version 7, from which the file is said to be made, is not among the last 32 versions", answer.json["detail"])
        self.assertNotIn("takes_back", answer.json)
        answer = self.node.apply(self.weighs(60), base=self.first[:-1] + ("0" if self.first[-1] != "0" else "1"))
        self.assertEqual(answer.code, "base-unknown")  # the number alone is not enough
        self.assertEqual(self.node.apply(self.weighs(60), base="seven").status, 422)

    def test_of_a_base_that_is_not_here_all_is_told_that_is_known(self) -> None:
        node = self.node
        self.assertEqual(node.apply(self.weighs(60), author="ada").status, 201)
        answer = node.apply(self.old, base="v1-0123456789abcdef", author="jw")
        self.assertEqual((answer.status, answer.code, answer.json["certain"], answer.json["n_takes_back"]), (412, "base-unknown", False, 1))
        self.assertIn("is not known for certain; it takes back pools/web-ams/backends/b2/weight is 60 (version 2 by ada), the file has 100.",
                      answer.json["detail"])
        self.assertEqual((answer.json["takes_back"][0]["author"], answer.json["takes_back"][0]["version"]), ("ada", 2))
        self.assertEqual(node.apply(self.old, base="v1-0123456789abcdef", replace=True).status, 201)

    def test_a_restored_file_is_applied_as_it_is(self) -> None:
        """All nodes were installed again from a backup: its base is of a history that is lost."""
        node = self.node
        self.assertTrue(node.ask("GET", "/v1/versions").json["items"][0]["provisional"])
        answer = node.apply(self.old, base="v11-ec7800aa21670b5d")
        self.assertIn(answer.status, (200, 201))
        self.assertEqual(node.apply(self.weighs(60), base="v11-ec7800aa21670b5d").code, "base-unknown")

    def test_without_a_base_the_authors_last_change_counts(self) -> None:
        node = self.node
        self.assertEqual(node.apply(self.weighs(60), author="jw").status, 201)
        self.assertEqual(node.apply(self.weighs(80), author="ada").status, 201)
        refused = node.apply(self.weighs(60) | {"weir.conf": self.weighs(60)["weir.conf"] + "# more\n"}, base="unknown", author="jw")
        self.assertEqual((refused.code, refused.json["certain"]), ("old-file", False))
        self.assertIn("its author's last, or the oldest that is compared", refused.json["detail"])

    def test_a_file_that_is_older_than_the_authors_last_change_is_seen(self) -> None:
        node = self.node
        self.assertEqual(node.apply(self.weighs(60), author="ada").status, 201)
        self.assertEqual(node.apply(self.weighs(70), author="jw").status, 201)
        self.assertEqual(node.apply(self.weighs(80), author="ada").status, 201)
        for weight in (70, 60, 100):  # at jw's last change, before it, of the beginning
            more = self.weighs(weight)["weir.conf"] + "# more\n"
            refused = node.apply({**self.old, "weir.conf": more}, base="unknown", author="jw")
            self.assertEqual(refused.code, "old-file", weight)
            self.assertIn(f"weight is 80 (version 4 by ada), the file has {weight}", refused.json["detail"])
        self.assertEqual(node.apply(self.weighs(90), base="unknown", author="jw").status, 201)  # a value that it never had
        self.assertEqual(node.apply(self.weighs(100), base="unknown", author="jw").status, 201)  # nobody changed it since

    def test_versions_are_compared_by_lines_and_by_meaning(self) -> None:
        node = self.node
        self.assertEqual(node.apply(self.weighs(60)).status, 201)
        found = node.ask("GET", "/v1/versions/1/diff/2")
        self.assertEqual(found.status, 200)
        self.assertEqual((found.json["from"], found.json["to"]), (1, 2))
        self.assertEqual(found.json["changes"], [{"path": "pools/web-ams/backends/b2/weight", "kind": "changed", "from": "100", "to": "60"}])
        self.assertIn("-                 { " + B2, found.json["text"])
        self.assertIn("+                 { " + B2.replace("100", "60"), found.json["text"])
        back = node.ask("GET", "/v1/versions/2/diff/ams-1:1").json
        self.assertEqual((back["changes"][0]["from"], back["changes"][0]["to"], back["to_node"]), ("60", "100", "ams-1"))
        same = node.ask("GET", "/v1/versions/2/diff/2").json
        self.assertEqual((same["changes"], same["text"]), ([], ""))
        for side, status in (("9", 404), ("x", 404), ("fra-1", 404), ("fra-1:1", 404), ("0", 404)):
            self.assertEqual(node.ask("GET", f"/v1/versions/1/diff/{side}").status, status, side)

    def test_comparing_versions_leaves_nothing_on_the_disk(self) -> None:
        """Also of those that are not kept laid out any more, and of several at once."""
        node = self.node
        for k in range(12):
            self.assertEqual(node.apply(self.weighs(60 + k), confirm_within="none").status, 201)
        wait_for("what is not needed is removed", lambda: not any(".gone-" in name for name in self.laid_out()[1]))
        before = self.laid_out()
        self.assertGreater(12, len(before[1]))
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda k: node.ask("GET", f"/v1/versions/{k}/diff/{k + 1}"), [1, 2, 3, 12, 1, 2, 3, 12]))
        for a in answers:
            self.assertEqual((a.status, [c["path"] for c in a.json["changes"]]), (200, ["pools/web-ams/backends/b2/weight"]))
        wait_for("what was compared is removed", lambda: self.laid_out() == before)

    def laid_out(self) -> tuple[list[str], list[str]]:
        return sorted(os.listdir(self.node.state)), sorted(os.listdir(os.path.join(self.node.state, "config")))

    def test_a_key_carries_a_change_out_once(self) -> None:
        node, key = self.node, {"Idempotency-Key": "k-1"}
        first = node.drain(headers=key)
        again = node.drain(headers=key)
        self.assertEqual((first.status, again.status), (201, 201))
        self.assertEqual(first.json["override"]["id"], again.json["override"]["id"])
        self.assertFalse(was_changed(again.json["override"]))
        self.assertEqual(len(node.ask("GET", "/v1/overrides").json["items"]), 1)
        other = node.command("drain", {"site": "fra"}, headers=key, until="never", now=True)
        self.assertEqual((other.status, other.code), (422, "key-reused"))

    def test_lists_are_cut_at_the_limit_exactly(self) -> None:
        node = self.node
        for name in ("web-ams/b1", "web-ams/b2", "web-fra/b1"):
            pool, backend = name.split("/")
            self.assertEqual(node.command("force_up", {"pool": pool, "backend": backend}, until="never").status, 201)
        for limit, shown, more in ((1, 1, 2), (2, 2, 1), (3, 3, 0), (4, 3, 0)):
            found = node.ask("GET", f"/v1/overrides?limit={limit}").json
            self.assertEqual((len(found["items"]), found["more"]), (shown, more))

    def test_each_list_takes_a_limit(self) -> None:
        node = self.node
        paths = [p for p, item in node.ask("GET", "/v1/openapi.json").json["paths"].items()
                 if "get" in item and "{" not in p and not p.startswith("/v1/peer/")]
        lists = {p: whole for p in paths if "items" in (whole := node.ask("GET", p).json or {})}
        self.assertTrue({"/v1/drills", "/v1/health", "/v1/peers", "/v1/processes", "/v1/events"} <= lists.keys(), lists.keys())
        for path, whole in lists.items():
            cut = node.ask("GET", f"{path}?limit=1")
            self.assertEqual(cut.status, 200, path)
            self.assertEqual(len(cut.json["items"]), min(1, len(whole["items"])), path)
            if "more" in cut.json:
                self.assertEqual(cut.json["more"], max(0, len(whole["items"]) - 1), path)
            self.assertEqual(node.ask("GET", f"{path}?limit=0").status, 400, path)


if __name__ == "__main__":
    counted.main()
