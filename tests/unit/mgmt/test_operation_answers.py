#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Whole answers about operations of one real weir-mgmt that decides alone, with several sites, services and VIPs.

Usage: test_operation_answers.py WEIR_MGMT
"""
from __future__ import annotations

import datetime
import sys
import typing
import unittest

import counted
from api_node import Answer, Node, wait_for

PROGRAM = sys.argv.pop()
UNMEASURED = ["fresh", "receivers", "room", "share", "last-site", "max-sites-out"]  # no other process runs
SITES = {"ams": "eu", "fra": "eu", "lon": "uk", "nyc": "us"}


def config(more_nodes: str = "") -> str:
    """A node at lon; web at ams, fra and lon, mail at fra and nyc, each of both families."""
    def rows(row: str, sites: typing.Iterable[str]) -> str:
        return ",\n  ".join(row % {"s": s, "r": SITES[s], "k": list(SITES).index(s)} for s in sites)
    return f"""schema = 1;
cluster = {{ name = "shop"; hash_key_file = "hash.key"; hash_key_id = "k1"; }};
sites = ( {rows('{ name = "%(s)s"; labels = { region = "%(r)s"; }; }', SITES)} );
nodes = ( {{ name = "lon-1"; site = "lon"; ports = ( {{ interface = "eth1"; }} ); tunnel_source = [ "10.2.255.0/24" ];
  dns_listen = [ "192.0.2.53" ]; clock = "trusted"; }}{more_nodes} );
checks = ( {{ name = "web"; type = "tcp"; interval = "1s"; fast_interval = "200ms"; timeout = "500ms"; rise = 2; fall = 3; }} );
pools = ( {rows('{ name = "%(s)s"; site = "%(s)s"; check = "web"; mode = "ipip"; max_backends = 10; '
                'backends = ( { name = "b1"; address = "10.%(k)d.1.11"; weight = 100; } ); }', SITES)} );
vips = ( {rows('{ name = "%(s)s"; site = "%(s)s"; addresses = [ "203.0.113.1%(k)d", "2001:db8::1%(k)d" ]; }', SITES)} );
services = (
  {{ name = "web"; protocol = "tcp"; port = 80; hash = "flow"; at = ( {rows('{ site = "%(s)s"; vip = "%(s)s"; pool = "%(s)s"; }', ("ams", "fra", "lon"))} ); }},
  {{ name = "mail"; protocol = "tcp"; port = 25; hash = "flow"; at = ( {rows('{ site = "%(s)s"; vip = "%(s)s"; pool = "%(s)s"; }', ("fra", "nyc"))} ); }} );
dns = {{ zones = ( {{ name = "shop.example"; file = "shop.example.zone"; }} );
  names = ( {{ name = "www.shop.example"; service = "web"; policy = "weighted"; ttl = {{ min = "1s"; max = "20s"; }}; }},
            {{ name = "mx.shop.example"; service = "mail"; policy = "weighted"; ttl = {{ min = "1s"; max = "90s"; }}; }} ); }};
