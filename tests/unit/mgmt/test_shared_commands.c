/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands in the store: what is written, what its answers mean, what is taken from it, and what goes when. The store is a small
 * etcd behind libcurl (tests/cluster/etcd_model.h).
 */
#include "lone_node.h"
#include "tests/unit/suite.h"
#include "told_curl.h"

#include <inttypes.h>
#include <jansson.h>

#include "base/believed.h"
#include "base/clock.h"
#include "base/proc.h"
#include "mgmt/core/command_records.h"
#include "mgmt/core/shared_state.h"
#include "mgmt/etcd/base64.h"
#include "mgmt/peers/timekeep.h"
#include "mgmt/store/copy.h"
#include "mgmt/store/intent_internal.h"
#include "mgmt/store/shared_etcd.h"
#include "mgmt/store/shared_intent.h"
#include "mgmt/sync/shared_commands.h"
#include "tests/cluster/etcd_model.h"

#define DAY_MS    ((int64_t)24 * 3600 * 1000)
#define STAMP(ms) ((uint64_t)(ms) << 11)
#define PREFIX    "/weir/shop/"
#define ETCD_ID   77u

/* the documented values, not the code's own */
#define LOOK_MS   1000u  /* between two looks for what the store lacks */
#define OTHERS_MS 10000u /* so long the node that was given a command has to write it */
#define ENDED_MAX 2048u  /* overrides that are over and stay in the store */

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static struct etcd_model *etcd;
static enum { ETCD_WORKS, ETCD_WRITES_NOTHING, ETCD_IS_SILENT } etcd_does;
static unsigned n_writes, n_removed; /* that etcd was asked for */
static bool disk_fills;              /* while it is asked */

static struct shared_etcd *reader; /* the test's own client */
static struct shared_run run;
static atomic_bool is_over;
static struct etcd_settings settings = { .endpoints = { "https://10.8.0.1:2379" },
	                                 .n_endpoints = 1 };

static bool follows, takes; /* what is written comes here, and with it the overrides of others */
static const struct shared_record *more; /* that the copy has besides what etcd has */
static size_t n_more;

/* --- the store --- */

static char *answer_as_etcd(const char *url, const char *body, long *status)
{
	const char *path = strstr(url, "/v3/");
	json_t *json = json_loads(body, 0, NULL), *answer;
	bool is_write = path && !strcmp(path, "/v3/kv/txn");

	assert_non_null(json);
	n_writes += is_write;
	for (const char *at = body; is_write && (at = strstr(at, "request_delete_range")); at++)
		n_removed++;
	if (is_write && disk_fills)
		this_node.intent->failing = true;
	bool fails = etcd_does == ETCD_IS_SILENT || (is_write && etcd_does == ETCD_WRITES_NOTHING);

	told_takes_ms = fails ? 400 : 0;
	if (fails) {
		json_decref(json);
		return NULL;
	}
	answer = etcd_model_answer(etcd, path, json, 1, status);
	char *text = json_dumps(answer, 0);

	json_decref(answer);
	json_decref(json);
	return text;
}

static json_t *base64_of(const char *text)
{
	char *out;
	size_t n;
	FILE *f = open_memstream(&out, &n);

	etcd_base64_write(f, text, strlen(text));
	fclose(f);
	json_t *json = json_string(out);

	free(out);
	return json;
}

/* Another one writes a record, or removes it. @param text  NULL: it goes */
static void write_record(const char *name, const char *text)
{
	char key[SHARED_NAME_MAX + sizeof(PREFIX)];
	long status;

	snprintf(key, sizeof(key), PREFIX "%s", name);
	json_t *on = json_pack("{s:o}", "key", base64_of(key));

	if (text)
		json_object_set_new(on, "value", base64_of(text));
	json_t *body = json_pack("{s:[{s:o}]}", "success",
	                         text ? "request_put" : "request_delete_range", on);

	json_decref(etcd_model_answer(etcd, "/v3/kv/txn", body, 1, &status));
	json_decref(body);
	assert_int_equal(status, 200);
}

