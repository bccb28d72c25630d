/* SPDX-License-Identifier: BSD-2-Clause */
/* What other nodes see of VIPs that are news here (weir/view.h). Loop's thread only. */
#ifndef HEALTHCHECK_OTHERS_H
#define HEALTHCHECK_OTHERS_H

#include "healthcheck/checker.h"

/* Look into the nodes' views for new VIPs that one has seen up from outside of their site. */
void others_look(struct checker *c, const char *run_dir);

#endif
