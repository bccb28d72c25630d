/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How weir-announce starts, follows documents and ends, as a whole, in a network namespace of the test's own. What a
 * test does meanwhile it does between two turns of the loop; the clock stands where a test says so, and memory for a
 * list fails where one says so.
 */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include <cmocka.h>

#include "announce/daemon_internal.h"
#include "announce/serve.h"
#include "base/proc.h"
#include "tests/unit/answers.h"
#include "tests/unit/descriptors.h"
#include "tests/unit/suite.h"
#include "weir/condition.h"
#include "weir/stats.h"

#define COUNT(a)   (sizeof(a) / sizeof((a)[0]))
#define SKIPPED    77
#define PATIENCE_S 20 /* on a busy machine */
#define TURN_MS    5

static char dir[64];
static struct proc_dirs dirs;
static bool (*between)(void); /* two turns: whether it is to end; NULL: it is ending */
static int end_by;            /* a signal */
static unsigned phase;        /* of `between` */
static time_t until_s;
static bool clock_stands;
static __thread size_t no_memory_for; /* bytes of an element, or of a block; 0: there is memory */
static bool start_is_watched;
static int document_fails,
        thread_fails; /* errno of each reading, and of each thread; 0: it does not */
static struct conditions seen;

static int own_clock_gettime(clockid_t clock, struct timespec *out)
{
	static const struct timespec stands = { .tv_sec = 100000 };

	if (!clock_stands || clock != CLOCK_BOOTTIME)
		return __real_clock_gettime(clock, out);
	*out = stands;
	return 0;
}

static time_t real_s(void)
{
	struct timespec t;

	assert_int_equal(__real_clock_gettime(CLOCK_BOOTTIME, &t), 0);
	return t.tv_sec;
}

static int own_epoll_wait(int fd, struct epoll_event *events, int most, int timeout_ms)
{
	if (between && real_s() > until_s)
		fail_msg("nothing more happened in phase %u", phase);
	if (between && between()) {
		between = NULL;
		assert_int_equal(raise(end_by), 0);
	}
	return __real_epoll_wait(fd, events, most,
	                         timeout_ms < 0 || timeout_ms > TURN_MS ? TURN_MS : timeout_ms);
}

static void *own_calloc(size_t n, size_t size)
{
	return no_memory_for == size ? NULL : __real_calloc(n, size);
}

static void *own_malloc(size_t n)
{
	return no_memory_for == n ? NULL : __real_malloc(n);
}

static int own_open64(const char *path, int flags, mode_t mode)
{
	errno = document_fails;
	return document_fails && strstr(path, PROC_EFFECTIVE_FILE)
	               ? -1
	               : __real_open64(path, flags, mode);
}

static int own_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
                              void *arg)
{
	return thread_fails ? thread_fails : __real_pthread_create(thread, attr, run, arg);
}

/* Who sees no job expects turns of the loop. */
static void check_start(void)
{
	static struct stats_reader *reader;
	uint64_t until_job_s, turns;

	start_is_watched = false; /* this calls it, too */
	if ((reader || !stats_reader_open(dir, "announce", &reader)) &&
	    stats_reader_sum(reader, STATS_JOB, &until_job_s))
		assert_true(until_job_s || stats_reader_sum(reader, STATS_TURNS, &turns));
	start_is_watched = true;
	if (between)
		return;
	stats_reader_close(reader);
	reader = NULL;
}

__attribute__((format(printf, 3, 0))) static int own_snprintf(char *out, size_t size,
                                                              const char *format, va_list arguments)
{
	if (start_is_watched)
		check_start();
	return vsnprintf(out, size, format, arguments);
}

static int make_directory(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/weir-announce-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	dirs = (struct proc_dirs){ .node = "mid" };
	snprintf(dirs.run, sizeof(dirs.run), "%s", dir);
	snprintf(dirs.state, sizeof(dirs.state), "%s", dir);
	clock_stands = start_is_watched = false;
	document_fails = thread_fails = 0;
	no_memory_for = 0;
	return 0;
}

