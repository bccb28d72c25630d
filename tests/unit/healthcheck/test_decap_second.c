/* SPDX-License-Identifier: BSD-2-Clause */
/* Second chance at the agent (weir/fwd/decap_second.h): lists of owners, sound and hostile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/healthcheck/tunnel_frames.h"
#include "tests/unit/suite.h"
#include "weir/fwd/decap_second.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* What the host of a test knows, and what it was asked. */
struct host {
	enum second_socket socket;
	unsigned n_asked;
	struct decap_flow asked;
};

static inline int decap_source_accepted(void *arg, const unsigned char source[16])
{
	(void)arg;
	(void)source;
	return 1;
}

static inline int decap_owner_accepted(void *arg, const unsigned char owner[16])
{
	(void)arg;
	return !memcmp(owner, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x01\0", 15) ||
	       !memcmp(owner, "\xfd\0\0\1\0\0\0\0", 8);
}

static inline enum second_socket decap_socket(void *arg, const unsigned char *frame,
                                              const unsigned char *end,
                                              const struct decap_flow *flow)
{
	struct host *h = arg;

	(void)frame;
	(void)end;
	h->n_asked++;
	h->asked = *flow;
	return h->socket;
}

/* Run over an exact-size copy, so that a sanitizer sees any step beyond it; the frame is written back. */
static enum decap_reason parse_copy(struct tunnel_frame *f, struct host *h)
{
	struct decap_result r = { 0 };
	uint8_t *copy = malloc(f->n);

	assert_non_null(copy);
	memcpy(copy, f->bytes, f->n);
	enum decap_reason why = decap_parse(copy, copy + f->n, h, &r);
	if (why == DECAP_GUE && r.owners_n)
		why = decap_second(copy, copy + f->n, h, &r);
	memcpy(f->bytes, copy, f->n);
	free(copy);
	return why;
}

/* The i-th list: 1 to 3 owners, at each of their places, both families in and out. */
#define N_LISTS 36
static struct tunnel_plan nth_list(unsigned i)
{
	static const uint8_t at[9][2] = { { 1, 0 }, { 1, 1 }, { 2, 0 }, { 2, 1 }, { 2, 2 },
		                          { 3, 0 }, { 3, 1 }, { 3, 2 }, { 3, 3 } };

	return (struct tunnel_plan){ .kind = TUNNEL_GUE0,
		                     .outer4 = i & 1,
		                     .inner4 = i >> 1 & 1,
		                     .outer_options = i & 1 ? 2 : 0,
		                     .payload_len = 24,
		                     .owners = at[i / 4][0],
		                     .next = at[i / 4][1] };
}

static struct tunnel_frame list_frame(unsigned i)
{
	struct tunnel_plan plan = nth_list(i);
	struct tunnel_frame f = make_frame(&plan);
	uint8_t *tcp = f.bytes + f.inner + ip_len(plan.inner4, 0);

	memcpy(tcp, "\x9c\x40\x00\x50\1\2\3\4\5\6\7\x08\x50\x10", 14);
	return f;
}

static unsigned sum_of(const uint8_t *ip)
{
	struct tunnel_frame f;

	memcpy(f.bytes, ip, 60);
	fix_sum4(f.bytes);
	return (unsigned)f.bytes[10] << 8 | f.bytes[11];
}

/* What passing on changes, and nothing else: TTL, destination, sum, UDP sum, place in the list. */
static void expect_passed_on(const struct tunnel_frame *before, const struct tunnel_frame *after,
                             const struct tunnel_plan *plan)
{
	struct tunnel_frame want = *before;
	uint8_t *ip = want.bytes + want.outer;

	ip[plan->outer4 ? 8 : 7]--;
	put_owner(ip + (plan->outer4 ? 16 : 24), plan->outer4, plan->next);
	if (plan->outer4)
		fix_sum4(ip);
	want.bytes[want.list + 2]++;
	want.bytes[want.udp + 6] = want.bytes[want.udp + 7] = 0;
	assert_memory_equal(after->bytes, want.bytes, want.n);
	if (plan->outer4)
		assert_int_equal(sum_of(after->bytes + after->outer),
		                 after->bytes[after->outer + 10] << 8 |
		                         after->bytes[after->outer + 11]);
}

static void a_segment_of_no_connection_goes_to_the_next_owner_and_ends_at_the_last(void **state)
{
	(void)state;
	for (unsigned i = 0; i < N_LISTS; i++) {
		struct tunnel_plan plan = nth_list(i);
		struct tunnel_frame f = list_frame(i), before;
		struct host h = { .socket = SECOND_SOCKET_NONE };

		f.bytes[f.udp + 6] = 0xab; /* a sum that somebody has reckoned */
		before = f;
		print_message("  list %u\n", i);
		if (plan.next == plan.owners) {
			assert_int_equal(parse_copy(&f, &h), DECAP_LAST);
			assert_int_equal(h.n_asked, 0);
			assert_memory_equal(f.bytes, before.bytes, f.n);
			continue;
		}
		assert_int_equal(parse_copy(&f, &h), DECAP_PASSED_ON);
		assert_int_equal(h.n_asked, 1);
		expect_passed_on(&before, &f, &plan);
	}
}

static void what_is_passed_on_to_the_end_arrives_in_as_many_steps_as_there_are_owners(void **state)
{
	(void)state;
	for (unsigned i = 0; i < N_LISTS; i++) {
		struct tunnel_plan plan = nth_list(i);
		struct tunnel_frame f = list_frame(i);
		struct host h = { .socket = SECOND_SOCKET_NONE };
		unsigned steps = 0;
		enum decap_reason why;

		while ((why = parse_copy(&f, &h)) == DECAP_PASSED_ON)
			steps++;
		assert_int_equal(why, DECAP_LAST);
		assert_int_equal(steps, plan.owners - plan.next);
	}
}

static void a_connection_is_kept_by_the_state_of_its_socket(void **state)
{
	(void)state;
	static const struct {
		enum second_socket socket;
		uint8_t flags;
		enum decap_reason want;
		const char *why;
	} cases[] = {
		{ SECOND_SOCKET_HELD, 0x10, DECAP_OWNED, "its connection" },
		{ SECOND_SOCKET_HELD, 0x02, DECAP_OWNED, "a SYN repeated" },
		{ SECOND_SOCKET_HELD, 0x04, DECAP_OWNED, "a reset of its connection" },
		{ SECOND_SOCKET_LISTEN, 0x02, DECAP_OWNED, "a new connection" },
		{ SECOND_SOCKET_LISTEN, 0xc2, DECAP_OWNED, "a new one with ECN (RFC 3168)" },
		{ SECOND_SOCKET_LISTEN, 0x12, DECAP_PASSED_ON, "a SYN with ACK begins nothing" },
		{ SECOND_SOCKET_LISTEN, 0x06, DECAP_PASSED_ON, "nor does one with RST" },
		{ SECOND_SOCKET_LISTEN, 0x10, DECAP_PASSED_ON, "a listener holds no connection" },
		{ SECOND_SOCKET_LISTEN, 0x11, DECAP_PASSED_ON, "nor its end" },
		{ SECOND_SOCKET_OTHERS, 0x10, DECAP_PASSED_ON, "half-open by another SYN" },
		{ SECOND_SOCKET_OTHERS, 0x02, DECAP_OWNED, "that SYN again" },
		{ SECOND_SOCKET_NONE, 0x02, DECAP_PASSED_ON, "nobody listens: perhaps elsewhere" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct tunnel_frame f = list_frame(3);
		struct host h = { .socket = cases[i].socket };

		print_message("  %s\n", cases[i].why);
		f.bytes[f.inner + 20 + 13] = cases[i].flags;
		assert_int_equal(parse_copy(&f, &h), cases[i].want);
	}
}

static void the_socket_is_asked_for_by_the_segments_own_tuple(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct tunnel_plan plan = nth_list(i);
		struct tunnel_frame f = list_frame(i);
		struct host h = { .socket = SECOND_SOCKET_HELD };
		unsigned n = plan.inner4 ? 4 : 16;
		const uint8_t *ip = f.bytes + f.inner;

		assert_int_equal(parse_copy(&f, &h), DECAP_OWNED);
		assert_int_equal(h.asked.is4, plan.inner4);
		assert_memory_equal(h.asked.client, ip + (plan.inner4 ? 12 : 8), n);
		assert_memory_equal(h.asked.vip, ip + (plan.inner4 ? 16 : 24), n);
		assert_memory_equal(h.asked.client_port, "\x9c\x40", 2);
		assert_memory_equal(h.asked.vip_port, "\x00\x50", 2);
		assert_int_equal(h.asked.ack, 0x05060708);
		assert_int_equal(h.asked.ip_off, f.inner);
		assert_int_equal(h.asked.tcp_off, f.inner + ip_len(plan.inner4, 0));
	}
}

/* An ICMP error of @p type in the frame of list @p i, about a segment from the VIP to the client. */
static struct tunnel_frame error_frame(unsigned i, uint8_t type)
{
	struct tunnel_plan plan = nth_list(i);
	unsigned header = ip_len(plan.inner4, 0), n = plan.inner4 ? 4 : 16;
	unsigned at = plan.inner4 ? 12 : 8;
	struct tunnel_frame f;

	plan.payload_len = 8 + header + 8;
	f = make_frame(&plan);
	uint8_t *ip = f.bytes + f.inner, *icmp = ip + header, *quote = icmp + 8;
	ip[plan.inner4 ? 9 : 6] = plan.inner4 ? 1 : 58;
	memset(icmp, 0, plan.payload_len);
	icmp[0] = type;
	put_ip(quote, plan.inner4, 0, 6, 20, 0, 1);
	memcpy(quote + at, ip + at + n, n); /* from the VIP */
	memcpy(quote + at + n, "\x0a\x09\x08\x07\x0a\x09\x08\x07\x0a\x09\x08\x07\x0a\x09\x08\x07",
	       n);
	memcpy(quote + header, "\x00\x50\x9c\x40\1\2\3\4", 8);
	return f;
}

static void an_error_goes_by_the_tuple_that_it_quotes(void **state)
{
	(void)state;
	static const uint8_t errors[2][5] = { { 1, 2, 3, 4, 3 }, { 3, 4, 11, 12, 3 } };

	for (unsigned i = 0; i < 4; i++) {
		bool is4 = nth_list(i).inner4;

		for (unsigned k = 0; k < 4; k++) {
			struct tunnel_frame f = error_frame(i, errors[is4][k]);
			struct host h = { .socket = SECOND_SOCKET_LISTEN };

			assert_int_equal(parse_copy(&f, &h), DECAP_PASSED_ON);
			assert_memory_equal(h.asked.client, "\x0a\x09\x08\x07", 4);
			assert_memory_equal(h.asked.client_port, "\x9c\x40", 2);
			assert_memory_equal(h.asked.vip_port, "\x00\x50", 2);
			assert_int_equal(h.asked.tcp_off, 0);
			assert_false(h.asked.is_syn);
		}
	}
}

static void what_belongs_to_no_connection_stays_where_it_is(void **state)
{
	(void)state;
	struct host h = { .socket = SECOND_SOCKET_NONE };
	struct tunnel_frame echo = error_frame(3, 8), udp = list_frame(3), later = list_frame(3);
	struct tunnel_frame quotes_udp = error_frame(3, 3), cut = list_frame(3);

	udp.bytes[udp.inner + 9] = 17;
	put_be16(later.bytes + later.inner + 6, 0x0001);
	quotes_udp.bytes[quotes_udp.inner + 28 + 9] = 17;
	put_be16(cut.bytes + cut.inner + 2, 20 + 24);
	cut.bytes[cut.inner] = 0x4f; /* options of 40 bytes, beyond the frame */
	put_be16(cut.bytes + cut.inner + 2, 60);
	assert_int_equal(parse_copy(&echo, &h), DECAP_OWNED);
	assert_int_equal(parse_copy(&udp, &h), DECAP_OWNED);
	assert_int_equal(parse_copy(&later, &h), DECAP_OWNED);
	assert_int_equal(parse_copy(&quotes_udp, &h), DECAP_OWNED);
	assert_int_equal(h.n_asked, 0);
	assert_int_equal(parse_copy(&cut, &h), DECAP_INNER);
}

enum at { AT_LIST, AT_GUE, AT_OUTER };

static void each_way_to_spoil_a_list_has_its_name(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		unsigned owners, next;
		enum at at;
		unsigned off;
		uint8_t value;
		enum decap_reason want;
	} cases[] = {
		{ "version 0", 3, 0, AT_LIST, 0, 0, DECAP_OWNERS_VERSION },
		{ "version 2", 3, 0, AT_LIST, 0, 2, DECAP_OWNERS_VERSION },
		{ "a reserved bit", 3, 0, AT_LIST, 3, 1, DECAP_OWNERS_VERSION },
		{ "no owner", 1, 0, AT_LIST, 1, 0, DECAP_OWNERS_COUNT },
		{ "four owners", 3, 0, AT_LIST, 1, 4, DECAP_OWNERS_COUNT },
		{ "255 owners", 3, 0, AT_LIST, 1, 255, DECAP_OWNERS_COUNT },
		{ "a place behind the last", 3, 0, AT_LIST, 2, 4, DECAP_OWNERS_COUNT },
		{ "place 255", 3, 0, AT_LIST, 2, 255, DECAP_OWNERS_COUNT },
		{ "more addresses than owners", 3, 0, AT_LIST, 1, 2, DECAP_OWNERS_LENGTH },
		{ "fewer addresses than owners", 2, 0, AT_LIST, 1, 3, DECAP_OWNERS_LENGTH },
		{ "a header longer than the list", 2, 0, AT_GUE, 0, 4, DECAP_OWNERS_LENGTH },
		{ "a header shorter than the list", 2, 0, AT_GUE, 0, 2, DECAP_OWNERS_LENGTH },
		{ "the same owner twice in a row", 3, 0, AT_LIST, 4 + 7, 1, DECAP_OWNERS_LOOP },
		{ "the first owner again as the third", 3, 0, AT_LIST, 4 + 11, 1,
		  DECAP_OWNERS_LOOP },
		{ "the second owner again as the third", 3, 0, AT_LIST, 4 + 11, 2,
		  DECAP_OWNERS_LOOP },
		{ "back to where it is", 3, 1, AT_LIST, 4 + 11, 1, DECAP_OWNERS_LOOP },
		{ "it is not where it says", 3, 1, AT_LIST, 2, 2, DECAP_OWNERS_LOOP },
		{ "it was here before", 3, 1, AT_LIST, 2, 0, DECAP_OWNERS_LOOP },
		{ "it is with nobody of the list", 3, 2, AT_OUTER, 19, 99, DECAP_OWNERS_LOOP },
		{ "a next owner that is not accepted", 3, 0, AT_LIST, 4, 11, DECAP_OWNERS_REFUSED },
		{ "the last hop", 3, 0, AT_OUTER, 8, 1, DECAP_OWNERS_TTL },
		{ "no hop at all", 3, 0, AT_OUTER, 8, 0, DECAP_OWNERS_TTL },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct tunnel_plan plan = { .kind = TUNNEL_GUE0,
			                    .outer4 = true,
			                    .inner4 = true,
			                    .payload_len = 24,
			                    .owners = cases[i].owners,
			                    .next = cases[i].next };
		struct tunnel_frame f = make_frame(&plan), before;
		struct host h = { .socket = SECOND_SOCKET_NONE };
		size_t base[] = { f.list, f.gue, f.outer };

		print_message("  %s\n", cases[i].why);
		f.bytes[base[cases[i].at] + cases[i].off] = cases[i].value;
		fix_sum4(f.bytes + f.outer);
		before = f;
		assert_int_equal(parse_copy(&f, &h), cases[i].want);
		assert_memory_equal(f.bytes, before.bytes, f.n);
	}
}

