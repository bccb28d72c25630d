/* SPDX-License-Identifier: BSD-2-Clause */
/* A row ends when a while has passed in which nothing like it came; so what goes on has a line for each while. */
#include "mgmt/audit/flood.h"

#include <stdio.h>
#include <string.h>

static uint64_t while_of(const struct audit_flood_row *row)
{
	return row->line.kind == AUDIT_LOGIN ? AUDIT_FLOOD_LOGIN_MS : AUDIT_FLOOD_MS;
}

static bool is_over(const struct audit_flood_row *row, uint64_t now_ms)
{
	return now_ms - row->since_ms >= while_of(row);
}

static bool is_alike(const struct audit_flood_row *row, const struct audit_line *line)
{
	const struct audit_line *a = &row->line;

	return row->is_used && !row->is_others && a->kind == line->kind &&
	       !strcmp(a->who, line->who) && !strcmp(a->source, line->source) &&
	       !strcmp(a->code, line->code) && !strcmp(a->path, line->path) &&
	       !strcmp(a->method, line->method) && a->status == line->status &&
	       a->replayed == line->replayed;
}

static bool is_of(const struct audit_flood_row *row, const struct audit_line *line)
{
	return row->is_used && !strcmp(row->line.who, line->who);
}

/* Changes, logins and refusals take no room from each other. */
static struct audit_flood_row *table_of(struct audit_flood *f, enum audit_kind kind)
{
	size_t table = kind == AUDIT_CHANGE ? 0 : kind == AUDIT_LOGIN ? 1 : 2;

	return &f->rows[table * AUDIT_FLOOD_ROWS];
}

/* The row that @p line is counted in: its own, a free one, that of who comes too often, or that of all others. */
static struct audit_flood_row *find_row_for(struct audit_flood *f, const struct audit_line *line,
                                            bool *is_others)
{
	struct audit_flood_row *rows = table_of(f, line->kind), *vacant = NULL, *summed = NULL;
	size_t n_own = 0,
	       share = line->kind == AUDIT_CHANGE ? AUDIT_FLOOD_CHANGES : AUDIT_FLOOD_SHARE;

	for (size_t i = 0; i < AUDIT_FLOOD_ROWS; i++) {
		struct audit_flood_row *row = &rows[i];

		if (is_alike(row, line))
			return row;
		if (!row->is_used && !vacant)
			vacant = row;
		if (is_of(row, line) && row->is_others && row->line.kind == line->kind)
			summed = row;
		n_own += is_of(row, line) && !row->is_others;
	}
	*is_others = n_own >= share || !vacant;
	if (!*is_others)
		return vacant;
	if (*line->who && (summed || vacant))
		return summed ? summed : vacant;
	return &f->rows[AUDIT_FLOOD_TABLES * AUDIT_FLOOD_ROWS + (size_t)line->kind];
}

/* What others have in common: the kind, and who, if all are of one. */
static void begin_others(struct audit_flood_row *row, const struct audit_line *line, bool of_one)
{
	*row = (struct audit_flood_row){ .is_others = true, .line = { .kind = line->kind } };
	memcpy(row->line.who, of_one ? line->who : AUDIT_FLOOD_OTHERS,
	       of_one ? sizeof(row->line.who) : sizeof(AUDIT_FLOOD_OTHERS));
	if (of_one)
		memcpy(row->line.path, AUDIT_FLOOD_OTHERS, sizeof(AUDIT_FLOOD_OTHERS));
}

enum audit_flood_noted audit_flood_note(struct audit_flood *f, const struct audit_line *line,
                                        uint64_t now_ms, int64_t believed_ms)
{
	bool is_others = false;
	struct audit_flood_row *row = find_row_for(f, line, &is_others);
	bool of_one = row < &f->rows[AUDIT_FLOOD_TABLES * AUDIT_FLOOD_ROWS];

	if (!of_one && line->kind == AUDIT_CHANGE)
		return AUDIT_FLOOD_FULL;
	if (!row->is_used) {
		if (is_others)
			begin_others(row, line, of_one);
		else
			*row = (struct audit_flood_row){ .line = *line };
		row->is_used = true;
		row->since_ms = now_ms;
		row->since = believed_ms;
	}
	row->count++;
	return row->is_said || row->is_others ? AUDIT_FLOOD_COUNTED : AUDIT_FLOOD_DUE;
}

/*
 * The first line of a row is as it came. Each later one stands for several, and so does each one of others: what each asked for
 * and why is another matter, and not in it.
 */
static void write_line(const struct audit_flood_row *row, struct audit_line *out)
{
	*out = row->line;
	if (!row->is_said && !row->is_others)
		return;
	out->object[0] = out->author[0] = out->reason[0] = out->result[0] = '\0';
	out->count = row->count;
	(void)clock_text(row->since, out->since);
}

/* Whether @p row has a line now. */
static bool is_due(const struct audit_flood_row *row, bool all, uint64_t now_ms)
{
	if (!row->is_used || !row->count)
		return false;
	return all || (!row->is_said && !row->is_others) || is_over(row, now_ms);
}

/* The first line of a row leaves the others of it to be counted; a count may be the last. */
static void commit_line(struct audit_flood_row *row, uint64_t now_ms, int64_t believed_ms)
{
	bool is_first = !row->is_said && !row->is_others;

	row->count = is_first ? row->count - 1 : 0;
	row->is_said = true;
	if (is_first)
		return;
	row->since_ms = now_ms;
	row->since = believed_ms;
}

bool audit_flood_next(struct audit_flood *f, bool all, uint64_t now_ms, int64_t believed_ms,
                      struct audit_line *out)
{
	for (size_t i = 0; i < sizeof(f->rows) / sizeof(f->rows[0]); i++) {
		struct audit_flood_row *row = &f->rows[i];

		if (is_due(row, all, now_ms)) {
			write_line(row, out);
			commit_line(row, now_ms, believed_ms);
			return true;
		}
		if (row->is_used && !row->count && is_over(row, now_ms))
			row->is_used = false;
	}
	return false;
}
