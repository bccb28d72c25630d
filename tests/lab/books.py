# SPDX-License-Identifier: BSD-2-Clause
"""The books of the demo and of labs: clients' logs, nginx's logs, the wire and Weir's counters must say the same."""
from __future__ import annotations

import functools
import os
import re
import time
import typing

import layout
from net import comes_true, say

if typing.TYPE_CHECKING:
    from report import Report
    from servers import Backend
    from watch import Crowd
    from world import Capture, Node, Request, Site, World

FORWARD_COUNTER, BACKEND_COUNTER = "weir_dataplane_packets_total", "weir_dataplane_backend_packets_total"
RECEIVED_COUNTER = "weir_dataplane_received_packets_total"


class Counts(typing.TypedDict):
    """A node's packets as Weir counts them; reasons and drops: packets by reason, drops those that are not 0."""
    received: int
    sent: int
    passed: int
    dropped: int
    reasons: dict[str, int]
    drops: dict[str, int]


def served_ids(world: World) -> dict[str, list[tuple[str, dict[str, typing.Any]]]]:
    """{request id: log line} over all backends, of a crowd's requests."""
    found: dict[str, list[tuple[str, dict[str, typing.Any]]]] = {}
    for site in world.sites:
        for backend in site.backends:
            for line in backend.log():
                found.setdefault(line["agent"], []).append((backend.name, line))
    return found


def check_servers(report: Report, world: World, crowds: typing.Sequence[Crowd], tolerated: typing.Callable[[Request], bool],
                  unlogged: typing.Callable[[Request], bool] = lambda r: False) -> int:
    """Each answered request stands in exactly one nginx log, as the client saw it, and no other was served but
    those that clients saw fail in a phase where that may be (`tolerated` says of a request whether it may).
    `unlogged` says of an answered request whether its server may have died before it wrote its log."""
    served = served_ids(world)
    requests = {f"{c.name}-{r.id}": r for c in crowds for r in c.read()}
    ok = {i: r for i, r in requests.items() if r.result == "ok"}
    report.equal([i for i, r in ok.items() if len(served.get(i, ())) != 1 and not unlogged(r)], [], "each answered request is in one nginx log")
    wrong = [i for i, r in ok.items() for name, line in served.get(i, ())
             if (name, line["server"], line["client"], line["client_port"], line["bytes"]) !=
             (r.backend, r.target, r.source, r.port, r.bytes)]
    report.equal(wrong, [], "with the same backend, VIP, client and bytes")
    stray = [i for i in served if i not in ok and not (i in requests and tolerated(requests[i]))
             and i.rsplit("-", 1)[0] in [c.name for c in crowds]]
    report.equal(stray, [], "nginx served nothing else")
    return len(ok)


def sum_of(stats: dict[tuple[str, str], int], name: str, **labels: str) -> int | None:
    """The sum over the words called `name` whose labels include all of `labels`; None if there is none."""
    values = [v for (n, text), v in stats.items()
              if n == name and all(f'{k}="{w}"' in text for k, w in labels.items())]
    return sum(values) if values else None


LINK_MAX = 0.01  # the share of packets that a link may drop
PAGE_S = 15  # in which a page has all: it is written each second, and a dataplane that was just started may take some on a busy machine
# Reasons of packets that the node passes to its kernel; all others are of packets for a VIP.
PASSED = ("not_ip", "short_frame", "not_ours", "neighbour")


def reasons(site: Site) -> dict[str, int]:
    """The node's packet counters: {reason: packets}; also when its dataplane is dead, as it last wrote them."""
    found: dict[str, int] = {}
    for (name, labels), value in site.node.stats("dataplane").items():
        if name == FORWARD_COUNTER:
            reason = labels.split('reason="', 1)[1].split('"', 1)[0]
            found[reason] = found.get(reason, 0) + value
    return found


def vip_packets(counted: dict[str, int]) -> int:
    return sum(n for reason, n in counted.items() if reason not in PASSED)


