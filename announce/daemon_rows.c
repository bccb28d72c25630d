/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The prefixes, by address: which of them to ask about next, and what an answer makes known.
 *
 * A question covers a span of rows. BIRD lists all of a family: its tables weir4 and the like hold
 * nothing else, and it serves others between two pieces of a long answer. FRR's bgpd serves nobody
 * during an answer and walks its whole table for a list, so it is asked for blocks of at most
 * DAEMON_SPAN_MAX prefixes, and for one prefix at a time where its table has many other routes.
 *
 * An answer is put together in `fresh` and becomes `shown` when it is whole, so a reader never sees
 * half of it. Its time is that of the question: what came later may be missing in it.
 */
#include "announce/daemon_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define URGENT_FEW    4u   /* urgent rows of a span that are asked about one by one */
#define OTHERS_MAX    256u /* routes of others in FRR's table, with which it is still listed */
#define ALONE_MS      33u /* between two prefixes of FRR with many routes: 0.3 ms each, 1 % of a core */
#define CALM_PART     4u    /* of a round, between two lists of prefixes that have not changed */
#define ALONE_WAIT_MS 2000u /* so long they are asked about again before their turn */
#define WAIT_FRACTION 4u    /* who waits is asked about again after this part of the waiting */
#define LIST_DELAY    2u    /* after a list in vain, so many times as long for bgpd's own work */

struct daemon_row *daemon_rows_find(const struct daemon *d, const struct addr *vip)
{
	const struct daemon_row key = { .vip = *vip };

	return d->n_rows ? bsearch(&key, d->rows, d->n_rows, sizeof(key), addr_order) : NULL;
}

void daemon_rows_forget(struct daemon *d)
{
	for (size_t i = 0; i < d->n_rows; i++) {
		d->rows[i].shown = (struct daemon_route){ 0 };
		d->rows[i].stamp = d->rows[i].hurry_ns = 0;
		d->rows[i].urgent = false;
	}
	d->pass = (struct daemon_pass){ 0 }; /* without a stamp: the next one is due */
	d->next_row = 0;
	d->round_ms = d->round_began_ms = d->facts.round_ms = d->lists_ms = 0;
	d->n_steps = d->n_round_steps = 0;
	d->credit = d->n_rows;
	d->credit_ms = clock_mono_ms();
}

/* --- spans --- */

struct prefix_span {
	size_t first, n;
	struct prefix net;
};

static unsigned count_common_bits(const struct addr *a, const struct addr *b)
{
	for (unsigned i = 0; i < sizeof(a->bytes); i++) {
		unsigned differs = a->bytes[i] ^ b->bytes[i];

		if (differs)
			return 8 * i + (unsigned)__builtin_clz(differs) - 24;
	}
	return 8 * sizeof(a->bytes);
}

static unsigned host_bits(const struct addr *a)
{
	return addr_is4(a) ? 32 : 128;
}

static struct prefix host_of(const struct addr *a)
{
	return (struct prefix){ .addr = *a, .bits = (uint8_t)host_bits(a) };
}

/* @param bits  of the 128 of a struct addr */
static struct prefix net_of(const struct addr *a, unsigned bits)
{
	struct prefix net = { .addr = *a };

	for (unsigned i = 0; i < sizeof(net.addr.bytes); i++) {
		unsigned kept = bits >= 8 * (i + 1) ? 8 : bits > 8 * i ? bits - 8 * i : 0;

		net.addr.bytes[i] = (uint8_t)(net.addr.bytes[i] & 0xff00u >> kept);
	}
	net.bits = (uint8_t)(bits + host_bits(a) - 128);
	return net;
}

/* The rows around one that are of its family: all of them, but for IPv6 addresses below ::ffff:0:0. */
static struct prefix_span find_family(const struct daemon *d, size_t at)
{
	bool four = addr_is4(&d->rows[at].vip);
	size_t first = at, end = at + 1;

	while (first > 0 && addr_is4(&d->rows[first - 1].vip) == four)
		first--;
	while (end < d->n_rows && addr_is4(&d->rows[end].vip) == four)
		end++;
	return (struct prefix_span){ .first = first, .n = end - first };
}

