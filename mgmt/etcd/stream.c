/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A line is kept until its end is there, then read as one answer. A watch of etcd 3.4 that lacks
 * the right, or whose token has expired, is "created" and "canceled" in one line, with the cause as
 * text only.
 */
#include "mgmt/etcd/stream.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/reason.h"

#define LINE_KEPT 65536u                /* a larger buffer is freed when its line has been read */
#define ARENA_MAX (4 * ETCD_ANSWER_MAX) /* bytes and lists of one line */

void etcd_stream_init(struct etcd_stream *s, const struct etcd_range *range, uint64_t cluster_id,
                      int64_t next, etcd_stream_sink *sink, void *arg)
{
	*s = (struct etcd_stream){ .range = { .key = range->key, .prefix = range->prefix },
		                   .cluster_id = cluster_id,
		                   .next = next,
		                   .sink = sink,
		                   .arg = arg };
}

void etcd_stream_fini(struct etcd_stream *s)
{
	free(s->line);
	s->line = NULL;
	s->n = s->size = 0;
}

static int fail_stream(struct etcd_stream *s, int err, const char *reason)
{
	return reason_write(s->reason, sizeof(s->reason), err, "%s", reason);
}

static int reject_error(struct etcd_stream *s, const struct etcd_error *error)
{
	bool is_right =
	        error->code == ETCD_CODE_PERMISSION || error->code == ETCD_CODE_UNAUTHENTICATED;

	return fail_stream(s, is_right ? -EACCES : -ECONNABORTED, error->text);
}

static int reject_canceled(struct etcd_stream *s, const struct etcd_watch_message *m)
{
	if (m->compact_revision)
		return reason_write(s->reason, sizeof(s->reason), -ESTALE,
		                    "what is before revision %" PRId64 " is compacted",
		                    m->compact_revision);
	if (strstr(m->cause, "permission denied") || strstr(m->cause, "auth token"))
		return fail_stream(s, -EACCES, m->cause);
	return fail_stream(s, -ECONNABORTED, m->cause[0] ? m->cause : "etcd canceled the watch");
}

/* Give the events, revision by revision. */
static int give_events(struct etcd_stream *s, const struct etcd_event *events, size_t n)
{
	for (size_t i = 0, end; i < n; i = end) {
		int64_t revision = events[i].kv.mod_revision;

		for (end = i + 1; end < n && events[end].kv.mod_revision == revision; end++)
			;
		if (!s->sink(s->arg, revision, events + i, end - i))
			return fail_stream(s, -ESTALE, "an event could not be taken");
		s->next = revision + 1;
	}
	return 0;
}

static int accept_message(struct etcd_stream *s, const struct etcd_watch_message *m)
{
	if (s->cluster_id && m->header.cluster_id != s->cluster_id)
		return fail_stream(s, -EBADMSG, "the watch is another cluster's");
	if (m->is_canceled)
		return reject_canceled(s, m);
	if (m->is_created && s->is_created)
		return fail_stream(s, -EBADMSG, "the watch was created twice");
	s->is_created |= m->is_created;
	if (m->n_events && !s->is_created)
		return fail_stream(s, -EBADMSG, "events come before the watch is created");
	return give_events(s, m->events, m->n_events);
}

static int read_line(struct etcd_stream *s)
{
	struct etcd_error error;
	struct etcd_watch_message m;

	if (etcd_answer_error(200, s->line, s->n, &error))
		return reject_error(s, &error);
	struct arena *arena = arena_new(ARENA_MAX);

	if (!arena)
		return fail_stream(s, -ENOMEM, "out of memory");
	int err = etcd_answer_watch(s->line, s->n, &s->range, s->next, arena, &m, s->reason);

	if (!err)
		err = accept_message(s, &m);
	arena_free(arena);
	return err;
}

static int append_bytes(struct etcd_stream *s, const char *bytes, size_t n)
{
	if (n > ETCD_ANSWER_MAX - s->n)
		return fail_stream(s, -EFBIG, "a line of the watch is too long");
	if (s->n + n > s->size) {
		size_t size = s->size ? s->size : 1024;

		while (size < s->n + n)
			size *= 2;
		char *line = realloc(s->line, size);

		if (!line)
			return fail_stream(s, -ENOMEM, "out of memory");
		s->line = line;
		s->size = size;
	}
	if (n)
		memcpy(s->line + s->n, bytes, n);
	s->n += n;
	return 0;
}

/* The line in the buffer is whole. */
static int finish_line(struct etcd_stream *s)
{
	int err = s->n ? read_line(s) : 0;

	s->n = 0;
	if (s->size > LINE_KEPT)
		etcd_stream_fini(s);
	return err;
}

int etcd_stream_feed(struct etcd_stream *s, const char *bytes, size_t n)
{
	while (n && !s->err) {
		const char *end = memchr(bytes, '\n', n);
		size_t part = end ? (size_t)(end - bytes) : n;

		s->err = append_bytes(s, bytes, part);
		if (end && !s->err)
			s->err = finish_line(s);
		part += end != NULL;
		bytes += part;
		n -= part;
	}
	return s->err;
}
