/* Two generated files as bytes of the program; the folder that holds them is on the search path. */
	.macro	part name, file
	.globl	\name
	.globl	\name\()_end
	.hidden	\name
	.hidden	\name\()_end
	.type	\name, %object
\name:
	.incbin	"\file"
\name\()_end:
	.byte	0
	.endm

	.section .rodata, "a", %progbits
	part	crimg_page_top, "report/page_top.html"
	part	crimg_page_end, "report/page_end.html"
	.section .note.GNU-stack, "", %progbits
