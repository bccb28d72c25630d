/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What each process may call. A call is here because Weir makes it, or a library that Weir uses:
 * libc (threads, memory, name look-ups), OpenSSL, libcurl, SQLite, libbpf, DPDK. What changes other
 * processes, users, mounts, namespaces or the kernel is on no list. Groups begin with what is
 * called often.
 *
 * A new call is found by the condition system-call-refused in the labs, or by strace -f -c.
 */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "base/sandbox_internal.h"

/* numbers that libseccomp does not know yet; negative: this machine does not have it */
#ifndef __SNR_uretprobe
#ifdef __x86_64__
#define __SNR_uretprobe 335
#define __SNR_uprobe    336
#else
#define __SNR_uretprobe (-1)
#define __SNR_uprobe    (-1)
#endif
#endif

/* names that older libc headers do not have */
#ifndef AF_XDP
#define AF_XDP 44
#endif
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif
#define GET_TERMIOS2 0x802c542au /* TCGETS2, whose struct libc does not have */

#define NAMESPACES                                                                                 \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |             \
	 CLONE_NEWPID | CLONE_NEWNET)

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define GROUP(rules_)                                                                              \
	{                                                                                          \
		.rules = rules_, .n = COUNT(rules_)                                                \
	}
#define ALLOW(name_)                                                                               \
	{                                                                                          \
		.call = SCMP_SYS(name_)                                                            \
	}
#define VALUES(...)                                                                                \
	.n_values = sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t),                  \
	.values = { __VA_ARGS__ }
#define SOCKETS(...)                                                                               \
	{                                                                                          \
		.call = SCMP_SYS(socket), .kind = SANDBOX_ONE_OF, VALUES(__VA_ARGS__)              \
	}

static const struct sandbox_rule in_and_out[] = {
	ALLOW(read),
	ALLOW(write),
	ALLOW(recvmmsg),
	ALLOW(sendmmsg),
	ALLOW(recvmsg),
	ALLOW(sendmsg),
	ALLOW(recvfrom),
	ALLOW(sendto),
	ALLOW(epoll_wait),
	ALLOW(epoll_pwait),
	ALLOW(epoll_pwait2),
	ALLOW(epoll_ctl),
	ALLOW(futex),
	ALLOW(clock_gettime),
	ALLOW(poll),
	ALLOW(ppoll),
	ALLOW(select),
	ALLOW(pselect6),
	ALLOW(readv),
	ALLOW(writev),
	ALLOW(pread64),
	ALLOW(pwrite64),
	ALLOW(preadv),
	ALLOW(pwritev),
	ALLOW(preadv2),
	ALLOW(pwritev2),
	ALLOW(sendfile), /* OpenSSL, where the kernel encrypts */
	ALLOW(close),
	ALLOW(close_range),
	ALLOW(accept),
	ALLOW(accept4),
	ALLOW(connect),
	ALLOW(bind),
	ALLOW(listen),
	ALLOW(shutdown),
	ALLOW(getsockname),
	ALLOW(getpeername),
	ALLOW(getsockopt),
	ALLOW(setsockopt),
	ALLOW(socketpair), /* the kernel knows it for AF_UNIX alone */
	ALLOW(pipe),
	ALLOW(pipe2),
	ALLOW(dup),
	ALLOW(dup2),
	ALLOW(dup3),
	ALLOW(fcntl),
	ALLOW(epoll_create),
	ALLOW(epoll_create1),
	ALLOW(eventfd),
	ALLOW(eventfd2),
	ALLOW(signalfd),
	ALLOW(signalfd4),
	ALLOW(timerfd_create),
	ALLOW(timerfd_settime),
	ALLOW(timerfd_gettime),
	ALLOW(inotify_init),
	ALLOW(inotify_init1),
	ALLOW(inotify_add_watch),
	ALLOW(inotify_rm_watch),
	/* keys into somebody's terminal */
	{ .call = SCMP_SYS(ioctl),
	  .kind = SANDBOX_NONE_OF,
	  .argument = 1,
	  VALUES(TIOCSTI, TIOCLINUX) },
};
static const struct sandbox_group in_and_out_group = GROUP(in_and_out);

