/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The backend agent's program under BPF_PROG_TEST_RUN against fwd/decap.h compiled for user
 * space, over every tunnel, cut at every byte, with each bit flipped, and with random fields
 * (zero, maximum, one bit, anything): equal action, equal bytes, equal counters.
 * Needs root; skipped (77) without.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "tests/unit/healthcheck/tunnel_frames.h"
#include "weir/fwd/decap.h"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
#pragma GCC diagnostic ignored "-Wshadow"
#include "bpf/agent.skel.h"
#pragma GCC diagnostic pop

#define N_RANDOM 400000u
#define SKIPPED  77

struct counts {
	uint64_t packets, bytes;
};

static struct counts want_counts[DECAP_REASON_COUNT];
static unsigned long n_frames;

/* 10.1.0.0/16 and fd00:1::/32, as main() tells the program. */
static inline int decap_source_accepted(void *arg, const unsigned char source[16])
{
	(void)arg;
	return !memcmp(source, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x01", 14) ||
	       !memcmp(source, "\xfd\0\0\1", 4);
}

/* What the shared code makes of a frame, in place. @return the XDP action */
static int natively(uint8_t **frame, size_t *n)
{
	struct decap_result r = { 0 };
	uint8_t *end = *frame + *n;
	enum decap_reason why = decap_parse(*frame, end, NULL, &r);
	size_t n_before = *n;

	if (why == DECAP_IPIP || why == DECAP_GUE)
		why = decap_finish(*frame, end, why, &r);
	if (why == DECAP_IPIP || why == DECAP_GUE) {
		*frame += r.inner_off - DECAP_ETH_LEN;
		*n -= r.inner_off - DECAP_ETH_LEN;
	}
	want_counts[why].packets++;
	want_counts[why].bytes += n_before;
	return why == DECAP_PASSED || why == DECAP_IPIP || why == DECAP_GUE ? XDP_PASS : XDP_DROP;
}

static void show(const char *label, const uint8_t *bytes, size_t n)
{
	fprintf(stderr, "  %s %zu:", label, n);
	for (size_t i = 0; i < n; i++)
		fprintf(stderr, " %02x", bytes[i]);
	fprintf(stderr, "\n");
}

/* Run one frame both ways. @return whether they agree */
static bool agree(int prog_fd, const uint8_t *bytes, size_t n)
{
	uint8_t got[FRAME_MAX + 64], copy[FRAME_MAX], *want = copy;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = bytes, .data_size_in = (uint32_t)n,
	            .data_out = got, .data_size_out = sizeof(got), .repeat = 1);
	size_t n_want = n;
	int action;

	if (n < DECAP_ETH_LEN) /* the kernel takes none */
		return true;
	n_frames++;
	if (bpf_prog_test_run_opts(prog_fd, &opts)) {
		perror("test run");
		return false;
	}
	memcpy(copy, bytes, n);
	action = natively(&want, &n_want);
	if ((int)opts.retval == action && opts.data_size_out == n_want &&
	    !memcmp(got, want, n_want))
		return true;
	fprintf(stderr, "action: kernel %u, native %d\n", opts.retval, action);
	show("frame", bytes, n);
	show("kernel", got, opts.data_size_out);
	show("native", want, n_want);
	return false;
}

static bool cut_everywhere(int prog_fd, const struct tunnel_frame *f)
{
	for (size_t n = 0; n <= f->n; n++)
		if (!agree(prog_fd, f->bytes, n))
			return false;
	return true;
}

static bool flip_every_bit(int prog_fd, const struct tunnel_frame *f)
{
	for (size_t bit = 0; bit < f->n * 8; bit++) {
		struct tunnel_frame g = *f;

		g.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (!agree(prog_fd, g.bytes, g.n))
			return false;
		if (g.outer && f->bytes[12] == 8 && bit / 8 >= 14 && g.bytes[14] >> 4 == 4 &&
		    (g.bytes[14] & 15) >= 5) {
			fix_sum4(g.bytes + g.outer);
			if (!agree(prog_fd, g.bytes, g.n))
				return false;
		}
	}
	return true;
}

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static uint8_t odd_value(uint64_t r)
{
	switch (r & 3) {
	case 0:
		return 0;
	case 1:
		return 0xff;
	case 2:
		return (uint8_t)(1u << (r >> 2 & 7));
	default:
		return (uint8_t)(r >> 8);
	}
}

