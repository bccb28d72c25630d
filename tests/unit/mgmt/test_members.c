/* SPDX-License-Identifier: BSD-2-Clause */
/* Members that programs register: their instants and sets, what is refused, and the pace at which they are written. */
#include "fixture.h"

#include "base/arena.h"
#include "base/hash.h"
#include "mgmt/overrides/compose.h"
#include "mgmt/overrides/member_entry.h"
#include "mgmt/overrides/member_pace.h"
#include "mgmt/peers/member_words.h"
#include "tests/unit/suite.h"

#define SETTLE_MS 10000
#define T0        ((int64_t)1000000) /* on the grid */

static struct model_backend own_backends[2];
static struct prefix prefixes[1];
static struct model_pool pool;
static struct model model;

static struct addr address_of(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static void make_pool(uint32_t max_backends)
{
	assert_int_equal(prefix_parse("10.1.0.0/16", &prefixes[0]), 0);
	for (size_t i = 0; i < 2; i++) {
		struct addr a = address_of(i ? "10.1.1.2" : "10.1.1.1");

		own_backends[i] = (struct model_backend){ .name = i ? "b2" : "b1",
			                                  .address = a,
			                                  .id = model_backend_id(&a, 0),
			                                  .weight = 100,
			                                  .pool = &pool };
	}
	pool = (struct model_pool){ .name = "p",
		                    .settle_ms = SETTLE_MS,
		                    .max_backends = max_backends,
		                    .backends = own_backends,
		                    .n_backends = 2,
		                    .prefixes = prefixes,
		                    .n_prefixes = 1 };
	model = (struct model){ .pools = &pool, .n_pools = 1 };
}

static void put_member(struct member_list *all, const char *id, const char *address,
                       int64_t from_ms, uint32_t weight)
{
	struct member m = { .since_ms = from_ms, .revision = 7 };

	snprintf(m.pool, sizeof(m.pool), "p");
	snprintf(m.id, sizeof(m.id), "%s", id);
	m.address = (struct prefix){ .addr = address_of(address), .bits = 32 };
	member_set_weight(&m, weight, from_ms);
	assert_int_equal(members_put(all, &m), 0);
}

static struct member *member_of(struct member_list *all, const char *id)
{
	return (struct member *)(uintptr_t)members_find(all, "p", id);
}

static const struct model_pool *compose_at(const struct member_list *all, int64_t now_ms,
                                           struct arena *arena)
{
	static struct model out;
	static const struct overrides none;
	const struct compose_version v = { &model, T0 - 100000, T0 - 100000 };
	const struct compose_input in = { .versions = &v,
		                          .n_versions = 1,
		                          .overrides = &none,
		                          .members = all,
		                          .now_ms = now_ms };

	assert_int_equal(compose_document(&in, arena, &out), 0);
	return &out.pools[0];
}

static uint32_t weight_in_set(const struct model_set *s, const char *address)
{
	struct addr a = address_of(address);

	for (size_t i = 0; i < s->n_members; i++)
		if (addr_equal(&s->members[i].address, &a))
			return s->members[i].weight;
	return UINT32_MAX;
}

static void instants_lie_on_a_grid_two_seconds_ahead(void **state)
{
	(void)state;
	assert_int_equal(member_instant_ms(T0, 2000), T0 + 2000);
	assert_int_equal(member_instant_ms(T0 + 1, 2000), T0 + 2500);
	assert_int_equal(member_instant_ms(T0 + 499, 2000), T0 + 2500);
	assert_int_equal(member_instant_ms(T0 + 500, 2000), T0 + 2500);
}

static void a_member_has_its_weights_by_their_instants(void **state)
{
	struct member m = { .since_ms = T0 };

	(void)state;
	for (uint32_t i = 0; i < 6; i++)
		member_set_weight(&m, i + 1, T0 + 1000 * (int64_t)i);
	assert_int_equal(m.n_from, MEMBER_INSTANTS_MAX);
	assert_int_equal(member_weight_at(&m, T0 - 1), -1);
	assert_int_equal(member_weight_at(&m, T0), 3); /* the first that is known */
	assert_int_equal(member_weight_at(&m, T0 + 3999), 4);
	assert_int_equal(member_weight_at(&m, T0 + 9000), 6);
	member_set_weight(&m, 9, T0 + 5000); /* in the same half second */
	assert_int_equal(m.n_from, MEMBER_INSTANTS_MAX);
	assert_int_equal(member_weight(&m), 9);
	assert_int_equal(m.from_ms[2], T0 + 4000);
	member_leave(&m, T0 + 6000, SETTLE_MS);
	assert_int_equal(member_weight(&m), 0);
	assert_int_equal(member_weight_at(&m, T0 + 5999), 9);
	assert_int_equal(member_weight_at(&m, T0 + 6000), 0);
	assert_int_equal(member_weight_at(&m, T0 + 6000 + SETTLE_MS), -1);
	member_stay(&m, 5, T0 + 8000);
	assert_int_equal(member_weight_at(&m, T0 + 7000), 0);
	assert_int_equal(member_weight_at(&m, T0 + 8000), 5);
}

static void a_member_is_a_backend_and_in_the_sets(void **state)
{
	struct arena *arena = arena_new(1 << 24);
	struct member_list all = { 0 };
	const struct model_pool *p;

	(void)state;
	make_pool(10);
	put_member(&all, "a1", "10.1.2.1", T0, 50);
	p = compose_at(&all, T0 - 1000, arena);
	assert_int_equal(p->n_backends, 3);
	assert_string_equal(p->backends[0].name, "a1");
	assert_true(p->backends[0].registered);
	assert_false(p->backends[1].registered);
	assert_ptr_equal(p->backends[0].pool, p);
	assert_int_equal(p->n_member_sets, 2);
	assert_int_equal(weight_in_set(&p->member_sets[0], "10.1.2.1"), UINT32_MAX);
	assert_int_equal(p->member_sets[1].from_ms, T0);
	assert_int_equal(weight_in_set(&p->member_sets[1], "10.1.2.1"), 50);
	member_leave(member_of(&all, "a1"), T0 + 5000, SETTLE_MS);
	p = compose_at(&all, T0 + 5000, arena);
	assert_int_equal(p->n_backends, 3);
	assert_int_equal(p->backends[0].weight, 0);
	assert_int_equal(p->member_sets[p->n_member_sets - 1].from_ms, T0 + 5000);
	assert_int_equal(weight_in_set(&p->member_sets[p->n_member_sets - 1], "10.1.2.1"), 0);
	p = compose_at(&all, T0 + 5000 + SETTLE_MS, arena);
	assert_int_equal(p->n_backends, 2);
	assert_int_equal(weight_in_set(&p->member_sets[p->n_member_sets - 1], "10.1.2.1"),
	                 UINT32_MAX);
	members_fini(&all);
	arena_free(arena);
}

/* What came within half a second is one set. */
static void many_changes_are_few_sets(void **state)
{
	struct arena *arena = arena_new(1 << 26);
	struct member_list all = { 0 };
	const struct model_pool *p;

	(void)state;
	make_pool(1000);
	for (unsigned i = 0; i < 600; i++) {
		char id[16], address[32];

		snprintf(id, sizeof(id), "m%u", i);
		snprintf(address, sizeof(address), "10.1.%u.%u", 10 + i / 200, i % 200 + 1);
		put_member(&all, id, address, member_instant_ms(T0 - 2000 + 5 * (int64_t)i, 2000),
		           100);
	}
	p = compose_at(&all, T0 + 10000, arena);
	assert_int_equal(p->n_backends, 602);
	assert_in_range(p->n_member_sets, 2, 5);
	assert_int_equal(p->member_sets[p->n_member_sets - 1].n_members, 602);
	members_fini(&all);
	arena_free(arena);
}

static void what_does_not_fit_is_left_out_the_same_everywhere(void **state)
{
	struct arena *arena = arena_new(1 << 24);
	struct member_list all = { 0 };
	const struct model_pool *p;

	(void)state;
	make_pool(4);
	put_member(&all, "z-first", "10.1.2.1", T0 - 5000, 1);
	put_member(&all, "y-twice", "10.1.2.1", T0 - 4000, 1); /* the address of one before it */
	put_member(&all, "b1", "10.1.2.3", T0 - 4000, 1);      /* the name of a backend */
	put_member(&all, "own", "10.1.1.2", T0 - 4000, 1);     /* the address of one */
	put_member(&all, "outside", "10.2.0.1", T0 - 4000, 1);
	put_member(&all, "second", "10.1.2.4", T0 - 3000, 1);
	put_member(&all, "a-third", "10.1.2.5", T0 - 2000, 1); /* too many */
	p = compose_at(&all, T0, arena);
	assert_int_equal(p->n_backends, 4);
	assert_string_equal(p->backends[2].name, "second");
	assert_string_equal(p->backends[3].name, "z-first");
	assert_int_equal(p->member_sets[p->n_member_sets - 1].n_members, 4);
	members_fini(&all);
	arena_free(arena);
}

/* A version with a longer settle_time, or a pool that is made again. */
static void who_is_gone_stays_gone_when_settle_time_grows(void **state)
{
	struct arena *arena = arena_new(1 << 24);
	struct member_list all = { 0 };
	const struct model_pool *p;

	(void)state;
	make_pool(4);
	put_member(&all, "old1", "10.1.2.1", T0 - 50000, 1);
	put_member(&all, "old2", "10.1.2.2", T0 - 50000, 1);
	member_leave(member_of(&all, "old1"), T0 - 30000, SETTLE_MS);
	member_leave(member_of(&all, "old2"), T0 - 30000, SETTLE_MS);
	put_member(&all, "new1", "10.1.2.3", T0 - 10000, 1);
	put_member(&all, "new2", "10.1.2.4", T0 - 10000, 1);
	pool.settle_ms = 900000;
	p = compose_at(&all, T0, arena);
	assert_int_equal(p->n_backends, 4);
	assert_string_equal(p->backends[2].name, "new1");
	assert_string_equal(p->backends[3].name, "new2");
	members_fini(&all);
	arena_free(arena);
}

/* Fewer have room by a new version. */
static void nobody_is_left_out_for_one_that_leaves(void **state)
{
	struct arena *arena = arena_new(1 << 24);
	struct member_list all = { 0 };
	const struct model_pool *p;

	(void)state;
	make_pool(3);
	put_member(&all, "old", "10.1.2.1", T0 - 50000, 1);
	put_member(&all, "new", "10.1.2.2", T0 - 40000, 1);
	member_leave(member_of(&all, "old"), T0, SETTLE_MS);
	p = compose_at(&all, T0 - 1, arena);
	assert_int_equal(p->n_backends, 3);
	assert_string_equal(p->backends[2].name, "old");
	p = compose_at(&all, T0, arena);
	assert_int_equal(p->n_backends, 3);
	assert_string_equal(p->backends[2].name, "new");
	members_fini(&all);
	arena_free(arena);
}

/* A stranger's record, or one of a clock that was wrong. */
static void a_record_that_is_gone_before_it_leaves_is_none(void **state)
{
	static const char format[] =
	        "{\"address\": \"10.1.2.1/32\", \"ttl_s\": 0, \"since_ms\": 1, \"left_ms\": %d, "
	        "\"gone_ms\": %d, \"from_ms\": [1], \"weights\": [1], \"labels\": \"\", "
	        "\"principal\": \"x\"}";
	static const struct {
		int left_ms, gone_ms;
		bool is_one;
	} cases[] = {
		{ 0, 0, true }, { 5, 5, true }, { 5, 9, true }, { 5, 4, false }, { 0, 9, false }
	};
	struct member m;
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text), format, cases[i].left_ms, cases[i].gone_ms);
		assert_int_equal(member_read("member/p/a", text, 1, &m), cases[i].is_one);
	}
}

