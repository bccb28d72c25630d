/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench forward: what the XDP program costs a packet, net of the harness.
 *
 * net = T(program) - T(null) - restore, restore = (T(grow) - T(null)) / 2, where null only
 * sends and grow also moves the frame's beginning, which the wrapper then undoes. The three
 * are measured in turn, and so are the cases, round by round, on one CPU; minimum and median are over rounds.
 * Each packet of each round must have been forwarded, as the program itself counts.
 *
 * In the rows named cold, 64 random lines of 64 MiB are written before each packet, so that what the
 * program needs has often left the caches, as on a machine that does other work as well.
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
#include "weir/model.h"

#define REPEAT 40000u
#define SKIP   10000u /**< iterations before the clock starts */
#define ROUNDS 101

enum variant { PLAIN, MILLION_SLOTS, UNSETTLED, COLD };

/** A row of the table. */
struct bench_case {
	const char *name;
	enum fwd_encap_mode encap;
	bool is6, outer6, udp, syn, foreign;
	enum bench_pick pick;
	uint32_t n_flows;
	enum variant variant;
	double target; /**< ns; 0: none */
};

static const struct bench_case cases[] = {
	{ .name = "xdp.ipip4.tcp.flows1", .target = 35, .n_flows = 1 },
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
	{ .name = "xdp.ipip6.tcp.flows1", .target = 38, .outer6 = true, .is6 = true, .n_flows = 1 },
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
	  .variant = MILLION_SLOTS },
	{ .name = "xdp.ipip4.tcp.unsettled",
	  .pick = BENCH_RANDOM,
	  .n_flows = 1000000,
	  .variant = UNSETTLED },
	{ .name = "xdp.ipip4.tcp.unsettled_new",
	  .pick = BENCH_NEVER_AGAIN,
	  .syn = true,
	  .variant = UNSETTLED },
	{ .name = "xdp.ipip4.tcp.cold.flows1", .n_flows = 1, .variant = COLD },
	{ .name = "xdp.ipip4.tcp.cold.flows1000000",
	  .pick = BENCH_RANDOM,
	  .n_flows = 1000000,
	  .variant = COLD },
	{ .name = "xdp.foreign", .pick = BENCH_RANDOM, .n_flows = 1000000, .foreign = true },
};
#define N_CASES (sizeof(cases) / sizeof(cases[0]))

/** Nanoseconds of all rounds, per target. */
struct samples {
	double ns[BENCH_TARGETS][ROUNDS];
};

struct result {
	struct bench_result net;
	double null_median;
};

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
	if (c->variant == UNSETTLED)
		bench_unsettle(w);
}

/** Run one sample. @return ns an iteration */
static double run_sample(const struct forward_bpf *f, enum bench_target target)
{
	uint8_t frame[BENCH_TEMPLATE];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame,
	            .data_size_in = (uint32_t)f->bss->load.len, .repeat = REPEAT);

	memcpy(frame, f->bss->load.frame, sizeof(frame));
	f->bss->load.target = target;
	f->bss->load.first = SKIP;
	f->bss->load.last = REPEAT - 1;
	f->bss->state.iteration = 0;
	if (bpf_prog_test_run_opts(bpf_program__fd(f->progs.bench_wrap), &opts))
		exit_with_error("BPF_PROG_TEST_RUN", errno);
	if (f->bss->state.failed)
		exit_with_error("the wrapper could not make a fresh packet", EINVAL);
	return (double)(f->bss->state.ended_ns - f->bss->state.started_ns) / (REPEAT - 1 - SKIP);
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

static double net_cost(const struct samples *s, int at, bool grown)
{
	double null = s->ns[BENCH_NULL][at], grow = s->ns[BENCH_GROW][at];

	return s->ns[BENCH_WEIR][at] - null - (grown ? (grow - null) / 2 : 0);
}

