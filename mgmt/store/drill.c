/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A drill is refused by what the document and the overrides say here; whether the backup is ready is
 * the nodes' evidence, which mgmt/api/drills.c asks for. Two nodes may begin drills at the same
 * moment: what is too much then is left out by the dataplane (dataplane/tables/plan_drill.c).
 */
#include "mgmt/store/drill.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/random.h"
#include "mgmt/overrides/hlc.h"
#include "mgmt/store/journal.h"

/* Flows that may be silent: scanners answer nothing, and the newest flows have just begun. */
#define SILENT_FEW     2u
#define SILENT_PERCENT 10u

__attribute__((format(printf, 4, 5))) static enum drill_outcome
answer_drill(struct drill_result *r, enum drill_outcome outcome, const char *field,
             const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(r->text, sizeof(r->text), format, list);
	va_end(list);
	r->field = field;
	return outcome;
}

/* Where @p service has a backup at @p site that a drill of @p service_name ("": any) concerns. */
static const struct model_at *find_backed(const struct model_service *service, const char *site,
                                          const char *service_name)
{
	if (*service_name && strcmp(service->name, service_name) != 0)
		return NULL;
	for (size_t k = 0; k < service->n_at && service->protocol == MODEL_TCP; k++)
		if (service->at[k].backup && !strcmp(service->at[k].site->name, site))
			return &service->at[k];
	return NULL;
}

/* Addresses that no client has: "this" network, loopback, link-local, multicast and above. */
static bool is_of_clients(const struct prefix *p)
{
	static const char *const hosts_of_none[] = { "0.0.0.0/8",   "127.0.0.0/8", "169.254.0.0/16",
		                                     "224.0.0.0/3", "::/16",       "fe80::/10",
		                                     "ff00::/8" };
	struct prefix other;

	for (size_t i = 0; i < sizeof(hosts_of_none) / sizeof(hosts_of_none[0]); i++)
		if (!prefix_parse(hosts_of_none[i], &other) && prefix_overlaps(p, &other))
			return false;
	return true;
}

static enum drill_outcome check_clients(const struct drill_request *r, struct drill_result *result)
{
	bool is4 = addr_is4(&r->clients.addr);
	unsigned least = is4 ? DRILL_LEAST_BITS4 : DRILL_LEAST_BITS6;

	if (r->clients.bits < least)
		return answer_drill(result, DRILL_INVALID, "clients",
		                    "is wider than /%u: a drill concerns some clients", least);
	if (!is_of_clients(&r->clients))
		return answer_drill(result, DRILL_INVALID, "clients",
		                    "has addresses that no client has");
	return DRILL_OK;
}

static enum drill_outcome check_time(const struct drill_request *r, int64_t now_ms,
                                     struct drill_result *result)
{
	if (r->until_ms <= now_ms)
		return answer_drill(result, DRILL_INVALID, "until", "is in the past");
	if (r->until_ms - now_ms < DRILL_LEAST_MS)
		return answer_drill(result, DRILL_INVALID, "until",
		                    "is less than 10 s from now: a drill takes 2 s to begin");
	if (r->until_ms - now_ms > DRILL_MOST_MS)
		return answer_drill(result, DRILL_INVALID, "until",
		                    "is more than 1 h from now: a drill ends by itself");
	return DRILL_OK;
}

/* The services that it concerns: there must be one with a backup and a VIP of the clients' family. */
static enum drill_outcome check_services(const struct model *m, const struct drill_request *r,
                                         struct drill_result *result)
{
	const char *name = r->service ? r->service : "";
	bool is4 = addr_is4(&r->clients.addr), known = !*name;
	size_t n_backed = 0, n_family = 0;

	for (size_t i = 0; i < m->n_services; i++) {
		const struct model_at *at = find_backed(&m->services[i], r->site, name);

		known |= !strcmp(m->services[i].name, name);
		n_backed += at != NULL;
		n_family += at && model_vip_has_family(at->vip, is4);
	}
	if (!known)
		return answer_drill(result, DRILL_UNKNOWN, "service", "there is no service %.63s",
		                    name);
	if (!n_backed)
		return answer_drill(result, DRILL_REFUSED, NULL,
		                    "site %.63s has no backup pool for %s%.63s (TCP): set "
		                    "services[].at[].backup",
		                    r->site, *name ? "service " : "any service", name);
	if (!n_family)
		return answer_drill(
		        result, DRILL_INVALID, "clients",
		        "is IPv%c, but no VIP there of a service with a backup has an IPv%c address",
		        is4 ? '4' : '6', is4 ? '4' : '6');
	return DRILL_OK;
}

static enum drill_outcome check_others(const struct overrides *all, const struct drill_request *r,
                                       int64_t now_ms, struct drill_result *result)
{
	char clients[ADDR_LONG_TEXT_MAX];
	size_t n = 0;

	for (size_t i = 0; i < all->n_items; i++) {
		const struct override *o = &all->items[i];

		if (o->kind != MODEL_OVERRIDE_DRILL || strcmp(o->name, r->site) != 0 ||
		    override_is_done(o, now_ms))
			continue;
		n++;
		if (prefix_overlaps(&o->clients, &r->clients))
			return answer_drill(result, DRILL_REFUSED, NULL,
			                    "drill %s of site %s has clients %s already", o->id,
			                    o->name, prefix_text(&o->clients, clients));
	}
	if (n >= MODEL_DRILLS_MAX)
		return answer_drill(result, DRILL_REFUSED, NULL,
		                    "%zu drills run at site %.63s already: end one of them first",
		                    n, r->site);
	return DRILL_OK;
}

