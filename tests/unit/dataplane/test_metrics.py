# SPDX-License-Identifier: BSD-2-Clause
"""The documentation of metrics is what the program says: test_metrics.py WEIR_DATAPLANE DOCUMENT."""
import subprocess
import sys

with open(sys.argv[2]) as f:
    written = f.read()
said = subprocess.run([sys.argv[1], "--metrics"], check=True, capture_output=True, text=True).stdout
if said != written:
    print(f"{sys.argv[2]} is stale: run `weir-dataplane --metrics` into it")
    sys.exit(1)
