/* SPDX-License-Identifier: BSD-2-Clause */
/* The files of a node that is in a store, and store.join: what is written, read, refused, in the way, and taken back. */
#include "fixture.h"

#include <malloc.h>
#include <time.h>

#include "mgmt/setup/node_files.h"
#include "mgmt/setup/store_backup.h"
#include "mgmt/setup/store_note.h"
#include "mgmt/files/digest.h"
#include "tests/unit/suite.h"

#define ID "0123456789abcdef0123456789abcdef"

static char *read_text(const char *dir, const char *name)
{
	char path[PATH_MAX], *text = NULL;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(files_slurp(path, &text, &n), 0);
	return text;
}

static void check_file(const char *dir, const char *name, unsigned mode, const char *expected)
{
	char path[PATH_MAX], *text = read_text(dir, name);
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, mode);
	if (expected)
		assert_string_equal(text, expected);
	free(text);
}

static bool is_there(const char *dir, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return !access(path, F_OK);
}

/* A CA, and what it signs: dear, so made once. */
static struct certificate_pair ca, other_ca, client, member;

static int make_certificates(void **state)
{
	(void)state;
	return certificates_make_ca("ours", &ca) || certificates_make_ca("other", &other_ca) ||
	       certificates_sign(&ca, "node", NULL, &client) ||
	       certificates_sign(&ca, CERTIFICATES_MEMBER, "10.0.0.1", &member);
}

static struct join_file *make_own(void)
{
	struct join_file *j = calloc(1, sizeof(*j));

	assert_non_null(j);
	strcpy(j->warning, "a secret");
	strcpy(j->id, ID);
	strcpy(j->endpoints[0], "https://10.0.0.1:2379");
	strcpy(j->endpoints[1], "https://[fd00::1]:2379");
	j->n_endpoints = 2;
	strcpy(j->prefix, "/weir/");
	strcpy(j->ca, ca.pem);
	strcpy(j->ca_key, ca.key);
	j->is_own = true;
	return j;
}

/* One that has all that the other has not. */
static struct join_file *make_given(void)
{
	struct join_file *j = make_own();

	strcpy(j->endpoints[0], "http://10.0.0.1:2379");
	strcpy(j->user, "weir");
	strcpy(j->password, "pw");
	memset(j->ca_key, 0, sizeof(j->ca_key));
	strcpy(j->certificate, client.pem);
	strcpy(j->key, client.key);
	j->is_own = false;
	return j;
}

static void a_join_file_is_read_as_it_was_written(void **state)
{
	struct join_file *rows[] = { make_own(), make_given() };
	char reason[ETCD_REASON_MAX], path[PATH_MAX];
	struct fixture f;

	(void)state;
	fixture_make(&f);
	snprintf(path, sizeof(path), "%s/" JOIN_FILE, f.conf);
	for (size_t i = 0; i < 2; i++) {
		struct join_file *read = calloc(1, sizeof(*read));

		assert_int_equal(join_file_write(f.conf, rows[i]), 0);
		check_file(f.conf, JOIN_FILE, 0600, NULL);
		assert_int_equal(join_file_read(path, read, reason), 0);
		assert_memory_equal(read, rows[i], sizeof(*read));
		free(read);
		free(rows[i]);
	}
	assert_int_equal(join_file_write("/nowhere", &(struct join_file){ 0 }), -ENOENT);
	fixture_remove(&f);
}