/* Whether the daemon must be asked about a row alone, because a list would take it too long. */
static bool is_queried_alone(const struct daemon *d, size_t at)
{
	int six = addr_is4(&d->rows[at].vip) ? 0 : 1;

	return !d->ops->lists_tables && d->facts.n_routes[six] > d->n_family[six] + OTHERS_MAX;
}

/* The shortest net around a row with few enough others; then as long as those allow. */
static struct prefix_span find_block(const struct daemon *d, size_t at)
{
	const struct addr *vip = &d->rows[at].vip;
	struct prefix_span s = find_family(d, at);

	for (unsigned bits = 1; s.n > DAEMON_SPAN_MAX && bits <= 128; bits++) {
		while (count_common_bits(&d->rows[s.first].vip, vip) < bits) {
			s.first++;
			s.n--;
		}
		while (count_common_bits(&d->rows[s.first + s.n - 1].vip, vip) < bits)
			s.n--;
	}
	s.net = net_of(vip,
	               count_common_bits(&d->rows[s.first].vip, &d->rows[s.first + s.n - 1].vip));
	return s;
}

/* What the daemon is best asked about together with a row. */
static struct prefix_span find_span(const struct daemon *d, size_t at)
{
	const struct addr *vip = &d->rows[at].vip;
	struct prefix_span s = { .first = at, .n = 1, .net = host_of(vip) };

	if (d->ops->lists_tables) {
		s = find_family(d, at);
		s.net = s.n > 1 ? net_of(vip, 128 - host_bits(vip)) : host_of(vip);
	} else if (!is_queried_alone(d, at)) {
		s = find_block(d, at);
	}
	return s;
}

/* --- questions --- */

static void fill_question(struct daemon *d, const struct prefix_span *s, struct daemon_sent *out)
{
	*out = (struct daemon_sent){
		.question = { .kind = DAEMON_QUERY_ROUTES, .net = s->net },
		.first = s->first,
		.n = s->n,
		.more = s->n == 1,
	};
	for (size_t i = s->first; i < s->first + s->n; i++) {
		out->n_urgent += d->rows[i].urgent;
		d->rows[i].urgent = false; /* a call of daemon_hurry() from now on asks once more */
	}
}

/* @return the first urgent row that is due, or n_rows */
static size_t find_urgent(const struct daemon *d, uint64_t now_ms, uint64_t *at_ms)
{
	for (size_t i = 0; i < d->n_rows; i++) {
		const struct daemon_row *row = &d->rows[i];

		if (row->urgent && row->query_ms <= now_ms)
			return i;
		if (row->urgent && row->query_ms < *at_ms)
			*at_ms = row->query_ms;
	}
	return d->n_rows;
}

static size_t count_urgent(const struct daemon *d, const struct prefix_span *s)
{
	size_t n = 0;

	for (size_t i = s->first; i < s->first + s->n; i++)
		n += d->rows[i].urgent;
	return n;
}

bool daemon_rows_choose_urgent(struct daemon *d, bool more, uint64_t now_ms, uint64_t *at_ms,
                               struct daemon_sent *out)
{
	size_t at = find_urgent(d, now_ms, at_ms);
	struct prefix_span s;

	if (at == d->n_rows)
		return false;
	s = find_span(d, at);
	if (s.n > 1 && count_urgent(d, &s) <= URGENT_FEW)
		s = (struct prefix_span){ .first = at, .n = 1, .net = host_of(&d->rows[at].vip) };
	if (s.n > 1 && now_ms < d->lists_ms) {
		*at_ms = d->lists_ms < *at_ms ? d->lists_ms : *at_ms;
		return false;
	}
	if (more && s.n > 1)
		return false;
	fill_question(d, &s, out);
	return true;
}

/*
 * bgpd imports nothing while it writes a list. What a list did not show as changed was asked about
 * too soon, so the next list waits the longer the more there was of it.
 */
