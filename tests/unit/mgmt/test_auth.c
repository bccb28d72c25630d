/* SPDX-License-Identifier: BSD-2-Clause */
/* Who asks by what stands in Authorization, and where the API listens. */
#include "fixture.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/addr.h"
#include "base/clock.h"
#include "mgmt/core/auth.h"
#include "mgmt/core/core.h"
#include "mgmt/api/listen.h"
#include "mgmt/files/digest.h"
#include "tests/unit/suite.h"
#include "weir/stats.h"

static struct fixture place;
static struct core core;

static int setup(void **state)
{
	(void)state;
	fixture_make(&place);
	memset(&core, 0, sizeof(core));
	snprintf(core.dirs.conf, sizeof(core.dirs.conf), "%s", place.conf);
	snprintf(core.dirs.run, sizeof(core.dirs.run), "%s", place.root);
	return stats_create(place.root, "mgmt", 64, &core.stats);
}

static int teardown(void **state)
{
	(void)state;
	stats_close(core.stats);
	fixture_remove(&place);
	return 0;
}

static void a_peers_token_has_a_least_and_a_greatest_length(void **state)
{
	char token[2 * HTTP_TEXT_MAX], line[2 * HTTP_TEXT_MAX + 8], out[HTTP_TEXT_MAX];

	(void)state;
	strcpy(out, "old");
	auth_peer_token(place.conf, out); /* there is no file */
	assert_string_equal(out, "");
	for (size_t n = 14; n < HTTP_TEXT_MAX + 4; n = n == 18 ? HTTP_TEXT_MAX - 3 : n + 1) {
		static const char *const ends[] = { "", "\n", "\r\n", "\nmore\n" };
		bool good = n >= 16 && n < HTTP_TEXT_MAX;

		memset(token, 'k', n);
		token[n] = '\0';
		for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
			snprintf(line, sizeof(line), "%s%s", token, ends[i]);
			fixture_write(place.conf, "peer.token", line);
			auth_peer_token(place.conf, out);
			assert_string_equal(out, good ? token : "");
		}
	}
}

static enum http_role role_of(const char *authorization, char principal[64])
{
	struct http_request r = { .role = HTTP_NO_ROLE };

	auth_token(&core, -1, authorization, &r);
	strcpy(principal, r.principal);
	return r.role;
}