/* Only the file of this very store, whose members Weir has set up, gets the members that there are; its mode stays. */
static void a_join_file_is_renewed_if_it_is_of_this_store(void **state)
{
	static const struct etcd_members members = {
		.members = { { .name = "a", .client_url = "https://10.0.0.7:2379" },
		             { .name = "b",
		               .client_url = "https://10.0.0.8:2379",
		               .is_learner = true },
		             { .name = "c", .client_url = "https://10.0.0.9:2379" } },
		.n = 3
	};
	static const struct etcd_members learner = {
		.members = { { .client_url = "https://10.0.0.8:2379", .is_learner = true } }, .n = 1
	};
	static const struct {
		const char *why, *id;
		struct join_file *(*make)(void);
		const struct etcd_members *members;
		bool is_renewed;
	} rows[] = {
		{ "it is of this store", ID, make_own, &members, true },
		{ "the members are somebody else's", ID, make_given, &members, false },
		{ "it is of another store", "0123456789abcdef0123456789abcdee", make_own, &members,
		  false },
		{ "nobody has a vote", ID, make_own, &learner, false },
	};
	struct join_file *read = calloc(1, sizeof(*read));
	char reason[ETCD_REASON_MAX], path[PATH_MAX];
	struct fixture f;

	(void)state;
	fixture_make(&f);
	snprintf(path, sizeof(path), "%s/" JOIN_FILE, f.conf);
	assert_int_equal(join_file_renew(path, ID, &members), 0);
	assert_false(is_there(f.conf, JOIN_FILE));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct join_file *j = rows[i].make();

		assert_int_equal(join_file_write(f.conf, j), 0);
		assert_int_equal(chmod(path, 0640), 0);
		assert_int_equal(join_file_renew(path, rows[i].id, rows[i].members), 0);
		check_file(f.conf, JOIN_FILE, 0640, NULL);
		assert_int_equal(join_file_read(path, read, reason), 0);
		if (rows[i].is_renewed) {
			memset(j->endpoints, 0, sizeof(j->endpoints));
			strcpy(j->endpoints[0], "https://10.0.0.7:2379");
			strcpy(j->endpoints[1], "https://10.0.0.9:2379");
		}
		if (memcmp(read, j, sizeof(*read)) != 0)
			fail_msg("%s: %s", rows[i].why, read->endpoints[0]);
		free(j);
	}
	free(read);
	fixture_remove(&f);
}

static void break_id(struct join_file *j)
{
	j->id[31] = 'g';
}

static void break_prefix(struct join_file *j)
{
	strcpy(j->prefix, "/weir");
}

static void break_user(struct join_file *j)
{
	strcpy(j->user, "a\nb");
	strcpy(j->password, "p");
}

static void break_password(struct join_file *j)
{
	strcpy(j->user, "a");
	strcpy(j->password, "p\x1b");
}

static void leave_password(struct join_file *j)
{
	strcpy(j->user, "a");
}

static void leave_user(struct join_file *j)
{
	strcpy(j->password, "a");
}

static void leave_endpoints(struct join_file *j)
{
	j->n_endpoints = 0;
}

static void break_endpoint(struct join_file *j)
{
	strcpy(j->endpoints[1], "ftp://10.0.0.1");
}

static void give_http(struct join_file *j)
{
	strcpy(j->endpoints[1], "http://10.0.0.1:2379");
}

static void break_ca(struct join_file *j)
{
	strcpy(j->ca, "x");
}

static void leave_ca(struct join_file *j)
{
	strcpy(j->ca, "");
}

static void take_others(struct join_file *j)
{
	j->is_own = false;
}

static void add_certificate(struct join_file *j)
{
	strcpy(j->certificate, client.pem);
	strcpy(j->key, client.key);
}

static void swap_ca_key(struct join_file *j)
{
	strcpy(j->ca_key, other_ca.key);
}

static void give_certificate_of_other(struct join_file *j)
{
	strcpy(j->ca, other_ca.pem);
	strcpy(j->ca_key, "");
	add_certificate(j);
}

static void give_key_alone(struct join_file *j)
{
	strcpy(j->ca_key, "");
	strcpy(j->key, client.key);
}

static void give_certificate_alone(struct join_file *j)
{
	strcpy(j->ca_key, "");
	strcpy(j->certificate, client.pem);
}

