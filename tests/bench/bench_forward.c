/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench forward: what the XDP program costs a packet, net of the harness.
 *
 * net = T(program) - T(null) - restore, restore = (T(grow) - T(null)) / 2, where null only
 * sends and grow also moves the frame's beginning, which the wrapper then undoes. The three
 * are measured in turn, and so are the cases, round by round, on one CPU; minimum and median are over rounds.
 * Each packet of each round must have been forwarded, as the program itself counts.
 *
 * In the rows named cold, 64 random lines of 64 MiB are written before each packet, as on a machine that
 * does other work as well. What each packet reads stays in the first cache then: a set of it gets one line
 * more a packet. What few packets read, such as slots, leaves it. In cold_each the clock is read before and
 * after each target, so that only the packet's own time counts; in cold the packet after it also waits for the
 * lines that were asked for, in part beside its own work. In the rows named from_l2 and from_l3 so many
 * lines are written, twice as many as a cache has, that nothing of the tables is left in the first cache, or
 * in the core's second. There the clock is read as in cold_each: the lines take far longer than a
 * packet, and a processor that still waits for them would work ahead. In those named watched each flow belongs
 * to the sample, as on a node with little traffic; in all others one of 256, as on a busy one. Beside each
 * row of forwarded packets stands the machine's limit: a program that reads the same tables' lines in
 * the same rounds, writes the outer header, and does nothing else. It hashes the flow in its own cheap way;
 * the rows named hash say what the flow's hash costs by itself.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bench/common.h"
#include "bench/forward.h"
#include "bench/frame.h"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual" /* bpftool's code */
#pragma GCC diagnostic ignored "-Wshadow"
#include "bench/forward.skel.h"
#pragma GCC diagnostic pop
#include "fwd/world.h"
#include "weir/fwd/sample.h"
#include "weir/model.h"

#define REPEAT 40000u
#define ROUNDS 101 /**< at most; fewer as the second argument */

enum variant {
	PLAIN,
	MILLION_SLOTS,
	UNSETTLED,
	HALF_UNSETTLED,
	REMEMBERED,
	COLD,
	COLD_EACH,
	FROM_L2,
	FROM_L3,
	WATCHED,
};

/** A row of the table. */
struct bench_case {
	const char *name;
	enum fwd_encap_mode encap;
	bool is6, outer6, udp, syn, foreign;
	enum bench_pick pick;
	uint32_t n_flows;
	enum variant variant;
	double target;    /**< ns; 0: none */
	const char *hash; /**< the row of its flows' hash alone; NULL: there is none */
};

