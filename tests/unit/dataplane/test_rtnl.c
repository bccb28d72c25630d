/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "dataplane/nexthop/rtnl.h"
#include "tests/unit/dataplane/link_message.h"
#include "tests/unit/mnl_answers.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/*
 * RTM_NEWLINK, index 7, UP and LOWER_UP, Ethernet 02:00:00:00:00:07, MTU 1496, VLAN 5 on index 3.
 */
static const uint8_t
        vlan_link
                [] = {
	                0x64, 0x00, 0x00, 0x00, 0x10, 0x00, 0x00, 0x00, 0x09, 0x00, 0x00,
	                0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x07, 0x00,
	                0x00, 0x00, 0x43, 0x10, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, /* ifinfomsg */
	                0x0a, 0x00, 0x01, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x07, 0x00,
	                0x00,                                           /* address */
	                0x08, 0x00, 0x04, 0x00, 0xd8, 0x05, 0x00, 0x00, /* MTU */
	                0x08, 0x00, 0x05, 0x00, 0x03, 0x00, 0x00, 0x00, /* link */
	                0x28, 0x00, 0x12, 0x00, 0x09, 0x00, 0x01, 0x00, 'v',  'l',  'a',
	                'n',  0x00, 0x00, 0x00, 0x00, 0x18, 0x00, 0x02, 0x00, 0x06, 0x00,
	                0x01, 0x00, 0x05, 0x00, 0x00, 0x00, 0x06, 0x00, 0x05, 0x00, 0x88,
	                0xa8, 0x00, 0x00, 0x04, 0x00, 0x63, 0x00, /* linkinfo: kind, data with id and protocol, and one that nobody knows */
                };

/* RTM_NEWNEIGH, 10.0.0.2 on index 2 is 02:00:00:00:00:99, REACHABLE. */
static const uint8_t neighbour[] = {
	0x30, 0x00, 0x00, 0x00, 0x1c, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00,
	0x02, 0x00, 0x00, 0x01, 0x08, 0x00, 0x01, 0x00, 0x0a, 0x00, 0x00, 0x02,
	0x0a, 0x00, 0x02, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x99, 0x00, 0x00,
};

/* RTM_NEWROUTE, 10.9.1.1 via 10.0.0.2 on index 2, route MTU 1400. */
static const uint8_t route[] = {
	0x40, 0x00, 0x00, 0x00, 0x18, 0x00, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x02, 0x20, 0x00, 0x00, 0xfe, 0x00, 0x00, 0x01, 0x00, 0x02,
	0x00, 0x00, 0x08, 0x00, 0x04, 0x00, 0x02, 0x00, 0x00, 0x00, 0x08, 0x00, 0x05,
	0x00, 0x0a, 0x00, 0x00, 0x02, 0x0c, 0x00, 0x08, 0x00, 0x08, 0x00, 0x02, 0x00,
	0x78, 0x05, 0x00, 0x00, 0x08, 0x00, 0x01, 0x00, 0x0a, 0x09, 0x01, 0x01,
};

static const struct {
	const char *why;
	const uint8_t *bytes;
	size_t n;
} messages[] = {
	{ "a VLAN's link", vlan_link, sizeof(vlan_link) },
	{ "a neighbour", neighbour, sizeof(neighbour) },
	{ "a route", route, sizeof(route) },
};

/* Read a heap copy of exact size, so that a read beyond it is seen. */
static struct rtnl_fact read_copy(const void *bytes, size_t n, size_t *took)
{
	struct rtnl_fact f = { 0 };
	void *copy = malloc(n ? n : 1);

	assert_non_null(copy);
	memcpy(copy, bytes, n);
	*took = rtnl_next(copy, n, &f);
	free(copy);
	return f;
}

static void a_message_that_is_cut_short_is_no_message(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(messages); i++) {
		print_message("  %s\n", messages[i].why);
		for (size_t n = 0; n < messages[i].n; n++) {
			size_t took;

			read_copy(messages[i].bytes, n, &took);
			assert_int_equal(took, 0);
		}
	}
}

