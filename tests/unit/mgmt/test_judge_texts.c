/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the judgement says, to the letter, on a node with two of everything: each subject for
 * itself, and each limit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "mgmt/judge/judge.h"
#include "tests/unit/suite.h"

#define DATAPLANE 0
#define HEALTH    1
#define DNS       2
#define MGMT      3

static struct judge_facts f;
static struct judge_process processes[4];
static struct judge_pool pools[2];
static struct judge_peer peers[2];
static struct judge_site sites[2];
static struct conditions stated[5]; /* of the processes, then of weir run */
static struct judge_verdict v;

/* A node on which nothing is wrong. */
static int setup(void **state)
{
	static const char *const names[] = { "dataplane", "health", "dns", "mgmt" };

	(void)state;
	memset(stated, 0, sizeof(stated));
	for (int i = 0; i < 4; i++)
		processes[i] = (struct judge_process){ .name = names[i],
			                               .present = true,
			                               .running = true,
			                               .age_ms = 100,
			                               .document = 7,
			                               .conditions = &stated[i] };
	for (int i = 0; i < 2; i++)
		pools[i] = (struct judge_pool){ .name = i ? "api" : "web",
			                        .n_backends = 3,
			                        .n_meant = 3,
			                        .checked = true,
			                        .health_fresh = true,
			                        .n_up = 3,
			                        .in_force = true,
			                        .n_serving = 3,
			                        .n_slots = 64 };
	peers[0] = (struct judge_peer){ .node = "fra-1", .detail = "" };
	peers[1] = (struct judge_peer){ .node = "lon-1", .detail = "timed out" };
	sites[0] = (struct judge_site){ .name = "fra" };
	sites[1] = (struct judge_site){ .name = "lon" };
	f = (struct judge_facts){ .has_intent = true,
		                  .has_configuration = true,
		                  .document = 7,
		                  .processes = processes,
		                  .n_processes = 4,
		                  .supervisor = { .name = "run",
		                                  .present = true,
		                                  .running = true,
		                                  .conditions = &stated[4] },
		                  .ports_known = true,
		                  .answers = true,
		                  .n_ports = 2,
		                  .n_ports_meant = 2,
		                  .effect_fresh = true,
		                  .pools = pools,
		                  .n_pools = 2,
		                  .sites = sites,
		                  .n_sites = 2,
		                  .has_peers = true,
		                  .has_token = true,
		                  .peers = peers,
		                  .n_peers = 2 };
	return 0;
}

/* The verdict on the facts as they are: its state, and a line for each reason and note. */
static const char *print_verdict(void)
{
	static char text[8192];
	size_t n;

	judge(&f, &v);
	n = (size_t)snprintf(text, sizeof(text), "%s\n", judge_state_text(v.state));
	for (size_t i = 0; i < v.n_reasons + v.n_notes; i++) {
		const struct judge_reason *r =
		        i < v.n_reasons ? &v.reasons[i] : &v.notes[i - v.n_reasons];

		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s [%s] %s\n",
		                      i < v.n_reasons ? "" : "note ", r->code, r->subject, r->text);
	}
	return text;
}

static void is_well(void)
{
	assert_string_equal(print_verdict(), "well\n");
}

static struct condition *state_of(int process, const char *code, enum condition_level level,
                                  const char *subject)
{
	struct condition *c = &stated[process].items[stated[process].n++];

	snprintf(c->code, sizeof(c->code), "%s", code);
	snprintf(c->subject, sizeof(c->subject), "%s", subject);
	snprintf(c->text, sizeof(c->text), "do something");
	c->level = level;
	c->since_ms = 5;
	if (level > stated[process].worst)
		stated[process].worst = level;
	return c;
}

