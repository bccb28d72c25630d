/* SPDX-License-Identifier: BSD-2-Clause */
/* The file that says where shared intent is: what is read, what is refused and why, and that it is written whole. */
#include "fixture.h"

#include <fcntl.h>

#include "mgmt/store/store_conf.h"
#include "tests/unit/suite.h"

#define ID "0123456789abcdef0123456789abcdef"

static void write_conf(const struct fixture *f, const char *text)
{
	fixture_write(f->conf, STORE_CONF_FILE, text);
}

static const char whole[] =
        "{\"id\":\"" ID "\",\"endpoints\":[\"https://10.0.0.1:2379\",\"https://[fd00::1]:2379\"],"
        "\"prefix\":\"/weir/shop/\",\"user\":\"weir\",\"password_file\":\"/etc/secret\","
        "\"ca\":\"ca.crt\",\"certificate\":\"node.crt\",\"key\":\"node.key\"}";

static void all_settings_are_read(void **state)
{
	static struct store_conf c;
	static struct etcd_settings s;
	char reason[ETCD_REASON_MAX] = "", path[PATH_MAX];
	struct fixture f;

	(void)state;
	fixture_make(&f);
	write_conf(&f, whole);
	assert_int_equal(store_conf_read(f.conf, &c, reason), 0);
	assert_string_equal(c.id, ID);
	assert_string_equal(c.prefix, "/weir/shop/");
	assert_int_equal(store_conf_settings(&c, f.conf, &s), 0);
	assert_int_equal(s.n_endpoints, 2);
	assert_string_equal(s.endpoints[0], "https://10.0.0.1:2379");
	assert_string_equal(s.endpoints[1], "https://[fd00::1]:2379");
	assert_string_equal(s.user, "weir");
	assert_string_equal(s.password_file, "/etc/secret");
	snprintf(path, sizeof(path), "%s/ca.crt", f.conf);
	assert_string_equal(s.tls.ca, path);
	snprintf(path, sizeof(path), "%s/node.crt", f.conf);
	assert_string_equal(s.tls.certificate, path);
	snprintf(path, sizeof(path), "%s/node.key", f.conf);
	assert_string_equal(s.tls.key, path);
	fixture_remove(&f);
}

static void what_is_missing_has_a_default(void **state)
{
	static struct store_conf c;
	static struct etcd_settings s;
	char reason[ETCD_REASON_MAX] = "";
	struct fixture f;

	(void)state;
	fixture_make(&f);
	write_conf(&f, "{\"id\":\"" ID "\",\"endpoints\":[\"http://127.0.0.1:2379\"]}");
	assert_int_equal(store_conf_read(f.conf, &c, reason), 0);
	assert_string_equal(c.prefix, "/weir/");
	assert_int_equal(store_conf_settings(&c, f.conf, &s), 0);
	assert_string_equal(s.tls.ca, "");
	assert_string_equal(s.tls.certificate, "");
	assert_string_equal(s.tls.key, "");
	assert_string_equal(s.password_file, "");
	fixture_remove(&f);
}

#define MORE(text) "{\"id\":\"" ID "\",\"endpoints\":[\"http://a:1\"]," text "}"

static void what_is_wrong_is_said_and_nothing_is_taken(void **state)
{
	static const struct {
		const char *text, *reason;
	} rows[] = {
		{ "", "store.conf:1: '[' or '{' expected near end of file" },
		{ "{\n\n\"id\" 5}", "store.conf:3: ':' expected near '5'" },
		{ "{}", "store.conf: id must have 32 digits 0-9 and a-f" },
		{ "{\"id\":\"0123456789ABCDEF0123456789abcdef\"}",
		  "store.conf: id must have 32 digits 0-9 and a-f" },
		{ "{\"id\":\"0123456789abcdef0123456789abcde\"}",
		  "store.conf: id must have 32 digits 0-9 and a-f" },
		{ "{\"id\":\"" ID "\"}",
		  "store.conf: endpoints must name at least one member of etcd" },
		{ "{\"id\":\"" ID
		  "\",\"endpoints\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\"]}",
		  "store.conf: store.endpoints is no list of at most 9" },
		{ MORE("\"prefix\":\"weir/\""),
		  "store.conf: prefix must begin and end with a slash, as \"/weir/\"" },
		{ MORE("\"prefix\":\"/weir\""),
		  "store.conf: prefix must begin and end with a slash, as \"/weir/\"" },
		{ MORE("\"prefix\":\"/\""),
		  "store.conf: prefix must begin and end with a slash, as \"/weir/\"" },
		{ MORE("\"prefix\":\"/a//b/\""),
		  "store.conf: prefix must begin and end with a slash, as \"/weir/\"" },
		{ MORE("\"prefix\":\"/a b/\""),
		  "store.conf: prefix must begin and end with a slash, as \"/weir/\"" },
		{ MORE("\"user\":\"u\""), "store.conf: user and password_file need each other" },
		{ MORE("\"password_file\":\"p\""),
		  "store.conf: user and password_file need each other" },
		{ MORE("\"key\":\"k\""), "store.conf: certificate and key need each other" },
		{ MORE("\"certificate\":\"c\""),
		  "store.conf: certificate and key need each other" },
		{ MORE("\"ca\":\"\\u001b[2J\""), "store.conf: a name has control characters" },
		{ MORE("\"user\":\"\\u001b[2J\",\"password_file\":\"p\""),
		  "store.conf: a name has control characters" },
		{ MORE("\"user\":\"u\",\"password_file\":\"\\n\""),
		  "store.conf: a name has control characters" },
		{ MORE("\"certificate\":\"\\n\",\"key\":\"k\""),
		  "store.conf: a name has control characters" },
		{ MORE("\"certificate\":\"c\",\"key\":\"\\n\""),
		  "store.conf: a name has control characters" },
		{ MORE("\"certifcate\":\"c\""), "store.conf: there is no setting \"certifcate\"" },
		{ MORE("\"\\u001b\":\"c\""), "store.conf: there is no setting \"\"" },
		{ MORE("\"id\":\"" ID "\""), "store.conf:1: duplicate object key near '\"id\"'" },
		{ "[]", "store.conf: store is no object" },
	};
	static struct store_conf c;
	struct fixture f;

	(void)state;
	fixture_make(&f);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char reason[ETCD_REASON_MAX] = "";

		c.n_endpoints = 77;
		write_conf(&f, rows[i].text);
		print_message("  %s\n", rows[i].text);
		assert_int_equal(store_conf_read(f.conf, &c, reason), -EINVAL);
		assert_string_equal(reason, rows[i].reason);
		assert_int_equal(c.n_endpoints, 77);
	}
	fixture_remove(&f);
}

