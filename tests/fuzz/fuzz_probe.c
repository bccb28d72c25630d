/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as a probed server's HTTP answer, over a real socket on loopback: the attempt ends, once, and is
 * well only with a status line that has the expected status.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"
#include "healthcheck/attempt.h"
#include "tests/fuzz/fuzz_text.h"

/* Who has a processor only while nobody else wants it may stand still for minutes. */
#define LIMIT_MS 600000

static struct {
	struct loop *loop;
	struct prober prober;
	int listener;
	uint16_t port;
	const uint8_t *bytes;
	size_t n;
	int client;
	unsigned n_ends;
	enum health_reason why;
} world;

static void on_end(void *arg, struct attempt *a, enum health_reason why, unsigned detail)
{
	(void)arg, (void)a, (void)detail;
	world.n_ends++;
	world.why = why;
	loop_stop(world.loop);
}

static void on_limit(void *arg)
{
	(void)arg;
	loop_stop(world.loop);
}

/* The server: its answer is there before the request has been read. */
static void on_connection(void *arg, int fd, uint32_t events)
{
	int client = accept(fd, NULL, NULL);

	(void)arg, (void)events;
	if (client < 0)
		return;
	(void)!send(client, world.bytes, world.n, MSG_NOSIGNAL | MSG_DONTWAIT);
	shutdown(client, SHUT_WR);
	if (world.client >= 0)
		close(world.client);
	world.client = client;
}

static void prepare_socket(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(at);

	world.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (world.listener < 0 || bind(world.listener, (struct sockaddr *)&at, n) ||
	    listen(world.listener, 8) || getsockname(world.listener, (struct sockaddr *)&at, &n) ||
	    loop_open(&world.loop) || prober_open(&world.prober, world.loop) ||
	    loop_fd_add(world.loop, world.listener, EPOLLIN, on_connection, NULL))
		abort();
	world.port = ntohs(at.sin_port);
}

static void serve_bytes(const uint8_t *bytes, size_t n)
{
	struct loop_timer limit = { .cb = on_limit };

	world.bytes = bytes;
	world.n = n;
	world.client = -1;
	loop_timer_set(world.loop, &limit, clock_mono_ms() + LIMIT_MS);
	loop_run(world.loop);
	loop_timer_cancel(world.loop, &limit);
	if (world.client >= 0)
		close(world.client);
}

/* Somewhere a line begins as one with the expected status does. */
static bool says_200(const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i + 12 <= n; i++)
		if (!memcmp(bytes + i, "HTTP/", 5) && bytes[i + 6] == '.' &&
		    !memcmp(bytes + i + 8, " 200", 4))
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct attempt_spec spec = { .is_http = true, .path = "/", .host = "", .expect = 200 };
	struct attempt attempt = { 0 };
	unsigned detail = 0;

	if (!world.loop)
		prepare_socket();
	if (n > 65536)
		return 0;
	addr_parse("127.0.0.1", &spec.address);
	spec.port = world.port;
	world.n_ends = 0;
	if (attempt_start(&world.prober, &attempt, &spec, on_end, NULL, &detail) !=
	    HEALTH_REASON_NONE)
		return 0;
	serve_bytes(bytes, n);
	attempt_abort(&attempt);
	assert(world.n_ends == 1);
	assert(world.why != HEALTH_REASON_OK || says_200(bytes, n));
	return 0;
}
