// The error value: one failed call, told once, with the place in the input where it failed.
// Knows nothing of printing. Errors are not findings: an error means "this call cannot go on".
#ifndef CRIMG_FORMAT_ERR_H
#define CRIMG_FORMAT_ERR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CRIMG_MUST_CHECK __attribute__((warn_unused_result))
#define CRIMG_PRINTF(f, a) __attribute__((format(printf, f, a)))

enum crimg_code {
	CRIMG_OK = 0,
	CRIMG_E_IO,          // the operating system refused: sys_errno tells why
	CRIMG_E_NOMEM,       // an allocation was denied
	CRIMG_E_FORMAT,      // the input is damaged: found and wanted are in the text
	CRIMG_E_MAGIC,       // the same, and it is the magic number
	CRIMG_E_CUT,         // the same, and it ends too early
	CRIMG_E_WIRE,        // the same, and it is the encoding of a message
	CRIMG_E_REQUIRED,    // the same, and it is a required field that is not there
	CRIMG_E_CHECKSUM,    // the same, and it is a checksum that is wrong
	CRIMG_E_LIMIT,       // the input asks for more than a limit allows
	CRIMG_E_UNSUPPORTED, // the input is right, but this cannot be done with it
	CRIMG_E_NOTFOUND,    // what was asked for is not there
	CRIMG_E_USAGE,       // the caller's arguments are wrong
	CRIMG_E_LOSS,        // the conversion would drop something
};

#define CRIMG_ERR_SOURCE_MAX 320
#define CRIMG_ERR_TEXT_MAX 480

// Fixed size, owned by the caller, initialise with CRIMG_ERR_INIT. The first error wins: once code is
// not CRIMG_OK, further crimg_fail() calls change nothing.
struct crimg_err {
	enum crimg_code code;
	int sys_errno;       // 0 when the operating system had no part in it
	bool has_offset;
	uint64_t offset;     // bytes from the start of source
	char source[CRIMG_ERR_SOURCE_MAX]; // file or member name, "" when there is none
	char text[CRIMG_ERR_TEXT_MAX];     // one phrase: what was found, what was wanted
};

#define CRIMG_ERR_INIT ((struct crimg_err){ .code = CRIMG_OK })
#define CRIMG_NO_OFFSET UINT64_MAX

// Fills err (if it is still CRIMG_OK) and returns -1, so that "return crimg_fail(...)" reads well.
// source may be NULL; offset may be CRIMG_NO_OFFSET. err may be NULL: then only -1 is returned.
int crimg_fail(struct crimg_err *err, enum crimg_code code, const char *source, uint64_t offset,
               const char *fmt, ...) CRIMG_PRINTF(5, 6);

// The same for a failed system call: the text gets ": " and the name of sys_errno appended.
int crimg_fail_sys(struct crimg_err *err, int sys_errno, const char *source, const char *fmt, ...)
	CRIMG_PRINTF(4, 5);

// The same for a denied allocation of `size` bytes (0: unknown).
int crimg_fail_nomem(struct crimg_err *err, size_t size);

// Writes "source: offset N (0xN): text" into out (always terminated, cut at size). Control bytes that
// came from an image are shown as \xNN, so a hostile name cannot drive a terminal.
void crimg_err_format(const struct crimg_err *err, char *out, size_t size);

// Copies at most size-1 bytes of text into out, control and non-UTF-8 bytes as \xNN. Returns out.
char *crimg_safe_text(char *out, size_t size, const char *text, size_t length);

#endif
