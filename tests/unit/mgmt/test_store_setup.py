#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""`weir store init` and `join` on hosts of their own (store_host.py) with the real etcd: what they write, what they refuse, what they take back.

Usage: test_store_setup.py WEIR
"""
from __future__ import annotations

import base64
import functools
import json
import os
import signal
import subprocess
import sys
import time
import typing
import unittest

import store_host
from store_host import FAKE, Host

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "lab"))
from etcd_cluster import wait_for  # noqa: E402
import counted  # noqa: E402

ADDRESSES = ("10.9.0.1", "10.9.0.2", "10.9.0.3", "10.9.0.4")
NAMES = ("ams-1", "ams-2", "fra-1", "fra-2")
JOIN, CONF = "/etc/weir/store.join", "/etc/weir/store.conf"
CONFIG = """schema = 1; cluster = { name = "c"; hash_key_file = "hash.key"; hash_key_id = "k"; };
sites = ( { name = "s"; } );
nodes = ( { name = "ams-1"; site = "s"; ports = ( { interface = "e"; } ); tunnel_source = [ "10.0.0.0/24" ]; api = "https://10.9.0.1:8443"; } );
"""
if not store_host.enter(ADDRESSES):
    print("0 passed, 0 failed, 1 skipped")
    sys.exit(77)
WEIR = os.path.abspath(sys.argv.pop(1))
Done = subprocess.CompletedProcess[str]


class Setup(unittest.TestCase):
    def host(self, n: int = 0) -> Host:
        host = Host(WEIR, ADDRESSES[n], NAMES[n])
        self.addCleanup(host.close)
        return host

    def begun(self, *more: str) -> Host:
        host = self.host()
        self.good(host.call("store", "init", "--listen", host.address, *more))
        return host

    def good(self, done: Done) -> str:
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        return done.stdout

    def refused(self, host: Host, status: int, text: str, *words: str) -> None:
        """A command that changes nothing, and says why."""
        before = host.tree()
        done = host.call("store", *words)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertIn(text, done.stderr)
        self.assertEqual(host.tree(), before)
        self.assertNotIn("restart etcd.service --no-block", host.calls())

    def bring(self, to: Host, of: Host) -> str:
        to.write("/run/store.join", of.read(JOIN), 0o600)
        return "/run/store.join"

    def ask(self, host: Host, path: str, body: dict[str, typing.Any] | None = None, of: str = "/etc/weir/store") -> dict[str, typing.Any]:
        """A request to a host's own member, by certificates of the host."""
        done = host.run("curl", "-sS", "--cacert", f"{of}-ca.crt", "--cert", f"{of}.crt", "--key", f"{of}.key", "-d", json.dumps(body or {}),
                        f"https://{host.address}:2379/v3/{path}")
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def members(self, host: Host) -> dict[str, bool]:
        """{name: whether it has a vote}"""
        return {m.get("name", ""): not m.get("isLearner") for m in self.ask(host, "cluster/member/list")["members"]}

    def record(self, host: Host) -> typing.Any:
        key = base64.b64encode(b"/weir/store").decode()
        return json.loads(base64.b64decode(self.ask(host, "kv/range", {"key": key})["kvs"][0]["value"]))


