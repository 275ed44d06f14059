// Files that are rarer: deleted ones with holes, deleted ones that are mapped, sealed memory files that are mapped,
// a pipe in packet mode, signals on input, locks of an open file that two processes have, a lease, directories and links
// open as paths, a file opened for appending by two. With an argument: without what criu does not take.
#include "prove.h"

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define HOLE_AT (1 << 20)
#define SPARSE_BYTES (64 << 20)
#define PAGE 4096

static volatile sig_atomic_t inputs, input_fd;

static void on_input(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)context;
	inputs = inputs + 1;
	input_fd = info->si_fd;
}

static int create(const char *name)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	PROVE(fd >= 0);
	return fd;
}

// Text at the beginning and at the end, nothing in between.
static int create_sparse(void)
{
	int fd = create("sparse");
	PROVE(pwrite(fd, "begin", 5, 0) == 5 && pwrite(fd, "end", 3, SPARSE_BYTES - 3) == 3);
	PROVE(unlink("sparse") == 0);
	return fd;
}

static void check_sparse(int fd)
{
	char text[8] = "";
	struct stat st;
	PROVE(fstat(fd, &st) == 0 && st.st_size == SPARSE_BYTES && st.st_nlink == 0);
	PROVE(st.st_blocks < SPARSE_BYTES / 512 / 16); // the hole is one
	PROVE(pread(fd, text, 5, 0) == 5 && memcmp(text, "begin", 5) == 0);
	PROVE(pread(fd, text, 3, HOLE_AT) == 3 && memcmp(text, "\0\0\0", 3) == 0);
	PROVE(pread(fd, text, 4, SPARSE_BYTES - 3) == 3 && memcmp(text, "end", 3) == 0);
}

static char *map(int fd, int prot, int flags)
{
	char *p = mmap(NULL, 2 * PAGE, prot, flags, fd, 0);
	PROVE(p != MAP_FAILED);
	return p;
}

static int is_locked(const char *name, int command, short type)
{
	int fd = open(name, O_RDWR);
	struct flock l = { .l_type = type, .l_whence = SEEK_SET, .l_start = 5, .l_len = 1 };
	PROVE(fd >= 0 && fcntl(fd, command, &l) == 0 && close(fd) == 0);
	return l.l_type != F_UNLCK;
}

int main(int argc, char **argv)
{
	(void)argv;
	int plain = argc > 1, packets[2], signalled[2], status;
	char text[64];
	struct sigaction act = { .sa_sigaction = on_input, .sa_flags = SA_SIGINFO | SA_RESTART };
	int sparse = create_sparse(), gone = create("gone"), locked = create("locked");
	PROVE(ftruncate(gone, 2 * PAGE) == 0);
	char *gone_shared = map(gone, PROT_READ | PROT_WRITE, MAP_SHARED);
	char *gone_private = map(gone, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	strcpy(gone_shared, "both see it");
	strcpy(gone_private + PAGE, "only one sees it");
	PROVE(unlink("gone") == 0 && close(gone) == 0);
	int memory = memfd_create("sealed", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	PROVE(ftruncate(memory, 2 * PAGE) == 0);
	char *sealed = map(memory, PROT_READ | PROT_WRITE, MAP_SHARED);
	strcpy(sealed + PAGE, "sealed");
	int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	PROVE(fcntl(memory, F_ADD_SEALS, seals) == 0);
	PROVE(pipe2(packets, plain ? 0 : O_DIRECT) == 0 && pipe2(signalled, O_NONBLOCK) == 0);
	if (!plain)
		PROVE(write(packets[1], "one", 3) == 3 && write(packets[1], "three", 5) == 5);
	sigaction(SIGRTMIN + 5, &act, NULL);
	PROVE(fcntl(signalled[0], F_SETOWN, getpid()) == 0 && fcntl(signalled[0], F_SETSIG, SIGRTMIN + 5) == 0);
	PROVE(fcntl(signalled[0], F_SETFL, O_NONBLOCK | O_ASYNC) == 0);
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 4, .l_len = 4 };
	PROVE(fcntl(locked, F_OFD_SETLK, &lock) == 0);
	PROVE(symlink("locked", "link") == 0 || errno == EEXIST);
	int leased = create("leased");
	PROVE(fcntl(leased, F_SETLEASE, F_WRLCK) == 0);
	int link = open("link", O_PATH | O_NOFOLLOW), directory = open(".", O_PATH | O_DIRECTORY);
	int append = open("log", O_WRONLY | O_APPEND | O_CREAT | O_TRUNC, 0600);
	PROVE(link >= 0 && directory >= 0 && append >= 0);
	pid_t child = fork();
	if (child != 0)
		ready();
	wait_for_go();

	check_sparse(sparse);
	if (child == 0) {
		PROVE(strcmp(gone_shared, "both see it") == 0);
		strcpy(gone_shared + 100, "from the child");
		strcpy(gone_private + PAGE + 100, "nobody sees it");
		strcpy(sealed, "from the child");
		PROVE(write(append, "child\n", 6) == 6 && is_locked("locked", F_OFD_GETLK, F_RDLCK));
		_exit(9);
	}
	PROVE(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 9);
	PROVE(strcmp(gone_shared + 100, "from the child") == 0 && strcmp(gone_private, "both see it") == 0);
	PROVE(strcmp(gone_private + PAGE, "only one sees it") == 0 && gone_private[PAGE + 100] == 0);
	PROVE(strcmp(sealed, "from the child") == 0 && strcmp(sealed + PAGE, "sealed") == 0);
	PROVE(fcntl(memory, F_GET_SEALS) == seals && ftruncate(memory, PAGE) == -1 && errno == EPERM);
	PROVE(pread(memory, text, 7, PAGE) == 7 && strcmp(text, "sealed") == 0);
	if (!plain) { // a packet each
		PROVE(read(packets[0], text, 64) == 3 && read(packets[0], text, 64) == 5);
		PROVE(write(packets[1], "12", 2) == 2 && write(packets[1], "3", 1) == 1);
		PROVE(read(packets[0], text, 64) == 2 && read(packets[0], text, 64) == 1);
	}
	PROVE(inputs == 0 && write(signalled[1], "x", 1) == 1);
	for (int i = 0; i < 1000 && inputs == 0; i++)
		usleep(1000);
	PROVE(inputs == 1 && input_fd == signalled[0]);
	PROVE(is_locked("locked", F_OFD_GETLK, F_RDLCK) && close(locked) == 0);
	PROVE(!is_locked("locked", F_OFD_GETLK, F_WRLCK));
	PROVE(fcntl(leased, F_GETLEASE) == F_WRLCK && fcntl(leased, F_SETLEASE, F_UNLCK) == 0);
	PROVE(readlinkat(link, "", text, sizeof text) == 6 && memcmp(text, "locked", 6) == 0);
	PROVE((fcntl(link, F_GETFL) & O_PATH) != 0 && faccessat(directory, "log", F_OK, 0) == 0);
	PROVE(write(append, "parent\n", 7) == 7 && lseek(append, 0, SEEK_CUR) == 13);
	return 0;
}
