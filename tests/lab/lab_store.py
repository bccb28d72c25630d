# SPDX-License-Identifier: BSD-2-Clause
"""The store that nodes share, as `weir store` sets it up on three hosts with Debian's etcd: `./run package` first.

Each host is a fresh Debian that systemd has booted (tests/vm/contained.py), with Weir's package and etcd-server as apt installs them. A store
begins on one host, two others join at once; a version is in force everywhere; members end, are killed, and come back by their unit; a node
whose own member is dead finds the others, also after a restart; a host dies, is removed, and another one takes its part; all members are
lost, and a backup is restored. Writes build/lab/store.json: `begin_s`, `join_s`, `in_force_s`, `after_death_s`.
"""
from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import json
import os
import sys
import time
import typing

from lab_installation import LATER, HAS, find_deb
from net import BUILD, ROOT, Host, Lab, LabError, call, say
from report import Report

sys.path.append(os.path.join(ROOT, "tests", "vm"))
from booted import tree  # noqa: E402
from contained import Contained  # noqa: E402
from packages import Missing  # noqa: E402

NODES = {"ams-1": ("ams", "10.1.0.1"), "fra-1": ("fra", "10.1.0.2"), "lon-1": ("lon", "10.1.0.3")}
PREPARED = """grep -qs localhost /etc/hosts || echo 127.0.0.1 localhost >>/etc/hosts
udevadm trigger --subsystem-match=net --action=add
echo 'APT::Get::Assume-Yes "true"; APT::Install-Recommends "false";' >/etc/apt/apt.conf.d/yes
apt install ./weir_*.deb etcd-server curl openssl
systemctl stop weir
cp secrets/* /etc/weir/; cp weir.conf /etc/weir/; chown root:weir /etc/weir/*; chmod 640 /etc/weir/*; systemd-tmpfiles --create weir.conf
"""
SECRETS = """umask 077; mkdir -p secrets; cd secrets
openssl rand -hex 16 > hash.key; openssl rand -hex 32 > peer.token
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 9 -subj /CN=ca -keyout tls.key -out tls.crt -addext 'subjectAltName=%s'
cp tls.crt tls.ca
"""


# Of docs/handbook.md, "All members are lost".
LOST = """systemctl disable --now etcd
rm -rf /var/lib/etcd/weir /etc/default/etcd /etc/weir/store.conf /etc/weir/store.join /etc/weir/store.crt /etc/weir/store.key /etc/weir/store-ca.crt
"""


def config(weight: int) -> str:
    sites = ", ".join(f'{{ name = "{site}"; weight = {weight}; }}' for site, _ in NODES.values())
    nodes = ", ".join(f'{{ name = "{name}"; site = "{site}"; ports = ( {{ interface = "eth1"; }} ); tunnel_source = [ "10.{i}.255.0/24" ]; '
                      f'api = "https://{address}:8443"; clock = "trusted"; }}' for i, (name, (site, address)) in enumerate(NODES.items(), 3))
    return f'schema = 1; cluster = {{ name = "c"; hash_key_file = "hash.key"; hash_key_id = "k"; }};\nsites = ( {sites} );\nnodes = ( {nodes} );\n'


