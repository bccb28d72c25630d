/* SPDX-License-Identifier: BSD-2-Clause */
/* The announce page: what is published is read whole, and nothing of it is trusted. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/page.h"
#include "tests/unit/suite.h"
#include "weir/announce.h"

static char dir[] = "/tmp/weir-announced.XXXXXX";
static struct announced_address rows[ANNOUNCED_MAX + 1], got[ANNOUNCED_MAX + 1];
static struct announced_neighbour neighbours[ANNOUNCED_NEIGHBOURS_MAX + 1];
static struct announced_neighbour got_neighbours[ANNOUNCED_NEIGHBOURS_MAX];

static struct announced_page *create_page(void)
{
	struct announced_page *p = NULL;

	assert_int_equal(announced_create(dir, &p), 0);
	return p;
}

static void what_is_published_is_read(void **state)
{
	(void)state;
	struct announced_page *w = create_page(), *r = NULL;
	struct announced_node node = { .document = 7, .incarnation = 9, .daemon = "bird" }, out;

	rows[0] = (struct announced_address){ .vip = 5, .table = ANNOUNCE_NORMAL, .exported = 3 };
	rows[1] = (struct announced_address){ .vip = 6, .reason = ANNOUNCE_REASON_HELD };
	snprintf(neighbours[0].name, sizeof(neighbours[0].name), "upstream");
	announced_publish(w, &node, rows, 2, neighbours, 1, 4321);
	assert_int_equal(announced_open(dir, &r), 0);
	assert_int_equal(announced_read(r, &out, got, 2, got_neighbours), 0);
	assert_int_equal(out.document, 7);
	assert_int_equal(out.alive_ms, 4321);
	assert_int_equal(out.n_addresses, 2);
	assert_int_equal(out.n_neighbours, 1);
	assert_string_equal(out.daemon, "bird");
	assert_memory_equal(got, rows, 2 * sizeof(rows[0]));
	assert_string_equal(got_neighbours[0].name, "upstream");
	announced_publish(w, &node, NULL, 0, NULL, 0, 4400);
	assert_int_equal(announced_read(r, &out, got, 0, NULL), 0);
	assert_int_equal(out.n_addresses, 0);
	announced_close(r);
	announced_close(w);
}

static void more_than_fits_is_left_out(void **state)
{
	(void)state;
	struct announced_page *w = create_page();
	struct announced_node node = { 0 }, out;

	announced_publish(w, &node, rows, ANNOUNCED_MAX + 1, neighbours,
	                  ANNOUNCED_NEIGHBOURS_MAX + 1, 1);
	assert_int_equal(announced_read(w, &out, got, 1, got_neighbours), 0);
	assert_int_equal(out.n_addresses, ANNOUNCED_MAX);
	assert_int_equal(out.n_neighbours, ANNOUNCED_NEIGHBOURS_MAX);
	announced_close(w);
}

static void the_page_outlives_its_writer(void **state)
{
	(void)state;
	struct announced_page *w = create_page();
	struct announced_node node = { .document = 8 }, out;

	announced_publish(w, &node, rows, 1, NULL, 0, 5);
	announced_close(w);
	w = create_page();
	assert_int_equal(announced_read(w, &out, got, 1, NULL), 0);
	assert_int_equal(out.document, 8);
	announced_close(w);
}

/* Write at an offset of the page's file. */
static void damage_page(off_t at, const void *bytes, size_t n)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/" ANNOUNCED_PAGE_FILE, dir);
	fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, n, at), n);
	close(fd);
}

static void counts_and_texts_of_a_page_are_not_trusted(void **state)
{
	(void)state;
	const off_t node_off = (off_t)sizeof(struct page_header) + 8;
	struct announced_page *w = create_page(), *r = NULL;
	struct announced_node node = { 0 }, out;
	char text[ANNOUNCED_TEXT_MAX];
	uint32_t n = UINT32_MAX;

	announced_publish(w, &node, rows, 1, neighbours, 1, 5);
	assert_int_equal(announced_open(dir, &r), 0);
	memset(text, 'x', sizeof(text));
	damage_page(node_off + (off_t)offsetof(struct announced_node, version), text, sizeof(text));
	assert_int_equal(announced_read(r, &out, got, 1, NULL), 0);
	assert_int_equal(strlen(out.version), ANNOUNCED_TEXT_MAX - 1);
	damage_page(node_off + (off_t)offsetof(struct announced_node, n_addresses), &n, sizeof(n));
	assert_int_equal(announced_read(r, &out, got, ANNOUNCED_MAX, got_neighbours), -EPROTO);
	got[ANNOUNCED_MAX].vip =
	        77; /* what lies behind the page's rows is not read, with room for it */
	assert_int_equal(announced_read(r, &out, got, ANNOUNCED_MAX + 1, NULL), -EPROTO);
	assert_int_equal(got[ANNOUNCED_MAX].vip, 77);
	announced_publish(w, &node, rows, 1, neighbours, 1, 5);
	damage_page(node_off + (off_t)offsetof(struct announced_node, n_neighbours), &n, sizeof(n));
	assert_int_equal(announced_read(r, &out, got, ANNOUNCED_MAX, got_neighbours), -EPROTO);
	n = 1;
	damage_page(sizeof(struct page_header), &n,
	            sizeof(n)); /* a writer that died in the middle */
	assert_int_equal(announced_read(r, &out, got, 1, NULL), -EAGAIN);
	announced_publish(w, &node, rows, 1, neighbours, 1, 5);
	assert_int_equal(announced_read(r, &out, got, 1, NULL), 0);
	announced_close(r);
	announced_close(w);
}

