# SPDX-License-Identifier: BSD-2-Clause
"""weir-dns beside NSD and Knot DNS on the same zones: every difference must have a name and a reason.

Each name and each way of not existing is asked for each type, over UDP and some over TCP, with and without
EDNS; then odd headers and messages. An answer is compared by response code, flags, the records of each
section (order apart) and its OPT. A rule below that explains nothing any more is an error too.

A rule says what our answer must be, not only that a peer's is another: where it can, from another answer of ours. And
whatever a peer says, an answer of ours with TC must be one that does not fit: TCP gives the whole of it.
"""
from __future__ import annotations

import collections
import os
import struct
import sys
import typing

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "dns"))
import message  # noqa: E402
import name_servers  # noqa: E402
from message import AA, AD, CD, RA, RD, TC, Z  # noqa: E402

ZONE = r"""$TTL 300
@ SOA ns1 hostmaster 2026 3600 900 604800 60
@ NS ns1
@ NS ns2.elsewhere.test.
@ MX 10 mail
@ TXT "v=spf1 -all"
@ CAA 0 issue "ca.test"
@ DNSKEY 257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==
@ NSEC3PARAM 1 0 0 -
ns1 A 192.0.2.1
ns1 AAAA 2001:db8::1
mail A 192.0.2.2
a A 192.0.2.10
a A 192.0.2.11
a A 192.0.2.12
a TXT "x" "y"
aaaa AAAA 2001:db8::10
txt TXT "one"
long TXT "LONG"
hinfo HINFO "cpu" "os"
rp RP box.a txt
afsdb AFSDB 1 a
srv SRV 1 2 443 a
naptr NAPTR 1 2 "u" "E2U+sip" "!^.*$!sip:x@y!" .
naptr2 NAPTR 1 2 "s" "SIP+D2U" "" srv
cert CERT 1 2 3 AQID
sshfp SSHFP 1 1 0123456789abcdef0123456789abcdef01234567
tlsa TLSA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
ds1 CDS 1 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
cdnskey CDNSKEY 257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==
svcb SVCB 1 a alpn="h2" port=8443
svcb2 SVCB 1 a mandatory=port,alpn alpn=h2,h3 port=1 ipv6hint=2001:db8::1 key65280=x
https HTTPS 0 a
https2 HTTPS 1 . ipv4hint=192.0.2.9
uri URI 1 2 "https://x.test/"
loc LOC 52 22 23 N 4 53 32 E 0m 1m 10m 10m
loc2 LOC 42 21 54 N 71 W 0
loc3 LOC 42 21 N 71 6 W -1.5m 25m
ptr PTR a
unknown TYPE65280 \# 4 01020304
null TYPE10 \# 2 0102
key TYPE25 \# 6 000003010203
c1 CNAME c2
c2 CNAME c3
c3 CNAME a
cmx CNAME mx
mx MX 10 mail
mx MX 20 mail.sub
mx MX 30 mail.elsewhere.test.
lost CNAME nowhere.a
out CNAME www.elsewhere.test.
round1 CNAME round2
round2 CNAME round1
self CNAME self
down CNAME x.sub
tosub CNAME sub
toent CNAME ent
towild CNAME q.w
x.y.ent A 192.0.2.20
*.w TXT "wild"
*.w A 192.0.2.21
there.w A 192.0.2.22
x.ent2.w A 192.0.2.23
*.wc CNAME a
*.wlost CNAME nowhere
*.wself CNAME x.wself
*.wup CNAME wup
wup A 192.0.2.24
*.wmx MX 10 mail
*.*.star TXT "double"
sub NS ns.sub
sub NS ns.sub2
sub NS ns9.elsewhere.test.
sub DS 1 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
ns.sub A 192.0.2.30
ns.sub AAAA 2001:db8::30
hidden.sub TXT "occluded"
*.sub A 192.0.2.33
sub2 NS ns.sub2
ns.sub2 A 192.0.2.31
deep.under.sub3 NS ns1
deep.under.sub3 NS a
nog NS ns.elsewhere.test.
many NS ns1.many
d DNAME t
x.t A 192.0.2.71
x.t TXT "renamed"
*.wild.t A 192.0.2.72
dw DNAME w
dout DNAME elsewhere.test.
dlost DNAME nowhere
dchain DNAME d
dsub DNAME sub
dapex DNAME @
todn CNAME x.d
tonodn CNAME y.d
dlong DNAME LONGNAME
dup DNAME @
dround1 DNAME dround2
dround2 DNAME dround1
d TXT "beside a DNAME"
"""
CHILD = "$TTL 120\n@ SOA ns root 1 2 3 4 5\n@ NS ns\nns A 192.0.2.60\na TXT child\n"
LONG = ".".join(c * 40 for c in "pqr")


