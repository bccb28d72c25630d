/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weir-diff: the shared forwarding code natively and as the XDP program, on equal tables. Natively
 * frames go in turn as a single one and through a worker's stages, as a burst of one.
 *
 * Each frame goes through both; action, bytes and all tables afterwards (exceptions, cold
 * slots, counters) must be equal. First every boundary value of every field of every
 * shape and every shape cut at every byte, then random frames in sequence, among changes
 * of the tables and of the time, up to COUNT. In the end each CPU's received packets must
 * be the sum over all reasons. `--native FILE` takes the native side from a shared object,
 * for the seeded bugs.
 */
#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "diff/generate.h"
#include "fwd/world.h"
#include "weir/fwd/rewrite.h"

#define N_SLOTS      512u
#define SHOWN_MAX    10u
#define FIRST_LISTED 256u /**< slot of the pool with agents */
#define LOOPBACK     1u   /**< where BPF_PROG_TEST_RUN's frames come in */
#define OTHER_PORT   7u

typedef enum fwd_reason forward_fn(struct world *, struct fwd_packet *, uint32_t,
                                   struct fwd_verdict *);

/** Both sides and the score. */
struct diff {
	struct world native, xdp;
	forward_fn *forward[2]; /**< single, burst: in turn */
	struct random random;
	uint32_t now_s;
	uint32_t tick_carry; /**< what the ticks since boot add to the time that is asked for */
	unsigned long passed, failed;
	bool stop_at_first;
};

/** What came of a frame. */
struct outcome {
	int action; /**< enum xdp_action */
	uint8_t bytes[FRAME_MAX + 256];
	size_t len;
};

static void die(const char *what, int err)
{
	fprintf(stderr, "weir-diff: %s: %s\n", what, strerror(err < 0 ? -err : err));
	exit(2);
}

static void add_backend(struct world *w, uint32_t i, const char *address, enum fwd_encap_mode encap)
{
	union fwd_addr a = world_addr(address);

	world_add_backend(w, i, &a, encap, LOOPBACK);
}

static void add_backends(struct world *w)
{
	add_backend(w, 1, "10.1.0.1", FWD_ENCAP_IPIP);
	add_backend(w, 2, "10.1.0.2", FWD_ENCAP_GUE);
	add_backend(w, 3, "2001:db8:b::3", FWD_ENCAP_IPIP);
	add_backend(w, 4, "2001:db8:b::4", FWD_ENCAP_GUE);
	add_backend(w, 5, "10.1.0.5", FWD_ENCAP_IPIP);
	w->t.backends[5].vlan = 100;
	add_backend(w, 6, "2001:db8:b::6", FWD_ENCAP_GUE);
	w->t.backends[6].vlan = 4094;
	w->t.backends[6].outer_vlan = 9;
	w->t.backends[6].outer_type_be = fwd_be16(FWD_ETHERTYPE_QINQ);
	add_backend(w, 7, "10.1.0.7", FWD_ENCAP_GUE);
	w->t.backends[7].ifindex = OTHER_PORT;
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
}

/** A slot of pool 1 in the middle of a change, or not. */
static void unsettle(struct diff *d, uint32_t slot)
{
	struct random *r = &d->random;
	struct owner_cold *cold = &d->native.t.colds[slot];
	uint16_t hot = (uint16_t)random_below(r, 14);

	for (int i = 0; i < OWNER_CLASSES; i++)
		cold->claim[i] = (struct owner_claim){
			.base = (uint16_t)(1 + random_below(r, 8)),
			.settle_at = random_below(r, 3) ? d->now_s + random_below(r, 1000) : 0,
			.seen_at = d->now_s,
			.spilled_at = (uint16_t)(d->now_s - random_below(r, 20)),
		};
	*world_slot(&d->native, slot) = hot | (random_below(r, 4) ? FWD_SLOT_LOOK_FURTHER : 0);
}

