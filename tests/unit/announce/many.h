/* SPDX-License-Identifier: BSD-2-Clause */
/* Many prefixes of both families at a fake daemon, and what is known of them. */
#ifndef WEIR_TESTS_UNIT_ANNOUNCE_MANY_H
#define WEIR_TESTS_UNIT_ANNOUNCE_MANY_H

#include "tests/unit/announce/fake_daemon.h"

#define MANY DAEMON_PREFIXES_MAX

/* What the daemon has. */
static struct {
	size_t n;
	bool normal[MANY], gshut[MANY];
	uint32_t exported[MANY]; /* bits of neighbours */
} world;

/* Questions and answers since trace_begin(), a line each, with the ms since then. */
static struct {
	char text[32768];
	size_t n;
	uint64_t began_ms; /* 0: nothing is noted */
	const char *only;  /* the questions that are noted, by their beginning; NULL: all */
} trace;

/* IPv4 and IPv6 in turn. */
static inline struct addr vip_of(size_t i)
{
	const size_t k = i / 2;
	uint8_t bytes[16] = { 0xfd, 0x10 };

	if (i % 2 == 0)
		return addr_from4((const uint8_t[4]){ 10, 100, (uint8_t)(k >> 8), (uint8_t)k });
	bytes[14] = (uint8_t)(k >> 8);
	bytes[15] = (uint8_t)k;
	return addr_from6(bytes);
}

/* @return MANY: it is none of them */
static inline size_t index_of(const struct addr *a)
{
	const uint8_t *b = a->bytes;
	size_t i = 2 * ((size_t)b[14] << 8 | b[15]) + !addr_is4(a);
	struct addr same = i < MANY ? vip_of(i) : (struct addr){ 0 };

	return i < MANY && addr_equal(a, &same) ? i : MANY;
}

static inline const struct daemon_route *route_of(struct fake *f, size_t i)
{
	struct addr vip = vip_of(i);

	return daemon_route(f->daemon, &vip);
}

static inline void watch_many(struct fake *f, size_t n)
{
	static struct addr vips[MANY];

	world.n = n;
	for (size_t i = 0; i < n; i++) {
		vips[i] = vip_of(i);
		world.normal[i] = true;
		world.gshut[i] = false;
		world.exported[i] = 1;
	}
	assert_int_equal(daemon_watch(f->daemon, vips, n), 0);
}

static inline void hurry_all(struct fake *f)
{
	for (size_t i = 0; i < world.n; i++) {
		struct addr vip = vip_of(i);

		daemon_hurry(f->daemon, &vip);
	}
}

static inline bool all_known(struct fake *f)
{
	for (size_t i = 0; i < world.n; i++)
		if (!route_of(f, i)->at_ms || !route_of(f, i)->exported_at_ms)
			return false;
	return true;
}

static inline bool nothing_pending(struct fake *f)
{
	for (size_t i = 0; i < world.n; i++)
		if (route_of(f, i)->pending)
			return false;
	return true;
}

/* The age of what is known least recently, ms. */
static inline uint64_t oldest_ms(struct fake *f)
{
	uint64_t now_ms = clock_mono_ms(), most_ms = 0;

	for (size_t i = 0; i < world.n; i++) {
		const struct daemon_route *r = route_of(f, i);
		uint64_t at_ms = r->at_ms < r->exported_at_ms ? r->at_ms : r->exported_at_ms;

		most_ms = now_ms - at_ms > most_ms ? now_ms - at_ms : most_ms;
	}
	return most_ms;
}

static inline void trace_put(const char *format, ...) __attribute__((format(printf, 1, 2)));

static inline void trace_put(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	trace.n +=
	        (size_t)vsnprintf(trace.text + trace.n, sizeof(trace.text) - trace.n, format, list);
	va_end(list);
	assert_true(trace.n < sizeof(trace.text));
}

static inline void trace_question(const char *question)
{
	const char *end = strstr(question, " where ");

	if (!trace.began_ms || (trace.only && strncmp(question, trace.only, strlen(trace.only))))
		return;
	trace_put("%llu %.*s\n", (unsigned long long)(clock_mono_ms() - trace.began_ms),
	          (int)(end ? end - question : (ptrdiff_t)strlen(question)), question);
}

/* A time as how long ago it was; "never" for 0. */
static inline void trace_age(uint64_t at_ms)
{
	if (at_ms)
		trace_put(" %llu", (unsigned long long)(clock_mono_ms() - at_ms));
	else
		trace_put(" never");
}

/* All that is known, with the age of what may be old; of many prefixes only the daemon. */
static inline void trace_known(struct fake *f)
{
	const struct daemon_facts *d = daemon_facts(f->daemon);

	trace_put("%llu = %s", (unsigned long long)(clock_mono_ms() - trace.began_ms),
	          daemon_state_name(d->state));
	trace_age(d->since_ms);
	trace_put(", round %llu, stamp %s, omitted %u", (unsigned long long)d->round_ms,
	          d->stamp ? "is" : "none", d->n_omitted);
	for (uint32_t i = 0; i < d->n_neighbours; i++)
		trace_put("%s%s %s", i ? ", " : "; ", d->neighbours[i].name,
		          d->neighbours[i].established ? "up" : "down");
	for (size_t i = 0; i < world.n && world.n <= 12; i++) {
		const struct daemon_route *r = route_of(f, i);

		if (!r) /* not watched any more */
			continue;
		trace_put("; %s%s%s", r->imported[DAEMON_NORMAL] ? "N" : "",
		          r->imported[DAEMON_GSHUT] ? "G" : "", r->pending ? "?" : "");
		trace_age(r->at_ms);
		trace_put(" to %x", r->exported);
		trace_age(r->exported_at_ms);
	}
	trace_put("\n");
}

static inline void trace_news(struct fake *f)
{
	if (trace.began_ms)
		trace_known(f);
}

/* For @p ms: what is asked, and what is known at each news and at the end. */
static inline void trace_is(struct fake *f, uint64_t ms, const char *expected)
{
	trace.n = 0;
	trace.began_ms = clock_mono_ms();
	if (!f->on_news)
		f->on_news = trace_news;
	fake_run(f, ms, NULL);
	trace_known(f);
	trace.began_ms = 0;
	assert_string_equal(trace.text, expected);
}

/* How many questions from @p first on have this beginning. */
static inline unsigned count_asked(const struct fake *f, unsigned first, const char *start)
{
	unsigned n = 0;

	for (unsigned i = first; i < f->questions && i < FAKE_QUESTIONS; i++)
		n += strncmp(f->asked[i], start, strlen(start)) == 0;
	return n;
}

#endif
