/* Docker's modes of namespaces: "host", "container:NAME", "ns:PATH". See definition.h. */
#include <string.h>

#include "definition.h"

static const char *behind(const char *mode, const char *prefix)
{
    size_t length = strlen(prefix);

    return mode != NULL && strncmp(mode, prefix, length) == 0 ? mode + length : NULL;
}

bool mode_is_host(const char *mode)
{
    return mode != NULL && strcmp(mode, "host") == 0;
}

const char *mode_container(const char *mode)
{
    return behind(mode, "container:");
}

const char *mode_path(const char *mode)
{
    return behind(mode, "ns:");
}
