/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What other processes are asked, word for word; what their answers and refusals become; and which
 * questions are refused before anybody is asked.
 */
#include "api_world.h"
#include "tests/unit/suite.h"

static const char *const names[] = { "dns", "dataplane", "health" };
static const char *name_asked; /* whose control socket got a request; "": none did */

/* Ask a route, with each process there in turn. @return the status that came from the one that was asked */
static unsigned ask_processes(const char *what, const char *body, const char *says)
{
	unsigned status = 0, n = 0;

	name_asked = "";
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		begin_process(names[i], says);
		unsigned got = ask_route(what, body);
		end_process();
		if (process.n_asked == 0 && *name_asked)
			continue;
		status = got;
		if (process.n_asked == 0)
			continue;
		n += process.n_asked;
		name_asked = names[i];
		break;
	}
	assert_in_range(n, 0, 1);
	return status;
}

#define PROBED   "{\"ok\":true,\"targets\":[]}"
#define BACKENDS "{\"ok\":true,\"backends\":[]}"
static const char dns_says[] =
        "{\"ok\":true,\"serving\":false,\"clock_held\":false,\"clock\":\"good\",\"load\":{\"started\":1,"
        "\"finished\":1,\"running\":false,\"error\":\"\",\"mistakes\":[]}}";
static const char dataplane_says[] =
        "{\"ok\":true,\"node\":\"ams-1\",\"driver\":\"xdp\",\"document\":5,\"version\":1,\"refused\":false,"
        "\"refused_why\":\"\",\"ports\":[],\"ports_missing\":[],\"services\":1,\"pools\":1,\"backends\":1,"
        "\"driver_why\":\"\",\"health_epoch\":1,\"learning\":false,\"wants_connections\":false}";
static const char health_says[] =
        "{\"ok\":true,\"document\":5,\"targets\":[],\"n_targets\":0,\"truncated\":false,\"services\":[],"
        "\"groups\":[],\"controls\":[],\"tunnel_document\":0}";
static const char trace_says[] =
        "{\"ok\":true,\"source\":\"192.0.2.1:7\",\"destination\":\"192.0.2.2:80\",\"protocol\":\"tcp\","
        "\"syn\":false,\"length\":40,\"action\":\"pass\",\"reason\":\"no_service\","
        "\"steps\":[{\"step\":\"verdict\",\"text\":\"pass\"}]}";

static void each_question_goes_to_its_process(void **state)
{
	static const struct {
		const char *what, *name, *line, *says;
	} rows[] = {
		{ "GET /v1/dns", "dns", "{\"do\":\"status\"}", dns_says },
		{ "GET /v1/dataplane", "dataplane", "{\"do\":\"status\"}", dataplane_says },
		{ "GET /v1/dataplane/backends", "dataplane", "{\"do\":\"backends\"}", BACKENDS },
		{ "GET /v1/dataplane/backends?pool=web-ams", "dataplane",
		  "{\"do\":\"backends\",\"pool\":\"web-ams\"}", BACKENDS },
		{ "GET /v1/health/targets", "health", "{\"do\":\"list\"}", health_says },
		{ "GET /v1/health/targets?pool=web-ams", "health",
		  "{\"do\":\"list\",\"pool\":\"web-ams\"}", health_says },
		{ "GET /v1/trace?source=192.0.2.1:7&destination=192.0.2.2:80/tcp", "dataplane",
		  "{\"do\":\"trace\",\"source\":\"192.0.2.1:7\","
		  "\"destination\":\"192.0.2.2:80/tcp\",\"length\":40}",
		  trace_says },
		{ "GET /v1/trace?source=[2001:db8::1]:7&destination=[2001:db8::2]:53/udp&length=1500",
		  "dataplane",
		  "{\"do\":\"trace\",\"source\":\"[2001:db8::1]:7\","
		  "\"destination\":\"[2001:db8::2]:53/udp\",\"length\":1500}",
		  trace_says },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(ask_processes(rows[i].what, NULL, rows[i].says), 200);
		assert_string_equal(name_asked, rows[i].name);
		assert_string_equal(process.asked, rows[i].line);
		is_told(json_incref(answer.json), rows[i].says);
	}
}

