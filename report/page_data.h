// The fixed parts of the page, put into the program at build time by page_data.S.
#ifndef CRIMG_REPORT_PAGE_DATA_H
#define CRIMG_REPORT_PAGE_DATA_H

extern const char crimg_page_top[], crimg_page_top_end[]; // up to the blocks of JSON
extern const char crimg_page_end[], crimg_page_end_end[]; // behind them

#endif