/* The tokens file: @p n bytes of @p head, then @p text. */
static void write_bytes(const char *head, size_t n, const char *text)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/tokens", place.conf);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(head, 1, n, f), n);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void a_token_comes_as_bearer_or_password_and_else_not_at_all(void **state)
{
	static const struct {
		const char *authorization, *why;
		enum http_role role;
		const char *name;
	} rows[] = {
		{ NULL, "none: the line of anonymous", HTTP_METRICS, "anonymous" },
		{ "Bearer 0123456789secret", "as it is written", HTTP_OPERATOR, "ci" },
		{ "bearer 0123456789secret", "the scheme in any case", HTTP_OPERATOR, "ci" },
		{ "Basic Y2k6MDEyMzQ1Njc4OXNlY3JldA==", "ci:TOKEN", HTTP_OPERATOR, "ci" },
		{ "BASIC eDowMTIzNDU2Nzg5c2VjcmV0", "any user, scheme in any case", HTTP_OPERATOR,
		  "ci" },
		{ "Basic MDEyMzQ1Njc4OXNlY3JldA==", "without a colon", HTTP_NO_ROLE, "" },
		{ "Basic !!!", "no base64", HTTP_NO_ROLE, "" },
		{ "Basic Og==", "an empty password is not nobody's", HTTP_NO_ROLE, "" },
		{ "Bearer ", "an empty token neither", HTTP_NO_ROLE, "" },
		{ "Digest x", "another scheme", HTTP_NO_ROLE, "" },
		{ "", "nothing at all", HTTP_NO_ROLE, "" },
		{ "Bearer 0123456789secre", "shorter", HTTP_NO_ROLE, "" },
		{ "Bearer 0123456789secret0", "longer", HTTP_NO_ROLE, "" },
		{ "Bearer peers-have-this-one", "the peers' own", HTTP_PEER, "peer" },
		{ "Bearer peers-have-this-on", "a part of it", HTTP_NO_ROLE, "" },
		{ "Bearer peers-have-this-one!", "more than it", HTTP_NO_ROLE, "" },
	};
	char digest[DIGEST_TEXT_MAX], text[512], name[64];

	(void)state;
	snprintf(text, sizeof(text), "# ours\nci operator %s\nanonymous metrics *\n",
	         digest_bytes("0123456789secret", 16, digest));
	fixture_write(place.conf, "tokens", text);
	fixture_write(place.conf, "peer.token", "peers-have-this-one\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum http_role role = role_of(rows[i].authorization, name);

		if (role != rows[i].role || (role != HTTP_NO_ROLE && strcmp(name, rows[i].name)))
			fail_msg("%s: role %d of %s", rows[i].why, (int)role, name);
	}
	write_bytes("# a NUL: \0 of a comment\n\0\n", 26,
	            text); /* other lines count all the same */
	assert_int_equal(role_of("Bearer 0123456789secret", name), HTTP_OPERATOR);
	assert_int_equal(role_of(NULL, name), HTTP_METRICS);
	fixture_write(place.conf, "tokens", "anonymous metrics\n"); /* a line with a mistake */
	assert_int_equal(role_of(NULL, name), HTTP_NO_ROLE);
	assert_int_equal(role_of("Bearer peers-have-this-one", name), HTTP_PEER);
}

static void each_role_has_its_name(void **state)
{
	static const struct {
		const char *name;
		enum http_role role;
	} rows[] = {
		{ "viewer", HTTP_VIEWER },     { "oncall", HTTP_ONCALL },
		{ "operator", HTTP_OPERATOR }, { "admin", HTTP_ADMIN },
		{ "metrics", HTTP_METRICS },   { "peer", HTTP_PEER },
	};
	char digest[DIGEST_TEXT_MAX], text[256], name[64];
	struct tokens_entry entry;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text), "x viewer %064d\nci %s %s", 0, rows[i].name,
		         digest_bytes("secret", 6, digest));
		assert_true(auth_find(text, strlen(text), "secret", &(struct http_tls_client){ 0 },
		                      &entry));
		assert_string_equal(entry.name, "ci");
		assert_false(auth_find(text, strlen(text), "secre", &(struct http_tls_client){ 0 },
		                       &entry));
		fixture_write(place.conf, "tokens", text);
		assert_int_equal(role_of("Bearer secret", name), rows[i].role);
		assert_string_equal(name, "ci");
	}
}

/* By the believed time, whatever the wall clock says: it goes on over a boot, and after a step. */
static void a_token_ends_by_the_believed_time(void **state)
{
	static const struct {
		int64_t before_ms; /* its end, 0 */
		bool ends;
	} rows[] = { { 1000, false }, { 1, false }, { 0, true }, { -1000, true } };
	const int64_t end_ms = 1769904000000; /* 2026-02-01T00:00:00Z */
	char digest[DIGEST_TEXT_MAX], text[256];

	(void)state;
	snprintf(text, sizeof(text), "ci viewer %s until=2026-02-01T00:00:00Z\n",
	         digest_bytes("secret", 6, digest));
	fixture_write(place.conf, "tokens", text);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http_request r = { .role = HTTP_NO_ROLE };
		int64_t off_ms = end_ms - rows[i].before_ms - (int64_t)clock_mono_ms();

		/* it goes on meanwhile: far from the end by a second, at the end not at all */
		clock_believe(off_ms - (rows[i].before_ms == 1 ? 5000 : 0));
		auth_token(&core, -1, "Bearer secret", &r);
		assert_int_equal(r.role, rows[i].ends ? HTTP_NO_ROLE : HTTP_VIEWER);
		assert_int_equal(r.denied != NULL, rows[i].ends);
		assert_false(r.unjudged);
		if (r.denied)
			assert_string_equal(r.denied->code, "token-ended");
	}
	clock_believe(clock_realtime_ms() - (int64_t)clock_mono_ms());
}

