# SPDX-License-Identifier: BSD-2-Clause
"""Network namespaces for labs: hosts, links, processes, and that nothing of them is left.

    with Lab("drain") as lab:
        router, node = lab.host("router"), lab.host("node")
        lab.link(router, "p-node", node, "eth1", mtu=1600)
        node.address("eth1", "10.1.1.2/24")
        node.start("sleeper", ["sleep", "1000"])

A lab owns: namespaces named w<PID>-HOST, the directory build/lab/NAME (made anew; logs stay), a bpffs
at build/lab/NAME/bpf, and the processes that it has started, which it ends by their ids. All go when
the `with` block ends, also by an exception, SIGINT, SIGTERM or SIGHUP; close() raises if one stays.
Namespaces of a lab that was killed outright are removed by the next one.

Processes enter their namespace by nsenter(1) or setns(2), not `ip netns exec`, which would hide bpffs mounts.
"""
from __future__ import annotations

import atexit
import contextlib
import ctypes
import functools
import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import typing

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.append(os.path.join(ROOT, "tests"))
import machine  # noqa: E402
BUILD = os.environ.get("WEIR_BUILD", os.path.join(ROOT, "build"))
# What the build makes lies in these folders. Elsewhere below the build directory are programs of the same names: the packages'
# test keeps the former release's there, suites' own /tmp (tests/keep.py) holds stand-ins.
MADE = ("announce", "base", "bpf", "dataplane", "dns", "healthcheck", "host", "mgmt", "model", "packaging", "pages", "tests")
# Labs run their processes as root, whether or not the machine has Weir's users; packaged.enter() has these.
os.environ.setdefault("WEIR_USERS", "none")
LIBC, CLONE_NEWNET = ctypes.CDLL(None, use_errno=True), 0x40000000
T = typing.TypeVar("T")


PATIENCE_S = 60  # of every wait: a busy machine stands still for seconds
WEIR = ("weir", "weir-dataplane", "weir-health", "weir-dns", "weir-mgmt", "weir-announce")
CRASHES = (signal.SIGILL, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGSEGV)  # no lab sends one to a process of ours


class LabError(Exception):
    """A lab could not be set up, or something in it did not happen."""


def say(text: str) -> None:
    """A line of live progress."""
    sys.stdout.write(f"{time.strftime('%H:%M:%S')}  {text}\n")  # in one piece: threads write too
    sys.stdout.flush()


