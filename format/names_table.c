// Tables of names, one row a value. Sources: the kernel's user-space headers (asm-generic and x86), CRIU's
// published vma and file type numbers. Searched in order: rows of several bits stand before their parts.
#include "format/names.h"
#include "format/names_table.h"

static const struct crimg_name errno[] = {
	{ 1, "EPERM" }, { 2, "ENOENT" }, { 3, "ESRCH" }, { 4, "EINTR" }, { 5, "EIO" },
	{ 6, "ENXIO" }, { 7, "E2BIG" }, { 8, "ENOEXEC" }, { 9, "EBADF" }, { 10, "ECHILD" },
	{ 11, "EAGAIN" }, { 12, "ENOMEM" }, { 13, "EACCES" }, { 14, "EFAULT" }, { 15, "ENOTBLK" },
	{ 16, "EBUSY" }, { 17, "EEXIST" }, { 18, "EXDEV" }, { 19, "ENODEV" }, { 20, "ENOTDIR" },
	{ 21, "EISDIR" }, { 22, "EINVAL" }, { 23, "ENFILE" }, { 24, "EMFILE" }, { 25, "ENOTTY" },
	{ 26, "ETXTBSY" }, { 27, "EFBIG" }, { 28, "ENOSPC" }, { 29, "ESPIPE" }, { 30, "EROFS" },
	{ 31, "EMLINK" }, { 32, "EPIPE" }, { 33, "EDOM" }, { 34, "ERANGE" }, { 35, "EDEADLK" },
	{ 36, "ENAMETOOLONG" }, { 37, "ENOLCK" }, { 38, "ENOSYS" }, { 39, "ENOTEMPTY" },
	{ 40, "ELOOP" }, { 42, "ENOMSG" }, { 43, "EIDRM" }, { 44, "ECHRNG" }, { 45, "EL2NSYNC" },
	{ 46, "EL3HLT" }, { 47, "EL3RST" }, { 48, "ELNRNG" }, { 49, "EUNATCH" }, { 50, "ENOCSI" },
	{ 51, "EL2HLT" }, { 52, "EBADE" }, { 53, "EBADR" }, { 54, "EXFULL" }, { 55, "ENOANO" },
	{ 56, "EBADRQC" }, { 57, "EBADSLT" }, { 59, "EBFONT" }, { 60, "ENOSTR" }, { 61, "ENODATA" },
	{ 62, "ETIME" }, { 63, "ENOSR" }, { 64, "ENONET" }, { 65, "ENOPKG" }, { 66, "EREMOTE" },
	{ 67, "ENOLINK" }, { 68, "EADV" }, { 69, "ESRMNT" }, { 70, "ECOMM" }, { 71, "EPROTO" },
	{ 72, "EMULTIHOP" }, { 73, "EDOTDOT" }, { 74, "EBADMSG" }, { 75, "EOVERFLOW" },
	{ 76, "ENOTUNIQ" }, { 77, "EBADFD" }, { 78, "EREMCHG" }, { 79, "ELIBACC" },
	{ 80, "ELIBBAD" }, { 81, "ELIBSCN" }, { 82, "ELIBMAX" }, { 83, "ELIBEXEC" },
	{ 84, "EILSEQ" }, { 85, "ERESTART" }, { 86, "ESTRPIPE" }, { 87, "EUSERS" },
	{ 88, "ENOTSOCK" }, { 89, "EDESTADDRREQ" }, { 90, "EMSGSIZE" }, { 91, "EPROTOTYPE" },
	{ 92, "ENOPROTOOPT" }, { 93, "EPROTONOSUPPORT" }, { 94, "ESOCKTNOSUPPORT" },
	{ 95, "EOPNOTSUPP" }, { 96, "EPFNOSUPPORT" }, { 97, "EAFNOSUPPORT" }, { 98, "EADDRINUSE" },
	{ 99, "EADDRNOTAVAIL" }, { 100, "ENETDOWN" }, { 101, "ENETUNREACH" }, { 102, "ENETRESET" },
	{ 103, "ECONNABORTED" }, { 104, "ECONNRESET" }, { 105, "ENOBUFS" }, { 106, "EISCONN" },
	{ 107, "ENOTCONN" }, { 108, "ESHUTDOWN" }, { 109, "ETOOMANYREFS" }, { 110, "ETIMEDOUT" },
	{ 111, "ECONNREFUSED" }, { 112, "EHOSTDOWN" }, { 113, "EHOSTUNREACH" }, { 114, "EALREADY" },
	{ 115, "EINPROGRESS" }, { 116, "ESTALE" }, { 117, "EUCLEAN" }, { 118, "ENOTNAM" },
	{ 119, "ENAVAIL" }, { 120, "EISNAM" }, { 121, "EREMOTEIO" }, { 122, "EDQUOT" },
	{ 123, "ENOMEDIUM" }, { 124, "EMEDIUMTYPE" }, { 125, "ECANCELED" }, { 126, "ENOKEY" },
	{ 127, "EKEYEXPIRED" }, { 128, "EKEYREVOKED" }, { 129, "EKEYREJECTED" },
	{ 130, "EOWNERDEAD" }, { 131, "ENOTRECOVERABLE" }, { 132, "ERFKILL" }, { 133, "EHWPOISON" },
};

