/* SPDX-License-Identifier: BSD-2-Clause */
/* What BIRD says, whole and broken, and what is made of it (announce/bird.c, announce/daemon.c). */
#include "tests/unit/simulated_time.h"
#include "tests/unit/announce/fake_daemon.h"
#include "tests/unit/suite.h"

#include <sys/mman.h>

#define GREETING "0001 BIRD 2.0.12 ready.\n"
#define PROTOCOLS                                                                                  \
	"2002-Name       Proto      Table      State  Since         Info\n"                        \
	"1002-device1    Device     ---        up     07:23:32.896  \n"                            \
	" weir_kernel4 Kernel     weir4      up     07:23:32.896  \n"                              \
	" router1_4  BGP        ---        up     07:23:33.788  Established   \n"                  \
	" router1_6  BGP        ---        up     2026-11-22 07:23:33  Established\n"              \
	" router2_4  BGP        ---        start  07:23:32.896  Active\n"                          \
	"0000 \n"
#define CHANNEL(name, family, state)                                                               \
	"2002-Name       Proto      Table      State  Since         Info\n"                        \
	"1002-" name "  BGP        ---        up     07:23:33.788  Established   \n"               \
	"1006-  BGP state:          Established\n"                                                 \
	"     Hold timer:       7.212/9\n"                                                         \
	"   Channel " family "\n"                                                                  \
	"     State:          " state "\n"                                                         \
	"     Table:          master4\n"                                                           \
	"       Export updates:              1          0          0        ---          1\n"      \
	"       Export withdraws:            0        ---        ---        ---          0\n"      \
	" \n0000 \n"
#define ROUTE4                                                                                     \
	"1007-Table weir4:\n"                                                                      \
	" 10.100.0.1/32        blackhole [weir_kernel4 07:23:37.930] * (10)\n"                     \
	" \n"                                                                                      \
	" Table weir_gshut4:\n"                                                                    \
	"0000 \n"

#define LIST_QUESTION "show route table weir4 table weir_gshut4"
#define HOST_QUESTION "show route 10.100.0.1/32 table weir4 table weir_gshut4"

static bool gshut_too, normal_gone, no_tables;
static const char *reply_once; /* instead of the next answer to a question of this beginning: */
static const char *reply_to;

static void answer_route(struct fake *f, const char *question)
{
	if (no_tables)
		fake_say(f, "9001 syntax error, unexpected CF_SYM_UNDEFINED, expecting ALL\n");
	else if (strstr(question, "exported router1_6"))
		fake_say(f, "1007-Table master6:\n0000 \n");
	else if (strstr(question, "exported"))
		fake_say(
		        f,
		        "1007-Table master4:\n 10.100.0.1/32        blackhole [k 07:23] * (250)\n0000 \n");
	else if (strstr(question, "10.100.0.2/32"))
		fake_say(f, "8001 Network not found\n");
	else if (gshut_too && normal_gone)
		fake_say(
		        f,
		        "1007-Table weir_gshut4:\n 10.100.0.1/32  blackhole [k 07:23] * (10)\n0000 \n");
	else if (gshut_too)
		fake_say(
		        f,
		        "1007-Table weir4:\n 10.100.0.1/32  blackhole [k 07:23] * (10)\n \n"
		        " Table weir_gshut4:\n 10.100.0.1/32  blackhole [k 07:23] * (10)\n0000 \n");
	else
		fake_say(f, ROUTE4);
}

static void answer_bird(struct fake *f, const char *question)
{
	if (reply_to && !strncmp(question, reply_to, strlen(reply_to)))
		fake_say(f, reply_once);
	else if (!strcmp(question, "restrict"))
		fake_say(f, "0016 Access restricted\n");
	else if (!strcmp(question, "show protocols"))
		fake_say(f, PROTOCOLS);
	else if (!strcmp(question, "show protocols all router1_6"))
		fake_say(f, CHANNEL("router1_6", "ipv6", "UP"));
	else if (!strncmp(question, "show protocols all", 18))
		fake_say(f, CHANNEL("router1_4", "ipv4", "UP"));
	else
		answer_route(f, question);
}

static int reset_answers(void **state)
{
	(void)state;
	gshut_too = normal_gone = no_tables = false;
	reply_to = reply_once = NULL;
	return 0;
}

static struct fake *open_bird(fake_answer *answer)
{
	struct fake *f = fake_open(DAEMON_BIRD, answer, GREETING);
	struct addr vips[2] = { fake_addr("10.100.0.2"), fake_addr("10.100.0.1") };

