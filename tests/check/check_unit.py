# SPDX-License-Identifier: BSD-2-Clause
"""The unit's protections: the score of systemd-analyze, and that what is left out has a reason.

    systemd-analyze security --offline=yes packaging/weir.service: at most 4.3 (0 is best, 10 worst)
"""
from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
UNIT = os.path.join(ROOT, "packaging", "weir.service")
WORST = 4.3
# Needed at run time: without one of them clocks, tables, statistics or a take-over fail under systemd only.
NEEDED = ("adjtimex", "bpf", "perf_event_open", "pidfd_getfd", "ptrace", "membarrier", "setgroups", "capset", "pidfd_open",
          "seccomp")
# What Weir never needs: a start of another kernel, mounts, modules.
FORBIDDEN = ("mount", "umount2", "init_module", "kexec_load", "reboot", "swapon", "pivot_root")


def main() -> int:
    if not shutil.which("systemd-analyze"):
        print("no systemd-analyze here: install systemd")
        return 77
    text = subprocess.run(["systemd-analyze", "security", "--offline=yes", UNIT], capture_output=True, text=True, check=False).stdout
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", text)
    failed = []
    if not found or float(found[1]) > WORST:
        failed.append(f"the exposure level is {found[1] if found else 'not told'}, at most {WORST} is allowed")
    sys.path.insert(0, os.path.join(ROOT, "tests", "lab"))
    import unit_filter
    calls = unit_filter.allowed()
    failed += [f"the unit forbids {c}, which Weir needs" for c in NEEDED if c not in calls]
    failed += [f"the unit allows {c}, which Weir does not need" for c in FORBIDDEN if c in calls]
    for line in failed:
        print(f"packaging/weir.service: {line}")
    checks = 1 + len(NEEDED) + len(FORBIDDEN)
    print(f"{checks - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
