/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as a request to the management API: "METHOD PATH?QUERY", a newline, and the body;
 * before it a digit, the role of who asks (enum http_role; none: an admin). Every answer has a
 * status of the closed set, in which there is no internal error; a problem has its code; what is
 * refused changes nothing, nor does who may not.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mgmt/sync/operations.h"
#include "mgmt/controller/operations_run.h"
#include "mgmt/peers/timekeep.h"
#include "tests/fuzz/api_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static const unsigned statuses[] = { 200, 201, 202, 304, 400, 401, 403, 404,
	                             405, 409, 410, 412, 413, 415, 422, 428 };

static struct core *core;

static void open_world(void)
{
	core = api_world_open();
	if (timekeep_open(core) || operations_start(core))
		abort();
}

static void close_world(void)
{
	operations_stop(core);
	timekeep_close(core);
	api_world_close();
}

/* Whatever came, the records are such as this node would tell on. */
static void check_operations(void)
{
	const struct operations_item *item;

	for (size_t i = 0; (item = operations_at(core, i)); i++)
		assert(i < OPERATIONS_MAX && operation_ok(&item->op));
}

/* What this world may lack: other processes and other nodes. Its own store and memory it has. */
static bool is_unreachable(const struct http_reply *reply)
{
	const char *code = json_string_value(json_object_get(reply->json, "code"));

	return reply->status == 503 && code && strstr(code, "-unreachable");
}

/* Written down here, and not read from the table of routes. */
static bool may_change(enum http_role role)
{
	return role == HTTP_PEER || role >= HTTP_ONCALL;
}

/* Another number after each change of configuration or overrides. */
static uint64_t count_changes(void)
{
	const struct overrides *set = intent_overrides(core->intent);
	uint64_t sum = intent_head(core->intent)->number;

	for (size_t i = 0; i < set->n_items; i++)
		sum += set->items[i].generation + set->items[i].ended;
	return sum;
}

static void check_role(const struct http_request *r, const struct http_reply *reply, bool changed)
{
	assert(!changed || may_change(r->role));
	if (r->role == HTTP_NO_ROLE)
		assert(reply->status >= 400 && reply->status != 403);
	if (r->role == HTTP_METRICS && strcmp(r->path, "/metrics") != 0)
		assert(reply->status >= 400);
	if (r->role == HTTP_PEER && strncmp(r->path, "/v1/peer/", 9) != 0)
		assert(reply->status >= 400);
	if (r->role >= HTTP_VIEWER && r->role < HTTP_ADMIN && !strncmp(r->path, "/v1/peer/", 9))
		assert(reply->status >= 400);
}

static void check_reply(const struct http_reply *reply, uint64_t version_before, size_t live_before)
{
	bool known = is_unreachable(reply);

	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		known |= statuses[i] == reply->status;
	assert(known);
	assert(reply->json || reply->text);
	if (reply->status < 400)
		return;
	assert(json_is_string(json_object_get(reply->json, "code")));
	assert(json_integer_value(json_object_get(reply->json, "status")) == reply->status);
	assert(intent_head(core->intent)->number == version_before);
	assert(overrides_live(intent_overrides(core->intent), clock_realtime_ms()) <= live_before);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	const char *at = (const char *)bytes, *end = at + n;
	struct http_request r = {
		.role = HTTP_ADMIN, .principal = "fuzz", .if_match = "*", .body_is_json = true
	};
	struct http_reply reply = { 0 };

	if (!core) {
		open_world();
		atexit(close_world);
	}
	if (at < end && *at >= '0' && *at <= '0' + HTTP_ADMIN)
		r.role = (enum http_role)(*at++ - '0');
	if (!api_world_read(&at, end, &r))
		return 0;
	char *body = malloc((size_t)(end - at) + 1);
	memcpy(body, at, (size_t)(end - at));
	body[end - at] = '\0';
	r.body = body;
	r.n_body = (size_t)(end - at);
	r.body_is_patch = !strcmp(r.method, "PATCH");
	if (strstr(r.path, "/v1/overrides"))
		r.if_match[0] = '\0';
	uint64_t version = intent_head(core->intent)->number;
	size_t live = overrides_live(intent_overrides(core->intent), clock_realtime_ms());
	uint64_t changes = count_changes();
	route_handle(core, &r, &reply);
	check_reply(&reply, version, live);
	check_role(&r, &reply, count_changes() != changes);
	check_operations();
	char *text = http_reply_text(&reply);
	assert(text);
	free(text);
	http_reply_fini(&reply);
	free(body);
	return 0;
}
