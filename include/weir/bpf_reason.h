/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Why the kernel did not load one of our BPF programs, in words that say what to do.
 * Implemented in bpf/bpf_reason.c; any thread.
 */
#ifndef WEIR_BPF_REASON_H
#define WEIR_BPF_REASON_H

#define BPF_REASON_MAX 768

/**
 * A sentence of one line.
 *
 * @param err      -errno of the load
 * @param log      the verifier's, or ""
 * @param release  the kernel's, as uname(2) tells it
 * @return @p out
 */
const char *bpf_reason_on(int err, const char *log, const char *release, char out[BPF_REASON_MAX]);
/** The same for the kernel that runs. @return @p out */
const char *bpf_reason(int err, const char *log, char out[BPF_REASON_MAX]);

#endif
