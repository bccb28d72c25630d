#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""`weir store init`, `join`, `backup`, `restore`, `remove` and `check` at members of etcd that are played: what each prints, writes
and asks, and all that it refuses. What needs etcd on the host itself is in test_store_setup.py.

Usage: test_store_commands.py WEIR
"""
from __future__ import annotations

import base64
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import typing
import unittest

import counted
from etcd_fake import HEADER, Fake, Keys, Reply
from etcd_cluster import Answer

WEIR = os.path.abspath(sys.argv.pop(1))
ID, OTHER = "0123456789abcdef0123456789abcdef", "f" * 32
WARNING = ("A secret: who has this file can use the store, and make certificates that it accepts. "
           "Remove it when all have joined.")
CONFIG = """schema = 1; cluster = { name = "c"; hash_key_file = "hash.key"; hash_key_id = "k"; };
sites = ( { name = "s"; } );
nodes = ( { name = "n1"; site = "s"; ports = ( { interface = "e"; } ); tunnel_source = [ "10.0.0.0/24" ];%s } );
"""
DOWN: Reply = (503, {"code": 14, "message": "etcdserver: request timed out"})
Done = subprocess.CompletedProcess[str]


def unpack(text: str) -> str:
    return base64.b64decode(text).decode()


def claim(**more: typing.Any) -> str:
    """The store's own record."""
    return json.dumps({"id": ID, "epoch": 1, "nonce": "0123456789abcdef", "unfinished": False, "how": "begun", "node": "", "author": "",
                       "reason": "", "principal": "", "time_ms": 1790000000000, **more})


class Etcd(Fake):
    """A member that has what is written into it."""

    def __init__(self, **replies: list[Reply]) -> None:
        self.keys = Keys()
        super().__init__(**{"range": [self.keys.range], "txn": [self.change], **replies})

    def put(self, name: str, text: str) -> None:
        self.keys.revision += 1
        self.keys.set(name, self.keys.revision, text)

    def change(self, body: Answer) -> Answer:
        """Only whether keys are there is compared, as the commands do."""
        if any((unpack(c["key"]) in self.keys.kvs) == (c["mod_revision"] == "0") for c in body["compare"]):
            return self.keys.failure(body)
        for op in body["success"]:
            self.put(unpack(op["request_put"]["key"]), unpack(op["request_put"]["value"]))
        return {"header": {**HEADER, "revision": str(self.keys.revision)}, "succeeded": True, "responses": [{"response_put": {}} for _ in body["success"]]}

    def all(self) -> dict[str, str]:
        return {key: unpack(kv["value"]) for key, kv in self.keys.kvs.items()}


@unittest.skipIf(os.geteuid() != 0, "the commands are for root")
class Commands(unittest.TestCase):
    maxDiff = None

    def setUp(self) -> None:
        self.dir = tempfile.mkdtemp(prefix="weir-store.")
        self.addCleanup(shutil.rmtree, self.dir)
        self.conf = pathlib.Path(self.dir, "conf")
        self.conf.mkdir()
        pathlib.Path(self.dir, "state").mkdir()

    def etcd(self, **replies: list[Reply]) -> Etcd:
        member = Etcd(**replies)
        self.addCleanup(member.close)
        return member

    def weir(self, *words: str, node: str = "n1") -> Done:
        done = subprocess.run([WEIR, "--conf-dir", str(self.conf), "--state-dir", self.dir + "/state", "--run-dir", self.dir, "--node", node, "store", *words],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.replace(self.dir, "DIR"), done.stderr.replace(self.dir, "DIR"))

    def tree(self) -> dict[str, tuple[str, str]]:
        return {p.name: (oct(p.stat().st_mode & 0o7777), p.read_text()) for p in self.conf.iterdir()}

    def refused(self, status: int, text: str, *words: str, node: str = "n1") -> None:
        """It changes nothing, and says this alone."""
        before = self.tree()
        done = self.weir(*words, node=node)
        with self.subTest(words):
            self.assertEqual((done.returncode, done.stdout, done.stderr), (status, "", f"weir: {text}\n"))
            self.assertEqual(self.tree(), before)

    def good(self, done: Done, text: str) -> None:
        self.assertEqual((done.returncode, done.stderr, done.stdout), (0, "", text))

    def write(self, name: str, text: str | dict[str, typing.Any]) -> str:
        """A file beside the configuration. @return its path"""
        path = pathlib.Path(self.dir, name)
        path.write_text(text if isinstance(text, str) else json.dumps(text))
        return str(path)

    def in_store(self, *members: Fake, **more: typing.Any) -> None:
        """This node has a store.conf."""
        (self.conf / "store.conf").write_text(json.dumps({"id": ID, "endpoints": [m.url for m in members], **more}))


