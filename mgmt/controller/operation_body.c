/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All fields are read before errors are reported, so that a client sees them all. What goes with
 * what is checked last: a shift needs a level and an end, a return takes neither.
 */
#include "mgmt/controller/operation_body.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weir/when.h"

static const char *const words[OPERATION_BODY_DO_COUNT] = { "drain", "shift", "undrain" };

/* --- lists of names --- */

static bool is_name(const json_t *value)
{
	const char *text = json_string_value(value);
	size_t n = json_string_length(value);

	if (!text || n == 0 || n >= MODEL_NAME_MAX || strlen(text) != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] <= 0x20 || text[i] == 0x7f)
			return false;
	return true;
}

static bool is_listed(const char *const *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(list[i], name))
			return true;
	return false;
}

/* A guard that a person may override by its name; NULL: the rule is none. */
static const char *guard_word(int rule)
{
	return rule_rows[rule].scope == RULE_OPERATION && rule_may_override(rule)
	               ? rule_rows[rule].name
	               : NULL;
}

static const struct field guard_item = { .kind = FIELD_WORD,
	                                 .word = guard_word,
	                                 .most = RULE_COUNT };
#define REGION "region="
static const struct field name_item = { .kind = FIELD_STRING,
	                                .most = MODEL_NAME_MAX - 1,
	                                FIELD_IS_NAME };
#define OF_NAMES .element = &name_item, .spare = true
#define ORDER_ROWS(X, t)                                                                           \
	SAID_ROWS(X, t)                                                                            \
	X(t, json_t *, override_guards, .element = &guard_item, .spare = true)                     \
	X(t, json_t *, without, OF_NAMES)
#define BEGIN_BODY_ROWS(X, t)                                                                      \
	X(t, const char *, what, .shown = "do", .most = 16, .one_of = "drain|shift|undrain",       \
	  .example = "drain")                                                                      \
	X(t, json_t *, sites, OF_NAMES, .example = "[\"ams\"]")                                    \
	X(t, const char *, label, .most = MODEL_NAME_MAX + sizeof(REGION), .spare = true,          \
	  .pattern = "^region=.+$")                                                                \
	X(t, const char *, service, .most = MODEL_NAME_MAX - 1, .spare = true)                     \
	X(t, const char *, level, .most = 16, .spare = true,                                       \
	  .pattern = "^[0-9]+(\\.[0-9]{1,4})?%$")                                                  \
	X(t, const char *, over, .most = 32, .spare = true, FIELD_IS_DURATION)                     \
	X(t, const char *, until, .most = 64, .spare = true, FIELD_IS_INSTANT)                     \
	X(t, bool, now, .spare = true)                                                             \
	X(t, bool, withdraw, .spare = true)                                                        \
	ORDER_ROWS(X, t)
RECORD_ANSWER(begin_body, "operation", BEGIN_BODY_ROWS);
/* What each request about an operation may have. */
const struct record_kind order_body_kind = RECORD_PART(begin_body, "order", ORDER_ROWS);

/* Read a list of names into @p out; a name that is given twice counts once. @return how many */
static size_t read_names(struct field_reader *f, const char *field, const json_t *list,
                         const char **out, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *value = json_array_get(list, i);

		if (!is_name(value)) {
			field_refuse(f, field, "item %zu is not a name", i + 1);
			return 0;
		}
		const char *name = json_string_value(value);
		if (is_listed(out, n, name))
			continue;
		if (n == max) {
			field_refuse(f, field, "has more than %zu names", max);
			return 0;
		}
		out[n++] = name;
	}
	return n;
}

static void read_guards(struct field_reader *f, const json_t *list,
                        bool overridden[OPERATION_GUARD_COUNT])
{
	const char *names[OPERATION_GUARD_COUNT];
	char known[RULE_NAMES_MAX];
	size_t n = read_names(f, "override_guards", list, names, OPERATION_GUARD_COUNT);

	for (size_t i = 0; i < n; i++) {
		int guard = rule_find(RULE_OPERATION, names[i]);

		if (rule_may_override(guard)) {
			overridden[guard] = true;
			continue;
		}
		field_refuse(f, "override_guards",
		             "guard %s cannot be overridden by name; these can: %s", names[i],
		             rule_names(RULE_OPERATION, known));
	}
}

/* --- single fields --- */

static int64_t read_until(struct field_reader *f, const char *text, int64_t now_ms)
{
	int64_t at_ms = -1;

	if (text && when_instant(text, now_ms, &at_ms)) {
		field_refuse(f, "until",
		             "found \"%s\", expected an instant such as \"2026-11-20T12:00:00Z\", "
		             "\"+4h\", or \"never\"",
		             text);
		return -1;
	}
	if (text && at_ms <= now_ms) {
		field_refuse(f, "until", "is in the past");
		return -1;
	}
	return at_ms;
}

static int64_t read_over(struct field_reader *f, const char *text)
{
	int64_t over_ms = -1;

	if (!text)
		return -1;
	if (when_duration(text, &over_ms)) {
		field_refuse(f, "over", "found \"%s\", expected a duration such as \"5m\"", text);
		return -1;
	}
	if (over_ms > OPERATION_OVER_MAX_MS)
		field_refuse(f, "over", "is longer than 7 days");
	return over_ms;
}

