# SPDX-License-Identifier: BSD-2-Clause
"""A plan made real: router, clients, resolvers, sites with their node and backends.

    router: p-* ports; a switch br-SITE for each site, its gateway
    site:   the node (eth1) and the backends (eth0) on the switch; replies go to the router directly
"""
from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import sys
import time
import typing

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "unit", "mgmt"))
import layout
import openapi_check
import plan as planning
from net import PATIENCE_S, Host, Lab, LabError, Process, call, executable, wait_until
from servers import Backend, Resolver, pass_program
from store import PORT as STORE_PORT
from store import Store, write_conf

if typing.TYPE_CHECKING:
    from net import Lab

SITE_MTU = 1600  # room for 1,500 bytes inside a tunnel
PROCESSES = ("mgmt", "dataplane", "health", "dns")
NEXT_HOP = "weir_dataplane_backend_next_hop"


class Node:
    """A host with Weir's four processes, started one by one, and the command line."""

    def __init__(self, world: World, site_plan: planning.SitePlan, host: Host) -> None:
        self.world, self.plan, self.host, self.name = world, site_plan, host, site_plan.node
        base = os.path.join(host.lab.dir, f"{host.name}.weir")
        self.conf, self.state, self.run_dir = (os.path.join(base, d) for d in ("conf", "state", "run"))
        self.bpf = os.path.join(host.lab.bpf_dir, "weir")
        for directory in (self.conf, self.state, self.run_dir, self.bpf):
            os.makedirs(directory, exist_ok=True)
        self.processes: dict[str, Process] = {}

    @property
    def options(self) -> list[str]:
        return ["--conf-dir", self.conf, "--state-dir", self.state, "--run-dir", self.run_dir,
                "--bpf-dir", self.bpf, "--node", self.name]

    def write_config(self, plan: planning.Plan | None = None, hash_key: str | None = None) -> None:
        """Write weir.conf, the zone and the keys of this node."""
        plan = plan or self.world.plan
        files = {"weir.conf": planning.config_text(plan), f"{plan.zone}.zone": planning.zone_text(plan),
                 "hash.key": hash_key or "000102030405060708090a0b0c0d0e0f\n", "peer.token": "p" * 43 + "\n"}
        for name, text in files.items():
            path = os.path.join(self.conf, name)
            with open(path + ".new", "w") as f:
                f.write(text)
            os.chmod(path + ".new", 0o600 if name in ("hash.key", "peer.token") else 0o644)
            os.rename(path + ".new", path)
        for name, source in (("tls.crt", "tls.crt"), ("tls.key", "tls.key"), ("tls.ca", "tls.crt")):
            if self.world.plan.api:
                shutil.copy(os.path.join(self.host.lab.dir, source), os.path.join(self.conf, name))
        if self.world.store:
            write_conf(self.conf)

    def write_effective(self) -> None:
        """Make the effective document of weir.conf, as weir-mgmt would, for labs without it."""
        self.host.run([executable("lab-effective"), os.path.join(self.conf, "weir.conf"), self.name,
                       os.path.join(self.state, "effective.conf")])

    def start(self, *which: str, env: dict[str, str] | None = None) -> None:
        """Start the named processes, or all four in order."""
        for name in which or PROCESSES:
            self.processes[name] = self.host.start(
                f"weir-{name}", [executable(f"weir-{name}"), *self.options], env)

    def succeed(self) -> Process:
        """Start the next weir-dataplane beside the one that runs, and end that one when the next says that it is ready, as
        `weir run` does. Returns the one that ends."""
        ready, its_end = os.pipe()
        new = self.host.start("weir-dataplane", [executable("weir-dataplane"), *self.options, "--successor", str(its_end)],
                              pass_fds=(its_end,))
        os.close(its_end)
        is_ready = os.read(ready, 1) == b"1"
        os.close(ready)
        if not is_ready:
            new.popen.wait(10)
            raise LabError(f"the successor gave up ({new.popen.returncode}): see its log")
        old, self.processes["dataplane"] = self.processes["dataplane"], new
        old.signal(signal.SIGTERM)
        return old

    def put_tap(self, interface: str, nic: str) -> None:
        """The kernel's interface gets another name, and its stack does not answer on it; a TAP gets its own."""
        host = self.host
        mtu = json.loads(host.run(["ip", "-j", "link", "show", interface]))[0]["mtu"]
        host.ip(f"link set {interface} down", f"addr flush dev {interface}", f"link set {interface} name {nic}")
        host.sysctl({f"net.ipv6.conf.{nic}.disable_ipv6": 1, f"net.ipv4.conf.{nic}.arp_ignore": 8,
                     f"net.ipv4.conf.{nic}.rp_filter": 1})
        host.ip(f"link set {nic} up")
        host.run(["ip", "tuntap", "add", "dev", interface, "mode", "tap", "multi_queue"])
        host.ip(f"link set {interface} mtu {mtu} up")

    def give_tap(self) -> None:
        """The kernel's eth1 becomes nic1, and eth1 a TAP, as the operator's network configuration makes it: with the
        addresses, before Weir."""
        host, plan = self.host, self.plan
        self.put_tap("eth1", "nic1")
        host.address("eth1", f"{plan.node4}/24", f"{plan.node6}/64")
        host.route("default", plan.gateway4)
        host.route("default", plan.gateway6)

    def kill(self, *which: str) -> None:
        """Kill the named processes, or all that run, as a crash would."""
        for name in which or list(self.processes):
            self.processes.pop(name).kill()

    def start_supervised(self, *more: str) -> None:
        """Start them all by `weir run`, which holds the listening sockets."""
        self.processes["run"] = self.host.start("weir-run", [executable("weir"), *self.options, "run", *more])

    def pids(self, process: str | None = None) -> list[int]:
        """The ids of this node's processes of ours in its namespace: of weir-PROCESS, or of all."""
        found = []
        for pid in call(["ip", "netns", "pids", self.host.ns], check=False).split():
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    name = os.path.basename(f.read().split(b"\0", 1)[0]).decode()
            except OSError:
                continue
            if name == f"weir-{process}" or (process is None and (name == "weir" or name.startswith("weir-"))):
                found.append((name, int(pid)))
        return [pid for name, pid in sorted(found)]

    def kill_all(self) -> None:
        """Kill the supervisor first, then the processes, so that none comes back."""
        for pid in self.pids():
            os.kill(pid, signal.SIGKILL)
        for process in self.processes.values():
            process.popen.wait(10)
        self.processes.clear()
        wait_until(lambda: not self.pids(), 5, f"no process of ours on {self.name}")

    def stop_for_good(self, process: str) -> None:
        """Stop a process without ending it, as one that hangs. The supervisor, which would kill it and start it again after
        10 s, is stopped before."""
        if "run" in self.processes:
            self.processes["run"].signal(signal.SIGSTOP)
        self.freeze(process)

    def freeze(self, process: str) -> None:
        """Stop a process without ending it; a supervisor may bring it back."""
        for pid in self.pids(process):
            os.kill(pid, signal.SIGSTOP)

    def resume(self, process: str) -> None:
        """Undo stop_for_good()."""
        for pid in self.pids(process):
            os.kill(pid, signal.SIGCONT)
        if "run" in self.processes:
            self.processes["run"].signal(signal.SIGCONT)

    def wait_until_well(self, timeout_s: float = PATIENCE_S) -> None:
        """Wait until `weir status` says that all is well here."""
        def well() -> bool:
            return bool(self.host.run([executable("weir"), *self.options, "status", "--json"], check=False)) and \
                self.weir_json("status").get("state") == "well"
        wait_until(well, timeout_s, f"{self.name} is well", 0.3)

    def weir(self, *arguments: str, check: bool = True, timeout: float = 60) -> str:
        """The command line on this node; its standard output."""
        return self.host.run([executable("weir"), *self.options, *arguments], check, timeout=timeout)

    def weir_json(self, *arguments: str, timeout: float = 60) -> typing.Any:
        return json.loads(self.weir(*arguments, "--json", check=False, timeout=timeout))

    def api(self, method: str, path: str, body: object = None, timeout_s: float = 60,
            headers: dict[str, str] | None = None) -> tuple[int, typing.Any]:
        """A request to this node's API on its UNIX socket: (status, parsed answer)."""
        connection = http.client.HTTPConnection("weir", timeout=timeout_s)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(timeout_s)
        connection.sock.connect(os.path.join(self.run_dir, "api.sock"))
        connection.request(method, path, json.dumps(body) if body is not None else None,
                           {"Content-Type": "application/json", **(headers or {})})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if path != "/v1/openapi.json":
            openapi_check.learn(self.describe)
            openapi_check.hold(method, path, answer.status, answer.headers.get("Content-Type"), text)
        return answer.status, json.loads(text) if text else None

    def describe(self) -> tuple[int, bytes]:
        status, whole = self.api("GET", "/v1/openapi.json")
        return status, json.dumps(whole).encode()

    def ctl(self, process: str, request: dict[str, typing.Any], timeout_s: float = 10) -> typing.Any:
        """Ask a process on its control socket; its answer, parsed."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
            s.settimeout(timeout_s)
            s.connect(os.path.join(self.run_dir, f"{process}.ctl"))
            s.sendall(json.dumps(request).encode() + b"\n")
            return json.loads(s.makefile("r").readline())

    def serves(self) -> bool:
        """Whether weir-dns answers queries. One that begins makes its socket, and listens a moment later."""
        try:
            return self.ctl("dns", {"do": "status"})["serving"]
        except (FileNotFoundError, ConnectionRefusedError):
            return False

    def stats(self, process: str) -> dict[tuple[str, str], int]:
        """A process's counters, from its stats page: {(name, labels): value}. Works when it is dead."""
        return layout.stats_of(os.path.join(self.run_dir, f"stats.{process}.page"))

    def stats_by_now(self, process: str) -> dict[tuple[str, str], int]:
        """The same, once all that was counted until now is on the page: it is written each second, on a busy machine later."""
        path = os.path.join(self.run_dir, f"stats.{process}.page")

        def wait_alive_after(ms: float) -> None:
            wait_until(lambda: layout.page_header(path).alive_ms > ms, 30, f"{process} lives")

        wait_alive_after(time.monotonic() * 1000 + 1100)  # what is written each second is due
        wait_alive_after(layout.page_header(path).alive_ms)  # and was done before the next sign of life
        return self.stats(process)


