# SPDX-License-Identifier: BSD-2-Clause
"""Harmless changes, generated: what people change in a working day.

A kind is a function of a random generator and the base's files, which it returns changed. Each kind is executed at least
twice by lab changes; one that breaks a connection, loses an answer or a guard is not harmless, and the lab fails.
"""
from __future__ import annotations

import random
import re
import typing

from changes_world import CHECK, VIP_CHECK

CONF, ZONE = "weir.conf", "shop.example.zone"


def swap(files: dict[str, str], old: str, new: str, name: str = CONF) -> dict[str, str]:
    """One place, which must be there."""
    text = files[name]
    assert old in text, old
    return {**files, name: text.replace(old, new, 1)}


def comment(r: random.Random, f: dict[str, str]) -> dict[str, str]:
    return {**f, CONF: f"# change {r.randrange(10 ** 6)}\n" + f[CONF]}


def spaces(r: random.Random, f: dict[str, str]) -> dict[str, str]:
    lines = f[CONF].split("\n")
    for _ in range(r.randrange(1, 6)):
        lines.insert(r.randrange(len(lines)), " " * r.randrange(1, 9))
    return {**f, CONF: "\n".join(lines)}


def region(r: random.Random, f: dict[str, str]) -> dict[str, str]:
    site, weight = r.choice((("ams", 100), ("fra", 20)))
    return swap(f, f'"{site}"; weight = {weight};',
                f'"{site}"; weight = {weight}; labels = {{ region = "r{r.randrange(10 ** 4)}"; }};')


def backend_weight(r: random.Random, f: dict[str, str]) -> dict[str, str]:
    k = r.randrange(1, 5)
    return swap(f, f'"ams-b{k}"; address = "10.1.1.1{k}"; weight = 100',
                f'"ams-b{k}"; address = "10.1.1.1{k}"; weight = {r.choice([*range(60, 100), *range(101, 160)])}')


def members(f: dict[str, str]) -> tuple[int, int]:
    text = f[CONF]
    a = text.index("    backends = (", text.index('"web-ams"; site')) + len("    backends = (")
    return a, text.index(" ); }", a)


def grow(r: random.Random, f: dict[str, str], n: int) -> dict[str, str]:
    _, end = members(f)
    new = "".join(f',\n      {{ name = "n{k}-{r.randrange(10 ** 4)}"; address = "10.1.1.2{k}"; weight = 100; }}'
                  for k in r.sample((1, 2, 3, 4), n))
    return {**f, CONF: f[CONF][:end] + new + f[CONF][end:]}


def backend_added(r: random.Random, f: dict[str, str]) -> dict[str, str]:
    return grow(r, f, 1)


def pool_doubled(r: random.Random, f: dict[str, str]) -> dict[str, str]:
    return grow(r, f, 4)


def backend_removed(r: random.Random, f: dict[str, str]) -> dict[str, str]:
    k = r.randrange(2, 5)
    return swap(f, f',\n      {{ name = "ams-b{k}"; address = "10.1.1.1{k}"; weight = 100; }}', "") if k < 4 else \
        swap(f, ',\n      { name = "ams-b4"; address = "10.1.1.14"; weight = 100; }', "")


def backend_renamed(r: random.Random, f: dict[str, str]) -> dict[str, str]:
    k = r.randrange(1, 5)
    return swap(f, f'"ams-b{k}"; address', f'"renamed-{r.randrange(10 ** 4)}"; address')


def site_weight(r: random.Random, f: dict[str, str]) -> dict[str, str]:
    if r.randrange(2):
        return swap(f, '"ams"; weight = 100', f'"ams"; weight = {r.randrange(60, 150)}')
    return swap(f, '"fra"; weight = 20', f'"fra"; weight = {r.randrange(12, 40)}')


def ttl(r: random.Random, f: dict[str, str]) -> dict[str, str]:
    return swap(f, 'ttl = { min = "1s"; max = "5s"; }', f'ttl = {{ min = "{r.randrange(1, 3)}s"; max = "{r.randrange(3, 20)}s"; }}')