def zone_text() -> str:
    """The zone with what is easier to make than to write."""
    text = ZONE.replace("LONGNAME", LONG).replace('"LONG"', " ".join('"' + "l" * 250 + '"' for _ in range(8)))
    for i in range(1, 14):
        text += f"many NS ns{i}.many\n" if i > 1 else ""
        text += f"ns{i}.many A 192.0.2.{100 + i}\nns{i}.many AAAA 2001:db8::{100 + i}\n"
    for i in range(1, 40):
        text += f"huge NS server-number-{i}.with-a-long-name-so-that-it-does-not-fit.huge\n"
        text += f"server-number-{i}.with-a-long-name-so-that-it-does-not-fit.huge A 192.0.2.{i}\n"
    text += "child NS ns.child\nns.child A 192.0.2.60\nchild DS 9 13 2 " + "ab" * 32 + "\n"
    for i in range(CHAIN):
        text += f"chain{i} CNAME chain{i + 1}\n"
    return text + f"chain{CHAIN} A 192.0.2.70\n"


MISSING = ["nope", "x.a", "x.y.a", "y.ent", "ent", "z.ent", "z.y.ent", "w", "q.w", "q.q.w", "*.w", "x.*.w", "q.there.w",
           "ent2.w", "q.ent2.w", "wc", "q.wc", "q.wlost", "q.wself", "x.wself", "q.wup", "q.wmx", "q.star", "q.*.star", "q.q.star",
           "x.sub", "x.y.sub", "under.sub3", "sub3", "x.deep.under.sub3", "x.nog", "x.many", "x.huge", "a.child",
           "x.child", "ns.child", "x.out", "x.c1", "c1.c1", "x.d", "X.D", "y.d", "x.x.d", "y.wild.d", "wild.d", "q.dw",
           "there.dw", "x.dout", "x.dlost", "x.dchain", "y.dchain", "x.dsub", "ns.dsub", "a.dapex", "x.dapex", "x.dlong",
           "s" * 20 + ".dlong", ("s" * 63 + ".") * 2 + "dlong", "wup.dup", "dup.dup", "x.dup.dup", "x.dround1"]
CHAIN, FOLLOWED = 25, 16  # aliases in a row in the zone, and how many of them an answer of ours follows
OPT_TYPE, NOTHING_HAS, MOST_BY_UDP = 41, 666, 1232
OUTSIDE = ["elsewhere.test", "test", ".", "shop.test.x", "xshop.test", "a.xshop.test"]


def owner_names() -> list[typing.Any]:
    """Every name of the zone, every way of not existing, and some outside."""
    names = {}
    for line in zone_text().splitlines()[1:]:
        owner = line.split()[0]
        names["shop.test" if owner == "@" else f"{owner}.shop.test"] = True
    for name in MISSING:
        names[f"{name}.shop.test"] = True
    return [*names, "child.shop.test", "A.sHOP.tEst", "NOPE.sHOP.tEst", *OUTSIDE]


TYPES = [*[t for t in message.TYPES.values() if t not in (41,)], 10, 65280, 666, 127, 128, 249, 250, 253, 254, 0, 41, 65535]


