/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The supervisor's own decisions (supervise/run.c): when a process is started again, who is asked to
 * end and when, what a document changes. Its loop, clock, signals and parts are the test's;
 * processes are children that only wait.
 */
#include "run_edges.h"

#include <sys/resource.h>

static struct fixture place;
static struct proc_dirs dirs;
static struct run run;

static int set_up(void **state)
{
	static const char *const names[CHILD_COUNT] = { "mgmt", "dataplane", "health", "dns",
		                                        "announce" };

	(void)state;
	fixture_make(&place);
	memset(&dirs, 0, sizeof(dirs));
	snprintf(dirs.run, sizeof(dirs.run), "%s", place.root);
	snprintf(dirs.state, sizeof(dirs.state), "%s", place.state);
	snprintf(dirs.node, sizeof(dirs.node), "ams-1");
	run = (struct run){ .dirs = &dirs, .lock_fd = -1 };
	for (int i = 0; i < CHILD_COUNT; i++)
		run.children[i] = (struct child){ .name = names[i], .run = &run, .pidfd = -1 };
	memset(&sockets, 0, sizeof(sockets));
	memset(&routes, 0, sizeof(routes));
	memset(found, 0, sizeof(found));
	now_of_loop = NOW;
	stopped = false;
	successor = 0;
	n_successors_stopped = 0;
	add_err = stop_other_err = 0;
	takes_signal = 0;
	n_sent = n_noted = n_forgotten = n_ready = n_deaths = 0;
	told[0] = '\0';
	log_level(LOG_EMERG);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (int i = 0; i < CHILD_COUNT; i++)
		if (run.children[i].pidfd >= 0) {
			kill(run.children[i].pid, SIGKILL);
			waitpid(run.children[i].pid, NULL, 0);
			close(run.children[i].pidfd);
		}
	fixture_remove(&place);
	return 0;
}

/* A child that runs, of this supervisor. */
static struct child *begin_child(int i)
{
	struct child *c = &run.children[i];

	assert_int_equal(watch_child(c, fake_fork(), true), 0);
	return c;
}

/* It ends, as the loop would tell. */
static void end_child(struct child *c)
{
	kill(c->pid, SIGKILL);
	on_child_end(c, c->pidfd, EPOLLIN);
}

