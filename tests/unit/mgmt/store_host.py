# SPDX-License-Identifier: BSD-2-Clause
"""Hosts that get a member of the store's etcd, without systemd: each has /etc, /var/lib and /run of its own, and an address of one
network that nothing else sees. A stand-in for systemctl starts the real etcd with the settings that it finds.

enter() starts the test anew as first process of namespaces of its own: with it all ends.
"""
from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import typing

INSIDE = "WEIR_STORE_HOSTS"
FAKE = "/run/fake"
ETCD = "/usr/bin/etcd"
SYSTEMCTL = r'''#!/usr/bin/python3
import os, shlex, signal, subprocess, sys, time
FAKE = "/run/fake"
def pid():
    try:
        number = int(open(FAKE + "/pid").read())
        return number if open(f"/proc/{number}/stat").read().split()[2] != "Z" else 0
    except (OSError, ValueError):
        return 0
def stop():
    if number := pid():
        os.kill(number, signal.SIGKILL)
        while pid():
            time.sleep(0.02)
verb, words = sys.argv[1], sys.argv[2:]
open(FAKE + "/calls", "a").write(" ".join(sys.argv[1:]) + "\n")
if os.path.exists(f"{FAKE}/fail-{verb}"):
    sys.exit(f"the unit cannot {verb}")
if verb == "is-active":
    sys.exit(0 if pid() else 3)
if verb in ("stop", "restart"):
    stop()
if verb == "start" and os.path.exists(FAKE + "/slow"):
    if os.fork():
        sys.exit(0)
    for fd in range(3):
        os.close(fd)
        os.open("/dev/null", os.O_RDWR)
    time.sleep(3)
if verb in ("start", "restart") and not os.path.exists(FAKE + "/silent"):
    given = {"ETCD_NAME": "guest", "ETCD_DATA_DIR": "/var/lib/etcd/default"}
    for line in open("/etc/default/etcd") if os.path.exists("/etc/default/etcd") else []:
        if "=" in line and not line.startswith("#"):
            name, _, value = line.strip().partition("=")
            given[name] = "".join(shlex.split(value))
    log = open(FAKE + "/etcd.log", "ab")
    child = subprocess.Popen(["setpriv", "--reuid", "etcd", "--regid", "etcd", "--clear-groups", "--", "/usr/bin/etcd"],
                             env={**given, "PATH": os.environ["PATH"]}, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    open(FAKE + "/pid", "w").write(str(child.pid))
'''


def enter(addresses: typing.Sequence[str]) -> bool:
    """Go on in namespaces of our own, with these addresses. @return false: not possible here"""
    if os.geteuid() != 0 or not os.path.exists(ETCD):
        return False
    if INSIDE not in os.environ:
        os.environ[INSIDE] = "yes"
        os.execvp("unshare", ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "--mount-proc", "--propagation", "private",
                              "--", sys.executable, *sys.argv])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "link", "add", "hosts", "type", "bridge"], check=True)
    subprocess.run(["ip", "link", "set", "hosts", "up"], check=True)
    for address in addresses:
        subprocess.run(["ip", "address", "add", f"{address}/24", "dev", "hosts"], check=True)
    return True


class Host:
    """A host, which lives until close()."""

    def __init__(self, weir: str, address: str, name: str) -> None:
        self.weir, self.address, self.name = weir, address, name
        self.process = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sh", "-euc", f"""
            mount -t tmpfs t /run; mkdir -p {FAKE} /run/etc /run/backups; mount --bind /run/backups /var/backups; mkdir -p /run/systemd/system; cp -a /etc/. /run/etc; mount --bind /run/etc /etc
            mount -t tmpfs t /var/lib; mkdir /var/lib/weir; mkdir -m 700 /var/lib/etcd; chown etcd:etcd /var/lib/etcd
            getent group weir >/dev/null || groupadd --system weir
            getent passwd weir-mgmt >/dev/null || useradd --system --user-group --no-create-home weir-mgmt
            rm -rf /etc/weir /etc/etcd-weir /etc/systemd/system/etcd.service.d; mkdir -m 750 /etc/weir; chgrp weir /etc/weir
            printf '## only comments\\n' >/etc/default/etcd
            echo ready; exec sleep infinity"""], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout and self.process.stdout.readline() == "ready\n"
        self.write(f"{FAKE}/systemctl", SYSTEMCTL, 0o755)

    def path(self, inside: str) -> str:
        return f"/proc/{self.process.pid}/root{inside}"

    def write(self, inside: str, text: str, mode: int = 0o644) -> None:
        with open(self.path(inside), "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(self.path(inside), mode)

    def read(self, inside: str) -> str:
        with open(self.path(inside), encoding="utf-8") as f:
            return f.read()

    def exists(self, inside: str) -> bool:
        return os.path.lexists(self.path(inside))

    def remove(self, inside: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path(inside))

    def command(self, *words: str) -> list[str]:
        return ["nsenter", f"--target={self.process.pid}", "--mount", "--root", "--wd", "--", "env", f"PATH={FAKE}:/usr/sbin:/usr/bin:/sbin:/bin", *words]

    def run(self, *words: str, seconds: float = 120) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*words), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, check=False)

    def call(self, *words: str, seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """A command of weir."""
        return self.run(self.weir, "--node", self.name, *words, seconds=seconds)

    def tree(self) -> dict[str, tuple[int, int, int, str]]:
        """All files that the command may write: {path: (mode, user, group, content)}."""
        found = {}
        for folder in ("/etc/weir", "/etc/default", "/etc/etcd-weir", "/etc/systemd/system/etcd.service.d", "/var/lib/etcd"):
            for where, folders, files in os.walk(self.path(folder)):
                for name in (*folders, *files):
                    path = os.path.join(where, name)
                    st = os.lstat(path)
                    inside = path.removeprefix(self.path(""))
                    text = ""
                    if name in files and not inside.startswith("/var/lib"):
                        with open(path, encoding="utf-8", errors="replace") as f:
                            text = f.read()
                    found[inside] = (st.st_mode & 0o7777, st.st_uid, st.st_gid, text)
        return found

    def calls(self) -> list[str]:
        return self.read(f"{FAKE}/calls").splitlines() if self.exists(f"{FAKE}/calls") else []

    def close(self) -> None:
        self.run("systemctl", "stop", "etcd.service")
        self.process.kill()
        self.process.wait()
        assert self.process.stdout
        self.process.stdout.close()
