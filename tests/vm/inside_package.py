# SPDX-License-Identifier: BSD-2-Clause
"""Inside a guest that systemd has booted: inside_package.py NEW.deb AGENT.deb. The packages' way through a host's life:
install, configure, start, upgrade, upgrade beside DPDK, remove, purge; with traffic that counts each packet.

    (client) -- (rt) -- eth1: Weir        one wire from the router to the node, with native XDP at both ends
                 |
              (back): a backend with weir-agent
"""
from __future__ import annotations

import glob
import json
import os
import pwd
import re
import subprocess
import sys
import time
import typing

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lab"))
from report import Report

NEW, AGENT = sys.argv[1:3]
PROCESSES = ("dataplane", "health", "dns", "mgmt")
VIP, DNS, BACKEND, NODE, CLIENT = "203.0.113.10", "10.0.0.53", "10.1.1.11", "10.0.0.1", "100.64.1.7"
EMULATED = subprocess.run(["systemd-detect-virt", "--container"], capture_output=True, check=False).returncode != 0
SLOW_S = 600 if EMULATED else 60  # an emulated machine on a busy one
CONFIG = """
schema = 1; cluster = {{ name = "c"; hash_key_file = "hash2.key"; hash_key_id = "k"; }};
sites = ( {{ name = "s"; }} );
nodes = ( {{ name = "guest"; site = "s"; driver = "{driver}"; ports = ( {{ interface = "eth1"; }} );
            dpdk = {{ hugepages = "no"; memory = 128; }};
            tunnel_source = [ "10.255.0.0/24" ]; dns_listen = [ "10.0.0.53" ]; clock = "trusted"; }} );
checks = ( {{ name = "tcp"; type = "tcp"; port = 80; via = "tunnel"; interval = "2s"; fast_interval = "1s"; timeout = "4s"; rise = 1; fall = 3; }} );
pools = ( {{ name = "p"; site = "s"; check = "tcp"; mode = "gue"; max_backends = 10;
            backends = ( {{ name = "b1"; address = "10.1.1.11"; weight = {weight}; }} ); }} );
vips = ( {{ name = "v"; site = "s"; addresses = [ "203.0.113.10" ]; }} );
services = ( {{ name = "web"; protocol = "tcp"; port = 80; at = ( {{ site = "s"; vip = "v"; pool = "p"; }} ); }},
             {{ name = "echo"; protocol = "udp"; port = 5000; at = ( {{ site = "s"; vip = "v"; pool = "p"; }} ); }} );
dns = {{ zones = ( {{ name = "shop.example"; file = "shop.example.zone"; }} );
        names = ( {{ name = "www.shop.example"; service = "web"; policy = "weighted"; }} ); }};
"""
KEY_READERS = "weir-dataplane:weir-mgmt 440"
ZONE = "@ 300 IN SOA ns host 1 2 3 4 5\n@ 300 IN NS ns\nns 300 IN A 10.0.0.53\n"
WIRES = """
[ -d /sys/module/veth ] || modprobe veth 2>/dev/null || : # the kernel may have it built in
for n in rt back client; do ip netns add $n; ip -n $n link set lo up; done
ip link add eth1 type veth peer name rt0 netns rt
ip -n rt link add rtb type veth peer name b0 netns back
ip -n rt link add rtc type veth peer name c0 netns client
for n in rt back client; do ip netns exec $n sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0; done
sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 net.ipv4.conf.eth1.rp_filter=0
for d in rt0 rtb rtc; do ip netns exec rt sysctl -qw net.ipv4.conf.$d.rp_filter=0; ip netns exec rt ethtool -K $d gro on tx off >/dev/null; done
ip netns exec back sysctl -qw net.ipv4.conf.b0.rp_filter=0 net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
ip netns exec back ethtool -K b0 gro on tx off >/dev/null; ip netns exec client ethtool -K c0 gro on tx off >/dev/null
ethtool -K eth1 gro on tx off >/dev/null
ip addr add 10.0.0.1/24 dev eth1; ip addr add 10.0.0.53/32 dev lo; ip link set eth1 up
ip -n rt addr add 10.0.0.254/24 dev rt0; ip -n rt addr add 10.1.1.254/24 dev rtb; ip -n rt addr add 100.64.1.254/24 dev rtc
for d in rt0 rtb rtc; do ip -n rt link set $d up; done
ip -n rt route add 203.0.113.10/32 via 10.0.0.1; ip -n rt route add 10.0.0.53/32 via 10.0.0.1; ip -n rt route add 10.255.0.0/24 via 10.0.0.1
ip -n back addr add 10.1.1.11/24 dev b0; ip -n back link set b0 up; ip -n back addr add 203.0.113.10/32 dev lo; ip -n back route add default via 10.1.1.254
ip -n client addr add 100.64.1.7/24 dev c0; ip -n client link set c0 up; ip -n client route add default via 100.64.1.254
ip route add default via 10.0.0.254
"""


