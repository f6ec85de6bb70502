/* Manifests, indexes, image configurations, references, the workers' messages, a registry's
 * challenge, filters. */
#include <stdint.h>

#include "base/clock.h"
#include "base/signals.h"
#include "images/fetch/fetch.h"
#include "images/images.h"
#include "images/registry_job.h"
#include "images/report.h"
#include "supervisor/http/filters.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const known[] = {"label", "name", NULL};
    struct arena arena = {0};
    struct image_manifest manifest = {0};
    struct image_index index = {0};
    struct image_config config = {0};
    struct image_report report = {0};
    struct fetch_answer answer = {0};
    struct pull_job job = {0};
    struct image_reference reference;
    char value[64];
    struct filters filters;
    struct error err;
    int64_t time_ns;
    const char *text = arena_strndup(&arena, (const char *)data, size);

    image_manifest_parse(&arena, text, size, &manifest, &err);
    image_index_parse(&arena, text, size, &index, &err);
    image_config_parse(&arena, text, size, &config, &err);
    json_decode_text(&arena, text, size, &image_report_type, &report, &err);
    json_decode_text(&arena, text, size, &fetch_answer_type, &answer, &err);
    json_decode_text(&arena, text, size, &pull_job_type, &job, &err);
    challenge_get(text, "realm", value, sizeof(value));
    filters_parse(&arena, text, known, &filters, &err);
    image_reference_parse(text, &reference, &err);
    signal_parse(text);
    clock_parse_rfc3339(text, &time_ns);
    arena_release(&arena);
    return 0;
}
