/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The believed time: what peers say of a clock, what outlives a restart, and a certificate that
 * is replaced.
 */
#include "asked.h"

#include <errno.h>

#include "mgmt/core/certificate.h"
#include "mgmt/api/handle.h"
#include "mgmt/api/idempotent.h"
#include "mgmt/peers/peers.h"
#include "mgmt/peers/timekeep.h"
#include "weir/condition.h"
#include "weir/stats.h"

#define NOW 5000000 /* of the boot clock */

static uint64_t fake_ms;
static int64_t fake_wall;
static uint64_t fake_boot;
static bool fake_synchronised;
static struct peers_report views[3];
static size_t n_peer_reports;
static int renew_rc;
static unsigned n_renewed;

static uint64_t fake_mono_ms(void)
{
	return fake_ms;
}

static int64_t fake_wall_ms(void)
{
	return fake_wall;
}

static uint64_t fake_clock_boot(void)
{
	return fake_boot;
}

static bool fake_is_synchronised(void)
{
	return fake_synchronised;
}

static size_t fake_view(const struct core *core, const struct peers_report **out)
{
	(void)core;
	*out = views;
	return n_peer_reports;
}

/* The pair is there, whatever it is. */
static int fake_slurp(const char *path, char **out, size_t *n)
{
	*out = strdup(path);
	*n = strlen(path);
	return 0;
}

static int fake_renew(struct http_server *server, const char *cert, const char *key)
{
	(void)server;
	assert_non_null(strstr(cert, "tls.crt"));
	assert_non_null(strstr(key, "tls.key"));
	n_renewed++;
	return renew_rc;
}

static int64_t fake_certificate_end;

static int64_t fake_end(struct http_server *server)
{
	(void)server;
	return fake_certificate_end;
}

static int64_t fake_believed_ms(void);

static unsigned n_waits;

static void fake_wait(struct core *core, const struct http_request *r, struct http_reply *reply)
{
	(void)core;
	(void)r;
	(void)reply;
	assert_false(asked_is_locked()); /* nobody waits with the lock */
	n_waits++;
}

/* The private parts too. */
#define clock_mono_ms           fake_mono_ms
#define clock_believed_ms       fake_believed_ms
#define handle_wait             fake_wait
#define clock_realtime_ms       fake_wall_ms
#define clock_boot              fake_clock_boot
#define clock_is_synchronised   fake_is_synchronised
#define peers_report(core, out) fake_view(core, out)
#define files_slurp             fake_slurp
#define http_renew              fake_renew
#define http_certificate_end_ms fake_end
#include "mgmt/peers/timekeep.c"
#include "mgmt/core/certificate.c"
#define timekeep_json(core)         UNDER_LOCK(timekeep_json(core))
#define timekeep_accept(core, a, r) UNDER_LOCK(timekeep_accept(core, a, r))
#include "mgmt/api/handle_clock.c"
#undef peers_report

static int64_t fake_believed_ms(void)
{
	const struct wall_clock *w = &this_node.clock->wall_clock;

	return w->at_ms + (int64_t)(fake_ms - w->mono_ms);
}

static int setup(void **state)
{
	(void)asked_setup(state);
	assert_int_equal(stats_create(this_node.dirs.run, "mgmt", 64, &this_node.stats), 0);
	fake_ms = NOW;
	fake_wall = NOW_MS;
	fake_boot = 7;
	fake_synchronised = true;
	memset(views, 0, sizeof(views));
	n_peer_reports = 0;
	renew_rc = 0;
	fake_certificate_end = 0;
	n_renewed = 0;
	this_node.peers = (struct peers *)(uintptr_t)views;
	return 0;
}

static int teardown(void **state)
{
	timekeep_close(&this_node);
	stats_close(this_node.stats);
	return asked_teardown(state);
}

/* A peer heard @p age_ms ago, whose clock is @p off_ms before ours, give or take @p slack_ms. */
static void hear_peer(size_t i, uint64_t age_ms, int64_t off_ms, int64_t slack_ms)
{
	views[i] = (struct peers_report){ .answered_ms = fake_ms - age_ms,
		                          .clock_known = true,
		                          .clock_offset_ms = fake_wall - (int64_t)fake_ms - off_ms,
		                          .clock_slack_ms = slack_ms };
	if (n_peer_reports <= i)
		n_peer_reports = i + 1;
}

