/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store backup, store restore: the records of the store as a file, and back into a store that has no versions yet.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "mgmt/cli/api.h"
#include "mgmt/cli/store/store_client.h"
#include "mgmt/setup/store_backup.h"
#include "mgmt/setup/store_note.h"

#define FOLDER "/var/backups" /* Debian's */

/* One file for each day of the week: seven are kept. */
static const char *choose_file(char path[PATH_MAX])
{
	static const char *const days[] = { "sunday",   "monday", "tuesday", "wednesday",
		                            "thursday", "friday", "saturday" };
	time_t now = (time_t)(clock_realtime_ms() / 1000);
	struct tm tm;

	gmtime_r(&now, &tm);
	snprintf(path, PATH_MAX, FOLDER "/weir-store-%s.json", days[tm.tm_wday % 7]);
	return path;
}

static size_t count_versions(const struct store_backup *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->list.n; i++)
		n += !strncmp(b->list.records[i].name, "version/", 8);
	return n;
}

static int fail_store(int err, const char *what, const char *reason)
{
	return cli_fail(err == -EXDEV || err == -EEXIST || err == -EBADMSG ? CLI_CONFLICT
	                : err == -EINVAL                                   ? CLI_USAGE
	                : err == -EINPROGRESS                              ? CLI_TIMEOUT
	                                                                   : CLI_UNREACHABLE,
	                "%s: %s", what, reason);
}

static void print_backup(const struct cli *cli, const struct store_backup *b, const char *path)
{
	if (cli->json) {
		json_t *body = JSON_TEXTS({ "file", path }, { "id", b->id });

		body = json_with(body, "revision", json_integer(b->list.revision));
		api_print_own(json_with(body, "records", json_integer((json_int_t)b->list.n)));
		return;
	}
	printf("%s: store %s at revision %" PRId64
	       ", %zu records of %zu versions; read again and found whole\n",
	       path, b->id, b->list.revision, b->list.n, count_versions(b));
	puts("the files of versions are on the nodes: weir config show --applied --into DIR keeps "
	     "those in force");
}

int cli_store_backup(struct cli *cli, const struct cli_args *args)
{
	char path[PATH_MAX], reason[ETCD_REASON_MAX];
	struct store_note note = { .time_ms = clock_realtime_ms() };
	struct store_backup b;
	int status;
	struct store_client *c = store_client_open(cli, &status);

	if (!c)
		return status;
	const char *file = args->n ? args->at[0] : choose_file(path);
	int err = store_backup_make(&c->settings, c->conf.prefix, c->conf.id, file, &b, reason);

	store_client_close(c);
	if (err)
		return fail_store(err, "no backup was made", reason);
	print_backup(cli, &b, file);
	store_backup_fini(&b);
	snprintf(note.text, sizeof(note.text), "%.200s", file);
	if (store_note_write(cli->dirs.state, STORE_NOTE_BACKUP, &note))
		fprintf(stderr, "weir: weir store status will not show it: %s cannot be written\n",
		        cli->dirs.state);
	return CLI_OK;
}

/* At a terminal a person is asked. */
static bool is_agreed(const struct cli_args *args, const struct store_backup *b,
                      const struct store_client *c)
{
	char time[CLOCK_TEXT_MAX];

	return cli_flag(args, "--yes") || !isatty(STDIN_FILENO) ||
	       cli_is_agreed("write %zu records of store %s, as of %s, into store %s?", b->list.n,
	                     b->id, clock_text(b->time_ms, time), c->conf.id);
}

static void print_restored(const struct cli *cli, const struct store_backup *b)
{
	if (cli->json) {
		api_print_own(json_with(JSON_TEXTS({ "from", b->id }), "records",
		                        json_integer((json_int_t)b->list.n)));
		return;
	}
	printf("%zu records of %zu versions are in the store, and compared\n"
	       "next, at one node after the other, because each fetches files from those that have "
	       "them:\n"
	       "  systemctl stop weir; mv /var/lib/weir/store /var/lib/weir/store.before; systemctl "
	       "start weir; weir store status\n"
	       "what was changed after the backup is not in it\n",
	       b->list.n, count_versions(b));
}

static int restore_store(const struct cli *cli, const struct cli_args *args,
                         const struct store_client *c, const struct store_backup *b)
{
	char reason[ETCD_REASON_MAX];

	if (!is_agreed(args, b, c))
		return cli_fail(CLI_REFUSED, "nothing was changed");
	int err = store_backup_restore(&c->settings, c->conf.prefix, b, reason);

	if (err)
		return fail_store(err, "the backup is not restored", reason);
	print_restored(cli, b);
	return CLI_OK;
}

int cli_store_restore(struct cli *cli, const struct cli_args *args)
{
	char reason[ETCD_REASON_MAX];
	struct store_backup b;
	int status, err = store_backup_read(args->at[0], &b, reason);

	if (err)
		return fail_store(-EINVAL, "this cannot be restored", reason);
	struct store_client *c = store_client_open(cli, &status);

	if (c) {
		status = restore_store(cli, args, c, &b);
		store_client_close(c);
	}
	store_backup_fini(&b);
	return status;
}
