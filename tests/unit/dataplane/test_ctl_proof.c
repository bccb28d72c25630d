/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The answer to {"do":"proof"} on a node with many addresses: it is short, because the
 * loop that makes it also takes dead backends out of force. The page is written by the test as the prover writes it.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include <dirent.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/page.h"
#include "dataplane/drivers.h"
#include "dataplane/process.h"
#include "dataplane/prover_internal.h"
#include "tests/unit/simulated_time.h"
#include "tests/unit/suite.h"
#include "weir/model.h"
#include "weir/proof.h"

#define VIPS      1000u
#define ADDRESSES 16u
#define BYTES_MAX (256u * 1024)
#define ROWS_MAX  256u
#define NOW_MS    5500u

static struct model_site ams = { .name = "ams" }, fra = { .name = "fra" };
static const struct model_site *const at_ams[] = { &ams }, *const at_fra[] = { &fra };
static struct addr addresses[ADDRESSES];
static struct model_vip vips[VIPS + 1];
static char names[VIPS + 1][64];
static struct model_node self = { .name = "ams-1", .site = &ams };
static struct model model = { .self = &self, .vips = vips, .n_vips = VIPS + 1 };
static struct process process;
static struct page *page;
static struct proof_page *written; /* its payload */
static struct prover prover;

static int by_row(const void *a, const void *b)
{
	return proof_vip_compare(a, b);
}

/* No number of a row is another one's. */
static void write_rows(struct proof_vip *rows)
{
	for (unsigned i = 0; i < VIPS * ADDRESSES; i++)
		rows[i] = (struct proof_vip){ .vip = hash_text(vips[i / ADDRESSES].name),
			                      .address = addresses[i % ADDRESSES],
			                      .state = PROOF_STATE_FORWARDED,
			                      .reason = PROOF_REASON_NONE,
			                      .since_ms = 901,
			                      .proved_ms = 902,
			                      .tried_ms = 903,
			                      .sent = UINT32_MAX,
			                      .n_services = 4,
			                      .n_serving = 3,
			                      .n_reachable = 2 };
	qsort(rows, VIPS * ADDRESSES, sizeof(*rows), by_row);
}

static void write_node(struct proof_node *node)
{
	*node = (struct proof_node){ .document = 71,
		                     .started_ms = 5002,
		                     .sent = 5003,
		                     .hops_needed = 8,
		                     .hops_known = 7,
		                     .n_vips = VIPS * ADDRESSES,
		                     .n_ports = 2,
		                     .state_arrived = PROOF_NO,
		                     .driver = "xdp" };
	for (uint32_t i = 0; i < PROOF_PORTS_MAX; i++) {
		node->ports[i] = (struct proof_port){ .ifindex = 10 + i,
			                              .program = 30 + i,
			                              .up = i ? PROOF_NO : PROOF_YES,
			                              .attached = i ? PROOF_UNKNOWN : PROOF_NO };
		snprintf(node->ports[i].interface, sizeof(node->ports[i].interface), "v%u", i);
	}
}

/* As many addresses of each state as ten and its number. */
static void make_prover(void)
{
	static struct prover_row rows[33];

	for (unsigned i = 0; i < 33; i++)
		rows[i].shown.state = i < 10   ? PROOF_STATE_UNKNOWN
		                      : i < 21 ? PROOF_STATE_FORWARDED
		                               : PROOF_STATE_REFUSED;
	prover.rows.rows = rows;
	prover.rows.n = 33;
	process.prover = &prover;
}

static void page_path(char out[128])
{
	snprintf(out, 128, "%.80s/" PROOF_PAGE_FILE, process.dirs.run);
}

