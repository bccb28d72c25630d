/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/cli/store/store_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/clock.h"
#include "base/memory.h"
#include "mgmt/setup/node_files.h"
#include "mgmt/store/kept_members.h"

/* Read store.conf. @return CLI_OK, or an exit status after a message */
static int read_store_conf(const struct cli *cli, struct store_client *c)
{
	char reason[ETCD_REASON_MAX];
	int err = store_conf_read(cli->dirs.conf, &c->conf, reason);

	if (err == -ENOENT)
		return cli_fail(CLI_CONFLICT,
		                "there is no %s/" STORE_CONF_FILE
		                ": this node is in no store (weir store init, weir store join)",
		                cli->dirs.conf);
	if (err == -EACCES)
		return cli_fail(CLI_DENIED, "%s: run it as root (sudo)", reason);
	if (!err)
		err = store_conf_settings(&c->conf, cli->dirs.conf, &c->settings);
	if (!err && node_files_drop_note(cli->dirs.conf))
		fprintf(stderr, "weir: weir store init or join has ended here: the note that it "
		                "left (" NODE_FILES_UNFINISHED ") is removed\n");
	if (err)
		return cli_fail(CLI_USAGE, "%s", err == -ENAMETOOLONG ? strerror(-err) : reason);
	kept_members_add(cli->dirs.state, &c->settings, NULL);
	if (*c->settings.tls.key && access(c->settings.tls.key, R_OK))
		return cli_fail(errno == EACCES ? CLI_DENIED : CLI_USAGE, "%s: %s%s",
		                c->settings.tls.key, strerror(errno),
		                errno == EACCES ? ": run it as root (sudo)" : "");
	return CLI_OK;
}

struct store_client *store_client_open(const struct cli *cli, int *status)
{
	struct store_client *c = MEMORY_NEW(struct store_client);
	char reason[ETCD_REASON_MAX];

	curl_global_init(CURL_GLOBAL_DEFAULT);
	*status = read_store_conf(cli, c);
	if (!*status && etcd_gateway_open(&c->settings, NULL, &c->gateway, reason))
		*status = cli_fail(CLI_USAGE, STORE_CONF_FILE ": %s", reason);
	if (!*status)
		return c;
	store_client_close(c);
	return NULL;
}

void store_client_close(struct store_client *c)
{
	if (c->gateway)
		etcd_gateway_close(c->gateway);
	free(c);
}

/* A whole second, said just now: its middle is the best guess. */
static int64_t read_ahead(int64_t date_s)
{
	return date_s ? date_s * 1000 + 500 - clock_realtime_ms() : 0;
}

int store_client_status(const struct store_client *c, const char *url, struct etcd_status *out,
                        int64_t *ahead_ms, char reason[ETCD_REASON_MAX])
{
	struct etcd_settings *one = MEMORY_NEW(struct etcd_settings);
	struct etcd_gateway *g;

	*one = c->settings;
	one->n_endpoints = 1;
	snprintf(one->endpoints[0], ETCD_URL_MAX, "%s", url);
	int err = etcd_gateway_open(one, NULL, &g, reason);

	free(one);
	if (err)
		return err;
	err = etcd_gateway_status(g, 0, out);
	if (ahead_ms)
		*ahead_ms = read_ahead(err ? 0 : etcd_gateway_date_s(g));
	if (err)
		snprintf(reason, ETCD_REASON_MAX, "%s", etcd_gateway_reason(g));
	etcd_gateway_close(g);
	return err;
}
