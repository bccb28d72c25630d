/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The judgement over a node (mgmt/judge/judge.h): a case for each row of its table, and that each
 * row has one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mgmt/judge/judge.h"
#include "tests/unit/suite.h"

#define DATAPLANE 0
#define HEALTH    1
#define DNS       2
#define MGMT      3

/* A node on which nothing is wrong: a port, a pool of three, a peer, a site. Cases spoil it. */
struct world {
	struct judge_facts f;
	struct judge_process processes[4];
	struct judge_pool pool;
	struct judge_peer peer;
	struct judge_site site;
	struct conditions conditions;
};

static struct world *new_world(void)
{
	static const char *const names[] = { "dataplane", "health", "dns", "mgmt" };
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	for (int i = 0; i < 4; i++)
		w->processes[i] = (struct judge_process){ .name = names[i],
			                                  .present = true,
			                                  .running = true,
			                                  .age_ms = 100,
			                                  .document = 7 };
	w->processes[DATAPLANE].conditions = &w->conditions;
	w->pool = (struct judge_pool){ .name = "web",
		                       .n_backends = 3,
		                       .n_meant = 3,
		                       .checked = true,
		                       .health_fresh = true,
		                       .n_up = 3,
		                       .in_force = true,
		                       .n_serving = 3,
		                       .n_slots = 64 };
	w->peer = (struct judge_peer){ .node = "fra-1", .detail = "" };
	w->site = (struct judge_site){ .name = "fra" };
	w->f = (struct judge_facts){
		.has_intent = true,
		.has_configuration = true,
		.store_reason = "",
		.unwritten_reason = "",
		.document = 7,
		.processes = w->processes,
		.n_processes = 4,
		.ports_known = true,
		.answers = true,
		.n_ports = 1,
		.n_ports_meant = 1,
		.effect_fresh = true,
		.pools = &w->pool,
		.n_pools = 1,
		.sites = &w->site,
		.n_sites = 1,
		.has_peers = true,
		.has_token = true,
		.peers = &w->peer,
		.n_peers = 1,
	};
	return w;
}

static void state_condition(struct world *w, const char *code, enum condition_level level)
{
	struct condition *c = &w->conditions.items[w->conditions.n++];

	strcpy(c->code, code);
	strcpy(c->subject, "eth1");
	strcpy(c->text, "what to do");
	c->level = level;
	c->since_ms = 5;
	if (level > w->conditions.worst)
		w->conditions.worst = level;
}

static void add_name(struct judge_names *names, const char *one)
{
	if (names->n < JUDGE_NAMED_MAX)
		names->first[names->n] = one;
	names->n++;
}

static void forwarding_stops(struct world *w)
{
	w->f.dpdk = true;
	w->processes[DATAPLANE].running = false;
}

static void no_port_carries(struct world *w)
{
	w->f.n_ports = 0;
}

static void answering_stops(struct world *w)
{
	w->f.n_ports_meant = w->f.n_ports = 0;
	w->processes[DNS].running = false;
}

static void it_is_stated_down(struct world *w)
{
	state_condition(w, "port-no-carrier", CONDITION_DOWN);
}

static void none_serves(struct world *w)
{
	w->pool.n_serving = 0;
}

static void all_are_down(struct world *w)
{
	for (int i = 0; i < 3; i++)
		add_name(&w->pool.down, "b");
	w->pool.n_up = 0;
}

static void one_is_silent(struct world *w)
{
	w->processes[HEALTH].running = false;
	w->processes[HEALTH].age_ms = 2500;
}

static void supervisor_is_dead(struct world *w)
{
	w->f.supervisor = (struct judge_process){ .name = "run", .present = true };
}

static void one_refuses(struct world *w)
{
	w->processes[DNS].refused = true;
}

static void one_is_late(struct world *w)
{
	w->processes[DNS].document = 6;
	w->processes[DNS].pending_ms = 3000;
}

static void it_is_stated_degraded(struct world *w)
{
	state_condition(w, "listen-failed", CONDITION_DEGRADED);
}

static void conditions_are_unread(struct world *w)
{
	w->processes[DNS].conditions_unread = true;
}

static void a_port_is_missing(struct world *w)
{
	w->f.n_ports_meant = 2;
}

static void effect_is_unknown(struct world *w)
{
	w->f.effect_fresh = false;
}