static void an_answer_is_passed_on_and_a_refusal_is_a_problem(void **state)
{
	static const struct {
		const char *says;
		unsigned status;
		const char *detail;
	} rows[] = {
		{ dns_says, 200, "" },
		{ "{\"ok\":false,\"error\":\"no document yet\"}", 404,
		  "weir-dns: no document yet" },
		{ "{\"ok\":false}", 404, "weir-dns: refused" },
		{ "not JSON", 503, "weir-dns: Protocol error" },
		{ "", 503, "weir-dns: Protocol error" },
	};

	(void)state;
	assert_int_equal(ask_route("GET /v1/dns", NULL), 503);
	assert_string_equal(text_at("detail"), "weir-dns: No such file or directory");
	assert_string_equal(text_at("code"), "process-unreachable");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(ask_processes("GET /v1/dns", NULL, rows[i].says), rows[i].status);
		assert_string_equal(text_at("detail"), rows[i].detail);
		assert_string_equal(text_at("code"), rows[i].status == 200 ? ""
		                                     : rows[i].status == 404
		                                             ? "not-found"
		                                             : "process-unreachable");
	}
	assert_int_equal(ask_route("GET /v1/dns", NULL), 503); /* it has gone */
	assert_string_equal(text_at("detail"), "weir-dns: Connection refused");
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
		unsigned status = ask_processes("POST /v1/health/check", rows[i].body, PROBED);

		if (status != rows[i].status)
			fail_msg("%s: %u", rows[i].body, status);
		assert_string_equal(name_asked, status == 200 ? "health" : "");
		if (i == 0)
			assert_string_equal(process.asked,
			                    "{\"do\":\"check\",\"pool\":\"p\",\"backend\":\"b\"}");
	}
}

