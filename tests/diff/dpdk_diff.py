# SPDX-License-Identifier: BSD-2-Clause
"""A whole weir-dataplane with the DPDK driver over a virtual device against the same code natively: frames of every
shape, sound and spoilt, in batches with changes of weights and members between them. Bytes sent, counters,
exceptions and cold slots must be equal. dpdk_diff.py [FRAMES [SEED]]; the XDP program is weir-diff's.
"""
import os
import random
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "lab"))

from net import BUILD, Lab, executable, say, wait_until  # noqa: E402
from report import Report  # noqa: E402
from world import Node  # noqa: E402

BATCH, BACKENDS, QUIET = 2000, 12, "net_null0,no-rx=1"
VOID = 3  # the control thread changed tables while a batch was on its way: settled slots, say
TOOL = os.path.join(BUILD, "tests", "diff", "dpdk-diff-tool")

CONFIG = """schema = 1;
cluster = {{ name = "diff"; hash_key_file = "hash.key"; hash_key_id = "k1"; }};
limits = {{ services = 64; backends = 64; slots = 16384; exceptions = 4096; }};
sites = ( {{ name = "s"; }} );
nodes = ( {{ name = "n"; site = "s"; driver = "dpdk"; ports = ( {{ interface = "in"; device = "{device}"; }} );
            dpdk = {{ hugepages = "no"; }}; tunnel_source = [ "10.255.1.0/24", "2001:db8:ff:1::/64" ]; }} );
pools = (
  {{ name = "p4"; site = "s"; mode = "ipip"; max_backends = 16; settle_time = "1d"; idle_time = "2h"; backends = ( {backends4} ); }},
  {{ name = "p6"; site = "s"; mode = "gue"; max_backends = 16; settle_time = "1d"; idle_time = "2h"; backends = ( {backends6} ); }} );
vips = (
  {{ name = "a"; site = "s"; addresses = [ "192.0.2.80", "2001:db8:80::80" ]; }},
  {{ name = "b"; site = "s"; addresses = [ "198.51.100.9", "2001:db8:80::81" ]; }} );
services = (
  {{ name = "t80"; protocol = "tcp"; port = 80; at = ( {{ site = "s"; vip = "a"; pool = "p4"; }} ); }},
  {{ name = "t443"; protocol = "tcp"; port = 443; hash = "source"; at = ( {{ site = "s"; vip = "a"; pool = "p6"; }} ); }},
  {{ name = "u53"; protocol = "udp"; port = 53; at = ( {{ site = "s"; vip = "a"; pool = "p4"; }} ); }},
  {{ name = "u443"; protocol = "udp"; port = 443; at = ( {{ site = "s"; vip = "b"; pool = "p6"; }} ); }},
  {{ name = "b80"; protocol = "tcp"; port = 80; at = ( {{ site = "s"; vip = "b"; pool = "p6"; }} ); }} );
"""


def addresses(family):
    return [f"10.1.0.{i + 10}" if family == 4 else f"2001:db8:b::{i + 10:x}" for i in range(BACKENDS)]


