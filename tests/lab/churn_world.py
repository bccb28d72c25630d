# SPDX-License-Identifier: BSD-2-Clause
"""Three load balancers of one site behind a router that spreads by ECMP, in front of eight backends.

`Balancers` are hosts with Weir's processes; `Slots` follows a node's hot words in its memory-mapped table.
"""
from __future__ import annotations

import ctypes
import functools
import ipaddress
import mmap
import os
import shutil
import threading
import time
import typing

import layout
import plan as planning
import world
from net import BUILD, LabError, executable, say, wait_until
from watch import now_ms
from world import Node, World

if typing.TYPE_CHECKING:
    from net import Lab

BACKENDS, NODES = 8, 3
SETTLE = "20m"  # longer than any lab: a full list waits, nothing is forgotten by time
MTU = 1700
CHECK = ('type = "tcp"; port = 80; via = "tunnel"; interval = "500ms"; fast_interval = "300ms"; timeout = "900ms"; '
         'rise = 1; fall = 6;')
PROCESSES = ("mgmt", "dataplane", "health")
N_SLOTS, N_BACKENDS = 4096, 256


def make_plan(agents: bool, six: bool, settle_time: str = SETTLE, **more: typing.Any) -> planning.Plan:
    """The second balancer forwards by DPDK. With agents all backends have addresses of one family: @six, IPv6."""
    plan = planning.simple(1, 0, agent=agents, check=CHECK, settle_time=settle_time, idle_time="5m", node_mtu=MTU, **more)
    site = plan.sites[0]
    site.driver = "xdp"
    site.backends = [planning.backend_plan(site, k, six=six if agents else None) for k in range(1, BACKENDS + 1)]
    plan.more_nodes = [planning.another_node(site, k) for k in range(1, NODES)]
    plan.more_nodes[0].driver = "dpdk"
    return plan


class Balancer:
    """A node of the site, its way from the router, and whether the router uses it."""

    def __init__(self, node: world.Node) -> None:
        self.node, self.name, self.used = node, node.name, True
        self.next_hops = (node.plan.node4, node.plan.node6)

    def start(self) -> None:
        self.node.start(*PROCESSES)

    def is_on(self) -> bool:
        """Whether its dataplane has its port."""
        try:
            return bool(self.node.ctl("dataplane", {"do": "status"})["ports"])
        except (OSError, ValueError, KeyError):
            return False

    def has_learned(self) -> bool:
        """Whether it has the documents of its fellows, and what they know of slots."""
        try:
            return not self.node.ctl("dataplane", {"do": "status"})["learning"]
        except (OSError, ValueError, KeyError):
            return False

    def stats(self) -> dict[tuple[str, str], int]:
        """The dataplane's counters; none before its first page."""
        try:
            return self.node.stats("dataplane")
        except OSError:
            return {}

    def crash(self) -> None:
        """The machine dies: nothing reaches it any more, its tables and what is below its run directory are gone."""
        self.node.world.router.link_down(f"p-{self.name}")
        self.node.kill()
        shutil.rmtree(os.path.join(self.node.bpf, self.node.world.plan.cluster, self.name), ignore_errors=True)
        shutil.rmtree(self.node.run_dir)
        os.makedirs(self.node.run_dir)

    def come_back(self) -> None:
        """It boots: there is its state directory, and nothing else."""
        self.node.world.router.link_up(f"p-{self.name}")
        self.start()

    def restart_dataplane(self, stop_s: float) -> None:
        self.node.kill("dataplane")
        time.sleep(stop_s)  # the process is dead for this long
        self.node.start("dataplane")

    def upgrade(self) -> None:
        """Each process ends in good order and starts again, the dataplane on the tables as they are."""
        for name in PROCESSES:
            self.node.processes.pop(name).stop(20)
            self.node.start(name)
        wait_until(lambda: os.path.exists(os.path.join(self.node.run_dir, "api.sock")), 30, f"{self.name} is managed")


