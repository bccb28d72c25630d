/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What others see of weir-announce: the announce page, conditions and counters. All are computed
 * again from the rows; nothing is kept between rounds.
 *
 * A page of conditions has room for 64, so only LISTED_MAX addresses are named; the others are
 * counted.
 */
#include "announce/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weir/announce.h"
#include "weir/condition.h"
#include "weir/model.h"
#include "weir/stats.h"

#define DIFFERS_MS  5000u  /* ms after which a difference is a condition */
#define WAITS_MS    30000u /* ms after which an address that is not announced is one */
#define STUCK_MS    5000u  /* ms after which a drain that nobody confirms is one */
#define UNPROVED_MS 60000u /* ms after which one that is announced unproved is a note */
#define LISTED_MAX  16u    /* addresses by name, for each code */

void published_find_counters(struct announcer *a)
{
	struct announce_counters *c = &a->counters;
	char labels[64];

	for (int t = ANNOUNCE_NONE; t <= ANNOUNCE_SHUTDOWN; t++) {
		snprintf(labels, sizeof(labels), "table=\"%s\"",
		         announce_table_label((enum announce_table)t));
		c->tables[t] =
		        stats_get_counter(a->stats, STATS_GAUGE, "weir_announce_addresses", labels,
		                          "Configured addresses by the table they are in.");
	}
	for (int i = 0; i < ANNOUNCE_ANSWER_COUNT; i++) {
		snprintf(labels, sizeof(labels), "answer=\"%s\"",
		         announce_answer_label((enum announce_answer)i));
		c->answers[i] =
		        stats_get_counter(a->stats, STATS_COUNTER, "weir_announce_answers_total",
		                          labels, "Answers to other nodes that want to withdraw.");
	}
	c->changes = stats_get_counter(a->stats, STATS_COUNTER, "weir_announce_changes_total", "",
	                               "Changes of an address's table or reason.");
	c->questions =
	        stats_get_counter(a->stats, STATS_COUNTER, "weir_announce_questions_total", "",
	                          "Questions to other nodes, whether this one may withdraw.");
	c->confirmations =
	        stats_get_counter(a->stats, STATS_COUNTER, "weir_announce_confirmations_total", "",
	                          "Confirmations of other nodes that came in time.");
	c->route_errors =
	        stats_get_counter(a->stats, STATS_COUNTER, "weir_announce_route_errors_total", "",
	                          "Routes that could not be listed, added or deleted.");
}

static uint8_t bits_of(bool normal, bool shutdown)
{
	return (uint8_t)(normal << ANNOUNCE_NORMAL | shutdown << ANNOUNCE_SHUTDOWN);
}

/* What the page says of a truth is what the proof page says of a fact. */
_Static_assert((int)ANNOUNCE_UNKNOWN == (int)PROOF_UNKNOWN && (int)ANNOUNCE_NO == (int)PROOF_NO &&
                       (int)ANNOUNCE_YES == (int)PROOF_YES,
               "the words of a fact");

static struct announced_address show_row(const struct announce_row *row)
{
	const struct announce_routes *r = &row->routes;
	struct announced_address shown = {
		.vip = row->intended.vip_hash,
		.address = row->intended.address,
		.since_ms = row->since_ms,
		.differs_ms = row->differs_ms,
		.read_ms = row->read_ms,
		.query_ms = row->query_ms,
		.promised_until_ms = row->state.promised_until_ms,
		.failed_ms = row->state.failed_ms,
		.hold_ms = row->state.hold_ms,
		.good_ms = row->state.good_since_ms,
		.held_ms = (uint32_t)row->decision.held_ms,
		.exported = row->exported,
		.table = (uint8_t)row->decision.table,
		.reason = (uint8_t)row->decision.reason,
		.fact = (uint8_t)row->decision.fact,
		.in_kernel =
		        bits_of(r->in_kernel[ANNOUNCE_NORMAL], r->in_kernel[ANNOUNCE_SHUTDOWN]),
		.imported = bits_of(r->imported[ANNOUNCE_NORMAL] == ANNOUNCE_YES,
		                    r->imported[ANNOUNCE_SHUTDOWN] == ANNOUNCE_YES),
		.is_read = r->imported[ANNOUNCE_NORMAL] != ANNOUNCE_UNKNOWN &&
		           r->imported[ANNOUNCE_SHUTDOWN] != ANNOUNCE_UNKNOWN,
		.is_export_read = r->exported != ANNOUNCE_UNKNOWN,
	};

