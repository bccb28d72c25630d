/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What other processes are asked, word for word; what their answers and refusals become; and which
 * questions are refused before anybody is asked.
 */
#include "asked.h"

#include <errno.h>

#include "base/ctl.h"
#include "mgmt/api/handle.h"
#include "mgmt/json/explain.h"

static struct edge {
	int err;
	const char *answer;
	char path[64], line[256];
} edge;

static int fake_ask(const char *path, const char *line, int timeout_ms, char **answer)
{
	assert_int_equal(timeout_ms, 5000);
	snprintf(edge.path, sizeof(edge.path), "%s", strrchr(path, '/') + 1);
	snprintf(edge.line, sizeof(edge.line), "%s", line);
	if (!edge.err)
		*answer = strdup(edge.answer);
	return edge.err;
}

static int explain_err;
static char explained[256]; /* the request, in words */

static int fake_explain(const struct proc_dirs *dirs, const struct explain_request *r,
                        struct explanation **out)
{
	char client[ADDR_TEXT_MAX], subnet[ADDR_LONG_TEXT_MAX] = "-", at[CLOCK_TEXT_MAX];
	struct explanation *e = calloc(1, sizeof(*e));

	assert_ptr_equal(dirs, &this_node.dirs);
	if (r->has_subnet)
		prefix_text(&r->subnet, subnet);
	snprintf(explained, sizeof(explained), "%s %s %s %s %s %s", r->name, r->type,
	         addr_text(&r->client, client), subnet, r->tcp ? "tcp" : "udp",
	         clock_text(r->wall_clock_ms, at));
	e->rcode = "NOERROR";
	if (explain_err == -EINVAL) {
		e->errors = calloc(1, sizeof(*e->errors));
		e->errors[e->n_errors++] = strdup("not a domain name");
	}
	if (!explain_err || explain_err == -EINVAL)
		*out = e;
	else
		explain_free(e);
	return explain_err;
}

static int64_t fake_believed_ms(void)
{
	return 1763625600000; /* 2025-11-20T08:00:00Z */
}

/* The private parts too. */
#define clock_believed_ms fake_believed_ms
#define ctl_request       fake_ask
#define explain_dns       fake_explain
#include "mgmt/api/handle_processes.c"

static struct http_reply answer;

static int setup(void **state)
{
	(void)asked_setup(state);
	edge = (struct edge){ .answer = "{\"ok\":true,\"n\":5}" };
	explain_err = 0;
	explained[0] = '\0';
	return 0;
}

static int teardown(void **state)
{
	http_reply_fini(&answer);
	return asked_teardown(state);
}

/* Call a handler with a query, NAME=VALUE&..., and a body (given). @return the status */
static unsigned call_handler(http_handler *handler, const char *query, json_t *body)
{
	struct http_request r = { .json = body };
	char text[256], *rest = text, *pair;

	snprintf(text, sizeof(text), "%s", query);
	while ((pair = strsep(&rest, "&")) && *pair) {
		char *value = strchr(pair, '=');

		*value++ = '\0';
		snprintf(r.query[r.n_query].name, sizeof(r.query[0].name), "%s", pair);
		snprintf(r.query[r.n_query++].value, sizeof(r.query[0].value), "%s", value);
	}
	edge.path[0] = edge.line[0] = '\0';
	http_reply_fini(&answer);
	handler(&this_node, &r, &answer);
	json_decref(body);
	return answer.status;
}

static const char *text_of(const char *name)
{
	const char *text = json_string_value(json_object_get(answer.json, name));

	return text ? text : "";
}

