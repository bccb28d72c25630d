/* SPDX-License-Identifier: BSD-2-Clause */
/* Which gate refuses a change, and when. */
#include "fixture_model.h"

#include "mgmt/rules/gate.h"
#include "tests/unit/suite.h"

static struct fixture place;

static int setup(void **state)
{
	(void)state;
	fixture_make(&place);
	fixture_write(place.conf, "other.key", "0123456789abcdef0123456789abcdef\n");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_remove(&place);
	return 0;
}

#define DAY(n)                                                                                     \
	(1797724800000 +                                                                           \
	 (int64_t)((n)-20) * 24 * 3600000) /* of December 2026, or what follows it */
#define DATE(d) "\"2026-12-" d "T00:00:00Z\""

static const char gates[] =
        "gates = (\n"
        "  { name = \"all\"; from = " DATE("24") "; until = " DATE(
                "27") "; },\n"
                      "  { name = \"pools\"; scope = \"pools:web-a*,label:region=eu\"; from = " DATE("20") "; until = " DATE(
                              "31") "; },\n"
                                    "  { name = \"risky\"; risky = true; from = " DATE("20") "; until = " DATE(
                                            "30") "; },\n"
                                                  "  { name = \"shop\"; scope = \"dns/names:*\"; risky = true; from = " DATE(
                                                          "20") "; until = " DATE("21") "; } );\n";

/* The fixture behind @p before, with @p from replaced by @p to. */
static struct model *model_with(const char *before, const char *from, const char *to)
{
	struct files files = { 0 };
	const char *whole = fixture_text(from, to);
	char text[16384];
	/* the fixture's own gates end it */
	int n = snprintf(text, sizeof(text), "%s%.*s", before,
	                 (int)(strstr(whole, "gates = ") - whole), whole);

	assert_int_equal(files_add(&files, FILES_MAIN, text, (size_t)n), 0);
	assert_int_equal(files_add(&files, "shop.example.zone", fixture_zone, strlen(fixture_zone)),
	                 0);
	return fixture_model(&place, &files, "ams-1");
}

#define WEIGHT   "\"10.1.1.12\"; weight = 100" /* of a backend of web-ams */
#define HARMLESS "rise = 2", "rise = 3"
#define RISKY    "port = 80", "port = 81"

static char passed[GATE_NAMES_MAX]; /* of the last gate_at() */
static uint32_t n_approvals;        /* that changes have */
static bool goes_back;
static const char *gates_before = gates;

/* The gate that refuses the change from the fixture with gates to one with other @p words for @p from, "": none. */
static const char *gate_at(const char *gates_after, const char *from, const char *to,
                           int64_t now_ms, const char *without)
{
	static char name[MODEL_NAME_MAX];
	struct model *a = model_with(gates_before, from, from),
	             *b = model_with(gates_after, from, to);
	struct change_plan plan;
	char none[GATE_NAMES_MAX];

	assert_int_equal(plan_compare(a, b, &plan), 0);
	const struct gate_pass pass = { .without = without,
		                        .approvals = n_approvals,
		                        .is_way_back = goes_back };
	const struct model_gate *gate = gate_find(a, b, &plan, now_ms, &pass, passed);
	snprintf(name, sizeof(name), "%s", gate ? gate->name : "");
	assert_null(
	        gate_find(NULL, b, &plan, now_ms, &pass, none)); /* the first version passes all */
	assert_string_equal(none, "");
	assert_null(gate_find(b, b, &(struct change_plan){ 0 }, DAY(60),
	                      &(struct gate_pass){ .approvals = 9 }, none));
	plan_fini(&plan);
	model_free(a);
	model_free(b);
	return name;
}

