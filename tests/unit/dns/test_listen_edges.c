/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets of weir-dns: what is bound before rights are dropped, what an operator reads of a
 * failure, and what goes on.
 */
#include "tests/unit/dns/listen_scene.h"

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
		const char *held;
		int result;
		bool no_self;
		unsigned n;
	} cases[] = {
		{ "root, alone", 0, NULL, 0, false, 8 },
		{ "no rights: there is no hurry", 1, NULL, 0, false, 0 },
		{ "UDP is held for us", 0, "dns-udp-0", 0, false, 0 },
		{ "TCP is held for us", 0, "dns-tcp-0", 0, false, 0 },
		{ "no document", 0, NULL, -ENOENT, false, 0 },
		{ "this node is none of the document's", 0, NULL, 0, true, 0 },
	};

	(void)state;
	n_configured = 2;
	for (size_t i = 0; i < COUNT(cases); i++) {
		print_message("  %s\n", cases[i].why);
		early.user = cases[i].user;
		early.held = cases[i].held;
		early.result = cases[i].result;
		early.n_freed = 0;
		m.self = cases[i].no_self ? NULL : &self;
		listen_early(&s);
		assert_int_equal(s.n_early, cases[i].n);
		assert_int_equal(early.n_freed,
		                 !cases[i].user && !cases[i].held && !cases[i].result);
		for (unsigned k = 0; k < s.n_early; k++) /* by address, kind and thread */
			assert_true(handed_is_bound(s.early[k], &wanted[k / 4], kinds[k / 2 % 2]));
		close_early_sockets(&s);
		assert_int_equal(s.n_early, 0);
		assert_int_equal(count_fds(), n_fds_before);
	}
}

static void as_many_addresses_are_bound_early_as_are_served(void **state)
{
	(void)state;
	want_addresses(SERVER_SOCKETS_MAX + 1);
	listen_early(&s);
	assert_int_equal(s.n_early, 2 * SERVER_SOCKETS_MAX);
	listen_close(&s); /* closes them, too */
	assert_int_equal(count_fds(), n_fds_before);
}

/*
 * The first of an address fails: its other threads have none either; other kinds and addresses
 * have theirs.
 */
static void what_cannot_be_bound_early_is_left_for_later(void **state)
{
	(void)state;
	n_configured = 2;
	bind_fails = (struct failure){ 2, EADDRINUSE }; /* TCP of the first address */
	listen_early(&s);
	assert_int_equal(s.n_early, 6);
	assert_true(handed_is_bound(s.early[1], &wanted[0], SOCK_DGRAM));
	assert_true(handed_is_bound(s.early[2], &wanted[1], SOCK_DGRAM));
	assert_string_equal(logged, ""); /* it is tried again, and told then */
	int udp = s.early[1], tcp = s.early[5];

	listen_update(&s);
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
		  { "3 dns-listen-failed ", "address=127.0.0.1 port=5398 transport=udp",
		    "Address already in use", "another server uses the port: ss -lnutp" },
		  true },
		{ 2,
		  EACCES,
		  { "3 dns-listen-failed ", "address=127.0.0.1 port=5398 transport=tcp",
		    "Permission denied", "hint=\"\"" },
		  true },
		{ 1,
		  EACCES,
		  { "4 dns-thread-socket-failed ", "address=127.0.0.1 port=5398 transport=udp n=1",
		    "Permission denied", "weir run" },
		  false },
		{ 3,
		  EADDRINUSE,
		  { "4 dns-thread-socket-failed ", "transport=tcp n=1", "already in use" },
		  false },
	};

	(void)state;
	want_addresses(1);
	n_configured = 2;
	for (size_t i = 0; i < COUNT(cases); i++) {
		logged[0] = '\0';
		bind_fails = (struct failure){ cases[i].after, cases[i].error };
		listen_update(&s);
		for (unsigned k = 0; k < 5 && cases[i].parts[k]; k++)
			if (!strstr(logged, cases[i].parts[k]))
				fail_msg("no \"%s\" in: %s", cases[i].parts[k], logged);
		assert_ptr_equal(strchr(logged, '\n'), logged + strlen(logged) - 1); /* once */
		assert_int_equal(s.again_ms, cases[i].again ? at_ms + AGAIN_MS : 0);
		assert_int_equal(n_crew, 2); /* the other kind has two */
		listen_close(&s);
		assert_int_equal(count_fds(), n_fds_before);
	}
}

/* One of two could not be started, or ended and could not be started again. Twice. */
static void a_thread_that_lacks_is_tried_again(void **state)
{
	(void)state;
	n_configured = 2;
	want_addresses(1);
	for (unsigned life = 0; life < 2; life++) {
		unsigned n_calls;

		n_lacking = 1;
		listen_update(&s);
		listen_tick(&s, at_ms);
		assert_int_equal(s.again_ms, at_ms + AGAIN_MS);
		n_lacking = 0;
		n_calls = n_crew_calls;
		at_ms += AGAIN_MS;
		listen_tick(&s, at_ms);
		assert_int_equal(n_crew_calls, n_calls + 1);
		assert_int_equal(s.n_threads, 2);
		listen_tick(&s, at_ms += AGAIN_MS);
		assert_int_equal(s.again_ms, 0);
		assert_int_equal(n_crew_calls, n_calls + 1);
		s.n_threads = 1; /* it ended */
		listen_tick(&s, at_ms);
		listen_tick(&s, at_ms += AGAIN_MS);
		assert_int_equal(s.n_threads, 2);
	}
}

