/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store init: begins the store that nodes share, on the first host. Either it makes this host the first member of an
 * etcd of Weir's own, with a CA of its own or with certificates that are given; or it uses an etcd that is there.
 *
 * The order lets every end in the middle be taken back: store.unfinished first, store.conf last (mgmt/setup/node_files.h).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/proc.h"
#include "base/reason.h"
#include "mgmt/cli/api.h"
#include "mgmt/cli/store/store_setup.h"
#include "mgmt/store/bootstrap.h"
#include "mgmt/store/store_claim.h"
#include "weir/model.h"

static const char warning[] =
        "A secret: who has this file can use the store, and make certificates that it accepts. "
        "Remove it when all have joined.";

static const char of_one_member[] = "one member: while this host is down, no configuration can be "
                                    "changed; all that is in force stays";

static const char of_copies[] =
        "  then, at the node that has the newest versions, once it has this store.conf or its "
        "own: weir store rebuild --reason TEXT; until then the store is empty, and no node takes "
        "anything from it\n";

/* Read --ca, --certificate and --key. */
static int read_given(struct store_setup *s, const struct cli_args *args)
{
	int status = store_setup_read(args, "--ca", s->join.ca, sizeof(s->join.ca));

	if (!status)
		status = store_setup_read(args, "--certificate", s->node.pem, sizeof(s->node.pem));
	if (!status)
		status = store_setup_read(args, "--key", s->node.key, sizeof(s->node.key));
	if (!status && !*s->node.pem != !*s->node.key)
		status = cli_fail(CLI_USAGE, "--certificate and --key need each other");
	return status;
}

static int check_given(const struct store_setup *s, enum certificates_use use, const char *address)
{
	const char *fault = *s->join.ca && !certificates_is_ca(s->join.ca)
	                            ? "--ca cannot be read: PEM is expected"
	                    : *s->node.pem
	                            ? certificates_find_fault(s->join.ca, &s->node, use, address)
	                            : NULL;

	return fault ? cli_fail(CLI_USAGE, "%s", fault) : CLI_OK;
}

/* A CA of this store, and what it signs for this host. */
static int make_certificates(struct store_setup *s)
{
	struct certificate_pair ca;
	char name[64];

	snprintf(name, sizeof(name), "Weir store %.32s", s->join.id);
	int err = certificates_make_ca(name, &ca);

	if (!err)
		err = certificates_sign(&ca, CERTIFICATES_MEMBER, s->host.address, &s->member);
	if (!err)
		err = certificates_sign(&ca, s->host.name, NULL, &s->node);
	if (!err) {
		memcpy(s->join.ca, ca.pem, sizeof(s->join.ca));
		memcpy(s->join.ca_key, ca.key, sizeof(s->join.ca_key));
	}
	explicit_bzero(&ca, sizeof(ca));
	return err ? cli_fail(CLI_UNREACHABLE, "certificates cannot be made: %s", strerror(-err))
	           : CLI_OK;
}

static int plan_certificates(struct store_setup *s, const struct cli_args *args)
{
	int status = read_given(s, args);

	if (status)
		return status;
	if (!*s->join.ca && !*s->node.pem)
		return make_certificates(s);
	if (!*s->join.ca || !*s->node.pem)
		return cli_fail(CLI_USAGE, "--ca, --certificate and --key need each other");
	s->member = s->node;
	return check_given(s, CERTIFICATES_SERVER_AND_CLIENT, s->host.address);
}

/* Write everything but store.conf, start etcd, begin the store. @return 0 or -errno, with a reason */
static int start_member(struct store_setup *s)
{
	char url[ETCD_URL_MAX], cluster[ETCD_UNIT_CLUSTER_MAX], text[ETCD_REASON_MAX];
	struct etcd_unit u = { .id = s->join.id,
		               .name = s->host.name,
		               .address = s->host.address,
		               .cluster = cluster,
		               .has_own_ca = *s->join.ca_key != '\0',
		               .ca = s->join.ca,
		               .member = &s->member };

	snprintf(cluster, sizeof(cluster), "%s=%s", s->host.name,
	         etcd_unit_url(s->host.address, ETCD_UNIT_PEER_PORT, url, sizeof(url)));
	int err = etcd_unit_write(&u, s->reason);

	if (!err)
		err = etcd_unit_start(s->reason);
	if (!err) {
		store_say(s->cli, "etcd is started on this host, as member %s at %s\n",
		          s->host.name, s->join.endpoints[0]);
		err = store_setup_wait(s, &s->settings);
	}
	if (err)
		return err;
	err = store_claim_make(&s->settings, s->join.prefix, s->join.id, s->is_again, text);
	if (err)
		snprintf(s->reason, sizeof(s->reason), "the store cannot be begun: %s", text);
	return err;
}

