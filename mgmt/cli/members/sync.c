/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every round begins from what the API shows, so nothing is remembered between rounds, and a round that was cut off is
 * continued by the next one. A batch is small enough that programs beside this one wait for little: the store takes
 * MEMBER_PACE changes a second from all of them, and each batch takes a share of that at one go.
 *
 * Guards see the whole list before the first batch is sent.
 */
#include "mgmt/cli/members/sync.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "mgmt/json/row.h"
#include "weir/model.h"

#define PAGE         "1000"
#define PAGES_MAX    40u /* of MEMBERS_KNOWN_MAX and more */
#define BATCH_MOST   MEMBER_ENTRIES_MAX
#define BATCH_WRITES 50u  /* changes in a batch */
#define BATCH_MS     250u /* between the beginnings of two batches: 200 changes a second */
#define PATH_SIZE    256u

/* What the API shows of a pool. */
struct registration_pool {
	struct difference_present present;
	struct difference_pool pool;
	struct prefix *prefixes;
	size_t room;
};

static void free_shown(struct registration_pool *p)
{
	list_fini(&p->present.members);
	free(p->present.leaves);
	free(p->prefixes);
}

static void say_refused(struct sync *s, int status, const char *title,
                        const struct list_errors *errors)
{
	s->status = status;
	cli_fail(CLI_OK, "%s: the list is refused, and nothing is changed%s%s", s->pool,
	         *title ? ": " : "", title);
	if (!errors)
		return;
	row_put_lines(stderr, errors->text);
	if (errors->n > LIST_ERRORS_MAX)
		fprintf(stderr, "and %zu more\n", errors->n - LIST_ERRORS_MAX);
}

/* Send, and say what is wrong. @return SYNC_DONE with @p reply, given */
static enum sync_outcome send_request(struct sync *s, const char *method, const char *path,
                                      json_t *body, struct api_reply *reply)
{
	enum answer_meaning outcome = reach_send(&s->reach, method, path, body, reply);
	char reason[ANSWER_REASON_MAX];

	if (outcome == ANSWER_DONE) {
		reach_say_well(&s->reach);
		return SYNC_DONE;
	}
	bool is_full = !strcmp(api_text(reply->body, "code", ""), "too-many");

	s->retry_s = reply->retry_s;
	if (outcome == ANSWER_LATER || is_full) {
		reach_say_trouble(&s->reach, s->pool, answer_reason(reply, reason));
	} else {
		s->status = api_refusal(reply);
		s->reach.trouble[0] = '\0';
	}
	api_reply_fini(reply);
	return outcome == ANSWER_LATER || is_full ? SYNC_LATER : SYNC_REFUSED;
}

/* A member, or a backend of the configuration, of which name and address matter. What this program does not know is passed over. */
static bool read_present(const json_t *item, bool is_member, struct member_entry *m)
{
	const json_t *ttl = json_object_get(item, "ttl_s");
	json_t *known = JSON_TEXTS({ "id", json_get_text(item, is_member ? "id" : "name") },
	                           { "address", json_get_text(item, "address") });
	struct field_reader f;
	char text[32];

	if (is_member) {
		json_object_set(known, "weight", json_object_get(item, "weight"));
		json_object_set(known, "labels", json_object_get(item, "labels"));
	}
	if (json_is_integer(ttl)) {
		snprintf(text, sizeof(text), "%llds", (long long)json_integer_value(ttl));
		json_object_set_new(known, "ttl", json_string(text));
	}
	member_read_item(&f, known, m);
	bool ok = field_close(&f);

	if (!ok)
		json_decref(f.errors);
	json_decref(known);
	return ok;
}

static bool add_present(struct registration_pool *p, const json_t *item, bool is_member)
{
	struct list_members *list = &p->present.members;

	if (list->n == p->room) {
		p->room = p->room ? 2 * p->room : 1024;
		list->items = memory_must(realloc(list->items, p->room * sizeof(*list->items)));
		p->present.leaves = memory_must(
		        realloc(p->present.leaves, p->room * sizeof(*p->present.leaves)));
	}
	list->items[list->n] =
	        (struct member_entry){ .leaves = json_has_text(item, "state", "leaving") };
	if (!read_present(item, is_member, &list->items[list->n]))
		return false;
	list->n++;
	return true;
}