static void there_are_as_many_threads_as_some_address_has_sockets(void **state)
{
	(void)state;
	n_configured = 3;
	want_addresses(1);
	hold_sockets(0, 1); /* the supervisor will open more: until then one thread is enough */
	hold_sockets(1, 1);
	listen_update(&s);
	assert_int_equal(n_crew, 1);
	assert_string_equal(logged, "");
	assert_int_equal(s.again_ms, 0);
	want_addresses(2); /* another address, of our own, has three */
	listen_update(&s);
	assert_int_equal(n_crew, 3);
	assert_true(s.listens[0].n[0] == 1 && s.listens[1].n[0] == 3 && s.listens[1].n[1] == 3);
	want_addresses(0);
	listen_update(&s);
	assert_int_equal(n_crew, 1); /* never none */
}

static void what_is_handed_down_later_is_taken_beside_the_first(void **state)
{
	(void)state;
	n_configured = 2;
	want_addresses(1);
	hold_sockets(0, 1);
	hold_sockets(1, 1);
	listen_update(&s);
	int first = s.listens[0].fds[0][0];

	for (unsigned kind = 0; kind < 2; kind++)
		held[kind][1] = bind_own(&wanted[0], PORT, kinds[kind], false);
	listen_update(&s);
	assert_int_equal(s.listens[0].fds[0][0], first);
	assert_true(s.listens[0].n[0] == 2 && s.listens[0].n[1] == 2);
	assert_int_equal(n_crew, 2);
}

static void a_group_that_cannot_be_steered_is_told_and_served(void **state)
{
	(void)state;
	want_addresses(1);
	steer_fails = (struct failure){ 1, EPERM };
	listen_update(&s);
	assert_string_equal(logged, "4 dns-steering-failed transport=tcp "
	                            "error=\"Operation not permitted\"\n");
	assert_true(s.listens[0].n[0] == 1 && s.listens[0].n[1] == 1);
}

static void threads_are_chosen_for_the_cpus_that_are_allowed(void **state)
{
	cpu_set_t allowed;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
	listen_update(&s);
	assert_int_equal(n_allowed, CPU_COUNT(&allowed));
	affinity_fails.error = EINVAL; /* more CPUs than the set has room for: not known */
	listen_update(&s);
	assert_int_equal(n_allowed, 0);
	assert_int_equal(s.n_configured, 1);
}

static void one_address_goes_and_the_others_keep_their_sockets(void **state)
{
	(void)state;
	want_addresses(4);
	listen_update(&s);
	for (unsigned gone = 0; gone < 4; gone++) {
		struct addr kept[4] = { wanted[0], wanted[1], wanted[2], wanted[3] };
		int fds[4];

		for (unsigned i = 0; i < 4; i++)
			fds[i] = find_listen(&s, &kept[i])->fds[1][0];
		wanted[gone] = kept[3]; /* the last moves into its place */
		want_addresses(3);
		listen_update(&s);
		assert_int_equal(s.n_listens, 3);
		for (unsigned i = 0; i < 4; i++)
			assert_true(i == gone || find_listen(&s, &kept[i])->fds[1][0] == fds[i]);
		assert_int_equal(count_fds(), n_fds_before + 6);
		memcpy(wanted, kept, sizeof(kept));
		want_addresses(4);
		listen_update(&s);
	}
}

/* Of an address that goes nothing is said any more, wherever it stands. */
static void what_was_said_of_an_address_goes_with_it(void **state)
{
	(void)state;
	s.counters.stats = (void *)&s; /* there is a page */
	for (unsigned life = 0; life < 2; life++) {
		want_addresses(3);
		listen_update(&s);
		assert_string_equal(dropped, "");
		want_addresses(1);
		listen_update(&s);
		assert_string_equal(dropped, "address=\"127.0.0.3\" address=\"127.0.0.2\" ");
		dropped[0] = '\0';
	}
	m.self = NULL; /* this node is not in the document */
	listen_update(&s);
	assert_string_equal(dropped, "address=\"127.0.0.1\" ");
	s.counters.stats = NULL;
}

