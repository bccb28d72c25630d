/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Myers' greedy algorithm: for 0, 1, 2, ... edits, the furthest point on each diagonal is found.
 * The points of all steps are kept (the trail) and walked back to find the lines that both files
 * share. Equal lines at both ends are taken off first, as most changes are small. Beyond
 * LINEDIFF_EDITS_MAX edits no path is found and the middle is shown as replaced: time and memory
 * grow with the square of the edits.
 */
#include "mgmt/files/linediff.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONTEXT 3 /* lines around a change, as diff -u shows them */

struct line {
	const char *at;
	size_t n;
};

struct text {
	struct line *lines;
	int n;
};

/* Which lines are kept: keep_a[i] means that line i of a has a partner in b, in order. */
struct match {
	bool *keep_a, *keep_b;
};

static int split_lines(const struct files_text *item, struct text *out)
{
	size_t max = 1;

	*out = (struct text){ 0 };
	for (size_t i = 0; item && i < item->n; i++)
		max += item->bytes[i] == '\n';
	out->lines = calloc(max, sizeof(*out->lines));
	if (!out->lines)
		return -1;
	for (size_t i = 0; item && i < item->n;) {
		const char *at = item->bytes + i;
		const char *end = memchr(at, '\n', item->n - i);
		size_t n = end ? (size_t)(end - at) : item->n - i;

		out->lines[out->n++] = (struct line){ at, n };
		i += n + 1;
	}
	return 0;
}

static bool is_same_line(const struct line *a, const struct line *b)
{
	return a->n == b->n && !memcmp(a->at, b->at, a->n);
}

/* Walk back along the furthest paths kept in @p trail and mark the diagonals. */
static void mark_kept_lines(const struct match *m, const int *trail, int width, int d, int x, int y,
                            int skip)
{
	for (; d >= 0; d--) {
		const int *v = trail + (size_t)d * (size_t)width + LINEDIFF_EDITS_MAX + 1;
		int k = x - y;
		bool down = k == -d || (k != d && v[k - 1] < v[k + 1]);
		int from_k = down ? k + 1 : k - 1;
		int from_x = d ? v[from_k] : 0, from_y = d ? from_x - from_k : 0;

		while (x > from_x && y > from_y) {
			x--;
			y--;
			m->keep_a[skip + x] = m->keep_b[skip + y] = true;
		}
		x = from_x;
		y = from_y;
	}
}

/* Match what is between @p skip lines at the start and the ends @p na, @p nb. */
static void match_middle(const struct text *a, const struct text *b, int skip, int na, int nb,
                         const struct match *m)
{
	int width = 2 * LINEDIFF_EDITS_MAX + 3, n = na - skip, o = nb - skip;
	int most = n + o < LINEDIFF_EDITS_MAX ? n + o : LINEDIFF_EDITS_MAX;
	int *trail = calloc((size_t)(most + 1) * (size_t)width, sizeof(*trail));
	int *now = calloc((size_t)width, sizeof(*now)),
	    *v = now ? now + LINEDIFF_EDITS_MAX + 1 : NULL;

	for (int d = 0; trail && v && d <= most; d++) {
		memcpy(trail + (size_t)d * (size_t)width, now, (size_t)width * sizeof(*now));
		for (int k = -d; k <= d; k += 2) {
			bool down = k == -d || (k != d && v[k - 1] < v[k + 1]);
			int x = d == 0 ? 0 : down ? v[k + 1] : v[k - 1] + 1, y = x - k;

			while (x < n && y < o && y >= 0 &&
			       is_same_line(&a->lines[skip + x], &b->lines[skip + y])) {
				x++;
				y++;
			}
			v[k] = x;
			if (x >= n && y >= o) {
				mark_kept_lines(m, trail, width, d, x, y, skip);
				d = most;
				break;
			}
		}
	}
	free(trail);
	free(now);
}

static void match_lines(const struct text *a, const struct text *b, const struct match *m)
{
	int skip = 0, na = a->n, nb = b->n;

	while (skip < na && skip < nb && is_same_line(&a->lines[skip], &b->lines[skip])) {
		m->keep_a[skip] = m->keep_b[skip] = true;
		skip++;
	}
	while (na > skip && nb > skip && is_same_line(&a->lines[na - 1], &b->lines[nb - 1])) {
		na--;
		nb--;
		m->keep_a[na] = m->keep_b[nb] = true;
	}
	match_middle(a, b, skip, na, nb, m);
}

static void put_line(FILE *out, char mark_, const struct line *l)
{
	fputc(mark_, out);
	fwrite(l->at, 1, l->n, out);
	fputc('\n', out);
}

/*
 * Where a hunk that starts at (i, k) ends: after CONTEXT kept lines that another 2 * CONTEXT
 * follow.
 */
