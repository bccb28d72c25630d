# SPDX-License-Identifier: BSD-2-Clause
"""One word for one thing: no retired word (words.py), no static function of one word, no name that is defined twice.

What is left of them stands in words-allowed.txt, which only shrinks (shrinking.py):

    python3 tests/check/check_words.py --write
"""
import collections
import re
import sys

import shrinking
import source
import tree
import words

ALLOWED = "tests/check/words-allowed.txt"
DOCUMENTS = ("README.md", "docs/", "packaging/")
# Names of other people's libraries and of the kernel's interfaces.
FOREIGN = re.compile(r"(?:rte|bpf|curl|json|sqlite3?|ssl|ldns|libbpf|mnl|nl|rtm|ifla|pr|eth|so|ip|ipv6|tcp)_|_{2}|warn_unused|msg_control$|easy_handle$", re.I)
# What a test framework or each program has under this name.
USUAL = ("main", "setup", "teardown")
# Defined once for each program or target on purpose: the linker, or the target, has one of them.
ALTERNATIVES = ("main", "LICENSE", "drivers_dpdk", "fwd_tables", "cli_program", "cli_about", "cli_agent_words", "cli_commands",
                "cli_commands_n", "cli_options_help")
FENCE = re.compile(r"^```.*?^```", re.M | re.S)
CODE = re.compile(r"`[^`\n]*`")

Found = shrinking.Found


def is_product(path: str) -> bool:
    return path.startswith(words.PRODUCT) and path.endswith((".c", ".h"))


def prose_of(path: str, text: str) -> list[tuple[str, int, str]]:
    """(scope, line, sentence) of all that a file says."""
    if path.endswith(".md"):
        plain = CODE.sub("``", FENCE.sub(lambda m: source.blank(m.group()), text))
        return [(words.DOCUMENTS, n, line) for n, line in enumerate(plain.splitlines(), 1)
                if not re.search(r"(?i)earlier name|formerly|old name", line)]
    return [(words.TEXTS, n, said) for n, said in source.texts_of(text) if " " in said] + \
        [(words.COMMENTS, n, line) for n, line in source.comments_of(text)]


def retired_prose(path: str, text: str, found: Found) -> None:
    for scope, line, sentence in prose_of(path, text):
        for rule in words.RETIRED:
            if scope in rule.scopes:
                found[(scope, rule.word, path)] += [f"{path}:{line}: {m.group()}: write {rule.instead}"
                                                    for m in rule.pattern.finditer(sentence)]


def retired_names(path: str, text: str, found: Found) -> None:
    """A name counts once, wherever and however often it is used."""
    for name in source.names_of(text):
        if FOREIGN.match(name):
            continue
        for rule in words.RETIRED:
            if words.IDENTIFIERS in rule.scopes and path.startswith(rule.folders) and rule.pattern.search(name):
                found[(words.IDENTIFIERS, rule.word, name)] = [f"{path}: {name}: write {rule.instead}"]


def defined_twice(places: dict[tuple[str, str], set[str]], found: Found) -> None:
    for (kind, name), paths in places.items():
        own = sorted(p for p in paths if is_product(p))
        # A test program stands in for functions of the product's, but its structs are its own.
        twice = sorted(paths) if kind == "struct" and own else own
        if len(twice) > 1 and name not in ALTERNATIVES:
            found[("defined twice", kind, name)] = [f"{path}: {kind} {name} is defined elsewhere too" for path in twice[1:]]


def find(root: str, files: list[str]) -> Found:
    found: Found = collections.defaultdict(list)
    places: dict[tuple[str, str], set[str]] = collections.defaultdict(set)
    for path in files:
        if path.endswith(".md") and path.startswith(DOCUMENTS):
            retired_prose(path, tree.read(root, path), found)
        if not path.endswith((".c", ".h")):
            continue
        text = tree.read(root, path)
        if is_product(path):
            retired_prose(path, text, found)
        retired_names(path, text, found)
        for kind, name, static, line in source.definitions(text):
            if static and kind == "function" and "_" not in name and name not in USUAL:
                found[("static", "one word", name)].append(f"{path}:{line}: {name}(): a static function has a verb and an object")
            if kind == "struct" or not static and not (kind == "variable" and path.endswith(".h")):
                places[("struct" if kind == "struct" else "external", name)].add(path)
    defined_twice(places, found)
    return {key: what for key, what in found.items() if what}


