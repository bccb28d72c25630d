/* SPDX-License-Identifier: BSD-2-Clause */
/* What is seen of this node: loads, events of verdicts, and what is too old to count. */
#include "tests/unit/answers.h"
#include "tests/unit/suite.h"
#include "this_node.h"

#include <signal.h>
#include <time.h>

#include "base/hash.h"
#include "base/page.h"
#include "ctl_server.h"
#include "tables_page.h"
#include "told_time.h"
#include "mgmt/observe/node_drain.h"
#include "weir/announce.h"
#include "weir/condition.h"
#include "weir/stats.h"

#define LOAD_MS 1000u /* documented, not the code's own */

static pid_t fake_pid; /* of who makes a page; 0: this process */

/* What the other processes are. */
static struct seen {
	bool present, running;
	pid_t pid; /* 0: one of its own */
	struct stats *stats;
} shown[OBSERVE_COUNT];

static pid_t own_getpid(void)
{
	return fake_pid ? fake_pid : __real_getpid();
}

static pid_t pid_of(int p)
{
	return shown[p].pid ? shown[p].pid : 100 + p;
}

static int own_kill(pid_t pid, int number)
{
	for (int p = 0; !number && p < OBSERVE_COUNT; p++)
		if (shown[p].running && pid_of(p) == pid)
			return 0;
	errno = ESRCH;
	return number ? __real_kill(pid, number) : -1;
}

/* Bring the pages of the processes up to date. */
static void write_stats(void)
{
	for (int p = 0; p < OBSERVE_COUNT; p++) {
		const char *name = observe_name((enum observe_process)p);
		struct seen *s = &shown[p];
		struct stats_reader *r;

		if (s->stats && !stats_reader_open(node_place.root, name, &r)) {
			bool is_other = stats_reader_pid(r) != (uint64_t)pid_of(p);

			stats_reader_close(r);
			if (!s->present)
				stats_remove(s->stats, node_place.root, name);
			if (!s->present || is_other) {
				stats_close(s->stats);
				s->stats = NULL;
			}
		}
		if (s->present && !s->stats) {
			fake_pid = pid_of(p);
			assert_int_equal(stats_create(node_place.root, name, 16, &s->stats), 0);
			fake_pid = 0;
		}
		if (s->present)
			stats_alive(s->stats, told_ms);
	}
}

static void show_process(enum observe_process p, bool runs, pid_t pid)
{
	shown[p].present = true;
	shown[p].running = runs;
	shown[p].pid = pid;
}

/* How weir-dataplane sends: to pools "web" with one backend, and "two" with two. */
static uint64_t sent; /* to the first of each */

static void write_effect(uint64_t document)
{
	struct effect_pool pools[2] = {
		{ .pool = hash_text("two"), .n_slots = 16, .n_backends = 2 },
		{ .pool = hash_text("web"), .n_slots = 16, .n_backends = 1 },
	};
	struct effect_backend rows[3] = { { .id = 1, .bytes = sent },
		                          { .id = 2, .bytes = 700 + 3 * sent },
		                          { .id = 1, .bytes = sent } };

	if (pools[0].pool > pools[1].pool) {
		const struct effect_pool two = pools[0];

		pools[0] = pools[1];
		pools[1] = two;
		rows[1].id = 1;
		rows[1].bytes = sent;
		rows[2] = (struct effect_backend){ .id = 2, .bytes = 700 + 3 * sent };
	}
	tables_page_write(node_place.root, &(struct tables){ .document = document,
	                                                     .alive_ms = told_ms,
	                                                     .pools = pools,
	                                                     .backends = rows,
	                                                     .n_pools = 2 });
}

static const struct model_pool pool = { .name = "web" };
static const struct model one_pool = { .pools = &pool, .n_pools = 1 };

static int setup(void **state)
{
	told_ms = 1000000;
	sent = 0;
	memset(shown, 0, sizeof(shown));
	clock_believe(INT64_MIN);
	return node_setup(state);
}

static int teardown(void **state)
{
	for (int p = 0; p < OBSERVE_COUNT; p++)
		stats_close(shown[p].stats);
	return node_teardown(state);
}

/* A weir-mgmt that has just started, with the journal of the one before. */
static void start_again(void)
{
	observe_end(&this_node);
	observe_begin(&this_node);
}

/* Look at the load of @p m. @return whether the rate is known */
static bool measure_rate_of(const struct model *m, bool fresh, uint64_t later_ms, uint64_t more,
                            uint64_t *bits)
{
	struct observe_pages pages;

	told_ms += later_ms;
	sent += more;
	write_effect(1);
	observe_open(node_place.root, &pages);
	assert_true(pages.effect_fresh);
	pages.effect_fresh = fresh;
	observe_look_at(&this_node, m, &pages);
	observe_close(&pages);
	return observe_load(&this_node, bits);
}

