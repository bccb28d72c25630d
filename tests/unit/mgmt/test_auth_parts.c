/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who asks: by the credentials of a UNIX socket, whose names are looked up and kept, and by
 * tokens that are nearly right.
 */
#include "fixture.h"
#include "told_time.h"

#include <errno.h>
#include <pwd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#include "mgmt/core/auth.h"
#include "mgmt/core/core.h"
#include "tests/unit/answers.h"
#include "tests/unit/suite.h"

static uid_t peer_uid, our_uid;
static int cred_rc;
#define LONG_UID 1011

static unsigned n_lookups;
static int lookup_error;
static size_t n_long;    /* bytes that the entry of LONG_UID takes */
static char renamed[64]; /* what 1000 is called; "": "jw" */

static uid_t own_geteuid(void)
{
	return our_uid;
}

static int own_getsockopt(int fd, int level, int name, void *out, socklen_t *n)
{
	assert_int_equal(fd, 5);
	assert_int_equal(level, SOL_SOCKET);
	assert_int_equal(name, SO_PEERCRED);
	assert_int_equal(*n, sizeof(struct ucred));
	((struct ucred *)out)->uid = peer_uid;
	return cred_rc;
}

static int own_getpwuid_r(uid_t uid, struct passwd *pw, char *text, size_t size,
                          struct passwd **found)
{
	static const struct {
		uid_t uid;
		const char *name;
	} users[] = {
		{ 0, "root" },
		{ 1000, "jw" },
		{ 1016, "ada" },
		{ 1100, "kim" },
		{ 1001, "weir-mgmt" },
		{ 1002, "weir-dns" },
		{ 1003, "weir-health" },
		{ 1004, "weir-dataplane" },
		{ 1005, "weir-dnsx" },
		{ 1006, "weir-dn" },
		{ 1010, "weir-announce" },
		{ LONG_UID, "long" },
	};

	n_lookups++;
	*found = NULL;
	told_ms += lookup_error ? 2000 : 0; /* a directory that does not answer */
	if (lookup_error)
		return lookup_error;
	if (uid == LONG_UID && size < n_long)
		return ERANGE;
	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++)
		if (users[i].uid == uid) {
			snprintf(text, size, "%s",
			         uid == 1000 && *renamed ? renamed : users[i].name);
			pw->pw_name = text;
			*found = pw;
		}
	return 0;
}

static struct http_request request;

static enum http_role ask_as(uid_t uid)
{
	peer_uid = uid;
	request = (struct http_request){ .role = HTTP_NO_ROLE };
	auth_local(NULL, 5, NULL, &request);
	return request.role;
}

/* The group may change; root and our own user may all; our siblings nothing. */
static void a_user_is_what_the_kernel_says(void **state)
{
	static const struct {
		uid_t uid;
		enum http_role role;
		const char *name;
	} rows[] = {
		{ 0, HTTP_ADMIN, "root" },
		{ 1001, HTTP_ADMIN, "weir-mgmt" },
		{ 1000, HTTP_OPERATOR, "jw" },
		{ 1002, HTTP_NO_ROLE, "weir-dns" },
		{ 1003, HTTP_NO_ROLE, "weir-health" },
		{ 1004, HTTP_NO_ROLE, "weir-dataplane" },
		{ 1005, HTTP_OPERATOR, "weir-dnsx" },
		{ 1006, HTTP_OPERATOR, "weir-dn" },
		{ 1010, HTTP_NO_ROLE, "weir-announce" },
		{ 4321, HTTP_OPERATOR, "uid-4321" },
	};
	char identity[80];

	(void)state;
	our_uid = 1001;
	for (int again = 0; again < 2; again++)
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			enum http_role role = ask_as(rows[i].uid);

			if (role != rows[i].role || strcmp(request.principal, rows[i].name) != 0)
				fail_msg("uid %u: %d %s", rows[i].uid, (int)role,
				         request.principal);
			snprintf(identity, sizeof(identity), "user:%s", rows[i].name);
			assert_string_equal(request.identity, identity);
		}
	our_uid = 1002; /* a node on which all run as one user */
	assert_int_equal(ask_as(1002), HTTP_ADMIN);
	cred_rc = -1;
	assert_int_equal(ask_as(0), HTTP_NO_ROLE);
	assert_string_equal(request.identity, "");
	cred_rc = 0;
}

/*
 * While a name cannot be looked up, it may be a sibling's: nobody but root and our own user gets in. A name that was found before stays.
 */
