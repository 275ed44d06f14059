// Values, counts and processes in words.
#include "diff/show.h"

#include <inttypes.h>
#include <string.h>

#include "format/text_add.h"

#define BYTES_SHOWN 32u

static bool is_text(const struct crimg_value *v)
{
	for (size_t i = 0; i < v->length; i++)
		if (v->data[i] < 0x20 || v->data[i] > 0x7e)
			return v->data[i] == '\n' || v->data[i] == '\t';
	return v->length > 0;
}

static void bytes_text(const struct crimg_value *v, char *out, size_t size)
{
	size_t shown = v->length < BYTES_SHOWN ? v->length : BYTES_SHOWN;
	char text[4 * BYTES_SHOWN + 1];
	out[0] = '\0';
	if (v->length == 0) {
		snprintf(out, size, "(none)");
	} else if (is_text(v)) {
		crimg_safe_text(text, sizeof text, (const char *)v->data, shown);
		snprintf(out, size, "\"%s\"%s", text, shown < v->length ? "…" : "");
	} else {
		for (size_t i = 0; i < shown; i++)
			crimg_text_add(out, size, "%02x", (unsigned)v->data[i]);
		crimg_text_add(out, size, "%s (%zu B)", shown < v->length ? "…" : "", v->length);
	}
}

char *crimg_value_text(const struct crimg_value *v, char *out, size_t size)
{
	char text[CRIMG_NUMBER_MAX];
	switch (v->kind) {
	case CRIMG_VALUE_NONE:
		snprintf(out, size, "(none)");
		break;
	case CRIMG_VALUE_TEXT:
		crimg_safe_text(out, size, v->text, strlen(v->text));
		if (out[0] == '\0')
			snprintf(out, size, "\"\"");
		break;
	case CRIMG_VALUE_NUMBER:
		if (v->field == NULL)
			snprintf(out, size, "%" PRIu64, v->number);
		else
			snprintf(out, size, "%s",
			         (crimg_number_text(v->field, v->hint, v->number, text, sizeof text), text));
		break;
	case CRIMG_VALUE_HEX:
		snprintf(out, size, "0x%" PRIx64, v->number);
		if (v->text != NULL && v->text[0] != '\0') {
			crimg_safe_text(text, sizeof text, v->text, strlen(v->text));
			crimg_text_add(out, size, " %s", text);
		}
		break;
	case CRIMG_VALUE_BYTES:
		bytes_text(v, out, size);
		break;
	case CRIMG_VALUE_MESSAGE:
		if (crimg_message_text(v->message, v->hint, text, sizeof text))
			crimg_safe_text(out, size, text, strlen(text));
		else
			snprintf(out, size, "%s …", v->message->descriptor->name);
		break;
	}
	return out;
}

char *crimg_change_counts(const uint64_t counts[CRIMG_CHANGES], char *out, size_t size)
{
	out[0] = '\0';
	for (int w = 0; w < CRIMG_CHANGES; w++)
		if (counts[w] > 0)
			crimg_text_add(out, size, "%s%" PRIu64 " %s", out[0] != '\0' ? ", " : "", counts[w],
			               crimg_change_word((enum crimg_change_what)w));
	return out;
}

char *crimg_page_counts(const uint64_t counts[CRIMG_PAGES_KINDS], char *out, size_t size)
{
	out[0] = '\0';
	for (int k = 0; k < CRIMG_PAGES_KINDS; k++)
		if (counts[k] > 0 && k != CRIMG_PAGES_SAME && k != CRIMG_PAGES_UNTOLD)
			crimg_text_add(out, size, "%s%" PRIu64 " %s", out[0] != '\0' ? ", " : "", counts[k],
			               crimg_pages_word((enum crimg_pages_kind)k));
	return out;
}

char *crimg_pair_text(const struct crimg_task_pair *p, char *out, size_t size)
{
	const struct crimg_task *a = p->task[0], *b = p->task[1];
	const char *comm = crimg_task_comm(b != NULL ? b : a);
	char name[64];
	crimg_safe_text(name, sizeof name, comm, strlen(comm));
	if (a != NULL && b != NULL && a->pid != b->pid)
		snprintf(out, size, "%" PRIu32 " → %" PRIu32 " %s", a->pid, b->pid, name);
	else
		snprintf(out, size, "%" PRIu32 " %s", b != NULL ? b->pid : a->pid, name);
	return out;
}
