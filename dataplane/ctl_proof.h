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

/**
 * The facts of the page RUN/proof.page, as its readers see them now; of the VIPs and services of
 * the document in force. @return given; NULL: out of memory
 */
json_t *ctl_proof_json(const struct process *p);

#endif
