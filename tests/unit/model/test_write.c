/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <time.h>

#include <cmocka.h>

#include "fixture.h"
#include "tests/unit/suite.h"

#define ROUNDS 60

static struct model *read_it(int (*reader)(const char *, const char *, struct model **,
                                           struct model_errors *),
                             const char *name, const char *node)
{
	struct model *m = NULL;
	struct model_errors errors;
	int err = reader(fixture_path(name), node, &m, &errors);

	for (size_t i = 0; i < errors.n_items && i < 10; i++)
		print_message("  %s:%u: %s: %s\n", errors.items[i].file, errors.items[i].line,
		              errors.items[i].field, errors.items[i].message);
	assert_int_equal(err, 0);
	model_errors_free(&errors);
	return m;
}

static uint64_t seed;

static uint32_t draw_below(uint32_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % n;
}

static uint64_t draw_word(void)
{
	static const uint64_t edges[] = { 0,          1,
		                          UINT32_MAX, (uint64_t)UINT32_MAX + 1,
		                          INT64_MAX,  UINT64_MAX };

	return draw_below(2) ? edges[draw_below(6)]
	                     : (uint64_t)draw_below(1u << 31) << draw_below(33);
}

/* Times of the years that RFC 3339 can say, and never. */
static int64_t any_time(void)
{
	return draw_below(4) ? (int64_t)draw_below(2000000000) * 1000 + draw_below(1000)
	                     : MODEL_TIME_NEVER;
}

/* Any bytes but NUL. */
static const char *any_text(char text[40], size_t most)
{
	size_t n = draw_below((uint32_t)most + 1);

	for (size_t i = 0; i < n; i++)
		text[i] = (char)(1 + draw_below(255));
	text[n] = '\0';
	return text;
}

