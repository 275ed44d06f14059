// System V objects in an ipc namespace of their own, and the host's name, which a uts namespace has: segments
// attached by two processes, for reading alone, in pieces, at two places, locked, and removed while in use; semaphores;
// a queue whose messages are waited for by type; numbers, keys, owners and makers. With an argument, alone: owners and
// makers are only itself; plain: only what criu restores. Run it with `unshare --ipc --uts`.
#include "prove.h"

#include <stdint.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>

#define PAGE 4096
#define KEY 0x63726d67

static int shared, pieces, gone, other, sems, queue, others, plain;
static char *whole, *again, *part, *removed;
static const char *seen;

static struct {
	long type;
	char text[6000];
} message = { 7, "" };

// Numbers are not the first ones: some were used before.
static int segment(key_t key, size_t size, int mode)
{
	int id = -1;
	for (int i = 0; i < 3; i++) {
		PROVE(id < 0 || shmctl(id, IPC_RMID, NULL) == 0);
		id = shmget(key, size, mode | IPC_CREAT);
		PROVE(id >= 0);
	}
	return id;
}

static void set_up_segments(void)
{
	shared = segment(KEY, 5 * PAGE + 100, 0640);
	pieces = segment(IPC_PRIVATE, 8 * PAGE, 0600);
	gone = segment(KEY + 1, 2 * PAGE, 0600);
	whole = shmat(shared, NULL, 0);
	again = shmat(shared, NULL, 0);
	seen = shmat(shared, NULL, SHM_RDONLY);
	part = shmat(pieces, NULL, 0);
	removed = shmat(gone, NULL, 0);
	PROVE(whole != (void *)-1 && part != (void *)-1 && removed != (void *)-1 && seen != (void *)-1);
	for (int i = 0; i < 8; i++)
		memset(part + i * PAGE, 'a' + i, PAGE);
	strcpy(whole + 4 * PAGE, "in the fifth page");
	strcpy(removed + PAGE, "nobody finds it");
	PROVE(plain || (munmap(part + 2 * PAGE, 2 * PAGE) == 0 && mprotect(part + 6 * PAGE, PAGE, PROT_READ) == 0));
	PROVE(plain || shmctl(gone, IPC_RMID, NULL) == 0);
	if (others) { // somebody else's
		PROVE(setresgid(-1, 34, -1) == 0 && setresuid(-1, 33, -1) == 0);
		other = segment(KEY + 2, PAGE, 0604);
		PROVE(setresuid(-1, 0, -1) == 0 && setresgid(-1, 0, -1) == 0);
		struct shmid_ds d = { .shm_perm = { .uid = 35, .gid = 36, .mode = 0604 } };
		PROVE(shmctl(other, IPC_SET, &d) == 0 && shmctl(other, SHM_LOCK, NULL) == 0);
	}
}

static void set_up_others(void)
{
	unsigned short values[5] = { 1, 0, 32767, 4, 5 };
	sems = semget(IPC_PRIVATE, 1, 0600);
	PROVE(sems >= 0 && semctl(sems, 0, IPC_RMID) == 0);
	sems = semget(KEY, 5, 0660 | IPC_CREAT);
	PROVE(sems > 0 && semctl(sems, 0, SETALL, values) == 0);
	queue = msgget(KEY, 0622 | IPC_CREAT);
	PROVE(queue >= 0);
	for (int i = 0; i < 4; i++) { // of 0, 2000, 4000, 6000 bytes
		message.type = 10 + i;
		memset(message.text, 'p' + i, sizeof message.text);
		PROVE(msgsnd(queue, &message, (size_t)(2000 * i), IPC_NOWAIT) == 0);
	}
	struct msqid_ds d;
	PROVE(msgctl(queue, IPC_STAT, &d) == 0);
	d.msg_qbytes = 9000; // less than it holds
	PROVE(msgctl(queue, IPC_SET, &d) == 0);
}

