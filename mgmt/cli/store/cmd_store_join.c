/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store join: connects this host to a store that another one has begun, by the file that it wrote. With --member this
 * host gets a member of etcd, too: a learner first, which is promoted when it has all that the others have.
 *
 * What fails is taken back: the learner leaves the list of members, and the files go. If the command itself is killed,
 * the next one finds its files (store.unfinished) and its learner (by the address), and removes both. Once the learner may
 * have its vote, nothing is removed any more: the next command goes on from there.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/reason.h"
#include "mgmt/cli/api.h"
#include "mgmt/cli/store/store_setup.h"
#include "mgmt/store/store_claim.h"
#include "mgmt/setup/store_members.h"

#define POLL_US     1000000u
#define REPORT_MS   5000u
#define PROMOTE_S   600 /* for the learner to get all: at most 256 MiB, over a slow line */
#define HEALTHY_S   30  /* for the members to be well, as etcd sees it */
#define OTHER_S     120 /* for another host's learner to be promoted */
#define MEMBERS_MAX ETCD_ENDPOINTS_MAX

/* What a member is added with. */
struct joining {
	struct store_setup *s;
	const char *path;             /* of the file that was brought */
	struct etcd_gateway *gateway; /* to the members that are there */
	char peer_url[ETCD_URL_MAX], client_url[ETCD_URL_MAX];
	struct etcd_members members;
	uint64_t id; /* of the learner; 0: not added */
};

/* --certificate and --key, where the store's file makes none. */
static int read_own_pair(struct store_setup *s, const struct cli_args *args, bool is_member)
{
	bool is_needed = s->join.is_own && !*s->join.ca_key;
	int status = store_setup_read(args, "--certificate", s->node.pem, sizeof(s->node.pem));

	if (!status)
		status = store_setup_read(args, "--key", s->node.key, sizeof(s->node.key));
	if (status)
		return status;
	if (!is_needed && (*s->node.pem || *s->node.key))
		return cli_fail(CLI_USAGE, "--certificate and --key are not needed: " JOIN_FILE
		                           " has what makes them");
	if (!is_needed)
		return CLI_OK;
	if (!*s->node.pem || !*s->node.key)
		return cli_fail(
		        CLI_USAGE,
		        "this store has certificates of your own CA: give --certificate and "
		        "--key of this host, signed by it");
	const char *fault = certificates_find_fault(s->join.ca, &s->node,
	                                            is_member ? CERTIFICATES_SERVER_AND_CLIENT
	                                                      : CERTIFICATES_CLIENT,
	                                            is_member ? s->host.address : NULL);

	s->member = s->node;
	return fault ? cli_fail(CLI_USAGE, "%s", fault) : CLI_OK;
}

/* What this node and its member show. */
static int plan_pairs(struct store_setup *s, const struct cli_args *args, bool is_member)
{
	struct certificate_pair ca;
	int status = read_own_pair(s, args, is_member), err = 0;

	if (status || (s->join.is_own && !*s->join.ca_key))
		return status;
	if (!*s->join.ca_key) {
		memcpy(s->node.pem, s->join.certificate, sizeof(s->node.pem));
		memcpy(s->node.key, s->join.key, sizeof(s->node.key));
		return CLI_OK;
	}
	memcpy(ca.pem, s->join.ca, sizeof(ca.pem));
	memcpy(ca.key, s->join.ca_key, sizeof(ca.key));
	err = certificates_sign(&ca, *s->host.name ? s->host.name : "weir-node", NULL, &s->node);
	if (!err && is_member)
		err = certificates_sign(&ca, CERTIFICATES_MEMBER, s->host.address, &s->member);
	explicit_bzero(&ca, sizeof(ca));
	return err ? cli_fail(CLI_USAGE, JOIN_FILE ": ca and ca_key sign nothing (%s)",
	                      strerror(-err))
	           : CLI_OK;
}

/* Nobody was reached: who was asked, and what else may have them. */
static void explain_silence(struct store_setup *s, const char *text)
{
	size_t used = 0;

	for (uint32_t i = 0; i < s->settings.n_endpoints && used < sizeof(s->reason); i++)
		used += (size_t)snprintf(s->reason + used, sizeof(s->reason) - used, "%s%s",
		                         i ? ", "
		                           : "no member of the store answers as it should at ",
		                         s->settings.endpoints[i]);
	if (used < sizeof(s->reason))
		snprintf(s->reason + used, sizeof(s->reason) - used,
		         " (%s): look at the network (TCP %u), and at etcd there. " JOIN_FILE
		         " may be older than these members: where they are lost, put the "
		         "\"endpoints\" of " STORE_CONF_FILE " of a host that %s into it",
		         text, ETCD_UNIT_CLIENT_PORT,
		         s->join.is_own ? "has a member now" : "reaches the store now");
}