static bool add_all(struct registration_pool *p, const json_t *items, bool are_members)
{
	const json_t *item;
	size_t i;

	json_array_foreach(items, i, item) if (!add_present(p, item, are_members)) return false;
	return true;
}

static bool read_pool(struct registration_pool *p, const json_t *body)
{
	const json_t *prefixes = json_at(body, "registration.prefixes");
	size_t n = json_array_size(prefixes);

	p->prefixes = memory_must(calloc(n + 1, sizeof(*p->prefixes)));
	for (size_t i = 0; i < n; i++) {
		const char *text = json_string_value(json_array_get(prefixes, i));

		if (!text || prefix_parse(text, &p->prefixes[i]))
			return false;
	}
	p->pool = (struct difference_pool){ .prefixes = p->prefixes, .n = n };
	p->pool.max_backends = (size_t)api_number(body, "max_backends", 0);
	return add_all(p, json_object_get(body, "backends"), false);
}

static enum sync_outcome not_understood(struct sync *s)
{
	reach_say_trouble(&s->reach, s->pool, "the API's answer is not as this program knows it");
	return SYNC_LATER;
}

static enum sync_outcome look_at_pool(struct sync *s, struct registration_pool *p)
{
	char path[PATH_SIZE];
	struct api_reply reply;

	snprintf(path, sizeof(path), "/v1/pools/%s", s->pool);
	enum sync_outcome outcome = send_request(s, "GET", path, NULL, &reply);

	if (outcome != SYNC_DONE)
		return outcome;
	bool has_registration = json_is_object(json_object_get(reply.body, "registration"));

	if (!has_registration) {
		say_refused(s, CLI_USAGE, "the pool has no registration", NULL);
		outcome = SYNC_REFUSED;
	} else if (!read_pool(p, reply.body)) {
		outcome = not_understood(s);
	}
	api_reply_fini(&reply);
	return outcome;
}

static enum sync_outcome look_at_members(struct sync *s, struct registration_pool *p)
{
	char path[PATH_SIZE], next[MODEL_NAME_MAX] = "";
	enum sync_outcome outcome;
	struct api_reply reply;

	for (unsigned i = 0; i < PAGES_MAX; i++) {
		snprintf(path, sizeof(path), "/v1/pools/%s/members?limit=" PAGE "%s%s", s->pool,
		         *next ? "&cursor=" : "", next);
		outcome = send_request(s, "GET", path, NULL, &reply);
		if (outcome != SYNC_DONE)
			return outcome;
		bool ok = add_all(p, json_object_get(reply.body, "items"), true);

		snprintf(next, sizeof(next), "%s", json_text_of(reply.body, "next"));
		api_reply_fini(&reply);
		if (!ok || (*next && !model_name_ok(next)))
			return not_understood(s);
		if (!*next)
			return SYNC_DONE;
	}
	return not_understood(s);
}

/* Sorted; whether one leaves is kept in it until then. */
static enum sync_outcome look_at_all(struct sync *s, struct registration_pool *p)
{
	enum sync_outcome outcome = look_at_pool(s, p);

	if (outcome == SYNC_DONE)
		outcome = look_at_members(s, p);
	list_sort(&p->present.members);
	for (size_t i = 0; i < p->present.members.n; i++)
		p->present.leaves[i] = p->present.members.items[i].leaves;
	return outcome;
}

/* --- sending --- */

/* Steps of @p d from @p first on that go in one request: of one kind, or renewals alone. @return how many */
static size_t cut_batch(const struct difference *d, size_t first)
{
	size_t most = d->steps[first].kind == DIFFERENCE_RENEW ? BATCH_MOST : BATCH_WRITES, n = 1;

	while (n < most && first + n < d->n && d->steps[first + n].kind == d->steps[first].kind)
		n++;
	return n;
}

static json_t *batch_json(const struct difference_step *steps, size_t n)
{
	bool leaves = steps[0].kind == DIFFERENCE_LEAVE;
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, leaves ? json_string(steps[i].member->id)
		                                   : member_item_json(steps[i].member, true));
	return json_with(json_object(), leaves ? "delete" : "put", list);
}

static enum sync_outcome send_batches(struct sync *s, const struct difference *d, bool renews)
{
	char path[PATH_SIZE];
	uint64_t next_ms = clock_mono_ms();

