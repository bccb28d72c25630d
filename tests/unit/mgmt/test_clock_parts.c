/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The believed time: what peers say of a clock, what outlives a restart, and a certificate that
 * is replaced.
 */
#include "lone_node.h"
#include "certificates.h"
#include "tests/unit/answers.h"
#include "tests/unit/mgmt/mgmt_answers.h"
#include "tests/unit/suite.h"
#include "told_time.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/timex.h>

#include "base/believed.h"
#include "base/clock.h"
#include "base/page.h"
#include "mgmt/api/handle.h"
#include "mgmt/observe/observe.h"
#include "mgmt/overrides/hlc.h"
#include "mgmt/peers/peers_internal.h"
#include "mgmt/peers/timekeep.h"
#include "weir/condition.h"
#include "weir/stats.h"

#define NOW    5000000 /* of the boot clock */
#define DAY_MS 86400000LL

/* The kernel's word. */
static bool is_synchronised;

static int own_adjtimex(struct timex *t)
{
	t->status = is_synchronised ? 0 : STA_UNSYNC;
	return TIME_OK;
}

/* How often a certificate was loaded. */
static unsigned n_loaded;

static SSL_CTX *own_SSL_CTX_new(const SSL_METHOD *method)
{
	n_loaded++;
	return __real_SSL_CTX_new(method);
}

static struct peers heard;
static struct peers_report *const views = heard.reports;

static int setup(void **state)
{
	(void)state;
	told_ms = NOW;
	told_wall_ms = NOW_MS;
	is_synchronised = true;
	memset(&heard, 0, sizeof(heard));
	lone_node_open("");
	assert_int_equal(stats_create(this_node.dirs.run, "mgmt", 64, &this_node.stats), 0);
	observe_begin(&this_node);
	this_node.peers = &heard;
	this_node.stopping = true; /* nobody waits for nodes */
	return 0;
}

static int teardown(void **state)
{
	timekeep_close(&this_node);
	observe_end(&this_node);
	stats_close(this_node.stats);
	return lone_node_close(state);
}

/* A peer heard @p age_ms ago, whose clock is @p off_ms before ours, give or take @p slack_ms. */
static void hear_peer(size_t i, uint64_t age_ms, int64_t off_ms, int64_t slack_ms)
{
	views[i] =
	        (struct peers_report){ .answered_ms = told_ms - age_ms,
		                       .clock_known = true,
		                       .clock_offset_ms = told_wall_ms - (int64_t)told_ms - off_ms,
		                       .clock_slack_ms = slack_ms };
	if (heard.n_reports <= i)
		heard.n_reports = i + 1;
}

static const char *peers_say(void)
{
	static char word[16];

	timekeep_tick(&this_node);
	json_t *shown = timekeep_json(&this_node);

	snprintf(word, sizeof(word), "%s", json_string_value(json_object_get(shown, "peers_say")));
	json_decref(shown);
	return word;
}

static void peers_agree_within_a_step(void **state)
{
	static const struct {
		int64_t off_ms, slack_ms;
		bool agrees;
	} rows[] = { { 2000, 0, true },    { 2001, 0, false },   { -2000, 0, true },
		     { -2001, 0, false },  { 2300, 300, true },  { 2301, 300, false },
		     { -2300, 300, true }, { -2301, 300, false } };

	(void)state;
	assert_int_equal(timekeep_open(&this_node), 0);
	assert_string_equal(peers_say(), "none");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		hear_peer(0, 0, rows[i].off_ms, rows[i].slack_ms);
		if (strcmp(peers_say(), rows[i].agrees ? "agree" : "differ") != 0)
			fail_msg("row %zu", i);
	}
	hear_peer(1, 0, 0, 0); /* one that agrees is enough, whichever */
	assert_string_equal(peers_say(), "agree");
}

