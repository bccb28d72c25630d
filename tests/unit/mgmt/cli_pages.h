/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A node with an effective document and real pages, for tests of what is said without weir-mgmt.
 * A test includes this once.
 */
#ifndef WEIR_TESTS_MGMT_CLI_PAGES_H
#define WEIR_TESTS_MGMT_CLI_PAGES_H

#include "fixture.h"
#include "cli_said.h"
#include "tables_page.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <jansson.h>

#include "base/believed.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/page.h"
#include "mgmt/cli/cmd_status.h"
#include "weir/condition.h"
#include "weir/health.h"
#include "weir/model.h"
#include "weir/ramp.h"
#include "weir/stats.h"

#define SINCE_S      1790000000 /* 2026-09-21T14:13:20Z */
#define SILENT_MS    3000
#define JUDGE_SILENT 3000
#define N_WORDS      32
#define FRESH_MS     (clock_mono_ms() + 600000) /* it stays so on a busy machine */
#define MANY         61                         /* one more than is shown at once */
#define LONG_AGO     "2020-01-01T00:00:00Z"
#define FAR_AWAY     "2100-01-01T00:00:00Z"

static const char effective[] =
        "effective = { version = \"7\"; digest = \"\"; document = \"57\"; written = \"2026-11-20T08:00:00Z\"; };\n";

#define OVERRIDE(id, kind, what, from, over, until, rest)                                          \
	"{ id = \"" id "\"; kind = \"" kind "\"; " what " from = \"" from "\"; over = \"" over     \
	"\"; until = \"" until "\"; author = \"by-" id "\"; reason = \"why-" id                    \
	"\"; generation = \"3\"; created = \"" LONG_AGO "\"; node = \"ams-1\"; " rest "}"
#define SITE(name)    "target = \"site\"; name = \"" name "\";"
#define BACKEND(name) "target = \"backend\"; pool = \"web-ams\"; name = \"" name "\";"

/*
 * All kinds; one that ended, one that is over, one that has not begun, and two that are over but
 * for a ramp that is held.
 */
/* clang-format off */
static const char overrides[] = "overrides = ( "
	OVERRIDE("a", "drain", SITE("fra"), "2020-01-02T00:00:00Z", "0s", "never", "") ", "
	OVERRIDE("b", "disable", BACKEND("b2"), LONG_AGO, "0s", FAR_AWAY, "") ", "
	OVERRIDE("c", "drain", SITE("ams"), LONG_AGO, "0s", "2020-01-02T00:00:00Z", "") ", "
	OVERRIDE("d", "drain", SITE("ams"), LONG_AGO, "0s", "never", "ended = true; ") ", "
	OVERRIDE("e", "force_up", BACKEND("b1"), FAR_AWAY, "0s", "never", "") ", "
	OVERRIDE("f", "drain", SITE("ams"), LONG_AGO, "24h", "2020-01-03T00:00:00Z", "") ", "
	OVERRIDE("g", "drain", SITE("ams"), LONG_AGO, "24h", "2020-01-03T00:00:00Z", "") " );\n";
/* clang-format on */

struct node {
	struct fixture f;
	struct cli cli;
	struct page *health;
	struct health_page *targets;
	struct model *m;
	struct stats *stats[5];
	pid_t server;
};

static const char *const names[] = { "dataplane", "health", "dns", "mgmt", "run" };

static inline int set_up(void **state)
{
	struct node *n = calloc(1, sizeof(*n));

	assert_non_null(n);
	fixture_make(&n->f);
	snprintf(n->cli.dirs.conf, sizeof(n->cli.dirs.conf), "%s", n->f.conf);
	snprintf(n->cli.dirs.state, sizeof(n->cli.dirs.state), "%s", n->f.state);
	snprintf(n->cli.dirs.run, sizeof(n->cli.dirs.run), "%s", n->f.root);
	snprintf(n->cli.dirs.node, sizeof(n->cli.dirs.node), "ams-1");
	*state = n;
	return 0;
}

static inline int tear_down(void **state)
{
	struct node *n = *state;

	for (int i = 0; i < 5; i++)
		stats_close(n->stats[i]);
	page_close(n->health);
	model_free(n->m);
	if (n->server) {
		kill(n->server, SIGKILL);
		waitpid(n->server, NULL, 0);
	}
	fixture_remove(&n->f);
	free(n);
	return 0;
}

