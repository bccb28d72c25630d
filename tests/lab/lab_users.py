# SPDX-License-Identifier: BSD-2-Clause
"""Rights: each process under its own user with what it needs and no more, on a machine as packaging/ leaves it.

Two sites under `weir run` with the unit's bounding set, at the default paths. Rights are read from the living
processes and compared with docs/architecture.md; who may open what is tried, as that user.
"""
from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import typing

import hugepages
import intruder
import packaged
import plan as planning
from net import ROOT, Lab, call, say, wait_until
from report import Report
from speakers import copied
from world import PROCESSES, World

if typing.TYPE_CHECKING:
    from world import Node
    from net import Process

CAPS = {"CAP_NET_ADMIN": 12, "CAP_NET_RAW": 13, "CAP_PERFMON": 38, "CAP_BPF": 39}
PERSON, STRANGER = "lab-person", "lab-stranger"
SERVICE_USERS = tuple(f"weir-{p}" for p in (*PROCESSES, "announce"))
SOCKET_ROOM = 1 << 20  # far more than the system's default bound
ROOM_KIB = 200  # for the supervisor's pages, and not for the counters of weir-dns
BIRD_DIR = "/run/bird"
FEW_PAGES_KIB = 450  # for the conditions of all, and for the supervisor's counters

TRY = """
import json, os, socket, stat, sys
def works(what):
    try:
        what()
        return True
    except OSError:
        return False
def connect(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
def swap(path):
    os.rename(path, path + ".swap")
    os.rename(path + ".swap", path)
seen = {}
for path, is_socket in json.load(sys.stdin):
    seen[path] = {
        "read": works(lambda: connect(path) if is_socket else open(path, "rb").close()),
        "write": not is_socket and works(lambda: open(path, "r+b").close()),
        "replace": works(lambda: swap(path))}
print(json.dumps(seen))
"""


def status_of(pid: int | str) -> dict[str, str]:
    with open(f"/proc/{pid}/status") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def documented_caps() -> dict[typing.Any, int]:
    """The capabilities that docs/architecture.md says each process keeps: {process: mask}."""
    found = {}
    with open(os.path.join(ROOT, "docs", "architecture.md")) as f:
        for line in f:
            row = re.fullmatch(r"\| `weir-(\w+)` \|.*\| ([^|]*) \|\n", line)
            if row:
                found[row[1]] = sum(1 << CAPS[c] for c in re.findall(r"CAP_\w+", row[2]))
    return found


def rights(node: Node, process: str) -> set[tuple[str, ...]]:
    """The rights of each thread of a process, as one set: all must be alike."""
    pid, = node.pids(process)
    keys = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Seccomp_filters")
    threads = set()
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            status = status_of(f"{pid}/task/{thread}")
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
        threads.add(tuple(status[k].strip() for k in keys))
    return threads


def expected_rights(process: str, starter: int | str = "self", others: typing.Sequence[str] = ()) -> set[typing.Any]:
    """Of the documentation; and a filter of system calls beside those of the process that starts it. `others`: further groups."""
    filters = int(status_of(starter)["Seccomp_filters"]) + 2  # what is allowed, and what of it is refused for an argument
    uid, gid, own = (call(["getent", *words]).split(":")[2]
                     for words in (("passwd", f"weir-{process}"), ("group", "weir"), ("group", f"weir-{process}")))
    groups = " ".join(sorted((gid, own, *(call(["getent", "group", g]).split(":")[2] for g in others)), key=int))
    mask = f"{documented_caps()[process]:016x}"
    return {("\t".join([uid] * 4), "\t".join([gid] * 4), groups, mask, mask, mask, mask, mask, "1", "2", str(filters))}


def open_files(pid: int) -> typing.Iterator[str]:
    """What a process has open. A descriptor that it closes meanwhile is none."""
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            yield os.readlink(f"/proc/{pid}/fd/{fd}")


def check_processes(node: Node, report: Report) -> None:
    held = [file for p in PROCESSES for pid in node.pids(p) for file in open_files(pid)]
    report.equal([h for h in held if h.endswith("/run.lock")], [], f"{node.name}: nobody inherits the supervisor's lock")
    for process in PROCESSES:
        report.equal(rights(node, process), expected_rights(process, node.processes["run"].popen.pid),
                     f"{node.name}: all threads of weir-{process} have their user, group weir and their own, the documented rights and a list of system calls")


