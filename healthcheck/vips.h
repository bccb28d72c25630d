/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What this node knows of VIPs, over restarts: at which address and port a check has succeeded here
 * once, and which addresses are not new. Loop's thread only.
 *
 * A default check has a vote only where it has succeeded once. So it takes no site out of the
 * answers where sites cannot reach each other's VIPs. An address that comes with a later document
 * is *new* until it has been seen up, here or by another node. The addresses of the first document
 * that a node reads are not new.
 *
 * Kept in STATE/health.vips: a line "weir-vips 1", a line "ADDRESS PORT" for each success (port 0:
 * not new), and "end N".
 */
#ifndef HEALTHCHECK_VIPS_H
#define HEALTHCHECK_VIPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/checked.h"
#include "weir/model.h"

#define VIPS_FILE        "health.vips" /* in the state directory */
#define VIPS_RECORDS_MAX 131072u /* further ones are not recorded: their check stays unproven */

struct vip_record {
	struct addr address;
	uint16_t port; /* 0: the address is not new */
};

/* Zeroed at the start. */
struct vips {
	struct vip_record *items; /* sorted */
	size_t n, room;
	bool known;   /* a document was read before: what is not here is new */
	bool changed; /* since it was last saved */
};

/*
 * Take over what was kept in @p path.
 * @return 0, -ENOENT, -EPROTO (not such a file, or torn) or -errno; nothing is known then
 */
MUST_CHECK int vips_read(const char *path, struct vips *out);
void vips_fini(struct vips *v);
/* A document is accepted: the addresses of the first one are not new. */
void vips_note_model(struct vips *v, const struct model *m);
/* Whether a check has succeeded here once. */
bool vips_is_proven(const struct vips *v, const struct addr *address, uint16_t port);
/* Whether a later document brought the address, and it was never seen up. */
bool vips_is_new(const struct vips *v, const struct addr *address);
/* A check has succeeded here (@p port), or another node has seen the address up (0). */
void vips_note(struct vips *v, const struct addr *address, uint16_t port);
/* The file's text, from malloc(), given. @return NULL when out of memory */
char *vips_text(const struct vips *v, size_t *n);

#endif