static void a_gate_refuses_what_it_is_about(void **state)
{
	static const struct {
		const char *from, *to;
		int64_t now_ms;
		const char *without, *gate;
	} rows[] = {
		{ HARMLESS, DAY(20), NULL, "" },
		{ HARMLESS, DAY(24) - 1, NULL, "" },
		{ HARMLESS, DAY(24), NULL, "all" },
		{ "# two sites", "# a", DAY(24), NULL, "all" },
		{ HARMLESS, DAY(27) - 1, NULL, "all" },
		{ HARMLESS, DAY(27), NULL, "" },
		{ HARMLESS, DAY(24), "all", "" },
		{ HARMLESS, DAY(24), "al", "all" },
		{ HARMLESS, DAY(24), "alle", "all" },
		{ HARMLESS, DAY(24), "shop,all", "" },
		{ HARMLESS, DAY(24), ",,all,", "" },
		{ HARMLESS, DAY(24), "", "all" },
		{ WEIGHT, "\"10.1.1.12\"; weight = 99", DAY(20) - 1, NULL, "" },
		{ WEIGHT, "\"10.1.1.12\"; weight = 99", DAY(20), NULL, "pools" },
		{ WEIGHT, "\"10.1.1.12\"; weight = 99", DAY(24), NULL,
		  "pools" }, /* the last to end */
		{ WEIGHT, "\"10.1.1.12\"; weight = 99", DAY(24), "pools", "all" },
		{ "\"10.2.1.11\"; weight = 100", "\"10.2.1.11\"; weight = 99", DAY(20), NULL, "" },
		{ "weight = 100; capacity", "labels = { region = \"eu\"; }; weight = 100; capacity",
		  DAY(20), NULL, "pools" },
		{ RISKY, DAY(20), NULL, "risky" },
		{ RISKY, DAY(30), NULL, "" },
		{ RISKY, DAY(20), "risky", "" }, /* no name of dns is touched */
		{ "min = \"5s\"", "min = \"6s\"", DAY(20), NULL, "" },
		/* what is in no object is every object's */
		{ "schema = 1;", "schema = 1; limits = { slots = 2097152; };", DAY(20), NULL,
		  "pools" },
		{ "hash_key_file = \"hash.key\"", "hash_key_file = \"other.key\"", DAY(20), "risky",
		  "pools" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *gate =
		        gate_at(gates, rows[i].from, rows[i].to, rows[i].now_ms, rows[i].without);

		if (strcmp(gate, rows[i].gate) != 0)
			fail_msg("%zu: %s: %s", i, rows[i].to, gate);
	}
	/* on record is what was passed, and nothing else that was named */
	assert_string_equal(gate_at(gates, HARMLESS, DAY(24), "shop,all,none"), "");
	assert_string_equal(passed, "all");
	assert_string_equal(
	        gate_at(gates, WEIGHT, "\"10.1.1.12\"; weight = 99", DAY(24), "risky,pools,all"),
	        "");
	assert_string_equal(passed, "all,pools");
	assert_string_equal(gate_at(gates, HARMLESS, DAY(60), "all"), "");
	assert_string_equal(passed, "");
}

/* What asks for persons may have no end; what asks for most is found, and what only time opens before it. */
static void a_gate_asks_for_persons(void **state)
{
	static const char asking[] =
	        "gates = ( { name = \"two\"; approvals = 2; }, { name = \"one\"; approvals = 1; },\n"
	        "  { name = \"later\"; approvals = 3; from = " DATE(
	                "25") "; },\n"
	                      "  { name = \"shut\"; from = " DATE("29") "; until = " DATE(
	                              "30") "; } );\n";
	static const struct {
		uint32_t n;
		int64_t now_ms;
		const char *without, *gate, *passed;
	} rows[] = {
		{ 0, DAY(20), NULL, "two", "" },      { 1, DAY(20), NULL, "two", "" },
		{ 2, DAY(20), NULL, "", "" },         { 0, DAY(20), "two", "one", "two" },
		{ 1, DAY(20), "two,one", "", "two" }, /* what has its approvals is not passed by name */
		{ 2, DAY(25), NULL, "later", "" },    { 3, DAY(2000), NULL, "", "" },
		{ 2, DAY(2000), NULL, "later", "" },  { 0, DAY(29), NULL, "shut", "" },
		{ 3, DAY(29), NULL, "shut", "" },     { 3, DAY(29), "shut", "", "shut" },
	};

	(void)state;
	gates_before = asking;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		n_approvals = rows[i].n;
		const char *gate = gate_at(asking, HARMLESS, rows[i].now_ms, rows[i].without);

		if (strcmp(gate, rows[i].gate) != 0 || strcmp(passed, rows[i].passed) != 0)
			fail_msg("%zu: %s, passed %s", i, gate, passed);
	}
	n_approvals = 0;
	gates_before = gates;
}

/* However little it is about; an added one is not judged by itself. */
static void a_gate_guards_itself(void **state)
{
	static const char other[] =
	        "gates = ( { name = \"new\"; from = " DATE("01") "; until = " DATE("31") "; } );\n";
	char longer[sizeof(gates) + 8];

	(void)state;
	assert_string_equal(gate_at(other, "# two sites", "# a", DAY(20), NULL), "pools");
	assert_string_equal(gate_at(other, "# two sites", "# a", DAY(20), "pools"), "risky");
	assert_string_equal(gate_at(other, "# two sites", "# a", DAY(20), "pools,risky"), "shop");
	assert_string_equal(gate_at(other, "# two sites", "# a", DAY(20), "pools,risky,shop"), "");
	assert_string_equal(gate_at("", "# two sites", "# a", DAY(30), NULL), "pools");
	assert_string_equal(gate_at("", "# two sites", "# a", DAY(31), NULL), "");
	snprintf(longer, sizeof(longer), "%s", gates);
	memcpy(strstr(longer, DATE("31")), DATE("30"), strlen(DATE("30")));
	assert_string_equal(gate_at(longer, "# two sites", "# a", DAY(20), NULL), "pools");
}

/* It passes all, on record; of more than have room it is on record that there are more. */
static void the_way_back_names_what_it_passes(void **state)
{
	char many[4096] = "gates = (";

	(void)state;
	goes_back = true;
	assert_string_equal(gate_at("", "# two sites", "# a", DAY(25), NULL), "");
	assert_string_equal(passed, "all,pools,risky");
	for (unsigned i = 0; i < 20; i++)
		snprintf(many + strlen(many), sizeof(many) - strlen(many),
		         "%s { name = \"a-long-name-%02u\"; approvals = 1; }", i ? "," : "", i);
	strcat(many, " );\n");
	gates_before = many;
	assert_string_equal(gate_at(many, RISKY, DAY(25), NULL), "");
	assert_int_equal(strncmp(passed, "a-long-name-00,a-long-name-01,", 30), 0);
	assert_string_equal(passed + strlen(passed) - 4, "15,*");
	gates_before = gates;
	goes_back = false;
}

SUITE(gate)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_gate_refuses_what_it_is_about, setup, teardown),
		cmocka_unit_test_setup_teardown(a_gate_asks_for_persons, setup, teardown),
		cmocka_unit_test_setup_teardown(a_gate_guards_itself, setup, teardown),
		cmocka_unit_test_setup_teardown(the_way_back_names_what_it_passes, setup, teardown),
	};

	return cmocka_run_group_tests_name("gate", tests, NULL, NULL);
}
