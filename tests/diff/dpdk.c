/* SPDX-License-Identifier: BSD-2-Clause */
#include "diff/dpdk.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/ctl.h"
#include "base/page.h"
#include "dataplane/dpdk/tablefile.h"
#include "dataplane/tables/compiler.h"
#include "diff/generate.h"
#include "fwd/world.h"
#include "weir/health.h"
#include "weir/layout.h"
#include "weir/model.h"

#define PATIENCE_MS 20000 /* what it is asked takes no time: on a busy machine some */
#define BRIEF_MS    5000  /* and what it has been told leads to this at once */
#define STEP_US     100
#define NIC_MTU     3000 /* frames are cut and padded, but no larger */
#define VLAN_LEN    4u
#define DOCUMENT    "\"document\":"
#define ADDRESSES   12u   /* bytes of a frame before its tags */
#define NIC_LONGEST 1522u /* net_tap sends no more */

struct dpdk {
	char dir[PATH_MAX], program[PATH_MAX], preload[PATH_MAX], key_file[PATH_MAX];
	struct dpdk_clock *clock;
	struct page *health;
	struct tablefile tables; /* mapped again after each start */
	pid_t pid;               /* 0: none runs */
	int held;                /* a queue of the port's TAP */
	int nic, kernel;         /* sockets: the NIC's far side, and what the kernel is given */
	uint64_t document;       /* its number */
	uint64_t n_given;        /* to the kernel, that were seen there */
	/* frames that were to be sent but for their length, so far */
	uint64_t too_long[FWD_REASON_COUNT];
};

static void exit_with_error(const char *what)
{
	fprintf(stderr, "weir-diff: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void path_of(const struct dpdk *t, const char *name, char out[PATH_MAX])
{
	if (snprintf(out, PATH_MAX, "%s/%s", t->dir, name) >= PATH_MAX)
		exit_with_error("a path is too long");
}

static struct dpdk_clock *make_clock(const struct dpdk *t)
{
	char path[PATH_MAX];
	void *at;
	int fd;

	path_of(t, "clock", path);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || ftruncate(fd, sizeof(struct dpdk_clock)))
		exit_with_error(path);
	at = mmap(NULL, sizeof(struct dpdk_clock), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		exit_with_error("mmap");
	close(fd);
	return at;
}

/* So that the port's TAP never loses its carrier, of which the kernel tells a second later. */
static int hold_interface(void)
{
	struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", DPDK_INTERFACE);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &r))
		exit_with_error(DPDK_INTERFACE);
	return fd;
}

struct dpdk *dpdk_open(const char *dir, const char *program, const char *preload)
{
	struct dpdk *t = calloc(1, sizeof(*t));
	char path[PATH_MAX];

	if (!t || !realpath(dir, t->dir) || !realpath(program, t->program) ||
	    !realpath(preload, t->preload))
		exit_with_error(dir);
	path_of(t, "conf/hash.key", t->key_file);
	path_of(t, "run/health.page", path);
	errno = -page_create(path, HEALTH_PAGE_KIND, HEALTH_PAGE_LAYOUT, sizeof(struct health_page),
	                     &t->health);
	if (errno)
		exit_with_error(path);
	t->clock = make_clock(t);
	t->held = hold_interface();
	t->nic = t->kernel = -1;
	return t;
}

uint32_t dpdk_ifindex(const struct dpdk *t)
{
	uint32_t index = if_nametoindex(DPDK_INTERFACE);

	(void)t;
	if (!index)
		exit_with_error(DPDK_INTERFACE);
	return index;
}

struct health_page *dpdk_health(const struct dpdk *t)
{
	return page_payload(t->health);
}

const char *dpdk_key_file(const struct dpdk *t)
{
	return t->key_file;
}

/* --- the process --- */

/* On any CPU, its words in a file; gone when we are. */
static void become_process(const struct dpdk *t)
{
	char conf[PATH_MAX], state[PATH_MAX], run[PATH_MAX], bpf[PATH_MAX], path[PATH_MAX];
	cpu_set_t all;
	int log;

	path_of(t, "conf", conf);
	path_of(t, "state", state);
	path_of(t, "run", run);
	path_of(t, "bpf", bpf);
	path_of(t, "clock", path);
	setenv(DPDK_CLOCK, path, 1);
	setenv("LD_PRELOAD", t->preload, 1);
	path_of(t, "dataplane.log", path);
	log = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);
	memset(&all, 0xff, sizeof(all));
	sched_setaffinity(0, sizeof(all), &all);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(log, 1);
	dup2(log, 2);
	execl(t->program, t->program, "--conf-dir", conf, "--state-dir", state, "--run-dir", run,
	      "--bpf-dir", bpf, "--node", "n", (char *)NULL);
	_exit(127);
}

char *dpdk_ask(const struct dpdk *t, const char *line)
{
	char path[PATH_MAX], *answer = NULL;

	path_of(t, "run/dataplane.ctl", path);
	return ctl_request(path, line, PATIENCE_MS, &answer) ? NULL : answer;
}

/* Its status has this number. Asked, it does what was due before it answers. */
static bool status_says(const struct dpdk *t, const char *name, uint64_t number)
{
	char *answer = dpdk_ask(t, "{\"do\":\"status\"}");
	const char *at = answer ? strstr(answer, name) : NULL;
	bool found = at && strtoull(at + strlen(name), NULL, 10) == number;

	free(answer);
	return found;
}

static void check_alive(struct dpdk *t)
{
	if (t->pid && waitpid(t->pid, NULL, WNOHANG) == t->pid) {
		t->pid = 0;
		errno = ESRCH;
		exit_with_error("the process ended; see dataplane.log");
	}
}

/* The frames at an interface that come from its other side. */
static int listen_at(const char *interface)
{
	const struct sockaddr_ll at = { .sll_family = AF_PACKET,
		                        .sll_protocol = htons(ETH_P_ALL),
		                        .sll_ifindex = (int)if_nametoindex(interface) };
	int s = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), on = 1;

	if (s < 0 || !at.sll_ifindex ||
	    setsockopt(s, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) ||
	    setsockopt(s, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)) ||
	    bind(s, (const struct sockaddr *)&at, sizeof(at)))
		exit_with_error(interface);
	return s;
}

