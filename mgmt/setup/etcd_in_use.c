/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether anybody counts on the member of etcd on this host: asked of the other members first, as its list may be old. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mgmt/setup/etcd_unit.h"
#include "mgmt/setup/store_members.h"
#include "mgmt/store/files.h"
#include "mgmt/store/store_claim.h"

#define CLAIM_TRIES 20u /* a member that has just started elects itself first */
#define POLL_US     300000u

/* The value of a setting that etcd_unit_settings() has written. */
static bool find_setting(const char *text, const char *name, char *out, size_t size)
{
	char line[64];
	int n = snprintf(line, sizeof(line), "\nETCD_%s=\"", name);
	const char *from = strstr(text, line), *end = from ? strchr(from + n, '"') : NULL;

	if (!end || (size_t)(end - from - n) >= size)
		return false;
	memcpy(out, from + n, (size_t)(end - from - n));
	out[end - from - n] = '\0';
	return true;
}

/* The clients' URL of a member whose peers' URL this is. */
static bool find_client_url(const char *peer_url, char out[ETCD_URL_MAX])
{
	char port[16];
	int n = snprintf(port, sizeof(port), ":%u", ETCD_UNIT_PEER_PORT);
	size_t length = strlen(peer_url);

	if (length <= (size_t)n || length >= ETCD_URL_MAX ||
	    strcmp(peer_url + length - (size_t)n, port) != 0)
		return false;
	snprintf(out, ETCD_URL_MAX, "%.*s:%u", (int)(length - (size_t)n), peer_url,
	         ETCD_UNIT_CLIENT_PORT);
	return true;
}

/* Split "ams-1=https://10.1.0.1:2380,...": all but the one at @p own. */
static void add_others(char *cluster, const char *own, struct etcd_settings *out)
{
	for (char *one; (one = strsep(&cluster, ",")) && out->n_endpoints < ETCD_ENDPOINTS_MAX;) {
		const char *url = strchr(one, '=');

		if (url && strcmp(url + 1, own) != 0 &&
		    find_client_url(url + 1, out->endpoints[out->n_endpoints]))
			out->n_endpoints++;
	}
}

static int list_members(const struct etcd_settings *settings, struct etcd_members *out)
{
	char text[ETCD_REASON_MAX];
	struct etcd_gateway *g;
	int err =
	        settings->n_endpoints ? etcd_gateway_open(settings, NULL, &g, text) : -EHOSTUNREACH;

	if (err)
		return err;
	err = store_members_list(g, out);
	etcd_gateway_close(g);
	return err;
}

static int refuse_vote(char reason[ETCD_UNIT_REASON_MAX])
{
	snprintf(reason, ETCD_UNIT_REASON_MAX,
	         "the member of etcd on this host has a vote in a store, so its data stays: bring "
	         "store.conf back, or end that vote with weir store remove at another node");
	return -EBUSY;
}

/* Nobody says whether it counts: then it might. */
static int refuse_unknown(char reason[ETCD_UNIT_REASON_MAX])
{
	snprintf(
	        reason, ETCD_UNIT_REASON_MAX,
	        "no member of etcd says whether the one on this host has a vote, so its data stays: "
	        "start etcd; or, if no one needs that data, remove " ETCD_UNIT_DATA);
	return -EBUSY;
}

/* It is the only member: a store that was begun in it is somebody's. */
static int check_claim(const struct etcd_settings *own, const char *own_id,
                       char reason[ETCD_UNIT_REASON_MAX])
{
	char id[STORE_ID_MAX] = "", text[ETCD_REASON_MAX] = "";
	size_t n = 0;
	int err = -EHOSTUNREACH;

	for (unsigned i = 0; err && i < CLAIM_TRIES; i++) {
		if (i)
			usleep(POLL_US);
		err = store_claim_find(own, STORE_CONF_PREFIX, id, &n, text);
	}
	if (!err && n == 1 && *own_id && !strcmp(id, own_id))
		return 0; /* begun, and nothing more */
	if (err)
		snprintf(reason, ETCD_UNIT_REASON_MAX,
		         "whether etcd on this host has a store is not known (%s), so its data "
		         "stays",
		         text);
	else if (n)
		snprintf(
		        reason, ETCD_UNIT_REASON_MAX,
		        "etcd on this host has the store %s, so its data stays: bring store.conf "
		        "back; or, if no one needs that store, systemctl stop etcd and remove " ETCD_UNIT_DATA,
		        *id ? id : "of no id");
	return err || n ? -EBUSY : 0;
}

static int check_members(struct etcd_settings *s, const char *cluster, const char *peer_url,
                         const char *own_id, char reason[ETCD_UNIT_REASON_MAX])
{
	struct etcd_members *l = calloc(1, sizeof(*l));
	char *names = strdup(cluster);
	int err = l && names ? 0 : -ENOMEM;

	if (!err) {
		add_others(names, peer_url, s);
		bool is_known = !list_members(s, l);

		s->n_endpoints = 1;
		if (!is_known && find_client_url(peer_url, s->endpoints[0]))
			is_known = !list_members(s, l);
		const struct etcd_member *m =
		        is_known ? store_members_find_peer(l, peer_url) : NULL;

		if (!is_known)
			err = refuse_unknown(reason);
		else if (m && !m->is_learner)
			err = l->n > 1 ? refuse_vote(reason) : check_claim(s, own_id, reason);
	} else {
		snprintf(reason, ETCD_UNIT_REASON_MAX, "out of memory");
	}
	free(names);
	free(l);
	return err;
}

int etcd_unit_check_unused(const char *own_id, char reason[ETCD_UNIT_REASON_MAX])
{
	char peer_url[ETCD_URL_MAX], cluster[ETCD_UNIT_CLUSTER_MAX], *text = NULL;
	struct etcd_settings *s = calloc(1, sizeof(*s));
	size_t n;
	int err = 0;

	if (!s) {
		snprintf(reason, ETCD_UNIT_REASON_MAX, "out of memory");
		return -ENOMEM;
	}
	strcpy(s->tls.ca, ETCD_UNIT_TLS "/ca.crt");
	strcpy(s->tls.certificate, ETCD_UNIT_TLS "/member.crt");
	strcpy(s->tls.key, ETCD_UNIT_TLS "/member.key");
	if (!access(ETCD_UNIT_DATA "/member", F_OK) &&
	    !files_slurp(ETCD_UNIT_SETTINGS, &text, &n) &&
	    find_setting(text, "INITIAL_ADVERTISE_PEER_URLS", peer_url, sizeof(peer_url)) &&
	    find_setting(text, "INITIAL_CLUSTER", cluster, sizeof(cluster)))
		err = check_members(s, cluster, peer_url, own_id, reason);
	free(text);
	free(s);
	return err;
}
