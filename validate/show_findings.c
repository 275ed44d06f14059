#include "validate/show_findings.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "format/json.h"

#define SHOWN_OF_ONE 8u

struct shown {
	const struct crimg_checker *c;
	const struct crimg_show_options *options;
	FILE *out;
};

static void set_color(const struct shown *s, enum crimg_severity severity)
{
	static const char *const codes[] = { "\033[36m", "\033[33m", "\033[1;31m" };
	if (s->options->color)
		fputs(codes[severity], s->out);
}

static void end_color(const struct shown *s)
{
	if (s->options->color)
		fputs("\033[0m", s->out);
}

static void show_one(const struct shown *s, const struct crimg_finding *f)
{
	const struct crimg_finding_info *info = &crimg_finding_table[f->id];
	char file[1024], text[2 * CRIMG_ERR_TEXT_MAX];
	const char *name = f->place.file != NULL ? f->place.file : s->c->image->path;
	crimg_safe_text(file, sizeof file, name, strlen(name));
	crimg_safe_text(text, sizeof text, f->text, strlen(f->text));
	fprintf(s->out, "%s: ", file);
	// In a stream, which object it is would be anybody's guess.
	if (f->place.object != NULL && strcmp(crimg_place_base(name), f->place.object) != 0) {
		crimg_safe_text(file, sizeof file, f->place.object, strlen(f->place.object));
		fprintf(s->out, "%s: ", file);
	}
	if (f->place.offset != CRIMG_NO_OFFSET)
		fprintf(s->out, "offset %" PRIu64 " (0x%" PRIx64 "): ", f->place.offset,
		        f->place.offset);
	set_color(s, info->severity);
	fprintf(s->out, "%s CI-%04u", crimg_severity_word(info->severity), info->code);
	end_color(s);
	fprintf(s->out, ": %s%s%s: %s\n", info->title, f->place.field[0] != '\0' ? ": " : "",
	        f->place.field, text);
}

static void show_kind(const struct shown *s, enum crimg_finding_id id)
{
	const struct crimg_findings *list = &s->c->findings;
	uint64_t shown = 0;
	for (size_t i = 0; i < list->count; i++) {
		if (list->list[i].id != id)
			continue;
		if (!s->options->all && shown == SHOWN_OF_ONE)
			break;
		show_one(s, &list->list[i]);
		shown++;
	}
	if (list->of[id] > shown)
		fprintf(s->out, "    and %" PRIu64 " more of CI-%04u%s\n", list->of[id] - shown,
		        crimg_finding_table[id].code, s->options->all ? "" : " (--all shows them)");
	fprintf(s->out, "    %s\n", crimg_finding_table[id].advice);
}

static void count_words(const struct crimg_findings *f, char *out, size_t size)
{
	out[0] = '\0';
	for (int s = CRIMG_ERROR; s >= CRIMG_NOTE; s--) {
		uint64_t n = f->of_severity[s];
		size_t used = strlen(out);
		if (n > 0)
			snprintf(out + used, size - used, "%s%" PRIu64 " %s%s", used > 0 ? ", " : "", n,
			         crimg_severity_word((enum crimg_severity)s), n == 1 ? "" : "s");
	}
}

// What the findings come to, by the hundreds of their codes.
static void verdict(const struct crimg_findings *f, char *out, size_t size)
{
	static const struct {
		unsigned below; // codes
		const char *words[3];
	} rows[] = {
		{ 600, { "it restores", "it may not restore as it was", "it will not restore as it was" } },
		{ 700, { NULL, "it is closed but for what engines share", "it is not closed" } },
		{ 800, { NULL, "this machine may not restore it", "this machine cannot restore it now" } },
	};
	int worst[3] = { -1, -1, -1 };
	out[0] = '\0';
	for (int id = 0; id < CRIMG_F_COUNT; id++)
		for (size_t r = 0; r < 3 && f->of[id] > 0; r++)
			if (crimg_finding_table[id].code < rows[r].below) {
				int severity = (int)crimg_finding_table[id].severity;
				worst[r] = severity > worst[r] ? severity : worst[r];
				break;
			}
	for (size_t r = 0; r < 3; r++) {
		size_t used = strlen(out);
		if (worst[r] >= 0 && rows[r].words[worst[r]] != NULL)
			snprintf(out + used, size - used, "%s%s", used > 0 ? "; " : ": ",
			         rows[r].words[worst[r]]);
	}
}

void crimg_findings_text(const struct crimg_checker *c, const struct crimg_show_options *options,
                         FILE *out)
{
	struct shown s = { c, options, out };
	const struct crimg_findings *f = &c->findings;
	char path[1024], counts[96], words[192];
	for (int severity = CRIMG_ERROR; severity >= CRIMG_NOTE; severity--)
		for (int id = 0; id < CRIMG_F_COUNT; id++)
			if (f->of[id] > 0 && (int)crimg_finding_table[id].severity == severity)
				show_kind(&s, (enum crimg_finding_id)id);
	count_words(f, counts, sizeof counts);
	if (counts[0] == '\0')
		return;
	crimg_safe_text(path, sizeof path, c->image->path, strlen(c->image->path));
	verdict(f, words, sizeof words);
	fprintf(out, "%s: %s%s\n", path, counts, words);
}

