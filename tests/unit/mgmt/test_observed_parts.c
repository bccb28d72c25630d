/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events that are read and waited for, and operations: which come, who may wait, and when a wait
 * ends; and what a node says of itself.
 */
#include "asked.h"

#include "mgmt/api/handle.h"

/* The documented values, not the code's own: a change of those is seen. */
#define POLLS_MAX 8u

static uint64_t fake_ms;
static void (*meanwhile)(void);

static uint64_t fake_mono_ms(void)
{
	return fake_ms;
}

static bool fake_wait(struct core *core, uint64_t until_ms)
{
	if (core->stopping || fake_ms >= until_ms)
		return false;
	fake_ms = until_ms;
	if (meanwhile)
		meanwhile();
	return true;
}

/* The private parts too. */
#define clock_mono_ms fake_mono_ms
#define core_wait     fake_wait
#define WEIR_RELEASE  "4.5.6" /* the build gives it to weir-mgmt alone */
#include "mgmt/api/handle_observed.c"
#include "mgmt/api/handle_operations.c"
#include "mgmt/api/poll.c"

#include "mgmt/sync/operations_list.h"

static struct http_reply answer;
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
	(void)asked_setup(state);
	fake_ms = 1000000;
	meanwhile = NULL;
	client_gone = false;
	memset(&answer, 0, sizeof(answer));
	first = journal_last(intent_journal(this_node.intent));
	return 0;
}

static int teardown(void **state)
{
	http_reply_fini(&answer);
	return asked_teardown(state);
}

static struct http_request make_request(const char *since, const char *limit, const char *wait_ms)
{
	const char *const names[] = { "since", "limit", "wait_ms" };
	const char *const values[] = { since, limit, wait_ms };
	struct http_request r = { .method = "GET", .gone = &client_gone };

	for (size_t i = 0; i < 3; i++)
		if (values[i]) {
			snprintf(r.query[r.n_query].name, 32, "%s", names[i]);
			snprintf(r.query[r.n_query++].value, 32, "%s", values[i]);
		}
	return r;
}

/* @return how many events came; @p from is the first one's id */
static size_t ask_events(struct http_request r, uint64_t *from)
{
	http_reply_fini(&answer);
	memset(&answer, 0, sizeof(answer));
	handle_events(&this_node, &r, &answer);
	const json_t *items = json_object_get(answer.json, "items");
	*from = (uint64_t)json_integer_value(json_object_get(json_array_get(items, 0), "id"));
	return json_array_size(items);
}

static size_t ask_from(uint64_t since, const char *limit, uint64_t *from)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)since);
	return ask_events(make_request(text, limit, NULL), from);
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
	assert_int_equal(ask_events(make_request(NULL, "3", NULL), &id), 3);
	assert_true(id == first + 8);
	assert_int_equal(json_integer_value(json_object_get(answer.json, "last")), first + 10);
	assert_int_equal(ask_from(first, "3", &id), 3);
	assert_true(id == first + 1);
	assert_int_equal(ask_from(first + 3, NULL, &id), 7);
	assert_true(id == first + 4);
	assert_int_equal(ask_from(first + 9, NULL, &id), 1);
	assert_true(id == first + 10);
	assert_int_equal(ask_from(first + 10, NULL, &id), 0);
	assert_int_equal(answer.status, 200);
	assert_int_equal(ask_events(make_request(NULL, "1000", NULL), &id), first + 10);
	(void)ask_events(make_request(NULL, "1001", NULL), &id);
	assert_int_equal(answer.status, 400);
	(void)ask_events(make_request(NULL, NULL, "30001"), &id);
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
	assert_int_equal(ask_from(oldest - 2, "5", &id), 0);
	assert_int_equal(answer.status, 410);
	assert_int_equal(ask_from(oldest - 1, "5", &id), 5); /* the next one is still there */
	assert_true(id == oldest);
	assert_int_equal(ask_from(0, "5", &id), 5); /* whatever there is */
	assert_true(id == oldest);
}

static void happen_later(void)
{
	if (fake_ms == 1000000 + 500)
		add_events(1);
}

static void leave_later(void)
{
	client_gone = fake_ms >= 1000000 + 750;
}