static const struct sandbox_rule files[] = {
	ALLOW(open),
	ALLOW(openat),
	ALLOW(openat2),
	ALLOW(stat),
	ALLOW(fstat),
	ALLOW(lstat),
	ALLOW(newfstatat),
	ALLOW(statx),
	ALLOW(statfs),
	ALLOW(fstatfs),
	ALLOW(lseek),
	ALLOW(access),
	ALLOW(faccessat),
	ALLOW(faccessat2),
	ALLOW(readlink),
	ALLOW(readlinkat),
	ALLOW(getdents),
	ALLOW(getdents64),
	ALLOW(getcwd),
	ALLOW(flock),
	ALLOW(truncate),
	ALLOW(ftruncate),
	ALLOW(fallocate),
	ALLOW(fadvise64),
	ALLOW(readahead),
	ALLOW(copy_file_range),
	ALLOW(sync_file_range),
	ALLOW(utimensat),
	ALLOW(getxattr),
	ALLOW(lgetxattr),
	ALLOW(fgetxattr),
	ALLOW(fsync),
	ALLOW(fdatasync),
	ALLOW(rename),
	ALLOW(renameat),
	ALLOW(renameat2),
	ALLOW(unlink),
	ALLOW(unlinkat),
	ALLOW(mkdir),
	ALLOW(mkdirat),
	ALLOW(rmdir),
	ALLOW(chmod),
	ALLOW(fchmod),
	ALLOW(fchmodat),
	ALLOW(umask),
	/* control sockets are for group weir */
	ALLOW(chown),
	ALLOW(fchown),
	ALLOW(fchownat),
};
static const struct sandbox_group files_group = GROUP(files);

static const struct sandbox_rule memory[] = {
	ALLOW(munmap),
	ALLOW(mremap),
	ALLOW(madvise),
	ALLOW(brk),
	ALLOW(msync),
	ALLOW(mincore),
	ALLOW(mlock),
	ALLOW(mlock2),
	ALLOW(munlock),
	/*
	 * code that was written a moment ago: the unit forbids it as well (MemoryDenyWriteExecute=)
	 */
	{ .call = SCMP_SYS(mmap),
	  .kind = SANDBOX_NONE_OF,
	  .argument = 2,
	  .mask = PROT_WRITE | PROT_EXEC,
	  VALUES(PROT_WRITE | PROT_EXEC) },
	{ .call = SCMP_SYS(mprotect),
	  .kind = SANDBOX_NONE_OF,
	  .argument = 2,
	  .mask = PROT_EXEC,
	  VALUES(PROT_EXEC) },
};
static const struct sandbox_group memory_group = GROUP(memory);

/* Threads, time, and what the process is. */
static const struct sandbox_rule itself[] = {
	ALLOW(rt_sigprocmask),
	ALLOW(rt_sigreturn),
	ALLOW(rt_sigaction),
	ALLOW(rt_sigtimedwait),
	ALLOW(rt_sigpending),
	ALLOW(rt_sigsuspend),
	ALLOW(sigaltstack),
	ALLOW(restart_syscall),
	ALLOW(clock_getres),
	ALLOW(clock_nanosleep),
	ALLOW(nanosleep),
	ALLOW(gettimeofday),
	ALLOW(time),
	ALLOW(times),
	ALLOW(adjtimex),
	ALLOW(clock_adjtime),
	ALLOW(sched_yield),
	ALLOW(sched_getaffinity),
	ALLOW(sched_setaffinity),
	ALLOW(sched_getparam),
	ALLOW(sched_getscheduler),
	ALLOW(sched_get_priority_min),
	ALLOW(sched_get_priority_max),
	ALLOW(sched_rr_get_interval),
	ALLOW(sched_getattr),
	ALLOW(getpriority),
	ALLOW(getcpu),
	ALLOW(membarrier),
	ALLOW(rseq),
	ALLOW(set_robust_list),
	ALLOW(get_robust_list),
	ALLOW(set_tid_address),
	ALLOW(gettid),
	ALLOW(getpid),
	ALLOW(getppid),
	ALLOW(getpgid),
	ALLOW(getsid),
	ALLOW(getuid),
	ALLOW(geteuid),
	ALLOW(getgid),
	ALLOW(getegid),
	ALLOW(getresuid),
	ALLOW(getresgid),
	ALLOW(getgroups),
	ALLOW(capget),
	ALLOW(uname),
	ALLOW(sysinfo),
	ALLOW(getrusage),
	ALLOW(getrlimit),
	ALLOW(setrlimit),
	ALLOW(getrandom),
	/*
	 * of a probe that a person sets (bpftrace, perf): newer kernels return by these calls, and
	 * a refusal ends the process
	 */
	ALLOW(uretprobe),
	ALLOW(uprobe),
	ALLOW(exit),
	ALLOW(exit_group),
	{ .call = SCMP_SYS(prlimit64), .kind = SANDBOX_ONE_OF, VALUES(0) },
	{ .call = SCMP_SYS(tgkill), .kind = SANDBOX_OWN_PID },
	/* whether a process is there */
	{ .call = SCMP_SYS(kill), .kind = SANDBOX_ONE_OF, .argument = 1, VALUES(0) },
};
static const struct sandbox_group itself_group = GROUP(itself);

/*
 * A thread, and nothing else. The flags of clone3 lie behind a pointer: libc takes clone where
 * there is no clone3. libc makes processes with all signals blocked, so that a trap would end the
 * process: these fail without one.
 */
