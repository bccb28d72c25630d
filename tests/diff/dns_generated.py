# SPDX-License-Identifier: BSD-2-Clause
"""weir-dns beside NSD and Knot DNS on generated zones, asked generated queries many at once.

    dns_generated.py [SEED ...] [--queries N]

dns_diff.py asks one question after the other, of one zone that a person wrote. Here names meet by chance: cuts, aliases, DNAMEs
and wildcards above and below each other, labels of 63 bytes and of bytes that text has to escape, RRsets about as large as
what UDP takes, and further zones, some labels below one another or below a cut. Up to 64 queries come from one socket at once,
so that answers share a batch. Queries have any case, EDNS sizes about the limits, and options. An answer of ours that is cut
must not have fitted, and is asked for again over TCP.
"""
from __future__ import annotations

import argparse
import collections
import contextlib
import os
import random
import socket
import string
import sys
import typing

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "dns"))
import message  # noqa: E402
import name_servers  # noqa: E402
from dns_diff import MOST_BY_UDP, facts  # noqa: E402
from message import AA, AD, CD, RD, TC  # noqa: E402

ZONE = "shop.test"
LABELS = [b"a", b"b", b"c", b"d", b"A", b"bB", b"w", b"n-1", b"0", b"_x", b".", b"\0", b"\xff", b" ", b"q" * 31, b"x" * 63]
SIZES = [0, 512, 513, 700, MOST_BY_UDP - 1, MOST_BY_UDP, MOST_BY_UDP + 1, 4096, 65535]
KINDS = ["A", "A", "A", "AAAA", "NS", "CNAME", "SOA", "MX", "TXT", "SRV", "DS", "DNAME", "SVCB", "CAA"]
EDGES = [*range(450, 475), *range(1165, 1185)]  # bytes of TXT with which answers are about as large as 512 and 1232 bytes
NESTED, DEPTHS = [b"a", b"b", b"c", b"w"], [1, 2, 3, 3, 4]  # zones that are served too: their labels, and how many of them
HIDDEN = b"h"  # of names that a zone's file has where a deeper zone is; nothing else has this label
BATCHES, LARGE = [1, 5, 32, 40, 64], [1, 1, 2, 3, 10, 29, 30, 31, 70]
PLAIN = f"{string.ascii_letters}{string.digits}-_*".encode()  # as they are in a master file
CNAME = 5
SHOWN = 20  # differences that nothing explains

Name = tuple[bytes, ...]


def text(name: Name) -> str:
    """As in a master file, below the zone."""
    return ".".join("".join(chr(b) if b in PLAIN else f"\\{b:03}" for b in label) for label in name)


def strings(length: int) -> str:
    """TXT data of LENGTH bytes."""
    return " ".join(f'"{"t" * (min(256, length - at) - 1)}"' for at in range(0, length, 256))


def below(name: Name, tops: typing.Iterable[Name]) -> bool:
    """Whether NAME is one of TOPS or below one, whatever the case."""
    folded = tuple(label.lower() for label in name)
    return any(folded[len(folded) - len(top):] == tuple(label.lower() for label in top) for top in tops)


