/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The MSS option of a SYN-ACK that leaves a backend: what a client may send at most, so that its
 * segments fit in the tunnel (RFC 9293, section 3.7.1; RFC 6691).
 *
 * A client's segments are bounded by the MSS in the SYN-ACK. It goes from the backend to the client
 * past the balancers, so only the backend can lower it. Read and changed by the backend's agent
 * (bpf/agent_mss.bpf.h). The MSS is lowered and never raised. What is malformed stays as it is.
 */
#ifndef WEIR_FWD_MSS_H
#define WEIR_FWD_MSS_H

#include "weir/fwd/types.h"

/** What became of a segment at the agent: X(NAME, "word", "sentence") */
#define MSS_ENDS(X)                                                                                \
	X(SYN, "syn", "SYNs that came in a tunnel; their services' SYN-ACKs are looked at")        \
	X(LOWERED, "lowered", "SYN-ACKs whose MSS was lowered")                                    \
	X(KEPT, "kept", "SYN-ACKs whose MSS was no larger")                                        \
	X(ABSENT, "absent",                                                                        \
	  "SYN-ACKs without an MSS: clients send at most 536 bytes (IPv6: "                        \
	  "1,220)")                                                                                \
	X(MALFORMED, "malformed", "SYN-ACKs whose TCP options make no sense, left as they were")   \
	X(FAILED, "failed", "SYN-ACKs that could not be changed, left as they were")

enum mss_end {
#define MSS_ENUM_(name, word, help) MSS_##name,
	MSS_ENDS(MSS_ENUM_)
#undef MSS_ENUM_
	        MSS_END_COUNT
};

/** TCP has no more bytes of options. */
#define MSS_OPTIONS_MAX 40u
/** Below this no MSS is lowered: a tunnel that carries less is broken in another way. */
#define MSS_LEAST 88u

#define MSS_KIND_END 0u
#define MSS_KIND_NOP 1u
#define MSS_KIND_MSS 2u
#define MSS_LEN      4u /**< of the option */

/**
 * Find the MSS among the first @p n bytes of @p options. Each byte is visited once, with those of an
 * option's body left out, as the verifier follows constant offsets best.
 *
 * @param at  out: the value's offset, if MSS_KEPT is returned
 * @return MSS_KEPT: there is one; MSS_ABSENT; MSS_MALFORMED: a length is impossible
 */
FWD_INLINE enum mss_end mss_find(const uint8_t options[MSS_OPTIONS_MAX], uint32_t n, uint32_t *at)
{
	uint32_t left = 0; /* of the present option */

	for (uint32_t i = 0; i < MSS_OPTIONS_MAX; i++) {
		if (i >= n)
			break;
		if (left) {
			left--;
			continue;
		}
		if (options[i] == MSS_KIND_END)
			return MSS_ABSENT;
		if (options[i] == MSS_KIND_NOP)
			continue;
		if (i + 1 >= MSS_OPTIONS_MAX || i + 1 >= n || options[i + 1] < 2 ||
		    options[i + 1] > n - i)
			return MSS_MALFORMED;
		if (options[i] == MSS_KIND_MSS) {
			*at = i + 2;
			return options[i + 1] == MSS_LEN ? MSS_KEPT : MSS_MALFORMED;
		}
		left = options[i + 1] - 1u;
	}
	return MSS_ABSENT;
}

/**
 * The MSS that fits in a tunnel: of the link's @p mtu the tunnel takes @p overhead, IP and TCP
 * headers the rest (options come off what the sender puts in a segment: RFC 6691).
 * @return 0: too little is left
 */
FWD_INLINE uint32_t mss_fit(uint32_t mtu, uint32_t overhead, bool is4)
{
	uint32_t headers = overhead + (is4 ? 40u : 60u);
	uint32_t mss = mtu > headers ? mtu - headers : 0;

	if (mss > 65535u)
		return 65535u;
	return mss < MSS_LEAST ? 0 : mss;
}

/**
 * The word that the value @p be, in network order, adds to a checksum: at an odd offset its bytes
 * belong to two words, which adds the same as the two swapped (RFC 1071, section 2).
 */
FWD_INLINE uint16_t mss_sum_word(uint16_t be, bool is_odd)
{
	return is_odd ? fwd_be16(be) : be;
}

#endif
