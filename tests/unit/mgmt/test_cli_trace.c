/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `weir trace` (mgmt/cli/cmd_trace.c): where it looks, what it shows of a result, and whom it asks
 * when it may not look itself. The pinned tables and the dataplane's socket are the test's.
 */
#include "fixture.h"
#include "shown.h"

#include <errno.h>

#include "base/addr.h"
#include "base/ctl.h"
#include "mgmt/cli/api.h"
#include "weir/effect.h"
#include "weir/json.h"
#include "weir/model.h"
#include "weir/trace.h"

/* What the tables give, and what they were asked. */
static struct {
	int err;
	struct trace_result result;
	struct trace_query query;
	char dir[PATH_MAX];
	const char *why;
} pinned;

static int fake_pinned(const char *dir, const struct trace_query *q, struct trace_result *out,
                       char *why, size_t why_size)
{
	snprintf(pinned.dir, sizeof(pinned.dir), "%s", dir);
	pinned.query = *q;
	if (!pinned.err)
		*out = pinned.result;
	snprintf(why, why_size, "%s", pinned.why ? pinned.why : "");
	return pinned.err;
}

/* What weir-dataplane answers; NULL: it is dead. */
static struct {
	const char *answer;
	char path[PATH_MAX], line[512];
	int n, timeout_ms;
} dataplane;

static int fake_ask(const char *path, const char *line, int timeout_ms, char **answer)
{
	snprintf(dataplane.path, sizeof(dataplane.path), "%s", path);
	snprintf(dataplane.line, sizeof(dataplane.line), "%s", line);
	dataplane.timeout_ms = timeout_ms;
	dataplane.n++;
	if (!dataplane.answer)
		return -ECONNREFUSED;
	*answer = strdup(dataplane.answer);
	return 0;
}

/* A document that this user may not read. */
static bool denied;

static int fake_read(const char *path, const char *node, struct model **out,
                     struct model_errors *errors)
{
	int err = model_read_without_key(path, node, out, errors);

	errors->denied |= denied;
	return err;
}

#define trace_pinned           fake_pinned
#define ctl_request            fake_ask
#define model_read_without_key fake_read
#include "mgmt/cli/cmd_trace.c" /* its edges are ours */

const char *cli_value(const struct cli_args *args, const char *name)
{
	assert_string_equal(name, "--length");
	return args->values[0];
}

static struct fixture place;
static struct cli cli;

static int set_up(void **state)
{
	(void)state;
	fixture_make(&place);
	memset(&pinned, 0, sizeof(pinned));
	memset(&dataplane, 0, sizeof(dataplane));
	memset(&cli, 0, sizeof(cli));
	denied = false;
	snprintf(cli.dirs.state, sizeof(cli.dirs.state), "%s", place.state);
	snprintf(cli.dirs.run, sizeof(cli.dirs.run), "%s", place.root);
	snprintf(cli.dirs.bpf, sizeof(cli.dirs.bpf), "%s/bpf", place.root);
	snprintf(cli.dirs.node, sizeof(cli.dirs.node), "ams-1.example");
	fixture_write(
	        place.state, PROC_EFFECTIVE_FILE,
	        "effective = { version = \"7\"; digest = \"\"; document = \"57\"; written = \"never\"; };\n"
	        "schema = 1; cluster = { name = \"shop\"; hash_key_file = \"/hash.key\"; hash_key_id = \"k1\"; };\n"
	        "sites = ( { name = \"ams\"; } );\n"
	        "nodes = ( { name = \"ams-1\"; site = \"ams\"; ports = ( { interface = \"eth1\"; } );"
	        " tunnel_source = [ \"10.1.255.0/24\" ]; } );\n");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	fixture_remove(&place);
	return 0;
}

static int run_trace(const char *source, const char *destination, const char *length)
{
	const struct cli_args args = { .at = { source, destination },
		                       .n = 2,
		                       .values = { length } };

	shown_begin();
	int status = cli_trace(&cli, &args);

	shown_end();
	return status;
}

static int ask_dataplane(void)
{
	return run_trace("192.0.2.1:5", "203.0.113.10:80/tcp", NULL);
}

