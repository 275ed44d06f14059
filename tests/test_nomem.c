// Every allocation denied in turn, on one image in every format: a clear error (or a result, where an
// allocation is only for speed), nothing left behind, no fault; leaks are AddressSanitizer's to find.
//
// Denies what our own objects ask of malloc and its kin: linked with
//   -Wl,--wrap=malloc,--wrap=calloc,--wrap=aligned_alloc,--wrap=realloc,--wrap=strdup,--wrap=strndup,--wrap=asprintf
// What libarchive, jansson, zstd and libc allocate inside is theirs.
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "convert/filters.h"
#include "convert/pump.h"
#include "diff/show.h"
#include "format/files.h"
#include "format/image.h"
#include "format/output.h"
#include "format/tasks.h"
#include "producer/restart_parts.h"
#include "report/write.h"
#include "tests/suite.h"
#include "validate/checker.h"

static long countdown = -1; // allocations until one is denied; negative: none is
static unsigned long denied;

void *__real_malloc(size_t size) __attribute__((weak));
void *__real_calloc(size_t count, size_t size) __attribute__((weak));
void *__real_aligned_alloc(size_t alignment, size_t size) __attribute__((weak));
void *__real_realloc(void *p, size_t size) __attribute__((weak));
char *__real_strdup(const char *text) __attribute__((weak));
char *__real_strndup(const char *text, size_t length) __attribute__((weak));
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void *__wrap_realloc(void *p, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t length);
int __wrap_asprintf(char **out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static bool deny(void)
{
	if (countdown < 0 || countdown-- > 0)
		return false;
	denied++;
	errno = ENOMEM;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return deny() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return deny() ? NULL : __real_calloc(count, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	return deny() ? NULL : __real_aligned_alloc(alignment, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return deny() ? NULL : __real_realloc(p, size);
}

char *__wrap_strdup(const char *text)
{
	return deny() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t length)
{
	return deny() ? NULL : __real_strndup(text, length);
}

int __wrap_asprintf(char **out, const char *fmt, ...)
{
	va_list ap;
	if (deny())
		return -1;
	va_start(ap, fmt);
	int n = vasprintf(out, fmt, ap);
	va_end(ap);
	return n;
}

static char work[] = "/tmp/crimg-test-nomem-XXXXXX";
static char dir[128], single[128];

// One way through the program.
struct way {
	const char *source;          // below work, or NULL: dir
	const char *to, *target;     // writer and path below work; NULL: the index
	const char *compress;
	unsigned version;            // filter
	const char *sysroot;         // with it what a kernel stream needs for criu
	struct crimg_pages_options pages;
	bool amends;                 // the statistics come again
	bool compare;                // target must equal dir when it was made
	bool check;                  // validate instead
	bool plan;                   // see whether it could be restarted, instead
	bool report;                 // of source and of dir, instead
};

static bool go_on(void *context, uint64_t done, uint64_t total)
{
	(void)context;
	(void)done;
	(void)total;
	return true;
}

static int say_again(void *context, struct crimg_writer *writer, struct crimg_err *err)
{
	// A StatsEntry: frozen_time 300,000,000 us.
	static const uint8_t message[] = { 0x0a, 8, 0x08, 0, 0x10, 0x80, 0xc6, 0x86, 0x8f, 0x01 };
	struct crimg_object object = { .kind = CRIMG_KIND_STATS_DUMP, .name = "" };
	const struct crimg_record record = {
		.type = CRIMG_RECORD_MESSAGE, .object = &object, .data = message, .length = sizeof message,
		.payload = { .number = CRIMG_NO_PAYLOAD },
	};
	const bool *amends = context;
	return *amends ? writer->driver->put(writer, &record, err) : 0;
}

static void path_of(const char *name, char out[128])
{
	snprintf(out, 128, "%s/%s", work, name);
}

static int open_reader(const char *path, struct crimg_reader *reader, struct crimg_err *err)
{
	struct crimg_input in;
	if (crimg_input_open(path, "/tmp", &in, err) < 0)
		return -1;
	int rc = crimg_reader_open(&in, NULL, reader, err);
	crimg_input_fini(&in);
	return rc;
}

static int open_output(const char *path, struct crimg_output **out, struct crimg_err *err)
{
	const char *dot = strrchr(path, '.');
	if (dot != NULL && strcmp(dot, ".zst") == 0)
		return crimg_output_open_tar(path, NULL, out, err);
	return dot != NULL ? crimg_output_open_file(path, out, err)
	                   : crimg_output_open_dir(path, out, err);
}

static int write_all(struct crimg_reader *reader, const struct way *way, struct crimg_output *out,
                     struct crimg_ledger *ledger, struct crimg_err *err)
{
	bool amends = way->amends;
	struct crimg_progress progress = { go_on, NULL, say_again, &amends };
	struct crimg_writer_options options = {
		.compress = way->compress, .single_object = reader->single_object, .ledger = ledger,
		.amends = amends,
	};
	struct crimg_writer writer = { .driver = crimg_writer_by_name(way->to), .output = out };
	if (writer.driver->open(&writer, &options, err) < 0)
		return -1;
	int rc = crimg_pump(reader, &writer, &progress, err);
	writer.driver->close(&writer);
	return rc < 0 ? rc : crimg_output_commit(out, err);
}

static int add_filters(struct crimg_reader *reader, const struct way *way, const char *source,
                       struct crimg_image **image, struct crimg_ledger *ledger,
                       struct crimg_err *err)
{
	if ((way->pages.merge || way->pages.blocks)
	    && (crimg_image_open(source, NULL, "/tmp", image, err) < 0
	        || crimg_filter_pages(reader, *image, way->pages, err) < 0))
		return -1;
	if (way->sysroot != NULL
	    && (reader->driver->notes(reader, ledger, err) < 0
	        || crimg_filter_sysroot(reader, way->sysroot, err) < 0
	        || crimg_filter_vdso(reader, ledger, err) < 0))
		return -1;
	return way->version == 0 ? 0 : crimg_filter_version(reader, way->version, ledger, err);
}

static int convert(const struct way *way, const char *source, const char *target,
                   struct crimg_err *err)
{
	struct crimg_reader reader;
	struct crimg_image *image = NULL;
	struct crimg_ledger ledger = CRIMG_LEDGER_INIT;
	struct crimg_output *out = NULL;
	if (open_reader(source, &reader, err) < 0)
		return -1;
	int rc = add_filters(&reader, way, source, &image, &ledger, err);
	if (rc == 0)
		rc = open_output(target, &out, err);
	if (rc == 0)
		rc = write_all(&reader, way, out, &ledger, err);
	crimg_output_close(out);
	crimg_reader_close(&reader);
	crimg_image_close(image);
	crimg_ledger_fini(&ledger);
	return rc;
}

static int load(struct crimg_image *image, struct crimg_err *err)
{
	struct crimg_tasks tasks = { .count = 0 };
	struct crimg_files files = { .count = 0 };
	struct crimg_buf args = CRIMG_BUF_INIT;
	bool cut;
	int rc = crimg_tasks_load(image, &tasks, err);
	if (rc == 0)
		rc = crimg_files_load(image, &files, err);
	if (rc == 0)
		rc = crimg_image_missing(image, err) < 0 ? -1 : 0;
	if (rc == 0 && tasks.count > 0)
		rc = crimg_task_arguments(image, &tasks.list[0], 4096, &args, &cut, err) < 0 ? -1 : 0;
	crimg_buf_fini(&args);
	crimg_files_fini(&files);
	crimg_tasks_fini(&tasks);
	return rc;
}

static int make_index(const char *source, struct crimg_err *err)
{
	struct crimg_image *image;
	int rc = crimg_image_open(source, NULL, "/tmp", &image, err);
	if (rc == 0)
		rc = load(image, err);
	crimg_image_close(image);
	return rc;
}

// A valid image stays valid: what could not be looked at for want of memory is a fault, no finding.
static int validate(const char *source, struct crimg_err *err)
{
	struct crimg_checker_options options = { .path = source, .tmpdir = "/tmp", .pages = true };
	struct crimg_checker c;
	int rc = crimg_checker_open(&c, &options, err);
	if (rc == 0) {
		crimg_checker_run(&c);
		*err = c.findings.fault;
		rc = err->code == CRIMG_OK ? 0 : -1;
		if (rc == 0)
			CU_ASSERT_EQUAL(c.findings.of_severity[CRIMG_ERROR], 0);
	}
	crimg_checker_close(&c);
	return rc;
}

static int remove_tree(const char *path)
{
	char command[256];
	snprintf(command, sizeof command, "rm -rf '%s'", path);
	return system(command);
}

// Nothing but the names that were there before.
static size_t count_entries(void)
{
	size_t n = 0;
	DIR *d = opendir(work);
	if (d == NULL)
		return 0;
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static void compare_with_dir(const char *target)
{
	char command[512];
	snprintf(command, sizeof command, "diff -r --no-dereference '%s' '%s'", dir, target);
	CU_ASSERT_EQUAL(system(command), 0);
}

static void check_denied(const struct way *way, int rc, const struct crimg_err *err,
                         const char *target, size_t before, long n)
{
	struct stat st;
	if (rc == 0) { // it was for speed only
		if (way->compare)
			compare_with_dir(target);
	} else if (err->code != CRIMG_E_NOMEM || err->text[0] == '\0') {
		printf("\n  %s to %s, allocation %ld: code %d: %s: %s\n",
		       way->source != NULL ? way->source : "dir", way->to != NULL ? way->to : "index", n,
		       err->code, err->source, err->text);
		CU_FAIL("no clear error");
	} else if (target[0] != '\0') {
		CU_ASSERT(lstat(target, &st) < 0);
	}
	if (target[0] != '\0' && lstat(target, &st) == 0)
		CU_ASSERT_EQUAL(remove_tree(target), 0);
	CU_ASSERT_EQUAL(count_entries(), before);
}

// What a restart would make of it. Its files are not here: that it is refused is its result.
static int plan(const char *source, struct crimg_err *err)
{
	const struct crimg_restart_options options = { .path = source, .tmpdir = "/tmp" };
	struct crimg_restart r = { .options = &options };
	int rc = crimg_restart_plan(&r, err);
	crimg_restart_close(&r);
	return rc < 0 && err->code == CRIMG_E_UNSUPPORTED ? 0 : rc;
}

static int run_way(const struct way *way, const char *source, const char *target,
                   struct crimg_err *err)
{
	*err = CRIMG_ERR_INIT;
	if (way->check)
		return validate(source, err);
	if (way->plan)
		return plan(source, err);
	if (way->report) {
		struct crimg_report report = { .out = target, .path = { source, dir }, .tmpdir = "/tmp" };
		int rc = crimg_report_write(&report, err);
		return rc < 0 ? -1 : 0;
	}
	return way->to == NULL ? make_index(source, err) : convert(way, source, target, err);
}

// Denies allocation 0, 1, 2, … until one run needs no more; keep: its target stays.
static void deny_each(const struct way *way, bool keep)
{
	char source[128], target[128] = "";
	struct crimg_err err;
	snprintf(source, sizeof source, "%s", dir);
	if (way->source != NULL)
		path_of(way->source, source);
	if (way->target != NULL)
		path_of(way->target, target);
	size_t before = count_entries();
	long n = 0;
	// A report makes so many that not each of them has its turn.
	for (;; n += way->report ? 1 + n / 16 : 1) {
		denied = 0;
		countdown = n;
		int rc = run_way(way, source, target, &err);
		countdown = -1;
		if (denied == 0) {
			CU_ASSERT_EQUAL(rc, 0);
			break;
		}
		check_denied(way, rc, &err, target, before, n);
	}
	CU_ASSERT(n > 10);
	if (way->compare)
		compare_with_dir(target);
	if (way->target != NULL && !keep)
		CU_ASSERT_EQUAL(remove_tree(target), 0);
}

static void test_criu_to_crimg(void)
{
	deny_each(&(struct way){ .to = "crimg", .target = "x.crimg" }, true);
	deny_each(&(struct way){ .to = "crimg", .target = "z.crimg", .compress = "zstd" }, true);
	deny_each(&(struct way){ .to = "crimg", .target = "amended.crimg", .amends = true }, false);
}

static void test_criu_to_tar(void)
{
	deny_each(&(struct way){ .to = "criu", .target = "x.tar.zst" }, true);
}

static void test_criu_to_json(void)
{
	deny_each(&(struct way){ .to = "json", .target = "x.json" }, true);
}

static void test_criu_to_core(void)
{
	deny_each(&(struct way){ .to = "core", .target = "x.core" }, false);
}

static void test_back_to_criu(void)
{
	static const char *const sources[] = { "x.crimg", "z.crimg", "x.tar.zst", "x.json" };
	for (size_t i = 0; i < 4; i++)
		deny_each(&(struct way){ .source = sources[i], .to = "criu", .target = "back",
		                         .compare = true }, false);
}

static void test_index(void)
{
	static const char *const sources[] = { NULL, "x.crimg", "z.crimg", "x.tar.zst", "x.json" };
	for (size_t i = 0; i < 5; i++)
		deny_each(&(struct way){ .source = sources[i] }, false);
}

static void test_validate(void)
{
	deny_each(&(struct way){ .check = true }, false);
	deny_each(&(struct way){ .source = "x.crimg", .check = true }, false);
}

static void test_plan(void)
{
	deny_each(&(struct way){ .plan = true }, false);
	deny_each(&(struct way){ .plan = true, .source = "large.tar.gz" }, false);
}

static void test_single_file(void)
{
	deny_each(&(struct way){ .source = "core.img", .to = "json", .target = "one.json" }, true);
	deny_each(&(struct way){ .source = "one.json", .to = "criu", .target = "one.img" }, false);
}

static void test_filters(void)
{
	deny_each(&(struct way){ .to = "criu", .target = "old", .version = 317 }, false);
	deny_each(&(struct way){ .to = "criu", .target = "lz4", .pages = { .blocks = true } }, false);
}

static void test_core(void)
{
	deny_each(&(struct way){ .source = "a.core" }, false);
	deny_each(&(struct way){ .source = "a.core", .to = "criu", .target = "from-core" }, false);
}

static int tell(struct crimg_diff *d, bool json, FILE *out, struct crimg_err *err)
{
	struct crimg_diff_show show = { .bytes = true, .pointers = true, .context = 1 };
	int rc = json ? crimg_diff_json(d, &show, out, err) : crimg_diff_text(d, &show, out, err);
	if (rc == 0 && d->damage.code != CRIMG_OK) {
		*err = d->damage;
		rc = -1;
	}
	return rc;
}

static int compare(const char *a, const char *b, bool json, FILE *out, struct crimg_err *err)
{
	struct crimg_diff_options o = { .path = { a, b }, .tmpdir = "/tmp", .folded = true };
	struct crimg_diff *d;
	if (crimg_diff_open(&o, &d, err) < 0)
		return -1;
	int rc = tell(d, json, out, err);
	crimg_diff_close(d);
	return rc;
}

static void deny_diff(const char *a, const char *b, bool json, FILE *out)
{
	struct crimg_err err;
	long n = 0;
	for (denied = 1; denied > 0; n++) {
		err = CRIMG_ERR_INIT;
		denied = 0;
		countdown = n;
		int rc = compare(a, b, json, out, &err);
		countdown = -1;
		CU_ASSERT(rc == 0 || (err.code == CRIMG_E_NOMEM && err.text[0] != '\0'));
	}
	CU_ASSERT(n > 100);
}

static void test_diff(void)
{
	char before[128], after[128], core[128], stream[128];
	FILE *out = fopen("/dev/null", "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(out);
	path_of("m-diff-1", before);
	path_of("m-diff-2", after);
	path_of("a.core", core);
	path_of("x.crimg", stream);
	deny_diff(before, after, false, out);
	deny_diff(before, after, true, out);
	deny_diff(dir, stream, false, out);
	deny_diff(dir, core, false, out);
	fclose(out);
}

static void test_report(void)
{
	deny_each(&(struct way){ .source = "a.core", .target = "x.html", .report = true }, false);
}

static void test_kernel_stream(void)
{
	deny_each(&(struct way){ .source = "a.ckpt" }, false);
	deny_each(&(struct way){ .source = "a.ckpt", .to = "criu", .target = "from-ckpt",
	                         .sysroot = "/usr" }, false);
	deny_each(&(struct way){ .source = "a.ckpt", .to = "linux-cr", .target = "b.ckpt" }, false);
	deny_each(&(struct way){ .to = "linux-cr", .target = "c.ckpt" }, false);
}

static void test_kstate(void)
{
	deny_each(&(struct way){ .source = "full.kstate" }, false);
	deny_each(&(struct way){ .source = "full.kstate", .to = "criu", .target = "from-kstate" }, false);
	deny_each(&(struct way){ .source = "full.kstate", .to = "kstate", .target = "b.kstate" }, false);
	deny_each(&(struct way){ .source = "dir", .to = "kstate", .target = "c.kstate" }, false);
}

static void test_early(void)
{
	deny_each(&(struct way){ .source = "criu-early" }, false);
	deny_each(&(struct way){ .source = "criu-early", .to = "criu", .target = "from-early" }, false);
	deny_each(&(struct way){ .source = "criu-early-2012" }, false);
	deny_each(&(struct way){ .source = "criu-early-2012", .to = "criu", .target = "from-2012" }, false);
}

static void test_openvz_image(void)
{
	deny_each(&(struct way){ .source = "a.cpt" }, false);
	deny_each(&(struct way){ .source = "a.cpt", .to = "cpt", .target = "b.cpt" }, false);
	deny_each(&(struct way){ .to = "cpt", .target = "made.cpt" }, false);
}

static int init(void)
{
	char command[1280];
	const char *samples = getenv("CRIMG_SAMPLES");
	if (samples == NULL)
		samples = "samples";
	if (mkdtemp(work) == NULL)
		return -1;
	path_of("dir", dir);
	path_of("core.img", single);
	snprintf(command, sizeof command,
	         "cp -r '%s/criu/a-regs' '%s' && chmod -R u+w '%s' && cp '%s'/core-*.img '%s' && "
	         "cp '%s/cores/kernel32.core' '%s/a.core' && cp '%s/linux-cr/r5-shm.ckpt' '%s/a.ckpt' && "
	         "cp '%s/cpt/snajpa-64.cpt' '%s/a.cpt' && "
	         "cp '%s/kstate/full.kstate' '%s' && cp -r '%s/criu-early' '%s/criu-early-2012' '%s' && cp -r '%s/criu/m-diff-1' '%s/criu/m-diff-2' '%s' && "
	         "cd '%s' && head -c 1100000 /dev/urandom >large && tar -czf large.tar.gz large -C dir .",
	         samples, dir, dir, dir, single, samples, work, samples, work, samples, work, samples, work, samples,
	         samples, work, samples, samples, work, work);
	return system(command) == 0 && __real_malloc != NULL ? 0 : -1;
}

static int fini(void)
{
	return remove_tree(work);
}

int main(void)
{
	static const struct suite_test tests[] = {
		{ "criu to crimg", test_criu_to_crimg },
		{ "criu to tar", test_criu_to_tar },
		{ "criu to json", test_criu_to_json },
		{ "criu to core", test_criu_to_core },
		{ "back to criu", test_back_to_criu },
		{ "index", test_index },
		{ "validate", test_validate },
		{ "plan of a restart", test_plan },
		{ "single file", test_single_file },
		{ "filters", test_filters },
		{ "core", test_core },
		{ "diff", test_diff },
		{ "report", test_report },
		{ "kernel stream", test_kernel_stream },
		{ "OpenVZ image", test_openvz_image },
		{ "LinuxC/R image", test_kstate },
		{ "early CRIU image", test_early },
	};
	return SUITE_RUN("every allocation denied in turn", init, fini, tests);
}
