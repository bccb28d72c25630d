/* SPDX-License-Identifier: BSD-2-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct addr make_address(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static struct prefix make_prefix(const char *text)
{
	struct prefix p;

	assert_int_equal(prefix_parse(text, &p), 0);
	return p;
}

static void what_is_no_address_is_refused_and_nothing_written(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"",         "1.2.3",      "1.2.3.256", "01.2.3.4",  " 1.2.3.4",
		"1.2.3.4 ", "[::1]",      "fe80::1%1", "1::2::3",   "::ffff:1.2.3.4",
		"12345::",  "1.2.3.4/32", "localhost", "0x1.2.3.4",
	};
	struct addr a, before;

	memset(&a, 7, sizeof(a));
	before = a;
	for (size_t i = 0; i < COUNT(cases); i++) {
		print_message("  \"%s\"\n", cases[i]);
		assert_int_equal(addr_parse(cases[i], &a), -EINVAL);
		assert_memory_equal(&a, &before, sizeof(a));
	}
}

static void what_is_no_prefix_is_refused(void **state)
{
	(void)state;
	static const char *const cases[] = { "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.1/24",
		                             "::/129", "10.0.0.0/-1", "10.0.0.0/08", "fd00::1/64",
		                             "10.0.0.0/8x", "/8", "10.0.0.0/+8", "10.0.0.0/1000",
		                             /* an address without host bits hides no length */
		                             "0.0.0.0/", "::/", "0.0.0.0/ ", "0.0.0.0/00",
		                             /* as long as no address is */
		                             "2001:0db8:0000:0000:0000:0000:255.255.255.2550/8",
		                             "2001:0db8:0000:0000:0000:0000:0000:0000:0000:0000/8",
		                             /* 8 and 0, if the number overflows */
		                             "10.0.0.0/4294967304", "::/4294967296" };
	struct prefix p;

	for (size_t i = 0; i < COUNT(cases); i++) {
		print_message("  \"%s\"\n", cases[i]);
		assert_int_equal(prefix_parse(cases[i], &p), -EINVAL);
	}
}

static void text_comes_back_as_it_was_written(void **state)
{
	(void)state;
	static const char *const addresses[] = { "0.0.0.0", "203.0.113.10", "255.255.255.255",
		                                 "::",      "2001:db8::1",  "fd00:1:0:2::" };
	static const char *const prefixes[] = { "0.0.0.0/0", "10.1.255.0/24",  "192.0.2.1/32",
		                                "::/0",      "fd00:1:ff::/64", "2001:db8::/29",
		                                "::1/128" };
	char text[ADDR_LONG_TEXT_MAX];

	for (size_t i = 0; i < COUNT(addresses); i++) {
		struct addr a = make_address(addresses[i]);

		assert_string_equal(addr_text(&a, text), addresses[i]);
	}
	for (size_t i = 0; i < COUNT(prefixes); i++) {
		struct prefix p = make_prefix(prefixes[i]);

		assert_string_equal(prefix_text(&p, text), prefixes[i]);
	}
}

static void a_prefix_has_its_own_addresses_alone(void **state)
{
	(void)state;
	static const struct {
		const char *prefix, *address;
		bool has;
	} cases[] = {
		{ "10.0.0.0/8", "10.255.255.255", true },
		{ "10.0.0.0/8", "11.0.0.0", false },
		{ "10.0.0.0/31", "10.0.0.1", true },
		{ "10.0.0.0/31", "10.0.0.2", false },
		{ "0.0.0.0/0", "255.1.2.3", true },
		{ "0.0.0.0/0", "::1", false },
		{ "::/0", "1.2.3.4", false },
		{ "::/0", "ffff::", true },
		{ "fd00::/9", "fd7f::", true },
		{ "fd00::/9", "fd80::", false },
		{ "::1/128", "::1", true },
		{ "::1/128", "::", false },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct prefix p = make_prefix(cases[i].prefix);
		struct addr a = make_address(cases[i].address);

		print_message("  %s in %s\n", cases[i].address, cases[i].prefix);
		assert_int_equal(prefix_has(&p, &a), cases[i].has);
	}
}

static void prefixes_overlap_either_way_round(void **state)
{
	(void)state;
	struct prefix wide = make_prefix("10.0.0.0/8"), narrow = make_prefix("10.1.0.0/16");
	struct prefix other = make_prefix("11.0.0.0/8"), all6 = make_prefix("::/0");

	assert_true(prefix_overlaps(&wide, &narrow));
	assert_true(prefix_overlaps(&narrow, &wide));
	assert_true(prefix_overlaps(&wide, &wide));
	assert_false(prefix_overlaps(&wide, &other));
	assert_false(prefix_overlaps(&all6, &wide));
}

static void a_socket_address_comes_back(void **state)
{
	(void)state;
	static const char *const cases[] = { "192.0.2.1", "2001:db8::53" };

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct addr a = make_address(cases[i]), b;
		struct sockaddr_storage s;
		uint16_t port;

		assert_true(addr_to_sockaddr(&a, 53, &s) <= sizeof(s));
		assert_int_equal(addr_from_sockaddr((struct sockaddr *)&s, &b, &port), 0);
		assert_true(addr_equal(&a, &b));
		assert_int_equal(addr_compare(&a, &b), 0);
		assert_int_equal(port, 53);
	}
	struct sockaddr unix_address = { .sa_family = AF_UNIX };
	struct addr a;

	assert_int_equal(addr_from_sockaddr(&unix_address, &a, NULL), -EAFNOSUPPORT);
}

/* Each byte in each place, as inet_ntop(3) has it. */
static void ipv4_is_written_as_the_library_does(void **state)
{
	(void)state;
	for (unsigned place = 0; place < 4; place++)
		for (unsigned n = 0; n < 256; n++) {
			uint8_t bytes[4] = { 10, 200, 3, 40 };
			char text[ADDR_TEXT_MAX], wanted[INET_ADDRSTRLEN];

			bytes[place] = (uint8_t)n;
			const struct addr a = addr_from4(bytes);

			assert_string_equal(addr_text(&a, text),
			                    inet_ntop(AF_INET, bytes, wanted, sizeof(wanted)));
		}
}

static void the_host_has_its_own_addresses_alone(void **state)
{
	static const char *const elsewhere[] = { "192.0.2.77", "2001:db8::77" };
	struct addr here = make_address("127.0.0.1");

	(void)state;
	assert_true(addr_is_here(&here));
	for (size_t i = 0; i < COUNT(elsewhere); i++) {
		struct addr a = make_address(elsewhere[i]);

		assert_false(addr_is_here(&a));
	}
}

SUITE(addr)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ipv4_is_written_as_the_library_does),
		cmocka_unit_test(what_is_no_address_is_refused_and_nothing_written),
		cmocka_unit_test(what_is_no_prefix_is_refused),
		cmocka_unit_test(text_comes_back_as_it_was_written),
		cmocka_unit_test(a_prefix_has_its_own_addresses_alone),
		cmocka_unit_test(prefixes_overlap_either_way_round),
		cmocka_unit_test(a_socket_address_comes_back),
		cmocka_unit_test(the_host_has_its_own_addresses_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
