# SPDX-License-Identifier: BSD-2-Clause
"""Real servers for labs: nginx behind the agent, unbound as a caching resolver."""
from __future__ import annotations

import json
import os
import typing

from net import BUILD, LabError, call, entered, executable, wait_until

if typing.TYPE_CHECKING:
    from net import Host, Process

LOG_FORMAT = ('{"time":$msec,"server":"$server_addr","port":$server_port,"client":"$remote_addr",'
              '"client_port":$remote_port,"uri":"$request_uri","status":$status,"bytes":$body_bytes_sent,'
              '"seconds":$request_time,"agent":"$http_user_agent","whole":"$request_completion"}')

NGINX = """
daemon off; master_process off; worker_processes 1; pid {dir}/nginx.pid; error_log {dir}/error.log warn;
events {{ worker_connections 8192; }}
http {{
    log_format lab escape=json '{log_format}';
    access_log off;
    client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
    sendfile on; tcp_nopush on; client_max_body_size 64m; keepalive_timeout 30s;
    default_type application/octet-stream;
    server {{
        listen {port} default_server backlog=4096; listen [::]:{port} default_server ipv6only=on backlog=4096;
        server_name _;
        add_header X-Backend {name} always;
        location = /healthz {{ access_log {dir}/health.log lab; return 200 "well\\n"; }}
        location = / {{ access_log {dir}/access.log lab; return 200 "{name}\\n"; }}
        location /files/ {{ access_log {dir}/access.log lab; alias {files}/; limit_rate {rate}; }}
        location /upload {{ access_log {dir}/access.log lab; return 200 "taken\\n"; }}
    }}
}}
"""


