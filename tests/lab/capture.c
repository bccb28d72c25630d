/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counts what passes an interface, for labs that reconcile Weir's counters with the wire.
 *
 *     capture INTERFACE OUT.json FLOWS.log vip=ADDRESS... local=ADDRESS...
 *
 * Classes, by direction (in: received by this interface, out: sent by it):
 *   vip ADDRESS              sent plainly to a VIP, by destination
 *   tunnel OUTER ADDRESS     IPIP or GUE to OUTER that carries a packet to the VIP ADDRESS
 *   from ADDRESS             plainly from a VIP: a reply
 *   probe OUTER ADDRESS      a tunnel packet or reply as above whose inner end is a local address: the
 *                            host behind the interface probes its backends
 *   other                    anything else
 * FLOWS.log gets a line for each SYN in a tunnel: TIME_MS DIRECTION OUTER SOURCE PORT VIP.
 * OUT.json is written anew every 100 ms and at SIGTERM, by rename; `lost` is what the kernel could
 * not give us: a lab must check that it is 0.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/loop.h"

#define CLASSES_MAX 512
#define VIPS_MAX    16
#define GUE_PORT    6080
#define WRITE_MS    100

enum kind { OTHER, VIP, TUNNEL, FROM, PROBE };

/** What a class counts. */
struct class
{
	enum kind kind;
	bool out;
	struct addr outer, address;
	uint64_t packets, bytes, syns;
};

/** An IP packet's parts. */
struct ip {
	struct addr source, destination;
	uint8_t protocol;
	const uint8_t *payload;
	size_t n;
};

static struct {
	struct loop *loop;
	int fd;
	const char *path;
	FILE *flows;
	struct addr vips[VIPS_MAX], locals[VIPS_MAX];
	size_t n_vips, n_locals, n_classes;
	struct class classes[CLASSES_MAX];
	uint64_t lost;
	struct loop_timer timer;
} all;

static bool is_among(const struct addr *a, const struct addr *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (addr_equal(a, &list[i]))
			return true;
	return false;
}

static bool is_vip(const struct addr *a)
{
	return is_among(a, all.vips, all.n_vips);
}

static bool is_local(const struct addr *a)
{
	return is_among(a, all.locals, all.n_locals);
}

/* IPv4 or IPv6 without extension headers; @return false for anything else */
static bool read_ip(const uint8_t *p, size_t n, struct ip *out)
{
	if (n >= 20 && p[0] >> 4 == 4) {
		size_t head = (p[0] & 15) * 4u;

		if (head < 20 || head > n)
			return false;
		*out = (struct ip){ addr_from4(p + 12), addr_from4(p + 16), p[9], p + head,
			            n - head };
		return true;
	}
	if (n < 40 || p[0] >> 4 != 6)
		return false;
	*out = (struct ip){ addr_from6(p + 8), addr_from6(p + 24), p[6], p + 40, n - 40 };
	return true;
}

/* What a tunnel packet carries: IPIP, or GUE variant 0 (with its optional fields) or 1. */
static bool read_inner(const struct ip *ip, struct ip *inner)
{
	if (ip->protocol == IPPROTO_IPIP || ip->protocol == IPPROTO_IPV6)
		return read_ip(ip->payload, ip->n, inner);
	if (ip->protocol != IPPROTO_UDP || ip->n < 12 ||
	    (ip->payload[2] << 8 | ip->payload[3]) != GUE_PORT)
		return false;
	size_t head = ip->payload[8] >> 6 == 1 ? 8 : 12 + (ip->payload[8] & 31) * 4u;

	return head < ip->n && read_ip(ip->payload + head, ip->n - head, inner);
}

static struct class *find_class(const struct class *like)
{
	for (size_t i = 0; i < all.n_classes; i++) {
		struct class *c = &all.classes[i];

		if (c->kind == like->kind && c->out == like->out &&
		    addr_equal(&c->outer, &like->outer) && addr_equal(&c->address, &like->address))
			return c;
	}
	if (all.n_classes == CLASSES_MAX)
		return &all.classes[0];
	all.classes[all.n_classes] = *like;
	return &all.classes[all.n_classes++];
}

static bool is_syn(const struct ip *ip)
{
	return ip->protocol == IPPROTO_TCP && ip->n >= 20 && (ip->payload[13] & 0x17) == 0x02;
}

static void log_flow(bool out, const struct ip *outer, const struct ip *inner)
{
	char to[ADDR_TEXT_MAX], source[ADDR_TEXT_MAX], vip[ADDR_TEXT_MAX];

	fprintf(all.flows, "%" PRId64 " %s %s %s %u %s\n", clock_realtime_ms(), out ? "out" : "in",
	        addr_text(&outer->destination, to), addr_text(&inner->source, source),
	        (unsigned)(inner->payload[0] << 8 | inner->payload[1]),
	        addr_text(&inner->destination, vip));
}

