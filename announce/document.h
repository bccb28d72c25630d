/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading effective documents in a thread of its own: the largest takes hundreds of ms, and the
 * loop must withdraw within 200 ms of a driver's death. Implemented in document.c; the loop's
 * thread calls all of this.
 */
#ifndef ANNOUNCE_DOCUMENT_H
#define ANNOUNCE_DOCUMENT_H

#include "base/checked.h"
#include "weir/model.h"

struct document_thread;
struct loop;

/* A document as it was read. */
struct document_read {
	int err;             /* -ENOENT: there is none; -EINVAL with errors; -errno */
	struct model *model; /* NULL with an error */
	struct model_errors errors;
};

/*
 * A document is read. The callee may take `model` by setting it to NULL; the rest is freed afterwards.
 * @return 0, or -errno for which it is refused: if that may pass, document_tick() reads it again
 */
typedef int document_done(void *arg, struct document_read *d);

/*
 * @param path  of the document, borrowed, as is @p node, whose document it is
 * @return 0, with @p out for document_close(), or -errno
 */
MUST_CHECK int document_open(struct loop *l, const char *path, const char *node,
                             document_done *done, void *arg, struct document_thread **out);
/*
 * Read the document, and call document_done for it. While one is being read, it is read once more
 * afterwards: the newest is always read last. @return 0 or -errno: document_tick() tries again
 */
MUST_CHECK int document_start(struct document_thread *d);
/* To be called about once a second: read again what could not be read or taken. */
void document_tick(struct document_thread *d);
/* Wait for the thread and drop what it has read. NULL is fine. */
void document_close(struct document_thread *d);

#endif
