/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A node's part in shared intent, alone: it follows etcd (mgmt/store/shared_etcd.h) into a copy on its disk
 * (mgmt/store/copy.h), knows which version is in force (mgmt/store/history.h), ends versions at their deadline, and
 * carries out commands: one JSON object on a line of standard input each. tests/lab/lab_shared.py writes them.
 *
 * Usage: lab-shared STATE_DIR PREFIX URL ...
 */
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "mgmt/store/copy.h"
#include "mgmt/store/history.h"
#include "mgmt/store/shared_etcd.h"
#include "weir/json.h"

#define TICK_MS  100
#define AGAIN_US 200000

static atomic_bool stop;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all that follows */
static struct store *store;
static struct version_history *history;
static int64_t highest; /* revision that was read of this store */
static uint64_t told_in_force;

/* A line at once: two threads have something to say. */
static void say_line(json_t *line)
{
	flockfile(stdout);
	json_dumpf(line, stdout, JSON_COMPACT);
	putchar('\n');
	fflush(stdout);
	funlockfile(stdout);
	json_decref(line);
}

static void give_up(const char *what, int err)
{
	fprintf(stderr, "lab-shared: %s: %s\n", what, strerror(-err));
	exit(1);
}

/* Under the lock: say which version is in force, if that is another. */
static void say_in_force(void)
{
	struct pending_clock clock;

	pending_clock_read(&clock);
	const struct version *v = history_in_force(history, clock.now_ms);
	uint64_t number = v ? v->number : 0;

	if (number == told_in_force)
		return;
	told_in_force = number;
	say_line(json_pack("{s:I, s:s}", "in_force", (json_int_t)number, "digest",
	                   v ? v->digest : ""));
}

static bool accept_changes(void *arg, int64_t revision, const struct shared_record *list, size_t n)
{
	struct pending_clock clock;
	int err = 0;

	(void)arg;
	pending_clock_read(&clock);
	pthread_mutex_lock(&lock);
	for (size_t i = 0; !err && i < n; i++)
		err = history_receive(history, &list[i], &clock);
	if (!err)
		err = copy_follow(store, revision, list, n);
	if (!err)
		say_in_force();
	pthread_mutex_unlock(&lock);
	return !err;
}

static bool note_heard(void *arg, uint64_t sent_ms, int64_t revision)
{
	(void)arg;
	(void)sent_ms;
	pthread_mutex_lock(&lock);
	highest = revision;
	pthread_mutex_unlock(&lock);
	return true;
}

/* Let the copy be what etcd has now. */
static int list_all(struct shared_etcd *e)
{
	struct pending_clock clock;
	struct shared_records l;
	int64_t joined = 0;
	int err = shared_etcd_list(e, &l);

	if (err) {
		say_line(json_pack("{s:s}", "unlisted", shared_etcd_reason(e)));
		return err;
	}
	pending_clock_read(&clock);
	pthread_mutex_lock(&lock);
	err = copy_install(store, l.revision, l.records, l.n, NULL, 0);
	if (!err)
		err = copy_joined(store, &joined);
	history_join(history, joined);
	history_clear(history);
	for (size_t i = 0; !err && i < l.n; i++)
		err = history_receive(history, &l.records[i], &clock);
	if (err)
		give_up("a list", err);
	say_in_force();
	pthread_mutex_unlock(&lock);
	shared_records_fini(&l);
	return 0;
}

static void *follow_etcd(void *arg)
{
	static const struct shared_follower follower = { accept_changes, note_heard, NULL, NULL };
	struct shared_etcd *e = arg;
	bool listed;
	int64_t revision = 0;

	if (copy_revision(store, &revision))
		give_up("the copy", -EBADMSG);
	listed = revision > 0;
	while (!atomic_load(&stop)) {
		if (!listed && list_all(e)) {
			usleep(AGAIN_US); /* no member answers: again */
			continue;
		}
		pthread_mutex_lock(&lock);
		if (copy_revision(store, &revision))
			give_up("the copy", -EBADMSG);
		int64_t seen = highest > revision ? highest : revision;

		pthread_mutex_unlock(&lock);
		enum etcd_watch_end end = shared_etcd_follow(e, revision + 1, seen, &follower);

		say_line(json_pack("{s:s}", "left", shared_etcd_reason(e)));
		listed = end != ETCD_WATCH_LIST;
		if (end == ETCD_WATCH_WENT_BACK)
			usleep(AGAIN_US); /* it stays so until a person has seen to it */
	}
	return NULL;
}

static int receive_kept(void *arg, const struct shared_record *r)
{
	return history_receive(history, r, arg);
}

/* What the disk has. */
static void read_kept(void)
{
	struct pending_clock clock;
	int64_t joined;

	pending_clock_read(&clock);
	if (copy_joined(store, &joined))
		give_up("the copy", -EBADMSG);
	history_join(history, joined);
	if (copy_each(store, "", receive_kept, &clock) < 0)
		give_up("the copy", -EBADMSG);
}

