/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All lines are read first, each to a small row; then the rows are judged in the order of their numbers. Of two lines that do not
 * fit, the one that its other neighbour knows as it stands is the one that was not changed. So the changed line is named
 * itself, not the one behind it.
 */
#include "mgmt/audit/verify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/plain.h"
#include "mgmt/audit/log.h"

#define KEYS_MAX        256u /* of a log; one for each time that it was changed */
#define KEY_NONE        UINT16_MAX
#define HEADS_MAX       1024u
#define FILES_NAMED_MAX 256u

RECORD_KIND(audit_found, "finding", AUDIT_FOUND_ROWS);
RECORD_KIND(audit_verdict, "verdict on an audit log", AUDIT_VERDICT_ROWS);

/* A line. */
struct verify_row {
	uint64_t seq; /* 0: it is no line of a log */
	uint64_t line, dropped, count;
	char hash[DIGEST_TEXT_MAX], prev[DIGEST_TEXT_MAX];
	uint16_t file, key, next; /* next: of a key line */
	uint8_t kind;
	bool fits;     /* a signed line, whose signature is that of its key */
	bool is_named; /* something wrong was said of it */
	bool is_out;   /* it is no part of the order: inserted, or no line */
};

struct verify_head {
	struct audit_head head;
	char holder[MODEL_NAME_MAX];
	bool is_mark; /* no peer's */
};

struct audit_verify {
	bool is_part, ends_torn, has_node, has_unknown_key;
	char node[MODEL_NAME_MAX];
	size_t file_max, files_max, last_bytes; /* last_bytes: of the file that was added last */
	uint64_t bytes;                         /* of those before it */
	char files[FILES_NAMED_MAX][80];
	size_t n_files;
	char keys[KEYS_MAX][AUDIT_KEY_MAX];
	size_t n_keys;
	struct verify_row *rows, **order; /* order: those in it, by number */
	size_t n, room, n_order;
	struct verify_head *heads;
	size_t n_heads;
	struct audit_verdict *verdict;
};

struct audit_verify *audit_verify_new(bool is_part)
{
	struct audit_verify *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	v->is_part = is_part;
	audit_verify_bound(v, 0, 0);
	return v;
}

void audit_verify_bound(struct audit_verify *v, size_t file_max, size_t files_max)
{
	v->file_max = file_max ? file_max : AUDIT_FILE_MAX;
	v->files_max = files_max ? files_max : AUDIT_FILES_MAX;
}

void audit_verify_free(struct audit_verify *v)
{
	if (!v)
		return;
	free(v->rows);
	free(v->order);
	free(v->heads);
	free(v);
}

/* --- reading --- */

/* @return the number of the key, which may be new; KEYS_MAX: there are too many */
static uint16_t number_key(struct audit_verify *v, const char *key)
{
	size_t i = 0;

	while (i < v->n_keys && strcmp(v->keys[i], key) != 0)
		i++;
	if (i == v->n_keys && v->n_keys < KEYS_MAX)
		memcpy(v->keys[v->n_keys++], key, AUDIT_KEY_MAX);
	return (uint16_t)i;
}

static int add_row(struct audit_verify *v, const struct verify_row *row)
{
	if (v->n == v->room) {
		size_t room = v->room ? 2 * v->room : 256;
		struct verify_row *rows = realloc(v->rows, room * sizeof(*rows));

		if (!rows)
			return -ENOMEM;
		v->rows = rows;
		v->room = room;
	}
	v->rows[v->n++] = *row;
	return 0;
}

