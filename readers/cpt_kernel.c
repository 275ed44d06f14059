// The file as it is, from its first byte to its last, cut where objects and sections begin; contents that
// other objects of the image hold are told by their place there.
#include <stdio.h>

#include "format/limits.h"
#include "readers/cpt_padding.h"

#define LONGEST (1u << 20)         // bytes of one entry
#define TYPE_HEAD 0x20000000u      // the major header
#define TYPE_SECTION 0x10000000u   // a section's, by number
#define TYPE_MORE 0x30000000u      // more of what stands before

static void begin(struct cpt_image *m)
{
	m->at = 0;
	m->next_object = m->next_section = 0;
	m->owner = m->within = NULL;
	m->run = 0;
	m->run_at = 0;
}

static const struct cpt_runs *runs_of(const struct cpt_image *m)
{
	return m->owner->kind == CRIMG_CPT_OBJ_MM ? &m->c.spaces[m->owner->nth]
						  : &m->c.inodes[m->owner->nth];
}

static uint64_t whole_pages(uint64_t bytes)
{
	return (bytes + CRIMG_PAGE_BYTES - 1) / CRIMG_PAGE_BYTES * CRIMG_PAGE_BYTES;
}

static bool is_ghost(const struct cpt_image *m)
{
	return m->owner->kind == CRIMG_CPT_OBJ_INODE
	       && m->inodes[m->owner->nth].role == CPT_ROLE_GHOST;
}

static bool holds_contents(const struct cpt_image *m)
{
	return m->owner->kind == CRIMG_CPT_OBJ_MM || is_ghost(m)
	       || m->inodes[m->owner->nth].role == CPT_ROLE_SEGMENT
	       || m->inodes[m->owner->nth].role == CPT_ROLE_SYSV;
}

static uint64_t run_bytes(const struct cpt_image *m, const struct cpt_run *r)
{
	return is_ghost(m) ? r->bytes : whole_pages(r->bytes);
}

// The run whose contents are those of a PAGES object, or NULL; both come in the order of the file.
static const struct cpt_run *run_at(struct cpt_image *m, uint64_t contents)
{
	const struct cpt_runs *runs = runs_of(m);
	for (size_t i = m->run; i < runs->count; i++) {
		const struct cpt_run *r = &runs->list[i];
		if (r->own && r->offset == contents)
			break;
		if (r->own && r->offset != CRIMG_NO_OFFSET && r->offset > contents)
			return NULL;
		m->run_at += run_bytes(m, r);
		m->run++;
	}
	return m->run < runs->count ? &runs->list[m->run] : NULL;
}

static uint64_t all_bytes(const struct cpt_image *m)
{
	const struct cpt_runs *runs = runs_of(m);
	uint64_t bytes = 0;
	for (size_t i = 0; i < runs->count; i++)
		bytes += run_bytes(m, &runs->list[i]);
	return bytes;
}

// The next object or section begins there.
static uint64_t boundary(const struct cpt_image *m)
{
	const struct cpt *c = &m->c;
	uint64_t object = m->next_object < c->count ? c->objects[m->next_object].offset : UINT64_MAX;
	uint64_t section = m->next_section < c->section_count ? c->sections[m->next_section].offset
							      : UINT64_MAX;
	return crimg_min_u64(crimg_min_u64(object, section), c->source->size);
}

static void put_contents(struct cpt_image *m, KernelRecordEntry *e, const struct cpt_run *r)
{
	bool ghost = is_ghost(m);
	e->has_content_at = e->has_content_bytes = e->has_content_of = true;
	e->has_ghost_id = ghost;
	e->has_pages_id = !ghost;
	e->ghost_id = cpt_id(m->owner);
	e->pages_id = m->owner->kind == CRIMG_CPT_OBJ_MM
			      ? cpt_id(m->owner)
			      : (uint32_t)(cpt_count(&m->c, CRIMG_CPT_OBJ_MM)
					   + m->inodes[m->owner->nth].segment + 1);
	e->content_at = m->run_at;
	e->content_bytes = r->bytes;
	e->content_of = all_bytes(m);
}

