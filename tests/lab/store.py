# SPDX-License-Identifier: BSD-2-Clause
"""The store that a lab's nodes share: one member of etcd on a host of its own, at none of their sites."""
from __future__ import annotations

import base64
import json
import os
import typing
import urllib.error
import urllib.request

from net import entered, wait_until

if typing.TYPE_CHECKING:
    from net import Host, Lab

PORT = "p-store"  # of the router, towards it
ADDRESS, GATEWAY = "10.255.3.2", "10.255.3.1"
URL = f"http://{ADDRESS}:2379"
PREFIX, AFTER = "/weir/", "/weir0"  # its own by default, and the first key after it
CONF = {"id": "0123456789abcdef0123456789abcdef", "endpoints": [URL]}


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


class Store:
    """It runs from the start."""

    def __init__(self, lab: Lab, router: Host) -> None:
        self.host = lab.host("store")
        lab.link(router, PORT, self.host, "eth0")
        router.address(PORT, f"{GATEWAY}/30")
        self.host.address("eth0", f"{ADDRESS}/30")
        self.host.route("default", GATEWAY)
        self.folder = os.path.join(lab.dir, "store.etcd")
        self.start()

    def start(self) -> None:
        peer = f"http://{ADDRESS}:2380"
        self.process = self.host.start("etcd", ["etcd", "--name", "m0", "--data-dir", self.folder, "--listen-client-urls", URL,
                                                "--advertise-client-urls", URL, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                                                "--initial-cluster", f"m0={peer}", "--logger", "zap", "--log-level", "error"])
        wait_until(self.answers, 30, "the store answers", 0.05)

    def stop(self) -> None:
        """At once; what it holds stays."""
        self.process.kill()

    def answers(self) -> bool:
        try:
            with entered(self.host.ns), urllib.request.urlopen(f"{URL}/health", timeout=1) as answer:
                return json.loads(answer.read())["health"] == "true"
        except (OSError, ValueError, urllib.error.URLError):
            return False

    def ask(self, path: str, body: dict[str, str]) -> typing.Any:
        with entered(self.host.ns), urllib.request.urlopen(URL + path, json.dumps(body).encode(), timeout=10) as answer:
            return json.loads(answer.read())

    def empty(self) -> None:
        """Remove all that nodes share: they are stopped, and begin anew."""
        self.ask("/v3/kv/deleterange", {"key": b64(PREFIX), "range_end": b64(AFTER)})

    def latest(self) -> str:
        """The record of the newest version's number, as it is there."""
        kvs = self.ask("/v3/kv/range", {"key": b64(PREFIX + "head")}).get("kvs")
        return base64.b64decode(kvs[0]["value"]).decode() if kvs else ""


def write_conf(folder: str) -> None:
    """Let a node whose configuration is in @folder share it."""
    path = os.path.join(folder, "store.conf")
    with open(path, "w", encoding="utf-8") as f:
        json.dump(CONF, f)
    os.chmod(path, 0o644)  # weir-mgmt may be another user
