/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store accept, store rebuild: what a person says of a store that is not what the nodes know. weir-mgmt is asked twice: first
 * what would be lost, which is shown; then, if that is agreed to, to do it, and only if nobody has done so since.
 */
#include <stdio.h>
#include <string.h>

#include "mgmt/cli/api.h"
#include "mgmt/cli/body.h"
#include "mgmt/json/row.h"

/* One of the two. */
struct recover_command {
	const char *path, *dry_path, *question;
	void (*print_plan)(const json_t *body);
	void (*print_done)(const json_t *body);
};

static void print_lost(const json_t *body)
{
	const json_t *lost = json_at(body, "lost");
	double n_lost = api_number(body, "n_lost", 0);
	size_t n = json_array_size(lost);

	puts(n_lost > 0 ? "this node has what the store has not, and it is lost:"
	                : "it has all versions that this node has, and what was decided of them");
	rows_print(lost,
	           "  version {number:n|0}[{!what=version}, that it was {what|?}] by {author|?}, "
	           "{time|?}[: {reason}]\n");
	if (n_lost > (double)n)
		printf("  and %.0f more\n", n_lost - (double)n);
}

static void print_acceptance(const json_t *body)
{
	row_print(body, "store {id|?} has version {store.newest:n|0} as its newest (epoch "
	                "{store.epoch:n|0}), and this node has version {here.newest:n|0} (epoch "
	                "{here.epoch:n|0})\n");
	print_lost(body);
	row_print(body, "accepted, it has epoch {epoch:n|0}, and all nodes take what it has\n");
}

static void print_followed(const json_t *body, const char *newest)
{
	if (json_has_true(body, "followed"))
		printf("this node has followed: its newest version is %.0f; the others follow "
		       "within seconds\n",
		       api_number(body, newest, 0));
	else
		puts("this node has not followed yet: weir store status says why");
}

static void print_accepted(const json_t *body)
{
	row_print(body, "the store is accepted as it is, with epoch {epoch:n|0}\n");
	print_followed(body, "store.newest");
}

/* Another node's copy, with the versions that this node's copy lacks. */
static void print_copy(const json_t *copy)
{
	if (!json_at(copy, "newest")) {
		row_print(copy, "  {node|?}: not known: {failure|it gave no answer}\n");
		return;
	}
	row_print(copy,
	          "  {node|?}: version {newest:n|0}, epoch {epoch:n|0}, revision {revision:n|0}"
	          "[{?is_newer}; it is newer: what it has more is lost, unless this runs there]\n");
	rows_print(json_at(copy, "versions"),
	           "    version {number:n|0} by {author|?}, {time|?}[: {reason}]\n");
}

static void print_rebuilding(const json_t *body)
{
	const json_t *copies = json_at(body, "copies"), *copy;
	size_t i;

	row_print(
	        body,
	        "store {id|?} has no newest version; this node's copy has version {here.newest:n|0} as its "
	        "newest, epoch {here.epoch:n|0}, revision {here.revision:n|0}\n");
	if (json_array_size(copies))
		puts("copies at the other nodes:");
	json_array_foreach(copies, i, copy) print_copy(copy);
	row_print(body,
	          "made of it, the store has epoch {epoch:n|0}, and all nodes take what it has\n");
}

static void print_rebuilt(const json_t *body)
{
	row_print(body, "the store is made from this node's copy, with epoch {epoch:n|0}\n");
	print_followed(body, "here.newest");
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
		                             .reads = true,
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
	status = cli_consent(cli, args, c->question);
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
