/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A node's part in shared intent: what is staged, what comes into force when it is decided, what a restart keeps. The
 * store that decides is a list here; whole nodes with a real one are the lab's (tests/lab/lab_fleet.py).
 */
#include "fixture.h"

#include <inttypes.h>
#include <sqlite3.h>

#include "mgmt/overrides/compose.h"
#include "mgmt/store/copy.h"
#include "mgmt/store/intent_internal.h"
#include "mgmt/store/bootstrap.h"
#include "mgmt/store/shared_intent.h"
#include "tests/unit/suite.h"

#define EVENTS 64

/* What was decided, in order. */
struct decided_changes {
	struct shared_record events[EVENTS];
	size_t n;
	int64_t revision;
	int64_t above; /* of the last change */
};

struct node {
	struct fixture f;
	const char *name;
	struct intent *in;
	size_t followed;
};

static struct decided_changes store;
static struct pending_clock begin;

static void open_node(struct node *n)
{
	struct intent_options options = {
		.conf_dir = n->f.conf, .state_dir = n->f.state, .node = n->name, .shares = true
	};

	char was[COPY_STORE_MAX];

	assert_int_equal(intent_open(&options, NOW_MS, &n->in), 0);
	assert_int_equal(shared_intent_bind(n->in, "a-store", was), 0);
	join_start_alone(n->in, NOW_MS); /* where the store has nothing */
}

static void make_node(struct node *n, const char *name)
{
	*n = (struct node){ .name = name };
	fixture_make(&n->f);
	open_node(n);
}

static void remove_node(struct node *n)
{
	intent_close(n->in);
	fixture_remove(&n->f);
}

static int setup(void **state)
{
	(void)state;
	store = (struct decided_changes){ 0 };
	pending_clock_read(&begin);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	shared_free_texts(store.events, store.n);
	return 0;
}

/* All that was decided comes to the node, after @p ms of its boot clock. @return the version whose files lack; 0: none */
static uint64_t follow_store(struct node *n, int64_t ms)
{
	struct pending_clock clock = begin;

	while (n->followed < store.n) {
		size_t end = n->followed;
		int64_t revision = store.events[end].revision;

		while (end < store.n && store.events[end].revision == revision)
			end++;
		assert_int_equal(shared_intent_receive(n->in, revision, &store.events[n->followed],
		                                       end - n->followed, &clock),
		                 0);
		assert_int_equal(shared_intent_receive(n->in, revision, &store.events[n->followed],
		                                       end - n->followed, &clock),
		                 -ESTALE);
		n->followed = end;
	}
	clock.now_ms += ms;
	const struct version *missing = shared_intent_follow(n->in, &clock, NOW_MS + ms);

	return missing ? missing->number : 0;
}

/* What the store does of a change that rests on what is there. */
static void decide_change(const struct shared_change *c)
{
	store.above = c->above;
	store.revision++;
	for (size_t i = 0; i < c->n_puts; i++) {
		struct shared_record *r = &store.events[store.n++];

		assert_true(store.n < EVENTS);
		*r = c->puts[i];
		r->text = r->text ? strdup(r->text) : NULL;
		r->revision = store.revision;
	}
}

/* Apply the configuration with one weight. @return as intent_change(); @p decides: the store takes it */
static int apply_weight(struct node *n, const char *weight, int64_t within_ms,
                        enum intent_pending pending, bool decides, struct version *out)
{
	struct files files = fixture_files("address = \"10.1.1.11\"; weight = 100", weight);
	struct intent_change change = { .files = &files,
		                        .author = "ann",
		                        .reason = "a test",
		                        .confirm_within_ms = within_ms,
		                        .pending = pending };
	struct intent_changed changed = { 0 };
	int err = intent_change(n->in, &change, NOW_MS, &changed);

	if (!err && decides) {
		assert_non_null(changed.shared);
		decide_change(changed.shared);
	}
	if (out)
		*out = changed.version;
	intent_changed_fini(&changed);
	files_fini(&files);
	return err;
}

#define W1 "address = \"10.1.1.11\"; weight = 1"
#define W2 "address = \"10.1.1.11\"; weight = 2"
#define W3 "address = \"10.1.1.11\"; weight = 3"

static uint64_t in_force(const struct node *n)
{
	const struct model *m = intent_model(n->in);

	assert_int_equal(m->meta.version, intent_head(n->in)->number);
	assert_string_equal(m->meta.digest, intent_head(n->in)->digest);
	return intent_head(n->in)->number;
}

/* Since when its own pool has the members that it has now, counted from NOW_MS. */
static int64_t members_since(const struct node *n)
{
	const struct model_pool *p = &intent_model(n->in)->pools[0];

	assert_string_equal(p->name, "web-ams");
	return p->member_sets[p->n_member_sets - 1].from_ms - NOW_MS;
}

static void decide_version(struct node *n, uint64_t number, enum chain_mark mark)
{
	struct shared_change c;

	assert_int_equal(shared_intent_decide(n->in, number, mark, "ann", "", NOW_MS, &c), 0);
	decide_change(&c);
	shared_change_fini(&c);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct shared_record *)a)->name,
	              ((const struct shared_record *)b)->name);
}

/* Lists of the store are by name. */
static int list_store(struct node *n, int64_t revision, struct shared_record *list, size_t n_list,
                      enum origin_verdict verdict)
{
	const struct shared_records l = {
		.revision = revision, .cluster_id = 7, .records = list, .n = n_list
	};

	qsort(list, n_list, sizeof(*list), compare_names);
	return shared_intent_list(n->in, &l, verdict, &begin);
}

/* Of each record the newest. @return how many */
static size_t newest_records(struct shared_record list[EVENTS])
{
	size_t n = 0;

	for (size_t i = 0; i < store.n; i++) {
		size_t later = i + 1;

		while (later < store.n &&
		       strcmp(store.events[later].name, store.events[i].name) != 0)
			later++;
		if (later == store.n)
			list[n++] = store.events[i];
	}
	return n;
}

