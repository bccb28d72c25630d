/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loading the next generation. While `running`, the thread owns `loaded`, `result`, `errors` and `zones`
 * (base/loop_job.h).
 */
#include "dns/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/loop_job.h"
#include "dns/zone/image.h"
#include "weir/model.h"
#include "weir/stats.h"

/* From a load that failed for want of memory, a descriptor or a thread to the next try. */
#define LOAD_AGAIN_MS 2000u
#define LOAD_RESTS    9u /* times what a load took: many zones may take seconds, each time */
/* Weir run takes it for a hang if putting a generation in force takes longer. */
#define DOCUMENT_S 60u

/* Called by the loading thread; the main thread logs the errors after it has joined that thread. */
static void keep_load_error(void *arg, const struct zones_message *m)
{
	struct server_load *l = arg;
	char *text, line[16] = "";

	if (m->level == ZONES_WARNING || l->n_errors++ >= SERVER_ERRORS_MAX)
		return;
	if (m->line)
		snprintf(line, sizeof(line), ":%u", m->line);
	if (asprintf(&text, "%s%s: %s", m->file, line, m->text) < 0)
		text = NULL;
	l->errors[l->n_errors - 1] = text;
	l->zones[l->n_errors - 1] = *m->zone ? strdup(m->zone) : NULL;
}

/* Everything that the thread reads of the server stays unchanged until it is joined. */
static void run_load(void *arg)
{
	struct server *s = arg;
	struct server_load *l = &s->load;
	const struct generation_how how = {
		.trust_cache = !l->from_files,
		.before = s->now ? s->now->model : NULL, /* stays until this thread was joined */
		.earlier = s->now ? s->now->image : NULL,
		.now = l->from_files ? NULL : s->now,
		.keep = true,
		.report = keep_load_error,
		.report_arg = l,
	};

	l->result = generation_load(s->dirs, &how, &l->loaded);
}

static void forget_load_errors(struct server_load *l)
{
	for (unsigned i = 0; i < SERVER_ERRORS_MAX; i++) {
		free(l->errors[i]);
		free(l->zones[i]);
		l->errors[i] = l->zones[i] = NULL;
	}
	l->n_errors = 0;
}

/* What failed for something that may pass is tried again: no other document need come. */
static uint64_t plan_retry(struct server *s, int lack)
{
	uint64_t pause_ms = LOAD_RESTS * (loop_now_ms(s->loop) - s->load.began_ms);

	if (!model_may_pass(lack))
		return 0;
	s->load.wants_files |= s->load.from_files;
	return pause_ms > LOAD_AGAIN_MS ? pause_ms : LOAD_AGAIN_MS;
}

/* Whether the load before failed in the same way, and this one was its repetition. */
static bool is_known_failure(const struct server_load *l, int result)
{
	return model_may_pass(result) && result == l->last_result;
}

/* The same of the zones of a document that is in force: nothing has come of the repetition. */
static bool is_known_lack(const struct generation *now, const struct generation *loaded)
{
	return now && loaded && model_may_pass(loaded->stale_error) &&
	       loaded->stale_error == now->stale_error && loaded->stale == now->stale &&
	       loaded->n_earlier == now->n_earlier && loaded->n_broken == now->n_broken &&
	       loaded->model->meta.document == now->model->meta.document;
}

static void begin_load(void *arg)
{
	struct server *s = arg;
	struct server_load *l = &s->load;

	forget_load_errors(l);
	generation_free(l->loaded);
	l->loaded = NULL;
	l->from_files = l->wants_files;
	l->wants_files = false;
	l->began_ms = loop_now_ms(s->loop);
	l->running = true;
	l->started++;
}

uint64_t server_load_start(struct server *s, bool from_files)
{
	struct server_load *l = &s->load;

	uint64_t number = l->started + 1; /* also while one runs: this one follows it */

	l->wants_files = l->wants_files || from_files;
	loop_job_start(l->job);
	return number;
}

/*
 * The state is computed before the generation is published, so that its first answer already
 * follows health and overrides. The clock is read first: before the first document nothing says that it is wrong.
 * @return 0, or for want of what the load shall be done again
 */