class ChurnWorld(World):
    """The world of the lab; nothing runs yet."""

    def __init__(self, lab: Lab, plan: planning.Plan) -> None:
        world.SITE_MTU = MTU
        super().__init__(lab, plan, resolvers=())
        self.only_site = self.sites[0]
        for further in plan.more_nodes:
            self.only_site.node_of(further)
        self.balancers = [Balancer(n) for n in self.only_site.all_nodes]
        self.spread_by_flow()
        self.servers: dict[typing.Any, typing.Any] = {}

    def spread_by_flow(self) -> None:
        """By addresses and ports, as a router does; what comes from the clients brings no hash along (wire.bpf.c)."""
        self.router.sysctl({"net.ipv4.fib_multipath_hash_policy": 1, "net.ipv6.fib_multipath_hash_policy": 1})
        self.router.run(["tc", "qdisc", "add", "dev", "p-client", "clsact"])
        self.router.add_filter("p-client", "ingress", os.path.join(BUILD, "tests", "lab", "wire.bpf.o"), "wire")

    def start(self) -> None:
        sources = [p for b in self.balancers for p in (b.node.plan.tunnel4, b.node.plan.tunnel6)]
        self.only_site.withdraw_vips()
        for backend in self.only_site.backends:
            self.serve(backend.name)
            backend.attach_agent(sources, owners=["10.1.1.0/24", "fd00:1:1::/64"])
        for b in self.balancers:
            b.node.write_config()
            b.start()
        say("started")
        for b in self.balancers:
            wait_until(b.is_on, 60, f"{b.name} has its port", 0.2)
            wait_until(b.has_learned, 60, f"{b.name} has learned", 0.2)
        say("ports taken")
        self.spread()
        wait_until(lambda: all(self.sees_all(b) for b in self.balancers), 60, "all backends in force", 0.3)

    def sees_all(self, b: Balancer) -> bool:
        values = [v for (name, _), v in b.stats().items() if name == "weir_dataplane_backend_in_force"]
        return len(values) >= BACKENDS and all(values) and self.owned(b)

    def owned(self, b: Balancer) -> bool:
        return any(v for (name, _), v in b.stats().items() if name == "weir_dataplane_backend_slots")

    def serve(self, name: str) -> None:
        host = next(b.host for b in self.only_site.backends if b.name == name)
        datagrams = [w for vip in self.only_site.plan.vips for port in self.plan.udp for w in (vip, str(port))]
        self.servers[name] = host.start("echo", [executable("lab-echo"), name, "80", *datagrams])

    def spread(self) -> None:
        """Tell the router which balancers to use."""
        p, used = self.only_site.plan, [b for b in self.balancers if b.used]
        four = " ".join(f"nexthop via {b.next_hops[0]}" for b in used)
        six = " ".join(f"nexthop via {b.next_hops[1]}" for b in used)
        self.router.ip(f"route replace {p.vip4}/32 {four}", f"-6 route replace {p.vip6}/128 {six}")

    def paths(self, flows: list[typing.Any], protocol: int) -> dict[typing.Any, typing.Any]:
        """The balancer that the router has for each (source, port, target, to_port) now."""
        found: dict[typing.Any, typing.Any] = {}
        for six in (False, True):
            chosen = [f for f in flows if (":" in f[0]) == six]
            lines = [f"route get {t} from {s} iif p-client ipproto {protocol} sport {p} dport {d}" for s, p, t, d in chosen]
            if not lines:
                continue
            text = self.router.run(["ip", *(["-6"] if six else []), "-o", "-batch", "-"], input="\n".join(lines) + "\n")
            vias = [line.split(" via ")[1].split()[0] for line in text.splitlines() if " via " in line]
            if len(vias) != len(chosen):
                raise LabError(f"{len(vias)} of {len(chosen)} paths told")
            found.update(zip(chosen, vias))
        return found


def open_table(path: str) -> typing.Any:
    """A pinned map's descriptor, or -1."""
    name = ctypes.create_string_buffer(path.encode())
    attr = bytes(layout.read("union bpf_attr")(pathname=ctypes.addressof(name)))
    return ctypes.CDLL(None, use_errno=True).syscall(layout.constant("SYS_bpf"), layout.constant("BPF_OBJ_GET"), attr, len(attr))


class Seen(typing.NamedTuple):
    """A node's tables at a look that found them changed."""
    since_ms: int  # of the look before it
    now_ms: int
    slots: bytes
    earlier: bytes  # of all slots: the first byte of each, then the second one
    backends: bytes


