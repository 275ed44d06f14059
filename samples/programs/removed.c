// Files and directories that were removed while somebody has them: a file that has another name, read, written and
// mapped; one whose name another file has now; one that only looks removed; one in a directory that is gone too; a
// fifo with bytes in it; a directory that is open, and one that a child is in, below another that is gone.
#include "prove.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int make(const char *name, const char *text)
{
	int fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0640);
	PROVE(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	return fd;
}

static void shows(int fd, const char *end)
{
	char link[64], text[4096];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, text, sizeof text - 1);
	PROVE(n > (ssize_t)strlen(end));
	text[n] = '\0';
	PROVE(strcmp(text + n - strlen(end), end) == 0);
}

static void holds(int fd, const char *text)
{
	char found[64] = "";
	PROVE(pread(fd, found, sizeof found - 1, 0) == (ssize_t)strlen(text) && strcmp(found, text) == 0);
}

static _Noreturn void live_in_nowhere(int go)
{
	char c, path[4096];
	PROVE(mkdir("made", 0700) == 0 && mkdir("made/deeper", 0700) == 0 && rename("made", "gone") == 0);
	PROVE(chdir("gone/deeper") == 0);
	PROVE(rmdir("../deeper") == 0);
	while (read(go, &c, 1) < 0 && errno == EINTR)
		continue;
	PROVE(syscall(79 /* getcwd */, path, sizeof path) > 0 || errno == ENOENT);
	ssize_t n = readlink("/proc/self/cwd", path, sizeof path - 1);
	PROVE(n > 0);
	path[n] = '\0';
	PROVE(strstr(path, "/gone/deeper") != NULL && strstr(path, "(deleted)") != NULL);
	PROVE(open("x", O_CREAT | O_RDWR, 0600) < 0 && errno == ENOENT);
	_exit(0);
}

int main(void)
{
	int linked = make("first name", "linked"), replaced = make("settings", "old"), looks, below, dir, fifo, go[2];
	struct stat st, other;
	int status;
	char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, linked, 0);
	PROVE(map != MAP_FAILED && link("first name", "other name") == 0 && unlink("first name") == 0);
	make("settings.new", "new");
	PROVE(rename("settings.new", "settings") == 0);
	looks = make("not at all (deleted)", "still here");
	PROVE(mkdir("folder", 0700) == 0);
	below = make("folder/file", "below");
	PROVE(unlink("folder/file") == 0 && rmdir("folder") == 0);
	PROVE(mkdir("open", 0711) == 0);
	dir = open("open", O_RDONLY | O_DIRECTORY);
	PROVE(dir >= 0 && rmdir("open") == 0);
	PROVE(mkfifo("fifo", 0600) == 0);
	fifo = open("fifo", O_RDWR);
	PROVE(fifo >= 0 && write(fifo, "in flight", 9) == 9 && unlink("fifo") == 0);
	PROVE(pipe(go) == 0);
	pid_t child = fork();
	if (child == 0) {
		close(go[1]);
		live_in_nowhere(go[0]);
	}
	while (access("gone/deeper", F_OK) == 0 || access("gone", F_OK) != 0)
		usleep(1000);
	usleep(20000);
	PROVE(rmdir("gone") == 0);
	ready();
	wait_for_go();

	shows(linked, "/first name (deleted)");
	PROVE(stat("other name", &other) == 0 && fstat(linked, &st) == 0 && st.st_ino == other.st_ino && st.st_nlink == 1);
	memcpy(map, "LINK", 4);
	PROVE(msync(map, 4096, MS_SYNC) == 0);
	holds(open("other name", O_RDONLY), "LINKed");
	PROVE(lseek(linked, 0, SEEK_CUR) == 6);
	holds(replaced, "old");
	holds(open("settings", O_RDONLY), "new");
	shows(looks, "/not at all (deleted)");
	PROVE(stat("not at all (deleted)", &other) == 0 && fstat(looks, &st) == 0 && st.st_ino == other.st_ino);
	holds(below, "below");
	shows(below, "/folder/file (deleted)");
	PROVE(access("folder", F_OK) < 0);
	PROVE(fstat(dir, &st) == 0 && S_ISDIR(st.st_mode) && (st.st_mode & 0777) == 0711);
	shows(dir, "/open (deleted)");
	char text[16] = "";
	PROVE(read(fifo, text, sizeof text) == 9 && strcmp(text, "in flight") == 0 && access("fifo", F_OK) < 0);
	close(go[1]);
	PROVE(waitpid(child, &status, 0) == child && status == 0);
	return 0;
}
