#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Two changes at two nodes at once, and makers that are killed or stopped before and after their commit.

Three nodes; the first by name, "aaa-1", is either a weir-mgmt or a stand-in of this test that answers as a node does, but
when the test wants. So the maker is caught at a known step: while it reserves, or while it hands its version over.

Usage: test_proposals.py WEIR_MGMT
"""
from __future__ import annotations

import http.server
import json
import os
import signal
import ssl
import sys
import threading
import time
import typing
import unittest

import counted
from api_node import Node, config, free_port, wait_for

if typing.TYPE_CHECKING:
    from api_node import Answer

PROGRAM = sys.argv.pop(1)
FIRST = "# two sites"


class StandIn(threading.Thread):
    """A node that grants every reservation, and waits at the step that the test names."""

    def __init__(self, node: Node, port: int) -> None:
        super().__init__(daemon=True)
        self.block: str | None = None
        self.reached, self.go_on = threading.Event(), threading.Event()
        self.asked: list[typing.Any] = []
        self.silent, self.answer = False, None
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.handle(self)

            def do_GET(self) -> None:
                self.send_error(404)

            def log_message(self, *_: object) -> None:
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(node.conf, "tls.crt"), os.path.join(node.conf, "tls.key"))
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.start()

    def run(self) -> None:
        self.server.serve_forever(0.05)

    def handle(self, h: http.server.BaseHTTPRequestHandler) -> None:
        body = json.loads(h.rfile.read(int(h.headers["Content-Length"])))
        step = h.path.rsplit("/", 1)[1]
        self.asked.append((step, body))
        if self.silent:
            h.send_error(404)
            return
        if step == self.block:
            self.block = None
            self.reached.set()
            self.go_on.wait(60)
        state = self.answer or {"reserve": "granted", "versions": "behind"}.get(step, "")
        text = json.dumps({"state": state, "holder": ""}).encode()
        try:
            h.send_response(200)
            h.send_header("Content-Type", "application/json")
            h.send_header("Content-Length", str(len(text)))
            h.end_headers()
            h.wfile.write(text)
        except OSError:
            pass  # who asked is dead

    def close(self) -> None:
        self.go_on.set()
        self.server.shutdown()
        self.server.server_close()


class Cluster(unittest.TestCase):
    def start(self, stand_in: bool, name: str = "aaa-1") -> None:
        """Three nodes. The stand-in is asked first, as "aaa-1", or last."""
        ports = [free_port() for _ in range(3)]
        apis = [f"https://127.0.0.1:{p}" for p in ports]
        third = ('nodes = (', f'nodes = (\n  {{ name = "{name}"; site = "fra"; ports = ( {{ interface = "eth1"; }} ); '
                 f'tunnel_source = [ "10.3.255.0/24" ]; dns_listen = [ "198.51.100.54" ]; api = "{apis[2]}"; }},')
        text = config(*apis[:2]).replace(*third)
        self.third = name
        self.a, self.b = Node(PROGRAM, "ams-1", text), Node(PROGRAM, "fra-1", text)
        self.nodes = [self.a, self.b]
        if stand_in:
            self.stand_in = StandIn(self.a, ports[2])
            self.addCleanup(self.stand_in.close)
        else:
            self.nodes.append(Node(PROGRAM, "aaa-1", text))
        for node in self.nodes:
            self.addCleanup(node.close)
            node.start()
        wait_for("agreement", lambda: all(self.peers(n, stand_in) for n in self.nodes))

    def peers(self, node: Node, stand_in: bool) -> bool:
        states = {p["node"]: p["state"] for p in node.ask("GET", "/v1/peers").json["items"]}
        return len(states) == 2 and all(s == "agreed" for n, s in states.items() if not (stand_in and n == self.third))

    @staticmethod
    def head(node: Node) -> tuple[typing.Any, typing.Any]:
        v = node.ask("GET", "/v1/config").json
        return v["number"], v["digest"]

    def one_head(self) -> bool:
        return len({self.head(n) for n in self.nodes}) == 1

    @staticmethod
    def etag(node: Node) -> typing.Any:
        return node.ask("GET", "/v1/versions?limit=1").json["items"][0]["etag"]

    def apply_in_background(self, node: Node, words: str, answers: list[typing.Any], etag: typing.Any = None,
                            **more: typing.Any) -> threading.Thread:
        etag = etag or self.etag(node)

        def run() -> None:
            try:
                answers.append(node.apply(node.files(FIRST, words), match=f'"{etag}"', **more))
            except OSError as e:  # the node was killed
                answers.append(e)
        t = threading.Thread(target=run, daemon=True)
        t.start()
        return t

    def apply_until_taken(self, node: Node, words: str, within_s: float = 20) -> Answer | None:
        """As a person does who is told that another change is under way, or that a peer's head, as last heard, is another."""
        def tried() -> Answer | None:
            answer = node.apply(node.files(FIRST, words))
            self.assertTrue(answer.status in (201, 202, 412) or answer.code == "diverged", answer.raw)
            return answer if answer.status in (201, 202) else None
        return wait_for("the change is taken", tried, within_s)

    def words_of(self, node: Node) -> typing.Any:
        return node.ask("GET", "/v1/config").json["files"]["weir.conf"].split("\n")[0]