static void who_cannot_be_looked_up_is_not_let_in(void **state)
{
	static const struct {
		int error;
		uid_t uid;
		enum http_role role;
		bool unjudged;
	} rows[] = {
		{ EMFILE, 2002, HTTP_NO_ROLE, true },   { EIO, 2000, HTTP_NO_ROLE, true },
		{ EIO, 0, HTTP_ADMIN, false },          { EIO, 1001, HTTP_ADMIN, false },
		{ ENOENT, 4321, HTTP_OPERATOR, false }, { ESRCH, 4321, HTTP_OPERATOR, false },
		{ 0, 1002, HTTP_NO_ROLE, false },       { 0, 1000, HTTP_OPERATOR, false },
		{ EIO, 1002, HTTP_NO_ROLE, false },     { EIO, 1000, HTTP_OPERATOR, false },
		{ EIO, 1016, HTTP_NO_ROLE, true },      { EIO, 1000, HTTP_OPERATOR, false },
	};

	(void)state;
	our_uid = 1001;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		told_ms += rows[i].error ? 60000 : 0; /* what was known is old */
		lookup_error = rows[i].error;
		if (ask_as(rows[i].uid) != rows[i].role || request.unjudged != rows[i].unjudged)
			fail_msg("row %zu: %d %d", i, (int)request.role, request.unjudged);
	}
	lookup_error = 0;
	told_ms += 60000;
}

/* Each failed look-up may take seconds of the only thread: it is made once in 10 s, known or not. */
static void a_failed_lookup_is_not_made_at_each_request(void **state)
{
	(void)state;
	our_uid = 0;
	for (int known = 0; known < 2; known++) {
		told_ms += 60000;
		n_lookups = 0;
		lookup_error = ECONNREFUSED;
		for (int again = 0; again < 3; again++) {
			assert_int_equal(ask_as(1100), known ? HTTP_OPERATOR : HTTP_NO_ROLE);
			assert_int_equal(request.unjudged, !known);
			assert_string_equal(request.principal, known ? "kim" : "uid-1100");
		}
		assert_int_equal(n_lookups, 1);
		told_ms += 9999;
		(void)ask_as(1100);
		assert_int_equal(n_lookups, 1);
		told_ms++;
		lookup_error = 0;
		assert_int_equal(ask_as(1100), HTTP_OPERATOR);
		assert_int_equal(n_lookups, 2);
	}
	told_ms += 60000;
}

/* An entry may be long, by a comment for example; beyond 256 KiB its user is not known. */
static void a_long_entry_is_read(void **state)
{
	(void)state;
	our_uid = 0;
	n_long = (1u << 18) + 1;
	assert_int_equal(ask_as(LONG_UID), HTTP_NO_ROLE);
	assert_true(request.unjudged);
	n_long--;
	told_ms += 10000;
	assert_int_equal(ask_as(LONG_UID), HTTP_OPERATOR);
	assert_string_equal(request.principal, "long");
}

/* A look-up may ask a directory: it is made once a minute for each user. */
static void names_are_kept_for_a_minute(void **state)
{
	(void)state;
	our_uid = 0;
	told_ms += 60000; /* what other tests have looked up is old */
	(void)ask_as(1000);
	n_lookups = 0;
	snprintf(renamed, sizeof(renamed), "jane");
	(void)ask_as(1000);
	assert_string_equal(request.principal, "jw");
	told_ms += 59999;
	(void)ask_as(1000);
	assert_string_equal(request.principal, "jw");
	assert_int_equal(n_lookups, 0);
	told_ms++;
	(void)ask_as(1000);
	assert_string_equal(request.principal, "jane");
	assert_int_equal(n_lookups, 1);
	(void)ask_as(1016);
	assert_string_equal(request.principal, "ada");
	(void)ask_as(1000);
	assert_string_equal(request.principal, "jane");
	assert_int_equal(n_lookups, 2);
	for (uid_t uid = 3000; uid < 3016;
	     uid++, told_ms++) /* so many are kept: the oldest gives way */
		(void)ask_as(uid);
	assert_int_equal(n_lookups, 18);
	(void)ask_as(3000);
	assert_int_equal(n_lookups, 18);
	(void)ask_as(1000);
	assert_int_equal(n_lookups, 19);
	renamed[0] = '\0';
}

static struct core core;

static enum http_role role_of_header(const char *authorization)
{
	request = (struct http_request){ .role = HTTP_NO_ROLE };
	auth_token(&core, -1, authorization, &request);
	return request.role;
}

/*
 * A shortage of descriptors is no proof that a token is wrong: who shows one, or none, is asked to come again, unless the file that can be
 * read has it.
 */
