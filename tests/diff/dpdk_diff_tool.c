/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The native side of dpdk_diff.py.
 *
 *     dpdk-diff-tool frames SEED COUNT OUT.pcap
 *     dpdk-diff-tool compare BEFORE LIVE IN.pcap OUT.pcap SECOND...
 *
 * `compare` forwards the frames of IN natively, by the tables of BEFORE, once LIVE has received as
 * many; what it sends must be OUT, frame for frame, and BEFORE must become LIVE: counters of row 0,
 * exceptions, cold slots. The process's clock is one of the SECONDs. What its police held back
 * is counted otherwise: the sum must be what was to be passed. Exit status 1: different; 3: so, but
 * the control thread changed tables meanwhile.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dataplane/dpdk/tablefile.h"
#include "diff/generate.h"
#include "weir/fwd/forward.h"

#define ROOM     128u
#define WAITS    2000
#define WAIT_US  10000
#define PCAP_MAX (64u << 20)

struct pcap_head {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, figures, longest, link;
};

struct pcap_record {
	uint32_t seconds, fraction, len, wire_len;
};

/* A pcap file in memory, and how far it has been read. */
struct pcap {
	uint8_t *bytes;
	size_t n, at;
};

static void fail(const char *what)
{
	perror(what);
	exit(2);
}

static struct pcap pcap_read(const char *path)
{
	struct pcap p = { malloc(PCAP_MAX), 0, sizeof(struct pcap_head) };
	FILE *f = fopen(path, "re");

	if (!f || !p.bytes)
		fail(path);
	p.n = fread(p.bytes, 1, PCAP_MAX, f);
	fclose(f);
	return p;
}

/* The next frame, or NULL. */
static const uint8_t *pcap_next(struct pcap *p, uint32_t *len)
{
	struct pcap_record r;

	if (p->at + sizeof(r) > p->n)
		return NULL;
	memcpy(&r, p->bytes + p->at, sizeof(r));
	if (p->at + sizeof(r) + r.len > p->n)
		return NULL;
	p->at += sizeof(r) + r.len;
	*len = r.len;
	return p->bytes + p->at - r.len;
}

static int write_frames(uint64_t seed, unsigned long count, const char *path)
{
	const struct pcap_head head = { 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1 };
	struct random r = { seed };
	FILE *f = fopen(path, "we");

	if (!f || fwrite(&head, sizeof(head), 1, f) != 1)
		fail(path);
	for (unsigned long i = 0; i < count; i++) {
		struct pcap_record record = { 0 };
		struct frame frame;

		do
			generate_random(&frame, &r);
		while (!frame.len);
		record.len = record.wire_len = (uint32_t)frame.len;
		if (fwrite(&record, sizeof(record), 1, f) != 1 ||
		    fwrite(frame.bytes, frame.len, 1, f) != 1)
			fail(path);
	}
	return fclose(f) ? 2 : 0;
}

static struct tablefile open_tables(const char *path)
{
	struct driver_why why;
	struct tablefile f;

	if (tablefile_open(&f, path, false, &why)) {
		fprintf(stderr, "%s\n", why.text);
		exit(2);
	}
	return f;
}

/* BEFORE once more, to be written to. */
static struct tablefile copy_tables(const struct tablefile *from)
{
	struct tablefile f = *from;
	ptrdiff_t move;

