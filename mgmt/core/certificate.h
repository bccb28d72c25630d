/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The certificate and key of the API over TCP, CONF/tls.crt and CONF/tls.key, and CONF/tls.clients, who signs certificates of clients:
 * what is put there is used for new connections, without a restart. One that cannot be used is refused, the former one stays, and status says so; also when the one that is
 * served ends, or peers do not accept it: connections outlive it, so nobody else would see that.
 *
 * Implemented in mgmt/core/certificate.c; called by the main thread only.
 */
#ifndef WEIR_MGMT_CORE_CERTIFICATE_H
#define WEIR_MGMT_CORE_CERTIFICATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/core/stamp.h"
#include "mgmt/http/tls.h"

#define CERTIFICATE_CRT "tls.crt"
#define CERTIFICATE_KEY "tls.key"
#define CERTIFICATE_CA  "tls.ca"

struct core;
struct http_server;

/** What was found at the last look; zeroed at first. Of the main thread. */
struct certificate {
	struct stamp crt, key, clients;
	int error;          /**< 0 or -errno of the last try to use them */
	char reason[160];   /**< why the present files are not used; "": they are */
	uint64_t failed_ms; /**< monotonic: since when */
	int64_t end_ms;     /**< when the certificate that is served ends; 0: not known */
	/* whether peers accept it: what that was judged by, and when (monotonic; 0: never) */
	struct stamp judged_crt, judged_key, judged_ca;
	char judged_host[64];
	uint64_t judged_ms;
	char fault[256];    /**< why they do not; "": they do, or there are none */
	uint64_t faulty_ms; /**< monotonic: since when */
};

/** Certificate and key as read, both or none; and whose clients are known, or NULL. */
struct certificate_texts {
	char *cert, *key, *clients;
};

/** Read the files as they are now. @return 0 and @p out for certificate_free(), -ENOENT or -errno */
int certificate_read(const struct core *core, struct certificate_texts *out) MUST_CHECK;
void certificate_free(struct certificate_texts *p);
/** The same, borrowed. */
struct http_tls_files certificate_files(const struct certificate_texts *p);
/** Why a pair cannot be used: which of the files is wrong, by an error of http_tls_context() or of certificate_read(). */
const char *certificate_error_text(int err);
/** Note the files as they are now: a server is about to be started with them. */
void certificate_note(struct core *core, struct certificate *c);
/** If the files changed, make @p server use the new pair. By the main thread, each second. */
void certificate_follow(struct core *core, struct certificate *c, struct http_server *server);
/**
 * Judge what @p server serves as peers do that connect to @p host, by this node's own CONF/tls.ca (CONF/tls.crt without
 * it), which all nodes have. Again when something of it changes, and each minute. @p host  "": there are no peers
 */
void certificate_judge(const struct core *core, struct certificate *c, struct http_server *server,
                       const char *host);
/** State the conditions. In a round of conditions. */
void certificate_state(struct core *core, const struct certificate *c);

#endif
