/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clusters of weir-mgmt in one process, in virtual time: the product's own threads, store and routes; time, links, HTTP and
 * etcd are the test's (sched.h, link.h, web.h, etcd_net.h).
 * Usage: cluster [--runs N] [--first SEED] [--verbose] [--expected FOLDER] [--write] [SCENE...], or --list
 *
 * Each run of a scene is a process of its own. It plays the scene's story with times, faults and an order of threads that
 * follow from its seed.
 */
#include <curl/curl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/proc.h"
#include "tests/cluster/scenes.h"
#include "tests/cluster/transcript.h"
#include "weir/json.h"

const struct scene_row scene_rows[] = {
	{ "alone-versions", scenes_alone_versions,
	  "one node: applied, confirmed, not confirmed, restarted" },
	{ "alone-refusals", scenes_alone_refusals, "one node: what is refused changes nothing" },
	{ "alone-overrides", scenes_alone_overrides,
	  "one node: a drain's ramp and end, a disable" },
	{ "alone-processes", scenes_alone_processes,
	  "one node: what the other processes make of a version" },
	{ "alone-clock", scenes_alone_clock, "one node: a clock that steps, and a boot" },
	{ "shared-apply", scenes_shared_apply, "three nodes: what one is given, all have" },
	{ "shared-edits", scenes_shared_edits,
	  "three nodes: objects are edited at two at once, and nothing is lost" },
	{ "shared-unconfirmed", scenes_shared_unconfirmed,
	  "three nodes: what nobody confirms ends at all" },
	{ "shared-overrides", scenes_shared_overrides, "three nodes: commands at any hold at all" },
	{ "shared-cut-off", scenes_shared_cut_off,
	  "three nodes: one without the store drains, and comes back" },
	{ "shared-busy", scenes_shared_busy,
	  "three nodes: a deadline while a request waits for the store" },
	{ "shared-went-alone", scenes_shared_went_back_alone,
	  "three nodes: each goes back alone, and is killed" },
	{ "shared-refused", scenes_shared_refused,
	  "three nodes: what a process of one refuses goes back at all" },
	{ "shared-clock", scenes_shared_clock,
	  "three nodes: a clock that is behind, and right again" },
	{ "shared-went-back", scenes_shared_went_back,
	  "three nodes: the store is restored from a backup, and accepted" },
	{ "shared-rebuilt", scenes_shared_rebuilt,
	  "three nodes: the store is lost, and made from a copy" },
	{ "shared-damaged", scenes_shared_damaged,
	  "three nodes: one loses its copy of the store while it runs" },
	{ "shared-guards", scenes_shared_guards,
	  "three nodes: two are given commands at once that together leave nothing" },
	{ "shared-many", scenes_shared_many, "three nodes: one is given many commands at once" },
	{ "shared-removed", scenes_shared_removed,
	  "three nodes: one that was removed commands nothing" },
	{ "shared-members", scenes_shared_members,
	  "three nodes: members that one is given are in force at all" },
	{ "shared-members-cut", scenes_shared_members_cut,
	  "three nodes: members while the store is gone" },
	{ "shared-members-batch", scenes_shared_members_batch,
	  "three nodes: one member behind six hundred" },
	{ "shared-members-ttl", scenes_shared_members_ttl,
	  "three nodes: one hears renewals, and all know" },
	{ "shared-verdicts", scenes_shared_verdicts,
	  "three nodes: what a program tells one is known at all, and ends in time" },
	{ "shared-verdicts-cut", scenes_shared_verdicts_cut,
	  "three nodes: programs tell nodes that do not hear each other different things" },
	{ "alone-verdicts", scenes_alone_verdicts, "one node: what a program said, over a start" },
	{ "shared-files", scenes_shared_files,
	  "three nodes: a file that is uploaded in parts, and fetched" },
	{ "shared-diff", scenes_shared_diff, "three nodes: versions of others are compared" },
	{ "shared-peers", scenes_shared_peers,
	  "three nodes: documents that move one, and leave it out" },
	{ "shared-fetch", scenes_shared_fetch,
	  "three nodes: one fetches files that nobody gives for a while" },
	{ "alone-keys", scenes_alone_keys,
	  "one node: requests that are sent again are carried out once" },
	{ "shared-keys", scenes_shared_keys,
	  "three nodes: the same, where answers of the store get lost" },
	{ "operation-owners", scenes_operation_owners,
	  "three nodes: an owner's record, and who takes over by it" },
	{ "operation-undecided", scenes_operation_undecided,
	  "three nodes: an order whose answer is lost, and one that is not sent" },
	{ "shown-alone", scenes_shown_alone, "one node: what persons are shown, to the letter" },
	{ "shown-shared", scenes_shown_shared, "three nodes: the same" },
	{ "shown-processes", scenes_shown_processes,
	  "one node: the same of what other processes do" },
	{ "shown-requests", scenes_shown_requests,
	  "one node: the same of requests that are wrong, or rare" },
	{ "shown-operation", scenes_shown_operation,
	  "three nodes: an operation, and its owner's death" },
	{ "shown-plans", scenes_shown_plans,
	  "one node: what plans say of changes, one setting at a time" },
	{ "shown-backend", scenes_shown_backend, "two nodes: backends die and come again" },
	{ "shown-drain", scenes_shown_drain, "three nodes: a site is drained by measurement" },
	{ "shown-canary", scenes_shown_canary,
	  "three nodes: versions are tried at a site, and go back or on" },
	{ "shown-held", scenes_shown_held,
	  "three nodes: guards hold an operation; its owner's death" },
	{ "shown-sites", scenes_shown_sites, "three nodes: a site that is dead; a drill" },
	{ "shown-hung", scenes_shown_hung,
	  "two nodes: processes hang, end, and state what is wrong" },
	{ "shown-node", scenes_shown_node, "four nodes: a node is drained" },
	{ "shown-waited", scenes_shown_waited,
	  "four nodes: what a command rests on ends while another one is written" },
	{ "random", scenes_random, "three nodes: changes, commands and faults by the seed" },
};
const size_t scene_rows_n = sizeof(scene_rows) / sizeof(scene_rows[0]);

