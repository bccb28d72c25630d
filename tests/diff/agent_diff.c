/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The backend agent's program under BPF_PROG_TEST_RUN against fwd/decap.h and decap_second.h
 * compiled for user space, over every tunnel and list of owners, cut at every byte, with each bit
 * flipped, and with random fields (zero, maximum, one bit, anything): equal action, equal bytes,
 * equal counters. The connections that the program finds are real ones, in a namespace of its
 * own and in another that it was told; the native side is told which there are.
 * Needs root; skipped (77) without. usage: agent-diff [RANDOM_FRAMES]
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "tests/unit/healthcheck/tunnel_frames.h"
#include "weir/fwd/decap_second.h"
#include "bpf/agent_maps.h"
#include "bpf/agent_second.h"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
#pragma GCC diagnostic ignored "-Wshadow"
#include "bpf/agent.skel.h"
#pragma GCC diagnostic pop

#define N_RANDOM "400000"
#define SKIPPED  77

struct counts {
	uint64_t packets, bytes;
};

/* Ports of the VIP: listened at here, and in the other namespace; and of clients with a connection. */
#define PORT_HERE   80u
#define PORT_THERE  81u
#define CLIENT_HERE 40000u
#define CLIENT_OVER 40001u /* one whose server has closed */

static struct counts want_counts[DECAP_REASON_COUNT];
static unsigned long n_frames;