	for (int i = 0; i < ANNOUNCE_FACT_COUNT; i++)
		shown.truth[i] = (uint8_t)row->facts.truth[i];
	return shown;
}

static size_t show_daemon(const struct announcer *a, struct announced_node *node,
                          struct announced_neighbour *neighbours)
{
	const struct daemon_facts *d = a->daemon ? daemon_facts(a->daemon) : NULL;
	size_t n = 0;

	snprintf(node->daemon, sizeof(node->daemon), "%s",
	         !a->daemon && !a->daemon_error  ? "none"
	         : a->daemon_kind == DAEMON_BIRD ? "bird"
	                                         : "frr");
	if (!d)
		return 0;
	snprintf(node->daemon_state, sizeof(node->daemon_state), "%s", daemon_state_name(d->state));
	snprintf(node->version, sizeof(node->version), "%s", d->version);
	snprintf(node->problem, sizeof(node->problem), "%s", d->problem);
	for (; n < d->n_neighbours && n < ANNOUNCED_NEIGHBOURS_MAX; n++) {
		neighbours[n] =
		        (struct announced_neighbour){ .established = d->neighbours[n].established };
		snprintf(neighbours[n].name, sizeof(neighbours[n].name), "%s",
		         d->neighbours[n].name);
	}
	return n;
}

void published_show(struct announcer *a, uint64_t now_ms)
{
	static struct announced_address addresses[ANNOUNCED_MAX];
	static struct announced_neighbour neighbours[ANNOUNCED_NEIGHBOURS_MAX];
	struct announced_node node = { .incarnation = a->incarnation };
	uint64_t n_tables[3] = { 0 };
	size_t n_neighbours = show_daemon(a, &node, neighbours);

	node.document = a->model ? a->model->meta.document : 0;
	node.table = a->kernel[ANNOUNCE_NORMAL].number;
	node.shutdown_table = a->kernel[ANNOUNCE_SHUTDOWN].number;
	for (size_t i = 0; i < a->n_rows; i++) {
		addresses[i] = show_row(&a->rows[i]);
		n_tables[a->rows[i].decision.table]++;
	}
	for (int t = ANNOUNCE_NONE; t <= ANNOUNCE_SHUTDOWN; t++)
		stats_set(a->counters.tables[t], n_tables[t]);
	announced_publish(a->page, &node, addresses, a->n_rows, neighbours, n_neighbours, now_ms);
	a->published_ms = now_ms;
}

/* --- conditions --- */

/* What a reason says of an address. */
struct judgement {
	const char *code; /* NULL: nothing is wrong */
	enum condition_level level;
	uint32_t after_ms; /* from then on; 0: at once */
	bool names_fact;   /* its text says which fact it is, and what to do */
};

#define AGAINST_EVIDENCE "announced-against-evidence", CONDITION_DEGRADED
#define NOT_ANNOUNCED    "not-announced", CONDITION_DEGRADED

static const struct judgement judgements[ANNOUNCE_REASON_COUNT] = {
	[ANNOUNCE_REASON_KEPT_UNPROVED] = { "announced-unproved", CONDITION_NOTE,
	                                    .after_ms = UNPROVED_MS },
	[ANNOUNCE_REASON_KEPT_UNCONFIRMED] = { AGAINST_EVIDENCE, .after_ms = 0 },
	[ANNOUNCE_REASON_KEPT_PROMISED] = { AGAINST_EVIDENCE, .after_ms = 0 },
	[ANNOUNCE_REASON_KEPT_STARTED] = { AGAINST_EVIDENCE, .after_ms = 0 },
	[ANNOUNCE_REASON_DRAIN_UNCONFIRMED] = { "drain-unconfirmed", CONDITION_DEGRADED,
	                                        .after_ms = STUCK_MS },
	[ANNOUNCE_REASON_RETURNING] = { NOT_ANNOUNCED,
	                                .after_ms = WAITS_MS }, /* routers prefer other nodes */
	[ANNOUNCE_REASON_PORT_DOWN] = { NOT_ANNOUNCED, .names_fact = true },
	[ANNOUNCE_REASON_PROGRAM_GONE] = { NOT_ANNOUNCED, .names_fact = true },
	[ANNOUNCE_REASON_SOCKETS_MISSING] = { NOT_ANNOUNCED, .names_fact = true },
	[ANNOUNCE_REASON_NOTHING_LEAVES] = { NOT_ANNOUNCED, .names_fact = true },
	[ANNOUNCE_REASON_PORT_UNCOVERED] = { NOT_ANNOUNCED, .names_fact = true },
	[ANNOUNCE_REASON_POOLS_DOWN] = { NOT_ANNOUNCED, .names_fact = true },
	[ANNOUNCE_REASON_PROBE_REFUSED] = { NOT_ANNOUNCED, .names_fact = true },
	[ANNOUNCE_REASON_WAITING] = { NOT_ANNOUNCED, .after_ms = WAITS_MS },
	[ANNOUNCE_REASON_FAILED] = { NOT_ANNOUNCED, .after_ms = 0 },
	[ANNOUNCE_REASON_HELD] = { NOT_ANNOUNCED, .after_ms = 0 },
	[ANNOUNCE_REASON_STOPPED] = { NOT_ANNOUNCED,
	                              .after_ms = WAITS_MS }, /* weir-dataplane is not back */
};