static const struct crimg_name fd_type[] = {
	{ 0, "undefined" }, { 1, "file" }, { 2, "pipe" }, { 3, "fifo" }, { 4, "inet" },
	{ 5, "unix" }, { 6, "eventfd" }, { 7, "epoll" }, { 8, "inotify" }, { 9, "signalfd" },
	{ 10, "packet" }, { 11, "tty" }, { 12, "fanotify" }, { 13, "netlink" }, { 14, "namespace" },
	{ 15, "tun" }, { 16, "external" }, { 17, "timerfd" }, { 18, "memfd" }, { 19, "bpfmap" },
	{ 20, "pidfd" }, { 65534, "ctty" }, { 65535, "autofs" },
};

static const struct crimg_name socket_family[] = {
	{ 0, "unspec" }, { 1, "unix" }, { 2, "inet" }, { 10, "inet6" }, { 15, "key" },
	{ 16, "netlink" }, { 17, "packet" }, { 38, "alg" }, { 40, "vsock" },
};

static const struct crimg_name socket_type[] = {
	{ 1, "stream" }, { 2, "dgram" }, { 3, "raw" }, { 4, "rdm" }, { 5, "seqpacket" },
	{ 6, "dccp" }, { 10, "packet" },
};

static const struct crimg_name ip_proto[] = {
	{ 0, "ip" }, { 1, "icmp" }, { 2, "igmp" }, { 6, "tcp" }, { 17, "udp" }, { 33, "dccp" },
	{ 41, "ipv6" }, { 47, "gre" }, { 50, "esp" }, { 51, "ah" }, { 58, "icmpv6" }, { 89, "ospf" },
	{ 132, "sctp" }, { 136, "udplite" }, { 255, "raw" }, { 262, "mptcp" },
};

static const struct crimg_name netlink_proto[] = {
	{ 0, "ROUTE" }, { 2, "USERSOCK" }, { 3, "FIREWALL" }, { 4, "SOCK_DIAG" }, { 5, "NFLOG" },
	{ 6, "XFRM" }, { 7, "SELINUX" }, { 8, "ISCSI" }, { 9, "AUDIT" }, { 10, "FIB_LOOKUP" },
	{ 11, "CONNECTOR" }, { 12, "NETFILTER" }, { 13, "IP6_FW" }, { 14, "DNRTMSG" },
	{ 15, "KOBJECT_UEVENT" }, { 16, "GENERIC" }, { 18, "SCSITRANSPORT" }, { 19, "ECRYPTFS" },
	{ 20, "RDMA" }, { 21, "CRYPTO" }, { 22, "SMC" },
};

static const struct crimg_name socket_state[] = {
	{ 1, "ESTABLISHED" }, { 2, "SYN_SENT" }, { 3, "SYN_RECV" }, { 4, "FIN_WAIT1" },
	{ 5, "FIN_WAIT2" }, { 6, "TIME_WAIT" }, { 7, "CLOSE" }, { 8, "CLOSE_WAIT" },
	{ 9, "LAST_ACK" }, { 10, "LISTEN" }, { 11, "CLOSING" }, { 12, "NEW_SYN_RECV" },
};

