/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Debian's package starts etcd when it is installed, with settings that are all comments: a member of its own on
 * loopback, without any key. That one is replaced. Whatever shows that a person uses etcd on this host is left as it is:
 * settings, keys, or data of which nothing is known.
 */
#include "mgmt/setup/etcd_unit.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/memory.h"
#include "base/reason.h"
#include "base/replace.h"
#include "mgmt/etcd/gateway.h"
#include "mgmt/setup/host_command.h"
#include "mgmt/setup/store_members.h"
#include "mgmt/files/files.h"
#include "mgmt/store/store_claim.h"

#define MARK         "# Written by weir store"
#define UNIT         "/lib/systemd/system/etcd.service"
#define OPEN_FD      16 /* of nftw() */
#define POLL_US      300000u
#define BEFORE_TRIES 50u

static const char drop_in[] = "# Written by weir store.\n"
                              "[Unit]\n"
                              "StartLimitIntervalSec=0\n"
                              "[Service]\n"
                              "Restart=always\n"
                              "RestartSec=1s\n"
                              "TimeoutStartSec=infinity\n";

static int run_systemctl(const char *verb, const char *option, char reason[ETCD_UNIT_REASON_MAX])
{
	const char *argv[] = { "systemctl", verb, "etcd.service", option, NULL };
	char said[HOST_COMMAND_SAID_MAX];

	if (!strcmp(verb, "daemon-reload"))
		argv[2] = NULL;
	int status = host_command_run(argv, said);

	if (!status)
		return 0;
	if (reason)
		snprintf(reason, ETCD_UNIT_REASON_MAX, "systemctl %s: %s", verb,
		         status < 0 ? strerror(-status) : said);
	return -EIO;
}

bool etcd_unit_is_active(void)
{
	return run_systemctl("is-active", NULL, NULL) == 0;
}

/* The settings: NULL: there is no such file, or it cannot be read. */
static char *read_settings(void)
{
	char *text = NULL;
	size_t n;

	return files_slurp(ETCD_UNIT_SETTINGS, &text, &n) ? NULL : text;
}

/* Whether the settings are ours. */
static bool has_own_mark(void)
{
	char *text = read_settings();
	bool is_there = text && !strncmp(text, MARK, sizeof(MARK) - 1);

	free(text);
	return is_there;
}

/* Whether a line is more than a comment. */
static bool has_settings(void)
{
	char *text = read_settings(), *next = text;
	bool found = false;

	for (char *line; !found && (line = strsep(&next, "\n"));)
		found = line[strspn(line, " \t\r")] && line[strspn(line, " \t\r")] != '#';
	free(text);
	return found;
}

