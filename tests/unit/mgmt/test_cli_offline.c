/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Overrides that are taken with weir-mgmt dead (mgmt/cli/offline.c): what becomes of the request,
 * who is denied, what is waited for, and how it ends. The store, the health page and a weir-mgmt
 * that hangs are real; rights, users and the time are the test's.
 */
#include "cli_pages.h"
#include "told_time.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <time.h>

#include "base/lock.h"
#include "base/log.h"
#include "mgmt/cli/cmd_override.h"
#include "mgmt/store/command.h"
#include "tests/unit/answers.h"
#include "tests/unit/suite.h"

static struct node *place;
static int state_err, document_err; /* of access() to them */
static int
        user_err; /* ENOENT: there is no user; EPERM: its rights are refused; 0: nobody is asked */
static unsigned n_slept; /* between two openings */
static unsigned
        n_started; /* the next weir-mgmt has the store for so many of them; 0: there is none */
static int next_lock = -1;

int __real_prctl(int what, ...);

static int own_access(const char *path, int how)
{
	size_t n = strlen(place->f.state);

	errno = strncmp(path, place->f.state, n) != 0                       ? 0
	        : !path[n] && how == (W_OK | X_OK)                          ? state_err
	        : !strcmp(path + n, "/" PROC_EFFECTIVE_FILE) && how == W_OK ? document_err
	                                                                    : 0;
	return errno ? -1 : faccessat(AT_FDCWD, path, how, 0);
}

static int own_usleep(useconds_t us)
{
	told_ms += us / 1000;
	if (us <= 5000 && ++n_slept == n_started) {
		close(next_lock);
		next_lock = -1;
	}
	return 0;
}

/* weir-mgmt has ended: the next one may be there at once. */
static int own_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	int ready = __real_poll(fds, n, timeout_ms);
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/store/store.lock", place->f.state);
	if (n_started && next_lock < 0)
		assert_int_equal(lock_acquire(path, &next_lock), 0);
	return ready;
}

static char *own_getlogin(void)
{
	return NULL;
}

static uid_t own_geteuid(void)
{
	return user_err ? 0 : __real_geteuid();
}

static struct passwd *own_getpwnam(const char *name)
{
	static struct passwd user;

	assert_string_equal(name, "weir-mgmt");
	return user_err == EPERM ? &user : NULL;
}

static struct group *own_getgrnam(const char *name)
{
	static struct group group;

	return user_err == EPERM ? &group : __real_getgrnam(name);
}

static int own_prctl(int what)
{
	(void)what;
	errno = EPERM; /* rights are given up by it */
	return -1;
}

/* Who runs the test. */
static const char *own_principal(void)
{
	static char text[128];
	const struct passwd *pw = getpwuid(getuid());

	if (pw)
		snprintf(text, sizeof(text), "user:%s", pw->pw_name);
	else
		snprintf(text, sizeof(text), "user:uid-%u", (unsigned)getuid());
	return text;
}

static int set_up_node(void **state)
{
	set_up(state);
	place = *state;
	place->cli.where = "";
	told_ms = 1000000;
	state_err = document_err = user_err = 0;
	n_slept = n_started = 0;
	unsetenv("SUDO_USER");
	log_level(LOG_CRIT);
	return setenv(PROC_USERS_VARIABLE, "none", 1);
}

static struct intent *open_store(void)
{
	const struct intent_options options = { .conf_dir = place->f.conf,
		                                .state_dir = place->f.state,
		                                .run_dir = place->f.root,
		                                .node = "ams-1" };
	struct intent *in = NULL;

	assert_int_equal(intent_open(&options, NOW_MS, &in), 0);
	return in;
}

static bool has_store(void)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/store/store.lock", place->f.state);
	return faccessat(AT_FDCWD, path, F_OK, 0) == 0;
}

/* As weir-mgmt leaves it. */
static int set_up_store(void **state)
{
	int err = set_up_node(state);
	struct intent *in = open_store();
	struct pending_clock clock;
	struct model_errors errors;
	char path[PATH_MAX];

	pending_clock_read(&clock);
	intent_run_deadline(in, &clock, NOW_MS); /* which writes the records */
	intent_close(in);
	assert_int_equal(proc_path(place->f.state, PROC_EFFECTIVE_FILE, path), 0);
	assert_int_equal(model_read_without_key(path, "ams-1", &place->m, &errors), 0);
	model_errors_free(&errors);
	return err;
}