static void who_says_nothing_does_not_differ(void **state)
{
	(void)state;
	assert_int_equal(timekeep_open(&this_node), 0);
	hear_peer(0, PEERS_STALE_MS, 0, 0);
	assert_string_equal(peers_say(), "agree");
	hear_peer(0, PEERS_STALE_MS + 1, 0, 0);
	assert_string_equal(peers_say(), "unheard");
	views[0].answered_ms = 0;
	assert_string_equal(peers_say(), "unheard");
	views[0].unasked = true; /* it is never asked */
	assert_string_equal(peers_say(), "none");
	hear_peer(1, 0, 0, 0);
	views[1].clock_known = false; /* it is not asked itself */
	assert_string_equal(peers_say(), "none");
	hear_peer(2, 0, 9000, 0);
	assert_string_equal(peers_say(), "differ");
	views[0].unasked = false; /* one silent, one that differs: it was heard */
	assert_string_equal(peers_say(), "differ");
}

/* How much sooner what is to begin at one moment on all nodes is announced now. */
static int64_t skew_now(void)
{
	intent_expect_skew(this_node.intent, 0);
	int64_t without_ms = intent_ahead_ms(this_node.intent);

	timekeep_tick(&this_node);
	return intent_ahead_ms(this_node.intent) - without_ms;
}

/* How far off this node's clock commands are stamped. */
static int64_t stamp_off_now(void)
{
	timekeep_tick(&this_node);
	return intent_stamp_ms(this_node.intent, NOW_MS) - NOW_MS;
}

/* How far clocks may differ is by all that are heard, and by no other. */
static void the_skew_is_that_of_the_clock_that_differs_most(void **state)
{
	static const struct {
		const char *why;
		size_t n;
		int64_t off_ms[3], slack_ms;
		uint64_t age_ms; /* of the last one's answer */
		int64_t skew_ms;
	} rows[] = {
		{ "no peer", 0, { 900, 900, 900 }, 0, 0, 0 },
		{ "the first alone", 1, { 500, 900, 900 }, 0, 0, 500 },
		{ "two of three", 2, { 500, 700, 900 }, 0, 0, 700 },
		{ "the last", 3, { 500, 700, 900 }, 0, 0, 900 },
		{ "the first is the most", 3, { 900, 700, 500 }, 0, 0, 900 },
		{ "behind", 3, { -900, 700, 500 }, 0, 0, 900 },
		{ "beyond what measuring may be wrong", 3, { 0, 0, 900 }, 300, 0, 600 },
		{ "within it", 3, { 0, 0, 300 }, 300, 0, 0 },
		{ "heard just lately enough", 3, { 0, 0, 900 }, 0, PEERS_STALE_MS, 900 },
		{ "not heard lately", 3, { 0, 0, 900 }, 0, PEERS_STALE_MS + 1, 0 },
	};

	(void)state;
	assert_int_equal(timekeep_open(&this_node), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t k = 0; k < 3; k++)
			hear_peer(k, k == 2 ? rows[i].age_ms : 0, rows[i].off_ms[k],
			          rows[i].slack_ms);
		heard.n_reports = rows[i].n;
		if (skew_now() != rows[i].skew_ms)
			fail_msg("%s", rows[i].why);
	}
	heard.n_reports = 3;
	hear_peer(2, 0, 900, 0);
	this_node.peers = NULL; /* none is asked */
	assert_int_equal(skew_now(), 0);
}

/* Beyond those that are reported there is nothing, whatever the memory there holds. */
static void who_is_no_peer_any_more_says_nothing_of_the_clock(void **state)
{
	(void)state;
	assert_int_equal(timekeep_open(&this_node), 0);
	hear_peer(0, 0, 9000, 0);
	hear_peer(1, 0, 0, 0);
	heard.n_reports = 1;
	assert_string_equal(peers_say(), "differ");
	hear_peer(0, 0, 9 * HLC_AHEAD_MS, 0);
	hear_peer(1, 0, 0, 0);
	hear_peer(2, 0, 9 * HLC_AHEAD_MS, 0);
	heard.n_reports = 2;
	assert_int_equal(stamp_off_now(), 0);
	heard.n_reports = 3; /* two of three */
	assert_int_equal(stamp_off_now(), -9 * HLC_AHEAD_MS);
}

/* The record of STATE/clock as text; NULL: there is none. */
static char *read_record(void)
{
	static char text[256];
	char path[PATH_MAX];

	assert_int_equal(proc_path(this_node.dirs.state, TIMEKEEP_FILE, path), 0);
	FILE *f = fopen(path, "r");
	if (!f)
		return NULL;
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	return text;
}

