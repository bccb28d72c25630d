# SPDX-License-Identifier: BSD-2-Clause
"""What lies between nodes and members of etcd, and between members: a way for each pair, at which bytes are lost, late or cut off.

All ways run in a thread of their own. A way that a node uses knows where a request begins, so a write can meet with an accident of its
own while reads, and the watch, go on as if nothing was wrong.
"""
from __future__ import annotations

import asyncio
import collections
import contextlib
import random
import re
import threading
import typing

WRITE = b"POST /v3/kv/txn"
LATE_S = (0.3, 9.0)  # a write is given up after 8 s
ACCIDENTS = ("request lost", "request cut", "answer lost", "answer cut", "late")
Accident = typing.Callable[[], str]


class Way:
    """A connection from who has the key @key."""

    def __init__(self, ways: Ways, key: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.ways, self.key, self.reader, self.writer = ways, key, reader, writer
        self.is_deaf = False  # an answer was lost: what follows would be no answer to what is asked next
        self.answered = asyncio.Event()

    async def run(self, port: int) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            answers = asyncio.ensure_future(self.pass_answers(reader))
            try:
                await (self.pass_requests(writer) if self.key.startswith("node") else self.pass_bytes(writer))
            finally:
                writer.close()
                await asyncio.wait([answers])
        self.writer.close()

    async def pass_bytes(self, writer: asyncio.StreamWriter) -> None:
        while data := await self.reader.read(65536):
            if self.ways.cut.get(self.key) not in ("both", "requests"):
                writer.write(data)

    async def pass_requests(self, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            request = head + await self.reader.readexactly(int(length[1]) if length else 0)
            if self.ways.cut.get(self.key) in ("both", "requests"):
                continue
            accident = self.ways.accidents.get(self.key) if head.startswith(WRITE) else None
            what = accident() if accident else ""
            if what:
                self.ways.counts[what] += 1
                await self.pass_badly(what, request, writer)
            else:
                writer.write(request)
            if head.startswith(WRITE) and what not in ("request lost", "request cut"):
                self.ways.note_write()

    async def pass_badly(self, what: str, request: bytes, writer: asyncio.StreamWriter) -> None:
        if what == "late":
            await asyncio.sleep(self.ways.random.uniform(*LATE_S))
        self.is_deaf = what.startswith("answer")
        self.answered.clear()
        if not what.startswith("request"):
            writer.write(request)
            with contextlib.suppress(asyncio.TimeoutError):  # it is carried out, though who asked may be gone
                await asyncio.wait_for(self.answered.wait(), 5)
        if what.endswith("cut"):
            self.writer.close()

    async def pass_answers(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                self.answered.set()
                if not self.is_deaf and self.ways.cut.get(self.key) not in ("both", "answers") and not self.writer.is_closing():
                    self.writer.write(data)
        self.answered.set()
        self.writer.close()


Serve = typing.Callable[[asyncio.StreamReader, asyncio.StreamWriter], typing.Coroutine[typing.Any, typing.Any, None]]


class Loop:
    """A thread that serves connections until it is closed."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.servers: list[asyncio.AbstractServer] = []
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()

    def serve(self, port: int, accept: Serve) -> None:
        self.servers.append(asyncio.run_coroutine_threadsafe(asyncio.start_server(accept, "127.0.0.1", port), self.loop).result())

    def close(self) -> None:
        async def end() -> None:
            for server in self.servers:  # else somebody connects after the last task has ended
                server.close()
            await asyncio.sleep(0)
            while tasks := [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]:  # one may wait for another at its end
                for t in tasks:
                    t.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        asyncio.run_coroutine_threadsafe(end(), self.loop).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


class Ways(Loop):
    """All of them, by the name of who begins them: node0, member0 (towards that member, from the others)."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.cut: dict[str, str] = {}  # "both", "answers" or "requests", which are lost
        self.accidents: dict[str, Accident] = {}  # of writes
        self.counts: collections.Counter[str] = collections.Counter()
        self.open: dict[str, set[Way]] = collections.defaultdict(set)
        self.trap: typing.Callable[[], None] | None = None
        super().__init__()

    def add(self, key: str, listens: int, port: int) -> None:
        """A way from @listens to @port."""
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            way = Way(self, key, reader, writer)
            self.open[key].add(way)
            with contextlib.suppress(asyncio.CancelledError):  # at the end
                await way.run(port)
            self.open[key].discard(way)
        self.serve(listens, accept)

    def note_write(self) -> None:
        """A write is on its way: once, do what waits for it."""
        trap, self.trap = self.trap, None
        if trap:
            trap()

    def set(self, key: str, how: str) -> None:
        """@how: "" opens it again; what was under way is broken off, for bytes of it are missing."""
        self.cut[key] = how
        if not how:
            self.loop.call_soon_threadsafe(self.break_off, key)

    def break_off(self, key: str) -> None:
        for way in list(self.open[key]):
            way.writer.close()

    def spoil(self, keys: typing.Iterable[str], what: str) -> None:
        """Let writes meet with accident @what, or with "any", or none at all. @what "": no more."""
        def draw() -> str:
            return what if what != "any" else self.random.choice(("", *ACCIDENTS))
        for key in keys:
            if what:
                self.accidents[key] = draw
            else:
                self.accidents.pop(key, None)