static void set_mtu(const char *interface, int mtu)
{
	struct ifreq r = { .ifr_mtu = mtu };
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", interface);
	if (s < 0 || ioctl(s, SIOCSIFMTU, &r))
		exit_with_error(interface);
	close(s);
}

static void map_tables(struct dpdk *t)
{
	struct driver_reason why;
	char path[PATH_MAX];

	path_of(t, "run/tables/tables", path);
	if (tablefile_open(&t->tables, path, false, &why)) {
		fprintf(stderr, "weir-diff: %s\n", why.text);
		exit(2);
	}
}

static bool port_forwards(const struct dpdk *t)
{
	return status_says(t, DOCUMENT, t->document) && if_nametoindex(DPDK_NIC);
}

void dpdk_start(struct dpdk *t)
{
	t->pid = fork();
	if (t->pid < 0)
		exit_with_error("fork");
	if (!t->pid)
		become_process(t);
	for (int ms = 0; !port_forwards(t); ms += 10) {
		check_alive(t);
		if (ms > PATIENCE_MS)
			exit_with_error("the process does not drive its port; see dataplane.log");
		usleep(10000);
	}
	set_mtu(DPDK_NIC, NIC_MTU);
	t->nic = listen_at(DPDK_NIC);
	t->kernel = listen_at(DPDK_INTERFACE);
	map_tables(t);
}

static void forget_process(struct dpdk *t)
{
	t->pid = 0;
	close(t->nic);
	close(t->kernel);
	tablefile_close(&t->tables);
}

void dpdk_kill(struct dpdk *t)
{
	kill(t->pid, SIGKILL);
	waitpid(t->pid, NULL, 0);
	forget_process(t);
}

bool dpdk_close(struct dpdk *t)
{
	int status = -1;

	if (t->pid) {
		kill(t->pid, SIGTERM);
		waitpid(t->pid, &status, 0);
		forget_process(t);
	}
	close(t->held);
	page_close(t->health);
	munmap(t->clock, sizeof(*t->clock));
	free(t);
	return !status;
}

/* --- what it is told --- */

