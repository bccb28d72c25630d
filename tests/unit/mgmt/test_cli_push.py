#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Whole texts of several people: what apply, pull and push overwrite, whom they ask, and what they leave alone. Management is real.

Usage: test_cli_push.py WEIR WEIR_MGMT
"""
from __future__ import annotations

import concurrent.futures
import os
import pathlib
import pty
import resource
import signal
import subprocess
import sys
import tempfile
import typing
import unittest

import counted
from api_node import Node

MGMT, WEIR = (os.path.abspath(sys.argv.pop()) for _ in range(2))
B2 = 'name = "b2"; address = "10.1.1.12"; weight = %d'


class WithPeople(unittest.TestCase):
    """A node, and a directory of a person."""

    def setUp(self) -> None:
        self.node = Node(MGMT).start()
        self.home = tempfile.TemporaryDirectory(prefix="weir-push-")
        self.dir = pathlib.Path(self.home.name, "conf")

    def tearDown(self) -> None:
        self.node.close()
        self.home.cleanup()

    def line(self, *arguments: str) -> list[str]:
        return [WEIR, "--conf-dir", self.node.conf, "--state-dir", self.node.state, "--run-dir", self.node.run,
                "--node", self.node.name, *arguments]

    def weir(self, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.line(*arguments), capture_output=True, text=True, timeout=60, check=False,
                              stdin=subprocess.DEVNULL, env=dict(os.environ) | (env or {}))

    def at_terminal(self, answer: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """With a person at standard input who says @p answer."""
        mine, theirs = pty.openpty()
        try:
            os.write(mine, answer.encode())
            return subprocess.run(self.line(*arguments), capture_output=True, text=True, timeout=60, check=False, stdin=theirs)
        finally:
            os.close(mine)
            os.close(theirs)

    def head(self) -> str:
        return typing.cast(str, self.node.ask("GET", "/v1/versions").json["etag"].strip('"'))

    def weigh(self, weight: int, author: str) -> None:
        """Another person's change, beside ours."""
        files = self.node.ask("GET", "/v1/config").json["files"]
        files["weir.conf"] = files["weir.conf"].replace(B2 % self.weight(), B2 % weight)
        self.assertEqual(self.node.apply(files, author=author, reason="CHG-7").status, 201)

    def weight(self) -> int:
        text = self.node.ask("GET", "/v1/config").json["files"]["weir.conf"]
        return int(text.split(B2.split("%", maxsplit=1)[0])[1].split(";")[0])


TAKES_BACK = "pools/web-ams/backends/b2/weight is 60, the file has 100: version 2 by ada on ams-1 at "


class Apply(WithPeople):
    def test_a_person_who_has_read_whose_changes_go_may_undo_them(self) -> None:
        path = os.path.join(self.node.conf, "weir.conf")
        self.weigh(60, "ada")
        for base in ("1", "v1-0123456789abcdef"):  # of a version; of one that is not here
            refused = self.weir("apply", path, "--base", base, "--reason", "mine")
            self.assertEqual((refused.returncode, self.weight()), (4, 60), refused.stderr)
            self.assertIn(TAKES_BACK, refused.stderr)
            self.assertIn(": CHG-7\n", refused.stderr)
            self.assertIn("--replace", refused.stderr)
            self.assertNotIn("[y/N]", refused.stderr)
            for answer in ("n\n", "\n", "\x04"):
                done = self.at_terminal(answer, "apply", path, "--base", base, "--reason", "mine")
                self.assertEqual((done.returncode, self.weight()), (4, 60), done.stderr)
                self.assertIn(TAKES_BACK, done.stderr)
                self.assertIn("undo this all the same? [y/N] ", done.stderr)
            for options in (("--json",), ("--dry-run",)):  # nobody reads it; nothing would be made
                done = self.at_terminal("y\n", "apply", path, "--base", base, "--reason", "mine", *options)
                self.assertEqual((done.returncode, self.weight()), (4, 60), done.stderr)
                self.assertNotIn("[y/N]", done.stderr)
        done = self.at_terminal("y\n", "apply", path, "--base", base, "--reason", "mine")
        self.assertEqual((done.returncode, self.weight()), (0, 100), done.stderr)
        self.assertIn("version 3, in force at", done.stdout)