static void a_version_is_in_force_once_it_is_decided(void **state)
{
	struct version made, first;
	struct node a;

	(void)state;
	make_node(&a, "ams-1");
	assert_true(join_is_provisional(intent_head(a.in))); /* its own file, at this node alone */
	assert_int_equal(follow_store(&a, 0), 0);
	assert_true(join_is_provisional(intent_head(a.in)));
	assert_int_equal(apply_weight(&a, W1, 0, INTENT_PENDING_REFUSE, true, &first), 0);
	assert_int_equal(first.number, 1);
	assert_true(join_is_provisional(intent_head(a.in)));
	assert_int_equal(follow_store(&a, 0), 0);
	assert_int_equal(in_force(&a), 1);
	assert_string_equal(intent_head(a.in)->digest, first.digest);
	assert_string_equal(intent_head(a.in)->author, "ann");
	assert_false(join_is_provisional(intent_head(a.in)));
	/* one that is refused is nothing, now and after a restart */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(apply_weight(&a, W2, 0, INTENT_PENDING_REFUSE, false, &made), 0);
		assert_int_equal(made.number, 2);
		assert_int_equal(follow_store(&a, 0), 0);
		assert_int_equal(in_force(&a), 1);
		intent_close(a.in);
		open_node(&a);
		assert_int_equal(in_force(&a), 1);
		assert_string_equal(intent_head(a.in)->digest, first.digest);
	}
	assert_int_equal(apply_weight(&a, W2, 0, INTENT_PENDING_REFUSE, true, &made), 0);
	intent_close(a.in); /* it dies before it hears of that */
	open_node(&a);
	assert_int_equal(in_force(&a), 1);
	assert_int_equal(follow_store(&a, 0), 0);
	assert_int_equal(in_force(&a), 2);
	assert_string_equal(intent_head(a.in)->digest, made.digest);
	remove_node(&a);
}

static void the_own_file_is_told_to_the_store_as_any(void **state)
{
	struct intent_changed changed = { 0 };
	struct node a;

	(void)state;
	make_node(&a, "ams-1");
	struct files files = fixture_files("", "");
	struct intent_change change = { .files = &files, .author = "ann", .reason = "the same" };

	assert_int_equal(intent_change(a.in, &change, NOW_MS, &changed), 0);
	assert_true(changed.changed);
	assert_non_null(changed.shared);
	decide_change(changed.shared);
	intent_changed_fini(&changed);
	assert_int_equal(follow_store(&a, 0), 0);
	assert_string_equal(intent_head(a.in)->author, "ann");
	/* and is in force then: nothing changes */
	assert_int_equal(intent_change(a.in, &change, NOW_MS, &changed), 0);
	assert_false(changed.changed);
	assert_null(changed.shared);
	intent_changed_fini(&changed);
	files_fini(&files);
	remove_node(&a);
}

static void files_that_lack_leave_what_was_in_force(void **state)
{
	struct files files = { 0 };
	struct version made;
	struct node a, b;

	(void)state;
	make_node(&a, "ams-1");
	make_node(&b, "fra-1");
	for (uint64_t number = 1; number <= 2; number++) {
		assert_int_equal(apply_weight(&a, number == 1 ? W1 : W2, 0, INTENT_PENDING_REFUSE,
		                              true, &made),
		                 0);
		assert_int_equal(follow_store(&a, 0), 0);
		assert_int_equal(follow_store(&b, 0), number);
		if (number == 1)
			assert_true(join_is_provisional(intent_head(b.in)));
		else
			assert_int_equal(in_force(&b), 1);
		struct files other = fixture_files("", "");

		assert_int_equal(shared_intent_give_files(b.in, &made, &other, NOW_MS), -EINVAL);
		files_fini(&other);
		assert_int_equal(follow_store(&b, 0), number);
		assert_int_equal(recall_keep(b.in, &made), -ENOENT);
		assert_int_equal(intent_version(a.in, number, &made, &files), 0);
		assert_int_equal(shared_intent_give_files(b.in, &made, &files, NOW_MS), 0);
		files_fini(&files);
		assert_int_equal(follow_store(&b, 0), 0);
		for (int twice = 0; twice < 2; twice++) /* what the store has whole stays */
			assert_int_equal(recall_keep(b.in, &made), 0);
		assert_int_equal(in_force(&b), number);
	}
	remove_node(&a);
	remove_node(&b);
}

/* A version that was in force only for a moment is one to go back to, also when its maker is gone. */
static void staged_files_stay_once_there_is_the_version(void **state)
{
	struct files files = { 0 };
	struct version second, other;
	struct node a, b;

	(void)state;
	make_node(&a, "ams-1");
	make_node(&b, "fra-1");
	assert_int_equal(apply_weight(&a, W1, 0, INTENT_PENDING_REFUSE, true, NULL), 0);
	assert_int_equal(follow_store(&a, 0), 0);
	assert_int_equal(apply_weight(&a, W2, 0, INTENT_PENDING_REFUSE, true, &second), 0);
	assert_int_equal(follow_store(&a, 0), 0);
	assert_int_equal(intent_version(a.in, 2, &second, &files), 0);
	assert_int_equal(store_stage_version(intent_store(b.in), &second, &files), 0);
	assert_int_equal(apply_weight(&a, W3, 0, INTENT_PENDING_REFUSE, true, NULL), 0);
	assert_int_equal(follow_store(&b, 0), 3); /* which it knows before it has built version 2 */
	for (int i = 0; i <= (int)STORE_STAGED_MAX; i++) { /* many more are staged here */
		other = second;
		other.time_ms += 1 + i;
		snprintf(other.digest, sizeof(other.digest), "%064d", i);
		assert_int_equal(store_stage_version(intent_store(b.in), &other, &files), 0);
	}
	files_fini(&files);
	assert_int_equal(intent_version(b.in, 2, &other, &files), 0);
	assert_string_equal(other.digest, second.digest);
	files_fini(&files);
	remove_node(&a);
	remove_node(&b);
}

static bool has_event(const struct node *n, const char *text)
{
	const struct journal *j = intent_journal(n->in);

	for (uint64_t id = journal_oldest(j); id <= journal_last(j); id++)
		if (!strcmp(journal_find(j, id)->message, text))
			return true;
	return false;
}