static void delay_lists(struct daemon *d, const struct daemon_sent *s, size_t n_changed,
                        uint64_t took_ns)
{
	size_t n_vain = s->n_urgent > n_changed ? s->n_urgent - n_changed : 0;
	uint64_t delay_ms;

	if (s->n <= 1 || !s->n_urgent || d->ops->lists_tables)
		return;
	delay_ms = took_ns * LIST_DELAY * n_vain / s->n_urgent / 1000000;
	d->lists_ms =
	        clock_mono_ms() + (delay_ms < DAEMON_HURRY_MAX_MS ? delay_ms : DAEMON_HURRY_MAX_MS);
}

/*
 * How long the round rests after an answer that took @p took_ns. The shortest and the longest pause are
 * for as many as a round has, unless nothing has changed since the span was asked about before.
 */
static uint64_t pause_ms(const struct daemon *d, const struct daemon_sent *s, uint64_t took_ns)
{
	size_t steps = d->n_round_steps ? d->n_round_steps : 1;
	uint64_t least_ms = DAEMON_SESSIONS_MS / steps, most_ms = DAEMON_ROUND_MS / steps;
	uint64_t calm_ms = s->was_proved ? DAEMON_ROUND_MS / CALM_PART : 0;
	uint64_t ms = took_ns * (d->is_known ? DAEMON_SHARE : DAEMON_FIRST_SHARE) / 1000000;

	if (s->alone)
		return d->credit ? ALONE_MS / DAEMON_FIRST_SHARE : ALONE_MS;
	if (!d->is_known)
		least_ms = 0;
	most_ms = most_ms < calm_ms ? calm_ms : most_ms;
	return ms < least_ms ? least_ms : ms > most_ms ? most_ms : ms;
}

/* Whether nothing has changed since a row was asked about. */
static bool is_proved(const struct daemon *d, const struct daemon_row *row)
{
	return row->shown.at_ms && row->stamp && row->stamp == d->facts.stamp;
}

static bool is_span_proved(const struct daemon *d, const struct prefix_span *s)
{
	for (size_t i = s->first; i < s->first + s->n; i++)
		if (!is_proved(d, &d->rows[i]))
			return false;
	return true;
}

static void fill_credit(struct daemon *d, uint64_t now_ms)
{
	uint64_t n = (now_ms - d->credit_ms) / ALONE_MS;

	d->credit_ms += n * ALONE_MS;
	d->credit = d->credit + n < d->n_rows ? d->credit + n : d->n_rows;
}

static void pass_rows(struct daemon *d, size_t end, uint64_t now_ms)
{
	d->next_row = end;
	if (end < d->n_rows)
		return;
	d->facts.round_ms = d->round_began_ms ? now_ms - d->round_began_ms : 0;
	d->round_began_ms = now_ms;
	d->n_round_steps = d->n_steps;
	d->next_row = d->n_steps = 0;
}

/*
 * Go on to a row that is worth a question. Rows that must be asked about alone have a credit of a
 * question in ALONE_MS, at most one for each row: while nothing changes it is saved, and after a
 * change all of them are asked about soon. @return false: none is for now
 */
static bool find_worth(struct daemon *d, uint64_t now_ms)
{
	fill_credit(d, now_ms);
	for (size_t i = 0; i < d->n_rows; i++) {
		if (!is_queried_alone(d, d->next_row) || d->credit >= d->n_rows)
			return true;
		if (!is_proved(d, &d->rows[d->next_row]))
			return d->credit > 0;
		pass_rows(d, d->next_row + 1, now_ms);
	}
	return false;
}

bool daemon_rows_choose(struct daemon *d, uint64_t now_ms, uint64_t *at_ms, struct daemon_sent *out)
{
	struct prefix_span s;

	if (!d->n_rows)
		return false;
	if (now_ms >= d->round_ms && !find_worth(d, now_ms))
		d->round_ms = now_ms + ALONE_MS;
	if (now_ms < d->round_ms) {
		*at_ms = d->round_ms < *at_ms ? d->round_ms : *at_ms;
		return false;
	}
	s = find_span(d, d->next_row);
	fill_question(d, &s, out);
	out->alone = is_queried_alone(d, d->next_row);
	out->was_proved = is_span_proved(d, &s);
	d->credit -= out->alone;
	d->n_steps += !out->alone; /* those alone have their own pace */
	pass_rows(d, s.first + s.n, now_ms);
	d->round_ms = UINT64_MAX; /* until the answer */
	return true;
}

