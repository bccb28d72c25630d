# SPDX-License-Identifier: BSD-2-Clause
"""weir-dns as a process, on the loopback: killed under load, reloaded under load, TCP, bad files."""
from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
import typing

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "dns"))
import message  # noqa: E402
import name_servers  # noqa: E402
from report import Report  # noqa: E402

ZONE = "$TTL 60\n@ SOA ns root {serial} 3600 900 604800 60\n@ NS ns\nns A 192.0.2.1\n" \
       + "big TXT " + " ".join('"' + "x" * 200 + '"' for _ in range(40)) + "\n" \
       + "".join(f"h{i} A 192.0.2.{i % 250 + 1}\n" for i in range(1000))
RATE = 5000


class Load:
    """dnsperf over UDP at a steady rate; from 50 sockets, whose buffers hold all answers that may be on their way."""

    def __init__(self, server: name_servers.Weir, seconds: float, rate: int) -> None:
        self.least = seconds * rate / 10  # a busy machine sends fewer than are wanted
        server.write("queries", "".join(f"h{i}.shop.test A\n" for i in range(1000)) + "".join(f"{n} A\n" for n in server.names))
        self.popen = subprocess.Popen(["dnsperf", "-s", server.address, "-p", str(server.port), "-d",
                                       server.path("queries"), "-l", str(seconds), "-Q", str(rate), "-q", "10000",
                                       "-t", "5", "-c", "50", "-T", "1"],
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def result(self) -> tuple[int, int]:
        """(sent, lost); an answer with an error is a lost one."""
        text = self.popen.communicate(timeout=60)[0]
        sent, completed, good = (int(found[1]) if (found := re.search(rf"{what}:? +(\d+)", text)) else 0
                                 for what in ("Queries sent", "Queries completed", "NOERROR"))
        if sent < self.least:
            raise RuntimeError(f"{sent} queries are no load: {text[-600:]}")
        lost = sent - min(completed, good)
        if lost:
            print(text[-1200:], flush=True)  # late, wrong, or none at all
        return sent, lost


def killed_under_load(report: Report, server: name_servers.Weir) -> None:
    load = Load(server, 6, RATE)
    for _ in range(4):
        time.sleep(1.2)  # each process serves for a while before it is killed
        server.kill()
        server.spawn()
    sent, lost = load.result()
    report.check(sent > 5 * RATE, f"{RATE} queries a second were sent", sent)
    # a batch that was read is lost with its reader; without held sockets some 250 are lost a kill
    report.between(lost, 0, 4 * 32, "four SIGKILLs leave at most the batches in hand unanswered")


def reloaded_under_load(report: Report, server: name_servers.Weir) -> None:
    load = Load(server, 6, 20000)
    began, slowest = time.monotonic(), 0.0
    for serial in range(100, 120):
        time.sleep(0.2)  # the load meets reloads at this pace
        server.write("shop.test.zone", ZONE.format(serial=serial))
        start = time.monotonic()
        status = server.wait_load(server.control(do="zone-reload")["load"])
        slowest = max(slowest, time.monotonic() - start)
        if [z["serial"] for z in status["zones"]] != [serial]:
            report.check(False, "a reload shows the new serial", status)
    sent, lost = load.result()
    report.check(time.monotonic() - began < 30, "twenty reloads", f"slowest {slowest * 1000:.0f} ms")
    report.equal(lost, 0, f"of {sent} queries none is lost")


def bad_files(report: Report, server: name_servers.Weir) -> None:
    soa = message.query("shop.test", "SOA")
    before = message.Answer(server.ask(soa)).answer
    server.write("shop.test.zone", ZONE.format(serial=900) + "www A 192.0.2.7\nx MX 70000 y\n")
    status = server.wait_load(server.control(do="zone-reload")["load"])
    report.check(status["load"]["error"] != "" and len(status["load"]["mistakes"]) == 2,
                 "a bad zone file is refused with its mistakes", status["load"]["mistakes"])
    report.equal(message.Answer(server.ask(soa)).answer, before, "the old zone stays in force")
    server.kill()
    server.start()
    report.equal(message.Answer(server.ask(soa)).answer, before, "also over a restart")
    report.check(server.control(do="status")["stale_image"], "and that is shown")
    server.write("shop.test.zone", ZONE.format(serial=901))
    server.wait_load(server.control(do="zone-reload")["load"])
    report.equal(message.Answer(server.ask(soa)).answer[0][3][2][:4], (901).to_bytes(4, "big"), "mended, it is served")
    report.check(not server.control(do="status")["stale_image"], "nothing is stale any more")
    with open(server.path("state/effective.conf"), encoding="utf-8") as good:
        document = good.read()
    server.write("state/effective.conf", document[:len(document) // 2])
    report.wait(lambda: server.control(do="status")["load"]["error"] != "", 5, "half a document is refused")
    report.check(message.Answer(server.ask(soa)).answer, "the old one stays")
    server.write("state/effective.conf", document)


def pipelined(report: Report, server: name_servers.Weir) -> None:
    with socket.create_connection(("127.0.0.1", server.port), 5) as s:
        batch = b""
        for i in range(300):
            wire = message.query("big.shop.test" if i % 3 == 0 else f"h{i}.shop.test", "TXT" if i % 3 == 0 else "A", i)
            batch += len(wire).to_bytes(2, "big") + wire
        s.sendall(batch)
        time.sleep(0.3)  # the answers are more than the socket takes: the server waits for us
        idents = [message.Answer(name_servers.read_message(s)).ident for _ in range(300)]
        report.equal(idents, list(range(300)), "300 pipelined queries are answered in order")
    with socket.create_connection(("127.0.0.1", server.port), 5) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire = message.query("h1.shop.test", "A", 77)
        for byte in len(wire).to_bytes(2, "big") + wire:
            s.sendall(bytes([byte]))
            time.sleep(0.005)  # each in a segment and a turn of its own
        answer = message.Answer(name_servers.read_message(s))
        report.equal((answer.ident, answer.rcode, answer.answer), (77, 0, message.Answer(server.ask(wire)).answer),
                     "a query may come byte by byte")
        report.check(answer.answer, "and is answered")


def closed(s: socket.socket) -> bool:
    s.settimeout(5)
    try:
        return s.recv(1) == b""
    except ConnectionResetError:
        return True


def tcp_limits(report: Report, server: name_servers.Weir) -> None:
    for case, data in (("no message", b"\0\3abc"),
                      ("an answer", b"\0\x0c" + b"\x12\x34\x81\0" + b"\0" * 8), ("nothing at all", b"\0\0")):
        with socket.create_connection(("127.0.0.1", server.port), 5) as s:
            s.sendall(data)
            report.check(closed(s), f"{case} closes the connection")
    crowd = [socket.create_connection(("127.0.0.1", server.port), 5) for _ in range(1024)]
    time.sleep(0.3)  # the ages of the connections differ by this much
    wire = message.query("h1.shop.test", "A")
    crowd[0].sendall(len(wire).to_bytes(2, "big") + wire)
    name_servers.read_message(crowd[0])  # no longer the longest idle
    report.check(message.Answer(server.ask(wire, tcp=True)).answer, "the 1,025th connection is served")
    report.check(closed(crowd[1]), "the longest idle one made room")
    crowd[0].sendall(len(wire).to_bytes(2, "big") + wire)
    report.check(message.Answer(name_servers.read_message(crowd[0])).answer, "the others live")
    for s in crowd:
        s.close()
    with socket.create_connection(("127.0.0.1", server.port), 5) as s:
        start = time.monotonic()
        s.settimeout(20)
        report.check(s.recv(1) == b"" and 9 < time.monotonic() - start < 12, "a silent connection ends after 10 s")


def truncated(report: Report, server: name_servers.Weir) -> None:
    cut = message.Answer(server.ask(message.query("big.shop.test", "TXT", edns={})))
    report.check(cut.flags & message.TC and not cut.answer, "what does not fit is cut, with TC")
    whole = message.Answer(server.ask(message.query("big.shop.test", "TXT"), tcp=True))
    report.check(len(whole.answer) == 1 and len(whole.wire) > 8000, "TCP gives all of it")


def waits_for_a_document(report: Report) -> None:
    with_none = name_servers.Weir({"shop.test": ZONE.format(serial=1)}, names=["www.shop.test"])
    os.unlink(with_none.path("state/effective.conf"))
    with_none.spawn()
    time.sleep(0.3)  # the process must stay for this long
    report.check(with_none.process.poll() is None, "without a document the process waits")
    with_none.configure()
    with_none.wait_ready()
    answer = message.Answer(with_none.ask(message.query("h1.shop.test", "A")))
    report.check(answer.rcode == 0 and answer.answer, "and serves when it comes")
    with_none.__exit__()


def run(report: Report) -> None:
    with name_servers.Weir({"shop.test": ZONE.format(serial=1)}, names=["www.shop.test"]) as server:
        report.step(truncated, report, server)
        report.step(pipelined, report, server)
        report.step(killed_under_load, report, server)
        server.wait_ready()
        report.step(reloaded_under_load, report, server)
        report.step(bad_files, report, server)
        report.step(tcp_limits, report, server)
    report.step(waits_for_a_document, report)
    with name_servers.Weir({"shop.test": ZONE.format(serial=1)}, held=False) as own:
        report.check(message.Answer(own.ask(message.query("h1.shop.test", "A"), tcp=True)).answer,
                     "without a supervisor it binds by itself")


if __name__ == "__main__":
    sys.exit(Report.main(run))