static void what_is_wrong_in_a_join_file_is_said(void **state)
{
	static const struct {
		void (*change)(struct join_file *j);
		const char *reason;
	} rows[] = {
		{ break_id, "store.join: id must have 32 digits 0-9 and a-f" },
		{ break_prefix,
		  "store.join: prefix must begin and end with a slash, as \"/weir/\"" },
		{ break_user, "store.join: user or password has control characters" },
		{ break_password, "store.join: user or password has control characters" },
		{ leave_password, "store.join: user and password need each other" },
		{ leave_user, "store.join: user and password need each other" },
		{ leave_endpoints, "store.join: endpoints: " },
		{ break_endpoint, "store.join: endpoints: " },
		{ give_http, "store.join: endpoints must begin with https://" },
		{ break_ca, "store.join: ca cannot be read: PEM is expected" },
		{ leave_ca, "store.join: ca_key goes with ca and is_own, without a certificate" },
		{ take_others,
		  "store.join: ca_key goes with ca and is_own, without a certificate" },
		{ add_certificate,
		  "store.join: ca_key goes with ca and is_own, without a certificate" },
		{ swap_ca_key, "store.join: the certificate and the key do not belong together" },
		{ give_certificate_of_other,
		  "store.join: the certificate is not a client's (clientAuth) that this CA has signed, or its time is over" },
		{ give_key_alone, "store.join: the certificate cannot be read: PEM is expected" },
		{ give_certificate_alone,
		  "store.join: the key cannot be read: PEM without a password is expected" },
	};
	struct join_file *read = calloc(1, sizeof(*read));
	char path[PATH_MAX], reason[ETCD_REASON_MAX];
	struct fixture f;

	(void)state;
	fixture_make(&f);
	snprintf(path, sizeof(path), "%s/" JOIN_FILE, f.conf);
	assert_int_equal(join_file_read(path, read, reason), -ENOENT);
	assert_string_equal(reason, "store.join: No such file or directory");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct join_file *j = make_own();
		size_t n = strlen(rows[i].reason);

		print_message("  %s\n", rows[i].reason);
		rows[i].change(j);
		assert_int_equal(join_file_write(f.conf, j), 0);
		read->n_endpoints = 77;
		strcpy(reason, "");
		assert_int_equal(join_file_read(path, read, reason), -EINVAL);
		if (rows[i].reason[n - 1] == ' ') /* what the client of etcd says follows */
			assert_true(!strncmp(reason, rows[i].reason, n) && strlen(reason) > n);
		else
			assert_string_equal(reason, rows[i].reason);
		assert_int_equal(read->n_endpoints, 77);
		free(j);
	}
	fixture_write(f.conf, JOIN_FILE, "{\"id\":\"" ID "\",\"idd\":1}");
	assert_int_equal(join_file_read(path, read, reason), -EINVAL);
	assert_string_equal(reason, "store.join: there is no setting \"idd\"");
	free(read);
	fixture_remove(&f);
}

static void a_node_has_the_files_that_it_needs(void **state)
{
	static const struct certificate_pair pair = { "certificate", "key" };
	static const struct certificate_pair none;
	char reason[ETCD_UNIT_REASON_MAX] = "";
	struct fixture f;

	(void)state;
	fixture_make(&f);
	assert_int_equal(node_files_write(f.conf, "", &none, "", reason), 0);
	assert_null(node_files_in_the_way(f.conf, true));
	assert_int_equal(node_files_write(f.conf, "ca", &pair, "password", reason), 0);
	check_file(f.conf, "store-ca.crt", 0640, "ca");
	check_file(f.conf, "store.crt", 0640, "certificate");
	check_file(f.conf, "store.key", 0400, "key");
	check_file(f.conf, "store.password", 0400, "password");
	/* what is not given stays as it is */
	assert_int_equal(node_files_write(f.conf, "ca 2", &none, "", reason), 0);
	check_file(f.conf, "store-ca.crt", 0640, "ca 2");
	check_file(f.conf, "store.key", 0400, "key");
	assert_int_equal(node_files_write("/nowhere", "ca", &none, "", reason), -ENOENT);
	assert_string_equal(reason, "/nowhere/store-ca.crt: No such file or directory");
	assert_int_equal(node_files_write("/nowhere", "", &pair, "", reason), -ENOENT);
	assert_string_equal(reason, "/nowhere/store.crt: No such file or directory");
	assert_int_equal(node_files_write("/nowhere", "", &none, "p", reason), -ENOENT);
	assert_string_equal(reason, "/nowhere/store.password: No such file or directory");
	fixture_remove(&f);
}

