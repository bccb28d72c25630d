/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counters and not rates are kept, so that a look that was missed costs nothing, and a long time has no more of chance in it than it
 * has to.
 */
#include "mgmt/core/signs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weir/model.h"

#define RECENT_MS      10000u
#define RECENT_MOST_MS 60000u

static const struct {
	const char *part, *whole, *process;
	uint64_t least, least_part;
	uint32_t margin_ppm;
	bool is_of_clients;
} rows[] = {
#define SIGN_ROW(id, part, whole, process, least, least_part, margin_ppm, is_of_clients)           \
	{ part, whole, process, least, least_part, margin_ppm, is_of_clients },
	SIGN_ROWS(SIGN_ROW)
};

static bool are_of_one_process(const struct sign_count *a, const struct sign_count *b)
{
	return a->known && b->known && a->began == b->began && b->whole >= a->whole;
}

static struct sign_rate rate_between(int sign, const struct sign_count *a,
                                     const struct sign_count *b)
{
	struct sign_rate r = { 0 };

	if (!are_of_one_process(a, b))
		return r;
	r.measured = true;
	r.part = b->part > a->part ? b->part - a->part : 0;
	r.whole = b->whole - a->whole;
	r.known = r.whole >= rows[sign].least;
	if (r.known)
		r.ppm = r.part >= r.whole
		                ? MODEL_PPM_ALL
		                : (uint32_t)((double)r.part * MODEL_PPM_ALL / (double)r.whole);
	return r;
}

