/* SPDX-License-Identifier: BSD-2-Clause */
/* What FRR's bgpd says, whole and cut, and what is made of it (announce/frr.c, announce/daemon.c). */
#include "tests/unit/announce/fake_daemon.h"

#define VERSION                                                                                    \
	"FRRouting 8.4.4 (lb1) on Linux(6.1.0).\nCopyright 1996-2005 Kunihiro Ishiguro, et al.\n"
#define SUMMARY                                                                                    \
	"{\n\"ipv4Unicast\":{\"as\":64512,\"peers\":{\"192.0.2.1\":{\"state\":\"Established\"},"   \
	"\"192.0.2.2\":{\"state\":\"Idle\"}}}\n,\n"                                                \
	"\"ipv6Unicast\":{\"peers\":{\"2001:db8::1\":{\"state\":\"Established\"}}}}\n"
#define PATH_NORMAL                                                                                \
	"{\"weight\":32768,\"valid\":true,\"sourced\":true,\"local\":true,\"bestpath\":{\"overall\":true}}"
#define PATH_GSHUT                                                                                 \
	"{\"weight\":16384,\"valid\":true,\"sourced\":true,\"local\":true,\"community\":"          \
	"{\"string\":\"graceful-shutdown\",\"list\":[\"gracefulShutdown\"]}}"
#define PATH_INVALID                                                                               \
	"{\"weight\":32768,\"sourced\":true,\"local\":true,\"bestpath\":{\"overall\":true}}"
#define PATH_FOREIGN                                                                               \
	"{\"valid\":true,\"bestpath\":{\"overall\":true},\"peer\":{\"peerId\":\"192.0.2.1\"}}"
#define ROUTE(paths)                                                                                  \
	"{\n  \"prefix\":\"10.100.0.1/32\",\"advertisedTo\":{\"192.0.2.1\":{\"hostname\":\"r1\"}},\n" \
	"\"paths\":[" paths "]}\n"

static const char *route, *summary, *version;
static char status;

static void answer_frr(struct fake *f, const char *question)
{
	if (!strcmp(question, "show version"))
		fake_say_frr(f, version, status);
	else if (!strcmp(question, "show bgp summary json"))
		fake_say_frr(f, summary, status);
	else if (!strcmp(question, "show bgp ipv4 unicast 10.100.0.1/32 json"))
		fake_say_frr(f, route, status);
	else
		fail_msg("asked: %s", question);
}

static int reset_answers(void **state)
{
	(void)state;
	version = VERSION;
	summary = SUMMARY;
	route = ROUTE(PATH_NORMAL);
	status = 0;
	return 0;
}

static struct fake *open_frr(void)
{
	struct fake *f = fake_open(DAEMON_FRR, answer_frr, NULL);
	struct addr vip = fake_addr("10.100.0.1");

	assert_int_equal(daemon_watch(f->daemon, &vip, 1), 0);
	fake_listen(f);
	return f;
}

static const struct daemon_route *first_route(struct fake *f)
{
	struct addr vip = fake_addr("10.100.0.1");

	return daemon_route(f->daemon, &vip);
}

static void sessions_and_version_are_known(void **state)
{
	(void)state;
	struct fake *f = open_frr();

	assert_true(fake_run(f, 5000, fake_answers));
	assert_string_equal(daemon_facts(f->daemon)->version, "FRRouting 8.4.4");
	assert_int_equal(daemon_facts(f->daemon)->n_neighbours, 3);
	assert_true(daemon_facts(f->daemon)->neighbours[0].established);
	assert_true(daemon_facts(f->daemon)->neighbours[0].lacks6);
	assert_false(daemon_facts(f->daemon)->neighbours[0].lacks4);
	assert_false(daemon_facts(f->daemon)->neighbours[1].established);
	assert_string_equal(daemon_facts(f->daemon)->neighbours[2].name, "2001:db8::1");
	fake_close(f);
}