static void who_cannot_be_judged_for_a_shortage_is_not_refused(void **state)
{
	static const char login[] = "Bearer 0123456789secret",
	                  peers[] = "Bearer peers-have-this-one";
	struct fixture place;
	struct rlimit old, low;
	char digest[DIGEST_TEXT_MAX], text[256], token[HTTP_TEXT_MAX] = "as before";

	(void)state;
	fixture_make(&place);
	snprintf(core.dirs.conf, sizeof(core.dirs.conf), "%s", place.conf);
	fixture_write(place.conf, "peer.token", peers + 7);
	snprintf(text, sizeof(text), "ci operator %s\n", digest_bytes(login + 7, 16, digest));
	fixture_write(place.conf, "tokens", text);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	enum http_role got[3];
	bool unjudged[3];
	static const char *const shown[3] = { login, peers, NULL };
	for (size_t i = 0; i < 3; i++) {
		got[i] = role_of_header(shown[i]);
		unjudged[i] = request.unjudged;
	}
	int err = auth_peer_token(place.conf, token);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(got[i], HTTP_NO_ROLE);
		assert_true(unjudged[i]);
	}
	assert_int_equal(err, -EMFILE);
	assert_string_equal(token, "as before");
	assert_int_equal(role_of_header(login), HTTP_OPERATOR);
	assert_int_equal(role_of_header(peers), HTTP_PEER);
	assert_int_equal(role_of_header("Bearer 0123456789secrex"), HTTP_NO_ROLE);
	assert_false(request.unjudged);
	fixture_remove(&place);
}

static void a_token_of_equal_length_is_not_equal(void **state)
{
	static const char token[] = "peers-have-this-one", ours[] = "0123456789secret";
	struct fixture place;
	char line[64], digest[DIGEST_TEXT_MAX], text[256];

	(void)state;
	fixture_make(&place);
	snprintf(core.dirs.conf, sizeof(core.dirs.conf), "%s", place.conf);
	fixture_write(place.conf, "peer.token", token);
	snprintf(text, sizeof(text), "ci operator %s\n", digest_bytes(ours, 16, digest));
	fixture_write(place.conf, "tokens", text);
	for (size_t i = 0; i < sizeof(token) - 1; i++) {
		snprintf(line, sizeof(line), "Bearer %s", token);
		assert_int_equal(role_of_header(line), HTTP_PEER);
		assert_string_equal(request.identity, "peer");
		line[7 + i] ^= 1;
		if (role_of_header(line) != HTTP_NO_ROLE)
			fail_msg("%s", line);
	}
	for (size_t i = 0; i < sizeof(ours) - 1; i++) {
		snprintf(line, sizeof(line), "Bearer %s", ours);
		assert_int_equal(role_of_header(line), HTTP_OPERATOR);
		assert_string_equal(request.principal, "ci");
		assert_string_equal(request.identity, "token:ci");
		line[7 + i] ^= 1;
		assert_int_equal(role_of_header(line), HTTP_NO_ROLE);
	}
	assert_int_equal(role_of_header("Bearer  0123456789secret"), HTTP_NO_ROLE);
	assert_int_equal(role_of_header("Basicx Y2k6MDEyMzQ1Njc4OXNlY3JldA=="), HTTP_NO_ROLE);
	assert_int_equal(role_of_header("Digest Y2k6MDEyMzQ1Njc4OXNlY3JldA=="), HTTP_NO_ROLE);
	assert_int_equal(role_of_header("Basic "), HTTP_NO_ROLE);
	assert_int_equal(role_of_header(NULL), HTTP_NO_ROLE); /* no line lets anonymous ones in */
	fixture_write(place.conf, "tokens", "# none\nanonymous viewer *\n");
	assert_int_equal(role_of_header(NULL), HTTP_VIEWER);
	assert_string_equal(request.identity, "token:anonymous");
	fixture_remove(&place);
	assert_int_equal(role_of_header("Bearer 0123456789secret"),
	                 HTTP_NO_ROLE); /* there is no file */
}

SUITE(auth_parts)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_user_is_what_the_kernel_says),
		cmocka_unit_test(who_cannot_be_looked_up_is_not_let_in),
		cmocka_unit_test(a_failed_lookup_is_not_made_at_each_request),
		cmocka_unit_test(a_long_entry_is_read),
		cmocka_unit_test(names_are_kept_for_a_minute),
		cmocka_unit_test(who_cannot_be_judged_for_a_shortage_is_not_refused),
		cmocka_unit_test(a_token_of_equal_length_is_not_equal),
	};

	told_time_begin(TOLD_BOOT);
	told_ms = 1000;
	answer_geteuid = own_geteuid;
	answer_getpwuid_r = own_getpwuid_r;
	answer_getsockopt = own_getsockopt;
	return cmocka_run_group_tests_name("auth parts", tests, NULL, NULL);
}