static bool measure_rate(bool fresh, uint64_t later_ms, uint64_t more, uint64_t *bits)
{
	return measure_rate_of(&one_pool, fresh, later_ms, more, bits);
}

static void a_load_is_in_bits_a_second(void **state)
{
	uint64_t bits;

	(void)state;
	assert_false(measure_rate(true, 0, 500, &bits)); /* since when is not known */
	assert_true(measure_rate(true, 2000, 3000, &bits));
	assert_int_equal(bits, 12000);
	assert_true(measure_rate(true, LOAD_MS - 1, 100000, &bits)); /* too soon */
	assert_int_equal(bits, 12000);
	assert_true(measure_rate(true, 1, 0, &bits));
	assert_int_equal(bits, 800000);
}

static void a_load_is_not_known_over_a_gap(void **state)
{
	uint64_t bits;

	(void)state;
	assert_false(measure_rate(true, 0, 0, &bits));
	assert_true(measure_rate(true, 1000, 1000, &bits));
	assert_false(measure_rate(false, 1000, 1000, &bits));
	assert_false(measure_rate(true, 1000, 5000000, &bits)); /* how long it took is not known */
	assert_true(measure_rate(true, 1000, 1000, &bits));
	assert_int_equal(bits, 8000);
	sent = 0; /* tables are new, and count from 0: the rate stays for one look */
	assert_true(measure_rate(true, 1000, 0, &bits));
	assert_int_equal(bits, 8000);
	assert_true(measure_rate(true, 1000, 2000, &bits));
	assert_int_equal(bits, 16000);
}

static void what_dns_said_long_ago_counts_no_more(void **state)
{
	struct ctl_server dns;
	json_t *first;

	(void)state;
	ctl_server_start(&dns, node_place.root, "dns");
	assert_null(observe_dns(&this_node));
	dns.answer = "{\"document\":7}";
	observe_query_dns(&this_node);
	assert_string_equal(dns.asked, "{\"do\":\"status\"}");
	first = json_incref(observe_dns(&this_node));
	assert_int_equal(json_integer_value(json_object_get(first, "document")), 7);
	told_ms += OBSERVE_STALE_MS;
	assert_ptr_equal(observe_dns(&this_node), first);
	told_ms++;
	assert_null(observe_dns(&this_node));
	dns.answer = CTL_SILENT; /* what it said stays old */
	observe_query_dns(&this_node);
	assert_null(observe_dns(&this_node));
	dns.answer = "{\"document\":8}";
	observe_query_dns(&this_node);
	assert_int_equal(json_integer_value(json_object_get(observe_dns(&this_node), "document")),
	                 8);
	assert_int_equal(first->refcount, 1); /* given up, so that nothing piles up */
	json_decref(first);
	ctl_server_stop(&dns);
}

static void an_old_health_page_is_not_fresh(void **state)
{
	struct observe_pages pages;
	struct page *page;
	char path[PATH_MAX];

	(void)state;
	assert_int_equal(proc_path(this_node.dirs.run, PROC_HEALTH_PAGE, path), 0);
	observe_open(this_node.dirs.run, &pages);
	assert_null(pages.health);
	assert_false(pages.health_fresh || pages.effect_fresh);
	assert_true(pages.health_age_ms == UINT64_MAX);
	observe_close(&pages);
	assert_int_equal(page_create(path, HEALTH_PAGE_KIND, HEALTH_PAGE_LAYOUT,
	                             sizeof(struct health_page), &page),
	                 0);
	page_publish(page);
	page_alive(page, told_ms);
	for (uint64_t age_ms = OBSERVE_STALE_MS - 1; age_ms <= OBSERVE_STALE_MS + 1; age_ms++) {
		told_ms = 1000000 + age_ms;
		observe_open(this_node.dirs.run, &pages);
		assert_non_null(pages.health);
		assert_int_equal(pages.health_age_ms, age_ms);
		assert_int_equal(pages.health_fresh, age_ms <= OBSERVE_STALE_MS);
		observe_close(&pages);
	}
	page_close(page);
}

/* The newest event's subject and text. */
static const struct event *last_event(void)
{
	struct journal *j = intent_journal(this_node.intent);

	return journal_find(j, journal_last(j));
}

