/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A drain of a node moves its connections to other nodes. In a pool without agents those would break
 * that are remembered, and to the last node of a drained site clients still come by answers that they
 * have. So the command first asks with a dry run, again and again, until there are none, no slot is
 * unsettled and no such answer is left. Nothing has changed when the operator interrupts it.
 */
#include "mgmt/cli/cmd_node.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "mgmt/rules/rule.h"

#define SETTLE_MAX_MS    1800000u /* ms: settle_time is at most that of the longest connections */
#define SETTLE_STEP_S    1        /* s between two requests */
#define SETTLE_REPORT_MS 10000u   /* ms between two lines */
#define EFFECT_MAX_MS    120000   /* ms: 15 s of graceful shutdown, and the time of routers */

/* What a guard says that only demands a wait, if no other one refuses; else NULL. */
static const char *find_wait(const json_t *reply, const json_t *overridden)
{
	const char *detail = NULL;
	const json_t *g;
	size_t i;

	json_array_foreach(json_object_get(reply, "guards"), i, g)
	{
		const char *guard = api_text(g, "guard", "");

		if (json_has_true(g, "ok") || json_lists(overridden, guard))
			continue;
		if (!rule_is(GUARD_UNSETTLED, guard) && api_number(g, "wait_s", 0) <= 0)
			return NULL;
		detail = api_text(g, "detail", "");
	}
	return detail;
}

/*
 * Ask once. @return CLI_OK and *@p waits, whether to ask again, else the command may be sent, whatever it gives; or an exit
 * status after a message
 */
static int query_wait(const struct cli *cli, const json_t *body, bool reports, bool *waits)
{
	const struct api_request request = {
		.method = "POST",
		.path = "/v1/overrides?wait=local&dry_run=true",
		.body = json_deep_copy(body),
		.reads = true,
	};
	struct api_reply reply;
	const char *detail = NULL;
	int status = api_query(cli, &request, &reply);

	if (status)
		return status;
	if (reply.status == 409)
		detail = find_wait(reply.body, json_object_get(body, "override_guards"));
	if (detail && reports)
		cli_fail(CLI_OK, "waiting, nothing is changed yet: %s", detail);
	api_reply_fini(&reply);
	*waits = detail != NULL;
	return CLI_OK;
}

int node_await_settled(const struct cli *cli, const json_t *body)
{
	uint64_t since_ms = clock_mono_ms(), reported_ms = 0;
	const struct timespec step = { SETTLE_STEP_S, 0 };

	for (;;) {
		uint64_t now_ms = clock_mono_ms();
		bool reports = !reported_ms || now_ms >= reported_ms + SETTLE_REPORT_MS;
		bool waits = false;
		int status = query_wait(cli, body, reports, &waits);

		if (status || !waits)
			return status;
		if (now_ms >= since_ms + SETTLE_MAX_MS)
			return cli_fail(CLI_REFUSED,
			                "nothing was changed: connections are still at risk "
			                "after %u min: use --now, or look at weir status",
			                SETTLE_MAX_MS / 60000);
		if (reports)
			reported_ms = now_ms;
		nanosleep(&step, NULL);
	}
}

int node_await_effect(const struct cli *cli, const char *node, bool drains)
{
	struct cli plain = *cli;
	const char *state = rule_rows[drains ? NODE_IS_DRAINED : NODE_IS_SERVING].name;
	int status;

	plain.json = false;
	status = node_wait_for_state(&plain, node, state, EFFECT_MAX_MS);
	if (!status && !cli->json)
		printf("node %s is %s\n", node, state);
	if (status == CLI_TIMEOUT)
		fprintf(stderr, "weir: weir why node %s shows what it waits for\n", node);
	return status;
}
