/* What a fuzz target defines: called with one input; a broken promise ends in BUG_ON. */
#ifndef BINLOGD_TESTS_FUZZ_H
#define BINLOGD_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
