#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Two nodes over TLS on loopback that share a store: versions, merging, confirmation, equal member sets.

Usage: test_peers.py WEIR_MGMT
"""
from __future__ import annotations

import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import typing
import unittest

import counted
from api_node import Node, config, free_port, tls_files, wait_for
from shared_store import ID, share, shared

PROGRAM = sys.argv.pop(1)
HALF = ('{ name = "b1"; address = "10.1.1.11"; weight = 100; },', "")


class Peers(unittest.TestCase):
    def setUp(self) -> None:
        ports = free_port(), free_port()
        api_a, self.api_b = (f"https://127.0.0.1:{p}" for p in ports)
        text = config(api_a, self.api_b)
        self.a, self.b = Node(PROGRAM, "ams-1", text), Node(PROGRAM, "fra-1", text)
        self.enterContext(shared(self.a, self.b))
        for node in (self.a, self.b):
            self.addCleanup(node.close)
            node.start()

    def cut(self, yes: bool) -> None:
        """A cut: the nodes do not know each other's token any more."""
        self.b.write("peer.token", ("q" if yes else "p") * 40 + "\n")
        wanted = "unreachable" if yes else "agreed"
        if yes:
            for n in (self.a, self.b):
                wait_for("the cut", lambda: n.ask("GET", "/v1/peers").json["items"][0]["state"] == wanted)

    def states(self, node: Node) -> list[typing.Any]:
        return sorted((o["target"]["site"], o["state"]) for o in node.ask("GET", "/v1/overrides").json["items"])

    def agreed(self) -> bool:
        return all(n.ask("GET", "/v1/peers").json["items"][0:1] and n.ask("GET", "/v1/peers").json["items"][0]["state"] == "agreed" for n in (self.a, self.b))

    def head(self, node: Node) -> tuple[typing.Any, typing.Any, typing.Any]:
        v = node.ask("GET", "/v1/config").json
        return v["number"], v["digest"], v["effective"]

    def test_waiting_for_all_means_that_all_have_it(self) -> None:
        wait_for("agreement", self.agreed)
        a = self.a.apply(self.a.files("# two sites", "# one"), query="?wait=all")
        self.assertEqual((a.status, [n["state"] for n in a.json["nodes"]]), (201, ["in_force", "agreed"]))
        self.assertEqual(self.head(self.a), self.head(self.b))
        a = self.b.drain(query="?wait=all")
        self.assertEqual((a.status, a.json["complete"]), (201, True))
        self.assertEqual(self.states(self.a), [("ams", "drained")])
        self.b.stop()
        a = self.a.command("undrain", {"site": "ams"}, query="?wait=all&wait_ms=2500", now=True)
        self.assertEqual((a.status, a.json["complete"], a.json["nodes"][1]["state"]), (202, False, "unreachable"))
        self.b.start()
        wait_for("the end of the drain", lambda: self.states(self.b) == [])

    def test_of_drains_on_both_sides_of_a_cut_the_later_survives_it(self) -> None:
        wait_for("agreement", self.agreed)
        self.cut(True)
        self.a.drain("ams")
        wait_for("the store's word", lambda: self.states(self.b) != [])  # a drain that has not seen it is refused
        later = self.b.drain("ams", reason="the other one").json["override"]["id"]
        self.cut(False)
        start = time.monotonic()

        def live(node: Node) -> list[str]:
            return [o["id"] for o in node.ask("GET", "/v1/overrides").json["items"]]
        wait_for("the later one", lambda: live(self.a) == live(self.b) == [later])
        self.assertLess(time.monotonic() - start, 10)
        a = self.a.command("undrain", {"site": "ams"}, query="?wait=all", now=True)
        self.assertEqual((a.status, self.states(self.b)), (200, []))

    def test_a_peer_that_left_the_document_leaves_no_file_behind(self) -> None:
        def files() -> list[typing.Any]:
            return sorted(f for f in os.listdir(self.a.run) if f.startswith("view-"))
        wait_for("the peer's page", lambda: files() == ["view-fra-1.page", "view-fra-1.page.lock"])
        self.a.apply(self.a.files(f'api = "{self.api_b}";', ""), confirm_within="none")  # the first of the store
        wait_for("its end", lambda: files() == [])

    def test_a_confirmation_on_the_other_node_counts(self) -> None:
        wait_for("agreement", self.agreed)
        self.a.apply(self.a.files(), query="?wait=all")  # the first needs no confirmation
        self.a.apply(self.a.files(*HALF), query="?wait=all", confirm_within="4s")
        self.assertEqual(self.b.ask("POST", "/v1/versions/2/confirm", {"reason": "x"}).status, 200)
        time.sleep(5)  # longer than the deadline
        self.assertEqual((self.head(self.a)[0], self.head(self.b)[0]), (2, 2))

    def test_two_nodes_compose_the_same_member_sets(self) -> None:
        wait_for("agreement", self.agreed)
        self.a.apply(self.a.files('address = "10.1.1.12"; weight = 100', 'address = "10.1.1.12"; weight = 30'), query="?wait=all")
        self.b.command("drain", {"pool": "web-ams", "backend": "b1"}, until="never", over="10m", query="?wait=all")
        time.sleep(2.5)  # the drain has begun, so that sets differ by time
        wait_for("the same sets", lambda: self.sets(self.a) == self.sets(self.b))
        self.assertIn("weight = 0;", self.sets(self.a))

    @staticmethod
    def sets(node: Node) -> str:
        """The member sets; each node has begun with its own file by itself, so that instant is its own."""
        text = re.search(r"member_sets = .*?overrides", node.effective(), re.S)[0]
        return text.replace(min(re.findall(r"[0-9]{4}-[0-9-]+T[0-9:.]+Z", text)), "START")


