/* SPDX-License-Identifier: BSD-2-Clause */
/* New flows are counted, and what becomes of those in the sample (weir/fwd/sample.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/fwd/small.h"
#include "tests/unit/suite.h"
#include "weir/fwd/rewrite.h"
#include "weir/fwd/sample.h"

/* The documented values, not the code's own: a change of those is seen. */
#define WAIT_S 3u
#define LIFE_S 75u
#define AHEAD  (128u * 1024)

#define ROOM 128u

enum { SYN = FWD_TCP_SYN, ACK = FWD_TCP_ACK, FIN = FWD_TCP_FIN, RST = FWD_TCP_RST };

struct fixture {
	struct world w;
	uint8_t bytes[ROOM + 256];
	struct fwd_verdict v;
	uint32_t now_s;
};

static int set_up(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	f.now_s = 1000;
	small_world(&f.w);
	world_add_service(&f.w, "192.0.2.80", 80, FWD_PROTO_TCP, 0, 0);
	world_add_service(&f.w, "2001:db8:80::80", 80, FWD_PROTO_TCP, 0, 0);
	f.w.t.root->sample_wide = 255;
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	world_fini(&f->w);
	return 0;
}

/** A segment from a client to port 80. */
struct segment {
	bool is6, udp;
	uint8_t flags;
	uint16_t client; /**< its port */
	uint32_t seq;
};

static void put_transport(uint8_t *l4, struct segment p)
{
	put_be16(l4, 40000u + p.client);
	put_be16(l4 + 2, p.udp ? 53 : 80);
	if (p.udp) {
		put_be16(l4 + 4, 40);
		l4[13] = FWD_TCP_SYN; /* where a TCP segment has its flags */
		return;
	}
	put_be16(l4 + 4, p.seq >> 16);
	put_be16(l4 + 6, p.seq);
	l4[12] = 0x50;
	l4[13] = p.flags;
}

static void send_segment(struct fixture *f, struct segment p)
{
	const union fwd_addr src4 = world_addr("203.0.113.9"), dst4 = world_addr("192.0.2.80");
	const union fwd_addr src6 = world_addr("2001:db8:c:d0::9");
	const union fwd_addr dst6 = world_addr("2001:db8:80::80");
	uint8_t *l3 = f->bytes + ROOM + ETH, *l4 = l3 + (p.is6 ? 40 : 20);
	struct fwd_packet packet = { f->bytes + ROOM, l4 + 40, f->bytes };

	memset(f->bytes, 0, sizeof(f->bytes));
	memcpy(f->bytes + ROOM, "\x02\xaa\0\0\0\1\x02\xcc\0\0\0\1", 12);
	put_be16(l3 - 2, p.is6 ? 0x86dd : 0x0800);
	if (p.is6) {
		l3[0] = 0x60;
		put_be16(l3 + 4, 40);
		l3[6] = p.udp ? FWD_PROTO_UDP : FWD_PROTO_TCP;
		l3[7] = 64;
		memcpy(l3 + 8, src6.bytes, 16);
		memcpy(l3 + 24, dst6.bytes, 16);
	} else {
		l3[0] = 0x45;
		put_be16(l3 + 2, 60);
		l3[8] = 64;
		l3[9] = p.udp ? FWD_PROTO_UDP : FWD_PROTO_TCP;
		memcpy(l3 + 12, src4.bytes + 12, 4);
		memcpy(l3 + 16, dst4.bytes + 12, 4);
	}
	put_transport(l4, p);
	assert_int_equal(world_forward(&f->w, &packet, f->now_s, &f->v), FWD_REASON_FORWARDED);
}

static struct fwd_sample_count count_of(const struct fixture *f)
{
	struct fwd_sample_count sum = { 0 };

	for (uint32_t i = 0; i < f->w.t.n_sample_counts; i++) {
		sum.sampled += f->w.t.sample_counts[i].sampled;
		sum.repeated += f->w.t.sample_counts[i].repeated;
		sum.followed += f->w.t.sample_counts[i].followed;
		sum.lost += f->w.t.sample_counts[i].lost;
	}
	return sum;
}

#define EXPECT(f, a, b, c, d)                                                                      \
	do {                                                                                       \
		struct fwd_sample_count is = count_of(f);                                          \
		assert_int_equal(is.sampled, a);                                                   \
		assert_int_equal(is.repeated, b);                                                  \
		assert_int_equal(is.followed, c);                                                  \
		assert_int_equal(is.lost, d);                                                      \
	} while (0)

