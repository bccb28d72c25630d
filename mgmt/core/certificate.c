/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each look, once a second, compares the stamps of both files; a change makes the server load the pair again. A
 * pair that cannot be used is tried again only when one of its files changes, and logged once; one
 * that cannot be read, for want of descriptors or memory, is tried again with each look.
 */
#include "mgmt/core/certificate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "mgmt/core/core.h"
#include "mgmt/files/files.h"
#include "mgmt/store/tokens.h"
#include "weir/condition.h"

/* ms: while both files are being replaced, they do not match for a moment; that is no error. */
#define MOMENT_MS       3000u
#define JUDGED_EVERY_MS 60000u                       /* certificates that are trusted end, too */
#define SOON_MS         ((int64_t)14 * 86400 * 1000) /* before it ends: time to make another one */

static int read_pem(const struct core *core, const char *name, char **out)
{
	char path[PATH_MAX];
	size_t n;
	int err = proc_path(core->dirs.conf, name, path);

	return err ? err : files_slurp(path, out, &n);
}

void certificate_free(struct certificate_texts *p)
{
	free(p->cert);
	if (p->key)
		explicit_bzero(p->key, strlen(p->key));
	free(p->key);
	free(p->clients);
}

int certificate_read(const struct core *core, struct certificate_texts *out)
{
	struct certificate_texts p = { NULL, NULL, NULL };
	int err = read_pem(core, TOKENS_CLIENTS_FILE, &p.clients);

	if (!err || err == -ENOENT)
		err = read_pem(core, CERTIFICATE_CRT, &p.cert);
	if (!err)
		err = read_pem(core, CERTIFICATE_KEY, &p.key);
	if (err)
		certificate_free(&p);
	else
		*out = p;
	return err;
}

struct http_tls_files certificate_files(const struct certificate_texts *p)
{
	return (struct http_tls_files){ .cert = p->cert, .key = p->key, .clients = p->clients };
}

/* @return 0; -EINVAL: a bad certificate; -ENOENT or -errno: the former ones stay */
static int renew_texts(struct core *core, struct http_server *server)
{
	struct certificate_texts p;
	int err = certificate_read(core, &p);

	if (err)
		return err;
	const struct http_tls_files files = certificate_files(&p);

	err = http_renew(server, &files);
	certificate_free(&p);
	return err;
}

void certificate_note(struct core *core, struct certificate *c)
{
	*c = (struct certificate){ .crt = stamp_of(core->dirs.conf, CERTIFICATE_CRT),
		                   .key = stamp_of(core->dirs.conf, CERTIFICATE_KEY),
		                   .clients = stamp_of(core->dirs.conf, TOKENS_CLIENTS_FILE) };
}

const char *certificate_error_text(int err)
{
	switch (err) {
	case -EINVAL:
		return CERTIFICATE_CRT " has no PEM certificate";
	case -ENOKEY:
		return CERTIFICATE_KEY " has no PEM private key";
	case -EKEYREJECTED:
		return "the key is not the certificate's";
	case -EBADMSG:
		return TOKENS_CLIENTS_FILE " has no PEM certificate, or more than those";
	default:
		return strerror(-err);
	}
}

/* Whether it lies in the files, so that only other files can mend it. */
static bool is_of_files(int err)
{
	return err == -EINVAL || err == -ENOKEY || err == -EKEYREJECTED || err == -EBADMSG;
}

static void note_failure(struct certificate *c, int err)
{
	const char *reason = certificate_error_text(err);
	bool is_logged = !is_of_files(err) && !strcmp(c->reason, reason);

	if (!*c->reason)
		c->failed_ms = clock_mono_ms();
	snprintf(c->reason, sizeof(c->reason), "%s", reason);
	if (!is_logged)
		log_warn("certificate-refused", "reason=\"%s\"", c->reason);
}

void certificate_follow(struct core *core, struct certificate *c, struct http_server *server)
{
	struct stamp crt = stamp_of(core->dirs.conf, CERTIFICATE_CRT);
	struct stamp key = stamp_of(core->dirs.conf, CERTIFICATE_KEY);
	struct stamp clients = stamp_of(core->dirs.conf, TOKENS_CLIENTS_FILE);

	c->end_ms = server ? http_certificate_end_ms(server) : 0;
	bool is_settled = !c->error || c->error == -ENOENT || is_of_files(c->error);
	if (!server || (is_settled && stamp_same(&crt, &c->crt) && stamp_same(&key, &c->key) &&
	                stamp_same(&clients, &c->clients)))
		return;
	int err = renew_texts(core, server);
	c->error = err;
	c->crt = crt;
	c->key = key;
	c->clients = clients;
	if (err) {
		note_failure(c, err);
		return;
	}
	c->reason[0] = '\0';
	log_note("certificate-renewed", "path=%s/" CERTIFICATE_CRT, core->dirs.conf);
}

