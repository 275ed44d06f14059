// Every reader driver: adding a format is one file, one line here and one in readers.c.
#ifndef CRIMG_READERS_READERS_H
#define CRIMG_READERS_READERS_H

#include "format/driver.h"

extern const struct crimg_reader_driver crimg_reader_crimg;
extern const struct crimg_reader_driver crimg_reader_criu;
extern const struct crimg_reader_driver crimg_reader_json;
extern const struct crimg_reader_driver crimg_reader_elfcore;
extern const struct crimg_reader_driver crimg_reader_linuxcr;
extern const struct crimg_reader_driver crimg_reader_cpt;
extern const struct crimg_reader_driver crimg_reader_kstate;
extern const struct crimg_reader_driver crimg_reader_live; // of the producer

#endif