class Pull(WithPeople):
    def setUp(self) -> None:
        super().setUp()
        self.zone = self.dir / "shop.example.zone"
        self.main = self.dir / "weir.conf"

    def pull(self, *options: str) -> subprocess.CompletedProcess[str]:
        return self.weir("pull", str(self.dir), *options)

    def found(self) -> dict[str, str]:
        return {str(f.relative_to(self.dir)): f.read_text() for f in self.dir.rglob("*") if f.is_file()}

    def version(self) -> dict[str, str]:
        """What is to be there: the files in force, the first line of weir.conf names them."""
        files = dict(self.node.ask("GET", "/v1/config").json["files"])
        return files | {"weir.conf": f"# weir base {self.head()}\n" + files["weir.conf"]}

    def test_nothing_is_written_through_a_link_or_where_others_may_write(self) -> None:
        outside = pathlib.Path(self.home.name, "outside")

        def links(at: pathlib.Path, to: pathlib.Path) -> None:
            at.symlink_to(to)

        cases: list[tuple[str, typing.Callable[[], object], pathlib.Path, str]] = [
            ("the zone is a link", lambda: links(self.zone, outside / "kept"), self.zone, "a link"),
            ("weir.conf is a link", lambda: links(self.main, outside / "kept"), self.main, "a link"),
            ("a link to nothing", lambda: links(self.zone, outside / "none"), self.zone, "a link"),
            ("a folder", self.zone.mkdir, self.zone, "no regular file"),
            ("a FIFO", lambda: os.mkfifo(self.zone), self.zone, "no regular file"),
            ("anybody may write", lambda: self.dir.chmod(0o777), self.dir, "another user may write"),
            ("it is another user's", lambda: os.chown(self.dir, 12345, 12345), self.dir, "another user"),
        ]
        for why, make, place, text in cases:
            for options in ((), ("--force",)):
                self.dir.mkdir()
                outside.mkdir()
                (outside / "kept").write_text("kept")
                make()
                done = self.pull(*options)
                with self.subTest(why, options=options):
                    self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
                    self.assertIn(f"{place}: ", done.stderr)
                    self.assertIn(text, done.stderr)
                    self.assertEqual([(f.name, f.read_text()) for f in outside.iterdir()], [("kept", "kept")])
                    self.assertEqual([f for f in self.dir.iterdir() if f != place], [])
                subprocess.run(["rm", "-r", str(self.dir), str(outside)], check=True)
        outside.mkdir()
        for name in (str(self.dir), f"{self.dir}/"):
            self.dir.symlink_to(outside)
            done = self.weir("pull", name)
            self.assertEqual((done.returncode, list(outside.iterdir())), (1, []), done.stderr)
            self.assertIn("a link", done.stderr)
            self.dir.unlink()
        for name, text in (("", "empty"), ("x" * 5000, "too long"), (f"{self.dir}/none/none", "No such file"), (self.line()[0], "Not a directory")):
            done = self.weir("pull", name)
            self.assertEqual((done.returncode, done.stdout), (1, ""), name)
            self.assertIn(text, done.stderr)

    def test_a_folder_on_the_way_that_is_a_link_is_refused(self) -> None:
        files = self.node.ask("GET", "/v1/config").json["files"]
        files = {"weir.conf": files["weir.conf"].replace("shop.example.zone", "zones/a/shop.zone"), "zones/a/shop.zone": files["shop.example.zone"]}
        self.assertEqual(self.node.apply(files).status, 201)
        outside = pathlib.Path(self.home.name, "outside")
        (outside / "a").mkdir(parents=True)
        self.dir.mkdir()
        for link, to in (("zones", outside), ("zones/a", outside)):
            path = self.dir / link
            path.parent.mkdir(exist_ok=True)
            path.symlink_to(to)
            done = self.pull("--force")
            self.assertEqual((done.returncode, list((outside / "a").iterdir())), (1, []), done.stderr)
            self.assertIn(f"{path}: it is a link", done.stderr)
            path.unlink()
        self.assertEqual(self.pull().returncode, 0)
        self.assertEqual(self.found(), self.version())

    def test_what_a_person_changed_is_not_overwritten(self) -> None:
        self.assertEqual(self.pull().returncode, 0)
        self.assertEqual(self.found(), self.version())
        self.assertEqual([self.dir.stat().st_mode & 0o777, self.main.stat().st_mode & 0o777, self.zone.stat().st_mode & 0o777],
                         [0o700, 0o600, 0o600])
        self.weigh(60, "ada")
        first = self.found()
        cases: list[tuple[str, str, str]] = [
            ("the main file", "weir.conf", first["weir.conf"] + "# mine\n"), ("a zone", "shop.example.zone", first["shop.example.zone"] + "; mine\n"),
            ("a main file without its base", "weir.conf", first["weir.conf"].split("\n", 1)[1]),
            ("a main file of a base that is not here", "weir.conf", first["weir.conf"].replace("# weir base v1-", "# weir base v9-"))]
        for why, name, text in cases:
            (self.dir / name).write_text(text)
            before = self.found()
            done = self.pull()
            with self.subTest(why):
                self.assertEqual((done.returncode, done.stdout, self.found()), (4, "", before), done.stderr)
                self.assertIn(f"\n  {name}\n", done.stderr)
                self.assertIn("--force", done.stderr)
                self.assertIn(name, self.pull("--json").stdout)
            (self.dir / name).write_text(first[name])
        (self.dir / "weir.conf").write_text(first["weir.conf"] + "# mine\n")
        self.assertEqual(self.pull("--force").returncode, 0)
        self.assertEqual(self.found(), self.version())

    def test_what_nobody_changed_follows(self) -> None:
        self.assertEqual(self.pull().returncode, 0)
        self.zone.chmod(0o640)
        (self.dir / "notes").write_text("mine")
        self.weigh(60, "ada")
        self.main.chmod(0o644)
        self.zone.unlink()  # removed in between: it comes again
        self.assertEqual(self.pull().returncode, 0)
        self.assertEqual(self.found(), self.version() | {"notes": "mine"})
        self.assertEqual(self.main.stat().st_mode & 0o777, 0o644)
        # one that was cut off: the zone is new already, weir.conf is not
        files = self.node.ask("GET", "/v1/config").json["files"]
        self.assertEqual(self.node.apply(files | {"shop.example.zone": files["shop.example.zone"] + "; more\n"}).status, 201)
        self.zone.write_text(files["shop.example.zone"] + "; more\n")
        self.assertEqual(self.pull().returncode, 0)
        self.assertEqual(self.found(), self.version() | {"notes": "mine"})
        done = self.pull("--json")
        self.assertIn('"written":[],"left":[]', done.stdout.replace(" ", ""))

    def test_a_file_that_is_no_part_of_it_any_more_is_named_and_stays(self) -> None:
        self.assertEqual(self.pull().returncode, 0)
        text = self.node.ask("GET", "/v1/config").json["files"]
        text = {"weir.conf": text["weir.conf"].replace("shop.example.zone", "other.zone"), "other.zone": text["shop.example.zone"]}
        self.assertEqual(self.node.apply(text).status, 201)
        done = self.pull()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("shop.example.zone is no part of the version any more", done.stdout)
        self.assertTrue(self.zone.exists())

    def test_a_disk_that_is_full_changes_nothing(self) -> None:
        self.assertEqual(self.pull().returncode, 0)
        files = self.node.ask("GET", "/v1/config").json["files"]
        self.assertEqual(self.node.apply({name: text + "\n" for name, text in files.items()}).status, 201)
        before = self.found()

        def limit() -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (len(files["weir.conf"]), len(files["weir.conf"])))

        done = subprocess.run(self.line("pull", str(self.dir)), capture_output=True, text=True, timeout=60, check=False, preexec_fn=limit)
        self.assertEqual((done.returncode, done.stdout, self.found()), (1, "", before), done.stderr)
        self.assertIn("File too large", done.stderr)
        self.assertEqual(self.pull().returncode, 0)
        self.assertEqual(self.found(), self.version())

    def test_the_directory_of_the_configuration_is_meant_where_none_is_named(self) -> None:
        conf = pathlib.Path(self.node.conf, "weir.conf")
        self.weigh(60, "ada")
        done = self.weir("pull")
        self.assertEqual((done.returncode, "are not from weir pull" in done.stderr), (4, True), done.stderr)
        self.assertEqual(self.weir("pull", "--force").returncode, 0)
        self.assertEqual(conf.read_text(), self.version()["weir.conf"])
        conf.write_text(conf.read_text() + "# mine\n")
        done = self.weir("push", "--reason", "mine")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(conf.read_text(), self.version()["weir.conf"])


