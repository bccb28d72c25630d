/* SPDX-License-Identifier: BSD-2-Clause */
/* What weir-announce does between its start and its end. Implemented in serve.c. */
#ifndef ANNOUNCE_SERVE_H
#define ANNOUNCE_SERVE_H

struct proc_dirs;

/*
 * Announce until SIGTERM or SIGINT, which this thread blocks from now on. All that it opens it closes;
 * routes and pages stay, for the next process. @return 0, or -errno, which is logged: it could not start
 */
int serve_until_stopped(const struct proc_dirs *dirs);

#endif