static void what_nobody_confirms_goes_back_and_forth(void **state)
{
	struct node a;

	(void)state;
	make_node(&a, "ams-1");
	assert_int_equal(apply_weight(&a, W1, 0, INTENT_PENDING_REFUSE, true, NULL), 0);
	(void)follow_store(&a, 0);
	assert_int_equal(apply_weight(&a, W2, 60000, INTENT_PENDING_REFUSE, true, NULL), 0);
	(void)follow_store(&a, 0);
	assert_int_equal(in_force(&a), 2);
	assert_int_equal(intent_head(a.in)->confirm_by_ms, NOW_MS + 60000);
	assert_int_equal(intent_head(a.in)->confirm_left_ms, 60000);
	assert_int_equal(apply_weight(&a, W3, 0, INTENT_PENDING_REFUSE, false, NULL), -EBUSY);
	/* over a restart the deadline stays */
	intent_close(a.in);
	open_node(&a);
	(void)follow_store(&a, 59999);
	assert_int_equal(in_force(&a), 2);
	assert_in_range(intent_head(a.in)->confirm_left_ms, 1, 1000);
	/* nobody answers: it ends here alone */
	(void)follow_store(&a, 60000 + CHAIN_ANSWER_MS + 1000);
	assert_int_equal(in_force(&a), 1);
	assert_int_equal(intent_head(a.in)->confirm_by_ms, 0);
	const int64_t alone_ms = 60000 + CHAIN_ANSWER_MS + 1000;
	assert_int_equal(members_since(&a), alone_ms + COMPOSE_AHEAD_MS); /* nobody decided that */
	/* over a restart, too: its records still have version 2 in force, and no document may */
	intent_close(a.in);
	open_node(&a);
	assert_int_equal(in_force(&a), 1);
	assert_in_range(members_since(&a), 0, alone_ms + COMPOSE_AHEAD_MS);
	assert_int_equal(intent_head(a.in)->confirm_by_ms, 0);
	(void)follow_store(&a, alone_ms + 1000);
	assert_int_equal(in_force(&a), 1);
	/* somebody had confirmed it */
	decide_version(&a, 1 + 1, CHAIN_ENDED); /* as this node wants it: it is refused */
	shared_free_texts(&store.events[store.n - 1], 1);
	store.n--;
	struct shared_record *r = &store.events[store.n++];

	*r = (struct shared_record){ .name = "mark/2", .revision = ++store.revision };
	r->text = strdup("{\"mark\":\"confirmed\",\"author\":\"bob\",\"principal\":\"token:bob\"}");
	(void)follow_store(&a, 70000);
	assert_int_equal(in_force(&a), 2);
	assert_int_equal(members_since(&a), COMPOSE_AHEAD_MS + 2); /* since it was decided */
	assert_true(has_event(&a, "version 2 confirmed by bob (token:bob)"));
	assert_int_equal(intent_head(a.in)->confirm_by_ms, 0);
	remove_node(&a);
}

/* Whatever follows from a record is in one document, also where the versions before are read again. */
static void a_version_that_follows_is_written_once(void **state)
{
	static const char *const weights[] = { W1, W2, W3, W1 };
	struct node a;

	(void)state;
	make_node(&a, "ams-1");
	for (size_t i = 0; i < sizeof(weights) / sizeof(weights[0]); i++) {
		uint64_t document = intent_document(a.in);

		assert_int_equal(apply_weight(&a, weights[i], 0, INTENT_PENDING_REFUSE, true, NULL),
		                 0);
		(void)follow_store(&a, 0);
		assert_int_equal(in_force(&a), i + 1);
		assert_int_equal(intent_document(a.in), document + 1);
	}
	remove_node(&a);
}

/* A store that was made again while this node is cut off: what waits still has its deadline here. */
static void a_copy_that_is_new_leaves_what_is_known(void **state)
{
	struct version made;
	struct node a;

	(void)state;
	make_node(&a, "ams-1");
	assert_int_equal(follow_store(&a, 0), 0);
	assert_int_equal(apply_weight(&a, W1, 0, INTENT_PENDING_REFUSE, true, &made), 0);
	assert_int_equal(follow_store(&a, 0), 0);
	assert_int_equal(apply_weight(&a, W2, 10000, INTENT_PENDING_REFUSE, true, &made), 0);
	assert_int_equal(follow_store(&a, 0), 0);
	assert_int_equal(in_force(&a), 2);
	assert_true(history_waits(a.in->history, 2));
	assert_int_equal(copy_begin(a.in->store, ""), 0);
	assert_int_equal(shared_load(a.in), 0);
	assert_non_null(history_head(a.in->history));
	assert_true(history_waits(a.in->history, 2));
	remove_node(&a);
}

/* A node that decided alone follows the time of the decision once there is one. */
static void what_is_decided_later_says_since_when(void **state)
{
	const int64_t alone_ms = 60000 + CHAIN_ANSWER_MS + 1000;
	struct shared_change c;
	struct node a;

	(void)state;
	make_node(&a, "ams-1");
	assert_int_equal(apply_weight(&a, W1, 0, INTENT_PENDING_REFUSE, true, NULL), 0);
	(void)follow_store(&a, 0);
	assert_int_equal(apply_weight(&a, W2, 60000, INTENT_PENDING_REFUSE, true, NULL), 0);
	(void)follow_store(&a, 0);
	(void)follow_store(&a, alone_ms);
	assert_int_equal(in_force(&a), 1);
	assert_int_equal(members_since(&a), alone_ms + COMPOSE_AHEAD_MS);
	(void)follow_store(&a, alone_ms + 100); /* it stays so while nobody decides */
	assert_int_equal(members_since(&a), alone_ms + COMPOSE_AHEAD_MS);
	assert_int_equal(
	        shared_intent_decide(a.in, 2, CHAIN_ENDED, "ann", "", NOW_MS + alone_ms + 150, &c),
	        0);
	decide_change(&c);
	shared_change_fini(&c);
	(void)follow_store(&a, alone_ms + 200);
	assert_int_equal(in_force(&a), 1);
	assert_int_equal(members_since(&a), alone_ms + 150 + COMPOSE_AHEAD_MS);
	remove_node(&a);
}

