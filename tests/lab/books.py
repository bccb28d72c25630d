# SPDX-License-Identifier: BSD-2-Clause
"""The demo's books: clients' logs, nginx's logs, the wire and Weir's counters must say the same."""

FORWARD_COUNTER, BACKEND_COUNTER = "weir_dataplane_packets_total", "weir_dataplane_backend_packets_total"


def served_ids(world):
    """{request id: log line} over all backends, of a crowd's requests."""
    found = {}
    for site in world.sites:
        for backend in site.backends:
            for line in backend.log():
                found.setdefault(line["agent"], []).append((backend.name, line))
    return found


def check_servers(report, world, crowds, tolerated, unlogged=lambda r: False):
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


def sum_of(stats, name, **labels):
    """The sum over the words called `name` whose labels include all of `labels`; None if there is none."""
    values = [v for (n, text), v in stats.items()
              if n == name and all(f'{k}="{w}"' in text for k, w in labels.items())]
    return sum(values) if values else None


# Reasons of packets that the node passes to its kernel; all others are of packets for a VIP.
PASSED = ("not_ip", "short_frame", "not_ours", "neighbour")


def reasons(site):
    """The node's packet counters: {reason: packets}; also when its dataplane is dead."""
    found = {}
    for (name, labels), value in site.node.stats("dataplane").items():
        if name == FORWARD_COUNTER:
            reason = labels.split('reason="', 1)[1].split('"', 1)[0]
            found[reason] = found.get(reason, 0) + value
    return found


def check_wire(report, world, captures, gone=()):
    """Packet conservation, to the packet: what entered each node for the VIPs, as the wire saw it, is what Weir counts as
    forwarded, answered or dropped by reason; what left in tunnels is what it counts as forwarded, for each backend
    but those that are `gone` from the configuration; and no reply came by. A packet that the kernel's link says it
    dropped between the capture and the program may lack, and only as many."""
    for site in world.sites:
        capture, counted, node = captures[site.name], reasons(site), site.plan.node
        lacks = capture.counts("out", "vip") - sum(n for reason, n in counted.items() if reason not in PASSED)
        lost = site.lost_on_link()
        report.check(lacks == 0 or 0 < lacks <= lost,
                     f"{node}: packets for the VIPs on the wire = its counters, drops included",
                     f"{capture.counts('out', 'vip')}, {lacks} lacking, {lost} dropped by the link")
        sent = counted.get("forwarded", 0) + counted.get("icmp_relayed", 0)
        report.equal(capture.counts("in", "tunnel"), sent, f"{node}: packets in tunnels on the wire = its counter")
        drops = {r: n for r, n in counted.items() if n and r not in PASSED + ("forwarded", "icmp_relayed", "echo_replied")}
        report.check(capture.counts("in", "tunnel", what="syns") > 0, f"{node}: its drops, by reason", drops or "none")
        for backend in [b for b in site.backends if b.name not in gone]:
            wire = capture.counts("in", "tunnel", outer=backend.addresses[0])
            report.equal(sum_of(site.node.stats("dataplane"), BACKEND_COUNTER, backend=backend.name), wire,
                         f"{node}: its counter for {backend.name} = the wire")
        replies = capture.counts("out", "from") + capture.counts("in", "from")
        report.equal(replies, 0, f"{node}: replies that crossed the node")
