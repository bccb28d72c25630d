/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reflector is a UDP socket connected to itself; controls outside are sent ICMP echoes from raw
 * sockets. A request carries its sending time and the control's index, so no table of open requests
 * is kept: an answer says by itself what it answers. Controls are asked once a second when idle,
 * and beside a probe whose silence would turn a verdict; its round then compares the time at which
 * it asked with the times of the answers.
 */
#include "healthcheck/control.h"

#include <errno.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"

#define QUERY_AGAIN_MS 5u    /* ms: targets that fall silent together share one request */
#define READS_MAX      64    /* answers read in one turn, so that a flood cannot hold the loop */
#define ANSWERS_KEPT   1024u /* of 5 ms each: more than half of a timeout of 10 s */

/* Raw sockets' filters, by their numbers: the two families' headers do not go together. */
#define ICMP_FILTER_OPTION  1
#define ICMP6_FILTER_OPTION 1

struct control {
	struct addr address;
	uint64_t queried_ms, answered_ms, n_queried, n_answered;
	uint64_t waiting_ms; /* first request that, with all later ones, is unanswered; 0: none */
	uint64_t heard_ms;   /* since this request no answer is known to be missing */
	uint64_t answered[ANSWERS_KEPT]; /* sending times of answered ones, each at its place */
	bool silent;
};

struct controls {
	struct loop *loop;
	control_cb *on_answer;
	void *arg;
	struct loop_timer timer;
	int reflector_error; /* why there is none */
	int udp;             /* -1 while there is no loopback */
	int icmp4, icmp6;
	uint16_t id;
	size_t n; /* controls[0] is the reflector */
	struct control controls[CONTROLS_MAX];
};

/* What travels: which control, and when it was sent. */
struct echo_payload {
	uint64_t magic, sent_ms;
	uint32_t index, pad;
};
#define PAYLOAD_MAGIC 0x7765697270726f62u /* "weirprob": tells our echoes from those of others */

/*
 * Note an echo that came back: whatever it answers was sent at p->sent_ms. One of a time at which nothing
 * was sent yet is forged, and would be the newest for ever.
 */
static void record_answer(struct controls *c, const struct echo_payload *p)
{
	if (p->magic != PAYLOAD_MAGIC || p->index >= c->n)
		return;
	struct control *k = &c->controls[p->index];

	if (p->sent_ms > k->queried_ms)
		return;
	if (!k->n_answered++ || (k->waiting_ms && k->waiting_ms < p->sent_ms))
		k->heard_ms = p->sent_ms;
	if (p->sent_ms > k->answered_ms)
		k->answered_ms = p->sent_ms;
	k->answered[p->sent_ms / QUERY_AGAIN_MS % ANSWERS_KEPT] = p->sent_ms;
	if (p->sent_ms >= k->waiting_ms)
		k->waiting_ms = 0;
	if (k->silent) {
		char text[ADDR_TEXT_MAX];

		k->silent = false;
		log_note("control-answers", "address=%s", addr_text(&k->address, text));
	}
	c->on_answer(c->arg);
}

static void on_udp(void *arg, int fd, uint32_t events)
{
	struct controls *c = arg;
	struct echo_payload p;

	(void)events;
	for (int i = 0; i < READS_MAX; i++) {
		if (recv(fd, &p, sizeof(p), MSG_DONTWAIT) != sizeof(p))
			return;
		record_answer(c, &p);
	}
}

static bool is_from(const struct controls *c, const struct echo_payload *p,
                    const struct sockaddr *from)
{
	struct addr a;

	return p->index < c->n && !addr_from_sockaddr(from, &a, NULL) &&
	       addr_equal(&a, &c->controls[p->index].address);
}

/*
 * A raw socket hears all replies to the host: ours have our id, payload, and a control's address.
 */
static void on_icmp(void *arg, int fd, uint32_t events)
{
	struct controls *c = arg;
	uint8_t bytes[512];

	(void)events;
	for (int i = 0; i < READS_MAX; i++) {
		struct sockaddr_storage from;
		socklen_t size = sizeof(from);
		ssize_t n = recvfrom(fd, bytes, sizeof(bytes), MSG_DONTWAIT,
		                     (struct sockaddr *)&from, &size);
		size_t skip = fd == c->icmp4 ? (size_t)(bytes[0] & 15) * 4 : 0;
		struct icmphdr h;
		struct echo_payload p;

		if (n < 0)
			return;
		if ((size_t)n < skip + sizeof(h) + sizeof(p))
			continue;
		memcpy(&h, bytes + skip, sizeof(h));
		memcpy(&p, bytes + skip + sizeof(h), sizeof(p));
		if (h.type == (fd == c->icmp4 ? ICMP_ECHOREPLY : ICMPV6_ECHO_REPLY) &&
		    h.un.echo.id == c->id && is_from(c, &p, (struct sockaddr *)&from))
			record_answer(c, &p);
	}
}