/* A member answers, and has the store of the file. @return 0 or -errno, with a reason */
static int check_store(struct store_setup *s)
{
	char text[ETCD_REASON_MAX];
	struct store_claim claim;
	int err = store_claim_look(&s->settings, s->join.prefix, &claim, NULL, text);

	if (err)
		explain_silence(s, text);
	else if (strcmp(claim.id, s->join.id) != 0)
		err = reason_write(s->reason, sizeof(s->reason), -EEXIST,
		                   "the members have %s%s below %s, and " JOIN_FILE
		                   " is of store %s: bring the file of the store that is there",
		                   *claim.id ? "store " : "no store", claim.id, s->join.prefix,
		                   s->join.id);
	return err;
}

static int fail_members(struct joining *j, const char *what, int err)
{
	snprintf(j->s->reason, sizeof(j->s->reason), "%s: %s", what,
	         etcd_gateway_reason(j->gateway));
	return err ? err : -EIO;
}

static int list_members(struct joining *j)
{
	int err = store_members_list(j->gateway, &j->members);

	return err ? fail_members(j, "the members cannot be listed", err) : 0;
}

static const struct etcd_member *find_learner(const struct etcd_members *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->members[i].is_learner)
			return &l->members[i];
	return NULL;
}

/* etcd has one learner at a time: another host's is waited for. */
static int wait_for_learner(struct joining *j)
{
	uint64_t until_ms = clock_mono_ms() + OTHER_S * 1000, report_ms = 0;
	const struct etcd_member *other;
	int err = 0;

	while (!err && (other = find_learner(&j->members)) && clock_mono_ms() < until_ms) {
		if (clock_mono_ms() >= report_ms) {
			store_say(j->s->cli, "waiting for the member at %s, which joins just now\n",
			          other->peer_url);
			report_ms = clock_mono_ms() + REPORT_MS;
		}
		usleep(POLL_US);
		err = list_members(j);
	}
	other = err ? NULL : find_learner(&j->members);
	if (!other)
		return err;
	return reason_write(
	        j->s->reason, sizeof(j->s->reason), -EBUSY,
	        "the member at %.200s (%s) has been joining for %d s, and there can be only one at "
	        "a time: if its weir store join does not run any more, weir store remove %" PRIx64,
	        other->peer_url, *other->name ? other->name : "it did not start yet", OTHER_S,
	        other->id);
}

/* Whether this host can be a member; what an earlier command left in the list goes. @return 0 or -errno, with a reason */
static int check_members(struct joining *j)
{
	struct store_setup *s = j->s;
	int err = list_members(j);
	const struct etcd_member *own =
	        err ? NULL : store_members_find_peer(&j->members, j->peer_url);

	if (own && own->is_learner) {
		if (store_members_remove(j->gateway, own->id, &j->members))
			return fail_members(j, "the learner of an earlier command stays", 0);
		err = list_members(j);
	} else if (own) {
		return reason_write(
		        s->reason, sizeof(s->reason), -EEXIST,
		        "a member at %.200s is in the list, and its data is not on this host: weir "
		        "store remove %" PRIx64 " at another node, then the same command again",
		        j->peer_url, own->id);
	}
	if (!err && store_members_find_name(&j->members, s->host.name))
		return reason_write(s->reason, sizeof(s->reason), -EEXIST,
		                    "there is a member named %s already: give another --name",
		                    s->host.name);
	if (!err)
		err = wait_for_learner(j);
	if (!err && j->members.n >= MEMBERS_MAX)
		err = reason_write(
		        s->reason, sizeof(s->reason), -E2BIG,
		        "the store has %zu members, and more make it slower, not safer: join "
		        "without --member",
		        j->members.n);
	return err;
}

/*
 * Add the learner. It may be in the list all the same where the answer says something else or was lost.
 * @return 0, or as store_members_add() with @p reason
 */