static const struct crimg_name shutdown[] = {
	{ 0, "none" }, { 1, "read" }, { 2, "write" }, { 3, "both" },
};

static const struct crimg_name clock[] = {
	{ 0, "CLOCK_REALTIME" }, { 1, "CLOCK_MONOTONIC" }, { 2, "CLOCK_PROCESS_CPUTIME_ID" },
	{ 3, "CLOCK_THREAD_CPUTIME_ID" }, { 4, "CLOCK_MONOTONIC_RAW" },
	{ 5, "CLOCK_REALTIME_COARSE" }, { 6, "CLOCK_MONOTONIC_COARSE" }, { 7, "CLOCK_BOOTTIME" },
	{ 8, "CLOCK_REALTIME_ALARM" }, { 9, "CLOCK_BOOTTIME_ALARM" }, { 11, "CLOCK_TAI" },
};

static const struct crimg_name sigev[] = {
	{ 0, "SIGEV_SIGNAL" }, { 1, "SIGEV_NONE" }, { 2, "SIGEV_THREAD" }, { 4, "SIGEV_THREAD_ID" },
};

static const struct crimg_name sched_policy[] = {
	{ 0, "SCHED_OTHER" }, { 1, "SCHED_FIFO" }, { 2, "SCHED_RR" }, { 3, "SCHED_BATCH" },
	{ 5, "SCHED_IDLE" }, { 6, "SCHED_DEADLINE" }, { 7, "SCHED_EXT" },
};

static const struct crimg_name seccomp_mode[] = {
	{ 0, "disabled" }, { 1, "strict" }, { 2, "filter" },
};

static const struct crimg_name rlimit[] = {
	{ 0, "CPU" }, { 1, "FSIZE" }, { 2, "DATA" }, { 3, "STACK" }, { 4, "CORE" }, { 5, "RSS" },
	{ 6, "NPROC" }, { 7, "NOFILE" }, { 8, "MEMLOCK" }, { 9, "AS" }, { 10, "LOCKS" },
	{ 11, "SIGPENDING" }, { 12, "MSGQUEUE" }, { 13, "NICE" }, { 14, "RTPRIO" }, { 15, "RTTIME" },
};

static const struct crimg_name fstype[] = {
	{ 0, "unsupported" }, { 1, "proc" }, { 2, "sysfs" }, { 3, "devtmpfs" }, { 4, "binfmt_misc" },
	{ 5, "tmpfs" }, { 6, "devpts" }, { 7, "simfs" }, { 8, "pstore" }, { 9, "securityfs" },
	{ 10, "fusectl" }, { 11, "debugfs" }, { 12, "cgroup" }, { 13, "aufs" }, { 14, "mqueue" },
	{ 15, "fuse" }, { 16, "auto" }, { 17, "overlay" }, { 18, "autofs" }, { 19, "tracefs" },
	{ 23, "cgroup2" },
};

static const struct crimg_name task_state[] = {
	{ 0, "undefined" }, { 1, "alive" }, { 2, "zombie" }, { 3, "stopped" }, { 6, "helper" },
};

static const struct crimg_name machine[] = {
	{ 0, "unknown" }, { 1, "x86-64" }, { 2, "arm" }, { 3, "aarch64" }, { 4, "ppc64" },
	{ 5, "s390x" }, { 6, "mips" }, { 7, "loongarch64" }, { 8, "riscv64" },
};

static const struct crimg_name tty_type[] = {
	{ 0, "unknown" }, { 1, "pty" }, { 2, "console" }, { 3, "vt" }, { 4, "ctty" },
	{ 5, "external" }, { 6, "serial" },
};

static const struct crimg_name netdev_type[] = {
	{ 1, "loopback" }, { 2, "veth" }, { 3, "tun" }, { 4, "extlink" }, { 5, "venet" },
	{ 6, "bridge" }, { 7, "macvlan" }, { 8, "sit" },
};

static const struct crimg_name lsm[] = {
	{ 0, "none" }, { 1, "selinux" }, { 2, "apparmor" },
};

static const struct crimg_name lock_type[] = {
	{ 0, "read" }, { 1, "write" }, { 2, "unlocked" },
};