class Init(Commands):
    def test_a_store_begins_in_an_etcd_that_is_there(self) -> None:
        member = self.etcd()
        done = self.weir("init", "--endpoints", member.url)
        files = self.tree()
        conf, join = json.loads(files["store.conf"][1]), json.loads(files["store.join"][1])
        self.assertRegex(conf["id"], "^[0-9a-f]{32}$")
        self.good(done, f"""store {conf["id"]} begins, and DIR/conf/store.conf names it
etcd itself is as it was: its settings, members and backups are those of who runs it
next:
  where Weir runs: systemctl restart weir (store.conf is read at the start)
  copy DIR/conf/store.join to each other node; there: weir store join store.join
  then remove DIR/conf/store.join everywhere, and keep one copy off the nodes: it is a secret
whether another node has a store was not asked: run store init on one node alone
""")
        self.assertEqual({name: mode for name, (mode, _) in files.items()}, {"store.conf": "0o640", "store.join": "0o600"})
        self.assertEqual({k: v for k, v in conf.items() if v}, {"id": conf["id"], "endpoints": [member.url], "prefix": "/weir/"})
        self.assertEqual({k: v for k, v in join.items() if v}, {"warning": WARNING, **{k: v for k, v in conf.items() if v}})
        self.assertEqual(list(member.all()), ["/weir/store"])
        record = json.loads(member.all()["/weir/store"])
        self.assertEqual((record["id"], record["epoch"], record.get("unfinished", False)), (conf["id"], 1, False))

    def test_in_json(self) -> None:
        member = self.etcd()
        done = self.weir("init", "--endpoints", member.url, "--prefix", "/weir/shop/", "--json")
        conf = json.loads((self.conf / "store.conf").read_text())
        self.good(done, f'{{"id":"{conf["id"]}","endpoint":"{member.url}","join_file":"DIR/conf/store.join"}}\n')
        self.assertEqual((conf["prefix"], list(member.all())), ("/weir/shop/", ["/weir/shop/store"]))

    def test_with_a_user_and_several_members(self) -> None:
        members = [self.etcd(authenticate=[{"header": HEADER, "token": "t"}]) for _ in range(2)]
        password = self.write("password", "p w\r\nmore\n")
        done = self.weir("init", "--endpoints", ",".join(m.url for m in members), "--user", "weir", "--password-file", password)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        files = self.tree()
        self.assertEqual(files["store.password"], ("0o400", "p w"))
        self.assertEqual(set(files), {"store.conf", "store.join", "store.password"})
        conf, join = json.loads(files["store.conf"][1]), json.loads(files["store.join"][1])
        self.assertEqual({k: v for k, v in conf.items() if v}, {"id": conf["id"], "endpoints": [m.url for m in members], "prefix": "/weir/", "user": "weir",
                                                                "password_file": "store.password"})
        self.assertEqual((join["user"], join["password"]), ("weir", "p w"))
        self.assertEqual(members[0].bodies("authenticate")[0], {"name": "weir", "password": "p w"})

    def test_a_known_id_begins_again_unfinished(self) -> None:
        member = self.etcd()
        done = self.weir("init", "--endpoints", member.url, "--id", ID)
        self.good(done, f"""store {ID} begins, and DIR/conf/store.conf names it
etcd itself is as it was: its settings, members and backups are those of who runs it
next:
  where Weir runs: systemctl restart weir (store.conf is read at the start)
  then, at the node that has the newest versions, once it has this store.conf or its own: weir store rebuild --reason TEXT; until then the store is empty, and no node takes anything from it
  copy DIR/conf/store.join to each other node; there: weir store join store.join
  then remove DIR/conf/store.join everywhere, and keep one copy off the nodes: it is a secret
whether another node has a store was not asked: run store init on one node alone
""")
        record = json.loads(member.all()["/weir/store"])
        self.assertEqual((record["id"], record["unfinished"]), (ID, True))

    def test_what_is_wrong_of_the_options(self) -> None:
        member = self.etcd()
        here = ("init", "--endpoints", member.url)
        password, empty, line = self.write("password", "pw\n"), self.write("empty", ""), self.write("line", "\npw\n")
        text, large = self.write("text", "x"), self.write("large", "x" * 16384)
        longer, long = self.write("longer", "p" * 257), self.write("long", "p" * 256)
        own = "does not go with --endpoints: that etcd is not set up here"
        for name in ("--listen", "--name"):
            self.refused(1, f"{name} {own}", *here, name, "x")
        for name in ("--prefix", "--user", "--password-file"):
            self.refused(1, f"{name} goes with --endpoints alone", "init", "--listen", "192.0.2.7", name, "/x/")
        for prefix in ("weir/", "/weir", "/a b/"):
            self.refused(1, "--prefix: it must begin and end with a slash, as /weir/", *here, "--prefix", prefix)
        for wrong in ("0123", ID.upper(), ID + "0"):
            self.refused(1, "--id: 32 digits 0-9 and a-f, as weir store status shows them at a node that has a copy", *here, "--id", wrong)
        both = "--user and --password-file need each other"
        self.refused(1, both, *here, "--user", "u")
        self.refused(1, both, *here, "--password-file", password)
        self.refused(1, "--user: at most 127 bytes", *here, "--user", "u" * 128, "--password-file", password)
        user = ("--user", "u", "--password-file")
        for path in (empty, longer):
            self.refused(1, f"--password-file: DIR/{os.path.basename(path)} must be a text of 1 to 256 bytes", *here, *user, path)
        for path in (line, long):
            self.refused(1, "--password-file: its first line must have 1 to 255 bytes", *here, *user, path)
        self.refused(1, "--password-file: /nowhere: No such file or directory", *here, "--user", "u", "--password-file", "/nowhere")
        pair = "--certificate and --key need each other"
        self.refused(1, pair, *here, "--certificate", text)
        self.refused(1, pair, *here, "--key", text)
        self.refused(1, "--ca cannot be read: PEM is expected", *here, "--ca", text)
        self.refused(1, "the certificate cannot be read: PEM is expected", *here, "--certificate", text, "--key", text)
        for name in ("--ca", "--certificate", "--key"):
            self.refused(1, f"{name}: DIR/large must be a text of 1 to 16383 bytes", *here, name, large)
        self.refused(1, "--endpoints: at most 9", "init", "--endpoints", ",".join(["http://a:1"] * 10))
        self.refused(1, "--endpoints: a URL is too long", "init", "--endpoints", "http://" + "a" * 300)
        self.assertEqual(member.requests, [])

    def test_a_user_and_a_password_that_just_fit(self) -> None:
        member = self.etcd(authenticate=[{"header": HEADER, "token": "t"}])
        done = self.weir("init", "--endpoints", member.url, "--user", "u" * 127, "--password-file", self.write("fits", "p" * 255 + "\n"))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(member.bodies("authenticate")[0], {"name": "u" * 127, "password": "p" * 255})

    def test_which_address_a_member_may_have(self) -> None:
        for address in ("127.0.0.1", "127.8.0.1", "0.0.0.0", "0.1.2.3", "::", "::1"):
            self.refused(1, f"other nodes cannot reach {address}: give the address of this host's management network (--listen)", "init", "--listen", address)
        self.refused(1, '--listen: "10.9.0" is no IP address', "init", "--listen", "10.9.0")
        self.refused(1, "this host does not have the address 192.0.2.7: give one that it has (--listen)", "init", "--listen", "192.0.2.7")
        for name in ("a,b=c", "A", "a" * 64):
            self.refused(1, f'"{name}" cannot be a member\'s name: give another one with --name (a-z, 0-9, ., _ and -, at most 63)',
                         "init", "--listen", "192.0.2.7", "--name", name)
        self.refused(1, '"N 1" cannot be a member\'s name: give another one with --name (a-z, 0-9, ., _ and -, at most 63)', "init", "--listen", "192.0.2.7", node="N 1")
        self.refused(1, "this node's address is not known, because DIR/conf/weir.conf cannot be read (DIR/conf/weir.conf: does not exist): correct it, or give --listen ADDRESS",
                     "init")
        (self.conf / "weir.conf").write_text(CONFIG % "")
        self.refused(1, "node n1 has no api in weir.conf, whose address is used: give --listen ADDRESS", "init")
        for api, address in (("https://192.0.2.8:8443", "192.0.2.8"), ("https://[2001:db8::8]:8443", "2001:db8::8")):
            (self.conf / "weir.conf").write_text(CONFIG % f' api = "{api}";')
            self.refused(1, f"this host does not have the address {address}: give one that it has (--listen)", "init")

    def test_what_is_there_already(self) -> None:
        member = self.etcd()
        here = ("init", "--endpoints", member.url)
        for name in ("store-ca.crt", "store.crt", "store.key", "store.password", "store.join"):
            (self.conf / name).write_text("a person's")
            self.refused(4, f"DIR/conf/{name} is there already, and this command writes a file of that name: move it away first", *here)
            (self.conf / name).unlink()
        (self.conf / "store.conf").write_text("{}")
        self.refused(4, "DIR/conf/store.conf is there already: this node is in a store, weir store status shows it; to leave that store, stop Weir here and move the "
                     "file away", *here)
        (self.conf / "store.conf").unlink()
        undone = "\nweir: nothing was changed: what was written is taken back"
        member.put("/weir/version/1", "{}")
        self.refused(4, f"there are 1 keys below /weir/ that are no store's: give another --prefix{undone}", *here)
        member.put("/weir/store", claim(id=OTHER))
        self.refused(4, f"/weir/ has the store {OTHER} already: join it with the store.join of the node that began it, or give another --prefix{undone}", *here)
        member.put("/weir/store", "{}")
        self.refused(3, f"the record store below the prefix is not Weir's{undone}", *here)
        self.assertEqual(set(member.all()), {"/weir/store", "/weir/version/1"})
        self.assertEqual(member.bodies("txn"), [])

    def test_a_release_that_was_not_tested_is_warned_of(self) -> None:
        member = self.etcd(status=[{"header": HEADER, "version": "3.5.1"}])
        done = self.weir("init", "--endpoints", member.url)
        self.assertEqual((done.returncode, done.stderr), (0, f"warning: {member.url} has etcd 3.5.1; Weir is tested with 3.4.23\n"))

    def test_an_earlier_command_is_taken_back_or_gone_on_with(self) -> None:
        member = self.etcd()
        here = ("init", "--endpoints", member.url)
        (self.conf / "store.unfinished").write_text('{"has_join": true}')
        for name in ("store.key", "store.join"):
            (self.conf / name).write_text("old")
        done = self.weir(*here)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertTrue(done.stdout.startswith("an earlier command did not end: what it wrote is taken back first\nstore "), done.stdout)
        self.assertEqual(set(self.tree()), {"store.conf", "store.join"})
        # it had begun the store, and only store.conf lacks
        conf = (self.conf / "store.conf").read_text()
        (self.conf / "store.conf").unlink()
        (self.conf / "store.unfinished").write_text('{"has_join": true, "keeps": true}')
        done = self.weir(*here)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertTrue(done.stdout.startswith("an earlier command did not end: this one goes on from there\nstore "), done.stdout)
        self.assertEqual((self.conf / "store.conf").read_text(), conf)
        self.assertEqual((set(self.tree()), len(member.bodies("txn"))), ({"store.conf", "store.join"}, 1))
        # it had ended but for the note
        (self.conf / "store.unfinished").write_text('{"has_join": true, "keeps": true}')
        done = self.weir(*here)
        self.assertEqual((done.returncode, done.stdout), (4, "an earlier command has ended: the note that it left (store.unfinished) is removed\n"))
        self.assertEqual(set(self.tree()), {"store.conf", "store.join"})
        # it was another command
        (self.conf / "store.conf").unlink()
        (self.conf / "store.unfinished").write_text('{"keeps": true}')
        done = self.weir(*here)
        self.assertEqual((done.returncode, done.stderr), (4, "weir: it was weir store join --member, and this host's member may count: run it again\n"))
        (self.conf / "store.unfinished").write_text('{"has_join": true, "keeps": true}')
        done = self.weir("join", self.dir + "/conf/store.join")
        self.assertEqual((done.returncode, done.stderr), (4, "weir: it was weir store init, which begins a store here: run it again\n"))
        (self.conf / "store.join").unlink()
        done = self.weir(*here)
        self.assertEqual((done.returncode, done.stderr), (4, "weir: DIR/conf/store.join: No such file or directory\n"))
        self.assertEqual(set(self.tree()), {"store.unfinished"})


