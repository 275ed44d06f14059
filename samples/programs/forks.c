// A tree that is never the same: three parents whose children come and go all the time, some with children of
// their own, some that outlive their parent. Whoever is born is counted, and so is whoever is waited for, with the
// exit code that its number demands: none may be lost, none may come twice.
#include "prove.h"

#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define PARENTS 3
#define BEFORE_READY 50

static struct counts {
	volatile uint64_t born, ended, orphans, orphans_ended;
} *all; // shared

static void count(volatile uint64_t *what)
{
	__atomic_add_fetch(what, 1, __ATOMIC_SEQ_CST);
}

// CRIU keeps seven bits of what a zombie exited with.
static int code_of(pid_t pid)
{
	return (int)((unsigned)pid * 37u % 127u);
}

static void await(pid_t child)
{
	int status;
	pid_t got;
	while ((got = waitpid(child, &status, 0)) < 0)
		PROVE(errno == EINTR);
	PROVE(got == child && WIFEXITED(status) && WEXITSTATUS(status) == code_of(child));
	count(&all->ended);
}

// A child, in turn one with a child of its own, or one that leaves an orphan to the root.
static _Noreturn void live(unsigned turn)
{
	if (turn % 3 == 1) {
		pid_t own = fork();
		PROVE(own >= 0);
		if (own == 0)
			_exit(code_of(getpid()));
		count(&all->born);
		await(own);
	}
	if (turn % 5 == 2) {
		pid_t orphan = fork();
		PROVE(orphan >= 0);
		if (orphan == 0) {
			usleep(3000);
			_exit(code_of(getpid()));
		}
		count(&all->orphans);
	}
	_exit(code_of(getpid()));
}

static _Noreturn void bear(void)
{
	for (unsigned turn = 0; access("go", F_OK) != 0; turn++) {
		pid_t child = fork();
		PROVE(child >= 0);
		if (child == 0)
			live(turn);
		count(&all->born);
		await(child);
		if (turn % 8 == 0)
			usleep(2000);
	}
	_exit(code_of(getpid()));
}

int main(void)
{
	pid_t parents[PARENTS], got;
	int status, left = PARENTS, said = 0;
	all = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	PROVE(all != MAP_FAILED && prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	for (int i = 0; i < PARENTS; i++)
		if ((parents[i] = fork()) == 0)
			bear();
	while ((got = waitpid(-1, &status, 0)) > 0 || errno == EINTR) {
		if (got < 0)
			continue;
		PROVE(WIFEXITED(status) && WEXITSTATUS(status) == code_of(got));
		int is_parent = 0;
		for (int i = 0; i < PARENTS; i++)
			is_parent |= got == parents[i];
		left -= is_parent;
		if (!is_parent)
			count(&all->orphans_ended);
		if (!said && all->born > BEFORE_READY)
			ready();
		said |= all->born > BEFORE_READY;
	}
	PROVE(errno == ECHILD && left == 0);
	PROVE(all->born > BEFORE_READY && all->born == all->ended);
	PROVE(all->orphans > 0 && all->orphans == all->orphans_ended);
	return 0;
}
