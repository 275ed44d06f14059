// Files beneath --sysroot: what is taken for the file that was mapped, what is refused and in which words,
// that no link leads out, and that hostile ELF files are harmless.
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inspect/sysroot.h"
#include "tests/suite.h"

static const char *samples = "samples"; // or the first argument
static char folder[] = "/tmp/crimg-sysroot.XXXXXX";
static struct crimg_view_options options;
static struct crimg_view view;

static int up(void)
{
	return mkdtemp(folder) == NULL;
}

static int down(void)
{
	char command[64];
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

static void begin(const char *sysroot)
{
	options = (struct crimg_view_options){ .sysroot = sysroot };
	view = (struct crimg_view){ .options = &options };
}

static void end(void)
{
	crimg_sysroot_close(view.sysroot);
}

static const char *inside(const char *name)
{
	static char path[256];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static void put(const char *name, const void *data, size_t length)
{
	int fd = open(inside(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(write(fd, data, length), (ssize_t)length);
	close(fd);
}

static struct crimg_file_identity sized(const char *path, uint64_t size)
{
	return (struct crimg_file_identity){ .path = path, .size = size };
}

static struct crimg_elf_file *ask(struct crimg_file_identity id)
{
	struct crimg_elf_file *f = crimg_sysroot_file(&view, &id);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	return f;
}

static void refused(struct crimg_file_identity id, const char *why)
{
	const struct crimg_elf_file *f = ask(id);
	CU_ASSERT_EQUAL(f->fd, -1);
	CU_ASSERT_PTR_NULL(f->elf);
	CU_ASSERT_STRING_EQUAL(f->why, why);
	if (strcmp(f->why, why) != 0)
		printf("\n  found  %s\n  wanted %s\n", f->why, why);
}

static void taken(struct crimg_file_identity id)
{
	const struct crimg_elf_file *f = ask(id);
	CU_ASSERT_TRUE(f->fd >= 0);
	CU_ASSERT_STRING_EQUAL(f->why, "");
}

static const uint8_t id20[20] = { 0xa1, 0xb2, 0xc3, 0xd4, 5, 6, 7, 8, 9, 10,
	                          11,   12,   13,   14,   15, 16, 17, 18, 19, 20 };

// An ELF file that is a header, a note segment and a note with a build-id.
struct tiny {
	Elf64_Ehdr e;
	Elf64_Phdr p;
	Elf64_Nhdr n;
	char name[4];
	uint8_t id[20];
};

static struct tiny tiny_make(size_t id_length)
{
	struct tiny t = { .e = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		                 .e_type = ET_DYN, .e_machine = EM_X86_64, .e_version = EV_CURRENT,
		                 .e_phoff = offsetof(struct tiny, p), .e_ehsize = sizeof(Elf64_Ehdr),
		                 .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 1 },
		          .p = { .p_type = PT_NOTE, .p_offset = offsetof(struct tiny, n),
		                 .p_filesz = sizeof(struct tiny) - offsetof(struct tiny, n),
		                 .p_align = 4 },
		          .n = { 4, (Elf64_Word)id_length, NT_GNU_BUILD_ID }, .name = "GNU" };
	memcpy(t.id, id20, id_length);
	return t;
}

static struct crimg_file_identity with_id(const char *path, const uint8_t *id, size_t length)
{
	struct crimg_file_identity i = { .path = path, .size = UINT64_MAX, .build_id_length = length };
	memcpy(i.build_id, id, length);
	return i;
}

static void test_none(void)
{
	begin(NULL);
	refused(sized("/bin/sh", 1), "no --sysroot was given");
	CU_ASSERT_EQUAL(crimg_sysroot_debug_file(&view, id20, 20), -1);
	CU_ASSERT_EQUAL(view.fault.code, CRIMG_OK);
	end();
	begin("/nonexistent");
	refused(sized("/bin/sh", 1), "the sysroot cannot be opened");
	CU_ASSERT_EQUAL(view.fault.code, CRIMG_E_IO);
	CU_ASSERT_STRING_EQUAL(view.fault.source, "/nonexistent");
	end();
}

static void test_kinds(void)
{
	struct crimg_file_identity gone = sized("/seven", 7);
	gone.gone = "was deleted";
	begin(folder);
	put("seven", "seven!!", 7);
	CU_ASSERT_EQUAL(mkdir(inside("dir"), 0700), 0);
	CU_ASSERT_EQUAL(mkfifo(inside("fifo"), 0600), 0);
	taken(sized("/seven", 7));
	refused(gone, "was deleted");
	refused(sized("/seven", 8), "differs: 7 bytes found, 8 wanted");
	refused(sized("/seven", UINT64_MAX),
	        "cannot be compared: the image tells neither its size nor its build-id");
	refused(sized("/eight", 8), "not in the sysroot");
	refused(sized("/seven/x", 8), "not in the sysroot");
	refused(sized("/dir", 7), "not a regular file");
	refused(sized("/fifo", 7), "not a regular file");
	refused(sized("", 7), "not in the sysroot");
	char name[5000];
	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	refused(sized(name, 7), "cannot be opened: File name too long");
	end();
}

// What a link leads to is looked for below the sysroot, as the tasks did.
static void test_links(void)
{
	struct stat st;
	begin(folder);
	CU_ASSERT_EQUAL(mkdir(inside("a"), 0700), 0);
	put("a/real", "1234", 4);
	CU_ASSERT_EQUAL(symlink("/a/real", inside("a/absolute")), 0);
	CU_ASSERT_EQUAL(symlink("../../../../a/real", inside("a/up")), 0);
	CU_ASSERT_EQUAL(symlink("/etc/passwd", inside("out")), 0);
	CU_ASSERT_EQUAL(symlink("../../../../../etc/passwd", inside("out2")), 0);
	CU_ASSERT_EQUAL(symlink("round", inside("round")), 0);
	CU_ASSERT_EQUAL_FATAL(stat("/etc/passwd", &st), 0);
	taken(sized("/a/absolute", 4));
	taken(sized("/a/up", 4));
	taken(sized("/../../a/up", 4));
	refused(sized("/out", (uint64_t)st.st_size), "not in the sysroot");
	refused(sized("/out2", (uint64_t)st.st_size), "not in the sysroot");
	refused(sized("/../../etc/passwd", (uint64_t)st.st_size), "not in the sysroot");
	refused(sized("/round", 4), "its links in the sysroot cannot be followed");
	end();
	begin("/proc/self"); // links of the kernel's own making lead anywhere
	refused(sized("/exe", 4), "its links in the sysroot cannot be followed");
	end();
}

static void test_build_id(void)
{
	static const uint8_t padded[12] = { 0xa1, 0xb2, 0xc3, 0xd4, 5, 6, 7, 8, 9, 10, 0, 0 };
	static const uint8_t longer[12] = { 0xa1, 0xb2, 0xc3, 0xd4, 5, 6, 7, 8, 9, 10, 0, 1 };
	uint8_t other[20];
	struct tiny t = tiny_make(20), ten = tiny_make(10);
	memset(other, 0xee, sizeof other);
	begin(folder);
	put("elf", &t, sizeof t);
	put("ten", &ten, sizeof ten);
	put("text", "no ELF", 6);
	taken(with_id("/elf", id20, 20));
	CU_ASSERT_PTR_NOT_NULL(ask(with_id("/elf", id20, 20))->elf);
	refused(with_id("/elf", other, 20), "differs: build-id a1b2c3d4.. found, eeeeeeee.. wanted");
	refused(with_id("/elf", id20, 16), "differs: build-id a1b2c3d4.. found, a1b2c3d4.. wanted");
	refused(with_id("/elf", other, 4), "differs: build-id a1b2c3d4.. found, eeeeeeee wanted");
	taken(with_id("/ten", padded, 12));
	refused(with_id("/ten", longer, 12), "differs: build-id a1b2c3d4.. found, a1b2c3d4.. wanted");
	refused(with_id("/text", id20, 20), "differs: no build-id found, a1b2c3d4.. wanted");
	struct crimg_file_identity both = with_id("/elf", id20, 20);
	both.size = 7;
	refused(both, "differs: 160 bytes found, 7 wanted");
	end();
}

static void test_mtime(void)
{
	struct crimg_file_identity id = sized("/dated", 1);
	struct timespec times[2] = { { 1000000000, 0 }, { 1000000000, 0 } };
	begin(folder);
	put("dated", "x", 1);
	CU_ASSERT_EQUAL(utimensat(AT_FDCWD, inside("dated"), times, 0), 0);
	id.mtime = 1000000000;
	taken(id);
	id.mtime = 1;
	refused(id, "changed: modified 2001-09-09 01:46:40 UTC, the image is from 1970-01-01 00:00:01 UTC");
	end();
}

// One opening for all that ask for the same, however many there are.
static void test_cache(void)
{
	begin(folder);
	put("same", "1", 1);
	struct crimg_elf_file *first = ask(sized("/same", 1));
	for (int i = 0; i < 3000; i++) {
		char name[32];
		snprintf(name, sizeof name, "/many-%d", i);
		if (i % 2 == 0)
			put(name, "1", 1);
		struct crimg_elf_file *f = ask(sized(name, 1));
		CU_ASSERT_EQUAL(f->fd >= 0, i % 2 == 0);
		CU_ASSERT_PTR_EQUAL(f, ask(sized(name, 1)));
	}
	CU_ASSERT_PTR_EQUAL(first, ask(sized("/same", 1)));
	CU_ASSERT_PTR_NOT_EQUAL(first, ask(sized("/same", 2)));
	CU_ASSERT_STRING_EQUAL(first->path, "/same");
	end();
}

static void test_debug_file(void)
{
	struct tiny t = tiny_make(20);
	struct stat st;
	char name[128] = "usr/lib/debug/.build-id/a1";
	begin(folder);
	for (char *slash = name; (slash = strchr(slash, '/')) != NULL; slash++) {
		*slash = '\0';
		CU_ASSERT_EQUAL(mkdir(inside(name), 0700), 0);
		*slash = '/';
	}
	CU_ASSERT_EQUAL(mkdir(inside(name), 0700), 0);
	CU_ASSERT_EQUAL(crimg_sysroot_debug_file(&view, id20, 20), -1);
	strcat(name, "/b2c3d405060708090a0b0c0d0e0f1011121314.debug");
	put(name, &t, sizeof t);
	int fd = crimg_sysroot_debug_file(&view, id20, 20);
	CU_ASSERT_TRUE(fd >= 0 && fstat(fd, &st) == 0 && st.st_size == (off_t)sizeof t);
	close(fd);
	t.id[19] = 0;
	put(name, &t, sizeof t); // under that name, but another one
	CU_ASSERT_EQUAL(crimg_sysroot_debug_file(&view, id20, 20), -1);
	CU_ASSERT_EQUAL(crimg_sysroot_debug_file(&view, id20, 1), -1);
	end();
}

// The bytes of the file end where the task would have met SIGBUS.
static void test_bytes(void)
{
	struct crimg_image *image = NULL;
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_file_identity id;
	char path[512];
	uint8_t data[8192], back[8192];
	begin(folder);
	snprintf(path, sizeof path, "%s/criu/l-mem", samples);
	CU_ASSERT_EQUAL_FATAL(crimg_image_open(path, NULL, "/tmp", &image, &err), 0);
	view.image = image;
	CU_ASSERT_EQUAL(crimg_files_load(image, &view.files, &err), 0);
	RegFileEntry *reg = NULL;
	uint32_t number = 0;
	for (size_t i = 0; i < view.files.count && reg == NULL; i++)
		if (view.files.list[i].type == FD_TYPES__REG && view.files.list[i].remap == NULL) {
			memcpy(&reg, &view.files.list[i].message, sizeof reg); // ours for now
			number = view.files.list[i].id;
		}
	CU_ASSERT_PTR_NOT_NULL_FATAL(reg);
	char name[] = "/bytes";
	reg->name = name;
	reg->size = 5000;
	reg->n_build_id = 0;
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)(i * 7 + 1);
	put("bytes", data, 5000);
	VmaEntry vma = VMA_ENTRY__INIT;
	struct crimg_area area = { .vma = &vma };
	vma.shmid = number;
	CU_ASSERT_FALSE(crimg_area_identity(&view, &area, &id)); // anonymous
	CU_ASSERT_EQUAL(crimg_sysroot_bytes(&view, &area, 0, back, 10, &err), 0);
	vma.status = CRIMG_VMA_FILE_PRIVATE;
	CU_ASSERT_TRUE(crimg_area_identity(&view, &area, &id));
	CU_ASSERT_STRING_EQUAL(id.path, "/bytes");
	CU_ASSERT_EQUAL(id.size, 5000);
	CU_ASSERT_EQUAL(crimg_sysroot_bytes(&view, &area, 0, back, 8192, &err), 1);
	CU_ASSERT_EQUAL(memcmp(back, data, 5000), 0);
	CU_ASSERT_TRUE(back[5000] == 0 && memcmp(back + 5000, back + 5001, 3191) == 0);
	CU_ASSERT_EQUAL(crimg_sysroot_bytes(&view, &area, 4090, back, 20, &err), 1);
	CU_ASSERT_EQUAL(memcmp(back, data + 4090, 20), 0);
	CU_ASSERT_EQUAL(crimg_sysroot_bytes(&view, &area, 8192, back, 1, &err), 0);
	CU_ASSERT_EQUAL(crimg_sysroot_bytes(&view, &area, 8191, back, 2, &err), 0);
	CU_ASSERT_EQUAL(crimg_sysroot_bytes(&view, &area, UINT64_MAX, back, 2, &err), 0);
	CU_ASSERT_EQUAL(err.code, CRIMG_OK);
	CU_ASSERT_EQUAL(truncate(inside("bytes"), 100), 0);
	CU_ASSERT_EQUAL(crimg_sysroot_bytes(&view, &area, 50, back, 100, &err), -1);
	crimg_err_format(&err, path, sizeof path);
	CU_ASSERT_STRING_EQUAL(
		path, "/bytes: offset 100 (0x64): the file in the sysroot was cut short meanwhile");
	vma.shmid = UINT64_C(1) << 32 | number;
	CU_ASSERT_FALSE(crimg_area_identity(&view, &area, &id));
	crimg_files_fini(&view.files);
	crimg_image_close(image);
	end();
}

// A deleted file is not the one that has its name now; the link that CRIU made of it is.
static void test_deleted(void)
{
	char name[] = "/log", kept[] = "/link_remap.1";
	RegFileEntry reg = REG_FILE_ENTRY__INIT, link = REG_FILE_ENTRY__INIT;
	RemapFilePathEntry remap = REMAP_FILE_PATH_ENTRY__INIT;
	struct crimg_file files[] = {
		{ .type = FD_TYPES__REG, .id = 1, .message = &reg, .remap = &remap },
		{ .type = FD_TYPES__REG, .id = 2, .message = &link, .path = &link },
	};
	VmaEntry vma = VMA_ENTRY__INIT;
	struct crimg_area area = { .vma = &vma };
	struct crimg_file_identity id;
	reg.name = name;
	link.name = kept;
	reg.has_size = true;
	remap.remap_id = 2;
	vma.shmid = 1;
	vma.status = CRIMG_VMA_FILE_SHARED;
	begin(folder);
	view.files = (struct crimg_files){ files, 2 };
	CU_ASSERT_TRUE(crimg_area_identity(&view, &area, &id));
	CU_ASSERT_STRING_EQUAL(id.path, "/link_remap.1");
	CU_ASSERT_PTR_NULL(id.gone);
	remap.has_remap_type = true;
	remap.remap_type = REMAP_TYPE__GHOST;
	CU_ASSERT_TRUE(crimg_area_identity(&view, &area, &id));
	CU_ASSERT_STRING_EQUAL(id.path, "/log");
	CU_ASSERT_STRING_EQUAL(id.gone, "was deleted");
	remap.has_remap_type = false;
	remap.remap_id = 0x80000002;
	CU_ASSERT_TRUE(crimg_area_identity(&view, &area, &id));
	CU_ASSERT_STRING_EQUAL(id.gone, "was deleted");
	end();
}

static void test_hostile_elf(void)
{
	struct {
		Elf64_Ehdr e;
		Elf64_Shdr s;
	} many = { .e = tiny_make(20).e };
	struct tiny t = tiny_make(20);
	begin(folder);
	// Four thousand million sections, in a file that is large enough for them.
	many.e.e_shoff = sizeof many.e;
	many.e.e_shentsize = sizeof many.s;
	many.s.sh_size = UINT32_MAX;
	put("sections", &many, sizeof many);
	CU_ASSERT_EQUAL(truncate(inside("sections"), (off_t)1 << 40), 0);
	taken(sized("/sections", UINT64_C(1) << 40));
	CU_ASSERT_PTR_NULL(ask(sized("/sections", UINT64_C(1) << 40))->elf);
	many.s.sh_size = 1;
	many.s.sh_info = UINT32_MAX;
	many.e.e_phnum = PN_XNUM;
	put("segments", &many, sizeof many);
	CU_ASSERT_PTR_NULL(ask(sized("/segments", sizeof many))->elf);
	// A note that is as large as the file, a terabyte; notes that leave their segment.
	t.p.p_filesz = (UINT64_C(1) << 40) - t.p.p_offset;
	put("note", &t, sizeof t);
	CU_ASSERT_EQUAL(truncate(inside("note"), (off_t)1 << 40), 0);
	refused(with_id("/note", id20, 20), "differs: no build-id found, a1b2c3d4.. wanted");
	t = tiny_make(20);
	t.n.n_descsz = UINT32_MAX;
	put("descsz", &t, sizeof t);
	refused(with_id("/descsz", id20, 20), "differs: no build-id found, a1b2c3d4.. wanted");
	t = tiny_make(20);
	t.n.n_namesz = UINT32_MAX - 2;
	put("namesz", &t, sizeof t);
	refused(with_id("/namesz", id20, 20), "differs: no build-id found, a1b2c3d4.. wanted");
	// Cut anywhere.
	t = tiny_make(20);
	for (size_t i = 0; i < sizeof t; i++) {
		put("cut", &t, i);
		Elf *elf;
		int fd = open(inside("cut"), O_RDONLY);
		uint8_t id[CRIMG_MAX_BUILD_ID];
		if ((elf = crimg_elf_open(fd)) != NULL)
			CU_ASSERT_EQUAL(crimg_elf_build_id(elf, id, sizeof id), 0);
		elf_end(elf);
		close(fd);
	}
	t.e.e_ident[EI_DATA] = ELFDATA2MSB;
	put("big", &t, sizeof t);
	CU_ASSERT_PTR_NULL(ask(sized("/big", sizeof t))->elf);
	end();
}

int main(int argc, char **argv)
{
	static const struct suite_test tests[] = {
		{ "without a sysroot", test_none },
		{ "kinds of files", test_kinds },
		{ "links", test_links },
		{ "build-ids", test_build_id },
		{ "times", test_mtime },
		{ "the cache", test_cache },
		{ "debug files", test_debug_file },
		{ "bytes", test_bytes },
		{ "deleted files", test_deleted },
		{ "hostile ELF files", test_hostile_elf },
	};
	if (argc > 1)
		samples = argv[1];
	return SUITE_RUN("sysroot", up, down, tests);
}