def tried(user: str, paths: typing.Iterable[str], group: str | None = None) -> typing.Any:
    """What `user` can do with each path."""
    done = subprocess.run([*packaged.as_user(user, group), sys.executable, "-c", TRY], capture_output=True, text=True,
                          input=json.dumps([(p, p.endswith((".ctl", ".sock"))) for p in paths]), check=True)
    return json.loads(done.stdout)


def owners(node: Node) -> dict[str, tuple[str, str, int]]:
    """Files of a node: {path: (owner, who may read, mode)}; "all", "group", "owner" or the owner and another user may."""
    run, state, conf = node.run_dir, node.state, node.conf
    found = {f"{run}/health.page": ("weir-health", "all", 0o644),
             f"{run}/run.state": ("root", "all", 0o644), f"{run}/run.lock": ("root", "owner", 0o600),
             f"{run}/api.sock": ("weir-mgmt", "group", 0o660),
             f"{state}/effective.conf": ("weir-mgmt", "group", 0o640), f"{state}/store/store.db": ("weir-mgmt", "owner", 0o640),
             f"{state}/placement.key": ("weir-mgmt", "group", 0o640),
             f"{state}/health.verdicts": ("weir-health", "all", 0o644),
             f"{state}/health.vips": ("weir-health", "all", 0o644),
             f"{conf}/weir.conf": ("root", "group", 0o640), f"{conf}/hash.key": ("weir-dataplane", "weir-mgmt", 0o440),
             f"{conf}/tokens": ("weir-mgmt", "owner", 0o400), f"{conf}/tls.key": ("weir-mgmt", "owner", 0o400),
             f"{conf}/peer.token": ("weir-mgmt", "owner", 0o400)}
    for process in PROCESSES:
        found[f"{run}/stats.{process}.page"] = (f"weir-{process}", "all", 0o644)
        found[f"{run}/{process}.ctl"] = (f"weir-{process}", "group", 0o660)
    return found


def may_read(user: str, owner: str, who: str) -> bool:
    return who == "all" or user in (owner, who) or (who == "group" and user != STRANGER)


def check_files(node: Node, report: Report) -> None:
    files = owners(node)
    for path, (owner, who, mode) in files.items():
        seen = call(["stat", "-c", "%U %G %a", path]).split()
        group = "root" if path.endswith(("run.state", "run.lock")) else who if who in SERVICE_USERS else "weir"
        report.equal(seen, [owner, group, f"{mode:o}"], f"{path}: owner, group and mode")
    for user in (*SERVICE_USERS, PERSON, STRANGER):
        allowed = tried(user, files, None if user in (PERSON, STRANGER) else "weir")
        wrong = []
        for path, (owner, who, _) in files.items():
            own = user == owner and not path.startswith(node.conf)
            want = {"read": (may_read(user, owner, who) and not (path.startswith(node.conf) and user == STRANGER)),
                    "write": own and not path.endswith((".ctl", ".sock")), "replace": own}
            if allowed[path] != want:
                wrong.append((os.path.basename(path), allowed[path], want))
        report.equal(wrong, [], f"{user} can read what it should, and write and replace its own files alone")
    key = f"{node.conf}/hash.key"
    seen = [user for user in (*SERVICE_USERS, PERSON) if tried(user, [key], None if user == PERSON else "weir")[key]["read"]]
    report.equal(sorted(seen), ["weir-dataplane", "weir-mgmt"], "nobody else can read the hash key")


def check_pins(node: Node, report: Report) -> None:
    seen = set()
    for folder, _, names in os.walk(node.bpf):
        for path in (folder, *(os.path.join(folder, n) for n in names)):
            user, mode = call(["stat", "-c", "%U %a", path]).split()
            seen.add((user, int(mode, 8) & 0o077))
    report.equal(seen, {("weir-dataplane", 0)}, "pins and their directories belong to weir-dataplane alone")


