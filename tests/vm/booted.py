# SPDX-License-Identifier: BSD-2-Clause
"""A guest that boots a Debian tree of its own with systemd, as a host does; guest.py's run one script on this machine's root.

    tree(folder, packages)         a fresh Debian 12 with these packages, made once
    Booted(name, kernel, folder)   a Guest; its script runs as a unit, once the system is up

The tree is seen through 9p below an overlay in the guest's memory: what is installed and written there is gone with the
guest. This machine's files are at /host.
"""
from __future__ import annotations

import os
import shutil
import typing

from guest import Guest, initramfs
from packages import FETCH_S, Locked, run, sites

MAKE_S = 1200
BASE = ("systemd", "systemd-sysv", "udev", "dbus", "procps", "iproute2", "ethtool", "python3-minimal", "libpython3-stdlib", "kmod")
MASKED = ("getty@tty1.service", "serial-getty@ttyS0.service", "apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer",
          "fstrim.timer", "dpkg-db-backup.timer", "systemd-networkd.service", "e2scrub_reap.service")

INIT = r"""#!/bin/busybox sh
/bin/busybox --install -s /bin; export PATH=/bin
mount -t proc p /proc; mount -t sysfs s /sys; mount -t devtmpfs d /dev
while read m; do insmod /lib/modules/$m; done < /modules
mkdir -p /host /memory /new; mount -t tmpfs -o size=75% u /memory; mkdir /memory/upper /memory/work
mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=512000,cache=loose host /host
mount -t overlay -o lowerdir=/host@TREE@,upperdir=/memory/upper,workdir=/memory/work o /new
mkdir -p /new/host /new/out /new/lib/modules
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 out /new/out
ln -sfn /host@MODULES@ /new/lib/modules/@RELEASE@
echo guest > /new/etc/hostname
for u in @MASKED@; do ln -sfn /dev/null /new/etc/systemd/system/$u; done
cat > /new/etc/systemd/system/script.service <<END
[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/bash /out/booted
StandardOutput=null
TimeoutStartSec=infinity
END
cat > /new/out/booted <<END
echo 'systemd has booted' >/dev/ttyS1
/bin/bash /out/script </dev/null >/dev/ttyS1 2>&1; echo \$? >/out/status
journalctl -b --no-pager > /out/journal.log; sync
echo o >/proc/sysrq-trigger
sleep 60
END
mkdir -p /new/etc/systemd/system/default.target.wants
ln -s ../script.service /new/etc/systemd/system/default.target.wants/script.service
mount --bind /host /new/host
umount /proc /sys
exec switch_root /new /lib/systemd/systemd systemd.default_timeout_start_sec=300 quiet
"""


class Booted(Guest):
    """See the file's beginning."""
    silence_s = 600  # systemd boots without a word, and an emulated machine on a busy one takes minutes for it

    def __init__(self, name: str, kernel: tuple[str, str], folder: str, **more: typing.Any) -> None:
        super().__init__(name, kernel, **more)
        self.folder = folder

    def _initramfs(self) -> str:
        modules = f"{self.directory}/lib/modules/{self.release}"
        text = INIT.replace("@TREE@", self.folder).replace("@MODULES@", modules).replace("@RELEASE@", self.release) \
            .replace("@MASKED@", " ".join(MASKED))
        path = f"{self.directory}/initramfs-{self.name}"
        if os.path.exists(path):
            os.unlink(path)
        return initramfs(self.directory, self.release, text, os.path.basename(path))


def tree(folder: str, wanted: tuple[str, ...], later: tuple[str, ...] = ()) -> None:
    """A Debian 12 in @folder, with what satisfies @wanted (as in a package's Depends) installed. Made once.
    The packages @later are fetched: without a network apt installs them."""
    with Locked():
        if os.path.exists(f"{folder}/ready"):
            return
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(os.path.dirname(folder), exist_ok=True)
        run(["debootstrap", "--variant=minbase", f"--include={','.join(BASE)}", "bookworm", folder, sites()["debian"]], MAKE_S)
        with open("/etc/resolv.conf") as f, open(f"{folder}/etc/resolv.conf", "w") as out:
            out.write(f.read())
        environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        run(["chroot", folder, "apt-get", "update"], FETCH_S, env=environment)
        run(["chroot", folder, "apt-get", "satisfy", "-y", "--no-install-recommends", *wanted], MAKE_S, env=environment)
        run(["chroot", folder, "apt-get", "clean"])
        if later:
            run(["chroot", folder, "apt-get", "install", "-y", "--download-only", "--no-install-recommends", *later], FETCH_S, env=environment)
        open(f"{folder}/ready", "w").close()