static int remove_directory(void **state)
{
	char command[96];

	(void)state;
	between = NULL;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

/* Run it until @p step says that it is enough, then end it by @p signo. */
static void serve_with(bool (*step)(void), int signo)
{
	between = step;
	end_by = signo;
	phase = 0;
	until_s = real_s() + PATIENCE_S;
	assert_int_equal(serve_until_stopped(&dirs), 0);
	assert_null(between);
}

static void write_text(const char *text)
{
	char path[128], into[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/new", dir);
	snprintf(into, sizeof(into), "%s/%s", dir, PROC_EFFECTIVE_FILE);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(rename(path, into), 0);
}

/* @param announce  of the node, whose DNS has two addresses */
static void write_document(unsigned number, const char *announce)
{
	char text[2048];

	snprintf(
	        text, sizeof(text),
	        "effective = { version = \"1\"; digest = \"\"; document = \"%u\"; written = \"never\"; };\n"
	        "schema = 1; cluster = { name = \"c\"; hash_key_file = \"/k\"; hash_key_id = \"k\"; };\n"
	        "sites = ( { name = \"s\"; } );\n"
	        "nodes = ( { name = \"mid\"; site = \"s\"; ports = ( { interface = \"e\"; } ); "
	        "tunnel_source = [ \"10.0.0.0/24\" ]; dns_listen = [ \"192.0.2.7\", \"2001:db8::7\" ]; %s } );\n",
	        number, announce);
	write_text(text);
}

/* The process's condition of @p code; NULL: none. */
static const struct condition *see_condition(const char *code)
{
	if (conditions_read(dir, "announce", &seen))
		seen = (struct conditions){ 0 };
	for (uint32_t i = 0; i < seen.n; i++)
		if (!strcmp(seen.items[i].code, code))
			return &seen.items[i];
	return NULL;
}

static void without_its_pages_it_does_not_start(void **state)
{
	(void)state;
	snprintf(dirs.run, sizeof(dirs.run), "%.60s/none", dir);
	assert_int_equal(serve_until_stopped(&dirs), -ENOENT);
}

static struct sockaddr_un notified = { .sun_family = AF_UNIX };
static int notify_fd;

/* Ready; then the document that was there is in force, and turns are counted. */
static bool is_started(void)
{
	struct stats_reader *reader;
	uint64_t sum = 1;
	char text[16] = "";

	if (phase == 0) {
		assert_int_equal(recv(notify_fd, text, sizeof(text) - 1, MSG_DONTWAIT), 7);
		assert_string_equal(text, "READY=1");
		phase = 1;
	}
	assert_int_equal(stats_reader_open(dir, "announce", &reader), 0);
	assert_true(stats_reader_sum(reader, STATS_JOB, &sum));
	assert_int_equal(sum, 0);
	assert_true(stats_reader_sum(reader, STATS_TURNS, &sum));
	stats_reader_close(reader);
	(void)see_condition("");
	return seen.document == 7 && sum > 0;
}

static void the_start_ends_when_turns_are_counted(void **state)
{
	(void)state;
	snprintf(notified.sun_path, sizeof(notified.sun_path), "%s/notify", dir);
	notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(notify_fd, (struct sockaddr *)&notified, sizeof(notified)), 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", notified.sun_path, 1), 0);
	write_document(7, "");
	start_is_watched = true;
	serve_with(is_started, SIGTERM);
	check_start();
	unsetenv("NOTIFY_SOCKET");
	close(notify_fd);
}

/* Without a tick of the clock: each document says it by itself. */
static bool refuse_documents(void)
{
	static const char none[] = "the newest document is refused, none is in force, and "
	                           "announcements stay as they are: ";
	static const char before[] = "the newest document is refused, the one before stays in "
	                             "force: ";
	const struct condition *c = see_condition("document-refused");

	switch (phase) {
	case 0:
		assert_null(c);
		write_text("no document");
		break;
	case 1:
		if (!c)
			return false;
		assert_int_equal(seen.document, 0);
		assert_memory_equal(c->text, none, strlen(none));
		write_document(7, "");
		break;
	case 2:
		if (seen.document != 7)
			return false;
		assert_null(c);
		write_text("no document");
		break;
	default:
		if (!c)
			return false;
		assert_int_equal(seen.document, 7);
		assert_memory_equal(c->text, before, strlen(before));
		return true;
	}
	phase++;
	return false;
}

/* What may pass passes without another document; what does not, does not. */
static bool fail_for_a_while(void)
{
	static const struct {
		int document, thread;
		bool passes;
	} rows[] = { { EMFILE, 0, true }, { 0, EAGAIN, true }, { ENXIO, 0, false } };
	const struct condition *c = see_condition("document-refused");
	static time_t since_s;

	switch (phase % 3) {
	case 0:
		if (c || seen.document != phase / 3)
			return false;
		document_fails = rows[phase / 3].document;
		thread_fails = rows[phase / 3].thread;
		write_document(phase / 3 + 1, "");
		break;
	case 1:
		if (!c)
			return false;
		assert_non_null(strstr(c->text, strerror(thread_fails ? ENOMEM : document_fails)));
		assert_int_equal(seen.document, phase / 3);
		document_fails = thread_fails = 0;
		since_s = real_s();
		break;
	default:
		if (!rows[phase / 3].passes)
			return real_s() > since_s + 1;
		if (seen.document != phase / 3 + 1)
			return false;
	}
	phase++;
	return false;
}

static void a_document_that_cannot_be_read_now_is_read_again(void **state)
{
	(void)state;
	serve_with(fail_for_a_while, SIGTERM);
	assert_non_null(see_condition("document-refused"));
	assert_int_equal(seen.document, 2);
}

static void a_refused_document_says_what_is_in_force(void **state)
{
	(void)state;
	clock_stands = true;
	serve_with(refuse_documents, SIGTERM);
}

#define BIRD(path) "announce = { daemon = \"bird\"; socket = \"" path "\"; };"
#define FRR(path)  "announce = { daemon = \"frr\"; socket = \"" path "\"; };"
#define ABSENT     "the routing daemon is absent, so what it announces is unknown: not asked yet"
#define FOLLOWED                                                                                   \
	"the routing daemon is absent, so what it announces is unknown: /none/bird: No such file or directory"
#define NO_MEMORY                                                                                  \
	"the routing daemon cannot be asked, so what it announces is unknown: "                    \
	"Cannot allocate memory"

/* Documents, one after the other, and what is said of the daemon with each. */
static const struct followed {
	const char *why, *announce;
	size_t no_memory_for;
	const char *subject, *text; /* of the condition "routing-daemon"; NULL: none */
} * rows;
static size_t n_rows;

static bool follow_daemons(void)
{
	const struct condition *c = see_condition("routing-daemon");

	if (seen.document != phase)
		return false;
	if (phase) {
		const struct followed *r = &rows[phase - 1];

		if (!c != !r->text ||
		    (c && (strcmp(c->subject, r->subject) != 0 || strcmp(c->text, r->text) != 0)))
			fail_msg("%s: %s, %s", r->why, c ? c->subject : "none", c ? c->text : "");
	}
	if (phase == n_rows)
		return true;
	no_memory_for = rows[phase].no_memory_for;
	write_document(phase + 1, rows[phase].announce);
	phase++;
	return false;
}

static void follow_rows(const struct followed *first, size_t n)
{
	rows = first;
	n_rows = n;
	clock_stands = true;
	serve_with(follow_daemons, SIGTERM);
}

/* What a document says of the daemon holds until the next one; the trouble of one is not the next's. */
static void each_document_says_which_daemon_is_followed(void **state)
{
	static const struct followed documents[] = {
		{ "none", "", 0, NULL, NULL },
		{ "BIRD", BIRD("/none/bird"), 0, "bird", ABSENT },
		{ "no memory", BIRD("/none/b"), DAEMON_ANSWER_MAX, "bird", NO_MEMORY },
		{ "none again", "", 0, NULL, NULL },
		{ "FRR, no memory", FRR("/none/f"), DAEMON_ANSWER_MAX, "frr", NO_MEMORY },
		{ "FRR", FRR("/none/frr"), 0, "frr", ABSENT },
		{ "BIRD at the same path", BIRD("/none/frr"), 0, "bird", ABSENT },
	};

	(void)state;
	follow_rows(documents, COUNT(documents));
}

/* Addresses that cannot be watched make the daemon one that cannot be asked, until the next document. */
static void addresses_that_are_not_watched_are_said(void **state)
{
	static const struct followed documents[] = {
		{ "none", BIRD("/none/bird"), 0, "bird", ABSENT },
		{ "no list", BIRD("/none/bird"), sizeof(struct addr), "bird", NO_MEMORY },
		{ "a list", BIRD("/none/bird"), 0, "bird", FOLLOWED },
		{ "no rows", BIRD("/none/bird"), sizeof(struct daemon_row), "bird", NO_MEMORY },
		{ "rows", BIRD("/none/bird"), 0, "bird", FOLLOWED },
	};

	(void)state;
	follow_rows(documents, COUNT(documents));
}

static int frr_listener, frr_client;
static char asked[512]; /* about which prefixes */

static void answer_frr(const char *question)
{
	static const char about[] = "show bgp ipv";
	char answer[128];
	int n;

	if (!strncmp(question, about, strlen(about)) && !strstr(asked, question)) {
		assert_true(strlen(asked) + strlen(question) + 3 < sizeof(asked));
		strcat(strcat(asked, question), "; ");
	}
	n = snprintf(
	        answer, sizeof(answer), "%s",
	        !strcmp(question, "show version") ? "FRRouting 8.4.4 (lb1) on Linux(6.1.0).\n"
	        : !strcmp(question, "show bgp summary json")
	                ? "{\"ipv4Unicast\":{\"peers\":{\"192.0.2.1\":{\"state\":\"Established\"}}}}\n"
	                : "{\n}\n");
	memset(answer + n, 0, 4); /* three NULs and a status */
	(void)!send(frr_client, answer, (size_t)n + 4, MSG_NOSIGNAL);
}

/* An FRR that listens in the directory hears of each address of the document, and of no other. */
static bool ask_frr(void)
{
	static const char *const wanted[] = {
		"",
		"show bgp ipv4 unicast 192.0.2.7/32 json; ",
		"show bgp ipv4 unicast 192.0.2.7/32 json; show bgp ipv6 unicast 2001:db8::7/128 json; ",
	};
	static const char *const dns[] = { "", "\"192.0.2.7\"", "\"2001:db8::7\", \"192.0.2.7\"" };
	char text[512], *at = text;
	ssize_t n;

	if (frr_client < 0)
		frr_client = accept4(frr_listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	n = recv(frr_client, text, sizeof(text) - 1, 0);
	for (text[n > 0 ? n : 0] = '\0'; n > 0 && at < text + n; at += strlen(at) + 1)
		answer_frr(at);
	if (phase && strlen(asked) < strlen(wanted[phase - 1]))
		return false;
	if (phase)
		assert_string_equal(asked, wanted[phase - 1]);
	if (phase == COUNT(dns))
		return true;
	snprintf(text, sizeof(text),
	         "announce = { daemon = \"frr\"; socket = \"%s/frr\"; dns = [ %s ]; };", dir,
	         dns[phase]);
	write_document(phase + 1, text);
	phase++;
	return false;
}

static void the_daemon_is_asked_about_each_address(void **state)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	(void)state;
	*asked = '\0';
	frr_client = -1;
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/frr", dir);
	frr_listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(frr_listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(frr_listener, 4), 0);
	serve_with(ask_frr, SIGTERM);
	close(frr_listener);
	close(frr_client);
}

/* Pages of this process that are mapped. */
static unsigned count_maps(void)
{
	char line[512];
	unsigned n = 0;
	FILE *f = fopen("/proc/self/maps", "r");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, dir) != NULL;
	assert_int_equal(fclose(f), 0);
	return n;
}

static unsigned n_open;

static bool is_open(void)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/announce.ctl", dir); /* where a client finds it */
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_true(count_descriptors() > n_open);
	assert_true(count_maps() >= 2); /* its own page, and that of counters */
	return true;
}