static void finding_json(struct crimg_json *j, const struct crimg_finding *f)
{
	const struct crimg_finding_info *info = &crimg_finding_table[f->id];
	crimg_json_object(j, NULL);
	crimg_json_textf(j, "code", "CI-%04u", info->code);
	crimg_json_text(j, "name", info->name);
	crimg_json_text(j, "severity", crimg_severity_word(info->severity));
	crimg_json_text(j, "file", f->place.file);
	crimg_json_text(j, "object", f->place.object);
	if (f->place.offset != CRIMG_NO_OFFSET)
		crimg_json_u64(j, "offset", f->place.offset);
	else
		crimg_json_null(j, "offset");
	crimg_json_array(j, "fields");
	if (f->place.field[0] != '\0')
		crimg_json_text(j, NULL, f->place.field);
	crimg_json_end(j);
	crimg_json_text(j, "title", info->title);
	crimg_json_text(j, "text", f->text);
	crimg_json_text(j, "advice", info->advice);
	crimg_json_end(j);
}

static int write_out(struct crimg_json *j, struct crimg_buf *buf, FILE *out, size_t above,
                     struct crimg_err *err)
{
	if (crimg_json_status(j, err) < 0)
		return -1;
	if (buf->length > above && fwrite(buf->data, 1, buf->length, out) != buf->length)
		return crimg_fail_sys(err, errno, "standard output", "cannot be written");
	if (buf->length > above)
		buf->length = 0;
	return 0;
}

static int end_json(struct crimg_json *j, struct crimg_buf *buf, FILE *out, struct crimg_err *err)
{
	int rc = crimg_json_finish(j, err);
	if (rc == 0)
		rc = write_out(j, buf, out, 0, err);
	if (rc == 0 && fputc('\n', out) == EOF)
		rc = crimg_fail_sys(err, errno, "standard output", "cannot be written");
	crimg_buf_fini(buf);
	return rc;
}

int crimg_findings_json(const struct crimg_checker *c, bool pretty, FILE *out,
                        struct crimg_err *err)
{
	const struct crimg_findings *f = &c->findings;
	struct crimg_buf buf = CRIMG_BUF_INIT;
	struct crimg_json j = crimg_json_make(&buf, pretty);
	int rc = 0;
	crimg_json_object(&j, NULL);
	crimg_json_text(&j, "schema", "crimg.validate/1");
	crimg_json_text(&j, "image", c->image->path);
	crimg_json_text(&j, "format", c->image->format);
	crimg_json_bool(&j, "valid", f->of_severity[CRIMG_ERROR] == 0);
	crimg_json_u64(&j, "errors", f->of_severity[CRIMG_ERROR]);
	crimg_json_u64(&j, "warnings", f->of_severity[CRIMG_WARNING]);
	crimg_json_u64(&j, "notes", f->of_severity[CRIMG_NOTE]);
	crimg_json_array(&j, "findings");
	for (size_t i = 0; rc == 0 && i < f->count; i++) {
		finding_json(&j, &f->list[i]);
		rc = write_out(&j, &buf, out, (size_t)1 << 16, err);
	}
	crimg_json_end(&j);
	crimg_json_u64(&j, "left_out", f->of_severity[0] + f->of_severity[1] + f->of_severity[2]
	               - f->count);
	crimg_json_end(&j);
	if (rc == 0)
		return end_json(&j, &buf, out, err);
	crimg_buf_fini(&buf);
	return rc;
}

static void list_text(FILE *out)
{
	for (int id = 0; id < CRIMG_F_COUNT; id++) {
		const struct crimg_finding_info *i = &crimg_finding_table[id];
		fprintf(out, "CI-%04u  %-7s  %s: %s\n", i->code, crimg_severity_word(i->severity),
		        i->title, i->advice);
	}
}

int crimg_findings_list(bool json, FILE *out, struct crimg_err *err)
{
	struct crimg_buf buf = CRIMG_BUF_INIT;
	struct crimg_json j = crimg_json_make(&buf, true);
	if (!json) {
		list_text(out);
		return 0;
	}
	crimg_json_object(&j, NULL);
	crimg_json_text(&j, "schema", "crimg.findings/1");
	crimg_json_array(&j, "findings");
	for (int id = 0; id < CRIMG_F_COUNT; id++) {
		const struct crimg_finding_info *i = &crimg_finding_table[id];
		crimg_json_object(&j, NULL);
		crimg_json_textf(&j, "code", "CI-%04u", i->code);
		crimg_json_text(&j, "name", i->name);
		crimg_json_text(&j, "severity", crimg_severity_word(i->severity));
		crimg_json_text(&j, "title", i->title);
		crimg_json_text(&j, "advice", i->advice);
		crimg_json_end(&j);
	}
	crimg_json_end(&j);
	crimg_json_end(&j);
	return end_json(&j, &buf, out, err);
}
