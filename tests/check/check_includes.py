# SPDX-License-Identifier: BSD-2-Clause
"""Which folder may include which, as a table of design and style; and which may end a process for want of memory."""
from __future__ import annotations

import re
import typing

import tree

INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.M)
FREESTANDING = {"stdbool.h", "stddef.h", "stdint.h"}

# Folder (the longest that fits counts): what its files may include with "quotes", by beginning.
LAYERS = {
    "include/weir/fwd": ("weir/fwd/",),
    "include/weir": ("weir/", "base/addr.h", "base/checked.h", "base/hash.h"),
    "base": ("base/",),
    "pages": ("pages/", "record/", "base/", "weir/"),
    "host": ("host/", "base/", "weir/"),
    "model": ("model/", "base/", "weir/"),
    "bpf": ("bpf/", "base/", "weir/", "port.bpf.h"),
    # The process uses its rooms; among them: export -> tables -> owners, nexthop and the file of DPDK's tables.
    "dataplane": ("dataplane/", "record/", "base/", "weir/"),
    "dataplane/owners": ("dataplane/owners/", "base/", "weir/"),
    "dataplane/nexthop": ("dataplane/nexthop/", "base/", "weir/"),
    "dataplane/tables": ("dataplane/tables/", "dataplane/owners/", "dataplane/nexthop/", "dataplane/dpdk/tablefile.h", "base/",
                         "weir/"),
    "dataplane/export": ("dataplane/export/", "dataplane/tables/", "record/", "base/", "weir/"),
    "dataplane/dpdk": ("dataplane/dpdk/", "dataplane/drivers.h", "base/", "weir/"),
    "dns": ("dns/", "record/", "base/", "weir/"),
    "healthcheck": ("healthcheck/", "record/", "base/", "weir/"),
    "announce": ("announce/", "record/", "base/", "weir/"),
    "record": ("record/", "base/"),
    "supervise": ("supervise/", "base/", "weir/"),
    # weir-mgmt and `weir`, which is the supervisor too; below them rooms: etcd, http, files, rules -> overrides -> store -> the rest.
    "mgmt": ("mgmt/", "record/", "base/", "weir/"),
    "mgmt/cli": ("mgmt/cli/", "mgmt/files/", "mgmt/json/", "mgmt/overrides/", "mgmt/rules/", "mgmt/setup/", "mgmt/store/", "supervise/", "record/",
                 "base/", "weir/"),
    # Commands of the cluster's store; the rest of the command line knows them by commands.c alone.
    "mgmt/cli/store": ("mgmt/cli/", "mgmt/files/", "mgmt/json/", "mgmt/setup/", "mgmt/store/", "record/", "base/", "weir/"),
    # The audit log, which is verified without any process.
    "mgmt/cli/audit": ("mgmt/cli/", "mgmt/audit/", "mgmt/files/", "record/", "base/", "weir/"),
    # Programs that register members, each with a table of its own.
    "mgmt/cli/members": ("mgmt/cli/", "mgmt/json/", "record/", "base/", "weir/"),
    # Commands by which a person changes texts and objects: as the store's.
    "mgmt/cli/edit": ("mgmt/cli/", "mgmt/files/", "mgmt/json/", "mgmt/store/", "record/", "base/", "weir/"),
    "mgmt/files": ("mgmt/files/", "record/", "base/", "weir/"),
    "mgmt/audit": ("mgmt/audit/", "mgmt/files/", "record/", "base/", "weir/"),
    "mgmt/rules": ("mgmt/rules/", "record/", "base/", "weir/"),
    "mgmt/overrides": ("mgmt/overrides/", "mgmt/files/", "record/", "mgmt/rules/rule.h", "base/", "weir/"),
    "mgmt/store": ("mgmt/store/", "mgmt/etcd/", "mgmt/files/", "mgmt/overrides/", "mgmt/rules/", "record/", "base/", "weir/"),
    "mgmt/setup": ("mgmt/setup/", "mgmt/etcd/", "mgmt/files/", "mgmt/store/", "record/", "base/", "weir/"),
    "mgmt/judge": ("mgmt/judge/", "mgmt/overrides/", "record/", "mgmt/rules/rule.h", "base/", "weir/"),
    "mgmt/json": ("mgmt/json/", "mgmt/judge/", "mgmt/files/", "mgmt/overrides/", "mgmt/store/", "record/", "base/", "weir/"),
    "mgmt/operations": ("mgmt/operations/", "mgmt/overrides/", "mgmt/rules/rule.h", "mgmt/store/", "record/", "base/", "weir/"),
    # The rooms of weir-mgmt, lowest first: core -> observe -> peers -> sync -> controller -> status -> mgmt/api.
    "mgmt/core": ("mgmt/core/", "mgmt/audit/", "mgmt/files/", "mgmt/http/", "mgmt/json/", "mgmt/overrides/", "mgmt/store/", "record/", "base/", "weir/"),
    "mgmt/observe": ("mgmt/observe/", "mgmt/core/", "mgmt/json/", "mgmt/judge/", "mgmt/overrides/", "mgmt/rules/rule.h", "record/", "base/", "weir/"),
    "mgmt/peers": ("mgmt/peers/", "mgmt/audit/", "mgmt/core/", "mgmt/observe/", "mgmt/http/", "mgmt/json/", "mgmt/operations/", "mgmt/overrides/",
                   "mgmt/store/", "record/", "base/", "weir/"),
    "mgmt/sync": ("mgmt/sync/", "mgmt/core/", "mgmt/observe/", "mgmt/peers/", "mgmt/files/", "mgmt/http/", "mgmt/json/", "mgmt/judge/",
                  "mgmt/operations/", "mgmt/overrides/", "mgmt/rules/rule.h", "mgmt/store/", "record/", "base/", "weir/"),
    "mgmt/controller": ("mgmt/controller/", "mgmt/core/", "mgmt/observe/", "mgmt/peers/", "mgmt/sync/", "mgmt/etcd/", "mgmt/http/",
                        "mgmt/json/", "mgmt/operations/", "mgmt/overrides/", "mgmt/rules/", "mgmt/store/", "record/", "base/", "weir/"),
    "mgmt/status": ("mgmt/status/", "mgmt/audit/", "mgmt/core/", "mgmt/observe/", "mgmt/peers/", "mgmt/sync/", "mgmt/controller/", "mgmt/json/", "mgmt/judge/",
                  "mgmt/overrides/", "mgmt/rules/rule.h", "mgmt/store/", "record/", "base/", "weir/"),
    "mgmt/api": ("mgmt/api/", "mgmt/audit/", "mgmt/core/", "mgmt/observe/", "mgmt/peers/", "mgmt/sync/", "mgmt/controller/", "mgmt/status/", "mgmt/files/",
                 "mgmt/http/", "mgmt/json/", "mgmt/judge/", "mgmt/operations/", "mgmt/rules/", "mgmt/store/", "record/", "base/", "weir/"),
    # A client of etcd that knows nothing of Weir.
    "mgmt/etcd": ("mgmt/etcd/", "base/", "weir/json.h"),
    # A server that knows its user by functions, and the nodes' client of it.
    "mgmt/http": ("mgmt/http/", "base/", "weir/json.h", "weir/stats.h"),
    "tests": ("",),
}