static unsigned count_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static int setup(void **state)
{
	char path[128];

	(void)state;
	for (unsigned i = 0; i < ADDRESSES; i++)
		memset(&addresses[i], 0xa0 + (int)i, sizeof(addresses[i]));
	for (unsigned i = 0; i <= VIPS; i++) {
		snprintf(names[i], sizeof(names[i]), "a-name-as-long-as-names-may-be-%028u", i);
		vips[i] = (struct model_vip){ .name = names[i],
			                      .sites = i < VIPS ? at_ams : at_fra,
			                      .n_sites = 1,
			                      .addresses = addresses,
			                      .n_addresses = ADDRESSES };
	}
	process.driver = (struct driver *)&process;
	process.node.model = &model;
	make_prover();
	strcpy(process.dirs.run, "/tmp/weir-ctl-proof-XXXXXX");
	if (!mkdtemp(process.dirs.run))
		return -1;
	page_path(path);
	if (page_create(path, PROOF_PAGE_KIND, PROOF_PAGE_LAYOUT,
	                proof_page_bytes(VIPS * ADDRESSES), &page))
		return -1;
	written = page_payload(page);
	written->max_vips = VIPS * ADDRESSES;
	write_node(&written->node);
	write_rows(proof_page_vips(written));
	page_alive(page, 5001);
	return 0;
}

static int teardown(void **state)
{
	char command[96];

	(void)state;
	page_close(page);
	snprintf(command, sizeof(command), "rm -r %.80s", process.dirs.run);
	return system(command);
}

/* @param more  members of the request besides "do" */
static json_t *answer_to(const char *more)
{
	char line[160], *text;
	json_t *answer;

	snprintf(line, sizeof(line), "{\"do\":\"proof\"%s}", more);
	text = process_answer(&process, line, strlen(line));
	assert_non_null(text);
	answer = json_loads(text, 0, NULL);
	free(text);
	assert_non_null(answer);
	return answer;
}

static json_int_t number_of(const json_t *answer, const char *key)
{
	const json_t *n = json_object_get(answer, key);

	assert_true(json_is_integer(n));
	return json_integer_value(n);
}

static void an_answer_many_addresses_is_short_and_says_what_is_left_out(void **state)
{
	json_t *answer = answer_to("");
	char *text = json_dumps(answer, JSON_COMPACT);

	(void)state;
	assert_true(json_is_true(json_object_get(answer, "ok")));
	assert_true(strlen(text) < BYTES_MAX);
	assert_int_equal(json_array_size(json_object_get(answer, "vips")), ROWS_MAX);
	assert_int_equal(number_of(answer, "omitted"), VIPS * ADDRESSES - ROWS_MAX);
	assert_int_equal(number_of(json_object_get(answer, "states"), "unknown"), 10);
	assert_int_equal(number_of(json_object_get(answer, "states"), "forwarded"), 11);
	assert_int_equal(number_of(json_object_get(answer, "states"), "refused"), 12);
	free(text);
	json_decref(answer);
}

static void one_vip_is_listed_alone(void **state)
{
	char line[96];
	json_t *answer;

	(void)state;
	snprintf(line, sizeof(line), ",\"vip\":\"%s\"", names[VIPS - 1]);
	answer = answer_to(line);
	assert_int_equal(json_array_size(json_object_get(answer, "vips")), ADDRESSES);
	assert_int_equal(number_of(answer, "omitted"), 0);
	json_decref(answer);
	snprintf(line, sizeof(line), ",\"vip\":\"%s\"", names[VIPS]); /* another site's */
	answer = answer_to(line);
	assert_int_equal(json_array_size(json_object_get(answer, "vips")), 0);
	json_decref(answer);
}

/* An answer about the VIP of another site: what is said of the node alone. */
static json_t *answer_node(void)
{
	char line[96];

	snprintf(line, sizeof(line), ",\"vip\":\"%s\"", names[VIPS]);
	return answer_to(line);
}

static void each_fact_of_the_node_and_its_ports_is_told(void **state)
{
	json_t *answer = answer_node();
	char *text;

	(void)state;
	assert_int_equal(number_of(answer, "now_ms"), NOW_MS);
	json_object_del(answer, "now_ms");
	text = json_dumps(answer, JSON_COMPACT);
	assert_string_equal(
	        text,
	        "{\"ok\":true,\"document\":71,\"alive_ms\":5001,\"started_ms\":5002,\"sent\":5003,"
	        "\"driver\":\"xdp\",\"state_arrived\":\"no\",\"stopping\":false,"
	        "\"next_hops_needed\":8,\"next_hops_known\":7,\"ports\":["
	        "{\"interface\":\"v0\",\"ifindex\":10,\"program\":30,\"up\":\"yes\",\"attached\":\"no\"},"
	        "{\"interface\":\"v1\",\"ifindex\":11,\"program\":31,\"up\":\"no\","
	        "\"attached\":\"unknown\"}],"
	        "\"vips\":[],\"omitted\":0,"
	        "\"states\":{\"unknown\":10,\"forwarded\":11,\"refused\":12}}");
	free(text);
	json_decref(answer);
}

