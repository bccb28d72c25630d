/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A request is answered at once from the table of targets; nothing is cached and nothing waits. A
 * row has what the health page says of the target, and what only this process knows: counts, times,
 * and the sentence why the last probe ended as it did, so that the command line needs no rules of
 * its own.
 */
#include "healthcheck/checker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/clock.h"
#include "weir/json.h"

#define ROWS_MAX     5000u /* rows of one answer, which the control socket limits to 4 MiB */
#define SERVICES_MAX 1000u /* of them: services of the own site */

/* RFC 3339; null for 0. */
static json_t *time_json(int64_t s)
{
	char text[CLOCK_TEXT_MAX];

	return s ? json_string(clock_text(s * 1000, text)) : json_null();
}

/* Why the last probe had no vote; "" where it had one. */
static const char *no_vote_text(const struct target *t)
{
	if (t->unproven)
		return "its default check has never succeeded from this node";
	if (!t->inconclusive)
		return "";
	if (t->last == HEALTH_REASON_LOCAL)
		return "not sent";
	if (t->last_late)
		return "late";
	if (t->last_unready)
		return "no tunnel yet";
	return "controls silent";
}

#define SENTENCE_MAX 320 /* bytes, with the NUL; a longer sentence is cut */

/* The last result with what was expected, so that the reader need not look up the check. */
static void result_text(const struct target *t, char *out, size_t n)
{
	switch (t->last) {
	case HEALTH_REASON_NONE:
		snprintf(out, n, "not probed yet");
		break;
	case HEALTH_REASON_OK:
		if (t->paths[0].spec.is_http)
			snprintf(out, n, "HTTP %u", t->last_detail);
		else
			snprintf(out, n, "connected");
		break;
	case HEALTH_REASON_TIMEOUT:
		snprintf(out, n, "no answer within %u ms", t->check->timeout_ms);
		break;
	case HEALTH_REASON_FULL_SIZE:
		snprintf(out, n,
		         "connected, but no packet of %u bytes was acknowledged within %u ms: the "
		         "way has a smaller MTU",
		         t->paths[t->last_path].spec.full_size, t->check->timeout_ms);
		break;
	case HEALTH_REASON_BAD_STATUS:
		snprintf(out, n, "HTTP %u, not %u", t->last_detail, t->check->expect);
		break;
	case HEALTH_REASON_LOCAL:
		snprintf(out, n, "not sent: %s",
		         t->last_detail ? strerror((int)t->last_detail)
		                        : "its path is not in place");
		break;
	default:
		snprintf(out, n, "%s", health_reason_text(t->last));
	}
}

/* When damping lets go of the target, in wall time. */
static int64_t damp_end_ms(const struct target *t, uint64_t now_ms)
{
	return clock_believed_ms() + (int64_t)damp_left_ms(&t->damp, &t->damp_rule, now_ms);
}

/* "no answer within 200 ms, 30 ms ago; no vote: late" */
static const char *write_sentence(const struct target *t, uint64_t now_ms, char out[SENTENCE_MAX])
{
	const struct attempt_spec *spec = &t->paths[t->last_path].spec;
	char until[CLOCK_TEXT_MAX], address[ADDR_TEXT_MAX];
	size_t n;

	result_text(t, out, SENTENCE_MAX);
	n = strlen(out);
	if (t->n_paths > 1 && t->last != HEALTH_REASON_OK && t->last != HEALTH_REASON_NONE)
		n += (size_t)snprintf(out + n, SENTENCE_MAX - n, " at %s port %u",
		                      addr_text(&spec->address, address), spec->port);
	if (t->done_ms)
		n += (size_t)snprintf(out + n, SENTENCE_MAX - n, ", %llu ms ago",
		                      (unsigned long long)(now_ms - t->done_ms));
	if (*no_vote_text(t) && n < SENTENCE_MAX)
		n += (size_t)snprintf(out + n, SENTENCE_MAX - n, "; no vote: %s", no_vote_text(t));
	if (t->damp.held && n < SENTENCE_MAX)
		snprintf(out + n, SENTENCE_MAX - n, "; flapping (%.1f turns): %s %s",
		         t->damp.penalty,
		         t->spared ? "kept up as the last of its pool, else down until"
		                   : "held down until",
		         clock_text(damp_end_ms(t, now_ms), until));
	return out;
}

/* What a row is about. Of several paths, the one that decided the last round is named. */
static json_t *make_names(const struct target *t)
{
	const struct attempt_spec *spec = &t->paths[t->last_path].spec;
	char text[ADDR_TEXT_MAX];

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:I}",
	                 t->pool ? "pool" : "service", t->pool ? t->pool->name : t->service->name,
	                 t->pool ? "backend" : "family",
	                 t->pool                    ? t->backend->name
	                 : addr_is4(&spec->address) ? "ipv4"
	                                            : "ipv6",
	                 "site", t->site->name, "check", t->check->name, "type",
	                 spec->is_http ? "http" : "tcp", "via", spec->mark ? "tunnel" : "direct",
	                 "address", addr_text(&spec->address, text), "port", (int)spec->port,
	                 "paths", (json_int_t)t->n_paths);
}

/* How long the last probe took; null while one is under way. */
static json_t *took_json(const struct target *t)
{
	bool known = t->done_ms && t->done_ms >= t->sent_ms && t->phase == TARGET_IDLE;

	return json_number_or_null(known, t->done_ms - t->sent_ms);
}

