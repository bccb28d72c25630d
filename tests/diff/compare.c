/* SPDX-License-Identifier: BSD-2-Clause */
#include "diff/compare.h"

#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "diff/dpdk.h"
#include "weir/fwd/burst.h"

#define SHOWN_MAX 10u
/* Two bytes in, as NICs place frames; an exact-size end is the fuzz target's matter. */
#define ROOM (256u + 2u)

_Static_assert(DIFF_BURST_MAX == FWD_BURST_MAX, "a whole burst can be gathered");

/** What came of a frame. */
struct outcome {
	int action; /**< enum xdp_action */
	enum fwd_reason reason;
	uint8_t bytes[FRAME_MAX + 256];
	size_t len;
};

static void exit_with_error(const char *what, int err)
{
	fprintf(stderr, "weir-diff: %s: %s\n", what, strerror(err < 0 ? -err : err));
	exit(2);
}

static void run_xdp(const struct diff *d, const struct frame *f, struct outcome *o)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f->bytes, .data_size_in = (uint32_t)f->len,
	            .data_out = o->bytes, .data_size_out = sizeof(o->bytes), .repeat = 1);

	if (bpf_prog_test_run_opts(d->xdp.prog_fd, &opts))
		exit_with_error("BPF_PROG_TEST_RUN", errno);
	o->action = (int)opts.retval;
	o->len = opts.data_size_out;
}

void diff_run_xdp(struct diff *d, const struct frame *f)
{
	struct outcome o;

	run_xdp(d, f, &o);
}

static int action_of(const struct fwd_verdict *v)
{
	switch (fwd_reason_kind(v->reason)) {
	case FWD_KIND_TX:
		return fwd_egress(v) && fwd_egress(v) != DIFF_LOOPBACK ? XDP_REDIRECT : XDP_TX;
	case FWD_KIND_PASS:
		return XDP_PASS;
	default:
		return XDP_DROP;
	}
}

static void take_outcome(const struct fwd_packet *packet, const struct fwd_verdict *v,
                         struct outcome *o)
{
	o->action = action_of(v);
	o->reason = v->reason;
	o->len = (size_t)(packet->end - packet->data);
	memcpy(o->bytes, packet->data, o->len);
}

/** What was gathered, natively; the reason of a frame tells of a difference where to look. */
static void run_native(struct diff *d, struct outcome out[DIFF_BURST_MAX])
{
	static uint8_t buffers[DIFF_BURST_MAX][ROOM + FRAME_MAX] __attribute__((aligned(64)));
	struct fwd_packet packets[DIFF_BURST_MAX];
	struct fwd_verdict verdicts[DIFF_BURST_MAX];

	for (uint32_t i = 0; i < d->n_pending; i++) {
		const struct frame *f = &d->pending[i];

		packets[i] = (struct fwd_packet){ buffers[i] + ROOM, buffers[i] + ROOM + f->len,
			                          buffers[i] };
		memcpy(packets[i].data, f->bytes, f->len);
	}
	if (d->way == DIFF_BURST)
		d->burst(&d->native, packets, d->n_pending, d->now_s, verdicts);
	for (uint32_t i = 0; i < d->n_pending && d->way != DIFF_BURST; i++)
		(d->way == DIFF_LONG ? d->forward_long : d->forward)(&d->native, &packets[i],
		                                                     d->now_s, &verdicts[i]);
	for (uint32_t i = 0; i < d->n_pending; i++)
		take_outcome(&packets[i], &verdicts[i], &out[i]);
	d->last = verdicts[d->n_pending - 1];
}

static void show_bytes(const char *what, const uint8_t *bytes, size_t len)
{
	printf("  %s %zu:", what, len);
	for (size_t i = 0; i < len && i < 160; i++)
		printf("%s%02x", i % 4 ? "" : " ", bytes[i]);
	printf("\n");
}

static void show_difference(const struct diff *d, uint32_t i, const struct outcome *x,
                            const struct outcome *n, const char *table)
{
	static const char *const ways[] = { "one by one", "the long way", "burst" };

	printf("frame %lu, %s of %u: action xdp %d native %d, native reason %d, table %s\n",
	       d->passed + d->failed, ways[d->way], d->n_pending, x->action, n->action, n->reason,
	       table ? table : "none");
	show_bytes("in", d->pending[i].bytes, d->pending[i].len);
	show_bytes("xdp", x->bytes, x->len);
	show_bytes("native", n->bytes, n->len);
}