static uint64_t sum_packets(const struct fwd_count *counts, uint32_t n)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += counts[i].packets;
	return sum;
}

/* Both are counted once, among new flows or among the rest. */
static void only_a_syn_alone_is_a_new_flow(void **state)
{
	static const struct {
		uint8_t flags;
		bool is_new;
	} cases[] = {
		{ SYN, true },        { SYN | FWD_TCP_SYN << 6, true },
		{ SYN | ACK, false }, { SYN | FIN, false },
		{ SYN | RST, false }, { ACK, false },
		{ 0, false },
	};
	struct fixture *f = *state;
	const struct fwd_tables *t = &f->w.t;
	uint64_t news = 0, others = 0;

	for (size_t i = 0; i < COUNT(cases); i++)
		for (int is6 = 0; is6 < 2; is6++) {
			send_segment(f, (struct segment){ .is6 = is6, .flags = cases[i].flags });
			*(cases[i].is_new ? &news : &others) += 1;
			assert_int_equal(sum_packets(t->service_news, t->n_service_news), news);
			assert_int_equal(t->backend_news[1].packets, news);
			assert_int_equal(sum_packets(t->service_counts, t->n_service_counts),
			                 others);
			assert_int_equal(t->backend_counts[1].packets, others);
		}
	assert_int_equal(t->backend_news[1].bytes, 2 * (74 + 94));
}

static void a_datagram_is_no_flow(void **state)
{
	struct fixture *f = *state;

	send_segment(f, (struct segment){ .udp = true });
	send_segment(f, (struct segment){ .udp = true, .is6 = true });
	assert_int_equal(f->w.t.backend_news[1].packets, 0);
	EXPECT(f, 0, 0, 0, 0);
}

static void a_syn_comes_again_until_it_is_too_late(void **state)
{
	struct fixture *f = *state;

	for (int is6 = 0; is6 < 2; is6++) {
		struct segment syn = { .is6 = is6, .flags = SYN, .seq = 77 };

		send_segment(f, syn);
		EXPECT(f, 3u * is6 + 1, 2u * is6, 0, 0);
		send_segment(f, syn);
		f->now_s += LIFE_S;
		send_segment(f, syn);
		EXPECT(f, 3u * is6 + 1, 2u * is6 + 2, 0, 0);
		f->now_s++;
		send_segment(f, syn);
		EXPECT(f, 3u * is6 + 2, 2u * is6 + 2, 0, 0);
		syn.seq++; /* another connection of the same ports */
		send_segment(f, syn);
		EXPECT(f, 3u * is6 + 3, 2u * is6 + 2, 0, 0);
	}
}

static void what_follows_a_syn_fits_it(void **state)
{
	static const struct {
		uint8_t flags;
		uint32_t seq;
		bool follows;
	} cases[] = {
		{ ACK, 101, true },       { ACK, 100 + AHEAD, true }, { ACK, 101 + AHEAD, false },
		{ ACK, 99, false },       { RST, 101, false },        { RST | ACK, 101, false },
		{ FIN | ACK, 101, true }, { SYN | ACK, 101, true },
	};
	struct fixture *f = *state;
	uint32_t followed = 0;

	for (uint16_t i = 0; i < COUNT(cases); i++) {
		send_segment(f, (struct segment){ .client = i, .flags = SYN, .seq = 100 });
		for (int again = 0; again < 2; again++) /* is counted once */
			send_segment(f, (struct segment){ .client = i,
			                                  .flags = cases[i].flags,
			                                  .seq = cases[i].seq });
		followed += cases[i].follows;
		EXPECT(f, i + 1u, 0, followed, 0);
	}
}

static void what_follows_no_syn_is_nothing(void **state)
{
	struct fixture *f = *state;

	send_segment(f, (struct segment){ .flags = ACK, .seq = 1 });
	send_segment(f, (struct segment){ .client = 1, .flags = SYN, .seq = 1 });
	send_segment(f, (struct segment){ .client = 2, .flags = ACK, .seq = 1 });
	EXPECT(f, 1, 0, 0, 0);
}

