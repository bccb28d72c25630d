# SPDX-License-Identifier: BSD-2-Clause
"""Threads of weir-dns, on the loopback: their number changes under load, they die under load, a second server is refused."""
from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
import typing

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "dns"))
import layout  # noqa: E402
import message  # noqa: E402
import name_servers  # noqa: E402
from lab_dns import Load  # noqa: E402
from net import comes_true  # noqa: E402
from report import Report  # noqa: E402

ZONE = "$TTL 60\n@ SOA ns root {serial} 3600 900 604800 60\n@ NS ns\nns A 192.0.2.1\n" \
       + "".join(f"h{i} A 192.0.2.{i % 250 + 1}\n" for i in range(1000))
NAMES = ["www.shop.test"]
RATE = 5000
ROOM_S = 0.5  # what the buffers of sockets hold, at least, at 2,000 queries a second


def counts(server: name_servers.Server, name: str) -> dict[str, typing.Any]:
    """label value -> count, of the words NAME of weir-dns's stats page."""
    return {labels.partition("=")[2].strip('"'): value
            for (of, labels), value in layout.stats_of(server.path("run/stats.dns.page")).items() if of == name}


def open_sockets(port: int, address: str = "127.0.0.1") -> tuple[typing.Any, typing.Any]:
    """How many sockets are bound to ADDRESS:PORT: (UDP, listening TCP)."""
    at = f"{int.from_bytes(socket.inet_aton(address), 'little'):08X}:{port:04X}"

    def n(path: str, state: typing.Any) -> typing.Any:
        with open(path, encoding="ascii") as table:
            rows = [line.split() for line in table][1:]
        return sum(row[1] == at and row[3] == state for row in rows)
    return n("/proc/net/udp", "07"), n("/proc/net/tcp", "0A")


def set_threads(server: name_servers.Weir, n: int) -> None:
    server.threads = n
    server.configure()


class Chatter:
    """A TCP client that asks all the time on one connection; a broken one is counted and opened again."""

    def __init__(self, server: name_servers.Server) -> None:
        self.server, self.stop, self.n_sent, self.broken = server, False, 0, 0
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self) -> None:
        wire = message.query("h1.shop.test", "A")
        s = None
        while not self.stop:
            try:
                s = s or socket.create_connection((self.server.address, self.server.port), 10)
                s.sendall(len(wire).to_bytes(2, "big") + wire)
                name_servers.read_message(s)
                self.n_sent += 1
            except (OSError, EOFError):
                self.broken += 1
                s = None
            time.sleep(0.01)  # the client's pace
        if s:
            s.close()

    def end(self) -> tuple[int, int]:
        self.stop = True
        self.thread.join()
        return self.n_sent, self.broken


def number_changes(report: Report) -> None:
    with name_servers.Weir({"shop.test": ZONE.format(serial=1)}, names=NAMES, held=False) as server:
        chatter, load = Chatter(server), Load(server, 12, RATE)
        seen = []
        for n in (4, 1, 3, 8, 1):
            time.sleep(1)  # each number of threads serves for a while
            set_threads(server, n)
            seen.append((comes_true(lambda n=n: open_sockets(server.port) == (n, n), 30), n))
        sent, lost = load.result()
        n_sent, broken = chatter.end()
        report.check(all(ok for ok, _ in seen), "there are as many sockets as threads, after each change", seen)
        report.check(sent > 8 * RATE, f"{RATE} queries a second were sent", sent)
        report.equal(lost, 0, "threads from 1 to 4, 1, 3, 8 and 1 leave none unanswered")
        report.check(n_sent > 100 and broken == 0, "a TCP client keeps its connection meanwhile", (n_sent, broken))
        report.check(comes_true(lambda: len(os.listdir(f"/proc/{server.process.pid}/task")) <= 4, 30),
                     "threads that are not needed end", os.listdir(f"/proc/{server.process.pid}/task"))


def share_of_each(report: Report) -> None:
    with name_servers.Weir({"shop.test": ZONE.format(serial=1)}, names=NAMES, threads=4) as server:
        comes_true(lambda: min(counts(server, "weir_dns_listening").values(), default=0) == 1, 20)  # it has asked itself
        time.sleep(0.5)  # of the first queries, those that were given up are answered, too
        before = sum(counts(server, "weir_dns_queries_total").values())
        load = Load(server, 3, RATE)
        sent, lost = load.result()
        threads = counts(server, "weir_dns_thread_queries_total")
        total = sum(counts(server, "weir_dns_queries_total").values())
        report.check(len(threads) == 4 and min(threads.values()) > sent / 10, "each of four threads answers its share",
                     threads)
        report.equal(lost, 0, f"of {sent} queries none is lost")
        report.check(total - before == sent and sum(threads.values()) == total, "what threads count adds up",
                     (total, before, sent))
        report.equal(sum(counts(server, "weir_dns_placed_total").values()),
                     sum(counts(server, "weir_dns_placed_by_class_total").values()), "also for dynamic names")
        report.equal(server.control(do="status")["threads"], 4, "status says how many there are")


def killed_and_reloaded(report: Report) -> None:
    with name_servers.Weir({"shop.test": ZONE.format(serial=1)}, names=NAMES, threads=4) as server:
        load = Load(server, 5, 2000)
        for _ in range(3):
            time.sleep(1.1)  # each process serves for a while before it is killed
            server.kill()
            server.spawn()
        sent, lost = load.result()
        # A thread that is killed between reading a batch and sending its answers takes it along.
        report.check(lost <= 32, f"of {sent} queries three SIGKILLs lose none but a batch in hand", lost)
        server.wait_ready()
        load = Load(server, 4, 10000)
        for serial in range(100, 112):
            time.sleep(0.2)  # the load meets reloads at this pace
            server.write("shop.test.zone", ZONE.format(serial=serial))
            server.wait_load(server.control(do="zone-reload")["load"])
        sent, lost = load.result()
        report.equal(lost, 0, f"of {sent} queries a dozen reloads lose none")