class Site:
    """A node and its backends on one switch."""
    mtu = SITE_MTU

    def __init__(self, world: World, site_plan: planning.SitePlan) -> None:
        self.world, self.plan, self.name = world, site_plan, site_plan.name
        lab, router = world.lab, world.router
        self.switch = f"br-{self.name}"
        lab.bridge(router, self.switch, self.mtu)
        router.address(self.switch, f"{site_plan.gateway4}/24", f"{site_plan.gateway6}/64")
        self.node_port = f"p-{site_plan.node}"
        self.more_node_ports: tuple[str, ...] = ()  # of a lab whose node has several
        self.all_nodes: list[Node] = []
        self.node = self.node_of(site_plan)
        self.announce()
        self.backends = [self.add_backend(b) for b in site_plan.backends]

    def node_of(self, plan: planning.SitePlan) -> Node:
        """A node on this site's switch: the site's own, or a further one. What it sends to its VIPs is dropped: the
        kernel's last reset of a probe carries no mark, goes out plainly, and would come back as traffic."""
        router = self.world.router
        node = Node(self.world, plan, self._attach(plan.node, "eth1", plan.node4, plan.node6))
        router.ip(f"link set dev p-{plan.node} xdp obj {pass_program()} sec xdp")
        node.host.address("lo", f"{plan.dns4}/32", f"{plan.dns6}/128")
        router.ip(f"rule add iif {self.switch} from {plan.node4} to {plan.vip4} blackhole pref 8",
                  f"-6 rule add iif {self.switch} from {plan.node6} to {plan.vip6} blackhole pref 8")
        self.all_nodes.append(node)
        return node

    def _attach(self, name: str, interface: str, address4: str, address6: str) -> Host:
        """A host on this site's switch, with both families and the router as its gateway."""
        lab, router = self.world.lab, self.world.router
        host = lab.host(name)
        lab.port(router, self.switch, f"p-{name}", host, interface, self.mtu)
        host.address(interface, f"{address4}/24", f"{address6}/64")
        host.route("default", self.plan.gateway4)
        host.route("default", self.plan.gateway6)
        return host

    def add_router(self, name: str, address4: str, address6: str) -> Host:
        """A router on this site's switch, with the site's gateway as its own. To be called before there is traffic: the
        gateway's MAC address may change with the number of hosts on its switch."""
        host = self._attach(name, "eth0", address4, address6)
        host.forward()
        return host

    def add_backend(self, backend_plan: planning.BackendPlan) -> Backend:
        """A further backend: its host, address and VIPs; nginx and agent are started by start()."""
        last = backend_plan.address.rsplit(":", 1)[-1].rsplit(".", 1)[-1]
        host = self._attach(backend_plan.name, "eth0", f"10.{self.plan.index}.1.{last}",
                            f"fd00:{self.plan.index}:1::{last}")
        return Backend(host, backend_plan.name, [backend_plan.address], self.plan.vips,
                       rate=self.world.file_rate, files=self.world.files)

    def announce(self) -> None:
        """What BGP would do: the router sends the VIPs and the name server's addresses to the node."""
        p, router = self.plan, self.world.router
        router.route(f"{p.dns4}/32", p.node4)
        router.route(f"{p.dns6}/128", p.node6)
        self.announce_vips()

    def announce_vips(self) -> None:
        self.world.router.route(f"{self.plan.vip4}/32", self.plan.node4)
        self.world.router.route(f"{self.plan.vip6}/128", self.plan.node6)

    def withdraw_vips(self) -> None:
        self.world.router.ip(f"route del {self.plan.vip4}/32", f"-6 route del {self.plan.vip6}/128")

    def lost_on_link(self) -> int:
        """Frames for the node that the kernel dropped between the router's port and the node's program."""
        return self.world.router.counters(self.node_port)["tx_dropped"] + \
            self.node.host.counters("eth1")["rx_dropped"]

    def lost_on_way_back(self) -> int:
        """Frames from the node that the kernel dropped between the node's program and the router's port."""
        return self.world.router.counters(self.node_port)["rx_dropped"] + \
            self.node.host.counters("eth1")["tx_dropped"]

    def wait_until_forwarding(self, timeout_s: float = 20) -> None:
        """Wait until the node's port carries Weir's program, which counts all packets for the VIPs from then on, and the next
        hops of its backends are known, without which it drops them."""
        def forwards() -> bool:
            if "prog/xdp" not in self.node.host.run(["ip", "-d", "link", "show", "eth1"]):
                return False
            known = [value for (name, _), value in self.node.stats("dataplane").items() if name == NEXT_HOP]
            return bool(known) and all(known)
        wait_until(forwards, timeout_s, f"{self.plan.node} forwards")

    def start_backends(self) -> None:
        for backend in self.backends:
            backend.start()
            backend.attach_agent(self.tunnels())

    def tunnels(self) -> list[str]:
        """The sources of tunnels that this site's backends take off."""
        return [self.plan.tunnel4, self.plan.tunnel6]

    def _cut_rules(self) -> typing.Iterator[str]:
        """Routing rules that swallow what would enter or leave the site; the gateway itself still answers."""
        i, p = self.plan.index, self.plan
        outside = ["p-client"] + [f"p-res{j}" for j in range(1, len(self.world.resolvers) + 1)] + \
            [s.switch for s in self.world.sites if s is not self] + ([STORE_PORT] if self.world.store else [])
        inside4, inside6 = (p.vip4, p.dns4, f"10.{i}.0.0/16"), (p.vip6, p.dns6, f"fd00:{i}::/32")
        for interface in outside:
            yield from (f"iif {interface} to {a} blackhole pref 9" for a in inside4)
            yield from (f"-6 iif {interface} to {a} blackhole pref 9" for a in inside6)
        yield f"iif {self.switch} blackhole pref 10"
        yield f"-6 iif {self.switch} blackhole pref 10"

    def _rules(self, do: str) -> None:
        self.world.router.ip(*(f"-6 rule {do} {r[3:]}" if r.startswith("-6 ") else f"rule {do} {r}"
                               for r in self._cut_rules()))

    def cut(self) -> None:
        """Nothing enters or leaves the site any more, in silence; inside all goes on."""
        self._rules("add")

    def heal(self) -> None:
        """Undo cut()."""
        self._rules("del")

    def reset_agents(self) -> None:
        for backend in self.backends:
            backend.detach_agent()


