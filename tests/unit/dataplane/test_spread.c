/* SPDX-License-Identifier: BSD-2-Clause */
/* Spreading frames over workers: all frames of a flow go to one, and flows that differ anywhere may go to others. */
#include <setjmp.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "dataplane/dpdk/spread.h"
#include "tests/unit/suite.h"

#define ETH  14u
#define LEN4 (ETH + 20 + 8)
#define LEN6 (ETH + 40 + 8)

/* A UDP frame with bytes that differ from each other where they can. */
static void make_ipv4(uint8_t frame[LEN4])
{
	for (unsigned int i = 0; i < LEN4; i++)
		frame[i] = (uint8_t)(i * 7 + 1);
	frame[12] = 0x08;
	frame[13] = 0x00;
	frame[ETH] = 0x45;
	frame[ETH + 6] = 0x40; /* don't fragment */
	frame[ETH + 7] = 0;
	frame[ETH + 9] = 17;
}

static void make_ipv6(uint8_t frame[LEN6])
{
	for (unsigned int i = 0; i < LEN6; i++)
		frame[i] = (uint8_t)(i * 7 + 1);
	frame[12] = 0x86;
	frame[13] = 0xdd;
	frame[ETH] = 0x60;
	frame[ETH + 6] = 17;
}

/* What of @p frame changes its hash: each byte that does is marked in @p says. */
static void ask_bytes(const uint8_t *frame, size_t n, uint8_t *says)
{
	uint32_t hash = spread_hash(frame, n);
	uint8_t other[LEN6 + 8];

	assert_int_not_equal(hash, 0);
	for (size_t i = ETH; i < n; i++) {
		memcpy(other, frame, n);
		other[i] ^= 0x10;
		says[i] = spread_hash(other, n) != hash;
	}
}

static void a_flow_is_its_protocol_addresses_and_ports(void **state)
{
	uint8_t frame[LEN4], says[LEN4] = { 0 };

	(void)state;
	make_ipv4(frame);
	ask_bytes(frame, LEN4, says);
	for (size_t i = ETH; i < LEN4; i++) {
		size_t at = i - ETH;
		/* the shape says where the ports are, the fragment's offset whether there are any */
		bool counts = at == 0 || at == 6 || at == 7 || at == 9 || (at >= 12 && at < 24);

		assert_int_equal(says[i], counts);
	}
}

static void of_ipv6_likewise(void **state)
{
	uint8_t frame[LEN6], says[LEN6] = { 0 };

	(void)state;
	make_ipv6(frame);
	ask_bytes(frame, LEN6, says);
	for (size_t i = ETH; i < LEN6; i++) {
		size_t at = i - ETH;

		assert_int_equal(says[i], at == 6 || (at >= 8 && at < 44));
	}
}