/* One that is no line stays where it stands, with number 0: it may be a line that was changed. */
static int add_line(struct audit_verify *v, uint64_t number, const char *text, size_t n)
{
	struct verify_row row = { .line = number, .file = (uint16_t)(v->n_files - 1) };
	struct audit_line line;
	int err = audit_line_read(text, n, &line);

	if (err == -ENOMEM)
		return err;
	digest_bytes(text, n, row.hash);
	row.is_out = err != 0;
	if (!err) {
		row.seq = line.seq;
		row.kind = (uint8_t)line.kind;
		row.count = line.count;
		row.dropped = line.dropped;
		memcpy(row.prev, line.prev, sizeof(row.prev));
		if (!v->has_node)
			memcpy(v->node, line.node, sizeof(v->node));
		v->has_node = true;
	}
	if (!err && audit_kind_is_signed(line.kind)) {
		row.key = number_key(v, line.key);
		row.next = number_key(v, line.next);
		row.fits = !strcmp(line.node, v->node) && audit_line_is_signed(&line);
	}
	return add_row(v, &row);
}

int audit_verify_add(struct audit_verify *v, const char *file, const char *bytes, size_t n)
{
	uint64_t number = 0;
	int err = 0;

	if (v->n_files < FILES_NAMED_MAX)
		plain_copy(v->files[v->n_files++], sizeof(v->files[0]), file);
	v->bytes += v->last_bytes;
	v->last_bytes = n;
	for (size_t at = 0; at < n && !err;) {
		const char *end = memchr(bytes + at, '\n', n - at);

		v->ends_torn = !end;
		if (!end)
			break;
		err = add_line(v, ++number, bytes + at, (size_t)(end - bytes) - at);
		at = (size_t)(end - bytes) + 1;
	}
	return err;
}

size_t audit_verify_lines(const struct audit_verify *v)
{
	size_t n = 0;

	for (size_t i = 0; i < v->n; i++)
		n += v->rows[i].seq > 0;
	return n;
}

void audit_verify_node(struct audit_verify *v, const char *node)
{
	if (!v->has_node)
		plain_copy(v->node, sizeof(v->node), node);
}

/* --- saying --- */

static void fill_found(const struct audit_verify *v, struct audit_found *f, const char *what,
                       const struct verify_row *row, const char *format, va_list list)
        __attribute__((format(printf, 5, 0)));
static void fill_found(const struct audit_verify *v, struct audit_found *f, const char *what,
                       const struct verify_row *row, const char *format, va_list list)
{
	*f = (struct audit_found){ .line = row ? row->line : 0, .seq = row ? row->seq : 0 };
	snprintf(f->what, sizeof(f->what), "%s", what);
	if (row)
		memcpy(f->file, v->files[row->file], sizeof(f->file));
	vsnprintf(f->detail, sizeof(f->detail), format, list);
}

/* Say what is wrong at @p row; NULL: at no line. */
static void find_wrong(struct audit_verify *v, const char *what, struct verify_row *row,
                       const char *format, ...) __attribute__((format(printf, 4, 5)));
static void find_wrong(struct audit_verify *v, const char *what, struct verify_row *row,
                       const char *format, ...)
{
	struct audit_verdict *out = v->verdict;
	va_list list;

	if (row)
		row->is_named = true;
	if (out->n_found++ >= AUDIT_FOUND_MAX)
		return;
	va_start(list, format);
	fill_found(v, &out->found[out->n_found_shown++], what, row, format, list);
	va_end(list);
}

static void add_note(struct audit_verify *v, const char *what, const struct verify_row *row,
                     const char *format, ...) __attribute__((format(printf, 4, 5)));
static void add_note(struct audit_verify *v, const char *what, const struct verify_row *row,
                     const char *format, ...)
{
	struct audit_verdict *out = v->verdict;
	va_list list;

	if (out->n_notes == AUDIT_FOUND_MAX)
		return;
	va_start(list, format);
	fill_found(v, &out->notes[out->n_notes++], what, row, format, list);
	va_end(list);
}

/* --- the order --- */

static int compare_rows(const void *a, const void *b)
{
	const struct verify_row *x = *(struct verify_row *const *)a,
	                        *y = *(struct verify_row *const *)b;

	if (x->seq != y->seq)
		return x->seq < y->seq ? -1 : 1;
	return x < y ? -1 : x > y; /* of one array */
}

