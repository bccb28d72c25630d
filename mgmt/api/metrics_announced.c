/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Metrics of announcements: of the routing daemon's sessions, and of the first ADDRESSES_MAX
 * addresses. The others are counted, and so are all by what is intended (weir_announce_addresses,
 * on the page of weir-announce). A value that is not known is absent: 0 would be a statement.
 */
#include "mgmt/api/metrics_internal.h"

#include <stdint.h>
#include <string.h>

#include "base/clock.h"
#include "mgmt/json/announcement.h"
#include "weir/proof.h"

#define ADDRESSES_MAX 256u /* with metrics of their own */

/* A label's value: names of neighbours come from the routing daemon. */
static void put_label(FILE *out, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			fputc('\\', out);
		fputc(c < ' ' || c >= 0x7f ? '?' : c, out);
	}
}

static void put_labels(FILE *out, const char *name, const struct announcement *it)
{
	char text[ADDR_TEXT_MAX];

	fprintf(out, "%s{vip=\"%s\",address=\"%s\"", name, it->vip ? it->vip : "",
	        addr_text(&it->address, text));
}

static size_t count_shown(const struct announcements *a)
{
	return a->n < ADDRESSES_MAX ? a->n : ADDRESSES_MAX;
}

/* A line for each state that an address may have; the one that it has is 1. */
static void put_intended(FILE *out, const struct announcements *a)
{
	static const char *const states[] = { "normal", "shutdown", "none", "unknown" };

	metrics_put_head(out, "weir_announcement_state", "gauge",
	                 "Where weir-announce puts the address: 1 for the state that it has.");
	for (size_t i = 0; i < count_shown(a); i++)
		for (size_t k = 0; k < sizeof(states) / sizeof(states[0]); k++) {
			put_labels(out, "weir_announcement_state", &a->items[i]);
			fprintf(out, ",state=\"%s\"} %d\n", states[k],
			        !strcmp(states[k], announcement_intended(&a->items[i])));
		}
	metrics_put_head(out, "weir_announcement_reason", "gauge",
	                 "1: why the address is announced, or is not.");
	for (size_t i = 0; i < count_shown(a); i++) {
		put_labels(out, "weir_announcement_reason", &a->items[i]);
		fprintf(out, ",reason=\"%s\"} 1\n", announcement_reason(&a->items[i]));
	}
}

/* What is proved or exported, where that is known. */
static void put_fact(FILE *out, const struct announcement *it, const char *name, uint8_t fact)
{
	if (fact == PROOF_UNKNOWN)
		return;
	put_labels(out, name, it);
	fprintf(out, "} %d\n", fact == PROOF_YES);
}

static void put_facts(FILE *out, const struct announcements *a)
{
	metrics_put_head(out, "weir_announcement_proved", "gauge",
	                 "1: all that an announcement needs is proved; absent: not known.");
	for (size_t i = 0; i < count_shown(a); i++)
		put_fact(out, &a->items[i], "weir_announcement_proved",
		         announcement_proved(&a->items[i]));
	metrics_put_head(
	        out, "weir_announcement_exported", "gauge",
	        "1: a neighbour of the routing daemon gets the address; absent: not known.");
	for (size_t i = 0; i < count_shown(a); i++)
		put_fact(out, &a->items[i], "weir_announcement_exported",
		         announcement_exported(a, &a->items[i]));
	metrics_put_head(out, "weir_announcement_held_seconds", "gauge",
	                 "What is left of the hold-down after a failure.");
	for (size_t i = 0; i < count_shown(a); i++) {
		if (!a->items[i].shown)
			continue;
		put_labels(out, "weir_announcement_held_seconds", &a->items[i]);
		fprintf(out, "} %.3f\n", (double)a->items[i].shown->held_ms / 1e3);
	}
	metrics_put_head(
	        out, "weir_announcements_left_out", "gauge",
	        "Announced addresses without metrics of their own: there are more than the limit.");
	fprintf(out, "weir_announcements_left_out %zu\n", a->n - count_shown(a));
}

static void put_sessions(FILE *out, const struct announcements *a)
{
	bool answers = !strcmp(a->node.daemon_state, "answers");

	metrics_put_head(out, "weir_announce_daemon_answers", "gauge",
	                 "1: the routing daemon answers weir-announce, and is understood.");
	fprintf(out, "weir_announce_daemon_answers %d\n", answers);
	metrics_put_head(out, "weir_announce_session_up", "gauge",
	                 "1: the routing daemon's BGP session with the neighbour is established.");
	for (uint32_t i = 0; answers && i < a->node.n_neighbours; i++) {
		fputs("weir_announce_session_up{neighbour=\"", out);
		put_label(out, a->neighbours[i].name);
		fprintf(out, "\"} %d\n", a->neighbours[i].established != 0);
	}
}

void metrics_put_announced(FILE *out, const struct look *l)
{
	struct announcements a;

	if (!announcements_apply(l->m))
		return;
	if (!announcements_read(l->core->dirs.run, l->m, clock_mono_ms(), &a)) {
		put_intended(out, &a);
		put_facts(out, &a);
		put_sessions(out, &a);
	}
	announcements_fini(&a);
}
