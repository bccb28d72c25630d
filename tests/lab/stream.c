/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Long connections with checksummed data, kept at a number, beside a stream of short ones.
 *
 *     stream --target ADDRESS... --long N --short RATE --seconds N --key HEX --log FILE [--seed N] [--idle-ms N]
 *
 * Each long connection asks its server (echo.c) for some bytes again and again until its life
 * ends, then another takes its place; each third is silent for half a minute and more between
 * questions. Sources are of the lab's client prefixes. A line of the log when a connection has ended:
 *   START_MS END_MS KIND SOURCE PORT TARGET HASH RESULT BACKEND ANSWERS
 * RESULT: ok, or how it broke (reset, closed, stall: no answer within 3 s, connect, corrupt).
 */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/loop.h"
#include "tests/lab/stream.h"
#include "weir/fwd/hash.h"

#define PORT       80
#define STALL_MS   3000u
#define TICK_MS    10u
#define TARGET_MAX 4

enum kind { ACTIVE, IDLE, SHORT };

static struct {
	struct addr targets[TARGET_MAX];
	unsigned n_targets, n_long, seconds, idle_ms;
	double rate;
	uint64_t key[2], rng;
	const char *log_path;
} options = { .rng = 1, .idle_ms = 30000 };

struct connection {
	struct connection *next, *before;
	int fd;
	enum kind kind;
	struct addr source, target;
	uint16_t port;
	int64_t start_ms, end_ms;
	struct loop_timer timer; /* a stall while an answer is awaited, else the next question */
	bool connected, awaits;
	uint32_t seq, n_answers;
	struct stream_answer answer;
	size_t head_bytes, more_bytes;
	uint64_t sum;
	char backend[STREAM_NAME_MAX + 1];
};

static struct {
	struct loop *loop;
	struct loop_timer tick;
	FILE *log;
	uint64_t n_open, n_long, n_ended, n_broken;
	uint64_t last_tick_ms, end_ms;
	double due;
	bool stopping;
	struct connection *open;
} all;

static uint32_t below(uint32_t n)
{
	uint64_t x = options.rng += 0x9e3779b97f4a7c15u;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return (uint32_t)((((x ^ (x >> 31)) >> 32) * n) >> 32);
}

static uint64_t hash_of(const struct connection *c)
{
	struct fwd_tuple flow = { .sport_be = htons(c->port),
		                  .dport_be = htons(PORT),
		                  .protocol = IPPROTO_TCP };

	memcpy(flow.src.bytes, c->source.bytes, sizeof(flow.src.bytes));
	memcpy(flow.dst.bytes, c->target.bytes, sizeof(flow.dst.bytes));
	return fwd_hash_flow(options.key, &flow, addr_is4(&c->source));
}

static void end(struct connection *c, const char *result)
{
	static const char *const kinds[] = { "active", "idle", "short" };
	char source[ADDR_TEXT_MAX], target[ADDR_TEXT_MAX];

	fprintf(all.log, "%" PRId64 " %" PRId64 " %s %s %u %s %016" PRIx64 " %s %s %u\n",
	        c->start_ms, clock_wall_ms(), kinds[c->kind], addr_text(&c->source, source),
	        c->port, addr_text(&c->target, target), hash_of(c), result,
	        c->backend[0] ? c->backend : "-", c->n_answers);
	all.n_broken += strcmp(result, "ok") != 0;
	all.n_ended++;
	all.n_open--;
	all.n_long -= c->kind != SHORT;
	if (c->next)
		c->next->before = c->before;
	if (c->before)
		c->before->next = c->next;
	else
		all.open = c->next;
	loop_timer_cancel(all.loop, &c->timer);
	loop_fd_remove(all.loop, c->fd);
	close(c->fd);
	free(c);
}

static void on_stall(void *arg)
{
	struct connection *c = arg;

	end(c, c->connected ? "stall" : "connect");
}

static void wait_for(struct connection *c, loop_cb *cb, uint64_t ms)
{
	c->timer.cb = cb;
	c->timer.arg = c;
	loop_timer_set(all.loop, &c->timer, loop_now_ms(all.loop) + ms);
}

