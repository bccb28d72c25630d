/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Long flows with checksummed data, kept at a number, beside a stream of short ones.
 *
 *     stream --target ADDRESS... --long N --short RATE --seconds N --key HEX --log FILE [--seed N]
 *     [--idle-ms N]
 *            [--udp PORT...]
 *
 * Each long flow, a connection or with --udp one of datagrams to one of these ports, asks its
 * server (echo.c) again and again until its life ends, then another takes its place; each third is
 * silent for N ms and up to a third more between questions. Sources are of the lab's client
 * prefixes. A line of the log when a flow has ended:
 *   START_MS END_MS KIND SOURCE PORT TARGET TO_PORT HASH RESULT BACKEND ANSWERS OTHER
 * RESULT: ok, or how it broke (reset, closed, refused, stall: no answer within 3 s, connect,
 * corrupt, mixed: two servers answered). OTHER: the server that did not know the flow, or '-'.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/lab/stream_flow.h"
#include "weir/fwd/hash.h"

#define TCP_PORT   80
#define TICK_MS    10u
#define TARGET_MAX 4
#define PORT_MAX   4

static struct {
	struct addr targets[TARGET_MAX];
	uint16_t udp_ports[PORT_MAX];
	unsigned n_targets, n_udp_ports, n_long, seconds, idle_ms;
	double rate;
	uint64_t key[2], rng;
	const char *log_path;
} options = { .rng = 1, .idle_ms = 30000 };

static struct {
	struct loop *loop;
	struct loop_timer tick;
	const struct flow_transport *transport;
	FILE *log;
	uint64_t n_open, n_long, n_ended, n_broken;
	uint64_t last_tick_ms, end_ms;
	double due;
	bool stopping;
	struct flow *open;
} all;

struct loop *flow_loop(void)
{
	return all.loop;
}

uint32_t flow_below(uint32_t n)
{
	uint64_t x = options.rng += 0x9e3779b97f4a7c15u;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return (uint32_t)((((x ^ (x >> 31)) >> 32) * n) >> 32);
}

uint32_t flow_number(const struct flow *f)
{
	return f->seq * 65537u + f->port;
}

static uint64_t hash_of(const struct flow *f)
{
	struct fwd_tuple flow = { .sport_be = htons(f->port),
		                  .dport_be = htons(f->to_port),
		                  .protocol = all.transport->protocol };

	memcpy(flow.src.bytes, f->source.bytes, sizeof(flow.src.bytes));
	memcpy(flow.dst.bytes, f->target.bytes, sizeof(flow.dst.bytes));
	return fwd_hash_flow(options.key, &flow, addr_is4(&f->source));
}

static const char *name_or_dash(const char *name)
{
	return name[0] ? name : "-";
}

static void write_line(const struct flow *f, const char *result)
{
	static const char *const kinds[] = { "active", "idle", "short" };
	char source[ADDR_TEXT_MAX], target[ADDR_TEXT_MAX];

	fprintf(all.log, "%" PRId64 " %" PRId64 " %s %s %u %s %u %" PRIu64 " %s %s %u %s\n",
	        f->start_ms, clock_realtime_ms(), kinds[f->kind], addr_text(&f->source, source),
	        f->port, addr_text(&f->target, target), f->to_port, hash_of(f), result,
	        name_or_dash(f->backend), f->n_answers, name_or_dash(f->other));
}

void flow_end(struct flow *f, const char *result)
{
	write_line(f, result);
	all.n_broken += strcmp(result, "ok") != 0;
	all.n_ended++;
	all.n_open--;
	all.n_long -= f->kind != FLOW_SHORT;
	if (f->next)
		f->next->before = f->before;
	if (f->before)
		f->before->next = f->next;
	else
		all.open = f->next;
	all.transport->forget(f);
	loop_timer_cancel(all.loop, &f->timer);
	loop_fd_remove(all.loop, f->fd);
	close(f->fd);
	free(f);
}

static void on_stall(void *arg)
{
	struct flow *f = arg;

	flow_end(f, f->backend[0] ? "stall" : "connect");
}

static void wait_for(struct flow *f, loop_cb *cb, uint64_t ms)
{
	f->timer.cb = cb;
	f->timer.arg = f;
	loop_timer_set(all.loop, &f->timer, loop_now_ms(all.loop) + ms);
}

static void ask_flow(void *arg)
{
	struct flow *f = arg;

	f->seq++;
	f->awaits = true;
	wait_for(f, on_stall, FLOW_STALL_MS);
	all.transport->ask(f);
}

void flow_connected(struct flow *f)
{
	f->is_connected = true;
	loop_fd_set(all.loop, f->fd, EPOLLIN);
	ask_flow(f);
}

