# SPDX-License-Identifier: BSD-2-Clause
"""Throw-away machines under QEMU, by emulation alone: no KVM is asked for.

    with Guest("xdp", kernel("6.1")) as guest:
        status = guest.run("uname -r", timeout_s=60, each_line=print)

A guest sees this machine's / as it is, through 9p below an overlay in its memory: what is built and installed
here runs there, and what it writes is gone with it, but for /out, which is DIR/NAME here. It starts in about five
seconds, runs one script as root with no network but the devices that it was given, and ends.
"""
from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import typing

from packages import DIR, ROOT, Missing, run

SILENCE_S = 180  # nothing inside a guest is waited for so long without a word

INIT = r"""#!/bin/busybox sh
/bin/busybox --install -s /bin; export PATH=/bin
mount -t proc p /proc; mount -t sysfs s /sys; mount -t devtmpfs d /dev
while read m; do insmod /lib/modules/$m; done < /modules
mkdir -p /host /memory /new; mount -t tmpfs u /memory; mkdir /memory/upper /memory/work
mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=512000,cache=loose host /host
mount -t overlay -o lowerdir=/host,upperdir=/memory/upper,workdir=/memory/work o /new
mount -t proc p /new/proc; mount -t sysfs s /new/sys; mount -t devtmpfs d /new/dev
mkdir -p /new/dev/pts /new/dev/shm /new/dev/hugepages
mount -t devpts p /new/dev/pts; mount -t tmpfs t /new/dev/shm; mount -t tmpfs t /new/run
mount -t hugetlbfs h /new/dev/hugepages; mount -t bpf b /new/sys/fs/bpf
mkdir -p /new/run/netns /new/out
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 out /new/out
ip link set lo up
exec chroot /new /bin/sh /out/stage2
"""

STAGE2 = """export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb LC_ALL=C.UTF-8
mkdir -p /lib/modules; ln -sfn {modules} /lib/modules/{release}; hostname guest; cd {root}
/bin/bash /out/script </dev/null >/dev/ttyS1 2>&1; echo $? >/out/status; sync
echo o >/proc/sysrq-trigger; while :; do :; done
"""


def archive(files: dict[str, typing.Any]) -> bytes:
    """Files {path: bytes} as a cpio archive in the "newc" form (the kernel's initramfs buffer format)."""
    out = b""
    folders = sorted({"/".join(p.split("/")[:n]) for p in files for n in range(1, p.count("/") + 1)})
    entries = [(f, 0o040755, b"") for f in folders] + [(p, 0o100755, d) for p, d in files.items()] + \
        [("TRAILER!!!", 0, b"")]
    for inode, (path, mode, data) in enumerate(entries, 1):
        name = path.encode() + b"\0"
        fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0)
        out += b"070701" + b"".join(b"%08x" % f for f in fields) + name
        out += b"\0" * (-len(out) % 4) + data
        out += b"\0" * (-len(out) % 4)
    return out


def modules_for(directory: str, release: str, names: tuple[str, str, str, str]) -> list[typing.Any]:
    """The files of kernel modules and of those that they need, in the order of loading."""
    paths = []
    for name in names:
        text = run(["modprobe", "-S", release, "-d", directory, "--show-depends", name])
        paths += [line.split()[1] for line in text.splitlines() if line.startswith("insmod ")]
    return list(dict.fromkeys(paths))


def initramfs(directory: str, release: str, init: str = INIT, name: str = "initramfs") -> str:
    """The path of an initramfs that mounts this machine's root, or does what else its @init says."""
    path = f"{directory}/{name}"
    if os.path.exists(path):
        return path
    with open("/bin/busybox", "rb") as f:
        files = {"bin/busybox": f.read(), "init": init.encode()}
    for mount_point in ("proc", "sys", "dev"):
        files[f"{mount_point}/.here"] = b""
    names = []
    for module in modules_for(directory, release, ("virtio_pci", "9p", "9pnet_virtio", "overlay")):
        name = os.path.basename(module).removesuffix(".xz")
        names.append(name)
        files[f"lib/modules/{name}"] = subprocess.run(
            ["xz", "-dc", module] if module.endswith(".xz") else ["cat", module], check=True, capture_output=True).stdout
    files["modules"] = "".join(n + "\n" for n in names).encode()
    new = f"{path}.{os.getpid()}"  # another guest may be making it
    with open(new, "wb") as f:
        f.write(archive(files))
    os.rename(new, path)
    return path


def emulator(directory: str | None = None) -> list[typing.Any]:
    """QEMU's command: the one that is installed, or one unpacked into @directory."""
    if directory:
        return [f"{directory}/usr/bin/qemu-system-x86_64", "-L", f"{directory}/usr/share/qemu",
                "-L", "/usr/share/seabios", "-L", "/usr/share/qemu", "-L", "/usr/lib/ipxe/qemu"]
    if not shutil.which("qemu-system-x86_64"):
        raise Missing("qemu-system-x86_64 is not installed")
    return ["qemu-system-x86_64"]