static int take_request(const char *body, bool dry_run)
{
	json_t *request = json_loads(body, 0, NULL), *guards = NULL;

	assert_non_null(request);
	n_slept = 0;
	shown_begin();
	int status = offline_override(&place->cli, request, dry_run, &guards);

	shown_end();
	assert_int_equal(guards != NULL, status == CLI_REFUSED);
	json_decref(guards);
	return status;
}

#define AMS     "\"target\":{\"site\":\"ams\"}"
#define BACK(n) "\"target\":{\"pool\":\"web-ams\",\"backend\":\"" n "\"}"
#define REASON  ",\"reason\":\"r\""
#define HOLD    "{\"do\":\"hold\"," AMS REASON "}"
#define DRAIN   "{\"do\":\"drain\"," AMS ",\"until\":\"+4h\",\"reason\":\"INC-1\",\"author\":\"ann\"}"

/* The time of an instant today. */
static const char *time_of(const json_t *o, const char *name, char out[16])
{
	snprintf(out, 16, "%.8s", api_text(o, name, "2026-09-21Tnever") + 11);
	return out;
}

/* What was made, in a line. */
static const char *made_text(void)
{
	static char out[512];
	char from[16], until[16];
	json_t *body = json_loads(shown, 0, NULL), *o = json_object_get(body, "override");
	const char *principal = api_text(o, "principal", "?");

	assert_non_null(body);
	snprintf(out, sizeof(out), "%s %s/%s%s from=%s over=%.0f until=%s dry=%d by=%s (%s): %s",
	         api_text(o, "do", "?"), api_text(o, "target.pool", ""),
	         api_text(o, "target.site", ""), api_text(o, "target.backend", ""),
	         time_of(o, "from", from), api_number(o, "over_ms", -1), time_of(o, "until", until),
	         json_is_true(json_object_get(body, "dry_run")), api_text(o, "author", "?"),
	         !strcmp(principal, own_principal()) ? "self" : principal,
	         api_text(o, "reason", "?"));
	json_decref(body);
	return out;
}

static void a_request_becomes_the_command_that_it_says(void **state)
{
	static const struct {
		const char *body, *made;
		bool dry_run;
	} rows[] = {
		{ "{\"do\":\"drain\"," AMS
		  ",\"until\":\"never\",\"reason\":\"INC-1\",\"author\":\"ann\"}",
		  "drain /ams from=14:14:20 over=0 until=never dry=1 by=ann (self): INC-1", true },
		{ "{\"do\":\"drain\"," AMS ",\"until\":\"never\",\"now\":true" REASON "}",
		  "drain /ams from=14:13:20 over=0 until=never dry=1 by=root (self): r", true },
		{ "{\"do\":\"drain\"," AMS
		  ",\"over\":\"5m\",\"from\":\"+1h\",\"until\":\"+4h\",\"reason\":\"r\"}",
		  "drain /ams from=15:13:20 over=300000 until=18:13:20 dry=0 by=root (self): r",
		  false },
		{ "{\"do\":\"disable\",\"target\":{\"pool\":\"web-fra\",\"backend\":\"b1\"},\"until\":\"+1m\",\"reason\":\"r\","
		  "\"override_guards\":[\"room\",\"last-backend\",\"last-site\",\"room\"]}",
		  "disable web-fra/b1 from=14:13:20 over=0 until=14:14:20 dry=0 by=root (self): r",
		  false },
		{ "{\"do\":\"force_up\"," BACK("b2") ",\"until\":\"never\"" REASON "}",
		  "force_up web-ams/b2 from=14:13:20 over=0 until=never dry=0 by=root (self): r",
		  false },
		{ "{\"do\":\"undrain\"," AMS REASON ",\"now\":false}",
		  "drain /ams from=15:13:20 over=300000 until=14:13:20 dry=0 by=root (self): r",
		  false },
		{ "{\"do\":\"enable\"," BACK("b2") REASON "}",
		  "force_up web-ams/b2 from=14:13:20 over=0 until=14:13:20 dry=0 by=root (self): r",
		  false },
		{ "{\"do\":\"drain\"," AMS
		  ",\"until\":\"never\",\"over\":\"1h\",\"now\":true" REASON "}",
		  "drain /ams from=14:13:20 over=3600000 until=never dry=0 by=root (self): r",
		  false },
		{ HOLD, "hold /ams from=14:13:20 over=0 until=never dry=0 by=root (self): r",
		  false },
	};

	(void)state;
	place->cli.json = true;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		/* then what is in force follows from what nodes share */
		if (i == 5)
			fixture_write(place->f.conf, "store.conf", "{}");
		assert_int_equal(take_request(rows[i].body, rows[i].dry_run), CLI_OK);
		assert_string_equal(made_text(), rows[i].made);
	}
	assert_int_equal(setenv("SUDO_USER", "bob", 1), 0);
	assert_int_equal(take_request("{\"do\":\"drain\"," BACK("b1") ",\"until\":\"never\"" REASON
	                                                              "}",
	                              true),
	                 CLI_OK);
	assert_non_null(strstr(made_text(), " by=bob (self)"));
	assert_int_equal(take_request(DRAIN, true), CLI_OK);
	assert_non_null(strstr(made_text(), " by=ann (self)"));
}

