/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets of weir-dns: what is bound before rights are dropped, what an operator reads of a
 * failure, and what goes on.
 */
#include "tests/unit/dns/listen_scene.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/*
 * With rights, and without a supervisor, what the document names is bound at once: two threads,
 * two addresses.
 */
static void what_needs_rights_is_bound_before_they_are_dropped(void **state)
{
	static const struct {
		const char *why;
		uid_t user;
		const char *held, *node;
		unsigned n;
	} cases[] = {
		{ "root, alone", 0, NULL, "a", 8 },
		{ "no rights: there is no hurry", 1, NULL, "a", 0 },
		{ "UDP is held for us", 0, "dns-udp-0", "a", 0 },
		{ "TCP is held for us", 0, "dns-tcp-0", "a", 0 },
		{ "no document", 0, NULL, NULL, 0 },
		{ "this node is none of the document's", 0, NULL, "b", 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		print_message("  %s\n", cases[i].why);
		user = cases[i].user;
		be_supervised(cases[i].held ? cases[i].held : "none");
		if (cases[i].node)
			write_document(cases[i].node, wanted, 2);
		else
			unlink(DIR_ "/" PROC_EFFECTIVE_FILE);
		listen_early(&s);
		assert_int_equal(s.n_early, cases[i].n);
		for (unsigned k = 0; k < s.n_early; k++) /* by address, kind and thread */
			assert_true(handed_is_bound(s.early[k], &wanted[k / 4], kinds[k / 2 % 2]));
		close_listen(); /* closes them, too */
		assert_int_equal(s.n_early, 0);
		assert_int_equal(count_fds(), n_fds_before);
	}
}

/*
 * The first of an address fails: its other threads have none either; other kinds and addresses
 * have theirs.
 */
static void what_cannot_be_bound_early_is_left_for_later(void **state)
{
	(void)state;
	m.dns_threads = 2;
	write_document("a", wanted, 2);
	bind_fails = (struct failure){ 2, EADDRINUSE }; /* TCP of the first address */
	listen_early(&s);
	assert_int_equal(s.n_early, 6);
	assert_true(handed_is_bound(s.early[1], &wanted[0], SOCK_DGRAM));
	assert_true(handed_is_bound(s.early[2], &wanted[1], SOCK_DGRAM));
	assert_string_equal(logged, ""); /* it is tried again, and told then */
	int udp = s.early[1], tcp = s.early[5];

	update_listen();
	assert_int_equal(s.listens[0].fds[0][1], udp);
	assert_int_equal(s.listens[1].fds[1][1], tcp);
	assert_int_equal(s.listens[0].n[1], 2); /* these were bound now */
	assert_int_equal(count_fds(), n_fds_before + 8);
}

/*
 * What the log says when bind() fails for socket @p after of two threads of one address: UDP's
 * two, then TCP's.
 */
static void a_failure_is_told_with_what_to_do(void **state)
{
	static const struct {
		unsigned after;
		int error;
		const char *parts[5];
		bool again;
	} cases[] = {
		{ 0,
		  EADDRINUSE,
		  { "<3>dns-listen-failed ", "address=127.0.0.1 port=5398 transport=udp",
		    "Address already in use", "another server uses the port: ss -lnutp" },
		  true },
		{ 2,
		  EACCES,
		  { "<3>dns-listen-failed ", "address=127.0.0.1 port=5398 transport=tcp",
		    "Permission denied", "hint=\"\"" },
		  true },
		{ 1,
		  EACCES,
		  { "<4>dns-thread-socket-failed ", "address=127.0.0.1 port=5398 transport=udp n=1",
		    "Permission denied", "weir run" },
		  false },
		{ 3,
		  EADDRINUSE,
		  { "<4>dns-thread-socket-failed ", "transport=tcp n=1", "already in use" },
		  false },
	};

	(void)state;
	want_addresses(1);
	m.dns_threads = 2;
	for (size_t i = 0; i < COUNT(cases); i++) {
		logged[0] = '\0';
		bind_fails = (struct failure){ cases[i].after, cases[i].error };
		update_listen();
		for (unsigned k = 0; k < 5 && cases[i].parts[k]; k++)
			if (!strstr(logged, cases[i].parts[k]))
				fail_msg("no \"%s\" in: %s", cases[i].parts[k], logged);
		char *once = strstr(logged, cases[i].parts[0]);

		assert_null(strstr(once + strlen(cases[i].parts[0]), "-failed "));
		assert_int_equal(s.again_ms, cases[i].again ? simulated.now_ms + AGAIN_MS : 0);
		assert_int_equal(s.n_threads, 2); /* the other kind has two */
		close_listen();
		assert_int_equal(count_fds(), n_fds_before);
	}
}

/* One of two could not be started, or ended and could not be started again. Twice. */
static void a_thread_that_lacks_is_tried_again(void **state)
{
	(void)state;
	m.dns_threads = 2;
	want_addresses(1);
	for (unsigned life = 0; life < 2; life++) {
		n_lacking = WORKERS_MAX - 1;
		update_listen();
		tick_listen(simulated.now_ms);
		assert_int_equal(s.n_threads, 1);
		assert_int_equal(s.again_ms, simulated.now_ms + AGAIN_MS);
		n_lacking = 0;
		(void)count_plans();
		simulated.now_ms += AGAIN_MS;
		tick_listen(simulated.now_ms);
		assert_int_equal(count_plans(), 1);
		assert_int_equal(s.n_threads, 2);
		tick_listen(simulated.now_ms += AGAIN_MS);
		assert_int_equal(s.again_ms, 0);
		assert_int_equal(count_plans(), 0);
		s.n_threads = 1; /* it ended */
		tick_listen(simulated.now_ms);
		tick_listen(simulated.now_ms += AGAIN_MS);
		assert_int_equal(s.n_threads, 2);
		workers_stop(&s);
	}
}

static void there_are_as_many_threads_as_some_address_has_sockets(void **state)
{
	(void)state;
	m.dns_threads = 3;
	want_addresses(1);
	hold_sockets(0, 1); /* the supervisor will open more: until then one thread is enough */
	hold_sockets(1, 1);
	update_listen();
	assert_int_equal(s.n_threads, 1);
	assert_null(strstr(logged, "failed"));
	assert_int_equal(s.again_ms, 0);
	want_addresses(2); /* another address, of our own, has three */
	update_listen();
	assert_int_equal(s.n_threads, 3);
	assert_true(s.listens[0].n[0] == 1 && s.listens[1].n[0] == 3 && s.listens[1].n[1] == 3);
	want_addresses(0);
	update_listen();
	assert_int_equal(s.n_threads, 1); /* never none */
}

static void what_is_handed_down_later_is_taken_beside_the_first(void **state)
{
	(void)state;
	m.dns_threads = 2;
	want_addresses(1);
	hold_sockets(0, 1);
	hold_sockets(1, 1);
	update_listen();
	int first = s.listens[0].fds[0][0];

	for (unsigned kind = 0; kind < 2; kind++)
		hold_socket(kind, 1);
	update_listen();
	assert_int_equal(s.listens[0].fds[0][0], first);
	assert_true(s.listens[0].n[0] == 2 && s.listens[0].n[1] == 2);
	assert_int_equal(s.n_threads, 2);
}

static void a_group_that_cannot_be_steered_is_told_and_served(void **state)
{
	(void)state;
	want_addresses(1);
	steer_fails = (struct failure){ 1, EPERM };
	update_listen();
	assert_non_null(strstr(logged, "<4>dns-steering-failed transport=tcp "
	                               "error=\"Operation not permitted\"\n"));
	assert_true(s.listens[0].n[0] == 1 && s.listens[0].n[1] == 1);
}

static void threads_are_chosen_for_the_cpus_that_are_allowed(void **state)
{
	(void)state;
	m.dns_threads = 0;
	n_cpus = 3;
	update_listen();
	assert_int_equal(s.n_configured, 3);
	n_cpus = -1;
	update_listen();
	assert_int_equal(s.n_configured, 1);
}

static void one_address_goes_and_the_others_keep_their_sockets(void **state)
{
	(void)state;
	want_addresses(4);
	update_listen();
	for (unsigned gone = 0; gone < 4; gone++) {
		struct addr kept[4] = { wanted[0], wanted[1], wanted[2], wanted[3] };
		int fds[4];

		for (unsigned i = 0; i < 4; i++)
			fds[i] = listen_of(&kept[i])->fds[1][0];
		wanted[gone] = kept[3]; /* the last moves into its place */
		want_addresses(3);
		update_listen();
		assert_int_equal(s.n_listens, 3);
		for (unsigned i = 0; i < 4; i++)
			assert_true(i == gone || listen_of(&kept[i])->fds[1][0] == fds[i]);
		assert_int_equal(count_fds(), n_fds_before + 6);
		memcpy(wanted, kept, sizeof(kept));
		want_addresses(4);
		update_listen();
	}
}

/* What the page says of addresses: "1 " and so on, by their last byte. */
static const char *said_of(void)
{
	static char text[64];
	struct stats_reader *r;
	unsigned last;

	text[0] = '\0';
	assert_int_equal(stats_reader_open(DIR_, "dns", &r), 0);
	for (size_t i = 0; i < stats_reader_n(r); i++) {
		const struct stats_entry *e = stats_reader_entry(r, i);

		if (e->used && !strcmp(e->name, STATS_LISTENING) &&
		    sscanf(e->labels, "address=\"127.0.0.%u\"", &last) == 1)
			sprintf(text + strlen(text), "%u ", last);
	}
	stats_reader_close(r);
	return text;
}

/* Of an address that goes nothing is said any more, wherever it stands. */
static void what_was_said_of_an_address_goes_with_it(void **state)
{
	(void)state;
	assert_int_equal(counters_open(&s.counters, DIR_), 0);
	for (unsigned life = 0; life < 2; life++) {
		want_addresses(3);
		for (unsigned i = 0; i < 3; i++) {
			char labels[STATS_ADDRESS_MAX];

			stats_address_labels(&wanted[i], labels);
			(void)stats_get_counter(s.counters.stats, STATS_GAUGE, STATS_LISTENING,
			                        labels, "");
		}
		update_listen();
		assert_string_equal(said_of(), "1 2 3 ");
		want_addresses(1);
		update_listen();
		assert_string_equal(said_of(), "1 ");
	}
	m.self = NULL; /* this node is not in the document */
	update_listen();
	assert_string_equal(said_of(), "");
	workers_stop(&s);
	counters_close(&s.counters);
}

/* Queries are for addresses of a document, and with a socket of each kind. */
static void only_what_is_served_is_asked(void **state)
{
	(void)state;
	want_addresses(1);
	update_listen();
	s.n_threads = 0;
	s.now = NULL;
	tick_listen(simulated.now_ms);
	assert_int_equal(s.listens[0].own.fd, -1);
	assert_int_equal(s.again_ms, 0); /* nor is a thread missed */
	s.now = &g;
	s.n_threads = 1;
	for (unsigned kind = 0; kind < 2; kind++) {
		s.listens[0].n[kind] = 0;
		tick_listen(simulated.now_ms);
		assert_int_equal(s.listens[0].own.fd, -1);
		s.listens[0].n[kind] = 1;
	}
	tick_listen(simulated.now_ms);
	assert_true(s.listens[0].own.fd >= 0);
}

/* Sockets that nobody has passed are drained at once, also soon after the boot. */
static void drained_sockets_wait_for_a_document_only_if_they_were_passed(void **state)
{
	static const struct {
		uint64_t now_ms, passed_ms, drain_ms;
	} cases[] = {
		{ 500, 0, 1500 },          { 500, 100, 60100 },       { 100000, 99000, 159000 },
		{ 100000, 41000, 101000 }, { 100000, 41001, 101001 }, { 100000, 5, 101000 },
	};
	uint64_t before_ms = simulated.now_ms;

	(void)state;
	m.dns_threads = 2;
	update_listen();
	m.dns_threads = 1;
	for (size_t i = 0; i < COUNT(cases); i++) {
		simulated.now_ms = cases[i].now_ms;
		s.passed_ms = cases[i].passed_ms;
		update_listen();
		assert_int_equal(s.drain_ms, cases[i].drain_ms);
	}
	simulated.now_ms = before_ms;
}

static void an_address_too_many_is_told(void **state)
{
	(void)state;
	want_addresses(SERVER_SOCKETS_MAX);
	update_listen();
	assert_null(strstr(logged, "failed"));
	want_addresses(SERVER_SOCKETS_MAX + 1);
	update_listen();
	assert_non_null(strstr(logged, "<3>dns-listen-failed error=\"more than 64 addresses\"\n"));
}

/* Sockets of several addresses are drained at once, each to as many as are wanted. */
static void all_addresses_are_drained_together(void **state)
{
	(void)state;
	m.dns_threads = 4;
	want_addresses(3);
	update_listen();
	m.dns_threads = 2;
	update_listen();
	s.passed_ms = simulated.now_ms;
	note_answers();
	tick_listen(simulated.now_ms + DRAIN_MS);
	for (unsigned i = 0; i < 3; i++)
		assert_true(s.listens[i].n[0] == 2 && s.listens[i].n[1] == 2);
	assert_int_equal(count_fds(), n_fds_before + 12);
	assert_int_equal(s.n_threads, 2);
	(void)count_plans();
	tick_listen(simulated.now_ms + 10 * DRAIN_MS); /* once */
	assert_int_equal(count_plans(), 0);
}

/* What the supervisor holds goes with our own, each of its place: those that stay are held on. */
static void what_is_drained_is_given_back_by_its_place(void **state)
{
	(void)state;
	m.dns_threads = 3;
	want_addresses(1);
	hold_sockets(0, 3);
	hold_sockets(1, 3);
	update_listen();
	m.dns_threads = 1;
	update_listen();
	tick_listen(s.drain_ms);
	for (unsigned kind = 0; kind < 2; kind++) {
		assert_true(is_held(kind, 0));
		assert_false(is_held(kind, 1) || is_held(kind, 2));
	}
	want_addresses(0); /* the address itself goes */
	update_listen();
	assert_false(is_held(0, 0) || is_held(1, 0));
}

static void stop_loop(void *arg)
{
	loop_stop(arg);
}

/* Let the loop have a turn: all that waits on the channel is taken. */
static void run_turn(void)
{
	struct loop_timer t = { .cb = stop_loop, .arg = s.loop };

	assert_int_equal(loop_timer_set(s.loop, &t, simulated.now_ms), 0);
	assert_int_equal(loop_run(s.loop), 0);
}

/* The supervisor passes @p fd for TCP of thread 1. */
static void pass_socket(int channel, int fd)
{
	static char name[] = "dns-tcp-0-1";
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec part = { name, strlen(name) };
	struct msghdr message = { .msg_iov = &part,
		                  .msg_iovlen = 1,
		                  .msg_control = control.bytes,
		                  .msg_controllen = sizeof(control.bytes) };

	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	assert_int_equal(sendmsg(channel, &message, 0), strlen(name));
}

/* Once there is a document, sockets that have come are opened at once; the channel ends once. */
static void sockets_that_come_later_are_opened_at_once(void **state)
{
	static const struct {
		const char *why;
		unsigned n;
		bool loaded, ends;
	} cases[] = {
		{ "before the first document", 3, false, false },
		{ "with a document", 3, true, false },
		{ "none", 0, true, false },
		{ "the supervisor has gone", 0, true, true },
		{ "gone after a socket", 1, true, true },
	};

	(void)state;
	update_listen();
	be_supervised(HELD_NAMES);
	assert_int_equal(listen_watch(&s), 0); /* alone: there is nothing to watch */
	run_turn();
	be_supervised(HELD_NAMES ":weir-more");
	for (size_t i = 0; i < COUNT(cases); i++) {
		bool taken = cases[i].n && cases[i].loaded;
		int ends[2];

		print_message("  %s\n", cases[i].why);
		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
		assert_int_equal(dup3(ends[1], CHANNEL, O_CLOEXEC), CHANNEL);
		close(ends[1]);
		renew_loop();
		assert_int_equal(listen_watch(&s), 0);
		s.now = cases[i].loaded ? &g : NULL;
		s.passed_ms = s.drain_ms = 0;
		(void)count_plans();
		for (unsigned k = 0; k < cases[i].n; k++)
			pass_socket(ends[0], HELD_FD(0, 0));
		if (cases[i].ends)
			close(ends[0]);
		simulated.now_ms++;
		run_turn();
		run_turn();
		assert_int_equal(loop_fd_set(s.loop, CHANNEL, EPOLLIN),
		                 cases[i].ends ? -ENOENT : 0);
		assert_int_equal(count_plans(), taken);
		/* a document that names all of them has ended their time */
		assert_int_equal(s.passed_ms,
		                 cases[i].n && !cases[i].loaded ? simulated.now_ms : 0);
		loop_fd_remove(s.loop, CHANNEL);
		if (!cases[i].ends)
			close(ends[0]);
	}
}

SUITE(listen_edges)
{
	const struct CMUnitTest tests[] = {
		WITH(what_needs_rights_is_bound_before_they_are_dropped),
		WITH(what_cannot_be_bound_early_is_left_for_later),
		WITH(a_failure_is_told_with_what_to_do),
		WITH(a_thread_that_lacks_is_tried_again),
		WITH(there_are_as_many_threads_as_some_address_has_sockets),
		WITH(what_is_handed_down_later_is_taken_beside_the_first),
		WITH(a_group_that_cannot_be_steered_is_told_and_served),
		WITH(threads_are_chosen_for_the_cpus_that_are_allowed),
		WITH(one_address_goes_and_the_others_keep_their_sockets),
		WITH(what_was_said_of_an_address_goes_with_it),
		WITH(only_what_is_served_is_asked),
		WITH(drained_sockets_wait_for_a_document_only_if_they_were_passed),
		WITH(an_address_too_many_is_told),
		WITH(all_addresses_are_drained_together),
		WITH(what_is_drained_is_given_back_by_its_place),
		WITH(sockets_that_come_later_are_opened_at_once),
	};

	answer_bind = own_bind;
	simulated_clock();
	answer_geteuid = own_geteuid;
	answer_pthread_create = own_pthread_create;
	answer_pthread_join = own_pthread_join;
	answer_sched_getaffinity = own_sched_getaffinity;
	answer_setsockopt = own_setsockopt;
	logged_begin();
	if (geteuid())
		return 77;
	return cmocka_run_group_tests_name("dns listen edges", tests, enter_space, NULL);
}
