/* SPDX-License-Identifier: BSD-2-Clause */
/* A query, byte by byte: what it says, what is refused with which code, and where it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dns/answer/query.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define NONE     (-1) /* no answer */

/* A message in the making. */
static struct {
	uint8_t bytes[512];
	size_t n;
} m;

static void put_bytes(const void *bytes, size_t n)
{
	assert_true(m.n + n <= sizeof(m.bytes));
	if (n)
		memcpy(m.bytes + m.n, bytes, n);
	m.n += n;
}

static void put_number(unsigned value)
{
	const uint8_t bytes[2] = { (uint8_t)(value >> 8), (uint8_t)value };

	put_bytes(bytes, 2);
}

/* Header and the question "a.b. TYPE 28 CLASS 3". */
static void begin_query(unsigned flags, unsigned n_answers, unsigned n_authorities, unsigned n_more)
{
	m.n = 0;
	put_number(0x1234);
	put_number(flags);
	put_number(1);
	put_number(n_answers);
	put_number(n_authorities);
	put_number(n_more);
	put_bytes("\1A\1b\0\0\34\0\3", 9);
}

static void put_opt(unsigned size, unsigned version, bool dnssec_ok, const void *options, size_t n)
{
	put_bytes("\0\0\51", 3);
	put_number(size);
	put_number(version);
	put_number(dnssec_ok ? 0x8000 : 0);
	put_number((unsigned)n);
	put_bytes(options, n);
}

/* A record "x. A", no OPT. */
static void put_record(void)
{
	put_bytes("\1x\0\0\1\0\1\0\0\0\5\0\4\1\2\3\4", 17);
}

/* Read @p n bytes of the message, and none behind. @return the code, NONE: no answer */
static int read_part(size_t n, struct query *q)
{
	uint8_t *exact = malloc(n + 1);
	enum dns_rcode rcode = 99;
	enum query_verdict verdict;

	memcpy(exact, m.bytes, n);
	verdict = query_read(exact, n, q, &rcode);
	free(exact);
	assert_int_equal(verdict == QUERY_LOOKUP, rcode == DNS_NOERROR);
	return verdict == QUERY_DROP ? NONE : (int)rcode;
}

static int read_all(struct query *q)
{
	return read_part(m.n, q);
}

static void a_question_is_read_with_all_that_it_says(void **state)
{
	struct query q;

	(void)state;
	begin_query(0x0110, 0, 0, 0);
	assert_int_equal(read_all(&q), DNS_NOERROR);
	assert_int_equal(q.id, 0x1234);
	assert_int_equal(q.flags, 0x0110);
	assert_true(q.has_question);
	assert_int_equal(q.question_length, 5);
	assert_memory_equal(q.name.lower, "\1a\1b", 5);
	assert_int_equal(q.type, 28);
	assert_int_equal(q.class, 3);
	assert_false(q.has_edns || q.has_subnet || q.wants_nsid || q.dnssec_ok);
	assert_int_equal(q.udp_limit, 512);
	begin_query(0, 0, 0, 1);
	put_opt(1000, 0, true, "\0\3\0\0", 4);
	assert_int_equal(read_all(&q), DNS_NOERROR);
	assert_true(q.has_edns && q.wants_nsid && q.dnssec_ok);
	assert_int_equal(q.udp_limit, 1000);
	begin_query(0, 0, 0, 0); /* nothing stays of the one before */
	assert_int_equal(read_all(&q), DNS_NOERROR);
	assert_false(q.has_edns || q.wants_nsid || q.dnssec_ok);
	assert_int_equal(q.udp_limit, 512);
}

static void flags_and_counts_are_judged_first(void **state)
{
	static const struct {
		unsigned flags, n_questions;
		int rcode;
	} cases[] = {
		{ 0x8000, 1, NONE },        { 0x8100, 1, NONE },        { 0x0800, 1, DNS_NOTIMP },
		{ 0x4000, 1, DNS_NOTIMP },  { 0x7800, 0, DNS_NOTIMP },  { 0x07ff, 1, DNS_NOERROR },
		{ 0x0000, 0, DNS_FORMERR }, { 0x0000, 2, DNS_FORMERR }, { 0, 65535, DNS_FORMERR },
	};
	struct query q;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		begin_query(cases[i].flags, 0, 0, 0);
		m.bytes[4] = (uint8_t)(cases[i].n_questions >> 8);
		m.bytes[5] = (uint8_t)cases[i].n_questions;
		assert_int_equal(read_all(&q), cases[i].rcode);
	}
}

/* Cut anywhere it is no query; with a byte more it is none either. */
static void a_message_ends_where_it_ends(void **state)
{
	struct query q;
	size_t n;

	(void)state;
	begin_query(0, 0, 0, 2);
	put_record();
	put_opt(1232, 0, false, "\0\10\0\7\0\1\30\0\300\0\2\0\3\0\1x", 16);
	n = m.n;
	for (size_t part = 0; part < n; part++)
		assert_int_equal(read_part(part, &q), part < 12 ? NONE : DNS_FORMERR);
	assert_int_equal(read_all(&q), DNS_NOERROR);
	assert_true(q.has_subnet && q.wants_nsid);
	put_bytes("\0", 1);
	assert_int_equal(read_all(&q), DNS_FORMERR);
}

