# SPDX-License-Identifier: BSD-2-Clause
"""Routing daemons in a lab's hosts: BIRD and FRR with the configurations of packaging/, exactly as they are (but in a guest for BFD's times).

The lab uses the addresses of these files: routers 192.0.2.1 and .2, 2001:db8::1 and ::2, AS numbers 64500 and 64512.

FRR's VRFs are devices where the kernel has them (vm.py frr-vrf), made as packaging/frr/weir-vrf.service does. Elsewhere they are
network namespaces (zebra --vrfwnetns), into which lab-vrf-stand-in copies Weir's routes; bgpd's configuration is the same.
"""
from __future__ import annotations

import atexit
import os
import re
import shutil
import subprocess
import sys
import typing

from net import ROOT, Host, Lab, call, executable, wait_until

PACKAGING = os.path.join(ROOT, "packaging")
FRR = "/usr/lib/frr"
GUEST = "--guest" in sys.argv  # an emulated machine comes too late for BFD with 3 x 100 ms
VRFS = {"weir": 177, "weir-gshut": 178}

RR = ["chrt", "--rr", "1"]
# BFD waits 300 ms, and the machine has other work: as docs/handbook.md says, unless this machine does not allow it
FIRST = RR if subprocess.run([*RR, "true"], capture_output=True).returncode == 0 else []


def make_vrfs(host: Host) -> bool:
    """As the unit does. Returns whether the kernel has such devices."""
    with open(os.path.join(PACKAGING, "frr", "weir-vrf.service")) as f:
        line = next(text for text in f if text.startswith("ExecStart=/bin/sh -ec "))
    script = line.partition("-ec ")[2].strip().strip("'").replace("$$", "$")
    host.run(["sh", "-ec", script], check=False)
    return "weir-gshut" in host.run(["ip", "link"])


def unlink_old(path: str) -> None:
    """The socket of a daemon that was killed: only that of the next one tells that it listens."""
    if os.path.lexists(path):
        os.unlink(path)


def copied(folder: str, directory: str, *names: str, has_ipv4: bool = True) -> None:
    os.makedirs(directory, exist_ok=True)
    for name in names:
        with open(os.path.join(PACKAGING, folder, name)) as f:
            text = f.read()
        if GUEST:
            text = re.sub("interval 100( ms)?;?$", lambda m: m[0].replace("100", "3000"), text, flags=re.M)
        if not has_ipv4:  # the file's own line for this
            text = re.sub("^( *)[#!] ((bgp )?router[ -]id )", r"\1\2", text, flags=re.M)
        with open(os.path.join(directory, name), "w") as f:
            f.write(text)


class Bird:
    """BIRD on a host; file: bird.conf or router.conf."""
    kind = "bird"

    def __init__(self, lab: Lab, host: Host, file: str, has_ipv4: bool = True) -> None:
        self.lab, self.host, self.dir = lab, host, os.path.join(lab.dir, host.name)
        copied("bird", self.dir, file, "weir-site.conf", has_ipv4=has_ipv4)
        self.socket = os.path.join(self.dir, "bird.ctl")
        self.config = os.path.join(self.dir, file)
        self.start()

    def start(self) -> None:
        unlink_old(self.socket)
        self.process = self.host.start("bird", [*FIRST, "bird", "-f", "-c", self.config, "-s", self.socket, "-P", f"{self.dir}/bird.pid"])
        wait_until(self.listens, 60, "BIRD's socket")  # it is there a moment before BIRD listens

    def listens(self) -> bool:
        return "BIRD" in self.host.run(["birdc", "-s", self.socket, "show", "status"], check=False)

    def ask(self, question: str) -> str:
        return self.host.run(["birdc", "-s", self.socket, *question.split()])

    def reload(self) -> str:
        return self.ask("configure")

    def sessions(self) -> int:
        return self.ask("show protocols").count("Established")