def has_counted(site: Site, least: float) -> bool:
    return vip_packets(reasons(site)) >= least


def forwarded_to(site: Site, backend: Backend) -> int:
    """Packets, by the backend's own counter: written behind those of reasons, once the tables have been read."""
    return sum_of(site.node.stats("dataplane"), BACKEND_COUNTER, backend=backend.name) or 0


def has_forwarded(site: Site, backend: Backend, least: int) -> bool:
    return forwarded_to(site, backend) >= least


def weir_counts(node: Node) -> Counts:
    """What a node received, and what became of it."""
    return counts_of(node.stats("dataplane"))


def weir_counts_by_now(node: Node) -> Counts:
    """The same, with all packets until now."""
    return counts_of(node.stats_by_now("dataplane"))


def counts_of(stats: dict[tuple[str, str], int]) -> Counts:
    """The same, of the counters of a stats page."""
    counts: Counts = {"received": 0, "sent": 0, "passed": 0, "dropped": 0, "reasons": {}, "drops": {}}
    for (name, labels), value in stats.items():
        if name == RECEIVED_COUNTER:
            counts["received"] = value
        elif name == "weir_dataplane_packets_total":
            action, reason = re.findall(r'action="(\w+)",reason="(\w+)"', labels)[0]
            counts[action] += value  # type: ignore[literal-required]  # of those above
            counts["reasons"][reason] = value
            if action == "dropped" and value:
                counts["drops"][reason] = value
    return counts


def check_drops(report: Report, node: str, dropped: dict[str, int], tolerated: dict[str, int] | None = None) -> None:
    """What a node dropped, {reason: packets}, is at most what a lab expects of it, {reason: most}; none by default."""
    bounds = tolerated or {}
    beyond = {reason: n for reason, n in dropped.items() if n > bounds.get(reason, 0)}
    report.check(not beyond, f"{node}: no packet dropped but {bounds or 'none'}", dropped or "")


def check_node(report: Report, node: Node, tolerated: dict[str, int] | None = None) -> None:
    """What a node received is what it sent, passed and dropped, to the packet, and its drops are bounded. Its page is written
    each second, so that at the end of a lab, when little comes, some page has it all."""
    def adds_up() -> Counts | None:
        counts = weir_counts(node)
        return counts if counts["received"] == counts["sent"] + counts["passed"] + counts["dropped"] > 0 else None
    counts = report.wait(adds_up, 20, f"{node.name}: received = sent + passed + dropped", 0.3)
    if counts:
        check_drops(report, node.name, counts["drops"], tolerated)


# --- at the end of each lab ---

ALIVE_S = 5  # a dataplane that lives gives its page a sign of life each second; a busy machine may hold one up
REST_S: float = 20  # in which a page of a node at rest has all; packets of neighbours and of daemons come all the time, but few
PAGE = "stats.dataplane.page"


class Books(typing.NamedTuple):
    """The books of all nodes of a lab at its end: what balances, what does not, and whose cannot be read."""
    balanced: dict[str, Counts]
    wrong: dict[str, Counts]
    silent: list[str]


def is_alive(path: str) -> bool:
    """Whether the dataplane of a page lives, and is not stopped: one that ended a moment ago has no last page."""
    header = layout.page_header(path)
    return os.path.exists(f"/proc/{header.writer_pid}") and time.monotonic() - header.alive_ms / 1000 < ALIVE_S


def pages_of(directory: str) -> dict[str, str]:
    """The counters of each node's dataplane below a lab's directory: {node's directory: path}."""
    found = {}
    for top, _, files in os.walk(directory):
        if PAGE in files:
            found[os.path.relpath(top, directory).removesuffix("/run").removesuffix(".weir")] = os.path.join(top, PAGE)
    return found


