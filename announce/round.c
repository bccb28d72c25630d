/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A round, ten times a second and whenever something is new: the proof is copied once, then each
 * address is decided and moved by itself. A round never waits: pages are memory, and the kernel
 * answers route messages within the call.
 *
 * The state of an address never runs ahead of the kernel: a route that is not there, because it was
 * deleted or refused, is not announced, and comes back as any other does: when all is proved, and
 * by a proof that is younger than the loss. So a dataplane that deletes the routes of a dead
 * predecessor is not undone.
 *
 * Without a document nothing is known of addresses, but a node that forwards nothing must not be
 * announced: then its own causes withdraw all that an earlier process has left.
 */
#include "announce/process.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "weir/model.h"
#include "weir/port_program.h"
#include "weir/stats.h"

#define PUBLISH_MS 500u /* ms between two publications when nothing changes */
/* ms by which a proof must be younger than the loss of a route: a round and a turn of the prover */
#define YOUNGER_MS 300u

static void close_proof(struct announcer *a)
{
	proof_close(a->proof);
	a->proof = NULL;
}

/* Copy the proof, and give the node's part of it. @return whether it is there */
static bool read_proof(struct announcer *a, uint64_t now_ms, struct proof_node *out)
{
	int err = -ENOENT;

	for (int i = 0; i < 2; i++) { /* again when the page was replaced */
		if (!a->proof && proof_open(a->run_dir, &a->proof))
			return false;
		err = proof_copy(a->proof);
		if (err == -ESTALE || err == -EPROTO)
			close_proof(a);
		else
			break;
	}
	return !err && !proof_node(a->proof, now_ms, out);
}

/*
 * An interface that is gone has none; one that was renamed keeps its index, and its program. One that
 * was never there has no index, and the proof says that it is down.
 */
static bool has_no_program(const struct proof_port *p)
{
	int runs = port_program_runs_at(p->ifindex);

	return runs == 0 || runs == -ENODEV;
}

/*
 * What the kernel says of the ports of a silent XDP dataplane. Its program forwards on while a pin or the
 * process holds it; a port without any forwards nothing. A program that is there says nothing more.
 */
static void query_programs(struct proof_node *n, uint64_t now_ms)
{
	if (announce_elapsed_ms(now_ms, n->alive_ms) <= PROOF_OLD_MS || strcmp(n->driver, "xdp"))
		return;
	for (uint32_t i = 0; i < n->n_ports; i++)
		if (has_no_program(&n->ports[i]))
			n->ports[i].attached = PROOF_NO;
}

/* Whether packets to the kernel pass a DPDK driver, by all that is known. */
static bool drives_dpdk(const struct announcer *a, const struct proof_node *node)
{
	return a->dataplane_dead || a->dataplane_pid ||
	       a->model->self->driver == MODEL_DRIVER_DPDK ||
	       (node && !strcmp(node->driver, "dpdk"));
}

/* All that is known of one address now. */
static void gather_facts(struct announcer *a, struct announce_row *row,
                         const struct proof_node *node, enum announce_truth dns_answers,
                         uint64_t now_ms)
{
	const struct intended *it = &row->intended;
	struct announce_facts *f = &row->facts;
	const struct daemon_facts *d = a->daemon ? daemon_facts(a->daemon) : NULL;
	const struct daemon_route *route =
	        d ? daemon_route(a->daemon, &row->intended.address) : NULL;
	struct proof_vip vip;

	*f = (struct announce_facts){
		.configured = true,
		.command = a->stopping ? ANNOUNCE_COMMAND_STOP : it->command,
		.others = others_announce(row, now_ms),
		.leaves_unconfirmed = it->leaves_unconfirmed,
		.emptied = a->emptied_ms && announce_elapsed_ms(now_ms, a->emptied_ms) <=
		                                    COMMAND_SAID_MS
		                   ? ANNOUNCE_YES
		                   : ANNOUNCE_UNKNOWN,
		.read_ms = now_ms,
	};
	evidence_of_node(node, a->model->meta.document, a->dataplane_dead, f);
	if (it->vip)
		evidence_of_vip(
		        node && !proof_vip(a->proof, it->vip_hash, &it->address, now_ms, &vip)
		                ? &vip
		                : NULL,
		        node ? node->n_vips : 0, it->needs_all, now_ms, f);
	else
		evidence_of_dns(dns_answers, dns_life_holds(a, &it->address, now_ms),
		                !drives_dpdk(a, node), f);
	row->read_ms = route ? route->at_ms : 0;
	row->exported = evidence_of_daemon(d, route, row->added_ms, evidence_daemon_old_ms(d),
	                                   now_ms, &row->routes, f);
	if (it->vip && row->lost_ms && node && node->alive_ms < row->lost_ms + YOUNGER_MS)
		f->truth[ANNOUNCE_FACT_PROBE] = ANNOUNCE_UNKNOWN;
}

