// Files of every sort, some shared by two descriptors or by a child: positions, flags, contents in flight,
// deleted ones, locks, directories. With an argument also a pipe in packet mode, which criu does not take.
#include "prove.h"

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define HALF 30000
#define DELETED_BYTES 300000

static int create(const char *name, int flags)
{
	int fd = open(name, flags | O_CREAT | O_TRUNC, 0640);
	PROVE(fd >= 0 && write(fd, "0123456789", 10) == 10);
	return fd;
}

static int flags_of(int fd)
{
	return fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK | O_DIRECT);
}

static void fill_pipe(int fd, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		char c = (char)(i * 31);
		PROVE(write(fd, &c, 1) == 1);
	}
}

static void drain_pipe(int fd, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		char c;
		PROVE(read(fd, &c, 1) == 1 && c == (char)(i * 31));
	}
}

static void in_child(int pipe_in, int position)
{
	drain_pipe(pipe_in, HALF);
	PROVE(lseek(position, 0, SEEK_CUR) == 4);
	PROVE(lseek(position, 6, SEEK_SET) == 6); // the parent shares it
	_exit(3);
}

int main(int argc, char **argv)
{
	(void)argv;
	char text[64], cwd[256], deep[256];
	int half[2], full[2], packets[2], closed[2];
	uint64_t count = 0;
	sigset_t mask;
	mkdir("below", 0755);
	int reader = create("plain", O_RDWR), same = dup(reader), append = create("append", O_WRONLY | O_APPEND);
	int deleted = create("deleted", O_RDWR), again = open("deleted", O_RDONLY);
	lseek(reader, 4, SEEK_SET);
	fcntl(same, F_SETFD, FD_CLOEXEC);
	pwrite(deleted, "the end", 7, DELETED_BYTES - 7);
	unlink("deleted");
	lseek(again, DELETED_BYTES - 7, SEEK_SET);
	PROVE(pipe(half) == 0 && pipe2(full, O_NONBLOCK) == 0 && pipe(closed) == 0);
	PROVE(pipe2(packets, argc > 1 ? O_DIRECT : 0) == 0);
	fcntl(half[1], F_SETPIPE_SZ, 1 << 20);
	fill_pipe(half[1], HALF);
	while (write(full[1], "fullfullfullfull", 16) == 16)
		count += 16;
	uint64_t filled = count;
	close(closed[1]);
	int event = eventfd(5, EFD_NONBLOCK), directory = open("below", O_RDONLY | O_DIRECTORY);
	int path = open("plain", O_PATH), null = open("/dev/null", O_WRONLY), zero = open("/dev/zero", O_RDONLY);
	PROVE(mkfifo("fifo", 0600) == 0 || errno == EEXIST);
	int fifo = open("fifo", O_RDWR);
	PROVE(write(fifo, "in the fifo", 11) == 11);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	int signals = signalfd(-1, &mask, SFD_NONBLOCK);
	kill(getpid(), SIGUSR1);
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event ready_event = { .events = EPOLLIN, .data.u64 = 99 }, got;
	epoll_ctl(epoll, EPOLL_CTL_ADD, event, &ready_event);
	int memory = memfd_create("in memory", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	PROVE(write(memory, "memory", 6) == 6 && fcntl(memory, F_ADD_SEALS, F_SEAL_GROW) == 0);
	int stream[2], datagrams[2];
	PROVE(socketpair(AF_UNIX, SOCK_STREAM, 0, stream) == 0);
	PROVE(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, datagrams) == 0);
	PROVE(write(stream[0], "to the other", 12) == 12 && write(stream[1], "and back", 8) == 8);
	PROVE(write(datagrams[0], "a", 1) == 1 && write(datagrams[0], "two", 3) == 3);
	shutdown(stream[0], SHUT_WR);
	dup2(null, 200);
	PROVE(fcntl(stream[0], F_SETOWN, getpid()) == 0 && fcntl(stream[0], F_SETSIG, SIGUSR2) == 0);
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 2, .l_len = 3 };
	PROVE(flock(append, LOCK_EX) == 0 && fcntl(reader, F_SETLK, &lock) == 0);
	umask(037);
	PROVE(chdir("below") == 0 && getcwd(cwd, sizeof cwd) != NULL);
	pid_t child = fork();
	if (child == 0) {
		while (access("../go", F_OK) != 0)
			usleep(10000);
		in_child(half[0], reader);
	}
	ready();
	while (access("../go", F_OK) != 0)
		usleep(10000);

	int status;
	PROVE(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 3);
	PROVE(lseek(reader, 0, SEEK_CUR) == 6 && lseek(same, 0, SEEK_CUR) == 6);
	PROVE(fcntl(same, F_GETFD) == FD_CLOEXEC && fcntl(reader, F_GETFD) == 0);
	PROVE(read(same, text, 4) == 4 && memcmp(text, "6789", 4) == 0);
	PROVE(flags_of(append) == (O_WRONLY | O_APPEND) && lseek(append, 0, SEEK_CUR) == 10);
	PROVE(read(again, text, 64) == 7 && memcmp(text, "the end", 7) == 0);
	PROVE(pread(deleted, text, 10, 0) == 10 && memcmp(text, "0123456789", 10) == 0);
	PROVE(pwrite(deleted, "x", 1, 0) == 1 && pread(again, text, 1, 0) == 1 && text[0] == 'x');
	struct stat st;
	PROVE(fstat(deleted, &st) == 0 && st.st_nlink == 0 && st.st_size == DELETED_BYTES
	      && (st.st_mode & 0777) == 0640);
	PROVE(fcntl(half[1], F_GETPIPE_SZ) == 1 << 20 && flags_of(half[0]) == O_RDONLY);
	for (count = 0; read(full[0], text, 16) == 16; count += 16)
		PROVE(memcmp(text, "fullfullfullfull", 16) == 0);
	PROVE(count == filled && errno == EAGAIN && flags_of(full[1]) == (O_WRONLY | O_NONBLOCK));
	PROVE(write(packets[1], "one", 3) == 3 && write(packets[1], "two", 3) == 3);
	PROVE(read(packets[0], text, 64) == (argc > 1 ? 3 : 6)); // a packet each
	PROVE(read(closed[0], text, 1) == 0);
	PROVE(read(event, &count, sizeof count) == sizeof count && count == 5);
	PROVE(epoll_wait(epoll, &got, 1, 0) == 0 && write(event, &count, sizeof count) == sizeof count);
	PROVE(epoll_wait(epoll, &got, 1, 0) == 1 && got.data.u64 == 99);
	PROVE(fstatat(directory, "../plain", &st, 0) == 0 && (fcntl(path, F_GETFL) & O_PATH) != 0);
	PROVE(write(200, "x", 1) == 1 && write(null, "x", 1) == 1 && read(zero, text, 1) == 1 && text[0] == 0);
	PROVE(read(fifo, text, 64) == 11 && memcmp(text, "in the fifo", 11) == 0);
	PROVE(read(stream[1], text, 64) == 12 && memcmp(text, "to the other", 12) == 0);
	PROVE(read(stream[1], text, 64) == 0 && read(stream[0], text, 64) == 8);
	PROVE(read(datagrams[1], text, 64) == 1 && read(datagrams[1], text, 64) == 3);
	PROVE(read(datagrams[1], text, 64) == -1 && errno == EAGAIN && write(stream[1], "x", 1) == 1);
	PROVE(fcntl(stream[0], F_GETOWN) == getpid() && fcntl(stream[0], F_GETSIG) == SIGUSR2);
	struct signalfd_siginfo info;
	PROVE(read(signals, &info, sizeof info) == sizeof info && info.ssi_signo == SIGUSR1
	      && info.ssi_pid == (uint32_t)getpid());
	PROVE(pread(memory, text, 64, 0) == 6 && memcmp(text, "memory", 6) == 0
	      && lseek(memory, 0, SEEK_CUR) == 6 && (fcntl(memory, F_GET_SEALS) & F_SEAL_GROW) != 0);
	PROVE(getcwd(deep, sizeof deep) != NULL && strcmp(cwd, deep) == 0 && umask(0) == 037);
	if ((child = fork()) == 0) {
		int other = open("../append", O_WRONLY);
		PROVE(flock(other, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK);
		PROVE(fcntl(reader, F_GETLK, &lock) == 0 && lock.l_type == F_WRLCK && lock.l_pid == getppid());
		_exit(4);
	}
	PROVE(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 4);
	for (int fd = 0; fd < 1024; fd++) // nobody's descriptor is among them
		if (fcntl(fd, F_GETFD) >= 0 && fd > 40)
			PROVE(fd == 200 || fd >= 245);
	return 0;
}
