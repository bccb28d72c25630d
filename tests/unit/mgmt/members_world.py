# SPDX-License-Identifier: BSD-2-Clause
"""Two nodes that share a real store, with TLS and tokens, and the programs that register members there."""
from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import tempfile
import threading
import time
import typing

from api_node import Node, free_port, wait_for
from shared_store import share
from etcd_cluster import Cluster as Etcd

CONFIG = """schema = 1;
cluster = {{ name = "shop"; hash_key_file = "hash.key"; hash_key_id = "k1"; }};
limits = {{ slots = 8388608; }};
sites = ( {{ name = "ams"; }}, {{ name = "fra"; }} );
nodes = ( {{ name = "ams-1"; site = "ams"; ports = ( {{ interface = "eth1"; }} ); tunnel_source = [ "10.1.255.0/24" ]; clock = "trusted"; api = "{0}"; }},
          {{ name = "fra-1"; site = "fra"; ports = ( {{ interface = "eth1"; }} ); tunnel_source = [ "10.2.255.0/24" ]; clock = "trusted"; api = "{1}"; }} );
pools = ( {{ name = "web"; site = "ams"; max_backends = 3000; settle_time = "2s";
  registration = {{ prefixes = [ "10.1.0.0/16" ]; }};
  backends = ( {{ name = "b1"; address = "10.1.1.11"; }} ); }},
  {{ name = "still"; site = "ams"; backends = ( {{ name = "b1"; address = "10.1.2.11"; }} ); }} );
vips = ( {{ name = "v"; site = "ams"; addresses = [ "203.0.113.10" ]; }} );
services = ( {{ name = "web"; protocol = "tcp"; port = 80; at = ( {{ site = "ams"; vip = "v"; pool = "web"; }} ); }},
  {{ name = "still"; protocol = "tcp"; port = 81; at = ( {{ site = "ams"; vip = "v"; pool = "still"; }} ); }} );
"""
TOKENS = {"rex": "oncall scope=pools:web", "poor": "oncall scope=pools:still", "vera": "viewer"}
MEMBERS = "/v1/pools/web/members"


class Program:
    """A program while it runs; its lines on standard error are gathered."""

    def __init__(self, arguments: list[str], **more: typing.Any) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
        self.threads = [threading.Thread(target=self.read), threading.Thread(target=self.read_output)]
        self.output = ""
        for t in self.threads:
            t.start()

    def read(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))

    def read_output(self) -> None:
        assert self.process.stdout
        self.output = self.process.stdout.read()

    def said(self, text: str) -> bool:
        return any(text in line for line in list(self.lines))

    def wait_said(self, text: str, timeout_s: float = 30) -> None:
        try:
            wait_for(f"a line with {text}", lambda: self.said(text) or self.process.poll() is not None, timeout_s)
        finally:
            assert self.said(text), f"no line with {text!r}: {self.lines}"

    def end(self, timeout_s: float = 60) -> int:
        """@return its exit status, when it has ended by itself"""
        status = self.process.wait(timeout_s)
        for t in self.threads:
            t.join(10)
        return status

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        if self.process.stdin:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()
        self.end()
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe
            pipe.close()


class World:
    def __init__(self, program: str) -> None:
        self.etcd = Etcd(1)
        self.ports = [free_port(), free_port()]
        self.apis = [f"https://127.0.0.1:{port}" for port in self.ports]
        text = CONFIG.format(*self.apis)
        self.nodes = [Node(program, name, text) for name in ("ams-1", "fra-1")]
        self.folder = tempfile.TemporaryDirectory(prefix="weir-members-")
        for name, words in TOKENS.items():
            with open(self.path(name), "w") as f:
                f.write(name * 8 + "\n")
        try:
            self.etcd.start()
            share(self.etcd, *self.nodes)
            for node in self.nodes:
                self.write_tokens(node, *TOKENS)
                node.start()
            first = self.nodes[0].apply({"weir.conf": text}, confirm_within="none")
            assert first.status == 201, first.raw
            for node in self.nodes:
                wait_for("the version", lambda: node.ask("GET", "/v1/config").json.get("number") == first.json["version"]["number"])
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        for node in self.nodes:
            node.close()
        self.etcd.close()
        self.folder.cleanup()

    @staticmethod
    def write_tokens(node: Node, *names: str) -> None:
        node.write("tokens", "".join("{0} {1} {2} {3}\n".format(name, TOKENS[name].split()[0], hashlib.sha256((name * 8).encode()).hexdigest(),
                                                                 " ".join(TOKENS[name].split()[1:])) for name in names))

    def path(self, name: str) -> str:
        return os.path.join(self.folder.name, name)

    def options(self, *apis: str, token: str = "rex") -> list[str]:
        return ["--api", ",".join(apis or self.apis), "--token-file", self.path(token), "--ca", os.path.join(self.nodes[0].conf, "tls.crt")]

    def members(self, at: int = 0, query: str = "") -> dict[str, typing.Any]:
        found, cursor = {}, ""
        while True:
            a = self.nodes[at].ask("GET", f"{MEMBERS}?limit=1000{query}{cursor}")
            assert a.status == 200, a.raw
            found.update({m["id"]: m for m in a.json["items"]})
            if not a.json["next"]:
                return found
            cursor = "&cursor=" + a.json["next"]

    def clear(self) -> None:
        """Take all members away, and wait until they are gone."""
        names = [m["id"] for m in self.members().values() if m["state"] != "leaving"]
        for i in range(0, len(names), 500):
            leaving = {"delete": names[i:i + 500]}
            wait_for("the store takes it", lambda some=leaving: self.nodes[0].ask("POST", MEMBERS, some).status == 200)
        wait_for("no members", lambda: not self.members() and not self.members(1), 60)
        time.sleep(0.1)  # a turn of the other node