static const struct crimg_name lock_flag[] = {
	{ 1, "posix" }, { 2, "flock" }, { 4, "ofd" }, { 8, "lease" },
};

static const struct crimg_name si_code[] = {
	{ 0, "SI_USER" }, { 0x80, "SI_KERNEL" }, { UINT64_MAX, "SI_QUEUE" },
	{ UINT64_MAX - 1, "SI_TIMER" }, { UINT64_MAX - 2, "SI_MESGQ" },
	{ UINT64_MAX - 3, "SI_ASYNCIO" }, { UINT64_MAX - 4, "SI_SIGIO" },
	{ UINT64_MAX - 5, "SI_TKILL" }, { UINT64_MAX - 6, "SI_DETHREAD" },
	{ UINT64_MAX - 59, "SI_ASYNCNL" },
};

static const struct crimg_name capability[] = {
	{ 0, "CHOWN" }, { 1, "DAC_OVERRIDE" }, { 2, "DAC_READ_SEARCH" }, { 3, "FOWNER" },
	{ 4, "FSETID" }, { 5, "KILL" }, { 6, "SETGID" }, { 7, "SETUID" }, { 8, "SETPCAP" },
	{ 9, "LINUX_IMMUTABLE" }, { 10, "NET_BIND_SERVICE" }, { 11, "NET_BROADCAST" },
	{ 12, "NET_ADMIN" }, { 13, "NET_RAW" }, { 14, "IPC_LOCK" }, { 15, "IPC_OWNER" },
	{ 16, "SYS_MODULE" }, { 17, "SYS_RAWIO" }, { 18, "SYS_CHROOT" }, { 19, "SYS_PTRACE" },
	{ 20, "SYS_PACCT" }, { 21, "SYS_ADMIN" }, { 22, "SYS_BOOT" }, { 23, "SYS_NICE" },
	{ 24, "SYS_RESOURCE" }, { 25, "SYS_TIME" }, { 26, "SYS_TTY_CONFIG" }, { 27, "MKNOD" },
	{ 28, "LEASE" }, { 29, "AUDIT_WRITE" }, { 30, "AUDIT_CONTROL" }, { 31, "SETFCAP" },
	{ 32, "MAC_OVERRIDE" }, { 33, "MAC_ADMIN" }, { 34, "SYSLOG" }, { 35, "WAKE_ALARM" },
	{ 36, "BLOCK_SUSPEND" }, { 37, "AUDIT_READ" }, { 38, "PERFMON" }, { 39, "BPF" },
	{ 40, "CHECKPOINT_RESTORE" },
};

static const struct crimg_name remap[] = {
	{ 0, "linked" }, { 1, "ghost" }, { 2, "procfs" },
};

static const struct crimg_name ethertype[] = {
	{ 0x3, "ALL" }, { 0x800, "IPv4" }, { 0x806, "ARP" }, { 0x8100, "VLAN" }, { 0x86dd, "IPv6" },
	{ 0x8863, "PPPoE-D" }, { 0x8864, "PPPoE" }, { 0x88a8, "QinQ" }, { 0x88b5, "EXPERIMENTAL-1" },
	{ 0x88b6, "EXPERIMENTAL-2" }, { 0x88cc, "LLDP" }, { 0x88e5, "MACsec" },
};

static const struct crimg_name open_flags[] = {
	{ 0100, "O_CREAT" }, { 0200, "O_EXCL" }, { 0400, "O_NOCTTY" }, { 01000, "O_TRUNC" },
	{ 02000, "O_APPEND" }, { 04000, "O_NONBLOCK" }, { 04010000, "O_SYNC" },
	{ 010000, "O_DSYNC" }, { 020000, "O_ASYNC" }, { 040000, "O_DIRECT" },
	{ 0100000, "O_LARGEFILE" }, { 020200000, "O_TMPFILE" }, { 0200000, "O_DIRECTORY" },
	{ 0400000, "O_NOFOLLOW" }, { 01000000, "O_NOATIME" }, { 02000000, "O_CLOEXEC" },
	{ 010000000, "O_PATH" },
};

