/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as a request on the control socket of weir-announce: one JSON object back, "ok" in it.
 * The first byte says what is so before: all is proved; the pools are down and a question is open;
 * or the client is not heard. What is announced stays, unless weir-announce is told to stop, or
 * takes a confirmation of the open question.
 */
#include <assert.h>

#include "base/log.h"
#include "tests/unit/announce/round_scene.h"
#include "weir/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum scene_kind { ALL_PROVED, POOLS_DOWN, NOT_HEARD, SCENE_KINDS };

/* As it was before the line: each input starts there. */
static struct {
	struct announcer a;
	struct announce_row row;
	uint64_t now_ms;
	__typeof__(proved) proved;
} before[SCENE_KINDS];

/* Before libFuzzer has threads of its own, which keep a process in its namespace. */
__attribute__((constructor)) static void enter_early(void)
{
	if (!enter_namespace())
		exit(SKIPPED);
}

static void end_scenes(void)
{
	(void)end_scene(NULL);
}

static void keep_scene(enum scene_kind kind)
{
	before[kind].a = a;
	before[kind].row = row;
	before[kind].now_ms = now_ms;
	before[kind].proved = proved;
}

static void prepare_scenes(void)
{
	log_level(LOG_EMERG);
	if (start_scene(NULL))
		abort();
	atexit(end_scenes);
	run_rounds(150);
	assert(is_in(NORMAL_TABLE));
	keep_scene(ALL_PROVED);
	keep_scene(NOT_HEARD);
	proved.vip.n_serving = 0;
	run_rounds(1);
	assert(is_in(NORMAL_TABLE) && row.query_ms == now_ms);
	keep_scene(POOLS_DOWN);
}

static void restore_scene(enum scene_kind kind)
{
	a = before[kind].a;
	row = before[kind].row;
	now_ms = before[kind].now_ms + 50;
	proved = before[kind].proved;
	put_route(NORMAL_TABLE, &row.intended.address);
	empty_table(SHUTDOWN_TABLE);
	follow_kernel();
	write_proof();
}

static bool has_text(const json_t *object, const char *key, const char *text)
{
	const char *found = json_string_value(json_object_get(object, key));

	return found && !strcmp(found, text);
}

/* Written down here, and not read from the code: who else announces the address, and what was asked. */
static bool does_confirm(const json_t *request)
{
	const json_t *sent = json_object_get(request, "sent_ms");

	return has_text(request, "do", "confirmed") &&
	       (has_text(request, "by", "ann") || has_text(request, "by", "zoe")) &&
	       has_text(request, "incarnation", "000000000000004d") &&
	       json_integer_value(sent) == (json_int_t)before[POOLS_DOWN].row.query_ms;
}

/* Whether the line may end the announcement. */
static bool may_withdraw(enum scene_kind kind, const char *line, size_t n)
{
	json_t *request = json_read(line, n, JSON_REJECT_DUPLICATES, NULL);
	bool may = kind != NOT_HEARD && (has_text(request, "do", "stop") ||
	                                 (kind == POOLS_DOWN && does_confirm(request)));

	json_decref(request);
	return may;
}

static void check_line(enum scene_kind kind, const char *line, size_t n)
{
	char *text = command_reply(&a, line, n, kind != NOT_HEARD, now_ms);
	json_t *reply = text ? json_loads(text, 0, NULL) : NULL;
	const json_t *ok = json_object_get(reply, "ok");

	assert(json_is_boolean(ok));
	assert(json_is_true(ok) == !json_object_get(reply, "error"));
	assert(kind != NOT_HEARD || json_is_false(ok));
	assert(kind != POOLS_DOWN || !has_text(reply, "answer", "confirmed"));
	run_rounds(1);
	if (!may_withdraw(kind, line, n))
		assert(is_in(NORMAL_TABLE) && row.state.table == ANNOUNCE_NORMAL);
	json_decref(reply);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	enum scene_kind kind;

	if (!before[ALL_PROVED].a.loop)
		prepare_scenes();
	if (!n)
		return 0;
	kind = (enum scene_kind)(bytes[0] % SCENE_KINDS);
	restore_scene(kind);
	/* the process gives a line with its end */
	char *line = malloc(n);

	if (!line)
		return 0;
	memcpy(line, bytes + 1, n - 1);
	line[n - 1] = '\0';
	check_line(kind, line, n - 1);
	free(line);
	return 0;
}
