/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/api/shared_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mgmt/api/auth.h"
#include "mgmt/api/fetch.h"
#include "mgmt/api/peers.h"
#include "mgmt/store/join.h"
#include "mgmt/store/shared_intent.h"

#define FETCH_FILES_MS 5000u /* of one node; the next round goes on from there */

struct files_holder {
	char api[256];
};

/* The other nodes' addresses; that of @p maker first. Under the lock. */
static size_t list_holders(const struct core *core, const char *maker,
                           struct files_holder out[PEERS_MAX])
{
	const struct model *m = join_model(core->intent);
	size_t n = 0;

	for (size_t i = 0; m && i < m->n_nodes && n < PEERS_MAX; i++) {
		const struct model_node *node = &m->nodes[i];

		if (!strcmp(node->name, core->dirs.node) || !*node->api ||
		    strlen(node->api) >= sizeof(out[n].api))
			continue;
		strcpy(out[n++].api, node->api);
		if (!strcmp(node->name, maker)) {
			struct files_holder first = out[n - 1];

			out[n - 1] = out[0];
			out[0] = first;
		}
	}
	return n;
}

static int fetch_from(struct core *core, struct peer_client *client, const char *api,
                      const struct version *v)
{
	struct files files = { 0 };
	int err = fetch_version(core, client, api, v->number, FETCH_FILES_MS, &files);

	if (err)
		return err;
	core_lock(core);
	err = shared_intent_give_files(core->intent, v, &files, clock_believed_ms());
	core_unlock(core);
	files_fini(&files);
	return err;
}

int shared_files_fetch(struct core *core, struct peer_client *client, const struct version *v)
{
	struct files_holder *holders = calloc(PEERS_MAX, sizeof(*holders));
	int err = holders ? -ENOENT : -ENOMEM;
	size_t n = 0;

	auth_peer_token(core->dirs.conf, client->token);
	core_lock(core);
	if (holders && client->token[0])
		n = list_holders(core, v->node, holders);
	core_unlock(core);
	for (size_t i = 0; err && i < n; i++) {
		int one = fetch_from(core, client, holders[i].api, v);

		if (one !=
		    -EINVAL) /* that node has another version of this number: as if it had none */
			err = one;
	}
	free(holders);
	return err;
}
