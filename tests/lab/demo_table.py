# SPDX-License-Identifier: BSD-2-Clause
"""The demo's last table."""

from __future__ import annotations

import typing

if typing.TYPE_CHECKING:
    from demo import Demo
ROWS = (
    ("backend_out_ms", "backend killed: to the last new flow sent to it", "ms"),
    ("backend_drain_ms", "backend drained: to the last new flow", "ms"),
    ("downloads", "downloads that went on over the drain", ""),
    ("site_drain_s", "site drained: to the last request there", "s"),
    ("site_out_ms", "site cut: to the last answer that names it", "ms"),
    ("client_out_ms", "site cut: to the last request sent there", "ms"),
    ("site_back_s", "site healed: to half its share", "s"),
)


def print_table(demo: Demo) -> None:
    print()
    print(f"{'measured':56}{'value':>12}")
    for key, text, unit in ROWS:
        if demo.result.get(key) is not None:
            print(f"{text:56}{demo.result[key]:>12} {unit}")
    print()
    print(f"{'phase':20}{'seconds':>9}{'failed requests':>18}")
    for phase, (begin, end) in demo.times.items():
        print(f"{phase:20}{(end - begin) / 1000:>9.1f}{demo.failed_requests.get(phase, 0):>18}")
    print()
    print(f"{'share of':44}{'expected':>10}{'observed':>10}{'allowed':>10}")
    for row in demo.result["steps"]:
        print(f"{row['step']:44}{row['expected']:>10.3f}{row['observed']:>10.3f}{'±' + format(row['tolerance'], '.3f'):>10}")
    failed, claims = demo.report.failed, demo.report.failed + demo.report.passed
    print(f"\n{f'{failed} of {claims} claims do not hold' if failed else f'all {claims} claims hold'}", flush=True)