static bool exists_path(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

/* The member of Debian's own settings: with any write its revision is above 1. */
static int check_default_member(char reason[ETCD_UNIT_REASON_MAX])
{
	struct etcd_settings s = { .endpoints = { "http://127.0.0.1:2379" }, .n_endpoints = 1 };
	char text[ETCD_REASON_MAX];
	struct etcd_gateway *g;
	struct etcd_status status;
	int err = etcd_gateway_open(&s, NULL, &g, text);

	if (err)
		return reason_write(reason, ETCD_UNIT_REASON_MAX, err, "%s", text);
	err = etcd_gateway_status(g, 0, &status);
	if (err)
		snprintf(reason, ETCD_UNIT_REASON_MAX,
		         "etcd runs on this host, and does not say whether it has keys (%s): if no "
		         "one uses it, systemctl stop etcd and remove " ETCD_UNIT_DEFAULT,
		         etcd_gateway_reason(g));
	etcd_gateway_close(g);
	if (err)
		return -EEXIST;
	return status.header.revision <= 1
	               ? 0
	               : reason_write(
	                         reason, ETCD_UNIT_REASON_MAX, -EEXIST,
	                         "etcd on this host has keys already, in " ETCD_UNIT_DEFAULT
	                         ": to share that etcd use --endpoints http://127.0.0.1:2379 (one "
	                         "host alone can reach it); or use another host for this member");
}

void etcd_unit_wait_before(void)
{
	char reason[ETCD_UNIT_REASON_MAX];

	for (unsigned i = 0; i < BEFORE_TRIES; i++) {
		if (etcd_unit_is_active() && !check_default_member(reason))
			return;
		usleep(POLL_US);
	}
}

static int check_data(char reason[ETCD_UNIT_REASON_MAX])
{
	if (exists_path(ETCD_UNIT_DATA))
		return reason_write(
		        reason, ETCD_UNIT_REASON_MAX, -EEXIST,
		        "etcd has data of a store already, in " ETCD_UNIT_DATA
		        ": if that store is in use, bring store.conf and the files that it names back "
		        "from a backup of this host; if not, remove that directory and " ETCD_UNIT_SETTINGS);
	if (has_settings())
		return reason_write(
		        reason, ETCD_UNIT_REASON_MAX, -EEXIST,
		        "etcd on this host has settings already, in " ETCD_UNIT_SETTINGS
		        ": to share that etcd use --endpoints; if no one uses it, remove that file");
	if (etcd_unit_is_active())
		return check_default_member(reason);
	/* with settings that were kept, an earlier command has seen that there are no keys */
	if (!exists_path(ETCD_UNIT_DEFAULT "/member") || exists_path(ETCD_UNIT_BEFORE))
		return 0;
	return reason_write(
	        reason, ETCD_UNIT_REASON_MAX, -EEXIST,
	        "etcd has data already, in " ETCD_UNIT_DEFAULT
	        ", and does not run: systemctl start etcd, so that this command can see "
	        "whether it has keys; or remove that directory, if no one needs it");
}

/* Whether a port of @p address can be listened on. */
static int check_port(const char *address, unsigned port, char reason[ETCD_UNIT_REASON_MAX])
{
	struct sockaddr_storage to;
	struct addr a;
	int on = 1;

	if (addr_parse(address, &a))
		return -EINVAL;
	socklen_t n = addr_to_sockaddr(&a, (uint16_t)port, &to);
	int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	int err = bind(fd, (struct sockaddr *)&to, n) || listen(fd, 1) ? -errno : 0;

	close(fd);
	if (err == -EADDRINUSE)
		snprintf(reason, ETCD_UNIT_REASON_MAX,
		         "port %u of %s is in use (ss -lntp sport = :%u): stop what uses it", port,
		         address, port);
	else if (err)
		snprintf(reason, ETCD_UNIT_REASON_MAX, "port %u of %s: %s", port, address,
		         strerror(-err));
	return err;
}

int etcd_unit_check(const char *address, char reason[ETCD_UNIT_REASON_MAX])
{
	if (!exists_path("/run/systemd/system"))
		return reason_write(reason, ETCD_UNIT_REASON_MAX, -ENOSYS,
		                    "systemd does not run here: set etcd up by hand, then use "
		                    "--endpoints");
	if (!exists_path(UNIT) || access("/usr/bin/etcd", X_OK) || !getpwnam("etcd"))
		return reason_write(reason, ETCD_UNIT_REASON_MAX, -ENOENT,
		                    "etcd is not installed: apt install etcd-server, then the same "
		                    "command again");
	int err = check_data(reason);

	if (!err)
		err = check_port(address, ETCD_UNIT_CLIENT_PORT, reason);
	return err ? err : check_port(address, ETCD_UNIT_PEER_PORT, reason);
}

/* A file that user etcd may read, and nobody else where it is a key. */
static int write_for_etcd(const char *path, mode_t mode, const char *text)
{
	char temporary[REPLACE_NAME_MAX];
	const struct passwd *etcd = getpwnam("etcd");
	int fd = etcd ? replace_begin(path, 0600, temporary) : -ENOENT, err;

	if (fd < 0)
		return fd;
	err = fchown(fd, etcd->pw_uid, etcd->pw_gid) || fchmod(fd, mode) ? -errno : 0;
	if (!err)
		err = replace_write(fd, text, strlen(text));
	return replace_end(fd, err, temporary, path, REPLACE_SYNC_NAME);
}

/* User etcd and systemd must pass, whatever the umask of who runs this. */
static int make_folder(const char *path)
{
	if (mkdir(path, 0755))
		return errno == EEXIST ? 0 : -errno;
	return chmod(path, 0755) ? -errno : 0;
}

/* Keep what was there before; a second time the first one stays. */
static int keep_settings(void)
{
	if (has_own_mark() || !exists_path(ETCD_UNIT_SETTINGS))
		return 0;
	return rename(ETCD_UNIT_SETTINGS, ETCD_UNIT_BEFORE) ? -errno : 0;
}

static int write_unit_file(const char *path, const char *text)
{
	int err = replace_file(path, 0644, text, strlen(text), REPLACE_SYNC_NAME);

	return !err && chmod(path, 0644) ? -errno : err;
}

int etcd_unit_write(const struct etcd_unit *u, char reason[ETCD_UNIT_REASON_MAX])
{
	char *settings = etcd_unit_settings(u);
	const char *what = ETCD_UNIT_TLS;
	int err = settings ? make_folder(ETCD_UNIT_TLS) : -ENOMEM;

	if (!err)
		err = write_for_etcd(ETCD_UNIT_TLS "/ca.crt", 0444, u->ca);
	if (!err)
		err = write_for_etcd(ETCD_UNIT_TLS "/member.crt", 0444, u->member->pem);
	if (!err)
		err = write_for_etcd(ETCD_UNIT_TLS "/member.key", 0400, u->member->key);
	if (!err) {
		what = ETCD_UNIT_DROP_IN;
		err = make_folder(ETCD_UNIT_FOLDER);
	}
	if (!err)
		err = write_unit_file(ETCD_UNIT_DROP_IN, drop_in);
	if (!err) {
		what = ETCD_UNIT_SETTINGS;
		err = keep_settings();
	}
	if (!err)
		err = write_unit_file(ETCD_UNIT_SETTINGS, settings);
	if (err)
		snprintf(reason, ETCD_UNIT_REASON_MAX, "%s: %s", what, strerror(-err));
	free(settings);
	return err;
}

int etcd_unit_start(char reason[ETCD_UNIT_REASON_MAX])
{
	int err = run_systemctl("daemon-reload", NULL, reason);

	if (!err)
		err = run_systemctl("enable", "--quiet", reason);
	return err ? err : run_systemctl("restart", "--no-block", reason);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path) && errno != ENOENT ? -1 : 0;
}

