/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A crowd of clients: sources in many prefixes, each with its resolver and its own
 * cache of one name, which fetch over HTTP at a given rate, a connection a request.
 *
 *     client --sources FILE --name NAME --rate N [--seconds N] [--path /] [--timeout-ms 3000]
 *            [--target ADDRESS]... [--log FILE] [--most N] [--tag r]
 *
 * FILE has a line a source: "ADDRESS RESOLVER[,RESOLVER]... [min=SECONDS] [once]". Sources take turns in an order of their own,
 * and so do the resolvers of a source. `min`: a shorter TTL counts as this one. `once`: the source never asks again.
 * With --target nothing is resolved: the targets of the source's family take turns.
 * Ends after --seconds or at SIGTERM, when what is under way has ended, with a line of JSON.
 * The request's number travels as its User-Agent behind the tag ("r17"), so that servers' logs can
 * be joined.
 *
 * A line of the log, when a request has ended, times in ms since 1970, RESENT: SYNs that had to be
 * sent again:
 *   ID START END SOURCE PORT TARGET RESULT STATUS BACKEND BYTES FNV1A CONNECT_US TOTAL_US RESENT
 * Ten times a second a line says that all requests which were started before OLDEST have ended:
 *   # NOW OLDEST
 */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/loop.h"
#include "tests/lab/client_dns.h"

#define HEAD_MAX   4096
#define TICK_MS    4
#define NOTE_MS    100
#define TARGET_MAX 16

/* Sources are taken in turn: one that is to be busy has many lines. */
#define SOURCES_MAX 16384

static struct {
	const char *sources_path, *name, *path, *log_path, *tag;
	double rate;
	unsigned seconds, timeout_ms, most;
	struct addr targets[TARGET_MAX];
	size_t n_targets;
} options = { .path = "/", .tag = "r", .timeout_ms = 3000, .most = 20000 };

struct request {
	TAILQ_ENTRY(request) order; /* of their starts */
	struct dns_wait wait;       /* for the source's address of the name */
	uint64_t id;
	struct dns_client *source;
	struct addr target;
	int fd; /* -1 while it has none */
	uint16_t port;
	int64_t start_ms;
	uint64_t start_ns, connect_ns;
	struct loop_timer timeout;
	char head[HEAD_MAX + 1], backend[64];
	size_t head_bytes;
	bool in_body;
	int status;
	unsigned int resent; /* SYNs */
	uint64_t length, got, fnv;
};

static struct {
	struct loop *loop;
	struct dns_client *sources;
	size_t n_sources, next_source, next_target;
	uint64_t started, ended, under_way, ok, skipped;
	double due;
	uint64_t last_tick_ms, noted_ms, end_ms;
	TAILQ_HEAD(, request) requests; /* under way */
	bool stopping;
	struct loop_timer tick;
	FILE *log;
	struct {
		char name[24];
		uint64_t n;
	} results[24];
} all;

static void count_result(const char *result)
{
	for (size_t i = 0; i < sizeof(all.results) / sizeof(all.results[0]); i++) {
		if (!all.results[i].name[0])
			snprintf(all.results[i].name, sizeof(all.results[i].name), "%s", result);
		if (strcmp(all.results[i].name, result) == 0) {
			all.results[i].n++;
			return;
		}
	}
}

static void write_log(const struct request *r, const char *result)
{
	char source[ADDR_TEXT_MAX], target[ADDR_TEXT_MAX];
	uint64_t now_ns = clock_mono_ns();

	if (!all.log)
		return;
	fprintf(all.log,
	        "%" PRIu64 " %" PRId64 " %" PRId64 " %s %u %s %s %d %s %" PRIu64 " %016" PRIx64
	        " %" PRIu64 " %" PRIu64 " %u\n",
	        r->id, r->start_ms, clock_realtime_ms(), addr_text(&r->source->address, source),
	        r->port, addr_text(&r->target, target), result, r->status,
	        r->backend[0] ? r->backend : "-", r->got, r->fnv,
	        r->connect_ns ? (r->connect_ns - r->start_ns) / 1000 : 0,
	        (now_ns - r->start_ns) / 1000, r->resent);
}

/*
 * Which requests have ended, so that a reader of the log knows that none of them can fail any
 * more.
 */
static void note_oldest(uint64_t now_ms)
{
	const struct request *oldest = TAILQ_FIRST(&all.requests);
	int64_t wall_clock_ms = clock_realtime_ms();

	if (!all.log || now_ms - all.noted_ms < NOTE_MS)
		return;
	all.noted_ms = now_ms;
	fprintf(all.log, "# %" PRId64 " %" PRId64 "\n", wall_clock_ms,
	        oldest ? oldest->start_ms : wall_clock_ms);
}

