# SPDX-License-Identifier: BSD-2-Clause
"""The demo notices what is broken: sabotaged in each of its parts it fails, by a claim and not by a crash."""
from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import typing

from net import BUILD, say
from report import Report

# What is broken, and the phase whose claims must notice it.
EXPECTED = {"dns": "steady", "agent": "steady", "hash-key": "steady", "health": "kill", "drain": "drain_backend"}


def run_to_end(command: list[typing.Any]) -> tuple[typing.Any, str]:
    """(exit status, output); when this lab is told to go, the demo is told too, and cleans up."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, env={**os.environ, "WEIR_DEMO": "break"})
    try:
        said, _ = process.communicate(timeout=300)
        return process.returncode, said
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(30)


def run(report: Report) -> None:
    demo = os.path.join(os.path.dirname(os.path.abspath(__file__)), "demo.py")
    for part, phase in EXPECTED.items():
        say(f"the demo with {part} broken")
        status, said = run_to_end([sys.executable, demo, "--quick", "--break", part])
        with open(os.path.join(BUILD, "lab", f"break-{part}.log"), "w") as f:
            f.write(said)
        report.check(status != 0, f"--break {part}: it exits non-zero", status)
        report.check(f"phase {phase} failed" in said, f"--break {part}: phase {phase} notices")
        report.check("Traceback" not in said and re.search(r"^  FAIL", said, re.M), f"--break {part}: by a claim")
        with open(os.path.join(BUILD, "break.json")) as f:
            report.equal(json.load(f)["ok"], False, f"--break {part}: its results say so")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    sys.exit(Report.main(run))