/** A slot of the pool with agents: earlier owners of any kind, or none. */
static void list_owners(struct diff *d, uint32_t slot)
{
	struct random *r = &d->random;
	uint64_t word = 0;

	for (uint32_t i = 0; i < OWNER_LIST_MAX; i++)
		word = owner_list_with(word, i,
		                       random_below(r, 4)
		                               ? random_below(r, 15) |
		                                         (random_below(r, 2) ? OWNER_LIST_GUEST : 0)
		                               : 0);
	d->native.t.colds[slot].list.earlier = random_below(r, 8) ? word : 0;
	*world_slot(&d->native, slot) =
	        (uint16_t)random_below(r, 14) | (random_below(r, 8) ? FWD_SLOT_LOOK_FURTHER : 0);
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
	world_add_pool(w, 2, 192, 5, 0, 13);
	world_add_pool(w, 3, N_SLOTS, 4, 1, 1); /* beyond all slots */
	world_add_pool(w, 4, FIRST_LISTED, 6, 1, 8);
	w->t.pools[4].flags = FWD_POOL_AGENTS;
	for (uint32_t slot = FIRST_LISTED; slot < FIRST_LISTED + 64; slot++)
		list_owners(d, slot);
	for (uint32_t slot = 64; slot < 192; slot++)
		unsettle(d, slot);
}

/** Ask the XDP program for a time: ticks run, but their scale makes an instant of them. */
static void set_time(struct diff *d, uint32_t now_s)
{
	d->now_s = now_s;
	d->native.t.root->tick_scale = d->xdp.t.root->tick_scale = 1;
	d->native.t.root->tick_base = d->xdp.t.root->tick_base =
	        -((uint64_t)(now_s - d->tick_carry) << 32);
}

static void run_xdp(struct diff *d, const struct frame *f, struct outcome *o)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f->bytes, .data_size_in = (uint32_t)f->len,
	            .data_out = o->bytes, .data_size_out = sizeof(o->bytes), .repeat = 1);

	if (bpf_prog_test_run_opts(d->xdp.prog_fd, &opts))
		die("BPF_PROG_TEST_RUN", errno);
	o->action = (int)opts.retval;
	o->len = opts.data_size_out;
}

static int action_of(const struct fwd_verdict *v)
{
	switch (fwd_reason_kind(v->reason)) {
	case FWD_KIND_TX:
		return fwd_egress(v) && fwd_egress(v) != LOOPBACK ? XDP_REDIRECT : XDP_TX;
	case FWD_KIND_PASS:
		return XDP_PASS;
	default:
		return XDP_DROP;
	}
}

static enum fwd_reason run_native(struct diff *d, const struct frame *f, struct outcome *o)
{
	/* Two bytes in, as NICs place frames; an exact-size end is the fuzz target's matter. */
	static uint8_t buffer[256 + 2 + FRAME_MAX] __attribute__((aligned(64)));
	struct fwd_packet packet = { buffer + 258, buffer + 258 + f->len, buffer };
	struct fwd_verdict v;

	memcpy(packet.data, f->bytes, f->len);
	d->forward[(d->passed + d->failed) % 2](&d->native, &packet, d->now_s, &v);
	o->action = action_of(&v);
	o->len = (size_t)(packet.end - packet.data);
	memcpy(o->bytes, packet.data, o->len);
	return v.reason;
}

static void show(const char *what, const uint8_t *bytes, size_t len)
{
	printf("  %s %zu:", what, len);
	for (size_t i = 0; i < len && i < 160; i++)
		printf("%s%02x", i % 4 ? "" : " ", bytes[i]);
	printf("\n");
}

/** Put one frame through both sides. */
static void compare(struct diff *d, const struct frame *f, const char *what)
{
	struct outcome x, n;
	enum fwd_reason reason;
	const char *table;

	run_xdp(d, f, &x);
	reason = run_native(d, f, &n);
	table = world_difference(&d->native, &d->xdp);
	if (x.action == n.action && x.len == n.len && !memcmp(x.bytes, n.bytes, x.len) && !table) {
		d->passed++;
		return;
	}
	if (d->failed++ < SHOWN_MAX) {
		printf("%s: action xdp %d native %d, native reason %d, table %s\n", what, x.action,
		       n.action, reason, table ? table : "none");
		show("in", f->bytes, f->len);
		show("xdp", x.bytes, x.len);
		show("native", n.bytes, n.len);
	}
	world_copy(&d->native, &d->xdp); /* so that the next frame starts equal again */
	if (d->stop_at_first) {
		printf("%lu passed, %lu failed\n", d->passed, d->failed);
		exit(1);
	}
}

