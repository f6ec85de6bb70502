/* Files of the Container Device Interface, as YAML and as JSON, and names of devices. */
#include <stdint.h>

#include "bundle/cdi.h"
#include "bundle/cdi_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct cdi_file file = {0};
    struct cdi_file again = {0};
    struct error err;
    const char *text = arena_strndup(&arena, (const char *)data, size);

    cdi_file_parse(&arena, text, size, true, &file, &err);
    cdi_file_parse(&arena, text, size, false, &again, &err);
    cdi_is_device(text);
    cdi_is_class(text);
    arena_release(&arena);
    return 0;
}
