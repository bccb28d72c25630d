/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Steps of operations as overrides: their order, what may be in them, and how they are stored.
 */
#include "fixture.h"
#include "set_digest.h"

#include <errno.h>
#include <stddef.h>

#include "mgmt/overrides/override.h"
#include "mgmt/store/sql.h"
#include "mgmt/store/store.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define NEVER    MODEL_TIME_NEVER
#define END      ((uint64_t)1 << 53) /* the documented value */

/* The operation was commanded at NOW_MS. */
#define STAMP ((uint64_t)NOW_MS << 11)

static struct override make_step(uint32_t epoch, uint32_t step, uint32_t from_ppm, uint32_t to_ppm)
{
	struct override o = { .kind = MODEL_OVERRIDE_DRAIN,
		              .generation = STAMP,
		              .epoch = epoch,
		              .step = step,
		              .created_ms = NOW_MS,
		              .from_ms = NOW_MS,
		              .until_ms = NEVER,
		              .from_ppm = from_ppm,
		              .is_step = true,
		              .to_ppm = to_ppm };

	snprintf(o.id, sizeof(o.id), "d1-1");
	snprintf(o.name, sizeof(o.name), "ams");
	snprintf(o.operation, sizeof(o.operation), "d1");
	snprintf(o.author, sizeof(o.author), "jw");
	snprintf(o.reason, sizeof(o.reason), "CHG-7");
	snprintf(o.node, sizeof(o.node), "fra-1");
	return o;
}