class Stores(unittest.TestCase):
    """No member of either store answers: which one a node uses is in its store.conf."""

    ONE, OTHER = "1" * 32, "2" * 32

    def setUp(self) -> None:
        text = config(*(f"https://127.0.0.1:{free_port()}" for _ in range(2)))
        self.a, self.b = Node(PROGRAM, "ams-1", text), Node(PROGRAM, "fra-1", text)
        for node in (self.a, self.b):
            self.addCleanup(node.close)

    def start(self, node: Node, id: str) -> None:
        node.stop()
        if id:
            node.write("store.conf", json.dumps({"id": id, "endpoints": [f"https://127.0.0.1:{free_port()}"]}))
            os.chmod(os.path.join(node.conf, "store.conf"), 0o640)
        node.start()

    @staticmethod
    def said(node: Node, code: str) -> list[tuple[str, str]]:
        return [(r["subject"], r["text"]) for r in node.ask("GET", "/v1/status").json["reasons"] if r["code"] == code]

    def test_a_node_without_a_store_hears_of_one(self) -> None:
        for node in (self.a, self.b):
            self.start(node, "")
        wait_for("none has one", lambda: [p["store"] for p in self.b.ask("GET", "/v1/peers").json["items"]] == [""])
        self.assertIn("Run 'weir store init' on the first host", self.said(self.b, "store-missing")[0][1])
        self.start(self.a, self.ONE)
        text = f"ams-1 has the store {self.ONE}, and this node no store.conf: run 'weir store join' here, with a copy of store.join (one is kept off the nodes)"
        wait_for("it is said", lambda: self.said(self.b, "store-missing") == [("store.conf", f"store.conf: {text}")])
        self.assertIn(f"nothing was changed. {text}", self.b.apply(self.b.files()).json["detail"])
        self.a.stop()
        wait_for("nothing is claimed", lambda: "init" in self.said(self.b, "store-missing")[0][1])
        self.assertEqual([p["store"] for p in self.b.ask("GET", "/v1/peers").json["items"]], [None])

    def test_nodes_of_two_stores(self) -> None:
        """Each names the other, until both have one."""
        self.start(self.a, self.ONE)
        self.start(self.b, self.OTHER)
        for node, peer, ids in ((self.a, "fra-1", (self.OTHER, self.ONE)), (self.b, "ams-1", (self.ONE, self.OTHER))):
            (subject, text), = wait_for("it is said", lambda node=node: self.said(node, "store-differs"))
            self.assertEqual((subject, text), (peer, f"{peer}: it has the store {ids[0]}, and this node has {ids[1]}: neither takes what the other applies. "
                                             "Let nodes leave the wrong one: the handbook says how (Two stores)"))
        self.b.stop()
        os.unlink(os.path.join(self.b.conf, "store.conf"))
        shutil.rmtree(self.b.state)
        os.mkdir(self.b.state)
        self.start(self.b, self.ONE)
        wait_for("it ends", lambda: not self.said(self.a, "store-differs") and not self.said(self.b, "store-differs"))


    def test_two_etcds_that_have_one_id(self) -> None:
        """Each node follows one: as after a copy of the store was begun beside it. Each names the other, until both follow one."""
        a = self.enterContext(shared(self.a))
        b = self.enterContext(shared(self.b))
        for node in (self.a, self.b):
            node.start()
        for node in (self.a, self.b):
            wait_for("its store", lambda node=node: node.ask("GET", "/v1/store").json["state"] == "ready")
        wait_for("each knows the other", lambda: [p["store"] for p in self.b.ask("GET", "/v1/peers").json["items"]] == [ID])
        clusters = [f"{int(m.good('/v3/maintenance/status', {})['header']['cluster_id']):x}" for m in (a.members[0], b.members[0])]
        for node, peer, (it, own) in ((self.a, "fra-1", reversed(clusters)), (self.b, "ams-1", clusters)):
            (subject, text), = wait_for("it is said", lambda node=node: self.said(node, "store-differs"), 40)
            self.assertEqual(subject, peer)
            self.assertRegex(text, rf"^{peer}: it takes changes from epoch.nonce.etcd 0..{it} of the store, and this node from 0..{own}. Let nodes leave ")
        self.b.stop()
        shutil.rmtree(self.b.state)
        os.mkdir(self.b.state)
        share(a, self.b)
        self.b.start()
        wait_for("it ends", lambda: not self.said(self.a, "store-differs") and not self.said(self.b, "store-differs"))