static void wait_until_says(struct dpdk *t, const char *name, uint64_t number)
{
	for (int us = 0; !status_says(t, name, number); us += STEP_US) {
		check_alive(t);
		if (us > PATIENCE_MS * 1000)
			exit_with_error(name);
		usleep(STEP_US);
	}
}

void dpdk_document(struct dpdk *t, const struct model *m)
{
	char path[PATH_MAX];

	path_of(t, "state/effective.conf", path);
	errno = -model_write_effective(m, path);
	if (errno)
		exit_with_error(path);
	t->document = m->meta.document;
	if (t->pid)
		wait_until_says(t, DOCUMENT, t->document);
}

void dpdk_verdicts(struct dpdk *t)
{
	page_publish(t->health);
	wait_until_says(t, "\"health_epoch\":", page_epoch(t->health));
}

void dpdk_neighbour(const struct addr *address, const uint8_t mac[6])
{
	char command[256], text[ADDR_TEXT_MAX];

	snprintf(command, sizeof(command),
	         "ip neigh replace %s lladdr %02x:%02x:%02x:%02x:%02x:%02x dev %s nud permanent",
	         addr_text(address, text), mac[0], mac[1], mac[2], mac[3], mac[4], mac[5],
	         DPDK_INTERFACE);
	if (system(command))
		exit_with_error(command);
}

void dpdk_set_time(struct dpdk *t, const struct compiler_time *time)
{
	__atomic_store_n(&t->clock->wall_clock_ms, (uint64_t)time->wall_clock_ms, __ATOMIC_RELEASE);
	__atomic_store_n(&t->clock->mono_ms, time->now_ms, __ATOMIC_RELEASE);
	if (t->pid)
		wait_until_says(t, DOCUMENT, t->document);
	for (int us = 0;
	     t->pid && __atomic_load_n(&t->clock->packets_ms, __ATOMIC_ACQUIRE) != time->now_ms;
	     us += STEP_US) {
		if (us > PATIENCE_MS * 1000)
			exit_with_error("the worker does not ask for the time");
		usleep(STEP_US);
	}
}

/* --- frames --- */

/* The kernel takes a frame's first tag off; put it on again. */
static size_t put_tag_back(uint8_t *frame, size_t len, struct msghdr *m)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(m);
	struct tpacket_auxdata aux;
	uint16_t tag[2];

	if (!c || c->cmsg_type != PACKET_AUXDATA)
		return len;
	memcpy(&aux, CMSG_DATA(c), sizeof(aux));
	if (!(aux.tp_status & TP_STATUS_VLAN_VALID))
		return len;
	tag[0] = htons(aux.tp_vlan_tpid);
	tag[1] = htons(aux.tp_vlan_tci);
	memmove(frame + ADDRESSES + VLAN_LEN, frame + ADDRESSES, len - ADDRESSES);
	memcpy(frame + ADDRESSES, tag, sizeof(tag));
	return len + VLAN_LEN;
}

/* The next frame at a socket within @p wait_ms. @return its length, or 0 */
static size_t take_frame(int s, uint8_t frame[NIC_MTU], int wait_ms)
{
	uint8_t control[256] __attribute__((aligned(8)));
	struct iovec to = { frame, NIC_MTU - VLAN_LEN };
	struct msghdr m = { .msg_iov = &to,
		            .msg_iovlen = 1,
		            .msg_control = control,
		            .msg_controllen = sizeof(control) };
	struct pollfd ready = { s, POLLIN, 0 };
	ssize_t len;

	if (poll(&ready, 1, wait_ms) <= 0)
		return 0;
	len = recvmsg(s, &m, MSG_DONTWAIT);
	return len < (ssize_t)ADDRESSES ? 0 : put_tag_back(frame, (size_t)len, &m);
}

static bool is_same(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	return a_len == b_len && !memcmp(a, b, a_len);
}

static bool is_kind(const struct dpdk_frame *f, enum fwd_kind kind)
{
	return fwd_reason_kind((enum fwd_reason)f->reason) == kind;
}

bool dpdk_is_too_long(const struct dpdk_frame *f)
{
	return is_kind(f, FWD_KIND_TX) && f->out_len > NIC_LONGEST;
}