static void verdicts_become_events_of_the_right_family(void **state)
{
	static struct health_page page;
	const struct model_site site = { .name = "ams" };
	const struct model_at at = { .site = &site };
	const struct model_service service = { .name = "web", .at = &at, .n_at = 1 };
	const struct model m = { .services = &service, .n_services = 1 };
	struct observe_pages pages = { .health = &page, .health_fresh = true };
	uint64_t targets[2];

	(void)state;
	targets[0] = health_target_service("web", "ams", false);
	targets[1] = health_target_service("web", "ams", true);
	assert_int_equal(health_set_targets(&page, targets, 2, 1), 0);
	uint64_t before = journal_last(intent_journal(this_node.intent));

	observe_look_at(&this_node, &m, &pages);
	assert_int_equal(journal_last(intent_journal(this_node.intent)), before);
	for (int ip4 = 0; ip4 < 2; ip4++) {
		health_write(&page, health_find_index(&page, targets[ip4]),
		             health_make(HEALTH_UP, 0, HEALTH_REASON_OK, 1));
		observe_look_at(&this_node, &m, &pages);
		assert_int_equal(journal_last(intent_journal(this_node.intent)),
		                 before + 1 + (uint64_t)ip4);
		assert_string_equal(last_event()->subject,
		                    ip4 ? "services/web/at/ams/ipv4" : "services/web/at/ams/ipv6");
	}
	observe_look_at(&this_node, &m, &pages); /* the same again is no news */
	health_write(&page, health_find_index(&page, targets[0]),
	             health_make(HEALTH_DOWN, 0, HEALTH_REASON_REFUSED, 2));
	pages.health_fresh = false;
	observe_look_at(&this_node, &m, &pages); /* nobody looks any more */
	assert_int_equal(journal_last(intent_journal(this_node.intent)), before + 2);
	pages.health_fresh = true;
	observe_look_at(&this_node, &m, &pages);
	assert_int_equal(journal_last(intent_journal(this_node.intent)), before + 3);
	assert_string_equal(last_event()->subject, "services/web/at/ams/ipv6");
}

/* How many events a look makes. */
static uint64_t look_at_health(const struct model *m, const struct health_page *page)
{
	const struct observe_pages pages = { .health = page, .health_fresh = true };
	const uint64_t before = journal_last(intent_journal(this_node.intent));

	observe_look_at(&this_node, m, &pages);
	return journal_last(intent_journal(this_node.intent)) - before;
}

#define LONG "a-name-of-sixty-bytes-so-that-the-subject-of-an-event-is-cut"

static void a_restart_repeats_no_verdict(void **state)
{
	static struct health_page page;
	const struct model_backend backends[] = { { .name = "b1", .id = 1 },
		                                  { .name = LONG "1", .id = 2 },
		                                  { .name = LONG "2", .id = 3 } };
	const struct model_pool web = { .name = LONG, .backends = backends, .n_backends = 3 };
	const struct model m = { .pools = &web, .n_pools = 1 };
	struct journal *j = intent_journal(this_node.intent);
	const int64_t now_s = clock_believed_ms() / 1000;
	uint64_t targets[3];
	int at[3];

	(void)state;
	for (size_t i = 0; i < 3; i++)
		targets[i] = health_target_backend(LONG, backends[i].id);
	assert_int_equal(health_set_targets(&page, targets, 3, 1), 0);
	for (size_t i = 0; i < 3; i++) {
		at[i] = health_find_index(&page, targets[i]);
		health_write(
		        &page, at[i],
		        health_make(i == 2 ? HEALTH_DOWN : HEALTH_UP, 0, HEALTH_REASON_OK, now_s));
	}
	assert_int_equal(look_at_health(&m, &page), 3);
	start_again();
	assert_int_equal(look_at_health(&m, &page), 0);
	assert_int_equal(look_at_health(&m, &page), 0);
	/* while it was away, one turned */
	start_again();
	health_write(&page, at[1], health_make(HEALTH_DOWN, 0, HEALTH_REASON_REFUSED, now_s));
	assert_int_equal(look_at_health(&m, &page), 1);
	assert_non_null(strstr(last_event()->message, "down, was up (refused); pools/" LONG));
	start_again();
	assert_int_equal(look_at_health(&m, &page), 0);
	/* events that were pushed out were made all the same, those since then were not */
	for (size_t i = 0; i < STORE_EVENTS_MAX; i++)
		journal_add(j, (now_s + 100) * 1000, "store", "store", "more");
	start_again();
	health_write(&page, at[0], health_make(HEALTH_DOWN, 0, HEALTH_REASON_REFUSED, now_s + 100));
	assert_int_equal(look_at_health(&m, &page), 1);
	assert_string_equal(last_event()->message, "down, was unknown (refused)");
}

