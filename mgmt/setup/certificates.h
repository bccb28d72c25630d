/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Certificates of the store that nodes share: a CA of its own, and what it signs for members of etcd and for nodes.
 *
 * All are texts (PEM) in memory; who calls writes the files. Keys are ECDSA over P-256 (RFC 5480), certificates are
 * those of RFC 5280. A certificate begins a day before it is made, because clocks of hosts differ.
 *
 * A member's certificate is also a client's: its JSON gateway shows it to the member itself. Members have the common
 * name CERTIFICATES_MEMBER, by which etcd keeps a node's certificate away from the port of members.
 *
 * Implemented in mgmt/setup/certificates.c with OpenSSL's library. Any thread; no state.
 */
#ifndef WEIR_MGMT_SETUP_CERTIFICATES_H
#define WEIR_MGMT_SETUP_CERTIFICATES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/checked.h"

#define CERTIFICATES_PEM_MAX                                                                       \
	16384u /**< bytes of a text with its NUL; a CA's may have several certificates */
#define CERTIFICATES_MEMBER "weir-store-member"
#define CERTIFICATES_DAYS   3650 /**< of all that are made */

/** A certificate and its private key, as PEM. */
struct certificate_pair {
	char pem[CERTIFICATES_PEM_MAX], key[CERTIFICATES_PEM_MAX];
};

/** Make a CA that signs only certificates of ends. @return 0, -EIO (OpenSSL) or -ENOMEM; @p out is untouched then */
MUST_CHECK int certificates_make_ca(const char *name, struct certificate_pair *out);
/**
 * Sign a certificate for a new key.
 * @param name     its common name, at most 64 bytes
 * @param address  of a member: an IP address in text, for which it serves; NULL: of a client
 * @return 0; -EINVAL: @p ca is no pair of a certificate and its key, or @p address is none; -EIO or -ENOMEM
 */
MUST_CHECK int certificates_sign(const struct certificate_pair *ca, const char *name,
                                 const char *address, struct certificate_pair *out);
/** Whether @p ca (PEM, one certificate or more) can be read. */
bool certificates_is_ca(const char *ca);
/** What a pair must be for. */
enum certificates_use { CERTIFICATES_CLIENT, CERTIFICATES_SERVER_AND_CLIENT };
/**
 * Whether @p c is a pair that @p ca has signed, for @p use and now.
 * @param address  for which it must serve; NULL: any
 * @return NULL, or what is wrong with it, static
 */
const char *certificates_find_fault(const char *ca, const struct certificate_pair *c,
                                    enum certificates_use use, const char *address);
/** When the first certificate of @p pem ends, as wall time. @return 0 or -EINVAL */
MUST_CHECK int certificates_end(const char *pem, int64_t *end_ms);

#endif