static void forwarding_stops_with_dead_workers_and_with_ports_without_program(void **state)
{
#define SILENT(p)                                                                                  \
	"process-silent [weir-" p "] weir-" p " is dead, or does not answer: see its log\n"
	(void)state;
	processes[DATAPLANE].running = false;
	assert_string_equal(print_verdict(), "degraded\n" SILENT("dataplane"));
	f.no_program = true;
	assert_string_equal(print_verdict(),
	                    "down\nforwarding-stopped [weir-dataplane] weir-dataplane has "
	                    "stopped, and no port has its program any more: nothing is forwarded; "
	                    "start it\n" SILENT("dataplane"));
	f.dpdk = f.workers_forward = true;
	assert_string_equal(print_verdict(), "degraded\n" SILENT("dataplane"));
	f.workers_forward = f.no_program = false;
	assert_string_equal(
	        print_verdict(),
	        "down\nforwarding-stopped [weir-dataplane] weir-dataplane has stopped: with "
	        "DPDK nothing is forwarded; start it\n" SILENT("dataplane"));
	f.workers_forward = true;
	assert_string_equal(print_verdict(), "degraded\n" SILENT("dataplane"));
	f.workers_forward = false;
	processes[DATAPLANE].present = false;
	assert_string_equal(
	        print_verdict(),
	        "degraded\nprocess-silent [weir-dataplane] weir-dataplane has not run here "
	        "yet: start weir run\n");
	f.dpdk = false;
	f.no_program = f.starts = true; /* after a boot there is no page yet */
	assert_string_equal(
	        print_verdict(),
	        "degraded\nprocess-silent [weir-dataplane] weir-dataplane has not run here "
	        "yet: start weir run\n");
	f.starts = false; /* and a process that fails at its start makes none */
	assert_string_equal(
	        print_verdict(),
	        "down\nforwarding-stopped [weir-dataplane] weir-dataplane has not run here yet, "
	        "and no port has its program: nothing is forwarded; start it\n"
	        "process-silent [weir-dataplane] weir-dataplane has not run here yet: start weir "
	        "run\n");
	f.n_processes = 0; /* nothing is known of processes */
	is_well();
}

static void a_silent_process_is_described_by_its_age(void **state)
{
	(void)state;
	processes[DNS].running = processes[MGMT].running = false;
	processes[DNS].age_ms = 2000;
	processes[MGMT].age_ms = 2001;
	assert_string_equal(
	        print_verdict(),
	        "degraded\n" SILENT("dns") "process-silent [weir-mgmt] weir-mgmt has shown no "
	                                   "sign of life for 2.0 s: see its log\n");
	f.n_ports_meant = 0; /* this node only answers */
	f.n_ports = 0;
	assert_string_equal(print_verdict(),
	                    "down\nanswering-stopped [weir-dns] weir-dns has stopped: no DNS query "
	                    "is answered; start it\n" SILENT(
	                            "dns") "process-silent [weir-mgmt] weir-mgmt has "
	                                   "shown no sign of life for 2.0 s: see its log\n");
	f.answers = false;
	processes[MGMT].running = true;
	assert_string_equal(print_verdict(), "degraded\n" SILENT("dns"));
}

static void weir_run_is_missed_where_it_was(void **state)
{
	(void)state;
	f.supervisor.running = false;
	assert_string_equal(
	        print_verdict(),
	        "degraded\nsupervisor-silent [weir run] weir run is dead or hangs: failed "
	        "processes are not restarted; start it (running processes continue)\n");
	processes[DNS].running = false; /* as after weir run --stop: no log says more */
	processes[DNS].age_ms = 60000;
	assert_non_null(strstr(
	        print_verdict(),
	        "process-silent [weir-dns] weir-dns has stopped, or hangs, and so does weir run, "
	        "which restarts it: start weir run (systemctl start weir)\n"));
	processes[DNS].running = true;
	f.supervisor.present = false;
	is_well();
}