/* The health page is new, and nothing was probed yet: each target is as it was until its first verdict. */
static void a_restart_of_the_host_repeats_no_verdict(void **state)
{
	static struct health_page page;
	const struct model_backend backends[] = { { .name = "b1", .id = 1 },
		                                  { .name = "b2", .id = 2 } };
	const struct model_pool web = { .name = "web", .backends = backends, .n_backends = 2 };
	const struct model m = { .pools = &web, .n_pools = 1 };
	const int64_t now_s = clock_believed_ms() / 1000;
	const uint64_t targets[] = { health_target_backend("web", 1),
		                     health_target_backend("web", 2) };

	(void)state;
	for (int boot = 0; boot < 2; boot++) {
		memset(&page, 0, sizeof(page));
		if (boot) {
			start_again();
			assert_int_equal(look_at_health(&m, &page), 0); /* not one target yet */
		}
		assert_int_equal(health_set_targets(&page, targets, 2, 1), 0);
		for (int i = 0; boot && i < 2; i++)
			assert_int_equal(look_at_health(&m, &page), 0);
		for (int i = 0; i < 2; i++)
			health_write(&page, health_find_index(&page, targets[i]),
			             health_make(boot && i ? HEALTH_DOWN : HEALTH_UP, 0,
			                         HEALTH_REASON_REFUSED, now_s));
		assert_int_equal(look_at_health(&m, &page), boot ? 1 : 2);
	}
	assert_string_equal(last_event()->message, "down, was up (refused)");
	health_write(&page, health_find_index(&page, targets[0]), 0); /* it had a verdict */
	assert_int_equal(look_at_health(&m, &page), 1);
	assert_memory_equal(last_event()->message, "unknown, was up", 15);
}

static void note_processes(void)
{
	write_stats();
	core_lock(&this_node);
	observe_note_processes(&this_node);
	core_unlock(&this_node);
}

/* Each once: that it runs, and that it shows no sign of life any more. */
static void processes_that_come_and_go_become_events(void **state)
{
	struct journal *j = intent_journal(this_node.intent);

	(void)state;
	for (int p = 0; p < OBSERVE_COUNT; p++) {
		uint64_t before = journal_last(j);
		char text[64];

		note_processes(); /* not there yet, or as before */
		assert_int_equal(journal_last(j), before);
		for (int runs = 1; runs >= 0; runs--) {
			show_process((enum observe_process)p, runs, 0);
			note_processes();
			note_processes();
			/* that weir-announce ends where it is not configured is no news */
			bool is_news = runs || p != OBSERVE_ANNOUNCE;
			before += is_news;
			assert_int_equal(journal_last(j), before);
			if (!is_news)
				continue;
			snprintf(text, sizeof(text),
			         runs ? "weir-%s runs" : "weir-%s shows no sign of life",
			         observe_name((enum observe_process)p));
			assert_string_equal(last_event()->message, text);
			assert_string_equal(last_event()->kind, "process");
		}
	}
}

/* What a look at the processes logs; NULL: nothing. */
static const char *look_at_processes(uint64_t later_ms)
{
	const uint64_t before = journal_last(intent_journal(this_node.intent));

	told_ms += later_ms;
	note_processes();
	return journal_last(intent_journal(this_node.intent)) > before ? last_event()->message
	                                                               : NULL;
}

/* Between two looks, or while weir-mgmt was away. A process that is just starting is not dead. */
static void no_death_of_a_process_is_missed(void **state)
{
	(void)state;
	this_node.started_ms = told_ms;
	assert_null(look_at_processes(JUDGE_START_MS)); /* it has not run here */
	show_process(OBSERVE_DNS, false, 11);
	assert_string_equal(look_at_processes(0), "weir-dns shows no sign of life");
	assert_null(look_at_processes(500));
	start_again(); /* with all others */
	this_node.started_ms = told_ms;
	assert_null(look_at_processes(JUDGE_START_MS - 1));
	show_process(OBSERVE_DNS, true, 12);
	assert_string_equal(look_at_processes(0), "weir-dns runs");
	assert_null(look_at_processes(500));
	show_process(OBSERVE_DNS, true, 13);
	assert_string_equal(look_at_processes(500), "weir-dns was restarted: pid 13, before 12");
	assert_null(look_at_processes(500));
	show_process(OBSERVE_DNS, false, 13);
	assert_string_equal(look_at_processes(500), "weir-dns shows no sign of life");
	show_process(OBSERVE_DNS, true, 14);
	assert_string_equal(look_at_processes(500), "weir-dns runs");
}

/* The last event is true, and those before it leave room for others. */
static void a_process_that_comes_and_goes_fills_no_journal(void **state)
{
	unsigned n = 0;

	(void)state;
	for (int i = 1; i <= 100; i++) {
		show_process(OBSERVE_DNS, i % 2, i);
		n += look_at_processes(500) != NULL;
	}
	assert_int_equal(n, 6);
	assert_string_equal(last_event()->message, "weir-dns shows no sign of life");
	show_process(OBSERVE_DNS, true, 101);
	assert_null(look_at_processes(500));
	clock_believe(clock_believed_ms() - (int64_t)clock_mono_ms() + 60000);
	assert_string_equal(look_at_processes(500), "weir-dns runs");
	show_process(OBSERVE_DNS, false, 101); /* none says that it runs when it does not */
	assert_string_equal(look_at_processes(500), "weir-dns shows no sign of life");
}

/* Addresses that weir-announce shows; not known: its page is old. */
struct routes {
	bool known;
	unsigned n_normal, n_commanded, n_waiting;
};

