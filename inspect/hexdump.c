// Lines of 16 bytes, made by hand: a dump of memory has millions of them.
#include "inspect/hexdump.h"

#include <string.h>

#include "format/checked.h"

struct crimg_hexdump crimg_hexdump_make(struct crimg_view *view, bool is_32, uint64_t address)
{
	return (struct crimg_hexdump){ .view = view, .digits = crimg_address_digits(is_32),
		                       .address = address };
}

static void put(struct crimg_view *view, const char *text, size_t length)
{
	if (crimg_buf_append(view->out, text, length, &view->fault) < 0)
		return; // noted in fault
	crimg_view_flush(view);
}

static void put_line(struct crimg_hexdump *h, const uint8_t *data, size_t length)
{
	char text[CRIMG_HEXDUMP_LINE_MAX];
	size_t n = crimg_hexdump_line(text, h->digits, h->address, data, length);
	text[n++] = '\n';
	put(h->view, text, n);
}

static void full_line(struct crimg_hexdump *h, const uint8_t *data)
{
	bool same = h->has_last && memcmp(h->last, data, sizeof h->last) == 0;
	if (!same || h->view->options->all)
		put_line(h, data, CRIMG_HEXDUMP_BYTES);
	else if (!h->folding)
		put(h->view, "*\n", 2);
	h->folding = same;
	h->has_last = true;
	memcpy(h->last, data, sizeof h->last);
	h->address += CRIMG_HEXDUMP_BYTES;
}

void crimg_hexdump_bytes(struct crimg_hexdump *h, const uint8_t *data, size_t length)
{
	size_t at = h->held > 0 ? (size_t)crimg_min_u64(length, CRIMG_HEXDUMP_BYTES - h->held) : 0;
	memcpy(h->line + h->held, data, at);
	h->held += at;
	if (h->held == CRIMG_HEXDUMP_BYTES) {
		full_line(h, h->line);
		h->held = 0;
	}
	for (; length - at >= CRIMG_HEXDUMP_BYTES && !crimg_view_failed(h->view);
	     at += CRIMG_HEXDUMP_BYTES)
		full_line(h, data + at);
	if (h->held == 0 && length - at < CRIMG_HEXDUMP_BYTES) {
		memcpy(h->line, data + at, length - at);
		h->held = length - at;
	}
}

// Two lines of zeros, then all others at once: they are folded.
void crimg_hexdump_zeros(struct crimg_hexdump *h, uint64_t length)
{
	static const uint8_t zeros[4 * CRIMG_HEXDUMP_BYTES];
	const uint64_t few = 3 * CRIMG_HEXDUMP_BYTES;
	if (length > few && !h->view->options->all) {
		crimg_hexdump_bytes(h, zeros, few); // the last of them is folded
		uint64_t skip = (length - few) / CRIMG_HEXDUMP_BYTES * CRIMG_HEXDUMP_BYTES;
		h->address += skip;
		length -= few + skip;
	}
	while (length > 0 && !crimg_view_failed(h->view)) {
		size_t n = (size_t)crimg_min_u64(length, sizeof zeros);
		crimg_hexdump_bytes(h, zeros, n);
		length -= n;
	}
}

void crimg_hexdump_end(struct crimg_hexdump *h)
{
	char text[CRIMG_HEXDUMP_LINE_MAX];
	if (h->held > 0) {
		put_line(h, h->line, h->held);
	} else if (h->folding && !h->view->options->all) {
		char *p = crimg_hexdump_address(text, h->digits, h->address);
		*p++ = '\n';
		put(h->view, text, (size_t)(p - text));
	}
	h->address += h->held;
	h->held = 0;
	h->folding = h->has_last = false;
}
