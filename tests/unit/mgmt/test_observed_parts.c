/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events that are read and waited for, and operations: which come, who may wait, and when a wait
 * ends; and what a node says of itself.
 */
#include "api_world.h"

#include "mgmt/sync/operations_list.h"
#include "tests/unit/suite.h"

/* The documented values, not the code's own: a change of those is seen. */
#define POLLS_MAX 8u

static atomic_bool client_gone;
static uint64_t first;

static void add_events(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		journal_add(intent_journal(this_node.intent), NOW_MS, "test", "subject", "event %u",
		            i);
}

static int setup(void **state)
{
	world_setup(state);
	client_gone = false;
	asker.gone = &client_gone;
	first = journal_last(intent_journal(this_node.intent));
	return 0;
}

/* @return how many events came; @p from is the first one's id */
static size_t ask_events(const char *query, uint64_t *from)
{
	char what[100];

	snprintf(what, sizeof(what), "GET /v1/events%s%s", *query ? "?" : "", query);
	(void)ask_route(what, NULL);
	*from = (uint64_t)number_at("items.0.id");
	return count_at("items");
}

static size_t ask_from(uint64_t since, const char *more, uint64_t *from)
{
	char text[60];

	snprintf(text, sizeof(text), "since=%llu%s", (unsigned long long)since, more);
	return ask_events(text, from);
}

/*
 * Without a start the newest come; with one those behind it, the oldest first, so that none is
 * passed over.
 */
static void events_come_in_their_order(void **state)
{
	uint64_t id;

	(void)state;
	add_events(10);
	assert_int_equal(ask_events("limit=3", &id), 3);
	assert_true(id == first + 8);
	assert_int_equal(number_at("last"), first + 10);
	assert_int_equal(ask_from(first, "&limit=3", &id), 3);
	assert_true(id == first + 1);
	assert_int_equal(ask_from(first + 3, "", &id), 7);
	assert_true(id == first + 4);
	assert_int_equal(ask_from(first + 9, "", &id), 1);
	assert_true(id == first + 10);
	assert_int_equal(ask_from(first + 10, "", &id), 0);
	assert_int_equal(answer.status, 200);
	assert_int_equal(ask_events("limit=1000", &id), first + 10);
	(void)ask_events("limit=1001", &id);
	assert_int_equal(answer.status, 400);
	(void)ask_events("wait_ms=30001", &id);
	assert_int_equal(answer.status, 400);
}

/* Who was away for so long that events are gone is told so. */
static void lost_events_are_told(void **state)
{
	struct journal *j = intent_journal(this_node.intent);
	uint64_t id;

	(void)state;
	while (journal_oldest(j) < 4)
		add_events(500);
	uint64_t oldest = journal_oldest(j);
	assert_int_equal(ask_from(oldest - 2, "&limit=5", &id), 0);
	assert_int_equal(answer.status, 410);
	assert_int_equal(ask_from(oldest - 1, "&limit=5", &id),
	                 5); /* the next one is still there */
	assert_true(id == oldest);
	assert_int_equal(ask_from(0, "&limit=5", &id), 5); /* whatever there is */
	assert_true(id == oldest);
}

static void happen_later(void)
{
	if (told_ms == BEGIN_MS + 500)
		add_events(1);
}

static void leave_later(void)
{
	client_gone = told_ms >= BEGIN_MS + 750;
}

static void a_wait_ends_with_an_event_its_time_or_its_client(void **state)
{
	uint64_t id;

	(void)state;
	assert_int_equal(ask_from(first, "&wait_ms=1100", &id), 0);
	assert_int_equal(answer.status, 200);
	assert_int_equal(told_ms, BEGIN_MS + 1100);
	told_ms = BEGIN_MS;
	meanwhile = leave_later;
	assert_int_equal(ask_from(first, "&wait_ms=30000", &id), 0);
	assert_int_equal(told_ms, BEGIN_MS + 750);
	client_gone = false;
	told_ms = BEGIN_MS;
	meanwhile = happen_later;
	assert_int_equal(ask_from(first, "&wait_ms=30000", &id), 1);
	assert_int_equal(told_ms, BEGIN_MS + 500);
	assert_int_equal(ask_from(first, "&wait_ms=30000", &id), 1); /* there already */
	assert_int_equal(told_ms, BEGIN_MS + 500);
	this_node.stopping = true;
	assert_int_equal(ask_from(first + 1, "&wait_ms=30000", &id), 0);
	assert_int_equal(told_ms, BEGIN_MS + 500);
	this_node.stopping = false;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(this_node.event_polls.n[i], 0);
}

/* So many of a kind wait, and no other kind loses its room by that. */
static void waits_are_bounded_by_kind(void **state)
{
	static const struct {
		bool local;
		enum http_role role;
		const char *principal;
	} kinds[] = { { false, HTTP_VIEWER, "anonymous" },
		      { false, HTTP_ADMIN, "ada" },
		      { true, HTTP_OPERATOR, "jw" },
		      { true, HTTP_ADMIN, "root" } };
	uint64_t id;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		asker.local = kinds[i].local;
		asker.role = kinds[i].role;
		snprintf(asker.principal, sizeof(asker.principal), "%s", kinds[i].principal);
		for (size_t k = 0; k < 4; k++)
			this_node.event_polls.n[k] = k == i ? POLLS_MAX : 0;
		(void)ask_from(first, "&wait_ms=300", &id);
		assert_int_equal(answer.status, 503);
		assert_int_equal(answer.retry_s, 1);
		this_node.event_polls.n[i] = POLLS_MAX - 1;
		(void)ask_from(first, "&wait_ms=300", &id);
		assert_int_equal(answer.status, 200);
		for (size_t k = 0; k < 4; k++)
			this_node.event_polls.n[k] = k == i ? 0 : POLLS_MAX;
		(void)ask_from(first, "&wait_ms=300", &id);
		assert_int_equal(answer.status, 200);
		assert_int_equal(this_node.event_polls.n[i], 0);
	}
}