def call(command: typing.Sequence[str], check: bool = True, **more: typing.Any) -> str:
    """Run a command to its end. Returns its standard output; a failure carries its standard error."""
    done = subprocess.run(command, capture_output=True, text=True, **more)
    if check and done.returncode != 0:
        raise LabError(f"{' '.join(command)}: exit {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def comes_true(condition: typing.Callable[..., T], timeout_s: float, every_s: float = 0.05) -> T:
    """Wait until condition() is true, or timeout_s is over. Returns its last value: the caller judges."""
    end = time.monotonic() + timeout_s
    while not (value := condition()) and time.monotonic() <= end:
        time.sleep(every_s)  # the pace of every wait for a condition
    return value


def wait_until(condition: typing.Callable[..., T], timeout_s: float, what: str, every_s: float = 0.02) -> T:
    """Wait until condition() is true and return its value; LabError after timeout_s, or PATIENCE_S if that is longer.

    A lab goes on behind it, so its limit is no claim: Report.wait() claims a time.
    """
    limit_s = max(timeout_s, PATIENCE_S)
    value = comes_true(condition, limit_s, every_s)
    if not value:
        raise LabError(f"not within {limit_s} s: {what}")
    return value


@functools.cache
def built() -> dict[str, list[str]]:
    """All files below the build directory that a build makes: {name: paths}. Walking there takes seconds inside a guest."""
    found: dict[str, list[str]] = {}
    for folder, folders, files in os.walk(BUILD):
        folders[:] = [f for f in folders if not f.endswith(".p") and (folder != BUILD or f in MADE)]
        for name in files:
            found.setdefault(name, []).append(os.path.join(folder, name))
    return found


def executable(name: str) -> str:
    """The path of a program of ours below the build directory."""
    for path in built().get(name, ()):
        if os.access(path, os.X_OK):
            return path
    raise LabError(f"{name} is not built below {BUILD}")


@contextlib.contextmanager
def entered(ns: str) -> typing.Iterator[None]:
    """This thread, and what it starts, in a network namespace: as nsenter(1), which is a program more to start."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    there = os.open(f"/run/netns/{ns}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        set_namespace(there)
        yield
    finally:
        set_namespace(home)
        os.close(there)
        os.close(home)


def set_namespace(fd: int) -> None:
    if LIBC.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Process:
    """A process of a lab; its output goes to DIR/NAME.log."""

    def __init__(self, name: str, command: typing.Sequence[str], log_path: str, env: dict[str, str] | None = None,
                 **more: typing.Any) -> None:
        self.name, self.command, self.log_path = name, command, log_path
        with open(log_path, "ab") as log:
            self.popen = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env=dict(os.environ, **(env or {})), **more)
        self.pid = self.popen.pid

    def alive(self) -> bool:
        return self.popen.poll() is None

    def is_weir(self) -> bool:
        """Whether it is a process of a node, and not a client, a server, or a daemon beside it."""
        return any(os.path.basename(word) in WEIR for word in self.command)

    def has_crashed(self) -> bool:
        """Whether it is of ours, a tool of the labs or a process of a node, and died of a fault of its own."""
        return -(self.popen.poll() or 0) in CRASHES and (self.is_weir() or self.command[0].startswith(BUILD))

    def signal(self, number: int) -> None:
        if self.alive():
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once, as a crash would, and wait for it."""
        self.signal(signal.SIGKILL)
        self.popen.wait()

    def stop(self, timeout_s: float = 5) -> int:
        """Ask it to end; kill it when it does not. Returns its exit status."""
        self.signal(signal.SIGTERM)
        try:
            return self.popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.popen.returncode

    def log(self) -> str:
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def wait_for_log(self, pattern: str, timeout_s: float = 10) -> re.Match[str] | None:
        def found() -> re.Match[str] | None:
            if not self.alive():
                raise LabError(f"{self.name} ended ({self.popen.returncode}):\n{self.log()[-2000:]}")
            return re.search(pattern, self.log())
        return wait_until(found, timeout_s, f"{pattern!r} in {self.log_path}")


class Host:
    """A network namespace with its processes."""

    def __init__(self, lab: Lab, name: str) -> None:
        self.lab, self.name = lab, name
        self.ns = f"{lab.tag}-{name}"
        self.processes: list[Process] = []
        call(["ip", "netns", "add", self.ns])
        self.enter = ["nsenter", f"--net=/run/netns/{self.ns}", "--"]
        self.ip("link set lo up")
        self.sysctl({
            "net.ipv4.conf.all.rp_filter": 0, "net.ipv4.conf.default.rp_filter": 0,
            "net.ipv6.conf.all.accept_dad": 0, "net.ipv6.conf.default.accept_dad": 0,
            "net.ipv6.conf.default.accept_ra": 0, "net.ipv6.conf.default.router_solicitations": 0,
            "net.ipv4.tcp_fin_timeout": 5, "net.ipv4.ip_local_port_range": "10000 65000",
        })

    def run(self, command: typing.Sequence[str], check: bool = True, **more: typing.Any) -> str:
        """Run a command in this host to its end; returns its standard output."""
        with entered(self.ns):
            return call(list(command), check, **more)

    def add_filter(self, port: str, way: str, program: str, section: str) -> None:
        """
        Attach a program by tc(8), which wants a BPF file system: it takes the first one of the list of mounts, of which
        others may be another lab's, or hidden below a /tmp. So it gets one of its own.
        """
        self.run(["unshare", "--mount", "sh", "-c", 'mount -t bpf bpf /sys/fs/bpf && exec tc filter add dev "$@"', "tc", port, way,
                  "bpf", "da", "obj", program, "sec", section])

    def ip(self, *commands: str) -> None:
        """Run ip(8) commands, one text each ('-6 ' first for its IPv6 form), in one go or two."""
        for option in ("-4", "-6"):
            lines = [c.removeprefix("-6 ") for c in commands if c.startswith("-6 ") == (option == "-6")]
            if lines:
                self.run(["ip", *([option] if option == "-6" else []), "-batch", "-"],
                         input="\n".join(lines) + "\n")

    def sysctl(self, values: typing.Mapping[str, int | str]) -> None:
        script = "".join(f"echo '{v}' >/proc/sys/{k.replace('.', '/')}\n" for k, v in values.items())
        self.run(["sh", "-ec", script])

    def address(self, interface: str, *prefixes: str) -> None:
        self.ip(*(f"addr add {p} dev {interface}{' nodad' if ':' in p else ''}" for p in prefixes))

    def route(self, prefix: str, via: str) -> None:
        """Route a prefix ('default', '10.0.0.0/8', ...) via a next hop; the family is the next hop's."""
        self.ip(f"{'-6 ' if ':' in via else ''}route add {prefix} via {via}")

    def forward(self) -> None:
        """Make this host a router, one that does not tell its neighbours of shorter ways."""
        self.sysctl({"net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 1,
                     "net.ipv4.conf.all.send_redirects": 0, "net.ipv4.conf.default.send_redirects": 0})

    def offload(self, interface: str, *settings: str) -> None:
        """ethtool -K; e.g. offload('eth1', 'tx off', 'gro off')."""
        words = " ".join(settings).split()
        self.run(["ethtool", "-K", interface, *words])

    def mac(self, interface: str) -> str:
        return json.loads(self.run(["ip", "-j", "link", "show", interface]))[0]["address"]

    def counters(self, interface: str) -> dict[str, int]:
        """The kernel's packet counters of an interface: {'rx': ..., 'tx': ..., 'rx_dropped': ...}."""
        text = self.run(["ip", "-j", "-s", "link", "show", interface])
        stats = json.loads(text)[0]["stats64"]
        return {"rx": stats["rx"]["packets"], "tx": stats["tx"]["packets"],
                "rx_dropped": stats["rx"]["dropped"], "tx_dropped": stats["tx"]["dropped"]}

    def start(self, name: str, command: typing.Sequence[str], env: dict[str, str] | None = None, **more: typing.Any) -> Process:
        """Start a process here; its log is DIR/HOST.NAME.log."""
        with entered(self.ns):
            process = Process(f"{self.name}.{name}", list(command), os.path.join(self.lab.dir, f"{self.name}.{name}.log"), env, **more)
        self.processes.append(process)
        return process

    def link_down(self, interface: str) -> None:
        self.ip(f"link set {interface} down")

    def link_up(self, interface: str) -> None:
        self.ip(f"link set {interface} up")


class Lab:
    """All hosts of one lab; see the file's beginning."""

    def __init__(self, name: str) -> None:
        if os.geteuid() != 0:
            print("a lab needs root: skipped\n0 passed, 0 failed, 1 skipped")
            sys.exit(77)
        self.name, self.tag, self.closed = name, f"w{os.getpid()}", False
        self.hosts: dict[str, Host] = {}
        self.expected_refusals: set[str] = set()  # system calls that an intruder of the lab's tries
        self.dir = os.path.join(BUILD, "lab", name)
        self.bpf_dir = os.path.join(self.dir, "bpf")
        sweep_dead_labs()
        self.room = machine.Room()
        self.room.open()
        unmount(self.bpf_dir)
        shutil.rmtree(self.dir, ignore_errors=True)
        os.makedirs(self.bpf_dir)
        os.chmod(self.dir, 0o755)
        atexit.register(self.close)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda n, frame: sys.exit(128 + n))
        call(["mount", "-t", "bpf", f"{self.tag}-bpf", self.bpf_dir])

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            if not any(exception):
                self.balance()
        finally:
            self.close()

    def balance(self) -> None:
        """What each node of Weir has counted must add up, to the packet, once its clients rest: no lab can forget it. What
        is not of Weir ends first. Raises LabError if books do not balance."""
        books = importlib.import_module("books")  # here, for it is made of this module
        for process in reversed([p for p in self.processes() if not p.is_weir()]):
            process.stop()
        if wrong := books.check_books(self.dir):
            raise LabError("; ".join(wrong))

    def host(self, name: str) -> Host:
        """Make a host; its name is at most 10 characters long."""
        self.hosts[name] = Host(self, name)
        return self.hosts[name]

    def link(self, a: Host, a_name: str, b: Host, b_name: str, mtu: int = 1500) -> None:
        """Join two hosts by a pair of veth interfaces."""
        call(["ip", "link", "add", "name", a_name, "mtu", str(mtu), "netns", a.ns, "type", "veth",
              "peer", "name", b_name, "mtu", str(mtu), "netns", b.ns])
        a.link_up(a_name)
        b.link_up(b_name)

    def bridge(self, host: Host, name: str, mtu: int = 1500) -> None:
        """A switch inside a host; add ports with port()."""
        host.ip(f"link add name {name} mtu {mtu} type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
                f"link set {name} up")

    def port(self, host: Host, bridge: str, port_name: str, other: Host, other_name: str, mtu: int = 1500) -> None:
        """Join `other` to a bridge of `host`. Frames that leave the port carry whole checksums and are
        no larger than the MTU, so that XDP programs behind it see what a wire would bring."""
        self.link(host, port_name, other, other_name, mtu)
        host.ip(f"link set {port_name} master {bridge}")
        host.offload(port_name, "tx off")

    def processes(self) -> list[Process]:
        return [p for h in self.hosts.values() for p in h.processes]

    def close(self) -> None:
        """Take everything away; raises LabError if something stays, or if a process crashed, or met its filter of system calls."""
        if self.closed:
            return
        self.closed = True
        for process in self.processes():
            process.signal(signal.SIGTERM)
        for process in reversed(self.processes()):
            process.stop()
        left: list[str] = []
        for host in self.hosts.values():
            remove_namespace(host.ns)
        unmount(self.bpf_dir)
        self.room.close()
        left += [n for n in namespaces() if n.startswith(self.tag + "-")]
        left += [m for m in mounts() if m.startswith(self.dir + "/")]
        left += [p.name for p in self.processes() if p.alive()]
        if left:
            raise LabError(f"left behind: {' '.join(left)}")
        if refused := refused_calls(self.dir, self.expected_refusals):
            raise LabError(f"system calls that base/sandbox_lists.c does not have: {' '.join(refused)}")
        if crashed := self.crashes():
            raise LabError(f"crashed: {' '.join(crashed)}")

    def crashes(self) -> list[str]:
        """Processes of ours that died of a fault, also those that `weir run` has started again: no lab need look for them."""
        return sorted({p.name for p in self.processes() if p.has_crashed()} | {
            f"{words['process']}({words['pid']})" for words in said(self.dir, " how=signal code=") if int(words["code"]) in CRASHES})


