/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store status: whether nodes share a store, and what this node has of it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "mgmt/cli/api.h"
#include "mgmt/json/row.h"
#include "mgmt/setup/store_note.h"
#include "mgmt/store/store_conf.h"

/* How many members answer this node, and which do not. */
static void print_members(const json_t *body)
{
	const json_t *list = json_at(body, "members"), *m;
	double needed = api_number(body, "members_needed", 0);
	size_t i, n_silent = 0, n = json_array_size(list);

	json_array_foreach(list, i, m) n_silent += json_has_text(m, "state", "silent");
	if (!n_silent)
		return;
	printf("  %-14s %zu of %zu do not answer, and %.0f are needed%s\n", "members", n_silent, n,
	       needed,
	       (double)(n - n_silent) == needed ? ": with the next loss configuration is frozen"
	                                        : "");
	rows_print(list,
	           "[{?state=silent}  no answer      {name|?} since {since|?} ({reason|})\n]");
}

/* What a state means for who reads it at night. */
static const char state_text[] =
        "store {state|?}: [{?state=own}the versions of this node are its own: there is no store.conf"
        "|{?state=none}there is no store.conf, and the configuration has other nodes: weir status "
        "says what to do|{?state=ready}it decides which version is in force"
        "|{?state=full}nothing can be written, so changes of configuration and operations are "
        "refused; a version that is not confirmed goes back at its deadline; weir store check shows "
        "how to make room|{?state=cut-off}what is in force stays; changes of configuration are "
        "refused|{?state=went-back}it is older than what this node has read of it; what is in force "
        "stays|{?state=other}what the members have is not what this node has a copy of; what is in "
        "force stays|{?state=unkept}this node cannot keep what it holds; what is in force stays"
        "|{?state=refused}store.conf is wrong; what is in force stays"
        "|{?state=unknown}it was not heard yet]\n"
        "[  reason         {reason}\n][  id             {id}\n][  epoch          {epoch:n}\n]"
        "[{?state=cut-off}  last heard     {silent_ms:whole_s|0} ago\n]";

static void print_store(const json_t *body)
{
	row_show(stdout, body, state_text);
	print_members(body);
	row_show(
	        stdout, body,
	        "[  newest         {newest:n}\n][  in force       {in_force:n}\n]"
	        "[  goes back to   {goes_back_to:n}\n][{?files_missing}  still here     {here:n}\n]");
}

static bool has_store_conf(const struct cli *cli)
{
	char path[PATH_MAX];

	return !proc_path(cli->dirs.conf, STORE_CONF_FILE, path) && !access(path, F_OK);
}

/* When this host did it last, as "3 h ago (/var/backups/...)". */
static void print_age(const struct cli *cli, const char *label, const char *name,
                      const char *command)
{
	struct store_note note;
	int64_t age_s;

	if (store_note_read(cli->dirs.state, name, &note)) {
		printf("  %-14s none known on this host (%s)\n", label, command);
		return;
	}
	age_s = (clock_realtime_ms() - note.time_ms) / 1000;
	if (age_s < 2 * 3600)
		printf("  %-14s %" PRId64 " min ago: %s\n", label, age_s / 60, note.text);
	else if (age_s < 2 * 86400)
		printf("  %-14s %" PRId64 " h ago: %s\n", label, age_s / 3600, note.text);
	else
		printf("  %-14s %" PRId64 " days ago: %s\n", label, age_s / 86400, note.text);
}

int cli_store_status(struct cli *cli, const struct cli_args *args)
{
	const struct api_request request = { .method = "GET", .path = "/v1/store" };

	int status = api_show(cli, &request, print_store);

	(void)args;
	if (status != CLI_OK || cli->json || !has_store_conf(cli))
		return status;
	print_age(cli, "backup", STORE_NOTE_BACKUP, "weir store backup");
	print_age(cli, "check", STORE_NOTE_CHECK, "weir store check");
	return status;
}