/* Cut inside, with a header that agrees: never half a fact with a MAC address of elsewhere. */
static void a_message_whose_header_lies_short_is_not_half_used(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(messages); i++) {
		for (size_t n = 16; n < messages[i].n; n++) {
			uint8_t copy[128];
			struct rtnl_fact f;
			size_t took;

			memcpy(copy, messages[i].bytes, n);
			copy[0] = (uint8_t)n;
			f = read_copy(copy, n, &took);
			assert_int_equal(took, n);
			if (f.kind == RTNL_ROUTE && n < 36)
				assert_false(f.route.reachable);
			if (f.kind == RTNL_NEIGHBOUR && n < 46)
				assert_false(f.neighbour.has_mac);
			if (f.kind == RTNL_LINK && n < 88)
				assert_int_equal(f.link.vlan, 0);
		}
	}
}

static void an_attribute_of_wrong_length_counts_as_missing(void **state)
{
	(void)state;
	uint8_t copy[sizeof(neighbour)];
	struct rtnl_fact f;
	size_t took;

	memcpy(copy, neighbour, sizeof(copy));
	copy[36] = 9; /* five bytes of a MAC address */
	f = read_copy(copy, sizeof(copy), &took);
	assert_int_equal(f.kind, RTNL_NEIGHBOUR);
	assert_false(f.neighbour.has_mac);
	memcpy(copy, neighbour, sizeof(copy));
	copy[28] = 6; /* two bytes of an address */
	f = read_copy(copy, sizeof(copy), &took);
	assert_int_equal(f.kind, RTNL_NOTHING);
}

/* The kernel marks the message that it makes after the change, whichever that is: one that has a fact, or the end. */
static void each_message_can_say_that_the_list_changed_meanwhile(void **state)
{
	(void)state;
	for (size_t i = 0; i <= COUNT(messages); i++)
		for (int marked = 0; marked < 2; marked++) {
			struct nlmsghdr done = { .nlmsg_len = sizeof(done),
				                 .nlmsg_type = NLMSG_DONE };
			bool is_done = i == COUNT(messages);
			size_t n = is_done ? sizeof(done) : messages[i].n, took;
			uint8_t copy[256] __attribute__((aligned(4)));

			memcpy(copy, is_done ? (const void *)&done : messages[i].bytes, n);
			if (marked)
				((struct nlmsghdr *)(void *)copy)->nlmsg_flags |= NLM_F_DUMP_INTR;
			if (read_copy(copy, n, &took).interrupted != (marked == 1))
				fail_msg("%s, %d", is_done ? "the end" : messages[i].why, marked);
		}
}

static void messages_of_no_interest_are_stepped_over(void **state)
{
	(void)state;
	uint8_t two[16 + sizeof(neighbour)] = { 16, 0, 0, 0, 0x54 };
	struct rtnl_fact f;

	memcpy(two + 16, neighbour, sizeof(neighbour));
	assert_int_equal(rtnl_next(two, sizeof(two), &f), 16);
	assert_int_equal(f.kind, RTNL_NOTHING);
	assert_int_equal(rtnl_next(two + 16, sizeof(neighbour), &f), sizeof(neighbour));
	assert_int_equal(f.kind, RTNL_NEIGHBOUR);
}

static void a_vlan_names_its_port_and_id(void **state)
{
	(void)state;
	struct rtnl_fact f;
	size_t took;

	f = read_copy(vlan_link, sizeof(vlan_link), &took);
	assert_int_equal(took, sizeof(vlan_link));
	assert_int_equal(f.kind, RTNL_LINK);
	assert_int_equal(f.seq, 9);
	assert_int_equal(f.link.ifindex, 7);
	assert_int_equal(f.link.lower, 3);
	assert_int_equal(f.link.vlan, 5);
	assert_memory_equal(&f.link.vlan_type_be, "\x88\xa8", 2);
	assert_int_equal(f.link.mtu, 1496);
	assert_true(f.link.up);
	assert_true(f.link.ethernet);
	assert_int_equal(f.link.mac[5], 7);
}

