/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * How a frame can end at a backend's agent: one list for the enum, the counters, their
 * words and their documentation.
 */
#ifndef WEIR_FWD_DECAP_REASON_H
#define WEIR_FWD_DECAP_REASON_H

/** X(NAME, "word", is_drop, "sentence") */
#define DECAP_REASONS(X)                                                                           \
	X(PASSED, "passed", 0, "carries no tunnel; left to the kernel untouched")                  \
	X(IPIP, "ipip", 0, "IP in IP taken off, the inner packet left to the kernel")              \
	X(GUE, "gue", 0, "GUE taken off, the inner packet left to the kernel")                     \
	X(SOURCE, "source-refused", 1, "a tunnel from a source outside the accepted prefixes")     \
	X(TRUNCATED, "truncated", 1, "a tunnel whose frame ends inside a header")                  \
	X(OUTER, "outer-malformed", 1, "a tunnel whose outer lengths contradict each other")       \
	X(CHECKSUM, "outer-checksum", 1, "a tunnel whose outer IPv4 header checksum is wrong")     \
	X(FRAGMENT, "outer-fragment", 1, "a tunnel that was fragmented on its way")                \
	X(GUE_HEADER, "gue-header", 1, "GUE with a variant, type or flag not known here")          \
	X(INNER, "inner-malformed", 1, "a tunnel whose inner header is missing or does not fit")   \
	X(ECN, "ecn-illegal", 1, "congestion marked outside of a packet that is not ECN-capable")  \
	X(ROOM, "no-room", 1, "the frame could not be moved")                                      \
	X(OWNED, "owned", 0, "GUE that names earlier owners, taken off: its connection is here")   \
	X(LAST, "last-owner", 0,                                                                   \
	  "GUE that names earlier owners, taken off: no further owner is left")                    \
	X(PASSED_ON, "passed-on", 0,                                                               \
	  "a segment without a connection here, sent to the next owner")                           \
	X(OWNERS_VERSION, "owners-version", 1, "a list of owners in a form not known here")        \
	X(OWNERS_COUNT, "owners-count", 1, "a list of no or too many owners, or at none of them")  \
	X(OWNERS_LENGTH, "owners-length", 1, "a list of owners that does not fill GUE's header")   \
	X(OWNERS_LOOP, "owners-loop", 1, "a list that names an owner twice, or this one again")    \
	X(OWNERS_REFUSED, "owners-refused", 1, "a next owner outside the accepted prefixes")       \
	X(OWNERS_TTL, "owners-ttl", 1, "a packet for the next owner whose outer TTL is used up")

enum decap_reason {
#define DECAP_ENUM(name, word, is_drop, help) DECAP_##name,
	DECAP_REASONS(DECAP_ENUM)
#undef DECAP_ENUM
	        DECAP_REASON_COUNT
};

#endif
