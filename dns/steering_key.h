/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The key by which clients are steered to sites: from weir-mgmt's file (weir/placement.h). All
 * nodes must use the same one. Implemented in steering_key.c; called by the thread that loads a
 * document.
 */
#ifndef WEIR_DNS_STEERING_KEY_H
#define WEIR_DNS_STEERING_KEY_H

#include "base/checked.h"
#include "base/proc.h"
#include "weir/model.h"

struct generation_how;

/**
 * Read the effective document, with the key for clients in model.hash_key. If the right key is not
 * found, model.key_state says so, and the key is that of generation_how.before; without that it is
 * zero.
 * @param errors  errors of the document, given also on success; free with model_errors_free()
 * @return 0; -EINVAL with errors of the document; or -errno
 */
int steering_key_read(const struct proc_dirs *dirs, const char *path,
                      const struct generation_how *how, struct model **out,
                      struct model_errors *errors) MUST_CHECK NONNULL();

#endif
