# SPDX-License-Identifier: BSD-2-Clause
"""Documents lead somewhere: links and their anchors, paths of the source, and mentions of documents in sources.
Each document is listed in docs/README.md and installed by packaging/meson.build. No line of prose is a whole page."""
import os
import re
import typing

import tree

INDEX, PACKAGE, README = "docs/README.md", "packaging/meson.build", "README.md"
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.M | re.S)
MENTION = re.compile(r"\bdocs/[a-z-]+\.(?:md|json|conf\.example)\b")
SOURCE = re.compile(r"`((?:base|bpf|dataplane|dns|healthcheck|host|include|mgmt|model|packaging|pages|tests)/[\w/.-]+\.\w+)`")
GENERATED = {"docs/command-line.md", "docs/configuration.md", "docs/metrics-dataplane.md", "docs/figures.md"}
PROSE_MAX = 500  # characters of a line that is no table: some four sentences


def anchors(text: str) -> set[str]:
    """Where a link into a document can lead: its headings, as GitHub names them, and explicit ids."""
    heads = re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.M)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", head).lower() for head in heads)
    return {re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", head)) for head in plain} | set(re.findall(r'id="([^"]+)"', text))


def bad_links(path: str, texts: dict[str, str], files: set[str]) -> typing.Iterator[str]:
    for target in LINK.findall(FENCE.sub("", texts[path])):
        name, _, anchor = target.partition("#")
        if ":" in target:
            continue
        to = os.path.normpath(os.path.join(os.path.dirname(path), name)) if name else path
        if to not in files:
            yield f"{path}: {target} leads nowhere"
        elif anchor and to in texts and anchor not in anchors(texts[to]):
            yield f"{path}: {target}: no such heading"


def bad_lines(path: str, text: str) -> typing.Iterator[str]:
    for number, line in enumerate(FENCE.sub(lambda m: "\n" * m[0].count("\n"), text).splitlines(), 1):
        if len(line) > PROSE_MAX and not line.startswith(("|", "    ")):
            yield f"{path}:{number}: {len(line)} characters of prose in a line: make it a list, or several paragraphs"


def offences(root: str, paths: list[str]) -> list[str]:
    files = set(paths)
    documents = sorted(f for f in files if f == README or f.startswith("docs/") and f.endswith(".md"))
    texts = {f: tree.read(root, f) for f in documents}
    found: list[str] = []
    for path in documents:
        found += bad_links(path, texts, files)
        found += [f"{path}: no file {source}" for source in SOURCE.findall(texts[path])
                  if source not in files and "*" not in source]
        if path not in GENERATED:
            found += bad_lines(path, texts[path])
    index, package = texts.get(INDEX, ""), tree.read(root, PACKAGE) if PACKAGE in files else ""
    for path in documents:
        name = os.path.basename(path)
        if path not in (README, INDEX) and f"({name})" not in index and f"({name}#" not in index:
            found.append(f"{INDEX}: does not list {name}")
        if path != README and f"'{name[:-3]}'" not in package:
            found.append(f"{PACKAGE}: does not install {path}")
    for path in sorted(files - set(documents)):
        if path.endswith((".c", ".h", ".py", "meson.build", "run")) and not path.startswith("tests/check/"):
            found += [f"{path}: no document {name}" for name in MENTION.findall(tree.read(root, path)) if name not in files]
    return found


GOOD = {INDEX: "# Index\n\n[a](a.md)\n", "docs/a.md": "# A b: `c`\n\n[x](#a-b-c) `dns/x.c`\n", "dns/x.c": "/* docs/a.md */\n",
        README: "[i](docs/README.md) [a](docs/a.md#a-b-c) [w](https://weir.example/)\n", PACKAGE: "'README', 'a'\n"}
PLANTS: tree.Plants = {
    "as it should be": (GOOD, 0),
    "a link to no document": ({**GOOD, README: "[b](docs/b.md)\n"}, 1),
    "a link to no heading": ({**GOOD, README: "[a](docs/a.md#b)\n"}, 1),
    "a source that is not there": ({**GOOD, "docs/a.md": "`dns/y.c`\n", README: ""}, 1),
    "a document that the index does not list": ({**GOOD, "docs/a2.md": "", PACKAGE: "'README', 'a', 'a2'\n"}, 1),
    "a document that is not installed": ({**GOOD, PACKAGE: "'README'\n"}, 1),
    "a mention of no document": ({**GOOD, "dns/x.c": "/* docs/b.md */\n"}, 1),
    "a page in a line": ({**GOOD, "docs/a.md": GOOD["docs/a.md"] + "word " * 101 + "\n"}, 1),
    "a long row of a table": ({**GOOD, "docs/a.md": GOOD["docs/a.md"] + "| " + "word " * 101 + "|\n"}, 0),
    "a long line of an example": ({**GOOD, "docs/a.md": GOOD["docs/a.md"] + "```\n" + "word " * 101 + "\n```\n"}, 0),
}

if __name__ == "__main__":
    tree.main(offences, PLANTS)
