/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The packets' clock. bpf_jiffies64() costs a packet next to nothing, but user space can read it
 * only by running a BPF program. Such a program returns 32 bits, so two programs read the two
 * halves, and a changed high half repeats the reading. fwd_root.tick_base and tick_scale turn ticks
 * into seconds of CLOCK_MONOTONIC. NTP slews that clock but not the ticks, so the base is set again
 * from time to time (driver_ops.tick).
 */
#include "bpf/xdp_internal.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/filter.h>

#define SECOND_NS 1000000000u
#define EDGES     10u /* ticks to measure over: 0.1 s or less, unless the machine is busy */
/* What is not known of both edges, at most, of the time between them: 250 and 300 are a fifth apart. */
#define UNSURE_FRACTION 16u

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* A program that returns half of bpf_jiffies64(): shift by 0 or 32. @return descriptor or -errno */
static int load_reader(int shift)
{
	const struct bpf_insn code[] = {
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_jiffies64 },
		{ .code = BPF_ALU64 | BPF_RSH | BPF_K, .dst_reg = 0, .imm = shift },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "weir_clock", "Dual BSD/GPL", code,
	                       sizeof(code) / sizeof(code[0]), NULL);

	return fd < 0 ? -errno : fd;
}

static int run_reader(int fd, uint32_t *out)
{
	char frame[64] = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(frame));

	if (bpf_prog_test_run_opts(fd, &opts))
		return -errno;
	*out = opts.retval;
	return 0;
}

struct tick_reader {
	int low_fd, high_fd;
};

static int read_ticks(const struct tick_reader *r, uint64_t *out)
{
	uint32_t high, low, again;
	int err;

	do {
		err = run_reader(r->high_fd, &high);
		if (!err)
			err = run_reader(r->low_fd, &low);
		if (!err)
			err = run_reader(r->high_fd, &again);
	} while (!err && high != again);
	if (!err)
		*out = (uint64_t)high << 32 | low;
	return err;
}

/* When a tick began: in the last unsure_ns before at_ns, which are many on a busy machine. */
struct tick_edge {
	uint64_t ticks, at_ns, unsure_ns;
};

/* Wait for the tick to change: at most 1 s, though a tick takes at most 10 ms. */
static int wait_edge(const struct tick_reader *r, struct tick_edge *out)
{
	uint64_t first, before_ns, read_ns = now_ns(), limit_ns = read_ns + SECOND_NS;
	int err = read_ticks(r, &first);

	out->ticks = first;
	while (!err && out->ticks == first) {
		before_ns = read_ns;
		usleep(200);
		read_ns = now_ns();
		err = read_ticks(r, &out->ticks);
		out->at_ns = now_ns();
		out->unsure_ns = out->at_ns - before_ns;
		if (!err && out->ticks == first && out->at_ns > limit_ns)
			err = -ETIME;
	}
	return err;
}

/* Whether the rate between two edges may be that of another kernel; what took 1 s is believed. */
static bool is_rate_unsure(const struct tick_edge *from, const struct tick_edge *to)
{
	uint64_t took_ns = to->at_ns - from->at_ns;

	return took_ns < SECOND_NS && (from->unsure_ns + to->unsure_ns) * UNSURE_FRACTION > took_ns;
}

/*
 * The kernel's ticks a second: of the four that Linux can have, the one nearest to the measured
 * rate.
 */
static int measure_hz(const struct tick_reader *r, uint32_t *hz)
{
	static const uint32_t known[] = { 100, 250, 300, 1000 };
	struct tick_edge from = { 0 }, to;
	uint64_t seen, best = UINT64_MAX;
	int err = wait_edge(r, &from);

	to = from;
	while (!err && (to.ticks - from.ticks < EDGES || is_rate_unsure(&from, &to)))
		err = wait_edge(r, &to);
	if (err)
		return err;
	seen = (to.ticks - from.ticks) * SECOND_NS / (to.at_ns - from.at_ns);
	for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		uint64_t off = seen > known[i] ? seen - known[i] : known[i] - seen;

		if (off * 1000 / known[i] < best) {
			best = off * 1000 / known[i];
			*hz = known[i];
		}
	}
	return 0;
}

/*
 * The rate is measured once. The base is set again only if it is off by more than one tick: reading
 * both clocks takes time, so a smaller difference says nothing.
 */
static int sync_with(const struct tick_reader *r, struct fwd_root *root)
{
	uint32_t hz = root->tick_scale
	                      ? (uint32_t)(((1ull << 32) + root->tick_scale / 2) / root->tick_scale)
	                      : 0;
	uint64_t ticks, base;
	int err = 0;

	if (!hz)
		err = measure_hz(r, &hz);
	if (!err)
		err = read_ticks(r, &ticks);
	if (err)
		return err;
	base = ticks - now_ns() / 1000 * hz / 1000000;
	if (!root->tick_scale || base - root->tick_base + 1 > 2) {
		__atomic_store_n(&root->tick_base, base, __ATOMIC_RELAXED);
		__atomic_store_n(&root->tick_scale, (1ull << 32) / hz + 1, __ATOMIC_RELAXED);
	}
	return 0;
}

int xdp_clock_sync(struct fwd_root *root)
{
	struct tick_reader r = { load_reader(0), load_reader(32) };
	int err = r.low_fd < 0 ? r.low_fd : r.high_fd < 0 ? r.high_fd : sync_with(&r, root);

	if (r.low_fd >= 0)
		close(r.low_fd);
	if (r.high_fd >= 0)
		close(r.high_fd);
	return err;
}
