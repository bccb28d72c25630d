/* SPDX-License-Identifier: BSD-2-Clause */
/* What is seen of this node: loads, events of verdicts, and what is too old to count. */
#include "asked.h"

#include <errno.h>

#include "base/ctl.h"
#include "base/page.h"
#include "mgmt/observe/observe.h"
#include "mgmt/judge/gather.h"

static uint64_t fake_ms;   /* the clock */
static uint64_t fake_sent; /* bytes that a pool's only backend was sent */
static const char *fake_answer;

static uint64_t fake_mono_ms(void)
{
	return fake_ms;
}

static int fake_rows(const struct effect *e, const char *pool, struct effect_backend **rows)
{
	(void)e;
	*rows = calloc(2, sizeof(**rows));
	assert_non_null(*rows);
	(*rows)[0].bytes = fake_sent;
	(*rows)[1].bytes = 700;
	return strcmp(pool, "two") ? 1 : 2;
}

static int fake_ask(const char *path, const char *line, int timeout_ms, char **answer)
{
	(void)path;
	(void)line;
	(void)timeout_ms;
	*answer = fake_answer ? strdup(fake_answer) : NULL;
	return fake_answer ? 0 : -ETIMEDOUT;
}

static uint64_t fake_document = 1; /* the newest */
static struct gather_process shown[OBSERVE_COUNT];

static void fake_process(const char *run_dir, const char *name, struct gather_process *out,
                         struct conditions *conditions)
{
	(void)run_dir;
	(void)conditions;
	*out = (struct gather_process){ 0 };
	for (int p = 0; p < OBSERVE_COUNT; p++)
		if (!strcmp(name, observe_name((enum observe_process)p)))
			*out = shown[p];
}

/* The private parts too. */
#define gather_process(d, n, o, c) fake_process(d, n, o, c)
#define clock_mono_ms              fake_mono_ms
#define ctl_request                fake_ask
#define gather_rows                fake_rows
#define intent_document(in)        ((void)(in), fake_document)
#include "mgmt/judge/observed.c"
#include "mgmt/observe/observe.c"
#include "mgmt/observe/observe_looks.c"
#include "mgmt/observe/node_drain_look.c"
#undef clock_mono_ms

static struct observe own;
static const struct model_pool pool = { .name = "web" };
static const struct model one_pool = { .pools = &pool, .n_pools = 1 };

static int setup(void **state)
{
	(void)asked_setup(state);
	memset(&own, 0, sizeof(own));
	this_node.observe = &own;
	fake_ms = 1000000;
	fake_sent = 0;
	return 0;
}

/* Look after @p later_ms, when @p sent bytes more were sent. @return whether the rate is known */
static bool measure_rate(bool fresh, uint64_t later_ms, uint64_t sent, uint64_t *bits)
{
	const struct observe_pages pages = { .effect = (struct effect *)&own,
		                             .effect_fresh = fresh };

	fake_ms += later_ms;
	fake_sent += sent;
	measure_load(&this_node, &one_pool, &pages);
	return observe_load(&this_node, bits);
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
	fake_sent = 0; /* tables are new, and count from 0: the rate stays for one look */
	assert_true(measure_rate(true, 1000, 0, &bits));
	assert_int_equal(bits, 8000);
	assert_true(measure_rate(true, 1000, 2000, &bits));
	assert_int_equal(bits, 16000);
}

