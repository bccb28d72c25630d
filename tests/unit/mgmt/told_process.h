/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A process of the node, at its control socket: a thread answers each line by a function of the test. A test includes this
 * once.
 */
#ifndef WEIR_TESTS_MGMT_TOLD_PROCESS_H
#define WEIR_TESTS_MGMT_TOLD_PROCESS_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define TOLD_LINE_MAX 65536u /* as of all control sockets */

static struct told_process {
	pthread_t thread;
	int fd;
	const char *(*answer)(const char *line); /* NULL: none */
} told_process;

/* One connection, one line. */
static inline void serve_line(int fd, char *line)
{
	size_t n = 0;

	for (ssize_t got; n < TOLD_LINE_MAX && (!n || line[n - 1] != '\n'); n += (size_t)got)
		if ((got = read(fd, line + n, TOLD_LINE_MAX - n)) <= 0)
			return;
	line[n - 1] = '\0';
	const char *answer = told_process.answer(line);

	if (answer) {
		(void)send(fd, answer, strlen(answer), MSG_NOSIGNAL);
		(void)send(fd, "\n", 1, MSG_NOSIGNAL);
	}
}

static inline void *run_told_process(void *arg)
{
	char *line = malloc(TOLD_LINE_MAX);

	for (int fd; line && (fd = accept(told_process.fd, NULL, NULL)) >= 0; close(fd))
		serve_line(fd, line);
	free(line);
	return arg;
}

/* @param name  as "dataplane.ctl" */
static inline void told_process_begin(const char *run_dir, const char *name,
                                      const char *(*answer)(const char *line))
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	snprintf(at.sun_path, sizeof(at.sun_path), "%s/%s", run_dir, name);
	told_process.answer = answer;
	told_process.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(told_process.fd >= 0);
	assert_int_equal(bind(told_process.fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(told_process.fd, 8), 0);
	assert_int_equal(pthread_create(&told_process.thread, NULL, run_told_process, NULL), 0);
}

static inline void told_process_end(void)
{
	shutdown(told_process.fd, SHUT_RDWR);
	pthread_join(told_process.thread, NULL);
	close(told_process.fd);
}

#endif
