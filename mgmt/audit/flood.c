/* SPDX-License-Identifier: BSD-2-Clause */
/* A row ends when a while has passed in which nothing like it came; so what goes on has a line for each while. */
#include "mgmt/audit/flood.h"

#include <stdio.h>
#include <string.h>

#include "base/plain.h"

static uint64_t while_of(const struct audit_flood_row *row)
{
	return row->kind == AUDIT_LOGIN ? AUDIT_FLOOD_LOGIN_MS : AUDIT_FLOOD_MS;
}

static bool is_over(const struct audit_flood_row *row, uint64_t now_ms)
{
	return now_ms - row->since_ms >= while_of(row);
}

static void fill_row(struct audit_flood_row *row, const struct audit_line *line)
{
	*row = (struct audit_flood_row){ .is_used = true,
		                         .kind = line->kind,
		                         .status = line->status };
	memcpy(row->who, line->who, sizeof(row->who));
	memcpy(row->source, line->source, sizeof(row->source));
	memcpy(row->method, line->method, sizeof(row->method));
	memcpy(row->code, line->code, sizeof(row->code));
	plain_copy(row->path, sizeof(row->path), line->path);
}

static bool is_alike(const struct audit_flood_row *a, const struct audit_flood_row *b)
{
	return a->is_used && a->kind == b->kind && !strcmp(a->who, b->who) &&
	       !strcmp(a->source, b->source) && !strcmp(a->code, b->code) &&
	       !strcmp(a->path, b->path);
}

/* The row that @p like is counted in: its own, a free one, or that of all others. */
static struct audit_flood_row *find_row_for(struct audit_flood *f,
                                            const struct audit_flood_row *like)
{
	struct audit_flood_row *vacant = NULL;
	size_t n_strangers = 0;

	for (size_t i = 0; i < AUDIT_FLOOD_ROWS; i++) {
		if (is_alike(&f->rows[i], like))
			return &f->rows[i];
		if (!f->rows[i].is_used && !vacant)
			vacant = &f->rows[i];
		n_strangers += f->rows[i].is_used && !*f->rows[i].who;
	}
	bool fits = vacant && (*like->who || n_strangers < AUDIT_FLOOD_STRANGERS);
	return fits ? vacant : &f->rows[AUDIT_FLOOD_ROWS + (size_t)like->kind];
}

bool audit_flood_note(struct audit_flood *f, const struct audit_line *line, uint64_t now_ms,
                      int64_t believed_ms)
{
	struct audit_flood_row like;

	fill_row(&like, line);
	struct audit_flood_row *row = find_row_for(f, &like);
	if (!row->is_used) {
		bool is_others = row >= &f->rows[AUDIT_FLOOD_ROWS];

		*row = is_others ? (struct audit_flood_row){ .is_used = true,
			                                     .is_others = true,
			                                     .kind = like.kind }
		                 : like;
		row->since_ms = now_ms;
		row->since = believed_ms;
	}
	row->count++;
	return !row->is_said && !row->is_others;
}

static void write_line(const struct audit_flood_row *row, struct audit_line *out)
{
	*out = (struct audit_line){ .kind = row->kind, .status = row->status };
	memcpy(out->who, row->who, sizeof(row->who));
	memcpy(out->source, row->source, sizeof(row->source));
	memcpy(out->method, row->method, sizeof(row->method));
	memcpy(out->code, row->code, sizeof(row->code));
	memcpy(out->path, row->path, sizeof(row->path));
	if (row->is_others)
		snprintf(out->who, sizeof(out->who), "(others)");
	if (row->is_said || row->is_others) {
		out->count = row->count;
		(void)clock_text(row->since, out->since);
	}
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