static void what_dns_said_long_ago_counts_no_more(void **state)
{
	json_t *first;

	(void)state;
	assert_null(observe_dns(&this_node));
	fake_answer = "{\"document\":7}";
	observe_query_dns(&this_node);
	first = json_incref(observe_dns(&this_node));
	assert_int_equal(json_integer_value(json_object_get(first, "document")), 7);
	fake_ms += OBSERVE_STALE_MS;
	assert_ptr_equal(observe_dns(&this_node), first);
	fake_ms++;
	assert_null(observe_dns(&this_node));
	fake_answer = NULL; /* silent: what it said stays old */
	observe_query_dns(&this_node);
	assert_null(observe_dns(&this_node));
	fake_answer = "{\"document\":8}";
	observe_query_dns(&this_node);
	assert_int_equal(json_integer_value(json_object_get(observe_dns(&this_node), "document")),
	                 8);
	assert_int_equal(first->refcount, 1); /* given up, so that nothing piles up */
	json_decref(first);
	json_decref(own.dns);
	fake_answer = NULL;
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
	page_alive(page, fake_ms);
	for (uint64_t age_ms = OBSERVE_STALE_MS - 1; age_ms <= OBSERVE_STALE_MS + 1; age_ms++) {
		fake_ms = 1000000 + age_ms;
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

	log_health_changes(&this_node, &m, &pages);
	assert_int_equal(journal_last(intent_journal(this_node.intent)), before);
	for (int ip4 = 0; ip4 < 2; ip4++) {
		health_write(&page, health_find_index(&page, targets[ip4]),
		             health_make(HEALTH_UP, 0, HEALTH_REASON_OK, 1));
		log_health_changes(&this_node, &m, &pages);
		assert_int_equal(journal_last(intent_journal(this_node.intent)),
		                 before + 1 + (uint64_t)ip4);
		assert_string_equal(last_event()->subject,
		                    ip4 ? "services/web/at/ams/ipv4" : "services/web/at/ams/ipv6");
	}
	log_health_changes(&this_node, &m, &pages); /* the same again is no news */
	health_write(&page, health_find_index(&page, targets[0]),
	             health_make(HEALTH_DOWN, 0, HEALTH_REASON_REFUSED, 2));
	pages.health_fresh = false;
	log_health_changes(&this_node, &m, &pages); /* nobody looks any more */
	assert_int_equal(journal_last(intent_journal(this_node.intent)), before + 2);
	pages.health_fresh = true;
	log_health_changes(&this_node, &m, &pages);
	assert_int_equal(journal_last(intent_journal(this_node.intent)), before + 3);
	assert_string_equal(last_event()->subject, "services/web/at/ams/ipv6");
	free(own.logged);
}

/* A weir-mgmt that has just started, with the journal of the one before. */
static void start_again(void)
{
	free(own.logged);
	memset(&own, 0, sizeof(own));
}

/* How many events a look makes. */
static uint64_t look_at_health(const struct model *m, const struct health_page *page)
{
	const struct observe_pages pages = { .health = page, .health_fresh = true };
	const uint64_t before = journal_last(intent_journal(this_node.intent));

	log_health_changes(&this_node, m, &pages);
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
	free(own.logged);
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
	free(own.logged);
}

/* Each once: that it runs, and that it shows no sign of life any more. */
static void processes_that_come_and_go_become_events(void **state)
{
	struct journal *j = intent_journal(this_node.intent);

	(void)state;
	memset(shown, 0, sizeof(shown));
	for (int p = 0; p < OBSERVE_COUNT; p++) {
		uint64_t before = journal_last(j);
		char text[64];

		observe_note_processes(&this_node); /* not there yet, or as before */
		assert_int_equal(journal_last(j), before);
		for (int runs = 1; runs >= 0; runs--) {
			shown[p] = (struct gather_process){ .present = true, .running = runs };
			observe_note_processes(&this_node);
			observe_note_processes(&this_node);
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

	fake_ms += later_ms;
	observe_note_processes(&this_node);
	return journal_last(intent_journal(this_node.intent)) > before ? last_event()->message
	                                                               : NULL;
}

/* Between two looks, or while weir-mgmt was away. A process that is just starting is not dead. */
static void no_death_of_a_process_is_missed(void **state)
{
	(void)state;
	memset(shown, 0, sizeof(shown));
	this_node.started_ms = fake_ms;
	assert_null(look_at_processes(JUDGE_START_MS)); /* it has not run here */
	shown[OBSERVE_DNS] = (struct gather_process){ .present = true, .pid = 11 };
	assert_string_equal(look_at_processes(0), "weir-dns shows no sign of life");
	assert_null(look_at_processes(500));
	memset(&own, 0, sizeof(own)); /* weir-mgmt is restarted, with all others */
	this_node.started_ms = fake_ms;
	assert_null(look_at_processes(JUDGE_START_MS - 1));
	shown[OBSERVE_DNS] = (struct gather_process){ .present = true, .running = true, .pid = 12 };
	assert_string_equal(look_at_processes(0), "weir-dns runs");
	assert_null(look_at_processes(500));
	shown[OBSERVE_DNS].pid = 13;
	assert_string_equal(look_at_processes(500), "weir-dns was restarted: pid 13, before 12");
	assert_null(look_at_processes(500));
	shown[OBSERVE_DNS].running = false;
	assert_string_equal(look_at_processes(500), "weir-dns shows no sign of life");
	shown[OBSERVE_DNS].pid = 14;
	shown[OBSERVE_DNS].running = true;
	assert_string_equal(look_at_processes(500), "weir-dns runs");
	this_node.started_ms = 0;
}

/* The last event is true, and those before it leave room for others. */
static void a_process_that_comes_and_goes_fills_no_journal(void **state)
{
	unsigned n = 0;

	(void)state;
	memset(shown, 0, sizeof(shown));
	for (int i = 1; i <= 100; i++) {
		shown[OBSERVE_DNS] =
		        (struct gather_process){ .present = true, .running = i % 2, .pid = i };
		n += look_at_processes(500) != NULL;
	}
	assert_int_equal(n, 6);
	assert_string_equal(last_event()->message, "weir-dns shows no sign of life");
	shown[OBSERVE_DNS].running = true;
	assert_null(look_at_processes(500));
	clock_believe(clock_believed_ms() - (int64_t)clock_mono_ms() + 60000);
	assert_string_equal(look_at_processes(500), "weir-dns runs");
	shown[OBSERVE_DNS].running = false; /* none says that it runs when it does not */
	assert_string_equal(look_at_processes(500), "weir-dns shows no sign of life");
}

/* What a look at the drain of this node logs; NULL: nothing. */
static const char *look_at_drain(enum model_node_drain target, struct node_drain_routes routes)
{
	const uint64_t before = journal_last(intent_journal(this_node.intent));

	follow_drain(&this_node, target, &routes, NULL, fake_ms);
	return journal_last(intent_journal(this_node.intent)) > before ? last_event()->message
	                                                               : NULL;
}

/* Whoever is restarted meanwhile: weir-announce, then nothing is known, or weir-mgmt. */
static void the_last_word_on_a_drain_is_true(void **state)
{
	const struct node_drain_routes unknown = { .known = false },
	                               normal = { .known = true, .n = 2, .n_normal = 2 },
	                               gone = { .known = true, .n = 2, .n_commanded = 2 };

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
	const struct node_drain_routes unknown = { .known = false },
	                               part = { .known = true,
		                                .n = 2,
		                                .n_normal = 1,
		                                .n_waiting = 1 },
	                               all = { .known = true, .n = 2, .n_normal = 2 },
	                               gone = { .known = true, .n = 2, .n_commanded = 2 };

	(void)state;
	assert_null(look_at_drain(MODEL_NODE_SERVES, part)); /* there was no drain */
	assert_string_equal(node_drain_state(&own.drain), "serving");
	assert_non_null(look_at_drain(MODEL_NODE_DRAINED, gone));
	for (int is_seen = 0; is_seen <= 1; is_seen++) { /* the return, before the restart */
		if (is_seen)
			assert_non_null(look_at_drain(MODEL_NODE_SERVES, gone));
		start_again();
		look_at_drain(MODEL_NODE_SERVES, unknown);
		look_at_drain(MODEL_NODE_SERVES, part);
		assert_string_equal(node_drain_state(&own.drain), "returning");
		assert_non_null(
		        strstr(look_at_drain(MODEL_NODE_SERVES, all), "serving, was returning"));
		start_again();
		assert_null(look_at_drain(MODEL_NODE_SERVES, part));
		assert_string_equal(node_drain_state(&own.drain), "serving");
	}
}

/* For how long weir-dns, which has taken @p taken, has had a document to take, after @p later_ms. */
static uint64_t pending_after(uint64_t later_ms, int taken)
{
	fake_ms += later_ms;
	json_decref(own.dns);
	own.dns = json_pack("{s:i}", "document", taken);
	observe_note_processes(&this_node);
	return observe_look(&this_node, OBSERVE_DNS, NULL).pending_ms;
}

/* However often newer ones come. */
static void a_document_is_pending_since_there_is_one_to_take(void **state)
{
	(void)state;
	memset(shown, 0, sizeof(shown));
	fake_document = 7;
	assert_int_equal(pending_after(500, 0), 0); /* it has not run here */
	shown[OBSERVE_DNS] = (struct gather_process){ .present = true, .running = true };
	assert_int_equal(pending_after(500, 0), 0);
	assert_int_equal(pending_after(500, 0), 500);
	assert_int_equal(pending_after(500, 7), 0);
	for (uint64_t ms = 0; ms <= 5000; ms += 500) {
		fake_document++;
		assert_int_equal(pending_after(500, 7), ms);
	}
	fake_document++;
	assert_int_equal(pending_after(500, 9), 0); /* it takes them, one after the other */
	fake_document++;
	assert_int_equal(pending_after(500, 10), 0);
	assert_int_equal(pending_after(500, 10), 500);
	shown[OBSERVE_DNS].running = false; /* a process that ends has taken none */
	assert_int_equal(pending_after(500, 0), 1000);
	shown[OBSERVE_DNS].running = true;
	assert_int_equal(pending_after(500, 10), 0);
	assert_int_equal(pending_after(500, (int)fake_document), 0);
	json_decref(own.dns);
	fake_document = 1;
}

static void all_backends_of_all_pools_are_summed(void **state)
{
	const struct model_pool list[] = { { .name = "web" },
		                           { .name = "two" },
		                           { .name = "web" } };
	const struct model m = { .pools = list, .n_pools = 3 };

	(void)state;
	fake_sent = 10;
	assert_int_equal(count_bytes(&m, NULL), 10 + 10 + 700 + 10);
}

static void a_process_is_seen_with_all_its_fields(void **state)
{
	(void)state;
	own.dns = json_pack("{s:i}", "document", 9);
	memset(shown, 0, sizeof(shown));
	shown[OBSERVE_DNS] = (struct gather_process){ .present = true,
		                                      .running = true,
		                                      .exists = true,
		                                      .age_ms = 5,
		                                      .refused = true,
		                                      .learning = true,
		                                      .has_ports = true,
		                                      .n_ports = 6,
		                                      .dpdk = true,
		                                      .has_conditions = true,
		                                      .conditions_unread = true };
	struct gather_process s = observe_look(&this_node, OBSERVE_DNS, NULL);
	assert_true(s.present && s.running && s.exists && s.refused && s.learning && s.has_ports &&
	            s.dpdk && s.has_conditions && s.conditions_unread);
	assert_int_equal(s.age_ms, 5);
	assert_int_equal(s.n_ports, 6);
	assert_int_equal(s.document, 9);
	shown[OBSERVE_MGMT] = (struct gather_process){ .present = true };
	s = observe_look(&this_node, OBSERVE_MGMT, NULL);
	assert_false(s.running || s.exists || s.refused || s.learning || s.has_ports || s.dpdk ||
	             s.has_conditions || s.conditions_unread);
	assert_int_equal(s.document, intent_document(this_node.intent));
	shown[OBSERVE_HEALTH] =
	        (struct gather_process){ .age_ms = UINT64_MAX }; /* it has no page */
	s = observe_look(&this_node, OBSERVE_HEALTH, NULL);
	assert_false(s.present);
	assert_int_equal(s.document, 0);
	assert_true(s.age_ms == UINT64_MAX);
	json_decref(own.dns);
}

static void the_page_of_a_running_announcer_says_which_document_it_is_of(void **state)
{
	struct announced_node node = { .document = 33 };
	struct announced_page *page;

	(void)state;
	memset(shown, 0, sizeof(shown));
	shown[OBSERVE_ANNOUNCE] = (struct gather_process){ .present = true, .running = true };
	assert_int_equal(announced_create(this_node.dirs.run, &page), 0);
	announced_publish(page, &node, NULL, 0, NULL, 0, 1);
	assert_int_equal(observe_look(&this_node, OBSERVE_ANNOUNCE, NULL).document, 33);
	announced_close(page);
}

static void the_health_page_says_which_document_it_is_of(void **state)
{
	struct page *page;
	char path[PATH_MAX];

	(void)state;
	memset(shown, 0, sizeof(shown));
	shown[OBSERVE_HEALTH].present = shown[OBSERVE_DATAPLANE].present = true;
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
		log_health_changes(&this_node, &m, &pages);
		assert_string_equal(last_event()->subject,
		                    i ? "pools/api/backends/b2" : "pools/web/backends/b1");
		assert_string_equal(last_event()->message, "up, was unknown (ok)");
		assert_string_equal(last_event()->kind, "health");
		health_write(&page, health_find_index(&page, targets[i]),
		             health_make(HEALTH_DOWN, 0, HEALTH_REASON_TIMEOUT, 2));
		log_health_changes(&this_node, &m, &pages);
		assert_string_equal(last_event()->message, "down, was up (timeout)");
	}
	free(own.logged);
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
			log_health_changes(&this_node, is_service ? &services : &pools, &pages);
			snprintf(want, sizeof(want),
			         is_service ? "services/%s/at/%s/ipv4" : "pools/%s/backends/%s",
			         pool_name, name);
			assert_non_null(strstr(
			        n > 38 ? last_event()->message : last_event()->subject, want));
			assert_int_equal(strncmp(last_event()->subject, want, 95), 0);
			free(own.logged);
			own.logged = NULL;
			own.n_logged = 0;
		}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, asked_teardown)
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
		T(a_restart_amid_a_return_does_not_end_it),
		T(a_document_is_pending_since_there_is_one_to_take),
		T(all_backends_of_all_pools_are_summed),
		T(a_process_is_seen_with_all_its_fields),
		T(the_page_of_a_running_announcer_says_which_document_it_is_of),
		T(the_health_page_says_which_document_it_is_of),
		T(processes_have_their_names),
		T(a_backends_verdict_is_an_event),
		T(long_names_are_whole_in_an_event),
	};

	return cmocka_run_group_tests_name("observe parts", tests, NULL, NULL);
}
