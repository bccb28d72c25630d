/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weir-register: registers a backend, renews it, and takes it away at SIGTERM.
 *
 * Before the first success a refusal ends the program: an operator is there to see it, and a unit starts it again. Later it
 * does not: the member stays with its balancers, and what is refused now (a token that is changed) may be right again soon.
 * That its name or address is still a leaving member's ends by itself, so it waits for that.
 *
 * At the end the member is taken away whether its registration was answered or not, unless none was sent. Then it waits until
 * the member is gone: until then flows go to this host.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/proc.h"
#include "base/random.h"
#include "mgmt/cli/members/reach.h"
#include "mgmt/cli/members/register.h"
#include "weir/model.h"
#include "weir/when.h"

#define TTL_DEFAULT  "30s"
#define WAIT_DEFAULT "20m" /* longer than settle_time is by default */
#define LOOK_MS      2000u /* between two looks whether the member is gone */
#define AGAIN_MS     5000u /* after a refusal that may end, and after a drain without the store */

struct registering {
	struct reach reach;
	struct member_entry member;
	char name[2 * MODEL_NAME_MAX + 2]; /* "web/web-7" */
	char *path;
	int64_t wait_ms;
	bool is_sent, is_registered;
};

static int read_wait(const char *text, int64_t *ms)
{
	return when_duration(text, ms)
	               ? cli_fail(CLI_USAGE, "--wait: \"%s\": expected a duration as 5m", text)
	               : CLI_OK;
}

static int read_words(struct registering *r, const struct cli_args *args)
{
	char host[256] = "", id[MODEL_NAME_MAX], error[256];
	const char *ttl = cli_value(args, "--ttl"), *wait = cli_value(args, "--wait");
	const struct register_words words = { .id = cli_value(args, "--id")
		                                            ? cli_value(args, "--id")
		                                            : id,
		                              .address = args->at[1],
		                              .weight = cli_value(args, "--weight"),
		                              .ttl = ttl ? ttl : TTL_DEFAULT,
		                              .labels = cli_value(args, "--labels") };

	if (words.id == id && (gethostname(host, sizeof(host) - 1) || !register_host_id(host, id)))
		return cli_fail(CLI_USAGE, "this host's name cannot be a member's: give --id NAME");
	if (!model_name_ok(args->at[0]))
		return cli_fail(CLI_USAGE, "\"%s\" cannot be the name of a pool", args->at[0]);
	if (!register_read(&words, &r->member, error, sizeof(error)))
		return cli_fail(CLI_USAGE, "%s", error);
	snprintf(r->name, sizeof(r->name), "%s/%s", args->at[0], r->member.id);
	if (asprintf(&r->path, "/v1/pools/%s/members/%s", args->at[0], r->member.id) < 0)
		return cli_fail(CLI_UNREACHABLE, "out of memory");
	return read_wait(wait ? wait : WAIT_DEFAULT, &r->wait_ms);
}

static const char *answerer_name(const struct reach *a)
{
	return a->is_remote ? a->urls[a->at] : "this node";
}

/* What the answer changed is said; a renewal only where it was not known that the member is there. */
static void note_registered(struct registering *r, const struct api_reply *reply)
{
	const char *outcome = api_text(reply->body, "outcome", "");
	char address[ADDR_TEXT_MAX];

	reach_say_well(&r->reach);
	if (!r->is_registered || strcmp(outcome, "renewed") != 0)
		cli_fail(CLI_OK, "%s is registered with %s by %s (%s)", r->name,
		         addr_text(&r->member.address, address), answerer_name(&r->reach), outcome);
	if (!r->is_registered)
		proc_ready();
	r->is_registered = true;
}

/* Whether the same is accepted once others have left. */
static bool ends_by_itself(const struct api_reply *reply)
{
	const char *code = api_text(reply->body, "code", "");

	return reply->status == 409 && (!strcmp(code, "in-use") || !strcmp(code, "too-many"));
}

