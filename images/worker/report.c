/* The worker's side of images/report.h. */
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