static void write_override(const struct override *o)
{
	char name[SHARED_NAME_MAX], *text = record_to_text(&override_record, o);

	write_record(command_records_override(o->id, name), text);
	free(text);
}

/* Of bob at fra-1; borrowed until the next call. */
static const char *last_text(const char *id, uint64_t generation, int64_t given_ms)
{
	static char text[256];

	snprintf(text, sizeof(text),
	         "{\"id\":\"%s\",\"generation\":%" PRIu64
	         ",\"principal\":\"user:bob\",\"node\":\"fra-1\",\"time_ms\":%" PRId64 "}",
	         id, generation, given_ms);
	return text;
}

/* What etcd has under @p name; "": nothing. Borrowed until the next call. */
static const char *read_stored(const char *name)
{
	static char text[SHARED_TEXT_MAX];
	struct shared_records l;

	n_asked = 0;
	etcd_does = ETCD_WORKS;
	assert_int_equal(shared_etcd_find(reader, name, &l), 0);
	snprintf(text, sizeof(text), "%s", l.n ? l.records[0].text : "");
	shared_records_fini(&l);
	return text;
}

static bool is_stored(const char *id)
{
	char name[SHARED_NAME_MAX];

	return *read_stored(command_records_override(id, name)) != '\0';
}

/* Whether the last command at the target that etcd has is that one. */
static bool is_last(const char *target, const char *id)
{
	char part[MODEL_ID_MAX + 16];

	snprintf(part, sizeof(part), "\"id\":\"%s\"", id);
	return strstr(read_stored(target), part) != NULL;
}

/* --- this node --- */

static void keep_records(const struct shared_record *list, size_t n, int64_t revision)
{
	const struct store_origin origin = { .cluster_id = ETCD_ID };

	assert_int_equal(
	        copy_install(intent_store(this_node.intent), revision, list, n, &origin, 0), 0);
}

/* The copy becomes what etcd has. */
static void follow_store(void)
{
	struct shared_records l;

	assert_int_equal(shared_etcd_list(reader, &l), 0);
	struct shared_record *list = calloc(l.n + n_more + 1, sizeof(*list));

	assert_non_null(list);
	memcpy(list, l.records, l.n * sizeof(*list));
	if (n_more)
		memcpy(list + l.n, more, n_more * sizeof(*list));
	keep_records(list, l.n + n_more, l.revision);
	if (takes)
		shared_commands_accept(&this_node, l.records, l.n, false);
	free(list);
	shared_records_fini(&l);
}

/* Who waits for what was written gets it, or time passes. */
static int own_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                      const struct timespec *at)
{
	int64_t revision;

	(void)cond;
	(void)mutex;
	(void)at;
	if (follows && !shared_intent_revision(this_node.intent, &revision) &&
	    revision < etcd_model_revision(etcd))
		follow_store();
	else
		told_ms += 250;
	return 0;
}

static int setup(void **state)
{
	char reason[ETCD_REASON_MAX];

	(void)state;
	told_ms = 1000000;
	told_wall_ms = NOW_MS;
	told_answer = answer_as_etcd;
	answer_pthread_cond_timedwait = own_pthread_cond_timedwait;
	etcd_does = ETCD_WORKS;
	n_asked = n_writes = n_removed = 0;
	disk_fills = false;
	follows = takes = true;
	n_more = 0;
	is_over = false;
	etcd = etcd_model_new(ETCD_ID);
	lone_node_open_with(true, NULL);
	assert_int_equal(timekeep_open(&this_node), 0);
	assert_int_equal(shared_etcd_open(&settings, PREFIX, &is_over, &reader, reason), 0);
	follow_store();
	run = (struct shared_run){ .core = &this_node,
		                   .reads = reader,
		                   .origin.cluster_id = ETCD_ID };
	this_node.shared = &run;
	assert_int_equal(shared_commands_start(&this_node, &settings, PREFIX, &is_over,
	                                       &run.commands, reason),
	                 0);
	core_lock(&this_node);
	run.was_heard = true;
	run.heard_ms = told_ms;
	return 0;
}

