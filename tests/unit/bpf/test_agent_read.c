/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is read of the agent's programs: which maps of an earlier program a replacement may go on with, what
 * they add up to, and what is said of the MSS. On real maps that no program uses; needs root.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/agent_maps.h"
#include "bpf/agent_read.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int make_map(const struct agent_map_shape *s)
{
	int fd = bpf_map_create((enum bpf_map_type)s->type, "test", s->key_bytes, s->value_bytes,
	                        s->entries, NULL);

	assert_true(fd >= 0);
	return fd;
}

/* A map with room for more is of another release, too: what its elements mean is not known. */
static void a_map_fits_only_if_all_of_its_shape_is_the_same(void **state)
{
	static const struct agent_map_shape wanted = { BPF_MAP_TYPE_HASH, 8, 8, 16 };
	static const struct {
		const char *why;
		struct agent_map_shape shape;
		bool fits;
	} rows[] = {
		{ "the same", { BPF_MAP_TYPE_HASH, 8, 8, 16 }, true },
		{ "another type", { BPF_MAP_TYPE_LRU_HASH, 8, 8, 16 }, false },
		{ "one element less", { BPF_MAP_TYPE_HASH, 7, 8, 16 }, false },
		{ "one element more", { BPF_MAP_TYPE_HASH, 9, 8, 16 }, false },
		{ "a shorter key", { BPF_MAP_TYPE_HASH, 8, 4, 16 }, false },
		{ "a longer key", { BPF_MAP_TYPE_HASH, 8, 16, 16 }, false },
		{ "a shorter value", { BPF_MAP_TYPE_HASH, 8, 8, 8 }, false },
		{ "a longer value", { BPF_MAP_TYPE_HASH, 8, 8, 24 }, false },
	};
	int ends[2];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		int fd = make_map(&rows[i].shape);

		if (agent_map_fits(fd, &wanted) != rows[i].fits)
			fail_msg("%s", rows[i].why);
		close(fd);
	}
	assert_false(agent_map_fits(-1, &wanted));
	assert_int_equal(pipe(ends), 0); /* no map at all */
	assert_false(agent_map_fits(ends[0], &wanted));
	close(ends[0]);
	close(ends[1]);
}

static void counters_of_all_cpus_are_added_up_by_reason(void **state)
{
	const struct agent_map_shape shape = { BPF_MAP_TYPE_PERCPU_ARRAY, DECAP_REASON_COUNT,
		                               sizeof(uint32_t), sizeof(struct agent_count) };
	struct agent_map_shape other = shape;
	struct agent_count got[DECAP_REASON_COUNT] = { { 0 } }, *per_cpu;
	int n_cpus = libbpf_num_possible_cpus(), fd = make_map(&shape);
	uint64_t cpus = (uint64_t)n_cpus;

	(void)state;
	assert_true(n_cpus > 0);
	per_cpu = calloc(cpus, sizeof(*per_cpu));
	assert_non_null(per_cpu);
	for (uint32_t i = 0; i < DECAP_REASON_COUNT; i++) {
		for (uint32_t c = 0; c < cpus; c++)
			per_cpu[c] = (struct agent_count){ 10 * i + c, 1000 * i + 3 * c };
		assert_int_equal(bpf_map_update_elem(fd, &i, per_cpu, BPF_ANY), 0);
	}
	assert_true(agent_counters_fit(fd));
	assert_int_equal(agent_read_counts(fd, got), 0);
	for (uint32_t i = 0; i < DECAP_REASON_COUNT; i++) {
		assert_int_equal(got[i].packets, cpus * 10 * i + cpus * (cpus - 1) / 2);
		assert_int_equal(got[i].bytes, cpus * 1000 * i + 3 * cpus * (cpus - 1) / 2);
	}
	close(fd);
	other.entries++;
	fd = make_map(&other);
	assert_false(agent_counters_fit(fd));
	assert_int_equal(agent_read_counts(fd, got), -EPROTO);
	close(fd);
	assert_int_equal(agent_read_counts(-1, got), -EPROTO);
	free(per_cpu);
}

