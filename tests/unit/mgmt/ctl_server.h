/* SPDX-License-Identifier: BSD-2-Clause */
/* A process's control socket, which answers each line by a text of the test's, or by a function that makes one of the line. */
#ifndef WEIR_TESTS_MGMT_CTL_SERVER_H
#define WEIR_TESTS_MGMT_CTL_SERVER_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define CTL_SILENT   ((const char *)0) /* who asks waits */
#define CTL_LINE_MAX 65536u            /* as of all control sockets */
static const char CTL_CLOSES[] = "";   /* who asks is hung up on */

struct ctl_server {
	pthread_t thread;
	int fd;
	char path[128];
	/* changed between two requests only */
	const char *answer;
	/* makes an answer of the line; NULL is as CTL_CLOSES then. If it is not set, `answer` is sent */
	const char *(*answer_to)(const char *line);
	unsigned n_asked;
	char asked[CTL_LINE_MAX]; /* the last line */
};

static inline void ctl_server_answer(struct ctl_server *s, int client)
{
	size_t n = 0;

	s->asked[0] = '\0';
	while (n + 1 < sizeof(s->asked) && !strchr(s->asked, '\n')) {
		ssize_t got = read(client, s->asked + n, sizeof(s->asked) - 1 - n);

		if (got <= 0)
			return;
		n += (size_t)got;
		s->asked[n] = '\0';
	}
	s->asked[strcspn(s->asked, "\n")] = '\0';
	__atomic_fetch_add(&s->n_asked, 1, __ATOMIC_RELEASE);
	const char *answer = s->answer_to ? s->answer_to(s->asked) : s->answer;

	if (!answer && !s->answer_to)
		(void)!read(client, &(char){ 0 }, 1); /* until it gives up */
	if (answer && answer != CTL_CLOSES)
		(void)!(send(client, answer, strlen(answer), MSG_NOSIGNAL) +
		        send(client, "\n", 1, MSG_NOSIGNAL));
}

static inline void *ctl_server_run(void *server)
{
	struct ctl_server *s = server;
	int client;

	while ((client = accept(s->fd, NULL, NULL)) >= 0) {
		ctl_server_answer(s, client);
		close(client);
	}
	return NULL;
}

/* Serve RUN_DIR/@p process.ctl. */
static inline void ctl_server_start(struct ctl_server *s, const char *run_dir, const char *process)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	memset(s, 0, sizeof(*s));
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(s->path, sizeof(s->path), "%s/%s.ctl", run_dir, process);
	assert_true(strlen(s->path) < sizeof(at.sun_path));
	strcpy(at.sun_path, s->path);
	(void)unlink(at.sun_path);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(s->fd, 8), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, ctl_server_run, s), 0);
}

/* The process is gone, and its socket's file stays. */
static inline void ctl_server_stop(struct ctl_server *s)
{
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->fd);
}

#endif