def weir_as(node: Node, user: str, *arguments: str) -> tuple[int, str, str]:
    """The command line as a person: (exit status, output, errors)."""
    done = subprocess.run([*node.host.enter, *packaged.as_user(user), f"{packaged.BIN}/weir", *node.options, *arguments],
                          capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def check_people(world: World, report: Report) -> None:
    ams, fra = world.nodes
    backend = f"{ams.plan.pool}/ams-b2"
    drain = ("drain", "backend", backend, "--over", "1s", "--until", "+1h", "--reason", "lab", "--now")
    say("people: one in group weir, one outside it, and a process's user")
    report.wait(lambda: weir_as(ams, PERSON, "status")[0] == 0, 20, "a member of the group sees the status", 0.3)
    status, _, errors = weir_as(ams, PERSON, "config", "check")
    report.check(status == 0 and "hash.key was not checked" in errors, "and checks a configuration, but for the hash key", errors)
    report.equal(weir_as(ams, PERSON, "dns", "explain", world.plan.name)[0], 0, "and sees how a question is answered")
    report.equal(weir_as(ams, STRANGER, *drain)[0] in (3, 7), True, "an outsider cannot drain")
    report.equal(weir_as(ams, "weir-dns", *drain)[0], 7, "nor can a process's user ask the API")
    status, _, errors = weir_as(ams, PERSON, *drain, "--all")
    report.equal(status, 0, f"the member drains a backend, on all nodes {errors}")
    overrides = [(o["author"], o["do"]) for o in fra.api("GET", "/v1/overrides")[1]["items"]]
    report.equal(overrides, [(PERSON, "drain")], "the peer has it over TLS, with its author")
    report.equal(weir_as(ams, PERSON, "undrain", "backend", backend, "--now", "--all")[0], 0, "and ends it")
    status, _, errors = weir_as(ams, PERSON, "trace", "100.64.1.7:4000", f"{ams.plan.vip4}:80/tcp")
    report.equal(status, 0, f"the member traces a packet {errors}")
    status, _, errors = weir_as(ams, PERSON, "agent", "status", "lo")
    report.equal((status, "do it as root" in errors), (7, True), f"whether there is an agent it may not see, and is told so {errors}")
    report.equal(weir_as(ams, PERSON, "health")[0], 0, "and asks for health")
    report.equal(weir_as(ams, PERSON, "dns", "explain", world.plan.name, "A", "--client", "100.64.1.7")[0], 0,
                 "and has an answer explained")


def check_questions(world: World, report: Report) -> None:
    """weir-mgmt may ask each process, and read what an explanation is made of."""
    ams = world.nodes[0]
    pool = ams.plan.pool
    say("questions over the API")
    for path, name, value in ((f"trace?source=100.64.1.7:4000&destination={ams.plan.vip4}:80/tcp", "action", "forward"),
                              ("dataplane", "refused", False), ("dns", "serving", True),
                              (f"health/targets?pool={pool}", "truncated", False)):
        status, answer = ams.api("GET", f"/v1/{path}")
        report.equal((status, answer.get(name)), (200, value), f"/v1/{path} is answered")
    backends = ams.api("GET", f"/v1/dataplane/backends?pool={pool}")[1]["backends"]
    report.equal({b["pool"] for b in backends}, {pool}, "backends in the tables are those of the pool")
    status, answer = ams.api("POST", "/v1/health/check", {"pool": pool, "backend": backends[0]["backend"]})
    report.equal((status, len(answer.get("targets", []))), (200, 1), "a backend is probed at once")
    status, answer = ams.api("POST", "/v1/health/check", {"pool": pool, "backend": "none"})
    report.equal((status, answer["detail"].split(":")[0]), (404, "weir-health"), "a backend that is not there is not found")
    status, answer = ams.api("GET", f"/v1/dns/explain?name={world.plan.name}&client=100.64.1.7")
    report.equal((status, answer.get("rcode"), answer.get("mistakes")), (200, "NOERROR", []), "an answer is explained")
    report.equal([s for s in answer["steps"] if "cannot be read" in s["text"] or s["step"] == "health"], [],
                 "from all that weir-dns and weir-health have written")


def check_resize(world: World, report: Report) -> None:
    ams = world.nodes[0]
    say("a member applies a configuration with larger tables: the dataplane replaces program and maps")
    path = os.path.join(ams.conf, "weir.conf")
    with open(path, encoding="ascii") as f:
        text = f.read()
    with open(path, "w", encoding="ascii") as f:
        f.write(text + "limits = { backends = 20000; };\n")
    status, _, errors = weir_as(ams, PERSON, "apply", "--reason", "room")
    report.equal(status, 0, f"it is applied {errors}")
    wait_until(lambda: ams.stats("dataplane").get(("weir_dataplane_resizes_total", "")), 10, "the tables are larger")
    ams.wait_until_well()
    check_service(world, report)
    check_pins(ams, report)


def fetched(world: World) -> list[typing.Any]:
    """Which VIPs of all sites answer."""
    return [world.client.run(["curl", "-s", "-m", "2", "-o", "/dev/null", "-w", "%{http_code}",
                              f"http://{f'[{v}]' if ':' in v else v}/"], check=False)
            for s in world.plan.sites for v in s.vips]


def answered(world: World, plan: planning.SitePlan) -> list[typing.Any]:
    """The answers of a node on port 53: over UDP and TCP, IPv4 and IPv6."""
    return [bool(world.client.run(["kdig", f"@{server}", way, "+short", "+timeout=1", "+retry=0", world.plan.name, "A"],
                                  check=False).strip())
            for server in (plan.dns4, plan.dns6) for way in ("+notcp", "+tcp")]


def check_service(world: World, report: Report) -> None:
    report.equal(fetched(world), ["200"] * 4, "each VIP answers through XDP and a tunnel")
    for site in world.plan.sites:
        report.equal(answered(world, site), [True] * 4, f"{site.node} answers on port 53")


def check_socket_room(node: Node, report: Report) -> None:
    text = node.host.run(["ss", "-lunmH", "sport", "=", ":53"])
    rooms = [int(n) for n in re.findall(r"rb(\d+)", text)]
    report.check(rooms and min(rooms) >= SOCKET_ROOM, "the DNS sockets keep the room that the supervisor gave them", rooms)


def check_intruder(world: World, report: Report) -> None:
    """In a living process; check_deaths ends them, and with them what they say of it."""
    ams = world.nodes[0]
    say("somebody in a process tries to start a program")
    for process in PROCESSES:
        report.step(intruder.check_process, ams, report, process)
    check_service(world, report)


def check_emptied(world: World, report: Report) -> None:
    """Somebody empties the run directory while all run: each puts its files back, and nothing dies."""
    ams = world.nodes[0]
    say("the run directory is emptied")
    before = {p: ams.pids(p) for p in PROCESSES}
    files = {f: v for f, v in owners(ams).items() if f.startswith(ams.run_dir)}
    call(["sh", "-c", f"rm -rf {ams.run_dir}/*"])
    report.wait(lambda: all(os.path.exists(f) for f in files), 10, "all files are there again", 0.1)
    wrong = [(f, seen) for f, (owner, _, mode) in files.items() if os.path.exists(f)
             and (seen := call(["stat", "-c", "%U %a", f]).split()) != [owner, f"{mode:o}"]]
    report.equal(wrong, [], "with their owners and modes")
    report.wait(lambda: weir_as(ams, PERSON, "status")[0] == 0, 20, "status is well")
    report.equal(weir_as(ams, PERSON, "health")[0], 0, "weir-health is asked for its checks")
    second = subprocess.run([*ams.host.enter, f"{packaged.BIN}/weir", *ams.options, "run"], capture_output=True, text=True, timeout=60, check=False)
    report.check(second.returncode == 4 and "another weir run" in second.stderr, "a second supervisor is refused", second.stderr[-200:])
    report.equal({p: ams.pids(p) for p in PROCESSES}, before, "no process was started again")
    check_service(world, report)


def check_deaths(world: World, report: Report) -> None:
    ams = world.nodes[0]
    for process in PROCESSES:
        say(f"weir-{process} is killed")
        pid, = ams.pids(process)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: ams.pids(process) not in ([], [pid]), 10, f"another weir-{process}")
        report.wait(lambda: rights(ams, process) == expected_rights(process, ams.processes["run"].popen.pid), 5, "another has the same rights")
    ams.wait_until_well()
    check_service(world, report)
    say("the supervisor is killed; another takes the processes over")
    before = {p: ams.pids(p) for p in PROCESSES}
    ams.processes.pop("run").kill()
    start(ams)
    time.sleep(2)  # no process may end in this time
    report.equal({p: ams.pids(p) for p in PROCESSES}, before, "it goes on with the same processes")
    check_service(world, report)


