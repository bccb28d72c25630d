/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * veth-tool ROUNDS FLOWS ADDRESS PORT INTERFACE...: bursts of frames out of each interface in turn, as many
 * rounds as asked for, and what comes back there is counted and dropped.
 *
 * A frame's whole way is one CPU's work, in turn: it is made by bench_generate, sent, handled by the
 * other end's XDP program in softirq, sent back, and counted by bench_sink. Frames are of FLOWS
 * flows to ADDRESS and PORT. A line for each burst: the interface, ns for a frame that came back,
 * frames sent, frames back, bytes of those.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>

#include "bench/common.h"
#include "bench/frame.h"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual" /* bpftool's code */
#pragma GCC diagnostic ignored "-Wshadow"
#include "bench/forward.skel.h"
#pragma GCC diagnostic pop

#define BURST  200000u
#define SKIP   20000u /**< frames before the clock starts */
#define AT_ONE 64u    /**< frames handed over together: what a veth polls at a time */
#define REST   10000u /**< µs between bursts, for the others of the machine */

static void exit_with_error(const char *what, int err)
{
	fprintf(stderr, "veth-tool: %s: %s\n", what, strerror(err < 0 ? -err : err));
	exit(1);
}

static uint32_t attach_sink(const struct forward_bpf *f, const char *interface)
{
	unsigned int ifindex = if_nametoindex(interface);
	int err;

	if (!ifindex)
		exit_with_error(interface, errno);
	err = bpf_xdp_attach((int)ifindex, bpf_program__fd(f->progs.bench_sink), XDP_FLAGS_DRV_MODE,
	                     NULL);
	if (err)
		exit_with_error(interface, err);
	return ifindex;
}

static void send_burst(const struct forward_bpf *f, const char *interface)
{
	struct bench_state *s = &f->bss->state;
	uint8_t frame[BENCH_TEMPLATE];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame,
	            .data_size_in = (uint32_t)f->bss->load.len, .repeat = BURST,
	            .batch_size = AT_ONE, .flags = BPF_F_TEST_XDP_LIVE_FRAMES);
	double ns;

	memcpy(frame, f->bss->load.frame, sizeof(frame));
	s->iteration = s->failed = s->back = s->back_bytes = 0;
	if (bpf_prog_test_run_opts(bpf_program__fd(f->progs.bench_generate), &opts))
		exit_with_error("BPF_PROG_TEST_RUN of live frames", errno);
	usleep(REST); /* frames under way arrive */
	if (s->failed || !s->back)
		exit_with_error(s->failed ? "a frame could not be made" : "nothing came back", EIO);
	ns = (double)(s->ended_ns - s->started_ns) / (BURST - 1 - SKIP);
	printf("%s %.2f %u %lu %lu\n", interface, ns * BURST / (double)s->back, BURST,
	       (unsigned long)s->back, (unsigned long)s->back_bytes);
}

static unsigned long read_number(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end || !n || n > UINT32_MAX)
		exit_with_error(text, EINVAL);
	return n;
}

int main(int argc, char **argv)
{
	struct forward_bpf *f;
	struct bench_frame frame;
	uint32_t ifindex[2];
	int n = argc - 5;

	if (n < 1 || n > 2) {
		fprintf(stderr,
		        "usage: veth-tool ROUNDS FLOWS ADDRESS PORT INTERFACE [INTERFACE]\n");
		return 1;
	}
	f = forward_bpf__open_and_load();
	if (!f)
		exit_with_error("cannot load the programs (root is needed)", errno);
	f->bss->load = (struct bench_load){ .first = SKIP,
		                            .last = BURST - 1,
		                            .pick = BENCH_RANDOM,
		                            .n_flows = (uint32_t)read_number(argv[2]) };
	f->bss->state.random = BENCH_SEED;
	frame = (struct bench_frame){ .to = argv[3], .port = (uint16_t)read_number(argv[4]) };
	if (bench_frame_make(&frame, &f->bss->load))
		exit_with_error(argv[3], EINVAL);
	for (int i = 0; i < n; i++)
		ifindex[i] = attach_sink(f, argv[5 + i]);
	bench_pin(0);
	for (unsigned long round = read_number(argv[1]); round; round--)
		for (int i = 0; i < n; i++) {
			f->bss->load.ifindex = ifindex[i];
			send_burst(f, argv[5 + i]);
		}
	forward_bpf__destroy(f); /* the interfaces keep the sink */
	return 0;
}
