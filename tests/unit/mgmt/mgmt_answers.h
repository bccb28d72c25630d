/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls of libcurl, OpenSSL, SQLite and libbpf that a suite answers itself (tests/unit/answers.h). */
#ifndef WEIR_TESTS_MGMT_MGMT_ANSWERS_H
#define WEIR_TESTS_MGMT_MGMT_ANSWERS_H

#include <bpf/bpf.h>
#include <curl/curl.h>
#include <openssl/ssl.h>
#include <sqlite3.h>

#include "tests/unit/answers.h"

/* meson.build has their names, too. */
#define MGMT_ANSWERS(X)                                                                            \
	X(int, bpf_map_lookup_elem, (int fd, const void *key, void *value), (fd, key, value))      \
	X(int, bpf_obj_get, (const char *path), (path))                                            \
	X(CURLMcode, curl_multi_add_handle, (CURLM * multi, CURL * easy), (multi, easy))           \
	X(CURLMsg *, curl_multi_info_read, (CURLM * multi, int *n_left), (multi, n_left))          \
	X(CURLMcode, curl_multi_perform, (CURLM * multi, int *running), (multi, running))          \
	X(CURLMcode, curl_multi_poll,                                                              \
	  (CURLM * multi, struct curl_waitfd * more, unsigned n_more, int wait_ms, int *n),        \
	  (multi, more, n_more, wait_ms, n))                                                       \
	X(CURLMcode, curl_multi_remove_handle, (CURLM * multi, CURL * easy), (multi, easy))        \
	X(CURLcode, curl_easy_perform, (CURL * easy), (easy))                                      \
	X(int, sqlite3_step, (sqlite3_stmt * s), (s))                                              \
	X(SSL_CTX *, SSL_CTX_new, (const SSL_METHOD *method), (method))                            \
	X(int, SSL_read, (SSL * tls, void *out, int n), (tls, out, n))                             \
	X(int, SSL_write, (SSL * tls, const void *bytes, int n), (tls, bytes, n))

MGMT_ANSWERS(ANSWER_DECLARE)

/* A number of an option is in @c value, too. */
extern CURLcode (*answer_curl_easy_setopt)(CURL *easy, CURLoption what, void *value);
CURLcode __real_curl_easy_setopt(CURL *easy, CURLoption what, ...);
CURLcode __wrap_curl_easy_setopt(CURL *easy, CURLoption what, ...);

extern CURLcode (*answer_curl_easy_getinfo)(CURL *easy, CURLINFO what, void *out);
CURLcode __real_curl_easy_getinfo(CURL *easy, CURLINFO what, ...);
CURLcode __wrap_curl_easy_getinfo(CURL *easy, CURLINFO what, ...);

#endif