static void write_announced(const struct routes *r)
{
	struct announced_address rows[8] = { { .vip = 0 } };
	struct announced_node node = { .document = 1, .daemon = "bird" };
	struct announced_page *page;
	size_t n = 0;

	for (unsigned i = 0; i < r->n_normal + r->n_commanded + r->n_waiting; i++, n++) {
		bool is_normal = i < r->n_normal, is_waiting = i >= r->n_normal + r->n_commanded;

		rows[n].vip = hash_text("shop-ams");
		rows[n].table = is_normal ? ANNOUNCE_NORMAL : ANNOUNCE_NONE;
		rows[n].reason = is_normal    ? ANNOUNCE_REASON_ANNOUNCED
		                 : is_waiting ? ANNOUNCE_REASON_WAITING
		                              : ANNOUNCE_REASON_DRAINED;
		rows[n].is_read = rows[n].is_export_read = 1;
	}
	assert_int_equal(announced_create(node_place.root, &page), 0);
	announced_publish(page, &node, rows, n, NULL, 0, r->known ? told_ms : told_ms - 2001);
	announced_close(page);
}

/* What a look at the drain of this node logs; NULL: nothing. */
static const char *look_at_drain(enum model_node_drain target, struct routes routes)
{
	const uint64_t before = journal_last(intent_journal(this_node.intent));
	static const struct model_override drain = { .kind = MODEL_OVERRIDE_DRAIN,
		                                     .target = MODEL_TARGET_NODE,
		                                     .name = "ams-1",
		                                     .until_ms = MODEL_TIME_NEVER };
	static const struct model_node self = { .name = "ams-1",
		                                .announce.daemon = MODEL_DAEMON_BIRD };
	const struct model m = { .self = &self,
		                 .overrides = &drain,
		                 .n_overrides = target == MODEL_NODE_DRAINED };

	write_announced(&routes);
	node_drain_look(&this_node, &m);
	return journal_last(intent_journal(this_node.intent)) > before ? last_event()->message
	                                                               : NULL;
}

static const char *drain_state(void)
{
	const struct node_drain d = node_drain_copy(&this_node);

	return node_drain_state(&d);
}

/* Whoever is restarted meanwhile: weir-announce, then nothing is known, or weir-mgmt. */
static void the_last_word_on_a_drain_is_true(void **state)
{
	const struct routes unknown = { .known = false }, normal = { .known = true, .n_normal = 2 },
	                    gone = { .known = true, .n_commanded = 2 };

	(void)state;
	assert_null(look_at_drain(MODEL_NODE_SERVES, normal)); /* never drained */
	assert_null(look_at_drain(MODEL_NODE_SERVES, unknown));
	assert_non_null(strstr(look_at_drain(MODEL_NODE_DRAINED, normal), "draining, was serving"));
	assert_non_null(strstr(look_at_drain(MODEL_NODE_DRAINED, gone), "drained, was draining"));
	start_again();
	assert_null(look_at_drain(MODEL_NODE_DRAINED, unknown));
	assert_null(look_at_drain(MODEL_NODE_DRAINED, gone));
	assert_non_null(strstr(look_at_drain(MODEL_NODE_SERVES, gone), "returning, was drained"));
	assert_null(look_at_drain(MODEL_NODE_SERVES, unknown));
	assert_non_null(strstr(look_at_drain(MODEL_NODE_SERVES, normal), "serving, was returning"));
	assert_non_null(look_at_drain(MODEL_NODE_SERVES, gone));
	start_again();
	assert_non_null(strstr(look_at_drain(MODEL_NODE_SERVES, normal), "serving, was returning"));
	assert_null(look_at_drain(MODEL_NODE_SERVES, normal));
}

/* "serving" is what a person waits for before the next node is taken out. */
static void a_restart_amid_a_return_does_not_end_it(void **state)
{
	const struct routes unknown = { .known = false },
	                    part = { .known = true, .n_normal = 1, .n_waiting = 1 },
	                    all = { .known = true, .n_normal = 2 },
	                    gone = { .known = true, .n_commanded = 2 };

	(void)state;
	assert_null(look_at_drain(MODEL_NODE_SERVES, part)); /* there was no drain */
	assert_string_equal(drain_state(), "serving");
	assert_non_null(look_at_drain(MODEL_NODE_DRAINED, gone));
	for (int is_seen = 0; is_seen <= 1; is_seen++) { /* the return, before the restart */
		if (is_seen)
			assert_non_null(look_at_drain(MODEL_NODE_SERVES, gone));
		start_again();
		look_at_drain(MODEL_NODE_SERVES, unknown);
		look_at_drain(MODEL_NODE_SERVES, part);
		assert_string_equal(drain_state(), "returning");
		assert_non_null(
		        strstr(look_at_drain(MODEL_NODE_SERVES, all), "serving, was returning"));
		start_again();
		assert_null(look_at_drain(MODEL_NODE_SERVES, part));
		assert_string_equal(drain_state(), "serving");
	}
}

