/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Members that are not among the settings' endpoints. Only those that TLS proves are used: an etcd that others have set up
 * may give an address at which this host has another one, such as http://localhost:2379.
 */
#include <stdio.h>

#include "base/clock.h"
#include "mgmt/etcd/gateway_internal.h"

static bool has_endpoint(const struct etcd_settings *s, const char *url)
{
	for (size_t i = 0; i < s->n_endpoints; i++)
		if (!strcmp(s->endpoints[i], url))
			return true;
	return false;
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

		if (!m->is_learner && !strncmp(m->client_url, "https://", 8) &&
		    etcd_endpoint_ok(m->client_url))
			snprintf(out->urls[out->n++], ETCD_URL_MAX, "%s", m->client_url);
	}
	return 0;
}

void etcd_gateway_use(struct etcd_gateway *g, const struct etcd_endpoints *more)
{
	struct etcd_settings *s = &g->settings;

	for (size_t i = 0; i < more->n && s->n_endpoints < ETCD_ENDPOINTS_MAX; i++)
		if (!has_endpoint(s, more->urls[i]) && etcd_endpoint_ok(more->urls[i]))
			snprintf(s->endpoints[s->n_endpoints++], ETCD_URL_MAX, "%s", more->urls[i]);
}
