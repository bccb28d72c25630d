# SPDX-License-Identifier: BSD-2-Clause
"""A real store for nodes on loopback: one member of etcd."""
from __future__ import annotations

import contextlib
import json
import os
import sys
import typing

from api_node import Node

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "lab"))
from etcd_cluster import Cluster, running  # noqa: E402

ID = "0123456789abcdef0123456789abcdef"


def share(etcd: Cluster, *nodes: Node) -> None:
    """Let nodes share it from their next start on."""
    for node in nodes:
        node.write("store.conf", json.dumps({"id": ID, "endpoints": [m.url for m in etcd.members]}))
        os.chmod(os.path.join(node.conf, "store.conf"), 0o640)


@contextlib.contextmanager
def shared(*nodes: Node) -> typing.Iterator[Cluster]:
    with running(1) as etcd:
        share(etcd, *nodes)
        yield etcd