static int remove_tree(const char *path)
{
	return nftw(path, remove_entry, OPEN_FD, FTW_DEPTH | FTW_PHYS) && errno != ENOENT ? -errno
	                                                                                  : 0;
}

static int remove_file(const char *path)
{
	return unlink(path) && errno != ENOENT ? -errno : 0;
}

/* What was there before comes back; without that, ours goes. */
static int restore_settings(void)
{
	if (!rename(ETCD_UNIT_BEFORE, ETCD_UNIT_SETTINGS))
		return 0;
	return errno != ENOENT ? -errno : has_own_mark() ? remove_file(ETCD_UNIT_SETTINGS) : 0;
}

int etcd_unit_undo(bool was_active, char reason[ETCD_UNIT_REASON_MAX])
{
	int err = run_systemctl("stop", NULL, reason);

	if (err)
		return err;
	err = remove_tree(ETCD_UNIT_DATA);
	if (!err)
		err = remove_tree(ETCD_UNIT_TLS);
	if (!err)
		err = remove_file(ETCD_UNIT_DROP_IN);
	if (!err && rmdir(ETCD_UNIT_FOLDER) && errno != ENOENT && errno != ENOTEMPTY)
		err = -errno;
	if (!err)
		err = restore_settings();
	if (err)
		return reason_write(reason, ETCD_UNIT_REASON_MAX, err,
		                    "etcd's files cannot be removed: %s", strerror(-err));
	err = run_systemctl("daemon-reload", NULL, reason);
	if (!err && was_active)
		err = run_systemctl("start", "--no-block", reason);
	return err;
}

/* Whether anybody counts on the member of etcd on this host: asked of the other members first, as its list may be old. */

#define CLAIM_TRIES 20u /* a member that has just started elects itself first */

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
	return reason_write(
	        reason, ETCD_UNIT_REASON_MAX, -EBUSY,
	        "the member of etcd on this host has a vote in a store, so its data stays: bring "
	        "store.conf back, or end that vote with weir store remove at another node");
}

/* Nobody says whether it counts: then it might. */
static int refuse_unknown(char reason[ETCD_UNIT_REASON_MAX])
{
	return reason_write(
	        reason, ETCD_UNIT_REASON_MAX, -EBUSY,
	        "no member of etcd says whether the one on this host has a vote, so its data stays: "
	        "start etcd; or, if no one needs that data, remove " ETCD_UNIT_DATA);
}

/* It is the only member: a store that was begun in it is somebody's. */
static int check_claim(const struct etcd_settings *own, const char *own_id,
                       char reason[ETCD_UNIT_REASON_MAX])
{
	char text[ETCD_REASON_MAX] = "";
	struct store_claim claim;
	size_t n = 0;
	int err = -EHOSTUNREACH;

	for (unsigned i = 0; err && i < CLAIM_TRIES; i++) {
		if (i)
			usleep(POLL_US);
		err = store_claim_look(own, STORE_CONF_PREFIX, &claim, &n, text);
	}
	if (!err && n == 1 && *own_id && !strcmp(claim.id, own_id))
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
		        *claim.id ? claim.id : "of no id");
	return err || n ? -EBUSY : 0;
}

static int check_members(struct etcd_settings *s, const char *cluster, const char *peer_url,
                         const char *own_id, char reason[ETCD_UNIT_REASON_MAX])
{
	struct etcd_members *l = MEMORY_NEW(struct etcd_members);
	char *names = memory_must(strdup(cluster)); /* less than ETCD_UNIT_CLUSTER_MAX */
	int err = 0;

	add_others(names, peer_url, s);
	bool is_known = !list_members(s, l);

	s->n_endpoints = 1;
	if (!is_known && find_client_url(peer_url, s->endpoints[0]))
		is_known = !list_members(s, l);
	const struct etcd_member *m = is_known ? store_members_find_peer(l, peer_url) : NULL;

	if (!is_known)
		err = refuse_unknown(reason);
	else if (m && !m->is_learner)
		err = l->n > 1 ? refuse_vote(reason) : check_claim(s, own_id, reason);
	free(names);
	free(l);
	return err;
}

int etcd_unit_check_unused(const char *own_id, char reason[ETCD_UNIT_REASON_MAX])
{
	char peer_url[ETCD_URL_MAX], cluster[ETCD_UNIT_CLUSTER_MAX], *text = NULL;
	struct etcd_settings *s = MEMORY_NEW(struct etcd_settings);
	size_t n;
	int err = 0;

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
