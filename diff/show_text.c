// For people: lines by process and group, gathered until the process is done, since the engine finds things
// in another order than they are best read. Pages come out as they are found: there may be any number.
#include "diff/show.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "diff/show_lines.h"
#include "format/file_words.h"
#include "format/text_add.h"

const char *crimg_tint_code(const struct crimg_diff_lines *t, enum crimg_tint tint)
{
	static const char *const codes[] = { "\033[0m", "\033[1m", "\033[32m", "\033[31m", "\033[33m",
		                             "\033[2m" };
	return t->show->color ? codes[tint] : "";
}

static const char *group_title(enum crimg_diff_group g)
{
	return g == CRIMG_DIFF_SEGMENTS ? "shared memory" : crimg_diff_group_word(g);
}

void crimg_safe_add(char *out, size_t size, const char *text)
{
	char safe[CRIMG_FILE_TEXT_MAX];
	crimg_safe_text(safe, sizeof safe, text, strlen(text));
	crimg_text_add(out, size, "%s", safe);
}

// Headings.
static void begin_pair(struct crimg_diff_lines *t)
{
	char name[128];
	if (t->begun)
		return;
	t->begun = true;
	if (t->any)
		fputc('\n', t->out);
	t->any = true;
	if (t->pair != NULL)
		fprintf(t->out, "%s%s%s\n", crimg_tint_code(t, CRIMG_TINT_HEAD),
		        crimg_pair_text(t->pair, name, sizeof name), crimg_tint_code(t, CRIMG_TINT_NONE));
}

static void put_group(struct crimg_diff_lines *t, enum crimg_diff_group g)
{
	struct crimg_group_text *group = &t->groups[g];
	if (group->lines.length == 0)
		return;
	begin_pair(t);
	const char *indent = t->pair != NULL ? "  " : "";
	fprintf(t->out, "%s%s%s%s\n", indent, crimg_tint_code(t, CRIMG_TINT_HEAD), group_title(g),
	        crimg_tint_code(t, CRIMG_TINT_NONE));
	fwrite(group->lines.data, 1, group->lines.length, t->out);
	if (group->column > 0)
		fputc('\n', t->out);
	group->lines.length = 0;
	group->column = 0;
	group->last[0] = '\0';
}

static void put_stat(struct crimg_diff_lines *t)
{
	char name[128], counts[160];
	bool any = false;
	for (int g = 0; g < CRIMG_DIFF_GROUPS; g++) {
		if (g == CRIMG_DIFF_PAGES)
			crimg_page_counts(t->page_counts, counts, sizeof counts);
		else
			crimg_change_counts(t->counts[g], counts, sizeof counts);
		if (counts[0] == '\0')
			continue;
		if (!any)
			fprintf(t->out, "%s:", t->pair != NULL ? crimg_pair_text(t->pair, name, sizeof name)
			                                       : "beside processes");
		fprintf(t->out, "%s %s %s", any ? ";" : "", group_title((enum crimg_diff_group)g), counts);
		any = true;
	}
	if (any)
		fputc('\n', t->out);
	memset(t->counts, 0, sizeof t->counts);
	memset(t->page_counts, 0, sizeof t->page_counts);
}

// Writes what was gathered of a pair, and turns to the next.
static void turn_to(struct crimg_diff_lines *t, const struct crimg_task_pair *pair)
{
	crimg_show_area(t);
	if (t->show->stat)
		put_stat(t);
	for (int g = 0; g < CRIMG_DIFF_GROUPS; g++)
		put_group(t, (enum crimg_diff_group)g);
	t->pair = pair;
	t->begun = t->pages_begun = false;
}

static void append(struct crimg_diff_lines *t, struct crimg_group_text *g, const char *text)
{
	if (crimg_buf_append(&g->lines, text, strlen(text), &t->fault) < 0)
		return; // noted in fault
}

// "rbx 0x6 → 0x11", "pos 250 → 304": a part of a line.
static void part_text(const struct crimg_change *c, char *out, size_t size)
{
	char value[2][CRIMG_VALUE_BYTES];
	bool lone = c->value[CRIMG_A].kind == CRIMG_VALUE_NONE || c->value[CRIMG_B].kind == CRIMG_VALUE_NONE;
	bool has[2];
	for (int side = CRIMG_A; side <= CRIMG_B; side++) {
		crimg_value_text(&c->value[side], value[side], sizeof value[side]);
		has[side] = c->value[side].kind != CRIMG_VALUE_NONE;
	}
	out[0] = '\0';
	if (c->field != NULL)
		crimg_safe_add(out, size, c->field);
	const char *blank = out[0] != '\0' ? " " : "";
	if (c->what != CRIMG_CHANGE_CHANGED && lone) {
		int side = has[CRIMG_B] ? CRIMG_B : CRIMG_A;
		if (has[side])
			crimg_text_add(out, size, "%s%s", blank, value[side]);
		return;
	}
	crimg_text_add(out, size, "%s%s → %s", blank, value[CRIMG_A], value[CRIMG_B]);
	if (c->folded)
		crimg_text_add(out, size, " (folded)");
}