/* No frame can be given to the interface below it, by its number or otherwise: it sends and tags itself. */
static void what_stands_on_another_namespaces_interface_is_a_device(void **state)
{
	static const char *const kinds[] = { "vlan", "macvlan" };

	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		const struct link_message far = {
			.ifindex = 7, .name = "far", .kind = kinds[i], .link = 3, .elsewhere = true
		};
		char bytes[MESSAGE_BYTES] = { 0 };
		size_t n = write_message(bytes, &far), took;
		struct rtnl_fact f = read_copy(bytes, n, &took);

		assert_int_equal(f.kind, RTNL_LINK);
		assert_true(f.link.up && f.link.ethernet);
		assert_int_equal(f.link.kind, RTNL_LINK_OTHER);
		assert_int_equal(f.link.lower, 0);
		assert_int_equal(f.link.vlan, 0);
	}
}

static void a_neighbour_has_a_mac_only_in_a_state_that_says_so(void **state)
{
	(void)state;
	static const struct {
		uint16_t state;
		bool has_mac;
	} cases[] = { { NUD_REACHABLE, true }, { NUD_STALE, true },       { NUD_DELAY, true },
		      { NUD_PROBE, true },     { NUD_PERMANENT, true },   { NUD_NOARP, true },
		      { NUD_FAILED, false },   { NUD_INCOMPLETE, false }, { NUD_NONE, false } };

	for (size_t i = 0; i < COUNT(cases); i++) {
		uint8_t copy[sizeof(neighbour)];
		struct rtnl_fact f;
		size_t took;

		memcpy(copy, neighbour, sizeof(copy));
		copy[24] = (uint8_t)cases[i].state;
		f = read_copy(copy, sizeof(copy), &took);
		assert_int_equal(f.kind, RTNL_NEIGHBOUR);
		assert_int_equal(f.neighbour.has_mac, cases[i].has_mac);
		assert_int_equal(f.neighbour.ifindex, 2);
	}
}

static void a_route_gives_gateway_port_and_mtu(void **state)
{
	(void)state;
	static const uint8_t gateway[4] = { 10, 0, 0, 2 };
	struct addr expected = addr_from4(gateway);
	struct rtnl_fact f;
	size_t took;

	f = read_copy(route, sizeof(route), &took);
	assert_int_equal(f.kind, RTNL_ROUTE);
	assert_true(f.route.reachable);
	assert_true(f.route.has_gateway);
	assert_true(addr_equal(&f.route.gateway, &expected));
	assert_int_equal(f.route.ifindex, 2);
	assert_int_equal(f.route.mtu, 1400);
}

#define ROUTE_BYTES 128u

/* A unicast route of @p family by interface 2, with @p n_gateway bytes of a gateway. */
static size_t write_route(void *out, uint8_t family, uint16_t attribute, const void *gateway,
                          size_t n_gateway)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(out);
	struct rtmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));

	h->nlmsg_type = RTM_NEWROUTE;
	m->rtm_family = family;
	m->rtm_type = RTN_UNICAST;
	mnl_attr_put_u32(h, RTA_OIF, 2);
	mnl_attr_put(h, attribute, n_gateway, gateway);
	return h->nlmsg_len;
}

