// For programs: one object, its changes in an array, written as they are found.
#include "diff/show.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "diff/changed_lines.h"
#include "diff/tell.h"
#include "format/json_message.h"

#define KEEP ((size_t)1 << 16) // bytes that gather before they are written

struct json {
	struct crimg_diff *d;
	const struct crimg_diff_show *show;
	FILE *out;
	struct crimg_buf buf;
	struct crimg_json j;
	struct crimg_err fault;
};

static void write_out(struct json *s, size_t above)
{
	if (s->buf.length <= above || s->fault.code != CRIMG_OK)
		return;
	if (fwrite(s->buf.data, 1, s->buf.length, s->out) != s->buf.length)
		crimg_fail_sys(&s->fault, errno, "standard output", "cannot be written");
	s->buf.length = 0;
}

static void hex_text(struct crimg_json *j, const char *key, const uint8_t *data, size_t length)
{
	static const char digits[] = "0123456789abcdef";
	struct crimg_err err = CRIMG_ERR_INIT;
	char *text = malloc(2 * length + 1);
	if (text == NULL) {
		crimg_fail_nomem(&err, 2 * length);
		crimg_json_fail(j, &err);
		return;
	}
	for (size_t i = 0; i < length; i++) {
		text[2 * i] = digits[data[i] >> 4];
		text[2 * i + 1] = digits[data[i] & 15];
	}
	crimg_json_text_n(j, key, text, 2 * length);
	free(text);
}

static void value_json(struct crimg_json *j, const char *key, const struct crimg_value *v)
{
	switch (v->kind) {
	case CRIMG_VALUE_NONE:
		crimg_json_null(j, key);
		break;
	case CRIMG_VALUE_TEXT:
		crimg_json_text(j, key, v->text);
		break;
	case CRIMG_VALUE_NUMBER:
		if (v->field != NULL)
			crimg_number_json(j, key, v->field, v->hint, v->number);
		else
			crimg_json_u64(j, key, v->number);
		break;
	case CRIMG_VALUE_HEX:
		crimg_json_hex(j, key, v->number);
		break;
	case CRIMG_VALUE_BYTES:
		hex_text(j, key, v->data, v->length);
		break;
	case CRIMG_VALUE_MESSAGE:
		crimg_json_object(j, key);
		crimg_json_message(j, v->message, true);
		crimg_json_end(j);
		break;
	}
}

static void number_or_null(struct crimg_json *j, const char *key, bool has, uint64_t number)
{
	if (has)
		crimg_json_u64(j, key, number);
	else
		crimg_json_null(j, key);
}

static void pair_json(struct crimg_json *j, const struct crimg_task_pair *p)
{
	if (p == NULL) {
		crimg_json_null(j, "process");
		return;
	}
	const struct crimg_task *a = p->task[CRIMG_A], *b = p->task[CRIMG_B];
	crimg_json_object(j, "process");
	number_or_null(j, "a", a != NULL, a != NULL ? a->pid : 0);
	number_or_null(j, "b", b != NULL, b != NULL ? b->pid : 0);
	crimg_json_text(j, "name", crimg_task_comm(b != NULL ? b : a));
	crimg_json_end(j);
}

static void thread_json(struct crimg_json *j, const struct crimg_thread_pair *p)
{
	if (p == NULL) {
		crimg_json_null(j, "thread");
		return;
	}
	const struct crimg_thread *a = p->thread[CRIMG_A], *b = p->thread[CRIMG_B];
	crimg_json_object(j, "thread");
	number_or_null(j, "a", a != NULL, a != NULL ? a->tid : 0);
	number_or_null(j, "b", b != NULL, b != NULL ? b->tid : 0);
	crimg_json_end(j);
}

static void on_change(void *context, const struct crimg_change *c)
{
	struct json *s = context;
	struct crimg_json *j = &s->j;
	if (s->show->stat)
		return;
	crimg_json_object(j, NULL);
	crimg_json_text(j, "group", crimg_diff_group_word(c->group));
	crimg_json_text(j, "what", crimg_change_word(c->what));
	pair_json(j, c->pair);
	thread_json(j, c->thread);
	crimg_json_text(j, "subject", c->subject);
	crimg_json_text(j, "name", c->name != NULL && c->name[0] != '\0' ? c->name : NULL);
	crimg_json_text(j, "field", c->field);
	value_json(j, "a", &c->value[CRIMG_A]);
	value_json(j, "b", &c->value[CRIMG_B]);
	for (int side = CRIMG_A; side <= CRIMG_B; side++)
		if (c->value[side].kind == CRIMG_VALUE_HEX && c->value[side].text != NULL
		    && c->value[side].text[0] != '\0')
			crimg_json_text(j, side == CRIMG_A ? "a_where" : "b_where", c->value[side].text);
	crimg_json_bool(j, "folded", c->folded);
	crimg_json_end(j);
	write_out(s, KEEP);
}

static void on_line(void *context, const struct crimg_changed_line *l)
{
	struct json *s = context;
	crimg_json_object(&s->j, NULL);
	crimg_json_hex(&s->j, "address", l->address);
	hex_text(&s->j, "a", l->bytes[CRIMG_A], CRIMG_HEXDUMP_BYTES);
	hex_text(&s->j, "b", l->bytes[CRIMG_B], CRIMG_HEXDUMP_BYTES);
	crimg_json_end(&s->j);
	write_out(s, KEEP);
}

