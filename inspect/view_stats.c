// View stats: what the dump (and a restore) took, as CRIU measured it.
#include <inttypes.h>
#include <stdio.h>

#include "format/limits.h"
#include "format/names.h"
#include "inspect/table.h"

// Every field by its descriptor: times are microseconds, counts are pages where the hints say so.
static void show_fields(struct crimg_view *view, const char *key, const char *title,
                        const ProtobufCMessage *m)
{
	struct crimg_table t;
	char text[48], bytes[32];
	crimg_heading(view, "%s", title);
	crimg_record_begin(&t, view, key);
	t.indent = 2;
	for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
		const char *at = (const char *)m;
		enum crimg_hint hint = crimg_field_info(m->descriptor, i).people;
		if (f->label == PROTOBUF_C_LABEL_OPTIONAL
		    && *(const protobuf_c_boolean *)(const void *)(at + f->quantifier_offset) == 0)
			continue;
		uint64_t value = f->type == PROTOBUF_C_TYPE_UINT64
			? *(const uint64_t *)(const void *)(at + f->offset)
			: *(const uint32_t *)(const void *)(at + f->offset);
		crimg_field(&t, f->name, f->name);
		if (view->json != NULL || hint == CRIMG_HINT_NONE)
			crimg_cell_u64(&t, value);
		else if (hint == CRIMG_HINT_US)
			crimg_cell_text(&t,
			                crimg_duration_text(value / 1000000, value % 1000000 * 1000,
			                                    text, sizeof text));
		else
			crimg_cell_textf(
				&t, "%" PRIu64 " (%s)", value,
				crimg_bytes_text(value * CRIMG_PAGE_BYTES, bytes, sizeof bytes));
	}
	crimg_table_end(&t);
}

void crimg_view_stats(struct crimg_view *view)
{
	static const enum crimg_kind kinds[] = { CRIMG_KIND_STATS_DUMP, CRIMG_KIND_STATS_RESTORE };
	bool any = false;
	crimg_group_object(view, "stats");
	for (size_t k = 0; k < 2; k++) {
		struct crimg_image_walk walk = crimg_image_walk_make(kinds[k]);
		const StatsEntry *stats = crimg_image_walk(view->image, &walk, &view->damage);
		if (stats == NULL)
			continue;
		any = true;
		if (stats->dump != NULL)
			show_fields(view, "dump", "Dump", &stats->dump->base);
		if (stats->restore != NULL)
			show_fields(view, "restore", "Restore", &stats->restore->base);
	}
	if (!any) {
		crimg_heading(view, "Statistics");
		crimg_line(view, CRIMG_MARK_NONE, "none: the image holds no stats-dump");
	}
	crimg_group_end(view);
}