class Dataplane(threading.Thread):
    """Answers on a node's control socket in the place of weir-dataplane: answers is {command: what}."""

    def __init__(self, node: Node, answers: dict[str, typing.Any]) -> None:
        super().__init__(daemon=True)
        self.path, self.answers = os.path.join(node.run, "dataplane.ctl"), answers
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.start()

    def run(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rw") as f:
                answer = self.answers.get(json.loads(f.readline())["do"], {"ok": False})
                f.write(json.dumps(answer() if callable(answer) else answer) + "\n")

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class StateHandover(unittest.TestCase):
    """Two nodes of one site. The dataplane of the first has started on empty tables."""

    def setUp(self) -> None:
        apis = [f"https://127.0.0.1:{free_port()}" for _ in range(2)]
        text = config(*apis).replace('name = "fra-1"; site = "fra"', 'name = "fra-1"; site = "ams"')
        self.a, self.b = Node(PROGRAM, "ams-1", text), Node(PROGRAM, "fra-1", text)
        self.enterContext(shared(self.a, self.b))
        for node in (self.a, self.b):
            self.addCleanup(node.close)
            node.start()
        wait_for("agreement", lambda: self.state() == "agreed")

    def state(self) -> typing.Any:
        items = self.a.ask("GET", "/v1/peers").json["items"]
        return items[0]["state"] if items else ""  # a starting node has not looked for its peers yet

    def dataplane(self, node: Node, **answers: typing.Any) -> None:
        self.addCleanup(Dataplane(node, answers).close)

    def status(self, wants: bool = True, behind: int = 0) -> typing.Callable[..., typing.Any]:
        def answer() -> dict[str, typing.Any]:
            document = int(re.search(r'document = "(\d+)";', self.a.effective())[1])
            return {"ok": True, "learning": True, "wants_connections": wants, "document": document - behind}
        return answer

    def handed_over(self) -> list[typing.Any] | None:
        """[node, text] that was handed over, or None."""
        try:
            with open(os.path.join(self.a.run, "connections.state")) as f:
                head, _, text = f.read().partition("\n")
        except FileNotFoundError:
            return None
        return [re.fullmatch(r"weir-connections 1 \d+ (\S+)", head)[1], text]

    def test_what_a_peer_knows_is_handed_over(self) -> None:
        self.dataplane(self.b, connections={"ok": True, "learning": False, "connections": "pool web-ams 64\nslot 1 0\n"})
        self.dataplane(self.a, status=self.status())
        wait_for("the peer's answer", self.handed_over)
        self.assertEqual(self.handed_over(), ["fra-1", "pool web-ams 64\nslot 1 0\n"])

    def test_where_all_are_starting_none_knows(self) -> None:
        self.dataplane(self.b, connections={"ok": True, "learning": True, "connections": "pool web-ams 64\nslot 1 0\n"})
        self.dataplane(self.a, status=self.status())
        wait_for("the outcome", self.handed_over)
        self.assertEqual(self.handed_over(), ["-", ""])

    def test_nothing_is_handed_over_that_nobody_says(self) -> None:
        self.dataplane(self.a, status=self.status())
        time.sleep(2)  # nothing may be handed over in this time
        self.assertIsNone(self.handed_over())  # the peer's dataplane is silent: it may know
        self.dataplane(self.b, connections={"ok": False, "error": "no document is in force yet"})
        time.sleep(2)  # nothing may be handed over in this time
        self.assertIsNone(self.handed_over())

    def test_nothing_is_handed_over_before_its_time(self) -> None:
        self.dataplane(self.b, connections={"ok": True, "learning": False, "connections": ""})
        for state in (self.status(wants=False), self.status(behind=1)):
            dataplane = Dataplane(self.a, {"status": state})
            time.sleep(2)  # nothing may be handed over in this time
            dataplane.close()
            os.unlink(dataplane.path)
            self.assertIsNone(self.handed_over())

    def test_a_peer_with_another_head_is_not_believed(self) -> None:
        self.b.stop()
        os.unlink(os.path.join(self.b.conf, "store.conf"))  # it runs its own file from now on
        self.b.start()
        self.assertEqual(self.a.apply(self.a.files("# two sites", "# one")).status, 201)
        wait_for("another version", lambda: self.state() == "differs")
        self.dataplane(self.b, connections={"ok": True, "learning": False, "connections": ""})
        self.dataplane(self.a, status=self.status())
        time.sleep(2)  # nothing may be handed over in this time
        self.assertIsNone(self.handed_over())


class Impostor:
    """A TLS server with the certificate of tls_files(). What it hears of those who trust it is in `heard`."""

    def __init__(self, folder: str) -> None:
        self.paths = os.path.join(folder, "key"), os.path.join(folder, "crt")
        for path, text in zip(self.paths, tls_files()):
            with open(path, "w") as f:
                f.write(text)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.paths[1], self.paths[0])
        self.socket = socket.create_server(("127.0.0.1", free_port()))
        self.url = f"https://127.0.0.1:{self.socket.getsockname()[1]}"
        self.refused, self.heard = 0, b""
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            connection, _ = self.socket.accept()
            connection.settimeout(5)
            try:
                with self.context.wrap_socket(connection, server_side=True) as s:
                    self.heard += s.recv(65536)
            except OSError:
                self.refused += 1

    def make_public(self, folder: str) -> None:
        """A folder as /etc/ssl/certs, with its certificate."""
        name = subprocess.run(["openssl", "x509", "-hash", "-noout", "-in", self.paths[1]], check=True, capture_output=True, text=True).stdout.strip()
        os.mkdir(folder)
        shutil.copy(self.paths[1], os.path.join(folder, f"{name}.0"))


