// Damages every sample and runs the verbs over it: each file of each image cut at every 1/64th of its
// length, and 200 bytes of each image changed, one at a time. Each run must end in exit 0, 1 or 2; with 2,
// one line on standard error names the image; never a fault, a hang, a leak or a partial output.
//
//   damage FOLDER…    images and archives below the folders; two workers; last line as tests/lib.sh
//
// The verbs are called in this process, for speed: their main functions, as the binary calls them. Files
// that several images share are cut only once.
#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdbool.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

#include "convert/convert.h"
#include "inspect/inspect.h"
#include "report/report.h"
#include "validate/validate.h"
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif

#define CUTS 64
#define FLIPS 200
#define SECONDS 10
#define WORKERS 2
#define FAULTS_MAX 20
#define PATH_BYTES 1024
#define STREAM_BYTES 50000 // of a kernel stream that is taken

struct unit {
	char image[PATH_BYTES];  // the directory, or the archive itself
	char file[256];          // within it, to be cut; "" for an archive; "*": change bytes of any
};

static struct unit *units;
static size_t unit_count, unit_capacity;
static uint64_t *seen;
static size_t seen_count;

// Shared by the workers.
static struct shared {
	atomic_size_t next;
	atomic_uint passed, failed;
	char current[WORKERS][2 * PATH_BYTES]; // the case that runs
} *shared;

static int out_fd, report_fd, err_fd, me;
static char root[PATH_BYTES];   // of this worker

static void *need(void *p)
{
	if (p == NULL) {
		perror("damage");
		exit(2);
	}
	return p;
}

static void fail(const char *why, const char *detail)
{
	atomic_fetch_add(&shared->failed, 1);
	dprintf(out_fd, "FAILED damage: %s: %s: %s\n", shared->current[me], why, detail);
}

// Finding the samples.

static void add_unit(const char *image, const char *file)
{
	if (unit_count == unit_capacity) {
		unit_capacity = unit_capacity == 0 ? 256 : unit_capacity * 2;
		units = need(realloc(units, unit_capacity * sizeof *units));
	}
	struct unit *u = &units[unit_count++];
	snprintf(u->image, sizeof u->image, "%s", image);
	snprintf(u->file, sizeof u->file, "%s", file);
}

static uint8_t *read_whole(const char *path, size_t *size)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		perror(path);
		exit(2);
	}
	uint8_t *data = need(malloc((size_t)st.st_size + 1));
	*size = 0;
	for (ssize_t n = 1; n > 0; *size += (size_t)n)
		if ((n = read(fd, data + *size, (size_t)st.st_size - *size)) < 0)
			n = 0;
	close(fd);
	return data;
}

// The same kind (name up to its number) with the same bytes was there already.
static bool seen_before(const char *path, const char *name)
{
	size_t size;
	uint8_t *data = read_whole(path, &size);
	uint64_t key = XXH3_64bits(data, size) ^ XXH3_64bits(name, strcspn(name, "0123456789"));
	free(data);
	for (size_t i = 0; i < seen_count; i++)
		if (seen[i] == key)
			return true;
	seen = need(realloc(seen, (seen_count + 1) * sizeof *seen));
	seen[seen_count++] = key;
	return false;
}

