/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store remove: takes a member out of the store's etcd, most often one whose host is lost. What is left must be able to
 * decide: each member that stays is asked, and without a majority of them nothing is removed.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/proc.h"
#include "mgmt/cli/api.h"
#include "mgmt/cli/store/store_client.h"
#include "mgmt/setup/node_files.h"
#include "mgmt/store/store_claim.h"

#define HEALTHY_S  15 /* for the members to be well, as etcd sees it */
#define ELECTION_S 6  /* for those that stay to elect a leader: 3 s were measured */

/* What a removal would leave. */
struct removal {
	struct etcd_members members;
	const struct etcd_member *member; /* that goes */
	size_t n_left, n_up;              /* with a vote; of these, that answer now */
	bool is_up;                       /* the one that goes */
};

static const char *name_member(const struct etcd_member *m)
{
	return *m->name ? m->name : *m->peer_url ? m->peer_url : "?";
}

/* By its name, its id, or an address of it. */
static const struct etcd_member *find_member(const struct etcd_members *l, const char *text)
{
	char id[20];

	for (size_t i = 0; i < l->n; i++) {
		const struct etcd_member *m = &l->members[i];

		snprintf(id, sizeof(id), "%" PRIx64, m->id);
		if (!strcmp(m->name, text) || !strcmp(id, text) || !strcmp(m->client_url, text) ||
		    !strcmp(m->peer_url, text))
			return m;
	}
	return NULL;
}

static bool is_member_up(const struct store_client *c, const struct etcd_member *m)
{
	char reason[ETCD_REASON_MAX];
	struct etcd_status status;

	return *m->client_url && !store_client_status(c, m->client_url, &status, NULL, reason) &&
	       status.leader;
}

static void count_left(const struct store_client *c, struct removal *r)
{
	for (size_t i = 0; i < r->members.n; i++) {
		const struct etcd_member *m = &r->members.members[i];
		bool is_up = is_member_up(c, m);

		if (m == r->member) {
			r->is_up = is_up;
		} else if (!m->is_learner) {
			r->n_left++;
			r->n_up += is_up;
		}
	}
}

/* A majority is up, and has the store of store.conf: the list of members alone would not show it. */
static int check_majority(const struct store_client *c)
{
	char reason[ETCD_REASON_MAX];
	struct store_claim claim;

	int err = store_claim_look(&c->settings, c->conf.prefix, &claim, NULL, reason);

	if (err == -EBADMSG || err == -EACCES)
		return cli_fail(CLI_UNREACHABLE, "the store cannot be read: %s", reason);
	if (err)
		return cli_fail(
		        CLI_UNREACHABLE,
		        "the store does not answer (%s): while no majority of its members is "
		        "up, none can be removed. Bring one back. " STORE_LOST_ADVICE,
		        reason);
	if (*claim.id && strcmp(claim.id, c->conf.id) != 0)
		return cli_fail(CLI_CONFLICT,
		                "the members have the store %s, and " STORE_CONF_FILE " names %s",
		                claim.id, c->conf.id);
	return CLI_OK;
}

/* Which of the members it is, and what is left without it. @return CLI_OK, or an exit status after a message */
static int plan_removal(const struct store_client *c, const char *text, struct removal *r)
{
	char names[512] = "";
	size_t used = 0;
	int status = check_majority(c);

	if (status)
		return status;
	if (store_members_list(c->gateway, &r->members))
		return cli_fail(CLI_UNREACHABLE, "the members cannot be listed: %s",
		                etcd_gateway_reason(c->gateway));
	r->member = find_member(&r->members, text);
	for (size_t i = 0; i < r->members.n && used < sizeof(names); i++)
		used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", i ? ", " : "",
		                         name_member(&r->members.members[i]));
	if (!r->member)
		return cli_fail(CLI_USAGE, "there is no member \"%.80s\"; the members are: %s",
		                text, names);
	count_left(c, r);
	if (!r->n_left)
		return cli_fail(CLI_REFUSED, "%s is the only member: without it there is no store",
		                name_member(r->member));
	if (r->n_up < r->n_left / 2 + 1)
		return cli_fail(
		        CLI_REFUSED,
		        "of the %zu members that would be left %zu answer, and %zu are needed "
		        "to decide anything: bring another one back first",
		        r->n_left, r->n_up, r->n_left / 2 + 1);
	return CLI_OK;
}

/* What its end means, before it happens. */
static void print_plan(const struct removal *r)
{
	size_t needed = r->n_left / 2 + 1;

	printf("member %s (%" PRIx64 ", %s) %s\n", name_member(r->member), r->member->id,
	       *r->member->client_url ? r->member->client_url : r->member->peer_url,
	       r->is_up                ? "answers"
	       : r->member->is_learner ? "has no vote yet"
	                               : "does not answer");
	printf("without it %zu %s left, and %zu %s: configuration can be changed while %zu %s up\n",
	       r->n_left, r->n_left == 1 ? "member is" : "members are", r->n_up,
	       r->n_up == 1 ? "answers" : "answer", needed, needed == 1 ? "is" : "are");
}