static void a_wait_ends_with_an_event_its_time_or_its_client(void **state)
{
	char since[24];
	uint64_t id;

	(void)state;
	snprintf(since, sizeof(since), "%llu", (unsigned long long)first);
	assert_int_equal(ask_events(make_request(since, NULL, "1100"), &id), 0);
	assert_int_equal(answer.status, 200);
	assert_int_equal(fake_ms, 1000000 + 1100);
	fake_ms = 1000000;
	meanwhile = leave_later;
	assert_int_equal(ask_events(make_request(since, NULL, "30000"), &id), 0);
	assert_int_equal(fake_ms, 1000000 + 750);
	client_gone = false;
	fake_ms = 1000000;
	meanwhile = happen_later;
	assert_int_equal(ask_events(make_request(since, NULL, "30000"), &id), 1);
	assert_int_equal(fake_ms, 1000000 + 500);
	assert_int_equal(ask_events(make_request(since, NULL, "30000"), &id),
	                 1); /* there already */
	assert_int_equal(fake_ms, 1000000 + 500);
	this_node.stopping = true;
	snprintf(since, sizeof(since), "%llu", (unsigned long long)first + 1);
	assert_int_equal(ask_events(make_request(since, NULL, "30000"), &id), 0);
	assert_int_equal(fake_ms, 1000000 + 500);
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
	char since[24];
	uint64_t id;

	(void)state;
	snprintf(since, sizeof(since), "%llu", (unsigned long long)first);
	for (size_t i = 0; i < 4; i++) {
		struct http_request r = make_request(since, NULL, "300");

		r.local = kinds[i].local;
		r.role = kinds[i].role;
		snprintf(r.principal, sizeof(r.principal), "%s", kinds[i].principal);
		for (size_t k = 0; k < 4; k++)
			this_node.event_polls.n[k] = k == i ? POLLS_MAX : 0;
		(void)ask_events(r, &id);
		assert_int_equal(answer.status, 503);
		assert_true(answer.retry);
		this_node.event_polls.n[i] = POLLS_MAX - 1;
		(void)ask_events(r, &id);
		assert_int_equal(answer.status, 200);
		for (size_t k = 0; k < 4; k++)
			this_node.event_polls.n[k] = k == i ? 0 : POLLS_MAX;
		(void)ask_events(r, &id);
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

/* @return the status; the wait began at 1000000 */
static unsigned ask_operation(struct http_request r)
{
	fake_ms = 1000000;
	strcpy(r.parts[0], "o7");
	http_reply_fini(&answer);
	memset(&answer, 0, sizeof(answer));
	handle_operation(&this_node, &r, &answer);
	return answer.status;
}

static void step_later(void)
{
	if (fake_ms == 1000000 + 500)
		item.op.seq++;
}

static void vanish_later(void)
{
	if (fake_ms == 1000000 + 500)
		list.n = 0;
}

/* It occupies a thread like a wait for an event: it has a limit, too, and ends in the same ways. */
static void a_wait_for_an_operation_ends_with_its_client_and_is_bounded(void **state)
{
	(void)state;
	make_operation();
	assert_int_equal(ask_operation(make_request("9", NULL, "1100")), 200);
	assert_int_equal(fake_ms, 1000000 + 1100);
	assert_int_equal(ask_operation(make_request("8", NULL, "1100")), 200); /* it is later */
	assert_int_equal(fake_ms, 1000000);
	assert_int_equal(ask_operation(make_request(NULL, NULL, "1100")), 200);
	assert_int_equal(fake_ms, 1000000);
	meanwhile = leave_later;
	assert_int_equal(ask_operation(make_request("9", NULL, "60000")), 200);
	assert_int_equal(fake_ms, 1000000 + 750);
	client_gone = false;
	meanwhile = vanish_later;
	assert_int_equal(ask_operation(make_request("9", NULL, "60000")), 404);
	assert_int_equal(fake_ms, 1000000 + 500);
	make_operation();
	meanwhile = step_later;
	assert_int_equal(ask_operation(make_request("9", NULL, "60000")), 200);
	assert_int_equal(fake_ms, 1000000 + 500);
	assert_int_equal(json_integer_value(json_object_get(answer.json, "seq")), 10);
	meanwhile = leave_later;
	this_node.operation_polls.n[1] = 1; /* the kind of a request with a token */
	assert_int_equal(ask_operation(make_request("10", NULL, "60000")), 200);
	assert_int_equal(fake_ms, 1000000 + 750);
	client_gone = false;
	/* with waits for events, as many as there are of them, some threads for strangers stay free */
	this_node.operation_polls.n[1] = 2;
	assert_int_equal(ask_operation(make_request("10", NULL, "60000")), 200); /* as it is */
	assert_int_equal(fake_ms, 1000000);
	assert_int_equal(this_node.operation_polls.n[1], 2);
	this_node.operation_polls.n[1] = 0;
	this_node.operations = NULL;
}

/* Ask a handler with @p body (given) and a part of the path. @return the status */
static unsigned ask_handler(http_handler *handler, json_t *body, const char *part)
{
	struct http_request r = { .method = "POST", .json = body };

	snprintf(r.parts[0], sizeof(r.parts[0]), "%s", part);
	http_reply_fini(&answer);
	memset(&answer, 0, sizeof(answer));
	handler(&this_node, &r, &answer);
	json_decref(body);
	return answer.status;
}

static const char *text_of(const char *name)
{
	const char *text = json_string_value(json_object_get(answer.json, name));

	return text ? text : "";
}

static json_int_t number_of(const char *name)
{
	return json_integer_value(json_object_get(answer.json, name));
}

static void a_node_says_what_it_is(void **state)
{
	(void)state;
	this_node.started_ms = 999500;
	assert_int_equal(ask_handler(handle_node, NULL, ""), 200);
	assert_string_equal(text_of("node"), "ams-1");
	assert_string_equal(text_of("site"), "ams");
	assert_string_equal(text_of("cluster"), "shop");
	assert_string_equal(text_of("release"), "4.5.6");
	const json_t *store = json_object_get(answer.json, "store");
	assert_string_equal(json_string_value(json_object_get(store, "state")), "ok");
	assert_string_equal(json_string_value(json_object_get(store, "detail")), "");
	assert_int_equal(number_of("uptime_ms"), 500);
}

static void who_asks_whether_it_answers_is_told(void **state)
{
	(void)state;
	assert_int_equal(ask_handler(handle_healthz, NULL, ""), 200);
	assert_string_equal(answer.text, "ok\n");
}

static void keys_are_told_with_who_tells_them(void **state)
{
	(void)state;
	handle_peer_keys(&this_node, &(struct http_request){ .method = "GET" }, &answer);
	assert_int_equal(answer.status, 200);
	assert_string_equal(json_string_value(json_object_get(answer.json, "node")), "ams-1");
	assert_string_equal(json_string_value(json_object_get(answer.json, "cluster")), "shop");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
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

	return cmocka_run_group_tests_name("seen parts", tests, NULL, NULL);
}
