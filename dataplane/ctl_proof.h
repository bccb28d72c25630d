/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What is proved, as the control socket's answer to {"do":"proof"}. Implemented in ctl_proof.c; the
 * loop's thread calls it.
 */
#ifndef WEIR_DATAPLANE_CTL_PROOF_H
#define WEIR_DATAPLANE_CTL_PROOF_H

#include <jansson.h>

struct process;

/** Addresses that an answer lists at most: the loop must not be held up. */
#define CTL_PROOF_ROWS 256u

/**
 * The facts of the page RUN/proof.page, as its readers see them now; of the VIPs of the document in
 * force, at most CTL_PROOF_ROWS addresses.
 * @param request  with "vip" only this one is listed
 * @return given; NULL: out of memory
 */
json_t *ctl_proof_json(const struct process *p, const json_t *request);

#endif
