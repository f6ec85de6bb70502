/*
 * davit-image: the image worker. davitd runs `davit-image load` with the store as its working
 * directory and the archive on standard input; people use `davit-image assemble` to make an image
 * from a directory. See davit-image(8).
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "images/report.h"
#include "worker/worker.h"

static void report_error(const struct error *err)
{
    struct image_report report = {.error = err->message, .code = error_code_name(err->code)};
    struct json_writer *writer = json_writer_new(false);

    json_encode(writer, &image_report_type, &report);
    printf("%s\n", json_writer_text(writer));
    fflush(stdout);
    json_writer_free(writer);
}

/* The caller reads the outcome from standard output; the exit status only repeats it. */
static int run_load(int argc, char **argv)
{
    struct error err = {0};
    cleanup_close int store_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result;

    if (argc != 1) {
        fprintf(stderr, "usage: davit-image %s < ARCHIVE (in a store's directory)\n", argv[0]);
        return 2;
    }
    if (store_fd < 0 || faccessat(store_fd, "ingest", F_OK, 0) < 0) {
        error_set(&err, ERROR_INVALID, EINVAL, "the working directory is not an image store");
        report_error(&err);
        return 1;
    }
    result = sandbox_enter_worker(&err);
    if (result == 0)
        result = archive_load(store_fd, STDIN_FILENO, STDOUT_FILENO, &worker_default_limits, &err);
    if (result < 0)
        report_error(&err);
    return result < 0 ? 1 : 0;
}

static const struct option assemble_option_table[] = {
    {"cmd", required_argument, NULL, 'c'},     {"env", required_argument, NULL, 'e'},
    {"workdir", required_argument, NULL, 'w'}, {"user", required_argument, NULL, 'u'},
    {"output", required_argument, NULL, 'o'},  {NULL, 0, NULL, 0},
};

static int parse_assemble(struct arena *arena, struct assemble_options *options,
                          const char **output, int argc, char **argv, struct error *err)
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    struct image_reference reference;
    int option;

    while ((option = getopt_long(argc, argv, "+c:e:w:u:o:", assemble_option_table, NULL)) != -1) {
        switch (option) {
        case 'c':
            string_list_append(arena, &options->cmd, optarg);
            break;
        case 'e':
            string_list_append(arena, &options->env, optarg);
            break;
        case 'w':
            options->working_dir = optarg;
            break;
        case 'u':
            options->user = optarg;
            break;
        case 'o':
            *output = optarg;
            break;
        default:
            return error_set(err, ERROR_INVALID, EINVAL, "unknown option; see davit-image(8)");
        }
    }
    if (argc - optind != 2)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "assemble: the image's name and a directory are expected");
    if (image_reference_parse(argv[optind], &reference, err) < 0)
        return -EINVAL;
    if (reference.tag[0] == '\0')
        return error_set(err, ERROR_INVALID, EINVAL, "assemble: the name may not be a digest");
    options->name = arena_printf(arena, "%s:%s", reference.name, reference.tag);
    options->created_s = epoch != NULL ? strtoll(epoch, NULL, 10) : 0;
    return 0;
}

static int assemble(const struct assemble_options *options, const char *directory,
                    const char *output, struct error *err)
{
    cleanup_close int directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_close int file_fd = -1;
    int out_fd = STDOUT_FILENO;

    if (directory_fd < 0)
        return error_errno(err, errno, "%s", directory);
    if (output != NULL) {
        file_fd = open(output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (file_fd < 0)
            return error_errno(err, errno, "%s", output);
        out_fd = file_fd;
    } else if (isatty(STDOUT_FILENO)) {
        return error_set(err, ERROR_INVALID, EINVAL,
                         "an archive is not for a terminal; use --output FILE");
    }
    return archive_assemble(directory_fd, options, out_fd, err);
}

static int run_assemble(int argc, char **argv)
{
    cleanup_arena struct arena arena = {0};
    struct assemble_options options = {0};
    struct error err = {0};
    const char *output = NULL;
    int result = parse_assemble(&arena, &options, &output, argc, argv, &err);

    if (result == 0)
        result = assemble(&options, argv[optind + 1], output, &err);
    if (result < 0)
        fprintf(stderr, "davit-image: %s\n", err.message);
    return result < 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
    opterr = 0;
    if (argc > 1 && strcmp(argv[1], "load") == 0)
        return run_load(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "assemble") == 0)
        return run_assemble(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        printf("davit-image version %s\n", DAVIT_VERSION);
        return 0;
    }
    fprintf(stderr, "usage: davit-image assemble [--cmd ARG]... [--env NAME=VALUE]... "
                    "[--workdir DIR]\n"
                    "                            [--user USER] [--output FILE] NAME DIRECTORY\n"
                    "       davit-image load < ARCHIVE\n");
    return 2;
}
