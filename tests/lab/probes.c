/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbered datagrams at a steady rate, which lab-echo sends back: how many were lost, and the
 * longest time in which a flow got no answer.
 *
 *     probes PORT RATE FLOWS SECONDS ADDRESS...
 *
 * RATE: datagrams a second, all flows together; each flow has its own source and takes its turn.
 * Ends after SECONDS, or at SIGTERM, and prints one line of JSON:
 *   sent, lost: no answer came until 1 s after the last one was sent
 *   longest_gap_us: between two answers to one flow, by the times at which the kernel took them
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/addr.h"
#include "tests/lab/stream.h"

#define FLOWS_MAX 1000u
#define LATE_NS   1000000000u /* ns to wait for the last answers */
#define NS        1000000000u /* of a second */

struct probe_flow {
	uint32_t n_sent, n_answered;
	uint64_t answered_ns; /* when the last answer came; 0: none */
	bool *answered;       /* by number */
};

static struct {
	struct probe_flow flows[FLOWS_MAX];
	struct pollfd fds[FLOWS_MAX];
	struct addr targets[4];
	size_t n_targets, n_flows;
	uint16_t port;
	uint32_t n_max; /* of a flow's datagrams */
	uint64_t gap_ns, longest_gap_ns;
} all;

static volatile sig_atomic_t stopped;

static void on_term(int number)
{
	(void)number;
	stopped = 1;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

static void exit_with_error(const char *what)
{
	perror(what);
	exit(1);
}

/* Of the lab's client prefixes; each flow has another. */
static int open_flow(size_t i)
{
	const struct addr *target = &all.targets[i % all.n_targets];
	struct sockaddr_storage from, to;
	socklen_t from_length, to_length = addr_to_sockaddr(target, all.port, &to);
	struct addr source;
	char text[64];
	int on = 1, fd;

	if (addr_is4(target))
		snprintf(text, sizeof(text), "100.65.%zu.%zu", i >> 7, 1 + (i & 0x7f));
	else
		snprintf(text, sizeof(text), "2001:db8:8001:%zx::%zx", i >> 7, 1 + (i & 0x7f));
	if (addr_parse(text, &source))
		abort();
	from_length = addr_to_sockaddr(&source, 0, &from);
	fd = socket(to.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) ||
	    bind(fd, (struct sockaddr *)&from, from_length) ||
	    connect(fd, (struct sockaddr *)&to, to_length))
		exit_with_error("probes: opening");
	return fd;
}

static void send_probe(size_t i)
{
	struct probe_flow *f = &all.flows[i];
	struct stream_datagram d = {
		.magic = STREAM_MAGIC, .kind = STREAM_FIRST, .id = i + 1, .seq = f->n_sent
	};

	if (f->n_sent < all.n_max && send(all.fds[i].fd, &d, sizeof(d), 0) == sizeof(d))
		f->n_sent++;
}

static uint64_t read_time(struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPNS) {
			struct timespec t;

			memcpy(&t, CMSG_DATA(c), sizeof(t));
			return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
		}
	return now_ns();
}

static void note_answer(struct probe_flow *f, uint32_t number, uint64_t at_ns)
{
	if (number >= f->n_sent || f->answered[number])
		return;
	f->answered[number] = true;
	f->n_answered++;
	if (f->answered_ns && at_ns > f->answered_ns && at_ns - f->answered_ns > all.longest_gap_ns)
		all.longest_gap_ns = at_ns - f->answered_ns;
	f->answered_ns = at_ns;
}

static void read_answers(size_t i)
{
	char control[CMSG_SPACE(sizeof(struct timespec))];
	struct stream_datagram d;
	struct iovec part = { &d, sizeof(d) };
	struct msghdr m;

	for (;;) {
		m = (struct msghdr){ .msg_iov = &part,
			             .msg_iovlen = 1,
			             .msg_control = control,
			             .msg_controllen = sizeof(control) };
		if (recvmsg(all.fds[i].fd, &m, 0) != sizeof(d))
			return; /* none, or an ICMP error: what is lost is counted in the end */
		if (d.magic == STREAM_MAGIC && d.kind == STREAM_ECHO)
			note_answer(&all.flows[i], d.seq, read_time(&m));
	}
}

/* Read what comes until @p until_ns. */
static void wait_until_ns(uint64_t until_ns)
{
	for (uint64_t now = now_ns(); now < until_ns; now = now_ns()) {
		struct timespec left = { (time_t)((until_ns - now) / NS),
			                 (long)((until_ns - now) % NS) };

		if (ppoll(all.fds, all.n_flows, &left, NULL) <= 0)
			continue;
		for (size_t i = 0; i < all.n_flows; i++)
			if (all.fds[i].revents)
				read_answers(i);
	}
}

/* A sender that got no CPU does not catch up: that would shorten gaps. */
static void send_all(uint64_t seconds)
{
	uint64_t due_ns = now_ns(), end_ns = due_ns + seconds * NS;

	for (size_t i = 0; due_ns < end_ns && !stopped; i = (i + 1) % all.n_flows) {
		uint64_t now;

		wait_until_ns(due_ns);
		send_probe(i);
		now = now_ns();
		due_ns += all.gap_ns;
		if (due_ns < now)
			due_ns = now;
	}
	wait_until_ns(now_ns() + LATE_NS);
}

static void print_result(void)
{
	uint64_t sent = 0, answered = 0;

	for (size_t i = 0; i < all.n_flows; i++) {
		sent += all.flows[i].n_sent;
		answered += all.flows[i].n_answered;
	}
	printf("{\"sent\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"longest_gap_us\":%" PRIu64 "}\n", sent,
	       sent - answered, all.longest_gap_ns / 1000);
}

int main(int argc, char **argv)
{
	uint64_t rate, seconds;

	if (argc < 6 || argc > 9)
		return 2;
	all.port = (uint16_t)strtoul(argv[1], NULL, 10);
	rate = strtoull(argv[2], NULL, 10);
	all.n_flows = strtoul(argv[3], NULL, 10);
	seconds = strtoull(argv[4], NULL, 10);
	for (int i = 5; i < argc; i++)
		if (addr_parse(argv[i], &all.targets[all.n_targets++]))
			return 2;
	if (!rate || !all.n_flows || all.n_flows > FLOWS_MAX)
		return 2;
	all.gap_ns = NS / rate;
	all.n_max = (uint32_t)(seconds * rate / all.n_flows + 2);
	signal(SIGTERM, on_term);
	for (size_t i = 0; i < all.n_flows; i++) {
		all.flows[i].answered = calloc(all.n_max, sizeof(bool));
		if (!all.flows[i].answered)
			abort();
		all.fds[i] = (struct pollfd){ .fd = open_flow(i), .events = POLLIN };
	}
	send_all(seconds);
	print_result();
	return 0;
}
