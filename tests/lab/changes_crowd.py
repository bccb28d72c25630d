# SPDX-License-Identifier: BSD-2-Clause
"""What users feel of a change: connections that are held, connections that are made, flows of datagrams, queries.

One thread of the lab itself; its sockets belong to the client's namespace. Everything is judged by its end: a request
or query that is not answered within WAIT_S is lost, a held connection or flow that is not answered is broken.
"""
from __future__ import annotations

import random
import selectors
import socket
import struct
import threading
import time
import typing

from dns_probe import answer, query
from net import LabError, entered

if typing.TYPE_CHECKING:
    from net import Host

WAIT_S = 3.0
ASK = b"GET / HTTP/1.1\r\nHost: lab\r\n\r\n"
IN_PROGRESS = 115


class Connection:
    """A connection to a VIP: asks every `every_s` seconds, or once."""

    def __init__(self, crowd: Crowd, target: typing.Any, every_s: float, once: bool = False) -> None:
        self.crowd, self.target, self.every_s, self.once = crowd, target, every_s, once
        self.born, self.backend, self.data, self.asked_at, self.answers = time.monotonic(), None, b"", 0.0, 0
        six = ":" in target
        self.socket = crowd.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_STREAM)
        self.socket.setblocking(False)
        self.socket.bind((crowd.source(six), 0))
        self.deadline, self.next, self.connected = self.born + WAIT_S, None, False
        self.socket.connect_ex((target, 80))
        crowd.selector.register(self.socket, selectors.EVENT_WRITE, self)

    def end(self, reason: str) -> None:
        self.crowd.selector.unregister(self.socket)
        self.socket.close()
        self.crowd.ended(self, reason)

    def ask(self) -> None:
        self.next, self.asked_at, self.deadline, self.data = None, time.monotonic(), time.monotonic() + WAIT_S, b""
        try:
            self.socket.send(ASK)
        except OSError as e:
            self.end(e.strerror)

    def ready(self, _: object) -> None:
        if not self.connected:
            error = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                return self.end(f"connect: {error}")
            self.connected = True
            self.crowd.selector.modify(self.socket, selectors.EVENT_READ, self)
            return self.ask()
        try:
            data = self.socket.recv(4096)
        except BlockingIOError:
            return None
        except OSError as e:
            return self.end(e.strerror)
        if not data:
            return self.end("closed")
        self.data += data
        return self.read()

    def read(self) -> None:
        head, found, body = self.data.partition(b"\r\n\r\n")
        if not found:
            return None
        fields = {name: value for name, value in (line.split(b": ", 1) for line in head.split(b"\r\n")[1:])}
        if len(body) < int(fields.get(b"Content-Length", 0)):
            return None
        if b" 200 " not in head.split(b"\r\n")[0]:
            return self.end("status " + head[9:12].decode())
        self.backend, self.answers, self.deadline = fields.get(b"X-Backend", b"?").decode(), self.answers + 1, None
        if self.once:
            return self.end("ok")
        if fields.get(b"Connection") == b"close":
            return self.end("told to go")
        self.next = time.monotonic() + self.every_s * random.uniform(0.8, 1.2)
        return None

    def tick(self, now: typing.Any) -> None:
        if self.deadline and now >= self.deadline:
            self.end("stall" if self.connected else "no connection")
        elif self.next and now >= self.next:
            self.ask()


class Flow:
    """A flow of datagrams: one server must answer all of it."""

    def __init__(self, crowd: Crowd, target: typing.Any, port: int, every_s: float) -> None:
        self.crowd, self.every_s, self.n, self.backend, self.deadline = crowd, every_s, 0, None, None
        self.born = time.monotonic()
        six = ":" in target
        self.socket = crowd.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind((crowd.source(six), 0))
        self.socket.connect((target, port))
        self.next = time.monotonic() + random.uniform(0, every_s)
        crowd.selector.register(self.socket, selectors.EVENT_READ, self)

    def end(self, reason: str) -> None:
        self.crowd.selector.unregister(self.socket)
        self.socket.close()
        self.crowd.ended(self, reason)

    def ready(self, _: object) -> None:
        try:
            name = self.socket.recv(512).split()[0].decode()
        except BlockingIOError:
            return
        except OSError:
            return  # an ICMP error; silence is judged
        self.deadline = None
        if self.backend not in (None, name):
            self.end(f"moved from {self.backend} to {name}")
        self.backend = name

    def tick(self, now: typing.Any) -> None:
        if self.deadline and now >= self.deadline:
            return self.end("stall")
        if now >= self.next:
            self.n, self.next = self.n + 1, now + self.every_s * random.uniform(0.8, 1.2)
            self.deadline = self.deadline or now + WAIT_S
            try:
                self.socket.send(b"%d" % self.n)
            except OSError:
                pass
        return None


class Query:
    """One question to a name server."""

    def __init__(self, crowd: Crowd, server: typing.Any, name: str, prefix: str) -> None:
        self.crowd, self.server, self.name, self.deadline = crowd, server, name, time.monotonic() + WAIT_S
        self.socket = crowd.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.connect((server, 53))
        self.socket.send(query(random.randrange(65536), name, prefix, 24))
        self.sent = time.monotonic()
        self.answer = None
        crowd.selector.register(self.socket, selectors.EVENT_READ, self)

    def end(self, reason: str) -> None:
        self.crowd.selector.unregister(self.socket)
        self.socket.close()
        self.crowd.ended(self, reason)

    def ready(self, _: object) -> None:
        try:
            _, rcode, address, ttl, _ = answer(self.socket.recv(4096))
        except (OSError, struct.error, IndexError):
            return
        self.answer = (rcode, address, ttl)
        self.end("ok" if rcode == 0 and address != "-" else f"rcode {rcode}, {address}")

    def tick(self, now: typing.Any) -> None:
        if now >= self.deadline:
            self.end("lost")


