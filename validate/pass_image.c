// The image as a whole: inventory, the files that every task needs, pages and parents.
#include "validate/checker.h"

void crimg_pass_image(struct crimg_checker *c)
{
	if (crimg_image_find(c->image, CRIMG_KIND_INVENTORY, 0) == NULL) {
		struct crimg_place at = crimg_place_image(c);
		CRIMG_FIND(c, NO_INVENTORY, &at, "inventory.img is missing");
	}
}