/* Queries are for addresses of a document, and with a socket of each kind. */
static void only_what_is_served_is_asked(void **state)
{
	(void)state;
	want_addresses(1);
	listen_update(&s);
	s.n_threads = 0;
	s.now = NULL;
	listen_tick(&s, at_ms);
	assert_int_equal(s.listens[0].own.fd, -1);
	assert_int_equal(s.again_ms, 0); /* nor is a thread missed */
	s.now = &g;
	s.n_threads = 1;
	for (unsigned kind = 0; kind < 2; kind++) {
		s.listens[0].n[kind] = 0;
		listen_tick(&s, at_ms);
		assert_int_equal(s.listens[0].own.fd, -1);
		s.listens[0].n[kind] = 1;
	}
	listen_tick(&s, at_ms);
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

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		at_ms = cases[i].now_ms;
		s.passed_ms = cases[i].passed_ms;
		assert_int_equal(drain_end_ms(&s), cases[i].drain_ms);
	}
}

static void an_address_too_many_is_told(void **state)
{
	(void)state;
	want_addresses(SERVER_SOCKETS_MAX);
	listen_update(&s);
	assert_string_equal(logged, "");
	want_addresses(SERVER_SOCKETS_MAX + 1);
	listen_update(&s);
	assert_string_equal(logged, "3 dns-listen-failed error=\"more than 64 addresses\"\n");
}

/* Sockets of several addresses are drained at once, each to as many as are wanted. */
static void all_addresses_are_drained_together(void **state)
{
	(void)state;
	n_configured = 4;
	want_addresses(3);
	listen_update(&s);
	n_configured = 2;
	listen_update(&s);
	s.passed_ms = at_ms;
	note_answers();
	listen_tick(&s, at_ms + DRAIN_MS);
	for (unsigned i = 0; i < 3; i++)
		assert_true(s.listens[i].n[0] == 2 && s.listens[i].n[1] == 2);
	assert_int_equal(count_fds(), n_fds_before + 12);
	assert_int_equal(n_crew, 2);
	n_crew_calls = 0;
	listen_tick(&s, at_ms + 10 * DRAIN_MS); /* once */
	assert_int_equal(n_crew_calls, 0);
}

/* What the supervisor holds goes with our own, each of its place: those that stay are held on. */
static void what_is_drained_is_given_back_by_its_place(void **state)
{
	(void)state;
	n_configured = 3;
	want_addresses(1);
	hold_sockets(0, 3);
	hold_sockets(1, 3);
	listen_update(&s);
	n_configured = 1;
	listen_update(&s);
	listen_tick(&s, s.drain_ms);
	assert_int_equal(n_forgotten, 4);
	for (unsigned kind = 0; kind < 2; kind++) {
		assert_true(held[kind][0] >= 0);
		assert_true(held[kind][1] < 0 && held[kind][2] < 0);
	}
	want_addresses(0); /* the address itself goes */
	listen_update(&s);
	assert_int_equal(n_forgotten, 6);
	assert_true(held[0][0] < 0 && held[1][0] < 0);
}

static void a_supervisor_s_channel_is_watched(void **state)
{
	(void)state;
	channel.watched = -1;
	channel.fd = -ENOENT;
	assert_int_equal(listen_watch(&s), 0); /* alone: there is nothing to watch */
	assert_int_equal(channel.watched, -1);
	for (channel.fd = 0; channel.fd < 4; channel.fd += 3) {
		assert_int_equal(listen_watch(&s), 0);
		assert_int_equal(channel.watched, channel.fd);
	}
}

/* Once there is a document, sockets that have come are opened at once; the channel ends once. */
static void sockets_that_come_later_are_opened_at_once(void **state)
{
	static const struct {
		const char *why;
		int result;
		unsigned n;
		bool loaded, is_removed, is_updated;
	} cases[] = {
		{ "before the first document", -EAGAIN, 3, false, false, false },
		{ "with a document", -EAGAIN, 3, true, false, true },
		{ "none", -EAGAIN, 0, true, false, false },
		{ "the supervisor has gone", 0, 0, true, true, false },
		{ "gone after a socket", 0, 1, true, true, true },
		{ "an error of the channel", -ECONNRESET, 0, true, true, false },
	};

	(void)state;
	channel.fd = 5;
	n_configured = 1;
	for (size_t i = 0; i < COUNT(cases); i++) {
		print_message("  %s\n", cases[i].why);
		s.now = cases[i].loaded ? &g : NULL;
		s.passed_ms = s.drain_ms = 0;
		n_crew_calls = channel.n_removed = 0;
		channel.n = cases[i].n;
		channel.result = cases[i].result;
		on_socket_channel(&s, channel.fd, 0);
		assert_int_equal(channel.n_removed, cases[i].is_removed);
		assert_int_equal(n_crew_calls, cases[i].is_updated);
		/* a document that names all of them has ended their time */
		assert_int_equal(s.passed_ms, cases[i].n && !cases[i].loaded ? at_ms : 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(what_needs_rights_is_bound_before_they_are_dropped),
		WITH(as_many_addresses_are_bound_early_as_are_served),
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
		WITH(a_supervisor_s_channel_is_watched),
		WITH(sockets_that_come_later_are_opened_at_once),
	};

	if (geteuid())
		return 77;
	return cmocka_run_group_tests_name("dns listen edges", tests, enter_space, NULL);
}
