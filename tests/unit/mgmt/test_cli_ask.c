/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a request is put to management, and put again when its outcome is not known (mgmt/cli/api.c).
 * libcurl and the clock are the test's.
 */
#include "shown.h"

#include <curl/curl.h>
#include <jansson.h>

#include "base/clock.h"
#include "mgmt/cli/api.h"

static uint64_t clock_ms;

static uint64_t fake_clock(void)
{
	return clock_ms;
}

static int fake_usleep(useconds_t us)
{
	clock_ms += us / 1000;
	return 0;
}

/* What each try is answered; the last one for ever. */
struct tried {
	CURLcode code;
	long status, os_error;
	const char *body;
	unsigned took_ms;
};
static const struct tried *script;
static size_t n_script, n_tries;

/* What was asked. */
static struct {
	char url[256], method[16], fields[256], socket[256], keys[64][64];
	long timeout_ms;
	curl_write_callback on_body, on_header;
	void *arg;
	bool has_fields;
} asked;

static void note_key(const struct curl_slist *headers)
{
	static const char name[] = "Idempotency-Key: ";

	asked.keys[n_tries][0] = '\0';
	for (; headers; headers = headers->next)
		if (!strncmp(headers->data, name, strlen(name)))
			snprintf(asked.keys[n_tries], sizeof(asked.keys[0]), "%s",
			         headers->data + strlen(name));
}

static CURLcode fake_setopt(CURL *curl, CURLoption option, ...)
{
	va_list args;

	(void)curl;
	va_start(args, option);
	if (option == CURLOPT_URL)
		snprintf(asked.url, sizeof(asked.url), "%s", va_arg(args, const char *));
	else if (option == CURLOPT_CUSTOMREQUEST)
		snprintf(asked.method, sizeof(asked.method), "%s", va_arg(args, const char *));
	else if (option == CURLOPT_UNIX_SOCKET_PATH)
		snprintf(asked.socket, sizeof(asked.socket), "%s", va_arg(args, const char *));
	else if (option == CURLOPT_TIMEOUT_MS)
		asked.timeout_ms = va_arg(args, long);
	else if (option == CURLOPT_WRITEFUNCTION)
		asked.on_body = va_arg(args, curl_write_callback);
	else if (option == CURLOPT_HEADERFUNCTION)
		asked.on_header = va_arg(args, curl_write_callback);
	else if (option == CURLOPT_WRITEDATA)
		asked.arg = va_arg(args, void *);
	else if (option == CURLOPT_HTTPHEADER)
		note_key(va_arg(args, const struct curl_slist *));
	else if (option == CURLOPT_POSTFIELDS) {
		snprintf(asked.fields, sizeof(asked.fields), "%s", va_arg(args, const char *));
		asked.has_fields = true;
	}
	va_end(args);
	return CURLE_OK;
}

static const struct tried *this_try(void)
{
	return &script[n_tries < n_script ? n_tries : n_script - 1];
}

static void (*at_each_try)(void *answer);

static CURLcode fake_perform(CURL *curl)
{
	char header[] = "ETag: \"v7-00\"\r\n", body[256];

	(void)curl;
	if (at_each_try)
		at_each_try(asked.arg);
	clock_ms += this_try()->took_ms;
	if (this_try()->code != CURLE_OK)
		return this_try()->code;
	assert_int_equal(asked.on_header(header, 1, strlen(header), asked.arg), strlen(header));
	snprintf(body, sizeof(body), "%s", this_try()->body);
	assert_int_equal(asked.on_body(body, 1, strlen(body), asked.arg), strlen(body));
	return CURLE_OK;
}

static CURLcode fake_getinfo(CURL *curl, CURLINFO info, long *out)
{
	(void)curl;
	*out = info == CURLINFO_RESPONSE_CODE ? this_try()->status : this_try()->os_error;
	n_tries += info == CURLINFO_OS_ERRNO; /* asked last */
	return CURLE_OK;
}

#undef curl_easy_setopt
#undef curl_easy_getinfo
#define clock_mono_ms     fake_clock
#define usleep            fake_usleep
#define curl_easy_setopt  fake_setopt
#define curl_easy_perform fake_perform
#define curl_easy_getinfo fake_getinfo
#include "mgmt/cli/api.c" /* its edges are ours */

