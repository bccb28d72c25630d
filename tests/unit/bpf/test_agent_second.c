/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's part of second chance (bpf/agent_second.c): ids of namespaces, and when --owners
 * is missing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

/* The private parts too. */
#include "bpf/agent_second.c"

#include "tests/unit/bpf/space.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* A child in a network namespace of its own, until its pipe is closed. */
static pid_t start_child(int pipe_fds[2])
{
	int ready[2];
	char byte;
	pid_t child;

	assert_int_equal(pipe(pipe_fds) || pipe(ready), 0);
	child = fork();
	if (!child) {
		close(pipe_fds[1]);
		byte = unshare(CLONE_NEWNET) ? 'x' : 'o';
		_exit(write(ready[1], &byte, 1) != 1 || read(pipe_fds[0], &byte, 1) < 0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	assert_int_equal(byte, 'o');
	return child;
}

static void stop_child(pid_t child, const int pipe_fds[2])
{
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	waitpid(child, NULL, 0);
}

/* The first question gives it one; it is the same then, and another's is another. */
static void a_namespace_has_one_id(void **state)
{
	int32_t ids[2] = { -5, -5 }, again = -5;
	int pipes[2][2];
	pid_t children[2];
	char path[64];

	(void)state;
	for (int i = 0; i < 2; i++) {
		children[i] = start_child(pipes[i]);
		snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)children[i]);
		assert_int_equal(agent_netns_id(path, &ids[i]), 0);
		assert_true(ids[i] >= 0);
		assert_int_equal(agent_netns_id(path, &again), 0);
		assert_int_equal(again, ids[i]);
	}
	assert_int_not_equal(ids[0], ids[1]);
	for (int i = 1; i >= 0; i--)
		stop_child(children[i], pipes[i]);
}

static void what_is_no_namespace_has_no_id(void **state)
{
	char name[600];
	int32_t id = -5;

	(void)state;
	assert_int_equal(agent_netns_id("weir-is-not-there", &id), -ENOENT);
	assert_int_equal(agent_netns_id("/proc/self/nothing", &id), -ENOENT);
	assert_int_equal(agent_netns_id("/proc/self/status", &id), -EINVAL);
	memset(name, 'a', sizeof(name));
	name[PATH_BYTES - strlen("/run/netns/")] = '\0';
	assert_int_equal(agent_netns_id(name, &id), -ENAMETOOLONG);
	name[PATH_BYTES - strlen("/run/netns/") - 1] = '\0';
	assert_int_not_equal(agent_netns_id(name, &id), -ENAMETOOLONG);
	assert_int_equal(id, -5);
}

/* Answers as the kernel writes them, and as it never does. */
static void an_answer_is_read_by_its_type_and_length(void **state)
{
	const ssize_t bare = (ssize_t)NLMSG_LENGTH(sizeof(struct rtgenmsg));
	struct netns_request r = { .head = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct rtgenmsg)),
		                             .nlmsg_type = RTM_NEWNSID } };
	struct nlmsgerr *error = (struct nlmsgerr *)(void *)&r.body;
	int32_t id = -5;

	(void)state;
	assert_int_equal(read_id(&r, bare, &id), 0);
	assert_int_equal(id, -5);
	assert_int_equal(read_id(&r, bare - 1, &id), -EPROTO);
	add_u32(&r, NETNSA_PID, 41);
	add_u32(&r, NETNSA_NSID, 42);
	add_u32(&r, NETNSA_FD, 43);
	assert_int_equal(read_id(&r, r.head.nlmsg_len, &id), 0);
	assert_int_equal(id, 42);
	id = -5;
	assert_int_equal(read_id(&r, r.head.nlmsg_len - 9, &id), 0); /* cut within the second */
	assert_int_equal(id, -5);
	r.head.nlmsg_type = NLMSG_ERROR;
	error->error = -EPERM;
	assert_int_equal(read_id(&r, r.head.nlmsg_len, &id), -EPERM);
	error->error = 0;
	assert_int_equal(read_id(&r, r.head.nlmsg_len, &id), 0);
	assert_int_equal(id, -5);
}

/* Packets that name owners came, and no prefix says who may: without it each is lost or refused. */
static void owners_are_lacking_when_packets_name_them_and_nobody_may(void **state)
{
	static const struct {
		const char *why;
		int reason; /* that was counted; -1: none */
		bool is_owner[3];
		bool lacks;
	} cases[] = {
		{ "nothing came", -1, { false, false, false }, false },
		{ "without a list", DECAP_GUE, { false, false, false }, false },
		{ "owned", DECAP_OWNED, { false, false, false }, true },
		{ "last", DECAP_LAST, { false, false, false }, true },
		{ "passed on", DECAP_PASSED_ON, { false, false, false }, true },
		{ "refused", DECAP_OWNERS_REFUSED, { false, false, false }, true },
		{ "an owner's prefix is there", DECAP_OWNED, { true, false, false }, false },
		{ "the last prefix is an owner's", DECAP_OWNED, { false, false, true }, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		static struct agent_status s;

		memset(&s, 0, sizeof(s));
		s.n_prefixes = 3;
		for (size_t k = 0; k < 3; k++)
			s.prefixes[k].is_owner = cases[i].is_owner[k];
		s.prefixes[3].is_owner = true; /* is not there */
		if (cases[i].reason >= 0)
			s.counts[cases[i].reason].packets = 1;
		if (agent_lacks_owners(&s) != cases[i].lacks)
			fail_msg("%s", cases[i].why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_namespace_has_one_id),
		cmocka_unit_test(what_is_no_namespace_has_no_id),
		cmocka_unit_test(an_answer_is_read_by_its_type_and_length),
		cmocka_unit_test(owners_are_lacking_when_packets_name_them_and_nobody_may),
	};

	if (space_enter(true)) {
		printf("needs root: skipped\n");
		return 77;
	}
	return cmocka_run_group_tests_name("agent second", tests, NULL, NULL);
}
