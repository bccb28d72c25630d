#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""`weir store init` and `join --member` on a host of its own (store_host.py), at members of etcd that are played: what keeps the
host from getting a member, what is there when etcd is to start, and that all is as it was then. No etcd is started.

Usage: test_store_member.py [CLASS ...] WEIR SOURCE_ROOT
"""
from __future__ import annotations

import json
import os
import pathlib
import shutil
import sys
import tempfile
import typing
import unittest

import store_host

if not store_host.enter(("10.9.0.1",)):
    print("0 passed, 0 failed, 1 skipped")
    sys.exit(77)
import test_store_commands as commands  # noqa: E402  it takes the arguments
from etcd_fake import HEADER, Reply  # noqa: E402
from etcd_cluster import Answer, Authority  # noqa: E402

PEER = "https://10.9.0.1:2380"
UNDONE = "\nweir: nothing was changed: what was written is taken back\n"
STARTS = "etcd starts on this host, as member n1 at https://10.9.0.1:2379, without a vote yet\n"


def listed(*members: tuple[int, str, str, bool]) -> Answer:
    """What etcd says of (id, name, URL of peers, whether it is a learner)."""
    return {"header": HEADER, "members": [{"ID": str(number), "name": name, "peerURLs": [url], "isLearner": is_learner} for number, name, url, is_learner in members]}


FIRST = (0xa0, "m0", "https://127.0.0.1:2380", False)
OWN = (0xb1, "", PEER, True)


class Member(unittest.TestCase):
    authority: Authority
    maxDiff = None

    @classmethod
    def setUpClass(cls) -> None:
        folder = tempfile.mkdtemp(prefix="weir-store.")
        cls.addClassCleanup(shutil.rmtree, folder)
        cls.authority = Authority(folder + "/ca")

    def setUp(self) -> None:
        authority = self.authority
        self.member = commands.Tls(authority)
        self.addCleanup(self.member.close)
        self.member.put("/weir/store", commands.claim())
        self.new_host()

    def new_host(self) -> None:
        authority = self.authority
        self.host = store_host.Host(commands.WEIR, "10.9.0.1", "n1")
        self.addCleanup(self.host.close)
        self.host.write("/run/store.join", json.dumps({
            "id": commands.ID, "endpoints": [self.member.url], "prefix": "/weir/", "is_own": True, "ca": pathlib.Path(authority.path("ca.crt")).read_text(),
            "ca_key": pathlib.Path(authority.path("ca.key")).read_text()}))

    def refused(self, status: int, text: str, said: str = "", **replies: list[Reply]) -> None:
        """All is as it was."""
        before = self.host.tree()
        self.member.replies.update(replies)
        self.member.requests.clear()
        done = self.host.call("store", "join", "/run/store.join", "--member", "--listen", "10.9.0.1")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (status, said, f"weir: {text}{UNDONE}"))
        self.assertEqual(self.host.tree(), before)

    def asked(self) -> list[tuple[str, typing.Any]]:
        """The requests that change members."""
        return [(path, body) for path, body in self.member.requests if path in ("add", "promote", "remove")]

    def test_who_is_in_the_list_already(self) -> None:
        self.refused(4, f"a member at {PEER} is in the list, and its data is not on this host: weir store remove b1 at another node, then the same command again",
                     list=[listed(FIRST, (0xb1, "x", PEER, False))])
        self.assertEqual(self.asked(), [])
        self.refused(4, "there is a member named n1 already: give another --name", list=[listed(FIRST, (0xb1, "n1", "https://10.9.0.2:2380", False))])
        self.assertEqual(self.asked(), [])
        self.refused(3, f"the members cannot be listed: {self.member.url}: HTTP status 400: no", list=[(400, {"code": 3, "message": "no"})])
        self.assertEqual(self.asked(), [])
        for n in (9, 32):  # one too many, and as many as are read
            many = [(i + 1, f"m{i}", f"https://10.9.1.{i}:2380", False) for i in range(n)]
            self.refused(3, f"the store has {n} members, and more make it slower, not safer: join without --member", list=[listed(*many)])
            self.assertEqual(self.asked(), [])

    def test_what_an_earlier_command_left_goes(self) -> None:
        self.refused(4, "there is a member named n1 already: give another --name", list=[listed(FIRST, OWN), listed(FIRST, (0xb2, "n1", "https://10.9.0.2:2380", False))],
                     remove=[listed(FIRST)])
        self.assertEqual(self.asked(), [("remove", {"ID": str(0xb1)})])
        self.refused(3, f"the learner of an earlier command stays: {self.member.url}: HTTP status 400: no", list=[listed(FIRST, OWN)],
                     remove=[(400, {"code": 3, "message": "no"})])

    def test_what_it_goes_on_from_is_of_the_store_of_the_file(self) -> None:
        """The members may be another store's by now: its members are not asked for anything, and what is there stays."""
        self.host.write("/etc/weir/store.unfinished", '{"has_etcd": true, "keeps": true}', 0o600)
        for found, claim in ((f"store {commands.OTHER}", commands.claim(id=commands.OTHER)), ("no store", None)):
            if claim:
                self.member.put("/weir/store", claim)
            else:
                del self.member.keys.kvs["/weir/store"]
            self.member.requests.clear()
            done = self.host.call("store", "join", "/run/store.join", "--member", "--listen", "10.9.0.1")
            with self.subTest(found):
                self.assertEqual((done.returncode, done.stdout, done.stderr), (
                    5, "an earlier command did not end: this one goes on from there\n",
                    f"weir: the members have {found} below /weir/, and store.join is of store {commands.ID}: bring the file of the store that is there\n"
                    "weir: what is there stays, because others may count on it: the same command again goes on from here\n"))
                self.assertEqual({path for path, _ in self.member.requests}, {"range"})
                self.assertEqual(json.loads(self.host.read("/etc/weir/store.unfinished")), {"has_etcd": True, "keeps": True})

    def test_etcd_does_not_add_it(self) -> None:
        self.refused(3, f"etcd does not add the member ({self.member.url}: HTTP status 400: no): weir store check at another node shows the others",
                     list=[listed(FIRST)], add=[(400, {"code": 3, "message": "no"})])
        self.assertEqual(self.asked(), [("add", {"peerURLs": [PEER], "isLearner": True})])

    def test_eight_members_may_get_another_whose_start_fails(self) -> None:
        """The learner leaves the list again."""
        self.host.write(f"{store_host.FAKE}/fail-restart", "")
        eight = [(i + 1, f"m{i}", f"https://10.9.1.{i}:2380", False) for i in range(8)]
        added = {**listed(*eight, OWN), "member": {"ID": str(0xb1), "peerURLs": [PEER], "isLearner": True}}
        self.refused(3, "systemctl restart: the unit cannot restart", STARTS, list=[listed(*eight), listed(*eight, OWN)], add=[added], remove=[listed(*eight)])
        self.assertEqual(self.asked(), [("add", {"peerURLs": [PEER], "isLearner": True}), ("remove", {"ID": str(0xb1)})])

    def test_an_answer_that_is_lost_shows_in_the_list(self) -> None:
        self.host.write(f"{store_host.FAKE}/fail-restart", "")
        self.refused(3, "systemctl restart: the unit cannot restart", STARTS, list=[listed(FIRST), listed(FIRST, OWN)], add=[(500, {"code": 2, "message": "x"})],
                     remove=[listed(FIRST)])
        self.assertEqual([path for path, _ in self.asked()], ["add", "remove"])

    def test_a_learner_is_waited_for_until_it_has_its_vote(self) -> None:
        behind: Reply = (400, {"code": 9, "message": "etcdserver: can only promote a learner member which is in sync with leader"})
        lost: Reply = (500, {"code": 2, "message": "x"})
        voter = (0xb1, "n1", PEER, False)
        added = {**listed(FIRST, OWN), "member": {"ID": str(0xb1), "peerURLs": [PEER], "isLearner": True}}
        self.authority.issue("own", "serverAuth,clientAuth", "10.9.0.1")

        def add(_: Answer) -> Answer:
            """The host's own member: until here its port is free."""
            own = Own(self.authority, "10.9.0.1", "own")
            own.put("/weir/store", commands.claim())
            members.append(own)
            return added
        members: list[Own] = []
        rows: list[tuple[str, list[Reply], list[Reply], int]] = [
            ("it has all at once", [listed(FIRST, voter)], [], 1), ("at the second request", [behind, listed(FIRST, voter)], [listed(FIRST, OWN)], 2),
            ("the answer was lost", [behind, lost], [listed(FIRST, OWN)], 2)]
        for why, promote, lists, n_promoted in rows:
            self.new_host()
            self.host.write(f"{store_host.FAKE}/silent", "")
            self.member.requests.clear()
            self.member.replies.update(list=[listed(FIRST), *lists, listed(FIRST, voter)], add=[add], promote=promote)
            done = self.host.call("store", "join", "/run/store.join", "--member", "--listen", "10.9.0.1")
            while members:
                members.pop().close()
            with self.subTest(why):
                self.assertEqual((done.returncode, done.stderr, done.stdout), (0, "", f"""{STARTS}this node is in store {commands.ID}
2 members: while any of them is down, no configuration can be changed; a third one ends that
next:
  where Weir runs: systemctl restart weir (store.conf is read at the start)
  when all have joined: keep the store.join of the host that joined last off the hosts, it names all members;
  remove store.join on every host, it is a secret
"""))
                self.assertEqual(self.asked(), [("add", {"peerURLs": [PEER], "isLearner": True}), *[("promote", {"ID": str(0xb1)})] * n_promoted])