static uint16_t compute_checksum(const void *bytes, size_t n)
{
	const uint8_t *b = bytes;
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < n; i += 2)
		sum += (uint32_t)b[i] << 8 | b[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t) ~(sum + (sum >> 16)));
}

static void send_icmp(struct controls *c, const struct control *k, const struct echo_payload *p)
{
	bool is4 = addr_is4(&k->address);
	struct {
		struct icmphdr h;
		struct echo_payload p;
	} echo = { .p = *p };
	struct sockaddr_storage to;
	socklen_t size = addr_to_sockaddr(&k->address, 0, &to);

	echo.h.type = is4 ? ICMP_ECHO : ICMPV6_ECHO_REQUEST;
	echo.h.un.echo.id = c->id;
	echo.h.un.echo.sequence = htons((uint16_t)k->n_queried);
	if (is4) /* of ICMPv6 the kernel makes it */
		echo.h.checksum = compute_checksum(&echo, sizeof(echo));
	/* A send that fails stays unanswered, which is what it means. */
	(void)!sendto(is4 ? c->icmp4 : c->icmp6, &echo, sizeof(echo), MSG_DONTWAIT,
	              (struct sockaddr *)&to, size);
}

/* A datagram socket on loopback that is connected to itself. */
static int make_reflector(int *out)
{
	struct sockaddr_in self = { .sin_family = AF_INET,
		                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(self);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&self, size) ||
	    getsockname(fd, (struct sockaddr *)&self, &size) ||
	    connect(fd, (struct sockaddr *)&self, size)) {
		int err = -errno;

		close(fd);
		return err;
	}
	*out = fd;
	return 0;
}

/*
 * Open the reflector, unless it is; without it no silence is evidence, which is no reason to stop.
 */
static void open_reflector(struct controls *c)
{
	int fd = -1, err;

	if (c->udp >= 0)
		return;
	err = make_reflector(&fd);
	if (!err) {
		err = loop_fd_add(c->loop, fd, EPOLLIN, on_udp, c);
		if (err)
			close(fd);
	}
	if (!err)
		c->udp = fd;
	else if (err != c->reflector_error)
		log_error("no-reflector", "address=127.0.0.1 error=%s effect=%s", strerror(-err),
		          "silence-is-no-evidence");
	c->reflector_error = err;
}

static void query_control(struct controls *c, uint32_t i, uint64_t now_ms)
{
	struct control *k = &c->controls[i];
	struct echo_payload p = { .magic = PAYLOAD_MAGIC, .sent_ms = now_ms, .index = i };

	if (k->n_queried && now_ms < k->queried_ms + QUERY_AGAIN_MS)
		return;
	k->queried_ms = now_ms;
	k->n_queried++;
	if (!k->waiting_ms)
		k->waiting_ms = now_ms;
	if (i == 0) {
		open_reflector(c);
		(void)!send(c->udp, &p, sizeof(p), MSG_DONTWAIT);
	} else {
		send_icmp(c, k, &p);
	}
}

void controls_query(struct controls *c)
{
	uint64_t now_ms = clock_mono_ms();

	for (uint32_t i = 0; i < c->n; i++)
		query_control(c, i, now_ms);
}

static void on_control_timer(void *arg)
{
	struct controls *c = arg;
	uint64_t now_ms = clock_mono_ms();

	for (size_t i = 0; i < c->n; i++) {
		struct control *k = &c->controls[i];
		char text[ADDR_TEXT_MAX];

		if (k->silent || !k->waiting_ms || now_ms < k->waiting_ms + CONTROL_TIMEOUT_MS)
			continue;
		k->silent = true;
		log_warn("control-silent", "address=%s since_ms=%llu", addr_text(&k->address, text),
		         (unsigned long long)(now_ms - k->waiting_ms));
	}
	controls_query(c);
	loop_timer_set(c->loop, &c->timer, now_ms + CONTROL_IDLE_MS);
}

