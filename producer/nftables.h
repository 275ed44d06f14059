// Messages of nf_tables: one batch at a time, in a buffer. Knows how they are laid out (linux/netfilter/nf_tables.h).
#ifndef CRIMG_PRODUCER_NFTABLES_H
#define CRIMG_PRODUCER_NFTABLES_H

#include "format/buf.h"

struct crimg_nft {
	struct crimg_buf *buf;
	uint32_t serial;
	size_t message, nests[8];
	unsigned depth;
	bool failed; // memory
};

void crimg_nft_begin(struct crimg_nft *n, struct crimg_buf *buf, uint32_t serial);
// A message of nf_tables, which ends where the next one, or the batch, does.
void crimg_nft_message(struct crimg_nft *n, uint16_t type, uint16_t flags);
void crimg_nft_bytes(struct crimg_nft *n, uint16_t type, const void *data, size_t length);
void crimg_nft_text(struct crimg_nft *n, uint16_t type, const char *text);
void crimg_nft_number(struct crimg_nft *n, uint16_t type, uint32_t value); // in network order
void crimg_nft_open(struct crimg_nft *n, uint16_t type);
void crimg_nft_close(struct crimg_nft *n);
// An expression of a rule: its name, and up to four numbers of it, type and value each; type 0 ends them.
void crimg_nft_expression(struct crimg_nft *n, const char *name, const uint32_t numbers[8]);
// The same, comparing a register with bytes; and a verdict.
void crimg_nft_compare(struct crimg_nft *n, uint32_t reg, const void *data, size_t length);
void crimg_nft_verdict(struct crimg_nft *n, uint32_t code);
// Ends the batch, sends it through fd, and hears the kernel's answer. All of it is done, or nothing.
CRIMG_MUST_CHECK int crimg_nft_send(struct crimg_nft *n, int fd, struct crimg_err *err);

#endif
