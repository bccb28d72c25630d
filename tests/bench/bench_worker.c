/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench worker: what the worker's code (weir/fwd/burst.h) costs a packet, on bursts from memory.
 *
 * FRAMES frames lie in buffers as a NIC's are, an mbuf apart; before each round all are written
 * anew with the sources of the case, outside of what is timed, and in the rows named `dram` taken out
 * of all caches. A round runs all bursts once; the reference, an exchange of the MAC addresses as of
 * `dpdk-testpmd --forward-mode=macswap`, runs on the same buffers in turn with it, round by round, and
 * so does forwarding frame by frame. The cases take turns in passes of ROUNDS: what else the machine does
 * for a while touches a part of each one's rounds, not a few cases whole.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <arpa/inet.h>

#include "bench/common.h"
#include "bench/frame.h"
#include "weir/model.h"
#include "weir/fwd/burst.h"

#define FRAMES 4096u
#define STRIDE 2368u /**< of an mbuf with its header and 2 KiB: an odd number of cache lines */
#define ROOM   128u  /**< before a frame, as in an mbuf */
#define BURST  32u
#define ROUNDS 61
#define PASSES 5     /**< through all cases */
#define MANY   1000u /**< services */
#define OUTPUT "build/bench/worker.json"

enum variant { PLAIN, MILLION_SLOTS, UNSETTLED };
enum method { METHOD_SWAP, METHOD_BURST, METHOD_SINGLE, METHODS };

/** A row of the table. */
struct bench_case {
	const char *name;
	enum fwd_encap_mode encap;
	bool is6, outer6, udp, syn, foreign;
	bool dram;        /**< frames come from memory, not from a cache */
	uint32_t n_flows; /**< 0: each packet is a new one's */
	uint32_t n_services;
	enum variant variant;
	double target; /**< ns; 0: none */
};

static const struct bench_case cases[] = {
	{ .name = "worker.ipip4.tcp.flows1", .target = 20, .n_flows = 1 },
	{ .name = "worker.ipip4.tcp.flows1000", .n_flows = 1000 },
	{ .name = "worker.ipip4.tcp.flows100000", .n_flows = 100000 },
	{ .name = "worker.ipip4.tcp.flows1000000", .n_flows = 1000000 },
	{ .name = "worker.ipip4.tcp.flows10000000", .n_flows = 10000000 },
	{ .name = "worker.dram.flows1", .target = 18, .n_flows = 1, .dram = true },
	{ .name = "worker.dram.flows10000000", .target = 18, .n_flows = 10000000, .dram = true },
	{ .name = "worker.ipip4.tcp.new", .syn = true },
	{ .name = "worker.ipip4.udp.flows1", .udp = true, .n_flows = 1 },
	{ .name = "worker.ipip4.udp.flows10000000", .udp = true, .n_flows = 10000000 },
	{ .name = "worker.gue4.tcp.flows1", .encap = FWD_ENCAP_GUE, .n_flows = 1 },
	{ .name = "worker.gue4.tcp.flows10000000", .encap = FWD_ENCAP_GUE, .n_flows = 10000000 },
	{ .name = "worker.ipip6.tcp6.flows1",
	  .target = 20,
	  .outer6 = true,
	  .is6 = true,
	  .n_flows = 1 },
	{ .name = "worker.ipip6.tcp6.flows10000000",
	  .target = 20,
	  .outer6 = true,
	  .is6 = true,
	  .n_flows = 10000000 },
	{ .name = "worker.ipip4.tcp6.flows1", .is6 = true, .n_flows = 1 },
	{ .name = "worker.ipip6.tcp4.flows1", .outer6 = true, .n_flows = 1 },
	{ .name = "worker.gue6.tcp6.flows1",
	  .encap = FWD_ENCAP_GUE,
	  .outer6 = true,
	  .is6 = true,
	  .n_flows = 1 },
	{ .name = "worker.gue6.tcp6.flows10000000",
	  .encap = FWD_ENCAP_GUE,
	  .outer6 = true,
	  .is6 = true,
	  .n_flows = 10000000 },
	{ .name = "worker.ipip4.tcp.services1000", .n_flows = 10000000, .n_services = MANY },
	{ .name = "worker.ipip4.tcp.slots1048576", .n_flows = 10000000, .variant = MILLION_SLOTS },
	{ .name = "worker.ipip4.tcp.unsettled", .n_flows = 10000000, .variant = UNSETTLED },
	{ .name = "worker.ipip4.tcp.unsettled_new", .syn = true, .variant = UNSETTLED },
	{ .name = "worker.foreign", .n_flows = 10000000, .foreign = true },
};
#define N_CASES (sizeof(cases) / sizeof(cases[0]))