/* Open with this record alone: the page of the run directory went with the boot. */
static void open_with(const char *text)
{
	char path[PATH_MAX];

	timekeep_close(&this_node);
	assert_int_equal(proc_path(this_node.dirs.run, BELIEVED_PAGE, path), 0);
	unlink(path);
	fixture_write(place.state, TIMEKEEP_FILE, text);
	assert_int_equal(timekeep_open(&this_node), 0);
}

static int64_t believed_now(void)
{
	return clock_believed_ms();
}

static void time_goes_on_over_a_restart(void **state)
{
	const unsigned long long boot = clock_boot();
	char text[160];

	(void)state;
	is_synchronised = false; /* so that the kernel's clock has no say */
	told_wall_ms = NOW_MS + 86400000;
	snprintf(text, sizeof(text), "weir-clock 1\n%llx %d %lld 1 %lld end\n", boot, NOW - 9000,
	         (long long)NOW_MS, (long long)NOW_MS - 5000);
	open_with(text);
	assert_int_equal(believed_now(), NOW_MS + 9000);
	assert_int_equal(timekeep_purge_ms(&this_node), NOW_MS - 5000 + 9000);
	assert_int_equal(timekeep_hold(&this_node), WALL_CLOCK_STEPPED);
	snprintf(text, sizeof(text), "weir-clock 1\n%llx %d %lld 1 %lld end\n", boot + 1,
	         NOW - 9000, (long long)NOW_MS, (long long)NOW_MS - 5000);
	open_with(text); /* of another boot: it is not known how long that is ago */
	assert_int_equal(believed_now(), NOW_MS);
	assert_int_equal(timekeep_purge_ms(&this_node), NOW_MS - 5000);
	assert_int_equal(timekeep_hold(&this_node), WALL_CLOCK_BOOTED);
	snprintf(text, sizeof(text), "weir-clock 1\n%llx %d %lld 1 %lld end\n", boot, NOW + 1,
	         (long long)NOW_MS, (long long)NOW_MS);
	open_with(text); /* this boot is not that old */
	assert_int_equal(believed_now(), NOW_MS);
}

static void a_broken_record_is_none(void **state)
{
	static const char *const bad[] = {
		"",
		"weir-clock 2\n7 1 1790000000000 1 1790000000000 end\n",
		"weir-clock 1\n7 1 1790000000000 1 1790000000000\n",
		"weir-clock 1\n7 1 1790000000000 1 17900\n",
		"weir-clock 1\n7 1 0 1 1790000000000 end\n",
		"weir-clock 1\n7 1 1790000000000 1 -5 end\n",
		"weir-clock 1\n7 1 999999999999999999 1 1790000000000 end\n",
		"weir-clock 1\n7 1 1790000000000 1 999999999999999999 end\n",
	};

	(void)state;
	told_wall_ms = NOW_MS + 86400000;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		open_with(bad[i]);
		if (believed_now() != told_wall_ms || timekeep_purge_ms(&this_node) != told_wall_ms)
			fail_msg("row %zu", i);
	}
}

/* Kept once a minute, and at the end; what is purged never runs ahead of the time. */
static void the_time_is_kept(void **state)
{
	char first[256];

	(void)state;
	open_with("");
	timekeep_tick(&this_node);
	snprintf(first, sizeof(first), "%s", read_record());
	for (int i = 1; i <= 60; i++) {
		told_ms += 1000;
		told_wall_ms += 1000;
		timekeep_tick(&this_node);
		assert_true(timekeep_purge_ms(&this_node) <= believed_now());
		if (!strcmp(read_record(), first) != (i < 60))
			fail_msg("after %d s: %s", i, read_record());
	}
	assert_non_null(strstr(read_record(), " end\n"));
	told_ms += 1000;
	told_wall_ms += 1000;
	timekeep_tick(&this_node);
	snprintf(first, sizeof(first), "%s", read_record());
	timekeep_close(&this_node);
	assert_string_not_equal(read_record(), first);
	assert_int_equal(timekeep_open(&this_node), 0);
	assert_int_equal(believed_now(), told_wall_ms);
	assert_int_equal(timekeep_purge_ms(&this_node), told_wall_ms);
}

/*
 * The other processes read the time from a page: each tick writes it, with a sign of life, also
 * over damage.
 */