def header_queries() -> typing.Iterator[tuple[str, bytes]]:
    """Odd headers and messages: (label, wire)."""
    name, good = "a.shop.test", message.query("a.shop.test", "A")
    for bit in range(16):
        yield f"flag-{bit}", message.query(name, "A", flags=1 << bit)
    for opcode in range(1, 16):
        yield f"opcode-{opcode}", message.query(name, "A", flags=0, opcode=opcode)
        yield f"opcode-flags-{opcode}", message.query(name, "A", flags=RD | AD | CD | RA | Z, opcode=opcode)
    for klass in (0, 2, 3, 4, 254, 255, 65535):
        yield f"class-{klass}", message.query(name, "A", klass=klass)
    for counts in ((0, 0, 0, 0), (2, 0, 0, 0), (1, 1, 0, 0), (1, 0, 1, 0), (1, 0, 0, 1), (0, 1, 0, 0), (1, 0, 0, 65535)):
        yield f"counts-{counts}", good[:4] + struct.pack("!4H", *counts) + good[12:]
    for n in range(0, len(good)):
        yield f"cut-{n}", good[:n]
    yield "behind", good + b"\0"
    yield "pointer-to-itself", good[:12] + b"\xc0\x0c" + good[-4:]
    yield "pointer-back", good[:12] + b"\1a\xc0\x0c" + good[-4:]
    yield "label-of-64", good[:12] + b"\x40" + b"a" * 64 + b"\0" + good[-4:]
    yield "name-of-256", good[:12] + (b"\x3f" + b"a" * 63) * 4 + b"\0" + good[-4:]
    yield "name-of-255", good[:12] + (b"\x3f" + b"a" * 63) * 3 + b"\x3d" + b"a" * 61 + b"\0" + good[-4:]
    yield "127-labels", good[:12] + b"\1a" * 121 + message.name_wire("shop.test") + good[-4:]


def edns_queries() -> typing.Iterator[tuple[str, bytes]]:
    """EDNS as the compliance testers probe it (see the lab): (label, wire)."""
    name = "a.shop.test"
    for size in (0, 12, 511, 512, 1232, 4096, 65535):
        yield f"edns-size-{size}", message.query(name, "A", edns={"size": size})
        yield f"edns-long-{size}", message.query("long.shop.test", "TXT", edns={"size": size})
        yield f"edns-many-{size}", message.query("x.many.shop.test", "A", edns={"size": size})
        yield f"edns-huge-{size}", message.query("x.huge.shop.test", "A", edns={"size": size})
    for version in (1, 2, 255):
        yield f"edns-version-{version}", message.query(name, "A", edns={"version": version})
        yield f"edns-version-flags-{version}", message.query(name, "A", edns={"version": version, "flags": 0xffff})
    for flags in (0x8000, 0x7fff, 0xffff):
        yield f"edns-flags-{flags}", message.query(name, "A", edns={"flags": flags})
        yield f"edns-key-{flags}", message.query("shop.test", "DNSKEY", edns={"flags": flags, "size": 512})
    for code in (0, 2, 4, 5, 9, 10, 11, 12, 100, 65535):
        yield f"edns-option-{code}", message.query(name, "A", edns={"options": [(code, b"12345678")]})
    yield "edns-empty-options", message.query(name, "A", edns={"options": [(100, b""), (101, b"")]})
    good = message.query(name, "A")
    opt = message.opt_record()
    two = good[:10] + b"\0\2" + good[12:]
    one = good[:10] + b"\0\1" + good[12:]
    yield "edns-two", two + opt + opt
    yield "edns-cut", one + opt[:-3]
    yield "edns-option-cut", one + opt[:-2] + b"\0\3\0\4\0"
    yield "edns-owner", one + b"\1x" + opt
    yield "edns-answer", good[:6] + b"\0\1" + good[8:] + opt
    yield "edns-other-record", two + b"\1x\0\0\1\0\1\0\0\0\0\0\4\1\2\3\4" + opt


def queries() -> typing.Iterator[tuple[str, str | None, int | str | None, bool, bytes]]:
    """All: (label, name or None, type, tcp, wire)."""
    for name in owner_names():
        for kind in TYPES:
            yield f"{name}/{kind}", name, kind, False, message.query(name, kind)
    for name in owner_names():
        for word in ("A", "TXT", "ANY", "DS", "MX"):
            yield f"{name}/{word}/tcp", name, message.number(word), True, message.query(name, word, edns={})
    for label, wire in [*header_queries(), *edns_queries()]:
        yield label, None, None, False, wire