static void each_question_goes_to_its_process(void **state)
{
	static const struct {
		http_handler *handler;
		const char *query, *path, *line;
	} rows[] = {
		{ handle_dns, "", "dns.ctl", "{\"do\":\"status\"}" },
		{ handle_dataplane, "", "dataplane.ctl", "{\"do\":\"status\"}" },
		{ handle_dataplane_backends, "", "dataplane.ctl", "{\"do\":\"backends\"}" },
		{ handle_dataplane_backends, "pool=web-ams", "dataplane.ctl",
		  "{\"do\":\"backends\",\"pool\":\"web-ams\"}" },
		{ handle_health_targets, "", "health.ctl", "{\"do\":\"list\"}" },
		{ handle_health_targets, "pool=web-ams", "health.ctl",
		  "{\"do\":\"list\",\"pool\":\"web-ams\"}" },
		{ handle_trace, "source=192.0.2.1:7&destination=192.0.2.2:80/tcp", "dataplane.ctl",
		  "{\"do\":\"trace\",\"source\":\"192.0.2.1:7\","
		  "\"destination\":\"192.0.2.2:80/tcp\",\"length\":40}" },
		{ handle_trace,
		  "source=[2001:db8::1]:7&destination=[2001:db8::2]:53/udp&length=1500",
		  "dataplane.ctl",
		  "{\"do\":\"trace\",\"source\":\"[2001:db8::1]:7\","
		  "\"destination\":\"[2001:db8::2]:53/udp\",\"length\":1500}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(call_handler(rows[i].handler, rows[i].query, NULL), 200);
		assert_string_equal(edge.path, rows[i].path);
		assert_string_equal(edge.line, rows[i].line);
		assert_int_equal(json_integer_value(json_object_get(answer.json, "n")), 5);
	}
}

static void an_answer_is_passed_on_and_a_refusal_is_a_problem(void **state)
{
	static const struct {
		int err;
		const char *answer;
		unsigned status;
		const char *detail;
	} rows[] = {
		{ 0, "{\"ok\":true}", 200, "" },
		{ 0, "{\"ok\":false,\"error\":\"no document yet\"}", 404,
		  "weir-dns: no document yet" },
		{ 0, "{\"ok\":false}", 404, "weir-dns: refused" },
		{ 0, "not JSON", 503, "weir-dns: Protocol error" },
		{ 0, "", 503, "weir-dns: Protocol error" },
		{ -ECONNREFUSED, NULL, 503, "weir-dns: Connection refused" },
		{ -ETIMEDOUT, NULL, 503, "weir-dns: Connection timed out" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		edge.err = rows[i].err;
		edge.answer = rows[i].answer;
		assert_int_equal(call_handler(handle_dns, "", NULL), rows[i].status);
		assert_string_equal(text_of("detail"), rows[i].detail);
		assert_string_equal(text_of("code"), rows[i].status == 200 ? ""
		                                     : rows[i].status == 404
		                                             ? "not-found"
		                                             : "process-unreachable");
	}
}

static void a_check_names_one_target_whole(void **state)
{
	static const struct {
		const char *body;
		unsigned status;
	} rows[] = {
		{ "{\"pool\":\"p\",\"backend\":\"b\"}", 200 },
		{ "{\"service\":\"s\",\"site\":\"t\"}", 200 },
		{ "{}", 422 },
		{ "{\"pool\":\"p\"}", 422 },
		{ "{\"backend\":\"b\"}", 422 },
		{ "{\"service\":\"s\"}", 422 },
		{ "{\"site\":\"t\"}", 422 },
		{ "{\"pool\":\"p\",\"site\":\"t\"}", 422 },
		{ "{\"pool\":\"p\",\"backend\":\"b\",\"service\":\"s\",\"site\":\"t\"}", 422 },
		{ "{\"pool\":\"p\",\"backend\":7}", 422 },
		{ "{\"pool\":\"p\",\"backend\":\"b\",\"do\":\"list\"}", 422 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned status =
		        call_handler(handle_health_check, "", json_loads(rows[i].body, 0, NULL));

		if (status != rows[i].status)
			fail_msg("%s: %u", rows[i].body, status);
		assert_string_equal(edge.path, status == 200 ? "health.ctl" : "");
		if (i == 0)
			assert_string_equal(edge.line,
			                    "{\"do\":\"check\",\"pool\":\"p\",\"backend\":\"b\"}");
	}
}

static void a_bad_question_is_refused_before_anybody_is_asked(void **state)
{
	static const struct {
		http_handler *handler;
		const char *query;
		unsigned status;
	} rows[] = {
		{ handle_trace, "", 400 },
		{ handle_trace, "source=192.0.2.1:7", 400 },
		{ handle_trace, "destination=192.0.2.2:80/tcp", 400 },
		{ handle_trace, "source=192.0.2.1:7&destination=192.0.2.2:80", 400 },
		{ handle_trace, "source=192.0.2.1:7&destination=192.0.2.2:80/tcp&length=39", 400 },
		{ handle_trace, "source=192.0.2.1:7&destination=192.0.2.2:80/tcp&length=65536",
		  400 },
		{ handle_dataplane_backends, "pool=none", 404 },
		{ handle_health_targets, "pool=none", 404 },
		{ handle_dns_explain, "", 400 },
		{ handle_dns_explain, "type=A", 400 },
		{ handle_dns_explain, "name=a.test&client=me", 400 },
		{ handle_dns_explain, "name=a.test&resolver=192.0.2.0/24", 400 },
		{ handle_dns_explain, "name=a.test&tcp=yes", 400 },
		{ handle_dns_explain, "name=a.test&at=noon", 400 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned status = call_handler(rows[i].handler, rows[i].query, NULL);

		if (status != rows[i].status)
			fail_msg("%s: %u", rows[i].query, status);
		assert_string_equal(edge.path, "");
		assert_string_equal(explained, "");
	}
}

static void an_answer_is_explained_to_whom_it_is_for(void **state)
{
	static const struct {
		const char *query, *request;
	} rows[] = {
		{ "name=a.test", "a.test A 127.0.0.1 - udp 2025-11-20T08:00:00.000Z" },
		{ "name=a.test&type=AAAA&client=192.0.2.1&tcp=true",
		  "a.test AAAA 192.0.2.1 - tcp 2025-11-20T08:00:00.000Z" },
		{ "name=a.test&client=192.0.2.0/24&at=2026-11-20T12:00:00Z",
		  "a.test A 192.0.2.0 192.0.2.0/24 udp 2026-11-20T12:00:00.000Z" },
		{ "name=a.test&client=192.0.2.0/24&resolver=2001:db8::1",
		  "a.test A 2001:db8::1 192.0.2.0/24 udp 2025-11-20T08:00:00.000Z" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(call_handler(handle_dns_explain, rows[i].query, NULL), 200);
		assert_string_equal(explained, rows[i].request);
		assert_string_equal(text_of("rcode"), "NOERROR");
	}
}

static void what_cannot_be_explained_is_a_problem(void **state)
{
	static const struct {
		int err;
		unsigned status;
		const char *detail;
	} rows[] = {
		{ -EINVAL, 422, "not a domain name" },
		{ -ENOENT, 404, "there is no effective document yet" },
		{ -ENOMEM, 503, "out of memory; try again" },
		{ -EIO, 500, "the answer cannot be explained: Input/output error" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		explain_err = rows[i].err;
		assert_int_equal(call_handler(handle_dns_explain, "name=a.test", NULL),
		                 rows[i].status);
		assert_string_equal(text_of("detail"), rows[i].detail);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(each_question_goes_to_its_process),
		T(an_answer_is_passed_on_and_a_refusal_is_a_problem),
		T(a_check_names_one_target_whole),
		T(a_bad_question_is_refused_before_anybody_is_asked),
		T(an_answer_is_explained_to_whom_it_is_for),
		T(what_cannot_be_explained_is_a_problem),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