class Machine:
    """A host with systemd, Weir and etcd."""

    def __init__(self, name: str, host: Host, contained: Contained) -> None:
        self.name, self.host, self.contained, self.address = name, host, contained, NODES[name][1]

    def boot(self) -> None:
        self.contained.boot(300)
        call(["cp", find_deb("weir"), self.contained.path("/root")])

    def do(self, script: str, seconds: float = 120) -> str:
        done = self.contained.do(script, seconds)
        if done.returncode:
            raise LabError(f"{self.name}: {script}: exit {done.returncode}: {done.stdout[-3000:]}")
        return done.stdout

    def write(self, path: str, text: str, mode: int = 0o600) -> None:
        with open(self.contained.path(path), "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(self.contained.path(path), mode)

    def read(self, path: str) -> str:
        with open(self.contained.path(path), encoding="utf-8") as f:
            return f.read()

    def status(self) -> dict[str, typing.Any]:
        """What this node says of the store."""
        done = self.contained.do("weir store status --json", 60)
        with contextlib.suppress(ValueError):
            return json.loads(done.stdout)
        return {}

    def state(self) -> str:
        return str(self.status().get("state"))

    def weight(self) -> str:
        """Of sites, in what is in force here."""
        return self.contained.do("grep -o 'weight = [0-9]*' /var/lib/weir/effective.conf | sort -u", 60).stdout.strip().removeprefix("weight = ")

    def apply(self, weight: int) -> str:
        self.write("/root/new.conf", config(weight))
        return self.do("weir apply new.conf --reason trial --confirm-within none")


class World:
    def __init__(self, lab: Lab, stack: contextlib.ExitStack, folder: str) -> None:
        switch = lab.host("switch")
        lab.bridge(switch, "office")
        self.machines: dict[str, Machine] = {}
        self.secrets: dict[str, str] = {}
        for name, (_, address) in NODES.items():
            host = lab.host(name)
            lab.port(switch, "office", f"p-{name}", host, "eth0")
            lab.link(switch, f"q-{name}", host, "eth1")
            host.address("eth0", f"{address}/24")
            contained = stack.enter_context(Contained(f"store-{name}", folder, f"/run/netns/{host.ns}"))
            self.machines[name] = Machine(name, host, contained)

    def each(self, act: typing.Callable[[Machine], typing.Any], names: typing.Iterable[str] = NODES) -> list[typing.Any]:
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            return list(pool.map(act, [self.machines[name] for name in names]))

    def prepare(self) -> None:
        self.each(Machine.boot)
        first = self.machines["ams-1"]
        first.do(SECRETS % ",".join(f"IP:{address}" for _, address in NODES.values()))
        self.secrets = {name: first.read(f"/root/secrets/{name}") for name in ("hash.key", "peer.token", "tls.key", "tls.crt", "tls.ca")}
        self.each(self.install)

    def install(self, machine: Machine) -> None:
        machine.do(f"hostnamectl set-hostname {machine.name}; mkdir -p secrets")
        for name, text in self.secrets.items():
            machine.write(f"/root/secrets/{name}", text)
        machine.write("/root/weir.conf", config(100))
        machine.do(PREPARED, 600)


class Play:
    """The lab's parts, in their order."""

    def __init__(self, report: Report, world: World) -> None:
        self.report, self.world, self.figures = report, world, dict[str, float]()
        self.ams, self.fra, self.lon = world.machines.values()

    def timed(self, name: str, act: typing.Callable[[], typing.Any]) -> None:
        began = time.monotonic()
        act()
        self.figures[name] = round(time.monotonic() - began, 1)

    @staticmethod
    def show(machine: Machine, command: str) -> None:
        say(f"{machine.name}: {command}\n{machine.do(command)}")

    def begin(self) -> None:
        said = self.ams.contained.do("systemctl is-active etcd; ls /var/lib/etcd", 60).stdout.split()
        self.report.equal(said, ["active", "default"], "Debian has started a member of nothing")
        self.timed("begin_s", lambda: self.show(self.ams, "weir store init --first"))
        for other in (self.fra, self.lon):
            other.write("/root/store.join", self.ams.read("/etc/weir/store.join"))
        self.timed("join_s", lambda: self.world.each(lambda m: self.show(m, "weir store join store.join --member"), ("fra-1", "lon-1")))
        ids = {json.loads(m.read("/etc/weir/store.conf"))["id"] for m in self.world.machines.values()}
        self.report.equal(len(ids), 1, "all hosts have one store")
        self.report.equal(len(json.loads(self.ams.read("/etc/weir/store.conf"))["endpoints"]), 1, "the first host's file names itself alone")
        self.world.each(lambda m: m.do("systemctl start weir"))
        self.report.wait(lambda: all(s == "ready" for s in self.world.each(Machine.state)), 60, "the store is ready at each node", 1)

    def apply_everywhere(self, name: str, machine: Machine, weight: int, at: typing.Sequence[Machine]) -> None:
        began = time.monotonic()
        machine.apply(weight)
        if self.report.wait(lambda: all(m.weight() == str(weight) for m in at), 30, f"a version of {machine.name} is in force at {len(at)} nodes", 0.2):
            self.figures[name] = round(time.monotonic() - began, 1)

    def versions(self) -> None:
        self.apply_everywhere("in_force_s", self.fra, 101, list(self.world.machines.values()))

    def restarts(self) -> None:
        """A member that is killed is started again; one that is stopped is not missed by its own node."""
        before = self.ams.do("systemctl show -p MainPID --value etcd").strip()
        self.ams.do("systemctl kill --signal=KILL etcd")
        self.report.wait(lambda: self.ams.do("systemctl show -p MainPID --value etcd").strip() not in (before, "0"), 30, "a killed member is started again", 0.2)
        self.report.wait(lambda: self.ams.read("/var/lib/weir/store/members").count("https://") == 3, 90, "the first node knows all members", 1)
        self.ams.do("systemctl stop etcd")
        self.report.wait(lambda: self.ams.state() == "ready", 30, "without its own member the first node is ready", 1)
        self.apply_everywhere("in_force_without_own_s", self.ams, 102, list(self.world.machines.values()))
        self.ams.do("systemctl restart weir")
        self.report.wait(lambda: self.ams.state() == "ready", 60, "and after its restart, too", 1)
        self.ams.do("systemctl start etcd")

    def death(self) -> None:
        """A host dies; two of three go on."""
        self.lon.contained._end()  # as by a power cut
        self.apply_everywhere("after_death_s", self.ams, 103, [self.ams, self.fra])

    def replace(self) -> None:
        """The dead member leaves, and a new host takes its name and its address."""
        said = self.ams.do("weir store remove lon-1 --yes")
        self.report.check("2 members are left, and 2 answer" in said, "the dead member is removed", said.splitlines()[0])
        self.lon.boot()
        self.world.install(self.lon)
        self.lon.write("/root/store.join", self.ams.read("/etc/weir/store.join"))
        self.show(self.lon, "weir store join store.join --member")
        self.lon.do("systemctl start weir")
        self.report.wait(lambda: self.lon.weight() == "103", 60, "the new host has the version in force", 0.5)
        self.apply_everywhere("with_new_member_s", self.lon, 104, list(self.world.machines.values()))

    def check(self) -> None:
        """All is well but for the clock of this machine, which may have no time server."""
        done = self.fra.contained.do("weir store check --json", 60)
        lines = json.loads(done.stdout)
        self.report.equal([x for x in lines if x["level"] != "ok" and x["subject"] != "clock"], [], "weir store check finds nothing wrong")
        self.report.check(any(x["subject"] == "sites" and "3 sites" in x["text"] for x in lines), "it sees three sites")
        self.fra.do("systemctl stop etcd")
        done = self.ams.contained.do("weir store check", 60)
        say(done.stdout)
        self.report.equal(done.returncode, 11, "a member that is stopped is wrong")
        self.fra.do("systemctl start etcd")

    def timer(self) -> None:
        """The daily unit: a backup and a check, which the status shows."""
        self.ams.do("systemctl is-enabled weir-store.timer && systemctl start weir-store.service", 60)
        said = self.ams.do("ls /var/backups; weir store status")
        self.report.check("weir-store-" in said and "0 min ago: /var/backups/weir-store-" in said and "check          0 min ago: " in said,
                          "the timer's unit has made a backup and a check", said.splitlines()[0])

    @staticmethod
    def follows(machine: Machine, weight: str) -> bool:
        return machine.state() == "ready" and machine.weight() == weight

    def restore(self) -> None:
        """All members are lost with their data; the nodes and a backup are left."""
        self.ams.do("weir store backup /root/b.json")
        before = self.ams.do("sed -n '/records/,$p' b.json")
        self.world.each(lambda m: m.do("systemctl stop weir; " + LOST))
        self.show(self.ams, "weir store init --first")
        self.show(self.ams, "weir store restore b.json")
        for other in (self.fra, self.lon):
            other.write("/root/store.join", self.ams.read("/etc/weir/store.join"))
        self.world.each(lambda m: m.do("weir store join store.join --member"), ("fra-1", "lon-1"))
        for machine in self.world.machines.values():
            machine.do("systemctl stop weir; mv /var/lib/weir/store /var/lib/weir/store.before; systemctl start weir")
            self.report.wait(functools.partial(self.follows, machine, "104"), 60,
                             f"{machine.name} has the version in force from the restored store", 0.5)
        self.lon.do("weir store backup /root/b.json")
        self.report.equal(self.lon.do("sed -n '/records/,$p' b.json"), before, "the restored store has what the backup has")
        self.apply_everywhere("after_restore_s", self.fra, 105, list(self.world.machines.values()))


def run(report: Report) -> None:
    with Lab("store") as lab, contextlib.ExitStack() as stack:
        try:
            needs = [call(["dpkg-deb", "-f", find_deb(deb), "Depends"]).strip() for deb in ("weir", "weir-agent")]
            folder = f"{BUILD}/package-test/fresh"
            tree(folder, (*needs, *HAS), LATER)
            world = World(lab, stack, folder)
            say("hosts boot")
            world.prepare()
        except Missing as reason:
            print(f"  skipped: {reason}\n0 passed, 0 failed, 1 skipped")
            sys.exit(77)
        play = Play(report, world)
        for part in (play.begin, play.versions, play.restarts, play.death, play.replace, play.check, play.timer, play.restore):
            report.step(part)
        with open(os.path.join(BUILD, "lab", "store.json"), "w", encoding="utf-8") as f:
            json.dump(play.figures, f, indent=1)
        say(json.dumps(play.figures))


if __name__ == "__main__":
    sys.exit(Report.main(run))