#define TEN   "0123456789"
#define SIXTY TEN TEN TEN TEN TEN TEN

/* All that the API refuses (mgmt/json/command.c), with its words. */
static void what_the_api_refuses_is_refused_before_anything_is_opened(void **state)
{
	static const char guards[] =
	        "override_guards: expected guard names: last-site, last-backend, last-announcer, room or unsettled\n";
	static const char target[] =
	        "target: expected {\"site\": NAME}, {\"node\": NAME} or {\"pool\": NAME, \"backend\": NAME}\n";
	static const char instant[] =
	        "expected an instant such as \"2026-11-20T12:00:00Z\", \"+4h\", or \"never\"\n";
	static const struct {
		const char *body, *field, *told;
	} rows[] = {
		{ AMS REASON ",\"over\":\"5\"",
		  "over: ", "found \"5\", expected a duration such as \"5m\"\n" },
		{ AMS REASON ",\"over\":\"never\"",
		  "over: ", "found \"never\", expected a duration such as \"5m\"\n" },
		{ AMS REASON ",\"over\":\"" TEN TEN TEN "123\"",
		  "over: ", "has more than 32 bytes\n" },
		{ AMS REASON ",\"over\":5", "over: ", "expected a text\n" },
		{ AMS REASON ",\"from\":\"5m\"", "from: found \"5m\", ", instant },
		{ AMS REASON ",\"until\":\"tomorrow\"", "until: found \"tomorrow\", ", instant },
		{ AMS REASON ",\"until\":\"" SIXTY "12345\"",
		  "until: ", "has more than 64 bytes\n" },
		{ AMS REASON ",\"until\":true", "until: ", "expected a text\n" },
		{ AMS REASON ",\"override_guards\":[\"rooms\"]", "", guards },
		{ AMS REASON ",\"override_guards\":[\"room\",7]", "", guards },
		{ AMS REASON
		  ",\"override_guards\":[\"room\",\"room\",\"room\",\"room\",\"room\",\"room\"]",
		  "", guards },
		{ AMS REASON ",\"override_guards\":\"room\"",
		  "override_guards: ", "expected an array\n" },
		{ AMS REASON ",\"now\":1", "now: ", "expected true or false\n" },
		{ AMS, "reason: ", "is required\n" },
		{ AMS ",\"reason\":\"  \"",
		  "reason: ", "must not be blank: say why you make this change\n" },
		{ AMS ",\"reason\":\"a\\u202eb\"", "reason: ",
		  "has control characters, or characters that hide or turn round others\n" },
		{ AMS ",\"reason\":\"a\\nb\"", "reason: ",
		  "has control characters, or characters that hide or turn round others\n" },
		{ AMS ",\"reason\":\"" SIXTY SIXTY SIXTY SIXTY "1234567890123456\"",
		  "reason: ", "has more than 255 bytes\n" },
		{ AMS REASON ",\"author\":\"a\\u001b[2J\"", "author: ",
		  "has control characters, or characters that hide or turn round others\n" },
		{ AMS REASON ",\"author\":\"" SIXTY "1234\"",
		  "author: ", "has more than 63 bytes\n" },
		{ "\"target\":{\"site\":\"" SIXTY "1234\"}" REASON, "", target },
		{ "\"target\":{\"site\":\"a\\nb\"}" REASON, "", target },
		{ "\"target\":{\"site\":\"\"}" REASON, "", target },
		{ "\"target\":{\"pool\":\"web\",\"backend\":\"" SIXTY "1234\"}" REASON, "",
		  target },
		{ "\"target\":{\"pool\":\"" SIXTY "1234\",\"backend\":\"b1\"}" REASON, "", target },
		{ "\"target\":{\"pool\":\"\",\"backend\":\"b1\"}" REASON, "", target },
		{ "\"target\":{\"site\":\"ams\",\"backend\":\"b1\"}" REASON, "", target },
		{ "\"target\":{\"site\":\"ams\",\"zone\":\"b1\"}" REASON, "", target },
		{ "\"reason\":\"r\"",
		  "target: ", "expected either a target or the id of an override\n" },
		{ AMS REASON ",\"id\":\"ams-1-1\"",
		  "target: ", "expected either a target or the id of an override\n" },
		{ AMS REASON ",\"do\":\"explode\"",
		  "do: ", "expected drain, disable, force_up, hold, undrain or enable\n" },
	};
	char body[512], expected[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(body, sizeof(body), "{%s%s}",
		         strstr(rows[i].body, "\"do\"") ? "" : "\"do\":\"drain\",", rows[i].body);
		assert_int_equal(take_request(body, false), CLI_USAGE);
		snprintf(expected, sizeof(expected), "%s%s", rows[i].field, rows[i].told);
		assert_told(expected);
		assert_string_equal(shown, "");
		assert_false(has_store());
	}
}

