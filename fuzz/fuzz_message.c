// Claim: crimg_message_check says yes exactly when protobuf-c decodes; and what was decoded, encoded and
// decoded again is the same message.
// Where they differ: protobuf-c takes a bool of any wire type, fields of number 0, strings with NUL, any
// depth, and a message without a required field that has a default.
// Two bytes choose the kind and whether it is the first entry; the rest is the message.
#include <stdlib.h>
#include <string.h>

#include "format/limits.h"
#include "fuzz/harness.h"

static void encode(const ProtobufCMessage *m, struct crimg_buf *out)
{
	struct crimg_err err = CRIMG_ERR_INIT;
	harness_claim(crimg_message_encode(m, out, &err) == 0, "a decoded message encodes");
}

static void check_again(const ProtobufCMessageDescriptor *type, const ProtobufCMessage *m)
{
	struct crimg_buf once = CRIMG_BUF_INIT, twice = CRIMG_BUF_INIT;
	struct crimg_arena arena = crimg_arena_make(CRIMG_MAX_DECODED_BYTES);
	struct crimg_err err = CRIMG_ERR_INIT;
	encode(m, &once);
	ProtobufCMessage *again =
		crimg_message_decode(type, once.data, once.length, &arena, "again", 0, &err);
	harness_claim(again != NULL, "an encoded message decodes");
	encode(again, &twice);
	harness_claim(once.length == twice.length
	              && (once.length == 0 || memcmp(once.data, twice.data, once.length) == 0),
	              "encoding twice gives the same bytes");
	crimg_buf_fini(&once);
	crimg_buf_fini(&twice);
	crimg_arena_fini(&arena);
}

// What only crimg_message_check refuses.
static bool stricter(const char *text)
{
	static const char *const phrases[] = { "NUL byte", "wire type", "field number", "required field" };
	for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++)
		if (strstr(text, phrases[i]) != NULL)
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct crimg_err check = CRIMG_ERR_INIT, decode = CRIMG_ERR_INIT;
	struct crimg_arena arena = crimg_arena_make(CRIMG_MAX_DECODED_BYTES);
	if (size < 2)
		return 0;
	enum crimg_kind kind = (enum crimg_kind)(data[0] % CRIMG_KIND_COUNT);
	data++, size--;
	const ProtobufCMessageDescriptor *type =
		crimg_kind_message(kind, data[0] % 2, data + 1, size - 1);
	data++, size--;
	if (type == NULL)
		return 0;
	bool canonical = false;
	bool good = crimg_message_check(type, data, size, "message", 0, &canonical, &check) == 0;
	harness_claim_err(good ? 0 : -1, &check);
	ProtobufCMessage *m = crimg_message_decode(type, data, size, &arena, "message", 0, &decode);
	harness_claim(decode.code != CRIMG_E_NOMEM, "what passes the check decodes");
	harness_claim(good == (m != NULL) || decode.code == CRIMG_E_LIMIT,
	              "the check and the decoder agree");
	if (m != NULL)
		check_again(type, m);
	if (m != NULL && canonical) {
		struct crimg_buf again = CRIMG_BUF_INIT;
		harness_claim(crimg_message_encode(m, &again, NULL) == 0 && again.length == size
		              && (size == 0 || memcmp(again.data, data, size) == 0),
		              "canonical bytes come back");
		crimg_buf_fini(&again);
	}
	if (!good && check.code != CRIMG_E_LIMIT && !stricter(check.text)) {
		ProtobufCMessage *raw = protobuf_c_message_unpack(type, NULL, size, data);
		harness_claim(raw == NULL, "what fails the check does not decode");
		if (raw != NULL)
			protobuf_c_message_free_unpacked(raw, NULL);
	}
	crimg_arena_fini(&arena);
	return 0;
}