static void make_id(char out[SHARED_ID_MAX])
{
	uint8_t bytes[(SHARED_ID_MAX - 1) / 2];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		abort();
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

/* Write a change that was made under the lock, without it. */
static void write_change(struct shared_etcd *e, struct shared_change *c, json_t *line)
{
	static const char *const words[] = { "done", "refused", "unknown" };
	struct shared_answer a;
	int err = shared_etcd_write(e, c, &a);

	json_object_set_new(line, "result", json_string(err ? "not-written" : words[a.result]));
	json_object_set_new(line, "id", json_string(c->id));
	json_object_set_new(line, "reason", json_string(shared_etcd_reason(e)));
	if (!err)
		shared_answer_fini(&a);
	shared_change_fini(c);
}

static void end_overdue(struct shared_etcd *e)
{
	const struct history_mark mark = { .mark = CHAIN_ENDED, .author = "weir" };
	struct pending_clock clock;
	struct shared_change c;
	char id[SHARED_ID_MAX];
	int err = -ENOENT;

	make_id(id);
	pending_clock_read(&clock);
	pthread_mutex_lock(&lock);
	uint64_t number = history_overdue(history, clock.now_ms);

	shared_change_begin(&c, id);
	if (number)
		err = history_decide(history, clock.now_ms, number, &mark, &c);
	say_in_force();
	pthread_mutex_unlock(&lock);
	json_t *line = json_pack("{s:I}", "ended", (json_int_t)number);

	if (!err)
		write_change(e, &c, line);
	json_decref(line);
}

static int make_change(const json_t *command, json_t *line, struct shared_change *c)
{
	const struct history_mark mark = {
		.mark = !strcmp(json_string_value(json_object_get(command, "do")), "end")
		                ? CHAIN_ENDED
		                : CHAIN_CONFIRMED,
		.author = "ann"
	};
	struct version v = { .confirm_within_ms =
		                     json_integer_value(json_object_get(command, "within_ms")) };
	struct pending_clock clock;

	pending_clock_read(&clock);
	if (strcmp(json_string_value(json_object_get(command, "do")), "apply") != 0)
		return history_decide(
		        history, clock.now_ms,
		        (uint64_t)json_integer_value(json_object_get(command, "number")), &mark, c);
	memcpy(v.digest, c->id, sizeof(v.digest)); /* as many digits */
	int err = history_apply(history, clock.now_ms, HISTORY_JOIN, &mark, &v, c);

	json_object_set_new(line, "number", json_integer((json_int_t)v.number));
	return err;
}

static void carry_out(struct shared_etcd *e, const json_t *command)
{
	json_t *line = json_object();
	struct shared_change c;
	char id[SHARED_ID_MAX];

	make_id(id);
	shared_change_begin(&c, id);
	pthread_mutex_lock(&lock);
	int err = copy_revision(store, &c.above);

	if (!err)
		err = make_change(command, line, &c);
	pthread_mutex_unlock(&lock);
	if (err) {
		json_object_set_new(line, "result", json_string(strerrorname_np(-err)));
		shared_change_fini(&c);
	} else {
		write_change(e, &c, line);
	}
	say_line(line);
}

/* Commands, and what is due by time. */
static void run_commands(struct shared_etcd *e)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	char line[512];

	for (;;) {
		if (poll(&in, 1, TICK_MS) > 0) {
			if (!fgets(line, sizeof(line), stdin))
				return;
			json_t *command = json_loads(line, 0, NULL);

			if (command)
				carry_out(e, command);
			json_decref(command);
		}
		end_overdue(e);
	}
}

static struct shared_etcd *open_etcd(char **argv, int argc)
{
	struct etcd_settings s = { 0 };
	struct shared_etcd *e;
	char reason[ETCD_REASON_MAX];

	for (int i = 3; i < argc && s.n_endpoints < ETCD_ENDPOINTS_MAX; i++)
		snprintf(s.endpoints[s.n_endpoints++], ETCD_URL_MAX, "%s", argv[i]);
	if (shared_etcd_open(&s, argv[2], &stop, &e, reason)) {
		fprintf(stderr, "lab-shared: %s\n", reason);
		exit(1);
	}
	return e;
}

int main(int argc, char **argv)
{
	char reason[EVENT_TEXT_MAX];
	pthread_t follower;

	if (argc < 4)
		return 2;
	setvbuf(stdin, NULL, _IONBF, 0); /* poll() sees what is left */
	curl_global_init(CURL_GLOBAL_DEFAULT);
	json_prepare();
	history = history_new(STORE_VERSIONS_MAX);
	if (!history || store_open(argv[1], &store, reason))
		give_up("the store", -EIO);
	struct shared_etcd *reads = open_etcd(argv, argc), *writes = open_etcd(argv, argc);

	read_kept();
	say_line(json_pack("{s:b}", "started", 1));
	say_in_force();
	if (pthread_create(&follower, NULL, follow_etcd, reads))
		return 1;
	run_commands(writes);
	atomic_store(&stop, true);
	pthread_join(follower, NULL);
	shared_etcd_close(reads);
	shared_etcd_close(writes);
	store_close(store);
	history_free(history);
	curl_global_cleanup();
	return 0;
}
