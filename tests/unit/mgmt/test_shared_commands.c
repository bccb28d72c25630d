/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands in the store: what is written, what its answers mean, what is taken from it, and what goes when. */
#include "asked.h"

#include "mgmt/sync/shared_run.h"
#include "mgmt/store/copy.h"
#include "mgmt/store/intent_internal.h"
#include "mgmt/store/shared_etcd.h"

#define DAY_MS    ((int64_t)24 * 3600 * 1000)
#define STAMP(ms) ((uint64_t)(ms) << 11)

static int write_err;
static struct shared_answer answer;
static char written[8192]; /* what the last change compared and wrote */
static unsigned n_writes;
static bool is_ready;
static int64_t awaited;

static void note_change(const struct shared_change *c)
{
	size_t at = 0;

	assert_int_equal(c->err, 0);
	for (size_t i = 0; i < c->n_seen; i++)
		at += (size_t)snprintf(written + at, sizeof(written) - at, "see %s@%lld; ",
		                       c->seen[i].name, (long long)c->seen[i].revision);
	for (size_t i = 0; i < c->n_puts; i++)
		at += (size_t)snprintf(written + at, sizeof(written) - at, "%s %s; ",
		                       c->puts[i].text ? "put" : "remove", c->puts[i].name);
}

static int fake_write(struct shared_etcd *e, const struct shared_change *c,
                      struct shared_answer *out)
{
	(void)e;
	n_writes++;
	note_change(c);
	if (write_err)
		return write_err;
	*out = answer;
	for (size_t i = 0; i < out->n_now; i++)
		out->now[i].text = answer.now[i].text ? strdup(answer.now[i].text) : NULL;
	return 0;
}

static void fake_expect(struct shared_etcd *e, uint64_t cluster_id)
{
	(void)e;
	assert_int_equal(cluster_id, 77);
}

static bool fake_ready(const struct core *core)
{
	(void)core;
	return is_ready;
}

static uint64_t fake_cluster(const struct core *core)
{
	(void)core;
	return 77;
}

static const struct override *coming; /* with what is awaited; NULL: nothing */

static void fake_await(struct core *core, int64_t revision)
{
	awaited = revision;
	if (coming)
		assert_int_equal(intent_merge(core->intent, coming, 1, coming->created_ms), 1);
	coming = NULL;
}

static struct shared_commands *fake_commands(const struct core *core);

static int64_t ahead_ms; /* how far the clock has leapt */

static int64_t fake_purge_ms(const struct core *core)
{
	(void)core;
	return clock_believed_ms() - ahead_ms;
}

/* The private parts too. */
#define shared_etcd_write     fake_write
#define shared_etcd_expect    fake_expect
#define shared_state_is_ready fake_ready
#define shared_state_cluster  fake_cluster
#define shared_run_await      fake_await
#define shared_run_commands   fake_commands
#define timekeep_purge_ms     fake_purge_ms
#include "mgmt/sync/shared_commands.c"

static struct shared_commands commands;
static bool has_store;

static struct shared_commands *fake_commands(const struct core *core)
{
	(void)core;
	return has_store ? &commands : NULL;
}

static int setup(void **state)
{
	asked_shares = true;
	(void)asked_setup(state);
	commands = (struct shared_commands){ .core = &this_node };
	pthread_mutex_init(&commands.writing, NULL);
	write_err = 0;
	answer = (struct shared_answer){ .result = SHARED_DONE, .revision = 50 };
	written[0] = '\0';
	n_writes = 0;
	awaited = 0;
	is_ready = has_store = true;
	core_lock(&this_node);
	return 0;
}

static int teardown(void **state)
{
	core_unlock(&this_node);
	pthread_mutex_destroy(&commands.writing);
	return asked_teardown(state);
}

static struct override make_override(const char *id, int64_t commanded_ms)
{
	struct override o = { .kind = MODEL_OVERRIDE_DRAIN,
		              .target = MODEL_TARGET_SITE,
		              .name = "ams",
		              .generation = STAMP(commanded_ms),
		              .created_ms = commanded_ms,
		              .from_ms = commanded_ms,
		              .until_ms = MODEL_TIME_NEVER,
		              .author = "ann",
		              .reason = "test",
		              .node = "ams-1",
		              .principal = "user:ann" };