static void all_errors_of_a_request_are_told(void **state)
{
	static const char expected[] =
	        "weir: over: expected a text\nweir: reason: is required\nweir: reson: is not a "
	        "known field; known fields: do, over, ";

	(void)state;
	assert_int_equal(
	        take_request("{\"do\":\"drain\"," AMS ",\"over\":5,\"reson\":\"x\"}", false),
	        CLI_USAGE);
	assert_int_equal(strncmp(told, expected, strlen(expected)), 0);
}

/* A backend more than there may be overrides. */
static void fill_store(void)
{
	struct override *list = calloc(OVERRIDES_LIVE_MAX, sizeof(*list));
	struct intent *in = open_store();

	assert_non_null(list);
	for (size_t i = 0; i < OVERRIDES_LIVE_MAX; i++) {
		list[i] = (struct override){ .kind = MODEL_OVERRIDE_DRAIN,
			                     .target = MODEL_TARGET_BACKEND,
			                     .pool = "web-ams",
			                     .generation = 1,
			                     .created_ms = NOW_MS,
			                     .from_ms = NOW_MS,
			                     .until_ms = MODEL_TIME_NEVER,
			                     .author = "jw",
			                     .reason = "r",
			                     .node = "ams-1" };
		snprintf(list[i].id, sizeof(list[i].id), "ams-1-%zu", i);
		snprintf(list[i].name, sizeof(list[i].name), "x%zu", i);
	}
	assert_int_equal(intent_merge(in, list, OVERRIDES_LIVE_MAX, NOW_MS), OVERRIDES_LIVE_MAX);
	intent_close(in);
	free(list);
}

