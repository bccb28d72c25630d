/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Asking peers over real connections: what is sent, what counts as an answer, and what a failure
 * says.
 */
#include "fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#include <curl/curl.h>

#include "mgmt/http/client.h"
#include "tests/unit/mgmt/mgmt_answers.h"
#include "tests/unit/suite.h"

/* A server that answers each connection once, by the path: from a table, in a thread of its own. */
static const struct row {
	const char *path, *status, *body;
	long code; /* 0: there is no answer */
	const char *why;
} rows[] = {
	{ "/ok", "200 OK", "{\"a\":1}", 200, "" },
	{ "/list", "200 OK", "[1, 2]", 200, "" },
	{ "/half", "200 OK", "{\"a\":", 200, "the answer is not JSON" },
	{ "/none", "200 OK", "", 200, "the answer is not JSON" },
	{ "/twice", "200 OK", "{\"a\":1,\"a\":2}", 200, "the answer is not JSON" },
	{ "/more", "200 OK", "{} {}", 200, "the answer is not JSON" },
	{ "/201", "201 Created", "{\"a\":1}", 201, "HTTP status 201" },
	{ "/404", "404 Not Found", "{\"a\":1}", 404, "HTTP status 404" },
	{ "/503", "503 Busy", "{}", 503, "HTTP status 503" },
	{ "/pieces", "200 OK", "", 200, "" },
	{ "/silent", NULL, NULL, 0, "Timeout was reached" },
};

#define N_ROWS   (sizeof(rows) / sizeof(rows[0]))
#define HEAD_MAX 4096

static int listen_fd = -1;
static unsigned port;
static pthread_t thread;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char heard[64][HEAD_MAX]; /* under the lock */
static size_t n_heard;
static int kept[64]; /* connections without an answer stay open until the end */
static size_t n_kept;

/* Read a head and the body that it announces. */
static void read_request(int fd, char text[HEAD_MAX])
{
	size_t n = 0, body = 0;
	char *end_requests = NULL;

	text[0] = '\0';
	while (n + 1 < HEAD_MAX && (!end_requests || strlen(end_requests + 4) < body)) {
		ssize_t got = read(fd, text + n, HEAD_MAX - 1 - n);

		if (got <= 0)
			return;
		n += (size_t)got;
		text[n] = '\0';
		end_requests = strstr(text, "\r\n\r\n");
		const char *length = strstr(text, "Content-Length: ");
		body = length ? strtoul(length + 16, NULL, 10) : 0;
	}
}

static const struct row *find_row(const char *request)
{
	const char *path = strchr(request, ' ');

	for (size_t i = 0; path && i < N_ROWS; i++) {
		size_t n = strlen(rows[i].path);

		if (!strncmp(path + 1, rows[i].path, n) && path[1 + n] == ' ')
			return &rows[i];
	}
	return NULL;
}

static void answer_one(int fd)
{
	static char text[HEAD_MAX];

	read_request(fd, text);
	pthread_mutex_lock(&lock);
	snprintf(heard[n_heard++ % 64], HEAD_MAX, "%s", text);
	pthread_mutex_unlock(&lock);
	const struct row *row = find_row(text);
	if (row && !strcmp(row->path, "/pieces")) {
		dprintf(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: "
		            "close\r\n\r\n3\r\n{\"a\r\n5\r\n\":12}\r\n0\r\n\r\n");
		close(fd);
	} else if (row && row->status) {
		dprintf(fd, "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
		        row->status, strlen(row->body), row->body);
		close(fd);
	} else {
		kept[n_kept++ % 64] = fd;
	}
}

static void *serve_client(void *arg)
{
	int fd;

	(void)arg;
	while ((fd = accept(listen_fd, NULL, NULL)) >= 0)
		answer_one(fd);
	return NULL;
}

static int start_server(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t n = sizeof(at);

	(void)state;
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listen_fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(listen_fd, 64), 0);
	assert_int_equal(getsockname(listen_fd, (struct sockaddr *)&at, &n), 0);
	port = ntohs(at.sin_port);
	return pthread_create(&thread, NULL, serve_client, NULL);
}

static int stop_server(void **state)
{
	(void)state;
	shutdown(listen_fd, SHUT_RDWR);
	pthread_join(thread, NULL);
	close(listen_fd);
	for (size_t i = 0; i < n_kept; i++)
		close(kept[i]);
	return 0;
}