class Zone:
    """Records of names that meet by chance; the text is what all servers load."""

    def __init__(self, r: random.Random, size: int, zones: list[Name]) -> None:
        """SIZE: how many names; ZONES: those below it that are served too."""
        self.r = r
        self.lines = ["$TTL 300", "@ SOA ns1 host 1 3600 900 604800 60", "@ NS ns1", "ns1 A 192.0.2.1"]
        self.names: list[Name] = [self.name() for _ in range(size)] + [(b"*", *self.name()) for _ in range(size // 7)]
        self.alone: list[Name] = []  # aliases: nothing else is at such a name
        self.tops: list[Name] = []   # cuts, DNAMEs and zones: nothing is below
        self.used: list[Name] = []
        for name in zones:
            self.nest(name, any(below(name, [zone]) and name != zone for zone in zones))
        for name in self.names:
            self.add(name)

    def add_edges(self) -> None:
        for length in EDGES:
            self.names.append((b"e%d" % length,))
            self.lines.append(f"e{length} TXT {strings(length)}")

    def nest(self, name: Name, is_deeper: bool) -> None:
        """A zone that is served too. An address below shows that it exists; often it is delegated, unless a zone between does that."""
        if self.r.random() < 0.8 and not is_deeper:
            self.lines += [f"{text(name)} NS ns1.{text(name)}"]
            self.lines += [f"{text(name)} DS 1 13 2 {'ab' * 32}"] * (self.r.random() < 0.5)
        self.lines.append(f"ns1.{text(name)} A 192.0.2.9")
        self.lines += [f"{text((HIDDEN, *name))} A 192.0.2.8"] * (self.r.random() < 0.5)
        self.tops.append(name)

    def name(self) -> Name:
        return tuple(self.r.choice(LABELS) for _ in range(self.r.choice([1, 1, 1, 2, 2, 3])))

    def target(self) -> str:
        return text(self.name()).lower()

    def add(self, name: Name) -> None:
        if below(name, self.tops) or any(below(name, [a]) and len(a) == len(name) for a in self.alone):
            return
        free = not any(below(used, [name]) for used in [*self.used, *self.alone]) and name[0] != b"*"
        chance = self.r.random()
        if chance < 0.12 and free:
            self.cut(text(name))
            self.tops.append(name)
        elif chance < 0.18 and free and not any(below(top, [name]) for top in self.tops):
            self.lines.append(f"{text(name)} DNAME {self.r.choice([self.target(), 'elsewhere.test.', '@'])}")
            self.tops.append(name)
        elif chance < 0.35 and not any(below(used, [name]) and len(used) == len(name) for used in self.used):
            self.lines.append(f"{text(name)} CNAME {self.r.choice([self.target(), self.target(), 'x.elsewhere.test.', '@'])}")
            self.alone.append(name)
        else:
            self.fill(text(name))
            self.used.append(name)

    def cut(self, name: str) -> None:
        for i in range(self.r.choice([1, 2, 5, 14])):
            self.lines += [f"{name} NS ns{i}.{name}", f"ns{i}.{name} A 192.0.2.{i + 1}"]
            self.lines += [f"ns{i}.{name} AAAA 2001:db8::{i + 1}"] * (self.r.random() < 0.5)
        self.lines += [f"{name} DS 1 13 2 {'ab' * 32}"] * (self.r.random() < 0.5)

    def fill(self, name: str) -> None:
        r = self.r
        self.lines += [f"{name} A 10.{r.randrange(256)}.{r.randrange(256)}.{r.randrange(256)}" for _ in range(r.choice(LARGE))]
        self.lines += [f"{name} AAAA 2001:db8::{r.randrange(65536):x}"] * (r.random() < 0.4)
        self.lines += [f"{name} MX {i} {self.target()}" for i in range(r.choice([0, 0, 0, 1, 3, 12]))]
        self.lines += [f"{name} SRV 1 2 53 {self.target()}"] * (r.random() < 0.15)
        if r.random() < 0.3:
            self.lines.append(f"{name} TXT {strings(r.randrange(1, 2300))}")


def make_zones(r: random.Random) -> tuple[Zone, dict[str, str]]:
    """A large zone, whose names are those of all zones, and the text of each: zones in it, and in these."""
    apexes = [*dict.fromkeys(tuple(r.choice(NESTED) for _ in range(depth)) for depth in DEPTHS)]
    made = {apex: Zone(r, 10 if apex else 60, [zone[:len(zone) - len(apex)] for zone in apexes if below(zone, [apex]) and zone != apex])
            for apex in [(), *apexes]}
    top = made[()]
    top.add_edges()
    for apex in apexes:
        between = [apex[at:] for at in range(len(apex))]
        top.names += [*between * 3, (HIDDEN, *apex), *((*name, *apex) for name in made[apex].names)]
    return top, {".".join([text(apex)] * bool(apex) + [ZONE]): "\n".join(zone.lines) + "\n" for apex, zone in made.items()}


class Query(typing.NamedTuple):
    wire: bytes
    name: Name
    kind: str
    most: int  # bytes of an answer over UDP

    def question(self) -> bytes:
        return self.wire[12:12 + len(message.name_wire([*self.name])) + 4]


def any_case(label: bytes, r: random.Random) -> bytes:
    return bytes(r.choice([label.upper(), label.lower()])[i] for i in range(len(label)))


def make_query(zone: Zone, ident: int) -> Query:
    r = zone.r
    name = r.choice(zone.names) if r.random() < 0.75 else zone.name()
    if r.random() < 0.3:
        name = (r.choice([*LABELS, b"ns1", b"*"]), *name)
    name = (*name, b"shop", b"test") if r.random() < 0.97 else r.choice([(b"shop", b"test"), (b"test",), (b"hop", b"test"), ()])
    if r.random() < 0.5:
        name = tuple(any_case(label, r) for label in name)
    edns: dict[str, typing.Any] | None = None
    if r.random() < 0.6:
        edns = {"size": r.choice([*SIZES, r.randrange(400, 1400)]), "flags": r.choice([0, 0, 0x8000]),
                "options": [(r.choice([10, 12, 100, 65001]), bytes(8))] * (r.random() < 0.2)}
    kind = "TXT" if name and name[0][:1].lower() == b"e" else r.choice(KINDS)
    wire = message.query([*name], kind, ident=ident, flags=r.choice([0, RD, RD | CD, AD]), edns=edns)
    return Query(wire, name, kind, 512 if edns is None else min(MOST_BY_UDP, max(512, edns["size"])))


def ask_all(server: name_servers.Server, queries: list[Query]) -> dict[int, bytes]:
    """All at once from one socket; the answers by their number. Two to one query, or one to none, is an error."""
    answers: dict[int, bytes] = {}
    with socket.socket(name_servers.family(server.address), socket.SOCK_DGRAM) as s:
        s.settimeout(2)
        s.connect((server.address, server.port))
        for query in queries:
            s.send(query.wire)
        with contextlib.suppress(TimeoutError):
            while len(answers) < len(queries):
                answer = s.recv(65535)
                ident = int.from_bytes(answer[:2], "big")
                if ident in answers or not 0 < ident <= len(queries):
                    raise SystemExit(f"{server.name}: an answer too many, to {ident}")
                answers[ident] = answer
    return answers


def faults(query: Query, answer: bytes | None, tcp: bytes | None) -> list[str]:
    """What is wrong with an answer of ours, whatever a peer says. TCP: the whole of one that is cut."""
    if answer is None:
        return ["silent"]
    try:
        message.Answer(answer)
    except message.Malformed as reason:
        return [f"malformed: {reason}"]
    return [*["another question"] * (answer[12:].startswith(query.question()) is False), *["too long"] * (len(answer) > query.most),
            *["cut, though it fits"] * (tcp is not None and len(tcp) <= query.most),
            *["cut over TCP"] * (tcp is not None and bool(tcp[2] & TC >> 8))]


def reason(ours: bytes, theirs: bytes, most: int) -> str | None:
    """Why two answers differ, by the rules of dns_diff.py; "" if they do not, None if nobody knows."""
    us, them = message.Answer(ours), message.Answer(theirs)
    a, b = facts(us), facts(them)
    for side in (a, b):
        side["options"] = tuple(code for code in side["options"] if code != 15)  # an extended error is optional
    differs = {key for key in a if a[key] != b[key]}
    if not differs:
        return ""
    if differs == {"ad"} and not us.additional and us.flags & AA and us.answer:
        return "additional data is given as glue alone"
    if differs <= {"ad", "flags"} and us.flags & TC and not us.additional and {record[1] for record in us.authority} <= {2, 43}:
        return "a referral whose glue does not fit is truncated, and has none of it"
    if differs == {"an"} and len({*us.answer}) == len(us.answer) < len(them.answer) and {*us.answer} == {*them.answer}:
        return "a record is given once"
    if them.flags & TC and not us.flags & TC and len(ours) <= most:
        return "they cut what fits"
    return None


def reason_of_zones(query: Query, who: str, ours: bytes, theirs: bytes, apexes: list[str]) -> str | None:
    """The same where zones below ZONE, those at APEXES, make the difference."""
    us, them = message.Answer(ours), message.Answer(theirs)
    aliases = {record[0]: str(record[3][0]) for record in us.answer if record[1] == CNAME}
    ends = {end for end in aliases.values() if end not in aliases}
    leaves = any(f".{end}".endswith(f".{apex}") for end in ends for apex in apexes)
    if who.startswith("nsd") and HIDDEN in (label.lower() for label in query.name) and them.rcode == 0 and not them.answer:
        return "a name that only a zone above has does not exist; NSD has one tree for all zones"
    if us.rcode == 0 and not us.authority and {*us.answer} <= {*them.answer} and leaves:
        return "an alias is followed in its own zone"
    if who.startswith("knot") and query.kind == "DS" and ends & {*apexes}:
        return "DS of a zone comes from the one above, behind an alias too"
    return None


class Comparison:
    """One zone by all servers, and what was found."""

    def __init__(self, weir: name_servers.Server, peers: list[name_servers.Server], apexes: list[str]) -> None:
        self.weir, self.peers, self.apexes = weir, peers, apexes
        self.seen: collections.Counter[str] = collections.Counter()
        self.wrong: list[str] = []

    def note(self, query: Query, who: str, what: str, *answers: bytes) -> None:
        self.wrong.append("\n     ".join([f"FAIL {who} {text(query.name)} {query.kind}: {what}", query.wire.hex(),
                                          *(str(message.Answer(answer)) for answer in answers)]))

    def batch(self, queries: list[Query]) -> None:
        ours, theirs = ask_all(self.weir, queries), [ask_all(peer, queries) for peer in self.peers]
        for ident, query in enumerate(queries, 1):
            answer = ours.get(ident)
            whole = self.weir.ask(query.wire, tcp=True) if answer and answer[2] & TC >> 8 else None
            wrong = faults(query, answer, whole)
            for what in wrong:
                self.note(query, "weir-dns", what)
            if answer is None or wrong:
                continue
            for peer, by_udp in zip(self.peers, theirs):
                if ident in by_udp:  # who drops a query is another test's business
                    self.compare(query, peer.name, answer, by_udp[ident], query.most)
                if whole:
                    self.compare(query, f"{peer.name} over TCP", whole, peer.ask(query.wire, tcp=True), 65535)

    def compare(self, query: Query, who: str, ours: bytes, theirs: bytes, most: int) -> None:
        why = reason(ours, theirs, most)
        why = reason_of_zones(query, who, ours, theirs, self.apexes) if why is None else why
        self.seen["" if why is None else why] += 1
        if why is None:
            self.note(query, who, "differs", ours, theirs)


def run(seed: int, queries: int) -> Comparison:
    r = random.Random(seed)
    zone, zones = make_zones(r)
    with contextlib.ExitStack() as stack:
        weir, *peers = (stack.enter_context(maker(zones)) for maker in (name_servers.Weir, name_servers.Nsd, name_servers.Knot))
        comparison = Comparison(weir, peers, [apex for apex in zones if apex != ZONE])
        for _ in range(0, queries, sum(BATCHES) // len(BATCHES)):
            comparison.batch([make_query(zone, i + 1) for i in range(r.choice(BATCHES))])
    return comparison


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seeds", nargs="*", type=int, default=[1, 2, 3, 4])
    parser.add_argument("--queries", type=int, default=1500, help="of each zone")
    args = parser.parse_args()
    failed = 0
    for seed in args.seeds:
        found = run(seed, args.queries)
        print(f"seed {seed}: {sum(found.seen.values())} answers compared, {len(found.wrong)} wrong")
        for why, n in sorted(found.seen.items()):
            print(f"  {n:6} {why or 'alike'}")
        print("".join(f"{text}\n" for text in found.wrong[:SHOWN]), end="")
        failed += bool(found.wrong) or sum(found.seen.values()) < args.queries  # peers that say nothing show nothing
    print(f"{len(args.seeds) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
