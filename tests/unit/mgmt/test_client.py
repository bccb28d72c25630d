#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The command line when management is slow, stopped or killed amid a change.

Usage: test_client.py WEIR_MGMT WEIR
"""
from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
import typing
import unittest

import counted
from api_node import Node, config, free_port, freeze, wait_for, was_changed
from shared_store import shared

MGMT, WEIR = (sys.argv.pop(1) for _ in range(2))
DRAIN = ("drain", "site", "ams", "--scheduled", "--until", "never", "--now", "--reason", "a test")


@contextlib.contextmanager
def running(has_store: bool = False, **more: typing.Any) -> typing.Iterator[Node]:
    node = Node(MGMT, text=config(**more))
    with shared(node) if has_store else contextlib.nullcontext():
        try:
            node.start()
            wait_for("a version", lambda: node.ask("GET", "/v1/config").status == 200)
            yield node
        finally:
            if node.process:
                node.process.send_signal(signal.SIGCONT)
            node.close()


def slow(has_store: bool = False) -> typing.Any:
    """A node whose changes wait with --all, for a peer that does not answer."""
    return running(has_store, ams_api=f"https://127.0.0.1:{free_port()}", fra_api="https://127.0.0.1:9")


def start(node: Node, *args: str) -> subprocess.Popen[str]:
    return subprocess.Popen([WEIR, "--conf-dir", node.conf, "--state-dir", node.state, "--run-dir", node.run, "--node", node.name,
                             *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def weir(node: Node, *args: str) -> tuple[typing.Any, str, str, float]:
    began = time.monotonic()
    p = start(node, *args)
    out, err = p.communicate(timeout=120)
    return p.returncode, out, err, time.monotonic() - began


def changed(node: Node) -> list[bool]:
    """Of each override, whether it was changed since it was made."""
    return [was_changed(o) for o in node.ask("GET", "/v1/overrides").json["items"]]


class Client(unittest.TestCase):
    def test_who_hears_nothing_gives_up_after_five_seconds(self) -> None:
        with running() as node:
            freeze(node.process)
            code, _, err, took_s = weir(node, "versions")
            self.assertEqual(code, 3, err)
            self.assertIn("did not answer", err)
            self.assertGreater(took_s, 4.5)
            self.assertLess(took_s, 15)

    def test_a_change_that_nobody_answers_has_an_unknown_outcome(self) -> None:
        with running() as node:
            freeze(node.process)
            code, _, err, took_s = weir(node, *DRAIN)
            self.assertEqual(code, 5, err)
            self.assertIn("may or may not have been made", err)
            self.assertLess(took_s, 50)
            node.process.send_signal(signal.SIGCONT)
            wait_for("it goes on", lambda: node.answers())
            time.sleep(1)  # a request that was still carried out would show by then
            # the command had hung up on each of its requests before management went on: none is carried out
            self.assertEqual(changed(node), [])
            code, _, err, _ = weir(node, *DRAIN)
            self.assertEqual(code, 0, err)
            self.assertEqual(changed(node), [False])

    def test_a_change_that_is_answered_at_last_is_made_once(self) -> None:
        with running() as node:
            freeze(node.process)
            p = start(node, *DRAIN)
            self.assertIn("asking again", p.stderr.readline())
            time.sleep(1)  # the command asks several times meanwhile
            node.process.send_signal(signal.SIGCONT)
            out, err = p.communicate(timeout=120)
            self.assertEqual(p.returncode, 0, out + err)
            self.assertEqual(changed(node), [False])

    def test_a_slow_answer_is_waited_for(self) -> None:
        with slow() as node:
            code, out, err, took_s = weir(node, *DRAIN, "--all")
            self.assertIn(code, (5, 6), err)
            self.assertNotIn("may or may not have been made", err)
            self.assertIn("drain site ams", out)
            self.assertGreater(took_s, 8)  # it would have given up after five
            self.assertIn("s): the change is made; waiting for the nodes to take it\n", err)

    def test_a_change_that_a_kill_interrupts_is_asked_for_again(self) -> None:
        with slow(has_store=True) as node:
            self.assertEqual(node.apply(node.files(), query="?wait_ms=0").json["version"]["number"], 1)
            node.write("weir.conf", node.files("weight = 100", "weight = 90")["weir.conf"])
            p = start(node, "apply", "--reason", "x", "--all")
            wait_for("the version", lambda: node.ask("GET", "/v1/versions").json["head"] == 2)
            node.stop(signal.SIGKILL)
            node.start()
            out, err = p.communicate(timeout=120)
            self.assertEqual(p.returncode, 0, out + err)
            self.assertIn("asking again", err)
            self.assertIn("2", out)
            self.assertEqual([v["number"] for v in node.ask("GET", "/v1/versions").json["items"]], [2, 1])

    def test_progress_is_an_interim_response_each_second(self) -> None:
        with slow() as node, socket.socket(socket.AF_UNIX) as s:
            s.settimeout(60)
            s.connect(os.path.join(node.run, "api.sock"))
            body = b'{"do":"drain","target":{"site":"ams"},"until":"never","reason":"x"}'
            s.sendall(b"POST /v1/overrides?wait=all&wait_ms=4500 HTTP/1.1\r\nHost: weir\r\nWeir-Progress: 1\r\n"
                      b"Content-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body))
            heard = b""
            while piece := s.recv(65536):
                heard += piece
            pulse = b"HTTP/1.1 102 Processing\r\nWeir-Doing: the change is made; waiting for the nodes to take it\r\n\r\n"
            n = heard.count(pulse)
            self.assertIn(n, range(2, 7), heard[:300])
            self.assertTrue(heard.startswith(pulse * n + b"HTTP/1.1 202 "), heard[:300])

    def test_who_does_not_ask_for_progress_gets_none(self) -> None:
        with slow() as node:
            r = node.ask("POST", "/v1/overrides?wait=all&wait_ms=2500",
                         {"do": "drain", "target": {"site": "ams"}, "until": "never", "reason": "x"})
            self.assertEqual(r.status, 202)
            self.assertEqual(http.client.responses[r.status], "Accepted")


if __name__ == "__main__":
    counted.main()
