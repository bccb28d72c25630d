/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The editor has the terminal: while it runs, Ctrl-C is its own, as in system(3). Editors replace the file or write into it, so
 * it is opened again by its name. Nothing is taken from a file that is empty, or from an editor that failed.
 */
#include "mgmt/cli/edit/editor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/replace.h"
#include "mgmt/cli/cli.h"
#include "mgmt/files/files.h"
#include "weir/json.h"

extern char **environ;

/* @return CLI_OK, or an exit status after a message */
static int write_offered(const char *offered, struct editor_text *text)
{
	const char *dir = getenv("TMPDIR");
	int fd = -1, err = -ENAMETOOLONG;

	if (snprintf(text->path, sizeof(text->path), "%s/weir-edit-XXXXXX.json",
	             dir && *dir == '/' ? dir : "/tmp") < (int)sizeof(text->path)) {
		fd = mkostemps(text->path, (int)strlen(".json"), O_CLOEXEC);
		err = fd < 0 ? -errno : replace_write(fd, offered, strlen(offered));
	}
	if (fd >= 0 && close(fd) && !err)
		err = -errno;
	if (fd < 0)
		text->path[0] = '\0';
	return err ? cli_fail(CLI_USAGE, "a file to edit cannot be made: %s; set TMPDIR",
	                      strerror(-err))
	           : CLI_OK;
}

/* Run the editor. @return what waitpid(2) says of it, or -errno */
static int run_editor(const char *path)
{
	/* as people know it: the variable is a line for the shell, perhaps with options and quotes */
	static const char line[] = "eval \"${VISUAL:-${EDITOR:-vi}} \\\"\\$1\\\"\"";
	const char *argv[] = { "sh", "-c", line, "sh", path, NULL };
	struct sigaction ignored = { .sa_handler = SIG_IGN }, before[2];
	posix_spawnattr_t attributes;
	sigset_t defaults;
	int status = 0;
	pid_t pid;

	sigemptyset(&defaults);
	sigaddset(&defaults, SIGINT);
	sigaddset(&defaults, SIGQUIT);
	int err = posix_spawnattr_init(&attributes);
	if (err)
		return -err;
	posix_spawnattr_setsigdefault(&attributes, &defaults);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
	sigaction(SIGINT, &ignored, &before[0]);
	sigaction(SIGQUIT, &ignored, &before[1]);
	err = posix_spawn(&pid, "/bin/sh", NULL, &attributes, (char *const *)(uintptr_t)argv,
	                  environ);
	while (!err && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	sigaction(SIGINT, &before[0], NULL);
	sigaction(SIGQUIT, &before[1], NULL);
	posix_spawnattr_destroy(&attributes);
	return err ? -err : status;
}

static int report_editor(int ended)
{
	if (ended < 0)
		return cli_fail(CLI_USAGE, "nothing was changed: the editor cannot be started: %s",
		                strerror(-ended));
	if (WIFSIGNALED(ended))
		return cli_fail(CLI_USAGE, "nothing was changed: the editor was ended by signal %d",
		                WTERMSIG(ended));
	return cli_fail(CLI_USAGE,
	                "nothing was changed: the editor ended with status %d; VISUAL or EDITOR "
	                "names another one",
	                WEXITSTATUS(ended));
}

/* @return CLI_OK, or an exit status after a message */
static int read_edited_text(struct editor_text *text, const char *offered, json_t **out)
{
	json_error_t error;
	char *bytes = NULL;
	size_t n = 0;
	int err = files_slurp(text->path, &bytes, &n);

	if (err)
		return cli_fail(CLI_USAGE,
		                "nothing was changed: the edited file cannot be read: %s",
		                strerror(-err));
	bool is_empty = bytes[strspn(bytes, " \t\r\n")] == '\0';
	text->is_changed = !is_empty && strcmp(bytes, offered) != 0;
	*out = json_read(bytes, n, JSON_REJECT_DUPLICATES, &error);
	free(bytes);
	if (is_empty) {
		json_decref(*out);
		*out = NULL;
		return cli_fail(CLI_USAGE, "nothing was changed: the text is empty");
	}
	if (*out && json_is_object(*out))
		return CLI_OK;
	int status = *out ? cli_fail(CLI_USAGE, "nothing was changed: expected an object in JSON")
	                  : cli_fail(CLI_USAGE, "nothing was changed: no JSON: line %d: %s",
	                             error.line, error.text);
	json_decref(*out);
	*out = NULL;
	return status;
}

int editor_run(const json_t *offered, struct editor_text *text, json_t **out)
{
	char *indented = json_dumps(offered, JSON_INDENT(2));
	char *whole = NULL;
	int n = indented ? asprintf(&whole, "%s\n", indented) : -1;

	free(indented);
	if (n < 0)
		return cli_fail(CLI_UNREACHABLE, "out of memory");
	int status = write_offered(whole, text);
	if (!status) {
		int ended = run_editor(text->path);

		status = ended ? report_editor(ended) : read_edited_text(text, whole, out);
	}
	free(whole);
	return status;
}

void editor_end(struct editor_text *text, bool is_kept)
{
	if (!*text->path)
		return;
	if (is_kept && text->is_changed)
		fprintf(stderr, "  what you wrote is in %s\n", text->path);
	else
		unlink(text->path);
}