static int compare_ppm(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* The lower one of two in the middle: of two nodes both have to have it. */
static struct sign_rate rate_of_most(const struct sign_rates *const of[], size_t n, int sign)
{
	uint32_t ppm[SIGNS_NODES_MAX];
	size_t n_known = 0;

	for (size_t i = 0; i < n && i < SIGNS_NODES_MAX; i++)
		if (of[i]->rates[sign].known)
			ppm[n_known++] = of[i]->rates[sign].ppm;
	if (!n_known)
		return (struct sign_rate){ 0 };
	qsort(ppm, n_known, sizeof(*ppm), compare_ppm);
	return (struct sign_rate){ .measured = true, .known = true, .ppm = ppm[(n_known - 1) / 2] };
}

void signs_of_most(const struct sign_rates *const of[], size_t n, struct sign_rates *out)
{
	for (int i = 0; i < SIGNS; i++)
		out->rates[i] = rate_of_most(of, n, i);
}

void signs_fill(struct signs *look, const struct signs *later)
{
	for (int i = 0; i < SIGNS; i++)
		if (!look->counts[i].known)
			look->counts[i] = later->counts[i];
}

const char *signs_restarted(const struct signs *from, const struct signs *to)
{
	for (int i = 0; i < SIGNS; i++)
		if (from->counts[i].known && to->counts[i].known &&
		    from->counts[i].began != to->counts[i].began)
			return rows[i].process;
	return NULL;
}

/* To more than twice as much, or what is good to less than half: a part that is high already cannot double. */
static bool has_risen(int sign, const struct sign_rate *was, const struct sign_rate *now)
{
	uint64_t margin = rows[sign].margin_ppm;

	return was->known && now->known &&
	       (now->ppm > 2 * (uint64_t)was->ppm + margin ||
	        MODEL_PPM_ALL - was->ppm > 2 * (uint64_t)(MODEL_PPM_ALL - now->ppm) + margin);
}

/* Here it has to be more than what one client alone makes, too. */
static bool has_risen_here(int sign, const struct signs_compared *c)
{
	return has_risen(sign, &c->before.rates[sign], &c->after.rates[sign]) &&
	       c->after.rates[sign].part >= rows[sign].least_part;
}

static bool has_risen_elsewhere(int sign, const struct signs_compared *c)
{
	return has_risen(sign, &c->like_before.rates[sign], &c->like_after.rates[sign]);
}

static void say_worse(int sign, const struct signs_compared *c, char text[SIGNS_TEXT_MAX])
{
	const struct sign_rate *now = &c->after.rates[sign], *other = &c->like_after.rates[sign];
	char elsewhere[40] = "";

	if (other->known)
		(void)snprintf(elsewhere, sizeof(elsewhere), ", %.1f %% elsewhere",
		               other->ppm / 1e4);
	(void)snprintf(text, SIGNS_TEXT_MAX, "%s: %.1f %% of %" PRIu64 " %s, %.1f %% before%s",
	               rows[sign].part, now->ppm / 1e4, now->whole, rows[sign].whole,
	               c->before.rates[sign].ppm / 1e4, elsewhere);
}

bool signs_are_worse(const struct signs_compared *c, char text[SIGNS_TEXT_MAX])
{
	text[0] = '\0';
	for (int i = 0; i < SIGNS && !*text; i++)
		if (has_risen_here(i, c) && !has_risen_elsewhere(i, c))
			say_worse(i, c, text);
	return *text;
}

static enum signs_clients clients_of(const struct sign_rate *before, const struct sign_rate *after)
{
	return !before->measured || !after->measured ? SIGNS_BLIND
	       : !before->known || !after->known     ? SIGNS_QUIET
	                                             : SIGNS_COMPARABLE;
}

enum signs_clients signs_clients(const struct signs_compared *c)
{
	enum signs_clients most = SIGNS_BLIND;

	for (int i = 0; i < SIGNS; i++) {
		enum signs_clients one = clients_of(&c->before.rates[i], &c->after.rates[i]);

		if (rows[i].is_of_clients && one > most)
			most = one;
	}
	return most;
}

static const char *const clients_texts[] = {
	[SIGNS_BLIND] = "blind",
	[SIGNS_EARLY] = "early",
	[SIGNS_QUIET] = "quiet",
	[SIGNS_COMPARABLE] = "comparable",
};

const char *signs_clients_text(enum signs_clients clients)
{
	return clients_texts[clients];
}

enum signs_clients signs_clients_parse(const char *text)
{
	for (int i = SIGNS_EARLY; text && i <= SIGNS_COMPARABLE; i++)
		if (!strcmp(text, clients_texts[i]))
			return (enum signs_clients)i;
	return SIGNS_BLIND;
}

const char *signs_margins(char text[SIGNS_MARGIN_MAX])
{
	size_t n = 0;

	for (int i = 0; i < SIGNS; i++)
		n += (size_t)snprintf(text + n, SIGNS_MARGIN_MAX - n, "%s%s %g %% of %s",
		                      i ? ", " : "", rows[i].part, rows[i].margin_ppm / 1e4,
		                      rows[i].whole);
	return text;
}

bool signs_are_due(const struct signs_kept *k, uint64_t now_ms)
{
	return !k->last.at_ms ||
	       now_ms - k->last.at_ms >= (k->is_watched ? SIGNS_OFTEN_MS : SIGNS_SELDOM_MS);
}

void signs_keep(struct signs_kept *k, const struct signs *now)
{
	k->last = *now;
	if (k->n && now->at_ms - k->list[k->n - 1].at_ms < SIGNS_SELDOM_MS)
		return;
	if (k->n == SIGNS_KEPT)
		memmove(k->list, k->list + 1, --k->n * sizeof(*k->list));
	k->list[k->n++] = *now;
}

/* What is known of now: a look that failed does not blind, two in a row do. */
static const struct sign_count *find_newest(const struct signs_kept *k, int sign)
{
	const struct signs *before = k->n ? &k->list[k->n - 1] : NULL;

	if (k->n > 1 && before->at_ms == k->last.at_ms)
		before--;
	return !k->last.counts[sign].known && before ? &before->counts[sign]
	                                             : &k->last.counts[sign];
}

/* Since the first look at or after @p since_ms that is of the process which counts now. One look alone measures nothing. */
static struct sign_rate rate_since(const struct signs_kept *k, int sign, uint64_t since_ms)
{
	const struct sign_count *now = find_newest(k, sign);

	for (size_t i = 0; i < k->n; i++)
		if (k->list[i].at_ms >= since_ms && k->list[i].at_ms < k->last.at_ms &&
		    &k->list[i].counts[sign] != now &&
		    are_of_one_process(&k->list[i].counts[sign], now))
			return rate_between(sign, &k->list[i].counts[sign], now);
	return (struct sign_rate){ 0 };
}

void signs_since(const struct signs_kept *k, uint64_t since_ms, struct sign_rates *out)
{
	for (int i = 0; i < SIGNS; i++)
		out->rates[i] = rate_since(k, i, since_ms);
}

/* The last ten seconds since @p from_ms, or as many more as it takes, a minute at most. */
static struct sign_rate recent_rate(const struct signs_kept *k, int sign, uint64_t from_ms)
{
	struct sign_rate r = { 0 };

	for (uint64_t ms = RECENT_MS; !r.known && ms <= RECENT_MOST_MS; ms += RECENT_MS) {
		uint64_t since_ms = k->last.at_ms > ms ? k->last.at_ms - ms : 0;

		r = rate_since(k, sign, since_ms > from_ms ? since_ms : from_ms);
	}
	return r;
}

void signs_recent(const struct signs_kept *k, struct sign_rates *out)
{
	for (int i = 0; i < SIGNS; i++)
		out->rates[i] = recent_rate(k, i, 0);
}

void signs_after(const struct signs_kept *k, const struct signs *from, struct sign_rates *out)
{
	for (int i = 0; i < SIGNS; i++) {
		out->rates[i] = recent_rate(k, i, from->at_ms);
		if (!out->rates[i].known) /* or of a time that has just begun */
			out->rates[i] = rate_between(i, &from->counts[i], find_newest(k, i));
	}
}
