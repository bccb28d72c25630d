/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Probe packets by the batch. XDP answers at once; a worker of DPDK answers by the next turn, and
 * one batch at most is under way. The rows of a document are not replaced meanwhile, so a batch
 * always finds its rows.
 */
#include "dataplane/prover_internal.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "dataplane/process.h"
#include "dataplane/prover.h"
#include "weir/model.h"

/*
 * Rows that are tried together at most. Some get no probe packet, and to choose a flow may cost 64
 * hashes.
 */
#define ROWS_TRIED_MAX (2u * DRIVER_PROBES_MAX)
/* Turns in which each row has its probe packet, a sixth before its proof is too old. */
#define ROUND_TURNS (PROOF_VIP_OLD_MS * 5 / 6 / PROVER_TURN_MS)

_Static_assert(MODEL_ANNOUNCE_MAX <= ROUND_TURNS * DRIVER_PROBES_MAX,
               "all addresses that a node may announce have room in a round");

/* --- what becomes of a row --- */

static void set_state(struct prover *r, struct prover_row *row, enum proof_state state,
                      uint8_t reason, uint64_t now_ms)
{
	if (row->shown.state == state && row->shown.reason == reason)
		return;
	if (row->shown.state != state)
		row->shown.since_ms = now_ms;
	row->shown.state = (uint8_t)state;
	row->shown.reason = reason;
	r->is_changed = true;
}

static void set_all_states(struct prover *r, enum proof_state state, uint8_t reason,
                           uint64_t now_ms)
{
	for (size_t i = 0; i < r->rows.n; i++) {
		if (!r->rows.rows[i].n)
			continue;
		set_state(r, &r->rows.rows[i], state, reason, now_ms);
		r->rows.rows[i].refusals = 0;
		r->rows.rows[i].is_urgent = true;
	}
}

/* A refusal counts when the next probe packet, of another flow, is refused as well. */
static void note_refusal(struct prover *r, struct prover_row *row, uint8_t reason, uint64_t now_ms)
{
	row->refusals = row->refusals < UINT8_MAX ? row->refusals + 1 : UINT8_MAX;
	if (row->refusals < PROVER_REFUSALS)
		row->is_urgent = true;
	else
		set_state(r, row, PROOF_STATE_REFUSED, reason, now_ms);
}

/* Why the code refused a probe packet. */
static uint8_t refusal_reason(const struct driver_probe *out)
{
	if (out->result == DRIVER_PROBE_SENT)
		return PROOF_REASON_OUTPUT;
	return fwd_reason_kind((enum fwd_reason)out->reason) == FWD_KIND_TX ? PROOF_REASON_PROGRAM
	                                                                    : out->reason;
}

static void conclude_probe(struct prover *r, uint32_t i, const struct fwd_tables *t,
                           uint64_t now_ms)
{
	const struct prover_probe *probe = &r->probes[i];
	const struct driver_probe *out = &r->batch.probes[i];
	struct prover_row *row = &r->rows.rows[probe->row];

	row->is_urgent |= out->result == DRIVER_PROBE_NOT_RUN;
	if (out->result == DRIVER_PROBE_NOT_RUN)
		return;
	row->shown.tried_ms = now_ms;
	if (out->result != DRIVER_PROBE_SENT ||
	    !prover_frame_is_forwarded(t, &probe->flow, &probe->sent, out)) {
		note_refusal(r, row, refusal_reason(out), now_ms);
		return;
	}
	row->refusals = 0;
	if (row->is_blocked) { /* the code decides as it should, and what it sends does not leave */
		set_state(r, row, PROOF_STATE_REFUSED, FWD_REASON_NOT_SENT, now_ms);
		return;
	}
	row->shown.proved_ms = now_ms;
	set_state(r, row, PROOF_STATE_FORWARDED, PROOF_REASON_NONE, now_ms);
}

/* --- batches --- */

/* The service of @p row to be probed: one that can be forwarded, if there is any; in turn. */
static const struct plan_entry *choose_entry(const struct prover *r, const struct prover_row *row)
{
	const struct plan_entry *best = NULL;
	int best_rank = -1;

	for (uint32_t i = 0; i < row->n; i++) {
		const struct plan_entry *e =
		        r->rows.entries[row->first + (row->n_probes + i) % row->n];
		int rank = 0;

		if (e->pool < r->rows.n_pools)
			rank = 1 + r->rows.pools[e->pool].is_serving +
			       r->rows.pools[e->pool].is_reachable;
		if (rank > best_rank) {
			best = e;
			best_rank = rank;
		}
	}
	return best;
}