def check_announcer(world: World, report: Report) -> None:
    """weir-announce runs only where a document names a routing daemon: BIRD, as Debian starts it."""
    ams, run = world.nodes[0], world.nodes[0].processes["run"]
    say("a routing daemon is named: weir-announce begins")
    os.mkdir(BIRD_DIR)
    shutil.chown(BIRD_DIR, "bird", "bird")
    copied("bird", f"{BIRD_DIR}/etc", "bird.conf", "weir-site.conf")
    daemon = ams.host.start("bird", ["bird", "-f", "-u", "bird", "-g", "bird", "-c", f"{BIRD_DIR}/etc/bird.conf", "-s", f"{BIRD_DIR}/bird.ctl",
                                     "-P", f"{BIRD_DIR}/bird.pid"])
    path = os.path.join(ams.conf, "weir.conf")
    with open(path, encoding="ascii") as f:
        text = f.read()
    with open(path, "w", encoding="ascii") as f:
        f.write(text.replace(f'name = "{ams.name}"; ', f'name = "{ams.name}"; announce = {{ daemon = "bird"; socket = "{BIRD_DIR}/bird.ctl"; }}; ', 1))
    status, _, errors = weir_as(ams, PERSON, "apply", "--reason", "routers")
    report.equal(status, 0, f"it is applied {errors}")
    if not report.wait(lambda: ams.pids("announce"), 10, "the supervisor starts weir-announce"):
        return
    groups = [g for g in ("bird", "frrvty") if call(["getent", "group", g], check=False)]
    report.wait(lambda: rights(ams, "announce") == expected_rights("announce", run.popen.pid, groups), 5,
                f"weir-announce has its user, group weir, its own and {' '.join(groups)}, the documented rights and a list of system calls")
    report.equal(call(["stat", "-c", "%U %a", f"{ams.run_dir}/announce.page"]).split(), ["weir-announce", "644"], "its page is its own")
    vip = ams.plan.vips[0]
    report.wait(lambda: vip in ams.host.run(["ip", "route", "show", "table", "177"], check=False), 60, "with these rights it writes routes")
    ask = ["birdc", "-s", f"{BIRD_DIR}/bird.ctl", "show", "route", "table", "weir4"]
    report.wait(lambda: vip in ams.host.run(ask, check=False), 20, "which BIRD imports")
    report.wait(lambda: ams.api("GET", "/v1/announcements")[1]["daemon"]["state"] == "answers", 10, "and BIRD answers it")
    report.step(intruder.check_process, ams, report, "announce")
    pid, = ams.pids("announce")
    os.kill(pid, signal.SIGKILL)  # with it goes what it says of the intruder
    report.wait(lambda: ams.pids("announce") not in ([], [pid]), 10, "another weir-announce")
    with open(path, "w", encoding="ascii") as f:
        f.write(text)
    status, _, errors = weir_as(ams, PERSON, "apply", "--reason", "no routers")
    report.equal((status, weir_as(ams, PERSON, "confirm")[0]), (0, 0), f"the daemon is named no longer, which is confirmed {errors}")
    report.wait(lambda: not ams.host.run(["ip", "route", "show", "table", "177"], check=False), 10, "its routes are gone")
    daemon.stop()
    ams.wait_until_well()