class Init(Setup):
    def test_a_store_begins(self) -> None:
        host = self.host()
        host.write("/etc/weir/weir.conf", CONFIG)
        said = self.good(host.call("store", "init"))  # the address is that of weir.conf
        conf, join = json.loads(host.read(CONF)), json.loads(host.read(JOIN))
        self.assertEqual(conf, {"id": join["id"], "endpoints": ["https://10.9.0.1:2379"], "prefix": "/weir/", "ca": "store-ca.crt",
                                "certificate": "store.crt", "key": "store.key"})
        self.assertEqual(self.record(host)["id"], conf["id"])
        for text in (conf["id"], "systemctl restart weir", "weir store join store.join", "one member: while this host is down", "is not known here"):
            self.assertIn(text, said)
        self.assertIn("secret", join["warning"])
        modes = {path: oct(found[0]) for path, found in host.tree().items()}
        for path, mode in ((CONF, "0o640"), (JOIN, "0o600"), ("/etc/weir/store.key", "0o400"), ("/etc/etcd-weir/member.key", "0o400"),
                           ("/etc/default/etcd", "0o644"), ("/etc/systemd/system/etcd.service.d/weir.conf", "0o644")):
            self.assertEqual(modes[path], mode, path)
        user = int(host.run("id", "-u", "weir-mgmt").stdout)
        self.assertEqual(host.tree()["/etc/weir/store.key"][1], user)
        self.assertFalse(host.exists("/etc/weir/store.unfinished"))
        self.assertFalse(host.exists("/etc/weir/.store.lock"))
        drop_in = host.read("/etc/systemd/system/etcd.service.d/weir.conf")
        self.assertIn("Restart=always\n", drop_in)
        self.assertIn("TimeoutStartSec=infinity\n", drop_in)
        for line in ('ETCD_AUTO_COMPACTION_MODE="periodic"', 'ETCD_AUTO_COMPACTION_RETENTION="5m"', 'ETCD_QUOTA_BACKEND_BYTES="268435456"',
                     'ETCD_CLIENT_CERT_AUTH="true"', 'ETCD_PEER_CLIENT_CERT_AUTH="true"', 'ETCD_DATA_DIR="/var/lib/etcd/weir"'):
            self.assertIn(line + "\n", host.read("/etc/default/etcd"))
        self.assertEqual(host.read("/etc/default/etcd.before-weir"), "## only comments\n")

    def test_what_it_made_of_certificates(self) -> None:
        host = self.begun()

        def shown(path: str) -> str:
            return host.run("openssl", "x509", "-in", path, "-noout", "-subject", "-ext", "subjectAltName,extendedKeyUsage,basicConstraints").stdout
        member, node = shown("/etc/etcd-weir/member.crt"), shown("/etc/weir/store.crt")
        self.assertIn("IP Address:10.9.0.1", member)
        self.assertIn("TLS Web Server Authentication, TLS Web Client Authentication", member)
        self.assertIn("CN = ams-1", node)
        self.assertNotIn("Server", node)
        for path in ("/etc/etcd-weir/member.crt", "/etc/weir/store.crt"):
            self.assertIn(": OK", host.run("openssl", "verify", "-x509_strict", "-CAfile", "/etc/weir/store-ca.crt", path).stdout)
        # without a certificate, nothing; a node's is not a member's
        self.assertNotEqual(host.run("curl", "-sS", "--cacert", "/etc/weir/store-ca.crt", "https://10.9.0.1:2379/version").returncode, 0)
        for name, works in (("/etc/etcd-weir/member", True), ("/etc/weir/store", False)):
            done = host.run("curl", "-sS", "--http1.1", "--cacert", "/etc/weir/store-ca.crt", "--cert", f"{name}.crt", "--key", f"{name}.key",
                            "https://10.9.0.1:2380/version")
            self.assertEqual(done.returncode == 0, works, done.stdout + done.stderr)

    def test_json(self) -> None:
        host = self.host()
        said = json.loads(self.good(host.call("store", "init", "--listen", host.address, "--name", "first", "--json")))
        self.assertEqual(said, {"id": json.loads(host.read(CONF))["id"], "endpoint": "https://10.9.0.1:2379", "join_file": JOIN})
        self.assertEqual(self.members(host), {"first": True})

    def test_what_is_refused(self) -> None:
        host = self.host()
        listen = ("init", "--listen", host.address)
        self.refused(host, 1, "weir.conf cannot be read", "init")
        host.write("/etc/weir/weir.conf", CONFIG.replace(' api = "https://10.9.0.1:8443";', ""))
        self.refused(host, 1, "has no api in weir.conf", "init")
        self.refused(host, 1, '"10.9.0" is no IP address', "init", "--listen", "10.9.0")
        for address in ("127.0.0.1", "127.8.0.1", "0.0.0.0", "::", "::1"):
            self.refused(host, 1, f"other nodes cannot reach {address}", "init", "--listen", address)
        self.refused(host, 1, "does not have the address 192.0.2.7", "init", "--listen", "192.0.2.7")
        self.refused(host, 1, "cannot be a member's name", *listen, "--name", "a,b=c")
        self.refused(host, 1, "need each other", *listen, "--ca", "/etc/hostname")
        self.refused(host, 1, "/nowhere: No such file", *listen, "--ca", "/nowhere")
        self.refused(host, 1, "goes with --endpoints alone", *listen, "--prefix", "/weir/")
        self.refused(host, 1, "does not go with --endpoints", *listen, "--endpoints", "http://10.9.0.1:2379")
        for name in ("store-ca.crt", "store.crt", "store.key", "store.password", "store.join"):
            host.write(f"/etc/weir/{name}", "a person's")
            self.refused(host, 4, f"/etc/weir/{name} is there already", *listen)
            host.remove(f"/etc/weir/{name}")
        host.write("/etc/default/etcd", 'ETCD_NAME="of others"\n')
        self.refused(host, 4, "has settings already, in /etc/default/etcd", *listen)
        host.write("/etc/default/etcd", "# none\n")
        host.run("mkdir", "-p", "/var/lib/etcd/weir")
        self.refused(host, 4, "has data of a store already, in /var/lib/etcd/weir", *listen)
        host.run("rmdir", "/var/lib/etcd/weir")
        host.run("mkdir", "-p", "/var/lib/etcd/default/member")
        self.refused(host, 4, "and does not run: systemctl start etcd", *listen)
        host.run("rm", "-r", "/var/lib/etcd/default")
        host.run("mount", "--bind", "/dev/null", "/usr/bin/etcd")
        self.refused(host, 3, "apt install etcd-server", *listen)
        host.run("umount", "/usr/bin/etcd")
        host.run("rmdir", "/run/systemd/system")
        self.refused(host, 3, "systemd does not run here", *listen)
        host.run("mkdir", "/run/systemd/system")
        host.write(CONF, "{}")
        self.refused(host, 4, "this node is in a store", *listen)

    def test_root_is_needed(self) -> None:
        host = self.host()
        done = host.run("setpriv", "--reuid", "65534", "--clear-groups", WEIR, "store", "init")
        self.assertEqual((done.returncode, done.stdout), (7, ""))
        self.assertIn("run it as root", done.stderr)

    @staticmethod
    def listens(host: Host, port: int) -> bool:
        return f"{host.address}:{port}" in host.run("ss", "-Hltn").stdout

    def test_another_program_has_the_port(self) -> None:
        host = self.host()
        for port in (2379, 2380):
            other = subprocess.Popen(host.command("socat", f"TCP-LISTEN:{port},bind={host.address},reuseaddr", "-"), stdin=subprocess.PIPE)
            try:
                wait_for(f"port {port} is in use", functools.partial(self.listens, host, port))
                self.refused(host, 4, f"port {port} of 10.9.0.1 is in use", "init", "--listen", host.address)
            finally:
                other.kill()
                other.wait()
                other.stdin.close()

    def test_the_etcd_that_debian_starts(self) -> None:
        """Without a key it is replaced; with one it is a person's."""
        host = self.host()
        host.run("systemctl", "start", "etcd.service")
        wait_for("it answers", lambda: host.run("curl", "-s", "http://127.0.0.1:2379/version").returncode == 0)
        host.run("curl", "-s", "-d", json.dumps({"key": "YQ==", "value": "YQ=="}), "http://127.0.0.1:2379/v3/kv/put")
        before = host.tree()
        done = host.call("store", "init", "--listen", host.address)
        self.assertEqual(done.returncode, 4)
        self.assertIn("etcd on this host has keys already", done.stderr)
        self.assertEqual({k: v for k, v in host.tree().items() if "/var/lib" not in k}, {k: v for k, v in before.items() if "/var/lib" not in k})
        host.run("systemctl", "stop", "etcd.service")
        host.run("rm", "-r", "/var/lib/etcd/default")
        host.run("systemctl", "start", "etcd.service")
        wait_for("it answers", lambda: host.run("curl", "-s", "http://127.0.0.1:2379/version").returncode == 0)
        self.good(host.call("store", "init", "--listen", host.address))
        self.assertEqual(self.members(host), {"ams-1": True})

    def test_a_start_that_fails_is_taken_back(self) -> None:
        host = self.host()
        host.run("systemctl", "start", "etcd.service")  # of Debian: it runs again afterwards
        wait_for("it answers", lambda: host.run("curl", "-s", "http://127.0.0.1:2379/version").returncode == 0)
        host.write(f"{FAKE}/fail-restart", "")
        before = {k: v for k, v in host.tree().items() if "/var/lib" not in k}
        done = host.call("store", "init", "--listen", host.address)
        self.assertEqual(done.returncode, 3)
        self.assertIn("systemctl restart: the unit cannot restart\nweir: nothing was changed: what was written is taken back", done.stderr)
        self.assertEqual({k: v for k, v in host.tree().items() if "/var/lib" not in k}, before)
        self.assertFalse(host.exists("/var/lib/etcd/weir"))
        self.assertEqual(host.calls()[-1], "start etcd.service --no-block")

    def test_what_cannot_be_taken_back_is_by_the_next_command(self) -> None:
        host = self.host()
        for verb in ("restart", "stop"):
            host.write(f"{FAKE}/fail-{verb}", "")
        done = host.call("store", "init", "--listen", host.address)
        self.assertIn("cannot be taken back (systemctl stop: the unit cannot stop): run the same command again", done.stderr)
        self.assertTrue(host.exists("/etc/weir/store.unfinished"))
        done = host.call("store", "init", "--listen", host.address)
        self.assertEqual(done.returncode, 3)
        self.assertIn("what an earlier command wrote cannot be taken back", done.stderr)
        for verb in ("restart", "stop"):
            host.remove(f"{FAKE}/fail-{verb}")
        self.assertIn("taken back first", self.good(host.call("store", "init", "--listen", host.address)))

    def test_it_is_killed_and_goes_on(self) -> None:
        host = self.host()
        host.write(f"{FAKE}/silent", "")
        before = host.tree()
        process = subprocess.Popen(host.command(WEIR, "--node", "ams-1", "store", "init", "--listen", host.address), stdout=subprocess.DEVNULL)
        wait_for("etcd is started", lambda: "restart etcd.service --no-block" in host.calls())
        other = host.call("store", "init", "--listen", host.address)
        self.assertEqual(other.returncode, 4)
        self.assertIn("another weir store runs on this host", other.stderr)
        process.send_signal(signal.SIGKILL)
        process.wait()
        self.assertNotEqual(host.tree(), before)
        self.assertFalse(host.exists(CONF))
        host.remove(f"{FAKE}/silent")
        self.assertIn("taken back first", self.good(host.call("store", "init", "--listen", host.address)))
        self.assertEqual(host.read("/etc/default/etcd.before-weir"), "## only comments\n")


    def test_it_is_killed_and_the_etcd_of_debian_starts_slowly(self) -> None:
        host = self.host()
        host.run("systemctl", "start", "etcd.service")
        wait_for("it answers", lambda: host.run("curl", "-s", "http://127.0.0.1:2379/version").returncode == 0)
        host.write(f"{FAKE}/silent", "")
        process = subprocess.Popen(host.command(WEIR, "--node", "ams-1", "store", "init", "--listen", host.address), stdout=subprocess.DEVNULL)
        wait_for("etcd is started", lambda: "restart etcd.service --no-block" in host.calls())
        process.send_signal(signal.SIGKILL)
        process.wait()
        host.remove(f"{FAKE}/silent")
        host.write(f"{FAKE}/slow", "")
        self.assertIn("taken back first", self.good(host.call("store", "init", "--listen", host.address)))

    def test_it_is_killed_after_its_claim(self) -> None:
        """Nobody has store.join yet: the id in the note says that the store is this command's."""
        host = self.begun()
        first = json.loads(host.read(CONF))["id"]
        for path in (CONF, JOIN):
            host.remove(path)
        host.write("/etc/weir/store.unfinished", json.dumps({"has_etcd": True, "has_join": True, "id": first}), 0o600)
        self.assertIn("taken back first", self.good(host.call("store", "init", "--listen", host.address)))
        self.assertNotEqual(json.loads(host.read(CONF))["id"], first)


