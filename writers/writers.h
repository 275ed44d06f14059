// Every writer driver: adding a format is one file, one line here and one in writers.c.
#ifndef CRIMG_WRITERS_WRITERS_H
#define CRIMG_WRITERS_WRITERS_H

#include "format/driver.h"

extern const struct crimg_writer_driver crimg_writer_crimg;
extern const struct crimg_writer_driver crimg_writer_criu;
extern const struct crimg_writer_driver crimg_writer_json;
extern const struct crimg_writer_driver crimg_writer_core;
extern const struct crimg_writer_driver crimg_writer_linuxcr;
extern const struct crimg_writer_driver crimg_writer_cpt;
extern const struct crimg_writer_driver crimg_writer_kstate;

#endif