	snprintf(o.id, sizeof(o.id), "%s", id);
	return o;
}

static bool decide_list(const struct override *list, size_t n, struct command_result *result)
{
	*result = (struct command_result){ .text = "" };
	return shared_commands_decide(&this_node, list, n, result);
}

/* The copy of the store as it is after it wrote these records, at revision 9. */
static void keep_records(const struct shared_record *list, size_t n)
{
	const struct store_origin origin = { .cluster_id = 77 };

	assert_int_equal(copy_install(intent_store(this_node.intent), 9, list, n, &origin, 0), 0);
}

static struct shared_record record_of(const struct override *o, int64_t revision)
{
	struct shared_record r = { .text = record_to_text(&override_record, o),
		                   .revision = revision };

	command_records_override(o->id, r.name);
	return r;
}

static void a_command_rests_on_the_last_one_at_its_target(void **state)
{
	const struct override site = { .name = "ams", .service = "web" };
	const struct override node = { .target = MODEL_TARGET_NODE, .name = "ams-1" };
	const struct override backend = { .target = MODEL_TARGET_BACKEND,
		                          .pool = "web",
		                          .name = "b1" };
	struct override list[2] = { make_override("a-1", NOW_MS), make_override("a-2", NOW_MS) };
	struct shared_record last = { .name = "command/site/ams", .text = "{}", .revision = 7 };
	struct command_result *result = calloc(1, sizeof(*result));
	char name[SHARED_NAME_MAX];

	(void)state;
	assert_string_equal(command_records_target(&site, name), "command/site/ams");
	assert_string_equal(command_records_target(&node, name), "command/node/ams-1");
	assert_string_equal(command_records_target(&backend, name), "command/backend/web/b1");
	assert_true(decide_list(list, 2, result));
	assert_string_equal(written, "see store@0; see command/site/ams@0; put command/site/ams; "
	                             "put override/a-1; put override/a-2; ");
	assert_int_equal(awaited, 50);
	keep_records(&last, 1);
	assert_true(decide_list(list, 1, result));
	assert_string_equal(written, "see store@0; see command/site/ams@7; put command/site/ams; "
	                             "put override/a-1; ");
	/* a store that was restored from before what is decided for good has not that */
	struct shared_record decided[] = { last,
		                           { .name = "mark/2", .text = "{}", .revision = 8 } };
	keep_records(decided, 2);
	assert_true(decide_list(list, 1, result));
	assert_string_equal(written, "see store@0; see mark/2@8; see command/site/ams@7; "
	                             "put command/site/ams; put override/a-1; ");
	free(result);
}

/* More than fit into one change are written later, by the thread. */
static void as_many_as_fit_are_written(void **state)
{
	struct override list[20];
	struct command_result *result = calloc(1, sizeof(*result));
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < 20; i++)
		list[i] = make_override("a-1", NOW_MS);
	for (size_t i = 0; i < 20; i++)
		snprintf(list[i].id, sizeof(list[i].id), "a-%zu", i);
	assert_true(decide_list(list, 20, result));
	for (const char *at = written; (at = strstr(at, "put override/")); at++)
		n++;
	assert_int_equal(n, 12);
	free(result);
}

static void what_the_store_does_not_decide_is_kept_here(void **state)
{
	const struct override o = make_override("a-1", NOW_MS);
	struct command_result *result = calloc(1, sizeof(*result));

	(void)state;
	has_store = false;
	assert_true(decide_list(&o, 1, result));
	has_store = true;
	is_ready = false;
	assert_true(decide_list(&o, 1, result));
	assert_int_equal(n_writes, 0);
	is_ready = true;
	write_err = -EHOSTUNREACH;
	assert_true(decide_list(&o, 1, result));
	write_err = 0;
	answer.result = SHARED_UNKNOWN;
	assert_true(decide_list(&o, 1, result));
	assert_int_equal(n_writes, 2);
	assert_int_equal(awaited, 0);
	/* the store's epoch is another, not the target's last command */
	answer = (struct shared_answer){ .result = SHARED_REFUSED, .n_now = 2 };
	answer.now[0] = (struct shared_record){ .name = "store", .revision = 5 };
	answer.now[1] = (struct shared_record){ .name = "command/site/ams" };
	assert_true(decide_list(&o, 1, result));
	assert_string_equal(result->text, "");
	free(result);
}

