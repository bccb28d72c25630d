/* SPDX-License-Identifier: BSD-2-Clause */
/* Which segments the backend agent finds a connection of this host for: real sockets, half-open ones, SYN cookies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "tests/unit/suite.h"
#include "weir/agent.h"

#include "tests/unit/bpf/space.h"

#define PINS   BPF_DIR "/agents/sockets"
#define VIP    (is4 ? "203.0.113.10" : "2001:db8::10")
#define CLIENT (is4 ? "198.51.100.9" : "2001:db8:9::9")
#define PORT   7080
#define SYN    0x02
#define ACK    0x10

static int wire; /* v1's side */
static bool is4; /* the connections' family */

/* Network namespaces that the agent searches beside its own, each a child's. */
static struct space {
	pid_t child;
	int hold; /* it ends when this is closed */
	char path[64];
} spaces[2];
static size_t n_spaces;

static void put_be16(uint8_t *at, unsigned v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static void put_be32(uint8_t *at, uint32_t v)
{
	put_be16(at, v >> 16);
	put_be16(at + 2, v & 0xffff);
}

static unsigned sum_of(const uint8_t *at, size_t n, unsigned sum)
{
	for (size_t i = 0; i + 1 < n; i += 2)
		sum += (unsigned)(at[i] << 8 | at[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void put_ip4(uint8_t *ip, uint8_t protocol, const char *from, const char *to, unsigned len)
{
	memset(ip, 0, 20);
	ip[0] = 0x45;
	put_be16(ip + 2, len);
	ip[8] = 64;
	ip[9] = protocol;
	inet_pton(AF_INET, from, ip + 12);
	inet_pton(AF_INET, to, ip + 16);
	put_be16(ip + 10, ~sum_of(ip, 20, 0) & 0xffff);
}

static size_t inner_len(void)
{
	return is4 ? 40 : 60;
}

/* A segment of the client's, inner_len() bytes from @p ip on. */
static void put_segment(uint8_t *ip, unsigned sport, uint8_t flags, uint32_t seq, uint32_t ack)
{
	uint8_t *tcp = ip + (is4 ? 20 : 40);

	if (is4) {
		put_ip4(ip, IPPROTO_TCP, CLIENT, VIP, 40);
	} else {
		memset(ip, 0, 40);
		ip[0] = 0x60;
		ip[5] = 20;
		ip[6] = IPPROTO_TCP;
		ip[7] = 64;
		inet_pton(AF_INET6, CLIENT, ip + 8);
		inet_pton(AF_INET6, VIP, ip + 24);
	}
	memset(tcp, 0, 20);
	put_be16(tcp, sport);
	put_be16(tcp + 2, PORT);
	put_be32(tcp + 4, seq);
	put_be32(tcp + 8, ack);
	tcp[12] = 0x50;
	tcp[13] = flags;
	put_be16(tcp + 14, 1000);
	put_be16(tcp + 16,
	         ~sum_of(tcp, 20, sum_of(ip + (is4 ? 12 : 8), is4 ? 8 : 32, IPPROTO_TCP + 20)) &
	                 0xffff);
}

/* Give v0 the segment: bare, or in GUE that names an earlier owner. */
static void send_segment(bool listed, unsigned sport, uint8_t flags, uint32_t seq, uint32_t ack)
{
	uint8_t frame[14 + 20 + 8 + 12 + 60] = { 2, 0, 0, 0, 0, 0x10, 2, 0, 0, 0, 0, 0x20 };
	uint8_t *ip = frame + 14, *udp = ip + 20, *gue = udp + 8;
	size_t n = 14 + (listed ? 20 + 8 + 12 : 0) + inner_len();

	put_be16(frame + 12, listed || is4 ? 0x0800 : 0x86dd);
	if (listed) {
		put_ip4(ip, IPPROTO_UDP, "192.0.2.9", "10.1.1.11", (unsigned)n - 14);
		put_be16(udp, 50000);
		put_be16(udp + 2, 6080);
		put_be16(udp + 4, (unsigned)n - 14 - 20);
		gue[0] = 2; /* words of the list */
		gue[1] = is4 ? 4 : 41;
		gue[4] = 1; /* version, one owner, the first is next */
		gue[5] = 1;
		inet_pton(AF_INET, "10.1.1.12", gue + 8);
		ip = gue + 12;
	}
	put_segment(ip, sport, flags, seq, ack);
	assert_int_equal(send(wire, frame, n, 0), n);
}

/* The sequence number of the SYN-ACK to @p sport. */
static uint32_t read_answer(unsigned sport)
{
	uint8_t frame[256];

	for (int i = 0; i < 100; i++) {
		ssize_t n = recv(wire, frame, sizeof(frame), 0);
		const uint8_t *tcp = frame + (is4 ? 34 : 54);

		if (n >= 14 + (ssize_t)inner_len() && frame[12] == (is4 ? 0x08 : 0x86) &&
		    frame[is4 ? 23 : 20] == IPPROTO_TCP &&
		    (unsigned)(tcp[2] << 8 | tcp[3]) == sport && tcp[13] == (SYN | ACK))
			return (uint32_t)tcp[4] << 24 | (uint32_t)tcp[5] << 16 |
			       (uint32_t)tcp[6] << 8 | tcp[7];
	}
	fail_msg("no answer to the SYN of port %u", sport);
	return 0;
}

static uint64_t count_packets(enum decap_reason why)
{
	static struct agent_status s;
	char error[AGENT_ERROR_MAX];

	if (agent_status("v0", PINS, &s, error))
		fail_msg("%s", error);
	return s.counts[why].packets;
}

static void expect_counts(uint64_t owned, uint64_t refused)
{
	for (int i = 0;
	     i < 500 &&
	     count_packets(DECAP_OWNED) + count_packets(DECAP_OWNERS_REFUSED) < owned + refused;
	     i++)
		usleep(10000);
	assert_int_equal(count_packets(DECAP_OWNED), owned);
	assert_int_equal(count_packets(DECAP_OWNERS_REFUSED), refused);
}

/* Of both families. */
static int listen_at_vip(void)
{
	struct sockaddr_in6 at = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 16), 0);
	return fd;
}

/* Open a namespace for the agent to search, with or without a socket that listens. */
static void open_space(bool listens)
{
	struct space *s = &spaces[n_spaces++];
	int ready[2], hold[2];
	char byte = 0;

	assert_int_equal(pipe2(ready, O_CLOEXEC) || pipe2(hold, O_CLOEXEC), 0);
	s->child = fork();
	if (s->child == 0) {
		close(hold[1]);
		if (unshare(CLONE_NEWNET) || (listens && listen_at_vip() < 0) ||
		    write(ready[1], "r", 1) != 1)
			_exit(1);
		_exit(read(hold[0], &byte, 1) != 0);
	}
	assert_true(s->child > 0);
	close(ready[1]);
	close(hold[0]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	s->hold = hold[1];
	snprintf(s->path, sizeof(s->path), "/proc/%d/ns/net", (int)s->child);
}

static void close_spaces(void)
{
	while (n_spaces > 0) {
		struct space *s = &spaces[--n_spaces];

		close(s->hold);
		waitpid(s->child, NULL, 0);
	}
}

static void open_wire(void)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
		                  .sll_protocol = htons(ETH_P_ALL),
		                  .sll_ifindex = (int)if_nametoindex("v1") };
	struct timeval most = { .tv_sec = 5 };

	wire = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
	assert_true(wire >= 0);
	assert_int_equal(setsockopt(wire, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most)), 0);
	assert_int_equal(bind(wire, (struct sockaddr *)&at, sizeof(at)), 0);
}