static struct member_entry make_entry(const char *id, const char *address, uint32_t weight)
{
	struct member_entry e = { .leaves = !address, .weight = weight };

	snprintf(e.id, sizeof(e.id), "%s", id);
	if (address)
		e.address = address_of(address);
	return e;
}

static int judge_entries(const struct member_list *all, struct member_entry *list, size_t n,
                         struct member_refused *refused)
{
	const struct member_judging by = { .pool = &pool,
		                           .members = all,
		                           .now_ms = T0,
		                           .at_ms = T0 + 2000,
		                           .principal = "token:sync" };

	*refused = (struct member_refused){ .i = 0 };
	return member_entries_judge(&by, list, n, refused);
}

static void each_entry_has_its_outcome(void **state)
{
	struct member_list all = { 0 };
	struct member_refused refused;
	struct member_entry list[] = {
		make_entry("new", "10.1.3.1", 5),   make_entry("same", "10.1.2.1", 50),
		make_entry("other", "10.1.2.2", 7), make_entry("goes", NULL, 0),
		make_entry("nobody", NULL, 0),      make_entry("back", "10.1.2.4", 9),
		make_entry("heir", "10.1.2.5", 3),
	};
	static const enum member_outcome outcomes[] = { MEMBER_JOINS,   MEMBER_RENEWED,
		                                        MEMBER_CHANGES, MEMBER_LEAVES,
		                                        MEMBER_ABSENT,  MEMBER_JOINS,
		                                        MEMBER_JOINS };

	(void)state;
	make_pool(20);
	put_member(&all, "same", "10.1.2.1", T0 - 5000, 50);
	put_member(&all, "other", "10.1.2.2", T0 - 5000, 50);
	put_member(&all, "goes", "10.1.2.3", T0 - 5000, 50);
	put_member(&all, "back", "10.1.2.4", T0 - 5000, 50);
	put_member(&all, "left", "10.1.2.5", T0 - 5000, 50);
	member_leave(member_of(&all, "back"), T0 - 1000, SETTLE_MS);
	member_leave(member_of(&all, "left"), T0 - 1000, SETTLE_MS);
	assert_int_equal(judge_entries(&all, list, 7, &refused), 0);
	for (size_t i = 0; i < 7; i++) {
		assert_int_equal(list[i].outcome, outcomes[i]);
		assert_int_equal(list[i].writes, i != 1 && i != 4);
	}
	assert_int_equal(list[2].member.revision, 7);
	assert_int_equal(member_weight_at(&list[2].member, T0 + 1999), 50);
	assert_int_equal(member_weight_at(&list[2].member, T0 + 2000), 7);
	assert_int_equal(list[3].member.left_ms, T0 + 2000);
	assert_int_equal(list[5].member.left_ms, 0);
	assert_int_equal(member_weight_at(&list[5].member, T0), 0);
	assert_string_equal(list[6].replaced, "left");
	assert_int_equal(list[6].replaced_revision, 7);
	assert_int_equal(member_weight_at(&list[6].member, T0 - 2000), 50);
	assert_int_equal(member_weight_at(&list[6].member, T0), 0);
	assert_int_equal(member_weight_at(&list[6].member, T0 + 2000), 3);
	members_fini(&all);
}

