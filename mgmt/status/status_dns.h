/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What weir-dns does with sites and services, found by name in what it said last.
 *
 * Implemented in mgmt/status/status_dns.c; called by the thread that makes the status.
 */
#ifndef WEIR_MGMT_STATUS_STATUS_DNS_H
#define WEIR_MGMT_STATUS_STATUS_DNS_H

#include <jansson.h>

#include "base/checked.h"
#include "record/fields.h"

/** An index of the answer, which it shares; borrows nothing. Zeroed, it knows nothing. */
struct status_dns {
	json_t *sites;    /* {SITE: what is read of the name that judges it} */
	json_t *services; /* {SERVICE: {SITE: what is read of its first name with that site}} */
};

/** @param said  observe_dns(), NULL: nothing is known. @return 0 or -ENOMEM; then it is empty */
int status_dns_init(struct status_dns *dns, const json_t *said) MUST_CHECK;
void status_dns_fini(struct status_dns *dns);
extern const struct record_kind dns_effect_kind;
/** What weir-dns does with a site, given. */
json_t *status_dns_site_effect(const struct status_dns *dns, const char *site);
/** What it does with @p service there, given; of a service that no name has there, what it does with the site. */
json_t *status_dns_at_effect(const struct status_dns *dns, const char *service, const char *site);

#endif
