# SPDX-License-Identifier: BSD-2-Clause
"""docs/installation.md as it is written, on hosts of its own: `./run package` first.

Its blocks are read from the page, in their order, and given on the hosts that they name; what is replaced is what the page says
(installation_page.py), and `clock = "trusted"` where this machine has no time server. Three nodes, three backends, a router of each site and the machine of the person who installs: each a fresh Debian
that systemd has booted (tests/vm/contained.py). The person answers yes to apt, and has the packages at hand. From its machine clients ask
the name servers and the VIPs while nodes and a site are drained and taken back.

    own ── ams-router ──────────────── fra-router
            │ eth0 of nodes: 10.1.0.0/24    │ as at ams, with 10.2.
            │ eth1 of nodes: 10.1.2.0/24    │
            │ backends:      10.1.1.0/24    │

Writes build/lab/installation.json: `commands`, how many of them `failed`, `drained_nodes` (drained and back by packets), `served` and
`failed_requests` of the clients.
"""
from __future__ import annotations

import concurrent.futures
import contextlib
import ctypes
import glob
import json
import os
import re
import select
import shutil
import socket
import subprocess
import sys
import time
import typing

import installation_page as page
from net import BUILD, ROOT, Host, Lab, LabError, call, entered, say
from report import Report

sys.path.append(os.path.join(ROOT, "tests", "vm"))
from booted import tree  # noqa: E402
from contained import Contained  # noqa: E402
from packages import Missing  # noqa: E402

WRITTEN = page.read_page()
NODES = {"ams-1": "10.1", "ams-2": "10.1", "fra-1": "10.2"}
BACKENDS = {"ams-b1": "10.1.1.11", "ams-b2": "10.1.1.12", "fra-b1": "10.2.1.11"}
SITES = {"ams": "10.1", "fra": "10.2"}
VIPS = {"ams": "203.0.113.10", "fra": "198.51.100.10"}
SERVERS = ("192.0.2.53", "192.0.2.54", "198.51.100.53")
N_SOURCES = 12  # of clients, a /24 each
TUNNEL_MTU = 1600
BOOT_S, COMMAND_S = 300, 600
UNMEASURED, MEASURED_S = re.compile("are not (?:known|measured)"), 60
TIME_ERROR = 5  # adjtimex(2)
HAS = ("openssh-server", "openssh-client", "openssl", "curl", "bind9-dnsutils", "adduser")
LATER = ("bird2", "chrony", "etcd-server")
# The interfaces were there before udev, which a unit may wait for.
PREPARED = """mkdir -p /root/.ssh; udevadm trigger --subsystem-match=net --action=add
echo 'APT::Get::Assume-Yes "true"; APT::Install-Recommends "false";' >/etc/apt/apt.conf.d/yes
"""


def find_deb(name: str) -> str:
    found = glob.glob(f"{BUILD}/package/{name}_*.deb")
    if len(found) != 1:
        raise Missing(f"{len(found)} packages {name} in {BUILD}/package; make them: ./run package")
    return found[0]


def clock_is_synchronised() -> bool:
    """Whether a time server disciplines this machine's clock, which all hosts have: here they cannot have one of their own."""
    return ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(1024)) != TIME_ERROR


