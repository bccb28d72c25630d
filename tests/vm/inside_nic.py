# SPDX-License-Identifier: BSD-2-Clause
"""Inside a guest: inside_nic.py WORKERS QUEUES BOND [VLAN ...]. Weir's DPDK driver on the emulated NIC at slot 0x10, bound to vfio-pci
behind an emulated IOMMU. The wire's other end is the router's: a virtio NIC at slot 0x11, with the kernel's own driver. BOND is
0, or the mode (1, 4) of a bond of two NICs, at slots 0x10 and 0x12, against one of the kernel's over slots 0x11 and 0x13. Two
NICs without a bond are two ports: the second one's wire has a network of its own between the router and the node.
"""
from __future__ import annotations

import glob
import os
import pwd
import re
import shutil
import sys
import time
import typing

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lab"))
import packaged
import plan as planning
from lab_dpdk import idle_shares
from net import Lab, call, executable, say, wait_until
from report import Report
from wire import tag
from watch import Crowd, now_ms
from world import World

if typing.TYPE_CHECKING:
    from world import Node, Site
    from net import Host
    from net import Process

PCI, PEERS = "/sys/bus/pci/devices", ("0000:00:11.0", "0000:00:13.0")
MODES = {1: "active-backup", 4: "802.3ad lacp_rate fast"}
CHECK = ('type = "http"; port = 80; path = "/healthz"; expect = 200; interval = "2s"; fast_interval = "1s"; '
         'timeout = "4s"; rise = 1; fall = 2;')
RATE, REQUESTS, PINGS = 40, 240, 4
UPLINK, UPLINK4, UPLINK6 = "uplink", "10.99.0.", "fd00:99::"  # the second port's wire: .1 is the router, .2 the node
IDLE_SHARE = 0.05
TABLES = "/dev/hugepages/weir"  # the directory for those in hugepages
SLOW_S = 60  # nothing here is late before


def read(path: str) -> str:
    with open(path) as f:
        return f.read().strip()


def write(path: str, text: str) -> None:
    with open(path, "w") as f:
        f.write(text)


def find_nics() -> tuple[list[str], list[str]]:
    """The PCI addresses of the Ethernet devices, those under test and the router's."""
    found = [d for d in sorted(os.listdir(PCI)) if read(f"{PCI}/{d}/class").startswith("0x0200")]
    return [d for d in found if d not in PEERS], [d for d in found if d in PEERS]


def bind(report: Report, nics: list[str], peers: list[str]) -> list[typing.Any]:
    """Give the NICs to vfio-pci, the peers to the kernel. Returns the peers' interfaces."""
    for module in ("vfio-pci", "vfio_iommu_type1", "virtio_net", "tun"):
        call(["modprobe", module])
        for nic in nics if module == "vfio-pci" else ():
            write(f"{PCI}/{nic}/driver_override", "vfio-pci")
            if os.path.exists(f"{PCI}/{nic}/driver"):
                write(f"{PCI}/{nic}/driver/unbind", nic)
            write("/sys/bus/pci/drivers_probe", nic)
    report.equal({os.path.basename(os.readlink(f"{PCI}/{nic}/driver")) for nic in nics}, {"vfio-pci"}, f"{' '.join(nics)}: bound to vfio-pci")
    return [os.path.basename(wait_until(lambda p=p: glob.glob(f"{PCI}/{p}/virtio*/net/*"), SLOW_S, "the peer's interface")[0]) for p in peers]


def wire_of(world: World, peers: list[typing.Any], bond: int) -> None:
    """The router's end of the wire, an interface in its namespace: the peer, or a bond of two."""
    port = world.sites[0].node_port
    for peer in peers:
        call(["ip", "link", "set", peer, "netns", world.router.ns])
    if not bond:
        world.router.ip(f"link set {peers[0]} name {port}")
        return
    call(["modprobe", "bonding"])
    world.router.ip(f"link add {port} type bond mode {MODES[bond]} miimon 50")
    world.router.ip(*(f"link set {p} down" for p in peers), *(f"link set {p} master {port}" for p in peers))


def add_tap(host: Host, name: str, *addresses: str) -> None:
    """A port's TAP, made before Weir as the operator's network configuration would."""
    host.run(["ip", "tuntap", "add", "dev", name, "mode", "tap", "multi_queue"])
    host.ip(f"link set {name} up")
    host.address(name, *addresses)


def second_wire(world: World, peer: typing.Any) -> None:
    world.router.ip(f"link set {peer} name {UPLINK}", f"link set {UPLINK} up")
    world.router.address(UPLINK, f"{UPLINK4}1/24", f"{UPLINK6}1/64")
    add_tap(world.sites[0].node.host, "eth2", f"{UPLINK4}2/24", f"{UPLINK6}2/64")


