/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `weir status` and `weir health` without weir-mgmt (mgmt/cli/pages.c, health_detail.c): from real pages and an effective
 * document that the test writes, to the letter.
 */
#include "cli_pages.h"
#include "mgmt/json/observed.h"
#include "tests/unit/suite.h"

#define HEADS                                                                                      \
	"TARGET                                       OBSERVED LAST RESULT    SINCE              " \
	"        REASON, MARKS\n"

static void what_is_seen_is_shown_to_the_letter(void **state)
{
	struct node *n = *state;
	const struct ramp_record ramps[] = {
		{ .id = "f", .generation = 3, .at_ms = 1577880000000, .how = RAMP_HELD_CLOCK },
		{ .id = "g", .generation = 2, .at_ms = 1577880000000, .how = RAMP_HELD_CLOCK },
		{ .id = "a", .generation = 3, .at_ms = 1577880000000, .how = RAMP_FREE },
	};

	write_document(n, overrides, NULL);
	open_health(n);
	open_all_stats(n);
	write_effect(n, FRESH_MS, 0);
	assert_int_equal(ramp_write(n->f.state, ramps, 3), 0);
	write_target(n, backend_target(n, 0), health_make(HEALTH_UP, 0, HEALTH_REASON_OK, SINCE_S));
	write_target(n, backend_target(n, 1),
	             health_make(HEALTH_DOWN, 0, HEALTH_REASON_REFUSED, SINCE_S + 60));
	write_target(n, health_target_service("web", "fra", true),
	             health_make(HEALTH_DOWN, 0, HEALTH_REASON_TIMEOUT, SINCE_S + 120));
	assert_int_equal(run_status(n), CLI_DEGRADED);
	assert_shown(
	        "ams-1 (cluster shop) degraded: management does not answer; these values come from the pages of the "
	        "processes\n"
	        " ! weir-mgmt is dead, or does not answer: see its log\n"
	        " ! backend web-ams/b2 is down: weir health shows why\n"
	        "document 57 of version 7, written 2026-11-20T08:00:00.000Z\n"
	        "  dataplane  running\n"
	        "  health     running\n"
	        "  dns        running\n"
	        "  mgmt       running\n\n" HEADS
	        "web-ams/b1                                   up       ok             2026-09-21T14:13:20.000Z   \n"
	        "web-ams/b2                                   down     refused        2026-09-21T14:14:20.000Z   \n"
	        "service web at fra ipv4                      down     timeout        2026-09-21T14:15:20.000Z   \n"
	        "service web at fra ipv6                      unknown  none           -                          \n"
	        "drain fra: 100.0 %, until never, by by-a: why-a\n"
	        "disable web-ams/b2: 100.0 %, until 2100-01-01T00:00:00.000Z, by by-b: why-b\n"
	        "force_up web-ams/b1: 0.0 %, until never, by by-e: why-e\n"
	        "drain ams: 50.0 %, until 2020-01-03T00:00:00.000Z, by by-f: why-f\n"
	        "weir drain --offline works without management; to get management "
	        "back: weir run, or start weir-mgmt\n");
	n->cli.json = true;
	assert_int_equal(run_status(n), CLI_DEGRADED);
	assert_shown(
	        "{\"state\":\"degraded\",\"why\":[\"weir-mgmt is dead, or does not answer: see its log\",\"backend we"
	        "b-ams/b2 is down: weir health shows why\"],\"reasons\":[{\"code\":\"process-silent\",\"subject\":\"w"
	        "eir-mgmt\",\"state\":\"degraded\",\"text\":\"weir-mgmt is dead, or does not answer: see its log\"},{"
	        "\"code\":\"backend-down\",\"subject\":\"web-ams/b2\",\"state\":\"degraded\",\"text\":\"backend web-a"
	        "ms/b2 is down: weir health shows why\"}],\"node\":\"ams-1\",\"cluster\":\"shop\",\"source\":\"pages\""
	        ",\"document\":57,\"version\":7,\"written\":\"2026-11-20T08:00:00.000Z\",\"processes\":[{\"process\":"
	        "\"dataplane\",\"state\":\"running\",\"age_ms\":0},{\"process\":\"health\",\"state\":\"running\",\"ag"
	        "e_ms\":0},{\"process\":\"dns\",\"state\":\"running\",\"age_ms\":0},{\"process\":\"mgmt\",\"state\":\""
	        "running\",\"age_ms\":0}],\"targets\":[{\"pool\":\"web-ams\",\"backend\":\"b1\",\"site\":\"ams\",\"ad"
	        "dress\":\"10.1.1.11\",\"observation\":{\"state\":\"up\",\"in_doubt\":false,\"inconclusive\":false,\""
	        "restored\":false,\"damped\":false,\"reason\":\"ok\",\"since\":\"2026-09-21T14:13:20.000Z\"}},{\"pool"
	        "\":\"web-ams\",\"backend\":\"b2\",\"site\":\"ams\",\"address\":\"10.1.1.12\",\"observation\":{\"stat"
	        "e\":\"down\",\"in_doubt\":false,\"inconclusive\":false,\"restored\":false,\"damped\":false,\"reason\""
	        ":\"refused\",\"since\":\"2026-09-21T14:14:20.000Z\"}},{\"service\":\"web\",\"site\":\"fra\",\"family"
	        "\":\"ipv4\",\"observation\":{\"state\":\"down\",\"in_doubt\":false,\"inconclusive\":false,\"restored"
	        "\":false,\"damped\":false,\"reason\":\"timeout\",\"since\":\"2026-09-21T14:15:20.000Z\"}},{\"service"
	        "\":\"web\",\"site\":\"fra\",\"family\":\"ipv6\",\"observation\":{\"state\":\"unknown\",\"in_doubt\":"
	        "false,\"inconclusive\":false,\"restored\":false,\"damped\":false,\"reason\":\"none\",\"since\":null}"
	        "}],\"overrides\":[{\"id\":\"a\",\"do\":\"drain\",\"pool\":\"\",\"name\":\"fra\",\"level_ppm\":100000"
	        "0,\"from\":\"2020-01-02T00:00:00.000Z\",\"until\":\"never\",\"author\":\"by-a\",\"reason\":\"why-a\""
	        "},{\"id\":\"b\",\"do\":\"disable\",\"pool\":\"web-ams\",\"name\":\"b2\",\"level_ppm\":1000000,\"from"
	        "\":\"2020-01-01T00:00:00.000Z\",\"until\":\"2100-01-01T00:00:00.000Z\",\"author\":\"by-b\",\"reason\""
	        ":\"why-b\"},{\"id\":\"e\",\"do\":\"force_up\",\"pool\":\"web-ams\",\"name\":\"b1\",\"level_ppm\":0,\""
	        "from\":\"2100-01-01T00:00:00.000Z\",\"until\":\"never\",\"author\":\"by-e\",\"reason\":\"why-e\"},{\""
	        "id\":\"f\",\"do\":\"drain\",\"pool\":\"\",\"name\":\"ams\",\"level_ppm\":500000,\"from\":\"2020-01-0"
	        "1T00:00:00.000Z\",\"until\":\"2020-01-03T00:00:00.000Z\",\"author\":\"by-f\",\"reason\":\"why-f\"}]}"
	        "\n");
}