def second_refused(report: Report) -> None:
    with name_servers.Weir({"shop.test": ZONE.format(serial=1)}, held=False, threads=2) as first:
        second = name_servers.Weir({"shop.test": ZONE.format(serial=2)}, held=False, threads=2)
        second.port = first.port
        second.spawn()
        report.check(comes_true(lambda: second.log().count("another server uses the port") >= 2, 30),
                     "a second server on the same address is refused, with what to do", second.log()[-300:])
        report.equal(open_sockets(first.port), (2, 2), "it has no socket there")
        serials = {message.Answer(first.ask(message.query("shop.test", "SOA"))).answer[0][3][2][:4] for _ in range(50)}
        report.equal(serials, {(1).to_bytes(4, "big")}, "all queries reach the first")
        first.stop()
        report.check(comes_true(lambda: open_sockets(first.port) == (2, 2), 30), "it takes over when the first has ended")
        report.check(message.Answer(first.ask(message.query("shop.test", "SOA"), 10)).answer, "and answers")
        second.__exit__()


SUPERVISED = ("mgmt", "dataplane", "health", "dns")


class Supervised(name_servers.Weir):
    """weir-dns below `weir run`, which holds its sockets; the other processes are stand-ins."""

    def __init__(self, zones: dict[typing.Any, typing.Any], threads: int) -> None:
        super().__init__(zones, held=False, threads=threads,
                         address=f"127.{os.getpid() % 200 + 20}.{os.getpid() // 200 % 250}.53")
        self.port = 53
        os.mkdir(self.path("bin"))
        os.symlink(os.path.join(name_servers.BUILD, "dns/weir-dns"), self.path("bin/weir-dns"))
        for name in ("mgmt", "dataplane", "health"):
            with open(self.path(f"bin/weir-{name}"), "w", encoding="ascii") as script:
                script.write("#!/bin/sh\nexec sleep 1000\n")
            os.chmod(self.path(f"bin/weir-{name}"), 0o755)

    def spawn(self) -> None:
        self.run([os.path.join(name_servers.BUILD, "mgmt/cli/weir"), "--conf-dir", self.dir, "--state-dir",
                  self.path("state"), "--run-dir", self.path("run"), "--bpf-dir", self.path("bpf"), "--node", "ams-1",
                  "run"], env={**os.environ, "WEIR_BIN_DIR": self.path("bin")})

    def dns_pid(self) -> typing.Any:
        return self.pids().get("dns", 0)

    def pids(self) -> dict[str, typing.Any]:
        """The pids that the supervisor has noted."""
        with open(self.path("run/run.state"), encoding="ascii") as state:
            return {line.split()[0]: int(line.split()[1]) for line in state if line.split()[0] in SUPERVISED}

    def sockets_open(self) -> tuple[typing.Any, typing.Any]:
        return open_sockets(53, self.address)


def alive(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}")


def supervised(report: Report) -> None:
    with Supervised({"shop.test": ZONE.format(serial=1)}, 1) as server:
        pid = server.dns_pid()
        chatter, load, seen = Chatter(server), Load(server, 14, RATE), []
        for n in (4, 1, 3):
            time.sleep(1)  # each number of threads serves for a while
            set_threads(server, n)
            seen.append((comes_true(lambda n=n: server.sockets_open() == (n, n)
                                    and server.control(do="status").get("threads") == n, 30), n))
        sent, lost = load.result()
        n_sent, broken = chatter.end()
        report.check(all(ok for ok, _ in seen), "below weir run: as many sockets and threads as the document says", seen)
        report.equal(lost, 0, f"threads from 1 to 4, 1 and 3 leave none of {sent} unanswered")
        report.check(n_sent > 100 and broken == 0, "nor does a TCP client lose its connection", (n_sent, broken))
        report.equal(server.dns_pid(), pid, "weir-dns is the same process all the time")
        load = Load(server, 5, 2000)
        time.sleep(1)  # the load runs when the process is killed
        os.kill(pid, signal.SIGKILL)
        report.check(comes_true(lambda: server.dns_pid() not in (0, pid), 30), "killed, it is started again")
        sent, lost = load.result()
        report.check(lost <= 32, f"and of {sent} queries none is lost but a batch in hand", lost)
        pid = server.dns_pid()
        load = Load(server, 6, 2000)
        stand_ins = [pid for name, pid in server.pids().items() if name != "dns"]
        server.kill()  # the supervisor
        server.start()
        for stand_in in stand_ins:  # no programs of ours: the other supervisor does not take them over
            os.kill(stand_in, signal.SIGKILL)
        report.equal(server.dns_pid(), pid, "another supervisor goes on with it")
        time.sleep(1)  # the next supervisor serves for a while
        killed = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        comes_true(lambda: server.dns_pid() not in (0, pid) and server.sockets_open() == (3, 3), 30)
        late_s = max(0, time.monotonic() - killed - ROOM_S)
        sent, lost = load.result()
        report.check(lost <= 32 + 2000 * late_s and server.dns_pid() != pid, "and holds its sockets: its death loses none of them",
                     (sent, lost))


def run(report: Report) -> None:
    supervised(report)
    number_changes(report)
    share_of_each(report)
    killed_and_reloaded(report)
    second_refused(report)


if __name__ == "__main__":
    sys.exit(Report.main(run))
