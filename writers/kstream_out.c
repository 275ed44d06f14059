// Records into a buffer, pages as gaps.
#include "writers/kstream_out.h"

#include <stdlib.h>
#include <string.h>

void kstream_out_fini(struct kstream_out *o)
{
	crimg_buf_fini(&o->heads);
	free(o->gaps);
	free(o->pieces.list);
	*o = (struct kstream_out){ .rc2 = false };
}

void kstream_fail(struct kstream_out *o, const struct crimg_err *err)
{
	if (o->err.code == CRIMG_OK)
		o->err = *err;
}

void kstream_bytes(struct kstream_out *o, const void *data, size_t length)
{
	if (!kstream_failed(o))
		(void)(crimg_buf_append(&o->heads, data, length, &o->err) < 0);
}

void kstream_u8(struct kstream_out *o, unsigned value)
{
	uint8_t byte = (uint8_t)value;
	kstream_bytes(o, &byte, 1);
}

void kstream_u16(struct kstream_out *o, unsigned value)
{
	uint8_t bytes[2];
	crimg_put_u16(bytes, (uint16_t)value);
	kstream_bytes(o, bytes, sizeof bytes);
}

void kstream_u32(struct kstream_out *o, uint32_t value)
{
	uint8_t bytes[4];
	crimg_put_u32(bytes, value);
	kstream_bytes(o, bytes, sizeof bytes);
}

void kstream_ref(struct kstream_out *o, int32_t value)
{
	kstream_u32(o, (uint32_t)value);
}

void kstream_u64(struct kstream_out *o, uint64_t value)
{
	uint8_t bytes[8];
	crimg_put_u64(bytes, value);
	kstream_bytes(o, bytes, sizeof bytes);
}

void kstream_zeros(struct kstream_out *o, size_t length)
{
	static const uint8_t zeros[512];
	for (; length > sizeof zeros; length -= sizeof zeros)
		kstream_bytes(o, zeros, sizeof zeros);
	kstream_bytes(o, zeros, length);
}

void kstream_text(struct kstream_out *o, const char *text, size_t width)
{
	size_t length = strnlen(text, width - 1);
	kstream_bytes(o, text, length);
	kstream_zeros(o, width - length);
}

void kstream_begin_type(struct kstream_out *o, uint32_t type)
{
	o->record = o->heads.length;
	o->record_gaps = o->gap_bytes;
	kstream_u32(o, type);
	kstream_u32(o, 0);
}

// v20 has no PIDS, so its types from TREE on are one less, and no HPAGE.
void kstream_begin(struct kstream_out *o, uint32_t kind)
{
	bool shifted = kind > CRIMG_LCR_PIDS && kind <= CRIMG_LCR_TASK_CREDS;
	if (!o->rc2 && (shifted || kind == CRIMG_LCR_MM_CONTEXT))
		kind--;
	kstream_begin_type(o, kind);
}

static int add_gap(struct kstream_out *o, uint64_t length)
{
	struct kstream_gap *last = o->gap_count > 0 ? &o->gaps[o->gap_count - 1] : NULL;
	void *array = o->gaps;
	if (last != NULL && last->head == o->heads.length) {
		last->length += length;
		return 0;
	}
	if (crimg_grow(&array, &o->gap_capacity, o->gap_count, sizeof *o->gaps, &o->err) < 0)
		return -1;
	o->gaps = array;
	o->gaps[o->gap_count++] = (struct kstream_gap){ o->heads.length, length };
	return 0;
}

void kstream_pages(struct kstream_out *o, uint64_t payload, uint64_t from, uint64_t length)
{
	void *array = o->pieces.list;
	if (length == 0 || kstream_failed(o) || add_gap(o, length) < 0
	    || crimg_grow(&array, &o->pieces.capacity, o->pieces.count, sizeof *o->pieces.list,
	                  &o->err) < 0)
		return;
	o->pieces.list = array;
	o->pieces.list[o->pieces.count++] = (struct scatter_piece){
		.payload = payload, .from = from, .length = length, .to = kstream_size(o),
	};
	o->gap_bytes += length;
}

void kstream_end(struct kstream_out *o)
{
	uint64_t length = o->heads.length - o->record + (o->gap_bytes - o->record_gaps);
	if (kstream_failed(o))
		return;
	if (length > UINT32_MAX)
		crimg_fail(&o->err, CRIMG_E_LIMIT, NULL, CRIMG_NO_OFFSET,
		           "a record of %llu bytes, less than 4 GiB wanted",
		           (unsigned long long)length);
	else
		crimg_put_u32(o->heads.data + o->record + 4, (uint32_t)length);
}

int kstream_out_write(const struct kstream_out *o, struct crimg_sink *sink, struct crimg_err *err)
{
	size_t done = 0;
	uint64_t at = 0;
	for (size_t i = 0; i <= o->gap_count; i++) {
		size_t end = i < o->gap_count ? o->gaps[i].head : o->heads.length;
		if (end > done
		    && crimg_sink_write(sink, at, o->heads.data + done, end - done, err) < 0)
			return -1;
		at += end - done + (i < o->gap_count ? o->gaps[i].length : 0);
		done = end;
	}
	return 0;
}
