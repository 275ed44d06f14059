// Headers are looked at before libelf gets the file; notes are read as raw bytes, within a budget.
#include "inspect/elf_guard.h"

#include <elf.h>
#include <gelf.h>
#include <string.h>
#include <unistd.h>

#include "format/checked.h"

// Where the two layouts keep what is looked at: sizes of headers, offsets of fields.
struct header_layout {
	size_t header_bytes, section_bytes;
	size_t section_offset, program_count, section_count; // in the header
	size_t more_sections, more_programs;                 // in section header 0
	bool wide;
};

static const struct header_layout layouts[] = {
	[ELFCLASS32] = { sizeof(Elf32_Ehdr), sizeof(Elf32_Shdr), offsetof(Elf32_Ehdr, e_shoff),
	                 offsetof(Elf32_Ehdr, e_phnum), offsetof(Elf32_Ehdr, e_shnum),
	                 offsetof(Elf32_Shdr, sh_size), offsetof(Elf32_Shdr, sh_info), false },
	[ELFCLASS64] = { sizeof(Elf64_Ehdr), sizeof(Elf64_Shdr), offsetof(Elf64_Ehdr, e_shoff),
	                 offsetof(Elf64_Ehdr, e_phnum), offsetof(Elf64_Ehdr, e_shnum),
	                 offsetof(Elf64_Shdr, sh_size), offsetof(Elf64_Shdr, sh_info), true },
};

static uint64_t word(const uint8_t *p, bool wide)
{
	return wide ? crimg_get_u64(p) : crimg_get_u32(p);
}

static bool read_at(int fd, uint64_t offset, void *buf, size_t length)
{
	return offset <= INT64_MAX && pread(fd, buf, length, (off_t)offset) == (ssize_t)length;
}

// Counts that do not fit the header are in section header 0.
static bool counts_fit(int fd, const struct header_layout *l, const uint8_t *header)
{
	uint8_t first[sizeof(Elf64_Shdr)];
	uint64_t at = word(header + l->section_offset, l->wide);
	if (at == 0)
		return crimg_get_u16(header + l->program_count) != PN_XNUM;
	if (!read_at(fd, at, first, l->section_bytes))
		return true; // libelf sees no sections there either
	if (crimg_get_u16(header + l->section_count) == 0
	    && word(first + l->more_sections, l->wide) > CRIMG_MAX_ELF_HEADERS)
		return false;
	return crimg_get_u16(header + l->program_count) != PN_XNUM
		|| crimg_get_u32(first + l->more_programs) <= CRIMG_MAX_ELF_HEADERS;
}

static bool trusted(int fd)
{
	uint8_t header[sizeof(Elf64_Ehdr)];
	if (!read_at(fd, 0, header, EI_NIDENT) || memcmp(header, ELFMAG, SELFMAG) != 0
	    || header[EI_DATA] != ELFDATA2LSB
	    || (header[EI_CLASS] != ELFCLASS32 && header[EI_CLASS] != ELFCLASS64))
		return false;
	const struct header_layout *l = &layouts[header[EI_CLASS]];
	return read_at(fd, 0, header, l->header_bytes) && counts_fit(fd, l, header);
}

Elf *crimg_elf_open(int fd)
{
	if (elf_version(EV_CURRENT) == EV_NONE || !trusted(fd))
		return NULL;
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	if (elf != NULL && elf_kind(elf) != ELF_K_ELF) {
		elf_end(elf);
		return NULL;
	}
	return elf;
}

// The build-id among the notes at [offset, + length); 0 when it is not there. *budget: bytes that may
// still be read.
static size_t search_notes(Elf *elf, uint64_t offset, uint64_t length, uint64_t align,
                           uint64_t *budget, uint8_t *out, size_t size)
{
	if (length > *budget || offset > INT64_MAX)
		return 0;
	*budget -= length;
	Elf_Data *data = elf_getdata_rawchunk(elf, (int64_t)offset, (size_t)length,
	                                      align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
	if (data == NULL)
		return 0;
	size_t next, name, desc;
	GElf_Nhdr note;
	for (size_t at = 0; (next = gelf_getnote(data, at, &note, &name, &desc)) > at; at = next) {
		const uint8_t *bytes = data->d_buf;
		if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != sizeof "GNU" || note.n_descsz == 0
		    || memcmp(bytes + name, "GNU", sizeof "GNU") != 0)
			continue;
		size_t found = crimg_min_u64(note.n_descsz, size);
		memcpy(out, bytes + desc, found);
		return found;
	}
	return 0;
}

static size_t in_sections(Elf *elf, uint64_t *budget, uint8_t *out, size_t size)
{
	size_t found = 0;
	GElf_Shdr header;
	for (Elf_Scn *s = NULL; found == 0 && (s = elf_nextscn(elf, s)) != NULL;)
		if (gelf_getshdr(s, &header) != NULL && header.sh_type == SHT_NOTE)
			found = search_notes(elf, header.sh_offset, header.sh_size, header.sh_addralign,
			                     budget, out, size);
	return found;
}

static size_t in_segments(Elf *elf, uint64_t *budget, uint8_t *out, size_t size)
{
	size_t count, found = 0;
	GElf_Phdr header;
	if (elf_getphdrnum(elf, &count) != 0)
		return 0;
	count = crimg_min_u64(count, CRIMG_MAX_ELF_HEADERS);
	for (size_t i = 0; found == 0 && i < count; i++)
		if (gelf_getphdr(elf, (int)i, &header) != NULL && header.p_type == PT_NOTE)
			found = search_notes(elf, header.p_offset, header.p_filesz, header.p_align, budget,
			                     out, size);
	return found;
}

// Sections first: a separate debug file has its notes there, and its segments point at nothing.
size_t crimg_elf_build_id(Elf *elf, uint8_t *out, size_t size)
{
	uint64_t budget = CRIMG_MAX_NOTE_BYTES;
	size_t found = in_sections(elf, &budget, out, size);
	return found != 0 ? found : in_segments(elf, &budget, out, size);
}