static void write_health(const struct node *n)
{
	write_target(n, backend_target(n, 0),
	             health_make(HEALTH_DOWN, HEALTH_MARK_DOUBT | HEALTH_MARK_RESTORED,
	                         HEALTH_REASON_TIMEOUT, SINCE_S));
	write_target(n, backend_target(n, 1),
	             health_make(HEALTH_UP, HEALTH_MARK_INCONCLUSIVE | HEALTH_MARK_DAMPED,
	                         HEALTH_REASON_OK, 0));
	write_target(n, health_target_service("web", "fra", false),
	             health_make(HEALTH_UP, 0, HEALTH_REASON_OK, SINCE_S + 60));
}

/* A step's level is the one in force; without a record of it, the one that it goes to. */
static void the_level_of_a_step_is_the_one_in_force(void **state)
{
	static const char steps[] = "overrides = ( " OVERRIDE(
	        "h", "drain", SITE("fra"), LONG_AGO, "0s", "never", "to_ppm = 250000; ") " );\n";
	static const char of_operation[] =
	        "overrides = ( " OVERRIDE("h", "drain", SITE("fra"), LONG_AGO, "0s", "never",
	                                  "to_ppm = 250000; operation = \"k3\"; ") " );\n";
	struct node *n = *state;
	const struct ramp_record level = {
		.id = "h", .generation = 3, .at_ms = 5, .level_known = true, .level_ppm = 300000
	};

	write_document(n, steps, NULL);
	(void)run_status(n);
	assert_non_null(strstr(shown, "drain fra: 25.0 %, until never, by by-h: why-h\n"));
	assert_int_equal(ramp_write(n->f.state, &level, 1), 0);
	(void)run_status(n);
	assert_non_null(strstr(shown, "drain fra: 30.0 %, until never, by by-h: why-h\n"));
	model_free(n->m);
	write_document(n, of_operation, NULL);
	(void)run_status(n);
	assert_non_null(strstr(shown, "drain fra: 30.0 %, until (not known), by by-h: why-h\n"));
}

