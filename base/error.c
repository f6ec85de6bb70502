/* The error object: see error.h. */
#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const code_names[ERROR_CODE_COUNT] = {
    [ERROR_NONE] = "none",
    [ERROR_INTERNAL] = "internal",
    [ERROR_INVALID] = "invalid",
    [ERROR_UNSUPPORTED] = "unsupported",
    [ERROR_NOT_FOUND] = "not_found",
    [ERROR_IMAGE_NOT_FOUND] = "image_not_found",
    [ERROR_CONFLICT] = "conflict",
    [ERROR_NOT_MODIFIED] = "not_modified",
    [ERROR_DENIED] = "denied",
    [ERROR_TOO_LARGE] = "too_large",
    [ERROR_CORRUPT] = "corrupt",
    [ERROR_COMMAND_NOT_FOUND] = "command_not_found",
    [ERROR_NOT_EXECUTABLE] = "not_executable",
    [ERROR_BUSY] = "busy",
};

const char *error_code_name(enum error_code code)
{
    if ((unsigned int)code >= ERROR_CODE_COUNT)
        return "internal";
    return code_names[code];
}

int error_set(struct error *err, enum error_code code, int errnum, const char *format, ...)
{
    va_list arguments;

    if (err == NULL)
        return -errnum;
    err->errnum = errnum;
    err->code = code;
    va_start(arguments, format);
    vsnprintf(err->message, sizeof(err->message), format, arguments);
    va_end(arguments);
    return -errnum;
}

int error_errno(struct error *err, int errnum, const char *format, ...)
{
    va_list arguments;
    size_t length;

    if (errnum <= 0)
        errnum = EIO;
    if (err == NULL)
        return -errnum;
    err->errnum = errnum;
    err->code = ERROR_INTERNAL;
    va_start(arguments, format);
    vsnprintf(err->message, sizeof(err->message), format, arguments);
    va_end(arguments);
    length = strlen(err->message);
    snprintf(err->message + length, sizeof(err->message) - length, ": %s", strerror(errnum));
    return -errnum;
}

int error_prefix(struct error *err, const char *format, ...)
{
    char context[sizeof(err->message)];
    va_list arguments;
    size_t length;
    size_t room;

    if (err == NULL)
        return -EIO;
    va_start(arguments, format);
    vsnprintf(context, sizeof(context) - 2, format, arguments);
    va_end(arguments);
    length = strlen(context);
    memcpy(context + length, ": ", 2);
    length += 2;
    room = sizeof(err->message) - length - 1;
    if (strlen(err->message) > room)
        err->message[room] = '\0';
    memmove(err->message + length, err->message, strlen(err->message) + 1);
    memcpy(err->message, context, length);
    return err->errnum > 0 ? -err->errnum : -EIO;
}

enum error_code error_code_by_name(const char *name)
{
    for (int code = 0; name != NULL && code < ERROR_CODE_COUNT; code++) {
        if (strcmp(error_code_name((enum error_code)code), name) == 0)
            return (enum error_code)code;
    }
    return ERROR_INTERNAL;
}
