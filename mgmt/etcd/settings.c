/* SPDX-License-Identifier: BSD-2-Clause */
/* What settings are possible. Files are looked at when they are used, since they may be replaced. */
#include <errno.h>
#include <stdio.h>

#include "mgmt/etcd/gateway_internal.h"

static int refuse_setting(char reason[ETCD_REASON_MAX], const char *text)
{
	snprintf(reason, ETCD_REASON_MAX, "%s", text);
	return -EINVAL;
}

/* "https://HOST:PORT": no user, path or query, which would be put before our own path. */
bool etcd_endpoint_ok(const char *url)
{
	const char *host = !strncmp(url, "https://", 8)  ? url + 8
	                   : !strncmp(url, "http://", 7) ? url + 7
	                                                 : NULL;
	const char *allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]";

	return host && *host && !host[strspn(host, allowed)] && strlen(url) < ETCD_URL_MAX - 1;
}

int etcd_settings_check(const struct etcd_settings *s, char reason[ETCD_REASON_MAX])
{
	if (!s->n_endpoints || s->n_endpoints > ETCD_ENDPOINTS_MAX)
		return refuse_setting(reason, "etcd needs 1 to 9 endpoints");
	for (size_t i = 0; i < s->n_endpoints; i++) {
		if (etcd_endpoint_ok(s->endpoints[i]))
			continue;
		snprintf(reason, ETCD_REASON_MAX,
		         "endpoint %zu is not \"https://HOST:PORT\" or \"http://HOST:PORT\"", i);
		return -EINVAL;
	}
	if (!s->tls.certificate[0] != !s->tls.key[0])
		return refuse_setting(reason, "a client's certificate needs its key");
	if (!s->user[0] != !s->password_file[0])
		return refuse_setting(reason, "a user needs a password's file");
	return 0;
}
