/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weir-sync: lists come from a file, once or whenever it changes, or from standard input, a line each. The newest list counts.
 *
 * There are two lists: the one that is in force is renewed; the one that came is to be put in force. One that is refused is
 * dropped, and the former stays. One that cannot be sent is kept, and tried again until a newer one comes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/proc.h"
#include "base/random.h"
#include "mgmt/cli/members/sync.h"
#include "mgmt/json/row.h"
#include "weir/model.h"
#include "weir/when.h"

#define WAIT_DEFAULT "1m"
#define READ_BYTES   65536u
#define LOOK_MS      1000u /* between two looks at a file that is followed */
#define BLOCKED_MS   5000u /* until names may be free */

struct syncing {
	struct sync sync;
	const char *path;      /* NULL: standard input */
	bool follows, is_open; /* more lists may come */
	uint32_t ttl_s;
	uint64_t wait_ms;
	struct list_lines lines;
	struct stat seen; /* of the file, when it was read last */
	struct list_members in_force, coming;
	bool has_coming;
	uint64_t at_ms;    /* coming is tried then, or in_force renewed */
	uint64_t until_ms; /* when no more list comes: try until then */
	int status;        /* of the newest list */
};

static int read_options(struct syncing *s, const struct cli_args *args)
{
	const char *ttl = cli_value(args, "--ttl"), *wait = cli_value(args, "--wait");
	int64_t ttl_ms = 0, wait_ms;

	s->sync.pool = args->at[0];
	s->path = args->at[1];
	s->sync.source = cli_value(args, "--source");
	s->sync.allows_shrink = cli_flag(args, "--allow-shrink");
	s->sync.only_shows = cli_flag(args, "--dry-run");
	s->follows = cli_flag(args, "--follow");
	if (!model_name_ok(s->sync.pool))
		return cli_fail(CLI_USAGE, "\"%s\" cannot be the name of a pool", s->sync.pool);
	if (!s->sync.source)
		return cli_fail(CLI_USAGE,
		                "--source NAME is missing: it says which members are this "
		                "list's, and must be another one for each list");
	if (!list_is_source(s->sync.source))
		return cli_fail(CLI_USAGE,
		                "--source: expected a name of a-z, 0-9, '.', '_' and '-'");
	if (ttl && (when_duration(ttl, &ttl_ms) || ttl_ms % 1000 ||
	            ttl_ms < (int64_t)MEMBER_TTL_LEAST_S * 1000 ||
	            ttl_ms > (int64_t)MEMBER_TTL_MOST_S * 1000))
		return cli_fail(CLI_USAGE, "--ttl: \"%s\": expected whole seconds from 5s to 1d",
		                ttl);
	if (when_duration(wait ? wait : WAIT_DEFAULT, &wait_ms))
		return cli_fail(CLI_USAGE, "--wait: \"%s\": expected a duration as 5m", wait);
	if (s->follows && !s->path)
		return cli_fail(CLI_USAGE,
		                "--follow needs FILE: standard input is followed to its end");
	s->ttl_s = (uint32_t)(ttl_ms / 1000);
	s->wait_ms = (uint64_t)wait_ms;
	return CLI_OK;
}

/* A list has come. One that is wrong is dropped: what is in force, or on its way, stays. */
static void accept_list(struct syncing *s, const char *text, size_t n)
{
	struct list_errors *errors = MEMORY_NEW(struct list_errors);
	struct list_members list;

	if (list_read(text, n, s->sync.source, s->ttl_s, &list, errors)) {
		list_fini(&s->coming);
		s->coming = list;
		s->has_coming = true;
		s->at_ms = 0;
		s->status = CLI_TIMEOUT;
	} else {
		s->status = CLI_USAGE;
		cli_fail(CLI_OK, "%s: the list is refused, and nothing is changed", s->sync.pool);
		row_put_lines(stderr, errors->text);
	}
	free(errors);
}

static void refuse_long(struct syncing *s)
{
	s->status = CLI_USAGE;
	cli_fail(CLI_OK,
	         "%s: the list is refused, and nothing is changed: it has more than %u bytes",
	         s->sync.pool, LIST_BYTES_MAX);
}

static void end_lists(struct syncing *s)
{
	s->is_open = false;
	s->until_ms = clock_mono_ms() + s->wait_ms;
}