/** The same frames through the process; what differs there ends the program, since nothing is equal from then on. */
static void run_dpdk(struct diff *d, const struct outcome native[DIFF_BURST_MAX])
{
	struct dpdk_frame frames[DIFF_BURST_MAX];
	const char *wrong;

	for (uint32_t i = 0; i < d->n_pending; i++)
		frames[i] = (struct dpdk_frame){
			.in = d->pending[i].bytes,
			.in_len = d->pending[i].len,
			.out = native[i].bytes,
			.out_len = native[i].len,
			.reason = native[i].reason,
		};
	for (uint32_t i = 0; i < d->n_pending; i++)
		d->n_too_long += dpdk_is_too_long(&frames[i]);
	wrong = dpdk_forward(d->dpdk, frames, d->n_pending);
	if (!wrong) {
		diff_check_dpdk(d);
		wrong = dpdk_passed(d->dpdk, frames, d->n_pending);
	}
	if (wrong)
		printf("frames from %lu on, %u of them, by the process: %s\n",
		       d->passed + d->failed, d->n_pending, wrong);
	if (wrong)
		exit(1);
}

void diff_check_dpdk(struct diff *d)
{
	const char *table = d->dpdk ? dpdk_difference(d->dpdk, &d->native) : NULL;

	if (!table)
		return;
	printf("after %lu frames the process has other %s\n", d->passed + d->failed, table);
	exit(1);
}

void diff_flush(struct diff *d)
{
	static struct outcome x[DIFF_BURST_MAX], n[DIFF_BURST_MAX];
	const char *table;

	if (!d->n_pending)
		return;
	for (uint32_t i = 0; i < d->n_pending; i++)
		run_xdp(d, &d->pending[i], &x[i]);
	run_native(d, n);
	table = world_difference(&d->native, &d->xdp);
	for (uint32_t i = 0; i < d->n_pending; i++) {
		bool last = i + 1 == d->n_pending;

		if (x[i].action == n[i].action && x[i].len == n[i].len &&
		    !memcmp(x[i].bytes, n[i].bytes, x[i].len) && !(last && table))
			d->passed++;
		else if (d->failed++ < SHOWN_MAX)
			show_difference(d, i, &x[i], &n[i], last ? table : NULL);
	}
	if (d->failed && d->stop_at_first) {
		printf("%lu passed, %lu failed\n", d->passed, d->failed);
		exit(1);
	}
	if (table)
		world_copy(&d->native, &d->xdp); /* so that the next burst starts equal again */
	if (d->dpdk)
		run_dpdk(d, n);
	d->n_pending = 0;
}

void diff_frame(struct diff *d, const struct frame *f)
{
	if (d->dpdk && f->len < DPDK_FRAME_MIN)
		return;
	if (!d->n_pending) {
		d->way = (enum diff_delivery)random_below(&d->random, DIFF_BURST + 1);
		d->enough =
		        1 + random_below(&d->random, 1 + random_below(&d->random, DIFF_BURST_MAX));
	}
	d->pending[d->n_pending++] = *f;
	d->offered++;
	if (d->n_pending >= d->enough)
		diff_flush(d);
}

void diff_alone(struct diff *d, const struct frame *f)
{
	diff_flush(d);
	diff_frame(d, f);
	diff_flush(d);
}

void diff_share(struct diff *d)
{
	world_copy(&d->xdp, &d->native);
}

void diff_set_time(struct diff *d, uint32_t now_s)
{
	d->now_s = now_s;
	/* Ticks run, but their scale makes an instant of them. */
	d->native.t.root->tick_scale = d->xdp.t.root->tick_scale = 1;
	d->native.t.root->tick_base = d->xdp.t.root->tick_base =
	        -((uint64_t)(now_s - d->tick_carry) << 32);
}

static void pin_to_cpu(struct diff *d)
{
	cpu_set_t set;
	int cpu = sched_getcpu();

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (cpu < 0 || sched_setaffinity(0, sizeof(set), &set))
		exit_with_error("cannot stay on one CPU", errno);
	d->native.t.cpu = (uint32_t)cpu;
}

