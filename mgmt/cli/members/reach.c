/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A round asks each address once, beginning with the one that answered last. What one node alone may lack (the store, a token
 * that is new) another may have; a refusal for the pace of changes holds for the whole cluster, so it ends the round.
 *
 * The client gives up on silence within seconds (mgmt/cli/api.c), so a round is bounded, whatever hangs.
 */
#include "mgmt/cli/members/reach.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"
#include "mgmt/json/row.h"

#define TIMEOUT_MS 20000u /* of a request: weir-mgmt lets changes wait for 10 s */

static int refuse_url(const char *url)
{
	return cli_fail(CLI_USAGE, "--api: \"%s\": expected https://HOST:PORT, at most %u of them",
	                url, REACH_ADDRESSES_MAX);
}

/* Cut --api into addresses. The token would go to whoever answers, so there is nothing but TLS. */
static int read_urls(struct reach *a, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, ",");
		char *url = a->urls[a->n];

		if (a->n == REACH_ADDRESSES_MAX || n >= sizeof(a->urls[0]))
			return refuse_url(text);
		memcpy(url, text, n);
		url[n] = '\0';
		if (n && url[n - 1] == '/')
			url[n - 1] = '\0';
		if (strncmp(url, "https://", 8) != 0 || strlen(url) == 8 ||
		    strcspn(url + 8, "/?#@ \t") != strlen(url + 8))
			return refuse_url(url);
		a->n++;
		text += n + (text[n] == ',');
	}
	return a->n ? CLI_OK : refuse_url("");
}

/* The token may be changed at any time. One that cannot be read leaves the former. @return whether it was read */
static bool load_token(struct reach *a)
{
	char text[2 * TOKEN_MAX] = "";
	int fd = open(a->token_file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	bool ok = n > 0 && !memchr(text, '\0', (size_t)n) && token_read(text, a->token);

	explicit_bzero(text, sizeof(text));
	return ok;
}

static int open_signals(struct reach *a)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) == 0)
		a->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return a->signals < 0 ? cli_fail(CLI_UNREACHABLE, "signals: %s", strerror(errno)) : CLI_OK;
}

int reach_open(struct reach *a, const struct cli *cli, const struct cli_args *args)
{
	const char *api = cli_value(args, "--api");
	int status = CLI_OK;

	*a = (struct reach){ .cli = *cli,
		             .token_file = cli_value(args, "--token-file"),
		             .signals = -1 };
	a->is_remote = api != NULL;
	if (api)
		status = read_urls(a, api);
	else
		a->n = 1;
	if (status == CLI_OK && api && !a->token_file)
		status = cli_fail(CLI_USAGE,
		                  "--api needs --token-file FILE: the API asks for a token");
	if (status == CLI_OK && !api && (a->token_file || cli_value(args, "--ca")))
		status = cli_fail(CLI_USAGE, "--token-file and --ca belong to --api URL,...");
	if (status == CLI_OK && a->token_file && !load_token(a))
		status = cli_fail(CLI_USAGE, "--token-file: %s has no token that can be read",
		                  a->token_file);
	if (status != CLI_OK)
		return status;
	a->server = (struct api_server){ .token = a->token, .ca = cli_value(args, "--ca") };
	if (a->is_remote)
		a->cli.server = &a->server;
	return open_signals(a);
}

void reach_close(struct reach *a)
{
	if (a->signals >= 0)
		close(a->signals);
	explicit_bzero(a->token, sizeof(a->token));
}

/* Of two that did not carry it out: an answer says more than none, and a refusal more than a node that lacks its store. */
static bool says_more(const struct api_reply *than, const struct api_reply *reply)
{
	return !than->status || (than->status >= 500 && reply->status);
}

enum answer_meaning reach_send(struct reach *a, const char *method, const char *path, json_t *body,
                               struct api_reply *reply)
{
	if (a->token_file)
		(void)load_token(a);
	*reply = (struct api_reply){ .status = 0 };
	for (size_t i = 0; i < a->n; i++) {
		struct api_request r = {
			.method = method, .path = path, .reads = true, .timeout_ms = TIMEOUT_MS
		};
		struct api_reply one;
		size_t at = (a->at + i) % a->n;

		r.body = json_incref(body);
		a->server.url = a->urls[at];
		if (api_call_quietly(&a->cli, &r, &one) == CLI_DENIED)
			one.status = 403; /* it was said why: the socket is not to be used */
		if (!i || !answer_goes_on(&one) || says_more(reply, &one)) {
			api_reply_fini(reply);
			*reply = one;
		} else {
			api_reply_fini(&one);
		}
		if (!answer_goes_on(reply)) {
			a->at = at;
			break;
		}
	}
	json_decref(body);
	return answer_judge(reply);
}

void reach_say_trouble(struct reach *a, const char *what, const char *reason)
{
	char text[ANSWER_REASON_MAX];

	snprintf(text, sizeof(text), "%s: %s", what, reason);
	if (!strcmp(text, a->trouble))
		return;
	snprintf(a->trouble, sizeof(a->trouble), "%s", text);
	cli_fail(CLI_OK, "%s; it is tried again", text);
}

void reach_say_well(struct reach *a)
{
	a->tries = 0;
	if (*a->trouble)
		cli_fail(CLI_OK, "the API answers again");
	a->trouble[0] = '\0';
}

enum reach_woken reach_wait(struct reach *a, int fd, uint64_t ms)
{
	uint64_t until_ms = clock_mono_ms() + ms;
	struct pollfd fds[] = { { .fd = a->signals, .events = POLLIN },
		                { .fd = fd, .events = POLLIN } };

	for (;;) {
		uint64_t now_ms = clock_mono_ms(),
		         left_ms = now_ms < until_ms ? until_ms - now_ms : 0;
		int n = poll(fds, 2, left_ms > INT32_MAX ? INT32_MAX : (int)left_ms);
		struct signalfd_siginfo info;

		if (n > 0 && fds[0].revents) {
			a->is_ended = read(a->signals, &info, sizeof(info)) == sizeof(info);
			return REACH_SIGNAL;
		}
		if (n > 0)
			return REACH_INPUT;
		if (clock_mono_ms() >= until_ms)
			return REACH_TIME;
	}
}