static int add_once(struct joining *j, char reason[ETCD_REASON_MAX])
{
	int err = store_members_add(j->gateway, j->peer_url, &j->members);

	if (!err) {
		j->id = j->members.added;
		return j->id ? 0 : -EIO;
	}
	snprintf(reason, ETCD_REASON_MAX, "%s", etcd_gateway_reason(j->gateway));
	const struct etcd_member *own =
	        list_members(j) ? NULL : store_members_find_peer(&j->members, j->peer_url);

	if (!own)
		return err;
	j->id = own->id;
	return 0;
}

/*
 * etcd does not take the next member for some seconds after the one before, and none beside another host's learner, which
 * may have come in the meantime. And an id is made of the URL and the second: one that left the list in this second is "not
 * found" when it comes back.
 */
static bool may_be_added_later(int err, const char *reason, uint64_t waited_ms)
{
	if (strstr(reason, "too many learner"))
		return waited_ms < OTHER_S * 1000;
	return (err == -EINPROGRESS || err == -EHOSTUNREACH ||
	        strstr(reason, "unhealthy cluster") || strstr(reason, "member not found")) &&
	       waited_ms < HEALTHY_S * 1000;
}

static int add_learner(struct joining *j)
{
	uint64_t began_ms = clock_mono_ms(), report_ms = 0;
	char reason[ETCD_REASON_MAX] = "";
	int err;

	while ((err = add_once(j, reason)) &&
	       may_be_added_later(err, reason, clock_mono_ms() - began_ms)) {
		if (clock_mono_ms() >= report_ms) {
			store_say(j->s->cli,
			          "waiting until etcd takes another member: one at a time, "
			          "and all others up for 5 s\n");
			report_ms = clock_mono_ms() + REPORT_MS;
		}
		usleep(POLL_US);
	}
	if (err)
		snprintf(
		        j->s->reason, sizeof(j->s->reason),
		        "etcd does not add the member (%s): weir store check at another node shows "
		        "the others",
		        reason);
	return err;
}

/* "ams-1=https://10.1.0.1:2380,...": all members, this one with the name that it will have. */
static int write_cluster(const struct joining *j, char out[ETCD_UNIT_CLUSTER_MAX])
{
	size_t used = 0;

	for (size_t i = 0; i < j->members.n; i++) {
		const struct etcd_member *m = &j->members.members[i];
		const char *name = m->id == j->id ? j->s->host.name : m->name;

		used += (size_t)snprintf(out + used, ETCD_UNIT_CLUSTER_MAX - used, "%s%s=%s",
		                         used ? "," : "", name, m->peer_url);
		if (used >= ETCD_UNIT_CLUSTER_MAX)
			return -ENAMETOOLONG;
	}
	return 0;
}

static int start_unit(struct joining *j)
{
	struct store_setup *s = j->s;
	char cluster[ETCD_UNIT_CLUSTER_MAX];
	const struct etcd_unit u = { .id = s->join.id,
		                     .name = s->host.name,
		                     .address = s->host.address,
		                     .cluster = cluster,
		                     .joins = true,
		                     .has_own_ca = *s->join.ca_key != '\0',
		                     .ca = s->join.ca,
		                     .member = &s->member };

	if (write_cluster(j, cluster))
		return reason_write(s->reason, sizeof(s->reason), -ENAMETOOLONG,
		                    "the list of members is too long");
	int err = etcd_unit_write(&u, s->reason);

	return err ? err : etcd_unit_start(s->reason);
}

/* Give the learner its vote as soon as it has all. */
static int promote_learner(struct joining *j)
{
	uint64_t now_ms = clock_mono_ms(), until_ms = now_ms + PROMOTE_S * 1000;
	uint64_t report_ms = now_ms + REPORT_MS;

	for (;;) {
		int err = store_members_promote(j->gateway, j->id, &j->members);

		if (!err)
			return 0;
		char reason[ETCD_REASON_MAX];

		snprintf(reason, sizeof(reason), "%s", etcd_gateway_reason(j->gateway));
		/* the answer to an earlier request may have been lost */
		const struct etcd_member *own =
		        list_members(j) ? NULL : store_members_find_peer(&j->members, j->peer_url);

		if (own && !own->is_learner)
			return 0;
		now_ms = clock_mono_ms();
		if (now_ms >= until_ms)
			return reason_write(
			        j->s->reason, sizeof(j->s->reason), -ETIMEDOUT,
			        "the new member does not get all of the store within %d s (%s): "
			        "journalctl -u etcd on this host says more",
			        PROMOTE_S, reason);
		if (now_ms >= report_ms) {
			store_say(j->s->cli,
			          "the new member gets what the others have (for %" PRIu64 " s)\n",
			          (now_ms - (until_ms - PROMOTE_S * 1000)) / 1000);
			report_ms = now_ms + REPORT_MS;
		}
		usleep(POLL_US);
	}
}