/* The certificates that peers trust, as this node itself trusts its peers' (mgmt/http/client.c). */
static int read_ca(const struct core *core, char **out)
{
	int err = read_pem(core, CERTIFICATE_CA, out);

	return err == -ENOENT ? read_pem(core, CERTIFICATE_CRT, out) : err;
}

void certificate_judge(const struct core *core, struct certificate *c, struct http_server *server,
                       const char *host)
{
	const struct stamp crt = stamp_of(core->dirs.conf, CERTIFICATE_CRT),
	                   key = stamp_of(core->dirs.conf, CERTIFICATE_KEY),
	                   ca = stamp_of(core->dirs.conf, CERTIFICATE_CA);
	uint64_t now_ms = clock_mono_ms();
	char fault[HTTP_TEXT_MAX] = "", *pem = NULL;

	if (c->judged_ms && now_ms < c->judged_ms + JUDGED_EVERY_MS &&
	    stamp_same(&crt, &c->judged_crt) && stamp_same(&key, &c->judged_key) &&
	    stamp_same(&ca, &c->judged_ca) && !strcmp(host, c->judged_host))
		return;
	if (server && *host && !read_ca(core, &pem))
		http_certificate_fault(server, pem, host, fault);
	free(pem);
	c->judged_ms = now_ms;
	c->judged_crt = crt;
	c->judged_key = key;
	c->judged_ca = ca;
	snprintf(c->judged_host, sizeof(c->judged_host), "%s", host);
	if (*fault && !*c->fault)
		c->faulty_ms = now_ms;
	snprintf(c->fault, sizeof(c->fault), "%s", fault);
}

static void state_fault(struct core *core, const struct certificate *c)
{
	if (*c->fault && clock_mono_ms() - c->faulty_ms >= MOMENT_MS)
		conditions_add(
		        core->stats, "certificate-not-accepted", CONDITION_DEGRADED,
		        CERTIFICATE_CRT,
		        "peers do not accept the certificate of the API (%.80s): what is "
		        "connected goes on, and nothing connects again. Install a pair that " CERTIFICATE_CA
		        " has signed and that names %.45s",
		        c->fault, c->judged_host);
}

/*
 * Connections outlive the certificate that they began with: the peers' last until a process is restarted or a link is cut, and
 * no new one begins then.
 */
static void state_end(struct core *core, const struct certificate *c)
{
	int64_t left_ms = c->end_ms ? c->end_ms - clock_believed_ms() : SOON_MS;
	char text[CLOCK_TEXT_MAX];

	if (left_ms >= SOON_MS)
		return;
	conditions_add(core->stats, "certificate-ends",
	               left_ms > 0 ? CONDITION_NOTE : CONDITION_DEGRADED, CERTIFICATE_CRT,
	               "the certificate of the API %s at %s: peers and clients %s no new "
	               "connection; replace %.80s/" CERTIFICATE_CRT " and " CERTIFICATE_KEY
	               ", nothing needs a restart",
	               left_ms > 0 ? "ends" : "has ended", clock_text(c->end_ms, text),
	               left_ms > 0 ? "then begin" : "begin", core->dirs.conf);
}

void certificate_state(struct core *core, const struct certificate *c)
{
	state_end(core, c);
	state_fault(core, c);
	if (*c->reason && clock_mono_ms() - c->failed_ms >= MOMENT_MS)
		conditions_add(
		        core->stats, "certificate-refused", CONDITION_DEGRADED, CERTIFICATE_CRT,
		        /* at most CONDITION_TEXT_MAX: what to do is at the end */
		        "%.90s/" CERTIFICATE_CRT " and " CERTIFICATE_KEY
		        " cannot be used (%.45s): weir-mgmt serves the previous pair until it "
		        "restarts; install a certificate and its key",
		        core->dirs.conf, c->reason);
}
