/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/cli/store/store_setup.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/memory.h"
#include "base/proc.h"
#include "mgmt/store/store_claim.h"
#include "mgmt/files/files.h"
#include "weir/model.h"

#define LOCK_FILE ".store.lock"
#define POLL_US   300000u
#define REPORT_MS 5000u /* between two lines of a command that waits */

void store_say(const struct cli *cli, const char *format, ...)
{
	va_list args;

	if (cli->json)
		return;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	fflush(stdout);
}

static int lock_setup(struct store_setup *s)
{
	char path[PATH_MAX];
	int err = proc_path(s->cli->dirs.conf, LOCK_FILE, path);

	if (!err)
		err = lock_acquire(path, &s->lock_fd);
	if (err == -EBUSY)
		return cli_fail(CLI_CONFLICT, "another weir store runs on this host: wait for it");
	return err ? cli_fail(CLI_USAGE, "%s: %s", s->cli->dirs.conf, strerror(-err)) : CLI_OK;
}

static bool has_conf(const struct cli *cli)
{
	char path[PATH_MAX];
	struct stat st;

	return !proc_path(cli->dirs.conf, STORE_CONF_FILE, path) && !lstat(path, &st);
}

/* This node is in no store, and nothing is left of a command that did not end. */
static int clear_host(struct store_setup *s)
{
	const struct cli *cli = s->cli;

	if (node_files_drop_note(cli->dirs.conf))
		store_say(cli, "an earlier command has ended: the note that it left "
		               "(" NODE_FILES_UNFINISHED ") is removed\n");
	if (has_conf(cli))
		return cli_fail(
		        CLI_CONFLICT,
		        "%s/" STORE_CONF_FILE
		        " is there already: this node is in a store, weir store status shows "
		        "it; to leave that store, stop Weir here and move the file away",
		        cli->dirs.conf);
	if (!node_files_unfinished(cli->dirs.conf, &s->note))
		return CLI_OK;
	s->resumes = s->note.keeps;
	if (s->resumes) {
		store_say(cli, "an earlier command did not end: this one goes on from there\n");
		return CLI_OK;
	}
	store_say(cli, "an earlier command did not end: what it wrote is taken back first\n");
	if (node_files_undo(cli->dirs.conf, s->reason))
		return cli_fail(
		        CLI_UNREACHABLE,
		        "what an earlier command wrote cannot be taken back: %s; remove the "
		        "cause, then run the same command again",
		        s->reason);
	if (s->note.was_active)
		etcd_unit_wait_before();
	s->note = (struct unfinished){ 0 };
	return CLI_OK;
}

struct store_setup *store_setup_new(const struct cli *cli, int *status)
{
	if (geteuid() != 0) {
		*status = cli_fail(CLI_DENIED, "this command writes files of the host: run it as "
		                               "root (sudo)");
		return NULL;
	}
	struct store_setup *s = MEMORY_NEW(struct store_setup);

	curl_global_init(CURL_GLOBAL_DEFAULT);
	s->cli = cli;
	s->lock_fd = -1;
	*status = lock_setup(s);
	if (!*status)
		*status = clear_host(s);
	if (!*status)
		return s;
	store_setup_free(s);
	return NULL;
}

void store_setup_free(struct store_setup *s)
{
	char path[PATH_MAX];

	if (s->lock_fd >= 0) {
		if (!proc_path(s->cli->dirs.conf, LOCK_FILE, path))
			unlink(path);
		close(s->lock_fd);
	}
	explicit_bzero(s, sizeof(*s));
	free(s);
}

int store_setup_check_files(const struct store_setup *s, bool has_join)
{
	const char *name = node_files_in_the_way(s->cli->dirs.conf, has_join);

	if (!name)
		return CLI_OK;
	return cli_fail(CLI_CONFLICT,
	                "%s/%s is there already, and this command writes a file of that name: move "
	                "it away first",
	                s->cli->dirs.conf, name);
}