	assert_int_equal(daemon_watch(f->daemon, vips, 2), 0);
	return f;
}

static const struct daemon_route *first_route(struct fake *f)
{
	struct addr vip = fake_addr("10.100.0.1");

	return daemon_route(f->daemon, &vip);
}

static bool both_known(struct fake *f)
{
	struct addr second = fake_addr("10.100.0.2");

	return first_route(f)->at_ms && first_route(f)->exported_at_ms &&
	       daemon_route(f->daemon, &second)->at_ms;
}

static void an_absent_daemon_is_found_when_it_comes(void **state)
{
	(void)state;
	struct fake *f = open_bird(answer_bird);

	assert_false(fake_run(f, 100, fake_answers));
	assert_true(fake_is_absent(f));
	assert_non_null(strstr(daemon_facts(f->daemon)->problem, "No such file"));
	fake_listen(f);
	assert_true(fake_run(f, 5000, fake_answers));
	assert_string_equal(daemon_facts(f->daemon)->problem, "");
	fake_close(f);
}

static void what_is_learnt_and_exported_is_known(void **state)
{
	(void)state;
	struct fake *f = open_bird(answer_bird);
	struct addr second = fake_addr("10.100.0.2"), third = fake_addr("10.100.0.3");

	fake_listen(f);
	assert_true(fake_run(f, 5000, both_known));
	assert_string_equal(f->asked[0], "restrict"); /* before anything else */
	assert_string_equal(f->asked[1], "show protocols");
	assert_string_equal(daemon_facts(f->daemon)->version, "BIRD 2.0.12");
	assert_int_equal(daemon_facts(f->daemon)->n_neighbours, 3);
	assert_string_equal(daemon_facts(f->daemon)->neighbours[1].name, "router1_6");
	assert_true(daemon_facts(f->daemon)->neighbours[1].established);
	assert_true(daemon_facts(f->daemon)->neighbours[1].lacks4);
	assert_false(daemon_facts(f->daemon)->neighbours[2].established);
	assert_true(first_route(f)->imported[DAEMON_NORMAL]);
	assert_false(first_route(f)->imported[DAEMON_GSHUT]);
	assert_int_equal(first_route(f)->exported, 1); /* to router1_4 alone */
	assert_false(daemon_route(f->daemon, &second)->imported[DAEMON_NORMAL]);
	assert_null(daemon_route(f->daemon, &third));
	fake_close(f);
}

static bool was_asked(const struct fake *f, const char *question)
{
	for (size_t i = 0; i < f->questions && i < FAKE_QUESTIONS; i++)
		if (!strncmp(f->asked[i], question, strlen(question)))
			return true;
	return false;
}

/* Such a question costs the daemon a walk through its table. */
static void who_has_no_channel_is_not_asked_what_it_gets(void **state)
{
	(void)state;
	struct fake *f = open_bird(answer_bird);

	fake_listen(f);
	assert_true(fake_run(f, 5000, both_known));
	assert_true(was_asked(f, "show route exported router1_4"));
	assert_true(was_asked(f, "show route exported router1_6")); /* it lacks one family */
	fake_close(f);
	reply_to = "show protocols all router1_6";
	reply_once = CHANNEL("router1_6", "ipv6", "DOWN");
	f = open_bird(answer_bird);
	fake_listen(f);
	assert_true(fake_run(f, 5000, both_known));
	assert_int_equal(first_route(f)->exported, 1);
	assert_true(was_asked(f, "show route exported router1_4"));
	assert_false(was_asked(f, "show route exported router1_6"));
	fake_close(f);
}

static bool gshut_learnt(struct fake *f)
{
	return first_route(f)->imported[DAEMON_GSHUT];
}

static void an_urgent_prefix_is_asked_about_at_once(void **state)
{
	(void)state;
	struct fake *f = open_bird(answer_bird);
	struct addr vip = fake_addr("10.100.0.1");
	uint64_t began_ms;

	fake_listen(f);
	assert_true(fake_run(f, 5000, both_known));
	gshut_too = true;
	began_ms = clock_mono_ms();
	daemon_hurry(f->daemon, &vip);
	unsigned news = f->news;
	assert_true(fake_run(f, 5000, gshut_learnt));
	assert_true(first_route(f)->imported[DAEMON_NORMAL]);
	assert_int_equal(first_route(f)->exported_at_ms, 0); /* it may go to others now */
	fake_run(f, 2 * DAEMON_NEWS_MS, NULL);
	assert_true(f->news > news);
	assert_true(fake_run(f, 5000, both_known));
	assert_int_equal(first_route(f)->exported, 1);
	normal_gone = true;
	daemon_hurry(f->daemon, &vip);
	while (first_route(f)->imported[DAEMON_NORMAL] && clock_mono_ms() < began_ms + 5000)
		fake_run(f, 5, NULL);
	assert_true(first_route(f)->imported[DAEMON_GSHUT]);
	fake_close(f);
}