/* So it does where the next version comes with that decision. */
static void what_is_decided_with_a_next_version_says_since_when(void **state)
{
	const int64_t alone_ms = 60000 + CHAIN_ANSWER_MS + 1000;
	struct files files = fixture_files("address = \"10.1.1.11\"; weight = 100", W3);
	struct intent_change change = { .files = &files, .author = "ann", .reason = "a test" };
	struct intent_changed changed = { 0 };
	struct shared_change c;
	struct node a;

	(void)state;
	make_node(&a, "ams-1");
	assert_int_equal(apply_weight(&a, W1, 0, INTENT_PENDING_REFUSE, true, NULL), 0);
	(void)follow_store(&a, 0);
	assert_int_equal(apply_weight(&a, W2, 60000, INTENT_PENDING_REFUSE, true, NULL), 0);
	(void)follow_store(&a, 0);
	(void)follow_store(&a, alone_ms);
	assert_int_equal(
	        shared_intent_decide(a.in, 2, CHAIN_ENDED, "ann", "", NOW_MS + alone_ms + 150, &c),
	        0);
	decide_change(&c);
	shared_change_fini(&c);
	size_t n = a.followed;

	assert_int_equal(
	        shared_intent_receive(a.in, store.revision, &store.events[n], store.n - n, &begin),
	        0);
	a.followed = store.n;
	assert_int_equal(intent_change(a.in, &change, NOW_MS + alone_ms + 5000, &changed), 0);
	decide_change(changed.shared);
	intent_changed_fini(&changed);
	uint64_t document = intent_document(a.in);

	(void)follow_store(&a, alone_ms + 5000);
	assert_int_equal(in_force(&a), 3);
	assert_int_equal(intent_document(a.in), document + 1);
	const struct recent *before = &a.in->recent[a.in->n_recent - 2];
	assert_int_equal(before->version.number, 1); /* it is corrected */
	assert_int_equal(before->since_ms, NOW_MS + alone_ms + 150 + COMPOSE_AHEAD_MS);
	remove_node(&a);
	files_fini(&files);
}

static void a_person_confirms_joins_or_goes_back(void **state)
{
	struct version back;
	char text[80];
	struct node a;

	(void)state;
	make_node(&a, "ams-1");
	assert_int_equal(apply_weight(&a, W1, 0, INTENT_PENDING_REFUSE, true, NULL), 0);
	(void)follow_store(&a, 0);
	for (uint64_t number = 2; number < 8; number += 3) {
		assert_int_equal(apply_weight(&a, W2, 60000, INTENT_PENDING_REFUSE, true, NULL), 0);
		(void)follow_store(&a, 0);
		assert_int_equal(in_force(&a), number);
		/* to what was in force before: no version, the open one ends */
		assert_int_equal(apply_weight(&a, W1, 0, INTENT_PENDING_REFUSE, true, &back), 0);
		assert_int_equal(back.number, number - 1);
		(void)follow_store(&a, 0);
		assert_int_equal(in_force(&a), number - 1);
		snprintf(text, sizeof(text), "version %d ended by ann (weir): a test", (int)number);
		assert_true(has_event(&a, text));
		assert_int_equal(apply_weight(&a, W3, 60000, INTENT_PENDING_REFUSE, true, NULL), 0);
		(void)follow_store(&a, 0);
		decide_version(&a, number + 1, CHAIN_CONFIRMED);
		(void)follow_store(&a, 0);
		assert_int_equal(in_force(&a), number + 1);
		assert_int_equal(intent_head(a.in)->confirm_by_ms, 0);
		/* for the next time the first weight again */
		assert_int_equal(apply_weight(&a, W1, 0, INTENT_PENDING_REFUSE, true, NULL), 0);
		(void)follow_store(&a, 0);
		assert_int_equal(in_force(&a), number + 2);
	}
	remove_node(&a);
}

/* The version that is to be ended now. */
static uint64_t to_end(const struct node *n, const struct pending_clock *clock, const char **reason)
{
	enum chain_mark mark;
	uint64_t number = shared_intent_to_decide(n->in, clock, &mark, reason);

	assert_true(!number || mark == CHAIN_ENDED);
	return number;
}

/* As long as it is wanted, and the deadline has not passed. */
static void a_confirmation_is_asked_for_until_it_is_decided(void **state)
{
	struct pending_clock clock = begin;
	enum chain_mark mark;
	const char *reason;
	struct node a;

	(void)state;
	make_node(&a, "ams-1");
	assert_int_equal(apply_weight(&a, W1, 0, INTENT_PENDING_REFUSE, true, NULL), 0);
	(void)follow_store(&a, 0);
	assert_int_equal(apply_weight(&a, W2, 60000, INTENT_PENDING_REFUSE, true, NULL), 0);
	(void)follow_store(&a, 0);
	assert_int_equal(intent_decide_unconfirmed(a.in, CHAIN_CONFIRMED, "well", NOW_MS), 0);
	assert_int_equal(shared_intent_to_decide(a.in, &clock, &mark, &reason), 2);
	assert_int_equal(mark, CHAIN_CONFIRMED);
	assert_string_equal(reason, "well");
	intent_leave_unconfirmed(a.in);
	assert_int_equal(shared_intent_to_decide(a.in, &clock, &mark, &reason), 0);
	assert_int_equal(intent_decide_unconfirmed(a.in, CHAIN_ENDED, "refused", NOW_MS), 0);
	intent_leave_unconfirmed(a.in); /* that is another's wish */
	assert_int_equal(to_end(&a, &clock, &reason), 2);
	assert_int_equal(intent_decide_unconfirmed(a.in, CHAIN_CONFIRMED, "well", NOW_MS), 0);
	clock.now_ms += 60000; /* nobody decided it in time */
	assert_int_equal(to_end(&a, &clock, &reason), 2);
	decide_version(&a, 2, CHAIN_CONFIRMED);
	(void)follow_store(&a, 0);
	assert_int_equal(in_force(&a), 2);
	assert_int_equal(shared_intent_to_decide(a.in, &begin, &mark, &reason), 0);
	remove_node(&a);
}