static enum wall_clock_peers judge_peers(void)
{
	return hear_peers(&this_node, fake_ms, fake_wall);
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
	assert_int_equal(judge_peers(), WALL_CLOCK_PEERS_NONE);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		hear_peer(0, 0, rows[i].off_ms, rows[i].slack_ms);
		if (judge_peers() !=
		    (rows[i].agrees ? WALL_CLOCK_PEERS_AGREE : WALL_CLOCK_PEERS_DIFFER))
			fail_msg("row %zu", i);
	}
	hear_peer(1, 0, 0, 0); /* one that agrees is enough, whichever */
	assert_int_equal(judge_peers(), WALL_CLOCK_PEERS_AGREE);
}

static void who_says_nothing_does_not_differ(void **state)
{
	(void)state;
	hear_peer(0, PEERS_STALE_MS, 0, 0);
	assert_int_equal(judge_peers(), WALL_CLOCK_PEERS_AGREE);
	hear_peer(0, PEERS_STALE_MS + 1, 0, 0);
	assert_int_equal(judge_peers(), WALL_CLOCK_PEERS_UNHEARD);
	views[0].answered_ms = 0;
	assert_int_equal(judge_peers(), WALL_CLOCK_PEERS_UNHEARD);
	views[0].unasked = true; /* it is never asked */
	assert_int_equal(judge_peers(), WALL_CLOCK_PEERS_NONE);
	hear_peer(1, 0, 0, 0);
	views[1].clock_known = false; /* it is not asked itself */
	assert_int_equal(judge_peers(), WALL_CLOCK_PEERS_NONE);
	hear_peer(2, 0, 9000, 0);
	assert_int_equal(judge_peers(), WALL_CLOCK_PEERS_DIFFER);
	views[0].unasked = false; /* one silent, one that differs: it was heard */
	assert_int_equal(judge_peers(), WALL_CLOCK_PEERS_DIFFER);
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
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t k = 0; k < 3; k++)
			hear_peer(k, k == 2 ? rows[i].age_ms : 0, rows[i].off_ms[k],
			          rows[i].slack_ms);
		n_peer_reports = rows[i].n;
		if (find_skew(&this_node, fake_ms, fake_wall) != rows[i].skew_ms)
			fail_msg("%s", rows[i].why);
	}
	n_peer_reports = 3;
	hear_peer(2, 0, 900, 0);
	this_node.peers = NULL; /* none is asked */
	assert_int_equal(find_skew(&this_node, fake_ms, fake_wall), 0);
}

/* Beyond those that are reported there is nothing, whatever the memory there holds. */
static void who_is_no_peer_any_more_says_nothing_of_the_clock(void **state)
{
	(void)state;
	hear_peer(0, 0, 9000, 0);
	hear_peer(1, 0, 0, 0);
	n_peer_reports = 1;
	assert_int_equal(judge_peers(), WALL_CLOCK_PEERS_DIFFER);
	hear_peer(0, 0, 9 * HLC_AHEAD_MS, 0);
	hear_peer(1, 0, 0, 0);
	hear_peer(2, 0, 9 * HLC_AHEAD_MS, 0);
	n_peer_reports = 2;
	assert_int_equal(find_stamp_off(&this_node, fake_ms, fake_wall), 0);
	n_peer_reports = 3; /* two of three */
	assert_int_equal(find_stamp_off(&this_node, fake_ms, fake_wall), -9 * HLC_AHEAD_MS);
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
	fixture_write(asked_place.state, TIMEKEEP_FILE, text);
	assert_int_equal(timekeep_open(&this_node), 0);
}

static int64_t believed_now(void)
{
	return this_node.clock->wall_clock.at_ms;
}