static void hang_up_in_the_middle(struct fake *f, const char *question)
{
	(void)question;
	fake_say(f, "1007-Table wei");
	fake_hang_up(f);
}

static bool not_pending(struct fake *f)
{
	return !first_route(f)->pending;
}

/* An answer to a question from before the call is no answer to it. */
static void an_older_answer_leaves_a_route_pending(void **state)
{
	(void)state;
	struct fake *f = open_bird(answer_bird);
	struct addr vip = fake_addr("10.100.0.1");
	unsigned asked;

	daemon_hurry(f->daemon, &vip);
	assert_true(first_route(f)->pending);
	fake_listen(f);
	assert_true(fake_run(f, 5000, both_known));
	assert_true(fake_run(f, 5000, not_pending));
	for (int i = 0; i < 200; i++) { /* at all times within the round */
		asked = f->questions;
		daemon_hurry(f->daemon, &vip);
		assert_true(first_route(f)->pending);
		assert_true(fake_run(f, 5000, not_pending));
		assert_true(f->questions > asked);
		fake_run(f, (uint64_t)i % 4, NULL);
	}
	f->answer = hang_up_in_the_middle;
	daemon_hurry(f->daemon, &vip);
	assert_true(fake_run(f, 5000, fake_is_absent));
	assert_false(first_route(f)->pending); /* but unknown */
	fake_close(f);
}

static const char *broken_off; /* this question is, once */
static uint64_t broken_off_ms, repeated_ms;
static unsigned n_repeated, n_alone, n_forgotten;

static void break_off_once(struct fake *f, const char *question)
{
	n_alone += strstr(question, "/32") != NULL;
	if (strcmp(question, broken_off) != 0) {
		answer_bird(f, question);
	} else if (!broken_off_ms) {
		broken_off_ms = clock_mono_ms();
		fake_say(f, "8004 Kernel table is gone\n");
	} else {
		n_forgotten += !first_route(f)->imported[DAEMON_NORMAL];
		n_repeated++;
		repeated_ms = repeated_ms ? repeated_ms : clock_mono_ms();
		answer_bird(f, question);
	}
}

static bool is_repeated(struct fake *f)
{
	return n_repeated && not_pending(f);
}

/* Without waiting for the round, and not at once: the daemon may be about to break off again. */
static void an_urgent_question_that_is_broken_off_is_asked_again(void **state)
{
	(void)state;
	struct fake *f = open_bird(answer_bird);
	struct addr vip = fake_addr("10.100.0.1");

	fake_listen(f);
	assert_true(fake_run(f, 5000, both_known));
	broken_off = HOST_QUESTION;
	broken_off_ms = repeated_ms = n_repeated = n_alone = n_forgotten = 0;
	f->answer = break_off_once;
	daemon_hurry(f->daemon, &vip);
	assert_true(fake_run(f, 5000, is_repeated));
	assert_true(repeated_ms >= broken_off_ms + DAEMON_HURRY_MS);
	assert_int_equal(n_alone, 2);
	assert_int_equal(n_forgotten, 0); /* nothing was said of the route */
	assert_int_equal(f->clients, 1);
	fake_close(f);
}

/* Nobody waits for it: it comes by again. */
static void a_list_that_is_broken_off_makes_nothing_urgent(void **state)
{
	(void)state;
	struct fake *f = open_bird(answer_bird);

	fake_listen(f);
	assert_true(fake_run(f, 5000, both_known));
	broken_off = LIST_QUESTION;
	broken_off_ms = repeated_ms = n_repeated = n_alone = n_forgotten = 0;
	f->answer = break_off_once;
	assert_true(fake_run(f, 5000, is_repeated));
	assert_int_equal(n_alone, 0);
	assert_int_equal(n_forgotten, 0);
	fake_close(f);
}

#define URGENT 100u

