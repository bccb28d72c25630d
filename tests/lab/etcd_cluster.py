# SPDX-License-Identifier: BSD-2-Clause
"""Members of etcd on 127.0.0.1, with ports and folders of their own, and the client of mgmt/etcd/ in a process (lab-etcd).

A member ends with the process that started it, however that ends.
"""
from __future__ import annotations

import atexit
import base64
import contextlib
import http.client
import json
import os
import queue
import signal
import socket
import ssl
import shutil
import subprocess
import tempfile
import threading
import time
import typing
import urllib.error
import urllib.request

T = typing.TypeVar("T")
Answer = dict[str, typing.Any]


def wait_for(what: str, probe: typing.Callable[[], T], seconds: float = 60) -> T:
    """The first true value of @probe."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := probe():
            return value
        time.sleep(0.05)  # the pace of a loop
    raise AssertionError(f"not in {seconds} s: {what}")


def free_ports(n: int) -> list[int]:
    """They are held until all are known, so that none comes twice."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


class Member:
    """One etcd. Its folder outlives it."""

    def __init__(self, cluster: Cluster, name: str, client: int, peer: int) -> None:
        self.cluster, self.name, self.client, self.peer = cluster, name, client, peer
        self.folder = os.path.join(cluster.folder, name)
        self.url = f"{cluster.scheme}://127.0.0.1:{client}"
        self.peer_url = f"http://127.0.0.1:{peer}"
        self.listens = peer  # another port, where the others come by a way of the lab
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *more: str) -> None:
        with open(os.path.join(self.cluster.folder, self.name + ".log"), "ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "etcd", "--name", self.name, "--data-dir", self.folder, "--listen-client-urls", self.url,
                 "--advertise-client-urls", self.url, "--listen-peer-urls", f"http://127.0.0.1:{self.listens}",
                 "--initial-advertise-peer-urls", self.peer_url, "--initial-cluster", self.cluster.initial(),
                 "--initial-cluster-token", self.cluster.folder, "--logger", "zap", "--log-level", "error", "--bcrypt-cost", "4", *self.cluster.more, *more],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def kill(self, number: int) -> None:
        """With SIGSTOP: it stands when this returns. On a busy machine its threads run on for a moment after the signal."""
        if not self.process:
            return
        self.process.send_signal(number)
        if number == signal.SIGSTOP:
            os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WNOWAIT)

    def stop(self, number: int = signal.SIGKILL) -> None:
        """End it, also one that is stopped."""
        if not self.process:
            return
        self.process.send_signal(number)
        self.process.send_signal(signal.SIGCONT)
        self.process.wait()
        self.process = None

    def ask(self, path: str, body: Answer, token: str = "") -> tuple[int, Answer]:
        """A request that knows nothing of the client under test. @return the status and the answer; 0: none"""
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), {"Authorization": token} if token else {})
        try:
            with urllib.request.urlopen(request, timeout=5, context=self.cluster.context) as reply:
                return reply.status, json.loads(reply.read())
        except urllib.error.HTTPError as e:
            return e.code, {"text": e.read().decode(errors="replace")}
        except (OSError, ValueError, http.client.HTTPException):  # the last: it was killed in the middle of its answer
            return 0, {}

    def good(self, path: str, body: Answer, token: str = "") -> Answer:
        status, answer = self.ask(path, body, token)
        if status != 200:
            raise AssertionError(f"{self.name} {path}: {status} {answer}")
        return answer

    def put(self, key: str, value: str, token: str = "") -> int:
        """@return the revision"""
        return int(self.good("/v3/kv/put", {"key": b64(key), "value": b64(value)}, token)["header"]["revision"])

    def get(self, key: str) -> str | None:
        kvs = self.good("/v3/kv/range", {"key": b64(key)}).get("kvs")
        return base64.b64decode(kvs[0].get("value", "")).decode() if kvs else None

    def status(self) -> Answer:
        return self.good("/v3/maintenance/status", {})

    def is_ready(self) -> bool:
        """A quorum answers."""
        return self.ask("/v3/kv/range", {"key": b64("x")})[0] in (200, 400)


class Cluster:
    """@more: options of every member. With @certificates (a folder of Authority) clients use TLS."""

    def __init__(self, n: int, *more: str, certificates: str = "") -> None:
        self.folder, self.more = tempfile.mkdtemp(prefix="weir-etcd-"), list(more)
        self.scheme, self.context = "http", None
        if certificates:
            self.scheme = "https"
            self.context = ssl.create_default_context(cafile=os.path.join(certificates, "ca.crt"))
            self.context.load_cert_chain(os.path.join(certificates, "client.crt"), os.path.join(certificates, "client.key"))
            self.more += ["--client-cert-auth", "--trusted-ca-file", os.path.join(certificates, "ca.crt"), "--cert-file",
                          os.path.join(certificates, "member.crt"), "--key-file", os.path.join(certificates, "member.key")]
        ports = free_ports(2 * n)
        atexit.register(self.close)  # also after an interruption
        self.members = [Member(self, f"m{i}", ports[2 * i], ports[2 * i + 1]) for i in range(n)]

    def initial(self) -> str:
        return ",".join(f"{m.name}={m.peer_url}" for m in self.members)

    def start(self, wait: bool = True) -> None:
        for m in self.members:
            m.start()
        if wait:
            for m in self.members:
                wait_for(f"{m.name} answers", m.is_ready)

    def leader(self) -> Member:
        def find() -> Member | None:
            for m in self.members:
                _, answer = m.ask("/v3/maintenance/status", {})
                if answer.get("leader") and answer["leader"] == answer["header"]["member_id"]:
                    return m
            return None
        return wait_for("a leader", find)

    def close(self) -> None:
        for m in self.members:
            m.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def running(n: int, *more: str, **options: typing.Any) -> typing.Iterator[Cluster]:
    cluster = Cluster(n, *more, **options)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.close()