/* @return NULL: nothing is wrong, or not for long enough */
static const struct judgement *judge_row(const struct announce_row *row, uint64_t now_ms)
{
	const struct judgement *is = &judgements[row->decision.reason];
	bool is_due = announce_elapsed_ms(now_ms, row->since_ms) >= is->after_ms;

	return is->code && is_due ? is : NULL;
}

/* "web 192.0.2.1" */
static const char *name_row(const struct announce_row *row, char out[CONDITION_SUBJECT_MAX])
{
	char text[ADDR_TEXT_MAX];

	snprintf(out, CONDITION_SUBJECT_MAX, "%s %s", row->intended.vip ? row->intended.vip : "dns",
	         addr_text(&row->intended.address, text));
	return out;
}

/* Why, which fact it is, and what to do. Of a hold-down, whose failure is over, there is nothing to do. */
static const char *describe_row(const struct announce_row *row, char out[CONDITION_TEXT_MAX])
{
	enum announce_reason reason = row->decision.reason;
	bool is_held = reason == ANNOUNCE_REASON_HELD;
	enum announce_fact fact = is_held                         ? row->state.failed_fact
	                          : judgements[reason].names_fact ? ANNOUNCE_FACT_COUNT
	                                                          : row->decision.fact;

	if (fact == ANNOUNCE_FACT_COUNT)
		return announce_reason_text(reason);
	if (is_held)
		snprintf(out, CONDITION_TEXT_MAX, "%s. The failure: %s",
		         announce_reason_text(reason), announce_fact_text(fact));
	else
		snprintf(out, CONDITION_TEXT_MAX, "%s (%s): %s", announce_reason_text(reason),
		         announce_fact_text(fact), announce_fact_action(fact));
	return out;
}

/* The addresses of one level: notes must not take the room of what is degraded. */
static void state_rows(const struct announcer *a, enum condition_level level, uint64_t now_ms)
{
	char subject[CONDITION_SUBJECT_MAX], text[CONDITION_TEXT_MAX];
	size_t n = 0;

	for (size_t i = 0; i < a->n_rows; i++) {
		const struct announce_row *row = &a->rows[i];
		const struct judgement *is = judge_row(row, now_ms);

		if (!is || is->level != level || n++ >= LISTED_MAX)
			continue;
		conditions_add(a->stats, is->code, level, name_row(row, subject), "%s",
		               describe_row(row, text));
	}
	if (n > LISTED_MAX && level == CONDITION_DEGRADED)
		conditions_add(a->stats, "announcements-unlisted", level, "",
		               "%zu more addresses are not announced, or are announced against the "
		               "evidence. Start with the listed ones",
		               n - LISTED_MAX);
	else if (n > LISTED_MAX)
		conditions_add(
		        a->stats, "announcements-unproved", level, "",
		        "%zu more addresses are announced, although not all is proved. Start "
		        "with the listed ones",
		        n - LISTED_MAX);
}

