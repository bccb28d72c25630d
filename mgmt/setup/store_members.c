/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/setup/store_members.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int read_members(const struct etcd_reply *reply, struct etcd_members *out)
{
	char reason[ETCD_REASON_MAX];

	return etcd_answer_members(reply->bytes, reply->n, out, reason);
}

/* Send what etcd_request_*() has made, or not. */
static int send_request(struct etcd_gateway *g, int err, struct etcd_request *request,
                        struct etcd_members *out)
{
	struct etcd_reply reply;

	if (err)
		return err;
	err = etcd_gateway_send(g, request, &reply);
	etcd_request_fini(request);
	return err ? err : read_members(&reply, out);
}

int store_members_list(struct etcd_gateway *g, struct etcd_members *out)
{
	struct etcd_request request;
	struct etcd_reply reply;
	char reason[ETCD_REASON_MAX];
	int err = etcd_request_members(&request, reason);

	if (err)
		return err;
	err = etcd_gateway_query(g, &request, &reply);
	etcd_request_fini(&request);
	return err ? err : read_members(&reply, out);
}

int store_members_add(struct etcd_gateway *g, const char *peer_url, struct etcd_members *out)
{
	struct etcd_request request;
	char reason[ETCD_REASON_MAX];
	int err = etcd_request_member_add(peer_url, &request, reason);

	return send_request(g, err, &request, out);
}

int store_members_promote(struct etcd_gateway *g, uint64_t id, struct etcd_members *out)
{
	struct etcd_request request;
	char reason[ETCD_REASON_MAX];
	int err = etcd_request_member_promote(id, &request, reason);

	return send_request(g, err, &request, out);
}

int store_members_remove(struct etcd_gateway *g, uint64_t id, struct etcd_members *out)
{
	struct etcd_request request;
	char reason[ETCD_REASON_MAX];
	int err = etcd_request_member_remove(id, &request, reason);

	return send_request(g, err, &request, out);
}

const struct etcd_member *store_members_find_peer(const struct etcd_members *l,
                                                  const char *peer_url)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->members[i].peer_url, peer_url))
			return &l->members[i];
	return NULL;
}

const struct etcd_member *store_members_find_name(const struct etcd_members *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->members[i].name, name))
			return &l->members[i];
	return NULL;
}

size_t store_members_voters(const struct etcd_members *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += !l->members[i].is_learner;
	return n;
}

uint32_t store_members_urls(const struct etcd_members *l, const char *first,
                            char out[ETCD_ENDPOINTS_MAX][ETCD_URL_MAX])
{
	uint32_t n = 0;

	if (*first)
		snprintf(out[n++], ETCD_URL_MAX, "%s", first);
	for (size_t i = 0; i < l->n && n < ETCD_ENDPOINTS_MAX; i++) {
		const struct etcd_member *m = &l->members[i];

		if (etcd_member_is_for_nodes(m) && strcmp(m->client_url, first) != 0)
			snprintf(out[n++], ETCD_URL_MAX, "%s", m->client_url);
	}
	return n;
}