static void each_outcome_has_its_exit_status_and_text(void **state)
{
	static const struct {
		const char *body;
		int status;
		const char *told;
	} rows[] = {
		{ "{\"do\":\"disable\",\"target\":{\"pool\":\"web-fra\",\"backend\":\"b1\"},\"until\":\"never\"" REASON
		  "}",
		  CLI_REFUSED,
		  "  last-backend: pool web-fra has no other backend for new flows that is not down\nweir: refused by a guard\n" },
		{ HOLD, CLI_CONFLICT, "weir: there is nothing to end or hold\n" },
		{ "{\"do\":\"drain\"," AMS ",\"until\":\"2001-01-01T00:00:00Z\"" REASON "}",
		  CLI_USAGE, "weir: until: is in the past\n" },
		{ "{\"do\":\"drain\",\"target\":{\"site\":\"nosuch\"},\"until\":\"never\"" REASON
		  "}",
		  CLI_USAGE, "weir: target.site: there is no site nosuch\n" },
		{ "{\"do\":\"undrain\"," AMS REASON "}", CLI_OK, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (int json = 0; json < 2; json++) {
			place->cli.json = json;
			assert_int_equal(take_request(rows[i].body, i % 2), rows[i].status);
			assert_string_equal(told, rows[i].told);
			assert_string_equal(
			        shown,
			        rows[i].status ? ""
			        : json         ? "{\"override\":null,\"changed\":false,\"dry_run\":false,\"notes\":[\"nothing to end: the target has no drain\"]}\n"
			                       : "nothing to end: the target has no drain\n");
		}
	fill_store();
	assert_int_equal(take_request(DRAIN, false), CLI_CONFLICT);
	assert_told("there are 1024 overrides; end some first\n");
}

/* The state of the guard last-backend of backend b2, by what is seen of b1. */
static const char *last_backend_state(void)
{
	static char out[16];

	assert_int_equal(take_request("{\"do\":\"disable\"," BACK("b2") ",\"until\":\"+1h\"" REASON
	                                                                "}",
	                              true),
	                 CLI_OK);
	json_t *body = json_loads(shown, 0, NULL),
	       *guard = json_array_get(json_object_get(body, "guards"), 0);

	assert_string_equal(api_text(guard, "guard", ""), "last-backend");
	snprintf(out, sizeof(out), "%s", api_text(guard, "state", ""));
	json_decref(body);
	return out;
}

/* The guards see the health page as in weir-mgmt. */
static void guards_see_what_weir_health_sees(void **state)
{
	(void)state;
	place->cli.json = true;
	assert_string_equal(last_backend_state(), "unknown"); /* there is no page */
	open_health(place);
	write_target(place, backend_target(place, 0),
	             health_make(HEALTH_UP, 0, HEALTH_REASON_OK, SINCE_S));
	page_alive(place->health, told_ms - SILENT_MS);
	assert_string_equal(last_backend_state(), "ok");
	page_alive(place->health, told_ms - SILENT_MS - 1);
	assert_string_equal(last_backend_state(), "unknown");
}

/* A step of an operation at site fra. */
static void merge_step(const char *id, uint32_t to_ppm, const char *service)
{
	struct override step = { .kind = MODEL_OVERRIDE_DRAIN,
		                 .target = MODEL_TARGET_SITE,
		                 .name = "fra",
		                 .generation = 1,
		                 .created_ms = NOW_MS,
		                 .from_ms = NOW_MS,
		                 .until_ms = MODEL_TIME_NEVER,
		                 .is_step = true,
		                 .to_ppm = to_ppm,
		                 .author = "jw",
		                 .reason = "r",
		                 .node = "fra-1" };
	struct intent *in = open_store();

	snprintf(step.id, sizeof(step.id), "%s", id);
	snprintf(step.service, sizeof(step.service), "%s", service);
	assert_int_equal(intent_merge(in, &step, 1, NOW_MS), 1);
	intent_close(in);
}

/* At the same node; what begins an operation cannot be done offline. */
static void an_undo_is_done_as_the_command_was(void **state)
{
	static const char undrain[] =
	        "{\"do\":\"undrain\",\"target\":{\"site\":\"fra\"},\"now\":true" REASON "}";
	static const struct {
		uint32_t step_ppm; /* 0: no step is there */
		const char *body, *undo;
	} rows[] = {
		{ 0, "{\"do\":\"drain\"," AMS ",\"until\":\"never\",\"now\":true" REASON "}",
		  "weir undrain site ams --scheduled --offline --run-dir /run/b" },
		{ 0, "{\"do\":\"undrain\"," AMS ",\"now\":true" REASON "}",
		  "weir drain site ams --until never --scheduled --reason TEXT --offline --run-dir /run/b" },
		{ 250000, undrain, "weir shift site fra 25% --until never --reason TEXT" },
		{ MODEL_PPM_ALL,
		  "{\"do\":\"undrain\",\"target\":{\"site\":\"fra\",\"service\":\"web\"},\"now\":true" REASON
		  "}",
		  "weir drain site fra --service web --reason TEXT" },
		{ 0, "{\"do\":\"disable\"," BACK("b2") ",\"until\":\"never\"" REASON "}",
		  "weir enable backend web-ams/b2 --offline --run-dir /run/b" },
	};

	(void)state;
	place->cli.json = true;
	place->cli.where = " --run-dir /run/b";
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].step_ppm)
			merge_step(i % 2 ? "fra-1-1" : "fra-1-2", rows[i].step_ppm,
			           i % 2 ? "web" : "");
		assert_int_equal(take_request(rows[i].body, false), CLI_OK);
		json_t *body = json_loads(shown, 0, NULL);

		assert_string_equal(api_text(body, "undo", "?"), rows[i].undo);
		json_decref(body);
	}
	place->cli.where = NULL; /* too long */
	assert_int_equal(take_request(rows[0].body, true), CLI_OK);
	assert_non_null(strstr(shown, "\"undo\":null"));
}

