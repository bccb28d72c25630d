/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a change does to checks, measured where they are used: at a pool's backends and at services'
 * VIPs. So a check that is renamed changes nothing, and one that nobody uses has no effect.
 */
#include <math.h>
#include <string.h>

#include "mgmt/rules/risk_internal.h"

static bool same_text(const char *a, const char *b)
{
	return !strcmp(a ? a : "", b ? b : "");
}

/* Which setting of what is probed differs. @return NULL: none */
static const char *other_target(const struct model_check *a, const struct model_check *b)
{
	bool http = a->type == MODEL_CHECK_HTTP && b->type == MODEL_CHECK_HTTP;

	if (a->type != b->type)
		return "type";
	if (a->port != b->port)
		return "port";
	if (a->via != b->via)
		return "via";
	if (http && !same_text(a->path, b->path))
		return "path";
	if (http && !same_text(a->host, b->host))
		return "host";
	return http && a->expect != b->expect ? "expect" : NULL;
}

static void measure_damping(struct risk_work *w, const char *subject, const struct model_check *a,
                            const struct model_check *b)
{
	bool off = a->damp_turns && !b->damp_turns;
	bool harsh = b->damp_turns && b->damp_turns <= 2 &&
	             (!a->damp_turns || a->damp_turns > b->damp_turns);
	double longer = b->damp_turns && b->damp_max_ms > 60000
	                        ? risk_times(a->damp_max_ms, b->damp_max_ms)
	                        : 1;

	risk_note(w, RISK_DAMPING, off || harsh || longer >= 5, subject, "damping %s",
	          off     ? "is turned off"
	          : harsh ? "holds a target down after one or two changes"
	                  : "is much longer");
}

/* A factor alone is no harm: it counts only beyond a value that people notice. */
static void measure_times(struct risk_work *w, const char *subject, const struct model_check *a,
                          const struct model_check *b)
{
	double slower = risk_times(a->detect_worst_ms, b->detect_worst_ms);
	double patience_a = (double)a->fall * a->timeout_ms,
	       patience_b = (double)b->fall * b->timeout_ms;
	double hasty =
	        fmax(risk_times(patience_b, patience_a), risk_times(b->timeout_ms, a->timeout_ms));
	double up_a = (double)a->rise * a->interval_ms, up_b = (double)b->rise * b->interval_ms;

	risk_note(w, RISK_CHECK_SLOWER, b->detect_worst_ms > 1000 ? slower : 0, subject,
	          "a dead target is detected within %u ms, was %u ms", b->detect_worst_ms,
	          a->detect_worst_ms);
	if (b->fall == 1 && a->fall > 1)
		hasty = fmax(hasty, 3);
	risk_note(w, RISK_CHECK_HASTY, hasty, subject,
	          "a target is down after %u failures of %u ms, was %u of %u ms", b->fall,
	          b->timeout_ms, a->fall, a->timeout_ms);
	risk_note(w, RISK_CHECK_RETURN, up_b > 5000 ? risk_times(up_a, up_b) : 0, subject,
	          "a recovered target is up after %.0f ms, was %.0f ms", up_b, up_a);
	risk_note(w, RISK_CHECK_RATE,
	          b->interval_ms < 100 ? risk_times(b->interval_ms, a->interval_ms) : 0, subject,
	          "probed every %u ms, was %u ms", b->interval_ms, a->interval_ms);
	risk_note(w, RISK_CHECK_RATE,
	          b->fast_interval_ms < 100 ? risk_times(b->fast_interval_ms, a->fast_interval_ms)
	                                    : 0,
	          subject, "probed every %u ms while in doubt, was %u ms", b->fast_interval_ms,
	          a->fast_interval_ms);
	measure_damping(w, subject, a, b);
}

static bool is_external(const struct model_check *check)
{
	return check->type == MODEL_CHECK_EXTERNAL;
}

/* Whether @p at leads packets of a site to @p pool through a check's tunnel. */
static bool is_probed_at(const struct model_at *at, const struct model_pool *pool)
{
	return !is_external(pool->check) &&
	       (at->backup == pool || (at->pool == pool && pool->check->via == MODEL_VIA_TUNNEL));
}