static uint32_t pause_ms(const struct flow *f)
{
	return f->kind == FLOW_IDLE ? options.idle_ms + flow_below(options.idle_ms / 3 + 1)
	                            : 300 + flow_below(2500);
}

void flow_answered(struct flow *f, const char *name, bool is_right)
{
	f->awaits = false;
	f->n_answers++;
	snprintf(f->backend, sizeof(f->backend), "%.*s", (int)STREAM_NAME_MAX, name);
	if (!is_right)
		flow_end(f, "corrupt");
	else if (f->kind == FLOW_SHORT || clock_realtime_ms() >= f->end_ms || all.stopping)
		flow_end(f, "ok");
	else
		wait_for(f, ask_flow, pause_ms(f));
}

/* A source of the lab's client prefixes, of the target's family. */
static void choose_source(struct flow *f)
{
	uint32_t i = flow_below(65536);
	char text[64];

	if (addr_is4(&f->target))
		snprintf(text, sizeof(text), "100.64.%u.%u", i >> 8, 1 + (i & 0x7f));
	else
		snprintf(text, sizeof(text), "2001:db8:8000:%x::%x", i >> 8, 1 + (i & 0xff));
	if (addr_parse(text, &f->source))
		abort();
}

static bool open_socket(struct flow *f)
{
	struct sockaddr_storage from, to;
	socklen_t from_length = addr_to_sockaddr(&f->source, 0, &from);
	socklen_t to_length = addr_to_sockaddr(&f->target, f->to_port, &to);
	struct addr own;

	f->fd = socket(from.ss_family, all.transport->socket_type | SOCK_NONBLOCK | SOCK_CLOEXEC,
	               0);
	if (f->fd < 0)
		return false;
	if (bind(f->fd, (struct sockaddr *)&from, from_length) ||
	    loop_fd_add(all.loop, f->fd, EPOLLOUT, all.transport->on_socket, f) ||
	    (connect(f->fd, (struct sockaddr *)&to, to_length) && errno != EINPROGRESS) ||
	    getsockname(f->fd, (struct sockaddr *)&from, &from_length)) {
		perror("stream: opening");
		close(f->fd);
		return false;
	}
	addr_from_sockaddr((struct sockaddr *)&from, &own, &f->port);
	return true;
}

static void begin_flow(enum flow_kind kind)
{
	struct flow *f = calloc(1, sizeof(*f));
	uint32_t life_s = flow_below(4) ? 30 + flow_below(120) : options.seconds;

	if (!f)
		abort();
	f->kind = kind;
	f->target = options.targets[flow_below(options.n_targets)];
	f->to_port =
	        options.n_udp_ports ? options.udp_ports[flow_below(options.n_udp_ports)] : TCP_PORT;
	f->start_ms = clock_realtime_ms();
	f->end_ms = f->start_ms + 1000 * (int64_t)life_s;
	choose_source(f);
	if (!open_socket(f)) {
		free(f);
		return;
	}
	f->next = all.open;
	if (f->next)
		f->next->before = f;
	all.open = f;
	all.n_open++;
	all.n_long += kind != FLOW_SHORT;
	wait_for(f, on_stall, FLOW_STALL_MS);
}

/* The end: who is silent asks once more within two seconds. */
static void ask_all(void)
{
	all.stopping = true;
	for (struct flow *f = all.open; f; f = f->next)
		if (f->is_connected && !f->awaits)
			wait_for(f, ask_flow, flow_below(2000));
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
		begin_flow(flow_below(3) ? FLOW_ACTIVE : FLOW_IDLE);
	all.due += options.rate * (double)(now_ms - all.last_tick_ms) / 1000;
	for (; all.due >= 1 && !all.stopping; all.due--)
		begin_flow(FLOW_SHORT);
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

static bool read_udp_port(const char *value)
{
	unsigned long port = strtoul(value, NULL, 10);

	if (options.n_udp_ports == PORT_MAX || port == 0 || port > UINT16_MAX)
		return false;
	options.udp_ports[options.n_udp_ports++] = (uint16_t)port;
	return true;
}

static bool read_option(const char *name, const char *value)
{
	if (!strcmp(name, "--target"))
		return options.n_targets < TARGET_MAX &&
		       !addr_parse(value, &options.targets[options.n_targets++]);
	if (!strcmp(name, "--udp"))
		return read_udp_port(value);
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
		fprintf(stderr,
		        "usage: stream --target ADDRESS... --long N --short RATE "
		        "--seconds N --key HEX --log FILE [--seed N] [--idle-ms N] [--udp PORT...]\n");
		return 2;
	}
	setrlimit(RLIMIT_NOFILE, &files);
	all.transport = options.n_udp_ports ? &flow_over_udp : &flow_over_tcp;
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