/* The disk is full, and the copy of the store cannot be read: a person can drain all the same. */
static void a_command_is_taken_where_the_disk_fails(void **state)
{
	const struct override o = make_override("a-1", clock_believed_ms() - 1000);
	struct command_result *result = calloc(1, sizeof(*result));

	(void)state;
	assert_int_equal(intent_merge(this_node.intent, &o, 1, clock_believed_ms()), 1);
	keep_records(NULL, 0);
	this_node.intent->failing = true;
	assert_true(decide_list(&o, 1, result));
	assert_int_equal(n_writes, 0); /* it would rest on what is not known */
	assert_false(command_records_have(&this_node, &o));
	remove_old(&commands);
	settle_commands(&this_node);
	assert_int_equal(n_writes, 0);
	this_node.intent->failing = false;
	free(result);
}

static void refuse_by(const char *text)
{
	answer = (struct shared_answer){ .result = SHARED_REFUSED, .n_now = 2 };
	answer.now[1] = (struct shared_record){ .name = "command/site/ams",
		                                .text = (char *)(uintptr_t)text,
		                                .revision = 5 };
}

/* The override came from another node before its record came from the store: who commands has seen it. */
static void a_command_that_was_known_here_does_not_come_first(void **state)
{
	const struct override theirs = make_override("b-1", NOW_MS),
	                      o = make_override("a-1", NOW_MS + 1000);
	struct command_result *result = calloc(1, sizeof(*result));
	char text[256];

	(void)state;
	assert_int_equal(intent_merge(this_node.intent, &theirs, 1, NOW_MS), 1);
	for (unsigned later = 0; later < 2; later++) {
		snprintf(text, sizeof(text),
		         "{\"id\":\"b-1\",\"generation\":%" PRIu64
		         ",\"principal\":\"user:bob\",\"node\":\"fra-1\",\"time_ms\":1}",
		         theirs.generation + later);
		n_writes = 0;
		refuse_by(text);
		assert_int_equal(decide_list(&o, 1, result), !later);
		assert_int_equal(n_writes,
		                 later ? 1 : 2); /* refused again: written by the thread */
		assert_int_equal(awaited, 5);
		assert_int_equal(*result->text != '\0', later);
		awaited = 0;
	}
	free(result);
}

/* What this node knows of another target says nothing of bob's command at this one. */
static void a_command_that_nobody_here_has_seen_is_no_known_one(void **state)
{
	struct override other = make_override("c-1", NOW_MS + 500);
	const struct override o = make_override("a-1", NOW_MS + 1000);
	struct command_result *result = calloc(1, sizeof(*result));
	char text[256];

	(void)state;
	snprintf(other.name, sizeof(other.name), "fra");
	assert_int_equal(intent_merge(this_node.intent, &other, 1, NOW_MS + 500), 1);
	snprintf(text, sizeof(text),
	         "{\"id\":\"b-1\",\"generation\":%" PRIu64
	         ",\"principal\":\"user:bob\",\"node\":\"fra-1\",\"time_ms\":1}",
	         STAMP(NOW_MS));
	assert_null(overrides_find(intent_overrides(this_node.intent), "b-1"));
	refuse_by(text);
	assert_false(decide_list(&o, 1, result));
	assert_int_equal(n_writes, 1);
	free(result);
}

