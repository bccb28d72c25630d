# SPDX-License-Identifier: BSD-2-Clause
"""No function that nobody calls, none that is external for nobody, and no two .c files that call each other.

Read from the sources of the product (calls.py). A function that tests alone call from outside, and circles that are still there,
stand in calls-allowed.txt, which only shrinks (shrinking.py):

    python3 tests/check/check_calls.py --write
"""
from __future__ import annotations

import collections
import sys

import shrinking
import tree
from calls import Calls

ALLOWED = "tests/check/calls-allowed.txt"


def find(root: str, files: list[str]) -> shrinking.Found:
    found: shrinking.Found = {}
    product = Calls(root, [f for f in files if not f.startswith("tests/")])
    tests = Calls(root, [f for f in files if f.startswith("tests/")], product.home)
    calls: collections.defaultdict[tuple[str, str], list[str]] = collections.defaultdict(list)
    for name, home in product.home.items():
        for user in product.beyond(name):
            calls[user, home].append(name)
        if not product.beyond(name):
            in_tests = name in tests.users
            what = "is called nowhere" if product.counts[name] == 1 and not in_tests else \
                "only tests call it from outside" if in_tests else "is called in this file alone: make it static"
            rule = "tests alone" if in_tests else "nobody" if product.counts[name] == 1 else "one file"
            found[(rule, name, home)] = [f"{home}: {name}(): {what}"]
    for (a, b), names in calls.items():
        if a < b and (b, a) in calls and b.endswith(".c") and a.endswith(".c"):
            found[("circle", f"{a} {b}", a)] = [f"{a} calls {', '.join(sorted(names)[:3])}() of {b}, "
                                                f"which calls {', '.join(sorted(calls[b, a])[:3])}()"]
    return found


LIST = shrinking.Allowed(ALLOWED, "check_calls.py", find)
A = "int pool_a(void)\n{\n\treturn 1;\n}\n"
B = "int pool_b(void)\n{\n\treturn pool_a();\n}\n"
MAIN = "int main(void)\n{\n\treturn pool_b();\n}\n"
HEADER = "int pool_a(void);\nint pool_b(void);\n"
PLANTS: tree.Plants = {
    "called nowhere": ({"dns/a.c": A, "dns/a.h": HEADER}, 1),
    "called by tests alone": ({"dns/a.c": A, "dns/a.h": HEADER, "tests/a.c": MAIN.replace("_b", "_a")}, 1),
    "called in its own file alone": ({"dns/a.c": A + MAIN.replace("_b", "_a")}, 1),
    "named in a comment, a text or a prototype alone": (
        {"dns/a.c": A, "dns/b.c": "/* pool_a() */\nint pool_a(void);\nconst char *b = \"pool_a\";\n"}, 1),
    "a struct and a member with its name": ({"dns/a.c": A, "dns/main.c": "int main(void)\n{\n\tstruct pool_a b;\n\n\treturn b.pool_a;\n}\n"}, 1),
    "a circle": ({"dns/a.c": A.replace("1", "pool_b()"), "dns/b.c": B, "dns/main.c": MAIN}, 1),
    "what the list allows": ({"dns/a.c": A, ALLOWED: "nobody\tpool_a\tdns/a.c\t1\n"}, 0),
    "what the list allows and is gone": ({"dns/main.c": "int main(void)\n{\n}\n", ALLOWED: "nobody\tpool_a\tdns/a.c\t1\n"}, 1),
    "a chain": ({"dns/a.c": A, "dns/b.c": B, "dns/main.c": MAIN, "dns/a.h": HEADER}, 0),
    "called in a macro, a table, an inline function": (
        {"dns/a.c": A + B.replace("pool_a()", "2") + A.replace("_a", "_c"), "dns/b.c": "int (*const b[])(void) = { pool_b };\n",
         "dns/a.h": "#define DNS_A pool_a()\nstatic inline int dns_c(void)\n{\n\treturn pool_c();\n}\n"}, 0),
    "static ones, and entries of programs": ({"dns/a.c": "static " + A + MAIN.replace("_b", "_a"), "bpf/a.bpf.c": A}, 0),
}

if __name__ == "__main__":
    if "--write" in sys.argv:
        sys.exit(LIST.write())
    tree.main(LIST.offences, PLANTS)
