/* davit-oci's state.json, and the document that davit-scope reads. */
#include <stdint.h>

#include "cgroups/systemd/scope.h"
#include "runtime/oci/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct state state = {.directory_fd = -1};
    struct systemd_scope scope = {0};
    struct error err;
    const char *text = arena_strndup(&arena, (const char *)data, size);

    if (state_parse(&state, text, size, &err) == 0 &&
        (state.pid <= 0 || state.bundle == NULL || state.created == NULL))
        __builtin_trap();
    json_decode_text(&arena, text, size, &systemd_scope_type, &scope, &err);
    state_release(&state);
    arena_release(&arena);
    return 0;
}