static void another_command_that_came_first_is_named(void **state)
{
	const struct override theirs = make_override("b-1", NOW_MS),
	                      o = make_override("a-1", NOW_MS);
	struct command_result *result = calloc(1, sizeof(*result));

	(void)state;
	refuse_by("{\"id\":\"b-1\",\"generation\":7,\"principal\":\"user:bob\",\"node\":\"fra-1\","
	          "\"time_ms\":1790000000000}");
	assert_false(decide_list(&o, 1, result));
	assert_string_equal(
	        result->text,
	        "user:bob has given a command there at node fra-1 at 2026-09-21T14:13:20.000Z, "
	        "which this node had not heard of: look at it, then give yours again");
	assert_int_equal(awaited, 5);
	assert_string_equal(result->override.id, ""); /* it has not come yet */
	coming = &theirs;
	refuse_by("{\"id\":\"b-1\",\"generation\":7,\"principal\":\"user:bob\",\"node\":\"fra-1\","
	          "\"time_ms\":1790000000000}");
	assert_false(decide_list(&o, 1, result));
	assert_string_equal(result->override.id, "b-1");
	refuse_by("garbage"); /* whatever it is, it came first */
	assert_false(decide_list(&o, 1, result));
	assert_string_equal(
	        result->text,
	        "another command came first: look at the overrides, then give yours again");
	refuse_by(NULL);
	assert_false(decide_list(&o, 1, result));
	free(result);
}

static bool is_here(const char *id)
{
	return overrides_find(intent_overrides(this_node.intent), id) != NULL;
}

/* A store that was restored may have what has ended since, and everybody has forgotten. */
static void what_a_restored_store_has_is_taken_with_care(void **state)
{
	const int64_t now_ms = clock_believed_ms();
	const struct override rows[] = {
		make_override("new-1", now_ms - 6 * DAY_MS),
		make_override("old-1", now_ms - 8 * DAY_MS),
		make_override("ahead-1", now_ms + DAY_MS),
	};
	struct override step = make_override("step-1", now_ms);
	struct shared_record list[6];

	(void)state;
	step.is_step = true;
	step.epoch = 64;
	snprintf(step.operation, sizeof(step.operation), "o1");
	for (size_t i = 0; i < 3; i++)
		list[i] = record_of(&rows[i], 3);
	list[3] = record_of(&step, 3); /* it follows from an operation, not from here */
	list[4] = (struct shared_record){ .name = "override/x-1", .text = strdup("garbage") };
	list[5] = record_of(&rows[0], 3); /* under another one's name */
	snprintf(list[5].name, sizeof(list[5].name), "override/other-1");
	shared_commands_accept(&this_node, list, 6, true);
	assert_true(is_here("new-1"));
	assert_int_equal(intent_overrides(this_node.intent)->n_items, 1);
	shared_commands_accept(&this_node, list, 6, false); /* a node that is new to it takes all */
	assert_true(is_here("old-1"));
	assert_int_equal(intent_overrides(this_node.intent)->n_items, 2);
	list[0].text[0] = '\0';
	shared_free_texts(list, 6);
}

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* For ten seconds, what this node was given and the store has not. */
static void what_is_new_here_is_listed(void **state)
{
	const int64_t now_ms = clock_believed_ms();
	struct override list[] = {
		make_override("new-1", now_ms - 5000),    make_override("old-1", now_ms - 10500),
		make_override("others-1", now_ms - 5000), make_override("step-1", now_ms - 5000),
		make_override("stored-1", now_ms - 5000), make_override("changed-1", now_ms - 5000),
	};
	const struct override *found[COMMAND_RECORDS_NEW_MAX];
	struct shared_record stored[2] = { record_of(&list[4], 3), record_of(&list[5], 4) };

	(void)state;
	for (size_t i = 0; i < COUNT(list); i++)
		list[i].name[0] = (char)('a' + i); /* no two are rivals */
	snprintf(list[2].node, sizeof(list[2].node), "fra-1");
	list[3].epoch = 64;
	list[5].generation++; /* later than what the store has of it */
	keep_records(stored, 2);
	assert_int_equal(intent_merge(this_node.intent, list, COUNT(list), now_ms), COUNT(list));
	assert_int_equal(command_records_list_new(&this_node, found), 2);
	assert_string_equal(found[0]->id, "changed-1");
	assert_string_equal(found[1]->id, "new-1");
	for (unsigned i = 0; i < COMMAND_RECORDS_NEW_MAX; i++) {
		struct override o = make_override("many-1", now_ms);

		snprintf(o.id, sizeof(o.id), "many-%u", i);
		snprintf(o.name, sizeof(o.name), "many-%u", i);
		assert_int_equal(intent_merge(this_node.intent, &o, 1, now_ms), 1);
	}
	assert_int_equal(command_records_list_new(&this_node, found), COMMAND_RECORDS_NEW_MAX);
	shared_free_texts(stored, 2);
}

