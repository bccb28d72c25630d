/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store accept, store rebuild: what a person says of a store that is not what the nodes know. weir-mgmt is asked twice: first
 * what would be lost, which is shown; then, if that is agreed to, to do it, and only if nobody has done so since.
 */
#include <stdio.h>
#include <string.h>

#include "mgmt/cli/api.h"
#include "mgmt/cli/body.h"

/* One of the two. */
struct recover_command {
	const char *path, *dry_path, *question;
	void (*print_plan)(const json_t *body);
	void (*print_done)(const json_t *body);
};

static long long number_of(const json_t *body, const char *side, const char *name)
{
	const json_t *from = side ? json_object_get(body, side) : body;

	return (long long)json_integer_value(json_object_get(from, name));
}

static void print_by(const json_t *item)
{
	const char *reason = api_text(item, "reason", "");

	printf("%s, %s%s%s\n", api_text(item, "author", "?"), api_text(item, "time", "?"),
	       *reason ? ": " : "", reason);
}

static void print_lost(const json_t *body)
{
	const json_t *item;
	size_t i, n = json_array_size(json_object_get(body, "lost"));
	long long n_lost = number_of(body, NULL, "n_lost");

	if (!n_lost)
		puts("it has all versions that this node has, and what was decided of them");
	else
		puts("this node has what the store has not, and it is lost:");
	json_array_foreach(json_object_get(body, "lost"), i, item)
	{
		const char *what = api_text(item, "what", "?");
		bool is_version = !strcmp(what, "version");

		printf("  version %lld%s%s by ", number_of(item, NULL, "number"),
		       is_version ? "" : ", that it was ", is_version ? "" : what);
		print_by(item);
	}
	if (n_lost > (long long)n)
		printf("  and %lld more\n", n_lost - (long long)n);
}

static void print_acceptance(const json_t *body)
{
	printf("store %s has version %lld as its newest (epoch %lld), and this node has version "
	       "%lld (epoch %lld)\n",
	       api_text(body, "id", "?"), number_of(body, "store", "newest"),
	       number_of(body, "store", "epoch"), number_of(body, "here", "newest"),
	       number_of(body, "here", "epoch"));
	print_lost(body);
	printf("accepted, it has epoch %lld, and all nodes take what it has\n",
	       number_of(body, NULL, "epoch"));
}

static void print_followed(const json_t *body, long long newest)
{
	if (json_has_true(body, "followed"))
		printf("this node has followed: its newest version is %lld; the others follow "
		       "within seconds\n",
		       newest);
	else
		puts("this node has not followed yet: weir store status says why");
}

static void print_accepted(const json_t *body)
{
	printf("the store is accepted as it is, with epoch %lld\n", number_of(body, NULL, "epoch"));
	print_followed(body, number_of(body, "store", "newest"));
}

/* Another node's copy, with the versions that this node's copy lacks. */
static void print_copy(const json_t *copy)
{
	const json_t *item;
	size_t i;

	if (!json_object_get(copy, "newest")) {
		printf("  %s: not known: %s\n", api_text(copy, "node", "?"),
		       api_text(copy, "failure", "it gave no answer"));
		return;
	}
	printf("  %s: version %lld, epoch %lld, revision %lld%s\n", api_text(copy, "node", "?"),
	       number_of(copy, NULL, "newest"), number_of(copy, NULL, "epoch"),
	       number_of(copy, NULL, "revision"),
	       json_has_true(copy, "is_newer")
	               ? "; it is newer: what it has more is lost, unless this runs there"
	               : "");
	json_array_foreach(json_object_get(copy, "versions"), i, item)
	{
		printf("    version %lld by ", number_of(item, NULL, "number"));
		print_by(item);
	}
}

static void print_rebuilding(const json_t *body)
{
	const json_t *copies = json_object_get(body, "copies"), *copy;
	size_t i;

	printf("store %s is empty; this node's copy has version %lld as its newest, epoch %lld, "
	       "revision %lld\n",
	       api_text(body, "id", "?"), number_of(body, "here", "newest"),
	       number_of(body, "here", "epoch"), number_of(body, "here", "revision"));
	if (json_array_size(copies))
		puts("copies at the other nodes:");
	json_array_foreach(copies, i, copy) print_copy(copy);
	printf("made of it, the store has epoch %lld, and all nodes take what it has\n",
	       number_of(body, NULL, "epoch"));
}

static void print_rebuilt(const json_t *body)
{
	printf("the store is made from this node's copy, with epoch %lld\n",
	       number_of(body, NULL, "epoch"));
	print_followed(body, number_of(body, "here", "newest"));
}

static const struct recover_command accept_command = {
	"/v1/store/accept",
	"/v1/store/accept?dry_run=true",
	"accept the store as it is?",
	print_acceptance,
	print_accepted,
};

static const struct recover_command rebuild_command = {
	"/v1/store/rebuild",
	"/v1/store/rebuild?dry_run=true",
	"make the store from this node's copy?",
	print_rebuilding,
	print_rebuilt,
};

/* Do what was shown. @param etag  of what was shown */
static int carry_out(const struct cli *cli, const struct cli_args *args,
                     const struct recover_command *c, const char *etag)
{
	const struct api_request request = { .method = "POST",
		                             .path = c->path,
		                             .body = body_make_reason("store recovery", args),
		                             .if_match = etag };

	return request.body ? api_show(cli, &request, c->print_done) : CLI_USAGE;
}

static int recover_store(const struct cli *cli, const struct cli_args *args,
                         const struct recover_command *c)
{
	struct api_reply plan = { 0 };

	if (!cli_text(args, "--reason"))
		return cli_fail(CLI_USAGE, "--reason is required");
	const struct api_request request = { .method = "POST",
		                             .path = c->dry_path,
		                             .body = body_make_reason("store recovery", args) };

	if (!request.body)
		return CLI_USAGE;
	if (cli_flag(args, "--dry-run"))
		return api_show(cli, &request, c->print_plan);
	int status = api_get(cli, &request, &plan);

	if (!api_succeeded(&plan))
		return status;
	if (!cli->json)
		c->print_plan(plan.body);
	status = cli_consent(args, c->question);
	if (!status)
		status = carry_out(cli, args, c, plan.etag);
	api_reply_fini(&plan);
	return status;
}

int cli_store_accept(struct cli *cli, const struct cli_args *args)
{
	return recover_store(cli, args, &accept_command);
}

int cli_store_rebuild(struct cli *cli, const struct cli_args *args)
{
	return recover_store(cli, args, &rebuild_command);
}
