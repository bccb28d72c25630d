/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weir-dns from its first line to its last, as a child of the test: its arguments, what a failure ends and what it
 * does not, and what each tick brings. Calls of libc fail where the test says so, and the kernel's word of the clock is
 * the test's.
 */
#include "tests/unit/answers.h"
#include "tests/unit/dns/process_scene.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timex.h>

#include "base/believed.h"
#include "dns/process.h"
#include "dns/server.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* What the child does, and how it goes on. */
static struct {
	const char *failing; /* a call that fails; NULL: none */
	rlim_t now, most;    /* descriptors; 0: as they are */
	bool has_users;      /* it is to drop rights */
	bool has_channel;    /* a supervisor is there */
	bool keeps_pages;    /* a page of health that was replaced stays mapped to the end */
} child_has;
static struct {
	bool unsynchronised;
	int port; /* the last that was bound */
} * shared;

static bool fails_now(const char *call)
{
	errno = ENOMEM;
	return child_has.failing && !strcmp(child_has.failing, call);
}

static int own_adjtimex(struct timex *t)
{
	t->status = shared->unsynchronised ? STA_UNSYNC : 0;
	return TIME_OK;
}

static int own_bind(int fd, const struct sockaddr *to, socklen_t length)
{
	if (to->sa_family == AF_INET && ((const struct sockaddr_in *)(const void *)to)->sin_port)
		shared->port = ntohs(((const struct sockaddr_in *)(const void *)to)->sin_port);
	return __real_bind(fd, to, length);
}

static void *own_calloc(size_t n, size_t size)
{
	return n == RAMP_RECORDS_MAX && fails_now("calloc") ? NULL : __real_calloc(n, size);
}

static int own_epoll_create1(int flags)
{
	return fails_now("epoll_create1") ? -1 : __real_epoll_create1(flags);
}

static int own_eventfd(unsigned n, int flags)
{
	return fails_now("eventfd") ? -1 : __real_eventfd(n, flags);
}

static struct passwd *own_getpwnam(const char *user)
{
	(void)user;
	return NULL;
}

static int own_inotify_init1(int flags)
{
	return fails_now("inotify_init1") ? -1 : __real_inotify_init1(flags);
}

static int own_signalfd(int fd, const sigset_t *signals, int flags)
{
	return fails_now("signalfd") ? -1 : __real_signalfd(fd, signals, flags);
}

/* The supervisor's channel lies at 3; nothing comes on it. */
static void be_supervised(void)
{
	char pid[16];
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) || dup2(ends[0], 3) != 3)
		abort();
	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "1", 1);
	setenv("LISTEN_FDNAMES", "weir-more", 1);
}

/* Begin weir-dns with its directories, and with these arguments. */
static void begin_server(const char *first, const char *second, const char *third)
{
	const char *argv[] = { "weir-dns",    "--conf-dir", DIR_ "/conf", "--state-dir",
		               DIR_ "/state", "--run-dir",  DIR_ "/run",  "--bpf-dir",
		               DIR_ "/bpf",   "--node",     "ams-1",      first,
		               second,        third,        NULL };

	fflush(NULL);
	unlink(DIR_ "/log");
	child = fork();
	if (child)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!freopen(DIR_ "/log", "a", stderr) || !freopen(DIR_ "/out", "w", stdout))
		abort();
	if (child_has.has_users)
		unsetenv("WEIR_USERS");
	else
		setenv("WEIR_USERS", "none", 1);
	if (child_has.has_channel)
		be_supervised();
	if (child_has.most) {
		const struct rlimit limit = { child_has.now, child_has.most };

		if (setrlimit(RLIMIT_NOFILE, &limit))
			abort();
	}
	int status = dns_main(11 + !!first + !!second + !!third, (char **)(uintptr_t)argv);

	if (child_has.keeps_pages)
		_exit(status);
	exit(status);
}

