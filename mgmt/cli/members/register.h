/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What weir-register makes of its options and of the host's name.
 *
 * Implemented in mgmt/cli/members/register.c. Pure; any thread.
 */
#ifndef WEIR_MGMT_CLI_MEMBERS_REGISTER_H
#define WEIR_MGMT_CLI_MEMBERS_REGISTER_H

#include "base/checked.h"
#include "mgmt/json/member.h"

/** What a host is called as a member, "Web_7.shop.example" -> "web_7": up to the first dot, in lower case, other characters as '-'. @return whether anything is left */
MUST_CHECK bool register_host_id(const char *host, char id[MODEL_NAME_MAX]);

/** Words of the command line; NULL: not given. */
struct register_words {
	const char *id, *address, *weight, *ttl, *labels;
};
/** Read them, as weir-mgmt reads a member. @return whether they are one; else @p error says why not */
MUST_CHECK bool register_read(const struct register_words *words, struct member_entry *w,
                              char *error, size_t size);

#endif
