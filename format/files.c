// One table of file types serves files.img and the images of single kinds before it.
#include "format/files.h"

#include <stdlib.h>
#include <string.h>

#include "format/search.h"

struct type_row {
	FdTypes type;
	enum crimg_kind kind;      // of the images before 3.4; CRIMG_KIND_COUNT: there was none
	size_t offset;             // of the pointer in FileEntry
	const ProtobufCMessageDescriptor *message;
};

#define ROW(type, kind, member, message)                                                             \
	{ FD_TYPES__##type, CRIMG_KIND_##kind, offsetof(FileEntry, member), &message##__descriptor }

static const struct type_row type_rows[] = {
	ROW(REG, REG_FILES, reg, reg_file_entry),
	ROW(PIPE, PIPES, pipe, pipe_entry),
	ROW(FIFO, FIFO, fifo, fifo_entry),
	ROW(INETSK, INETSK, isk, inet_sk_entry),
	ROW(UNIXSK, UNIXSK, usk, unix_sk_entry),
	ROW(EVENTFD, EVENTFD_FILE, efd, eventfd_file_entry),
	ROW(EVENTPOLL, EVENTPOLL_FILE, epfd, eventpoll_file_entry),
	ROW(INOTIFY, INOTIFY_FILE, ify, inotify_file_entry),
	ROW(SIGNALFD, SIGNALFD, sgfd, signalfd_entry),
	ROW(PACKETSK, PACKETSK, psk, packet_sock_entry),
	ROW(TTY, TTY_FILES, tty, tty_file_entry),
	ROW(FANOTIFY, FANOTIFY_FILE, ffy, fanotify_file_entry),
	ROW(NETLINKSK, NETLINK_SK, nlsk, netlink_sk_entry),
	ROW(NS, NS_FILES, nsf, ns_file_entry),
	ROW(TUNF, TUNFILE, tunf, tunfile_entry),
	ROW(EXT, EXT_FILES, ext, ext_file_entry),
	ROW(TIMERFD, TIMERFD, tfd, timerfd_entry),
	ROW(MEMFD, COUNT, memfd, memfd_file_entry),
	ROW(BPFMAP, BPFMAP_FILE, bpf, bpfmap_file_entry),
	ROW(PIDFD, PIDFD, pidfd, pidfd_entry),
};

#define TYPE_ROWS (sizeof type_rows / sizeof type_rows[0])

static const struct type_row *row_of(FdTypes type)
{
	for (size_t i = 0; i < TYPE_ROWS; i++)
		if (type_rows[i].type == type)
			return &type_rows[i];
	return NULL;
}

const ProtobufCMessageDescriptor *crimg_file_message(FdTypes type)
{
	const struct type_row *row = row_of(type);
	return row != NULL ? row->message : NULL;
}

// The field called name of a file's message when it has this type, or NULL.
static const void *field_of(const struct crimg_file *file, const char *name, ProtobufCType type)
{
	const ProtobufCMessageDescriptor *message = crimg_file_message(file->type);
	if (message == NULL || file->message == NULL)
		return NULL;
	const ProtobufCFieldDescriptor *field =
		protobuf_c_message_descriptor_get_field_by_name(message, name);
	if (field == NULL || field->type != type || field->label == PROTOBUF_C_LABEL_REPEATED)
		return NULL;
	return (const char *)file->message + field->offset;
}

static uint32_t u32_of(const struct crimg_file *file, const char *name)
{
	const uint32_t *value = field_of(file, name, PROTOBUF_C_TYPE_UINT32);
	return value != NULL ? *value : 0;
}

uint32_t crimg_file_flags(const struct crimg_file *file)
{
	return u32_of(file, "flags");
}

uint32_t crimg_file_inode(const struct crimg_file *file)
{
	return u32_of(file, "ino");
}

const FownEntry *crimg_file_owner(const struct crimg_file *file)
{
	FownEntry *const *value = field_of(file, "fown", PROTOBUF_C_TYPE_MESSAGE);
	return value != NULL ? *value : NULL;
}

bool crimg_file_position(const struct crimg_file *file, uint64_t *pos)
{
	const uint64_t *value = field_of(file, "pos", PROTOBUF_C_TYPE_UINT64);
	if (value == NULL)
		return false;
	*pos = *value;
	return true;
}

static int add_file(struct crimg_files *files, size_t *capacity, const struct crimg_file *file,
                    struct crimg_err *err)
{
	void *array = files->list;
	if (crimg_grow(&array, capacity, files->count, sizeof *files->list, err) < 0)
		return -1;
	files->list = array;
	files->list[files->count++] = *file;
	return 0;
}

static int add_new(struct crimg_image *image, struct crimg_files *files, size_t *capacity,
                   struct crimg_err *err)
{
	struct crimg_image_walk walk = crimg_image_walk_make(CRIMG_KIND_FILES);
	const FileEntry *e;
	while ((e = crimg_image_walk(image, &walk, err)) != NULL) {
		const struct type_row *row = row_of(e->type);
		struct crimg_file file = { .type = e->type, .id = e->id };
		if (row != NULL)
			memcpy(&file.message, (const char *)e + row->offset, sizeof file.message);
		if (add_file(files, capacity, &file, err) < 0)
			return -1;
	}
	return 0;
}

// Every such message begins with its id.
static int add_old(struct crimg_image *image, const struct type_row *row, struct crimg_files *files,
                   size_t *capacity, struct crimg_err *err)
{
	struct crimg_image_walk walk = crimg_image_walk_make(row->kind);
	const void *m;
	while ((m = crimg_image_walk(image, &walk, err)) != NULL) {
		struct crimg_file file = { .type = row->type, .message = m };
		file.id = u32_of(&file, "id");
		if (add_file(files, capacity, &file, err) < 0)
			return -1;
	}
	return 0;
}

// By number; the path of a fifo or tty had the same number before 3.6 and comes behind it.
static int by_id(const void *a, const void *b)
{
	const struct crimg_file *x = a, *y = b;
	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return x->type > y->type ? -1 : x->type < y->type;
}

static struct crimg_file *find(const struct crimg_files *files, uint32_t id)
{
	size_t low;
	CRIMG_COUNT_BEFORE(low, files->count, files->list[low].id < id);
	return low < files->count && files->list[low].id == id ? &files->list[low] : NULL;
}

const struct crimg_file *crimg_files_find(const struct crimg_files *files, uint32_t id)
{
	return find(files, id);
}

static const RegFileEntry *find_path(const struct crimg_files *files, uint32_t id)
{
	const struct crimg_file *f = find(files, id), *end = files->list + files->count;
	for (; f != NULL && f < end && f->id == id; f++)
		if (f->type == FD_TYPES__REG)
			return f->message;
	return NULL;
}

static void set_path(const struct crimg_files *files, struct crimg_file *f)
{
	const FifoEntry *fifo = f->type == FD_TYPES__FIFO ? f->message : NULL;
	const TtyFileEntry *tty = f->type == FD_TYPES__TTY ? f->message : NULL;
	if (f->type == FD_TYPES__REG)
		f->path = f->message;
	else if (fifo != NULL)
		f->path = find_path(files, fifo->has_regf_id ? fifo->regf_id : f->id);
	else if (tty != NULL)
		f->path = find_path(files, tty->has_regf_id ? tty->regf_id : f->id);
}

// Both ends of a pipe show what is in it.
static int set_pipe_bytes(struct crimg_image *image, struct crimg_file *f, enum crimg_kind kind,
                          struct crimg_err *err)
{
	struct crimg_list data;
	if (crimg_image_select(image, kind, "pipe_id", u32_of(f, "pipe_id"), &data, err) < 0)
		return -1;
	if (data.count > 0)
		f->queued_bytes = ((const PipeDataEntry *)data.items[0])->bytes;
	return 0;
}

static int set_packets(struct crimg_image *image, struct crimg_file *f, struct crimg_err *err)
{
	struct crimg_list packets;
	if (crimg_image_select(image, CRIMG_KIND_SK_QUEUES, "id_for", f->id, &packets, err) < 0)
		return -1;
	for (size_t i = 0; i < packets.count; i++)
		f->queued_bytes += ((const SkPacketEntry *)packets.items[i])->length;
	f->queued_packets = packets.count;
	return 0;
}

static void set_stream(struct crimg_image *image, struct crimg_file *f, struct crimg_err *err)
{
	const TcpStreamEntry *tcp =
		crimg_image_get(image, CRIMG_KIND_TCP_STREAM, crimg_file_inode(f), err);
	if (tcp != NULL) {
		f->queued_bytes += tcp->inq_len;
		f->unsent_bytes = tcp->outq_len;
	}
}

static int set_extras(struct crimg_image *image, const struct crimg_files *files,
                      struct crimg_file *f, struct crimg_err *err)
{
	struct crimg_list remaps;
	set_path(files, f);
	if (crimg_image_select(image, CRIMG_KIND_REMAP_FPATH, "orig_id", f->id, &remaps, err) < 0)
		return -1;
	f->remap = remaps.count > 0 ? remaps.items[0] : NULL;
	switch (f->type) {
	case FD_TYPES__PIPE:
		return set_pipe_bytes(image, f, CRIMG_KIND_PIPES_DATA, err);
	case FD_TYPES__FIFO:
		return set_pipe_bytes(image, f, CRIMG_KIND_FIFO_DATA, err);
	case FD_TYPES__INETSK:
		set_stream(image, f, err);
		return set_packets(image, f, err);
	case FD_TYPES__UNIXSK:
	case FD_TYPES__NETLINKSK:
	case FD_TYPES__PACKETSK:
		return set_packets(image, f, err);
	default:
		return 0;
	}
}

static int load(struct crimg_image *image, struct crimg_files *files, struct crimg_err *err)
{
	size_t capacity = 0;
	if (add_new(image, files, &capacity, err) < 0)
		return -1;
	for (size_t i = 0; i < TYPE_ROWS; i++)
		if (type_rows[i].kind != CRIMG_KIND_COUNT
		    && add_old(image, &type_rows[i], files, &capacity, err) < 0)
			return -1;
	if (files->count > 0)
		qsort(files->list, files->count, sizeof *files->list, by_id);
	// Of several files with one number only the first has a queue: that keeps hostile images
	// linear.
	for (size_t i = 0; i < files->count; i++)
		if ((i == 0 || files->list[i - 1].id != files->list[i].id)
		    && set_extras(image, files, &files->list[i], err) < 0)
			return -1;
	return 0;
}

int crimg_files_load(struct crimg_image *image, struct crimg_files *out, struct crimg_err *err)
{
	struct crimg_err first = CRIMG_ERR_INIT;
	*out = (struct crimg_files){ .list = NULL };
	int rc = load(image, out, &first);
	if (rc == 0 && first.code == CRIMG_OK)
		return 0;
	if (err != NULL && err->code == CRIMG_OK)
		*err = first;
	return -1;
}

void crimg_files_fini(struct crimg_files *files)
{
	free(files->list);
	*files = (struct crimg_files){ .list = NULL };
}

int crimg_file_watches(struct crimg_image *image, const struct crimg_file *file,
                       struct crimg_list *out, struct crimg_err *err)
{
	static const struct {
		FdTypes type;
		enum crimg_kind kind;
		const char *field;
	} rows[] = {
		{ FD_TYPES__EVENTPOLL, CRIMG_KIND_EVENTPOLL_TFD, "tfd" },
		{ FD_TYPES__INOTIFY, CRIMG_KIND_INOTIFY_WD, "wd" },
		{ FD_TYPES__FANOTIFY, CRIMG_KIND_FANOTIFY_MARK, "mark" },
	};
	*out = (struct crimg_list){ NULL, 0 };
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (rows[i].type != file->type || file->message == NULL)
			continue;
		const ProtobufCFieldDescriptor *field =
			protobuf_c_message_descriptor_get_field_by_name(
				crimg_file_message(file->type), rows[i].field);
		size_t count;
		const void *const *items;
		memcpy(&count, (const char *)file->message + field->quantifier_offset, sizeof count);
		memcpy(&items, (const char *)file->message + field->offset, sizeof items);
		*out = (struct crimg_list){ items, count };
		return count > 0 ? 0
			: crimg_image_select(image, rows[i].kind, "id", file->id, out, err);
	}
	return 0;
}
