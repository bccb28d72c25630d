/* SPDX-License-Identifier: BSD-2-Clause */
/* The shapes that generate.c builds frames of; its alone. */
#ifndef WEIR_TESTS_DIFF_SHAPES_H
#define WEIR_TESTS_DIFF_SHAPES_H

#include <stdbool.h>
#include <stdint.h>

#include "weir/fwd/packet.h"

/** What a shape changes in a plain packet to a service. */
struct shape {
	bool is4, vlan, two_tags, fragment, long_payload, quoted_udp, blank;
	uint8_t protocol, flags, type, ttl, tunnel;
	unsigned int options, extensions;
	const char *src, *dst; /**< instead of a client and a VIP */
	uint16_t dport;        /**< instead of any */
	uint8_t option;        /**< IPv4 */
	uint8_t quoted;        /**< as in struct frame_plan */
	uint64_t mac;          /**< instead of ours */
};

#define TCP_(is4, ...)                                                                             \
	{                                                                                          \
		is4, .protocol = FWD_PROTO_TCP, .flags = FWD_TCP_ACK, __VA_ARGS__                  \
	}
#define UDP_(is4, ...)                                                                             \
	{                                                                                          \
		is4, .protocol = FWD_PROTO_UDP, __VA_ARGS__                                        \
	}
#define ICMP4_(t, ...)                                                                             \
	{                                                                                          \
		true, .protocol = FWD_PROTO_ICMP, .type = t, __VA_ARGS__                           \
	}
#define ICMP6_(t, ...)                                                                             \
	{                                                                                          \
		false, .protocol = FWD_PROTO_ICMP6, .type = t, __VA_ARGS__                         \
	}

/* Destinations of frames. */
#define OURS   0x02aa00000001u
#define SECOND 0x02aa00000002u
#define THIRD  0x02aa00000003u
#define OTHER  0x02aa00000077u
#define GROUP  0x01005e000001u
#define ALL    0xffffffffffffu