/* What is not for this host goes on to the owner that is named, and is refused for want of --owners: so it is counted. */
static void attach_agent(void)
{
	struct prefix source = { .bits = 24 };
	const char *const paths[] = { spaces[0].path, spaces[1].path };
	const struct agent_options o = { .prefixes = &source,
		                         .n_prefixes = 1,
		                         .netns = paths,
		                         .n_netns = n_spaces,
		                         .bpf_dir = PINS };
	char error[AGENT_ERROR_MAX];

	open_wire();
	assert_int_equal(addr_parse("192.0.2.0", &source.addr), 0);
	assert_int_equal(agent_attach("v0", &o, error), 0);
}

static void detach_agent(void)
{
	char error[AGENT_ERROR_MAX];

	close(wire);
	assert_int_equal(agent_detach("v0", PINS, error), 0);
}

/* The three ports from @p port on are of no other connection. */
static void try_half_open(unsigned port)
{
	int listening = listen_at_vip(), fd;
	uint32_t isn;

	attach_agent();
	send_segment(true, port, SYN, 1000, 0); /* a new connection is for who listens */
	expect_counts(1, 0);
	isn = read_answer(port);
	send_segment(true, port, ACK, 1001, isn + 77); /* another owner's: the SYN was forged */
	expect_counts(1, 1);
	send_segment(true, port, ACK, 1001, isn);
	expect_counts(1, 2);
	send_segment(true, port, SYN, 1000, 0); /* the SYN itself, again */
	expect_counts(2, 2);
	send_segment(true, port, ACK, 1001, isn + 1);
	expect_counts(3, 2);
	fd = accept(listening, NULL, NULL); /* so it was for the socket, too */
	assert_true(fd >= 0);
	send_segment(true, port, ACK, 1001, isn + 77); /* established: TCP is to judge */
	expect_counts(4, 2);
	send_segment(true, port + 1, ACK, 5,
	             6); /* no connection of it is here: a listening socket is none */
	expect_counts(4, 3);
	send_segment(false, port + 2, ACK, 5, 6); /* no tunnel: not looked at */
	expect_counts(4, 3);
	close(fd);
	close(listening);
	detach_agent();
}

