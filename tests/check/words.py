# SPDX-License-Identifier: BSD-2-Clause
"""The retired words: what may no longer stand where, and what to write instead.

Scopes: identifiers (names in the product's C), texts (what the product says: texts between quotes with a space in them),
comments (of the product's C), documents (Markdown, without code). A word of everyday English is retired as an identifier, or
in one sense, not as a word: `take`, `set`, `rest`, `near`, `wall`.
"""
import re
import typing

IDENTIFIERS, TEXTS, COMMENTS, DOCUMENTS = "identifiers", "texts", "comments", "documents"
PRODUCT = ("announce/", "base/", "bpf/", "dataplane/", "dns/", "healthcheck/", "host/", "include/", "mgmt/", "model/", "pages/")
PROSE = (TEXTS, COMMENTS, DOCUMENTS)
READ = (TEXTS, DOCUMENTS)  # what an operator reads


class Retired(typing.NamedTuple):
    word: str
    scopes: tuple[str, ...]
    pattern: re.Pattern[str]
    instead: str
    folders: tuple[str, ...] = PRODUCT  # where it is retired, by the path's beginning


def part(words: str) -> re.Pattern[str]:
    """One of these words is a part of a name, between underscores."""
    return re.compile(rf"(?:^|_)(?:{words})(?=_|$)", re.I)


def whole(words: str) -> re.Pattern[str]:
    """One of these words is the whole name."""
    return re.compile(rf"^(?:{words})$", re.I)


def prose(words: str) -> re.Pattern[str]:
    """One of these is in a sentence; `word=` and "word": are keys, `word` is quoted, word() and word.c are names."""
    return re.compile(rf"(?<![\w.`'/-])(?:{words})(?![\w`'/=(-]|\.\w|\\?\":)", re.I)


def name(word: str, pattern: re.Pattern[str], instead: str, *folders: str) -> Retired:
    return Retired(word, (IDENTIFIERS,), pattern, instead, folders or PRODUCT)


def said(word: str, pattern: re.Pattern[str], instead: str, scopes: tuple[str, ...] = PROSE) -> Retired:
    return Retired(word, scopes, pattern, instead, ("",))


RETIRED = (
    # One word, one thing.
    name("place", part("places?|placed"), "index, steering, page_index, heap_index, range, offset, position"),
    name("set", whole("sets?|.*_set_of|(?:same|make|build|check|compare|count|open|read|follow|pool|by|put)_sets?"),
         "members, bucket, rrset, tables"),
    name("learn", part("learn|learns|learnt"), "remember, state sync, resolve"),
    name("exception", part("exceptions?"), "kernel path", "dataplane/dpdk/kernel_path"),
    name("control", part("(?<!msg_)control"), "ctl, for the control socket", "base/", "dns/", "dataplane/", "mgmt/"),  # msg_control: recvmsg(2)
    name("views", part("views?"), "peer health", "dns/", "mgmt/", "host/", "include/", "mgmt/", "model/", "pages/"),
    name("word", part("words?"), "counter", "include/weir/stats", "pages/stats", "dns/counters", "dataplane/export/publish"),
    name("take", part("take|takes|taken"), "accept, apply, install, commit, allocate, receive; with its object"),
    name("tell", part("tell|tells"), "notify, encode, log, publish, x_to_json; with its object"),
    name("ask", part("ask|asks|asked"), "query, request, intend; with its object"),
    # The field's term.
    name("easy", part("easy(?!_handle)"), "fast path"),  # easy_handle is a member of libcurl's
    name("look further", part("look_further|further"), "unsettled, slow path"),
    name("fellow", part("fellows?"), "peer"),
    name("guest, heir", part("guests?|heirs?"), "temporary owner, fallback owner"),
    name("told", part("told"), "learned; told MTU: path MTU"),
    name("mistake", part("mistakes?"), "error"),
    name("why", part("(?<!cli_)why"), "reason"),  # cli_why() is the command `weir why`
    name("young", part("young"), "embryonic"),
    name("blur", part("blur|tested|in_memory"), "launder"),
    name("near", part("near"), "suggest"),
    name("rest", part("rest"), "quarantine, grace period"),
    name("graced", part("graced"), "after the grace period"),
    name("crew", part("crew"), "workers (DPDK: lcores)"),
    name("breathe", part("breathe"), "yield"),
    name("wish, wanted, made", part("wish|wanted|made"), "computed, target"),
    name("bury", part("bury|buried"), "expire dead"),
    name("warn", whole(r"(?!log_).*_warn|warn|warn_of_.*|owners_warn_.*"), "schedule"),
    name("seen", part("seen"), "observed", "mgmt/core/", "mgmt/observe/", "mgmt/peers/", "mgmt/sync/", "mgmt/controller/", "mgmt/status/", "mgmt/api/", "mgmt/judge/"),
    name("wall", part("wall(?!_clock)"), "wall clock"),
    name("nobody", part("nobody"), "none"),
    name("stands", part("stands"), "is, says"),
    name("draft", part("drafts?"), "pending or compiled document"),
    name("rc", whole("rc|ret|res"), "err: one name for what a call returned", ""),
    name("twin, played", part("twins?|played"), "reference model, fake", "tests/"),
    said("fellow", prose("fellows?"), "peer"),
    said("guest, heir", prose("guest owners?|heirs?"), "temporary owner, fallback owner"),
    said("look further", prose("looks? further"), "unsettled, slow path"),
    said("told MTU", prose("told MTUs?"), "path MTU"),
    said("mistake", prose("mistakes?"), "error"),
    said("young", prose("young"), "embryonic"),
    said("blur", prose("blur(?:red|s)?"), "launder"),
    said("graced", prose("graced"), "after the grace period"),
    said("crew", prose("crews?"), "workers (DPDK: lcores)"),
    said("breathe", prose("breathes?"), "yield"),
    said("bury", prose("bury|buries|buried"), "expire dead"),
    said("nobody", prose("nobody"), "no one by name: no peer, no process, no user", READ),
    said("is told", prose("(?:is|are|was|were|been|be) told"), "the verb, with its subject"),
    said("what was asked", prose("what (?:was|is) asked"), "the request"),
    said("stands", prose("(?:it|that|which|nothing|what) stands?"), "is, says", READ),
    # Plain English.
    said("anew", prose("anew"), "again"),
    said("beside", prose("besides?"), "next to, in addition to", READ),
    said("whom", prose("whom"), "a noun", READ),
    said("thereof, therein, thereby", prose("there(?:of|in|by|upon|after)"), "of it: a noun"),
    said("for it has", prose("for (?:it|they|he|there) (?:has|have|is|are)"), "because", READ),
)
