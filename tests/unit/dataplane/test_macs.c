/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/nexthop/links.h"
#include "dataplane/tables/macs.h"
#include "tests/fwd/memory.h"
#include "tests/unit/dataplane/link_message.h"
#include "tests/unit/suite.h"
#include "weir/model.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct driver_sizes sizes = { 4, 4, 1, 4, 32, 4 };

struct fixture {
	struct links *links;
	struct fwd_tables t;
	struct model_port ports[2];
	struct model_node self;
	struct macs macs;
};

static void on_change(void *arg)
{
	(void)arg;
}

static int set_up(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	f.links = links_new(on_change, NULL);
	assert_non_null(f.links);
	memory_new(&f.t, &sizes, 1);
	f.ports[0] = (struct model_port){ .interface = "eth0", .device = "" };
	f.ports[1] = (struct model_port){ .interface = "eth1", .device = "" };
	f.self.ports = f.ports;
	f.self.n_ports = 2;
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	links_close(f->links);
	memory_free(&f->t);
	return 0;
}

static void hear_link(struct fixture *f, const struct link_message *m)
{
	char bytes[MESSAGE_BYTES];

	links_hear(f->links, bytes, write_message(bytes, m));
}

static void keep_macs(struct fixture *f)
{
	macs_gather(f->links, &f->self, &f->macs);
	macs_write(&f->t, &f->macs);
}

/* Whether a frame to 02:00:00:00:00:@p last that comes in by @p ifindex is ours. */
static bool is_own(const struct fixture *f, uint8_t last, uint32_t ifindex)
{
	uint8_t frame[14] = { 2, 0, 0, 0, 0, last };
	struct fwd_packet packet = { frame, frame + sizeof(frame), frame };

	return fwd_addressee(&f->t, f->t.root, &packet, ifindex) == FWD_ADDRESSEE_US;
}

static void a_port_has_its_own_address_and_those_stacked_on_it(void **state)
{
	static const struct link_message m[] = {
		{ .ifindex = 2, .name = "eth0" },
		{ .ifindex = 3, .name = "eth1" },
		{ .ifindex = 4, .name = "eth0.5", .kind = "vlan", .link = 2, .mac = 40 },
		{ .ifindex = 5, .name = "vrrp", .kind = "macvlan", .link = 4, .mac = 50 },
		{ .ifindex = 6, .name = "eth9", .mac = 60 },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(m); i++)
		hear_link(f, &m[i]);
	keep_macs(f);
	assert_true(is_own(f, 2, 2) && is_own(f, 40, 2) && is_own(f, 50, 2) && is_own(f, 3, 3));
	assert_false(is_own(f, 3, 2) || is_own(f, 2, 3) || is_own(f, 60, 2) || is_own(f, 60, 6));
	assert_int_equal(f->macs.n, 4);
}

static void a_documents_addresses_belong_to_their_port(void **state)
{
	static const struct model_mac macs[] = { { { 2, 0, 0, 0, 0, 77 } },
		                                 { { 2, 0, 0, 0, 0, 78 } } };
	static const struct link_message m[] = { { .ifindex = 2, .name = "eth0" },
		                                 { .ifindex = 3, .name = "eth1" } };
	struct fixture *f = *state;

	f->ports[1].macs = macs;
	f->ports[1].n_macs = 2;
	keep_macs(f);
	assert_int_equal(f->macs.n, 0); /* before there is an interface */
	hear_link(f, &m[0]);
	hear_link(f, &m[1]);
	keep_macs(f);
	assert_true(is_own(f, 77, 3) && is_own(f, 78, 3));
	assert_false(is_own(f, 77, 2));
	f->ports[1].n_macs = 1;
	keep_macs(f);
	assert_true(is_own(f, 77, 3));
	assert_false(is_own(f, 78, 3));
}

static void changes_are_followed(void **state)
{
	static const struct link_message first = { .ifindex = 2, .name = "eth0" },
	                                 changed = { .ifindex = 2, .name = "eth0", .mac = 9 },
	                                 gone = { .ifindex = 2, .name = "eth0", .gone = true },
	                                 anew = { .ifindex = 8, .name = "eth0", .mac = 9 };
	struct fixture *f = *state;

	hear_link(f, &first);
	keep_macs(f);
	assert_true(is_own(f, 2, 2));
	hear_link(f, &changed);
	keep_macs(f);
	assert_true(is_own(f, 9, 2));
	assert_false(is_own(f, 2, 2));
	assert_false(macs_write(&f->t, &f->macs));
	hear_link(f, &gone);
	keep_macs(f);
	assert_false(is_own(f, 9, 2));
	hear_link(f, &anew);
	keep_macs(f);
	assert_true(is_own(f, 9, 8));
}

