/* SPDX-License-Identifier: BSD-2-Clause */
/* The model's small parts: quantities, near names, the schema's rows, levels of overrides. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "model/escape.h"
#include "model/errors.h"
#include "model/quantity.h"
#include "model/setting.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define LONG64   "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd"

static void bad_quantities_are_refused(void **state)
{
	(void)state;
	static const struct {
		enum schema_kind kind;
		const char *text;
		int err;
	} cases[] = {
		{ KIND_DURATION, "", -EINVAL },
		{ KIND_DURATION, "5", -EINVAL },
		{ KIND_DURATION, "5 s", -EINVAL },
		{ KIND_DURATION, "-5s", -EINVAL },
		{ KIND_DURATION, "5S", -EINVAL },
		{ KIND_DURATION, "5s ", -EINVAL },
		{ KIND_DURATION, ".5s", -EINVAL },
		{ KIND_DURATION, "5.s", -EINVAL },
		{ KIND_DURATION, "0.5ms", -ERANGE },
		{ KIND_DURATION, "1.0001s", -ERANGE },
		{ KIND_BITS, "40G", -EINVAL },
		{ KIND_BITS, "40gbit", -EINVAL },
		{ KIND_BITS, "99999999999999999999bit", -ERANGE },
		{ KIND_BITS, "18446744073710Mbit", -ERANGE },
		{ KIND_RATE, "50k", -EINVAL },
		{ KIND_PERCENT, "50", -EINVAL },
		{ KIND_INTEGER, "5s", -EINVAL },
		{ KIND_NUMBER, "18446744073709551616", -ERANGE },
		{ KIND_RATE, "1.00000000000000000000k/s", -ERANGE },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		uint64_t n = 7;

		print_message("  %s\n", cases[i].text);
		assert_int_equal(quantity_parse(cases[i].kind, cases[i].text, &n), cases[i].err);
		assert_int_equal(n, 7);
	}
}

static void quantities_are_read_and_written(void **state)
{
	(void)state;
	static const struct {
		enum schema_kind kind;
		const char *text;
		uint64_t n;
		const char *canonical;
	} cases[] = {
		{ KIND_DURATION, "500ms", 500, "500ms" },
		{ KIND_DURATION, "1500ms", 1500, "1500ms" },
		{ KIND_DURATION, "1.5s", 1500, "1500ms" },
		{ KIND_DURATION, "60s", 60000, "1m" },
		{ KIND_DURATION, "24h", 86400000, "1d" },
		{ KIND_DURATION, "0s", 0, "0ms" },
		{ KIND_BITS, "40Gbit", 40000000000, "40Gbit" },
		{ KIND_BITS, "2.5Gbit", 2500000000, "2500Mbit" },
		{ KIND_RATE, "50k/s", 50000, "50k/s" },
		{ KIND_PERCENT, "50%", 50, "50%" },
		{ KIND_NUMBER, "18446744073709551615", UINT64_MAX, "18446744073709551615" },
	};
	char text[QUANTITY_TEXT_MAX];

	for (size_t i = 0; i < COUNT(cases); i++) {
		uint64_t n = 0;

		assert_int_equal(quantity_parse(cases[i].kind, cases[i].text, &n), 0);
		assert_true(n == cases[i].n);
		assert_string_equal(quantity_text(cases[i].kind, n, text), cases[i].canonical);
	}
}

static unsigned distance_of(const char *given, const char *candidate)
{
	struct suggest_best suggest = { .given = given };

	suggest_try(&suggest, candidate);
	return suggest.distance;
}

static void distances_count_what_a_hand_gets_wrong(void **state)
{
	(void)state;
	static const struct {
		const char *a, *b;
		unsigned distance;
	} cases[] = {
		{ "", "", 0 },
		{ "", "abc", 3 },
		{ "weight", "weight", 0 },
		{ "weight", "wieght", 1 },
		{ "weight", "weigt", 1 },
		{ "weight", "weightt", 1 },
		{ "weight", "weighd", 1 },
		{ "ab", "ba", 1 },
		{ "kitten", "sitting", 3 },
		{ "ab", "cd", 2 },
		{ "ab", "ca", 2 },
		{ "ab", "bc", 2 },
		{ "abcd", "badc", 2 },
		{ "xab", "xba", 1 },
		{ "abc", "cba", 2 },
		{ LONG64, LONG64, 0 },
		{ LONG64, "", 64 },
		{ LONG64 "a", LONG64 "a", 99 }, /* too long to be near anything */
		{ LONG64 "a", "a", 99 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(distance_of(cases[i].a, cases[i].b), cases[i].distance);
		assert_int_equal(distance_of(cases[i].b, cases[i].a), cases[i].distance);
	}
}