/* --- answers --- */

/* A row that was not asked about may be in an answer as well: what it says there is not shown. */
static struct daemon_route *find_fresh(void *arg, const struct addr *vip)
{
	struct daemon_row *row = daemon_rows_find(arg, vip);

	return row ? &row->fresh : NULL;
}

/* Nothing was answered: who waits still waits. */
static void query_again(struct daemon *d, const struct daemon_sent *s)
{
	for (size_t i = s->first; i < s->first + s->n; i++) {
		if (!d->rows[i].shown.pending)
			continue;
		d->rows[i].urgent = true;
		d->rows[i].query_ms = clock_mono_ms() + DAEMON_HURRY_MS;
	}
}

static bool is_same_route(const struct daemon_route *fresh, const struct daemon_route *shown)
{
	return shown->at_ms && fresh->exported == shown->exported &&
	       !memcmp(fresh->imported, shown->imported, sizeof(fresh->imported));
}

static bool is_import_same(const struct daemon_row *row)
{
	return row->shown.at_ms &&
	       !memcmp(row->shown.imported, row->fresh.imported, sizeof(row->fresh.imported));
}

/* The row's part of an answer is whole. @return whether it is news */
static bool show_row(struct daemon *d, const struct daemon_sent *s, struct daemon_row *row)
{
	struct daemon_route *fresh = &row->fresh;
	bool same = is_import_same(row);
	bool news;

	if (!same)
		row->changed_ns = clock_mono_ns();
	if (!d->ops->queries_exports) {
		fresh->exported_at_ms = fresh->exported || !d->facts.n_omitted ? s->sent_ms : 0;
		row->stamp = s->stamp;
	} else if (same) {
		fresh->exported = row->shown.exported;
		fresh->exported_at_ms = row->shown.exported_at_ms;
	} else { /* to whom it goes now is not known yet */
		d->wants_pass = true;
	}
	fresh->at_ms = s->sent_ms;
	fresh->pending = row->shown.pending && s->sent_ns < row->hurry_ns;
	d->is_known &= row->shown.at_ms != 0;
	news = !is_same_route(fresh, &row->shown);
	row->shown = *fresh;
	return news;
}

int daemon_rows_receive(struct daemon *d, const struct daemon_sent *s, size_t n, bool *news)
{
	uint64_t took_ns = clock_mono_ns() - s->sent_ns;
	size_t n_changed = 0;
	int err;

	for (size_t i = s->first; i < s->first + s->n; i++)
		d->rows[i].fresh = (struct daemon_route){ 0 };
	err = d->ops->read(&d->facts, &s->question, find_fresh, d, d->answer, n);
	if (err == -EPROTO)
		return err;
	d->is_known = true;
	for (size_t i = s->first; !err && i < s->first + s->n; i++) {
		n_changed += !is_import_same(&d->rows[i]);
		*news |= show_row(d, s, &d->rows[i]);
	}
	if (err) {
		query_again(d, s);
	} else {
		delay_lists(d, s, n_changed, took_ns);
		*news |= s->n_urgent > 0;
	}
	d->proved |= !err;
	if (d->round_ms == UINT64_MAX)
		d->round_ms = clock_mono_ms() + pause_ms(d, s, took_ns);
	return 0;
}

bool daemon_rows_follow(struct daemon *d, const struct daemon_facts *before)
{
	bool same = d->facts.n_neighbours == before->n_neighbours, changed = !same;
	uint32_t up = 0;

	for (uint32_t i = 0; same && i < before->n_neighbours; i++) {
		const struct daemon_neighbour *now = &d->facts.neighbours[i];

		same = !strcmp(now->name, before->neighbours[i].name);
		changed |= !same || now->established != before->neighbours[i].established;
		up |= now->established ? 1u << i : 0;
	}
	for (size_t i = 0; i < d->n_rows; i++) {
		struct daemon_row *row = &d->rows[i];

		row->shown.exported = same ? row->shown.exported & up : 0;
		if (!same)
			row->shown.exported_at_ms = row->stamp = 0;
	}
	d->wants_pass |= changed;
	d->channel = 0; /* the neighbours' channels come next */
	if (!same)
		d->pass.is_running = false;
	if (!d->ops->queries_exports)
		daemon_rows_verify(d);
	return changed;
}

