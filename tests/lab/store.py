# SPDX-License-Identifier: BSD-2-Clause
"""The store that a lab's nodes share: one member of etcd on a host of its own, at none of their sites; or members on nodes' own hosts."""
from __future__ import annotations

import base64
import json
import os
import typing
import urllib.error
import urllib.request

from net import entered, wait_until

if typing.TYPE_CHECKING:
    from net import Host, Lab, Process

PORT = "p-store"  # of the router, towards it
ADDRESS, GATEWAY = "10.255.3.2", "10.255.3.1"
URL = f"http://{ADDRESS}:2379"
PREFIX, AFTER = "/weir/", "/weir0"  # its own by default, and the first key after it
ID = "0123456789abcdef0123456789abcdef"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def start_member(host: Host, name: str, folder: str, client: str, peer: str, initial: str) -> Process:
    """An etcd with these URLs; @initial: all members of its cluster."""
    return host.start(f"etcd-{name}", ["etcd", "--name", name, "--data-dir", folder, "--listen-client-urls", client, "--advertise-client-urls", client,
                                       "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", initial,
                                       "--logger", "zap", "--log-level", "error"])


def is_healthy(host: Host, url: str) -> bool:
    """By its own word, asked from @host: it has a quorum."""
    try:
        with entered(host.ns), urllib.request.urlopen(f"{url}/health", timeout=1) as answer:
            return bool(json.loads(answer.read())["health"] == "true")
    except (OSError, ValueError, urllib.error.URLError):
        return False


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
        self.process = start_member(self.host, "m0", self.folder, URL, peer, f"m0={peer}")
        wait_until(self.answers, 30, "the store answers", 0.05)

    def stop(self) -> None:
        """At once; what it holds stays."""
        self.process.kill()

    def answers(self) -> bool:
        return is_healthy(self.host, URL)

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


class Members:
    """Members on hosts of nodes, whose addresses these are; they run from the start."""

    def __init__(self, places: typing.Sequence[tuple[Host, str]]) -> None:
        urls = [(f"http://{address}:{2379 + 2 * i}", f"http://{address}:{2380 + 2 * i}") for i, (_, address) in enumerate(places)]
        initial = ",".join(f"m{i}={peer}" for i, (_, peer) in enumerate(urls))
        self.endpoints = [client for client, _ in urls]
        for i, ((host, _), (client, peer)) in enumerate(zip(places, urls)):
            start_member(host, f"m{i}", os.path.join(host.lab.dir, f"m{i}.etcd"), client, peer, initial)
        for (host, _), client in zip(places, self.endpoints):
            wait_until(lambda h=host, c=client: is_healthy(h, c), 30, f"{client} answers", 0.05)


def write_conf(folder: str, endpoints: typing.Sequence[str] = (URL,)) -> None:
    """Let a node whose configuration is in @folder share it."""
    path = os.path.join(folder, "store.conf")
    with open(path, "w", encoding="utf-8") as f:
        json.dump({"id": ID, "endpoints": list(endpoints)}, f)
    os.chmod(path, 0o644)  # weir-mgmt may be another user