static void thread_text(const struct crimg_change *c, char *out, size_t size)
{
	const struct crimg_thread_pair *p = c->thread;
	out[0] = '\0';
	if (p == NULL)
		return;
	const struct crimg_thread *t = p->thread[CRIMG_B] != NULL ? p->thread[CRIMG_B]
	                                                          : p->thread[CRIMG_A];
	bool leader = c->pair->task[CRIMG_B] != NULL && t->tid == c->pair->task[CRIMG_B]->pid;
	if (!leader)
		snprintf(out, size, "thread %" PRIu32 " ", t->tid);
}

// What a line begins with: "+ fd 4  /opt/x/grow.log".
static void head_text(const struct crimg_change *c, char *out, size_t size)
{
	char thread[48], pair[128];
	thread_text(c, thread, sizeof thread);
	out[0] = '\0';
	if (c->group == CRIMG_DIFF_PROCESSES && c->pair != NULL
	    && (c->pair->task[CRIMG_A] == NULL || c->pair->task[CRIMG_B] == NULL))
		crimg_text_add(out, size, "%s", crimg_pair_text(c->pair, pair, sizeof pair));
	crimg_text_add(out, size, "%s", thread);
	if (c->subject != NULL)
		crimg_safe_add(out, size, c->subject);
	if (c->name != NULL && c->name[0] != '\0') {
		crimg_text_add(out, size, "%s", out[0] != '\0' ? "  " : "");
		crimg_safe_add(out, size, c->name);
	}
}

static const char *sign_of(const struct crimg_change *c, enum crimg_tint *tint)
{
	bool lone = c->field == NULL;
	*tint = c->folded ? CRIMG_TINT_DIM : CRIMG_TINT_CHANGED;
	if (lone && c->what == CRIMG_CHANGE_ADDED) {
		*tint = CRIMG_TINT_ADDED;
		return "+";
	}
	if (lone && c->what == CRIMG_CHANGE_GONE) {
		*tint = CRIMG_TINT_GONE;
		return "-";
	}
	return "~";
}

static const char *what_words(const struct crimg_change *c)
{
	bool plain = c->what == CRIMG_CHANGE_CHANGED
		|| (c->field == NULL && (c->what == CRIMG_CHANGE_ADDED || c->what == CRIMG_CHANGE_GONE));
	return plain ? "" : crimg_change_word(c->what);
}