static const struct crimg_name mmap_prot[] = {
	{ 1, "PROT_READ" }, { 2, "PROT_WRITE" }, { 4, "PROT_EXEC" }, { 8, "PROT_SEM" },
	{ 0x01000000, "PROT_GROWSDOWN" }, { 0x02000000, "PROT_GROWSUP" },
};

static const struct crimg_name mmap_flags[] = {
	{ 3, "MAP_SHARED_VALIDATE" }, { 1, "MAP_SHARED" }, { 2, "MAP_PRIVATE" },
	{ 0x10, "MAP_FIXED" }, { 0x20, "MAP_ANONYMOUS" }, { 0x40, "MAP_32BIT" },
	{ 0x100, "MAP_GROWSDOWN" }, { 0x800, "MAP_DENYWRITE" }, { 0x1000, "MAP_EXECUTABLE" },
	{ 0x2000, "MAP_LOCKED" }, { 0x4000, "MAP_NORESERVE" }, { 0x8000, "MAP_POPULATE" },
	{ 0x10000, "MAP_NONBLOCK" }, { 0x20000, "MAP_STACK" }, { 0x40000, "MAP_HUGETLB" },
	{ 0x80000, "MAP_SYNC" }, { 0x100000, "MAP_FIXED_NOREPLACE" }, { 0x8000000, "MAP_DROPPABLE" },
};

static const struct crimg_name vma_status[] = {
	{ 0x1, "REGULAR" }, { 0x2, "STACK" }, { 0x4, "VSYSCALL" }, { 0x8, "VDSO" }, { 0x20, "HEAP" },
	{ 0x40, "FILE_PRIVATE" }, { 0x80, "FILE_SHARED" }, { 0x100, "ANON_SHARED" },
	{ 0x200, "ANON_PRIVATE" }, { 0x400, "SYSVIPC" }, { 0x800, "SOCKET" }, { 0x1000, "VVAR" },
	{ 0x2000, "AIORING" }, { 0x4000, "MEMFD" }, { 0x8000, "SHSTK" }, { 0x10000, "GUARD" },
	{ 0x20000, "UPROBES" }, { 0x8000000, "PLUGIN" },
};

static const struct crimg_name madvise[] = {
	{ 0x2, "RANDOM" }, { 0x4, "SEQUENTIAL" }, { 0x400, "DONTFORK" }, { 0x1000, "MERGEABLE" },
	{ 0x4000, "HUGEPAGE" }, { 0x8000, "NOHUGEPAGE" }, { 0x10000, "DONTDUMP" },
	{ 0x40000, "WIPEONFORK" },
};

static const struct crimg_name sigaction_flags[] = {
	{ 1, "SA_NOCLDSTOP" }, { 2, "SA_NOCLDWAIT" }, { 4, "SA_SIGINFO" },
	{ 0x400, "SA_UNSUPPORTED" }, { 0x800, "SA_EXPOSE_TAGBITS" }, { 0x04000000, "SA_RESTORER" },
	{ 0x08000000, "SA_ONSTACK" }, { 0x10000000, "SA_RESTART" }, { 0x40000000, "SA_NODEFER" },
	{ 0x80000000, "SA_RESETHAND" },
};

static const struct crimg_name securebits[] = {
	{ 1, "NOROOT" }, { 2, "NOROOT_LOCKED" }, { 4, "NO_SETUID_FIXUP" },
	{ 8, "NO_SETUID_FIXUP_LOCKED" }, { 0x10, "KEEP_CAPS" }, { 0x20, "KEEP_CAPS_LOCKED" },
	{ 0x40, "NO_CAP_AMBIENT_RAISE" }, { 0x80, "NO_CAP_AMBIENT_RAISE_LOCKED" },
};

static const struct crimg_name seccomp_flags[] = {
	{ 1, "TSYNC" }, { 2, "LOG" }, { 4, "SPEC_ALLOW" }, { 8, "NEW_LISTENER" },
	{ 0x10, "TSYNC_ESRCH" }, { 0x20, "WAIT_KILLABLE_RECV" },
};