static int by_member_id(const void *a, const void *b)
{
	const struct model_member *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

struct made {
	struct model model;
	struct model_pool pools[2];
	struct model_set sets[2][MODEL_SETS_MAX + 1];
	struct model_member members[2][MODEL_SETS_MAX + 1][5];
	struct model_override overrides[6];
	char texts[6][3][40], ids[6][MODEL_ID_MAX];
};

static void make_sets(struct made *made, int pool)
{
	size_t n = 1 + draw_below(MODEL_SETS_MAX + 1);
	int64_t from = 0;

	for (size_t i = 0; i < n; i++) {
		struct model_set *set = &made->sets[pool][i];
		struct model_member *members = made->members[pool][i];

		from += draw_below(100000);
		*set = (struct model_set){ from, any_time(), members, draw_below(6) };
		for (size_t j = 0; j < set->n_members; j++) {
			uint8_t bytes[16] = { (uint8_t)(j + 1), (uint8_t)draw_below(256) };

			members[j].address = draw_below(2) ? addr_from4(bytes) : addr_from6(bytes);
			members[j].port = (uint16_t)draw_below(65536);
			members[j].weight = draw_below(65536);
			members[j].id = model_backend_id(&members[j].address, members[j].port);
		}
		qsort(members, set->n_members, sizeof(*members), by_member_id);
	}
	made->pools[pool].member_sets = made->sets[pool];
	made->pools[pool].n_member_sets = n;
}

static void make_override(struct made *made, size_t i)
{
	struct model_override *o = &made->overrides[i];
	bool backend = draw_below(2);

	snprintf(made->ids[i], MODEL_ID_MAX, "o%zu-%08x", i, draw_below(1u << 31));
	*o = (struct model_override){
		.id = made->ids[i],
		.kind = (enum model_override_kind)draw_below(4),
		.target = backend ? MODEL_TARGET_BACKEND : MODEL_TARGET_SITE,
		.pool = backend ? "web-ams" : "",
		.name = draw_below(2) ? "gone" : "ams",
		.generation = draw_word(),
		.created_ms = any_time(),
		.from_ms = any_time(),
		.over_ms = draw_below(100000000),
		.until_ms = any_time(),
		.from_ppm = draw_below(1000001),
		.ended = draw_below(2),
		.author = any_text(made->texts[i][0], 39),
		.reason = any_text(made->texts[i][1], 39),
		.node = any_text(made->texts[i][2], 39),
	};
	if (!draw_below(2) || backend)
		return;
	if (!draw_below(4)) {
		o->kind = MODEL_OVERRIDE_DRILL;
		o->service = draw_below(2) ? "web" : "";
		prefix_parse(draw_below(2) ? "198.51.100.0/24" : "2001:db8::/32", &o->clients);
		return;
	}
	o->kind = MODEL_OVERRIDE_DRAIN;
	o->is_step = true;
	o->to_ppm = draw_below(1000001);
	o->epoch = draw_below(UINT32_MAX);
	o->step = o->epoch ? draw_below(UINT32_MAX) : 0;
	o->service = draw_below(2) ? "web" : "";
	o->operation = draw_below(2) ? "d1-2" : "";
	o->late_from_ms = draw_below(2) ? any_time() : 0;
}

/* Change what an effective document has beyond a configuration. */
static void change_parts(struct made *made, const struct model *base)
{
	made->model = *base;
	made->model.meta = (struct model_meta){
		.version = draw_word(),
		.digest = "abc",
		.document = draw_word(),
		.written_ms = any_time(),
		.hash_key = "",
		.newest = draw_below(2) ? draw_word() : 0,
		.confirm_by_ms = draw_below(2) ? any_time() : 0,
		.back_version = draw_below(2) ? draw_word() : 0,
		.back_digest = draw_below(2) ? "def" : "",
		.back_hash_key = draw_below(2) ? "0123456789abcdef" : "",
	};
	for (int i = 0; i < 2; i++) {
		made->pools[i] = base->pools[i];
		make_sets(made, i);
	}
	made->model.pools = made->pools;
	made->model.n_overrides = draw_below(7);
	for (size_t i = 0; i < made->model.n_overrides; i++)
		make_override(made, i);
	made->model.overrides = made->overrides;
}

static void same_sets(const struct model_pool *a, const struct model_pool *b)
{
	assert_string_equal(a->name, b->name);
	assert_int_equal(a->n_member_sets, b->n_member_sets);
	for (size_t i = 0; i < a->n_member_sets; i++) {
		assert_true(a->member_sets[i].from_ms == b->member_sets[i].from_ms);
		assert_true(a->member_sets[i].until_ms == b->member_sets[i].until_ms);
		assert_int_equal(a->member_sets[i].n_members, b->member_sets[i].n_members);
		for (size_t j = 0; j < a->member_sets[i].n_members; j++) {
			const struct model_member *x = &a->member_sets[i].members[j],
			                          *y = &b->member_sets[i].members[j];

			assert_true(x->id == y->id && x->port == y->port && x->weight == y->weight);
			assert_true(addr_equal(&x->address, &y->address));
		}
	}
}

static void same_override(const struct model_override *a, const struct model_override *b)
{
	assert_string_equal(a->id, b->id);
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->target, b->target);
	assert_string_equal(a->pool, b->pool);
	assert_string_equal(a->name, b->name);
	assert_true(a->generation == b->generation);
	assert_true(a->created_ms == b->created_ms && a->from_ms == b->from_ms);
	assert_true(a->over_ms == b->over_ms && a->until_ms == b->until_ms);
	assert_int_equal(a->from_ppm, b->from_ppm);
	assert_int_equal(a->ended, b->ended);
	assert_string_equal(a->author, b->author);
	assert_string_equal(a->reason, b->reason);
	assert_string_equal(a->node, b->node);
	assert_int_equal(a->is_step, b->is_step);
	assert_int_equal(a->to_ppm, b->to_ppm);
	assert_int_equal(a->epoch, b->epoch);
	assert_int_equal(a->step, b->step);
	assert_string_equal(a->service ? a->service : "", b->service ? b->service : "");
	assert_string_equal(a->operation ? a->operation : "", b->operation ? b->operation : "");
	assert_true(a->late_from_ms == b->late_from_ms);
	assert_true(addr_equal(&a->clients.addr, &b->clients.addr));
	assert_int_equal(a->clients.bits, b->clients.bits);
}

static void expect_same(const struct model *a, const struct model *b)
{
	char *one = model_text(a), *two = model_text(b);

	assert_non_null(one);
	assert_non_null(two);
	assert_string_equal(one, two); /* all that a configuration says */
	free(one);
	free(two);
	assert_true(a->meta.version == b->meta.version && a->meta.document == b->meta.document);
	assert_true(a->meta.written_ms == b->meta.written_ms);
	assert_string_equal(a->meta.digest, b->meta.digest);
	assert_true(a->meta.newest == b->meta.newest &&
	            a->meta.confirm_by_ms == b->meta.confirm_by_ms &&
	            a->meta.back_version == b->meta.back_version);
	assert_string_equal(a->meta.back_digest, b->meta.back_digest);
	assert_string_equal(a->meta.back_hash_key, b->meta.back_hash_key);
	assert_true(a->hash_key[0] == b->hash_key[0] && a->hash_key[1] == b->hash_key[1]);
	assert_int_equal(a->n_pools, b->n_pools);
	for (size_t i = 0; i < a->n_pools; i++)
		same_sets(&a->pools[i], &b->pools[i]);
	assert_int_equal(a->n_overrides, b->n_overrides);
	for (size_t i = 0; i < a->n_overrides; i++)
		same_override(&a->overrides[i], &b->overrides[i]);
}