static void ask(void *arg)
{
	struct connection *c = arg;
	uint8_t bytes[sizeof(struct stream_request) + 2048];
	struct stream_request r = { .magic = STREAM_MAGIC,
		                    .seq = ++c->seq * 65537u + c->port,
		                    .n_bytes = below(8) ? below(4000) : below(60000),
		                    .n_more = below(2000) };
	size_t n = sizeof(r) + r.n_more;

	stream_fill(bytes + sizeof(r), r.n_more, r.seq);
	r.sum = stream_sum(STREAM_SUM_0, bytes + sizeof(r), r.n_more);
	memcpy(bytes, &r, sizeof(r));
	c->awaits = true;
	c->head_bytes = c->more_bytes = 0;
	wait_for(c, on_stall, STALL_MS);
	if (send(c->fd, bytes, n, MSG_NOSIGNAL) != (ssize_t)n)
		end(c, errno == ECONNRESET || errno == EPIPE ? "reset" : "send");
}

/* An answer is whole. */
static void answered(struct connection *c)
{
	c->awaits = false;
	c->n_answers++;
	snprintf(c->backend, sizeof(c->backend), "%.*s", (int)STREAM_NAME_MAX, c->answer.name);
	if (c->sum != c->answer.sum || c->answer.is_bad ||
	    c->answer.seq != c->seq * 65537u + c->port)
		end(c, "corrupt");
	else if (c->kind == SHORT || clock_wall_ms() >= c->end_ms || all.stopping)
		end(c, "ok");
	else
		wait_for(c, ask,
		         c->kind == IDLE ? options.idle_ms + below(10000) : 300 + below(2500));
}

/* @return bytes taken, 0 when there are none now, -1 at the connection's end */
static ssize_t take(struct connection *c)
{
	static uint8_t bytes[STREAM_BYTES_MAX];
	size_t head = sizeof(c->answer);
	bool in_head = c->head_bytes < head;
	size_t room = in_head ? head - c->head_bytes : c->answer.n_bytes - c->more_bytes;
	ssize_t n = recv(c->fd, in_head ? (uint8_t *)&c->answer + c->head_bytes : bytes,
	                 room < sizeof(bytes) ? room : sizeof(bytes), 0);

	if (n <= 0)
		return n < 0 && errno == EAGAIN ? 0 : -1;
	if (in_head) {
		c->head_bytes += (size_t)n;
		c->sum = STREAM_SUM_0;
		return n;
	}
	c->sum = stream_sum(c->sum, bytes, (size_t)n);
	c->more_bytes += (size_t)n;
	return n;
}

static void read_answer(struct connection *c)
{
	ssize_t n = 1;
	char byte;

	while (n > 0 && c->awaits) {
		n = take(c);
		if (n > 0 && c->head_bytes == sizeof(c->answer) &&
		    c->more_bytes == c->answer.n_bytes) {
			answered(c);
			return;
		}
	}
	if (n > 0) /* nothing was asked: the end, or something that should not come */
		n = recv(c->fd, &byte, 1, 0) < 0 && errno == EAGAIN ? 0 : -1;
	if (n < 0)
		end(c, errno == ECONNRESET ? "reset" : "closed");
}

static void on_socket(void *arg, int fd, uint32_t events)
{
	struct connection *c = arg;
	int error = 0;
	socklen_t length = sizeof(error);

	(void)events;
	errno = 0;
	if (c->connected) {
		read_answer(c);
		return;
	}
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
	if (error) {
		end(c, error == ECONNREFUSED ? "refused" : "connect");
		return;
	}
	c->connected = true;
	loop_fd_set(all.loop, fd, EPOLLIN);
	ask(c);
}

/* A source of the lab's client prefixes, of the target's family. */
static void choose_source(struct connection *c)
{
	uint32_t i = below(65536);
	char text[64];

	if (addr_is4(&c->target))
		snprintf(text, sizeof(text), "100.64.%u.%u", i >> 8, 1 + (i & 0x7f));
	else
		snprintf(text, sizeof(text), "2001:db8:8000:%x::%x", i >> 8, 1 + (i & 0xff));
	if (addr_parse(text, &c->source))
		abort();
}

