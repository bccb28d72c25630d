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

#define EDGES 10u /* ticks to measure over: at most 0.1 s, and enough to tell the rates apart */

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

/* Wait for the tick to change: at most 1 s, though a tick takes at most 10 ms. */
static int wait_edge(const struct tick_reader *r, uint64_t *ticks, uint64_t *at_ns)
{
	uint64_t first, limit_ns = now_ns() + 1000000000u;
	int err = read_ticks(r, &first);

	*ticks = first;
	while (!err && *ticks == first) {
		usleep(200);
		err = read_ticks(r, ticks);
		*at_ns = now_ns();
		if (!err && *at_ns > limit_ns)
			err = -ETIME;
	}
	return err;
}

/*
 * The kernel's ticks a second: of the four that Linux can have, the one nearest to the measured
 * rate.
 */
static int measure_hz(const struct tick_reader *r, uint32_t *hz)
{
	static const uint32_t known[] = { 100, 250, 300, 1000 };
	uint64_t t0, t1, n0, n1, seen, best = UINT64_MAX;
	int err = wait_edge(r, &t0, &n0);

	for (t1 = t0; !err && t1 - t0 < EDGES;)
		err = wait_edge(r, &t1, &n1);
	if (err)
		return err;
	seen = (t1 - t0) * 1000000000u / (n1 - n0);
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