/* What is to be done now, in its order. */
static void print_next(const struct store_setup *s, const char *first)
{
	const char *conf = s->cli->dirs.conf;
	char file[PATH_MAX + sizeof("/" JOIN_FILE)];

	snprintf(file, sizeof(file), "%s/" JOIN_FILE, conf);
	if (s->cli->json) {
		api_print_own(JSON_TEXTS({ "id", s->join.id }, { "endpoint", s->join.endpoints[0] },
		                         { "join_file", file }));
		return;
	}
	printf("store %s begins, and %s/" STORE_CONF_FILE " names it\n", s->join.id, conf);
	puts(first);
	printf("next:\n"
	       "  where Weir runs: systemctl restart weir (store.conf is read at the start)\n"
	       "%s"
	       "  copy %s/" JOIN_FILE " to each other node; there: weir store join " JOIN_FILE
	       "%s\n"
	       "  then remove %s/" JOIN_FILE
	       " everywhere, and keep the copy of the node that joined last off the nodes: it "
	       "is a secret, and names all members\n",
	       s->is_again ? of_copies : "", conf,
	       s->join.is_own && !*s->join.ca_key ? " --certificate FILE --key FILE" : "", conf);
	if (s->join.is_own)
		puts("  on two other nodes, best of other sites, with --member: a store of three "
		     "members goes on without one of them");
	if (!s->is_alone)
		puts("whether another node has a store is not known here: run store init on one node "
		     "alone");
}

/* store.conf is all that lacks. */
static int end_init(struct store_setup *s, const char *first)
{
	int err = node_files_end(s->cli->dirs.conf, &s->conf, s->reason);

	if (err)
		return store_setup_fail(s, err);
	store_setup_check_release(s);
	print_next(s, first);
	return CLI_OK;
}

/* Write store.join; from then on what is there is kept, as a store may be in it. @return 0 or -errno, with a reason */
static int write_join(struct store_setup *s)
{
	int err = join_file_write(s->cli->dirs.conf, &s->join);

	if (err)
		return reason_write(s->reason, sizeof(s->reason), err, JOIN_FILE ": %s",
		                    strerror(-err));
	s->note.keeps = true;
	err = store_setup_note(s);
	s->note.keeps = !err;
	return err;
}

static int begin_own(struct store_setup *s, const struct cli_args *args)
{
	int status = store_setup_find_host(s, args);

	if (status)
		return status;
	s->join.is_own = true;
	s->join.n_endpoints = 1;
	etcd_unit_url(s->host.address, ETCD_UNIT_CLIENT_PORT, s->join.endpoints[0],
	              sizeof(s->join.endpoints[0]));
	int err = etcd_unit_check(s->host.address, s->reason);

	if (err)
		return cli_fail(err == -ENOENT || err == -ENOSYS ? CLI_UNREACHABLE : CLI_CONFLICT,
		                "%s", s->reason);
	status = plan_certificates(s, args);
	if (status)
		return status;
	s->note = (struct unfinished){ .has_etcd = true,
		                       .has_join = true,
		                       .was_active = etcd_unit_is_active() };
	memcpy(s->note.id, s->join.id, sizeof(s->note.id));
	err = store_setup_begin(s);
	if (!err)
		err = start_member(s);
	if (!err)
		err = write_join(s);
	if (err)
		return store_setup_fail(s, err);
	return end_init(s, of_one_member);
}

/* Endpoints, separated by commas. */
static int read_endpoints(struct store_setup *s, const char *list)
{
	while (*list) {
		size_t n = strcspn(list, ",");

		if (s->join.n_endpoints == ETCD_ENDPOINTS_MAX)
			return cli_fail(CLI_USAGE, "--endpoints: at most %u", ETCD_ENDPOINTS_MAX);
		if (n >= ETCD_URL_MAX)
			return cli_fail(CLI_USAGE, "--endpoints: a URL is too long");
		snprintf(s->join.endpoints[s->join.n_endpoints++], ETCD_URL_MAX, "%.*s", (int)n,
		         list);
		list += n + (list[n] == ',');
	}
	return CLI_OK;
}

/* Who uses the etcd that is there. */
static int read_user(struct store_setup *s, const struct cli_args *args)
{
	const char *user = cli_text(args, "--user");
	char password[ETCD_PASSWORD_MAX + 1];

	if (!user != !cli_text(args, "--password-file"))
		return cli_fail(CLI_USAGE, "--user and --password-file need each other");
	if (!user)
		return CLI_OK;
	if (strlen(user) >= sizeof(s->join.user))
		return cli_fail(CLI_USAGE, "--user: at most %zu bytes", sizeof(s->join.user) - 1);
	int status = store_setup_read(args, "--password-file", password, sizeof(password));

	password[strcspn(password, "\r\n")] = '\0';
	if (!status && (!*password || strlen(password) >= sizeof(s->join.password)))
		status = cli_fail(CLI_USAGE,
		                  "--password-file: its first line must have 1 to %zu bytes",
		                  sizeof(s->join.password) - 1);
	if (!status) {
		strcpy(s->join.user, user);
		strcpy(s->join.password, password);
	}
	explicit_bzero(password, sizeof(password));
	return status;
}

