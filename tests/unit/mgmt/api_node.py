# SPDX-License-Identifier: BSD-2-Clause
"""A weir-mgmt of its own directories, asked over its UNIX socket with real HTTP."""
from __future__ import annotations

import contextlib
import datetime
import hashlib
import http.client
import json
import os
import random
import signal
import socket
import sqlite3
import ssl
import subprocess
import tempfile
import time
import typing

import openapi_check

# A program built with AddressSanitizer refuses to start behind a preloaded library unless told to.
PRELOAD_FIRST = {"ASAN_OPTIONS": "verify_asan_link_order=0"}
ZONE = "$ORIGIN shop.example.\n$TTL 60\n@ SOA ns1 host 1 60 60 60 60\n@ NS ns1\nns1 A 192.0.2.53\n"
CONFIG = """# two sites
schema = 1;
cluster = { name = "shop"; hash_key_file = "hash.key"; hash_key_id = "k1"; };
sites = ( { name = "ams"; }, { name = "fra"; } );
nodes = (
  { name = "ams-1"; site = "ams"; ports = ( { interface = "eth1"; } ); tunnel_source = [ "10.1.255.0/24" ];
    dns_listen = [ "192.0.2.53" ]; %(ams_api)s },
  { name = "fra-1"; site = "fra"; ports = ( { interface = "eth1"; } ); tunnel_source = [ "10.2.255.0/24" ];
    dns_listen = [ "198.51.100.53" ]; %(fra_api)s } );
checks = ( { name = "web"; type = "tcp"; interval = "1s"; fast_interval = "200ms"; timeout = "500ms"; rise = 2; fall = 3; } );
pools = (
  { name = "web-ams"; site = "ams"; check = "web"; mode = "ipip"; max_backends = 10;
    backends = ( { name = "b1"; address = "10.1.1.11"; weight = 100; },
                 { name = "b2"; address = "10.1.1.12"; weight = 100; } ); },
  { name = "web-fra"; site = "fra"; check = "web"; mode = "ipip"; max_backends = 10;
    backends = ( { name = "b1"; address = "10.2.1.11"; weight = 100; } ); } );
vips = ( { name = "shop-ams"; site = "ams"; addresses = [ "203.0.113.10" ]; },
         { name = "shop-fra"; site = "fra"; addresses = [ "198.51.100.10" ]; } );
services = ( { name = "web"; protocol = "tcp"; port = 80; hash = "flow";
  at = ( { site = "ams"; vip = "shop-ams"; pool = "web-ams"; },
         { site = "fra"; vip = "shop-fra"; pool = "web-fra"; } ); } );
dns = { zones = ( { name = "shop.example"; file = "shop.example.zone"; } );
  names = ( { name = "www.shop.example"; service = "web"; policy = "weighted"; ttl = { min = "1s"; max = "2s"; }; } ); };
"""
def large_config(n_pools: int, per_pool: int) -> str:
    """A site with many pools, and a service for each."""
    def block(name: str, items: typing.Iterable[str]) -> str:
        return f"{name} = (\n" + ",\n".join(items) + " );\n"

    def address(k: int) -> str:
        return f"10.{1 + k // 62500}.{k // 250 % 250}.{k % 250 + 1}"
    pools = [f'{{ name = "p{i}"; site = "ams"; check = "web"; mode = "ipip"; max_backends = 16; backends = ( '
             + ", ".join(f'{{ name = "b{k}"; address = "{address(i * per_pool + k)}"; weight = 100; }}' for k in range(per_pool))
             + " ); }" for i in range(n_pools)]
    return """schema = 1; cluster = { name = "shop"; hash_key_file = "hash.key"; hash_key_id = "k1"; };
limits = { slots = 8388608; };
sites = ( { name = "ams"; } );
nodes = ( { name = "ams-1"; site = "ams"; ports = ( { interface = "eth1"; } ); tunnel_source = [ "172.16.255.0/24" ]; } );
checks = ( { name = "web"; type = "tcp"; interval = "1s"; fast_interval = "200ms"; timeout = "500ms"; rise = 2; fall = 3; } );
""" + block("pools", pools) + block("vips", [
        f'{{ name = "v{i}"; site = "ams"; addresses = [ "203.{i // 250}.113.{i % 250 + 1}" ]; }}' for i in range(n_pools)]
    ) + block("services", [
        f'{{ name = "s{i}"; protocol = "tcp"; port = 80; hash = "flow"; at = ( {{ site = "ams"; vip = "v{i}"; pool = "p{i}"; }} ); }}'
        for i in range(n_pools)])


