# SPDX-License-Identifier: BSD-2-Clause
"""A node of the lab of announcements with weir-announce and weir-mgmt: what `weir status` says is what the routers have.

The proof page is played (proof-tool), so that nothing has to be forwarded.
"""
from __future__ import annotations

import ipaddress
import json
import os
import signal
import subprocess
import time
import typing

from fib_watch import FibWatch
from net import Host, Lab, entered, executable, wait_until
from report import Report
from speakers import Bird, Speaker

CONFIG = """schema = 1;
cluster = { name = "lab"; hash_key_file = "hash.key"; hash_key_id = "k"; };
sites = ( { name = "ams"; } );
nodes = ( { name = "n"; site = "ams"; ports = ( { interface = "lo"; } ); tunnel_source = [ "10.255.0.0/24", "fd00:255::/64" ];
            announce = { daemon = "%s"; socket = "%s"; }; } );
pools = ( { name = "p"; site = "ams"; backends = ( { name = "b"; address = "10.0.0.1"; } ); } );
vips = ( { name = "v"; site = "ams"; addresses = [ %s ]; } );
services = ( { name = "web"; protocol = "tcp"; port = 80; at = ( { site = "ams"; vip = "v"; pool = "p"; } ); } );
"""
Json = dict[str, typing.Any]


class WeirNode:
    def __init__(self, lab: Lab, host: Host, speaker: Speaker, addresses: list[str]) -> None:
        self.host, self.addresses = host, addresses
        self.dir = os.path.join(lab.dir, f"{host.name}.weir")
        for name in ("conf", "state", "run", "bpf"):
            os.makedirs(os.path.join(self.dir, name))
        with open(os.path.join(self.dir, "conf", "hash.key"), "w") as f:
            f.write("000102030405060708090a0b0c0d0e0f\n")
        with open(os.path.join(self.dir, "conf", "weir.conf"), "w") as f:
            f.write(CONFIG % (speaker.kind, speaker.socket, ", ".join(f'"{a}"' for a in addresses)))
        self.options = [word for name in ("conf", "state", "run", "bpf") for word in (f"--{name}-dir", os.path.join(self.dir, name))]
        self.options += ["--node", "n"]
        self.processes: list[subprocess.Popen[str]] = []
        self.begin("weir-mgmt", *self.options)
        document = wait_until(lambda: self.status().get("document"), 30, "a document")
        self.begin("weir-announce", *self.options)
        self.proof = self.begin("proof-tool", os.path.join(self.dir, "run"), str(document), "xdp", "v", *addresses)

    def begin(self, name: str, *words: str) -> subprocess.Popen[str]:
        with entered(self.host.ns), open(os.path.join(self.dir, f"{name}.log"), "wb") as log:
            process = subprocess.Popen([executable(name), *words], stdin=subprocess.PIPE, stdout=log, stderr=log, text=True,
                                       env={**os.environ, "WEIR_USERS": "none"})
        self.processes.append(process)
        return process

    def prove(self, what: str) -> None:
        assert self.proof.stdin
        self.proof.stdin.write(what + "\n")
        self.proof.stdin.flush()

    def weir(self, *words: str) -> str:
        return self.host.run([executable("weir"), *words, *self.options], check=False)

    def status(self) -> Json:
        try:
            said: Json = json.loads(self.weir("status", "--json"))
        except ValueError:
            return {}
        return said

    def items(self) -> list[Json]:
        said: list[Json] = self.status().get("announcements", {}).get("items", [])
        return said

    def reasons(self) -> set[str]:
        return {r["code"] for r in self.status().get("reasons", [])}

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


def neighbours_of(speaker: Speaker, address: str) -> list[str]:
    """The sessions by which both routers get an address, as the daemon names them."""
    six = ":" in address
    if speaker.kind == "bird":
        return [f"router{i}_{6 if six else 4}" for i in (1, 2)]
    return [f"2001:db8::{i}" if six else f"192.0.2.{i}" for i in (1, 2)]


def routers_have(watches: dict[str, FibWatch], hop: set[bytes], addresses: list[str], there: bool) -> bool:
    wanted = {ipaddress.ip_address(a).packed for a in addresses}
    return all(w.all_are(hop, wanted, there) for w in watches.values())