static void what_cannot_be_written_leaves_the_old_file(void **state)
{
	(void)state;
	struct stat st;

	fixture_write_text("weir.conf", fixture_config);
	struct model *m = read_it(model_read_config, "weir.conf", NULL);
	assert_int_equal(mkdir(fixture_path("taken"), 0700), 0);
	fixture_write_text("taken/inside", "kept");
	assert_true(model_write_effective(m, fixture_path("taken")) < 0);
	assert_int_equal(stat(fixture_path("taken/inside"), &st), 0);
	assert_int_equal(model_write_effective(m, fixture_path("none/effective.conf")), -ENOENT);
	model_free(m);
}

static void a_written_document_reads_back_the_same(void **state)
{
	(void)state;
	fixture_write_text("weir.conf", fixture_config);
	struct model *base = read_it(model_read_config, "weir.conf", NULL);
	static struct made made;

	for (seed = 1; seed < ROUNDS; seed++) {
		uint64_t this = seed;

		change_parts(&made, base);
		assert_int_equal(model_write_effective(&made.model, fixture_path("effective.conf")),
		                 0);
		struct model *back = read_it(model_read_effective, "effective.conf", "fra-1");
		expect_same(&made.model, back);
		assert_string_equal(back->self->name, "fra-1");
		model_free(back);
		seed = this;
	}
	model_free(base);
}

static void a_configuration_s_text_reads_back_the_same(void **state)
{
	(void)state;
	fixture_write_text("weir.conf", fixture_config);
	struct model *m = read_it(model_read_config, "weir.conf", NULL);
	char *text = model_text(m);

	assert_non_null(text);
	/* a person's file names its zones from its directory */
	char *relative = fixture_edit(text, fixture_path("shop.example.zone"), "shop.example.zone");
	fixture_write_text("again.conf", relative);
	struct model *back = read_it(model_read_config, "again.conf", NULL);
	expect_same(m, back);
	model_free(m);
	model_free(back);
	free(relative);
	free(text);
}

/* The longest list of CPUs is written one by one. */
static void as_many_cpus_as_there_may_be_read_back_the_same(void **state)
{
	(void)state;
	char *text = fixture_edit(fixture_config, "\"2-4,9\"", "\"992-1023\"");

	fixture_write_text("weir.conf", text);
	struct model *m = read_it(model_read_config, "weir.conf", "fra-1");
	assert_int_equal(model_write_effective(m, fixture_path("effective.conf")), 0);
	struct model *back = read_it(model_read_effective, "effective.conf", "fra-1");

	assert_int_equal(back->self->dpdk.n_cores, MODEL_CORES_MAX);
	assert_int_equal(back->self->dpdk.cores[MODEL_CORES_MAX - 1], 1023);
	model_free(m);
	model_free(back);
	free(text);
}

