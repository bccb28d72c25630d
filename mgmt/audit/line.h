/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * A line of the audit log: one JSON object, which has the SHA-256 of the line before it (without the newline) in @c prev. So
 * no line can be changed without all behind it. Some lines are signed by the node's key: they vouch for the line before
 * them, and so for all before that (RFC 9162 has the idea, with a tree). docs/api.md has the rows for people.
 *
 * No row has room for a token, a header or a body: a line cannot have a secret that a person did not write into a reason.
 *
 * Implemented in mgmt/audit/line.c. Pure: any thread.
 */
#ifndef WEIR_MGMT_AUDIT_LINE_H
#define WEIR_MGMT_AUDIT_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/checked.h"
#include "base/clock.h"
#include "mgmt/files/digest.h"
#include "record/fields.h"
#include "weir/model.h"

/** What a line says: its word, and what that means, for docs/api.md. */
#define AUDIT_KINDS(X)                                                                             \
	X(AUDIT_CHANGE, "change", "somebody asked for a change, and it was carried out")           \
	X(AUDIT_REFUSAL, "refusal", "a request was refused, or failed: `status`, `code`")          \
	X(AUDIT_LOGIN, "login", "a token was used from an address for the first time in an hour")  \
	X(AUDIT_BAD_LOGIN, "bad-login",                                                            \
	  "a token was shown that is none, or is not taken (`who`, `code`)")                       \
	X(AUDIT_LOOK, "look", "prefixes of clients were shown to somebody")                        \
	X(AUDIT_IN_FORCE, "in-force", "a version came into force on this node")                    \
	X(AUDIT_START, "start", "weir-mgmt started")                                               \
	X(AUDIT_STOP, "stop", "weir-mgmt ended as it should")                                      \
	X(AUDIT_BEGIN, "begin", "the first line of a file; signed")                                \
	X(AUDIT_SEAL, "seal", "vouches for all lines before it; signed")                           \
	X(AUDIT_KEY, "key", "`next` is the key from now on; signed by the one before")             \
	X(AUDIT_REPAIR, "repair", "a power cut left `count` bytes of no whole line, cut off here") \
	X(AUDIT_LOST, "lost", "`count` lines could not be written `since` then")                   \
	X(AUDIT_GONE, "gone", "lines before this one are gone from the disk: `result` says how")

#define AUDIT_KIND_ID(id, word, means) id,
enum audit_kind { AUDIT_KINDS(AUDIT_KIND_ID) AUDIT_N_KINDS };
#undef AUDIT_KIND_ID
#define AUDIT_KIND_BEHIND(id, word, means) "|" word
#define AUDIT_KIND_WORDS                   (&(AUDIT_KINDS(AUDIT_KIND_BEHIND))[1]) /**< all, by '|' */

#define AUDIT_LINE_MAX                                                                             \
	8192u               /**< bytes of a line with its newline: more than all rows can come to */
#define AUDIT_KEY_MAX  65u  /**< a public key in hexadecimal, with the NUL */
#define AUDIT_SIGN_MAX 129u /**< likewise a signature */

/** A line. What is empty or 0 is not in the text, "seq" to "prev" apart. */
struct audit_line {
	uint64_t seq;              /**< from 1 on, without gaps */
	char time[CLOCK_TEXT_MAX]; /**< RFC 3339, the believed time */
	char node[MODEL_NAME_MAX];
	enum audit_kind kind;
	char prev[DIGEST_TEXT_MAX]; /**< of the first line: zeros */
	char who[72];               /**< "user:root", "token:ada", "peer"; "weir": by itself */
	char author[64];            /**< what the request says of itself */
	char source[ADDR_TEXT_MAX]; /**< an address, or "socket" */
	char method[8], path[512];
	char object[256]; /**< what a body names, where the path does not: "sites/ams", by blanks */
	uint32_t status;
	char code[32];   /**< of the problem */
	char result[96]; /**< "version 7", "override ..." */
	char reason[256];
	bool replayed;              /**< by its Idempotency-Key: the change was made before */
	uint64_t count;             /**< of so many like this one since @c since; 0: it is one */
	char since[CLOCK_TEXT_MAX]; /**< of a count */
	uint64_t dropped;           /**< of a begin: lines to this one are no longer kept */
	char key[AUDIT_KEY_MAX];    /**< of a signed line: who signed it */
	char next[AUDIT_KEY_MAX];
	char signature[AUDIT_SIGN_MAX];
};
extern const struct record_kind audit_line_record;

/** A line that vouches for line @c seq, whose digest is @c hash, and for all before it: what the peers keep. */
struct audit_head {
	char node[MODEL_NAME_MAX];
	uint64_t seq;
	char hash[DIGEST_TEXT_MAX];
	char time[CLOCK_TEXT_MAX];
	char key[AUDIT_KEY_MAX];
	char signature[AUDIT_SIGN_MAX];
	char former[AUDIT_KEY_MAX];    /**< the key before @c key; "": it is the first one */
	char handover[AUDIT_SIGN_MAX]; /**< by the former key: that @c key is the next one */
	bool went_back; /**< of the peer that keeps it: a later head had no higher number. Not signed */
};
extern const struct record_kind audit_head_record;

const char *audit_kind_word(int kind);
/** Whether lines of @p kind are signed. */
bool audit_kind_is_signed(enum audit_kind kind);
/** The line as text without newline, given; NULL when out of memory. Outside texts lose their control characters. */
MUST_CHECK char *audit_line_text(const struct audit_line *line);
/** Read a line of @p n bytes without its newline. @return 0, -EINVAL or -ENOMEM */
MUST_CHECK int audit_line_read(const char *text, size_t n, struct audit_line *out);
/** The zeros before the first line. */
const char *audit_line_none(void);

#define AUDIT_SIGNED_MAX 512u /**< bytes of what is signed */
/**
 * What the signature of a line vouches for: "weir-audit-1", node, number and digest of the line before, time, key, next key or
 * "dropped" with the number; a newline behind each. @return its length
 */
size_t audit_line_signed(const struct audit_line *line, char out[AUDIT_SIGNED_MAX]);
/** The head that a signed line is: of the line before it. */
void audit_head_of(const struct audit_line *line, struct audit_head *out);
/** Whether the signature of a line, or of a head, is that of its key. */
bool audit_line_is_signed(const struct audit_line *line);
bool audit_head_is_signed(const struct audit_head *head);
/** What a handover signs: "weir-audit-key-1", node, former key, key; a newline behind each. @return its length */
size_t audit_head_handover(const struct audit_head *head, char out[AUDIT_SIGNED_MAX]);
/** Whether a log whose key was @p key may have this head: the key is the same, or the former one has signed the next. */
bool audit_head_follows(const struct audit_head *head, const char *key);

#endif
