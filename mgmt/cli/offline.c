/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Overrides without weir-mgmt: this process opens the store in its place, runs the
 * command and writes the effective document. The peers learn of it when weir-mgmt is back.
 */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/page.h"
#include "mgmt/cli/cmd_override.h"
#include "mgmt/store/command.h"
#include "mgmt/store/store_conf.h"
#include "mgmt/json/command.h"
#include "mgmt/json/observed.h"
#include "base/believed.h"
#include "weir/health.h"

/* The kernel's user has no name for sudo's caller: the record shall name a person. */
static const char *default_author(void)
{
	const char *name = getenv("SUDO_USER");

	if (!name)
		name = getlogin();
	return name ? name : "root";
}

/*
 * The request as a command, by the decoder that the API uses; its texts are borrowed from @p body.
 * @return 0 or CLI_USAGE, after a message for each error
 */
static int decode_request(const json_t *body, int64_t now_ms, struct command *c)
{
	const json_t *error;
	struct field_reader f;
	size_t i;

	command_from_json(body, now_ms, &f, c);
	if (!c->author)
		c->author = default_author();
	if (field_close(&f))
		return 0;
	json_array_foreach(f.errors, i, error)
	{
		cli_fail(CLI_USAGE, "%s: %s", api_text(error, "field", ""),
		         api_text(error, "detail", ""));
	}
	json_decref(f.errors);
	return CLI_USAGE;
}

/* Whether a line begins an operation, which nothing but weir-mgmt does. */
static bool needs_management(const char *line)
{
	return strstr(line, "weir shift ") ||
	       (strstr(line, "weir drain site ") && !strstr(line, " --scheduled"));
}

/* The API's answer, without what only weir-mgmt can see: whether the processes have the change. */
static json_t *result_json(const struct cli *cli, const struct intent *in, const struct command *c,
                           const struct command_result *r, int64_t now_ms)
{
	const char *reason = intent_unwritten_reason(in);
	json_t *nodes = json_array();
	json_t *body = command_to_json(
	        in, c, r,
	        c->dry_run ? NULL
	                   : "written offline: the peers learn of it when weir-mgmt runs again",
	        now_ms);

	json_array_append_new(nodes, node_to_json(intent_node(in), reason, false, json_array()));
	if (c->dry_run)
		json_decref(nodes);
	else
		nodes_add_json(body, intent_document(in), !*reason, nodes);
	if (*r->undo && !needs_management(r->undo))
		json_object_set_new(body, "undo",
		                    cli->where ? json_sprintf("%s --offline%s", r->undo, cli->where)
		                               : json_null());
	return body;
}

/* The exit status of a command that was not carried out, after a message. */
static int report_refusal(enum command_outcome outcome, const struct command_result *r)
{
	switch (outcome) {
	case COMMAND_REFUSED:
		for (size_t i = 0; i < r->guards.n_verdicts; i++)
			if (!r->guards.verdicts[i].ok)
				fprintf(stderr, "  %s: %s\n", r->guards.verdicts[i].guard,
				        r->guards.verdicts[i].detail);
		return cli_fail(CLI_REFUSED, "refused by a guard");
	case COMMAND_NOTHING:
		return cli_fail(CLI_CONFLICT, "there is nothing to end or hold");
	case COMMAND_TOO_MANY:
		return cli_fail(CLI_CONFLICT, "there are 1024 overrides; end some first");
	case COMMAND_FAILED:
		return cli_fail(CLI_UNREACHABLE, "out of memory");
	default:
		return cli_fail(CLI_USAGE, "%s%s%s", r->field ? r->field : "", r->field ? ": " : "",
		                r->text);
	}
}

/*
 * Without the API nothing authenticates: the principal is the kernel's user, read before rights are
 * given up.
 */
static void read_principal(char out[PRINCIPAL_MAX])
{
	const struct passwd *pw = getpwuid(getuid());

	if (pw)
		snprintf(out, PRINCIPAL_MAX, "user:%.60s", pw->pw_name);
	else
		snprintf(out, PRINCIPAL_MAX, "user:uid-%u", (unsigned)getuid());
}

/* A command that ends what has already ended succeeds. */
static int print_outcome(const struct cli *cli, struct intent *in, const struct command *c,
                         enum command_outcome outcome, const struct command_result *r,
                         int64_t now_ms, json_t **guards)
{
	if (outcome == COMMAND_REFUSED)
		*guards = guards_to_json(&r->guards);
	if (outcome == COMMAND_OVER) {
		api_print_own_text(cli, nothing_to_end_to_json(c, r), override_text);
		return CLI_OK;
	}
	if (outcome != COMMAND_OK)
		return report_refusal(outcome, r);
	api_print_own_text(cli, result_json(cli, in, c, r, now_ms), override_text);
	if (intent_unwritten_reason(in)[0] && !c->dry_run)
		return cli_fail(CLI_UNREACHABLE, "the effective document was not written: %s",
		                intent_unwritten_reason(in));
	return CLI_OK;
}