static void a_written_document_may_be_read_by_owner_and_group_alone(void **state)
{
	(void)state;
	struct stat st;

	fixture_write_text("weir.conf", fixture_config);
	struct model *m = read_it(model_read_config, "weir.conf", NULL);
	assert_int_equal(model_write_effective(m, fixture_path("effective.conf")), 0);
	assert_int_equal(stat(fixture_path("effective.conf"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	model_free(m);
}

/*
 * Who can add names to the directory could else choose among all files that root or weir-mgmt
 * has.
 */
static void an_effective_document_is_no_link(void **state)
{
	(void)state;
	struct model_errors errors;
	struct model *m;

	fixture_write_text("weir.conf", fixture_config);
	m = read_it(model_read_config, "weir.conf", NULL);
	assert_int_equal(model_write_effective(m, fixture_path("elsewhere.conf")), 0);
	model_free(m);
	assert_int_equal(symlink("elsewhere.conf", fixture_path("linked.conf")), 0);
	assert_int_equal(model_read_effective(fixture_path("linked.conf"), NULL, &m, &errors),
	                 -EOWNERDEAD);
	assert_int_equal(errors.n_total, 1);
	assert_non_null(strstr(errors.items[0].message, "is a link"));
	model_errors_free(&errors);
	assert_int_equal(model_read_effective(fixture_path("elsewhere.conf"), NULL, &m, &errors),
	                 0);
	model_errors_free(&errors);
	model_free(m);
}

/* An effective document whose pool web-ams has the member sets @sets. */
static int read_sets(const char *sets, struct model **m)
{
	struct model_errors errors;
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);
	char *config = fixture_edit(fixture_config, "\"hash.key\"", "\"KEY\""), *with_key, *all;

	assert_non_null(f);
	with_key = fixture_edit(config, "KEY", fixture_path("hash.key"));
	all = fixture_edit(with_key, "\"shop.example.zone\"", "\"/zone\"");
	fprintf(f,
	        "effective = { version = \"1\"; digest = \"\"; document = \"1\"; written = \"never\"; };\n%s"
	        "member_sets = ( %s );\n",
	        all, sets);
	assert_int_equal(fclose(f), 0);
	fixture_write("effective.conf", text, n);
	int err = model_read_effective(fixture_path("effective.conf"), NULL, m, &errors);
	for (size_t i = 0; i < errors.n_items; i++)
		print_message("    %s: %s\n", errors.items[i].field, errors.items[i].message);
	model_errors_free(&errors);
	free(text);
	free(config);
	free(with_key);
	free(all);
	return err;
}

#define SET(pool, from, members)                                                                   \
	"{ pool = \"" pool "\"; from = \"" from "\"; until = \"never\"; members = ( " members      \
	" ); }"
#define T1    "2026-01-01T00:00:00.000Z"
#define T2    "2026-01-02T00:00:00.000Z"
#define A     "{ address = \"10.0.0.1\"; }"
#define ONE   SET("web-ams", T1, A)
#define SIX   ONE "," ONE "," ONE "," ONE "," ONE "," ONE
#define FIFTY SIX "," SIX "," SIX "," SIX "," SIX "," SIX "," SIX "," SIX
#define MANY  FIFTY "," SIX "," SIX "," SIX
#define B     "{ address = \"10.0.0.2\"; }"

/* A document that this program refuses, as one of a later release: its origin and its overrides are read, or no override. */
static void of_a_refused_document_origin_and_overrides_are_read(void **state)
{
	(void)state;
#define OVERRIDE(kind)                                                                             \
	"overrides = ( { id = \"a\"; kind = \"" kind                                               \
	"\"; target = \"site\"; name = \"fra\"; generation = \"1\"; created = \"" T1               \
	"\"; from = \"" T1 "\"; over = \"0ms\"; until = \"never\"; from_ppm = 0; ended = false; "  \
	"author = \"a\"; reason = \"b\"; node = \"n\"; } );\n"
#define ORIGIN(more)                                                                               \
	"effective = { version = \"7\"; digest = \"d\"; document = \"9\"; written = \"" T1         \
	"\"; " more "};\n"
	static const struct {
		const char *why, *text;
		int err;
		uint64_t version;
		size_t n_overrides;
	} cases[] = {
		{ "a setting that nobody knows", ORIGIN("") "new = 1;\n" OVERRIDE("drain"), 0, 7,
		  1 },
		{ "one of the origin", ORIGIN("new = 1; ") OVERRIDE("drain"), 0, 7, 1 },
		{ "a kind of override", ORIGIN("") OVERRIDE("new"), 0, 7, 0 },
		{ "no origin", OVERRIDE("drain"), 0, 0, 1 },
		{ "another type", ORIGIN("") "overrides = 1;\n", 0, 7, 0 },
		{ "nothing", "", 0, 0, 0 },
		{ "cut short", ORIGIN("") "overrides = ( {", -EINVAL, 0, 0 },
		{ "other bytes", "\x01\x02", -EINVAL, 0, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct model *m = NULL;

		print_message("%s\n", cases[i].why);
		fixture_write("effective.conf", cases[i].text, strlen(cases[i].text));
		assert_int_equal(model_read_remains(fixture_path("effective.conf"), &m),
		                 cases[i].err);
		if (cases[i].err) {
			assert_null(m);
			continue;
		}
		assert_int_equal(m->meta.version, cases[i].version);
		assert_int_equal(m->meta.document, cases[i].version ? 9 : 0);
		assert_string_equal(m->meta.digest, cases[i].version ? "d" : "");
		assert_string_equal(m->meta.back_digest, "");
		assert_int_equal(m->n_overrides, cases[i].n_overrides);
		model_free(m);
	}
}

static void member_sets_that_cannot_be_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *why, *sets;
	} cases[] = {
		{ "of no pool", SET("none", T1, A) },
		{ "a member twice", SET("web-ams", T1, A "," A) },
		{ "newest first", SET("web-ams", T2, A) "," SET("web-ams", T1, A) },
		{ "apart",
		  SET("web-ams", T1, A) "," SET("web-fra", T1, A) "," SET("web-ams", T2, A) },
		{ "more than are kept", MANY },
		{ "no time", SET("web-ams", "soon", A) },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct model *m = NULL;

		print_message("  %s\n", cases[i].why);
		assert_int_equal(read_sets(cases[i].sets, &m), -EINVAL);
		assert_null(m);
	}
}

static void the_order_of_members_does_not_matter(void **state)
{
	(void)state;
	struct model *ab = NULL, *ba = NULL;

	assert_int_equal(read_sets(SET("web-ams", T1, A "," B), &ab), 0);
	assert_int_equal(read_sets(SET("web-ams", T1, B "," A), &ba), 0);
	expect_same(ab, ba);
	assert_int_equal(model_pool(ab, "web-ams")->member_sets[0].n_members, 2);
	assert_int_equal(model_pool(ab, "web-fra")->n_member_sets, 1); /* of all its backends */
	model_free(ab);
	model_free(ba);
}

static double now_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); /* of ours: the machine may be busy */
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* 1,000 services on 1,000 VIPs, 50 pools of 200 backends. */
static void write_large(void)
{
	FILE *f = fopen(fixture_path("weir.conf"), "w");

	assert_non_null(f);
	fputs("schema = 1; cluster = { name = \"big\"; hash_key_file = \"hash.key\"; hash_key_id = "
	      "\"k\"; };\nlimits = { slots = 4194304; };\nsites = ( { name = \"s\"; } );\n"
	      "nodes = ( { name = \"n\"; site = \"s\"; ports = ( { interface = \"e\"; } ); tunnel_source "
	      "= [ \"172.16.0.0/24\" ]; } );\nchecks = ( { name = \"c\"; type = \"tcp\"; } );\npools = (\n",
	      f);
	for (int p = 0; p < 50; p++) {
		fprintf(f,
		        "%s{ name = \"p%d\"; site = \"s\"; check = \"c\"; max_backends = 200; backends = (\n",
		        p ? "," : "", p);
		for (int b = 0; b < 200; b++)
			fprintf(f,
			        "  %s{ name = \"b%d\"; address = \"10.%d.0.%d\"; weight = %d; }\n",
			        b ? "," : "", b, p, b, b + 1);
		fputs("); }\n", f);
	}
	fputs(");\nvips = (\n", f);
	for (int v = 0; v < 1000; v++)
		fprintf(f, "%s{ name = \"v%d\"; site = \"s\"; addresses = [ \"192.0.%d.%d\" ]; }\n",
		        v ? "," : "", v, v / 250, v % 250);
	fputs(");\nservices = (\n", f);
	for (int s = 0; s < 1000; s++)
		fprintf(f,
		        "%s{ name = \"s%d\"; protocol = \"tcp\"; port = 80; at = ( { site = \"s\"; vip = "
		        "\"v%d\"; pool = \"p%d\"; } ); }\n",
		        s ? "," : "", s, s, s % 50);
	fputs(");\n", f);
	assert_int_equal(fclose(f), 0);
}