class Push(WithPeople):
    def setUp(self) -> None:
        super().setUp()
        self.other = pathlib.Path(self.home.name, "other")
        for folder in (self.dir, self.other):
            self.assertEqual(self.weir("pull", str(folder)).returncode, 0)

    def edit(self, folder: pathlib.Path, old: str, new: str) -> None:
        text = (folder / "weir.conf").read_text()
        self.assertIn(old, text)
        (folder / "weir.conf").write_text(text.replace(old, new))

    def push(self, folder: pathlib.Path, author: str, *options: str) -> subprocess.CompletedProcess[str]:
        return self.weir("push", str(folder), "--author", author, "--reason", f"of {author}", *options)

    def base(self, folder: pathlib.Path) -> str:
        return (folder / "weir.conf").read_text().split("\n", maxsplit=1)[0]

    def test_two_people_undo_nothing_of_each_other(self) -> None:
        self.edit(self.dir, B2 % 100, B2 % 60)
        self.edit(self.other, 'interval = "1s"', 'interval = "2s"')
        done = self.push(self.dir, "ada")
        self.assertEqual((done.returncode, self.weight()), (0, 60), done.stderr)
        refused = self.push(self.other, "jw")
        self.assertEqual((refused.returncode, self.weight()), (4, 60))
        self.assertIn(TAKES_BACK, refused.stderr)
        self.assertIn(": of ada\n", refused.stderr)
        self.assertEqual(self.base(self.other).split("-")[0], "# weir base v1")  # still
        # a directory in which nothing was changed, too, is of an older version
        unchanged = pathlib.Path(self.home.name, "third")
        subprocess.run(["cp", "-r", str(self.other), str(unchanged)], check=True)
        self.edit(unchanged, 'interval = "2s"', 'interval = "1s"')
        self.assertEqual(self.push(unchanged, "eve").returncode, 4)
        self.assertEqual(self.push(self.other, "jw", "--dry-run", "--replace").returncode, 0)
        self.assertEqual(self.base(self.other).split("-")[0], "# weir base v1")
        self.edit(self.other, B2 % 100, B2 % 60)  # the other's change is in it
        done = self.push(self.other, "jw")
        self.assertEqual((done.returncode, self.weight()), (0, 60), done.stderr)
        self.assertEqual(self.base(self.other), f"# weir base {self.head()}")

    def test_what_was_pushed_is_the_base_of_what_comes_next(self) -> None:
        for weight in (60, 70, 80):
            self.edit(self.dir, B2 % self.weight(), B2 % weight)
            done = self.push(self.dir, "ada")
            self.assertEqual((done.returncode, self.weight()), (0, weight), done.stderr)
            self.assertEqual(self.base(self.dir), f"# weir base {self.head()}")
        again = self.push(self.dir, "ada")
        self.assertEqual((again.returncode, "nothing changes" in again.stdout), (0, True))
        self.assertEqual(self.weir("pull", str(self.dir)).returncode, 0)

    def test_a_file_that_names_no_base_gets_none(self) -> None:
        text = (self.dir / "weir.conf").read_text().split("\n", 1)[1].replace(B2 % 100, B2 % 60)
        (self.dir / "weir.conf").write_text(text)
        self.assertEqual((self.push(self.dir, "ada").returncode, self.weight()), (0, 60))
        self.assertEqual((self.dir / "weir.conf").read_text(), text)

    def test_mistakes_are_named_at_the_file_that_was_pushed(self) -> None:
        self.edit(self.dir, "schema = 1;", "schema = 1; wrong = 1;")
        done = self.push(self.dir, "ada")
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"{self.dir}/weir.conf:", done.stderr)
        self.assertIn("push needs --reason TEXT", self.weir("push", str(self.dir)).stderr)
        self.assertEqual(self.weir("push", os.path.join(self.dir, "none"), "--reason", "x").returncode, 1)