static struct cli cli = { .dirs.run = "/nonexistent-run" };

/* Ask as @p request says; what goes to standard error is in shown. */
static int ask_for(const struct api_request *request, bool quietly, const struct tried *rows,
                   size_t n, struct api_reply *reply)
{
	memset(&asked, 0, sizeof(asked));
	script = rows;
	n_script = n;
	n_tries = 0;
	clock_ms = 1000;
	*reply = (struct api_reply){ 0 };
	shown_begin();
	fflush(stderr);
	int saved = dup(STDERR_FILENO);

	assert_true(dup2(shown_file, STDERR_FILENO) >= 0);
	int status = send_to_management(&cli, request, reply, quietly);

	fflush(stderr);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	shown_end();
	return status;
}

static void a_request_is_put_as_it_is_meant(void **state)
{
	static const struct tried ok = { CURLE_OK, 200, 0, "{\"a\":1}", 0 };
	struct api_request get = { .method = "GET", .path = "/v1/status?limit=1" },
	                   plan = { .method = "POST", .path = "/v1/plan", .reads = true },
	                   post = { .method = "POST", .path = "/v1/overrides" }, brief = get;
	struct api_reply reply;

	(void)state;
	assert_int_equal(ask_for(&get, false, &ok, 1, &reply), CLI_OK);
	assert_string_equal(asked.url, "http://weir/v1/status?limit=1");
	assert_string_equal(asked.method, "GET");
	assert_string_equal(asked.socket, "/nonexistent-run/api.sock");
	assert_int_equal(asked.timeout_ms, 60000);
	assert_false(asked.has_fields);
	assert_string_equal(asked.keys[0], "");
	assert_int_equal(reply.status, 200);
	assert_string_equal(reply.etag, "v7-00");
	assert_int_equal(json_integer_value(json_object_get(reply.body, "a")), 1);
	api_reply_fini(&reply);
	post.body = json_pack("{s:s}", "do", "drain");
	assert_int_equal(ask_for(&post, false, &ok, 1, &reply), CLI_OK);
	assert_string_equal(asked.fields, "{\"do\":\"drain\"}");
	assert_int_equal(asked.timeout_ms, 75000);
	assert_int_equal(strlen(asked.keys[0]), 32);
	api_reply_fini(&reply);
	post.body = NULL;
	assert_int_equal(ask_for(&post, false, &ok, 1, &reply), CLI_OK);
	assert_true(asked.has_fields);
	assert_string_equal(asked.fields, "");
	api_reply_fini(&reply);
	assert_int_equal(ask_for(&plan, false, &ok, 1, &reply), CLI_OK);
	assert_int_equal(asked.timeout_ms, 75000);
	assert_string_equal(asked.keys[0], "");
	api_reply_fini(&reply);
	brief.timeout_ms = 5000;
	assert_int_equal(ask_for(&brief, false, &ok, 1, &reply), CLI_OK);
	assert_int_equal(asked.timeout_ms, 5000);
	api_reply_fini(&reply);
}

/* A success must say something: else it would pass for an empty list. */
static void a_success_without_json_is_none(void **state)
{
	static const char *const bodies[] = { "", "<html>", "7", "[]", "\"a\"", "{\"a\":" };
	struct api_request get = { .method = "GET", .path = "/" },
	                   post = { .method = "POST", .path = "/" };
	struct api_reply reply;

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		const struct tried row = { CURLE_OK, i % 2 ? 200 : 299, 0, bodies[i], 0 };

		assert_int_equal(ask_for(&get, false, &row, 1, &reply), CLI_UNREACHABLE);
		assert_false(api_succeeded(&reply));
		assert_null(reply.body);
		assert_non_null(strstr(told, "on /nonexistent-run/api.sock with status 2"));
		assert_non_null(
		        strstr(told, "not in JSON; does another program have that socket?"));
		assert_int_equal(ask_for(&get, true, &row, 1, &reply), CLI_UNREACHABLE);
		assert_string_equal(told, "");
		assert_int_equal(ask_for(&post, false, &row, 1, &reply), CLI_TIMEOUT);
		assert_non_null(strstr(told, "the change may or may not have been made"));
	}
}