static void make_override(const struct intent *in, const struct drill_request *r, int64_t now_ms,
                          struct override *o)
{
	*o = (struct override){ .kind = MODEL_OVERRIDE_DRILL,
		                .target = MODEL_TARGET_SITE,
		                .generation = hlc_next(0, intent_stamp_ms(in, now_ms)),
		                .created_ms = now_ms,
		                .from_ms = now_ms,
		                .until_ms = r->until_ms,
		                .clients = r->clients };
	snprintf(o->name, sizeof(o->name), "%s", r->site);
	snprintf(o->service, sizeof(o->service), "%s", r->service ? r->service : "");
	snprintf(o->author, sizeof(o->author), "%s", r->author);
	snprintf(o->reason, sizeof(o->reason), "%s", r->reason);
	snprintf(o->node, sizeof(o->node), "%s", intent_node(in));
	snprintf(o->principal, sizeof(o->principal), "%s", intent_principal(in));
	override_make_id(o->node, now_ms, random_salt(), o->id);
}

enum drill_outcome drill_check(const struct intent *in, const struct drill_request *r,
                               int64_t now_ms, struct drill_result *result)
{
	const struct model *m = intent_model(in);
	enum drill_outcome outcome;

	*result = (struct drill_result){ 0 };
	if (!m || !model_site(m, r->site))
		return answer_drill(result, DRILL_UNKNOWN, "site", "there is no site %.63s",
		                    r->site);
	outcome = check_time(r, now_ms, result);
	if (!outcome)
		outcome = check_clients(r, result);
	if (!outcome)
		outcome = check_services(m, r, result);
	if (!outcome)
		outcome = check_others(intent_overrides(in), r, now_ms, result);
	if (!outcome)
		make_override(in, r, now_ms, &result->override);
	return outcome;
}

static enum drill_outcome merge_drill(struct intent *in, const char *what, const char *author,
                                      const char *reason, int64_t now_ms,
                                      struct drill_result *result)
{
	const struct override *o = &result->override;
	char clients[ADDR_LONG_TEXT_MAX], value[LOG_VALUE_MAX];
	int err;

	prefix_text(&o->clients, clients);
	journal_add(intent_journal(in), now_ms, "override", o->id,
	            "drill of the backups of %s with clients %s %s by %s (%s)%s%s", o->name,
	            clients, what, author, intent_principal(in), *reason ? ": " : "", reason);
	log_note("drill", "do=%s site=%s clients=%s id=%s author=%s principal=%s reason=%s", what,
	         o->name, clients, o->id, author, intent_principal(in), log_value(reason, value));
	err = intent_merge(in, o, 1, now_ms);
	return err < 0 ? answer_drill(result, DRILL_FAILED, NULL, "%s", strerror(-err)) : DRILL_OK;
}

enum drill_outcome drill_begin(struct intent *in, const struct drill_request *r, int64_t now_ms,
                               struct drill_result *result)
{
	enum drill_outcome outcome = drill_check(in, r, now_ms, result);

	if (outcome)
		return outcome;
	if (overrides_live(intent_overrides(in), now_ms) >= OVERRIDES_LIVE_MAX)
		return answer_drill(result, DRILL_TOO_MANY, NULL,
		                    "%u overrides are in force already: end some of them first",
		                    OVERRIDES_LIVE_MAX);
	return merge_drill(in, "begun", r->author, r->reason, now_ms, result);
}

enum drill_outcome drill_end(struct intent *in, const char *id, const char *author,
                             const char *reason, int64_t now_ms, struct drill_result *result)
{
	const struct override *o = overrides_find(intent_overrides(in), id);

	*result = (struct drill_result){ 0 };
	if (!o || o->kind != MODEL_OVERRIDE_DRILL)
		return answer_drill(result, DRILL_UNKNOWN, "id", "there is no drill %.40s", id);
	result->override = *o;
	if (override_is_done(o, now_ms))
		return DRILL_OVER;
	o = NULL; /* the set changes */
	result->override.prior = result->override.generation;
	result->override.generation =
	        hlc_next(result->override.generation, intent_stamp_ms(in, now_ms));
	result->override.until_ms = now_ms;
	result->override.ended = true;
	snprintf(result->override.principal, sizeof(result->override.principal), "%s",
	         intent_principal(in));
	return merge_drill(in, "ended", author, reason, now_ms, result);
}

enum drill_verdict drill_judge(const struct drill_flows *f, bool all, bool over)
{
	uint64_t silent = f->begun > f->followed ? f->begun - f->followed : 0;

	if (!f->begun)
		return all ? DRILL_NO_CLIENTS : DRILL_NOT_KNOWN;
	if (!f->followed)
		return over || f->repeated ? DRILL_NOT_PROVED : DRILL_NOT_KNOWN;
	return silent <= SILENT_FEW || silent <= f->begun / (100 / SILENT_PERCENT)
	               ? DRILL_PROVED
	               : DRILL_NOT_PROVED;
}

const char *drill_verdict_text(enum drill_verdict verdict)
{
	static const char *const texts[] = { "unknown", "no_clients", "proved", "not_proved" };

	return texts[verdict];
}