/* Of what has no ports in this frame, or in all of its frames, the bytes behind the header say nothing. */
static void ports_count_where_all_frames_of_the_flow_have_them(void **state)
{
	static const struct {
		unsigned int version;
		uint8_t protocol, first, flags, offset;
		bool count;
	} cases[] = {
		{ 4, 17, 0x45, 0x40, 0, true },  { 4, 6, 0x45, 0x40, 0, true },
		{ 4, 17, 0x45, 0x80, 0, true },  /* the reserved bit */
		{ 4, 17, 0x45, 0x20, 0, false }, /* the first fragment of more */
		{ 4, 17, 0x45, 0x20, 9, false }, { 4, 17, 0x45, 0, 9, false },
		{ 4, 17, 0x45, 1, 0, false },    { 4, 17, 0x46, 0, 0, false }, /* options */
		{ 4, 1, 0x45, 0, 0, false },     { 4, 7, 0x45, 0, 0, false },
		{ 4, 5, 0x45, 0, 0, false },     { 4, 16, 0x45, 0, 0, false },
		{ 4, 18, 0x45, 0, 0, false },    { 6, 6, 0x60, 0, 0, true },
		{ 6, 17, 0x60, 0, 0, true },     { 6, 58, 0x60, 0, 0, false },
		{ 6, 44, 0x60, 0, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t a[LEN6], b[LEN6];
		size_t n = cases[i].version == 4 ? LEN4 : LEN6, ports = n - 8;

		if (cases[i].version == 4) {
			make_ipv4(a);
			a[ETH + 6] = cases[i].flags;
			a[ETH + 7] = cases[i].offset;
			a[ETH + 9] = cases[i].protocol;
		} else {
			make_ipv6(a);
			a[ETH + 6] = cases[i].protocol;
		}
		a[ETH] = cases[i].first;
		memcpy(b, a, n);
		b[ports] ^= 1;
		b[ports + 3] ^= 4;
		assert_int_not_equal(spread_hash(a, n), 0);
		assert_int_equal(spread_hash(a, n) != spread_hash(b, n), cases[i].count);
	}
}

static void a_tag_changes_nothing(void **state)
{
	uint8_t plain[LEN6], tagged[LEN6 + 4];

	(void)state;
	for (int version = 4; version <= 6; version += 2) {
		size_t n = version == 4 ? LEN4 : LEN6;

		if (version == 4)
			make_ipv4(plain);
		else
			make_ipv6(plain);
		memcpy(tagged, plain, 12);
		memcpy(tagged + 12, (const uint8_t[]){ 0x81, 0x00, 0x00, 0x05 }, 4);
		memcpy(tagged + 16, plain + 12, n - 12);
		assert_int_equal(spread_hash(tagged, n + 4), spread_hash(plain, n));
		tagged[13] = 0x01; /* that is no tag */
		assert_int_equal(spread_hash(tagged, n + 4), 0);
	}
}

/* The frame ends where its page does: a byte behind it cannot be read. */
static uint32_t hash_of_first(const uint8_t *frame, size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *at =
	        mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t hash;

	assert_ptr_not_equal(at, MAP_FAILED);
	assert_int_equal(mprotect(at + page, page, PROT_NONE), 0);
	memcpy(at + page - n, frame, n);
	hash = spread_hash(at + page - n, n);
	assert_int_equal(munmap(at, 2 * page), 0);
	return hash;
}

static void what_is_too_short_or_not_ip_is_no_flow(void **state)
{
	uint8_t frame[LEN6], tagged[LEN4 + 4];

	(void)state;
	make_ipv4(frame);
	for (size_t n = 0; n <= LEN4; n++)
		assert_int_equal(hash_of_first(frame, n) != 0, n >= ETH + 24);
	memcpy(tagged, frame, 12);
	memcpy(tagged + 12, (const uint8_t[]){ 0x81, 0x00, 0x00, 0x05 }, 4);
	memcpy(tagged + 16, frame + 12, LEN4 - 12);
	for (size_t n = 0; n <= LEN4 + 4; n++)
		assert_int_equal(hash_of_first(tagged, n) != 0, n >= ETH + 4 + 24);
	make_ipv6(frame);
	for (size_t n = 0; n <= LEN6; n++)
		assert_int_equal(hash_of_first(frame, n) != 0, n >= ETH + 44);
	frame[13] = 0xde;
	assert_int_equal(spread_hash(frame, LEN6), 0);
	frame[12] = 0x08;
	frame[13] = 0xdd;
	assert_int_equal(spread_hash(frame, LEN6), 0);
	make_ipv4(frame);
	frame[13] = 0x06; /* ARP */
	assert_int_equal(spread_hash(frame, LEN4), 0);
	frame[12] = 0x86;
	frame[13] = 0x00;
	assert_int_equal(spread_hash(frame, LEN4), 0);
}

/* Clients of one network with rising ports: three workers get a third each, by the hash's upper bits. */
static void workers_get_even_shares(void **state)
{
	unsigned int n[3] = { 0 };
	uint8_t frame[LEN4];

	(void)state;
	make_ipv4(frame);
	for (unsigned int i = 0; i < 3000; i++) {
		frame[ETH + 15] = (uint8_t)(i / 16);
		frame[ETH + 21] = (uint8_t)(i % 16);
		n[(uint64_t)spread_hash(frame, LEN4) * 3 >> 32]++;
	}
	for (int i = 0; i < 3; i++)
		assert_in_range(n[i], 900, 1100);
}

SUITE(spread)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flow_is_its_protocol_addresses_and_ports),
		cmocka_unit_test(of_ipv6_likewise),
		cmocka_unit_test(ports_count_where_all_frames_of_the_flow_have_them),
		cmocka_unit_test(a_tag_changes_nothing),
		cmocka_unit_test(what_is_too_short_or_not_ip_is_no_flow),
		cmocka_unit_test(workers_get_even_shares),
	};

	return cmocka_run_group_tests_name("spread", tests, NULL, NULL);
}