static void settle_once(void)
{
	n_writes = 0;
	settle_commands(&this_node);
}

static void what_the_store_lacks_is_written(void **state)
{
	const int64_t now_ms = clock_believed_ms();
	struct override own = make_override("own-1", now_ms - 1000),
	                theirs = make_override("theirs-1", now_ms - 1000);
	struct shared_record list[2];

	(void)state;
	snprintf(theirs.name, sizeof(theirs.name), "fra");
	snprintf(theirs.node, sizeof(theirs.node), "fra-1");
	assert_int_equal(intent_merge(this_node.intent, &own, 1, now_ms), 1);
	assert_int_equal(intent_merge(this_node.intent, &theirs, 1, now_ms), 1);
	commands.others_ms = clock_mono_ms();
	is_ready = false;
	settle_once();
	assert_int_equal(n_writes, 0);
	is_ready = true;
	keep_records(NULL, 0);
	answer.result = SHARED_UNKNOWN;
	settle_once();
	assert_int_equal(n_writes, 1);
	assert_non_null(strstr(written, "put override/own-1"));
	settle_once(); /* again, until it is clear */
	assert_int_equal(n_writes, 1);
	list[0] = record_of(&own, 9);
	keep_records(list, 1);
	settle_once(); /* another node's has time */
	assert_int_equal(n_writes, 0);
	commands.others_ms = 0;
	settle_once();
	assert_int_equal(n_writes, 1);
	assert_non_null(strstr(written, "put override/theirs-1"));
	list[1] = record_of(&theirs, 9);
	keep_records(list, 2);
	commands.others_ms = 0;
	settle_once();
	assert_int_equal(n_writes, 0);
	commands.others_ms = 0;
	settle_once(); /* nothing has changed: nothing is looked through */
	assert_int_equal(n_writes, 0);
	own.prior = own.generation;
	own.generation++;
	assert_int_equal(intent_merge(this_node.intent, &own, 1, now_ms), 1);
	settle_once(); /* a later command */
	assert_non_null(strstr(written, "put override/own-1"));
	shared_free_texts(list, 2);
}

/* A later command was written first: the record of the last one stays as it is. */
static void what_is_written_late_is_not_the_last_command(void **state)
{
	const int64_t now_ms = clock_believed_ms();
	const struct override own = make_override("own-1", now_ms - 2000);
	struct shared_record last = { .name = "command/site/ams", .revision = 7 };
	char text[200];

	(void)state;
	assert_int_equal(intent_merge(this_node.intent, &own, 1, now_ms), 1);
	for (int i = 0; i < 2; i++) {
		snprintf(text, sizeof(text),
		         "{\"id\":\"b-1\",\"generation\":%llu,\"principal\":\"user:bob\","
		         "\"node\":\"fra-1\",\"time_ms\":%lld}",
		         (unsigned long long)STAMP(now_ms - 1000 - 2000 * i),
		         (long long)(now_ms - 1000 - 2000 * i));
		last.text = text;
		keep_records(&last, 1);
		commands.own = (struct looked_through){ 0 };
		commands.others_ms = clock_mono_ms();
		answer.result = SHARED_UNKNOWN;
		settle_once();
		assert_string_equal(
		        written, i ? "see store@0; see command/site/ams@7; put command/site/ams; "
		                     "put override/own-1; "
		                   : "see store@0; see command/site/ams@7; put override/own-1; ");
	}
}