def rewire(world: World, peers: list[typing.Any], bond: int) -> None:
    """The guest's wire takes the place of the veth pair between the switch and the node."""
    site, host = world.sites[0], world.sites[0].node.host
    host.ip("link del eth1")
    wire_of(world, peers, bond)
    world.router.ip(f"link set {site.node_port} master {site.switch}", f"link set {site.node_port} up")
    add_tap(host, "eth1", f"{site.plan.node4}/24", f"{site.plan.node6}/64")
    host.route("default", site.plan.gateway4)
    host.route("default", site.plan.gateway6)
    if len(peers) > 1 and not bond:
        second_wire(world, peers[1])


def lay_out(node: Node) -> None:
    """The node at the paths of packaging/, with the owners that it gives them."""
    node.conf, node.state, node.run_dir, node.bpf = (f"{base}/weir" for base in ("/etc", "/var/lib", "/run", "/sys/fs/bpf"))
    os.chmod("/dev/net/tun", 0o666)  # as udev has it
    packaged.make_users()
    packaged.make_paths()
    node.write_config()
    packaged.make_paths()
    os.mkdir(TABLES, 0o750)
    shutil.chown(TABLES, "weir-dataplane")  # as `weir run` does


def start(report: Report, node: Node) -> Process:
    """As `weir run` below the unit does: from root with its rights and limits, and in group weir, to the process's own user."""
    node.processes["dataplane"] = process = node.host.start(
        "weir-dataplane", [*packaged.limits(), "setpriv", "--groups", "weir", "--", *packaged.bounding_set(),
                           executable("weir-dataplane"), *node.options])
    wait_until(lambda: ready(node), 2 * SLOW_S, "the dataplane forwards", 0.2)
    with open(f"/proc/{process.pid}/status") as f:
        owner = pwd.getpwuid(int(re.search(r"^Uid:\t(\d+)", f.read(), re.M)[1])).pw_name
    report.equal(owner, "weir-dataplane", "the process is its own user's, whom the device's file was given")
    return process


def configure(node: Node, nics: list[str], workers: int, bond: int) -> None:
    """driver = "dpdk" on the PCI devices or the bond of two, a worker on each of the first CPUs."""
    lay_out(node)
    path = f"{node.conf}/weir.conf"
    device = f"net_bonding0,mode={bond}," + ",".join(f"slave={nic}" for nic in nics) if bond else nics[0]
    text = read(path).replace('driver = "auto"', f'driver = "dpdk"; dpdk = {{ cores = "0-{workers - 1}"; memory = 256; }}') \
        .replace('interface = "eth1";', f'interface = "eth1"; device = "{device}";')
    if len(nics) > 1 and not bond:
        text = text.replace(f'device = "{device}"; }}', f'device = "{device}"; }}, {{ interface = "eth2"; device = "{nics[1]}"; }}')
    write(path, text + "\n")
    node.write_effective()
    shutil.chown(f"{node.state}/effective.conf", "weir-mgmt", "weir")  # as weir-mgmt writes it


def ready(node: Node) -> typing.Any:
    try:
        return node.ctl("dataplane", {"do": "status"})["ports"] and \
            all(b["next_hop"] == "known" for b in node.ctl("dataplane", {"do": "backends"})["backends"])
    except OSError:
        return False


def per_label(node: Node, name: str) -> dict[str, typing.Any]:
    return {labels: value for (n, labels), value in node.stats("dataplane").items() if n == name}


def echoes(host: Host) -> typing.Any:
    """Echo replies that a host's kernel has taken, of both families."""
    return sum(int(line.split()[1]) for line in host.run(["nstat", "-asz", "IcmpInEchoReps", "Icmp6InEchoReplies"]).splitlines()[1:])


def own_traffic(report: Report, world: World) -> None:
    """What is not for a VIP is the kernel's, by the TAP: ARP, neighbour discovery, ping. One request at a time, each with a
    wait of its own: of several, ping waits for the last ones only as long as the first ones took, or their interval."""
    site, router = world.plan.sites[0], world.router
    for family, address in (("-4", site.node4), ("-6", site.node6)):
        router.run(["ip", family, "neigh", "flush", "to", address])
        before = echoes(router)
        answers = [router.run(["ping", "-c", "1", "-W", str(SLOW_S), address], check=False) for _ in range(PINGS)]
        times = [found[1] for found in (re.search(r"time=(.*)", text) for text in answers) if found]
        report.check(len(times) == PINGS and echoes(router) - before == PINGS,
                     f"the node answers each ping {family} once, its neighbour entry forgotten", ", ".join(times))
        text = router.run(["ip", family, "neigh", "show", address])
        report.check(world.nodes[0].host.mac("eth1") in text, "with the device's MAC, which the TAP has, too", text.strip())