class Trust(unittest.TestCase):
    def test_a_certificate_of_a_public_authority_is_none_of_a_peer(self) -> None:
        folder = self.enterContext(tempfile.TemporaryDirectory())
        impostor = Impostor(folder)
        public, program = os.path.join(folder, "public"), os.path.join(folder, "weir-mgmt")
        impostor.make_public(public)
        with open(program, "w") as f:
            f.write(f"#!/bin/sh\nexec unshare --mount sh -c 'mount --bind {public} /etc/ssl/certs && exec \"$0\" \"$@\"' "
                    f"{os.path.abspath(PROGRAM)} \"$@\"\n")
        os.chmod(program, 0o755)
        node = Node(program, "ams-1", config(f"https://127.0.0.1:{free_port()}", impostor.url))
        self.addCleanup(node.close)
        other = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                                "-subj", "/CN=other", "-keyout", "/dev/null"], check=True, capture_output=True, text=True).stdout
        for file in ("tls.ca", "tls.crt", ""):  # that verifies peers
            for name in ("tls.ca", "tls.crt"):
                if name == file:
                    node.write(name, other)
                elif os.path.exists(os.path.join(node.conf, name)):
                    os.unlink(os.path.join(node.conf, name))
            if not node.process:
                node.start()
            before = impostor.refused
            wait_for("it asks its peer", lambda before=before: impostor.refused > before + 1 or impostor.heard)
            self.assertEqual(impostor.heard, b"", "it sent its token")


if __name__ == "__main__":
    counted.main()
