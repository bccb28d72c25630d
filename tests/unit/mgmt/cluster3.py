# SPDX-License-Identifier: BSD-2-Clause
"""Three nodes at three sites on loopback: weir-mgmt and weir-dns of each, asked over its UNIX socket."""
from __future__ import annotations

import os
import subprocess
import sys
import typing

from api_node import Answer, Node, free_port, wait_for
from shared_store import share
from etcd_cluster import Cluster as Etcd

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "dns"))
SITES = ("ams", "fra", "lon")
# What no process of these tests measures: weir-dataplane and weir-health do not run.
UNMEASURED = ["fresh", "receivers", "room", "share", "last-site", "max-sites-out"]


def node_names(n: int) -> list[str]:
    """Of n nodes at the three sites, by turns."""
    return [f"{SITES[k % len(SITES)]}-{k // len(SITES) + 1}" for k in range(n)]


def config(apis: typing.Sequence[str], dns_name: bool = True) -> str:
    """Three sites with a service at all of them, and a node for each of @apis."""
    def rows(row: str) -> str:
        return ",\n  ".join(row % {"s": s, "k": k} for k, s in enumerate(SITES))
    nodes = ",\n  ".join(
        f'{{ name = "{name}"; site = "{name.partition("-")[0]}"; ports = ( {{ interface = "eth1"; }} ); tunnel_source = [ "10.{k}.255.0/24" ]; '
        f'dns_listen = [ "127.0.0.1" ]; clock = "trusted"; api = "{apis[k]}"; }}' for k, name in enumerate(node_names(len(apis))))
    names = """dns = { zones = ( { name = "shop.example"; file = "shop.example.zone"; } );
  names = ( { name = "www.shop.example"; service = "web"; policy = "weighted"; ttl = { min = "1s"; max = "1s"; }; } ); };
""" if dns_name else ""
    return f"""# three sites
schema = 1;
cluster = {{ name = "shop"; hash_key_file = "hash.key"; hash_key_id = "k1"; }};
sites = ( {rows('{ name = "%(s)s"; labels = { region = "eu"; }; }')} );
nodes = ( {nodes} );
checks = ( {{ name = "web"; type = "tcp"; interval = "1s"; fast_interval = "200ms"; timeout = "500ms"; rise = 2; fall = 3; }} );
pools = ( {rows('{ name = "web-%(s)s"; site = "%(s)s"; check = "web"; mode = "ipip"; max_backends = 10; backends = ( { name = "b1"; address = "10.%(k)d.1.11"; weight = 100; } ); }')} );
vips = ( {rows('{ name = "shop-%(s)s"; site = "%(s)s"; addresses = [ "203.0.113.1%(k)d" ]; }')} );
services = ( {{ name = "web"; protocol = "tcp"; port = 80; hash = "flow";
  at = ( {rows('{ site = "%(s)s"; vip = "shop-%(s)s"; pool = "web-%(s)s"; }')} ); }} );
{names}"""


class Server:
    """A node's weir-dns."""

    def __init__(self, program: str, node: Node) -> None:
        self.program, self.node, self.port = program, node, free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        n = self.node
        with open(os.path.join(n.dir.name, "dns.log"), "a") as log:
            self.process = subprocess.Popen(
                [self.program, "--port", str(self.port), "--conf-dir", n.conf, "--state-dir", n.state, "--run-dir", n.run,
                 "--bpf-dir", n.dir.name, "--node", n.name], stdout=log, stderr=log)
        wait_for("weir-dns", lambda: os.path.exists(os.path.join(n.run, "dns.ctl")))

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(60)
            self.process = None


class Cluster:
    """All of them, started and agreed."""

    def __init__(self, mgmt: str, dns: str | None, dns_name: bool = True) -> None:
        self.apis = [f"https://127.0.0.1:{free_port()}" for _ in SITES]
        self.text = config(self.apis, dns_name)
        self.nodes = {s: Node(mgmt, f"{s}-1", self.text) for s in SITES}
        self.servers = {s: Server(dns, n) for s, n in self.nodes.items()} if dns else {}
        self.etcd = Etcd(1)
        try:
            self.etcd.start()
            share(self.etcd, *self.nodes.values())
            for n in self.nodes.values():
                n.start()
            for server in self.servers.values():
                server.start()
            wait_for("agreement", self.agreed)
            ams = self.nodes["ams"]
            first = ams.apply(ams.files(), query="?wait=all")
            assert first.status == 201 and first.json["complete"], first.raw
            wait_for("agreement", self.agreed)
        except BaseException:
            self.close()  # nobody else has it yet
            raise

    def close(self) -> None:
        for server in self.servers.values():
            server.stop()
        for n in self.nodes.values():
            n.close()
        self.etcd.close()

    def agreed(self) -> bool:
        return all([p["state"] for p in n.ask("GET", "/v1/peers").json["items"]] == ["agreed"] * 2
                   for n in self.nodes.values() if n.process)

    def begin(self, at: str, sites: typing.Sequence[str], what: str = "drain", query: str = "", **more: typing.Any) -> Answer:
        body = {"do": what, "sites": list(sites), "reason": "a test", **more}
        return self.nodes[at].ask("POST", "/v1/operations" + query, body)

    def order(self, at: str, id: str, verb: str, **more: typing.Any) -> Answer:
        return self.nodes[at].ask("POST", f"/v1/operations/{id}/{verb}", {"reason": "a test", **more})

    def get(self, at: str, id: str) -> typing.Any:
        """The record as a node shows it; one that it does not know has no state and level -1."""
        a = self.nodes[at].ask("GET", f"/v1/operations/{id}")
        return a.json if a.status == 200 else {"state": "", "level_ppm": -1, "owner": ""}

    def wait(self, at: str, id: str, states: typing.Sequence[str], timeout_s: float = 90) -> typing.Any:
        last: dict[str, typing.Any] = {}

        def is_there() -> bool:
            last.clear()
            last.update(self.get(at, id) or {})
            return last.get("state") in states
        try:
            wait_for(f"{id} {states}", is_there, timeout_s)
        except AssertionError as e:
            raise AssertionError(f"{e}; it is {last.get('state')}, level {last.get('level_ppm')}, waits for {last.get('waits_for')}, hold {last.get('hold')}") from e
        return last