def bond_says(world: World) -> list[typing.Any]:
    """The kernel's bond: (its active member, ports of its aggregator, the MAC of who is at the other end)."""
    text = world.router.run(["cat", f"/proc/net/bonding/{world.sites[0].node_port}"])
    return [found[1] if found else None for found in (re.search(pattern, text) for pattern in (
        r"Currently Active Slave: (\S+)", r"Number of ports: (\d+)", r"Partner Mac Address: (\S+)"))]


def members(report: Report, world: World, crowd: typing.Any, interfaces: list[typing.Any], mode: int) -> None:
    """The cable of one member is pulled at both ends, then put in again; then that of the other."""
    mac = world.nodes[0].host.mac("eth1")
    for place in (0, 1):
        other = interfaces[1 - place]
        both = [None, "2", mac] if mode == 4 else [interfaces[place], None, None]
        wait_until(lambda: bond_says(world) == both, SLOW_S, f"a bond of two: {both}, not {bond_says(world)}", 0.2)
        print(f"host: unplug {place}", flush=True)
        one = [None, "1", mac] if mode == 4 else [other, None, None]
        wait_until(lambda: bond_says(world) == one, SLOW_S, f"a bond of one: {one}, not {bond_says(world)}", 0.2)
        since, before = now_ms(), world.router.counters(other)["rx"]
        wait_until(lambda: len(crowd.between(since, now_ms())) >= RATE, SLOW_S, "a second's requests")
        report.check(world.router.counters(other)["rx"] > before + RATE, f"without {interfaces[place]} all goes by {other}")
        print(f"host: plug {place}", flush=True)
    if mode == 4:
        wait_until(lambda: bond_says(world) == both, SLOW_S, "a bond of two again", 0.2)
        report.check(True, f"LACP: two ports in the kernel's aggregator, with {mac}")


def in_by_the_other(report: Report, world: World, crowd: typing.Any) -> None:
    """First in and out by one port, whose device hashes nothing; then in by the other."""
    site, process = world.sites[0], world.sites[0].node.processes["dataplane"]
    report.check(wait_until(lambda: "frames-not-spread port=eth1" in process.log(), SLOW_S, "frames-not-spread", 0.2),
                 "a device that gives all flows to one of its queues is found out")
    since, before = now_ms(), world.router.counters(UPLINK)["tx"]
    world.router.ip(f"route replace {site.plan.vip4}/32 via {UPLINK4}2", f"-6 route replace {site.plan.vip6}/128 via {UPLINK6}2")
    wait_until(lambda: len(crowd.between(since, now_ms())) >= REQUESTS, SLOW_S, "requests by the other port", 0.2)
    report.check(world.router.counters(UPLINK)["tx"] > before + 4 * REQUESTS, "packets for the VIPs come in by the other port")


def meanwhile(report: Report, world: World, interfaces: list[typing.Any], bond: int) -> typing.Callable[..., None]:
    """What is done while there are requests."""
    if bond:
        return lambda crowd: members(report, world, crowd, interfaces, bond)
    return lambda crowd: in_by_the_other(report, world, crowd) if len(interfaces) > 1 else None


def serves(report: Report, world: World, do: typing.Callable[..., None]) -> None:
    """Requests by the NIC, until there are enough of them, and as long as do(crowd) takes; all are answered."""
    site = world.sites[0]
    crowd = Crowd(f"{world.lab.dir}/crowd.requests",
                  world.start_client("crowd", RATE, "--timeout-ms", 20000, targets=site.plan.vips), {})
    do(crowd)
    wait_until(lambda: len(crowd.read()) >= REQUESTS, 2 * SLOW_S, f"{REQUESTS} requests", 0.2)
    crowd.process.stop(30)
    report.equal([(r.result, r.target) for r in crowd.read() if r.result != "ok"][:3], [], "no request fails, IPv4 and IPv6")
    report.equal({r.backend for r in crowd.requests}, {b.name for b in site.backends}, f"each backend serves, of {len(crowd.requests)} requests")