/* The only operation, whose record has number 9. */
static struct operations_item item;
static struct operations list = { .items = { &item }, .n = 1 };

static void make_operation(void)
{
	memset(&item, 0, sizeof(item));
	item.op = (struct operation){ .id = "o7",
		                      .author = "jw",
		                      .principal = "token:otto",
		                      .reason = "x",
		                      .owner = "fra-1",
		                      .created_ms = NOW_MS,
		                      .until_ms = MODEL_TIME_NEVER,
		                      .state = OPERATION_MOVING,
		                      .seq = 9,
		                      .n_targets = 1,
		                      .targets = { { .site = "ams" } } };
	this_node.operations = &list;
	list.n = 1;
}

/* @return the status; the wait begins at BEGIN_MS */
static unsigned ask_operation(const char *query)
{
	char what[100];

	snprintf(what, sizeof(what), "GET /v1/operations/o7?%s", query);
	told_ms = BEGIN_MS;
	return ask_route(what, NULL);
}

static void step_later(void)
{
	if (told_ms == BEGIN_MS + 500)
		item.op.seq++;
}

static void vanish_later(void)
{
	if (told_ms == BEGIN_MS + 500)
		list.n = 0;
}

/* It occupies a thread like a wait for an event: it has a limit, too, and ends in the same ways. */
static void a_wait_for_an_operation_ends_with_its_client_and_is_bounded(void **state)
{
	(void)state;
	make_operation();
	assert_int_equal(ask_operation("since=9&wait_ms=1100"), 200);
	assert_int_equal(told_ms, BEGIN_MS + 1100);
	assert_int_equal(ask_operation("since=8&wait_ms=1100"), 200); /* it is later */
	assert_int_equal(told_ms, BEGIN_MS);
	assert_int_equal(ask_operation("wait_ms=1100"), 200);
	assert_int_equal(told_ms, BEGIN_MS);
	meanwhile = leave_later;
	assert_int_equal(ask_operation("since=9&wait_ms=60000"), 200);
	assert_int_equal(told_ms, BEGIN_MS + 750);
	client_gone = false;
	meanwhile = vanish_later;
	assert_int_equal(ask_operation("since=9&wait_ms=60000"), 404);
	assert_int_equal(told_ms, BEGIN_MS + 500);
	make_operation();
	meanwhile = step_later;
	assert_int_equal(ask_operation("since=9&wait_ms=60000"), 200);
	assert_int_equal(told_ms, BEGIN_MS + 500);
	assert_int_equal(number_at("seq"), 10);
	meanwhile = leave_later;
	this_node.operation_polls.n[1] = 1; /* the kind of a request with a token */
	assert_int_equal(ask_operation("since=10&wait_ms=60000"), 200);
	assert_int_equal(told_ms, BEGIN_MS + 750);
	client_gone = false;
	/* with waits for events, as many as there are of them, some threads for strangers stay free */
	this_node.operation_polls.n[1] = 2;
	assert_int_equal(ask_operation("since=10&wait_ms=60000"), 200); /* as it is */
	assert_int_equal(told_ms, BEGIN_MS);
	assert_int_equal(this_node.operation_polls.n[1], 2);
	this_node.operation_polls.n[1] = 0;
	this_node.operations = NULL;
}

static void a_node_says_what_it_is(void **state)
{
	char release[32];

	(void)state;
	assert_int_equal(ask_route("GET /v1/openapi.json", NULL), 200);
	snprintf(release, sizeof(release), "%s", text_at("info.version"));
	assert_string_not_equal(release, "");
	told_ms += 500;
	assert_int_equal(ask_route("GET /v1/node", NULL), 200);
	assert_string_equal(text_at("node"), "ams-1");
	assert_string_equal(text_at("site"), "ams");
	assert_string_equal(text_at("cluster"), "shop");
	assert_string_equal(text_at("release"), release);
	assert_string_equal(text_at("store.state"), "ok");
	assert_string_equal(text_at("store.detail"), "");
	assert_int_equal(number_at("uptime_ms"), 500);
}

static void who_asks_whether_it_answers_is_told(void **state)
{
	(void)state;
	assert_int_equal(ask_route("GET /healthz", NULL), 200);
	assert_string_equal(answer.text, "ok\n");
}

static void keys_are_told_with_who_tells_them(void **state)
{
	(void)state;
	assert_int_equal(ask_route("POST /v1/peer/exchange",
	                           "{\"node\":\"fra-1\",\"cluster\":\"shop\",\"query\":\"keys\"}"),
	                 200);
	assert_string_equal(text_at("node"), "ams-1");
	assert_string_equal(text_at("cluster"), "shop");
}

SUITE(observed_parts)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, world_teardown)
	const struct CMUnitTest tests[] = {
		T(events_come_in_their_order),
		T(lost_events_are_told),
		T(a_wait_ends_with_an_event_its_time_or_its_client),
		T(waits_are_bounded_by_kind),
		T(a_wait_for_an_operation_ends_with_its_client_and_is_bounded),
		T(a_node_says_what_it_is),
		T(keys_are_told_with_who_tells_them),
		T(who_asks_whether_it_answers_is_told),
	};

	world_begin();
	return cmocka_run_group_tests_name("observed parts", tests, NULL, NULL);
}
