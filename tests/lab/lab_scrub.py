# SPDX-License-Identifier: BSD-2-Clause
"""Somebody overwrites the forwarding tables: each place is named in the status and written again; changes alone are no damage.

    lab_scrub.py [--quick] [--driver xdp|dpdk]

Backends die and return, are drained and undrained, and documents come, all the time: first alone, then with damage in each
table (by the pinned maps, or DPDK's file), several times over. At last the process is killed and damage planted for the next one. With
XDP the pins are removed by hand, too.

Writes build/lab/scrub.json: `planted`, `named`, `mended`, `mended_ms` (the longest), `false` (elements said to be damaged that were
not), and the same for each driver; `taken_over_ms`: until a process that takes damaged tables over has mended them.
"""
from __future__ import annotations

import argparse
import ipaddress
import itertools
import json
import mmap
import os
import re
import shutil
import signal
import sys
import threading
import time
import typing

import layout
from churn_world import open_table
from net import BUILD, Lab, LabError, comes_true, say, wait_until
from report import Report
from truth import Bed

MENDED_MS = 12000
PAGE = 4096
DAMAGE, SCRUBS = "weir_dataplane_table_damage_total", "weir_dataplane_table_scrubs_total"


class Tables:
    """A node's forwarding tables, to read and to overwrite."""

    def __init__(self, bed: Bed) -> None:
        self.node, self.dpdk = bed.node, bed.driver == "dpdk"

    def folder(self) -> str:
        """Where XDP's pins are."""
        return next(f for f, _, _ in os.walk(self.node.bpf) if os.path.islink(os.path.join(f, "current")))

    def _window(self, table: str, at: int) -> tuple[int, int, int]:
        """A descriptor, and where to map it to reach byte `at` of the table."""
        if self.dpdk:
            path = os.path.join(self.node.run_dir, "tables", "tables")
            return os.open(path, os.O_RDWR), layout.tables_of(path)[table][0] + at, os.stat(path).st_size
        fd = open_table(os.path.join(self.folder(), "current", table))
        if fd < 0:
            raise LabError(f"{self.folder()}/current/{table} cannot be opened")
        return fd, at, 0

    def touch(self, table: str, at: int, size: int, new: bytes | None = None) -> bytes:
        """What is there; afterwards there is `new`. An element lies in one page."""
        fd, at, whole = self._window(table, at)
        try:
            first = 0 if whole else at // PAGE * PAGE
            with mmap.mmap(fd, whole or PAGE, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE, offset=first) as m:
                was = m[at - first:at - first + size]
                if new is not None:
                    m[at - first:at - first + size] = new
                return was
        finally:
            os.close(fd)

    def element(self, table: str, kind: str, i: int) -> typing.Any:
        size = layout.size_of(kind)
        return layout.read(kind).from_buffer_copy(self.touch(table, i * size, size))

    def elements(self, table: str, kind: str, first: int, n: int) -> typing.Iterator[tuple[int, typing.Any]]:
        """(index, element) of those in each page from that of element `first` on: a page is read at once."""
        size, step = layout.size_of(kind), PAGE // layout.size_of(kind)
        for page in range(first // step * step, first + n, step):
            data = self.touch(table, page * size, PAGE)
            for k in range(step):
                yield page + k, layout.read(kind).from_buffer_copy(data, k * size)

    def place(self, table: str, kind: str, i: int, member: str) -> tuple[str, int, int]:
        """(table, byte, bytes) of a member of an element."""
        field = getattr(layout.read(kind), member)
        return table, i * layout.size_of(kind) + field.offset, field.size

    def backend(self, address: str) -> int:
        wanted = ipaddress.ip_address(address)
        packed = wanted.packed if wanted.version == 6 else bytes(10) + b"\xff\xff" + wanted.packed
        return next(i for i, e in self.elements("backends", "struct fwd_backend", 0, 64) if bytes(e.address) == packed)

    def service(self, port: int) -> int:
        """An element in force: a VIP's with that port; port 0: its own."""
        root = self.element("root", "struct fwd_root", 0)
        first = (root.active & 1) * root.n_services
        for i, e in self.elements("services", "struct fwd_service", first, root.n_services):
            if e.flags & 1 and e.port_be == int.from_bytes(port.to_bytes(2, "big"), "little") and bytes(e.vip)[:10] == bytes(10):
                return i
        raise LabError(f"no service with port {port}")


class Plant(typing.NamedTuple):
    name: str  # as the status names its place
    where: tuple[str, int, int]
    n: int = 1  # damaged elements


class Scene:
    def __init__(self, report: Report, lab: Lab, driver: str) -> None:
        self.report, self.bed = report, Bed(report, lab, driver)
        self.node, self.site = self.bed.node, self.bed.site
        self.tables = Tables(self.bed)
        self.ending, self.n_changes = threading.Event(), 0
        self.failed: list[str] = []
        self.planted = self.named = self.mended = self.elements = 0
        self.mended_ms = self.taken_over_ms = 0.0
        self.before = 0  # damage that processes before had counted

    def start(self) -> None:
        self.bed.start()
        self.client = self.bed.world.start_client("load", 100, targets=self.site.plan.vips)

    def count(self, name: str = DAMAGE) -> int:
        return self.node.stats("dataplane").get((name, ""), 0)

    # --- changes that are none of anybody's business ---

    def _document(self, k: int) -> None:
        """Another weight, and now and then larger tables."""
        self.site.plan.backends[2].weight = 100 + k % 7
        self.node.write_config()
        path = os.path.join(self.node.conf, "weir.conf")
        with open(path) as f:
            text = f.read()
        with open(path, "w") as f:
            f.write(text.replace("schema = 1;", f"schema = 1;\nlimits = {{ slots = {1 << (17 + min(k // 3, 3))}; }};", 1))
        self.bed.must("apply", "--reason", "lab", "--confirm-within", "none")

    def _change(self, k: int) -> None:
        backend = f"{self.bed.site_plan.pool}/{self.site.backends[1].name}"
        if k % 4 == 0:
            self.bed.weir("drain", "backend", backend, "--over", "2s", "--until", "+1h", "--reason", "lab", "--override", "all")
        elif k % 4 == 1:
            self.site.backends[0].kill()
        elif k % 4 == 2:
            self.bed.weir("undrain", "backend", backend, "--reason", "lab")
            self.site.backends[0].start()
        else:
            self._document(k // 4)

    def changes(self) -> None:
        for k in itertools.count():
            if self.ending.wait(1):
                return
            try:
                self._change(k)
                self.n_changes += 1
            except (LabError, OSError, ValueError) as e:
                self.failed.append(str(e)[:200])

    # --- damage ---

    def plants(self) -> list[Plant]:
        t, pool = self.tables, self.bed.site_plan.pool
        own = [b for b in self.bed.site_plan.backends]
        vip = self.site.plan.vip4
        first_slot = 0
        return [Plant("table root", t.place("root", "struct fwd_root", 0, "hash_key")),
                Plant(f"service {vip} port 80/tcp", t.place("services", "struct fwd_service", t.service(80), "range")),
                Plant(f"VIP {vip}", t.place("services", "struct fwd_service", t.service(0), "vip")),
                Plant(f"pool {pool}", t.place("pools", "struct fwd_pool", 0, "settle_s")),
                *(Plant(f"backend {pool}/{b.name}", t.place("backends", "struct fwd_backend", t.backend(b.address), "mac_to"))
                  for b in own),
                Plant(f"slots of pool {pool}", ("slots", (first_slot + 64) * 2, 400), 200),
                Plant("table destinations", t.place("destinations", "struct fwd_destinations", 1, "backend")),
                Plant("table macs", t.place("macs", "struct fwd_own_macs", 5, "word")),
                Plant("table drills", t.place("drills", "struct fwd_drill", 3, "id"))]

    def shown(self) -> dict[str, int]:
        """How many elements the status says for each place."""
        return {r["subject"]: int(re.findall(r"(\d+) (?:more )?elements", r["text"])[0])
                for r in self.bed.status().body.get("reasons", []) if r["code"] == "table-damaged"}

    def plant(self, p: Plant) -> tuple[bytes, bytes]:
        """Slots get backends that there are not. @return what was there, and what is now"""
        was = self.tables.touch(*p.where)
        new = bytes(b ^ (1 if p.n == 1 else 0 if i % 2 else 0x40) for i, b in enumerate(was))
        self.tables.touch(*p.where, new)
        return was, new

    def is_mended(self, p: Plant, new: bytes) -> bool:
        """No word that was planted is there; a change may have stored another one than before."""
        step = 2 if p.where[0] == "slots" else len(new)
        now = self.tables.touch(*p.where)
        return all(now[i:i + step] != new[i:i + step] for i in range(0, len(new), step))

    def round(self, k: int) -> None:
        driver, before = self.bed.driver, self.shown()
        wait: list[tuple[Plant, bytes]] = []
        plants, began = self.plants(), time.monotonic()
        for p in plants:
            wait.append((p, self.plant(p)[1]))
            self.planted += 1
            self.elements += p.n
        left, late_ms, last = list(wait), 0.0, ""
        while left and time.monotonic() - began < 3 * MENDED_MS / 1000:
            still = [(p, new) for p, new in left if not self.is_mended(p, new)]
            if len(still) < len(left):
                late_ms, last = (time.monotonic() - began) * 1000, next(p.name for p, _ in left if p not in [q for q, _ in still])
            left = still
            time.sleep(0.02)  # the pace of the wait
        self.mended += len(wait) - len(left)
        self.mended_ms = max(self.mended_ms, late_ms if not left else float("inf"))
        self.report.check(not left and late_ms <= MENDED_MS, f"{driver}, round {k}: all is mended",
                          f"{late_ms:.0f} ms, last {last}; not {[p.name for p, _ in left]}")
        unnamed: list[str] = []

        def named() -> bool:
            now = self.shown()
            unnamed[:] = [f"{p.name}: {now.get(p.name)} after {before.get(p.name)}" for p, _ in wait
                          if now.get(p.name, 0) < p.n or now[p.name] == before.get(p.name)]
            return not unnamed
        comes_true(named, 10, 0.2)
        self.named += len(wait) - len(unnamed)
        self.report.check(not unnamed, f"{driver}, round {k}: each place is named", unnamed)
        state = self.bed.status().state
        self.report.check(state == "degraded", f"{driver}, round {k}: the node is degraded", state)

    def take_over(self) -> None:
        """The process dies, its tables are overwritten, and the next one has them from there."""
        driver, t = self.bed.driver, self.tables
        foreign = b"\x3f\x00" * 50
        self.before += self.count()
        self.node.kill("dataplane")
        key = t.place("root", "struct fwd_root", 0, "hash_key")
        kept = t.touch(*key)
        t.touch(*key, bytes(b ^ 0x55 for b in kept))
        t.touch("slots", 512, len(foreign), foreign)
        began = time.monotonic()
        self.node.start("dataplane")

        def whole() -> bool:
            words = t.touch("slots", 512, len(foreign))
            return t.touch(*key) == kept and all(words[i:i + 2] != b"\x3f\x00" for i in range(0, len(words), 2))
        mended = comes_true(whole, 30, 0.02)
        self.taken_over_ms = (time.monotonic() - began) * 1000
        self.report.check(mended and self.taken_over_ms < MENDED_MS, f"{driver}: a process that takes damaged tables over mends them",
                          f"{self.taken_over_ms:.0f} ms")

    def remove_pins(self) -> None:
        """The process stands meanwhile, and when this returns: it would make them again while they are being removed."""
        process = self.node.processes["dataplane"]
        process.signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.popen.pid, os.WSTOPPED | os.WNOWAIT)
        shutil.rmtree(self.tables.folder())

    def lose_pins(self) -> None:
        """All pins are removed by hand: after a moment neither the process's death nor the next start loses anything."""
        folder, report = self.tables.folder(), self.report
        self.remove_pins()
        self.node.processes["dataplane"].signal(signal.SIGCONT)
        made = comes_true(lambda: os.path.exists(os.path.join(folder, "current", "prog")) and os.path.exists(
            os.path.join(folder, "link-eth1")), 5, 0.1)
        report.check(made, "xdp: pins that are gone are made again")
        report.check(comes_true(lambda: any(r["code"] == "pins-missing" for r in self.bed.status().body.get("reasons", [])), 5, 0.1),
                     "xdp: the status says so", self.bed.status().body.get("reasons"))
        report.check(self.count("weir_dataplane_pins_renewed_total") > 10, "xdp: they are counted")
        self.node.kill("dataplane")
        report.check("xdp" in json.loads(self.bed.host.run(["ip", "-j", "link", "show", "eth1"]))[0],
                     "xdp: the port keeps the program when the process dies")
        self.node.start("dataplane")
        report.check(comes_true(lambda: "tables=taken over" in self.node.processes["dataplane"].log(), 15, 0.1),
                     "xdp: the next process takes the tables over", self.node.processes["dataplane"].log()[-600:])

    def die_without_pins(self) -> None:
        """The pins go, and the process with them before it looks: nothing forwards, and the status says so."""
        self.remove_pins()
        self.node.kill("dataplane")
        self.bed.expect("xdp: forwarding has ended with the process and its pins", "down", "forwarding-stopped", soon_s=5)

    def play(self, quick: bool) -> None:
        driver, thread = self.bed.driver, threading.Thread(target=self.changes)
        self.start()
        thread.start()
        try:
            passes = self.count(SCRUBS)
            say(f"{driver}: changes alone")
            time.sleep(8 if quick else 60)  # time itself: changes go on
            wait_until(lambda: self.count(SCRUBS) >= passes + 2, 60, "two passes of the scrub", 0.2)
            self.report.equal(self.count(), 0, f"{driver}: changes alone are no damage")
            for k in range(2 if quick else 4):
                say(f"{driver}: damage, round {k + 1}")
                self.round(k + 1)
            time.sleep(2)  # time: the page of counters has what was counted
        finally:
            self.ending.set()
            thread.join()
        self.false = self.count() - self.elements
        self.report.equal(self.false, 0, f"{driver}: what is said to be damaged was")
        self.report.check(self.n_changes > 3 and not self.failed, f"{driver}: changes went on", (self.n_changes, self.failed[:3]))
        self.client.stop(10)
        self.take_over()
        if driver == "xdp":
            self.lose_pins()
            self.die_without_pins()

    def figures(self) -> dict[str, typing.Any]:
        return {"planted": self.planted, "named": self.named, "mended": self.mended, "mended_ms": round(min(self.mended_ms, 1e6)),
                "false": self.false, "taken_over_ms": round(self.taken_over_ms), "changes": self.n_changes}


def write(results: dict[str, dict[str, typing.Any]]) -> None:
    total: dict[str, typing.Any] = {k: sum(r[k] for r in results.values()) for k in ("planted", "named", "mended", "false")}
    total["mended_ms"] = max((r["mended_ms"] for r in results.values()), default=0)
    with open(os.path.join(BUILD, "lab", "scrub.json"), "w") as f:
        json.dump({**total, "drivers": results}, f, indent=1)
    say(json.dumps(total))


def run(report: Report) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--driver", choices=("xdp", "dpdk"))
    arguments = parser.parse_args()
    results = {}
    for driver in [arguments.driver] if arguments.driver else ["xdp"] if arguments.quick else ["xdp", "dpdk"]:
        with Lab(f"scrub-{driver}") as lab:
            scene = Scene(report, lab, driver)
            scene.play(arguments.quick)
            results[driver] = scene.figures()
    write(results)
    report.check(sum(r["planted"] for r in results.values()) >= 20, "enough is planted")


if __name__ == "__main__":
    sys.exit(Report.main(run))