static int teardown(void **state)
{
	this_node.stopping = true;
	is_over = true;
	core_unlock(&this_node);
	shared_commands_stop(run.commands);
	shared_etcd_close(reader);
	this_node.shared = NULL;
	this_node.intent->failing = false;
	timekeep_close(&this_node);
	etcd_model_free(etcd);
	return lone_node_close(state);
}

/* The helper looks, @p later. */
static void settle_after(uint64_t ms)
{
	told_ms += ms;
	run.heard_ms = told_ms;
	n_asked = n_writes = n_removed = 0;
	(void)shared_commands_settle(&this_node);
}

static void settle_once(void)
{
	settle_after(LOOK_MS);
}

/* What others were given is looked for as well, as something is new. The copy is behind @p name, which was written since. */
static void settle_behind(const char *name, const char *text)
{
	write_record("observed/stir", "{}");
	n_asked = 0;
	follow_store();
	write_record(name, text);
	settle_after(OTHERS_MS);
}

static void settle_all(void)
{
	settle_behind("observed/late", "{}");
}

static void merge_list(const struct override *list, size_t n)
{
	assert_int_equal(intent_merge(this_node.intent, list, n, clock_believed_ms()), n);
}

static struct command_result result;

static enum command_may decide_guarded(const struct override *list, size_t n, size_t n_verdicts)
{
	result = (struct command_result){ .guards.n_verdicts = n_verdicts };
	n_asked = n_writes = 0;
	return shared_commands_decide(&this_node, list, n, &result);
}

/* One that no guard judges. */
static bool decide_list(const struct override *list, size_t n)
{
	return decide_guarded(list, n, 0) == COMMAND_MAY;
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

static struct shared_record record_of(const struct override *o, int64_t revision)
{
	struct shared_record r = { .text = record_to_text(&override_record, o),
		                   .revision = revision };

	command_records_override(o->id, r.name);
	return r;
}

/* --- commands --- */

static void a_command_rests_on_the_last_one_at_its_target(void **state)
{
	const struct override site = { .name = "ams", .service = "web" };
	const struct override node = { .target = MODEL_TARGET_NODE, .name = "ams-1" };
	const struct override backend = { .target = MODEL_TARGET_BACKEND,
		                          .pool = "web",
		                          .name = "b1" };
	struct override list[] = { make_override("a-1", NOW_MS), make_override("a-2", NOW_MS),
		                   make_override("a-3", NOW_MS + 1000),
		                   make_override("a-4", NOW_MS + 2000) };
	char name[SHARED_NAME_MAX];

	(void)state;
	takes = false;
	assert_string_equal(command_records_target(&site, name), "command/site/ams");
	assert_string_equal(command_records_target(&node, name), "command/node/ams-1");
	assert_string_equal(command_records_target(&backend, name), "command/backend/web/b1");
	assert_true(decide_list(list, 2));
	assert_true(is_last("command/site/ams", "a-1"));
	assert_true(command_records_have(&this_node, &list[0])); /* it was waited for */
	assert_true(command_records_have(&this_node, &list[1]));
	assert_true(decide_list(&list[2], 1));
	assert_int_equal(n_writes, 1);
	assert_true(is_last("command/site/ams", "a-3"));
	assert_true(is_stored("a-3"));
	/* a store that was restored from before what is decided for good has not that */
	write_record("mark/2", "{}");
	follow_store();
	write_record("mark/2", NULL);
	assert_true(decide_list(&list[3], 1));
	assert_int_equal(n_writes, 1);
	assert_false(is_stored("a-4"));
}

/* More than fit into one change are written later, by the thread. */
static void as_many_as_fit_are_written(void **state)
{
	struct override list[20];
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(list); i++) {
		list[i] = make_override("a-1", NOW_MS);
		snprintf(list[i].id, sizeof(list[i].id), "a-%zu", i);
	}
	assert_true(decide_list(list, COUNT(list)));
	assert_int_equal(n_writes, 1);
	for (size_t i = 0; i < COUNT(list); i++)
		n += is_stored(list[i].id);
	assert_int_equal(n, 12);
}

