// The verb `crimg report`: one HTML file that shows an image, or two; and `crimg diff`, which may write one.
#ifndef CRIMG_REPORT_REPORT_H
#define CRIMG_REPORT_REPORT_H

// argv[0] is the verb. Exit code: 0 the report is written (also of a damaged image: the report tells
// what is wrong); 2 trouble: usage, an image that cannot be read at all, an output that cannot be
// written. Then there is no output.
int crimg_report_main(int argc, char **argv);

// The verb `crimg diff` with its option --html. Exit code: see diff/diff.h.
int crimg_diff_main(int argc, char **argv);

#endif