static void time_goes_on_over_a_restart(void **state)
{
	char text[160];

	(void)state;
	fake_synchronised = false; /* so that the kernel's clock has no say */
	fake_wall = NOW_MS + 86400000;
	snprintf(text, sizeof(text), "weir-clock 1\n7 %d %lld 1 %lld end\n", NOW - 9000,
	         (long long)NOW_MS, (long long)NOW_MS - 5000);
	open_with(text);
	assert_int_equal(believed_now(), NOW_MS + 9000);
	assert_int_equal(timekeep_purge_ms(&this_node), NOW_MS - 5000 + 9000);
	assert_int_equal(timekeep_hold(&this_node), WALL_CLOCK_STEPPED);
	snprintf(text, sizeof(text), "weir-clock 1\n8 %d %lld 1 %lld end\n", NOW - 9000,
	         (long long)NOW_MS, (long long)NOW_MS - 5000);
	open_with(text); /* of another boot: it is not known how long that is ago */
	assert_int_equal(believed_now(), NOW_MS);
	assert_int_equal(timekeep_purge_ms(&this_node), NOW_MS - 5000);
	assert_int_equal(timekeep_hold(&this_node), WALL_CLOCK_BOOTED);
	snprintf(text, sizeof(text), "weir-clock 1\n7 %d %lld 1 %lld end\n", NOW + 1,
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
	fake_wall = NOW_MS + 86400000;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		open_with(bad[i]);
		if (believed_now() != fake_wall || timekeep_purge_ms(&this_node) != fake_wall)
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
		fake_ms += 1000;
		fake_wall += 1000;
		timekeep_tick(&this_node);
		assert_true(timekeep_purge_ms(&this_node) <= believed_now());
		if (!strcmp(read_record(), first) != (i < 60))
			fail_msg("after %d s: %s", i, read_record());
	}
	assert_non_null(strstr(read_record(), " end\n"));
	fake_ms += 1000;
	fake_wall += 1000;
	timekeep_tick(&this_node);
	snprintf(first, sizeof(first), "%s", read_record());
	timekeep_close(&this_node);
	assert_string_not_equal(read_record(), first);
	assert_int_equal(timekeep_open(&this_node), 0);
	assert_int_equal(believed_now(), fake_wall);
	assert_int_equal(timekeep_purge_ms(&this_node), fake_wall);
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
		fake_ms += 1000;
		fake_wall += 1000;
		timekeep_tick(&this_node);
		assert_int_equal(
		        page_open(path, BELIEVED_PAGE_KIND, BELIEVED_PAGE_LAYOUT, NULL, &page), 0);
		assert_int_equal(page_header(page)->alive_ms, fake_ms);
		memset(&read, 0, sizeof(read));
		assert_true(believed_begin(page_payload(page), fake_boot, fake_ms, &read));
		assert_int_equal(read.at_ms, fake_wall);
		page_close(page);
	}
}