/*
 * Since when the daemon shows something else than is intended. While it answers, a question that is
 * under way changes nothing; a daemon that does not is a condition of its own.
 */
static void note_difference(const struct announcer *a, struct announce_row *row, uint64_t now_ms)
{
	enum announce_truth differs = evidence_differs(row->decision.table, &row->routes);
	bool answers = a->daemon && daemon_facts(a->daemon)->state == DAEMON_ANSWERS;

	if (differs == ANNOUNCE_NO || !answers)
		row->differs_ms = 0;
	else if (differs == ANNOUNCE_YES && !row->differs_ms)
		row->differs_ms = now_ms;
}

static void log_change(const struct announce_row *row)
{
	char text[ADDR_TEXT_MAX];

	log_note("announcement-changed", "vip=%s address=%s table=%s reason=%s fact=%s",
	         row->intended.vip ? row->intended.vip : "",
	         addr_text(&row->intended.address, text), announce_table_label(row->decision.table),
	         announce_reason_label(row->decision.reason),
	         announce_fact_label(row->decision.fact));
}

/*
 * Between two tables: both have the route, until the daemon shows the new one. A question that is
 * under way is left alone, or its answer would never count.
 */
static bool does_wait(const struct announcer *a, const struct announce_row *row)
{
	const struct daemon_route *r =
	        a->daemon ? daemon_route(a->daemon, &row->intended.address) : NULL;

	return r && !r->pending && row->decision.table != ANNOUNCE_NONE &&
	       row->routes.in_kernel[ANNOUNCE_NORMAL] && row->routes.in_kernel[ANNOUNCE_SHUTDOWN];
}

/*
 * The state is that of the kernel, former tables included. A route that vanished is a failure, unless
 * the driver is XDP.
 */
static void follow_kernel(struct announce_row *row, const struct proof_node *node, uint64_t now_ms)
{
	struct announce_state *s = &row->state;

	if (s->table == ANNOUNCE_NONE || row->routes.in_kernel[s->table])
		row->is_left = false;
	if (s->table != ANNOUNCE_NONE && !row->routes.in_kernel[s->table] && !row->is_left) {
		s->table = announce_found_table(&row->routes);
		s->shutdown_ms = now_ms;
	}
	if (!row->is_lost || !node)
		return;
	row->is_lost = false;
	if (strcmp(node->driver, "xdp") != 0)
		announce_note_failure(s, now_ms);
}

/*
 * The kernel's routes could not be read yet. What ends an announcement at once must not wait for
 * that: then the row counts as announced, so that its routes are deleted, wherever they are.
 * @return whether the row can be decided
 */
static bool begin_unread(struct announcer *a, struct announce_row *row, uint64_t now_ms)
{
	const struct announce_facts *f = &row->facts;

	if (announce_own_cause(f) == ANNOUNCE_FACT_COUNT &&
	    f->command != ANNOUNCE_COMMAND_WITHDRAW && f->command != ANNOUNCE_COMMAND_STOP) {
		row->decision = (struct announce_decision){ .table = ANNOUNCE_NONE,
			                                    .reason = ANNOUNCE_REASON_UNREAD,
			                                    .fact = ANNOUNCE_FACT_COUNT };
		return false;
	}
	row->routes.in_kernel[ANNOUNCE_NORMAL] = row->routes.in_kernel[ANNOUNCE_SHUTDOWN] = true;
	kernel_begin_row(a, row, now_ms);
	return true;
}