static const struct {
	const char *why;
	uint8_t family;
	uint16_t attribute;
	uint8_t gateway[2 + 16]; /* RTA_VIA: behind the family, of two bytes */
	size_t n;
	const char *expected; /* NULL: no gateway */
} gateway_rows[] = {
	{ "IPv4", AF_INET, RTA_GATEWAY, { 10, 0, 0, 2 }, 4, "10.0.0.2" },
	{ "IPv6", AF_INET6, RTA_GATEWAY, { 0xfe, 0x80, [15] = 2 }, 16, "fe80::2" },
	{ "IPv6 of an IPv4 route",
	  AF_INET,
	  RTA_VIA,
	  { AF_INET6, 0, 0xfe, 0x80, [17] = 2 },
	  18,
	  "fe80::2" },
	{ "IPv4 as a via", AF_INET6, RTA_VIA, { AF_INET, 0, 10, 0, 0, 2 }, 6, "10.0.0.2" },
	{ "IPv6, cut", AF_INET, RTA_VIA, { AF_INET6, 0, 0xfe, 0x80 }, 17, NULL },
	{ "IPv6 of four bytes", AF_INET, RTA_VIA, { AF_INET6, 0, 0xfe, 0x80 }, 6, NULL },
	{ "IPv4 of 16 bytes", AF_INET, RTA_VIA, { AF_INET, 0, 10, 0, 0, 2 }, 18, NULL },
	{ "of no family", AF_INET, RTA_VIA, { 0, 0, 10, 0, 0, 2 }, 6, NULL },
	{ "no address", AF_INET, RTA_VIA, { AF_INET6, 0 }, 2, NULL },
	{ "half a family", AF_INET, RTA_VIA, { AF_INET6 }, 1, NULL },
	{ "nothing", AF_INET, RTA_VIA, { 0 }, 0, NULL },
};

/* An IPv4 route may have an IPv6 gateway: taken for on-link, backends behind it get no next hop. */
static void a_gateway_is_read_in_each_form_that_the_kernel_writes(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(gateway_rows); i++) {
		char bytes[ROUTE_BYTES] = { 0 };
		struct addr expected = { 0 };
		size_t n = write_route(bytes, gateway_rows[i].family, gateway_rows[i].attribute,
		                       gateway_rows[i].gateway, gateway_rows[i].n),
		       took;
		struct rtnl_fact f = read_copy(bytes, n, &took);

		print_message("  %s\n", gateway_rows[i].why);
		assert_int_equal(took, n);
		assert_int_equal(f.kind, RTNL_ROUTE);
		assert_true(f.route.reachable);
		assert_int_equal(f.route.ifindex, 2);
		assert_int_equal(f.route.has_gateway, gateway_rows[i].expected != NULL);
		if (gateway_rows[i].expected)
			assert_int_equal(addr_parse(gateway_rows[i].expected, &expected), 0);
		assert_true(addr_equal(&f.route.gateway, &expected));
	}
}

static void only_unicast_routes_reach(void **state)
{
	(void)state;
	static const uint8_t types[] = { RTN_LOCAL,       RTN_BROADCAST, RTN_BLACKHOLE,
		                         RTN_UNREACHABLE, RTN_PROHIBIT,  RTN_MULTICAST };

	for (size_t i = 0; i < COUNT(types); i++) {
		uint8_t copy[sizeof(route)];
		struct rtnl_fact f;
		size_t took;

		memcpy(copy, route, sizeof(copy));
		copy[23] = types[i];
		f = read_copy(copy, sizeof(copy), &took);
		assert_int_equal(f.kind, RTNL_ROUTE);
		assert_false(f.route.reachable);
	}
}

static void questions_can_be_read_back(void **state)
{
	(void)state;
	uint8_t question[RTNL_REQUEST_MAX];
	struct addr to;
	struct rtnl_fact f;
	size_t n;

	assert_int_equal(addr_parse("2001:db8::1", &to), 0);
	n = rtnl_write_use(question, 4, &to, 77);
	assert_int_equal(rtnl_next(question, n, &f), n);
	assert_int_equal(f.kind, RTNL_NEIGHBOUR);
	assert_int_equal(f.seq, 77);
	assert_int_equal(f.neighbour.ifindex, 4);
	assert_true(addr_equal(&f.neighbour.addr, &to));
}

/* What the kernel was asked, by number, and how it answers: each list is one datagram. */
static struct {
	uint32_t seqs[16];
	size_t n;
	unsigned n_changed; /* so many lists say that the table changed meanwhile */
	bool by_another;    /* a former request's message says so, and the list itself does not */
} asked;