class Guest:
    """One guest; see the file's beginning. All of its QEMU's processes are gone when the `with` block ends."""
    silence_s = SILENCE_S

    def __init__(self, name: str, kernel: tuple[str, str], qemu: typing.Any = None, memory_mb: int = 1536, cpus: int = 2,
                 hugepages: int = 0, append: str = "", devices: typing.Sequence[typing.Any] = (),
                 taps: dict[str, bool] | None = None) -> None:
        (self.directory, self.release), self.emulator = kernel, qemu or emulator()
        if not os.path.exists("/bin/busybox"):
            raise Missing("busybox-static is not installed")
        self.name, self.out = name, f"{DIR}/{name}"
        self.qemu: subprocess.Popen[str] | None = None
        self.memory_mb, self.cpus, self.hugepages = memory_mb, cpus, hugepages
        self.append, self.devices = append, list(devices)
        self.taps, self.ns = taps or {}, f"w{os.getpid()}-vm"  # {name: whether it has several queues}

    def _initramfs(self) -> str:
        return initramfs(self.directory, self.release)

    def lay_wire(self) -> None:
        """The taps, joined by a bridge, in a network namespace that nobody else uses, and that labs remove if we cannot.
        Missing says what lacks."""
        lines = ["link add name wire type bridge stp_state 0 forward_delay 0 mcast_snooping 0", "link set dev wire up"]
        for name, several in self.taps.items():
            lines += [f"tuntap add dev {name} mode tap {'multi_queue' if several else ''}", f"link set dev {name} master wire up"]
        run(["ip", "netns", "add", self.ns])
        run(["ip", "-n", self.ns, "-batch", "-"], input="\n".join(lines) + "\n")

    def __enter__(self) -> Guest:
        return self

    def __exit__(self, *exception: typing.Any) -> None:
        self._end()
        if os.path.exists(f"/run/netns/{self.ns}"):
            run(["ip", "netns", "del", self.ns])

    def _end(self) -> None:
        if self.qemu and self.qemu.poll() is None:
            os.killpg(self.qemu.pid, signal.SIGKILL)
        if self.qemu:
            self.qemu.wait()

    def _command(self) -> list[typing.Any]:
        kernel_line = "console=ttyS0 loglevel=4 panic=-1 mitigations=off init_on_alloc=0 tsc=reliable " \
            f"no_timer_check softlockup_panic=1 watchdog_thresh=30 hugepages={self.hugepages} {self.append}"
        return [*(["nsenter", f"--net=/run/netns/{self.ns}", "--"] if self.taps else []), *self.emulator, "-accel", "tcg,thread=multi", "-cpu", "max,erms=off,fsrm=off", "-machine", "q35", "-smp", str(self.cpus),
                "-m", str(self.memory_mb), "-display", "none", "-no-reboot", "-nodefaults", "-monitor", f"unix:{self.out}/monitor,server=on,wait=off",
                "-serial", f"file:{self.out}/console.log", "-serial", "stdio",
                "-kernel", f"{self.directory}/boot/vmlinuz-{self.release}", "-initrd", self._initramfs(),
                "-append", kernel_line,
                *self.devices,
                "-fsdev", "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap",
                "-device", "virtio-9p-pci,bus=pcie.0,fsdev=host,mount_tag=host",
                "-fsdev", f"local,id=out,path={self.out},security_model=none",
                "-device", "virtio-9p-pci,bus=pcie.0,fsdev=out,mount_tag=out"]

    def run(self, script: str, timeout_s: float, each_line: typing.Callable[..., None]) -> int | None:
        """Start, run a bash script, end. Each line of its output is handed to each_line().
        @return its exit status, or None when the guest came to no end in time or did not start"""
        shutil.rmtree(self.out, ignore_errors=True)
        os.makedirs(self.out)
        modules = f"{self.directory}/lib/modules/{self.release}"
        for name, text in (("script", script), ("stage2", STAGE2.format(modules=modules, release=self.release, root=ROOT))):
            with open(f"{self.out}/{name}", "w") as f:
                f.write(text)
        with open(f"{self.out}/qemu.log", "w") as log:
            self.qemu = subprocess.Popen(["timeout", "-k", "3", str(timeout_s), *self._command()], text=True,
                                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                                         errors="replace", start_new_session=True)
        self.silent = False
        for line in self._lines():
            each_line(re.sub(r"\x1b\[[0-9;]*m|\r", "", line.rstrip("\n")))
        self.qemu.wait()
        try:
            with open(f"{self.out}/status") as f:
                return int(f.read())
        except (FileNotFoundError, ValueError):
            return None

    def _lines(self) -> typing.Iterator[typing.Any]:
        """What the guest says, until its end; one that says nothing for SILENCE_S is ended."""
        while True:
            watch = threading.Timer(self.silence_s, self._give_up)
            watch.daemon = True  # else a test that is told to end waits for it
            watch.start()
            line = self.qemu.stdout.readline()
            watch.cancel()
            if not line:
                return
            yield line

    def _give_up(self) -> None:
        self.silent = True
        self._end()

    def broke_down(self) -> str | None:
        """What QEMU or the guest's kernel says of its own end, else None. QEMU has been seen to abort (10: "iotlb_to_section"),
        to leave a CPU in the kernel for ever, which is a panic after a minute, and to leave all of them there."""
        if self.silent:
            return f"nothing was heard of it for {self.silence_s} s"
        found = re.search(r".*Assertion .*|.*Kernel panic.*", self.log("qemu", 1000) + self.log("console", 1000))
        return found[0] if found else None

    def monitor(self, command: str) -> None:
        """Carry out a command of QEMU's monitor."""
        said = b""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(60)
            s.connect(f"{self.out}/monitor")
            s.sendall(command.encode() + b"\n")
            while said.count(b"(qemu) ") < 2:
                said += s.recv(4096) or b"(qemu) "

    def log(self, name: str, lines: int = 15) -> str:
        """The end of a log: "console" or "qemu". QEMU makes the former once it runs."""
        path = f"{self.out}/{name}.log"
        if not os.path.exists(path):
            return ""
        with open(path, errors="replace") as f:
            return "".join(f.readlines()[-lines:])
