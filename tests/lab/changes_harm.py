# SPDX-License-Identifier: BSD-2-Clause
"""The harmful changes of lab changes: what is edited, what happens then, and how users are seen to be hurt.

A kind's evidence is looked for until it is there or its time is over. Where the harm is a guard or a check that is
missing, the kind has an act: something breaks. Every act is also done without the change, when it must hurt no one.
"""
from __future__ import annotations

import dataclasses
import os
import signal
import socket
import time
import typing

from changes_world import CHECK, KEY, SICK, VIP_CHECK
from net import comes_true, entered

if typing.TYPE_CHECKING:
    from changes_world import ChangesWorld

CONF = "weir.conf"


@dataclasses.dataclass
class Kind:
    name: str
    edits: list                          # [(from, to)] of weir.conf, or (file, from, to)
    evidence: typing.Callable            # (world, time since) -> text, or nothing yet
    act: typing.Any = None               # an Act, done when the change is in force
    limit_s: float = 8.0
    tries: int = 1                       # where the harm depends on when single checks fail, or on whose slots move
    base: tuple = ()                     # edits that are made before
    before: typing.Callable = lambda w: None
    after: typing.Callable = lambda w: None

    def files(self, world: ChangesWorld, changed: bool = True) -> dict[str, str]:
        edits = [*self.base, *(self.edits if changed else ())]
        return world.files([e if len(e) == 3 else (CONF, *e) for e in edits])


@dataclasses.dataclass
class Act:
    name: str
    do: typing.Callable
    undo: typing.Callable


# evidence

def broken(least: int = 3) -> typing.Callable[..., str]:
    def look(w: ChangesWorld, since: float) -> str:
        seen = w.crowd.failed("held", since, born_before=since)
        return f"{len(seen)} of {w.crowd.held + w.crowd.quiet} connections broke: {seen[0][1]}" if len(seen) >= least else ""
    return look


def lost(after_s: float = 0.0, least: int = 4) -> typing.Callable[..., str]:
    def look(w: ChangesWorld, since: float) -> str:
        seen = w.crowd.failed("request", since, born_since=since + after_s)
        return f"{len(seen)} requests lost: {seen[0][1]}" if len(seen) >= least else ""
    return look


def flows(least: int = 3, new: bool = False) -> typing.Callable[..., str]:
    def look(w: ChangesWorld, since: float) -> str:
        seen = w.crowd.failed("flow", since, **({"born_since": since} if new else {"born_before": since}))
        return f"{len(seen)} flows of datagrams lost: {seen[0][1]}" if len(seen) >= least else ""
    return look


def queries_lost(w: ChangesWorld, since: float) -> str:
    seen = w.crowd.failed("query", since, born_since=since)
    return f"{len(seen)} queries lost: {seen[0][1]}" if len(seen) >= 4 else ""


def asked(name: str, good: typing.Callable[..., typing.Any],
          server: typing.Callable[..., typing.Any] = lambda w: w.plan.sites[0].dns4) -> typing.Callable[..., str]:
    def look(w: ChangesWorld, _: object) -> str:
        rcode, address, _ = w.ask(server(w), name)
        return "" if good(rcode, address) else f"{name}: rcode {rcode}, {address}"
    return look


def found(rcode: typing.Any, address: str) -> typing.Any:
    return rcode == 0 and address is not None


def answers(bad: typing.Callable[..., typing.Any], name: str = "www.shop.example",
            after_s: float = 0.0) -> typing.Callable[..., str]:
    """By 200 prefixes, at ams: 40 are so few that half may look like a quarter."""
    def look(w: ChangesWorld, since: float) -> str:
        if time.monotonic() < since + after_s:
            return ""
        shares = w.names(name, n=200)
        ams, fra = (shares.get(s.vip4, 0) for s in w.plan.sites)
        return f"{name}: {100 * ams:.0f} % ams, {100 * fra:.0f} % fra" if bad(ams, fra) else ""
    return look


def in_force_fewer(than: int, after_s: float = 0.0) -> typing.Callable[..., str]:
    def look(w: ChangesWorld, since: float) -> str:
        n = sum(b["in_force"] for key, b in w.dataplane().items() if key.startswith("web-ams/"))
        return f"{n} of 4 backends in force: the guard is gone" if n < than and time.monotonic() > since + after_s else ""
    return look