def sh(command: str | list[typing.Any], check: bool = True, timeout: typing.Any = SLOW_S) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, shell=isinstance(command, str), capture_output=True, text=True, timeout=timeout, check=False)
    if check and done.returncode:
        raise RuntimeError(f"{command}: {done.returncode}: {done.stdout[-1500:]}{done.stderr[-1500:]}")
    return done


def say(text: str) -> None:
    print(f"{time.monotonic():.0f} s: {text}", flush=True)


def wait_until(true: typing.Callable[..., typing.Any], what: str, limit_s: float = SLOW_S) -> typing.Any:
    until, told = time.monotonic() + limit_s, time.monotonic()
    while time.monotonic() < until:
        found = true()
        if found:
            return found
        time.sleep(0.3)  # the pace of every wait for a condition
        if time.monotonic() - told > 60:
            told = time.monotonic()
            say(f"still waits: {what}")
    raise RuntimeError(f"not within {limit_s} s: {what}\n" + sh("journalctl -u weir -n 40 --no-pager; weir status; weir why", False).stdout)


def pids() -> dict[str, tuple[int, ...]]:
    """The processes of Weir: {name: (pid, program)}; more than one of a name shows as a list."""
    found = {}
    for name in PROCESSES:
        found[name] = tuple(int(p) for p in sh(["pidof", f"weir-{name}"], False).stdout.split())
    return found


def old_programs() -> list[typing.Any]:
    """Processes whose program is no longer the file that is installed."""
    links: dict[int | str, str] = {p: os.readlink(f"/proc/{p}/exe") for ps in pids().values() for p in ps}
    main = unit("MainPID")
    links[main] = os.readlink(f"/proc/{main}/exe")
    return sorted(os.path.basename(link.split()[0]) for link in links.values() if link.endswith("(deleted)"))


def unit(name: str, of: str = "weir.service") -> str:
    return sh(["systemctl", "show", f"--property={name}", "--value", of]).stdout.strip()


def status() -> typing.Any:
    try:
        return json.loads(sh(["weir", "--json", "status"], False).stdout)
    except ValueError:
        return {}


def is_well() -> typing.Any:
    return status().get("state") == "well"