	f.memory = mmap(NULL, f.len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (f.memory == MAP_FAILED)
		fail("mmap");
	memcpy(f.memory, from->memory, f.len);
	move = (uint8_t *)f.memory - (uint8_t *)from->memory;
	/* The tables begin with pointers, all into the one memory. */
	for (void **p = (void **)&f.tables; (void *)p < (void *)&f.tables.n_services; p++)
		*p = (uint8_t *)*p + move;
	f.tables.cpu = 0;
	return f;
}

static unsigned long count_frames(struct pcap p)
{
	unsigned long n = 0;
	uint32_t len;

	while (pcap_next(&p, &len))
		n++;
	return n;
}

static void wait_for(const struct tablefile *before, const struct tablefile *live,
                     unsigned long count)
{
	uint64_t wanted = before->tables.cpus->received + count;

	for (int i = 0; i < WAITS && OWNER_LOAD(uint64_t, &live->tables.cpus->received) < wanted;
	     i++)
		usleep(WAIT_US);
	usleep(WAIT_US); /* the last burst is sent */
	if (live->tables.cpus->received != wanted)
		printf("received %llu frames of %lu\n",
		       (unsigned long long)(live->tables.cpus->received -
		                            before->tables.cpus->received),
		       count);
}

/* Forward all natively. @return differences from what was sent */
static unsigned long forward_all(struct fwd_tables *t, struct pcap in, struct pcap out, bool say)
{
	unsigned long different = 0, n = 0;
	const uint8_t *frame, *sent;
	uint32_t len, sent_len;

	for (; (frame = pcap_next(&in, &len)); n++) {
		uint8_t room[ROOM + FRAME_MAX];
		struct fwd_packet packet = { room + ROOM, room + ROOM + len, room };
		struct fwd_verdict v = { 0 };

		memcpy(room + ROOM, frame, len);
		fwd_forward(t, t->root, &packet, &v);
		if (fwd_reason_kind(v.reason) != FWD_KIND_TX)
			continue;
		sent = pcap_next(&out, &sent_len);
		if (sent && sent_len == (size_t)(packet.end - packet.data) &&
		    !memcmp(sent, packet.data, sent_len))
			continue;
		if (say && !different)
			printf("frame %lu: reason %d, slot %u, backend %u, event %u; sent %u bytes, are %td\n",
			       n, v.reason, v.slot, v.backend_index, v.event, sent ? sent_len : 0,
			       packet.end - packet.data);
		different++;
	}
	while (pcap_next(&out, &len))
		different++;
	return different;
}

/* Kinds that the process counts as it carries them out, against what was decided. */
static bool reasons_agree(const struct fwd_cpu *native, const struct fwd_cpu *live)
{
	uint64_t held = 0;

	for (int r = 0; r < FWD_REASON_COUNT; r++) {
		if (fwd_reason_kind((enum fwd_reason)r) == FWD_KIND_PASS &&
		    native->reason[r] >= live->reason[r])
			held += native->reason[r] - live->reason[r];
		else if (fwd_reason_is_drivers((enum fwd_reason)r))
			held -= live->reason[r] - native->reason[r];
		else if (native->reason[r] != live->reason[r])
			return false;
	}
	return !held && native->received == live->received &&
	       native->received_bytes == live->received_bytes &&
	       !memcmp(native->event, live->event, sizeof(native->event));
}

static void tell_reasons(const struct fwd_cpu *native, const struct fwd_cpu *live)
{
	for (int r = 0; r < FWD_REASON_COUNT; r++)
		if (native->reason[r] != live->reason[r])
			printf("reason %d: %lld by the code, %lld by the process\n", r,
			       (long long)native->reason[r], (long long)live->reason[r]);
	for (int e = 0; e < OWNER_EVENT_COUNT; e++)
		if (native->event[e] != live->event[e])
			printf("event %d: %lld by the code, %lld by the process\n", e,
			       (long long)native->event[e], (long long)live->event[e]);
}

static const char *difference(const struct tablefile *native, const struct tablefile *live)
{
	const struct fwd_tables *a = &native->tables, *b = &live->tables;

	if (!reasons_agree(a->cpus, b->cpus))
		return "counters by reason";
	if (memcmp(a->service_counts, b->service_counts,
	           a->root->n_service_counts * sizeof(*a->service_counts)) != 0)
		return "counters of services";
	if (memcmp(a->backend_counts, b->backend_counts,
	           a->root->n_backends * sizeof(*a->backend_counts)) != 0)
		return "counters of backends";
	if (memcmp(a->exceptions, b->exceptions, a->n_exceptions * sizeof(*a->exceptions)) != 0)
		return "exceptions";
	return memcmp(a->colds, b->colds, a->n_colds * sizeof(*a->colds)) ? "cold slots" : NULL;
}

/* The parts of a slot that packets do not write. */
static bool control_wrote_cold(const struct owner_cold *a, const struct owner_cold *b)
{
	bool wrote = a->warned_at != b->warned_at;

	for (int i = 0; i < OWNER_CLASSES; i++)
		wrote |= a->claim[i].base != b->claim[i].base ||
		         !a->claim[i].settle_at != !b->claim[i].settle_at;
	return wrote;
}

/* Whether the control thread changed tables between the two: slots settle when their time comes. */
static bool control_wrote(const struct fwd_tables *a, const struct fwd_tables *b)
{
	if (memcmp(a->slots, b->slots, a->n_slots * sizeof(*a->slots)) != 0 ||
	    memcmp(a->pools, b->pools, a->n_pools * sizeof(*a->pools)) != 0 ||
	    memcmp(a->backends, b->backends, a->n_backends * sizeof(*a->backends)) != 0)
		return true;
	for (uint32_t i = 0; i < a->n_colds; i++)
		if (control_wrote_cold(&a->colds[i], &b->colds[i]))
			return true;
	return false;
}

static int compare(char **paths, char **seconds)
{
	struct tablefile before = open_tables(paths[0]), live = open_tables(paths[1]);
	struct pcap in = pcap_read(paths[2]), out;
	unsigned long count = count_frames(in), sent = 1;
	const char *where = "nothing was compared";

	wait_for(&before, &live, count);
	out = pcap_read(paths[3]);
	for (; *seconds && (sent || where); seconds++) {
		struct tablefile native = copy_tables(&before);

		native.tables.now_s = (uint32_t)atol(*seconds);
		sent = forward_all(&native.tables, in, out, !seconds[1]);
		where = difference(&native, &live);
		if (where && !seconds[1])
			tell_reasons(native.tables.cpus, live.tables.cpus);
		munmap(native.memory, native.len);
	}
	printf("%lu frames, %lu of them sent, %lu differently%s%s\n", count, count_frames(out),
	       sent, where ? "; tables differ: " : "", where ? where : "");
	if ((sent || where) && control_wrote(&before.tables, &live.tables)) {
		printf("the control thread changed tables meanwhile: void\n");
		return 3;
	}
	return sent || where;
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "frames"))
		return write_frames(strtoull(argv[2], NULL, 10), strtoul(argv[3], NULL, 10),
		                    argv[4]);
	if (argc > 6 && !strcmp(argv[1], "compare"))
		return compare(argv + 2, argv + 6);
	fprintf(stderr, "usage: see the source\n");
	return 2;
}