/* The host of "https://ADDRESS:PORT". */
static bool read_api_address(const char *api, char out[ADDR_TEXT_MAX])
{
	const char *from = !strncmp(api, "https://", 8) ? api + 8 : api, *end;
	bool is6 = *from == '[';

	from += is6;
	end = is6 ? strchr(from, ']') : strrchr(from, ':');
	if (!end || (size_t)(end - from) >= ADDR_TEXT_MAX)
		return false;
	memcpy(out, from, (size_t)(end - from));
	out[end - from] = '\0';
	return true;
}

/* This node's name and address in weir.conf. */
static int find_in_conf(struct store_setup *s, char address[ADDR_TEXT_MAX])
{
	const struct cli *cli = s->cli;
	char path[PATH_MAX], line[512];
	struct model_errors errors = { 0 };
	struct model *m = NULL;
	int err = proc_path(cli->dirs.conf, PROC_CONF_FILE, path), status = CLI_OK;

	if (!err)
		err = model_read_config_without_key(path, cli->dirs.node, &m, &errors);
	model_errors_summarise(&errors, line, sizeof(line));
	if (err)
		status = cli_fail(
		        CLI_USAGE,
		        "this node's address is not known, because %s cannot be read (%s): "
		        "correct it, or give --listen ADDRESS",
		        path, *line ? line : strerror(-err));
	else if (!read_api_address(m->self->api, address))
		status = cli_fail(CLI_USAGE,
		                  "node %s has no api in weir.conf, whose address is used: give "
		                  "--listen ADDRESS",
		                  cli->dirs.node);
	model_errors_free(&errors);
	model_free(m);
	return status;
}

/* Whether others can reach a member at @p text, which this host has. */
static int check_address(const char *text)
{
	struct addr a;

	if (addr_parse(text, &a))
		return cli_fail(CLI_USAGE, "--listen: \"%.60s\" is no IP address", text);
	const struct in6_addr *in6 = (const struct in6_addr *)&a;

	if (IN6_IS_ADDR_LOOPBACK(in6) || IN6_IS_ADDR_UNSPECIFIED(in6) ||
	    (addr_is4(&a) && (addr_bytes4(&a)[0] == 127 || addr_bytes4(&a)[0] == 0)))
		return cli_fail(CLI_USAGE,
		                "other nodes cannot reach %s: give the address of this host's "
		                "management network (--listen)",
		                text);
	if (!addr_is_here(&a))
		return cli_fail(CLI_USAGE,
		                "this host does not have the address %s: give one that it has "
		                "(--listen)",
		                text);
	return CLI_OK;
}

int store_setup_find_host(struct store_setup *s, const struct cli_args *args)
{
	const char *listen = cli_text(args, "--listen"), *name = cli_text(args, "--name");
	char address[ADDR_TEXT_MAX] = "";
	int status = listen ? CLI_OK : find_in_conf(s, address);

	if (status)
		return status;
	if (!name)
		name = s->cli->dirs.node;
	if (!etcd_unit_name_ok(name))
		return cli_fail(CLI_USAGE,
		                "\"%.70s\" cannot be a member's name: give another one with --name "
		                "(a-z, 0-9, ., _ and -, at most 63)",
		                name);
	status = check_address(listen ? listen : address);
	if (status)
		return status;
	snprintf(s->host.name, sizeof(s->host.name), "%s", name);
	snprintf(s->host.address, sizeof(s->host.address), "%s", listen ? listen : address);
	return CLI_OK;
}

int store_setup_read(const struct cli_args *args, const char *name, char *text, size_t size)
{
	const char *path = cli_text(args, name);
	char *bytes = NULL;
	size_t n = 0;
	int err = path ? files_slurp(path, &bytes, &n) : 0;

	text[0] = '\0';
	if (!path)
		return cli_value(args, name) ? cli_fail(CLI_USAGE, "%s needs a file", name)
		                             : CLI_OK;
	if (!err && (n >= size || !n || memchr(bytes, '\0', n)))
		err = -EFBIG;
	if (!err)
		memcpy(text, bytes, n + 1);
	if (bytes)
		explicit_bzero(bytes, n);
	free(bytes);
	if (err == -EFBIG)
		return cli_fail(CLI_USAGE, "%s: %s must be a text of 1 to %zu bytes", name, path,
		                size - 1);
	return err ? cli_fail(CLI_USAGE, "%s: %s: %s", name, path, strerror(-err)) : CLI_OK;
}