static bool none_pending(struct fake *f)
{
	for (uint8_t i = 0; i < URGENT; i++) {
		const uint8_t four[4] = { 10, 100, 1, i };
		struct addr vip = addr_from4(four);

		if (daemon_route(f->daemon, &vip)->pending)
			return false;
	}
	return true;
}

/* Those with an even number are imported. */
static void answer_even(struct fake *f, const char *question)
{
	unsigned number;

	if (sscanf(question, "show route 10.100.1.%u/32 table", &number) == 1) {
		char line[96];

		snprintf(line, sizeof(line),
		         "1007-Table weir4:\n 10.100.1.%u/32  blackhole [k 07:23] * (10)\n0000 \n",
		         number);
		fake_say(f, number % 2 ? "8001 Network not found\n" : line);
	} else if (!strcmp(question, LIST_QUESTION)) {
		char line[64];

		fake_say(f, "1007-Table weir4:\n");
		for (unsigned i = 0; i < URGENT; i += 2) {
			snprintf(line, sizeof(line),
			         " 10.100.1.%u/32  blackhole [k 07:23] * (10)\n", i);
			fake_say(f, line);
		}
		fake_say(f, "0000 \n");
	} else {
		answer_bird(f, question);
	}
}

static void many_urgent_prefixes_get_their_own_answers(void **state)
{
	(void)state;
	struct fake *f = open_bird(answer_even);
	struct addr vips[URGENT];

	for (uint8_t i = 0; i < URGENT; i++)
		vips[i] = addr_from4((const uint8_t[4]){ 10, 100, 1, i });
	assert_int_equal(daemon_watch(f->daemon, vips, URGENT), 0);
	fake_listen(f);
	assert_true(fake_run(f, 5000, fake_answers));
	for (uint8_t i = 0; i < URGENT; i++)
		daemon_hurry(f->daemon, &vips[i]);
	assert_true(fake_run(f, 5000, none_pending));
	for (uint8_t i = 0; i < URGENT; i++)
		assert_int_equal(daemon_route(f->daemon, &vips[i])->imported[DAEMON_NORMAL],
		                 i % 2 == 0);
	assert_int_equal(f->clients, 1);
	fake_close(f);
}

static void answer_nothing(struct fake *f, const char *question)
{
	(void)f;
	(void)question;
}

static void a_silent_daemon_is_silent_and_its_routes_unknown(void **state)
{
	(void)state;
	struct fake *f = open_bird(answer_bird);

	fake_listen(f);
	assert_true(fake_run(f, 5000, both_known));
	f->answer = answer_nothing;
	assert_true(fake_run(f, 5000, fake_is_silent));
	assert_int_equal(first_route(f)->at_ms, 0);
	assert_int_equal(daemon_facts(f->daemon)->n_neighbours, 0);
	uint64_t since_ms = daemon_facts(f->daemon)->since_ms;
	fake_run(f, 3500, NULL); /* asked again, and silent again */
	assert_true(fake_is_silent(f));
	assert_true(f->clients >= 2);
	assert_int_equal(daemon_facts(f->daemon)->since_ms, since_ms);
	f->answer = answer_bird;
	assert_true(fake_run(f, 6000, fake_answers));
	fake_close(f);
}

static void a_daemon_that_goes_is_absent_at_once(void **state)
{
	(void)state;
	struct fake *f = open_bird(answer_bird);
	uint64_t began_ms;

	fake_listen(f);
	assert_true(fake_run(f, 5000, both_known));
	f->answer = hang_up_in_the_middle;
	began_ms = clock_mono_ms();
	assert_true(fake_run(f, 5000, fake_is_absent));
	assert_true(clock_mono_ms() < began_ms + 1500);
	assert_int_equal(first_route(f)->at_ms, 0);
	fake_close(f);
}

/* More in one answer than is ever read. */
static void answer_endlessly(struct fake *f, const char *question)
{
	static char lines[FAKE_OUT_MAX];

	(void)question;
	for (size_t i = 0; i < sizeof(lines); i += 16)
		memcpy(lines + i, "1007-0123456789\n", 16);
	fake_say_bytes(f, lines, sizeof(lines));
}

static void an_endless_answer_is_cut_off(void **state)
{
	(void)state;
	struct fake *f = open_bird(answer_endlessly);

	fake_listen(f);
	assert_true(fake_run(f, 5000, fake_is_strange));
	assert_non_null(strstr(daemon_facts(f->daemon)->problem, "too long"));
	fake_close(f);
}