def no_exchange(w: ChangesWorld, _: object) -> str:
    """fra does not hear ams: what ams sees of the services does not count there. (Versions and drains come by the store.)"""
    heard = [p["node"] for p in w.fra.api("GET", "/v1/peers")[1]["items"] if p["state"] in ("agreed", "behind", "ahead")]
    return "" if "ams-1" in heard else "fra does not hear ams"


def no_version(w: ChangesWorld, _: object) -> str:
    """A later version does not come to fra."""
    files = dict(w.present)
    files[CONF] = files[CONF].replace('max = "5s"', 'max = "7s"')
    w.put(files, "later")
    seen = comes_true(lambda: w.ask(w.plan.sites[1].dns4, "www.shop.example")[2] == 7, 8, 0.3)
    return "" if seen else "fra answers by an old version: a later one does not come to it"


def dead_address(w: ChangesWorld, _: object) -> str:
    """An answer names an address that nothing serves."""
    if not w.named_anywhere("203.0.113.110"):
        return ""
    with entered(w.client.ns), socket.socket() as s:
        s.settimeout(1)
        return "answers name 203.0.113.110, where nothing answers" if s.connect_ex(("203.0.113.110", 80)) else ""


def no_room_guard(w: ChangesWorld, _: object) -> str:
    status, out, errors = w.weir(w.ams, "drain", "site", "fra", "--scheduled", "--until", "+1h", "--reason", "lab", "--dry-run")
    return "" if status == 2 else f"drain of fra passes the guard room: exit {status} {(out + errors)[:60]!r}"


def kept_too_long(w: ChangesWorld, _: object) -> str:
    """A resolver has fra's address; fra dies; the address is used while its TTL runs."""
    fra = w.plan.sites[1]
    ttl = next((t for i in range(60) for r, a, t in [w.ask(w.plan.sites[0].dns4, "www.shop.example", f"100.{64 + i % 4}.{i}.0")]
                if a == fra.vip4), 0)
    w.other.cut()
    try:
        time.sleep(min(ttl, 6) + 0.5)  # resolvers keep the answer for its TTL
        if ttl <= 6:
            return ""
        with entered(w.client.ns), socket.socket() as s:
            s.settimeout(1)
            return f"an address of TTL {ttl} s is still used, and nothing answers" if s.connect_ex((fra.vip4, 80)) else ""
    finally:
        w.other.heal()


# acts

def backends(w: ChangesWorld, *numbers: int) -> list[typing.Any]:
    return [w.site.backends[n - 1] for n in numbers]


def kill(*numbers: int) -> Act:
    def undo(w: ChangesWorld) -> None:
        for b in backends(w, *numbers):
            if not b.nginx.alive():
                b.start()
    return Act(f"backends {numbers} die", lambda w: [b.kill() for b in backends(w, *numbers)], undo)


def serve_otherwise(edit: typing.Callable[..., typing.Any], *numbers: int) -> Act:
    """nginx with another configuration."""
    def restart(w: ChangesWorld, change: typing.Any) -> None:
        import servers
        kept = servers.NGINX
        for b in backends(w, *numbers):
            b.stop()
            servers.NGINX = change(kept)
            try:
                b.start()
            finally:
                servers.NGINX = kept
    return Act(f"backends {numbers} {edit.__name__}", lambda w: restart(w, edit), lambda w: restart(w, lambda text: text))


def answer_503(text: str) -> str:
    head, found_, rest = text.partition("        location = /healthz")
    assert found_
    return head + "        return 503;\n" + found_ + rest


def fail_their_check(text: str) -> str:
    old = 'location = /healthz {{ access_log {dir}/health.log lab; return 200 "well\\n"; }}'
    assert old in text
    return text.replace(old, SICK.replace("{", "{{").replace("}", "}}"))


def lose_vips(w: ChangesWorld) -> None:
    for b in backends(w, 1):
        b.host.ip(*(f"{'-6 ' if ':' in v else ''}addr del {v}/{128 if ':' in v else 32} dev lo" for v in b.vips))


def regain_vips(w: ChangesWorld) -> None:
    for b in backends(w, 1):
        b.host.address("lo", *(f"{v}/{128 if ':' in v else 32}" for v in b.vips))


def pause(w: ChangesWorld) -> None:
    for b in backends(w, 1):
        b.nginx.signal(signal.SIGSTOP)
    time.sleep(0.8)  # the pause itself
    for b in backends(w, 1):
        b.nginx.signal(signal.SIGCONT)