class Simultaneous(Cluster):
    def test_of_two_changes_at_once_one_wins_and_the_other_is_stale(self) -> None:
        self.start(False)
        lost_updates = 0
        for i in range(int(os.environ.get("WEIR_ROUNDS", "20"))):
            number = self.head(self.a)[0] + 1
            answers: dict[typing.Any, typing.Any] = {}
            threads: list[typing.Any] = []
            nodes = self.nodes[:2 + i % 2]
            etags = [self.etag(node) for node in nodes]  # before any begins: a change may be over in no time
            for k, (node, etag) in enumerate(zip(nodes, etags)):
                answers[node] = []
                threads.append(self.apply_in_background(node, f"# {i} {k}", answers[node], etag))
            for t in threads:
                t.join()
            statuses = sorted(a[0].status for a in answers.values())
            self.assertLess(statuses[0], 300, statuses)
            self.assertTrue(all(s == 412 for s in statuses[1:]), statuses)
            for a in answers.values():
                if a[0].status == 412:
                    self.assertEqual(a[0].code, "stale", a[0].raw)
            winner = next(n for n, a in answers.items() if a[0].status < 300)
            digest = answers[winner][0].json["version"]["digest"]
            wait_for("one head", self.one_head)
            lost_updates += self.head(self.a) != (number, digest)
        self.assertEqual(lost_updates, 0)

    def test_a_dead_peer_is_named_and_blocks_nothing(self) -> None:
        self.start(False)
        self.nodes[2].stop(signal.SIGKILL)
        answer = self.b.apply(self.b.files(FIRST, "# without it"))
        self.assertEqual((answer.status, [u["node"] for u in answer.json["unreserved"]]), (201, ["aaa-1"]), answer.raw)
        wait_for("both", lambda: self.head(self.a) == self.head(self.b))
        self.nodes[2].start()
        wait_for("all", self.one_head)

    def test_a_peer_of_the_former_release_is_named_and_blocks_nothing(self) -> None:
        self.start(True)
        self.stand_in.silent = True  # 404, as a release answers that does not know the request
        answer = self.b.apply(self.b.files(FIRST, "# without it"))
        self.assertEqual((answer.status, answer.json["unreserved"]),
                         (201, [{"node": "aaa-1", "why": "the node runs the former release"}]), answer.raw)
        self.assertEqual(self.head(self.a), self.head(self.b))  # pushed before it was answered


