/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weir-announce: each address is announced; drained, it is in graceful shutdown, and asked about, until another node confirms
 * that it announces it; then it is withdrawn, once the node is empty. A VIP that is withdrawn at once asks nobody.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "tests/cluster/siblings_internal.h"
#include "weir/json.h"
#include "weir/proof.h"

#define INCARNATION 0xabcdu
#define QUERY_MS    1000u /* between two questions about one address */
#define GOOD_MS     2000u /* a question lives so long */
#define GSHUT_MS    5000u /* in graceful shutdown at least */

static struct announced_address *find_row(struct siblings *s, const struct addr *address)
{
	for (size_t i = 0; i < s->n_rows; i++)
		if (!addr_compare(&s->rows[i].address, address))
			return &s->rows[i];
	return NULL;
}

static void set_row(struct announced_address *row, enum announce_table table,
                    enum announce_reason reason)
{
	if (row->table != table || row->reason != reason || !row->since_ms)
		row->since_ms = clock_mono_ms();
	row->table = (uint8_t)table;
	row->reason = (uint8_t)reason;
	row->in_kernel = row->imported = table == ANNOUNCE_NONE ? 0 : (uint8_t)(1u << table);
	row->exported = table == ANNOUNCE_NONE || !row->is_export_read ? 0 : 3;
}

/* Drained by a person: it asks, and goes when another one has confirmed. */
static void drain_row(struct siblings *s, struct announced_address *row)
{
	uint64_t now_ms = clock_mono_ms();

	if (row->table == ANNOUNCE_NONE && row->reason == ANNOUNCE_REASON_DRAINED)
		return;
	if (row->table != ANNOUNCE_SHUTDOWN)
		set_row(row, ANNOUNCE_SHUTDOWN, ANNOUNCE_REASON_DRAINING);
	if (now_ms < row->since_ms + GSHUT_MS && !s->is_emptied)
		return;
	if (row->promised_until_ms) { /* confirmed */
		set_row(row, ANNOUNCE_NONE, ANNOUNCE_REASON_DRAINED);
		row->query_ms = row->promised_until_ms = 0;
		return;
	}
	if (row->query_ms && now_ms > row->query_ms + GOOD_MS)
		set_row(row, ANNOUNCE_SHUTDOWN, ANNOUNCE_REASON_DRAIN_UNCONFIRMED);
	if (!row->query_ms || now_ms > row->query_ms + GOOD_MS + QUERY_MS)
		row->query_ms = now_ms;
}

static void follow_row(struct siblings *s, struct announced_address *row,
                       enum model_node_drain drain)
{
	if (drain == MODEL_NODE_DRAINED) {
		drain_row(s, row);
		return;
	}
	row->query_ms = row->promised_until_ms = 0;
	if (drain == MODEL_NODE_WITHDRAWN)
		set_row(row, ANNOUNCE_NONE, ANNOUNCE_REASON_WITHDRAWN);
	else
		set_row(row, ANNOUNCE_NORMAL, ANNOUNCE_REASON_ANNOUNCED);
}

/* --- the rows of a document --- */

static void add_row(struct siblings *s, const struct announced_address *before, size_t n_before,
                    uint64_t vip, const struct addr *address)
{
	struct announced_address *row = &s->rows[s->n_rows++];

	if (s->n_rows > SIBLINGS_ROWS_MAX)
		abort();
	*row = (struct announced_address){ .vip = vip,
		                           .address = *address,
		                           .fact = ANNOUNCE_FACT_COUNT,
		                           .is_read = 1,
		                           .is_export_read = 1 };
	for (size_t i = 0; i < n_before; i++)
		if (!addr_compare(&before[i].address, address))
			*row = before[i];
	for (size_t i = 0; i < ANNOUNCE_FACT_COUNT; i++)
		row->truth[i] = PROOF_YES;
	row->read_ms = clock_mono_ms();
	row->is_read = row->is_export_read = !s->has_lost_daemon;
}