/* The files of this host do not name it any more. */
static void forget_endpoint(const struct cli *cli, struct store_client *c, const char *url,
                            const struct etcd_members *left)
{
	char reason[ETCD_UNIT_REASON_MAX], path[PATH_MAX];
	uint32_t kept = 0;
	int err = proc_path(cli->dirs.conf, JOIN_FILE, path);

	if (!err)
		err = join_file_renew(path, c->conf.id, left);
	if (err)
		fprintf(stderr, "weir: " JOIN_FILE " still names %s (%s)\n", url, strerror(-err));

	for (uint32_t i = 0; i < c->conf.n_endpoints; i++)
		if (strcmp(c->conf.endpoints[i], url) != 0)
			memmove(c->conf.endpoints[kept++], c->conf.endpoints[i], ETCD_URL_MAX);
	if (!kept || kept == c->conf.n_endpoints)
		return;
	c->conf.n_endpoints = kept;
	if (node_files_write_conf(cli->dirs.conf, &c->conf, reason))
		fprintf(stderr, "weir: %s still names %s (%s): that does no harm\n",
		        STORE_CONF_FILE, url, reason);
}

/* For some seconds after a member has come back, etcd lets none go. */
static int send_removal(const struct cli *cli, struct store_client *c, uint64_t id,
                        struct etcd_members *left)
{
	int err;

	for (unsigned i = 0; (err = store_members_remove(c->gateway, id, left)) && i < HEALTHY_S &&
	                     strstr(etcd_gateway_reason(c->gateway), "unhealthy cluster");
	     i++) {
		if (!i && !cli->json)
			puts("waiting until etcd lets a member go (all others must have been up for 5 s)");
		fflush(stdout);
		sleep(1);
	}
	return err;
}

/*
 * What became of it, where the answer does not say so: the one that goes may have been asked itself, and those that stay may
 * have to elect a leader first. @return 0: it is removed; -EEXIST: the list has it; else the list cannot be had
 */
static int look_again(const struct store_client *c, const struct removal *r, unsigned n_times,
                      struct etcd_members *left)
{
	int err = 0;

	for (unsigned i = 0; i < n_times; i++) {
		if (i)
			sleep(1);
		err = store_members_list(c->gateway, left);
		if (!err && !store_members_find_peer(left, r->member->peer_url))
			return 0;
	}
	return err ? err : -EEXIST;
}

static int remove_member(const struct cli *cli, struct store_client *c, const struct removal *r)
{
	struct etcd_members *left = &(struct etcd_members){ 0 };
	char reason[ETCD_REASON_MAX];
	int err = send_removal(cli, c, r->member->id, left);
	int sure = err;

	snprintf(reason, sizeof(reason), "%s", etcd_gateway_reason(c->gateway));
	if (err)
		sure = look_again(c, r, err == -EINPROGRESS ? ELECTION_S : 1, left);
	if (sure)
		return cli_fail(err == -EINPROGRESS ? CLI_TIMEOUT : CLI_UNREACHABLE,
		                sure == -EEXIST
		                        ? "%s is still in the list of members (%s): try it again"
		                        : "whether %s is removed is not known (%s): weir store "
		                          "check shows the members",
		                name_member(r->member), reason);
	forget_endpoint(cli, c, r->member->client_url, left);
	if (cli->json) {
		api_print_own(json_with(JSON_TEXTS({ "removed", name_member(r->member) }),
		                        "members", json_integer((json_int_t)r->n_left)));
		return CLI_OK;
	}
	printf("%s is removed\n", name_member(r->member));
	if (r->is_up)
		puts("on its host: systemctl disable --now etcd, and remove /var/lib/etcd/weir");
	if (r->n_left < 3)
		puts("next: weir store join store.join --member on another host");
	return CLI_OK;
}

int cli_store_remove(struct cli *cli, const struct cli_args *args)
{
	struct removal *r = MEMORY_NEW(struct removal);
	char question[ETCD_URL_MAX + 16];
	int status = CLI_OK;
	struct store_client *c = store_client_open(cli, &status);

	if (c)
		status = plan_removal(c, args->at[0], r);
	if (c && !status) {
		if (!cli->json)
			print_plan(r);
		snprintf(question, sizeof(question), "remove %s?", name_member(r->member));
		status = cli_consent(cli, args, question);
		if (!status)
			status = remove_member(cli, c, r);
	}
	if (c)
		store_client_close(c);
	free(r);
	return status;
}