/* End @p r with @p result, which it is logged with. */
static void end_request(struct request *r, const char *result)
{
	write_log(r, result);
	count_result(result);
	if (strcmp(result, "ok") == 0)
		all.ok++;
	loop_timer_cancel(all.loop, &r->timeout);
	dns_wait_end(&r->wait);
	if (r->fd >= 0) {
		loop_fd_remove(all.loop, r->fd);
		close(r->fd);
	}
	TAILQ_REMOVE(&all.requests, r, order);
	all.ended++;
	all.under_way--;
	free(r);
}

static void on_timeout(void *arg)
{
	struct request *r = arg;

	end_request(r, r->fd < 0 ? "dns-timeout" : r->connect_ns ? "timeout" : "connect-timeout");
}

/* The value of a header in the head that came, or NULL. */
static const char *find_header(const struct request *r, const char *name)
{
	const char *at = strcasestr(r->head, name);

	return at ? at + strlen(name) : NULL;
}

/*
 * Take the head apart; the rest of what came with it is the body's beginning. @return false when
 * it is no answer
 */
static bool take_head(struct request *r)
{
	char *end = strstr(r->head, "\r\n\r\n");
	const char *value;

	if (!end)
		return r->head_bytes < HEAD_MAX;
	size_t body = r->head_bytes - (size_t)(end + 4 - r->head);

	if (sscanf(r->head, "HTTP/1.%*d %d", &r->status) != 1)
		return false;
	value = find_header(r, "\r\nContent-Length: ");
	r->length = value ? strtoull(value, NULL, 10) : UINT64_MAX;
	value = find_header(r, "\r\nX-Backend: ");
	if (value)
		sscanf(value, "%63[A-Za-z0-9._-]", r->backend);
	r->in_body = true;
	for (size_t i = 0; i < body; i++)
		r->fnv = (r->fnv ^ (uint8_t)end[4 + i]) * 0x100000001b3u;
	r->got = body;
	return true;
}

static void take_body(struct request *r, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		r->fnv = (r->fnv ^ bytes[i]) * 0x100000001b3u;
	r->got += n;
}

static void end_by_answer(struct request *r)
{
	char text[24];

	if (!r->in_body || (r->length != UINT64_MAX && r->got != r->length)) {
		end_request(r, r->in_body ? "short" : "no-answer");
	} else if (r->status != 200) {
		snprintf(text, sizeof(text), "http-%d", r->status);
		end_request(r, text);
	} else {
		end_request(r, "ok");
	}
}

static const char *error_name(int error)
{
	switch (error) {
	case ECONNREFUSED:
		return "refused";
	case ECONNRESET:
		return "reset";
	case EHOSTUNREACH:
	case ENETUNREACH:
		return "unreachable";
	case ETIMEDOUT:
		return "timeout";
	default:
		return "error";
	}
}

static void read_answer(struct request *r)
{
	static uint8_t body[256 * 1024];

	for (;;) {
		ssize_t n = r->in_body ? recv(r->fd, body, sizeof(body), 0)
		                       : recv(r->fd, r->head + r->head_bytes,
		                              HEAD_MAX - r->head_bytes, 0);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			end_request(r, error_name(errno));
			return;
		}
		if (n == 0) {
			end_by_answer(r);
			return;
		}
		if (r->in_body) {
			take_body(r, body, (size_t)n);
		} else {
			r->head_bytes += (size_t)n;
			r->head[r->head_bytes] = '\0';
			if (!take_head(r)) {
				end_request(r, "no-answer");
				return;
			}
		}
		if (r->in_body && r->got == r->length) {
			end_by_answer(r);
			return;
		}
	}
}

static unsigned int count_resent(int fd)
{
	struct tcp_info info;
	socklen_t length = sizeof(info);

	memset(&info, 0, sizeof(info));
	getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length);
	return info.tcpi_total_retrans;
}

static void send_request(struct request *r)
{
	char text[1024];
	int n = snprintf(text, sizeof(text),
	                 "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s%" PRIu64
	                 "\r\nConnection: close\r\n\r\n",
	                 options.path, options.name, options.tag, r->id);

	r->connect_ns = clock_mono_ns();
	r->resent = count_resent(r->fd);
	if (send(r->fd, text, (size_t)n, MSG_NOSIGNAL) != n)
		end_request(r, error_name(errno));
	else
		loop_fd_set(all.loop, r->fd, EPOLLIN);
}

static void on_socket(void *arg, int fd, uint32_t events)
{
	struct request *r = arg;
	int error = 0;
	socklen_t length = sizeof(error);

	if (r->connect_ns) {
		read_answer(r);
		return;
	}
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
	if (error)
		end_request(r, error_name(error));
	else if (events & EPOLLOUT)
		send_request(r);
}

