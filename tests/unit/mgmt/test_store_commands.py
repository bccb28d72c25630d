#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""`weir store init`, `join`, `backup`, `restore`, `remove` and `check` at members of etcd that are played: what each prints, writes
and asks, and all that it refuses. What needs etcd on the host itself is in test_store_setup.py.

Usage: test_store_commands.py [CLASS ...] WEIR SOURCE_ROOT
"""
from __future__ import annotations

import base64
import hashlib
import json
import os
import pathlib
import select
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import typing
import unittest

import test_cli
from etcd_fake import CLOSE, HEADER, Fake, Keys, Reply
from etcd_cluster import Answer, Authority

WEIR = os.path.abspath(test_cli.WEIR)
ID, OTHER = "0123456789abcdef0123456789abcdef", "f" * 32
WARNING = ("A secret: who has this file can use the store, and make certificates that it accepts. "
           "Remove it when all have joined.")
CONFIG = """schema = 1; cluster = { name = "c"; hash_key_file = "hash.key"; hash_key_id = "k"; };
sites = ( { name = "s"; } );
nodes = ( { name = "n1"; site = "s"; ports = ( { interface = "e"; } ); tunnel_source = [ "10.0.0.0/24" ];%s } );
"""
LOST = ("If a majority is lost for good, begin the store again from a node's copy: weir store init --id, rebuild, join, as the handbook says "
        "(A majority of the members is lost)")
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

    def __init__(self, address: str = "127.0.0.1", **replies: list[Reply]) -> None:
        self.keys, self.address = Keys(), address
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


class Tls(Etcd):
    """One that shows a certificate, and wants a client's."""

    def __init__(self, authority: Authority, address: str = "127.0.0.1", name: str = "member") -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(authority.path(name + ".crt"), authority.path(name + ".key"))
        self.context.load_verify_locations(authority.path("ca.crt"))
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.subjects: list[str] = []  # of its clients
        super().__init__(address)
        self.url = self.url.replace("http:", "https:")

    def serve(self, connection: socket.socket) -> None:
        try:
            inner = self.context.wrap_socket(connection, server_side=True)
        except OSError:
            return
        subject: typing.Any = inner.getpeercert()["subject"]
        self.subjects.append(dict(part[0] for part in subject)["commonName"])
        super().serve(inner)


@unittest.skipIf(os.geteuid() != 0, "the commands are for root")
class Commands(unittest.TestCase):
    maxDiff = None

    def setUp(self) -> None:
        self.dir = tempfile.mkdtemp(prefix="weir-store.")
        self.addCleanup(shutil.rmtree, self.dir)
        self.conf = pathlib.Path(self.dir, "conf")
        self.conf.mkdir()
        pathlib.Path(self.dir, "state").mkdir()

    def etcd(self, address: str = "127.0.0.1", **replies: list[Reply]) -> Etcd:
        member = Etcd(address, **replies)
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
  then remove DIR/conf/store.join everywhere, and keep the copy of the node that joined last off the nodes: it is a secret, and names all members
whether another node has a store is not known here: run store init on one node alone
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
  then remove DIR/conf/store.join everywhere, and keep the copy of the node that joined last off the nodes: it is a secret, and names all members