static void the_time_is_on_a_page(void **state)
{
	char path[PATH_MAX];
	struct wall_clock read;

	(void)state;
	open_with("");
	assert_int_equal(proc_path(this_node.dirs.run, BELIEVED_PAGE, path), 0);
	for (int damaged = 0; damaged < 2; damaged++) {
		struct page *page;

		if (damaged)
			assert_int_equal(truncate(path, 0), 0);
		told_ms += 1000;
		told_wall_ms += 1000;
		timekeep_tick(&this_node);
		assert_int_equal(
		        page_open(path, BELIEVED_PAGE_KIND, BELIEVED_PAGE_LAYOUT, NULL, &page), 0);
		assert_int_equal(page_header(page)->alive_ms, told_ms);
		memset(&read, 0, sizeof(read));
		assert_true(believed_begin(page_payload(page), clock_boot(), told_ms, &read));
		assert_int_equal(read.at_ms, told_wall_ms);
		page_close(page);
	}
}

/* A peer hears the kernel's clock only where that is disciplined. */
static void a_peer_is_told_the_better_clock(void **state)
{
	(void)state;
	open_with("");
	for (int i = 0; i < 2; i++) {
		is_synchronised = i == 0;
		timekeep_tick(&this_node);
		assert_int_equal(timekeep_shown_ms(&this_node) == told_wall_ms, i == 0);
		told_wall_ms += 86400000;
	}
}

static struct http_reply answer;

/* Ask for the clock to be accepted, with @p body and a query of one pair. @return the status */
static unsigned accept_with(const char *body, const char *name, const char *value)
{
	struct http_request r = { .method = "POST", .principal = "ada", .identity = "token:ada" };

	if (*name) {
		r.n_query = 1;
		snprintf(r.query[0].name, sizeof(r.query[0].name), "%s", name);
		snprintf(r.query[0].value, sizeof(r.query[0].value), "%s", value);
	}
	r.json = json_loads(body, 0, NULL);
	http_reply_fini(&answer);
	memset(&answer, 0, sizeof(answer));
	handle_clock_accept(&this_node, &r, &answer);
	json_decref(r.json);
	return answer.status;
}

static json_int_t number_in_answer(const char *name)
{
	return json_integer_value(json_object_get(answer.json, name));
}

static bool is_recorded(const char *words)
{
	struct journal *j = intent_journal(this_node.intent);

	for (uint64_t id = journal_oldest(j); id <= journal_last(j); id++) {
		const struct event *e = journal_find(j, id);

		if (e && strstr(e->message, words))
			return true;
	}
	return false;
}

#define WHY "{\"reason\":\"it is right\"}"

/* The clock leapt by a day; nobody follows until a person says so. */
static void a_person_accepts_the_clock(void **state)
{
	(void)state;
	open_with("");
	is_synchronised = false;
	told_wall_ms += 86400000;
	timekeep_tick(&this_node);
	assert_int_equal(believed_now(), NOW_MS);
	assert_int_equal(accept_with("{}", "", ""), 422); /* no reason */
	assert_int_equal(accept_with("{\"reason\":\" \"}", "", ""), 422);
	assert_int_equal(accept_with("{\"reason\":\"x\",\"to\":5}", "", ""), 422);
	assert_int_equal(accept_with(WHY, "dry_run", "1"), 400);
	assert_int_equal(accept_with(WHY, "wait", "some"), 400);
	assert_int_equal(accept_with(WHY, "dry_run", "true"), 200);
	assert_true(number_in_answer("moved_ms") == 86400000);
	assert_true(json_is_true(json_object_get(answer.json, "dry_run")));
	assert_string_equal(json_string_value(json_object_get(answer.json, "state")), "stepped");
	assert_int_equal(believed_now(), NOW_MS);
	assert_null(json_object_get(answer.json, "nodes")); /* nobody was waited for */
	assert_false(is_recorded("accepted"));
	assert_int_equal(accept_with(WHY, "", ""), 200);
	assert_true(number_in_answer("moved_ms") == 86400000 && number_in_answer("off_by_ms") == 0);
	assert_null(json_object_get(answer.json, "dry_run"));
	assert_true(believed_now() == NOW_MS + 86400000);
	assert_non_null(json_object_get(answer.json, "nodes"));
	assert_true(is_recorded("accepted by ada (token:ada): it is right"));
	assert_string_equal(intent_principal(this_node.intent),
	                    "weir"); /* what follows is not hers */
	told_wall_ms -= 3600000;
	timekeep_tick(&this_node);
	assert_int_equal(accept_with("{\"reason\":\"x\",\"author\":\"eve\"}", "", ""), 200);
	assert_true(number_in_answer("moved_ms") == -3600000);
	assert_true(is_recorded("accepted by eve (token:ada): x"));
	http_reply_fini(&answer);
	memset(&answer, 0, sizeof(answer));
}

