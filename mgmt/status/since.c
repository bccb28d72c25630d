/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A table of wall times by code and subject. A row is written with its code last, so that a process
 * that is killed leaves whole rows only. What the page holds at the start is believed as far as it
 * can be true: this boot's monotonic times, and texts that end.
 */
#include "mgmt/status/since.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/page.h"
#include "mgmt/judge/judge.h"

#define PAGE_KIND   "since"
#define PAGE_LAYOUT 1u

struct since_row {
	char code[CONDITION_CODE_MAX]; /* "": free */
	char subject[CONDITION_SUBJECT_MAX];
	int64_t at_ms;        /* wall time */
	uint64_t observed_ms; /* monotonic */
	uint64_t logged;      /* 1: its beginning is an event */
};

struct since {
	struct page *page; /* NULL: rows are in memory alone */
	struct since_row *rows;
	bool is_there[SINCE_ROWS]; /* in this round */
};

static void tidy_rows(struct since *s, uint64_t now_ms)
{
	for (size_t i = 0; i < SINCE_ROWS; i++) {
		struct since_row *row = &s->rows[i];

		row->code[sizeof(row->code) - 1] = row->subject[sizeof(row->subject) - 1] = 0;
		if (row->observed_ms > now_ms || row->at_ms <= 0)
			row->code[0] = 0;
		row->observed_ms = now_ms; /* nobody has looked meanwhile */
	}
}

struct since *since_open(const char *run_dir, uint64_t now_ms)
{
	struct since *s = MEMORY_NEW(struct since);
	const size_t bytes = SINCE_ROWS * sizeof(*s->rows);
	char path[PATH_MAX];
	int err;

	err = snprintf(path, sizeof(path), "%s/since.page", run_dir) >= (int)sizeof(path)
	              ? -ENAMETOOLONG
	              : page_create(path, PAGE_KIND, PAGE_LAYOUT, bytes, &s->page);
	if (err)
		log_error("since-page-failed", "error=\"%s\"", strerror(-err));
	s->rows = err ? memory_must(calloc(1, bytes)) : page_payload(s->page);
	tidy_rows(s, now_ms);
	return s;
}

void since_close(struct since *s)
{
	if (!s)
		return;
	if (!s->page)
		free(s->rows);
	page_close(s->page);
	free(s);
}

static bool is_row_of(const struct since_row *row, const char *code, const char *subject)
{
	return *row->code && !strcmp(row->code, code) && !strcmp(row->subject, subject);
}

/* The row of a code and subject. @return SINCE_ROWS: there is none */
static size_t find_row(const struct since *s, const char *code, const char *subject)
{
	size_t i = 0;

	while (i < SINCE_ROWS && !is_row_of(&s->rows[i], code, subject))
		i++;
	return i;
}

/* The same, made if there is room. */
static size_t row_of(struct since *s, const char *code, const char *subject, int64_t begin_ms)
{
	size_t at = find_row(s, code, subject);

	if (at < SINCE_ROWS)
		return at;
	at = 0;
	while (at < SINCE_ROWS && *s->rows[at].code)
		at++;
	if (at == SINCE_ROWS)
		return SINCE_ROWS;
	s->rows[at].at_ms = begin_ms;
	s->rows[at].logged = 0;
	snprintf(s->rows[at].subject, sizeof(s->rows[at].subject), "%s", subject);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	snprintf(s->rows[at].code, sizeof(s->rows[at].code), "%s", code);
	return at;
}

int64_t since_when(struct since *s, const char *code, const char *subject, int64_t begin_ms,
                   uint64_t now_ms)
{
	size_t at = row_of(s, code, subject, begin_ms);

	if (at == SINCE_ROWS)
		return begin_ms;
	s->is_there[at] = true;
	s->rows[at].observed_ms = now_ms;
	return s->rows[at].at_ms;
}

int64_t since_known(const struct since *s, const char *code, const char *subject)
{
	size_t at = find_row(s, code, subject);

	return at < SINCE_ROWS ? s->rows[at].at_ms : 0;
}

bool since_log_begin(struct since *s, const char *code, const char *subject)
{
	size_t at = find_row(s, code, subject);
	bool is_news = at == SINCE_ROWS || !s->rows[at].logged;

	if (at < SINCE_ROWS)
		s->rows[at].logged = 1;
	return is_news;
}

void since_begin(struct since *s)
{
	memset(s->is_there, 0, sizeof(s->is_there));
}

void since_round(struct since *s, bool unsettled, uint64_t now_ms, since_on_end *on_end, void *arg)
{
	for (size_t i = 0; i < SINCE_ROWS; i++) {
		struct since_row *row = &s->rows[i];
		bool kept = unsettled && now_ms - row->observed_ms < SINCE_KEPT_MS;

		if (s->is_there[i] || kept || !*row->code)
			continue;
		if (row->logged)
			on_end(arg, row->code, row->subject);
		row->code[0] = 0;
	}
	if (s->page)
		page_alive(s->page, now_ms);
}