class Makers(Cluster):
    """The maker is a; b makes the other change."""

    def maker_at(self, step: str) -> None:
        """Let a make a change, and catch it at the step: b has granted the reservation, but has no version yet."""
        self.start(True, "zzz-1" if step == "reserve" else "aaa-1")
        self.answers: list[typing.Any] = []
        self.stand_in.block = step
        self.thread = self.apply_in_background(self.a, "# of the maker", self.answers)
        self.assertTrue(self.stand_in.reached.wait(30))
        if step == "reserve":
            time.sleep(1)  # b is asked at the same time as the stand-in
            self.assertEqual(self.words_of(self.a), FIRST)
        else:
            self.assertEqual(self.words_of(self.a), "# of the maker")

    def end_maker(self, how: signal.Signals) -> None:
        if how == signal.SIGKILL:
            self.a.stop(how)
        else:
            self.a.process.send_signal(how)
        self.stand_in.silent = True  # from now on it is of no account
        self.stand_in.go_on.set()

    def return_of_maker(self, how: signal.Signals) -> None:
        if how == signal.SIGKILL:
            self.a.start()
        else:
            self.a.process.send_signal(signal.SIGCONT)
            self.thread.join(60)

    def check_outcome(self, *lost: list[typing.Any]) -> list[typing.Any]:
        """The other's change is in force everywhere; the losing versions that a shows are one of `lost`."""
        wait_for("the other's change at both", lambda: self.words_of(self.a) == self.words_of(self.b) == "# of the other")
        wait_for("one head", self.one_head)
        found = [v["number"] for v in self.a.ask("GET", "/v1/versions").json["lost"]]
        self.assertIn(found, lost)
        answer = self.apply_until_taken(self.a, "# and on")
        wait_for("both go on", lambda: self.words_of(self.b) == "# and on", 20)
        # Acknowledged and not lost: the other's change was made to the maker's version, one after the other.
        is_before = bool(self.answers) and getattr(self.answers[0], "status", 0) == 201 and not found
        self.assertEqual(answer.json["version"]["number"], 4 if is_before else 3)
        return found

    def test_the_holder_is_killed_before_its_commit(self) -> None:
        self.maker_at("reserve")
        self.end_maker(signal.SIGKILL)
        self.apply_until_taken(self.b, "# of the other")
        self.return_of_maker(signal.SIGKILL)
        self.check_outcome([])

    def test_the_holder_is_stopped_before_its_commit(self) -> None:
        self.maker_at("reserve")
        self.end_maker(signal.SIGSTOP)
        self.apply_until_taken(self.b, "# of the other")
        self.return_of_maker(signal.SIGSTOP)
        # 201 and [2]: on a busy machine its second question times out, as in the next test, which says how often.
        self.assertIn((self.answers[0].status, self.answers[0].code), [(412, "stale"), (201, None)], self.answers[0].raw)
        self.check_outcome([], [2])

    def test_a_maker_whose_timers_ran_out_while_it_was_stopped_asks_again(self) -> None:
        tries = unasked = 0
        for stopped_s in (0, 6, 6, 6, 6):
            if tries >= 3 and unasked < tries:
                break
            tries += 1
            with self.subTest(stopped_s=stopped_s):
                self.start(True)
                self.answers = []
                self.stand_in.silent = True
                self.b.process.send_signal(signal.SIGSTOP)
                self.thread = self.apply_in_background(self.a, "# of the maker", self.answers)
                time.sleep(0.5)  # it waits for b
                self.a.process.send_signal(signal.SIGSTOP)
                self.b.process.send_signal(signal.SIGCONT)
                self.apply_until_taken(self.b, "# of the other")
                time.sleep(stopped_s)  # the maker is stopped for this long
                self.a.process.send_signal(signal.SIGCONT)
                self.thread.join(60)
                got = (self.answers[0].status, self.answers[0].code)
                # On a busy machine its second question may time out as well. It commits then, as without a peer, and its
                # version gives way, is named as lost, and was perhaps acknowledged before.
                lost = self.check_outcome([], [2])
                self.assertIn(got, [(412, "stale"), (201, None)], self.answers[0].raw)
                unasked += lost != [] or got[0] == 201
        self.assertLess(unasked, tries)

    def test_the_holder_is_killed_after_its_commit(self) -> None:
        self.maker_at("versions")
        self.end_maker(signal.SIGKILL)
        self.apply_until_taken(self.b, "# of the other")
        self.return_of_maker(signal.SIGKILL)
        self.check_outcome([2])

    def test_the_holder_is_stopped_after_its_commit(self) -> None:
        self.maker_at("versions")
        self.end_maker(signal.SIGSTOP)
        self.apply_until_taken(self.b, "# of the other")
        self.return_of_maker(signal.SIGSTOP)
        self.assertEqual((self.answers[0].status, self.answers[0].code), (412, "stale"), self.answers[0].raw)
        self.check_outcome([2])

    def test_a_killed_maker_without_a_rival_keeps_its_version(self) -> None:
        self.maker_at("versions")
        self.end_maker(signal.SIGKILL)
        self.a.start()
        wait_for("the other has it", lambda: self.words_of(self.b) == "# of the maker")
        wait_for("one head", self.one_head)
        self.assertEqual(self.a.ask("GET", "/v1/versions").json["lost"], [])

    def test_an_untold_version_is_not_fetched_by_peers(self) -> None:
        self.maker_at("versions")
        time.sleep(2.5)  # a round of asking, and less than the push may take
        self.assertEqual(self.words_of(self.b), FIRST)
        self.stand_in.go_on.set()
        self.thread.join(60)
        self.assertEqual(self.answers[0].status, 201, self.answers[0].raw)
        self.assertEqual(self.words_of(self.b), "# of the maker")

    def test_a_reservation_ends_after_ten_seconds(self) -> None:
        self.maker_at("reserve")
        start = time.monotonic()
        self.end_maker(signal.SIGKILL)
        answer = self.b.apply(self.b.files(FIRST, "# of the other"))
        self.assertEqual((answer.status, answer.code), (412, "stale"), answer.raw)
        self.assertIn("ams-1", answer.json["detail"])
        self.apply_until_taken(self.b, "# of the other")
        self.assertGreater(time.monotonic() - start, 8)


if __name__ == "__main__":
    counted.main()
