/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/setup/host_command.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/plain.h"

extern char **environ;

/* Read until the end; what does not fit is dropped. */
static void read_said(int fd, char said[HOST_COMMAND_SAID_MAX])
{
	char bytes[512];
	size_t used = 0;
	ssize_t n;

	while ((n = read(fd, bytes, sizeof(bytes))) > 0 || (n < 0 && errno == EINTR)) {
		for (ssize_t i = 0; i < n && used < HOST_COMMAND_SAID_MAX - 1; i++)
			said[used++] = bytes[i] && bytes[i] != '\n' ? bytes[i] : ' ';
	}
	while (used && said[used - 1] == ' ')
		used--;
	said[used] = '\0';
	plain_make(said);
}

static int spawn_program(const char *const *argv, int out_fd, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	int err = posix_spawn_file_actions_init(&actions);

	if (err)
		return -err;
	err = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (!err)
		err = posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
	if (!err)
		err = posix_spawn_file_actions_adddup2(&actions, out_fd, STDERR_FILENO);
	if (!err)
		err = posix_spawnp(pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv,
		                   environ);
	posix_spawn_file_actions_destroy(&actions);
	return -err;
}

int host_command_run(const char *const *argv, char said[HOST_COMMAND_SAID_MAX])
{
	char text[HOST_COMMAND_SAID_MAX];
	int fds[2], status;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	int err = spawn_program(argv, fds[1], &pid);

	close(fds[1]);
	if (!err)
		read_said(fds[0], said ? said : text);
	close(fds[0]);
	if (err)
		return err;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EIO;
}
