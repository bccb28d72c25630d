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

static unsigned n_read;

static int fake_open(const char *run_dir, struct proof **out)
{
	(void)run_dir;
	*out = NULL;
	return 0;
}

static void fake_close(struct proof *proof)
{
	(void)proof;
}

static int fake_node(const struct proof *proof, uint64_t now_ms, struct proof_node *out)
{
	(void)proof;
	*out = (struct proof_node){ .document = 71, .alive_ms = now_ms, .driver = "xdp" };
	return 0;
}

static int fake_vip(const struct proof *proof, const char *vip, const struct addr *address,
                    uint64_t now_ms, struct proof_vip *out)
{
	(void)proof;
	(void)vip;
	n_read++;
	*out = (struct proof_vip){ .address = *address,
		                   .state = PROOF_STATE_FORWARDED,
		                   .reason = PROOF_REASON_NONE,
		                   .since_ms = now_ms,
		                   .sent = UINT32_MAX };
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
	n_read = 0;
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
		T(what_is_no_name_is_refused),
	};

	return cmocka_run_group_tests_name("ctl proof", tests, NULL, NULL);
}
