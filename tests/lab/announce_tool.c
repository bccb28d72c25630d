/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Weir's routes and what a daemon says of them, by hand: for labs, with the code of weir-announce.
 *
 *     lab-announce bird|frr SOCKET ADDRESSES      a file with one address in each line
 *
 * Reads commands, one in each line, and answers each with a line of JSON when it is done:
 *
 *     add TABLE       add all routes          delete TABLE   delete them
 *     move FROM TO    add to TO, wait until the daemon has imported the route, delete from FROM; for each route alone
 *     first N         the first N addresses are "all" from now on, and the daemon is asked about these
 *     facts           what the daemon says
 *     quit
 *
 * `began_ns` and `done_ns` are of CLOCK_MONOTONIC, as Python's time.monotonic_ns().
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "announce/daemon.h"
#include "base/clock.h"
#include "base/loop.h"
#include "weir/own_routes.h"

#define ADDRESSES_MAX DAEMON_PREFIXES_MAX

struct tool {
	struct loop *loop;
	struct daemon *daemon;
	struct own_routes *routes;
	struct addr vips[ADDRESSES_MAX];
	bool moving[ADDRESSES_MAX];
	size_t n_vips, n, n_moving;
	uint32_t from, to;
	uint64_t began_ns;
	char line[256];
	size_t n_line;
};

static uint64_t read_clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void answer_done(const struct tool *t, int err)
{
	printf("{\"began_ns\":%" PRIu64 ",\"done_ns\":%" PRIu64 ",\"error\":%d}\n", t->began_ns,
	       read_clock_ns(), err);
}

static void print_route(const struct tool *t, size_t i)
{
	const struct daemon_route *r = daemon_route(t->daemon, &t->vips[i]);
	char text[ADDR_TEXT_MAX];

	printf("%s\"%s\":{\"known\":%s,\"normal\":%s,\"gshut\":%s,\"exported\":%" PRIu32
	       ",\"at_ms\":%" PRIu64 ",\"exported_at_ms\":%" PRIu64 "}",
	       i ? "," : "", addr_text(&t->vips[i], text), r->at_ms ? "true" : "false",
	       r->imported[DAEMON_NORMAL] ? "true" : "false",
	       r->imported[DAEMON_GSHUT] ? "true" : "false", r->exported, r->at_ms,
	       r->exported_at_ms);
}

static void print_facts(const struct tool *t)
{
	const struct daemon_facts *f = daemon_facts(t->daemon);

	printf("{\"state\":\"%s\",\"version\":\"%s\",\"problem\":\"%s\",\"round_ms\":%" PRIu64
	       ",\"now_ms\":%" PRIu64 ",\"neighbours\":{",
	       daemon_state_name(f->state), f->version, f->problem, f->round_ms, clock_mono_ms());
	for (uint32_t i = 0; i < f->n_neighbours; i++)
		printf("%s\"%s\":%s", i ? "," : "", f->neighbours[i].name,
		       f->neighbours[i].established ? "true" : "false");
	printf("},\"routes\":{");
	for (size_t i = 0; i < t->n; i++)
		print_route(t, i);
	printf("}}\n");
}

/* Delete the routes that the daemon has imported from the new table; ask about the others again. */
static void advance_move(void *arg)
{
	struct tool *t = arg;

	for (size_t i = 0; t->n_moving && i < t->n; i++) {
		const struct daemon_route *r;
		int err;

		if (!t->moving[i])
			continue;
		r = daemon_route(t->daemon, &t->vips[i]);
		if (r->pending)
			continue;
		if (!r->at_ms || !r->imported[t->to == 178 ? DAEMON_GSHUT : DAEMON_NORMAL]) {
			daemon_wait(t->daemon, &t->vips[i]);
			continue;
		}
		t->moving[i] = false;
		t->n_moving--;
		err = own_routes_delete(t->routes, t->from, &t->vips[i]);
		if (err || !t->n_moving)
			answer_done(t, err);
	}
}

static int change_all(struct tool *t, uint32_t table, bool add)
{
	int err = 0;

	for (size_t i = 0; i < t->n && !err; i++)
		err = add ? own_routes_add(t->routes, table, &t->vips[i])
		          : own_routes_delete(t->routes, table, &t->vips[i]);
	return err;
}

static void run_command(struct tool *t, const char *line)
{
	char word[16] = "";
	uint32_t a = 0, b = 0;

	(void)sscanf(line, "%15s %" SCNu32 " %" SCNu32, word, &a, &b);
	t->began_ns = read_clock_ns();
	if (!strcmp(word, "add") || !strcmp(word, "delete")) {
		answer_done(t, change_all(t, a, *word == 'a'));
	} else if (!strcmp(word, "first") && a <= t->n_vips) {
		t->n = a;
		answer_done(t, daemon_watch(t->daemon, t->vips, t->n));
	} else if (!strcmp(word, "move")) {
		int err = change_all(t, b, true);

		t->from = a;
		t->to = b;
		t->n_moving = t->n;
		for (size_t i = 0; i < t->n; i++) {
			t->moving[i] = true;
			daemon_hurry(t->daemon, &t->vips[i]);
		}
		if (err || !t->n)
			answer_done(t, err);
		advance_move(t);
	} else if (!strcmp(word, "facts")) {
		print_facts(t);
	} else {
		loop_stop(t->loop);
	}
}

static void on_command(void *arg, int fd, uint32_t events)
{
	struct tool *t = arg;
	ssize_t n = read(fd, t->line + t->n_line, sizeof(t->line) - 1 - t->n_line);
	char *newline;

	(void)events;
	if (n <= 0) {
		loop_stop(t->loop);
		return;
	}
	t->n_line += (size_t)n;
	t->line[t->n_line] = 0;
	while ((newline = strchr(t->line, '\n'))) {
		*newline = 0;
		run_command(t, t->line);
		t->n_line -= (size_t)(newline + 1 - t->line);
		memmove(t->line, newline + 1, t->n_line + 1);
	}
}

static int read_addresses(struct tool *t, const char *path)
{
	FILE *f = fopen(path, "re");
	char text[64];

	if (!f)
		return -errno;
	while (t->n_vips < ADDRESSES_MAX && fscanf(f, "%63s", text) == 1)
		if (addr_parse(text, &t->vips[t->n_vips]) == 0)
			t->n_vips++;
	fclose(f);
	return 0;
}

static int run_tool(struct tool *t, const char *kind, const char *path)
{
	int err = loop_open(&t->loop);

	if (!err)
		err = own_routes_open(&t->routes);
	if (!err)
		err = daemon_open(t->loop, strcmp(kind, "frr") ? DAEMON_BIRD : DAEMON_FRR, path,
		                  advance_move, t, &t->daemon);
	if (!err)
		err = loop_fd_add(t->loop, STDIN_FILENO, EPOLLIN, on_command, t);
	if (!err)
		err = loop_run(t->loop);
	daemon_close(t->daemon);
	own_routes_close(t->routes);
	if (t->loop)
		loop_close(t->loop);
	return err;
}

int main(int argc, char **argv)
{
	static struct tool t;
	int err = argc == 4 ? read_addresses(&t, argv[3]) : -EINVAL;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!err)
		err = run_tool(&t, argv[1], argv[2]);
	if (err)
		fprintf(stderr, "lab-announce: %s\n", strerror(-err));
	return err ? 1 : 0;
}