static const struct bench_case cases[] = {
	{ .name = "xdp.ipip4.tcp.flows1", .target = 35, .n_flows = 1, .hash = "xdp.hash4" },
	{ .name = "xdp.ipip4.tcp.flows1000", .target = 35, .pick = BENCH_RANDOM, .n_flows = 1000 },
	{ .name = "xdp.ipip4.tcp.flows100000",
	  .target = 35,
	  .pick = BENCH_RANDOM,
	  .n_flows = 100000 },
	{ .name = "xdp.ipip4.tcp.flows1000000",
	  .target = 35,
	  .pick = BENCH_RANDOM,
	  .n_flows = 1000000 },
	{ .name = "xdp.ipip4.tcp.new", .target = 35, .pick = BENCH_NEVER_AGAIN, .syn = true },
	{ .name = "xdp.ipip4.udp.flows1", .target = 35, .udp = true, .n_flows = 1 },
	{ .name = "xdp.ipip4.udp.flows1000000",
	  .target = 35,
	  .udp = true,
	  .pick = BENCH_RANDOM,
	  .n_flows = 1000000 },
	{ .name = "xdp.gue4.tcp.flows1", .target = 45, .encap = FWD_ENCAP_GUE, .n_flows = 1 },
	{ .name = "xdp.gue4.tcp.flows1000000",
	  .target = 45,
	  .encap = FWD_ENCAP_GUE,
	  .pick = BENCH_RANDOM,
	  .n_flows = 1000000 },
	{ .name = "xdp.ipip6.tcp.flows1",
	  .target = 38,
	  .outer6 = true,
	  .is6 = true,
	  .n_flows = 1,
	  .hash = "xdp.hash6" },
	{ .name = "xdp.ipip6.tcp.flows1000000",
	  .target = 38,
	  .outer6 = true,
	  .is6 = true,
	  .pick = BENCH_RANDOM,
	  .n_flows = 1000000 },
	{ .name = "xdp.ipip4.tcp6.flows1", .is6 = true, .n_flows = 1 },
	{ .name = "xdp.ipip6.tcp4.flows1", .outer6 = true, .n_flows = 1 },
	{ .name = "xdp.gue6.tcp.flows1",
	  .encap = FWD_ENCAP_GUE,
	  .outer6 = true,
	  .is6 = true,
	  .n_flows = 1 },
	{ .name = "xdp.ipip4.tcp.slots1048576",
	  .pick = BENCH_RANDOM,
	  .n_flows = 1000000,
	  .target = 60,
	  .variant = MILLION_SLOTS },
	{ .name = "xdp.ipip4.tcp.unsettled",
	  .pick = BENCH_RANDOM,
	  .n_flows = 1000000,
	  .variant = UNSETTLED },
	{ .name = "xdp.ipip4.tcp.unsettled_new",
	  .pick = BENCH_NEVER_AGAIN,
	  .syn = true,
	  .variant = UNSETTLED },
	{ .name = "xdp.ipip4.tcp.half_unsettled",
	  .pick = BENCH_RANDOM,
	  .n_flows = 1000000,
	  .target = 100,
	  .variant = HALF_UNSETTLED },
	{ .name = "xdp.ipip4.tcp.half_unsettled.remembered",
	  .pick = BENCH_RANDOM,
	  .n_flows = 100000,
	  .target = 100,
	  .variant = REMEMBERED },
	{ .name = "xdp.ipip4.tcp.cold.flows1", .n_flows = 1, .target = 60, .variant = COLD },
	{ .name = "xdp.ipip4.tcp.cold.flows1000000",
	  .pick = BENCH_RANDOM,
	  .n_flows = 1000000,
	  .target = 100,
	  .variant = COLD },
	{ .name = "xdp.ipip4.tcp.cold_each.flows1",
	  .n_flows = 1,
	  .target = 60,
	  .variant = COLD_EACH },
	{ .name = "xdp.ipip4.tcp.cold_each.flows1000000",
	  .pick = BENCH_RANDOM,
	  .n_flows = 1000000,
	  .target = 100,
	  .variant = COLD_EACH },
	{ .name = "xdp.ipip4.tcp.from_l2.flows1", .n_flows = 1, .variant = FROM_L2 },
	{ .name = "xdp.ipip4.tcp.from_l3.flows1", .n_flows = 1, .variant = FROM_L3 },
	{ .name = "xdp.ipip4.tcp.from_l3.flows1000000",
	  .pick = BENCH_RANDOM,
	  .n_flows = 1000000,
	  .variant = FROM_L3 },
	{ .name = "xdp.ipip4.tcp.watched",
	  .pick = BENCH_RANDOM,
	  .n_flows = 1000000,
	  .variant = WATCHED },
	{ .name = "xdp.ipip4.tcp.watched_new",
	  .pick = BENCH_NEVER_AGAIN,
	  .syn = true,
	  .variant = WATCHED },
	{ .name = "xdp.foreign", .pick = BENCH_RANDOM, .n_flows = 1000000, .foreign = true },
};
#define N_CASES (sizeof(cases) / sizeof(cases[0]))

/** Nanoseconds of all rounds, per target. */
struct samples {
	double ns[BENCH_TARGETS][ROUNDS];
};

struct result {
	struct bench_result net;
	const char *reference;
	double reference_median;
};

static int n_rounds = ROUNDS;

static void exit_with_error(const char *what, int err)
{
	fprintf(stderr, "bench forward: %s: %s\n", what, strerror(err < 0 ? -err : err));
	exit(1);
}

/* As many slots as a configuration gives a pool of that size. */
static unsigned int slots_log2(const struct bench_case *c)
{
	return c->variant == MILLION_SLOTS
	               ? 20
	               : (unsigned int)__builtin_ctz(model_pool_slots(BENCH_BACKENDS));
}