/* What is different with an address whose neighbours get something else than is intended. */
static const char *describe_difference(const struct announce_row *row)
{
	if (row->decision.table == ANNOUNCE_NONE)
		return "withdrawn here, but the routing daemon still exports it. Look for another "
		       "route to this address in the daemon's configuration";
	if (row->decision.table == ANNOUNCE_SHUTDOWN && row->exported)
		return "in graceful shutdown here, but the neighbours still get the normal route. "
		       "Check that the routing daemon reads the kernel table of gshut_table";
	return "announced here, but no neighbour gets it. Look at the routing daemon, its "
	       "sessions and filters";
}

static void state_differences(const struct announcer *a, uint64_t now_ms)
{
	char subject[CONDITION_SUBJECT_MAX];
	size_t n = 0;

	for (size_t i = 0; i < a->n_rows; i++) {
		const struct announce_row *row = &a->rows[i];

		if (!row->differs_ms || now_ms - row->differs_ms < DIFFERS_MS || n++ >= LISTED_MAX)
			continue;
		conditions_add(a->stats, "announcement-differs", CONDITION_DEGRADED,
		               name_row(row, subject), "%s", describe_difference(row));
	}
}

static void state_daemon(const struct announcer *a)
{
	const struct daemon_facts *d = a->daemon ? daemon_facts(a->daemon) : NULL;

	if (a->daemon_error)
		conditions_add(a->stats, "routing-daemon", CONDITION_DEGRADED,
		               a->daemon_kind == DAEMON_BIRD ? "bird" : "frr",
		               "the routing daemon cannot be asked, so what it announces is "
		               "unknown: %s",
		               strerror(-a->daemon_error));
	if (!d || d->state == DAEMON_ANSWERS)
		return;
	conditions_add(a->stats, "routing-daemon", CONDITION_DEGRADED,
	               a->daemon_kind == DAEMON_BIRD ? "bird" : "frr",
	               "the routing daemon is %s, so what it announces is unknown: %s",
	               daemon_state_name(d->state), d->problem);
}

/* Routes that the kernel refuses to give, to add or to delete. */
static void state_routes(const struct announcer *a)
{
	const struct addr *first = NULL;
	char text[ADDR_TEXT_MAX];
	uint32_t table = 0;
	size_t n = 0;
	int err = 0;

	for (size_t i = 0; i < a->n_rows; i++) {
		const struct refused_change *r = a->rows[i].refused;
		enum announce_table t =
		        r[ANNOUNCE_NORMAL].retry.err ? ANNOUNCE_NORMAL : ANNOUNCE_SHUTDOWN;

		if (!r[t].retry.err || n++)
			continue;
		first = &a->rows[i].intended.address;
		table = a->kernel[t].number;
		err = r[t].retry.err;
	}
	if (first)
		conditions_add(a->stats, "routes-failed", CONDITION_DEGRADED, "",
		               "the kernel refuses to add or delete %zu of Weir's routes, such as "
		               "that of %s: %s. Look at ip -%d route show table %u",
		               n, addr_text(first, text), strerror(-err), addr_is4(first) ? 4 : 6,
		               table);
	if (a->list_error)
		conditions_add(a->stats, "routes-failed", CONDITION_DEGRADED, "list",
		               "the kernel does not give the list of Weir's routes: %s",
		               strerror(-a->list_error));
	if (a->sweep.err || a->forget.err)
		conditions_add(a->stats, "routes-failed", CONDITION_DEGRADED, "former",
		               "routes of addresses or tables that are not configured any more "
		               "cannot be deleted: %s. Delete them: " OWN_ROUTES_FLUSH,
		               strerror(-(a->sweep.err ? a->sweep.err : a->forget.err)));
}

static void state_dataplane(const struct announcer *a)
{
	if (a->dataplane_error)
		conditions_add(a->stats, "dataplane-unwatched", CONDITION_DEGRADED, "",
		               "weir-announce may notice late that weir-dataplane has ended: %s. "
		               "Restart weir-announce (kill PID); its routes stay",
		               strerror(-a->dataplane_error));
	if (a->left_failed && !a->model)
		conditions_add(
		        a->stats, "not-announced", CONDITION_DEGRADED, "",
		        "all VIPs are withdrawn: this node forwarded nothing, and there is no "
		        "document. Look at weir-mgmt in weir status and in the log");
}

void published_conditions(const struct announcer *a, uint64_t now_ms)
{
	state_daemon(a);
	state_dataplane(a);
	state_routes(a);
	state_rows(a, CONDITION_DEGRADED, now_ms);
	state_differences(a, now_ms);
	state_rows(a, CONDITION_NOTE, now_ms);
}