/* The address of each family at which a VIP is probed: the first one; NULL: it has none. */
static const struct addr *probed_address(const struct model_vip *vip, bool ip4)
{
	for (size_t i = 0; i < vip->n_addresses; i++)
		if (addr_is4(&vip->addresses[i]) == ip4)
			return &vip->addresses[i];
	return NULL;
}

static uint16_t probed_port(const struct model_service *s, const struct model_pool *pool)
{
	return pool->check->port ? pool->check->port : s->port;
}

/* Whether the nodes of @p site probe @p pool of @p m at @p address and @p port; NULL: at any. */
static bool has_path(const struct model *m, const struct model_pool *pool, const char *site,
                     const struct addr *address, uint16_t port)
{
	for (size_t i = 0; i < m->n_services; i++)
		for (size_t j = 0; j < m->services[i].n_at; j++) {
			const struct model_at *at = &m->services[i].at[j];
			const struct addr *own;

			if (!is_probed_at(at, pool) || strcmp(at->site->name, site) != 0)
				continue;
			if (!address)
				return true;
			own = probed_address(at->vip, addr_is4(address));
			if (own && addr_equal(own, address) &&
			    probed_port(&m->services[i], pool) == port)
				return true;
		}
	return false;
}

/*
 * What else the backends of @p b are asked for, which serve already, and whose check stays the same:
 * a new service or VIP that leads to them. The ports of UDP services are only tried.
 */
static void measure_paths(struct risk_work *w, const char *subject, const struct model_pool *a,
                          const struct model_pool *b)
{
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < w->to->n_services; i++)
		for (size_t k = 0; k < 2 * w->to->services[i].n_at; k++) {
			const struct model_service *s = &w->to->services[i];
			const struct model_at *at = &s->at[k / 2];
			const struct addr *address = probed_address(at->vip, !(k % 2));
			uint16_t port = probed_port(s, b);

			if (!address || !is_probed_at(at, b) ||
			    (s->protocol == MODEL_UDP && !b->check->port) ||
			    !has_path(w->from, a, at->site->name, NULL, 0) ||
			    has_path(w->from, a, at->site->name, address, port))
				continue;
			risk_note(w, RISK_CHECK_TARGET, 1, subject,
			          "its check asks for %s port %u, too (service %s)",
			          addr_text(address, text), port, s->name);
			return;
		}
}

static void measure_check(struct risk_work *w, const char *subject, const struct model_check *a,
                          const struct model_check *b)
{
	risk_note(w, RISK_CHECK_REMOVED, a && !b, subject, "its check is removed");
	if (!a || !b)
		return;
	const char *what = other_target(a, b);
	risk_note(w, RISK_CHECK_TARGET, what != NULL, subject, "the %s of its check changes", what);
	if (is_external(a) == is_external(b))
		measure_times(w, subject, a, b);
	else /* looks at what programs say take other times than probes */
		measure_damping(w, subject, a, b);
}

void risk_measure_checks(struct risk_work *w)
{
	for (size_t i = 0; i < w->from->n_pools; i++) {
		const struct model_pool *a = &w->from->pools[i], *b = model_pool(w->to, a->name);

		if (!b)
			continue;
		const char *subject = risk_text(w, "pool %s", a->name);
		measure_check(w, subject, a->check, b->check);
		if (a->check && b->check && !other_target(a->check, b->check))
			measure_paths(w, subject, a, b);
	}
	for (size_t i = 0; i < w->from->n_services; i++) {
		const struct model_service *a = &w->from->services[i];
		const struct model_service *b = model_service(w->to, a->name);

		/* a service with one VIP is not probed from outside: there is nothing to lose */
		if (b && !model_service_has_one_vip(a) && !model_service_has_one_vip(b))
			measure_check(w, risk_text(w, "service %s at its VIPs", a->name),
			              a->vip_check, b->vip_check);
	}
}
