// The table of writers.
#include "writers/writers.h"

const struct crimg_writer_driver *const crimg_writers[] = {
	&crimg_writer_crimg,
	&crimg_writer_criu,
	&crimg_writer_json,
	&crimg_writer_core,
	&crimg_writer_linuxcr,
	&crimg_writer_cpt,
	&crimg_writer_kstate,
	NULL,
};
