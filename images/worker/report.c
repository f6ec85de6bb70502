/* The worker's side of images/report.h. */
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/file.h"
#include "worker.h"

int report_write(int out_fd, const struct image_report *report, struct error *err)
{
    struct json_writer *writer = json_writer_new(false);
    cleanup_buffer struct buffer line = {0};
    int result;

    json_encode(writer, &image_report_type, report);
    buffer_printf(&line, "%s\n", json_writer_text(writer));
    json_writer_free(writer);
    result = file_write_fd(out_fd, line.data, line.length);
    return result < 0 ? error_errno(err, -result, "report") : 0;
}

void report_progress(int out_fd, const char *digest, const char *status, int64_t current,
                     int64_t total)
{
    char id[13];
    const struct image_report report = {
        .status = status, .id = id, .current = current, .total = total};

    snprintf(id, sizeof(id), "%.12s", digest + strlen("sha256:"));
    report_write(out_fd, &report, NULL);
}