static void paths_tell_the_tables_apart(void **state)
{
	(void)state;
	static const struct {
		const char *why, *route;
		bool normal, gshut;
		uint32_t exported;
	} cases[] = {
		{ "normal", ROUTE(PATH_NORMAL), true, false, 1 },
		{ "both", ROUTE(PATH_GSHUT "," PATH_NORMAL), true, true, 1 },
		{ "graceful shutdown, not chosen yet", ROUTE(PATH_GSHUT), false, true, 0 },
		{ "none", "{\n}\n", false, false, 0 },
		{ "a path that bgpd does not use", ROUTE(PATH_INVALID), false, false, 0 },
		{ "another router's", ROUTE(PATH_FOREIGN), false, false, 0 },
		{ "paths that are no list", "{\"paths\":{\"valid\":true}}", false, false, 0 },
		{ "a path that is no object", ROUTE("7,[],null"), false, false, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		print_message("  %s\n", cases[i].why);
		route = cases[i].route;
		struct fake *f = open_frr();

		assert_true(fake_run(f, 5000, fake_answers));
		assert_true(first_route(f)->at_ms > 0);
		assert_int_equal(first_route(f)->imported[DAEMON_NORMAL], cases[i].normal);
		assert_int_equal(first_route(f)->imported[DAEMON_GSHUT], cases[i].gshut);
		assert_int_equal(first_route(f)->exported, cases[i].exported);
		fake_close(f);
	}
}

static void wrong_answers_are_strange(void **state)
{
	(void)state;
	static const struct {
		const char *why, *version, *summary, *route;
		char status;
	} cases[] = {
		{ "a refused command", VERSION, SUMMARY, "{}", 2 },
		{ "another program", "Quagga 1.2.4", SUMMARY, "{}", 0 },
		{ "no version", "", SUMMARY, "{}", 0 },
		{ "a text for the sessions", VERSION, "% BGP instance not found\n", "{}", 0 },
		{ "JSON that is cut", VERSION, "{\"ipv4Unicast\":{\"peers\":{\"192.0.2.1\":", "{}",
		  0 },
		{ "a list", VERSION, "[]", "{}", 0 },
		{ "a text for a route", VERSION, SUMMARY, "% Network not in table\n", 0 },
		{ "a route that is cut", VERSION, SUMMARY, "{\"paths\":[{\"valid\":tr", 0 },
		{ "two objects", VERSION, SUMMARY, "{}{}", 0 },
		{ "nothing", VERSION, SUMMARY, "", 0 },
		{ "an older release", "FRRouting 8.3.1 (h).\n", SUMMARY, "{}", 0 },
		{ "a newer release", "FRRouting 11.0 (h).\n", SUMMARY, "{}", 0 },
		{ "a release without a number", "FRRouting master (h).\n", SUMMARY, "{}", 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		print_message("  %s\n", cases[i].why);
		version = cases[i].version;
		summary = cases[i].summary;
		route = cases[i].route;
		status = cases[i].status;
		struct fake *f = open_frr();

		assert_true(fake_run(f, 3000, fake_is_strange));
		assert_true(strlen(daemon_facts(f->daemon)->problem) > 10);
		assert_int_equal(first_route(f)->at_ms, 0);
		fake_close(f);
	}
}

/* The end may come in pieces; text after NUL, or a second answer, is none. */
static void the_end_of_an_answer_is_found(void **state)
{
	(void)state;
	static const char whole[] = { '{', '}', '\n', 0, 0, 0, 0 };
	static const char bad[] = { '{', '}', 0, 0, 'x', 0, 0 };

	for (size_t n = 0; n < sizeof(whole); n++)
		for (size_t seen = 0; seen <= n; seen++)
			assert_int_equal(daemon_frr.whole(whole, n, seen), 0);
	for (size_t seen = 0; seen < sizeof(whole); seen++)
		assert_int_equal(daemon_frr.whole(whole, sizeof(whole), seen), sizeof(whole));
	assert_int_equal(daemon_frr.whole(bad, sizeof(bad), 0), -EPROTO);
}

static void answer_without_end(struct fake *f, const char *question)
{
	(void)question;
	fake_say(f, VERSION);
}

static void an_unended_answer_is_silence(void **state)
{
	(void)state;
	struct fake *f = open_frr();

	assert_true(fake_run(f, 5000, fake_answers));
	f->answer = answer_without_end;
	assert_true(fake_run(f, 6000, fake_is_silent));
	fake_close(f);
}

static struct daemon_route *find_any(void *arg, const struct addr *vip)
{
	(void)vip;
	return arg;
}

#define LIST(entry) "{\"tableVersion\":5,\"routes\":{\"10.100.0.1/32\":" entry ",\"0.0.0.0/0\":[]}}"
#define OLD_LIST    LIST("[{\"advertisedTo\":{\"192.0.2.1\":{}}}," PATH_GSHUT "," PATH_NORMAL "]")
#define NEW_LIST                                                                                   \
	LIST("{\"advertisedTo\":{\"192.0.2.1\":{}},\"paths\":[" PATH_GSHUT "," PATH_NORMAL "]}")

/* FRR 8.4 puts the paths of a prefix beside its heading; later releases put them below it. */
static void lists_of_all_releases_are_read(void **state)
{
	(void)state;
	static const char *const lists[] = { OLD_LIST, NEW_LIST };
	const struct daemon_query q = { DAEMON_QUERY_ROUTES, { fake_addr("10.100.0.0"), 24 }, 0 };

	for (size_t i = 0; i < 2; i++) {
		struct daemon_facts facts = { .n_neighbours = 2,
			                      .neighbours = { { .name = "192.0.2.2" },
			                                      { .name = "192.0.2.1" } } };
		struct daemon_route r = { 0 };
		char answer[1024] = "";

		strcpy(answer, lists[i]);
		assert_int_equal(
		        daemon_frr.read(&facts, &q, find_any, &r, answer, strlen(answer) + 4), 0);
		assert_true(r.imported[DAEMON_NORMAL] && r.imported[DAEMON_GSHUT]);
		assert_int_equal(r.exported, 2);
	}
}

static void an_answer_without_a_list_is_none(void **state)
{
	(void)state;
	static const char *const answers[] = { "{\"tableVersion\":5}", "{\"routes\":[]}",
		                               "{\"routes\":null}" };
	const struct daemon_query q = { DAEMON_QUERY_ROUTES, { fake_addr("10.100.0.0"), 24 }, 0 };

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct daemon_facts facts = { .n_neighbours = 0 };
		char answer[64] = "";

		strcpy(answer, answers[i]);
		assert_int_equal(
		        daemon_frr.read(&facts, &q, find_any, NULL, answer, strlen(answer) + 4),
		        -EPROTO);
		assert_non_null(strstr(facts.problem, "no list of routes: FRR says {"));
	}
}

/* An answer has at least its status; what is shorter says nothing that could be shown. */
static void an_answer_without_a_status_is_none(void **state)
{
	(void)state;
	const struct daemon_query q = { .kind = DAEMON_QUERY_SESSIONS };

	for (size_t n = 0; n <= 4; n++) {
		struct daemon_facts facts = { .n_neighbours = 0 };
		char *bytes = calloc(1, n ? n : 1);

		memset(bytes, 'x', n < 4 ? n : 0);
		assert_int_equal(daemon_frr.read(&facts, &q, find_any, NULL, bytes, n), -EPROTO);
		assert_string_equal(facts.problem, n < 4 ? "" : "no JSON: FRR says ");
		free(bytes);
	}
}

/* A change of exports need not show in the count of the table's versions. */
static void each_number_of_the_exports_changes_the_stamp(void **state)
{
	(void)state;
	static const struct {
		const char *version, *sent, *state, *sessions;
	} cases[] = {
		{ "5", "7", "Established", "2" }, { "6", "7", "Established", "2" },
		{ "5", "8", "Established", "2" }, { "5", "7", "Idle", "2" },
		{ "5", "7", "Established", "3" },
	};
	const struct daemon_query q = { .kind = DAEMON_QUERY_SESSIONS };
	uint64_t stamps[sizeof(cases) / sizeof(cases[0])];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct daemon_facts facts = { .n_neighbours = 0 };
		char answer[256] = "";

		snprintf(answer, sizeof(answer),
		         "{\"ipv4Unicast\":{\"tableVersion\":%s,\"peers\":{\"192.0.2.1\":{"
		         "\"pfxSnt\":%s,\"state\":\"%s\",\"connectionsEstablished\":%s}}}}",
		         cases[i].version, cases[i].sent, cases[i].state, cases[i].sessions);
		assert_int_equal(
		        daemon_frr.read(&facts, &q, NULL, NULL, answer, strlen(answer) + 4), 0);
		stamps[i] = facts.stamp;
		assert_true(stamps[i] != 0);
		for (size_t k = 0; k < i; k++)
			assert_true(stamps[k] != stamps[i]);
	}
}

