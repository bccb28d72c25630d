/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Members that are not among the settings' endpoints. Only those that TLS proves are used: an etcd that others have set up
 * may give an address at which this host has another one, such as http://localhost:2379.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "mgmt/etcd/gateway_internal.h"

/* @return its number, or how many there are */
static size_t find_endpoint(const struct etcd_settings *s, const char *url)
{
	size_t i = 0;

	while (i < s->n_endpoints && strcmp(s->endpoints[i], url) != 0)
		i++;
	return i;
}

int etcd_gateway_endpoints(struct etcd_gateway *g, struct etcd_endpoints *out)
{
	struct etcd_request request;
	struct etcd_members members;
	char reason[ETCD_REASON_MAX];
	int err = etcd_request_members(&request, reason);

	if (err)
		return err;
	if (etcd_gateway_try_as_user(g, &request, clock_mono_ms() + ETCD_REQUEST_MS, &err) ==
	    ETCD_TRY_SUCCEEDED)
		err = etcd_answer_members(g->transfer.bytes, g->transfer.n, &members, reason);
	etcd_request_fini(&request);
	if (err)
		return err;
	*out = (struct etcd_endpoints){ 0 };
	for (size_t i = 0; i < members.n && out->n < ETCD_ENDPOINTS_MAX; i++) {
		const struct etcd_member *m = &members.members[i];

		out->n_voters += !m->is_learner;
		if (etcd_member_is_for_nodes(m) && etcd_endpoint_ok(m->client_url)) {
			snprintf(out->urls[out->n], ETCD_URL_MAX, "%s", m->client_url);
			snprintf(out->names[out->n++], ETCD_NAME_MAX, "%s", m->name);
		}
	}
	return 0;
}

int etcd_gateway_look_at(struct etcd_gateway *g, const char *url, char reason[ETCD_REASON_MAX])
{
	size_t i = find_endpoint(&g->settings, url);
	uint64_t foreign = g->foreign;
	char before[ETCD_REASON_MAX];
	struct etcd_status status;

	if (i == g->settings.n_endpoints)
		return -ENOENT;
	memcpy(before, g->reason, sizeof(before));
	int err = etcd_gateway_status(g, i, &status);

	snprintf(reason, ETCD_REASON_MAX, "%s", err ? g->reason : "it has no leader");
	memcpy(g->reason, before, sizeof(before));
	g->foreign = foreign;
	return err || !status.leader ? -EHOSTUNREACH : 0;
}

void etcd_gateway_use(struct etcd_gateway *g, const struct etcd_endpoints *more)
{
	struct etcd_settings *s = &g->settings;

	for (size_t i = 0; i < more->n && s->n_endpoints < ETCD_ENDPOINTS_MAX; i++)
		if (find_endpoint(s, more->urls[i]) == s->n_endpoints &&
		    etcd_endpoint_ok(more->urls[i]))
			snprintf(s->endpoints[s->n_endpoints++], ETCD_URL_MAX, "%s", more->urls[i]);
}