/** Buffers, tables and the burst of one case. */
struct rig {
	const struct bench_case *c;
	struct world w;
	uint8_t *memory;        /**< FRAMES * STRIDE */
	struct bench_load load; /**< the frame but for source and service */
	uint64_t random, next_flow;
	struct fwd_burst burst;
};

static void exit_with_error(const char *what, int err)
{
	fprintf(stderr, "bench worker: %s: %s\n", what, strerror(err));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t next_random(struct rig *g)
{
	g->random ^= g->random << 13;
	g->random ^= g->random >> 7;
	g->random ^= g->random << 17;
	return g->random;
}

/** Write a frame: flow @p i's, to any of the services. */
static void write_frame(struct rig *g, uint8_t *at, uint64_t flow)
{
	const struct bench_case *c = g->c;
	uint8_t *ip = at + FWD_ETH_LEN;
	uint8_t *l4 = ip + (c->is6 ? FWD_IP6_LEN : FWD_IP4_LEN);
	uint32_t client_be = htonl(0x0b000000u + (uint32_t)(flow >> 8));
	uint16_t sport_be = htons((uint16_t)(1024 + (flow & 0xff)));

	memcpy(at, g->load.frame, g->load.len);
	memcpy(c->is6 ? ip + 20 : ip + 12, &client_be, 4);
	memcpy(l4, &sport_be, 2);
	if (c->n_services) {
		uint16_t port_be = htons((uint16_t)(1 + next_random(g) % c->n_services));

		memcpy(l4 + 2, &port_be, 2);
	}
	if (!c->is6) {
		((struct fwd_ip4 *)ip)->sum = 0;
		((struct fwd_ip4 *)ip)->sum = fwd_sum_ip4((struct fwd_ip4 *)ip);
	}
}

static uint8_t *frame_at(const struct rig *g, uint32_t i)
{
	return g->memory + (size_t)i * STRIDE + ROOM;
}

static void write_frames(struct rig *g)
{
	for (uint32_t i = 0; i < FRAMES; i++) {
		uint64_t flow = g->c->n_flows ? next_random(g) % g->c->n_flows : g->next_flow++;

		write_frame(g, frame_at(g, i), flow);
	}
}

/** Take the lines of the frames, and those in front that headers are written to, out of all caches. */
#if defined(__x86_64__)
static void evict_frames(const struct rig *g)
{
	for (uint32_t i = 0; i < FRAMES; i++)
		for (uint32_t off = 0; off < ROOM + sizeof(g->load.frame); off += FWD_CACHE_LINE)
			__builtin_ia32_clflush(frame_at(g, i) - ROOM + off);
	__builtin_ia32_mfence();
}
#else
static void evict_frames(const struct rig *g)
{
	static volatile uint8_t other[128u << 20]; /* more than any cache */

	(void)g;
	for (size_t i = 0; i < sizeof(other); i += FWD_CACHE_LINE)
		other[i]++;
}
#endif

static void make_tables(struct rig *g)
{
	const struct bench_case *c = g->c;
	const unsigned int log2 =
	        c->variant == MILLION_SLOTS
	                ? 20
	                : (unsigned int)__builtin_ctz(model_pool_slots(BENCH_BACKENDS));
	const struct driver_sizes sizes = { .services = 8192,
		                            .service_counts = 4096,
		                            .pools = 256,
		                            .backends = 4096,
		                            .slots = 1u << log2,
		                            .exception_buckets =
		                                    c->variant == UNSETTLED ? 1u << 20 : 1u << 10 };
	struct world *w = &g->w;

	world_init(w, &sizes, 1);
	w->t.now_s = 1000;
	bench_fill(w, c->encap, c->outer6, log2);
	world_add_service(w, BENCH_VIP4, 80, FWD_PROTO_UDP, 0, 0);
	world_add_service(w, BENCH_VIP6, 80, FWD_PROTO_TCP, 0, 0);
	if (!c->n_services)
		world_add_service(w, BENCH_VIP4, 80, FWD_PROTO_TCP, 0, 0);
	for (uint16_t port = 1; port <= c->n_services; port++)
		world_add_service(w, BENCH_VIP4, port, FWD_PROTO_TCP, 0, 0);
	if (c->variant == UNSETTLED)
		bench_unsettle(w, 1);
}

static void take_burst(struct rig *g, uint32_t first)
{
	g->burst.n = BURST;
	for (uint32_t i = 0; i < BURST; i++) {
		uint8_t *at = frame_at(g, first + i);

		g->burst.ingress[i] = WORLD_INGRESS;
		g->burst.packets[i] = (struct fwd_packet){ at, at + g->load.len, at - ROOM };
	}
}

static void swap_burst(const struct rig *g)
{
	for (uint32_t i = 0; i < BURST; i++)
		fwd_echo_eth(g->burst.packets[i].data);
}

/** The limit of frames from memory: their lines are fetched and written to, and nothing else. */
static void touch_burst(const struct rig *g)
{
	for (uint32_t i = 0; i < BURST; i++) {
		fwd_burst_fetch(&g->burst, i);
		fwd_burst_fetch_room(&g->burst.packets[i]);
	}
	swap_burst(g);
	for (uint32_t i = 0; i < BURST; i++)
		*(volatile uint8_t *)(g->burst.packets[i].data - FWD_IP4_LEN) = 0x45;
}

static void forward_single(struct rig *g)
{
	for (uint32_t i = 0; i < BURST; i++)
		world_forward(&g->w, &g->burst.packets[i], 1000, &g->burst.verdicts[i]);
}

static __attribute__((noinline)) void forward_burst(struct rig *g)
{
	fwd_forward_burst(&g->w.t, g->w.t.root, &g->burst);
}

/** One round. @return ns a packet */
static double run_round(struct rig *g, enum method method)
{
	uint64_t started_ns;

	write_frames(g);
	if (g->c->dram)
		evict_frames(g);
	started_ns = now_ns();
	for (uint32_t first = 0; first < FRAMES; first += BURST) {
		take_burst(g, first);
		if (method == METHOD_SWAP && g->c->dram)
			touch_burst(g);
		else if (method == METHOD_SWAP)
			swap_burst(g);
		else if (method == METHOD_BURST)
			forward_burst(g);
		else
			forward_single(g);
	}
	return (double)(now_ns() - started_ns) / FRAMES;
}

/** Every packet must have become what the case is about. */
static void check_packets(const struct rig *g)
{
	const struct fwd_cpu *cpu = &g->w.t.cpus[0];
	enum fwd_reason wanted = g->c->foreign ? FWD_REASON_NOT_OURS : FWD_REASON_FORWARDED;

	if (cpu->received != 2ull * ROUNDS * FRAMES || cpu->reason[wanted] != cpu->received)
		exit_with_error("the worker did not do what this case is about", EINVAL);
}

/** All rounds of a case. */
struct samples {
	double ns[METHODS][PASSES * ROUNDS];
};

/** The rounds of one pass, on tables of their own. */
static void measure_pass(const struct bench_case *c, int pass, struct samples *out)
{
	static struct rig g;
	const struct bench_frame frame = { .to = c->is6       ? BENCH_VIP6
		                                 : c->foreign ? "192.0.2.81"
		                                              : BENCH_VIP4,
		                           .port = 80,
		                           .udp = c->udp,
		                           .syn = c->syn };

	memset(&g, 0, sizeof(g));
	g.c = c;
	g.random = 88172645463325252u + (uint64_t)pass;
	g.memory = aligned_alloc(4096, (size_t)FRAMES * STRIDE);
	if (!g.memory)
		exit_with_error("buffers", ENOMEM);
	memset(g.memory, 0, (size_t)FRAMES * STRIDE);
	make_tables(&g);
	if (bench_frame_make(&frame, &g.load))
		exit_with_error("no frame", EINVAL);
	for (int round = 0; round < ROUNDS; round++)
		for (int method = 0; method < METHODS; method++)
			out->ns[method][pass * ROUNDS + round] = run_round(&g, (enum method)method);
	check_packets(&g);
	world_fini(&g.w);
	free(g.memory);
}

/* What the flows' hashes of a burst are reckoned with (FWD_WIDEST): figures of another processor differ. */
static const char *name_vectors(void)
{
#if defined(__x86_64__) && !defined(__clang__)
	__builtin_cpu_init();
	return __builtin_cpu_supports("avx512f") ? "AVX-512"
	       : __builtin_cpu_supports("avx2")  ? "AVX2"
	                                         : "vectors of 128 bits";
#else
	return "whatever vectors the compiler takes";
#endif
}

static bool is_wanted(const struct bench_case *c, const char *name)
{
	return !name || strstr(c->name, name);
}

/** Print and keep a case's row. @return what the worker's code took */
static struct bench_result add_row(json_t *all, const struct bench_case *c, struct samples *s)
{
	struct bench_result r[METHODS];

	for (int method = 0; method < METHODS; method++)
		r[method] = bench_summarise(s->ns[method], PASSES * ROUNDS);
	bench_row(all, c->name, "ns", &r[METHOD_BURST],
	          c->dram ? "both lines of the same frames fetched and written to"
	                  : "MAC addresses exchanged in the same bursts",
	          r[METHOD_SWAP].median, c->target);
	printf("%-34s %8.2f %8.2f ns\n", "  frame by frame", r[METHOD_SINGLE].min,
	       r[METHOD_SINGLE].median);
	return r[METHOD_BURST];
}

int main(int argc, char **argv)
{
	static struct samples samples[N_CASES];
	const char *name = argc > 1 ? argv[1] : NULL;
	struct bench_result one = { 0 }, many = { 0 }, r;
	json_t *all = json_array();

	bench_pin(sched_getcpu());
	for (int pass = 0; pass < PASSES; pass++)
		for (size_t i = 0; i < N_CASES; i++)
			if (is_wanted(&cases[i], name))
				measure_pass(&cases[i], pass, &samples[i]);
	printf("a burst's hashes by %s\n", name_vectors());
	bench_head("swap");
	for (size_t i = 0; i < N_CASES; i++) {
		if (!is_wanted(&cases[i], name))
			continue;
		r = add_row(all, &cases[i], &samples[i]);
		if (!strcmp(cases[i].name, "worker.ipip4.tcp.flows1"))
			one = r;
		if (!strcmp(cases[i].name, "worker.ipip4.tcp.flows10000000"))
			many = r;
	}
	if (one.median > 0 && many.median > 0) {
		struct bench_result ratio = { many.min / one.min, many.median / one.median };

		bench_row(all, "worker.ipip4.tcp.spread", "times", &ratio, "ns of one flow",
		          one.median, 1.5);
	}
	bench_write(all, OUTPUT);
	return 0;
}
