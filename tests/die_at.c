// Stands between crimg and the C library, and kills crimg (or process DIE_PID, with DIE_SIGNAL if
// that is given) before the call number DIE_AT to what touches another task, its sockets, or a control group.
// Tells how many there were when it gets through.
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define STATE_BYTES 6u // of a control group: "0", "1", "FROZEN", "THAWED"

static long calls, states; // of the former, those that told a control group its state
static pid_t main_process; // those that it forks live on

static __attribute__((constructor)) void remember(void)
{
	main_process = getpid();
}

static int number(const char *variable, int otherwise)
{
	const char *text = getenv(variable);
	return text != NULL ? atoi(text) : otherwise;
}

static void step(void)
{
	static long at = -1;
	if (at < 0)
		at = number("DIE_AT", 0);
	if (__atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED) == at && getpid() == main_process)
		kill(number("DIE_PID", getpid()), number("DIE_SIGNAL", SIGKILL));
}

static __attribute__((destructor)) void tell(void)
{
	const char *path = getenv("DIE_COUNT");
	FILE *f = path != NULL && getpid() == main_process ? fopen(path, "w") : NULL;
	if (f != NULL) {
		fprintf(f, "%ld %ld\n", calls, states);
		fclose(f);
	}
}

long ptrace(int request, pid_t pid, void *address, void *data)
{
	static long (*real)(int, pid_t, void *, void *);
	if (real == NULL)
		real = (long (*)(int, pid_t, void *, void *))dlsym(RTLD_NEXT, "ptrace");
	step();
	return real(request, pid, address, data);
}

pid_t waitpid(pid_t pid, int *status, int options)
{
	static pid_t (*real)(pid_t, int *, int);
	if (real == NULL)
		real = (pid_t(*)(pid_t, int *, int))dlsym(RTLD_NEXT, "waitpid");
	if ((options & WNOHANG) == 0) // how often we look is a matter of time
		step();
	return real(pid, status, options);
}

ssize_t write(int fd, const void *data, size_t size)
{
	static ssize_t (*real)(int, const void *, size_t);
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "write");
	if (size > 0 && size <= STATE_BYTES) {
		states += *(const char *)data != '\0';
		step();
	}
	return real(fd, data, size);
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t length)
{
	static int (*real)(int, int, int, const void *, socklen_t);
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "setsockopt");
	step();
	return real(fd, level, option, value, length);
}

ssize_t recv(int fd, void *data, size_t size, int flags)
{
	static ssize_t (*real)(int, void *, size_t, int);
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "recv");
	step();
	return real(fd, data, size, flags);
}

#define TRANSFER(name)                                                                               \
	ssize_t name(pid_t pid, const struct iovec *here, unsigned long n, const struct iovec *there,    \
	             unsigned long m, unsigned long flags)                                               \
	{                                                                                                \
		static ssize_t (*real)(pid_t, const struct iovec *, unsigned long, const struct iovec *, \
		                       unsigned long, unsigned long);                                    \
		if (real == NULL)                                                                        \
			*(void **)&real = dlsym(RTLD_NEXT, #name);                                       \
		step();                                                                                  \
		return real(pid, here, n, there, m, flags);                                              \
	}
TRANSFER(process_vm_readv)
TRANSFER(process_vm_writev)