/* When it was commanded, then the owner, then its step: whatever the other parts are. */
static void changes_are_in_the_order_of_their_parts(void **state)
{
	static const struct {
		uint64_t generation;
		uint32_t epoch, step;
	} parts[] = {
		{ 1, 0, 0 },       { 1, 0, 7 }, { 1, 1, 0 },
		{ 1, 1, 1 },       { 1, 2, 0 }, { 1, UINT32_MAX, UINT32_MAX },
		{ 2, 0, 0 },       { 2, 0, 1 }, { 2, 3, 0 },
		{ END - 1, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(parts); i++)
		for (size_t k = 0; k < COUNT(parts); k++) {
			const struct override a = { .generation = parts[i].generation,
				                    .epoch = parts[i].epoch,
				                    .step = parts[i].step };
			const struct override b = { .generation = parts[k].generation,
				                    .epoch = parts[k].epoch,
				                    .step = parts[k].step };

			assert_int_equal(override_compare(&a, &b), i < k ? -1 : i > k);
		}
}

/* Whatever the order in which nodes hear of them, the last word is the same. */
static void nodes_agree_on_steps_in_any_order(void **state)
{
	struct override all[] = {
		make_step(0, 0, 0, 1000000), /* of a person, before it */
		make_step(1, 1, 0, 100000),      make_step(1, 2, 100000, 250000),
		make_step(1, 2, 250000, 250000), make_step(2, 0, 100000, 100000),
		make_step(2, 0, 100000, 200000),
	};
	unsigned order = 1;

	(void)state;
	all[0].generation--;
	all[0].is_step = false;
	all[0].to_ppm = 0;
	all[0].operation[0] = '\0';
	for (int round = 0; round < 500; round++) {
		struct overrides set = { 0 };

		for (int i = 0; i < 30; i++) {
			order = order * 1103515245u + 12345u;
			overrides_merge(&set, &all[(order >> 16) % COUNT(all)], NOW_MS);
		}
		for (size_t i = 0; i < COUNT(all); i++)
			overrides_merge(&set, &all[i], NOW_MS);
		assert_int_equal(set.n_items, 1);
		assert_int_equal(set.items[0].to_ppm, 200000); /* the greater text of the last */
		assert_int_equal(set.items[0].epoch, 2);
		overrides_fini(&set);
	}
}

static void each_field_of_a_step_counts_in_the_digest(void **state)
{
	static const size_t fields[] = {
		offsetof(struct override, to_ppm),  offsetof(struct override, epoch),
		offsetof(struct override, step),    offsetof(struct override, late_from_ms),
		offsetof(struct override, service), offsetof(struct override, operation)
	};
	struct override o = make_step(1, 1, 0, 100000);
	struct overrides set = { .items = &o, .n_items = 1 };
	char before[DIGEST_TEXT_MAX], after[DIGEST_TEXT_MAX];

	(void)state;
	set_digest(&set, before);
	for (size_t i = 0; i < COUNT(fields); i++) {
		o = make_step(1, 1, 0, 100000);
		((char *)&o)[fields[i]] ^= 1;
		assert_string_not_equal(set_digest(&set, after), before);
	}
	o = make_step(1, 1, 0, 100000);
	o.level_known = true; /* what weir-dns of this node has is not merged */
	o.level_ppm = 7;
	assert_string_equal(set_digest(&set, after), before);
}

/* Two nodes that drill with other clients, or of another service, do not agree. */
static void each_field_of_a_drill_counts_in_the_digest(void **state)
{
	const struct override drill = { .id = "d1-1",
		                        .kind = MODEL_OVERRIDE_DRILL,
		                        .name = "ams",
		                        .generation = 1,
		                        .created_ms = NOW_MS,
		                        .from_ms = NOW_MS,
		                        .until_ms = NOW_MS + 600000,
		                        .service = "web",
		                        .author = "ann",
		                        .reason = "why",
		                        .node = "fra-1" };
	static const char *const clients[] = { "198.51.100.0/24", "198.51.101.0/24",
		                               "198.51.100.0/25", "2001:db8::/64" };
	static const char *const services[] = { "web", "webs", "" };
	char digests[COUNT(clients)][COUNT(services)][DIGEST_TEXT_MAX];
	struct override o = drill;
	struct overrides set = { .items = &o, .n_items = 1 };

	(void)state;
	for (size_t i = 0; i < COUNT(clients); i++)
		for (size_t k = 0; k < COUNT(services); k++) {
			assert_int_equal(prefix_parse(clients[i], &o.clients), 0);
			snprintf(o.service, sizeof(o.service), "%s", services[k]);
			set_digest(&set, digests[i][k]);
			for (size_t j = 0; j < i * COUNT(services) + k; j++)
				assert_string_not_equal(
				        digests[j / COUNT(services)][j % COUNT(services)],
				        digests[i][k]);
		}
	char before[DIGEST_TEXT_MAX], after[DIGEST_TEXT_MAX];
	set_digest(&set, before);
	snprintf(o.principal, sizeof(o.principal), "token:x"); /* it is not merged */
	assert_string_equal(set_digest(&set, after), before);
}

static void what_may_be_in_a_step_is_limited(void **state)
{
	const struct override fine = make_step(1, 1, 0, 1000000);
	struct override o = fine;

	(void)state;
	assert_true(override_ok(&o));
	o.to_ppm = 1000001;
	assert_false(override_ok(&o));
	o = fine;
	o.kind = MODEL_OVERRIDE_DISABLE;
	assert_false(override_ok(&o));
	o = fine;
	o.target = MODEL_TARGET_NODE;
	assert_false(override_ok(&o));
	o = fine;
	o.late_from_ms = -1;
	assert_false(override_ok(&o));
	o.late_from_ms = NEVER;
	assert_true(override_ok(&o));
	snprintf(o.service, sizeof(o.service), "web");
	assert_true(override_ok(&o));
	snprintf(o.service, sizeof(o.service), "we\x1b");
	assert_false(override_ok(&o));
	o = fine;
	snprintf(o.operation, sizeof(o.operation), "D1");
	assert_false(override_ok(&o));
	o = fine;
	o.until_ms = NOW_MS + 1000; /* it would return while its operation holds */
	assert_false(override_ok(&o));
	o.ended = true;
	assert_true(override_ok(&o));
	o.ended = false;
	o.operation[0] = '\0';
	assert_false(override_ok(&o)); /* an epoch of no operation */
	o.epoch = 0;
	assert_false(override_ok(&o)); /* and a step */
	o.step = 0;
	assert_true(override_ok(&o)); /* a person's may return by the clock */
	o.prior = o.generation - 1;
	assert_true(override_ok(&o));
	o.prior = o.generation; /* it cannot have changed itself */
	assert_false(override_ok(&o));
	o.prior = 0;
	o.generation = END - 1;
	assert_true(override_ok(&o));
	o.generation = END;
	assert_false(override_ok(&o));
	o = fine;
	o.epoch = 0; /* an operation without an epoch */
	assert_false(override_ok(&o));
}

static void what_is_no_step_has_nothing_of_one(void **state)
{
	struct override fine = make_step(0, 0, 0, 0), o;

	(void)state;
	fine.is_step = false;
	fine.operation[0] = '\0';
	assert_true(override_ok(&fine));
	o = fine;
	o.to_ppm = 1;
	assert_false(override_ok(&o));
	o = fine;
	o.late_from_ms = 1;
	assert_false(override_ok(&o));
	o = fine;
	o.service[0] = 'w';
	assert_false(override_ok(&o));
	o = fine;
	o.operation[0] = 'd';
	assert_false(override_ok(&o));
}

static void a_step_is_called_by_what_it_does(void **state)
{
	static const struct {
		const char *why;
		uint32_t from, to;
		int64_t over, at;
		bool operation;
		const char *state;
		uint32_t level;
	} rows[] = {
		{ "to come", 0, 100000, 0, -1, true, "scheduled", 0 },
		{ "the next to come", 100000, 250000, 0, -1, true, "ramping", 100000 },
		{ "on its way", 0, 100000, 1000, 500, true, "ramping", 50000 },
		{ "there, and more to come", 0, 100000, 1000, 1000, true, "shifted", 100000 },
		{ "all of it", 750000, 1000000, 0, 0, true, "drained", 1000000 },
		{ "a person holds it", 250000, 250000, 0, 9, false, "held", 250000 },
		{ "on its way back", 1000000, 750000, 1000, 500, true, "returning", 875000 },
		{ "a step back", 1000000, 750000, 1000, 9000, true, "returning", 750000 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct override o = make_step(1, 1, rows[i].from, rows[i].to);
		struct overrides set = { .items = &o, .n_items = 1 };

		print_message("  %s\n", rows[i].why);
		o.over_ms = rows[i].over;
		if (!rows[i].operation) {
			o.operation[0] = '\0';
			o.epoch = o.step = 0;
		}
		assert_string_equal(overrides_state(&set, &o, NOW_MS + rows[i].at), rows[i].state);
		assert_int_equal(overrides_level(&set, &o, NOW_MS + rows[i].at), rows[i].level);
		o.level_known = true; /* weir-dns says otherwise */
		o.level_ppm = 777777;
		assert_int_equal(overrides_level(&set, &o, NOW_MS + rows[i].at), 777777);
		o.ended = true;
		assert_int_equal(overrides_level(&set, &o, NOW_MS + rows[i].at), 0);
		assert_string_equal(overrides_state(&set, &o, NOW_MS + rows[i].at), "done");
	}
}

/* A site and a service there, or two services, are different targets: none ends the other. */
static void a_service_is_a_target_of_its_own(void **state)
{
	struct override site = make_step(1, 1, 0, 1), web = site, mail = site;

	(void)state;
	snprintf(web.service, sizeof(web.service), "web");
	snprintf(mail.service, sizeof(mail.service), "mail");
	assert_false(override_same_target(&site, &web));
	assert_false(override_same_target(&mail, &web));
	assert_true(override_same_target(&web, &web));
}

/* What the store has after it was closed and opened again. */
static void read_back(const struct fixture *f, struct overrides *out)
{
	char reason[EVENT_TEXT_MAX];
	struct store *s;

	*out = (struct overrides){ 0 };
	assert_int_equal(store_open(f->state, &s, reason), 0);
	assert_int_equal(store_overrides(s, out, NOW_MS), 0);
	store_close(s);
}

static void put_overrides(const struct fixture *f, struct override *list, size_t n)
{
	const struct overrides set = { .items = list, .n_items = n };
	char reason[EVENT_TEXT_MAX];
	struct store *s;

	assert_int_equal(store_open(f->state, &s, reason), 0);
	assert_int_equal(store_put_overrides(s, &set), 0);
	store_close(s);
}

static void put_one(const struct fixture *f, const struct override *o)
{
	char reason[EVENT_TEXT_MAX];
	struct store *s;

	assert_int_equal(store_open(f->state, &s, reason), 0);
	assert_int_equal(store_put_some(s, o, 1), 0);
	store_close(s);
}

static void run_sql(const struct fixture *f, const char *text)
{
	char path[PATH_MAX];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/store/store.db", f->state);
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void a_step_comes_back_from_the_store_with_each_field(void **state)
{
	struct fixture f;
	struct override list[] = { make_step(4, 3, 1, 999999), make_step(1, 1, 0, 1000000) };
	struct overrides got;

	(void)state;
	fixture_make(&f);
	list[0].late_from_ms = NOW_MS + 5;
	list[0].over_ms = 1234;
	snprintf(list[0].service, sizeof(list[0].service), "web");
	snprintf(list[0].principal, sizeof(list[0].principal), "token:x");
	snprintf(list[1].id, sizeof(list[1].id), "d1-2");
	put_overrides(&f, list, 2);
	read_back(&f, &got);
	assert_int_equal(got.n_items, 2);
	assert_memory_equal(got.items, list, sizeof(list));
	overrides_fini(&got);
	list[1].to_ppm = 990000; /* its return begins */
	list[1].step++;
	put_one(&f, &list[1]);
	list[0].ended = true; /* it ends */
	list[0].generation++;
	put_one(&f, &list[0]);
	read_back(&f, &got);
	assert_int_equal(got.n_items, 2);
	assert_memory_equal(got.items, list, sizeof(list));
	overrides_fini(&got);
	list[1].is_step = false; /* a person's */
	list[1].to_ppm = 0;
	memset(list[1].operation, 0, sizeof(list[1].operation));
	list[1].epoch = list[1].step = 0;
	list[1].generation++;
	put_one(&f, &list[1]);
	read_back(&f, &got);
	assert_int_equal(got.n_items, 2);
	assert_memory_equal(got.items, list, sizeof(list));
	overrides_fini(&got);
	fixture_remove(&f);
}

static void a_drill_comes_back_from_the_store(void **state)
{
	struct fixture f;
	struct override o = { .id = "d1-1",
		              .kind = MODEL_OVERRIDE_DRILL,
		              .name = "ams",
		              .generation = 1,
		              .created_ms = NOW_MS,
		              .from_ms = NOW_MS,
		              .until_ms = NOW_MS + 600000,
		              .service = "web",
		              .author = "ann",
		              .reason = "why",
		              .node = "fra-1",
		              .principal = "token:x" };
	struct overrides got;

	(void)state;
	assert_int_equal(prefix_parse("198.51.100.0/24", &o.clients), 0);
	fixture_make(&f);
	put_overrides(&f, &o, 1);
	o.ended = true;
	o.generation++;
	put_one(&f, &o);
	read_back(&f, &got);
	assert_int_equal(got.n_items, 1);
	assert_memory_equal(got.items, &o, sizeof(o));
	overrides_fini(&got);
	fixture_remove(&f);
}

static void a_damaged_step_comes_into_force_nowhere(void **state)
{
	static const char *const damage[][2] = {
		{ "to_ppm", "1000001" },  { "to_ppm", "-1" },        { "to_ppm", "4294967296" },
		{ "late_from_ms", "-5" }, { "service", "'A B'" },    { "operation", "'/'" },
		{ "until_ms", "5" },      { "kind", "'disable'" },   { "target", "'node'" },
		{ "service", "7" },       { "generation", "1<<53" }, { "is_step", "json('false')" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(damage); i++) {
		struct override o = make_step(2, 2, 0, 100000);
		struct overrides got = { 0 };
		char reason[EVENT_TEXT_MAX], text[128];
		struct fixture f;
		struct store *s;

		fixture_make(&f);
		put_overrides(&f, &o, 1);
		snprintf(text, sizeof(text), "UPDATE overrides SET text=json_set(text, '$.%s', %s)",
		         damage[i][0], damage[i][1]);
		run_sql(&f, text);
		assert_int_equal(store_open(f.state, &s, reason), 0);
		if (store_overrides(s, &got, NOW_MS) != -EBADMSG)
			fail_msg("taken: %s", text);
		store_close(s);
		overrides_fini(&got);
		fixture_remove(&f);
	}
}

SUITE(step)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_are_in_the_order_of_their_parts),
		cmocka_unit_test(nodes_agree_on_steps_in_any_order),
		cmocka_unit_test(each_field_of_a_step_counts_in_the_digest),
		cmocka_unit_test(each_field_of_a_drill_counts_in_the_digest),
		cmocka_unit_test(what_may_be_in_a_step_is_limited),
		cmocka_unit_test(what_is_no_step_has_nothing_of_one),
		cmocka_unit_test(a_step_is_called_by_what_it_does),
		cmocka_unit_test(a_service_is_a_target_of_its_own),
		cmocka_unit_test(a_step_comes_back_from_the_store_with_each_field),
		cmocka_unit_test(a_drill_comes_back_from_the_store),
		cmocka_unit_test(a_damaged_step_comes_into_force_nowhere),
	};

	return cmocka_run_group_tests_name("mgmt step", tests, NULL, NULL);
}