# Other people's headers, by beginning: the folders that may use them. libc and the kernel's are free to all.
LIBRARIES = {
    "libconfig.h": ("tests",),
    "ldns/": ("dns", "tests"),
    "rte_": ("dataplane/dpdk", "tests/bench", "tests/unit/dataplane"),
    "bpf/bpf_": ("bpf", "tests", "include/weir/fwd"),
    "bpf/": ("bpf", "healthcheck", "tests"),
    "seccomp.h": ("base",),
    "libmnl/": ("dataplane", "host", "tests/lab", "tests/unit"),
    "curl/": ("healthcheck", "mgmt", "tests/cluster", "tests/unit/healthcheck", "tests/unit/mgmt"),
    "sqlite3.h": ("mgmt/store", "tests"),
    "openssl/": ("mgmt", "model", "tests/fail", "tests/unit/mgmt"),
    "jansson.h": ("announce", "dataplane", "dns", "healthcheck", "include/weir", "mgmt", "model", "record", "tests"),
    "cmocka.h": ("tests",),
}

# Ours whose users are few: what ends a process must not be where one forwards or answers.
FEW = {
    re.compile(r"\b(memory_must|MEMORY_NEW)\("): ("base/memory.", "mgmt/", "announce/", "healthcheck/", "tests/"),
}


def folder_rule(path: str, table: dict[str, tuple[str, ...]]) -> str | tuple[str, ...] | None:
    best = max((f for f in table if path.startswith(f + "/")), key=len, default=None)
    return best and table[best]


def may_use(path: str, header: typing.Any) -> bool:
    for beginning in sorted(LIBRARIES, key=len, reverse=True):
        if header.startswith(beginning):
            return any(path.startswith(f + "/") for f in LIBRARIES[beginning])
    return True


