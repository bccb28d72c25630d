# SPDX-License-Identifier: BSD-2-Clause
"""A Debian tree of its own (booted.py's) booted with systemd in namespaces: the speed of this machine, and its kernel.

    with Contained("package", folder) as host:
        status = host.run("uname -r", timeout_s=60, each_line=print)

    with Contained("own", folder, net="/run/netns/own") as host:
        host.boot(timeout_s=60)
        done = host.do("systemctl is-system-running", timeout_s=60)

Its systemd is process 1 of its own pid, mount, network, host name and control group namespaces, above an overlay in memory. It has this
machine's rights, because Weir's unit is what is tried, and not a container's. The kernel's settings outside its network are read-only.
This machine's source and build folder are below /host. All is gone with its process 1, which run() and the end of `with` end.
It may not set this machine's clock.
"""
from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import time
import typing

from booted import MASKED
from packages import DIR, BUILD, ROOT, Missing

CGROUPS = ("/sys/fs/cgroup/unified", "/sys/fs/cgroup")
BOOTED, END = "systemd has booted", "the script has ended"
ENVIRONMENT = ("container=weir", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "TERM=dumb", "LC_ALL=C.UTF-8",
               "DEBIAN_FRONTEND=noninteractive")
# Beside what is masked in a guest: nothing that asks this machine's kernel for more than its own network.
ALONE = ("systemd-udev-trigger.service", "systemd-sysctl.service", "systemd-modules-load.service", "systemd-remount-fs.service",
         "sys-kernel-debug.mount", "sys-kernel-tracing.mount", "sys-kernel-config.mount", "dev-hugepages.mount", "systemd-binfmt.service",
         "proc-sys-fs-binfmt_misc.automount", "console-getty.service")

START = r"""set -eu
mount -t tmpfs -o size=75% u @WORK@; cd @WORK@; mkdir upper work new
mount -t overlay -o lowerdir=@TREE@,upperdir=upper,workdir=work o new
cd new; mkdir -p out old; mount --bind @OUT@ out
for d in @SHARED@; do mkdir -p host$d; mount --bind $d host$d; mount -o remount,bind,ro host$d; done
mount -t proc p proc; mount --bind proc/sys proc/sys; mount --bind proc/sys/net proc/sys/net; mount -o remount,bind,ro proc/sys
mount -t sysfs s sys; mount -t bpf -o mode=700 b sys/fs/bpf # as systemd does, but not in a container
mount -t cgroup2 c sys/fs/cgroup
mount -t tmpfs -o mode=755 d dev; mkdir dev/pts dev/shm dev/net; mount -t devpts -o newinstance,ptmxmode=666 p dev/pts; ln -s pts/ptmx dev/ptmx
for d in null zero full random urandom tty net/tun; do [ ! -e /dev/$d ] || cp -a /dev/$d dev/$d; done
ln -s /proc/self/fd dev/fd; : >dev/console
mount -t tmpfs -o mode=755 r run; mkdir run/udev; : >run/udev/control # else systemd looks for no devices, because /dev is not devtmpfs
tr -d - </proc/sys/kernel/random/uuid >etc/machine-id # udev derives MAC addresses from it
echo guest >etc/hostname; hostname guest; ip link set lo up
for u in @MASKED@; do ln -sfn /dev/null etc/systemd/system/$u; done
cat >etc/systemd/system/script.service <<UNIT
[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/bash /out/contained
TimeoutStartSec=infinity
UNIT
mkdir -p etc/systemd/system/default.target.wants; ln -sfn ../script.service etc/systemd/system/default.target.wants/script.service
pivot_root . old; umount -l old
exec setpriv --bounding-set -sys_time --inh-caps -sys_time env -i container=weir PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=journal </dev/null >/out/console.log 2>&1
"""
INSIDE = f"""exec >/out/pipe 2>&1
export HOME=/root TERM=dumb LC_ALL=C.UTF-8
echo '{BOOTED}'
/bin/bash /out/script </dev/null; echo $? >/out/status
journalctl -b --no-pager >/out/journal.log
echo '{END}'
"""


