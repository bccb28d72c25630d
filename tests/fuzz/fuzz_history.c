/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any records of shared intent, in any order: a line is "NAME TEXT", or "NAME" of one that is gone, "clear", or "join". What a node
 * makes of them holds together, and what it would write is what it takes.
 */
#include <assert.h>
#include <errno.h>

#include "mgmt/store/history.h"
#include "tests/fuzz/fuzz_text.h"

#define NOW_MS 100000

static const struct pending_clock now = { .boot = "one", .now_ms = NOW_MS };

static void receive_line(struct version_history *h, char *line, int64_t revision)
{
	struct shared_record r = { .revision = revision };
	char *text = strchr(line, ' ');

	if (text)
		*text++ = '\0';
	if (!strcmp(line, "join")) {
		history_join(h, revision);
		return;
	}
	if (!strcmp(line, "clear") || strlen(line) >= sizeof(r.name)) {
		history_clear(h);
		return;
	}
	memcpy(r.name, line, strlen(line) + 1);
	r.text = text;
	int err = history_receive(h, &r, &now);

	assert(err == 0 || err == -EBADMSG);
}

/* What a node writes another one takes, and has in force what the first would have. */
static void write_and_read(struct version_history *h, const struct shared_change *c,
                           uint64_t number)
{
	for (size_t i = 0; i < c->n_puts; i++) {
		struct shared_record r = c->puts[i];

		r.revision = 1 << 20;
		assert(history_receive(h, &r, &now) == 0);
	}
	assert(history_head(h)->number == number && history_in_force(h, NOW_MS)->number == number);
}

static void check_node(struct version_history *h)
{
	const struct version *head = history_head(h), *in_force = history_in_force(h, NOW_MS);
	const struct history_mark confirms = { .mark = CHAIN_CONFIRMED };
	struct version v = { .confirm_within_ms = 1000 };
	struct shared_change c;
	enum chain_mark mark;
	int64_t left_ms = 0;

	assert(!in_force || (head && in_force->number <= head->number));
	assert(!in_force || history_version(h, in_force->number, NULL) == in_force);
	assert(!history_is_open(h, NOW_MS, &left_ms) || left_ms >= 0);
	if (in_force && history_version(h, in_force->number, &mark) && mark == CHAIN_ENDED)
		assert(!in_force->confirm_within_ms || !history_overdue(h, NOW_MS));
	memset(v.digest, 'a', sizeof(v.digest) - 1);
	shared_change_begin(&c, "c");
	int err = history_apply(h, NOW_MS, HISTORY_CONFIRM, &confirms, &v, &c);

	if (!err)
		write_and_read(h, &c, v.number);
	shared_change_fini(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct version_history *h = history_new(STORE_VERSIONS_MAX);
	char *text = fuzz_text(bytes, n), *rest = text, *line;

	assert(h);
	for (int64_t revision = 1; (line = strsep(&rest, "\n")) != NULL; revision++)
		receive_line(h, line, revision);
	check_node(h);
	history_free(h);
	free(text);
	return 0;
}
