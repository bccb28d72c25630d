/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The text in which nodes hand over state (owners/handover.c has its meaning). For each pool with
 * agents:
 *
 *     pool NAME SLOTS
 *     backend ID                          backends get the numbers 1, 2, ... in this order
 *     slot SLOT OWNER [NAMED UNTIL]...    up to four earlier owners, newest first; a temporary
 *                                         owner has a g before its number
 *
 * Numbers are hexadecimal, except SLOTS; times are seconds of the wall clock; slots ascend.
 * Backends are numbered because the text may name each of them in thousands of slots.
 *
 * Reading takes two passes: the first checks everything, the second applies. So malformed text
 * changes nothing. Pools and backends that this node's document does not have are skipped.
 */
#include "dataplane/tables/compiler_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "weir/conn_state.h"
#include "weir/model.h"

/* The longest line, of a slot with four earlier owners, has about 110 characters. */
#define LINE_MAX_BYTES 192

/* --- writing --- */

struct handover_writer {
	char *text;
	size_t n;
	bool cut;          /* it did not fit */
	uint16_t *numbers; /* by backend index */
	struct owners_clock clock;
};

static void __attribute__((format(printf, 2, 3)))
add_line(struct handover_writer *t, const char *format, ...)
{
	va_list args;

	if (t->cut)
		return;
	va_start(args, format);
	int n = vsnprintf(t->text + t->n, CONN_STATE_TEXT_MAX - t->n, format, args);
	va_end(args);
	t->cut = n < 0 || (size_t)n >= CONN_STATE_TEXT_MAX - t->n;
	if (!t->cut)
		t->n += (size_t)n;
	t->text[t->n] = '\0';
}

static void write_slot(struct handover_writer *t, const struct owners_handover *g)
{
	char line[LINE_MAX_BYTES];
	int n = snprintf(line, sizeof(line), "slot %x %x", g->slot, t->numbers[g->owner]);

	for (uint32_t i = 0; i < OWNER_LIST_MAX; i++)
		if (g->named[i] != 0)
			n += snprintf(line + n, sizeof(line) - (size_t)n, " %s%x %" PRIx64,
			              g->named[i] & OWNER_LIST_TEMPORARY ? "g" : "",
			              t->numbers[g->named[i] & FWD_SLOT_BACKEND],
			              (uint64_t)(g->until_ms[i] / 1000));
	add_line(t, "%s\n", line);
}

/*
 * A pool without a slot to hand over has its first line alone: so the reader resets its slots to
 * their lines.
 */
static void write_pool(struct handover_writer *t, const struct compiler_pool *p)
{
	struct owners_handover g;
	bool some = owners_handover_find(p->owners, 0, &t->clock, &g);

	add_line(t, "pool %s %u\n", p->plan->model->name, p->n_slots);
	for (size_t k = 0; some && k < p->plan->n_backends; k++) {
		t->numbers[p->backends[k].index] = (uint16_t)(k + 1);
		add_line(t, "backend %016" PRIx64 "\n", p->plan->backends[k].id);
	}
	for (; some && !t->cut; some = owners_handover_find(p->owners, g.slot + 1, &t->clock, &g))
		write_slot(t, &g);
}

char *compiler_handover_write(const struct compiler *n, const struct compiler_time *time)
{
	struct handover_writer t = { .text = malloc(CONN_STATE_TEXT_MAX),
		                     .numbers = calloc(FWD_BACKENDS_MAX, sizeof(*t.numbers)),
		                     .clock = { time->ticks_ms, time->wall_clock_ms } };

	if (t.text && t.numbers) {
		t.text[0] = '\0';
		for (size_t i = 0; i < n->n_pools; i++)
			if (plan_has_agents(n->pools[i].plan) && !n->pools[i].waits)
				write_pool(&t, &n->pools[i]);
	} else {
		free(t.text);
		t.text = NULL;
	}
	if (t.text && t.cut)
		log_warn("temporary-owners-cut", "bytes=%zu", t.n);
	free(t.numbers);
	return t.text;
}

/* --- reading --- */

struct handover_reader {
	struct compiler *node;
	struct owners_clock clock;
	const struct compiler_pool *pool; /* NULL: unknown here, its lines are skipped */
	uint16_t *indexes;                /* by number */
	size_t n_indexes;
	struct owners_handover *parsed; /* [slots of the pool] */
	size_t n_parsed;
	bool apply; /* the second pass: all is well formed */
};

static bool read_literal(const char **at, const char *word)
{
	size_t n = strlen(word);
	bool same = !strncmp(*at, word, n);

	*at += same ? n : 0;
	return same;
}

/* A number in hex without sign or prefix, not above @p most. */
static bool read_hex(const char **at, uint64_t most, uint64_t *out)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = strspn(*at, digits);

	if (n == 0 || n > 16)
		return false;
	*out = 0;
	for (; n > 0; n--)
		*out = *out << 4 | (uint64_t)(strchr(digits, *(*at)++) - digits);
	return *out <= most;
}

