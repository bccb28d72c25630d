/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A whole weir-dataplane in a child process, in namespaces of the test's own: the XDP driver on v0,
 * and in the place of DPDK's a fake (fake_dpdk.h). The test writes documents and asks the control
 * socket, the stats page and the conditions.
 */
#ifndef WEIR_TESTS_UNIT_DATAPLANE_PROCESS_SCENE_H
#define WEIR_TESTS_UNIT_DATAPLANE_PROCESS_SCENE_H

#include <jansson.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/ctl.h"
#include "dataplane/process.h"
#include "weir/condition.h"
#include "weir/stats.h"

#include "tests/unit/bpf/space.h"
#include "tests/unit/dataplane/document.h"
#include "tests/unit/dataplane/drivers.h"
#include "tests/unit/dataplane/fake_dpdk.h"

#define SCENE   "/run/weir-test-process"
#define WAIT_MS 40000u

static pid_t scene_child;
static uint64_t scene_number;
static int scene_ready_fd; /* of the next process, a successor; 0: it is none */

/* Make the effective document of @p d as number @p scene_number. */
static inline void scene_document(const struct scene_document *d)
{
	document_write(SCENE, d, ++scene_number);
}

static inline void scene_start(void)
{
	fflush(NULL);
	scene_child = fork();
	if (scene_child)
		return;
	static struct process p;

	strcpy(p.dirs.run, SCENE "/run");
	strcpy(p.dirs.state, SCENE "/state");
	strcpy(p.dirs.conf, SCENE "/conf");
	strcpy(p.dirs.bpf, BPF_DIR);
	strcpy(p.dirs.node, "ams-1");
	p.ops = &driver_xdp;
	p.ready_fd = scene_ready_fd;
	if (!freopen(SCENE "/log", "a", stderr))
		abort();
	exit(process_run(&p) ? 1 : 0);
}

/* @return the exit status */
static inline int scene_stop(int signo)
{
	int end = 0;

	if (!scene_child)
		return 0;
	kill(scene_child, signo);
	waitpid(scene_child, &end, 0);
	scene_child = 0;
	return WIFEXITED(end) ? WEXITSTATUS(end) : -1;
}

/* Namespaces of our own, and a directory that nobody else sees: suites run beside each other. */
static inline int scene_enter(void)
{
	suite_dpdk = fake_dpdk;
	return space_enter(true) || (mkdir(SCENE, 0700) && errno != EEXIST) ||
	       mount("tmpfs", SCENE, "tmpfs", 0, NULL);
}

static inline int scene_begin(void **state)
{
	(void)state;
	scene_number = 0;
	space_run("rm -rf " SCENE "/* && mkdir -p " SCENE "/run " SCENE "/state " SCENE "/conf");
	scene_write(SCENE "/conf/hash.key", "00112233445566778899aabbccddeeff\n");
	space_run(
	        "ip addr replace 10.1.0.2/24 dev v0 && ip route replace 10.2.0.0/16 via 10.1.0.1 && "
	        "ip neigh replace 10.1.0.1 lladdr 02:00:00:00:00:01 dev v0 nud permanent && "
	        "ip neigh replace 10.1.0.5 lladdr 02:00:00:00:00:05 dev v0 nud permanent");
	return 0;
}

static inline int scene_end(void **state)
{
	struct driver_reason why;

	(void)state;
	(void)scene_stop(SIGTERM);
	(void)driver_xdp.remove(BPF_DIR "/shop/ams-1", &why);
	return system(
	        "ip link show v0 >/dev/null || { ip link add v0 type veth peer name v1; ip link set v0 up; "
	        "ip link set v1 up; }; ip link set v1 up; tc qdisc del dev v0 clsact 2>/dev/null; "
	        "ip route flush 203.0.113.0/24; true");
}

/* The answer of the control socket; NULL: none. */
static inline json_t *scene_ask(const char *line)
{
	char *text = NULL;
	json_t *answer;

	if (ctl_request(SCENE "/run/dataplane.ctl", line, 5000, &text))
		return NULL;
	answer = json_loads(text, 0, NULL);
	free(text);
	return answer;
}

static inline json_int_t scene_status_number(const char *name)
{
	json_t *status = scene_ask("{\"do\":\"status\"}");
	json_int_t n = status ? json_integer_value(json_object_get(status, name)) : -1;

	json_decref(status);
	return n;
}

static inline void scene_status_text(const char *name, char out[256])
{
	json_t *status = scene_ask("{\"do\":\"status\"}");
	const char *text = json_string_value(json_object_get(status, name));

	snprintf(out, 256, "%s", text ? text : "");
	json_decref(status);
}

/* A value of the stats page; -1: there is none. */
static inline int64_t scene_value(const char *name, const char *labels)
{
	struct stats_reader *r;
	int64_t value = -1;

	if (stats_reader_open(SCENE "/run", "dataplane", &r))
		return -1;
	for (size_t i = 0; i < stats_reader_n(r); i++) {
		const struct stats_entry *e = stats_reader_entry(r, i);

		if (e->used && !strcmp(e->name, name) && !strcmp(e->labels, labels))
			value = (int64_t)e->value;
	}
	stats_reader_close(r);
	return value;
}

/* The level of a condition; -1: it is not stated. */
static inline int scene_condition(const char *code, const char *subject)
{
	static struct conditions all;

	if (conditions_read(SCENE "/run", "dataplane", &all))
		return -1;
	for (uint32_t i = 0; i < all.n; i++)
		if (!strcmp(all.items[i].code, code) && !strcmp(all.items[i].subject, subject))
			return (int)all.items[i].level;
	return -1;
}

/* What a failure leaves to look at. */
static inline void scene_tell(void)
{
	int end = 0;

	if (scene_child && waitpid(scene_child, &end, WNOHANG) == scene_child) {
		fprintf(stderr, "the process ended: %#x\n", (unsigned)end);
		scene_child = 0;
	}
	(void)!system("ls -l " SCENE "/run >&2; tail -30 " SCENE "/log >&2");
}

/* Wait until an expression is true; else the test fails and shows the process's log. */
#define WAIT_FOR(expression)                                                                       \
	do {                                                                                       \
		uint64_t until_ms = clock_mono_ms() + WAIT_MS;                                     \
		while (!(expression)) {                                                            \
			if (clock_mono_ms() > until_ms) {                                          \
				scene_tell();                                                      \
				fail_msg("never: %s", #expression);                                \
			}                                                                          \
			usleep(20000);                                                             \
		}                                                                                  \
	} while (0)

/* A document that is written now is in force. */
#define TAKE(d)                                                                                    \
	do {                                                                                       \
		scene_document(d);                                                                 \
		WAIT_FOR(scene_status_number("document") == (json_int_t)scene_number);             \
	} while (0)

#endif