/* Register once. @return CLI_OK with the time until the next, or the exit status after a message */
static int register_once(struct registering *r, uint32_t *next_ms)
{
	const uint32_t renew_ms = r->member.ttl_s * 1000 / 3;
	char reason[ANSWER_REASON_MAX];
	struct api_reply reply;
	int status = CLI_OK;

	r->is_sent = true;
	switch (reach_send(&r->reach, "PUT", r->path, member_item_json(&r->member, false),
	                   &reply)) {
	case ANSWER_DONE:
		note_registered(r, &reply);
		*next_ms = answer_jitter_ms(renew_ms, random_salt());
		break;
	case ANSWER_LATER:
		reach_say_trouble(&r->reach, r->name, answer_reason(&reply, reason));
		*next_ms = answer_pause_ms(++r->reach.tries, reply.retry_s, random_salt());
		break;
	case ANSWER_REFUSED:
		if (!r->is_registered && !ends_by_itself(&reply)) {
			status = api_refusal(&reply);
			r->is_sent = false;
			break;
		}
		reach_say_trouble(&r->reach, r->name, answer_reason(&reply, reason));
		*next_ms =
		        answer_jitter_ms(AGAIN_MS < renew_ms ? AGAIN_MS : renew_ms, random_salt());
	}
	api_reply_fini(&reply);
	return status;
}

static int keep_registered(struct registering *r)
{
	uint32_t next_ms = 0;
	int status = CLI_OK;

	while (status == CLI_OK && reach_wait(&r->reach, -1, next_ms) != REACH_SIGNAL)
		status = register_once(r, &next_ms);
	return status;
}

static int end_waiting(const struct registering *r, bool leaves)
{
	return cli_fail(CLI_TIMEOUT,
	                leaves ? "%s still leaves: flows may still come here"
	                       : "%s is not taken away: flows still come here",
	                r->name);
}

/* Wait as long as there is time. @return whether to go on */
static bool wait_more(struct registering *r, uint64_t until_ms, uint32_t ms)
{
	uint64_t now_ms = clock_mono_ms();

	if (now_ms >= until_ms)
		return false;
	return reach_wait(&r->reach, -1, ms < until_ms - now_ms ? ms : until_ms - now_ms) !=
	       REACH_SIGNAL;
}

/* Take the member away. @return CLI_OK: it leaves, or is gone; else the exit status after a message */
static int deregister_member(struct registering *r, uint64_t until_ms)
{
	char reason[ANSWER_REASON_MAX];
	struct api_reply reply;
	int status = CLI_OK;
	uint32_t again_ms;

	do {
		enum answer_meaning outcome =
		        reach_send(&r->reach, "DELETE", r->path, NULL, &reply);
		bool is_drained = !strcmp(api_text(reply.body, "outcome", ""), "drained");

		again_ms = 0;
		if (reply.status == 404) {
			reach_say_well(&r->reach);
		} else if (is_drained) {
			reach_say_trouble(&r->reach, r->name,
			                  "is drained; it leaves when the store is back");
			again_ms = AGAIN_MS;
		} else if (outcome == ANSWER_DONE) {
			reach_say_well(&r->reach);
			cli_fail(CLI_OK, "%s leaves", r->name);
		} else if (outcome == ANSWER_LATER) {
			reach_say_trouble(&r->reach, r->name, answer_reason(&reply, reason));
			again_ms = answer_pause_ms(++r->reach.tries, reply.retry_s, random_salt());
		} else {
			status = api_refusal(&reply);
		}
		api_reply_fini(&reply);
	} while (again_ms && wait_more(r, until_ms, again_ms));
	return again_ms ? end_waiting(r, false) : status;
}

/* Whether the API says that there is no such member any more. */
static bool is_gone(struct registering *r)
{
	struct api_reply reply;

	(void)!reach_send(&r->reach, "GET", r->path, NULL, &reply);
	bool gone = reply.status == 404;

	api_reply_fini(&reply);
	return gone;
}

static int leave_pool(struct registering *r)
{
	uint64_t until_ms = clock_mono_ms() + (uint64_t)r->wait_ms;
	int status = deregister_member(r, until_ms);

	while (status == CLI_OK && !is_gone(r))
		if (!wait_more(r, until_ms, answer_jitter_ms(LOOK_MS, random_salt())))
			return end_waiting(r, true);
	if (status == CLI_OK)
		cli_fail(CLI_OK, "%s is gone", r->name);
	return status;
}

int cli_register(struct cli *cli, const struct cli_args *args)
{
	struct registering *r = MEMORY_NEW(struct registering);
	int status = read_words(r, args);

	r->reach.signals = -1;
	if (status == CLI_OK)
		status = reach_open(&r->reach, cli, args);
	if (status == CLI_OK) {
		status = keep_registered(r);
		if (r->is_sent)
			status = leave_pool(r);
		reach_close(&r->reach);
	}
	free(r->path);
	free(r);
	return status;
}
