/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Overrides that are taken with weir-mgmt dead (mgmt/cli/offline.c): what becomes of the request,
 * who is denied, what is waited for, and how it ends. The store is real; its opening, the rights
 * and the clock are the test's.
 */
#include "fixture.h"
#include "shown.h"

#include <errno.h>
#include <jansson.h>
#include <pwd.h>

#include "base/clock.h"
#include "base/page.h"
#include "mgmt/cli/cmd_override.h"
#include "mgmt/store/command.h"
#include "weir/health.h"

static struct fixture place;
static struct cli here;
static int become_err, state_err, document_err, hung_status;
static int open_err;    /* of an opening that fails for ever */
static unsigned n_busy; /* openings that find the store locked first */
static unsigned n_opened, n_hung, n_slept, n_closed;
static bool hung_for_trial;
static bool has_page, is_stale, runs_really, has_store_conf;
static enum command_outcome given;
static struct command_result result;
static char asked[1024]; /* what the command was, in words */

static int fake_become(const char *name, uint64_t caps)
{
	assert_string_equal(name, "mgmt");
	assert_int_equal(caps, 0);
	return become_err;
}

static int fake_access(const char *path, int how)
{
	bool directory = !strcmp(path, place.state);

	assert_int_equal(how, directory ? W_OK | X_OK : W_OK);
	errno = -(directory ? state_err : document_err);
	return errno ? -1 : 0;
}

static int fake_open(const struct intent_options *options, int64_t now_ms, struct intent **out)
{
	n_opened++;
	assert_true(options->offline);
	assert_int_equal(options->shares, has_store_conf);
	assert_string_equal(options->conf_dir, place.conf);
	assert_string_equal(options->state_dir, place.state);
	assert_string_equal(options->run_dir, place.root);
	assert_string_equal(options->node, "ams-1");
	assert_int_equal(now_ms, NOW_MS);
	if (n_busy) {
		n_busy--;
		return -EBUSY;
	}
	return open_err ? open_err : intent_open(options, now_ms, out);
}

static int fake_usleep(useconds_t us)
{
	assert_in_range(us, 1, 5000);
	n_slept++;
	return 0;
}

int offline_end_hung(const struct cli *of, bool dry_run)
{
	assert_ptr_equal(of, &here);
	hung_for_trial = dry_run;
	n_hung++;
	return hung_status;
}

static int fake_page(const char *run_dir, struct page **out)
{
	assert_string_equal(run_dir, place.root);
	if (has_page)
		*out = (struct page *)(uintptr_t)&has_page;
	return has_page ? 0 : -ENOENT;
}

static const struct page_header *fake_header(const struct page *page)
{
	static struct page_header header;

	assert_ptr_equal(page, &has_page);
	header.alive_ms = is_stale ? 0 : clock_mono_ms();
	return &header;
}

static void *fake_payload(const struct page *page)
{
	return (void *)(uintptr_t)page;
}

static void fake_close(struct page *page)
{
	n_closed += page != NULL;
}

static int64_t fake_believed(void)
{
	return NOW_MS;
}

static void fake_once(const char *run_dir)
{
	assert_string_equal(run_dir, place.root);
}