static void a_refusal_may_be_anything(void **state)
{
	static const struct tried rows[] = { { CURLE_OK, 502, 0, "<html>", 0 },
		                             { CURLE_OK, 404, 0, "", 0 } };
	struct api_request get = { .method = "GET", .path = "/" };
	struct api_reply reply;

	(void)state;
	assert_int_equal(ask_for(&get, false, &rows[0], 1, &reply), CLI_OK);
	assert_int_equal(reply.status, 502);
	assert_string_equal(json_string_value(reply.body), "<html>");
	api_reply_fini(&reply);
	assert_int_equal(ask_for(&get, false, &rows[1], 1, &reply), CLI_OK);
	assert_int_equal(reply.status, 404);
	assert_null(reply.body);
}

/* The head of an answer may have come, and its body break off. */
static void an_answer_that_broke_off_is_none(void **state)
{
	static const struct tried row = { CURLE_PARTIAL_FILE, 200, 0, NULL, 0 };
	struct api_request get = { .method = "GET", .path = "/" },
	                   post = { .method = "POST", .path = "/" };
	struct api_reply reply;

	(void)state;
	assert_int_equal(ask_for(&get, false, &row, 1, &reply), CLI_UNREACHABLE);
	assert_false(api_succeeded(&reply));
	assert_int_equal(ask_for(&post, false, &row, 1, &reply), CLI_TIMEOUT);
	assert_false(api_succeeded(&reply));
}

/* What only asks is not put again; nor a change that was never sent. */
static void what_cannot_have_been_made_is_asked_once(void **state)
{
	static const struct {
		const char *method;
		struct tried row;
		bool quietly;
		int status;
		const char *told;
	} rows[] = {
		{ "PLAN",
		  { CURLE_OPERATION_TIMEDOUT, 0, 0, NULL, 0 },
		  false,
		  CLI_UNREACHABLE,
		  "management did not answer on /nonexistent-run/api.sock in time" },
		{ "PLAN", { CURLE_RECV_ERROR, 0, 0, NULL, 0 }, true, CLI_UNREACHABLE, "" },
		{ "GET",
		  { CURLE_OPERATION_TIMEDOUT, 0, 0, NULL, 0 },
		  false,
		  CLI_UNREACHABLE,
		  "management did not answer on /nonexistent-run/api.sock in time" },
		{ "GET", { CURLE_RECV_ERROR, 0, 0, NULL, 0 }, true, CLI_UNREACHABLE, "" },
		{ "POST",
		  { CURLE_COULDNT_CONNECT, 0, ECONNREFUSED, NULL, 0 },
		  false,
		  CLI_UNREACHABLE,
		  "management does not answer on" },
		{ "POST",
		  { CURLE_COULDNT_CONNECT, 0, EACCES, NULL, 0 },
		  false,
		  CLI_DENIED,
		  "this user may not use /nonexistent-run/api.sock" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool reads = !strcmp(rows[i].method, "PLAN");
		struct api_request request = { .method = reads ? "POST" : rows[i].method,
			                       .path = "/",
			                       .reads = reads };
		struct api_reply reply;

		assert_int_equal(ask_for(&request, rows[i].quietly, &rows[i].row, 1, &reply),
		                 rows[i].status);
		assert_int_equal(n_tries, 1);
		assert_string_equal(shown, "");
		assert_int_equal(strncmp(told, rows[i].told, strlen(rows[i].told)), 0);
		assert_int_equal(*told != '\0', *rows[i].told != '\0');
	}
}

#define BROKE_OFF                                                                                                       \
	"weir: the connection to management broke off; the change may or may not have been made; asking again for its " \
	"outcome\n"

static void a_change_that_broke_off_is_asked_for_by_the_same_key(void **state)
{
	static const CURLcode codes[] = { CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_GOT_NOTHING,
		                          CURLE_PARTIAL_FILE, CURLE_OPERATION_TIMEDOUT };
	struct api_reply reply;

	(void)state;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		const struct tried rows[] = { { codes[i], 0, 0, NULL, 0 },
			                      { CURLE_COULDNT_CONNECT, 0, ENOENT, NULL, 0 },
			                      { CURLE_OK, 201, 0, "{}", 0 } };
		struct api_request post = { .method = "POST", .path = "/", .body = json_object() };

		assert_int_equal(ask_for(&post, false, rows, 3, &reply), CLI_OK);
		assert_int_equal(n_tries, 3);
		assert_int_equal(clock_ms, 2000); /* every half a second */
		assert_int_equal(reply.status, 201);
		assert_string_equal(asked.keys[0], asked.keys[2]);
		assert_string_equal(asked.fields, "{}");
		assert_string_equal(shown, BROKE_OFF);
		assert_string_equal(told, "");
		api_reply_fini(&reply);
	}
}