static void hunk_end(const struct text *a, const struct text *b, const struct match *m, int *i,
                     int *k)
{
	int kept = 0;

	while (*i < a->n || *k < b->n) {
		if (*i < a->n && !m->keep_a[*i]) {
			(*i)++;
			kept = 0;
		} else if (*k < b->n && !m->keep_b[*k]) {
			(*k)++;
			kept = 0;
		} else {
			(*i)++;
			(*k)++;
			if (++kept == 2 * CONTEXT) {
				*i -= CONTEXT;
				*k -= CONTEXT;
				return;
			}
		}
	}
	int extra = kept > CONTEXT ? kept - CONTEXT : 0;
	*i -= extra;
	*k -= extra;
}

static void put_hunk(FILE *out, const struct text *a, const struct text *b, const struct match *m,
                     int i, int k, int end_i, int end_k)
{
	fprintf(out, "@@ -%d,%d +%d,%d @@\n", end_i > i ? i + 1 : i, end_i - i,
	        end_k > k ? k + 1 : k, end_k - k);
	while (i < end_i || k < end_k)
		if (i < end_i && !m->keep_a[i])
			put_line(out, '-', &a->lines[i++]);
		else if (k < end_k && !m->keep_b[k])
			put_line(out, '+', &b->lines[k++]);
		else {
			put_line(out, ' ', &a->lines[i++]);
			k++;
		}
}

static void put_hunks(FILE *out, const struct text *a, const struct text *b, const struct match *m)
{
	int i = 0, k = 0;

	while (i < a->n || k < b->n) {
		if (i < a->n && m->keep_a[i] && k < b->n && m->keep_b[k]) {
			i++;
			k++;
			continue;
		}
		int context = i < k ? i : k, end_i = i, end_k = k;

		context = context > CONTEXT ? CONTEXT : context;
		hunk_end(a, b, m, &end_i, &end_k);
		put_hunk(out, a, b, m, i - context, k - context, end_i, end_k);
		i = end_i;
		k = end_k;
	}
}

/* Of a large file only size and digest are shown: its bytes are not in memory. */
static int put_file(FILE *out, const char *name, const struct files_item *a,
                    const struct files_item *b)
{
	struct text ta, tb;
	struct files_text none = { 0 };
	struct match m = { NULL, NULL };
	int err = -1;

	if ((a && a->path) || (b && b->path)) { /* too large to compare line by line */
		fprintf(out, "--- %s%s\n+++ %s%s\n%zu bytes, then %zu bytes: %.16s, then %.16s\n",
		        a ? "a/" : "/dev/null", a ? name : "", b ? "b/" : "/dev/null",
		        b ? name : "", a ? a->n_bytes : 0, b ? b->n_bytes : 0, a ? a->digest : "-",
		        b ? b->digest : "-");
		return 0;
	}
	if (split_lines(a ? &(struct files_text){ a->bytes, a->n_bytes, NULL } : &none, &ta))
		return -1;
	if (!split_lines(b ? &(struct files_text){ b->bytes, b->n_bytes, NULL } : &none, &tb)) {
		m.keep_a = calloc((size_t)ta.n + 1, sizeof(bool));
		m.keep_b = calloc((size_t)tb.n + 1, sizeof(bool));
		if (m.keep_a && m.keep_b) {
			match_lines(&ta, &tb, &m);
			fprintf(out, "--- %s%s\n+++ %s%s\n", a ? "a/" : "/dev/null", a ? name : "",
			        b ? "b/" : "/dev/null", b ? name : "");
			put_hunks(out, &ta, &tb, &m);
			err = 0;
		}
		free(tb.lines);
	}
	free(m.keep_a);
	free(m.keep_b);
	free(ta.lines);
	return err;
}

char *linediff_files(const struct files *from, const struct files *to)
{
	char *text = NULL;
	size_t n = 0, i = 0, k = 0;
	FILE *out = open_memstream(&text, &n);
	int err = out ? 0 : -1;

	while (!err && (i < from->n_items || k < to->n_items)) {
		const struct files_item *a = i < from->n_items ? &from->items[i] : NULL;
		const struct files_item *b = k < to->n_items ? &to->items[k] : NULL;
		int c = !a ? 1 : !b ? -1 : strcmp(a->name, b->name);

		i += c <= 0;
		k += c >= 0;
		a = c <= 0 ? a : NULL;
		b = c >= 0 ? b : NULL;
		if (!a || !b || strcmp(a->digest, b->digest))
			err = put_file(out, a ? a->name : b->name, a, b);
	}
	if (!out || fclose(out) || err) {
		free(text);
		return NULL;
	}
	return text;
}