/* One target as the API and `weir health` show it. The keys are part of the API. */
static json_t *make_row(const struct target *t)
{
	uint64_t now_ms = clock_mono_ms();
	json_t *row = make_names(t);
	char text[SENTENCE_MAX];

	json_object_update_new(
	        row,
	        json_pack(
	                "{s:s, s:b, s:b, s:b, s:b, s:b, s:b, s:o, s:o, s:s, s:I, s:s, s:s, s:o, s:o, "
	                "s:I, s:I, s:I, s:I}",
	                "state", health_state_text(target_state(t)), "in_doubt",
	                verdict_in_doubt(t->verdict), "inconclusive", t->inconclusive, "unproven",
	                t->unproven, "new", t->is_new, "restored", t->restored, "damped",
	                t->damp.held, "damped_until",
	                time_json(t->damp.held ? damp_end_ms(t, now_ms) / 1000 : 0), "since",
	                time_json(t->since_s), "last", health_reason_text(t->last), "detail",
	                (json_int_t)t->last_detail, "no_vote", no_vote_text(t), "why",
	                write_sentence(t, now_ms, text), "last_ms_ago",
	                json_number_or_null(t->done_ms, now_ms - t->done_ms), "took_ms",
	                took_json(t), "detect_worst_ms", (json_int_t)t->check->detect_worst_ms,
	                "probes", (json_int_t)t->counts.probes, "failed",
	                (json_int_t)t->counts.failed, "without_vote",
	                (json_int_t)t->counts.inconclusive));
	return row;
}

static json_t *list_groups(const struct checker *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->targets->model->n_sites; i++)
		json_array_append_new(list, json_pack("{s:s,s:i,s:i}", "site",
		                                      c->targets->model->sites[i].name, "targets",
		                                      (int)c->groups[i].n, "failing",
		                                      (int)c->groups[i].n_failing));
	return list;
}

static json_t *list_controls(const struct checker *c)
{
	struct control_view view[CONTROLS_MAX];
	size_t n = controls_view(c->controls, view);
	json_t *list = json_array();
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list,
		                      json_pack("{s:s,s:b,s:b,s:I,s:I}", "address",
		                                addr_text(&view[i].address, text), "reflector",
		                                view[i].is_reflector, "silent", view[i].silent,
		                                "asked", (json_int_t)view[i].n_queried, "answered",
		                                (json_int_t)view[i].n_answered));
	return list;
}

static json_t *list_derived(const struct checker *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->targets->n_derived && i < SERVICES_MAX; i++) {
		const struct derived *d = &c->targets->derived[i];
		json_array_append_new(list,
		                      json_pack("{s:s, s:s, s:s, s:s, s:b, s:o}", "service",
		                                d->service->name, "family",
		                                d->ip4 ? "ipv4" : "ipv6", "pool", d->pool->name,
		                                "state", health_state_text(health_state(d->word)),
		                                "in_doubt", health_in_doubt(d->word), "since",
		                                time_json(health_since_s(d->word))));
	}
	return list;
}

/*
 * Answer "list". Rows over ROWS_MAX, with those of services, are counted, not listed, so that the answer
 * always fits.
 */
static json_t *do_list(struct checker *c, const json_t *request)
{
	const char *pool = json_get_text(request, "pool");
	json_t *rows = json_array(), *services = list_derived(c);
	size_t n = 0, n_max = ROWS_MAX - json_array_size(services);

	for (size_t i = 0; i < c->targets->n; i++) {
		const struct target *t = &c->targets->items[i];

		if (pool && (!t->pool || strcmp(t->pool->name, pool)))
			continue;
		if (n++ < n_max)
			json_array_append_new(rows, make_row(t));
	}
	return json_pack("{s:b, s:I, s:o, s:I, s:b, s:o, s:o, s:o, s:I}", "ok", 1, "document",
	                 (json_int_t)c->targets->model->meta.document, "targets", rows, "n_targets",
	                 (json_int_t)n, "truncated",
	                 n > n_max || c->targets->n_derived > SERVICES_MAX, "services", services,
	                 "groups", list_groups(c), "controls", list_controls(c), "tunnel_document",
	                 (json_int_t)gate_document(&c->gate));
}

static bool is_requested(const struct target *t, const json_t *request)
{
	const char *pool = json_get_text(request, "pool");
	const char *backend = json_get_text(request, "backend");
	const char *service = json_get_text(request, "service");
	const char *site = json_get_text(request, "site");

	if (pool && backend)
		return t->pool && !strcmp(t->pool->name, pool) &&
		       !strcmp(t->backend->name, backend);
	return service && site && t->service && !strcmp(t->service->name, service) &&
	       !strcmp(t->site->name, site);
}

static json_t *do_check(struct checker *c, const json_t *request)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < c->targets->n; i++) {
		struct target *t = &c->targets->items[i];

		if (!is_requested(t, request))
			continue;
		checker_probe_now(c, t);
		json_array_append_new(rows, make_row(t));
	}
	if (!json_array_size(rows)) {
		json_decref(rows);
		return json_refusal(
		        "no such target: give pool and backend, or service and another site");
	}
	return json_pack("{s:b, s:o}", "ok", 1, "targets", rows);
}

static json_t *answer_request(struct checker *c, const json_t *request)
{
	const char *what = json_get_text(request, "do");

	if (!what)
		return json_refusal("the request must be an object with \"do\"");
	if (!c->targets)
		return json_refusal("no document yet");
	if (!strcmp(what, "list"))
		return do_list(c, request);
	if (!strcmp(what, "check"))
		return do_check(c, request);
	return json_refusal("\"do\" must be list or check");
}

char *command_answer(struct checker *c, const char *line, size_t length)
{
	json_t *request = json_read(line, length, JSON_REJECT_DUPLICATES, NULL);
	json_t *a = request ? answer_request(c, request)
	                    : json_refusal("not a JSON object in one line");

	json_decref(request);
	return json_line(a);
}
