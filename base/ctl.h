/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Control sockets: a UNIX stream socket per process, one request a line, one
 * answer a line (a JSON object each; this layer moves lines and does not parse).
 * Never needed for forwarding or answering.
 *
 * Bounds: 16 clients, 64 KiB a request, 4 MiB an answer, 30 s of silence; over a
 * limit the client is closed. A longer answer is refused, {"ok":false,...}, and logged once. A
 * seventeenth client takes the place of the one that is silent longest. A process without free descriptors still serves one client at a time
 * (base/spare.h). A socket file that somebody removes is made again within a second.
 *
 * Implemented in base/ctl.c (server: the loop's thread only) and base/ctl_request.c (client: any
 * thread).
 */
#ifndef WEIR_BASE_CTL_H
#define WEIR_BASE_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"

struct ctl;
struct loop;

/**
 * Handle one request line.
 * @param line  without its newline, NUL-terminated; borrowed for the call
 * @return the answer without newline, from malloc(), which the caller frees; NULL closes the client
 */
typedef char *ctl_handler(void *arg, const char *line, size_t length);

/**
 * Serve at @p path, mode 0660 and group @p group (a constant) if it is not NULL and exists; a
 * stale socket file is replaced. @return 0 or -errno
 */
MUST_CHECK int ctl_serve(struct loop *l, const char *path, const char *group, ctl_handler *handler,
                         void *arg, struct ctl **out);
/** Close the socket and its clients, remove the file. NULL is fine. */
void ctl_close(struct ctl *c);
/**
 * Within the handler: whether the client whose line this is may speak for weir-@p process, that is
 * whether it runs as its user, as root, or as the server's own user (base/owner.h). The socket's
 * mode lets in all of group weir. @return false outside of the handler
 */
bool ctl_client_is(const struct ctl *c, const char *process);

/**
 * Client: send one line to @p path and read one. @p answer is malloc()ed, given. @return 0,
 * -ETIMEDOUT, -EMSGSIZE or -errno
 */
int ctl_request(const char *path, const char *line, int timeout_ms, char **answer);

#endif