static void who_may_not_write_there_is_told(void **state)
{
	static const struct {
		int state_err, document_err;
		const char *told; /* behind the path of the state */
	} rows[] = {
		{ EACCES, 0, ": this user may not write there; run the command as root\n" },
		{ 0, EACCES, ": Permission denied\n" },
	};
	char expected[PATH_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		state_err = rows[i].state_err;
		document_err = rows[i].document_err;
		assert_int_equal(take_request(HOLD, false), CLI_DENIED);
		assert_false(has_store());
		snprintf(expected, sizeof(expected), "%s%s", place->f.state, rows[i].told);
		assert_told(expected);
	}
	state_err = document_err = ENOENT; /* its opening says what is wrong */
	assert_int_not_equal(take_request(HOLD, false), CLI_DENIED);
	assert_true(has_store());
	memset(place->cli.dirs.state, '/', sizeof(place->cli.dirs.state) - 1);
	assert_int_equal(take_request(HOLD, false), CLI_UNREACHABLE);
	assert_non_null(strstr(told, "//: File name too long\n"));
}

/* It is no matter of the state's path. */
static void a_user_that_is_missing_is_told(void **state)
{
	static const struct {
		int err;
		const char *told;
	} rows[] = {
		{ ENOENT,
		  "cannot go on as user weir-mgmt: the user or group weir does not exist (systemd-sysusers makes them)\n" },
		{ EPERM, "cannot go on as user weir-mgmt: Operation not permitted\n" },
	};

	(void)state;
	unsetenv(PROC_USERS_VARIABLE);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		user_err = rows[i].err;
		assert_int_equal(take_request(HOLD, false), CLI_UNREACHABLE);
		assert_false(has_store());
		assert_told(rows[i].told);
	}
}

