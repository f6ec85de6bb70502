/* FNV-1a, 64 bits: for tables and for noticing change, not against who chooses the bytes. */
#ifndef DAVIT_BASE_HASH_H
#define DAVIT_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_START UINT64_C(0xcbf29ce484222325)

/* Goes on from `hash` with the bytes. */
uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t length);

#endif
