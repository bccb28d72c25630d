/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The effect (dataplane/export/effect.c): how a reader finds pools and backends on the page and in a file
 * of tables, where tables are, and in which words a backend's lack of traffic is explained.
 */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/page.h"
#include "dataplane/dpdk/tablefile.h"
#include "tests/unit/suite.h"
#include "weir/trace.h"

#include "tests/unit/dataplane/effect_scene.h"

/* --- reading --- */

/* Make the effect page of the pools "web" (2 backends) and "mail" (1). */
static struct page *make_page(void)
{
	char path[96];
	struct page *page;

	t.pools[1].id = hash_text("web");
	t.pools[3].id = hash_text("mail");
	use_backend(1, hash_text("web"), 5, 0);
	use_backend(2, hash_text("web"), 9, 0);
	use_backend(3, hash_text("mail"), 5, 0);
	assert_int_equal(effect_scan(&t, NOW_S, &out.page), 0);
	snprintf(path, sizeof(path), "%s/" EFFECT_PAGE_FILE, dir);
	assert_int_equal(
	        page_create(path, EFFECT_PAGE_KIND, EFFECT_PAGE_LAYOUT, sizeof(out), &page), 0);
	memcpy(page_payload(page), &out, sizeof(out));
	page_alive(page, 4567);
	return page;
}

static void expect_pools(const struct effect *e)
{
	struct effect_backend list[4] = { { .id = 1 }, { .id = 1 }, { .id = 1 } }, one;
	struct effect_pool pool = { .full = 5 };

	assert_int_equal(effect_pool(e, "web", &pool), 0);
	assert_int_equal(pool.n_backends, 2);
	assert_int_equal(effect_pool(e, "mail", &pool), 0);
	assert_int_equal(pool.n_backends, 1);
	assert_int_equal(effect_pool(e, "ftp", &pool), -ENOENT);
	assert_int_equal(pool.n_backends, 1);
	assert_int_equal(effect_backends(e, "web", list, 4), 2);
	assert_int_equal(list[0].index, 1);
	assert_int_equal(list[1].index, 2);
	assert_int_equal(list[2].id, 1);
	list[1].id = 1;
	assert_int_equal(effect_backends(e, "web", list, 1), 2);
	assert_int_equal(list[1].id, 1);
	assert_int_equal(effect_backends(e, "mail", list, 4), 1);
	assert_int_equal(list[0].index, 3);
	assert_int_equal(effect_backends(e, "ftp", list, 4), -ENOENT);
	assert_int_equal(effect_backend(e, "web", 9, &one), 0);
	assert_int_equal(one.index, 2);
	assert_int_equal(effect_backend(e, "mail", 5, &one), 0);
	assert_int_equal(one.index, 3);
	assert_int_equal(effect_backend(e, "mail", 9, &one), -ENOENT);
	assert_int_equal(effect_backend(e, "web", 6, &one), -ENOENT);
	assert_int_equal(effect_backend(e, "ftp", 5, &one), -ENOENT);
	assert_int_equal(one.index, 3);
}

static void a_reader_finds_pools_and_backends_on_the_page(void **state)
{
	struct page *page = make_page();
	struct effect_total total;
	struct effect *e;

	(void)state;
	assert_int_equal(effect_open(dir, &e), 0);
	expect_pools(e);
	assert_int_equal(effect_total(e, &total), 0);
	assert_int_equal(total.alive_ms, 4567);
	assert_int_equal(total.n_backends, 3);
	effect_close(e);
	page_close(page);
}

/* Pools are on the page in any order, and are found in the copy of each. */
static void a_frozen_reader_finds_pools_whatever_their_order(void **state)
{
	(void)state;
	for (int turn = 0; turn < 2; turn++) {
		struct page *page = make_page();
		struct effect_pool *pools = effect_page_pools(page_payload(page)), first = pools[0];
		struct effect *e;

		if (turn) {
			pools[0] = pools[1];
			pools[1] = first;
		}
		assert_int_equal(effect_open(dir, &e), 0);
		effect_freeze(e);
		expect_pools(e);
		effect_close(e);
		page_close(page);
	}
}