#define MANY 2000u

/* A process of its own, as for real: it writes until it is killed. */
static void publish_rounds(struct announced_page *w)
{
	static struct announced_address list[MANY];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (uint64_t round = 1;; round++) {
		const struct announced_node node = { .document = round };

		for (uint32_t i = 0; i < MANY; i++)
			list[i].vip = round;
		announced_publish(w, &node, list, MANY, NULL, 0, round);
		usleep(100);
	}
}

/* The writer begins while the reader copies. */
static void what_is_published_is_never_seen_half(void **state)
{
	(void)state;
	struct announced_page *w = create_page();
	struct announced_node out;
	uint64_t end_ms = clock_mono_ms() + 10000;
	unsigned n_seen = 0;
	bool is_whole = true;
	pid_t writer = fork();

	assert_true(writer >= 0);
	if (writer == 0)
		publish_rounds(w);
	while (is_whole && n_seen < 2000 && clock_mono_ms() < end_ms) {
		if (announced_read(w, &out, got, MANY, NULL) || !out.document)
			continue;
		for (uint32_t k = 0; k < MANY; k++)
			is_whole &= got[k].vip == out.document;
		n_seen++;
	}
	kill(writer, SIGKILL);
	waitpid(writer, NULL, 0);
	announced_close(w);
	assert_true(is_whole);
	assert_true(n_seen > 10);
}

static void what_a_writer_left_is_read_though_it_died_within_a_write(void **state)
{
	(void)state;
	const off_t node_off = (off_t)sizeof(struct page_header) + 8;
	struct announced_page *w = create_page();
	struct announced_node node = { .table = 7 }, out;
	uint32_t n = UINT32_MAX, odd = 1;

	rows[0] = (struct announced_address){ .vip = 5, .hold_ms = 60000 };
	announced_publish(w, &node, rows, 1, NULL, 0, 5);
	announced_close(w);
	damage_page(sizeof(struct page_header), &odd, sizeof(odd));
	w = create_page();
	assert_int_equal(announced_read(w, &out, got, 1, NULL), -EAGAIN);
	assert_int_equal(announced_read_left(w, &out, got, ANNOUNCED_MAX), 0);
	assert_int_equal(out.table, 7);
	assert_int_equal(out.n_addresses, 1);
	assert_int_equal(got[0].hold_ms, 60000);
	damage_page(node_off + (off_t)offsetof(struct announced_node, n_addresses), &n, sizeof(n));
	assert_int_equal(announced_read_left(w, &out, got, 1), 0);
	assert_int_equal(out.n_addresses, 1);
	announced_close(w);
}

static void a_page_that_is_gone_is_made_again(void **state)
{
	(void)state;
	struct announced_page *w = create_page(), *r = NULL, *again = NULL;
	struct announced_node node = { 0 }, out;
	char path[64];

	announced_publish(w, &node, rows, 1, NULL, 0, 5);
	assert_int_equal(announced_open(dir, &r), 0);
	snprintf(path, sizeof(path), "%s/" ANNOUNCED_PAGE_FILE, dir);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(announced_open(dir, &again), -ENOENT);
	announced_keep(w);
	announced_publish(w, &node, rows, 1, NULL, 0, 6);
	assert_int_equal(announced_read(r, &out, got, 1, NULL), -ESTALE);
	assert_int_equal(announced_open(dir, &again), 0);
	assert_int_equal(announced_read(again, &out, got, 1, NULL), 0);
	assert_int_equal(out.alive_ms, 6);
	announced_close(again);
	announced_close(r);
	announced_close(w);
}

static void each_table_has_its_label(void **state)
{
	(void)state;
	assert_string_equal(announce_table_label(ANNOUNCE_NONE), "none");
	assert_string_equal(announce_table_label(ANNOUNCE_NORMAL), "normal");
	assert_string_equal(announce_table_label(ANNOUNCE_SHUTDOWN), "shutdown");
	assert_string_equal(announce_table_label((enum announce_table)9), "");
}

static int setup(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "%s/" ANNOUNCED_PAGE_FILE, dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/" ANNOUNCED_PAGE_FILE ".lock", dir);
	unlink(path);
	return rmdir(dir);
}

SUITE(announce)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_published_is_read),
		cmocka_unit_test(more_than_fits_is_left_out),
		cmocka_unit_test(the_page_outlives_its_writer),
		cmocka_unit_test(counts_and_texts_of_a_page_are_not_trusted),
		cmocka_unit_test(what_is_published_is_never_seen_half),
		cmocka_unit_test(what_a_writer_left_is_read_though_it_died_within_a_write),
		cmocka_unit_test(a_page_that_is_gone_is_made_again),
		cmocka_unit_test(each_table_has_its_label),
	};

	return cmocka_run_group_tests_name("pages announce", tests, setup, teardown);
}