/* A node that cannot take a version asks for its end, as the deadline does. */
static void what_is_to_end_is_asked_for_until_it_is_decided(void **state)
{
	struct pending_clock clock = begin;
	const char *reason;
	struct node a;

	(void)state;
	make_node(&a, "ams-1");
	assert_int_equal(apply_weight(&a, W1, 0, INTENT_PENDING_REFUSE, true, NULL), 0);
	(void)follow_store(&a, 0);
	assert_int_equal(intent_decide_unconfirmed(a.in, CHAIN_ENDED, "x", NOW_MS), -EALREADY);
	for (uint64_t number = 2; number < 4; number++) {
		assert_int_equal(apply_weight(&a, W2, 60000, INTENT_PENDING_REFUSE, true, NULL), 0);
		(void)follow_store(&a, 0);
		assert_int_equal(to_end(&a, &clock, &reason), 0);
		assert_int_equal(
		        intent_decide_unconfirmed(a.in, CHAIN_ENDED, "a peer refuses it", NOW_MS),
		        0);
		assert_int_equal(in_force(&a), number); /* nothing is decided here */
		assert_int_equal(to_end(&a, &clock, &reason), number);
		assert_string_equal(reason, "a peer refuses it");
		decide_version(&a, number, CHAIN_ENDED);
		(void)follow_store(&a, 0);
		assert_int_equal(in_force(&a), 1);
		assert_int_equal(to_end(&a, &clock, &reason), 0);
	}
	assert_int_equal(apply_weight(&a, W2, 60000, INTENT_PENDING_REFUSE, true, NULL), 0);
	(void)follow_store(&a, 0);
	clock.now_ms += 60000;
	assert_int_equal(to_end(&a, &clock, &reason), 4);
	assert_string_equal(reason, "it was not confirmed in time");
	decide_version(&a, 4, CHAIN_ENDED);
	(void)follow_store(&a, 0);

	/* what was found out before the deadline is why it ends, also where the store decides later */
	assert_int_equal(apply_weight(&a, W2, 60000, INTENT_PENDING_REFUSE, true, NULL), 0);
	(void)follow_store(&a, 0);
	assert_int_equal(intent_decide_unconfirmed(a.in, CHAIN_ENDED, "a peer refuses it", NOW_MS),
	                 0);
	clock.now_ms += 60000;
	assert_int_equal(to_end(&a, &clock, &reason), 5);
	assert_string_equal(reason, "a peer refuses it");
	remove_node(&a);
}

/* Plan and guards were about what is loaded: a change upon anything else is not made. */
static void what_is_in_force_and_not_here_is_not_built_upon(void **state)
{
	char digest[DIGEST_TEXT_MAX];
	struct files files = { 0 };
	struct version made;
	struct node a, b;

	(void)state;
	make_node(&a, "ams-1");
	make_node(&b, "fra-1");
	for (uint64_t number = 1; number <= 2; number++) {
		assert_int_equal(apply_weight(&a, number == 1 ? W1 : W2, number == 1 ? 0 : 60000,
		                              INTENT_PENDING_REFUSE, true, &made),
		                 0);
		(void)follow_store(&a, 0);
		assert_int_equal(follow_store(&b, 0), number);
		size_t decided = store.n;

		for (int pending = INTENT_PENDING_REFUSE; pending <= INTENT_PENDING_JOIN; pending++)
			assert_int_equal(apply_weight(&b, W3, 60000, (enum intent_pending)pending,
			                              true, NULL),
			                 -ESTALE);
		assert_int_equal(store.n, decided);
		assert_int_equal(intent_version(a.in, number, &made, &files), 0);
		assert_int_equal(shared_intent_give_files(b.in, &made, &files, NOW_MS), 0);
		files_fini(&files);
		(void)follow_store(&b, 0);
		assert_int_equal(in_force(&b), number);
	}
	/* a node that lost all knows what is in force: its own file is no version of that number */
	intent_close(b.in);
	fixture_remove(&b.f);
	make_node(&b, "fra-1");
	b.followed = 0;
	assert_int_equal(follow_store(&b, 0), 2);
	assert_true(join_is_provisional(intent_head(b.in)));
	snprintf(digest, sizeof(digest), "%s", intent_head(b.in)->digest);
	intent_close(b.in);
	open_node(&b);
	assert_int_equal(intent_head(b.in)->number, 1);
	assert_string_equal(intent_head(b.in)->digest, digest);
	remove_node(&a);
	remove_node(&b);
}

static void going_back_ends_all_that_is_open(void **state)
{
	struct version back;
	const char *why;
	struct node a;

	(void)state;
	make_node(&a, "ams-1");
	assert_int_equal(apply_weight(&a, W1, 0, INTENT_PENDING_REFUSE, true, NULL), 0);
	(void)follow_store(&a, 0);
	for (size_t open = 1; open <= HISTORY_BACK_MAX + 2; open++) {
		for (size_t i = 0; i < open; i++) {
			assert_int_equal(apply_weight(&a, i % 2 ? W2 : W3, 60000,
			                              INTENT_PENDING_JOIN, true, NULL),
			                 0);
			(void)follow_store(&a, 0);
		}
		assert_true(in_force(&a) > 1);
		assert_int_equal(apply_weight(&a, W1, 0, INTENT_PENDING_REFUSE, true, &back), 0);
		assert_int_equal(back.number, 1);
		(void)follow_store(&a, 0);
		assert_int_equal(in_force(&a), 1);
		/* more than one change can mark are in force no more, and are marked next */
		uint64_t left = to_end(&a, &begin, &why);
		assert_int_equal(left != 0, open > HISTORY_BACK_MAX);
		if (left)
			decide_version(&a, left, CHAIN_ENDED);
		(void)follow_store(&a, 0);
		assert_int_equal(in_force(&a), 1);
		assert_int_equal(to_end(&a, &begin, &why), 0);
	}
	remove_node(&a);
}

/* The files in force once more, with the confirmation of what is open: nothing but that changes. */
static void the_same_files_may_confirm(void **state)
{
	struct node a;

	(void)state;
	make_node(&a, "ams-1");
	assert_int_equal(apply_weight(&a, W1, 0, INTENT_PENDING_REFUSE, true, NULL), 0);
	(void)follow_store(&a, 0);
	assert_int_equal(apply_weight(&a, W2, 60000, INTENT_PENDING_REFUSE, true, NULL), 0);
	(void)follow_store(&a, 0);
	assert_true(intent_head(a.in)->confirm_by_ms > 0);
	assert_int_equal(apply_weight(&a, W2, 0, INTENT_PENDING_CONFIRM, true, NULL), 0);
	(void)follow_store(&a, 0);
	assert_int_equal(in_force(&a), 2);
	assert_int_equal(intent_head(a.in)->confirm_by_ms, 0);
	remove_node(&a);
}