static void prove_segments(void)
{
	struct shmid_ds d;
	PROVE(shmget(KEY, 0, 0) == shared && shmctl(shared, IPC_STAT, &d) == 0);
	PROVE(d.shm_segsz == 5 * PAGE + 100 && (d.shm_perm.mode & 07777) == 0640 && d.shm_nattch == 6);
	PROVE(strcmp(whole + 4 * PAGE, "in the fifth page") == 0 && whole[0] == 0);
	strcpy(again, "one memory");
	PROVE(strcmp(whole, "one memory") == 0 && strcmp(seen, "one memory") == 0);
	PROVE(plain || (mprotect((void *)(uintptr_t)seen, PAGE, PROT_READ | PROT_WRITE) == -1 && errno == EACCES));
	for (int i = 0; i < 8; i++)
		PROVE((!plain && (i == 2 || i == 3)) || (part[i * PAGE] == 'a' + i && part[(i + 1) * PAGE - 1] == 'a' + i));
	PROVE(plain || mmap(part + 2 * PAGE, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
	                    0) == part + 2 * PAGE);
	PROVE(mprotect(part + 6 * PAGE, PAGE, PROT_READ | PROT_WRITE) == 0);
	PROVE(shmctl(pieces, IPC_STAT, &d) == 0 && d.shm_segsz == 8 * PAGE && d.shm_perm.__key == IPC_PRIVATE);
	PROVE(shmdt(part) == 0 && msync(part, PAGE, MS_ASYNC) == -1 && msync(part + 7 * PAGE, PAGE, MS_ASYNC) == -1);
	PROVE((shmget(KEY + 1, 0, 0) == gone) == plain && shmctl(gone, IPC_STAT, &d) == 0);
	PROVE(((d.shm_perm.mode & SHM_DEST) == 0) == plain);
	PROVE(strcmp(removed + PAGE, "nobody finds it") == 0 && shmdt(removed) == 0);
	if (others) {
		PROVE(shmget(KEY + 2, 0, 0) == other && shmctl(other, IPC_STAT, &d) == 0);
		PROVE(d.shm_perm.uid == 35 && d.shm_perm.gid == 36 && (d.shm_perm.mode & 0777) == 0604);
		PROVE(plain || (d.shm_perm.mode & SHM_LOCKED) != 0);
		PROVE(getenv("MAKERS") == NULL || (d.shm_perm.cuid == 33 && d.shm_perm.cgid == 34));
	}
}

static void prove_others(void)
{
	unsigned short values[5];
	struct msqid_ds d;
	struct sembuf take = { 2, -32767, IPC_NOWAIT };
	char name[65];
	PROVE(semget(KEY, 5, 0) == sems && semctl(sems, 0, GETALL, values) == 0);
	PROVE(values[0] == 1 && values[1] == 0 && values[2] == 32767 && values[3] == 4 && values[4] == 5);
	PROVE(semop(sems, &take, 1) == 0 && semctl(sems, 2, GETVAL) == 0);
	PROVE(msgget(KEY, 0) == queue && msgctl(queue, IPC_STAT, &d) == 0);
	PROVE(d.msg_qbytes == 9000 && d.msg_qnum == 4 && d.__msg_cbytes == 12000 && (d.msg_perm.mode & 0777) == 0622);
	PROVE(msgsnd(queue, &message, 1, IPC_NOWAIT) == -1 && errno == EAGAIN);
	for (int i = 3; i >= 0; i--) {
		PROVE(msgrcv(queue, &message, sizeof message.text, 10 + i, IPC_NOWAIT) == 2000 * i);
		PROVE(message.type == 10 + i && (i == 0 || (message.text[0] == 'p' + i
		                                          && message.text[2000 * i - 1] == 'p' + i)));
	}
	PROVE(gethostname(name, sizeof name) == 0 && (getenv("HOST") == NULL || strcmp(name, getenv("HOST")) == 0));
}

int main(int argc, char **argv)
{
	int status;
	plain = argc > 1 && strcmp(argv[1], "plain") == 0;
	others = (argc == 1 || plain) && geteuid() == 0;
	set_up_segments();
	set_up_others();
	pid_t child = fork();
	if (child != 0)
		ready();
	wait_for_go();
	if (child == 0) {
		for (int i = 0; i < 500 && strcmp(seen, "one memory") != 0; i++)
			usleep(10000);
		PROVE(strcmp(seen, "one memory") == 0);
		_exit(7);
	}
	prove_segments();
	prove_others();
	PROVE(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 7);
	// The last ones to go take it with them.
	PROVE((shmctl(gone, IPC_STAT, &(struct shmid_ds){ .shm_segsz = 0 }) == 0) == plain);
	return 0;
}