static void each_refusal_names_its_entry(void **state)
{
	static const struct {
		const char *id, *address;
		enum member_refusal reason;
		const char *text;
	} cases[] = {
		{ "x", "10.2.0.1", MEMBER_IS_INVALID, "10.2.0.1 is none of registration.prefixes" },
		{ "b1", "10.1.2.9", MEMBER_IS_IN_USE, "has a backend b1" },
		{ "x", "10.1.1.2", MEMBER_IS_IN_USE, "backend b2" },
		{ "x", "10.1.2.1", MEMBER_IS_IN_USE, "member a" },
		{ "a", "10.1.2.9", MEMBER_IS_IN_USE, "has the address 10.1.2.1" },
		{ "ok", "10.1.2.9", MEMBER_IS_TWICE, "is given twice: ok" },
		{ "x", "10.1.2.8", MEMBER_IS_TWICE, "also the address of ok" },
		{ "x", "10.1.2.9", MEMBER_IS_TOO_MUCH, "max_backends 4" },
	};
	struct member_list all = { 0 };
	struct member_refused refused;

	(void)state;
	make_pool(4);
	put_member(&all, "a", "10.1.2.1", T0 - 5000, 50);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct member_entry list[] = { make_entry("ok", "10.1.2.8", 1),
			                       make_entry(cases[i].id, cases[i].address, 1) };

		print_message("  %s\n", cases[i].text);
		assert_int_equal(judge_entries(&all, list, 2, &refused), -EINVAL);
		assert_int_equal(refused.reason, cases[i].reason);
		assert_int_equal(refused.i, 1);
		assert_non_null(strstr(refused.text, cases[i].text));
	}
	members_fini(&all);
}