static struct peer_client client;

static int setup(void **state)
{
	(void)state;
	client_open(&client, "/nowhere");
	snprintf(client.token, sizeof(client.token), "the-token-of-all");
	pthread_mutex_lock(&lock);
	n_heard = 0;
	pthread_mutex_unlock(&lock);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	client_close(&client);
	assert_null(client.multi);
	client_close(&client); /* it may be closed twice */
	return 0;
}

static struct client_request request_for(const char *path, int timeout_ms)
{
	struct client_request r = { .timeout_ms = timeout_ms, .status = 77 };

	snprintf(r.url, sizeof(r.url), "http://127.0.0.1:%u%s", port, path);
	snprintf(r.failure, sizeof(r.failure), "of the last time");
	r.answer = (json_t *)&client; /* nothing of a former use is taken for an answer */
	return r;
}

static void check_outcome(const struct client_request *r, const struct row *row)
{
	bool good = row->code == 200 && !*row->why;

	if (r->status != row->code || strcmp(r->failure, row->why) != 0 || !r->answer == good)
		fail_msg("%s: %ld \"%s\"", row->path, r->status, r->failure);
	json_decref(r->answer);
}

static void each_answer_is_what_it_is(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ROWS; i++) {
		struct client_request r = request_for(rows[i].path, rows[i].status ? 60000 : 150);

		client_send(&client, &r, 1);
		check_outcome(&r, &rows[i]);
	}
}

static size_t n_done;
static char done_urls[N_ROWS][CLIENT_URL_MAX];
static bool done_with_status;

static void note_done(struct client_request *r)
{
	assert_ptr_equal(r->arg, &n_done);
	done_with_status = r->status != 0;
	snprintf(done_urls[n_done++], CLIENT_URL_MAX, "%s", r->url);
}

/* All at once: what is slow delays none, and each outcome belongs to its request. */
static void many_are_asked_at_once(void **state)
{
	struct client_request all[N_ROWS];

	(void)state;
	n_done = 0;
	for (size_t i = 0; i < N_ROWS; i++) {
		all[i] = request_for(rows[N_ROWS - 1 - i].path, 60000);
		all[i].done = i == 4 ? NULL : note_done;
		all[i].arg = &n_done;
	}
	all[0].timeout_ms = 2000; /* the silent one */
	client_send(&client, all, N_ROWS);
	for (size_t i = 0; i < N_ROWS; i++)
		check_outcome(&all[i], &rows[N_ROWS - 1 - i]);
	assert_int_equal(n_done, N_ROWS - 1);
	assert_non_null(strstr(done_urls[N_ROWS - 2], "/silent")); /* the last to end */
	assert_false(done_with_status);
	client_send(&client, all, 0); /* nobody */
	assert_int_equal(n_done, N_ROWS - 1);
}

static bool was_heard(size_t i, const char *words)
{
	pthread_mutex_lock(&lock);
	bool yes = i < n_heard && strstr(heard[i], words);
	pthread_mutex_unlock(&lock);
	return yes;
}

static void a_request_is_sent_with_token_and_body(void **state)
{
	struct client_request r = request_for("/ok", 60000);

	(void)state;
	client_send(&client, &r, 1);
	json_decref(r.answer);
	assert_true(was_heard(0, "GET /ok HTTP/1.1\r\n"));
	assert_true(was_heard(0, "\r\nAuthorization: Bearer the-token-of-all\r\n"));
	assert_false(was_heard(0, "Content-Length"));
	r = request_for("/ok", 60000);
	r.post = 1;
	client_send(&client, &r, 1);
	json_decref(r.answer);
	assert_true(was_heard(1, "POST /ok HTTP/1.1\r\n"));
	assert_true(was_heard(1, "\r\nAuthorization: Bearer the-token-of-all\r\n"));
	assert_true(was_heard(1, "\r\nContent-Type: application/json\r\n"));
	assert_true(was_heard(1, "\r\nContent-Length: 2\r\n"));
	assert_true(was_heard(1, "\r\n\r\n{}")); /* of a form's type it would be refused */
	r = request_for("/ok", 60000);
	r.post = 1;
	r.body = "{\"says\":\"x\"}";
	client_send(&client, &r, 1);
	json_decref(r.answer);
	assert_true(was_heard(2, "\r\n\r\n{\"says\":\"x\"}"));
	assert_true(was_heard(2, "\r\nContent-Length: 12\r\n"));
	assert_false(was_heard(2, "Expect:"));
}

