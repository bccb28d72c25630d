# SPDX-License-Identifier: BSD-2-Clause
"""weir-dns over TCP on the loopback: odd queries, clients that do not read, want of descriptors."""
from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import typing

TESTS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TESTS, "dns"), os.path.join(TESTS, "lab")]
import layout  # noqa: E402
import message  # noqa: E402
import name_servers  # noqa: E402
from report import Report  # noqa: E402

ZONE = "$TTL 60\n@ SOA ns root 1 3600 900 604800 60\n@ NS ns\nns A 192.0.2.1\nh A 192.0.2.7\n" \
       + "big TXT " + " ".join('"' + "x" * 200 + '"' for _ in range(20)) + "\n"
PADDING = 12
UNREAD = ("weir_dns_tcp_closed_total", 'reason="unread"')


def framed(wire: bytes) -> bytes:
    return len(wire).to_bytes(2, "big") + wire


def connect(server: name_servers.Weir | name_servers.Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), 10)


def padded(total: int) -> bytes:
    """A query of TOTAL bytes: what it lacks is padding (RFC 7830)."""
    bare = len(message.query("h.shop.test", "A", edns={"options": [(PADDING, b"")]}))
    return message.query("h.shop.test", "A", edns={"options": [(PADDING, bytes(total - bare))]})


def long_queries(report: Report, server: name_servers.Server) -> None:
    for total in (4096, 4097, 20000, 65535):
        wire = padded(total)
        with connect(server) as s:
            s.sendall(framed(wire) + framed(message.query("h.shop.test", "A", 7)))
            first, second = (message.Answer(name_servers.read_message(s)) for _ in range(2))
        report.check(len(wire) == total and len(first.answer) == 1 and second.ident == 7,
                     f"a query of {total} bytes is answered, and the one behind it", (first.rcode, second.ident))
    with connect(server) as s:
        s.sendall(framed(message.query("h.shop.test", "A") + bytes(60000)))
        report.equal(message.RCODES[message.Answer(name_servers.read_message(s)).rcode], "FORMERR",
                     "a long one that is no query gets FORMERR")


def split_queries(report: Report, server: name_servers.Server) -> None:
    wire = framed(message.query("h.shop.test", "A", 9))
    for at in (1, 2, 3, len(wire) - 1):
        with connect(server) as s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            s.sendall(wire[:at])
            s.settimeout(0.3)
            try:
                early = s.recv(1)
            except TimeoutError:
                early = None
            s.settimeout(10)
            s.sendall(wire[at:] + wire[:at])
            idents = [message.Answer(name_servers.read_message(s)).ident]
            s.sendall(wire[at:])
            idents.append(message.Answer(name_servers.read_message(s)).ident)
        report.check(early is None and idents == [9, 9], f"a query split after byte {at} of {len(wire)} is answered",
                     (early, idents))


def half_closed(report: Report, server: name_servers.Server) -> None:
    with connect(server) as s:
        s.sendall(b"".join(framed(message.query("big.shop.test", "TXT", i)) for i in range(200)))
        s.shutdown(socket.SHUT_WR)
        idents = [message.Answer(name_servers.read_message(s)).ident for _ in range(200)]
        report.check(idents == list(range(200)) and s.recv(1) == b"",
                     "a client that sends no more gets all its answers, then the end")


def closed_by_server(s: socket.socket) -> bool:
    """Whether the server has ended the connection; what it had sent is read and dropped."""
    s.settimeout(0.2)
    try:
        while s.recv(65536):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


def metric(server: name_servers.Server, name: str, labels: str = "") -> int:
    """A counter of weir-dns, by its name and labels in the stats page."""
    return layout.stats_of(server.path("run/stats.dns.page"))[name, labels]


def unread(report: Report, server: name_servers.Server) -> None:
    """Clients that ask for more than their sockets hold, and read nothing."""
    greedy = [connect(server) for _ in range(20)]
    query = framed(message.query("big.shop.test", "TXT"))
    before, served = metric(server, *UNREAD), []
    for s in greedy:
        s.setblocking(False)
        for _ in range(200):
            try:
                s.send(query * 500)
            except BlockingIOError:
                time.sleep(0.001)  # the server reads on, or does not
    start = time.monotonic()
    wire = message.query("h.shop.test", "A")
    with connect(server) as patient:
        while time.monotonic() - start < 9:
            patient.sendall(framed(wire))
            served.append(message.Answer(name_servers.read_message(patient)).answer)
            served.append(message.Answer(server.ask(wire)).answer)
            time.sleep(0.2)  # the patient client's pace
        deadline = time.monotonic() + 30
        while metric(server, *UNREAD) < before + 20 and time.monotonic() < deadline:
            patient.sendall(framed(wire))
            name_servers.read_message(patient)
            time.sleep(0.1)  # the patient client's pace
        patient.sendall(framed(wire))
        report.check(message.Answer(name_servers.read_message(patient)).answer, "it lives on")
    report.check(len(served) > 20 and all(served), "meanwhile one that reads is served, and UDP", len(served))
    report.equal(metric(server, *UNREAD) - before, 20,
                 "those that take no answers are closed, as such")
    report.check(all(closed_by_server(s) for s in greedy), "and see it")
    for s in greedy:
        s.close()


def cpu_s(pid: int) -> float:
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def few_descriptors(report: Report) -> None:
    """A soft and hard limit of 300 descriptors, and 400 clients."""
    server = name_servers.Weir({"shop.test": ZONE})
    server.prefix = ["prlimit", "--nofile=300:300"]
    with server:
        crowd = []
        for _ in range(400):
            crowd.append(connect(server))
        wire = message.query("h.shop.test", "A")
        report.check(message.Answer(server.ask(wire, 10, tcp=True)).answer, "one more client is served")
        report.check(message.Answer(server.ask(wire, 10)).answer, "so is one over UDP")
        report.check(server.control(do="status")["ok"], "and the control socket answers")
        before = cpu_s(server.process.pid)
        time.sleep(2)  # CPU time is measured over this time
        used = cpu_s(server.process.pid) - before
        report.check(used < 0.5, "it does not spin", f"{used:.2f} s of CPU time in 2 s")
        for s in crowd:
            s.close()


def limit_descriptors(server: name_servers.Server, soft: int) -> None:
    subprocess.run(["prlimit", "--pid", str(server.process.pid), f"--nofile={soft}:"], check=True)


def no_descriptors(report: Report) -> None:
    """The limit falls below what is in use already: not one connection can be taken, until it rises again."""
    with name_servers.Weir({"shop.test": ZONE}) as server:
        limit_descriptors(server, 5)
        wire = message.query("h.shop.test", "A")
        with connect(server) as s:
            s.sendall(framed(wire))
            before = cpu_s(server.process.pid)
            time.sleep(2)  # CPU time is measured over this time
            used = cpu_s(server.process.pid) - before
            report.check(used < 0.5, "without descriptors it does not spin", f"{used:.2f} s of CPU time in 2 s")
            report.check(metric(server, "weir_dns_tcp_accept_paused_total") > 0, "and counts that none is taken")
            report.check(message.Answer(server.ask(wire, 10)).answer, "UDP is served")
            limit_descriptors(server, 1024)
            report.check(message.Answer(name_servers.read_message(s)).answer, "who waited is served when there are some again")


def run(report: Report) -> None:
    with name_servers.Weir({"shop.test": ZONE}) as server:
        long_queries(report, server)
        split_queries(report, server)
        half_closed(report, server)
        unread(report, server)
    few_descriptors(report)
    no_descriptors(report)


if __name__ == "__main__":
    sys.exit(Report.main(run))
