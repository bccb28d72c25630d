/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each allocation of each request to the management API fails once: the request is answered as with
 * memory, or with 503 or 500; what is refused changes nothing, or says that it is done all the
 * same; and the next request is answered. Or the process ends for want of a small piece (memory_must()).
 *
 *     fail_api [-s STEP] [-o OFFSET] REQUEST ...      as in tests/fuzz/corpus/api; run with failalloc.so
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "model/load.h"
#include "tests/fail/fail.h"
#include "tests/fuzz/api_world.h"
#include "weir/json.h"

#define REQUEST_BYTES_MAX (1u << 20)
#define RUN_LIMIT_S       30

enum outcome { OUTCOME_GOOD, OUTCOME_END, OUTCOME_BAD, OUTCOME_BAD_END };

struct state {
	uint64_t version;
	size_t n_overrides;
};

static void tell_crash(int signal)
{
	dprintf(1, "  signal %d\n", signal);
	fail_show(stdout);
	fflush(stdout);
	_exit(OUTCOME_BAD);
}

static struct state state_of(const struct core *core)
{
	return (struct state){ intent_head(core->intent)->number,
		               overrides_live(intent_overrides(core->intent),
		                              clock_realtime_ms()) };
}

static unsigned handle_request(struct core *core, const char *text, size_t n, char **body)
{
	struct http_request r = { .role = HTTP_ADMIN,
		                  .principal = "test",
		                  .identity = "token:test",
		                  .if_match = "*",
		                  .body_is_json = true };
	struct http_reply reply = { 0 };
	const char *at = text;

	if (!api_world_read(&at, text + n, &r))
		return 0;
	r.body = at;
	r.n_body = (size_t)(text + n - at);
	if (strstr(r.path, "/v1/overrides"))
		r.if_match[0] = '\0';
	route_handle(core, &r, &reply);
	unsigned status = reply.status;
	*body = http_reply_text(&reply);
	http_reply_fini(&reply);
	return status;
}

static const char *judge_answer(unsigned status, const char *body, unsigned whole,
                                struct state before, struct state after)
{
	bool same = before.version == after.version && before.n_overrides == after.n_overrides;
	bool says_done = body && strstr(body, "the request was carried out");

	if (whole == 200 || whole == 201) /* 202: done, and in force a little later */
		whole = status == 202 ? 202 : whole;
	if (status != whole && status != 503 && status != 500)
		return "another answer than with memory";
	if (whole < 400 && status == 500)
		return "an internal error in place of 503";
	if (status >= 400 && !same && (whole >= 400 || !says_done))
		return "refused, and something was changed";
	return says_done && whole >= 400 ? "refused with memory, and said to be done" : NULL;
}

/*
 * In a child: a core of its own, the request with its @p n-th allocation failing, and one after
 * it.
 */
static enum outcome run_once(const char *text, size_t n_text, unsigned long n, unsigned whole)
{
	static const char probe[] = "GET /v1/overrides\n";
	struct core *core = api_world_open();
	struct state before = state_of(core);
	char *body = NULL, *next = NULL;

	fail_arm(n);
	unsigned status = handle_request(core, text, n_text, &body);
	bool failed = fail_disarm();
	struct state after = state_of(core);
	const char *wrong = judge_answer(status, body, whole, before, after);

	if (!wrong && handle_request(core, probe, sizeof(probe) - 1, &next) != 200)
		wrong = "the request after it is refused";
	if (wrong) {
		printf("  %lu: %s: %u in place of %u: %.200s\n", n, wrong, status, whole,
		       body ? body : "");
		fail_show(stdout);
		fflush(stdout);
	}
	free(body);
	free(next);
	api_world_close();
	if (!failed)
		return wrong ? OUTCOME_BAD_END : OUTCOME_END;
	return wrong ? OUTCOME_BAD : OUTCOME_GOOD;
}

static enum outcome run_child(const char *text, size_t n_text, unsigned long n, unsigned whole)
{
	int status = 0;

	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		signal(SIGSEGV, tell_crash);
		signal(SIGABRT, tell_crash);
		alarm(RUN_LIMIT_S);
		_exit(run_once(text, n_text, n, whole));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		abort();
	if (WIFEXITED(status) && WEXITSTATUS(status) == MEMORY_EXIT) {
		api_world_sweep();
		return OUTCOME_GOOD;
	}
	if (!WIFEXITED(status))
		printf("  %lu: signal %d\n", n, WTERMSIG(status));
	return WIFEXITED(status) ? (enum outcome)WEXITSTATUS(status) : OUTCOME_BAD;
}

/* The status with memory, from a child so that nothing of it stays. */
static unsigned whole_status(const char *text, size_t n)
{
	int ends[2];
	unsigned status = 0;

	if (pipe(ends))
		abort();
	pid_t pid = fork();
	if (pid == 0) {
		char *body = NULL;

		status = handle_request(api_world_open(), text, n, &body);
		api_world_close();
		_exit(write(ends[1], &status, sizeof(status)) != (ssize_t)sizeof(status));
	}
	if (pid < 0 || read(ends[0], &status, sizeof(status)) != (ssize_t)sizeof(status))
		abort();
	waitpid(pid, NULL, 0);
	close(ends[0]);
	close(ends[1]);
	return status;
}

/*
 * @return whether the request is answered well; the number of allocations that failed is added to
 * @p n_all
 */
static bool run_request(const char *path, unsigned long first, unsigned long step,
                        unsigned long *n_all)
{
	unsigned long n_runs = 0, n_bad = 0;
	enum outcome outcome = OUTCOME_GOOD;
	char *text = NULL;
	size_t n = 0;

	if (load_file(path, REQUEST_BYTES_MAX, &text, &n))
		abort();
	unsigned whole = whole_status(text, n);
	for (unsigned long i = first; outcome == OUTCOME_GOOD || outcome == OUTCOME_BAD;
	     i += step) {
		outcome = run_child(text, n, i, whole);
		n_bad += outcome == OUTCOME_BAD || outcome == OUTCOME_BAD_END;
		n_runs += outcome == OUTCOME_GOOD || outcome == OUTCOME_BAD;
	}
	printf("%s (%u): %lu allocations failed one by one, %lu ended badly\n", path, whole, n_runs,
	       n_bad);
	free(text);
	*n_all += n_runs;
	return n_bad == 0 && whole >= 200 && whole != 500;
}

int main(int argc, char **argv)
{
	unsigned long step = 1, offset = (unsigned long)clock_realtime_ms(), n_all = 0;
	unsigned n_passed = 0, n_failed = 0;
	int option;

	json_prepare();
	api_world_share();
	while ((option = getopt(argc, argv, "s:o:")) != -1) {
		if (option == 's')
			step = strtoul(optarg, NULL, 10);
		else if (option == 'o')
			offset = strtoul(optarg, NULL, 10);
		else
			return 1;
	}
	printf("every allocation that is %lu modulo %lu\n", (1 + offset % step) % step, step);
	for (; optind < argc; optind++) {
		if (run_request(argv[optind], 1 + offset % step, step, &n_all))
			n_passed++;
		else
			n_failed++;
	}
	if (n_all < n_passed + n_failed) { /* each request allocates more than that, on average */
		printf("only %lu allocations failed: is failalloc.so in use?\n", n_all);
		n_failed++;
	}
	printf("%u passed, %u failed\n", n_passed, n_failed);
	return n_failed != 0;
}