static uint16_t index_of_number(const struct handover_reader *t, uint64_t number)
{
	return number < t->n_indexes ? t->indexes[number] : 0;
}

/* All lines of the pool have been read: apply them, if this is the second pass. */
static void end_pool(struct handover_reader *t)
{
	if (t->pool && t->apply)
		owners_handover_apply(t->pool->owners, t->parsed, t->n_parsed, &t->clock);
	free(t->parsed);
	t->parsed = NULL;
	t->pool = NULL;
	t->n_parsed = 0;
	t->n_indexes = 1;
}

/*
 * A pool counts only if it has as many slots here: then a slot number means the same on both
 * nodes.
 */
static int read_pool_line(struct handover_reader *t, const char *at)
{
	size_t n = strcspn(at, " \n");
	char name[MODEL_NAME_MAX], *end;
	unsigned long n_slots;

	end_pool(t);
	if (n >= sizeof(name) || at[n] != ' ' || at[n + 1] < '0' || at[n + 1] > '9')
		return -EPROTO;
	memcpy(name, at, n);
	name[n] = '\0';
	n_slots = strtoul(at + n + 1, &end, 10);
	if (*end != '\n')
		return -EPROTO;
	const struct compiler_pool *p = compiler_find_pool(t->node->pools, t->node->n_pools, name);
	if (!p || p->n_slots != n_slots || !plan_has_agents(p->plan) || p->waits)
		return 0;
	t->parsed = calloc(p->n_slots, sizeof(*t->parsed));
	t->pool = t->parsed ? p : NULL;
	return t->parsed ? 0 : -ENOMEM;
}

static int read_backend_line(struct handover_reader *t, const char *at)
{
	const struct compiler_backend *b;
	uint64_t id;

	if (!read_hex(&at, UINT64_MAX, &id) || *at != '\n' || t->n_indexes == FWD_BACKENDS_MAX)
		return -EPROTO;
	b = t->pool ? compiler_find_backend(t->pool, id) : NULL;
	t->indexes[t->n_indexes++] = b ? (uint16_t)b->index : 0;
	return 0;
}

/* An earlier owner, and until when its claim lasts. */
static bool read_named(const struct handover_reader *t, const char **at, struct owners_handover *g,
                       uint32_t i)
{
	uint16_t mark = read_literal(at, "g") ? OWNER_LIST_TEMPORARY : 0;
	uint64_t number, until_s;

	if (!read_hex(at, FWD_BACKENDS_MAX - 1, &number) || !read_literal(at, " ") ||
	    !read_hex(at, UINT32_MAX, &until_s))
		return false;
	g->named[i] = index_of_number(t, number) | mark;
	g->until_ms[i] = (int64_t)until_s * 1000;
	return true;
}

/*
 * Slots must ascend: owners_handover_apply() walks them together with its own, and a slot may not
 * come twice.
 */
static int read_slot_line(struct handover_reader *t, const char *at)
{
	struct owners_handover g = { 0 };
	uint64_t slot, owner;

	if (!read_hex(&at, UINT32_MAX, &slot) || !read_literal(&at, " ") ||
	    !read_hex(&at, FWD_BACKENDS_MAX - 1, &owner))
		return -EPROTO;
	for (uint32_t i = 0; read_literal(&at, " "); i++)
		if (i == OWNER_LIST_MAX || !read_named(t, &at, &g, i))
			return -EPROTO;
	if (*at != '\n')
		return -EPROTO;
	if (!t->pool)
		return 0;
	if (slot >= t->pool->n_slots ||
	    (t->n_parsed > 0 && slot <= t->parsed[t->n_parsed - 1].slot))
		return -EPROTO;
	g.slot = (uint32_t)slot;
	g.owner = index_of_number(t, owner);
	t->parsed[t->n_parsed++] = g;
	return 0;
}

static int read_state_line(struct handover_reader *t, const char *at)
{
	if (read_literal(&at, "pool "))
		return read_pool_line(t, at);
	if (read_literal(&at, "backend "))
		return read_backend_line(t, at);
	if (read_literal(&at, "slot "))
		return read_slot_line(t, at);
	return -EPROTO;
}

static int read_state_lines(struct handover_reader *t, const char *text)
{
	int err = 0;

	t->n_indexes = 1;
	while (*text && !err) {
		const char *end = strchr(text, '\n');

		err = end ? read_state_line(t, text) : -EPROTO;
		text = end ? end + 1 : text;
	}
	t->apply &= !err;
	end_pool(t);
	return err;
}

int compiler_handover_read(struct compiler *n, const char *text, const struct compiler_time *time)
{
	struct handover_reader t = { .node = n,
		                     .clock = { time->ticks_ms, time->wall_clock_ms },
		                     .indexes = calloc(FWD_BACKENDS_MAX, sizeof(*t.indexes)) };
	int err = t.indexes ? read_state_lines(&t, text) : -ENOMEM;

	if (!err) {
		t.apply = true;
		err = read_state_lines(&t, text);
	}
	free(t.indexes);
	return err;
}