/* Flow @p i as forward.bpf.c sends it. */
static void remember_flow(struct world *w, uint32_t i)
{
	struct fwd_tuple flow = { .dst = world_addr(BENCH_VIP4),
		                  .sport_be = fwd_be16(bench_flow_port(i)),
		                  .dport_be = fwd_be16(80),
		                  .protocol = FWD_PROTO_TCP };

	fwd_addr_from4(&flow.src, fwd_be32(bench_flow_source(i)));
	bench_remember(w, &flow);
}

static void make_tables(const struct bench_case *c, struct world *w)
{
	const unsigned int log2 = slots_log2(c);
	const struct driver_sizes sizes = { .services = 4096,
		                            .service_counts = 1024,
		                            .pools = 256,
		                            .backends = 4096,
		                            .slots = 1u << log2,
		                            .exception_buckets = 1u << 16 };
	int err = world_init_xdp(w, &sizes);

	if (err)
		exit_with_error("cannot load the program (root is needed)", err);
	bench_fill(w, c->encap, c->outer6, log2);
	for (uint16_t port = 1; port <= 100; port++) {
		world_add_service(w, BENCH_VIP4, port, FWD_PROTO_TCP, 0, 0);
		world_add_service(w, BENCH_VIP4, port, FWD_PROTO_UDP, 0, 0);
		world_add_service(w, BENCH_VIP6, port, FWD_PROTO_TCP, 0, 0);
	}
	if (c->variant == WATCHED)
		w->t.root->sample_wide = FWD_SAMPLE_ONE_OF - 1;
	if (c->variant == UNSETTLED)
		bench_unsettle(w, 1);
	if (c->variant == HALF_UNSETTLED || c->variant == REMEMBERED)
		bench_unsettle(w, 2);
	for (uint32_t flow = 0; c->variant == REMEMBERED && flow < c->n_flows; flow++)
		remember_flow(w, flow);
}

/** What else the machine does between packets. */
static const struct other_work {
	uint32_t lines; /**< random ones that are written before each, without `cache` */
	int cache; /**< twice the lines of this one, whose size sysconf() has: few of its own stay */
	long usual;     /**< its bytes, where the machine does not say */
	uint32_t fewer; /**< a packet takes so many times as long, so a round has fewer */
	bool each;      /**< the clock is read before and after each target */
} other_works[] = {
	[COLD] = { .lines = 64, .fewer = 4 },
	[COLD_EACH] = { .lines = 64, .fewer = 4, .each = true },
	[FROM_L2] = { .cache = _SC_LEVEL1_DCACHE_SIZE,
	              .usual = 32 << 10,
	              .fewer = 80,
	              .each = true },
	[FROM_L3] = { .cache = _SC_LEVEL2_CACHE_SIZE,
	              .usual = 1 << 20,
	              .fewer = 1000,
	              .each = true },
	[WATCHED] = { 0 },
};

/* As many as let a round last as long as others. */
static uint32_t count_packets(const struct bench_case *c)
{
	uint32_t fewer = other_works[c->variant].fewer;

	return fewer ? REPEAT / fewer : REPEAT;
}

/* Lines of other work that are written before each packet. */
static uint32_t count_lines(const struct other_work *o)
{
	long bytes;

	if (!o->cache)
		return o->lines;
	bytes = sysconf(o->cache);
	return (uint32_t)(2 * (bytes > 0 ? bytes : o->usual) / 64);
}

/** Run one sample, of which the clock leaves out the first quarter. @return ns an iteration */
static double run_sample(const struct bench_case *c, const struct forward_bpf *f,
                         enum bench_target target)
{
	uint32_t n = count_packets(c), skipped = n / 4;
	uint8_t frame[BENCH_TEMPLATE];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame,
	            .data_size_in = (uint32_t)f->bss->load.len, .repeat = n);

	memcpy(frame, f->bss->load.frame, sizeof(frame));
	f->bss->load.target = target;
	f->bss->load.first = skipped;
	f->bss->load.last = n - 1;
	f->bss->state.iteration = 0;
	f->bss->state.spent_ns = 0;
	if (bpf_prog_test_run_opts(bpf_program__fd(f->progs.bench_wrap), &opts))
		exit_with_error("BPF_PROG_TEST_RUN", errno);
	if (f->bss->state.failed)
		exit_with_error("the wrapper could not make a fresh packet", EINVAL);
	return (double)(f->bss->load.each ? f->bss->state.spent_ns
	                                  : f->bss->state.ended_ns - f->bss->state.started_ns) /
	       (n - 1 - skipped);
}