def check_times(r: random.Random, f: dict[str, str]) -> dict[str, str]:
    return swap(f, CHECK, CHECK.replace("400ms", f"{r.randrange(350, 700)}ms").replace("350ms; rise", "350ms; rise"))


def check_timeout(r: random.Random, f: dict[str, str]) -> dict[str, str]:
    return swap(f, CHECK, CHECK.replace('timeout = "350ms"', f'timeout = "{r.randrange(250, 700)}ms"'))


def check_fall(r: random.Random, f: dict[str, str]) -> dict[str, str]:
    return swap(f, CHECK, CHECK.replace("fall = 4", f"fall = {r.choice((3, 5, 6))}"))


def check_rise(r: random.Random, f: dict[str, str]) -> dict[str, str]:
    return swap(f, CHECK, CHECK.replace("rise = 2", f"rise = {r.choice((1, 3, 4))}"))


def check_renamed(r: random.Random, f: dict[str, str]) -> dict[str, str]:
    new = f"web{r.randrange(10 ** 4)}"
    return {**f, CONF: f[CONF].replace('check = "web"', f'check = "{new}"').replace('{ name = "web"; type', f'{{ name = "{new}"; type')}


def check_damping(r: random.Random, f: dict[str, str]) -> dict[str, str]:
    return swap(f, CHECK, CHECK.replace("damp_turns = 50", f'damp_turns = {r.randrange(30, 90)}; damp_half_life = "{r.randrange(50, 90)}s"'))


def vip_check_times(r: random.Random, f: dict[str, str]) -> dict[str, str]:
    return swap(f, VIP_CHECK, VIP_CHECK.replace("400ms", f"{r.randrange(350, 700)}ms").replace("fall = 4", f"fall = {r.randrange(3, 7)}"))


def settle_time(r: random.Random, f: dict[str, str]) -> dict[str, str]:
    return swap(f, 'settle_time = "60s"', f'settle_time = "{r.randrange(40, 600)}s"')


def idle_time(r: random.Random, f: dict[str, str]) -> dict[str, str]:
    return swap(f, 'idle_time = "30s"', f'idle_time = "{r.randrange(20, 300)}s"')


def udp_idle(r: random.Random, f: dict[str, str]) -> dict[str, str]:
    return swap(f, 'udp_idle = "20s"', f'udp_idle = "{r.randrange(15, 120)}s"')


def max_backends(r: random.Random, f: dict[str, str]) -> dict[str, str]:
    return swap(f, "max_backends = 16", f"max_backends = {r.randrange(12, 16)}")


def limits(r: random.Random, f: dict[str, str]) -> dict[str, str]:
    return swap(f, "exceptions = 65536", f"exceptions = {r.randrange(66000, 200000)}")


def guards(r: random.Random, f: dict[str, str]) -> dict[str, str]:
    return swap(f, 'min_healthy = "50%"; max_remove = "30%"',
                f'min_healthy = "{r.randrange(42, 60)}%"; max_remove = "{r.randrange(22, 40)}%"')


def capacity(r: random.Random, f: dict[str, str]) -> dict[str, str]:
    return swap(f, 'bits = "40Gbit"', f'bits = "{r.randrange(25, 75)}Gbit"')


def pool_added(r: random.Random, f: dict[str, str]) -> dict[str, str]:
    return swap(f, "pools = (\n", f'pools = (\n  {{ name = "p{r.randrange(10 ** 6)}"; site = "ams"; check = "web"; mode = "gue"; '
                'backends = ( { name = "x"; address = "10.1.1.21"; } ); },\n')


def vip_added(r: random.Random, f: dict[str, str]) -> dict[str, str]:
    return swap(f, "vips = (\n", f'vips = (\n  {{ name = "v{r.randrange(10 ** 6)}"; site = "ams"; '
                f'addresses = [ "198.51.100.{r.randrange(1, 255)}" ]; }},\n')


def check_added(r: random.Random, f: dict[str, str]) -> dict[str, str]:
    return swap(f, "checks = (\n", f'checks = (\n  {{ name = "c{r.randrange(10 ** 6)}"; type = "tcp"; }},\n')


