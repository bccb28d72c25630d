/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a member of etcd is started with. Its JSON gateway is a client of the member's own port, by the member's own
 * certificate; so that certificate is a client's, too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/setup/etcd_unit.h"

#define URL_MAX 80u

bool etcd_unit_name_ok(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t n = strlen(name);

	return n && n < ETCD_UNIT_NAME_MAX && strspn(name, letters) == n && !strchr("._-", *name);
}

const char *etcd_unit_url(const char *address, unsigned port, char *out, size_t size)
{
	bool is6 = strchr(address, ':');

	snprintf(out, size, "https://%s%s%s:%u", is6 ? "[" : "", address, is6 ? "]" : "", port);
	return out;
}

static void write_setting(FILE *f, const char *name, const char *value)
{
	fprintf(f, "ETCD_%s=\"%s\"\n", name, value);
}

static void write_addresses(FILE *f, const struct etcd_unit *u)
{
	char client[URL_MAX], peer[URL_MAX];

	etcd_unit_url(u->address, ETCD_UNIT_CLIENT_PORT, client, sizeof(client));
	etcd_unit_url(u->address, ETCD_UNIT_PEER_PORT, peer, sizeof(peer));
	write_setting(f, "LISTEN_CLIENT_URLS", client);
	write_setting(f, "ADVERTISE_CLIENT_URLS", client);
	write_setting(f, "LISTEN_PEER_URLS", peer);
	write_setting(f, "INITIAL_ADVERTISE_PEER_URLS", peer);
}

/*
 * The CA signs nodes, too: of those it has signed, only members may speak to members. A host with several addresses may
 * use another one as source than that of its certificate, and etcd would close the connection without a word to it.
 */
static void write_tls(FILE *f, const struct etcd_unit *u)
{
	static const char *const sides[] = { "", "PEER_" };
	char name[40];

	for (size_t i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "%sCLIENT_CERT_AUTH", sides[i]);
		write_setting(f, name, "true");
		snprintf(name, sizeof(name), "%sTRUSTED_CA_FILE", sides[i]);
		write_setting(f, name, ETCD_UNIT_TLS "/ca.crt");
		snprintf(name, sizeof(name), "%sCERT_FILE", sides[i]);
		write_setting(f, name, ETCD_UNIT_TLS "/member.crt");
		snprintf(name, sizeof(name), "%sKEY_FILE", sides[i]);
		write_setting(f, name, ETCD_UNIT_TLS "/member.key");
	}
	write_setting(f, "EXPERIMENTAL_PEER_SKIP_CLIENT_SAN_VERIFICATION", "true");
	if (u->has_own_ca)
		write_setting(f, "PEER_CERT_ALLOWED_CN", CERTIFICATES_MEMBER);
}

uint64_t etcd_unit_quota(const char *settings)
{
	static const char name[] = "\nETCD_QUOTA_BACKEND_BYTES=";
	uint64_t quota = 0;

	if (!strstr(settings, "\"" ETCD_UNIT_DATA "\""))
		return 0;
	for (const char *at = settings; (at = strstr(at, name));) { /* the last one counts */
		at += sizeof(name) - 1;
		quota = strtoull(at + (*at == '"' || *at == '\''), NULL, 10);
	}
	return quota;
}

char *etcd_unit_settings(const struct etcd_unit *u)
{
	char *text = NULL, token[80], quota[20];
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	if (!f)
		return NULL;
	snprintf(token, sizeof(token), "weir-%s", u->id);
	snprintf(quota, sizeof(quota), "%u", ETCD_UNIT_QUOTA);
	fputs("# Written by weir store: a member of the store that Weir's nodes share.\n"
	      "# The settings before it are in " ETCD_UNIT_BEFORE ".\n",
	      f);
	write_setting(f, "NAME", u->name);
	write_setting(f, "DATA_DIR", ETCD_UNIT_DATA);
	write_addresses(f, u);
	write_setting(f, "INITIAL_CLUSTER", u->cluster);
	write_setting(f, "INITIAL_CLUSTER_STATE", u->joins ? "existing" : "new");
	write_setting(f, "INITIAL_CLUSTER_TOKEN", token);
	write_tls(f, u);
	/* Each change of a key stays in the history until it is compacted, and counts for the quota. */
	write_setting(f, "AUTO_COMPACTION_MODE", "periodic");
	write_setting(f, "AUTO_COMPACTION_RETENTION", "5m");
	write_setting(f, "QUOTA_BACKEND_BYTES", quota);
	if (!fclose(f))
		return text;
	free(text);
	return NULL;
}