static void frames_of_a_bond_come_in_by_its_parts(void **state)
{
	static const struct link_message m[] = {
		{ .ifindex = 2, .name = "eth0", .kind = "bond" },
		{ .ifindex = 6, .name = "p0", .master = 2, .mac = 60 },
		{ .ifindex = 7, .name = "p1", .master = 2, .mac = 2 },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(m); i++)
		hear_link(f, &m[i]);
	keep_macs(f);
	assert_true(is_own(f, 2, 2) && is_own(f, 2, 6) && is_own(f, 60, 6) && is_own(f, 2, 7));
	assert_false(is_own(f, 60, 7));
}

static void more_than_there_is_room_for_is_counted_and_the_ports_own_are_in(void **state)
{
	struct link_message m = { .name = "eth0", .ifindex = 2 };
	struct fixture *f = *state;

	hear_link(f, &m);
	m = (struct link_message){ .name = "eth1", .ifindex = 3 };
	hear_link(f, &m);
	for (m.ifindex = 10; m.ifindex < 10 + 400; m.ifindex++) {
		m.name = "mac";
		m.kind = "macvlan";
		m.link = 2;
		m.mac = (uint8_t)m.ifindex;
		m.mac_above = (uint8_t)(m.ifindex >> 8);
		hear_link(f, &m);
	}
	keep_macs(f);
	assert_int_equal(f->macs.n, MACS_MAX);
	assert_true(f->macs.n_left_out > 0);
	assert_true(is_own(f, 2, 2));
	assert_true(is_own(f, 3, 3));
}

/* Twelve addresses lie in root and in sets; each leaves wherever it lies, says that it changed, and makes room. */
static void an_address_that_leaves_is_own_no_more_wherever_it_lay(void **state)
{
	struct fixture *f = *state;

	for (uint8_t out = 0; out < 12; out++) {
		struct macs m = { 0 };

		for (uint8_t i = 0; i < 12; i++)
			m.word[m.n++] = fwd_mac_word(2 | (uint64_t)(100 + i) << 40, 2);
		(void)macs_write(&f->t, &m);
		for (uint8_t i = 0; i < 12; i++)
			assert_true(fwd_mac_find(&f->t, f->t.root, m.word[i]));
		const uint64_t left = m.word[out];

		m.word[out] = m.word[--m.n];
		assert_true(macs_write(&f->t, &m));
		assert_false(fwd_mac_find(&f->t, f->t.root, left));
		for (size_t i = 0; i < m.n; i++)
			assert_true(fwd_mac_find(&f->t, f->t.root, m.word[i]));
		assert_false(macs_write(&f->t, &m));
		assert_int_equal(m.n_left_out, 0);
	}
}

/* Addresses whose words all belong to one set, so that some have no place though the table is nearly empty. */
static void a_full_set_is_used_to_its_last_place_and_what_is_left_is_counted(void **state)
{
	struct fixture *f = *state;
	struct macs m = { 0 };
	uint32_t set = 0;

	for (uint64_t i = 0; m.n < FWD_MACS_FIRST + FWD_MAC_WAYS + 2; i++) {
		uint64_t word = fwd_mac_word(2 | i << 24, 2);

		if (m.n == 0)
			set = fwd_mac_bucket(word);
		if (fwd_mac_bucket(word) == set)
			m.word[m.n++] = word;
	}
	assert_true(macs_write(&f->t, &m));
	for (size_t i = 0; i < m.n; i++)
		assert_int_equal(fwd_mac_find(&f->t, f->t.root, m.word[i]),
		                 i < FWD_MACS_FIRST + FWD_MAC_WAYS);
	assert_int_equal(m.n_left_out, 2);
}

static void an_address_of_nobody_or_of_many_is_never_own(void **state)
{
	static const struct model_mac macs[] = { { { 0 } }, { { 1, 0, 0, 0, 0, 1 } } };
	static const struct link_message m = { .ifindex = 2, .name = "eth0" };
	struct fixture *f = *state;

	f->ports[0].macs = macs;
	f->ports[0].n_macs = 2;
	hear_link(f, &m);
	keep_macs(f);
	assert_int_equal(f->macs.n, 1);
}

SUITE(macs)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(a_port_has_its_own_address_and_those_stacked_on_it),
		T(a_documents_addresses_belong_to_their_port),
		T(changes_are_followed),
		T(frames_of_a_bond_come_in_by_its_parts),
		T(more_than_there_is_room_for_is_counted_and_the_ports_own_are_in),
		T(an_address_that_leaves_is_own_no_more_wherever_it_lay),
		T(a_full_set_is_used_to_its_last_place_and_what_is_left_is_counted),
		T(an_address_of_nobody_or_of_many_is_never_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
