/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Files by their digests: uploads by operators, fetches by peers. Parts of them go over JSON, base64, a few
 * megabytes a request, so that a file of any size takes little memory and an interrupted transfer goes on.
 *
 * Implemented in mgmt/api/handle_files.c; called by the threads of handlers.
 */
#ifndef WEIR_MGMT_API_HANDLE_FILES_H
#define WEIR_MGMT_API_HANDLE_FILES_H

#include "mgmt/core/core.h"
#include "mgmt/http/http.h"

http_handler handle_files, handle_peer_files;

#endif
