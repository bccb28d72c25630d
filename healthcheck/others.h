/* SPDX-License-Identifier: BSD-2-Clause */
/* What other nodes observe of VIPs that are new here (weir/peer_page.h). Loop's thread only. */
#ifndef HEALTHCHECK_OTHERS_H
#define HEALTHCHECK_OTHERS_H

#include "healthcheck/checker.h"

/* Search the other nodes' pages for new VIPs that a node outside their site has seen up. */
void others_search(struct checker *c, const char *run_dir);

#endif