/* All that its start opens, its end closes, by each signal. */
static void its_end_leaves_nothing_open(void **state)
{
	static const int signals[] = { SIGTERM, SIGINT };

	(void)state;
	for (size_t i = 0; i < COUNT(signals); i++) {
		n_open = count_descriptors();
		assert_int_equal(count_maps(), 0);
		serve_with(is_open, signals[i]);
		assert_int_equal(count_descriptors(), n_open);
		assert_int_equal(count_maps(), 0);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, make_directory, remove_directory)

SUITE(serve)
{
	const struct CMUnitTest tests[] = {
		T(without_its_pages_it_does_not_start),
		T(the_start_ends_when_turns_are_counted),
		T(a_refused_document_says_what_is_in_force),
		T(a_document_that_cannot_be_read_now_is_read_again),
		T(each_document_says_which_daemon_is_followed),
		T(addresses_that_are_not_watched_are_said),
		T(the_daemon_is_asked_about_each_address),
		T(its_end_leaves_nothing_open),
	};

	answer_calloc = own_calloc;
	answer_open64 = own_open64;
	answer_pthread_create = own_pthread_create;
	answer_clock_gettime = own_clock_gettime;
	answer_epoll_wait = own_epoll_wait;
	answer_malloc = own_malloc;
	answer_snprintf = own_snprintf;
	if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET)) {
		printf("needs a network namespace: skipped\n");
		return SKIPPED;
	}
	return cmocka_run_group_tests_name("announce serve", tests, NULL, NULL);
}
