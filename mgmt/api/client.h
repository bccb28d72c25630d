/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Asking peers over HTTP (libcurl): several at a time, each within a time, answers bounded.
 */
#ifndef WEIR_MGMT_API_CLIENT_H
#define WEIR_MGMT_API_CLIENT_H

#include <jansson.h>
#include <stddef.h>

#include "mgmt/api/http.h"

#define CLIENT_URL_MAX    512u
#define CLIENT_ANSWER_MAX ((size_t)64 << 20)

/** What all requests to peers have in common. */
struct client {
	char token[HTTP_TEXT_MAX];
	char ca[4096]; /**< PEM file by which peers are verified */
};

struct client_request {
	char url[CLIENT_URL_MAX];
	int post; /**< an empty POST instead of a GET */
	int timeout_ms;
	json_t *answer;          /**< given; NULL on failure */
	char why[HTTP_TEXT_MAX]; /**< the failure */
};

/** Send @p n requests at once and wait for all. */
void client_ask(const struct client *c, struct client_request *requests, size_t n);

#endif