static struct addr addr_of(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static void the_tables_of_this_node_and_cluster_are_asked(void **state)
{
	char expected[PATH_MAX];

	(void)state;
	pinned.result = (struct trace_result){ .action = "drop", .reason = "no-service" };
	assert_int_equal(run_trace("192.0.2.1:5", "203.0.113.10:80/tcp:syn", "1500"), CLI_OK);
	snprintf(expected, sizeof(expected), "%s/bpf/shop/ams-1:example", place.root);
	assert_string_equal(pinned.dir, expected);
	assert_int_equal(pinned.query.source_port, 5);
	assert_int_equal(pinned.query.vip_port, 80);
	assert_int_equal(pinned.query.length, 1500);
	assert_true(pinned.query.syn);
	assert_string_equal(shown, "result     drop: no-service\n");
	assert_int_equal(dataplane.n, 0);
}

static void a_result_is_shown_step_by_step(void **state)
{
	static const struct {
		struct trace_result r;
		const char *end;
	} rows[] = {
		{ { .action = "forward",
		    .reason = "ok",
		    .backend_id = 1,
		    .ifindex = 3,
		    .settled = true },
		  "result     forward: ok, to 10.1.1.11\n" },
		{ { .action = "forward",
		    .reason = "ok",
		    .backend_id = 1,
		    .ifindex = 3,
		    .remembered = true },
		  "result     forward: ok, to 10.1.1.11, remembered\n" },
		{ { .action = "forward", .reason = "ok", .backend_id = 1, .ifindex = 3 },
		  "result     forward: ok, to 10.1.1.11, slot unsettled\n" },
		{ { .action = "drop", .reason = "no_next_hop", .backend_id = 1, .settled = true },
		  "result     drop: no_next_hop, backend 10.1.1.11\n" },
		{ { .action = "pass", .reason = "no_service" }, "result     pass: no_service\n" },
	};
	char expected[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		pinned.result = rows[i].r;
		pinned.result.backend = addr_of("10.1.1.11");
		pinned.result.n_steps = 2;
		pinned.result.steps[0] = (struct trace_step){ "parse", "IPv4" };
		pinned.result.steps[1] = (struct trace_step){ "service", "web" };
		assert_int_equal(ask_dataplane(), CLI_OK);
		snprintf(expected, sizeof(expected), "parse      IPv4\nservice    web\n%s",
		         rows[i].end);
		assert_string_equal(shown, expected);
	}
}

static void a_result_is_one_line_of_json(void **state)
{
	(void)state;
	cli.json = true;
	pinned.result =
	        (struct trace_result){ .action = "forward", .reason = "ok", .backend_id = 1 };
	pinned.result.backend = addr_of("10.1.1.11");
	assert_int_equal(ask_dataplane(), CLI_OK);
	json_t *body = json_loads(shown, 0, NULL);

	assert_non_null(body);
	assert_string_equal(api_text(body, "action", ""), "forward");
	assert_string_equal(api_text(body, "backend", ""), "10.1.1.11");
	assert_int_equal(strcspn(shown, "\n"), strlen(shown) - 1);
	json_decref(body);
}

static void who_may_not_open_the_pins_asks_the_dataplane(void **state)
{
	static const int errors[] = { -EPERM, -EACCES };
	char path[PATH_MAX];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		pinned.err = errors[i];
		dataplane.answer =
		        "{\"ok\":true,\"steps\":[{\"step\":\"parse\",\"text\":\"IPv4\"},{\"step\":\"slot\",\"text\":\"7\"}],"
		        "\"action\":\"forward\",\"reason\":\"ok\",\"backend\":\"10.1.1.12\",\"ifindex\":3}";
		assert_int_equal(run_trace("192.0.2.1:5", "203.0.113.10:80/udp", "100"), CLI_OK);
		assert_string_equal(
		        shown,
		        "parse      IPv4\nslot       7\nresult     forward: ok, to 10.1.1.12\n");
		assert_string_equal(dataplane.line,
		                    "{\"do\":\"trace\",\"source\":\"192.0.2.1:5\","
		                    "\"destination\":\"203.0.113.10:80/udp\",\"length\":100}");
		snprintf(path, sizeof(path), "%s/dataplane.ctl", place.root);
		assert_string_equal(dataplane.path, path);
		dataplane.answer =
		        "{\"ok\":true,\"action\":\"drop\",\"reason\":\"r\",\"backend\":\"10.1.1.12\"}";
		assert_int_equal(ask_dataplane(), CLI_OK);
		assert_string_equal(shown, "result     drop: r, backend 10.1.1.12\n");
		dataplane.answer =
		        "{\"ok\":true,\"action\":\"forward\",\"reason\":\"ok\",\"backend\":\"10.1.1.12\","
		        "\"remembered\":true,\"settled\":false}";
		assert_int_equal(ask_dataplane(), CLI_OK);
		assert_string_equal(shown,
		                    "result     forward: ok, backend 10.1.1.12, remembered\n");
		dataplane.answer =
		        "{\"ok\":true,\"action\":\"forward\",\"reason\":\"ok\",\"backend\":\"10.1.1.12\","
		        "\"remembered\":false,\"settled\":false}";
		assert_int_equal(ask_dataplane(), CLI_OK);
		assert_string_equal(shown,
		                    "result     forward: ok, backend 10.1.1.12, slot unsettled\n");
		dataplane.answer = "{\"ok\":true}";
		assert_int_equal(ask_dataplane(), CLI_OK);
		assert_string_equal(shown, "result     ?: ?\n");
		assert_string_equal(told, "");
	}
	cli.json = true;
	assert_int_equal(ask_dataplane(), CLI_OK);
	assert_string_equal(shown, "{\"ok\":true}\n");
}