static void the_clock_is_shown_as_it_is(void **state)
{
	struct http_request r = { .method = "GET" };

	(void)state;
	open_with("");
	hear_peer(0, 0, -700, 1000); /* it is later by its clock */
	snprintf(views[0].node, sizeof(views[0].node), "fra-1");
	views[1] = (struct peers_report){ .node = "lon-1" };
	heard.n_reports = 2;
	timekeep_tick(&this_node);
	memset(&answer, 0, sizeof(answer));
	handle_clock(&this_node, &r, &answer);
	assert_int_equal(answer.status, 200);
	assert_string_equal(json_string_value(json_object_get(answer.json, "peers_say")), "agree");
	assert_true(json_is_true(json_object_get(answer.json, "synchronised")));
	const json_t *list = json_object_get(answer.json, "peers");
	assert_int_equal(json_array_size(list), 2);
	const json_t *first = json_array_get(list, 0), *second = json_array_get(list, 1);
	assert_string_equal(json_string_value(json_object_get(first, "node")), "fra-1");
	assert_int_equal(json_integer_value(json_object_get(first, "off_by_ms")), 700);
	assert_true(json_is_null(json_object_get(second, "off_by_ms"))); /* it has told none */
	http_reply_fini(&answer);
	memset(&answer, 0, sizeof(answer));
}

/* A certificate that ends at @p end_s, and its key. */
/* A server of the API with this certificate, on loopback. */
static struct http_server *serve_with(const struct pem *pair)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct http_options options = { .listen_fd =
		                                socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0),
		                        .peers_fd = -1,
		                        .tls = { .cert = pair->cert, .key = pair->key },
		                        .core = &this_node,
		                        .bells = &this_node.bells,
		                        .counters = &this_node.counters };
	struct http_server *server;

	http_counters_open(this_node.stats, &this_node.counters);
	assert_int_equal(bind(options.listen_fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(options.listen_fd, 1), 0);
	assert_int_equal(http_serve(&options, &server), 0);
	return server;
}

static struct conditions stated;

static const struct condition *state_certificate(void)
{
	conditions_begin(this_node.stats, 1);
	certificate_state(&this_node, &this_node.certificate);
	conditions_end(this_node.stats);
	assert_int_equal(conditions_read(this_node.dirs.run, "mgmt", &stated), 0);
	return stated.n ? &stated.items[0] : NULL;
}

static void believe_time(int64_t wall_ms)
{
	clock_believe(wall_ms - (int64_t)told_ms);
}

/* The path of a file of the configuration directory. */
static const char *file_of(const char *name)
{
	static char path[PATH_MAX];

	assert_int_equal(proc_path(place.conf, name, path), 0);
	return path;
}

/*
 * Both files are replaced one after the other: for a moment they do not fit, and that is no
 * trouble.
 */