/* Packets that met the fate that case @p c is about. */
static uint64_t count_expected(const struct bench_case *c, const struct world *w)
{
	enum fwd_reason reason = c->foreign ? FWD_REASON_NOT_OURS : FWD_REASON_FORWARDED;
	uint64_t n = 0;

	for (uint32_t cpu = 0; cpu < w->t.n_cpus; cpu++)
		n += w->t.cpus[cpu].reason[reason];
	return n;
}

static void set_target(const struct forward_bpf *f, uint32_t i, int fd)
{
	if (bpf_map__update_elem(f->maps.targets, &i, sizeof(i), &fd, sizeof(fd), BPF_ANY))
		exit_with_error("the program array refuses a target", errno);
}

static double net_cost(const struct samples *s, enum bench_target target, int at, bool grown)
{
	double null = s->ns[BENCH_NULL][at], grow = s->ns[BENCH_GROW][at];

	return s->ns[target][at] - null - (grown ? (grow - null) / 2 : 0);
}

/* Over each round's own difference: what disturbs a round disturbs all of its targets. */
static double median_cost(const struct samples *s, enum bench_target target, bool grown)
{
	double nets[ROUNDS];

	for (int round = 0; round < n_rounds; round++)
		nets[round] = net_cost(s, target, round, grown);
	return bench_summarise(nets, (size_t)n_rounds).median;
}

static struct result summarise_samples(const struct bench_case *c, struct samples *s)
{
	bool grown = !c->foreign;
	double median = median_cost(s, BENCH_WEIR, grown);
	double least = median_cost(s, BENCH_LEAST, grown);

	for (int i = 0; i < BENCH_TARGETS; i++)
		(void)bench_summarise(s->ns[i], (size_t)n_rounds);
	return (struct result){
		{ net_cost(s, BENCH_WEIR, 0, grown), median },
		grown ? "a program that reads the same lines and writes the header, likewise net"
		      : "a program that only sends, in the same harness",
		grown ? least : s->ns[BENCH_NULL][n_rounds / 2],
	};
}

/** A case that is ready to run: its own tables, programs and samples. */
struct trial {
	const struct bench_case *c;
	struct forward_bpf *f;
	struct world w;
	struct samples s;
};

static void share_table(struct bpf_map *map, const struct world *w, enum fwd_table table)
{
	int err = bpf_map__reuse_fd(map, world_map_fd(w, table));

	if (err)
		exit_with_error("a table cannot be shared", err);
}

/* The wrapper, whose bench_least reads the tables of @p w. */
static struct forward_bpf *load_wrapper(const struct world *w)
{
	struct forward_bpf *f = forward_bpf__open();

	if (!f)
		exit_with_error("cannot open the wrapper", errno);
	share_table(f->maps.slots, w, FWD_TABLE_slots);
	share_table(f->maps.colds, w, FWD_TABLE_colds);
	share_table(f->maps.exceptions, w, FWD_TABLE_exceptions);
	share_table(f->maps.backends, w, FWD_TABLE_backends);
	if (forward_bpf__load(f))
		exit_with_error("cannot load the wrapper", errno);
	return f;
}

