/* SPDX-License-Identifier: BSD-2-Clause */
/* A routing daemon's control socket in the test's own loop: what it answers is a function of the test. */
#ifndef WEIR_TESTS_UNIT_ANNOUNCE_FAKE_DAEMON_H
#define WEIR_TESTS_UNIT_ANNOUNCE_FAKE_DAEMON_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "announce/daemon.h"
#include "base/clock.h"
#include "base/loop.h"

#define FAKE_QUESTIONS 4096u
#define FAKE_OUT_MAX   (8u << 20) /* bytes that wait for the daemon's reader; more are dropped */

struct fake;

/* Answer @p question, a text without its end, by fake_say(). */
typedef void fake_answer(struct fake *f, const char *question);

struct fake {
	struct loop *loop;
	struct daemon *daemon;
	enum daemon_kind kind;
	fake_answer *answer;
	const char *greeting; /* said to each new client; NULL: nothing */
	char path[108];
	int listener, client;
	char *out; /* [FAKE_OUT_MAX] */
	size_t n_out;
	unsigned clients, questions, news;
	void (*on_news)(struct fake *f); /* may be NULL */
	char asked[FAKE_QUESTIONS][96];
	bool (*until)(struct fake *f); /* stop the loop when it is true; NULL: at `end_ms` only */
	struct loop_timer end, look;
	bool came; /* `until` came true */
};

static inline void fake_flush(struct fake *f)
{
	ssize_t n = send(f->client, f->out, f->n_out, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n > 0) {
		f->n_out -= (size_t)n;
		memmove(f->out, f->out + n, f->n_out);
	}
	(void)loop_fd_set(f->loop, f->client, f->n_out ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static inline void fake_say_bytes(struct fake *f, const char *bytes, size_t n)
{
	if (f->client < 0)
		return;
	n = n < FAKE_OUT_MAX - f->n_out ? n : FAKE_OUT_MAX - f->n_out;
	memcpy(f->out + f->n_out, bytes, n);
	f->n_out += n;
	fake_flush(f);
}

static inline void fake_say(struct fake *f, const char *text)
{
	fake_say_bytes(f, text, strlen(text));
}

/* As FRR: @p text, three NULs and a status. */
static inline void fake_say_frr(struct fake *f, const char *text, char status)
{
	const char end[4] = { 0, 0, 0, status };

	fake_say(f, text);
	fake_say_bytes(f, end, sizeof(end));
}

static inline void fake_hang_up(struct fake *f)
{
	if (f->client < 0)
		return;
	loop_fd_remove(f->loop, f->client);
	close(f->client);
	f->client = -1;
	f->n_out = 0;
}

/* Whole questions alone, however many at once. */
static inline void on_fake_readable(void *arg, int fd, uint32_t events)
{
	struct fake *f = arg;
	char text[DAEMON_QUESTION_MAX * 32];
	const char last = f->kind == DAEMON_FRR ? 0 : '\n';
	ssize_t n = recv(fd, text, sizeof(text), MSG_DONTWAIT);
	char *end;

	if (events & EPOLLOUT)
		fake_flush(f);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		fake_hang_up(f);
		return;
	}
	assert_true(text[n - 1] == last);
	for (char *at = text; at < text + n && f->client == fd; at = end + 1) {
		end = memchr(at, last, (size_t)(text + n - at));
		*end = 0;
		if (f->client == fd && f->questions < FAKE_QUESTIONS)
			snprintf(f->asked[f->questions], sizeof(f->asked[0]), "%.95s", at);
		f->questions++;
		f->answer(f, at);
	}
}

static inline void on_fake_client(void *arg, int fd, uint32_t events)
{
	struct fake *f = arg;

	(void)events;
	fake_hang_up(f);
	f->client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	assert_true(f->client >= 0);
	assert_int_equal(loop_fd_add(f->loop, f->client, EPOLLIN, on_fake_readable, f), 0);
	f->clients++;
	if (f->greeting)
		fake_say(f, f->greeting);
}

static inline void fake_listen(struct fake *f)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", f->path);
	f->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(f->listener, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(listen(f->listener, 4), 0);
	assert_int_equal(loop_fd_add(f->loop, f->listener, EPOLLIN, on_fake_client, f), 0);
}

static inline void on_fake_news(void *arg)
{
	struct fake *f = arg;

	f->news++;
	if (f->on_news)
		f->on_news(f);
}

static inline void on_fake_end(void *arg)
{
	loop_stop(((struct fake *)arg)->loop);
}

static inline void on_fake_look(void *arg)
{
	struct fake *f = arg;

	f->came = f->until(f);
	if (f->came)
		loop_stop(f->loop);
	else
		loop_timer_set(f->loop, &f->look, clock_mono_ms() + 2);
}

/* Run for @p ms, or until @p until is true. @return whether it came true */
static inline bool fake_run(struct fake *f, uint64_t ms, bool (*until)(struct fake *f))
{
	f->until = until;
	f->came = false;
	f->end = (struct loop_timer){ .cb = on_fake_end, .arg = f };
	f->look = (struct loop_timer){ .cb = on_fake_look, .arg = f };
	loop_timer_set(f->loop, &f->end, clock_mono_ms() + ms);
	if (until)
		loop_timer_set(f->loop, &f->look, 0);
	assert_int_equal(loop_run(f->loop), 0);
	loop_timer_cancel(f->loop, &f->end);
	loop_timer_cancel(f->loop, &f->look);
	return f->came;
}

static inline struct fake *fake_open(enum daemon_kind kind, fake_answer *answer,
                                     const char *greeting)
{
	struct fake *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->kind = kind;
	f->answer = answer;
	f->greeting = greeting;
	f->client = f->listener = -1;
	f->out = malloc(FAKE_OUT_MAX);
	assert_non_null(f->out);
	snprintf(f->path, sizeof(f->path), "/tmp/weir-fake-daemon.%d", getpid());
	unlink(f->path);
	assert_int_equal(loop_open(&f->loop), 0);
	assert_int_equal(daemon_open(f->loop, kind, f->path, on_fake_news, f, &f->daemon), 0);
	return f;
}

static inline void fake_close(struct fake *f)
{
	daemon_close(f->daemon);
	fake_hang_up(f);
	if (f->listener >= 0) {
		loop_fd_remove(f->loop, f->listener);
		close(f->listener);
	}
	unlink(f->path);
	loop_close(f->loop);
	free(f->out);
	free(f);
}

static inline bool fake_answers(struct fake *f)
{
	return daemon_facts(f->daemon)->state == DAEMON_ANSWERS;
}

static inline bool fake_is_silent(struct fake *f)
{
	return daemon_facts(f->daemon)->state == DAEMON_SILENT;
}

static inline bool fake_is_strange(struct fake *f)
{
	return daemon_facts(f->daemon)->state == DAEMON_STRANGE;
}

static inline bool fake_is_absent(struct fake *f)
{
	return daemon_facts(f->daemon)->state == DAEMON_ABSENT;
}

static inline struct addr fake_addr(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

#endif
