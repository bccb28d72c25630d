/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counters and not rates are kept, so that a look that was missed costs nothing, and a long time has no more of chance in it than it
 * has to.
 */
#include "mgmt/core/signs.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "weir/model.h"

#define RECENT_MS      10000u
#define RECENT_MOST_MS 60000u

static const struct {
	const char *part, *whole, *process;
	uint64_t least;
	uint32_t margin_ppm;
	bool is_of_clients;
} rows[] = {
#define SIGN_ROW(id, part, whole, process, least, margin_ppm, is_of_clients)                       \
	{ part, whole, process, least, margin_ppm, is_of_clients },
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
	uint64_t part = b->part > a->part ? b->part - a->part : 0;

	r.whole = b->whole - a->whole;
	r.known = r.whole >= rows[sign].least;
	if (r.known)
		r.ppm = part >= r.whole
		                ? MODEL_PPM_ALL
		                : (uint32_t)((double)part * MODEL_PPM_ALL / (double)r.whole);
	return r;
}

void signs_between(const struct signs *from, const struct signs *to, struct sign_rates *out)
{
	for (int i = 0; i < SIGNS; i++)
		out->rates[i] = rate_between(i, &from->counts[i], &to->counts[i]);
}

void signs_add_highest(struct sign_rates *most, const struct sign_rates *more)
{
	for (int i = 0; i < SIGNS; i++) {
		struct sign_rate *a = &most->rates[i];
		const struct sign_rate *b = &more->rates[i];

		if (b->known && (!a->known || b->ppm > a->ppm))
			*a = *b;
	}
}

const char *signs_restarted(const struct signs *from, const struct signs *to)
{
	for (int i = 0; i < SIGNS; i++)
		if (from->counts[i].known && to->counts[i].known &&
		    from->counts[i].began != to->counts[i].began)
			return rows[i].process;
	return NULL;
}

static bool has_risen(int sign, const struct sign_rate *was, const struct sign_rate *now)
{
	return was->known && now->known &&
	       now->ppm > 2 * (uint64_t)was->ppm + rows[sign].margin_ppm;
}

bool signs_are_worse(const struct signs_compared *c, char text[SIGNS_TEXT_MAX])
{
	for (int i = 0; i < SIGNS; i++) {
		const struct sign_rate *was = &c->before.rates[i], *now = &c->after.rates[i],
		                       *other = &c->like_after.rates[i];
		char elsewhere[40] = "";

		if (!has_risen(i, was, now) || has_risen(i, &c->like_before.rates[i], other))
			continue;
		if (other->known)
			(void)snprintf(elsewhere, sizeof(elsewhere), ", %.1f %% elsewhere",
			               other->ppm / 1e4);
		(void)snprintf(text, SIGNS_TEXT_MAX,
		               "%s: %.1f %% of %" PRIu64 " %s, %.1f %% before%s", rows[i].part,
		               now->ppm / 1e4, now->whole, rows[i].whole, was->ppm / 1e4,
		               elsewhere);
		return true;
	}
	text[0] = '\0';
	return false;
}

bool signs_are_comparable(const struct signs_compared *c)
{
	for (int i = 0; i < SIGNS; i++)
		if (rows[i].is_of_clients && c->before.rates[i].known && c->after.rates[i].known)
			return true;
	return false;
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

/* Since the first look at or after @p since_ms that is of the process which counts now. */
static struct sign_rate rate_since(const struct signs_kept *k, int sign, uint64_t since_ms)
{
	for (size_t i = 0; i < k->n; i++)
		if (k->list[i].at_ms >= since_ms &&
		    are_of_one_process(&k->list[i].counts[sign], &k->last.counts[sign]))
			return rate_between(sign, &k->list[i].counts[sign], &k->last.counts[sign]);
	return (struct sign_rate){ 0 };
}

void signs_since(const struct signs_kept *k, uint64_t since_ms, struct sign_rates *out)
{
	for (int i = 0; i < SIGNS; i++)
		out->rates[i] = rate_since(k, i, since_ms);
}

void signs_recent(const struct signs_kept *k, struct sign_rates *out)
{
	for (int i = 0; i < SIGNS; i++) {
		struct sign_rate *r = &out->rates[i];

		*r = (struct sign_rate){ 0 };
		for (uint64_t ms = RECENT_MS; !r->known && ms <= RECENT_MOST_MS; ms += RECENT_MS)
			*r = rate_since(k, i, k->last.at_ms > ms ? k->last.at_ms - ms : 0);
	}
}