def service_added(r: random.Random, f: dict[str, str]) -> dict[str, str]:
    n = r.randrange(10 ** 6)
    f = swap(f, "pools = (\n", f'pools = (\n  {{ name = "p{n}"; site = "ams"; mode = "gue"; '
             'backends = ( { name = "x"; address = "10.1.1.22"; } ); },\n')
    return swap(f, "services = (\n", f'services = (\n  {{ name = "s{n}"; protocol = "tcp"; port = {r.randrange(8000, 9000)}; '
                f'at = ( {{ site = "ams"; vip = "shop-ams"; pool = "p{n}"; }} ); }},\n')


def site_added(r: random.Random, f: dict[str, str]) -> dict[str, str]:
    return swap(f, "sites = (\n", f'sites = (\n  {{ name = "s{r.randrange(10 ** 6)}"; weight = {r.randrange(1, 200)}; }},\n')


def name_added(r: random.Random, f: dict[str, str]) -> dict[str, str]:
    return swap(f, "  names = (\n", f'  names = (\n    {{ name = "n{r.randrange(10 ** 6)}.shop.example"; service = "web"; }},\n')


def record_added(r: random.Random, f: dict[str, str]) -> dict[str, str]:
    return {**f, ZONE: f[ZONE] + f"new{r.randrange(10 ** 6)} A 192.0.2.{r.randrange(1, 255)}\n"}


def record_changed(r: random.Random, f: dict[str, str]) -> dict[str, str]:
    return swap(f, f"A 192.0.2.{100 + r.randrange(12)}\n", f"A 192.0.2.{r.randrange(200, 250)}\n", ZONE)


def zone_ttl(r: random.Random, f: dict[str, str]) -> dict[str, str]:
    return swap(f, "$TTL 300", f"$TTL {r.randrange(100, 900)}", ZONE)


def zone_serial(r: random.Random, f: dict[str, str]) -> dict[str, str]:
    return swap(f, "2026112001", str(2026112002 + r.randrange(10 ** 6)), ZONE)


def zone_added(r: random.Random, f: dict[str, str]) -> dict[str, str]:
    name = f"z{r.randrange(10 ** 6)}.example"
    f = {**f, f"{name}.zone": f["blog.example.zone"].replace("blog.example", name)}
    return swap(f, "  zones = ( ", f'  zones = ( {{ name = "{name}"; file = "{name}.zone"; }}, ')


def port_added(r: random.Random, f: dict[str, str]) -> dict[str, str]:
    return swap(comment(r, f), '{ interface = "eth1"; } ); mtu = 1500; tunnel_source = [ "10.1.',
                '{ interface = "eth1"; }, { interface = "eth2"; } ); mtu = 1500; tunnel_source = [ "10.1.')


def listener_added(r: random.Random, f: dict[str, str]) -> dict[str, str]:
    return swap(comment(r, f), '[ "192.0.2.51"', '[ "192.0.2.151", "192.0.2.51"')


def pools_reordered(r: random.Random, f: dict[str, str]) -> dict[str, str]:
    text = f[CONF]
    a, b = text.index("pools = (\n") + len("pools = (\n"), text.index("\n);\nvips")
    parts = re.split(r",\n(?=  \{ name)", text[a:b])
    r.shuffle(parts)
    return {**comment(r, f), CONF: f"# order {r.randrange(10 ** 6)}\n" + text[:a] + ",\n".join(parts) + text[b:]}


KINDS = (comment, spaces, region, backend_weight, backend_added, pool_doubled, backend_removed, backend_renamed, site_weight,
         ttl, check_times, check_timeout, check_fall, check_rise, check_renamed, check_damping, vip_check_times, settle_time,
         idle_time, udp_idle, max_backends, limits, guards, capacity, pool_added, vip_added, check_added, service_added,
         site_added, name_added, record_added, record_changed, zone_ttl, zone_serial, zone_added, port_added, listener_added,
         pools_reordered)


def generate(base: dict[str, str], n: int, seed: int) -> list[typing.Any]:
    """n changes, the kinds in turn: [(kind's name, files)]."""
    r = random.Random(seed)
    return [(kind.__name__.replace("_", " "), kind(r, base)) for kind in (KINDS[i % len(KINDS)] for i in range(n))]
