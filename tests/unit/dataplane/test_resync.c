/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What links and next hops keep, and forget, when the kernel's messages were lost or a port goes.
 * The kernel is the test's.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "dataplane/nexthop/rtnl.h"

static int answer;
static uint64_t clock_ms;

static int read_rows(rtnl_on_fact *take, void *arg)
{
	static const struct rtnl_fact row = {
		.kind = RTNL_LINK, .link = { .ifindex = 7, .name = "eth7", .up = true }
	};

	if (!answer)
		(void)take(arg, &row);
	return answer;
}

#define clock_mono_ms() clock_ms
#define rtnl_query(socket, b, nb, q, nq, seq, take, at)                                            \
	((void)(socket), (void)(nq), read_rows(take, at))
#define apply_dump_row take_link_row
#include "dataplane/nexthop/links.c"
#undef rtnl_query
#undef apply_dump_row
#undef clock_mono_ms

#define on_hops_message on_hop_news
#include "dataplane/nexthop/hops.c"

static unsigned n_changes;

static void note_change(void *arg)
{
	(void)arg;
	n_changes++;
}

static void a_table_that_cannot_be_read_is_asked_for_again(void **state)
{
	struct links *l = links_new(note_change, NULL);
	int socket; /* any that is not NULL */

	(void)state;
	assert_non_null(l);
	assert_int_equal(loop_open(&l->loop), 0);
	clock_ms = 5000;
	assert_int_equal(links_read(l), -ENOTCONN);
	l->queries = (struct mnl_socket *)&socket;
	answer = -EINTR;
	for (unsigned i = 1; i <= 3; i++) {
		on_retry(l);
		assert_true(l->retry.heap_index != 0);
		assert_int_equal(l->retry.at_ms, clock_ms + RETRY_MS);
		loop_timer_cancel(l->loop, &l->retry);
		clock_ms += 1000;
	}
	assert_int_equal(n_changes, 0);
	answer = 0;
	on_retry(l);
	assert_int_equal(l->retry.heap_index, 0);
	assert_int_equal(n_changes, 1);
	assert_non_null(links_find(l, 7));
	answer = -EIO; /* what was known stays */
	on_retry(l);
	assert_non_null(links_named(l, "eth7"));
	loop_timer_cancel(l->loop, &l->retry);
	loop_close(l->loop);
	l->loop = NULL;
	l->queries = NULL;
	links_close(l);
}

static void a_port_is_up_as_long_as_before_only_if_it_was_up(void **state)
{
	struct hop_link now[3] = { { { .ifindex = 1, .up = true }, 900 },
		                   { { .ifindex = 2, .up = true }, 900 },
		                   { { .ifindex = 3, .up = true }, 900 } };
	struct hop_link before[2] = { { { .ifindex = 2, .up = true }, 40 },
		                      { { .ifindex = 1, .up = false }, 30 } };
	struct hops h = { .links = now, .n_links = 3, .old_links = before };

	(void)state;
	keep_up_since(&h, 2);
	assert_int_equal(now[0].up_ms, 900); /* it came up meanwhile */
	assert_int_equal(now[1].up_ms, 40);
	assert_int_equal(now[2].up_ms, 900); /* it is new */
}

static void what_was_not_answered_on_a_port_that_goes_is_forgiven(void **state)
{
	static const struct {
		bool was_up, gone, up, forgiven;
	} cases[] = { { true, false, false, true },
		      { true, true, false, true },
		      { true, true, true, true },
		      { true, false, true, false },
		      { false, false, false, false } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct hop_link links[HOP_LINKS_MAX] = { { { .ifindex = 5, .up = cases[i].was_up },
			                                   0 } };
		struct via vias[3] = { { .ifindex = 5, .refs = 1, .failed_ms = 70 },
			               { .ifindex = 6, .refs = 1, .failed_ms = 71 },
			               { .ifindex = 5, .refs = 1, .failed_ms = 72 } };
		struct hops h = { .links = links, .n_links = 1, .vias = vias, .top_via = 3 };
		const struct rtnl_link news = { .ifindex = 5,
			                        .gone = cases[i].gone,
			                        .up = cases[i].up };

		apply_link(&h, &news);
		assert_int_equal(vias[0].failed_ms, cases[i].forgiven ? 0 : 70);
		assert_int_equal(vias[1].failed_ms, 71); /* another port's */
		assert_int_equal(vias[2].failed_ms, cases[i].forgiven ? 0 : 72);
		assert_int_equal(h.n_links, cases[i].gone ? 0 : 1);
	}
}

/* More than there are chains: each next hop is found again, by its address and its port. */
static void each_next_hop_is_found_behind_others(void **state)
{
	enum { VIAS = HOP_BUCKETS + 100 };
	struct hops *h = calloc(1, sizeof(*h));

	(void)state;
	assert_non_null(h);
	h->vias = calloc(VIAS, sizeof(*h->vias));
	h->max = VIAS;
	assert_non_null(h->vias);
	assert_int_equal(loop_open(&h->loop), 0);
	memset(h->via_buckets, 0xff, sizeof(h->via_buckets));
	for (uint32_t refs = 1; refs <= 2; refs++)
		for (uint32_t i = 0; i < VIAS; i++) {
			const uint8_t address[4] = { 10, 0, (uint8_t)(i >> 9), (uint8_t)(i >> 1) };
			const struct addr a = addr_from4(address);

			assert_int_equal(reference_via(h, &a, 5 + i % 2), i);
			assert_int_equal(h->vias[i].refs, refs);
		}
	loop_close(h->loop);
	free(h->vias);
	free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_table_that_cannot_be_read_is_asked_for_again),
		cmocka_unit_test(a_port_is_up_as_long_as_before_only_if_it_was_up),
		cmocka_unit_test(what_was_not_answered_on_a_port_that_goes_is_forgiven),
		cmocka_unit_test(each_next_hop_is_found_behind_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
