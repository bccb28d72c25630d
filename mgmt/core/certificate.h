/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The certificate and key of the API over TCP, CONF/tls.crt and CONF/tls.key: a pair that is put there is used for new connections,
 * without a restart. One that cannot be used is refused, the former one stays, and status says so; also when the one that is
 * served ends.
 *
 * Implemented in mgmt/core/certificate.c; called by the main thread only.
 */
#ifndef WEIR_MGMT_CORE_CERTIFICATE_H
#define WEIR_MGMT_CORE_CERTIFICATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/core/stamp.h"

#define CERTIFICATE_CRT "tls.crt"
#define CERTIFICATE_KEY "tls.key"

struct core;
struct http_server;

/** What was found at the last look; zeroed at first. Of the main thread. */
struct certificate {
	struct stamp crt, key;
	int error;          /**< 0 or -errno of the last try to use them */
	char reason[160];   /**< why the present files are not used; "": they are */
	uint64_t failed_ms; /**< monotonic: since when */
	int64_t end_ms;     /**< when the certificate that is served ends; 0: not known */
};

/** Certificate and key as read, both or none. */
struct certificate_texts {
	char *cert, *key;
};

/** Read both files as they are now. @return 0 and @p out for certificate_free(), -ENOENT or -errno */
int certificate_read(const struct core *core, struct certificate_texts *out) MUST_CHECK;
void certificate_free(struct certificate_texts *p);
/** Note the files as they are now: a server is about to be started with them. */
void certificate_note(struct core *core, struct certificate *c);
/** If the files changed, make @p server use the new pair. By the main thread, each second. */
void certificate_follow(struct core *core, struct certificate *c, struct http_server *server);
/** State the conditions. In a round of conditions. */
void certificate_state(struct core *core, const struct certificate *c);

#endif