class Objects(WithPeople):
    """Single objects, of the same version as the texts; test_cli_edit.py has the rest."""

    B2 = "pools/web-ams/backends/b2"

    def change(self, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return self.weir(*arguments, "--reason", "CHG-9", "--confirm-within", "none", env=env)

    def text(self) -> str:
        return typing.cast(str, self.node.ask("GET", "/v1/config").json["files"]["weir.conf"])

    def test_what_is_changed_is_what_was_named(self) -> None:
        before = self.text()
        rows: list[tuple[tuple[str, ...], str, str]] = [
            (("set", f"{self.B2}/weight", "50"), B2 % 100, B2 % 50),
            (("set", "checks/web/interval", "2s"), 'interval = "1s"', 'interval = "2s"'),
            (("remove", "dns/names/www.shop.example/ttl/max"), 'max = "2s"; ', ""),
            (("set", "nodes/ams-1/ports/eth1/device", "net_null0"), 'interface = "eth1"; }', 'interface = "eth1"; device = "net_null0"; }')]
        for words, old, new in rows:
            done = self.change(*words)
            self.assertEqual(done.returncode, 0, (words, done.stderr))
            before = before.replace(old, new, 1)
            self.assertEqual(self.text(), before, words)
        added = self.change("add", "pools/web-ams/backends/b3", "address=10.1.1.13", "weight=7")
        self.assertEqual((added.returncode, self.weir("get", "pools/web-ams/backends/b3/weight").stdout), (0, "7\n"), added.stderr)
        self.assertEqual(self.change("remove", "pools/web-ams/backends/b3").returncode, 0)
        self.assertEqual(self.text().split(), before.split())

    def test_what_is_refused_changes_nothing(self) -> None:
        head = self.head()
        for status, text, *words in (
                (1, 'did you mean "weight"', "set", f"{self.B2}/wieght", "50"), (1, "expected a whole number", "set", f"{self.B2}/weight", "x"),
                (4, "services/web/at/ams", "remove", "pools/web-ams"), (1, "has no pools/none", "remove", "pools/none"),
                (1, "has no", "remove", "pools/web-ams/backends/.."), (1, "", "remove", "pools/web-ams%2Fbackends%2Fb2"),
                (4, "is there already", "add", self.B2, "address=10.1.1.99"), (1, "", "add", "pools/none/backends/b", "address=10.1.1.99")):
            done = self.change(*[str(w) for w in words])
            self.assertEqual((done.returncode, done.stdout), (status, ""), (words, done.stderr))
            self.assertIn(str(text), done.stderr)
        self.assertEqual((self.change("set", f"{self.B2}/weight", "50", "--dry-run").returncode, self.head()), (0, head))

    def test_many_people_change_settings_of_one_pool_at_once(self) -> None:
        rows = [(f"{self.B2}/weight", "61"), (f"{self.B2}/port", "80"), ("pools/web-ams/max_backends", "20"), ("pools/web-ams/backends/b1/weight", "62")]
        with concurrent.futures.ThreadPoolExecutor(len(rows)) as people:
            done = list(people.map(lambda row: self.change("set", *row), rows))
        self.assertEqual([d.returncode for d in done], [0] * len(rows), [d.stderr for d in done])
        self.assertEqual([self.weir("get", path).stdout for path, _ in rows], [f"{value}\n" for _, value in rows])

    def test_while_one_edits_another_one_sets(self) -> None:
        editor = pathlib.Path(self.home.name, "editor")
        for setting, weight, status in (("port 80", 50, 0), ("weight 70", 60, 4)):
            was = self.weight()
            line = " ".join(self.line("set", f"{self.B2}/{setting.split()[0]}", setting.split()[1], "--reason", "x", "--confirm-within", "none"))
            editor.write_text(f"{line} >&2 || exit 1\nsed -i 's/: {was}/: {weight}/' \"$1\"\n")
            done = self.change("edit", self.B2, env={"EDITOR": f"sh {editor}", "TMPDIR": self.home.name})
            self.assertEqual(done.returncode, status, done.stderr)
            self.assertEqual(self.weight(), 50 if status == 0 else 70)
        self.assertEqual(self.weir("get", f"{self.B2}/port").stdout, "80\n")
        self.assertIn("weight meanwhile: it was 50, and is 70", done.stderr)

    def test_a_pulled_text_undoes_no_setting_that_was_set_since(self) -> None:
        self.assertEqual(self.weir("pull", str(self.dir)).returncode, 0)
        self.assertEqual(self.change("set", f"{self.B2}/weight", "60", "--author", "ada").returncode, 0)
        main = self.dir / "weir.conf"
        main.write_text(main.read_text().replace('interval = "1s"', 'interval = "2s"'))
        done = self.weir("push", str(self.dir), "--reason", "mine", "--author", "jw")
        self.assertEqual((done.returncode, self.weight()), (4, 60))
        self.assertIn(TAKES_BACK, done.stderr)


if __name__ == "__main__":
    counted.main()
