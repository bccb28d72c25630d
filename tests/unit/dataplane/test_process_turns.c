/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The process between two documents, two drivers and two processes: what comes amid long work. The
 * fake driver waits at a step, and its steps are written down.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/page.h"
#include "dataplane/tables/mapped.h"
#include "tests/unit/suite.h"
#include "weir/effect.h"
#include "weir/health.h"

#include "tests/unit/dataplane/process_scene.h"

#define HOLD(step)    space_run("touch " SCENE "/run/fake-hold-" step)
#define RELEASE(step) space_run("rm " SCENE "/run/fake-hold-" step)
#define ROUTE         "blackhole 203.0.113.10/32 table 177 proto 177"
#define MAX_TRIES     3 /* a machine may be slow for a while */
#define QUICK_MS      450u

/* How often @p word is in the file @p name of the scene. */
static unsigned count_words(const char *name, const char *word)
{
	static char text[1 << 20];
	char path[128];
	unsigned found = 0;
	FILE *f;

	snprintf(path, sizeof(path), SCENE "/%s", name);
	f = fopen(path, "r");
	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	for (const char *at = text; (at = strstr(at, word)); at++)
		found++;
	return found;
}

static unsigned count_steps(const char *step)
{
	return count_words("run/fake-steps", step);
}

static void forget_steps(void)
{
	scene_write(SCENE "/run/fake-steps", "");
}

/* The text @p name of the status is @p text. */
static bool is_told(const char *name, const char *text)
{
	char is[256];

	scene_status_text(name, is);
	return !strcmp(is, text);
}

static bool has_route(void)
{
	return !system("ip route show table 177 proto 177 | grep -q 203.0.113.10");
}

static void begin_with(const struct scene_document *d)
{
	scene_document(d);
	scene_start();
	WAIT_FOR(scene_status_number("document") == (json_int_t)scene_number);
}

static struct scene_document with_driver(const char *driver, const struct scene_document *d)
{
	struct scene_document other = *d;

	other.driver = driver;
	return other;
}

/* The thread that reads waits for the driver; the loop answers meanwhile, and hears of the next document. */
static void a_document_that_changes_while_it_is_read_is_read_again(void **state)
{
	struct scene_document dpdk = with_driver("dpdk", &scene_plain);

	(void)state;
	begin_with(&dpdk);
	forget_steps();
	HOLD("grace");
	scene_document(&dpdk);
	WAIT_FOR(count_steps("grace") == 1);
	scene_document(&dpdk);
	usleep(100000); /* in this time it hears of that */
	for (int i = 0; i < 3; i++)
		assert_int_equal(scene_status_number("document"), 1);
	RELEASE("grace");
	WAIT_FOR(scene_status_number("document") == 3);
	assert_int_equal(count_steps("grace"), 2); /* and once is enough */
}

static void refuse_document(unsigned total)
{
	scene_write(SCENE "/state/effective.conf", "schema = 1; nonsense = 2;\n");
	WAIT_FOR(scene_value("weir_dataplane_documents_refused_total", "") == total);
	assert_int_equal(scene_value("weir_dataplane_document_refused", ""), 1);
}

static void a_refusal_is_logged_once_and_again_after_a_good_one(void **state)
{
	(void)state;
	begin_with(&scene_plain);
	refuse_document(1);
	refuse_document(2);
	assert_int_equal(count_words("log", "document-refused"), 1);
	TAKE(&scene_plain);
	refuse_document(3);
	assert_int_equal(count_words("log", "document-refused"), 2);
	assert_int_equal(scene_status_number("document"), scene_number);
}

/*
 * XDP's program may forward without this process, workers may not; a driver that is open goes on. What may
 * pass is tried again, and said once.
 */
