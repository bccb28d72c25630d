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
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/sandbox_internal.h"

/*
 * The number of an old call of x86-64, whose successor takes a directory: -1 on machines that do not
 * have it. And numbers that the kernel's headers do not name yet, or not everywhere.
 */
#ifdef __x86_64__
#define OLD(name_) __NR_##name_
#ifndef __NR_uretprobe
#define __NR_uretprobe 335
#endif
#ifndef __NR_uprobe
#define __NR_uprobe 336
#endif
#else
#define OLD(name_) -1
#endif
#ifndef __NR_renameat
#define __NR_renameat -1
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
		.call = __NR_##name_                                                               \
	}
#define ALLOW_OLD(name_)                                                                           \
	{                                                                                          \
		.call = OLD(name_)                                                                 \
	}
#define VALUES(...)                                                                                \
	.n_values = sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t),                  \
	.values = { __VA_ARGS__ }
#define SOCKETS(...)                                                                               \
	{                                                                                          \
		.call = __NR_socket, .kind = SANDBOX_ONE_OF, VALUES(__VA_ARGS__)                   \
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
	ALLOW_OLD(epoll_wait),
	ALLOW(epoll_pwait),
	ALLOW(epoll_pwait2),
	ALLOW(epoll_ctl),
	ALLOW(futex),
	ALLOW(clock_gettime),
	ALLOW_OLD(poll),
	ALLOW(ppoll),
	ALLOW_OLD(select),
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
	ALLOW_OLD(pipe),
	ALLOW(pipe2),
	ALLOW(dup),
	ALLOW_OLD(dup2),
	ALLOW(dup3),
	ALLOW(fcntl),
	ALLOW_OLD(epoll_create),
	ALLOW(epoll_create1),
	ALLOW_OLD(eventfd),
	ALLOW(eventfd2),
	ALLOW_OLD(signalfd),
	ALLOW(signalfd4),
	ALLOW(timerfd_create),
	ALLOW(timerfd_settime),
	ALLOW(timerfd_gettime),
	ALLOW_OLD(inotify_init),
	ALLOW(inotify_init1),
	ALLOW(inotify_add_watch),
	ALLOW(inotify_rm_watch),
	/* keys into somebody's terminal */
	{ .call = __NR_ioctl, .kind = SANDBOX_NONE_OF, .argument = 1, VALUES(TIOCSTI, TIOCLINUX) },
};
static const struct sandbox_group in_and_out_group = GROUP(in_and_out);