def answer_of(ask: typing.Callable[..., bytes], wire: bytes, tcp: bool, lucky: bool) -> message.Answer | str:
    """The answer taken apart, or "silent", "malformed"."""
    try:
        return message.Answer(ask(wire, 2.0 if lucky else 0.15, tcp))
    except (TimeoutError, EOFError, ConnectionError):
        return "silent"
    except message.Malformed as reason:
        return f"malformed: {reason}"


def facts(a: message.Answer | str) -> dict[str, typing.Any]:
    """What is compared."""
    if isinstance(a, str):
        return {"answer": a}
    return {"answer": "given", "rcode": a.rcode, "flags": a.flags & ~0xf, "question": tuple(a.questions),
            "an": tuple(sorted(a.answer)), "au": tuple(sorted(a.authority)), "ad": tuple(sorted(a.additional)),
            "edns": a.edns and a.edns["version"] << 16 | a.edns["flags"], "options": tuple(a.options)}


class Case:
    """One query with both answers, for the rules to look at."""

    def __init__(self, query: tuple[typing.Any, typing.Any, typing.Any, typing.Any, typing.Any], ours: typing.Any,
                 theirs: typing.Any, ask: typing.Callable[..., bytes], ask_them: typing.Any) -> None:
        self.label, self.name, self.kind, self.tcp, self.wire = query
        self.us, self.them, self.ask, self.ask_them = ours, theirs, ask, ask_them
        a, b = facts(ours), facts(theirs)
        self.differs = {key for key in {*a, *b} if a.get(key) != b.get(key)}
        self.both = not isinstance(ours, str) and not isinstance(theirs, str)

    def as_for_a_type_that_nothing_has(self) -> bool:
        """Whether we answer as we answer the same question for a type that no name has."""
        edns: dict[typing.Any, typing.Any] = {} if self.tcp else None
        other = facts(answer_of(self.ask, message.query(self.name, NOTHING_HAS, edns=edns), self.tcp, True))
        ours = facts(self.us)
        return all(ours.get(key) == other.get(key) for key in {*ours, *other} - {"question"})

    def is_the_first_rrset(self) -> bool:
        """Whether our answer is exactly what they have of the name, of the type with the lowest number of which they have any."""
        for kind in range(1, OPT_TYPE):
            theirs = answer_of(self.ask_them, message.query(self.name, kind, edns={}), True, True)
            if not isinstance(theirs, str) and theirs.answer:
                return sorted(self.us.answer) == sorted(theirs.answer)
        return False

    def is_cut_for_nothing(self) -> bool:
        """Whether our answer has TC, though all of it fits."""
        if self.tcp or isinstance(self.us, str) or not self.us.flags & TC:
            return False
        size = int(self.label.rsplit("-", 1)[1]) if self.label.startswith("edns-") else 512
        return len(self.ask(self.wire, 2.0, True)) <= max(512, min(size, MOST_BY_UDP))


class Rule:
    """Why answers differ: `holds` must be narrow enough not to hide anything else."""

    def __init__(self, name: str, who: tuple[typing.Any, ...], reason: str, condition: typing.Callable[..., typing.Any]) -> None:
        self.name, self.who, self.reason, self.condition = name, who, reason, condition

    def holds(self, who: typing.Any, case: Case) -> typing.Any:
        return who in self.who and self.condition(case)


def only(case: Case, *keys: str) -> bool:
    return case.differs <= set(keys)


def rcodes(case: Case, ours: int, theirs: int) -> bool:
    return case.both and (case.us.rcode, case.them.rcode) == (ours, theirs)