/* What it sends is what is to be sent, in order. */
static const char *take_sent(const struct dpdk *t, const struct dpdk_frame *frames, uint32_t n)
{
	uint8_t frame[NIC_MTU];

	for (uint32_t i = 0; i < n; i++) {
		size_t len;

		if (!is_kind(&frames[i], FWD_KIND_TX) || dpdk_is_too_long(&frames[i]))
			continue;
		len = take_frame(t->nic, frame, BRIEF_MS);
		if (!len)
			return "a frame that is to be sent is not";
		if (!is_same(frame, len, frames[i].out, frames[i].out_len))
			return "a frame is sent with other bytes";
	}
	return NULL;
}

/* How many it says that it gave to the kernel. */
static uint64_t count_given(const struct dpdk *t)
{
	const struct fwd_cpu *cpu = t->tables.tables.cpus;
	uint64_t n = 0;

	for (int r = 0; r < FWD_REASON_COUNT; r++)
		if (fwd_reason_kind((enum fwd_reason)r) == FWD_KIND_PASS)
			n += OWNER_LOAD(uint64_t, &cpu->reason[r]);
	return n;
}

/*
 * What it gives to the kernel is some of what is passed: as it came, in order. The police holds
 * the rest.
 */
const char *dpdk_passed(struct dpdk *t, const struct dpdk_frame *frames, uint32_t n)
{
	uint8_t frame[NIC_MTU];
	uint32_t i = 0;

	for (int ms = 0; t->n_given < count_given(t); t->n_given++) {
		size_t len = 0;

		/* Those that the police holds are counted with the others first. */
		for (; !len && ms < BRIEF_MS && t->n_given < count_given(t); ms++)
			len = take_frame(t->kernel, frame, 1);
		if (!len && t->n_given == count_given(t))
			break;
		if (!len)
			return "a frame that is passed does not come to the kernel";
		while (i < n && !(is_kind(&frames[i], FWD_KIND_PASS) &&
		                  is_same(frame, len, frames[i].in, frames[i].in_len)))
			i++;
		if (i++ == n)
			return "the kernel is given what is not passed";
	}
	return take_frame(t->kernel, frame, 0) ? "the kernel is given a frame too many" : NULL;
}

/* Counted is each frame of a burst at once, before any is sent. */
static const char *wait_for_count(struct dpdk *t, uint64_t wanted)
{
	const uint64_t *received = &t->tables.tables.cpus->received;

	for (int us = 0; __atomic_load_n(received, __ATOMIC_ACQUIRE) < wanted; us += STEP_US) {
		check_alive(t);
		if (us > BRIEF_MS * 1000)
			return "frames were not received";
		usleep(STEP_US);
	}
	return NULL;
}

/* Frames that the NIC takes all, or one that it does not. */
static const char *forward_frames(struct dpdk *t, const struct dpdk_frame *frames, uint32_t n)
{
	uint64_t wanted = t->tables.tables.cpus->received + n;
	const char *wrong;
	uint8_t frame[NIC_MTU];

	for (uint32_t i = 0; i < n; i++)
		if (send(t->nic, frames[i].in, frames[i].in_len, 0) < 0)
			exit_with_error("a frame cannot be sent");
	wrong = wait_for_count(t, wanted);
	if (!wrong)
		wrong = take_sent(t, frames, n);
	if (!wrong && take_frame(t->nic, frame, 0))
		wrong = "a frame is sent that is not to be";
	return wrong;
}

const char *dpdk_forward(struct dpdk *t, const struct dpdk_frame *frames, uint32_t n)
{
	const char *wrong = NULL;

	for (uint32_t from = 0, to; !wrong && from < n; from = to) {
		t->too_long[frames[from].reason] += dpdk_is_too_long(&frames[from]);
		for (to = from + 1;
		     to < n && !dpdk_is_too_long(&frames[from]) && !dpdk_is_too_long(&frames[to]);)
			to++;
		wrong = forward_frames(t, frames + from, to - from);
	}
	return wrong;
}

/* --- tables --- */