/* It ends by itself. @return the exit status; -1: it died */
static int await_end(void)
{
	int status;

	waitpid(child, &status, 0);
	child = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool has_text(const char *file, const char *wanted)
{
	static char text[65536];
	FILE *f = fopen(file, "r");
	size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

	if (f)
		fclose(f);
	text[n] = '\0';
	return strstr(text, wanted) != NULL;
}

static int begin_main(void **state)
{
	memset(&child_has, 0, sizeof(child_has));
	memset(shared, 0, sizeof(*shared));
	return begin_test(state);
}

static void arguments_are_read_or_refused(void **state)
{
	static const struct {
		const char *first, *second, *third;
		int result, port; /* 0: it does not start */
	} cases[] = {
		{ "--port", "1", NULL, 0, 1 },          { "--port", "65535", NULL, 0, 65535 },
		{ "--port=5353", NULL, NULL, 0, 5353 }, { "--port", "0", NULL, 1, 0 },
		{ "--port", "65536", NULL, 1, 0 },      { "--port", "-1", NULL, 1, 0 },
		{ "--port", "x", NULL, 1, 0 },          { "--port", NULL, NULL, 1, 0 },
		{ "--nothing", NULL, NULL, 1, 0 },      { "more", NULL, NULL, 1, 0 },
		{ "--port", "53", "more", 1, 0 },       { "--help", NULL, NULL, 0, 0 },
		{ "--node", NULL, NULL, 1, 0 },
	};

	(void)state;
	write_document(1, LISTEN_1, "");
	for (size_t i = 0; i < COUNT(cases); i++) {
		bool is_help = !strcmp(cases[i].first, "--help");

		print_message("  %s %s\n", cases[i].first, cases[i].second ? cases[i].second : "");
		shared->port = 0;
		begin_server(cases[i].first, cases[i].second, cases[i].third);
		if (cases[i].port) {
			WAIT_FOR(status_is("serving", "true"));
			assert_int_equal(stop_server(i % 2 ? SIGTERM : SIGINT), 0);
			assert_false(has_text(DIR_ "/log", "<3>"));
		} else {
			assert_int_equal(await_end(), cases[i].result);
			assert_int_equal(has_text(DIR_ "/out", "usage: weir-dns [--port PORT]"),
			                 is_help);
			assert_int_equal(has_text(DIR_ "/log", "usage: weir-dns"),
			                 !is_help && strcmp(cases[i].first, "--node") != 0);
		}
		assert_int_equal(shared->port, cases[i].port);
	}
}

static void what_cannot_be_had_ends_the_start(void **state)
{
	static const char *const calls[] = { "calloc", "epoll_create1", "eventfd", "inotify_init1",
		                             "signalfd" };

	(void)state;
	write_document(1, LISTEN_1, "");
	for (size_t i = 0; i < COUNT(calls); i++) {
		print_message("  %s\n", calls[i]);
		child_has.failing =
		        calls[i]; /* without memory for ramps it would forget where a drain stood */
		begin_server(NULL, NULL, NULL);
		assert_int_equal(await_end(), 1);
		assert_true(
		        has_text(DIR_ "/log", "<3>dns-failed error=\"Cannot allocate memory\""));
	}
	child_has.failing = NULL;
	child_has.has_users = true; /* and there are none */
	begin_server(NULL, NULL, NULL);
	assert_int_equal(await_end(), 1);
	assert_true(has_text(DIR_ "/log", "dns-start-failed what=\"dropping rights\""));
}

static void the_rest_is_done_without(void **state)
{
	static const struct {
		const char *make, *logged;
	} cases[] = {
		{ "mkdir -p " DIR_ "/run/stats.dns.page/x", "<3>dns-stats-failed" },
		{ "mkdir -p " DIR_ "/run/dns.ctl/x", "<3>dns-control-failed" },
		{ "echo x > " DIR_ "/state/" RAMP_FILE, "<3>dns-ramps-not-taken" },
		{ "echo x > " DIR_ "/state/" DECIDED_FILE, "<3>dns-sites-not-taken" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		print_message("  %s\n", cases[i].logged);
		assert_int_equal(end_test(state) || begin_test(state), 0);
		write_document(1, LISTEN_1, "");
		space_run("%s", cases[i].make);
		begin_server("--port", "5399", NULL);
		WAIT_FOR(has_text(DIR_ "/log", "dns-generation"));
		assert_true(has_text(DIR_ "/log", cases[i].logged));
		WAIT_FOR(send_query("127.0.0.1", "h.z0.test", 1) == 100);
		assert_int_equal(stop_server(SIGTERM), 0);
	}
}

static void descriptors_are_raised_as_far_as_is_allowed(void **state)
{
	static const struct {
		rlim_t now, most, set;
	} cases[] = {
		{ 1024, 10000, 8192 }, { 8191, 8193, 8192 }, { 8192, 10000, 8192 },
		{ 9000, 10000, 9000 }, { 1024, 4096, 4096 }, { 1024, 1024, 1024 },
		{ 1024, 8192, 8192 },
	};

	struct rlimit own;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &own), 0);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct rlimit limit;

		if (cases[i].most > own.rlim_max)
			continue; /* nobody may raise it here */
		child_has.now = cases[i].now;
		child_has.most = cases[i].most;
		begin_server(NULL, NULL, NULL);
		WAIT_FOR(status_is("serving", "false"));
		assert_int_equal(prlimit(child, RLIMIT_NOFILE, NULL, &limit), 0);
		assert_int_equal(limit.rlim_cur, cases[i].set);
		assert_int_equal(limit.rlim_max, cases[i].most);
		assert_int_equal(stop_server(SIGTERM), 0);
	}
}

