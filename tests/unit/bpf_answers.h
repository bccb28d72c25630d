/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls of libbpf that a suite answers itself (answers.h). */
#ifndef WEIR_TESTS_UNIT_BPF_ANSWERS_H
#define WEIR_TESTS_UNIT_BPF_ANSWERS_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "tests/unit/answers.h"

#define BPF_ANSWERS(X)                                                                             \
	X(int, bpf_map_lookup_elem, (int fd, const void *key, void *value), (fd, key, value))      \
	X(int, bpf_map_update_elem, (int fd, const void *key, const void *value, __u64 flags),     \
	  (fd, key, value, flags))                                                                 \
	X(int, bpf_obj_get, (const char *path), (path))                                            \
	X(int, bpf_obj_get_info_by_fd, (int fd, void *info, __u32 *n), (fd, info, n))              \
	X(int, bpf_prog_load,                                                                      \
	  (enum bpf_prog_type type, const char *name, const char *license,                         \
	   const struct bpf_insn *insns, size_t n, const struct bpf_prog_load_opts *opts),         \
	  (type, name, license, insns, n, opts))                                                   \
	X(int, bpf_prog_test_run_opts, (int fd, struct bpf_test_run_opts *opts), (fd, opts))       \
	X(int, bpf_tc_attach, (const struct bpf_tc_hook *hook, struct bpf_tc_opts *opts),          \
	  (hook, opts))                                                                            \
	X(int, bpf_xdp_query_id, (int ifindex, int flags, __u32 *id), (ifindex, flags, id))

BPF_ANSWERS(ANSWER_DECLARE)

#endif