static void sixteen_records_are_read_and_opt_in_the_last_section(void **state)
{
	static const struct {
		unsigned n[3], at; /* records by section; the number of OPT */
		int rcode;
	} cases[] = {
		{ { 0, 0, 16 }, 15, DNS_NOERROR }, { { 0, 0, 16 }, 0, DNS_NOERROR },
		{ { 0, 0, 17 }, 0, DNS_FORMERR },  { { 5, 5, 6 }, 15, DNS_NOERROR },
		{ { 5, 5, 6 }, 10, DNS_NOERROR },  { { 5, 5, 6 }, 9, DNS_FORMERR },
		{ { 5, 5, 6 }, 4, DNS_FORMERR },   { { 6, 5, 6 }, 16, DNS_FORMERR },
		{ { 1, 0, 1 }, 1, DNS_NOERROR },   { { 1, 0, 1 }, 0, DNS_FORMERR },
		{ { 0, 1, 1 }, 1, DNS_NOERROR },   { { 0, 1, 1 }, 0, DNS_FORMERR },
		{ { 17, 0, 0 }, 99, DNS_FORMERR }, { { 0, 17, 0 }, 99, DNS_FORMERR },
		{ { 16, 0, 0 }, 99, DNS_NOERROR },
	};
	struct query q;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const unsigned *n = cases[i].n;

		begin_query(0, n[0], n[1], n[2]);
		for (unsigned k = 0; k < n[0] + n[1] + n[2]; k++)
			if (k == cases[i].at)
				put_opt(1232, 0, false, NULL, 0);
			else
				put_record();
		assert_int_equal(read_all(&q), cases[i].rcode);
		if (cases[i].rcode == DNS_NOERROR)
			assert_int_equal(q.has_edns, cases[i].at != 99);
	}
}

static void a_client_takes_what_it_says_within_our_limits(void **state)
{
	static const struct {
		unsigned said, limit;
	} cases[] = { { 0, 512 },     { 511, 512 },   { 512, 512 },   { 513, 513 },
		      { 1231, 1231 }, { 1232, 1232 }, { 1233, 1232 }, { 65535, 1232 } };
	struct query q;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		begin_query(0, 0, 0, 1);
		put_opt(cases[i].said, 0, i & 1, NULL, 0);
		assert_int_equal(read_all(&q), DNS_NOERROR);
		assert_int_equal(q.udp_limit, cases[i].limit);
		assert_int_equal(q.dnssec_ok, i & 1);
	}
}

static void there_is_one_opt_of_the_root_in_version_0(void **state)
{
	struct query q;

	(void)state;
	begin_query(0, 0, 0, 2);
	put_opt(1232, 0, false, NULL, 0);
	put_opt(1232, 0, false, NULL, 0);
	assert_int_equal(read_all(&q), DNS_FORMERR);
	begin_query(0, 0, 0, 1);
	put_opt(1232, 1, false, "any", 3);
	assert_int_equal(read_all(&q), DNS_BADVERS);
	assert_true(q.has_edns);
	begin_query(0, 0, 0, 1);
	put_opt(1232, 0x100, false, NULL, 0); /* an extended code means nothing in a query */
	assert_int_equal(read_all(&q), DNS_NOERROR);
	begin_query(0, 0, 0, 1);
	put_bytes("\1x", 2); /* of the name x. */
	put_opt(1232, 0, false, NULL, 0);
	assert_int_equal(read_all(&q), DNS_FORMERR);
	begin_query(0, 0, 0, 1);
	put_bytes("\300\14\0\51\4\0\0\0\0\0\0\0", 12); /* of the question's */
	assert_int_equal(read_all(&q), DNS_FORMERR);
	begin_query(0, 0, 0, 1);
	put_bytes("\300\14\0\1\0\1\0\0\0\5\0\0", 12); /* which other records may have */
	assert_int_equal(read_all(&q), DNS_NOERROR);
}

/* An owner of @p n labels of one byte, and the root: 2n + 1 bytes. */
static void owners_of_records_have_255_bytes(void **state)
{
	struct query q;

	(void)state;
	for (unsigned n = 126; n <= 130; n++) {
		begin_query(0, 0, 0, 1);
		for (unsigned i = 0; i < n; i++)
			put_bytes("\1x", 2);
		put_bytes("\0\0\1\0\1\0\0\0\5\0\0", 11);
		if (n <= 127)
			assert_int_equal(read_all(&q), DNS_NOERROR);
		if (n > 128)
			assert_int_equal(read_all(&q), DNS_FORMERR);
	}
	begin_query(0, 0, 0, 1);
	put_bytes("\100", 1); /* a length over 63 is none */
	for (unsigned i = 0; i < 64; i++)
		put_bytes("x", 1);
	put_bytes("\0\0\1\0\1\0\0\0\5\0\0", 11);
	assert_int_equal(read_all(&q), DNS_FORMERR);
}