/* Add a probe packet for row @p at, if one can be made. */
static void add_probe(struct prover *r, size_t at, const struct prover_port *port, uint64_t now_ms)
{
	struct prover_probe *probe = &r->probes[r->batch.n];
	struct prover_row *row = &r->rows.rows[at];
	const struct compiler *n = &r->process->node;
	const struct plan_entry *e = choose_entry(r, row);

	enum prover_choice choice = PROVER_CHOICE_NONE;

	row->due_ms = now_ms + PROVER_PERIOD_MS;
	row->is_urgent = false;
	if (e && e->pool < n->n_pools)
		choice = prover_flow_choose(&n->t, &e->entry, n->pools[e->pool].index,
		                            row->n_probes, &probe->flow);
	if (choice == PROVER_CHOICE_UNSAFE && row->shown.state == PROOF_STATE_REFUSED)
		set_state(r, row, PROOF_STATE_UNKNOWN, PROOF_REASON_NONE, now_ms);
	if (choice != PROVER_CHOICE_FLOW) {
		row->n_probes++; /* other flows, or another service, the next time */
		return;
	}
	probe->row = at;
	prover_frame_make(&probe->flow, port->mac, &probe->sent);
	r->batch.probes[r->batch.n++] = probe->sent;
	row->n_probes++;
}

/* Which rows a batch is filled with. */
struct prover_pick {
	const struct prover_port *port;
	uint64_t now_ms;
};

static bool wants_probe(const struct prover_row *row, bool urgent, uint64_t now_ms)
{
	return row->is_announced && (urgent ? row->is_urgent : row->due_ms <= now_ms);
}

/*
 * Add urgent rows, or else those that are due, from @p cursor on, until the batch has @p most. The
 * next call goes on behind the last one that was tried, so none comes twice before another comes
 * once.
 */
static void add_probes(struct prover *r, size_t *cursor, bool urgent, size_t most,
                       const struct prover_pick *pick)
{
	size_t n = r->rows.n, at = n ? *cursor % n : 0, tried = 0;

	for (size_t i = 0; i < n && r->batch.n < most && tried < ROWS_TRIED_MAX; i++) {
		if (wants_probe(&r->rows.rows[at], urgent, pick->now_ms)) {
			add_probe(r, at, pick->port, pick->now_ms);
			tried++;
			*cursor = at + 1;
		}
		at = (at + 1) % n;
	}
}

