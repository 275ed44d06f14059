// What a container engine left beside a checkpoint: config.dump and spec.dump of Podman, CRI-O and
// containerd. Knows their names; reads them in place.
#ifndef CRIMG_INSPECT_CONTAINER_INFO_H
#define CRIMG_INSPECT_CONTAINER_INFO_H

#include "format/json_read.h"
#include "inspect/view.h"

struct crimg_container_info {
	struct crimg_jsondoc *config, *spec; // NULL when absent
	// All NULL when unknown; they live as long as the two documents.
	const char *engine;        // "Podman", "CRI-O", "containerd"
	const char *id, *name, *image, *image_id, *runtime, *created, *checkpointed;
	const char *pod, *pod_namespace, *pod_uid, *hostname;
	char log_end[64]; // time of the last line of the container's log; "" when there is none
	uint64_t rootfs_diff_bytes;
	bool found;                // there is at least one of the two documents
};

void crimg_container_find(struct crimg_view *view, struct crimg_container_info *out);
// A JSON member beside the checkpoint, or NULL; close it with crimg_jsondoc_close().
struct crimg_jsondoc *crimg_container_document(struct crimg_view *view, const char *name);
void crimg_container_fini(struct crimg_container_info *info);

#endif