/* Decide one address. @return whether table or reason changed, or a question is to be sent */
static bool decide_row(struct announcer *a, struct announce_row *row, uint64_t now_ms)
{
	struct announce_decision d = announce_decide(&row->state, &row->facts, now_ms);
	bool changed = !row->is_decided || d.table != row->decision.table ||
	               d.reason != row->decision.reason;

	row->decision = d;
	row->is_decided = true;
	if (d.query) {
		row->query_ms = now_ms;
		stats_add(a->counters.questions, 1);
	} else if (d.reason != ANNOUNCE_REASON_KEPT_UNCONFIRMED &&
	           d.reason != ANNOUNCE_REASON_DRAIN_UNCONFIRMED) {
		row->query_ms = 0;
	}
	if (changed) {
		row->since_ms = now_ms;
		stats_add(a->counters.changes, 1);
		log_change(row);
	}
	return changed || d.query;
}

/* Decide one address, and move it. @return whether anything changed */
static bool run_row(struct announcer *a, struct announce_row *row, const struct proof_node *node,
                    uint64_t now_ms)
{
	struct announce_moves moves;
	bool changed;

	if (!row->is_found && !begin_unread(a, row, now_ms))
		return false;
	follow_kernel(row, node, now_ms);
	changed = decide_row(a, row, now_ms);
	note_difference(a, row, now_ms);
	moves = announce_next_moves(row->decision.table, &row->routes);
	changed |= rows_move(a, row, &moves, now_ms);
	if (does_wait(a, row))
		daemon_wait(a->daemon, &row->intended.address);
	return changed;
}

/*
 * Without a document: a node that forwards nothing, or where Weir is being stopped, withdraws what an
 * earlier process announced.
 */
static void withdraw_left(struct announcer *a, const struct proof_node *node, uint64_t now_ms)
{
	struct announce_facts f = { 0 };

	evidence_of_node(node, 0, a->dataplane_dead, &f);
	if (!a->left_failed && announce_own_cause(&f) != ANNOUNCE_FACT_COUNT) {
		a->left_failed = true;
		left_fail(a, now_ms);
		log_warn("announcements-withdrawn", "fact=%s reason=\"%s\"",
		         announce_fact_label(announce_own_cause(&f)),
		         "there is no document, and this node forwards nothing");
	}
	if ((a->left_failed || a->stopping) && !a->left_withdrawn)
		a->left_withdrawn = !kernel_withdraw_all(a, now_ms);
}

/* Read, decide and move all addresses. @return whether anything changed */
static bool run_round(struct announcer *a, uint64_t now_ms)
{
	struct proof_node node;
	bool is_proved, changed = false;
	enum announce_truth dns_answers;

	a->n_refused = 0;
	a->act = round_publish;
	if (a->model && now_ms - a->kernel_read_ms >= KERNEL_READ_MS)
		(void)kernel_read(a, now_ms); /* it is logged, and what is known stays */
	is_proved = read_proof(a, now_ms, &node);
	if (is_proved) {
		query_programs(&node, now_ms);
		watch_dataplane(a, &node, now_ms);
	}
	a->round_ms = now_ms;
	if (!a->model) {
		withdraw_left(a, is_proved ? &node : NULL, now_ms);
		return false;
	}
	kernel_sweep(a, now_ms);
	dns_answers = dns_life_read(a, now_ms);
	for (size_t i = 0; i < a->n_rows; i++) {
		const struct proof_node *n = is_proved ? &node : NULL;

		gather_facts(a, &a->rows[i], n, dns_answers, now_ms);
		changed |= run_row(a, &a->rows[i], n, now_ms);
	}
	return changed;
}

void round_publish(struct announcer *a, uint64_t now_ms)
{
	bool changed = run_round(a, now_ms);

	if (a->model && (changed || now_ms - a->published_ms >= PUBLISH_MS))
		published_show(a, now_ms);
}

void round_close(struct announcer *a)
{
	watch_close(a);
	close_proof(a);
	stats_reader_close(a->dns);
	daemon_close(a->daemon);
}