static void a_certificate_is_followed(void **state)
{
	struct certificate *c = &this_node.certificate;
	struct http_server *server;
	struct pem first, other;

	(void)state;
	make_pair(&first, NULL, NOW_MS / 1000 + 100 * 86400);
	believe_time(NOW_MS);
	make_pair(&other, NULL, NOW_MS / 1000 + 200 * 86400);
	server = serve_with(&first);
	n_loaded = 0;
	fixture_write(place.conf, "tls.crt", first.cert);
	fixture_write(place.conf, "tls.key", first.key);
	certificate_note(&this_node, c);
	certificate_follow(&this_node, c, server);
	assert_int_equal(n_loaded, 0);
	fixture_write(place.conf, "tls.crt", other.cert);
	certificate_follow(&this_node, c, server);
	assert_int_equal(n_loaded, 1);
	assert_null(state_certificate());
	certificate_follow(&this_node, c, server); /* not again and again */
	assert_int_equal(n_loaded, 1);
	told_ms += 2999;
	assert_null(state_certificate());
	told_ms++;
	assert_string_equal(state_certificate()->code, "certificate-refused");
	assert_non_null(strstr(state_certificate()->text, "(the key is not the certificate's)"));
	assert_non_null(strstr(state_certificate()->text, "install a certificate and its key"));
	struct proc_dirs dirs = this_node.dirs;
	memset(this_node.dirs.conf, 'd', 200); /* a long path does not push out what to do */
	assert_non_null(strstr(state_certificate()->text, "install a certificate and its key"));
	this_node.dirs = dirs;
	fixture_write(place.conf, "tls.key", "still wrong");
	certificate_follow(&this_node, c, server);
	assert_int_equal(n_loaded, 2);
	certificate_follow(&this_node, c, server); /* nor for the key */
	assert_int_equal(n_loaded, 2);
	assert_non_null(state_certificate()); /* since the first failure, not the last */
	fixture_write(place.conf, "tls.key", other.key);
	certificate_follow(&this_node, c, NULL); /* nothing is served over TCP: nothing to renew */
	assert_int_equal(n_loaded, 2);
	certificate_follow(&this_node, c, server);
	assert_int_equal(n_loaded, 3);
	assert_null(state_certificate());
	assert_true(http_certificate_end_ms(server) == NOW_MS + 200 * DAY_MS);
	assert_int_equal(unlink(file_of("tls.crt")), 0); /* it is being replaced */
	certificate_follow(&this_node, c, server);
	assert_int_equal(n_loaded, 3);
	told_ms += 3000;
	assert_string_equal(state_certificate()->code, "certificate-refused");
	http_stop(server);
}

/* A pair that fits, and that no peer accepts: whoever is connected goes on, and nobody comes back. */
static void a_certificate_that_peers_refuse_is_told(void **state)
{
	struct certificate *c = &this_node.certificate;
	struct http_server *server;
	struct pem own, other;

	(void)state;
	*c = (struct certificate){ .error = 0 };
	believe_time(NOW_MS);
	make_pair(&own, "127.0.0.1", NOW_MS / 1000 + 100 * 86400);
	make_pair(&other, "127.0.0.1", NOW_MS / 1000 + 100 * 86400);
	server = serve_with(&own);
	fixture_write(place.conf, "tls.crt", own.cert);
	fixture_write(place.conf, "tls.key", own.key);
	certificate_judge(&this_node, c, server, "127.0.0.1"); /* all trust this one */
	assert_string_equal(c->fault, "");
	fixture_write(place.conf, "tls.ca", other.cert);
	certificate_judge(&this_node, c, server, "127.0.0.1");
	assert_null(state_certificate()); /* files are replaced one after the other */
	told_ms += 3000;
	assert_string_equal(state_certificate()->code, "certificate-not-accepted");
	assert_int_equal(state_certificate()->level, CONDITION_DEGRADED);
	assert_non_null(strstr(state_certificate()->text, "and that names 127.0.0.1"));
	certificate_judge(&this_node, c, server, ""); /* there are no peers */
	assert_null(state_certificate());
	fixture_write(place.conf, "tls.ca", own.cert);
	certificate_judge(&this_node, c, server, "127.0.0.2");
	told_ms += 3000;
	assert_non_null(strstr(state_certificate()->text, "it does not name 127.0.0.2"));
	certificate_judge(&this_node, c, server, "127.0.0.1");
	assert_null(state_certificate());
	assert_int_equal(unlink(file_of("tls.ca")), 0);
	http_stop(server);
}