class Shell:
    """One shell of a person on a host: what a command sets there stays for the next one."""

    def __init__(self, host: Contained, folder: str) -> None:
        self.popen = subprocess.Popen([*host.enter(), "/bin/bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.give(f"mkdir -p {folder}; cd {folder}", 30)

    def give(self, command: str, timeout_s: float) -> tuple[int, str]:
        """Returns its exit status and what it printed."""
        end, seen = f"-- {time.monotonic_ns()} ", b""
        self.popen.stdin.write(f"{{\n{command}\n}} </dev/null; printf '\\n{end}%d\\n' $?\n".encode())
        self.popen.stdin.flush()
        until = time.monotonic() + timeout_s
        while not (found := re.search(rf"^{end}(\d+)$".encode(), seen, re.M)):
            if not select.select([self.popen.stdout], [], [], max(0, until - time.monotonic()))[0]:
                raise LabError(f"no end within {timeout_s} s: {command}: {seen.decode(errors='replace')[-2000:]}")
            got = os.read(self.popen.stdout.fileno(), 65536)
            if not got:
                raise LabError(f"the shell has ended: {command}: {seen.decode(errors='replace')[-2000:]}")
            seen += got
        return int(found[1]), seen[:found.start()].decode(errors="replace")

    def close(self) -> None:
        self.popen.stdin.close()
        self.popen.wait(10)


class Machine:
    """A host with systemd, and what the page replaces there."""

    def __init__(self, world: World, name: str, host: Host, site: str) -> None:
        self.name, self.host, self.site = name, host, site
        own = page.columns(WRITTEN, "node").get(name, {})
        self.values = {k: v for k, v in {**page.columns(WRITTEN, "site").get(site, {}), **own}.items() if k != v}
        self.shell: Shell | None = None
        self.contained = world.stack.enter_context(Contained(f"installation-{name}", world.tree, f"/run/netns/{host.ns}"))

    def boot(self) -> None:
        self.contained.boot(BOOT_S)
        self.contained.do(PREPARED, 60)
        self.shell = Shell(self.contained, "/root/weir" if self.name == "own" else "/root")

    def end(self) -> None:
        if self.shell:
            self.shell.popen.kill()

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        with open(self.contained.path(path), "w") as f:
            f.write(text)
        os.chmod(self.contained.path(path), mode)

    def bring(self, path: str) -> None:
        shutil.copy(path, self.contained.path("/root"))

    def kept(self, name: str, command: str) -> None:
        """A unit of the host's own."""
        done = self.contained.do(f"systemd-run --unit={name} --collect {command}", 60)
        if done.returncode:
            raise LabError(f"{self.name}: {command}: {done.stdout}")


class World:
    def __init__(self, lab: Lab, stack: contextlib.ExitStack, folder: str) -> None:
        self.lab, self.stack, self.tree = lab, stack, folder
        self.routers = {site: self.make_router(site) for site in SITES}
        self.join_routers()
        hosts = {name: self.make_node(name) for name in NODES} | {name: self.make_backend(name) for name in BACKENDS}
        self.machines = {name: Machine(self, name, host, name.partition("-")[0]) for name, host in hosts.items()}
        self.machines |= {f"router of {site}": Machine(self, f"{site}-router", host, site) for site, host in self.routers.items()}
        self.machines["own"] = Machine(self, "own", self.make_own(), "ams")

    def make_router(self, site: str) -> Host:
        host, net = self.lab.host(f"{site}-router"), SITES[site]
        host.forward()
        host.sysctl({"net.ipv4.fib_multipath_hash_policy": 1})
        for name, number, mtu in (("office", 0, 1500), ("edge", 2, TUNNEL_MTU), ("servers", 1, TUNNEL_MTU)):
            self.lab.bridge(host, name, mtu)
            host.address(name, f"{net}.{number}.254/24")
        return host

    def join_routers(self) -> None:
        ams, fra = self.routers["ams"], self.routers["fra"]
        self.lab.link(ams, "far", fra, "far", TUNNEL_MTU)
        for host, own, other, nets in ((ams, "10.9.0.1", "10.9.0.2", ("10.2.0.0/16", "198.51.100.0/24")),
                                       (fra, "10.9.0.2", "10.9.0.1", ("10.1.0.0/16", "203.0.113.0/24", "192.0.2.0/24", "100.64.0.0/16"))):
            host.offload("far", "tx off")
            host.address("far", f"{own}/30")
            for net in nets:
                host.route(net, other)

    def plug(self, router: Host, bridge: str, host: Host, interface: str, mtu: int) -> None:
        """A wire whose far end takes what an XDP program sends, and brings whole frames."""
        port = f"p-{host.name}-{interface[-1]}"
        self.lab.port(router, bridge, port, host, interface, mtu)
        router.offload(port, "gro on")
        host.offload(interface, "gro on tx off")

    def make_node(self, name: str) -> Host:
        host, net, number = self.lab.host(name), NODES[name], name[-1]
        router = self.routers[name.partition("-")[0]]
        self.plug(router, "office", host, "eth0", 1500)
        self.plug(router, "edge", host, "eth1", TUNNEL_MTU)
        host.address("eth0", f"{net}.0.{number}/24")
        host.address("eth1", f"{net}.2.{number}/24")
        for office in SITES.values():
            if office != net:
                host.route(f"{office}.0.0/24", f"{net}.0.254")
        host.route("default", f"{net}.2.254")
        return host

    def make_backend(self, name: str) -> Host:
        host, address = self.lab.host(name), BACKENDS[name]
        self.plug(self.routers[name.partition("-")[0]], "servers", host, "eth0", TUNNEL_MTU)
        host.address("eth0", f"{address}/24")
        host.route("default", f"{address.rpartition('.')[0]}.254")
        return host

    def make_own(self) -> Host:
        host, router = self.lab.host("own"), self.routers["ams"]
        self.lab.link(router, "own", host, "eth0")
        router.offload("own", "tx off")
        router.address("own", "100.64.255.254/16")
        host.address("eth0", *(f"100.64.{i}.7/16" for i in range(N_SOURCES)))
        host.route("default", "100.64.255.254")
        return host

    def all_at_once(self, act: typing.Callable[[Machine], object], machines: typing.Iterable[Machine]) -> list[typing.Any]:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            try:
                return list(pool.map(act, machines))
            except BaseException:
                for machine in self.machines.values():  # a command that waits for minutes ends, too
                    machine.end()
                raise

    def boot(self) -> None:
        machines = list(self.machines.values())
        self.all_at_once(Machine.boot, machines)
        for machine in machines:
            self.stack.callback(machine.shell.close)
        key = os.path.join(self.lab.dir, "key")
        call(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key])
        for machine in machines:
            for path, name, mode in ((key, "id_ed25519", 0o600), (f"{key}.pub", "authorized_keys", 0o600)):
                with open(path) as f:
                    machine.write(f"/root/.ssh/{name}", f.read(), mode)
            machine.write("/root/.ssh/config", "StrictHostKeyChecking accept-new\n", 0o600)
        traffic = f"/usr/bin/python3 /host{ROOT}/tests/lab/installation_traffic.py"
        for name in NODES:
            self.machines[name].contained.do("useradd -m jw", 60)
            self.machines[name].bring(find_deb("weir"))
        for name in BACKENDS:
            self.machines[name].bring(find_deb("weir-agent"))
            self.machines[name].kept("web", f"{traffic} server {name}")
        self.client = [*self.machines["own"].contained.enter(), *traffic.split(), "client", "www.shop.example", ",".join(SERVERS), VIPS["ams"],
                       *(f"100.64.{i}.7" for i in range(N_SOURCES))]

    def packets_to(self, node: str, seconds: float) -> int:
        """How many packets for VIPs go by the wire to a node in a time."""
        router = self.routers[node.partition("-")[0]]
        vips, n, until = {socket.inet_aton(v) for v in VIPS.values()}, 0, time.monotonic() + seconds
        with entered(router.ns), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as wire:
            wire.bind((f"p-{node}-1", 0))
            while (left := until - time.monotonic()) > 0:
                if select.select([wire], [], [], left)[0]:
                    frame, sender = wire.recvfrom(64)
                    n += sender[2] == socket.PACKET_OUTGOING and frame[12:14] == b"\x08\x00" and frame[30:34] in vips
        return n


class Reader:
    """Gives the page's commands, and counts."""

    def __init__(self, world: World, report: Report) -> None:
        self.world, self.report = world, report
        self.commands, self.failed, self.printed = 0, 0, ""
        self.left: dict[str, bool] = {}  # nodes that no packet reached while they were drained
        self.back: dict[str, bool] = {}

    def places(self, where: str) -> list[Machine]:
        machines = self.world.machines
        named = {"each node": list(NODES), "each backend": list(BACKENDS), "one node": ["ams-1"], "own machine": ["own"]}
        names = named.get(where) or ([where] if where in machines else where.split())
        return [machines[name] for name in names]

    def give(self, machine: Machine, command: str) -> None:
        text = page.replaced(command, machine.values).replace("TOKEN", self.printed)
        began = time.monotonic()
        status, printed = machine.shell.give(text, COMMAND_S)
        while status == 2 and UNMEASURED.search(printed) and time.monotonic() < began + MEASURED_S:
            say(f"again, not measured in time: {printed.splitlines()[0]}")
            time.sleep(2)  # time in which nodes measure: on a busy machine they miss some of their times
            status, printed = machine.shell.give(text, COMMAND_S)
        self.commands += 1
        self.failed += status != 0
        line = text.strip().splitlines()[0]
        self.report.check(status == 0, f"{machine.name}: {line[:110]}", f"{time.monotonic() - began:.1f} s" if status == 0 else
                          f"exit {status}\n{printed[-3000:]}")
        with open(os.path.join(self.world.lab.dir, f"{machine.name}.log"), "a") as f:
            f.write(f"# {text}{printed}")
        if found := re.search(r"^\s*([0-9A-Za-z_-]{32,})\s*$", printed, re.M):
            self.printed = found[1]

    def give_all(self, machine: Machine, given: list[str]) -> None:
        for command in given:
            self.give(machine, command)

    def follow(self, block: page.Block) -> None:
        """A block on all of its hosts; each host has its own shell."""
        if block.kind != "sh":
            text = block.text if clock_is_synchronised() else block.text.replace("controls =", 'clock = "trusted"; controls =')
            self.world.machines["own"].write(f"/root/weir/{block.where}", text)
            return
        places = self.places(block.where)
        if "drain" in block.text:
            for machine in places:
                self.drain(machine, page.commands(block.text))
            return
        given = page.commands(block.text)
        self.world.all_at_once(lambda machine: self.give_all(machine, given), places)

    def drain(self, machine: Machine, commands: list[str]) -> None:
        """Commands that take a node out of service, and back: by the packets on its wire."""
        name = machine.name
        for command in commands:
            self.give(machine, command)
            if command.startswith("weir drain node"):
                self.left[name] = bool(self.report.wait(lambda: not self.world.packets_to(name, 2), 20, f"{name}: no packet comes to the drained node"))
        self.back[name] = bool(self.report.wait(lambda: self.world.packets_to(name, 1), 30, f"{name}: and packets come when it is back"))


def play(report: Report, lab: Lab, stack: contextlib.ExitStack) -> None:
    weir, agent = find_deb("weir"), find_deb("weir-agent")
    folder = f"{BUILD}/package-test/fresh"
    needs = [call(["dpkg-deb", "-f", deb, "Depends"]).strip() for deb in (weir, agent)]
    tree(folder, (*needs, *HAS), LATER)
    world = World(lab, stack, folder)
    say("hosts boot")
    world.boot()
    reader = Reader(world, report)
    blocks = page.blocks(WRITTEN)
    first_drain = next(i for i, b in enumerate(blocks) if "weir drain node" in b.text)
    for block in blocks[:first_drain]:
        report.step(reader.follow, block)
    say("clients ask, and nodes are drained")
    client = subprocess.Popen(world.client, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    time.sleep(3)  # requests of before
    for block in blocks[first_drain:]:
        report.step(reader.follow, block)
    time.sleep(3)  # requests of after
    seen = json.loads(client.communicate("end\n", 60)[0])
    report.check(sum(seen["served"].values()) > 200 and len(seen["served"]) == len(BACKENDS), "all backends served requests", seen["served"])
    report.equal(seen["failed"], [], "no request of clients failed, and the kept connection went on")
    drained = sorted(n for n in NODES if reader.left.get(n) and reader.back.get(n))
    report.equal(drained, sorted(NODES), "each node was drained and is back")
    figures = {"commands": reader.commands, "failed": reader.failed, "drained_nodes": drained, "served": seen["served"],
               "failed_requests": seen["n_failed"]}
    with open(os.path.join(BUILD, "lab", "installation.json"), "w") as f:
        json.dump(figures, f, indent=1)
    say(json.dumps(figures))


def run(report: Report) -> None:
    with Lab("installation") as lab, contextlib.ExitStack() as stack:
        try:
            play(report, lab, stack)
        except Missing as reason:
            print(f"  skipped: {reason}\n0 passed, 0 failed, 1 skipped")
            sys.exit(77)


if __name__ == "__main__":
    sys.exit(Report.main(run))
