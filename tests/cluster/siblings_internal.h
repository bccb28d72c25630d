/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of siblings share: one process each, called by the siblings' thread, or by who asks at a socket. */
#ifndef TESTS_CLUSTER_SIBLINGS_INTERNAL_H
#define TESTS_CLUSTER_SIBLINGS_INTERNAL_H

#include <jansson.h>

#include "base/proc.h"
#include "tests/cluster/siblings.h"
#include "weir/announce.h"
#include "weir/effect.h"
#include "weir/measure.h"
#include "weir/model.h"
#include "weir/ramp.h"
#include "weir/stats.h"
#include "weir/steering.h"

#define SIBLINGS_LOOK_MS      500u /* between two looks */
#define SIBLINGS_LOOK_FEW_MS  200u /* the same where two processes are all */
#define SIBLINGS_SITES_MAX    4u
#define SIBLINGS_POOLS_MAX    4u
#define SIBLINGS_BACKENDS_MAX 16u
#define SIBLINGS_WORDS_MAX    16u
#define SIBLINGS_RAMPS_MAX    8u
#define SIBLINGS_ROWS_MAX     8u  /* addresses that are announced */
#define SIBLINGS_KEYS         40u /* prefixes of clients */
#define SIBLINGS_LOOKS        21u /* that make 10 s */
#define SIBLINGS_NODES_MAX    5u

/* What the scene lets weir-health see. */
struct siblings_word {
	char what[64];
	enum health_state state;
	unsigned marks;
	enum health_reason reason;
};

struct siblings_condition {
	const char *code, *subject, *text; /* code NULL: none */
	enum condition_level level;
};

/* Totals of weir-dataplane, in millionths. */
struct siblings_totals {
	uint64_t arrived, own, backup, packets, own_packets, drilled, harmed;
};

struct siblings {
	struct proc_dirs dirs;
	struct sched_host *host;
	pthread_t thread;
	const struct siblings_clients *clients; /* NULL: weir-dataplane and weir-health alone */
	bool refuses, fails, are_late, has_changed, is_stopping;
	bool hangs[SIBLINGS], is_over[SIBLINGS], was_over[SIBLINGS], is_new[SIBLINGS];
	bool wants_connections, are_cut, has_lost_daemon;
	unsigned harm_ppm;   /* of this node's clients, whose SYNs come again */
	const char *hopless; /* a backend's name; NULL: none */
	struct siblings_word words[SIBLINGS_WORDS_MAX];
	size_t n_words;
	struct siblings_condition conditions[SIBLINGS];
	struct stats *stats[SIBLINGS];
	struct page *health, *effect;
	char *text;          /* of the document that was read last */
	struct model *m;     /* that was taken; NULL: none yet */
	struct model *fresh; /* that was read last */
	uint64_t document, started_ms, forgot_ms;
	uint64_t n_rounds, stated; /* the document that conditions are of */
	char refused[32];          /* "": none */

	/* weir-dataplane's counting */
	struct page *measure;
	uint64_t flows, established; /* a second, in millionths */
	struct siblings_totals totals[SIBLINGS_LOOKS];
	uint64_t n_looks; /* at clients */
	enum effect_class class;
	char drill[MODEL_ID_MAX]; /* that it counts */

	/* weir-dns */
	struct page *keys;
	struct arena *arena;
	struct steering *steering;
	struct steering_state *state, *shared; /* of now, and that of which shares are */
	uint64_t shares[SIBLINGS_SITES_MAX];   /* of a million clients, by site of the document */
	health_word heard[SIBLINGS_NODES_MAX]
	                 [SIBLINGS_SITES_MAX]; /* by node and site, of the first service */
	struct ramp_record ramps[SIBLINGS_RAMPS_MAX];
	size_t n_ramps;
	unsigned n_loads;
	uint64_t answers[SIBLINGS_SITES_MAX]; /* in millionths */

	/* weir-announce */
	struct announced_page *announced;
	struct announced_address rows[SIBLINGS_ROWS_MAX];
	size_t n_rows;
	bool is_emptied;
};

/* Whether a process of this kind is there, and goes on. */
static inline bool siblings_goes_on(const struct siblings *s, enum sibling which)
{
	return !s->hangs[which] && !s->is_over[which];
}

static inline bool siblings_is_own(const struct siblings *s, const struct model_site *site)
{
	return s->m->self && site == s->m->self->site;
}

/* The service that has clients: that of the first dynamic name. NULL: none. */
static inline const struct model_service *siblings_service(const struct siblings *s)
{
	return s->m->n_dns_names ? s->m->dns_names[0].service : NULL;
}

/* Where it is at the own site; NULL: it is not. */
static inline const struct model_at *siblings_at(const struct siblings *s)
{
	return siblings_service(s) ? model_service_at(siblings_service(s), s->m->self->site->name)
	                           : NULL;
}

/* An answer at a control socket; @p json is taken. */
char *siblings_answer(json_t *json);
/* A counter or a gauge of a process's page. */
void siblings_set(struct siblings *s, enum sibling which, enum stats_kind kind, const char *name,
                  const char *labels, uint64_t value);

/* siblings_health.c */
void siblings_write_health(struct siblings *s);
health_word siblings_backend_word(const struct siblings *s, const struct model_backend *b);
health_word siblings_site_word(const struct siblings *s, const struct model_site *site);
char *siblings_health_answer(void *siblings, const char *line, size_t length);

/* siblings_dataplane.c */
void siblings_write_effect(struct siblings *s);
char *siblings_dataplane_answer(void *siblings, const char *line, size_t length);

/* siblings_clients.c */
void siblings_open_measure(struct siblings *s);
void siblings_count_clients(struct siblings *s);
const struct siblings_totals *siblings_now(const struct siblings *s);

/* siblings_dns.c */
void siblings_open_dns(struct siblings *s);
void siblings_close_dns(struct siblings *s);
/* A new document. */
void siblings_load_dns(struct siblings *s);
void siblings_steer(struct siblings *s);
/* How many of a million clients are given @p site. */
uint64_t siblings_share_ppm(const struct siblings *s, const struct model_site *site);
/* How far the site of this node is drained. */
uint32_t siblings_drained_ppm(const struct siblings *s);
char *siblings_dns_answer(void *siblings, const char *line, size_t length);

/* siblings_announce.c */
void siblings_announce(struct siblings *s);
/* Whether packets come by routes of this node. */
bool siblings_has_routes(const struct siblings *s);
char *siblings_announce_answer(void *siblings, const char *line, size_t length);

#endif
