/* SPDX-License-Identifier: BSD-2-Clause */
/* What a member of etcd is started with, as a whole text; which names it may have; who is found in a list of members. */
#include "fixture.h"

#include "mgmt/setup/etcd_unit.h"
#include "mgmt/setup/host_command.h"
#include "mgmt/setup/store_members.h"
#include "tests/unit/suite.h"

static const char begin_text[] =
        "# Written by weir store: a member of the store that Weir's nodes share.\n"
        "# The settings before it are in /etc/default/etcd.before-weir.\n";

static const char tls_text[] = "ETCD_CLIENT_CERT_AUTH=\"true\"\n"
                               "ETCD_TRUSTED_CA_FILE=\"/etc/etcd-weir/ca.crt\"\n"
                               "ETCD_CERT_FILE=\"/etc/etcd-weir/member.crt\"\n"
                               "ETCD_KEY_FILE=\"/etc/etcd-weir/member.key\"\n"
                               "ETCD_PEER_CLIENT_CERT_AUTH=\"true\"\n"
                               "ETCD_PEER_TRUSTED_CA_FILE=\"/etc/etcd-weir/ca.crt\"\n"
                               "ETCD_PEER_CERT_FILE=\"/etc/etcd-weir/member.crt\"\n"
                               "ETCD_PEER_KEY_FILE=\"/etc/etcd-weir/member.key\"\n"
                               "ETCD_EXPERIMENTAL_PEER_SKIP_CLIENT_SAN_VERIFICATION=\"true\"\n";

static const char end_text[] = "ETCD_AUTO_COMPACTION_MODE=\"periodic\"\n"
                               "ETCD_AUTO_COMPACTION_RETENTION=\"5m\"\n"
                               "ETCD_QUOTA_BACKEND_BYTES=\"268435456\"\n";

static void the_settings_of_a_member_are_these(void **state)
{
	static const struct {
		struct etcd_unit unit;
		const char *own, *allowed, *why;
	} rows[] = {
		{ { .id = "0123",
		    .name = "ams-1",
		    .address = "10.1.0.1",
		    .cluster = "ams-1=https://10.1.0.1:2380",
		    .has_own_ca = true },
		  "ETCD_NAME=\"ams-1\"\n"
		  "ETCD_DATA_DIR=\"/var/lib/etcd/weir\"\n"
		  "ETCD_LISTEN_CLIENT_URLS=\"https://10.1.0.1:2379\"\n"
		  "ETCD_ADVERTISE_CLIENT_URLS=\"https://10.1.0.1:2379\"\n"
		  "ETCD_LISTEN_PEER_URLS=\"https://10.1.0.1:2380\"\n"
		  "ETCD_INITIAL_ADVERTISE_PEER_URLS=\"https://10.1.0.1:2380\"\n"
		  "ETCD_INITIAL_CLUSTER=\"ams-1=https://10.1.0.1:2380\"\n"
		  "ETCD_INITIAL_CLUSTER_STATE=\"new\"\n"
		  "ETCD_INITIAL_CLUSTER_TOKEN=\"weir-0123\"\n",
		  "ETCD_PEER_CERT_ALLOWED_CN=\"weir-store-member\"\n",
		  "the first, with a CA of the store" },
		{ { .id = "4567",
		    .name = "b",
		    .address = "fd00::2",
		    .cluster = "a=https://[fd00::1]:2380,b=https://[fd00::2]:2380",
		    .joins = true },
		  "ETCD_NAME=\"b\"\n"
		  "ETCD_DATA_DIR=\"/var/lib/etcd/weir\"\n"
		  "ETCD_LISTEN_CLIENT_URLS=\"https://[fd00::2]:2379\"\n"
		  "ETCD_ADVERTISE_CLIENT_URLS=\"https://[fd00::2]:2379\"\n"
		  "ETCD_LISTEN_PEER_URLS=\"https://[fd00::2]:2380\"\n"
		  "ETCD_INITIAL_ADVERTISE_PEER_URLS=\"https://[fd00::2]:2380\"\n"
		  "ETCD_INITIAL_CLUSTER=\"a=https://[fd00::1]:2380,b=https://[fd00::2]:2380\"\n"
		  "ETCD_INITIAL_CLUSTER_STATE=\"existing\"\n"
		  "ETCD_INITIAL_CLUSTER_TOKEN=\"weir-4567\"\n",
		  "",
		  "one that joins, with a person's CA: any common name" },
	};
	char expected[4096];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = etcd_unit_settings(&rows[i].unit);

		print_message("  %s\n", rows[i].why);
		assert_non_null(text);
		snprintf(expected, sizeof(expected), "%s%s%s%s%s", begin_text, rows[i].own,
		         tls_text, rows[i].allowed, end_text);
		assert_string_equal(text, expected);
		free(text);
	}
}

