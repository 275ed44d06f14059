// A tree of nine with two zombies, sessions, groups, a group and a session whose leaders have ended, and a
// child that was born before its parent led a session.
//   root (leads a session) - A (leads a group) - B (in A's group)
//                          - C (leads a session), which bore D before that
//                          - zombie that exited 42, zombie that SIGTERM killed
//                          - E, in the group of one that has ended
//                          - F, G, orphans whose parent led their session and has ended
#include "prove.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

struct place {
	pid_t pid, ppid, pgid, sid;
};

static struct { // shared by all
	struct place root, a, b, c, d, e, f, g;
	volatile int here;
} *all;

static void note(struct place *p)
{
	*p = (struct place){ getpid(), getppid(), getpgrp(), getsid(0) };
	__atomic_add_fetch(&all->here, 1, __ATOMIC_SEQ_CST);
}

static void check(const struct place *p)
{
	PROVE(getpid() == p->pid && (getppid() == p->ppid || p == &all->root));
	PROVE(getpgrp() == p->pgid && getsid(0) == p->sid);
}

static _Noreturn void leaf(struct place *p, int code)
{
	note(p);
	wait_for_go();
	check(p);
	_exit(code);
}

static void expect(pid_t pid, int code)
{
	int status;
	PROVE(waitpid(pid, &status, 0) == pid);
	PROVE(WIFEXITED(status) && WEXITSTATUS(status) == code);
}

static _Noreturn void run_a(void)
{
	setpgid(0, 0);
	pid_t b = fork();
	if (b == 0)
		leaf(&all->b, 11);
	note(&all->a);
	wait_for_go();
	expect(b, 11);
	check(&all->a);
	_exit(10);
}

static _Noreturn void run_c(void)
{
	pid_t d = fork();
	if (d == 0)
		leaf(&all->d, 13);
	setsid();
	note(&all->c);
	wait_for_go();
	expect(d, 13);
	check(&all->c);
	_exit(12);
}

int main(void)
{
	all = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t root = getpid(), a = fork(), c, e, daemon, exited, killed, leader;
	if (a == 0)
		run_a();
	if ((c = fork()) == 0)
		run_c();
	if ((exited = fork()) == 0)
		_exit(42);
	if ((killed = fork()) == 0)
		for (;;)
			pause();
	if ((leader = fork()) == 0) {
		setpgid(0, 0);
		for (;;)
			pause();
	}
	if ((e = fork()) == 0) {
		while (setpgid(0, leader) != 0)
			usleep(1000);
		leaf(&all->e, 14);
	}
	// Orphans come to the root.
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if ((daemon = fork()) == 0) {
		setsid();
		for (int i = 0; i < 2; i++)
			if (fork() == 0) {
				while (getppid() != root)
					usleep(1000);
				leaf(i == 0 ? &all->f : &all->g, 15 + i);
			}
		_exit(0);
	}
	waitpid(daemon, NULL, 0);
	note(&all->root);
	while (__atomic_load_n(&all->here, __ATOMIC_SEQ_CST) < 8)
		usleep(1000);
	kill(leader, SIGKILL);
	waitpid(leader, NULL, 0);
	kill(killed, SIGTERM);
	siginfo_t info;
	PROVE(waitid(P_PID, (id_t)exited, &info, WEXITED | WNOWAIT) == 0);
	PROVE(waitid(P_PID, (id_t)killed, &info, WEXITED | WNOWAIT) == 0);
	ready();
	wait_for_go();

	int status;
	check(&all->root);
	PROVE(waitpid(killed, &status, 0) == killed && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	expect(exited, 42);
	expect(a, 10);
	expect(c, 12);
	expect(e, 14);
	expect(all->f.pid, 15);
	expect(all->g.pid, 16);
	PROVE(all->f.sid == daemon && all->g.sid == daemon && all->f.pgid == daemon);
	PROVE(waitpid(-1, &status, 0) == -1 && errno == ECHILD);
	return 0;
}
