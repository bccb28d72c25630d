/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A packet stream for bench_change.py and bench_restart.py, by which losses are seen:
 *
 *     change-traffic INTERFACE NODE_MAC N_POOLS
 *
 * Sends numbered TCP segments to port 80 of 198.18.P/250.P%250+1 for each pool P in turn, from as many sources, and
 * looks which numbers come back in IPIP. Each line of input is answered: "ok SENT LOST UNSEEN PAUSE_US", where LOST
 * are numbers older than 100 ms that did not come, UNSEEN what the kernel could not show us, and PAUSE_US the longest
 * time since the line before in which none came.
 */
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NUMBERS_MAX (1u << 24)
#define BATCH       4
#define LATE_MS     100
#define RING_BYTES  (8 << 20)
#define FRAME       (14 + 20 + 20 + 4)

struct stream {
	int fd;
	uint32_t n_pools, n_sent, n_old; /* numbers before n_old are older than LATE_MS */
	uint64_t unseen, came_us, pause_us;
	bool *seen;
	uint32_t sent_at[256]; /* n_sent by ms / 4, to find n_old */
	uint8_t frame[FRAME];
};

/* All protocols: what comes to a bridge's port, the bridge takes before those who want one. */
static int open_socket(const char *interface)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
		                  .sll_protocol = htons(ETH_P_ALL),
		                  .sll_ifindex = (int)if_nametoindex(interface) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(ETH_P_ALL)), bytes = RING_BYTES;

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)))
		return -1;
	return fd;
}

static void put_be16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put_be32(uint8_t *at, uint32_t value)
{
	put_be16(at, value >> 16);
	put_be16(at + 2, value);
}

static uint32_t get_be32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void make_frame(uint8_t *f, const uint8_t mac[6])
{
	memcpy(f, mac, 6);
	f[6] = 2; /* locally administered */
	put_be16(f + 12, ETH_P_IP);
	f[14] = 0x45;
	put_be16(f + 16, FRAME - 14);
	f[22] = 64; /* TTL */
	f[23] = 6;
	put_be16(f + 36, 80);
	f[46] = 5 << 4;
	f[47] = 0x10; /* ACK */
}

static void sum_header(uint8_t *ip)
{
	uint32_t sum = 0;

	put_be16(ip + 10, 0);
	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)ip[i] << 8 | ip[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	put_be16(ip + 10, ~(sum + (sum >> 16)));
}

static void send_one(struct stream *s)
{
	uint32_t i = s->n_sent, pool = i % s->n_pools;
	uint8_t *f = s->frame;

	put_be32(f + 26, 0xc0000000 | (i * 2654435761u) >> 8);
	put_be32(f + 30, 198u << 24 | 18u << 16 | pool / 250 << 8 | (pool % 250 + 1));
	put_be16(f + 34, 1024 + i % 50000);
	put_be32(f + 54, i);
	sum_header(f + 14);
	if (send(s->fd, f, FRAME, 0) == FRAME)
		s->n_sent++;
}

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* One has come, or the pause is asked for. */
static void end_pause(struct stream *s)
{
	uint64_t now = now_us();

	if (now - s->came_us > s->pause_us)
		s->pause_us = now - s->came_us;
	s->came_us = now;
}

static void receive_all(struct stream *s)
{
	uint8_t frame[256];
	struct sockaddr_ll from;
	socklen_t n_from = sizeof(from);
	ssize_t n;

	while ((n = recvfrom(s->fd, frame, sizeof(frame), 0, (struct sockaddr *)&from, &n_from)) >
	       0) {
		uint32_t number = n >= FRAME + 20 ? get_be32(frame + 74) : NUMBERS_MAX;

		if (from.sll_pkttype != PACKET_OUTGOING && frame[23] == 4 && number < s->n_sent) {
			s->seen[number] = true;
			end_pause(s);
		}
	}
}

static void answer_query(struct stream *s)
{
	struct tpacket_stats stats = { 0 };
	socklen_t n = sizeof(stats);
	uint32_t lost = 0;

	getsockopt(s->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &n);
	s->unseen += stats.tp_drops;
	for (uint32_t i = 0; i < s->n_old; i++)
		lost += !s->seen[i];
	end_pause(s);
	printf("ok %u %u %llu %llu\n", s->n_old, lost, (unsigned long long)s->unseen,
	       (unsigned long long)s->pause_us);
	fflush(stdout);
	s->pause_us = 0;
}

/* One millisecond. */
static void run_millisecond(struct stream *s, uint64_t ms)
{
	uint32_t *mark = &s->sent_at[ms % 256];

	for (int i = 0; i < BATCH && s->n_sent < NUMBERS_MAX; i++)
		send_one(s);
	*mark = s->n_sent;
	if (ms > LATE_MS && s->sent_at[(ms - LATE_MS) % 256] > s->n_old)
		s->n_old = s->sent_at[(ms - LATE_MS) % 256];
	receive_all(s);
}

int main(int argc, char **argv)
{
	static struct stream s;
	struct pollfd in = { .fd = 0, .events = POLLIN };
	uint8_t mac[6];
	char line[64];

	if (argc != 4 || sscanf(argv[2], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2],
	                        &mac[3], &mac[4], &mac[5]) != 6)
		return 2;
	s.n_pools = (uint32_t)strtoul(argv[3], NULL, 10);
	s.seen = calloc(NUMBERS_MAX, sizeof(*s.seen));
	s.fd = open_socket(argv[1]);
	if (!s.seen || s.fd < 0 || !s.n_pools) {
		perror("change-traffic");
		return 1;
	}
	make_frame(s.frame, mac);
	s.came_us = now_us();
	for (uint64_t ms = 0;; ms++) {
		run_millisecond(&s, ms);
		if (poll(&in, 1, 1) <= 0)
			continue;
		if (!fgets(line, sizeof(line), stdin))
			return 0;
		answer_query(&s);
	}
}