/* Neither a step, nor what a wrong clock stamped, nor what is forgotten. */
static void what_is_not_for_the_store_is_not_written(void **state)
{
	const int64_t now_ms = clock_believed_ms();
	struct override step = make_override("step-1", now_ms),
	                ahead = make_override("ahead-1", now_ms + 360000),
	                ended = make_override("ended-1", now_ms - 8 * DAY_MS);

	(void)state;
	step.is_step = true;
	step.epoch = 64;
	snprintf(step.operation, sizeof(step.operation), "o1");
	ended.ended = true;
	ended.until_ms = now_ms - 8 * DAY_MS;
	snprintf(ahead.name, sizeof(ahead.name), "fra");
	assert_int_equal(intent_merge(this_node.intent, &step, 1, now_ms), 1);
	assert_int_equal(intent_merge(this_node.intent, &ahead, 1, now_ms), 1);
	assert_int_equal(intent_merge(this_node.intent, &ended, 1, now_ms - 8 * DAY_MS), 1);
	keep_records(NULL, 0);
	commands.others_ms = 0;
	settle_once();
	assert_int_equal(n_writes, 0);
}

/* What no node has any more; what is in force stays, however old. */
static void what_nobody_has_any_more_goes(void **state)
{
	const int64_t now_ms = clock_believed_ms();
	struct override live = make_override("live-1", now_ms - 30 * DAY_MS),
	                gone = make_override("gone-1", now_ms - 9 * DAY_MS),
	                new = make_override("new-1", now_ms - 7 * DAY_MS);
	char text[200];
	struct shared_record list[] = {
		record_of(&live, 4),
		record_of(&gone, 5),
		record_of(&new, 6),
		{ .name = "command/site/ams", .revision = 4 },
		{ .name = "command/site/fra", .revision = 5 },
	};

	(void)state;
	assert_int_equal(intent_merge(this_node.intent, &live, 1, now_ms), 1);
	snprintf(
	        text, sizeof(text),
	        "{\"id\":\"live-1\",\"generation\":1,\"principal\":\"a\",\"node\":\"b\",\"time_ms\":%lld}",
	        (long long)(now_ms - 30 * DAY_MS));
	list[3].text = strdup(text);
	snprintf(
	        text, sizeof(text),
	        "{\"id\":\"gone-1\",\"generation\":1,\"principal\":\"a\",\"node\":\"b\",\"time_ms\":%lld}",
	        (long long)(now_ms - 9 * DAY_MS));
	list[4].text = strdup(text);
	keep_records(list, 5);
	commands.others_ms = 0;
	ahead_ms = 2 * DAY_MS; /* by elapsed time it is seven days */
	settle_once();
	assert_int_equal(n_writes, 0);
	commands.others_ms = 0;
	commands.all = (struct looked_through){ .document = 0 };
	ahead_ms = 0;
	settle_once();
	assert_int_equal(n_writes, 1);
	assert_string_equal(written, "see store@0; see override/gone-1@5; see command/site/fra@5; "
	                             "remove override/gone-1; remove command/site/fra; ");
	shared_free_texts(list, 5);
}

/* The ends of others: a command's record is as old as its override. @return how many records, with texts */
static size_t make_ended(struct override *list, size_t n, int64_t now_ms,
                         struct shared_record *records)
{
	for (size_t i = 0; i < n; i++) {
		struct override *o = &list[i];
		struct shared_record *command = &records[n + i];
		char id[MODEL_ID_MAX], text[200];

		snprintf(id, sizeof(id), "o-%05zu", i);
		*o = make_override(id, now_ms - 3600000 + (int64_t)i);
		snprintf(o->name, sizeof(o->name), "s%zu", i);
		o->prior = o->generation;
		o->generation++;
		o->ended = true;
		o->until_ms = o->created_ms;
		records[i] = record_of(o, 4);
		snprintf(text, sizeof(text),
		         "{\"id\":\"%s\",\"generation\":%llu,\"principal\":\"a\",\"node\":\"b\","
		         "\"time_ms\":%lld}",
		         id, (unsigned long long)o->generation, (long long)o->created_ms);
		*command = (struct shared_record){ .text = strdup(text), .revision = 5 };
		command_records_target(o, command->name);
	}
	return 2 * n;
}

