# SPDX-License-Identifier: BSD-2-Clause
"""Name servers on the loopback, each in a directory of its own: weir-dns, and those that it is compared with.

weir-dns gets its sockets handed down as the supervisor does it, unless asked not to.
"""
from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import typing

import message

os.environ.setdefault("WEIR_USERS", "none")  # weir-dns keeps the rights of who runs the test
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("WEIR_BUILD", os.path.join(ROOT, "build"))
RCVBUF = 8 << 20
SO_RCVBUFFORCE = 33
CONFIG = """schema = 1;
cluster = {{ name = "test"; hash_key_file = "hash.key"; hash_key_id = "k1"; }};
sites = ( {{ name = "ams"; weight = 100; }}, {{ name = "fra"; weight = 100; }} );
nodes = (
  {{ name = "ams-1"; site = "ams"; driver = "xdp"; ports = ( {{ interface = "eth1"; }} );
     tunnel_source = [ "10.1.255.0/24", "fd00:1:ff::/64" ]; dns_listen = [ {listen} ]; }} );
checks = ( {{ name = "web"; type = "tcp"; port = 80; interval = "1s"; fast_interval = "200ms"; timeout = "500ms";
              rise = 2; fall = 3; }} );
pools = (
  {{ name = "web-ams"; site = "ams"; check = "web"; mode = "ipip"; max_backends = 10;
     backends = ( {{ name = "b1"; address = "10.1.1.11"; weight = 100; }} ); }},
  {{ name = "web-fra"; site = "fra"; check = "web"; mode = "ipip"; max_backends = 10;
     backends = ( {{ name = "b1"; address = "10.2.1.11"; weight = 100; }} ); }} );
vips = ( {{ name = "v-ams"; site = "ams"; addresses = [ "203.0.113.10", "2001:db8:1::10" ]; }},
         {{ name = "v-fra"; site = "fra"; addresses = [ "198.51.100.10", "2001:db8:2::10" ]; }} );
services = ( {{ name = "web"; protocol = "tcp"; port = 80;
                at = ( {{ site = "ams"; vip = "v-ams"; pool = "web-ams"; }},
                       {{ site = "fra"; vip = "v-fra"; pool = "web-fra"; }} ); }} );
dns = {{ {threads} zones = ( {zones} ); names = ( {names} ); }};
"""


def family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def free_port(address: str = "127.0.0.1") -> int:
    """A port free for UDP and TCP on ADDRESS."""
    while True:
        with socket.socket(family(address), socket.SOCK_DGRAM) as udp, socket.socket(family(address)) as tcp:
            udp.bind((address, 0))
            port = udp.getsockname()[1]
            try:
                tcp.bind((address, port))
                return port
            except OSError:
                continue


class Server:
    """A process with a directory; use as a context."""

    def __init__(self, name: str, zones: typing.Mapping[str, str], address: str = "127.0.0.1") -> None:
        """zones: name -> master file text."""
        self.address = address
        self.dir = tempfile.mkdtemp(prefix=f"weir-{name}.")
        os.chmod(self.dir, 0o755)
        self.name, self.zones, self.port = name, dict(zones), free_port(address)
        self.process: subprocess.Popen[bytes] | None = None
        self.log_path = os.path.join(self.dir, "log")
        for zone, text in zones.items():
            self.write(f"{zone}.zone", text)

    def __enter__(self) -> typing.Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        raise NotImplementedError

    def path(self, name: str) -> str:
        return os.path.join(self.dir, name)

    def write(self, name: str, text: str) -> None:
        """Replace a file whole, as an operator's tools do."""
        with open(self.path(name + ".new"), "w", encoding="latin-1") as out:
            out.write(text)
        os.rename(self.path(name + ".new"), self.path(name))

    def run(self, argv: list[str], **more: typing.Any) -> None:
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **more)

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def log(self) -> str:
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def wait_ready(self, zone: str | None = None) -> None:
        """Until the zone's SOA is answered."""
        zone = zone or next(iter(self.zones))
        for _ in range(200):
            try:
                if message.Answer(self.ask(message.query(zone, "SOA"), 0.2)).answer:
                    return
            except (OSError, message.Malformed):
                time.sleep(0.05)  # a refused question comes back at once
        raise RuntimeError(f"{self.name} does not answer:\n{self.log()}")

    def ask(self, wire: bytes, timeout: float = 2.0, tcp: bool = False) -> bytes:
        """Send one query; bytes of the answer, or TimeoutError."""
        if tcp:
            with socket.create_connection((self.address, self.port), timeout) as s:
                s.sendall(len(wire).to_bytes(2, "big") + wire)
                return read_message(s)
        with socket.socket(family(self.address), socket.SOCK_DGRAM) as s:
            s.settimeout(timeout)
            s.connect((self.address, self.port))
            s.send(wire)
            return s.recv(65535)


