# SPDX-License-Identifier: BSD-2-Clause
"""A real store for nodes on loopback: one member of etcd."""
from __future__ import annotations

import contextlib
import json
import os
import sys
import typing

from api_node import Node, free_port

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "lab"))
from etcd_cluster import Cluster, running  # noqa: E402

if typing.TYPE_CHECKING:
    from fleet_ways import Ways

ID = "0123456789abcdef0123456789abcdef"


def share_at(node: Node, endpoints: list[str], **more: str) -> None:
    """Let a node use the store at the endpoints from its next start on; @more: other settings."""
    node.write("store.conf", json.dumps({"id": ID, "endpoints": endpoints, **more}))
    os.chmod(os.path.join(node.conf, "store.conf"), 0o640)


def share(etcd: Cluster, *nodes: Node) -> None:
    """Let nodes share it from their next start on."""
    for node in nodes:
        share_at(node, [m.url for m in etcd.members])


def share_by_ways(etcd: Cluster, ways: Ways, key: str, node: Node, **more: str) -> None:
    """The same for one node, by a way of its own to each member: all of them have the key."""
    ports = [free_port() for _ in etcd.members]
    for member, port in zip(etcd.members, ports):
        ways.add(key, port, member.client)
    share_at(node, [f"http://127.0.0.1:{port}" for port in ports], **more)


@contextlib.contextmanager
def shared(*nodes: Node) -> typing.Iterator[Cluster]:
    with running(1) as etcd:
        share(etcd, *nodes)
        yield etcd
