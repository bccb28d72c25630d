/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes what nodes see of a service's VIP at the last site, as weir-health and weir-mgmt would,
 * for labs of weir-dns alone. Nodes n0.. are at sites s0.., one each; n0 is the own one. Services
 * are w0..
 *
 *     lab-views RUN_DIR N_SITES N_SERVICES
 *
 * Reads lines "FRESH WORDS": a digit a node, 1 is fresh, 0 is lost; then for each service and node
 * a letter: u up, d down, x unknown, p unknown and unproven, v and i down and up but inconclusive,
 * r down from before a restart. Of the other sites all see that they are up. What is lost is lost
 * before words change. Answers "done".
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/page.h"
#include "base/proc.h"
#include "weir/peer_page.h"

#define SITES_MAX 64u
#define LONG_MS   3600000u

struct tool {
	size_t n_sites, n_services;
	uint64_t *targets; /* of service i at site k: i * n_sites + k */
	struct page *pages[SITES_MAX];
};

static health_word word_of(char c)
{
	switch (c) {
	case 'u':
		return health_make(HEALTH_UP, 0, HEALTH_REASON_OK, 7);
	case 'd':
		return health_make(HEALTH_DOWN, 0, HEALTH_REASON_TIMEOUT, 7);
	case 'i':
		return health_make(HEALTH_UP, HEALTH_MARK_INCONCLUSIVE, HEALTH_REASON_LOCAL, 7);
	case 'v':
		return health_make(HEALTH_DOWN, HEALTH_MARK_INCONCLUSIVE, HEALTH_REASON_LOCAL, 7);
	case 'r':
		return health_make(HEALTH_DOWN, HEALTH_MARK_RESTORED, HEALTH_REASON_TIMEOUT, 7);
	case 'p':
		return health_make(HEALTH_UNKNOWN, HEALTH_MARK_UNPROVEN, HEALTH_REASON_TIMEOUT, 0);
	default:
		return health_make(HEALTH_UNKNOWN, 0, HEALTH_REASON_NONE, 0);
	}
}

static struct health_page *page_of(const struct tool *t, size_t node)
{
	void *payload = page_payload(t->pages[node]);

	return node ? &((struct peer_page *)payload)->health : payload;
}

static void set_fresh(const struct tool *t, size_t node, bool fresh)
{
	uint64_t now_ms = clock_mono_ms();

	if (node)
		peer_page_set_good_until_ms(page_payload(t->pages[node]),
		                            fresh ? now_ms + LONG_MS : 0);
	else
		page_alive(t->pages[0], fresh ? now_ms + LONG_MS : 1);
}

static int open_pages(struct tool *t, const char *run_dir)
{
	char path[PATH_MAX], name[24];
	int err = 0;

	for (size_t k = 0; !err && k < t->n_sites; k++) {
		snprintf(name, sizeof(name), "n%zu", k);
		err = k ? peer_page_path(run_dir, name, path)
		        : proc_path(run_dir, PROC_HEALTH_PAGE, path);
		if (!err)
			err = page_create(path, k ? PEER_PAGE_KIND : HEALTH_PAGE_KIND,
			                  k ? PEER_PAGE_LAYOUT : HEALTH_PAGE_LAYOUT,
			                  k ? sizeof(struct peer_page) : sizeof(struct health_page),
			                  &t->pages[k]);
		if (!err)
			err = health_set_targets(page_of(t, k), t->targets,
			                         t->n_sites * t->n_services, 1);
	}
	return err;
}

static int open_tool(struct tool *t, char **argv)
{
	char service[24], site[24];

	t->n_sites = strtoul(argv[2], NULL, 10);
	t->n_services = strtoul(argv[3], NULL, 10);
	if (t->n_sites < 1 || t->n_sites > SITES_MAX || t->n_services < 1 ||
	    t->n_services > HEALTH_TARGETS_MAX / SITES_MAX)
		return -1;
	t->targets = calloc(t->n_sites * t->n_services, sizeof(*t->targets));
	for (size_t i = 0; t->targets && i < t->n_services; i++)
		for (size_t k = 0; k < t->n_sites; k++) {
			snprintf(service, sizeof(service), "w%zu", i);
			snprintf(site, sizeof(site), "s%zu", k);
			t->targets[i * t->n_sites + k] = health_target_service(service, site, true);
		}
	return t->targets ? open_pages(t, argv[1]) : -1;
}

/* What @p node sees of all targets. */
static void set_words(const struct tool *t, size_t node, const char *words)
{
	struct health_page *page = page_of(t, node);

	for (size_t i = 0; i < t->n_services; i++)
		for (size_t k = 0; k < t->n_sites; k++) {
			bool last = k + 1 == t->n_sites;
			char c = last ? words[i * t->n_sites + node] : 'u';

			health_write(page, health_find_index(page, t->targets[i * t->n_sites + k]),
			             word_of(c));
		}
	page_publish(t->pages[node]);
}

static void take_line(const struct tool *t, const char *fresh, const char *words)
{
	for (size_t k = 0; k < t->n_sites; k++)
		if (fresh[k] == '0')
			set_fresh(t, k, false);
	for (size_t k = 0; k < t->n_sites; k++)
		set_words(t, k, words);
	for (size_t k = 0; k < t->n_sites; k++)
		if (fresh[k] == '1')
			set_fresh(t, k, true);
}

int main(int argc, char **argv)
{
	static struct tool t;
	char *line = NULL;
	size_t room = 0;

	if (argc != 4 || open_tool(&t, argv)) {
		fprintf(stderr, "usage: lab-views RUN_DIR N_SITES N_SERVICES\n");
		return 1;
	}
	while (getline(&line, &room, stdin) > 0) {
		size_t n = strcspn(line, "\n");

		if (n != t.n_sites + 1 + t.n_sites * t.n_services) {
			fprintf(stderr, "lab-views: a line of %zu bytes\n", n);
			return 1;
		}
		take_line(&t, line, line + t.n_sites + 1);
		puts("done");
		fflush(stdout);
	}
	free(line);
	return 0;
}
