/* SPDX-License-Identifier: BSD-2-Clause */
/* What FRR's bgpd says, whole and cut, and what is made of it (announce/frr.c, announce/daemon.c). */
#include "tests/unit/simulated_time.h"
#include "tests/unit/announce/fake_daemon.h"
#include "tests/unit/suite.h"

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
		{ "both, the best one first", ROUTE(PATH_NORMAL "," PATH_GSHUT), true, true, 1 },
		{ "the best one before another router's", ROUTE(PATH_NORMAL "," PATH_FOREIGN), true,
		  false, 1 },
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

/* Read @p text, with its end, as the answer to a question of @p kind. */
static int read_text(struct daemon_facts *f, enum daemon_query_kind kind, const char *text)
{
	const struct daemon_query q = { .kind = kind, .net = { fake_addr("10.100.0.0"), 24 } };
	size_t n = strlen(text) + 4;
	char *bytes = calloc(1, n);
	int err;

	memcpy(bytes, text, strlen(text));
	err = daemon_frr.read(f, &q, find_any, NULL, bytes, n);
	free(bytes);
	return err;
}

static void releases_from_8_4_to_10_are_known(void **state)
{
	(void)state;
	static const struct {
		const char *text, *version; /* NULL: it is not known */
	} cases[] = {
		{ "FRRouting 8.4", "FRRouting 8.4" },
		{ "FRRouting 8.10.1 (h) on Linux\n", "FRRouting 8.10.1" },
		{ "FRRouting 9.0\r\n", "FRRouting 9.0" },
		{ "FRRouting 9.4\n", "FRRouting 9.4" },
		{ "FRRouting 10.5.2-rc1 x\n", "FRRouting 10.5.2-rc1" },
		{ "FRRouting 7.5 (h)", NULL },
		{ "FRRouting 8.3.9 (h)", NULL },
		{ "FRRouting 11.4 (h)", NULL },
		{ "FRRouting 8 (h)", NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct daemon_facts f = { .n_neighbours = 0 };
		char problem[160] = "";

		assert_int_equal(read_text(&f, DAEMON_QUERY_VERSION, cases[i].text),
		                 cases[i].version ? 0 : -EPROTO);
		if (cases[i].version)
			assert_string_equal(f.version, cases[i].version);
		else
			snprintf(problem, sizeof(problem),
			         "%s is a version that this release of Weir does not know; it "
			         "knows FRR 8.4 to 10",
			         f.version);
		assert_string_equal(f.problem, problem);
	}
}

/* The first line, 60 characters of it. */
static void a_problem_shows_how_the_answer_begins(void **state)
{
	(void)state;
	static const struct {
		enum daemon_query_kind kind;
		const char *text, *problem;
	} cases[] = {
		{ DAEMON_QUERY_VERSION, "Quagga 1\nmore", "no version: FRR says Quagga 1" },
		{ DAEMON_QUERY_VERSION, "Quagga 2\r\nmore", "no version: FRR says Quagga 2" },
		{ DAEMON_QUERY_SESSIONS,
		  "123456789012345678901234567890123456789012345678901234567890",
		  "no JSON: FRR says "
		  "123456789012345678901234567890123456789012345678901234567890" },
		{ DAEMON_QUERY_SESSIONS,
		  "x23456789012345678901234567890123456789012345678901234567890y",
		  "no JSON: FRR says "
		  "x23456789012345678901234567890123456789012345678901234567890" },
		{ DAEMON_QUERY_ROUTES, "% x\n", "no JSON: FRR says % x" },
		{ DAEMON_QUERY_ROUTES, "{}\n", "no list of routes: FRR says {}" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct daemon_facts f = { .n_neighbours = 0 };

		assert_int_equal(read_text(&f, cases[i].kind, cases[i].text), -EPROTO);
		assert_string_equal(f.problem, cases[i].problem);
	}
}

static void questions_are_those_of_vtysh(void **state)
{
	(void)state;
	static const struct {
		enum daemon_query_kind kind;
		const char *net, *question; /* NULL: none */
	} cases[] = {
		{ DAEMON_QUERY_GREETING, "::/0", NULL },
		{ DAEMON_QUERY_RESTRICT, "::/0", NULL },
		{ DAEMON_QUERY_CHANNELS, "::/0", NULL },
		{ DAEMON_QUERY_EXPORTS, "::/0", NULL },
		{ DAEMON_QUERY_VERSION, "::/0", "show version" },
		{ DAEMON_QUERY_SESSIONS, "::/0", "show bgp summary json" },
		{ DAEMON_QUERY_ROUTES, "10.1.0.0/16",
		  "show bgp ipv4 unicast 10.1.0.0/16 longer-prefixes json detail" },
		{ DAEMON_QUERY_ROUTES, "10.1.0.7/32", "show bgp ipv4 unicast 10.1.0.7/32 json" },
		{ DAEMON_QUERY_ROUTES, "fd00::/32",
		  "show bgp ipv6 unicast fd00::/32 longer-prefixes json detail" },
		{ DAEMON_QUERY_ROUTES, "fd00::7/128", "show bgp ipv6 unicast fd00::7/128 json" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct daemon_facts f = { .n_neighbours = 0 };
		struct daemon_query q = { .kind = cases[i].kind };
		char text[DAEMON_QUESTION_MAX] = "nothing";
		size_t n;

		assert_int_equal(prefix_parse(cases[i].net, &q.net), 0);
		n = daemon_frr.write(&f, &q, text);
		assert_int_equal(n, cases[i].question ? strlen(cases[i].question) + 1 : 0);
		assert_string_equal(text, cases[i].question ? cases[i].question : "nothing");
	}
}

#define PEER(name, state) "\"" name "\":{\"state\":\"" state "\",\"pfxSnt\":1}"

/* Both families, in FRR's order; numbers of routes are half of the nodes, rounded up. */
static void a_summary_is_read_whole(void **state)
{
	(void)state;
	struct daemon_facts f = { .n_neighbours = 7, .n_omitted = 9 };
	static const struct daemon_neighbour expected[] = {
		{ .name = "b", .established = true, .lacks6 = true },
		{ .name = "a", .established = true },
		{ .name = "c", .lacks4 = true },
	};

	assert_int_equal(
	        read_text(
	                &f, DAEMON_QUERY_SESSIONS,
	                "{\"ipv4Unicast\":{\"tableVersion\":1,\"ribCount\":7,\"peers\":{" PEER("b", "Established") "," PEER(
	                        "a",
	                        "Idle") "}},"
	                                "\"ipv6Unicast\":{\"tableVersion\":1,\"ribCount\":8,\"peers\":{" PEER(
	                                        "a", "Established") "," PEER("c", "Active") "}}}"),
	        0);
	assert_int_equal(f.n_neighbours, 3);
	assert_int_equal(f.n_omitted, 0);
	assert_memory_equal(f.neighbours, expected, sizeof(expected));
	assert_int_equal(f.n_routes[0], 4);
	assert_int_equal(f.n_routes[1], 4);
	assert_true(f.stamp != 0);
	assert_int_equal(read_text(&f, DAEMON_QUERY_SESSIONS, "{\"ipv6Unicast\":{}}"), 0);
	assert_int_equal(f.n_neighbours, 0);
	assert_true(f.n_routes[0] == UINT64_MAX && f.n_routes[1] == UINT64_MAX);
}

/* What is not told leaves the stamp unknown: the version, or what a session that is up was sent. */
static void a_stamp_needs_all_numbers(void **state)
{
	(void)state;
	static const struct {
		const char *family;
		bool known;
	} cases[] = {
		{ "{\"tableVersion\":1,\"peers\":{}}", true },
		{ "{\"peers\":{}}", true },
		{ "{\"tableVersion\":1,\"peers\":{\"a\":{\"state\":\"Established\"}}}", false },
		{ "{\"tableVersion\":1,\"peers\":{\"a\":{\"state\":\"Idle\"}}}", true },
		{ "{\"peers\":{\"a\":{\"state\":\"Established\",\"pfxSnt\":3}}}", false },
		{ "{\"peers\":{\"a\":{\"state\":\"Idle\"}}}", false },
		{ "{\"tableVersion\":\"1\",\"peers\":{\"a\":{\"state\":\"Idle\"}}}", false },
		{ "{\"tableVersion\":1,\"peers\":{\"b\":{\"state\":\"Idle\"}}}", true },
		{ "{\"tableVersion\":2,\"peers\":{\"b\":{\"state\":\"Idle\"}}}", true },
	};
	uint64_t stamps[2 * sizeof(cases) / sizeof(cases[0])];
	size_t n = 0;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (unsigned six = 0; six < 2; six++) {
			struct daemon_facts f = { .n_neighbours = 0 };
			char text[256];

			snprintf(text, sizeof(text), "{\"ipv%dUnicast\":%s}", six ? 6 : 4,
			         cases[i].family);
			assert_int_equal(read_text(&f, DAEMON_QUERY_SESSIONS, text), 0);
			assert_int_equal(f.stamp != 0, cases[i].known);
			for (size_t k = 0; k < n && cases[i].known && !six; k++)
				assert_true(stamps[k] != f.stamp);
			if (cases[i].known && !six)
				stamps[n++] = f.stamp;
		}
}

/* Those that are up come first where not all have room; a name that is too long has none. */
static void neighbours_beyond_the_room_are_counted(void **state)
{
	(void)state;
	for (unsigned n = DAEMON_NEIGHBOURS_MAX; n <= DAEMON_NEIGHBOURS_MAX + 2; n++) {
		struct daemon_facts f = { .n_neighbours = 0 };
		char text[4096] = "{\"ipv4Unicast\":{\"peers\":{", name[16];
		size_t at = strlen(text);
		bool all = n == DAEMON_NEIGHBOURS_MAX;

		for (unsigned i = 0; i < n; i++)
			at += (size_t)snprintf(text + at, sizeof(text) - at,
			                       "%s\"p%u\":{\"state\":\"%s\"}", i ? "," : "", i,
			                       i == n - 1 ? "Established" : "Idle");
		snprintf(text + at, sizeof(text) - at, "}}}");
		assert_int_equal(read_text(&f, DAEMON_QUERY_SESSIONS, text), 0);
		assert_int_equal(f.n_neighbours, DAEMON_NEIGHBOURS_MAX);
		assert_int_equal(f.n_omitted, n - DAEMON_NEIGHBOURS_MAX);
		for (unsigned i = 0; i < DAEMON_NEIGHBOURS_MAX; i++) {
			snprintf(name, sizeof(name), "p%u", all ? i : i ? i - 1 : n - 1);
			assert_string_equal(f.neighbours[i].name, name);
			assert_int_equal(f.neighbours[i].established, i == (all ? n - 1 : 0));
		}
	}
	for (int length = DAEMON_NAME_MAX - 1; length <= (int)DAEMON_NAME_MAX; length++) {
		struct daemon_facts f = { .n_neighbours = 0 };
		char text[256];

		snprintf(text, sizeof(text), "{\"ipv6Unicast\":{\"peers\":{\"%0*d\":{}}}}", length,
		         7);
		assert_int_equal(read_text(&f, DAEMON_QUERY_SESSIONS, text), 0);
		assert_int_equal(f.n_neighbours, length < (int)DAEMON_NAME_MAX);
		assert_int_equal(f.n_omitted, length == (int)DAEMON_NAME_MAX);
	}
}

static struct daemon_route *find_named(void *arg, const struct addr *vip)
{
	struct addr known = fake_addr("10.100.0.2");

	return addr_equal(vip, &known) ? arg : NULL;
}

#define ENTRY(community)                                                                           \
	"{\"paths\":[{\"valid\":true,\"sourced\":true,\"community\":{\"list\":" community "}}]}"

/* Each spelling of the community, and prefixes that are none or not asked about. */
static void a_list_is_read_by_prefix_and_community(void **state)
{
	(void)state;
	static const struct {
		const char *prefix, *entry;
		bool normal, gshut;
	} cases[] = {
		{ "10.100.0.2/32", ENTRY("[\"gracefulShutdown\"]"), false, true },
		{ "10.100.0.2/32", ENTRY("[\"65535:0\"]"), false, true },
		{ "10.100.0.2/32", ENTRY("[7,\"1:2\",\"65535:0\"]"), false, true },
		{ "10.100.0.2/32", ENTRY("[\"65535:1\",null]"), true, false },
		{ "10.100.0.2/32", ENTRY("[]"), true, false },
		{ "10.100.0.3/32", ENTRY("[]"), false, false },
		{ "10.100.0.2/31", ENTRY("[]"), false, false },
		{ "10.100.0.2/33", ENTRY("[]"), false, false },
		{ "fd00::/32", ENTRY("[]"), false, false },
		{ "any", ENTRY("[]"), false, false },
	};
	const struct daemon_query q = { DAEMON_QUERY_ROUTES, { fake_addr("10.100.0.0"), 24 }, 0 };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct daemon_facts f = { .n_neighbours = 0 };
		struct daemon_route r = { 0 };
		struct daemon_route expected = { .imported = { cases[i].normal, cases[i].gshut } };
		char text[512] = "";

		snprintf(text, sizeof(text), "{\"routes\":{\"%s\":%s}}", cases[i].prefix,
		         cases[i].entry);
		assert_int_equal(daemon_frr.read(&f, &q, find_named, &r, text, strlen(text) + 4),
		                 0);
		assert_memory_equal(&r, &expected, sizeof(r));
	}
}

/* Routes of others stand before, between and behind those that are asked about. */
static void a_list_is_read_to_its_end(void **state)
{
#define OTHER(prefix) "\"" prefix "\":" ENTRY("[]")
#define OWN           "\"10.100.0.2/32\":" ENTRY("[\"65535:0\"]")
	static const char *const lists[] = {
		OWN,
		OTHER("10.100.0.1/32") "," OWN,
		OWN "," OTHER("10.100.0.3/32"),
		OTHER("none") "," OWN,
		OTHER("10.0.0.0/8") "," OWN,
		OTHER("10.100.0.1/32") "," OTHER("0.0.0.0/0") "," OTHER("10.100.0.9/32") "," OWN,
		"\"10.100.0.1/32\":[]," OWN,
		"\"10.100.0.1/32\":null," OWN,
	};
	static const struct daemon_route expected = { .imported = { [DAEMON_GSHUT] = true } };
	const struct daemon_query q = { DAEMON_QUERY_ROUTES, { fake_addr("10.100.0.0"), 24 }, 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct daemon_facts f = { .n_neighbours = 0 };
		struct daemon_route r = { 0 };
		char text[1024] = "";

		snprintf(text, sizeof(text), "{\"routes\":{%s}}", lists[i]);
		assert_int_equal(daemon_frr.read(&f, &q, find_named, &r, text, strlen(text) + 4),
		                 0);
		if (memcmp(&r, &expected, sizeof(r)) != 0)
			fail_msg("not read: %s", text);
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

SUITE(frr)
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
		T(releases_from_8_4_to_10_are_known),
		T(a_problem_shows_how_the_answer_begins),
		T(questions_are_those_of_vtysh),
		T(a_summary_is_read_whole),
		T(a_stamp_needs_all_numbers),
		T(neighbours_beyond_the_room_are_counted),
		T(a_list_is_read_by_prefix_and_community),
		T(a_list_is_read_to_its_end),
		T(broken_answers_end_nothing),
	};

	simulated_time();
	return cmocka_run_group_tests_name("frr", tests, NULL, NULL);
}
