/* bare.h: numbers of the exception vectors, for assembly and C. */
#define VEC_UNDEF 1
#define VEC_SVC   2
#define VEC_PABT  3
#define VEC_DABT  4
#define VEC_IRQ   5 /* an interrupt that ends the case: bare_interrupt() */