static void what_the_store_does_not_decide_is_kept_here(void **state)
{
	const struct override o = make_override("a-1", NOW_MS);
	const uint64_t begun_ms = told_ms;

	(void)state;
	this_node.shared = NULL;
	assert_true(decide_list(&o, 1));
	this_node.shared = &run;
	run.was_heard = false;
	assert_true(decide_list(&o, 1));
	assert_int_equal(n_writes, 0);
	assert_int_equal(n_asked, 0);
	assert_int_equal(told_ms, begun_ms);
	run.was_heard = true;
	etcd_does = ETCD_IS_SILENT;
	assert_true(decide_list(&o, 1));
	assert_int_equal(n_writes, 0);
	etcd_does = ETCD_WRITES_NOTHING;
	run.heard_ms = told_ms;
	assert_true(decide_list(&o, 1));
	assert_true(n_writes > 0);
	assert_true(told_ms < begun_ms + 6000); /* nothing was waited for but answers */
	assert_false(is_stored("a-1"));
	/* the store's epoch is another, not the target's last command */
	write_record("store", "{}");
	run.heard_ms = told_ms;
	assert_true(decide_list(&o, 1));
	assert_int_equal(n_writes, 1);
	assert_string_equal(result.text, "");
	assert_false(is_stored("a-1"));
}

/* The disk is full, and the copy of the store cannot be read: a person can drain all the same. */
static void a_command_is_taken_where_the_disk_fails(void **state)
{
	const struct override o = make_override("a-1", NOW_MS - 1000);

	(void)state;
	merge_list(&o, 1);
	this_node.intent->failing = true;
	assert_true(decide_list(&o, 1));
	assert_int_equal(n_writes, 0); /* it would rest on what is not known */
	assert_false(command_records_have(&this_node, &o));
	settle_after(OTHERS_MS);
	assert_int_equal(n_writes, 0);
	this_node.intent->failing = false;
	disk_fills = true; /* while the thread writes */
	settle_after(OTHERS_MS);
	assert_int_equal(n_writes, 1);
	settle_after(OTHERS_MS); /* and then it has nothing to look through */
	assert_int_equal(n_writes, 0);
}

/* The override came from another node before its record came from the store: who commands has seen it. */
static void a_command_that_was_known_here_does_not_come_first(void **state)
{
	const struct override theirs = make_override("b-1", NOW_MS),
	                      o = make_override("a-1", NOW_MS + 1000);

	(void)state;
	merge_list(&theirs, 1);
	write_record("command/site/ams", last_text("b-1", theirs.generation, 1));
	follows = false;
	assert_true(decide_list(&o, 1));
	assert_int_equal(n_writes, 2); /* refused again: written by the thread */
	assert_string_equal(result.text, "");
	assert_false(is_stored("a-1"));
	run.heard_ms = told_ms;
	follows = true; /* what came first comes here, and then it is not refused */
	assert_true(decide_list(&o, 1));
	assert_int_equal(n_writes, 2);
	assert_true(is_stored("a-1"));
	assert_true(is_last("command/site/ams", "a-1"));
	write_record("command/site/ams", last_text("b-1", STAMP(NOW_MS + 5000), 1));
	assert_false(decide_list(&o, 1));
	assert_int_equal(n_writes, 1);
	assert_string_not_equal(result.text, "");
}

/*
 * Guards look at more than the target: what was written anywhere since makes a command be judged again, and it is written then.
 * What nobody judges is not concerned.
 */