/* Registrations at two nodes at one moment were both written. */
static void who_is_in_force_renews_and_who_is_left_out_is_told(void **state)
{
	static const struct {
		const char *id, *address;
		enum member_refusal reason;
		const char *text;
	} cases[] = {
		{ "first", "10.1.2.1", MEMBER_NOT_REFUSED, "" },
		{ "later", "10.1.2.1", MEMBER_IS_IN_USE, "member first" },
		{ "second", "10.1.2.2", MEMBER_NOT_REFUSED, "" },
		{ "third", "10.1.2.3", MEMBER_IS_TOO_MUCH, "third came later" },
	};
	struct member_list all = { 0 };
	struct member_refused refused;

	(void)state;
	make_pool(4);
	put_member(&all, "first", "10.1.2.1", T0 - 5000, 50);
	put_member(&all, "later", "10.1.2.1", T0 - 4000, 50);
	put_member(&all, "second", "10.1.2.2", T0 - 3000, 50);
	put_member(&all, "third", "10.1.2.3", T0 - 2000, 50);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct member_entry entry = make_entry(cases[i].id, cases[i].address, 50);
		int err = judge_entries(&all, &entry, 1, &refused);

		print_message("  %s\n", cases[i].id);
		assert_int_equal(err, cases[i].reason ? -EINVAL : 0);
		assert_int_equal(refused.reason, cases[i].reason);
		if (err)
			assert_non_null(strstr(refused.text, cases[i].text));
		else
			assert_int_equal(entry.outcome, MEMBER_RENEWED);
	}
	members_fini(&all);
}