static void it_is_given_up_after_fifteen_seconds_and_said_meanwhile(void **state)
{
	static const struct tried row = { CURLE_RECV_ERROR, 0, 0, NULL, 0 };
	struct api_request post = { .method = "POST", .path = "/" };
	struct api_reply reply;

	(void)state;
	assert_int_equal(ask_for(&post, false, &row, 1, &reply), CLI_TIMEOUT);
	assert_int_equal(n_tries, 31);
	assert_int_equal(clock_ms, 16000);
	assert_string_equal(
	        shown, BROKE_OFF
	        "weir: no answer yet; asking for 12 s more (if management hangs: weir drain --offline works without it)\n"
	        "weir: no answer yet; asking for 8 s more (if management hangs: weir drain --offline works without it)\n"
	        "weir: no answer yet; asking for 4 s more (if management hangs: weir drain --offline works without it)\n");
	assert_int_equal(strncmp(told,
	                         "management did not answer: the change may or may not have been "
	                         "made",
	                         67),
	                 0);
}

static char patience[64]; /* of each try */

static void note_patience(void *arg)
{
	struct answer *a = arg;
	const char *word = a->last_report_ms ? " telling" : a->again ? " brief" : " silent";

	strncat(patience, word, sizeof(patience) - strlen(patience) - 1);
	assert_int_equal(a->heard_ms, clock_ms); /* silence counts from the try's beginning */
	assert_int_equal(a->n, 0);
	assert_int_equal(a->since_ms, 1000);
}

/*
 * The first try waits longer for a sign of life, and says that it waits; with a time of its own
 * it says nothing.
 */
static void later_tries_wait_for_less_and_say_nothing_twice(void **state)
{
	static const struct tried rows[] = { { CURLE_RECV_ERROR, 0, 0, NULL, 700 },
		                             { CURLE_PARTIAL_FILE, 0, 0, NULL, 0 },
		                             { CURLE_OK, 200, 0, "{}", 0 } };
	static const struct {
		const char *method;
		unsigned timeout_ms;
		bool quietly;
		const char *patience;
	} kinds[] = { { "POST", 0, false, " telling brief brief" },
		      { "POST", 5000, false, " silent brief brief" },
		      { "GET", 0, false, " telling" },
		      { "GET", 0, true, " silent" } };
	struct api_reply reply;

	(void)state;
	at_each_try = note_patience;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct api_request request = { .method = kinds[i].method,
			                       .path = "/",
			                       .timeout_ms = kinds[i].timeout_ms };

		patience[0] = '\0';
		(void)ask_for(&request, kinds[i].quietly, rows, 3, &reply);
		api_reply_fini(&reply);
		assert_string_equal(patience, kinds[i].patience);
	}
	at_each_try = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_put_as_it_is_meant),
		cmocka_unit_test(a_success_without_json_is_none),
		cmocka_unit_test(a_refusal_may_be_anything),
		cmocka_unit_test(an_answer_that_broke_off_is_none),
		cmocka_unit_test(what_cannot_have_been_made_is_asked_once),
		cmocka_unit_test(a_change_that_broke_off_is_asked_for_by_the_same_key),
		cmocka_unit_test(later_tries_wait_for_less_and_say_nothing_twice),
		cmocka_unit_test(it_is_given_up_after_fifteen_seconds_and_said_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
