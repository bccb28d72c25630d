/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What a list shows by the query parameter `filter`: "site=ams,check=web".
 *
 * Implemented in mgmt/core/list_filter.c; any thread.
 */
#ifndef WEIR_MGMT_CORE_LIST_FILTER_H
#define WEIR_MGMT_CORE_LIST_FILTER_H

#include <jansson.h>

#include "base/checked.h"
#include "mgmt/http/http.h"

#define LIST_FILTERS_MAX 8u

struct list_filter {
	char text[HTTP_TEXT_MAX];
	const char *fields[LIST_FILTERS_MAX], *values[LIST_FILTERS_MAX];
	size_t n;
};

/** Read it. @return false: @p reply says what is wrong. Fields are not looked at */
bool list_filter_read(const struct http_request *r, struct list_filter *f,
                      struct http_reply *reply) MUST_CHECK;
/** Whether @p object has all these values, as a person would write them; what is not given is "". Of a list one entry is enough. */
bool list_filter_fits(const struct list_filter *f, const json_t *object);

#endif
