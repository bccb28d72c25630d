/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The answer to {"do":"proof"} on a node with many addresses: it is short, and few rows are read
 * for it, because the loop that makes it also takes dead backends out of force. The page is the
 * test's.
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

#include "base/clock.h"
#include "dataplane/ctl_proof.h"
#include "dataplane/process.h"
#include "dataplane/prover.h"
#include "weir/model.h"
#include "weir/proof.h"

#define VIPS      1000u
#define ADDRESSES 16u
#define BYTES_MAX (256u * 1024)

static unsigned n_read, n_closed;
static int open_result, copy_result;
static struct proof_node page_node;

static int fake_open(const char *run_dir, struct proof **out)
{
	assert_string_equal(run_dir, "/run/weir");
	*out = NULL;
	return open_result;
}

static void fake_close(struct proof *proof)
{
	(void)proof;
	n_closed++;
}

static int fake_copy(struct proof *proof)
{
	(void)proof;
	return copy_result;
}

static int fake_node(const struct proof *proof, uint64_t now_ms, struct proof_node *out)
{
	(void)proof;
	(void)now_ms;
	*out = page_node;
	return 0;
}

/* No number of a row is another one's. */
static int fake_vip(const struct proof *proof, uint64_t vip, const struct addr *address,
                    uint64_t now_ms, struct proof_vip *out)
{
	(void)proof;
	(void)vip;
	(void)now_ms;
	n_read++;
	*out = (struct proof_vip){ .address = *address,
		                   .state = PROOF_STATE_FORWARDED,
		                   .reason = PROOF_REASON_NONE,
		                   .since_ms = 901,
		                   .proved_ms = 902,
		                   .tried_ms = 903,
		                   .sent = UINT32_MAX,
		                   .n_services = 4,
		                   .n_serving = 3,
		                   .n_reachable = 2 };
	return 0;
}

static void fake_count(const struct prover *r, size_t n[PROOF_STATE_REFUSED + 1])
{
	(void)r;
	for (size_t i = 0; i <= PROOF_STATE_REFUSED; i++)
		n[i] = 10 + i;
}

#define proof_open(...)          fake_open(__VA_ARGS__)
#define proof_close(...)         fake_close(__VA_ARGS__)
#define proof_copy(...)          fake_copy(__VA_ARGS__)
#define proof_node(...)          fake_node(__VA_ARGS__)
#define proof_vip(...)           fake_vip(__VA_ARGS__)
#define prover_count_states(...) fake_count(__VA_ARGS__)
#include "dataplane/ctl_proof.c"

static struct model_site ams = { .name = "ams" }, fra = { .name = "fra" };
static const struct model_site *const at_ams[] = { &ams }, *const at_fra[] = { &fra };
static struct addr addresses[ADDRESSES];
static struct model_vip vips[VIPS + 1];
static char names[VIPS + 1][64];
static struct model_node self = { .name = "ams-1", .site = &ams };
static struct model model = { .self = &self, .vips = vips, .n_vips = VIPS + 1 };
static struct process process;

static int setup(void **state)
{
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
	snprintf(process.dirs.run, sizeof(process.dirs.run), "/run/weir");
	page_node = (struct proof_node){ .document = 71,
		                         .alive_ms = 5001,
		                         .started_ms = 5002,
		                         .sent = 5003,
		                         .hops_needed = 8,
		                         .hops_known = 7,
		                         .n_ports = 2,
		                         .state_arrived = PROOF_NO,
		                         .driver = "xdp" };
	for (uint32_t i = 0; i < PROOF_PORTS_MAX; i++) {
		page_node.ports[i] =
		        (struct proof_port){ .ifindex = 10 + i,
			                     .program = 30 + i,
			                     .up = i ? PROOF_NO : PROOF_YES,
			                     .attached = i ? PROOF_UNKNOWN : PROOF_NO };
		snprintf(page_node.ports[i].interface, sizeof(page_node.ports[i].interface), "v%u",
		         i);
	}
	n_read = n_closed = 0;
	open_result = copy_result = 0;
	return 0;
}

static json_t *answer_to(const char *line)
{
	json_t *request = json_loads(line, 0, NULL), *answer;

	assert_non_null(request);
	answer = ctl_proof_json(&process, request);
	json_decref(request);
	assert_non_null(answer);
	return answer;
}

static json_int_t number_of(const json_t *answer, const char *key)
{
	const json_t *n = json_object_get(answer, key);

	assert_true(json_is_integer(n));
	return json_integer_value(n);
}

