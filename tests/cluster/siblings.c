/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/page.h"
#include "dataplane/export/effect_internal.h"
#include "mgmt/files/files.h"
#include "tests/cluster/siblings_internal.h"
#include "tests/cluster/sockets.h"
#include "weir/conn_state.h"
#include "weir/json.h"

#define COUNTERS_MAX      64u
#define CONDITIONS_ROUNDS 20u /* of looks, where nothing changes: a round is much work */

static const char *const names[SIBLINGS] = { "dataplane", "health", "dns", "announce", "run" };
static ctl_handler *const handlers[SIBLINGS] = { siblings_dataplane_answer, siblings_health_answer,
	                                         siblings_dns_answer, siblings_announce_answer,
	                                         NULL };

static int count_processes(const struct siblings *s)
{
	return s->clients ? SIBLINGS : SIBLING_HEALTH + 1;
}

/* --- for all processes --- */

char *siblings_answer(json_t *json)
{
	return json_line(json);
}

void siblings_set(struct siblings *s, enum sibling which, enum stats_kind kind, const char *name,
                  const char *labels, uint64_t value)
{
	stats_set(stats_get_counter(s->stats[which], kind, name, labels, "Of the test."), value);
}

static const char *socket_path(const struct siblings *s, int which, char path[PATH_MAX])
{
	char name[32];

	snprintf(name, sizeof(name), "%s.ctl", names[which]);
	if (proc_path(s->dirs.run, name, path))
		abort();
	return path;
}

static void open_process(struct siblings *s, int which)
{
	char path[PATH_MAX];

	if (stats_create(s->dirs.run, names[which], COUNTERS_MAX, &s->stats[which]))
		abort();
	if (!s->clients)
		return;
	(void)stats_turns(s->stats[which], "main");
	if (handlers[which])
		sockets_serve(socket_path(s, which, path), handlers[which], s);
}

static void open_pages(struct siblings *s)
{
	char path[PATH_MAX];

	s->started_ms = clock_mono_ms();
	for (int i = 0; i < count_processes(s); i++)
		open_process(s, i);
	if (proc_path(s->dirs.run, PROC_HEALTH_PAGE, path) ||
	    page_create(path, HEALTH_PAGE_KIND, HEALTH_PAGE_LAYOUT, sizeof(struct health_page),
	                &s->health) ||
	    proc_path(s->dirs.run, EFFECT_PAGE_FILE, path) ||
	    page_create(path, EFFECT_PAGE_KIND, EFFECT_PAGE_LAYOUT,
	                effect_page_bytes(SIBLINGS_POOLS_MAX, SIBLINGS_BACKENDS_MAX), &s->effect))
		abort();
	if (!s->clients)
		return;
	siblings_open_measure(s);
	siblings_open_dns(s);
	if (announced_create(s->dirs.run, &s->announced))
		abort();
}

static void close_pages(struct siblings *s)
{
	char path[PATH_MAX];

	for (int i = 0; i < count_processes(s); i++) {
		stats_close(s->stats[i]);
		sockets_close(socket_path(s, i, path));
	}
	page_close(s->health);
	page_close(s->effect);
	page_close(s->measure);
	announced_close(s->announced);
	siblings_close_dns(s);
	model_free(s->m);
	free(s->text);
}

/* A process that ended is started again: its pages go on, and what it counted itself begins again. */
static void follow_ends(struct siblings *s)
{
	char path[PATH_MAX];

	for (int i = 0; i < count_processes(s); i++) {
		if (s->is_over[i] && !s->was_over[i]) {
			stats_close(s->stats[i]);
			s->stats[i] = NULL;
			sockets_close(socket_path(s, i, path));
		} else if (!s->is_over[i] && s->was_over[i]) {
			open_process(s, i);
			s->has_changed = s->is_new[i] = true;
		}
		s->was_over[i] = s->is_over[i];
	}
}

static void write_conditions(struct siblings *s)
{
	for (int i = 0; i < count_processes(s); i++) {
		const struct siblings_condition *c = &s->conditions[i];

		if (!siblings_goes_on(s, (enum sibling)i) ||
		    (s->clients && s->n_rounds % CONDITIONS_ROUNDS && !s->is_new[i] &&
		     s->stated == s->document))
			continue;
		s->is_new[i] = false;
		conditions_begin(s->stats[i], s->document);
		if (i == SIBLING_DATAPLANE && *s->refused)
			conditions_add(s->stats[i], "document-refused", CONDITION_DEGRADED,
			               s->refused, "the test refuses it");
		if (c->code)
			conditions_add(s->stats[i], c->code, c->level, c->subject, "%s", c->text);
		conditions_end(s->stats[i]);
	}
	s->stated = s->document;
}

/* --- documents --- */

/* Read the document, if it is another one than before. @return whether it is */
static bool read_document(struct siblings *s)
{
	struct model_errors errors;
	char path[PATH_MAX], *text;
	size_t n;

	if (proc_path(s->dirs.state, PROC_EFFECTIVE_FILE, path) || files_slurp(path, &text, &n))
		return false;
	if (s->text && !strcmp(s->text, text)) {
		free(text);
		return false;
	}
	int err = model_read_without_key(path, s->dirs.node, &s->fresh, &errors);

	model_errors_free(&errors);
	free(s->text);
	s->text = text;
	if (err)
		s->fresh = NULL;
	return !err;
}