static void a_list_cut_at_any_byte_is_never_followed(void **state)
{
	(void)state;
	for (unsigned i = 0; i < N_LISTS; i++) {
		struct tunnel_frame whole = list_frame(i);

		for (size_t n = 14; n < whole.n; n++) {
			struct tunnel_frame f = whole;
			struct host h = { .socket = SECOND_SOCKET_NONE };
			enum decap_reason why;

			f.n = n;
			why = parse_copy(&f, &h);
			assert_true(why == DECAP_PASSED || why == DECAP_TRUNCATED);
		}
	}
}

SUITE(decap_second)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_way_to_spoil_a_list_has_its_name),
		cmocka_unit_test(a_list_cut_at_any_byte_is_never_followed),
		cmocka_unit_test(what_belongs_to_no_connection_stays_where_it_is),
		cmocka_unit_test(a_connection_is_kept_by_the_state_of_its_socket),
		cmocka_unit_test(the_socket_is_asked_for_by_the_segments_own_tuple),
		cmocka_unit_test(an_error_goes_by_the_tuple_that_it_quotes),
		cmocka_unit_test(
		        a_segment_of_no_connection_goes_to_the_next_owner_and_ends_at_the_last),
		cmocka_unit_test(
		        what_is_passed_on_to_the_end_arrives_in_as_many_steps_as_there_are_owners),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
