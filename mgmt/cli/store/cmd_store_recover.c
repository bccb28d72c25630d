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
	const char *plan, *done; /* what is shown before and after, by mgmt/json/row.h */
};

#define FOLLOWED(newest)                                                                           \
	"[{?followed}this node has followed: its newest version is {" newest                       \
	":n|0}; the others follow within seconds|this node has not followed yet: weir store "      \
	"status says why]\n"

static const char acceptance[] =
        "store {id|?} has version {store.newest:n|0} as its newest (epoch {store.epoch:n|0}), and "
        "this node has version {here.newest:n|0} (epoch {here.epoch:n|0})\n"
        "[{?n_lost}this node has what the store has not, and it is lost:|it has all versions that "
        "this node has, and what was decided of them]\n"
        "{*lost of n_lost}  version {number:n|0}[{!what=version}, that it was {what|?}] by {author|?}, "
        "{time|?}[: {reason}]\n{/}"
        "accepted, it has epoch {epoch:n|0}, and all nodes take what it has\n";

static const char accepted[] =
        "the store is accepted as it is, with epoch {epoch:n|0}\n" FOLLOWED("store.newest");

/* Of other nodes' copies, with the versions that this node's copy lacks. */
static const char rebuilding[] =
        "store {id|?} has no newest version; this node's copy has version {here.newest:n|0} as its "
        "newest, epoch {here.epoch:n|0}, revision {here.revision:n|0}\n"
        "[{?copies}copies at the other nodes:\n]"
        "{*copies}  {node|?}: [version {newest:n}, epoch {epoch:n|0}, revision {revision:n|0}"
        "[{?is_newer}; it is newer: what it has more is lost, unless this runs there]"
        "|not known: {failure|it gave no answer}]\n"
        "{*versions}    version {number:n|0} by {author|?}, {time|?}[: {reason}]\n{/}{/}"
        "made of it, the store has epoch {epoch:n|0}, and all nodes take what it has\n";

static const char rebuilt[] =
        "the store is made from this node's copy, with epoch {epoch:n|0}\n" FOLLOWED("here.newest");

static const struct recover_command accept_command = {
	"/v1/store/accept",
	"/v1/store/accept?dry_run=true",
	"accept the store as it is?",
	acceptance,
	accepted,
};

static const struct recover_command rebuild_command = {
	"/v1/store/rebuild",
	"/v1/store/rebuild?dry_run=true",
	"make the store from this node's copy?",
	rebuilding,
	rebuilt,
};

/* Do what was shown. @param etag  of what was shown */
static int carry_out(const struct cli *cli, const struct cli_args *args,
                     const struct recover_command *c, const char *etag)
{
	const struct api_request request = { .method = "POST",
		                             .path = c->path,
		                             .body = body_make_reason("store recovery", args),
		                             .if_match = etag };

	return request.body ? api_show_text(cli, &request, c->done) : CLI_USAGE;
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
		return api_show_text(cli, &request, c->plan);
	int status = api_get(cli, &request, &plan);

	if (!api_succeeded(&plan))
		return status;
	if (!cli->json)
		row_show(stdout, plan.body, c->plan);
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