static void a_file_is_in_the_way_of_who_would_write_it(void **state)
{
	static const struct {
		const char *name;
		bool with_join, without;
	} rows[] = {
		{ "store-ca.crt", true, true },    { "store.crt", true, true },
		{ "store.key", true, true },       { "store.password", true, true },
		{ "store.join", true, false },     { "store.conf", false, false },
		{ "store.crt.old", false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture f;
		const char *with, *without;

		print_message("  %s\n", rows[i].name);
		fixture_make(&f);
		fixture_write(f.conf, rows[i].name, "a person's");
		with = node_files_in_the_way(f.conf, true);
		without = node_files_in_the_way(f.conf, false);
		assert_int_equal(with != NULL, rows[i].with_join);
		assert_int_equal(without != NULL, rows[i].without);
		if (with)
			assert_string_equal(with, rows[i].name);
		if (without)
			assert_string_equal(without, rows[i].name);
		fixture_remove(&f);
	}
}

static void the_settings_of_a_node_are_those_of_the_join_file(void **state)
{
	static struct store_conf c, expected;
	struct join_file *j = make_given();

	(void)state;
	strcpy(expected.id, ID);
	strcpy(expected.endpoints[0], "http://10.0.0.1:2379");
	strcpy(expected.endpoints[1], "https://[fd00::1]:2379");
	expected.n_endpoints = 2;
	strcpy(expected.prefix, "/weir/");
	strcpy(expected.user, "weir");
	strcpy(expected.password_file, "store.password");
	strcpy(expected.ca, "store-ca.crt");
	strcpy(expected.certificate, "store.crt");
	strcpy(expected.key, "store.key");
	node_files_settings(j, true, &c);
	assert_memory_equal(&c, &expected, sizeof(c));
	memset(expected.certificate, 0, sizeof(expected.certificate));
	memset(expected.key, 0, sizeof(expected.key));
	node_files_settings(j, false, &c);
	assert_memory_equal(&c, &expected, sizeof(c));
	memset(j->user, 0, sizeof(j->user));
	memset(j->password, 0, sizeof(j->password));
	memset(j->ca, 0, sizeof(j->ca));
	memset(expected.user, 0, sizeof(expected.user));
	memset(expected.password_file, 0, sizeof(expected.password_file));
	memset(expected.ca, 0, sizeof(expected.ca));
	node_files_settings(j, false, &c);
	assert_memory_equal(&c, &expected, sizeof(c));
	free(j);
}

static void write_conf(const char *dir)
{
	fixture_write(dir, STORE_CONF_FILE,
	              "{\"id\":\"" ID "\",\"endpoints\":[\"http://127.0.0.1:1\"]}");
}

static void a_note_of_what_is_unfinished_is_read_again(void **state)
{
	static const struct unfinished rows[] = {
		{ 0 },
		{ .has_etcd = true },
		{ .was_active = true },
		{ .has_join = true, .id = ID },
		{ .keeps = true },
	};
	char reason[ETCD_UNIT_REASON_MAX] = "";
	struct unfinished u;
	struct fixture f;

	(void)state;
	fixture_make(&f);
	assert_false(node_files_unfinished(f.conf, &u));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memset(&u, 0x55, sizeof(u));
		assert_int_equal(node_files_begin(f.conf, &rows[i], reason), 0);
		check_file(f.conf, "store.unfinished", 0600, NULL);
		assert_true(node_files_unfinished(f.conf, &u));
		assert_int_equal(u.has_etcd, rows[i].has_etcd);
		assert_int_equal(u.was_active, rows[i].was_active);
		assert_int_equal(u.has_join, rows[i].has_join);
		assert_string_equal(u.id, rows[i].id);
		assert_int_equal(u.keeps, rows[i].keeps);
	}
	assert_int_equal(node_files_begin("/nowhere", &rows[0], reason), -ENOENT);
	assert_string_equal(reason, "store.unfinished: No such file or directory");
	fixture_remove(&f);
}