def new_flows(w: ChangesWorld) -> None:
    """When slots have moved, and udp_idle has passed since."""
    time.sleep(5)  # udp_idle, and some time for the slots
    w.crowd.renew()


def silence(w: ChangesWorld) -> None:
    """Its kernel still takes connections, its neighbours still see it; nothing answers."""
    for b in backends(w, 1):
        b.nginx.signal(signal.SIGSTOP)


def sound(w: ChangesWorld) -> None:
    for b in backends(w, 1):
        b.nginx.signal(signal.SIGCONT)


def weights(pool_members: tuple[typing.Any, ...], weight: int = 1000) -> Act:
    """A harmless change behind the harmful one: weights, which move slots."""
    def do(w: ChangesWorld) -> None:
        files = dict(w.present)
        for b in pool_members:
            old = f'"{w.site.backends[b - 1].addresses[0]}"; weight = 100'
            assert old in files[CONF]
            files[CONF] = files[CONF].replace(old, old.replace("100", str(weight)))
        w.put(files, "weights")
    return Act(f"weights of {pool_members}", do, lambda w: None)


CUT = Act("site fra is cut off", lambda w: w.other.cut(), lambda w: w.other.heal())
SICK_ONE = serve_otherwise(answer_503, 1)
SICK_CHECKS = serve_otherwise(fail_their_check, 1, 2, 3, 4)
NO_VIP = Act("a backend loses its VIPs", lose_vips, regain_vips)
SILENCE = Act("a backend falls silent", silence, sound)
PAUSE = Act("a backend pauses for 0.8 s", pause, lambda w: None)
AMS_PORT = '{ interface = "eth1"; } ); mtu = 1500; tunnel_source = [ "10.1.'
AMS_LISTEN = 'dns_listen = [ "192.0.2.51", "2001:db8:1::53" ]; '
AMS_AT = '    { site = "ams"; vip = "shop-ams"; pool = "web-ams"; },\n'
FRA_AT = ',\n    { site = "fra"; vip = "shop-fra"; pool = "web-fra"; }'
GUARDS = 'min_healthy = "50%"; max_remove = "30%"'
UDP_NAME = ',\n    { name = "udp.shop.example"; service = "udp"; policy = "weighted"; ttl = { min = "1s"; max = "5s"; }; }'


def cut_out(text: str, start: str, end: str) -> str:
    """A piece of the configuration, from `start` to the end of `end`."""
    a = text.index(start)
    return text[a:text.index(end, a) + len(end)]


def write_key(key: str) -> typing.Callable[..., None]:
    def write(w: ChangesWorld) -> None:
        for node in w.world.nodes:
            with open(os.path.join(node.conf, "hash.key.new"), "w") as f:
                f.write(key)
            os.chmod(f.name, 0o600)
            os.rename(f.name, os.path.join(node.conf, "hash.key"))
    return write


def slow_flows(seconds: float) -> typing.Callable[..., None]:
    def make(w: ChangesWorld) -> None:
        w.crowd.udp = (w.crowd.udp[0], seconds)
        w.crowd.renew()
        time.sleep(seconds + 1.5)  # flows with this much between two packets
    return make