static void connections_pend(struct world *w)
{
	w->f.waits_for_connections = true;
}

static void no_version(struct world *w)
{
	w->f.has_configuration = false;
}

static void store_fails(struct world *w)
{
	w->f.store_reason = "disk I/O error";
}

static void document_cannot_be_written(struct world *w)
{
	w->f.unwritten_reason = "No space left on device";
}

static void version_waits(struct world *w)
{
	w->f.unconfirmed = 12;
}

static void one_has_no_next_hop(struct world *w)
{
	add_name(&w->pool.no_next_hop, "b2");
	w->pool.n_serving = 2;
}

static void one_is_out(struct world *w)
{
	add_name(&w->pool.out, "b2");
}

static void slots_are_empty(struct world *w)
{
	w->pool.n_empty = 4;
}

static void one_is_down(struct world *w)
{
	add_name(&w->pool.down, "b2");
	w->pool.n_up = 2;
}

static void one_has_no_verdict(struct world *w)
{
	add_name(&w->pool.silent, "b2");
	w->pool.n_up = 2;
}

static void all_are_inconclusive(struct world *w)
{
	for (int i = 0; i < 3; i++)
		add_name(&w->pool.inconclusive, "b");
}

static void all_are_drained(struct world *w)
{
	w->pool.n_meant = 0;
	w->pool.n_drained = 3;
}

static void site_is_down(struct world *w)
{
	w->site.down = true;
}

static void drain_is_held(struct world *w)
{
	w->site.drain_held = true;
}

static void no_token(struct world *w)
{
	w->f.has_token = false;
}

static void token_is_refused(struct world *w)
{
	w->peer.state = JUDGE_PEER_REFUSED;
}

static void peer_was_never_heard(struct world *w)
{
	w->peer.state = JUDGE_PEER_NEVER;
}

static void peer_is_lost(struct world *w)
{
	w->peer.state = JUDGE_PEER_UNREACHABLE;
}

static void peer_is_behind(struct world *w)
{
	w->peer.state = JUDGE_PEER_BEHIND;
	w->peer.behind_ms = 20000;
}

static void peer_differs(struct world *w)
{
	w->peer.state = JUDGE_PEER_DIFFERS;
}