TOKENS = {"vera": "viewer", "otto": "oncall", "olga": "operator", "ada": "admin", "prom": "metrics"}


def config(ams_api: str = "", fra_api: str = "") -> str:
    return CONFIG % {"ams_api": f'api = "{ams_api}";' if ams_api else "",
                     "fra_api": f'api = "{fra_api}";' if fra_api else ""}


_tls: list[str] = []
T = typing.TypeVar("T")


def tls_files() -> list[str]:
    """A certificate for loopback and its key, made once."""
    if not _tls:
        with tempfile.TemporaryDirectory() as d:
            paths = os.path.join(d, "key"), os.path.join(d, "crt")
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                            "-nodes", "-days", "2", "-subj", "/CN=weir", "-addext", "subjectAltName=IP:127.0.0.1",
                            "-keyout", paths[0], "-out", paths[1]], check=True, capture_output=True)
            for path in paths:
                with open(path) as f:
                    _tls.append(f.read())
    return _tls


HELD: list[socket.socket] = []  # names of ports, until this process ends


def free_port() -> int:
    """A port, TCP's and UDP's, that no connection is given by chance, as those are that the kernel chooses, and no test beside this one."""
    while True:
        port = random.randrange(10000, 32000)
        name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            try:
                name.bind(f"\0weir-test-port-{port}")
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
            except OSError:
                name.close()
                continue
        HELD.append(name)
        return port


def freeze(process: subprocess.Popen[typing.Any]) -> None:
    """Stop a child; on a busy machine its threads run on for a moment after the signal."""
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)


def wait_for(what: str, condition: typing.Callable[..., T], timeout_s: float = 60) -> T:
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)  # the pace of every wait for a condition
    raise AssertionError(f"not within {timeout_s} s: {what}")


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("weir", timeout=60)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self.path)


def was_changed(override: dict[str, typing.Any]) -> bool:
    """Since it was made: its generation has the time of the last command."""
    created = datetime.datetime.fromisoformat(override["created"].replace("Z", "+00:00"))
    return override["generation"] >> 11 != round(created.timestamp() * 1000)


class Answer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.raw = response.read()
        is_json = "json" in (response.headers.get("Content-Type") or "")
        self.json: typing.Any = json.loads(self.raw) if is_json and self.raw else None

    @property
    def code(self) -> str | None:
        return (self.json or {}).get("code")