static char *fake_login(void)
{
	return NULL;
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

static enum command_outcome fake_run(struct intent *in, const struct command *c,
                                     const struct guard_observed *seen, int64_t now_ms,
                                     struct command_result *r)
{
	assert_int_equal(now_ms, NOW_MS);
	assert_int_equal(seen->health != NULL, has_page);
	assert_int_equal(seen->health_stale, has_page && is_stale);
	int n = snprintf(asked, sizeof(asked),
	                 "%d %s/%s over=%lld from=%lld until=%lld now=%d dry=%d by=%s (%s): %s",
	                 (int)c->what, c->pool ? c->pool : "", c->name, (long long)c->over_ms,
	                 (long long)(c->from_ms < 0 ? -1 : c->from_ms - NOW_MS),
	                 (long long)(c->until_ms < 0 ? -1 : c->until_ms - NOW_MS), c->now,
	                 c->dry_run, c->author,
	                 strcmp(intent_principal(in), own_principal()) ? intent_principal(in)
	                                                               : "self",
	                 c->reason);

	for (size_t i = 0; i < c->n_past; i++)
		n += snprintf(asked + n, sizeof(asked) - (size_t)n, " past=%s", c->past[i]);
	if (runs_really)
		return command_run(in, c, seen, now_ms, r);
	*r = result;
	return given;
}

void override_print(const json_t *body)
{
	fputs("printed ", stdout);
	json_dumpf(body, stdout, JSON_COMPACT);
}

#define proc_become       fake_become
#define access            fake_access
#define intent_open       fake_open
#define usleep            fake_usleep
#define health_page_open  fake_page
#define page_payload      fake_payload
#define page_header(page) fake_header(page)
#define page_close        fake_close
#define clock_believed_ms fake_believed
#define believed_once     fake_once
#define command_run       fake_run
#define getlogin          fake_login
#include "mgmt/cli/offline.c" /* its edges are ours */
#undef intent_open
#undef command_run

static int set_up(void **state)
{
	(void)state;
	fixture_make(&place);
	memset(&here, 0, sizeof(here));
	snprintf(here.dirs.conf, sizeof(here.dirs.conf), "%s", place.conf);
	snprintf(here.dirs.state, sizeof(here.dirs.state), "%s", place.state);
	snprintf(here.dirs.run, sizeof(here.dirs.run), "%s", place.root);
	snprintf(here.dirs.node, sizeof(here.dirs.node), "ams-1");
	here.where = "";
	become_err = state_err = document_err = open_err = hung_status = 0;
	n_busy = n_opened = n_hung = n_slept = n_closed = 0;
	has_page = is_stale = runs_really = hung_for_trial = has_store_conf = false;
	given = COMMAND_OVER;
	memset(&result, 0, sizeof(result));
	asked[0] = '\0';
	unsetenv("SUDO_USER");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	fixture_remove(&place);
	return 0;
}

static int take_request(const char *body, bool dry_run)
{
	json_t *request = json_loads(body, 0, NULL);

	assert_non_null(request);
	n_opened = n_hung = n_slept = 0;
	shown_begin();
	json_t *guards = NULL;
	int status = offline_override(&here, request, dry_run, &guards);

	assert_int_equal(guards != NULL, status == CLI_REFUSED);
	json_decref(guards);

	shown_end();
	return status;
}

#define SITE   "\"target\":{\"site\":\"ams\"}"
#define REASON ",\"reason\":\"r\""

static void a_request_becomes_the_command_that_it_says(void **state)
{
	static const struct {
		const char *body, *asked;
		bool dry_run;
	} rows[] = {
		{ "{\"do\":\"drain\"," SITE
		  ",\"until\":\"never\",\"reason\":\"INC-1\",\"author\":\"ann\"}",
		  "0 /ams over=-1 from=-1 until=NEVER now=0 dry=0 by=ann (self): INC-1", false },
		{ "{\"do\":\"drain\"," SITE
		  ",\"over\":\"5m\",\"from\":\"+1h\",\"until\":\"+4h\",\"reason\":\"r\"}",
		  "0 /ams over=300000 from=3600000 until=14400000 now=0 dry=1 by=root (self): r",
		  true },
		{ "{\"do\":\"disable\",\"target\":{\"pool\":\"web-ams\",\"backend\":\"b2\"},\"until\":\"+1m\",\"reason\":\"r\","
		  "\"override_guards\":[\"room\",\"last-backend\",\"last-site\",\"room\"]}",
		  "1 web-ams/b2 over=-1 from=-1 until=60000 now=0 dry=0 by=root (self): r past=room past=last-backend "
		  "past=last-site past=room",
		  false },
		{ "{\"do\":\"force_up\"," SITE REASON "}",
		  "2 /ams over=-1 from=-1 until=-1 now=0 dry=0 by=root (self): r", false },
		{ "{\"do\":\"hold\"," SITE REASON "}",
		  "3 /ams over=-1 from=-1 until=-1 now=0 dry=0 by=root (self): r", false },
		{ "{\"do\":\"undrain\"," SITE REASON ",\"now\":true}",
		  "4 /ams over=-1 from=-1 until=-1 now=1 dry=0 by=root (self): r", false },
		{ "{\"do\":\"enable\"," SITE REASON ",\"now\":false}",
		  "5 /ams over=-1 from=-1 until=-1 now=0 dry=0 by=root (self): r", false },
	};
	char never[32], expected[512];

	(void)state;
	snprintf(never, sizeof(never), "%lld", (long long)(MODEL_TIME_NEVER - NOW_MS));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *at = strstr(rows[i].asked, "NEVER");

		snprintf(expected, sizeof(expected), "%.*s%s%s",
		         (int)(at ? at - rows[i].asked : (int)strlen(rows[i].asked)), rows[i].asked,
		         at ? never : "", at ? at + 5 : "");
		has_page = i % 2;
		is_stale = i & 2;
		has_store_conf = i > 2; /* then what is in force follows from what nodes share */
		if (i == 3)
			fixture_write(place.conf, "store.conf", "{}");
		assert_int_equal(take_request(rows[i].body, rows[i].dry_run), CLI_OK);
		assert_string_equal(asked, expected);
		assert_int_equal(n_closed, (i + 1) / 2);
	}
	assert_int_equal(setenv("SUDO_USER", "bob", 1), 0);
	assert_int_equal(take_request("{\"do\":\"hold\"," SITE REASON "}", false), CLI_OK);
	assert_non_null(strstr(asked, " by=bob (self)"));
	assert_int_equal(take_request("{\"do\":\"hold\"," SITE REASON ",\"author\":\"cy\"}", false),
	                 CLI_OK);
	assert_non_null(strstr(asked, " by=cy (self)"));
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
		{ SITE REASON ",\"over\":\"5\"",
		  "over: ", "found \"5\", expected a duration such as \"5m\"\n" },
		{ SITE REASON ",\"over\":\"never\"",
		  "over: ", "found \"never\", expected a duration such as \"5m\"\n" },
		{ SITE REASON ",\"over\":\"" TEN TEN TEN "123\"",
		  "over: ", "has more than 32 bytes\n" },
		{ SITE REASON ",\"over\":5", "over: ", "expected a text\n" },
		{ SITE REASON ",\"from\":\"5m\"", "from: found \"5m\", ", instant },
		{ SITE REASON ",\"until\":\"tomorrow\"", "until: found \"tomorrow\", ", instant },
		{ SITE REASON ",\"until\":\"" SIXTY "12345\"",
		  "until: ", "has more than 64 bytes\n" },
		{ SITE REASON ",\"until\":true", "until: ", "expected a text\n" },
		{ SITE REASON ",\"override_guards\":[\"rooms\"]", "", guards },
		{ SITE REASON ",\"override_guards\":[\"room\",7]", "", guards },
		{ SITE REASON
		  ",\"override_guards\":[\"room\",\"room\",\"room\",\"room\",\"room\",\"room\"]",
		  "", guards },
		{ SITE REASON ",\"override_guards\":\"room\"",
		  "override_guards: ", "expected an array\n" },
		{ SITE REASON ",\"now\":1", "now: ", "expected true or false\n" },
		{ SITE, "reason: ", "is required\n" },
		{ SITE ",\"reason\":\"  \"",
		  "reason: ", "must not be blank: say why you make this change\n" },
		{ SITE ",\"reason\":\"a\\nb\"", "reason: ", "has control characters\n" },
		{ SITE ",\"reason\":\"" SIXTY SIXTY SIXTY SIXTY "1234567890123456\"",
		  "reason: ", "has more than 255 bytes\n" },
		{ SITE REASON ",\"author\":\"a\\u001b[2J\"",
		  "author: ", "has control characters\n" },
		{ SITE REASON ",\"author\":\"" SIXTY "1234\"",
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
		{ SITE REASON ",\"id\":\"ams-1-1\"",
		  "target: ", "expected either a target or the id of an override\n" },
		{ SITE REASON ",\"do\":\"explode\"",
		  "do: ", "expected drain, disable, force_up, hold, undrain or enable\n" },
	};
	char body[512], expected[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(body, sizeof(body), "{%s%s}",
		         strstr(rows[i].body, "\"do\"") ? "" : "\"do\":\"drain\",", rows[i].body);
		assert_int_equal(take_request(body, false), CLI_USAGE);
		snprintf(expected, sizeof(expected), "%s%s", rows[i].field, rows[i].told);
		assert_string_equal(told, expected);
		assert_string_equal(shown, "");
		assert_int_equal(n_opened, 0);
	}
}