def show_status(lab: Lab, report: Report, host: Host, speaker: Speaker, watches: dict[str, FibWatch], hop: set[bytes],
                addresses: list[str]) -> None:
    """Announced, withdrawn, announced again, and then the daemon is gone."""
    kind, weir = speaker.kind, WeirNode(lab, host, speaker, addresses)
    try:
        report.wait(lambda: routers_have(watches, hop, addresses, True), 30, f"{kind}: weir-announce announces to both routers")
        report.wait(lambda: [sorted(i["exported_to"] or []) for i in weir.items()] == [neighbours_of(speaker, a) for a in addresses], 10,
                    f"{kind}: status names the sessions by which both routers get each address")
        report.equal([(i["intended"], i["proved"], i["exported"]) for i in weir.items()], [("normal", "yes", "yes")] * len(addresses),
                     f"{kind}: status says intended, proved and exported")
        said = weir.weir("why", "vip", "v")
        report.check(all(f"{a} is announced (kernel table 177)" in said for a in addresses) and "needs      nothing" in said,
                     f"{kind}: weir why vip says so in words")
        weir.prove("port-down")
        report.wait(lambda: routers_have(watches, hop, addresses, False), 10, f"{kind}: without a port both routers lose the node")
        report.wait(lambda: [(i["intended"], i["exported"], i["reason"]) for i in weir.items()] == [("none", "no", "port-down")] * len(addresses),
                    10, f"{kind}: status says withdrawn, exported to no neighbour, and why")
        report.wait(lambda: "not-announced" in weir.reasons(), 2, f"{kind}: that is a reason of the node's state")
        weir.prove("forwarded")
        report.wait(lambda: routers_have(watches, hop, addresses, True), 10, f"{kind}: both routers get it back")
        report.wait(lambda: all(i["exported"] == "yes" for i in weir.items()), 10, f"{kind}: and status says so")
        if isinstance(speaker, Bird):
            end_sessions(report, speaker, weir)
        stop_daemon(report, speaker, weir)
    finally:
        weir.close()
        for table in ("177", "178"):
            for family in ("-4", "-6"):
                host.run(["ip", family, "route", "flush", "table", table], check=False)


def end_sessions(report: Report, speaker: Bird, weir: WeirNode) -> None:
    """No neighbour gets what is announced: after 5 s that is a condition and an event, and both end with it."""
    began = time.monotonic()
    for name in ("router1_4", "router1_6", "router2_4", "router2_6"):
        speaker.ask(f"disable {name}")
    report.wait(lambda: [(i["intended"], i["exported"]) for i in weir.items()] == [("normal", "no")] * len(weir.addresses), 5,
                "bird: without sessions status says exported to no neighbour")
    is_early = "announcement-differs" in weir.reasons() and time.monotonic() - began < 4.5  # a busy machine may have taken that long
    report.check(not is_early, "bird: that is no condition at once")
    report.wait(lambda: "announcement-differs" in weir.reasons(), 8, "bird: but after 5 s")
    report.wait(lambda: "announcement-differs began" in weir.weir("events"), 2, "bird: with an event")
    for name in ("router1_4", "router1_6", "router2_4", "router2_6"):
        speaker.ask(f"enable {name}")
    report.wait(lambda: all(i["exported"] == "yes" for i in weir.items()) and "announcement-differs" not in weir.reasons(), 30,
                "bird: it ends when the sessions are back")


def stop_daemon(report: Report, speaker: Speaker, weir: WeirNode) -> None:
    """A daemon that is stopped says nothing: unknown within 5 s, and known again when it goes on."""
    process = speaker.process if isinstance(speaker, Bird) else speaker.processes["bgpd"]
    process.signal(signal.SIGSTOP)
    report.wait(lambda: [i["exported"] for i in weir.items()] == ["unknown"] * len(weir.addresses), 5,
                f"{speaker.kind}: what a stopped daemon exports is unknown within 5 s")
    report.wait(lambda: "routing-daemon" in weir.reasons(), 2, f"{speaker.kind}: and that is a reason of the node's state")
    report.check(all(i["intended"] == "normal" for i in weir.items()), f"{speaker.kind}: what is intended stays")
    process.signal(signal.SIGCONT)
    report.wait(lambda: all(i["exported"] == "yes" for i in weir.items()), 40, f"{speaker.kind}: known again when it goes on")