static void what_guards_rest_on_is_as_they_saw_it(void **state)
{
	static const char *const names[] = { "override/b-1", "operation/b-1", "version/7",
		                             "mark/7" };
	const struct override other = make_override("x-1", NOW_MS);
	char *text = record_to_text(&override_record, &other);

	(void)state;
	takes = false;
	for (size_t i = 0; i < COUNT(names); i++) {
		struct override o = make_override("a-1", NOW_MS + 1000);

		print_message("  %s\n", names[i]);
		snprintf(o.id, sizeof(o.id), "a-%zu", i);
		snprintf(o.name, sizeof(o.name), "s%zu", i);
		write_record(names[i], text);
		assert_int_equal(decide_guarded(&o, 1, 1), COMMAND_MAY_AGAIN);
		assert_int_equal(n_writes, 1);
		assert_string_not_equal(result.text, "");
		assert_false(is_stored(o.id));
		run.heard_ms = told_ms;
		assert_int_equal(decide_guarded(&o, 1, 1), COMMAND_MAY); /* it has come here */
		assert_true(is_stored(o.id));
		write_record(names[i], text);
		o.generation++;
		run.heard_ms = told_ms;
		assert_int_equal(decide_guarded(&o, 1, 0), COMMAND_MAY);
		write_record("observed/b-1", "{}"); /* nobody looks at it */
		follow_store();
		write_record("observed/b-1", "{}");
		o.generation++;
		run.heard_ms = told_ms;
		assert_int_equal(decide_guarded(&o, 1, 1), COMMAND_MAY);
	}
	free(text);
}

/* Two persons at this node: the second command is worked out again once the first is here. */
static void what_this_node_was_given_meanwhile_is_not_unheard_of(void **state)
{
	const struct override o = make_override("a-1", NOW_MS + 1000);

	(void)state;
	write_record("command/site/ams",
	             "{\"id\":\"b-1\",\"generation\":7,\"principal\":\"user:bob\","
	             "\"node\":\"ams-1\",\"time_ms\":1}");
	for (size_t n_verdicts = 0; n_verdicts < 2; n_verdicts++) {
		write_record("command/site/ams",
		             "{\"id\":\"b-1\",\"generation\":7,\"principal\":\"user:bob\","
		             "\"node\":\"ams-1\",\"time_ms\":1}");
		assert_int_equal(decide_guarded(&o, 1, n_verdicts), COMMAND_MAY_AGAIN);
		assert_null(strstr(result.text, "had not heard"));
		run.heard_ms = told_ms;
	}
	assert_int_equal(decide_guarded(&o, 1, 1), COMMAND_MAY);
}

/* What this node knows of another target says nothing of bob's command at this one. */
static void a_command_that_nobody_here_has_seen_is_no_known_one(void **state)
{
	struct override other = make_override("c-1", NOW_MS + 500);
	const struct override o = make_override("a-1", NOW_MS + 1000);

	(void)state;
	snprintf(other.name, sizeof(other.name), "fra");
	merge_list(&other, 1);
	write_record("command/site/ams", last_text("b-1", STAMP(NOW_MS), 1));
	assert_false(decide_list(&o, 1));
	assert_int_equal(n_writes, 1);
	assert_false(is_stored("a-1"));
}

static void another_command_that_came_first_is_named(void **state)
{
	static const char any[] =
	        "another command came first: look at the overrides, then give yours again";
	const struct override theirs = make_override("b-1", NOW_MS),
	                      o = make_override("a-1", NOW_MS);

	(void)state;
	follows = false;
	write_record("command/site/ams", last_text("b-1", 7, NOW_MS));
	assert_false(decide_list(&o, 1));
	assert_string_equal(
	        result.text,
	        "user:bob has given a command there at node fra-1 at 2026-09-21T14:13:20.000Z, "
	        "which this node had not heard of: look at it, then give yours again");
	assert_string_equal(result.override.id, ""); /* it has not come yet */
	run.heard_ms = told_ms;
	follows = true;
	write_override(&theirs);
	assert_false(decide_list(&o, 1));
	assert_string_equal(result.override.id, "b-1");
	write_record("command/site/ams", NULL);
	assert_false(decide_list(&o, 1));
	assert_string_equal(result.text, any);
	write_record("command/site/ams", "garbage"); /* whatever it is, it came first */
	assert_false(decide_list(&o, 1));
	assert_string_equal(result.text, any);
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
	struct shared_record in_store[] = { record_of(&list[4], 3), record_of(&list[5], 4) };

	(void)state;
	for (size_t i = 0; i < COUNT(list); i++)
		list[i].name[0] = (char)('a' + i); /* no two are rivals */
	snprintf(list[2].node, sizeof(list[2].node), "fra-1");
	list[3].epoch = 64;
	list[5].generation++; /* later than what the store has of it */
	keep_records(in_store, COUNT(in_store), 9);
	merge_list(list, COUNT(list));
	assert_int_equal(command_records_list_new(&this_node, found), 2);
	assert_string_equal(found[0]->id, "changed-1");
	assert_string_equal(found[1]->id, "new-1");
	for (unsigned i = 0; i < COMMAND_RECORDS_NEW_MAX; i++) {
		struct override o = make_override("many-1", now_ms);

		snprintf(o.id, sizeof(o.id), "many-%u", i);
		snprintf(o.name, sizeof(o.name), "many-%u", i);
		merge_list(&o, 1);
	}
	assert_int_equal(command_records_list_new(&this_node, found), COMMAND_RECORDS_NEW_MAX);
	shared_free_texts(in_store, COUNT(in_store));
}