static void a_note_goes_when_store_conf_is_there_and_sound(void **state)
{
	static struct store_conf c;
	char reason[ETCD_UNIT_REASON_MAX] = "", text[ETCD_REASON_MAX];
	struct unfinished u = { .has_join = true };
	struct fixture f;

	(void)state;
	fixture_make(&f);
	assert_false(node_files_drop_note(f.conf));
	assert_int_equal(node_files_begin(f.conf, &u, reason), 0);
	assert_false(node_files_drop_note(f.conf)); /* without store.conf it is unfinished */
	fixture_write(f.conf, STORE_CONF_FILE, "{}");
	assert_false(node_files_drop_note(f.conf));
	assert_true(is_there(f.conf, "store.unfinished"));
	write_conf(f.conf);
	assert_true(node_files_drop_note(f.conf));
	assert_false(is_there(f.conf, "store.unfinished"));
	assert_false(node_files_drop_note(f.conf)); /* it is gone */
	/* who ends a command writes store.conf, and removes the note */
	assert_int_equal(store_conf_read(f.conf, &c, text), 0);
	assert_int_equal(node_files_begin(f.conf, &u, reason), 0);
	assert_int_equal(files_remove_dir(f.conf), 0);
	assert_int_equal(mkdir(f.conf, 0755), 0);
	assert_int_equal(node_files_begin(f.conf, &u, reason), 0);
	assert_int_equal(node_files_end(f.conf, &c, reason), 0);
	check_file(f.conf, STORE_CONF_FILE, 0640, NULL);
	assert_false(is_there(f.conf, "store.unfinished"));
	/* what is wrong is not written, and what was there is not left as if all were well */
	assert_int_equal(node_files_begin(f.conf, &u, reason), 0);
	c.id[0] = 'x';
	assert_int_equal(node_files_end(f.conf, &c, reason), -EINVAL);
	assert_string_equal(reason, "store.conf: id must have 32 digits 0-9 and a-f");
	assert_false(is_there(f.conf, STORE_CONF_FILE));
	assert_true(is_there(f.conf, "store.unfinished"));
	fixture_remove(&f);
}

static void what_was_written_is_taken_back_unless_it_is_kept(void **state)
{
	static const char *const names[] = { "store-ca.crt", "store.crt", "store.key",
		                             "store.password", "store.conf" };
	static const struct {
		struct unfinished note;
		bool removes, removes_join;
		const char *why;
	} rows[] = {
		{ { .has_join = true }, true, true, "an init" },
		{ { .has_join = false }, true, false, "a join: store.join is another's" },
		{ { .has_join = true, .keeps = true }, false, false, "others may count on it" },
	};
	char reason[ETCD_UNIT_REASON_MAX] = "";

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture f;

		print_message("  %s\n", rows[i].why);
		fixture_make(&f);
		for (size_t k = 0; k < 5; k++)
			fixture_write(f.conf, names[k], "x");
		fixture_write(f.conf, "store.join", "x");
		assert_int_equal(node_files_undo(f.conf, reason), 0); /* without a note: nothing */
		assert_true(is_there(f.conf, "store.key"));
		assert_int_equal(node_files_begin(f.conf, &rows[i].note, reason), 0);
		assert_int_equal(node_files_undo(f.conf, reason), 0);
		for (size_t k = 0; k < 5; k++)
			assert_int_equal(is_there(f.conf, names[k]), !rows[i].removes);
		assert_int_equal(is_there(f.conf, "store.join"), !rows[i].removes_join);
		assert_int_equal(is_there(f.conf, "store.unfinished"), !rows[i].removes);
		assert_true(is_there(f.conf, "weir.conf"));
		assert_int_equal(node_files_undo(f.conf, reason), 0);
		fixture_remove(&f);
	}
}

