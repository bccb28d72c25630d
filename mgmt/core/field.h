/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The errors of a request's body as an answer of the API (mgmt/json/field.h reads the body).
 *
 * Implemented in mgmt/core/field.c; called by the threads of handlers.
 */
#ifndef WEIR_MGMT_CORE_FIELD_H
#define WEIR_MGMT_CORE_FIELD_H

#include "mgmt/http/http.h"
#include "mgmt/json/field.h"

/** field_close(). @return true when there are no errors; else @p reply is 422 `invalid` */
MUST_CHECK bool field_end(struct field_reader *f, struct http_reply *reply);

#endif