def check_alone(world: World, report: Report) -> None:
    ams = world.nodes[0]
    say("without the supervisor: weir-dns alone, drain --offline")
    ams.processes.pop("run").stop(30)
    ams.processes["dns"] = ams.host.start("weir-dns", [f"{packaged.BIN}/weir-dns", *ams.options])
    wait_until(lambda: all(answered(world, ams.plan)), 10, "port 53 answers", 0.2)
    report.equal(rights(ams, "dns"), expected_rights("dns"), "weir-dns binds port 53 before it drops its rights")
    drain = ("drain", "site", "fra", "--until", "+1h", "--reason", "lab", "--now", "--offline")
    status, _, errors = weir_as(ams, PERSON, *drain)
    report.equal(status, 7, f"drain --offline needs root: a member is denied, and told so {errors}")
    ams.host.run([f"{packaged.BIN}/weir", *ams.options, *drain])
    report.equal(call(["stat", "-c", "%U", f"{ams.state}/effective.conf"]).strip(), "weir-mgmt",
                 "what root writes offline belongs to weir-mgmt")


def check_traps(node: Node, report: Report) -> None:
    """Files that a member of the group put in the way of root."""
    say("a member of the group lays traps for the supervisor")
    victim = "/run/victim"
    with open(victim, "w") as f:
        f.write("precious\n")
    own = os.path.join(node.run_dir, "run.state")
    if os.path.exists(own):
        os.unlink(own)
    sleeper = subprocess.Popen(["sleep", "60"])
    start_time = open(f"/proc/{sleeper.pid}/stat").read().rsplit(")", 1)[1].split()[19]
    call([*packaged.as_user("weir-dns", "weir"), "sh", "-ec",
          f'ln -s {victim} {own}.new; echo "health {sleeper.pid} {start_time}" >{own}'])
    os.chown("/sys/fs/bpf", 0, 0)  # as without systemd-tmpfiles
    os.chmod("/sys/fs/bpf", 0o700)
    run = start(node, "trapped")
    wait_until(lambda: all(node.pids(p) for p in PROCESSES), 10, "all processes")
    report.wait(lambda: "port-attached" in run.log(), 10, "weir-dataplane reaches its pins below a bpffs that is root's alone")
    node.processes.pop("run").stop(30)
    report.check(run.popen.returncode == 0, "weir run goes its way")
    with open(victim) as f:
        report.equal(f.read(), "precious\n", "root does not write through a member's symbolic link")
    report.check(sleeper.poll() is None, "nor ends a process that a member has noted as ours")
    sleeper.kill()
    sleeper.wait()


