/* See helpers.h. */
#include "helpers.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "memory.h"

void helpers_set_directory(void)
{
    static const char *const places[] = {".", "../libexec/davit"};
    char own[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);
    char *slash;

    own[length > 0 ? length : 0] = '\0';
    slash = strrchr(own, '/');
    if (slash == NULL || getenv("DAVIT_LIBEXEC") != NULL)
        return;
    *slash = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        cleanup_free char *directory = memory_printf("%s/%s", own, places[i]);
        cleanup_free char *program = memory_printf("%s/davit-image", directory);

        if (access(program, X_OK) == 0) {
            setenv("DAVIT_LIBEXEC", directory, 1);
            return;
        }
    }
}
