# SPDX-License-Identifier: BSD-2-Clause
"""Situations of processes: killed, hanging, refusing what they are given; management itself."""
from __future__ import annotations

import time
import typing

from net import wait_until
from truth import Situation, fault

if typing.TYPE_CHECKING:
    from truth import Bed

SIGN_S = 2.0  # a process that hangs is silent after so long


def killed(name: str) -> typing.Callable[..., typing.Any]:
    return lambda bed: bed.node.kill(name)


def started(name: str) -> typing.Callable[..., typing.Any]:
    return lambda bed: bed.node.start(name)


def hangs(name: str) -> typing.Callable[..., float]:
    def enter(bed: Bed) -> float:
        bed.node.stop_for_good(name)
        return time.monotonic() + SIGN_S
    return enter


def resumes(name: str) -> typing.Callable[..., typing.Any]:
    return lambda bed: bed.node.resume(name)


def silent(name: str) -> dict[str, typing.Any]:
    return dict(code="process-silent", subject=f"weir-{name}")


def without_management(bed: Bed) -> None:
    """The command line reads the pages: the same judgement, by its own facts."""
    bed.node.kill("mgmt")
    bed.expect("management is dead: the pages say so", "degraded", "process-silent", "weir-mgmt")
    seen = bed.status()
    bed.report.equal(seen.exit_status, 10, "and so does the exit status")
    bed.router.link_down(bed.site.node_port)
    bed.expect("management is dead and the port has no carrier", "down", "port-no-carrier", "eth1")
    bed.report.equal(bed.status().exit_status, 11, "and the exit status is that of down")
    bed.router.link_up(bed.site.node_port)
    bed.node.start("mgmt")
    bed.wait_until_well()


SITUATIONS = [
    fault("weir-health is killed", killed("health"), started("health"), "degraded", **silent("health"), quick=True),
    fault("weir-dns is killed", killed("dns"), started("dns"), "degraded", **silent("dns")),
    fault("weir-dataplane is killed, XDP goes on", killed("dataplane"), started("dataplane"), "degraded", **silent("dataplane")),
    fault("weir-dataplane is killed with DPDK", killed("dataplane"), started("dataplane"), "down", "forwarding-stopped",
          drivers=("dpdk",)),
    fault("weir-health hangs", hangs("health"), resumes("health"), "degraded", **silent("health")),
    fault("weir-dns hangs", hangs("dns"), resumes("dns"), "degraded", **silent("dns")),
    fault("weir-dataplane hangs", hangs("dataplane"), resumes("dataplane"), "degraded", **silent("dataplane")),
    Situation("management is dead", without_management),
]