static void options_lie_inside_their_record(void **state)
{
	static const struct {
		const char *options;
		size_t n;
		int rcode;
	} cases[] = {
		{ "", 0, DNS_NOERROR },
		{ "\0\3\0\0", 4, DNS_NOERROR },
		{ "\0\3\0", 3, DNS_FORMERR },
		{ "\0\3\0\1", 4, DNS_FORMERR },
		{ "\377\377\0\2xx", 6, DNS_NOERROR }, /* unknown ones are passed over */
		{ "\377\377\0\3xx", 6, DNS_FORMERR },
		{ "\377\377\0\1x\0\3\0\0", 9, DNS_NOERROR },
		{ "\0\3\0\0\0\3\0\0", 8, DNS_NOERROR },
	};
	struct query q;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		begin_query(0, 0, 0, 2);
		put_opt(1232, 0, false, cases[i].options, cases[i].n);
		put_record(); /* so that bytes follow that are not the options' */
		assert_int_equal(read_all(&q), cases[i].rcode);
	}
}

static void a_client_subnet_is_of_its_family_and_its_bits(void **state)
{
	static const struct {
		const char *option; /* family, source, scope, address */
		size_t n;
		const char *first; /* NULL: refused; "": of no bits */
		unsigned bits;
	} cases[] = {
		{ "\0\1\30\0\300\0\2", 7, "192.0.2.0", 24 },
		{ "\0\1\40\0\300\0\2\1", 8, "192.0.2.1", 32 },
		{ "\0\1\41\0\300\0\2\1\0", 9, NULL, 0 }, /* 33 bits */
		{ "\0\1\31\0\300\0\2\200", 8, "192.0.2.128", 25 },
		{ "\0\1\31\0\300\0\2\300", 8, NULL, 0 }, /* a bit behind its 25 */
		{ "\0\1\27\0\300\0\2", 7, "192.0.2.0", 23 },
		{ "\0\1\27\0\300\0\3", 7, NULL, 0 },
		{ "\0\1\1\0\200", 5, "128.0.0.0", 1 },
		{ "\0\1\1\0\300", 5, NULL, 0 },
		{ "\0\1\30\1\300\0\2", 7, NULL, 0 }, /* a scope, in a query */
		{ "\0\1\30\0\300\0", 6, NULL, 0 },   /* a byte too few, and one too many */
		{ "\0\1\30\0\300\0\2\0", 8, NULL, 0 },
		{ "\0\1\0\0", 4, "", 0 },
		{ "\0\2\0\0", 4, "", 0 },
		{ "\0\0\0\0", 4, "", 0 },
		{ "\0\0\1\0\200", 5, NULL, 0 },
		{ "\0\3\0\0", 4, NULL, 0 },
		{ "\0\2\70\0\40\1\15\270\0\1\2", 11, "2001:db8:1:200::", 56 },
		{ "\0\2\200\0\40\1\15\270\0\1\0\0\0\0\0\0\0\0\0\7", 20, "2001:db8:1::7", 128 },
		{ "\0\2\201\0\40\1\15\270\0\1\0\0\0\0\0\0\0\0\0\7\0", 21, NULL, 0 },
		{ "\0\1\30", 3, NULL, 0 },
		{ "", 0, NULL, 0 },
	};
	struct query q;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint8_t option[64] = { 0, 8, 0, (uint8_t)cases[i].n };
		struct addr first, got;

		memcpy(option + 4, cases[i].option, cases[i].n);
		begin_query(0, 0, 0, 2);
		put_opt(1232, 0, false, option, 4 + cases[i].n);
		put_record();
		assert_int_equal(read_all(&q), cases[i].first ? DNS_NOERROR : DNS_FORMERR);
		if (!cases[i].first)
			continue;
		assert_true(q.has_subnet);
		assert_int_equal(q.subnet.source_bits, cases[i].bits);
		assert_int_equal(q.subnet.n_bytes, cases[i].n - 4);
		assert_int_equal(q.subnet.family, (uint8_t)cases[i].option[1]);
		if (!*cases[i].first)
			continue;
		assert_int_equal(addr_parse(cases[i].first, &first), 0);
		got = query_subnet_addr(&q.subnet);
		assert_true(addr_equal(&first, &got));
	}
	begin_query(0, 0, 0, 1);
	put_opt(1232, 0, false, "\0\10\0\4\0\1\0\0\0\10\0\4\0\1\0\0", 16); /* two of them */
	assert_int_equal(read_all(&q), DNS_FORMERR);
}

SUITE(query)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_question_is_read_with_all_that_it_says),
		cmocka_unit_test(flags_and_counts_are_judged_first),
		cmocka_unit_test(a_message_ends_where_it_ends),
		cmocka_unit_test(sixteen_records_are_read_and_opt_in_the_last_section),
		cmocka_unit_test(a_client_takes_what_it_says_within_our_limits),
		cmocka_unit_test(there_is_one_opt_of_the_root_in_version_0),
		cmocka_unit_test(owners_of_records_have_255_bytes),
		cmocka_unit_test(options_lie_inside_their_record),
		cmocka_unit_test(a_client_subnet_is_of_its_family_and_its_bits),
	};

	return cmocka_run_group_tests_name("dns query", tests, NULL, NULL);
}
