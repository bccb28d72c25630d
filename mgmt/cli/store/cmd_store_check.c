/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store check: looks at the store from this host, also without weir-mgmt, and changes nothing. A line for each thing: ok,
 * warning (something to do before it is too late) or wrong (something does not work now).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/proc.h"
#include "mgmt/cli/api.h"
#include "mgmt/cli/store/store_client.h"
#include "mgmt/setup/etcd_unit.h"
#include "mgmt/setup/node_files.h"
#include "mgmt/setup/store_note.h"
#include "mgmt/files/files.h"
#include "mgmt/store/store_claim.h"
#include "weir/model.h"

#define SOON_MS             ((int64_t)30 * 86400 * 1000) /* before a certificate ends */
#define DAY_MS              ((int64_t)86400 * 1000)
#define SKEW_MS             3000 /* a member says its time in whole seconds */
#define FULL_PERCENT        80u
#define LITTLE              5000                /* revisions that need no compaction yet */
#define DEFAULT_ROOM        ((uint64_t)2 << 30) /* etcd's own quota */
#define ARENA_MAX           ((size_t)1 << 20)
#define SITES_MAX           16u
#define ETCD_ENDPOINTS_TEXT ((size_t)ETCD_MEMBERS_MAX * ETCD_URL_MAX)

enum level { LEVEL_OK, LEVEL_WARNING, LEVEL_WRONG };

struct checking {
	const struct cli *cli;
	struct store_client *client;
	struct etcd_members members;
	struct etcd_status status[ETCD_MEMBERS_MAX];
	bool is_up[ETCD_MEMBERS_MAX];
	bool is_full;                       /* a member's alarm */
	int64_t ahead_ms[ETCD_MEMBERS_MAX]; /* clocks of members, to about a second */
	bool is_answered;                   /* by a majority */
	size_t n_records;
	enum level worst;
	json_t *lines;
};

__attribute__((format(printf, 4, 5))) static void
note_line(struct checking *c, enum level level, const char *subject, const char *format, ...)
{
	static const char *const words[] = { "ok", "warning", "wrong" };
	char text[768];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (level > c->worst)
		c->worst = level;
	if (c->cli->json)
		json_array_append_new(c->lines,
		                      JSON_TEXTS({ "level", words[level] }, { "subject", subject },
		                                 { "text", text }));
	else
		printf("%-8s %s: %s\n", words[level], subject, text);
}