whether another node has a store is not known here: run store init on one node alone
""")
        record = json.loads(member.all()["/weir/store"])
        self.assertEqual((record["id"], record["unfinished"]), (ID, True))

    def test_other_nodes_may_have_a_store(self) -> None:
        """A second one would divide the nodes: weir-mgmt here hears them; what it does not know is a person's to say."""
        member = self.etcd()
        here = ("init", "--endpoints", member.url)
        nodes = ", ".join(f'{{ name = "n{i}"; site = "s"; ports = ( {{ interface = "e"; }} ); tunnel_source = [ "10.0.{i}.0/24" ]; '
                          f'api = "https://127.0.0.{i}:8443"; }}' for i in (1, 2))
        (self.conf / "weir.conf").write_text(CONFIG[:CONFIG.index("nodes")] + f"nodes = ( {nodes} );\n")
        unknown = ("A second store would divide the nodes: if one has a store, weir store join store.join; if none has, --first says so")
        self.refused(4, f"whether another node has a store is not known: weir-mgmt does not answer on this host, and weir.conf has other nodes. {unknown}", *here)
        api = test_cli.Api(os.path.join(self.dir, "api.sock"))
        self.addCleanup(api.server_close)
        self.addCleanup(api.shutdown)

        def heard(*stores: str | None) -> None:
            api.answers["/v1/peers"] = (200, {"items": [{"node": f"n{i + 2}", "store": store} for i, store in enumerate(stores)]})
        heard()  # it has not read this weir.conf yet
        self.refused(4, f"whether another node has a store is not known: weir-mgmt here knows no other nodes, and weir.conf has some. {unknown}", *here)
        heard("", None)
        self.refused(4, f"whether another node has a store is not known: weir-mgmt here does not hear it of n3. {unknown}", *here)
        heard(None, OTHER)
        ways: list[tuple[str, ...]] = [(), ("--first",), ("--id", ID)]
        for more in ways:
            self.refused(4, f"n3 has the store {OTHER}: join it here, with weir store join and your copy of store.join or that of a host that joined; if all its "
                         f"members are lost: --id {OTHER}, then weir store rebuild",
                         *here, *more)
        self.assertEqual(member.requests, [])
        rows: list[tuple[tuple[str | None, ...], tuple[str, ...], bool]] = [
            (("", ""), (), True), (("", None), ("--first",), False), ((ID, None), ("--id", ID), False), ((ID, ID), ("--id", ID), True)]
        for stores, words, is_known in rows:
            heard(*stores)
            member.keys.kvs.clear()
            done = self.weir(*here, *words)
            with self.subTest(stores):
                self.assertEqual((done.returncode, done.stderr, "is not known here" in done.stdout), (0, "", not is_known))
            for name in ("store.conf", "store.join"):
                (self.conf / name).unlink()

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

    def test_what_it_goes_on_from_is_read_before_a_member_answers(self) -> None:
        """Through a pipe, too: who waits for a slow member knows for what."""
        asked, may_answer = threading.Event(), threading.Event()

        def answer(_: Answer) -> Answer:
            asked.set()
            may_answer.wait(60)
            return {"header": HEADER, "version": "3.4.23"}
        member = self.etcd(status=[answer])
        for json_too in (False, True):
            with self.subTest(json=json_too):
                asked.clear()
                may_answer.clear()
                for path in self.conf.iterdir():
                    path.unlink()
                member.keys.kvs.clear()
                (self.conf / "store.unfinished").write_text('{"has_join": true}')
                with subprocess.Popen([WEIR, "--conf-dir", str(self.conf), "--state-dir", self.dir + "/state", "--run-dir", self.dir, "--node", "n1",
                                       *["--json"] * json_too, "store", "init", "--endpoints", member.url],
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
                    is_asked = asked.wait(10)
                    assert process.stdout
                    seen = os.read(process.stdout.fileno(), 4096).decode() if select.select([process.stdout], [], [], 0)[0] else ""
                    may_answer.set()
                self.assertEqual((is_asked, seen), (True, "" if json_too else "an earlier command did not end: what it wrote is taken back first\n"))

    def test_somebody_else_begins_a_store_at_the_same_time(self) -> None:
        def lose(text: str) -> typing.Callable[[Answer], Answer]:
            def answer(body: Answer) -> Answer:
                member.put("/weir/store", text)
                return member.keys.failure(body)
            return answer
        undone = "\nweir: nothing was changed: what was written is taken back"
        kept = "\nweir: what is there stays, because others may count on it: the same command again goes on from here"
        for text, status, said, files in (
                (claim(id=OTHER), 4, f"a store is there already ({OTHER}){undone}", set()),
                ("{}", 5, f"a store is there already (of something else){kept}", {"store.join", "store.unfinished"}),
                (claim(nonce="f" * 16), 0, "", {"store.join", "store.conf", "store.unfinished"} - {"store.unfinished"})):
            with self.subTest(text):
                member = self.etcd()
                member.replies["txn"] = [lose(text)]
                done = self.weir("init", "--endpoints", member.url, "--id", ID)
                self.assertEqual((done.returncode, done.stderr), (status, f"weir: {said}\n" if said else ""))
                self.assertEqual(set(self.tree()), files)
                if status == 5:  # the same command goes on; the store is another's meanwhile: that is for a person
                    member.put("/weir/store", claim(id=OTHER))
                    done = self.weir("init", "--endpoints", member.url, "--id", ID)
                    self.assertEqual((done.returncode, done.stderr), (5, f"weir: /weir/ has the store {OTHER} already: join it with the store.join of the node that "
                                                                         f"began it, or give another --prefix{kept}\n"))
                    self.assertEqual(set(self.tree()), files)
                for path in self.conf.iterdir():
                    path.unlink()


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
  when all have joined: keep the store.join of the host that joined last off the hosts, it names all members;
  remove store.join on every host, it is a secret
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
        self.refused(1, "there is no /nowhere: it is your copy of CONF/store.join of the node where weir store init ran", "join", "/nowhere")
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
        self.refused(3, f"no member of the store answers as it should at {member.url} (the record store below the prefix is not Weir's): look at the network (TCP 2379), "
                     'and at etcd there. store.join may be older than these members: where they are lost, put the "endpoints" of store.conf of a host that reaches the '
                     f"store now into it{undone}", "join", path)
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


KIND = "backup of Weir's store, 1"


def backup(records: list[tuple[str, str]], **more: typing.Any) -> Answer:
    """A whole one of these records, with its digest."""
    body: Answer = {"kind": KIND, "id": ID, "revision": 12, "time_ms": 1790000000000, **more}
    text = f"{body['id']} {body['revision']} {body['time_ms']}" + "".join(f"\0{name}\0{value}" for name, value in records)
    return {**body, "sha256": hashlib.sha256(text.encode()).hexdigest(), "records": [{"name": n, "text": t} for n, t in records]}


class Backup(Commands):
    RECORDS = [("head", '{"number":7}'), *((f"override/{i:02}", json.dumps({"text": "\u00fc" * i})) for i in range(40))]

    def test_a_backup_has_all_records_but_the_own_one_and_leased_ones(self) -> None:
        member = self.etcd()
        member.put("/weir/store", claim())
        for name, text in self.RECORDS:
            member.put(f"/weir/{name}", text)
        member.put("/weir/owner/1", "{}")
        self.in_store(member)
        done = self.weir("backup", self.dir + "/b.json")
        self.good(done, f"""DIR/b.json: store {ID} at revision {member.keys.revision}, 41 records of 0 versions; read again and found whole
the files of versions are on the nodes: weir config show --applied --into DIR keeps those in force
""")
        path = pathlib.Path(self.dir, "b.json")
        found = json.loads(path.read_text())
        self.assertEqual(found, backup(self.RECORDS, revision=member.keys.revision, time_ms=found["time_ms"]))
        self.assertEqual(oct(path.stat().st_mode & 0o7777), "0o600")
        done = self.weir("backup", self.dir + "/b.json", "--json")
        self.good(done, f'{{"file":"DIR/b.json","id":"{ID}","revision":{member.keys.revision},"records":41}}\n')
        note = json.loads(pathlib.Path(self.dir, "state/store.backup").read_text())
        self.assertEqual(note["text"], self.dir + "/b.json")

    def test_versions_are_counted(self) -> None:
        member = self.etcd()
        member.put("/weir/store", claim())
        self.in_store(member)
        version = {"number": 1, "digest": "a" * 64, "author": "ann", "reason": "r", "node": "n1", "time_ms": 1, "effective_ms": 1, "change": "c1"}
        records = [("head", '{"number":2}'), ("versions", "{}"), *((f"version/{i}", json.dumps({**version, "number": i})) for i in (1, 2))]
        path = self.write("b.json", backup(sorted(records)))
        self.assertEqual(self.weir("restore", path).stdout.splitlines()[0], "4 records of 2 versions are in the store, and compared")
        self.assertIn(", 4 records of 2 versions; read again and found whole\n", self.weir("backup", self.dir + "/c.json").stdout)

    def test_what_just_fits(self) -> None:
        member = self.etcd()
        member.put("/weir/store", claim())
        self.in_store(member)
        records = [("n" * 255, "x" * 16384), ("o", "{}")]
        self.assertEqual(self.weir("restore", self.write("b.json", backup(records))).stderr, "")
        self.assertEqual(member.all(), {"/weir/store": claim(), **{f"/weir/{n}": t for n, t in records}})
        many = [(f"{i:05}", "{}") for i in range(32769)]
        self.refused(4, "the backup is not restored: the store has the record " + "n" * 100 + ", and the backup has none: a backup goes into a store that has no versions yet",
                     "restore", self.write("b.json", backup(many[:32768])))
        self.refused(1, "this cannot be restored: DIR/b.json: records is no list, or too long", "restore", self.write("b.json", backup(many)))
        self.refused(1, "this cannot be restored: DIR/b.json: record 1: its name cannot be one", "restore", self.write("b.json", backup([("n" * 256, "{}")])))
        self.refused(1, "this cannot be restored: DIR/b.json: record 1: its name cannot be one", "restore", self.write("b.json", backup([("owner/1", "{}")])))
        self.refused(1, "this cannot be restored: DIR/b.json: record n: its text cannot be one", "restore", self.write("b.json", backup([("n", "x" * 16385)])))

    def test_a_store_of_many_mebibytes_fits(self) -> None:
        member = self.etcd()
        member.put("/weir/store", claim())
        self.in_store(member)
        records = [(f"{i:04}", "x" * 16384) for i in range(1100)]
        self.assertEqual(self.weir("restore", self.write("a.json", backup(records))).stderr, "")
        self.good(self.weir("backup", self.dir + "/b.json"), f"""DIR/b.json: store {ID} at revision {member.keys.revision}, 1100 records of 0 versions; read again and found whole
the files of versions are on the nodes: weir config show --applied --into DIR keeps those in force
""")

    def test_a_store_behind_a_slow_link(self) -> None:
        """A request has two seconds, in which such a link brings a hundred of these records."""
        member = self.etcd()
        member.put("/weir/store", claim())
        self.in_store(member)
        self.assertEqual(self.weir("restore", self.write("a.json", backup([(f"{i:03}", "x" * 16384) for i in range(250)]))).stderr, "")
        member.bytes_s = 1e6
        self.good(self.weir("backup", self.dir + "/b.json"), f"""DIR/b.json: store {ID} at revision {member.keys.revision}, 250 records of 0 versions; read again and found whole
the files of versions are on the nodes: weir config show --applied --into DIR keeps those in force
""")

    def test_an_older_store_without_its_own_record(self) -> None:
        member = self.etcd()
        member.put("/weir/head", '{"number":7}')
        self.in_store(member)
        (self.conf / "store.unfinished").write_text("{}")
        done = self.weir("backup", self.dir + "/b.json")
        self.assertEqual((done.returncode, done.stderr),
                         (0, "weir: weir store init or join has ended here: the note that it left (store.unfinished) is removed\n"))
        self.assertEqual(set(self.tree()), {"store.conf"})

    def test_what_makes_no_backup(self) -> None:
        member = self.etcd()
        self.in_store(member)
        member.put("/weir/store", claim())
        self.refused(3, "no backup was made: DIR/none/b.json: No such file or directory", "backup", self.dir + "/none/b.json")
        member.put("/weir/store", claim(id=OTHER))
        other = "no backup was made: the members have another store than store.conf names"
        self.refused(4, other, "backup", self.dir + "/b.json")
        member.put("/weir/store", "{}")
        self.refused(4, other, "backup", self.dir + "/b.json")
        self.assertEqual(os.listdir(self.dir + "/state"), [])
        self.assertFalse(os.path.exists(self.dir + "/b.json"))

    def test_a_store_that_lost_its_records_leaves_the_earlier_backup(self) -> None:
        """One that is new has none, and the timer's unit does not fail for that."""
        member = self.etcd()
        self.in_store(member)
        path = pathlib.Path(self.dir, "b.json")
        lost = "no backup was made: the store has lost its newest version, or all it had: weir store status"
        self.refused(4, lost, "backup", str(path))
        member.put("/weir/store", claim())
        for name in ("command/site/s", "override/x"):  # before the first version
            member.put(f"/weir/{name}", "{}")
            self.assertEqual(self.weir("backup", str(path)).returncode, 0)
        member.put("/weir/head", '{"number":7}')
        self.assertEqual(self.weir("backup", str(path)).returncode, 0)
        before, note = path.read_bytes(), pathlib.Path(self.dir, "state/store.backup").read_bytes()
        del member.keys.kvs["/weir/head"]
        self.refused(4, "no backup was made: the store has no versions, and the backup DIR/b.json has: it stays", "backup", str(path))
        version = {"number": 7, "digest": "a" * 64, "author": "ann", "reason": "r", "node": "n1", "time_ms": 1, "effective_ms": 1, "change": "c1"}
        member.put("/weir/version/7", json.dumps(version))
        self.refused(4, lost, "backup", self.dir + "/c.json")
        member.put("/weir/store", claim(unfinished=True))
        self.refused(4, "no backup was made: the store was begun again, and is unfinished: weir store rebuild", "backup", str(path))
        self.assertEqual((path.read_bytes(), pathlib.Path(self.dir, "state/store.backup").read_bytes()), (before, note))
        self.assertFalse(os.path.exists(self.dir + "/c.json"))

    def test_a_store_that_could_not_be_restored_leaves_the_earlier_backup(self) -> None:
        member = self.etcd()
        member.put("/weir/store", claim())
        member.put("/weir/head", '{"number":7}')
        self.in_store(member)
        self.assertEqual(self.weir("backup", self.dir + "/b.json").returncode, 0)
        before, note = pathlib.Path(self.dir, "b.json").read_bytes(), pathlib.Path(self.dir, "state/store.backup").read_bytes()
        for name in ("head", "mark/7", "version/7"):
            kept = member.keys.kvs.get(f"/weir/{name}")
            member.put(f"/weir/{name}", "{}")
            self.refused(4, f"no backup was made: record {name}: it is no sound version, mark or head", "backup", self.dir + "/b.json")
            if kept:
                member.keys.kvs[f"/weir/{name}"] = kept
            else:
                del member.keys.kvs[f"/weir/{name}"]
        self.assertEqual((pathlib.Path(self.dir, "b.json").read_bytes(), pathlib.Path(self.dir, "state/store.backup").read_bytes()), (before, note))
        member.put("/weir/override/x", "{}")
        member.keys.kvs["/weir/override/x"]["value"] = base64.b64encode(b"caf\xe9").decode()
        self.refused(4, "no backup was made: record override/x: its text cannot be one", "backup", self.dir + "/b.json")
        self.assertEqual(set(os.listdir(self.dir)) & {"b.json", "b.json.tmp", "b.json.new"}, {"b.json"})

    def test_a_backup_is_restored(self) -> None:
        member = self.etcd()
        member.put("/weir/store", claim())
        self.in_store(member)
        path = self.write("b.json", backup(self.RECORDS, id=OTHER))
        self.good(self.weir("restore", path), """41 records of 0 versions are in the store, and compared
next, at one node after the other, because each fetches files from those that have them:
  systemctl stop weir; mv /var/lib/weir/store /var/lib/weir/store.before; systemctl start weir; weir store status
what was changed after the backup is not in it
""")
        self.assertEqual(member.all(), {"/weir/store": claim(), **{f"/weir/{n}": t for n, t in self.RECORDS}})
        batches = [[unpack(op["request_put"]["key"]) for op in body["success"]] for body in member.bodies("txn")]
        self.assertEqual(batches, [[f"/weir/override/{i:02}" for i in range(32)], [f"/weir/override/{i:02}" for i in range(32, 40)], ["/weir/head"]])
        # again: nothing is left to do; and what lacks is written
        self.good(self.weir("restore", path, "--json"), f'{{"from":"{OTHER}","records":41}}\n')
        self.assertEqual(len(member.bodies("txn")), 3)
        del member.keys.kvs["/weir/override/07"]
        self.assertEqual(self.weir("restore", path).returncode, 0)
        self.assertEqual(len(member.bodies("txn")), 4)
        self.assertIn("/weir/override/07", member.all())

    def test_no_head_without_all_before_it(self) -> None:
        """A head in the store says that all it names are there: nodes follow it at once."""
        path = self.write("b.json", backup(self.RECORDS))
        busy: Reply = (429, {"code": 8, "message": "etcdserver: too many requests"})
        for why, reply, status, text in (
                ("refused", None, 4, "somebody else writes into the store"),
                ("not written", busy, 3, "URL: HTTP status 429: etcdserver: too many requests")):
            for n_written in range(3):  # of three batches
                member = self.etcd()
                member.put("/weir/store", claim())
                self.in_store(member)
                member.replies["txn"] = [member.change] * n_written + [reply or member.keys.failure, member.change]
                before = self.tree()
                done = self.weir("restore", path)
                with self.subTest(why, n_written=n_written):
                    self.assertEqual((done.returncode, done.stdout, done.stderr.replace(member.url, "URL")),
                                     (status, "", f"weir: the backup is not restored: {text}\n"))
                    self.assertEqual(self.tree(), before)
                    self.assertEqual(len(member.bodies("txn")), n_written + 1)
                    self.assertEqual(sorted(member.all()), sorted(["/weir/store", *[f"/weir/override/{i:02}" for i in range((0, 32, 40)[n_written])]]))
                    self.assertEqual(self.weir("restore", path).returncode, 0)  # the same command again
                    self.assertEqual(member.all(), {"/weir/store": claim(), **{f"/weir/{n}": t for n, t in self.RECORDS}})

    def test_a_store_that_has_other_records_stays(self) -> None:
        member = self.etcd()
        member.put("/weir/store", claim())
        self.in_store(member)
        path = self.write("b.json", backup(self.RECORDS))
        into = ": a backup goes into a store that has no versions yet"
        first = "the backup is not restored: "
        member.put("/weir/override/05", "{}")
        self.refused(4, f"{first}the store has the record override/05, and the backup has another one{into}", "restore", path)
        del member.keys.kvs["/weir/override/05"]
        member.put("/weir/aaa", "{}")
        self.refused(4, f"{first}the store has the record aaa, and the backup has none{into}", "restore", path)
        del member.keys.kvs["/weir/aaa"]
        member.put("/weir/store", claim(unfinished=True))
        self.refused(4, f"{first}the store was begun again for a node's copy: weir store rebuild", "restore", path)
        self.assertEqual(member.bodies("txn"), [])
        member.put("/weir/store", claim())
        member.replies["txn"] = [member.keys.failure]
        self.refused(4, f"{first}somebody else writes into the store", "restore", path)
        member.replies["txn"] = [lambda body: {"header": HEADER, "succeeded": True, "responses": [{"response_put": {}} for _ in body["success"]]}]
        self.refused(3, f"{first}the record head is not there", "restore", path)

    def test_what_is_there_after_a_restore_is_compared(self) -> None:
        """Somebody else may write meanwhile, where no batch notices."""
        path = self.write("b.json", backup(self.RECORDS))
        into = ": a backup goes into a store that has no versions yet"
        for name, text, status, says in (
                ("zzz", "{}", 4, f"the store has the record zzz, and the backup has none{into}"),
                ("override/07", "{}", 4, f"the store has the record override/07, and the backup has another one{into}"),
                ("override/07", None, 3, "the record override/07 is not there"),
                ("store", claim(unfinished=True), 4, "the store was begun again for a node's copy: weir store rebuild")):
            member = self.etcd()
            member.put("/weir/store", claim())
            self.in_store(member)

            def meanwhile(body: Answer, member: Etcd = member, name: str = name, text: str | None = text) -> Answer:
                answer = member.change(body)
                if text is None:
                    del member.keys.kvs[f"/weir/{name}"]
                else:
                    member.put(f"/weir/{name}", text)
                return answer
            member.replies["txn"] = [member.change, member.change, meanwhile]
            self.refused(status, f"the backup is not restored: {says}", "restore", path)
            self.assertEqual(len(member.bodies("txn")), 3)

    def test_what_is_no_backup(self) -> None:
        member = self.etcd()
        self.in_store(member)
        a, b = ("a", "{}"), ("b", "{}")
        whole = backup([a, b])
        none, name, text = "it is no backup of this release", "record 1: its name cannot be one", "record a: its text cannot be one"
        version, changed = ": it is no sound version, mark or head", "it was changed after it was made (sha256)"
        rows: list[tuple[Answer | str, str]] = [
            ("", "it is no JSON"), ("{", "it is no JSON"), ('{"kind":1,"kind":1}', "it is no JSON"), ("[]", none), ({}, none), ({**whole, "kind": KIND + "2"}, none),
            ({**whole, "id": ID[:31]}, none), ({**whole, "id": ID.upper()}, none), ({**whole, "id": 7}, none), ({**whole, "sha256": None}, none),
            ({**whole, "records": None}, "records is no list, or too long"), ({**whole, "records": {}}, "records is no list, or too long"),
            (backup([("", "{}")]), name), (backup([("n" * 300, "{}")]), name), (backup([("a\nb", "{}")]), name), (backup([("store", claim())]), name),
            ({**whole, "records": [{"text": "{}"}]}, name), ({**whole, "records": [{"name": 1, "text": "{}"}]}, name), ({**whole, "records": [7]}, name),
            (backup([("a", "")]), text), ({**whole, "records": [{"name": "a"}]}, text), ({**whole, "records": [{"name": "a", "text": 1}]}, text),
            (backup([("a", "x" * 20000)]), text), (backup([("head", '{"number":0}')]), "record head" + version), (backup([("head", "{}")]), "record head" + version),
            (backup([("version/7", "{}")]), "record version/7" + version), (backup([("mark/7", "{}")]), "record mark/7" + version), (backup([b, a]), "records are not by rising names"),
            (backup([a, a]), "records are not by rising names"), ({**whole, "revision": 13}, changed), ({**whole, "time_ms": 1}, changed), ({**whole, "id": OTHER}, changed),
            ({**whole, "sha256": "0" * 64}, changed), ({**whole, "records": whole["records"][:1]}, changed),
            ({**whole, "records": [whole["records"][0], {"name": "b", "text": "[]"}]}, changed), ({**whole, "records": [whole["records"][0], {"name": "c", "text": "{}"}]}, changed)]
        for given, fault in rows:
            self.refused(1, f"this cannot be restored: DIR/bad.json: {fault}", "restore", self.write("bad.json", given))
        self.assertEqual(member.requests, [])


class Certificates(Commands):
    """Members that are reached by TLS."""

    authority: Authority

    @classmethod
    def setUpClass(cls) -> None:
        folder = tempfile.mkdtemp(prefix="weir-store.")
        cls.addClassCleanup(shutil.rmtree, folder)
        cls.authority = Authority(folder + "/ca")

    def tls(self) -> tuple[Authority, Tls]:
        authority, member = self.authority, Tls(self.authority)
        self.addCleanup(member.close)
        member.put("/weir/store", claim())
        listed: list[Answer] = [{"ID": "160", "name": "m0", "peerURLs": ["https://127.0.0.1:2380"], "clientURLs": [member.url]},
                                {"ID": "161", "name": "m1", "peerURLs": ["https://192.0.2.1:2380"], "clientURLs": ["https://192.0.2.1:2379"]},
                                {"ID": "162", "name": "m2", "peerURLs": ["https://192.0.2.2:2380"], "clientURLs": ["https://192.0.2.2:2379"], "isLearner": True},
                                {"ID": "163", "name": "m3", "peerURLs": ["https://192.0.2.3:2380"], "clientURLs": ["http://192.0.2.3:2379"]}]
        member.replies["list"] = [{"header": HEADER, "members": listed}]
        return authority, member

    def join(self, authority: Authority, member: Tls, **more: typing.Any) -> str:
        return self.write("brought", {"id": ID, "endpoints": [member.url], "prefix": "/weir/", "ca": pathlib.Path(authority.path("ca.crt")).read_text(), "is_own": True, **more})

    CONF = {"id": ID, "prefix": "/weir/", "ca": "store-ca.crt", "certificate": "store.crt", "key": "store.key"}

    def conf_file(self) -> Answer:
        return {k: v for k, v in json.loads((self.conf / "store.conf").read_text()).items() if v}

    def test_a_node_of_a_store_with_its_own_ca(self) -> None:
        authority, member = self.tls()
        key = pathlib.Path(authority.path("ca.key")).read_text()
        done = self.weir("join", self.join(authority, member, ca_key=key))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        files = self.tree()
        self.assertEqual({name: mode for name, (mode, _) in files.items()},
                         {"store.conf": "0o640", "store-ca.crt": "0o640", "store.crt": "0o640", "store.key": "0o400"})
        self.assertEqual(files["store-ca.crt"][1], pathlib.Path(authority.path("ca.crt")).read_text())
        self.assertEqual(self.conf_file(), {**self.CONF, "endpoints": [member.url, "https://192.0.2.1:2379"]})
        self.assertEqual(set(member.subjects), {"n1"})
        (self.conf / "store.conf").unlink()
        for name in ("store-ca.crt", "store.crt", "store.key"):
            (self.conf / name).unlink()
        self.assertEqual(self.weir("join", self.join(authority, member, ca_key=key), node="n" * 63).returncode, 0)
        self.assertEqual(member.subjects[-1], "n" * 63)

    def test_a_node_of_a_store_with_a_persons_ca(self) -> None:
        authority, member = self.tls()
        path, crt, key = self.join(authority, member), authority.path("client.crt"), authority.path("client.key")
        self.refused(1, "the certificate and the key do not belong together", "join", path, "--certificate", crt, "--key", authority.path("member.key"))
        done = self.weir("join", path, "--certificate", crt, "--key", key)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        files = self.tree()
        self.assertEqual((files["store.crt"][1], files["store.key"][1]), (pathlib.Path(crt).read_text(), pathlib.Path(key).read_text()))
        self.assertEqual(self.conf_file(), {**self.CONF, "endpoints": [member.url, "https://192.0.2.1:2379"]})
        self.assertEqual(set(member.subjects), {"client"})

    def test_an_etcd_that_is_there(self) -> None:
        authority, member = self.tls()
        member.keys.kvs.clear()
        crt, key, ca = authority.path("client.crt"), authority.path("client.key"), authority.path("ca.crt")
        done = self.weir("init", "--endpoints", member.url, "--ca", ca, "--certificate", crt, "--key", key, "--id", ID)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(self.conf_file(), {**self.CONF, "endpoints": [member.url]})
        join = json.loads((self.conf / "store.join").read_text())
        self.assertEqual({k: v for k, v in join.items() if v and k != "warning"},
                         {"id": ID, "endpoints": [member.url], "prefix": "/weir/", "ca": pathlib.Path(ca).read_text(), "certificate": pathlib.Path(crt).read_text(),
                          "key": pathlib.Path(key).read_text()})
        # the file brings the certificate to the next node
        brought = self.write("brought", join)
        for path in self.conf.iterdir():
            path.unlink()
        done = self.weir("join", brought)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual((self.conf / "store.key").read_text(), pathlib.Path(key).read_text())
        self.assertEqual(self.conf_file(), {**self.CONF, "endpoints": [member.url]})

    def test_when_certificates_end(self) -> None:
        authority, member = self.tls()
        member.replies["list"][0]["members"][1:] = []  # it asks all
        key = pathlib.Path(authority.path("ca.key")).read_text()
        self.assertEqual(self.weir("join", self.join(authority, member, ca_key=key)).returncode, 0)
        found = [line for line in self.weir("check").stdout.splitlines() if "certificate" in line]
        day = "20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z"
        self.assertRegex(found[0], f"^warning  certificate: DIR/conf/store-ca.crt ends in 29 days, at {day}$")
        self.assertRegex(found[1], f"^ok       certificate: DIR/conf/store.crt ends in 36(48|49) days, at {day}$")
        (self.conf / "store-ca.crt").write_text("x")
        self.assertIn("wrong    certificate: DIR/conf/store-ca.crt cannot be read", self.weir("check").stdout.splitlines())
        (self.conf / "store.key").unlink()
        self.refused(1, "DIR/conf/store.key: No such file or directory", "check")
        self.assertEqual(json.loads(pathlib.Path(self.dir, "state/store.check").read_text())["text"], "failed: weir store check says why")


class Status(Commands):
    def test_when_this_host_looked_last(self) -> None:
        self.in_store()
        api = test_cli.Api(self.dir + "/api.sock")
        self.addCleanup(api.server_close)
        self.addCleanup(api.shutdown)
        api.answers["/v1/store"] = (200, {"state": "ready"})
        for age_s, text in ((0, "0 min"), (90, "1 min"), (7140, "119 min"), (7200, "2 h"), (171000, "47 h"), (172800, "2 days"), (864000, "10 days")):
            for name in ("backup", "check"):
                pathlib.Path(self.dir, "state/store." + name).write_text(json.dumps({"time_ms": int((time.time() - age_s) * 1000), "text": f"the {name}"}))
            with self.subTest(text):
                self.good(self.weir("status"), "store ready: it decides which version is in force\n"
                          f"  backup         {text} ago: the backup\n  check          {text} ago: the check\n")


class Members(Commands):
    """Three members, of which one may be down."""

    def members(self, n: int = 3, n_up: int = 3, **status: typing.Any) -> list[Etcd]:
        found = [self.etcd(f"127.0.0.{i + 1}") for i in range(n)]
        listed: list[Answer] = [{"ID": str(0xa0 + i), "name": f"m{i}", "peerURLs": [f"http://127.0.0.{i + 1}:2380"], "clientURLs": [m.url]} for i, m in enumerate(found)]
        for i, member in enumerate(found):
            member.put("/weir/store", claim())
            good = {"header": HEADER, "version": "3.4.23", "dbSize": str(1048576 * (i + 1)), "leader": "160", **status}
            member.replies.update(status=[good if i < n_up else DOWN], list=[{"header": HEADER, "members": listed}], alarm=[{"header": HEADER}])
        self.listed = listed
        self.in_store(*found)
        return found


class Remove(Members):
    def test_one_that_answers(self) -> None:
        for text in ("m1", "a1", "http://127.0.0.2:2380", "URL"):
            members = self.members()
            members[0].replies["remove"] = [{"header": HEADER, "members": [self.listed[0], self.listed[2]]}]
            done = self.weir("remove", members[1].url if text == "URL" else text, "--yes")
            with self.subTest(text):
                self.good(done, f"""member m1 (a1, {members[1].url}) answers
without it 2 members are left, and 2 answer: configuration can be changed while 2 are up
m1 is removed
on its host: systemctl disable --now etcd, and remove /var/lib/etcd/weir
next: weir store join store.join --member on another host
""")
                self.assertEqual(members[0].bodies("remove"), [{"ID": "161"}])
                conf = json.loads((self.conf / "store.conf").read_text())
                self.assertEqual(conf["endpoints"], [members[0].url, members[2].url])

    def test_one_that_is_down(self) -> None:
        members = self.members(3, 2)
        members[0].replies["remove"] = [{"header": HEADER, "members": self.listed[:2]}]
        self.good(self.weir("remove", "m2", "--yes"), f"""member m2 (a2, {members[2].url}) does not answer
without it 2 members are left, and 2 answer: configuration can be changed while 2 are up
m2 is removed
next: weir store join store.join --member on another host
""")
        self.good(self.weir("remove", "m2", "--yes", "--json"), '{"removed":"m2","members":2}\n')

    def test_a_learner_that_did_not_start(self) -> None:
        members = self.members(2)
        self.listed[1].update(name="", clientURLs=[], isLearner=True)
        members[0].replies["remove"] = [{"header": HEADER, "members": self.listed[:1]}]
        self.good(self.weir("remove", "a1", "--yes"), """member http://127.0.0.2:2380 (a1, http://127.0.0.2:2380) has no vote yet
without it 1 member is left, and 1 answers: configuration can be changed while 1 is up
http://127.0.0.2:2380 is removed
next: weir store join store.join --member on another host
""")
        self.assertEqual(json.loads((self.conf / "store.conf").read_text())["endpoints"], [m.url for m in members])

    def test_four_members(self) -> None:
        members = self.members(4)
        members[0].replies["remove"] = [{"header": HEADER, "members": self.listed[:3]}]
        self.assertEqual(self.weir("remove", "m3", "--yes").stdout.splitlines()[1:3],
                         ["without it 3 members are left, and 3 answer: configuration can be changed while 2 are up", "m3 is removed"])
        self.assertNotIn("next:", self.weir("remove", "m3", "--yes").stdout)

    def test_what_is_refused(self) -> None:
        members = self.members(3, 2)
        self.refused(1, 'there is no member "m9"; the members are: m0, m1, m2', "remove", "m9")
        self.refused(2, "of the 2 members that would be left 1 answer, and 2 are needed to decide anything: bring another one back first", "remove", "m0")
        for member in members:
            member.put("/weir/store", claim(id=OTHER))
        self.refused(4, f"the members have the store {OTHER}, and store.conf names {ID}", "remove", "m2")
        one = self.members(1)
        self.refused(2, "m0 is the only member: without it there is no store", "remove", "m0")
        one[0].put("/weir/store", "{}")
        self.refused(3, "the store cannot be read: the record store below the prefix is not Weir's", "remove", "m0")
        one[0].replies["range"] = [DOWN]
        self.refused(3, f"the store does not answer ({one[0].url}: HTTP status 503: etcdserver: request timed out): while no majority of its members is up, "
                        f"none can be removed. Bring one back. {LOST}",
                     "remove", "m0")
        self.assertEqual([m.bodies("remove") for m in members], [[], [], []])

    def test_many_members_with_long_names_are_cut(self) -> None:
        """At 511 bytes, wherever a name ends there."""
        for length in (60, 98, 100, 101, 102, 127):
            member = self.members(1)[0]
            names = [f"{i:02}{'n' * (length - 2)}" for i in range(12)]
            self.listed[:] = [{"ID": str(0xa0 + i), "name": name, "peerURLs": [], "clientURLs": [member.url]} for i, name in enumerate(names)]
            self.refused(1, f'there is no member "m9"; the members are: {", ".join(names)[:511]}', "remove", "m9")

    def test_a_member_without_a_leader_does_not_count(self) -> None:
        members = self.members(3, leader="0")
        self.refused(2, "of the 2 members that would be left 0 answer, and 2 are needed to decide anything: bring another one back first", "remove", "m2")
        self.assertEqual(members[0].bodies("remove"), [])

    def test_a_store_without_its_record_and_the_last_endpoint(self) -> None:
        members = self.members(3)
        for member in members:
            del member.keys.kvs["/weir/store"]
        members[2].replies["remove"] = [{"header": HEADER, "members": self.listed[:2]}]
        self.in_store(members[2])
        before = self.tree()
        self.assertEqual(self.weir("remove", "m2", "--yes").returncode, 0)
        self.assertEqual(self.tree(), before)  # one that is removed is better than none

    def test_an_answer_that_is_lost(self) -> None:
        members = self.members(3, 2)
        wrong: Reply = (400, {"code": 3, "message": "no"})
        members[0].replies["remove"] = [wrong]
        done = self.weir("remove", "m2", "--yes")
        self.assertEqual(done.returncode, 3)
        self.assertRegex(done.stderr, r"^weir: m2 is still in the list of members \(.*no.*\): try it again\n$")
        members[0].replies["remove"] = [DOWN]
        done = self.weir("remove", "m2", "--yes")
        self.assertEqual(done.returncode, 5, done.stderr)
        # as one says that stops because it is removed, and the other one before it leads
        whole = {"header": HEADER, "members": self.listed}
        members[0].replies["list"] = [whole, DOWN]
        members[1].replies["list"] = [whole, {"header": HEADER, "members": self.listed[:2]}]
        done = self.weir("remove", "m2", "--yes")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("\nm2 is removed\n", done.stdout)
        for member in members:
            member.replies["list"] = [whole, DOWN] if member == members[0] else [DOWN]
        done = self.weir("remove", "m2", "--yes")
        self.assertRegex(done.stderr, r"^weir: whether m2 is removed is not known \(.*\): weir store check shows the members\n$")
        self.assertEqual(done.returncode, 5, done.stderr)

    def test_nobody_has_agreed(self) -> None:
        members = self.members(3, 2)
        done = self.weir("remove", "m2")
        self.assertEqual((done.returncode, done.stderr),
                         (1, "weir: nothing was changed: there is no terminal to answer at; give --yes if what is above is right\n"))
        self.assertIn("without it 2 members are left", done.stdout)
        self.assertEqual([m.bodies("remove") for m in members], [[], [], []])


class Check(Members):
    def setUp(self) -> None:
        super().setUp()
        self.api = test_cli.Api(self.dir + "/api.sock")
        self.addCleanup(self.api.server_close)
        self.addCleanup(self.api.shutdown)
        self.api.answers["/v1/store"] = (200, {"state": "ready", "reason": ""})

    def check(self, worst: int, *lines: str) -> None:
        """All lines but that of this host's own clock, which may be right or not."""
        done = self.weir("check")
        found = done.stdout.splitlines()
        own = [line for line in found if "clock: this host's" in line]
        self.assertEqual([line for line in found if line not in own], list(lines))
        self.assertIn(own, [["ok       clock: this host's clock is synchronised"],
                            ["warning  clock: this host's clock is not synchronised: use a time server (chrony)"]])
        self.assertEqual((done.returncode, done.stderr), (max(worst, 10 if own[0].startswith("warning") else 0), ""))
        note = json.loads(pathlib.Path(self.dir, "state/store.check").read_text())
        self.assertEqual(note["text"], {0: "ok", 10: "warnings", 11: "something is wrong"}[done.returncode])

    def sites(self, *sites: str) -> None:
        """weir.conf, with a node at each member's address."""
        nodes = ", ".join(f'{{ name = "n{i + 1}"; site = "{site}"; ports = ( {{ interface = "e"; }} ); tunnel_source = [ "10.0.{i}.0/24" ]; '
                          f'api = "https://127.0.0.{i + 1}:8443"; }}' for i, site in enumerate(sites))
        (self.conf / "weir.conf").write_text('schema = 1; cluster = { name = "c"; hash_key_file = "hash.key"; hash_key_id = "k"; };\nsites = ( ' +
                                             ", ".join(f'{{ name = "{site}"; }}' for site in sorted(set(sites))) + f" );\nnodes = ( {nodes} );\n")

    STORE = f"ok       store: {ID}, epoch 1, 1 records below /weir/"
    REST = ("ok       alarms: none", "ok       room: the largest database has 3.0 of 2048 MiB (0 %), if its quota is etcd's own", "ok       compaction: there is little history yet (10)",
            "ok       conditions: a change that must be refused is refused", "ok       node: this node takes what the store has",
            "ok       clock: those of members that answer are within 3 s of it")

    def up(self, members: list[Etcd]) -> list[str]:
        return [f"ok       member: m{i} answers at {m.url}, etcd 3.4.23" for i, m in enumerate(members)]

    def test_all_is_well(self) -> None:
        members = self.members()
        self.sites("s", "t", "u")
        self.check(0, self.STORE, *self.up(members), "ok       members: 3 of 3 answer, 2 are needed to change configuration", "ok       sites: members at 3 sites", *self.REST)
        done = self.weir("check", "--json")
        lines = json.loads(done.stdout)
        self.assertEqual(lines[:2], [{"level": "ok", "subject": "store", "text": f"{ID}, epoch 1, 1 records below /weir/"},
                                     {"level": "ok", "subject": "member", "text": f"m0 answers at {members[0].url}, etcd 3.4.23"}])
        self.assertEqual(len(lines), 13)

    def test_an_address_that_begins_as_another(self) -> None:
        self.members(1)
        text = 'schema = 1; cluster = { name = "c"; hash_key_file = "hash.key"; hash_key_id = "k"; };\nsites = ( { name = "s"; }, { name = "t"; } );\nnodes = ( ' + ", ".join(
            f'{{ name = "n{i}"; site = "{site}"; ports = ( {{ interface = "e"; }} ); tunnel_source = [ "10.0.{i}.0/24" ]; api = "{api}"; }}'
            for i, site, api in ((1, "s", "https://127.0.0.10:8443"), (2, "t", "https://127.0.0.1:8443")))
        (self.conf / "weir.conf").write_text(text + " );\n")
        self.assertEqual(self.line("sites"), ["warning  sites: if t dies, configuration is frozen: it has 1 of 1 members; three members at three sites go on"])

    def test_members_that_are_not_as_they_should_be(self) -> None:
        members = self.members(3, 2)
        self.sites("s", "s", "t")
        frozen = "warning  sites: if s dies, configuration is frozen: it has 2 of 3 members; three members at three sites go on"
        members[1].replies["status"] = [{"header": HEADER, "version": "3.5.1", "dbSize": "1", "leader": "160"}]
        found = self.weir("check").stdout.splitlines()
        self.assertRegex(found[3], r"^wrong    member: m2 does not answer \(.*\): start it; if its host is lost, weir store remove m2, and let another one join$")
        self.check(11, self.STORE, self.up(members)[0], f"warning  member: m1 answers at {members[1].url}, with etcd 3.5.1: Weir is tested with 3.4.23", found[3],
                   "warning  members: 2 of 3 answer, 2 are needed to change configuration", frozen, self.REST[0],
                   "ok       room: the largest database has 1.0 of 2048 MiB (0 %), if its quota is etcd's own", *self.REST[2:])

    def test_no_majority(self) -> None:
        """None can be removed then: nothing says so."""
        members = self.members(3, 1)
        for member in members:
            member.replies["range"] = [DOWN]
        found = self.weir("check").stdout
        self.assertIn(f"what is in force stays. {LOST}\n", found)
        for name in ("m1", "m2"):
            self.assertRegex(found, rf"(?m)^wrong    member: {name} does not answer \(.*\): start it; it cannot be removed before a majority answers$")
        self.assertNotIn("store remove", found)

    def test_a_store_that_cannot_be_read_is_not_lost(self) -> None:
        """All members answer: nobody is told to begin the store again."""
        denied: Reply = (403, {"code": 7, "message": "etcdserver: permission denied"})
        for name, value, reason in (("x/" + "y" * 300, "{}", "is not Weir's"), ("operation/x", "x" * 16385, "the key /weir/operation/x is not Weir's"),
                                    ("", "", "permission denied")):
            members = self.members()
            for member in members:
                if name:
                    member.put(f"/weir/{name}", value)
                else:
                    member.replies["range"] = [denied]
            found = self.weir("check")
            removal = self.weir("remove", "m1", "--yes")
            with self.subTest(reason):
                self.assertRegex(found.stdout.splitlines()[0], f"^wrong    store: it cannot be read: .*{reason}$")
                self.assertIn("m2 answers at", found.stdout)
                self.assertRegex(removal.stderr, f"^weir: the store cannot be read: .*{reason}\n$")
                self.assertEqual(removal.returncode, 3)

    def test_a_member_that_takes_requests_and_does_not_answer(self) -> None:
        """Any other can say what the members are, and which alarms there are."""
        members = self.members()
        members[0].replies.update({name: [CLOSE] for name in ("range", "list", "alarm", "status")})
        found = self.weir("check").stdout.splitlines()
        self.assertRegex(found[1], "^wrong    member: m0 does not answer ")
        self.assertEqual(found[2:4], self.up(members)[1:])
        self.assertIn("ok       alarms: none", found)
        for member in members:
            member.replies["list"] = [CLOSE]
        self.assertRegex(self.weir("check").stdout.splitlines()[1], "^wrong    members: they cannot be listed: http://127.0.0..:")

    def test_two_members_and_a_learner_at_no_known_site(self) -> None:
        members = self.members()
        self.listed[2]["isLearner"] = True
        self.sites("s", "t")
        self.check(10, self.STORE, *self.up(members)[:2], "warning  member: m2 has no vote: its weir store join did not end; run it again there",
                   "warning  members: 2: while one is down, configuration cannot be changed; three go on without one (weir store join store.join --member)",
                   "warning  sites: m2 is at no node's address: its site is not known",
                   "warning  sites: if s dies, configuration is frozen: it has 1 of 2 members; three members at three sites go on",
                   "warning  sites: if t dies, configuration is frozen: it has 1 of 2 members; three members at three sites go on", *self.REST)

    def test_a_member_that_has_not_started_and_no_configuration(self) -> None:
        members = self.members()
        self.listed[2].update(name="", clientURLs=[])
        self.check(11, self.STORE, *self.up(members)[:2], "wrong    member: http://127.0.0.3:2380 does not answer (it has not started yet): start it; if its host is lost, "
                   "weir store remove http://127.0.0.3:2380, and let another one join", "warning  members: 2 of 3 answer, 2 are needed to change configuration",
                   "warning  sites: the sites of members are not known, because neither the configuration in force nor weir.conf can be read (weir config check)",
                   self.REST[0], "ok       room: the largest database has 2.0 of 2048 MiB (0 %), if its quota is etcd's own", *self.REST[2:])

    def test_what_the_store_is(self) -> None:
        for text, line in ((None, "warning  store: it has no record of its id: that comes with weir store init"),
                           (claim(id=OTHER), f"wrong    store: the members have the store {OTHER}, and store.conf names {ID}: bring the right file"),
                           (claim(unfinished=True), "wrong    store: it is unfinished, and no node takes anything from it: weir store rebuild at the node with the "
                                                    "newest versions"),
                           (claim(epoch=5), f"ok       store: {ID}, epoch 5, 1 records below /weir/"),
                           ("{}", "wrong    store: it cannot be read: the record store below the prefix is not Weir's")):
            members = self.members()
            for member in members:
                if text:
                    member.put("/weir/store", text)
                else:
                    member.keys.kvs.clear()
            with self.subTest(line):
                self.assertEqual(self.weir("check").stdout.splitlines()[0], line)

    def test_a_learner_has_no_site_to_lose(self) -> None:
        self.members(4)
        self.listed[3]["isLearner"] = True
        self.sites("s", "t", "u", "s")
        self.assertEqual(self.line("sites"), ["ok       sites: members at 3 sites"])

    def line(self, subject: str) -> list[str]:
        return [line for line in self.weir("check").stdout.splitlines() if f" {subject}: " in line and "this host's clock is" not in line]

    def test_what_this_node_makes_of_the_store(self) -> None:
        self.members()
        self.sites("s", "t", "u")
        unsaid = "warning  node: weir-mgmt does not say whether this node takes what the store has: weir status"
        said: tuple[tuple[int, typing.Any, str], ...] = (
            (200, {"state": "full", "reason": ""}, "ok       node: this node takes what the store has"),
            (200, {"state": "unknown", "reason": ""}, "warning  node: weir-mgmt has just started, and has not heard the store yet"),
            (200, {"state": "cut-off", "reason": "no majority"}, "wrong    node: weir-mgmt does not reach the store (no majority)"),
            (200, {"state": "went-back", "reason": "its newest version is 1, and this node has version 2"},
             "wrong    node: this node takes nothing from the store, which is not what it was (its newest version is 1, and this node has version 2): see what would be lost "
             "(weir store accept --dry-run --reason TEXT), and if the store is right, weir store accept --reason TEXT"),
            (200, {"state": "other", "reason": "0c0d"}, "wrong    node: this node takes nothing from the members, which have another store (0c0d): bring the right members "
                                                        "back, or correct store.conf"),
            (200, {"state": "unkept", "reason": ""}, "wrong    node: this node cannot keep what the store has: weir why"),
            (200, {"state": "refused", "reason": "no id"}, "wrong    node: weir-mgmt cannot use store.conf (no id): correct it, then systemctl restart weir"),
            (200, {"state": "own"}, "wrong    node: weir-mgmt runs without store.conf: systemctl restart weir"),
            (200, {"state": "none"}, "wrong    node: weir-mgmt runs without store.conf: systemctl restart weir"),
            (200, {"state": "later"}, unsaid), (200, {}, unsaid), (503, {"code": "store"}, unsaid))
        for status, answer, line in said:
            self.api.answers["/v1/store"] = (status, answer)
            with self.subTest(line):
                self.assertEqual(self.line("node"), [line])
        self.api.answers["/v1/store"] = said[3][:2]
        self.check(11, self.STORE, *(f"ok       member: {m['name']} answers at {m['clientURLs'][0]}, etcd 3.4.23" for m in self.listed),
                   "ok       members: 3 of 3 answer, 2 are needed to change configuration", "ok       sites: members at 3 sites",
                   *(said[3][2] if " node: " in line else line for line in self.REST))
        pathlib.Path(self.dir, "api.sock").unlink()
        self.assertEqual(self.line("node"), [unsaid])

    def test_records(self) -> None:
        """Half of what nodes take is more than they write."""
        self.in_store(member := self.members(1)[0], prefix="/weir/shop/")
        member.put("/weir/shop/store", claim())
        for i in range(16383):
            member.put(f"/weir/shop/override/{i}", "{}")
        self.assertEqual(self.line("records"), [])
        member.put("/weir/shop/more", "{}")
        found = self.weir("check").stdout.splitlines()
        self.assertEqual(found[0], f"ok       store: {ID}, epoch 1, 16385 records below /weir/shop/")
        at = found.index("warning  records: 16385, and no node takes more than 32768: see of what there are so many")
        self.assertEqual(found[at + 1:at + 3], [f"         export ETCDCTL_API=3 ETCDCTL_ENDPOINTS={member.url}",
                                                "         etcdctl get /weir/shop/ --prefix --keys-only | sed '/^$/d' | cut -d/ -f4 | sort | uniq -c"])

    def test_alarms(self) -> None:
        first = self.members()[0]
        first.replies["alarm"] = [{"header": HEADER, "alarms": [{"memberID": "161", "alarm": "NOSPACE"}, {"memberID": "162", "alarm": "CORRUPT"}]}]
        self.assertEqual(self.line("alarm"), ["wrong    alarm: NOSPACE of member m1: its database is full, and nothing can be written to the store",
                                              "wrong    alarm: CORRUPT of member m2"])
        self.assertEqual(self.line("alarms"), [])
        self.assertEqual(self.commands(), [*self.ROOM, "etcdctl alarm disarm"])
        first.replies["alarm"] = [{"header": HEADER, "alarms": [{"memberID": "255", "alarm": "CORRUPT"}]}]
        self.assertEqual((self.line("alarm"), self.commands()), (["wrong    alarm: CORRUPT of member ff"], []))

    def commands(self) -> list[str]:
        """What is to be pasted, which follows one line; the members that answer are URLS there."""
        found = [line[9:] for line in self.weir("check").stdout.splitlines() if line.startswith(" ")]
        told = [c for line in json.loads(self.weir("check", "--json").stdout) for c in line.get("commands", [])]
        self.assertEqual(found, told)
        return [c.replace(",".join(self.listed[i]["clientURLs"][0] for i in range(3)), "URLS") for c in found]

    ROOM = ("# as root, in this order:", "apt-get install etcd-client", "export ETCDCTL_API=3 ETCDCTL_ENDPOINTS=URLS",
            "etcdctl compact --physical \"$(etcdctl endpoint status -w json | grep -o '\"revision\":[0-9]*' | cut -d: -f2 | sort -n | tail -n 1)\"",
            "etcdctl defrag --command-timeout=60s")

    def test_room_on_both_sides_of_the_limit(self) -> None:
        for size, line in ((1717986918 + 21474836, "ok       room: the largest database has 1658.9 of 2048 MiB (80 %), if its quota is etcd's own"),
                           (1717986918 + 21474837, "warning  room: the largest database has 1658.9 of 2048 MiB (81 %), if its quota is etcd's own: when it is full, nothing can be written")):
            self.members(dbSize=str(size))
            self.assertEqual((self.line("room"), self.commands()), ([line], list(self.ROOM) if line.startswith("warning") else []))

    def test_room_of_a_member_elsewhere(self) -> None:
        """This host has the store's files, and no member."""
        ours = "of 256 MiB (%d %%), if its quota is that of weir store init"
        for size, line in ((3 << 20, "ok       room: the largest database has 3.0 " + ours % 1),
                           (220 << 20, "warning  room: the largest database has 220.0 " + ours % 85 + ": when it is full, nothing can be written")):
            self.in_store(*self.members(dbSize=str(size)), ca="store-ca.crt")
            self.assertEqual(self.line("room"), [line])

    def test_history_on_both_sides_of_what_is_little(self) -> None:
        many = "warning  compaction: all of the history is kept (5000 revisions), and counts for the quota: start members with ETCD_AUTO_COMPACTION_RETENTION=5m"
        gone: Reply = (400, {"code": 11, "message": "etcdserver: mvcc: required revision has been compacted"})
        first = self.members()[0]
        for revision, line in ((4999, "ok       compaction: there is little history yet (4999)"), (5000, many)):
            first.keys.revision = revision
            self.assertEqual(self.line("compaction"), [line])
        first.replies["range"] = [lambda body: gone if body.get("revision") else first.keys.range(body)]
        self.assertEqual(self.line("compaction"), ["ok       compaction: the beginning of the history is compacted"])

    def test_a_condition_that_does_not_hold_is_carried_out(self) -> None:
        first = self.members()[0]
        asked = self.line("conditions")
        self.assertEqual(asked, ["ok       conditions: a change that must be refused is refused"])
        body = first.bodies("txn")[0]
        self.assertEqual([(unpack(c["key"]), c["target"], c["mod_revision"]) for c in body["compare"]], [("/weir/store", "MOD", "0")])
        self.assertEqual([(unpack(op["request_put"]["key"]), unpack(op["request_put"]["value"])) for op in body["success"]], [("/weir/store", claim())])
        first.replies["txn"] = [{"header": HEADER, "succeeded": True, "responses": [{"response_put": {}}]}]
        self.assertEqual(self.line("conditions"), ["wrong    conditions: etcd has carried out a change whose condition does not hold: do not use this release of etcd"])

    def test_clocks_of_members(self) -> None:
        members = self.members()
        members[0].ahead_s, members[1].ahead_s, members[2].ahead_s = 0, 100, -100
        found = self.line("clock")
        self.assertEqual(len(found), 2, found)
        self.assertRegex(found[0], r"^warning  clock: the clock of m1 is (99|100|101) s ahead of this host's: use a time server on both$")
        self.assertRegex(found[1], r"^warning  clock: the clock of m2 is (99|100|101) s behind this host's: use a time server on both$")


if __name__ == "__main__":
    test_cli.counted.main()