// What begins at m->at: its number, and its contents if other objects hold them. Returns them.
static const struct cpt_run *begin_piece(struct cpt_image *m, KernelRecordEntry *e)
{
	const struct cpt *c = &m->c;
	e->type = m->at == 0 ? TYPE_HEAD : TYPE_MORE;
	if (m->next_section < c->section_count && c->sections[m->next_section].offset == m->at) {
		e->type = TYPE_SECTION | c->sections[m->next_section++].number;
		m->within = NULL;
		return NULL;
	}
	if (m->next_object >= c->count || c->objects[m->next_object].offset != m->at)
		return NULL;
	const struct cpt_object *o = &c->objects[m->next_object++];
	e->type = o->number;
	m->within = o;
	if (o->kind == CRIMG_CPT_OBJ_MM || o->kind == CRIMG_CPT_OBJ_INODE) {
		m->owner = o;
		m->run = 0;
		m->run_at = 0;
	}
	if (o->kind != CRIMG_CPT_OBJ_PAGES || m->owner == NULL || !holds_contents(m))
		return NULL;
	return run_at(m, cpt_body(o));
}

static void put_origin(struct cpt_image *m, KernelOriginEntry *e, char *maker, size_t maker_size,
		       char *kernel, size_t kernel_size, struct crimg_err *err)
{
	const struct cpt *c = &m->c;
	const struct cpt_object *o = NULL;
	for (unsigned i = 0; i < 3; i++)
		if ((o = cpt_in_section(c, CRIMG_CPT_SECT_UTSNAME, o)) == NULL)
			break;
	const char *release = o != NULL ? cpt_text(c, o, &m->arena, err) : NULL;
	snprintf(maker, maker_size, "OpenVZ (CPT 0x%x)", c->version);
	e->format = "cpt";
	e->maker = maker;
	e->has_seconds = true;
	e->seconds = crimg_get_u32(c->major + CRIMG_CPT_MAJOR_SECONDS);
	e->told_by = "the image's header";
	if (release == NULL || release[0] == '\0')
		return;
	snprintf(kernel, kernel_size, "Linux %.100s %s", release,
		 c->arch == CRIMG_CPT_ARCH_I386 ? "i386" : "x86_64");
	e->kernel = kernel;
}

CPT_ENTRY(cpt_put_kernel)
{
	KernelRecordEntry e = KERNEL_RECORD_ENTRY__INIT;
	KernelOriginEntry origin = KERNEL_ORIGIN_ENTRY__INIT;
	char maker[32], kernel[160];
	(void)object;
	if (index == 0)
		begin(m);
	if (m->at >= m->c.source->size)
		return 0;
	crimg_arena_reset(&m->arena);
	if (m->at == 0) {
		put_origin(m, &origin, maker, sizeof maker, kernel, sizeof kernel, err);
		e.origin = &origin;
	}
	const struct cpt_run *contents = begin_piece(m, &e);
	uint64_t end = contents != NULL ? contents->offset : boundary(m);
	size_t length = (size_t)crimg_min_u64(end - m->at, LONGEST);
	e.has_payload = true;
	e.payload.len = length;
	if ((e.payload.data = cpt_make(m, length, 1, err)) == NULL
	    || crimg_source_read_exact(m->c.source, m->at, e.payload.data, length, err) < 0)
		return -1;
	if (cpt_take_padding(m, m->within, m->at, e.payload.data, length, &m->pads, err) < 0)
		return -1;
	e.has_pads = m->pads.length > 0;
	e.pads = (ProtobufCBinaryData){m->pads.length, m->pads.data};
	out->offset = m->at;
	out->length = length;
	m->at += length;
	if (contents != NULL) {
		put_contents(m, &e, contents);
		m->at += contents->bytes;
	}
	return model_encode(&e.base, out, err);
}
