// Tasks that have things in common without being threads: descriptors (a child with its parent, two siblings without
// it), directories (a child with its parent, a grandchild over a child that has left), and, memory (with handlers of one's own, and
// with common ones). After "go" each changes what it has, and those who share it must see that, and nobody else.
// "plain": no memory. "natural": only descriptors that a child shares with its parent, as CRIU takes them.
#include "prove.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define NUMBER 77 // of the descriptor that sharers open

static struct { // shared by all
	volatile int step, here, done;
	volatile int sibling_sees, grandchild_sees;
} *all;
static volatile int in_memory; // of whoever has it
static char stacks[2][65536] __attribute__((aligned(16)));

static void await_step(int step)
{
	struct timespec pause = { 0, 1000 * 1000 };
	while (all->step < step)
		syscall(SYS_nanosleep, &pause, NULL);
}

static void here(void)
{
	__atomic_add_fetch(&all->here, 1, __ATOMIC_SEQ_CST);
}

static void done(void)
{
	__atomic_add_fetch(&all->done, 1, __ATOMIC_SEQ_CST);
}

static pid_t bear(unsigned long flags)
{
	return (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
}

static int is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static int is_in(const char *name)
{
	char path[PATH_MAX] = "";
	const char *last = getcwd(path, sizeof path) != NULL ? strrchr(path, '/') + 1 : "";
	return strcmp(last, name) == 0;
}

static _Noreturn void opens(void)
{
	here();
	await_step(1);
	PROVE(dup2(1, NUMBER) == NUMBER);
	done();
	_exit(0);
}

static _Noreturn void goes(void)
{
	here();
	await_step(1);
	PROVE(chdir("child") == 0);
	done();
	_exit(0);
}

// Two who have a table that their parent has not.
static _Noreturn void siblings(void)
{
	pid_t other = (pid_t)syscall(SYS_clone, CLONE_FILES | CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
	PROVE(other >= 0);
	here();
	if (other == 0) {
		await_step(2);
		PROVE(dup2(1, NUMBER + 1) == NUMBER + 1);
		done();
		_exit(0);
	}
	await_step(3);
	all->sibling_sees = is_open(NUMBER + 1);
	done();
	_exit(0);
}

// Its child has the directory of its parent, and it has left.
static _Noreturn void between(void)
{
	pid_t child = bear(CLONE_FS);
	PROVE(child >= 0);
	here();
	if (child == 0) {
		await_step(2);
		all->grandchild_sees = is_in("child");
		done();
		_exit(0);
	}
	PROVE(unshare(CLONE_FS) == 0);
	await_step(2);
	PROVE(!is_in("child"));
	done();
	PROVE(waitpid(child, NULL, 0) == child);
	_exit(0);
}

static void handler(int signal)
{
	(void)signal;
}

static int with_memory(void *common)
{
	struct sigaction action = { .sa_handler = handler };
	here();
	await_step(1);
	__atomic_add_fetch(&in_memory, 1, __ATOMIC_SEQ_CST);
	sigaction(common != NULL ? SIGUSR1 : SIGUSR2, &action, NULL);
	done();
	syscall(SYS_exit, 0);
	return 0;
}

static int is_handled(int signal)
{
	struct sigaction action;
	return sigaction(signal, NULL, &action) == 0 && action.sa_handler == handler;
}

static void await_done(int count)
{
	for (int i = 0; i < 1000 && all->done < count; i++)
		usleep(10000);
	PROVE(all->done == count);
}

int main(int argc, char **argv)
{
	int natural = argc > 1 && strcmp(argv[1], "natural") == 0, plain = argc > 1, wanted = natural ? 1 : 2;
	all = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	PROVE(mkdir("child", 0777) == 0 || errno == EEXIST);
	PROVE(!is_open(NUMBER));
	if (bear(CLONE_FILES) == 0)
		opens();
	if (!natural) {
		wanted += 4;
		if (bear(CLONE_FS) == 0)
			goes();
		if (bear(0) == 0)
			siblings();
		if (bear(CLONE_FS) == 0)
			between();
	}
	if (!plain) {
		wanted += 2;
		PROVE(clone(with_memory, stacks[0] + sizeof stacks[0], CLONE_VM | SIGCHLD, NULL) > 0);
		PROVE(clone(with_memory, stacks[1] + sizeof stacks[1], CLONE_VM | CLONE_SIGHAND | SIGCHLD, all) > 0);
	}
	while (all->here < wanted)
		usleep(1000);
	usleep(20000);
	ready();
	wait_for_go();

	all->step = 1;
	await_done(natural ? 1 : plain ? 2 : 4);
	PROVE(is_open(NUMBER) && (natural || is_in("child")));
	PROVE(plain || (in_memory == 2 && is_handled(SIGUSR1) && !is_handled(SIGUSR2)));
	all->step = 2;
	await_done(natural ? 1 : plain ? 5 : 7);
	PROVE(natural || (all->grandchild_sees && !is_open(NUMBER + 1)));
	all->step = 3;
	await_done(wanted);
	PROVE(natural || all->sibling_sees);
	while (waitpid(-1, NULL, 0) > 0)
		continue;
	return 0;
}
