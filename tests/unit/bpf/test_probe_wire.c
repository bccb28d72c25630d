/* SPDX-License-Identifier: BSD-2-Clause */
/* Marked packets that a socket sends, as the wire shows them: by which interface, without tags, how long at most. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cmocka.h>

#include "tests/unit/suite.h"
#include "weir/probe.h"

#include "tests/unit/bpf/space.h"

#define MARK 0x57000001u

static struct probes *probes;
static int wires[2]; /* the other ends of v0 and w0 */

static int listen_at(const char *interface)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
		                  .sll_protocol = htons(ETH_P_ALL),
		                  .sll_ifindex = (int)if_nametoindex(interface) };
	struct timeval most = { .tv_sec = 10 };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL)), one = 1;

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most)), 0);
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

/* A datagram of @p n bytes to @p to, marked. */
static void send_probe(const char *to, uint32_t mark, size_t n)
{
	static char payload[32768];
	struct addr a;
	struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = htons(9) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(9) };
	bool is4;
	int s;

	assert_int_equal(addr_parse(to, &a), 0);
	is4 = addr_is4(&a);
	memcpy(&in4.sin_addr, a.bytes + 12, 4);
	memcpy(&in6.sin6_addr, a.bytes, 16);
	s = socket(is4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(setsockopt(s, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)), 0);
	memset(payload, 'p', n);
	(void)sendto(s, payload, n, 0, is4 ? (struct sockaddr *)&in4 : (struct sockaddr *)&in6,
	             is4 ? sizeof(in4) : sizeof(in6));
	close(s);
}

/* The next frame that came by @p wire, outer header and all; -1: none. @p tagged: it had a VLAN's tag */
static ssize_t read_frame(int wire, uint8_t frame[256], bool *tagged, int flags)
{
	char control[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	struct iovec v = { .iov_base = frame, .iov_len = 256 };
	struct msghdr m = { .msg_iov = &v,
		            .msg_iovlen = 1,
		            .msg_control = control,
		            .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(wire, &m, MSG_TRUNC | flags);

	*tagged = false;
	for (struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		struct tpacket_auxdata aux;

		memcpy(&aux, CMSG_DATA(c), sizeof(aux));
		*tagged |= (aux.tp_status & TP_STATUS_VLAN_VALID) != 0;
	}
	return n;
}

/* What the kernel tells groups of itself (neighbour discovery) is passed over. */
static size_t next_frame(int wire, uint8_t frame[256], bool *tagged)
{
	ssize_t n;

	do {
		n = read_frame(wire, frame, tagged, 0);
		if (n < 0)
			fail_msg("nothing came: %s", strerror(errno));
	} while (frame[0] & 1);
	return (size_t)n;
}

static bool has_frame(int wire)
{
	uint8_t frame[256] = { 0 };
	bool tagged;

	while (read_frame(wire, frame, &tagged, MSG_DONTWAIT) >= 0)
		if (!(frame[0] & 1))
			return true;
	return false;
}

static struct probe_counts read_counts(void)
{
	struct probe_counts c;

	assert_int_equal(probe_counts(probes, &c), 0);
	return c;
}

static void set_tunnel(const char *backend, uint32_t ifindex)
{
	struct probe_tunnel t = { .mark = MARK, .ifindex = ifindex };

	assert_int_equal(addr_parse(backend, &t.backend), 0);
	assert_int_equal(probe_set_tunnels(probes, &t, 1), 0);
}

/* Of the backend's next hop, whichever the probe itself was routed to. */
static void a_tunnel_leaves_by_its_own_way(void **state)
{
	static const struct {
		const char *backend;
		int wire; /* 0: the interface that the probe left by */
		uint8_t mac;
		unsigned etype, len; /* of both headers, UDP and three bytes */
	} rows[] = {
		{ "10.7.0.5", 0, 5, 0x0800, 20 + 31 },
		{ "fd00:7::5", 0, 6, 0x86dd, 40 + 31 },
		{ "10.8.0.5", 1, 7, 0x0800, 20 + 31 },
		{ "fd00:8::5", 1, 8, 0x86dd, 40 + 31 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t sent = read_counts().sent;
		uint8_t frame[256];
		bool tagged;

		set_tunnel(rows[i].backend, rows[i].wire ? if_nametoindex("w0") : 0);
		send_probe("10.7.0.2", MARK, 3);
		assert_int_equal(next_frame(wires[rows[i].wire], frame, &tagged), 14 + rows[i].len);
		assert_false(tagged);
		assert_int_equal(frame[5], rows[i].mac);
		assert_int_equal(frame[12] << 8 | frame[13], rows[i].etype);
		assert_false(has_frame(wires[!rows[i].wire]));
		assert_false(has_frame(wires[rows[i].wire]));
		assert_int_equal(read_counts().sent, sent + 1);
	}
}

/*
 * Before the probes' filter at v0: give packets with a mark @p n tags, as interfaces of VLANs do (which a kernel may
 * lack). The last one lies beside the packet.
 */
static void push_tags(unsigned n)
{
	const struct bpf_insn push[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 1, .src_reg = 6 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 2, .imm = htons(ETH_P_8021Q) },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 3, .imm = 5 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_skb_vlan_push },
	};
	struct bpf_insn code[16] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 6, .src_reg = 1 },
		{ .code = BPF_LDX | BPF_MEM | BPF_W,
		  .dst_reg = 2,
		  .src_reg = 1,
		  .off = offsetof(struct __sk_buff, mark) },
		{ .code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = 2, .off = (int16_t)(4 * n) },
	};
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)if_nametoindex("v0"),
	            .attach_point = BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, filter, .handle = 1, .priority = 1, .flags = BPF_TC_F_REPLACE);
	size_t at = 3;

	for (unsigned i = 0; i < n; i++, at += 4)
		memcpy(code + at, push, sizeof(push));
	code[at++] = (struct bpf_insn){ .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = -1 };
	code[at++] = (struct bpf_insn){ .code = BPF_JMP | BPF_EXIT };
	filter.prog_fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "tags", "GPL", code, at, NULL);
	assert_true(filter.prog_fd >= 0);
	assert_int_equal(bpf_tc_attach(&hook, &filter), 0);
	close(filter.prog_fd);
}

