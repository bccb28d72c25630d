# SPDX-License-Identifier: BSD-2-Clause
"""Situations of peers, their token, versions, and documents."""
from __future__ import annotations

import os
import threading
import time
import typing

import plan as planning
from net import wait_until
from truth import Situation, fault

if typing.TYPE_CHECKING:
    from truth import Bed
    from world import Node

ROUND_S = 2.0  # peers are asked so often: the evidence is an answer that does not come
TOKEN = "peer.token"


def peer_dies(bed: Bed) -> float:
    bed.peer.kill("mgmt")
    return time.monotonic() + ROUND_S


def peer_returns(bed: Bed) -> None:
    bed.peer.start("mgmt")


def peer_is_unknown(bed: Bed) -> None:
    """weir-mgmt starts, and the peer is not there: it was never heard."""
    bed.peer.kill("mgmt")
    bed.node.kill("mgmt")
    bed.node.start("mgmt")
    wait_until(lambda: bed.status().body.get("source") != "pages" and bed.status().body, 20, "management answers")


def write_token(node: Node, text: str | None) -> None:
    path = os.path.join(node.conf, TOKEN)
    if text is None:
        os.unlink(path)
        return
    with open(path + ".new", "w") as f:
        f.write(text)
    os.chmod(path + ".new", 0o600)
    os.rename(path + ".new", path)


def token_goes(bed: Bed) -> float:
    write_token(bed.node, None)
    return time.monotonic() + ROUND_S


def token_differs(bed: Bed) -> float:
    write_token(bed.node, "q" * 43 + "\n")
    return time.monotonic() + ROUND_S


def token_is_back(bed: Bed) -> None:
    write_token(bed.node, "p" * 43 + "\n")


def without_token_nothing_is_complete(bed: Bed) -> None:
    """A drain with --all says that the peer does not have it."""
    since = token_goes(bed)
    try:
        bed.expect("there is no peer.token", "degraded", "peer-token-missing", TOKEN, since)
        code, _ = bed.weir("drain", "backend", f"{bed.site_plan.pool}/{bed.site.backends[0].name}", "--until", "never", "--reason", "lab",
                           "--all")
        bed.report.equal(code, 6, "drain --all without peer.token is done partly")
    finally:
        token_is_back(bed)
        bed.weir("undrain", "backend", f"{bed.site_plan.pool}/{bed.site.backends[0].name}", "--reason", "lab")
    bed.wait_until_well()


def document_is_garbage(bed: Bed) -> None:
    """Another program damages it again and again: weir-mgmt writes it anew within a second, and the processes take that."""
    with open(os.path.join(bed.node.state, "effective.conf"), "rb") as f:
        bed.kept = f.read()
    bed.damaging = threading.Event()
    bed.damaging.set()

    def damage() -> None:
        while bed.damaging.is_set():
            replace_document(bed, b"this is no document\n")
            time.sleep(0.1)  # the pace of the damage
    bed.damager = threading.Thread(target=damage, daemon=True)
    bed.damager.start()


def document_is_whole(bed: Bed) -> None:
    bed.damaging.clear()
    bed.damager.join()
    replace_document(bed, bed.kept)


def replace_document(bed: Bed, content: bytes) -> None:
    path = os.path.join(bed.node.state, "effective.conf")
    with open(path + ".lab", "wb") as f:
        f.write(content)
    os.rename(path + ".lab", path)


def listen_fails(bed: Bed) -> None:
    """weir-dns starts, and the address that it is to answer on is not there."""
    bed.node.kill("dns")
    bed.host.ip(f"addr del {bed.site_plan.dns4}/32 dev lo")
    bed.node.start("dns")
    wait_until(lambda: "dns-listen-failed" in bed.node.processes["dns"].log(), 20, "weir-dns tries to listen")


def listen_works(bed: Bed) -> None:
    bed.host.address("lo", f"{bed.site_plan.dns4}/32")
    bed.node.kill("dns")
    bed.node.start("dns")


def version_waits(bed: Bed) -> None:
    """A risky version waits to be confirmed; then it is rolled back by hand. The first of the store has none to go back to."""
    bed.must("apply", "--reason", "what runs")
    bed.world.plan.hash = "source"
    bed.node.write_config()
    try:
        bed.must("apply", "--reason", "lab", "--confirm-within", "10m")
        bed.expect("a version waits to be confirmed", "degraded", "version-unconfirmed")
        bed.must("confirm")
        bed.wait_until_well()
    finally:
        bed.world.plan.hash = planning.Plan([]).hash
        bed.node.write_config()
        bed.must("apply", "--reason", "lab", "--confirm-within", "none", "--replace")
        bed.weir("confirm")
    bed.wait_until_well()


SITUATIONS = [
    fault("a peer dies", peer_dies, peer_returns, "degraded", "peer-unreachable", "ams-2", quick=True),
    fault("a peer was never heard", peer_is_unknown, peer_returns, "degraded", "peer-never-heard", "ams-2"),
    Situation("there is no peer.token", without_token_nothing_is_complete),
    fault("the peer.token is another one", token_differs, token_is_back, "degraded", "peer-token-refused", "ams-2"),
    # weir-mgmt writes the document again each time: too soon to compare the places
    fault("the document cannot be read", document_is_garbage, document_is_whole, "degraded", "document-refused",
          elsewhere=False),
    fault("weir-dns cannot listen", listen_fails, listen_works, "degraded", "listen-failed", "192.0.2.51"),
    Situation("a version waits to be confirmed", version_waits),
]
