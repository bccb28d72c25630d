/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any line to the control socket of weir-dataplane, with a document in force: one line of JSON is
 * the answer.
 */
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dataplane/nexthop/hops_internal.h"
#include "dataplane/process.h"
#include "tests/fuzz/fuzz_text.h"
#include "tests/unit/dataplane/stage.h"
#include "weir/json.h"

static struct stage stage;

static size_t list_no_ports(const struct driver *d, struct driver_port out[DRIVER_PORTS_MAX])
{
	(void)d, (void)out;
	return 0;
}

static const struct driver_ops ops = { .name = "none", .ports = list_no_ports };
static struct hops hops; /* follows none */
static struct process process;

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	char *line = fuzz_text(bytes, n), *answer;

	if (!stage.node.plan) {
		stage_init(&stage);
		apply_world(&stage, &stage.first);
		process.node = stage.node;
		process.ops = &ops;
		memset(hops.dest_buckets, 0xff, sizeof(hops.dest_buckets)); /* HOP_NONE */
		process.hops = &hops;
		process.driver =
		        (struct driver *)&stage; /* never looked into: there are no ports */
	}
	answer = process_answer(&process, line, n);
	assert(answer && !strchr(answer, '\n'));
	json_t *json = json_read(answer, strlen(answer), 0, NULL);
	assert(json_is_object(json) && json_is_boolean(json_object_get(json, "ok")));
	json_decref(json);
	free(answer);
	free(line);
	return 0;
}