static void a_file_that_cannot_be_one_is_refused(void **state)
{
	static struct store_conf c;
	char path[PATH_MAX], reason[ETCD_REASON_MAX], *large = malloc(STORE_CONF_MAX + 2);
	struct fixture f;

	(void)state;
	assert_non_null(large);
	fixture_make(&f);
	snprintf(path, sizeof(path), "%s/" STORE_CONF_FILE, f.conf);
	assert_int_equal(store_conf_read(f.conf, &c, reason), -ENOENT);
	assert_string_equal(reason, "store.conf: No such file or directory");
	assert_int_equal(mkfifo(path, 0600), 0); /* nothing waits for its writer */
	assert_int_equal(store_conf_read(f.conf, &c, reason), -EINVAL);
	assert_string_equal(reason, "store.conf: it must be a file of at most 64 KiB");
	unlink(path);
	memset(large, ' ', STORE_CONF_MAX + 1);
	memcpy(large, whole, strlen(whole));
	large[STORE_CONF_MAX + 1] = '\0';
	write_conf(&f, large);
	assert_int_equal(store_conf_read(f.conf, &c, reason), -EINVAL);
	assert_string_equal(reason, "store.conf: it must be a file of at most 64 KiB");
	large[STORE_CONF_MAX] = '\0';
	write_conf(&f, large);
	assert_int_equal(store_conf_read(f.conf, &c, reason), 0);
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	fwrite("{}\0", 1, 3, out);
	fclose(out);
	assert_int_equal(store_conf_read(f.conf, &c, reason), -EINVAL);
	assert_string_equal(reason, "store.conf: it has a NUL");
	free(large);
	fixture_remove(&f);
}

static void what_is_written_is_read(void **state)
{
	static struct store_conf c, again;
	char reason[ETCD_REASON_MAX], path[PATH_MAX];
	struct fixture f;
	struct stat st;

	(void)state;
	fixture_make(&f);
	snprintf(path, sizeof(path), "%s/" STORE_CONF_FILE, f.conf);
	write_conf(&f, whole);
	assert_int_equal(store_conf_read(f.conf, &c, reason), 0);
	unlink(path);
	assert_int_equal(store_conf_write(f.conf, &c, reason), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(store_conf_read(f.conf, &again, reason), 0);
	assert_memory_equal(&c, &again, sizeof(c));
	/* what is wrong is not written, and what was there stays */
	c.id[0] = 'x';
	assert_int_equal(store_conf_write(f.conf, &c, reason), -EINVAL);
	assert_string_equal(reason, "store.conf: id must have 32 digits 0-9 and a-f");
	assert_int_equal(store_conf_read(f.conf, &again, reason), 0);
	c.id[0] = '0';
	assert_int_equal(store_conf_write("/nowhere", &c, reason), -ENOENT);
	assert_string_equal(reason, "store.conf: No such file or directory");
	fixture_remove(&f);
}

static void a_path_that_is_too_long_is_refused(void **state)
{
	static struct store_conf c;
	static struct etcd_settings s;
	static char *const paths[] = { c.password_file, c.ca, c.certificate, c.key };

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		memset(paths[i], 'x', PATH_MAX - 1);
		assert_int_equal(store_conf_settings(&c, "/c", &s), -ENAMETOOLONG);
		paths[i][0] = '/';
		assert_int_equal(store_conf_settings(&c, "/c", &s), 0);
		paths[i][0] = '\0';
	}
}

SUITE(store_conf)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_settings_are_read),
		cmocka_unit_test(what_is_missing_has_a_default),
		cmocka_unit_test(what_is_wrong_is_said_and_nothing_is_taken),
		cmocka_unit_test(a_file_that_cannot_be_one_is_refused),
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(a_path_that_is_too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