class Traffic:
    """Numbered datagrams to the VIP and questions to the name server, each counted when it is answered."""

    def __init__(self) -> None:
        self.client = subprocess.Popen(["ip", "netns", "exec", "client", sys.executable, f"{HERE}/package_traffic.py", "client", VIP, DNS],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.client.stdout.readline()  # it sends
        time.sleep(2)  # packets and questions of before the act

    def stop(self) -> typing.Any:
        out, _ = self.client.communicate("end\n", timeout=SLOW_S)
        return json.loads(out)


def forwards() -> bool:
    """Whether a datagram to the VIP is answered now."""
    return sh(["ip", "netns", "exec", "client", sys.executable, f"{HERE}/package_traffic.py", "once", VIP], False).returncode == 0


def under_traffic(report: Report, what: str, do: typing.Callable[..., typing.Any]) -> None:
    traffic = Traffic()
    try:
        do()
        time.sleep(2)  # packets and questions of after the act
    finally:
        seen = traffic.stop()
    report.check(seen["packets"]["sent"] >= 50, f"{what}: packets were sent", seen["packets"]["sent"])
    report.equal(seen["packets"]["lost"], 0, f"{what}: no packet is lost")
    report.check(seen["questions"]["sent"] >= 20, f"{what}: questions were asked", seen["questions"]["sent"])
    report.equal(seen["questions"]["lost"], 0, f"{what}: no query is lost")


def dpkg(*words: str) -> subprocess.CompletedProcess[str]:
    return sh(["dpkg", *words])


def configure(driver: str, weight: int = 100) -> None:
    for name, text in (("weir.conf", CONFIG.format(driver=driver, weight=weight)), ("shop.example.zone", ZONE)):
        with open(f"/etc/weir/{name}", "w") as f:
            f.write(text)
        os.chmod(f"/etc/weir/{name}", 0o640)
        sh(["chgrp", "weir", f"/etc/weir/{name}"])


def check_installed(report: Report) -> None:
    say("the packages are installed; nothing is configured")
    report.equal(unit("ActiveState"), "inactive", "without a configuration nothing runs, and nothing fails")
    report.equal(sh(["systemctl", "is-enabled", "weir"]).stdout.strip(), "enabled", "it starts at the next boot")
    users = {p.pw_name for p in pwd.getpwall()}
    report.equal({f"weir-{p}" for p in PROCESSES} - users, set(), "each process has a user")
    for path, owner, mode in (("/etc/weir", "root:weir", "750"), ("/run/weir", "root:weir", "1775"), ("/var/lib/weir", "root:weir", "1775")):
        report.equal(sh(["stat", "-c", "%U:%G %a", path]).stdout.strip(), f"{owner} {mode}", path)
    report.equal(sh(["sysctl", "-n", "net.ipv4.conf.all.arp_notify"]).stdout.strip(), "1", "kernel settings are in force")
    report.check(sh("weir --version").stdout.startswith("weir "), "weir is in everybody's PATH")
    conf = "/tmp/example"
    sh(f"cp -r /usr/share/doc/weir/examples {conf}; openssl rand -hex 16 > {conf}/hash.key")
    report.equal(sh(["weir", "--conf-dir", conf, "config", "check"], False).returncode, 0, "the example has no mistakes")


def locked_memory(pid: int | str) -> typing.Any:
    """The hard limit, as /proc has it."""
    with open(f"/proc/{pid}/limits") as f:
        return re.search(r"^Max locked memory +\S+ +(\S+)", f.read(), re.M)[1]


def lacks_resource() -> bool:
    """Whether even process 1 may not raise limits (CAP_SYS_RESOURCE), as in some containers and small machines."""
    with open("/proc/1/status") as f:
        return not int(re.search(r"^CapEff:\s+(\w+)", f.read(), re.M)[1], 16) >> 24 & 1


def check_running(report: Report) -> None:
    report.equal(unit("ActiveState"), "active", "the unit is active")
    seen = {}
    for name, (pid, *more) in pids().items():
        report.equal(more, [], f"one weir-{name}")
        seen[name] = pwd.getpwuid(os.stat(f"/proc/{pid}").st_uid).pw_name
    report.equal(seen, {p: f"weir-{p}" for p in PROCESSES}, "each process has its own user")
    with open(f"/proc/{unit('MainPID')}/status") as f:
        bounds = int(re.search(r"^CapBnd:\s+(\w+)", f.read(), re.M)[1], 16)
    report.check(not bounds >> 21 & 1, "the supervisor cannot get CAP_SYS_ADMIN", hex(bounds))
    report.equal(locked_memory(unit("MainPID")), locked_memory(1) if lacks_resource() else "unlimited", "and may lock memory")


def versions() -> list[typing.Any]:
    return [v["reason"] for v in json.loads(sh(["weir", "--json", "versions"]).stdout)["items"] if v["reason"].startswith("CHG")]


def apply(driver: str, weight: int, reason: str) -> None:
    configure(driver, weight)
    done = sh(["weir", "apply", "--reason", reason, "--confirm-within", "none"], False)
    if done.returncode not in ((0, 5) if EMULATED else (0,)):  # 5: it is made, and a process is late
        raise RuntimeError(f"apply: {done.returncode}: {done.stdout[-1500:]}{done.stderr[-1500:]}")


def readers_of_key() -> str:
    """The owner, group and mode of the hash key."""
    return sh(["stat", "-c", "%U:%G %a", "/etc/weir/hash2.key"]).stdout.strip()


def start(report: Report) -> subprocess.Popen[bytes]:
    say("configuration, hash key, agent on the backend; start")
    sh("openssl rand -hex 16 > /etc/weir/hash2.key; systemd-tmpfiles --create weir.conf")
    report.equal(readers_of_key(), KEY_READERS, "the hash key is for weir-dataplane and weir-mgmt alone")
    configure("xdp")
    sh(["nsenter", "--net=/run/netns/back", "weir-agent", "attach", "b0", "--from", "10.255.0.0/24"])
    servers = subprocess.Popen(["ip", "netns", "exec", "back", sys.executable, f"{HERE}/package_traffic.py", "server"])
    sh(["systemctl", "start", "weir"])
    wait_until(is_well, "the node is well")
    check_running(report)
    apply("xdp", 90, "CHG-1")
    wait_until(is_well, "the node is well")
    return servers


def show_log(since: float) -> None:
    """What Weir and systemd said: for failures."""
    print(sh(f"journalctl -u weir --no-pager --since=@{since:.0f} | cut -c17-260 | head -60", False).stdout, flush=True)


def upgrade(report: Report) -> None:
    say("the package is installed over itself, as an upgrade is")
    before, since, failed = pids(), time.time(), report.failed
    under_traffic(report, "upgrade", lambda: say(dpkg("-i", NEW).stderr.strip()))
    if report.failed > failed:
        show_log(since)
    wait_until(is_well, "the node is well after the upgrade")
    report.equal([n for n in PROCESSES if before[n] == pids()[n]], [], "each process is another")
    report.equal(old_programs(), [], "and runs the installed program")
    report.equal(versions(), ["CHG-1"], "the store is as it was")
    report.equal(readers_of_key(), KEY_READERS, "and so are the readers of the hash key")
    check_running(report)


def beside_dpdk(report: Report) -> None:
    say("DPDK forwards")
    apply("dpdk", 80, "CHG-3")
    sh(["systemctl", "restart", "weir"])
    wait_until(lambda: status().get("state") in ("well", "degraded") and "dpdk" in json.dumps(status()), "weir-dataplane with DPDK")
    wait_until(lambda: sh("grep -c librte_mempool_ring /proc/$(pidof weir-dataplane)/maps", False).stdout.strip() not in ("", "0"), "EAL")
    wait_until(forwards, "DPDK forwards")
    before = pids()
    traffic = Traffic()
    done = dpkg("-i", NEW)
    time.sleep(2)  # packets and questions of after the upgrade
    seen = traffic.stop()
    after = pids()
    report.equal(after["dataplane"], before["dataplane"], "an upgrade does not restart the DPDK forwarder")
    report.equal([p for p in ("mgmt", "health", "dns") if after[p] == before[p]], [], "but the others")
    report.check("DPDK forwards packets on this host" in done.stderr, "and says so", done.stderr[-200:])
    report.check(seen["packets"]["sent"] >= 100 and seen["packets"]["lost"] == 0, "no packet is lost", seen)
    report.equal(old_programs(), ["weir-dataplane"], "it alone has its former program")


def agent_unit(report: Report) -> None:
    say("the agent's unit")
    sh("ip link add bk0 type veth peer name bk1; ip link set bk0 up; ip link set bk1 up; mkdir -p /etc/weir-agent; "
       "cp /usr/share/doc/weir-agent/examples/eth0.conf /etc/weir-agent/bk0.conf; systemctl start weir-agent@bk0")
    attached = sh(["weir-agent", "--json", "status", "bk0"], False)
    report.equal(attached.returncode, 0, "it attaches")
    dpkg("-i", AGENT)
    again = json.loads(sh(["weir-agent", "--json", "status", "bk0"]).stdout)
    report.check(again["program"] != json.loads(attached.stdout)["program"], "an upgrade puts the new program in place", again["program"])
    sh("ip link add bk2 type veth peer name bk3; ip link set bk2 up; ip link set bk3 up; weir-agent attach bk2 --from 10.1.255.0/24")
    removed = dpkg("-r", "weir-agent")
    report.check("xdp" not in sh("ip link show bk0").stdout, "removal detaches it")
    report.check("xdp" not in sh("ip link show bk2").stdout, "and what was attached by hand")
    report.check("rm /sys/fs/bpf/weir/agent-b0" in removed.stderr, "and says what it cannot reach", removed.stderr[-300:])
    sh("rm /sys/fs/bpf/weir/agent-b0")
    wait_until(lambda: "xdp" not in sh("ip -n back link show b0").stdout, "the program is gone, as it said")


def take_off(report: Report) -> None:
    say("remove")
    dpkg("-r", "weir")
    report.equal([n for n, p in pids().items() if p], [], "no process is left")
    report.check("xdp" not in sh("ip link show eth1").stdout, "nor the XDP program")
    report.equal(glob.glob("/sys/fs/bpf/weir/*"), [], "nor its pins")
    report.check(glob.glob("/var/lib/weir/**/store.db", recursive=True) and os.path.exists("/etc/weir/hash2.key"), "state and configuration are")
    say("purge")
    dpkg("-P", "weir")
    report.equal([p for p in ("/var/lib/weir", "/run/weir", "/sys/fs/bpf/weir") if os.path.exists(p)], [], "the state is gone")
    report.check(os.path.exists("/etc/weir/hash2.key"), "the administrator's files stay")


def run(report: Report) -> None:
    say(f"systemd: {sh(['systemctl', 'is-system-running'], False).stdout.strip()}")
    sh(["bash", "-euc", WIRES])
    dpkg("-i", NEW, AGENT)
    check_installed(report)
    servers = start(report)
    try:
        under_traffic(report, "at rest", lambda: time.sleep(2))  # traffic must go on for this long
        upgrade(report)
        beside_dpdk(report)
        apply("xdp", 70, "CHG-4")
        sh(["systemctl", "restart", "weir"])
        wait_until(is_well, "the node is well with XDP again")
        agent_unit(report)
        take_off(report)
    finally:
        servers.terminate()


if __name__ == "__main__":
    sys.exit(Report.main(run))