/* Where the address cannot be told, a token with prefixes is taken from nowhere. */
static void whose_token_it_is_and_what_it_may_change(void **state)
{
	char digest[DIGEST_TEXT_MAX], text[512];
	struct http_request r = { .role = HTTP_NO_ROLE };

	(void)state;
	snprintf(text, sizeof(text),
	         "ci admin %s person=ada scope=pools:web-*\nfar admin %s from=192.0.2.1\n"
	         "anonymous viewer * from=::/0\n",
	         digest_bytes("secret", 6, digest), digest_bytes("other", 5, (char[65]){ "" }));
	fixture_write(place.conf, "tokens", text);
	auth_token(&core, -1, "Bearer secret", &r);
	assert_int_equal(r.role, HTTP_ADMIN);
	assert_string_equal(r.principal, "ci");
	assert_string_equal(r.identity, "token:ci (ada)");
	assert_true(r.is_scoped);
	assert_string_equal(r.scope, "pools:web-*");
	r = (struct http_request){ .role = HTTP_NO_ROLE };
	auth_token(&core, -1, "Bearer other", &r);
	assert_int_equal(r.role, HTTP_NO_ROLE);
	assert_string_equal(r.denied->code, "token-elsewhere");
	assert_int_equal(r.denied->status, 403);
	assert_string_equal(r.principal, "");
	auth_token(&core, -1, NULL, &r);
	assert_int_equal(r.role, HTTP_NO_ROLE);
	snprintf(text, sizeof(text), "ci admin %s scope=\n", digest);
	fixture_write(place.conf, "tokens", text);
	auth_token(&core, -1, "Bearer secret", &r);
	assert_true(r.is_scoped); /* to nothing */
}

/* A name of the certificate goes before the line of all, wherever that stands; a token goes before both. */
static void a_certificate_is_who_its_names_say(void **state)
{
	static const struct {
		const char *why, *authorization, *names[2];
		bool has_ended;
		enum http_role role;
		const char *identity;
	} rows[] = {
		{ "none", NULL, { NULL }, false, HTTP_METRICS, "token:anonymous" },
		{ "its name", NULL, { "CN:ci" }, false, HTTP_OPERATOR, "cert:ci" },
		{ "the first line",
		  NULL,
		  { "URI:x://b", "CN:ci" },
		  false,
		  HTTP_OPERATOR,
		  "cert:ci" },
		{ "its second",
		  NULL,
		  { "CN:no", "URI:x://b" },
		  false,
		  HTTP_VIEWER,
		  "cert:b (ada)" },
		{ "another case", NULL, { "CN:CI" }, false, HTTP_METRICS, "token:anonymous" },
		{ "the start of it", NULL, { "CN:c" }, false, HTTP_METRICS, "token:anonymous" },
		{ "it has ended", NULL, { "CN:ci" }, true, HTTP_NO_ROLE, "cert:ci" },
		{ "of nobody's, ended", NULL, { "CN:x" }, true, HTTP_METRICS, "token:anonymous" },
		{ "a token", "Bearer secret", { "CN:ci" }, false, HTTP_ADMIN, "token:boss" },
		{ "a wrong token", "Bearer x", { "CN:ci" }, false, HTTP_NO_ROLE, "" },
		{ "a name as token", "Bearer CN:ci", { NULL }, false, HTTP_NO_ROLE, "" },
	};
	char digest[DIGEST_TEXT_MAX], text[512];

	(void)state;
	snprintf(text, sizeof(text),
	         "anonymous metrics *\nci operator CN:ci\nb viewer URI:x://b person=ada\n"
	         "boss admin %s\nlater admin CN:ci\n",
	         digest_bytes("secret", 6, digest));
	fixture_write(place.conf, "tokens", text);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http_request r = { .role = HTTP_NO_ROLE };

		r.client.end_ms = clock_believed_ms() + (rows[i].has_ended ? -1000 : 60000);
		for (; r.client.n < 2 && rows[i].names[r.client.n]; r.client.n++)
			strcpy(r.client.names[r.client.n], rows[i].names[r.client.n]);
		auth_token(&core, -1, rows[i].authorization, &r);
		if (r.role != rows[i].role || strcmp(r.identity, rows[i].identity) != 0)
			fail_msg("%s: role %d of %s", rows[i].why, (int)r.role, r.identity);
		assert_int_equal(r.denied && !strcmp(r.denied->code, "certificate-ended"),
		                 rows[i].role == HTTP_NO_ROLE && *rows[i].identity);
	}
}