/* A node that serves and whose addresses are out, for they wait, has no drain to return from. */
static void a_restart_makes_no_return_of_what_is_out(void **state)
{
	const struct routes normal = { .known = true, .n_normal = 2 },
	                    waiting = { .known = true, .n_waiting = 2 };

	(void)state;
	assert_null(look_at_drain(MODEL_NODE_SERVES, normal));
	look_at_drain(MODEL_NODE_DRAINED, normal);
	look_at_drain(MODEL_NODE_SERVES, normal);
	assert_non_null(strstr(look_at_drain(MODEL_NODE_SERVES, waiting), "out, was serving"));
	start_again();
	assert_null(look_at_drain(MODEL_NODE_SERVES, waiting));
	assert_string_equal(drain_state(), "out");
}

static struct ctl_server dns;
static uint64_t generation;

/* Make newer documents until @p n more were made. */
static void make_documents(unsigned n)
{
	struct override o = { .id = "ams-1-1",
		              .kind = MODEL_OVERRIDE_DISABLE,
		              .target = MODEL_TARGET_BACKEND,
		              .pool = "web-ams",
		              .name = "b1",
		              .created_ms = NOW_MS,
		              .from_ms = NOW_MS,
		              .until_ms = MODEL_TIME_NEVER,
		              .author = "jw",
		              .reason = "x",
		              .node = "ams-1" };
	uint64_t before = intent_document(this_node.intent);

	for (unsigned i = 0; i < n; i++) {
		o.generation = ++generation;
		o.kind = generation % 2 ? MODEL_OVERRIDE_DISABLE : MODEL_OVERRIDE_DRAIN;
		assert_int_equal(intent_merge(this_node.intent, &o, 1, NOW_MS), 1);
	}
	assert_int_equal(intent_document(this_node.intent), before + n);
}

/* For how long weir-dns, which has taken @p taken, has had a document to take, after @p later_ms. */
static uint64_t pending_after(uint64_t later_ms, uint64_t taken)
{
	char answer[64];

	told_ms += later_ms;
	snprintf(answer, sizeof(answer), "{\"document\":%llu}", (unsigned long long)taken);
	dns.answer = answer;
	observe_query_dns(&this_node);
	note_processes();
	return observe_look(&this_node, OBSERVE_DNS, NULL).pending_ms;
}

/* However often newer ones come. */
static void a_document_is_pending_since_there_is_one_to_take(void **state)
{
	const uint64_t first = intent_document(this_node.intent) + 7;

	(void)state;
	ctl_server_start(&dns, node_place.root, "dns");
	make_documents(7);
	assert_int_equal(pending_after(500, 0), 0); /* it has not run here */
	show_process(OBSERVE_DNS, true, 0);
	assert_int_equal(pending_after(500, 0), 0);
	assert_int_equal(pending_after(500, 0), 500);
	assert_int_equal(pending_after(500, first), 0);
	for (uint64_t ms = 0; ms <= 5000; ms += 500) {
		make_documents(1);
		assert_int_equal(pending_after(500, first), ms);
	}
	make_documents(1);
	assert_int_equal(pending_after(500, first + 2), 0); /* one after the other */
	make_documents(1);
	assert_int_equal(pending_after(500, first + 3), 0);
	assert_int_equal(pending_after(500, first + 3), 500);
	show_process(OBSERVE_DNS, false, 0); /* a process that ends has taken none */
	assert_int_equal(pending_after(500, 0), 1000);
	show_process(OBSERVE_DNS, true, 0);
	assert_int_equal(pending_after(500, first + 3), 0);
	assert_int_equal(pending_after(500, intent_document(this_node.intent)), 0);
	ctl_server_stop(&dns);
}

static void all_backends_of_all_pools_are_summed(void **state)
{
	const struct model_pool list[] = {
		{ .name = "web" }, { .name = "two" }, { .name = "none" }, { .name = "web" }
	};
	const struct model m = { .pools = list, .n_pools = 4 };
	uint64_t bits;

	(void)state;
	assert_false(measure_rate_of(&m, true, 0, 500, &bits));
	assert_true(measure_rate_of(&m, true, 1000, 10, &bits));
	assert_int_equal(bits, 8 * (10 + 10 + 30 + 10));
}