/* A weir-mgmt that has the store, and hangs. */
static pid_t start_hung(void)
{
	int ready[2];
	char byte;

	assert_int_equal(pipe(ready), 0);
	fflush(stdout);
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct stats *s;

		__real_prctl(PR_SET_PDEATHSIG, SIGKILL);
		__real_prctl(PR_SET_NAME, "weir-mgmt");
		open_store();
		if (stats_create(place->f.root, "mgmt", N_WORDS, &s))
			_exit(1);
		stats_add(stats_turns(s, "main"), 5);
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

/*
 * A weir-mgmt that has the store is ended if it hangs; the next one, which weir run starts, may
 * be quicker.
 */
static void a_locked_store_is_waited_for_once_its_owner_has_ended(void **state)
{
	static const struct {
		unsigned started;
		bool dry_run;
		int status;
		const char *told;
		bool has_run; /* weir run lives */
	} rows[] = {
		{ 0, true, CLI_CONFLICT,
		  "weir: weir-mgmt hangs and holds the store; without --dry-run", false },
		{ 0, false, CLI_OK, "weir: weir-mgmt (pid ", false },
		{ 29, false, CLI_OK, "weir: weir-mgmt (pid ", true },
		{ 999, false, CLI_OK, "weir: weir-mgmt (pid ", false },
		{ 1001, false, CLI_CONFLICT, "weir: weir-mgmt (pid ", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		pid_t pid = start_hung();
		struct stats *run = NULL;

		if (rows[i].has_run) {
			assert_int_equal(stats_create(place->f.root, "run", N_WORDS, &run), 0);
			stats_alive(run, clock_mono_ms() + 60000); /* the look takes seconds */
		}
		n_started = rows[i].started;
		assert_int_equal(
		        take_request("{\"do\":\"undrain\"," AMS REASON "}", rows[i].dry_run),
		        rows[i].status);
		assert_int_equal(strncmp(told, rows[i].told, strlen(rows[i].told)), 0);
		assert_int_equal(n_slept, rows[i].started == 1001 ? 1000 : rows[i].started);
		assert_int_equal(strstr(told,
		                        "weir: another weir-mgmt has started and uses the store; "
		                        "repeat the command without --offline\n") != NULL,
		                 rows[i].started == 1001);
		assert_int_equal(strstr(told, "weir run starts another") != NULL, rows[i].has_run);
		assert_int_equal(strstr(told, "nothing starts another") != NULL,
		                 !rows[i].has_run && !rows[i].dry_run);
		stats_remove(run, place->f.root, "run");
		if (rows[i].dry_run)
			kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
	}
	close(next_lock);
	next_lock = -1;
}

static void what_was_taken_is_shown_and_in_the_document(void **state)
{
	static const char note[] =
	        "written offline: the peers learn of it when weir-mgmt runs again";

	(void)state;
	place->cli.json = true;
	assert_int_equal(take_request(DRAIN, true), CLI_OK);
	assert_null(strstr(shown, note));
	assert_non_null(strstr(shown, "\"dry_run\":true"));
	assert_null(strstr(shown, "\"nodes\""));
	assert_int_equal(take_request(DRAIN, false), CLI_OK);
	json_t *body = json_loads(shown, 0, NULL),
	       *node = json_array_get(json_object_get(body, "nodes"), 0);

	assert_non_null(body);
	assert_null(json_object_get(body, "dry_run"));
	assert_string_equal(json_string_value(json_array_get(json_object_get(body, "notes"), 0)),
	                    note);
	assert_true(json_is_true(json_object_get(body, "complete")));
	assert_true(json_integer_value(json_object_get(body, "document")) > 0);
	assert_int_equal(json_array_size(json_object_get(body, "nodes")), 1);
	assert_string_equal(json_string_value(json_object_get(node, "node")), "ams-1");
	assert_string_equal(json_string_value(json_object_get(node, "state")), "written");
	assert_string_equal(api_text(json_object_get(body, "override"), "principal", ""),
	                    own_principal());
	json_decref(body);
	place->cli.json = false;
	assert_int_equal(take_request("{\"do\":\"undrain\"," AMS REASON "}", false), CLI_OK);
	assert_int_equal(strncmp(shown, "drain site ams: ", 16), 0);
	assert_told("");
}

/* The store has it, and the processes do not. */
static void a_document_that_is_not_written_is_an_error(void **state)
{
	char path[PATH_MAX];

	(void)state;
	snprintf(path, sizeof(path), "%s/" PROC_EFFECTIVE_FILE, place->f.state);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	place->cli.json = true;
	assert_int_equal(take_request(DRAIN, false), CLI_UNREACHABLE);
	assert_int_equal(strncmp(told, "weir: the effective document was not written: ", 46), 0);
	assert_non_null(strstr(shown, "\"state\":\"not_written\""));
	assert_non_null(strstr(shown, "\"complete\":false"));
	assert_int_equal(take_request(DRAIN, true), CLI_OK); /* of a trial nothing is written */
}

SUITE(cli_offline)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up_node, tear_down)
#define S(f) cmocka_unit_test_setup_teardown(f, set_up_store, tear_down)
	const struct CMUnitTest tests[] = {
		S(a_request_becomes_the_command_that_it_says),
		T(what_the_api_refuses_is_refused_before_anything_is_opened),
		T(all_errors_of_a_request_are_told),
		S(each_outcome_has_its_exit_status_and_text),
		S(guards_see_what_weir_health_sees),
		S(an_undo_is_done_as_the_command_was),
		T(who_may_not_write_there_is_told),
		T(a_user_that_is_missing_is_told),
		S(a_locked_store_is_waited_for_once_its_owner_has_ended),
		S(what_was_taken_is_shown_and_in_the_document),
		S(a_document_that_is_not_written_is_an_error),
	};

	answer_access = own_access;
	told_time_begin(TOLD_APART);
	told_wall_ms = NOW_MS;
	answer_geteuid = own_geteuid;
	answer_getgrnam = own_getgrnam;
	answer_getlogin = own_getlogin;
	answer_getpwnam = own_getpwnam;
	answer_poll = own_poll;
	answer_prctl = own_prctl;
	answer_usleep = own_usleep;
	return cmocka_run_group_tests_name("cli offline", tests, NULL, NULL);
}