static void list_rows(struct siblings *s)
{
	const struct model_announce *a = &s->m->self->announce;
	struct announced_address before[SIBLINGS_ROWS_MAX];
	size_t n_before = s->n_rows;

	memcpy(before, s->rows, sizeof(before));
	s->n_rows = 0;
	for (size_t i = 0; i < a->n_vips; i++)
		for (size_t k = 0; k < a->vips[i]->n_addresses; k++) {
			add_row(s, before, n_before, hash_text(a->vips[i]->name),
			        &a->vips[i]->addresses[k]);
			follow_row(s, &s->rows[s->n_rows - 1],
			           model_vip_drain(s->m, s->m->self, a->vips[i]));
		}
	for (size_t i = 0; i < a->n_dns; i++) {
		add_row(s, before, n_before, 0, &a->dns[i]);
		follow_row(s, &s->rows[s->n_rows - 1], model_node_drain(s->m, s->m->self));
	}
}

bool siblings_has_routes(const struct siblings *s)
{
	if (s->m->self->announce.daemon == MODEL_DAEMON_NONE)
		return true;
	for (size_t i = 0; i < s->n_rows; i++)
		if (s->rows[i].vip && s->rows[i].table == ANNOUNCE_NORMAL)
			return true;
	return false;
}

static void publish_rows(struct siblings *s)
{
	struct announced_node node = { .document = s->document,
		                       .incarnation = INCARNATION,
		                       .table = 177,
		                       .shutdown_table = 178,
		                       .daemon = "bird",
		                       .daemon_state = "answers",
		                       .version = "2.14" };
	const struct announced_neighbour neighbours[2] = {
		{ .name = "tor_a", .established = !s->has_lost_daemon },
		{ .name = "tor_b", .established = !s->has_lost_daemon },
	};

	if (s->has_lost_daemon) {
		strcpy(node.daemon_state, "silent");
		strcpy(node.problem, "it does not answer");
	}
	announced_publish(s->announced, &node, s->rows, s->n_rows, neighbours, 2, clock_mono_ms());
}

void siblings_announce(struct siblings *s)
{
	if (!siblings_goes_on(s, SIBLING_ANNOUNCE) || !s->m->self ||
	    s->m->self->announce.daemon == MODEL_DAEMON_NONE)
		return;
	if (model_node_drain(s->m, s->m->self) == MODEL_NODE_SERVES)
		s->is_emptied = false;
	list_rows(s);
	publish_rows(s);
	siblings_set(s, SIBLING_ANNOUNCE, STATS_GAUGE, "weir_announce_daemon_answers", "",
	             !s->has_lost_daemon);
}

/* --- the control socket --- */

static json_t *judge_question(struct siblings *s, const json_t *request)
{
	struct announced_address *row;
	struct addr address;

	if (addr_parse(json_text_of(request, "address"), &address))
		return json_refusal("address");
	row = find_row(s, &address);
	if (row && row->table == ANNOUNCE_NORMAL && !s->are_cut)
		return json_pack("{s:b, s:s}", "ok", 1, "answer", "confirmed");
	return json_pack("{s:b, s:s}", "ok", 1, "answer",
	                 row && row->table == ANNOUNCE_NORMAL ? "not-forwarded"
	                 : row                                ? "commanded"
	                                                      : "not-announced");
}

static json_t *note_confirmed(struct siblings *s, const json_t *request)
{
	struct announced_address *row;
	struct addr address;

	if (addr_parse(json_text_of(request, "address"), &address) ||
	    !(row = find_row(s, &address)) || !row->query_ms)
		return json_refusal("no question is open");
	row->promised_until_ms = clock_mono_ms();
	return json_pack("{s:b}", "ok", 1);
}

char *siblings_announce_answer(void *siblings, const char *line, size_t length)
{
	struct siblings *s = siblings;
	json_t *request = json_loadb(line, length, 0, NULL), *answer;

	if (json_has_text(request, "do", "question"))
		answer = judge_question(s, request);
	else if (json_has_text(request, "do", "confirmed"))
		answer = note_confirmed(s, request);
	else
		answer = json_pack("{s:b}", "ok", 1);
	s->is_emptied |= json_has_text(request, "do", "emptied");
	json_decref(request);
	return siblings_answer(answer);
}