class Own(commands.Tls):
    """The member on the host itself."""
    port = 2379


# Keeps what is there when etcd is to start, and does not start it.
SYSTEMCTL = """#!/bin/sh
echo "$@" >>/run/fake/calls
case $1 in
restart) mkdir /run/seen; cp -a /etc/weir /etc/etcd-weir /etc/default /run/seen; echo "the unit cannot restart"; exit 1 ;;
is-active) exit 3 ;;
esac
"""


class Init(unittest.TestCase):
    maxDiff = None

    def test_what_is_there_when_the_first_member_is_to_start(self) -> None:
        host = store_host.Host(commands.WEIR, "10.9.0.1", "n1")
        self.addCleanup(host.close)
        host.write(f"{store_host.FAKE}/systemctl", SYSTEMCTL, 0o755)
        before = host.tree()
        done = host.call("store", "init", "--listen", "10.9.0.1", "--name", "first", "--id", commands.ID)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (3, "", f"weir: systemctl restart: the unit cannot restart{UNDONE}"))
        self.assertEqual(host.tree(), before)
        self.assertEqual(host.calls(), ["is-active etcd.service", "is-active etcd.service", "daemon-reload", "enable etcd.service --quiet",
                                        "restart etcd.service --no-block", "stop etcd.service", "daemon-reload"])
        self.assertEqual(sorted(os.listdir(host.path("/run/seen/weir"))), [".store.lock", "store-ca.crt", "store.crt", "store.key", "store.unfinished"])
        note = json.loads(host.read("/run/seen/weir/store.unfinished"))
        self.assertEqual({k: v for k, v in note.items() if v}, {"has_etcd": True, "has_join": True, "id": commands.ID})
        self.assertEqual(host.read("/run/seen/weir/store-ca.crt"), host.read("/run/seen/etcd-weir/ca.crt"))
        settings = host.read("/run/seen/default/etcd")
        for line in ('NAME="first"', 'LISTEN_PEER_URLS="https://10.9.0.1:2380"', 'INITIAL_CLUSTER="first=https://10.9.0.1:2380"', 'INITIAL_CLUSTER_STATE="new"',
                     f'INITIAL_CLUSTER_TOKEN="weir-{commands.ID}"', 'PEER_CERT_ALLOWED_CN="weir-store-member"'):
            self.assertIn(f"ETCD_{line}\n", settings)

        def shown(path: str) -> str:
            return host.run("openssl", "x509", "-in", path, "-noout", "-subject", "-issuer", "-ext", "subjectAltName,extendedKeyUsage").stdout
        issuer = f"issuer=CN = Weir store {commands.ID}\n"
        self.assertEqual(shown("/run/seen/weir/store.crt"), f"subject=CN = first\n{issuer}X509v3 Extended Key Usage: \n    TLS Web Client Authentication\n")
        self.assertEqual(shown("/run/seen/etcd-weir/member.crt"), f"subject=CN = weir-store-member\n{issuer}X509v3 Subject Alternative Name: \n    "
                         "IP Address:10.9.0.1\nX509v3 Extended Key Usage: \n    TLS Web Server Authentication, TLS Web Client Authentication\n")

    def test_a_host_that_has_etcd_already(self) -> None:
        host = store_host.Host(commands.WEIR, "10.9.0.1", "n1")
        self.addCleanup(host.close)

        def refused(status: int, text: str, *words: str) -> None:
            before = host.tree()
            done = host.call("store", "init", "--listen", "10.9.0.1", *words)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (status, "", f"weir: {text}\n"))
            self.assertEqual(host.tree(), before)
        host.write("/run/text", "x")
        refused(1, "--ca, --certificate and --key need each other", "--ca", "/run/text")
        refused(1, "--ca, --certificate and --key need each other", "--certificate", "/run/text", "--key", "/run/text")
        refused(1, "--ca cannot be read: PEM is expected", "--ca", "/run/text", "--certificate", "/run/text", "--key", "/run/text")
        host.write("/etc/default/etcd", "ETCD_NAME=x\n")
        refused(4, "etcd on this host has settings already, in /etc/default/etcd: to share that etcd use --endpoints; if no one uses it, remove that file")
        host.run("rmdir", "/run/systemd/system")
        refused(3, "systemd does not run here: set etcd up by hand, then use --endpoints")


if __name__ == "__main__":
    commands.test_cli.counted.main()