/* A frozen reader sees what was there, whatever is written later; only the sign of life is live. */
static void a_frozen_reader_sees_one_instant(void **state)
{
	struct page *page = make_page();
	struct effect_page *p = page_payload(page);
	struct effect_total total;
	struct effect *e;

	(void)state;
	assert_int_equal(effect_open(dir, &e), 0);
	effect_freeze(e);
	p->seq = 1; /* a write has begun */
	effect_page_pools(p)[0].pool = effect_page_pools(p)[1].pool = 1;
	effect_page_backends(p)[0].id = 77;
	page_alive(page, 5000);
	expect_pools(e);
	assert_int_equal(effect_total(e, &total), 0);
	assert_int_equal(total.alive_ms, 5000);
	assert_int_equal(total.n_pools, 2);
	assert_int_equal(total.n_backends, 3);
	effect_freeze(e); /* once more is nothing new */
	expect_pools(e);
	effect_close(e);
	page_close(page);
}

/* What cannot be read whole is not frozen: the page answers as before, once it can be read. */
static void a_page_that_lies_is_not_frozen_beyond_its_end(void **state)
{
	struct page *page = make_page();
	struct effect_page *p = page_payload(page);
	struct effect_total total;
	struct effect *e;

	(void)state;
	assert_int_equal(effect_open(dir, &e), 0);
	p->seq = 1;
	effect_freeze(e);
	assert_int_equal(effect_total(e, &total), -EAGAIN);
	p->seq = 2;
	p->max_backends = PAGE_ROWS + 1;
	effect_freeze(e);
	assert_int_equal(effect_total(e, &total), -EPROTO);
	p->max_backends = PAGE_ROWS;
	p->total.n_pools = p->total.n_backends = UINT32_MAX;
	effect_freeze(e);
	p->seq = 3; /* from here on the copy answers */
	assert_int_equal(effect_total(e, &total), 0);
	assert_int_equal(total.n_pools, PAGE_POOLS);
	assert_int_equal(total.n_backends, PAGE_ROWS);
	assert_int_equal(effect_pool(e, "ftp", &(struct effect_pool){ 0 }), -ENOENT);
	effect_close(e);
	page_close(page);
}

/* Until it is killed. */
static void tear_page(struct effect_page *p)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (uint32_t i = 0;; i++)
		__atomic_store_n(&p->max_pools, i % 2 ? PAGE_POOLS : UINT32_MAX / 2,
		                 __ATOMIC_RELAXED);
}

/* A writer that is broken may write without a sequence, between the look at the size and the copy. */
static void a_page_that_changes_meanwhile_is_not_frozen_beyond_its_end(void **state)
{
	struct page *page = make_page();
	struct effect_page *p = page_payload(page);
	struct effect_total total;
	struct effect *e;
	uint64_t end_ms = clock_mono_ms() + 1000; /* both must run at the same time for a while */
	pid_t writer = fork();

	(void)state;
	assert_true(writer >= 0);
	if (writer == 0)
		tear_page(p);
	while (clock_mono_ms() < end_ms) {
		assert_int_equal(effect_open(dir, &e), 0);
		effect_freeze(e);
		effect_close(e);
	}
	kill(writer, SIGKILL);
	waitpid(writer, NULL, 0);
	p->max_pools = PAGE_POOLS;
	assert_int_equal(effect_open(dir, &e), 0);
	effect_freeze(e);
	assert_int_equal(effect_total(e, &total), 0);
	assert_int_equal(total.n_backends, 3);
	effect_close(e);
	page_close(page);
}

static void a_page_that_is_being_written_or_lies_is_not_read(void **state)
{
	struct page *page = make_page();
	struct effect_page *p = page_payload(page);
	struct effect_total total = { .n_pools = 99 };
	struct effect_backend list[PAGE_ROWS + 1];
	struct effect *e;

	(void)state;
	assert_int_equal(effect_open(dir, &e), 0);
	p->seq = 1;
	assert_int_equal(effect_total(e, &total), -EAGAIN);
	assert_int_equal(total.n_pools, 99);
	p->seq = 2;
	p->max_backends = PAGE_ROWS + 1;
	assert_int_equal(effect_total(e, &total), -EPROTO);
	p->max_backends = PAGE_ROWS;
	p->total.n_pools = p->total.n_backends =
	        UINT32_MAX; /* more than there are: it reads those */
	assert_int_equal(effect_pool(e, "ftp", &(struct effect_pool){ 0 }), -ENOENT);
	assert_int_equal(effect_backend(e, "web", UINT64_MAX, &list[0]), -ENOENT);
	for (uint32_t i = 0; i < 2; i++) { /* a pool whose rows reach beyond the page's end */
		effect_page_pools(p)[i].first = PAGE_ROWS - 1;
		effect_page_pools(p)[i].n_backends = PAGE_ROWS;
	}
	memset(list, 0x55, sizeof(list));
	assert_int_equal(effect_backends(e, "web", list, COUNT(list)), PAGE_ROWS);
	assert_true(list[1].id == 0x5555555555555555u);
	effect_close(e);
	page_close(page);
	assert_int_equal(effect_open("/nonexistent", &e), -ENOENT);
}

