# SPDX-License-Identifier: BSD-2-Clause
"""Inside a guest: inside_nic.py WORKERS QUEUES [VLAN ...]. Weir's DPDK driver on the emulated NIC at slot 0x10, bound to vfio-pci behind an
emulated IOMMU. The wire's other end is the router's: a virtio NIC at slot 0x11, with the kernel's own driver.
"""
import glob
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lab"))
import plan as planning
from net import Lab, call, executable, say, wait_until
from report import Report
from wire import tag
from watch import Crowd, now_ms
from world import World

PCI, PEER = "/sys/bus/pci/devices", "0000:00:11.0"
CHECK = ('type = "http"; port = 80; path = "/healthz"; expect = 200; interval = "2s"; fast_interval = "1s"; '
         'timeout = "4s"; rise = 1; fall = 2;')
RATE, REQUESTS, PINGS = 40, 240, 4
SLOW_S = 60  # nothing here is late before


def read(path):
    with open(path) as f:
        return f.read().strip()


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


def nic_under_test():
    """The PCI address of the Ethernet device that is not the router's."""
    found = [d for d in sorted(os.listdir(PCI)) if read(f"{PCI}/{d}/class").startswith("0x0200") and d != PEER]
    return found[0]


def bind(report, nic):
    """Give the NIC to vfio-pci, the peer to the kernel. Returns the peer's interface."""
    for module in ("vfio-pci", "vfio_iommu_type1", "virtio_net", "tun"):
        call(["modprobe", module])
        if module == "vfio-pci":
            write(f"{PCI}/{nic}/driver_override", "vfio-pci")
            if os.path.exists(f"{PCI}/{nic}/driver"):
                write(f"{PCI}/{nic}/driver/unbind", nic)
            write("/sys/bus/pci/drivers_probe", nic)
    report.equal(os.path.basename(os.readlink(f"{PCI}/{nic}/driver")), "vfio-pci", f"{nic} is bound to vfio-pci")
    return wait_until(lambda: [os.path.basename(p) for p in glob.glob(f"{PCI}/{PEER}/virtio*/net/*")], SLOW_S, "the peer's interface")[0]


def rewire(world, peer):
    """The guest's wire takes the place of the veth pair between the switch and the node; the node's eth1 is a
    TAP, with the addresses, made before Weir as the operator's network configuration would."""
    site, host = world.sites[0], world.sites[0].node.host
    host.ip("link del eth1")
    call(["ip", "link", "set", peer, "netns", world.router.ns, "name", site.node_port])
    world.router.ip(f"link set {site.node_port} master {site.switch}", f"link set {site.node_port} up")
    host.run(["ip", "tuntap", "add", "dev", "eth1", "mode", "tap", "multi_queue"])
    host.ip("link set eth1 up")
    host.address("eth1", f"{site.plan.node4}/24", f"{site.plan.node6}/64")
    host.route("default", site.plan.gateway4)
    host.route("default", site.plan.gateway6)


def configure(node, nic, workers):
    """driver = "dpdk" on the PCI device, a worker on each of the first CPUs."""
    node.write_config()
    path = f"{node.conf}/weir.conf"
    text = read(path).replace('driver = "auto"', f'driver = "dpdk"; dpdk = {{ cores = "0-{workers - 1}"; memory = 256; }}') \
        .replace('interface = "eth1";', f'interface = "eth1"; device = "{nic}";')
    write(path, text + "\n")
    node.write_effective()


def ready(node):
    try:
        return node.ctl("dataplane", {"do": "status"})["ports"] and \
            all(b["next_hop"] == "known" for b in node.ctl("dataplane", {"do": "backends"})["backends"])
    except OSError:
        return False


def per_label(node, name):
    return {labels: value for (n, labels), value in node.stats("dataplane").items() if n == name}


def echoes(host):
    """Echo replies that a host's kernel has taken, of both families."""
    return sum(int(line.split()[1]) for line in host.run(["nstat", "-asz", "IcmpInEchoReps", "Icmp6InEchoReplies"]).splitlines()[1:])


def own_traffic(report, world):
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


def serves(report, world):
    """Requests by the NIC, until there are enough of them; all are answered."""
    site = world.sites[0]
    crowd = Crowd(f"{world.lab.dir}/crowd.requests",
                  world.start_client("crowd", RATE, "--timeout-ms", 20000, targets=site.plan.vips), {})
    wait_until(lambda: len(crowd.read()) >= REQUESTS, 2 * SLOW_S, f"{REQUESTS} requests", 0.2)
    crowd.process.stop(30)
    report.equal([(r.result, r.target) for r in crowd.read() if r.result != "ok"][:3], [], "no request fails, IPv4 and IPv6")
    report.equal({r.backend for r in crowd.requests}, {b.name for b in site.backends}, f"each backend serves, of {len(crowd.requests)} requests")


def counted(report, node, workers, queues):
    """What the workers say of frames, once all is at rest: counters are published each second, and checks and
    neighbours go on, so a frame may come while the page is written or read."""
    received, acts = 0, 1
    end = time.monotonic() + SLOW_S
    while (received != acts or received <= 4 * REQUESTS) and time.monotonic() < end:
        time.sleep(1)
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


def rss(report, process, queues):
    """What the device was told of spreading frames, by its own word. A device with one queue is not asked."""
    found = re.search(r"rss-read-back .* queues=(\d+) asked=(\w+) hashed=(\w+) entries=(\d+)", process.log())
    seen = (int(found[1]), found[2] == found[3] != "0", int(found[4]) > 0) if found else None
    report.equal(seen, (queues, True, True) if queues > 1 else None,
                 f"RSS is read back from the device: {' '.join(found.groups()) if found else 'one queue'}")


def run(report):
    workers, queues, *vlans = map(int, sys.argv[1:])
    nic = nic_under_test()
    peer = bind(report, nic)
    with Lab("vm") as lab:
        world = World(lab, planning.simple(1, 2, api=False, check=CHECK + ' via = "direct";', vip_check=CHECK), resolvers=())
        site = world.sites[0]
        site.start_backends()
        rewire(world, peer)
        tag(world, vlans)
        configure(site.node, nic, workers)
        say(f"{nic}: {read(f'{PCI}/{nic}/vendor')}:{read(f'{PCI}/{nic}/device')}, {workers} workers, VLANs {vlans}")
        site.node.start("dataplane")
        process = site.node.processes["dataplane"]
        wait_until(lambda: ready(site.node), 2 * SLOW_S, "the dataplane forwards", 0.2)
        status = site.node.ctl("dataplane", {"do": "status"})
        report.equal(status["driver"], "dpdk", "the driver")
        rss(report, process, queues)
        own_traffic(report, world)
        serves(report, world)
        counted(report, site.node, workers, queues)
        process.stop(SLOW_S)
        report.equal(process.popen.returncode, 0, "it ends in good order")


if __name__ == "__main__":
    sys.exit(Report.main(run))