def offences(root: str, files: list[str]) -> list[str]:
    found = []
    for path in files:
        allowed = folder_rule(path, LAYERS)
        if not path.endswith((".c", ".h")) or allowed is None:
            continue
        text = tree.read(root, path)
        found += [f"{path}: may not use {name}()" for pattern, users in FEW.items() if not path.startswith(users)
                  for name in pattern.findall(text)]
        for kind, header in INCLUDE.findall(text):
            if kind == '"' and not header.startswith(allowed):
                found.append(f'{path}: may not include "{header}"')
            if kind == "<" and not may_use(path, header):
                found.append(f"{path}: may not include <{header}>")
            if kind == "<" and path.startswith("include/weir/fwd/") and header not in FREESTANDING:
                found.append(f"{path}: is freestanding, but includes <{header}>")
    return found


def one(path: str, line: str) -> tuple[dict[str, str], int]:
    return {path: f"#include {line}\n"}, 1


PLANTS: tree.Plants = {
    "siblings apart": one("dns/a.c", '"healthcheck/probe.h"'),
    "the dataplane and bpf apart": one("dataplane/a.c", '"bpf/xdp.h"'),
    "owners know no tables": one("dataplane/owners/a.c", '"dataplane/tables/plan.h"'),
    "next hops know no tables": one("dataplane/nexthop/a.c", '"dataplane/tables/compiler.h"'),
    "owners and next hops apart": one("dataplane/owners/a.h", '"dataplane/nexthop/hops.h"'),
    "tables are not exported by themselves": one("dataplane/tables/a.c", '"dataplane/export/publish.h"'),
    "tables know no driver": one("dataplane/tables/a.c", '"dataplane/dpdk/worker.h"'),
    "rooms know no process": one("dataplane/export/a.c", '"dataplane/process.h"'),
    "a driver knows no tables' compiler": one("dataplane/dpdk/a.c", '"dataplane/tables/compiler.h"'),
    "base includes nothing above": one("base/a.c", '"weir/model.h"'),
    "fwd includes only itself": one("include/weir/fwd/a.h", '"base/addr.h"'),
    "fwd is freestanding": one("include/weir/fwd/a.h", "<string.h>"),
    "etcd's client knows no intent": one("mgmt/etcd/a.c", '"mgmt/store/store.h"'),
    "nor the model": one("mgmt/etcd/a.c", '"weir/model.h"'),
    "the server knows no core": one("mgmt/http/a.c", '"mgmt/core/core.h"'),
    "what threads share knows no looks": one("mgmt/core/a.c", '"mgmt/observe/observe.h"'),
    "looks know no peers": one("mgmt/observe/a.c", '"mgmt/peers/exchange.h"'),
    "the exchange follows no store": one("mgmt/peers/a.c", '"mgmt/sync/shared_run.h"'),
    "who follows decides no operation": one("mgmt/sync/a.c", '"mgmt/controller/operation_decide.h"'),
    "the controller shows nothing": one("mgmt/controller/a.c", '"mgmt/status/look.h"'),
    "what is shown knows no handler": one("mgmt/status/a.c", '"mgmt/api/handle.h"'),
    "the API knows no command line": one("mgmt/api/a.c", '"mgmt/cli/api.h"'),
    "the model knows no process": one("model/a.c", '"dns/zone/zone.h"'),
    "ldns in dns only": one("mgmt/a.c", "<ldns/ldns.h>"),
    "DPDK in its folder only": one("dataplane/a.c", "<rte_mbuf.h>"),
    "a spaced directive counts": ({"dns/a.c": '  #  include "mgmt/x.h"\n'}, 1),
    "libconfig in tests only": one("model/a.c", "<libconfig.h>"),
    "the rooms of the dataplane": ({"dataplane/a.c": '#include "dataplane/export/publish.h"\n#include "dataplane/drivers.h"\n',
                                    "dataplane/export/a.c": '#include "dataplane/tables/compiler.h"\n',
                                    "dataplane/tables/a.c": '#include "dataplane/owners/owners.h"\n#include "dataplane/nexthop/hops.h"\n'
                                                            '#include "dataplane/dpdk/tablefile.h"\n',
                                    "dataplane/dpdk/a.c": '#include "dataplane/drivers.h"\n'}, 0),
    "no end of a process that forwards": ({"dataplane/a.c": "int *a = MEMORY_NEW(int);\n", "model/a.c": "a = memory_must(a);\n",
                                           "mgmt/a.c": "int *a = MEMORY_NEW(int);\n"}, 2),
    "what is allowed": ({"dns/a.c": '#include "dns/b.h"\n#include <ldns/ldns.h>\n#include "weir/model.h"\n',
                         "include/weir/fwd/a.h": '#include "weir/fwd/b.h"\n#include <stdint.h>\n'}, 0),
}

if __name__ == "__main__":
    tree.main(offences, PLANTS)
