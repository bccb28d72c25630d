/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every round computes all conditions again from the targets; nothing is kept between rounds. Each
 * names its subject (SERVICE/SITE/FAMILY or POOL/BACKEND) and says what to do. A page has room for
 * 64 conditions, so only LISTED_MAX VIPs, services and backends each are named: those that are stated
 * last, of the process itself, find room.
 */
#include "healthcheck/checker.h"

#include <stdio.h>
#include <string.h>

#include "weir/condition.h"

#define VAGUE_MS   1000u /* ms without a vote: one lost echo of a control is no condition */
#define LISTED_MAX 16u   /* of each kind by name; the others are counted in one more condition */

static bool gets_no_traffic(const struct target *x)
{
	return x->is_new && target_state(x) != HEALTH_UP;
}

static void name_target(const struct target *x, char out[CONDITION_SUBJECT_MAX])
{
	if (x->pool)
		snprintf(out, CONDITION_SUBJECT_MAX, "%s/%s", x->pool->name, x->backend->name);
	else
		snprintf(out, CONDITION_SUBJECT_MAX, "%s/%s/%s", x->service->name, x->site->name,
		         addr_is4(&x->paths[0].spec.address) ? "ipv4" : "ipv6");
}

/* A VIP that this node cannot vote on, or that gets no traffic yet: the path from here to there. */
static void state_vip(const struct targets *t, const struct target *x, struct stats *to)
{
	const struct attempt_spec *spec = &x->paths[0].spec;
	char subject[CONDITION_SUBJECT_MAX], address[ADDR_TEXT_MAX];

	addr_text(&spec->address, address);
	name_target(x, subject);
	if (x->unproven)
		conditions_add(to, "vip-check-unproven", CONDITION_DEGRADED, subject,
		               "no TCP connection from %s to %s port %u has succeeded yet (%s), so "
		               "this node has no vote on the site%s. Open the path, or name a "
		               "check in services[].vip_check",
		               t->model->self->name, address, spec->port,
		               health_reason_text(x->last),
		               gets_no_traffic(x) ? ", and the new VIP gets no traffic" : "");
	else
		conditions_add(
		        to, "vip-never-up", CONDITION_DEGRADED, subject,
		        "a later version added %s port %u, and no node has seen it up: it gets "
		        "no traffic while another site is up (last: %s)",
		        address, spec->port, health_reason_text(x->last));
}

static void state_unwatched(const struct model_service *s, struct stats *to)
{
	if (s->vip_check_from == MODEL_VIP_CHECK_OFF)
		conditions_add(
		        to, "vip-check-off", CONDITION_NOTE, s->name,
		        "vip_check is \"none\": no node looks at its VIPs from outside, so a "
		        "dead site stays in the answers until a person takes it out");
	else if (model_service_is_shared(s))
		conditions_add(
		        to, "vip-check-missing", CONDITION_NOTE, s->name,
		        "a VIP of several sites is not checked from outside: when all of its "
		        "sites are dead, its addresses stay in the answers until a person "
		        "takes these sites out");
	else
		conditions_add(to, "vip-check-missing", CONDITION_NOTE, s->name,
		               "UDP port %u has no check by default: a dead site stays in the "
		               "answers until a person takes it out. Name a check in "
		               "services[].vip_check",
		               s->port);
}

static void state_more(const char *code, enum condition_level level, const char *what, size_t n,
                       struct stats *to)
{
	if (n)
		conditions_add(to, code, level, "",
		               "%zu more %s have the same trouble: weir health lists them", n,
		               what);
}

void conditions_of_vips(const struct targets *t, struct stats *to)
{
	size_t n = 0, n_unproven = 0, n_new = 0, n_unwatched = 0;

	for (size_t i = 0; t && i < t->n; i++) {
		const struct target *x = &t->items[i];

		if (!x->service || !(x->unproven || gets_no_traffic(x)))
			continue;
		if (n++ < LISTED_MAX)
			state_vip(t, x, to);
		else if (x->unproven)
			n_unproven++;
		else
			n_new++;
	}
	state_more("vip-check-unproven", CONDITION_DEGRADED, "VIPs", n_unproven, to);
	state_more("vip-never-up", CONDITION_DEGRADED, "VIPs", n_new, to);
	for (size_t i = 0; t && i < t->model->n_services; i++)
		if (model_service_is_unwatched(&t->model->services[i]) &&
		    n_unwatched++ < LISTED_MAX)
			state_unwatched(&t->model->services[i], to);
	if (n_unwatched > LISTED_MAX)
		conditions_add(to, "vip-check-missing", CONDITION_NOTE, "",
		               "the VIPs of %zu more services are not checked from outside",
		               n_unwatched - LISTED_MAX);
}