def follows_chain(case: Case) -> typing.Any:
    """We answer a name of the zone's long chain with its alias and the next 16, and with what the end of the chain has of
    the type, if it is reached by 16."""
    first = int(case.name.split(".")[0].removeprefix("chain"))
    last = min(first + 1 + FOLLOWED, CHAIN)
    expected: list[message.Record] = [(f"chain{i}.shop.test", 5, 300, (f"chain{i + 1}.shop.test", b"")) for i in range(first, last)]
    reached = first + FOLLOWED >= CHAIN
    if reached and case.kind == 1:
        expected.append((f"chain{CHAIN}.shop.test", 1, 300, (bytes([192, 0, 2, 70]),)))
    soa = [r[1] for r in case.us.authority] == [6]
    return (sorted(case.us.answer) == sorted(expected) and case.us.rcode == 0 and case.us.flags & (AA | TC) == AA
            and soa == (reached and case.kind != 1) and not case.us.additional)


RULES = [
    Rule("transfer", ("nsd", "knot"), "zones are not given away: REFUSED says so, whatever the transport and name",
         lambda c: c.kind in (251, 252) and only(c, "rcode") and c.us.rcode == 5 and c.them.rcode in (4, 9)),
    Rule("type 0", ("knot",), "an ordinary type that nothing has (RFC 8906, section 3.1.4); knot says NOTIMP",
         lambda c: c.kind == 0 and case_rcode(c.them) == 4 and c.as_for_a_type_that_nothing_has()),
    Rule("glue or TC", ("nsd",), "a referral whose in-domain glue does not fit is truncated (RFC 9471, section 3.1)",
         lambda c: c.both and only(c, "ad", "flags") and c.us.flags ^ c.them.flags == TC == c.us.flags & TC
         and not c.us.answer and len(c.us.authority) == len(c.them.authority) > 0),
    Rule("glue beside TC", ("knot",), "a truncated referral carries no part of its glue: the client asks again anyway",
         lambda c: c.both and only(c, "ad") and c.us.flags & c.them.flags & TC and not c.us.additional),
    Rule("additional", ("nsd", "knot"), "additional data is given as glue alone, nowhere else (RFC 2181, section 5.4.1)",
         lambda c: c.both and only(c, "ad") and not c.us.additional and c.us.flags & AA and c.us.answer),
    Rule("ANY", ("nsd",), "one RRset (RFC 8482, section 4.1), the first by type; NSD gives the SOA first",
         lambda c: c.kind == 255 and c.both and only(c, "an") and c.is_the_first_rrset()),
    Rule("given once", ("nsd", "knot"), "a record is given once (RFC 2181, section 5), also by an alias that leads round",
         lambda c: c.both and only(c, "an") and len(set(c.us.answer)) == len(c.us.answer) < len(c.them.answer)
         and set(c.us.answer) == set(c.them.answer)),
    Rule("chain length", ("nsd", "knot"), "16 aliases are followed; the others stop sooner or later",
         lambda c: c.both and only(c, "an", "au", "ad", "flags", "rcode") and (c.name or "").startswith("chain")
         and follows_chain(c)),
    Rule("alias behind NSEC types", ("nsd", "knot"), "an alias is followed for any type but CNAME: no zone is signed here",
         lambda c: c.kind in (46, 47, 50) and c.both and c.as_for_a_type_that_nothing_has()),
    Rule("silence", ("knot",), "a query cut in its question gets FORMERR (RFC 8906, section 1); knot is silent",
         lambda c: c.them == "silent" and case_rcode(c.us) == 1),
    Rule("another opcode", ("nsd", "knot"), "NOTIMP with nothing else: what flags and body mean there is not known",
         lambda c: (c.label.startswith("opcode") or c.label in ("flag-11", "flag-12", "flag-13", "flag-14")) and c.both
         and c.us.rcode == 4 and c.us.flags & 0x7f0 == 0 and not c.us.questions and only(c, "flags", "question", "rcode")),
    Rule("extended error", ("nsd", "knot"), "no extended error (RFC 8914, optional) goes with REFUSED",
         lambda c: c.both and only(c, "options") and set(c.them.options) == {15} and c.us.rcode == 5),
    Rule("extended error of YXDOMAIN", ("nsd",), "the same",
         lambda c: c.both and only(c, "options") and set(c.them.options) == {15} and c.us.rcode == 6),
    Rule("too long for a DNAME", ("knot",), "YXDOMAIN (RFC 6672, section 3.2); this knot says NXDOMAIN",
         lambda c: rcodes(c, 6, 3) and only(c, "rcode", "au") and c.us.answer == c.them.answer and c.us.answer[0][1] == 39),
    Rule("EDNS EXPIRE", ("knot",), "no zone is transferred, so its expiry (RFC 7314) is nobody's business",
         lambda c: c.both and only(c, "options") and set(c.them.options) == {9}),
    Rule("class", ("nsd", "knot"), "a class other than IN is REFUSED, ANY too, and its question comes back",
         lambda c: c.label.startswith("class") and c.both and c.us.rcode == 5 and c.us.questions and not c.us.answer
         and (only(c, "question") or c.label == "class-255")),
    Rule("rcode in a query", ("nsd",), "means nothing and is not looked at (RFC 1035, section 4.1.1)",
         lambda c: c.label in ("flag-0", "flag-1", "flag-2", "flag-3") and c.them.rcode == 1 and c.us.rcode == 0),
    Rule("Z bits of BADVERS", ("nsd",), "only DO comes back (RFC 6891, section 6.1.4)",
         lambda c: c.label.startswith("edns-version") and only(c, "edns") and c.us.edns["flags"] & 0x7fff == 0),
    Rule("FORMERR's question", ("nsd", "knot"), "comes back if it could be read, and so does an OPT; RD always",
         lambda c: rcodes(c, 1, 1) and only(c, "question", "edns", "flags") and len(c.us.questions) >= len(c.them.questions)
         and (c.us.flags ^ c.them.flags) & ~RD == 0),
    Rule("bytes behind the message", ("nsd",), "make it malformed; knot says so too",
         lambda c: c.label == "behind" and rcodes(c, 1, 0)),
    Rule("other additional record", ("nsd",), "is passed over; NSD wants none",
         lambda c: c.label == "edns-other-record" and rcodes(c, 0, 1)),
    Rule("OPT below a name", ("knot",), "must be the root's (RFC 6891, section 6.1.2)",
         lambda c: c.label == "edns-owner" and rcodes(c, 1, 0)),
]


