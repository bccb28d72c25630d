# SPDX-License-Identifier: BSD-2-Clause
"""A machine as packaging/ leaves it, in mount and process namespaces of its own.

enter() starts the lab anew as their first process; /etc is a copy there, and /run, /var/lib and /sys/fs/bpf are
empty. What is made there, users too, is seen by nobody else and gone with the lab, however it ends. The lines of
packaging/weir.sysusers and weir.tmpfiles are carried out here: systemd is not needed for a lab.
"""
from __future__ import annotations

import glob
import grp
import os
import pwd
import re
import shutil
import sys
import typing

from net import ROOT, call, executable

INSIDE = "WEIR_LAB_PACKAGED"
BIN = "/run/weir-bin"
PROGRAMS = ("weir", "weir-dataplane", "weir-health", "weir-dns", "weir-mgmt", "weir-announce")


def enter(own_etc: bool = True) -> None:
    """Go on in namespaces of our own; returns inside them. With their first process all others end. A machine that is
    thrown away as a whole needs no /etc of our own, whose copy takes some time inside a guest."""
    os.environ.pop("WEIR_USERS", None)  # each process drops its rights here
    if os.geteuid() != 0:
        return  # the lab skips itself
    if INSIDE not in os.environ:
        os.environ[INSIDE] = "yes"
        os.execvp("unshare", ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
                              "--propagation", "private", "--", sys.executable, *sys.argv])
    call(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"])
    if own_etc:
        copy = "/run/etc"
        call(["cp", "-a", "/etc", copy])
        call(["mount", "--bind", copy, "/etc"])
    call(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/var/lib"])
    call(["mount", "-t", "bpf", "-o", "mode=700", "bpf", "/sys/fs/bpf"])  # the mode that systemd gives it
    os.mkdir(BIN)
    for name in PROGRAMS:
        shutil.copy(executable(name), BIN)


def lines_of(name: str) -> list[str]:
    with open(os.path.join(ROOT, "packaging", name)) as f:
        return [line.strip() for line in f if line.strip() and not line.startswith("#")]


def exists(find: typing.Callable[[str], object], name: str) -> bool:
    try:
        find(name)
        return True
    except KeyError:
        return False


def make_users() -> list[str]:
    """The groups and users of weir.sysusers; returns the users' names."""
    names = []
    for line in lines_of("weir.sysusers"):
        kind, name, *rest = re.findall(r'"[^"]*"|\S+', line)
        if kind == "g" and not exists(grp.getgrnam, name):
            call(["groupadd", "--system", name])
        if kind == "u":
            names.append(name)
            if not exists(pwd.getpwnam, name):
                call(["useradd", "--system", "--user-group", "--home-dir", rest[2], "--no-create-home",
                      "--shell", "/usr/sbin/nologin", name])
        if kind == "m":
            call(["usermod", "--append", "--groups", rest[0], name])
    return names


def make_person(name: str, *groups: str) -> None:
    """An ordinary user, in the groups."""
    call(["useradd", "--no-create-home", "--user-group", *(["--groups", ",".join(groups)] if groups else []), name])


def make_paths(suffix: str = "") -> None:
    """The paths of weir.tmpfiles with `suffix` behind "weir", for a further node; those of 'z' where something has such a name."""
    for line in lines_of("weir.tmpfiles"):
        kind, path, mode, user, group = line.split()[:5]
        path = re.sub(r"/weir(?=/|$)", f"/weir{suffix}", path)
        if kind == "d":
            os.makedirs(path, exist_ok=True)
        elif kind != "z":
            raise ValueError(f"weir.tmpfiles: {line}")
        for found in glob.glob(path):
            os.chown(found, pwd.getpwnam(user).pw_uid, grp.getgrnam(group).gr_gid)
            os.chmod(found, int(mode, 8))


def bounding_set() -> list[str]:
    """What the unit leaves root to give away: options of setpriv(1)."""
    for line in lines_of("weir.service"):
        if line.startswith("CapabilityBoundingSet="):
            caps = line.partition("=")[2].lower().replace("cap_", "").split()
            return ["setpriv", "--bounding-set", ",".join(["-all", *(f"+{c}" for c in caps)]), "--"]
    return []


def call_filter() -> list[str]:
    """The unit's filter of system calls: what runs a command under it."""
    return [sys.executable, os.path.join(ROOT, "tests", "lab", "unit_filter.py"), "--"]


def limits() -> list[str]:
    """The unit's limits: options of prlimit(1)."""
    found = dict(line.removeprefix("Limit").split("=") for line in lines_of("weir.service") if line.startswith("Limit"))
    return ["prlimit", *(f"--{k.lower()}={v.replace('infinity', 'unlimited')}" for k, v in found.items())]


def as_user(name: str, group: str | None = None) -> list[str]:
    """Options of setpriv(1): a command as this user, with its groups or as a process of ours, in `group` and its own alone."""
    groups = ["--regid", group, "--groups", name] if group else ["--regid", name, "--init-groups"]
    return ["setpriv", "--reuid", name, *groups, "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs", "--"]