static void what_cannot_be_looked_at_is_told_with_what_to_do(void **state)
{
	static const struct {
		int err;
		const char *why, *answer;
		int status, n_asked;
		const char *told;
	} rows[] = {
		{ -ENOENT, "no pins", NULL, CLI_UNREACHABLE, 0,
		  "no dataplane has run here with --bpf-dir " },
		{ -EPERM, "not allowed", NULL, CLI_DENIED, 1,
		  "the tables cannot be read: not allowed; run the command as root\n" },
		{ -EACCES, NULL, "{\"ok\":false}", CLI_DENIED, 1,
		  "the tables cannot be read: Permission denied; run the command as root\n" },
		{ -EACCES, NULL, "[", CLI_DENIED, 1,
		  "the tables cannot be read: Permission denied; run the command as root\n" },
		{ -EINVAL, NULL, "{\"ok\":true}", CLI_UNREACHABLE, 0,
		  "the tables cannot be read: Invalid argument\n" },
		{ -ENOMEM, "of another release", NULL, CLI_UNREACHABLE, 0,
		  "the tables cannot be read: of another release\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		pinned.err = rows[i].err;
		pinned.why = rows[i].why;
		dataplane.answer = rows[i].answer;
		dataplane.n = 0;
		cli.json = true; /* a refusal is no answer */
		assert_int_equal(ask_dataplane(), rows[i].status);
		assert_string_equal(shown, "");
		cli.json = false;
		dataplane.n = 0;
		assert_int_equal(ask_dataplane(), rows[i].status);
		assert_string_equal(shown, "");
		assert_int_equal(strncmp(told, rows[i].told, strlen(rows[i].told)), 0);
		assert_int_equal(dataplane.n, rows[i].n_asked);
	}
}

static void without_a_document_it_says_which_and_why(void **state)
{
	char expected[PATH_MAX + 64];

	(void)state;
	fixture_write(place.state, PROC_EFFECTIVE_FILE, "schema = 1;");
	assert_int_equal(ask_dataplane(), CLI_UNREACHABLE);
	snprintf(expected, sizeof(expected), "%s/effective.conf cannot be read: ", place.state);
	assert_int_equal(strncmp(told, expected, strlen(expected)), 0);
	assert_int_equal(dataplane.n, 0);
	denied = true;
	assert_int_equal(ask_dataplane(), CLI_DENIED);
	assert_int_equal(dataplane.n, 1);
	snprintf(expected, sizeof(expected),
	         "%s/effective.conf: ", place.state); /* not "may not be read" alone */
	assert_int_equal(strncmp(told, expected, strlen(expected)), 0);
	assert_non_null(strstr(told, "; run the command as root, or as a member of group weir "
	                             "while weir-dataplane runs\n"));
	dataplane.answer = "{\"ok\":true,\"action\":\"pass\",\"reason\":\"r\"}";
	assert_int_equal(ask_dataplane(), CLI_OK);
	assert_string_equal(shown, "result     pass: r\n");
	assert_string_equal(told, "");
}

static void a_bad_question_is_usage_and_asks_nobody(void **state)
{
	static const struct {
		const char *source, *destination, *length, *told;
	} rows[] = {
		{ "192.0.2.1", "203.0.113.10:80/tcp", NULL,
		  "expected: SRC:PORT VIP:PORT/tcp, /tcp:syn or /udp; IPv6 in [ ]\n" },
		{ "192.0.2.1:5", "203.0.113.10:80/tcp", "39",
		  "--length: expected the bytes of an IP packet, 40 to 65535\n" },
		{ "192.0.2.1:5", "203.0.113.10:80/tcp", "65536",
		  "--length: expected the bytes of an IP packet, 40 to 65535\n" },
		{ "192.0.2.1:5", "203.0.113.10:80/udp", "27",
		  "--length: expected the bytes of an IP packet, 28 to 65535\n" },
		{ "192.0.2.1:5", "203.0.113.10:80/tcp", "",
		  "--length: expected the bytes of an IP packet, 40 to 65535\n" },
		{ "192.0.2.1:5", "203.0.113.10:80/tcp", "100x",
		  "--length: expected the bytes of an IP packet, 40 to 65535\n" },
		{ "[2001:db8::1]:5", "[2001:db8::2]:80/tcp", "59",
		  "--length: expected the bytes of an IP packet, 60 to 65535\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(run_trace(rows[i].source, rows[i].destination, rows[i].length),
		                 CLI_USAGE);
		assert_string_equal(told, rows[i].told);
		assert_string_equal(pinned.dir, "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_tables_of_this_node_and_cluster_are_asked,
		                                set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_result_is_shown_step_by_step, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_result_is_one_line_of_json, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_may_not_open_the_pins_asks_the_dataplane,
		                                set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_cannot_be_looked_at_is_told_with_what_to_do,
		                                set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_a_document_it_says_which_and_why, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(a_bad_question_is_usage_and_asks_nobody, set_up,
		                                tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
