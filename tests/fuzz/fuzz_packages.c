/* The package databases of images; the order of versions, which swapped arguments have to reverse.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/versions.h"
#include "images/worker/packages.h"
#include "supervisor/images/changes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int sign(int number)
{
    return number < 0 ? -1 : number > 0;
}

static void check_order(int (*compare)(const char *, const char *), const char *left,
                        const char *right)
{
    if (sign(compare(left, right)) != -sign(compare(right, left)) || compare(left, left) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct packages packages = {0};
    struct image_process process = {0};
    struct error err = {0};
    char *text = arena_strndup(&packages.arena, (const char *)data, size);
    char *second = strchr(text, '\n');

    packages_parse_dpkg(&packages, (const char *)data, size, &err);
    packages_parse_apk(&packages, (const char *)data, size, &err);
    packages_parse_rpm_header(&packages, data, size, &err);
    packages_parse_os_release(&packages, (const char *)data, size);
    image_change(&packages.arena, text, &process, &err);
    if (second != NULL) {
        *second++ = '\0';
        check_order(version_compare_deb, text, second);
        check_order(version_compare_apk, text, second);
        check_order(version_compare_rpm, text, second);
    }
    packages_release(&packages);
    return 0;
}
