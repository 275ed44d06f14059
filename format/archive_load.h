// libarchive, loaded when the first archive is met: it brings an XML parser and the tables of Unicode with it.
#ifndef CRIMG_FORMAT_ARCHIVE_LOAD_H
#define CRIMG_FORMAT_ARCHIVE_LOAD_H

#include <archive.h>
#include <archive_entry.h>

#include "format/library_load.h"

#define CRIMG_ARCHIVE(F)                                                                          \
	F(archive_entry_filetype) F(archive_entry_free) F(archive_entry_hardlink)                 \
	F(archive_entry_is_encrypted) F(archive_entry_new) F(archive_entry_pathname)              \
	F(archive_entry_set_filetype) F(archive_entry_set_mtime) F(archive_entry_set_pathname)    \
	F(archive_entry_set_perm) F(archive_entry_set_size) F(archive_entry_set_symlink)          \
	F(archive_entry_size) F(archive_entry_size_is_set) F(archive_entry_sparse_count)          \
	F(archive_entry_symlink) F(archive_error_string) F(archive_filter_bytes)                  \
	F(archive_filter_count) F(archive_format) F(archive_read_data_block) F(archive_read_free) \
	F(archive_read_new) F(archive_read_next_header) F(archive_read_open1)                     \
	F(archive_read_set_callback_data) F(archive_read_set_read_callback)                       \
	F(archive_read_set_seek_callback) F(archive_read_set_skip_callback)                       \
	F(archive_read_support_filter_bzip2) F(archive_read_support_filter_gzip)                  \
	F(archive_read_support_filter_xz) F(archive_read_support_filter_zstd)                     \
	F(archive_read_support_format_tar) F(archive_read_support_format_zip_seekable)            \
	F(archive_set_error) F(archive_write_add_filter_by_name) F(archive_write_close)           \
	F(archive_write_data) F(archive_write_finish_entry) F(archive_write_free)                 \
	F(archive_write_header) F(archive_write_new) F(archive_write_open)                        \
	F(archive_write_set_bytes_in_last_block) F(archive_write_set_bytes_per_block)             \
	F(archive_write_set_filter_option) F(archive_write_set_format_pax_restricted)

struct crimg_archive { CRIMG_ARCHIVE(CRIMG_LIBRARY_MEMBER) };

// The same table every time. NULL with err filled: libarchive13 is not installed.
const struct crimg_archive *crimg_archive_load(struct crimg_err *err);

#endif