LIST = shrinking.Allowed(ALLOWED, "check_words.py", find)
ONE = "static int take(void)\n{\n\treturn 0;\n}\n"
TAG = "struct fixture {\n\tint a;\n};\n"
VIEW = "int pool_size(void)\n{\n\treturn 0;\n}\n"
LISTED = "identifiers\tfellow\tfellow_count\t1\n"
PLANTS: tree.Plants = {
    "a retired name": ({"dns/a.c": "int fellow_count;\n"}, 1),
    "a retired name, used twice in two files": ({"dns/a.c": "int f(int fellow_count);\n", "dns/b.c": "int g(int fellow_count);\n"}, 1),
    "a retired name in a macro": ({"base/a.h": "#define CREW_MAX 3\n"}, 1),
    "a test's retired name": ({"tests/a.c": "int twin_of(int fellow);\n"}, 1),
    "a retired struct's name": ({"dataplane/a.h": "struct draft;\n"}, 1),
    "a retired word in a text": ({"mgmt/a.c": 'const char *a = "no fellow "\n\t"answers";\n'}, 1),
    "in a text of two parts": ({"mgmt/a.c": 'const char *a = "what was "\n\t"asked";\n'}, 1),
    "a retired word in a comment": ({"dns/a.c": "/* A young\n * flow. */\n"}, 1),
    "a retired word in a document": ({"docs/a.md": "It is told to peers.\n"}, 1),
    "two in a line": ({"docs/a.md": "Whom it is told.\n"}, 2),
    "a static function of one word": ({"base/a.c": ONE.replace("take", "open")}, 1),
    "one of two lines": ({"tests/a.c": "static const struct a *\nopen(int b,\n     int c)\n{\n}\n"}, 1),
    "one in a header": ({"base/a.h": "static inline bool empty(int a)\n{\n}\n"}, 1),
    "a struct twice": ({"dns/a.c": TAG, "mgmt/a.h": TAG}, 1),
    "a test with a struct of the product's name": ({"dns/a.c": TAG, "tests/a.c": TAG}, 1),
    "a function twice": ({"dns/a.c": VIEW, "mgmt/a.c": VIEW}, 1),
    "a variable twice": ({"dns/a.c": "int pool_size[3];\n", "mgmt/a.c": "int pool_size = 3;\n"}, 1),
    "what the list allows": ({"dns/a.c": "int fellow_count;\n", ALLOWED: LISTED}, 0),
    "more than the list allows": ({"docs/a.md": "anew\nanew\n", ALLOWED: "documents\tanew\tdocs/a.md\t1\n"}, 1),
    "what the list allows and is gone": ({"dns/a.c": "int peer_count;\n", ALLOWED: LIST.head + LISTED}, 1),
    "everyday words": ({"docs/a.md": "Take the rest of the set, near the wall.\n",
                        "dns/a.c": '/* It takes the rest. */\nconst char *a = "take a backend out of service";\n'}, 0),
    "keys and code": ({"docs/a.md": "`fellow` and\n```\nfellow\n```\n", "dns/a.c": '/* See crew.c, crew(). */\nconst char *a = "seen fellow=%d, \\"fellow\\": 1";\n'}, 0),
    "another's names": ({"dns/a.c": "int a = rte_take(SSL_CTX_set);\n"}, 0),
    "tests stand in for functions": ({"dns/a.c": VIEW, "tests/a.c": VIEW, "tests/b.c": VIEW}, 0),
    "what is declared only": ({"dns/a.c": "struct a;\nextern int b;\nint c(struct a *d);\n", "mgmt/a.c": "struct a;\nextern int b;\n"}, 0),
    "static variables, and functions of two words": ({"dns/a.c": "static int b;\n" + ONE.replace("take", "open_a"),
                                                      "mgmt/a.c": "static int b;\n" + ONE.replace("take", "open_a")}, 0),
}

if __name__ == "__main__":
    if "--write" in sys.argv:
        sys.exit(LIST.write())
    tree.main(LIST.offences, PLANTS)