/* The generator's second address behind others: in root's second place, then last of a set. */
static void add_macs(struct world *w)
{
	uint8_t mac[6] = { 2, 0xaa, 0, 0, 0, 2 }, third[6] = { 2, 0xaa, 0, 0, 0, 3 };
	uint8_t other[6] = { 2, 0xdd };
	uint64_t bytes = 0, word;
	uint32_t set;

	world_add_mac(w, mac, WORLD_INGRESS);
	for (other[5] = 0; other[5] < FWD_MACS_FIRST - 2; other[5]++)
		world_add_mac(w, other, WORLD_INGRESS);
	memcpy(&bytes, third, sizeof(third));
	set = fwd_mac_bucket(fwd_mac_word(bytes, WORLD_INGRESS));
	for (uint32_t i = 256, n = 1; n < FWD_MAC_WAYS; i++) {
		other[4] = (uint8_t)(i >> 8);
		other[5] = (uint8_t)i;
		memcpy(&bytes, other, sizeof(other));
		word = fwd_mac_word(bytes, WORLD_INGRESS);
		if (fwd_mac_bucket(word) != set)
			continue;
		world_add_mac(w, other, WORLD_INGRESS);
		n++;
	}
	world_add_mac(w, third, WORLD_INGRESS);
}

void diff_open(struct diff *d, const struct driver_sizes *sizes)
{
	int err = world_init_xdp(&d->xdp, sizes);

	if (err)
		exit_with_error("cannot load the XDP program (root is needed)", err);
	world_init(&d->native, sizes, d->xdp.t.n_cpus);
	if (!d->dpdk) { /* which has those of its port */
		add_macs(&d->xdp);
		add_macs(&d->native);
	}
	pin_to_cpu(d);
	d->before = d->passed + d->failed;
}

/** Received packets must be those sent, passed and dropped, exactly. */
static void check_conservation(struct diff *d)
{
	uint64_t sum = 0, frames = d->passed + d->failed - d->before;
	const struct fwd_cpu *cpu = &d->xdp.t.cpus[d->native.t.cpu];

	for (uint32_t i = 0; i < FWD_REASONS_MAX; i++)
		sum += cpu->reason[i];
	if (sum != cpu->received || cpu->received != frames) {
		printf("conservation: received %lu, reasons %lu, frames %lu\n",
		       (unsigned long)cpu->received, (unsigned long)sum, (unsigned long)frames);
		d->failed++;
		d->before++; /* no frame's */
	}
}

void diff_close(struct diff *d)
{
	diff_flush(d);
	check_conservation(d);
	world_fini(&d->xdp);
	world_fini(&d->native);
}

static void *find_native(void *so, const char *name)
{
	void *symbol = so ? dlsym(so, name) : NULL;

	if (!symbol) {
		fprintf(stderr, "weir-diff: %s\n", dlerror());
		exit(2);
	}
	return symbol;
}

void diff_load(struct diff *d, const char *path)
{
	void *so = dlopen(path, RTLD_NOW), *symbol;

	symbol = find_native(so, "world_forward");
	memcpy(&d->forward, &symbol, sizeof(d->forward));
	symbol = find_native(so, "world_forward_long");
	memcpy(&d->forward_long, &symbol, sizeof(d->forward_long));
	symbol = find_native(so, "world_forward_burst");
	memcpy(&d->burst, &symbol, sizeof(d->burst));
	d->stop_at_first = true;
}

void diff_print_size(const struct diff *d)
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);

	if (!bpf_obj_get_info_by_fd(d->xdp.prog_fd, &info, &len))
		printf("program: %u instructions, %u verified\n", info.xlated_prog_len / 8,
		       info.verified_insns);
}

#define LABEL(name, kind, label, text) [FWD_REASON_##name] = label,
static const char *const labels[] = { FWD_REASONS(LABEL) };
#undef LABEL

const char *diff_reason_label(enum fwd_reason reason)
{
	return labels[reason];
}

void diff_check_reasons(struct diff *d)
{
	const struct fwd_cpu *cpu = &d->xdp.t.cpus[d->native.t.cpu];

	/* Room is never short here. */
	for (uint32_t i = 0; i < FWD_REASON_COUNT; i++)
		if (!cpu->reason[i] && !fwd_reason_is_drivers((enum fwd_reason)i) &&
		    i != FWD_REASON_NO_ROOM && i != FWD_REASON_SHORT_FRAME) {
			printf("coverage: no frame met %s\n", labels[i]);
			d->failed++;
			d->before++; /* no frame's */
		}
}

void diff_check_events(struct diff *d)
{
	const struct fwd_cpu *cpu = &d->xdp.t.cpus[d->native.t.cpu];

	for (uint32_t i = 1; i < OWNER_EVENT_COUNT; i++)
		if (!cpu->event[i]) {
			printf("coverage: no frame met owner event %u\n", i);
			d->failed++;
			d->before++; /* no frame's */
		}
}