static const char of_others[] =
        "etcd itself is as it was: its settings, members and backups are those "
        "of who runs it";

/*
 * Begin the store. After an error, also of a second try, the record says whether it was begun; while it cannot be read, that is not known.
 */
static int make_claim(const struct store_setup *s, char text[ETCD_REASON_MAX])
{
	char later[ETCD_REASON_MAX];
	struct store_claim claim;
	int err = store_claim_make(&s->settings, s->join.prefix, s->join.id, s->is_again, text);

	if (!err)
		return 0;
	if (store_claim_look(&s->settings, s->join.prefix, &claim, NULL, later))
		return -EINPROGRESS;
	return !strcmp(claim.id, s->join.id) ? 0 : err;
}

/*
 * Whether the prefix has nothing yet, or what an earlier command began; then begin the store there. @return 0 or -errno, with
 * a reason
 */
static int claim_prefix(struct store_setup *s)
{
	char text[ETCD_REASON_MAX];
	struct store_claim claim;
	size_t n = 0;
	int err = store_claim_look(&s->settings, s->join.prefix, &claim, &n, text);

	if (!err && !strcmp(claim.id, s->join.id))
		return 0;
	if (!err && *claim.id)
		err = reason_write(s->reason, sizeof(s->reason), -EEXIST,
		                   "%s has the store %s already: join it with the " JOIN_FILE
		                   " of the node that began it, or give another --prefix",
		                   s->join.prefix, claim.id);
	else if (!err && n)
		err = reason_write(
		        s->reason, sizeof(s->reason), -EEXIST,
		        "there are %zu keys below %s that are no store's: give another --prefix", n,
		        s->join.prefix);
	else if (err || (err = make_claim(s, text)) != 0)
		snprintf(s->reason, sizeof(s->reason), "%s", text);
	if (err && err != -EINPROGRESS && !s->resumes)
		store_setup_forget(s); /* it is certain that no store of ours is there */
	return err;
}

static int begin_given(struct store_setup *s, const struct cli_args *args)
{
	int status = read_endpoints(s, cli_value(args, "--endpoints"));

	if (!status)
		status = read_user(s, args);
	if (!status)
		status = read_given(s, args);
	if (!status)
		status = check_given(s, CERTIFICATES_CLIENT, NULL);
	if (status)
		return status;
	memcpy(s->join.certificate, s->node.pem, sizeof(s->join.certificate));
	memcpy(s->join.key, s->node.key, sizeof(s->join.key));
	s->note = (struct unfinished){ .has_join = true };
	memcpy(s->note.id, s->join.id, sizeof(s->note.id));
	int err = store_setup_begin(s);

	if (!err)
		err = write_join(s);
	if (!err)
		err = claim_prefix(s);
	if (err)
		return store_setup_fail(s, err);
	return end_init(s, of_others);
}

/* Options that the other way of beginning has no use for. */
static int check_way(const struct cli_args *args, bool is_given)
{
	static const char *const own[] = { "--listen", "--name", NULL }, *const given[] = {
		"--prefix", "--user", "--password-file", NULL
	};

	for (const char *const *name = is_given ? own : given; *name; name++)
		if (cli_value(args, *name))
			return cli_fail(
			        CLI_USAGE,
			        is_given ? "%s does not go with --endpoints: that etcd is not "
			                   "set up here"
			                 : "%s goes with --endpoints alone",
			        *name);
	return CLI_OK;
}

/* An earlier command has written all but store.conf. */
static int finish_earlier(struct store_setup *s)
{
	char path[PATH_MAX], text[ETCD_REASON_MAX];
	int err = proc_path(s->cli->dirs.conf, JOIN_FILE, path);

	if (!s->note.has_join)
		return cli_fail(CLI_CONFLICT,
		                "it was weir store join --member, and this host's member "
		                "may count: run it again");
	if (!err)
		err = join_file_read(path, &s->join, text);
	if (err)
		return cli_fail(CLI_CONFLICT, "%s/%s", s->cli->dirs.conf, text);
	s->node.pem[0] = *s->join.certificate || s->join.is_own ? 'x' : '\0'; /* there is one */
	err = store_setup_settings(s);
	if (!err && s->join.is_own)
		err = store_setup_wait(s, &s->settings);
	if (!err)
		err = claim_prefix(s);
	return err ? store_setup_fail(s, err)
	           : end_init(s, s->join.is_own ? of_one_member : of_others);
}