class Frr:
    """FRR on a host; file: frr.conf or router.conf."""
    kind = "frr"

    def __init__(self, lab: Lab, host: Host, file: str, has_ipv4: bool = True) -> None:
        # Its user must be able to reach its sockets, and that a build directory cannot promise.
        self.lab, self.host, self.dir = lab, host, f"/run/{lab.tag}-{host.name}"
        atexit.register(shutil.rmtree, self.dir, ignore_errors=True)
        self.vrfs = VRFS if file == "frr.conf" and not make_vrfs(host) else {}  # in namespaces
        copied("frr", self.dir, file, has_ipv4=has_ipv4)
        os.rename(os.path.join(self.dir, file), os.path.join(self.dir, "frr.conf"))
        for name in ("vtysh.conf", "empty.conf"):
            with open(os.path.join(self.dir, name), "w"):
                pass
        self.socket = os.path.join(self.dir, "bgpd.vty")
        call(["chown", "-R", "frr:frr", self.dir])
        self.spaces = {name: lab.host(f"{host.name}-{table}") for name, table in self.vrfs.items()}
        self.start()

    def inside(self) -> list[str]:
        """A mount namespace whose /run/netns has these VRFs alone: zebra takes all that it finds there."""
        lines = ["mount --make-rprivate /"]
        lines += [f"touch {self.dir}/{name}; mount --bind /run/netns/{space.ns} {self.dir}/{name}" for name, space in self.spaces.items()]
        lines += ["mount -t tmpfs vrfs /run/netns"]
        lines += [f"touch /run/netns/{name}; mount --bind {self.dir}/{name} /run/netns/{name}" for name in self.spaces]
        return ["unshare", "-m", "--propagation", "private", "sh", "-ec", "\n".join([*lines, 'exec "$@"']), "sh"]

    def daemon(self, name: str, *more: str) -> None:
        unlink_old(f"{self.dir}/{name}.vty")
        command = [f"{FRR}/{name}", "-P", "0", "--vty_socket", self.dir, "-z", f"{self.dir}/zserv.api",
                   "-i", f"{self.dir}/{name}.pid", "-f", f"{self.dir}/empty.conf", "--log", "stdout", *more]
        self.processes[name] = self.host.start(name, [*(self.inside() if self.vrfs else []), *command])
        wait_until(lambda: os.path.exists(f"{self.dir}/{name}.vty"), 60, f"{name}'s socket")

    def start_zebra(self) -> None:
        self.daemon("zebra", "-s", "90000000", *(["--vrfwnetns"] if self.vrfs else []))  # -s: as Debian's /etc/frr/daemons

    def configure(self, *daemon: str) -> None:
        """Give each daemon its part of the configuration, or one of them."""
        self.host.run(["vtysh", "--vty_socket", self.dir, "--config_dir", self.dir, *(w for d in daemon for w in ("-d", d)), "-b"])

    def start(self) -> None:
        self.processes: dict[str, typing.Any] = {}
        self.start_zebra()
        self.daemon("bfdd", "--bfdctl", f"{self.dir}/bfdd.sock")
        self.daemon("bgpd")
        self.configure()
        if self.vrfs:
            words = [f"{table}=/run/netns/{self.spaces[name].ns}" for name, table in self.vrfs.items()]
            self.host.start("vrfs", [executable("lab-vrf-stand-in"), *words]).wait_for_log("ready", 60)

    def ask(self, question: str) -> str:
        return self.host.run(["vtysh", "--vty_socket", self.dir, "-c", question])

    def reload(self) -> str:
        """The packaged file, but that its VRFs say which namespaces they are: without that, they would lose them."""
        path = os.path.join(self.dir, "frr.conf")
        with open(path) as f:
            text = f.read()
        for name in self.vrfs:
            text = text.replace(f"vrf {name}\nexit-vrf", f"vrf {name}\n netns /run/netns/{name}\nexit-vrf")
        with open(path, "w") as f:
            f.write(text)
        done = subprocess.run([*self.host.enter, f"{FRR}/frr-reload.py", "--reload", "--vty_socket", self.dir, "--confdir", self.dir,
                               "--rundir", self.dir, "--stdout", path], capture_output=True, text=True)
        return f"exit {done.returncode}\n{done.stdout}{done.stderr}"

    def sessions(self) -> int:
        return self.ask("show bgp summary json").count('"Established"')


Speaker = Bird | Frr