static void that_nothing_is_forwarded_is_known(void **state)
{
	struct scene_document dpdk = with_driver("dpdk", &scene_plain);

	(void)state;
	forget_steps();
	space_run("touch " SCENE "/run/fake-busy");
	scene_document(&dpdk);
	scene_start();
	WAIT_FOR(scene_condition("document-refused", "") == CONDITION_DOWN);
	WAIT_FOR(count_steps("open") >= 3);
	assert_int_equal(count_words("log", "document-refused"), 1);
	assert_true(is_told("driver_why", "the fake is busy"));
	TAKE(&scene_plain);
	WAIT_FOR(scene_condition("document-refused", "") == -1);
	for (int life = 0; life < 2; life++) {
		scene_document(&dpdk);
		WAIT_FOR(scene_condition("document-refused", "") == CONDITION_DEGRADED);
		assert_true(is_told("driver_why", "the fake is busy"));
		TAKE(&scene_plain); /* the change is taken back: that is the end of it */
		assert_true(is_told("driver_why", "") && is_told("refused_why", ""));
		WAIT_FOR(scene_condition("document-refused", "") == -1);
	}
}

static void a_driver_s_workers_have_words_while_there_are_any(void **state)
{
	struct scene_document dpdk = with_driver("dpdk", &scene_plain);

	(void)state;
	begin_with(&dpdk);
	assert_int_equal(scene_value(STATS_WORKER, "worker=\"0\""), 1000);
	assert_int_equal(scene_value(STATS_WORKER, "worker=\"1\""), 1001);
	assert_int_equal(scene_value(STATS_WORKER, "worker=\"2\""), -1);
	TAKE(&scene_plain); /* a word that stays would be a worker that hangs */
	assert_int_equal(scene_value(STATS_WORKER, "worker=\"0\""), -1);
	assert_int_equal(scene_value(STATS_WORKER, "worker=\"1\""), -1);
}

/* No peer has told of its slots yet, and the new driver's tables are full of those that are here. */
static void what_is_to_be_learnt_is_so_after_a_change_of_driver(void **state)
{
	struct scene_document two = scene_plain, dpdk;

	(void)state;
	two.nodes =
	        ", { name = \"ams-2\"; site = \"ams\"; api = \"https://10.1.0.9:8443\"; driver = \"xdp\"; "
	        "ports = ( { interface = \"v0\"; } ); tunnel_source = [ \"10.1.254.0/24\" ]; }";
	two.announce = "api = \"https://10.1.0.8:8443\";";
	begin_with(&two);
	WAIT_FOR(scene_value("weir_dataplane_learning", "") == 1);
	dpdk = with_driver("dpdk", &two);
	TAKE(&dpdk);
	assert_int_equal(scene_value("weir_dataplane_learning", ""), 1);
	assert_int_equal(count_words("log", "driver-changed"), 1);
}

/*
 * At a start routers are told before anything that takes long; a driver that forwards does so until
 * the new one is open. How long that took is shown.
 */
static void workers_withdraw_what_is_announced_before_there_is_a_gap(void **state)
{
	struct scene_document xdp = scene_plain, dpdk;

	(void)state;
	xdp.announce = "announce = { daemon = \"bird\"; };";
	dpdk = with_driver("dpdk", &xdp);
	forget_steps();
	space_run("ip route add " ROUTE);
	HOLD("open");
	scene_document(&dpdk);
	scene_start();
	WAIT_FOR(count_steps("open") == 1);
	assert_false(has_route());
	RELEASE("open");
	TAKE(&xdp);
	forget_steps();
	space_run("ip route replace " ROUTE);
	HOLD("open");
	HOLD("attach");
	scene_document(&dpdk);
	WAIT_FOR(count_steps("open") == 1);
	assert_true(has_route());
	usleep(50000); /* time that is shown */
	RELEASE("open");
	WAIT_FOR(count_steps("attach") == 1);
	assert_false(has_route());
	RELEASE("attach");
	WAIT_FOR(scene_status_number("document") == (json_int_t)scene_number);
	WAIT_FOR(scene_value("weir_dataplane_document_switch_microseconds", "") >= 50000);
	space_run("ip route add " ROUTE);
	TAKE(&xdp); /* without workers there is no gap */
	assert_true(has_route());
	assert_int_equal(count_steps("close"), 1);
	TAKE(&scene_plain); /* nobody announces any more */
	assert_false(has_route());
}