"""



class World(unittest.TestCase):
    more_nodes = ""

    def setUp(self) -> None:
        self.node = Node(PROGRAM, "lon-1", config(self.more_nodes)).start()
        self.addCleanup(self.node.close)

    def begin(self, query: str = "", do: str = "drain", **body: typing.Any) -> Answer:
        return self.node.ask("POST", "/v1/operations" + query, {"do": do, "reason": "new switches", **body})

    def begun(self, **body: typing.Any) -> str:
        a = self.begin(override_guards=UNMEASURED, **body)
        self.assertEqual(a.status, 201, a.raw)
        return str(a.json["id"])

    def order(self, id: str, verb: str, **body: typing.Any) -> Answer:
        return self.node.ask("POST", f"/v1/operations/{id}/{verb}", {"reason": "a look", **body})

    def refused(self, a: Answer, status: int, code: str, detail: str, **more: typing.Any) -> None:
        """The whole answer is this problem."""
        title = code.replace("-", " ").capitalize()
        self.assertEqual((a.status, a.json), (status, {"type": f"urn:weir:problem:{code}", "title": title, "status": status, "code": code,
                                                       "detail": detail, **more}))


WAITS = ("all name servers that are reached report the level; the longest TTL of earlier answers and 5 s have passed; "
         "receivers are well; new flows at the site are as projected")
LEVELS = (100000, 250000, 500000, 750000, 1000000)
FINE = {"unconfirmed": ("ok", "no change waits to be confirmed"), "majority": ("ok", "1 of 1 nodes are reached"),
        "no-dns": ("ok", "DNS names choose the site"), "clock": ("ok", "the clock of node lon-1 is believed"),
        "operation": ("ok", "no older operation moves")}
# state: ok, overridden, unknown
STATES = {"ok": (True, False, False), "not_checked": (True, False, True), "refused": (False, False, False), "unknown": (False, False, True),
          "overridden": (True, True, True)}


def guards(**tripped: tuple[str, str]) -> list[dict[str, typing.Any]]:
    """All guards; those that are not named are fine, or not checked."""
    found = []
    for name in ("last-site", "max-sites-out", "room", "receivers", "fresh", "unconfirmed", "majority", "backup", "no-dns", "clock", "share", "operation"):
        state, detail = tripped.get(name.replace("-", "_"), FINE.get(name, ("not_checked", "not checked")))
        ok, overridden, unknown = STATES[state]
        found.append({"guard": name, "ok": ok, "overridden": overridden, "unknown": unknown, "state": state,
                      "may_be_overridden": name not in ("majority", "clock", "operation"), "margin_percent": None, "detail": detail})
    return found


def instant(text: str) -> float:
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Dry(World):
    def dry(self, preflight: dict[str, typing.Any], expected_s: int, expected: dict[str, typing.Any], levels: typing.Sequence[int] = LEVELS,
            **body: typing.Any) -> None:
        """The whole answer to a dry run."""
        before = datetime.datetime.now().timestamp()
        a = self.begin("?dry_run=true", **body)
        after = datetime.datetime.now().timestamp()
        self.assertEqual(a.status, 200, a.raw)
        is_now = dict(a.json)
        self.assertRegex(is_now.pop("id"), "^lon-1-[0-9a-z]+$")
        self.assertTrue(before - 1 <= instant(is_now.pop("created")) <= after + 1)
        until = is_now["until"]
        if until:
            is_now["until"] = round((instant(until) - after) / 600) / 6  # in hours
        self.maxDiff = None
        self.assertEqual(is_now, {
            "state": "starting", "author": "root", "principal": "user:root", "reason": "new switches", "owner": "lon-1", "epoch": 64,
            "seq": 1, "until": None, "level_ppm": 0, "goal_ppm": 1000000, "waits": "", "hold": None, "ended": None, "command_node": "lon-1",
            "now": False, "over_ms": None, "withdraw": False, "expired": False, "stage": None, "step": 0, "steps": [], "nodes": [],
            "without": [], "late": [], "evidence": None, "dry_run": True,
            "plan": {"from_ppm": 0, "steps": [{"level_ppm": ppm, "waits_for": WAITS} for ppm in levels], "expected_s": expected_s},
            "preflight": {"expected_s": expected_s, "receivers": [], "backups": [], "unheard": "lon-1", **preflight}, **expected})
        self.assertEqual(self.node.ask("GET", "/v1/operations").json, {"items": [], "more": 0})

    def test_what_refuses_is_shown_with_the_command_that_goes_past_it(self) -> None:
        self.dry({"deciding_sites": 2, "would_begin": False, "without": [],
                  "override": "weir drain site ams nyc --override last-site,max-sites-out,receivers,fresh --reason 'new switches'",
                  "override_guards": ["last-site", "max-sites-out", "receivers", "fresh"],
                  "guards": guards(last_site=("unknown", "whether one of 2 other sites is up is not known"),
                                   max_sites_out=("refused", "2 sites would be out; max_sites_out is 1"),
                                   receivers=("unknown", "whether the pools of site fra are up is not known"),
                                   fresh=("unknown", "new flows of site fra are not measured"))},
                 485, {"kind": "drain", "sites": ["ams", "nyc"], "service": "", "undo": "weir undrain site ams nyc --reason TEXT"}, sites=["ams", "nyc"])

    def test_a_service_of_a_site_moves_by_its_own_ttl_to_its_own_receivers(self) -> None:
        self.dry({"deciding_sites": 4, "would_begin": True,
                  "guards": guards(last_site=("overridden", "whether one of 1 other sites is up is not known"),
                                   receivers=("overridden", "whether the pools of site nyc are up is not known"),
                                   fresh=("overridden", "new flows of site nyc are not measured"))},
                 900, {"kind": "drain", "sites": ["fra"], "service": "mail", "undo": "weir undrain site fra --service mail --reason TEXT",
                       "over_ms": 900000, "until": 2, "author": "jw"},
                 sites=["fra"], service="mail", over="15m", until="+2h", author="jw", override_guards=UNMEASURED)
        self.dry({"deciding_sites": 4, "would_begin": True,
                  "guards": guards(last_site=("overridden", "whether one of 2 other sites is up is not known"),
                                   receivers=("overridden", "whether the pools of site ams are up is not known"),
                                   fresh=("overridden", "new flows of site ams are not measured"))},
                 135, {"kind": "drain", "sites": ["fra"], "service": "web", "undo": "weir undrain site fra --service web --reason TEXT"},
                 sites=["fra"], service="web", override_guards=UNMEASURED)

    def test_a_shift_goes_to_its_level_alone(self) -> None:
        self.dry({"deciding_sites": 4, "would_begin": False, "without": [],
                  "override": "weir shift site lon 30.5% --service web --now --until never --override last-site,receivers,fresh --reason 'new switches'",
                  "override_guards": ["last-site", "receivers", "fresh"],
                  "guards": guards(last_site=("unknown", "whether one of 2 other sites is up is not known"),
                                   receivers=("unknown", "whether the pools of site ams are up is not known"),
                                   fresh=("unknown", "new flows of site ams are not measured"))},
                 27, {"kind": "shift", "sites": ["lon"], "service": "web", "undo": "weir undrain site lon --service web --reason TEXT",
                      "now": True, "goal_ppm": 305000},
                 [305000], do="shift", sites=["lon"], service="web", level="30.5%", until="never", now=True)

    def test_what_goes_with_a_whole_site_is_in_the_command_too(self) -> None:
        self.dry({"deciding_sites": 3, "would_begin": False, "without": [],
                  "override": "weir drain site nyc --withdraw --override last-site,max-sites-out,receivers,fresh --reason 'new switches'",
                  "override_guards": ["last-site", "max-sites-out", "receivers", "fresh"],
                  "guards": guards(last_site=("unknown", "whether one of 3 other sites is up is not known"),
                                   max_sites_out=("unknown", "whether 3 other sites are out is not known; max_sites_out is 1"),
                                   receivers=("unknown", "whether the pools of site ams are up is not known"),
                                   fresh=("unknown", "new flows of site ams are not measured"))},
                 485, {"kind": "drain", "sites": ["nyc"], "service": "", "undo": "weir undrain site nyc --reason TEXT", "withdraw": True},
                 sites=["nyc"], withdraw=True)

    def test_a_label_means_all_of_its_sites(self) -> None:
        a = self.begin("?dry_run=true", label="region=eu")
        self.assertEqual((a.status, a.json["sites"], a.json["undo"]), (200, ["ams", "fra"], "weir undrain site ams fra --reason TEXT"), a.raw)


class Refused(World):
    def test_what_cannot_begin_is_told_in_words(self) -> None:
        rows: list[tuple[str, dict[str, typing.Any], int, str, str]] = [
            ("", {"sites": ["ams", "par"]}, 404, "not-found", "there is no site par"),
            ("", {"label": "region=asia"}, 404, "not-found", "no site has the label region=asia"),
            ("", {"sites": ["ams"], "service": "ftp"}, 404, "not-found", "there is no service ftp"),
            ("", {"sites": ["ams", "nyc"], "service": "web"}, 422, "invalid", "service: web is not at site nyc"),
            ("", {"sites": ["nyc", "ams"], "service": "mail"}, 422, "invalid", "service: mail is not at site ams"),
            ("", {"sites": ["ams"], "without": ["lon-1", "lon-2"]}, 404, "not-found", "without: there is no node lon-2"),
            ("", {"do": "undrain", "sites": ["par"]}, 404, "not-found", "there is no site par"),
            ("", {"do": "undrain", "sites": ["ams"], "without": ["lon-2"]}, 404, "not-found", "without: there is no node lon-2"),
            ("", {"do": "undrain", "sites": ["ams"]}, 409, "nothing-to-end", "site ams is not drained"),
            ("?dry_run=true", {"do": "undrain", "sites": ["ams"]}, 422, "invalid", "dry_run: is for drain and shift"),
            ("?dry_run=1", {"sites": ["ams"]}, 400, "bad-request", "dry_run must be true or false"),
            ("?wait=1", {"sites": ["ams"]}, 400, "bad-request", "wait must be local or all"),
        ]
        for query, body, status, code, detail in rows:
            with self.subTest(body):
                self.refused(self.begin(query, **body), status, code, detail)

    def test_all_fields_that_are_wrong_are_named_at_once(self) -> None:
        rows: list[tuple[dict[str, typing.Any], list[tuple[str, str]]]] = [
            ({"do": "jump", "sites": [7], "service": 7, "over": "x", "until": "-1h", "level": "3", "override_guards": ["clock"],
              "without": ["a b"], "now": 1, "withdraw": 2},
             [("do", "expected drain, shift or undrain"), ("sites", "item 1 is not a name"), ("service", "expected a text"),
              ("level", 'found "3", expected more than 0% and less than 100%, such as "30%"'),
              ("over", 'found "x", expected a duration such as "5m"'),
              ("until", 'found "-1h", expected an instant such as "2026-11-20T12:00:00Z", "+4h", or "never"'),
              ("now", "expected true or false"), ("withdraw", "expected true or false"),
              ("override_guards", "guard clock cannot be overridden by name; these can: last-site, max-sites-out, room, receivers, "
                                  "fresh, unconfirmed, backup, no-dns or share"),
              ("without", "item 1 is not a name"), ("level", "is for a shift only")]),
            ({"sites": ["ams"], "level": "30%"}, [("level", "is for a shift only")]),
            ({"do": "shift", "sites": ["ams"]}, [("level", 'is required, such as "30%"'), ("until", 'is required; "never" is allowed')]),
            ({"do": "shift", "sites": ["ams", "fra"], "level": "30%", "until": "never"}, [("sites", "a shift moves one site")]),
            ({"do": "undrain", "sites": ["ams"], "until": "+1h", "level": "3%", "withdraw": True},
             [("level", "is for a shift only"), ("until", "is for drain and shift only"), ("withdraw", "is for drain only")]),
        ]
        for body, errors in rows:
            with self.subTest(body):
                more = " (and more)" if len(errors) > 1 else ""
                self.refused(self.begin(**body), 422, "invalid", f"{errors[0][0]}: {errors[0][1]}{more}",
                             errors=[{"field": field, "detail": detail} for field, detail in errors])

    def test_a_guard_refuses_with_all_guards_and_the_way_past(self) -> None:
        judged = guards(last_site=("unknown", "whether one of 2 other sites is up is not known"),
                        max_sites_out=("refused", "2 sites would be out; max_sites_out is 1"),
                        receivers=("unknown", "whether the pools of site ams are up is not known"),
                        fresh=("overridden", "new flows of site ams are not measured"))
        self.refused(self.begin(sites=["fra", "lon"], over="90s", override_guards=["fresh"]), 409, "guard",
                     "max-sites-out: 2 sites would be out; max_sites_out is 1", guards=judged, without=[],
                     override_guards=["last-site", "max-sites-out", "receivers", "fresh"],
                     override="weir drain site fra lon --over 90s --override last-site,max-sites-out,receivers,fresh --reason 'new switches'")
        self.assertEqual(self.node.ask("GET", "/v1/operations").json, {"items": [], "more": 0})

    def test_a_drain_by_the_clock_is_not_of_one_level_with_another_site(self) -> None:
        a = self.node.ask("POST", "/v1/overrides", {"do": "drain", "target": {"site": "ams"}, "reason": "a test", "until": "never", "now": True})
        self.assertEqual(a.status, 201, a.raw)
        for sites in (["ams", "lon"], ["lon", "ams"]):
            self.refused(self.begin(sites=sites), 422, "invalid",
                         f"sites: {sites[0]} and {sites[1]} are drained to different levels; give one command for each")
        bodies: list[tuple[dict[str, typing.Any], str]] = [({"sites": ["lon"]}, "lon"), ({"label": "region=us"}, "nyc")]
        for body, site in bodies:
            self.refused(self.begin(do="undrain", **body), 409, "nothing-to-end", f"site {site} is not drained")

    def test_what_is_asked_of_lists_is_told_in_words(self) -> None:
        limit, number = "limit must be a number from 1 to 64", "must be a number from 0 to"
        for path, status, code, detail in (
                ("?limit=0", 400, "bad-request", limit), ("?limit=65", 400, "bad-request", limit),
                ("?state=x", 400, "bad-request", 'state: expected "live" or a state, such as "moving"'),
                ("/none", 404, "not-found", "there is no operation none"),
                ("/none?since=-1", 400, "bad-request", f"since {number} 9223372036854775807"),
                ("/none?wait_ms=60001", 400, "bad-request", f"wait_ms {number} 60000")):
            with self.subTest(path):
                self.refused(self.node.ask("GET", "/v1/operations" + path), status, code, detail)
        for verb in ("hold", "resume", "abort", "take"):
            self.refused(self.order("none", verb), 404, "not-found", "there is no operation none")
            self.refused(self.order("none", verb + "?dry_run=true"), 422, "invalid", "dry_run: this request has none; nothing was changed")


# What the owner's rounds change: it may have begun to move before it is held.
MOVES = ("epoch", "seq", "level_ppm", "waits", "step", "steps", "preflight", "nodes")


class Several(World):
    """Two operations, of which the older is held."""

    def setUp(self) -> None:
        super().setUp()
        self.mail = self.begun(sites=["fra"], service="mail", over="15m")
        self.held = self.order(self.mail, "hold")
        self.both = self.begun(sites=["ams", "lon"], author="jw")

    def get(self, path: str) -> typing.Any:
        a = self.node.ask("GET", "/v1/operations" + path)
        self.assertEqual(a.status, 200, a.raw)
        return a.json

    def settled(self, o: dict[str, typing.Any]) -> dict[str, typing.Any]:
        return {key: value for key, value in o.items() if key not in MOVES}

    def test_one_is_shown_as_it_was_ordered(self) -> None:
        a = self.held
        self.assertEqual(a.status, 200, a.raw)
        hold = a.json["hold"]
        self.assertAlmostEqual(instant(hold.pop("since")), instant(a.json["created"]), delta=60)
        expected = {"id": self.mail, "kind": "drain", "state": "held", "sites": ["fra"], "service": "mail", "author": "root",
                    "principal": "user:root", "reason": "new switches", "owner": "lon-1", "until": None, "goal_ppm": 1000000,
                    "hold": {"code": "person", "detail": "root: a look", "resume": f"weir operation {self.mail} resume --reason TEXT",
                             "back": f"weir operation {self.mail} abort --reason TEXT"},
                    "ended": None, "undo": "weir undrain site fra --service mail --reason TEXT", "command_node": "lon-1", "now": False,
                    "over_ms": 900000, "withdraw": False, "expired": False, "stage": None,
                    "plan": {"from_ppm": 0, "steps": [{"level_ppm": ppm, "waits_for": WAITS} for ppm in LEVELS], "expected_s": 900},
                    "without": [], "late": [], "evidence": None}
        is_now = self.settled(a.json)
        created = is_now.pop("created")
        self.assertEqual(is_now, expected)
        self.assertEqual([(n["node"], n["reached"], n["named_absent"]) for n in a.json["nodes"]], [("lon-1", True, False)])
        now = self.settled(self.get("/" + self.mail))
        now["hold"].pop("since")
        self.assertEqual(now, {**expected, "created": created})

    def test_the_list_has_both_in_short_the_newest_first(self) -> None:
        whole = self.get("")
        self.assertEqual((list(whole), whole["more"], [o["id"] for o in whole["items"]]), (["items", "more"], 0, [self.both, self.mail]))
        for o in whole["items"]:
            shown = self.settled(self.get("/" + o["id"]))
            short = self.settled(o)
            if o["id"] == self.both:  # it begins to move
                self.assertIn(short.pop("state"), ("starting", "moving"))
            self.assertEqual(short, {key: shown[key] for key in short})
            self.assertEqual(set(o), {"id", "kind", "state", "sites", "service", "author", "principal", "reason", "owner", "epoch", "seq",
                                      "created", "until", "level_ppm", "goal_ppm", "waits", "hold", "ended"})
        self.assertEqual([(o["sites"], o["service"], o["author"]) for o in whole["items"]], [(["ams", "lon"], "", "jw"), (["fra"], "mail", "root")])
        for query, ids, more in (("?limit=1", [self.both], 1), ("?limit=2", [self.both, self.mail], 0), ("?state=held", [self.mail], 0),
                                 ("?state=live", [self.both, self.mail], 0), ("?state=done", [], 0)):
            part = self.get(query)
            self.assertEqual(([o["id"] for o in part["items"]], part["more"]), (ids, more), query)

    def test_another_one_of_these_sites_is_refused(self) -> None:
        def words(site: str, is_so: str, id: str, state: str, service: str = "") -> str:
            return (f"site {site} is {is_so} by operation {id} ({state}, owner lon-1); weir operation {id} shows it, "
                    f"weir undrain site {site}{service} returns it")
        kept = words("fra", "kept as it is", self.mail, "held", " --service mail")
        bodies: list[dict[str, typing.Any]] = [
            {"sites": ["nyc", "fra"]}, {"sites": ["fra"]}, {"sites": ["fra"], "service": "web"}, {"sites": ["fra"], "service": "mail"},
            {"sites": ["fra", "ams"]}]
        for body in bodies:
            self.refused(self.begin(**body), 409, "operation", kept, operation=self.mail)
        a = self.begin(sites=["nyc", "lon", "fra"])
        state = a.json["detail"].partition("(")[2].partition(",")[0]
        self.assertIn(state, ("starting", "moving"))
        self.refused(a, 409, "operation", words("lon", "being moved", self.both, state), operation=self.both)
        self.assertEqual(self.order(self.both, "hold").status, 200)
        self.refused(self.begin(sites=["lon"]), 409, "operation", words("lon", "kept as it is", self.both, "held"), operation=self.both)

    def test_a_return_is_of_what_one_operation_moves(self) -> None:
        different = "sites: these belong to different operations; return them one after the other"
        only = f"service: operation {self.mail} moves service mail only"
        rows: list[tuple[dict[str, typing.Any], str]] = [
            ({"sites": ["fra"]}, only), ({"sites": ["fra", "ams"]}, only), ({"sites": ["fra"], "service": "web"}, only),
            ({"sites": ["ams"], "service": "web"}, f"service: operation {self.both} moves all services"),
            ({"sites": ["nyc", "fra"]}, different), ({"sites": ["ams", "nyc"]}, different), ({"sites": ["ams", "fra"]}, different)]
        for body, detail in rows:
            with self.subTest(body):
                self.refused(self.begin(do="undrain", **body), 422, "invalid", detail)

    def test_orders_that_have_nothing_to_do_say_so(self) -> None:
        def nothing(id: str, why: str) -> str:
            return f"operation {id}: nothing to do: {why}"
        self.refused(self.order(self.mail, "hold"), 409, "operation", nothing(self.mail, "it is held already (person)"))
        self.refused(self.order(self.both, "resume"), 409, "operation", nothing(self.both, "it is not held"))
        for id in (self.mail, self.both):
            self.refused(self.order(id, "take"), 409, "operation", nothing(id, "node lon-1 owns it"))

    def test_a_return_of_one_site_is_of_all_that_its_operation_moves(self) -> None:
        a = self.begin(do="undrain", sites=["lon"], override_guards=UNMEASURED, over="20m")
        self.assertEqual((a.status, a.json["id"], a.json["sites"], a.json["over_ms"]), (200, self.both, ["ams", "lon"], 1200000), a.raw)
        self.assertIn(a.json["state"], ("returning", "done"))  # it had hardly begun

    def test_what_persons_did_is_in_the_events(self) -> None:
        self.order(self.both, "abort")
        events = self.node.ask("GET", "/v1/events?limit=100").json["items"]
        self.assertEqual([(e["subject"], e["message"], e["node"]) for e in events if e["kind"] == "operation" and " by user" in e["message"]], [
            (self.mail, "drain of site fra begun by user:root: new switches", "lon-1"),
            (self.mail, "hold by user:root: a look", "lon-1"),
            (self.both, "drain of site ams begun by user:root: new switches", "lon-1"),
            (self.both, "abort by user:root: a look", "lon-1")])



class Clocked(World):
    """Drains by the clock, which an operation returns."""

    def command(self, site: str, do: str = "drain", **body: typing.Any) -> None:
        a = self.node.ask("POST", "/v1/overrides", {"do": do, "target": {"site": site}, "reason": "a test", **body})
        self.assertIn(a.status, (200, 201), a.raw)

    def live(self) -> list[tuple[str, str]]:
        return [(o["do"], o["state"]) for o in self.node.ask("GET", "/v1/overrides").json["items"]]

    def test_one_that_is_to_come_counts_as_a_site_that_is_out(self) -> None:
        past = [g for g in UNMEASURED if g != "max-sites-out"]
        self.command("ams", until="+4h", **{"from": "+1h"})
        a = self.begin(sites=["fra"], override_guards=past)
        self.assertEqual((a.status, a.json["detail"]), (409, "max-sites-out: 2 sites would be out; max_sites_out is 1"), a.raw)
        a = self.begin(sites=["fra"], until="+30m", override_guards=past)
        self.assertNotIn("2 sites", str(a.json.get("detail")))  # it is back before

    def test_one_that_has_not_begun_is_ended(self) -> None:
        rows: list[tuple[str, dict[str, typing.Any], bool, dict[str, typing.Any]]] = [
            ("scheduled", {"over": "20s"}, False, {}), ("scheduled, and now", {"over": "20s"}, False, {"now": True}),
            ("without a ramp", {}, False, {}), ("it begins in an hour", {"from": "+1h"}, False, {}),
            ("held before it began", {"over": "20s"}, True, {}), ("held, it begins in an hour", {"from": "+1h"}, True, {"now": True})]
        for why, drain, is_held, undrain in rows:
            with self.subTest(why):
                self.command("ams", until="+4h", **drain)
                if is_held:
                    self.command("ams", "hold")
                self.assertEqual(self.live(), [("drain", "scheduled")] + [("hold", "held")] * is_held)
                a = self.begin(do="undrain", sites=["ams"], **undrain)
                self.assertEqual((a.status, a.json.get("sites"), a.json.get("level_ppm")), (200, ["ams"], 0), a.raw)
                wait_for("its end", lambda id=a.json["id"]: self.node.ask("GET", f"/v1/operations/{id}").json["state"] == "done")
                self.assertEqual(self.live(), [])
                self.refused(self.begin(do="undrain", sites=["ams"]), 409, "nothing-to-end", "site ams is not drained")


    def test_what_is_drained_otherwise_is_not_said_to_be_back(self) -> None:
        self.command("ams", until="+4h", now=True)
        self.refused(self.begin(do="undrain", sites=["ams"], service="web"), 422, "invalid",
                     "service: at site ams all services are drained: weir undrain site ams returns that")
        self.begun(sites=["fra"], service="mail")
        wait_for("a step", lambda: [o for o in self.node.ask("GET", "/v1/overrides").json["items"] if o["target"].get("site") == "fra"])
        self.command("fra", until="+4h")  # it ends the operation, and keeps what that has drained
        self.command("fra", "undrain")
        wait_for("its end", lambda: not self.node.ask("GET", "/v1/operations?state=live").json["items"])
        bodies: list[dict[str, typing.Any]] = [{}, {"service": "web"}]
        for body in bodies:
            self.refused(self.begin(do="undrain", sites=["fra"], **body), 422, "invalid",
                         "service: at site fra one service alone is drained: weir undrain site fra --service mail returns that")
        self.assertEqual(self.begin(do="undrain", sites=["fra"], service="mail").status, 200)


class Peer(World):
    """What another node asks."""
    more_nodes = ', { name = "ams-1"; site = "ams"; ports = ( { interface = "eth1"; } ); tunnel_source = [ "10.0.255.0/24" ]; clock = "trusted"; }'

    def ask(self, **body: typing.Any) -> Answer:
        return self.node.ask("POST", "/v1/peer/exchange", {"query": "operations", **body})

    def pass_on(self, id: str, verb: str, **body: typing.Any) -> Answer:
        deadline = self.ask(node="ams-1", cluster="shop").json["boot_ms"] + 60000
        a = self.ask(query="order", node="ams-1", cluster="shop", id=id, order=verb, **{
            "principal": "token:otto", "reason": "a look", "author": "jw", "by_ms": deadline, **body})
        if a.status == 200:
            self.assertEqual((a.json.pop("node"), a.json.pop("cluster")), ("lon-1", "shop"))
        return a

    def test_only_another_node_of_the_cluster_is_answered(self) -> None:
        names, other = "expected node, cluster and a query that this release knows", "this node belongs to another cluster or has no configuration yet"
        nobody = "the document in force here has no other node of that name"
        rows: list[tuple[dict[str, typing.Any], int, str, str]] = [
            ({}, 400, "bad-request", names), ({"node": "ams-1"}, 400, "bad-request", names), ({"cluster": "shop"}, 400, "bad-request", names),
            ({"node": 7, "cluster": "shop"}, 400, "bad-request", names), ({"node": "ams-1", "cluster": "other"}, 409, "other-cluster", other),
            ({"node": "par-1", "cluster": "shop"}, 410, "not-a-node", nobody), ({"node": "lon-1", "cluster": "shop"}, 410, "not-a-node", nobody)]
        for body, status, code, detail in rows:
            with self.subTest(body):
                self.refused(self.ask(**body), status, code, detail)

    def test_it_hears_what_is_in_force_and_with_the_word_for_it_what_is_measured(self) -> None:
        a = self.ask(node="ams-1", cluster="shop")
        self.assertGreater(a.json.pop("boot_ms"), 0)
        self.assertEqual((a.status, a.json), (200, {"node": "lon-1", "cluster": "shop", "levels": [], "dns": False, "measure": None}))
        made = [self.node.ask("POST", "/v1/overrides", {"do": kind, "target": {"site": site}, "reason": "a test", "until": "never", "now": True}).json["override"]
                for kind, site in (("drain", "ams"), ("disable", "nyc"))]
        b = self.ask(node="ams-1", cluster="shop", measure=True).json
        self.assertEqual(b["levels"], [{"override": o["id"], "site": o["target"]["site"], "level_ppm": 1000000,
                                        "in_force": {"generation": o["generation"], "epoch": 0, "step": 0}} for o in made])
        # no other process of the node runs: what is not known is not there
        self.assertEqual(b["measure"], {"node": "lon-1", "cluster": "shop", "announce": "unknown", "flows": None, "drills": []})

    def test_an_order_that_is_passed_on_says_how_it_is_meant(self) -> None:
        wrong = "expected a principal, an order, its deadline, a pace of up to 7 days, and a level"
        week = 7 * 24 * 3600 * 1000
        rows: list[tuple[str, dict[str, typing.Any], bool]] = [
            ("hold", {}, True), ("take", {}, False), ("jump", {}, False), ("hold", {"principal": None}, False),
            ("hold", {"principal": "x" * 500}, False), ("return", {"over_ms": week}, True), ("return", {"over_ms": week + 1}, False),
            ("return", {"over_ms": -1}, False), ("further", {"goal_ppm": 1000000}, True), ("further", {"goal_ppm": 1000001}, False),
            ("further", {"goal_ppm": -1}, False), ("further", {"until_ms": 0}, True), ("further", {"until_ms": -1}, False),
            ("abort", {"by_ms": 1}, True), ("abort", {"by_ms": 0}, False), ("resume", {"by_ms": "1"}, False)]
        for verb, body, is_read in rows:
            with self.subTest((verb, body)):
                a = self.pass_on("none", verb, **body)
                if is_read:
                    self.assertEqual((a.status, a.json), (200, {"status": 404, "code": "not-found", "text": "there is no operation none", "json": None}))
                else:
                    self.refused(a, 400, "bad-request", wrong)
        known = "is not a known field; known fields: reason, author, override_guards, without"
        self.refused(self.pass_on("none", "hold", level="3%"), 422, "invalid", f"level: {known}", errors=[{"field": "level", "detail": known}])

    def test_the_owner_does_as_its_peer_was_told_unless_it_is_late(self) -> None:
        id = self.begun(sites=["fra"], without=["ams-1"])
        late = {"status": 503, "code": "busy", "text": "the owner took too long to decide: nothing was changed", "json": None}
        self.assertEqual(self.pass_on(id, "hold", by_ms=1).json, late)
        a = self.pass_on(id, "hold").json
        o = a.pop("json")
        self.assertEqual(a, {"status": 200, "code": "", "text": ""})
        self.assertEqual((o["id"], o["state"], o["hold"]["code"], o["hold"]["detail"], o["without"]), (id, "held", "person", "jw: a look", ["ams-1"]))
        self.assertEqual([(n["node"], n["reached"], n["named_absent"]) for n in o["nodes"]], [("ams-1", False, True), ("lon-1", True, False)])
        again = self.pass_on(id, "hold").json
        self.assertEqual(again, {"status": 409, "code": "operation", "text": f"operation {id}: nothing to do: it is held already (person)", "json": None})
        events = self.node.ask("GET", "/v1/events?limit=100").json["items"]
        self.assertEqual([e["message"] for e in events if e["kind"] == "operation" and " by token" in e["message"]], ["hold by token:otto: a look"])


if __name__ == "__main__":
    counted.main()
