/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How `weir status` judges a node without weir-mgmt (mgmt/cli/pages.c): real pages, spoiled
 * in one way each.
 */
#include "cli_pages.h"
#include "mgmt/json/observed.h"
#include "tests/unit/suite.h"

static void set_word(const struct node *n, int i, const char *name, uint64_t value)
{
	stats_set(stats_get_counter(n->stats[i], STATS_GAUGE, name, "", ""), value);
}

static void make_silent(const struct node *n, int i)
{
	stats_alive(n->stats[i], clock_mono_ms() - JUDGE_SILENT - 100);
}

static void refuse_document(struct node *n)
{
	set_word(n, 0, "weir_dataplane_document_refused", 1);
}

static void lose_ports(struct node *n)
{
	set_word(n, 0, "weir_dataplane_ports", 0);
}

static void lose_document(struct node *n)
{
	set_word(n, 0, "weir_dataplane_ports", 0);
	set_word(n, 0, "weir_dataplane_document", 0);
}

static void wait_for_connections(struct node *n)
{
	set_word(n, 0, "weir_dataplane_learning", 1);
}

static void silence_xdp(struct node *n)
{
	make_silent(n, 0);
}

static void silence_dpdk(struct node *n)
{
	set_word(n, 0, "weir_dataplane_dpdk", 1);
	make_silent(n, 0);
}

/* As the supervisor sees the workers. */
static void silence_dpdk_that_forwards(struct node *n)
{
	silence_dpdk(n);
	set_word(n, 4, STATS_FORWARD, 1);
}

static void silence_supervisor_too(struct node *n)
{
	silence_dpdk_that_forwards(n);
	make_silent(n, 4);
}

static void age_effect(struct node *n)
{
	write_effect(n, clock_mono_ms() - 3100, 0);
}

static void silence_dns(struct node *n)
{
	make_silent(n, 2);
}

static struct stats *announcer;

/* weir-announce runs though the document has no routing daemon: it is judged, by what it states. */
static void state_by_announcer(struct node *n)
{
	assert_int_equal(stats_create(n->f.root, "announce", N_WORDS, &announcer), 0);
	stats_alive(announcer, FRESH_MS);
	stats_turns(announcer, "main");
	conditions_begin(announcer, 57);
	conditions_add(announcer, "some-code", CONDITION_DEGRADED, "subject-of-it", "stated by it");
	conditions_end(announcer);
}

static void state_condition_of(const struct node *n, int i)
{
	conditions_begin(n->stats[i], 57);
	conditions_add(n->stats[i], "some-code", CONDITION_DEGRADED, "subject-of-it",
	               "stated by %d", i);
	conditions_end(n->stats[i]);
}

static void state_by_dns(struct node *n)
{
	state_condition_of(n, 2);
}

static void state_by_supervisor(struct node *n)
{
	state_condition_of(n, 4);
}

static void take_all_out(struct node *n)
{
	write_effect(n, FRESH_MS, 2);
}

static void see_all_down(struct node *n)
{
	for (size_t i = 0; i < 2; i++)
		write_target(n, backend_target(n, i),
		             health_make(HEALTH_DOWN, 0, HEALTH_REASON_TIMEOUT, SINCE_S));
}

static void see_site(const struct node *n, enum health_state ip4, enum health_state ip6)
{
	write_target(n, health_target_service("web", "fra", true),
	             health_make(ip4, 0, HEALTH_REASON_OK, SINCE_S));
	write_target(n, health_target_service("web", "fra", false),
	             health_make(ip6, 0, HEALTH_REASON_OK, SINCE_S));
}

static void see_site_down(struct node *n)
{
	see_site(n, HEALTH_DOWN, HEALTH_DOWN);
}

/* An operation has withdrawn its VIPs, so they are checked in vain. */
static void withdraw_site(struct node *n)
{
	static const char step[] =
	        "overrides = ( " OVERRIDE("h", "drain", SITE("fra"), LONG_AGO, "0s", "never",
	                                  "to_ppm = 1000000; epoch = \"1\"; operation = \"k3\"; "
	                                  "own_vips = \"withdrawn\"; ") " );\n";

	model_free(n->m);
	write_document(n, step, NULL);
	see_site_down(n);
}

static void see_half_a_site_down(struct node *n)
{
	see_site(n, HEALTH_UP, HEALTH_DOWN);
}

#define LACKS_MGMT "weir-mgmt is dead, or does not answer: see its log\n"

/*
 * What is wrong with a node besides weir-mgmt, and the lines that say why it is not well; N: any
 * number.
 */