static bool follows_row(const struct verify_row *a, const struct verify_row *b)
{
	return b->seq == a->seq + 1 && !strcmp(b->prev, a->hash);
}

/* The true one of the lines [first, end) in the order, which have one number: both neighbours know it. */
static size_t choose_true(const struct audit_verify *v, size_t first, size_t end)
{
	size_t best = first, best_score = 0;

	for (size_t i = first; i < end; i++) {
		size_t score = 0;

		for (size_t k = first; k > 0 && v->order[k - 1]->seq + 1 >= v->order[i]->seq; k--)
			score += follows_row(v->order[k - 1], v->order[i]);
		for (size_t k = end; k < v->n_order && v->order[k]->seq <= v->order[i]->seq + 1;
		     k++)
			score += 2u * follows_row(v->order[i], v->order[k]);
		if (score > best_score) {
			best = i;
			best_score = score;
		}
	}
	return best;
}

/* Of several lines with one number all but one were inserted. */
static void drop_inserted(struct audit_verify *v)
{
	size_t n = 0;

	for (size_t i = 0, end; i < v->n_order; i = end) {
		for (end = i + 1; end < v->n_order && v->order[end]->seq == v->order[i]->seq; end++)
			;
		size_t chosen = choose_true(v, i, end);
		for (size_t k = i; k < end; k++)
			if (k != chosen) {
				v->order[k]->is_out = true;
				find_wrong(v, "inserted", v->order[k],
				           "another line has the number %" PRIu64
				           ", and this one does not fit",
				           v->order[k]->seq);
			}
		v->order[i] = v->order[chosen]; /* those between are done with */
	}
	for (size_t i = 0; i < v->n_order; i++)
		if (n == 0 || v->order[i]->seq != v->order[n - 1]->seq)
			v->order[n++] = v->order[i];
	v->n_order = n;
}

static bool put_in_order(struct audit_verify *v)
{
	v->order = calloc(v->n + 1, sizeof(struct verify_row *));
	if (!v->order)
		return false;
	for (size_t i = 0; i < v->n; i++) {
		if (v->rows[i].is_out)
			find_wrong(v, "changed", &v->rows[i],
			           "it is no line of an audit log any more");
		else
			v->order[v->n_order++] = &v->rows[i];
	}
	qsort(v->order, v->n_order, sizeof(struct verify_row *), compare_rows);
	drop_inserted(v);
	return true;
}

/* A line that stands behind one with a higher number. */
static void find_moved(struct audit_verify *v)
{
	uint64_t most = 0;

	for (size_t i = 0; i < v->n; i++) {
		struct verify_row *row = &v->rows[i];

		if (row->is_out)
			continue;
		if (row->seq < most)
			find_wrong(v, "moved", row,
			           "number %" PRIu64 " stands behind number %" PRIu64, row->seq,
			           most);
		else
			most = row->seq;
	}
}

/* --- the chain --- */

/* How many lines that are none stand between two, in the text. */
static uint64_t count_spoilt(const struct verify_row *a, const struct verify_row *b)
{
	uint64_t n = 0;

	for (const struct verify_row *row = a + 1; row < b; row++)
		n += row->seq == 0;
	return n;
}

static void find_removed(struct audit_verify *v, const struct verify_row *a, struct verify_row *b)
{
	uint64_t missing = b->seq - a->seq - 1, spoilt = count_spoilt(a, b);

	if (missing > spoilt && missing == 1)
		find_wrong(v, "removed", b,
		           "line %" PRIu64 ", which stood before this one, is missing", a->seq + 1);
	else if (missing > spoilt)
		find_wrong(v, "removed", b,
		           "of lines %" PRIu64 " to %" PRIu64
		           ", which stood before this one, %" PRIu64 " are missing",
		           a->seq + 1, b->seq - 1, missing - spoilt);
}