static void an_entry_says_where_its_flow_came_from(void **state)
{
	struct fixture *f = *state;
	uint32_t found = 0;

	send_segment(f, (struct segment){ .flags = SYN });
	send_segment(f, (struct segment){ .is6 = true, .flags = SYN });
	for (uint32_t i = 0; i < f->w.t.n_samples; i++)
		for (int k = 0; k < 2; k++) {
			const struct fwd_sample *e = &f->w.t.samples[i].way[k];

			found += e->source == (4ull << 56 | 0x7100cb);
			found += e->source == (6ull << 56 | 0x000c00b80d0120);
			assert_true(!e->state || e->began_s == 1000);
		}
	assert_int_equal(found, 2);
}

/* --- what a full bucket loses --- */

static struct fwd_sampled of_bucket(uint32_t i)
{
	return (struct fwd_sampled){ .hash = 3ull << 26 | i, .source = 1, .seq = 100 };
}

static void begin_in_bucket(struct fixture *f, uint32_t i)
{
	struct fwd_sampled s = of_bucket(i);

	s.service = i == 1 ? 5 : 0;
	f->w.t.now_s = f->now_s;
	fwd_sample_segment(&f->w.t, f->w.t.root, &s, FWD_SEGMENT_SYN);
}

static bool is_known(struct fixture *f, uint32_t i)
{
	uint64_t before = count_of(f).followed;
	struct fwd_sampled s = of_bucket(i);

	fwd_sample_segment(&f->w.t, f->w.t.root, &s, FWD_SEGMENT_TCP);
	return count_of(f).followed > before;
}

static void the_older_flow_is_lost_first(void **state)
{
	struct fixture *f = *state;

	begin_in_bucket(f, 1);
	f->now_s++;
	begin_in_bucket(f, 2);
	begin_in_bucket(f, 3);
	EXPECT(f, 3, 0, 0, 1);
	assert_int_equal(f->w.t.sample_counts[5].lost, 1); /* the loss is its own service's */
	assert_false(is_known(f, 1));
	assert_true(is_known(f, 2));
	assert_true(is_known(f, 3));
}

static void a_flow_that_was_followed_is_no_loss(void **state)
{
	struct fixture *f = *state;

	begin_in_bucket(f, 1);
	f->now_s++;
	begin_in_bucket(f, 2);
	assert_true(is_known(f, 2)); /* and so followed, though it is the younger one */
	begin_in_bucket(f, 3);
	EXPECT(f, 3, 0, 1, 0);
	assert_true(is_known(f, 1));
}

static void a_flow_that_is_judged_is_no_loss(void **state)
{
	struct fixture *f = *state;

	for (uint32_t i = 0; i < 2; i++) {
		begin_in_bucket(f, 1 + 2 * i);
		begin_in_bucket(f, 2 + 2 * i);
		f->now_s += WAIT_S + 1;
	}
	EXPECT(f, 4, 0, 0, 0);
	f->now_s -= 1;
	begin_in_bucket(f, 5);
	EXPECT(f, 5, 0, 0, 1);
}

static void the_fixed_sample_is_one_flow_of_256(void **state)
{
	struct fixture *f = *state;
	uint32_t wide[] = { 0, 15, 255 }, n[] = { 256, 16, 1 };

	for (int i = 0; i < 3; i++) {
		uint32_t has = 0;

		f->w.t.root->sample_wide = wide[i];
		for (uint64_t top = 0; top < 256; top++)
			has += fwd_sample_has(f->w.t.root, top << 56 | 0xffffffffffffff);
		assert_int_equal(has, 256 / n[i]);
		assert_true(fwd_sample_has(f->w.t.root, 0xffffffffffffff)); /* always */
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

SUITE(sample)
{
	const struct CMUnitTest tests[] = {
		T(only_a_syn_alone_is_a_new_flow),
		T(a_datagram_is_no_flow),
		T(a_syn_comes_again_until_it_is_too_late),
		T(what_follows_a_syn_fits_it),
		T(what_follows_no_syn_is_nothing),
		T(an_entry_says_where_its_flow_came_from),
		T(the_older_flow_is_lost_first),
		T(a_flow_that_was_followed_is_no_loss),
		T(a_flow_that_is_judged_is_no_loss),
		T(the_fixed_sample_is_one_flow_of_256),
	};

	return cmocka_run_group_tests_name("sample", tests, NULL, NULL);
}
