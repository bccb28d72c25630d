/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A checker that runs on real sockets, and servers for it: what test_checker.c and test_vips.c are
 * written with.
 */
#ifndef TEST_CHECKER_RUN_H
#define TEST_CHECKER_RUN_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/page.h"
#include "fixture.h"
#include "healthcheck/checker.h"
#include "weir/probe.h"

#define PORT 7080

static struct {
	struct loop *loop;
	struct page *page;
	struct checker checker;
	struct loop_timer stop;
} run;

static inline void on_stop(void *arg)
{
	loop_stop(arg);
}

static inline void start_with(const char *check, const char *controls,
                              const struct saved_word *saved, size_t n_saved)
{
	assert_int_equal(loop_open(&run.loop), 0);
	assert_int_equal(page_create(fixture_path("page"), HEALTH_PAGE_KIND, HEALTH_PAGE_LAYOUT,
	                             sizeof(struct health_page), &run.page),
	                 0);
	assert_int_equal(checker_open(&run.checker, run.loop, run.page, NULL), 0);
	if (!access(fixture_path("vips"), F_OK))
		assert_int_equal(vips_read(fixture_path("vips"), &run.checker.vips), 0);
	assert_int_equal(checker_apply_model(&run.checker, fixture_model(check, PORT, controls),
	                                     saved, n_saved),
	                 0);
}

static inline void start_checker(const char *check, const char *controls)
{
	start_with(check, controls, NULL, 0);
}

static inline void run_for(unsigned ms)
{
	run.stop = (struct loop_timer){ .cb = on_stop, .arg = run.loop };
	loop_timer_set(run.loop, &run.stop, clock_mono_ms() + ms);
	assert_int_equal(loop_run(run.loop), 0);
}

static inline void stop_checker(void)
{
	checker_close(&run.checker);
	loop_close(run.loop);
	page_close(run.page);
}

static inline void remove_checker(void)
{
	stop_checker();
	unlink(fixture_path("page"));
}

static inline uint64_t id_of(const char *name)
{
	const struct model_pool *pool = model_pool(run.checker.targets->model, "web");

	return health_target_backend("web", model_backend(pool, name)->id);
}

static inline struct target *find_target(const char *name)
{
	return targets_find(run.checker.targets, id_of(name));
}

static inline health_word read_health_word(uint64_t id)
{
	struct health_page *p = page_payload(run.page);
	int place = health_find_index(p, id);

	assert_true(place >= 0);
	return health_read(p, place);
}

/* Run until the target's word has @p state; a busy machine may take its time. */
static inline void await_state(uint64_t id, enum health_state state)
{
	for (int i = 0; i < 500 && health_state(read_health_word(id)) != state; i++)
		run_for(20);
	assert_int_equal(health_state(read_health_word(id)), state);
}

/* Likewise, until its last result is @p why. */
static inline void await_reason(uint64_t id, enum health_reason why)
{
	for (int i = 0; i < 500 && health_reason(read_health_word(id)) != why; i++)
		run_for(20);
	assert_int_equal(health_reason(read_health_word(id)), why);
}

static inline int listen_at(const char *address, int backlog)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	inet_pton(AF_INET, address, &to.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

static inline int listen6_at(const char *address)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	inet_pton(AF_INET6, address, &to.sin6_addr);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(listen(fd, 512), 0);
	return fd;
}

/* A listener that answers nothing: its queue holds one, and it is there. */
static inline int silent_at(const char *address, int *client)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	int fd = listen_at(address, 0);

	inet_pton(AF_INET, address, &to.sin_addr);
	*client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(*client, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

/* Serves one canned answer to whoever comes, in a process that kill_server() ends. */
static inline pid_t serve_answer(const char *address, const char *answer)
{
	int fd = listen_at(address, 64);
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;) {
			char request[512];
			int c = accept(fd, NULL, NULL);

			if (read(c, request, sizeof(request)) > 0 && *answer)
				(void)!write(c, answer, strlen(answer));
			shutdown(c, SHUT_WR);
			close(c);
		}
	}
	close(fd);
	return pid;
}

static inline void kill_server(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

#endif