static void settle_all(void)
{
	commands.others_ms = 0;
	commands.all = (struct looked_through){ .document = 0 };
	settle_once();
}

/* Drains of a week may be many: the latest ends stay in the store, and others on the disks of nodes. */
static void too_many_ended_ones_leave_the_store(void **state)
{
	enum { N = ENDED_MAX + 2 };
	const int64_t now_ms = clock_believed_ms();
	struct override *list = calloc(N, sizeof(*list)), *was = &list[0];
	struct shared_record *records = calloc(2 * N, sizeof(*records));
	size_t n = make_ended(list, N, now_ms, records);

	(void)state;
	assert_int_equal(intent_merge(this_node.intent, list, ENDED_MAX, now_ms), ENDED_MAX);
	keep_records(records, n);
	settle_all(); /* two are of nobody, but not old */
	assert_int_equal(n_writes, 0);
	assert_int_equal(intent_merge(this_node.intent, &list[ENDED_MAX], 2, now_ms), 2);
	settle_all();
	assert_int_equal(n_writes, 1);
	assert_string_equal(written, "see store@0; see override/o-00000@4; see override/o-00001@4; "
	                             "see command/site/s0@5; see command/site/s1@5; "
	                             "remove override/o-00000; remove override/o-00001; "
	                             "remove command/site/s0; remove command/site/s1; ");
	for (size_t i = 0; i < n; i++) /* which it does */
		if (i % N < 2)
			snprintf(records[i].name, sizeof(records[i].name), "observed/%zu", i);
	keep_records(records, n);
	settle_all(); /* it is not brought back, */
	assert_int_equal(n_writes, 0);
	/* unless somebody who had not heard of the end has brought back what it ended */
	was->generation = was->prior;
	was->prior = 0;
	was->ended = false;
	was->until_ms = MODEL_TIME_NEVER;
	free(records[0].text);
	records[0] = record_of(was, 6);
	keep_records(records, n);
	answer.result = SHARED_UNKNOWN;
	settle_all();
	assert_int_equal(n_writes, 1);
	assert_non_null(strstr(written, "put override/o-00000; "));
	shared_free_texts(records, n);
	free(records);
	free(list);
}

/* What ended before its time, as a step back of the clock leaves it, is not older than what was to last longer. */
static void ends_that_are_ahead_count_as_of_now(void **state)
{
	enum { N = ENDED_MAX + 2 };
	const int64_t now_ms = clock_believed_ms();
	struct override *list = calloc(N, sizeof(*list));
	struct shared_record *records = calloc(2 * N, sizeof(*records));
	size_t n = make_ended(list, N, now_ms, records);

	(void)state;
	for (size_t i = 0; i < N; i++) {
		list[i].until_ms = now_ms + 3600000 + (int64_t)i;
		free(records[i].text);
		records[i] = record_of(&list[i], 4);
	}
	assert_int_equal(intent_merge(this_node.intent, list, N, now_ms), N);
	keep_records(records, n);
	settle_all();
	assert_int_equal(n_writes, 0);
	shared_free_texts(records, n);
	free(records);
	free(list);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_command_rests_on_the_last_one_at_its_target),
		TEST(as_many_as_fit_are_written),
		TEST(what_the_store_does_not_decide_is_kept_here),
		TEST(a_command_is_taken_where_the_disk_fails),
		TEST(a_command_that_was_known_here_does_not_come_first),
		TEST(a_command_that_nobody_here_has_seen_is_no_known_one),
		TEST(another_command_that_came_first_is_named),
		TEST(what_a_restored_store_has_is_taken_with_care),
		TEST(what_is_new_here_is_listed),
		TEST(what_the_store_lacks_is_written),
		TEST(what_is_written_late_is_not_the_last_command),
		TEST(what_is_not_for_the_store_is_not_written),
		TEST(what_nobody_has_any_more_goes),
		TEST(too_many_ended_ones_leave_the_store),
		TEST(ends_that_are_ahead_count_as_of_now),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
