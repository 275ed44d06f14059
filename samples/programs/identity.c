// Who a task is and what it may: user, groups, capabilities, limits, names, scheduling, a filter of system
// calls, handlers, and a second thread that is somebody else.
//   identity [trap|plain]    trap: also that SIGTRAP is ignored, which criu's dump changes; plain: without what the
//                            kernel gives to privileged users alone (other users and groups, reading filters of
//                            system calls; capabilities where it has none)
#include "prove.h"

#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/fsuid.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static volatile sig_atomic_t handled;

static void on_signal(int signal, siginfo_t *info, void *context)
{
	(void)context;
	handled = signal + info->si_value.sival_int;
}

static void forbid_acct(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_acct, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 77),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = 4, .filter = code };
	PROVE(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0);
}

static struct __user_cap_data_struct caps[2], found_caps[2];
static struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
static volatile int there;
static int plain, capable;

static void *second(void *unused)
{
	if (!plain)
		syscall(SYS_setresuid, 1000, 1001, 1002);
	prctl(PR_SET_NAME, "second thread");
	setpriority(PRIO_PROCESS, 0, 7);
	there = 1;
	wait_for_go();
	uid_t r, e, s;
	PROVE(plain || (syscall(SYS_getresuid, &r, &e, &s) == 0 && r == 1000 && e == 1001 && s == 1002));
	PROVE(getpriority(PRIO_PROCESS, 0) == 7);
	char name[16];
	PROVE(prctl(PR_GET_NAME, name) == 0 && strcmp(name, "second thread") == 0);
	return unused;
}

static void set_capabilities(void)
{
	PROVE(prctl(PR_CAPBSET_DROP, CAP_SYS_TIME) == 0);
	PROVE(syscall(SYS_capget, &head, caps) == 0);
	caps[0].effective &= ~(1u << CAP_SYS_TIME | 1u << CAP_NET_ADMIN);
	caps[0].permitted &= ~(1u << CAP_SYS_TIME);
	caps[0].inheritable = 1u << CAP_NET_RAW;
	PROVE(syscall(SYS_capset, &head, caps) == 0);
	PROVE(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0) == 0);
}

static void check_capabilities(void)
{
	PROVE(prctl(PR_CAPBSET_READ, CAP_SYS_TIME) == 0 && prctl(PR_CAPBSET_READ, CAP_CHOWN) == 1);
	PROVE(syscall(SYS_capget, &head, found_caps) == 0 && memcmp(caps, found_caps, sizeof caps) == 0);
	PROVE(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_NET_RAW, 0, 0) == 1);
}

int main(int argc, char **argv)
{
	const int trap_ignored = argc > 1 && strcmp(argv[1], "trap") == 0;
	plain = argc > 1 && strcmp(argv[1], "plain") == 0;
	PROVE(syscall(SYS_capget, &head, caps) == 0);
	capable = (caps[0].effective >> CAP_SETPCAP & 1) != 0;
	PROVE(plain || capable);
	pthread_t thread;
	gid_t groups[3] = { 5, 50, 500 }, found[8];
	struct rlimit files = { 777, 800 }, core = { 0, 0 }, limit;
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_NODEFER }, old;
	sigfillset(&action.sa_mask);
	sigdelset(&action.sa_mask, SIGTRAP);
	PROVE(sigaction(SIGRTMIN + 1, &action, NULL) == 0);
	signal(SIGTRAP, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	sigset_t blocked, mask;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTRAP);
	sigaddset(&blocked, SIGRTMIN + 1);
	sigprocmask(SIG_SETMASK, &blocked, NULL);
	PROVE(plain || setgroups(3, groups) == 0);
	PROVE(setrlimit(RLIMIT_NOFILE, &files) == 0);
	PROVE(setrlimit(RLIMIT_CORE, &core) == 0);
	prctl(PR_SET_NAME, "identity (one)");
	PROVE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	if (!plain)
		forbid_acct();
	PROVE(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	PROVE(pthread_create(&thread, NULL, second, NULL) == 0);
	while (!there)
		usleep(1000);
	if (!plain)
		setfsuid(33);
	if (capable)
		set_capabilities();
	prctl(PR_SET_DUMPABLE, 1);
	struct sched_param param = { 0 };
	PROVE(sched_setscheduler(0, SCHED_BATCH, &param) == 0 && setpriority(PRIO_PROCESS, 0, 3) == 0);
	PROVE(personality(ADDR_NO_RANDOMIZE) != -1);
	union sigval value = { .sival_int = 100 };
	sigqueue(getpid(), SIGRTMIN + 1, value);
	ready();
	wait_for_go();

	char name[16];
	int trap = sigtimedwait(&blocked, NULL, &(struct timespec){ 0, 0 });
	PROVE(trap == SIGRTMIN + 1);
	PROVE(plain || (getgroups(8, found) == 3 && memcmp(found, groups, sizeof groups) == 0));
	PROVE(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == 777 && limit.rlim_max == 800);
	PROVE(prctl(PR_GET_NAME, name) == 0 && strcmp(name, "identity (one)") == 0);
	PROVE(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	PROVE(plain || (prctl(PR_GET_SECCOMP) == SECCOMP_MODE_FILTER && syscall(SYS_acct, NULL) == -1 && errno == 77));
	int subreaper = 0;
	PROVE(prctl(PR_GET_CHILD_SUBREAPER, &subreaper) == 0 && subreaper == 1);
	if (capable)
		check_capabilities();
	PROVE((plain || setfsuid((uid_t)-1) == 33) && prctl(PR_GET_DUMPABLE) == 1);
	PROVE(sched_getscheduler(0) == SCHED_BATCH && getpriority(PRIO_PROCESS, 0) == 3);
	PROVE(personality(0xffffffff) == ADDR_NO_RANDOMIZE);
	sigprocmask(SIG_SETMASK, NULL, &mask);
	PROVE(sigismember(&mask, SIGTRAP) && sigismember(&mask, SIGRTMIN + 1) && !sigismember(&mask, SIGUSR1));
	PROVE(sigaction(SIGTRAP, NULL, &old) == 0 && (!trap_ignored || old.sa_handler == SIG_IGN));
	PROVE(sigaction(SIGUSR1, NULL, &old) == 0 && old.sa_handler == SIG_IGN);
	PROVE(sigaction(SIGRTMIN + 1, NULL, &old) == 0 && old.sa_sigaction == on_signal
	      && (old.sa_flags & (SA_SIGINFO | SA_NODEFER)) == (SA_SIGINFO | SA_NODEFER)
	      && !sigismember(&old.sa_mask, SIGTRAP) && sigismember(&old.sa_mask, SIGHUP));
	sigqueue(getpid(), SIGRTMIN + 1, value);
	sigprocmask(SIG_UNBLOCK, &blocked, NULL);
	PROVE(handled == SIGRTMIN + 1 + 100);
	PROVE(pthread_join(thread, NULL) == 0);
	return 0;
}