static void take_document(struct siblings *s)
{
	if (s->refuses) {
		snprintf(s->refused, sizeof(s->refused), "%u", (unsigned)s->fresh->meta.document);
		model_free(s->fresh);
		return;
	}
	s->refused[0] = '\0';
	model_free(s->m);
	s->m = s->fresh;
	s->document = s->m->meta.document;
	s->has_changed = true;
	if (s->clients)
		siblings_load_dns(s);
}

static void follow_document(struct siblings *s)
{
	if (s->are_late)
		return;
	if (read_document(s))
		take_document(s);
	if (!s->m || !s->has_changed)
		return;
	siblings_write_health(s);
	siblings_write_effect(s);
	s->has_changed = false;
}

/* --- the thread --- */

/* What goes on whether anything changes or not. */
static void work_on(struct siblings *s)
{
	siblings_steer(s);
	siblings_write_health(s);
	siblings_count_clients(s);
	siblings_write_effect(s);
	siblings_announce(s);
	if (s->wants_connections) {
		struct conn_state state;

		if (!conn_state_read(s->dirs.run, s->forgot_ms, &state)) {
			s->wants_connections = false;
			free(state.text);
		}
	}
}

static void sign_dataplane(struct siblings *s)
{
	uint64_t now_ms = clock_mono_ms();

	page_alive(s->effect, now_ms);
	siblings_set(s, SIBLING_DATAPLANE, STATS_GAUGE, "weir_dataplane_document", "", s->document);
	siblings_set(s, SIBLING_DATAPLANE, STATS_GAUGE, "weir_dataplane_document_refused", "",
	             *s->refused != '\0');
	siblings_set(s, SIBLING_DATAPLANE, STATS_GAUGE, "weir_dataplane_ports", "", 1);
	if (s->clients)
		siblings_set(s, SIBLING_DATAPLANE, STATS_GAUGE, "weir_dataplane_learning", "",
		             s->wants_connections);
}

static void sign_pages(struct siblings *s)
{
	for (int i = 0; i < count_processes(s); i++)
		if (siblings_goes_on(s, (enum sibling)i))
			stats_alive(s->stats[i], clock_mono_ms());
	if (siblings_goes_on(s, SIBLING_HEALTH))
		page_alive(s->health, clock_mono_ms());
	if (siblings_goes_on(s, SIBLING_DATAPLANE))
		sign_dataplane(s);
}

static void *run_siblings(void *arg)
{
	struct siblings *s = arg;

	open_pages(s);
	while (!s->is_stopping) {
		follow_ends(s);
		follow_document(s);
		if (s->clients && s->m)
			work_on(s);
		write_conditions(s);
		sign_pages(s);
		s->n_rounds++;
		node_run_ms(s->clients ? SIBLINGS_LOOK_MS : SIBLINGS_LOOK_FEW_MS);
	}
	close_pages(s);
	return NULL;
}

/* --- the scene's --- */

struct siblings *siblings_start_all(const struct node *n, const struct siblings_clients *clients)
{
	struct siblings *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->dirs = *node_dirs(n);
	s->host = node_host(n);
	s->clients = clients;
	if (!sched_start(s->host, run_siblings, s, &s->thread))
		abort();
	return s;
}

struct siblings *siblings_start(const struct node *n)
{
	return siblings_start_all(n, NULL);
}

void siblings_refuse(struct siblings *s, bool refuses)
{
	s->refuses = refuses;
}

void siblings_be_late(struct siblings *s, bool are_late)
{
	s->are_late = are_late;
}

void siblings_fail_checks(struct siblings *s, bool fail)
{
	s->fails = fail;
	s->has_changed = true;
}

void siblings_see(struct siblings *s, const char *what, enum health_state state, unsigned marks,
                  enum health_reason reason)
{
	size_t i = 0;

	while (i < s->n_words && strcmp(s->words[i].what, what) != 0)
		i++;
	if (i == SIBLINGS_WORDS_MAX)
		abort();
	s->n_words += i == s->n_words;
	s->words[i] = (struct siblings_word){ .state = state, .marks = marks, .reason = reason };
	snprintf(s->words[i].what, sizeof(s->words[i].what), "%s", what);
	s->has_changed = true;
}

void siblings_hang(struct siblings *s, enum sibling which, bool hangs)
{
	char path[PATH_MAX];

	s->hangs[which] = hangs;
	sockets_hang(socket_path(s, which, path), hangs);
}

void siblings_end(struct siblings *s, enum sibling which, bool is_over)
{
	s->is_over[which] = is_over;
}

void siblings_condition(struct siblings *s, enum sibling which, const char *code,
                        enum condition_level level, const char *subject, const char *text)
{
	s->conditions[which] = (struct siblings_condition){ code, subject, text, level };
	s->is_new[which] = true;
}

void siblings_forget_connections(struct siblings *s)
{
	s->wants_connections = true;
	s->forgot_ms = (uint64_t)(sched_boot_ns(s->host) / (int64_t)SCHED_MS);
}

void siblings_lose_hop(struct siblings *s, const char *name)
{
	s->hopless = name;
	s->has_changed = true;
}

void siblings_harm_clients(struct siblings *s, unsigned ppm)
{
	s->harm_ppm = ppm;
}

void siblings_cut_clients(struct siblings *s, bool are_cut)
{
	s->are_cut = are_cut;
}

void siblings_lose_daemon(struct siblings *s, bool is_lost)
{
	s->has_lost_daemon = is_lost;
}

void siblings_stop(struct siblings *s)
{
	s->is_stopping = true;
	sched_join(s->thread);
	free(s);
}