static void a_page_too_small_for_its_head_is_refused(void **state)
{
	char path[96];
	struct page *page;
	struct effect *e = (void *)1;

	(void)state;
	snprintf(path, sizeof(path), "%s/" EFFECT_PAGE_FILE, dir);
	assert_int_equal(page_create(path, EFFECT_PAGE_KIND, EFFECT_PAGE_LAYOUT,
	                             sizeof(struct effect_page) - 1, &page),
	                 0);
	assert_int_equal(effect_open(dir, &e), -EPROTO);
	assert_ptr_equal(e, (void *)1);
	page_close(page);
	effect_close(NULL);
}

/* Without a process the tables themselves, here DPDK's file of them, answer a trace. */
static void a_file_of_tables_answers_a_trace_when_the_process_is_dead(void **state)
{
	static const struct driver_sizes sizes = { 4, 4, 4, BACKENDS, 96, 4 };
	struct driver_reason why = { "" };
	char path[96], text[256] = "";
	struct trace_result result;
	struct trace_query query;
	struct tablefile file;

	(void)state;
	assert_int_equal(trace_parse("192.0.2.1:1", "203.0.113.10:80/tcp", &query), 0);
	assert_true(trace_pinned(dir, &query, &result, text, sizeof(text)) < 0); /* empty */
	assert_true(text[0] != '\0');
	snprintf(path, sizeof(path), "%s/tables", dir);
	assert_int_equal(tablefile_make(&file, path, &sizes, 2, NULL, &why), 0);
	page_close(make_page());
	memcpy(file.tables.pools, t.pools, 4 * sizeof(*t.pools));
	memcpy(file.tables.backends, t.backends, BACKENDS * sizeof(*t.backends));
	tablefile_close(&file);
	assert_int_equal(trace_pinned(dir, &query, &result, text, sizeof(text)), 0);
	assert_string_equal(result.reason, "not_ours");
	assert_int_equal(truncate(path, 100), 0);
	assert_int_equal(trace_pinned(dir, &query, &result, text, sizeof(text)), -EPROTO);
}

/* --- where tables are --- */

static void names_with_dots_are_pinned_with_colons(void **state)
{
	char path[PATH_MAX], name[400];

	(void)state;
	assert_int_equal(effect_pin_dir("/sys/fs/bpf/weir.d", "shop.example", "ams-1.a", path), 0);
	assert_string_equal(path, "/sys/fs/bpf/weir.d/shop:example/ams-1:a");
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	char *long_dir = malloc(PATH_MAX);
	memset(long_dir, 'd', PATH_MAX);
	long_dir[0] = '/';
	long_dir[PATH_MAX - 410] = '\0';
	assert_int_equal(effect_pin_dir(long_dir, name, "a", path), 0);
	assert_int_equal(effect_pin_dir(long_dir, name, "abcdefghi", path), -ENAMETOOLONG);
	assert_int_equal(effect_pin_dir(long_dir, name, "abcdefgh", path), 0);
	long_dir[PATH_MAX - 410] = 'd';
	long_dir[PATH_MAX - 200] = '\0';
	assert_int_equal(effect_pin_dir(long_dir, name, "a", path), -ENAMETOOLONG);
	assert_int_equal(effect_tables_dir(long_dir, dir, name, "a", path), -ENAMETOOLONG);
	free(long_dir);
}

/* Pins win; then DPDK's directory; with neither, pins are where tables would be. */
static void tables_are_looked_for_among_pins_first(void **state)
{
	char pins[96], dpdk[96], path[PATH_MAX];

	(void)state;
	snprintf(pins, sizeof(pins), "%s/shop/ams-1", dir);
	snprintf(dpdk, sizeof(dpdk), "%s/run/" EFFECT_DPDK_DIR, dir);
	char run[96];
	snprintf(run, sizeof(run), "%s/run", dir);
	assert_int_equal(effect_tables_dir(dir, run, "shop", "ams-1", path), 0);
	assert_string_equal(path, pins);
	assert_int_equal(mkdir(run, 0700) || mkdir(dpdk, 0700), 0);
	assert_int_equal(effect_tables_dir(dir, run, "shop", "ams-1", path), 0);
	assert_string_equal(path, dpdk);
	char cluster[96];
	snprintf(cluster, sizeof(cluster), "%s/shop", dir);
	assert_int_equal(mkdir(cluster, 0700) || mkdir(pins, 0700), 0);
	assert_int_equal(effect_tables_dir(dir, run, "shop", "ams-1", path), 0);
	assert_string_equal(path, pins);
}

