# SPDX-License-Identifier: BSD-2-Clause
"""The demo notices what is broken: sabotaged in each of its parts it fails, by a claim and not by a crash."""
import json
import os
import re
import subprocess
import sys

from net import BUILD, say
from report import Report

# What is broken, and the phase whose claims must notice it.
EXPECTED = {"dns": "steady", "agent": "steady", "hash-key": "steady", "health": "kill", "drain": "drain_backend"}


def run(report):
    demo = os.path.join(os.path.dirname(os.path.abspath(__file__)), "demo.py")
    for part, phase in EXPECTED.items():
        say(f"the demo with {part} broken")
        done = subprocess.run([sys.executable, demo, "--quick", "--break", part], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=300)
        with open(os.path.join(BUILD, "lab", f"break-{part}.log"), "w") as f:
            f.write(done.stdout + done.stderr)
        report.check(done.returncode != 0, f"--break {part}: it exits non-zero", done.returncode)
        report.check(f"phase {phase} failed" in done.stdout, f"--break {part}: phase {phase} notices")
        report.check("Traceback" not in done.stderr and re.search(r"^  FAIL", done.stdout, re.M),
                     f"--break {part}: by a claim")
        with open(os.path.join(BUILD, "demo.json")) as f:
            report.equal(json.load(f)["ok"], False, f"--break {part}: demo.json says so")


if __name__ == "__main__":
    sys.exit(Report.main(run))