static void the_last_backend_is_guarded_over_all_entries(void **state)
{
	const struct guard_observed nothing = { .health = NULL };
	static const struct overrides none;
	struct guard_result r = { .n_verdicts = 0 };
	struct model_backend backends[2];
	struct member_entry list[] = { make_entry("b1", NULL, 0), make_entry("b2", "10.1.1.2", 0),
		                       make_entry("new", "10.1.3.1", 5) };
	const struct member_entry again = make_entry("b2", NULL, 0);
	static const bool drained[] = { false, true };

	(void)state;
	make_pool(10);
	memcpy(backends, own_backends, sizeof(backends));
	backends[0].registered = backends[1].registered = true;
	pool.backends = backends;
	assert_int_equal(member_entries_guard(&pool, &none, NULL, list, 1, &nothing, T0, &r), 0);
	assert_true(r.n_verdicts == 1 && r.verdicts[0].ok);
	assert_int_equal(member_entries_guard(&pool, &none, NULL, list, 2, &nothing, T0, &r), 0);
	assert_true(r.n_verdicts == 1 && !r.verdicts[0].ok);
	assert_int_equal(member_entries_guard(&pool, &none, NULL, list, 3, &nothing, T0, &r), 0);
	assert_true(r.n_verdicts == 1 && r.verdicts[0].ok);
	assert_int_equal(member_entries_guard(&pool, &none, NULL, list + 2, 1, &nothing, T0, &r),
	                 0);
	assert_int_equal(r.n_verdicts, 0); /* nothing goes */
	assert_int_equal(member_entries_guard(&pool, &none, drained, list, 1, &nothing, T0, &r), 0);
	assert_true(r.n_verdicts == 1 && !r.verdicts[0].ok); /* the other one goes already */
	assert_int_equal(member_entries_guard(&pool, &none, drained, &again, 1, &nothing, T0, &r),
	                 0);
	assert_int_equal(r.n_verdicts, 0);
}