def read_books(directory: str) -> Books:
    """Wait until the books of all nodes of a lab balance, to the packet. The page of a dataplane that has ended, or is
    stopped, was written amid packets: it is no balance."""
    pages = pages_of(directory)
    books = Books({}, {}, [name for name, path in pages.items() if not is_alive(path)])

    def balance() -> bool:
        books.wrong.clear()
        for name, path in pages.items():
            if name in books.silent or name in books.balanced:
                continue
            counts = counts_of(layout.stats_of(path))
            sums = counts["sent"] + counts["passed"] + counts["dropped"]
            (books.balanced if counts["received"] == sums else books.wrong)[name] = counts
        return not books.wrong
    comes_true(balance, REST_S, 0.3)
    return books


def check_books(directory: str) -> list[str]:
    """Say what each node of a lab has counted, with the clients at rest. Returns what is wrong."""
    books = read_books(directory)
    if not any(c["received"] for c in (*books.balanced.values(), *books.wrong.values())):
        say("books: no node has a dataplane that has received packets")
    for name, counts in sorted(books.balanced.items()):
        if counts["received"]:
            say(f"books of {name}: {counts['received']} received = {counts['sent']} sent + {counts['passed']} passed + {counts['dropped']} dropped")
    for name in sorted(books.silent):
        say(f"books of {name}: not read, for its dataplane has ended or is stopped")
    return [f"the books of {name} do not balance: {counts}" for name, counts in sorted(books.wrong.items())]


# A backend that is killed leaves flows behind: their next packets have nowhere to go.
OF_THE_DEAD = {"backend_dead": 20}


def check_wire(report: Report, world: World, captures: dict[str, Capture], gone: typing.Collection[str] = (),
               killed: typing.Collection[str] = ()) -> None:
    """Packet conservation, to the packet: what entered each node for the VIPs, as the wire saw it, is what Weir counts as
    forwarded, answered or dropped by reason; what left in tunnels is what it counts as forwarded, for each backend
    but those that are `gone` from the configuration; and no reply came by. A packet that the kernel's link says it
    dropped between the capture and the program may lack, either way, and only as many: one in a hundred at most (a veth
    holds 256 packets: 20 ms in which nobody takes them, on a busy processor); Weir may know of those that it sent, as
    `not_sent`. Weir itself drops none but some of flows on backends that were `killed`, at their node."""
    for site in world.sites:
        capture, node = captures[site.name], site.plan.node
        lost, came = site.lost_on_link(), capture.counts("out", "vip")
        least = came - min(lost, came * LINK_MAX)
        comes_true(functools.partial(has_counted, site, least), PAGE_S)
        counted = reasons(site)
        lacks = came - vip_packets(counted)
        report.check(least <= came - lacks <= came,
                     f"{node}: packets for the VIPs on the wire = its counters, drops included",
                     f"{came}, {lacks} lacking, {lost} dropped by the link")
        sent, not_sent = counted.get("forwarded", 0) + counted.get("icmp_relayed", 0), counted.get("not_sent", 0)
        back = min(site.lost_on_way_back(), (sent + not_sent) * LINK_MAX)
        report.between(sent - capture.counts("in", "tunnel"), 0, max(0, back - not_sent),
                       f"{node}: packets in tunnels on the wire = its counter {sent}, but those that the link dropped")
        drops = {r: n for r, n in counted.items() if n and r not in PASSED + ("forwarded", "icmp_relayed", "echo_replied")}
        report.check(capture.counts("in", "tunnel", what="syns") > 0, f"{node}: new flows went into tunnels")
        bounds = OF_THE_DEAD if {b.name for b in site.backends} & set(killed) else {}
        if not_sent:
            bounds = {**bounds, "not_sent": int(back)}
        check_drops(report, node, drops, bounds)
        for backend in [b for b in site.backends if b.name not in gone]:
            wire = capture.counts("in", "tunnel", outer=backend.addresses[0])
            comes_true(functools.partial(has_forwarded, site, backend, wire), PAGE_S)
            count = forwarded_to(site, backend)
            report.between(count - wire, 0, back, f"{node}: its counter for {backend.name} {count} = the wire")
        replies = capture.counts("out", "from") + capture.counts("in", "from")
        report.equal(replies, 0, f"{node}: replies that crossed the node")