def packets(text: str) -> list[typing.Any]:
    """Changes that hurt those who are connected."""
    members = [(f'"10.1.1.1{k}"', f'"10.1.1.9{k}"') for k in (1, 2, 3, 4)]
    udp = cut_out(text, ',\n  { name = "udp"; protocol', 'pool = "udp-ams"; } ); }')
    return [
        Kind("port renamed", [(AMS_PORT, AMS_PORT.replace("eth1", "eth2"))], broken()),
        Kind("hash flow to source", [('hash = "flow"', 'hash = "source"')], broken()),
        Kind("max_backends 16 to 1000", [("max_backends = 16", "max_backends = 1000")], broken()),
        Kind("agent on", [("agent = false", "agent = true")], broken(), weights((1, 2)), 12),
        Kind("hash key", [('hash_key_id = "k1"', 'hash_key_id = "k2"')], broken(),
             before=write_key(KEY[::-1].strip() + "\n"), after=write_key(KEY)),
        Kind("pool exchanged", [('vip = "shop-ams"; pool = "web-ams"', 'vip = "shop-ams"; pool = "spare-ams"')], broken()),
        Kind("service removed", [(udp, ""), (UDP_NAME, "")], flows()),
        Kind("service's port", [('protocol = "tcp"; port = 80', 'protocol = "tcp"; port = 81')], lost()),
        Kind("udp to tcp", [('protocol = "udp"; port = 443; udp_policy = "keep"; udp_idle = "20s";',
                             'protocol = "tcp"; port = 443;')], flows()),
        Kind("VIP's address", [("203.0.113.10", "203.0.113.99")], lost()),
        Kind("VIP's IPv6 removed", [('"203.0.113.10", "2001:db8:1::10"', '"203.0.113.10"')], broken()),
        Kind("service leaves the site", [(AMS_AT, "")], lost()),
        Kind("tunnel source", [("10.1.255.0/24", "10.1.250.0/24")], broken()),
        Kind("100 % of slots move", members, lost()),
        Kind("idle_time cut", [('idle_time = "30s"', 'idle_time = "1s"')], broken(2), weights((1, 2)), 40, tries=3),
        Kind("udp_idle cut", [('udp_idle = "20s"', 'udp_idle = "1s"')], flows(2), weights((1,)), 16, tries=3,
             before=slow_flows(4.5), after=slow_flows(0.4)),
        Kind("udp_policy reset", [('udp_policy = "keep"', 'udp_policy = "reset"')], flows(2), weights((1,)), 12),
        Kind("unchecked dead backend", [(cut_out(text, '"udp-ams"; site', '"10.1.1.12"; weight = 100; }'),
                                         cut_out(text, '"udp-ams"; site', '"10.1.1.12"; weight = 100; }')
                                         + ', { name = "b9"; address = "10.1.1.1"; }')],
             flows(3, new=True), Act("new flows after 5 s", new_flows, lambda w: None), 14,
             base=(('udp_idle = "20s"', 'udp_idle = "1s"'),)),
        Kind("node moved to another site", [('"ams-1"; site = "ams"', '"ams-1"; site = "fra"')], broken()),
    ]


def checks() -> list[typing.Any]:
    """Changes after which the dead are not found, the well are taken out, or too many leave."""
    return [
        Kind("check removed", [('check = "web"; ', "")], lost(4), kill(1), 10),
        # The first backend to be down leaves the pool, and guards hold the others. Where all four are seen to be down in one
        # round, nobody else serves, so "last_good" holds all.
        Kind("check's expect", [(CHECK, CHECK.replace("200; via", "204; via"))], broken(), tries=3),
        Kind("check's path", [(CHECK, CHECK.replace("/healthz", "/nothing"))], broken(), tries=3),
        Kind("check's port", [(CHECK, CHECK.replace('"http"; path', '"http"; port = 81; path'))], broken(), tries=3),
        Kind("check http to tcp", [(CHECK, CHECK.replace('"http"; path = "/healthz"; expect = 200;', '"tcp";'))],
             lost(4), SICK_ONE, 12),
        Kind("check not through the tunnel", [(CHECK, CHECK.replace('via = "tunnel"; ', ""))], lost(4), NO_VIP, 12),
        Kind("fall 100", [(CHECK, CHECK.replace("fall = 4", "fall = 100"))], lost(4), kill(1), 10),
        Kind("interval of a minute", [(CHECK, CHECK.replace('interval = "400ms"', 'interval = "1m"', 1)
                                      .replace('fast_interval = "200ms"', 'fast_interval = "1m"'))], lost(4), kill(1), 10),
        Kind("fall 1", [(CHECK, CHECK.replace("fall = 4", "fall = 1"))], broken(), PAUSE),
        Kind("guards off", [(GUARDS, 'min_healthy = "0%"; max_remove = "100%"')], in_force_fewer(2), kill(1, 2, 3), 8),
        Kind("max_remove 100 %", [(GUARDS, GUARDS.replace("30%", "100%"))], in_force_fewer(3), kill(1, 2), 7),
        Kind("min_healthy 0 %", [(GUARDS, GUARDS.replace("50%", "0%"))], in_force_fewer(2), kill(1, 2, 3), 32),
        Kind("min_healthy 100 %", [(GUARDS, GUARDS.replace("50%", "100%"))], lost(4), kill(1), 10),
        Kind("fail_closed", [('"last_good"', '"fail_closed"')], lost(4), SICK_CHECKS, 14,
             base=((GUARDS, 'min_healthy = "0%"; max_remove = "100%"'),)),
        Kind("control target that does not answer", [('controls = [ "10.1.1.1" ]', 'controls = [ "10.1.1.77" ]')],
             lost(5), SILENCE, 12),
        Kind("capacity raised", [("40kbit", "40Gbit")], no_room_guard),
        Kind("vip_check none", [('vip_check = "vip"', 'vip_check = "none"')], answers(lambda ams, fra: fra > 0, after_s=8), CUT, 9),
        Kind("vip_check's path", [(VIP_CHECK, VIP_CHECK.replace("/healthz", "/nothing"))], answers(lambda ams, fra: fra == 0)),
    ]