def refused_calls(directory: str, expected: typing.Collection[str] = ()) -> list[str]:
    """What logs say of refused system calls: ["dns:ptrace(101)"]. Weir itself makes none of them."""
    return sorted({f"{words['process']}:{words.get('name')}({words.get('call')})"
                   for words in said(directory, "system-call-refused process=") if words.get("name") not in expected})


def said(directory: str, text: str) -> typing.Iterator[dict[str, str]]:
    """The words KEY=VALUE of each line with @text in the logs of a lab."""
    for name in os.listdir(directory):
        if name.endswith(".log"):
            with open(os.path.join(directory, name), errors="replace") as f:
                yield from (dict(w.split("=", 1) for w in line.split() if "=" in w) for line in f if text in line)


def namespaces() -> list[str]:
    return [line.split()[0] for line in call(["ip", "netns", "list"]).splitlines() if line]


def mounts() -> list[str]:
    with open("/proc/self/mounts") as f:
        return [line.split()[1] for line in f]


def unmount(path: str) -> None:
    while path in mounts():
        call(["umount", "-l", path])


def remove_namespace(ns: str) -> None:
    """End what still runs in a namespace of ours, and delete it."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        pids = call(["ip", "netns", "pids", ns], check=False).split()
        for pid in pids:
            try:
                os.kill(int(pid), number)
            except ProcessLookupError:
                pass
        if pids:
            comes_true(lambda: not call(["ip", "netns", "pids", ns], check=False).split(), 1, 0.02)
    call(["ip", "netns", "del", ns], check=False)


def sweep_dead_labs() -> None:
    """Remove the namespaces of labs whose process is gone."""
    for ns in namespaces():
        match = re.fullmatch(r"w(\d+)-.*", ns)
        if match and not os.path.exists(f"/proc/{match.group(1)}"):
            remove_namespace(ns)
