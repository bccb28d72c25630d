#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What each command asks management, what it shows of the answer to the letter, and how it ends: the cases of cli_shown*.txt.

Usage: test_cli_shown.py WEIR SOURCE_ROOT CASES ... [--write]

A case is a block of lines:
  # why
  + NAME TEXT            a file DIR/NAME, with \\n for the end of a line; CONFIG and KEY in it are those below
  $ [VARIABLE=VALUE ...] ARGUMENTS     behind `weir`; DIR is the directory of the case; the run's, state's and conf's
  < PATH STATUS JSON     management's answer there, one after the other; the last one stays; a line that is indented goes on
  > METHOD PATH [If-Match] [JSON]      what it was asked, in this order; FILES in it: the files of the case
  | TEXT                 standard output
  ! TEXT                 standard error
  = STATUS               exit status
--write puts what was seen in place of the last four; read the difference before you believe it.
"""
from __future__ import annotations

import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import typing
import unittest

WRITE = sys.argv[-1] == "--write" and bool(sys.argv.pop())
CASES = [a for a in sys.argv if a.endswith(".txt")]
sys.argv = [a for a in sys.argv if a not in CASES]
import test_cli  # noqa: E402  it takes the rest of the arguments

WEIR = test_cli.WEIR

CONFIG = """schema = 1; cluster = { name = "c"; hash_key_file = "%s"; hash_key_id = "k"; };
sites = ( { name = "s"; }, { name = "t"; } );
nodes = ( { name = "n1"; site = "s"; ports = ( { interface = "e"; } ); tunnel_source = [ "10.0.0.0/24" ];
            clock = "trusted"; },
          { name = "n2"; site = "t"; ports = ( { interface = "e"; } ); tunnel_source = [ "10.0.1.0/24" ]; clock = "trusted"; } );
"""
WORDS = (("\\n", "\n"), ("CONFIG", CONFIG % "hash.key"), ("EFFECTIVE", CONFIG % "DIR/hash.key"), ("KEY", 32 * "0"))


def write_out(text: str) -> str:
    """A file's content, of what the case says of it."""
    for word, meaning in WORDS:
        text = text.replace(word, meaning)
    return text


class Case:
    """A block of the file."""

    def __init__(self, block: list[str]) -> None:
        self.comments, self.files, self.command, self.answers, self.expected = [], {}, "", [], []
        for line in block:
            mark, text = line[0], line[2:]
            if mark == "#":
                self.comments.append(text)
            elif mark == "+":
                name, _, content = text.partition(" ")
                self.files[name] = content
            elif mark == "$":
                self.command = text
            elif mark == "<":
                self.answers.append(text)
            elif mark == " ":
                self.answers[-1] += "\n" + line
            else:
                self.expected.append(line)

    def arguments(self, folder: str) -> tuple[dict[str, str], list[str]]:
        """(environment, arguments) of the command."""
        words = [w.replace("DIR", folder) for w in shlex.split(self.command)]
        n = next((i for i, w in enumerate(words) if not w.split("=")[0].isupper()), len(words))
        return dict(w.split("=", 1) for w in words[:n]), words[n:]

    def given(self) -> dict[str, typing.Any]:
        """{path: [(status, body), ...]}"""
        found: dict[typing.Any, typing.Any] = {}
        for answer in self.answers:
            path, status, body = answer.split(maxsplit=2)
            found.setdefault(path, []).append((int(status), body if body.startswith("<") else json.loads(body)))
        return found


def read_cases(path: str) -> list[typing.Any]:
    blocks = pathlib.Path(path).read_text().split("\n\n")
    return [Case(block.strip("\n").split("\n")) for block in blocks if block.strip()]


class Management(test_cli.Api):
    """As the fixture's, but an answer is a list of (status, body), by path with or without its query."""

    def begin(self, given: typing.Any) -> None:
        self.requests.clear()
        self.answers = self  # type: ignore[assignment]  # it answers like one
        self.given = given

    def get(self, path: str, otherwise: typing.Any) -> typing.Any:
        full = self.requests[-1][1]
        answers = self.given.get(full) or self.given.get(path)
        if not answers:
            return otherwise
        status, body = answers.pop(0) if len(answers) > 1 else answers[0]
        return status, body.encode() if isinstance(body, str) else json.dumps(body).encode()


class Shown(unittest.TestCase):
    api: typing.Any
    dir: str
    maxDiff = None

    @classmethod
    def setUpClass(cls) -> None:
        cls.dir = tempfile.mkdtemp(prefix="weir-shown.")
        cls.api = Management(os.path.join(cls.dir, "api.sock"))

    @classmethod
    def tearDownClass(cls) -> None:
        cls.api.shutdown()
        cls.api.server_close()
        shutil.rmtree(cls.dir)

    def seen(self, case: typing.Any) -> list[typing.Any]:
        """The lines of a case as they really are."""
        for name, content in case.files.items():
            pathlib.Path(self.dir, name).write_text(write_out(content).replace("DIR", self.dir))
        more, arguments = case.arguments(self.dir)
        environment = {n: v for n, v in os.environ.items() if n not in ("SUDO_USER", "NO_COLOR")}
        self.api.begin(case.given())
        done = subprocess.run([WEIR, "--conf-dir", self.dir, "--state-dir", self.dir, "--run-dir", self.dir, "--bpf-dir", self.dir,
                               *arguments], capture_output=True, text=True, timeout=60, env={**environment, **more}, check=False)
        for name in case.files:
            os.unlink(os.path.join(self.dir, name))
        lines = [self.request(case, *request) for request in self.api.requests]
        lines += [f"| {line}".rstrip("\n") for line in done.stdout.splitlines()]
        lines += [f"! {line}" for line in done.stderr.splitlines()] + [f"= {done.returncode}"]
        return [line.replace(self.dir, "DIR") for line in lines]

    def request(self, case: typing.Any, method: typing.Any, path: str, body: typing.Any, if_match: typing.Any) -> str:
        words = [">", method, path]
        if if_match:
            words.append(if_match)
        if body is not None:
            if body.get("files") == {n: write_out(c) for n, c in case.files.items()}:
                body = {**body, "files": "FILES"}
            words.append(json.dumps(body))
        return " ".join(words)

    def test_each_command_shows_what_it_is_answered(self) -> None:
        for path in CASES:
            for case in read_cases(path):
                if case.command.startswith("SUDO_USER=") and os.geteuid():
                    continue  # only root is somebody else before
                with self.subTest(" ".join(case.comments), command=case.command):
                    self.assertEqual(case.expected, self.seen(case))


def write_down() -> None:
    Shown.setUpClass()
    for path in CASES:
        blocks = []
        for case in read_cases(path):
            lines = [f"# {w}" for w in case.comments] + [f"+ {n} {c}" for n, c in case.files.items()]
            lines += [f"$ {case.command}"] + [f"< {a}" for a in case.answers]
            blocks.append("\n".join(lines + Shown().seen(case)))
        pathlib.Path(path).write_text("\n\n".join(blocks) + "\n")
    Shown.tearDownClass()


if __name__ == "__main__":
    if WRITE:
        write_down()
    else:
        test_cli.counted.main()
