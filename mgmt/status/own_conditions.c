/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each tick states all conditions again from what is known now; what is not stated again is over.
 * So no function has to remember that a condition ended.
 */
#include "mgmt/status/own_conditions.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/proc.h"
#include "mgmt/audit/log.h"
#include "mgmt/core/core.h"
#include "mgmt/sync/operations.h"
#include "mgmt/controller/operations_run.h"
#include "mgmt/peers/peers.h"
#include "mgmt/status/quiet_vips.h"
#include "mgmt/sync/shared_run.h"
#include "mgmt/peers/timekeep.h"
#include "mgmt/store/bootstrap.h"
#include "mgmt/store/key.h"
#include "weir/condition.h"

#define SKEW_MS 500 /* by which clocks may differ, beyond what measuring may be wrong */

/* State that the document of an earlier run was refused and stays. */
static void state_refused_document(const struct core *core)
{
	uint64_t version;
	const char *reason = intent_document_refusal(core->intent, &version);

	if (*reason)
		conditions_add(core->stats, "document-refused", CONDITION_DEGRADED,
		               "effective.conf",
		               "document %" PRIu64 " of version %" PRIu64
		               ": %.100s: it stays, and nothing else is in force. Go back to the "
		               "release before, or: weir rollback N, or weir apply FILE --replace",
		               intent_document(core->intent), version, reason);
}

/* State that lines of the audit log are gone: it lasts, whatever is written since, until somebody has seen it. */
static void state_audit_gone(const struct core *core, const struct audit_log_state *known)
{
	if (known->gone)
		conditions_add(
		        core->stats, "audit-gone", CONDITION_DEGRADED, PROC_AUDIT_DIR,
		        "%.100s: lines were written and are gone (%s), as line %" PRIu64
		        " says. Keep a copy of it, run weir audit verify, find out who did it; "
		        "then weir audit rotate --reason TEXT ends this",
		        known->dir, known->gone_how, known->gone);
}

/* State that the audit log cannot be written: who is on call goes on, and is not on record meanwhile. */
static void state_audit(const struct core *core)
{
	struct audit_log_state known;

	if (!core->audit)
		return;
	audit_log_look(core->audit, &known);
	state_audit_gone(core, &known);
	if (known.error)
		conditions_add(core->stats, "audit-not-written", CONDITION_DEGRADED, PROC_AUDIT_DIR,
		               "%.100s cannot be written (%s): changes are refused; drains, "
		               "confirmations and rollbacks are not, %" PRIu64
		               " lines went unrecorded so far. Make room on that disk",
		               known.dir, strerror(-known.error), known.unrecorded);
}

/* State how the first start of this node went. */
static void state_join(const struct core *core)
{
	const struct version *head = intent_head(core->intent);

	if (*join_refused(core->intent))
		conditions_add(core->stats, "file-refused", CONDITION_DEGRADED, "weir.conf",
		               "%.150s: nothing is in force; correct the file (weir config check "
		               "shows all errors), then systemctl restart weir",
		               join_refused(core->intent));
	state_refused_document(core);
	if (join_waits(core->intent) && !*intent_document_refusal(core->intent, NULL))
		conditions_add(core->stats, "joining", CONDITION_DEGRADED, "",
		               "this node has no version yet and asks the store for one");
	else if (head && core->shared && join_is_provisional(head))
		conditions_add(core->stats, "provisional", CONDITION_NOTE, "",
		               "version 1 is this node's own weir.conf and was not applied by a "
		               "person: the first version of the store replaces it");
}

/* State a version that is to be in force, and that this node cannot take. */
static void state_refused_version(const struct core *core)
{
	char subject[32];
	const char *reason;
	uint64_t number = intent_refused_version(core->intent, &reason);

	snprintf(subject, sizeof(subject), "version %" PRIu64, number);
	if (number)
		conditions_add(
		        core->stats, "version-refused", CONDITION_DEGRADED, subject,
		        "it is to be in force, and this node cannot take it: %.100s; %s. If this node was "
		        "removed, stop it: systemctl disable --now weir",
		        reason,
		        intent_head(core->intent)
		                ? "what was in force here stays"
		                : "nothing is in force here: weir rollback N, or weir apply FILE "
		                  "--replace");
}

/*
 * One peer's key against this node's. Who has another key's file than its version names says so itself.
 */
static void state_peer_key(const struct core *core, const struct peers_report *v)
{
	const struct version *head = intent_head(core->intent);

	if (head && !strcmp(v->digest, head->digest) && strcmp(v->version_key, head->hash_key) != 0)
		conditions_add(core->stats, "hash-key-mismatch", CONDITION_DEGRADED, v->node,
		               "node %s has a hash key with fingerprint %s, this node one with %s: "
		               "copy the right key file to the other node, then apply",
		               v->node, v->version_key, head->hash_key);
}

static void state_keys(const struct core *core)
{
	const struct intent_key *own = key_status(core->intent);
	const struct peers_report *reports;
	size_t n = core->peers ? peers_report(core, &reports) : 0;

	if (own->wrong)
		conditions_add(core->stats, "hash-key-mismatch", CONDITION_DEGRADED, "hash.key",
		               "%s", own->reason);
	for (size_t i = 0; i < n; i++)
		if (reports[i].state != PEERS_UNREACHABLE && reports[i].state != PEERS_UNASKED)
			state_peer_key(core, &reports[i]);
}