static void the_longest_record_fits(void **state)
{
	struct member m = { .ttl_s = MEMBER_TTL_MOST_S,
		            .since_ms = 1,
		            .left_ms = T0 * 1700000,
		            .gone_ms = T0 * 1700000 };
	char name[MODEL_NAME_MAX * 2 + 16];
	struct member back;

	(void)state;
	memset(m.pool, 'p', sizeof(m.pool) - 1);
	memset(m.id, 'i', sizeof(m.id) - 1);
	m.address.addr = address_of("2001:db8:1111:2222:3333:4444:5555:6666");
	m.address.bits = 128;
	for (uint32_t i = 0; i < 4; i++)
		member_set_weight(&m, MEMBER_WEIGHT_MAX, T0 * 1700000 + i);
	memset(m.labels, 'l', sizeof(m.labels) - 1);
	memset(m.principal, 'p', sizeof(m.principal) - 1);
	char *text = record_to_text(&member_record, &m);
	assert_non_null(text);
	/* with the id of the change that wrote it */
	assert_true(strlen(text) + strlen(",\"change\":\"\"") + 33 <= MEMBER_RECORD_MAX);
	member_record_name(m.pool, m.id, name, sizeof(name));
	assert_true(member_read(name, text, 5, &back));
	assert_string_equal(back.id, m.id);
	assert_int_equal(back.from_ms[3], m.from_ms[3]);
	assert_int_equal(back.revision, 5);
	assert_false(member_read("member/p", text, 5, &back));
	assert_false(member_read("member/p/-x", text, 5, &back));
	assert_false(member_read(name, "{}", 5, &back));
	free(text);
}

/* What one node heard of, another knows with its age, and what comes later counts. */
static void renewals_are_words_of_nine_letters(void **state)
{
	struct member_list here = { 0 }, there = { 0 };
	struct member_heard *heard = NULL;
	size_t n = 0;

	(void)state;
	put_member(&here, "a", "10.1.2.1", T0, 1);
	put_member(&here, "b", "10.1.2.2", T0, 1);
	put_member(&here, "c", "10.1.2.3", T0, 1);
	put_member(&there, "a", "10.1.2.1", T0, 1);
	for (size_t i = 0; i < here.n; i++)
		here.items[i]->ttl_s = 30;
	here.items[0]->renewed_ms = 100000;
	here.items[1]->renewed_ms = 100000 - MEMBER_WORDS_MS; /* said often enough */
	json_t *words = member_words_to_json(&here, 100900);
	assert_non_null(words);
	assert_int_equal(strlen(json_string_value(json_object_get(words, "renewed"))), 9);
	assert_int_equal(member_words_read(words, 500000, &heard, &n), 0);
	assert_int_equal(n, 1);
	assert_true(heard[0].key == there.items[0]->key);
	assert_int_equal(heard[0].heard_ms, 499000); /* never younger than it can be */
	free(heard);
	json_decref(words);
	static const char *const bad[] = { "AAAAAAAA", "AAAAAAAA!", "AAAAAAAAAA", "AAAA AAAA" };
	for (size_t i = 0; i < 4; i++) {
		words = json_pack("{s:s}", "renewed", bad[i]);
		assert_int_equal(member_words_read(words, 500000, &heard, &n), -EINVAL);
		json_decref(words);
	}
	words = json_object();
	assert_int_equal(member_words_read(words, 500000, &heard, &n), -EINVAL);
	json_decref(words);
	members_fini(&here);
	members_fini(&there);
}