class Client:
    """The client under test, in a process; @within: a command that runs it."""

    def __init__(self, tool: str, urls: list[str], within: typing.Sequence[str] = (), **settings: str) -> None:
        self.process = subprocess.Popen([*within, tool], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.said: queue.Queue[str] = queue.Queue()
        self.seen: list[Answer] = []  # of a watch
        self.reader = threading.Thread(target=self._read)
        self.reader.start()
        opened = self.send({"endpoints": urls, **settings}).hear()
        if opened["error"]:
            self.close()
            raise ValueError(opened["reason"])

    def _read(self) -> None:
        for line in self.process.stdout:
            self.said.put(line)

    def send(self, command: Answer) -> Client:
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        return self

    def hear(self, seconds: float = 30) -> Answer:
        return json.loads(self.said.get(timeout=seconds))

    def ask(self, do: str, **more: typing.Any) -> Answer:
        return self.send({"do": do, **more}).hear()

    def begin_watch(self, **more: typing.Any) -> None:
        self.send({"do": "watch", "key": "w/", "prefix": True, "next": 1, "revision": 0, **more})

    def watched(self) -> list[Answer]:
        """All that the watch has said until now."""
        with contextlib.suppress(queue.Empty):
            while True:
                self.seen.append(json.loads(self.said.get_nowait()))
        return self.seen

    def changes(self) -> list[tuple[int, list[str]]]:
        """What a watch has brought: revisions with their keys; one that was deleted as -key."""
        return [(a["changed"], ["-" * e["deleted"] + e["kv"]["key"] for e in a["events"]]) for a in self.watched() if "changed" in a]

    def has_said(self, key: str) -> Answer | None:
        """The last line of a watch with @key."""
        return next((a for a in reversed(self.watched()) if key in a), None)

    def end_watch(self) -> Answer:
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return wait_for("the watch ends", lambda: self.has_said("took_ms"))

    def close(self) -> None:
        self.process.stdin.close()  # which ends it, also a watch
        try:
            status = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self.reader.join()
        self.process.stdout.close()
        if status:
            raise AssertionError(f"lab-etcd ended with {status}")


def claim(key: str, value: str, mod: int, **more: typing.Any) -> Answer:
    """A transaction: put if the key's mod_revision is @mod, else read the key."""
    return {"do": "txn", "compares": [{"key": key, "mod_revision": mod}],
            "success": [{"kind": "put", "key": key, "value": value}], "failure": [{"kind": "range", "key": key}], **more}


class Authority:
    """A CA with the certificates of members and clients, in a folder."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        os.makedirs(folder)
        self._openssl("req", "-x509", *self._key("ca"), "-days", "30", "-subj", "/CN=" + os.path.basename(folder), "-out",
                      self.path("ca.crt"))
        # The gateway of a member is a client of its own member with the member's certificate.
        self.issue("member", "serverAuth,clientAuth")
        self.issue("client", "clientAuth")

    def path(self, name: str) -> str:
        return os.path.join(self.folder, name)

    def _key(self, name: str) -> list[str]:
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", self.path(name + ".key")]

    def _openssl(self, *args: str) -> None:
        subprocess.run(["openssl", *args], check=True, capture_output=True)

    def issue(self, name: str, usage: str, address: str = "127.0.0.1") -> None:
        with open(self.path(name + ".ext"), "w", encoding="utf-8") as f:
            f.write(f"subjectAltName=IP:{address}\nextendedKeyUsage={usage}\n")
        self._openssl("req", "-new", *self._key(name), "-subj", f"/CN={name}", "-out", self.path(name + ".csr"))
        self._openssl("x509", "-req", "-in", self.path(name + ".csr"), "-CA", self.path("ca.crt"), "-CAkey", self.path("ca.key"),
                      "-CAcreateserial", "-days", "30", "-extfile", self.path(name + ".ext"), "-out", self.path(name + ".crt"))

    def hashed(self) -> str:
        """A directory as /etc/ssl/certs, with this CA."""
        folder = self.path("hashed")
        os.mkdir(folder)
        shutil.copy(self.path("ca.crt"), os.path.join(folder, "ca-certificates.crt"))
        self._openssl("rehash", folder)
        return folder