struct cluster_options {
	uint64_t runs, first;
	bool is_verbose, writes;
	const char *expected; /* where transcripts are kept; NULL: they are not compared */
	char **names;
	int n_names;
};

static bool read_options(int argc, char **argv, struct cluster_options *o)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--verbose")) {
			o->is_verbose = true;
		} else if (!strcmp(argv[i], "--write")) {
			o->writes = true;
		} else if (!strcmp(argv[i], "--expected") && i + 1 < argc) {
			o->expected = argv[++i];
		} else if (!strcmp(argv[i], "--runs") && i + 1 < argc) {
			o->runs = strtoull(argv[++i], NULL, 10);
		} else if (!strcmp(argv[i], "--first") && i + 1 < argc) {
			o->first = strtoull(argv[++i], NULL, 10);
		} else if (argv[i][0] != '-') {
			o->names = argv + i;
			o->n_names = argc - i;
			return true;
		} else {
			return false;
		}
	}
	return true;
}

static void play_scene(const struct scene_row *row, uint64_t seed, const struct cluster_options *o)
{
	struct scene s = { .name = row->name, .seed = seed, .is_verbose = o->is_verbose };

	log_level(o->is_verbose ? LOG_INFO : LOG_EMERG);
	proc_ignore_signals();
	sched_begin(seed);
	row->play(&s);
	fflush(NULL);
	_exit(0);
}

static bool run_scene(const struct scene_row *row, uint64_t seed, const struct cluster_options *o)
{
	int status = 0;
	node_begin();
	pid_t pid = fork();

	if (pid < 0)
		abort();
	if (!pid)
		play_scene(row, seed, o);
	bool is_over = waitpid(pid, &status, 0) == pid;

	node_end();
	if (is_over && !status)
		return true;
	fprintf(stderr, "cluster: failed: %s --first %" PRIu64 " --runs 1 --verbose\n", row->name,
	        seed);
	return false;
}

static bool is_chosen(const struct cluster_options *o, const char *name)
{
	for (int i = 0; i < o->n_names; i++)
		if (!strcmp(o->names[i], name))
			return true;
	return !o->n_names;
}

static int list_scenes(void)
{
	for (size_t i = 0; i < scene_rows_n; i++)
		printf("%-20s %s\n", scene_rows[i].name, scene_rows[i].what);
	return 0;
}

int main(int argc, char **argv)
{
	struct cluster_options o = { .runs = 1, .first = 1 };
	uint64_t n = 0, n_failed = 0;

	if (argc == 2 && !strcmp(argv[1], "--list"))
		return list_scenes();
	if (!read_options(argc, argv, &o)) {
		fprintf(stderr,
		        "usage: cluster [--runs N] [--first SEED] [--verbose] [--expected FOLDER] [--write] [SCENE...], or --list\n");
		return 2;
	}
	transcript_use(o.expected, o.writes);
	setenv("WEIR_USERS", "none", 1); /* the machine need not have Weir's users */
	json_prepare();
	curl_global_init(CURL_GLOBAL_DEFAULT);
	for (uint64_t seed = o.first; seed < o.first + o.runs; seed++)
		for (size_t i = 0; i < scene_rows_n; i++)
			if (is_chosen(&o, scene_rows[i].name) &&
			    (seed == o.first || strncmp(scene_rows[i].name, "shown-", 6) !=
			                                0)) { /* which are always the same */
				n++;
				n_failed += !run_scene(&scene_rows[i], seed, &o);
			}
	printf("cluster: %" PRIu64 " runs, %" PRIu64 " failed\n", n, n_failed);
	return n_failed || !n;
}