static void the_owner_of_the_socket_is_admin(void **state)
{
	struct http_request r = { .role = HTTP_NO_ROLE };
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	auth_local(&core, ends[0], NULL, &r);
	assert_int_equal(r.role, HTTP_ADMIN);
	assert_int_equal(strncmp(r.identity, "user:", 5), 0);
	assert_string_equal(r.identity + 5, r.principal);
	close(ends[0]);
	close(ends[1]);
	r = (struct http_request){ .role = HTTP_NO_ROLE };
	auth_local(&core, -1, NULL, &r); /* who cannot be found out is none */
	assert_int_equal(r.role, HTTP_NO_ROLE);
}

static void an_address_to_listen_on_has_a_port(void **state)
{
	static const struct {
		const char *api;
		int port; /* 0: refused */
		const char *address;
	} rows[] = {
		{ "https://192.0.2.1:8443", 8443, "192.0.2.1" },
		{ "https://[2001:db8::1]:8443", 8443, "2001:db8::1" },
		{ "https://192.0.2.1:1", 1, "192.0.2.1" },
		{ "https://192.0.2.1:65535", 65535, "192.0.2.1" },
		{ "https://192.0.2.1:65536", 0, "" },
		{ "https://192.0.2.1:0", 0, "" },
		{ "https://192.0.2.1:", 0, "" },
		{ "https://192.0.2.1:-1", 0, "" },
		{ "https://192.0.2.1: 1", 0, "" },
		{ "https://192.0.2.1:1x", 0, "" },
		{ "https://192.0.2.1", 0, "" },
		{ "https://:8443", 0, "" },
		{ "https://[]:8443", 0, "" },
		{ "https://host:8443", 0, "" },
		{ "http://192.0.2.1:8443", 0, "" },
		{ "", 0, "" },
	};
	char text[ADDR_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct addr a;
		uint16_t port = 7;
		int err = listen_parse(rows[i].api, &a, &port);

		if (err != (rows[i].port ? 0 : -EINVAL) ||
		    port != (rows[i].port ? rows[i].port : 7))
			fail_msg("%s: %d, port %u", rows[i].api, err, port);
		if (!err)
			assert_string_equal(addr_text(&a, text), rows[i].address);
	}
	assert_true(listen_host_has("https://127.0.0.1:8443"));
	assert_false(listen_host_has("https://192.0.2.77:8443"));
	assert_false(listen_host_has("https://[2001:db8:77::1]:8443"));
}

