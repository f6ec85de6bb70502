/* config.json, process documents, Docker's create request, seccomp profiles. A config.json that was
 * decoded can be encoded and decoded again. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "bundle/bundle.h"
#include "supervisor/definition/definition.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct oci_config config = {0};
    struct oci_process process = {0};
    struct oci_seccomp seccomp = {0};
    struct definition definition = {0};
    struct string_list none = {0};
    struct error err;
    const char *text = arena_strndup(&arena, (const char *)data, size);

    if (oci_config_parse(&arena, text, size, &config, &err) == 0) {
        struct json_writer *writer = oci_config_encode(&config, false);
        struct oci_config again = {0};
        const char *encoded = json_writer_text(writer);

        assert(oci_config_parse(&arena, encoded, strlen(encoded), &again, &err) == 0);
        json_writer_free(writer);
    }
    oci_process_parse(&arena, text, size, &process, &err);
    if (definition_parse(&arena, text, size, &(struct docker_log_config){0}, &definition, &err) ==
        0)
        definition_read_ports(&arena, &definition, &err);
    seccomp_profile_resolve(&arena, text, size, &none, &seccomp, &err);
    arena_release(&arena);
    return 0;
}