/* In the order of prefixes, whatever the kernel's; the longest and the shortest of both families. */
static void prefixes_are_read_as_they_were_given(void **state)
{
	static const struct {
		const char *text;
		uint32_t uses;
	} rows[] = {
		{ "::/0", AGENT_USE_SOURCE },
		{ "0.0.0.0/0", AGENT_USE_SOURCE },
		{ "10.0.0.0/8", AGENT_USE_OWNER },
		{ "10.0.0.0/9", AGENT_USE_SOURCE | AGENT_USE_OWNER },
		{ "192.0.2.1/32", AGENT_USE_SOURCE },
		{ "2001:db8::/32", AGENT_USE_OWNER },
		{ "2001:db8::/33", AGENT_USE_SOURCE },
		{ "2001:db8::1/128", AGENT_USE_SOURCE | AGENT_USE_OWNER },
	};
	static struct agent_prefix got[AGENT_PREFIXES_MAX];
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC);
	int fd = bpf_map_create(BPF_MAP_TYPE_LPM_TRIE, "test", sizeof(struct agent_key),
	                        sizeof(uint32_t), 16, &opts);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(agent_read_prefixes(fd, got), 0);
	for (size_t i = COUNT(rows); i-- > 0;) {
		struct agent_key key = { 0 };
		struct prefix p;

		assert_int_equal(prefix_parse(rows[i].text, &p), 0);
		key.bits = p.bits + (addr_is4(&p.addr) ? 96u : 0);
		memcpy(key.source, p.addr.bytes, sizeof(key.source));
		assert_int_equal(bpf_map_update_elem(fd, &key, &rows[i].uses, BPF_ANY), 0);
	}
	assert_int_equal(agent_read_prefixes(fd, got), COUNT(rows));
	close(fd);
	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[ADDR_LONG_TEXT_MAX];

		assert_string_equal(prefix_text(&got[i].prefix, text), rows[i].text);
		assert_int_equal(got[i].is_owner, (rows[i].uses & AGENT_USE_OWNER) != 0);
	}
}

static void namespaces_that_cannot_be_read_are_none(void **state)
{
	const struct agent_map_shape shape = { BPF_MAP_TYPE_ARRAY, 1, sizeof(uint32_t),
		                               sizeof(struct agent_spaces) };
	const struct agent_spaces spaces = { .n = 3 };
	uint32_t zero = 0;
	int fd = make_map(&shape);

	(void)state;
	assert_int_equal(bpf_map_update_elem(fd, &zero, &spaces, BPF_ANY), 0);
	assert_int_equal(agent_read_netns(fd), 3);
	close(fd);
	assert_int_equal(agent_read_netns(-1), 0);
}

#define SILENT                                                                                     \
	"SYNs came in tunnels, but no SYN-ACK has left by this interface, so no MSS is lowered: "  \
	"if replies leave by another interface, set advmss on its routes and attach the agent "    \
	"with --mss off"

/* A hundred SYNs without one SYN-ACK; whatever became of a SYN-ACK, it left. */
static void trouble_with_the_mss_is_told_with_what_to_do(void **state)
{
	static const struct {
		const char *why;
		enum agent_mss_force force;
		uint64_t n_syns;
		const char *trouble;
	} rows[] = {
		{ "off", AGENT_MSS_NOT_USED, 100, NULL },
		{ "not known", AGENT_MSS_UNKNOWN, 0,
		  "whether the MSS of SYN-ACKs is lowered is not known: another release's program is "
		  "attached; attach the agent again" },
		{ "missing", AGENT_MSS_MISSING, 0,
		  "the MSS of SYN-ACKs is not lowered: the agent's program at the interface's egress "
		  "is missing; attach the agent again, or set advmss on the routes and attach it "
		  "with --mss off" },
		{ "nothing came", AGENT_MSS_IN_FORCE, 0, NULL },
		{ "few SYNs", AGENT_MSS_IN_FORCE, 99, NULL },
		{ "silence", AGENT_MSS_IN_FORCE, 100, SILENT },
		{ "long silence", AGENT_MSS_IN_FORCE, 1ull << 40, SILENT },
	};
	struct agent_mss m;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *said;

		m = (struct agent_mss){ .force = rows[i].force };
		m.ends[MSS_SYN] = rows[i].n_syns;
		said = agent_mss_trouble(&m);
		print_message("  %s\n", rows[i].why);
		assert_string_equal(said ? said : "", rows[i].trouble ? rows[i].trouble : "");
	}
	for (int end = MSS_LOWERED; end < MSS_END_COUNT; end++) {
		m = (struct agent_mss){ .force = AGENT_MSS_IN_FORCE };
		m.ends[MSS_SYN] = 1000;
		m.ends[end] = 1;
		print_message("  one was %s\n", agent_mss_end_name((enum mss_end)end));
		assert_null(agent_mss_trouble(&m));
	}
}

SUITE(agent_read)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_map_fits_only_if_all_of_its_shape_is_the_same),
		cmocka_unit_test(counters_of_all_cpus_are_added_up_by_reason),
		cmocka_unit_test(prefixes_are_read_as_they_were_given),
		cmocka_unit_test(namespaces_that_cannot_be_read_are_none),
		cmocka_unit_test(trouble_with_the_mss_is_told_with_what_to_do),
	};

	return cmocka_run_group_tests_name("agent read", tests, NULL, NULL);
}
