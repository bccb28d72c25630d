/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * A stub resolver for the labs' client: one name, UDP, a cache of its own for each source (RFC 1035).
 */
#ifndef WEIR_LAB_CLIENT_DNS_H
#define WEIR_LAB_CLIENT_DNS_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/addr.h"
#include "base/loop.h"

/** Someone who waits for an answer; in the caller's memory. */
struct dns_wait {
	/** Called once: @p failure is NULL and @p address set, or @p failure says why not. */
	void (*cb)(struct dns_wait *wait, const char *failure, const struct addr *address);
	void *arg;
	struct dns_wait *next, **before; /**< the client's; NULL when it does not wait */
};

#define DNS_RESOLVERS_MAX 4

/** A source with its resolvers, which are asked in turn until one answers. */
struct dns_client {
	struct addr address, resolvers[DNS_RESOLVERS_MAX];
	size_t n_resolvers, next_resolver;
	uint32_t ttl_min_s; /**< a shorter TTL is taken for this one, as some resolvers do */
	bool once;          /**< keeps its first answer for ever, as some clients do */
	struct loop *loop;
	const char *name;
	struct addr cached;
	uint64_t expires_ms; /**< monotonic; 0: nothing is cached */
	struct dns_wait *waiting;
	int fd; /**< of the query under way, or -1 */
	uint16_t id;
	unsigned tries;
	struct loop_timer retry;
};

struct dns_counts {
	uint64_t queries, answers, cached;
};

/** Make @p c, whose address, resolvers and habits are set, ready to ask for @p name. */
void dns_client_init(struct dns_client *c, struct loop *loop, const char *name);
void dns_client_fini(struct dns_client *c);
/** Answer @p wait from the cache at once, or when the resolver has answered: A for IPv4 sources, AAAA for IPv6. */
void dns_resolve(struct dns_client *c, struct dns_wait *wait);
/** Stop waiting; fine when it does not. */
void dns_wait_end(struct dns_wait *wait);
const struct dns_counts *dns_counts(void);

/** Bind to an address that need not be configured. @return 0 or -errno */
int dns_bind_anywhere(int fd, const struct sockaddr_storage *from, socklen_t length);

#endif
