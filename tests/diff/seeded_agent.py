#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Seeded bugs of the backend agent: each a one-line change of a copy of its headers, from which the native side of
agent-diff is compiled; the XDP program stays as it is. Every one must be caught by a difference.

usage: seeded_agent.py AGENT_DIFF BUILD_ROOT SOURCE_ROOT
"""
import concurrent.futures
import pathlib
import shutil
import subprocess
import sys
import tempfile

# file in include/weir/fwd/, what stands there (once), what is put in its place
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


def survives(bug, agent_diff, build, source):
    """Whether agent-diff sees no difference; a crash of it is no catch."""
    name, old, new = bug
    with tempfile.TemporaryDirectory(prefix="weir-bug-") as directory:
        work = pathlib.Path(directory)
        shutil.copytree(source / "include", work / "include")
        path = work / "include/weir/fwd" / name
        text = path.read_text()
        if text.count(old) != 1:
            raise SystemExit(f"{name}: found {text.count(old)} times, not once: {old}")
        path.write_text(text.replace(old, new))
        program = work / "agent_diff"
        libraries = [build / "bpf/libweir_agent.a", build / "base/libbase.a"]
        subprocess.run(["cc", "-std=gnu11", "-D_GNU_SOURCE", "-O0", "-fno-strict-aliasing", "-w", "-I", work / "include",
                        "-I", source, "-I", build, source / "tests/diff/agent_diff.c", "-o", program, *libraries, "-lbpf"],
                       check=True)
        done = subprocess.run([program, "20000"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{agent_diff} ended with {done.returncode} for {bug}: {done.stderr[-300:]}")
    return done.returncode == 0


def main():
    agent_diff, build, source = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda bug: survives(bug, agent_diff, build, source), BUGS))
    for bug, survived in zip(BUGS, results):
        if survived:
            print(f"survived: {bug[0]}: {bug[1]} -> {bug[2]}")
    print(f"{results.count(False)} passed, {results.count(True)} failed")
    return 1 if any(results) else 0


if __name__ == "__main__":
    sys.exit(main())