static void a_signal_loads_again(void **state)
{
	(void)state;
	begin_server(NULL, NULL, NULL);
	WAIT_FOR(status_number("load.finished") == 1);
	kill(child, SIGHUP);
	WAIT_FOR(status_number("load.finished") == 2);
}

/* Make weir-health's page, with a word for the service at its first site, which stands at place @p at. */
static struct page *make_health(health_word word, unsigned at)
{
	uint64_t targets[2] = { health_target_service("mail", "ams", true) };
	struct health_page *h;
	struct page *page;

	assert_int_equal(page_create(DIR_ "/run/" PROC_HEALTH_PAGE, HEALTH_PAGE_KIND,
	                             HEALTH_PAGE_LAYOUT, sizeof(*h), &page),
	                 0);
	h = page_payload(page);
	targets[at] = health_target_service("web", "ams", true);
	assert_int_equal(health_set_targets(h, targets, 1 + at, 1), 0);
	(void)health_write(h, health_find_index(h, targets[at]), word);
	page_alive(page, clock_mono_ms());
	page_publish(page);
	return page;
}

/* It is looked for until it is there, and again when another has taken its place. */
static void the_page_of_health_is_followed(void **state)
{
	struct page *page;

	(void)state;
	child_has.keeps_pages = true;
	write_document(1, LISTEN_1, "");
	begin_server("--port", "5399", NULL);
	WAIT_FOR(status_is("names.0.sites.0.ipv4", "unknown"));
	page = make_health(health_make(HEALTH_UP, 0, HEALTH_REASON_OK, 1), 0);
	WAIT_FOR(status_is("names.0.sites.0.ipv4", "up"));
	page_close(page);
	assert_int_equal(unlink(DIR_ "/run/" PROC_HEALTH_PAGE), 0);
	page = make_health(health_make(HEALTH_DOWN, 0, HEALTH_REASON_REFUSED, 1), 1);
	WAIT_FOR(status_is("names.0.sites.0.ipv4", "down"));
	page_close(page);
	assert_int_equal(stop_server(SIGTERM), 0);
}

/* A clock that no server has confirmed holds ramps, unless the document trusts it. */
static void the_clock_is_told_and_counted_by_its_trouble(void **state)
{
	(void)state;
	shared->unsynchronised = true;
	write_document(1, LISTEN_1, "");
	begin_server("--port", "5399", NULL);
	WAIT_FOR(status_is("serving", "true"));
	assert_true(status_is("clock", "good"));
	space_run("sed -i 's/\"trusted\"/\"synchronised\"/' " DIR_ "/state/effective.conf");
	WAIT_FOR(status_is("clock", "unsynchronised"));
	assert_true(status_is("clock_held", "true"));
	WAIT_FOR(read_value("weir_dns_clock_held", "") == 1);
	assert_int_equal(read_value("weir_dns_clock_unsynchronised", ""), 1);
	assert_int_equal(read_value("weir_dns_clock_stepped", ""), 0);
	assert_int_equal(read_value("weir_dns_ramps_held", "by=\"clock\""), 0);
	assert_int_equal(read_value("weir_dns_ramps_held", "by=\"site\""), 0);
	WAIT_FOR(find_condition("clock-unsynchronised", "", NULL) == CONDITION_DEGRADED);
	shared->unsynchronised = false;
	WAIT_FOR(status_is("clock", "good"));
	WAIT_FOR(read_value("weir_dns_clock_held", "") == 0);
	assert_int_equal(read_value("weir_dns_clock_unsynchronised", ""), 0);
}