/* A peer hears the kernel's clock only where that is disciplined. */
static void a_peer_is_told_the_better_clock(void **state)
{
	(void)state;
	open_with("");
	for (int i = 0; i < 2; i++) {
		this_node.clock->synchronised = i == 0;
		assert_int_equal(timekeep_shown_ms(&this_node) == fake_wall, i == 0);
		fake_wall += 86400000;
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
	fake_synchronised = false;
	fake_wall += 86400000;
	timekeep_tick(&this_node);
	assert_int_equal(believed_now(), NOW_MS);
	n_waits = 0;
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
	assert_int_equal(n_waits, 0);
	assert_false(is_recorded("accepted"));
	assert_int_equal(accept_with(WHY, "", ""), 200);
	assert_true(number_in_answer("moved_ms") == 86400000 && number_in_answer("off_by_ms") == 0);
	assert_null(json_object_get(answer.json, "dry_run"));
	assert_true(believed_now() == NOW_MS + 86400000);
	assert_int_equal(n_waits, 1);
	assert_true(is_recorded("accepted by ada (token:ada): it is right"));
	assert_string_equal(intent_principal(this_node.intent),
	                    "weir"); /* what follows is not hers */
	fake_wall -= 3600000;
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
	hear_peer(0, 0, 0, 0);
	snprintf(views[0].node, sizeof(views[0].node), "fra-1");
	views[1] = (struct peers_report){ .node = "lon-1" };
	n_peer_reports = 2;
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
	assert_int_equal(json_integer_value(json_object_get(first, "off_by_ms")), 0);
	assert_true(json_is_null(json_object_get(second, "off_by_ms"))); /* it has told none */
	http_reply_fini(&answer);
	memset(&answer, 0, sizeof(answer));
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

/*
 * Both files are replaced one after the other: for a moment they do not fit, and that is no
 * trouble.
 */
static void a_certificate_is_followed(void **state)
{
	struct http_server *server = (struct http_server *)(uintptr_t)&renew_rc;
	struct certificate *c = &this_node.certificate;

	(void)state;
	fixture_write(asked_place.conf, "tls.crt", "one");
	fixture_write(asked_place.conf, "tls.key", "one");
	certificate_note(&this_node, c);
	certificate_follow(&this_node, c, server);
	assert_int_equal(n_renewed, 0);
	fixture_write(asked_place.conf, "tls.crt", "other");
	renew_rc = -EINVAL;
	certificate_follow(&this_node, c, server);
	assert_int_equal(n_renewed, 1);
	assert_null(state_certificate());
	certificate_follow(&this_node, c, server); /* not again and again */
	assert_int_equal(n_renewed, 1);
	fake_ms += 2999;
	assert_null(state_certificate());
	fake_ms++;
	assert_string_equal(state_certificate()->code, "certificate-refused");
	assert_non_null(strstr(state_certificate()->text, "install a certificate and its key"));
	struct proc_dirs dirs = this_node.dirs;
	memset(this_node.dirs.conf, 'd', 200); /* a long path does not push out what to do */
	assert_non_null(strstr(state_certificate()->text, "install a certificate and its key"));
	this_node.dirs = dirs;
	fixture_write(asked_place.conf, "tls.key", "still wrong");
	certificate_follow(&this_node, c, server);
	assert_int_equal(n_renewed, 2);
	certificate_follow(&this_node, c, server); /* nor for the key */
	assert_int_equal(n_renewed, 2);
	assert_non_null(state_certificate()); /* since the first failure, not the last */
	fixture_write(asked_place.conf, "tls.key", "fits");
	renew_rc = 0;
	certificate_follow(&this_node, c, NULL); /* nothing is served over TCP: nothing to renew */
	assert_int_equal(n_renewed, 2);
	certificate_follow(&this_node, c, server);
	assert_int_equal(n_renewed, 3);
	assert_null(state_certificate());
}

/* Peers that are connected go on as if nothing had been, until one is restarted: then all are lost at once. */
static void a_certificate_that_ends_is_told(void **state)
{
	static const int64_t day_ms = 86400 * 1000;
	struct http_server *server = (struct http_server *)(uintptr_t)&renew_rc;
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
	assert_int_equal(timekeep_open(&this_node), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fake_certificate_end = fake_believed_ms() + rows[i].left_ms;
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
	fake_certificate_end = fake_believed_ms() + 365 * day_ms; /* another one is served */
	certificate_follow(&this_node, c, server);
	assert_null(state_certificate());
	fake_certificate_end = fake_believed_ms() - day_ms;
	certificate_follow(&this_node, c, NULL); /* nothing is served over TCP any more */
	assert_null(state_certificate());
}

/* The clock was wrong when the command was given, and is right since a restart: without that, no other node ever took it. */
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
	fake_synchronised = false;
	fake_wall -= 7200999;
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
	assert_int_equal(believed_now(), fake_wall);
	assert_int_equal(timekeep_purge_ms(&this_node), fake_wall);
	timekeep_tick(&this_node);
	expect_gauges(0, 0);
}

static void a_boot_with_an_earlier_time_is_told_as_a_step(void **state)
{
	char text[160];

	(void)state;
	fake_synchronised = false;
	fake_wall = NOW_MS + 86400000;
	snprintf(text, sizeof(text), "weir-clock 1\n8 %d %lld 1 %lld end\n", NOW - 9000,
	         (long long)NOW_MS, (long long)NOW_MS);
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
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		hear_peer(0, 0, rows[i].off_ms, 0);
		assert_int_equal(find_stamp_off(&this_node, fake_ms, fake_wall), rows[i].stamp_ms);
	}
	hear_peer(0, PEERS_STALE_MS + 1, 9 * HLC_AHEAD_MS, 0);
	assert_int_equal(find_stamp_off(&this_node, fake_ms, fake_wall), 0);
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
	fake_synchronised = false; /* nobody says yet that it is right */
	timekeep_tick(&this_node);
	assert_true(overrides_find(intent_overrides(this_node.intent), o.id)->generation == ahead);
	fake_synchronised = true;
	fake_ms += 1000;
	fake_wall += 1000;
	timekeep_tick(&this_node);
	assert_true(overrides_find(intent_overrides(this_node.intent), o.id)->generation ==
	            (uint64_t)fake_wall << 11);
	o.generation = ahead; /* what comes later is another matter */
	assert_int_equal(intent_merge(this_node.intent, &o, 1, NOW_MS), 1);
	timekeep_tick(&this_node);
	assert_true(overrides_find(intent_overrides(this_node.intent), o.id)->generation == ahead);
}

int main(void)
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
		T(a_certificate_that_ends_is_told),
	};

	return cmocka_run_group_tests_name("clock parts", tests, NULL, NULL);
}
