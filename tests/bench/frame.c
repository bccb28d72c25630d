/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "weir/fwd/packet.h"

static uint32_t sum_words(const uint8_t *at, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i += 2)
		sum += at[i] | (uint32_t)at[i + 1] << 8;
	return sum;
}

static void make_l4(const struct bench_frame *f, uint8_t *l4, uint32_t len)
{
	l4[2] = (uint8_t)(f->port >> 8);
	l4[3] = (uint8_t)f->port;
	if (f->udp) {
		l4[4] = (uint8_t)(len >> 8);
		l4[5] = (uint8_t)len;
		return;
	}
	l4[12] = 0x50;
	l4[13] = f->syn ? FWD_TCP_SYN : FWD_TCP_ACK;
}

static void make_ip6(const struct bench_frame *f, struct bench_load *load, const uint8_t to[16])
{
	uint8_t *ip = load->frame + FWD_ETH_LEN;
	uint32_t l4_len;

	load->len = 82;
	l4_len = (uint32_t)load->len - FWD_ETH_LEN - FWD_IP6_LEN;
	memcpy(load->frame + 12, "\x86\xdd\x60", 3);
	ip[5] = (uint8_t)l4_len;
	ip[6] = f->udp ? FWD_PROTO_UDP : FWD_PROTO_TCP;
	ip[7] = 64;
	inet_pton(AF_INET6, "2001:db8:c::", ip + 8);
	memcpy(ip + 24, to, 16);
	make_l4(f, ip + FWD_IP6_LEN, l4_len);
}

static void make_ip4(const struct bench_frame *f, struct bench_load *load, const uint8_t to[4])
{
	uint8_t *ip = load->frame + FWD_ETH_LEN;

	load->len = 64;
	memcpy(load->frame + 12, "\x08\x00\x45", 3);
	ip[3] = (uint8_t)(load->len - FWD_ETH_LEN);
	ip[8] = 64;
	ip[9] = f->udp ? FWD_PROTO_UDP : FWD_PROTO_TCP;
	memcpy(ip + 16, to, 4);
	load->ip_sum = sum_words(ip, FWD_IP4_LEN);
	make_l4(f, ip + FWD_IP4_LEN, (uint32_t)load->len - FWD_ETH_LEN - FWD_IP4_LEN);
}

int bench_frame_make(const struct bench_frame *f, struct bench_load *load)
{
	uint8_t to[16];

	memset(load->frame, 0, sizeof(load->frame));
	memcpy(load->frame, "\x02\xaa\0\0\0\x01\x02\xcc\0\0\0\x01", 12);
	load->is6 = inet_pton(AF_INET6, f->to, to) == 1;
	if (load->is6)
		make_ip6(f, load, to);
	else if (inet_pton(AF_INET, f->to, to) == 1)
		make_ip4(f, load, to);
	else
		return -EINVAL;
	return 0;
}
