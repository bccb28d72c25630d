# SPDX-License-Identifier: BSD-2-Clause
"""A whole weir-dataplane with the DPDK driver over a virtual device, through the same sequences of packets, documents,
verdicts, next hops, ends and time as the XDP program and the code natively: weir-diff --process, in a namespace
of its own. dpdk_diff.py [FRAMES [SEED [WEIR-DATAPLANE]]]
"""
from __future__ import annotations

import os
import shutil
import sys
import typing

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "lab"))

from net import BUILD, Lab, executable  # noqa: E402
from report import Report  # noqa: E402

if typing.TYPE_CHECKING:
    from net import Host

KEY = "07060504030201000f0e0d0c0b0a0908\n"  # as stage.c has it
MAC = "02:aa:00:00:00:01"


def prepare(lab: Lab, host: Host) -> None:
    """Directories, and the port's TAP as the operator's network configuration would have made it."""
    for name in ("conf", "state", "run", "bpf"):
        os.makedirs(os.path.join(lab.dir, name), exist_ok=True)
    with open(os.path.join(lab.dir, "conf", "hash.key"), "w") as f:
        f.write(KEY)
    host.ip("tuntap add dev in mode tap multi_queue", f"link set in address {MAC} mtu 1500 up")
    host.address("in", "10.1.255.1/16", "2001:db8:b::ffff/64")
    # Nobody but us sends: the kernel neither what it answers to what it is given, nor on the wire.
    host.run(["tc", "qdisc", "replace", "dev", "in", "root", "pfifo", "limit", "0"])
    host.sysctl({"net.ipv6.conf.default.disable_ipv6": 1})


def run(report: Report) -> None:
    count, seed, program = (sys.argv[1:] + ["20000", "1", executable("weir-dataplane")][len(sys.argv) - 1:])[:3]
    own = len(sys.argv) > 3  # several such run at a time
    with Lab(f"dpdk-diff-{os.getpid()}" if own else "dpdk-diff") as lab:
        host = lab.host("n")
        prepare(lab, host)
        clock = os.path.join(BUILD, "tests", "diff", "libdiff-clock.so")
        process = host.start("diff", [executable("weir-diff"), "--process", lab.dir, program, clock, count, seed])
        process.popen.wait()
        said = process.log().strip().splitlines()
        report.check(process.popen.returncode == 0, f"{count} frames, seed {seed}: the process is as XDP and the code",
                     f"exit status {process.popen.returncode}, {said[-6:]}")
        print("\n".join(line for line in said if line.startswith("too long")))
    if own:
        shutil.rmtree(lab.dir)


if __name__ == "__main__":
    sys.exit(Report.main(run))