static void an_answer_of_many_addresses_is_short_and_says_what_is_left_out(void **state)
{
	json_t *answer = answer_to("{\"do\":\"proof\"}");
	char *text = json_dumps(answer, JSON_COMPACT);

	(void)state;
	assert_true(json_is_true(json_object_get(answer, "ok")));
	assert_true(strlen(text) < BYTES_MAX);
	assert_in_range(n_read, 1, 2 * CTL_PROOF_ROWS);
	assert_int_equal(json_array_size(json_object_get(answer, "vips")), CTL_PROOF_ROWS);
	assert_int_equal(number_of(answer, "omitted"), VIPS * ADDRESSES - CTL_PROOF_ROWS);
	assert_int_equal(number_of(json_object_get(answer, "states"), "unknown"), 10);
	assert_int_equal(number_of(json_object_get(answer, "states"), "forwarded"), 11);
	assert_int_equal(number_of(json_object_get(answer, "states"), "refused"), 12);
	free(text);
	json_decref(answer);
}

static void one_vip_is_listed_alone(void **state)
{
	char line[160];
	json_t *answer;

	(void)state;
	snprintf(line, sizeof(line), "{\"do\":\"proof\",\"vip\":\"%s\"}", names[VIPS - 1]);
	answer = answer_to(line);
	assert_int_equal(json_array_size(json_object_get(answer, "vips")), ADDRESSES);
	assert_int_equal(number_of(answer, "omitted"), 0);
	assert_int_equal(n_read, ADDRESSES);
	json_decref(answer);
	snprintf(line, sizeof(line), "{\"vip\":\"%s\"}", names[VIPS]); /* another site's */
	answer = answer_to(line);
	assert_int_equal(json_array_size(json_object_get(answer, "vips")), 0);
	json_decref(answer);
}

/* An answer about the VIP of another site: what is said of the node alone. */
static json_t *answer_of_node(void)
{
	char line[160];

	snprintf(line, sizeof(line), "{\"vip\":\"%s\"}", names[VIPS]);
	return answer_to(line);
}

static void each_fact_of_the_node_and_its_ports_is_told(void **state)
{
	uint64_t before_ms = clock_mono_ms();
	json_t *answer = answer_of_node();
	char *text;

	(void)state;
	assert_in_range(number_of(answer, "now_ms"), before_ms, clock_mono_ms());
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
	assert_int_equal(n_closed, 1);
}

static void each_fact_of_an_address_is_told(void **state)
{
	char line[160], expected[512], *text;
	json_t *answer;

	(void)state;
	snprintf(line, sizeof(line), "{\"vip\":\"%s\"}", names[3]);
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

		page_node.n_ports = counts[i];
		page_node.stopping = i % 2;
		answer = answer_of_node();
		assert_int_equal(json_array_size(json_object_get(answer, "ports")), counts[i]);
		assert_int_equal(json_is_true(json_object_get(answer, "stopping")), i % 2);
		json_decref(answer);
	}
}

static void a_page_that_cannot_be_read_is_told(void **state)
{
	static const struct {
		int open_result, copy_result;
		const char *text;
		unsigned n_closed;
	} rows[] = {
		{ -ENOENT, 0, "{\"ok\":false,\"error\":\"No such file or directory\"}", 0 },
		{ -EPROTO, -EAGAIN, "{\"ok\":false,\"error\":\"Protocol error\"}", 0 },
		{ 0, -ESTALE, "{\"ok\":false,\"error\":\"Stale file handle\"}", 1 },
		{ 0, -EAGAIN, "{\"ok\":false,\"error\":\"Resource temporarily unavailable\"}", 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *answer;
		char *text;

		n_closed = 0;
		open_result = rows[i].open_result;
		copy_result = rows[i].copy_result;
		answer = answer_to("{\"do\":\"proof\"}");
		text = json_dumps(answer, JSON_COMPACT);
		assert_string_equal(text, rows[i].text);
		assert_int_equal(n_closed, rows[i].n_closed);
		assert_int_equal(n_read, 0);
		free(text);
		json_decref(answer);
	}
}

static void what_is_no_name_is_refused(void **state)
{
	static const char *const lines[] = { "{\"vip\":1}", "{\"vip\":[]}", "{\"vip\":null}" };

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		json_t *answer = answer_to(lines[i]);

		assert_true(json_is_false(json_object_get(answer, "ok")));
		assert_string_equal(json_string_value(json_object_get(answer, "error")),
		                    "vip is a name");
		json_decref(answer);
	}
	process.driver = NULL;
	json_t *answer = answer_to("{}");

	assert_string_equal(json_string_value(json_object_get(answer, "error")),
	                    "no document is in force yet");
	json_decref(answer);
	assert_int_equal(n_read, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(an_answer_of_many_addresses_is_short_and_says_what_is_left_out),
		T(one_vip_is_listed_alone),
		T(each_fact_of_the_node_and_its_ports_is_told),
		T(each_fact_of_an_address_is_told),
		T(as_many_ports_are_listed_as_there_are),
		T(a_page_that_cannot_be_read_is_told),
		T(what_is_no_name_is_refused),
	};

	return cmocka_run_group_tests_name("ctl proof", tests, NULL, NULL);
}