/* Remember a flow in XDP's tables, in bucket @p i, as a packet does. */
static void remember_flow(uint32_t i, uint64_t word)
{
	struct fwd_exceptions bucket = { .word = { [2] = word } };
	int map = space_map_of(space_xdp_of("v0"), "exceptions");

	assert_true(map >= 0);
	assert_int_equal(bpf_map_update_elem(map, &i, &bucket, 0), 0);
	close(map);
}

static bool has_flow(uint32_t i, uint64_t word)
{
	struct driver_reason why;
	struct mapped m;
	bool has;

	assert_int_equal(mapped_open(SCENE "/run/tables", &m, &why), 0);
	has = m.tables.exceptions[i].word[2] == word;
	mapped_close(&m);
	return has;
}

/* Those that begin after the tables were copied are there before the first packet. */
static void flows_of_the_meantime_are_brought_over_before_packets_come(void **state)
{
	struct scene_document dpdk = with_driver("dpdk", &scene_plain);

	(void)state;
	begin_with(&scene_plain);
	forget_steps();
	HOLD("grace");
	HOLD("attach");
	scene_document(&dpdk);
	WAIT_FOR(count_steps("grace") == 1);
	remember_flow(3, 0x123456789abcdef0);
	RELEASE("grace");
	WAIT_FOR(count_steps("attach") == 1);
	assert_true(has_flow(3, 0x123456789abcdef0));
	RELEASE("attach");
	WAIT_FOR(scene_status_number("document") == (json_int_t)scene_number);
}

static uint64_t target_of(const char *address)
{
	struct addr a;

	assert_int_equal(addr_parse(address, &a), 0);
	return health_target_backend("web", model_backend_id(&a, 0));
}

/* Say what a backend is, as weir-health does. */
static void judge_backend(struct page *page, const char *address, enum health_state says)
{
	struct health_page *h = page_payload(page);

	health_write(h, health_find_index(h, target_of(address)),
	             health_make(says, 0, HEALTH_REASON_OK, 1));
	page_publish(page);
}

/* A health page on which b1 is down. */
static struct page *make_health(void)
{
	uint64_t targets[] = { target_of("10.1.0.5"), target_of("10.2.0.9") };
	struct page *page;

	assert_int_equal(page_create(SCENE "/run/health.page", HEALTH_PAGE_KIND, HEALTH_PAGE_LAYOUT,
	                             sizeof(struct health_page), &page),
	                 0);
	assert_int_equal(health_set_targets(page_payload(page), targets, 2, 1), 0);
	judge_backend(page, "10.2.0.9", HEALTH_UP);
	judge_backend(page, "10.1.0.5", HEALTH_DOWN);
	return page;
}

static int64_t in_force(const char *backend)
{
	char labels[64];

	snprintf(labels, sizeof(labels), "pool=\"web\",backend=\"%s\"", backend);
	return scene_value("weir_dataplane_backend_in_force", labels);
}

static void a_damaged_page_is_said_once_and_what_is_in_force_stays(void **state)
{
	struct scene_document dpdk = with_driver("dpdk", &scene_checked);
	struct page *page;

	(void)state;
	begin_with(&scene_checked);
	page = make_health(); /* a child made later would keep its lock */
	WAIT_FOR(in_force("b1") == 0 && in_force("b2") == 1);
	assert_int_equal(truncate(SCENE "/run/health.page", 8192), 0);
	WAIT_FOR(count_words("log", "health-page-damaged") == 1);
	TAKE(&dpdk);     /* with it, too */
	usleep(2200000); /* two looks of the process */
	assert_int_equal(count_words("log", "health-page-damaged"), 1);
	assert_int_equal(in_force("b1"), 0);
	assert_int_equal(in_force("b2"), 1);
	page_close(page);
	unlink(SCENE "/run/health.page");
	page = make_health();
	judge_backend(page, "10.1.0.5", HEALTH_UP);
	WAIT_FOR(in_force("b1") == 1);
	page_close(page);
}