static size_t least_of(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * So many rows a turn that each has its own before its proof is too old, however many are urgent;
 * then what changed; then so many of the others that a period has room for all.
 */
static void fill_batch(struct prover *r, const struct prover_port *port, uint64_t now_ms)
{
	const struct prover_pick pick = { .port = port, .now_ms = now_ms };
	size_t turns = PROVER_PERIOD_MS / PROVER_TURN_MS, n = r->rows.n_announced;
	size_t reserved = (n + ROUND_TURNS - 1) / ROUND_TURNS, quota = (n + turns - 1) / turns;

	r->batch.n = 0;
	r->batch.number = ++r->number;
	r->batch.ifindex = port->ifindex;
	add_probes(r, &r->cursor, false, least_of(reserved, DRIVER_PROBES_MAX), &pick);
	add_probes(r, &r->urgent_cursor, true, DRIVER_PROBES_MAX, &pick);
	add_probes(r, &r->cursor, false, least_of(quota, DRIVER_PROBES_MAX), &pick);
}

/* Count what the code has got of the batch. */
static void count_sent(struct prover *r, bool is_under_way)
{
	for (uint32_t i = 0; i < r->batch.n; i++) {
		if (!is_under_way && r->batch.probes[i].result == DRIVER_PROBE_NOT_RUN)
			continue;
		r->node.sent++;
		r->rows.rows[r->probes[i].row].shown.sent++;
	}
}

/*
 * The worker has not answered yet. A moment later nothing is proved any more; and when the loop has
 * turned often meanwhile, the worker stands still, and the packets in its queues with it.
 */
static void note_wait(struct prover *r, uint64_t now_ms)
{
	uint64_t waited_ms = now_ms - r->submitted_ms;

	r->turns++;
	if (waited_ms >= PROVER_STALLED_MS && r->turns >= PROVER_STALLED_TURNS)
		set_all_states(r, PROOF_STATE_REFUSED, PROOF_REASON_STALLED, now_ms);
	else if (waited_ms >= PROVER_LATE_MS && r->turns >= PROVER_LATE_TURNS)
		set_all_states(r, PROOF_STATE_UNKNOWN, PROOF_REASON_NONE, now_ms);
	else
		return;
	r->is_stalled = true;
}

/* The batch is at its end. What was not run of it is tried again at once. */
static void conclude_batch(struct prover *r, uint64_t now_ms)
{
	struct fwd_tables t;

	if (r->is_stalled)
		set_all_states(r, PROOF_STATE_UNKNOWN, PROOF_REASON_NONE, now_ms);
	r->is_stalled = false;
	r->process->ops->tables(r->process->driver, &t);
	for (uint32_t i = 0; i < r->batch.n; i++)
		conclude_probe(r, i, &t, now_ms);
	prover_drop_batch(r);
}

void prover_drop_batch(struct prover *r)
{
	r->batch.n = 0;
	r->submitted_ms = 0;
	r->turns = 0;
}

/* Log another result of the port than the last one. After a failure it is left out for a while. */
static void note_result(struct prover *r, int err, uint64_t now_ms)
{
	for (size_t i = 0; i < r->n_ports; i++) {
		struct prover_port *port = &r->ports[i];

		if (port->ifindex != r->batch.ifindex)
			continue;
		if (err && err != port->err)
			log_warn("probe-packets-fail", "ifindex=%u error=\"%s\"", port->ifindex,
			         strerror(-err));
		else if (!err && port->err)
			log_note("probe-packets-run", "ifindex=%u", port->ifindex);
		port->err = err;
		port->pause_until_ms = err ? now_ms + PROVER_PERIOD_MS : 0;
	}
}

/* The ports take turns. @return NULL: the last batch of each has failed a moment ago */
static const struct prover_port *choose_port(struct prover *r, uint64_t now_ms)
{
	for (size_t i = 0; i < r->n_ports; i++) {
		const struct prover_port *port = &r->ports[r->next_port++ % r->n_ports];

		if (port->pause_until_ms <= now_ms)
			return port;
	}
	return NULL;
}

static void push_batch(struct prover *r, uint64_t now_ms)
{
	const struct process *p = r->process;
	int err = p->ops->prove(p->driver, &r->batch);

	if (!r->submitted_ms)
		count_sent(r, err == -EAGAIN);
	if (err == -EAGAIN) {
		r->submitted_ms = r->submitted_ms ? r->submitted_ms : now_ms;
		note_wait(r, now_ms);
		return;
	}
	note_result(r, err, now_ms);
	if (err == -ENOLINK)
		prover_read_ports(r, now_ms);
	conclude_batch(r, now_ms);
}

static const char *explain_failure(int err)
{
	switch (err) {
	case -EOPNOTSUPP:
		return "the kernel is too old; update it to Linux 5.14 or later";
	case -EINVAL:
		return "the kernel refuses them on this interface; set the interface up, and "
		       "look at the driver of the NIC";
	case -EPERM:
	case -EACCES:
		return "weir-dataplane lacks a right; it needs CAP_BPF, CAP_PERFMON and "
		       "CAP_NET_ADMIN";
	case -ENOLINK:
		return "the port carries another program than that of weir-dataplane; look at "
		       "bpftool net";
	default:
		return strerror(-err);
	}
}

const char *prover_problem(const struct prover *r, const char **interface)
{
	for (size_t i = 0; r && i < r->n_ports; i++)
		for (uint32_t k = 0; r->ports[i].err && k < r->node.n_ports; k++)
			if (r->node.ports[k].ifindex == r->ports[i].ifindex) {
				*interface = r->node.ports[k].interface;
				return explain_failure(r->ports[i].err);
			}
	return NULL;
}

void prover_collect_batch(struct prover *r, uint64_t now_ms)
{
	if (r->batch.n)
		push_batch(r, now_ms);
}

void prover_run_batch(struct prover *r, uint64_t now_ms)
{
	const struct prover_port *port;

	if (r->batch.n || !r->process->ops->prove)
		return;
	/* Nothing is announced; or no port carries the code, and the ports say why. */
	if (!r->rows.n_announced || !r->n_ports) {
		set_all_states(r, PROOF_STATE_UNKNOWN, PROOF_REASON_NONE, now_ms);
		return;
	}
	port = choose_port(r, now_ms);
	if (!port)
		return;
	fill_batch(r, port, now_ms);
	prover_collect_batch(r, now_ms);
}