static const struct sandbox_rule files[] = {
	ALLOW_OLD(open),
	ALLOW(openat),
	ALLOW(openat2),
	ALLOW_OLD(stat),
	ALLOW(fstat),
	ALLOW_OLD(lstat),
	ALLOW(newfstatat),
	ALLOW(statx),
	ALLOW(statfs),
	ALLOW(fstatfs),
	ALLOW(lseek),
	ALLOW_OLD(access),
	ALLOW(faccessat),
	ALLOW(faccessat2),
	ALLOW_OLD(readlink),
	ALLOW(readlinkat),
	ALLOW_OLD(getdents),
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
	ALLOW_OLD(rename),
	ALLOW(renameat),
	ALLOW(renameat2),
	ALLOW_OLD(unlink),
	ALLOW(unlinkat),
	ALLOW_OLD(mkdir),
	ALLOW(mkdirat),
	ALLOW_OLD(rmdir),
	ALLOW_OLD(chmod),
	ALLOW(fchmod),
	ALLOW(fchmodat),
	ALLOW(umask),
	/* control sockets are for group weir */
	ALLOW_OLD(chown),
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
	{ .call = __NR_mmap,
	  .kind = SANDBOX_NONE_OF,
	  .argument = 2,
	  .mask = PROT_WRITE | PROT_EXEC,
	  VALUES(PROT_WRITE | PROT_EXEC) },
	{ .call = __NR_mprotect,
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
	ALLOW_OLD(time),
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
	ALLOW_OLD(uretprobe),
	ALLOW_OLD(uprobe),
	ALLOW(exit),
	ALLOW(exit_group),
	{ .call = __NR_prlimit64, .kind = SANDBOX_ONE_OF, VALUES(0) },
	{ .call = __NR_tgkill, .kind = SANDBOX_OWN_PID },
	/* whether a process is there */
	{ .call = __NR_kill, .kind = SANDBOX_ONE_OF, .argument = 1, VALUES(0) },
};
static const struct sandbox_group itself_group = GROUP(itself);

/*
 * A thread, and nothing else. The flags of clone3 lie behind a pointer: libc takes clone where
 * there is no clone3. libc makes processes with all signals blocked, so that a trap would end the
 * process: these fail without one.
 */
static const struct sandbox_rule threads_only[] = {
	{ .call = __NR_clone3, .kind = SANDBOX_NOT_HERE, .error = ENOSYS },
	{ .call = __NR_clone,
	  .kind = SANDBOX_ONE_OF,
	  .mask = CLONE_THREAD | NAMESPACES,
	  VALUES(CLONE_THREAD),
	  .error = EPERM },
	{ .call = OLD(fork), .kind = SANDBOX_NOT_HERE, .error = EPERM },
	{ .call = OLD(vfork), .kind = SANDBOX_NOT_HERE, .error = EPERM },
	{ .call = __NR_prctl,
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
	{ .call = __NR_socket, .kind = SANDBOX_ONE_OF, .zero = 2, VALUES(AF_UNIX, AF_NETLINK) },
	{ .call = __NR_ioctl,
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
	ALLOW_OLD(symlink),
	ALLOW(symlinkat),
	/* DPDK's virtio driver asks for I/O ports when it is loaded, and does without */
	{ .call = OLD(iopl), .kind = SANDBOX_NOT_HERE, .error = EPERM },
	{ .call = OLD(ioperm), .kind = SANDBOX_NOT_HERE, .error = EPERM },
	SOCKETS(AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_XDP),
};
static const struct sandbox_group packets_group = GROUP(packets);

/*
 * The store moves by links, and files of versions are linked; all of them are written out together.
 */
static const struct sandbox_rule store[] = {
	ALLOW_OLD(link), ALLOW(linkat), ALLOW_OLD(symlink), ALLOW(symlinkat), ALLOW(syncfs),
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

/*
 * Calls that an intruder would make, and those of the lists whose argument is looked at: a person
 * reads the names.
 */
#define NAMED(name_)                                                                               \
	{                                                                                          \
		__NR_##name_, #name_                                                               \
	}
#define NAMED_OLD(name_)                                                                           \
	{                                                                                          \
		OLD(name_), #name_                                                                 \
	}
static const struct {
	int call;
	const char *name;
} names[] = {
	NAMED(execve),
	NAMED(execveat),
	NAMED(ptrace),
	NAMED(socket),
	NAMED(ioctl),
	NAMED(mmap),
	NAMED(mprotect),
	NAMED(prctl),
	NAMED(kill),
	NAMED(tgkill),
	NAMED(tkill),
	NAMED(prlimit64),
	NAMED(mount),
	NAMED(umount2),
	NAMED(pivot_root),
	NAMED(chroot),
	NAMED(setns),
	NAMED(unshare),
	NAMED(setuid),
	NAMED(setgid),
	NAMED(setreuid),
	NAMED(setregid),
	NAMED(setresuid),
	NAMED(setresgid),
	NAMED(setgroups),
	NAMED(capset),
	NAMED(seccomp),
	NAMED(bpf),
	NAMED(perf_event_open),
	NAMED(io_uring_setup),
	NAMED(io_uring_enter),
	NAMED(userfaultfd),
	NAMED(keyctl),
	NAMED(add_key),
	NAMED(request_key),
	NAMED(process_vm_readv),
	NAMED(process_vm_writev),
	NAMED(pidfd_open),
	NAMED(pidfd_getfd),
	NAMED(pidfd_send_signal),
	NAMED(init_module),
	NAMED(finit_module),
	NAMED(delete_module),
	NAMED(kexec_load),
	NAMED(reboot),
	NAMED(sethostname),
	NAMED(settimeofday),
	NAMED(clock_settime),
	NAMED(swapon),
	NAMED(syslog),
	NAMED(personality),
	NAMED(memfd_create),
	NAMED_OLD(link),
	NAMED(linkat),
	NAMED_OLD(symlink),
	NAMED(symlinkat),
	NAMED_OLD(mknod),
	NAMED(mknodat),
	NAMED(syncfs),
	NAMED(setxattr),
	NAMED_OLD(iopl),
	NAMED_OLD(ioperm),
	NAMED(setpriority),
	NAMED(sched_setscheduler),
	NAMED(sched_setattr),
	NAMED(setsid),
	NAMED(wait4),
	NAMED(waitid),
	NAMED(splice),
	NAMED(mbind),
	NAMED(get_mempolicy),
	NAMED(set_mempolicy),
	NAMED(shmget),
	NAMED(fanotify_init),
	NAMED(open_by_handle_at),
	NAMED(name_to_handle_at),
	NAMED(mlockall),
	NAMED(setitimer),
	NAMED(timer_create),
	NAMED_OLD(getpgrp),
};

const char *sandbox_call_name(int call)
{
	for (size_t i = 0; i < COUNT(names); i++)
		if (names[i].call == call)
			return names[i].name;
	return NULL;
}