/* Whether line @p i, in the order, is known to be as it was written: by the line behind it, or by its own signature. */
static bool is_vouched(const struct audit_verify *v, size_t i)
{
	return v->order[i]->fits ||
	       (i + 1 < v->n_order && follows_row(v->order[i], v->order[i + 1]));
}

static void find_changed(struct audit_verify *v, size_t i)
{
	struct verify_row *a = v->order[i], *b = v->order[i + 1];

	if (a->is_named)
		return; /* which is why */
	if (is_vouched(v, i + 1))
		find_wrong(v, "changed", a,
		           "line %" PRIu64 " has the digest of another line in its place", b->seq);
	else if (i + 2 < v->n_order)
		find_wrong(v, "changed", b,
		           "it has the digest of another line before it, and the line "
		           "behind it has that of another one in its place");
	else
		find_wrong(v, "changed", b,
		           "it has the digest of another line before it: it was changed, or line "
		           "%" PRIu64 "; which of both cannot be known, as nothing is behind it",
		           a->seq);
}

/* A gap in the numbers is of lines that are gone; else one of two neighbours was changed. */
static void judge_chain(struct audit_verify *v)
{
	for (size_t i = 0; i + 1 < v->n_order; i++) {
		if (v->order[i + 1]->seq != v->order[i]->seq + 1)
			find_removed(v, v->order[i], v->order[i + 1]);
		else if (!follows_row(v->order[i], v->order[i + 1]))
			find_changed(v, i);
	}
}

/*
 * A file is dropped when there are more than the bound keeps, and one is begun when there is no room for a line in the last. So of a
 * log that has dropped lines, all files but the last are there, and full.
 */
static void judge_dropped(struct audit_verify *v, struct verify_row *first)
{
	uint64_t least = (uint64_t)(v->files_max - 1) * (v->file_max - AUDIT_LINE_MAX);

	if (v->bytes < least)
		find_wrong(v, "erased", first,
		           "lines 1 to %" PRIu64 " were dropped, as the log says, but %" PRIu64
		           " bytes are kept before the last file, and the bound keeps at least "
		           "%" PRIu64 ": who could read the key made it drop them",
		           first->seq - 1, v->bytes, least);
	else
		add_note(v, "dropped", first,
		         "lines 1 to %" PRIu64
		         " are no longer kept, as the log says itself; the first "
		         "that is kept has the digest of the last of them",
		         first->seq - 1);
}

/* What the log says itself that it has dropped. */
static void judge_beginning(struct audit_verify *v)
{
	uint64_t dropped = 0;

	if (!v->n_order)
		return;
	struct verify_row *first = v->order[0];
	for (size_t i = 0; i < v->n_order; i++)
		if (v->order[i]->kind == AUDIT_BEGIN && v->order[i]->fits &&
		    v->order[i]->dropped > dropped)
			dropped = v->order[i]->dropped;
	if (v->is_part && first->seq > 1) {
		add_note(v, "part", first,
		         "what was written before line %" PRIu64 " is not in this text",
		         first->seq);
	} else if (first->seq > dropped + 1) {
		find_wrong(
		        v, "removed", first,
		        "the lines before it are missing: the log says that it has dropped those to "
		        "%" PRIu64,
		        dropped);
	} else if (first->kind != AUDIT_BEGIN) {
		find_wrong(v, "changed", first, "a log begins with a line of the kind \"begin\"");
	} else if (first->seq == 1 && strcmp(first->prev, audit_line_none()) != 0) {
		find_wrong(v, "changed", first,
		           "the first line has the digest of a line before it");
	} else if (first->seq > 1) {
		judge_dropped(v, first);
	}
}

/* --- signatures --- */

static const char *name_key(const struct audit_verify *v, uint16_t key)
{
	return key < v->n_keys ? v->keys[key] : "(one of very many)";
}

/*
 * @param key      the key in force before the line, and after it; KEY_NONE: not known yet; KEYS_MAX: one of too many
 * @param vouched  the last line that a signature vouches for
 */