static void lines_json(struct json *s, const struct crimg_page_change *c)
{
	struct crimg_line_visitor visitor = { on_line, s, s->show->context };
	crimg_json_array(&s->j, "lines");
	bool told = c->range->kind != CRIMG_PAGES_CHANGED
		|| crimg_changed_lines(c, &visitor, &s->d->damage) == 0;
	crimg_json_end(&s->j);
	if (!told)
		crimg_json_bool(&s->j, "lines_complete", false); // why is in error
}

static bool is_segment(const struct crimg_page_change *c)
{
	return c->segment != NULL && c->map[CRIMG_A].kind == CRIMG_KIND_PAGEMAP_SHMEM;
}

static void on_pages(void *context, const struct crimg_page_change *c)
{
	struct json *s = context;
	struct crimg_json *j = &s->j;
	const struct crimg_pages_range *r = c->range;
	if (s->show->stat)
		return;
	crimg_json_object(j, NULL);
	crimg_json_text(j, "group", is_segment(c) ? "shared_memory" : "pages");
	crimg_json_text(j, "what", crimg_pages_word(r->kind));
	pair_json(j, c->pair);
	if (c->segment != NULL) {
		crimg_json_text(j, "name", c->segment);
		crimg_json_object(j, is_segment(c) ? "segment" : "page_map");
		crimg_json_u64(j, "a", c->map[CRIMG_A].id);
		crimg_json_u64(j, "b", c->map[CRIMG_B].id);
		crimg_json_end(j);
	}
	crimg_json_hex(j, "start", r->start);
	crimg_json_hex(j, "end", r->end);
	crimg_json_u64(j, "pages", crimg_pages_in(r));
	if (r->kind == CRIMG_PAGES_MOVED)
		crimg_json_hex(j, "from", r->from);
	if (s->show->bytes)
		lines_json(s, c);
	crimg_json_end(j);
	write_out(s, KEEP);
}

static void image_json(struct json *s, const char *key, int side)
{
	const struct crimg_diff_side *x = &s->d->side[side];
	crimg_json_object(&s->j, key);
	crimg_json_text(&s->j, "image", s->d->options->path[side]);
	crimg_json_text(&s->j, "format", x->image->format);
	crimg_json_u64(&s->j, "processes", x->tasks.count);
	crimg_json_end(&s->j);
}

static void totals_json(struct json *s)
{
	struct crimg_json *j = &s->j;
	const struct crimg_diff *d = s->d;
	crimg_json_object(j, "totals");
	for (int g = 0; g < CRIMG_DIFF_GROUPS; g++) {
		if (g == CRIMG_DIFF_PAGES)
			continue;
		crimg_json_object(j, crimg_diff_group_word((enum crimg_diff_group)g));
		for (int w = 0; w < CRIMG_CHANGES; w++)
			if (d->counts[g][w] > 0)
				crimg_json_u64(j, crimg_change_word((enum crimg_change_what)w),
				               d->counts[g][w]);
		crimg_json_end(j);
	}
	crimg_json_object(j, "pages");
	for (int k = 0; k < CRIMG_PAGES_KINDS; k++)
		crimg_json_u64(j, crimg_pages_word((enum crimg_pages_kind)k), d->pages[k]);
	crimg_json_end(j);
	crimg_json_u64(j, "folded", d->folded);
	crimg_json_end(j);
}

static void body(struct json *s)
{
	static const char *const matches[] = { "pid", "role", "order" };
	struct crimg_json *j = &s->j;
	char text[2 * (CRIMG_ERR_SOURCE_MAX + CRIMG_ERR_TEXT_MAX)];
	crimg_json_object(j, NULL);
	crimg_json_text(j, "schema", "crimg.diff/1");
	image_json(s, "a", CRIMG_A);
	image_json(s, "b", CRIMG_B);
	crimg_json_text(j, "match", matches[s->d->match]);
	crimg_json_array(j, "changes");
	crimg_diff_run(s->d, &(struct crimg_diff_sink){ on_change, on_pages, s });
	crimg_json_end(j);
	totals_json(s);
	crimg_json_bool(j, "same", !crimg_diff_differs(s->d));
	crimg_err_format(&s->d->damage, text, sizeof text);
	crimg_json_text(j, "error", s->d->damage.code != CRIMG_OK ? text : NULL);
	crimg_json_end(j);
}

int crimg_diff_json(struct crimg_diff *d, const struct crimg_diff_show *show, FILE *out,
                    struct crimg_err *err)
{
	struct json s = { .d = d, .show = show, .out = out, .buf = CRIMG_BUF_INIT };
	s.j = crimg_json_make(&s.buf, !show->compact);
	body(&s);
	int rc = crimg_json_finish(&s.j, &s.fault);
	if (rc == 0)
		rc = crimg_buf_append(&s.buf, "\n", 1, &s.fault);
	write_out(&s, 0);
	crimg_buf_fini(&s.buf);
	const struct crimg_err *wrong = d->fault.code != CRIMG_OK ? &d->fault : &s.fault;
	if (wrong->code == CRIMG_OK)
		return rc;
	*err = *wrong;
	return -1;
}
