// Reads a file into memory that is new, in pages of 4 KiB: the least that a restart does.
//   fill FILE
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct stat st;
	int fd = argc > 1 ? open(argv[1], O_RDONLY) : -1;
	if (fd < 0 || fstat(fd, &st) != 0)
		return 1;
	size_t bytes = (size_t)st.st_size, done = 0;
	char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED || madvise(p, bytes, MADV_NOHUGEPAGE) != 0)
		return 1;
	for (ssize_t n = 1; n > 0 && done < bytes; done += (size_t)n)
		n = read(fd, p + done, bytes - done);
	return done < bytes;
}