static void a_new_driver_takes_verdicts_of_a_sound_page(void **state)
{
	struct page *page = make_health();
	struct scene_document dpdk = with_driver("dpdk", &scene_checked);

	(void)state;
	begin_with(&scene_checked);
	WAIT_FOR(in_force("b1") == 0);
	forget_steps();
	HOLD("attach");
	scene_document(&dpdk);
	WAIT_FOR(count_steps("attach") == 1);
	judge_backend(page, "10.1.0.5", HEALTH_UP); /* amid the change */
	RELEASE("attach");
	WAIT_FOR(scene_status_number("document") == (json_int_t)scene_number);
	WAIT_FOR(in_force("b1") == 1);
	judge_backend(page, "10.2.0.9", HEALTH_DOWN);
	WAIT_FOR(in_force("b2") == 0);
	page_close(page);
}

static void turn_by_verdict(struct page *page, bool up)
{
	judge_backend(page, "10.2.0.9", up ? HEALTH_UP : HEALTH_DOWN);
}

static void turn_by_route(struct page *page, bool up)
{
	(void)page;
	space_run("ip route del %s && ip route add %s",
	          up ? "unreachable 10.2.0.0/16" : "10.2.0.0/16",
	          up ? "10.2.0.0/16 via 10.1.0.1" : "unreachable 10.2.0.0/16");
}

/* Whether the effect page shows b2 in force. @p alive_ms  out: when it was written */
static bool is_shown(uint64_t *alive_ms)
{
	struct effect_total total = { 0 };
	struct effect_backend b = { 0 };
	struct effect *e;
	struct addr a;

	assert_int_equal(addr_parse("10.2.0.9", &a), 0);
	if (effect_open(SCENE "/run", &e))
		return false;
	(void)effect_total(e, &total);
	(void)effect_backend(e, "web", model_backend_id(&a, 0), &b);
	effect_close(e);
	*alive_ms = total.alive_ms;
	return b.alive;
}

/*
 * What a verdict or a next hop changes is decided on and shown at once, with what follows in 250 ms; without
 * that it would wait for the next second. So it is said right after one, when nothing was to decide
 * for a while.
 */
static void expect_quick(void (*turn)(struct page *, bool), struct page *page)
{
	uint64_t took_ms = UINT64_MAX, from_ms, last_ms, at_ms;

	for (int i = 0; i < MAX_TRIES && took_ms > QUICK_MS; i++) {
		bool up = is_shown(&last_ms);

		usleep(2500000); /* quiet time: ticks are a second apart then */
		(void)is_shown(&last_ms);
		WAIT_FOR(is_shown(&at_ms) == up && at_ms != last_ms);
		from_ms = clock_mono_ms();
		turn(page, !up);
		WAIT_FOR(is_shown(&at_ms) == !up);
		took_ms = clock_mono_ms() - from_ms;
	}
	assert_true(took_ms <= QUICK_MS);
}

static void decisions_are_shown_soon(void **state)
{
	uint64_t at_ms;
	struct page *page;

	(void)state;
	begin_with(&scene_checked);
	page = make_health();
	judge_backend(page, "10.1.0.5", HEALTH_UP);
	WAIT_FOR(in_force("b1") == 1 && is_shown(&at_ms));
	expect_quick(turn_by_verdict, page);
	page_close(page);
	TAKE(&scene_plain);
	turn_by_route(NULL, false);
	WAIT_FOR(!is_shown(&at_ms));
	expect_quick(turn_by_route, NULL);
}

/* No probe goes by it, so ports are not read back because of it; and they are each second. */
static void a_next_hop_without_probes_is_no_reason_to_read_ports_back(void **state)
{
	struct scene_document dpdk = with_driver("dpdk", &scene_plain);
	unsigned n_reads = UINT32_MAX;

	(void)state;
	begin_with(&dpdk);
	for (int n = 0; n < MAX_TRIES && n_reads >= 20; n++) {
		forget_steps();
		for (unsigned i = 0; i < 20; i++)
			space_run("ip neigh replace 10.1.0.5 lladdr 02:00:00:00:00:%02x dev v0 "
			          "nud permanent",
			          i);
		n_reads = count_steps("ports");
	}
	assert_true(n_reads < 20);
	forget_steps();
	WAIT_FOR(count_steps("ports") > 0);
}

