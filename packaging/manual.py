#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Manual pages and bash completion, made when Weir is built, from what the programs say of themselves.

    manual.py command PROGRAM    weir(8), weir-agent(8), weir-register(8) and the like: from the table of subcommands (`weir help --json`)
    manual.py completion PROGRAM their completion for bash, from the same table
    manual.py process PROGRAM WEIR  weir-dns(8) and the like: from `weir-dns --help`
    manual.py conf PROGRAM       weir.conf(5): from the schema (`weir config reference`)

Standard output gets the text (man(7), or bash).
"""
from __future__ import annotations

import json
import re
import subprocess
import sys
import typing

SEE = ("weir(8)", "weir.conf(5)", "weir-dataplane(8)", "weir-health(8)", "weir-dns(8)", "weir-mgmt(8)",
       "weir-announce(8)", "weir-agent(8)", "weir-register(8)", "weir-sync(8)")
PROCESSES = {
    "weir-dataplane": "forward packets for virtual IPs into tunnels",
    "weir-health": "check backends and virtual IPs",
    "weir-dns": "answer DNS queries",
    "weir-announce": "announce virtual IPs through the host's routing daemon",
    "weir-mgmt": "keep versions and overrides, serve the API",
}
FILES = (
    ("/etc/weir", "the configuration, zone files, keys, tokens; weir.conf(5)"),
    ("/var/lib/weir", "the store of versions, the effective document, saved verdicts"),
    ("/run/weir", "pages and sockets"),
    ("/sys/fs/bpf/weir", "BPF programs and maps"),
    ("/usr/share/doc/weir", "the documents; docs/README.md is their index"),
)
MARK = re.compile(r"`([^`]*)`|\*\*([^*]*)\*\*")
OPTION = re.compile(r"^ {2,}(--?\S+(?: [A-Z|a-z]+)?)  +(.*)$")


def ask(program: str, *arguments: str) -> str:
    return subprocess.run([program, *arguments], check=True, capture_output=True, text=True).stdout


def plain(text: str) -> str:
    """Text as man(7) takes it: nothing in it is a request or an escape."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"(?m)^(?=[.'])", r"\\&", text)


def marked(text: str) -> str:
    """Markdown's `code` and **strong** as bold; the rest as it is."""
    out, at = [], 0
    for found in MARK.finditer(text):
        out += [plain(text[at:found.start()]), f"\\fB{plain(found[1] or found[2] or '')}\\fP"]
        at = found.end()
    return "".join(out + [plain(text[at:])])


def heading(title: str, section: int, release: str) -> str:
    return f'.TH {title.upper()} {section} "" "Weir {release}" "Weir"'


def tagged(tag: str, text: str) -> str:
    return f".TP\n.B {plain(tag)}\n{marked(text)}"


def literal(text: str) -> str:
    return ".nf\n" + plain(text.rstrip("\n")) + "\n.fi"


def see_also(name: str) -> str:
    pages = [p for p in SEE if not p.startswith(f"{name}(")]
    return ".SH SEE ALSO\n" + ",\n".join(f".BR {p.partition('(')[0]} ({p.partition('(')[2]}" for p in pages).replace(",\n", " ,\n")


def options(text: str) -> str:
    """Lines of a --help: options as tagged paragraphs, what follows them as text."""
    out = []
    for line in text.splitlines():
        found = OPTION.match(line)
        if found:
            out.append(tagged(found[1], found[2]))
        elif line.startswith("   "):
            out.append(plain(line.strip()))
        elif line.strip():
            out.append(".PP\n" + plain(line.strip()) if not out or not out[-1].startswith(".PP") else plain(line.strip()))
    return "\n".join(out)


def option_text(option: typing.Any) -> str:
    """"--over DURATION"; a value that may be left out is attached: "--wait[=empty]"."""
    value = option.get("value") or ""
    return option["name"] + (" " if value and not value.startswith("[") else "") + value


def subcommand(program: str, command: typing.Any) -> str:
    words = " ".join(filter(None, (program, command["words"], command["arguments"])))
    out = [f".SS {plain(words)}", marked(command["help"][0].upper() + command["help"][1:]) + "."]
    for o in command["options"]:
        out.append(tagged(option_text(o), o["help"]))
    return "\n".join(out)


def command_page(program: str) -> str:
    table = json.loads(ask(program, "--json", "help"))
    name = table["program"]
    only = next((c for c in table["commands"] if not c["words"]), None)
    ways = f"[OPTIONS] {plain(only['arguments'])}" if only else f"[OPTIONS] COMMAND ...\n.br\n.B {plain(name)} help\n[COMMAND]"
    out = [heading(name, 8, table["release"]), f".SH NAME\n{plain(name)} \\- {plain(table['about'])}",
           f".SH SYNOPSIS\n.B {plain(name)}\n{ways}\n.br\n.B {plain(name)} \\-\\-version",
           ".SH DESCRIPTION\nData goes to standard output; what failed, and what to do about it, to standard error.",
           ".SH OPTIONS", options(table["options_help"]), tagged("--json", "print JSON"),
           tagged("--version", "print the release"), ".SH COMMANDS"]
    out += [subcommand(name, c) for c in table["commands"]]
    out += [".SH EXIT STATUS", *(tagged(e["status"], e["meaning"]) for e in table["exits"]), ".SH FILES",
            *(tagged(path, text) for path, text in FILES), see_also(name)]
    return "\n".join(out)


def process_page(program: str, weir: typing.Any) -> str:
    """One of the five processes, which `weir run` starts."""
    release = ask(weir, "--version").split()[-1]
    name = program.rpartition("/")[2]
    shown = ask(program, "--help")
    first = next((n for n, line in enumerate(shown.splitlines()) if OPTION.match(line)), 0)
    lines = shown.removeprefix("usage: ").replace("\n       ", "\n").splitlines()
    return "\n".join([
        heading(name, 8, release), f".SH NAME\n{plain(name)} \\- {plain(PROCESSES[name])}",
        ".SH SYNOPSIS", literal("\n".join(lines[:first]) or name),
        ".SH DESCRIPTION\nOne of the five processes of Weir.\n.B weir run\nstarts it, as a user of its own, and restarts it when it dies.",
        ".SH OPTIONS", options("\n".join(lines[first:])), see_also(name)])


def table_rows(text: str) -> typing.Iterator[list[typing.Any]]:
    """The rows of a Markdown table, without its head."""
    for line in text.splitlines():
        cells = [c.strip().replace("\\|", "|") for c in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 7 and cells[0].startswith("`"):
            yield cells


def field(cells: typing.Any) -> str:
    path, kind, default, limits, effect, tried, meaning = cells
    facts = [kind] + ([default if default == "required" else f"default {default}"] if default else []) + \
        ([f"limits {limits}"] if limits else []) + (["takes effect at a restart"] if effect == "restart" else []) + \
        ([f"may be tried at {tried}"] if tried else [])
    return tagged(path.strip("`"), f"{'; '.join(facts)}.\n{meaning[:1].upper() + meaning[1:].rstrip('.')}.")


def bullets(text: str) -> str:
    """A Markdown list of one level."""
    return "\n".join(f".IP \\(bu 2\n{marked(item)}" for item in text.strip()[2:].split("\n- "))


def conf_page(program: str) -> str:
    release = ask(program, "--version").split()[-1]
    text = ask(program, "config", "reference")
    paragraphs = [p for p in text.partition("## Effective")[0].split("\n\n")
                  if p and p[0] not in "#<|" and "| field |" not in p]
    rows = [c for c in table_rows(text.partition("## Effective")[0])]
    out = [heading("weir.conf", 5, release), ".SH NAME\nweir.conf \\- the configuration of Weir",
           ".SH SYNOPSIS\n.I /etc/weir/weir.conf", ".SH DESCRIPTION"]
    for n, paragraph in enumerate(paragraphs):
        out.append(bullets(paragraph) if paragraph.startswith("- ") else (".PP\n" if n else "") + marked(paragraph.replace("\n", " ")))
    return "\n".join(out + [".SH SETTINGS", *map(field, rows),
                            ".SH EXAMPLES\n.I /usr/share/doc/weir/examples/weir.conf", see_also("weir.conf")])


NAMED = ("site", "node", "pool", "backend", "vip", "service")  # what is named behind its kind, and `weir names` lists
OPTION_KINDS = {"--site": "site", "--pool": "pool", "--service": "service", "--without": "node"}
# Arguments in capitals: the kind of names, or what the shell knows; by the command where they mean several things.
CAPITALS = {"FILE": "@file", "INTERFACE": "@interface", "SITE": "@site", "VERSION": "@version", "NODE": "@node",
            "operation ID": "@operation", "drill end ID": "@drill", "dns explain NAME": "@dns", "get PATH": "@object", "set PATH": "@object", "add PATH": "@object", "remove PATH": "@object", "edit PATH": "@object",
            "wait KIND": "site backend pool service node", "names KIND": " ".join((*NAMED, "dns", "object", "operation", "drill", "version"))}


def first_words(command: str, arguments: str) -> list[str]:
    """What may come first behind a subcommand: "site NAME|backend POOL/NAME" -> site, backend; FILE -> @file."""
    found: list[str] = []
    first = arguments.partition(" ")[0] if arguments.startswith("ID ") else arguments
    for way in first.strip("[]").split("|"):
        word = way.split()[0] if way.split() else ""
        meant = CAPITALS.get(f"{command} {word}") or CAPITALS.get(word) or (word if word.islower() else "")
        found += [m for m in meant.split() if m not in found]
    return found


def second_words(arguments: str) -> list[str]:
    """Behind an ID: "ID [hold|resume]" -> hold, resume."""
    return arguments[len("ID ["):-1].split("|") if arguments.startswith("ID [") else []


def quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def completion(program: str) -> str:
    table = json.loads(ask(program, "--json", "help"))
    name = table["program"]
    ident = name.replace("-", "_")
    shared = [m[1].split()[0] for m in map(OPTION.match, table["options_help"].splitlines()) if m]
    valued = sorted({o["name"] for c in table["commands"] for o in c["options"] if not (o.get("value") or "[").startswith("[")} | set(shared))
    rows, choices = [], {}
    for c in sorted(table["commands"], key=lambda c: -len(c["words"])):
        rows.append(f"\t{quoted(c['words'])}*) options={quoted(' '.join(o['name'] for o in c['options']))} "
                    f"words={quoted(c['words'])} first={quoted(' '.join(first_words(c['words'], c['arguments'])))} "
                    f"second={quoted(' '.join(second_words(c['arguments'])))} many={quoted('site' if 'NAME...' in c['arguments'] else '')} ;;")
        for o in c["options"]:
            if o.get("value") and re.fullmatch(r"[a-z]+(\|[a-z]+)+", o["value"]):
                choices[o["name"]] = o["value"].replace("|", " ")
    return SCRIPT.format(name=name, ident=ident, rows="\n".join(rows), valued="|".join(valued),
                         shared=" ".join(shared + ["--json", "--help", "--version"]),
                         commands="\n".join(sorted(c["words"] for c in table["commands"]) + ["help"]),
                         kinds="|".join(NAMED), option_kinds="".join(
                             f"\t{o}) _{ident}_names {kind}; return ;;\n" for o, kind in OPTION_KINDS.items() if o in valued),
                         choices="".join(f"\t{o}) _{ident}_offer {quoted(v)}; return ;;\n" for o, v in sorted(choices.items())))


SCRIPT = """# bash completion for {name}; made from its table of subcommands.
_{ident}_commands='{commands}'

_{ident}_offer() {{ mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur"); }}

# Names that programs know: lines, which nothing expands. {name} itself leaves out what a shell would not take for a
# word, and answers in time: with management stopped it is waited for no longer than this second.
_{ident}_names() {{
	local part=${{cur##*,}}
	mapfile -t COMPREPLY < <(timeout 1 "$program" "${{dirs[@]}}" names "$1" "$part" 2>/dev/null || :)
	COMPREPLY=("${{COMPREPLY[@]/#/"${{cur%"$part"}}"}}")
}}

_{ident}_interfaces() {{
	local path name
	for path in /sys/class/net/*; do
		name=${{path##*/}}
		if [[ $name == "$cur"* && $name != *[!A-Za-z0-9._:-]* ]]; then COMPREPLY+=("$name"); fi
	done
}}

_{ident}_files() {{
	compopt -o filenames 2>/dev/null || :
	mapfile -t COMPREPLY < <(compgen "$1" -- "$cur")
}}

# The words that may follow those of $given: the next word of each subcommand that begins so.
_{ident}_next() {{
	local line
	while read -r line; do
		case "$line" in
		"$given"*) line=${{line#"$given"}}; echo "${{line%% *}}" ;;
		esac
	done <<<"$_{ident}_commands"
}}

# The first word behind a subcommand: names of the kinds of $first, or else its words.
_{ident}_first() {{
	local word all=() plain=''
	for word in $first; do
		case $word in
		@file) _{ident}_files -f; return ;;
		@interface) _{ident}_interfaces; return ;;
		@*) _{ident}_names "${{word#@}}"; all+=("${{COMPREPLY[@]}}") ;;
		*) plain+=" $word" ;;
		esac
	done
	_{ident}_offer "$plain $(_{ident}_next)"
	COMPREPLY+=("${{all[@]}}")
}}

_{ident}() {{
	local cur=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} program=${{1:-{name}}} given='' i
	local options='' words='' first='' second='' many='' behind=() dirs=()
	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${{COMP_WORDS[i]}} in
		--conf-dir|--state-dir|--run-dir|--bpf-dir|--node) dirs+=("${{COMP_WORDS[i]}}" "${{COMP_WORDS[i+1]}}"); ((i++)) || : ;;
		{valued}) ((i++)) || : ;;
		-*) ;;
		*) given+="${{COMP_WORDS[i]}} " ;;
		esac
	done
	given=${{given#help }}
	case "$given" in
{rows}
	esac
	case $before in
{choices}{option_kinds}	--conf-dir|--state-dir|--run-dir|--bpf-dir) _{ident}_files -d; return ;;
	{valued}) return ;;
	esac
	if [[ $cur == -* ]]; then
		_{ident}_offer "$options {shared}"
	elif [[ -z $words ]]; then
		_{ident}_offer "$(_{ident}_next)"
	elif [[ $given == "$words " ]]; then
		_{ident}_first
	else
		read -ra behind <<<"${{given#"$words "}}"
		case ${{behind[0]}} in
		{kinds})
			if [[ " $first " == *" ${{behind[0]}} "* && (${{#behind[@]}} -eq 1 || ${{behind[0]}} == "$many") ]]; then
				_{ident}_names "${{behind[0]}}"
			fi ;;
		*) if [[ ${{#behind[@]}} -eq 1 ]]; then _{ident}_offer "$second"; fi ;;
		esac
	fi
}}
complete -F _{ident} {name}
"""
MAKERS: dict[str, typing.Callable[..., str]] = {"command": command_page, "process": process_page, "conf": conf_page, "completion": completion}

if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in MAKERS:
        sys.exit(__doc__)
    print(MAKERS[sys.argv[1]](*sys.argv[2:]))
