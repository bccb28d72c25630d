/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `./run bench health`: what a probe costs weir-health, beside a bare loop of the same system calls
 * (socket, connect, request, answer, close, over epoll) in the same run. All in a network namespace
 * of its own, against a server in another process that answers whoever comes, at many addresses.
 *
 *   health.tcp, health.http          attempts as the checker makes them, WINDOW at a time
 *   health.tcp.checker, .http.checker  the whole checker: pace, votes, the page; TARGETS backends
 *
 * CPU time is this process's, which on the loopback includes the kernel's work on both ends'
 * packets.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/page.h"
#include "healthcheck/checker.h"

#define OUTPUT      "build/bench/health.json"
#define PORT        7080
#define ROUNDS      5
#define ATTEMPTS    6000u
#define WINDOW      64u
#define TARGETS     20000u
#define INTERVAL_MS 4000u
#define CHECKER_S   6u
#define REQUEST                                                                                    \
	"GET / HTTP/1.1\r\nHost: 127.1.0.1:7080\r\nUser-Agent: weir-health\r\nConnection: close\r\n\r\n"
#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"

struct cost {
	double us, per_s; /* of CPU a probe; probes a second of wall time */
};

static void exit_with_error(const char *what, int error)
{
	fprintf(stderr, "bench health: %s: %s\n", what, strerror(error));
	exit(1);
}

static void enter_namespace(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	struct rlimit files = { 65536, 65536 };
	int fd;

	setrlimit(RLIMIT_NOFILE, &files);
	if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET))
		exit_with_error("unshare", errno);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo))
		exit_with_error("lo", errno);
	close(fd);
}

/* The i-th target: one of 250 * 250 addresses. */
static struct addr address_of(unsigned i)
{
	return addr_from4(
	        (const uint8_t[]){ 127, 1, (uint8_t)(i / 250 % 250), (uint8_t)(i % 250 + 1) });
}

/* The server */

static void serve_one(int fd)
{
	char request[1024];

	if (recv(fd, request, sizeof(request), MSG_DONTWAIT) > 0)
		(void)!send(fd, ANSWER, sizeof(ANSWER) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
}

static void serve_clients(int listener)
{
	struct epoll_event e = { .events = EPOLLIN, .data.fd = listener }, events[256];
	int epoll_fd = epoll_create1(0), fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &e);
	for (;;) {
		int n = epoll_wait(epoll_fd, events, 256, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.fd != listener) {
				serve_one(events[i].data.fd);
				continue;
			}
			while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
				e = (struct epoll_event){ .events = EPOLLIN, .data.fd = fd };
				epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e);
			}
		}
	}
}

static pid_t start_server(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
	pid_t pid;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)) || listen(fd, 4096))
		exit_with_error("server", errno);
	pid = fork();
	if (pid == 0)
		serve_clients(fd);
	close(fd);
	return pid;
}

/* Time */

struct span {
	double cpu_us, wall_s;
};