/* One row a rule; states written out: the test must not read them from the table it tests. */
static const struct {
	enum rule_id rule;
	enum judge_state state;
	void (*spoil)(struct world *w);
	const char *subject, *says; /* says: a part of the text */
} rows[] = {
	{ JUDGE_RULE_FORWARDING_STOPPED, JUDGE_DOWN, forwarding_stops, "weir-dataplane", "DPDK" },
	{ JUDGE_RULE_NO_PORT, JUDGE_DOWN, no_port_carries, "weir-dataplane", "none of the 1" },
	{ JUDGE_RULE_ANSWERING_STOPPED, JUDGE_DOWN, answering_stops, "weir-dns", "no DNS query" },
	{ JUDGE_RULE_STATED_DOWN, JUDGE_DOWN, it_is_stated_down, "eth1", "what to do" },
	{ JUDGE_RULE_POOL_FORWARDS_NOTHING, JUDGE_DOWN, none_serves, "web", "forwards nothing" },
	{ JUDGE_RULE_POOL_ALL_DOWN, JUDGE_DOWN, all_are_down, "web", "all backends of pool web" },
	{ JUDGE_RULE_PROCESS_SILENT, JUDGE_DEGRADED, one_is_silent, "weir-health", "2.5 s" },
	{ JUDGE_RULE_SUPERVISOR_SILENT, JUDGE_DEGRADED, supervisor_is_dead, "weir run",
	  "failed processes are not restarted" },
	{ JUDGE_RULE_DOCUMENT_REFUSED, JUDGE_DEGRADED, one_refuses, "weir-dns", "refused" },
	{ JUDGE_RULE_DOCUMENT_PENDING, JUDGE_DEGRADED, one_is_late, "weir-dns", "document 7" },
	{ JUDGE_RULE_STATED_DEGRADED, JUDGE_DEGRADED, it_is_stated_degraded, "eth1", "what to do" },
	{ JUDGE_RULE_CONDITIONS_UNREAD, JUDGE_DEGRADED, conditions_are_unread, "dns", "read" },
	{ JUDGE_RULE_PORTS_MISSING, JUDGE_DEGRADED, a_port_is_missing, "weir-dataplane", "1 of 2" },
	{ JUDGE_RULE_EFFECT_UNKNOWN, JUDGE_DEGRADED, effect_is_unknown, "weir-dataplane",
	  "cannot be read" },
	{ JUDGE_RULE_CONNECTIONS_PENDING, JUDGE_DEGRADED, connections_pend, "weir-dataplane",
	  "routers" },
	{ JUDGE_RULE_NO_CONFIGURATION, JUDGE_DEGRADED, no_version, "", "weir apply" },
	{ JUDGE_RULE_STORE_FAILING, JUDGE_DEGRADED, store_fails, "", "disk I/O error" },
	{ JUDGE_RULE_DOCUMENT_UNWRITTEN, JUDGE_DEGRADED, document_cannot_be_written, "",
	  "No space left" },
	{ JUDGE_RULE_VERSION_UNCONFIRMED, JUDGE_DEGRADED, version_waits, "", "version 12" },
	{ JUDGE_RULE_BACKEND_NO_NEXT_HOP, JUDGE_DEGRADED, one_has_no_next_hop, "web/b2",
	  "no next hop" },
	{ JUDGE_RULE_SLOTS_EMPTY, JUDGE_DEGRADED, slots_are_empty, "web", "4 of 64" },
	{ JUDGE_RULE_BACKEND_DOWN, JUDGE_DEGRADED, one_is_down, "web/b2", "is down" },
	{ JUDGE_RULE_BACKEND_OUT, JUDGE_DEGRADED, one_is_out, "web/b2", "weir why backend" },
	{ JUDGE_RULE_CHECKS_SILENT, JUDGE_DEGRADED, one_has_no_verdict, "web", "1 of 3" },
	{ JUDGE_RULE_CHECKS_INCONCLUSIVE, JUDGE_DEGRADED, all_are_inconclusive, "web",
	  "inconclusive" },
	{ JUDGE_RULE_POOL_ALL_DRAINED, JUDGE_DEGRADED, all_are_drained, "web", "equal weights" },
	{ JUDGE_RULE_SITE_DOWN, JUDGE_DEGRADED, site_is_down, "fra", "site fra is down" },
	{ JUDGE_RULE_DRAIN_HELD, JUDGE_DEGRADED, drain_is_held, "fra", "expired" },
	{ JUDGE_RULE_PEER_TOKEN_MISSING, JUDGE_DEGRADED, no_token, "peer.token", "nothing" },
	{ JUDGE_RULE_PEER_TOKEN_REFUSED, JUDGE_DEGRADED, token_is_refused, "fra-1", "refuses" },
	{ JUDGE_RULE_PEER_NEVER_HEARD, JUDGE_DEGRADED, peer_was_never_heard, "fra-1", "never" },
	{ JUDGE_RULE_PEER_UNREACHABLE, JUDGE_DEGRADED, peer_is_lost, "fra-1", "unreachable" },
	{ JUDGE_RULE_PEER_BEHIND, JUDGE_DEGRADED, peer_is_behind, "fra-1", "is behind" },
	{ JUDGE_RULE_PEER_DIFFERS, JUDGE_DEGRADED, peer_differs, "fra-1", "another configuration" },
};
#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static const struct judge_reason *find_reason(const struct judge_verdict *v, enum rule_id rule)
{
	for (size_t i = 0; i < v->n_reasons; i++)
		if (v->reasons[i].rule == rule)
			return &v->reasons[i];
	return NULL;
}

static void a_node_without_trouble_is_well(void **state)
{
	(void)state;
	struct world *w = new_world();
	struct judge_verdict v;

	judge(&w->f, &v);
	assert_int_equal(v.state, JUDGE_WELL);
	assert_int_equal(v.n_reasons, 0);
	free(w);
}

static void each_row_gives_its_state_and_its_reason(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ROWS; i++) {
		struct world *w = new_world();
		struct judge_verdict v;

		rows[i].spoil(w);
		judge(&w->f, &v);
		const struct judge_reason *r = find_reason(&v, rows[i].rule);

		if (!r || v.state != rows[i].state || r->state != rows[i].state ||
		    strcmp(r->subject, rows[i].subject) || !strstr(r->text, rows[i].says))
			fail_msg("%s: state %s, subject %s, text %s", rule_rows[rows[i].rule].name,
			         judge_state_text(v.state), r ? r->subject : "(no reason)",
			         r ? r->text : "");
		free(w);
	}
}