static void all_errors_of_a_request_are_told(void **state)
{
	static const char expected[] =
	        "over: expected a text\nreason: is required\nreson: is not a "
	        "known field; known fields: do, over, ";

	(void)state;
	assert_int_equal(
	        take_request("{\"do\":\"drain\"," SITE ",\"over\":5,\"reson\":\"x\"}", false),
	        CLI_USAGE);
	assert_int_equal(strncmp(told, expected, strlen(expected)), 0);
}

#define HOLD "{\"do\":\"hold\"," SITE REASON "}"

static void each_outcome_has_its_exit_status_and_text(void **state)
{
	static const struct {
		enum command_outcome outcome;
		int status;
		const char *field, *told;
	} rows[] = {
		{ COMMAND_REFUSED, CLI_REFUSED, NULL, "refused by a guard\n" },
		{ COMMAND_NOTHING, CLI_CONFLICT, NULL, "there is nothing to end or hold\n" },
		{ COMMAND_STALE, CLI_CONFLICT, NULL,
		  "the override has changed meanwhile; try again\n" },
		{ COMMAND_TOO_MANY, CLI_CONFLICT, NULL,
		  "there are 1024 overrides; end some first\n" },
		{ COMMAND_FAILED, CLI_UNREACHABLE, NULL, "out of memory\n" },
		{ COMMAND_INVALID, CLI_USAGE, "until", "until: it is over\n" },
		{ COMMAND_UNKNOWN, CLI_USAGE, NULL, "it is over\n" },
		{ COMMAND_OVER, CLI_OK, NULL, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (int json = 0; json < 2; json++) {
			here.json = json;
			given = rows[i].outcome;
			result.field = rows[i].field;
			snprintf(result.text, sizeof(result.text), "it is over");
			assert_int_equal(take_request(HOLD, i % 2), rows[i].status);
			assert_string_equal(told, rows[i].told);
			if (rows[i].outcome != COMMAND_OVER)
				assert_string_equal(shown, "");
			else if (json)
				assert_string_equal(
				        shown,
				        "{\"override\":null,\"changed\":false,\"dry_run\":true,\"notes\":[\"it is over\"]}\n");
			else
				assert_string_equal(
				        shown,
				        "printed {\"override\":null,\"changed\":false,\"dry_run\":true,\"notes\":[\"it is over\"]}");
		}
}

/* At the same node; what begins an operation cannot be done offline. */
static void an_undo_is_done_as_the_command_was(void **state)
{
	static const struct {
		const char *undo, *expected;
	} rows[] = {
		{ "weir undrain site ams --scheduled",
		  "weir undrain site ams --scheduled --offline --run-dir /run/b" },
		{ "weir drain site ams --until never --scheduled",
		  "weir drain site ams --until never --scheduled --offline --run-dir /run/b" },
		{ "weir drain node n1 --until never",
		  "weir drain node n1 --until never --offline --run-dir /run/b" },
		{ "weir drain site ams --service web", "weir drain site ams --service web" },
		{ "weir shift site ams 25% --until never",
		  "weir shift site ams 25% --until never" },
	};
	char expected[128];

	(void)state;
	here.json = true;
	here.where = " --run-dir /run/b";
	given = COMMAND_OK;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(result.undo, sizeof(result.undo), "%s", rows[i].undo);
		assert_int_equal(take_request(HOLD, false), CLI_OK);
		snprintf(expected, sizeof(expected), "\"undo\":\"%s\"", rows[i].expected);
		assert_non_null(strstr(shown, expected));
	}
}

static void who_may_not_write_there_is_told(void **state)
{
	static const struct {
		int state_err, document_err, become_err, open_err, status, opened;
		const char *told; /* behind the path of the state */
	} rows[] = {
		{ -EACCES, 0, 0, 0, CLI_DENIED, 0,
		  ": this user may not write there; run the command as root\n" },
		{ 0, -EACCES, 0, 0, CLI_DENIED, 0, ": Permission denied\n" },
		{ 0, 0, 0, -EACCES, CLI_DENIED, 1, ": Permission denied\n" },
		{ 0, 0, 0, -EIO, CLI_UNREACHABLE, 1, ": Input/output error\n" },
		{ -ENOENT, -ENOENT, 0, 0, CLI_OK, 1, NULL }, /* its opening says what is wrong */
	};
	char expected[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		state_err = rows[i].state_err;
		document_err = rows[i].document_err;
		become_err = rows[i].become_err;
		open_err = rows[i].open_err;
		assert_int_equal(take_request(HOLD, false), rows[i].status);
		assert_int_equal(n_opened, rows[i].opened);
		snprintf(expected, sizeof(expected), "%s%s", rows[i].told ? place.state : "",
		         rows[i].told ? rows[i].told : "");
		assert_string_equal(told, expected);
	}
}

/* It is no matter of the state's path. */
static void a_user_that_is_missing_is_told(void **state)
{
	static const struct {
		int err;
		const char *told;
	} rows[] = {
		{ -ENOENT,
		  "cannot go on as user weir-mgmt: the user or group weir does not exist (systemd-sysusers makes them)\n" },
		{ -EPERM, "cannot go on as user weir-mgmt: Operation not permitted\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		become_err = rows[i].err;
		assert_int_equal(take_request(HOLD, false), CLI_UNREACHABLE);
		assert_int_equal(n_opened, 0);
		assert_string_equal(told, rows[i].told);
	}
}

/*
 * A weir-mgmt that has the store is ended if it hangs; the next one, which weir run starts, may
 * be quicker.
 */
static void a_locked_store_is_waited_for_once_its_owner_has_ended(void **state)
{
	static const struct {
		unsigned busy;
		int hung_status, status;
		unsigned hung, opened;
	} rows[] = {
		{ 0, CLI_CONFLICT, CLI_OK, 0, 1 },       { 1, CLI_OK, CLI_OK, 1, 2 },
		{ 1, CLI_CONFLICT, CLI_CONFLICT, 1, 1 }, { 30, CLI_OK, CLI_OK, 1, 31 },
		{ 1000, CLI_OK, CLI_OK, 1, 1001 },       { 1001, CLI_OK, CLI_CONFLICT, 1, 1001 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		n_busy = rows[i].busy;
		hung_status = rows[i].hung_status;
		assert_int_equal(take_request(HOLD, i % 2), rows[i].status);
		assert_int_equal(n_hung, rows[i].hung);
		assert_int_equal(n_opened, rows[i].opened);
		if (n_hung)
			assert_int_equal(hung_for_trial, i % 2);
		if (rows[i].busy > 1)
			assert_int_equal(n_slept, rows[i].busy - 1);
		if (rows[i].busy == 1001)
			assert_string_equal(
			        told,
			        "another weir-mgmt has started and uses the store; repeat the "
			        "command without --offline\n");
	}
}

/* As weir-mgmt leaves it. */
static void make_store(void)
{
	struct pending_clock clock;
	const struct intent_options options = { .conf_dir = place.conf,
		                                .state_dir = place.state,
		                                .run_dir = place.root,
		                                .node = "ams-1" };
	struct intent *in = NULL;

	assert_int_equal(intent_open(&options, NOW_MS, &in), 0);
	pending_clock_read(&clock);
	intent_run_deadline(in, &clock, NOW_MS); /* which writes the records */
	intent_close(in);
	runs_really = true;
}

#define DRAIN                                                                                      \
	"{\"do\":\"drain\"," SITE ",\"until\":\"+4h\",\"reason\":\"INC-1\",\"author\":\"ann\"}"

static void what_was_taken_is_shown_and_in_the_document(void **state)
{
	static const char note[] =
	        "written offline: the peers learn of it when weir-mgmt runs again";

	(void)state;
	make_store();
	here.json = true;
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
	here.json = false;
	assert_int_equal(take_request("{\"do\":\"undrain\"," SITE REASON "}", false), CLI_OK);
	assert_int_equal(strncmp(shown, "printed {\"override\":{", 21), 0);
	assert_string_equal(told, "");
}

/* The store has it, and the processes do not. */
static void a_document_that_is_not_written_is_an_error(void **state)
{
	char path[PATH_MAX];

	(void)state;
	make_store();
	snprintf(path, sizeof(path), "%s/" PROC_EFFECTIVE_FILE, place.state);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(take_request(DRAIN, false), CLI_UNREACHABLE);
	assert_int_equal(strncmp(told, "the effective document was not written: ", 40), 0);
	assert_non_null(strstr(shown, "\"state\":\"not_written\""));
	assert_non_null(strstr(shown, "\"complete\":false"));
	assert_int_equal(take_request(DRAIN, true), CLI_OK); /* of a trial nothing is written */
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(a_request_becomes_the_command_that_it_says),
		T(what_the_api_refuses_is_refused_before_anything_is_opened),
		T(all_errors_of_a_request_are_told),
		T(each_outcome_has_its_exit_status_and_text),
		T(an_undo_is_done_as_the_command_was),
		T(who_may_not_write_there_is_told),
		T(a_user_that_is_missing_is_told),
		T(a_locked_store_is_waited_for_once_its_owner_has_ended),
		T(what_was_taken_is_shown_and_in_the_document),
		T(a_document_that_is_not_written_is_an_error),
	};

	return cmocka_run_group_tests_name("cli offline", tests, NULL, NULL);
}