static void a_change_says_what_its_node_knew(void **state)
{
	struct node a;

	(void)state;
	make_node(&a, "ams-1");
	assert_int_equal(apply_weight(&a, W1, 0, INTENT_PENDING_REFUSE, true, NULL), 0);
	assert_int_equal(store.above, 0);
	(void)follow_store(&a, 0);
	assert_int_equal(apply_weight(&a, W2, 60000, INTENT_PENDING_REFUSE, true, NULL), 0);
	assert_int_equal(store.above, 1);
	(void)follow_store(&a, 0);
	assert_int_equal(apply_weight(&a, W3, 0, INTENT_PENDING_CONFIRM, true, NULL), 0);
	assert_int_equal(store.above, 2);
	remove_node(&a);
}

static void what_is_not_ours_is_not_kept(void **state)
{
	static const char *const names[] = { "version/2", "mark/1", "head" };
	struct node a;
	int64_t revision;

	(void)state;
	make_node(&a, "ams-1");
	assert_int_equal(apply_weight(&a, W1, 0, INTENT_PENDING_REFUSE, true, NULL), 0);
	(void)follow_store(&a, 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct shared_record r = { .text = (char *)(uintptr_t) "garbage", .revision = 50 };

		snprintf(r.name, sizeof(r.name), "%s", names[i]);
		assert_int_equal(shared_intent_receive(a.in, 50, &r, 1, &begin), -EBADMSG);
		assert_int_equal(list_store(&a, 50, &r, 1, ORIGIN_FOLLOWS), -EBADMSG);
		assert_int_equal(shared_intent_revision(a.in, &revision), 0);
		assert_int_equal(revision, store.revision);
		assert_int_equal(in_force(&a), 1);
		intent_close(a.in);
		open_node(&a);
		assert_int_equal(in_force(&a), 1);
		assert_string_equal(intent_store_state(a.in), "ok");
	}
	remove_node(&a);
}

/* Versions that a node made before there was a store: the first of the store follows on. */
static void numbers_go_on_where_the_node_was(void **state)
{
	struct fixture f;
	struct intent_options options = { .node = "ams-1" };
	struct intent_changed changed = { 0 };
	struct node a = { .name = "ams-1" };

	(void)state;
	fixture_make(&f);
	options.conf_dir = f.conf;
	options.state_dir = f.state;
	a.f = f;
	assert_int_equal(intent_open(&options, NOW_MS, &a.in), 0);
	assert_int_equal(apply_weight(&a, W1, 0, INTENT_PENDING_REFUSE, false, NULL), 0);
	assert_int_equal(apply_weight(&a, W2, 0, INTENT_PENDING_REFUSE, false, NULL), 0);
	assert_int_equal(in_force(&a), 3);
	intent_close(a.in);
	open_node(&a);
	assert_int_equal(in_force(&a), 3);
	struct files files = fixture_files("address = \"10.1.1.11\"; weight = 100", W3);
	struct intent_change change = {
		.files = &files, .author = "ann", .reason = "x", .confirm_within_ms = 5000
	};

	/* in the store there is no version to go back to, so no deadline is promised */
	assert_int_equal(intent_change(a.in, &change, NOW_MS + 10, &changed), -ENODATA);
	intent_changed_fini(&changed);
	change.pending = INTENT_PENDING_IGNORE; /* a plan */
	change.dry_run = true;
	assert_int_equal(intent_change(a.in, &change, NOW_MS + 10, &changed), 0);
	assert_true(changed.is_first);
	assert_int_equal(changed.confirm_within_ms, 0);
	intent_changed_fini(&changed);
	change.pending = INTENT_PENDING_REFUSE;
	assert_int_equal(intent_change(a.in, &change, NOW_MS + 10, &changed), -ENODATA);
	intent_changed_fini(&changed);
	change.dry_run = false;
	change.confirm_within_ms = 0;
	assert_int_equal(intent_change(a.in, &change, NOW_MS + 10, &changed), 0);
	assert_int_equal(changed.version.number, 4);
	decide_change(changed.shared);
	intent_changed_fini(&changed);
	files_fini(&files);
	(void)follow_store(&a, 0);
	assert_int_equal(in_force(&a), 4);
	remove_node(&a);
}

/* Where nothing is in force here, as its own file is refused: other nodes run theirs. */
static void a_first_version_has_no_deadline_anywhere(void **state)
{
	struct intent_options options = { .node = "ams-1", .shares = true };
	struct node a = { .name = "ams-1" };
	char was[COPY_STORE_MAX];

	(void)state;
	fixture_make(&a.f);
	options.conf_dir = a.f.conf;
	options.state_dir = a.f.state;
	assert_int_equal(intent_open(&options, NOW_MS, &a.in), 0);
	assert_int_equal(shared_intent_bind(a.in, "a-store", was), 0);
	assert_null(intent_head(a.in));
	assert_int_equal(apply_weight(&a, W1, 60000, INTENT_PENDING_REFUSE, false, NULL), -ENODATA);
	assert_int_equal(apply_weight(&a, W1, 60000, INTENT_PENDING_IGNORE, false, NULL), 0);
	assert_int_equal(apply_weight(&a, W1, -1, INTENT_PENDING_REFUSE, true, NULL), 0);
	assert_int_equal(follow_store(&a, 0), 0);
	assert_int_equal(in_force(&a), 1);
	remove_node(&a);
}

/* A record of the store's epoch, as the last of a list. */
static size_t add_claim(struct shared_record *list, size_t n, const char *text, int64_t revision)
{
	list[n] = (struct shared_record){ .name = "store",
		                          .text = (char *)(uintptr_t)text,
		                          .revision = revision };
	return n + 1;
}

#define ID "0123456789abcdef0123456789abcdef"
#define CLAIM_2                                                                                    \
	"{\"id\":\"" ID "\",\"epoch\":2,\"nonce\":\"00000000000000aa\",\"how\":\"accepted\","      \
	"\"node\":\"ams-1\",\"author\":\"ann\",\"time_ms\":5}"

/*
 * The store went back to what it was before version 3, and that was accepted: version 2 waits to be confirmed, and its
 * deadline is the one that this node knew; a node that comes then has none.
 */