static void a_name_is_of_few_letters_and_begins_with_a_letter_or_digit(void **state)
{
	static const struct {
		const char *name;
		bool ok;
	} rows[] = {
		{ "a", true },
		{ "0", true },
		{ "z9", true },
		{ "ams-1.b_c", true },
		{ "", false },
		{ ".a", false },
		{ "_a", false },
		{ "-a", false },
		{ "A", false },
		{ "a b", false },
		{ "a=b", false },
		{ "a,b", false },
		{ "a/b", false },
		{ "012345678901234567890123456789012345678901234567890123456789012", true },
		{ "0123456789012345678901234567890123456789012345678901234567890123", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("  \"%s\"\n", rows[i].name);
		assert_int_equal(etcd_unit_name_ok(rows[i].name), rows[i].ok);
	}
}

static void a_url_has_brackets_around_ipv6_alone(void **state)
{
	char url[64];

	(void)state;
	assert_ptr_equal(etcd_unit_url("10.1.0.1", 2379, url, sizeof(url)), url);
	assert_string_equal(url, "https://10.1.0.1:2379");
	assert_string_equal(etcd_unit_url("fd00::1", 2380, url, sizeof(url)),
	                    "https://[fd00::1]:2380");
}

static void members_are_found_and_counted(void **state)
{
	static struct etcd_members l = {
		.members = { { .id = 1, .name = "a", .peer_url = "https://10.0.0.1:2380" },
		             { .id = 2,
		               .name = "b",
		               .peer_url = "https://10.0.0.2:2380",
		               .is_learner = true },
		             { .id = 3, .name = "c", .peer_url = "https://10.0.0.3:2380" },
		             { .id = 4, .name = "d", .peer_url = "https://10.0.0.4:2380" } },
		.n = 3,
	};

	(void)state;
	assert_ptr_equal(store_members_find_peer(&l, "https://10.0.0.1:2380"), &l.members[0]);
	assert_ptr_equal(store_members_find_peer(&l, "https://10.0.0.3:2380"), &l.members[2]);
	assert_null(store_members_find_peer(&l, "https://10.0.0.4:2380")); /* behind the end */
	assert_null(store_members_find_peer(&l, "a"));
	assert_ptr_equal(store_members_find_name(&l, "b"), &l.members[1]);
	assert_ptr_equal(store_members_find_name(&l, "c"), &l.members[2]);
	assert_null(store_members_find_name(&l, "d"));
	assert_null(store_members_find_name(&l, "https://10.0.0.1:2380"));
	assert_int_equal(store_members_voters(&l), 2);
	l.n = 4;
	assert_int_equal(store_members_voters(&l), 3);
	l.n = 0;
	assert_int_equal(store_members_voters(&l), 0);
}

static void a_program_says_one_plain_line_and_its_status(void **state)
{
	static const struct {
		const char *script;
		int status;
		const char *said, *why;
	} rows[] = {
		{ "true", 0, "", "nothing said" },
		{ "echo one; echo two >&2; echo; exit 7", 7, "one two",
		  "both outputs; no space at the end" },
		{ "printf 'a\\000b'", 0, "a b", "a NUL ends nothing" },
		{ "kill -9 $$", -EIO, "", "a signal is no status" },
		{ "cat", 0, "", "its input is empty" },
		{ "printf '%255s' '' | tr ' ' x", 0, NULL, "as much as fits" },
		{ "printf '%2000s' '' | tr ' ' x", 0, NULL, "the rest is dropped, and read" },
	};
	char said[HOST_COMMAND_SAID_MAX], full[HOST_COMMAND_SAID_MAX] = "";
	const char *const none[] = { "/nowhere/program", NULL };

	(void)state;
	memset(full, 'x', sizeof(full) - 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *const argv[] = { "sh", "-c", rows[i].script, NULL };

		print_message("  %s\n", rows[i].why);
		assert_int_equal(host_command_run(argv, said), rows[i].status);
		assert_string_equal(said, rows[i].said ? rows[i].said : full);
		assert_int_equal(host_command_run(argv, NULL), rows[i].status);
	}
	assert_int_equal(host_command_run(none, said), -ENOENT);
}

static void a_quota_is_that_of_our_own_settings(void **state)
{
#define OURS "# x\nETCD_DATA_DIR=\"/var/lib/etcd/weir\"\n"
	static const struct {
		const char *text, *why;
		uint64_t quota;
	} rows[] = {
		{ "", "none", 0 },
		{ "ETCD_DATA_DIR=\"/var/lib/etcd/other\"\nETCD_QUOTA_BACKEND_BYTES=\"1\"\n",
		  "another member's", 0 },
		{ OURS, "etcd's own", 0 },
		{ OURS "ETCD_QUOTA_BACKEND_BYTES=\"536870912\"\n", "raised", 536870912 },
		{ OURS "ETCD_QUOTA_BACKEND_BYTES=536870912\n", "without quotes", 536870912 },
		{ OURS "ETCD_QUOTA_BACKEND_BYTES='8589934592'", "in others", 8589934592 },
		{ OURS "#ETCD_QUOTA_BACKEND_BYTES=\"1\"\n", "a comment", 0 },
		{ OURS "ETCD_QUOTA_BACKEND_BYTES=\"1\"\nETCD_QUOTA_BACKEND_BYTES=\"2\"\n",
		  "the last counts", 2 },
	};
	const struct etcd_unit unit = {
		.id = "0", .name = "a", .address = "10.0.0.1", .cluster = "a=b"
	};
	char *text = etcd_unit_settings(&unit);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("  %s\n", rows[i].why);
		assert_int_equal(etcd_unit_quota(rows[i].text), rows[i].quota);
	}
	assert_int_equal(etcd_unit_quota(text), ETCD_UNIT_QUOTA);
	free(text);
}

SUITE(setup_unit)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_settings_of_a_member_are_these),
		cmocka_unit_test(a_name_is_of_few_letters_and_begins_with_a_letter_or_digit),
		cmocka_unit_test(a_url_has_brackets_around_ipv6_alone),
		cmocka_unit_test(members_are_found_and_counted),
		cmocka_unit_test(a_quota_is_that_of_our_own_settings),
		cmocka_unit_test(a_program_says_one_plain_line_and_its_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
