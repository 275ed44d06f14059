// What no loader could map is left out.
#include "inspect/segments.h"

#include "format/checked.h"

// e_phnum may say thousands: the first ones do.
static size_t header_count(Elf *elf)
{
	size_t count;
	if (elf_getphdrnum(elf, &count) != 0)
		return 0;
	return count < CRIMG_MAX_SEGMENTS ? count : CRIMG_MAX_SEGMENTS;
}

static bool fits(const GElf_Phdr *ph)
{
	uint64_t end;
	return crimg_add_u64(ph->p_offset, ph->p_filesz, &end) && end <= INT64_MAX
		&& crimg_add_u64(ph->p_vaddr, ph->p_memsz, &end) && ph->p_filesz <= ph->p_memsz;
}

void crimg_segments_read(Elf *elf, struct crimg_segments *out)
{
	size_t count = header_count(elf);
	out->count = 0;
	for (size_t i = 0; i < count; i++) {
		GElf_Phdr *ph = &out->list[out->count];
		if (gelf_getphdr(elf, (int)i, ph) != NULL && ph->p_type == PT_LOAD && fits(ph))
			out->count++;
	}
}

bool crimg_segment_of_type(Elf *elf, uint32_t type, GElf_Phdr *out)
{
	size_t count = header_count(elf);
	for (size_t i = 0; i < count; i++)
		if (gelf_getphdr(elf, (int)i, out) != NULL && out->p_type == type
		    && out->p_offset <= INT64_MAX)
			return true;
	return false;
}

bool crimg_segments_offset(const struct crimg_segments *segments, uint64_t address,
                           uint64_t *offset, uint64_t *length)
{
	for (size_t i = 0; i < segments->count; i++) {
		const GElf_Phdr *ph = &segments->list[i];
		if (address < ph->p_vaddr || address - ph->p_vaddr >= ph->p_filesz)
			continue;
		*offset = ph->p_offset + (address - ph->p_vaddr);
		*length = ph->p_filesz - (address - ph->p_vaddr);
		return true;
	}
	return false;
}

Elf_Data *crimg_segments_data(Elf *elf, const struct crimg_segments *segments, uint64_t address,
                              uint64_t length, Elf_Type type)
{
	uint64_t offset, there;
	if (!crimg_segments_offset(segments, address, &offset, &there) || length > there)
		return NULL;
	Elf_Data *data = elf_getdata_rawchunk(elf, (int64_t)offset, length, type);
	return data != NULL && data->d_buf != NULL && data->d_size >= length ? data : NULL;
}