static size_t columns_of(const char *text)
{
	size_t n = 0;
	for (; *text != '\0'; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

// Changes of one thing share a line, as long as it is not too long.
static void add_change(struct crimg_diff_lines *t, const struct crimg_change *c)
{
	struct crimg_group_text *g = &t->groups[c->group];
	char head[CRIMG_LINE_BYTES], part[3 * CRIMG_VALUE_BYTES], key[CRIMG_LINE_BYTES + 8];
	enum crimg_tint tint;
	const char *sign = sign_of(c, &tint), *what = what_words(c);
	head_text(c, head, sizeof head);
	part_text(c, part, sizeof part);
	snprintf(key, sizeof key, "%s %s", sign, head);
	bool same = g->column > 0 && strcmp(g->last, key) == 0;
	size_t more = columns_of(part) + strlen(what) + 4;
	if (same && g->column + more <= CRIMG_DIFF_WIDTH) {
		append(t, g, ", ");
		g->column += more;
	} else {
		if (g->column > 0)
			append(t, g, "\n");
		append(t, g, t->pair != NULL ? "    " : "  ");
		append(t, g, crimg_tint_code(t, tint));
		append(t, g, same ? " " : sign);
		append(t, g, crimg_tint_code(t, CRIMG_TINT_NONE));
		append(t, g, " ");
		append(t, g, same ? "  " : head);
		append(t, g, !same && head[0] != '\0' && part[0] != '\0' ? "  " : "");
		g->column = 8 + (same ? 0 : columns_of(head)) + more;
		memcpy(g->last, key, sizeof g->last);
	}
	append(t, g, what);
	append(t, g, what[0] != '\0' ? " " : "");
	append(t, g, part);
}

static void on_change(void *context, const struct crimg_change *c)
{
	struct crimg_diff_lines *t = context;
	// Processes of one image alone stand together, before those of both.
	bool lone = c->pair != NULL
		&& (c->pair->task[CRIMG_A] == NULL || c->pair->task[CRIMG_B] == NULL);
	const struct crimg_task_pair *pair = lone ? NULL : c->pair;
	if (pair != t->pair)
		turn_to(t, pair);
	if (!c->folded)
		t->counts[c->group][c->what]++;
	if (!t->show->stat && c->what != CRIMG_CHANGE_UNTOLD)
		add_change(t, c);
}

// What stands before pages is complete when they come.
static void begin_pages(struct crimg_diff_lines *t, const struct crimg_page_change *c)
{
	if (t->pages_begun)
		return;
	for (int g = 0; g < CRIMG_DIFF_PAGES; g++)
		put_group(t, (enum crimg_diff_group)g);
	begin_pair(t);
	t->pages_begun = true;
	fprintf(t->out, "%s%s%s%s\n", c->pair != NULL ? "  " : "", crimg_tint_code(t, CRIMG_TINT_HEAD),
	        group_title(CRIMG_DIFF_PAGES), crimg_tint_code(t, CRIMG_TINT_NONE));
}

static void on_pages(void *context, const struct crimg_page_change *c)
{
	struct crimg_diff_lines *t = context;
	const struct crimg_pages_range *r = c->range;
	if (c->pair != t->pair)
		turn_to(t, c->pair);
	t->page_counts[r->kind] += crimg_pages_in(r);
	if (t->show->stat)
		return;
	begin_pages(t, c);
	crimg_show_range(t, c);
}

static void put_untold(struct crimg_diff_lines *t)
{
	for (int side = CRIMG_A; side <= CRIMG_B; side++) {
		bool any = false;
		char path[1024];
		crimg_safe_text(path, sizeof path, t->d->options->path[side],
		                strlen(t->d->options->path[side]));
		for (int g = 0; g < CRIMG_DIFF_GROUPS; g++)
			if ((t->d->untold[side] >> g & 1) != 0) {
				if (any)
					fprintf(t->out, ", %s", group_title((enum crimg_diff_group)g));
				else
					fprintf(t->out, "%s, an ELF core, does not tell of: %s", path,
					        group_title((enum crimg_diff_group)g));
				any = true;
			}
		if (any)
			fputc('\n', t->out);
	}
}

static void put_verdict(struct crimg_diff_lines *t)
{
	const struct crimg_diff *d = t->d;
	char path[2][1024], counts[256];
	bool any = false;
	for (int side = CRIMG_A; side <= CRIMG_B; side++)
		crimg_safe_text(path[side], sizeof path[side], d->options->path[side],
		                strlen(d->options->path[side]));
	fprintf(t->out, "%s%s → %s: ", t->any ? "\n" : "", path[CRIMG_A], path[CRIMG_B]);
	for (int g = 0; g < CRIMG_DIFF_GROUPS; g++) {
		if (g == CRIMG_DIFF_PAGES)
			crimg_page_counts(d->pages, counts, sizeof counts);
		else
			crimg_change_counts(d->counts[g], counts, sizeof counts);
		if (counts[0] == '\0')
			continue;
		fprintf(t->out, "%s%s %s", any ? "; " : "", group_title((enum crimg_diff_group)g), counts);
		any = true;
	}
	fprintf(t->out, "%s", any ? "" : "the same");
	if (d->folded > 0)
		fprintf(t->out, " (%" PRIu64 " folded: times and numbers made anew%s)", d->folded,
		        d->options->folded ? "" : "; --all shows them");
	if (d->pages[CRIMG_PAGES_UNTOLD] > 0)
		fprintf(t->out, " (%" PRIu64 " pages are in neither)", d->pages[CRIMG_PAGES_UNTOLD]);
	fputc('\n', t->out);
}

int crimg_diff_text(struct crimg_diff *d, const struct crimg_diff_show *show, FILE *out,
                    struct crimg_err *err)
{
	struct crimg_diff_lines *t = calloc(1, sizeof *t);
	if (t == NULL)
		return crimg_fail_nomem(err, sizeof *t);
	t->d = d;
	t->show = show;
	t->out = out;
	crimg_diff_run(d, &(struct crimg_diff_sink){ on_change, on_pages, t });
	turn_to(t, NULL);
	put_untold(t);
	if (crimg_diff_differs(d) || (d->options->folded && d->folded > 0))
		put_verdict(t);
	for (int g = 0; g < CRIMG_DIFF_GROUPS; g++)
		crimg_buf_fini(&t->groups[g].lines);
	struct crimg_err fault = d->fault.code != CRIMG_OK ? d->fault : t->fault;
	free(t);
	if (fault.code != CRIMG_OK) {
		*err = fault;
		return -1;
	}
	return ferror(out) != 0 ? crimg_fail_sys(err, errno, "standard output", "cannot be written") : 0;
}