static void what_the_store_lacks_is_written(void **state)
{
	const int64_t now_ms = clock_believed_ms();
	struct override own = make_override("own-1", now_ms - 1000),
	                theirs = make_override("theirs-1", now_ms - 1000);

	(void)state;
	snprintf(theirs.name, sizeof(theirs.name), "fra");
	snprintf(theirs.node, sizeof(theirs.node), "fra-1");
	merge_list(&own, 1);
	run.was_heard = false;
	settle_once();
	assert_int_equal(n_asked, 0);
	run.was_heard = true;
	etcd_does = ETCD_WRITES_NOTHING;
	settle_once();
	assert_true(n_writes > 0);
	assert_false(is_stored("own-1"));
	settle_once(); /* again, until it is clear */
	assert_int_equal(n_writes, 1);
	assert_true(is_stored("own-1"));
	assert_true(is_last("command/site/ams", "own-1"));
	settle_after(OTHERS_MS);
	assert_int_equal(n_writes, 0);
	merge_list(&theirs, 1);
	settle_after(OTHERS_MS - LOOK_MS); /* another node's has time */
	assert_int_equal(n_writes, 0);
	settle_once();
	assert_int_equal(n_writes, 1);
	assert_true(is_stored("theirs-1"));
	settle_after(OTHERS_MS);
	assert_int_equal(n_writes, 0);
	write_record("override/own-1", NULL); /* which this node has not heard: */
	follows = false;
	settle_after(OTHERS_MS); /* nothing has changed: nothing is looked through */
	assert_int_equal(n_writes, 0);
	follows = true;
	own.prior = own.generation;
	own.generation++;
	merge_list(&own, 1);
	settle_once(); /* a later command */
	assert_int_equal(n_writes, 1);
	assert_true(command_records_have(&this_node, &own));
}

/* A later command was written first: the record of the last one stays as it is. */
static void what_is_written_late_is_not_the_last_command(void **state)
{
	const int64_t now_ms = clock_believed_ms();
	const struct override own = make_override("own-1", now_ms - 2000);

	(void)state;
	merge_list(&own, 1);
	for (int i = 0; i < 2; i++) {
		int64_t given_ms = now_ms - 1000 - 2000 * i;

		write_record("override/own-1", NULL);
		write_record("command/site/ams", last_text("b-1", STAMP(given_ms), given_ms));
		follow_store();
		settle_once();
		assert_int_equal(n_writes, 1);
		assert_true(is_stored("own-1"));
		assert_true(is_last("command/site/ams", i ? "own-1" : "b-1"));
	}
}

