/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loading the next generation. The thread owns `made`, `result` and `mistakes` while
 * `running`; the loop's thread owns them before and after (pthread_join is the fence).
 */
#include "dns/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "dns/image.h"
#include "weir/model.h"
#include "weir/stats.h"

static void keep_mistake(void *arg, const char *file, unsigned line, const char *message)
{
	struct server_load *l = arg;
	char *text, place[16] = "";

	if (l->n_mistakes++ >= SERVER_MISTAKES)
		return;
	if (line)
		snprintf(place, sizeof(place), ":%u", line);
	if (asprintf(&text, "%s%s: %s", file, place, message) < 0)
		text = NULL;
	l->mistakes[l->n_mistakes - 1] = text;
}

static void *run(void *arg)
{
	struct server *s = arg;
	struct server_load *l = &s->load;
	const struct generation_how how = {
		.trust_cache = !l->from_files,
		.before = s->now ? s->now->model : NULL, /* stays until this thread was joined */
		.keep = true,
		.report = keep_mistake,
		.report_arg = l,
	};
	uint64_t one = 1;

	l->result = generation_load(s->dirs, &how, &l->made);
	return write(l->event, &one, sizeof(one)) < 0 ? arg : NULL;
}

static void begin(struct server *s)
{
	struct server_load *l = &s->load;

	for (unsigned i = 0; i < SERVER_MISTAKES; i++) {
		free(l->mistakes[i]);
		l->mistakes[i] = NULL;
	}
	l->n_mistakes = 0;
	l->made = NULL;
	l->from_files = l->wants_files;
	l->wants_files = false;
	l->began_ms = loop_now_ms(s->loop);
	l->started++;
	int err = pthread_create(&l->thread, NULL, run, s);

	l->running = err == 0;
	if (err) {
		log_error("dns-load-failed", "error=\"%s\"", strerror(err));
		l->finished = l->started;
		l->last_result = -err;
	}
}

uint64_t server_load_start(struct server *s, bool from_files)
{
	struct server_load *l = &s->load;

	l->wants_files = l->wants_files || from_files;
	if (!l->running)
		begin(s);
	else
		l->again = true;
	return l->started + l->again;
}

static void take_over(struct server *s)
{
	struct generation *old = s->now, *made = s->load.made;

	server_observe(s, made);
	counters_take(&s->counters, made, old);
	s->now = made;
	s->load.made = NULL;
	generation_free(old);
	listen_update(s);
	log_note(
	        "dns-generation",
	        "document=%llu zones=%u records=%u names=%zu image_bytes=%llu took_ms=%llu stale=%d",
	        (unsigned long long)made->model->meta.document, made->image->n_zones,
	        made->image->n_records, made->place->n_names,
	        (unsigned long long)made->image->size_bytes,
	        (unsigned long long)(loop_now_ms(s->loop) - s->load.began_ms), made->stale);
	if (!s->ready)
		proc_ready();
	s->ready = true;
}

const char *server_load_error(const struct server *s)
{
	if (s->load.last_result < 0)
		return strerror(-s->load.last_result);
	return s->now && s->now->stale ? "zone files refused: an earlier image is served" : "";
}

static void log_mistakes(const struct server *s)
{
	char value[LOG_VALUE_MAX];

	for (unsigned i = 0; i < SERVER_MISTAKES && i < s->load.n_mistakes; i++)
		if (s->load.mistakes[i])
			log_error("dns-load-mistake", "at=%s",
			          log_value(s->load.mistakes[i], value));
	if (s->load.result == -ENOENT)
		log_note("dns-waits", "for=\"%s\"", PROC_EFFECTIVE_FILE);
	else if (s->load.result < 0)
		log_error("dns-load-refused", "error=\"%s\" mistakes=%u serving=%s",
		          strerror(-s->load.result), s->load.n_mistakes,
		          s->now ? "earlier" : "nothing");
}

static void count(struct server *s)
{
	const struct counters *c = &s->counters;

	if (!c->stats || s->load.result == -ENOENT)
		return;
	stats_add(s->load.result < 0 || s->load.made->stale ? c->load_failures : c->loads, 1);
	stats_set(c->load_ms, loop_now_ms(s->loop) - s->load.began_ms);
}

void server_load_done(void *arg, int fd, uint32_t events)
{
	struct server *s = arg;
	struct server_load *l = &s->load;
	uint64_t n;

	(void)events;
	if (read(fd, &n, sizeof(n)) < 0 || !l->running)
		return;
	pthread_join(l->thread, NULL);
	l->running = false;
	l->finished = l->started;
	l->last_result = l->result;
	count(s);
	log_mistakes(s);
	if (l->result == 0)
		take_over(s);
	server_conditions(s);
	if (l->again) {
		l->again = false;
		begin(s);
	}
}

void server_load_stop(struct server *s)
{
	struct server_load *l = &s->load;

	if (l->running)
		pthread_join(l->thread, NULL);
	l->running = false;
	generation_free(l->made);
	for (unsigned i = 0; i < SERVER_MISTAKES; i++)
		free(l->mistakes[i]);
}