static ssize_t note_question(const struct mnl_socket *s, const void *request, size_t n)
{
	const struct nlmsghdr *h = request;

	(void)s;
	assert_true(asked.n < COUNT(asked.seqs));
	asked.seqs[asked.n++] = h->nlmsg_seq;
	return (ssize_t)n;
}

static ssize_t give_list(const struct mnl_socket *s, void *answer, size_t size)
{
	struct nlmsghdr *fact = answer, *done = (void *)((char *)answer + sizeof(neighbour));

	(void)s;
	assert_true(size >= sizeof(neighbour) + sizeof(*done));
	memcpy(fact, neighbour, sizeof(neighbour));
	*done = (struct nlmsghdr){ .nlmsg_len = sizeof(*done), .nlmsg_type = NLMSG_DONE };
	fact->nlmsg_seq = done->nlmsg_seq = asked.seqs[asked.n - 1];
	if (asked.by_another)
		fact->nlmsg_seq--;
	if (asked.by_another || asked.n <= asked.n_changed)
		fact->nlmsg_flags |= NLM_F_DUMP_INTR;
	return (ssize_t)(sizeof(neighbour) + sizeof(*done));
}

static bool count_neighbour(void *arg, const struct rtnl_fact *f)
{
	*(unsigned *)arg += f->kind == RTNL_NEIGHBOUR;
	return true;
}

/* Each try has a number of its own, so that what is left of one is not taken for the next one's. */
static void a_list_that_changes_is_asked_for_again_a_few_times(void **state)
{
	static const struct {
		unsigned n_changed;
		bool by_another;
		int err;
		unsigned n_asked, n_facts;
	} cases[] = {
		{ 0, false, 0, 1, 1 }, { 0, true, 0, 1, 0 },       { 1, false, 0, 2, 2 },
		{ 3, false, 0, 4, 4 }, { 4, false, -EINTR, 4, 4 },
	};
	char buffer[4096];

	(void)state;
	answer_mnl_socket_sendto = note_question;
	answer_mnl_socket_recvfrom = give_list;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint32_t seq = 70;
		unsigned n_facts = 0;

		memset(&asked, 0, sizeof(asked));
		asked.n_changed = cases[i].n_changed;
		asked.by_another = cases[i].by_another;
		int err = rtnl_dump(NULL, buffer, sizeof(buffer), RTM_GETNEIGH, &seq,
		                    count_neighbour, &n_facts);

		if (err != cases[i].err || asked.n != cases[i].n_asked ||
		    n_facts != cases[i].n_facts || seq != 70 + cases[i].n_asked)
			fail_msg("case %zu: %d, %zu asked, %u facts, number %u", i, err, asked.n,
			         n_facts, seq);
		for (size_t k = 0; k < asked.n; k++)
			assert_int_equal(asked.seqs[k], 71 + k);
	}
	answer_mnl_socket_sendto = NULL;
	answer_mnl_socket_recvfrom = NULL;
}

SUITE(rtnl)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_that_is_cut_short_is_no_message),
		cmocka_unit_test(a_message_whose_header_lies_short_is_not_half_used),
		cmocka_unit_test(an_attribute_of_wrong_length_counts_as_missing),
		cmocka_unit_test(each_message_can_say_that_the_list_changed_meanwhile),
		cmocka_unit_test(messages_of_no_interest_are_stepped_over),
		cmocka_unit_test(a_vlan_names_its_port_and_id),
		cmocka_unit_test(what_stands_on_another_namespaces_interface_is_a_device),
		cmocka_unit_test(a_neighbour_has_a_mac_only_in_a_state_that_says_so),
		cmocka_unit_test(a_route_gives_gateway_port_and_mtu),
		cmocka_unit_test(a_gateway_is_read_in_each_form_that_the_kernel_writes),
		cmocka_unit_test(only_unicast_routes_reach),
		cmocka_unit_test(questions_can_be_read_back),
		cmocka_unit_test(a_list_that_changes_is_asked_for_again_a_few_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