/* Neither a step, nor what a wrong clock stamped, nor what is forgotten. */
static void what_is_not_for_the_store_is_not_written(void **state)
{
	const int64_t now_ms = clock_believed_ms();
	struct override step = make_override("step-1", now_ms),
	                ahead = make_override("ahead-1", now_ms + 400000),
	                ended = make_override("ended-1", now_ms - 8 * DAY_MS);

	(void)state;
	step.is_step = true;
	step.epoch = 64;
	snprintf(step.operation, sizeof(step.operation), "o1");
	ended.ended = true;
	ended.until_ms = now_ms - 8 * DAY_MS;
	snprintf(ahead.name, sizeof(ahead.name), "fra");
	merge_list(&step, 1);
	merge_list(&ahead, 1);
	assert_int_equal(intent_merge(this_node.intent, &ended, 1, now_ms - 8 * DAY_MS), 1);
	settle_all();
	assert_int_equal(n_writes, 0);
}

/* By elapsed time it is @p days earlier than believed. */
static void leap_ahead(int64_t days)
{
	char path[PATH_MAX], text[160];

	timekeep_close(&this_node);
	assert_int_equal(proc_path(this_node.dirs.run, BELIEVED_PAGE, path), 0);
	unlink(path);
	snprintf(text, sizeof(text),
	         "weir-clock 1\n%" PRIx64 " %" PRIu64 " %" PRId64 " 1 %" PRId64 " end\n",
	         clock_boot(), (uint64_t)told_ms, clock_believed_ms(),
	         clock_believed_ms() - days * DAY_MS);
	fixture_write(place.state, TIMEKEEP_FILE, text);
	assert_int_equal(timekeep_open(&this_node), 0);
}

/* What no node has any more; what is in force stays, however old. */
static void what_nobody_has_any_more_goes(void **state)
{
	const int64_t now_ms = clock_believed_ms();
	struct override live = make_override("live-1", now_ms - 30 * DAY_MS),
	                gone = make_override("gone-1", now_ms - 9 * DAY_MS),
	                new = make_override("new-1", now_ms - 7 * DAY_MS);

	(void)state;
	takes = false;
	merge_list(&live, 1);
	write_override(&live);
	write_override(&gone);
	write_override(&new);
	write_record("command/site/ams", last_text("live-1", 1, now_ms - 30 * DAY_MS));
	write_record("command/site/fra", last_text("gone-1", 1, now_ms - 9 * DAY_MS));
	leap_ahead(2); /* by elapsed time it is seven days */
	settle_all();
	assert_int_equal(n_writes, 0);
	leap_ahead(0);
	/* what was written meanwhile stays, and what is another epoch's */
	settle_behind("command/site/fra", last_text("gone-1", 1, now_ms - 9 * DAY_MS));
	assert_int_equal(n_writes, 1);
	assert_true(is_stored("gone-1"));
	settle_behind("store", "{}");
	assert_int_equal(n_writes, 1);
	assert_true(is_stored("gone-1"));
	settle_all();
	assert_int_equal(n_writes, 1);
	assert_int_equal(n_removed, 2);
	assert_true(is_stored("live-1") && is_stored("new-1") && !is_stored("gone-1"));
	assert_true(is_last("command/site/ams", "live-1"));
	assert_string_equal(read_stored("command/site/fra"), "");
}

#define N_ENDED (ENDED_MAX + 2)

/* The ends of others: a command's record is as old as its override. @return how many records, with texts */
static size_t make_ended(struct override *list, int64_t now_ms, struct shared_record *records)
{
	for (size_t i = 0; i < N_ENDED; i++) {
		struct override *o = &list[i];
		struct shared_record *command = &records[N_ENDED + i];
		char id[MODEL_ID_MAX];

		snprintf(id, sizeof(id), "o-%05zu", i);
		*o = make_override(id, now_ms - 3600000 + (int64_t)i);
		snprintf(o->name, sizeof(o->name), "s%zu", i);
		o->prior = o->generation;
		o->generation++;
		o->ended = true;
		o->until_ms = o->created_ms;
		records[i] = record_of(o, 1);
		*command = (struct shared_record){
			.text = strdup(last_text(id, o->generation, o->created_ms)), .revision = 1
		};
		command_records_target(o, command->name);
	}
	return (size_t)2 * N_ENDED;
}

