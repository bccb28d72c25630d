#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What the command line asks for and prints, against canned answers; and the agent's commands on a real kernel.

Usage: test_cli_texts.py WEIR SOURCE_ROOT
"""
from __future__ import annotations

import base64
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import typing
import unittest
import unittest.suite

import counted
import test_cli
from test_cli import DRAIN, DRAINED, STATUS, WEIR

DRAIN_WITHOUT = {k: v for k, v in DRAINED.items() if k not in ("guards", "receivers")}


class Texts(test_cli.WithApi):
    """Inherits the canned API, not its tests: see load_tests()."""

    def shown(self, receiver: dict[typing.Any, typing.Any]) -> str:
        """The line of one receiver of a drain."""
        self.api.answers["/v1/overrides"] = (201, {**DRAINED, "receivers": [receiver]})
        return next(line for line in self.weir(*DRAIN).stdout.splitlines() if "share" in line)

    def test_rates_have_the_unit_that_people_use(self) -> None:
        for bits, text in ((0, "0 bit/s"), (999, "999 bit/s"), (1000, "1 kbit/s"), (1500000, "1.5 Mbit/s"), (10 ** 9, "1 Gbit/s"),
                           (10 ** 12, "1 Tbit/s"), (2 * 10 ** 15, "2000 Tbit/s")):
            line = self.shown({"site": "fra", "weight_ppm_before": 0, "weight_ppm_after": 250000, "bits_per_s": bits, "bits_per_s_after": bits})
            self.assertIn(f"share   0.0 % ->  25.0 %, {text} -> {text}", line)
        line = self.shown({"site": "fra", "weight_ppm_before": 1000000, "weight_ppm_after": 0})
        self.assertIn("100.0 % ->   0.0 %, load not known", line)
        self.assertNotIn("load", self.shown({"backend": "b1", "weight_ppm_before": 1, "weight_ppm_after": 2}))

    def test_the_exit_status_says_where_a_change_is_in_force(self) -> None:
        for states, status in ((("in_force", "unreachable"), 6), (("agreed", "differs"), 6), (("in_force", "not_written"), 6),
                               (("unreachable", "not_written"), 5), (("in_force", "pending"), 5), (("pending", "pending"), 5),
                               (("in_force", "refused"), 8), (("refused", "unreachable"), 8)):
            nodes = [{"node": f"n{i}", "state": state} for i, state in enumerate(states)]
            for complete, expected in ((False, status), (True, 0)):
                self.api.answers["/v1/overrides"] = (202, {**DRAINED, "complete": complete, "nodes": nodes})
                self.assertEqual(self.weir(*DRAIN).returncode, expected, (states, complete))

    def test_files_that_are_too_many_for_one_request_go_up_in_parts(self) -> None:
        large = os.urandom(1 << 20) * 9
        contents = {f"z{i:03}": b"; %d\n" % i for i in range(300)} | {"large": large}
        for name, content in contents.items():
            with open(os.path.join(self.dir, name), "wb") as f:
                f.write(content)
        with open(os.path.join(self.dir, "weir.conf"), "w") as f:
            f.writelines(f'file = "{name}"\n' for name in contents)
        # the node has a part of the large one, which is the first by its name, and the whole of another
        names = sorted([*contents, "weir.conf"])
        self.api.answers["/v1/files"] = (200, {"files": [
            {"have": 1000 if name == "large" else 0, "complete": name == "z007"} for name in names]})
        self.api.answers["/v1/config/plan"] = (200, {"changed": False})
        done = self.weir("plan")
        self.assertEqual((done.returncode, done.stdout.split("\n")[0]), (0, "nothing changes"), done.stderr)
        posted = [body["parts"] for _, path, body, _ in self.api.requests if path == "/v1/files"]
        self.assertEqual([len(posted[0]), {tuple(sorted(p)) for p in posted[0]}], [len(names), {("bytes", "digest")}])
        got: dict[typing.Any, typing.Any] = {}
        for part in (part for request in posted[1:] for part in request):
            so_far = got.setdefault(part["digest"], bytearray(1000 if part["bytes"] == len(large) else 0))
            self.assertEqual(part["offset"], len(so_far))
            so_far += base64.b64decode(part["data"])
            self.assertLessEqual(len(part["data"]), (4 << 20) // 3 * 4 + 4)
        wanted = {hashlib.sha256(content).hexdigest(): content for name, content in contents.items() if name != "z007"}
        self.assertEqual(set(got) - set(wanted), {hashlib.sha256(pathlib.Path(self.dir, "weir.conf").read_bytes()).hexdigest()})
        for digest, content in wanted.items():
            first = 1000 if content is large else 0
            self.assertTrue(got[digest][first:] == content[first:], len(content))
        named = [body for _, path, body, _ in self.api.requests if path == "/v1/config/plan"][0]["files"]
        self.assertEqual(named["large"], {"digest": hashlib.sha256(large).hexdigest(), "bytes": len(large)})
        self.assertEqual(set(named), set(names))

    def test_guards_are_split_at_commas_and_empty_ones_are_none(self) -> None:
        self.api.answers["/v1/overrides"] = (201, DRAINED)
        for given, asked in (("room", ["room"]), ("room,last-site", ["room", "last-site"]), (",room,,last-site,", ["room", "last-site"]), (",", [])):
            self.weir(*DRAIN, "--override", given)
            self.assertEqual(self.api.requests[-1][2]["override_guards"], asked)

    def test_targets_are_split_at_the_first_slash(self) -> None:
        self.api.answers["/v1/overrides"] = (201, DRAINED)
        self.weir("drain", "backend", "web-ams/b1", "--until", "never", "--reason", "x")
        self.assertEqual(self.api.requests[-1][2]["target"], {"pool": "web-ams", "backend": "b1"})
        self.weir("force-up", "backend", "p/b", "--until", "never", "--reason", "x", "--author", "ada")
        self.assertEqual(self.api.requests[-1][2], {"do": "force_up", "target": {"pool": "p", "backend": "b"}, "until": "never", "reason": "x",
                                                 "author": "ada"})

    def test_what_ends_something_needs_no_reason_and_says_that_there_was_none(self) -> None:
        self.api.answers["/v1/overrides"] = (200, DRAIN_WITHOUT)
        for command, what in (("undrain", "undrain"), ("enable", "enable"), ("hold", "hold")):
            self.weir(command, "site", "ams", *(("--scheduled",) if command == "undrain" else ()))
            self.assertEqual(self.api.requests[-1][2], {"do": what, "target": {"site": "ams"}, "reason": f"weir {what}, no reason given"})
        self.weir("undrain", "site", "ams", "--scheduled", "--reason", "fixed", "--over", "10m")
        self.assertEqual(self.api.requests[-1][2], {"do": "undrain", "target": {"site": "ams"}, "reason": "fixed", "over": "10m"})

    def test_overrides_are_listed_with_who_and_how_far(self) -> None:
        self.api.answers["/v1/overrides"] = (200, {"items": []})
        self.assertEqual(self.weir("overrides").stdout, "there are no overrides\n")
        self.api.answers["/v1/overrides"] = (200, {"items": [
            {"id": "o1", "do": "drain", "target": {"site": "ams"}, "state": "ramping", "level_ppm": 255000, "from": "F", "until": "U",
             "author": "jw", "principal": "user:root", "reason": "INC"},
            {"id": "o2", "do": "disable", "target": {"pool": "web", "backend": "b1"}, "state": "disabled", "from": "F", "author": "ada",
             "reason": "x"}]})
        done = self.weir("overrides", "--ended")
        self.assertEqual(self.api.requests[-1][1], "/v1/overrides?ended=true")
        self.assertEqual(done.stdout, "o1  drain site ams  ramping 25.5 %  from F until U  by jw (user:root): INC\n"
                                      "o2  disable backend web/b1  disabled ?  from F until never  by ada: x\n")

    def test_the_clock_is_shown_with_what_peers_say(self) -> None:
        self.api.answers["/v1/clock"] = (200, {
            "state": "stepped", "effect": "time goes on", "believed": "B", "wall_clock": "W", "off_by_ms": -3600500, "synchronised": False,
            "peers_say": "differ", "peers": [{"node": "fra-1", "off_by_ms": 1500}, {"node": "par-1", "off_by_ms": None}]})
        done = self.weir("clock")
        for text in ("clock stepped: time goes on", "wall clock W (-3600.5 s)", "the wall clock is not synchronised",
                     "peer fra-1: its clock is +1.5 s off", "peer par-1: its clock is not known"):
            self.assertIn(text, done.stdout)

    def test_the_store_is_shown_with_what_it_means(self) -> None:
        rows = (
            ({"state": "own"}, "store own: the versions of this node are its own: there is no store.conf\n"),
            ({"state": "ready", "reason": "", "silent_ms": 900, "newest": 12, "in_force": 12, "here": 12, "goes_back_to": 9,
              "files_missing": False},
             "store ready: it decides which version is in force\n  newest         12\n  in force       12\n  goes back to   9\n"),
            ({"state": "full", "reason": "", "newest": 12, "in_force": 12},
             "store full: nothing can be written, so changes of configuration and operations are refused; a version that is not confirmed goes back at its "
             "deadline; weir store check shows how to make room\n  newest         12\n  in force       12\n"),
            ({"state": "ready", "reason": "", "newest": 1, "members_needed": 2, "members": [
                {"name": "a", "endpoint": "https://a:2379", "state": "answers", "since": None, "reason": ""},
                {"name": "b", "endpoint": "https://b:2379", "state": "silent", "since": "2026-11-27T04:00:00.000Z", "reason": "https://b:2379: no route"},
                {"name": "c", "endpoint": "https://c:2379", "state": "unknown", "since": None, "reason": ""}]},
             "store ready: it decides which version is in force\n  members        1 of 3 do not answer, and 2 are needed: with the next loss configuration is frozen\n"
             "  no answer      b since 2026-11-27T04:00:00.000Z (https://b:2379: no route)\n  newest         1\n"),
            ({"state": "cut-off", "reason": "10.0.0.1 is silent", "silent_ms": 61000, "newest": 12, "in_force": 12, "here": 11,
              "goes_back_to": None, "files_missing": True},
             "store cut-off: what is in force stays; changes of configuration are refused\n  reason         10.0.0.1 is silent\n"
             "  last heard     61 s ago\n  newest         12\n  in force       12\n  still here     11\n"),
            ({"state": "refused", "reason": "line 1: no object", "newest": None, "in_force": None},
             "store refused: store.conf is wrong; what is in force stays\n  reason         line 1: no object\n"),
        )
        for answer, text in rows:
            self.api.answers["/v1/store"] = (200, answer)
            done = self.weir("store", "status")
            self.assertEqual((done.returncode, done.stdout), (0, text), done.stderr)

    def test_an_option_counts_once_and_behind_two_dashes_nothing_is_one(self) -> None:
        done = self.weir("why", "backend", "--", "-x/y", "-z")
        self.assertEqual(done.returncode, 1)
        for arguments in (("--until", "a", "--until", "b"), ("--now", "--now"), ("--until=a", "--until", "b")):
            done = self.weir("drain", "site", "ams", "--scheduled", "--reason", "x", *arguments)
            self.assertEqual(done.returncode, 1)
            self.assertIn("is given twice", done.stderr)
        done = self.weir(*DRAIN, "--now=yes")
        self.assertEqual((done.returncode, "--now takes no value" in done.stderr), (1, True))
        self.assertEqual(self.api.requests, [])

    @unittest.skipIf(os.geteuid(), "needs root")
    def test_a_socket_of_another_user_is_not_believed(self) -> None:
        self.api.answers["/v1/overrides"] = (201, DRAINED)
        self.api.answers["/v1/status"] = (200, STATUS)
        os.chown(os.path.join(self.dir, "api.sock"), 65534, -1)
        for arguments in (DRAIN, ("status",), ("overrides",), ("wait", "well")):
            done = self.weir(*arguments)
            self.assertEqual((done.returncode, done.stdout), (7, ""), arguments)
            self.assertIn(f"{self.dir}/api.sock is not trusted, because it belongs neither to root nor to weir-mgmt", done.stderr)
        self.assertEqual(self.api.requests, [])

    def test_of_very_many_errors_and_warnings_the_first_are_shown(self) -> None:
        path = os.path.join(self.dir, "weir.conf")
        with open(path) as f:
            good = f.read()
        with open(path, "w") as f:
            f.write(good + 'pools = ( { name = "p"; site = "s"; backends = (\n' +
                    ",\n".join(f'{{ name = "b{i}"; address = "10.1.{i // 250}.{i % 250 + 1}"; odd = 1; }}' for i in range(1002)) + " ); } );\n")
        lines = self.weir("config", "check").stderr.splitlines()
        found = json.loads(self.weir("config", "check", "--json").stdout)
        self.assertGreaterEqual(found["n_mistakes"], 1002)
        self.assertEqual(len(found["mistakes"]), 1000)
        self.assertEqual((len(lines), lines[-1]), (1001, f"and {found['n_mistakes'] - 1000} more errors"))
        self.assertEqual(lines[999], f"{path}:{good.count(chr(10)) + 1001}: pools[0].backends[999].odd: there is no such setting")
        with open(path, "w") as f:
            f.write(good + 'dns = { zones = ( { name = "shop.example"; file = "z"; } ); };\n')
        with open(os.path.join(self.dir, "z"), "w") as f:
            f.write("@ 300 IN SOA ns host 1 2 3 4 5\n@ 300 IN NS ns\n" + 103 * "ns 300 IN A 192.0.2.1\n")
        self.assertEqual(len(json.loads(self.weir("config", "check", "--json", "--node", "n1").stdout)["warnings"]), 100)

    def test_the_help_for_programs_is_the_same(self) -> None:
        found = json.loads(self.weir("help", "--json").stdout)
        blocks = self.weir("help", "--document").stdout.split("```\n")

        def block(command: typing.Any) -> str:
            head = " ".join(filter(None, ("weir", command["words"], command["arguments"])))
            options = [f"  {' '.join(filter(None, (o['name'], o.get('value')))).replace(' [', '['):24} {o['help']}\n" for o in command["options"]]
            return f"{head}\n\n    {command['help']}\n" + ("\n" if options else "") + "".join(options)

        self.assertEqual([block(c) for c in found["commands"]], blocks[3::2])
        self.assertEqual([f"| {e['status']} | {e['meaning']} |" for e in found["exits"]],
                         [line for line in blocks[0].splitlines() if line.startswith("| ")][1:])
        self.assertTrue(blocks[1].startswith(found["options_help"]))
        self.assertEqual((found["program"], self.weir("--version").stdout), ("weir", f"weir {found['release']}\n"))

    def test_devices_are_listed_and_as_json(self) -> None:
        done = self.weir("nic")
        self.assertEqual((done.returncode, done.stdout.split()[0]), (0, "DEVICE"))
        devices = json.loads(self.weir("nic", "--json").stdout)["devices"]
        self.assertEqual(len(done.stdout.split("\n\n")[0].splitlines()) - 1, len(devices))
        for device in devices:
            self.assertIn(device["dpdk"], ("ready", "shared", "bind", "no-iommu", "perhaps", "af_packet"))

    def test_a_trace_without_tables_says_where_it_looked(self) -> None:
        done = self.weir("trace", "192.0.2.1:5", "203.0.113.10:80/tcp")
        self.assertEqual(done.returncode, 3)
        self.assertIn("effective.conf", done.stderr)
        for arguments, expected in ((("x", "y"), "expected: SRC:PORT VIP:PORT/tcp"),
                                (("192.0.2.1:5", "203.0.113.10:80/tcp", "--length", "12x"), "the bytes of an IP packet"),
                                (("192.0.2.1:5", "203.0.113.10:80/tcp", "--length", "39"), "40 to 65535")):
            done = self.weir("trace", *arguments)
            self.assertEqual(done.returncode, 1)
            self.assertIn(expected, done.stderr)


SETUP = """set -e; mount -t bpf bpf /mnt; ip link set lo up; ip link add v0 type veth peer name v1; ip link set v0 up; ip link set v1 up
weir() { "$WEIR" --bpf-dir /mnt/pins "$@"; }
"""


# A segment in GUE with a list of one owner, for no connection here; sent by v1.
SEND_LISTED = """
import socket, struct
def ip4(protocol, source, to, body):
    head = struct.pack("!BBHHHBBH4s4s", 69, 0, 20 + len(body), 0, 0, 64, protocol, 0, socket.inet_aton(source), socket.inet_aton(to))
    total = sum(struct.unpack("!10H", head))
    total = (total & 65535) + (total >> 16)
    total = (total & 65535) + (total >> 16)
    return head[:10] + struct.pack("!H", 65535 ^ total) + head[12:] + body