static void half_lines_wait_for_their_end(void **state)
{
	(void)state;
	const char *text = PROTOCOLS;

	for (size_t n = 0; n < strlen(text); n++)
		for (size_t seen = 0; seen <= n; seen += 7)
			assert_int_equal(daemon_bird.whole(text, n, seen), 0);
	assert_int_equal(daemon_bird.whole(text, strlen(text), 0), strlen(text));
}

static void wrong_answers_are_strange(void **state)
{
	(void)state;
	static const struct {
		const char *why, *to, *reply;
	} cases[] = {
		{ "another program greets", NULL, "220 mail.example ESMTP\n" },
		{ "another code greets", NULL, "0002 BIRD 2.0.12 ready.\n" },
		{ "another name greets", NULL, "0001 BERD 2.0.12 ready.\n" },
		{ "an older release", NULL, "0001 BIRD 1.6.8 ready.\n" },
		{ "a newer release", NULL, "0001 BIRD 3.0.1 ready.\n" },
		{ "an empty line", NULL, "\n" },
		{ "not restricted", "restrict", "0000 \n" },
		{ "an error for restrict", "restrict", "9001 syntax error\n" },
		{ "no protocols", "show protocols", "0000 \n" },
		{ "an error for protocols", "show protocols", "8003 No protocols match\n" },
		{ "another table of protocols", "show protocols", "2002-Name\n1009-what\n0000 \n" },
		{ "two answers", "show protocols", PROTOCOLS PROTOCOLS },
		{ "no code", "show route", "10.100.0.1/32 blackhole\n" },
		{ "no tables of ours", "show route",
		  "9001 syntax error, unexpected CF_SYM_UNDEFINED\n" },
		{ "routes of another form", "show route", "1008-10.100.0.1/32\n0000 \n" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fake *f = open_bird(answer_bird);

		print_message("  %s\n", cases[i].why);
		if (!cases[i].to)
			f->greeting = cases[i].reply;
		reply_to = cases[i].to;
		reply_once = cases[i].reply;
		fake_listen(f);
		assert_true(fake_run(f, 3000, fake_is_strange));
		assert_true(strlen(daemon_facts(f->daemon)->problem) > 10);
		assert_int_equal(first_route(f)->at_ms, 0);
		fake_close(f);
		reset_answers(NULL);
	}
}

/* A name that would be another question, and more neighbours than there is room for. */
static void hostile_names_are_left_out(void **state)
{
	(void)state;
	char answer[16384] = "2002-Name\n1002-a'b BGP --- up 07:23 Established\n";
	struct daemon_facts facts = { .n_neighbours = 0 };
	const struct daemon_query q = { .kind = DAEMON_QUERY_SESSIONS };
	size_t n = strlen(answer);

	for (unsigned i = 0; i < DAEMON_NEIGHBOURS_MAX + 3; i++)
		n += (size_t)snprintf(answer + n, sizeof(answer) - n,
		                      " r-%u BGP --- up 07:23 Established\n", i);
	n += (size_t)snprintf(answer + n, sizeof(answer) - n,
	                      " %0100d BGP --- up x Established\n0000 \n", 7);
	assert_int_equal(daemon_bird.read(&facts, &q, NULL, NULL, answer, n), 0);
	assert_int_equal(facts.n_neighbours, DAEMON_NEIGHBOURS_MAX);
	assert_int_equal(facts.n_omitted, 5);
}

/* What BIRD takes for a number or for two words needs quotes. */
static void a_name_is_asked_about_in_quotes_if_need_be(void **state)
{
	(void)state;
	static const struct {
		const char *name, *question;
	} cases[] = {
		{ "router1_4", "show protocols all router1_4\n" },
		{ "r-0", "show protocols all 'r-0'\n" },
		{ "0r", "show protocols all '0r'\n" },
		{ "9r", "show protocols all '9r'\n" },
	};
	const struct daemon_query q = { .kind = DAEMON_QUERY_CHANNELS };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct daemon_facts facts = { .n_neighbours = 1 };
		char out[DAEMON_QUESTION_MAX + 1] = "";

		strcpy(facts.neighbours[0].name, cases[i].name);
		out[daemon_bird.write(&facts, &q, out)] = 0;
		assert_string_equal(out, cases[i].question);
	}
}