static void boundaries_of_shape(struct diff *d, unsigned int shape)
{
	struct frame sound, f;

	generate_shape(&sound, shape, &d->random);
	compare(d, &sound, "shape");
	for (size_t i = 0; i < sound.n_fields; i++)
		for (unsigned int k = 0; k < n_boundaries(&sound.fields[i]); k++) {
			f = sound;
			set_boundary(&f, i, k);
			compare(d, &f, "boundary");
		}
	f = sound;
	for (f.len = FWD_ETH_LEN; f.len < sound.len && f.len < 200; f.len++)
		compare(d, &f, "cut");
}

/** What weir-dataplane and the clock do between packets. */
static void change_tables(struct diff *d)
{
	static const uint32_t sets[] = { 8, 8, 8, 1, 1, 1, 1, 0 };
	struct random *r = &d->random;
	struct fwd_root *root = d->native.t.root;
	struct fwd_backend *b = &d->native.t.backends[1 + random_below(r, 8)];
	struct fwd_backend *last = &d->native.t.backends[8];

	set_time(d, d->now_s + random_below(r, 1 + (1u << random_below(r, random_below(r, 11)))));
	unsettle(d, 64 + random_below(r, 128));
	last->encap = random_below(r, 2) ? FWD_ENCAP_L2 : FWD_ENCAP_IPIP;
	b->told_mtu = random_below(r, 2) ? 0 : (uint16_t)(1380 + random_below(r, 120));
	last->vlan = random_below(r, 2) ? 0 : 77;
	b->inner_mtu = (uint16_t)(random_below(r, 2)   ? 1500
	                          : random_below(r, 2) ? 60 + random_below(r, 120)
	                                               : 1270 + random_below(r, 160));
	list_owners(d, FIRST_LISTED + random_below(r, 64));
	world_set_source(&d->native, "2001:db8:ff:1::", random_below(r, 4) ? 64 : 48);
	if (random_below(r, 32) == 0)
		root->source6 = root->source4 = (struct fwd_prefix){ 0 };
	else
		world_set_source(&d->native, "10.255.1.0", random_below(r, 4) ? 24 : 32);
	if (random_below(r, 16) == 0)
		root->n_exception_sets = sets[random_below(r, 8)];
	root->n_fragment_sets = random_below(r, 8) ? 1 : random_below(r, 2) ? FWD_FRAGMENT_SETS : 0;
	root->active = random_below(r, 64) == 0;
	root->answers_per_s = random_below(r, 4) ? 1000 : random_below(r, 8);
	world_copy(&d->xdp, &d->native);
}

/** More new flows at one instant than there is room to remember. */
static void flood(struct diff *d)
{
	struct frame f;

	d->native.t.root->n_exception_sets = 1;
	for (uint32_t slot = 64; slot < 192; slot++) {
		unsettle(d, slot);
		d->native.t.colds[slot].claim[OWNER_CLASS_TCP].spilled_at -= 20;
	}
	world_copy(&d->xdp, &d->native);
	for (int i = 0; i < 96; i++) {
		generate_shape(&f, random_below(&d->random, 4) ? SHAPE_SYN : SHAPE_ACK, &d->random);
		compare(d, &f, "flood");
	}
}

static void random_frames(struct diff *d, unsigned long count)
{
	struct frame f;

	while (d->passed + d->failed < count) {
		if (random_below(&d->random, 32) == 0)
			change_tables(d);
		if (random_below(&d->random, 2048) == 0)
			flood(d);
		generate_random(&f, &d->random);
		compare(d, &f, "random");
	}
}

/** Received packets must be those sent, passed and dropped, exactly. */
static void check_conservation(struct diff *d)
{
	uint64_t sum = 0;
	const struct fwd_cpu *cpu = &d->xdp.t.cpus[d->native.t.cpu];

	for (uint32_t i = 0; i < FWD_REASONS_MAX; i++)
		sum += cpu->reason[i];
	if (sum != cpu->received || cpu->received != d->passed + d->failed) {
		printf("conservation: received %lu, reasons %lu, frames %lu\n",
		       (unsigned long)cpu->received, (unsigned long)sum, d->passed + d->failed);
		d->failed++;
	}
}

#define LABEL(name, kind, label, text) [FWD_REASON_##name] = label,
static const char *const labels[] = { FWD_REASONS(LABEL) };
#undef LABEL

