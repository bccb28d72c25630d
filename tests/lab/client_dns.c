/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/lab/client_dns.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define TRIES_MAX 3
#define TRY_MS    900

static struct dns_counts counts;

const struct dns_counts *dns_counts(void)
{
	return &counts;
}

int dns_bind_anywhere(int fd, const struct sockaddr_storage *from, socklen_t length)
{
	static const int on = 1;
	bool six = from->ss_family == AF_INET6;

	if (setsockopt(fd, six ? SOL_IPV6 : SOL_IP, six ? IPV6_FREEBIND : IP_FREEBIND, &on,
	               sizeof(on)) ||
	    setsockopt(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) ||
	    bind(fd, (const struct sockaddr *)from, length))
		return -errno;
	return 0;
}

void dns_wait_end(struct dns_wait *wait)
{
	if (!wait->before)
		return;
	*wait->before = wait->next;
	if (wait->next)
		wait->next->before = wait->before;
	wait->before = NULL;
}

static void end_query(struct dns_client *c)
{
	loop_timer_cancel(c->loop, &c->retry);
	if (c->fd < 0)
		return;
	loop_fd_remove(c->loop, c->fd);
	close(c->fd);
	c->fd = -1;
}

static void tell_all(struct dns_client *c, const char *failure)
{
	end_query(c);
	while (c->waiting) {
		struct dns_wait *wait = c->waiting;

		dns_wait_end(wait);
		wait->cb(wait, failure, &c->cached);
	}
}

static size_t write_query(const struct dns_client *c, uint8_t *out)
{
	const uint8_t head[12] = { (uint8_t)(c->id >> 8), (uint8_t)c->id, 1, 0, 0, 1 };
	uint8_t *at = out + sizeof(head);

	memcpy(out, head, sizeof(head));
	for (const char *label = c->name; *label;) {
		size_t n = strcspn(label, ".");

		*at++ = (uint8_t)n;
		memcpy(at, label, n);
		at += n;
		label += n + (label[n] == '.');
	}
	const uint8_t tail[5] = { 0, 0, addr_is4(&c->address) ? 1 : 28, 0, 1 };

	memcpy(at, tail, sizeof(tail));
	return (size_t)(at + sizeof(tail) - out);
}

/* The offset behind the name at @p at, or 0. */
static size_t skip_name(const uint8_t *m, size_t n, size_t at)
{
	while (at < n) {
		if (m[at] >= 0xc0)
			return at + 2;
		if (m[at] == 0)
			return at + 1;
		at += m[at] + 1u;
	}
	return 0;
}

/* For how long the answer with @p ttl_s is used: some resolvers and clients do not keep to it. */
static void keep_answer(struct dns_client *c, uint32_t ttl_s)
{
	uint32_t kept_s = ttl_s < c->ttl_min_s ? c->ttl_min_s : ttl_s;

	c->expires_ms = c->once ? UINT64_MAX : loop_now_ms(c->loop) + kept_s * 1000ull;
}

/* Find the first address of the wanted family. @return NULL, or why there is none */
static const char *read_answer(struct dns_client *c, const uint8_t *m, size_t n)
{
	unsigned type = addr_is4(&c->address) ? 1 : 28, length = type == 1 ? 4 : 16;

	if ((m[3] & 15) != 0)
		return (m[3] & 15) == 2 ? "dns-servfail" : "dns-rcode";
	size_t at = skip_name(m, n, 12);

	at = at ? at + 4 : 0;
	for (unsigned left = (unsigned)m[6] << 8 | m[7]; left && at && at < n; left--) {
		at = skip_name(m, n, at);
		if (!at || at + 10 > n)
			break;
		unsigned rr = (unsigned)m[at] << 8 | m[at + 1],
		         data = (unsigned)m[at + 8] << 8 | m[at + 9];
		uint32_t ttl = (uint32_t)m[at + 4] << 24 | (uint32_t)m[at + 5] << 16 |
		               (uint32_t)m[at + 6] << 8 | m[at + 7];

		at += 10;
		if (rr == type && data == length && at + data <= n) {
			c->cached = type == 1 ? addr_from4(m + at) : addr_from6(m + at);
			keep_answer(c, ttl);
			return NULL;
		}
		at += data;
	}
	return "dns-empty";
}

static void on_answer(void *arg, int fd, uint32_t events)
{
	struct dns_client *c = arg;
	uint8_t m[4096];
	ssize_t n = recv(fd, m, sizeof(m), MSG_DONTWAIT);

	(void)events;
	if (n < 12 || ((unsigned)m[0] << 8 | m[1]) != c->id || !(m[2] & 0x80))
		return; /* the retry timer goes on */
	counts.answers++;
	tell_all(c, read_answer(c, m, (size_t)n));
}

static int send_query(struct dns_client *c)
{
	struct sockaddr_storage from, to;
	socklen_t from_length = addr_to_sockaddr(&c->address, 0, &from);
	const struct addr *resolver = &c->resolvers[c->next_resolver++ % c->n_resolvers];
	socklen_t to_length = addr_to_sockaddr(resolver, 53, &to);
	uint8_t query[512];

	end_query(c);
	c->fd = socket(from.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || dns_bind_anywhere(c->fd, &from, from_length) ||
	    connect(c->fd, (struct sockaddr *)&to, to_length) ||
	    loop_fd_add(c->loop, c->fd, EPOLLIN, on_answer, c))
		return -1;
	c->id = (uint16_t)random();
	size_t n = write_query(c, query);

	if (send(c->fd, query, n, 0) != (ssize_t)n)
		return -1;
	counts.queries++;
	return loop_timer_set(c->loop, &c->retry, loop_now_ms(c->loop) + TRY_MS);
}

static void on_retry(void *arg)
{
	struct dns_client *c = arg;

	if (!c->waiting)
		end_query(c);
	else if (++c->tries >= TRIES_MAX)
		tell_all(c, "dns-timeout");
	else if (send_query(c))
		tell_all(c, "local-error");
}

void dns_client_init(struct dns_client *c, struct loop *loop, const char *name)
{
	c->loop = loop;
	c->name = name;
	c->fd = -1;
}

void dns_client_fini(struct dns_client *c)
{
	end_query(c);
}

void dns_resolve(struct dns_client *c, struct dns_wait *wait)
{
	if (c->expires_ms > loop_now_ms(c->loop)) {
		counts.cached++;
		wait->cb(wait, NULL, &c->cached);
		return;
	}
	bool under_way = c->fd >= 0;

	wait->next = c->waiting;
	wait->before = &c->waiting;
	if (c->waiting)
		c->waiting->before = &wait->next;
	c->waiting = wait;
	if (under_way)
		return;
	c->tries = 0;
	c->retry = (struct loop_timer){ .cb = on_retry, .arg = c };
	if (send_query(c))
		tell_all(c, "local-error");
}
