/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `weir trace` (mgmt/cli/cmd_trace.c): where it looks, what it shows of a result, and whom it asks
 * when it may not look itself. The tables are a file as DPDK's, with nothing in them, a thread
 * answers in the place of weir-dataplane, and open() refuses what the test says.
 */
#include "fixture.h"
#include "cli_said.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <jansson.h>

#include "base/proc.h"
#include "dataplane/dpdk/tablefile.h"
#include "tests/unit/answers.h"
#include "tests/unit/suite.h"

static int tables_err, document_err; /* of open() */

static bool ends_with(const char *path, const char *name)
{
	size_t n = strlen(path), n_name = strlen(name);

	return n >= n_name && strcmp(path + n - n_name, name) == 0;
}

static int own_open64(const char *path, int flags, mode_t mode)
{
	errno = ends_with(path, "/tables")                 ? tables_err
	        : ends_with(path, "/" PROC_EFFECTIVE_FILE) ? document_err
	                                                   : 0;
	return errno ? -1 : __real_open64(path, flags, mode);
}

/* What weir-dataplane answers; NULL: it is dead. */
static struct {
	const char *answer;
	char line[512]; /* what it was asked last */
	int n, listener;
	pthread_t thread;
} dataplane;

static void *answer_questions(void *arg)
{
	int c;

	(void)arg;
	while ((c = accept(dataplane.listener, NULL, NULL)) >= 0) {
		size_t n = 0;

		while (n + 1 < sizeof(dataplane.line) && read(c, dataplane.line + n, 1) == 1 &&
		       dataplane.line[n] != '\n')
			n++;
		dataplane.line[n] = '\0';
		dataplane.n++;
		if (dataplane.answer)
			dprintf(c, "%s\n", dataplane.answer);
		close(c);
	}
	return NULL;
}

static struct fixture place;