static int open_socket(struct request *r)
{
	struct sockaddr_storage from, to;
	socklen_t from_length = addr_to_sockaddr(&r->source->address, 0, &from);
	socklen_t to_length = addr_to_sockaddr(&r->target, 80, &to);
	int fd = socket(from.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	r->fd = fd;
	if (fd < 0 || dns_bind_anywhere(fd, &from, from_length) ||
	    loop_fd_add(all.loop, fd, EPOLLOUT, on_socket, r))
		return -1;
	if (connect(fd, (struct sockaddr *)&to, to_length) < 0 && errno != EINPROGRESS)
		return -1;
	struct addr own;

	if (getsockname(fd, (struct sockaddr *)&from, &from_length) == 0)
		addr_from_sockaddr((struct sockaddr *)&from, &own, &r->port);
	return 0;
}

/* The source's address of the name is known, or why it is not. */
static void on_resolved(struct dns_wait *wait, const char *failure, const struct addr *address)
{
	struct request *r = wait->arg;

	if (failure) {
		end_request(r, failure);
		return;
	}
	r->target = *address;
	if (open_socket(r))
		end_request(r, "local-error");
}

/* The next fixed target of the source's family; -1 when there is none. */
static int next_target(const struct dns_client *source, struct addr *out)
{
	for (size_t i = 0; i < options.n_targets; i++) {
		const struct addr *t = &options.targets[all.next_target++ % options.n_targets];

		if (addr_is4(t) == addr_is4(&source->address)) {
			*out = *t;
			return 0;
		}
	}
	return -1;
}

static void start_request(void)
{
	struct request *r = calloc(1, sizeof(*r));
	struct addr target;

	if (!r)
		return;
	r->source = &all.sources[all.next_source++ % all.n_sources];
	if (options.n_targets && next_target(r->source, &target)) {
		free(r);
		return;
	}
	r->id = ++all.started;
	r->fd = -1;
	r->fnv = 0xcbf29ce484222325u;
	r->start_ms = clock_realtime_ms();
	r->start_ns = clock_mono_ns();
	r->timeout = (struct loop_timer){ .cb = on_timeout, .arg = r };
	r->wait = (struct dns_wait){ .cb = on_resolved, .arg = r };
	all.under_way++;
	TAILQ_INSERT_TAIL(&all.requests, r, order);
	loop_timer_set(all.loop, &r->timeout, loop_now_ms(all.loop) + options.timeout_ms);
	if (options.n_targets)
		on_resolved(&r->wait, NULL, &target);
	else
		dns_resolve(r->source, &r->wait);
}

static void on_tick(void *arg)
{
	uint64_t now_ms = loop_now_ms(all.loop);

	(void)arg;
	if (options.seconds && now_ms >= all.end_ms)
		all.stopping = true;
	if (all.stopping && !all.under_way) {
		loop_stop(all.loop);
		return;
	}
	all.due += options.rate * (double)(now_ms - all.last_tick_ms) / 1000;
	all.last_tick_ms = now_ms;
	/* After a stall it goes on at its rate: it does not make up for more than a second. */
	if (all.due > options.rate + 1) {
		all.skipped += (uint64_t)(all.due - options.rate);
		all.due = options.rate;
	}
	for (; all.due >= 1 && !all.stopping; all.due--)
		if (all.under_way < options.most)
			start_request();
		else
			all.skipped++;
	note_oldest(now_ms);
	loop_timer_set(all.loop, &all.tick, now_ms + TICK_MS);
}

static void on_term(void *arg)
{
	(void)arg;
	all.stopping = true;
}

static void exit_with_usage(const char *what, const char *value)
{
	fprintf(stderr, "client: %s: %s\n", what, value);
	exit(1);
}

/* "ADDRESS[,ADDRESS]..." @return 0 or -1 */
static int read_resolvers(struct dns_client *s, char *text)
{
	char *rest = NULL;

	for (char *word = strtok_r(text, ",", &rest); word; word = strtok_r(NULL, ",", &rest))
		if (s->n_resolvers == DNS_RESOLVERS_MAX ||
		    addr_parse(word, &s->resolvers[s->n_resolvers++]))
			return -1;
	return s->n_resolvers ? 0 : -1;
}

/* A line of the sources' file. @return 0 or -1 */
static int read_source(struct dns_client *s, const char *line)
{
	char address[64], resolvers[192], habits[2][24] = { "", "" };
	int n = sscanf(line, "%63s %191s %23s %23s", address, resolvers, habits[0], habits[1]);

	if (n < 2 || addr_parse(address, &s->address) || read_resolvers(s, resolvers))
		return -1;
	for (int i = 0; i < n - 2; i++) {
		if (strcmp(habits[i], "once") == 0)
			s->once = true;
		else if (sscanf(habits[i], "min=%" SCNu32, &s->ttl_min_s) != 1)
			return -1;
	}
	return 0;
}

static void read_sources(void)
{
	FILE *f = fopen(options.sources_path, "r");
	char line[384];
	size_t room = SOURCES_MAX;

	all.sources = calloc(room, sizeof(*all.sources));
	if (!f || !all.sources)
		exit_with_usage("sources", strerror(errno));
	while (all.n_sources < room && fgets(line, sizeof(line), f)) {
		struct dns_client *s = &all.sources[all.n_sources];

		if (read_source(s, line))
			exit_with_usage("bad line in sources", line);
		dns_client_init(s, all.loop, options.name);
		all.n_sources++;
	}
	fclose(f);
	if (!all.n_sources)
		exit_with_usage("no sources in", options.sources_path);
	/* An order in which neighbours are far apart, the same in every run. */
	for (size_t i = all.n_sources - 1, x = 12345; i > 0; i--) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		size_t k = (x >> 33) % (i + 1);
		struct dns_client swap = all.sources[i];

		all.sources[i] = all.sources[k];
		all.sources[k] = swap;
	}
}