static void what_cannot_be_taken_back_is_named(void **state)
{
	static const char *const names[] = { "store.conf", "store-ca.crt", "store.password",
		                             "store.join" };
	const struct unfinished u = { .has_join = true };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		char reason[ETCD_UNIT_REASON_MAX] = "", path[PATH_MAX], expected[PATH_MAX + 64];
		struct fixture f;

		print_message("  %s\n", names[i]);
		fixture_make(&f);
		snprintf(path, sizeof(path), "%s/%s", f.conf, names[i]);
		assert_int_equal(mkdir(path, 0755), 0); /* no file: unlink() refuses it */
		assert_int_equal(node_files_begin(f.conf, &u, reason), 0);
		assert_int_equal(node_files_undo(f.conf, reason), -EISDIR);
		snprintf(expected, sizeof(expected), "%s: Is a directory",
		         i ? f.conf : "store.conf");
		assert_string_equal(reason, expected);
		assert_true(is_there(f.conf, "store.unfinished"));
		fixture_remove(&f);
	}
}

static void a_note_for_the_status_is_read_again_and_plain(void **state)
{
	struct store_note n = { .time_ms = NOW_MS, .text = "/var/backups/a" }, read = { 0 };
	struct fixture f;

	(void)state;
	fixture_make(&f);
	assert_int_equal(store_note_read(f.state, STORE_NOTE_BACKUP, &read), -ENOENT);
	assert_int_equal(store_note_write(f.state, STORE_NOTE_BACKUP, &n), 0);
	check_file(f.state, "store.backup", 0644, NULL);
	assert_int_equal(store_note_read(f.state, STORE_NOTE_BACKUP, &read), 0);
	assert_true(read.time_ms == NOW_MS);
	assert_string_equal(read.text, n.text);
	assert_int_equal(store_note_read(f.state, STORE_NOTE_CHECK, &read), -ENOENT);
	fixture_write(f.state, "store.check", "{\"time_ms\":1,\"text\":\"a\\u001b[2Jb\"}");
	assert_int_equal(store_note_read(f.state, STORE_NOTE_CHECK, &read), 0);
	assert_null(strchr(read.text, '\x1b'));
	fixture_write(f.state, "store.check", "{\"time_ms\":\"x\"}");
	assert_int_equal(store_note_read(f.state, STORE_NOTE_CHECK, &read), -EINVAL);
	assert_int_equal(store_note_write("/nowhere", STORE_NOTE_CHECK, &n), -ENOENT);
	fixture_remove(&f);
}

