/* Base64 (RFC 4648) of texts. */
#ifndef DAVIT_BASE_BASE64_H
#define DAVIT_BASE_BASE64_H

/* The standard alphabet, padded; free() it. */
char *base64_encode(const char *text);

/* Either alphabet, padded or not; free() it. NULL for what is no base64, or no text. */
char *base64_decode(const char *text);

#endif
