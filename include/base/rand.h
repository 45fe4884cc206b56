/* Random bytes from the kernel (getrandom): nonces and the server uuid. */
#ifndef BINLOGD_BASE_RAND_H
#define BINLOGD_BASE_RAND_H

#include <stddef.h>

#define RAND_UUID_CHARS 36

void rand_bytes(void *dst, size_t n);
/* A version 4 UUID as lower-case text with its NUL: RAND_UUID_CHARS + 1 bytes. */
void rand_uuid(char dst[RAND_UUID_CHARS + 1]);

#endif
