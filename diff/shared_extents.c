#include "diff/shared_extents.h"

#include <string.h>
#include <sys/ioctl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>

#include "format/checked.h"

// Extents whose bytes on disk are not plainly those of the file.
#define NOT_PLAIN                                                                                    \
	(FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_ENCODED                      \
	 | FIEMAP_EXTENT_NOT_ALIGNED | FIEMAP_EXTENT_UNWRITTEN)

union request {
	struct fiemap head; // its extents lie behind it, in room
	uint8_t room[sizeof(struct fiemap) + CRIMG_EXTENT_WINDOW * sizeof(struct fiemap_extent)];
};

static bool ask(int fd, uint64_t offset, uint32_t flags, union request *r)
{
	memset(r, 0, sizeof *r);
	r->head.fm_start = offset;
	r->head.fm_length = FIEMAP_MAX_OFFSET - offset;
	r->head.fm_flags = flags;
	r->head.fm_extent_count = CRIMG_EXTENT_WINDOW;
	return ioctl(fd, FS_IOC_FIEMAP, &r->head) == 0;
}

static bool any_shared(const union request *r)
{
	for (unsigned i = 0; i < r->head.fm_mapped_extents; i++)
		if ((r->head.fm_extents[i].fe_flags & FIEMAP_EXTENT_SHARED) != 0)
			return true;
	return false;
}

// Bytes that were written after a reflink and are not on disk yet leave the old extent in the answer: where
// it matters, they are written first. Where nothing is shared it costs nothing.
static void load(struct crimg_extent_map *m, const struct crimg_extent_place *p)
{
	union request r;
	m->ino = p->ino;
	m->from = p->offset;
	m->to = UINT64_MAX;
	m->count = 0;
	m->mute = !ask(p->fd, p->offset, 0, &r)
		|| (any_shared(&r) && !ask(p->fd, p->offset, FIEMAP_FLAG_SYNC, &r));
	for (unsigned i = 0; !m->mute && i < r.head.fm_mapped_extents; i++) {
		const struct fiemap_extent *e = &r.head.fm_extents[i];
		m->list[m->count++] = (struct crimg_extent){
			e->fe_logical, e->fe_physical, e->fe_length,
			(e->fe_flags & FIEMAP_EXTENT_SHARED) != 0 && (e->fe_flags & NOT_PLAIN) == 0,
		};
	}
	if (m->count == CRIMG_EXTENT_WINDOW)
		m->to = m->list[m->count - 1].offset + m->list[m->count - 1].length;
}

// The extent that place lies in, if it is shared; else NULL.
static const struct crimg_extent *extent_at(struct crimg_extent_map *m,
                                            const struct crimg_extent_place *p)
{
	bool asked = m->to > m->from && m->ino == p->ino;
	if (asked && m->mute)
		return NULL;
	if (!asked || p->offset < m->from || p->offset >= m->to)
		load(m, p);
	for (unsigned i = 0; i < m->count; i++)
		if (p->offset >= m->list[i].offset && p->offset - m->list[i].offset < m->list[i].length)
			return m->list[i].shared ? &m->list[i] : NULL;
	return NULL;
}

uint64_t crimg_extents_shared(struct crimg_extents *extents, const struct crimg_extent_place place[2],
                              uint64_t length)
{
	const struct crimg_extent *a = extent_at(&extents->map[0], &place[0]);
	const struct crimg_extent *b = a != NULL ? extent_at(&extents->map[1], &place[1]) : NULL;
	if (b == NULL)
		return 0;
	uint64_t into_a = place[0].offset - a->offset, into_b = place[1].offset - b->offset;
	if (a->physical + into_a != b->physical + into_b)
		return 0;
	return crimg_min_u64(length, crimg_min_u64(a->length - into_a, b->length - into_b));
}