def case_rcode(a: typing.Any) -> typing.Any:
    return None if isinstance(a, str) else a.rcode


def main() -> int:
    """Compare with both; print what is not explained."""
    zones = {"shop.test": zone_text(), "child.shop.test": CHILD}
    unexplained: list[typing.Any] = []
    seen: collections.Counter[tuple[str, str]] = collections.Counter()
    total = 0
    with name_servers.Weir(zones) as weir:
        for maker in (name_servers.Nsd, name_servers.Knot):
            with maker(zones) as other:
                for label, name, kind, tcp, wire in queries():
                    total += 1
                    ours = answer_of(weir.ask, wire, tcp, name is not None)
                    theirs = answer_of(other.ask, wire, tcp, name is not None)
                    case = Case((label, name, kind, tcp, wire), ours, theirs, weir.ask, other.ask)
                    if case.is_cut_for_nothing():
                        case.differs.add("cut, though it fits")
                        unexplained.append((other.name, case))
                        continue
                    if not case.differs:
                        continue
                    rule = next((r for r in RULES if r.holds(other.name, case)), None)
                    if rule:
                        seen[rule.name, other.name] += 1
                    else:
                        unexplained.append((other.name, case))
    for rule in RULES:
        hits = ", ".join(f"{who} {seen[rule.name, who]}" for who in rule.who)
        print(f"  {rule.name:28} {hits:22} {rule.reason}")
    for who, case in unexplained[:int(os.environ.get("SHOW", "20"))]:
        print(f"FAIL {who} {case.label}: {sorted(case.differs)}\n     ours   {case.us}\n     theirs {case.them}")
    stale = [r.name for r in RULES if not all(seen[r.name, who] for who in r.who)]
    print(f"{total} answers compared, {sum(seen.values())} differ for a reason, {len(unexplained)} without")
    if stale:
        print("rules that explain nothing:", *stale)
    return 1 if unexplained or stale else 0


if __name__ == "__main__":
    sys.exit(main())