class Join(Commands):
    def file(self, member: Fake, **more: typing.Any) -> str:
        return self.write("brought", {"warning": WARNING, "id": ID, "endpoints": [member.url], "prefix": "/weir/", **more})

    def test_a_node_joins(self) -> None:
        member = self.etcd()
        member.put("/weir/store", claim())
        done = self.weir("join", self.file(member))
        self.good(done, f"""this node is in store {ID}
next:
  where Weir runs: systemctl restart weir (store.conf is read at the start)
  when all have joined: remove store.join on every host, it is a secret
""")
        files = self.tree()
        self.assertEqual({name: mode for name, (mode, _) in files.items()}, {"store.conf": "0o640"})
        self.assertEqual({k: v for k, v in json.loads(files["store.conf"][1]).items() if v}, {"id": ID, "endpoints": [member.url], "prefix": "/weir/"})
        (self.conf / "store.conf").unlink()
        self.good(self.weir("join", self.file(member), "--json"), f'{{"id":"{ID}","member":false}}\n')

    def test_with_a_user(self) -> None:
        member = self.etcd(authenticate=[{"header": HEADER, "token": "t"}])
        member.put("/shop/store", claim())
        done = self.weir("join", self.file(member, prefix="/shop/", user="u", password="p"))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        files = self.tree()
        self.assertEqual(files["store.password"], ("0o400", "p"))
        self.assertEqual({k: v for k, v in json.loads(files["store.conf"][1]).items() if v},
                         {"id": ID, "endpoints": [member.url], "prefix": "/shop/", "user": "u", "password_file": "store.password"})
        self.assertEqual(member.bodies("authenticate")[0], {"name": "u", "password": "p"})

    def test_what_is_refused(self) -> None:
        member = self.etcd()
        path = self.file(member)
        self.refused(1, "there is no /nowhere: it is CONF/store.join of the node where weir store init ran", "join", "/nowhere")
        self.refused(1, "--member: the members of this store are not set up by weir; join without it", "join", path, "--member")
        for name in ("--listen", "--name"):
            self.refused(1, "--listen and --name go with --member", "join", path, name, "x")
        for name in ("--certificate", "--key"):
            self.refused(1, "--certificate and --key are not needed: store.join has what makes them", "join", path, name, path)
        for name in ("store-ca.crt", "store.crt", "store.key", "store.password"):
            (self.conf / name).write_text("a person's")
            self.refused(4, f"DIR/conf/{name} is there already, and this command writes a file of that name: move it away first", "join", path)
            (self.conf / name).unlink()
        self.assertEqual(member.requests, [])
        undone = "\nweir: nothing was changed: what was written is taken back"
        (self.conf / "store.join").write_text("a copy may be there")
        self.refused(4, f"the members have no store below /weir/, and store.join is of store {ID}: bring the file of the store that is there{undone}", "join", path)
        member.put("/weir/store", claim(id=OTHER))
        self.refused(4, f"the members have store {OTHER} below /weir/, and store.join is of store {ID}: bring the file of the store that is there{undone}", "join", path)
        member.put("/weir/store", "{}")
        self.refused(3, f"no member of the store answers as it should (the record store below the prefix is not Weir's): look at the network (TCP 2379), and at etcd on "
                     f"the host that began the store{undone}", "join", path)
        self.in_store(member)
        self.refused(4, "DIR/conf/store.conf is there already: this node is in a store, weir store status shows it; to leave that store, stop Weir here and move the "
                     "file away", "join", path)

    def test_a_wrong_file_says_what_is_wrong(self) -> None:
        member = self.etcd()
        rows: list[tuple[Answer, str]] = [({"id": "x"}, "id must have 32 digits 0-9 and a-f"), ({"idd": 1}, 'there is no setting "idd"'),
                           ({"prefix": "weir"}, 'prefix must begin and end with a slash, as "/weir/"'), ({"user": "u"}, "user and password need each other"),
                           ({"is_own": True}, "endpoints must begin with https://"), ({"ca": "x"}, "ca cannot be read: PEM is expected")]
        for more, text in rows:
            self.refused(1, f"DIR/brought: store.join: {text}", "join", self.file(member, **more))

    def test_a_host_that_cannot_have_a_member(self) -> None:
        path = self.write("brought", {"id": ID, "endpoints": ["https://192.0.2.1:2379"], "prefix": "/weir/", "is_own": True})
        self.refused(1, "other nodes cannot reach 127.0.0.1: give the address of this host's management network (--listen)", "join", path, "--member", "--listen", "127.0.0.1")
        self.refused(1, '"A" cannot be a member\'s name: give another one with --name (a-z, 0-9, ., _ and -, at most 63)', "join", path, "--member", "--listen", "192.0.2.7",
                     "--name", "A")
        self.refused(1, "this store has certificates of your own CA: give --certificate and --key of this host, signed by it", "join", path)
        self.refused(1, "this store has certificates of your own CA: give --certificate and --key of this host, signed by it", "join", path, "--key", path)


if __name__ == "__main__":
    counted.main()
