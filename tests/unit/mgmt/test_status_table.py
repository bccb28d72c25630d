# SPDX-License-Identifier: BSD-2-Clause
"""The documentation of states is what the program says: test_status_table.py STATUS-TABLE DOCUMENT."""
import subprocess
import sys

with open(sys.argv[2]) as f:
    written = f.read()
said = subprocess.run([sys.argv[1]], check=True, capture_output=True, text=True).stdout
if said != written:
    print(f"{sys.argv[2]} is stale: run {sys.argv[1]} into it")
    sys.exit(1)
