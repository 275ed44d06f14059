// A tree that chance made: family SEED [STEPS]. At each step somebody forks, leads a session or a group, goes to another
// group, begins or ceases to inherit orphans, or ends; so leaders are dead, or distant relatives, orphans are with
// whoever inherited them, and zombies are everywhere. The same seed makes the same tree (but for numbers). After
// "go" each looks whether it is where it was, and its zombies ended as they did.
#include "prove.h"

#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define PEOPLE 200
#define ALIVE_MAX 40

enum deed { NOTHING, FORK, LEAD_SESSION, LEAD_GROUP, JOIN_GROUP, INHERIT, CEASE, EXIT, ABORT, NOTE };

struct person {
	volatile enum deed deed;
	volatile int argument;
	pid_t pid, ppid, pgid, sid;
	int status;         // of who has ended
	volatile int alive, stopped;
};

static struct {
	struct person people[PEOPLE];
	volatile int count, begun, proved;
} *all;

static uint64_t chance;

static unsigned roll(unsigned below)
{
	chance ^= chance << 13;
	chance ^= chance >> 7;
	chance ^= chance << 17;
	return (unsigned)((chance >> 20) % below);
}

static void prove(int self)
{
	const struct person *p = &all->people[self];
	PROVE(getpid() == p->pid && getpgrp() == p->pgid && getsid(0) == p->sid);
	PROVE(self == 0 || getppid() == p->ppid);
	for (int i = 0; i < all->count; i++) {
		const struct person *z = &all->people[i];
		int status;
		if (z->alive || z->ppid != p->pid)
			continue;
		PROVE(waitpid(z->pid, &status, WNOHANG) == z->pid);
		PROVE(WIFEXITED(status) ? status == z->status : WTERMSIG(status) == WTERMSIG(z->status));
	}
	__atomic_add_fetch(&all->proved, 1, __ATOMIC_SEQ_CST);
}

static void note(int self)
{
	struct person *p = &all->people[self];
	p->pid = getpid();
	p->ppid = getppid();
	p->pgid = getpgrp();
	p->sid = getsid(0);
}

static void be(int self);

static void obey(enum deed deed, int argument)
{
	switch (deed) {
	case FORK:
		if (fork() == 0) {
			char name[16];
			snprintf(name, sizeof name, "family-%d", argument);
			prctl(PR_SET_NAME, name);
			be(argument);
		}
		return;
	case LEAD_SESSION: setsid(); return;
	case LEAD_GROUP: setpgid(0, 0); return;
	case JOIN_GROUP: setpgid(0, all->people[argument].pgid); return;
	case INHERIT: prctl(PR_SET_CHILD_SUBREAPER, 1); return;
	case CEASE: prctl(PR_SET_CHILD_SUBREAPER, 0); return;
	case EXIT: _exit(argument);
	case ABORT: raise(argument); return;
	default: return;
	}
}

static void be(int self)
{
	struct person *me = &all->people[self];
	all->people[self].alive = 1;
	note(self);
	__atomic_store_n(&me->deed, NOTHING, __ATOMIC_SEQ_CST);
	while (!all->begun) {
		enum deed deed = me->deed;
		if (deed != NOTHING) {
			obey(deed, me->argument);
			note(self);
			__atomic_store_n(&me->deed, NOTHING, __ATOMIC_SEQ_CST);
		}
		usleep(500);
	}
	prove(self);
	while (all->proved < all->begun)
		usleep(1000);
	_exit(0);
}

// Person who is told, and has done it.
static void tell(int who, enum deed deed, int argument)
{
	struct person *p = &all->people[who];
	p->argument = argument;
	if (who == 0) {
		obey(deed, argument);
		note(0);
		return;
	}
	__atomic_store_n(&p->deed, deed, __ATOMIC_SEQ_CST);
	if (deed == EXIT || deed == ABORT) {
		char path[64], text[512] = "", *end = text;
		p->alive = 0;
		p->status = deed == EXIT ? argument << 8 : argument;
		snprintf(path, sizeof path, "/proc/%d/stat", p->pid);
		do { // until it is a zombie, whosever
			usleep(200);
			FILE *f = fopen(path, "r");
			PROVE(f != NULL && fgets(text, sizeof text, f) != NULL);
			fclose(f);
			end = strrchr(text, ')');
		} while (end == NULL || end[2] != 'Z');
		return;
	}
	while (p->deed != NOTHING)
		usleep(200);
}

static int alive(void)
{
	int n = 0;
	for (int i = 0; i < all->count; i++)
		n += all->people[i].alive;
	return n;
}

static int somebody(void)
{
	for (;;) {
		int who = (int)roll((unsigned)all->count);
		if (all->people[who].alive)
			return who;
	}
}

static void step(void)
{
	static const enum deed deeds[] = { FORK, FORK, FORK, FORK, FORK, FORK, LEAD_SESSION, LEAD_SESSION,
		                           LEAD_GROUP, JOIN_GROUP, JOIN_GROUP, INHERIT, CEASE, EXIT, EXIT, ABORT };
	int who = somebody();
	enum deed deed = deeds[roll(sizeof deeds / sizeof deeds[0])];
	if (deed == FORK && all->count < PEOPLE && alive() < ALIVE_MAX) {
		int child = all->count;
		all->people[child].deed = FORK; // until it is there
		all->count++;
		tell(who, FORK, child);
		while (all->people[child].deed != NOTHING)
			usleep(200);
	} else if (deed == JOIN_GROUP) {
		tell(who, deed, somebody());
	} else if (deed == EXIT && who != 0) {
		tell(who, deed, (int)roll(100));
	} else if (deed == ABORT && who != 0) {
		tell(who, deed, roll(2) ? SIGKILL : SIGTERM);
	} else if (deed == LEAD_SESSION || deed == LEAD_GROUP || ((deed == INHERIT || deed == CEASE) && who != 0)) {
		tell(who, deed, 0);
	}
}

// Where everybody is now. Zombies do not tell themselves.
static void survey(void)
{
	for (int i = 0; i < all->count; i++) {
		struct person *p = &all->people[i];
		char path[64], text[512] = "";
		snprintf(path, sizeof path, "/proc/%d/stat", p->pid);
		FILE *f = fopen(path, "r");
		PROVE(f != NULL && fgets(text, sizeof text, f) != NULL);
		fclose(f);
		PROVE(sscanf(strrchr(text, ')') + 4, "%d %d %d", &p->ppid, &p->pgid, &p->sid) == 3);
	}
	for (int i = 1; i < all->count; i++)
		if (all->people[i].alive && roll(6) == 0) {
			all->people[i].stopped = 1;
			kill(all->people[i].pid, SIGSTOP);
		}
}

int main(int argc, char **argv)
{
	int steps = argc > 2 ? atoi(argv[2]) : 60;
	all = mmap(NULL, sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	chance = UINT64_C(0x9e3779b97f4a7c15) * (argc > 1 ? (uint64_t)atoi(argv[1]) + 1 : 1);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	all->count = 1;
	all->people[0].alive = 1;
	note(0);
	for (int i = 0; i < steps; i++)
		step();
	survey();
	ready();
	wait_for_go();
	for (int i = 1; i < all->count; i++)
		if (all->people[i].stopped)
			PROVE(kill(all->people[i].pid, SIGCONT) == 0);
	__atomic_store_n(&all->begun, alive(), __ATOMIC_SEQ_CST);
	prove(0);
	for (int i = 0; i < 1000 && all->proved < all->begun; i++)
		usleep(10000);
	PROVE(all->proved == all->begun);
	while (waitpid(-1, NULL, 0) > 0)
		continue;
	return 0;
}