/* The page of weir-mgmt on which it told the believed time: @p ahead_ms ahead of the kernel's. */
static void write_clock(const struct node *n, int64_t ahead_ms)
{
	const struct wall_clock wall_clock = { .started = true,
		                               .confirmed = true,
		                               .at_ms = clock_realtime_ms() + ahead_ms,
		                               .mono_ms = clock_mono_ms(),
		                               .off_by_ms = -ahead_ms };
	char path[PATH_MAX];
	struct page *page;

	assert_int_equal(proc_path(n->f.root, BELIEVED_PAGE, path), 0);
	assert_int_equal(page_create(path, BELIEVED_PAGE_KIND, BELIEVED_PAGE_LAYOUT,
	                             sizeof(struct believed_page), &page),
	                 0);
	believed_publish(page_payload(page), &wall_clock, clock_boot());
	page_alive(page, FRESH_MS);
	page_close(page);
}

/* What is over goes by the time that the node believes, not by the kernel's, which may be wrong. */
static void what_is_over_goes_by_the_believed_time(void **state)
{
	static const int64_t ahead_ms[] = { 2 * 3600000, 0, -2 * 3600000 };
	struct node *n = *state;
	char text[CLOCK_TEXT_MAX], more[1024];

	/* as the kernel has it an hour from now, and an hour ago */
	for (int k = -1; k <= 1; k += 2) {
		snprintf(
		        more, sizeof(more),
		        "overrides = ( { id = \"a\"; kind = \"drain\"; " SITE(
		                "fra") " from = \"" LONG_AGO
		                       "\"; over = \"0s\"; until = \"%s\"; author = \"x\"; reason = "
		                       "\"y\"; generation = \"3\"; created = \"" LONG_AGO
		                       "\"; node = \"ams-1\"; } );\n",
		        clock_text(clock_realtime_ms() + k * 3600000, text));
		model_free(n->m);
		write_document(n, more, NULL);
		for (size_t i = 0; i < 3; i++) {
			write_clock(n, ahead_ms[i]);
			(void)run_status(n);
			bool is_over = ahead_ms[i] > k * 3600000;

			if (is_over != !strstr(shown, "drain fra: 100.0 %, until "))
				fail_msg("until %d h, %zu: %s", k, i, shown);
		}
	}
	write_clock(n, 0);
	(void)run_status(n);
}