static void broken_answers_end_nothing(void **state)
{
	(void)state;
	static const char *const answers[] = { SUMMARY, ROUTE(PATH_GSHUT "," PATH_NORMAL), OLD_LIST,
		                               NEW_LIST };

	for (size_t i = 0; i < 4; i++) {
		const size_t n = strlen(answers[i]) + 4;
		struct daemon_facts facts = { .n_neighbours = 0 };
		struct daemon_route r = { 0 };
		const struct daemon_query q = {
			.kind = i ? DAEMON_QUERY_ROUTES : DAEMON_QUERY_SESSIONS,
			.net = { fake_addr("10.100.0.1"), i == 1 ? 32 : 24 }
		};

		for (size_t at = 0; at < 2 * n; at++) {
			size_t length = at < n ? at : n;
			char *bytes = calloc(1, length ? length : 1);

			memcpy(bytes, answers[i], length < n - 4 ? length : n - 4);
			if (at >= n)
				bytes[at - n] = (char)(bytes[at - n] ^ 0x10);
			(void)daemon_frr.whole(bytes, length, 0);
			(void)daemon_frr.read(&facts, &q, find_any, &r, bytes, length);
			free(bytes);
		}
	}
}

#define T(name) cmocka_unit_test_setup(name, reset_answers)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(sessions_and_version_are_known),
		T(paths_tell_the_tables_apart),
		T(wrong_answers_are_strange),
		T(the_end_of_an_answer_is_found),
		T(an_unended_answer_is_silence),
		T(lists_of_all_releases_are_read),
		T(an_answer_without_a_list_is_none),
		T(an_answer_without_a_status_is_none),
		T(each_number_of_the_exports_changes_the_stamp),
		T(broken_answers_end_nothing),
	};

	return cmocka_run_group_tests_name("frr", tests, NULL, NULL);
}