int store_setup_settings(struct store_setup *s)
{
	node_files_settings(&s->join, *s->node.pem != '\0', &s->conf);
	int err = store_conf_settings(&s->conf, s->cli->dirs.conf, &s->settings);

	if (err)
		snprintf(s->reason, sizeof(s->reason), "%.400s: %s", s->cli->dirs.conf,
		         strerror(-err));
	return err;
}

int store_setup_wait(struct store_setup *s, const struct etcd_settings *settings)
{
	uint64_t now_ms = clock_mono_ms(), report_ms = now_ms + REPORT_MS;
	uint64_t until_ms = now_ms + STORE_START_S * 1000;
	char text[ETCD_REASON_MAX];
	struct store_claim claim;
	int err;

	while ((err = store_claim_look(settings, s->conf.prefix, &claim, NULL, text)) != 0 &&
	       now_ms < until_ms && (err == -EHOSTUNREACH || err == -EINPROGRESS)) {
		if (now_ms >= report_ms) {
			store_say(s->cli, "waiting for etcd (%s)\n", text);
			report_ms = now_ms + REPORT_MS;
		}
		usleep(POLL_US);
		now_ms = clock_mono_ms();
	}
	if (err)
		snprintf(s->reason, sizeof(s->reason),
		         "etcd does not answer after %u s (%s): journalctl -u etcd says more",
		         STORE_START_S, text);
	return err;
}

void store_setup_check_release(const struct store_setup *s)
{
	char text[ETCD_REASON_MAX];
	struct etcd_gateway *g;
	struct etcd_status status;

	if (etcd_gateway_open(&s->settings, NULL, &g, text))
		return;
	if (!etcd_gateway_status(g, 0, &status) && strcmp(status.version, ETCD_UNIT_RELEASE) != 0)
		fprintf(stderr,
		        "warning: %s has etcd %s; Weir is tested with " ETCD_UNIT_RELEASE "\n",
		        etcd_gateway_member(g), status.version);
	etcd_gateway_close(g);
	(void)s;
}

int store_setup_note(struct store_setup *s)
{
	return node_files_begin(s->cli->dirs.conf, &s->note, s->reason);
}

int store_setup_begin(struct store_setup *s)
{
	int err = s->resumes ? 0 : store_setup_note(s);

	if (!err)
		err = node_files_write(s->cli->dirs.conf, s->join.ca, &s->node, s->join.password,
		                       s->reason);
	return err ? err : store_setup_settings(s);
}

void store_setup_forget(struct store_setup *s)
{
	char first[ETCD_UNIT_REASON_MAX];
	bool kept = s->note.keeps;

	memcpy(first, s->reason, sizeof(first));
	s->note.keeps = false;
	if (kept && store_setup_note(s))
		s->note.keeps = true;
	memcpy(s->reason, first, sizeof(first));
}

int store_setup_fail(struct store_setup *s, int err)
{
	char first[ETCD_UNIT_REASON_MAX];

	if (s->note.keeps)
		return cli_fail(
		        CLI_TIMEOUT,
		        "%s\nweir: what is there stays, because others may count on it: the "
		        "same command again goes on from here",
		        s->reason);
	memcpy(first, s->reason, sizeof(first));
	if (node_files_undo(s->cli->dirs.conf, s->reason))
		return cli_fail(CLI_UNREACHABLE,
		                "%s\nweir: and what was written cannot be taken back (%s): run the "
		                "same command again when that is repaired, it begins with that",
		                first, s->reason);
	return cli_fail(err == -EEXIST ? CLI_CONFLICT : CLI_UNREACHABLE,
	                "%s\nweir: nothing was changed: what was written is taken back", first);
}