def check_planted(world: World, report: Report) -> None:
    """A file that another process of ours has put where weir-mgmt and weir-dataplane look."""
    ams = world.nodes[0]
    say("weir-dns plants the state of connections; the store's directory it cannot enter")
    ams.kill_all()
    planted = os.path.join(ams.run_dir, "connections.state")
    if os.path.exists(planted):
        os.unlink(planted)
    dns = packaged.as_user("weir-dns", "weir")
    call([*dns, "sh", "-c", f"echo planted >{planted}"])
    refused = subprocess.run([*dns, "touch", os.path.join(ams.state, "store/store.db-journal")], check=False, capture_output=True)
    report.check(refused.returncode != 0, "weir-dns cannot put a journal next to the store")
    start(ams, "planted")
    report.equal(call(["stat", "-c", "%U", planted]).strip(), "weir-dns", "the planted file is left as it is")
    os.unlink(planted)
    ams.wait_until_well()
    report.check(True, "all is well when it is gone")


def check_damaged(world: World, report: Report) -> None:
    """Pages that are cut short or overwritten: nobody who reads them ends, and nobody believes zeros."""
    ams = world.nodes[0]
    pages = [n for n in os.listdir(ams.run_dir) if n.endswith(".page") and not n.startswith("stats.")] + ["clock", "dns.image"]
    for how in ("cut short", "overwritten"):
        say(f"pages are {how}")
        before = {p: ams.pids(p) for p in PROCESSES}
        for name in pages:
            path = os.path.join(ams.run_dir, name)
            size = os.path.getsize(path)
            os.truncate(path, 0)
            if how == "overwritten":
                os.truncate(path, size)
        for _ in range(5):
            check_service(world, report)
            time.sleep(0.5)  # the service is looked at for some seconds
        for process in ("mgmt", "dataplane", "dns"):
            report.equal(ams.pids(process), before[process], f"weir-{process} goes on")
        ams.wait_until_well()
        check_service(world, report)
    say("stats pages are overwritten")
    for process in PROCESSES:
        path = os.path.join(ams.run_dir, f"stats.{process}.page")
        size = os.path.getsize(path)
        os.truncate(path, 0)
        os.truncate(path, size)
    ams.wait_until_well(90)
    check_service(world, report)


def check_missing_user(node: Node, report: Report) -> None:
    say("a user is missing")
    call(["sed", "-i.before", "s/^weir-dns:/weir-dnx:/", "/etc/passwd"])
    done = subprocess.run([f"{packaged.BIN}/weir-dns", *node.options], capture_output=True, text=True, timeout=20, check=False)
    os.rename("/etc/passwd.before", "/etc/passwd")
    report.check(done.returncode != 0 and "user-missing" in done.stderr, "a missing user stops the start", done.stderr)


def check_full(world: World, report: Report) -> None:
    """A start without room in the run directory: names are answered, the status says why the rest is missing, and all comes by itself."""
    ams = world.nodes[0]
    say("the run directory has little room when the node starts")
    ams.kill_all()
    leave_room(ams, ROOM_KIB)
    start(ams, "full")
    report.wait(lambda: all(answered(world, ams.plan)), 60, "weir-dns answers")
    wait_for_full(report, ams, "status names the full directory")
    pid, = ams.pids("dns")
    report.check(cpu_seconds(pid) < 5, "weir-dns does not spin", cpu_seconds(pid))
    say("it has none at all; then a little")
    ams.kill_all()
    base_kib = leave_room(ams, 0)
    start(ams, "none")
    report.wait(lambda: "stats-not-opened" in ams.processes["run"].log(), 30, "weir run has no page of its own")
    died = "process-died process=health"
    report.wait(lambda: ams.processes["run"].log().count(died) > 2, 30, "processes end for want of room, which is not the document's fault")
    resize_run(base_kib + FEW_PAGES_KIB)
    wait_for_full(report, ams, "status names the full directory as soon as weir run has room for its page")
    call(["mount", "-o", "remount,size=50%", "/run"])
    ams.wait_until_well()
    report.equal([p for p in PROCESSES if not ams.stats(p)], [], "each process has its counters")
    check_service(world, report)


