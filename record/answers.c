/* SPDX-License-Identifier: BSD-2-Clause */
/* The kinds of the rows in record/answers.h, those of parts before the whole. */
#include "record/answers.h"

RECORD_KIND(port_shown, "port", PORT_SHOWN_ROWS);
RECORD_KIND(missing_port, "port", MISSING_PORT_ROWS);
RECORD_KIND(dataplane_shown, "status", DATAPLANE_SHOWN_ROWS);
RECORD_KIND(backend_shown, "backend", BACKEND_SHOWN_ROWS);
RECORD_KIND(backends_shown, "backends", BACKENDS_SHOWN_ROWS);
RECORD_KIND(trace_step_shown, "step", TRACE_STEP_ROWS);
RECORD_KIND(trace_shown, "trace", TRACE_SHOWN_ROWS);
RECORD_KIND(health_target, "target", HEALTH_TARGET_ROWS);
RECORD_KIND(group_shown, "group", GROUP_SHOWN_ROWS);
RECORD_KIND(control_shown, "control", CONTROL_SHOWN_ROWS);
RECORD_KIND(derived_shown, "service", DERIVED_SHOWN_ROWS);
RECORD_KIND(health_shown, "list", HEALTH_SHOWN_ROWS);
RECORD_KIND(probed_shown, "probed", PROBED_SHOWN_ROWS);
RECORD_KIND(dns_zone, "zone", DNS_ZONE_ROWS);
RECORD_KIND(dns_peer, "view", DNS_PEER_ROWS);
RECORD_KIND(dns_site, "site", DNS_SITE_ROWS);
RECORD_KIND(dns_name, "name", DNS_NAME_ROWS);
RECORD_KIND(dns_ramp, "ramp", DNS_RAMP_ROWS);
RECORD_KIND(deciding_shown, "deciding", DECIDING_SHOWN_ROWS);
RECORD_KIND(dns_load, "load", DNS_LOAD_ROWS);
RECORD_KIND(dns_shown, "status", DNS_SHOWN_ROWS);