static void judge_signed(struct audit_verify *v, struct verify_row *row, uint16_t *key,
                         uint64_t *vouched)
{
	if (!row->fits) {
		if (!row->is_named)
			find_wrong(
			        v, "unsigned", row,
			        "its signature does not fit: a line behind line %" PRIu64
			        " was changed and the digests made again; which one cannot be known",
			        *vouched);
		return;
	}
	if (*key == KEY_NONE)
		*key = row->key;
	if (row->key == KEYS_MAX && !v->has_unknown_key)
		find_wrong(v, "unknown", row,
		           "the log has more than %u keys: whether each was signed by the one "
		           "before cannot be known from here on",
		           KEYS_MAX);
	else if (row->key != *key && row->key != KEYS_MAX)
		find_wrong(
		        v, "replaced", row,
		        "it is signed by key %.16s..., which key %.16s... has not signed: that key "
		        "was lost, or the log was made again from here",
		        name_key(v, row->key), name_key(v, *key));
	v->has_unknown_key |= row->key == KEYS_MAX;
	*key = row->kind == AUDIT_KEY ? row->next : row->key;
	*vouched = row->seq;
}

static void judge_signatures(struct audit_verify *v)
{
	uint16_t key = KEY_NONE;
	uint64_t vouched = 0;

	for (size_t i = 0; i < v->n_order; i++)
		if (audit_kind_is_signed((enum audit_kind)v->order[i]->kind))
			judge_signed(v, v->order[i], &key, &vouched);
	v->verdict->vouched = vouched;
	snprintf(v->verdict->key, sizeof(v->verdict->key), "%s",
	         key < v->n_keys ? v->keys[key] : "");
}

/* --- heads of peers --- */

void audit_verify_head(struct audit_verify *v, const char *holder, const struct audit_head *head)
{
	struct verify_head *heads = v->n_heads < HEADS_MAX
	                                    ? realloc(v->heads, (v->n_heads + 1) * sizeof(*heads))
	                                    : NULL;

	if (!heads)
		return;
	v->heads = heads;
	heads[v->n_heads] = (struct verify_head){ .head = *head };
	plain_copy(heads[v->n_heads++].holder, sizeof(heads->holder), holder);
}

void audit_verify_mark(struct audit_verify *v, const struct audit_head *head)
{
	size_t n = v->n_heads;

	audit_verify_node(v, head->node);
	audit_verify_head(v, "the mark of this node", head);
	if (v->n_heads > n)
		v->heads[n].is_mark = true;
}

static struct verify_row *find_row(const struct audit_verify *v, uint64_t seq)
{
	size_t low = 0, high = v->n_order;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (v->order[middle]->seq < seq)
			low = middle + 1;
		else
			high = middle;
	}
	return low < v->n_order && v->order[low]->seq == seq ? v->order[low] : NULL;
}

static bool has_key(const struct audit_verify *v, const char *key)
{
	for (size_t i = 0; i < v->n_keys; i++)
		if (!strcmp(v->keys[i], key))
			return true;
	return false;
}

/* What the log had behind it may be gone, though this log fits the head. */
static void judge_step_back(struct audit_verify *v, const struct verify_head *h,
                            struct verify_row *row)
{
	if (h->head.went_back)
		find_wrong(v, "went-back", row,
		           "%s heard that the log had %" PRIu64
		           " lines at %s, and after that a head with no higher number: it was cut "
		           "or made again, or its node spoke for another log",
		           h->holder, h->head.seq, h->head.time);
}