static void count_frame(const uint8_t *p, size_t n, bool out)
{
	struct class like = { .kind = OTHER, .out = out };
	struct ip ip, inner;
	bool syn = false;

	if (n > 14 && read_ip(p + 14, n - 14, &ip)) {
		if (is_vip(&ip.destination)) {
			like.kind = VIP;
			like.address = ip.destination;
			syn = is_syn(&ip);
		} else if (is_vip(&ip.source)) {
			like.kind = is_local(&ip.destination) ? PROBE : FROM;
			like.address = ip.source;
		} else if (read_inner(&ip, &inner) && is_vip(&inner.destination)) {
			like.kind = is_local(&inner.source) ? PROBE : TUNNEL;
			like.outer = ip.destination;
			like.address = inner.destination;
			syn = is_syn(&inner);
			if (syn && like.kind == TUNNEL)
				log_flow(out, &ip, &inner);
		}
	}
	struct class *c = find_class(&like);

	c->packets++;
	c->bytes += n;
	c->syns += syn;
}

static void on_frames(void *arg, int fd, uint32_t events)
{
	uint8_t frame[2048];
	struct sockaddr_ll from;
	socklen_t length = sizeof(from);
	ssize_t n;

	(void)arg;
	(void)events;
	while ((n = recvfrom(fd, frame, sizeof(frame), MSG_DONTWAIT | MSG_TRUNC,
	                     (struct sockaddr *)&from, &length)) > 0) {
		count_frame(frame, (size_t)n < sizeof(frame) ? (size_t)n : sizeof(frame),
		            from.sll_pkttype == PACKET_OUTGOING);
		length = sizeof(from);
	}
}

static void write_class(FILE *f, const struct class *c, const char *comma)
{
	static const char *const kinds[] = { "other", "vip", "tunnel", "from", "probe" };
	char outer[ADDR_TEXT_MAX], address[ADDR_TEXT_MAX];

	fprintf(f,
	        "%s\n{\"way\":\"%s\",\"kind\":\"%s\",\"outer\":\"%s\",\"address\":\"%s\",\"packets\":%" PRIu64
	        ",\"bytes\":%" PRIu64 ",\"syns\":%" PRIu64 "}",
	        comma, c->out ? "out" : "in", kinds[c->kind], addr_text(&c->outer, outer),
	        addr_text(&c->address, address), c->packets, c->bytes, c->syns);
}

static void write_counts(void)
{
	char path[4096];
	struct tpacket_stats stats;
	socklen_t length = sizeof(stats);

	if (getsockopt(all.fd, SOL_PACKET, PACKET_STATISTICS, &stats, &length) == 0)
		all.lost += stats.tp_drops;
	snprintf(path, sizeof(path), "%s.new", all.path);
	FILE *f = fopen(path, "w");

	if (!f)
		return;
	fprintf(f, "{\"time\":%" PRId64 ",\"lost\":%" PRIu64 ",\"classes\":[", clock_realtime_ms(),
	        all.lost);
	for (size_t i = 0; i < all.n_classes; i++)
		write_class(f, &all.classes[i], i ? "," : "");
	fprintf(f, "]}\n");
	fclose(f);
	if (rename(path, all.path))
		fprintf(stderr, "capture: %s: %s\n", all.path, strerror(errno));
	fflush(all.flows);
}

static void on_timer(void *arg)
{
	(void)arg;
	write_counts();
	loop_timer_set(all.loop, &all.timer, loop_now_ms(all.loop) + WRITE_MS);
}

static void on_term(void *arg)
{
	(void)arg;
	on_frames(NULL, all.fd, 0);
	write_counts();
	loop_stop(all.loop);
}

static void exit_with_error(const char *what)
{
	fprintf(stderr, "capture: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void read_address(const char *text)
{
	bool vip = strncmp(text, "vip=", 4) == 0, local = strncmp(text, "local=", 6) == 0;
	size_t *n = vip ? &all.n_vips : &all.n_locals;

	if ((!vip && !local) || *n == VIPS_MAX ||
	    addr_parse(strchr(text, '=') + 1, &(vip ? all.vips : all.locals)[(*n)++])) {
		errno = EINVAL;
		exit_with_error(text);
	}
}

int main(int argc, char **argv)
{
	const int room = 64 << 20;

	if (argc < 5) {
		fprintf(stderr,
		        "usage: capture INTERFACE OUT.json FLOWS.log vip=ADDRESS... local=ADDRESS...\n");
		return 1;
	}
	for (int i = 4; i < argc; i++)
		read_address(argv[i]);
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
		                  .sll_protocol = htons(ETH_P_ALL),
		                  .sll_ifindex = (int)if_nametoindex(argv[1]) };

	all.path = argv[2];
	all.flows = fopen(argv[3], "a");
	all.fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (!all.flows || all.fd < 0 || !at.sll_ifindex)
		exit_with_error(argv[1]);
	setsockopt(all.fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	if (bind(all.fd, (struct sockaddr *)&at, sizeof(at)) || loop_open(&all.loop) ||
	    loop_signal(all.loop, SIGTERM, on_term, NULL) ||
	    loop_fd_add(all.loop, all.fd, EPOLLIN, on_frames, NULL))
		exit_with_error("open");
	all.timer = (struct loop_timer){ .cb = on_timer };
	loop_timer_set(all.loop, &all.timer, 0);
	loop_run(all.loop);
	fclose(all.flows);
	return 0;
}
