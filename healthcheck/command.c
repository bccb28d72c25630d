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
#include "record/answers.h"
#include "weir/json.h"

#define ROWS_MAX     5000u /* rows of one answer, which the control socket limits to 4 MiB */
#define SERVICES_MAX 1000u /* of them: services of the own site */

/* Why the last probe had no vote; "" where it had one. */
static const char *no_vote_text(const struct target *t)
{
	if (t->unproven)
		return "its default check has never succeeded from this node";
	if (!t->inconclusive)
		return "";
	if (target_is_external(t))
		return "what programs say is not known here yet";
	if (t->last == HEALTH_REASON_LOCAL)
		return "not sent";
	if (t->last_late)
		return "late";
	if (t->last_unready)
		return "no tunnel yet";
	if (t->last == HEALTH_REASON_OK)
		return "the others of its pool are asked first";
	return "controls silent";
}

/* The last result with what was expected, so that the reader need not look up the check. */
static void result_text(const struct target *t, char *out, size_t n)
{
	switch (t->last) {
	case HEALTH_REASON_NONE:
		snprintf(out, n,
		         target_is_external(t) ? "no program says what it is" : "not probed yet");
		break;
	case HEALTH_REASON_EXTERNAL:
		snprintf(out, n, "a program says that it is down");
		break;
	case HEALTH_REASON_OK:
		if (target_is_external(t))
			snprintf(out, n, "a program says that it is up");
		else if (t->paths[0].spec.is_http)
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

/* The first of the paths that have no vote, and how many more there are. */
static size_t write_lacking(const struct target *t, char *out, size_t size)
{
	uint32_t first = 0, n_more = 0;
	char address[ADDR_TEXT_MAX], more[32] = "";

	while (!(t->lacks >> first & 1))
		first++;
	for (uint32_t k = first + 1; k < t->n_paths; k++)
		n_more += t->lacks >> k & 1;
	if (n_more)
		snprintf(more, sizeof(more), " and %u more", n_more);
	return (size_t)snprintf(out, size, "; never answered, so without a vote: %s port %u%s",
	                        addr_text(&t->paths[first].spec.address, address),
	                        t->paths[first].spec.port, more);
}

/* "no answer within 200 ms, 30 ms ago; no vote: late" */
static void write_sentence(const struct target *t, uint64_t now_ms, char out[HEALTH_SENTENCE_MAX])
{
	const struct attempt_spec *spec = &t->paths[t->last_path].spec;
	char until[CLOCK_TEXT_MAX], address[ADDR_TEXT_MAX];
	size_t n;

	result_text(t, out, HEALTH_SENTENCE_MAX);
	n = strlen(out);
	if (t->n_paths > 1 && t->last != HEALTH_REASON_OK && t->last != HEALTH_REASON_NONE)
		n += (size_t)snprintf(out + n, HEALTH_SENTENCE_MAX - n, " at %s port %u",
		                      addr_text(&spec->address, address), spec->port);
	if (t->done_ms)
		n += (size_t)snprintf(out + n, HEALTH_SENTENCE_MAX - n, ", %llu ms ago",
		                      (unsigned long long)(now_ms - t->done_ms));
	if (*no_vote_text(t) && n < HEALTH_SENTENCE_MAX)
		n += (size_t)snprintf(out + n, HEALTH_SENTENCE_MAX - n, "; no vote: %s",
		                      no_vote_text(t));
	if (t->lacks && n < HEALTH_SENTENCE_MAX)
		n += write_lacking(t, out + n, HEALTH_SENTENCE_MAX - n);
	if (t->damp.held && n < HEALTH_SENTENCE_MAX)
		snprintf(out + n, HEALTH_SENTENCE_MAX - n, "; flapping (%.1f turns): %s %s",
		         t->damp.penalty,
		         t->spared ? "kept up as the last of its pool, else down until"
		                   : "held down until",
		         clock_text(damp_end_ms(t, now_ms), until));
}

static const char *family_text(bool ip4)
{
	return ip4 ? "ipv4" : "ipv6";
}

/* Of several paths, the one that decided the last round is named. */
static json_t *make_row(const struct target *t)
{
	const struct attempt_spec *spec = &t->paths[t->last_path].spec;
	uint64_t now_ms = clock_mono_ms();
	struct health_target row = {
		.pool = t->pool ? t->pool->name : NULL,
		.backend = t->pool ? t->backend->name : NULL,
		.service = t->pool ? NULL : t->service->name,
		.family = t->pool ? NULL : family_text(addr_is4(&spec->address)),
		.site = t->site->name,
		.check = t->check->name,
		.type = target_is_external(t) ? "external"
		        : spec->is_http       ? "http"
		                              : "tcp",
		.via = spec->mark ? "tunnel" : "direct",
		.address = spec->address,
		.port = spec->port,
		.paths = t->n_paths,
		.state = health_state_text(target_state(t)),
		.in_doubt = verdict_in_doubt(t->verdict),
		.inconclusive = t->inconclusive,
		.unproven = t->unproven,
		.is_new = t->is_new,
		.restored = t->restored,
		.damped = t->damp.held,
		.damped_until_ms = 1000 * (t->damp.held ? damp_end_ms(t, now_ms) / 1000 : 0),
		.since_ms = 1000 * t->since_s,
		.last = health_reason_text(t->last),
		.detail = t->last_detail,
		.no_vote = no_vote_text(t),
		.is_done = t->done_ms != 0,
		.last_ms_ago = now_ms - t->done_ms,
		/* else a probe is under way */
		.is_idle = t->done_ms && t->done_ms >= t->sent_ms && t->phase == TARGET_IDLE,
		.took_ms = t->done_ms - t->sent_ms,
		.detect_worst_ms = t->check->detect_worst_ms,
		.probes = t->counts.probes,
		.failed = t->counts.failed,
		.without_vote = t->counts.inconclusive,
	};

	write_sentence(t, now_ms, row.reason);
	return record_shown(&health_target_kind, &row);
}

static json_t *list_groups(const struct checker *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->targets->model->n_sites; i++)
		json_array_append_new(list, SHOWN(group_shown, c->targets->model->sites[i].name,
		                                  c->groups[i].n, c->groups[i].n_failing));
	return list;
}

static json_t *list_controls(const struct checker *c)
{
	struct control_view views[CONTROLS_MAX];
	size_t n = controls_view(c->controls, views);
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, SHOWN(control_shown, .address = views[i].address,
		                                  .reflector = views[i].is_reflector,
		                                  .silent = views[i].silent,
		                                  .n_queried = views[i].n_queried,
		                                  .n_answered = views[i].n_answered));
	return list;
}

static json_t *list_derived(const struct checker *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->targets->n_derived && i < SERVICES_MAX; i++) {
		const struct derived *d = &c->targets->derived[i];
		struct derived_shown row = { .service = d->service->name,
			                     .family = family_text(d->ip4),
			                     .pool = d->pool->name,
			                     .state = health_state_text(health_state(d->word)),
			                     .in_doubt = health_in_doubt(d->word),
			                     .since_ms = 1000 * (int64_t)health_since_s(d->word) };

		json_array_append_new(list, record_shown(&derived_shown_kind, &row));
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
	return SHOWN(health_shown, .ok = true, .document = c->targets->model->meta.document,
	             .targets = rows, .n_targets = n,
	             .truncated = n > n_max || c->targets->n_derived > SERVICES_MAX,
	             .services = services, .groups = list_groups(c), .controls = list_controls(c),
	             .tunnel_document = gate_document(&c->gate));
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
	return SHOWN(probed_shown, .ok = true, .targets = rows);
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
