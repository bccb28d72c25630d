/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading what is proved (pages/proof.c): rows, what is too old, and pages that are not to be believed. */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/page.h"
#include "tests/unit/suite.h"
#include "weir/fwd/reason.h"
#include "weir/proof.h"

#define NOW_MS 1000000u

static char dir[64], path[128];
static struct page *page;
static struct proof *proof;

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/weir-proof-XXXXXX");
	page = NULL;
	proof = NULL;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/" PROOF_PAGE_FILE, dir);
	return 0;
}

static int teardown(void **state)
{
	char command[96];

	(void)state;
	proof_close(proof);
	page_close(page);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static struct addr make_address(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static int by_row(const void *a, const void *b)
{
	return proof_vip_compare(a, b);
}

/* Three rows of two VIPs, one port; the writer lives. */
static struct proof_page *make_page(void)
{
	struct proof_vip vips[] = {
		{ .vip = hash_text("shop"), .address = make_address("203.0.113.10"), .sent = 1 },
		{ .vip = hash_text("shop"), .address = make_address("2001:db8::10"), .sent = 2 },
		{ .vip = hash_text("mail"), .address = make_address("203.0.113.10"), .sent = 3 },
	};
	struct proof_page *p;

	assert_int_equal(
	        page_create(path, PROOF_PAGE_KIND, PROOF_PAGE_LAYOUT, proof_page_bytes(4), &page),
	        0);
	p = page_payload(page);
	p->max_vips = 4;
	for (size_t i = 0; i < 3; i++) {
		vips[i].state = PROOF_STATE_FORWARDED;
		vips[i].reason = PROOF_REASON_NONE;
		vips[i].proved_ms = NOW_MS - 500;
		vips[i].n_services = vips[i].n_serving = vips[i].n_reachable = 2;
	}
	qsort(vips, 3, sizeof(vips[0]), by_row);
	memcpy(proof_page_vips(p), vips, sizeof(vips));
	p->node = (struct proof_node){ .document = 71,
		                       .hops_needed = 3,
		                       .hops_known = 2,
		                       .n_vips = 3,
		                       .n_ports = 1,
		                       .state_arrived = PROOF_YES,
		                       .driver = "xdp" };
	p->node.ports[0] = (struct proof_port){ "eth0", 5, 99, PROOF_YES, PROOF_NO, { 0 } };
	page_alive(page, NOW_MS - PROOF_OLD_MS);
	assert_int_equal(proof_open(dir, &proof), 0);
	return p;
}

/* From the copy that is there. */
static int read_copied(const char *vip, const char *text, uint64_t now_ms, struct proof_vip *out)
{
	struct addr a = make_address(text);

	return proof_vip(proof, hash_text(vip), &a, now_ms, out);
}

static int read_vip(const char *vip, const char *text, uint64_t now_ms, struct proof_vip *out)
{
	int err = proof_copy(proof);

	return err ? err : read_copied(vip, text, now_ms, out);
}

static int read_node(uint64_t now_ms, struct proof_node *out)
{
	int err = proof_copy(proof);

	return err ? err : proof_node(proof, now_ms, out);
}

static void each_row_is_found_by_its_name_and_address(void **state)
{
	struct proof_vip vip = { .sent = 9 };
	struct proof_node node;

	(void)state;
	make_page();
	assert_int_equal(read_vip("ftp", "203.0.113.10", NOW_MS, &vip), -ENOENT);
	assert_int_equal(read_vip("mail", "2001:db8::10", NOW_MS, &vip), -ENOENT);
	assert_int_equal(vip.sent, 9);
	assert_int_equal(read_vip("shop", "203.0.113.10", NOW_MS, &vip), 0);
	assert_int_equal(vip.sent, 1);
	assert_int_equal(vip.state, PROOF_STATE_FORWARDED);
	assert_int_equal(read_vip("shop", "2001:db8::10", NOW_MS, &vip), 0);
	assert_int_equal(vip.sent, 2);
	assert_int_equal(read_vip("mail", "203.0.113.10", NOW_MS, &vip), 0);
	assert_int_equal(vip.sent, 3);
	assert_int_equal(read_node(NOW_MS, &node), 0);
	assert_int_equal(node.document, 71);
	assert_int_equal(node.writer_pid, getpid());
	assert_int_equal(node.alive_ms, NOW_MS - PROOF_OLD_MS);
	assert_int_equal(node.ports[0].attached, PROOF_NO);
	assert_int_equal(node.ports[0].program, 99);
}

/* A no of a writer that is silent is no evidence. */
static void what_a_silent_writer_said_is_unknown(void **state)
{
	struct proof_node node;
	struct proof_vip vip;

	(void)state;
	make_page();
	assert_int_equal(read_node(NOW_MS + 1, &node), 0);
	assert_int_equal(node.document, 0);
	assert_int_equal(node.state_arrived, PROOF_UNKNOWN);
	assert_int_equal(node.hops_needed, 0);
	assert_int_equal(node.hops_known, 0);
	assert_int_equal(node.n_ports, 1);
	assert_int_equal(node.ports[0].up, PROOF_UNKNOWN);
	assert_int_equal(node.ports[0].attached, PROOF_UNKNOWN);
	assert_int_equal(read_vip("shop", "203.0.113.10", NOW_MS + 1, &vip), 0);
	assert_int_equal(vip.state, PROOF_STATE_UNKNOWN);
	assert_int_equal(vip.reason, PROOF_REASON_NONE);
	assert_int_equal(vip.n_services, 0);
	assert_int_equal(vip.n_serving, 0);
	page_alive(page, NOW_MS + 5000); /* a reader's clock was read before the writer's */
	assert_int_equal(read_vip("shop", "203.0.113.10", NOW_MS, &vip), 0);
	assert_int_equal(vip.state, PROOF_STATE_FORWARDED);
}

static void a_refusal_of_a_silent_writer_is_unknown_too(void **state)
{
	struct proof_page *p = make_page();
	struct proof_vip vip;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		proof_page_vips(p)[i].state = PROOF_STATE_REFUSED;
		proof_page_vips(p)[i].reason = FWD_REASON_NO_BACKEND;
	}
	assert_int_equal(read_vip("shop", "203.0.113.10", NOW_MS, &vip), 0);
	assert_int_equal(vip.state, PROOF_STATE_REFUSED);
	assert_int_equal(vip.reason, FWD_REASON_NO_BACKEND);
	assert_int_equal(read_vip("shop", "203.0.113.10", NOW_MS + 1, &vip), 0);
	assert_int_equal(vip.state, PROOF_STATE_UNKNOWN);
}

static void an_address_whose_proof_is_old_is_unknown(void **state)
{
	struct proof_vip vip;
	uint64_t last_ms = NOW_MS - 500 + PROOF_VIP_OLD_MS;

	(void)state;
	make_page();
	page_alive(page, last_ms);
	assert_int_equal(read_vip("shop", "203.0.113.10", last_ms, &vip), 0);
	assert_int_equal(vip.state, PROOF_STATE_FORWARDED);
	assert_int_equal(read_vip("shop", "203.0.113.10", last_ms + 1, &vip), 0);
	assert_int_equal(vip.state, PROOF_STATE_UNKNOWN);
	assert_int_equal(vip.n_serving, 2); /* what the writer says of pools is of now */
}

static void a_copy_is_of_one_moment(void **state)
{
	struct proof_page *p = make_page();
	struct proof_vip vip;
	struct proof_node node;

	(void)state;
	assert_int_equal(proof_node(proof, NOW_MS, &node), -ENOENT);
	assert_int_equal(read_copied("shop", "203.0.113.10", NOW_MS, &vip), -ENOENT);
	assert_int_equal(proof_copy(proof), 0);
	p->node.document = 72;
	proof_page_vips(p)[0].sent = 99;
	p->seq += 2;
	assert_int_equal(proof_node(proof, NOW_MS, &node), 0);
	assert_int_equal(node.document, 71);
	assert_int_equal(node.alive_ms, NOW_MS - PROOF_OLD_MS);
	assert_int_equal(node.writer_pid, getpid());
	assert_int_equal(read_copied("shop", "203.0.113.10", NOW_MS, &vip), 0);
	assert_int_equal(vip.sent, 1);
	assert_int_equal(read_copied("mail", "203.0.113.10", NOW_MS, &vip), 0);
	assert_int_equal(vip.sent, 3);
	assert_int_equal(read_copied("ftp", "203.0.113.10", NOW_MS, &vip), -ENOENT);
	assert_int_equal(proof_copy(proof), 0);
	assert_int_equal(proof_node(proof, NOW_MS, &node), 0);
	assert_int_equal(node.document, 72);
}

/* A write that never ends leaves the copy before, which grows old; nothing is waited for. */
static void a_copy_does_not_wait_for_the_writer(void **state)
{
	struct proof_page *p = make_page();
	uint64_t began_ns, took_ns;
	struct proof_node node;
	struct proof_vip vip;

	(void)state;
	p->seq = 7;
	assert_int_equal(proof_copy(proof), -EAGAIN);
	p->seq = 8;
	assert_int_equal(proof_copy(proof), 0);
	p->seq = 9;
	proof_page_vips(p)[0].state = proof_page_vips(p)[1].state = PROOF_STATE_REFUSED;
	page_alive(page, NOW_MS + 60000);
	began_ns = clock_mono_ns();
	for (int i = 0; i < 100; i++)
		assert_int_equal(proof_copy(proof), 0);
	took_ns = clock_mono_ns() - began_ns;
	assert_true(took_ns < 100000000); /* with waits it was seconds */
	assert_int_equal(read_copied("shop", "203.0.113.10", NOW_MS, &vip), 0);
	assert_int_equal(vip.state, PROOF_STATE_FORWARDED);
	assert_int_equal(read_copied("shop", "203.0.113.10", NOW_MS + 1, &vip), 0);
	assert_int_equal(vip.state, PROOF_STATE_UNKNOWN);
	assert_int_equal(proof_node(proof, NOW_MS + 1, &node), 0);
	assert_int_equal(node.ports[0].up, PROOF_UNKNOWN);
}

static void a_copy_trusts_no_counts(void **state)
{
	struct proof_page *p = make_page();
	struct proof_node node;
	struct proof_vip vip;

	(void)state;
	p->node.n_vips = p->node.n_ports = UINT32_MAX;
	memset(p->node.driver, 'x', sizeof(p->node.driver));
	memset(p->node.ports[0].interface, 'x', PROOF_INTERFACE);
	assert_int_equal(proof_copy(proof), 0);
	assert_int_equal(read_copied("ftp", "203.0.113.10", NOW_MS, &vip), -ENOENT);
	assert_int_equal(proof_node(proof, NOW_MS, &node), 0);
	assert_int_equal(node.n_vips, 4);
	assert_int_equal(node.n_ports, PROOF_PORTS_MAX);
	assert_int_equal(strlen(node.driver), PROOF_DRIVER_MAX - 1);
	assert_int_equal(strlen(node.ports[0].interface), PROOF_INTERFACE - 1);
	p->max_vips = UINT32_MAX;
	p->seq += 2;
	assert_int_equal(proof_copy(proof), -EPROTO);
	p->max_vips = 5;
	assert_int_equal(proof_copy(proof), -EPROTO);
	assert_int_equal(proof_node(proof, NOW_MS, &node), -ENOENT);
	p->max_vips = 4;
	assert_int_equal(proof_copy(proof), 0);
	assert_int_equal(truncate(path, 100), 0);
	assert_int_equal(proof_copy(proof), -ESTALE);
	assert_int_equal(proof_node(proof, NOW_MS, &node), -ENOENT);
}

static atomic_bool ends;

/* A writer that says at each moment what it likes. */
static void *change_counts(void *arg)
{
	struct proof_page *p = arg;

	while (!ends) {
		__atomic_store_n(&p->node.n_vips, UINT32_MAX, __ATOMIC_RELAXED);
		__atomic_store_n(&p->max_vips, UINT32_MAX, __ATOMIC_RELAXED);
		__atomic_store_n(&p->max_vips, 4, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void counts_that_change_while_they_are_read_lead_nowhere(void **state)
{
	struct proof_page *p = make_page();
	pthread_t writer;

	(void)state;
	ends = false;
	assert_int_equal(pthread_create(&writer, NULL, change_counts, p), 0);
	for (int i = 0; i < 100000; i++) {
		struct proof_vip vip;

		p->seq += 2; /* else the copy before is taken */
		int got = read_vip("none", "203.0.113.11", NOW_MS, &vip);

		assert_true(got == -ENOENT || got == -EPROTO);
	}
	ends = true;
	assert_int_equal(pthread_join(writer, NULL), 0);
}

#define MANY 2000u /* rows: a copy takes longer than a write */

/* A writer that writes one number in the node and in all rows. */
static void *write_numbers(void *arg)
{
	struct proof_page *p = arg;

	for (uint32_t n = 1; !ends; n++) {
		uint32_t odd = page_rows_begin(&p->seq);

		p->node.document = n;
		for (uint32_t i = 0; i < MANY; i++)
			proof_page_vips(p)[i].sent = n;
		page_rows_end(&p->seq, odd);
		usleep(20);
	}
	return NULL;
}

static void a_copy_made_during_a_write_is_given_to_nobody(void **state)
{
	static const struct addr none;
	struct proof_page *p;
	unsigned n = 0;
	pthread_t writer;

	(void)state;
	assert_int_equal(page_create(path, PROOF_PAGE_KIND, PROOF_PAGE_LAYOUT,
	                             proof_page_bytes(MANY), &page),
	                 0);
	p = page_payload(page);
	p->max_vips = p->node.n_vips = MANY;
	for (uint32_t i = 0; i < MANY; i++)
		proof_page_vips(p)[i].vip = i;
	page_alive(page, NOW_MS);
	assert_int_equal(proof_open(dir, &proof), 0);
	ends = false;
	assert_int_equal(pthread_create(&writer, NULL, write_numbers, p), 0);
	for (int i = 0; i < 20000; i++) {
		struct proof_node node;
		struct proof_vip vip;

		if (read_node(NOW_MS, &node))
			continue;
		n++;
		assert_int_equal(proof_vip(proof, MANY - 1, &none, NOW_MS, &vip), 0);
		assert_int_equal(vip.sent, node.document);
	}
	ends = true;
	assert_int_equal(pthread_join(writer, NULL), 0);
	assert_true(n > 0);
}

static void a_page_that_is_replaced_or_cut_short_is_to_be_opened_again(void **state)
{
	(void)state;
	make_page();
	page_close(page);
	assert_int_equal(
	        page_create(path, PROOF_PAGE_KIND, PROOF_PAGE_LAYOUT, proof_page_bytes(64), &page),
	        0);
	assert_int_equal(proof_copy(proof), -ESTALE);
	proof_close(proof);
	assert_int_equal(proof_open(dir, &proof), 0);
	assert_int_equal(proof_copy(proof), 0);
	assert_int_equal(truncate(path, 100), 0);
	assert_int_equal(proof_copy(proof), -ESTALE);
}

static void what_is_no_such_page_is_not_opened(void **state)
{
	struct proof *p = NULL;

	(void)state;
	assert_int_equal(proof_open(dir, &p), -ENOENT);
	assert_int_equal(page_create(path, PROOF_PAGE_KIND, PROOF_PAGE_LAYOUT, 64, &page), 0);
	assert_int_equal(proof_open(dir, &p), -EPROTO);
	page_close(page);
	assert_int_equal(page_create(path, PROOF_PAGE_KIND, PROOF_PAGE_LAYOUT + 1,
	                             proof_page_bytes(1), &page),
	                 0);
	assert_int_equal(proof_open(dir, &p), -EPROTO);
	assert_null(p);
	proof_close(NULL);
}

static void states_facts_and_reasons_have_words(void **state)
{
	(void)state;
	assert_string_equal(proof_state_text(PROOF_STATE_UNKNOWN), "unknown");
	assert_string_equal(proof_state_text(PROOF_STATE_FORWARDED), "forwarded");
	assert_string_equal(proof_state_text(PROOF_STATE_REFUSED), "refused");
	assert_string_equal(proof_state_text((enum proof_state)9), "unknown");
	assert_string_equal(proof_fact_text(PROOF_UNKNOWN), "unknown");
	assert_string_equal(proof_fact_text(PROOF_NO), "no");
	assert_string_equal(proof_fact_text(PROOF_YES), "yes");
	assert_string_equal(proof_fact_text((enum proof_fact)9), "unknown");
	assert_string_equal(proof_reason_text(FWD_REASON_NO_BACKEND), "no_backend");
	assert_string_equal(proof_reason_text(FWD_REASON_COUNT), "");
	assert_string_equal(proof_reason_text(PROOF_REASON_NONE), "");
	assert_string_equal(proof_reason_text(PROOF_REASON_PROGRAM), "program");
	assert_string_equal(proof_reason_text(PROOF_REASON_OUTPUT), "output");
	assert_string_equal(proof_reason_text(PROOF_REASON_STALLED), "stalled");
	assert_string_equal(proof_reason_text(255), "");
}

SUITE(proof)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(each_row_is_found_by_its_name_and_address),
		T(what_a_silent_writer_said_is_unknown),
		T(a_refusal_of_a_silent_writer_is_unknown_too),
		T(an_address_whose_proof_is_old_is_unknown),
		T(a_copy_is_of_one_moment),
		T(a_copy_does_not_wait_for_the_writer),
		T(a_copy_trusts_no_counts),
		T(a_copy_made_during_a_write_is_given_to_nobody),
		T(counts_that_change_while_they_are_read_lead_nowhere),
		T(a_page_that_is_replaced_or_cut_short_is_to_be_opened_again),
		T(what_is_no_such_page_is_not_opened),
		T(states_facts_and_reasons_have_words),
	};

	return cmocka_run_group_tests_name("proof", tests, NULL, NULL);
}
