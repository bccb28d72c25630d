/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which flow is chosen, the bytes of its probe packet, and which frames are what must come of it:
 * frames and tables are written here, and no program runs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/prover_internal.h"
#include "tests/unit/suite.h"

#define POOL_ID   77u
#define BACKENDS  4u /* the first is none */
#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))
#define FRAME_MAX 256u

static const uint8_t mac[6] = { 2, 0xaa, 0, 0, 0, 1 };
static struct fwd_backend backends[BACKENDS + 1]; /* one more lies behind the table */
static struct fwd_tables tables = { .backends = backends, .n_backends = BACKENDS };

static union fwd_addr make_address(bool is4, uint32_t last)
{
	union fwd_addr a = { .words_be = { fwd_be32(0x20010db8), 0, 0, fwd_be32(last) } };

	if (is4)
		fwd_addr_from4(&a, fwd_be32(0x0a010000 | last));
	return a;
}

static struct prover_flow make_flow(bool is4, uint8_t protocol, bool is_quoted)
{
	return (struct prover_flow){ .tuple = { .src = make_address(is4, 7),
		                                .dst = make_address(is4, 8),
		                                .sport_be = fwd_be16(40000),
		                                .dport_be = fwd_be16(80),
		                                .protocol = protocol },
		                     .pool_id = POOL_ID,
		                     .backend = 1,
		                     .is4 = is4,
		                     .is_quoted = is_quoted };
}