/* Of all kinds of overrides this one was shown by a word that was not there. */
static void a_drill_is_shown_by_its_name(void **state)
{
	struct node *n = *state;

	write_document(n,
	               "overrides = ( " OVERRIDE("k", "drill", SITE("fra"), LONG_AGO, "0s",
	                                         FAR_AWAY,
	                                         "clients = \"198.51.100.0/24\"; ") " );\n",
	               NULL);
	(void)run_status(n);
	assert_non_null(strstr(
	        shown, "drill fra: 0.0 %, until 2100-01-01T00:00:00.000Z, by by-k: why-k\n"));
}

static void what_is_old_is_unknown_with_what_was_seen_last(void **state)
{
	struct node *n = *state;

	write_document(n, "", NULL);
	open_health(n);
	write_health(n);
	page_alive(n->health, clock_mono_ms() - SILENT_MS - 1);
	assert_int_equal(run_health(n), CLI_OK);
	assert_shown(
	        HEADS
	        "web-ams/b1                                   unknown  timeout        2026-09-21T14:13:20.000Z    last seen down in_doubt restored\n"
	        "web-ams/b2                                   unknown  ok             -                           last seen up inconclusive damped\n"
	        "service web at fra ipv4                      unknown  none           -                           last seen unknown\n"
	        "service web at fra ipv6                      unknown  ok             2026-09-21T14:14:20.000Z    last seen up\n");
	page_alive(n->health, clock_mono_ms() + SILENT_MS - 500); /* for twice as long */
	assert_int_equal(run_health(n), CLI_OK);
	assert_null(strstr(shown, "last seen"));
	page_alive(n->health, FRESH_MS);
	assert_int_equal(run_health(n), CLI_OK);
	assert_shown(
	        HEADS
	        "web-ams/b1                                   down     timeout        2026-09-21T14:13:20.000Z    in_doubt restored\n"
	        "web-ams/b2                                   up       ok             -                           inconclusive damped\n"
	        "service web at fra ipv4                      unknown  none           -                          \n"
	        "service web at fra ipv6                      up       ok             2026-09-21T14:14:20.000Z   \n");
	n->cli.json = true;
	assert_int_equal(run_health(n), CLI_OK);
	assert_shown(
	        "{\"items\":[{\"pool\":\"web-ams\",\"backend\":\"b1\",\"site\":\"ams\",\"address\":\"10.1.1.11\",\"ob"
	        "servation\":{\"state\":\"down\",\"in_doubt\":true,\"inconclusive\":false,\"restored\":true,\"damped\""
	        ":false,\"reason\":\"timeout\",\"since\":\"2026-09-21T14:13:20.000Z\"}},{\"pool\":\"web-ams\",\"backe"
	        "nd\":\"b2\",\"site\":\"ams\",\"address\":\"10.1.1.12\",\"observation\":{\"state\":\"up\",\"in_doubt\""
	        ":false,\"inconclusive\":true,\"restored\":false,\"damped\":true,\"reason\":\"ok\",\"since\":null}},{"
	        "\"service\":\"web\",\"site\":\"fra\",\"family\":\"ipv4\",\"observation\":{\"state\":\"unknown\",\"in"
	        "_doubt\":false,\"inconclusive\":false,\"restored\":false,\"damped\":false,\"reason\":\"none\",\"sinc"
	        "e\":null}},{\"service\":\"web\",\"site\":\"fra\",\"family\":\"ipv6\",\"observation\":{\"state\":\"up"
	        "\",\"in_doubt\":false,\"inconclusive\":false,\"restored\":false,\"damped\":false,\"reason\":\"ok\",\""
	        "since\":\"2026-09-21T14:14:20.000Z\"}}]}\n");
}

