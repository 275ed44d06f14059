// Messages: the check of the wire form, decoding, encoding, and how much payload follows. Ids in brackets
// are those of SPEC.md.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/limits.h"
#include "format/schema.h"
#include "tests/suite.h"

static void check_refused(const ProtobufCMessageDescriptor *type, const char *data, size_t length,
                          enum crimg_code code, const char *wanted)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	struct crimg_arena arena = crimg_arena_make(CRIMG_MAX_DECODED_BYTES);
	char text[1024];
	CU_ASSERT_PTR_NULL(crimg_message_decode(type, (const uint8_t *)data, length, &arena, "f.img",
	                                        1000, &err));
	CU_ASSERT_EQUAL(err.code, code);
	crimg_err_format(&err, text, sizeof text);
	if (strcmp(text, wanted) != 0)
		printf("\n  found  %s\n  wanted %s\n", text, wanted);
	CU_ASSERT_STRING_EQUAL(text, wanted);
	crimg_arena_fini(&arena);
}
#define REFUSED(type, data, text)                                                                    \
	check_refused(&type##__descriptor, data, sizeof(data) - 1, CRIMG_E_WIRE, text)

static void test_wire_form(void)
{
	REFUSED(pstree_entry, "\x08",
	        "f.img: offset 1001 (0x3e9): pid: 1 bytes wanted, 0 left");
	REFUSED(pstree_entry, "\x08\1\x10\1\x18\1\x20",
	        "f.img: offset 1007 (0x3ef): sid: 1 bytes wanted, 0 left");
	check_refused(&pstree_entry__descriptor, "\x08\1\x10\1\x18\1", 6, CRIMG_E_REQUIRED,
	              "f.img: offset 1000 (0x3e8): pstree_entry: the required field sid is missing");
	REFUSED(pstree_entry, "\x0a\1x", "f.img: offset 1001 (0x3e9): field pid: wire type 2 found, 0 wanted");
	REFUSED(pstree_entry, "\0\1",
	        "f.img: offset 1000 (0x3e8): pstree_entry: field number 0 found, 1 to 536870911 wanted");
	REFUSED(pstree_entry, "\x80\x80\x80\x80\x10\0",
	        "f.img: offset 1000 (0x3e8): pstree_entry: field number 536870912 found, 1 to 536870911 "
	        "wanted");
	REFUSED(pstree_entry, "\x7b", "f.img: offset 1001 (0x3e9): unknown field: wire type 3 found, 0, 1, 2 "
	                              "or 5 wanted");
	REFUSED(pstree_entry, "\x2a\5\1\2",
	        "f.img: offset 1002 (0x3ea): threads: 5 bytes wanted, 2 left");
	REFUSED(pstree_entry, "\x2a\2\1\x80",
	        "f.img: offset 1003 (0x3eb): threads: 2 bytes wanted, 1 left");
	REFUSED(reg_file_entry, "\x32\3a\0b", "f.img: offset 1001 (0x3e9): field name: a NUL byte within a "
	                                      "string");
}

// Tags and lengths in more bytes than they need: protobuf-c takes 5 at most, so the check must not take
// more.
static void test_long_varints(void)
{
	static const uint8_t tag[] = { 0x88, 0x80, 0x80, 0x80, 0x80, 0x00, 1, 0x10, 1, 0x18, 1, 0x20, 1 };
	static const uint8_t length[] = { 0x6a, 0x81, 0x80, 0x80, 0x80, 0x80, 0x00, 'x', 8, 2 };
	struct crimg_arena arena = crimg_arena_make(CRIMG_MAX_DECODED_BYTES);
	struct crimg_err err = CRIMG_ERR_INIT;
	if (crimg_message_decode(&pstree_entry__descriptor, tag, sizeof tag, &arena, "f", 0, &err) == NULL)
		CU_ASSERT_EQUAL(err.code, CRIMG_E_WIRE);
	err = CRIMG_ERR_INIT;
	if (crimg_message_decode(&inventory_entry__descriptor, length, sizeof length, &arena, "f", 0,
	                         &err) == NULL)
		CU_ASSERT_EQUAL(err.code, CRIMG_E_WIRE);
	crimg_arena_fini(&arena);
}

// cgroup_dir_entry within itself, depth times; *length bytes.
static uint8_t *nest(size_t depth, size_t *length)
{
	uint8_t *data = malloc(depth * 8 + 16);
	CU_ASSERT_FATAL(data != NULL);
	size_t at = depth * 8 + 16, n = 0;
	for (size_t i = 0; i < depth; i++) {
		uint8_t head[8];
		size_t k = 0, v = n;
		if (i > 0) {
			head[k++] = 0x12; // children
			for (; v >= 0x80; v >>= 7)
				head[k++] = (uint8_t)(v | 0x80);
			head[k++] = (uint8_t)v;
			at -= k;
			memcpy(data + at, head, k);
			n += k;
		}
		at -= 2;
		memcpy(data + at, "\x0a\0", 2); // dir_name ""
		n += 2;
	}
	memmove(data, data + at, n);
	*length = n;
	return data;
}

// [R-0207] Nesting is bounded before anything is decoded.
static void test_depth(void)
{
	struct crimg_arena arena = crimg_arena_make(CRIMG_MAX_DECODED_BYTES);
	struct crimg_err err = CRIMG_ERR_INIT;
	size_t n;
	uint8_t *deep = nest(CRIMG_MAX_MESSAGE_DEPTH, &n);
	CU_ASSERT_PTR_NOT_NULL(crimg_message_decode(&cgroup_dir_entry__descriptor, deep, n, &arena, "f",
	                                            0, &err));
	CU_ASSERT_EQUAL(err.code, CRIMG_OK);
	free(deep);
	deep = nest(CRIMG_MAX_MESSAGE_DEPTH + 1, &n);
	CU_ASSERT_PTR_NULL(crimg_message_decode(&cgroup_dir_entry__descriptor, deep, n, &arena, "f", 0,
	                                        &err));
	CU_ASSERT_EQUAL(err.code, CRIMG_E_LIMIT);
	CU_ASSERT_STRING_EQUAL(err.text, "cgroup_dir_entry: messages nested more than 64 deep");
	free(deep);
	crimg_arena_fini(&arena);
}

// [R-0501] What a message takes once decoded is bounded too: two bytes of an empty message become dozens.
static void test_decoded_size(void)
{
	struct crimg_arena arena = crimg_arena_make(1 << 20);
	struct crimg_err err = CRIMG_ERR_INIT;
	size_t n = 200000;
	uint8_t *many = malloc(n + 2);
	CU_ASSERT_FATAL(many != NULL);
	for (size_t i = 0; i < n; i += 4)
		memcpy(many + i, "\x12\2\x0a\0", 4);
	memcpy(many + n, "\x0a\0", 2);
	CU_ASSERT_PTR_NULL(crimg_message_decode(&cgroup_dir_entry__descriptor, many, n + 2, &arena, "f",
	                                        0, &err));
	CU_ASSERT_EQUAL(err.code, CRIMG_E_LIMIT);
	CU_ASSERT_STRING_EQUAL(err.text, "cgroup_dir_entry: more than 1048576 bytes once decoded");
	free(many);
	crimg_arena_fini(&arena);
}

// [R-0206] Unknown fields survive decoding and encoding.
static void test_unknown(void)
{
	static const char data[] = "\x08\1\x10\2\x18\3\x20\4\xca\x3e\3abc\xd1\x3e" "12345678\xdd\x3e" "1234"
		"\xc0\x3e\x7f";
	struct crimg_arena arena = crimg_arena_make(CRIMG_MAX_DECODED_BYTES);
	struct crimg_buf out = CRIMG_BUF_INIT;
	struct crimg_err err = CRIMG_ERR_INIT;
	size_t n = sizeof data - 1;
	ProtobufCMessage *m = crimg_message_decode(&pstree_entry__descriptor, (const uint8_t *)data, n,
	                                           &arena, "f", 0, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_EQUAL(m->n_unknown_fields, 4);
	CU_ASSERT_EQUAL(crimg_message_encode(m, &out, &err), 0);
	CU_ASSERT_EQUAL(out.length, n);
	CU_ASSERT_EQUAL(memcmp(out.data, data, n), 0);
	crimg_buf_fini(&out);
	crimg_arena_fini(&arena);
}

static void test_packed(void)
{
	struct crimg_arena arena = crimg_arena_make(CRIMG_MAX_DECODED_BYTES);
	struct crimg_err err = CRIMG_ERR_INIT;
	static const char data[] = "\x08\1\x10\2\x18\3\x20\4\x2a\3\x7f\x80\1\x28\5";
	const void *m = crimg_message_decode(&pstree_entry__descriptor, (const uint8_t *)data,
	                                     sizeof data - 1, &arena, "f", 0, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	const PstreeEntry *p = m;
	CU_ASSERT_EQUAL(p->n_threads, 3);
	CU_ASSERT_EQUAL(p->threads[1], 128);
	CU_ASSERT_EQUAL(p->threads[2], 5);
	m = crimg_message_decode(&seccomp_entry__descriptor, NULL, 0, &arena, "f", 0, &err);
	CU_ASSERT_PTR_NOT_NULL(m);
	crimg_arena_fini(&arena);
}

static uint64_t payload(enum crimg_kind kind, const void *message, uint64_t rest)
{
	uint64_t length = 77;
	CU_ASSERT_EQUAL(crimg_payload_length(kind, message, rest, &length, NULL), 0);
	return length;
}

static void test_payload(void)
{
	PipeDataEntry pipe = PIPE_DATA_ENTRY__INIT;
	pipe.bytes = UINT32_MAX;
	CU_ASSERT_EQUAL(payload(CRIMG_KIND_PIPES_DATA, &pipe, 0), UINT32_MAX);
	TcpStreamEntry tcp = TCP_STREAM_ENTRY__INIT;
	tcp.inq_len = tcp.outq_len = UINT32_MAX;
	CU_ASSERT_EQUAL(payload(CRIMG_KIND_TCP_STREAM, &tcp, 0), 2 * (uint64_t)UINT32_MAX);
	IpcSemEntry sem = IPC_SEM_ENTRY__INIT;
	sem.nsems = 5;
	CU_ASSERT_EQUAL(payload(CRIMG_KIND_IPCNS_SEM, &sem, 0), 16);
	IpcShmEntry shm = IPC_SHM_ENTRY__INIT;
	shm.size = 5;
	CU_ASSERT_EQUAL(payload(CRIMG_KIND_IPCNS_SHM, &shm, 0), 8);
	shm.has_in_pagemaps = 1;
	shm.in_pagemaps = 1;
	CU_ASSERT_EQUAL(payload(CRIMG_KIND_IPCNS_SHM, &shm, 0), 0);
	shm.in_pagemaps = 0;
	shm.size = UINT64_MAX;
	struct crimg_err err = CRIMG_ERR_INIT;
	uint64_t length = 77;
	const void *m = &shm;
	CU_ASSERT_EQUAL(crimg_payload_length(CRIMG_KIND_IPCNS_SHM, m, 0, &length, &err), -1);
	CU_ASSERT_EQUAL(length, 77);
	GhostFileEntry ghost = GHOST_FILE_ENTRY__INIT;
	CU_ASSERT_EQUAL(payload(CRIMG_KIND_GHOST_FILE, &ghost, 1234), 1234);
	ghost.has_chunks = 1;
	ghost.chunks = 1;
	CU_ASSERT_EQUAL(payload(CRIMG_KIND_GHOST_FILE, &ghost, 1234), 0);
	GhostChunkEntry chunk = GHOST_CHUNK_ENTRY__INIT;
	chunk.len = 99;
	CU_ASSERT_EQUAL(payload(CRIMG_KIND_GHOST_FILE, &chunk, 1234), 99);
}

int main(void)
{
	static const struct suite_test tests[] = {
		{ "wire form", test_wire_form },
		{ "long varints", test_long_varints },
		{ "depth", test_depth },
		{ "size once decoded", test_decoded_size },
		{ "unknown fields", test_unknown },
		{ "packed fields", test_packed },
		{ "payload", test_payload },
	};
	return SUITE_RUN("messages", NULL, NULL, tests);
}