/* The root's own words: who reads which clock, and how many count. */
static bool same_root(const struct fwd_root *a, const struct fwd_root *b)
{
	struct fwd_root x = *a, y = *b;

	x.tick_base = y.tick_base = x.tick_scale = y.tick_scale = x.n_cpus = y.n_cpus = 0;
	for (uint32_t i = 0; i < FWD_MACS_FIRST; i++) { /* the port's number is each side's own */
		x.macs[i] &= ~0xffffull;
		y.macs[i] &= ~0xffffull;
	}
	return !memcmp(&x, &y, sizeof(x));
}

/*
 * What the police held of what was to be passed, or the kernel refused, is counted as that: the sum
 * is the same. So is what was too long to be sent, exactly.
 */
static bool same_cpu(const struct fwd_cpu *w, const struct fwd_cpu *p, const uint64_t *too_long)
{
	uint64_t held = 0, unsent = 0;

	for (int r = 0; r < FWD_REASON_COUNT; r++) {
		if (fwd_reason_kind((enum fwd_reason)r) == FWD_KIND_PASS)
			held += w->reason[r] - p->reason[r];
		else if (r == FWD_REASON_KERNEL_POLICED || r == FWD_REASON_KERNEL_REFUSED)
			held -= p->reason[r] - w->reason[r];
		else if (r != FWD_REASON_NOT_SENT && w->reason[r] - too_long[r] != p->reason[r])
			return false;
		unsent += too_long[r];
	}
	return !held && unsent == p->reason[FWD_REASON_NOT_SENT] && w->received == p->received &&
	       w->received_bytes == p->received_bytes &&
	       !memcmp(w->event, p->event, sizeof(w->event)) &&
	       w->fragments_lost == p->fragments_lost && w->answers_s == p->answers_s &&
	       w->answers_left == p->answers_left;
}

/* Tables of which only a part must be equal: of root not all, of counters one row. */
static bool is_by_row(enum fwd_table table)
{
	return table <= FWD_TABLE_ROOT || table == FWD_TABLE_cpus ||
	       (table >= FWD_TABLE_service_counts && table <= FWD_TABLE_backend_counts) ||
	       (table >= FWD_TABLE_sample_counts && table != FWD_TABLE_drills);
}

/* The row of @p a's CPU is compared with the first one of @p b's. */
static const char *find_count_difference(const struct fwd_tables *a, const struct fwd_tables *b)
{
#define COMPARE_ROW(name, n)                                                                       \
	if (memcmp(a->name + a->cpu * (n), b->name, (n) * sizeof(*b->name)) != 0)                  \
		return #name;
	COMPARE_ROW(service_counts, (size_t)a->root->n_service_counts)
	COMPARE_ROW(backend_counts, (size_t)a->root->n_backends)
	COMPARE_ROW(service_news, (size_t)a->root->n_service_counts)
	COMPARE_ROW(backend_news, (size_t)a->root->n_backends)
	COMPARE_ROW(sample_counts, (size_t)a->root->n_service_counts)
	COMPARE_ROW(drill_counts, (size_t)FWD_DRILLS_MAX)
#undef COMPARE_ROW
	return NULL;
}

static const char *find_difference(const struct fwd_tables *a, const struct fwd_tables *b,
                                   const uint64_t *too_long)
{
	struct layout_table of_a[FWD_TABLE_COUNT], of_b[FWD_TABLE_COUNT];

	if (!same_root(a->root, b->root))
		return "root";
	layout_list(a, of_a);
	layout_list(b, of_b);
	for (int i = 0; i < FWD_TABLE_COUNT; i++)
		if (!is_by_row(i) &&
		    memcmp(of_a[i].memory, of_b[i].memory, layout_bytes(&of_a[i])) != 0)
			return of_a[i].name;
	if (!same_cpu(&a->cpus[a->cpu], b->cpus, too_long))
		return "counters by reason";
	return find_count_difference(a, b);
}

const char *dpdk_difference(struct dpdk *t, const struct world *w)
{
	const char *where = NULL;

	for (int us = 0; us < BRIEF_MS * 1000; us += STEP_US) {
		where = find_difference(&w->t, &t->tables.tables, t->too_long);
		if (!where)
			return NULL;
		check_alive(t);
		usleep(STEP_US);
	}
	return where;
}