/* The member on this host should answer by itself; it has its vote in any case. */
static void wait_for_own(struct joining *j)
{
	struct etcd_settings *own = &(struct etcd_settings){ 0 };

	*own = j->s->settings;
	own->n_endpoints = 1;
	snprintf(own->endpoints[0], ETCD_URL_MAX, "%s", j->client_url);
	if (store_setup_wait(j->s, own))
		fprintf(stderr, "warning: the member on this host: %s\n", j->s->reason);
	if (list_members(j))
		fprintf(stderr, "warning: %s\n", j->s->reason);
}

/*
 * The endpoints of store.conf: this host's own first, because it is the nearest; then all that are known. The file that was
 * brought names them, too: the members that it came with may be lost some day.
 */
static void write_endpoints(const struct joining *j)
{
	struct store_setup *s = j->s;
	uint32_t n = store_members_urls(&j->members, j->id ? j->client_url : "", s->conf.endpoints);
	int err = n ? join_file_renew(j->path, s->join.id, &j->members) : 0;

	if (n)
		s->conf.n_endpoints = n;
	if (err)
		fprintf(stderr, "warning: %s does not name all members (%s)\n", j->path,
		        strerror(-err));
}

/*
 * Take the learner out of the list again: it has no vote, so this needs no more than the others. @return whether it is known
 * that this host has no member; one that has its vote stays
 */
static bool remove_learner(struct joining *j)
{
	struct etcd_members *left = &(struct etcd_members){ 0 };

	if (!j->id)
		return !j->s->resumes;
	if (store_members_list(j->gateway, left))
		return false;
	const struct etcd_member *own = store_members_find_peer(left, j->peer_url);

	if (!own)
		return true;
	if (!own->is_learner)
		return false;
	if (!store_members_remove(j->gateway, own->id, left))
		return true;
	fprintf(stderr,
	        "weir: the learner %" PRIx64
	        " stays in the list (%s): the same command again, or weir store remove %" PRIx64
	        " at another node, removes it\n",
	        j->id, etcd_gateway_reason(j->gateway), j->id);
	return false;
}

/*
 * From the moment at which the learner may have its vote, its data is not removed any more: of two members, one without its
 * data, nothing would ever be decided again.
 */
static int keep_and_promote(struct joining *j)
{
	j->s->note.keeps = true;
	int err = store_setup_note(j->s);

	if (!err)
		err = promote_learner(j);
	if (!err)
		wait_for_own(j);
	return err;
}

static int add_member(struct joining *j)
{
	int err = check_members(j);

	if (!err)
		err = add_learner(j);
	if (err)
		return err;
	store_say(j->s->cli, "etcd starts on this host, as member %s at %s, without a vote yet\n",
	          j->s->host.name, j->client_url);
	err = start_unit(j);
	return err ? err : keep_and_promote(j);
}

/* Go on with the member of a command that did not end. */
static int resume_member(struct joining *j)
{
	int err = list_members(j);
	const struct etcd_member *own =
	        err ? NULL : store_members_find_peer(&j->members, j->peer_url);

	if (err)
		return err;
	if (!own) { /* somebody has removed it: its data is of no use to anybody */
		if (etcd_unit_check_unused("", j->s->reason))
			return -EBUSY; /* it is another store's */
		j->s->note.keeps = false;
		snprintf(j->s->reason, sizeof(j->s->reason),
		         "the member of an earlier command is not in the list any more: run the "
		         "same command again");
		return store_setup_note(j->s) ? -EIO : -ENOENT;
	}
	j->id = own->id;
	err = etcd_unit_start(j->s->reason);
	return err ? err : keep_and_promote(j);
}

/* Write all, in an order that can be taken back or gone on with. @return 0 or -errno, with a reason */
static int connect_node(struct joining *j, bool is_member)
{
	struct store_setup *s = j->s;
	char text[ETCD_REASON_MAX];

	if (!s->resumes)
		s->note = (struct unfinished){ .has_etcd = is_member,
			                       .was_active = is_member && etcd_unit_is_active() };
	int err = store_setup_begin(s);

	if (!err)
		err = check_store(s);
	if (!err && (err = etcd_gateway_open(&s->settings, NULL, &j->gateway, text)) != 0)
		snprintf(s->reason, sizeof(s->reason), "%s", text);
	if (!err && is_member)
		err = s->resumes ? resume_member(j) : add_member(j);
	else if (!err && s->join.is_own)
		err = list_members(j);
	if (err)
		return err;
	if (s->join.is_own)
		write_endpoints(j);
	return node_files_end(s->cli->dirs.conf, &s->conf, s->reason);
}