/* Drains of a week may be many: the latest ends stay in the store, and others on the disks of nodes. */
static void too_many_ended_ones_leave_the_store(void **state)
{
	const int64_t now_ms = clock_believed_ms();
	struct override *list = calloc(N_ENDED, sizeof(*list)), *was = &list[0];
	struct shared_record *records = calloc((size_t)2 * N_ENDED, sizeof(*records));
	size_t n = make_ended(list, now_ms, records);

	(void)state;
	takes = false;
	for (size_t i = 0; i < n; i++) /* of the two that end first etcd has the records itself */
		if (i % N_ENDED < 2) {
			write_record(records[i].name, records[i].text);
			snprintf(records[i].name, sizeof(records[i].name), "observed/%zu", i);
		}
	more = records;
	n_more = n;
	merge_list(list, ENDED_MAX);
	settle_all(); /* two are of nobody, but not old */
	assert_int_equal(n_writes, 0);
	merge_list(&list[ENDED_MAX], 2);
	settle_all();
	assert_int_equal(n_writes, 1);
	assert_int_equal(n_removed, 4);
	assert_false(is_stored("o-00000") || is_stored("o-00001"));
	assert_string_equal(read_stored("command/site/s0"), "");
	assert_string_equal(read_stored("command/site/s1"), "");
	settle_all(); /* it is not brought back, */
	assert_int_equal(n_writes, 0);
	/* unless somebody who had not heard of the end has brought back what it ended */
	was->generation = was->prior;
	was->prior = 0;
	was->ended = false;
	was->until_ms = MODEL_TIME_NEVER;
	write_override(was);
	follows = false;
	settle_all();
	assert_int_equal(n_writes, 2); /* it does not come here in time: the second is refused */
	assert_non_null(strstr(read_stored("override/o-00000"), "\"ended\":true"));
	follows = true;
	settle_all(); /* and once that is here it goes again */
	assert_int_equal(n_writes, 1);
	assert_false(is_stored("o-00000"));
	shared_free_texts(records, n);
	free(records);
	free(list);
}

/* What ended before its time, as a step back of the clock leaves it, is not older than what was to last longer. */
static void ends_that_are_ahead_count_as_of_now(void **state)
{
	const int64_t now_ms = clock_believed_ms();
	struct override *list = calloc(N_ENDED, sizeof(*list));
	struct shared_record *records = calloc((size_t)2 * N_ENDED, sizeof(*records));
	size_t n = make_ended(list, now_ms, records);

	(void)state;
	takes = false;
	for (size_t i = 0; i < N_ENDED; i++) {
		list[i].until_ms = now_ms + 3600000 + (int64_t)i;
		free(records[i].text);
		records[i] = record_of(&list[i], 1);
	}
	merge_list(list, N_ENDED);
	more = records;
	n_more = n;
	settle_all();
	assert_int_equal(n_writes, 0);
	shared_free_texts(records, n);
	free(records);
	free(list);
}

/* The reason says what is wrong with them, and the process goes on without. */
static void nothing_starts_with_wrong_settings(void **state)
{
	struct shared_commands *none = run.commands;
	char reason[ETCD_REASON_MAX] = "";

	(void)state;
	assert_int_equal(
	        shared_commands_start(&this_node, &settings, "shop", &is_over, &none, reason),
	        -EINVAL);
	assert_null(none);
	assert_string_not_equal(reason, "");
	shared_commands_stop(none);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

SUITE(shared_commands)
{
	const struct CMUnitTest tests[] = {
		TEST(a_command_rests_on_the_last_one_at_its_target),
		TEST(as_many_as_fit_are_written),
		TEST(what_the_store_does_not_decide_is_kept_here),
		TEST(a_command_is_taken_where_the_disk_fails),
		TEST(a_command_that_was_known_here_does_not_come_first),
		TEST(what_guards_rest_on_is_as_they_saw_it),
		TEST(what_this_node_was_given_meanwhile_is_not_unheard_of),
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
		TEST(nothing_starts_with_wrong_settings),
	};

	told_peers_begin();
	answer_pthread_cond_timedwait = own_pthread_cond_timedwait;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
