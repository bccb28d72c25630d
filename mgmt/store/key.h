/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The hash key's file, compared with the version in force.
 *
 * A version holds the fingerprint of the key that it was made with. A key file with another
 * fingerprint is not used: the processes keep the key that they have. So an exchanged file changes
 * nothing but the node's status, and another key comes only with a version that names it
 * (cluster.hash_key_id, cluster.hash_key_file). Calls as for the intent.
 *
 * Implemented in mgmt/store/key.c.
 */
#ifndef WEIR_MGMT_STORE_KEY_H
#define WEIR_MGMT_STORE_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "weir/model.h"

struct intent;

/** The state of this node's key file, read within the last second. */
struct intent_key {
	char found[MODEL_FINGERPRINT_MAX]; /**< "": it cannot be read */
	bool looked, wrong;                /**< wrong: it is not what the head was made with */
	uint64_t number;                   /**< of the version that was the head then */
	char reason[256];                  /**< if so: a sentence with what to do */
};

const struct intent_key *key_status(const struct intent *in);
/** Whether the head was made with another key than the version before it. */
bool key_is_new(const struct intent *in);

#endif
