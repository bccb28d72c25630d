/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Following an operation. Management answers when the record has changed, or after REQUEST_MS. A line is
 * printed when something changed that a person would want to know, and every REPORT_MS all the same,
 * so that nobody wonders whether the command hangs. The operation goes on without its watcher: an
 * interrupted or failing command changes nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "mgmt/cli/op.h"
#include "mgmt/json/row.h"

#define REQUEST_MS 2000u   /* management may keep a request so long */
#define STEP_MS    250u    /* between two requests, at least */
#define REPORT_MS  10000u  /* between two lines */
#define SILENT_MS  120000u /* without an answer: give up */

struct follower {
	const struct cli *cli;
	enum op_goal goal;
	bool watches;
	bool returned; /* it was seen on its way back */
	char id[96];
	uint64_t since_ms, heard_ms, reported_ms;
	double seq;
	char last[OP_LINE_MAX]; /* the last line, without what changes each second */
};

static void print_line(struct follower *f, const char *line, const char *waits_for)
{
	bool is_output = f->watches && !f->cli->json;

	FILE *out = is_output ? stdout : stderr;

	fprintf(out, "%s%s%s", is_output ? "" : "weir: ", line, waits_for ? "; " : "");
	row_put(out, waits_for ? waits_for : "");
	fprintf(out, " (%u s)\n", (unsigned)((clock_mono_ms() - f->since_ms) / 1000));
	fflush(stdout);
	f->reported_ms = clock_mono_ms();
}

/* With --json a watcher gets each new record in a line, a waiter nothing but the last. */
static void report_progress(struct follower *f, const json_t *o, bool is_new)
{
	char line[OP_LINE_MAX];

	if (f->cli->json) {
		if (f->watches && is_new)
			api_print_json(o);
		fflush(stdout);
		return;
	}
	op_line(o, line);
	const char *more = op_is_held(o) ? api_text(json_object_get(o, "hold"), "detail", NULL)
	                   : op_is_over(o, OP_STILL) ? NULL
	                                             : op_waits_for(o);
	if (strcmp(line, f->last) == 0 && clock_mono_ms() < f->reported_ms + REPORT_MS)
		return;
	snprintf(f->last, sizeof(f->last), "%s", line);
	print_line(f, line, more);
}

/* No answer for a while is no end: management may be restarted. @return whether to go on */
static bool bear_silence(struct follower *f)
{
	uint64_t now_ms = clock_mono_ms();

	if (now_ms >= f->heard_ms + SILENT_MS)
		return false;
	if (now_ms >= f->heard_ms + STEP_MS && now_ms >= f->reported_ms + REPORT_MS)
		print_line(f, "management does not answer; the operation goes on without it", NULL);
	return true;
}

/* Ask for the next record. @return CLI_OK with *@p o, owned; or the exit status that ends it */
static int query_next(struct follower *f, json_t **o)
{
	char path[320];
	struct api_request request = { .method = "GET", .path = path };
	struct api_reply reply;

	for (;;) {
		uint64_t request_ms = clock_mono_ms();
		char *id = api_escape(f->id);

		snprintf(path, sizeof(path), "/v1/operations/%s?wait_ms=%u&since=%.0f",
		         id ? id : "", REQUEST_MS, f->seq);
		free(id);
		int status = api_call_quietly(f->cli, &request, &reply);

		if (status == CLI_DENIED)
			return status;
		if (!status && api_succeeded(&reply)) {
			f->heard_ms = clock_mono_ms();
			*o = reply.body;
			return CLI_OK;
		}
		bool refused = !status && reply.status < 500;
		if (refused)
			status = api_refusal(&reply);
		api_reply_fini(&reply);
		if (refused)
			return status;
		if (!bear_silence(f))
			return cli_fail(CLI_UNREACHABLE,
			                "management does not answer; the operation goes on; look "
			                "at it from another node: weir operation %s",
			                f->id);
		while (clock_mono_ms() < request_ms + STEP_MS)
			nanosleep(&(const struct timespec){ 0, 50000000L }, NULL);
	}
}

/* What the end of a wait means for scripts. */
static int end_status(const struct follower *f, const json_t *o)
{
	char text[OP_LINE_MAX];
	const char *state = api_text(o, "state", "?");

	if (op_is_held(o))
		return CLI_DEGRADED;
	if (op_has_reached(o, f->goal))
		return CLI_OK;
	if (strcmp(state, "drained_unconfirmed") == 0 && f->goal != OP_BACK)
		return cli_fail(CLI_PARTLY, "%s",
		                row_format(text, sizeof(text), o,
		                           "it is not known whether its flows are silent: "
		                           "[{waits}|its new flows are not known]"));
	return cli_fail(
	        CLI_CONFLICT, "%s",
	        row_format(text, sizeof(text), o, OP_TITLE " has ended otherwise: {state|?}"));
}

/* A number of the record; of none that makes sense, the former one. */
static double number_of(const json_t *o, const char *name, double former)
{
	double number = api_number(o, name, former);

	return number >= 0 && number < 9007199254740992.0 ? number : former;
}

/*
 * Whether a record is of before what is known: the command's answer is the owner's, and the node that is
 * asked then may still have the one before. The owner counts from 1 again in each epoch.
 */
static bool is_older(const json_t *o, const json_t *known)
{
	double epoch = number_of(o, "epoch", 0), known_epoch = number_of(known, "epoch", 0);

	return epoch < known_epoch ||
	       (!(epoch > known_epoch) && number_of(o, "seq", 0) < number_of(known, "seq", 0));
}

/* Ask for the next record; it takes the place of *@p o unless it is older. @return as query_next() */
static int follow_next(struct follower *f, json_t **o)
{
	uint64_t begun_ms = clock_mono_ms();
	json_t *next = NULL;
	int status = query_next(f, &next);

	if (!status && is_older(next, *o)) {
		json_decref(next);
	} else if (!status) {
		json_decref(*o);
		*o = next;
	}
	while (!status && clock_mono_ms() < begun_ms + STEP_MS)
		nanosleep(&(const struct timespec){ 0, 20000000L }, NULL);
	return status;
}

static void print_end(const struct follower *f, const json_t *o)
{
	if (f->cli->json && !f->watches)
		api_print_json(o);
	else if (!f->cli->json)
		op_print(o);
}

int op_follow(const struct cli *cli, const json_t *o, enum op_goal goal, bool watches)
{
	struct follower f = {
		.cli = cli,
		.goal = goal,
		.watches = watches,
	};
	json_t *next = json_deep_copy(o);
	int status = CLI_OK;
	bool is_first = true;

	snprintf(f.id, sizeof(f.id), "%s", api_text(o, "id", ""));
	f.since_ms = f.heard_ms = f.reported_ms = clock_mono_ms();
	if (!f.id[0]) {
		json_decref(next);
		return cli_fail(CLI_TIMEOUT, "the answer names no operation; see weir operations");
	}
	if (!watches && !cli->json)
		cli_fail(CLI_OK, "operation %s goes on when this command ends", f.id);
	while (!status) {
		double seq = number_of(next, "seq", f.seq);

		report_progress(&f, next, is_first || seq != f.seq);
		is_first = false;
		f.seq = seq;
		f.returned |= json_has_text(next, "state", "returning");
		/* a return that somebody aborted leaves the site where it was */
		if (op_is_over(next, goal) ||
		    (goal == OP_BACK && f.returned && op_is_over(next, OP_THERE)))
			break;
		status = follow_next(&f, &next);
	}
	if (!status) {
		print_end(&f, next);
		status = end_status(&f, next);
	}
	json_decref(next);
	return status;
}
