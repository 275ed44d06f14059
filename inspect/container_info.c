// Reads config.dump and spec.dump; each engine marks its own in the annotations.
#include "inspect/container_info.h"

#include <string.h>

static struct crimg_image_object *beside(struct crimg_image *image, const char *name)
{
	struct crimg_image_object *o = crimg_image_member(image, name);
	return o != NULL && o->payload.number != CRIMG_NO_PAYLOAD ? o : NULL;
}

struct crimg_jsondoc *crimg_container_document(struct crimg_view *view, const char *name)
{
	struct crimg_image_object *o = beside(view->image, name);
	struct crimg_buf text = CRIMG_BUF_INIT;
	struct crimg_jsondoc *doc = NULL;
	if (o == NULL)
		return NULL;
	if (!crimg_view_contents(view, o, CRIMG_JSONDOC_MAX_BYTES + 1, false, &text)
	    || crimg_jsondoc_parse((const char *)text.data, text.length, o->origin, &doc,
	                           &view->damage) < 0)
		doc = NULL; // noted in damage
	crimg_buf_fini(&text);
	return doc;
}

// The first of several paths that is there and not empty.
static const char *first_of(const struct crimg_jsondoc *doc, const char *const *paths)
{
	for (; *paths != NULL; paths++) {
		const char *value = crimg_jsondoc_string(doc, *paths);
		if (value != NULL && value[0] != '\0' && strcmp(value, "0001-01-01T00:00:00Z") != 0)
			return value;
	}
	return NULL;
}

#define FIRST(doc, ...) first_of(doc, (const char *const[]){ __VA_ARGS__, NULL })

static const char *engine_of(const struct crimg_jsondoc *spec, const struct crimg_jsondoc *config)
{
	const char *manager = FIRST(spec, "annotations/io.container.manager");
	const char *named = FIRST(spec, "annotations/org.criu.checkpoint.engine.name");
	if (named != NULL)
		return named;
	if (manager != NULL && strcmp(manager, "libpod") == 0)
		return "Podman";
	if (manager != NULL && strcmp(manager, "cri-o") == 0)
		return "CRI-O";
	if (FIRST(spec, "annotations/io.kubernetes.cri.container-type",
	          "annotations/io.kubernetes.cri.container-name") != NULL)
		return "containerd";
	if (crimg_jsondoc_count(config, "CreateCommand") > 0)
		return "Podman";
	return manager;
}

static void fill(struct crimg_container_info *c)
{
	c->engine = engine_of(c->spec, c->config);
	c->id = FIRST(c->config, "id");
	c->name = FIRST(c->config, "name");
	if (c->name == NULL)
		c->name = FIRST(c->spec, "annotations/io.kubernetes.container.name",
		                "annotations/io.kubernetes.cri.container-name",
		                "annotations/org.criu.checkpoint.container.name");
	c->image = FIRST(c->config, "rootfsImageName", "rootfsImage", "RawImageName");
	if (c->image == NULL)
		c->image = FIRST(c->spec, "annotations/io.kubernetes.cri-o.ImageName",
		                 "annotations/io.kubernetes.cri.image-name");
	c->image_id = FIRST(c->config, "rootfsImageID", "rootfsImageRef");
	c->runtime = FIRST(c->config, "runtime");
	c->created = FIRST(c->config, "createdTime");
	c->checkpointed = FIRST(c->config, "checkpointedTime");
	c->pod = FIRST(c->spec, "annotations/io.kubernetes.pod.name",
	               "annotations/io.kubernetes.cri.sandbox-name",
	               "annotations/io.kubernetes.cri-o.SandboxName");
	c->pod_namespace = FIRST(c->spec, "annotations/io.kubernetes.pod.namespace",
	                         "annotations/io.kubernetes.cri.sandbox-namespace");
	c->pod_uid = FIRST(c->spec, "annotations/io.kubernetes.pod.uid",
	                   "annotations/io.kubernetes.cri.sandbox-uid");
	c->hostname = FIRST(c->spec, "hostname");
}

#define LOG_TAIL_BYTES 4096u

// Container logs are lines that begin with an RFC 3339 time.
static void read_log_end(struct crimg_view *view, struct crimg_container_info *c)
{
	static const char *const names[] = { "ctr.log", "io.kubernetes.cri-o.LogPath",
		                             "container.log" };
	struct crimg_buf text = CRIMG_BUF_INIT;
	for (size_t i = 0; i < sizeof names / sizeof names[0] && c->log_end[0] == '\0'; i++) {
		struct crimg_image_object *o = beside(view->image, names[i]);
		text.length = 0;
		if (o == NULL
		    || !crimg_view_contents(view, o, LOG_TAIL_BYTES, true, &text))
			continue;
		size_t end = text.length;
		while (end > 0 && text.data[end - 1] == '\n')
			end--;
		size_t start = end;
		while (start > 0 && text.data[start - 1] != '\n')
			start--;
		const char *line = (const char *)text.data + start;
		const char *blank = end > start ? memchr(line, ' ', end - start) : NULL;
		if (blank != NULL && blank - line >= 20 && line[4] == '-' && line[10] == 'T')
			crimg_safe_text(c->log_end, sizeof c->log_end, line, (size_t)(blank - line));
	}
	crimg_buf_fini(&text);
}

void crimg_container_find(struct crimg_view *view, struct crimg_container_info *out)
{
	*out = (struct crimg_container_info){ .config = NULL };
	out->config = crimg_container_document(view, "config.dump");
	out->spec = crimg_container_document(view, "spec.dump");
	out->found = out->config != NULL || out->spec != NULL;
	fill(out);
	read_log_end(view, out);
	const struct crimg_image_object *diff = beside(view->image, "rootfs-diff.tar");
	out->rootfs_diff_bytes = diff != NULL ? diff->payload.length : 0;
}

void crimg_container_fini(struct crimg_container_info *info)
{
	crimg_jsondoc_close(info->config);
	crimg_jsondoc_close(info->spec);
	*info = (struct crimg_container_info){ .config = NULL };
}