class Node:
    def __init__(self, program: str, name: str = "ams-1", text: str | None = None, peer_token: str = "p" * 40) -> None:
        self.program, self.name = program, name
        self.dir = tempfile.TemporaryDirectory(prefix="weir-api-")
        self.conf, self.state, self.run = (os.path.join(self.dir.name, d) for d in ("conf", "state", "run"))
        for d in (self.conf, self.state, self.run):
            os.mkdir(d)
        self.write("weir.conf", text or config())
        self.write("shop.example.zone", ZONE)
        self.write("hash.key", "00112233445566778899aabbccddeeff\n")
        self.write("peer.token", peer_token + "\n")
        self.write("tokens", "".join(f"{n} {r} {hashlib.sha256((n * 8).encode()).hexdigest()}\n"
                                     for n, r in TOKENS.items()))
        key, crt = tls_files()
        self.write("tls.key", key)
        self.write("tls.crt", crt)
        self.process: subprocess.Popen[bytes] | None = None

    def write(self, name: str, text: str) -> None:
        with open(os.path.join(self.conf, name), "w") as f:
            f.write(text)

    def start(self) -> Node:
        with open(os.path.join(self.dir.name, "log"), "a") as log:
            self.process = subprocess.Popen(
                [self.program, "--conf-dir", self.conf, "--state-dir", self.state, "--run-dir", self.run,
                 "--bpf-dir", self.dir.name, "--node", self.name], stdout=log, stderr=log)
        wait_for("the API", self.answers)
        openapi_check.learn(self.describe)
        return self

    def describe(self) -> tuple[int, bytes]:
        a = self.ask("GET", "/v1/openapi.json")
        return a.status, a.raw

    def answers(self) -> bool:
        try:
            return self.ask("GET", "/healthz").status == 200
        except OSError:
            return False

    def stop(self, how: int = signal.SIGTERM) -> int | None:
        if self.process:
            self.process.send_signal(how)
            self.process.wait(60)
            code, self.process = self.process.returncode, None
            assert code == (0 if how == signal.SIGTERM else -how), f"exit {code}: {self.log()[-2000:]}"
            return code
        return None

    def close(self) -> None:
        self.stop()
        self.dir.cleanup()

    def log(self) -> str:
        with open(os.path.join(self.dir.name, "log")) as f:
            return f.read()

    def stored_events(self) -> int:
        """The id of the newest event that would survive a kill."""
        with contextlib.closing(sqlite3.connect(f"file:{self.state}/store/store.db?mode=ro", uri=True, timeout=60)) as db:
            return db.execute("SELECT max(id) FROM events").fetchone()[0] or 0

    def effective(self) -> str:
        with open(os.path.join(self.state, "effective.conf")) as f:
            return f.read()

    def ask(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None,
            raw: bytes | str | None = None) -> Answer:
        c = UnixConnection(os.path.join(self.run, "api.sock"))
        return self.send(c, method, path, body, headers, raw)

    @staticmethod
    def send(c: http.client.HTTPConnection, method: str, path: str, body: object, headers: dict[str, str] | None,
             raw: bytes | str | None) -> Answer:
        headers = dict(headers or {})
        if body is not None:
            raw = json.dumps(body).encode()
        if raw is not None:
            headers.setdefault("Content-Type", "application/json")
        try:
            c.request(method, path, body=raw, headers=headers)
            answer = Answer(c.getresponse())
            openapi_check.hold(method, path, answer.status, answer.headers.get("Content-Type"), answer.raw)
            return answer
        finally:
            c.close()

    def ask_tcp(self, port: int, method: str, path: str, token: str | None = None, body: object = None) -> Answer:
        c = http.client.HTTPSConnection(
            "127.0.0.1", port, timeout=60, context=ssl.create_default_context(cafile=os.path.join(self.conf, "tls.crt")))
        return self.send(c, method, path, body, {"Authorization": f"Bearer {token}"} if token else {}, None)

    def files(self, old: str | None = None, new: str | None = None) -> dict[str, typing.Any]:
        with open(os.path.join(self.conf, "weir.conf")) as f:
            text = f.read()
        assert old is None or old in text
        return {"weir.conf": text.replace(old, new or "", 1) if old else text, "shop.example.zone": ZONE}

    def apply(self, files: dict[str, typing.Any], match: str = "*", query: str = "", **more: typing.Any) -> Answer:
        return self.ask("POST", "/v1/config/apply" + query, {"files": files, "reason": "a test", **more},
                        {"If-Match": match} if match else {})

    def command(self, what: str, target: dict[str, typing.Any], query: str = "", headers: dict[str, str] | None = None,
                **more: typing.Any) -> Answer:
        return self.ask("POST", "/v1/overrides" + query, {"do": what, "target": target, "reason": "a test", **more}, headers)

    def drain(self, site: str = "ams", **more: typing.Any) -> Answer:
        words: dict[str, typing.Any] = {"until": "never", "now": True, **more}
        return self.command("drain", {"site": site}, **words)
