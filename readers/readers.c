// The table of readers.
#include "readers/readers.h"

const struct crimg_reader_driver *const crimg_readers[] = {
	&crimg_reader_crimg,
	&crimg_reader_criu,
	&crimg_reader_json,
	&crimg_reader_elfcore,
	&crimg_reader_linuxcr,
	&crimg_reader_cpt,
	&crimg_reader_kstate,
	&crimg_reader_live,
	NULL,
};