static void a_higher_epoch_takes_the_place_of_what_was_here(void **state)
{
	struct shared_record list[EVENTS];
	enum chain_mark mark;
	struct node a, b;
	size_t n;

	(void)state;
	make_node(&a, "ams-1");
	assert_int_equal(apply_weight(&a, W1, 0, INTENT_PENDING_REFUSE, true, NULL), 0);
	(void)follow_store(&a, 0);
	assert_int_equal(apply_weight(&a, W2, 60000, INTENT_PENDING_REFUSE, true, NULL), 0);
	(void)follow_store(&a, 0);
	n = newest_records(list);
	assert_int_equal(apply_weight(&a, W3, 60000, INTENT_PENDING_JOIN, true, NULL), 0);
	(void)follow_store(&a, 10000);
	assert_int_equal(in_force(&a), 3);
	shared_intent_note_went_back(a.in);

	n = add_claim(list, n, CLAIM_2, 90);
	assert_int_equal(list_store(&a, 95, list, n, ORIGIN_NEWER), 0);
	assert_false(shared_intent_went_back(a.in));
	(void)follow_store(&a, 10000);
	assert_int_equal(in_force(&a), 2);
	assert_null(history_version(shared_intent_history(a.in), 3, &mark));
	assert_int_equal(intent_head(a.in)->confirm_left_ms, 50000);
	(void)follow_store(&a, 60000 + CHAIN_ANSWER_MS);
	assert_int_equal(in_force(&a), 1);

	make_node(&b, "fra-1");
	assert_int_equal(list_store(&b, 5, list, 0, ORIGIN_FOLLOWS),
	                 0); /* it was there long before */
	assert_int_equal(list_store(&b, 95, list, n, ORIGIN_NEWER), 0);
	int64_t left_ms = 0;

	assert_true(history_is_open(shared_intent_history(b.in), begin.now_ms, &left_ms));
	assert_true(left_ms == CHAIN_NEVER);
	remove_node(&b);
	remove_node(&a);
}

/* A node asked for the end of version 2, which the store lost; another one has its number now. */
static void what_is_to_end_is_not_another_of_its_number(void **state)
{
	struct pending_clock clock = begin;
	struct shared_record list[EVENTS];
	const char *reason;
	struct node a;
	size_t n;

	(void)state;
	make_node(&a, "ams-1");
	assert_int_equal(apply_weight(&a, W1, 0, INTENT_PENDING_REFUSE, true, NULL), 0);
	(void)follow_store(&a, 0);
	n = add_claim(list, newest_records(list), CLAIM_2, 90);
	assert_int_equal(apply_weight(&a, W2, 60000, INTENT_PENDING_REFUSE, true, NULL), 0);
	(void)follow_store(&a, 0);
	assert_int_equal(intent_decide_unconfirmed(a.in, CHAIN_ENDED, "a peer refuses it", NOW_MS),
	                 0);
	assert_int_equal(to_end(&a, &clock, &reason), 2);
	a.in->refused_number = 2; /* and it could not take it */
	a.in->refused_until_ms = begin.now_ms + 60000;
	assert_int_equal(list_store(&a, 95, list, n, ORIGIN_NEWER), 0);
	assert_int_equal(a.in->refused_number, 0);
	store.revision = 95;
	(void)follow_store(&a, 0);
	assert_int_equal(in_force(&a), 1);
	assert_int_equal(apply_weight(&a, W3, 60000, INTENT_PENDING_REFUSE, true, NULL), 0);
	(void)follow_store(&a, 0);
	assert_int_equal(in_force(&a), 2);
	assert_int_equal(to_end(&a, &clock, &reason), 0);
	remove_node(&a);
}

static void an_epoch_is_said_with_what_is_lost(void **state)
{
	struct shared_record list[EVENTS];
	struct node a;
	size_t n;

	(void)state;
	make_node(&a, "ams-1");
	assert_int_equal(apply_weight(&a, W1, 0, INTENT_PENDING_REFUSE, true, NULL), 0);
	(void)follow_store(&a, 0);
	n = add_claim(list, newest_records(list), CLAIM_2, 90);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
		        apply_weight(&a, i ? W3 : W2, 60000, INTENT_PENDING_JOIN, true, NULL), 0);
		(void)follow_store(&a, 0);
	}
	assert_int_equal(list_store(&a, 95, list, n, ORIGIN_NEWER), 0);
	const struct event *e =
	        journal_find(intent_journal(a.in), journal_last(intent_journal(a.in)));

	assert_string_equal(e->kind, "store");
	assert_non_null(strstr(e->message, "epoch 2 of the store: accepted as it is by ann"));
	assert_non_null(strstr(e->message, "2 versions and decisions of this node are not in it"));
	remove_node(&a);
}

/* The revision of the store's own record on which @p c rests; -1: it does not. */
static int64_t claim_seen(const struct shared_change *c)
{
	for (size_t i = 0; i < c->n_seen; i++)
		if (!strcmp(c->seen[i].name, "store"))
			return c->seen[i].revision;
	return -1;
}

/* What was made of the former epoch is not written into one that was accepted or rebuilt meanwhile. */
static void a_change_rests_on_the_epoch(void **state)
{
	struct files files = fixture_files("address = \"10.1.1.11\"; weight = 100", W2);
	struct intent_change change = {
		.files = &files, .author = "ann", .reason = "a test", .confirm_within_ms = 60000
	};
	struct intent_changed changed = { 0 };
	struct shared_record list[EVENTS];
	struct shared_change c;
	struct node a;

	(void)state;
	make_node(&a, "ams-1");
	assert_int_equal(apply_weight(&a, W1, 0, INTENT_PENDING_REFUSE, true, NULL), 0);
	(void)follow_store(&a, 0);
	for (int64_t revision = 0; revision <= 90; revision += 90) {
		size_t n = newest_records(list);

		if (revision) {
			n = add_claim(list, n, CLAIM_2, revision);
			assert_int_equal(list_store(&a, 95, list, n, ORIGIN_FOLLOWS), 0);
		}
		assert_int_equal(intent_change(a.in, &change, NOW_MS, &changed), 0);
		assert_true(claim_seen(changed.shared) == revision);
		intent_changed_fini(&changed);
	}
	a.followed = store.n;
	assert_int_equal(apply_weight(&a, W2, 60000, INTENT_PENDING_REFUSE, true, NULL), 0);
	store.revision = 100;
	for (size_t i = a.followed; i < store.n; i++)
		store.events[i].revision = 100;
	(void)follow_store(&a, 0);
	assert_int_equal(shared_intent_decide(a.in, 2, CHAIN_ENDED, "ann", "why", NOW_MS, &c), 0);
	assert_true(claim_seen(&c) == 90);
	shared_change_fini(&c);
	files_fini(&files);
	remove_node(&a);
}

