// Namespaces that the tree has of its own, and what is in them: names of host and domain, here; System V
// objects: capture_ipc.c. The others the tree shares with crimg, or it was refused.
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "producer/capture.h"
#include "producer/ns.h"

static bool in_tree(const struct crimg_tree *tree, pid_t pid)
{
	for (size_t i = 0; i < tree->count; i++)
		if (tree->tasks[i].pid == pid)
			return true;
	return false;
}

struct outside {
	const struct crimg_tree *tree;
	struct crimg_err *err;
};

// Objects that others use, too, would be doubled: those stay where these are.
static int refuse_outsider(void *context, int pid)
{
	const struct outside *o = context;
	pid_t root = o->tree->tasks[0].pid;
	if (in_tree(o->tree, pid) || !crimg_ns_shared(pid, "ipc", root, "ipc"))
		return 0;
	// True as well when it has just ended, or is hidden.
	if (crimg_ns_shared(pid, "ipc", getpid(), "ipc"))
		return 0;
	return crimg_fail(o->err, CRIMG_E_UNSUPPORTED, NULL, CRIMG_NO_OFFSET,
			  "process %d, outside the tree, is in the ipc namespace of process %d: take the "
			  "tree that both are in", pid, (int)root);
}

static int put_names(struct crimg_capture *c, struct crimg_err *err)
{
	UtsnsEntry e = UTSNS_ENTRY__INIT;
	struct utsname names;
	if (uname(&names) < 0)
		return crimg_fail_sys(err, errno, NULL, "the host's name");
	e.nodename = names.nodename;
	e.domainname = names.domainname;
	return crimg_shelf_put(&c->shelf, CRIMG_KIND_UTSNS, CRIMG_CAPTURE_OWN_UTS, &e.base, err);
}

static int look_at_names(void *context, struct crimg_err *err)
{
	return put_names(context, err);
}

static int look_at_objects(void *context, struct crimg_err *err)
{
	return crimg_capture_ipc(context, err);
}

int crimg_capture_namespaces(struct crimg_capture *c, struct crimg_err *err)
{
	pid_t root = c->tree.tasks[0].pid;
	struct outside outside = {&c->tree, err};
	c->own_uts = !crimg_ns_shared(root, "uts", getpid(), "uts");
	c->own_ipc = !crimg_ns_shared(root, "ipc", getpid(), "ipc");
	if (c->own_uts && crimg_ns_visit(root, "uts", CLONE_NEWUTS, look_at_names, c, err) < 0)
		return -1;
	if (!c->own_ipc)
		return 0;
	if (crimg_each_number("/proc", refuse_outsider, &outside, err) != 0)
		return -1;
	return crimg_ns_visit(root, "ipc", CLONE_NEWIPC, look_at_objects, c, err);
}
