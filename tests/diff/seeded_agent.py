#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Seeded bugs (seeding.py) of the backend agent: agent-diff, compiled with each, must see it.

usage: seeded_agent.py BUILD_ROOT SOURCE_ROOT
"""
from __future__ import annotations

import pathlib
import subprocess
import sys
import typing

import seeding

BUGS = [
    ("decap.h", "if (gue[0] & 0xe0 ||", "if (gue[0] & 0xc0 ||"),
    ("decap.h", "(gue[0] & 0x1fu) * 4", "(gue[0] & 0x0fu) * 4"),
    ("decap.h", "if (g->udp_len < DECAP_UDP_LEN + g->len)", "if (0)"),
    ("decap.h", "head->version != SECOND_VERSION || head->reserved", "head->version != SECOND_VERSION"),
    ("decap.h", "g->owners_next > g->owners_n", "g->owners_next > SECOND_OWNERS_MAX"),
    ("decap.h", "return len == second_len(g->owners_n, is4) ?", "return len >= second_len(g->owners_n, is4) ?"),
    ("second.h", "n * (is4 ? 4u : 16u)", "n * 4u"),
    ("second.h", "return socket == SECOND_SOCKET_HELD || (is_syn", "return socket == SECOND_SOCKET_HELD && (is_syn"),
    ("second.h", "is_syn && socket != SECOND_SOCKET_NONE", "is_syn"),
    ("decap_second.h", "(tcp[13] & 0x17u) == 0x02u", "(tcp[13] & 0x12u) == 0x02u"),
    ("decap_second.h", "(tcp[13] & 0x17u) == 0x02u", "tcp[13] == 0x02u"),
    ("decap_second.h", "decap_be16(ip + 6) & 0x1fff", "0"),
    ("decap_second.h", "!= (i + 1 == next)", "&& i + 1 != next"),
    ("decap_second.h", "fwd_addr_equal(&l->owner[0], &l->owner[2])", "0"),
    ("decap_second.h", "return n < 3 ||", "return n < 4 ||"),
    ("decap_second.h", "if (n > 1 && fwd_addr_equal", "if (n > 2 && fwd_addr_equal"),
    ("decap_second.h", "if (decap_ttl(ip, end, is4) <= 1)", "if (decap_ttl(ip, end, is4) <= 2)"),
    ("decap_second.h", "if (!decap_owner_accepted(arg, owner.bytes))", "if (0)"),
    ("decap_second.h", "ip[8]--;", ";"),
    ("decap_second.h", "ip[7]--;", ";"),
    ("decap_second.h", "decap_sum_change(ip + 10, before, decap_be16(ip + 8));", ";"),
    ("decap_second.h", "decap_sum_change(ip + 10, before, decap_be16(ip + 16 + i));", ";"),
    ("decap_second.h", "->next = (unsigned char)(next + 1);", "->next = (unsigned char)next;"),
    ("decap_second.h", "udp[6] = udp[7] = 0;", ";"),
    ("decap_second.h", "if (r->owners_next >= r->owners_n)", "if (r->owners_next + 1 >= r->owners_n)"),
]


def main() -> int:
    built, source = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])

    def build(flags: typing.Any, work: typing.Any) -> list[typing.Any]:
        program = work / "agent_diff"
        subprocess.run(["cc", *flags, "-I", built, source / "tests/diff/agent_diff.c", "-o", program,
                        built / "bpf/libweir_agent.a", built / "base/libbase.a", "-lbpf"], check=True)
        return [[program, "20000"]]
    return seeding.run(BUGS, source, build)


if __name__ == "__main__":
    sys.exit(main())