/* A frame of a random plan with up to three bytes of its headers spoilt. */
static bool one_random(int prog_fd, uint64_t *state)
{
	uint64_t r = next_random(state);
	struct tunnel_plan plan = nth_plan((unsigned)(r % N_PLANS));

	plan.outer_ecn = r >> 8 & 3;
	plan.inner_ecn = r >> 10 & 3;
	plan.payload_len = r >> 12 & 63;
	struct tunnel_frame f = make_frame(&plan);
	for (unsigned i = r >> 20 & 3; i; i--) {
		uint64_t s = next_random(state);

		f.bytes[12 + s % (f.n - 12)] = odd_value(s >> 16);
	}
	if (plan.outer4 && r >> 24 & 1 && (f.bytes[f.outer] & 15) >= 5)
		fix_sum4(f.bytes + f.outer);
	return agree(prog_fd, f.bytes, r >> 28 & 7 ? f.n : (r >> 32) % (f.n + 1));
}

static bool counters_agree(int map_fd)
{
	int n_cpus = libbpf_num_possible_cpus();
	struct counts *per_cpu = calloc((size_t)n_cpus, sizeof(*per_cpu));
	bool equal = true;

	for (uint32_t why = 0; per_cpu && why < DECAP_REASON_COUNT; why++) {
		struct counts sum = { 0, 0 };

		if (bpf_map_lookup_elem(map_fd, &why, per_cpu))
			return false;
		for (int c = 0; c < n_cpus; c++) {
			sum.packets += per_cpu[c].packets;
			sum.bytes += per_cpu[c].bytes;
		}
		printf("  reason %u packets %lu\n", why, (unsigned long)sum.packets);
		equal = equal && !memcmp(&sum, &want_counts[why], sizeof(sum));
	}
	free(per_cpu);
	return equal;
}

static bool all_agree(int prog_fd)
{
	uint64_t state = 2026;

	for (unsigned i = 0; i < N_PLANS * 16; i++) {
		struct tunnel_plan plan = nth_plan(i % N_PLANS);

		plan.outer_ecn = i / N_PLANS & 3;
		plan.inner_ecn = i / N_PLANS >> 2;
		struct tunnel_frame f = make_frame(&plan);
		if (!agree(prog_fd, f.bytes, f.n))
			return false;
		if (i < N_PLANS && (!cut_everywhere(prog_fd, &f) || !flip_every_bit(prog_fd, &f)))
			return false;
	}
	for (unsigned i = 0; i < N_RANDOM; i++)
		if (!one_random(prog_fd, &state))
			return false;
	return true;
}

static void accept_sources(int map_fd)
{
	static const struct {
		uint32_t bits;
		uint8_t source[16];
	} keys[] = { { 112, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x01" }, { 32, "\xfd\0\0\1" } };
	uint32_t one = 1;

	for (int i = 0; i < 2; i++)
		if (bpf_map_update_elem(map_fd, &keys[i], &one, BPF_ANY))
			abort();
}

int main(void)
{
	struct weir_agent_bpf *skel = weir_agent_bpf__open_and_load();

	if (!skel) {
		int rc = errno;

		perror("loading");
		return rc == EPERM ? SKIPPED : 1;
	}
	accept_sources(bpf_map__fd(skel->maps.agent_prefixes));
	bool ok = all_agree(bpf_program__fd(skel->progs.weir_agent)) &&
	          counters_agree(bpf_map__fd(skel->maps.agent_counters));
	printf("%lu frames: %s\n", n_frames, ok ? "equal" : "DIFFERENT");
	weir_agent_bpf__destroy(skel);
	return !ok;
}