def make_file(directory: str, name: str, size: int) -> str:
    """A file of pseudo-random bytes, the same in every run; returns its path."""
    os.makedirs(directory, exist_ok=True)
    state, out = 0x9E3779B97F4A7C15, bytearray()
    while len(out) < 4096:
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        out += state.to_bytes(8, "little")
    with open(os.path.join(directory, name), "wb") as f:
        for block in range(-(-size // 4096)):
            f.write((block.to_bytes(8, "little") + out[8:])[:min(4096, size - block * 4096)])
    return os.path.join(directory, name)


def fnv1a(path: str) -> str:
    """A file's FNV-1a, as client.c writes it into its log."""
    value = 0xCBF29CE484222325
    with open(path, "rb") as f:
        for byte in f.read():
            value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


class Backend:
    """A host with nginx on its service port, the VIPs on lo, and the agent on eth0.

    Logs, one JSON object a line: DIR/access.log for requests, DIR/health.log for /healthz.
    GET / names the backend, so does the header X-Backend; /files/NAME comes at `rate` bytes a second.
    """

    def __init__(self, host: Host, name: str, addresses: list[str], vips: typing.Sequence[str] = (), port: int = 80,
                 rate: str = "1m", files: str | None = None) -> None:
        self.host, self.name, self.addresses, self.vips, self.port = host, name, addresses, vips, port
        self.dir = os.path.join(host.lab.dir, f"{host.name}.nginx")
        self.files = files or os.path.join(host.lab.dir, "files")
        self.rate = rate
        self.nginx: Process | None = None
        os.makedirs(self.dir)
        os.makedirs(self.files, exist_ok=True)
        host.sysctl({"net.ipv4.conf.all.arp_ignore": 1, "net.ipv4.conf.all.arp_announce": 2,
                     "net.core.somaxconn": 4096, "net.ipv4.tcp_max_syn_backlog": 4096})
        if vips:
            host.address("lo", *(f"{v}/{128 if ':' in v else 32}" for v in vips))

    def start(self) -> None:
        """Start nginx and wait until it answers."""
        with open(os.path.join(self.dir, "nginx.conf"), "w") as f:
            f.write(NGINX.format(dir=self.dir, name=self.name, port=self.port, files=self.files,
                                 rate=self.rate, log_format=LOG_FORMAT))
        self.nginx = self.host.start("nginx", ["nginx", "-p", self.dir, "-c", self.dir + "/nginx.conf"])
        nginx = self.nginx
        wait_until(lambda: nginx.alive() and self._listens(), 60, f"nginx of {self.name}")

    def _listens(self) -> bool:
        """As ss -ltn would say; 0A is LISTEN."""
        with entered(self.host.ns), open("/proc/thread-self/net/tcp") as f:
            return any(words[1].endswith(f":{self.port:04X}") and words[3] == "0A" for words in map(str.split, f))

    def kill(self) -> None:
        """As a crash: the port is closed from now on, connections are reset."""
        if self.nginx:
            self.nginx.kill()

    def stop(self) -> None:
        """End nginx in good order: what is running is cut off as well, but logged."""
        if self.nginx:
            self.nginx.stop()

    def attach_agent(self, prefixes: typing.Sequence[str], bpf_dir: str | None = None,
                     owners: typing.Sequence[str] = (), mss: str = "auto") -> None:
        """Let the agent take tunnels from `prefixes` off on eth0, and pass packets on to `owners`. `mss`: auto, off, or a number."""
        self.bpf_dir = bpf_dir or os.path.join(self.host.lab.bpf_dir, f"agent-{self.host.name}")
        os.makedirs(self.bpf_dir, exist_ok=True)
        self.host.run([executable("agent-tool"), "attach", "eth0", self.bpf_dir, *prefixes,
                       *(["--owners", *owners] if owners else []), *([] if mss == "auto" else ["--mss", mss])])

    def detach_agent(self) -> None:
        self.host.run([executable("agent-tool"), "detach", "eth0", self.bpf_dir])

    def agent_status(self) -> dict[str, int]:
        """The agent's counters: {reason: packets}."""
        text = self.host.run([executable("agent-tool"), "status", "eth0", self.bpf_dir])
        return {words[0]: int(words[1]) for words in map(str.split, text.splitlines())}

    def log(self, name: str = "access") -> list[dict[str, typing.Any]]:
        """The requests of a log, parsed; a line that is still being written is left out."""
        try:
            with open(os.path.join(self.dir, name + ".log")) as f:
                return [json.loads(line) for line in f if line.endswith("\n")]
        except FileNotFoundError:
            return []


UNBOUND = """
server:
    verbosity: 1
    directory: "{dir}"
    chroot: ""
    username: ""
    pidfile: "{dir}/unbound.pid"
    use-syslog: no
    interface: 0.0.0.0
    interface: ::0
    {outgoing}
    access-control: 0.0.0.0/0 allow
    access-control: ::/0 allow
    do-daemonize: no
    num-threads: 1
    so-rcvbuf: 4m
    so-sndbuf: 4m
    outgoing-range: 4096
    num-queries-per-thread: 4096
    jostle-timeout: 1000
    msg-cache-size: 64m
    rrset-cache-size: 64m
    module-config: "{modules}"
    infra-host-ttl: 60
    unknown-server-time-limit: 100
    local-zone: "example." nodefault
    {ecs}
remote-control:
    control-enable: no
stub-zone:
    name: "{zone}"
{servers}
"""


class Resolver:
    """A host with unbound, which asks `servers` for names in `zone`; with or without ECS."""

    def __init__(self, host: Host, zone: str, servers: list[str], ecs: bool, outgoing: typing.Sequence[str] = ()) -> None:
        self.host, self.zone, self.servers, self.ecs, self.outgoing = host, zone, servers, ecs, outgoing
        self.dir = os.path.join(host.lab.dir, f"{host.name}.unbound")
        self.unbound: Process | None = None
        os.makedirs(self.dir)

    def start(self) -> None:
        """Start unbound and wait until it listens."""
        ecs = [f"send-client-subnet: {s}" for s in self.servers] + \
            ["max-client-subnet-ipv4: 24", "max-client-subnet-ipv6: 56"]
        path = os.path.join(self.dir, "unbound.conf")
        with open(path, "w") as f:
            f.write(UNBOUND.format(
                dir=self.dir, zone=self.zone,
                modules="subnetcache iterator" if self.ecs else "iterator",
                ecs="\n    ".join(ecs) if self.ecs else "",
                outgoing="\n    ".join(f"outgoing-interface: {a}" for a in self.outgoing),
                servers="\n".join(f"    stub-addr: {s}" for s in self.servers)))
        call(["unbound-checkconf", path])
        self.unbound = self.host.start("unbound", ["unbound", "-d", "-p", "-c", path])
        unbound = self.unbound
        wait_until(lambda: unbound.alive() and ":53 " in self.host.run(["ss", "-lun"]), 10,
                   f"unbound on {self.host.name}")


def pass_program() -> str:
    """An XDP program that lets everything by: a veth whose peer sends by XDP_TX needs one."""
    path = os.path.join(BUILD, "tests/lab/pass.bpf.o")
    if not os.path.exists(path):
        raise LabError("build/tests/lab/pass.bpf.o is not built")
    return path