def used_kib() -> int:
    fs = os.statvfs("/run")
    return (fs.f_blocks - fs.f_bfree) * fs.f_frsize // 1024


def resize_run(kib: int) -> None:
    call(["mount", "-o", f"remount,size={kib}k", "/run"])


def leave_room(node: Node, kib: int) -> int:
    """Empty the run directory and leave so much room in /run. Returns how much of it is used."""
    for name in os.listdir(node.run_dir):
        os.unlink(os.path.join(node.run_dir, name))
    seen = [-1, used_kib()]
    while seen[-1] != seen[-2]:  # a process that is just ending gives the room of its pages back a little later
        time.sleep(0.5)  # two readings are this far apart
        seen.append(used_kib())
    resize_run(seen[-1] + kib)
    return seen[-1]


def wait_for_full(report: Report, node: Node, claim: str) -> None:
    if not report.wait(lambda: "run-dir-full" in node.weir("status", "--json", check=False), 30, claim):
        say(node.weir("status", check=False) + call(["ls", "-la", node.run_dir]) + call(["df", "-k", "/run"]))


def cpu_seconds(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def start(node: Node, name: str = "weir-run") -> Process:
    node.processes["run"] = node.host.start(
        name, [*packaged.bounding_set(), *packaged.call_filter(), f"{packaged.BIN}/weir", *node.options, "run"])
    return node.processes["run"]


def lay_out(node: Node, suffix: str) -> None:
    """A node at the default paths, or beside them."""
    node.conf, node.state, node.run_dir, node.bpf = (
        f"{base}/weir{suffix}" for base in ("/etc", "/var/lib", "/run", "/sys/fs/bpf"))
    packaged.make_paths(suffix)
    node.write_config()
    with open(os.path.join(node.conf, "tokens"), "w") as f:
        f.write("anonymous viewer *\n")
    os.chmod(os.path.join(node.conf, "weir.conf"), 0o640)
    call(["chgrp", "weir", os.path.join(node.conf, "weir.conf")])
    packaged.make_paths(suffix)  # as at the next boot: the secrets have come


def run(report: Report) -> None:
    packaged.enter()
    with Lab("users") as lab:
        report.equal(tuple(sorted(packaged.make_users())), tuple(sorted(SERVICE_USERS)), "the users of packaging/")
        packaged.make_person(PERSON, "weir")
        packaged.make_person(STRANGER)
        world = World(lab, planning.simple(2, 2), resolvers=())
        for site, suffix in zip(world.sites, ("", "-fra")):
            lay_out(site.node, suffix)
            site.start_backends()
            start(site.node)
        for node in world.nodes:
            node.wait_until_well()
        report.step(check_service, world, report)
        for node in world.nodes:
            report.step(check_processes, node, report)
        ams = world.nodes[0]
        wait_until(lambda: os.path.exists(f"{ams.state}/health.verdicts"), 15, "saved verdicts")
        report.step(check_files, ams, report)
        report.step(check_pins, ams, report)
        report.step(check_socket_room, ams, report)
        report.step(check_people, world, report)
        report.step(check_questions, world, report)
        report.step(check_resize, world, report)
        report.step(check_emptied, world, report)
        report.step(check_intruder, world, report)
        report.step(check_deaths, world, report)
        report.step(hugepages.check_directory, ams, report)
        report.step(check_announcer, world, report)
        report.step(check_alone, world, report)
        report.step(check_planted, world, report)
        report.step(check_damaged, world, report)
        report.step(check_full, world, report)
        report.step(check_missing_user, ams, report)
        ams.kill_all()
        report.step(check_traps, ams, report)
        for node in world.nodes:
            node.kill_all()


if __name__ == "__main__":
    sys.exit(Report.main(run))
