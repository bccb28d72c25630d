# SPDX-License-Identifier: BSD-2-Clause
"""Drains and their ends at nodes that share a store, while these and the store meet with faults: what each client was told, and what is in
force in the end.

A command that was acknowledged is in force at all nodes once they hear each other again, or a later one at its target is.
"""
from __future__ import annotations

import contextlib
import dataclasses
import http.client
import random
import threading
import typing

if typing.TYPE_CHECKING:
    from api_node import Node

TARGETS: tuple[dict[str, str], ...] = ({"site": "ams"}, {"pool": "web-ams", "backend": "b1"})
PAST = ["last-site", "room", "last-backend", "spare"]


@dataclasses.dataclass
class Order:
    """A command, and what was said of it."""
    what: str
    target: dict[str, str]
    node: str
    status: int = 0  # 0: no answer
    code: str = ""
    generation: int = 0

    def is_made(self) -> bool:
        return self.status in (200, 201, 202) and self.generation > 0


class Orders:
    def __init__(self, nodes: list[Node], forgetful: typing.Container[str]) -> None:
        """@forgetful: nodes that lose their disks; what they alone know is lost with them."""
        self.nodes, self.forgetful, self.given = nodes, forgetful, typing.cast(list[Order], [])

    def give(self, r: random.Random) -> None:
        node, target = r.choice(self.nodes), r.choice(TARGETS)
        order = Order(r.choice(("drain", "undrain")), target, node.name)
        self.given.append(order)
        more: dict[str, typing.Any] = {"now": True, **({"until": "never"} if order.what == "drain" else {})}
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
            answer = node.command(order.what, target, author=f"o{len(self.given)}", **more)
            order.code = answer.code or ""
            order.generation = ((answer.json or {}).get("override") or {}).get("generation", 0)
            order.status = answer.status

    def run(self, stop: threading.Event, seed: str) -> None:
        r = random.Random(seed)
        while not stop.is_set():
            self.give(r)
            stop.wait(r.uniform(0, 1))

    @staticmethod
    def listed(node: Node) -> list[tuple[typing.Any, ...]]:
        items = node.ask("GET", "/v1/overrides?ended=true").json["items"]
        return sorted((o["id"], o["generation"], o["state"] == "done", tuple(sorted(o["target"].items()))) for o in items)

    def are_equal(self) -> bool:
        with contextlib.suppress(OSError, ValueError, KeyError, http.client.HTTPException):
            return all(self.listed(n) == self.listed(self.nodes[0]) for n in self.nodes)
        return False

    def judge(self) -> list[str]:
        """What was acknowledged and is not so, once all nodes have the same."""
        wrong = []
        there = self.listed(self.nodes[0])
        for target in TARGETS:
            key = tuple(sorted(target.items()))
            made = [o for o in self.given if o.is_made() and o.target == target and o.node not in self.forgetful]
            last = max(made, key=lambda o: o.generation, default=None)
            now = [item for item in there if item[3] == key]
            newest = max((item[1] for item in now), default=0)
            live = [item for item in now if not item[2]]
            if last and newest < last.generation:
                wrong.append(f"{last} was acknowledged, and the last command at {target} is {newest}: {now}")
            if last and newest == last.generation and (last.what == "drain") != bool(live):
                wrong.append(f"{last} was the last one, and {live} is in force")
            if len(live) > 1:
                wrong.append(f"two are in force at {target}: {live}")
        return wrong