class Contained:
    """See the file's beginning."""

    def __init__(self, name: str, folder: str, net: str = "") -> None:
        """@net: the network namespace that it joins; without it, one of its own."""
        self.name, self.folder, self.net, self.out, self.group = name, folder, net, f"{DIR}/{name}", ""
        self.first: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Contained:
        parent = next((c for c in CGROUPS if os.path.exists(f"{c}/cgroup.procs") and os.path.exists(f"{c}/cgroup.controllers")), None)
        if not parent:
            raise Missing("no control groups of version 2 here")
        self.group = f"{parent}/weir-{self.name}-{os.getpid()}"
        os.mkdir(self.group)
        return self

    def __exit__(self, *exception: typing.Any) -> None:
        self._end()
        for folder, _, _ in os.walk(self.group, topdown=False):
            os.rmdir(folder)

    def _inner(self) -> list[int]:
        """Its process 1, as this machine sees it."""
        assert self.first
        found = subprocess.run(["pgrep", "-P", str(self.first.pid)], capture_output=True, text=True, check=False).stdout.split()
        return [int(pid) for pid in found]

    def _end(self) -> None:
        """Ends its process 1, and with it the others and the mounts."""
        if not self.first:
            return
        for pid in self._inner():
            os.kill(pid, signal.SIGKILL)
        self.first.wait(30)
        self.first = None
        until = time.monotonic() + 20
        while self._populated() and time.monotonic() < until:
            time.sleep(0.1)  # the pace of the wait for the condition above

    def _populated(self) -> bool:
        with open(f"{self.group}/cgroup.events") as f:
            return "populated 1" in f.read()

    def _lay_out(self, script: typing.Any) -> None:
        shutil.rmtree(self.out, ignore_errors=True)
        os.makedirs(f"{self.out}/work")
        os.mkfifo(f"{self.out}/pipe")
        shared = [d for d in dict.fromkeys((ROOT, BUILD)) if d == ROOT or not d.startswith(f"{ROOT}/")]
        start = START.replace("@WORK@", f"{self.out}/work").replace("@TREE@", self.folder).replace("@OUT@", self.out) \
            .replace("@SHARED@", " ".join(shared)).replace("@MASKED@", " ".join((*MASKED, *ALONE)))
        for name, text in (("script", script), ("contained", INSIDE), ("start", start)):
            with open(f"{self.out}/{name}", "w") as f:
                f.write(text)

    def _enter_group(self) -> None:
        with open(f"{self.group}/cgroup.procs", "w") as f:
            f.write(str(os.getpid()))

    def _start(self) -> None:
        join = ["nsenter", f"--net={self.net}"] if self.net else []
        own = [] if self.net else ["--net"]
        with open(f"{self.out}/start.log", "w") as log:
            self.first = subprocess.Popen([*join, "unshare", "--mount", "--pid", *own, "--uts", "--ipc", "--cgroup", "--fork", "--kill-child",
                                           "--propagation", "private", "sh", f"{self.out}/start"], stdin=subprocess.DEVNULL,
                                          stdout=log, stderr=log, preexec_fn=self._enter_group, start_new_session=True)

    def run(self, script: typing.Any, timeout_s: float, each_line: typing.Any) -> int | None:
        """As Guest.run()."""
        self._lay_out(script)
        pipe = os.open(f"{self.out}/pipe", os.O_RDWR | os.O_NONBLOCK)
        try:
            self._start()
            self._listen(pipe, time.monotonic() + timeout_s, each_line, END)
        finally:
            os.close(pipe)
            self._end()
        try:
            with open(f"{self.out}/status") as f:
                return int(f.read())
        except (FileNotFoundError, ValueError):
            return None

    def boot(self, timeout_s: float) -> None:
        """Boots it, for do(); it lives until the `with` block ends."""
        self._lay_out("exec sleep infinity\n")
        pipe = os.open(f"{self.out}/pipe", os.O_RDWR | os.O_NONBLOCK)
        try:
            self._start()
            if not self._listen(pipe, time.monotonic() + timeout_s, lambda line: None, BOOTED):
                raise Missing(f"{self.name} does not boot:\n{self.log('start')}{self.log('console')}")
        finally:
            os.close(pipe)

    def path(self, inside: str) -> str:
        """One of its files, as this machine sees it."""
        return f"/proc/{self._inner()[0]}/root{inside}"

    def enter(self) -> list[str]:
        """What runs a command there, in all of its namespaces."""
        return ["nsenter", f"--target={self._inner()[0]}", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--",
                "/usr/bin/env", "-i", *ENVIRONMENT]

    def do(self, script: str, timeout_s: float) -> subprocess.CompletedProcess[str]:
        """Runs a script of bash in root's home; both outputs in one."""
        return subprocess.run([*self.enter(), "/bin/bash", "-uc", f"cd /root\n{script}"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", timeout=timeout_s, check=False)

    def _listen(self, pipe: int, until: float, each_line: typing.Any, last: str) -> bool:
        """Whether the line @last came."""
        rest = ""
        assert self.first
        while time.monotonic() < until and self.first.poll() is None:
            if not select.select([pipe], [], [], 1)[0]:
                continue
            *lines, rest = (rest + os.read(pipe, 65536).decode(errors="replace")).split("\n")
            for line in lines:
                if line == last:
                    return True
                each_line(line)
        return False

    def broke_down(self) -> None:
        return None

    def log(self, name: str, lines: int = 15) -> str:
        """The end of a log: "console" is systemd's, "start" of what was done before it."""
        path = f"{self.out}/{name}.log"
        if not os.path.exists(path):
            return ""
        with open(path, errors="replace") as f:
            return "".join(f.readlines()[-lines:])