/* A raw ICMP socket that hears echo replies only. */
static int open_icmp(bool is4, int *out)
{
	int fd = socket(is4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
	                is4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	uint32_t block[8];
	int err;

	if (fd < 0)
		return -errno;
	memset(block, 0xff, sizeof(block));
	if (is4) {
		block[0] &= ~(1u << ICMP_ECHOREPLY);
		err = setsockopt(fd, SOL_RAW, ICMP_FILTER_OPTION, block, sizeof(block[0]));
	} else {
		block[ICMPV6_ECHO_REPLY / 32] &= ~(1u << ICMPV6_ECHO_REPLY % 32);
		err = setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER_OPTION, block, sizeof(block));
	}
	if (err) {
		err = -errno;
		close(fd);
		return err;
	}
	*out = fd;
	return 0;
}

int controls_open(struct loop *loop, control_cb *on_answer, void *arg, struct controls **out)
{
	struct controls *c = calloc(1, sizeof(*c));
	int err = 0;

	if (!c)
		return -ENOMEM;
	*c = (struct controls){ .loop = loop, .on_answer = on_answer, .arg = arg, .n = 1 };
	c->udp = c->icmp4 = c->icmp6 = -1;
	c->id = (uint16_t)getpid();
	c->timer = (struct loop_timer){ .cb = on_control_timer, .arg = c };
	c->controls[0].address = addr_from4((const uint8_t[]){ 127, 0, 0, 1 });
	open_reflector(c);
	/*
	 * Without the right to open them, controls outside stay silent: no silence is evidence
	 * then.
	 */
	if (open_icmp(true, &c->icmp4) || open_icmp(false, &c->icmp6))
		log_warn("control-sockets", "error=%s", "no-raw-sockets");
	if (c->icmp4 >= 0)
		err = loop_fd_add(loop, c->icmp4, EPOLLIN, on_icmp, c);
	if (!err && c->icmp6 >= 0)
		err = loop_fd_add(loop, c->icmp6, EPOLLIN, on_icmp, c);
	if (!err)
		err = loop_timer_set(loop, &c->timer, 0);
	if (err) {
		controls_close(c);
		return err;
	}
	*out = c;
	return 0;
}

static void close_watched(struct loop *loop, int fd)
{
	if (fd < 0)
		return;
	loop_fd_remove(loop, fd);
	close(fd);
}

void controls_close(struct controls *c)
{
	if (!c)
		return;
	close_watched(c->loop, c->udp);
	close_watched(c->loop, c->icmp4);
	close_watched(c->loop, c->icmp6);
	loop_timer_cancel(c->loop, &c->timer);
	free(c);
}

void controls_set(struct controls *c, const struct addr *addresses, size_t n)
{
	struct control old[CONTROLS_MAX];
	size_t n_old = c->n;

	memcpy(old, c->controls, sizeof(old));
	c->n = 1;
	for (size_t i = 0; i < n && c->n < CONTROLS_MAX; i++) {
		struct control k = { .address = addresses[i] };

		for (size_t j = 1; j < n_old; j++)
			if (addr_equal(&old[j].address, &addresses[i]))
				k = old[j];
		c->controls[c->n++] = k;
	}
}

/*
 * A request of less than QUERY_AGAIN_MS before counts: none was sent beside it. That others are lost later takes nothing from
 * its answer: many targets in doubt may ask more often than a control answers.
 */
static bool answers_since(const struct control *k, uint64_t since_ms)
{
	if (!k->n_answered)
		return false;
	for (uint64_t ms = since_ms; ms && ms + QUERY_AGAIN_MS > since_ms; ms--)
		if (k->answered[ms / QUERY_AGAIN_MS % ANSWERS_KEPT] == ms)
			return true;
	return k->heard_ms <= since_ms && k->answered_ms + QUERY_AGAIN_MS > since_ms;
}

bool controls_answered_since(const struct controls *c, uint64_t since_ms)
{
	if (!answers_since(&c->controls[0], since_ms))
		return false;
	for (size_t i = 1; i < c->n; i++)
		if (answers_since(&c->controls[i], since_ms))
			return true;
	return c->n == 1;
}

bool controls_have_outside(const struct controls *c)
{
	return c->n > 1;
}

size_t controls_view(const struct controls *c, struct control_view out[CONTROLS_MAX])
{
	for (size_t i = 0; i < c->n; i++) {
		const struct control *k = &c->controls[i];

		out[i] = (struct control_view){ .address = k->address,
			                        .is_reflector = i == 0,
			                        .silent = k->silent,
			                        .queried_ms = k->queried_ms,
			                        .answered_ms = k->answered_ms,
			                        .n_queried = k->n_queried,
			                        .n_answered = k->n_answered };
	}
	return c->n;
}