static void a_bad_question_is_refused_before_anybody_is_asked(void **state)
{
	static const struct {
		const char *what;
		unsigned status;
	} rows[] = {
		{ "GET /v1/trace", 400 },
		{ "GET /v1/trace?source=192.0.2.1:7", 400 },
		{ "GET /v1/trace?destination=192.0.2.2:80/tcp", 400 },
		{ "GET /v1/trace?source=192.0.2.1:7&destination=192.0.2.2:80", 400 },
		{ "GET /v1/trace?source=192.0.2.1:7&destination=192.0.2.2:80/tcp&length=39", 400 },
		{ "GET /v1/trace?source=192.0.2.1:7&destination=192.0.2.2:80/tcp&length=65536",
		  400 },
		{ "GET /v1/dataplane/backends?pool=none", 404 },
		{ "GET /v1/health/targets?pool=none", 404 },
		{ "GET /v1/dns/explain", 400 },
		{ "GET /v1/dns/explain?type=A", 400 },
		{ "GET /v1/dns/explain?name=a.test&client=me", 400 },
		{ "GET /v1/dns/explain?name=a.test&resolver=192.0.2.0/24", 400 },
		{ "GET /v1/dns/explain?name=a.test&tcp=yes", 400 },
		{ "GET /v1/dns/explain?name=a.test&at=noon", 400 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned status = ask_processes(rows[i].what, NULL, PROBED);

		if (status != rows[i].status)
			fail_msg("%s: %u", rows[i].what, status);
		assert_string_equal(name_asked, "");
	}
}

/* The text of a step of the explanation; "": there is none. */
static const char *step_text(const char *name)
{
	const json_t *steps = value_at("steps"), *one;
	size_t i;

	json_array_foreach(steps, i, one) if (
	        !strcmp(name,
	                json_string_value(json_object_get(
	                        one, "step")))) return json_string_value(json_object_get(one,
	                                                                                 "text"));
	return "";
}

static void ask_explanation(const char *query)
{
	char what[200];

	snprintf(what, sizeof(what), "GET /v1/dns/explain?%s", query);
	assert_int_equal(ask_processes(what, NULL, trace_says), 200);
	assert_string_equal(name_asked, "");
	assert_string_equal(text_at("rcode"), "NOERROR");
}

/* By weir-dns' code on this node's documents: nobody is asked. */
static void an_answer_is_explained_to_whom_it_is_for(void **state)
{
	static const struct {
		const char *query, *key, *record;
	} rows[] = {
		{ "name=www.shop.example", "127.0.0.0/24, from the resolver's address", "A" },
		{ "name=www.shop.example&client=192.0.2.1",
		  "192.0.2.0/24, from the resolver's address", "A" },
		{ "name=www.shop.example&client=192.0.2.0/24",
		  "192.0.2.0/24, from the client subnet of the query", "A" },
		{ "name=www.shop.example&client=192.0.2.0/24&resolver=2001:db8::1",
		  "192.0.2.0/24, from the client subnet of the query", "A" },
		{ "name=www.shop.example&resolver=2001:db8::1",
		  "2001:db8::/56, from the resolver's address", "A" },
		{ "name=ns1.shop.example", "", "A" },
		{ "name=shop.example&type=NS", "", "NS" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char record[16];

		ask_explanation(rows[i].query);
		snprintf(record, sizeof(record), "\tIN\t%s\t", rows[i].record);
		if (strcmp(step_text("key"), rows[i].key) != 0 ||
		    !strstr(text_at("records.0"), record))
			fail_msg("%s: %s, %s", rows[i].query, step_text("key"),
			         text_at("records.0"));
	}
}

/* A site is drained from a time on; a long answer is whole over TCP alone. */
static void an_answer_is_explained_as_it_is_asked(void **state)
{
	char zone[4096];
	json_t *files = files_with(NULL, NULL);
	size_t n = (size_t)snprintf(zone, sizeof(zone), "%s", fixture_zone);

	(void)state;
	for (int i = 0; i < 9; i++)
		n += (size_t)snprintf(zone + n, sizeof(zone) - n, "long TXT \"%0200d\"\n", i);
	json_object_set_new(files, "shop.example.zone", json_string(zone));
	assert_int_equal(ask_with_json("POST /v1/config/apply?wait_ms=0",
	                               json_pack("{s:s, s:o, s:s}", "reason", "x", "files", files,
	                                         "confirm_within", "none")),
	                 201);
	ask_explanation("name=long.shop.example&type=TXT");
	assert_true(is_true_at("truncated"));
	ask_explanation("name=long.shop.example&type=TXT&tcp=true");
	assert_false(is_true_at("truncated"));
	assert_int_equal(
	        ask_route(
	                "POST /v1/overrides?wait_ms=0",
	                "{\"do\": \"drain\", \"target\": {\"site\": \"ams\"}, \"from\": \"+1h\", \"over\": \"10s\","
	                " \"until\": \"never\", \"reason\": \"x\"}"),
	        201);
	ask_explanation("name=www.shop.example");
	assert_string_equal(step_text("candidates"), "ams, fra");
	ask_explanation("name=www.shop.example&at=2026-09-21T16:13:20Z");
	assert_string_equal(step_text("candidates"), "fra");
}

static void what_cannot_be_explained_is_a_problem(void **state)
{
	(void)state;
	assert_int_equal(ask_route("GET /v1/dns/explain?name=a..test", NULL), 422);
	assert_string_equal(text_at("code"), "invalid");
	assert_string_not_equal(text_at("detail"), "");
	assert_int_equal(files_remove_dir(place.state), 0);
	assert_int_equal(ask_route("GET /v1/dns/explain?name=a.test", NULL), 404);
	assert_string_equal(text_at("detail"), "there is no effective document yet");
}

SUITE(processes_parts)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		T(each_question_goes_to_its_process),
		T(an_answer_is_passed_on_and_a_refusal_is_a_problem),
		T(a_check_names_one_target_whole),
		T(a_bad_question_is_refused_before_anybody_is_asked),
		T(an_answer_is_explained_to_whom_it_is_for),
		T(an_answer_is_explained_as_it_is_asked),
		T(what_cannot_be_explained_is_a_problem),
	};

	world_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