/* --- words --- */

static void a_backend_without_traffic_says_why(void **state)
{
	static const struct {
		bool alive, next_hop;
		enum effect_reason why;
		enum effect_hop hop;
		const char *text;
	} cases[] = {
		{ true, true, EFFECT_REASON_UP, EFFECT_HOP_KNOWN, "up" },
		{ true, true, EFFECT_REASON_HELD_LAST, EFFECT_HOP_SILENT,
		  "held by guard on_all_down" },
		{ false, false, EFFECT_REASON_DOWN, EFFECT_HOP_NO_ROUTE, "down" },
		{ false, true, EFFECT_REASON_DISABLED, EFFECT_HOP_KNOWN, "disabled" },
		{ false, false, EFFECT_REASON_GATEWAY, EFFECT_HOP_GATEWAY, "l2 behind a gateway" },
		{ true, false, EFFECT_REASON_UP, EFFECT_HOP_UNKNOWN, "no next hop" },
		{ true, false, EFFECT_REASON_UP, EFFECT_HOP_KNOWN, "no next hop" },
		{ true, false, EFFECT_REASON_UP, EFFECT_HOP_NO_ROUTE, "no next hop: no route" },
		{ true, false, EFFECT_REASON_UP, EFFECT_HOP_NO_PORT,
		  "no next hop: no carrier at its port" },
		{ true, false, EFFECT_REASON_UP, EFFECT_HOP_UNRESOLVED,
		  "no next hop: not resolved" },
		{ true, false, EFFECT_REASON_UP, EFFECT_HOP_REFUSED,
		  "no next hop: route says unreachable" },
		{ true, false, EFFECT_REASON_UP, EFFECT_HOP_SILENT,
		  "no next hop: it does not answer" },
		{ true, false, EFFECT_REASON_UP, EFFECT_HOP_GATEWAY,
		  "no next hop: l2 behind a gateway" },
		{ true, false, EFFECT_REASON_UP, EFFECT_HOP_COUNT, "no next hop" },
		{ true, true, EFFECT_REASON_COUNT, EFFECT_HOP_KNOWN, "unknown" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct effect_backend b = { .alive = cases[i].alive,
			                          .next_hop = cases[i].next_hop,
			                          .reason = (uint8_t)cases[i].why,
			                          .hop = (uint8_t)cases[i].hop };

		assert_string_equal(effect_backend_text(&b), cases[i].text);
	}
}

static void each_reason_has_its_own_words(void **state)
{
	static const char *const ways[EFFECT_HOP_COUNT + 1] = { "unknown",
		                                                "known",
		                                                "no route",
		                                                "no carrier at its port",
		                                                "next hop not resolved",
		                                                "route says unreachable",
		                                                "next hop does not answer",
		                                                "l2 behind a gateway",
		                                                "unknown" };

	(void)state;
	for (unsigned i = 0; i <= EFFECT_HOP_COUNT; i++)
		assert_string_equal(effect_hop_text((enum effect_hop)i), ways[i]);
	for (unsigned i = 0; i < EFFECT_REASON_COUNT; i++) {
		assert_int_equal(effect_reason_is_path((enum effect_reason)i),
		                 i >= EFFECT_REASON_ROUTE);
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(effect_reason_text((enum effect_reason)i),
			                        effect_reason_text((enum effect_reason)k));
	}
}

SUITE(effect_read)
{
	const struct CMUnitTest tests[] = {
		EFFECT_TEST(a_reader_finds_pools_and_backends_on_the_page),
		EFFECT_TEST(a_frozen_reader_finds_pools_whatever_their_order),
		EFFECT_TEST(a_frozen_reader_sees_one_instant),
		EFFECT_TEST(a_page_that_lies_is_not_frozen_beyond_its_end),
		EFFECT_TEST(a_page_that_changes_meanwhile_is_not_frozen_beyond_its_end),
		EFFECT_TEST(a_page_that_is_being_written_or_lies_is_not_read),
		EFFECT_TEST(a_page_too_small_for_its_head_is_refused),
		EFFECT_TEST(a_file_of_tables_answers_a_trace_when_the_process_is_dead),
		EFFECT_TEST(names_with_dots_are_pinned_with_colons),
		EFFECT_TEST(tables_are_looked_for_among_pins_first),
		cmocka_unit_test(a_backend_without_traffic_says_why),
		cmocka_unit_test(each_reason_has_its_own_words),
	};

	return cmocka_run_group_tests_name("effect read", tests, NULL, NULL);
}