static void read_option(const char *name, const char *value)
{
	if (strcmp(name, "--sources") == 0)
		options.sources_path = value;
	else if (strcmp(name, "--name") == 0)
		options.name = value;
	else if (strcmp(name, "--path") == 0)
		options.path = value;
	else if (strcmp(name, "--log") == 0)
		options.log_path = value;
	else if (strcmp(name, "--tag") == 0)
		options.tag = value;
	else if (strcmp(name, "--rate") == 0)
		options.rate = strtod(value, NULL);
	else if (strcmp(name, "--seconds") == 0)
		options.seconds = (unsigned)strtoul(value, NULL, 10);
	else if (strcmp(name, "--timeout-ms") == 0)
		options.timeout_ms = (unsigned)strtoul(value, NULL, 10);
	else if (strcmp(name, "--most") == 0)
		options.most = (unsigned)strtoul(value, NULL, 10);
	else if (strcmp(name, "--target") != 0 || options.n_targets == TARGET_MAX ||
	         addr_parse(value, &options.targets[options.n_targets++]))
		exit_with_usage("bad option", name);
}

static void print_summary(void)
{
	const struct dns_counts *dns = dns_counts();
	const char *comma = "";

	printf("{\"requests\":%" PRIu64 ",\"ok\":%" PRIu64 ",\"failed\":%" PRIu64
	       ",\"skipped\":%" PRIu64 ",\"dns_queries\":%" PRIu64 ",\"dns_answers\":%" PRIu64
	       ",\"dns_cached\":%" PRIu64 ",\"results\":{",
	       all.ended, all.ok, all.ended - all.ok, all.skipped, dns->queries, dns->answers,
	       dns->cached);
	for (size_t i = 0; i < sizeof(all.results) / sizeof(all.results[0]) && all.results[i].n;
	     i++, comma = ",")
		printf("%s\"%s\":%" PRIu64, comma, all.results[i].name, all.results[i].n);
	printf("}}\n");
}

int main(int argc, char **argv)
{
	const struct rlimit files = { 65536, 65536 };

	for (int i = 1; i + 1 < argc; i += 2)
		read_option(argv[i], argv[i + 1]);
	if (argc % 2 == 0 || !options.sources_path || !options.name || options.rate <= 0)
		exit_with_usage("usage", "client --sources FILE --name NAME --rate N ...");
	setrlimit(RLIMIT_NOFILE, &files);
	TAILQ_INIT(&all.requests);
	if (loop_open(&all.loop) || loop_signal(all.loop, SIGTERM, on_term, NULL) ||
	    loop_signal(all.loop, SIGINT, on_term, NULL))
		exit_with_usage("loop", strerror(errno));
	read_sources();
	all.log = options.log_path ? fopen(options.log_path, "a") : NULL;
	if (all.log)
		setvbuf(all.log, NULL, _IOLBF, 0);
	all.last_tick_ms = loop_now_ms(all.loop);
	all.end_ms = all.last_tick_ms + options.seconds * 1000ull;
	all.tick = (struct loop_timer){ .cb = on_tick };
	loop_timer_set(all.loop, &all.tick, 0);
	loop_run(all.loop);
	print_summary();
	if (all.log)
		fclose(all.log);
	for (size_t i = 0; i < all.n_sources; i++)
		dns_client_fini(&all.sources[i]);
	free(all.sources);
	loop_close(all.loop);
	return 0;
}
