/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Parse just enough for a hash of addresses and ports: Ethernet, one VLAN tag, IPv4 without options
 * or IPv6 without extension headers. Anything else, and all fragments, are hashed by addresses or
 * not at all: then all such frames go to one worker, which is correct and only slower.
 */
#include "dataplane/dpdk/spread.h"

#include <stdbool.h>
#include <string.h>

/* Bytes of headers; PORTS_LEN: both ports, at the begin of TCP and UDP. */
#define ETH_LEN   14u
#define VLAN_LEN  4u
#define IP4_LEN   20u
#define IP6_LEN   40u
#define PORTS_LEN 4u
#define MULTIPLY  0x9e3779b97f4a7c15ull /* 2^64 / golden ratio (Knuth, multiplicative hashing) */

static uint64_t mix_bytes(uint64_t h, const uint8_t *from, size_t n)
{
	uint64_t word = 0;

	memcpy(&word, from, n);
	h = (h ^ word) * MULTIPLY;
	return h ^ h >> 29;
}

static bool has_ports(uint8_t protocol)
{
	return protocol == 6 || protocol == 17;
}

static uint64_t hash_ip4(const uint8_t *ip, size_t n)
{
	uint64_t h;

	if (n < IP4_LEN + PORTS_LEN)
		return 0;
	h = mix_bytes(ip[9], ip + 12, 8);
	/* Only the first fragment has ports, so fragments are hashed without them. */
	if (ip[0] == 0x45 && has_ports(ip[9]) && !((ip[6] & 0x3f) | ip[7]))
		h = mix_bytes(h, ip + IP4_LEN, PORTS_LEN);
	return h;
}

static uint64_t hash_ip6(const uint8_t *ip, size_t n)
{
	uint64_t h;

	if (n < IP6_LEN + PORTS_LEN)
		return 0;
	h = mix_bytes(ip[6], ip + 8, 8);
	for (size_t i = 16; i < IP6_LEN; i += 8)
		h = mix_bytes(h, ip + i, 8);
	return has_ports(ip[6]) ? mix_bytes(h, ip + IP6_LEN, PORTS_LEN) : h;
}

uint32_t spread_hash(const uint8_t *frame, size_t n)
{
	size_t off = ETH_LEN;
	uint64_t h = 0;

	if (n > ETH_LEN + VLAN_LEN && frame[12] == 0x81 && frame[13] == 0x00)
		off += VLAN_LEN;
	if (n < off)
		return 0;
	if (frame[off - 2] == 0x08 && frame[off - 1] == 0x00)
		h = hash_ip4(frame + off, n - off);
	else if (frame[off - 2] == 0x86 && frame[off - 1] == 0xdd)
		h = hash_ip6(frame + off, n - off);
	return (uint32_t)(h >> 32);
}