/* Peers that are connected go on as if nothing had been, until one is restarted: then all are lost at once. */
static void a_certificate_that_ends_is_told(void **state)
{
	const int64_t end_ms = NOW_MS + 86400000;
	struct http_server *server;
	struct pem pair;
	struct certificate *c = &this_node.certificate;
	static const struct {
		int64_t left_ms;
		const char *said;
		enum condition_level level;
	} rows[] = {
		{ 14 * 86400000LL, NULL, CONDITION_NOTE },
		{ 14 * 86400000LL - 1, "ends at", CONDITION_NOTE },
		{ 1, "ends at", CONDITION_NOTE },
		{ 0, "has ended at", CONDITION_DEGRADED },
		{ -400 * 86400000LL, "has ended at", CONDITION_DEGRADED },
	};

	(void)state;
	make_pair(&pair, NULL, end_ms / 1000);
	server = serve_with(&pair);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		believe_time(end_ms - rows[i].left_ms);
		certificate_follow(&this_node, c, server);
		const struct condition *said = state_certificate();
		assert_int_equal(said != NULL, rows[i].said != NULL);
		if (!said)
			continue;
		assert_string_equal(said->code, "certificate-ends");
		assert_int_equal(said->level, rows[i].level);
		assert_non_null(strstr(said->text, rows[i].said));
		struct proc_dirs dirs = this_node.dirs;
		memset(this_node.dirs.conf, 'd',
		       200); /* a long path does not push out what to do */
		assert_non_null(strstr(state_certificate()->text, "nothing needs a restart"));
		this_node.dirs = dirs;
	}
	make_pair(&pair, NULL, end_ms / 1000 + 365 * 86400);
	fixture_write(place.conf, "tls.crt", pair.cert);
	fixture_write(place.conf, "tls.key", pair.key);
	believe_time(end_ms);
	certificate_follow(&this_node, c, server); /* another one is served from now on */
	certificate_follow(&this_node, c, server);
	assert_null(state_certificate());
	believe_time(end_ms + 366 * DAY_MS);
	assert_non_null(state_certificate());
	certificate_follow(&this_node, c, NULL); /* nothing is served over TCP any more */
	assert_null(state_certificate());
	http_stop(server);
}

/* The messages of all events behind @p after, each on its line. */
static const char *events_after(uint64_t after)
{
	static char text[4096];
	struct journal *j = intent_journal(this_node.intent);
	size_t at = 0;

	text[0] = '\0';
	for (uint64_t id = after + 1; id <= journal_last(j); id++) {
		const struct event *e = journal_find(j, id);

		assert_string_equal(e->kind, "clock");
		assert_string_equal(e->subject, "clock");
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s\n", e->message);
	}
	return text;
}

static void expect_gauges(uint64_t stepped, uint64_t off_by_s)
{
	assert_int_equal(
	        *stats_get_counter(this_node.stats, STATS_GAUGE, "weir_mgmt_clock_stepped", "", ""),
	        stepped);
	assert_int_equal(*stats_get_counter(this_node.stats, STATS_GAUGE,
	                                    "weir_mgmt_clock_off_by_seconds", "", ""),
	                 off_by_s);
}

/* A step is one event, with what it means, and its end another; the time of purges is never ahead of the believed one. */
static void a_step_is_told_until_it_is_accepted(void **state)
{
	uint64_t before;

	(void)state;
	open_with("");
	timekeep_tick(&this_node);
	expect_gauges(0, 0);
	before = journal_last(intent_journal(this_node.intent));
	is_synchronised = false;
	told_wall_ms -= 7200999;
	for (int i = 0; i < 2; i++) {
		timekeep_tick(&this_node);
		expect_gauges(1, 7200);
		assert_string_equal(
		        events_after(before),
		        "the wall clock is stepped, was good: the believed time continues "
		        "as if the clock had not stepped; weir clock shows both, weir "
		        "clock accept takes the new time\n");
	}
	before = journal_last(intent_journal(this_node.intent));
	assert_int_equal(accept_with(WHY, "", ""), 200);
	assert_string_equal(events_after(before),
	                    "the wall clock was accepted by ada (token:ada): it is right\n"
	                    "the wall clock is believed again: the believed time moved by -7200 s\n"
	                    "the wall clock is good, was stepped: the wall clock is followed\n");
	assert_int_equal(believed_now(), told_wall_ms);
	assert_int_equal(timekeep_purge_ms(&this_node), told_wall_ms);
	timekeep_tick(&this_node);
	expect_gauges(0, 0);
}