/* 10.1.0.0/16 and fd00:1::/32, as main() tells the program. */
static inline int decap_source_accepted(void *arg, const unsigned char source[16])
{
	(void)arg;
	return !memcmp(source, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x01", 14) ||
	       !memcmp(source, "\xfd\0\0\1", 4);
}

/* 10.1.0.0/16 but not 10.1.255.0/24, fd00:1::/48. */
static inline int decap_owner_accepted(void *arg, const unsigned char owner[16])
{
	(void)arg;
	if (!memcmp(owner, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x01", 14))
		return owner[14] != 255;
	return !memcmp(owner, "\xfd\0\0\1\0\0", 6);
}

/* Whether @p a is the address that the client (or the VIP) of make_frame() has. */
static bool is_address(const unsigned char *a, bool is4, bool client)
{
	struct tunnel_plan plan = { .kind = TUNNEL_NONE, .inner4 = is4, .payload_len = 20 };
	struct tunnel_frame f = make_frame(&plan);
	unsigned n = is4 ? 4 : 16;

	return !memcmp(a, f.bytes + 14 + (is4 ? 12 : 8) + (client ? 0 : n), n);
}

/* What set_up_connections() has made, as the program should find it. */
static inline enum second_socket decap_socket(void *arg, const unsigned char *frame,
                                              const unsigned char *end, const struct decap_flow *f)
{
	unsigned vip_port = decap_be16(f->vip_port), client_port = decap_be16(f->client_port);

	(void)arg;
	(void)frame;
	(void)end;
	if (vip_port == PORT_HERE && is_address(f->vip, f->is4, false) &&
	    is_address(f->client, f->is4, true) &&
	    (client_port == CLIENT_HERE || client_port == CLIENT_OVER))
		return SECOND_SOCKET_HELD;
	return vip_port == PORT_HERE || vip_port == PORT_THERE ? SECOND_SOCKET_LISTEN
	                                                       : SECOND_SOCKET_NONE;
}

static bool is_taken_off(enum decap_reason why)
{
	return why == DECAP_IPIP || why == DECAP_GUE || why == DECAP_OWNED || why == DECAP_LAST;
}

/* What the shared code makes of a frame, in place. @return the XDP action */
static int decapsulate_natively(uint8_t **frame, size_t *n)
{
	struct decap_result r = { 0 };
	uint8_t *end = *frame + *n;
	enum decap_reason why = decap_parse(*frame, end, NULL, &r);
	size_t n_before = *n;

	if (why == DECAP_GUE && r.owners_n)
		why = decap_second(*frame, end, NULL, &r);
	if (is_taken_off(why))
		why = decap_finish(*frame, end, why, &r);
	if (is_taken_off(why)) {
		*frame += r.inner_off - DECAP_ETH_LEN;
		*n -= r.inner_off - DECAP_ETH_LEN;
	}
	want_counts[why].packets++;
	want_counts[why].bytes += n_before;
	return why == DECAP_PASSED || why == DECAP_PASSED_ON || is_taken_off(why) ? XDP_PASS
	                                                                          : XDP_DROP;
}

static int listener;

static void exit_with_error(const char *what)
{
	fprintf(stderr, "agent-diff: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void show_frame(const char *label, const uint8_t *bytes, size_t n)
{
	fprintf(stderr, "  %s %zu:", label, n);
	for (size_t i = 0; i < n; i++)
		fprintf(stderr, " %02x", bytes[i]);
	fprintf(stderr, "\n");
}

/* Run one frame both ways. @return whether they agree */
static bool outcomes_agree(int prog_fd, const uint8_t *bytes, size_t n)
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
	action = decapsulate_natively(&want, &n_want);
	if ((int)opts.retval == action && opts.data_size_out == n_want &&
	    !memcmp(got, want, n_want))
		return true;
	fprintf(stderr, "action: kernel %u, native %d\n", opts.retval, action);
	show_frame("frame", bytes, n);
	show_frame("kernel", got, opts.data_size_out);
	show_frame("native", want, n_want);
	return false;
}

static bool cut_everywhere(int prog_fd, const struct tunnel_frame *f)
{
	for (size_t n = 0; n <= f->n; n++)
		if (!outcomes_agree(prog_fd, f->bytes, n))
			return false;
	return true;
}

static bool flip_every_bit(int prog_fd, const struct tunnel_frame *f)
{
	for (size_t bit = 0; bit < f->n * 8; bit++) {
		struct tunnel_frame g = *f;

		g.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (!outcomes_agree(prog_fd, g.bytes, g.n))
			return false;
		if (g.outer && f->bytes[12] == 8 && bit / 8 >= 14 && g.bytes[14] >> 4 == 4 &&
		    (g.bytes[14] & 15) >= 5) {
			fix_sum4(g.bytes + g.outer);
			if (!outcomes_agree(prog_fd, g.bytes, g.n))
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

/* The segment inside: of one of the connections, or of none. */
static void put_segment(struct tunnel_frame *f, const struct tunnel_plan *plan, uint64_t r)
{
	static const uint16_t clients[] = { CLIENT_HERE, CLIENT_OVER, 40002, 40003 };
	static const uint16_t ports[] = { PORT_HERE, PORT_HERE, PORT_THERE, 82 };
	static const uint8_t flags[] = { 0x10, 0x02, 0x12, 0x11, 0x04, 0x06, 0xc2, 0x03 };
	uint8_t *tcp = f->bytes + f->inner + ip_len(plan->inner4, 0);

	if (plan->payload_len < 20)
		return;
	put_be16(tcp, clients[r & 3]);
	put_be16(tcp + 2, ports[r >> 2 & 3]);
	tcp[12] = 0x50;
	tcp[13] = flags[r >> 4 & 7];
}

/* Some of the frames name earlier owners. */
static void plan_owners(struct tunnel_plan *plan, uint64_t r)
{
	if (r & 1)
		return;
	plan->kind = TUNNEL_GUE0;
	plan->payload_len = 20 + (r >> 1 & 15);
	plan->owners = 1 + (unsigned)((r >> 8) % 3);
	plan->next = (unsigned)((r >> 16) % (plan->owners + 1));
}

/* A frame of a random plan with up to three bytes of its headers spoilt. */
static bool one_random(int prog_fd, uint64_t *state)
{
	uint64_t r = next_random(state);
	struct tunnel_plan plan = nth_plan((unsigned)(r % N_PLANS));

	plan.outer_ecn = r >> 8 & 3;
	plan.inner_ecn = r >> 10 & 3;
	plan.payload_len = r >> 12 & 63;
	plan_owners(&plan, next_random(state));
	struct tunnel_frame f = make_frame(&plan);
	put_segment(&f, &plan, next_random(state));
	for (unsigned i = r >> 20 & 3; i; i--) {
		uint64_t s = next_random(state);

		f.bytes[12 + s % (f.n - 12)] = odd_value(s >> 16);
	}
	if (plan.outer4 && r >> 24 & 1 && (f.bytes[f.outer] & 15) >= 5)
		fix_sum4(f.bytes + f.outer);
	return outcomes_agree(prog_fd, f.bytes, r >> 28 & 7 ? f.n : (r >> 32) % (f.n + 1));
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

/* Every list at each of its places: cut everywhere, each bit flipped. */
static bool lists_agree(int prog_fd)
{
	for (unsigned i = 0; i < 4 * 3 * 4; i++) {
		struct tunnel_plan plan = { .kind = TUNNEL_GUE0,
			                    .outer4 = i & 1,
			                    .inner4 = i >> 1 & 1,
			                    .payload_len = 20,
			                    .owners = 1 + i / 4 % 3,
			                    .next = i / 12 };

		if (plan.next > plan.owners)
			continue;
		for (unsigned k = 0; k < 128; k++) {
			struct tunnel_frame f = make_frame(&plan);

			put_segment(&f, &plan, k);
			if (!outcomes_agree(prog_fd, f.bytes, f.n))
				return false;
			if (k < 2 && (!cut_everywhere(prog_fd, &f) || !flip_every_bit(prog_fd, &f)))
				return false;
		}
	}
	return true;
}

static bool all_agree(int prog_fd, unsigned long n_random)
{
	uint64_t state = 2026;

	for (unsigned i = 0; i < N_PLANS * 16; i++) {
		struct tunnel_plan plan = nth_plan(i % N_PLANS);

		plan.outer_ecn = i / N_PLANS & 3;
		plan.inner_ecn = i / N_PLANS >> 2;
		struct tunnel_frame f = make_frame(&plan);
		if (!outcomes_agree(prog_fd, f.bytes, f.n))
			return false;
		if (i < N_PLANS && (!cut_everywhere(prog_fd, &f) || !flip_every_bit(prog_fd, &f)))
			return false;
	}
	for (unsigned long i = 0; i < n_random; i++)
		if (!one_random(prog_fd, &state))
			return false;
	return lists_agree(prog_fd);
}

static void accept_sources(int map_fd)
{
	static const struct {
		struct agent_key key;
		uint32_t uses;
	} entries[] = {
		{ { 112, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x01" }, AGENT_USE_OWNER },
		{ { 120, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x01\xff" }, AGENT_USE_SOURCE },
		{ { 32, "\xfd\0\0\1" }, AGENT_USE_SOURCE },
		{ { 48, "\xfd\0\0\1" }, AGENT_USE_SOURCE | AGENT_USE_OWNER },
	};

	for (int i = 0; i < 4; i++)
		if (bpf_map_update_elem(map_fd, &entries[i].key, &entries[i].uses, BPF_ANY))
			exit_with_error("prefixes");
}

/* --- real connections --- */

/* An address of make_frame()'s inner packets; IPv6 sockets take both. */
static struct sockaddr_in6 address_of(bool is4, bool client, unsigned port)
{
	struct tunnel_plan plan = { .kind = TUNNEL_NONE, .inner4 = is4, .payload_len = 20 };
	struct tunnel_frame f = make_frame(&plan);
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	unsigned n = is4 ? 4 : 16;

	if (is4)
		memset(a.sin6_addr.s6_addr + 10, 0xff, 2);
	memcpy(a.sin6_addr.s6_addr + 16 - n, f.bytes + 14 + (is4 ? 12 : 8) + (client ? 0 : n), n);
	return a;
}

static void listen_at(unsigned port)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	int fd = socket(AF_INET6, SOCK_STREAM, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 16))
		exit_with_error("listening");
	if (port == PORT_HERE)
		listener = fd;
}

/* A connection from a client's port to the VIP; @p over: its server's side has closed first. */
static void connect_from(bool is4, unsigned port, bool over)
{
	struct sockaddr_in6 from = address_of(is4, true, port),
	                    to = address_of(is4, false, PORT_HERE);
	int fd = socket(AF_INET6, SOCK_STREAM, 0), one = 1, server;

	setsockopt(fd, SOL_IPV6, IPV6_FREEBIND, &one, sizeof(one));
	setsockopt(fd, SOL_IP, IP_FREEBIND, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&from, sizeof(from)))
		exit_with_error("binding");
	for (int i = 0; connect(fd, (struct sockaddr *)&to, sizeof(to)); i++) {
		if (i == 500) /* routes of a new namespace may take a moment */
			exit_with_error("connecting");
		usleep(10000);
	}
	server = accept(listener, NULL, NULL);
	if (server < 0)
		exit_with_error("accepting");
	if (over) /* FIN-WAIT: the client still has it open */
		close(server);
}

static void run_ip(const char *what)
{
	char command[160];

	snprintf(command, sizeof(command), "ip %s", what);
	if (system(command))
		exit_with_error(command);
}

/* Two namespaces of our own: this process stays in the first. @return the second's id there */
static int32_t set_up_connections(void)
{
	char path[64];
	int here, there;
	int32_t id = -1;

	if (unshare(CLONE_NEWNET))
		exit_with_error("unshare");
	there = open("/proc/self/ns/net", O_RDONLY);
	run_ip("link set lo up");
	listen_at(PORT_THERE);
	if (unshare(CLONE_NEWNET))
		exit_with_error("unshare");
	here = open("/proc/self/ns/net", O_RDONLY);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", there);
	if (here < 0 || agent_netns_id(path, &id))
		exit_with_error("namespace's id");
	run_ip("link set lo up");
	run_ip("addr add 203.0.113.10/32 dev lo");
	run_ip("route add local 10.1.255.0/24 dev lo");
	run_ip("addr add 2001:db8::a/128 dev lo nodad");
	run_ip("-6 route add local fd00:1:ff::/64 dev lo");
	listen_at(PORT_HERE);
	for (int is4 = 0; is4 < 2; is4++) {
		connect_from(is4, CLIENT_HERE, false);
		connect_from(is4, CLIENT_OVER, true);
	}
	return id;
}

int main(int argc, char **argv)
{
	unsigned long n_random = strtoul(argc > 1 ? argv[1] : N_RANDOM, NULL, 10);
	struct agent_spaces spaces = { .n = 2, .id = { -1 } };
	struct weir_agent_bpf *skel;
	uint32_t zero = 0;

	if (geteuid() != 0)
		return SKIPPED;
	spaces.id[1] = set_up_connections();
	skel = weir_agent_bpf__open_and_load();
	if (!skel)
		exit_with_error("loading");
	accept_sources(bpf_map__fd(skel->maps.agent_prefixes));
	if (bpf_map_update_elem(bpf_map__fd(skel->maps.agent_netns), &zero, &spaces, BPF_ANY))
		exit_with_error("namespaces");
	bool ok = all_agree(bpf_program__fd(skel->progs.weir_agent), n_random) &&
	          counters_agree(bpf_map__fd(skel->maps.agent_counters));
	printf("%lu frames: %s\n", n_frames, ok ? "equal" : "DIFFERENT");
	weir_agent_bpf__destroy(skel);
	return !ok;
}
