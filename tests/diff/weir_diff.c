/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weir-diff COUNT [SEED]: the shared forwarding code as the XDP program and natively, on equal
 * tables (compare.h).
 *
 * First every boundary value of every field of every shape and every shape cut at every byte;
 * then random frames in sequence, among arbitrary changes of tables and time; then, for the second
 * half of COUNT, flows of clients on tables that the node makes and changes (sequence.h).
 * `--native FILE` takes the native side from a shared object, for the seeded bugs. With `--process
 * DIR WEIR-DATAPLANE CLOCK` all is the latter, and goes through a whole process, too (dpdk.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diff/compare.h"
#include "diff/sequence.h"
#include "diff/dpdk.h"
#include "weir/fwd/packet.h"
#include "weir/fwd/sample.h"

#define N_SLOTS      512u
#define FIRST_LISTED 256u /**< slot of the pool with agents */

static void add_backend(struct world *w, uint32_t i, const char *address, enum fwd_encap_mode encap)
{
	union fwd_addr a = world_addr(address);

	world_add_backend(w, i, &a, encap, DIFF_LOOPBACK);
}

static void add_backends(struct world *w)
{
	add_backend(w, 1, "10.1.0.1", FWD_ENCAP_IPIP);
	add_backend(w, 2, "10.1.0.2", FWD_ENCAP_GUE);
	add_backend(w, 3, "2001:db8:b::3", FWD_ENCAP_IPIP);
	add_backend(w, 4, "2001:db8:b::ffff:10.1.0.4", FWD_ENCAP_GUE); /* like a mapped one */
	add_backend(w, 5, "10.1.0.5", FWD_ENCAP_IPIP);
	w->t.backends[5].vlan = 100;
	add_backend(w, 6, "2001:db8:b::6", FWD_ENCAP_GUE);
	w->t.backends[6].vlan = 4094;
	w->t.backends[6].outer_vlan = 9;
	w->t.backends[6].outer_type_be = fwd_be16(FWD_ETHERTYPE_QINQ);
	add_backend(w, 7, "10.1.0.7", FWD_ENCAP_GUE);
	w->t.backends[7].ifindex = DIFF_OTHER_PORT;
	add_backend(w, 8, "10.1.0.8", FWD_ENCAP_L2);
	w->t.backends[8].inner_mtu = 68;
	add_backend(w, 9, "10.1.0.9", FWD_ENCAP_IPIP);
	w->t.backends[9].flags |= FWD_BACKEND_DEAD;
	add_backend(w, 10, "10.1.0.10", FWD_ENCAP_GUE);
	w->t.backends[10].flags |= FWD_BACKEND_NO_NEXT_HOP;
	add_backend(w, 11, "10.1.1.11", FWD_ENCAP_IPIP);
	w->t.backends[11].flags = 0;
	add_backend(w, 12, "10.1.0.12", FWD_ENCAP_IPIP);
	w->t.backends[12].flags |= FWD_BACKEND_DEAD | FWD_BACKEND_NO_NEXT_HOP;
	add_backend(w, 14, "::14", FWD_ENCAP_GUE); /* the first half of the address is zero */
	w->t.backends[13].flags =
	        FWD_BACKEND_USED | FWD_BACKEND_FULL; /* no backend, so no address */
}

static void add_services(struct world *w)
{
	static const char *const vips[] = { "192.0.2.80", "192.0.2.81", "198.51.100.9",
		                            "2001:db8:80::80", "2001:db8:80::81" };

	for (size_t i = 0; i < 5; i++) {
		world_add_vip(w, vips[i]);
		world_add_service(w, vips[i], 80, FWD_PROTO_TCP, 0, 0);
		world_add_service(w, vips[i], 443, FWD_PROTO_TCP, 1, 0);
		world_add_service(w, vips[i], 53, FWD_PROTO_UDP, 1, FWD_SERVICE_HASH_SOURCE);
		world_add_service(w, vips[i], 4433, FWD_PROTO_UDP, 1, 0);
		world_add_service(w, vips[i], 81, FWD_PROTO_TCP, FWD_POOL_NONE, 0);
		world_add_service(w, vips[i], 82, FWD_PROTO_TCP, 2, FWD_SERVICE_HASH_SOURCE);
		world_add_service(w, vips[i], 83, FWD_PROTO_UDP, 3, 0);
		world_add_service(w, vips[i], 84, FWD_PROTO_TCP, 77, 0);
		world_add_service(w, vips[i], 85, FWD_PROTO_TCP, 4, 0);
	}
	world_add_vip(w, "::80");
	world_add_service(w, "::80", 80, FWD_PROTO_TCP, 2, 0);
}

/** A slot of pool 1 in the middle of a change, or not. */
static void unsettle_slot(struct diff *d, uint32_t slot)
{
	struct random *r = &d->random;
	struct owner_cold *cold = &d->native.t.colds[slot];
	uint16_t hot = random_below(r, 4) ? (uint16_t)random_below(r, 14) : 0;

	for (int i = 0; i < OWNER_CLASSES; i++)
		cold->claim[i] = (struct owner_claim){
			.base = (uint16_t)(1 + random_below(r, 8)),
			.settle_at = random_below(r, 3) ? d->now_s + random_below(r, 1000) : 0,
			.seen_at = d->now_s,
			.spilled_at = (uint16_t)(d->now_s - random_below(r, 20)),
		};
	cold->claim[OWNER_CLASS_UDP].drill = random_below(r, 4) ? 1 + random_below(r, 13) : 0;
	*world_slot(&d->native, slot) = hot | (random_below(r, 4) ? FWD_SLOT_UNSETTLED : 0);
}

/** A drill of some clients, in any state. */
static void change_drill(struct diff *d)
{
	static const struct {
		const char *prefix;
		unsigned bits;
	} clients[] = { { "0.0.0.0", 1 },     { "10.9.0.0", 28 },     { "10.9.0.2", 32 },
		        { "2001:db8::", 32 }, { "2001:db8:c::", 48 }, { "2001:db8:c::1", 128 } };
	struct random *r = &d->random;
	uint32_t i = random_below(r, 6);
	struct fwd_drill *drill = &d->native.t.drills[random_below(r, FWD_DRILLS_MAX)];

	drill->clients = world_prefix(clients[i].prefix, clients[i].bits);
	drill->state = random_below(r, FWD_DRILL_SENDS + 1);
	for (uint32_t k = 0; k < d->native.t.n_services; k++)
		if (d->native.t.services[k].protocol && random_below(r, 4) == 0)
			d->native.t.services[k].drills = (uint8_t)random_below(r, 16);
}

/** A slot of the pool with agents: more earlier owners than a packet can name, all of which it could. */
static void list_many_owners(struct diff *d, uint32_t slot)
{
	static const uint8_t of_one_family[] = { 1, 2, 5, 7, 8 };
	uint32_t first = random_below(&d->random, 5);
	uint64_t word = 0;

	for (uint32_t i = 0; i < OWNER_LIST_MAX; i++)
		word = owner_list_with(word, i, of_one_family[(first + 1 + i) % 5]);
	d->native.t.colds[slot].list.earlier = word;
	*world_slot(&d->native, slot) = of_one_family[first] | FWD_SLOT_UNSETTLED;
}

/** The same with earlier owners of any kind, or none. */
static void list_owners(struct diff *d, uint32_t slot)
{
	struct random *r = &d->random;
	uint64_t word = 0;

	if (random_below(r, 8) == 0) {
		list_many_owners(d, slot);
		return;
	}
	for (uint32_t i = 0; i < OWNER_LIST_MAX; i++)
		word = owner_list_with(
		        word, i,
		        random_below(r, 4) ? random_below(r, 15) |
		                                     (random_below(r, 2) ? OWNER_LIST_TEMPORARY : 0)
		                           : 0);
	d->native.t.colds[slot].list.earlier = random_below(r, 8) ? word : 0;
	*world_slot(&d->native, slot) =
	        (uint16_t)random_below(r, 14) | (random_below(r, 8) ? FWD_SLOT_UNSETTLED : 0);
}

static void set_up_native(struct diff *d)
{
	struct world *w = &d->native;

	world_set_source(w, "10.255.1.0", 24);
	world_set_source(w, "2001:db8:ff:1::", 64);
	add_backends(w);
	add_services(w);
	world_add_pool(w, 0, 0, 6, 1, 8);
	world_add_pool(w, 1, 64, 7, 1, 8);
	world_add_pool(w, 2, 192, 5, 0, 14);
	w->t.pools[3] = w->t.pools[1];
	w->t.pools[3].slot_range = (uint64_t)N_SLOTS << 8 | 4; /* beyond all slots */
	world_add_pool(w, 4, FIRST_LISTED, 6, 1, 8);
	w->t.pools[4].flags = FWD_POOL_AGENTS;
	world_point_services(w);
	for (uint32_t slot = FIRST_LISTED; slot < FIRST_LISTED + 64; slot++)
		list_owners(d, slot);
	for (uint32_t slot = 64; slot < 192; slot++)
		unsettle_slot(d, slot);
}

static void boundaries_of_shape(struct diff *d, unsigned int shape)
{
	struct frame sound, f;

	generate_shape(&sound, shape, &d->random);
	diff_frame(d, &sound);
	for (size_t i = 0; i < sound.n_fields; i++)
		for (unsigned int k = 0; k < n_boundaries(&sound.fields[i]); k++) {
			f = sound;
			set_boundary(&f, i, k);
			diff_frame(d, &f);
		}
	f = sound;
	for (f.len = FWD_ETH_LEN; f.len < sound.len && f.len < 200; f.len++)
		diff_frame(d, &f);
}

/** Seconds between packets: any, and often as many as a fragment lives, or one more. */
static uint32_t pick_step(struct random *r)
{
	return random_below(r, 4)
	               ? random_below(r, 1 + (1u << random_below(r, random_below(r, 11))))
	               : FWD_FRAGMENT_LIFE_S + random_below(r, 2);
}

/** What weir-dataplane and the clock do between packets. */
static void change_tables(struct diff *d)
{
	static const uint32_t sets[] = { 8, 8, 8, 1, 1, 1, 1, 0 };
	struct random *r = &d->random;
	struct fwd_root *root = d->native.t.root;
	struct fwd_backend *b = &d->native.t.backends[1 + random_below(r, 8)];
	struct fwd_backend *last = &d->native.t.backends[8];

	diff_flush(d);
	diff_set_time(d, d->now_s + pick_step(r));
	unsettle_slot(d, 64 + random_below(r, 128));
	last->encap = random_below(r, 2) ? FWD_ENCAP_L2 : FWD_ENCAP_IPIP;
	b->learned_mtu = random_below(r, 2) ? 0 : (uint16_t)(1380 + random_below(r, 120));
	last->vlan = random_below(r, 2) ? 0 : 77;
	b->inner_mtu = (uint16_t)(random_below(r, 2)   ? 1500
	                          : random_below(r, 2) ? 40 + random_below(r, 80)
	                          : random_below(r, 2) ? 1400 + random_below(r, 16)
	                                               : 1270 + random_below(r, 160));
	list_owners(d, FIRST_LISTED + random_below(r, 64));
	world_set_source(&d->native, "2001:db8:ff:1::", random_below(r, 4) ? 64 : 48);
	world_set_source(&d->native, "10.255.1.0", random_below(r, 4) ? 24 : 32);
	if (random_below(r, 32) == 0)
		root->source4 = (struct fwd_prefix){ 0 };
	if (random_below(r, 32) == 0)
		root->source6 = (struct fwd_prefix){ 0 };
	if (random_below(r, 16) == 0)
		root->n_exception_buckets = sets[random_below(r, 8)];
	root->n_fragment_buckets = random_below(r, 8)   ? 1
	                           : random_below(r, 2) ? FWD_FRAGMENT_BUCKETS
	                                                : 0;
	root->active = random_below(r, 64) == 0;
	change_drill(d);
	root->answers_per_s = random_below(r, 4) ? 1000 : random_below(r, 8);
	root->sample_wide =
	        random_below(r, 4) ? FWD_SAMPLE_ONE_OF - 1 : random_below(r, FWD_SAMPLE_ONE_OF);
	diff_share(d);
}

/** More new flows at one instant than there is room to remember. */
static void flood_flows(struct diff *d)
{
	struct frame f;

	diff_flush(d);
	d->native.t.root->n_exception_buckets = 1;
	for (uint32_t slot = 64; slot < 192; slot++) {
		unsettle_slot(d, slot);
		d->native.t.colds[slot].claim[OWNER_CLASS_TCP].spilled_at -= 20;
	}
	diff_share(d);
	for (int i = 0; i < 96; i++) {
		generate_shape(&f, random_below(&d->random, 4) ? SHAPE_SYN : SHAPE_ACK, &d->random);
		diff_frame(d, &f);
	}
}

/** A segment of one of so few flows that what is remembered of them meets them again. */
static void few_flows(struct frame *f, struct random *r)
{
	static const uint8_t flags[] = { FWD_TCP_SYN, FWD_TCP_ACK, FWD_TCP_FIN | FWD_TCP_ACK,
		                         FWD_TCP_RST };
	struct flow flow = { .is4 = random_below(r, 2),
		             .protocol = FWD_PROTO_TCP,
		             .client = (uint8_t)(1 + random_below(r, 3)),
		             .sport = 1024,
		             .dport = 443 };

	generate_segment(f, &flow, flags[random_below(r, 4)], random_below(r, 4) << 16, r);
}

/** A fragment of one of so few datagrams that it meets others of its own, or takes their place. */
static void few_datagrams(struct frame *f, struct random *r)
{
	struct flow flow = { .is4 = random_below(r, 2),
		             .protocol = FWD_PROTO_UDP,
		             .client = (uint8_t)(1 + random_below(r, 3)),
		             .sport = 1024,
		             .dport = 4433 };

	generate_fragment(f, &flow, r);
}

static void random_frames(struct diff *d, unsigned long count)
{
	struct frame f;

	while (d->offered < count) {
		if (random_below(&d->random, 32) == 0)
			change_tables(d);
		if (random_below(&d->random, 2048) == 0)
			flood_flows(d);
		if (random_below(&d->random, 32) == 0)
			few_datagrams(&f, &d->random);
		else if (random_below(&d->random, 4) == 0)
			few_flows(&f, &d->random);
		else
			generate_random(&f, &d->random);
		diff_frame(d, &f);
	}
}

/** What the program's clock adds: ticks since boot run over 32 bits some minutes after it. */
static void learn_carry(struct diff *d)
{
	struct frame f;
	uint32_t slot;

	diff_set_time(d, 1000);
	generate_shape(&f, SHAPE_ACK, &d->random);
	for (slot = 64; slot < 192; slot++) {
		*world_slot(&d->xdp, slot) = 1 | FWD_SLOT_UNSETTLED;
		d->xdp.t.colds[slot].claim[OWNER_CLASS_TCP] =
		        (struct owner_claim){ .base = 2, .settle_at = 1u << 30 };
	}
	diff_run_xdp(d, &f);
	for (slot = 64; slot < 192; slot++)
		if (d->xdp.t.colds[slot].claim[OWNER_CLASS_TCP].seen_at)
			d->tick_carry = d->xdp.t.colds[slot].claim[OWNER_CLASS_TCP].seen_at - 1000;
	diff_share(d);
}

static void start_diff(struct diff *d)
{
	const struct driver_sizes sizes = { .services = 64,
		                            .service_counts = 64,
		                            .pools = 5,
		                            .backends = 16,
		                            .slots = N_SLOTS,
		                            .exception_buckets = 8 };

	diff_open(d, &sizes);
	d->now_s = 1000;
	set_up_native(d);
	diff_share(d);
	learn_carry(d);
	diff_set_time(d, 1000);
}

/** Arbitrary frames among arbitrary changes. */
static void compare_arbitrary(struct diff *d, unsigned long count)
{
	diff_print_size(d);
	for (unsigned int shape = 0; shape < n_shapes && d->offered < count; shape++)
		boundaries_of_shape(d, shape);
	random_frames(d, count / 2);
	diff_flush(d);
	if (count >= DIFF_MANY) {
		diff_check_reasons(d);
		diff_check_events(d);
	}
}

int main(int argc, char **argv)
{
	static struct diff d = { .forward = world_forward,
		                 .forward_long = world_forward_long,
		                 .burst = world_forward_burst };
	unsigned long count = 200000;
	int arg = 1;

	if (arg + 1 < argc && !strcmp(argv[arg], "--native")) {
		diff_load(&d, argv[arg + 1]);
		arg += 2;
	}
	if (arg + 3 < argc && !strcmp(argv[arg], "--process")) {
		d.dpdk = dpdk_open(argv[arg + 1], argv[arg + 2], argv[arg + 3]);
		arg += 4;
	}
	if (arg < argc)
		count = strtoul(argv[arg++], NULL, 10);
	d.random.state = arg < argc ? strtoul(argv[arg], NULL, 10) : 1;
	start_diff(&d);
	if (!d.dpdk)
		compare_arbitrary(&d, count);
	diff_close(&d);
	sequences(&d, count);
	if (d.dpdk)
		printf("too long to send: %lu\n", d.n_too_long);
	if (d.dpdk && !dpdk_close(d.dpdk)) {
		printf("the process did not end in good order\n");
		d.failed++;
	}
	printf("packets: %lu alike, %lu different\n", d.passed, d.failed);
	return d.failed || !d.passed ? 1 : 0;
}