/* A longer word may be further off; of two that are as near, the first is meant. */
static void a_near_name_is_said_where_it_is_near_enough(void **state)
{
	static const struct {
		const char *wanted, *candidates[3], *said;
	} cases[] = {
		{ "abc", { "abd" }, " (did you mean \"abd\"?)" },
		{ "abc", { "axx" }, "" },
		{ "abcd", { "abxx" }, " (did you mean \"abxx\"?)" },
		{ "abcd", { "axxx" }, "" },
		{ "abcdefg", { "abcdexx" }, " (did you mean \"abcdexx\"?)" },
		{ "abcdefg", { "abcdxxx" }, "" },
		{ "abcdefgh", { "abcdexxx" }, " (did you mean \"abcdexxx\"?)" },
		{ "abcdefgh", { "abcdxxxx" }, "" },
		{ "abc", { "abx", "aby", "abz" }, " (did you mean \"abx\"?)" },
		{ "abcd", { "abxx", "abcx", "abyy" }, " (did you mean \"abcx\"?)" },
		{ "abc", { NULL }, "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct suggest_best suggest = { .given = cases[i].wanted };
		char text[SUGGEST_TEXT_MAX];

		for (size_t k = 0; k < 3 && cases[i].candidates[k]; k++)
			suggest_try(&suggest, cases[i].candidates[k]);
		assert_string_equal(suggest_text(&suggest, text), cases[i].said);
	}
}

/* Whether a member of a kind, or an element of such a list, can have so many bytes. */
static bool size_fits(enum schema_kind kind, size_t size)
{
	switch (kind) {
	case KIND_BOOLEAN:
		return size == sizeof(bool);
	case KIND_ENUM:
		return size == sizeof(enum model_mode);
	case KIND_TIME:
		return size == sizeof(int64_t);
	case KIND_DURATION:
	case KIND_RATE:
	case KIND_BITS:
	case KIND_PERCENT:
	case KIND_INTEGER:
	case KIND_NUMBER:
		return size == 2 || size == 4 || size == 8;
	case KIND_ADDRESS:
	case KIND_ADDRESSES:
		return size == sizeof(struct addr);
	case KIND_PREFIXES:
		return size == sizeof(struct prefix);
	case KIND_MACS:
		return size == sizeof(struct model_mac);
	case KIND_GROUPS:
		return size > 0;
	default:
		return size == sizeof(const void *);
	}
}

/* The parser counts words, and all others go by the constants. */
static void each_word_stands_for_its_constant(void **state)
{
	static const struct {
		enum schema_id id;
		int constant;
		const char *word;
	} cases[] = {
		{ SCHEMA_NODES_DRIVER, MODEL_DRIVER_AUTO, "auto" },
		{ SCHEMA_NODES_DRIVER, MODEL_DRIVER_XDP, "xdp" },
		{ SCHEMA_NODES_DRIVER, MODEL_DRIVER_DPDK, "dpdk" },
		{ SCHEMA_NODES_DPDK_HUGEPAGES, MODEL_HUGEPAGES_AUTO, "auto" },
		{ SCHEMA_NODES_DPDK_HUGEPAGES, MODEL_HUGEPAGES_YES, "yes" },
		{ SCHEMA_NODES_DPDK_HUGEPAGES, MODEL_HUGEPAGES_NO, "no" },
		{ SCHEMA_NODES_CLOCK, MODEL_CLOCK_SYNCHRONISED, "synchronised" },
		{ SCHEMA_NODES_CLOCK, MODEL_CLOCK_TRUSTED, "trusted" },
		{ SCHEMA_NODES_SAMPLES, MODEL_SAMPLES_KEPT, "kept" },
		{ SCHEMA_NODES_SAMPLES, MODEL_SAMPLES_NONE, "none" },
		{ SCHEMA_NODES_ANNOUNCE_DAEMON, MODEL_DAEMON_NONE, "none" },
		{ SCHEMA_NODES_ANNOUNCE_DAEMON, MODEL_DAEMON_BIRD, "bird" },
		{ SCHEMA_NODES_ANNOUNCE_DAEMON, MODEL_DAEMON_FRR, "frr" },
		{ SCHEMA_CHECKS_TYPE, MODEL_CHECK_TCP, "tcp" },
		{ SCHEMA_CHECKS_TYPE, MODEL_CHECK_HTTP, "http" },
		{ SCHEMA_CHECKS_TYPE, MODEL_CHECK_EXTERNAL, "external" },
		{ SCHEMA_CHECKS_VIA, MODEL_VIA_DIRECT, "direct" },
		{ SCHEMA_CHECKS_VIA, MODEL_VIA_TUNNEL, "tunnel" },
		{ SCHEMA_POOLS_MODE, MODEL_MODE_IPIP, "ipip" },
		{ SCHEMA_POOLS_MODE, MODEL_MODE_GUE, "gue" },
		{ SCHEMA_POOLS_MODE, MODEL_MODE_L2, "l2" },
		{ SCHEMA_POOLS_REGISTRATION_ON_EXPIRY, MODEL_EXPIRY_KEEP, "keep" },
		{ SCHEMA_POOLS_REGISTRATION_ON_EXPIRY, MODEL_EXPIRY_DRAIN, "drain" },
		{ SCHEMA_VIPS_ANNOUNCE_WHEN, MODEL_ANNOUNCE_ANY, "any" },
		{ SCHEMA_VIPS_ANNOUNCE_WHEN, MODEL_ANNOUNCE_ALL, "all" },
		{ SCHEMA_SERVICES_PROTOCOL, 0, "tcp" },
		{ SCHEMA_SERVICES_PROTOCOL, 1, "udp" },
		{ SCHEMA_SERVICES_HASH, MODEL_HASH_FLOW, "flow" },
		{ SCHEMA_SERVICES_HASH, MODEL_HASH_SOURCE, "source" },
		{ SCHEMA_SERVICES_ON_ALL_DOWN, MODEL_ALL_DOWN_LAST_GOOD, "last_good" },
		{ SCHEMA_SERVICES_ON_ALL_DOWN, MODEL_ALL_DOWN_FAIL_CLOSED, "fail_closed" },
		{ SCHEMA_SERVICES_UDP_POLICY, MODEL_UDP_KEEP, "keep" },
		{ SCHEMA_SERVICES_UDP_POLICY, MODEL_UDP_MIGRATE, "migrate" },
		{ SCHEMA_SERVICES_UDP_POLICY, MODEL_UDP_RESET, "reset" },
		{ SCHEMA_DNS_NAMES_POLICY, MODEL_POLICY_WEIGHTED, "weighted" },
		{ SCHEMA_DNS_NAMES_POLICY, MODEL_POLICY_FAILOVER, "failover" },
		{ SCHEMA_OVERRIDES_KIND, MODEL_OVERRIDE_DRAIN, "drain" },
		{ SCHEMA_OVERRIDES_KIND, MODEL_OVERRIDE_DISABLE, "disable" },
		{ SCHEMA_OVERRIDES_KIND, MODEL_OVERRIDE_FORCE_UP, "force_up" },
		{ SCHEMA_OVERRIDES_KIND, MODEL_OVERRIDE_HOLD, "hold" },
		{ SCHEMA_OVERRIDES_KIND, MODEL_OVERRIDE_DRILL, "drill" },
		{ SCHEMA_OVERRIDES_TARGET, MODEL_TARGET_SITE, "site" },
		{ SCHEMA_OVERRIDES_TARGET, MODEL_TARGET_BACKEND, "backend" },
		{ SCHEMA_OVERRIDES_TARGET, MODEL_TARGET_NODE, "node" },
		{ SCHEMA_OVERRIDES_OWN_VIPS, MODEL_VIPS_ANNOUNCED, "announced" },
		{ SCHEMA_OVERRIDES_OWN_VIPS, MODEL_VIPS_SHUTDOWN, "shutdown" },
		{ SCHEMA_OVERRIDES_OWN_VIPS, MODEL_VIPS_WITHDRAWN, "withdrawn" },
		{ SCHEMA_OVERRIDES_SHARED_VIPS, MODEL_VIPS_ANNOUNCED, "announced" },
		{ SCHEMA_OVERRIDES_SHARED_VIPS, MODEL_VIPS_SHUTDOWN, "shutdown" },
		{ SCHEMA_OVERRIDES_SHARED_VIPS, MODEL_VIPS_WITHDRAWN, "withdrawn" },
	};
	size_t n_words = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_string_equal(schema_word(cases[i].id, (uint64_t)cases[i].constant),
		                    cases[i].word);
	for (enum schema_id id = 0; id < SCHEMA_COUNT; id++)
		for (uint64_t i = 0; schema()->rows[id].kind == KIND_ENUM && schema_word(id, i);
		     i++)
			n_words++;
	assert_int_equal(n_words, COUNT(cases));
}

/* What is not written is read as the default: that must be empty, too. */
static void what_is_not_written_is_empty_by_default(void **state)
{
	(void)state;
	for (enum schema_id i = 0; i < SCHEMA_COUNT; i++) {
		const struct schema_row *row = &schema()->rows[i];
		const char *text = model_schema[i].default_text;
		const char *empty = row->kind == KIND_ENUM      ? schema_word(i, 0)
		                    : row->kind == KIND_BOOLEAN ? "false"
		                                                : "0";

		print_message("  %s\n", model_schema[i].path);
		if (row->sparse)
			assert_true(!*text || !strcmp(text, empty));
	}
}

/* A member of another size than its kind's would be read and written wrong. */
static void each_setting_has_a_member_of_its_kind(void **state)
{
	static const enum schema_id nowhere[] = { SCHEMA_SCHEMA, SCHEMA_MEMBER_SETS,
		                                  SCHEMA_MEMBER_SETS_POOL };
	size_t n = 0;

	(void)state;
	for (enum schema_id i = 0; i < SCHEMA_COUNT; i++) {
		const struct schema_row *row = &schema()->rows[i];
		bool lists = row->kind == KIND_GROUPS || row->kind == KIND_ADDRESSES ||
		             row->kind == KIND_PREFIXES || row->kind == KIND_MACS ||
		             row->kind == KIND_REFERENCES;

		print_message("  %s\n", model_schema[i].path);
		if (row->member.size) {
			assert_int_not_equal(row->kind, KIND_GROUP);
			assert_true(size_fits(row->kind, row->member.size));
			assert_int_equal(row->member.count != 0, lists);
		} else if (!setting_is_held(i)) {
			assert_true(n < COUNT(nowhere) && nowhere[n] == i);
			n++;
		}
		if (row->kind == KIND_REFERENCE || row->kind == KIND_REFERENCES)
			assert_int_equal(schema()->rows[row->target].kind, KIND_GROUPS);
	}
	assert_int_equal(n, COUNT(nowhere));
}

static void each_row_of_the_schema_is_sound(void **state)
{
	(void)state;
	const struct schema *s = schema();

	for (enum schema_id i = 0; i < SCHEMA_COUNT; i++) {
		const struct model_field *field = &model_schema[i];
		const struct schema_row *row = &s->rows[i];

		print_message("  %s\n", field->path);
		assert_int_not_equal(row->kind, KIND_COUNT);
		assert_true(field->help[0] && field->help[strlen(field->help) - 1] == '.');
		assert_true(!field->limits[0] || row->limited);
		assert_true(row->parent == SCHEMA_TOP || row->parent < i);
		assert_true(row->parent == SCHEMA_TOP || strchr(field->path, '.'));
		assert_true(!(field->required && field->default_text[0]));
		assert_int_equal(schema_find(row->parent, row->name), i);
		if (row->limited && field->default_text[0] && row->kind == KIND_DURATION) {
			uint64_t n;

			assert_int_equal(quantity_parse(row->kind, field->default_text, &n), 0);
			assert_in_range(n, row->least, row->most);
		}
	}
}

/* Where a text ends in the middle of an escape, what lies behind it is not read. */
static void an_escape_ends_with_its_text(void **state)
{
	static const struct {
		const char *text;
		size_t n, taken;
		int byte;
	} cases[] = {
		{ "x41", 3, 3, 'A' }, { "x41", 2, 0, -1 },   { "x41", 1, 0, -1 },
		{ "x41", 0, 0, -1 },  { "Xff", 3, 3, 0xff }, { "xg1", 3, 0, -1 },
		{ "x1g", 3, 0, -1 },  { "x00", 3, 3, -1 },   { "n1", 2, 1, '\n' },
		{ "\"", 1, 1, '"' },  { "q", 1, 0, -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *at = cases[i].text;

		assert_int_equal(escape_read(&at, cases[i].text + cases[i].n), cases[i].byte);
		assert_int_equal(at - cases[i].text, cases[i].taken);
	}
}

/* The value of a digit as people write it; -1: it is none. */
static int digit_of(int c)
{
	static const char digits[] = "00112233445566778899aAbBcCdDeEfF";
	const char *found = c ? strchr(digits, c) : NULL;

	return found ? (int)(found - digits) / 2 : -1;
}

static void each_byte_has_its_escape_in_digits(void **state)
{
	(void)state;
	for (int high = 0; high < 256; high++)
		for (int low = 0; low < 256; low++) {
			const char text[] = { 'x', (char)high, (char)low, '!' };
			const char *at = text;
			bool good = digit_of(high) >= 0 && digit_of(low) >= 0;
			int byte = digit_of(high) * 16 + digit_of(low);

			assert_int_equal(escape_read(&at, text + 4), good && byte ? byte : -1);
			assert_int_equal(at - text, good ? 3 : 0);
		}
}

static void letters_escape_what_they_say_and_no_others(void **state)
{
	static const char letters[] = "ntrf\\\"", bytes[] = "\n\t\r\f\\\"";

	(void)state;
	for (int c = 0; c < 256; c++) {
		const char text[] = { (char)c, ' ' }, *at = text;
		const char *found = c ? strchr(letters, c) : NULL;

		assert_int_equal(escape_read(&at, text + 2), found ? bytes[found - letters] : -1);
		assert_int_equal(at - text, found ? 1 : 0);
	}
}

static void an_override_rises_stays_and_returns(void **state)
{
	(void)state;
	const struct model_override drain = { .from_ms = 1000, .over_ms = 100, .until_ms = 5000 };
	const struct model_override replaced = {
		.from_ms = 1000, .over_ms = 100, .until_ms = 5000, .from_ppm = 500000
	};
	const struct model_override cut = { .from_ms = 1000, .over_ms = 100, .until_ms = 1050 };
	const struct model_override never = { .from_ms = 1000, .until_ms = MODEL_TIME_NEVER };
	const struct model_override disable = {
		.kind = MODEL_OVERRIDE_DISABLE, .from_ms = 1000, .over_ms = 100, .until_ms = 5000
	};
	const struct model_override step = { .from_ms = 1000,
		                             .over_ms = 100,
		                             .until_ms = MODEL_TIME_NEVER,
		                             .from_ppm = 100000,
		                             .is_step = true,
		                             .to_ppm = 250000 };
	const struct model_override back = { .from_ms = 1000,
		                             .over_ms = 100,
		                             .until_ms = MODEL_TIME_NEVER,
		                             .from_ppm = 1000000,
		                             .is_step = true };
	const struct model_override ended = { .from_ms = 1000, .until_ms = 5000, .ended = true };
	const struct model_override drill = { .kind = MODEL_OVERRIDE_DRILL,
		                              .from_ms = 1000,
		                              .until_ms = 5000 };
	const struct {
		const char *why;
		const struct model_override *o;
		int64_t at_ms;
		uint32_t ppm;
		int64_t next_ms;
	} cases[] = {
		{ "before", &drain, 999, 0, 1000 },
		{ "at its start", &drain, 1000, 0, 1100 },
		{ "half way", &drain, 1050, 500000, 1100 },
		{ "all", &drain, 1100, 1000000, 5000 },
		{ "until", &drain, 5000, 1000000, 5100 },
		{ "half way back", &drain, 5050, 500000, 5100 },
		{ "back", &drain, 5100, 0, MODEL_TIME_NEVER },
		{ "replaced, before", &replaced, 0, 500000, 1000 },
		{ "replaced, half way", &replaced, 1050, 750000, 1100 },
		{ "cut short, at its turn", &cut, 1050, 500000, 1150 },
		{ "cut short, half way back", &cut, 1100, 250000, 1150 },
		{ "never", &never, INT64_MAX - 1, 1000000, MODEL_TIME_NEVER },
		{ "disable has no ramp", &disable, 1000, 1000000, 5000 },
		{ "disable ends at once", &disable, 5000, 0, MODEL_TIME_NEVER },
		{ "ended", &ended, 2000, 0, MODEL_TIME_NEVER },
		{ "a drill moves nobody", &drill, 2000, 0, 5000 },
		{ "before a step", &step, 999, 100000, 1000 },
		{ "in a step", &step, 1050, 175000, 1100 },
		{ "after a step", &step, 1100, 250000, MODEL_TIME_NEVER },
		{ "long after it", &step, INT64_MAX - 1, 250000, MODEL_TIME_NEVER },
		{ "before a step back", &back, 0, 1000000, 1000 },
		{ "in a step back", &back, 1025, 750000, 1100 },
		{ "after a step back", &back, 1100, 0, MODEL_TIME_NEVER },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		print_message("  %s\n", cases[i].why);
		assert_int_equal(model_override_ppm(cases[i].o, cases[i].at_ms), cases[i].ppm);
		assert_true(model_override_next_ms(cases[i].o, cases[i].at_ms) == cases[i].next_ms);
	}
}

static void answers_lead_to_a_drained_site_for_its_longest_ttl_and_5_s(void **state)
{
	const struct model_site ams = { .name = "ams" }, fra = { .name = "fra" };
	const struct model_at at[] = { { .site = &fra }, { .site = &ams } };
	const struct model_service both = { .at = at, .n_at = 2 }, one = { .at = at, .n_at = 1 };
	const struct model_dns_name names[] = { { .service = &both, .ttl_max_s = 60 },
		                                { .service = &both, .ttl_max_s = 30 },
		                                { .service = &one, .ttl_max_s = 900 } };
	const struct model m = { .dns_names = names, .n_dns_names = COUNT(names) };
	struct model_override o = {
		.name = "ams", .from_ms = 1000, .over_ms = 100, .until_ms = MODEL_TIME_NEVER
	};

	(void)state;
	assert_int_equal(model_override_answers_ms(&m, &o), 1100 + 65000);
	o.name = "fra";
	assert_int_equal(model_override_answers_ms(&m, &o), 1100 + 905000);
	o.name = "par";
	assert_int_equal(model_override_answers_ms(&m, &o), 1100 + 5000);
	o.kind = MODEL_OVERRIDE_DISABLE;
	assert_int_equal(model_override_answers_ms(&m, &o), 1000 + 5000);
	o.from_ms = MODEL_TIME_NEVER;
	assert_true(model_override_answers_ms(&m, &o) == MODEL_TIME_NEVER);
}

static void what_is_asked_of_a_node_is_that_of_the_document_s_instant(void **state)
{
#define ASKED(k, n, t, until, over)                                                                \
	{                                                                                          \
		.kind = MODEL_OVERRIDE_##k, .target = MODEL_TARGET_##t, .pool = "", .name = n,     \
		.from_ms = 1000, .until_ms = until, .ended = over                                  \
	}
#define DRAIN   ASKED(DRAIN, "n1", NODE, 5000, false)
#define DISABLE ASKED(DISABLE, "n1", NODE, 5000, false)
	static const struct {
		const char *why;
		struct model_override list[2];
		int64_t written_ms;
		enum model_node_drain drain;
	} cases[] = {
		{ "before", { DRAIN }, 999, MODEL_NODE_SERVES },
		{ "at its start", { DRAIN }, 1000, MODEL_NODE_DRAINED },
		{ "until the last moment", { DRAIN }, 4999, MODEL_NODE_DRAINED },
		{ "over", { DRAIN }, 5000, MODEL_NODE_SERVES },
		{ "ended", { ASKED(DRAIN, "n1", NODE, 5000, true) }, 2000, MODEL_NODE_SERVES },
		{ "another node",
		  { ASKED(DRAIN, "n2", NODE, 5000, false) },
		  2000,
		  MODEL_NODE_SERVES },
		{ "a site of that name",
		  { ASKED(DRAIN, "n1", SITE, 5000, false) },
		  2000,
		  MODEL_NODE_SERVES },
		{ "never ends",
		  { ASKED(DRAIN, "n1", NODE, MODEL_TIME_NEVER, false) },
		  INT64_MAX - 1,
		  MODEL_NODE_DRAINED },
		{ "withdrawn", { DISABLE }, 2000, MODEL_NODE_WITHDRAWN },
		{ "withdrawn, and drained later", { DISABLE, DRAIN }, 2000, MODEL_NODE_WITHDRAWN },
		{ "drained, and withdrawn later", { DRAIN, DISABLE }, 2000, MODEL_NODE_WITHDRAWN },
	};
	const struct model_node node = { .name = "n1" };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct model m = { .overrides = cases[i].list,
			                 .n_overrides = cases[i].list[1].name ? 2 : 1,
			                 .meta.written_ms = cases[i].written_ms };

		print_message("  %s\n", cases[i].why);
		assert_int_equal(model_node_drain(&m, &node), cases[i].drain);
		assert_int_equal(model_node_drain(&m, NULL), MODEL_NODE_SERVES);
	}
#undef ASKED
#undef DRAIN
#undef DISABLE
}

static void a_backend_s_identity_is_its_address_and_port(void **state)
{
	(void)state;
	struct addr a, b;

	assert_int_equal(addr_parse("10.0.0.1", &a), 0);
	assert_int_equal(addr_parse("10.0.0.2", &b), 0);
	/* Fixed: another release must give the same. */
	assert_true(model_backend_id(&a, 80) == 0xc63c1a2c6bc7d92fu);
	assert_true(model_backend_id(&a, 80) != model_backend_id(&a, 81));
	assert_true(model_backend_id(&a, 80) != model_backend_id(&b, 80));
}

/* CPUs as a range, of which DPDK's workers have those of the list. */
static void as_many_threads_answer_as_cpus_are_free(void **state)
{
	static const struct {
		const char *why;
		int driver; /* -1: it is not known which node this is */
		uint32_t given, n_cores;
		int first, last;
		unsigned n;
	} cases[] = {
		{ "as given", MODEL_DRIVER_DPDK, 3, 2, 0, 7, 3 },
		{ "one for each", -1, 0, 0, 0, 3, 4 },
		{ "one alone", -1, 0, 0, 5, 5, 1 },
		{ "none is known", -1, 0, 0, 1, 0, 1 },
		{ "eight at most", -1, 0, 0, 0, 7, 8 },
		{ "nine are too many", -1, 0, 0, 0, 8, 8 },
		{ "the last ones", -1, 0, 0, CPU_SETSIZE - 2, CPU_SETSIZE - 1, 2 },
		{ "XDP has no workers", MODEL_DRIVER_XDP, 0, 2, 0, 3, 4 },
		{ "workers have two", MODEL_DRIVER_DPDK, 0, 2, 0, 3, 2 },
		{ "workers may have two", MODEL_DRIVER_AUTO, 0, 2, 0, 3, 2 },
		{ "workers have them all", MODEL_DRIVER_DPDK, 0, 2, 1, 2, 1 },
		{ "workers are elsewhere", MODEL_DRIVER_DPDK, 0, 2, 4, 6, 3 },
		{ "one worker, on the last", MODEL_DRIVER_DPDK, 0, 0, 0, 3, 3 },
		{ "one worker, if it is DPDK", MODEL_DRIVER_AUTO, 0, 0, 0, 3, 4 },
		{ "one CPU for both", MODEL_DRIVER_DPDK, 0, 0, 2, 2, 1 },
		{ "no CPU and a worker", MODEL_DRIVER_DPDK, 0, 0, 1, 0, 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct model_node node = { .driver = (enum model_driver)cases[i].driver,
			                   .dpdk = { .cores = { 1, 2 },
			                             .n_cores = cases[i].n_cores } };
		const struct model m = { .self = cases[i].driver < 0 ? NULL : &node,
			                 .dns_threads = cases[i].given };
		cpu_set_t allowed;

		print_message("  %s\n", cases[i].why);
		CPU_ZERO(&allowed);
		for (int cpu = cases[i].first; cpu <= cases[i].last; cpu++)
			CPU_SET((size_t)cpu, &allowed);
		assert_int_equal(model_dns_threads(&m, &allowed), cases[i].n);
	}
}

/* Note a refusal. @return how many lines were logged */
static unsigned count_logged(int err, const struct model_errors *errors, char *refusal)
{
	int ends[2], before = dup(STDERR_FILENO);
	char text[4096];
	unsigned lines = 0;

	assert_int_equal(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	model_note_refusal("/d", err, errors, refusal);
	dup2(before, STDERR_FILENO);
	close(before);
	close(ends[1]);
	for (ssize_t n; (n = read(ends[0], text, sizeof(text))) > 0;)
		for (ssize_t i = 0; i < n; i++)
			lines += text[i] == '\n';
	close(ends[0]);
	return lines;
}

/* Each error and the refusal have a line. */
static void a_refusal_is_logged_when_its_reason_is_another_one(void **state)
{
	static const struct {
		int err;
		const char *message, *kept;
		unsigned lines;
	} steps[] = {
		{ -EINVAL, "no such pool", "f: x: no such pool", 2 },
		{ -EINVAL, "no such pool", "f: x: no such pool", 0 },
		{ -EINVAL, "no such site", "f: x: no such site", 2 },
		{ -EMFILE, NULL, "Too many open files", 1 },
		{ -EMFILE, NULL, "Too many open files", 0 },
		{ -ENOENT, NULL, "", 1 },
		{ -EMFILE, NULL, "Too many open files", 1 },
		{ 0, NULL, "", 0 },
	};
	char refusal[MODEL_REFUSAL_MAX] = "";

	(void)state;
	for (size_t i = 0; i < COUNT(steps); i++) {
		struct model_errors errors = { 0 };

		if (steps[i].message)
			model_errors_add(&errors, "f", 0, "x", steps[i].message);
		assert_int_equal(count_logged(steps[i].err, &errors, refusal), steps[i].lines);
		assert_string_equal(refusal, steps[i].kept);
		model_errors_free(&errors);
	}
}

SUITE(parts)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_quantities_are_refused),
		cmocka_unit_test(quantities_are_read_and_written),
		cmocka_unit_test(distances_count_what_a_hand_gets_wrong),
		cmocka_unit_test(a_near_name_is_said_where_it_is_near_enough),
		cmocka_unit_test(as_many_threads_answer_as_cpus_are_free),
		cmocka_unit_test(each_row_of_the_schema_is_sound),
		cmocka_unit_test(each_setting_has_a_member_of_its_kind),
		cmocka_unit_test(each_word_stands_for_its_constant),
		cmocka_unit_test(what_is_not_written_is_empty_by_default),
		cmocka_unit_test(an_escape_ends_with_its_text),
		cmocka_unit_test(each_byte_has_its_escape_in_digits),
		cmocka_unit_test(letters_escape_what_they_say_and_no_others),
		cmocka_unit_test(an_override_rises_stays_and_returns),
		cmocka_unit_test(answers_lead_to_a_drained_site_for_its_longest_ttl_and_5_s),
		cmocka_unit_test(what_is_asked_of_a_node_is_that_of_the_document_s_instant),
		cmocka_unit_test(a_backend_s_identity_is_its_address_and_port),
		cmocka_unit_test(a_refusal_is_logged_when_its_reason_is_another_one),
	};

	return cmocka_run_group_tests_name("parts", tests, NULL, NULL);
}