static void what_dies_is_started_later_and_later(void **state)
{
	static const struct {
		unsigned deaths; /* before */
		uint64_t lived_ms;
		bool must_restart;
		unsigned after, wait_ms;
	} rows[] = {
		{ 0, 0, false, 1, 0 },    { 1, 1999, false, 2, 200 }, { 2, 0, false, 3, 400 },
		{ 3, 0, false, 4, 800 },  { 4, 0, false, 5, 1600 },   { 5, 0, false, 6, 3200 },
		{ 6, 0, false, 7, 5000 }, { 7, 0, false, 8, 5000 },   { 900, 0, false, 901, 5000 },
		{ 7, 2000, false, 1, 0 }, { 7, 100, true, 0, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct child *c = begin_child(CHILD_HEALTH);
		unsigned noted = n_noted, forgotten = n_forgotten;

		c->deaths = rows[i].deaths;
		c->must_restart = rows[i].must_restart;
		c->limit.heap_index = 1;
		now_of_loop = c->started_ms + rows[i].lived_ms;
		end_child(c);
		assert_int_equal(c->deaths, rows[i].after);
		assert_int_equal(c->timer.at_ms, now_of_loop + rows[i].wait_ms);
		assert_int_equal(c->timer.heap_index, 1);
		assert_int_equal(c->limit.heap_index, 0);
		assert_int_equal(c->pid, 0);
		assert_int_equal(c->pidfd, -1);
		assert_false(c->must_restart);
		assert_int_equal(n_noted, noted + 1);
		assert_int_equal(n_forgotten, forgotten + 1);
	}
	(void)state;
}

/* Ends in order, and those that weir run wanted, are none, and one that was killed because it hung is counted already. */
static void a_death_is_noted_unless_it_was_wanted(void **state)
{
	struct child *c = begin_child(CHILD_HEALTH);

	(void)state;
	end_child(c);
	assert_int_equal(n_deaths, 1);
	assert_true(WIFSIGNALED(last_death));
	assert_int_equal(WTERMSIG(last_death), SIGKILL);
	begin_child(CHILD_HEALTH);
	c->must_restart = true;
	end_child(c);
	begin_child(CHILD_HEALTH);
	c->killed_ms = NOW;
	end_child(c);
	c->killed_ms = 0;
	begin_child(CHILD_DATAPLANE);
	successor = fake_fork();
	end_child(&run.children[CHILD_DATAPLANE]);
	successor = 0;
	begin_child(CHILD_HEALTH);
	run.stopping = true;
	end_child(c);
	run.stopping = false;
	pid_t in_order = (fork)();
	if (in_order == 0)
		_exit(0);
	assert_int_equal(watch_child(c, in_order, true), 0);
	on_child_end(c, c->pidfd, EPOLLIN);
	assert_int_equal(n_deaths, 1);
	pid_t pid = fake_fork(); /* of another supervisor: how it ended is not known */
	assert_int_equal(watch_child(c, pid, false), 0);
	end_child(c);
	assert_int_equal(n_deaths, 1);
	waitpid(pid, NULL, 0);
}

static void with_a_successor_nothing_is_started(void **state)
{
	struct child *c = begin_child(CHILD_DATAPLANE), *other = begin_child(CHILD_HEALTH);
	pid_t next = fake_fork();

	(void)state;
	successor = next;
	end_child(other);
	assert_int_equal(other->timer.heap_index, 1);
	assert_int_equal(successor, next); /* it is not health's */
	end_child(c);
	assert_int_equal(c->timer.heap_index, 0);
	assert_int_equal(c->pid, next);
	assert_true(c->ours);
	successor = 0;
	end_child(c);
	assert_int_equal(c->timer.heap_index, 1);
	on_supervisor_stop(&run);
	assert_int_equal(n_successors_stopped, 1);
}

static void a_process_is_started_unless_it_must_not(void **state)
{
	struct child *c = &run.children[CHILD_DNS];

	(void)state;
	fork_child(c); /* no document: nothing to answer */
	assert_int_equal(c->pid, 0);
	run.has_document = run.stopping = true;
	fork_child(c);
	assert_int_equal(c->pid, 0);
	run.stopping = false;
	fork_child(c);
	pid_t pid = c->pid;

	assert_true(pid > 0);
	assert_true(c->ours);
	assert_int_equal(c->started_ms, NOW);
	assert_int_equal(n_noted, 1);
	assert_int_equal(sockets.n_again + 10 * sockets.n_prepared, 11);
	fork_child(c); /* it runs */
	assert_int_equal(c->pid, pid);
	fork_child(&run.children[CHILD_MGMT]); /* which needs no sockets */
	assert_int_equal(sockets.n_again + 10 * sockets.n_prepared, 11);
}

static void what_cannot_be_watched_is_ended_and_tried_again(void **state)
{
	struct child *c = &run.children[CHILD_MGMT];

	(void)state;
	add_err = -ENOMEM;
	fork_child(c);
	assert_int_equal(c->pid, 0);
	assert_int_equal(n_sent, 1);
	assert_int_equal(sent[0].signo, SIGKILL);
	assert_int_equal(c->timer.at_ms, NOW + 5000);
	assert_int_equal(c->timer.heap_index, 1);
	assert_int_equal(n_noted, 0);
}

static void assert_asked(size_t n, const struct child *c)
{
	assert_int_equal(n_sent, n);
	assert_int_equal(sent[n - 1].pid, c->pid);
	assert_int_equal(sent[n - 1].signo, SIGTERM);
	assert_int_equal(c->limit.at_ms, now_of_loop + 5000);
	assert_int_equal(run.stop_timer.at_ms, now_of_loop + 8000);
	assert_int_equal(run.stop_timer.heap_index, 1);
}

/*
 * What changes things first, what serves last; who does not run is not waited for, and who does
 * not end neither.
 */
static void a_stop_goes_through_all_in_order(void **state)
{
	struct child *mgmt = begin_child(CHILD_MGMT), *dns = begin_child(CHILD_DNS),
	             *dataplane = begin_child(CHILD_DATAPLANE);

	(void)state;
	run.children[CHILD_HEALTH].timer.heap_index = 1; /* it would be started */
	on_supervisor_stop(&run);
	assert_int_equal(run.children[CHILD_HEALTH].timer.heap_index, 0);
	assert_asked(1, mgmt);
	on_supervisor_stop(&run); /* said twice */
	assert_int_equal(n_sent, 1);
	now_of_loop += 100;
	end_child(mgmt);
	assert_asked(2, dataplane);
	assert_int_equal(mgmt->timer.heap_index, 0);
	on_limit(dataplane);
	assert_int_equal(n_sent, 3);
	assert_int_equal(sent[2].pid, dataplane->pid);
	assert_int_equal(sent[2].signo, SIGKILL);
	now_of_loop += 100;
	on_stop_deadline(&run); /* it does not end */
	assert_asked(4, dns);
	assert_false(stopped);
	end_child(dns);
	assert_true(stopped);
	assert_int_equal(run.stop_timer.heap_index, 0);
	on_limit(dns); /* it has ended */
	assert_int_equal(n_sent, 4);
}

/* Whoever adds routes has ended, and whoever serves has not. */
static void a_stop_withdraws_dns_addresses_and_waits(void **state)
{
	struct child *announce = begin_child(CHILD_ANNOUNCE), *health = begin_child(CHILD_HEALTH),
	             *dns = begin_child(CHILD_DNS);

	(void)state;
	routes.had_some = true;
	run.withdraw_timer = (struct loop_timer){ .cb = on_withdrawn, .arg = &run };
	on_supervisor_stop(&run);
	assert_asked(1, announce);
	assert_int_equal(routes.n_withdrawn, 0);
	end_child(announce);
	assert_int_equal(routes.n_withdrawn, 1);
	assert_int_equal(run.withdraw_timer.at_ms, NOW + 1000);
	assert_int_equal(run.withdraw_timer.heap_index, 1);
	now_of_loop += 999;
	end_child(health); /* by itself: the others are not asked earlier */
	assert_int_equal(n_sent, 1);
	now_of_loop++;
	run.withdraw_timer.cb(run.withdraw_timer.arg);
	assert_asked(2, dns);
	end_child(dns);
	assert_true(stopped);
	assert_int_equal(routes.n_withdrawn, 1);
}

static void a_stop_without_dns_addresses_waits_for_nobody(void **state)
{
	struct child *dns = begin_child(CHILD_DNS);

	(void)state;
	on_supervisor_stop(&run);
	assert_int_equal(routes.n_withdrawn, 1);
	assert_asked(1, dns);
}

static void a_stop_with_nothing_running_ends_at_once(void **state)
{
	(void)state;
	on_supervisor_stop(&run);
	assert_true(stopped);
	assert_int_equal(n_sent, 0);
}

/* weir-dns must have lived for 3 s since, with what is extra, before sockets are closed. */
static void sockets_that_are_not_wanted_are_closed_in_time(void **state)
{
	static const struct {
		bool extra;
		uint64_t since_ms; /* extra sockets; 0: seen now */
		uint64_t lived_ms; /* weir-dns; 0: it does not run */
		bool trimmed;
		uint64_t again_ms; /* 0: not looked at again */
		uint64_t extra_ms; /* what is remembered */
	} rows[] = {
		{ false, NOW - 1, 5000, false, 0, 0 },
		{ true, 0, 5000, false, NOW + 3000, NOW },
		{ true, NOW - 2999, 5000, false, NOW + 3000, NOW - 2999 },
		{ true, NOW - 3000, 2999, false, NOW + 3000, NOW - 3000 },
		{ true, NOW - 3000, 0, false, NOW + 3000, NOW - 3000 },
		{ true, NOW - 3000, 3000, true, 0, NOW - 3000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		run.children[CHILD_DNS].pid = rows[i].lived_ms ? 12345 : 0;
		run.children[CHILD_DNS].started_ms = NOW - rows[i].lived_ms;
		run.sockets.extra_ms = rows[i].since_ms;
		run.sockets_timer = (struct loop_timer){ 0 };
		sockets.extra = rows[i].extra;
		sockets.trimmed = false;
		trim_sockets(&run);
		assert_int_equal(sockets.trimmed, rows[i].trimmed);
		assert_int_equal(run.sockets_timer.at_ms, rows[i].again_ms);
		assert_int_equal(run.sockets.extra_ms, rows[i].extra_ms);
	}
	run.children[CHILD_DNS].pid = 0;
}

static void write_document(const char *more)
{
	static char text[2048];

	snprintf(
	        text, sizeof(text),
	        "effective = { version = \"7\"; digest = \"\"; document = \"57\"; written = \"never\"; };\n"
	        "schema = 1; cluster = { name = \"shop\"; hash_key_file = \"/hash.key\"; hash_key_id = \"k1\"; };\n"
	        "sites = ( { name = \"ams\"; } ); dns = { threads = 3; };\n"
	        "nodes = ( { name = \"ams-1\"; site = \"ams\"; ports = ( { interface = \"eth1\"; } );"
	        " tunnel_source = [ \"10.1.255.0/24\" ]; dns_listen = [ \"192.0.2.53\", \"192.0.2.54\" ]; } );\n%s",
	        more);
	fixture_write(place.state, PROC_EFFECTIVE_FILE, text);
}

static void a_document_gives_weir_dns_its_sockets(void **state)
{
	static const struct {
		const char *end_text;
		bool changed, lack;
		int pass_err;
		bool restarts;
	} rows[] = {
		{ "as before", false, false, 0, false },
		{ "they can be passed", true, false, 0, false },
		{ "they cannot", true, false, -ENOTCONN, true },
		{ "nothing to pass", false, false, -ENOTCONN, false },
		{ "one cannot be opened", false, true, 0, false },
	};

	(void)state;
	write_document("");
	apply_document(&run); /* the first */
	assert_true(run.has_document);
	assert_int_equal(sockets.n_addresses, 2);
	assert_int_equal(sockets.n_threads, 3);

	struct child *dns = &run.children[CHILD_DNS];

	assert_true(dns->pid > 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		sockets.changed = rows[i].changed;
		sockets.lack = rows[i].lack;
		sockets.pass_err = rows[i].pass_err;
		n_sent = 0;
		run.sockets_timer = (struct loop_timer){ 0 };
		dns->must_restart = false;
		apply_document(&run);
		assert_int_equal(n_sent, rows[i].restarts);
		assert_int_equal(dns->must_restart, rows[i].restarts);
		assert_int_equal(run.sockets_timer.at_ms, rows[i].lack ? NOW + 5000 : 0);
		if (rows[i].restarts)
			assert_int_equal(sent[0].signo, SIGTERM);
	}
}

/* For want of a descriptor: without another try weir-dns would wait for the next document. Twice. */
static void a_document_that_cannot_be_read_now_is_read_again(void **state)
{
	struct rlimit before, none;

	(void)state;
	write_document("");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	for (int life = 0; life < 2; life++) {
		run.has_document = false;
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
		apply_document(&run);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
		assert_false(run.has_document);
		assert_int_equal(run.sockets_timer.at_ms, NOW + 5000);
		run.sockets_timer = (struct loop_timer){ 0 };
		apply_document(&run);
		assert_true(run.has_document);
		assert_int_equal(run.sockets_timer.at_ms, 0);
	}
}

static void what_is_no_document_for_this_node_changes_nothing(void **state)
{
	(void)state;
	apply_document(&run); /* there is none */
	fixture_write(place.state, PROC_EFFECTIVE_FILE, "schema = ");
	apply_document(&run);
	write_document("");
	snprintf(dirs.node, sizeof(dirs.node), "fra-1");
	apply_document(&run);
	snprintf(dirs.node, sizeof(dirs.node), "ams-1");
	run.stopping = true;
	apply_document(&run);
	assert_false(run.has_document);
	assert_int_equal(sockets.n_addresses, 0);
	assert_int_equal(run.children[CHILD_DNS].pid, 0);
}

static void a_hang_up_reaches_only_who_takes_it(void **state)
{
	(void)state;
	begin_child(CHILD_MGMT);
	begin_child(CHILD_HEALTH);
	takes_signal = run.children[CHILD_HEALTH].pid;
	write_document("");
	on_hup(&run);
	assert_int_equal(n_sent, 1);
	assert_int_equal(sent[0].pid, takes_signal);
	assert_int_equal(sent[0].signo, SIGHUP);
	assert_true(run.has_document);
}

static void what_another_supervisor_left_is_gone_on_with(void **state)
{
	(void)state;
	write_document("");
	found[CHILD_HEALTH] = fake_fork();
	found[CHILD_DNS] = fake_fork();
	adopt_children(&run);
	apply_document(&run);
	assert_int_equal(run.children[CHILD_HEALTH].pid, found[CHILD_HEALTH]);
	assert_false(run.children[CHILD_HEALTH].ours);
	assert_int_equal(run.children[CHILD_DNS].pid, found[CHILD_DNS]);
	assert_int_equal(run.children[CHILD_MGMT].pid, 0);
	assert_true(run.has_document);
	assert_int_equal(sockets.n_addresses, 2);
	assert_int_equal(n_sent, 0);
}

/*
 * A name server goes on with the sockets of the document of this node, also where that can be read only later; it is
 * started again if they cannot be had.
 */
static void a_name_server_without_known_sockets_is_renewed(void **state)
{
	static const struct {
		const char *end_text, *node,
		        *document; /* "": as this node's are; NULL: there is none */
		int take_err;
		bool is_kept;
		size_t n_addresses; /* asked for */
	} rows[] = {
		{ "all is there", "ams-1", "", 0, true, 2 },
		{ "its sockets cannot be had", "ams-1", "", -EPERM, false, 2 },
		{ "another node's document", "fra-1", "", 0, true, 0 },
		{ "a damaged document", "ams-1", "schema = ", 0, true, 0 },
		{ "no document", "ams-1", NULL, 0, true, 0 },
	};
	struct child *dns = &run.children[CHILD_DNS];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		tear_down(state);
		assert_int_equal(set_up(state), 0);
		snprintf(dirs.node, sizeof(dirs.node), "%s", rows[i].node);
		if (rows[i].document && *rows[i].document)
			fixture_write(place.state, PROC_EFFECTIVE_FILE, rows[i].document);
		else if (rows[i].document)
			write_document("");
		sockets.take_err = rows[i].take_err;
		found[CHILD_DNS] = fake_fork();
		adopt_children(&run);
		apply_document(&run);
		if (run.has_document != (rows[i].n_addresses > 0) || n_sent != !rows[i].is_kept ||
		    sockets.n_addresses != rows[i].n_addresses)
			fail_msg("%s: %zu requests to end, %zu addresses", rows[i].end_text,
			         (size_t)n_sent, sockets.n_addresses);
		assert_int_equal(dns->must_restart, !rows[i].is_kept);
		assert_int_equal(dns->limit.at_ms, rows[i].is_kept ? 0 : NOW + 5000);
		if (rows[i].is_kept) {
			snprintf(dirs.node, sizeof(dirs.node), "ams-1");
			write_document("");
			apply_document(&run);
			assert_true(run.has_document);
			assert_int_equal(sockets.n_addresses, 2);
			assert_int_equal(n_sent, 0);
			continue;
		}
		assert_int_equal(sent[0].pid, found[CHILD_DNS]);
		assert_int_equal(sent[0].signo, SIGTERM);
	}
}

static void programs_are_looked_for_beside_it_or_where_it_is_told(void **state)
{
	static const char *const names[CHILD_COUNT] = { "mgmt", "dataplane", "health", "dns",
		                                        "announce" };
	char bin[PATH_MAX], path[PATH_MAX], expected[2 * PATH_MAX], name[32];

	(void)state;
	assert_int_equal(setenv("WEIR_BIN_DIR", place.root, 1), 0);
	assert_int_equal(find_bin(run.bin), 0);
	assert_string_equal(run.bin, place.root);
	assert_int_equal(unsetenv("WEIR_BIN_DIR"), 0);
	assert_int_equal(find_bin(bin), 0);
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	assert_true(n > 0);
	path[n] = '\0';
	*strrchr(path, '/') = '\0';
	assert_string_equal(bin, path);
	for (int i = 0; i < CHILD_ANNOUNCE; i++) {
		end_text[0] = '\0';
		assert_int_equal(check_programs(&run, end_text), RUN_END_FAILED);
		snprintf(
		        expected, sizeof(expected),
		        "%s/weir-%s cannot be run: No such file or directory; install all programs of Weir in one "
		        "directory, or name it in WEIR_BIN_DIR",
		        place.root, names[i]);
		assert_string_equal(end_text, expected);
		snprintf(name, sizeof(name), "weir-%s", names[i]);
		fixture_write(place.root, name, "");
		snprintf(path, sizeof(path), "%s/weir-%s", place.root, names[i]);
		assert_int_equal(chmod(path, 0755), 0);
	}
	assert_int_equal(check_programs(&run, end_text), RUN_END_OK);
}

static void announcements_start_once_a_routing_daemon_is_named(void **state)
{
	struct child *c = &run.children[CHILD_ANNOUNCE];

	(void)state;
	fork_child(c);
	assert_int_equal(c->pid, 0);
	run.announces = true;
	fork_child(c);
	assert_true(c->pid > 0);
}

static void who_has_the_lock_is_said_with_what_to_do(void **state)
{
	char path[PATH_MAX], expected[2 * PATH_MAX];
	int held;

	(void)state;
	assert_int_equal(acquire_lock(&run, false, end_text), RUN_END_OK);
	close(run.lock_fd);
	snprintf(path, sizeof(path), "%s/run.lock", place.root);
	assert_int_equal(lock_acquire(path, &held), 0);
	assert_int_equal(acquire_lock(&run, false, end_text), RUN_END_BUSY);
	snprintf(expected, sizeof(expected),
	         "another weir run uses %s; stop it (weir run --stop) or give "
	         "another --run-dir",
	         place.root);
	assert_string_equal(end_text, expected);
	close(held);
	end_text[0] = '\0';
	stop_other_err = -EBUSY;
	assert_int_equal(acquire_lock(&run, true, end_text), RUN_END_BUSY);
	snprintf(expected, sizeof(expected),
	         "the weir run that uses %s does not end; its log says why", place.root);
	assert_string_equal(end_text, expected);
	end_text[0] = '\0';
	stop_other_err = -EACCES;
	assert_int_equal(acquire_lock(&run, true, end_text), RUN_END_DENIED);
	snprintf(expected, sizeof(expected),
	         "%s cannot be locked: Permission denied; run the command as root", place.root);
	assert_string_equal(end_text, expected);
	end_text[0] = '\0';
	stop_other_err = -ENOSPC;
	assert_int_equal(acquire_lock(&run, true, end_text), RUN_END_WRONG);
	snprintf(expected, sizeof(expected), "%s cannot be locked: No space left on device",
	         place.root);
	assert_string_equal(end_text, expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_dies_is_started_later_and_later, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(a_death_is_noted_unless_it_was_wanted, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(with_a_successor_nothing_is_started, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(a_process_is_started_unless_it_must_not, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(what_cannot_be_watched_is_ended_and_tried_again,
		                                set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_stop_goes_through_all_in_order, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(a_stop_withdraws_dns_addresses_and_waits, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(a_stop_without_dns_addresses_waits_for_nobody,
		                                set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_stop_with_nothing_running_ends_at_once, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(sockets_that_are_not_wanted_are_closed_in_time,
		                                set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_document_gives_weir_dns_its_sockets, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(a_document_that_cannot_be_read_now_is_read_again,
		                                set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_no_document_for_this_node_changes_nothing,
		                                set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_hang_up_reaches_only_who_takes_it, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(what_another_supervisor_left_is_gone_on_with,
		                                set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_name_server_without_known_sockets_is_renewed,
		                                set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		        programs_are_looked_for_beside_it_or_where_it_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(announcements_start_once_a_routing_daemon_is_named,
		                                set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_has_the_lock_is_said_with_what_to_do, set_up,
		                                tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