static int run_offline(const struct cli *cli, struct intent *in, const struct command *c,
                       int64_t now_ms, json_t **guards)
{
	struct command_result *r = MEMORY_NEW(struct command_result);
	struct page *page;

	/* the guards see the health page as in weir-mgmt; without a page they take nothing as down */
	if (health_page_open(cli->dirs.run, &page))
		page = NULL;
	struct guard_observed seen = {
		.health = page ? page_payload(page) : NULL,
		.health_stale =
		        page && clock_mono_ms() > page_header(page)->alive_ms + OBSERVE_STALE_MS,
	};
	enum command_outcome outcome = command_run(in, c, &seen, now_ms, r);
	int status = print_outcome(cli, in, c, outcome, r, now_ms, guards);

	page_close(page);
	free(r);
	return status;
}

/*
 * Only weir-mgmt's user and root can write the files: another user must not get half way. @return 0
 * or -EACCES
 */
static int may_write(const struct cli *cli)
{
	char path[PATH_MAX];

	if (proc_path(cli->dirs.state, PROC_EFFECTIVE_FILE, path) != 0)
		return -ENAMETOOLONG;
	return access(path, W_OK) != 0 && errno == EACCES ? -EACCES : 0;
}

/* The lock is free: take it before the next weir-mgmt does. @return as intent_open() */
static int open_soon(const struct intent_options *options, int64_t now_ms, struct intent **in)
{
	int err = -EBUSY;

	for (int i = 0; err == -EBUSY && i < 1000; i++) {
		err = intent_open(options, now_ms, in);
		if (err == -EBUSY)
			usleep(2000);
	}
	return err;
}

/* A missing user is no missing file. */
static const char *become_error(int err)
{
	return err == -ENOENT
	               ? "the user or group weir does not exist (systemd-sysusers makes them)"
	               : strerror(-err);
}

/*
 * Open the store as weir-mgmt's user, so that weir-mgmt can replace these files. @return CLI_OK, or
 * after a message
 */
static int open_offline_store(const struct cli *cli, bool dry_run, int64_t now_ms,
                              struct intent **in)
{
	const struct intent_options options = { .conf_dir = cli->dirs.conf,
		                                .state_dir = cli->dirs.state,
		                                .run_dir = cli->dirs.run,
		                                .node = cli->dirs.node,
		                                .offline = true,
		                                .shares = store_conf_is_there(cli->dirs.conf) };
	int err = proc_become("mgmt", 0);

	if (err)
		return cli_fail(CLI_UNREACHABLE, "cannot go on as user weir-mgmt: %s",
		                become_error(err));
	err = may_write(cli);
	if (!err)
		err = intent_open(&options, now_ms, in);
	if (err == -EBUSY) {
		int status = offline_end_hung(cli, dry_run);

		if (status != CLI_OK)
			return status;
		err = open_soon(&options, now_ms, in);
	}
	if (err == -EBUSY)
		return cli_fail(CLI_CONFLICT,
		                "another weir-mgmt has started and uses the store; repeat the "
		                "command without --offline");
	if (err)
		return cli_fail(err == -EACCES ? CLI_DENIED : CLI_UNREACHABLE, "%s: %s",
		                cli->dirs.state, strerror(-err));
	return CLI_OK;
}

int offline_override(const struct cli *cli, json_t *body, bool dry_run, json_t **guards)
{
	char principal[PRINCIPAL_MAX];

	read_principal(principal);
	believed_once(cli->dirs.run);

	int64_t now_ms = clock_believed_ms();
	struct intent *in = NULL;
	struct command c;
	int status = decode_request(body, now_ms, &c);

	c.dry_run = dry_run;
	if (!status && access(cli->dirs.state, W_OK | X_OK) != 0 && errno == EACCES)
		status = cli_fail(CLI_DENIED,
		                  "%s: this user may not write there; run the command as root",
		                  cli->dirs.state);
	if (!status)
		status = open_offline_store(cli, dry_run, now_ms, &in);
	if (!status) {
		intent_for(in, principal, NULL);
		status = run_offline(cli, in, &c, now_ms, guards);
	}
	intent_close(in);
	json_decref(body);
	return status;
}