static void a_certificate_is_judged_by_its_ca_use_and_address(void **state)
{
	static struct certificate_pair mixed, no_cert, no_key;
	static char two[2 * CERTIFICATES_PEM_MAX], broken[2 * CERTIFICATES_PEM_MAX];
	static const char not_client[] =
	        "the certificate is not a client's (clientAuth) that this CA has signed, or its time is over";
	static const char not_server[] =
	        "the certificate is not a server's (serverAuth), which a member's must be as well as a client's";
	static const char not_here[] =
	        "the certificate is not for this host's address (subjectAltName)";
	static const char no_pem[] = "the certificate cannot be read: PEM is expected";
	const struct {
		const char *ca;
		const struct certificate_pair *c;
		enum certificates_use use;
		const char *address, *fault;
	} rows[] = {
		{ ca.pem, &client, CERTIFICATES_CLIENT, NULL, NULL },
		{ ca.pem, &member, CERTIFICATES_CLIENT, NULL, NULL },
		{ ca.pem, &member, CERTIFICATES_SERVER_AND_CLIENT, NULL, NULL },
		{ ca.pem, &member, CERTIFICATES_SERVER_AND_CLIENT, "10.0.0.1", NULL },
		{ ca.pem, &member, CERTIFICATES_SERVER_AND_CLIENT, "10.0.0.2", not_here },
		{ ca.pem, &client, CERTIFICATES_SERVER_AND_CLIENT, NULL, not_server },
		{ ca.pem, &client, CERTIFICATES_CLIENT, "10.0.0.1", not_here },
		{ other_ca.pem, &client, CERTIFICATES_CLIENT, NULL, not_client },
		{ "", &client, CERTIFICATES_SERVER_AND_CLIENT, NULL, NULL },
		{ two, &client, CERTIFICATES_CLIENT, NULL, NULL },
		{ broken, &client, CERTIFICATES_CLIENT, NULL,
		  "the CA's certificate cannot be read: PEM is expected" },
		{ "x", &client, CERTIFICATES_CLIENT, NULL,
		  "the CA's certificate cannot be read: PEM is expected" },
		{ ca.pem, &no_cert, CERTIFICATES_CLIENT, NULL, no_pem },
		{ ca.pem, &no_key, CERTIFICATES_CLIENT, NULL,
		  "the key cannot be read: PEM without a password is expected" },
		{ ca.pem, &mixed, CERTIFICATES_CLIENT, NULL,
		  "the certificate and the key do not belong together" },
	};

	(void)state;
	strcpy(mixed.pem, client.pem);
	strcpy(mixed.key, member.key);
	strcpy(no_cert.key, client.key);
	strcpy(no_key.pem, client.pem);
	snprintf(two, sizeof(two), "%s%s", other_ca.pem, ca.pem);
	snprintf(broken, sizeof(broken),
	         "%s-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----\n", ca.pem);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *fault = certificates_find_fault(rows[i].ca, rows[i].c, rows[i].use,
		                                            rows[i].address);

		print_message("  %zu %s\n", i, rows[i].fault ? rows[i].fault : "good");
		assert_int_equal(fault == NULL, rows[i].fault == NULL);
		if (fault)
			assert_string_equal(fault, rows[i].fault);
	}
	assert_true(certificates_is_ca(ca.pem));
	assert_true(certificates_is_ca(two));
	assert_false(certificates_is_ca(broken));
	assert_false(certificates_is_ca(""));
	assert_false(certificates_is_ca(ca.key));
}

static void what_cannot_be_signed_is_refused(void **state)
{
	static struct certificate_pair mixed, out;
	char name[66];

	(void)state;
	strcpy(mixed.pem, ca.pem);
	strcpy(mixed.key, other_ca.key);
	strcpy(out.pem, "untouched");
	memset(name, 'n', 65);
	name[65] = '\0';
	assert_int_equal(certificates_sign(&mixed, "n", NULL, &out), -EINVAL);
	assert_int_equal(certificates_sign(&(struct certificate_pair){ 0 }, "n", NULL, &out),
	                 -EINVAL);
	assert_int_equal(certificates_sign(&ca, "n", "no address", &out), -EIO);
	assert_int_equal(certificates_sign(&ca, name, NULL, &out), -EIO);
	assert_int_equal(certificates_make_ca(name, &out), -EIO);
	assert_string_equal(out.pem, "untouched");
	name[64] = '\0';
	assert_int_equal(certificates_sign(&ca, name, NULL, &out), 0);
}