class Request(typing.NamedTuple):
    """A line of a client's log (client.c)."""
    id: int
    start_ms: int
    end_ms: int
    source: str
    port: int
    target: str
    result: str
    status: int
    backend: str
    bytes: int
    fnv: str
    connect_us: int
    total_us: int
    resent: int


REQUEST_KINDS: tuple[type, ...] = tuple(typing.get_type_hints(Request).values())


def read_requests(path: str) -> list[Request]:
    """The requests that have ended, of a client's log."""
    kinds = REQUEST_KINDS
    with open(path) as f:
        return [Request(*(kind(word) for kind, word in zip(kinds, line.split()))) for line in f
                if line.endswith("\n") and not line.startswith("#")]


class Capture:
    """lab-capture on a port of the router; 'in' is what comes from the host behind the port."""

    def __init__(self, world: World, port: str) -> None:
        base = os.path.join(world.lab.dir, f"capture.{port}")
        self.json_path, self.flows_path = base + ".json", base + ".flows"
        addresses = [f"vip={v}" for s in world.plan.sites for v in s.vips]
        for site in world.sites:
            if port == site.node_port or port in site.more_node_ports:
                addresses += [f"local={a}" for a in (site.plan.node4, site.plan.node6)]
        self.process = world.router.start(
            f"capture-{port}", [executable("lab-capture"), port, self.json_path, self.flows_path, *addresses])
        wait_until(lambda: os.path.exists(self.json_path), 5, f"capture on {port}")

    def counts(self, way: str, kind: str, outer: str | None = None, address: str | None = None,
               what: str = "packets") -> int:
        """The sum over the classes that fit; raises if the kernel lost frames on the way to the counter."""
        with open(self.json_path) as f:
            data = json.load(f)
        if data["lost"]:
            raise LabError(f"{self.json_path}: {data['lost']} frames lost")
        return sum(c[what] for c in data["classes"]
                   if c["way"] == way and c["kind"] == kind and outer in (None, c["outer"])
                   and address in (None, c["address"]))

    def flows(self) -> list[tuple[int, str, str, str, int, str]]:
        """SYNs inside tunnels: (time_ms, way, outer, source, port, vip)."""
        with open(self.flows_path) as f:
            rows = [line.split() for line in f if line.endswith("\n")]
        return [(int(t), way, outer, source, int(port), vip) for t, way, outer, source, port, vip in rows]

    def stop(self) -> None:
        self.process.stop()