static void without_any_page_nothing_is_known(void **state)
{
	struct node *n = *state;

	write_document(n, "", NULL);
	assert_int_equal(run_status(n), CLI_DEGRADED);
	assert_shown(
	        "ams-1 (cluster shop) degraded: management does not answer; these values come from the pages of the "
	        "processes\n"
	        " ! weir-dataplane has not run here yet: start weir run\n"
	        " ! weir-health has not run here yet: start weir run\n"
	        " ! weir-dns has not run here yet: start weir run\n"
	        " ! weir-mgmt has not run here yet: start weir run\n"
	        "document 57 of version 7, written 2026-11-20T08:00:00.000Z\n"
	        "  dataplane  absent\n"
	        "  health     absent\n"
	        "  dns        absent\n"
	        "  mgmt       absent\n\n" HEADS
	        "web-ams/b1                                   unknown  -              -                          \n"
	        "web-ams/b2                                   unknown  -              -                          \n"
	        "weir drain --offline works without management; to get management "
	        "back: weir run, or start weir-mgmt\n");
	snprintf(n->cli.dirs.node, sizeof(n->cli.dirs.node), "fra-1");
	assert_int_equal(run_health(n), CLI_OK);
	assert_shown(
	        HEADS
	        "web-fra/b1                                   unknown  -              -                          \n");
}

/* Who is silent has the time since its last sign; who was never here has none. */
static void a_silent_process_has_its_age(void **state)
{
	enum { OLD_MS = 5000, PATIENCE_MS = 60000 };
	static const char *const states[] = { "running", "silent", "absent", "silent" };
	struct node *n = *state;
	json_t *root, *list;

	write_document(n, "", NULL);
	open_stats(n, 0);
	stats_alive(open_stats(n, 1), clock_mono_ms() - OLD_MS);
	stats_alive(open_stats(n, 3), clock_mono_ms() - 2 * OLD_MS);
	assert_int_equal(run_status(n), CLI_DEGRADED);
	assert_non_null(strstr(shown, "  dataplane  running\n"
	                              "  health     silent\n"
	                              "  dns        absent\n"
	                              "  mgmt       silent\n"));
	n->cli.json = true;
	assert_int_equal(run_status(n), CLI_DEGRADED);
	root = json_loads(shown, 0, NULL);
	list = json_object_get(root, "processes");
	assert_int_equal(json_array_size(list), 4);
	for (size_t i = 0; i < 4; i++) {
		const json_t *process = json_array_get(list, i);
		const json_t *age = json_object_get(process, "age_ms");
		json_int_t old_ms = i == 1 ? OLD_MS : i == 3 ? 2 * OLD_MS : 0;

		assert_int_equal(json_object_size(process), 3);
		assert_string_equal(json_string_value(json_object_get(process, "process")),
		                    names[i]);
		assert_string_equal(json_string_value(json_object_get(process, "state")),
		                    states[i]);
		if (i == 2)
			assert_true(json_is_null(age));
		else
			assert_in_range(json_integer_value(age), old_ms,
			                old_ms ? old_ms + PATIENCE_MS : 0);
		assert_int_equal(json_is_integer(age), i != 2);
	}
	json_decref(root);
}