class Bed:
    def __init__(self, lab, seed):
        self.lab, self.random, self.host = lab, random.Random(seed), lab.host("n")
        self.paths = {d: os.path.join(lab.dir, d) for d in ("conf", "state", "run", "bpfs")}
        for path in self.paths.values():
            os.makedirs(path, exist_ok=True)
        with open(os.path.join(self.paths["conf"], "hash.key"), "w") as f:
            f.write("000102030405060708090a0b0c0d0e0f\n")
        self.options = ["--conf-dir", self.paths["conf"], "--state-dir", self.paths["state"], "--run-dir",
                        self.paths["run"], "--bpf-dir", self.paths["bpfs"], "--node", "n"]
        self.tables = os.path.join(self.paths["run"], "tables", "tables")
        self.documents = 0
        self.change()

    def stats(self):
        time.sleep(1.2)
        self.run_dir = self.paths["run"]
        return Node.stats(self, "dataplane")

    def change(self):
        """Other members and weights."""
        self.members = {family: {a: self.random.choice((0, 20, 100, 100, 300)) for a in addresses(family)
                                 if self.random.random() < 0.8} for family in (4, 6)}
        for members in self.members.values():
            members[list(members)[0]] = 100

    def write(self, device):
        """A document, and wait until it is in force."""
        backends = [", ".join(f'{{ name = "b{i}"; address = "{a}"; weight = {w}; }}'
                              for i, (a, w) in enumerate(self.members[family].items())) for family in (4, 6)]
        with open(os.path.join(self.paths["conf"], "weir.conf"), "w") as f:
            f.write(CONFIG.format(device=device, backends4=backends[0], backends6=backends[1]))
        self.host.run([executable("lab-effective"), os.path.join(self.paths["conf"], "weir.conf"), "n",
                       os.path.join(self.paths["state"], "effective.conf")])
        self.documents += 1

    def wait_for_document(self):
        def taken():
            log = self.process.log()
            attached = log.rfind("port-attached")
            return log.count("document-in-force") >= self.documents and attached >= 0
        wait_until(taken, 20, "the document is in force", 0.05)

    def start(self):
        self.write(QUIET)
        self.process = self.host.start("dataplane", [executable("weir-dataplane"), *self.options])
        self.wait_for_document()
        self.host.ip("addr add 10.1.0.1/24 dev in", "-6 addr add 2001:db8:b::1/64 dev in nodad",
                     *(f"neigh replace {a} lladdr 02:bb:00:00:00:{i:02x} dev in nud permanent"
                       for i, a in enumerate(addresses(4))),
                     *(f"-6 neigh replace {a} lladdr 02:bb:00:00:01:{i:02x} dev in nud permanent"
                       for i, a in enumerate(addresses(6))))
        # What the kernel answers to what is passed to it would be sent too.
        self.host.run(["tc", "qdisc", "replace", "dev", "in", "root", "pfifo", "limit", "0"])
        wait_until(lambda: self.process.log().count('state="known"') >= len(self.members[4]) + len(self.members[6]),
                   20, "the ways to the backends", 0.1)

    def batch(self, number, seed):
        """Change tables, remember them, feed frames, compare. @return what the tool says as its exit status and words"""
        self.change()
        self.write(QUIET)
        self.wait_for_document()
        time.sleep(0.3)
        before, feed, sent = (os.path.join(self.lab.dir, f"{number}.{n}") for n in ("before", "in.pcap", "out.pcap"))
        subprocess.run([TOOL, "frames", str(seed), str(BATCH), feed], check=True)
        shutil.copy(self.tables, before)
        first = int(time.monotonic())
        self.write(f"net_pcap{number},rx_pcap={feed},tx_pcap={sent}")
        self.wait_for_document()
        wait_until(lambda: os.path.exists(sent), 20, "the device", 0.05)
        seconds = [str(s) for s in range(first, int(time.monotonic()) + 2)]
        done = subprocess.run([TOOL, "compare", before, self.tables, feed, sent, *seconds], capture_output=True, text=True)
        for path in (before, feed, sent):
            if done.returncode == 0:
                os.unlink(path)
        return done.returncode, (done.stdout + done.stderr).strip().splitlines()[-6:]


def run(report):
    count, seed = int(sys.argv[1]) if len(sys.argv) > 1 else 5 * BATCH, int(sys.argv[2]) if len(sys.argv) > 2 else 1
    with Lab("dpdk-diff") as lab:
        bed = Bed(lab, seed)
        bed.start()
        number, done, void = 0, 0, 0
        while done < count:
            number += 1
            status, text = bed.batch(number, seed * 1000000 + number)
            if status == VOID and void <= done / BATCH + 3:
                void += 1
                continue
            report.check(status == 0, f"batch {number}", text)
            done += BATCH
        events = sum(v for (name, labels), v in bed.stats().items()
                     if name == "weir_dataplane_owner_events_total" and "settled" not in labels)
        report.check(events > count / 50, "flows met slots in change", events)


if __name__ == "__main__":
    sys.exit(Report.main(run))