static void the_table_has_a_case_for_each_row(void **state)
{
	(void)state;
	for (int rule = 0; rule < RULE_COUNT; rule++) {
		size_t n = 0;

		for (size_t i = 0; i < N_ROWS; i++)
			n += rows[i].rule == (enum rule_id)rule;
		if (n != (rule_rows[rule].scope == RULE_STATUS))
			fail_msg("%zu cases for %s", n, rule_rows[rule].name);
	}
}

/* What is the case beside the row's own condition must not hide it, and the worst counts. */
static void the_worst_of_two_counts(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ROWS; i++) {
		struct world *w = new_world();
		struct judge_verdict v;

		version_waits(w);
		state_condition(w, "some-condition", CONDITION_DOWN);
		rows[i].spoil(w);
		judge(&w->f, &v);
		if (w->processes[DATAPLANE].running)
			assert_int_equal(v.state, JUDGE_DOWN);
		assert_non_null(find_reason(&v, JUDGE_RULE_VERSION_UNCONFIRMED));
		assert_non_null(find_reason(&v, rows[i].rule));
		free(w);
	}
}

static void a_note_is_shown_and_changes_nothing(void **state)
{
	(void)state;
	struct world *w = new_world();
	struct judge_verdict v;

	state_condition(w, "udp-unchecked", CONDITION_NOTE);
	judge(&w->f, &v);
	assert_int_equal(v.state, JUDGE_WELL);
	assert_int_equal(v.n_reasons, 0);
	assert_int_equal(v.n_notes, 1);
	assert_string_equal(v.notes[0].code, "udp-unchecked");
	free(w);
}

static void what_a_dead_process_stated_is_history(void **state)
{
	(void)state;
	struct world *w = new_world();
	struct judge_verdict v;

	state_condition(w, "port-no-carrier", CONDITION_DOWN);
	w->processes[DATAPLANE].running = false;
	judge(&w->f, &v);
	assert_null(find_reason(&v, JUDGE_RULE_STATED_DOWN));
	assert_int_equal(v.state, JUDGE_DEGRADED); /* XDP goes on without it */
	free(w);
}

/* A DPDK process whose control thread hangs while its workers are seen to count rounds. */
static void who_hangs_and_forwards_is_degraded(void **state)
{
	(void)state;
	struct world *w = new_world();
	struct conditions said = { .n = 1 };
	struct judge_verdict v;

	w->f.dpdk = true;
	w->processes[DATAPLANE].running = false;
	w->processes[DATAPLANE].age_ms = 12000;
	judge(&w->f, &v);
	assert_int_equal(v.state, JUDGE_DOWN);
	assert_non_null(find_reason(&v, JUDGE_RULE_FORWARDING_STOPPED));
	w->f.workers_forward = true;
	strcpy(said.items[0].code, "process-hangs");
	strcpy(said.items[0].subject, "weir-dataplane");
	said.items[0].level = CONDITION_DEGRADED;
	w->f.supervisor = (struct judge_process){
		.name = "run", .present = true, .running = true, .conditions = &said
	};
	judge(&w->f, &v);
	assert_int_equal(v.state, JUDGE_DEGRADED);
	assert_null(find_reason(&v, JUDGE_RULE_FORWARDING_STOPPED));
	assert_non_null(find_reason(&v, JUDGE_RULE_STATED_DEGRADED));
	free(w);
}

static void ports_are_blamed_once(void **state)
{
	(void)state;
	struct world *w = new_world();
	struct judge_verdict v;

	no_port_carries(w);
	state_condition(w, "port-missing", CONDITION_DOWN);
	judge(&w->f, &v);
	assert_int_equal(v.n_reasons, 1);
	assert_string_equal(v.reasons[0].code, "port-missing");
	assert_int_equal(v.reasons[0].since_ms, 5);
	free(w);
}