#define WITH_RUN "and so does weir run, which restarts it: start weir run (systemctl start weir)\n"
static const struct {
	void (*spoil)(struct node *n);
	int status;
	const char *why;
} facts[] = {
	{ NULL, CLI_DEGRADED, LACKS_MGMT },
	{ refuse_document, CLI_DEGRADED,
	  LACKS_MGMT "weir-dataplane has refused the newest document; its log says why\n" },
	{ lose_ports, CLI_DOWN,
	  "none of the 1 ports carries the program: nothing is forwarded; the log of weir-dataplane says why\n" LACKS_MGMT },
	{ lose_document, CLI_DEGRADED, LACKS_MGMT },
	{ wait_for_connections, CLI_DEGRADED,
	  LACKS_MGMT
	  "weir-dataplane waits for a peer's connection state: routers should not send it packets yet\n" },
	{ silence_xdp, CLI_DEGRADED,
	  "weir-dataplane has shown no sign of life for N s: see its log\n" LACKS_MGMT },
	{ silence_dpdk, CLI_DOWN,
	  "weir-dataplane has stopped: with DPDK nothing is forwarded; start it\n"
	  "weir-dataplane has shown no sign of life for N s: see its log\n" LACKS_MGMT },
	{ silence_dpdk_that_forwards, CLI_DEGRADED,
	  "weir-dataplane has shown no sign of life for N s: see its log\n" LACKS_MGMT },
	{ silence_supervisor_too, CLI_DOWN,
	  "weir-dataplane has stopped: with DPDK nothing is forwarded; start it\n"
	  "weir-dataplane has stopped, or hangs, " WITH_RUN
	  "weir-mgmt has stopped, or hangs, " WITH_RUN
	  "weir run is dead or hangs: failed processes are not restarted; start it (running processes continue)\n" },
	{ age_effect, CLI_DEGRADED,
	  LACKS_MGMT "the tables of weir-dataplane cannot be read: see its log\n" },
	{ silence_dns, CLI_DEGRADED,
	  "weir-dns has shown no sign of life for N s: see its log\n" LACKS_MGMT },
	{ state_by_dns, CLI_DEGRADED, LACKS_MGMT "subject-of-it: stated by 2\n" },
	{ state_by_supervisor, CLI_DEGRADED, LACKS_MGMT "subject-of-it: stated by 4\n" },
	{ state_by_announcer, CLI_DEGRADED, LACKS_MGMT "subject-of-it: stated by it\n" },
	{ take_all_out, CLI_DOWN,
	  "pool web-ams forwards nothing: none of its 2 backends takes packets; see weir why pool web-ams\n" LACKS_MGMT
	  "backend web-ams/b1 should serve, but gets no traffic: weir why backend POOL/BACKEND shows why\n" },
	{ see_all_down, CLI_DOWN,
	  "all backends of pool web-ams are down: weir health shows why\n" LACKS_MGMT },
	{ see_site_down, CLI_DEGRADED,
	  LACKS_MGMT "site fra is down as seen from here: see weir why site fra\n" },
	{ withdraw_site, CLI_DEGRADED, LACKS_MGMT },
	{ see_half_a_site_down, CLI_DEGRADED, LACKS_MGMT },
};

/* How long something has been silent is not what the test decides. */
static void hide_seconds(char *line)
{
	char *at = strstr(line, "no sign of life for ");

	if (!at)
		return;
	at += strlen("no sign of life for ");
	memmove(at + 1, at + strspn(at, "0123456789."), strlen(at + strspn(at, "0123456789.")) + 1);
	*at = 'N';
}

/* The lines of what is shown that begin with " ! ". */
static const char *shown_reasons(void)
{
	static char out[4096];
	size_t used = 0;

	out[0] = '\0';
	for (const char *at = shown; at && *at;
	     at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL) {
		if (strncmp(at, " ! ", 3) != 0)
			continue;
		snprintf(out + used, sizeof(out) - used, "%.*s\n", (int)strcspn(at, "\n") - 3,
		         at + 3);
		hide_seconds(out + used);
		used += strlen(out + used);
	}
	return out;
}

/* A node on which all is well but for weir-mgmt. */
static void build_node(struct node *n)
{
	write_document(n, overrides, NULL);
	open_health(n);
	open_all_stats(n);
	write_effect(n, FRESH_MS, 0);
	see_site(n, HEALTH_UP, HEALTH_UP);
	for (size_t i = 0; i < 2; i++)
		write_target(n, backend_target(n, i),
		             health_make(HEALTH_UP, 0, HEALTH_REASON_OK, SINCE_S));
}

static void a_node_is_judged_by_what_its_processes_say(void **state)
{
	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
		struct node *n = *state;

		build_node(n);
		if (facts[i].spoil)
			facts[i].spoil(n);
		assert_int_equal(run_status(n), facts[i].status);
		assert_string_equal(shown_reasons(), facts[i].why);
		stats_close(announcer);
		announcer = NULL;
		(void)tear_down(state);
		(void)set_up(state);
	}
}

static void reasons_that_are_left_out_are_counted(void **state)
{
	struct judge_verdict v = { .n_reasons = 1, .n_left_out = 936 };
	json_t *texts;

	(void)state;
	strcpy(v.reasons[0].text, "first");
	texts = judged_texts_json(&v);
	assert_int_equal(json_array_size(texts), 2);
	assert_string_equal(json_string_value(json_array_get(texts, 0)), "first");
	assert_string_equal(json_string_value(json_array_get(texts, 1)), "and 936 more reasons");
	json_decref(texts);
}

SUITE(cli_judged)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_node_is_judged_by_what_its_processes_say, set_up,
		                                tear_down),
		cmocka_unit_test(reasons_that_are_left_out_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