class World:
    """Everything of a plan. Nothing runs until the start_*() functions are called."""
    site_class: type[Site] = Site

    def __init__(self, lab: Lab, plan: planning.Plan, resolvers: typing.Sequence[bool] = (True, False),
                 file_rate: str = "400k") -> None:
        self.lab, self.plan, self.file_rate = lab, plan, file_rate
        self.files = os.path.join(lab.dir, "files")
        os.makedirs(self.files)
        if plan.api:
            self._make_certificate()
        self.router = lab.host("router")
        self.router.forward()
        self.client = self._make_client()
        self.store = Store(lab, self.router) if plan.api and len(plan.nodes) > 1 else None
        self.sites = [self.site_class(self, s) for s in plan.sites]
        self.resolvers = [self._make_resolver(j, ecs) for j, ecs in enumerate(resolvers, 1)]

    def site(self, name: str) -> Site:
        return next(s for s in self.sites if s.name == name)

    @property
    def nodes(self) -> list[Node]:
        return [s.node for s in self.sites]

    def _make_client(self) -> Host:
        client = self.lab.host("client")
        self.lab.link(self.router, "p-client", client, "eth0")
        self.router.offload("p-client", "tx off")
        self.router.address("p-client", "10.255.1.1/30", "fd00:255:1::1/64")
        client.address("eth0", "10.255.1.2/30", "fd00:255:1::2/64")
        client.route("default", "10.255.1.1")
        client.route("default", "fd00:255:1::1")
        self.router.route(planning.CLIENTS4, "10.255.1.2")
        self.router.route(planning.CLIENTS6, "fd00:255:1::2")
        client.ip(f"route add local {planning.CLIENTS4} dev lo", f"-6 route add local {planning.CLIENTS6} dev lo")
        client.sysctl({"net.ipv6.ip_nonlocal_bind": 1, "net.ipv4.tcp_tw_reuse": 1})
        return client

    def _make_resolver(self, j: int, ecs: bool) -> Resolver:
        host = self.lab.host(f"res{j}")
        self.lab.link(self.router, f"p-res{j}", host, "eth0")
        self.router.address(f"p-res{j}", f"198.18.{j}.1/24", f"2001:db8:53:{j}::1/64")
        host.address("eth0", f"198.18.{j}.2/24", f"2001:db8:53:{j}::2/64")
        host.route("default", f"198.18.{j}.1")
        host.route("default", f"2001:db8:53:{j}::1")
        servers = [a for s in self.plan.sites for a in (s.dns4, s.dns6)]
        return Resolver(host, self.plan.zone, servers, ecs)

    def _make_certificate(self) -> None:
        """One key pair for all nodes' APIs; it is its own authority."""
        names = ",".join(f"IP:{s.node4}" for s in self.plan.nodes)
        call(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
              "-days", "30", "-subj", "/CN=weir lab", "-addext", f"subjectAltName={names}",
              "-keyout", os.path.join(self.lab.dir, "tls.key"), "-out", os.path.join(self.lab.dir, "tls.crt")])

    def write_configs(self) -> None:
        for node in self.nodes:
            node.write_config()

    def start_backends(self) -> None:
        for site in self.sites:
            site.start_backends()

    def start_resolvers(self) -> None:
        for resolver in self.resolvers:
            resolver.start()

    def write_sources(self) -> str:
        """The client's file of sources; returns its path."""
        path = os.path.join(self.lab.dir, "sources")
        with open(path + ".new", "w") as f:
            f.write("\n".join(self.source_lines()) + "\n")
        os.rename(path + ".new", path)  # another client may be reading it
        return path

    def start_client(self, name: str, rate: float, *more: str | float, targets: typing.Sequence[str] = ()) -> Process:
        """Start a crowd of clients; its log is DIR/NAME.requests."""
        command = [executable("lab-client"), "--sources", self.write_sources(), "--name", self.plan.name,
                   "--rate", str(rate), "--tag", f"{name}-", "--log", os.path.join(self.lab.dir, f"{name}.requests"), *map(str, more)]
        for target in targets:
            command += ["--target", target]
        return self.client.start(name, command)

    def start_capture(self, port: str) -> Capture:
        """Count what passes a port of the router (a site's node_port, p-BACKEND, p-client)."""
        return Capture(self, port)

    def source_lines(self) -> list[str]:
        """Client sources with their resolver, one of each prefix: 'ADDRESS RESOLVER'. Every second prefix
        is behind the first resolver, and so on."""
        lines = []
        for k in range(planning.PREFIXES):
            j = k % max(1, len(self.resolvers)) + 1
            lines.append(f"100.{64 + k // 256}.{k % 256}.{7 + k % 200} 198.18.{j}.2")
            lines.append(f"2001:db8:{0x8000 + k // 256:x}:{(k % 256) << 8:x}::{7 + k % 200:x} 2001:db8:53:{j}::2")
        return lines