static const struct sandbox_rule threads_only[] = {
	{ .call = SCMP_SYS(clone3), .kind = SANDBOX_NOT_HERE, .error = ENOSYS },
	{ .call = SCMP_SYS(clone),
	  .kind = SANDBOX_THESE_BITS,
	  .mask = CLONE_THREAD | NAMESPACES,
	  VALUES(CLONE_THREAD),
	  .error = EPERM },
	{ .call = SCMP_SYS(fork), .kind = SANDBOX_NOT_HERE, .error = EPERM },
	{ .call = SCMP_SYS(vfork), .kind = SANDBOX_NOT_HERE, .error = EPERM },
	{ .call = SCMP_SYS(prctl),
	  .kind = SANDBOX_ONE_OF,
	  VALUES(PR_SET_NAME, PR_GET_NAME, PR_CAPBSET_READ, PR_GET_DUMPABLE, PR_GET_SECCOMP,
	         PR_SET_VMA) },
};
static const struct sandbox_group threads_only_group = GROUP(threads_only);

static const struct sandbox_rule network_sockets[] = {
	SOCKETS(AF_UNIX, AF_INET, AF_INET6, AF_NETLINK),
};
static const struct sandbox_group network_sockets_group = GROUP(network_sockets);

/*
 * weir-announce reads what a routing daemon writes, and it may change the host's network. So it
 * gets routes (NETLINK_ROUTE is 0) and no other part of the kernel's network, and no ioctl but
 * those by which libc asks whether a descriptor is a terminal. It learns when another process ends,
 * and nothing else of it. These rules come before EVERY_PROCESS, which allows more.
 */
static const struct sandbox_rule announcing[] = {
	ALLOW(pidfd_open),
	{ .call = SCMP_SYS(socket),
	  .kind = SANDBOX_ONE_OF,
	  .zero = 2,
	  VALUES(AF_UNIX, AF_NETLINK) },
	{ .call = SCMP_SYS(ioctl),
	  .kind = SANDBOX_ONE_OF,
	  .argument = 1,
	  VALUES(TCGETS, GET_TERMIOS2, TIOCGWINSZ) },
};
static const struct sandbox_group announcing_group = GROUP(announcing);
_Static_assert(NETLINK_ROUTE == 0, "the rule for sockets");

/* The XDP program and its maps; frames past the kernel; DPDK's memory. */
static const struct sandbox_rule packets[] = {
	ALLOW(bpf),
	ALLOW(perf_event_open),
	ALLOW(memfd_create),
	ALLOW(mbind),
	ALLOW(get_mempolicy),
	ALLOW(set_mempolicy),
	ALLOW(move_pages),
	ALLOW(mlockall),
	ALLOW(munlockall),
	/* the set of maps in force is a link */
	ALLOW(symlink),
	ALLOW(symlinkat),
	/* DPDK's virtio driver asks for I/O ports when it is loaded, and does without */
	{ .call = SCMP_SYS(iopl), .kind = SANDBOX_NOT_HERE, .error = EPERM },
	{ .call = SCMP_SYS(ioperm), .kind = SANDBOX_NOT_HERE, .error = EPERM },
	SOCKETS(AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_XDP),
};
static const struct sandbox_group packets_group = GROUP(packets);

/*
 * The store moves by links, and files of versions are linked; all of them are written out together.
 */
static const struct sandbox_rule store[] = {
	ALLOW(link), ALLOW(linkat), ALLOW(symlink), ALLOW(symlinkat), ALLOW(syncfs),
};
static const struct sandbox_group store_group = GROUP(store);

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZER
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZER
#endif

/* A build with sanitizers: the search for leaks is a process that stops this one. */
static const struct sandbox_rule sanitizer[] = {
#ifdef SANITIZER
	ALLOW(clone),  ALLOW(ptrace), ALLOW(wait4),       ALLOW(prctl),
	ALLOW(tgkill), ALLOW(kill),   ALLOW(personality), ALLOW(prlimit64),
#else
	{ .call = -1 },
#endif
};
static const struct sandbox_group sanitizer_group = GROUP(sanitizer);

#define EVERY_PROCESS                                                                              \
	&in_and_out_group, &sanitizer_group, &files_group, &memory_group, &itself_group,           \
	        &threads_only_group

static const struct sandbox_list lists[] = {
	{ "mgmt", { EVERY_PROCESS, &network_sockets_group, &store_group } },
	{ "dataplane", { EVERY_PROCESS, &packets_group } },
	{ "health", { EVERY_PROCESS, &network_sockets_group } },
	{ "dns", { EVERY_PROCESS, &network_sockets_group } },
	{ "announce", { &announcing_group, EVERY_PROCESS } },
};

const struct sandbox_list *sandbox_list_of(const char *process)
{
	for (size_t i = 0; i < COUNT(lists); i++)
		if (!strcmp(lists[i].process, process))
			return &lists[i];
	return NULL;
}
