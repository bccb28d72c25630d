/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * From one weir-dataplane to the next.
 *
 * A planned restart starts the next process beside the one that forwards (--successor FD). The
 * successor first prepares all that needs nothing of the other: the document is compiled, the driver
 * is chosen, DPDK is started and has its packet pools. Then it writes a byte to FD. Whoever started
 * it (`weir run`) now ends the other process, and the successor goes on when that one has let go of
 * its pages. So at each moment one process writes pages and tables, by the same locks as at any
 * other start. A successor that cannot prepare ends, and the other process forwards on.
 *
 * Implemented in succession.c; the loop's thread calls this, before the loop runs.
 */
#ifndef WEIR_DATAPLANE_SUCCESSION_H
#define WEIR_DATAPLANE_SUCCESSION_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/checked.h"
#include "dataplane/tables/compiled.h"

struct process;

/** A document that was compiled beside the process that forwards, and the file that it was. */
struct prepared {
	struct compiled compiled;
	struct stat file;
};

/**
 * Prepare beside the process that forwards, and say so on process.ready_fd. Without ready_fd nothing
 * is done.
 * @return 0; or -errno, logged: this process cannot take the other's place
 */
int succession_prepare(struct process *p) MUST_CHECK;
/**
 * Open the pages, which the process before holds until it has ended or let go of them: it is waited
 * for; to its end, if the driver needs its memory.
 * @return 0; -EBUSY, logged: it does not end; or -errno
 */
int succession_open_pages(struct process *p) MUST_CHECK;
/**
 * Take the document that was compiled, if the file is still the same.
 * @param out  given to the caller
 * @return whether there is one
 */
bool succession_accept(struct process *p, const char *path, struct compiled *out);
/**
 * End the process some seconds after the first call, so that people can read why, if it has no driver
 * and cannot open one any more. Whoever supervises it starts the next one, which can.
 */
void succession_make_way(struct process *p);
/** Drop what was prepared and not taken. */
void succession_close(struct process *p);

#endif
