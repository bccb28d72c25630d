/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Messages for tests: queries made by hand, answers read back to text by a reader of its
 * own, which takes nothing but well-formed messages.
 */
#ifndef WEIR_TESTS_MESSAGE_TEXT_H
#define WEIR_TESTS_MESSAGE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Write a query with one question, RD set, id 0x1234. @return its length */
size_t query_make(const char *name, uint16_t type, uint8_t *out);

/** Append an OPT record to a query, with the options given. @return the new length */
size_t query_add_opt(uint8_t *query, size_t length, uint16_t udp_size, uint8_t version,
                     const void *options, size_t n);

/** Write a client-subnet option. @return its length */
size_t option_subnet(const char *address, uint8_t source_bits, uint8_t *out);

/**
 * Read a message completely and write it as lines:
 *     NOERROR aa tc
 *     ? name type
 *     an name ttl type data        (also: au, ad; OPT as "opt size version do [subnet a/n/scope]")
 * @return whether it was well-formed: all counts true, no byte left over, pointers backwards only
 */
bool message_text(const uint8_t *message, size_t length, char *out, size_t room);

#endif