static void a_half_open_connection_takes_only_what_acknowledges_it(void **state)
{
	(void)state;
	is4 = true;
	try_half_open(4001);
	is4 = false;
	try_half_open(4001);
}

/* A connection that one of them has stays its own when a later one has a socket that listens, and the last has none. */
static void what_one_namespace_knows_others_do_not_hide(void **state)
{
	(void)state;
	for (int k = 0; k < 2; k++) {
		is4 = k;
		open_space(true);
		open_space(false);
		try_half_open(4031);
		close_spaces();
	}
}

static void a_listening_socket_is_found_in_each_namespace(void **state)
{
	static const bool listens[][3] = { /* the agent's own, and two more */
		                           { true, false, false },
		                           { false, true, false },
		                           { false, false, true },
		                           { true, false, true },
		                           { false, false, false }
	};

	(void)state;
	for (unsigned i = 0; i < 2 * sizeof(listens) / sizeof(listens[0]); i++) {
		const bool *in = listens[i / 2];
		int own = in[0] ? listen_at_vip() : -1;
		bool found = in[0] || in[1] || in[2];

		is4 = i % 2;
		open_space(in[1]);
		open_space(in[2]);
		attach_agent();
		send_segment(true, 4021 + i, SYN, 1000, 0);
		expect_counts(found, !found);
		detach_agent();
		close_spaces();
		if (own >= 0)
			close(own);
	}
}

/* With cookies there is no half-open connection: what acknowledges one is known by the listening socket alone. */
static void try_cookie(void)
{
	int listening = listen_at_vip(), fd;
	uint32_t isn;

	attach_agent();
	send_segment(true, 4011, SYN, 1000, 0);
	expect_counts(1, 0);
	isn = read_answer(4011);
	send_segment(true, 4011, ACK, 1001, isn + 0x01000001); /* no cookie that was given */
	expect_counts(1, 1);
	send_segment(true, 4012, ACK, 1001, isn + 1); /* another client's */
	expect_counts(1, 2);
	send_segment(true, 4011, ACK, 1001, isn + 1);
	expect_counts(2, 2);
	fd = accept(listening, NULL, NULL);
	assert_true(fd >= 0);
	close(fd);
	close(listening);
	detach_agent();
}

static void an_acknowledged_cookie_is_a_connection_of_this_host(void **state)
{
	(void)state;
	space_run("sysctl -qw net.ipv4.tcp_syncookies=2");
	is4 = true;
	try_cookie();
	is4 = false;
	try_cookie();
	space_run("sysctl -qw net.ipv4.tcp_syncookies=0");
}

SUITE(agent_sockets)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_half_open_connection_takes_only_what_acknowledges_it),
		cmocka_unit_test(what_one_namespace_knows_others_do_not_hide),
		cmocka_unit_test(a_listening_socket_is_found_in_each_namespace),
		cmocka_unit_test(an_acknowledged_cookie_is_a_connection_of_this_host),
	};

	if (space_enter(true)) {
		printf("needs root: skipped\n");
		return 77;
	}
	space_run(
	        "for d in v0 lo; do echo 0 > /proc/sys/net/ipv6/conf/$d/disable_ipv6; done; "
	        "ip link set v0 address 02:00:00:00:00:10 && ip addr add 203.0.113.10/32 dev lo && "
	        "ip addr add 2001:db8::10/128 dev lo nodad && ip addr add 198.51.100.1/24 dev v0 && "
	        "ip addr add 2001:db8:9::1/64 dev v0 nodad && "
	        "ip neigh replace 198.51.100.9 lladdr 02:00:00:00:00:99 dev v0 nud permanent && "
	        "ip neigh replace 2001:db8:9::9 lladdr 02:00:00:00:00:99 dev v0 nud permanent && "
	        "sysctl -qw net.ipv4.tcp_syncookies=0");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