/** Frames that never meet a reason prove nothing about it; room is never short here. */
static void check_coverage(struct diff *d)
{
	const struct fwd_cpu *cpu = &d->xdp.t.cpus[d->native.t.cpu];

	for (uint32_t i = 0; i < FWD_REASON_COUNT; i++)
		if (!cpu->reason[i] && !fwd_reason_is_drivers((enum fwd_reason)i) &&
		    i != FWD_REASON_NO_ROOM && i != FWD_REASON_SHORT_FRAME) {
			printf("coverage: no frame met %s\n", labels[i]);
			d->failed++;
		}
	for (uint32_t i = 1; i < OWNER_EVENT_COUNT; i++)
		if (!cpu->event[i]) {
			printf("coverage: no frame met owner event %u\n", i);
			d->failed++;
		}
}

/** The verifier's and the program's size: to be watched, not to fail. */
static void print_size(const struct world *w)
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);

	if (!bpf_obj_get_info_by_fd(w->prog_fd, &info, &len))
		printf("program: %u instructions, %u verified\n", info.xlated_prog_len / 8,
		       info.verified_insns);
}

static void pin_to_cpu(struct diff *d)
{
	cpu_set_t set;
	int cpu = sched_getcpu();

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (cpu < 0 || sched_setaffinity(0, sizeof(set), &set))
		die("cannot stay on one CPU", errno);
	d->native.t.cpu = (uint32_t)cpu;
}

/** What the program's clock adds: ticks since boot run over 32 bits some minutes after it. */
static void learn_carry(struct diff *d)
{
	struct frame f;
	struct outcome o;
	uint32_t slot;

	set_time(d, 1000);
	generate_shape(&f, SHAPE_ACK, &d->random);
	for (slot = 64; slot < 192; slot++) {
		*world_slot(&d->xdp, slot) = 1 | FWD_SLOT_LOOK_FURTHER;
		d->xdp.t.colds[slot].claim[OWNER_CLASS_TCP] =
		        (struct owner_claim){ .base = 2, .settle_at = 1u << 30 };
	}
	run_xdp(d, &f, &o);
	for (slot = 64; slot < 192; slot++)
		if (d->xdp.t.colds[slot].claim[OWNER_CLASS_TCP].seen_at)
			d->tick_carry = d->xdp.t.colds[slot].claim[OWNER_CLASS_TCP].seen_at - 1000;
	world_copy(&d->xdp, &d->native);
}

static void start(struct diff *d)
{
	const struct driver_sizes sizes = { .services = 64,
		                            .service_counts = 64,
		                            .pools = 5,
		                            .backends = 16,
		                            .slots = N_SLOTS,
		                            .exception_sets = 8 };
	int err = world_init_xdp(&d->xdp, &sizes);

	if (err)
		die("cannot load the XDP program (root is needed)", err);
	world_init(&d->native, &sizes, d->xdp.t.n_cpus);
	pin_to_cpu(d);
	d->now_s = 1000;
	set_up_native(d);
	world_copy(&d->xdp, &d->native);
	learn_carry(d);
	set_time(d, 1000);
}

static forward_fn *find_native(void *so, const char *name)
{
	void *symbol = so ? dlsym(so, name) : NULL;
	forward_fn *fn = NULL;

	if (!symbol) {
		fprintf(stderr, "weir-diff: %s\n", dlerror());
		exit(2);
	}
	memcpy(&fn, &symbol, sizeof(fn));
	return fn;
}

static void load_native(struct diff *d, const char *path)
{
	void *so = dlopen(path, RTLD_NOW);

	d->forward[0] = find_native(so, "world_forward");
	d->forward[1] = find_native(so, "world_forward_burst");
	d->stop_at_first = true;
}

int main(int argc, char **argv)
{
	static struct diff d;
	unsigned long count = 200000;
	int arg = 1;

	d.forward[0] = world_forward;
	d.forward[1] = world_forward_burst;
	if (arg + 1 < argc && !strcmp(argv[arg], "--native")) {
		load_native(&d, argv[arg + 1]);
		arg += 2;
	}
	if (arg < argc)
		count = strtoul(argv[arg++], NULL, 10);
	d.random.state = arg < argc ? strtoul(argv[arg], NULL, 10) : 1;
	start(&d);
	print_size(&d.xdp);
	for (unsigned int shape = 0; shape < n_shapes && d.passed + d.failed < count; shape++)
		boundaries_of_shape(&d, shape);
	random_frames(&d, count);
	check_conservation(&d);
	if (count >= 200000)
		check_coverage(&d);
	printf("packets: %lu alike, %lu different\n", d.passed, d.failed);
	world_fini(&d.xdp);
	world_fini(&d.native);
	return d.failed ? 1 : 0;
}
