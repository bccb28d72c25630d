/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A transaction, tried until its outcome is clear or 8 s are over; attempts.c has the rules. An
 * answer with status 200 that cannot be read is unclear as well: the member may have carried the
 * transaction out.
 *
 * When the database is full, the compares are sent alone, with a read of the first compare's key:
 * a transaction without any operation would be answered from the member's own, perhaps old, state.
 */
#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/reason.h"
#include "mgmt/etcd/gateway_internal.h"

/* Whether the same may be sent twice. @return 0, or -EINVAL with a reason */
static int check_repeatable(const struct etcd_txn *txn, char reason[ETCD_REASON_MAX])
{
	if (!txn->n_compares)
		return reason_write(reason, ETCD_REASON_MAX, -EINVAL,
		                    "a transaction without a compare cannot be repeated");
	for (size_t i = 0; i < txn->n_failure; i++) {
		if (txn->failure[i].kind == ETCD_RANGE)
			continue;
		return reason_write(reason, ETCD_REASON_MAX, -EINVAL,
		                    "a transaction that fails may only read");
	}
	return 0;
}

/*
 * Ask a member for its cluster before the first write, and after any failure: a write cannot be
 * taken back. What keeps a member from working (it is stopped, has no gateway, refuses our
 * certificate, which TLS 1.3 says only after the request) shows here, where nothing is written.
 */
static enum etcd_try check_member(struct etcd_gateway *g, uint64_t end_ms, int *err)
{
	struct etcd_request request;
	struct etcd_status status;
	char reason[ETCD_REASON_MAX];

	if (g->is_checked[g->current])
		return ETCD_TRY_SUCCEEDED;
	*err = etcd_request_status(&request, reason);
	if (*err)
		return ETCD_TRY_NOT_SENT;
	enum etcd_try outcome = etcd_gateway_try_as_user(g, &request, end_ms, err);

	etcd_request_fini(&request);
	if (outcome == ETCD_TRY_TOKEN || outcome == ETCD_TRY_REJECTED)
		return outcome;
	if (outcome != ETCD_TRY_SUCCEEDED)
		return ETCD_TRY_NOT_SENT;
	*err = etcd_answer_status(g->transfer.bytes, g->transfer.n, &status, reason);
	*err = etcd_gateway_judge(g, *err, reason, &status.header);
	g->is_checked[g->current] = !*err;
	return *err ? ETCD_TRY_NOT_SENT : ETCD_TRY_SUCCEEDED;
}

static enum etcd_try try_txn(struct etcd_gateway *g, const struct etcd_txn *txn,
                             const struct etcd_request *request, uint64_t end_ms,
                             struct arena *arena, struct etcd_txn_result *out, int *err)
{
	char reason[ETCD_REASON_MAX];
	enum etcd_try outcome = check_member(g, end_ms, err);

	if (outcome == ETCD_TRY_SUCCEEDED)
		outcome = etcd_gateway_try_as_user(g, request, end_ms, err);
	if (outcome != ETCD_TRY_SUCCEEDED)
		return outcome;
	*err = etcd_answer_txn(g->transfer.bytes, g->transfer.n, txn, arena, out, reason);
	*err = etcd_gateway_judge(g, *err, reason, &out->header);
	if (*err) {
		g->is_checked[g->current] = false;
		return ETCD_TRY_UNCLEAR;
	}
	g->n_left = 0;
	return out->succeeded ? ETCD_TRY_SUCCEEDED : ETCD_TRY_NOT_SUCCEEDED;
}

/* After "database space exceeded": whether the compares still hold. */
static enum etcd_try verify_txn(struct etcd_gateway *g, const struct etcd_txn *txn, uint64_t end_ms,
                                struct arena *arena, struct etcd_txn_result *out)
{
	struct etcd_op look = { .kind = ETCD_RANGE,
		                .on = { .key = txn->compares[0].key, .count_only = true } };
	struct etcd_txn compares = { .compares = txn->compares,
		                     .n_compares = txn->n_compares,
		                     .success = &look,
		                     .n_success = 1,
		                     .failure = txn->failure,
		                     .n_failure = txn->n_failure };
	struct etcd_request request;
	char reason[ETCD_REASON_MAX];
	int err = etcd_request_txn(&compares, &request, reason);

	if (err)
		return ETCD_TRY_UNCLEAR;
	enum etcd_try outcome = try_txn(g, &compares, &request, end_ms, arena, out, &err);

	etcd_request_fini(&request);
	return outcome;
}

/* Try until the outcome is clear, or the time is over. */
static enum etcd_result repeat_txn(struct etcd_gateway *g, const struct etcd_txn *txn,
                                   const struct etcd_request *request, struct arena *arena,
                                   struct etcd_txn_result *out, int *err)
{
	struct etcd_attempts a;
	enum etcd_next next;

	etcd_attempts_begin(&a, g->settings.n_endpoints, clock_mono_ms(), etcd_gateway_limit_ms(g));
	do {
		enum etcd_try outcome = try_txn(g, txn, request, a.end_ms, arena, out, err);

		next = etcd_attempts_note(&a, outcome, clock_mono_ms());
		if (next == ETCD_NEXT_VERIFY) {
			char full[ETCD_REASON_MAX];

			memcpy(full, g->reason, sizeof(full));
			outcome = verify_txn(g, txn, a.end_ms, arena, out);
			next = etcd_attempts_verified(&a, outcome, clock_mono_ms());
			memcpy(g->reason, full, sizeof(full));
		}
		if (next != ETCD_NEXT_END && etcd_gateway_is_stopped(g)) {
			etcd_attempts_stop(&a);
			*err = etcd_gateway_fail(g, -ECANCELED, "stopped");
			break;
		}
		if (outcome == ETCD_TRY_NOT_SENT || outcome == ETCD_TRY_UNCLEAR)
			etcd_gateway_leave(g);
	} while (next != ETCD_NEXT_END);
	return etcd_attempts_result(&a);
}

enum etcd_result etcd_gateway_txn(struct etcd_gateway *g, const struct etcd_txn *txn,
                                  struct arena *arena, struct etcd_txn_result *out, int *err)
{
	struct etcd_request request;
	struct etcd_txn_result last = { 0 };
	char reason[ETCD_REASON_MAX];
	int own_err = check_repeatable(txn, reason);

	if (!err)
		err = &own_err;
	g->reason[0] = '\0';
	g->foreign = 0;
	*err = own_err ? own_err : etcd_request_txn(txn, &request, reason);
	if (*err)
		return reason_write(g->reason, sizeof(g->reason), ETCD_NOT_WRITTEN, "%s", reason);
	enum etcd_result result = repeat_txn(g, txn, &request, arena, &last, err);

	etcd_request_fini(&request);
	if (result == ETCD_NOT_WRITTEN || result == ETCD_UNKNOWN)
		return result;
	g->reason[0] = '\0';
	*err = 0;
	*out = last;
	return result;
}