/* A clock that was an hour ahead wrote it, or goes back while it is known. */
static void what_a_wrong_clock_wrote_begins_now(void **state)
{
	struct member m = { .since_ms = T0 };

	(void)state;
	member_set_weight(&m, 1, T0);
	member_set_weight(&m, 2, T0 + 3600000);
	member_set_weight(&m, 3, T0 + 3700000);
	member_leave(&m, T0 + 3800000, SETTLE_MS);
	member_begin_now(&m, T0 + 7000, T0 + 3750000, T0 + 100);
	assert_int_equal(m.n_from, 2);
	assert_int_equal(m.n_weights, 2);
	assert_int_equal(m.from_ms[1], T0 + 100);
	assert_int_equal(m.weights[1], 3);
	assert_int_equal(m.since_ms, T0);
	assert_int_equal(m.left_ms, T0 + 3800000);
	member_begin_now(&m, T0 + 7000, INT64_MAX, T0 + 200);
	assert_int_equal(m.left_ms, T0 + 200);
	assert_int_equal(m.gone_ms, T0 + 200 + SETTLE_MS);
	member_begin_now(&m, T0 - 5000, T0 + 7000, T0 - 5000);
	assert_int_equal(m.since_ms, T0 - 5000);
	assert_int_equal(m.n_from, 1);
	assert_int_equal(m.weights[0], 3);
}

static void a_ttl_ends_when_no_word_can_be_under_way(void **state)
{
	struct member m = { .ttl_s = 5, .heard_ms = 100000 };

	(void)state;
	assert_false(member_is_expired(&m, 99000));
	assert_false(member_is_expired(&m, 105000 + MEMBER_GRACE_MS));
	assert_true(member_is_expired(&m, 105001 + MEMBER_GRACE_MS));
	m.ttl_s = 0;
	assert_false(member_is_expired(&m, 900000000));
}

#define NODES_MAX 24
#define NODES     3 /* that rows are about */
#define STEP_MS   10

/* Nodes that hear each other at once. */
struct pace_world {
	struct member_pace of[NODES_MAX];
	uint64_t now_ms;
};

/* For @p ms each node writes what it may of what it wants, a second. @param written  out: of each, a second */
static void write_for(struct pace_world *w, unsigned ms, const unsigned *wanted, unsigned *written)
{
	unsigned sum[NODES_MAX] = { 0 };
	double waits[NODES_MAX] = { 0 };

	for (unsigned at = 0; at < ms; at += STEP_MS, w->now_ms += STEP_MS)
		for (unsigned i = 0; i < NODES_MAX; i++) {
			waits[i] += wanted[i] * (STEP_MS / 1000.0);
			size_t most = member_pace_allows(&w->of[i], w->now_ms),
			       n = waits[i] < (double)most ? (size_t)waits[i] : most;

			if (!n)
				continue;
			waits[i] -= (double)n;
			sum[i] += (unsigned)n;
			member_pace_spend(&w->of[i], n, w->now_ms);
			for (unsigned k = 0; k < NODES_MAX; k++)
				if (k != i)
					member_pace_hear(&w->of[k], i + 1, n, w->now_ms);
		}
	for (unsigned i = 0; i < NODES_MAX; i++)
		written[i] = sum[i] * 1000 / ms;
}