static void prepare_trial(struct trial *t)
{
	const struct bench_case *c = t->c;
	const struct bench_frame frame = { .to = !c->foreign ? c->is6 ? BENCH_VIP6 : BENCH_VIP4
		                                             : "192.0.2.81",
		                           .port = 80,
		                           .udp = c->udp,
		                           .syn = c->syn };

	make_tables(c, &t->w);
	t->f = load_wrapper(&t->w);
	t->f->bss->load.pick = c->pick;
	t->f->bss->load.n_flows = c->n_flows;
	t->f->bss->load.outer6 = c->outer6;
	t->f->bss->load.slot_mask = t->w.sizes.slots - 1;
	t->f->bss->load.bucket_mask = t->w.sizes.exception_buckets - 1;
	t->f->bss->load.cold_lines = count_lines(&other_works[c->variant]);
	t->f->bss->load.each = other_works[c->variant].each;
	t->f->bss->state.random = BENCH_SEED;
	t->f->bss->state.cold_random = BENCH_SEED;
	if (bench_frame_make(&frame, &t->f->bss->load))
		exit_with_error("no frame", EINVAL);
	set_target(t->f, BENCH_NULL, bpf_program__fd(t->f->progs.bench_null));
	set_target(t->f, BENCH_GROW, bpf_program__fd(t->f->progs.bench_grow));
	set_target(t->f, BENCH_LEAST, bpf_program__fd(t->f->progs.bench_least));
	set_target(t->f, BENCH_HASH, bpf_program__fd(t->f->progs.bench_hash));
	set_target(t->f, BENCH_WEIR, t->w.prog_fd);
}

/** One round of a case. */
static void sample_trial(struct trial *t, int round)
{
	uint64_t before = count_expected(t->c, &t->w);

	for (int i = 0; i < BENCH_TARGETS; i++)
		t->s.ns[i][round] = run_sample(t->c, t->f, (enum bench_target)i);
	if (count_expected(t->c, &t->w) - before != count_packets(t->c))
		exit_with_error("not every packet was forwarded, or passed, as its case is about",
		                EINVAL);
}

static void finish_trial(struct trial *t)
{
	forward_bpf__destroy(t->f);
	world_fini(&t->w);
}

/** All cases, round by round: what else the machine does for a while touches a part of each one's rounds. */
static void measure_trials(struct trial *trials, size_t n)
{
	for (size_t i = 0; i < n; i++)
		prepare_trial(&trials[i]);
	for (int round = 0; round < n_rounds; round++) {
		if (isatty(STDERR_FILENO))
			fprintf(stderr, "\rround %d of %d ", round + 1, n_rounds);
		for (size_t i = 0; i < n; i++)
			sample_trial(&trials[i], round);
	}
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K");
	for (size_t i = 0; i < n; i++)
		finish_trial(&trials[i]);
}

static void add_result(json_t *all, const char *name, const char *unit, const struct result *r,
                       double target)
{
	bench_row(all, name, unit, &r->net, r->reference, r->reference_median, target);
}

/* What of the packets of trial @p t is the flow's hash. @param median  of it, from before the samples were sorted */
static void add_hash(json_t *all, const struct trial *t, double median)
{
	const struct samples *s = &t->s;
	const struct result r = { { net_cost(s, BENCH_HASH, 0, false), median },
		                  "a program that only sends, in the same harness",
		                  s->ns[BENCH_NULL][n_rounds / 2] };

	add_result(all, t->c->hash, "ns", &r, 0);
}

int main(int argc, char **argv)
{
	static struct trial trials[N_CASES];
	struct result r, one = { 0 }, million = { 0 };
	json_t *all = json_array();
	size_t n = 0;

	if (argc > 2 && atoi(argv[2]) > 0 && atoi(argv[2]) < ROUNDS)
		n_rounds = atoi(argv[2]);
	bench_pin(0);
	for (size_t i = 0; i < N_CASES; i++)
		if (argc < 2 || strstr(cases[i].name, argv[1]))
			trials[n++].c = &cases[i];
	measure_trials(trials, n);
	bench_head("beside");
	for (size_t i = 0; i < n; i++) {
		const struct bench_case *c = trials[i].c;

		double hash = median_cost(&trials[i].s, BENCH_HASH, false);

		r = summarise_samples(c, &trials[i].s);
		if (!strcmp(c->name, "xdp.ipip4.tcp.flows1"))
			one = r;
		if (!strcmp(c->name, "xdp.ipip4.tcp.flows1000000"))
			million = r;
		add_result(all, c->name, "ns", &r, c->target);
		if (c->hash)
			add_hash(all, &trials[i], hash);
	}
	if (one.net.median > 0 && million.net.median > 0) {
		r = (struct result){ { million.net.min / one.net.min,
			               million.net.median / one.net.median },
			             "ns of one flow",
			             one.net.median };
		add_result(all, "xdp.ipip4.tcp.spread", "times", &r, 1.2);
	}
	bench_write(all, "build/bench/forward.json");
	return 0;
}