/* "30%", with up to four decimals: a whole number of ppm. 0: it is none. */
static uint32_t read_percent(const char *text)
{
	uint32_t ppm = 0, digit_ppm = 1000;
	const char *at = text;

	if (*at < '0' || *at > '9')
		return 0;
	for (; *at >= '0' && *at <= '9' && ppm <= MODEL_PPM_ALL; at++)
		ppm = ppm * 10 + (uint32_t)(*at - '0') * 10000;
	if (*at == '.') {
		if (at[1] < '0' || at[1] > '9')
			return 0;
		for (at++; *at >= '0' && *at <= '9' && digit_ppm; at++, digit_ppm /= 10)
			ppm += (uint32_t)(*at - '0') * digit_ppm;
	}
	return !strcmp(at, "%") && ppm <= MODEL_PPM_ALL ? ppm : 0;
}

static uint32_t read_level(struct field_reader *f, const char *text)
{
	uint32_t ppm = text ? read_percent(text) : 0;

	if (text && !ppm)
		field_refuse(
		        f, "level",
		        "found \"%s\", expected more than 0%% and less than 100%%, such as \"30%%\"",
		        text);
	return ppm;
}

static const char *read_region(struct field_reader *f, const char *text)
{
	if (!text)
		return NULL;
	if (!strncmp(text, REGION, sizeof(REGION) - 1) && text[sizeof(REGION) - 1])
		return text + sizeof(REGION) - 1;
	field_refuse(f, "label", "found \"%s\", expected \"region=NAME\"", text);
	return NULL;
}

static enum operation_body_do read_do(struct field_reader *f, const char *text)
{
	int i = 0;

	while (i < OPERATION_BODY_DO_COUNT && text && strcmp(words[i], text) != 0)
		i++;
	if (text && i == OPERATION_BODY_DO_COUNT)
		field_refuse(f, "do", "expected drain, shift or undrain");
	return text ? (enum operation_body_do)i : OPERATION_BODY_DO_COUNT;
}

/* --- what goes with what --- */

static void check_targets(struct field_reader *f, const json_t *body,
                          const struct operation_body *r)
{
	bool has_sites = json_array_size(json_object_get(body, "sites")) > 0;
	bool has_label = json_is_string(json_object_get(body, "label"));

	if (has_sites == has_label)
		field_error(f, "sites", "expected either sites, or a label such as \"region=eu\"");
	if (r->what == OPERATION_BODY_SHIFT && (r->n_sites > 1 || has_label))
		field_error(f, "sites", "a shift moves one site");
}

static void check_shape(struct field_reader *f, const json_t *body, const struct operation_body *r)
{
	bool has_level = json_is_string(json_object_get(body, "level"));
	bool has_until = json_is_string(json_object_get(body, "until"));
	bool shifts = r->what == OPERATION_BODY_SHIFT;

	check_targets(f, body, r);
	if (has_level && !shifts)
		field_error(f, "level", "is for a shift only");
	if (shifts && !has_level)
		field_error(f, "level", "is required, such as \"30%%\"");
	if (shifts && !has_until)
		field_error(f, "until", "is required; \"never\" is allowed");
	if (r->what == OPERATION_BODY_UNDRAIN && r->person.until_ms >= 0)
		field_error(f, "until", "is for drain and shift only");
	if (r->what != OPERATION_BODY_DRAIN && r->person.withdraw)
		field_error(f, "withdraw", "is for drain only");
	if (r->person.withdraw && r->service)
		field_error(f, "withdraw",
		            "cannot be combined with service: its VIP may have other services");
	if (r->person.now && r->person.over_ms >= 0)
		field_error(f, "now", "cannot be combined with over");
}

/* What each request about an operation may have. */
static void read_said(struct field_reader *f, const struct begin_body *b,
                      struct operation_person *out)
{
	out->reason = b->reason ? b->reason : "";
	out->author = b->author;
	read_guards(f, b->override_guards, out->overridden);
	out->without.n =
	        read_names(f, "without", b->without, out->without.items, OPERATION_WITHOUT_MAX);
}

void operation_body_read(const json_t *body, int64_t now_ms, struct field_reader *f,
                         struct operation_body *out)
{
	struct operation_person *person = &out->person;
	struct begin_body b;

	*out = (struct operation_body){ .what = OPERATION_BODY_DO_COUNT };
	field_read(f, body, &begin_body_kind, &b);
	out->what = read_do(f, b.what);
	out->n_sites = read_names(f, "sites", b.sites, out->sites, OPERATION_TARGETS_MAX);
	out->region = read_region(f, b.label);
	out->service = b.service && *b.service ? b.service : NULL;
	person->goal_ppm = read_level(f, b.level);
	person->over_ms = read_over(f, b.over);
	person->until_ms = read_until(f, b.until, now_ms);
	person->now = b.now;
	person->withdraw = b.withdraw;
	read_said(f, &b, person);
	check_shape(f, body, out);
	if (person->over_ms < 0)
		person->over_ms = 0;
	if (person->until_ms < 0)
		person->until_ms = MODEL_TIME_NEVER;
	if (out->what != OPERATION_BODY_SHIFT)
		person->goal_ppm = MODEL_PPM_ALL;
}

void operation_body_read_command(const json_t *body, struct field_reader *f,
                                 struct operation_person *out)
{
	struct begin_body b = { .what = NULL };

	field_read(f, body, &order_body_kind, &b);
	read_said(f, &b, out);
}
