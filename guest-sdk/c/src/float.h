/* Doubles and their decimal digits, exactly both ways. */
#ifndef BATON_FLOAT_H
#define BATON_FLOAT_H

#include <stddef.h>

/* Room for any number that baton_print_f64 writes, with the NUL. */
#define BATON_F64_ROOM 32

/* The shortest digits that read back as `number`, in JSON's grammar unless it is no finite number. Gives the length. */
size_t baton_print_f64(char *at, double number);
/* The double nearest to a number in JSON's grammar, ties to even; infinite where it is too large. */
double baton_scan_f64(const char *at, const char *end);

#endif