/* A command to what the last line says. */
__attribute__((format(printf, 2, 3))) static void note_command(struct checking *c,
                                                               const char *format, ...)
{
	char text[ETCD_ENDPOINTS_TEXT + 4 * PATH_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (!c->cli->json) {
		printf("         %s\n", text);
		return;
	}
	json_t *line = json_array_get(c->lines, json_array_size(c->lines) - 1);
	json_t *commands = json_object_get(line, "commands");

	if (!commands)
		json_object_set_new(line, "commands", commands = json_array());
	json_array_append_new(commands, json_string(text));
}

static const char *name_of(const struct etcd_member *m)
{
	return *m->name ? m->name : m->peer_url;
}

/* A majority answers, with the store of store.conf. @return whether the rest can be looked at */
static bool check_store(struct checking *c)
{
	const struct store_conf *conf = &c->client->conf;
	char reason[ETCD_REASON_MAX];
	struct store_claim claim;
	int err =
	        store_claim_look(&c->client->settings, conf->prefix, &claim, &c->n_records, reason);

	c->is_answered = !err || err == -EBADMSG;
	if (err == -EBADMSG || err == -EACCES)
		note_line(c, LEVEL_WRONG, "store", "it cannot be read: %s", reason);
	else if (err)
		note_line(
		        c, LEVEL_WRONG, "store",
		        "no majority of the members answers (%s): configuration cannot be changed; "
		        "what is in force stays. " STORE_LOST_ADVICE,
		        reason);
	else if (!*claim.id)
		note_line(c, LEVEL_WARNING, "store",
		          "it has no record of its id: that comes with weir store init");
	else if (strcmp(claim.id, conf->id) != 0)
		note_line(c, LEVEL_WRONG, "store",
		          "the members have the store %s, and " STORE_CONF_FILE
		          " names %s: bring the right file",
		          claim.id, conf->id);
	else if (claim.unfinished)
		note_line(c, LEVEL_WRONG, "store",
		          "it is unfinished, and no node takes anything from it: weir store "
		          "rebuild at the node with the newest versions");
	else
		note_line(c, LEVEL_OK, "store", "%s, epoch %" PRIu64 ", %zu records below %s",
		          claim.id, claim.epoch, c->n_records, conf->prefix);
	bool is_listed = !store_members_list(c->client->gateway, &c->members);

	if (!is_listed)
		note_line(c, LEVEL_WRONG, "members", "they cannot be listed: %s",
		          etcd_gateway_reason(c->client->gateway));
	return is_listed;
}

static void check_member(struct checking *c, size_t i)
{
	const struct etcd_member *m = &c->members.members[i];
	char reason[ETCD_REASON_MAX] = "it has not started yet";

	c->is_up[i] =
	        *m->client_url && !store_client_status(c->client, m->client_url, &c->status[i],
	                                               &c->ahead_ms[i], reason);
	if (!c->is_up[i] && !c->is_answered)
		note_line(
		        c, LEVEL_WRONG, "member",
		        "%s does not answer (%s): start it; it cannot be removed before a majority "
		        "answers",
		        name_of(m), reason);
	else if (!c->is_up[i])
		note_line(
		        c, LEVEL_WRONG, "member",
		        "%s does not answer (%s): start it; if its host is lost, weir store remove "
		        "%s, and let another one join",
		        name_of(m), reason, name_of(m));
	else if (m->is_learner)
		note_line(c, LEVEL_WARNING, "member",
		          "%s has no vote: its weir store join did not end; run it again there",
		          name_of(m));
	else if (strcmp(c->status[i].version, ETCD_UNIT_RELEASE) != 0)
		note_line(c, LEVEL_WARNING, "member",
		          "%s answers at %s, with etcd %s: Weir is tested with " ETCD_UNIT_RELEASE,
		          name_of(m), m->client_url, c->status[i].version);
	else
		note_line(c, LEVEL_OK, "member", "%s answers at %s, etcd %s", name_of(m),
		          m->client_url, c->status[i].version);
}

static void check_members(struct checking *c)
{
	size_t voters = store_members_voters(&c->members), needed = voters / 2 + 1, up = 0;

	for (size_t i = 0; i < c->members.n; i++) {
		check_member(c, i);
		up += c->is_up[i] && !c->members.members[i].is_learner;
	}
	if (voters < 3)
		note_line(c, LEVEL_WARNING, "members",
		          "%zu: while one is down, configuration cannot be changed; three go on "
		          "without one (weir store join store.join --member)",
		          voters);
	else
		note_line(c, up > needed ? LEVEL_OK : LEVEL_WARNING, "members",
		          "%zu of %zu answer, %zu are needed to change configuration", up, voters,
		          needed);
}

/* The site of the node that has the member's address; NULL: of none. */
static const char *find_site(const struct model *m, const char *client_url)
{
	const char *from = client_url + strcspn(client_url, "/");
	size_t n = 0;

	from += strspn(from, "/");
	n = *from == '[' ? strcspn(from, "]") + 1 : strcspn(from, ":");
	for (size_t i = 0; i < m->n_nodes; i++) {
		const char *api = m->nodes[i].api;

		if (!strncmp(api, "https://", 8) && !strncmp(api + 8, from, n) && api[8 + n] == ':')
			return m->nodes[i].site->name;
	}
	return NULL;
}

/* What the end of a whole site means. */
static void judge_sites(struct checking *c, const struct model *m)
{
	const char *names[SITES_MAX];
	size_t counts[SITES_MAX] = { 0 }, n = 0, voters = store_members_voters(&c->members);

	for (size_t i = 0; i < c->members.n; i++) {
		const struct etcd_member *member = &c->members.members[i];
		const char *site = find_site(m, member->client_url);
		size_t at = 0;

		if (!site)
			note_line(c, LEVEL_WARNING, "sites",
			          "%s is at no node's address: its site is not known",
			          name_of(member));
		if (!site || member->is_learner)
			continue;
		while (at < n && strcmp(names[at], site) != 0)
			at++;
		if (at == n && n < SITES_MAX)
			names[n++] = site;
		if (at < n)
			counts[at]++;
	}
	for (size_t i = 0; i < n; i++)
		if (voters - counts[i] < voters / 2 + 1)
			note_line(
			        c, LEVEL_WARNING, "sites",
			        "if %s dies, configuration is frozen: it has %zu of %zu members; three "
			        "members at three sites go on",
			        names[i], counts[i], voters);
	if (n >= 3)
		note_line(c, LEVEL_OK, "sites", "members at %zu sites", n);
}

/* The configuration in force, or the file where nothing was in force yet. NULL: neither can be read */
static struct model *read_model(const struct cli *cli)
{
	char path[PATH_MAX];
	struct model_errors errors = { 0 };
	struct model *m = NULL;

	if (proc_path(cli->dirs.state, PROC_EFFECTIVE_FILE, path) ||
	    model_read_without_key(path, cli->dirs.node, &m, &errors)) {
		model_errors_free(&errors);
		if (!proc_path(cli->dirs.conf, PROC_CONF_FILE, path) &&
		    model_read_config_without_key(path, cli->dirs.node, &m, &errors))
			m = NULL;
	}
	model_errors_free(&errors);
	return m;
}

static void check_sites(struct checking *c)
{
	struct model *m = read_model(c->cli);

	if (m)
		judge_sites(c, m);
	else
		note_line(
		        c, LEVEL_WARNING, "sites",
		        "the sites of members are not known, because neither the configuration in "
		        "force nor " PROC_CONF_FILE " can be read (weir config check)");
	model_free(m);
}

/* How etcdctl reaches the members that answer, by what store.conf names. */
static void note_access(struct checking *c)
{
	const struct etcd_settings *s = &c->client->settings;
	char endpoints[ETCD_ENDPOINTS_TEXT] = "", *end = endpoints;

	for (size_t i = 0; i < c->members.n; i++)
		if (c->is_up[i])
			end += snprintf(end, (size_t)(endpoints + sizeof(endpoints) - end), "%s%s",
			                end > endpoints ? "," : "",
			                c->members.members[i].client_url);
	note_command(c, "export ETCDCTL_API=3 ETCDCTL_ENDPOINTS=%s", endpoints);
	if (*s->tls.ca)
		note_command(c, "export ETCDCTL_CACERT=%s ETCDCTL_CERT=%s ETCDCTL_KEY=%s",
		             s->tls.ca, s->tls.certificate, s->tls.key);
	if (*s->user)
		note_command(c, "export ETCDCTL_USER=\"%s:$(cat %s)\"", s->user, s->password_file);
}

/* Nodes write far fewer: beyond the limit none could read the store any more. */
static void check_records(struct checking *c)
{
	const char *prefix = c->client->conf.prefix;
	unsigned field = 1;

	if (c->n_records <= SHARED_RECORDS_MAX / 2)
		return;
	for (const char *at = prefix; (at = strchr(at, '/')); at++)
		field++;
	note_line(c, LEVEL_WARNING, "records",
	          "%zu, and no node takes more than %u: see of what there are so many",
	          c->n_records, SHARED_RECORDS_MAX);
	note_access(c);
	note_command(
	        c,
	        "etcdctl get %s --prefix --keys-only | sed '/^$/d' | cut -d/ -f%u | sort | uniq -c",
	        prefix, field);
}

/* The only order that works: only what is compacted becomes free by a defragmentation, and an alarm comes again while a member is full. */
static void note_room_commands(struct checking *c)
{
	note_command(c, "# as root, in this order:");
	note_command(c, "apt-get install etcd-client");
	note_access(c);
	note_command(c, "etcdctl compact --physical \"$(etcdctl endpoint status -w json | grep -o "
	                "'\"revision\":[0-9]*' | cut -d: -f2 | sort -n | tail -n 1)\"");
	note_command(c, "etcdctl defrag --command-timeout=60s");
	if (c->is_full)
		note_command(c, "etcdctl alarm disarm");
}

static void note_alarm(struct checking *c, uint64_t member_id, const char *name)
{
	const struct etcd_member *m = NULL;
	char text[24];

	for (size_t i = 0; !m && i < c->members.n; i++)
		if (c->members.members[i].id == member_id)
			m = &c->members.members[i];
	snprintf(text, sizeof(text), "%" PRIx64, member_id);
	bool is_full = !strcmp(name, ETCD_ALARM_FULL);

	c->is_full |= is_full;
	note_line(c, LEVEL_WRONG, "alarm", "%s of member %s%s", name, m ? name_of(m) : text,
	          is_full ? ": its database is full, and nothing can be written to the store" : "");
}

static void check_alarms(struct checking *c)
{
	struct etcd_request request;
	struct etcd_reply reply;
	struct etcd_alarms alarms;
	char reason[ETCD_REASON_MAX];
	int err = etcd_request_alarms(&request, reason);

	if (!err) {
		err = etcd_gateway_query(c->client->gateway, &request, &reply);
		etcd_request_fini(&request);
	}
	if (!err)
		err = etcd_answer_alarms(reply.bytes, reply.n, &alarms, reason);
	if (err)
		note_line(c, LEVEL_WARNING, "alarms", "they cannot be read: %s",
		          etcd_gateway_reason(c->client->gateway));
	for (size_t i = 0; !err && i < alarms.n; i++)
		note_alarm(c, alarms.alarms[i].member_id, alarms.alarms[i].name);
	if (c->is_full)
		note_room_commands(c);
	if (!err && !alarms.n)
		note_line(c, LEVEL_OK, "alarms", "none");
}

/*
 * etcd does not say its quota: that of this host's member, by its settings; else as it is set up where members have TLS with
 * our files; else etcd's own. @param assumed  out: what is not known here
 */
static uint64_t find_quota(const struct checking *c, const char **assumed)
{
	char *text = NULL;
	size_t n;
	uint64_t quota = files_slurp(ETCD_UNIT_SETTINGS, &text, &n) ? 0 : etcd_unit_quota(text);

	free(text);
	*assumed = "";
	if (quota)
		return quota;
	bool is_ours = !strcmp(c->client->conf.ca, NODE_FILES_CA);

	*assumed = is_ours ? ", if its quota is that of weir store init"
	                   : ", if its quota is etcd's own";
	return is_ours ? ETCD_UNIT_QUOTA : DEFAULT_ROOM;
}

static void check_room(struct checking *c)
{
	const char *assumed;
	uint64_t quota = find_quota(c, &assumed), most = 0;

	for (size_t i = 0; i < c->members.n; i++)
		if (c->is_up[i] && (uint64_t)c->status[i].db_bytes > most)
			most = (uint64_t)c->status[i].db_bytes;
	unsigned percent = (unsigned)(most * 100 / quota);

	bool is_much = percent > FULL_PERCENT;

	note_line(c, is_much ? LEVEL_WARNING : LEVEL_OK, "room",
	          "the largest database has %.1f of %.0f MiB (%u %%)%s%s", (double)most / 1048576,
	          (double)quota / 1048576, percent, assumed,
	          is_much ? ": when it is full, nothing can be written" : "");
	if (is_much && !c->is_full)
		note_room_commands(c);
}

static void check_compaction(struct checking *c)
{
	const struct etcd_range first = { .key = etcd_text(c->client->conf.prefix),
		                          .prefix = true,
		                          .count_only = true,
		                          .revision = 1 };
	struct arena *arena = memory_must(arena_new(ARENA_MAX));
	struct etcd_keys keys = { 0 };
	int err = etcd_gateway_range(c->client->gateway, &first, arena, &keys);
	int64_t revision = keys.header.revision;

	if (err == -ESTALE)
		note_line(c, LEVEL_OK, "compaction", "the beginning of the history is compacted");
	else if (err)
		note_line(c, LEVEL_WARNING, "compaction", "not known: %s",
		          etcd_gateway_reason(c->client->gateway));
	else if (revision < LITTLE)
		note_line(c, LEVEL_OK, "compaction", "there is little history yet (%" PRId64 ")",
		          revision);
	else
		note_line(c, LEVEL_WARNING, "compaction",
		          "all of the history is kept (%" PRId64
		          " revisions), and counts for the quota: start members with "
		          "ETCD_AUTO_COMPACTION_RETENTION=5m",
		          revision);
	arena_free(arena);
}

static void check_certificate(struct checking *c, const char *path)
{
	char *pem = NULL, text[CLOCK_TEXT_MAX];
	size_t n;
	int64_t end_ms, left_ms;

	if (!*path || access(path, F_OK))
		return;
	if (files_slurp(path, &pem, &n) || certificates_end(pem, &end_ms)) {
		note_line(c, LEVEL_WRONG, "certificate", "%s cannot be read", path);
		free(pem);
		return;
	}
	free(pem);
	left_ms = end_ms - clock_realtime_ms();
	if (left_ms < 0)
		note_line(c, LEVEL_WRONG, "certificate", "%s has ended at %s", path,
		          clock_text(end_ms, text));
	else
		note_line(c, left_ms < SOON_MS ? LEVEL_WARNING : LEVEL_OK, "certificate",
		          "%s ends in %" PRId64 " days, at %s", path, left_ms / DAY_MS,
		          clock_text(end_ms, text));
}

/*
 * etcd ignores what it does not know: a compare that got lost would make each change unconditional. This one says that the
 * store's record is not there, and would write what it has.
 */
static void check_transaction(struct checking *c)
{
	char key[SHARED_PREFIX_MAX + sizeof(STORE_CLAIM_RECORD)];
	struct arena *arena = memory_must(arena_new(ARENA_MAX));
	struct etcd_keys keys;
	struct etcd_txn_result result;

	snprintf(key, sizeof(key), "%s" STORE_CLAIM_RECORD, c->client->conf.prefix);
	const struct etcd_range range = { .key = etcd_text(key) };

	int err = etcd_gateway_range(c->client->gateway, &range, arena, &keys);

	if (!err && !keys.n)
		err = -ENOENT; /* its record: the first check has said so */
	if (err) {
		arena_free(arena);
		return;
	}
	const struct etcd_compare compare = { .key = range.key };
	const struct etcd_op put = { .kind = ETCD_PUT, .on = range, .value = keys.kvs[0].value };
	const struct etcd_txn txn = { &compare, 1, &put, NULL, 1, 0 };
	enum etcd_result r = etcd_gateway_txn(c->client->gateway, &txn, arena, &result, &err);

	if (r == ETCD_REFUSED || r == ETCD_REFUSED_UNSURE)
		note_line(c, LEVEL_OK, "conditions", "a change that must be refused is refused");
	else if (r == ETCD_DONE)
		note_line(c, LEVEL_WRONG, "conditions",
		          "etcd has carried out a change whose condition does not hold: do not use "
		          "this release of etcd");
	else
		note_line(c, LEVEL_WRONG, "conditions", "not known: %s",
		          etcd_gateway_reason(c->client->gateway));
	arena_free(arena);
}

/* Whether this node takes what the store has, as its weir-mgmt says: a store that is sound by itself may not be the one. */
static void check_node(struct checking *c)
{
	static const struct {
		const char *state;
		enum level level;
		const char *text, *advice;
	} rows[] = {
		{ "ready", LEVEL_OK, "this node takes what the store has", "" },
		{ "full", LEVEL_OK, "this node takes what the store has", "" },
		{ "unknown", LEVEL_WARNING,
		  "weir-mgmt has just started, and has not heard the store yet", "" },
		{ "cut-off", LEVEL_WRONG, "weir-mgmt does not reach the store", "" },
		{ "went-back", LEVEL_WRONG,
		  "this node takes nothing from the store, which is not what it was",
		  ": see what would be lost (weir store accept --dry-run --reason TEXT), and if the store "
		  "is right, weir store accept --reason TEXT" },
		{ "other", LEVEL_WRONG,
		  "this node takes nothing from the members, which have another store",
		  ": bring the right members back, or correct " STORE_CONF_FILE },
		{ "unkept", LEVEL_WRONG, "this node cannot keep what the store has", ": weir why" },
		{ "refused", LEVEL_WRONG, "weir-mgmt cannot use " STORE_CONF_FILE,
		  ": correct it, then systemctl restart weir" },
		{ "own", LEVEL_WRONG, "weir-mgmt runs without " STORE_CONF_FILE,
		  ": systemctl restart weir" },
		{ "none", LEVEL_WRONG, "weir-mgmt runs without " STORE_CONF_FILE,
		  ": systemctl restart weir" },
	};
	const struct api_request request = { .method = "GET", .path = "/v1/store" };
	struct api_reply reply = { 0 };
	bool is_answered = !api_call_quietly(c->cli, &request, &reply) && api_succeeded(&reply);
	const char *state = api_text(reply.body, "state", ""),
	           *reason = api_text(reply.body, "reason", "");
	size_t i = 0;

	while (i < sizeof(rows) / sizeof(rows[0]) && strcmp(rows[i].state, state) != 0)
		i++;
	if (!is_answered || i == sizeof(rows) / sizeof(rows[0]))
		note_line(c, LEVEL_WARNING, "node",
		          "weir-mgmt does not say whether this node takes what the store has: weir "
		          "status");
	else
		note_line(c, rows[i].level, "node", "%s%s%s%s%s", rows[i].text, *reason ? " (" : "",
		          reason, *reason ? ")" : "", rows[i].advice);
	api_reply_fini(&reply);
}

static void check_clock(struct checking *c)
{
	bool is_synchronised = clock_is_synchronised();
	size_t n_off = 0;

	note_line(c, is_synchronised ? LEVEL_OK : LEVEL_WARNING, "clock",
	          is_synchronised ? "this host's clock is synchronised"
	                          : "this host's clock is not synchronised: use a time server "
	                            "(chrony)");
	for (size_t i = 0; i < c->members.n; i++) {
		if (llabs(c->ahead_ms[i]) < SKEW_MS)
			continue;
		n_off++;
		note_line(c, LEVEL_WARNING, "clock",
		          "the clock of %s is %.0f s %s this host's: use a time server on both",
		          name_of(&c->members.members[i]), (double)llabs(c->ahead_ms[i]) / 1000,
		          c->ahead_ms[i] > 0 ? "ahead of" : "behind");
	}
	if (!n_off && c->members.n)
		note_line(c, LEVEL_OK, "clock",
		          "those of members that answer are within %d s of it", SKEW_MS / 1000);
}

static void check_all(struct checking *c)
{
	const struct etcd_tls *tls = &c->client->settings.tls;

	if (check_store(c)) {
		check_members(c);
		check_sites(c);
		check_records(c);
		check_alarms(c);
		check_room(c);
		check_compaction(c);
		check_transaction(c);
	}
	check_node(c);
	check_certificate(c, tls->ca);
	check_certificate(c, tls->certificate);
	check_certificate(c, ETCD_UNIT_TLS "/member.crt");
	check_clock(c);
}

/* For weir store status. */
static void note_check(const struct cli *cli, const char *found)
{
	struct store_note note = { .time_ms = clock_realtime_ms() };

	snprintf(note.text, sizeof(note.text), "%s", found);
	if (store_note_write(cli->dirs.state, STORE_NOTE_CHECK, &note) && !cli->json)
		fprintf(stderr, "weir: weir store status will not show it: %s cannot be written\n",
		        cli->dirs.state);
}

int cli_store_check(struct cli *cli, const struct cli_args *args)
{
	static const int statuses[] = { CLI_OK, CLI_DEGRADED, CLI_DOWN };
	static const char *const found[] = { "ok", "warnings", "something is wrong" };
	struct checking *c = MEMORY_NEW(struct checking);
	int status;

	(void)args;
	c->cli = cli;
	c->client = store_client_open(cli, &status);
	if (c->client) {
		c->lines = json_array();
		check_all(c);
		note_check(cli, found[c->worst]);
		if (cli->json)
			api_print_json(c->lines);
		json_decref(c->lines);
		store_client_close(c->client);
		status = statuses[c->worst];
	} else if (status == CLI_USAGE || status == CLI_UNREACHABLE) {
		/* else it is in no store, or this user may not look: the last one stays */
		note_check(cli, "failed: weir store check says why");
	}
	free(c);
	return status;
}