/* One backend's condition says nothing about its neighbour, a next hop's nothing about a port. */
static void a_backend_is_blamed_by_its_own_condition_alone(void **state)
{
	(void)state;
	struct world *w = new_world();
	struct judge_verdict v;

	add_name(&w->pool.no_next_hop, "b1");
	add_name(&w->pool.no_next_hop, "b2");
	state_condition(w, "next-hop-unusable", CONDITION_DEGRADED);
	strcpy(w->conditions.items[0].subject, "web/b1");
	state_condition(w, "probe-path-missing", CONDITION_DEGRADED);
	strcpy(w->conditions.items[1].subject, "web/b2");
	judge(&w->f, &v);
	assert_int_equal(v.n_reasons, 3);
	assert_string_equal(find_reason(&v, JUDGE_RULE_BACKEND_NO_NEXT_HOP)->subject, "web/b2");
	free(w);
}

static void many_backends_are_counted_and_few_are_named(void **state)
{
	(void)state;
	static const char *const names[] = { "b1", "b2", "b3", "b4" };

	for (size_t n = 1; n <= 4; n++) {
		struct world *w = new_world();
		struct judge_verdict v;

		w->pool.n_backends = 10;
		for (size_t i = 0; i < n; i++)
			add_name(&w->pool.down, names[i]);
		judge(&w->f, &v);
		assert_int_equal(v.n_reasons, n <= 3 ? n : 1);
		assert_non_null(strstr(v.reasons[0].text, n <= 3 ? " is down: " : " are down: "));
		if (n > 3)
			assert_non_null(strstr(v.reasons[0].text, "4 of 10 backends of pool web"));
		free(w);
	}
}

static void conditions_that_did_not_fit_are_not_forgotten(void **state)
{
	(void)state;
	struct world *w = new_world();
	struct judge_verdict v;

	w->conditions.n_left_out = 9;
	judge(&w->f, &v);
	assert_int_equal(v.state, JUDGE_WELL); /* notes alone */
	w->conditions.worst = CONDITION_DEGRADED;
	judge(&w->f, &v);
	assert_int_equal(v.state, JUDGE_DEGRADED);
	assert_non_null(find_reason(&v, JUDGE_RULE_CONDITIONS_UNREAD));
	free(w);
}

static void more_reasons_than_fit_are_counted_and_judged(void **state)
{
	(void)state;
	struct world *w = new_world();
	struct judge_peer peers[JUDGE_REASONS_MAX + 5];
	struct judge_verdict v;

	for (size_t i = 0; i < JUDGE_REASONS_MAX + 5; i++)
		peers[i] =
		        (struct judge_peer){ .node = "n", .detail = "", .state = JUDGE_PEER_NEVER };
	w->f.peers = peers;
	w->f.n_peers = JUDGE_REASONS_MAX + 5;
	w->pool.n_serving = 0;
	judge(&w->f, &v);
	assert_int_equal(v.state, JUDGE_DOWN);
	assert_int_equal(v.reasons[0].rule, JUDGE_RULE_POOL_FORWARDS_NOTHING);
	assert_int_equal(v.n_reasons, JUDGE_REASONS_MAX);
	assert_int_equal(v.n_left_out, 6);
	free(w);
}

static void a_document_is_given_three_seconds(void **state)
{
	(void)state;
	struct world *w = new_world();
	struct judge_verdict v;

	one_is_late(w);
	w->processes[DNS].pending_ms = 2999;
	judge(&w->f, &v);
	assert_int_equal(v.state, JUDGE_WELL);
	w->processes[DNS].pending_ms = 3000;
	judge(&w->f, &v);
	assert_int_equal(v.state, JUDGE_DEGRADED);
	free(w);
}

SUITE(judge)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_node_without_trouble_is_well),
		cmocka_unit_test(each_row_gives_its_state_and_its_reason),
		cmocka_unit_test(the_table_has_a_case_for_each_row),
		cmocka_unit_test(the_worst_of_two_counts),
		cmocka_unit_test(a_note_is_shown_and_changes_nothing),
		cmocka_unit_test(what_a_dead_process_stated_is_history),
		cmocka_unit_test(who_hangs_and_forwards_is_degraded),
		cmocka_unit_test(ports_are_blamed_once),
		cmocka_unit_test(a_backend_is_blamed_by_its_own_condition_alone),
		cmocka_unit_test(many_backends_are_counted_and_few_are_named),
		cmocka_unit_test(conditions_that_did_not_fit_are_not_forgotten),
		cmocka_unit_test(more_reasons_than_fit_are_counted_and_judged),
		cmocka_unit_test(a_document_is_given_three_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
