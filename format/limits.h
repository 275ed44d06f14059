// What an image may ask for before it is refused. Images are hostile by default; these numbers are far
// above every real checkpoint and far below what would hurt the machine that reads one.
#ifndef CRIMG_FORMAT_LIMITS_H
#define CRIMG_FORMAT_LIMITS_H

#define CRIMG_MAX_MESSAGE_BYTES (128u << 20)       // one protobuf message
#define CRIMG_MAX_MESSAGE_DEPTH 64                 // messages within messages
#define CRIMG_MAX_DECODED_BYTES (1ull << 30)       // one message once decoded
#define CRIMG_MAX_OBJECTS (4u << 20)               // files in a directory, members in an archive
#define CRIMG_MAX_NAME_BYTES 4096u                 // one member name or link target
#define CRIMG_MAX_PARENTS 128                      // layers in a parent chain
#define CRIMG_MAX_PAGE_RUNS (64u << 20)            // pagemap entries of one address space
#define CRIMG_MAX_SEGMENTS (2u << 20)              // program headers, and areas, of an ELF core
#define CRIMG_MAX_CORE_NOTES_BYTES (256u << 20)    // all notes of an ELF core
#define CRIMG_MAX_INDEX_BYTES (2ull << 30)         // metadata that an image keeps in memory

#define CRIMG_MAX_MEMBER_IN_MEMORY (1u << 20)      // larger archive members are read in place
#define CRIMG_MAX_ARCHIVE_RATIO 2048u              // unpacked : packed, once past the free amount
#define CRIMG_ARCHIVE_RATIO_FREE (4ull << 30)      // unpacked bytes that no ratio is asked of
#define CRIMG_MAX_ARCHIVE_BYTES (64ull << 40)      // unpacked bytes in all

#define CRIMG_PAGE_BYTES 4096u                     // x86; the images do not record it

#endif