static void add_image(const char *path)
{
	DIR *dir = need(opendir(path));
	for (struct dirent *e; (e = readdir(dir)) != NULL;) {
		char file[2 * PATH_BYTES];
		struct stat st;
		snprintf(file, sizeof file, "%s/%s", path, e->d_name);
		if (lstat(file, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0
		    && !seen_before(file, e->d_name))
			add_unit(path, e->d_name);
	}
	closedir(dir);
	add_unit(path, "*");
}

// Kernel streams alike are many; the small ones have every record that the others have.
static bool is_archive(const char *path, off_t size)
{
	if (strstr(path, ".ckpt") != NULL)
		return size < STREAM_BYTES && strstr(path, "r6-") == NULL;
	return strstr(path, ".tar") != NULL || strstr(path, ".tgz") != NULL
		|| strstr(path, ".crimg") != NULL || strstr(path, ".zip") != NULL
		|| strstr(path, ".core") != NULL || strstr(path, "full.kstate") != NULL;
}

static int find_sample(const char *path, const struct stat *st, int type, struct FTW *at)
{
	if (type == FTW_F && strcmp(path + at->base, "inventory.img") == 0) {
		char image[PATH_BYTES];
		snprintf(image, sizeof image, "%.*s", at->base - 1, path);
		add_image(image);
	} else if (type == FTW_F && is_archive(path + at->base, st->st_size)) {
		add_unit(path, "");
		add_unit(path, "*");
	}
	return 0;
}

// Running the verbs.

static size_t read_errors(char *text, size_t size)
{
	ssize_t n = pread(err_fd, text, size - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

static void check_end(const char *verb, int code, const char *image)
{
	char text[4096], detail[8192];
	size_t n = read_errors(text, sizeof text);
	bool one_line = n > 0 && strchr(text, '\n') == text + n - 1;
	if (one_line)
		text[n - 1] = '\0';
	snprintf(detail, sizeof detail, "%s: exit %d, %s", verb, code, text);
	if (code < 0 || code > 2)
		fail("exit code", detail);
	else if (code == 2 && !one_line)
		fail("not one line", detail);
	else if (code == 2 && strstr(text, image) == NULL)
		fail("the image is not named", detail);
	else if (code == 0 && n > 0)
		fail("success with a complaint", detail);
	else
		atomic_fetch_add(&shared->passed, 1);
}

static int call(int (*verb)(int, char **), char **argv)
{
	int argc = 0;
	while (argv[argc] != NULL)
		argc++;
	if (ftruncate(err_fd, 0) < 0 || lseek(err_fd, 0, SEEK_SET) < 0)
		perror("ftruncate");
	alarm(SECONDS);
	int code = verb(argc, argv);
	alarm(0);
	fflush(stdout);
	fflush(stderr);
	return code;
}

static void run_inspect(char *image, bool json)
{
	static char verb[] = "inspect", as_json[] = "--json", as_text[] = "--color=never";
	static char views[16][12] = {
		"summary", "tree", "fds", "files", "sockets", "maps", "signals", "timers", "creds",
		"namespaces", "mounts", "cgroups", "ipc", "container", "stats", "objects",
	};
	char *argv[20] = { verb, json ? as_json : as_text, image };
	for (size_t i = 0; i < 16; i++)
		argv[3 + i] = views[i];
	check_end(json ? "inspect --json" : "inspect", call(crimg_inspect_main, argv), image);
}

static int run_validate(char *image)
{
	static char verb[] = "validate", pages[] = "--pages", text[] = "--color=never";
	char *argv[] = { verb, pages, text, image, NULL };
	int code = call(crimg_validate_main, argv);
	check_end("validate", code, image);
	return code;
}

// Nothing may stand in the output folder but a target that was finished.
static void check_output(int code)
{
	char path[PATH_BYTES + 8], file[2 * PATH_BYTES];
	snprintf(path, sizeof path, "%s/out", root);
	DIR *dir = need(opendir(path));
	for (struct dirent *e; (e = readdir(dir)) != NULL;) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (code != 0 || strcmp(e->d_name, "target") != 0)
			fail("left behind", e->d_name);
		snprintf(file, sizeof file, "%s/%s", path, e->d_name);
		unlink(file);
	}
	closedir(dir);
}

static int run_convert(char *image, const char *format, bool incomplete)
{
	static char verb[] = "convert", to[] = "-t", partial[] = "--allow-incomplete";
	char name[16], target[PATH_BYTES + 16];
	snprintf(name, sizeof name, "%s", format);
	snprintf(target, sizeof target, "%s/out/target", root);
	char *whole[] = { verb, to, name, image, target, NULL };
	char *half[] = { verb, partial, to, name, image, target, NULL };
	int code = call(crimg_convert_main, incomplete ? half : whole);
	check_end(format, code, image);
	check_output(code);
	return code;
}

static void run_report(char *image)
{
	static char verb[] = "report", to[] = "-o";
	char target[PATH_BYTES + 16];
	snprintf(target, sizeof target, "%s/out/target", root);
	char *argv[] = { verb, to, target, image, NULL };
	int code = call(crimg_report_main, argv);
	check_end("report", code, image);
	check_output(code);
}

// What cannot be moved whole is not valid.
static void run_case(char *image, unsigned number)
{
	bool odd = number % 2 == 1;
	if (number % 16 == 0) // it asks inspect and validate for all they have: the slowest of the verbs
		run_report(image);
	run_inspect(image, false);
	run_inspect(image, true);
	int stream = run_convert(image, "crimg", odd);
	int json = run_convert(image, "json", !odd);
	int valid = run_validate(image);
	if (valid == 0 && (odd ? json : stream) == 2)
		fail("valid", "but it cannot be converted");
}

// Damaging.

static void write_whole(const char *path, const uint8_t *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	for (size_t done = 0; fd >= 0 && done < size;) {
		ssize_t n = write(fd, data + done, size - done);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	if (fd < 0 || close(fd) < 0) {
		perror(path);
		exit(2);
	}
}

static void copy_entry(const char *from, const char *to)
{
	struct stat st;
	char target[PATH_BYTES];
	size_t size;
	if (lstat(from, &st) < 0)
		return;
	if (S_ISLNK(st.st_mode)) {
		ssize_t n = readlink(from, target, sizeof target - 1);
		target[n > 0 ? n : 0] = '\0';
		if (symlink(target, to) < 0 && errno != EEXIST)
			perror(to);
	} else if (S_ISREG(st.st_mode)) {
		uint8_t *data = read_whole(from, &size);
		write_whole(to, data, size);
		free(data);
	}
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash != NULL ? slash + 1 : path;
}

// Copies the image into root; its neighbours, perhaps its parents, become links to the originals.
static void copy_image(const char *image, char copy[2 * PATH_BYTES])
{
	char parent[PATH_BYTES], real[4096], link[2 * PATH_BYTES], from[2 * PATH_BYTES];
	char to[3 * PATH_BYTES];
	snprintf(copy, 2 * PATH_BYTES, "%s/%s", root, base_of(image));
	snprintf(parent, sizeof parent, "%.*s", (int)(base_of(image) - image), image);
	need(realpath(parent, real));
	DIR *dir = need(opendir(real));
	for (struct dirent *e; (e = readdir(dir)) != NULL;) {
		snprintf(link, sizeof link, "%s/%s", root, e->d_name);
		snprintf(to, sizeof to, "%.1023s/%s", real, e->d_name);
		if (e->d_name[0] != '.' && strcmp(e->d_name, base_of(image)) != 0
		    && symlink(to, link) < 0)
			perror(link);
	}
	closedir(dir);
	if (mkdir(copy, 0700) < 0)
		perror(copy);
	dir = need(opendir(image));
	for (struct dirent *e; (e = readdir(dir)) != NULL;) {
		snprintf(from, sizeof from, "%s/%s", image, e->d_name);
		snprintf(to, sizeof to, "%s/%s", copy, e->d_name);
		copy_entry(from, to);
	}
	closedir(dir);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	return at->level > 0 ? remove(path) : 0;
}

static void empty_root(void)
{
	char out[PATH_BYTES + 8];
	nftw(root, remove_one, 16, FTW_PHYS | FTW_DEPTH);
	snprintf(out, sizeof out, "%s/out", root);
	if (mkdir(out, 0700) < 0)
		perror(out);
}

static void cut(const char *path, char *image, const char *what)
{
	struct stat st;
	off_t last = -1;
	if (stat(path, &st) < 0)
		return;
	for (unsigned i = CUTS; i-- > 0;) {
		off_t length = st.st_size * i / CUTS;
		if (length == last || length == st.st_size)
			continue;
		last = length;
		snprintf(shared->current[me], sizeof shared->current[me], "%s cut at %lld", what,
		         (long long)length);
		if (truncate(path, length) < 0)
			perror(path);
		run_case(image, i);
	}
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void flip(const char *path, char *image, const char *what, unsigned number, uint64_t *random)
{
	struct stat st;
	uint8_t old, changed;
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size == 0) {
		close(fd);
		return;
	}
	off_t at = (off_t)(next_random(random) % (uint64_t)st.st_size);
	if (pread(fd, &old, 1, at) != 1)
		perror(path);
	changed = (uint8_t)(old ^ (1 + next_random(random) % 255));
	snprintf(shared->current[me], sizeof shared->current[me], "%s byte %lld is 0x%02x", what,
	         (long long)at, (unsigned)changed);
	if (pwrite(fd, &changed, 1, at) != 1)
		perror(path);
	run_case(image, number);
	if (pwrite(fd, &old, 1, at) != 1)
		perror(path);
	close(fd);
}

static void flip_image(char *copy, const char *image)
{
	uint64_t random = XXH3_64bits(base_of(image), strlen(base_of(image))) | 1;
	struct dirent **list;
	char path[2 * PATH_BYTES + 256];
	int n = scandir(copy, &list, NULL, alphasort);
	for (unsigned i = 0; n > 0 && i < FLIPS;) {
		struct stat st;
		const char *name = list[next_random(&random) % (uint64_t)n]->d_name;
		snprintf(path, sizeof path, "%s/%s", copy, name);
		if (lstat(path, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
			continue;
		flip(path, copy, path, i++, &random);
	}
	while (n-- > 0)
		free(list[n]);
	free(list);
}

static void check_leaks(void)
{
#ifdef __SANITIZE_ADDRESS__
	if (__lsan_do_recoverable_leak_check() != 0)
		fail("leak", "see above");
#endif
}

static void run_archive(const struct unit *u)
{
	char copy[2 * PATH_BYTES];
	uint64_t random = XXH3_64bits(u->image, strlen(u->image)) | 1;
	snprintf(copy, sizeof copy, "%s/%s", root, base_of(u->image));
	copy_entry(u->image, copy);
	if (u->file[0] == '\0')
		cut(copy, copy, copy);
	else
		for (unsigned i = 0; i < FLIPS; i++)
			flip(copy, copy, copy, i, &random);
}

static void run_unit(const struct unit *u)
{
	char copy[2 * PATH_BYTES], path[3 * PATH_BYTES];
	struct stat st;
	empty_root();
	if (stat(u->image, &st) == 0 && S_ISREG(st.st_mode)) {
		run_archive(u);
	} else {
		copy_image(u->image, copy);
		snprintf(path, sizeof path, "%s/%s", copy, u->file);
		if (u->file[0] == '*')
			flip_image(copy, u->image);
		else
			cut(path, copy, path);
	}
	check_leaks();
}

// Workers.

static void work(void)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	err_fd = memfd_create("stderr", 0);
	if (null < 0 || err_fd < 0 || dup2(null, STDOUT_FILENO) < 0 || dup2(err_fd, STDERR_FILENO) < 0)
		exit(2);
#ifdef __SANITIZE_ADDRESS__
	__sanitizer_set_report_fd((void *)(uintptr_t)report_fd);
#endif
	for (size_t i; (i = atomic_fetch_add(&shared->next, 1)) < unit_count;)
		run_unit(&units[i]);
	_exit(0);
}

static pid_t start(int number, const char *base)
{
	me = number;
	snprintf(root, sizeof root, "%s/%d", base, number);
	if (mkdir(root, 0700) < 0 && errno != EEXIST)
		perror(root);
	pid_t pid = fork();
	if (pid == 0)
		work();
	return pid;
}

// Starts a worker again when a fault ended it: the other cases still count.
static void supervise(const char *base)
{
	pid_t pids[WORKERS];
	unsigned running = WORKERS, faults = 0;
	int status;
	for (int i = 0; i < WORKERS; i++)
		pids[i] = start(i, base);
	while (running > 0) {
		pid_t pid = wait(&status);
		for (int i = 0; i < WORKERS; i++) {
			if (pid != pids[i])
				continue;
			me = i;
			running--;
			if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
				continue;
			fail(WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? "hangs" : "fault",
			     WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "the process ended");
			if (++faults < FAULTS_MAX) {
				pids[i] = start(i, base);
				running++;
			}
		}
	}
}

int main(int argc, char **argv)
{
	const char *tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	char base[64];
	setenv("NO_COLOR", "1", 1);
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	out_fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10);
	report_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
	if (shared == MAP_FAILED || out_fd < 0 || report_fd < 0)
		return 2;
	for (int i = 1; i < argc; i++)
		nftw(argv[i], find_sample, 16, FTW_PHYS);
	snprintf(base, sizeof base, "%s/crimg-damage.XXXXXX", tmp);
	need(mkdtemp(base));
	supervise(base);
	snprintf(root, sizeof root, "%s", base);
	nftw(root, remove_one, 16, FTW_PHYS | FTW_DEPTH);
	rmdir(base);
	free(units);
	free(seen);
	unsigned passed = atomic_load(&shared->passed), failed = atomic_load(&shared->failed);
	if (passed == 0)
		printf("FAILED damage: no sample was found\n");
	printf("%u passed, %u failed, 0 skipped\n", passed, failed + (passed == 0));
	return failed != 0 || passed == 0;
}