static void the_driver_s_clock_is_kept_in_step_by_its_own_interval(void **state)
{
	struct scene_document dpdk = with_driver("dpdk", &scene_plain);
	uint64_t from_ms;

	(void)state;
	begin_with(&dpdk);
	forget_steps();
	WAIT_FOR(count_steps("tick") == 1);
	from_ms = clock_mono_ms();
	WAIT_FOR(count_steps("tick") == 2);
	assert_true(clock_mono_ms() - from_ms > 1500); /* of two seconds */
}

/* Its key may be gone by then, so another reading would be refused. */
static void what_a_successor_has_prepared_is_not_read_again(void **state)
{
	pid_t before;
	int ready[2];
	char byte;

	(void)state;
	begin_with(&scene_plain);
	before = scene_child;
	assert_int_equal(pipe(ready), 0);
	scene_ready_fd = ready[1];
	scene_start();
	scene_ready_fd = 0;
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	assert_int_equal(unlink(SCENE "/conf/hash.key"), 0);
	kill(before, SIGTERM);
	assert_int_equal(waitpid(before, NULL, 0), before);
	WAIT_FOR(count_words("log", "document-in-force") == 2);
	WAIT_FOR(scene_status_number("document") == 1);
	assert_int_equal(scene_stop(SIGTERM), 0);
	assert_int_equal(count_words("log", "dataplane-failed"), 0);
}

static void what_cannot_be_opened_ends_the_start(void **state)
{
	static const char *const lacks[] = { "rmdir " SCENE "/state",
		                             "mkdir -p " SCENE "/run/dataplane.ctl/x",
		                             "mkdir -p " SCENE "/run/stats.dataplane.page/x" };

	for (size_t i = 0; i < sizeof(lacks) / sizeof(lacks[0]); i++) {
		int end;

		print_message("  %s\n", lacks[i]);
		scene_begin(state);
		space_run("%s", lacks[i]);
		scene_start();
		assert_int_equal(waitpid(scene_child, &end, 0), scene_child);
		scene_child = 0;
		assert_true(WIFEXITED(end) && WEXITSTATUS(end) == 1);
		assert_int_equal(count_words("log", "dataplane-failed"), 1);
	}
}

/* A process that waits does not end. */
static int release_and_end(void **state)
{
	space_run("rm -f " SCENE "/run/fake-hold-*");
	return scene_end(state);
}

SUITE(process_turns)
{
#define T(f) cmocka_unit_test_setup_teardown(f, scene_begin, release_and_end)
	const struct CMUnitTest tests[] = {
		T(a_document_that_changes_while_it_is_read_is_read_again),
		T(a_refusal_is_logged_once_and_again_after_a_good_one),
		T(that_nothing_is_forwarded_is_known),
		T(a_driver_s_workers_have_words_while_there_are_any),
		T(what_is_to_be_learnt_is_so_after_a_change_of_driver),
		T(workers_withdraw_what_is_announced_before_there_is_a_gap),
		T(flows_of_the_meantime_are_brought_over_before_packets_come),
		T(a_damaged_page_is_said_once_and_what_is_in_force_stays),
		T(a_new_driver_takes_verdicts_of_a_sound_page),
		T(decisions_are_shown_soon),
		T(a_next_hop_without_probes_is_no_reason_to_read_ports_back),
		T(the_driver_s_clock_is_kept_in_step_by_its_own_interval),
		T(what_a_successor_has_prepared_is_not_read_again),
		T(what_cannot_be_opened_ends_the_start),
	};

	if (scene_enter()) {
		printf("needs root: skipped\n");
		return 77;
	}
	return cmocka_run_group_tests_name("process turns", tests, NULL, NULL);
}