static int install_generation(struct server *s)
{
	struct generation *loaded = s->load.loaded;
	bool known = is_known_lack(s->now, loaded);

	server_read_clock(s, loaded->model);
	server_observe(s, loaded);
	if (serving_install(s, loaded) < 0) {
		s->load.last_result = -ENOMEM;
		log_error("dns-load-refused", "error=\"no memory\" serving=%s",
		          s->now ? "earlier" : "nothing");
		return -ENOMEM; /* server_load_stop() or the next load frees it */
	}
	s->load.loaded = NULL;
	if (loaded->is_former) /* queries were not to wait for this program's image */
		loop_job_start(s->load.job);
	listen_update(s);
	log_at(known ? LOG_DEBUG : LOG_NOTICE, "dns-generation",
	       "document=%llu zones=%u records=%u names=%zu image_bytes=%llu took_ms=%llu stale=%d "
	       "zones_compiled=%zu zones_earlier=%zu zones_broken=%zu",
	       (unsigned long long)loaded->model->meta.document, loaded->image->n_zones,
	       loaded->image->n_records, loaded->steering->n_names,
	       (unsigned long long)loaded->image->size_bytes,
	       (unsigned long long)(loop_now_ms(s->loop) - s->load.began_ms), loaded->stale,
	       loaded->n_compiled, loaded->n_earlier, loaded->n_broken);
	if (!s->ready)
		proc_ready();
	s->ready = true;
	return loaded->stale_error; /* the document is in force, not all of its zones are yet */
}

const char *server_load_error(const struct server *s)
{
	if (s->load.last_result < 0)
		return strerror(-s->load.last_result);
	if (s->now && model_may_pass(s->now->stale_error))
		return "zone files not compiled for want of memory, a descriptor or a permission: tried again";
	if (s->now && (s->now->stale || s->now->n_earlier))
		return "zone files refused: an earlier image is served";
	return s->now && s->now->n_broken ? "zone files refused: their zones answer SERVFAIL" : "";
}

static void log_load_errors(const struct server *s)
{
	char value[LOG_VALUE_MAX];

	if (is_known_failure(&s->load, s->load.result) || is_known_lack(s->now, s->load.loaded))
		return;
	for (unsigned i = 0; i < SERVER_ERRORS_MAX && i < s->load.n_errors; i++)
		if (s->load.errors[i])
			log_error("dns-load-error", "message=%s",
			          log_value(s->load.errors[i], value));
	if (s->load.result == -ENOENT)
		log_note("dns-waits", "for=\"%s\"", PROC_EFFECTIVE_FILE);
	else if (s->load.result < 0)
		log_error("dns-load-refused", "error=\"%s\" n_errors=%u serving=%s",
		          strerror(-s->load.result), s->load.n_errors,
		          s->now ? "earlier" : "nothing");
}

static void count_load(struct server *s)
{
	const struct counters *c = &s->counters;

	if (!c->stats || s->load.result == -ENOENT)
		return;
	stats_add(s->load.result < 0 || generation_lacks(s->load.loaded) ? c->load_failures
	                                                                 : c->loads,
	          1);
	stats_set(c->load_ms, loop_now_ms(s->loop) - s->load.began_ms);
}

/* A load is done, or could not begin: put its generation in force, or log why not. */
static uint64_t finish_load(void *arg, int err)
{
	struct server *s = arg;
	struct server_load *l = &s->load;

	l->running = false;
	if (err)
		l->result = err;
	l->finished = l->started;
	stats_job_begin(s->counters.stats, "document", DOCUMENT_S);
	count_load(s);
	log_load_errors(s);
	l->last_result = l->result;
	uint64_t pause_ms = plan_retry(s, l->result ? l->result : install_generation(s));

	server_conditions(s);
	stats_job_end(s->counters.stats, "document");
	return pause_ms;
}

int server_load_open(struct server *s)
{
	const struct loop_work load = {
		.begin = begin_load, .work = run_load, .accept = finish_load, .arg = s
	};

	return loop_job_open(s->loop, &load, &s->load.job);
}

void server_load_stop(struct server *s)
{
	struct server_load *l = &s->load;

	loop_job_close(l->job);
	l->job = NULL;
	l->running = false;
	generation_free(l->loaded);
	forget_load_errors(l);
}