static void a_process_is_seen_with_all_its_fields(void **state)
{
	static const char *const said[] = { "weir_dataplane_document_refused",
		                            "weir_dataplane_learning", "weir_dataplane_document",
		                            "weir_dataplane_dpdk", "weir_dataplane_ports" };
	struct conditions conditions;

	(void)state;
	show_process(OBSERVE_DATAPLANE, true, 0);
	show_process(OBSERVE_MGMT, false, 0);
	write_stats();
	for (size_t i = 0; i < 5; i++)
		stats_set(stats_get_counter(shown[OBSERVE_DATAPLANE].stats, STATS_GAUGE, said[i],
		                            "", ""),
		          i < 4 ? 1 : 6);
	conditions_begin(shown[OBSERVE_DATAPLANE].stats, 9);
	conditions_end(shown[OBSERVE_DATAPLANE].stats);
	told_ms += 5;
	struct gather_process s = observe_look(&this_node, OBSERVE_DATAPLANE, &conditions);
	assert_true(s.present && s.running && s.exists && s.refused && s.learning && s.has_ports &&
	            s.dpdk && s.has_conditions && !s.conditions_unread);
	assert_int_equal(s.age_ms, 5);
	assert_int_equal(s.n_ports, 6);
	assert_int_equal(s.document, 0);
	write_effect(9); /* which says whether one was refused */
	s = observe_look(&this_node, OBSERVE_DATAPLANE, NULL);
	assert_int_equal(s.document, 9);
	assert_false(s.refused);
	s = observe_look(&this_node, OBSERVE_MGMT, &conditions);
	assert_false(s.running || s.exists || s.refused || s.learning || s.has_ports || s.dpdk);
	assert_int_equal(s.document, intent_document(this_node.intent));
	s = observe_look(&this_node, OBSERVE_HEALTH, &conditions); /* it has no page */
	assert_false(s.present || s.has_conditions);
	assert_int_equal(s.document, 0);
	assert_true(s.age_ms == UINT64_MAX);
}

/* Its main thread signs its page, and is the one that looks at others: if it alone is away, that is no pause of the process. */
static void weir_mgmt_itself_hangs_as_soon_as_it_does_not_sign(void **state)
{
	(void)state;
	show_process(OBSERVE_MGMT, true, 0);
	show_process(OBSERVE_DATAPLANE, true, 0);
	write_stats();
	life_look(&this_node.watch, LIFE_FOR_STATUS, told_ms);
	for (int i = 0; i < 5; i++) {
		observe_note_processes(&this_node);
		assert_true(observe_look(&this_node, OBSERVE_MGMT, NULL).running);
		told_ms += i < 4 ? 500 : 1;
	}
	observe_note_processes(&this_node);
	assert_false(observe_look(&this_node, OBSERVE_MGMT, NULL).running);
	assert_true(observe_look(&this_node, OBSERVE_DATAPLANE, NULL).running);
}

static void a_pause_of_all_of_weir_mgmt_is_no_silence(void **state)
{
	(void)state;
	show_process(OBSERVE_MGMT, true, 0);
	write_stats();
	observe_note_processes(&this_node);
	told_ms += 9000;
	assert_true(observe_look(&this_node, OBSERVE_MGMT, NULL).running);
	observe_note_processes(&this_node);
	assert_true(observe_look(&this_node, OBSERVE_MGMT, NULL).running);
}

static void the_page_of_a_running_announcer_says_which_document_it_is_of(void **state)
{
	struct announced_node node = { .document = 33 };
	struct announced_page *page;

	(void)state;
	show_process(OBSERVE_ANNOUNCE, true, 0);
	write_stats();
	assert_int_equal(announced_create(node_place.root, &page), 0);
	announced_publish(page, &node, NULL, 0, NULL, 0, 1);
	assert_int_equal(observe_look(&this_node, OBSERVE_ANNOUNCE, NULL).document, 33);
	shown[OBSERVE_ANNOUNCE].running = false; /* of one that was configured once */
	assert_int_equal(observe_look(&this_node, OBSERVE_ANNOUNCE, NULL).document, 0);
	assert_false(observe_look(&this_node, OBSERVE_ANNOUNCE, NULL).present);
	announced_close(page);
}

static void the_health_page_says_which_document_it_is_of(void **state)
{
	struct page *page;
	char path[PATH_MAX];

	(void)state;
	show_process(OBSERVE_HEALTH, false, 0);
	show_process(OBSERVE_DATAPLANE, false, 0);
	write_stats();
	assert_int_equal(observe_look(&this_node, OBSERVE_HEALTH, NULL).document, 0);
	assert_int_equal(proc_path(this_node.dirs.run, PROC_HEALTH_PAGE, path), 0);
	assert_int_equal(page_create(path, HEALTH_PAGE_KIND, HEALTH_PAGE_LAYOUT,
	                             sizeof(struct health_page), &page),
	                 0);
	((struct health_page *)page_payload(page))->document = 44;
	page_publish(page);
	assert_int_equal(observe_look(&this_node, OBSERVE_HEALTH, NULL).document, 44);
	assert_int_equal(observe_look(&this_node, OBSERVE_DATAPLANE, NULL).document, 0);
	page_close(page);
}

static void processes_have_their_names(void **state)
{
	static const char *const words[] = { "dataplane", "health", "dns", "announce", "mgmt" };

	(void)state;
	for (int p = 0; p < OBSERVE_COUNT; p++)
		assert_string_equal(observe_name((enum observe_process)p), words[p]);
}

/*
 * Two pools with a backend each: the verdict of each is an event with its name, its reason and
 * what it was.
 */