static bool open_socket(struct connection *c)
{
	struct sockaddr_storage from, to;
	socklen_t from_length = addr_to_sockaddr(&c->source, 0, &from);
	socklen_t to_length = addr_to_sockaddr(&c->target, PORT, &to);
	struct addr own;

	c->fd = socket(from.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return false;
	if (bind(c->fd, (struct sockaddr *)&from, from_length) ||
	    loop_fd_add(all.loop, c->fd, EPOLLOUT, on_socket, c) ||
	    (connect(c->fd, (struct sockaddr *)&to, to_length) && errno != EINPROGRESS) ||
	    getsockname(c->fd, (struct sockaddr *)&from, &from_length)) {
		perror("stream: opening");
		close(c->fd);
		return false;
	}
	addr_from_sockaddr((struct sockaddr *)&from, &own, &c->port);
	return true;
}

static void begin(enum kind kind)
{
	struct connection *c = calloc(1, sizeof(*c));
	uint32_t life_s = below(4) ? 30 + below(120) : options.seconds;

	if (!c)
		abort();
	c->kind = kind;
	c->target = options.targets[below(options.n_targets)];
	c->start_ms = clock_wall_ms();
	c->end_ms = c->start_ms + 1000 * (int64_t)life_s;
	choose_source(c);
	if (!open_socket(c)) {
		free(c);
		return;
	}
	c->next = all.open;
	if (c->next)
		c->next->before = c;
	all.open = c;
	all.n_open++;
	all.n_long += kind != SHORT;
	wait_for(c, on_stall, STALL_MS);
}

/* The end: who is silent asks once more within two seconds. */
static void ask_all(void)
{
	all.stopping = true;
	for (struct connection *c = all.open; c; c = c->next)
		if (c->connected && !c->awaits)
			wait_for(c, ask, below(2000));
}

static void on_tick(void *arg)
{
	uint64_t now_ms = loop_now_ms(all.loop);

	(void)arg;
	if (now_ms >= all.end_ms && !all.stopping)
		ask_all();
	if (all.stopping && (all.n_open == 0 || now_ms >= all.end_ms + 10000))
		loop_stop(all.loop);
	/* The first ones come over some seconds. */
	for (int i = 0; i < 8 && !all.stopping && all.n_long < options.n_long; i++)
		begin(below(3) ? ACTIVE : IDLE);
	all.due += options.rate * (double)(now_ms - all.last_tick_ms) / 1000;
	for (; all.due >= 1 && !all.stopping; all.due--)
		begin(SHORT);
	all.last_tick_ms = now_ms;
	loop_timer_set(all.loop, &all.tick, now_ms + TICK_MS);
}

static void on_term(void *arg)
{
	(void)arg;
	all.end_ms = loop_now_ms(all.loop);
}

/* As the configuration's hash key is read: two numbers of 16 digits. */
static bool read_key(const char *hex)
{
	return sscanf(hex, "%16" SCNx64 "%16" SCNx64, &options.key[0], &options.key[1]) == 2;
}

static bool read_option(const char *name, const char *value)
{
	if (!strcmp(name, "--target"))
		return options.n_targets < TARGET_MAX &&
		       !addr_parse(value, &options.targets[options.n_targets++]);
	if (!strcmp(name, "--key"))
		return read_key(value);
	if (!strcmp(name, "--long"))
		options.n_long = (unsigned)strtoul(value, NULL, 10);
	else if (!strcmp(name, "--short"))
		options.rate = strtod(value, NULL);
	else if (!strcmp(name, "--seconds"))
		options.seconds = (unsigned)strtoul(value, NULL, 10);
	else if (!strcmp(name, "--idle-ms"))
		options.idle_ms = (unsigned)strtoul(value, NULL, 10);
	else if (!strcmp(name, "--seed"))
		options.rng = strtoull(value, NULL, 10);
	else if (!strcmp(name, "--log"))
		options.log_path = value;
	else
		return false;
	return true;
}

int main(int argc, char **argv)
{
	const struct rlimit files = { 65536, 65536 };
	bool ok = argc % 2 == 1;

	for (int i = 1; ok && i + 1 < argc; i += 2)
		ok = read_option(argv[i], argv[i + 1]);
	if (!ok || options.n_targets == 0 || !options.log_path) {
		fprintf(stderr, "usage: stream --target ADDRESS... --long N --short RATE "
		                "--seconds N --key HEX --log FILE [--seed N]\n");
		return 2;
	}
	setrlimit(RLIMIT_NOFILE, &files);
	all.log = fopen(options.log_path, "w");
	if (!all.log || loop_open(&all.loop) || loop_signal(all.loop, SIGTERM, on_term, NULL)) {
		perror("stream");
		return 1;
	}
	setvbuf(all.log, NULL, _IOLBF, 0);
	all.last_tick_ms = loop_now_ms(all.loop);
	all.end_ms = all.last_tick_ms + options.seconds * 1000ull;
	all.tick.cb = on_tick;
	loop_timer_set(all.loop, &all.tick, 0);
	loop_run(all.loop);
	printf("{\"ended\":%" PRIu64 ",\"broken\":%" PRIu64 ",\"open\":%" PRIu64 "}\n", all.n_ended,
	       all.n_broken, all.n_open);
	fclose(all.log);
	loop_close(all.loop);
	return 0;
}
