# SPDX-License-Identifier: BSD-2-Clause
"""Rights: each process under its own user with what it needs and no more, on a machine as packaging/ leaves it.

Two sites under `weir run` with the unit's bounding set, at the default paths. Rights are read from the living
processes and compared with docs/architecture.md; who may open what is tried, as that user.
"""
import json
import os
import re
import signal
import subprocess
import sys
import time

import packaged
import plan as planning
from net import ROOT, Lab, call, say, wait_until
from report import Report
from world import PROCESSES, World

CAPS = {"CAP_NET_ADMIN": 12, "CAP_NET_RAW": 13, "CAP_PERFMON": 38, "CAP_BPF": 39}
PERSON, STRANGER = "lab-person", "lab-stranger"
SERVICE_USERS = tuple(f"weir-{p}" for p in PROCESSES)
SOCKET_ROOM = 1 << 20  # far more than the system's default bound

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


def status_of(pid):
    with open(f"/proc/{pid}/status") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def documented_caps():
    """The capabilities that docs/architecture.md says each process keeps: {process: mask}."""
    found = {}
    with open(os.path.join(ROOT, "docs", "architecture.md")) as f:
        for line in f:
            row = re.fullmatch(r"\| `weir-(\w+)` \|.*\| ([^|]*) \|\n", line)
            if row:
                found[row[1]] = sum(1 << CAPS[c] for c in re.findall(r"CAP_\w+", row[2]))
    return found


def rights(node, process):
    """The rights of each thread of a process, as one set: all must be alike."""
    pid, = node.pids(process)
    keys = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs")
    threads = {tuple(status_of(f"{pid}/task/{t}")[k].strip() for k in keys) for t in os.listdir(f"/proc/{pid}/task")}
    return threads


def expected_rights(process):
    uid, gid = (call(["getent", *words]).split(":")[2] for words in (("passwd", f"weir-{process}"), ("group", "weir")))
    mask = f"{documented_caps()[process]:016x}"
    return {("\t".join([uid] * 4), "\t".join([gid] * 4), gid, mask, mask, mask, mask, mask, "1")}


def check_processes(node, report):
    held = [os.readlink(f"/proc/{pid}/fd/{fd}") for p in PROCESSES for pid in node.pids(p) for fd in os.listdir(f"/proc/{pid}/fd")]
    report.equal([h for h in held if h.endswith("/run.lock")], [], f"{node.name}: nobody inherits the supervisor's lock")
    for process in PROCESSES:
        report.equal(rights(node, process), expected_rights(process),
                     f"{node.name}: all threads of weir-{process} have their user, group weir and the documented rights")


def tried(user, paths, group=None):
    """What `user` can do with each path."""
    done = subprocess.run([*packaged.as_user(user, group), sys.executable, "-c", TRY], capture_output=True, text=True,
                          input=json.dumps([(p, p.endswith((".ctl", ".sock"))) for p in paths]), check=True)
    return json.loads(done.stdout)


def owners(node):
    """Files of a node: {path: (owner, who may read, mode)}; "all", "group" or "owner" may."""
    run, state, conf = node.run_dir, node.state, node.conf
    found = {f"{run}/health.page": ("weir-health", "all", 0o644),
             f"{run}/run.state": ("root", "all", 0o644), f"{run}/run.lock": ("root", "owner", 0o600),
             f"{run}/api.sock": ("weir-mgmt", "group", 0o660),
             f"{run}/guests.told": ("weir-mgmt", "all", 0o644),
             f"{state}/effective.conf": ("weir-mgmt", "all", 0o644), f"{state}/store.db": ("weir-mgmt", "all", 0o644),
             f"{state}/health.verdicts": ("weir-health", "all", 0o644),
             f"{state}/health.vips": ("weir-health", "all", 0o644),
             f"{conf}/weir.conf": ("root", "group", 0o640), f"{conf}/hash.key": ("root", "group", 0o640),
             f"{conf}/tokens": ("weir-mgmt", "owner", 0o400), f"{conf}/tls.key": ("weir-mgmt", "owner", 0o400),
             f"{conf}/peer.token": ("weir-mgmt", "owner", 0o400)}
    for process in PROCESSES:
        found[f"{run}/stats.{process}.page"] = (f"weir-{process}", "all", 0o644)
        found[f"{run}/{process}.ctl"] = (f"weir-{process}", "group", 0o660)
    return found


def may_read(user, owner, who):
    return who == "all" or user == owner or (who == "group" and user != STRANGER)


def check_files(node, report):
    files = owners(node)
    for path, (owner, _, mode) in files.items():
        seen = call(["stat", "-c", "%U %G %a", path]).split()
        group = "root" if path.endswith(("run.state", "run.lock")) else "weir"
        report.equal(seen, [owner, group, f"{mode:o}"], f"{path}: owner, group and mode")
    for user in (*SERVICE_USERS, PERSON, STRANGER):
        seen = tried(user, files, None if user in (PERSON, STRANGER) else "weir")
        wrong = []
        for path, (owner, who, _) in files.items():
            own = user == owner and not path.startswith(node.conf)
            want = {"read": (may_read(user, owner, who) and not (path.startswith(node.conf) and user == STRANGER)),
                    "write": own and not path.endswith((".ctl", ".sock")), "replace": own}
            if seen[path] != want:
                wrong.append((os.path.basename(path), seen[path], want))
        report.equal(wrong, [], f"{user} can read what it should, and write and replace its own files alone")


def check_pins(node, report):
    seen = set()
    for folder, _, names in os.walk(node.bpf):
        for path in (folder, *(os.path.join(folder, n) for n in names)):
            user, mode = call(["stat", "-c", "%U %a", path]).split()
            seen.add((user, int(mode, 8) & 0o077))
    report.equal(seen, {("weir-dataplane", 0)}, "pins and their directories belong to weir-dataplane alone")


