#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Frames over veth through weir-dataplane with the XDP driver, beside a program that only swaps the MAC addresses and
sends back (swap.bpf.c), in turn, burst by burst. Million frames a second that come back to their sender; 64-byte frames, 82 of IPv6.

One CPU does all of a frame's way (veth_tool.c), so the rates count the sender's work and twice that of the kernel's
veth, for both alike; the rows in ns are what Weir adds to a frame that only turns around. Weir's frames come back longer by
the tunnel's header, which is checked. Needs root. The target: at least 0.80 of the swap's rate.
"""
from __future__ import annotations

import json
import os
import statistics
import sys
import typing

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "lab"))

from net import BUILD, Lab, LabError, call, executable, say  # noqa: E402

if typing.TYPE_CHECKING:
    from net import Host

ROUNDS, BACKENDS, TARGET = 51, 100, 0.80
VIPS = {4: "203.0.113.10", 6: "2001:db8:80::10"}

# name: version of the inner packet, port, flows, bytes that the tunnel adds
CASES = {
    "ipip4.flows1": (4, 80, 1, 20),
    "ipip4.flows1000": (4, 80, 1000, 20),
    "ipip4.flows1000000": (4, 80, 1000000, 20),
    "gue4.flows1000000": (4, 81, 1000000, 32),
    "ipip6.flows1000000": (6, 82, 1000000, 40),
}
POOLS = {80: ("ipip", 4), 81: ("gue", 4), 82: ("ipip", 6)}


def backend(version: int, i: int) -> str:
    return f"10.0.0.{i + 10}" if version == 4 else f"2001:db8:b::{i + 16:x}"


def config() -> str:
    pools = ", ".join(
        f'{{ name = "p{port}"; site = "s"; mode = "{mode}"; backends = ('
        + ", ".join(f'{{ name = "b{i}"; address = "{backend(version, i)}"; }}' for i in range(BACKENDS)) + "); }"
        for port, (mode, version) in POOLS.items())
    services = ", ".join(f'{{ name = "w{port}"; protocol = "tcp"; port = {port}; '
                         f'at = ( {{ site = "s"; vip = "v"; pool = "p{port}"; }} ); }}' for port in POOLS)
    return f"""schema = 1;
cluster = {{ name = "bench"; hash_key_file = "hash.key"; hash_key_id = "k1"; }};
sites = ( {{ name = "s"; }} );
nodes = ( {{ name = "n"; site = "s"; driver = "xdp"; ports = ( {{ interface = "weir"; macs = [ "02:aa:00:00:00:01" ]; }} );
            tunnel_source = [ "10.0.255.0/24", "2001:db8:ff::/64" ]; }} );
pools = ( {pools} );
vips = ( {{ name = "v"; site = "s"; addresses = [ "{VIPS[4]}", "{VIPS[6]}" ]; }} );
services = ( {services} );
"""


def start_weir(lab: Lab, node: Host) -> None:
    conf, state, run = dirs = [os.path.join(lab.dir, d) for d in ("conf", "state", "run")]
    for directory in dirs:
        os.makedirs(directory)
    for name, text in (("weir.conf", config()), ("hash.key", "000102030405060708090a0b0c0d0e0f\n")):
        with open(os.path.join(conf, name), "w") as f:
            f.write(text)
    call([executable("lab-effective"), os.path.join(conf, "weir.conf"), "n", os.path.join(state, "effective.conf")])
    node.address("weir", "10.0.0.1/24", "2001:db8:b::1/64")
    node.ip(*(f"neigh replace {backend(v, i)} lladdr 02:bb:00:00:00:01 dev weir nud permanent"
              for v in (4, 6) for i in range(BACKENDS)))
    process = node.start("weir-dataplane", [
        executable("weir-dataplane"), "--conf-dir", conf, "--state-dir", state, "--run-dir", run,
        "--bpf-dir", lab.bpf_dir, "--node", "n"])
    process.wait_for_log("document-in-force", 30)
    process.wait_for_log("port-attached", 30)


def set_up(lab: Lab) -> Host:
    """A node with two links to a sender: one of Weir's, one with the swap."""
    node, sender = lab.host("n"), lab.host("g")
    for name in ("weir", "swap"):
        lab.link(sender, f"to-{name}", node, name, mtu=1600)
    swap = os.path.join(BUILD, "tests", "bench", "swap.bpf.o")
    node.ip(f"link set swap xdpdrv object {swap} section xdp")
    start_weir(lab, node)
    return sender


def bursts(sender: Host, flows: int, to: str, port: int, longer: int) -> tuple[list[typing.Any], list[typing.Any]]:
    """ns a frame that came back, of each burst: Weir's and the swap's."""
    ns: dict[typing.Any, typing.Any] = {"to-weir": [], "to-swap": []}
    lines = sender.run([executable("veth-tool"), str(ROUNDS), str(flows), to, str(port), "to-weir", "to-swap"])
    for line in lines.splitlines():
        interface, took, sent, back, size = line.split()
        length = (82 if ":" in to else 64) + (longer if interface == "to-weir" else 0)
        if abs(int(size) / int(back) - length) > 0.1:  # the node itself says a word now and then
            raise LabError(f"frames of {int(size) / int(back):.1f} bytes came back on {interface}")
        ns[interface].append((float(took), max(0, 1 - int(back) / int(sent))))
    return ns["to-weir"], ns["to-swap"]


def rows_of(name: str, weir: typing.Any, swap: typing.Any) -> list[typing.Any]:
    rate, reference = ([1000 / took for took, _ in side] for side in (weir, swap))
    share = statistics.median(a / b for a, b in zip(rate, reference))
    more = [a - b for (a, _), (b, _) in zip(weir, swap)]
    lost = [statistics.mean(loss for _, loss in side) for side in (weir, swap)]
    return [{"name": f"veth.{name}", "unit": "Mpps", "min": min(rate), "median": statistics.median(rate),
             "reference": "a plain XDP_TX swap", "reference_median": statistics.median(reference), "share": share,
             "lost": lost[0], "reference_lost": lost[1], "target": TARGET, "met": share >= TARGET},
            {"name": f"veth.{name}.more", "unit": "ns", "min": min(more), "median": statistics.median(more),
             "reference": "a frame's way with the swap", "reference_median": statistics.median(t for t, _ in swap),
             "target": None, "met": None}]


def show(rate: typing.Any, more: typing.Any) -> None:
    print(f"{rate['name']:<26} {rate['min']:7.2f} {rate['median']:7.2f} {rate['reference_median']:7.2f} {rate['share']:7.2f}"
          f" {rate['target']:7.2f}  {'met' if rate['met'] else 'missed':8} {more['median']:7.1f} {more['reference_median']:7.1f}"
          f"  {rate['lost']:8.4%}", flush=True)


def main() -> None:
    rows = []
    with Lab("veth-bench") as lab:
        sender = set_up(lab)
        say("Mpps: least, median, swap's, share of it, target; ns that Weir adds to a frame's way, way with the swap; lost")
        for name, (version, port, flows, longer) in CASES.items():
            if len(sys.argv) > 1 and not any(word in name for word in sys.argv[1:]):
                continue
            rows += rows_of(name, *bursts(sender, flows, VIPS[version], port, longer))
            show(*rows[-2:])
    os.makedirs(os.path.join(BUILD, "bench"), exist_ok=True)
    with open(os.path.join(BUILD, "bench", "veth.json"), "w") as f:
        json.dump(rows, f, indent=2)


if __name__ == "__main__":
    main()
