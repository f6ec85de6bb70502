/*
 * The error object. A function that can fail returns 0 (or a useful non-negative value) or a
 * negative errno, and describes the failure in `struct error` if the caller gave one. Callers add
 * what they were doing with error_prefix(); whoever stands at the edge prints or sends it, once.
 *
 * It has a fixed size and owns nothing: it lives on the stack, needs no release, and crosses a
 * pipe between processes as it stands.
 */
#ifndef DAVIT_BASE_ERROR_H
#define DAVIT_BASE_ERROR_H

/* What went wrong, for programs. Names are part of the interface: see error_code_name(). */
enum error_code {
    ERROR_NONE,
    ERROR_INTERNAL,          /* a system call failed; errnum says how */
    ERROR_INVALID,           /* the caller asked for something impossible */
    ERROR_UNSUPPORTED,       /* possible, but not here or not yet */
    ERROR_NOT_FOUND,         /* the thing named does not exist */
    ERROR_IMAGE_NOT_FOUND,   /* the image does not: it may be in a registry */
    ERROR_CONFLICT,          /* the thing is in a state that does not allow this */
    ERROR_NOT_MODIFIED,      /* already so */
    ERROR_DENIED,            /* not allowed for this caller */
    ERROR_TOO_LARGE,         /* a stated bound was exceeded */
    ERROR_CORRUPT,           /* bytes do not match their digest or their format */
    ERROR_COMMAND_NOT_FOUND, /* the program to run does not exist: exit status 127 */
    ERROR_NOT_EXECUTABLE,    /* the program to run cannot be executed: exit status 126 */
    ERROR_BUSY,              /* not now; the same may work later */
    ERROR_CODE_COUNT,
};

struct error {
    int errnum;
    enum error_code code;
    char message[1024];
};

/* Sets code and message. Returns -errnum, so that `return error_set(...)` reads well. */
int error_set(struct error *err, enum error_code code, int errnum, const char *format, ...)
    __attribute__((format(printf, 4, 5), cold));

/* The same for a failed system call: appends ": " and the text of errnum. */
int error_errno(struct error *err, int errnum, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));

/* Puts "context: " in front of the message. Returns -errnum. */
int error_prefix(struct error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3), cold));

/* The stable name of a code: "not_found", "conflict", ... */
const char *error_code_name(enum error_code code);

/* The code of that name; ERROR_INTERNAL for NULL and for others. */
enum error_code error_code_by_name(const char *name);

#endif