def read_exactly(s: socket.socket, n: int) -> bytes:
    data = b""
    while len(data) < n:
        part = s.recv(n - len(data))
        if not part:
            raise EOFError("closed")
        data += part
    return data


def read_message(s: socket.socket) -> bytes:
    """One message of a TCP stream."""
    return read_exactly(s, int.from_bytes(read_exactly(s, 2), "big"))


class Weir(Server):
    """weir-dns with the configuration above; names: dynamic ones, all of service web; threads: dns.threads, 0: not given."""

    def __init__(self, zones: typing.Mapping[str, str], names: typing.Sequence[str] = (), held: bool = True,
                 threads: int = 1, address: str = "127.0.0.1") -> None:
        super().__init__("weir-dns", zones, address)
        self.binary = os.path.join(BUILD, "dns/weir-dns")
        self.names, self.held, self.threads = names, held, threads
        self.sockets: list[socket.socket] = []
        self.prefix: list[str] = []  # of the command: a program that becomes it
        for sub in ("state", "run", "bpf"):
            os.mkdir(self.path(sub))
        self.write("hash.key", "00112233445566778899aabbccddeeff")
        self.configure()
        if held:
            self.hold()

    def configure(self) -> None:
        """Write the effective document from the present zones and names."""
        zones = ", ".join(f'{{ name = "{z}"; file = "{z}.zone"; }}' for z in self.zones)
        names = ", ".join(f'{{ name = "{n}"; service = "web"; policy = "weighted"; '
                          f'ttl = {{ min = "5s"; max = "60s"; }}; }}' for n in self.names)
        threads = f"threads = {self.threads};" if self.threads else ""
        self.write("weir.conf", CONFIG.format(listen=f'"{self.address}"', zones=zones, names=names, threads=threads))
        subprocess.run([os.path.join(BUILD, "tests/lab/lab-effective"), self.path("weir.conf"), "ams-1",
                        self.path("state/effective.conf")], check=True)

    def hold(self) -> None:
        """Open the sockets that outlive the process: UDP and TCP of each thread."""
        for thread in range(self.threads or 1):
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                self.sockets.append(self.hold_one(kind, thread == 0))

    def hold_one(self, kind: socket.SocketKind, first: bool) -> socket.socket:
        """
        As the supervisor does it: non-blocking; the first is bound without SO_REUSEPORT, so that no other server
        shares it.
        """
        s = socket.socket(family(self.address), kind)
        s.setblocking(False)
        if kind == socket.SOCK_STREAM:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        else:
            try:
                s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RCVBUF)
            except PermissionError:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RCVBUF)
        if not first:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        s.bind((self.address, self.port))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if kind == socket.SOCK_STREAM:
            s.listen(1024)
        return s

    def spawn(self) -> None:
        """Start the process; it does not wait for anything."""
        argv = [*self.prefix, self.binary, "--conf-dir", self.dir, "--state-dir", self.path("state"),
                "--run-dir", self.path("run"), "--bpf-dir", self.path("bpf"), "--node", "ams-1", "--port",
                str(self.port)]
        env = dict(os.environ)
        if not self.held:
            self.run(argv, env=env)
            return
        # LISTEN_PID must be the process's own, so a shell sets it and becomes the process
        fds = [s.fileno() for s in self.sockets]
        names = [f"dns-{kind}-0{f'-{thread}' if thread else ''}" for thread in range(len(fds) // 2)
                 for kind in ("udp", "tcp")]
        env.update(LISTEN_FDS=str(len(fds)), LISTEN_FDNAMES=":".join(names))
        shuffle = " ".join(f"{100 + i}<&{fd}" for i, fd in enumerate(fds))
        script = f'exec {shuffle}; exec {" ".join(f"{3 + i}<&{100 + i} {100 + i}<&-" for i in range(len(fds)))}; ' \
                 'export LISTEN_PID=$$; exec "$0" "$@"'
        self.run(["bash", "-c", script, *argv], env=env, pass_fds=fds)

    def start(self) -> None:
        self.spawn()
        self.wait_ready()

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            self.must_not_have_crashed(self.process)
        self.process = None

    def stop(self) -> None:
        process = self.process
        super().stop()
        if process:
            self.must_not_have_crashed(process)

    def must_not_have_crashed(self, process: subprocess.Popen[bytes]) -> None:
        if -process.returncode in (signal.SIGILL, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGSEGV):
            raise RuntimeError(f"crashed ({process.returncode}):\n{self.log()[-2000:]}")

    def control(self, **request: typing.Any) -> typing.Any:
        """One request to the control socket."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            s.connect(self.path("run/dns.ctl"))
            s.sendall(json.dumps(request).encode() + b"\n")
            data = b""
            while not data.endswith(b"\n"):
                data += s.recv(65536)
            return json.loads(data)

    def wait_load(self, number: int) -> typing.Any:
        """Until load NUMBER is done; the status then."""
        for _ in range(500):
            status = self.control(do="status")
            if status["load"]["finished"] >= number:
                return status
            time.sleep(0.01)  # the pace of the wait for the condition above
        raise RuntimeError("the load does not end")

    def __exit__(self, *rest: object) -> None:
        super().__exit__(*rest)
        for s in self.sockets:
            s.close()


class Nsd(Server):
    """NSD with its rate limit off, one server process."""

    def __init__(self, zones: typing.Mapping[str, str], extra: str = "", address: str = "127.0.0.1") -> None:
        super().__init__("nsd", zones, address)
        text = "".join(f"zone:\n  name: {z}\n  zonefile: {self.path(z + '.zone')}\n" for z in zones)
        self.write("nsd.conf", f"""server:
  ip-address: {address}@{self.port}
  username: ""
  chroot: ""
  pidfile: "{self.path('pid')}"
  xfrdfile: "{self.path('xfrd')}"
  zonelistfile: "{self.path('zones.list')}"
  database: ""
  server-count: 1
  rrl-ratelimit: 0
  minimal-responses: yes
  hide-version: yes
{extra}remote-control:
  control-enable: no
{text}""")

    def start(self) -> None:
        self.run(["nsd", "-d", "-c", self.path("nsd.conf")])
        self.wait_ready()


class Knot(Server):
    """Knot DNS with one UDP and one TCP worker."""

    def __init__(self, zones: typing.Mapping[str, str], address: str = "127.0.0.1") -> None:
        super().__init__("knot", zones, address)
        text = "".join(f"  - domain: {z}\n    file: {self.path(z + '.zone')}\n" for z in zones)
        os.mkdir(self.path("db"))
        self.write("knot.conf", f"""server:
    rundir: "{self.path('db')}"
    listen: {address}@{self.port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
    udp-max-payload: 1232
    identity: ""
    version: ""
log:
  - target: stderr
    any: warning
database:
    storage: "{self.path('db')}"
zone:
{text}""")

    def start(self) -> None:
        self.run(["knotd", "-c", self.path("knot.conf")])
        self.wait_ready()


class Gdnsd(Server):
    """gdnsd with one UDP and one TCP thread."""

    def __init__(self, zones: typing.Mapping[str, str], address: str = "127.0.0.1") -> None:
        super().__init__("gdnsd", zones, address)
        host = f"[{address}]" if ":" in address else address
        os.mkdir(self.path("zones"))
        for sub in ("etc", "run", "state"):
            os.mkdir(self.path(sub))
        os.rename(self.path("zones"), self.path("etc/zones"))
        for zone, text in zones.items():
            self.write(f"etc/zones/{zone}", text)
        self.write("etc/config", f"""options => {{
  listen => {{ "{host}:{self.port}" => {{ udp_threads = 1, tcp_threads = 1 }} }}
  run_dir => {self.path('run')}
  state_dir => {self.path('state')}
}}
""")

    def start(self) -> None:
        self.run(["gdnsd", "-c", self.path("etc"), "start"])
        self.wait_ready()