static void ten_thousand_backends_and_a_thousand_services_read_back_the_same(void **state)
{
	(void)state;
	write_large();
	double start = now_seconds();
	struct model *m = read_it(model_read_config, "weir.conf", "n");
	double read = now_seconds();
	assert_int_equal(model_write_effective(m, fixture_path("effective.conf")), 0);
	double written = now_seconds();
	struct model *back = read_it(model_read_effective, "effective.conf", "n");
	double again = now_seconds();

	print_message(
	        "  configuration read in %.0f ms, effective document written in %.0f ms, read "
	        "in %.0f ms\n",
	        (read - start) * 1e3, (written - read) * 1e3, (again - written) * 1e3);
	assert_int_equal(back->n_services, 1000);
	assert_int_equal(back->pools[49].n_backends, 200);
	expect_same(m, back);
	model_free(m);
	model_free(back);
}

SUITE(write)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_cannot_be_written_leaves_the_old_file),
		cmocka_unit_test(of_a_refused_document_origin_and_overrides_are_read),
		cmocka_unit_test(member_sets_that_cannot_be_are_refused),
		cmocka_unit_test(the_order_of_members_does_not_matter),
		cmocka_unit_test(as_many_cpus_as_there_may_be_read_back_the_same),
		cmocka_unit_test(a_written_document_may_be_read_by_owner_and_group_alone),
		cmocka_unit_test(an_effective_document_is_no_link),
		cmocka_unit_test(a_written_document_reads_back_the_same),
		cmocka_unit_test(a_configuration_s_text_reads_back_the_same),
		cmocka_unit_test(ten_thousand_backends_and_a_thousand_services_read_back_the_same),
	};

	return cmocka_run_group_tests_name("writing", tests, fixture_setup, fixture_teardown);
}