static double read_seconds(clockid_t which)
{
	struct timespec t;

	clock_gettime(which, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct span span_start(void)
{
	return (struct span){ read_seconds(CLOCK_PROCESS_CPUTIME_ID) * 1e6,
		              read_seconds(CLOCK_MONOTONIC) };
}

static struct cost span_end(struct span s, double n)
{
	return (struct cost){ (read_seconds(CLOCK_PROCESS_CPUTIME_ID) * 1e6 - s.cpu_us) / n,
		              n / (read_seconds(CLOCK_MONOTONIC) - s.wall_s) };
}

/* The bare loop: what the machine allows. */

static void bare_open(int epoll_fd, unsigned i, bool is_http)
{
	const struct linger reset = { .l_onoff = 1 };
	struct epoll_event e = { .events = EPOLLOUT };
	struct sockaddr_storage to;
	struct addr a = address_of(i);
	socklen_t size = addr_to_sockaddr(&a, PORT, &to);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		exit_with_error("socket", errno);
	if (!is_http)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	if (connect(fd, (struct sockaddr *)&to, size) && errno != EINPROGRESS)
		exit_with_error("connect", errno);
	e.data.fd = fd;
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e);
}

/* @return whether the probe has ended */
static bool bare_step(int epoll_fd, const struct epoll_event *e, bool is_http)
{
	struct epoll_event next = { .events = EPOLLIN, .data.fd = e->data.fd };
	char answer[4096];
	int error = 0;
	socklen_t size = sizeof(error);

	if (e->events & EPOLLOUT) {
		getsockopt(e->data.fd, SOL_SOCKET, SO_ERROR, &error, &size);
		if (error)
			exit_with_error("connect", error);
		if (is_http) {
			if (send(e->data.fd, REQUEST, sizeof(REQUEST) - 1, MSG_NOSIGNAL) < 0)
				exit_with_error("send", errno);
			epoll_ctl(epoll_fd, EPOLL_CTL_MOD, e->data.fd, &next);
			return false;
		}
	} else if (recv(e->data.fd, answer, sizeof(answer), 0) < 12) {
		exit_with_error("recv", errno);
	}
	epoll_ctl(epoll_fd, EPOLL_CTL_DEL, e->data.fd, NULL);
	close(e->data.fd);
	return true;
}

static struct cost measure_bare(bool is_http)
{
	struct epoll_event events[WINDOW];
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	struct span s = span_start();
	unsigned n_begun = 0, n_done = 0;

	while (n_begun < WINDOW)
		bare_open(epoll_fd, n_begun++, is_http);
	while (n_done < ATTEMPTS) {
		int n = epoll_wait(epoll_fd, events, WINDOW, -1);

		for (int i = 0; i < n; i++)
			if (bare_step(epoll_fd, &events[i], is_http)) {
				n_done++;
				if (n_begun < ATTEMPTS)
					bare_open(epoll_fd, n_begun++, is_http);
			}
	}
	close(epoll_fd);
	return span_end(s, ATTEMPTS);
}

/* Attempts */

struct window {
	struct loop *loop;
	struct prober prober;
	struct attempt attempts[WINDOW];
	struct attempt_spec specs[WINDOW];
	bool is_http;
	unsigned n_begun, n_done;
};

static void on_attempt(void *arg, struct attempt *a, enum health_reason why, unsigned detail);

static void begin_attempt(struct window *w, struct attempt *a)
{
	struct attempt_spec *spec = &w->specs[a - w->attempts];
	unsigned detail;

	*spec = (struct attempt_spec){ .address = address_of(w->n_begun++),
		                       .port = PORT,
		                       .is_http = w->is_http,
		                       .path = "/",
		                       .host = "",
		                       .expect = 200 };
	if (attempt_start(&w->prober, a, spec, on_attempt, w, &detail) != HEALTH_REASON_NONE)
		exit_with_error("attempt", (int)detail);
}

static void on_attempt(void *arg, struct attempt *a, enum health_reason why, unsigned detail)
{
	struct window *w = arg;

	if (why != HEALTH_REASON_OK)
		exit_with_error(health_reason_text(why), (int)detail);
	if (++w->n_done == ATTEMPTS)
		loop_stop(w->loop);
	if (w->n_begun < ATTEMPTS)
		begin_attempt(w, a);
}

static struct cost measure_attempts(bool is_http)
{
	static struct window w;
	struct cost c;

	w = (struct window){ .is_http = is_http };
	if (loop_open(&w.loop) || prober_open(&w.prober, w.loop))
		exit_with_error("prober", ENOMEM);
	struct span s = span_start();
	for (unsigned i = 0; i < WINDOW; i++)
		begin_attempt(&w, &w.attempts[i]);
	loop_run(w.loop);
	c = span_end(s, ATTEMPTS);
	prober_close(&w.prober);
	loop_close(w.loop);
	return c;
}

/* The checker */

static void write_key(const char *path)
{
	FILE *f = fopen(path, "w");

	if (!f || fputs("00112233445566778899aabbccddeeff\n", f) < 0 || fclose(f))
		exit_with_error(path, errno);
}

static void write_config(const char *path, const char *key, bool is_http)
{
	FILE *f = fopen(path, "w");
	char text[ADDR_TEXT_MAX];

	if (!f)
		exit_with_error(path, errno);
	fprintf(f,
	        "schema = 1; limits = { slots = 4194304; backends = 32000; }; cluster = { name = \"t\"; hash_key_file = \"%s\"; hash_key_id = \"k\"; };\n"
	        "sites = ( { name = \"ams\"; } );\n"
	        "nodes = ( { name = \"ams-1\"; site = \"ams\"; ports = ( { interface = \"lo\"; } );\n"
	        "  tunnel_source = [ \"10.1.255.0/24\" ]; } );\n"
	        "checks = ( { name = \"c\"; type = \"%s\"; port = %u; interval = \"%ums\"; timeout = \"1s\"; } );\n"
	        "pools = (\n",
	        key, is_http ? "http" : "tcp", PORT, INTERVAL_MS);
	for (unsigned i = 0; i < TARGETS; i++) {
		struct addr a = address_of(i);

		if (i % 1000 == 0)
			fprintf(f,
			        "%s{ name = \"p%u\"; site = \"ams\"; check = \"c\"; mode = \"ipip\"; "
			        "max_backends = 1000; backends = (\n",
			        i ? "); }," : "", i / 1000);
		fprintf(f, "%s{ name = \"b%u\"; address = \"%s\"; }\n", i % 1000 ? "," : "", i,
		        addr_text(&a, text));
	}
	fputs("); } );\n", f);
	if (fclose(f))
		exit_with_error(path, errno);
}

static struct model *read_model(const char *dir, bool is_http)
{
	struct model_errors errors;
	struct model *m = NULL;
	char config[128], key[128];

	snprintf(config, sizeof(config), "%s/weir.conf", dir);
	snprintf(key, sizeof(key), "%s/hash.key", dir);
	write_key(key);
	write_config(config, key, is_http);
	if (model_read_config(config, "ams-1", &m, &errors))
		exit_with_error(errors.n_items ? errors.items[0].message : config, EINVAL);
	model_errors_free(&errors);
	unlink(config);
	unlink(key);
	return m;
}

static void on_stop(void *arg)
{
	loop_stop(arg);
}

static void run_for(struct loop *loop, unsigned s)
{
	struct loop_timer stop = { .cb = on_stop, .arg = loop };

	loop_timer_set(loop, &stop, clock_mono_ms() + s * 1000u);
	loop_run(loop);
}

static uint64_t n_probes(const struct checker *c)
{
	uint64_t n = 0;

	for (size_t i = 0; i < c->targets->n; i++)
		n += c->targets->items[i].counts.probes;
	return n;
}

/* Say what is not as it should be: on a machine too slow for the rate, probes come late. */
static void show_odd(const struct checker *c)
{
	unsigned n[HEALTH_REASON_COUNT] = { 0 }, n_up = 0, n_late = 0;

	for (size_t i = 0; i < c->targets->n; i++) {
		n_up += verdict_state(c->targets->items[i].verdict) == HEALTH_UP;
		n_late += c->targets->items[i].last_late;
		n[c->targets->items[i].last]++;
	}
	if (n_up == TARGETS && !n_late)
		return;
	printf("(%u of %u targets are up; at last %u late", n_up, TARGETS, n_late);
	for (int i = 0; i < HEALTH_REASON_COUNT; i++)
		if (n[i])
			printf(", %u %s", n[i], health_reason_text((enum health_reason)i));
	printf(")\n");
}

static struct cost measure_whole(bool is_http)
{
	static struct checker checker;
	char dir[] = "/tmp/weir-bench-XXXXXX", path[64];
	struct loop *loop = NULL;
	struct page *page = NULL;
	struct cost c;

	if (!mkdtemp(dir))
		exit_with_error(dir, errno);
	snprintf(path, sizeof(path), "%s/page", dir);
	if (loop_open(&loop) ||
	    page_create(path, HEALTH_PAGE_KIND, HEALTH_PAGE_LAYOUT, sizeof(struct health_page),
	                &page) ||
	    checker_open(&checker, loop, page, NULL) ||
	    checker_apply_model(&checker, read_model(dir, is_http), NULL, 0))
		exit_with_error("checker", ENOMEM);
	run_for(loop, 2 * INTERVAL_MS / 1000);
	uint64_t before = n_probes(&checker);
	struct span s = span_start();
	run_for(loop, CHECKER_S);
	c = span_end(s, (double)(n_probes(&checker) - before));
	show_odd(&checker);
	checker_close(&checker);
	loop_close(loop);
	page_close(page);
	unlink(path);
	rmdir(dir);
	return c;
}

/* The table */

static int by_us(const void *a, const void *b)
{
	double x = ((const struct cost *)a)->us, y = ((const struct cost *)b)->us;

	return (x > y) - (x < y);
}

static void add_cost(json_t *all, const char *name, struct cost *c, int n, struct cost *reference)
{
	qsort(c, (size_t)n, sizeof(*c), by_us);
	json_array_append_new(all, json_pack("{s:s, s:s, s:f, s:f, s:f, s:f, s:n, s:n}", "name",
	                                     name, "unit", "us of CPU a probe", "min", c[0].us,
	                                     "median", c[n / 2].us, "reference", reference[0].us,
	                                     "reference_median", reference[ROUNDS / 2].us, "target",
	                                     "met"));
	printf("%-22s %8.1f %8.1f %12.1f %12.0f\n", name, c[0].us, c[n / 2].us,
	       reference[ROUNDS / 2].us, c[n / 2].per_s);
	fflush(stdout);
}

int main(void)
{
	json_t *all = json_array();
	pid_t server;

	log_level(LOG_ERR);
	enter_namespace();
	if (sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){ .sched_priority = 1 }))
		fprintf(stderr, "bench health: no SCHED_FIFO: expect noise\n");
	server = start_server();
	printf("%-22s %8s %8s %12s %12s\n", "us of CPU a probe", "min", "median", "bare loop",
	       "probes/s");
	for (int is_http = 0; is_http < 2; is_http++) {
		struct cost machine[ROUNDS], ours[ROUNDS], checker;

		for (int i = 0; i < ROUNDS; i++) {
			machine[i] = measure_bare(is_http);
			ours[i] = measure_attempts(is_http);
		}
		qsort(machine, ROUNDS, sizeof(*machine), by_us);
		add_cost(all, is_http ? "health.http" : "health.tcp", ours, ROUNDS, machine);
		checker = measure_whole(is_http);
		add_cost(all, is_http ? "health.http.checker" : "health.tcp.checker", &checker, 1,
		         machine);
	}
	kill(server, SIGKILL);
	if (json_dump_file(all, OUTPUT, JSON_INDENT(1)))
		exit_with_error(OUTPUT, errno);
	json_decref(all);
	return 0;
}