static void a_backends_verdict_is_an_event(void **state)
{
	static struct health_page page;
	const struct model_backend backends[] = { { .name = "b1", .id = 1 },
		                                  { .name = "b2", .id = 2 } };
	const struct model_pool list[] = {
		{ .name = "web", .backends = &backends[0], .n_backends = 1 },
		{ .name = "api", .backends = &backends[1], .n_backends = 1 }
	};
	const struct model m = { .pools = list, .n_pools = 2 };
	const struct observe_pages pages = { .health = &page, .health_fresh = true };
	const uint64_t targets[] = { health_target_backend("web", 1),
		                     health_target_backend("api", 2) };

	(void)state;
	assert_int_equal(health_set_targets(&page, targets, 2, 1), 0);
	for (size_t i = 0; i < 2; i++) {
		health_write(&page, health_find_index(&page, targets[i]),
		             health_make(HEALTH_UP, 0, HEALTH_REASON_OK, 1));
		observe_look_at(&this_node, &m, &pages);
		assert_string_equal(last_event()->subject,
		                    i ? "pools/api/backends/b2" : "pools/web/backends/b1");
		assert_string_equal(last_event()->message, "up, was unknown (ok)");
		assert_string_equal(last_event()->kind, "health");
		health_write(&page, health_find_index(&page, targets[i]),
		             health_make(HEALTH_DOWN, 0, HEALTH_REASON_TIMEOUT, 2));
		observe_look_at(&this_node, &m, &pages);
		assert_string_equal(last_event()->message, "down, was up (timeout)");
	}
}

/* Names of the most letters that they may have. */
static void long_names_are_whole_in_an_event(void **state)
{
	static struct health_page page;
	char pool_name[64], name[64], want[192];
	const struct model_backend b = { .name = name, .id = 1 };
	const struct model_pool one = { .name = pool_name, .backends = &b, .n_backends = 1 };
	const struct model_site site = { .name = name };
	const struct model_at at = { .site = &site };
	const struct model_service service = { .name = pool_name, .at = &at, .n_at = 1 };
	const struct model pools = { .pools = &one, .n_pools = 1 },
	                   services = { .services = &service, .n_services = 1 };
	const struct observe_pages pages = { .health = &page, .health_fresh = true };

	(void)state;
	for (int n = 38; n <= 63; n += 25)
		for (int is_service = 0; is_service <= 1; is_service++) {
			snprintf(pool_name, sizeof(pool_name), "p%0*d", n - 1, 1);
			snprintf(name, sizeof(name), "b%0*d", n - 1, 2);
			uint64_t target = is_service ? health_target_service(pool_name, name, true)
			                             : health_target_backend(pool_name, 1);
			assert_int_equal(health_set_targets(&page, &target, 1, 1), 0);
			health_write(&page, health_find_index(&page, target),
			             health_make(HEALTH_UP, 0, HEALTH_REASON_OK, 1));
			observe_look_at(&this_node, is_service ? &services : &pools, &pages);
			snprintf(want, sizeof(want),
			         is_service ? "services/%s/at/%s/ipv4" : "pools/%s/backends/%s",
			         pool_name, name);
			assert_non_null(strstr(
			        n > 38 ? last_event()->message : last_event()->subject, want));
			assert_int_equal(strncmp(last_event()->subject, want, 95), 0);
			start_again();
		}
}

SUITE(observe_parts)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_load_is_in_bits_a_second),
		T(a_load_is_not_known_over_a_gap),
		T(what_dns_said_long_ago_counts_no_more),
		T(an_old_health_page_is_not_fresh),
		T(verdicts_become_events_of_the_right_family),
		T(a_restart_repeats_no_verdict),
		T(a_restart_of_the_host_repeats_no_verdict),
		T(processes_that_come_and_go_become_events),
		T(no_death_of_a_process_is_missed),
		T(a_process_that_comes_and_goes_fills_no_journal),
		T(the_last_word_on_a_drain_is_true),
		T(a_restart_makes_no_return_of_what_is_out),
		T(a_restart_amid_a_return_does_not_end_it),
		T(a_document_is_pending_since_there_is_one_to_take),
		T(all_backends_of_all_pools_are_summed),
		T(a_process_is_seen_with_all_its_fields),
		T(weir_mgmt_itself_hangs_as_soon_as_it_does_not_sign),
		T(a_pause_of_all_of_weir_mgmt_is_no_silence),
		T(the_page_of_a_running_announcer_says_which_document_it_is_of),
		T(the_health_page_says_which_document_it_is_of),
		T(processes_have_their_names),
		T(a_backends_verdict_is_an_event),
		T(long_names_are_whole_in_an_event),
	};

	told_time_begin(TOLD_BOOT);
	answer_getpid = own_getpid;
	answer_kill = own_kill;
	return cmocka_run_group_tests_name("observe parts", tests, NULL, NULL);
}
