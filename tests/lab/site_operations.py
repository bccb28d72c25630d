# SPDX-License-Identifier: BSD-2-Clause
"""Operations on sites as a person gives them: by the API of one node, with the guards that a refusal names overridden if wanted."""
from __future__ import annotations

import typing

from net import LabError, say, wait_until

if typing.TYPE_CHECKING:
    from world import Node

Record = dict[str, typing.Any]
MOVING = ("starting", "moving", "late")
ENDED = ("drained", "drained_unconfirmed", "empty", "resting", "done", "aborted", "failed")
HELD = ("held", "expired_held")
TRIES = 5  # of a command whose refusals name guards


class Operations:
    """The API of one node."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def get(self, number: str) -> Record:
        """An operation's record; {} if the node does not answer or does not know it."""
        try:
            status, body = self.node.api("GET", f"/v1/operations/{number}", timeout_s=5)
        except OSError:
            return {}
        return body if status == 200 else {}

    def state(self, number: str) -> str:
        return str(self.get(number).get("state", ""))

    def wait(self, number: str, states: typing.Collection[str], timeout_s: float) -> Record:
        """Wait until an operation is in one of some states; its record then. A new owner that reads all levels goes on by itself."""
        last: Record = {}

        def is_there() -> bool:
            last.clear()
            last.update(self.get(number))
            return last.get("state") in states and (last.get("hold") or {}).get("code") != "taken"
        try:
            wait_until(is_there, timeout_s, f"operation {number} is {' or '.join(states)}", 0.05)
        except LabError as e:
            raise LabError(f"{e}; it is {last.get('state')}, level {last.get('level_ppm')}, hold {last.get('hold')}") from e
        return last

    def begin(self, **body: typing.Any) -> Record:
        """POST /v1/operations; the record. LabError when it is refused."""
        return self.must("/v1/operations", body)

    def command(self, number: str, verb: str, **body: typing.Any) -> Record:
        return self.must(f"/v1/operations/{number}/{verb}", body)

    def must(self, path: str, body: dict[str, typing.Any]) -> Record:
        status, answer = self.node.api("POST", path, {"reason": "lab", **body}, timeout_s=30)
        if status not in (200, 201, 202):
            raise LabError(f"POST {path} {body}: {status} {str(answer)[:800]}")
        return answer

    def insist(self, path: str, body: dict[str, typing.Any]) -> tuple[Record, list[str]]:
        """Give a command, and override by name the guards that refuse it, as a person would: (record, guards overridden)."""
        overridden: list[str] = list(body.get("override_guards", []))
        for _ in range(TRIES):
            status, answer = self.node.api("POST", path, {"reason": "lab", **body, "override_guards": overridden}, timeout_s=30)
            if status in (200, 201, 202):
                return answer, overridden
            names = [n for n in refusing_guards(answer) if n not in overridden]
            if status != 409 or not names:
                break
            say(f"refused by {' '.join(names)}: overridden by name")
            overridden += names
        raise LabError(f"POST {path} {body}: {status} {str(answer)[:800]}")


def refusing_guards(answer: typing.Any) -> list[str]:
    """The guards that a refusal names."""
    error = answer.get("error", answer) if isinstance(answer, dict) else {}
    error = error if isinstance(error, dict) else answer
    guards = error.get("guards") or answer.get("guards") or []
    return [g if isinstance(g, str) else g["guard"] for g in guards if isinstance(g, str) or not g.get("ok")]


def tell(record: Record) -> str:
    """A line about a record."""
    hold = record.get("hold") or {}
    return f"{record.get('id')} {record.get('state')} level {record.get('level_ppm')} step {record.get('step')} owner {record.get('owner')}" + \
        (f" held: {hold.get('code')}: {hold.get('detail')}" if hold else "")