static int set_up(void **state)
{
	static const struct driver_sizes sizes = { 4, 4, 4, 8, 96, 4 };
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct driver_reason why = { "" };
	struct tablefile tables;
	char path[PATH_MAX];

	(void)state;
	fixture_make(&place);
	memset(&dataplane, 0, sizeof(dataplane));
	tables_err = document_err = 0;
	fixture_write(
	        place.state, PROC_EFFECTIVE_FILE,
	        "effective = { version = \"7\"; digest = \"\"; document = \"57\"; written = \"never\"; };\n"
	        "schema = 1; cluster = { name = \"shop\"; hash_key_file = \"/hash.key\"; hash_key_id = \"k1\"; };\n"
	        "sites = ( { name = \"ams\"; } );\n"
	        "nodes = ( { name = \"ams-1\"; site = \"ams\"; ports = ( { interface = \"eth1\"; } );"
	        " tunnel_source = [ \"10.1.255.0/24\" ]; } );\n");
	/* of this node and cluster, and no other */
	snprintf(path, sizeof(path), "%s/bpf/shop/ams-1:example/tables", place.root);
	for (char *at = path + strlen(place.root) + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		assert_int_equal(mkdir(path, 0755), 0);
		*at = '/';
	}
	assert_int_equal(tablefile_make(&tables, path, &sizes, 2, NULL, &why), 0);
	tablefile_close(&tables);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s/dataplane.ctl", place.root);
	dataplane.listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(dataplane.listener, (const struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(dataplane.listener, 4), 0);
	return pthread_create(&dataplane.thread, NULL, answer_questions, NULL);
}

static int tear_down(void **state)
{
	(void)state;
	shutdown(dataplane.listener, SHUT_RDWR);
	pthread_join(dataplane.thread, NULL);
	close(dataplane.listener);
	fixture_remove(&place);
	return 0;
}

static int run_trace(const char *source, const char *destination, const char *length, bool json)
{
	char bpf[80], attached[64];
	const char *words[16] = { "trace",     source,      destination,    "--state-dir",
		                  place.state, "--run-dir", place.root,     "--bpf-dir",
		                  bpf,         "--node",    "ams-1.example" };
	int at = 11;

	snprintf(bpf, sizeof(bpf), "%s/bpf", place.root);
	if (length) {
		snprintf(attached, sizeof(attached), "--length=%s", length);
		words[at++] = attached;
	}
	if (json)
		words[at] = "--json";
	return run_weir(words);
}

static int ask_dataplane(void)
{
	return run_trace("192.0.2.1:5", "203.0.113.10:80/tcp", NULL, false);
}

static void the_tables_of_this_node_and_cluster_are_asked(void **state)
{
	(void)state;
	assert_int_equal(run_trace("192.0.2.1:5", "203.0.113.10:80/tcp:syn", "1500", false),
	                 CLI_OK);
	assert_string_equal(
	        shown,
	        "parse      TCP SYN of 1500 bytes from 192.0.2.1 port 5 to 203.0.113.10 port 80\n"
	        "service    203.0.113.10 is no VIP of this node\n"
	        "verdict    pass: the destination is not a VIP\n"
	        "result     pass: not_ours\n");
	assert_int_equal(run_trace("192.0.2.1:5", "203.0.113.10:80/tcp", NULL, true), CLI_OK);
	json_t *body = json_loads(shown, 0, NULL);

	assert_non_null(body);
	assert_string_equal(json_string_value(json_object_get(body, "action")), "pass");
	assert_int_equal(strcspn(shown, "\n"), strlen(shown) - 1);
	json_decref(body);
	assert_int_equal(dataplane.n, 0);
}

/* An answer, in the words of people. */
static const struct {
	const char *answer, *shown;
} answers[] = {
	{ "{\"ok\":true,\"steps\":[{\"step\":\"parse\",\"text\":\"IPv4\"},{\"step\":\"slot\",\"text\":\"7\"}],"
	  "\"action\":\"forward\",\"reason\":\"ok\",\"backend\":\"10.1.1.12\",\"ifindex\":3}",
	  "parse      IPv4\nslot       7\nresult     forward: ok, to 10.1.1.12\n" },
	{ "{\"ok\":true,\"action\":\"drop\",\"reason\":\"r\",\"backend\":\"10.1.1.12\"}",
	  "result     drop: r, backend 10.1.1.12\n" },
	{ "{\"ok\":true,\"action\":\"forward\",\"reason\":\"ok\",\"backend\":\"10.1.1.12\",\"settled\":true}",
	  "result     forward: ok, backend 10.1.1.12\n" },
	{ "{\"ok\":true,\"action\":\"forward\",\"reason\":\"ok\",\"backend\":\"10.1.1.12\","
	  "\"remembered\":true,\"settled\":false}",
	  "result     forward: ok, backend 10.1.1.12, remembered\n" },
	{ "{\"ok\":true,\"action\":\"forward\",\"reason\":\"ok\",\"backend\":\"10.1.1.12\","
	  "\"remembered\":false,\"settled\":false}",
	  "result     forward: ok, backend 10.1.1.12, slot unsettled\n" },
	{ "{\"ok\":true}", "result     ?: ?\n" },
};

static void who_may_not_open_the_pins_asks_the_dataplane(void **state)
{
	static const int errors[] = { EPERM, EACCES };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		tables_err = errors[i];
		for (size_t k = 0; k < sizeof(answers) / sizeof(answers[0]); k++) {
			dataplane.answer = answers[k].answer;
			assert_int_equal(ask_dataplane(), CLI_OK);
			assert_string_equal(shown, answers[k].shown);
			assert_told("");
		}
	}
	assert_int_equal(run_trace("192.0.2.1:5", "203.0.113.10:80/udp", "100", true), CLI_OK);
	assert_string_equal(shown, "{\"ok\":true}\n");
	assert_string_equal(dataplane.line,
	                    "{\"do\":\"trace\",\"source\":\"192.0.2.1:5\","
	                    "\"destination\":\"203.0.113.10:80/udp\",\"length\":100}");
}