def weir_as(node, user, *arguments):
    """The command line as a person: (exit status, output, errors)."""
    done = subprocess.run([*node.host.enter, *packaged.as_user(user), f"{packaged.BIN}/weir", *node.options, *arguments],
                          capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def check_people(world, report):
    ams, fra = world.nodes
    backend = f"{ams.plan.pool}/ams-b2"
    drain = ("drain", "backend", backend, "--over", "1s", "--until", "+1h", "--reason", "lab", "--now")
    say("people: one in group weir, one outside it, and a process's user")
    report.equal(weir_as(ams, PERSON, "status")[0], 0, "a member of the group sees the status")
    report.equal(weir_as(ams, STRANGER, *drain)[0] in (3, 7), True, "an outsider cannot drain")
    report.equal(weir_as(ams, "weir-dns", *drain)[0], 7, "nor can a process's user ask the API")
    status, _, errors = weir_as(ams, PERSON, *drain, "--all")
    report.equal(status, 0, f"the member drains a backend, on all nodes {errors}")
    taken = [(o["author"], o["do"]) for o in fra.api("GET", "/v1/overrides")[1]["items"]]
    report.equal(taken, [(PERSON, "drain")], "the peer has it over TLS, with its author")
    report.equal(weir_as(ams, PERSON, "undrain", "backend", backend, "--now", "--all")[0], 0, "and ends it")
    status, _, errors = weir_as(ams, PERSON, "trace", "100.64.1.7:4000", f"{ams.plan.vip4}:80/tcp")
    report.equal(status, 0, f"the member traces a packet {errors}")
    status, _, errors = weir_as(ams, PERSON, "agent", "status", "lo")
    report.equal((status, "do it as root" in errors), (7, True), f"whether there is an agent it may not see, and is told so {errors}")
    report.equal(weir_as(ams, PERSON, "health")[0], 0, "and asks for health")
    report.equal(weir_as(ams, PERSON, "dns", "explain", world.plan.name, "A", "--client", "100.64.1.7")[0], 0,
                 "and has an answer explained")


def check_resize(world, report):
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
    ams.wait_until_well(30)
    check_service(world, report)
    check_pins(ams, report)


def fetched(world):
    """Which VIPs of all sites answer."""
    return [world.client.run(["curl", "-s", "-m", "2", "-o", "/dev/null", "-w", "%{http_code}",
                              f"http://{f'[{v}]' if ':' in v else v}/"], check=False)
            for s in world.plan.sites for v in s.vips]


def answered(world, plan):
    """The answers of a node on port 53: over UDP and TCP, IPv4 and IPv6."""
    return [bool(world.client.run(["kdig", f"@{server}", way, "+short", "+timeout=1", "+retry=0", world.plan.name, "A"],
                                  check=False).strip())
            for server in (plan.dns4, plan.dns6) for way in ("+notcp", "+tcp")]


def check_service(world, report):
    report.equal(fetched(world), ["200"] * 4, "each VIP answers through XDP and a tunnel")
    for site in world.plan.sites:
        report.equal(answered(world, site), [True] * 4, f"{site.node} answers on port 53")


def check_socket_room(node, report):
    text = node.host.run(["ss", "-lunmH", "sport", "=", ":53"])
    rooms = [int(n) for n in re.findall(r"rb(\d+)", text)]
    report.check(rooms and min(rooms) >= SOCKET_ROOM, "the DNS sockets keep the room that the supervisor gave them", rooms)


def check_deaths(world, report):
    ams = world.nodes[0]
    for process in PROCESSES:
        say(f"weir-{process} is killed")
        pid, = ams.pids(process)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: ams.pids(process) not in ([], [pid]), 10, f"another weir-{process}")
        wait_until(lambda: rights(ams, process) == expected_rights(process), 5, "its rights")
        report.check(True, "another has the same rights")
    ams.wait_until_well(30)
    check_service(world, report)
    say("the supervisor is killed; another takes the processes over")
    before = {p: ams.pids(p) for p in PROCESSES}
    ams.processes.pop("run").kill()
    start(ams)
    time.sleep(2)
    report.equal({p: ams.pids(p) for p in PROCESSES}, before, "it goes on with the same processes")
    check_service(world, report)


def check_alone(world, report):
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


def check_traps(node, report):
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
    run.wait_for_log("port-attached")
    report.check(True, "weir-dataplane reaches its pins below a bpffs that is root's alone")
    node.processes.pop("run").stop(30)
    report.check(run.popen.returncode == 0, "weir run goes its way")
    with open(victim) as f:
        report.equal(f.read(), "precious\n", "root does not write through a member's symbolic link")
    report.check(sleeper.poll() is None, "nor ends a process that a member has noted as ours")
    sleeper.kill()
    sleeper.wait()


def start(node, name="weir-run"):
    node.processes["run"] = node.host.start(
        name, [*packaged.bounding_set(), f"{packaged.BIN}/weir", *node.options, "run"])
    return node.processes["run"]


def lay_out(node, suffix):
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


def run(report):
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
            node.wait_until_well(60)
        check_service(world, report)
        for node in world.nodes:
            check_processes(node, report)
        ams = world.nodes[0]
        wait_until(lambda: os.path.exists(f"{ams.state}/health.verdicts"), 15, "saved verdicts")
        check_files(ams, report)
        check_pins(ams, report)
        check_socket_room(ams, report)
        check_people(world, report)
        check_resize(world, report)
        check_deaths(world, report)
        check_alone(world, report)
        ams.kill_all()
        check_traps(ams, report)
        for node in world.nodes:
            node.kill_all()


if __name__ == "__main__":
    sys.exit(Report.main(run))