static const struct crimg_name mount_flags[] = {
	{ 1, "ro" }, { 2, "nosuid" }, { 4, "nodev" }, { 8, "noexec" }, { 0x10, "sync" },
	{ 0x40, "mand" }, { 0x80, "dirsync" }, { 0x100, "nosymfollow" }, { 0x400, "noatime" },
	{ 0x800, "nodiratime" }, { 0x1000, "bind" }, { 0x4000, "rec" }, { 0x8000, "silent" },
	{ 0x10000, "posixacl" }, { 0x20000, "unbindable" }, { 0x40000, "private" },
	{ 0x80000, "slave" }, { 0x100000, "shared" }, { 0x200000, "relatime" },
	{ 0x1000000, "strictatime" }, { 0x2000000, "lazytime" },
};

static const struct crimg_name epoll_events[] = {
	{ 1, "EPOLLIN" }, { 2, "EPOLLPRI" }, { 4, "EPOLLOUT" }, { 8, "EPOLLERR" },
	{ 0x10, "EPOLLHUP" }, { 0x20, "EPOLLNVAL" }, { 0x40, "EPOLLRDNORM" },
	{ 0x80, "EPOLLRDBAND" }, { 0x100, "EPOLLWRNORM" }, { 0x200, "EPOLLWRBAND" },
	{ 0x400, "EPOLLMSG" }, { 0x2000, "EPOLLRDHUP" }, { 0x10000000, "EPOLLEXCLUSIVE" },
	{ 0x20000000, "EPOLLWAKEUP" }, { 0x40000000, "EPOLLONESHOT" }, { 0x80000000, "EPOLLET" },
};

static const struct crimg_name inotify_events[] = {
	{ 1, "IN_ACCESS" }, { 2, "IN_MODIFY" }, { 4, "IN_ATTRIB" }, { 8, "IN_CLOSE_WRITE" },
	{ 0x10, "IN_CLOSE_NOWRITE" }, { 0x20, "IN_OPEN" }, { 0x40, "IN_MOVED_FROM" },
	{ 0x80, "IN_MOVED_TO" }, { 0x100, "IN_CREATE" }, { 0x200, "IN_DELETE" },
	{ 0x400, "IN_DELETE_SELF" }, { 0x800, "IN_MOVE_SELF" }, { 0x2000, "IN_UNMOUNT" },
	{ 0x4000, "IN_Q_OVERFLOW" }, { 0x8000, "IN_IGNORED" }, { 0x1000000, "IN_ONLYDIR" },
	{ 0x2000000, "IN_DONT_FOLLOW" }, { 0x4000000, "IN_EXCL_UNLINK" },
	{ 0x20000000, "IN_MASK_ADD" }, { 0x40000000, "IN_ISDIR" }, { 0x80000000, "IN_ONESHOT" },
};

static const struct crimg_name seals[] = {
	{ 1, "F_SEAL_SEAL" }, { 2, "F_SEAL_SHRINK" }, { 4, "F_SEAL_GROW" }, { 8, "F_SEAL_WRITE" },
	{ 0x10, "F_SEAL_FUTURE_WRITE" }, { 0x20, "F_SEAL_EXEC" },
};

static const struct crimg_name namespaces[] = {
	{ 0x80, "time" }, { 0x20000, "mnt" }, { 0x2000000, "cgroup" }, { 0x4000000, "uts" },
	{ 0x8000000, "ipc" }, { 0x10000000, "user" }, { 0x20000000, "pid" }, { 0x40000000, "net" },
};

static const struct crimg_name netdev_flags[] = {
	{ 1, "UP" }, { 2, "BROADCAST" }, { 4, "DEBUG" }, { 8, "LOOPBACK" }, { 0x10, "POINTOPOINT" },
	{ 0x20, "NOTRAILERS" }, { 0x40, "RUNNING" }, { 0x80, "NOARP" }, { 0x100, "PROMISC" },
	{ 0x200, "ALLMULTI" }, { 0x400, "MASTER" }, { 0x800, "SLAVE" }, { 0x1000, "MULTICAST" },
	{ 0x2000, "PORTSEL" }, { 0x4000, "AUTOMEDIA" }, { 0x8000, "DYNAMIC" },
	{ 0x10000, "LOWER_UP" }, { 0x20000, "DORMANT" }, { 0x40000, "ECHO" },
};