/* What was written before a boot is not in the future, whatever the machine's clock says then. */
static void no_clock_is_believed_from_before_the_document(void **state)
{
	static struct server s;
	static const struct proc_dirs dirs = { .run = DIR_ "/run" };
	struct model_node node = { .clock = MODEL_CLOCK_SYNCHRONISED };
	struct model m = { .self = &node };
	int64_t later_ms = clock_realtime_ms() + 86400000;

	(void)state;
	s.dirs = &dirs;
	server_read_clock(&s, NULL); /* there is no document: nothing is held */
	assert_true(s.wall_clock_ms < later_ms);
	assert_int_equal(s.clock, WALL_CLOCK_RUNS);
	m.meta.written_ms = later_ms;
	server_read_clock(&s, &m);
	assert_true(s.wall_clock_ms >= later_ms);
	m.self = NULL; /* a document that does not name this node */
	shared->unsynchronised = true;
	server_read_clock(&s, &m);
	assert_int_equal(wall_clock_hold(&s.believed.wall_clock, true), s.clock);
	believed_close(&s.believed);
}

static uint64_t stated_at(void)
{
	static struct conditions all;

	return conditions_read(DIR_ "/run", "dns", &all) ? 0 : all.at_ms;
}

static void conditions_are_stated_once_a_second(void **state)
{
	uint64_t first_ms, next_ms;

	(void)state;
	begin_server(NULL, NULL, NULL);
	WAIT_FOR(status_number("load.finished") == 1);
	WAIT_FOR(stated_at() != 0);
	usleep(50000); /* that of the load may have been before that of the tick */
	first_ms = stated_at();
	WAIT_FOR(stated_at() != first_ms);
	next_ms = stated_at();
	assert_in_range(next_ms - first_ms, SERVER_CONDITIONS_MS, SERVER_CONDITIONS_MS + 900);
}

/* Under weir run, which holds the sockets, a start again costs no query; alone nobody would start it again. */
static void without_counters_it_starts_again_when_there_is_room(void **state)
{
	(void)state;
	for (unsigned supervised = 0; supervised < 2; supervised++) {
		space_run("mkdir -p " DIR_ "/run/stats.dns.page/x");
		child_has.has_channel = supervised;
		begin_server(NULL, NULL, NULL);
		WAIT_FOR(status_number("load.finished") == 1);
		usleep(300000); /* it is not tried in each tick, and in vain now */
		assert_int_equal(waitpid(child, NULL, WNOHANG), 0);
		space_run("rm -r " DIR_ "/run/stats.dns.page");
		if (supervised)
			assert_int_equal(await_end(), 0);
		else
			usleep(6000000);
		assert_int_equal(stop_server(SIGTERM), 0);
		assert_int_equal(has_text(DIR_ "/log", "dns-starts-again"), supervised);
	}
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, begin_main, end_test)

SUITE(main)
{
	const struct CMUnitTest tests[] = {
		WITH(arguments_are_read_or_refused),
		WITH(what_cannot_be_had_ends_the_start),
		WITH(the_rest_is_done_without),
		WITH(descriptors_are_raised_as_far_as_is_allowed),
		WITH(a_signal_loads_again),
		WITH(the_page_of_health_is_followed),
		WITH(the_clock_is_told_and_counted_by_its_trouble),
		WITH(no_clock_is_believed_from_before_the_document),
		WITH(conditions_are_stated_once_a_second),
		WITH(without_counters_it_starts_again_when_there_is_room),
	};

	answer_adjtimex = own_adjtimex;
	answer_bind = own_bind;
	answer_calloc = own_calloc;
	answer_epoll_create1 = own_epoll_create1;
	answer_eventfd = own_eventfd;
	answer_getpwnam = own_getpwnam;
	answer_inotify_init1 = own_inotify_init1;
	answer_signalfd = own_signalfd;
	if (geteuid())
		return 77;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
	              0);
	return cmocka_run_group_tests_name("dns main", tests, enter_space, NULL);
}
