# SPDX-License-Identifier: BSD-2-Clause
"""Kernels and a QEMU for guests, from the package archive that this machine uses; nothing of it is installed.

    kernel("5.10")   a directory with boot/ and lib/modules/ of Debian's newest kernel of that series
    qemu_new()       a QEMU that knows igb: Debian 12's own (7.2) does not

All lies in build/vm, is fetched once, and Missing says what the archive does not have.
"""
from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import typing

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("WEIR_BUILD", os.path.join(ROOT, "build"))
DIR = os.path.join(BUILD, "vm")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
FETCH_S = 240

# The newest kernels of Debian 11, of 12, and those that 12 takes over from 13.
SUITES = ("debian bookworm-backports", "debian-security bullseye-security", "debian-security bookworm-security")
SERIES = {"5.10": r"linux-image-5\.10\.0-\d+-amd64", "6.1": r"linux-image-6\.1\.0-\d+-amd64",
          "6.12": r"linux-image-6\.12\.[0-9+.]*deb12-amd64"}


class Missing(Exception):
    """The archive does not have it, or does not answer: a reason to skip."""


def run(command: list[typing.Any], timeout_s: float = 60, **more: typing.Any) -> typing.Any:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, **more)
    except subprocess.TimeoutExpired:
        raise Missing(f"{command[0]}: no end after {timeout_s} s") from None
    if done.returncode != 0:
        raise Missing(f"{command[0]}: {(done.stderr.strip() or done.stdout.strip())[-300:]}")
    return done.stdout


def sites() -> dict[str, typing.Any]:
    """The archive's addresses as this machine knows them: {'debian': ..., 'debian-security': ...}."""
    text = run(["apt-get", "indextargets", "--format", "$(CODENAME) $(SITE)", "Created-By: Packages"])
    known = dict(line.split(" ", 1) for line in text.splitlines() if " " in line)
    try:
        return {"debian": known["bookworm"], "debian-security": known["bookworm-security"]}
    except KeyError as e:
        raise Missing(f"this machine's apt knows no suite {e}") from None


def apt(*words: str, folder: str = DIR) -> typing.Any:
    """An apt command with sources and lists of our own, run in @folder."""
    options = {"Dir::Etc::sourcelist": f"{DIR}/apt/sources.list", "Dir::Etc::sourceparts": "-",
               "Dir::State::lists": f"{DIR}/apt/lists", "Dir::Cache": f"{DIR}/apt/cache",
               "APT::Sandbox::User": "root", "Acquire::Retries": "2"}
    return run([words[0], *(f"-o{k}={v}" for k, v in options.items()), *words[1:]], FETCH_S, cwd=folder)


def read_lists() -> None:
    """Fetch the suites' lists, once."""
    if os.path.exists(f"{DIR}/apt/ready"):
        return
    for folder in ("lists/partial", "cache/archives/partial"):
        os.makedirs(f"{DIR}/apt/{folder}", exist_ok=True)
    where = sites()
    with open(f"{DIR}/apt/sources.list", "w") as f:
        for suite in SUITES:
            archive, name = suite.split()
            f.write(f"deb [signed-by={KEYRING}] {where[archive]} {name} main\n")
    apt("apt-get", "update")
    open(f"{DIR}/apt/ready", "w").close()


def by_version(name: str) -> list[typing.Any]:
    return [int(n) for n in re.findall(r"\d+", name)]


def unpack(packages: list[typing.Any], directory: str, unwanted: typing.Sequence[typing.Any] = ()) -> None:
    """Fetch packages and unpack them into @directory, whole or not at all."""
    debs, partial = f"{directory}.debs", f"{directory}.partial"
    for folder in (debs, partial):
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
    apt("apt-get", "download", *packages, folder=debs)
    for deb in os.listdir(debs):
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", f"{debs}/{deb}"], stdout=subprocess.PIPE) as tar:
            run(["tar", "-x", "-C", partial, *(f"--exclude={u}" for u in unwanted)], FETCH_S, stdin=tar.stdout)
    shutil.rmtree(debs)
    os.rename(partial, directory)


class Locked:
    """One test at a time fetches."""

    def __enter__(self) -> None:
        os.makedirs(DIR, exist_ok=True)
        self.file = open(f"{DIR}/lock", "w")
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *exception: typing.Any) -> None:
        self.file.close()


def kernel(series: str) -> tuple[str, str]:
    """The directory of the newest kernel of a series (a key of SERIES), and its release."""
    directory = f"{DIR}/linux-{series}"
    with Locked():
        if not os.path.exists(directory):
            read_lists()
            names = apt("apt-cache", "pkgnames", f"linux-image-{series}.").split()
            fitting = [n for n in names if re.fullmatch(SERIES[series], n)]
            if not fitting:
                raise Missing(f"the archive has no linux-image-{series}")
            unpack([max(fitting, key=by_version)], directory, ["*/sound", "*/drivers/gpu", "*/drivers/media"])
        release = os.listdir(f"{directory}/lib/modules")[0]
        if not os.path.exists(f"{directory}/lib/modules/{release}/modules.dep"):
            run(["depmod", "-b", directory, release])
    return directory, release


def qemu_new() -> str:
    """The directory of a QEMU from backports."""
    directory = f"{DIR}/qemu"
    with Locked():
        if not os.path.exists(directory):
            read_lists()
            unpack([f"qemu-system-{part}/bookworm-backports" for part in ("x86", "common", "data")], directory)
    return directory
