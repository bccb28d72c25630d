#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The exchange between nodes: a real weir-mgmt among peers that are played here, at three sites.

Usage: test_exchange.py WEIR_MGMT
"""
from __future__ import annotations

import copy
import http.server
import json
import os
import shutil
import ssl
import sys
import tempfile
import threading
import time
import typing
import unittest

import counted
from api_node import Node, free_port, tls_files, wait_for
from cluster3 import config, node_names

PROGRAM = sys.argv.pop(1)
TOKEN = "p" * 40
ALL = {"node": "fra-1", "cluster": "shop", "query": "overrides"}  # all overrides are asked for
STAMPS = {"a": "00000000000000aa", "b": "00000000000000bb"}
SECTIONS = ("head", "load", "health", "announced", "arrivals", "audit", "members", "verdicts")  # in the order of their ages and stamps


class Words:
    """What an answer says of one node: [AGE or null for each section, {SECTION: [STAMP, BODY]}], the object left out without any."""

    def __init__(self, said: list[typing.Any]) -> None:
        self.new: dict[str, typing.Any] = said[-1] if said and isinstance(said[-1], dict) else {}
        self.ages = {s: age for s, age in zip(SECTIONS, said) if age is not None and not isinstance(age, dict)}

    def body(self, section: str) -> dict[str, typing.Any]:
        body: dict[str, typing.Any] = self.new.get(section, ["", {}])[1]
        return body

    def have(self) -> str:
        """The stamps, for a question; all sections are new here."""
        return "".join(self.new[s][0] if s in self.new else "-" * 16 for s in SECTIONS)


class Peer:
    """A node whose words are in the test's hands: `nodes` is what it says of itself and of others, as in an answer."""

    def __init__(self, name: str, port: int, folder: str) -> None:
        self.name, self.port, self.folder = name, port, folder
        self.cluster = "shop"
        self.nodes: dict[str, typing.Any] = {}
        self.questions: list[dict[str, typing.Any]] = []
        self.raw: bytes | None = None  # instead of all else
        self.overrides: dict[str, typing.Any] = {"items": []}
        self.fetched: list[float] = []  # when its overrides were asked for
        self.delay_s = 0.0  # until it gives them
        self.holds_s = 0.0  # so long it holds an answer without news
        self.server: http.server.ThreadingHTTPServer | None = None

    def answer(self) -> bytes:
        return self.raw if self.raw is not None else json.dumps(
            {"node": self.name, "cluster": self.cluster, "waited_ms": 0, "clock_ms": int(time.time() * 1000), "nodes": self.nodes}).encode()

    def start(self) -> None:
        peer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if not peer.server:  # it is dead: so are its connections
                    self.close_connection = True
                    return
                if body.get("query") == "overrides":
                    self.give_overrides()
                    return
                is_exchange = self.path == "/v1/peer/exchange"
                if is_exchange:
                    peer.questions.append(body)
                    time.sleep(0.05)  # these answers wait for nothing: not too many of them
                    said, end = peer.nodes, time.monotonic() + peer.holds_s
                    while peer.nodes is said and time.monotonic() < end:
                        time.sleep(0.02)  # the pace of its look for news
                raw = peer.answer() if is_exchange else b"{}"
                self.send_response(200 if is_exchange else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def give_overrides(self) -> None:
                peer.fetched.append(time.monotonic())
                time.sleep(peer.delay_s)  # as long as the test says
                raw = json.dumps(peer.overrides).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_: object) -> None:
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                pass  # the node has closed

        path = os.path.join(self.folder, "peer.pem")
        with open(path, "w") as f:
            f.write("".join(tls_files()))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        self.server = Server(("127.0.0.1", self.port), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None


class Bed(unittest.TestCase):
    """The real node is ams-1; ams has as many as fra and lon."""
    N = 18

    def setUp(self) -> None:
        names = node_names(self.N)
        ports = [free_port() for _ in names]
        self.port = ports[0]
        self.node = Node(PROGRAM, names[0], config([f"https://127.0.0.1:{p}" for p in ports]))
        self.addCleanup(self.node.close)
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.peers = {name: Peer(name, port, folder) for name, port in zip(names[1:], ports[1:])}
        self.node.start()
        wait_for("TCP", lambda: "api-served" in self.node.log())
        self.head = self.own().body("head")

    def ask(self, site: bool, have: dict[str, typing.Any] | None = None, wait_ms: int = 0) -> dict[str, typing.Any]:
        """What the real node answers."""
        a = self.node.ask_tcp(self.port, "POST", "/v1/peer/exchange", TOKEN,
                              {"node": "lon-9", "cluster": "shop", "site": site, "wait_ms": wait_ms, "have": have or {}})
        self.assertEqual(a.status, 200, a.raw)
        return typing.cast(dict[str, typing.Any], a.json)

    def own(self, **asked: typing.Any) -> Words:
        """What the real node says of itself."""
        return Words(self.ask(site=False, **asked)["nodes"]["ams-1"])

    def words(self, age_ms: int = 0, stamp: str = "a", number: int | None = None) -> list[typing.Any]:
        head = copy.deepcopy(self.head)
        if number:
            head["version"] = number
        return [age_ms, {"head": [STAMPS[stamp], head]}]

    def start(self, *names: str) -> None:
        for name in names:
            peer = self.peers[name]
            peer.nodes = peer.nodes or {name: self.words()}
            peer.start()
            self.addCleanup(peer.stop)

    def of(self, name: str) -> dict[str, typing.Any]:
        items = typing.cast(typing.Any, self.node.ask("GET", "/v1/peers").json)["items"]
        return next((p for p in items if p["node"] == name), {"state": "not listed yet"})

    def wait_state(self, name: str, state: str, seconds: float = 20) -> None:
        wait_for(f"{name} is {state}", lambda: self.of(name)["state"] == state, seconds)

    def site(self, name: str) -> list[str]:
        return [n for n in self.peers if n.startswith(name)]

    def asked(self, names: list[str], n: int) -> list[str]:
        """Who of @names is asked now; [] where these are not @n."""
        for name in names:
            self.peers[name].questions.clear()
        time.sleep(1)  # what is counted is how often in this time
        asked = [name for name in names if len(self.peers[name].questions) > 2]
        return asked if len(asked) == n else []

    def said_by(self, names: list[str], overrides: str, stamp: str) -> None:
        """All of @names say that their overrides have this digest."""
        words = self.words(stamp=stamp)
        words[1]["head"][1]["overrides"] = overrides
        for name in names:
            self.peers[name].nodes = {n: words for n in names}

    def fetches(self, names: list[str]) -> list[float]:
        return sorted(t for name in names for t in self.peers[name].fetched)

    def agree(self, names: list[str]) -> None:
        self.said_by(names, self.head["overrides"], "a")
        self.start(*names)
        for name in names:
            self.wait_state(name, "agreed")

    def forget(self) -> tuple[dict[str, typing.Any], str]:
        """Restart the node with an empty disk. @return the overrides that it had, and their digest"""
        self.assertEqual(self.node.drain("ams").status, 201)

        def told() -> str:
            return str(self.own().body("head")["overrides"])
        wait_for("its head has the command", lambda: told() != self.head["overrides"])
        given, digest = self.node.ask_tcp(self.port, "POST", "/v1/peer/exchange", TOKEN, ALL).json, told()
        self.node.stop()
        shutil.rmtree(self.node.state)
        os.mkdir(self.node.state)
        self.node.start()
        wait_for("TCP", lambda: self.node.log().count("api-served") > 1)
        return given, digest


class Exchange(Bed):
    def test_three_of_another_site_are_asked_and_speak_for_all_of_it(self) -> None:
        fra = self.site("fra")
        for name in fra:
            self.peers[name].nodes = {n: self.words() for n in fra}
        self.start(*fra)
        for name in fra:
            self.wait_state(name, "agreed")
        asked = wait_for("three are asked", lambda: self.asked(fra, 3))
        last = self.peers[asked[0]].questions[-1]
        self.assertEqual((last["site"], sorted(last["have"])), (True, sorted(fra)))

        # words of fra are not passed on: they came from there
        self.assertEqual(sorted(self.ask(site=True)["nodes"]), ["ams-1", *self.site("ams")])
        self.assertEqual(self.ask(site=True)["nodes"]["ams-2"], [None] * len(SECTIONS))

        # one that dies is replaced by the next, and is heard through the others as long as they hear it
        self.peers[asked[0]].stop()
        wait_for("another is asked", lambda: len(set(self.asked(fra, 3)) - {asked[0]}) == 3)
        self.assertEqual({self.of(n)["state"] for n in fra}, {"agreed"})
        for name in fra:
            self.peers[name].nodes = {n: self.words(age_ms=60000 if n == asked[0] else 0) for n in fra}
        self.wait_state(asked[0], "unreachable")
        self.assertEqual({self.of(n)["state"] for n in fra if n != asked[0]}, {"agreed"})

        # the site is lost when all are
        for name in fra:
            self.peers[name].stop()
        for name in fra:
            self.wait_state(name, "unreachable", 30)

    def test_words_of_the_own_site_are_passed_on_with_their_age(self) -> None:
        """Only what a node said itself, and only to other sites."""
        self.peers["ams-2"].nodes = {"ams-2": self.words(age_ms=3000, number=7)}
        self.start("ams-2")
        self.wait_state("ams-2", "ahead")
        self.assertFalse(self.peers["ams-2"].questions[-1]["site"])
        said = Words(self.ask(site=True)["nodes"]["ams-2"])
        self.assertGreaterEqual(said.ages["head"], 3000)
        self.assertEqual((said.new["head"][0], said.body("head")["version"]), (STAMPS["a"], 7))
        self.assertNotIn("ams-2", self.ask(site=False)["nodes"])
        self.peers["ams-2"].stop()
        wait_for("old words are kept back", lambda: self.ask(site=True)["nodes"]["ams-2"] == [None] * len(SECTIONS), 30)

    def test_what_is_malformed_says_nothing(self) -> None:
        peer = self.peers["ams-2"]
        self.start("ams-2")
        self.wait_state("ams-2", "agreed")
        good = {"ams-2": self.words()}
        rows: tuple[tuple[str, dict[str, typing.Any]], ...] = (("another cluster", {"cluster": "mail"}), ("of another site", {"nodes": {**good, "fra-1": self.words()}}),
                            ("of another node of this site", {"nodes": {**good, "ams-3": self.words()}}),
                            ("of the asking node", {"nodes": {**good, "ams-1": self.words()}}),
                            ("an age below zero", {"nodes": {"ams-2": self.words(age_ms=-1)}}), ("no JSON", {"raw": b"{"}),
                            ("a malformed head", {"nodes": {"ams-2": [0, {"head": [STAMPS["b"], {"version": 7}]}]}}),
                            ("too large", {"raw": b'{"node": "' + b"x" * (5 << 20) + b'"}'}))
        for why, change in rows:
            with self.subTest(why):
                for name, value in change.items():
                    setattr(peer, name, value)
                self.wait_state("ams-2", "unreachable")
                self.assertEqual(self.of("fra-1")["state"] in ("unreachable", "unknown"), True)
                peer.cluster, peer.nodes, peer.raw = "shop", good, None
                self.wait_state("ams-2", "agreed")

    def test_of_several_that_pass_words_on_the_youngest_count(self) -> None:
        fra = self.site("fra")
        for name in fra:
            self.peers[name].nodes = {n: self.words() for n in fra}
        self.start(*fra)
        self.wait_state("fra-6", "agreed")
        asked = wait_for("three are asked", lambda: self.asked(fra, 3))
        third = next(n for n in fra if n not in asked)
        for name in fra:  # all but one have old words of it
            self.peers[name].nodes[third] = self.words(age_ms=5000)
        self.peers[asked[1]].nodes[third] = self.words(age_ms=10, stamp="b", number=9)
        self.wait_state(third, "ahead")
        time.sleep(1)  # the old words come all the time
        self.assertEqual(self.of(third)["state"], "ahead")

    def test_unchanged_is_said_of_what_was_asked_with(self) -> None:
        """Not of words that another node has brought while the answer was held: they would look younger than they are."""
        fra = self.site("fra")
        third = fra[-1]
        for name in fra:
            self.peers[name].nodes = {n: self.words(age_ms=5000 if n == third else 0) for n in fra}
        self.start(*fra)
        for name in fra:
            self.wait_state(name, "agreed")
        asked = wait_for("three are asked", lambda: [n for n in self.asked(fra, 3) if n != third])
        brings, holds = (self.peers[n] for n in asked[:2])
        for name in {third, *asked[2:]}:  # it does not speak for itself
            self.peers[name].nodes = {n: w for n, w in self.peers[name].nodes.items() if n != third}
        holds.holds_s = 30
        holds.questions.clear()
        wait_for("it is asked", lambda: holds.questions)
        brings.nodes = {**brings.nodes, third: self.words(age_ms=3000, stamp="b", number=9)}
        self.wait_state(third, "ahead")
        holds.nodes = {**holds.nodes, third: [0]}
        end = time.monotonic() + 1
        while time.monotonic() < end:
            self.assertGreaterEqual(self.of(third)["age_ms"], 3000)
            time.sleep(0.02)  # the pace of the question

    def test_an_answer_is_held_until_there_is_news(self) -> None:
        time.sleep(1)  # the first judgement of the version is news
        have = {"ams-1": self.own().have()}

        def is_held() -> bool:
            began = time.monotonic()
            held = self.ask(site=False, have=have, wait_ms=1000)
            if time.monotonic() - began < 0.7:
                return False  # there was news: the node has started just now
            self.assertGreaterEqual(held["waited_ms"], 700)
            self.assertEqual(Words(held["nodes"]["ams-1"]).new.keys() & {"head", "health", "announced"}, set(), "nothing is new")
            return True
        wait_for("an answer is held", is_held)
        answers: list[tuple[float, dict[str, typing.Any]]] = []

        def wait() -> None:
            answers.append((time.monotonic(), self.ask(site=False, have=have, wait_ms=5000)))
            answers.append((time.monotonic(), {}))
        threads = [threading.Thread(target=wait) for _ in range(40)]  # more than there are threads for handlers
        for t in threads:
            t.start()
        time.sleep(0.5)  # they are all held by then
        began = time.monotonic()
        self.assertEqual(self.node.ask_tcp(self.port, "POST", "/v1/peer/exchange", TOKEN, ALL).status, 200, "others are answered")
        self.assertEqual(self.node.drain("ams").status, 201)
        for t in threads:
            t.join()
        self.assertLess(time.monotonic() - began, 2)
        self.assertEqual({"head" in Words(a["nodes"]["ams-1"]).new for _, a in answers if a}, {True})

    def test_overrides_of_many_peers_are_fetched_from_one(self) -> None:
        fra = self.site("fra")
        self.agree(fra)
        for name in fra:
            self.peers[name].delay_s = 0.2
        self.assertEqual(self.fetches(fra), [], "all have the same")
        self.said_by(fra, "5" * 32, "b")
        wait_for("another is asked, since this one had nothing", lambda: len(self.fetches(fra)) > 1)
        first, second = self.fetches(fra)[:2]
        self.assertGreaterEqual(second - first, 0.2, "all of them have the same to give")

    def comes_from_another(self, delay_s: float, within_s: float) -> None:
        """The first peer that is asked gives nothing, after @delay_s; all others have the command."""
        given, drained = self.forget()
        fra = self.site("fra")
        self.agree(fra)
        for name in fra:
            self.peers[name].holds_s, self.peers[name].delay_s = 2.0, delay_s
        self.said_by(fra, drained, "b")
        wait_for("one is asked", lambda: self.fetches(fra))
        for name in fra:
            if not self.peers[name].fetched:
                self.peers[name].overrides, self.peers[name].delay_s = given, 0.0
        wait_for("it is here", lambda: self.node.ask("GET", "/v1/overrides").json["items"], 20)
        self.assertLess(time.monotonic() - self.fetches(fra)[0], within_s)

    def say_command(self, name: str, given: dict[str, typing.Any], overrides: str, *more: typing.Any) -> None:
        """The node @name was given a command just now, and says so; others pass it on."""
        words = self.words(stamp="b")
        words[1]["head"][1].update(overrides=overrides, commands=[*given["items"], *more])
        for peer in self.peers.values():
            if name in peer.nodes:
                peer.nodes = {**peer.nodes, name: words}

    def test_a_command_comes_with_the_words_of_who_was_given_it(self) -> None:
        given, drained = self.forget()
        fra = self.site("fra")
        self.agree(fra)
        self.say_command(fra[0], given, drained)
        wait_for("it is here", lambda: self.node.ask("GET", "/v1/overrides").json["items"], 5)
        time.sleep(2)  # in which what lacks would be fetched
        self.assertEqual(self.fetches(fra), [])

    def test_a_command_is_passed_on_at_once(self) -> None:
        given, drained = self.forget()
        self.agree(["ams-2"])
        have = {n: Words(said).have() for n, said in self.ask(site=True)["nodes"].items()}
        threading.Timer(0.5, self.say_command, ("ams-2", given, drained)).start()

        def passed_on() -> typing.Any:
            return Words(self.ask(site=True, have=have, wait_ms=5000)["nodes"].get("ams-2", [])).body("head").get("commands")
        began = time.monotonic()
        self.assertEqual(wait_for("it is passed on", passed_on, 5), given["items"])
        self.assertLess(time.monotonic() - began, 3, "before the hold is over")

    def test_commands_that_are_none_harm_nothing(self) -> None:
        given, drained = self.forget()
        fra = self.site("fra")
        self.agree(fra)
        self.say_command(fra[0], {"items": ["x", 5, {"id": "y"}, *given["items"]]}, drained, *[{}] * 20)
        wait_for("it is here", lambda: self.node.ask("GET", "/v1/overrides").json["items"], 5)
        self.say_command(fra[1], {"items": "xy"}, drained)
        self.wait_state(fra[0], "agreed")
        self.wait_state(fra[1], "agreed")
        self.assertEqual(len(self.node.ask("GET", "/v1/overrides").json["items"]), 1)

    def test_a_node_says_for_ten_seconds_what_it_was_given(self) -> None:
        def said() -> typing.Any:
            return self.own().body("head").get("commands")
        self.assertIsNone(said())
        self.assertEqual(self.node.drain("ams").status, 201)
        items = wait_for("it says so", said)
        self.assertEqual(items, self.node.ask_tcp(self.port, "POST", "/v1/peer/exchange", TOKEN, ALL).json["items"])
        wait_for("no more", lambda: not said(), 14)

    def test_a_peer_that_gives_nothing_delays_no_command(self) -> None:
        self.comes_from_another(0.2, 1.5)

    def test_a_peer_that_hangs_delays_no_command(self) -> None:
        self.comes_from_another(8, 1.5)

    def test_a_peer_that_is_behind_has_nothing_to_give(self) -> None:
        fra = self.site("fra")
        self.agree(fra)
        self.assertEqual(self.node.drain("ams").status, 201)
        self.assertEqual(self.node.drain("fra").status, 201)
        for name in fra:
            self.wait_state(name, "behind")
        time.sleep(3)  # in which each of them answers some times
        self.assertEqual(self.fetches(fra), [])

    def test_who_asks_wrongly_is_refused(self) -> None:
        good = {"node": "lon-9", "cluster": "shop", "site": False, "wait_ms": 0, "have": {}}
        rows: tuple[tuple[dict[str, typing.Any], int], ...] = (({}, 200), ({"cluster": "mail"}, 409), ({"node": ""}, 400), ({"node": "x" * 64}, 400), ({"site": 1}, 400),
                               ({"wait_ms": -1}, 400), ({"wait_ms": 5001}, 400), ({"wait_ms": "1"}, 400), ({"have": []}, 400), ({"have": {"ams-1": 5}}, 200), ({"have": {"ams-1": "x"}}, 200))
        for change, status in rows:
            with self.subTest(str(change)):
                self.assertEqual(self.node.ask_tcp(self.port, "POST", "/v1/peer/exchange", TOKEN, {**good, **change}).status, status)


class Late(Bed):
    """Who takes what a peer has says so later, so that the nodes which still take it have the machine for themselves."""
    N = 72

    def take_from_a_peer(self, wait_ms: int) -> float:
        """@return how long after the change was fetched an answer says so that is held for @wait_ms at most"""
        given, drained = self.forget()
        fra = self.site("fra")[:3]
        for name in fra:
            self.peers[name].overrides = given
        self.agree(fra)
        time.sleep(1)  # the first judgement of the version is news
        have = {"ams-1": self.own().have()}
        threading.Timer(0.3, self.said_by, (fra, drained, "b")).start()
        answer = self.own(have=have, wait_ms=wait_ms)
        ended = time.monotonic()
        self.assertEqual(answer.body("head")["overrides"], drained)
        return ended - self.fetches(fra)[0]

    def test_it_waits_1_ms_for_twelve_pairs_of_nodes(self) -> None:
        after_s = self.take_from_a_peer(5000)
        self.assertGreaterEqual(after_s, (self.N - 1) ** 2 // 12 / 1000)
        self.assertLess(after_s, 1.5)


class Many(Late):
    N = 114

    def test_it_waits_1_ms_for_twelve_pairs_of_nodes(self) -> None:
        """That is more than a second: no answer is ended for it."""
        self.assertGreaterEqual(self.take_from_a_peer(3500), 1.5)


if __name__ == "__main__":
    counted.main()
