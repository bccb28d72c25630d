/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading the page of measurements (pages/measure.c): a writer that has gone wrong misleads nobody
 * beyond its page, and what is too little to say something says nothing.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/page.h"
#include "tests/unit/suite.h"
#include "weir/measure.h"

#define NOW 5000u

static char dir[64];
static struct page *page;

static int setup(void **state)
{
	char path[96];

	(void)state;
	strcpy(dir, "/tmp/weir-measure-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/" MEASURE_PAGE_FILE, dir);
	if (page_create(path, MEASURE_PAGE_KIND, MEASURE_PAGE_LAYOUT, measure_page_bytes(2, 1),
	                &page))
		return -1;
	page_alive(page, NOW);
	return 0;
}

static int teardown(void **state)
{
	char command[96];

	(void)state;
	page_close(page);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static struct measure_page *write_rows(void)
{
	struct measure_page *p = page_payload(page);

	p->max_services = 2;
	p->max_pools = 1;
	p->node = (struct measure_node){ .n_services = 2, .n_pools = 1, .n_sources = 1 };
	measure_page_services(p)[1].service = hash_text("web");
	measure_page_services(p)[1].total.new_flows = 7;
	measure_page_pools(p)[0].pool = hash_text("web-ams");
	measure_page_sources(p)[0].prefix.bits = 56;
	return p;
}

static struct measure *open_page(void)
{
	struct measure *m;

	assert_int_equal(measure_open(dir, &m), 0);
	return m;
}

static void no_page_is_nothing(void **state)
{
	struct measure *m = NULL;

	(void)state;
	assert_int_equal(measure_open("/tmp/weir-no-such-directory", &m), -ENOENT);
	assert_null(m);
	measure_close(NULL);
}

static void a_copy_has_what_was_written(void **state)
{
	const struct measure_source *sources;
	struct measure *m;

	(void)state;
	write_rows();
	m = open_page();
	assert_null(measure_node(m)); /* before the first copy */
	assert_int_equal(measure_sources(m, &sources), 0);
	assert_int_equal(measure_read(m, NOW), 0);
	assert_int_equal(measure_node(m)->alive_ms, NOW);
	assert_int_equal(measure_service(m, "web")->total.new_flows, 7);
	assert_non_null(measure_pool(m, "web-ams"));
	assert_int_equal(measure_sources(m, &sources), 1);
	measure_close(m);
}

static void a_writer_in_the_middle_of_it_is_waited_for_in_vain(void **state)
{
	struct measure_page *p = write_rows();
	struct measure *m = open_page();

	(void)state;
	p->seq = 3;
	assert_int_equal(measure_read(m, NOW), -EAGAIN);
	assert_null(measure_node(m));
	p->seq = 4;
	assert_int_equal(measure_read(m, NOW), 0);
	measure_close(m);
}

static void a_page_that_was_overwritten_is_not_believed(void **state)
{
	struct measure *m = open_page();
	struct page_header *h = (struct page_header *)(uintptr_t)page_header(page);

	(void)state;
	write_rows();
	assert_int_equal(measure_read(m, NOW), 0);
	h->magic[0] ^= 1;
	assert_int_equal(measure_read(m, NOW), -ESTALE);
	assert_null(measure_node(m));
	assert_null(measure_service(m, "web"));
	h->magic[0] ^= 1;
	assert_int_equal(measure_read(m, NOW), 0);
	measure_close(m);
}

static void counts_beyond_the_page_are_refused_or_cut(void **state)
{
	struct measure_page *p = write_rows();
	struct measure *m = open_page();
	const struct measure_source *sources;

	(void)state;
	p->node.n_services = p->node.n_pools = p->node.n_sources = UINT32_MAX;
	assert_int_equal(measure_read(m, NOW), 0);
	assert_int_equal(measure_node(m)->n_services, 2);
	assert_int_equal(measure_node(m)->n_pools, 1);
	assert_int_equal(measure_sources(m, &sources), MEASURE_SOURCES_MAX);
	p->max_services = 3;
	assert_int_equal(measure_read(m, NOW), -EPROTO);
	assert_null(measure_node(m));
	p->max_services = UINT32_MAX;
	p->max_pools = UINT32_MAX;
	assert_int_equal(measure_read(m, NOW), -EPROTO);
	measure_close(m);
}

static void a_prefix_that_is_none_is_refused(void **state)
{
	struct measure_page *p = write_rows();
	struct measure *m = open_page();

	(void)state;
	measure_page_sources(p)[0].prefix.bits = 129;
	assert_int_equal(measure_read(m, NOW), -EPROTO);
	measure_page_sources(p)[0].prefix.addr = addr_from4("\300\0\2");
	measure_page_sources(p)[0].prefix.bits = 33;
	assert_int_equal(measure_read(m, NOW), -EPROTO);
	measure_close(m);
}

static void rates_are_per_second_in_thousandths(void **state)
{
	uint64_t milli = 0;

	(void)state;
	assert_true(measure_per_s_milli(5, 2000, &milli));
	assert_int_equal(milli, 2500);
	assert_false(measure_per_s_milli(5, 0, &milli));
	assert_false(measure_per_s_milli(UINT64_MAX, 1, &milli));
	assert_int_equal(milli, 2500);
}

static void ratios_need_enough_flows(void **state)
{
	static const struct {
		struct measure_flows flows;
		bool has_silent, has_repeated;
		uint32_t silent, repeated;
		const char *why;
	} cases[] = {
		{ { 0 }, false, false, 0, 0, "nothing" },
		{ { .sampled = 7, .followed = 7 }, false, false, 0, 0, "too few" },
		{ { .sampled = 8, .followed = 8 }, true, true, 0, 0, "all are clients" },
		{ { .sampled = 8 }, true, true, 1000000, 0, "none is" },
		{ { .sampled = 8, .followed = 9 }, true, true, 0, 0, "one of the window before" },
		{ { .sampled = 16, .lost = 8, .followed = 4, .repeated = 4 },
		  true,
		  true,
		  500000,
		  250000,
		  "of those that are known" },
		{ { .sampled = 15, .lost = 8 }, false, true, 0, 0, "too few are known" },
		{ { .sampled = 8, .lost = 9 }, false, true, 0, 0, "more lost than came" },
		{ { .sampled = 8, .followed = 8, .repeated = 16 },
		  true,
		  true,
		  0,
		  2000000,
		  "twice" },
		{ { .sampled = 8, .followed = 8, .repeated = UINT64_MAX },
		  true,
		  true,
		  0,
		  UINT32_MAX,
		  "absurd" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t silent = 0, repeated = 0;

		if (measure_silent_ppm(&cases[i].flows, &silent) != cases[i].has_silent ||
		    measure_repeated_ppm(&cases[i].flows, &repeated) != cases[i].has_repeated ||
		    silent != cases[i].silent || repeated != cases[i].repeated)
			fail_msg("%s: silent %u, repeated %u", cases[i].why, silent, repeated);
	}
}

#define MEASURE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

SUITE(measure)
{
	const struct CMUnitTest tests[] = {
		MEASURE_TEST(no_page_is_nothing),
		MEASURE_TEST(a_copy_has_what_was_written),
		MEASURE_TEST(a_writer_in_the_middle_of_it_is_waited_for_in_vain),
		MEASURE_TEST(a_page_that_was_overwritten_is_not_believed),
		MEASURE_TEST(counts_beyond_the_page_are_refused_or_cut),
		MEASURE_TEST(a_prefix_that_is_none_is_refused),
		cmocka_unit_test(rates_are_per_second_in_thousandths),
		cmocka_unit_test(ratios_need_enough_flows),
	};

	return cmocka_run_group_tests_name("measure", tests, NULL, NULL);
}