static void what_cannot_be_looked_at_is_told_with_what_to_do(void **state)
{
	static const struct {
		int err;
		const char *answer;
		int status, n_asked;
		const char *told, *then; /* around the file of tables */
	} rows[] = {
		{ EPERM, NULL, CLI_DENIED, 1, "the tables cannot be read: ",
		  " cannot be opened: Operation not permitted; run the command as root\n" },
		{ EACCES, "{\"ok\":false}", CLI_DENIED, 1, "the tables cannot be read: ",
		  " cannot be opened: Permission denied; run the command as root\n" },
		{ EACCES, "[", CLI_DENIED, 1, "the tables cannot be read: ",
		  " cannot be opened: Permission denied; run the command as root\n" },
		{ EIO, "{\"ok\":true}", CLI_UNREACHABLE, 0,
		  "the tables cannot be read: ", " cannot be opened: Input/output error\n" },
	};
	char tables[128], expected[512];

	(void)state;
	snprintf(tables, sizeof(tables), "%s/bpf/shop/ams-1:example/tables", place.root);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		tables_err = rows[i].err;
		dataplane.answer = rows[i].answer;
		snprintf(expected, sizeof(expected), "%s%s%s", rows[i].told, tables, rows[i].then);
		for (int json = 0; json < 2; json++) { /* a refusal is no answer */
			dataplane.n = 0;
			assert_int_equal(
			        run_trace("192.0.2.1:5", "203.0.113.10:80/tcp", NULL, json),
			        rows[i].status);
			assert_string_equal(shown, "");
			assert_told(expected);
			assert_int_equal(dataplane.n, rows[i].n_asked);
		}
	}
	tables_err = dataplane.n = 0;
	assert_int_equal(unlink(tables), 0);
	*strrchr(tables, '/') = '\0';
	assert_int_equal(rmdir(tables), 0);
	assert_int_equal(ask_dataplane(), CLI_UNREACHABLE);
	snprintf(expected, sizeof(expected),
	         "weir: no dataplane has run here with --bpf-dir %s/bpf --node ams-1.example (",
	         place.root);
	assert_int_equal(strncmp(told, expected, strlen(expected)), 0);
	assert_int_equal(dataplane.n, 0);
}

static void without_a_document_it_says_which_and_why(void **state)
{
	char expected[PATH_MAX + 64];

	(void)state;
	fixture_write(place.state, PROC_EFFECTIVE_FILE, "schema = 1;");
	assert_int_equal(ask_dataplane(), CLI_UNREACHABLE);
	snprintf(expected, sizeof(expected),
	         "weir: %s/effective.conf cannot be read: ", place.state);
	assert_int_equal(strncmp(told, expected, strlen(expected)), 0);
	assert_int_equal(dataplane.n, 0);
	document_err = EACCES;
	assert_int_equal(ask_dataplane(), CLI_DENIED);
	assert_int_equal(dataplane.n, 1);
	snprintf(expected, sizeof(expected),
	         "weir: %s/effective.conf: ", place.state); /* not "may not be read" alone */
	assert_int_equal(strncmp(told, expected, strlen(expected)), 0);
	assert_non_null(strstr(told, "; run the command as root, or as a member of group weir "
	                             "while weir-dataplane runs\n"));
	dataplane.answer = "{\"ok\":true,\"action\":\"pass\",\"reason\":\"r\"}";
	assert_int_equal(ask_dataplane(), CLI_OK);
	assert_string_equal(shown, "result     pass: r\n");
	assert_told("");
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
		assert_int_equal(
		        run_trace(rows[i].source, rows[i].destination, rows[i].length, false),
		        CLI_USAGE);
		assert_told(rows[i].told);
		assert_string_equal(shown, "");
	}
}

SUITE(cli_trace)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(the_tables_of_this_node_and_cluster_are_asked),
		T(who_may_not_open_the_pins_asks_the_dataplane),
		T(what_cannot_be_looked_at_is_told_with_what_to_do),
		T(without_a_document_it_says_which_and_why),
		T(a_bad_question_is_usage_and_asks_nobody),
	};

	answer_open64 = own_open64;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