	snprintf(path, sizeof(path), "/v1/pools/%s/members", s->pool);
	for (size_t i = 0, n; i < d->n; i += n) {
		const struct difference_step *step = &d->steps[i];
		uint64_t now_ms = clock_mono_ms();
		struct api_reply reply;

		n = cut_batch(d, i);
		if (step->kind == DIFFERENCE_BLOCKED || (step->kind == DIFFERENCE_RENEW && !renews))
			continue;
		if (reach_wait(&s->reach, -1, next_ms > now_ms ? next_ms - now_ms : 0) ==
		    REACH_SIGNAL)
			return SYNC_ENDED;
		next_ms = clock_mono_ms() + (step->kind == DIFFERENCE_RENEW ? 0 : BATCH_MS);
		enum sync_outcome outcome =
		        send_request(s, "POST", path, batch_json(step, n), &reply);

		if (outcome != SYNC_DONE)
			return outcome;
		api_reply_fini(&reply);
	}
	return SYNC_DONE;
}

static size_t n_puts(const struct difference *d)
{
	return d->of_kind[DIFFERENCE_PUT] + d->of_kind[DIFFERENCE_REUSE];
}

static void say_done(const struct sync *s, const struct difference *d)
{
	if (n_puts(d) || d->of_kind[DIFFERENCE_LEAVE])
		cli_fail(CLI_OK, "%s: %zu put, %zu taken away, %zu as they were%s", s->pool,
		         n_puts(d), d->of_kind[DIFFERENCE_LEAVE], d->of_kind[DIFFERENCE_RENEW],
		         d->of_kind[DIFFERENCE_BLOCKED] ? "; some wait until others are gone" : "");
}

/* --dry-run: lines, or the body of a batch. */
static void show_steps(const struct sync *s, const struct difference *d)
{
	json_t *put = json_array(), *gone = json_array();

	for (size_t i = 0; i < d->n; i++) {
		const struct member_entry *m = d->steps[i].member;
		enum difference_kind kind = d->steps[i].kind;
		char address[ADDR_TEXT_MAX];

		addr_text(&m->address, address);
		if (kind == DIFFERENCE_RENEW)
			continue;
		if (kind == DIFFERENCE_LEAVE)
			json_array_append_new(gone, json_string(m->id));
		else if (kind != DIFFERENCE_BLOCKED)
			json_array_append_new(put, member_item_json(m, true));
		if (!s->reach.cli.json)
			printf("%s %s %s\n",
			       kind == DIFFERENCE_LEAVE     ? "-"
			       : kind == DIFFERENCE_BLOCKED ? "."
			                                    : "+",
			       m->id, address);
	}
	json_t *all = json_with(json_with(json_object(), "put", put), "delete", gone);

	if (s->reach.cli.json)
		api_print_json(all);
	json_decref(all);
}

static enum sync_outcome carry_out(struct sync *s, const struct difference *d, bool renews)
{
	if (difference_shrinks(d) && !s->allows_shrink) {
		char text[160];

		snprintf(
		        text, sizeof(text),
		        "%zu of the %zu members of %s would leave; if that is right, give --allow-shrink",
		        d->of_kind[DIFFERENCE_LEAVE], d->n_had, s->source);
		say_refused(s, CLI_REFUSED, text, NULL);
		return SYNC_REFUSED;
	}
	if (s->only_shows) {
		show_steps(s, d);
		return SYNC_DONE;
	}
	enum sync_outcome outcome = send_batches(s, d, renews);

	if (outcome != SYNC_DONE)
		return outcome;
	say_done(s, d);
	return d->of_kind[DIFFERENCE_BLOCKED] ? SYNC_BLOCKED : SYNC_DONE;
}

enum sync_outcome sync_round(struct sync *s, const struct list_members *target, bool renews)
{
	struct registration_pool p = { .room = 0 };
	struct difference d;
	struct list_errors *errors = MEMORY_NEW(struct list_errors);
	enum sync_outcome outcome;

	s->retry_s = 0;
	outcome = look_at_all(s, &p);
	if (outcome == SYNC_DONE) {
		if (difference_make(target, &p.present, s->source, &p.pool, &d, errors)) {
			outcome = carry_out(s, &d, renews);
			difference_fini(&d);
		} else {
			say_refused(s, CLI_USAGE, "", errors);
			outcome = SYNC_REFUSED;
		}
	}
	free_shown(&p);
	free(errors);
	return outcome;
}