def names(text: str) -> list[typing.Any]:
    """Changes that lose or move answers, or the node itself."""
    ams, fra = (cut_out(text, f'{{ name = "{s}-1"; site', 'clock = "trusted"; }') for s in ("ams", "fra"))
    zone = "shop.example.zone"
    return [
        Kind("dns_listen empty", [(AMS_LISTEN, "")], queries_lost),
        Kind("a listener removed", [(AMS_LISTEN, AMS_LISTEN.replace(', "2001:db8:1::53"', ""))],
             asked("www.shop.example", found, lambda w: w.plan.sites[0].dns6)),
        Kind("all site weights 0", [('"ams"; weight = 100', '"ams"; weight = 0'), ('"fra"; weight = 20', '"fra"; weight = 0')],
             answers(lambda ams, fra: fra > 0.34)),
        Kind("a site's weight 0", [('"fra"; weight = 20', '"fra"; weight = 0')], answers(lambda ams, fra: fra == 0)),
        Kind("name removed", [(cut_out(text, ',\n    { name = "alt.shop.example"', "}; }"), "")],
             asked("alt.shop.example", found)),
        Kind("zone removed", [(', { name = "blog.example"; file = "blog.example.zone"; }', "")],
             asked("post.blog.example", found)),
        Kind("ttl of a day", [('max = "5s"', 'max = "1d"')], kept_too_long, limit_s=1),
        Kind("name leads to another service", [('"www.shop.example"; service = "web"', '"www.shop.example"; service = "udp"')],
             answers(lambda ams, fra: fra == 0)),
        Kind("order of failover", [(AMS_AT + FRA_AT[2:], FRA_AT[2:] + ",\n" + AMS_AT[:-2])],
             answers(lambda ams, fra: ams == 0, "alt.shop.example")),
        Kind("a site leaves the service", [(FRA_AT, "")], answers(lambda ams, fra: fra == 0)),
        Kind("node removed", [(",\n  " + fra, "")], no_version, limit_s=1),
        Kind("address added to a VIP", [('"203.0.113.10", ', '"203.0.113.10", "203.0.113.110", ')], dead_address),
        Kind("a listener elsewhere", [('[ "192.0.2.51"', '[ "192.0.2.99"')], queries_lost),
        Kind("the large site's weight 0", [('"ams"; weight = 100', '"ams"; weight = 0')], answers(lambda ams, fra: ams == 0)),
        Kind("api removed", [(ams, ams.replace('api = "https://10.1.1.2:8443"; ', ""))], no_exchange),
        Kind("api's address", [("https://10.1.1.2:8443", "https://10.1.1.77:8443")], no_exchange),
        Kind("zone cut to 3 records", [], asked("mail.shop.example", found)),  # its files are made below
        Kind("zone's addresses exchanged", [(zone, "192.0.2.10", "192.0.2.20"), (zone, "192.0.2.11", "192.0.2.21"),
                                            (zone, "192.0.2.25", "192.0.2.95")],
             asked("mail.shop.example", lambda rcode, address: address == "192.0.2.25")),
    ]


def cut_zone(zone: str) -> str:
    """The SOA and the two that it needs."""
    lines = zone.split("\n")
    return "\n".join(lines[:4] + lines[4:6]) + "\n"


def all_kinds(world: ChangesWorld) -> list[typing.Any]:
    text = world.base[CONF]
    kinds = packets(text) + checks() + names(text)
    for kind in kinds:
        if kind.name == "zone cut to 3 records":
            zone = world.base["shop.example.zone"]
            kind.edits = [("shop.example.zone", zone, cut_zone(zone))]
    return kinds
