# SPDX-License-Identifier: BSD-2-Clause
"""The probes of DNS compliance testers, against weir-dns: every one must come out as the RFCs say.

The set is that of ISC's genreport: plain and EDNS queries with each flag, version, option and their mixtures,
over UDP and TCP, and one query a type; RFC 8906 tells what a good server does with each.
"""
from __future__ import annotations

import os
import sys
import typing

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "dns"))
import message  # noqa: E402
import name_servers  # noqa: E402
from message import AA, AD, CD, QR, RA, RD, TC, Z  # noqa: E402
from report import Report  # noqa: E402

ZONE = ("$TTL 60\n@ SOA ns root 1 1 1 1 1\n@ NS ns\nns A 192.0.2.1\n"
        "@ DNSKEY 257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==\n"
        "@ TXT " + " ".join('"' + "k" * 240 + '"' for _ in range(3)) + "\n")
COOKIE = (10, bytes(8))
SUBNET = message.subnet_option("0.0.0.0/0")
NSID, EXPIRE, UNKNOWN = (3, b""), (9, b""), (100, b"")


def soa(flags: int = 0, opcode: int = 0, edns: dict[typing.Any, typing.Any] | None = None,
        kind: int | str = "SOA") -> dict[str, typing.Any]:
    return {"wire": message.query("shop.test", kind, flags=flags, opcode=opcode, edns=edns), "edns": edns}


# name: (query, over TCP, response code, flags that must be set, flags that must not)
PROBES = {
    "dns": (soa(), False, 0, AA, RD | AD | CD | RA | Z | TC),
    "aa": (soa(AA), False, 0, AA, RD),
    "ad": (soa(AD), False, 0, AA, AD),
    "cd": (soa(CD), False, 0, AA, CD),
    "ra": (soa(RA), False, 0, AA, RA),
    "rd": (soa(RD), False, 0, AA | RD, RA),
    "tc": (soa(TC), False, 0, AA, TC),
    "zflag": (soa(Z), False, 0, AA, Z),
    "opcode": (soa(opcode=15), False, 4, 0, AA | TC | RD | RA | Z | AD | CD),
    "opcodeflg": (soa(TC | RD | RA | CD | AD | Z | AA, opcode=15), False, 4, 0, AA | TC | RD | RA | Z | AD | CD),
    "type666": (soa(kind=666), False, 0, AA, TC),
    "tcp": (soa(), True, 0, AA, TC),
    "edns": (soa(edns={}), False, 0, AA, 0),
    "edns1": (soa(edns={"version": 1}), False, 16, 0, AA),
    "edns@512": (soa(edns={"size": 512}, kind="TXT"), False, 0, TC, 0),
    "ednsopt": (soa(edns={"options": [UNKNOWN]}), False, 0, AA, 0),
    "edns1opt": (soa(edns={"version": 1, "options": [UNKNOWN]}), False, 16, 0, AA),
    "do": (soa(edns={"flags": 0x8000}), False, 0, AA, 0),
    "docd": (soa(CD, edns={"flags": 0x8000}), False, 0, AA, CD),
    "edns1do": (soa(edns={"version": 1, "flags": 0x8000}), False, 16, 0, AA),
    "ednsflags": (soa(edns={"flags": 0x0080}), False, 0, AA, 0),
    "optlist": (soa(edns={"options": [NSID, SUBNET, COOKIE, EXPIRE]}), False, 0, AA, 0),
    "ednsnsid": (soa(edns={"options": [NSID]}), False, 0, AA, 0),
    "ednscookie": (soa(edns={"options": [COOKIE]}), False, 0, AA, 0),
    "ednsexpire": (soa(edns={"options": [EXPIRE]}), False, 0, AA, 0),
    "ednssubnet": (soa(edns={"options": [SUBNET]}), False, 0, AA, 0),
    "edns1nsid": (soa(edns={"version": 1, "options": [NSID]}), False, 16, 0, AA),
    "edns1cookie": (soa(edns={"version": 1, "options": [COOKIE]}), False, 16, 0, AA),
    "edns1expire": (soa(edns={"version": 1, "options": [EXPIRE]}), False, 16, 0, AA),
    "edns1subnet": (soa(edns={"version": 1, "options": [SUBNET]}), False, 16, 0, AA),
    "ednstcp": (soa(edns={"size": 512}, kind="DNSKEY"), True, 0, AA, TC),
    "bind11": (soa(RD | AD, edns={"size": 4096, "flags": 0x8000, "options": [COOKIE]}), False, 0, AA | RD, 0),
    "dig11": (soa(RD | AD, edns={"size": 4096, "options": [COOKIE]}), False, 0, AA | RD, 0),
}


def wrong(answer: message.Answer, probe: tuple[typing.Any, bool, int, int, int]) -> str:
    """What is wrong with an answer; "" if nothing."""
    query, _, rcode, must, must_not = probe
    edns = query["edns"]
    if answer.rcode != rcode:
        return f"response code {answer.rcode}"
    if answer.flags & QR == 0 or answer.flags & must != must or answer.flags & must_not:
        return f"flags {answer.flags:#06x}"
    if (edns is None) != (answer.edns is None):
        return "OPT given or missing"
    if edns is not None and answer.edns["version"] != 0:
        return "EDNS version"
    if edns is not None and answer.edns["flags"] != edns.get("flags", 0) & 0x8000:
        return "EDNS flags"
    allowed = {3, 8} & {code for code, _ in (edns or {}).get("options", [])}
    if set(answer.options) != (allowed if rcode == 0 else set()):
        return f"options {set(answer.options)}"
    if rcode == 16 and answer.answer:
        return "records in BADVERS"
    return ""


def run(report: Report) -> None:
    with name_servers.Weir({"shop.test": ZONE}) as server:
        for name, probe in PROBES.items():
            answer = message.Answer(server.ask(probe[0]["wire"], tcp=probe[1]))
            report.equal(wrong(answer, probe), "", name)
        bad = []
        for kind in [*range(1, 128), *range(256, 280), 32768, 32769, 65280, 65534]:
            answer = message.Answer(server.ask(message.query("shop.test", kind, flags=0, edns={})))
            if answer.rcode or not answer.flags & AA or answer.edns is None:
                bad.append(kind)
        report.equal(bad, [], "each type is answered, whether known or not")


if __name__ == "__main__":
    sys.exit(Report.main(run))