static const struct pace_row {
	const char *why;
	unsigned wanted[NODES_MAX], least[NODES]; /* a second */
	unsigned others;                          /* that want one each */
} pace_rows[] = {
	{ "one alone", { 1000, 0, 0 }, { 255, 0, 0 }, 0 },
	{ "one beside two that write little", { 1000, 7, 7 }, { 200, 6, 6 }, 0 },
	{ "all", { 1000, 1000, 1000 }, { 84, 84, 84 }, 0 },
	{ "two share what the third leaves", { 1000, 1000, 7 }, { 110, 110, 6 }, 0 },
	{ "each has what it needs", { 150, 40, 20 }, { 120, 39, 19 }, 0 },
	{ "and again one", { 1000, 7, 7 }, { 200, 6, 6 }, 0 },
	{ "one of many", { 1000, 1, 1 }, { 160, 0, 0 }, 21 },
};

static void nodes_share_256_records_a_second(void **state)
{
	struct pace_world w = { .now_ms = 1000000 };
	unsigned written[NODES_MAX], sum;

	(void)state;
	for (size_t row = 0; row < sizeof(pace_rows) / sizeof(pace_rows[0]); row++) {
		struct pace_row rowed = pace_rows[row], *r = &rowed;

		for (unsigned i = 0; i < r->others; i++)
			r->wanted[NODES + i] = 1;

		print_message("  %s\n", r->why);
		/* the bursts of all, and a second in which they do not know */
		write_for(&w, 2000, r->wanted, written);
		assert_in_range(written[0] + written[1] + written[2], 0, 256 + 128 + 150);
		write_for(&w, 10000, r->wanted, written);
		for (unsigned i = 0; i < NODES; i++)
			assert_in_range(written[i], r->least[i], r->wanted[i]);
		sum = 0;
		for (unsigned i = 0; i < NODES_MAX; i++)
			sum += written[i];
		assert_in_range(sum, 0, 264);
	}
}

static void how_long_records_wait_is_told(void **state)
{
	struct member_pace p = { .used_milli = 0 };
	uint64_t now_ms = 1000000;

	(void)state;
	assert_int_equal(member_pace_wait_ms(&p, 0, 0, now_ms), 0);
	for (unsigned i = 1; i <= 2; i++)
		member_pace_hear(&p, i, 100, now_ms);
	member_pace_spend(&p, MEMBER_PACE_BURST, now_ms);
	assert_in_range(member_pace_wait_ms(&p, 85, 765, now_ms), 9900, 10100); /* a third */
	now_ms += MEMBER_PACE_HEARD_MS;
	assert_in_range(member_pace_wait_ms(&p, 256, 100, now_ms), 900,
	                1100); /* nobody else, and the burst is there */
}

SUITE(members)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(instants_lie_on_a_grid_two_seconds_ahead),
		cmocka_unit_test(a_member_has_its_weights_by_their_instants),
		cmocka_unit_test(a_member_is_a_backend_and_in_the_sets),
		cmocka_unit_test(many_changes_are_few_sets),
		cmocka_unit_test(who_is_gone_stays_gone_when_settle_time_grows),
		cmocka_unit_test(nobody_is_left_out_for_one_that_leaves),
		cmocka_unit_test(a_record_that_is_gone_before_it_leaves_is_none),
		cmocka_unit_test(what_does_not_fit_is_left_out_the_same_everywhere),
		cmocka_unit_test(each_entry_has_its_outcome),
		cmocka_unit_test(who_is_in_force_renews_and_who_is_left_out_is_told),
		cmocka_unit_test(each_refusal_names_its_entry),
		cmocka_unit_test(the_last_backend_is_guarded_over_all_entries),
		cmocka_unit_test(the_longest_record_fits),
		cmocka_unit_test(renewals_are_words_of_nine_letters),
		cmocka_unit_test(what_a_wrong_clock_wrote_begins_now),
		cmocka_unit_test(a_ttl_ends_when_no_word_can_be_under_way),
		cmocka_unit_test(nodes_share_256_records_a_second),
		cmocka_unit_test(how_long_records_wait_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