static void a_certificate_ends_after_ten_years(void **state)
{
	int64_t end_ms = 77, left_ms;

	(void)state;
	assert_int_equal(certificates_end("x", &end_ms), -EINVAL);
	assert_true(end_ms == 77);
	assert_int_equal(certificates_end(client.pem, &end_ms), 0);
	left_ms = end_ms - (int64_t)time(NULL) * 1000;
	assert_true(left_ms <= (int64_t)CERTIFICATES_DAYS * 86400 * 1000);
	assert_true(left_ms > ((int64_t)CERTIFICATES_DAYS * 86400 - 3600) * 1000);
}

/* A backup of one record that is as long as one may be. */
static void write_backup_file(const struct fixture *f, const char *digest)
{
	static const char begin[] = ID " 12 1790000000000\0a";
	static char bytes[sizeof(begin) + SHARED_TEXT_MAX], text[SHARED_TEXT_MAX + 1];
	static char file[SHARED_TEXT_MAX + 1000];
	char computed[DIGEST_TEXT_MAX];

	memset(text, 'x', SHARED_TEXT_MAX);
	memcpy(bytes, begin, sizeof(begin));
	memcpy(bytes + sizeof(begin), text, SHARED_TEXT_MAX);
	digest_bytes(bytes, sizeof(bytes), computed);
	snprintf(file, sizeof(file),
	         "{\"kind\":\"backup of Weir's store, 1\",\"id\":\"" ID
	         "\",\"revision\":12,\"time_ms\":1790000000000,\"sha256\":\"%s\","
	         "\"records\":[{\"name\":\"a\",\"text\":\"%s\"}]}",
	         digest ? digest : computed, text);
	fixture_write(f->root, "backup", file);
}

/* A backup may be as large as the store. */
static void a_backup_that_was_read_leaves_nothing_in_memory(void **state)
{
	static const struct {
		const char *why, *digest;
		int err;
	} rows[] = { { "a whole one", NULL, 0 }, { "one that was changed", "00", -EINVAL } };
	struct fixture f;
	char path[PATH_MAX];

	(void)state;
	fixture_make(&f);
	snprintf(path, sizeof(path), "%s/backup", f.root);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t held = 0;

		print_message("  %s\n", rows[i].why);
		write_backup_file(&f, rows[i].digest);
		for (int k = 0; k < 16; k++) {
			struct store_backup b = { 0 };
			char reason[ETCD_REASON_MAX] = "";

			assert_int_equal(store_backup_read(path, &b, reason), rows[i].err);
			assert_int_equal(b.list.n, !rows[i].err);
			store_backup_fini(&b);
			if (k == 0) /* what malloc() keeps aside is there */
				held = mallinfo2().uordblks;
		}
		assert_in_range(mallinfo2().uordblks, 0, held + SHARED_TEXT_MAX);
	}
	fixture_remove(&f);
}

SUITE(setup_files)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_join_file_is_read_as_it_was_written),
		cmocka_unit_test(a_join_file_is_renewed_if_it_is_of_this_store),
		cmocka_unit_test(what_is_wrong_in_a_join_file_is_said),
		cmocka_unit_test(a_node_has_the_files_that_it_needs),
		cmocka_unit_test(a_file_is_in_the_way_of_who_would_write_it),
		cmocka_unit_test(the_settings_of_a_node_are_those_of_the_join_file),
		cmocka_unit_test(a_note_of_what_is_unfinished_is_read_again),
		cmocka_unit_test(a_note_goes_when_store_conf_is_there_and_sound),
		cmocka_unit_test(what_was_written_is_taken_back_unless_it_is_kept),
		cmocka_unit_test(what_cannot_be_taken_back_is_named),
		cmocka_unit_test(a_note_for_the_status_is_read_again_and_plain),
		cmocka_unit_test(a_certificate_is_judged_by_its_ca_use_and_address),
		cmocka_unit_test(what_cannot_be_signed_is_refused),
		cmocka_unit_test(a_certificate_ends_after_ten_years),
		cmocka_unit_test(a_backup_that_was_read_leaves_nothing_in_memory),
	};

	return cmocka_run_group_tests(tests, make_certificates, NULL);
}