static const struct shape shapes[] = {
	TCP_(true),
	TCP_(false),
	TCP_(true, .dport = 443),
	TCP_(false, .dport = 443),
	{ true, .protocol = FWD_PROTO_TCP, .flags = FWD_TCP_SYN },
	{ false, .protocol = FWD_PROTO_TCP, .flags = FWD_TCP_SYN },
	{ true, .protocol = FWD_PROTO_TCP, .flags = FWD_TCP_SYN, .dport = 443 },
	{ true, .protocol = FWD_PROTO_TCP, .flags = FWD_TCP_SYN | FWD_TCP_ACK },
	{ true, .protocol = FWD_PROTO_TCP, .flags = FWD_TCP_FIN | FWD_TCP_ACK, .dport = 443 },
	{ false, .protocol = FWD_PROTO_TCP, .flags = FWD_TCP_FIN | FWD_TCP_ACK },
	{ false, .protocol = FWD_PROTO_TCP, .flags = FWD_TCP_SYN, .dport = 443 },
	{ false, .protocol = FWD_PROTO_TCP, .flags = FWD_TCP_SYN | FWD_TCP_ACK },
	{ true, .protocol = FWD_PROTO_TCP, .flags = FWD_TCP_RST, .dport = 443 },
	{ false, .protocol = FWD_PROTO_TCP, .flags = FWD_TCP_RST | FWD_TCP_FIN },
	UDP_(true),
	UDP_(false),
	UDP_(true, .dport = 53),
	UDP_(true, .dport = 4433),
	UDP_(false, .dport = 53),
	UDP_(false, .dport = 4433),
	TCP_(true, .vlan = true),
	UDP_(false, .vlan = true),
	TCP_(true, .two_tags = true),
	UDP_(false, .two_tags = true, .dport = 53),
	ICMP4_(8, .two_tags = true),
	TCP_(true, .two_tags = true, .long_payload = true),
	TCP_(true, .options = 1),
	TCP_(true, .options = 10),
	UDP_(true, .options = 5),
	TCP_(false, .extensions = 1),
	UDP_(false, .extensions = 2),
	TCP_(false, .extensions = 6),
	TCP_(false, .extensions = 7),
	TCP_(true, .fragment = true),
	UDP_(true, .fragment = true),
	UDP_(false, .fragment = true, .extensions = 1),
	TCP_(false, .fragment = true, .extensions = 3),
	UDP_(true, .fragment = true, .dport = 53),
	UDP_(true, .fragment = true, .dport = 4433),
	UDP_(false, .fragment = true, .extensions = 1, .dport = 4433),
	TCP_(true, .fragment = true, .dport = 443),
	UDP_(true, .fragment = true, .src = "192.0.2.81"),
	UDP_(false, .fragment = true, .extensions = 1, .dst = "2001:db8:80::82"),
	UDP_(true, .fragment = true, .ttl = 1),
	UDP_(true, .fragment = true, .long_payload = true, .dport = 53),
	UDP_(false, .fragment = true, .extensions = 2, .long_payload = true, .dport = 53),
	ICMP4_(8, .fragment = true),
	ICMP6_(128, .fragment = true, .extensions = 1),
	TCP_(true, .long_payload = true),
	TCP_(false, .long_payload = true),
	UDP_(false, .long_payload = true),
	ICMP4_(3, .long_payload = true),
	ICMP6_(3, .long_payload = true),
	TCP_(true, .ttl = 1),
	TCP_(false, .ttl = 1),
	UDP_(true, .ttl = 2),
	UDP_(false, .ttl = 2),
	TCP_(true, .src = "192.0.2.81"),
	TCP_(true, .src = "10.255.1.77"),
	UDP_(false, .src = "2001:db8:80::80"),
	UDP_(false, .src = "2001:db8:ff:1::1234"),
	ICMP4_(8, .src = "192.0.2.81"),
	TCP_(true, .dst = "192.0.2.82"),
	TCP_(false, .dst = "2001:db8:80::82"),
	UDP_(true, .dst = "255.255.255.255"),
	ICMP4_(8, .dst = "192.0.2.1"),
	ICMP4_(8),
	ICMP4_(8, .vlan = true, .options = 2),
	ICMP6_(128),
	ICMP6_(128, .vlan = true, .extensions = 2),
	ICMP4_(0),
	ICMP4_(3),
	ICMP4_(3, .quoted_udp = true),
	ICMP4_(3, .dport = 443),
	ICMP4_(11, .dport = 443, .vlan = true),
	ICMP4_(12, .options = 1),
	ICMP4_(3, .ttl = 1),
	ICMP4_(3, .src = "192.0.2.80"),
	ICMP4_(13),
	ICMP6_(1),
	ICMP6_(2, .dport = 443),
	ICMP6_(3, .quoted_udp = true),
	ICMP6_(4, .extensions = 1),
	ICMP6_(129),
	ICMP6_(135, .ttl = 255),
	ICMP6_(135, .ttl = 64),
	ICMP6_(136, .ttl = 255),
	ICMP4_(3, .tunnel = FWD_PROTO_IP4, .dst = "10.255.1.77"),
	ICMP4_(3, .tunnel = FWD_PROTO_IP6, .dst = "10.255.1.0", .vlan = true),
	ICMP4_(3, .tunnel = FWD_PROTO_UDP, .dst = "10.255.1.255"),
	ICMP4_(3, .tunnel = FWD_PROTO_UDP, .dst = "10.255.1.78", .options = 2),
	ICMP4_(11, .tunnel = FWD_PROTO_UDP, .dst = "10.255.1.77"),
	ICMP4_(12, .tunnel = FWD_PROTO_IP4, .dst = "10.255.1.77"),
	ICMP4_(3, .tunnel = FWD_PROTO_IP4, .dst = "10.255.2.77"),
	ICMP4_(3, .tunnel = FWD_PROTO_TCP, .dst = "10.255.1.77"),
	ICMP4_(8, .tunnel = FWD_PROTO_IP4, .dst = "10.255.1.77"),
	ICMP4_(3, .tunnel = FWD_PROTO_IP4),
	ICMP6_(2, .tunnel = FWD_PROTO_IP6, .dst = "2001:db8:ff:1::1234"),
	ICMP6_(2, .tunnel = FWD_PROTO_UDP, .dst = "2001:db8:ff:1::1234"),
	ICMP6_(2, .tunnel = FWD_PROTO_IP4, .dst = "2001:db8:ff:1::", .extensions = 1, .vlan = true),
	ICMP6_(1, .tunnel = FWD_PROTO_UDP, .dst = "2001:db8:ff:1::1234"),
	ICMP6_(3, .tunnel = FWD_PROTO_IP4, .dst = "2001:db8:ff:1::1234"),
	ICMP6_(4, .tunnel = FWD_PROTO_IP4, .dst = "2001:db8:ff:1::1234"),
	ICMP6_(2, .tunnel = FWD_PROTO_IP6, .dst = "2001:db8:ff:2::1234"),
	ICMP6_(2, .tunnel = FWD_PROTO_UDP),
	{ true, .protocol = 47 },
	{ false, .protocol = 50 },
	{ false, .protocol = 59 },
	{ true, .protocol = 132, .options = 3 },
	{ true, .protocol = FWD_PROTO_ICMP6, .type = 128 },
	{ false, .protocol = FWD_PROTO_ICMP, .type = 8 },
	{ true, .protocol = FWD_PROTO_IP4 },
	TCP_(true, .mac = OTHER),
	TCP_(true, .mac = GROUP),
	TCP_(true, .mac = ALL, .dport = 443),
	UDP_(false, .mac = OTHER, .vlan = true),
	UDP_(false, .mac = GROUP, .extensions = 1),
	UDP_(true, .mac = ALL, .dst = "255.255.255.255"),
	UDP_(true, .mac = OTHER, .fragment = true),
	TCP_(true, .mac = SECOND),
	UDP_(false, .mac = SECOND),
	TCP_(true, .mac = THIRD, .dport = 443),
	UDP_(false, .mac = THIRD),
	TCP_(false, .mac = OTHER),
	TCP_(false, .mac = GROUP, .dport = 443),
	ICMP4_(8, .mac = OTHER),
	ICMP6_(128, .mac = GROUP),
	ICMP4_(3, .mac = GROUP),
	ICMP6_(135, .ttl = 255, .mac = GROUP),
	ICMP4_(3, .tunnel = FWD_PROTO_IP4, .dst = "10.255.1.77", .mac = OTHER),
	ICMP4_(3, .tunnel = FWD_PROTO_IP4, .dst = "10.255.1.77", .mac = GROUP),
	TCP_(true, .src = "224.0.0.5", .dport = 443),
	TCP_(true, .src = "255.255.255.255"),
	TCP_(true, .src = "255.255.255.254", .dport = 443),
	UDP_(true, .src = "127.0.0.1"),
	UDP_(true, .src = "0.0.0.0"),
	UDP_(true, .src = "0.0.0.1", .dport = 53),
	ICMP4_(8, .src = "239.1.1.1"),
	ICMP4_(3, .src = "127.0.0.9"),
	UDP_(true, .src = "224.0.0.9", .fragment = true),
	TCP_(false, .src = "ff02::1", .dport = 443),
	UDP_(false, .src = "::1"),
	TCP_(false, .src = "::"),
	TCP_(false, .src = "::2", .dport = 443),
	TCP_(false, .src = "::2", .dst = "::80", .dport = 80),
	TCP_(false, .dst = "::80", .dport = 80),
	UDP_(false, .dst = "::80"),
	TCP_(false, .dport = 82),
	TCP_(false, .dport = 82, .long_payload = true),
	UDP_(false, .dport = 4433, .long_payload = true),
	TCP_(false, .dport = 85, .long_payload = true),
	ICMP6_(128, .src = "::1"),
	ICMP6_(1, .src = "ff00::"),
	TCP_(false, .dst = "::ffff:192.0.2.80"),
	ICMP6_(128, .dst = "::ffff:192.0.2.80"),
	TCP_(false, .src = "::ffff:192.0.2.80", .dport = 443),
	TCP_(true, .options = 1, .option = 131),
	UDP_(true, .options = 10, .option = 137, .vlan = true),
	ICMP4_(8, .options = 5, .option = 131),
	UDP_(true, .options = 3, .option = 137, .dst = "192.0.2.82"),
	TCP_(true, .options = 4, .option = 130),
	ICMP4_(8, .blank = true),
	ICMP4_(8, .blank = true, .options = 2),
	ICMP4_(3, .quoted = 28),
	ICMP4_(11, .quoted = 28, .dport = 443),
	ICMP6_(3, .quoted = 48),
};

#endif