/* Take the id of a store that nodes have copies of. @return as cli_fail() */
static int use_id(struct store_setup *s, const char *id)
{
	if (!store_conf_is_id(id))
		return cli_fail(CLI_USAGE, "--id: 32 digits 0-9 and a-f, as weir store status "
		                           "shows them at a node that has a copy");
	memcpy(s->join.id, id, sizeof(s->join.id));
	s->is_again = true;
	return CLI_OK;
}

/* Whether weir.conf has other nodes, as far as it can be read. */
static bool has_others(const struct cli *cli)
{
	char path[PATH_MAX];
	struct model_errors errors = { 0 };
	struct model *m = NULL;
	bool has = !proc_path(cli->dirs.conf, PROC_CONF_FILE, path) &&
	           !model_read_config_without_key(path, cli->dirs.node, &m, &errors) &&
	           join_has_peers(m);

	model_errors_free(&errors);
	model_free(m);
	return has;
}

static int refuse_unknown(const char *reason, const char *node)
{
	return cli_fail(CLI_CONFLICT,
	                "whether another node has a store is not known: %s%s. A second store would "
	                "divide the nodes: if one has a store, weir store join " JOIN_FILE
	                "; if none has, --first says so",
	                reason, node);
}

/* What weir-mgmt here has heard of the stores of its peers. A store of @p id is the one that begins again. */
static int check_heard(struct store_setup *s, const json_t *items, const char *id, bool is_certain)
{
	const json_t *item;
	const char *silent = NULL;
	size_t i;

	json_array_foreach(items, i, item)
	{
		const char *node = api_text(item, "node", "?"),
		           *store = api_text(item, "store", NULL);

		if (!store)
			silent = node;
		else if (*store && (!id || strcmp(store, id) != 0))
			return cli_fail(CLI_CONFLICT,
			                "%s has the store %s: join it here, with weir store join "
			                "and your copy of " JOIN_FILE
			                " or that of a host that joined; if all its members are "
			                "lost: --id %s, then weir store rebuild",
			                node, store, store);
	}
	s->is_alone = !silent;
	return !silent || is_certain
	               ? CLI_OK
	               : refuse_unknown("weir-mgmt here does not hear it of ", silent);
}

/* No second store: weir-mgmt on this host hears the other nodes. With --id or --first a person says what it does not know. */
static int check_peers(struct store_setup *s, const struct cli_args *args)
{
	const struct api_request request = { .method = "GET", .path = "/v1/peers" };
	bool is_certain = cli_flag(args, "--first") || cli_text(args, "--id");
	struct api_reply reply = { 0 };
	int status = api_call_quietly(s->cli, &request, &reply);
	const json_t *items = status ? NULL : json_object_get(reply.body, "items");

	if (json_array_size(items) > 0)
		status = check_heard(s, items, cli_text(args, "--id"), is_certain);
	else
		status = is_certain || !has_others(s->cli)
		                 ? CLI_OK
		                 : refuse_unknown(items ? "weir-mgmt here knows no other nodes, "
		                                          "and weir.conf has some"
		                                        : "weir-mgmt does not answer on this "
		                                          "host, and weir.conf has other nodes",
		                                  "");
	api_reply_fini(&reply);
	return status;
}

int cli_store_init(struct cli *cli, const struct cli_args *args)
{
	bool is_given = cli_value(args, "--endpoints");
	const char *prefix = cli_text(args, "--prefix"), *id = cli_text(args, "--id");
	int status = check_way(args, is_given);

	if (status)
		return status;
	if (prefix && !shared_etcd_prefix_ok(prefix))
		return cli_fail(CLI_USAGE,
		                "--prefix: it must begin and end with a slash, as /weir/");
	struct store_setup *s = store_setup_new(cli, &status);

	if (!s)
		return status;
	snprintf(s->join.prefix, sizeof(s->join.prefix), "%s", prefix ? prefix : STORE_CONF_PREFIX);
	snprintf(s->join.warning, sizeof(s->join.warning), "%s", warning);
	status = id ? use_id(s, id) : CLI_OK;
	if (!status && s->resumes)
		status = finish_earlier(s);
	if (status || s->resumes) {
		store_setup_free(s);
		return status;
	}
	status = store_setup_check_files(s, true);
	if (!status)
		status = check_peers(s, args);
	if (!status && !id && store_claim_new_id(s->join.id))
		status = cli_fail(CLI_UNREACHABLE, "no random numbers: %s", strerror(errno));
	if (!status)
		status = is_given ? begin_given(s, args) : begin_own(s, args);
	store_setup_free(s);
	return status;
}