/* "/ok" is answered with seven bytes. */
static void an_answer_has_a_greatest_size(void **state)
{
	(void)state;
	for (size_t max = 6; max <= 8; max++) {
		struct client_request r = request_for("/ok", 60000);

		r.answer_max = max;
		client_send(&client, &r, 1);
		assert_int_equal(!!r.answer, max >= 7);
		assert_int_equal(*r.failure != '\0', max < 7);
		json_decref(r.answer);
	}
}

/* In two pieces of three and five bytes. */
static void pieces_of_an_answer_are_joined(void **state)
{
	(void)state;
	for (size_t max = 7; max <= 9; max++) {
		struct client_request r = request_for("/pieces", 60000);

		r.answer_max = max;
		client_send(&client, &r, 1);
		assert_int_equal(json_integer_value(json_object_get(r.answer, "a")),
		                 max >= 8 ? 12 : 0);
		assert_int_equal(*r.failure != '\0', max < 8);
		json_decref(r.answer);
	}
}

static void who_cannot_be_reached_is_named_so(void **state)
{
	struct client_request r = request_for("/ok", 60000);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t n = sizeof(at);

	(void)state;
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0); /* nobody listens */
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
	snprintf(r.url, sizeof(r.url), "http://127.0.0.1:%u/ok", ntohs(at.sin_port));
	client_send(&client, &r, 1);
	assert_null(r.answer);
	assert_int_equal(r.status, 0);
	assert_non_null(strstr(r.failure, "connect"));
	r = request_for("/ok", 60000);
	snprintf(r.url, sizeof(r.url), "file:///etc/passwd"); /* of a hostile configuration */
	client_send(&client, &r, 1);
	assert_null(r.answer);
	assert_non_null(strstr(r.failure, "protocol"));
	close(fd);
}

/* The file that libcurl verifies by; "": its own are not used either. */
static char verified_by[2 * PATH_MAX];

static CURLcode own_curl_easy_setopt(CURL *handle, CURLoption option, void *value)
{
	if (option == CURLOPT_CAINFO)
		snprintf(verified_by, sizeof(verified_by), "%s", value ? (const char *)value : "");
	return __real_curl_easy_setopt(handle, option, value);
}

static const char *ask_verified(struct peer_client *c)
{
	struct client_request r = request_for("/ok", 60000);

	snprintf(verified_by, sizeof(verified_by), "nothing was said");
	client_send(c, &r, 1);
	json_decref(r.answer);
	return verified_by;
}

/* tls.ca, else tls.crt, as they are at that moment. */
static void peers_are_verified_by_the_file_that_is_there(void **state)
{
	static const char *const names[] = { "", "tls.crt", "tls.ca" };
	struct fixture f;
	struct peer_client c;
	char expected[PATH_MAX];

	(void)state;
	fixture_make(&f);
	client_open(&c, f.conf);
	for (size_t i = 0; i < 3; i++) {
		if (i > 0)
			fixture_write(f.conf, names[i], "x");
		snprintf(expected, sizeof(expected), "%s/%s", f.conf, names[i]);
		assert_string_equal(ask_verified(&c), i ? expected : "");
	}
	fixture_remove(&f);
	memset(c.conf, 'x', sizeof(c.conf) - 1); /* a name that is too long is none */
	c.conf[0] = '/';
	c.conf[sizeof(c.conf) - 1] = '\0';
	assert_string_equal(ask_verified(&c), "");
	client_close(&c);
}

SUITE(client_parts)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(each_answer_is_what_it_is),
		T(many_are_asked_at_once),
		T(a_request_is_sent_with_token_and_body),
		T(an_answer_has_a_greatest_size),
		T(pieces_of_an_answer_are_joined),
		T(who_cannot_be_reached_is_named_so),
		T(peers_are_verified_by_the_file_that_is_there),
	};

	answer_curl_easy_setopt = own_curl_easy_setopt;
	return cmocka_run_group_tests_name("client parts", tests, start_server, stop_server);
}