static const struct crimg_name page_flags[] = {
	{ 1, "PARENT" }, { 2, "LAZY" }, { 4, "PRESENT" }, { 8, "ALIGNED" },
};

static const struct crimg_name sigstack_flags[] = {
	{ 1, "SS_ONSTACK" }, { 2, "SS_DISABLE" }, { 0x80000000, "SS_AUTODISARM" },
};

static const struct crimg_name xstate[] = {
	{ 1, "x87" }, { 2, "SSE" }, { 4, "AVX" }, { 8, "MPX-regs" }, { 0x10, "MPX-csr" },
	{ 0x20, "AVX512-mask" }, { 0x40, "AVX512-upper" }, { 0x80, "AVX512-hi16" }, { 0x100, "PT" },
	{ 0x200, "PKRU" }, { 0x400, "PASID" }, { 0x800, "CET-user" }, { 0x1000, "CET-kernel" },
	{ 0x20000, "AMX-cfg" }, { 0x40000, "AMX-data" },
};

static const struct crimg_name personality[] = {
	{ 0x40000, "ADDR_NO_RANDOMIZE" }, { 0x80000, "FDPIC_FUNCPTRS" },
	{ 0x100000, "MMAP_PAGE_ZERO" }, { 0x200000, "ADDR_COMPAT_LAYOUT" },
	{ 0x400000, "READ_IMPLIES_EXEC" }, { 0x800000, "ADDR_LIMIT_32BIT" },
	{ 0x1000000, "SHORT_INODE" }, { 0x2000000, "WHOLE_SECONDS" },
	{ 0x4000000, "STICKY_TIMEOUTS" }, { 0x8000000, "ADDR_LIMIT_3GB" }, { 0x8, "PER_LINUX32" },
};

#define ROW(table, rows) [CRIMG_NAMES_##table] = { rows, sizeof rows / sizeof rows[0] }

const struct crimg_name_table crimg_name_tables[CRIMG_NAMES_COUNT] = {
	ROW(ERRNO, errno),
	ROW(FD_TYPE, fd_type),
	ROW(SOCKET_FAMILY, socket_family),
	ROW(SOCKET_TYPE, socket_type),
	ROW(IP_PROTO, ip_proto),
	ROW(NETLINK_PROTO, netlink_proto),
	ROW(SOCKET_STATE, socket_state),
	ROW(SHUTDOWN, shutdown),
	ROW(CLOCK, clock),
	ROW(SIGEV, sigev),
	ROW(SCHED_POLICY, sched_policy),
	ROW(SECCOMP_MODE, seccomp_mode),
	ROW(RLIMIT, rlimit),
	ROW(FSTYPE, fstype),
	ROW(TASK_STATE, task_state),
	ROW(MACHINE, machine),
	ROW(TTY_TYPE, tty_type),
	ROW(NETDEV_TYPE, netdev_type),
	ROW(LSM, lsm),
	ROW(LOCK_TYPE, lock_type),
	ROW(LOCK_FLAG, lock_flag),
	ROW(SI_CODE, si_code),
	ROW(CAPABILITY, capability),
	ROW(REMAP, remap),
	ROW(ETHERTYPE, ethertype),
	ROW(OPEN_FLAGS, open_flags),
	ROW(MMAP_PROT, mmap_prot),
	ROW(MMAP_FLAGS, mmap_flags),
	ROW(VMA_STATUS, vma_status),
	ROW(MADVISE, madvise),
	ROW(SIGACTION_FLAGS, sigaction_flags),
	ROW(SECUREBITS, securebits),
	ROW(SECCOMP_FLAGS, seccomp_flags),
	ROW(MOUNT_FLAGS, mount_flags),
	ROW(EPOLL_EVENTS, epoll_events),
	ROW(INOTIFY_EVENTS, inotify_events),
	ROW(SEALS, seals),
	ROW(NAMESPACES, namespaces),
	ROW(NETDEV_FLAGS, netdev_flags),
	ROW(PAGE_FLAGS, page_flags),
	ROW(SIGSTACK_FLAGS, sigstack_flags),
	ROW(XSTATE, xstate),
	ROW(PERSONALITY, personality),
};