inner = ip4(6, "198.51.100.9", "203.0.113.10", struct.pack("!HHIIBBHHH", 4321, 80, 1, 1, 80, 16, 1000, 0, 0))
gue = struct.pack("!BBHBBBB4s", 2, 4, 0, 1, 1, 0, 0, socket.inet_aton("10.1.1.12")) + inner
outer = ip4(17, "10.1.255.1", "10.1.1.11", struct.pack("!HHHH", 50000, 6080, 8 + len(gue), 0) + gue)
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("v1", 0))
s.send(bytes(6 * [255]) + bytes([2, 0, 0, 0, 0, 1, 8, 0]) + outer)
"""


@unittest.skipIf(os.geteuid(), "needs root")
class Agent(unittest.TestCase):
    def run_in_space(self, script: str) -> str:
        """Run shell lines in namespaces of their own. @return what they print"""
        done = subprocess.run(["unshare", "-mn", "sh", "-c", SETUP + script], capture_output=True, text=True, timeout=60,
                              env=dict(os.environ, WEIR=os.path.abspath(WEIR)), check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_an_agent_is_attached_shown_and_taken_off(self) -> None:
        out = self.run_in_space("weir agent attach v0 --from 10.1.255.0/24,fd00:1:ff::/64 --owners 10.1.1.0/24\nweir agent status v0\n"
                                "weir agent status v0 --json\nweir agent detach v0\nweir agent status v0 || echo status=$?\n")
        self.assertIn("attached to v0; undo: weir agent detach v0", out)
        self.assertIn("v0: native, program", out)
        self.assertIn("tunnels accepted from 10.1.255.0/24, fd00:1:ff::/64\n", out)
        self.assertIn("packets are passed on to 10.1.1.0/24; namespaces searched: 1", out)
        shown = json.loads(next(line for line in out.splitlines() if line.startswith("{") and "program" in line)
                           if '{"interface' in out else out[out.index("{"):out.rindex("}") + 1])
        self.assertEqual((shown["from"], shown["owners"], shown["passes_on"]),
                         (["10.1.255.0/24", "fd00:1:ff::/64"], ["10.1.1.0/24"], True))
        self.assertIn("detached from v0", out)
        self.assertIn("status=3", out)

    def test_an_agent_that_lacks_owners_says_so(self) -> None:
        send = f"{sys.executable} -c '{SEND_LISTED}'"
        wait = "for i in $(seq 100); do weir agent status v0 | grep -q 'owners-refused\\|passed-on' && break; sleep 0.1; done\n"
        out = self.run_in_space("weir agent attach v0 --from 10.1.255.0/24\nweir agent status v0\necho status=$?\n" + send + "\n" + wait +
                                "weir agent status v0 || echo status=$?\nweir agent status v0 --json || echo status=$?\n"
                                "weir agent attach v0 --from 10.1.255.0/24 --owners 10.1.1.0/24\nweir agent status v0\necho status=$?\n")
        before, after = out.split("status=0", 1)
        self.assertNotIn("DEGRADED", before)
        self.assertIn("owners-refused", after)
        self.assertIn("DEGRADED: the nodes rely on this agent's second chance", after)
        self.assertEqual(after.count("status=10"), 2, out)
        self.assertIn("has no --owners", json.loads(after[after.index("{"):after.rindex("}") + 1])["troubles"][0])
        mended = after[after.rindex("attached to v0"):]
        self.assertIn("status=0", mended)
        self.assertNotIn("DEGRADED", mended)

    def test_wrong_arguments_attach_nothing(self) -> None:
        out = self.run_in_space("""for o in "" "--from 10.1.1.1/24" "--from 10.0.0.0/8 --mode fast" "--from 10.0.0.0/8, --owners x" \\
  "--from 10.0.0.0/8 --netns a,b,c,d,e,f,g,h"; do weir agent attach v0 $o 2>&1 || echo status=$?; done
weir agent attach nosuch --from 10.0.0.0/8 2>&1 || echo status=$?
weir agent status v0 2>&1 || echo status=$?
""")
        self.assertEqual(out.count("status=1"), 6, out)
        for text in ("--from PREFIX,... is missing", "with no host bits set", "--mode: expected auto, native or generic", '--owners: "x"',
                     "--netns: expected at most 7", "no interface nosuch", "no agent on v0"):
            self.assertIn(text, out)


def load_tests(loader: typing.Any, tests: typing.Any, pattern: typing.Any) -> unittest.suite.TestSuite:
    """The own classes alone: those of test_cli run there."""
    suite = unittest.TestSuite()
    for case in (Texts, Agent):
        own = [n for n in vars(case) if n.startswith("test_")]
        suite.addTests(case(n) for n in own)
    return suite


if __name__ == "__main__":
    counted.main()
