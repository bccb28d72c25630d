/* SPDX-License-Identifier: BSD-2-Clause */
/* Members that a gateway uses beside those of its settings. Ports of loopback at which nothing listens: what is asked fails at once. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mgmt/etcd/gateway_internal.h"
#include "tests/unit/suite.h"

static struct etcd_gateway *open_gateway(size_t n)
{
	static struct etcd_settings s;
	struct etcd_gateway *g = NULL;
	char reason[ETCD_REASON_MAX];

	s.n_endpoints = n;
	for (size_t i = 0; i < n; i++)
		snprintf(s.endpoints[i], ETCD_URL_MAX, "http://127.0.0.1:%zu", i + 1);
	assert_int_equal(etcd_gateway_open(&s, NULL, &g, reason), 0);
	return g;
}

/* Endpoint @p i is @p url, and refuses the connection; NULL: there is none. */
static void expect_endpoint(struct etcd_gateway *g, size_t i, const char *url)
{
	struct etcd_status status = { .db_bytes = 77 };
	int err = etcd_gateway_status(g, i, &status);

	assert_int_equal(err, url ? -EHOSTUNREACH : -EINVAL);
	assert_true(status.db_bytes == 77);
	if (url) {
		assert_true(!strncmp(etcd_gateway_reason(g), url, strlen(url)));
		assert_int_equal(etcd_gateway_reason(g)[strlen(url)], ':');
	}
}

static void more_members_come_behind_the_others(void **state)
{
	static const struct etcd_endpoints more = {
		.urls = { "http://127.0.0.1:2", "https://127.0.0.1:8", "ftp://127.0.0.1",
		          "https://127.0.0.1:8", "https://127.0.0.1:9", "https://127.0.0.1:10" },
		.n = 5,
	};
	struct etcd_gateway *g = open_gateway(2);

	(void)state;
	assert_string_equal(etcd_gateway_member(g), "http://127.0.0.1:1");
	expect_endpoint(g, 2, NULL);
	etcd_gateway_use(g, &more);
	expect_endpoint(g, 0, "http://127.0.0.1:1");
	expect_endpoint(g, 1, "http://127.0.0.1:2");
	expect_endpoint(g, 2, "https://127.0.0.1:8");
	expect_endpoint(g, 3, "https://127.0.0.1:9");
	expect_endpoint(g, 4, NULL);
	assert_string_equal(etcd_gateway_member(g),
	                    "http://127.0.0.1:1"); /* it asks no other than it says */
	etcd_gateway_use(g, &more);                /* again: none is new */
	expect_endpoint(g, 4, NULL);
	etcd_gateway_close(g);
}

static void there_are_nine_at_most(void **state)
{
	static const struct etcd_endpoints more = {
		.urls = { "https://127.0.0.1:11", "https://127.0.0.1:12" }, .n = 2
	};
	struct etcd_gateway *g = open_gateway(8);

	(void)state;
	expect_endpoint(g, 8, NULL);
	etcd_gateway_use(g, &more);
	expect_endpoint(g, 8, "https://127.0.0.1:11");
	expect_endpoint(g, 9, NULL);
	etcd_gateway_close(g);
}

/* Members are replaced, one after the other: what comes last has room. */
static void members_that_were_removed_make_room(void **state)
{
	struct etcd_gateway *g = open_gateway(2);
	struct etcd_endpoints more = { .n = 2 };
	struct etcd_lease lease;
	char last[ETCD_URL_MAX];

	(void)state;
	for (unsigned i = 11; i < 30; i++) {
		snprintf(more.urls[0], ETCD_URL_MAX, "https://127.0.0.1:%u", i);
		snprintf(more.urls[1], ETCD_URL_MAX, "https://127.0.0.1:%u", i + 1);
		etcd_gateway_use(g, &more);
		expect_endpoint(g, 0, "http://127.0.0.1:1"); /* of the settings */
		expect_endpoint(g, 1, "http://127.0.0.1:2");
		expect_endpoint(g, 4, NULL);
	}
	expect_endpoint(g, 2, "https://127.0.0.1:29");
	expect_endpoint(g, 3, "https://127.0.0.1:30");
	/* the current one stays, although nobody names it any more */
	while (strcmp(etcd_gateway_member(g), "https://127.0.0.1:30") != 0)
		etcd_gateway_leave(g);
	snprintf(more.urls[0], ETCD_URL_MAX, "https://127.0.0.1:31");
	more.n = 1;
	etcd_gateway_use(g, &more);
	snprintf(last, sizeof(last), "%s", etcd_gateway_member(g));
	assert_string_equal(last, "https://127.0.0.1:30");
	expect_endpoint(g, 2, "https://127.0.0.1:30");
	expect_endpoint(g, 3, "https://127.0.0.1:31");
	expect_endpoint(g, 4, NULL);
	assert_int_equal(etcd_gateway_grant(g, 5, &lease), -EHOSTUNREACH); /* all are tried */
	etcd_gateway_close(g);
}

/* What the settings have in addition to their own comes from an earlier list. */
static void kept_members_are_not_the_settings_own(void **state)
{
	static const struct etcd_endpoints none;
	struct etcd_gateway *g = NULL;
	char reason[ETCD_REASON_MAX];
	static struct etcd_settings s = {
		.endpoints = { "http://127.0.0.1:1", "https://127.0.0.1:7", "https://127.0.0.1:8" },
		.n_endpoints = 3,
		.n_own = 1
	};

	(void)state;
	assert_int_equal(etcd_gateway_open(&s, NULL, &g, reason), 0);
	expect_endpoint(g, 2, "https://127.0.0.1:8");
	etcd_gateway_use(g, &none);
	expect_endpoint(g, 0, "http://127.0.0.1:1");
	expect_endpoint(g, 1, NULL);
	etcd_gateway_close(g);
}

static void all_members_are_tried_and_the_first_has_its_turn_again(void **state)
{
	struct etcd_gateway *g = open_gateway(3);
	struct etcd_lease lease = { .id = 77 };

	(void)state;
	assert_string_equal(etcd_gateway_reason(g), "");
	assert_int_equal(etcd_gateway_grant(g, 5, &lease), -EHOSTUNREACH);
	assert_true(lease.id == 77);
	assert_true(!strncmp(etcd_gateway_reason(g), "http://127.0.0.1:3: ", 20));
	assert_string_equal(etcd_gateway_member(g), "http://127.0.0.1:1");
	assert_true(etcd_gateway_date_s(g) == 0);
	assert_true(etcd_gateway_foreign(g) == 0);
	/* what is not possible is not sent, and says so */
	assert_int_equal(etcd_gateway_grant(g, 0, &lease), -EINVAL);
	assert_non_null(strstr(etcd_gateway_reason(g), "TTL"));
	assert_int_equal(etcd_gateway_keepalive(g, 0, &lease), -EINVAL);
	etcd_gateway_close(g);
}

SUITE(etcd_endpoints)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(more_members_come_behind_the_others),
		cmocka_unit_test(there_are_nine_at_most),
		cmocka_unit_test(members_that_were_removed_make_room),
		cmocka_unit_test(kept_members_are_not_the_settings_own),
		cmocka_unit_test(all_members_are_tried_and_the_first_has_its_turn_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