class Crowd:
    """All of it, at numbers and rates that are kept; what ended is in `log`: (time, kind, object, why)."""

    def __init__(self, host: Host, targets: list[typing.Any]) -> None:
        self.host, self.targets = host, targets
        self.open: set[typing.Any] = set()
        self.log: list[typing.Any] = []
        self.selector, self.lock = selectors.DefaultSelector(), threading.RLock()
        self.queries: list[typing.Any] = []
        self.due: dict[typing.Any, typing.Any] = {}
        self.held, self.quiet, self.flows, self.rate = 0, 0, 0, 0.0
        self.quiet_s, self.stopping, self.turn = 6.0, False, 0
        self.udp: tuple[int, float] | None = None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def socket(self, family: socket.AddressFamily, kind: socket.SocketKind) -> socket.socket:
        return socket.socket(family, kind)  # the thread lives in the client's namespace

    def source(self, six: bool) -> str:
        i = random.randrange(65536)
        return f"2001:db8:8000:{i >> 8:x}::{1 + (i & 255):x}" if six else f"100.64.{i >> 8}.{1 + (i & 127)}"

    def ended(self, thing: typing.Any, reason: str) -> None:
        self.open.discard(thing)
        kind = {Flow: "flow", Query: "query"}.get(type(thing)) or ("request" if thing.once else "held")
        self.log.append((time.monotonic(), kind, thing, reason))

    def count(self, kind: type[Connection] | type[Flow], fits: typing.Callable[..., typing.Any] = lambda thing: True) -> int:
        return sum(1 for t in self.open if isinstance(t, kind) and fits(t))

    def fill(self, now: float) -> None:
        for _ in range(4):
            self.turn += 1
            target = self.targets[self.turn % len(self.targets)]
            if self.count(Connection, lambda c: not c.once and c.every_s < 1) < self.held:
                self.open.add(Connection(self, target, 0.3))
            if self.count(Connection, lambda c: not c.once and c.every_s >= 1) < self.quiet:
                self.open.add(Connection(self, target, self.quiet_s))
            if self.udp and self.count(Flow) < self.flows:
                self.open.add(Flow(self, self.targets[0], *self.udp))
        if self.rate and now >= self.due.get("request", 0):
            self.due["request"] = now + 1 / self.rate
            self.open.add(Connection(self, self.targets[self.turn % len(self.targets)], 0, once=True))
        if self.queries and now >= self.due.get("query", 0):
            self.due["query"] = now + 0.05
            server, name = self.queries[self.turn % len(self.queries)]
            self.open.add(Query(self, server, name, f"100.{64 + self.turn % 4}.{random.randrange(256)}.0"))

    def run(self) -> None:
        with entered(self.host.ns):
            while not self.stopping:
                events = self.selector.select(0.02)
                with self.lock:
                    for key, mask in events:
                        if key.data in self.open:
                            key.data.ready(mask)
                    now = time.monotonic()
                    for thing in list(self.open):
                        if thing in self.open:
                            thing.tick(now)
                    try:
                        self.fill(now)
                    except OSError:
                        time.sleep(0.05)  # no route at the moment: later

    def must_live(self) -> None:
        """A crowd whose thread has ended has seen nothing since, so nothing can be said of that time."""
        if not self.thread.is_alive():
            raise LabError("the crowd's thread has ended: why is on standard error")

    def failed(self, kind: str, since: float, born_since: float | None = None,
               born_before: float | None = None) -> list[typing.Any]:
        """[(seconds, why)] of what ended badly since a time."""
        self.must_live()
        with self.lock:
            return [(round(t - since, 2), reason) for t, k, thing, reason in self.log
                    if k == kind and t >= since and reason not in ("ok", "told to go")
                    and (born_before is None or getattr(thing, "born", 0) < born_before)
                    and (born_since is None or getattr(thing, "born", getattr(thing, "sent", 0)) >= born_since)]

    def good(self, kind: str, since: float) -> list[typing.Any]:
        self.must_live()
        with self.lock:
            return [thing for t, k, thing, reason in self.log if k == kind and t >= since and reason == "ok"]

    def settled(self) -> bool:
        """Whether all that is to be held is there and has been answered."""
        self.must_live()
        with self.lock:
            held = [t for t in self.open if isinstance(t, Connection) and not t.once]
            flows = [t for t in self.open if isinstance(t, Flow)]
            return (len(held) >= self.held + self.quiet and all(t.answers for t in held)
                    and len(flows) >= (self.flows if self.udp else 0) and all(t.backend for t in flows))

    def holders(self, since: float) -> typing.Any:
        """How many held connections and flows were there before a time."""
        with self.lock:
            return sum(1 for t in self.open if isinstance(t, Connection) and not t.once and t.born < since)

    def renew(self) -> None:
        """Give up all that is held: what comes instead was made under the configuration of now."""
        with self.lock:
            for thing in list(self.open):
                if isinstance(thing, Flow) or (isinstance(thing, Connection) and not thing.once):
                    thing.end("told to go")

    def forget(self) -> None:
        """Drop what is over; held ones stay."""
        with self.lock:
            self.log.clear()

    def stop(self) -> None:
        self.stopping = True
        self.thread.join(10)