/* The median is over each round's own difference: what disturbs a round disturbs all of its three. */
static struct result summarise_samples(struct samples *s, bool grown)
{
	double nets[ROUNDS], median;

	for (int round = 0; round < ROUNDS; round++)
		nets[round] = net_cost(s, round, grown);
	median = bench_summarise(nets, ROUNDS).median;
	for (int i = 0; i < BENCH_TARGETS; i++)
		(void)bench_summarise(s->ns[i], ROUNDS);
	return (struct result){ { net_cost(s, 0, grown), median }, s->ns[BENCH_NULL][ROUNDS / 2] };
}

/** A case that is ready to run: its own tables, programs and samples. */
struct trial {
	const struct bench_case *c;
	struct forward_bpf *f;
	struct world w;
	struct samples s;
};

static void prepare_trial(struct trial *t)
{
	const struct bench_case *c = t->c;
	const struct bench_frame frame = { .to = !c->foreign ? c->is6 ? BENCH_VIP6 : BENCH_VIP4
		                                             : "192.0.2.81",
		                           .port = 80,
		                           .udp = c->udp,
		                           .syn = c->syn };

	t->f = forward_bpf__open_and_load();
	if (!t->f)
		exit_with_error("cannot load the wrapper", errno);
	make_tables(c, &t->w);
	t->f->bss->load.pick = c->pick;
	t->f->bss->load.n_flows = c->n_flows;
	t->f->bss->load.cold_lines = c->variant == COLD ? BENCH_COLD_LINES : 0;
	t->f->bss->state.random = BENCH_SEED;
	t->f->bss->state.cold_random = BENCH_SEED;
	if (bench_frame_make(&frame, &t->f->bss->load))
		exit_with_error("no frame", EINVAL);
	set_target(t->f, BENCH_NULL, bpf_program__fd(t->f->progs.bench_null));
	set_target(t->f, BENCH_GROW, bpf_program__fd(t->f->progs.bench_grow));
	set_target(t->f, BENCH_WEIR, t->w.prog_fd);
}

/** One round of a case. */
static void sample_trial(struct trial *t, int round)
{
	uint64_t before = count_expected(t->c, &t->w);

	for (int i = 0; i < BENCH_TARGETS; i++)
		t->s.ns[i][round] = run_sample(t->f, (enum bench_target)i);
	if (count_expected(t->c, &t->w) - before != REPEAT)
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
	for (int round = 0; round < ROUNDS; round++) {
		if (isatty(STDERR_FILENO))
			fprintf(stderr, "\rround %d of %u ", round + 1, ROUNDS);
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
	bench_row(all, name, unit, &r->net, "a program that only sends, in the same harness",
	          r->null_median, target);
}

int main(int argc, char **argv)
{
	static struct trial trials[N_CASES];
	struct result r, one = { 0 }, million = { 0 };
	json_t *all = json_array();
	size_t n = 0;

	bench_pin(0);
	for (size_t i = 0; i < N_CASES; i++)
		if (argc < 2 || strstr(cases[i].name, argv[1]))
			trials[n++].c = &cases[i];
	measure_trials(trials, n);
	bench_head("null");
	for (size_t i = 0; i < n; i++) {
		const struct bench_case *c = trials[i].c;

		r = summarise_samples(&trials[i].s, !c->foreign);
		if (!strcmp(c->name, "xdp.ipip4.tcp.flows1"))
			one = r;
		if (!strcmp(c->name, "xdp.ipip4.tcp.flows1000000"))
			million = r;
		add_result(all, c->name, "ns", &r, c->target);
	}
	if (one.net.median > 0 && million.net.median > 0) {
		r = (struct result){ { million.net.min / one.net.min,
			               million.net.median / one.net.median },
			             one.net.median };
		add_result(all, "xdp.ipip4.tcp.spread", "times", &r, 1.2);
	}
	bench_write(all, "build/bench/forward.json");
	return 0;
}