static void a_boot_with_an_earlier_time_is_told_as_a_step(void **state)
{
	const unsigned long long boot = clock_boot();
	char text[160];

	(void)state;
	is_synchronised = false;
	told_wall_ms = NOW_MS + 86400000;
	snprintf(text, sizeof(text), "weir-clock 1\n%llx %d %lld 1 %lld end\n", boot + 1,
	         NOW - 9000, (long long)NOW_MS, (long long)NOW_MS);
	open_with(text);
	uint64_t before = journal_last(intent_journal(this_node.intent));

	timekeep_tick(&this_node);
	expect_gauges(1, 86400);
	assert_int_equal(timekeep_hold(&this_node), WALL_CLOCK_BOOTED);
	snprintf(text, sizeof(text),
	         "the wall clock is %s, was good: ", wall_clock_hold_text(WALL_CLOCK_BOOTED));
	assert_int_equal(strncmp(events_after(before), text, strlen(text)), 0);
}

/* Only by more than what other nodes would not take. */
static void changes_are_stamped_by_the_others_where_this_clock_is_far_ahead(void **state)
{
	static const struct {
		int64_t off_ms, stamp_ms;
	} rows[] = { { 0, 0 },
		     { HLC_AHEAD_MS, 0 },
		     { HLC_AHEAD_MS + 1, -HLC_AHEAD_MS - 1 },
		     { -HLC_AHEAD_MS - 1, 0 } };

	(void)state;
	assert_int_equal(timekeep_open(&this_node), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		hear_peer(0, 0, rows[i].off_ms, 0);
		assert_int_equal(stamp_off_now(), rows[i].stamp_ms);
	}
	hear_peer(0, PEERS_STALE_MS + 1, 9 * HLC_AHEAD_MS, 0);
	assert_int_equal(stamp_off_now(), 0);
}

static void what_a_wrong_clock_stamped_is_stamped_again_after_a_start(void **state)
{
	const uint64_t ahead = (uint64_t)(NOW_MS + 3600000) << 11;
	struct override o = { .id = "ams-1-1",
		              .kind = MODEL_OVERRIDE_DRAIN,
		              .target = MODEL_TARGET_SITE,
		              .name = "ams",
		              .generation = ahead,
		              .created_ms = NOW_MS,
		              .from_ms = NOW_MS,
		              .until_ms = MODEL_TIME_NEVER,
		              .author = "ada",
		              .node = "ams-1" };

	(void)state;
	assert_int_equal(timekeep_open(&this_node), 0);
	assert_int_equal(intent_merge(this_node.intent, &o, 1, NOW_MS), 1);
	is_synchronised = false; /* nobody says yet that it is right */
	timekeep_tick(&this_node);
	assert_true(overrides_find(intent_overrides(this_node.intent), o.id)->generation == ahead);
	is_synchronised = true;
	told_ms += 1000;
	told_wall_ms += 1000;
	timekeep_tick(&this_node);
	assert_true(overrides_find(intent_overrides(this_node.intent), o.id)->generation ==
	            (uint64_t)told_wall_ms << 11);
	o.generation = ahead; /* what comes later is another matter */
	assert_int_equal(intent_merge(this_node.intent, &o, 1, NOW_MS), 1);
	timekeep_tick(&this_node);
	assert_true(overrides_find(intent_overrides(this_node.intent), o.id)->generation == ahead);
}

SUITE(clock_parts)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(peers_agree_within_a_step),
		T(the_skew_is_that_of_the_clock_that_differs_most),
		T(who_is_no_peer_any_more_says_nothing_of_the_clock),
		T(who_says_nothing_does_not_differ),
		T(time_goes_on_over_a_restart),
		T(a_broken_record_is_none),
		T(the_time_is_kept),
		T(the_time_is_on_a_page),
		T(a_peer_is_told_the_better_clock),
		T(a_person_accepts_the_clock),
		T(the_clock_is_shown_as_it_is),
		T(a_step_is_told_until_it_is_accepted),
		T(a_boot_with_an_earlier_time_is_told_as_a_step),
		T(changes_are_stamped_by_the_others_where_this_clock_is_far_ahead),
		T(what_a_wrong_clock_stamped_is_stamped_again_after_a_start),
		T(a_certificate_is_followed),
		T(a_certificate_that_peers_refuse_is_told),
		T(a_certificate_that_ends_is_told),
	};

	told_time_begin(TOLD_APART);
	answer_SSL_CTX_new = own_SSL_CTX_new;
	answer_adjtimex = own_adjtimex;
	return cmocka_run_group_tests_name("clock parts", tests, NULL, NULL);
}