/* weir-announce is one of the processes where it runs, or where the document names a routing daemon. */
static void the_announcer_is_shown_where_it_runs_or_ought_to(void **state)
{
	static const char from[] = "dns_listen = [ \"192.0.2.53\" ];";
	static const struct {
		bool configured;
		int alive;         /* -1: there is no page; else whether it is fresh */
		const char *shown; /* NULL: nothing */
	} rows[] = {
		{ false, -1, NULL },
		{ false, 0, NULL },
		{ false, 1, "  dns        absent\n  announce   running\n  mgmt       absent\n" },
		{ true, 1, "  dns        absent\n  announce   running\n  mgmt       absent\n" },
		{ true, 0, "  dns        absent\n  announce   silent\n  mgmt       absent\n" },
		{ true, -1, "  dns        absent\n  announce   absent\n  mgmt       absent\n" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct node *n;

		if (i > 0) {
			tear_down(state);
			set_up(state);
		}
		n = *state;
		write_document(
		        n, "",
		        rows[i].configured
		                ? fixture_text(
		                          from,
		                          "announce = { daemon = \"bird\"; }; dns_listen = [ \"192.0.2.53\" ];")
		                : NULL);
		if (rows[i].alive >= 0) {
			assert_int_equal(stats_create(n->f.root, "announce", N_WORDS, &n->stats[4]),
			                 0);
			stats_alive(n->stats[4], rows[i].alive ? FRESH_MS : 1);
		}
		assert_int_equal(run_status(n), CLI_DEGRADED);
		if (rows[i].shown ? !strstr(shown, rows[i].shown) : !!strstr(shown, "  announce "))
			fail_msg("row %zu: %s", i, shown);
	}
}

static void a_document_that_cannot_be_read_is_named(void **state)
{
	struct node *n = *state;
	char expected[PATH_MAX + 200];

	assert_int_equal(run_status(n), CLI_UNREACHABLE);
	snprintf(
	        expected, sizeof(expected),
	        "management does not answer, and %s/effective.conf cannot be read: does not exist; "
	        "check that weir run runs with these directories\n",
	        n->f.state);
	assert_told(expected);
	assert_shown("");
	assert_int_equal(run_health(n), CLI_UNREACHABLE);
	assert_told(expected);
	fixture_write(n->f.state, PROC_EFFECTIVE_FILE, "schema = 7;\n");
	assert_int_equal(run_health(n), CLI_UNREACHABLE);
	assert_non_null(strstr(told, "effective.conf cannot be read: found 7"));
}

/* Lists of a model are followed by whatever its memory has next. */
static void the_targets_are_those_of_the_model(void **state)
{
	struct node *n = *state;

	write_document(n, "", NULL);

	const struct observe_pages none = { .health = NULL };
	const struct model_pool *own = &n->m->pools[0];
	const struct model_pool pools[] = { *own, *own, *own };
	struct model m = *n->m;

	m.pools = pools;
	m.n_services = 0;
	for (m.n_pools = 0; m.n_pools < 3; m.n_pools++)
		for (int whole = 0; whole < 2; whole++) {
			json_t *list = observed_targets_json(&m, &none, whole);

			assert_int_equal(json_array_size(list), m.n_pools * own->n_backends);
			json_decref(list);
		}
}

/* A pool of @p n_backends; all but the last @p n_down are up. */
static void fill_pool(struct node *n, size_t n_backends, size_t n_down)
{
	char text[16384];
	size_t used = (size_t)snprintf(
	        text, sizeof(text),
	        "schema = 1; cluster = { name = \"shop\"; hash_key_file = \"hash.key\"; hash_key_id = \"k1\"; };\n"
	        "sites = ( { name = \"ams\"; }, { name = \"fra\"; } );\n"
	        "nodes = ( { name = \"ams-1\"; site = \"ams\"; ports = ( { interface = \"eth1\"; } );"
	        " tunnel_source = [ \"10.1.255.0/24\" ]; } );\n"
	        "pools = ( { name = \"web\"; site = \"ams\"; mode = \"ipip\"; backends = (");

	for (size_t i = 0; i < n_backends; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used,
		                         "%s{ name = \"b%02zu\"; address = \"10.1.1.%zu\"; }",
		                         i ? ", " : " ", i + 1, i + 1);
	snprintf(text + used, sizeof(text) - used, " ); } );\n");
	write_document(n, "", text);
	open_health(n);
	for (size_t i = 0; i < n_backends; i++)
		write_target(n, backend_target(n, i),
		             health_make(i < n_backends - n_down ? HEALTH_UP : HEALTH_DOWN, 0,
		                         HEALTH_REASON_OK, SINCE_S));
}

static size_t count_lines(const char *begin)
{
	size_t count = 0;

	for (const char *at = strstr(shown, begin); at; at = strstr(at + 1, begin))
		count += at == shown || at[-1] == '\n';
	return count;
}

static void of_many_targets_those_that_are_not_up_are_shown(void **state)
{
	struct node *n = *state;

	fill_pool(n, MANY - 1, 1);
	assert_int_equal(run_status(n), CLI_DEGRADED);
	assert_int_equal(count_lines("web/"), MANY - 1);
	assert_int_equal(count_lines("... and"), 0);
	model_free(n->m);
	page_close(n->health);
	fill_pool(n, MANY, 2);
	assert_int_equal(run_status(n), CLI_DEGRADED);
	assert_int_equal(count_lines("web/"), 2);
	assert_int_equal(count_lines("web/b60 "), 1);
	assert_int_equal(count_lines("web/b61 "), 1);
	assert_int_equal(count_lines("61 targets in all: weir health shows them"), 1);
	for (size_t i = 0; i < MANY; i++)
		write_target(n, backend_target(n, i),
		             health_make(HEALTH_DOWN, 0, HEALTH_REASON_OK, SINCE_S));
	assert_int_equal(run_status(n), CLI_DEGRADED);
	assert_int_equal(count_lines("web/"), MANY - 1);
	assert_int_equal(count_lines("    ... and 1 more (--json shows all)"), 1);
	assert_int_equal(run_health(n), CLI_OK);
	assert_int_equal(count_lines("web/"), MANY);
	assert_int_equal(count_lines("... and"), 0);
}

/* Whether a client asks for the list. */
static bool reads_request(int fd)
{
	char line[64];
	size_t n = 0;

	while (n + 1 < sizeof(line) && read(fd, line + n, 1) == 1 && line[n] != '\n')
		n++;
	line[n] = '\0';
	return strcmp(line, "{\"do\":\"list\"}") == 0;
}

/* weir-health, as far as it answers one line to each client. */
static void serve_health(struct node *n, const char *answer)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/health.ctl", n->f.root);
	assert_int_equal(bind(s, (const struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(s, 4), 0);
	n->server = fork();
	for (int c; n->server == 0 && (c = accept(s, NULL, NULL)) >= 0; close(c))
		if (!reads_request(c) || dprintf(c, "%s\n", answer) < 0)
			_exit(1);
	close(s);
	assert_true(n->server > 0);
}

static void why_comes_from_weir_health_for_the_right_target(void **state)
{
	struct node *n = *state;

	write_document(n, "", NULL);
	open_health(n);
	write_health(n);
	serve_health(
	        n,
	        "{\"targets\": [{\"pool\": \"web-ams\", \"backend\": \"b2\", \"why\": \"of b2\"},"
	        "{\"pool\": \"web-fra\", \"backend\": \"b1\", \"why\": \"of another pool\"},"
	        "{\"service\": \"web\", \"site\": \"fra\", \"family\": \"ipv6\", \"why\": \"of IPv6\"},"
	        "{\"service\": \"web\", \"site\": \"ams\", \"family\": \"ipv4\", \"why\": \"of another site\"}]}");
	assert_int_equal(run_health(n), CLI_OK);
	assert_shown(
	        HEADS
	        "web-ams/b1                                   down     timeout        2026-09-21T14:13:20.000Z    in_doubt restored\n"
	        "web-ams/b2                                   up       ok             -                          of b2 inconclusive damped\n"
	        "service web at fra ipv4                      unknown  none           -                          \n"
	        "service web at fra ipv6                      up       ok             2026-09-21T14:14:20.000Z   of IPv6\n");
	n->cli.json = true;
	assert_int_equal(run_health(n), CLI_OK);
	assert_non_null(strstr(shown,
	                       "\"since\":null},\"why\":\"of b2\",\"probe\":{\"pool\":\"web-ams\","
	                       "\"backend\":\"b2\",\"why\":\"of b2\"}}"));
}

SUITE(cli_pages)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_seen_is_shown_to_the_letter, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(the_level_of_a_step_is_the_one_in_force, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(what_is_over_goes_by_the_believed_time, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(the_targets_are_those_of_the_model, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(a_drill_is_shown_by_its_name, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_old_is_unknown_with_what_was_seen_last,
		                                set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_any_page_nothing_is_known, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(a_silent_process_has_its_age, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_announcer_is_shown_where_it_runs_or_ought_to,
		                                set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_document_that_cannot_be_read_is_named, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(of_many_targets_those_that_are_not_up_are_shown,
		                                set_up, tear_down),
		cmocka_unit_test_setup_teardown(why_comes_from_weir_health_for_the_right_target,
		                                set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