static void each_fact_of_an_address_is_told(void **state)
{
	char line[96], expected[512], *text;
	json_t *answer;

	(void)state;
	snprintf(line, sizeof(line), ",\"vip\":\"%s\"", names[3]);
	answer = answer_to(line);
	text = json_dumps(json_array_get(json_object_get(answer, "vips"), 1), JSON_COMPACT);
	snprintf(expected, sizeof(expected),
	         "{\"vip\":\"%s\",\"address\":\"a1a1:a1a1:a1a1:a1a1:a1a1:a1a1:a1a1:a1a1\","
	         "\"state\":\"forwarded\",\"reason\":\"\",\"since_ms\":901,\"proved_ms\":902,"
	         "\"tried_ms\":903,\"sent\":4294967295,\"services\":4,\"serving\":3,"
	         "\"reachable\":2}",
	         names[3]);
	assert_string_equal(text, expected);
	free(text);
	json_decref(answer);
}

static void as_many_ports_are_listed_as_there_are(void **state)
{
	static const uint32_t counts[] = { 0, 1, PROOF_PORTS_MAX - 1, PROOF_PORTS_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		json_t *answer;

		written->node.n_ports = counts[i];
		written->node.stopping = i % 2;
		answer = answer_node();
		assert_int_equal(json_array_size(json_object_get(answer, "ports")), counts[i]);
		assert_int_equal(json_is_true(json_object_get(answer, "stopping")), i % 2);
		json_decref(answer);
	}
}

/* A word of the page's file: what makes it another one. */
static void write_header(size_t at, uint32_t value)
{
	char path[128];
	int fd;

	page_path(path);
	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, &value, sizeof(value), (off_t)at), sizeof(value));
	close(fd);
}

static void expect_refusal(const char *text)
{
	unsigned n = count_descriptors();
	json_t *answer = answer_to("");
	char *got = json_dumps(answer, JSON_COMPACT);

	assert_string_equal(got, text);
	free(got);
	json_decref(answer);
	assert_int_equal(count_descriptors(), n); /* it is closed again */
}

static void a_page_that_cannot_be_read_is_told(void **state)
{
	char path[128];

	(void)state;
	written->seq = 1; /* its writer is at it */
	expect_refusal("{\"ok\":false,\"error\":\"Resource temporarily unavailable\"}");
	written->seq = 0;
	write_header(offsetof(struct page_header, replaced), 1);
	expect_refusal("{\"ok\":false,\"error\":\"Stale file handle\"}");
	write_header(offsetof(struct page_header, layout), 9);
	expect_refusal("{\"ok\":false,\"error\":\"Protocol error\"}");
	page_path(path);
	assert_int_equal(unlink(path), 0);
	expect_refusal("{\"ok\":false,\"error\":\"No such file or directory\"}");
}

static void what_is_no_name_is_refused(void **state)
{
	static const char *const lines[] = { ",\"vip\":1", ",\"vip\":[]", ",\"vip\":null" };

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		json_t *answer = answer_to(lines[i]);

		assert_true(json_is_false(json_object_get(answer, "ok")));
		assert_string_equal(json_string_value(json_object_get(answer, "error")),
		                    "vip is a name");
		json_decref(answer);
	}
	process.driver = NULL;
	json_t *answer = answer_to("");

	assert_string_equal(json_string_value(json_object_get(answer, "error")),
	                    "no document is in force yet");
	json_decref(answer);
}

SUITE(ctl_proof)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(an_answer_many_addresses_is_short_and_says_what_is_left_out),
		T(one_vip_is_listed_alone),
		T(each_fact_of_the_node_and_its_ports_is_told),
		T(each_fact_of_an_address_is_told),
		T(as_many_ports_are_listed_as_there_are),
		T(a_page_that_cannot_be_read_is_told),
		T(what_is_no_name_is_refused),
	};

	simulated_clock();
	simulated.now_ms = NOW_MS;
	return cmocka_run_group_tests_name("ctl proof", tests, NULL, NULL);
}
