/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Taking a tunnel off: what a backend's agent does with a frame.
 *
 * Freestanding, for gcc, clang and clang --target=bpf; one pass over the outer headers, no
 * loop beyond the outer IPv4 options. Follows RFC 2003 and RFC 4213 (IP in IP), RFC 2473
 * (in IPv6), draft-ietf-intarea-gue (GUE variants 0 and 1) and RFC 6040 (ECN).
 *
 * The target defines decap_source_accepted() before it uses decap_parse(). A tunnel packet
 * is one whose outer header names protocol 4 or 41, or UDP to DECAP_GUE_PORT, directly: what hides
 * behind IPv6 extension headers or a VLAN tag is not ours and passes.
 *
 * The order of the tests is part of the contract: nothing of a packet behind the outer
 * addresses is looked at before its source is accepted.
 */
#ifndef WEIR_FWD_DECAP_H
#define WEIR_FWD_DECAP_H

#define DECAP_GUE_PORT 6080u
#define DECAP_ETH_LEN  14u

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
	X(GUE_HEADER, "gue-header", 1, "GUE with a variant, type, flag or option not known here")  \
	X(INNER, "inner-malformed", 1, "a tunnel whose inner header is none or does not fit")      \
	X(ECN, "ecn-illegal", 1, "congestion marked outside of a packet that is not ECN-capable")  \
	X(ROOM, "no-room", 1, "the frame could not be moved")

enum decap_reason {
#define DECAP_ENUM(name, word, is_drop, help) DECAP_##name,
	DECAP_REASONS(DECAP_ENUM)
#undef DECAP_ENUM
	        DECAP_REASON_COUNT
};

#endif