class Slots(threading.Thread):
    """Reads the slots of nodes again and again. What it saw it tells when it was stopped: a look takes no longer than it
    must, as a slot may have an owner for a second only.
    changes is, by node, [(time_ms, slot, owners, newest first)], where owners are names."""

    def __init__(self, nodes: list[typing.Any], every_s: float = 0.1) -> None:
        super().__init__(daemon=True)
        self.nodes, self.every_s = nodes, every_s
        self.slot = ctypes.c_uint16 * N_SLOTS  # struct fwd_slots, one after the other
        self.cold_bytes = layout.size_of("struct owner_cold")
        self.earlier_at = layout.read("struct owner_cold").list.offset + layout.read("struct owner_list").earlier.offset
        self.backend = layout.read("struct fwd_backend") * N_BACKENDS
        self.tables = {"slots": ctypes.sizeof(self.slot), "colds": N_SLOTS * self.cold_bytes,
                       "backends": ctypes.sizeof(self.backend)}
        self.names = {ipaddress.ip_address(b.address).packed[-1]: b.name for b in nodes[0].world.plan.sites[0].backends}
        self.changes: dict[typing.Any, typing.Any] = {n.name: [] for n in nodes}
        self.looked = dict.fromkeys(self.changes, 0)  # ms
        self.unseen_since: dict[tuple[str, int], int] = {}  # of a change, by the time that it was seen: a busy machine looks late
        self.seen: dict[str, list[Seen]] = {n.name: [] for n in nodes}
        self.ending = threading.Event()
        self.start()

    def read(self, node: world.Node) -> dict[typing.Any, typing.Any]:
        """{table: bytes}, or None."""
        return self.read_file(node) if node.plan.driver == "dpdk" else self.read_pins(node)

    def read_file(self, node: world.Node) -> dict[typing.Any, typing.Any] | None:
        """Of DPDK: a file with the tables (dataplane/dpdk/tablefile.c)."""
        path = os.path.join(node.run_dir, "tables", "tables")
        try:
            places = layout.tables_of(path)
            with open(path, "rb") as f:
                return {name: os.pread(f.fileno(), min(places[name][1], size), places[name][0]).ljust(size, b"\0")
                        for name, size in self.tables.items()}
        except (OSError, LabError):
            return None

    def read_pins(self, node: world.Node) -> dict[str, bytes] | None:
        """Of XDP: pinned maps."""
        folder = next((f for f, _, files in os.walk(node.bpf) if "slots" in files and node.name in f), None)
        found = {}
        for name, size in self.tables.items():
            fd = open_table(os.path.join(folder, name)) if folder else -1
            if fd < 0:
                return None
            try:
                with mmap.mmap(fd, size, mmap.MAP_SHARED, mmap.PROT_READ) as m:
                    found[name] = m[:]
            finally:
                os.close(fd)
        return found

    def earlier(self, colds: bytes) -> bytes:
        """What owners() needs of them. The rest changes with packets."""
        return b"".join(colds[self.earlier_at + i::self.cold_bytes] for i in range(8))

    def look(self, node: world.Node) -> None:
        since, self.looked[node.name] = self.looked[node.name], now_ms()
        tables, seen = self.read(node), self.seen[node.name]
        if not tables or not any(tables["slots"]):
            return
        earlier = self.earlier(tables["colds"]) if node.world.plan.agent else b""
        found = Seen(since, now_ms(), tables["slots"], earlier, tables["backends"])
        if not seen or seen[-1][2:] != found[2:]:
            seen.append(found)

    def run(self) -> None:
        while not self.ending.wait(self.every_s):
            for node in self.nodes:
                self.look(node)

    def owners(self, seen: Seen) -> list[tuple[typing.Any, ...]]:
        """By slot: its owner, and with agents whom a packet names beside it, newest first."""
        index, unsettled = layout.constant("FWD_SLOT_BACKEND"), layout.constant("FWD_SLOT_UNSETTLED")
        names = [self.names.get(b.address[-1]) for b in self.backend.from_buffer_copy(seen.backends)]
        out = []
        for i, hot in enumerate(self.slot.from_buffer_copy(seen.slots)):
            owners = [hot & index]
            if seen.earlier and hot & unsettled:
                owners += [int.from_bytes(seen.earlier[at:at + N_SLOTS + 1:N_SLOTS], "little") & index
                           for at in range(i, len(seen.earlier), 2 * N_SLOTS)]
            out.append(tuple(names[o] for o in owners if o))
        return out

    def tell(self, name: str) -> None:
        """Note a node's changes."""
        before: list[typing.Any] = [None] * N_SLOTS
        for seen in self.seen[name]:
            owners = self.owners(seen)
            self.unseen_since[name, seen.now_ms] = seen.since_ms
            self.changes[name] += [(seen.now_ms, s, w) for s, (v, w) in enumerate(zip(before, owners)) if v != w]
            before = owners

    @functools.cache
    def by_slot(self) -> dict[typing.Any, dict[typing.Any, typing.Any]]:
        """{node: {slot: [(time_ms, owners)]}}, when it is over."""
        found: dict[typing.Any, typing.Any] = {name: {} for name in self.changes}
        for name, changes in self.changes.items():
            for t, slot, owners in changes:
                found[name].setdefault(slot, []).append((t, owners))
        return found

    def moves(self, node: world.Node) -> dict[typing.Any, typing.Any]:
        """{slot: times at which its owner changed}, on a node."""
        moved: dict[typing.Any, typing.Any] = {}
        last: dict[typing.Any, typing.Any] = {}
        for t, slot, owners in self.changes[node.name]:
            if slot in last and last[slot] != owners[:1]:
                moved.setdefault(slot, []).append(t)
            last[slot] = owners[:1]
        return moved

    def owned_by(self, slot: int, start_ms: float, end_ms: float) -> set[typing.Any]:
        """Who owned a slot on some node in a time."""
        found: set[typing.Any] = set()
        for name, changes in self.by_slot().items():
            mine = changes.get(slot, ())
            first = max((i for i, (t, _) in enumerate(mine) if t <= start_ms), default=0)
            found.update(o[0] for t, o in mine[first:] if self.unseen_since[name, t] <= end_ms and o)
        return found

    def of(self, slot: int, start_ms: float, end_ms: float) -> str:
        """What the nodes held for a slot in a time, as text."""
        lines = []
        for name, changes in self.changes.items():
            mine = [(t, o) for t, s, o in changes if s == slot and t <= end_ms]
            first = max((i for i, (t, _) in enumerate(mine) if t <= start_ms), default=0)
            lines += [f"    {name} {(t - start_ms) / 1000:+.1f} s: {' '.join(map(str, o))}" for t, o in mine[first:]]
        return "\n".join(lines)

    def stop(self) -> None:
        self.ending.set()
        self.join()
        for node in self.nodes:
            self.tell(node.name)