def counted(report: Report, node: Node, workers: int, queues: int) -> None:
    """What the workers say of frames, once all is at rest: counters are published each second, and checks and
    neighbours go on, so a frame may come while the page is written or read."""
    received, acts = 0, 1
    end = time.monotonic() + SLOW_S
    while (received != acts or received <= 4 * REQUESTS) and time.monotonic() < end:
        time.sleep(1)  # until the counters are published again
        received = sum(per_label(node, "weir_dataplane_received_packets_total").values())
        acts = sum(per_label(node, "weir_dataplane_packets_total").values())
    report.equal(received, acts, "received = sent + passed + dropped, by reason")
    report.check(received > 4 * REQUESTS, "frames", received)
    frames = sorted(per_label(node, "weir_dataplane_worker_frames_total").values())
    handed = sum(per_label(node, "weir_dataplane_worker_handed_over_total").values())
    least = sum(frames) / queues / 3
    report.check(len(frames) == workers and all(f >= least for f in frames[-queues:]),
                 f"frames come by {queues} queues, by each at least a third of its due", frames)
    report.equal(handed > 0, queues < workers, f"they are handed over between workers only for want of queues: {handed}")
    lost = sum(sum(per_label(node, f"weir_dataplane_port_{what}_total").values()) for what in ("missed", "no_memory"))
    report.equal(lost, 0, "the device dropped none")


def rests(report: Report, site: Site, by_interrupt: bool) -> None:
    """Idle workers sleep; those whose device has receive interrupts, and who hand nothing to others, until one comes. What a busy
    machine keeps from a guest is counted as the guest's: looked at until it is little."""
    sleeps, interrupts = (sum(per_label(site.node, f"weir_dataplane_worker_{what}_total").values()) for what in ("sleeps", "interrupts"))
    report.check(sleeps > 0 and (interrupts > 0 or not by_interrupt), f"idle workers sleep: {sleeps} times, {interrupts} of them ended by an interrupt")
    if by_interrupt:
        shares = wait_until(lambda: (found := idle_shares(site)) and max(found) < IDLE_SHARE and found, SLOW_S, "workers that are idle")
        report.check(True, f"and take less than {IDLE_SHARE:.0%} of a core each", " ".join(f"{share:.3f}" for share in shares))


def rss(report: Report, process: Process, queues: int) -> None:
    """What the device was told of spreading frames, by its own word. A device with one queue is not asked."""
    found = re.search(r"rss-read-back .* queues=(\d+) requested=(\w+) hashed=(\w+) entries=(\d+)", process.log())
    seen = (int(found[1]), found[2] == found[3] != "0", int(found[4]) > 0) if found else None
    report.equal(seen, (queues, True, True) if queues > 1 else None,
                 f"RSS is read back from the device: {' '.join(found.groups()) if found else 'one queue'}")


def near_tables(report: Report, process: Process, nic: str) -> None:
    """Where there are several NUMA nodes, the tables lie in hugepages of the NIC's."""
    node = read(f"{PCI}/{nic}/numa_node")
    if len(glob.glob("/sys/devices/system/node/node[0-9]*")) < 2:
        return
    maps = [line for line in read(f"/proc/{process.pid}/numa_maps").splitlines() if f"{TABLES}/" in line]
    pages = {place for line in maps for place in re.findall(r" (N\d+)=", line)}
    report.equal((pages, [line for line in maps if " huge" not in line]), ({f"N{node}"}, []), f"the tables lie in hugepages of node {node}, the NIC's")
    report.check(re.search(rf"tables-in-memory .* numa_node={node} ", process.log()) is not None, "the log names the node")


def run(report: Report) -> None:
    workers, queues, bond, *vlans = map(int, sys.argv[1:])
    packaged.enter(own_etc=False)
    nics, peers = find_nics()
    interfaces = bind(report, nics, peers)
    with Lab("vm") as lab:
        world = World(lab, planning.simple(1, 2, api=False, check=CHECK + ' via = "direct";', vip_check=CHECK), resolvers=())
        site = world.sites[0]
        site.start_backends()
        rewire(world, interfaces, bond)
        tag(world, vlans)
        configure(site.node, nics, workers, bond)
        ids = [f"{read(f'{PCI}/{nic}/vendor')}:{read(f'{PCI}/{nic}/device')}" for nic in nics]
        say(f"{' '.join(ids)}: {workers} workers, bond {bond}, VLANs {vlans}")
        process = start(report, site.node)
        status = site.node.ctl("dataplane", {"do": "status"})
        report.equal(status["driver"], "dpdk", "the driver")
        if len(nics) == 1 or bond:
            rss(report, process, queues)
        near_tables(report, process, nics[0])
        own_traffic(report, world)
        serves(report, world, meanwhile(report, world, interfaces, bond))
        counted(report, site.node, workers, queues)
        rests(report, site, by_interrupt=len(nics) == 1)
        process.stop(SLOW_S)
        report.equal(process.popen.returncode, 0, "it ends in good order")


if __name__ == "__main__":
    sys.exit(Report.main(run))