static void the_packets_are_these(void **state)
{
	static const struct {
		bool is4;
		uint8_t protocol;
		bool is_quoted;
		const char *bytes;
	} rows[] = {
		{ true, 6, false,
		  "02aa000000010200000000000800"
		  "4500002800000000400666c00a0100070a010008"
		  "9c40005000000001000000005010000000000000" },
		{ true, 17, false,
		  "02aa000000010200000000000800"
		  "4500001c00000000401166c10a0100070a010008"
		  "9c40005000080000" },
		{ false, 6, false,
		  "02aa0000000102000000000086dd"
		  "600000000014064020010db800000000000000000000000720010db8000000000000000000000008"
		  "9c40005000000001000000005010000000000000" },
		{ false, 17, false,
		  "02aa0000000102000000000086dd"
		  "600000000008114020010db800000000000000000000000720010db8000000000000000000000008"
		  "9c40005000080000" },
		{ true, 6, true,
		  "02aa000000010200000000000800"
		  "4500004400000000400166a90a0100070a010008"
		  "0303000000000000"
		  "4500002800000000400666c00a0100080a010007"
		  "00509c4000000001000000005010000000000000" },
		{ true, 17, true,
		  "02aa000000010200000000000800"
		  "4500003800000000400166b50a0100070a010008"
		  "0303000000000000"
		  "4500001c00000000401166c10a0100080a010007"
		  "00509c4000080000" },
		{ false, 6, true,
		  "02aa0000000102000000000086dd"
		  "6000000000443a4020010db800000000000000000000000720010db8000000000000000000000008"
		  "0104000000000000"
		  "600000000014064020010db800000000000000000000000820010db8000000000000000000000007"
		  "00509c4000000001000000005010000000000000" },
		{ false, 17, true,
		  "02aa0000000102000000000086dd"
		  "6000000000383a4020010db800000000000000000000000720010db8000000000000000000000008"
		  "0104000000000000"
		  "600000000008114020010db800000000000000000000000820010db8000000000000000000000007"
		  "00509c4000080000" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct prover_flow f = make_flow(rows[i].is4, rows[i].protocol, rows[i].is_quoted);
		struct driver_probe p;
		char text[2 * FRAME_MAX + 1] = "";

		memset(&p, 0xff, sizeof(p));
		prover_frame_make(&f, mac, &p);
		for (size_t k = 0; k < p.length; k++)
			snprintf(text + 2 * k, 3, "%02x", p.frame[k]);
		assert_string_equal(text, rows[i].bytes);
		assert_int_equal(p.result, DRIVER_PROBE_NOT_RUN);
		for (size_t k = p.length; k < sizeof(p.frame); k++)
			assert_int_equal(p.frame[k], 0);
	}
}

/* --- frames that come out --- */

static void put_word(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* The checksum of an IPv4 header without options (RFC 791), whatever its own field says. */
static unsigned sum_header(const uint8_t *ip)
{
	unsigned sum = 0;

	for (int i = 0; i < 20; i += 2)
		sum += i == 10 ? 0u : (unsigned)ip[i] << 8 | ip[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

/* What is carried to a backend, and what is wrong with it. */
struct wanted {
	const char *why;
	bool inner4, outer4;
	enum fwd_encap_mode encap;
	unsigned tags, list_words;
	int more_head;  /* bytes between the headers and the packet */
	int length_off; /* of the outer header's length field */
	int first;      /* the outer header's first byte, if not 0 */
	int protocol;   /* the outer header's, if not 0 */
	int gue;        /* GUE's protocol, if not 0 */
	bool forwarded;
};

static size_t put_outer(uint8_t *at, const struct wanted *w, size_t inner_len)
{
	size_t ip = w->outer4 ? 20 : 40,
	       gue = w->encap == FWD_ENCAP_GUE ? 12 + 4 * w->list_words : 0;
	size_t head = ip + gue + (size_t)w->more_head;
	union fwd_addr to = make_address(w->outer4, 1);
	uint8_t inner = w->inner4 ? 4 : 41, protocol = w->encap == FWD_ENCAP_GUE ? 17 : inner;

	memset(at, 0, head);
	if (w->protocol)
		protocol = (uint8_t)w->protocol;
	if (w->outer4) {
		at[0] = 0x45;
		put_word(at + 2, (unsigned)(head + inner_len) + (unsigned)w->length_off);
		at[9] = protocol;
		memcpy(at + 16, &to.words_be[3], 4);
	} else {
		at[0] = 0x60;
		put_word(at + 4, (unsigned)(head - 40 + inner_len) + (unsigned)w->length_off);
		at[6] = protocol;
		memcpy(at + 24, &to, 16);
	}
	if (w->first)
		at[0] = (uint8_t)w->first;
	if (w->outer4)
		put_word(at + 10, sum_header(at));
	if (gue) {
		at[ip + 8] = (uint8_t)w->list_words;
		at[ip + 9] = w->gue ? (uint8_t)w->gue : inner;
	}
	return head;
}

/* The frame to backend 1 that @p from must become. */
static void make_frame(const struct wanted *w, const struct driver_probe *from,
                       struct driver_probe *to)
{
	size_t inner_len = from->length - 14u, n = 12;
	uint8_t *inner;

	memset(to, 0, sizeof(*to));
	memcpy(to->frame, backends[1].mac_to, 6);
	for (unsigned i = 0; i < w->tags; i++, n += 4)
		put_word(to->frame + n, i % 2 ? 0x8100 : 0x88a8);
	if (w->encap == FWD_ENCAP_L2)
		put_word(to->frame + n, w->inner4 ? 0x0800 : 0x86dd);
	else
		put_word(to->frame + n, w->outer4 ? 0x0800 : 0x86dd);
	n += 2;
	if (w->encap != FWD_ENCAP_L2)
		n += put_outer(to->frame + n, w, inner_len);
	inner = to->frame + n;
	memcpy(inner, from->frame + 14, inner_len);
	inner[w->inner4 ? 8 : 7]--;
	if (w->inner4)
		put_word(inner + 10, sum_header(inner));
	to->length = (uint16_t)(n + inner_len);
}

static void set_backends(enum fwd_encap_mode encap, bool outer4)
{
	for (uint32_t i = 1; i < BACKENDS; i++)
		backends[i] = (struct fwd_backend){ .address = make_address(outer4, i),
			                            .mac_to = { 2, 0xbb, 0, 0, 0, (uint8_t)i },
			                            .encap = (uint8_t)encap,
			                            .flags = FWD_BACKEND_USED,
			                            .pool_id = POOL_ID };
}

static bool judge_frame(const struct wanted *w)
{
	struct prover_flow f = make_flow(w->inner4, 17, false);
	struct driver_probe from, to;

	set_backends(w->encap, w->outer4);
	prover_frame_make(&f, mac, &from);
	make_frame(w, &from, &to);
	return prover_frame_is_forwarded(&tables, &f, &from, &to);
}

#define IPIP FWD_ENCAP_IPIP
#define GUE  FWD_ENCAP_GUE
#define L2   FWD_ENCAP_L2

static const struct wanted forms[] = {
	{ "IPv4 in IPv4", true, true, IPIP, .forwarded = true },
	{ "IPv6 in IPv4", false, true, IPIP, .forwarded = true },
	{ "IPv4 in IPv6", true, false, IPIP, .forwarded = true },
	{ "IPv6 in IPv6", false, false, IPIP, .forwarded = true },
	{ "a tag", true, true, IPIP, .tags = 1, .forwarded = true },
	{ "two tags", true, true, IPIP, .tags = 2, .forwarded = true },
	{ "three tags", true, true, IPIP, .tags = 3 },
	{ "GUE, IPv4 in IPv4", true, true, GUE, .forwarded = true },
	{ "GUE, IPv6 in IPv6", false, false, GUE, .forwarded = true },
	{ "GUE, IPv4 in IPv6, a list", true, false, GUE, .list_words = 1, .forwarded = true },
	{ "GUE, the longest list that fits", true, true, GUE, .list_words = 31, .forwarded = true },
	{ "no tunnel", true, true, L2, .forwarded = true },
	{ "no tunnel, IPv6, a tag", false, false, L2, .tags = 1, .forwarded = true },
	{ "bytes behind the IPv4 header", true, true, IPIP, .more_head = 4 },
	{ "bytes behind the IPv6 header", true, false, IPIP, .more_head = 4 },
	{ "bytes behind the list", true, true, GUE, .list_words = 1, .more_head = 4 },
	{ "an IPv4 length too small", true, true, IPIP, .length_off = -1 },
	{ "an IPv4 length too large", true, true, IPIP, .length_off = 1 },
	{ "an IPv6 length too small", false, false, IPIP, .length_off = -1 },
	{ "an IPv6 length too large", false, false, IPIP, .length_off = 1 },
	{ "options in the outer header", true, true, IPIP, .first = 0x46 },
	{ "another IP version", true, false, IPIP, .first = 0x50 },
	{ "a traffic class", true, false, IPIP, .first = 0x6f, .forwarded = true },
	{ "the other family is in it", true, true, IPIP, .protocol = 41 },
	{ "the other family is in it", false, true, IPIP, .protocol = 4 },
	{ "TCP is in it", true, true, IPIP, .protocol = 6 },
	{ "UDP without a header", true, true, IPIP, .protocol = 17 },
	{ "UDP whose header is cut off", true, true, IPIP, .protocol = 17, .more_head = 8 },
	{ "GUE of the other family", true, true, GUE, .gue = 41 },
	{ "GUE of the other family", false, true, GUE, .gue = 4 },
	{ "GUE in TCP", true, true, GUE, .protocol = 6 },
	{ "GUE in the packet's own protocol", true, true, GUE, .protocol = 4 },
};

static void each_form_of_tunnel_is_known_by_its_headers(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(forms); i++)
		if (judge_frame(&forms[i]) != forms[i].forwarded)
			fail_msg("%s", forms[i].why);
}

/* A checksum is one of two zeros, or itself: in the packet and in the tunnel's header. */
static void both_zeros_are_a_checksum_of_zero(void **state)
{
	static const struct {
		bool is_zero;
		unsigned says;
		bool forwarded;
	} rows[] = {
		{ true, 0, true },        { true, 0xffff, true },   { true, 1, false },
		{ true, 0xfffe, false },  { true, 0x8000, false },  { false, 0, false },
		{ false, 0xffff, false }, { false, 0x1234, false },
	};
	static const struct wanted w = { .inner4 = true, .outer4 = true };
	struct prover_flow f = make_flow(true, 17, false);

	(void)state;
	set_backends(IPIP, true);
	for (size_t i = 0; i < COUNT(rows); i++)
		for (int outer = 0; outer < 2; outer++) {
			struct driver_probe from, to;
			uint8_t *header;
			bool forwarded;

			prover_frame_make(&f, mac, &from);
			make_frame(&w, &from, &to);
			header = to.frame + 14 + (outer ? 0 : 20);
			if (rows[i].is_zero) { /* the identification makes up for the rest */
				put_word(header + 4, sum_header(header));
				assert_int_equal(sum_header(header), 0);
			}
			if (!outer)
				memcpy(from.frame + 18, header + 4, 2);
			put_word(header + 10, rows[i].says);
			forwarded = prover_frame_is_forwarded(&tables, &f, &from, &to);
			if (forwarded != rows[i].forwarded)
				fail_msg("%s header, row %zu", outer ? "outer" : "inner", i);
		}
}

static void a_frame_is_as_long_as_its_packet_in_the_tunnel(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(forms); i++) {
		struct prover_flow f = make_flow(forms[i].inner4, 17, false);
		struct driver_probe from, to;
		uint16_t whole;

		if (!forms[i].forwarded)
			continue;
		set_backends(forms[i].encap, forms[i].outer4);
		prover_frame_make(&f, mac, &from);
		make_frame(&forms[i], &from, &to);
		whole = to.length;
		for (unsigned n = 0; n <= DRIVER_PROBE_LEN + 1; n++) {
			to.length = (uint16_t)n;
			if (prover_frame_is_forwarded(&tables, &f, &from, &to) != (n == whole))
				fail_msg("%s: %u bytes of %u", forms[i].why, n, whole);
		}
	}
}

/* The longest frame there is fills its room. */
static void the_longest_frame_counts(void **state)
{
	static const struct wanted w = {
		.inner4 = true, .outer4 = true, .encap = GUE, .tags = 1, .list_words = 31
	};
	struct prover_flow f = make_flow(true, 17, false);
	struct driver_probe from, to;

	(void)state;
	set_backends(GUE, true);
	prover_frame_make(&f, mac, &from);
	from.length += 54;
	put_word(from.frame + 16, from.length - 14u);
	make_frame(&w, &from, &to);
	assert_int_equal(to.length, DRIVER_PROBE_LEN);
	assert_true(prover_frame_is_forwarded(&tables, &f, &from, &to));
}

/* The frame is for backend 1. */
static void a_frame_leads_to_a_backend_of_the_pool(void **state)
{
	static const struct {
		const char *why;
		uint32_t expected, changed;
		uint8_t flags;
		uint64_t pool_id;
		bool forwarded;
	} rows[] = {
		{ "as it is", 1, 1, FWD_BACKEND_USED, POOL_ID, true },
		{ "no backend was expected", 0, 1, FWD_BACKEND_USED, POOL_ID, true },
		{ "another one was expected", 2, 1, FWD_BACKEND_USED, POOL_ID, true },
		{ "one beyond the table was expected", BACKENDS, 1, FWD_BACKEND_USED, POOL_ID,
		  true },
		{ "it is not used", 1, 1, 0, POOL_ID, false },
		{ "it is not used, and another one was expected", 2, 1, 0, POOL_ID, false },
		{ "it is another pool's", 1, 1, FWD_BACKEND_USED, POOL_ID + 1, false },
		{ "another one has left the pool", 1, 2, FWD_BACKEND_USED, POOL_ID + 1, true },
		{ "another one is not used", 2, 2, 0, POOL_ID, true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		for (int l2 = 0; l2 < 2; l2++) {
			const struct wanted w = { .inner4 = true,
				                  .outer4 = true,
				                  .encap = l2 ? L2 : IPIP };
			struct prover_flow f = make_flow(true, 17, false);
			struct driver_probe from, to;

			set_backends(w.encap, true);
			f.backend = rows[i].expected;
			prover_frame_make(&f, mac, &from);
			make_frame(&w, &from, &to);
			backends[rows[i].changed].flags = rows[i].flags;
			backends[rows[i].changed].pool_id = rows[i].pool_id;
			if (prover_frame_is_forwarded(&tables, &f, &from, &to) != rows[i].forwarded)
				fail_msg("%s (%s)", rows[i].why, l2 ? "l2" : "tunnel");
		}
}

static void the_first_is_none_and_the_last_one_counts(void **state)
{
	static const struct wanted w = { .inner4 = true, .outer4 = true };
	struct prover_flow f = make_flow(true, 17, false);
	struct driver_probe from, to;

	(void)state;
	for (uint32_t i = 0; i <= BACKENDS; i++) {
		set_backends(IPIP, true);
		prover_frame_make(&f, mac, &from);
		make_frame(&w, &from, &to);
		backends[0] = backends[1];
		backends[i] = backends[0];
		for (uint32_t k = 1; k <= BACKENDS; k++)
			backends[k].pool_id = k == i ? POOL_ID : POOL_ID + 1;
		for (f.backend = 0; f.backend <= BACKENDS; f.backend++)
			assert_int_equal(prover_frame_is_forwarded(&tables, &f, &from, &to),
			                 i > 0 && i < BACKENDS);
		backends[0] = backends[BACKENDS] = (struct fwd_backend){ 0 };
	}
}

/* The tunnel's other end, the next hop and the way there are all the backend's own. */
static void mode_address_and_next_hop_are_the_backends(void **state)
{
	struct prover_flow f = make_flow(true, 17, false);

	(void)state;
	for (int l2 = 0; l2 < 2; l2++)
		for (int wrong = 0; wrong < 4; wrong++) {
			const struct wanted w = { .inner4 = true,
				                  .outer4 = true,
				                  .encap = l2 ? L2 : IPIP };
			struct driver_probe from, to;

			set_backends(w.encap, true);
			prover_frame_make(&f, mac, &from);
			make_frame(&w, &from, &to);
			if (wrong == 1)
				backends[1].mac_to[5] ^= 1;
			if (wrong == 2)
				backends[1].address = make_address(true, 9);
			if (wrong == 3)
				backends[1].encap = l2 ? IPIP : L2;
			assert_int_equal(prover_frame_is_forwarded(&tables, &f, &from, &to),
			                 !wrong || (l2 && wrong == 2));
		}
}

/* --- choosing --- */

#define SLOTS 32u

static struct fwd_root root;
static struct fwd_pool pools[1];
static struct fwd_slots slots[SLOTS / FWD_SLOTS_PER_BLOCK];
static struct owner_cold colds[SLOTS];
static struct fwd_tables chosen_from = { .root = &root,
	                                 .pools = pools,
	                                 .n_pools = 1,
	                                 .slots = slots,
	                                 .n_slots = SLOTS / FWD_SLOTS_PER_BLOCK,
	                                 .colds = colds,
	                                 .n_colds = SLOTS,
	                                 .backends = backends,
	                                 .n_backends = BACKENDS };

/* All slots are backend @p owner's, and have @p base_tcp and @p base_udp as their bases. */
static void set_slots(uint16_t hot, uint16_t base_tcp, uint16_t base_udp)
{
	for (uint32_t i = 0; i < SLOTS; i++) {
		slots[i / FWD_SLOTS_PER_BLOCK].slot[i % FWD_SLOTS_PER_BLOCK] = hot;
		colds[i] = (struct owner_cold){ 0 };
		colds[i].claim[OWNER_CLASS_TCP].base = base_tcp;
		colds[i].claim[OWNER_CLASS_UDP].base = base_udp;
	}
}

static struct fwd_service make_service(bool is4, uint8_t protocol)
{
	return (struct fwd_service){ .vip = make_address(is4, 8),
		                     .port_be = fwd_be16(80),
		                     .protocol = protocol,
		                     .flags = FWD_SERVICE_USED };
}

static void set_tables(void)
{
	set_backends(IPIP, true);
	root = (struct fwd_root){ 0 };
	root.hash_key[0] = 1;
	memset(&root.source4.mask, 0xff, sizeof(root.source4.mask));
	memset(&root.source6.mask, 0xff, sizeof(root.source6.mask));
	pools[0] =
	        (struct fwd_pool){ .slot_range = 5, .idle_s = 60, .remember_s = 30, .id = POOL_ID };
}

#define UNSETTLED (FWD_SLOT_UNSETTLED | 1u)

/* Backends 1 and 2 are used, 3 is not. */
static void the_flow_is_one_that_can_be_proved(void **state)
{
	static const struct {
		const char *why;
		uint16_t hot, base_tcp, base_udp;
		uint8_t protocol;
		bool has_agents, resets_udp;
		enum prover_choice choice;
		uint32_t backend;
		bool is_quoted;
	} rows[] = {
		{ "settled", 1, 2, 2, 6, false, false, PROVER_CHOICE_FLOW, 1, false },
		{ "settled, UDP", 2, 1, 1, 17, false, false, PROVER_CHOICE_FLOW, 2, false },
		{ "settled, its owner is gone", 3, 1, 1, 6, false, false, PROVER_CHOICE_FLOW, 3,
		  false },
		{ "settled, without an owner", 0, 1, 1, 6, false, false, PROVER_CHOICE_FLOW, 0,
		  false },
		{ "unsettled: the base of TCP", UNSETTLED, 2, 3, 6, false, false,
		  PROVER_CHOICE_FLOW, 2, true },
		{ "unsettled: the base of UDP", UNSETTLED, 3, 2, 17, false, false,
		  PROVER_CHOICE_FLOW, 2, true },
		{ "the base is gone", UNSETTLED, 3, 2, 6, false, false, PROVER_CHOICE_UNSAFE, 0,
		  false },
		{ "there is no base", UNSETTLED, 0, 2, 6, false, false, PROVER_CHOICE_UNSAFE, 0,
		  false },
		{ "both are gone", FWD_SLOT_UNSETTLED | 3u, 3, 2, 6, false, false,
		  PROVER_CHOICE_FLOW, 3, true },
		{ "the owner alone is gone", FWD_SLOT_UNSETTLED | 3u, 2, 3, 6, false, false,
		  PROVER_CHOICE_FLOW, 2, true },
		{ "agents remember TCP", UNSETTLED, 3, 3, 6, true, false, PROVER_CHOICE_FLOW, 1,
		  false },
		{ "agents do not remember UDP", UNSETTLED, 3, 2, 17, true, false,
		  PROVER_CHOICE_FLOW, 2, true },
		{ "UDP that is reset", UNSETTLED, 3, 3, 17, false, true, PROVER_CHOICE_FLOW, 1,
		  false },
		{ "a reset of UDP is not one of TCP", UNSETTLED, 2, 3, 6, false, true,
		  PROVER_CHOICE_FLOW, 2, true },
	};

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(rows); i++) {
		bool is4 = i % 2;
		struct fwd_service service = make_service(is4, rows[i / 2].protocol);
		struct prover_flow f;

		set_tables();
		backends[3].flags = 0;
		pools[0].flags = rows[i / 2].has_agents ? FWD_POOL_AGENTS : 0;
		if (rows[i / 2].resets_udp)
			service.udp_policy = FWD_UDP_RESET;
		set_slots(rows[i / 2].hot, rows[i / 2].base_tcp, rows[i / 2].base_udp);
		if (prover_flow_choose(&chosen_from, &service, 0, 5, &f) != rows[i / 2].choice)
			fail_msg("%s", rows[i / 2].why);
		if (rows[i / 2].choice != PROVER_CHOICE_FLOW)
			continue;
		if (f.backend != rows[i / 2].backend || f.is_quoted != rows[i / 2].is_quoted)
			fail_msg("%s: backend %u, %d", rows[i / 2].why, f.backend, f.is_quoted);
		assert_int_equal(f.is4, is4);
		assert_int_equal(f.pool_id, POOL_ID);
		assert_memory_equal(&f.tuple.dst, &service.vip, sizeof(service.vip));
		assert_int_equal(f.tuple.sport_be, fwd_be16(40000));
		assert_int_equal(f.tuple.dport_be, fwd_be16(80));
		assert_int_equal(f.tuple.protocol, rows[i / 2].protocol);
	}
}

/* Addresses for benchmarks: 198.18.0.0/15 (RFC 2544), 2001:2::/48 (RFC 5180). */
static void sources_differ_and_are_nobodys(void **state)
{
	const struct fwd_service service = make_service(true, 6), other = make_service(false, 6);
	uint32_t seen[64];

	(void)state;
	set_tables();
	set_slots(1, 1, 1);
	for (uint32_t start = 0; start < COUNT(seen); start++) {
		struct prover_flow f, again;
		uint32_t source;

		assert_int_equal(prover_flow_choose(&chosen_from, &service, 0, start, &f),
		                 PROVER_CHOICE_FLOW);
		assert_int_equal(prover_flow_choose(&chosen_from, &service, 0, start, &again),
		                 PROVER_CHOICE_FLOW);
		assert_memory_equal(&f.tuple, &again.tuple, sizeof(f.tuple));
		assert_true(fwd_addr_is4(&f.tuple.src));
		source = fwd_be32(f.tuple.src.words_be[3]);
		assert_int_equal(source >> 17, 0xc612u >> 1);
		for (uint32_t i = 0; i < start; i++)
			assert_true(source != seen[i]);
		seen[start] = source;
		assert_int_equal(prover_flow_choose(&chosen_from, &other, 0, start, &f),
		                 PROVER_CHOICE_FLOW);
		assert_int_equal(f.tuple.src.words_be[0], fwd_be32(0x20010002));
		assert_int_equal(f.tuple.src.words_be[1], 0);
		assert_int_equal(f.tuple.src.words_be[2], 0);
		assert_int_equal(fwd_be32(f.tuple.src.words_be[3]), source & 0x1ffff);
	}
}

static void without_a_pool_or_a_source_there_is_no_flow(void **state)
{
	const struct fwd_service service = make_service(true, 6);
	struct prover_flow f;

	(void)state;
	set_tables();
	set_slots(1, 1, 1);
	assert_int_equal(prover_flow_choose(&chosen_from, &service, 1, 0, &f), PROVER_CHOICE_NONE);
	fwd_addr_from4(&root.source4.addr, fwd_be32(0xc6120000));
	memcpy(root.source4.mask.bytes + 12, (const uint8_t[]){ 0xff, 0xfe, 0, 0 }, 4);
	assert_int_equal(prover_flow_choose(&chosen_from, &service, 0, 0, &f), PROVER_CHOICE_NONE);
	root.source4.mask.bytes[14] = 0xf0; /* some of them are left */
	assert_int_equal(prover_flow_choose(&chosen_from, &service, 0, 0, &f), PROVER_CHOICE_FLOW);
	assert_false(fwd_prefix_has(&root.source4, &f.tuple.src));
}

SUITE(prover_judged)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_flow_is_one_that_can_be_proved),
		cmocka_unit_test(sources_differ_and_are_nobodys),
		cmocka_unit_test(without_a_pool_or_a_source_there_is_no_flow),
		cmocka_unit_test(the_packets_are_these),
		cmocka_unit_test(each_form_of_tunnel_is_known_by_its_headers),
		cmocka_unit_test(both_zeros_are_a_checksum_of_zero),
		cmocka_unit_test(a_frame_is_as_long_as_its_packet_in_the_tunnel),
		cmocka_unit_test(the_longest_frame_counts),
		cmocka_unit_test(a_frame_leads_to_a_backend_of_the_pool),
		cmocka_unit_test(the_first_is_none_and_the_last_one_counts),
		cmocka_unit_test(mode_address_and_next_hop_are_the_backends),
	};

	return cmocka_run_group_tests_name("prover judged", tests, NULL, NULL);
}