void daemon_rows_verify(struct daemon *d)
{
	for (size_t i = 0; d->facts.stamp && i < d->n_rows; i++) {
		struct daemon_row *row = &d->rows[i];

		if (row->stamp != d->facts.stamp || !row->shown.exported_at_ms)
			continue;
		row->shown.exported_at_ms = d->sessions_at_ms;
		if (!d->ops->queries_exports)
			row->shown.at_ms = d->sessions_at_ms;
	}
}

/* --- for the process --- */

int daemon_watch(struct daemon *d, const struct addr *vips, size_t n)
{
	struct daemon_row *rows;

	if (n > DAEMON_PREFIXES_MAX)
		return -E2BIG;
	rows = calloc(n ? n : 1, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct daemon_row *known = daemon_rows_find(d, &vips[i]);

		rows[i].vip = vips[i];
		if (known)
			rows[i] = *known;
		rows[i].urgent |=
		        rows[i].shown.pending; /* its answer may be under way: see below */
	}
	qsort(rows, n, sizeof(*rows), addr_order);
	free(d->rows);
	d->rows = rows;
	d->n_rows = n;
	d->n_family[0] = d->n_family[1] = 0;
	for (size_t i = 0; i < n; i++)
		d->n_family[addr_is4(&rows[i].vip) ? 0 : 1]++;
	d->next_row = d->n_steps = 0;
	d->round_began_ms = 0;
	d->credit = n;
	d->credit_ms = clock_mono_ms();
	d->pass.is_void = true; /* as are the answers that are under way: they count rows */
	d->wants_pass = true;
	for (size_t i = 0; i < d->n_waiting; i++)
		d->waiting[i].n = 0;
	return 0;
}

/* @param at_ms  not before */
static void make_urgent(struct daemon *d, struct daemon_row *row, uint64_t at_ms)
{
	row->urgent = true;
	row->query_ms = at_ms;
	if (d->fd >= 0 && !d->n_waiting)
		loop_timer_set(d->loop, &d->wake, 0);
}

void daemon_hurry(struct daemon *d, const struct addr *vip)
{
	struct daemon_row *row = daemon_rows_find(d, vip);

	if (!row)
		return;
	row->hurry_ns = clock_mono_ns();
	row->shown.pending = true;
	make_urgent(d, row, 0);
}

void daemon_wait(struct daemon *d, const struct addr *vip)
{
	struct daemon_row *row = daemon_rows_find(d, vip);
	uint64_t now_ns = clock_mono_ns(), waited_ms, pause_ms;
	bool alone;

	if (!row || row->urgent)
		return;
	if (!row->hurry_ns)
		row->hurry_ns = now_ns;
	waited_ms = (now_ns - row->hurry_ns) / 1000000;
	alone = is_queried_alone(d, (size_t)(row - d->rows));
	if (alone && waited_ms > ALONE_WAIT_MS) { /* each question costs: the round comes by */
		row->stamp = 0;
		return;
	}
	pause_ms = alone ? waited_ms : waited_ms / WAIT_FRACTION;
	if (pause_ms < DAEMON_HURRY_MS)
		pause_ms = DAEMON_HURRY_MS;
	if (pause_ms > DAEMON_HURRY_MAX_MS)
		pause_ms = DAEMON_HURRY_MAX_MS;
	make_urgent(d, row, clock_mono_ms() + pause_ms);
}

const struct daemon_route *daemon_route(const struct daemon *d, const struct addr *vip)
{
	const struct daemon_row *row = daemon_rows_find(d, vip);

	return row ? &row->shown : NULL;
}