/*
 * State why the wall clock is not followed: time then goes on by elapsed time until somebody
 * looks.
 */
static void state_clock(struct core *core)
{
	enum wall_clock_hold hold = timekeep_hold(core);
	int64_t off_s = timekeep_off_by_ms(core) / 1000;

	if (hold == WALL_CLOCK_STEPPED || hold == WALL_CLOCK_BOOTED)
		conditions_add(
		        core->stats, "clock-stepped", CONDITION_DEGRADED, "",
		        "the wall clock is %" PRId64 " s off the believed time and is not "
		        "confirmed: %s; set the clock right, or accept it: weir clock accept "
		        "--reason TEXT",
		        off_s,
		        hold == WALL_CLOCK_BOOTED ? "ramps are held since the boot"
		                                  : "time goes on as if it had not stepped");
	else if (hold == WALL_CLOCK_UNSYNCHRONISED)
		conditions_add(
		        core->stats, "clock-unsynchronised", CONDITION_NOTE, "",
		        "the kernel reports that no time server disciplines the clock: ramps of drains "
		        "are held; start a time service (NTP), or set clock = \"trusted\" for this node");
}

/* How far this node's clock is ahead of others'. */
struct clock_skew {
	const struct peers_report *worst; /* NULL: none is off */
	int64_t ahead_ms, beyond_ms;      /* of that; beyond what measuring may be wrong */
	size_t n_off, n_heard;
};

static void find_skew(const struct core *core, struct clock_skew *s)
{
	const struct peers_report *reports;
	size_t n = peers_report(core, &reports);
	uint64_t now_ms = clock_mono_ms();
	int64_t own_ms = n ? timekeep_shown_ms(core) - (int64_t)now_ms : 0;

	*s = (struct clock_skew){ .beyond_ms = SKEW_MS };
	for (size_t i = 0; i < n; i++) {
		int64_t ahead_ms = own_ms - reports[i].clock_offset_ms;
		int64_t beyond_ms = llabs(ahead_ms) - reports[i].clock_slack_ms;

		if (!peers_hears_clock(&reports[i], now_ms))
			continue;
		s->n_heard++;
		s->n_off += beyond_ms > SKEW_MS;
		if (beyond_ms <= s->beyond_ms)
			continue;
		s->worst = &reports[i];
		s->ahead_ms = ahead_ms;
		s->beyond_ms = beyond_ms;
	}
}

/* State that clocks differ: what is to begin at one moment on all nodes does not. */
static void state_skew(const struct core *core)
{
	struct clock_skew s;

	find_skew(core, &s);
	const char *side = s.ahead_ms > 0 ? "ahead of" : "behind";
	double seconds = (double)llabs(s.ahead_ms) / 1e3;

	if (s.worst && s.n_heard > 1 && s.n_off * 2 > s.n_heard)
		conditions_add(
		        core->stats, "clock-skew", CONDITION_DEGRADED, "",
		        "this node's clock is %.1f s %s that of %.64s, and differs from %zu of %zu "
		        "nodes: what is to begin everywhere at once does not begin here with the "
		        "others; set its time service right (chronyc tracking)",
		        seconds, side, s.worst->node, s.n_off, s.n_heard);
	else if (s.worst)
		conditions_add(
		        core->stats, "clock-skew", CONDITION_DEGRADED, s.worst->node,
		        "this node's clock is %.1f s %s that of node %.64s: what is to begin "
		        "everywhere at once does not begin at both together; set the wrong one right "
		        "(weir clock on both; chronyc tracking)",
		        seconds, side, s.worst->node);
}

/* State that the API does not listen: peers need it. */
static void state_api(const struct core *core)
{
	if (*core->api.fault)
		conditions_add(
		        core->stats, "listen-failed", CONDITION_DEGRADED, core->api.address,
		        "the API cannot listen on this address (%s): check nodes[].api, the host's "
		        "addresses (ip address) and tls.crt and tls.key",
		        core->api.fault);
}

/* State a full disk also while nothing is written: a refused change leaves no other trace. */
static void state_disk(const struct core *core)
{
	uint64_t left, needed;

	if (intent_lacks_room(core->intent, &left, &needed))
		conditions_add(core->stats, "state-disk-full", CONDITION_DEGRADED, "state",
		               "%.100s has room for %.1f MB, and %.1f MB are needed: new versions "
		               "are refused, drains may not outlive a restart. Make room there",
		               core->dirs.state, (double)left / 1e6, (double)needed / 1e6);
}

void own_conditions_state(struct core *core)
{
	conditions_begin(core->stats, intent_document(core->intent));
	state_join(core);
	state_refused_version(core);
	state_keys(core);
	state_clock(core);
	state_skew(core);
	state_api(core);
	state_disk(core);
	state_audit(core);
	shared_run_state(core);
	quiet_vips_state(core);
	operations_add_conditions(core);
	logins_state(core, &core->logins);
	certificate_state(core, &core->certificate);
	conditions_end(core->stats);
}