/* Standard input has something, or has ended. */
static void read_input(struct syncing *s)
{
	char *line, *room = memory_must(list_lines_room(&s->lines, READ_BYTES));
	ssize_t n = read(STDIN_FILENO, room, READ_BYTES);
	size_t length;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	enum list_line got =
	        list_lines_accept(&s->lines, n > 0 ? (size_t)n : 0, n <= 0, &line, &length);

	if (got == LIST_LINE_TOO_LONG)
		refuse_long(s);
	else if (got == LIST_LINE_WHOLE)
		accept_list(s, line, length);
	free(line);
	if (n <= 0)
		end_lists(s);
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* All of the open file, given. @return NULL: errno says why */
static char *read_all(int fd, size_t *n)
{
	char *text = memory_must(malloc(LIST_BYTES_MAX + 2));
	ssize_t more = 1;

	for (*n = 0; more > 0 && *n <= LIST_BYTES_MAX; *n += more > 0 ? (size_t)more : 0)
		more = read(fd, text + *n, LIST_BYTES_MAX + 1 - *n);
	if (more >= 0)
		return text;
	free(text);
	return NULL;
}

/* Read the file, if it is another one than before. @return whether it could be read */
static bool read_file(struct syncing *s)
{
	int fd = open(s->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat now;
	char *text = NULL;
	size_t n;

	if (fd < 0 || fstat(fd, &now)) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	bool is_same = is_same_file(&now, &s->seen);

	s->seen = now;
	if (!is_same)
		text = read_all(fd, &n);
	close(fd);
	if (text)
		accept_list(s, text, n);
	free(text);
	return is_same || text;
}

/* --- rounds --- */

static void adopt_list(struct syncing *s)
{
	list_fini(&s->in_force);
	s->in_force = s->coming;
	s->coming = (struct list_members){ .n = 0 };
	s->has_coming = false;
}

static uint64_t next_renewal_ms(const struct syncing *s)
{
	return s->ttl_s ? clock_mono_ms() + answer_jitter_ms(s->ttl_s * 1000 / 3, random_salt())
	                : UINT64_MAX;
}

/* A round with the list that came, or else with the one in force. */
static void work_on_list(struct syncing *s)
{
	bool is_new = s->has_coming;
	enum sync_outcome outcome =
	        sync_round(&s->sync, is_new ? &s->coming : &s->in_force, s->ttl_s > 0);

	switch (outcome) {
	case SYNC_DONE:
	case SYNC_BLOCKED:
		if (is_new) {
			adopt_list(s);
			proc_ready();
			s->status = CLI_OK;
		}
		s->at_ms = next_renewal_ms(s);
		if (outcome == SYNC_BLOCKED) {
			uint64_t again_ms = clock_mono_ms() + BLOCKED_MS;

			s->at_ms = again_ms < s->at_ms ? again_ms : s->at_ms;
			s->status = is_new ? CLI_PARTLY : s->status;
		} else if (s->status == CLI_PARTLY) {
			s->status = CLI_OK;
		}
		break;
	case SYNC_REFUSED:
		s->status = is_new ? s->sync.status : s->status;
		if (is_new) {
			list_fini(&s->coming);
			s->has_coming = false;
		}
		s->at_ms = s->in_force.n ? next_renewal_ms(s) : UINT64_MAX;
		break;
	case SYNC_LATER:
		s->at_ms = clock_mono_ms() +
		           answer_pause_ms(++s->sync.reach.tries, s->sync.retry_s, random_salt());
		break;
	case SYNC_ENDED:
		break;
	}
}

/* Whether there is nothing left to do: no list comes, and the last one is in force, refused, or waited for long enough. */
static bool is_over(const struct syncing *s)
{
	if (s->is_open)
		return false;
	if (!s->has_coming && s->status != CLI_PARTLY)
		return true;
	return s->at_ms > 0 && clock_mono_ms() >= s->until_ms; /* it was tried once at least */
}

/* Until the next round, look at the file, or the end. */
static uint64_t pause_ms(const struct syncing *s)
{
	uint64_t now_ms = clock_mono_ms(), until_ms = s->at_ms;

	if (s->is_open && s->path && until_ms > now_ms + LOOK_MS)
		until_ms = now_ms + LOOK_MS;
	if (!s->is_open && until_ms > s->until_ms)
		until_ms = s->until_ms;
	if (until_ms == UINT64_MAX)
		return UINT32_MAX;
	return until_ms > now_ms ? until_ms - now_ms : 0;
}

static void run_lists(struct syncing *s)
{
	while (!is_over(s)) {
		bool reads = s->is_open && !s->path;
		enum reach_woken woken =
		        reach_wait(&s->sync.reach, reads ? STDIN_FILENO : -1, pause_ms(s));

		if (woken == REACH_SIGNAL)
			return;
		if (woken == REACH_INPUT) {
			read_input(s);
			continue; /* what else has come is newer */
		}
		if (s->is_open && s->path)
			(void)read_file(s);
		if ((s->has_coming || s->in_force.n) && clock_mono_ms() >= s->at_ms)
			work_on_list(s);
		if (s->sync.reach.is_ended)
			return;
	}
	if (s->has_coming)
		s->status =
		        cli_fail(CLI_UNREACHABLE,
		                 "%s: the list is not in force: the API did not take it in time",
		                 s->sync.pool);
	else if (s->status == CLI_PARTLY)
		cli_fail(CLI_OK, "%s: names of the list are taken until members are gone",
		         s->sync.pool);
}

/* The first look at the file: what is wrong with it ends the program, unless it is followed. @return an exit status */
static int begin_lists(struct syncing *s)
{
	s->is_open = true;
	s->at_ms = UINT64_MAX;
	if (!s->path)
		return CLI_OK;
	errno = 0;
	if (!read_file(s))
		return cli_fail(CLI_USAGE, "%s: %s", s->path,
		                errno ? strerror(errno) : "cannot be read");
	if (!s->follows)
		end_lists(s);
	return CLI_OK;
}

int cli_sync(struct cli *cli, const struct cli_args *args)
{
	struct syncing *s = MEMORY_NEW(struct syncing);
	int status = read_options(s, args);

	s->sync.reach.signals = -1;
	if (status == CLI_OK)
		status = reach_open(&s->sync.reach, cli, args);
	if (status == CLI_OK) {
		status = begin_lists(s);
		if (status == CLI_OK) {
			run_lists(s);
			status = s->sync.reach.is_ended && s->is_open ? CLI_OK : s->status;
		}
		reach_close(&s->sync.reach);
	}
	list_fini(&s->in_force);
	list_fini(&s->coming);
	list_lines_fini(&s->lines);
	free(s);
	return status;
}
