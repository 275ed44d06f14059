// What a task has mapped, as /proc tells: the places that are taken, and the kernel's vDSO.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "producer/restart_memory.h"

static void note_part(struct crimg_vdso *vdso, const char *line, struct crimg_map_range range)
{
	bool code = strstr(line, "[vdso]") != NULL;
	size_t room = sizeof vdso->parts / sizeof vdso->parts[0];
	if ((code || strstr(line, "[vvar") != NULL) && vdso->count < room)
		vdso->parts[vdso->count++] =
			(struct crimg_vdso_part){ range.start, range.end, code };
}

static int take_line(const char *line, struct crimg_buf *out, struct crimg_vdso *vdso,
                     struct crimg_err *err)
{
	struct crimg_map_range range;
	if (sscanf(line, "%" SCNx64 "-%" SCNx64, &range.start, &range.end) != 2)
		return 0;
	if (vdso != NULL)
		note_part(vdso, line, range);
	return crimg_buf_append(out, &range, sizeof range, err);
}

int crimg_restart_maps(pid_t pid, struct crimg_map_range **ranges, size_t *count,
                       struct crimg_vdso *vdso, struct crimg_err *err)
{
	char line[8192], path[32];
	struct crimg_buf out = CRIMG_BUF_INIT;
	snprintf(path, sizeof path, "/proc/%d/maps", pid);
	FILE *f = fopen(path, "re");
	int rc = 0;
	if (f == NULL)
		return crimg_fail_sys(err, errno, path, "cannot be opened");
	while (rc == 0 && fgets(line, sizeof line, f) != NULL)
		rc = take_line(line, &out, vdso, err);
	fclose(f);
	if (rc < 0) {
		crimg_buf_fini(&out);
		return -1;
	}
	*count = out.length / sizeof **ranges;
	*ranges = (void *)out.data;
	return 0;
}

uint64_t crimg_restart_gap(const struct crimg_restart *r, const struct crimg_space *space,
                           uint64_t bytes)
{
	uint64_t at = r->stage.end;
	for (size_t i = 0; i < space->count; i++) {
		const struct crimg_area *a = &space->areas[i];
		if (a->start >= at && a->start - at >= bytes)
			return at;
		if (a->end > at)
			at = a->end;
	}
	return at;
}
