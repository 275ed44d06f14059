// Finding, in the text of a task, the instructions that lead it to rt_sigreturn. Knows their bytes; the
// task need not be stopped. Source: AMD64 manual vol. 3.
#include "producer/remote.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/checked.h"
#include "producer/proc.h"

#define CHUNK_BYTES (256u << 10)
#define LINE_BYTES 256u // of maps: more than we look at
#define LONGEST 9 // bytes of the longest pattern

// What the search has met so far: a restorer ends it, the other two together do as well.
struct search {
	uint64_t restorer, pop, syscall, syscall_ret;
	uint64_t hint; // where another process has a restorer, or 0
	bool returns;  // a `syscall; ret` is looked for
	bool in_files; // look at programs and libraries, else at what was made at run time
};

static const uint8_t restorer64[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};
static const uint8_t restorer32[] = {0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05};
static const uint8_t pop_ret[] = {0x58, 0xc3};
static const uint8_t syscall_only[] = {0x0f, 0x05};
static const uint8_t syscall_ret[] = {0x0f, 0x05, 0xc3};

static const struct pattern {
	const uint8_t *bytes;
	size_t length, found_at; // offset in struct search
} patterns[] = {
	{restorer64, sizeof restorer64, offsetof(struct search, restorer)},
	{restorer32, sizeof restorer32, offsetof(struct search, restorer)},
	{pop_ret, sizeof pop_ret, offsetof(struct search, pop)},
	{syscall_only, sizeof syscall_only, offsetof(struct search, syscall)},
	{syscall_ret, sizeof syscall_ret, offsetof(struct search, syscall_ret)},
};

static void look(const uint8_t *data, size_t length, uint64_t address, struct search *s)
{
	for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
		uint64_t *found = (uint64_t *)(void *)((char *)s + patterns[i].found_at);
		const uint8_t *p = *found != 0 ? NULL
					       : memmem(data, length, patterns[i].bytes,
							patterns[i].length);
		if (p != NULL)
			*found = address + (uint64_t)(p - data);
	}
}

static bool is_found(const struct search *s)
{
	return s->returns ? s->syscall_ret != 0 : s->restorer != 0;
}

// Whether the place that another process has is one here, too.
static void look_at(pid_t tid, uint64_t start, uint64_t end, uint64_t place, struct search *s)
{
	uint8_t there[LONGEST];
	struct crimg_err ignored = CRIMG_ERR_INIT;
	if (place < start || place > end - LONGEST
	    || crimg_proc_get(tid, place, there, LONGEST, &ignored) < 0)
		return;
	if (memcmp(there, restorer64, sizeof restorer64) == 0
	    || memcmp(there, restorer32, sizeof restorer32) == 0)
		s->restorer = place;
}

// What cannot be read (a file cut short behind its mapping) is passed over.
static void look_through(pid_t tid, uint64_t start, uint64_t end, uint8_t *chunk, struct search *s)
{
	struct crimg_err ignored = CRIMG_ERR_INIT;
	for (uint64_t at = start; at + LONGEST <= end && !is_found(s);) {
		size_t n = (size_t)crimg_min_u64(end - at, CHUNK_BYTES);
		if (crimg_proc_get(tid, at, chunk, n, &ignored) < 0)
			return;
		look(chunk, n, at, s);
		if (at + n == end)
			return;
		at += n - LONGEST;
	}
}

// "start-end r-xp offset dev inode path"
static void look_at_area(pid_t tid, const char *line, uint8_t *chunk, struct search *s,
			 struct crimg_remote_gate *gate)
{
	uint64_t start, end;
	char perms[5];
	int path = 0;
	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %*x %*s %*u %n", &start, &end, perms, &path) != 3)
		return;
	if (strncmp(line + path, "[stack]", 7) == 0) {
		gate->stack_start = start;
		gate->stack_end = end;
	}
	// Text that nobody may write; the vsyscall page only looks like it.
	bool of_file = line[path] == '/' || strncmp(line + path, "[vdso]", 6) == 0;
	if (!is_found(s) && strncmp(perms, "r-x", 3) == 0 && of_file == s->in_files
	    && strncmp(line + path, "[vsyscall]", 10) != 0) {
		if (s->hint != 0)
			look_at(tid, start, end, s->hint, s);
		else
			look_through(tid, start, end, chunk, s);
	}
}

static void search_maps(pid_t tid, const char *maps, uint8_t *chunk, struct search *s,
			struct crimg_remote_gate *gate)
{
	char line[LINE_BYTES];
	for (const char *next = maps; next != NULL && *next != '\0';) {
		next = crimg_proc_line(next, line, sizeof line);
		look_at_area(tid, line, chunk, s, gate);
	}
}

static int choose(pid_t tid, const struct search *s, struct crimg_remote_gate *gate,
		  struct crimg_err *err)
{
	if (s->restorer == 0 && (s->pop == 0 || s->syscall == 0))
		return crimg_fail(err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
				  "task %d: its text has neither `mov $15,%%eax; syscall` nor `pop "
				  "%%rax; ret` and `syscall`: it cannot make system calls for us",
				  (int)tid);
	gate->start = s->restorer != 0 ? s->restorer : s->pop;
	gate->syscall = s->restorer != 0 ? 0 : s->syscall;
	return 0;
}

static int search_text(pid_t tid, struct search *s, struct crimg_remote_gate *gate, struct crimg_err *err)
{
	struct crimg_buf maps = CRIMG_BUF_INIT;
	uint8_t *chunk = malloc(CHUNK_BYTES);
	int rc = chunk == NULL ? crimg_fail_nomem(err, CHUNK_BYTES) : crimg_proc_read(tid, "maps", &maps, err);
	const char *text = (const char *)maps.data;
	s->in_files = true;
	if (rc == 0)
		search_maps(tid, text, chunk, s, gate);
	if (rc == 0 && s->hint != 0 && !is_found(s)) {
		s->hint = 0;
		search_maps(tid, text, chunk, s, gate);
	}
	s->in_files = false;
	if (rc == 0 && !is_found(s) && (s->returns || s->pop == 0 || s->syscall == 0))
		search_maps(tid, text, chunk, s, gate);
	crimg_buf_fini(&maps);
	free(chunk);
	return rc;
}

int crimg_remote_find_gate(pid_t tid, const struct crimg_remote_gate *like, struct crimg_remote_gate *out,
                           struct crimg_err *err)
{
	struct search s = {.hint = like != NULL && like->syscall == 0 ? like->start : 0};
	struct crimg_remote_gate gate = {0};
	if (search_text(tid, &s, &gate, err) < 0 || choose(tid, &s, &gate, err) < 0)
		return -1;
	*out = gate;
	return 0;
}

int crimg_remote_find_return(pid_t tid, uint64_t *out, struct crimg_err *err)
{
	struct search s = {.returns = true};
	struct crimg_remote_gate ignored = {0};
	if (search_text(tid, &s, &ignored, err) < 0)
		return -1;
	*out = s.syscall_ret;
	return 0;
}