/* Whether nobody knows if @p x answers: neither it nor any control does, or it cannot be asked. */
static bool is_unheard(const struct targets *t, const struct target *x, uint64_t now_ms)
{
	const struct pool_tally *pool = x->pool ? &t->tallies[x->pool->index] : NULL;

	return x->inconclusive && !x->last_late && !x->last_unready && !x->unproven &&
	       x->vague_ms + VAGUE_MS <= now_ms && (!pool || pool->n_vague < pool->n);
}

static void state_unheard(const struct target *x, uint64_t now_ms, struct stats *to)
{
	char subject[CONDITION_SUBJECT_MAX], address[ADDR_TEXT_MAX];

	name_target(x, subject);
	if (x->last == HEALTH_REASON_LOCAL)
		conditions_add(
		        to, "check-inconclusive", CONDITION_DEGRADED, subject,
		        "no check of %s could be made for %llu s (%s), so its verdict stays: "
		        "it may be dead. See to this node's routes and memory, and weir health",
		        addr_text(&x->paths[0].spec.address, address),
		        (unsigned long long)((now_ms - x->vague_ms) / 1000),
		        x->last_detail ? strerror((int)x->last_detail) : "refused here");
	else
		conditions_add(
		        to, "check-inconclusive", CONDITION_DEGRADED, subject,
		        "%s has not answered its check for %llu s, and no control answers either, "
		        "so its verdict stays: it may be dead. Let nodes[].controls answer ICMP "
		        "echoes of this node, or name others; see weir health",
		        addr_text(&x->paths[0].spec.address, address),
		        (unsigned long long)((now_ms - x->vague_ms) / 1000));
}

void conditions_of_unheard(const struct targets *t, uint64_t now_ms, struct stats *to)
{
	size_t n = 0;

	for (size_t i = 0; t && i < t->n; i++)
		if (is_unheard(t, &t->items[i], now_ms) && n++ < LISTED_MAX)
			state_unheard(&t->items[i], now_ms, to);
	state_more("check-inconclusive", CONDITION_DEGRADED, "backends or VIPs",
	           n > LISTED_MAX ? n - LISTED_MAX : 0, to);
}

/* Path @p k of the pool of @p x, which at least one that is up lacks. */
static void state_path(const struct target *x, uint32_t k, const struct pool_tally *y,
                       struct stats *to)
{
	const struct attempt_spec *spec = &x->paths[k].spec;
	char subject[CONDITION_SUBJECT_MAX], address[ADDR_TEXT_MAX];

	addr_text(&spec->address, address);
	snprintf(subject, sizeof(subject), "%s/%s/%u", x->pool->name, address, spec->port);
	conditions_add(to, "path-never-up", CONDITION_DEGRADED, subject,
	               "%u of the %u backends that are up have never answered at %s port %u: "
	               "connections to it fail there. Put the VIP on their loopback and start its "
	               "server, or give its service another pool (weir health names them)",
	               y->n_lacking[k], y->n_up, address, spec->port);
}

void conditions_of_paths(const struct targets *t, struct stats *to)
{
	size_t n = 0;

	for (size_t i = 0; t && i < t->model->n_pools; i++) {
		const struct pool_tally *y = &t->tallies[i];

		for (uint32_t k = 0; y->any && k < y->any->n_paths; k++)
			if (y->n_lacking[k] && n++ < LISTED_MAX)
				state_path(y->any, k, y, to);
	}
	state_more("path-never-up", CONDITION_DEGRADED, "VIPs and ports",
	           n > LISTED_MAX ? n - LISTED_MAX : 0, to);
}