/* A head that fits proves the log up to it; one beyond the end proves a cut; one that does not fit, another log. */
static void judge_head(struct audit_verify *v, const struct verify_head *h)
{
	const struct audit_head *head = &h->head;
	uint64_t first = v->n_order ? v->order[0]->seq : 0,
	         last = v->n_order ? v->order[v->n_order - 1]->seq : 0;
	struct verify_row *row = find_row(v, head->seq);

	if (strcmp(head->node, v->node) != 0)
		return;
	if (!audit_head_is_signed(head)) {
		add_note(v, "head", NULL, "what %s holds is no signed head: it was not used",
		         h->holder);
		return;
	}
	v->verdict->heads += !h->is_mark;
	if (row && !strcmp(row->hash, head->hash)) {
		if (head->seq > v->verdict->vouched)
			v->verdict->vouched = head->seq;
	} else if (head->seq > last && !v->is_part) {
		find_wrong(v, "cut-off", v->n_order ? v->order[v->n_order - 1] : NULL,
		           "the log ends at line %" PRIu64 ", but had %" PRIu64
		           " lines at %s: %s holds that head, of key %.16s...%s",
		           last, head->seq, head->time, h->holder, head->key,
		           has_key(v, head->key) ? "" : ", which the log does not have (any more)");
	} else if (row) {
		find_wrong(v, "replaced", row,
		           "%s holds a head of line %" PRIu64
		           " of %s, key %.16s..., that does not fit: "
		           "the log was made again; from which line on cannot be known",
		           h->holder, head->seq, head->time, head->key);
	} else if (head->seq >= first) {
		add_note(v, "head", NULL,
		         "%s holds a head of line %" PRIu64 ", which is not here: see above",
		         h->holder, head->seq);
	}
	judge_step_back(v, h, row);
}

/* --- what cannot be known --- */

static void note_lines(struct audit_verify *v)
{
	for (size_t i = 0; i < v->n_order; i++) {
		const struct verify_row *row = v->order[i];

		if (row->kind == AUDIT_REPAIR)
			add_note(v, "repair", row,
			         "%" PRIu64
			         " bytes of no whole line stood here after a power cut: what "
			         "they said cannot be known",
			         row->count);
		if (row->kind == AUDIT_GONE)
			add_note(v, "gone", row,
			         "weir-mgmt noticed here that its file, or lines before this one, "
			         "were gone");
		if (row->kind == AUDIT_LOST)
			add_note(v, "lost", row,
			         "%" PRIu64
			         " lines could not be written: what they said cannot be known",
			         row->count);
	}
}

static void note_limits(struct audit_verify *v)
{
	uint64_t last = v->n_order ? v->order[v->n_order - 1]->seq : 0;

	note_lines(v);
	if (v->ends_torn)
		add_note(v, "torn", NULL,
		         "the last line is not whole: it is being written, or a power cut "
		         "left it; the next start of weir-mgmt says so in the log");
	if (v->verdict->vouched < last)
		add_note(v, "unknown", NULL,
		         "lines %" PRIu64 " to %" PRIu64
		         " are behind the last signature: whether they were "
		         "changed and their digests made again cannot be known",
		         v->verdict->vouched + 1, last);
	if (!v->verdict->heads)
		add_note(
		        v, "unknown", NULL,
		        "without a head that a peer holds it cannot be known whether lines were cut off at "
		        "the end, or all was made again by another key");
}

/* The most exact judgement comes first: a line that was named is not named again for what follows from it. */
void audit_verify_end(struct audit_verify *v, struct audit_verdict *out)
{
	*out = (struct audit_verdict){ .lines = v->n };
	v->verdict = out;
	if (!put_in_order(v)) {
		find_wrong(v, "unknown", NULL, "there is not enough memory to judge the log");
		return;
	}
	out->first = v->n_order ? v->order[0]->seq : 0;
	out->last = v->n_order ? v->order[v->n_order - 1]->seq : 0;
	memcpy(out->node, v->node, sizeof(out->node));
	judge_beginning(v);
	find_moved(v);
	judge_chain(v);
	judge_signatures(v);
	for (size_t i = 0; i < v->n_heads; i++)
		judge_head(v, &v->heads[i]);
	if (!v->n_order && !out->n_found)
		find_wrong(v, "missing", NULL, "there is no line: the log was removed or emptied");
	note_limits(v);
	out->good = out->n_found == 0;
}