/* Such lines begin with a plus, and come whenever BIRD has something to say. */
static void lines_between_those_of_an_answer_are_passed_over(void **state)
{
	(void)state;
	static const char answer[] = "+one <INFO> is said\n" PROTOCOLS;
	static const char between[] = "2002-Name\n1002-r1 BGP --- up 07:23 Established\n"
	                              "+<INFO> is said\n r2 BGP --- up 07:23 Established\n0000 \n";
	struct daemon_facts facts = { .n_neighbours = 0 };
	const struct daemon_query q = { .kind = DAEMON_QUERY_SESSIONS };

	assert_int_equal(daemon_bird.read(&facts, &q, NULL, NULL, answer, sizeof(answer) - 1), 0);
	assert_int_equal(facts.n_neighbours, 3);
	assert_int_equal(daemon_bird.read(&facts, &q, NULL, NULL, between, sizeof(between) - 1), 0);
	assert_int_equal(facts.n_neighbours, 2);
}

static struct daemon_route *find_any(void *arg, const struct addr *vip)
{
	(void)vip;
	return arg;
}

/* All beginnings and all single wrong bytes of real answers: nothing is read beyond the end (with ASan). */
static void broken_answers_end_nothing(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum daemon_query_kind kind;
	} answers[] = { { PROTOCOLS, DAEMON_QUERY_SESSIONS },
		        { ROUTE4, DAEMON_QUERY_ROUTES },
		        { ROUTE4, DAEMON_QUERY_EXPORTS },
		        { CHANNEL("r", "ipv4", "UP"), DAEMON_QUERY_CHANNELS },
		        { GREETING, DAEMON_QUERY_GREETING } };

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		const size_t n = strlen(answers[i].text);
		struct daemon_facts facts = { .n_neighbours = 1,
			                      .neighbours = { { .name = "r" } } };
		struct daemon_route route = { 0 };
		const struct daemon_query q = { .kind = answers[i].kind };

		for (size_t at = 0; at < 2 * n; at++) {
			size_t length = at < n ? at : n;
			char *bytes = malloc(length ? length : 1);

			memcpy(bytes, answers[i].text, length);
			if (at >= n)
				bytes[at - n] = (char)(bytes[at - n] ^ 0x10);
			if (daemon_bird.whole(bytes, length, 0) == (ssize_t)length)
				(void)daemon_bird.read(&facts, &q, find_any, &route, bytes, length);
			free(bytes);
		}
	}
}

/* The last word of a line of one word begins where the line does, also at the very first one. */
static void nothing_is_read_before_an_answer(void **state)
{
	static const char answer[] = "1002-x\n0000 \n";
	struct daemon_facts facts = { .n_neighbours = 1, .neighbours = { { .name = "x" } } };
	const struct daemon_query q = { .kind = DAEMON_QUERY_CHANNELS };
	const size_t page = (size_t)sysconf(_SC_PAGESIZE), n = sizeof(answer) - 1;
	char *guard =
	        mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_ptr_not_equal(guard, MAP_FAILED);
	assert_int_equal(mprotect(guard, page, PROT_NONE), 0);
	memcpy(guard + page, answer, n);
	assert_int_equal(daemon_bird.read(&facts, &q, NULL, NULL, guard + page, n), 0);
	assert_true(facts.neighbours[0].lacks4 && facts.neighbours[0].lacks6);
	assert_int_equal(munmap(guard, 2 * page), 0);
}

#define T(name) cmocka_unit_test_setup(name, reset_answers)

SUITE(bird)
{
	const struct CMUnitTest tests[] = {
		T(an_absent_daemon_is_found_when_it_comes),
		T(what_is_learnt_and_exported_is_known),
		T(who_has_no_channel_is_not_asked_what_it_gets),
		T(an_urgent_prefix_is_asked_about_at_once),
		T(an_older_answer_leaves_a_route_pending),
		T(an_urgent_question_that_is_broken_off_is_asked_again),
		T(a_list_that_is_broken_off_makes_nothing_urgent),
		T(many_urgent_prefixes_get_their_own_answers),
		T(a_silent_daemon_is_silent_and_its_routes_unknown),
		T(a_daemon_that_goes_is_absent_at_once),
		T(an_endless_answer_is_cut_off),
		T(half_lines_wait_for_their_end),
		T(wrong_answers_are_strange),
		T(hostile_names_are_left_out),
		T(a_name_is_asked_about_in_quotes_if_need_be),
		T(lines_between_those_of_an_answer_are_passed_over),
		T(broken_answers_end_nothing),
		T(nothing_is_read_before_an_answer),
	};

	simulated_time();
	return cmocka_run_group_tests_name("bird", tests, NULL, NULL);
}
