/* Base64 (RFC 4648). */
#ifndef DAVIT_BASE_BASE64_H
#define DAVIT_BASE_BASE64_H

/* The standard alphabet, padded; free() it. */
char *base64_encode(const char *text);

#endif