static void a_probe_that_was_routed_into_vlans_leaves_without_their_tags(void **state)
{
	uint8_t frame[256];
	bool tagged;

	(void)state;
	set_tunnel("10.7.0.5", 0);
	for (unsigned i = 0; i < 6; i++) {
		bool six = i & 1;
		unsigned inner = six ? 40 + 11 : 20 + 11;

		push_tags(i / 2);
		send_probe(six ? "fd00:7::2" : "10.7.0.2", MARK, 3);
		assert_int_equal(next_frame(wires[0], frame, &tagged), 14 + 20 + inner);
		assert_false(tagged);
		assert_int_equal(frame[12] << 8 | frame[13], 0x0800);
		assert_int_equal(frame[14 + 9], six ? IPPROTO_IPV6 : IPPROTO_IPIP);
		assert_int_equal(frame[34] >> 4, six ? 6 : 4);
		assert_memory_equal(frame + 14 + 20 + inner - 3, "ppp", 3);
		assert_false(has_frame(wires[0]));
	}
	send_probe("10.7.0.2", 1, 3); /* no probe: the tags are its own */
	assert_int_equal(next_frame(wires[0], frame, &tagged), 14 + 4 + 20 + 11);
	assert_true(tagged);
	push_tags(0);
}

/* The kernel makes room up to some 16 KiB; what is longer never leaves bare. */
static void a_probe_that_no_tunnel_takes_is_counted_as_too_big(void **state)
{
	struct probe_counts before = read_counts(), after;
	uint8_t frame[256];
	bool tagged;

	(void)state;
	space_run("ip link set v1 mtu 30000; ip link set v0 mtu 30000");
	set_tunnel("10.7.0.5", 0);
	send_probe("10.7.0.2", MARK, 20000);
	after = read_counts();
	assert_int_equal(after.too_big, before.too_big + 1);
	assert_int_equal(after.sent, before.sent);
	assert_false(has_frame(wires[0]));
	send_probe("10.7.0.2", MARK, 9000);
	assert_int_equal(next_frame(wires[0], frame, &tagged), 14 + 20 + 20 + 8 + 9000);
	after = read_counts();
	assert_int_equal(after.too_big, before.too_big + 1);
	assert_int_equal(after.sent, before.sent + 1);
	space_run("ip link set v0 mtu 1500; ip link set v1 mtu 1500");
}

/* Others' packets go as they are, the nearest marks too. */
static void only_marks_of_probes_are_taken(void **state)
{
	static const uint32_t others[] = { 0, 1, 0x56ffffff, 0x58000000, 0xd7000001 };
	uint8_t frame[256];
	bool tagged;

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		send_probe("10.7.0.2", others[i], 3);
		assert_int_equal(next_frame(wires[0], frame, &tagged), 14 + 20 + 11);
		assert_int_equal(frame[5], 2);
	}
}

static int open_all(void **state)
{
	struct prefix four = { .bits = 24 }, six = { .bits = 64 };

	(void)state;
	wires[0] = listen_at("v1");
	wires[1] = listen_at("w1");
	return probe_open(&probes) || addr_parse("192.0.2.0", &four.addr) ||
	       addr_parse("2001:db8:5::", &six.addr) || probe_attach(probes, "v0") ||
	       probe_set_sources(probes, &four, &six);
}

static int close_all(void **state)
{
	(void)state;
	probe_close(probes);
	close(wires[0]);
	close(wires[1]);
	return 0;
}

SUITE(probe_wire)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tunnel_leaves_by_its_own_way),
		cmocka_unit_test(a_probe_that_was_routed_into_vlans_leaves_without_their_tags),
		cmocka_unit_test(a_probe_that_no_tunnel_takes_is_counted_as_too_big),
		cmocka_unit_test(only_marks_of_probes_are_taken),
	};

	if (space_enter(false)) {
		printf("needs root: skipped\n");
		return 77;
	}
	space_run(
	        "ip link add w0 type veth peer name w1; ip link set w0 up; ip link set w1 up; "
	        "for d in v0 w0; do echo 0 > /proc/sys/net/ipv6/conf/$d/disable_ipv6; "
	        "echo 0 > /proc/sys/net/ipv6/conf/$d/router_solicitations; done; "
	        "ip addr add 10.7.0.1/24 dev v0; ip addr add 10.8.0.1/24 dev w0; "
	        "ip addr add fd00:7::1/64 dev v0 nodad; ip addr add fd00:8::1/64 dev w0 nodad; "
	        "n() { ip neigh replace $1 lladdr 02:00:00:00:00:0$2 dev $3 nud permanent; }; "
	        "n 10.7.0.2 2 v0; n fd00:7::2 2 v0; n 10.7.0.5 5 v0; n fd00:7::5 6 v0; n 10.8.0.5 7 w0; "
	        "n fd00:8::5 8 w0");
	return cmocka_run_group_tests_name("probe wire", tests, open_all, close_all);
}
