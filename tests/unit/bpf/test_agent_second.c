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

#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "bpf/agent_second.h"
#include "tests/unit/answers.h"
#include "tests/unit/bpf/space.h"
#include "tests/unit/suite.h"
#include "weir/agent.h"

#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))
#define PATH_MOST 511 /* characters of a namespace's path */

/* What the kernel answers in place of what it did, answer by answer; NULL: what it did. */
static const struct forged {
	uint16_t type;
	int error;    /* of NLMSG_ERROR */
	size_t n_ids; /* attributes: 41, 42 and 43 of the types below */
	size_t lacks; /* bytes at the end */
} * forged;

static ssize_t own_recv(int fd, void *bytes, size_t n, int flags)
{
	static const uint16_t types[] = { NETNSA_PID, NETNSA_NSID, NETNSA_FD };
	const struct forged *f = forged;
	struct {
		struct nlmsghdr head;
		union {
			struct rtgenmsg body;
			struct nlmsgerr error;
			char bytes[128];
		};
	} m = { .head = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct rtgenmsg)) } };

	if (!f)
		return __real_recv(fd, bytes, n, flags);
	forged++;
	m.head.nlmsg_type = f->type;
	for (size_t i = 0; i < f->n_ids; i++) {
		const uint32_t value = 41 + (uint32_t)i;
		struct rtattr *a = (void *)((char *)&m + NLMSG_ALIGN(m.head.nlmsg_len));

		a->rta_type = types[i];
		a->rta_len = RTA_LENGTH(sizeof(value));
		memcpy(RTA_DATA(a), &value, sizeof(value));
		m.head.nlmsg_len = NLMSG_ALIGN(m.head.nlmsg_len) + RTA_SPACE(sizeof(value));
	}
	if (f->type == NLMSG_ERROR) {
		m.error.error = f->error;
		m.head.nlmsg_len = NLMSG_LENGTH(sizeof(m.error));
	}
	assert_true(n >= m.head.nlmsg_len);
	memcpy(bytes, &m, m.head.nlmsg_len);
	return (ssize_t)(m.head.nlmsg_len - f->lacks);
}

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
	name[PATH_MOST + 1 - strlen("/run/netns/")] = '\0';
	assert_int_equal(agent_netns_id(name, &id), -ENAMETOOLONG);
	name[PATH_MOST - strlen("/run/netns/")] = '\0';
	assert_int_not_equal(agent_netns_id(name, &id), -ENAMETOOLONG);
	assert_int_equal(id, -5);
}

/* Answers as the kernel writes them, and as it never does: first to the id that is given, then to the question. */
static void an_answer_is_read_by_its_type_and_length(void **state)
{
	static const struct {
		const char *why;
		struct forged answers[2];
		int err;
	} cases[] = {
		{ "an id among others", { { NLMSG_ERROR, 0, 0, 0 }, { RTM_NEWNSID, 0, 3, 0 } }, 0 },
		{ "it has one", { { NLMSG_ERROR, -EEXIST, 0, 0 }, { RTM_NEWNSID, 0, 3, 0 } }, 0 },
		{ "none is given",
		  { { NLMSG_ERROR, -EPERM, 0, 0 }, { RTM_NEWNSID, 0, 3, 0 } },
		  -EPERM },
		{ "the first is short",
		  { { RTM_NEWNSID, 0, 0, 1 }, { RTM_NEWNSID, 0, 3, 0 } },
		  -EPROTO },
		{ "without an id",
		  { { NLMSG_ERROR, 0, 0, 0 }, { RTM_NEWNSID, 0, 0, 0 } },
		  -ENOENT },
		{ "another thing's",
		  { { NLMSG_ERROR, 0, 0, 0 }, { RTM_NEWNSID, 0, 1, 0 } },
		  -ENOENT },
		{ "short", { { NLMSG_ERROR, 0, 0, 0 }, { RTM_NEWNSID, 0, 0, 1 } }, -EPROTO },
		{ "cut within the id",
		  { { NLMSG_ERROR, 0, 0, 0 }, { RTM_NEWNSID, 0, 3, 9 } },
		  -ENOENT },
		{ "refused", { { NLMSG_ERROR, 0, 0, 0 }, { NLMSG_ERROR, -EPERM, 0, 0 } }, -EPERM },
		{ "done", { { NLMSG_ERROR, 0, 0, 0 }, { NLMSG_ERROR, 0, 0, 0 } }, -ENOENT },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int32_t id = -5;

		print_message("  %s\n", cases[i].why);
		forged = cases[i].answers;
		int err = agent_netns_id("/proc/self/ns/net", &id);

		forged = NULL;
		assert_int_equal(err, cases[i].err);
		assert_int_equal(id, err ? -5 : 42);
	}
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

SUITE(agent_second)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_namespace_has_one_id),
		cmocka_unit_test(what_is_no_namespace_has_no_id),
		cmocka_unit_test(an_answer_is_read_by_its_type_and_length),
		cmocka_unit_test(owners_are_lacking_when_packets_name_them_and_nobody_may),
	};

	answer_recv = own_recv;
	if (space_enter(true)) {
		printf("needs root: skipped\n");
		return 77;
	}
	return cmocka_run_group_tests_name("agent second", tests, NULL, NULL);
}