static void only_the_group_may_open_the_local_socket(void **state)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct http_server *server = NULL;
	struct stat st;
	mode_t old = umask(0);
	int fd;

	(void)state;
	pthread_mutex_init(&core.lock, NULL);
	assert_int_equal(listen_local(&core, &server), 0);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/" PROC_API_SOCKET, place.root);
	assert_int_equal(stat(at.sun_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	assert_int_equal(umask(old), 0); /* of the process: as it was */
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	close(fd);
	http_stop(server);
	server = NULL;
	assert_int_equal(listen_local(&core, &server), 0); /* over what the last one left */
	http_stop(server);
}

/* Let this process open no descriptor above @p most; 0: as many as before. */
static void limit_descriptors(rlim_t most)
{
	static struct rlimit before;
	struct rlimit now;

	if (most)
		assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	now = before;
	if (most)
		now.rlim_cur = most;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
}

static void an_address_may_come_after_the_server(void **state)
{
	struct certificate found = { .failed_ms = 0 };
	struct http_server *server = NULL;

	(void)state;
	assert_int_equal(listen_tcp(&core, "https://192.0.2.77:18443", &server), -ENOENT);
	assert_int_equal(system("cd /tmp && openssl req -x509 -newkey ec -pkeyopt "
	                        "ec_paramgen_curve:P-256 -nodes -keyout weir-auth.key -out "
	                        "weir-auth.crt -days 2 -subj /CN=x 2>/dev/null"),
	                 0);
	char command[512];

	snprintf(
	        command, sizeof(command),
	        "cp /tmp/weir-auth.key %s/new.key; mv /tmp/weir-auth.key %s/tls.key; mv /tmp/weir-auth.crt %s/tls.crt",
	        place.conf, place.conf, place.conf);
	assert_int_equal(system(command), 0);
	assert_int_equal(listen_tcp(&core, "https://192.0.2.77:18443", &server), 0);
	certificate_follow(&core, &found, server);
	assert_string_equal(found.reason, "");
	fixture_write(place.conf, "tls.key", "no key");
	certificate_follow(&core, &found, server);
	assert_string_not_equal(found.reason, "");
	snprintf(command, sizeof(command), "cp %s/new.key %s/tls.key", place.conf, place.conf);
	assert_int_equal(system(command), 0);
	limit_descriptors(
	        3); /* a shortage is over at some time, and the files do not change by that */
	certificate_follow(&core, &found, server);
	limit_descriptors(0);
	assert_string_equal(found.reason, strerror(EMFILE));
	certificate_follow(&core, &found, server);
	assert_string_equal(found.reason, "");
	snprintf(command, sizeof(command), "cd %s && mv tls.crt live.crt && ln -s live.crt tls.crt",
	         place.conf);
	assert_int_equal(system(command), 0);
	certificate_follow(&core, &found, server);
	snprintf(command, sizeof(command), "cd %s && ln -sfn tls.crt tls.crt", place.conf);
	assert_int_equal(system(command), 0);
	certificate_follow(&core, &found, server);
	assert_string_equal(found.reason, strerror(ELOOP));
	snprintf(command, sizeof(command), "cd %s && ln -sfn live.crt tls.crt", place.conf);
	assert_int_equal(system(command), 0); /* the file that was loaded is back */
	certificate_follow(&core, &found, server);
	assert_string_equal(found.reason, "");
	http_stop(server);
	server = NULL;
	assert_int_equal(listen_tcp(&core, "https://192.0.2.77:0", &server), -EINVAL);
	assert_null(server);
}

SUITE(auth)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_peers_token_has_a_least_and_a_greatest_length),
		TEST(a_token_comes_as_bearer_or_password_and_else_not_at_all),
		TEST(each_role_has_its_name),
		TEST(a_token_ends_by_the_believed_time),
		TEST(whose_token_it_is_and_what_it_may_change),
		TEST(a_certificate_is_who_its_names_say),
		TEST(the_owner_of_the_socket_is_admin),
		TEST(an_address_to_listen_on_has_a_port),
		TEST(only_the_group_may_open_the_local_socket),
		TEST(an_address_may_come_after_the_server),
	};

	return cmocka_run_group_tests_name("auth", tests, NULL, NULL);
}