class Join(Setup):
    def test_two_members_join_and_one_node_without(self) -> None:
        first = self.begun()
        hosts = [first, self.host(1), self.host(2), self.host(3)]
        for host in hosts[1:3]:
            said = self.good(host.call("store", "join", self.bring(host, first), "--member", "--listen", host.address))
            self.assertIn("without a vote yet", said)
        self.assertIn("3 members: configuration can be changed while 2 of them are up", said)
        self.assertEqual(self.members(first), {"ams-1": True, "ams-2": True, "fra-1": True})
        self.good(hosts[3].call("store", "join", self.bring(hosts[3], first)))
        self.assertFalse(hosts[3].exists("/etc/etcd-weir"))
        urls = [f"https://{a}:2379" for a in ADDRESSES[:3]]
        firsts: list[tuple[int, list[str]]] = [(1, urls[1:2]), (2, urls[2:]), (3, [])]
        for n, own in firsts:
            conf = json.loads(hosts[n].read(CONF))
            self.assertEqual(conf["endpoints"][:len(own)], own)
            self.assertEqual(conf["id"], json.loads(first.read(CONF))["id"])
            self.assertEqual(oct(hosts[n].tree()[CONF][0]), "0o640")
            self.assertFalse(hosts[n].exists("/etc/weir/store.unfinished"))
        self.assertEqual(sorted(json.loads(hosts[3].read(CONF))["endpoints"]), urls)
        self.assertEqual(sorted(json.loads(hosts[2].read(CONF))["endpoints"]), urls)
        # one of three is killed: the store goes on
        first.run("systemctl", "stop", "etcd.service")
        wait_for("the others go on", lambda: "kvs" in self.ask(hosts[1], "kv/range", {"key": base64.b64encode(b"/weir/store").decode()}))
        self.refused_again(hosts[1], first)

    def refused_again(self, host: Host, first: Host) -> None:
        """A host that has joined joins no other store, nor the same again."""
        before = host.tree()[CONF]
        done = host.call("store", "join", self.bring(host, first), "--member", "--listen", host.address)
        self.assertEqual(done.returncode, 4)
        self.assertIn("this node is in a store", done.stderr)
        self.assertEqual(host.tree()[CONF], before)

    def test_hostile_files(self) -> None:
        first, host = self.begun(), self.host(1)
        good = json.loads(first.read(JOIN))
        other = json.loads(self.begun_elsewhere())
        key = good["ca_key"]
        rows: list[tuple[typing.Any, str]] = [
            ("", "store.join:1:"), ("{", "store.join:1:"), ("[]", "store.join:"), ("[" * 60000, "store.join:"), ("{\"id\":" * 15000, "store.join:"),
            ("x" * 200000, "at most 96 KiB"), ("{}", "id must have 32 digits"), ({**good, "id": 7}, "id"), ({**good, "id": "../../etc/passwd"}, "id"),
            ({**good, "endpoints": []}, "endpoints"), ({**good, "endpoints": "https://10.9.0.1:2379"}, "endpoints"),
            ({**good, "endpoints": ["https://10.9.0.1:2379"] * 10}, "endpoints"), ({**good, "endpoints": ["file:///etc/passwd"]}, "endpoint 0 is not"),
            ({**good, "endpoints": ["https://a:1/\n"]}, "endpoints"), ({**good, "endpoints": ["http://10.9.0.1:2379"]}, "must begin with https://"),
            ({**good, "endpoints": [{"a": 1}]}, "endpoints"), ({**good, "prefix": "weir"}, "prefix must begin"), ({**good, "prefix": "/../" * 60}, "prefix"),
            ({**good, "ca": "/etc/ssl/certs/ca.crt"}, "ca cannot be read"), ({**good, "ca": good["ca"] + "-----BEGIN CERTIFICATE-----\nAAAA\n"}, "ca cannot be read"),
            ({**good, "ca": key}, "ca cannot be read"), ({**good, "ca": "A" * 20000}, "ca"), ({**good, "ca_key": other["ca_key"]}, "do not belong together"),
            ({**good, "ca_key": "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"}, "key cannot be read"),
            ({**good, "ca_key": good["ca"]}, "key cannot be read"), ({**good, "ca": ""}, "ca_key goes with ca"), ({**good, "is_own": False}, "ca_key goes with"),
            ({**good, "is_own": 1}, "is_own is neither"), ({**good, "user": "root"}, "user and password need each other"),
            ({**good, "user": "a\x1b[2J", "password": "b"}, "control characters"), ({**good, "capath": "/"}, 'no setting "capath"'),
            ({**good, "\x1b[2J": "/"}, 'no setting ""'), ({**good, "certificate": good["ca"]}, "ca_key goes with"),
            ({**{k: v for k, v in good.items() if k != "ca_key"}, "certificate": other["ca"], "key": other["ca_key"]}, "this CA has signed")]
        for given, text in rows:
            with self.subTest(text, given=str(given)[:60]):
                host.write("/run/store.join", given if isinstance(given, str) else json.dumps(given), 0o600)
                self.refused(host, 1, text, "join", "/run/store.join", "--member", "--listen", host.address)
        host.write("/run/store.join", '{"id":"%s","id":"%s"}' % (good["id"], other["id"]))
        self.refused(host, 1, "duplicate", "join", "/run/store.join")
        host.write("/run/store.join", '{"id":"%s"}\0' % good["id"])
        self.refused(host, 1, "NUL", "join", "/run/store.join")
        self.refused(host, 1, "there is no /run/none", "join", "/run/none")
        self.refused(host, 1, "must be a file", "join", "/run")
        host.run("mkfifo", "/run/pipe")
        self.refused(host, 1, "must be a file", "join", "/run/pipe")
        self.bring(host, first)
        self.refused(host, 1, "go with --member", "join", "/run/store.join", "--name", "x")
        self.refused(host, 1, "are not needed", "join", "/run/store.join", "--certificate", "/etc/weir/../hostname")

    def begun_elsewhere(self) -> str:
        """The file of another store."""
        host = self.host(3)
        self.good(host.call("store", "init", "--listen", host.address))
        return host.read(JOIN)

    def test_another_store_answers(self) -> None:
        """By its id, and by its CA. What was written until then is taken back."""
        first, host = self.begun(), self.host(1)
        good, other = json.loads(first.read(JOIN)), json.loads(self.begun_elsewhere())
        host.write("/run/store.join", json.dumps({**good, "id": other["id"]}))
        self.fails(host, 4, f"the members have store {good['id']} below /weir/")
        host.write("/run/store.join", json.dumps({**good, "prefix": "/weir/other/"}))
        self.fails(host, 4, "the members have no store")
        host.write("/run/store.join", json.dumps({**good, "endpoints": other["endpoints"]}))
        self.fails(host, 3, "no member of the store answers as it should")
        host.write("/run/store.join", json.dumps({**good, "endpoints": ["https://10.9.0.3:2379"]}))
        self.fails(host, 3, "look at the network (TCP 2379)")
        self.assertEqual(self.members(first), {"ams-1": True})

    def fails(self, host: Host, status: int, text: str) -> None:
        before = host.tree()
        done = host.call("store", "join", "/run/store.join", "--member", "--listen", host.address)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertIn(text, done.stderr)
        self.assertIn("taken back", done.stderr)
        self.assertEqual(host.tree(), before)

    def test_a_member_that_does_not_start(self) -> None:
        """Its learner leaves the list; a command that was killed leaves one, which the next one replaces."""
        first, host = self.begun(), self.host(1)
        self.bring(host, first)
        host.write(f"{FAKE}/fail-restart", "")
        self.fails(host, 3, "the unit cannot restart")
        self.assertEqual(self.members(first), {"ams-1": True})
        host.remove(f"{FAKE}/fail-restart")
        host.write(f"{FAKE}/silent", "")
        words = ("store", "join", "/run/store.join", "--member", "--listen", host.address)
        process = subprocess.Popen(host.command(WEIR, "--node", "ams-2", *words), stdout=subprocess.DEVNULL)
        wait_for("it is a learner", lambda: self.members(first) == {"ams-1": True, "": False})
        wait_for("it may count from now on", lambda: '"keeps": true' in host.read("/etc/weir/store.unfinished"))
        process.send_signal(signal.SIGKILL)
        process.wait()
        host.remove(f"{FAKE}/silent")
        done = host.call("store", "init", "--listen", host.address)
        self.assertEqual(done.returncode, 4)
        self.assertIn("it was weir store join --member", done.stderr)
        done = host.call("store", "join", "/run/store.join")
        self.assertEqual(done.returncode, 4)
        self.assertIn("run it again with --member", done.stderr)
        self.assertIn("goes on from there", self.good(host.call(*words)))
        self.assertEqual(self.members(first), {"ams-1": True, "ams-2": True})

    def unfinished(self, host: Host, **note: bool) -> None:
        """As a command leaves it that is killed before it has written store.conf."""
        host.remove(CONF)
        host.write("/etc/weir/store.unfinished", json.dumps(note), 0o600)

    def test_it_is_killed_when_its_member_counts(self) -> None:
        """Of two members one without its data would be the end of the store: nothing is taken back any more."""
        first, host = self.begun(), self.host(1)
        words = ("store", "join", self.bring(host, first), "--member", "--listen", host.address)
        self.good(host.call(*words))
        ids = {m["name"]: m["ID"] for m in self.ask(first, "cluster/member/list")["members"]}
        self.unfinished(host, has_etcd=True, keeps=True)
        first.run("systemctl", "stop", "etcd.service")  # it cannot go on now
        before = host.tree()
        done = host.call(*words)
        self.assertEqual(done.returncode, 5, done.stderr)
        self.assertIn("the same command again goes on from here", done.stderr)
        self.assertEqual({k for k in host.tree() if "/snap/" not in k and "/wal/" not in k}, {k for k in before if "/snap/" not in k and "/wal/" not in k})
        first.run("systemctl", "start", "etcd.service")
        wait_for("the first is up", lambda: "ams-1" in first.run("curl", "-s", "--cacert", "/etc/weir/store-ca.crt", "--cert", "/etc/weir/store.crt", "--key",
                                                                 "/etc/weir/store.key", "-d", "{}", "https://10.9.0.1:2379/v3/cluster/member/list").stdout)
        self.good(host.call(*words))
        self.assertEqual({m["name"]: m["ID"] for m in self.ask(first, "cluster/member/list")["members"]}, ids)
        self.assertFalse(host.exists("/etc/weir/store.unfinished"))
        # and one that was removed meanwhile is of no use: its files go
        self.unfinished(host, has_etcd=True, keeps=True)
        self.good(first.call("store", "remove", "ams-2", "--yes"))

        def decided() -> subprocess.CompletedProcess[str] | None:
            done = host.call(*words)
            return None if done.returncode == 5 else done
        done = wait_for("no election goes on any more", decided, 60)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("is not in the list any more", done.stderr)
        self.assertFalse(host.exists("/var/lib/etcd/weir"))
        self.good(host.call(*words))

    def test_a_note_beside_store_conf(self) -> None:
        """A command that was killed at its very end: the next one removes its note."""
        first, host = self.begun(), self.host(1)
        words = ("store", "join", self.bring(host, first), "--member", "--listen", host.address)
        self.good(host.call(*words))
        for command, status in ((words, 4), (("store", "backup", "/run/b.json"), 0)):
            host.write("/etc/weir/store.unfinished", '{"has_etcd": true}', 0o600)
            before = host.tree()[CONF]
            done = host.call(*command)
            self.assertEqual(done.returncode, status, done.stderr)
            self.assertIn("the note that it left (store.unfinished) is removed", done.stdout + done.stderr)
            self.assertFalse(host.exists("/etc/weir/store.unfinished"))
            self.assertEqual(host.tree()[CONF], before)
        # where store.conf is not sound, it proves nothing
        host.write("/etc/weir/store.unfinished", '{"has_etcd": true}', 0o600)
        host.write(CONF, "{}", 0o640)
        self.assertIn("this node is in a store", host.call(*words).stderr)
        self.assertTrue(host.exists("/etc/weir/store.unfinished"))

    def test_the_data_of_a_member_with_a_vote_stays(self) -> None:
        first, host = self.begun(), self.host(1)
        words = ("store", "join", self.bring(host, first), "--member", "--listen", host.address)
        self.good(host.call(*words))
        for down in (False, True):  # its own etcd: then the other member says it
            self.unfinished(host, has_etcd=True)
            if down:
                host.run("systemctl", "stop", "etcd.service")
                host.run("systemctl", "start", "etcd.service")  # the list needs no majority
                first.run("systemctl", "stop", "etcd.service")
            for command in (words[:3], words):
                done = host.call(*command)
                self.assertEqual(done.returncode, 3, done.stderr)
                self.assertIn("so its data stays", done.stderr)  # it has a vote, or no one says whether it has
            self.assertTrue(host.exists("/var/lib/etcd/weir/member"))
            self.assertTrue(host.exists("/etc/weir/store.key"))
        self.assertNotIn("disable etcd.service", host.calls())
        # the file of another store: it is not that store's member which is looked for
        first.run("systemctl", "start", "etcd.service")
        self.unfinished(host, has_etcd=True, keeps=True)
        host.write("/run/store.join", self.begun_elsewhere(), 0o600)
        done = host.call(*words)
        self.assertNotEqual(done.returncode, 0)
        self.assertTrue(host.exists("/var/lib/etcd/weir/member"))

    def test_the_data_of_a_store_stays(self) -> None:
        host = self.begun()
        self.unfinished(host, has_etcd=True, has_join=True)
        done = host.call("store", "init", "--listen", host.address)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn(f"has the store {json.loads(host.read(JOIN))['id']}, so its data stays", done.stderr)
        self.assertTrue(host.exists("/var/lib/etcd/weir/member"))

    def test_it_is_killed_when_the_store_is_there(self) -> None:
        host = self.begun()
        conf = host.read(CONF)
        self.unfinished(host, has_etcd=True, has_join=True, keeps=True)
        done = host.call("store", "join", JOIN)
        self.assertEqual(done.returncode, 4)
        self.assertIn("it was weir store init", done.stderr)
        self.assertIn("goes on from there", self.good(host.call("store", "init", "--listen", host.address)))
        self.assertEqual(host.read(CONF), conf)
        self.assertFalse(host.exists("/etc/weir/store.unfinished"))

    def test_three_join_at_once(self) -> None:
        """etcd has one learner at a time: the others wait, whoever of them comes first."""
        first = self.begun()
        hosts = [self.host(n) for n in (1, 2, 3)]
        processes = [subprocess.Popen(h.command(WEIR, "--node", h.name, "store", "join", self.bring(h, first), "--member", "--listen", h.address),
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for h in hosts]
        said = [p.communicate(timeout=120)[0] for p in processes]
        self.assertEqual([p.returncode for p in processes], [0, 0, 0], said)
        self.assertEqual(self.members(first), dict.fromkeys(NAMES, True))

    def test_what_a_member_cannot_be(self) -> None:
        first, host = self.begun(), self.host(1)
        self.bring(host, first)
        before = host.tree()
        done = host.call("store", "join", "/run/store.join", "--member", "--listen", host.address, "--name", "ams-1")
        self.assertEqual(done.returncode, 4)
        self.assertIn("there is a member named ams-1 already", done.stderr)
        self.assertEqual(host.tree(), before)
        # its data is lost, and it is in the list
        self.good(host.call("store", "join", "/run/store.join", "--member", "--listen", host.address))
        host.run("systemctl", "stop", "etcd.service")
        again = self.host(1)
        self.bring(again, first)
        done = again.call("store", "join", "/run/store.join", "--member", "--listen", again.address)
        self.assertEqual(done.returncode, 3)  # one of two is down: nothing decides
        self.assertIn("no member of the store answers as it should", done.stderr)


class Remove(Setup):
    def three(self) -> list[Host]:
        first = self.begun()
        hosts = [first, self.host(1), self.host(2)]
        for host in hosts[1:]:
            self.good(host.call("store", "join", self.bring(host, first), "--member", "--listen", host.address))
        return hosts

    def test_the_own_member_is_down(self) -> None:
        """store.conf of the first host names its own member alone: weir-mgmt has heard of the others."""
        first, second, _ = self.three()
        self.assertEqual(json.loads(first.read(CONF))["endpoints"], [f"https://{ADDRESSES[0]}:2379"])
        first.run("mkdir", "/var/lib/weir/store")
        first.run("systemctl", "stop", "etcd.service")
        first.write("/var/lib/weir/store/members", json.dumps({"urls": ["http://10.9.0.2:2379"]}), 0o600)
        self.assertIn(("wrong", "store"), {(level, s) for level, s, _ in self.checked(first)[1]})
        first.write("/var/lib/weir/store/members", json.dumps({"urls": [f"https://{a}:2379" for a in ADDRESSES[:3]]}), 0o600)
        wait_for("the others go on", lambda: second.call("store", "backup", "/run/b.json").returncode == 0)
        status, lines = self.checked(first)
        said = {(level, s): text for level, s, text in lines}
        self.assertEqual(status, 11)
        self.assertIn(("ok", "store"), said)
        self.assertIn("ams-1 does not answer", said["wrong", "member"])
        self.assertIn("read again and found whole", self.good(first.call("store", "backup", "/run/b.json")))
        before = json.loads(first.read(JOIN))
        self.assertIn("ams-1 is removed", self.good(first.call("store", "remove", "ams-1", "--yes")))
        self.assertEqual({**json.loads(first.read(JOIN)), "endpoints": None}, {**before, "endpoints": None})
        self.assertEqual((sorted(json.loads(first.read(JOIN))["endpoints"]), first.tree()[JOIN][0]), ([f"https://{a}:2379" for a in ADDRESSES[1:3]], 0o600))

    def test_the_first_host_is_lost(self) -> None:
        """The file of the host that joined last names all members; that of the first names itself alone."""
        first, second, third = self.three()
        old, last = first.read(JOIN), third.read("/run/store.join")
        self.assertEqual(sorted(json.loads(last)["endpoints"]), [f"https://{a}:2379" for a in ADDRESSES[:3]])
        self.assertEqual({**json.loads(last), "endpoints": None}, {**json.loads(old), "endpoints": None})
        self.assertEqual(os.lstat(third.path("/run/store.join")).st_mode & 0o777, 0o600)
        first.close()
        wait_for("the others go on", lambda: second.call("store", "backup", "/run/b.json").returncode == 0)
        self.good(second.call("store", "remove", "ams-1", "--yes"))
        plain, new = self.host(3), self.host(0)
        for host, words in ((plain, ()), (new, ("--member", "--listen", new.address))):
            host.write("/run/store.join", old, 0o640)
            done = host.call("store", "join", "/run/store.join", *words)
            self.assertEqual(done.returncode, 3)
            self.assertIn("no member of the store answers as it should at https://10.9.0.1:2379 (", done.stderr)
            self.assertIn('put the "endpoints" of store.conf of a host that has a member now into it\n', done.stderr)
            self.assertEqual(host.read("/run/store.join"), old)
        plain.write("/run/store.join", json.dumps({**json.loads(old), "endpoints": json.loads(second.read(CONF))["endpoints"]}), 0o640)
        self.good(plain.call("store", "join", "/run/store.join"))
        self.assertEqual(sorted(json.loads(plain.read("/run/store.join"))["endpoints"]), [f"https://{a}:2379" for a in ADDRESSES[1:3]])
        self.assertEqual(os.lstat(plain.path("/run/store.join")).st_mode & 0o777, 0o640)
        new.write("/run/store.join", last, 0o600)
        self.good(new.call("store", "join", "/run/store.join", "--member", "--listen", new.address))
        self.assertEqual(self.members(second), {"ams-1": True, "ams-2": True, "fra-1": True})

    def test_a_dead_member_goes(self) -> None:
        first, second, third = self.three()
        self.refused_removal(second, 1, 'no member "lon-1"; the members are: ', "lon-1")
        third.run("systemctl", "stop", "etcd.service")
        said = self.good(second.call("store", "remove", "fra-1", "--yes"))
        self.assertIn("does not answer\nwithout it 2 members are left, and 2 answer: configuration can be changed while 2 are up\n", said)
        self.assertEqual(self.members(first), {"ams-1": True, "ams-2": True})
        # of two one is down: nothing is decided
        first.run("systemctl", "stop", "etcd.service")
        self.refused_removal(second, 3, "none can be removed", "ams-1")
        first.run("systemctl", "start", "etcd.service")
        wait_for("both are up", lambda: self.members(second) == {"ams-1": True, "ams-2": True})
        said = json.loads(self.good(second.call("store", "remove", "ams-1", "--yes", "--json")))
        self.assertEqual(said, {"removed": "ams-1", "members": 1})
        conf = json.loads(second.read(CONF))
        self.assertEqual((conf["endpoints"], oct(second.tree()[CONF][0])), (["https://10.9.0.2:2379"], "0o640"))
        self.assertNotEqual(second.tree()[CONF][2], 0)
        self.refused_removal(second, 2, "is the only member", "ams-2")

    def test_what_is_left_must_decide(self) -> None:
        """Two of three answer. Without one of them the third could decide nothing."""
        first, second, third = self.three()
        third.run("systemctl", "stop", "etcd.service")
        self.refused_removal(first, 2, "of the 2 members that would be left 1 answer, and 2 are needed", "https://10.9.0.2:2379")
        done = first.run("sh", "-c", f"echo n | script -qec '{WEIR} --node ams-1 store remove fra-1' /dev/null")
        self.assertIn("remove fra-1? [y/N]", done.stdout)
        self.assertIn("nothing was changed", done.stdout)
        self.assertEqual(len(self.members(second)), 3)

    def refused_removal(self, host: Host, status: int, text: str, member: str) -> None:
        before = host.tree()
        done = host.call("store", "remove", member)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertIn(text, done.stderr)
        self.assertEqual({k: v for k, v in host.tree().items() if "/var/lib" not in k}, {k: v for k, v in before.items() if "/var/lib" not in k})

    def test_what_a_check_says(self) -> None:
        first, second, third = self.three()
        nodes = ", ".join(f'{{ name = "{n}"; site = "{n[:3]}"; ports = ( {{ interface = "e"; }} ); tunnel_source = [ "10.{i}.0.0/24" ]; '
                          f'api = "https://{a}:8443"; }}' for i, (n, a) in enumerate(zip(NAMES[:3], ADDRESSES, strict=False)))
        self.assertIn("are not known", {(level, s): t for level, s, t in self.checked(first)[1]}["warning", "sites"])
        first.write("/etc/weir/weir.conf", 'schema = 1; cluster = { name = "c"; hash_key_file = "hash.key"; hash_key_id = "k"; };\n'
                    f'sites = ( {{ name = "ams"; }}, {{ name = "fra"; }} );\nnodes = ( {nodes} );\n')
        status, lines = self.checked(first)
        self.assertEqual(status, 10)
        self.assertEqual({s for level, s, _ in lines if level == "wrong"}, set())
        said = {(level, subject): text for level, subject, text in lines}
        self.assertIn("if ams dies, configuration is frozen: it has 2 of 3 members", said["warning", "sites"])
        self.assertEqual(said["ok", "members"], "3 of 3 answer, 2 are needed to change configuration")
        self.assertEqual({text.split()[0] for level, s, text in lines if (level, s) == ("ok", "member")}, {"ams-1", "ams-2", "fra-1"})
        self.assertIn(("ok", "clock", "those of members that answer are within 3 s of it"), lines)
        for subject in ("store", "alarms", "room", "compaction", "conditions"):
            self.assertIn(("ok", subject), said)
        self.assertEqual([text.split()[0] for level, s, text in lines if (level, s) == ("ok", "certificate")],
                         ["/etc/weir/store-ca.crt", "/etc/weir/store.crt", "/etc/etcd-weir/member.crt"])
        self.assertIn("of 256 MiB (", said["ok", "room"])
        before = self.record(first)
        third.run("systemctl", "stop", "etcd.service")
        status, lines = self.checked(first)
        said = {(level, subject): text for level, subject, text in lines}
        self.assertEqual(status, 11)
        self.assertIn("fra-1 does not answer", said["wrong", "member"])
        self.assertIn("weir store remove", said["wrong", "member"])
        self.assertIn("2 of 3 answer", said["warning", "members"])
        self.assertEqual(self.record(first), before)
        conf = json.loads(first.read(CONF))
        first.write(CONF, json.dumps({**conf, "id": "0" * 32}))
        self.assertIn(("wrong", "store"), {(level, subject) for level, subject, _ in self.checked(first)[1]})
        second.run("systemctl", "stop", "etcd.service")
        status, lines = self.checked(first)
        self.assertEqual(status, 11)
        self.assertIn("no majority of the members answers", {(level, s): t for level, s, t in lines}["wrong", "store"])

    def test_a_full_member_has_room_after_the_commands_of_a_check(self) -> None:
        host = self.begun()
        access = ("--cacert", "/etc/weir/store-ca.crt", "--cert", "/etc/weir/store.crt", "--key", "/etc/weir/store.key", f"https://{host.address}:2379/v3/maintenance/alarm")
        self.good(host.run("curl", "-sS", "-d", '{"action": "ACTIVATE", "alarm": "NOSPACE"}', *access))
        commands = [c for line in json.loads(host.call("store", "check", "--json").stdout) for c in line.get("commands", [])]
        self.assertEqual(commands[1:4], ["apt-get install etcd-client", f"export ETCDCTL_API=3 ETCDCTL_ENDPOINTS=https://{host.address}:2379",
                                         "export ETCDCTL_CACERT=/etc/weir/store-ca.crt ETCDCTL_CERT=/etc/weir/store.crt ETCDCTL_KEY=/etc/weir/store.key"])
        if not os.path.exists("/usr/bin/etcdctl"):
            self.skipTest("etcd-client is not installed")
        done = host.run("sh", "-ec", "\n".join(c for c in commands if not c.startswith("apt-get")))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("Finished defragmenting etcd member", done.stdout)
        self.assertIn('"text":"none"', host.call("store", "check", "--json").stdout)

    def checked(self, host: Host) -> tuple[int, list[tuple[str, str, str]]]:
        """(exit status, [(level, subject, text)]), which the text has, too."""
        done, plain = host.call("store", "check", "--json"), host.call("store", "check")
        self.assertEqual((done.stderr, plain.stderr), ("", ""))
        lines = [(x["level"], x["subject"], x["text"]) for x in json.loads(done.stdout)]
        self.assertEqual([f"{level:8} {subject}: " for level, subject, _ in lines], [f"{x[:9]}{x[9:].partition(': ')[0]}: " for x in plain.stdout.splitlines()])
        return done.returncode, lines

    def test_a_check_that_fails_is_noted(self) -> None:
        host = self.begun()
        self.checked(host)
        note, conf = "/var/lib/weir/store.check", host.read(CONF)
        self.assertNotIn("failed", host.read(note))
        key = json.loads(conf)["key"]
        for text in ("{}", conf.replace(key, "none.key")):
            host.write(CONF, text)
            host.write(note, json.dumps({"time_ms": 1, "text": "ok"}))
            self.assertEqual(host.call("store", "check").returncode, 1)
            self.assertEqual(json.loads(host.read(note))["text"], "failed: weir store check says why")
        host.remove(CONF)  # in no store: nothing is checked
        host.write(note, json.dumps({"time_ms": 1, "text": "ok"}))
        self.assertEqual(host.call("store", "check").returncode, 4)
        self.assertIn('"ok"', host.read(note))

    def test_a_node_in_no_store(self) -> None:
        host = self.host()
        self.refused_removal(host, 4, "this node is in no store", "x")
        host.write(CONF, "{}")
        self.refused_removal(host, 1, "id must have 32 digits", "x")
        host.write(CONF, json.dumps({"id": "0" * 32, "endpoints": ["https://10.9.0.1:2379"], "certificate": "a", "key": "b"}))
        self.refused_removal(host, 1, "/etc/weir/b: No such file", "x")


class Backup(Setup):
    KIND = "backup of Weir's store, 1"

    def put(self, host: Host, name: str, record: dict[str, typing.Any]) -> None:
        self.ask(host, "kv/put", {"key": base64.b64encode(f"/weir/{name}".encode()).decode(),
                                  "value": base64.b64encode(json.dumps(record).encode()).decode()})

    def fill(self, host: Host) -> None:
        """Records that are none of versions: each is kept as it is."""
        for i in range(70):
            self.put(host, f"override/{i:02}", {"change": f"c{i}", "text": "\u00fc" * i})

    def keys(self, host: Host) -> dict[str, str]:
        found = self.ask(host, "kv/range", {"key": base64.b64encode(b"/weir/").decode(), "range_end": base64.b64encode(b"/weir0").decode()})
        return {base64.b64decode(kv["key"]).decode(): kv["value"] for kv in found["kvs"] if base64.b64decode(kv["key"]) != b"/weir/store"}

    def test_a_backup_is_restored(self) -> None:
        host, other = self.begun(), self.host(1)
        self.fill(host)
        said = self.good(host.call("store", "backup", "/run/b.json"))
        self.assertIn("70 records of 0 versions; read again and found whole", said)
        self.assertEqual(oct(os.stat(host.path("/run/b.json")).st_mode & 0o777), "0o600")
        self.assertIn("/var/backups/weir-store-", self.good(host.call("store", "backup")))
        self.assertEqual(json.loads(self.good(host.call("store", "backup", "/run/c.json", "--json")))["records"], 70)
        self.good(other.call("store", "init", "--listen", other.address))
        other.write("/run/b.json", host.read("/run/b.json"))
        self.assertIn("70 records of 0 versions are in the store, and compared", self.good(other.call("store", "restore", "/run/b.json")))
        self.assertEqual(self.keys(other), self.keys(host))
        # again: nothing is left to do; and half of it is there after a command that was killed
        self.good(other.call("store", "restore", "/run/b.json"))
        for i in range(30, 70):
            self.ask(other, "kv/deleterange", {"key": base64.b64encode(f"/weir/override/{i:02}".encode()).decode()})
        self.good(other.call("store", "restore", "/run/b.json"))
        self.assertEqual(self.keys(other), self.keys(host))
        # another's record, or another text, is never overwritten
        self.put(other, "override/05", {"change": "later"})
        before = self.keys(other)
        done = other.call("store", "restore", "/run/b.json")
        self.assertEqual(done.returncode, 4)
        self.assertIn("the store has the record override/05, and the backup has another one", done.stderr)
        self.assertEqual(self.keys(other), before)

    def test_a_store_of_a_known_id_begins_again(self) -> None:
        """All members are lost, and nodes have copies: nothing is taken from it, or put into it, before it is rebuilt."""
        host, other, known = self.begun(), self.host(1), "0123456789abcdef0123456789abcdef"
        self.assertFalse(self.record(host).get("unfinished"))
        self.assertEqual(self.record(host)["epoch"], 1)
        self.assertRegex(self.record(host)["nonce"], "^[0-9a-f]{16}$")
        self.fill(host)
        self.good(host.call("store", "backup", "/run/b.json"))
        self.refused(other, 1, "--id: 32 digits", "init", "--listen", other.address, "--id", known.upper())
        said = self.good(other.call("store", "init", "--listen", other.address, "--id", known))
        self.assertIn("weir store rebuild --reason TEXT", said)
        self.assertEqual(json.loads(other.read(CONF))["id"], known)
        record = self.record(other)
        self.assertEqual((record["id"], record["unfinished"], record["epoch"]), (known, True, 1))
        self.assertNotEqual(record["nonce"], self.record(host)["nonce"])
        checked = other.call("store", "check")
        self.assertEqual(checked.returncode, 11, checked.stderr)
        self.assertIn("wrong    store: it is unfinished", checked.stdout)
        other.write("/run/b.json", host.read("/run/b.json"))
        done = other.call("store", "restore", "/run/b.json")
        self.assertEqual(done.returncode, 4)
        self.assertIn("begun again for a node's copy: weir store rebuild", done.stderr)
        self.assertEqual(self.keys(other), {})

    def test_what_is_no_backup(self) -> None:
        host = self.begun()
        self.fill(host)
        self.good(host.call("store", "backup", "/run/b.json"))
        good = json.loads(host.read("/run/b.json"))
        first = good["records"][0]
        rows: list[tuple[typing.Any, str]] = [
            ("", "it is no JSON"), ("[" * 100000, "it is no JSON"), ("[]", "it is no backup"), ({}, "it is no backup"),
            ({**good, "kind": "x"}, "it is no backup"), ({**good, "id": "../.."}, "it is no backup"), ({**good, "records": {}}, "no list"),
            ({**good, "records": [1]}, "name cannot be one"), ({**good, "records": [{"name": "store", "text": "{}"}]}, "name cannot be one"),
            ({**good, "records": [{"name": "a\nb", "text": "{}"}]}, "name cannot be one"), ({**good, "records": [{"name": "a" * 300, "text": "{}"}]}, "name cannot be one"),
            ({**good, "records": [{"name": "a", "text": "x" * 20000}]}, "text cannot be one"), ({**good, "records": [{"name": "a", "text": 7}]}, "text cannot be one"),
            ({**good, "records": [{"name": "head", "text": '{"number":"x"}'}]}, "it is no sound version, mark or head"),
            ({**good, "records": [{"name": "version/7", "text": "{}"}]}, "it is no sound version, mark or head"),
            ({**good, "records": [first, first]}, "by rising names"), ({**good, "records": good["records"][1:]}, "sha256"),
            ({**good, "revision": 1}, "sha256"), ({**good, "records": [{**first, "text": "{}"}, *good["records"][1:]]}, "sha256"),
            ({**good, "records": [{"name": f"{i:05}", "text": "{}"} for i in range(40000)]}, "too long")]
        before = self.keys(host)
        for given, text in rows:
            with self.subTest(text, given=str(given)[:60]):
                host.write("/run/bad.json", given if isinstance(given, str) else json.dumps(given))
                done = host.call("store", "restore", "/run/bad.json")
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn(text, done.stderr)
        self.assertEqual(self.keys(host), before)
        self.assertIn("/run/none: No such file", host.call("store", "restore", "/run/none").stderr)
        # what stays where no backup can be made
        self.put(host, "n" * 300, {})
        done = host.call("store", "backup", "/run/b.json")
        self.assertEqual(done.returncode, 4)
        self.assertIn("is not Weir's", done.stderr)
        self.assertEqual(json.loads(host.read("/run/b.json")), good)
        host.write(CONF, json.dumps({**json.loads(host.read(CONF)), "id": "0" * 32}))
        self.assertEqual(host.call("store", "backup", "/run/none/b.json").returncode, 4)


class Given(Setup):
    """Certificates of a person's own CA; an etcd that is there."""

    def authority(self, host: Host, *names: str) -> None:
        script = "cd /run; openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 9 -subj /CN=own -keyout ca.key -out ca.crt\n"
        for name in names:
            use = "clientAuth" if name == "client" else "serverAuth,clientAuth"
            script += (f"openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN={name} -keyout {name}.key -out r\n"
                       f"printf 'subjectAltName=IP:{name if name != 'client' else '10.9.0.1'}\\nextendedKeyUsage={use}\\n' >e\n"
                       f"openssl x509 -req -in r -CA ca.crt -CAkey ca.key -CAcreateserial -days 9 -extfile e -out {name}.crt\n")
        done = host.run("sh", "-euc", script)
        self.assertEqual(done.returncode, 0, done.stderr)

    @staticmethod
    def pair(name: str) -> tuple[str, ...]:
        return "--certificate", f"/run/{name}.crt", "--key", f"/run/{name}.key"

    def test_a_ca_of_a_person(self) -> None:
        first, host = self.host(), self.host(1)
        self.authority(first, *ADDRESSES[:2], "client")
        words = ("init", "--listen", first.address, "--ca", "/run/ca.crt")
        self.refused(first, 1, "not a server's (serverAuth)", *words, *self.pair("client"))
        self.refused(first, 1, "not for this host's address", *words, *self.pair(ADDRESSES[1]))
        self.refused(first, 1, "do not belong together", *words, "--certificate", "/run/client.crt", "--key", "/run/ca.key")
        self.refused(first, 1, "need each other", *words)
        said = self.good(first.call("store", *words, *self.pair(first.address)))
        self.assertIn("weir store join store.join --certificate FILE --key FILE", said)
        self.assertNotIn("ca_key", json.loads(first.read(JOIN)))
        self.bring(host, first)
        for name in (f"{host.address}.crt", f"{host.address}.key", "client.crt", "client.key"):
            host.write(f"/run/{name}", first.read(f"/run/{name}"))
        join = ("join", "/run/store.join", "--member", "--listen", host.address)
        self.refused(host, 1, "give --certificate and --key of this host", *join)
        self.refused(host, 1, "not a server's (serverAuth)", *join, *self.pair("client"))
        self.good(host.call("store", *join, *self.pair(host.address)))
        self.assertEqual(self.members(first), {"ams-1": True, "ams-2": True})

    def test_an_etcd_that_is_there(self) -> None:
        """With users; two stores side by side, each below its prefix."""
        server, host, second = self.host(3), self.host(1), self.host(2)
        url = f"http://{server.address}:2379"
        server.write("/etc/default/etcd", f"ETCD_LISTEN_CLIENT_URLS={url}\nETCD_ADVERTISE_CLIENT_URLS={url}\nETCD_LISTEN_PEER_URLS=http://127.0.0.1:2380\n")
        server.run("systemctl", "start", "etcd.service")

        def post(path: str, **body: typing.Any) -> bool:
            return host.run("curl", "-fsS", "-d", json.dumps(body), f"{url}/v3/{path}").returncode == 0
        wait_for("it answers", lambda: post("maintenance/status"))
        begin, end = (base64.b64encode(t).decode() for t in (b"/weir/shop/", b"/weir/shop0"))
        steps: list[tuple[str, dict[str, typing.Any]]] = [
            ("auth/user/add", {"name": "root", "password": "r"}), ("auth/user/grant", {"user": "root", "role": "root"}),
            ("auth/user/add", {"name": "weir", "password": "pw"}), ("auth/role/add", {"name": "weir"}),
            ("auth/role/grant", {"name": "weir", "perm": {"permType": 2, "key": begin, "range_end": end}}),
            ("auth/user/grant", {"user": "weir", "role": "weir"}), ("auth/enable", {})]
        for path, body in steps:
            self.assertTrue(post(path, **body), path)
        host.write("/run/password", "pw\n", 0o600)
        host.write("/run/wrong", "wrong\n", 0o600)
        user = ("--user", "weir", "--password-file", "/run/password")
        before = host.tree()
        refusals: list[tuple[tuple[str, ...], str]] = [
            (("--prefix", "/weir/shop/", "--user", "weir", "--password-file", "/run/wrong"), "nothing was changed"),
            (("--prefix", "/weir/else/", *user), "permission denied"), (("--prefix", "/weir/shop/"), "nothing was changed")]
        for words, text in refusals:
            done = host.call("store", "init", "--endpoints", url, *words)
            self.assertEqual(done.returncode, 3, done.stderr)
            self.assertIn(text, done.stderr)
        self.assertEqual(host.tree(), before)
        said = self.good(host.call("store", "init", "--endpoints", url, "--prefix", "/weir/shop/", *user))
        self.assertIn("etcd itself is as it was", said)
        self.assertEqual({k: v for k, v in host.tree().items() if "etcd" in k}, {k: v for k, v in before.items() if "etcd" in k})
        conf = json.loads(host.read(CONF))
        self.assertEqual({k: conf[k] for k in ("prefix", "user", "password_file")},
                         {"prefix": "/weir/shop/", "user": "weir", "password_file": "store.password"})
        self.assertEqual((host.read("/etc/weir/store.password"), oct(host.tree()["/etc/weir/store.password"][0])), ("pw", "0o400"))
        host.remove(CONF)
        host.write("/etc/weir/store.unfinished", '{"has_join": true, "keeps": true}', 0o600)
        self.assertIn("goes on from there", self.good(host.call("store", "init", "--endpoints", url, "--prefix", "/weir/shop/", *user)))
        self.assertEqual(json.loads(host.read(CONF)), conf)
        second.write("/run/password", "pw\n", 0o600)
        done = second.call("store", "init", "--endpoints", url, "--prefix", "/weir/shop/", *user)
        self.assertEqual(done.returncode, 4)
        self.assertIn(f"has the store {conf['id']} already", done.stderr)
        self.bring(second, host)
        self.refused(second, 1, "not set up by weir", "join", "/run/store.join", "--member")
        self.good(second.call("store", "join", "/run/store.join"))
        self.assertEqual(json.loads(second.read(CONF)), conf)


if __name__ == "__main__":
    counted.main()