static void ports_are_counted(void **state)
{
	static const struct {
		bool known;
		size_t n, meant;
		const char *verdict;
	} rows[] = {
		{ true, 0, 2,
		  "down\nno-port [weir-dataplane] none of the 2 ports carries the program: nothing is "
		  "forwarded; the log of weir-dataplane says why\n" },
		{ true, 1, 2,
		  "degraded\nports-missing [weir-dataplane] weir-dataplane has its program on 1 of 2 "
		  "ports; its log says why\n" },
		{ true, 2, 2, "well\n" },
		{ true, 3, 2, "well\n" },
		{ true, 0, 0, "well\n" },
		{ false, 0, 2, "well\n" },
		{ false, 1, 2, "well\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		f.ports_known = rows[i].known;
		f.n_ports = rows[i].n;
		f.n_ports_meant = rows[i].meant;
		assert_string_equal(print_verdict(), rows[i].verdict);
	}
	f.ports_known = true;
	f.n_ports_meant = 2;
	for (f.n_ports = 0; f.n_ports < 2; f.n_ports++) {
		stated[DATAPLANE].n = 0;
		state_of(DATAPLANE, "port-no-carrier", CONDITION_DEGRADED, "eth1");
		assert_string_equal(print_verdict(),
		                    "degraded\nport-no-carrier [eth1] eth1: do something\n");
	}
}

static void conditions_of_each_process_are_told(void **state)
{
	(void)state;
	state_of(HEALTH, "checks-stuck", CONDITION_DEGRADED, "web");
	state_of(DNS, "listen-failed", CONDITION_DOWN, "");
	state_of(4, "restarts", CONDITION_DEGRADED, ""); /* weir run */
	state_of(MGMT, "hint", CONDITION_NOTE, "x");
	state_of(MGMT, "hint", CONDITION_NOTE, "");
	assert_string_equal(print_verdict(),
	                    "down\nlisten-failed [] weir-dns: do something\n"
	                    "checks-stuck [web] web: do something\n"
	                    "restarts [] weir-run: do something\n"
	                    "note hint [x] x: do something\nnote hint [] do something\n");
	for (size_t i = 0; i < v.n_reasons; i++)
		assert_int_equal(v.reasons[i].since_ms, 5);
	assert_int_equal(v.reasons[0].state, JUDGE_DOWN);
	assert_int_equal(v.reasons[1].state, JUDGE_DEGRADED);
	assert_int_equal(v.notes[0].state, JUDGE_WELL);
	assert_int_equal(v.notes[1].since_ms, 5);
	f.supervisor.running = f.supervisor.present = false;
	f.supervisor.conditions = &stated[4]; /* history */
	stated[DNS].n = 0;
	assert_string_equal(print_verdict(),
	                    "degraded\nchecks-stuck [web] web: do something\n"
	                    "note hint [x] x: do something\nnote hint [] do something\n");
}

static void more_notes_than_fit_are_left_out(void **state)
{
	size_t room = sizeof(v.notes) / sizeof(v.notes[0]), n = 0;

	(void)state;
	for (int p = 0; p < 4; p++)
		for (unsigned i = 0; i < CONDITIONS_MAX && n <= room; i++, n++)
			state_of(p, "hint", CONDITION_NOTE, "x");
	if (n <= room)
		fail_msg("%zu notes are too few", n);
	judge(&f, &v);
	assert_int_equal(v.state, JUDGE_WELL);
	assert_int_equal(v.n_notes, room);
	assert_string_equal(v.notes[room - 1].text, "x: do something");
}

static void conditions_that_are_missing_are_said(void **state)
{
	(void)state;
	processes[DNS].conditions_unread = true;
	processes[DNS].conditions = NULL;
	stated[HEALTH].n_left_out = 3;
	stated[HEALTH].worst = CONDITION_DEGRADED;
	stated[MGMT].n_left_out = 4;
	stated[MGMT].worst = CONDITION_NOTE;
	assert_string_equal(
	        print_verdict(),
	        "degraded\nconditions-unread [health] weir-health states 3 more conditions than can be "
	        "shown: clear those that are shown first\n"
	        "conditions-unread [dns] the conditions of weir-dns cannot be read, so its problems are "
	        "unknown: if this lasts, restart it (systemctl restart weir)\n");
	processes[DNS].running = processes[HEALTH].running = false;
	assert_string_equal(print_verdict(), "degraded\n" SILENT("health") SILENT("dns"));
}

static void a_document_is_refused_or_late(void **state)
{
#define LATE                                                                                       \
	"degraded\ndocument-pending [weir-health] weir-health has not taken document 7 yet (it "   \
	"has 6): see its log\n"
	(void)state;
	processes[HEALTH].document = 6;
	processes[HEALTH].pending_ms = 2999;
	is_well();
	processes[HEALTH].pending_ms = 3000;
	assert_string_equal(print_verdict(), LATE);
	processes[MGMT].document = 8; /* newer than what was looked at */
	assert_string_equal(print_verdict(), LATE);
	processes[HEALTH].document = 0; /* not known: it may serve all the same */
	assert_string_equal(
	        print_verdict(),
	        "degraded\ndocument-pending [weir-health] weir-health has taken no document yet, or "
	        "does not say which (the newest is 7): see its log\n");
	processes[HEALTH].document = 6;
	processes[HEALTH].refused = true;
	assert_string_equal(
	        print_verdict(),
	        "degraded\ndocument-refused [weir-health] weir-health has refused the newest "
	        "document; its log says why\n");
	state_of(HEALTH, "document-refused", CONDITION_DEGRADED, "");
	assert_string_equal(print_verdict(),
	                    "degraded\ndocument-refused [] weir-health: do something\n");
	processes[HEALTH].refused = false;
	assert_string_equal(print_verdict(),
	                    "degraded\ndocument-refused [] weir-health: do something\n");
	processes[HEALTH].running = false;
	assert_string_equal(print_verdict(), "degraded\n" SILENT("health"));
}

static void what_is_in_force_must_be_seen_where_there_is_something(void **state)
{
	(void)state;
	f.effect_fresh = false;
	assert_string_equal(print_verdict(),
	                    "degraded\neffect-unknown [weir-dataplane] the tables of "
	                    "weir-dataplane cannot be read: see its log\n");
	f.n_pools = 0;
	is_well();
	f.n_pools = 2;
	processes[DATAPLANE].document = 0; /* it has just started */
	assert_string_equal(
	        print_verdict(),
	        "degraded\neffect-unknown [weir-dataplane] weir-dataplane has not taken a "
	        "document yet, so what is in force is not known\n");
	f.document = 0;
	is_well();
	f.effect_fresh = true;
	f.waits_for_connections = true;
	assert_string_equal(
	        print_verdict(),
	        "degraded\nconnections-pending [weir-dataplane] weir-dataplane waits for "
	        "a peer's connection state: routers should not send it packets yet\n");
	processes[DATAPLANE].running = f.effect_fresh = false;
	assert_string_equal(print_verdict(), "degraded\n" SILENT("dataplane"));
}

static void the_intents_troubles_are_said(void **state)
{
	(void)state;
	f.has_configuration = false;
	assert_string_equal(
	        print_verdict(),
	        "degraded\nno-configuration [] there is no configuration: apply one (weir apply FILE)\n");
	f.has_intent = false; /* weir-mgmt does not speak: not known */
	is_well();
	f.has_configuration = f.has_intent = true;
	f.store_reason = f.unwritten_reason = "";
	is_well();
	f.store_reason = "disk I/O error";
	f.unwritten_reason = "No space left on device";
	f.unconfirmed = 12;
	assert_string_equal(
	        print_verdict(),
	        "degraded\nstore-failing [] the store fails: disk I/O error; check the disk and store.db (handbook)\n"
	        "document-unwritten [] the effective document cannot be written (No space left on device), so changes "
	        "do not reach the processes: free disk space, or let weir-mgmt write its directory\n"
	        "version-unconfirmed [] version 12 is not confirmed: run weir confirm to keep it, else it is rolled back\n");
}

static void a_pool_that_forwards_nothing_is_down(void **state)
{
	(void)state;
	pools[1].n_serving = 0;
	pools[1].n_empty = 64; /* follows from it */
	assert_string_equal(
	        print_verdict(),
	        "down\npool-forwards-nothing [api] pool api forwards nothing: none of its 3 "
	        "backends takes packets; see weir why pool api\n");
	pools[1].n_meant = 0;
	assert_string_equal(
	        print_verdict(),
	        "down\npool-forwards-nothing [api] pool api forwards nothing: none of its 3 backends "
	        "takes packets (overrides take all of them out); see weir why pool api\n");
	pools[1].in_force = false;
	is_well();
	pools[1].in_force = true;
	pools[1].n_backends = 0; /* it is meant to be empty */
	is_well();
}

/* Late clients of a drained site are served: dataplane's own note says by whom. */
static void a_pool_whose_backup_serves_is_not_down(void **state)
{
	(void)state;
	pools[1].n_serving = 0;
	pools[1].n_backup_serving = 2;
	is_well();
	pools[1].n_empty = 2;
	assert_string_equal(
	        print_verdict(),
	        "degraded\nslots-empty [api] 2 of 64 slots of pool api have no owner: their "
	        "packets are dropped (weir status --pool api shows its backends)\n");
}

static struct judge_names names_of(size_t n)
{
	static const char *const all[JUDGE_NAMED_MAX + 1] = { "b1", "b2", "b3" };
	struct judge_names names = { .n = n };

	for (size_t i = 0; i < n && i < JUDGE_NAMED_MAX; i++)
		names.first[i] = all[i] ? all[i] : "b";
	return names;
}

static void backends_that_are_down_are_named_until_all_are(void **state)
{
	(void)state;
	pools[1].down = names_of(2);
	assert_string_equal(
	        print_verdict(),
	        "degraded\nbackend-down [api/b1] backend api/b1 is down: weir health shows why\n"
	        "backend-down [api/b2] backend api/b2 is down: weir health shows why\n");
	pools[1].health_fresh = false;
	is_well();
	pools[1].health_fresh = true;
	pools[1].down = names_of(3);
	assert_string_equal(
	        print_verdict(),
	        "down\npool-all-down [api] all backends of pool api are down: weir health shows why\n");
	pools[1].n_serving = 0;
	pools[1].n_backup_serving = 1; /* which takes all packets */
	assert_string_equal(
	        print_verdict(),
	        "degraded\nbackend-down [api/b1] backend api/b1 is down: weir health shows why\n"
	        "backend-down [api/b2] backend api/b2 is down: weir health shows why\n"
	        "backend-down [api/b3] backend api/b3 is down: weir health shows why\n");
	pools[1].in_force = false; /* nobody says whether it does */
	assert_string_equal(
	        print_verdict(),
	        "down\npool-all-down [api] all backends of pool api are down: weir health shows why\n");
	pools[1].in_force = true;
	pools[1].n_serving = 3;
	pools[1].n_backup_serving = 0;
	pools[1].health_fresh = false;
	is_well();
	pools[1].health_fresh = true;
	pools[1].n_backends = JUDGE_NAMED_MAX + 2;
	pools[1].down = names_of(JUDGE_NAMED_MAX + 1);
	char text[200];
	snprintf(
	        text, sizeof(text),
	        "degraded\nbackend-down [api] %u of %u backends of pool api are down: weir health shows why\n",
	        JUDGE_NAMED_MAX + 1, JUDGE_NAMED_MAX + 2);
	assert_string_equal(print_verdict(), text);
}

static void a_missing_next_hop_is_blamed_once(void **state)
{
	char text[300];

	(void)state;
	pools[1].no_next_hop = names_of(2);
	assert_string_equal(
	        print_verdict(),
	        "degraded\nbackend-no-next-hop [api/b1] backend api/b1 has no next hop: packets of its slots are dropped (ip route get ADDRESS)\n"
	        "backend-no-next-hop [api/b2] backend api/b2 has no next hop: packets of its slots are dropped (ip route get ADDRESS)\n");
	state_of(DATAPLANE, "next-hop-missing", CONDITION_DEGRADED, "api/b1");
	pools[1].out = names_of(1);
	pools[1].down = names_of(1); /* a check's verdict is another trouble */
	assert_string_equal(
	        print_verdict(),
	        "degraded\nnext-hop-missing [api/b1] api/b1: do something\n"
	        "backend-no-next-hop [api/b2] backend api/b2 has no next hop: packets of its slots are dropped (ip route get ADDRESS)\n"
	        "backend-down [api/b1] backend api/b1 is down: weir health shows why\n");
	setup(NULL);
	pools[1].n_backends = JUDGE_NAMED_MAX + 2;
	pools[1].no_next_hop = names_of(JUDGE_NAMED_MAX + 1);
	snprintf(
	        text, sizeof(text),
	        "degraded\nbackend-no-next-hop [api] %u of %u backends of pool api have no next hop: packets of "
	        "their slots are dropped (ip route get ADDRESS)\n",
	        JUDGE_NAMED_MAX + 1, JUDGE_NAMED_MAX + 2);
	assert_string_equal(print_verdict(), text);
	pools[1].in_force = false;
	is_well();
}

static void what_the_tables_lack_is_said(void **state)
{
	(void)state;
	pools[1].out = names_of(1);
	pools[1].n_empty = 5;
	assert_string_equal(
	        print_verdict(),
	        "degraded\nslots-empty [api] 5 of 64 slots of pool api have no owner: their packets are dropped (weir status --pool api shows its backends)\n"
	        "backend-out [api/b1] backend api/b1 should serve, but gets no traffic: weir why backend POOL/BACKEND shows why\n");
	pools[1].in_force = false;
	is_well();
}

static void checks_without_a_verdict_are_said(void **state)
{
	(void)state;
	pools[1].silent = names_of(2);
	pools[1].inconclusive = names_of(3);
	assert_string_equal(
	        print_verdict(),
	        "degraded\nchecks-silent [api] 2 of 3 backends of pool api have no verdict of their check: weir health shows why\n"
	        "checks-inconclusive [api] all checks of pool api are inconclusive, their verdicts are old: the checker is late, or its probes cannot leave, or its control targets do not answer; weir health shows which\n");
	pools[1].checked = false;
	is_well();
	pools[1].checked = true;
	pools[1].health_fresh = false;
	is_well();
	pools[1].health_fresh = true;
	pools[1].silent = names_of(0);
	pools[1].inconclusive = names_of(2);
	is_well();
	pools[1].inconclusive = names_of(0);
	pools[1].n_backends = 0;
	is_well();
}

static void a_pool_that_is_drained_whole_is_said(void **state)
{
	(void)state;
	pools[1].n_meant = 0;
	pools[1].n_drained = 3;
	assert_string_equal(
	        print_verdict(),
	        "degraded\npool-all-drained [api] all backends of pool api are drained by "
	        "overrides: they keep serving with equal weights, since no other is left\n");
	pools[1].n_meant = 1;
	is_well();
	pools[1].n_meant = pools[1].n_drained = 0; /* all have weight 0 */
	is_well();
	pools[1].n_drained = 3;
	pools[1].n_backends = 0;
	is_well();
}

static void sites_and_drains_are_said(void **state)
{
	(void)state;
	sites[1].down = true;
	assert_string_equal(
	        print_verdict(),
	        "degraded\nsite-down [lon] site lon is down as seen from here: see weir why site lon\n");
	sites[1].down = false;
	sites[1].drain_held = true;
	assert_string_equal(
	        print_verdict(),
	        "degraded\ndrain-held [lon] the drain of site lon has expired and is held: the site is not up as seen from outside; weir undrain site lon --scheduled --now ends it anyway\n");
}

static void each_peer_is_judged_by_its_state(void **state)
{
	static const struct {
		enum judge_peer_state state;
		const char *verdict;
	} rows[] = {
		{ JUDGE_PEER_REFUSED,
		  "degraded\npeer-token-refused [lon-1] node lon-1 refuses our peer.token: put the same file on both nodes: timed out\n" },
		{ JUDGE_PEER_NEVER,
		  "degraded\npeer-never-heard [lon-1] node lon-1 has never answered since weir-mgmt started: timed out\n" },
		{ JUDGE_PEER_UNREACHABLE,
		  "degraded\npeer-unreachable [lon-1] node lon-1 is unreachable: timed out\n" },
		{ JUDGE_PEER_BEHIND,
		  "degraded\npeer-behind [lon-1] node lon-1 is behind: it does not take this node's version or overrides; weir status on that node shows why: timed out\n" },
		{ JUDGE_PEER_DIFFERS,
		  "degraded\npeer-differs [lon-1] node lon-1 runs another configuration than this node, and no store decides for both: weir store status on each: timed out\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		peers[1].state = rows[i].state;
		peers[1].behind_ms = 15000;
		f.has_token = true;
		assert_string_equal(print_verdict(), rows[i].verdict);
		f.has_token = false; /* that is the reason then */
		assert_string_equal(
		        print_verdict(),
		        "degraded\npeer-token-missing [peer.token] there is no usable peer.token "
		        "in the configuration directory: nothing is exchanged with other "
		        "nodes; put the same file on every node\n");
	}
	f.has_token = true;
	peers[1].state = JUDGE_PEER_BEHIND; /* it just catches up */
	peers[1].behind_ms = 14999;
	is_well();
	f.has_token = false;
	f.has_peers = false;
	is_well();
	f.has_token = true;
	peers[1].detail = "";
	peers[1].state = JUDGE_PEER_UNREACHABLE;
	assert_string_equal(print_verdict(),
	                    "degraded\npeer-unreachable [lon-1] node lon-1 is unreachable\n");
}

SUITE(judge_texts)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(forwarding_stops_with_dead_workers_and_with_ports_without_program),
		T(a_silent_process_is_described_by_its_age),
		T(weir_run_is_missed_where_it_was),
		T(ports_are_counted),
		T(conditions_of_each_process_are_told),
		T(more_notes_than_fit_are_left_out),
		T(conditions_that_are_missing_are_said),
		T(a_document_is_refused_or_late),
		T(what_is_in_force_must_be_seen_where_there_is_something),
		T(the_intents_troubles_are_said),
		T(a_pool_that_forwards_nothing_is_down),
		T(a_pool_whose_backup_serves_is_not_down),
		T(backends_that_are_down_are_named_until_all_are),
		T(a_missing_next_hop_is_blamed_once),
		T(what_the_tables_lack_is_said),
		T(checks_without_a_verdict_are_said),
		T(a_pool_that_is_drained_whole_is_said),
		T(sites_and_drains_are_said),
		T(each_peer_is_judged_by_its_state),
	};

	return cmocka_run_group_tests_name("judge texts", tests, NULL, NULL);
}