/* The effective document has absolute paths. */
static inline void make_absolute(char *text, const char *name)
{
	char *at = strstr(text, name);

	if (!at)
		return;
	memmove(at + 2, at + 1, strlen(at));
	at[1] = '/';
}

/* The document in force: the fixture's, or @p configuration. */
static inline void write_document(struct node *n, const char *more, const char *configuration)
{
	static char text[65536];
	struct model_errors errors;
	char path[PATH_MAX];

	snprintf(text, sizeof(text), "%s%s%s", effective, more,
	         configuration ? configuration : fixture_config);
	make_absolute(text, "\"hash.key\"");
	make_absolute(text, "\"shop.example.zone\"");
	fixture_write(n->f.state, PROC_EFFECTIVE_FILE, text);
	assert_int_equal(proc_path(n->f.state, PROC_EFFECTIVE_FILE, path), 0);
	int err = model_read_without_key(path, "ams-1", &n->m, &errors);

	if (err)
		fail_msg("line %u: %s: %s", errors.items[0].line, errors.items[0].field,
		         errors.items[0].message);
	model_errors_free(&errors);
}

static inline void write_target(const struct node *n, uint64_t target, health_word word)
{
	assert_true(health_find_index(n->targets, target) >= 0);
	health_write(n->targets, health_find_index(n->targets, target), word);
}

static inline uint64_t backend_target(const struct node *n, size_t i)
{
	return health_target_backend(n->m->pools[0].name, n->m->pools[0].backends[i].id);
}

/* A health page with the backends of the own pool and the service at the other site. */
static inline void open_health(struct node *n)
{
	uint64_t targets[MANY + 2];
	char path[PATH_MAX];
	size_t count = n->m->pools[0].n_backends;

	for (size_t i = 0; i < count; i++)
		targets[i] = backend_target(n, i);
	targets[count] = health_target_service("web", "fra", true);
	targets[count + 1] = health_target_service("web", "fra", false);
	assert_int_equal(proc_path(n->f.root, PROC_HEALTH_PAGE, path), 0);
	assert_int_equal(page_create(path, HEALTH_PAGE_KIND, HEALTH_PAGE_LAYOUT,
	                             sizeof(struct health_page), &n->health),
	                 0);
	n->targets = page_payload(n->health);
	assert_int_equal(health_set_targets(n->targets, targets, count + 2, 57), 0);
	page_alive(n->health, FRESH_MS);
}

/* The page of a process that is well: it turns, and states nothing. */
static inline struct stats *open_stats(struct node *n, int i)
{
	assert_int_equal(stats_create(n->f.root, names[i], N_WORDS, &n->stats[i]), 0);
	stats_alive(n->stats[i], FRESH_MS);
	stats_turns(n->stats[i], "main");
	conditions_begin(n->stats[i], 57);
	conditions_end(n->stats[i]);
	return n->stats[i];
}

static inline void open_all_stats(struct node *n)
{
	for (int i = 0; i < 5; i++)
		open_stats(n, i);
	stats_set(stats_get_counter(n->stats[0], STATS_GAUGE, "weir_dataplane_document", "", ""),
	          57);
	stats_set(stats_get_counter(n->stats[0], STATS_GAUGE, "weir_dataplane_ports", "", ""), 1);
}

/*
 * The tables, with or without the own pool: as many backends as @p n_rows, none of which takes
 * packets.
 */
static inline void write_effect(const struct node *n, uint64_t alive_ms, uint32_t n_rows)
{
	const struct effect_pool pool = {
		.pool = hash_text("web-ams"), .n_slots = 4, .empty = 4, .n_backends = n_rows
	};
	struct effect_backend rows[2];
	struct tables t = { .document = 57,
		            .alive_ms = alive_ms,
		            .pools = &pool,
		            .backends = rows,
		            .n_pools = n_rows ? 1 : 0 };

	for (uint32_t i = 0; i < n_rows; i++)
		rows[i] = (struct effect_backend){ .id = n->m->pools[0].backends[i].id };
	tables_page_write(n->f.root, &t);
}

static inline int run_status(struct node *n)
{
	shown_begin();
	int status = pages_status(&n->cli);

	shown_end();
	return status;
}

static inline int run_health(struct node *n)
{
	shown_begin();
	int status = pages_health(&n->cli);

	shown_end();
	return status;
}

static inline void assert_shown(const char *expected)
{
	if (strcmp(shown, expected) != 0)
		fail_msg("shown:\n%s\nexpected:\n%s", shown, expected);
}

#endif