static void print_joined(const struct joining *j)
{
	const struct store_setup *s = j->s;
	size_t voters = store_members_voters(&j->members);

	if (s->cli->json) {
		api_print_own(json_with(JSON_TEXTS({ "id", s->join.id }), "member",
		                        json_boolean(j->id != 0)));
		return;
	}
	printf("this node is in store %s\n", s->join.id);
	if (j->id && voters < 3)
		printf("%zu members: while any of them is down, no configuration can be changed; a "
		       "third one ends that\n",
		       voters);
	else if (j->id)
		printf("%zu members: configuration can be changed while %zu of them are up\n",
		       voters, voters / 2 + 1);
	printf("next:\n"
	       "  where Weir runs: systemctl restart weir (store.conf is read at the start)\n"
	       "  when all have joined: keep the " JOIN_FILE
	       " of the host that joined last off the hosts, it names all members;\n"
	       "  remove " JOIN_FILE " on every host, it is a secret\n");
}

static int run_join(struct store_setup *s, const char *path, bool is_member)
{
	struct joining *j = &(struct joining){ .s = s, .path = path };
	int err;

	if (is_member) {
		etcd_unit_url(s->host.address, ETCD_UNIT_PEER_PORT, j->peer_url,
		              sizeof(j->peer_url));
		etcd_unit_url(s->host.address, ETCD_UNIT_CLIENT_PORT, j->client_url,
		              sizeof(j->client_url));
	}
	err = connect_node(j, is_member);
	if (!err) {
		print_joined(j);
	} else if (j->gateway && remove_learner(j)) {
		store_setup_forget(s);
	}
	if (j->gateway)
		etcd_gateway_close(j->gateway);
	return err ? store_setup_fail(s, err) : CLI_OK;
}

/* The files are there, and of this command. */
static int plan_resumed(struct store_setup *s, const struct cli_args *args, bool is_member)
{
	if (s->note.has_join)
		return cli_fail(CLI_CONFLICT,
		                "it was weir store init, which begins a store here: run it again");
	if (!is_member)
		return cli_fail(CLI_CONFLICT,
		                "it was weir store join --member, and this host's member "
		                "may count: run it again with --member");
	return plan_pairs(s, args, is_member);
}

/* What the file and the options say; nothing is written yet. */
static int plan_join(struct store_setup *s, const struct cli_args *args, bool is_member)
{
	char text[ETCD_REASON_MAX];
	int err = join_file_read(args->at[0], &s->join, text), status = CLI_OK;

	if (err == -ENOENT)
		return cli_fail(CLI_USAGE,
		                "there is no %s: it is your copy of CONF/" JOIN_FILE
		                " of the node where weir store init ran",
		                args->at[0]);
	if (err)
		return cli_fail(CLI_USAGE, "%s: %s", args->at[0], text);
	if (is_member && !s->join.is_own)
		return cli_fail(CLI_USAGE, "--member: the members of this store are not set up by "
		                           "weir; join without it");
	if (!is_member && (cli_value(args, "--listen") || cli_value(args, "--name")))
		return cli_fail(CLI_USAGE, "--listen and --name go with --member");
	if (is_member)
		status = store_setup_find_host(s, args);
	else if (strlen(s->cli->dirs.node) < sizeof(s->host.name))
		strcpy(s->host.name, s->cli->dirs.node);
	if (!status && s->resumes)
		return plan_resumed(s, args, is_member);
	if (!status && is_member && etcd_unit_check(s->host.address, s->reason))
		status = cli_fail(CLI_CONFLICT, "%s", s->reason);
	if (!status)
		status = store_setup_check_files(s, false);
	return status ? status : plan_pairs(s, args, is_member);
}

int cli_store_join(struct cli *cli, const struct cli_args *args)
{
	bool is_member = cli_flag(args, "--member");
	int status;
	struct store_setup *s = store_setup_new(cli, &status);

	if (!s)
		return status;
	status = plan_join(s, args, is_member);
	if (!status)
		status = run_join(s, args->at[0], is_member);
	store_setup_free(s);
	return status;
}