static void a_list_is_all_there_is(void **state)
{
	struct node a, b;
	struct files files = { 0 };
	struct version made;
	struct shared_record list[EVENTS];
	size_t n;

	(void)state;
	make_node(&a, "ams-1");
	assert_int_equal(apply_weight(&a, W1, 0, INTENT_PENDING_REFUSE, true, NULL), 0);
	(void)follow_store(&a, 0);
	assert_int_equal(apply_weight(&a, W2, 60000, INTENT_PENDING_REFUSE, true, NULL), 0);
	(void)follow_store(&a, 0);
	make_node(&b, "fra-1");
	n = newest_records(list);
	assert_int_equal(list_store(&b, store.revision, list, n, ORIGIN_FOLLOWS), 0);
	b.followed = store.n;
	assert_int_equal(intent_version(a.in, 2, &made, &files), 0);
	assert_int_equal(shared_intent_give_files(b.in, &made, &files, NOW_MS), 0);
	files_fini(&files);
	assert_int_equal(intent_version(a.in, 1, &made, &files), 0);
	assert_int_equal(shared_intent_give_files(b.in, &made, &files, NOW_MS), 0);
	files_fini(&files);
	(void)follow_store(&b, 0);
	assert_int_equal(in_force(&b), 2);
	/* it came later: it has no deadline of that version, and shows the one of who made it */
	assert_int_equal(intent_head(b.in)->confirm_left_ms, 0);
	assert_int_equal(intent_head(b.in)->confirm_by_ms, intent_head(b.in)->time_ms + 60000);
	(void)follow_store(&b, 3600000);
	assert_int_equal(in_force(&b), 2);
	decide_version(&a, 2, CHAIN_ENDED);
	(void)follow_store(&b, 3600000);
	assert_int_equal(in_force(&b), 1);
	remove_node(&a);
	remove_node(&b);
}

static void damage_copy(const struct node *n, const char *sql)
{
	char path[PATH_MAX];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/store/store.db", n->f.state);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static int meet_change(struct node *n)
{
	return shared_intent_receive(n->in, store.revision + 1, NULL, 0, &begin);
}

static int meet_list(struct node *n)
{
	struct shared_record none;

	return list_store(n, store.revision, &none, 0, ORIGIN_FOLLOWS);
}

static int meet_records(struct node *n)
{
	struct shared_records l;

	return shared_intent_records(n->in, &l);
}

static int meet_origin(struct node *n)
{
	struct store_origin origin;

	return shared_intent_origin(n->in, &origin);
}

/* Whoever finds the damage: what the store holds is not to blame, and is listed into a new copy. */
static void a_damaged_copy_is_made_again_and_listed(void **state)
{
	static const struct {
		const char *sql;
		int (*meet)(struct node *n);
	} rows[] = {
		{ "DROP TABLE shared_revision", meet_change },
		{ "DROP TABLE shared", meet_list },
		{ "UPDATE shared SET revision=-1", meet_records },
		{ "INSERT INTO shared_origin VALUES(1, 1, -1, '')", meet_origin },
	};
	struct shared_record list[EVENTS];
	char was[COPY_STORE_MAX];
	int64_t revision;
	struct node a;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)teardown(state);
		(void)setup(state);
		make_node(&a, "ams-1");
		assert_int_equal(apply_weight(&a, W1, 0, INTENT_PENDING_REFUSE, true, NULL), 0);
		(void)follow_store(&a, 0);
		damage_copy(&a, rows[i].sql);
		if (rows[i].meet(&a) != -EIO)
			fail_msg("row %zu", i);
		(void)intent_tick(a.in, NOW_MS);
		(void)intent_tick(a.in, NOW_MS);
		assert_int_equal(intent_store_renewals(a.in), 1);
		assert_int_equal(in_force(&a), 1);
		assert_int_equal(shared_intent_bind(a.in, "a-store", was), 0);
		assert_int_equal(
		        list_store(&a, store.revision, list, newest_records(list), ORIGIN_FOLLOWS),
		        0);
		assert_int_equal(shared_intent_revision(a.in, &revision), 0);
		assert_int_equal(revision, store.revision);
		assert_int_equal(apply_weight(&a, W2, 0, INTENT_PENDING_REFUSE, true, NULL), 0);
		(void)follow_store(&a, 0);
		assert_int_equal(in_force(&a), 2);
		remove_node(&a);
	}
}

SUITE(shared_intent)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_version_is_in_force_once_it_is_decided, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(the_own_file_is_told_to_the_store_as_any, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(files_that_lack_leave_what_was_in_force, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(staged_files_stay_once_there_is_the_version, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(what_nobody_confirms_goes_back_and_forth, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(a_copy_that_is_new_leaves_what_is_known, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(what_is_decided_later_says_since_when, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(a_person_confirms_joins_or_goes_back, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(a_confirmation_is_asked_for_until_it_is_decided,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_to_end_is_asked_for_until_it_is_decided,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_in_force_and_not_here_is_not_built_upon,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(going_back_ends_all_that_is_open, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_decided_with_a_next_version_says_since_when,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(a_version_that_follows_is_written_once, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(the_same_files_may_confirm, setup, teardown),
		cmocka_unit_test_setup_teardown(a_change_says_what_its_node_knew, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_not_ours_is_not_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(a_first_version_has_no_deadline_anywhere, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(numbers_go_on_where_the_node_was, setup, teardown),
		cmocka_unit_test_setup_teardown(a_higher_epoch_takes_the_place_of_what_was_here,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_to_end_is_not_another_of_its_number, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(an_epoch_is_said_with_what_is_lost, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(a_change_rests_on_the_epoch, setup, teardown),
		cmocka_unit_test_setup_teardown(a_damaged_copy_is_made_again_and_listed, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(a_list_is_all_there_is, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
